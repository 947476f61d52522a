"""From a document to HTML."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from impact.evidence.document import Document
from impact.evidence.language import Texts

__all__ = ["html"]


def html(document: Document, say: Texts) -> str:
    """One self-contained HTML5 page; every text is escaped, the SVG of figures is not."""
    environment = Environment(
        loader=PackageLoader("impact.evidence", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(document=document, say=say)
