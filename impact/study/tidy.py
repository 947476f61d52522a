"""The results of a study as tables: every estimate as one row, and the sheets of a workbook for who works in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from impact.evidence.addresses import address_of
from impact.evidence.disclosed import withheld
from impact.evidence.reading import supported
from impact.evidence.record import Estimate, Evidence
from impact.evidence.result import COLUMNS
from impact.harmless import shown
from impact.inference.support import status
from impact.workbook import Sheet

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MADE_OF", "counted", "entries", "in_families", "made_of", "tables", "tidy"]

MADE_OF = ("outcome", "role", "unit", "part", "share")
_ABOUT = ("level", "population")
"""What a unit is, and at the level of gemeenten which share of the residents lives in the areas."""


def tidy(outcomes: Sequence[Evidence]) -> pd.DataFrame:
    """Every estimate as one row: what it is, then the columns of ``Result.tidy``; a sealed outcome has none."""
    import pandas as pd

    rows = []
    for evidence in outcomes:
        rows += [_row(evidence, *entry) for entry in entries(evidence)]
        rows += [
            {**_row(evidence, "family", name, True, estimate), "p_adjusted": adjusted}
            for name, estimate, adjusted in in_families(evidence)
        ]
    first = ["study", "outcome", "role", "name", "same_estimand", "standing"]
    last = ["inference", "areas_total", "areas_left_out", *_ABOUT, "p_adjusted", "address"]
    frame = pd.DataFrame(rows, columns=[*first, *COLUMNS, *last])
    return frame.astype({"p_adjusted": float})


def entries(evidence: Evidence) -> list[tuple[str, str, bool, Estimate]]:
    """Every estimate with its role, its name and whether it is about the same; none of a sealed outcome."""
    if evidence.sealed:
        return []
    variants = {"weighting": evidence.weightings, "alternative": evidence.alternatives, "bracket": evidence.bracket}
    return [
        ("primary", "", True, evidence.primary),
        *(
            (role, variant.name, variant.same_estimand, variant.estimate)
            for role, of_role in variants.items()
            for variant in of_role
        ),
        *(("event", "", True, estimate) for estimate in evidence.event),
    ]


def in_families(evidence: Evidence) -> list[tuple[str, Estimate, float]]:
    """The outcome's own numbers once more by the name of its family, with the band and the adjusted p-value there."""
    if evidence.sealed:
        return []
    estimates = {estimate.term: estimate for estimate in (evidence.primary, *evidence.event)}
    found = []
    for family in evidence.families:
        for member in (*family.members, *family.horizons):
            if member.indicator == evidence.indicator and member.adjusted is not None:
                shown = replace(estimates[member.term], band_low=member.low, band_high=member.high)
                found.append((family.name, shown, member.adjusted))
    return found


def _row(evidence: Evidence, role: str, name: str, same: bool, estimate: Estimate) -> dict[str, Any]:
    hidden = withheld(estimate.refused)
    reason, clusters = estimate.refused, estimate.treated_clusters
    known = status(estimate.method, estimate.inference, reason, clusters, estimate.largest_share or 0.0)
    known = "suppressed" if hidden else known
    primary = evidence.primary.term
    statistic = None if estimate.value is None or not estimate.std_error else estimate.value / estimate.std_error
    if statistic is not None and evidence.disclosed is not None and evidence.disclosed.asks:
        statistic = round(statistic, 2)  # of numbers that are rounded
    others = {variant.name: variant for variant in evidence.alternatives} if role == "alternative" else {}
    about = others.get(name, evidence)
    return {
        "study": evidence.study,
        "outcome": evidence.indicator,
        "role": role,
        "name": name,
        "same_estimand": same,
        "standing": evidence.status,
        "target": "event" if role == "event" or (role == "family" and estimate.term != primary) else "average",
        "term": estimate.term,
        "weighting": estimate.weighting,
        "estimate": estimate.value,
        "std_error": estimate.std_error,
        "df": estimate.df,
        "statistic": statistic,
        "p_value": estimate.p_value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "band_low": estimate.band_low,
        "band_high": estimate.band_high,
        "n": estimate.units,
        "areas": estimate.areas,
        "clusters": estimate.clusters,
        "method": estimate.method,
        "unit": evidence.unit,
        "status": supported(estimate) if known == "ok" and estimate.adjusted else known,
        "inference": estimate.inference,
        "areas_total": evidence.areas_total,
        "areas_left_out": "; ".join(area.name for area in evidence.others),
        "level": about.level,
        "population": about.population,
        "p_adjusted": None,
        "address": str(address_of(evidence, role, name, same, estimate)),
    }


def tables(outcomes: Sequence[Evidence]) -> tuple[Sheet, ...]:
    """Sheets of all estimates, of the areas with the reason why one is not in the estimate, and of the periods.

    With borders, every unit too: what became of it, and how near it lies to a focus area. Codes are text. A sealed
    outcome has its areas and periods and no estimate.
    """
    frame = tidy(outcomes)
    estimates = [
        tuple(None if cell is None or cell != cell else cell for cell in row)
        for row in frame.itertuples(index=False, name=None)
    ]
    areas = [
        (
            e.indicator,
            area.slug,
            area.name,
            area.cluster,
            ", ".join(area.units),
            area.first_treated,
            area.base,
            area.left_out,
            area.population,
        )
        for e in outcomes
        for area in e.areas
    ]
    out = {e.indicator: {row.unit: row.reason for row in e.periods_left_out} for e in outcomes}
    periods = [
        (e.indicator, period, out[e.indicator].get(period, ""))
        for e in outcomes
        for period in sorted({*e.periods, *out[e.indicator]})
    ]
    head = tuple(f"{e.indicator}: {e.status}; {counted(e)}" for e in outcomes)
    sheets = (
        Sheet("estimates", tuple(frame.columns), estimates, above=head),
        Sheet(
            "areas",
            ("outcome", "area", "name", "gemeente", "members", "first_treated", "base", "left_out", "population"),
            areas,
            above=head,
        ),
        Sheet("periods", ("outcome", "period", "left_out"), periods),
        *([Sheet("made_of", MADE_OF, made)] if (made := made_of(outcomes)) else []),
        *_units(outcomes),
    )
    return tuple(_legible(sheet) for sheet in sheets)


def _legible(sheet: Sheet) -> Sheet:
    """With what nobody sees in a text written out."""
    rows = [tuple(shown(cell) if isinstance(cell, str) else cell for cell in row) for row in sheet.rows]
    return replace(sheet, rows=rows, above=tuple(map(shown, sheet.above)))


def made_of(outcomes: Sequence[Evidence]) -> list[tuple[str, str, str, str, float]]:
    """Every unit that was added up, part by part, in the columns `MADE_OF`."""
    return [(e.indicator, row.role, row.unit, row.part, row.share) for e in outcomes for row in e.made_of]


def _units(outcomes: Sequence[Evidence]) -> Iterator[Sheet]:
    names = ("unit", "role", "reason", "ring", "km", "nearest", "border", "residents")
    rows = [(e.indicator, *(getattr(unit, name) for name in names)) for e in outcomes for unit in e.units]
    if rows:
        yield Sheet("units", ("outcome", *names[:-2], "border_share", "residents_share"), rows)


def counted(evidence: Evidence) -> str:
    """How many areas are in the estimate, and the names of the others."""
    if evidence.sealed:
        return f"0 of {evidence.areas_total} areas assessed"
    # A gemeente that holds two areas is in the estimate once.
    taken = {unit for area in evidence.included for unit in area.units}
    out = [area for area in evidence.others if not area.units or set(area.units) - taken]
    others = ", ".join(area.name for area in out)
    if evidence.level == "gemeente":
        told = f"{len(evidence.included)} gemeenten with a focus area, each as a whole"
        return f"{told}; without {others}" if others else told
    inside = f"{len(evidence.included)} of {evidence.areas_total} areas"
    return f"{inside}; without {others}" if others else inside
