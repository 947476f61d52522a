"""The tables of a study at the level of its unit: rows of that level, or units that are added up from their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from impact.design.unions import Unions
from impact.errors import DataError, Problem, raise_all
from impact.sources.contract import listed
from impact.sources.regions import Level, gemeente_or_blank, is_code, level_of
from impact.study.areas import delineated
from impact.study.longs import picked, put_together
from impact.study.model import Specification
from impact.study.series import read_series
from impact.study.sums import units_of
from impact.study.units import Units

if TYPE_CHECKING:
    from impact.study.load import Loaded

__all__ = ["at_level", "together"]


def at_level(spec: Specification, loaded: Loaded) -> Loaded:
    """The tables with one row per unit of the study; `loaded` itself where the study says nothing of its unit.

    Raises
    ------
    DataError
        ``DATA-150`` the tables have no rows of the level, or the gemeente of a region is not known; ``DATA-151`` a
        region in two areas.
    """
    unit = spec.unit
    if unit is None:
        return loaded
    level = Level(unit.built_from or unit.level)
    mine = [region for region in loaded.regions if is_code(region) and level_of(region) is level]
    if not mine:
        there = sorted({level_of(region).value for region in loaded.regions if is_code(region)})
        hint = f"It has rows of the level {listed(there)}; see `unit.level` and `unit.built_from`." if there else ""
        message = f"no row is about a {level.value}."
        raise DataError(Problem("DATA-150", message, hint, spec.data.outcomes.file, path="unit"))
    rows = loaded if len(mine) == len(loaded.regions) else _only(spec, loaded, mine)
    if unit.level == "focus-area":
        members = _areas(spec, rows)
    elif unit.built_from is not None:
        members = _parents(spec, rows, Level(unit.level))
    else:
        return replace(rows, base=loaded)
    return replace(together(spec, rows, Unions.of(members)), base=loaded) if members else replace(rows, base=loaded)


def together(spec: Specification, loaded: Loaded, unions: Unions) -> Loaded:
    """The tables with the units in the place of the parts that lie in one as a whole.

    Counts are added up and rates taken anew from them; the error of rounded counts grows with the root of their number.
    """
    columns = spec.data.outcomes.columns
    longs = tuple(put_together(long, unions, columns.figures) for long in loaded.longs)
    used = np.bincount(unions.part, weights=unions.share, minlength=len(unions.parts))
    gone = {part for part, share in zip(unions.parts, used.tolist(), strict=True) if share >= 1 - 1e-9}
    regions = tuple(sorted({*loaded.regions} - gone | {*unions.units}))
    units = loaded.units if spec.data.units is None else units_of(spec, loaded.units, unions)
    if spec.data.units is None:
        units = Units(frozenset(regions))
    earlier = {} if loaded.unions is None else loaded.unions.members()
    whole = Unions.of({**earlier, **unions.members()})
    squared = np.bincount(whole.unit, weights=whole.share**2, minlength=len(whole.units))
    errors = dict(zip(whole.units, np.sqrt(squared).tolist(), strict=True))
    table = spec.data.outcomes
    if spec.data.crosswalk is not None:
        table = table.model_copy(update={"rounded_to": None})
    series = tuple(
        replace(
            read_series(old.outcome, long, table, regions, loaded.periods, [errors.get(unit, 1.0) for unit in regions]),
            without=old.without,
        )
        for old, long in zip(loaded.series, longs, strict=True)
    )
    place = dict(zip(loaded.regions, loaded.gemeente, strict=True))
    where = {unit: _one({place.get(part, "") for part in parts}) for unit, parts in unions.members().items()}
    gemeente = tuple(where.get(region, place.get(region, "")) for region in regions)
    redrawn = {region: why for region, why in loaded.redrawn.items() if region in regions}
    # Within a gemeente it makes no difference which of its wijken has which code.
    odd = {} if spec.unit is not None and spec.unit.level == "gemeente" else loaded.redrawn
    for unit, parts in unions.members().items():
        if said := [f"{part}: {odd[part]}" for part in parts if part in odd]:
            redrawn[unit] = "; ".join(said)
    loaded = replace(loaded, regions=regions, gemeente=gemeente, units=units, series=series)
    return replace(loaded, longs=longs, unions=whole, redrawn=redrawn)


def _one(names: set[str]) -> str:
    return names.pop() if len(names) == 1 else ""


def _only(spec: Specification, loaded: Loaded, mine: Sequence[str]) -> Loaded:
    """The tables without the rows of other regions."""
    keep = set(mine)
    place = {region: row for row, region in enumerate(loaded.regions)}
    at = np.array([place[region] for region in mine], dtype=np.intp)
    longs = tuple(picked(long, np.array([str(region) in keep for region in long.region])) for long in loaded.longs)
    table = spec.data.outcomes
    if spec.data.crosswalk is not None:
        table = table.model_copy(update={"rounded_to": None})
    series = tuple(
        read_series(old.outcome, long, table, mine, loaded.periods)
        for old, long in zip(loaded.series, longs, strict=True)
    )
    units = replace(loaded.units, known=loaded.units.known & keep)
    gemeente = tuple(loaded.gemeente[row] for row in at)
    other = len(loaded.regions) - len(mine)
    notes = (*loaded.notes, f"other-level||{other}|")
    return replace(loaded, regions=tuple(mine), gemeente=gemeente, units=units, series=series, longs=longs, notes=notes)


def _areas(spec: Specification, loaded: Loaded) -> dict[str, Mapping[str, float]]:
    """The members of every area of the study that the tables have."""
    there = set(loaded.regions)
    found: dict[str, Mapping[str, float]] = {}
    whole: dict[str, float] = {}
    twice: list[str] = []
    for area, _ in delineated(spec, loaded):
        members = {code: share for code, share in area.parts if code in there}
        if members:
            found[area.slug] = members
        for code, share in members.items():
            whole[code] = whole.get(code, 0.0) + share
            twice += [code] if whole[code] > 1 + 1e-9 else []
    if twice:
        message = f"in areas together for more than all of it: {listed(dict.fromkeys(twice))}."
        hint = "Give the share of a region that lies in each of them."
        raise DataError(Problem("DATA-151", message, hint, spec.data.outcomes.file, path="treatment.areas"))
    return found


def _parents(spec: Specification, loaded: Loaded, level: Level) -> dict[str, Mapping[str, float]]:
    """Every region under the gemeente or wijk that it lies in."""
    found: dict[str, dict[str, float]] = {}
    lost = []
    for region, gemeente in zip(loaded.regions, loaded.gemeente, strict=True):
        parent = gemeente or gemeente_or_blank(region) if level is Level.GEMEENTE else f"WK{region[2:8]}"
        if not parent:
            lost.append(region)
            continue
        found.setdefault(parent, {})[region] = 1.0
    message, hint = f"the gemeente of {listed(lost)} is not known.", "Complete its column in the units table."
    raise_all([Problem("DATA-150", message, hint, spec.data.outcomes.file)] if lost else [], DataError)
    return dict(found)
