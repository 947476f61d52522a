"""A report in a form: the page, docx, LaTeX, a workbook or plain text, all from the same parts."""

from __future__ import annotations

from collections.abc import Mapping

from impact.errors import Problem, UsageError
from impact.evidence.document import Document
from impact.evidence.docx import as_docx
from impact.evidence.language import Texts
from impact.evidence.latex import as_latex
from impact.evidence.manuscript import manuscript
from impact.evidence.render import as_text, html
from impact.evidence.sheets import as_xlsx

__all__ = ["SUFFIXES", "check_form", "formed"]

SUFFIXES = {"html": ".html", "docx": ".docx", "latex": ".tex", "xlsx": ".xlsx", "text": ".txt"}
"""Of the file of each form."""


def formed(document: Document, form: str, say: Texts, pictures: Mapping[str, bytes]) -> bytes:
    """The bytes of the report in a form; `pictures` are PNG by name of figure, for the form that takes no SVG.

    Raises
    ------
    UsageError
        ``USAGE-050`` there is no such form; ``USAGE-040`` docx without python-docx.
    """
    check_form(form)
    if form == "html":
        return html(document, say).encode("utf-8")
    text = manuscript(document, say)
    match form:
        case "docx":
            return as_docx(text, pictures)
        case "latex":
            return as_latex(text, say).encode("utf-8")
        case "xlsx":
            return as_xlsx(text, say)
    return as_text(text).encode("utf-8")


def check_form(form: str) -> None:
    """Refuse a form that is not one of `SUFFIXES`: ``USAGE-050``."""
    if form not in SUFFIXES:
        raise UsageError(
            Problem("USAGE-050", f"there is no form '{form}' of a report", f"forms: {', '.join(SUFFIXES)}")
        )
