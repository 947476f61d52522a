"""A result in a list of references: APA, BibTeX and CSL-JSON, made of texts that anybody may have written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from impact.harmless import shown

__all__ = ["STYLES", "Reference", "apa", "bibtex", "csl_json", "one_line"]

STYLES = ("apa", "bibtex", "csl-json")
# What LaTeX takes for a command. Braces are named: BibTeX counts them also after a backslash.
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "$&#%_"},
}


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference says.

    Attributes
    ----------
    address, title, authors, version, kind : str
    date : tuple of int
        Year, month and day of the run by its own ledger; empty where it is not known.
    undated : str
        What stands for a year then.
    digest : str
        Of which file, and its SHA-256.
    statement : str
        The whole statement; never a bare number.
    language : str
    withdrawn : bool
    """

    address: str
    title: str
    authors: str
    version: str
    kind: str
    date: tuple[int, ...]
    undated: str
    digest: str
    statement: str
    language: str
    withdrawn: bool = False

    @property
    def key(self) -> str:
        """The address, with colons for the signs that have a meaning in BibTeX."""
        return re.sub(r"[^a-z0-9.-]", ":", self.address)


def apa(reference: Reference) -> str:
    """One line in the style of APA (7th edition, 10.9: data sets)."""
    year = str(reference.date[0]) if reference.date else reference.undated
    title = f"{one_line(reference.title)} ({one_line(reference.version)}) [{reference.kind}]"
    return f"{one_line(reference.authors)}. ({year}). {title}. {reference.address}. {one_line(reference.digest)}"


def bibtex(reference: Reference) -> str:
    """An entry for BibTeX and biblatex, in UTF-8; no text in it can end a field or be run by LaTeX."""
    fields = {
        "author": f"{{{_latex(reference.authors)}}}",  # one name, not to be parted
        "title": f"{{{_latex(reference.title)}}}",  # capitals as they are
        "howpublished": _latex(f"{reference.kind}, {reference.version}"),
        "note": _latex(f"{reference.address}. {reference.digest}"),
        "abstract": _latex(reference.statement),
        **({"year": str(reference.date[0])} if reference.date else {}),
    }
    lines = [f"  {name} = {{{text}}}," for name, text in fields.items()]
    return "\n".join([f"@misc{{{reference.key},", *lines, "}"])


def csl_json(reference: Reference) -> str:
    """An item of CSL-JSON 1.0.2, in a list, with sorted keys."""
    item: dict[str, object] = {
        "id": reference.key,
        "type": "dataset",
        "title": one_line(reference.title),
        "author": [{"literal": one_line(reference.authors)}],
        "version": one_line(reference.version),
        "number": reference.address,
        "note": one_line(reference.digest),
        "abstract": one_line(reference.statement),
        "language": reference.language,
    }
    if reference.date:
        item["issued"] = {"date-parts": [list(reference.date)]}
    if reference.withdrawn:
        item["status"] = "withdrawn"
    return json.dumps([item], ensure_ascii=False, indent=1, sort_keys=True)


def one_line(text: str) -> str:
    """One line, in which nothing is hidden."""
    return shown(" ".join(text.split()))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in one_line(text))
