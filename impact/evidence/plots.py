"""The figures of a report, each signed with the areas and the data that it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from matplotlib.figure import Figure

from impact.drawing import SMALL, WIDTH, look
from impact.evidence.areas_section import areas_forest
from impact.evidence.flow import flow_svg
from impact.evidence.language import Texts, listed, number, texts
from impact.evidence.maps import map_svg
from impact.evidence.marks import Sign
from impact.evidence.plots_balance import balance
from impact.evidence.plots_course import event_study, gap, placebos
from impact.evidence.plots_forest import families
from impact.evidence.plots_robust import covariate_sets, departures, specifications
from impact.evidence.record import DataFile, Evidence
from impact.evidence.svg import rendered, wrapped
from impact.evidence.translation import in_words

__all__ = ["OUTCOMES", "figures", "source"]

_DRAWN: Final[Mapping[str, Callable[[Evidence, Texts, Sign], str | None]]] = {
    "gap": gap,
    "event-study": event_study,
    "placebos": placebos,
    "balance": balance,
    "departures": departures,
    "specifications": specifications,
    "covariate-sets": covariate_sets,
    "areas": areas_forest,
}
_NAMED = 5  # areas that are not counted and named one by one
OUTCOMES: Final = ("outcomes", "outcome", "sealed")
"""Roles of the data that outcomes stand in."""
_UNITS: Final = ("units", "covariates")
_ABOUT: Final[Mapping[str, tuple[str, ...]]] = {"balance": (*_UNITS, *OUTCOMES), "flow": _UNITS}
"""Roles of the data that a figure is about, where it is not about the outcome alone; the flow falls back on that."""


def figures(evidence: Evidence, language: str = "nl") -> dict[str, str]:
    """SVG by name ("flow", "map", "gap", "event-study", "balance", …) with alternative texts; none of what is sealed.

    A figure with nothing to show is left out. The bytes depend on the evidence, the language and matplotlib alone.
    """
    if evidence.sealed:
        return {}
    evidence = in_words(evidence, language)
    say = texts(language, evidence.level)

    def sign(figure: Figure, name: str, title: str, text: str) -> str:
        """The drawing with what it is about: figures are shown without their report."""
        foot, about = _about(evidence, name, say)
        figure.supxlabel(foot, x=0.01, ha="left", fontsize=SMALL)
        return rendered(figure, name, title, f"{text} {about}")

    with look():
        drawn = {name: draw(evidence, say, sign) for name, draw in _DRAWN.items()}
        drawn["map"] = map_svg(evidence, *_about(evidence, "map", say), say)
        drawn |= families(evidence, say, sign)
    if evidence.flow:
        compared = evidence.compared if evidence.compared != evidence.pool else None
        drawn["flow"] = flow_svg(evidence.flow, compared, language, about=_about(evidence, "flow", say))
    return {name: svg for name, svg in drawn.items() if svg is not None}


def _about(evidence: Evidence, name: str, say: Texts) -> tuple[str, str]:
    """What stands under a figure and what its text ends with: how many areas, a pretended start, and the source."""
    counts = {
        "areas": number(len(evidence.included), say.language, 0),
        "total": number(evidence.areas_total, say.language, 0),
    }
    absent = [area.name for area in evidence.others]
    many = say("draw.areas_many", count=number(len(absent), say.language, 0))
    names = many if len(absent) > _NAMED else listed(absent, say.language)
    others = say("draw.areas_others", names=names) if names else ""
    tail = [say("figures.placebo_study")] if evidence.placebo else []
    if name != "map":  # which names where its borders come from
        tail.append(source(evidence.data, _ABOUT.get(name, ()), say) or source(evidence.data, OUTCOMES, say))
    foot = [f"{say('draw.areas', **counts)}.", *filter(None, tail)]
    about = [f"{say('draw.areas_text', **counts)}{others}", *filter(None, tail)]
    return wrapped(" ".join(foot), WIDTH - 0.1, SMALL), " ".join(about)


def source(files: Sequence[DataFile], roles: Sequence[str], say: Texts) -> str:
    """Where the data in these roles come from, with their vintage; "" where there are none."""
    named: dict[str, None] = {}
    for role in roles:
        for file in (file for file in files if file.role == role):
            said = file.source or file.file
            vintage = file.vintage if file.vintage and file.vintage not in said else ""
            named[f"{said} ({vintage})" if vintage else said] = None
    return say("figures.source", list="; ".join(named)) if named else ""
