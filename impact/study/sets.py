"""The change of an outcome regressed on treatment and every set of characteristics: a specification curve."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy import stats

from impact.errors import Refused
from impact.evidence.sets import CovariateSets, OneSet
from impact.longtable import few
from impact.numerics.subsets import subsets
from impact.streams import Streams
from impact.study.answers import Answers
from impact.study.before_after import base_weights
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.subsetting import columns_of_sets

__all__ = ["covariate_sets"]

_WHAT = "the estimate with every set of characteristics"
_FEWEST = 4  # treated clusters that an interval takes


def covariate_sets(spec: Specification, loaded: Loaded, found: Answers) -> CovariateSets | None:
    """The regressions; None where the study does not ask or there is no estimate.

    One row a unit: its change from the base of the estimate to the mean of the periods that it is about, with its
    weight in the estimate. Without characteristics the coefficient is the difference in change; with them it is one
    effect for all units, with slopes that areas and comparison share (in a panel: characteristics × after).
    """
    asked, result = spec.covariate_sets, found.result
    if asked is None or result is None:
        return None
    names, panel, cells = columns_of_sets(spec), result.panel, result.fit.cells
    blank = CovariateSets(names)

    def refused(why: str) -> CovariateSets:
        return CovariateSets(names, refused=Refused(_WHAT, why))

    counted = result.effects.weights[:, -1]
    groups = np.unique(cells.group[counted != 0])
    if len(np.unique(panel.groups[groups])) > 1:
        return refused("areas start in different periods, so there is no one change to regress")
    control = panel.control_weight(panel.treated) * panel.never
    weight = np.where(panel.treated, panel.weight, control)
    used = np.flatnonzero(weight > 0)
    after = np.bincount(cells.period, weights=counted, minlength=len(panel.periods))
    before = base_weights(spec, result, int(groups[0]))
    rests = (after != 0) | (before != 0)
    if not np.isfinite(panel.y[np.ix_(used, rests)]).all():
        return refused("not every unit with weight has a figure in all periods that the estimate rests on")
    change = np.nan_to_num(panel.y[used]) @ (after / after.sum() - before)
    units = [panel.units[unit] for unit in used]
    columns = np.column_stack([loaded.units.number(name, units) for name in names])
    lacking = [unit for unit, row in zip(units, columns, strict=True) if not np.isfinite(row).all()]
    if lacking:
        return refused(f"not all characteristics are known of {few(lacking)}")
    x = np.column_stack([panel.treated[used], np.ones(len(used)), columns - columns.mean(axis=0)]).astype(float)
    possible = 2 ** len(names)
    chosen = list(_sets(len(names), asked.at_most, Streams(spec.seed).at("covariate-sets")))
    cluster = np.unique(panel.cluster[used], return_inverse=True)[1]
    made = subsets(x, change[:, None], cluster, [(1, *(2 + one for one in each)) for each in chosen], weight[used])
    value, error = made.estimate[:, 0], made.std_error[:, 0]
    there = np.isfinite(value)
    if not there.any():
        return refused("no set leaves a comparison")
    own = found.primary.value
    if not panel.covariates and (own is None or not np.isclose(value[0], own, rtol=1e-6, atol=1e-9)):
        return refused("without characteristics this regression is another number than the estimate")
    treated = len(np.unique(cluster[panel.treated[used]]))
    reach = stats.t.ppf((1 + spec.inference.level) / 2, treated - 1) * error if treated >= _FEWEST else error * np.nan
    each = tuple(
        OneSet(float(value[row]), *(_ends(value[row], reach[row])))
        for row in sorted(np.flatnonzero(there), key=lambda row: (value[row], row))
    )
    numbers = value[there]
    whole = bool(np.isfinite(reach[there]).all())
    return CovariateSets(
        blank.columns,
        possible,
        len(each),
        int((~there).sum()),
        int((numbers > 0).sum()),
        int((numbers < 0).sum()),
        int((np.abs(numbers) > reach[there]).sum()) if whole else None,
        float(value[0]) if there[0] else None,
        float(numbers.min()),
        float(np.median(numbers)),
        float(numbers.max()),
        each,
    )


def _ends(value: float, reach: float) -> tuple[float, float] | tuple[None, None]:
    return (float(value - reach), float(value + reach)) if np.isfinite(reach) else (None, None)


def _sets(count: int, most: int, streams: Streams) -> Iterator[tuple[int, ...]]:
    """All sets, the empty one first; where there are more, the empty one, the whole, and others that are drawn."""
    if 2**count <= most:
        for size in range(count + 1):
            yield from combinations(range(count), size)
        return
    rng, seen = streams.generator(), {0, 2**count - 1}
    while len(seen) < most:
        seen.add(int("".join(map(str, rng.integers(0, 2, count).tolist())), 2))
    for number in sorted(seen):
        yield tuple(place for place in range(count) if number >> place & 1)
