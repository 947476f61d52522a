"""What the units of a study are compared by: what the matching knows of them, and how alike both groups then are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.arrays import Float1, Float2
from impact.design.balance import differences
from impact.design.characteristics import read_characteristics
from impact.design.imputation import imputed
from impact.design.strata import classes
from impact.errors import Refused
from impact.evidence.record import BalanceRow
from impact.panel import Panel, Weighting
from impact.sources.regions import is_code, level_of
from impact.streams import Streams
from impact.study.comparing import Impute, Match
from impact.study.load import Loaded
from impact.study.match_rules import columns_of
from impact.study.matcher import Matcher, how, options
from impact.study.model import Specification
from impact.study.series import Series

__all__ = [
    "GEMEENTE_SIZES",
    "beyond",
    "columns_of_match",
    "counted",
    "in_target",
    "labels_of",
    "likeness",
    "matcher_of",
]

GEMEENTE_SIZES = (5_000, 10_000, 20_000, 50_000, 100_000, 150_000, 250_000)
"""Residents between the classes of gemeenten by size, as CBS has them."""


def columns_of_match(match: Match, spec: Specification) -> tuple[str, ...]:
    """Columns of the units table to match on; structure, size and selection stand for their groups."""
    return columns_of(match, {} if spec.data.units is None else spec.data.units.columns.groups)


def matcher_of(
    spec: Specification, loaded: Loaded, series: Series, panel: Panel, draw: int | None = None
) -> Matcher | Refused | None:
    """The matching of the study for the units of `panel`; None for a study that does not match.

    Where missing characteristics are drawn, on the mean of the draws, or on one `draw`.
    """
    match = spec.comparison.match
    if match is None:
        return None
    names = columns_of_match(match, spec)
    row = {name: number for number, name in enumerate(loaded.regions)}
    at = np.array([row[unit] for unit in panel.units], dtype=np.intp)
    columns = [loaded.units.number(name, panel.units) for name in names]
    columns += [series.raw[at, loaded.periods.index(period)] for period in match.outcomes_in]
    x = np.column_stack(columns) if columns else np.zeros((len(at), 0))
    names = (*names, *match.outcomes_in)
    filled = _completed(spec, match, x, names, panel, draw)
    if isinstance(filled, Refused):
        return filled
    x, marks = filled
    labels = [tuple(label[number] for number in at) for label in labels_of(spec, loaded).values()]
    return Matcher(
        panel.units,
        x,
        (*names, *marks),
        match.method,
        how(match),
        match.distance,
        match.caliper,
        tuple(labels),
        options(match, names),
        spec.target.every,
        "unmatched" in spec.checks,
    )


def _completed(
    spec: Specification, match: Match, x: Float2, names: Sequence[str], panel: Panel, draw: int | None
) -> tuple[Float2, tuple[str, ...]] | Refused:
    """`x` without gaps, as the study asks, and the names of columns that say where there were some."""
    gaps = np.isnan(x)
    if match.missing == "refuse" or not gaps.any():
        return x, ()
    if isinstance(match.missing, Impute):
        # Who is treated is known of all, and belongs to what the draws must keep.
        both = np.column_stack([x, panel.treated])
        streams = Streams(spec.seed).at("imputation")
        tables = imputed(both, (*names, "treated"), match.missing.impute, streams)
        if isinstance(tables, Refused):
            return tables
        found = tables.mean(axis=0) if draw is None else tables[draw]
        return np.where(gaps, found[:, :-1], x), ()
    import pandas as pd

    frame = pd.DataFrame(x, columns=list(names), index=list(panel.units))
    read = read_characteristics(frame, list(names), panel.treated, fill=True)
    return read if isinstance(read, Refused) else (read.x, read.names[len(names) :])


def labels_of(spec: Specification, loaded: Loaded) -> dict[str, tuple[str, ...]]:
    """What both must be equal in, by name and for every region; "" where it is not known."""
    match = spec.comparison.match
    if match is None:
        return {}
    found = {name: loaded.units.label(name, loaded.regions) for name in match.exact}
    if match.same is not None:
        found[match.same] = loaded.gemeente if match.same == "gemeente" else _sizes(spec, loaded)
    return found


def _sizes(spec: Specification, loaded: Loaded) -> tuple[str, ...]:
    """Class of the gemeente of every region, by the residents of all of its regions in the units table, each once.

    That table may hold gemeenten and buurten beside the wijken that are compared; and of a wijk that lies in an area
    for a part, that part is the area's.
    """
    residents = loaded.units.number(spec.data.units.columns.residents if spec.data.units else None, loaded.regions)
    names, place = np.unique(np.array(loaded.gemeente), return_inverse=True)
    there = loaded.series[0].there
    seen = np.ones(len(place), dtype=bool) if there is None else there
    level = ["" if not is_code(region) else str(level_of(region)) for region in loaded.regions]
    once = np.isin(level, ["", *np.unique(np.array(level)[seen])])
    made = {} if loaded.unions is None else loaded.unions.members()
    elsewhere: dict[str, float] = {}
    for parts in made.values():
        for part, share in parts.items():
            elsewhere[part] = elsewhere.get(part, 0.0) + share
    left = np.array([1.0 - elsewhere.get(region, 0.0) for region in loaded.regions])
    total = np.bincount(place[once], (residents * left)[once], minlength=len(names))
    label = [str(size) for size in classes(np.nan_to_num(total), GEMEENTE_SIZES)]
    known = np.isfinite(total) & (names != "")
    return tuple(label[number] if known[number] else "" for number in place)


# --- balance ----------------------------------------------------------------------------------------------------------


def counted(panel: Panel, every: Weighting) -> bool:
    """Whether it is known what every treated unit counts for."""
    residents = panel.residents
    return every != "resident" or (residents is not None and bool(np.isfinite(residents[panel.treated]).all()))


def in_target(panel: Panel, every: Weighting) -> Float1:
    """(N,) what treated units count for in the target, and controls in the comparison with them."""
    weighted = panel.weighted(every) if counted(panel, every) else panel
    return np.where(panel.treated, weighted.weight, weighted.control_weight(panel.treated))


def likeness(spec: Specification, loaded: Loaded, panel: Panel, matcher: Matcher | None) -> tuple[BalanceRow, ...]:
    """Characteristics of the treated units, of the pool and of the matched or weighted controls.

    Both groups count as they do in the estimate. A characteristic is compared among the units of which it is known.
    """
    groups = {} if spec.data.units is None else spec.data.units.columns.groups
    own = [name for group in groups.values() for name in group]
    own += [name for term in spec.covariates for name in term.numbers]
    known = {} if matcher is None else dict(zip(matcher.names, _of(matcher, panel).T, strict=True))
    weight = in_target(panel, spec.target.every)
    used = panel.treated | panel.never
    plain = np.where(panel.treated, weight, 1.0)
    rows = []
    for name in dict.fromkeys((*known, *own)):
        x = known[name] if name in known else loaded.units.number(name, panel.units)
        there = used & np.isfinite(x)
        inside = panel.treated[there]
        if not (plain[there][inside] > 0).any() or not (weight[there][~inside] > 0).any():
            continue
        pool, chosen = (differences(x[there][:, None], (name,), inside, w[there])[0].after for w in (plain, weight))
        assert pool is not None and chosen is not None
        # What varies in neither group has no yardstick: where it is the same in both, nothing differs.
        apart = pool.ks > 0
        rows.append(
            BalanceRow(
                name,
                pool.treated,
                pool.control,
                chosen.control,
                pool.smd if apart or pool.smd is not None else 0.0,
                chosen.smd if apart or chosen.smd is not None else 0.0,
                name in known,
                int((used & ~there).sum()),
            )
        )
    return tuple(rows)


def beyond(
    spec: Specification, loaded: Loaded, panel: Panel, matcher: Matcher | None, alone: Sequence[str]
) -> float | None:
    """Share of the treated units that lie, in any characteristic, beyond the range of the pool, or that are `alone`.

    The characteristics are those that are matched on, or without matching those of the groups of the units table; None
    where there are none.
    """
    groups = {} if spec.data.units is None else spec.data.units.columns.groups
    if matcher is not None:
        x = _of(matcher, panel)
    else:
        named = dict.fromkeys(name for group in groups.values() for name in group)
        x = np.array([loaded.units.number(name, panel.units) for name in named]).reshape(-1, len(panel.units)).T
    if not x.shape[1] and matcher is None:
        return None
    pool = x[panel.never & (panel.weight > 0)]
    low, high = np.nanmin(pool, axis=0, initial=np.inf), np.nanmax(pool, axis=0, initial=-np.inf)
    out = ((x < low) | (x > high)).any(axis=1) | np.isin(panel.units, list(alone))
    return float(out[panel.treated].mean())


def _of(matcher: Matcher, panel: Panel) -> Float2:
    """(N, p) what the matching knows of the units of `panel`."""
    row = {name: number for number, name in enumerate(matcher.units)}
    return np.asarray(matcher.x[[row[unit] for unit in panel.units]])
