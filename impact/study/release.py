"""What leaves: the outcomes after disclosure, the list of what was decided for who checks output, and the export."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape

from impact.errors import Refused
from impact.evidence.disclosure import listing
from impact.evidence.language import texts
from impact.evidence.plots import figures
from impact.evidence.record import Evidence
from impact.evidence.render import html
from impact.evidence.report import report_html
from impact.evidence.svg import drawn_too
from impact.harmless import as_cell, as_csv
from impact.study.answers import Answers
from impact.study.behind import Behind, behind
from impact.study.bracket import End
from impact.study.disclose import Told, disclose
from impact.study.load import Loaded
from impact.study.panels import Comparison
from impact.study.read import Study
from impact.study.record import Case
from impact.study.render import LANGUAGES, figure, page
from impact.study.tidy import tidy

__all__ = ["COLUMNS", "EXPORT", "FIGURE_OF", "release", "released", "rows"]

COLUMNS = ("profile", "verify", "outcome", "part", "figure", "cell", "verdict", "rule", "behind", "threshold")
EXPORT = "export"
"""Folder in the bundle with all that goes to who checks output: CSV, PNG and HTML."""

FIGURE_OF = {
    "event": "event-study",
    "path": "gap",
    "balance": "balance",
    "robust-honest": "departures",
    "alternatives": "specifications",
    "robust-sets": "covariate-sets",
    "robust-areas": "areas",
    "placebos": "placebos",
    "families": "family",
    "design": "flow; map",
}
"""Figures that show a part of the record."""


def released(
    study: Study,
    cases: Sequence[Case],
    answers: Sequence[Answers],
    found: Sequence[Evidence],
    others: Sequence[Loaded],
    varied: Sequence[Sequence[Comparison]],
    ends: Sequence[Sequence[End]],
) -> list[Evidence]:
    """The outcomes as they may leave; `others` and `varied` are the tables and comparisons of the alternatives."""
    if study.model.disclose is None:
        return list(found)
    told = []
    for number, (case, answer, evidence) in enumerate(zip(cases, answers, found, strict=True)):
        own = behind(study.model, case, {"primary": answer.result, "event": answer.events})
        alternatives: dict[str, Behind] = {}
        for variation, loaded, comparison in zip(study.variations, others, varied[number], strict=True):
            other = Case(loaded, loaded.series[number], comparison, ())
            alternatives[variation.name] = behind(variation.model, other, {})
        bracket: dict[str, Behind] = {}
        for end in ends[number]:
            if not isinstance(end.comparison, Refused):
                bracket[end.name] = behind(end.model, Case(case.loaded, case.series, end.comparison, ()), {})
        told.append(Told(evidence, own, alternatives, bracket))
    return list(disclose(study.model, told))


def release(outcomes: Sequence[Evidence]) -> dict[str, bytes]:
    """Files by name: what was decided, and the folder for an environment that lets out only what was checked."""
    first = outcomes[0]
    if first.disclosed is None:
        return {}
    decided = {
        "disclosure.csv": as_csv([COLUMNS, *rows(outcomes)]).encode("utf-8"),
        "disclosure.html": _page(outcomes).encode("utf-8"),
    }
    if not first.disclosed.verify:
        return decided
    return decided | {f"{EXPORT}/{name}": content for name, content in (decided | _export(outcomes)).items()}


def rows(outcomes: Sequence[Evidence]) -> list[tuple[str, ...]]:
    """One row per decision, in the columns `COLUMNS`."""
    out = []
    for number, evidence in enumerate(outcomes):
        found = evidence.disclosed
        for mark in () if found is None else found.marks:
            names = FIGURE_OF.get(mark.part, "").split("; ")
            drawn = "; ".join(figure(number, evidence.indicator, name) for name in names if name)
            counts = ("" if x is None else f"{x:g}" for x in (mark.behind, mark.threshold))
            head = (found.profile, found.verify, evidence.indicator) if found is not None else ()
            out.append((*head, mark.part, drawn, mark.cell, mark.verdict, mark.rule, *counts))
    return out


def _page(outcomes: Sequence[Evidence], language: str = "nl") -> str:
    say = texts(language)
    return html(listing(outcomes, say), say)


def _export(outcomes: Sequence[Evidence]) -> dict[str, bytes]:
    """The tidy table, every report with its figures as PNG, and nothing with more digits than are printed."""
    files = {"tidy.csv": tidy(outcomes).map(as_cell).to_csv(index=False, lineterminator="\n").encode("utf-8")}
    for number, evidence in enumerate(outcomes):
        names = {language: page(number, evidence.indicator, language) for language in LANGUAGES}
        for language, other in zip(LANGUAGES, reversed(LANGUAGES), strict=True):
            with drawn_too() as drawn:
                vectors = figures(evidence, language)
            images = {}
            for name, svg in vectors.items():
                stem = figure(number, evidence.indicator, name).removesuffix(".svg")
                file = f"figures/{stem}{'' if language == 'nl' else f'.{language}'}.png"
                files[file] = drawn[name]
                images[name] = f'<img src="{file}" alt="{escape(_text(svg), quote=True)}" style="max-width:100%">'
            files[names[language]] = report_html(evidence, images, language, names[other]).encode("utf-8")
    return files


def _text(svg: str) -> str:
    """The alternative text of a drawing."""
    return " ".join(unescape(part) for part in re.findall(r"<(?:title|desc)[^>]*>(.*?)</", svg, re.DOTALL))
