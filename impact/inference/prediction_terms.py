"""What a prediction interval is about: the comparisons of a fit, and every term as a sum over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1
from impact.errors import Refused
from impact.inference.prediction_errors import Comparison
from impact.inference.protocol import Found

__all__ = ["Asked", "comparison", "term"]

_SAME = 1e-6  # of the spread of the outcomes: what may lie between a gap of the weights and the cell of the fit
_GAP = 1e-6  # relative duality gap up to which weights minimise the squares
_SUM = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A term as a sum of gaps.

    Attributes
    ----------
    shares : mapping of int to (T,) float
        By comparison, the weight of its gap in every period.
    """

    shares: dict[int, Float1]


def comparison(found: Found, row: int) -> Comparison | Refused:
    """The treated path in `row` of the fit's comparisons and its donors, or why its errors are not known."""
    fit, panel, piece = found.fit, found.panel, found.fit.compared[row]
    what = f"a prediction interval of {piece.name}"
    if fit.pieces is None or fit.pieces.time[row].any():
        return Refused(
            what, "it compares changes from a base, and the theory is for weights that compare levels", _INSTEAD
        )
    unit = fit.pieces.unit[row]
    weights = unit[piece.donors]
    if (weights < -_SUM).any() or abs(weights.sum() - 1) > _SUM or abs(unit.sum() - weights.sum()) > _SUM:
        return Refused(what, "its weights are negative or do not sum to one over the donors", _INSTEAD)
    known = Comparison(
        piece.share @ panel.y[piece.rows],
        np.ascontiguousarray(panel.y[piece.donors].T),
        np.maximum(weights, 0.0) / np.maximum(weights, 0.0).sum(),
        piece.before,
    )
    donors, residuals = known.donors[known.before], known.residuals[known.before]
    size = float(np.ptp(known.donors))
    if np.abs(residuals).max() <= _SAME * size:
        return Refused(
            what,
            "its weights fit every period before the start exactly, so nothing is known of their error",
            "Have fewer donors or more periods before the start, or use penalized weights with conformal.",
        )
    slope = -(residuals @ donors)
    scale = float(np.median(((donors - known.treated[known.before, None]) ** 2).sum(axis=0)))
    if 2 * float(slope @ known.weights - slope.min()) > _GAP * scale:
        return Refused(what, "its weights do not minimise the squares before the start, as the theory asks", _INSTEAD)
    return known


_INSTEAD = "Use synthetic-control, or conformal."


def term(found: Found, known: list[Comparison | Refused], column: int) -> Asked | Refused:
    """A term as a sum over the comparisons, or why it has no interval."""
    cells, compared = found.fit.cells, found.fit.compared
    name, weights = found.effects.terms[column], found.effects.weights[:, column]
    what = f"a prediction interval of {name}"
    about = np.flatnonzero(weights)
    if not cells.post[about].all():
        return Refused(what, "a period before the start is what the weights are learned from", "Ask for one after it.")
    mass = np.array([found.panel.weight[piece.rows].sum() for piece in compared])
    shares: dict[int, Float1] = {}
    total = 0.0
    for group in np.unique(cells.group[about]):
        inside = about[cells.group[about] == group]
        members = [row for row, piece in enumerate(compared) if piece.group == group]
        for row in members:
            one = known[row]
            if isinstance(one, Refused):
                return Refused(what, one.because if one.what == what else f"{one.what}: {one.because}", one.instead)
            share = np.zeros(len(one.treated))
            share[cells.period[inside]] = weights[inside] * mass[row] / mass[members].sum()
            shares[row] = share
            total += float(share @ one.residuals)
    # The sum must be the estimate, else the weights are not what made it.
    size = float(np.nanmax(found.panel.y) - np.nanmin(found.panel.y))
    if not shares or abs(total - found.effects.estimate[column]) > _SAME * size:
        return Refused(what, "the estimate is not the gap that its weights of donors leave", _INSTEAD)
    return Asked(shares)
