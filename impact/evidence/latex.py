"""The tables of a report as one LaTeX file that compiles by itself, and from which a table can be copied as it is.

It needs ``booktabs`` and ``pdflscape`` (texlive-latex-recommended) and what comes with LaTeX; hyphenation of the
language and the fonts of ``lmodern`` are used where they are installed. A table to be copied needs ``booktabs``,
``longtable`` and ``array``. No text becomes a command: whatever means something to TeX is written out, and a letter
that pdfLaTeX has no glyph for stands as its number in Unicode.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from impact.evidence.columns import least, natural, shares
from impact.evidence.document import Block, Cell, Code, Manuscript, Paragraph, Points, Table
from impact.evidence.language import Texts
from impact.evidence.manuscript import one_line, tables
from impact.harmless import shown

__all__ = ["as_latex", "escaped"]

_BABEL = {"nl": "dutch", "en": "british"}
_GAP = 4  # characters, between columns
_SMALL, _SMALLER, _TURNED = 84, 120, 190  # characters of a line at \small, at \footnotesize, and across the page
_LONGEST = 24  # characters of a word that is not broken
_PIECE, _PIECE_OF_CODE = 8, 4

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': r"\textquotedbl{}",  # babel makes commands of it
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # after the end of a row it would be an option
    "]": "{]}",
    "*": "{*}",
    "−": r"\textminus{}",
    "‑": "-",
}
# Two of these in a row become another sign.
_COMMANDS |= {sign: f"{sign}{{}}" for sign in "-,<>?!"}
_MATH = {
    "≤": "leq", "≥": "geq", "≠": "neq", "≈": "approx", "≡": "equiv", "∞": "infty", "√": "surd", "∑": "sum",
    "∆": "Delta", "Δ": "Delta", "Σ": "Sigma", "Ω": "Omega", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta",
    "ε": "epsilon", "η": "eta", "θ": "theta", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "∈": "in", "∩": "cap",
    "∪": "cup", "∂": "partial", "⇒": "Rightarrow", "⋅": "cdot",
}  # fmt: skip
_COMMANDS |= {sign: rf"\ensuremath{{\{name}}}" for sign, name in _MATH.items()}
_SIGNS = re.compile("[ -~¡-¬®-ĥĨ-ķĹ-ľŁ-ňŊ-ťŨ-žȘ-ț‐‒–—―‘’‚“”„†‡•…‰‹›€№™←↑→↓]")
"""What pdfLaTeX has glyphs for in the encodings T1 and TS1."""


def as_latex(text: Manuscript, say: Texts) -> str:
    """Title, status and result as on the page, then every table under the title of its part."""
    lines = [*_preamble(text, say), ""]
    lines.append(rf"\begin{{center}}\Large\bfseries {_cell(text.title)}\end{{center}}")
    lines += _words(text.lead)
    part = ""
    for first in text.chapters[:1]:
        if said := list(_words(first.blocks)):
            lines += [rf"\section*{{{escaped(first.title)}}}", *said]
            part = first.title
    for number, (title, table) in enumerate(tables(text), 1):
        lines += _table(table, number, "" if title == part else title, say)
        part = title
    return "\n".join([*lines, r"\end{document}", ""])


def escaped(text: str) -> str:
    """A text in one line that TeX sets as it stands."""
    words = " ".join(shown(unicodedata.normalize("NFC", text)).split()).split(" ")
    return " ".join(_broken(word, _PIECE) if len(word) > _LONGEST else _signs(word) for word in words)


def _signs(text: str) -> str:
    return "".join(_sign(sign) for sign in text)


def _sign(sign: str) -> str:
    if sign in _COMMANDS:
        return _COMMANDS[sign]
    return sign if _SIGNS.fullmatch(sign) else f"{{[}}U+{ord(sign):04X}{{]}}"


def _broken(word: str, every: int) -> str:
    """A word that may go on in the next line after so many letters."""
    return r"\allowbreak{}".join(_signs(word[place : place + every]) for place in range(0, len(word), every))


def _preamble(text: Manuscript, say: Texts) -> Iterator[str]:
    babel = _BABEL.get(text.language)
    yield r"\documentclass[a4paper,10pt]{article}"
    yield r"\usepackage[utf8]{inputenc}"
    yield r"\usepackage[T1]{fontenc}"
    yield r"\usepackage{textcomp}"
    yield r"\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}"
    if babel:
        yield rf"\IfFileExists{{{babel}.ldf}}{{\usepackage[{babel}]{{babel}}}}{{}}"
    yield r"\usepackage[margin=20mm]{geometry}"
    yield r"\usepackage{array,booktabs,longtable,pdflscape}"
    yield r"\setlength{\LTcapwidth}{\linewidth}"
    yield r"\setlength{\parindent}{0pt}"
    yield r"\setlength{\parskip}{4pt}"
    yield r"\setlength{\emergencystretch}{3em}"
    # A heading goes to the next page where little of its table would follow it.
    yield r"\newcommand{\withroom}{\par\vskip 0pt plus 9\baselineskip\penalty-250\vskip 0pt plus -9\baselineskip}"
    yield r"\begin{document}"
    yield rf"\renewcommand{{\tablename}}{{{escaped(say('ui.table'))}}}"


def _words(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(pieces):
                yield f"{' '.join(map(_cell, pieces))}\n"
            case Points(items):
                yield "\n".join([r"\begin{itemize}", *(rf"\item {_cell(item)}" for item in items), r"\end{itemize}"])


def _cell(cell: Cell) -> str:
    if not isinstance(cell, Code):
        return escaped(one_line(cell))
    words = (_broken(word, _PIECE_OF_CODE) for word in shown(one_line(cell)).split())
    return rf"\texttt{{{' '.join(words)}}}"


def _table(table: Table, number: int, title: str, say: Texts) -> Iterator[str]:
    """One table with its caption above and its note below; its head comes again on every page."""
    gaps = _GAP * len(table.columns)
    folded, turned = sum(natural(table)) + gaps > _SMALL, sum(least(table)) + gaps > _SMALLER
    parts = shares(table, _TURNED if turned else _SMALLER, _GAP) if folded else None
    kinds, spans = _columns(table, parts)
    yield ""
    yield f"% table {number}"
    if turned:
        yield r"\begin{landscape}"
    if title:
        yield rf"\withroom\section*{{{escaped(title)}}}"
    size = r"\footnotesize" if folded else r"\small"
    yield rf"\begingroup{size}\setlength{{\tabcolsep}}{{4pt}}\renewcommand{{\arraystretch}}{{1.15}}"
    yield rf"\begin{{longtable}}{{@{{}}{kinds}@{{}}}}"
    caption = table.caption.removeprefix(f"{say('ui.table')} {number}. ")
    yield rf"\caption{{{escaped(caption)}}}\label{{tab:{number}}}\\"
    head = " & ".join(rf"\bfseries {escaped(column.title)}" for column in table.columns)
    yield r"\toprule"
    yield rf"{head} \\"
    yield r"\midrule\endhead"
    yield r"\bottomrule\endlastfoot"
    for row in table.rows:
        yield rf"{' & '.join(map(_cell, row))} \\"
    if table.total is not None:
        yield r"\midrule"
        name, value = map(_cell, table.total)
        yield rf"{name} & \multicolumn{{{len(table.columns) - 1}}}{{{spans}}}{{{value}}} \\"
    yield r"\end{longtable}"
    if table.note:
        yield rf"{escaped(table.note)}\par"
    yield r"\endgroup"
    if turned:
        yield r"\end{landscape}"


def _columns(table: Table, parts: Sequence[float] | None) -> tuple[str, str]:
    """Of the table, and of a total over all columns but the first: parts of the line, or as wide as they are."""
    if parts is None:
        return "".join("r" if column.number else "l" for column in table.columns), "r@{}"
    kinds = [_share(part, column.number) for part, column in zip(parts, table.columns, strict=True)]
    return "".join(kinds), f"{_share(sum(parts[1:]), True)}@{{}}"


def _share(part: float, number: bool) -> str:
    side = r"\raggedleft" if number else r"\raggedright"
    return rf">{{{side}\arraybackslash\nobreak\hspace{{0pt}}}}p{{\dimexpr{part:.4f}\linewidth-2\tabcolsep\relax}}"
