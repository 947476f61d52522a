"""Rules of a donor pool by borders: who lies beside what is treated, near it, or far from it; from polygons.

Sources are all regions in which something happens, also those of which only a part takes part or the figures are
unknown: what lies beside them is as exposed. They leave a pool for reasons of their own, so these rules leave them be.
A unit without a polygon lies anywhere: it leaves, and its detail is ``?``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from impact.arrays import Bool1, canonical
from impact.design.donors import Rule
from impact.design.exposure import Exposure, rings
from impact.design.geometry import Adjacency
from impact.errors import Refused
from impact.longtable import few

__all__ = ["beside", "beyond", "within"]

_UNKNOWN = "?"


def beside(
    units: Sequence[str], adjacency: Adjacency, sources: Mapping[str, str], steps: int, why: str
) -> Rule | Refused:
    """Units that border on a source, or are reached from one in at most `steps` steps over neighbours.

    Parameters
    ----------
    units : (N,) str
        Names of all units.
    adjacency : Adjacency
        Of regions that hold the units; chains of neighbours run through the others too.
    sources : mapping of region to area
        Where it happens, and the area that the region belongs to.
    steps : int
        1 for neighbours, 2 for their neighbours too, and so on.
    why : str
        The reason in the words of the study.

    Returns
    -------
    Rule or Refused
        The detail names the area and its regions; a refusal where a unit that is a source has no polygon.
    """
    if steps < 1:
        raise ValueError(f"steps are 1 or more, not {steps}")
    refused = _unplaced("the rule adjacent", units, adjacency.regions, sources)
    if refused is not None:
        return refused
    neighbours = adjacency.neighbours()
    there = [source for source in sources if source in neighbours]
    ring = dict(zip(adjacency.regions, rings(adjacency.regions, neighbours, there).tolist(), strict=True))

    def detail(unit: str) -> str:
        step = ring.get(unit)
        if unit in sources or (step is not None and not 1 <= step <= steps):
            return ""
        if step is None:
            return _UNKNOWN
        if step > 1:
            return f"ring {step}"
        touched: dict[str, list[str]] = {}
        for other in neighbours[unit]:
            if other in sources:
                touched.setdefault(sources[other], []).append(other)
        return "; ".join(f"{area}: {', '.join(found)}" for area, found in sorted(touched.items()))

    return _rule("adjacent", why, [detail(unit) for unit in units])


def within(units: Sequence[str], exposure: Exposure, sources: Mapping[str, str], km: float, why: str) -> Rule | Refused:
    """Units that lie within `km` of a source; at this distance itself a unit leaves too.

    Parameters
    ----------
    units : (N,) str
        Names of all units.
    exposure : Exposure
        Of regions that hold the units, to all sources that have a polygon.
    sources : mapping of region to area
        Where it happens, and the area that the region belongs to.
    km : float
        Above 0.
    why : str
        The reason in the words of the study.

    Returns
    -------
    Rule or Refused
        As `beside` gives it; the detail says which source is the nearest, and how far that is.
    """
    return _by_distance("near", units, exposure, sources, km, why)


def beyond(units: Sequence[str], exposure: Exposure, sources: Mapping[str, str], km: float, why: str) -> Rule | Refused:
    """Units that lie further than `km` from every source; as `within` otherwise."""
    return _by_distance("far", units, exposure, sources, km, why)


def _by_distance(
    code: str, units: Sequence[str], exposure: Exposure, sources: Mapping[str, str], km: float, why: str
) -> Rule | Refused:
    if not (np.isfinite(km) and km > 0):
        raise ValueError(f"km must be a distance above 0, not {km}")
    refused = _unplaced(f"the rule {code}", units, exposure.units, sources)
    if refused is not None:
        return refused
    place = {unit: row for row, unit in enumerate(exposure.units)}
    leaves: Bool1 = exposure.kilometres <= km if code == "near" else exposure.kilometres > km

    def detail(unit: str) -> str:
        if unit in sources:
            return ""
        row = place.get(unit)
        if row is None:
            return _UNKNOWN
        nearest = exposure.nearest[row]
        return f"{sources[nearest]}: {nearest}, {apart(float(exposure.kilometres[row]))} km" if leaves[row] else ""

    return _rule(code, why, [detail(unit) for unit in units])


def apart(km: float) -> str:
    """A distance as it is written; what is more than nothing is never written as 0."""
    return canonical(round(km, 2) if km >= 0.01 else km, 6 if km >= 0.01 else 1).removesuffix(".0")


def _rule(code: str, why: str, detail: Sequence[str]) -> Rule:
    return Rule(code, why, np.array([bool(text) for text in detail], dtype=bool), tuple(detail))


def _unplaced(what: str, units: Sequence[str], regions: Sequence[str], sources: Mapping[str, str]) -> Refused | None:
    """A treated unit without a polygon: nothing then says who lies beside it."""
    drawn = set(regions)
    lost = [unit for unit in units if unit in sources and unit not in drawn]
    if not lost and drawn & set(sources):
        return None
    because = f"the borders of {few(lost)} are unknown" if lost else "no treated unit has a polygon"
    return Refused(what, because, "Give the polygons of all treated units, in the division of the outcomes.")
