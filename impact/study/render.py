"""Pages and figures of a bundle, from its evidence alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Final

from impact.evidence.collected import Collected, outcome_of
from impact.evidence.collection_page import collection_document, collection_html
from impact.evidence.plots import figures
from impact.evidence.plots_collection import collection_figures
from impact.evidence.record import Evidence
from impact.evidence.report import report_html
from impact.evidence.translation import page_in

__all__ = ["LANGUAGES", "collection_pages", "figure", "page", "pages", "versions"]

_PACKAGES = ("impact-nplv", "numpy", "pandas", "scipy", "statsmodels", "matplotlib", "pyarrow")


LANGUAGES: Final = ("nl", "en")
"""Of the pages of a bundle; the first is that of the study."""


def pages(outcomes: Sequence[Evidence]) -> tuple[dict[str, str], dict[str, str]]:
    """HTML pages in every language and SVG figures in Dutch, by file name; ``report.html`` is about the headline."""
    html: dict[str, str] = {}
    drawn: dict[str, str] = {}
    for number, evidence in enumerate(outcomes):
        files = {language: page(number, evidence.indicator, language) for language in LANGUAGES}
        for language, other in zip(LANGUAGES, reversed(LANGUAGES), strict=True):
            own = figures(evidence, language)
            html[files[language]] = report_html(evidence, own, language, files[other])
            if language == "nl":
                drawn |= {figure(number, evidence.indicator, name): svg for name, svg in own.items()}
    return html, drawn


def collection_pages(outcomes: Sequence[Evidence], value: Collected) -> tuple[dict[str, str], dict[str, str]]:
    """HTML pages in its languages and SVG figures of a collection itself by file name; figures are Dutch, if it is."""
    ordered = [one for row in value.rows if (one := outcome_of(outcomes, row)) is not None]
    html: dict[str, str] = {}
    drawn: dict[str, str] = {}
    for code in value.languages:
        other = next((one for one in value.languages if one != code), "")
        own = collection_figures(ordered, code)
        document = collection_document(outcomes, value, own, code, page_in("report.html", other) if other else "")
        if not drawn or code == LANGUAGES[0]:
            drawn = {f"{name}.svg": svg for name, svg in own.items()}
        html[page_in("report.html", code)] = collection_html(document)
    return html, drawn


def page(number: int, indicator: str, language: str = "nl") -> str:
    """File of the page about the outcome with this number; that of the headline is ``report.html``."""
    return page_in("report.html" if number == 0 else f"report-{indicator}.html", language)


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
