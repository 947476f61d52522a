"""What regressions with unit and period effects share: their cells, weights and covariates, and scores of weights."""

from __future__ import annotations

import numpy as np

from impact.arrays import Bool2, Float1, Float3, Int1
from impact.cells import Regression
from impact.errors import Refused
from impact.panel import Panel
from impact.scores import ScoreBlock

__all__ = ["kinds", "open_periods", "rescaling", "seen_cells", "sizes", "unseen", "varying", "weights"]


def weights(panel: Panel) -> Float1:
    """(N,) one regression weight a unit.

    Treated units have the target's weight, brought to the scale of the weights they have as controls: who counts among
    the treated is the target's choice, how much all of them count beside the controls is not. Controls have their own
    weight, or what matching gives them over all areas.
    """
    own = panel.weight
    if panel.serving is not None and panel.pairs is None and own[panel.treated].any():
        own = own * (panel.serving[panel.treated].sum() / own[panel.treated].sum())
    return np.asarray(np.where(panel.treated, own, panel.control_weight(panel.treated)))


def seen_cells(panel: Panel, weight: Float1, learn: Bool2 | None) -> Bool2:
    """(N, T) cells that a regression uses: observed, with weight, and not closed by `learn`, which closes no treated
    cell."""
    seen = np.isfinite(panel.y) & (weight > 0)[:, None]
    return seen if learn is None else seen & (learn | panel.treated_cells())


def open_periods(panel: Panel, learn: Bool2 | None, seen: Bool2) -> Bool2:
    """(groups, T) periods that a group may report or use as base: somebody is seen, and `learn` closes no member's
    cell."""
    out = np.zeros((len(panel.groups), len(panel.periods)), dtype=bool)
    for group in range(len(out)):
        members = (panel.group == group) & (panel.weight > 0)
        out[group] = seen[members].any(axis=0)
        if learn is not None:
            out[group] &= (learn | panel.treated_cells())[members].all(axis=0)
    return out


def kinds(panel: Panel, seen: Bool2) -> tuple[Int1, Int1]:
    """(N,) kind of every unit, and (R,) a unit of every kind: of one group, and seen in the same periods."""
    group = panel.group[:, None]
    rows = group if seen.all() else np.column_stack([group, np.packbits(seen, axis=1)])
    _, heads, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return kind.reshape(-1).astype(np.intp), heads.astype(np.intp)


def varying(panel: Panel, seen: Bool2, estimator: str) -> tuple[tuple[str, ...], Float3, tuple[str, ...]] | Refused:
    """Names and values (k, N, T) of the covariates that change over time, and a note on those that do not.

    Refused when one is missing where the outcome is used.
    """
    chosen = {name: values for name, values in panel.covariates.items() if values.shape[1] > 1}
    lacking = [name for name, values in chosen.items() if (seen & ~np.isfinite(values)).any()]
    if lacking:
        return Refused(
            f"an estimate by {estimator}",
            f"the covariates {', '.join(lacking)} have missing values where the outcome is observed",
            "Complete them or leave them out; nothing is filled in.",
        )
    fixed = [name for name in panel.covariates if name not in chosen]
    note = f"the covariates {', '.join(fixed)} do not change over time: the unit effects of {estimator} absorb them"
    values = np.array(list(chosen.values())).reshape(len(chosen), *panel.y.shape)
    return tuple(chosen), values, (note,) if fixed else ()


def rescaling(panel: Panel, pull: Float1) -> list[ScoreBlock]:
    """Scores that come from bringing the target's weights to scale: the scale moves when a unit leaves.

    `pull` (C,) is the sum of the scores of all treated units, which is what a larger scale does to the estimates.
    """
    if panel.serving is None or panel.pairs is not None:
        return []
    own = np.flatnonzero(panel.treated & (panel.weight > 0))
    share = panel.serving[own] / panel.serving[own].sum() - panel.weight[own] / panel.weight[own].sum()
    return [ScoreBlock(share[:, None], pull[None, :], panel.cluster[own])]


def sizes(weight: Float1, seen: Bool2, coefficients: int) -> Regression:
    """Sizes of a regression; a unit that is seen once says nothing and is not counted."""
    count = seen.sum(axis=1)
    used = (weight > 0) & (count > 1)
    return Regression(int(count[used].sum()), coefficients, int(used.sum()))


def unseen(panel: Panel) -> tuple[str, ...]:
    """A note on missing cells; nothing for a complete panel."""
    missing = int(np.isnan(panel.y).any(axis=1).sum())
    if not missing:
        return ()
    return (f"{missing} of {len(panel.units)} units miss the outcome in some period; their other periods count",)
