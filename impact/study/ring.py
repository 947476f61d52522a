"""Was a problem moved? The effect on the areas, on the units around them that were left out for that, and on both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from impact.arrays import Bool1, Int1
from impact.checks.spillover import Displaced, spillover
from impact.errors import Refused
from impact.evidence.robust import Moved, Ring
from impact.inference.protocol import Uncertainty
from impact.parallel import Parallel
from impact.streams import Streams
from impact.study.answers import Answers, estimator_of, inference_of, target
from impact.study.borders import exposed
from impact.study.candidates import candidate_rules
from impact.study.leave_out import LeaveOut
from impact.study.likeness import matcher_of
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.panels import Comparison, with_units
from impact.study.series import Series

__all__ = ["around"]

_WHAT = "the spillover to the units around the areas"
_TREATED = ("focus-area", "co-treated", "listed")
"""Rules that say of a unit that something else happened in it, so that it shows no spillover."""


def around(
    spec: Specification, loaded: Loaded, series: Series, comparison: Comparison, found: Answers, parallel: Parallel
) -> Ring | None:
    """The three effects; None for a study that leaves out nobody for being near, or has no estimate.

    The ring are the units that the rules ``adjacent`` and ``near`` leave out by the borders of `data.polygons`, as far
    as they lie near an area in the estimate, have what an estimate needs and had no programme of their own. Each
    belongs to the area of the treated unit that is nearest.
    """
    rules = [rule for rule in spec.comparison.leave_out if rule.rule in ("adjacent", "near")]
    if not rules or found.result is None:
        return None
    if loaded.borders is None or not any(_by_borders(rule) for rule in rules):
        why = "its units are named and not found by their borders, so it is not known at which area each lies"
        return Ring(refused=Refused(_WHAT, why, "Give `data.polygons`, and let the rule find the neighbours."))
    if loaded.unions is not None or comparison.built is not None:
        return Ring(refused=Refused(_WHAT, "the units of the study are added up from smaller ones"))
    near = _near(spec, loaded, comparison)
    panel = with_units(spec, loaded, series, comparison, np.array([region in near for region in loaded.regions]))
    at = np.array([panel.areas.index(near[unit]) if unit in near else -1 for unit in panel.units], dtype=np.intp)
    matcher = matcher_of(spec, loaded, series, panel)
    if isinstance(matcher, Refused):
        return Ring(refused=matcher)
    made = spillover(
        estimator_of(spec, comparison),
        inference_of(spec.inference, spec.inference.level, replace(comparison, matcher=matcher)),
        panel,
        target(spec, comparison, spec.target.every),
        at,
        streams=Streams(spec.seed).at("ring"),
        parallel=parallel,
        rematch=matcher,
    )
    if isinstance(made, Refused):
        return Ring(refused=made)
    net = made.net
    if matcher is not None and matcher.shared and matcher.every != "resident":
        why = f"the weights of the comparison stand for the treated as every {matcher.every} counts once"
        net = Refused("the net of area and ring", why, "Declare a study with `target: {every: resident}`.")
    inside, around_ = made.residents
    return Ring(
        made.units,
        _moved(made.area),
        _moved(made.ring),
        _moved(net),
        float(inside) if np.isfinite(inside) else None,
        float(around_) if np.isfinite(around_) else None,
    )


def _by_borders(rule: LeaveOut) -> bool:
    return rule.drawn or rule.rule == "near"


def _near(spec: Specification, loaded: Loaded, comparison: Comparison) -> dict[str, str]:
    """The units of the ring, with the area that each lies at."""
    assert loaded.borders is not None
    inside = {unit: area.slug for area in comparison.areas if not area.left_out for unit in area.units}
    declared = {unit for area in comparison.areas for unit in (*area.units, *area.partial)}
    anywhere = np.array([region in declared for region in loaded.regions], dtype=bool)
    found = exposed(loaded.borders, inside)
    if found is None:
        return {}
    row = {unit: number for number, unit in enumerate(found.units)}
    every = candidate_rules(spec, loaded, comparison.areas, anywhere)
    made = list(zip(spec.comparison.leave_out, every[len(every) - len(spec.comparison.leave_out) :], strict=True))
    apart = np.logical_or.reduce([anywhere, *(applied.applies for rule, applied in made if rule.rule in _TREATED)])
    ring: dict[str, str] = {}
    for rule, applied in made:
        if rule.rule not in ("adjacent", "near") or not _by_borders(rule):
            continue
        for region in _names(loaded, applied.applies & ~apart):
            at = row.get(region)
            if at is not None and _reached(rule, int(found.ring[at]), float(found.kilometres[at])):
                ring[region] = inside[found.nearest[at]]
    return ring


def _names(loaded: Loaded, which: Bool1) -> list[str]:
    rows: Int1 = np.flatnonzero(which)
    return [loaded.regions[row] for row in rows]


def _reached(rule: LeaveOut, ring: int, km: float) -> bool:
    """Whether an area in the estimate is near, and not only one that is left out of it."""
    return 1 <= ring <= (rule.rings or 1) if rule.rule == "adjacent" else km <= (rule.km or 0.0)


def _moved(found: Displaced | Refused) -> Moved:
    if isinstance(found, Refused):
        return Moved(None, refused=found)
    value, given = float(found.found.effects.estimate[-1]), found.uncertainty
    if not isinstance(given, Uncertainty):
        return Moved(value, refused=given)
    low, high, p_value = (float(x[-1]) for x in (given.low, given.high, given.p_value))
    whole = bool(np.isfinite([low, high]).all())
    return Moved(
        value,
        low if whole else None,
        high if whole else None,
        p_value if np.isfinite(p_value) else None,
        given.refused[-1],
    )
