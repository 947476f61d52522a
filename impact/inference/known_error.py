"""The part of an estimate's error that is known beforehand: that of the figures, from samples or rounding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.cells import Cells, Fit
from impact.errors import Refused
from impact.estimators.drdid import Cellwise, Pull
from impact.estimators.protocol import Estimator
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.scores import Projection
from impact.targets import Target

__all__ = ["KnownError", "known_error"]

# A sum of weighted figures that is further from the estimate, relative to what is summed, is another number.
_CLOSE = 1e-8
_CELLS = 2**22  # weights in memory at a time (32 MB)


@dataclass(frozen=True, slots=True, eq=False)
class KnownError:
    """What the known errors of the figures add to the error of the terms.

    Attributes
    ----------
    std_error : (m,) float
        Root of ``Σ a_it² se_it²``, in units of the outcome.
    given_weights : bool
        Whether weights that the estimator learned from the figures are taken as given.
    """

    std_error: Float1
    given_weights: bool

    def share(self, std_error: Float1) -> Float1:
        """(m,) share of the variance ``std_error²`` that was estimated; above 1 where that happens to be less."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((self.std_error / std_error) ** 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Units at `rows` (n,) have the weights ``factor[n] * right`` (T, C) on their figures, by cell."""

    rows: Int1
    factor: Float1
    right: Float2


def known_error(estimator: Estimator, panel: Panel, target: Target, found: Found) -> KnownError | Refused | None:
    """The known error of every term, or why it is not known; None for a panel without known errors.

    ``Panel.se`` is the sampling error of a figure, or what rounding adds (to multiples of r, a variance of r²/12). An
    estimate that is linear in the figures, ``θ = Σ a_it y_it``, inherits ``Σ a_it² se_it²`` of it when the errors of
    different figures are independent. (The errors of people who are asked again go up and down together, and a change
    has less of them.) It is a part of the variance that clusters show, and never added to it: the part that larger
    samples would take away and more areas of the same kind would not.

    The weights are exact, and must give the estimate back. They are the slopes of a unit's scores in its own outcomes;
    where an estimator instead reports its weights on units and periods, as synthetic controls do, these are taken as
    given, although the figures they were learned from have the same errors.

    Parameters
    ----------
    estimator : Estimator
        That gave `found`.
    panel : Panel
        The unprepared one.
    target : Target
        Of `found`.
    found : Found
        The estimate.

    References
    ----------
    Fay & Herriot (1979), Journal of the American Statistical Association 74(366): a known sampling variance beside an
    unknown one between areas.
    """
    se = getattr(panel, "se", None)  # of figures; what single people say has none
    if se is None:
        return None
    what = "the known part of the error"
    for given, pieces in _candidates(estimator, panel, target, found):
        variance = np.zeros(len(found.effects.terms))
        unknown = 0
        for columns, weight in _weights(pieces, found):
            if not _reproduces(found, columns, weight):
                break
            blind = (weight != 0).any(axis=2) & ~np.isfinite(se)
            unknown = max(unknown, int(blind.sum()))
            variance[columns] = np.einsum("ntm,nt->m", weight**2, np.nan_to_num(se) ** 2)
        else:
            if not unknown:
                return KnownError(np.sqrt(variance), given)
            return Refused(
                what,
                f"of {unknown} figures that weigh in it the error is not given",
                "Give an error with every figure, or leave these figures out.",
            )
    return Refused(
        what,
        f"{estimator.name} does not say how much every figure weighs in it",
        "Estimate beside it with did, group-time or imputation.",
    )


def _candidates(
    estimator: Estimator, panel: Panel, target: Target, found: Found
) -> Iterator[tuple[bool, list[_Piece]]]:
    """Ways to write the estimate as a sum of figures, and whether weights are taken as given in it."""
    each = replace(panel, cluster=np.arange(len(panel.units)), clusters=panel.units)
    alone = evaluate(estimator, each, target) if panel.clustered else found
    if isinstance(alone, Found) and alone.fit.cells.scores is not None:
        yield False, _from_scores(alone.fit.cells)
    if found.fit.weights is not None:
        yield True, _from_weights(found.fit, found.panel)


def _from_scores(cells: Cells) -> list[_Piece]:
    """Of scores that are computed from outcomes, by unit: the slope in a unit's own ones."""
    count = len(cells.effect)
    pieces = []
    for block in () if cells.scores is None else cells.scores.blocks:
        if isinstance(block, Projection):
            for stratum, right in enumerate(block.right):
                rows = np.flatnonzero(block.place == stratum)
                pieces.append(_Piece(rows, block.weight[rows], right))
        elif isinstance(block, Pull):
            right = np.zeros((block.arm.y.shape[1], count))
            right[:, block.columns] = block.cells.change.T
            pieces.append(_Piece(block.arm.rows, _slope(block), right))
    return pieces


def _slope(pull: Pull) -> Float1:
    """(n,) what a change of 1 adds to the score of a unit: its score when all else is 0."""
    length, covariates = pull.arm.y.shape[1], pull.arm.x.shape[1]
    first = np.eye(1, length)
    zero = np.zeros(1)
    cell = Cellwise(zero, first, np.zeros((covariates, 1)), zero, zero, None)
    arm = replace(pull.arm, y=np.repeat(first, len(pull.arm.rows), axis=0))
    return replace(pull, cells=cell, arm=arm, columns=np.zeros(1, dtype=np.intp)).of(np.ones((1, 1)))[:, 0]


def _from_weights(fit: Fit, panel: Panel) -> list[_Piece]:
    """Of weights on units and periods: the treated less their controls, a period less its base."""
    held, cells, names = fit.weights, fit.cells, panel.group_names
    pieces = []
    for group in np.unique(cells.group):
        if held is None or names[group] not in held.groups:
            continue
        own = np.flatnonzero(cells.group == group)
        unit, time = held.of(names[group], panel.units)
        members = np.where(panel.group == group, panel.weight, 0.0)
        right = np.zeros((len(panel.periods), len(cells.effect)))
        right[:, own] = np.eye(len(panel.periods))[:, cells.period[own]] - time[:, None]
        pieces.append(_Piece(np.arange(len(panel.units)), members / members.sum() - unit, right))
    return pieces


def _weights(pieces: list[_Piece], found: Found) -> Iterator[tuple[slice, Float3]]:
    """(N, T, m) weights of the figures, for some of the terms at a time."""
    terms = found.effects.weights
    shape = found.panel.y.shape
    step = max(1, _CELLS // found.panel.y.size)
    for start in range(0, terms.shape[1], step):
        columns = slice(start, start + step)
        out = np.zeros((*shape, terms[:, columns].shape[1]))
        for piece in pieces:
            out[piece.rows] += piece.factor[:, None, None] * (piece.right @ terms[:, columns])[None]
        yield columns, out


def _reproduces(found: Found, columns: slice, weight: Float3) -> bool:
    y = found.panel.y
    # Where weights sum to 0, as nearly always, a level that all share changes nothing but the digits.
    level = float(np.nanmean(y))
    y = np.nan_to_num(y - level)
    left, whole = weight.sum(axis=(0, 1)), np.abs(weight).sum(axis=(0, 1))
    shared = level * np.where(np.abs(left) > _CLOSE * whole, left, 0.0)
    total = np.einsum("ntm,nt->m", weight, y) + shared
    size = np.einsum("ntm,nt->m", np.abs(weight), np.abs(y)) + np.abs(shared)
    return bool((np.abs(total - found.effects.estimate[columns]) <= _CLOSE * size).all())
