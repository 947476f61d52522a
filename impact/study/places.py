"""What became of every unit of a study and how near it lies to a focus area, for the ledger and for the map."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from impact.design.exposure import Exposure
from impact.evidence.record import Excluded, MapPart, PlacedUnit
from impact.sources.outlines import outlines
from impact.study.areas import declared_regions
from impact.study.borders import exposed
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.parts import beside_share

__all__ = ["ROLES", "map_parts", "placed_units"]

ROLES = ("excluded", "pool", "compared", "aside", "focus")
"""In the order in which they are drawn."""


def placed_units(
    spec: Specification,
    loaded: Loaded,
    comparison: Comparison,
    used: Collection[str],
    excluded: Sequence[Excluded],
) -> tuple[PlacedUnit, ...]:
    """Every unit of the data, and the regions of focus areas without data; nothing without borders.

    `used` are the units with weight in the comparison, `excluded` those that are no comparison, with their reason.
    """
    if loaded.borders is None:
        return ()
    sources = declared_regions(spec, loaded)
    whole_gemeenten = spec.unit is not None and spec.unit.level == "gemeente"
    made = {} if comparison.unions is None or whole_gemeenten else comparison.unions.members()

    def apart(units: Collection[str]) -> set[str]:
        """The regions that units are made of: those have borders."""
        return {part for unit in units for part in made.get(unit, (unit,))}

    everywhere = apart(loaded.regions)
    drawn = set(loaded.borders.polygons.regions)
    # Of a focus area without a border nobody knows who lies near it.
    whole = all(region in drawn for region in sources if region in everywhere)
    found = exposed(loaded.borders, sources) if whole else None
    panel, why = comparison.panel, {row.unit: row.reason for row in excluded}
    treated = apart([unit for unit, one in zip(panel.units, panel.treated.tolist(), strict=True) if one])
    donors, used = apart(comparison.pool.donors), apart(used)
    shares = {}
    if loaded.parts is not None:
        shares = beside_share(loaded.parts, loaded.borders.polygons, sources, loaded.borders.touching.tolerance)
    at = {} if found is None else {unit: row for row, unit in enumerate(found.units)}

    def role(unit: str) -> str:
        if unit in treated:
            return "focus"
        if unit in sources:
            return "aside"
        return "compared" if unit in used else "pool" if unit in donors else "excluded"

    everyone = sorted({*everywhere, *(region for region in sources if region in at)})
    return tuple(
        replace(_placed(unit, role(unit), why.get(unit, ""), found, at.get(unit)), residents=shares.get(unit))
        for unit in everyone
    )


def _placed(unit: str, role: str, reason: str, found: Exposure | None, row: int | None) -> PlacedUnit:
    if found is None or row is None:
        return PlacedUnit(unit, role, reason, None, None, "", None)
    ring = int(found.ring[row])
    km, border = float(found.kilometres[row]), float(found.border[row])
    return PlacedUnit(unit, role, reason, None if ring < 0 else ring, km, found.nearest[row], border)


def map_parts(loaded: Loaded, units: Sequence[PlacedUnit]) -> tuple[MapPart, ...]:
    """The units that have a border, by role."""
    if loaded.borders is None:
        return ()
    drawn = set(loaded.borders.polygons.regions)
    groups = {role: [one.unit for one in units if one.role == role and one.unit in drawn] for role in ROLES}
    return tuple(
        MapPart(role, len(groups[role]), rings) for role, rings in outlines(loaded.borders.polygons, groups).items()
    )
