"""The country as tables: one mapping of column to values for every file that is a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from impact.arrays import Int1
from impact.register.areas import areas
from impact.simulate.draws import STRUCTURE, number
from impact.simulate.land import Country, truth
from impact.simulate.outcomes import Series, indicator, labels

__all__ = ["Columns", "buurten", "cities", "indicators", "members", "names", "school_leavers", "truths", "wijken"]

Columns: TypeAlias = Mapping[str, Sequence[str | float | None]]

VINTAGE = "2024"
_OLDER = 0.83  # part of the residents aged 15 and over


def names(of: Country) -> tuple[str, ...]:
    """(W,) made-up names of the wijken."""
    called = {a: one.name for a, one in enumerate(areas())}
    return tuple(
        f"{called.get(a, f'Gemeente {code[2:6]}')} (gegenereerd), wijk {code[-2:]}"
        for code, a in zip(of.land.wijken, of.whole.tolist(), strict=True)
    )


def _slugs(of: Country, area: Int1) -> list[str]:
    return [of.areas[a] if a >= 0 else "" for a in area.tolist()]


def wijken(of: Country) -> Columns:
    """One row per wijk, in the division of the last period."""
    land, whole = of.land, of.whole
    years = [int(of.start[a]) if a >= 0 else None for a in whole.tolist()]
    structure = {name: land.structure[:, i].tolist() for i, name in enumerate(STRUCTURE)}
    return {
        "region": land.wijken,
        "naam": names(of),
        "gemeente": [land.gemeenten[g] for g in land.wijk_gemeente],
        "focusgebied": _slugs(of, whole),
        "deel": of.share.round(6).tolist(),
        "start": ["" if year is None else str(year) for year in years],
        "start_schooljaar": ["" if year is None else f"{year}/'{(year + 1) % 100:02d}" for year in years],
        "grenst_aan": _slugs(of, of.members.neighbour),
        "heringedeeld": of.redrawn.astype(int).tolist(),
        "inwoners": of.wijk_residents.astype(int).tolist(),
        **structure,
        "lbm_2018": of.score.tolist(),
    }


def buurten(of: Country) -> Columns:
    """One row per buurt; every buurt lies in an area as a whole or not at all."""
    land = of.land
    of_wijk = names(of)
    return {
        "region": land.buurten,
        "naam": [f"{of_wijk[w]}, buurt {code[-2:]}" for w, code in zip(land.wijk, land.buurten, strict=True)],
        "wijk": [land.wijken[w] for w in land.wijk],
        "wijk_oud": [land.wijken[w] for w in land.old_wijk],
        "gemeente": [land.gemeenten[land.wijk_gemeente[w]] for w in land.wijk],
        "focusgebied": _slugs(of, of.members.buurt),
        "inwoners": of.residents.astype(int).tolist(),
    }


def members(of: Country, level: str) -> Iterable[tuple[str, ...]]:
    """Rows of area, code, vintage, share and source: what every area consists of, at level "wijk" or "buurt"."""
    land = of.land
    for a, slug in enumerate(of.areas):
        inside = of.members.buurt == a
        if level == "buurt":
            for b in np.flatnonzero(inside):
                yield slug, land.buurten[b], VINTAGE, "1", "gegenereerd"
        else:
            for w in np.unique(land.wijk[inside]):
                yield slug, land.wijken[w], VINTAGE, number(of.share[w], 4), "gegenereerd"


def indicators(of: Country, level: str) -> Columns:
    """All indicators of a level in one long table, in the order of the programme; codes and waves that exist only."""
    found: dict[str, list[str | float | None]] = {
        name: []
        for name in ("indicator", "region", "period", "numerator", "denominator", "value", "n", "low", "high", "status")
    }
    for slug in of.settings.indicators:
        one = indicator(of, slug)
        if one.level != level:
            continue
        rows, columns = np.nonzero(one.listed)
        found["indicator"] += [slug] * len(rows)
        found["region"] += [one.regions[i] for i in rows]
        found["period"] += [one.periods[t] for t in columns]
        for name in ("numerator", "denominator", "value", "n", "low", "high"):
            found[name] += [None if x != x else x for x in getattr(one, name)[rows, columns].tolist()]
        found["status"] += one.status[rows, columns].tolist()
    return found


def truths(of: Country) -> Columns:
    """The effect per area, indicator and period."""
    rows = [
        (area, slug, period, effect)
        for slug in of.settings.indicators
        for area, line in zip(of.areas, truth(of, slug).tolist(), strict=True)
        for period, effect in zip(labels(of, slug), line, strict=True)
    ]
    heads = ("area", "indicator", "period", "effect")
    return {head: [row[i] for row in rows] for i, head in enumerate(heads)}


def school_leavers(of: Country) -> list[tuple[str | float | None, ...]]:
    """Region, school year, early school leavers, students, with the marks of Statistics Netherlands."""
    one = indicator(of, "voortijdig-schoolverlaten")

    def cell(counted: float, status: str) -> str | float:
        if counted != counted:
            return "x" if status == "suppressed" else "."
        plain = int(counted) if counted == int(counted) else counted
        return f"{plain}*" if status == "provisional" else plain

    return [
        (
            one.regions[i],
            one.periods[t],
            cell(float(one.numerator[i, t]), str(one.status[i, t])),
            # Only what is counted is secret, not out of how many; a figure of the last year stays provisional.
            cell(float(one.denominator[i, t]), "provisional" if t == len(one.periods) - 1 else ""),
        )
        for i, t in zip(*np.nonzero(one.listed), strict=True)
    ]


def cities(of: Country) -> list[tuple[str, ...]]:
    """Rows of the survey on safety in the wijken of a few gemeenten; ``-`` where too few took part."""
    one: Series = indicator(of, "ervaren-veiligheid")
    chosen = [of.areas.index(slug) for slug in of.settings.cities]
    homes = [of.land.wijk_gemeente[of.members.order[a][0]] for a in chosen]
    inside = np.isin(of.land.wijk_gemeente, homes)[:, None] & one.listed
    older = np.round(_OLDER * of.wijk_residents)

    def cell(value: float) -> str:
        return "-" if value != value else number(value, 1)

    return [
        (
            one.regions[i],
            one.periods[t],
            cell(one.value[i, t]),
            cell(one.n[i, t]),
            cell(one.low[i, t]),
            cell(one.high[i, t]),
            number(older[i], 0),
        )
        for i, t in zip(*np.nonzero(inside), strict=True)
    ]
