"""Readers of every form of a report: its tables and all its words, by parsers that share nothing with the writers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import html5lib  # type: ignore[import-untyped]
from docx import Document as opened
from docx.oxml.ns import qn
from openpyxl import load_workbook

FORMS = ("html", "docx", "latex", "xlsx", "text")


@dataclass(frozen=True)
class Read:
    """A table as a form shows it; a total is the last of the rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Page:
    """A report as a form shows it: its tables, and every word of it."""

    tables: tuple[Read, ...]
    words: str


def read(form: str, content: bytes, language: str = "nl") -> Page:
    readers: dict[str, Callable[[bytes, str], Page]] = {
        "html": _html,
        "docx": _docx,
        "latex": _latex,
        "xlsx": _xlsx,
        "text": _text,
    }
    return readers[form](content, language)


def squeezed(text: str) -> str:
    """Without white space: a form may fold a text, even within a long word."""
    return "".join(text.split()).replace("\N{NON-BREAKING HYPHEN}", "-")


def _line(text: str) -> str:
    return " ".join(text.split())


# --- the page ---------------------------------------------------------------------------------------------------------


def _html(content: bytes, language: str) -> Page:
    body = html5lib.parse(content.decode("utf-8"), namespaceHTMLElements=False).find("body")
    found = []
    for table in body.iter("table"):
        head = tuple(_line("".join(cell.itertext())) for cell in table.find("thead").iter("th"))
        rows = [
            tuple(_line("".join(cell.itertext())) for cell in row if cell.tag in ("th", "td"))
            for row in table.find("tbody").iter("tr")
        ]
        found.append(Read(_line("".join(table.find("caption").itertext())), head, tuple(rows)))
    return Page(tuple(found), _line(" ".join(body.itertext())))


# --- docx -------------------------------------------------------------------------------------------------------------


def _docx(content: bytes, language: str) -> Page:
    page = opened(io.BytesIO(content))
    found, said, caption = [], [], ""
    for part in page.iter_inner_content():
        if hasattr(part, "rows"):
            rows = [tuple(_line(cell.text) for cell in _cells(row)) for row in part.rows]
            found.append(Read(caption, rows[0], tuple(rows[1:])))
            said += [cell for row in rows for cell in row]
        else:
            caption = _line(part.text) if part.style.name == "Caption" else caption
            said.append(part.text)
    about = [mark.get("descr") or "" for mark in page.element.iter(qn("wp:docPr"))]
    return Page(tuple(found), _line(" ".join([*said, *about])))


def _cells(row: Any) -> Iterator[Any]:
    """A cell over several columns once."""
    last = None
    for cell in row.cells:
        if cell._tc is not last:
            yield cell
        last = cell._tc


# --- LaTeX ------------------------------------------------------------------------------------------------------------

_SIGNS = {
    "textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~", "textquotedbl": '"', "textquotesingle": "'",
    "textasciigrave": "`", "textminus": "−", "allowbreak": "", "bfseries": "", "Large": "", "par": "",
}  # fmt: skip


def _latex(content: bytes, language: str) -> Page:
    text = content.decode("utf-8")
    word = re.search(r"\\renewcommand\{\\tablename\}\{(\w+)\}", text)
    assert word is not None
    found = []
    for number, table in enumerate(re.findall(r"\\begin\{longtable\}(.*?)\\end\{longtable\}", text, re.DOTALL), 1):
        caption = re.search(r"\\caption\{(.*)\}\\label\{tab:(\d+)\}", table)
        body = re.search(
            r"\\toprule\n(.*?) \\\\\n\\midrule\\endhead\n\\bottomrule\\endlastfoot\n(.*)", table, re.DOTALL
        )
        assert caption is not None and body is not None and int(caption[2]) == number
        rows = [line for line in body[2].split(" \\\\\n") if line.strip()]
        cells = tuple(tuple(untex(cell) for cell in _split(row)) for row in rows)
        found.append(Read(f"{word[1]} {number}. {untex(caption[1])}", tuple(map(untex, _split(body[1]))), cells))
    start = text.index(r"\begin{document}")
    rest = re.sub(
        r"\\begin\{longtable\}\{.*\}\n|\\(begin|end)\{\w+\}|\\(multicolumn|setlength|label).*?\n", " ", text[start:]
    )
    return Page(tuple(found), untex(re.sub(r"\\\\\n| & ", " ", rest)))


def _split(row: str) -> list[str]:
    row = row.removeprefix("\\midrule\n").strip("\n")
    return re.split(r"(?<!\\) ?& ?|(?<!\\)(?<=^)& ", row)


def untex(cell: str) -> str:
    """What TeX would set, by its own rules of commands and groups."""
    cell = re.sub(r"^\\multicolumn\{\d+\}\{.*@\{\}\}\{(.*)\}$", r"\1", cell.strip())
    out, place = [], 0
    while place < len(cell):
        if cell[place] in "{}":
            place += 1
        elif cell[place] == "\\" and (word := re.match(r"\\([A-Za-z]+) ?", cell[place:])):
            out.append(_SIGNS.get(word[1], ""))
            place += len(word[0])
        elif cell[place] == "\\":
            out.append(cell[place + 1 : place + 2])
            place += 2
        else:
            out.append(cell[place])
            place += 1
    return _line("".join(out))


# --- workbook ---------------------------------------------------------------------------------------------------------


def _xlsx(content: bytes, language: str) -> Page:
    book = load_workbook(io.BytesIO(content))
    found, said = [], []
    for sheet in book.worksheets:
        lines = list(sheet.iter_rows())
        shown = [[_shown(cell, language) for cell in line] for line in lines]
        said += [text for line in shown for text in line if text]
        first = next(number for number, line in enumerate(lines) if line[0].font.bold)
        if sheet is book.worksheets[0]:
            continue
        head = tuple(shown[first])
        width = sum(cell.font.bold for cell in lines[first])
        rows = [tuple(line[:width]) for line in shown[first + 1 :]]
        found.append(Read(shown[0][0], head[:width], tuple(rows)))
    return Page(tuple(found), _line(" ".join(said)))


def _shown(cell: Any, language: str) -> str:
    """A cell as a spreadsheet of that language shows it."""
    if cell.value is None:
        return ""
    if isinstance(cell.value, str):
        assert cell.data_type == "s"
        return cell.value
    above, below, zero = cell.number_format.split(";")
    form = above if cell.value > 0 else below if cell.value < 0 else zero
    sign = "".join(re.findall(r'"(.)"', form))
    form = re.sub(r'".*?"', "", form)
    decimals = len(form.rstrip("%").partition(".")[2])
    size = abs(cell.value) * (100 if form.endswith("%") else 1)
    written = f"{size:,.{decimals}f}" if "," in form else f"{size:.{decimals}f}"
    if language == "nl":
        written = written.translate(str.maketrans(",.", ".,"))
    return f"{sign}{written}{'%' if form.endswith('%') else ''}"


# --- text -------------------------------------------------------------------------------------------------------------


def _text(content: bytes, language: str) -> Page:
    lines = content.decode("utf-8").splitlines()
    rules = [number for number, line in enumerate(lines) if re.fullmatch(r"  -+(  -+)*", line)]
    found, place = [], 0
    while place < len(rules):
        first = rules[place]
        start = first
        while lines[start - 1].strip():
            start -= 1
        if lines[first] == f"  {98 * '-'}":  # rows one below the other
            end = rules[place + 1]
            pairs = [_named(group) for group in _rows(lines[first + 1 : end])]
            rows = [tuple(pair[1] for pair in row) for row in pairs]
            found.append(Read(_line(" ".join(lines[start:first])), tuple(pair[0] for pair in pairs[0]), tuple(rows)))
            place += 2
            continue
        spans = [match.span() for match in re.finditer("-+", lines[first])]
        head, body, end = first, rules[place + 1], rules[place + 2]
        rows = [_columns(group, spans) for group in _rows(lines[body + 1 : end])]
        place += 3
        after = lines[end + 1 : rules[place]] if place < len(rules) else [""]
        if after and all(after) and lines[rules[place]] == lines[first]:
            rows.append(tuple(re.split(r" {2,}", _wide(after), maxsplit=1)))
            place += 1
        found.append(Read(_line(" ".join(lines[start:first])), _columns(lines[head + 1 : body], spans), tuple(rows)))
    return Page(tuple(found), _line(" ".join(lines)))


def _rows(lines: list[str]) -> list[list[str]]:
    """Rows of several lines stand apart by an empty one."""
    if "" not in lines:
        return [[line] for line in lines]
    groups: list[list[str]] = [[]]
    for line in lines:
        if line:
            groups[-1].append(line)
        else:
            groups.append([])
    return groups


def _named(lines: list[str]) -> list[tuple[str, str]]:
    """Names and values of a row; what goes on stands deeper."""
    whole = re.sub(r"\n {4}", " ", "\n".join(lines)).splitlines()
    return [(_line(name), _line(value)) for name, _, value in (line.partition(": ") for line in whole)]


def _columns(lines: list[str], spans: list[tuple[int, int]]) -> tuple[str, ...]:
    return tuple(_line(" ".join(line[start:end] for line in lines)) for start, end in spans)


def _wide(lines: list[str]) -> str:
    return "  ".join(line.strip() for line in lines)
