"""Pages and figures of a bundle, from its evidence alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from impact.evidence.collected import Collected
from impact.evidence.collection_page import collection_document, collection_html
from impact.evidence.language import texts
from impact.evidence.plots import figures
from impact.evidence.record import Evidence
from impact.evidence.report import report_html

__all__ = ["collection_pages", "figure", "page", "pages", "versions"]

_PACKAGES = ("impact-nplv", "numpy", "pandas", "scipy", "statsmodels", "matplotlib", "pyarrow")


def pages(outcomes: Sequence[Evidence], language: str = "nl") -> tuple[dict[str, str], dict[str, str]]:
    """HTML pages and SVG figures by file name; ``report.html`` is about the headline outcome."""
    html: dict[str, str] = {}
    drawn: dict[str, str] = {}
    for number, evidence in enumerate(outcomes):
        own = figures(evidence, language)
        html[page(number, evidence.indicator)] = report_html(evidence, own, language)
        drawn |= {figure(number, evidence.indicator, name): svg for name, svg in own.items()}
    return html, drawn


def collection_pages(outcomes: Sequence[Evidence], value: Collected) -> tuple[dict[str, str], dict[str, str]]:
    """HTML pages and SVG figures of a collection itself by file name, in its languages."""
    html = {}
    for code in value.languages:
        if "ui.report" not in texts(code):
            continue
        document = collection_document(outcomes, value, {}, code)
        html["report.html" if code == "nl" else f"report.{code}.html"] = collection_html(document)
    return html, {}


def page(number: int, indicator: str) -> str:
    """File of the page about the outcome with this number; the headline is ``report.html``."""
    return "report.html" if number == 0 else f"report-{indicator}.html"


def figure(number: int, indicator: str, name: str) -> str:
    """File of the figure `name` of the outcome with this number."""
    return f"{name}.svg" if number == 0 else f"{name}-{indicator}.svg"


def versions() -> dict[str, str]:
    """Of Python and of the packages that compute, draw and write."""
    found = {"python": python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
