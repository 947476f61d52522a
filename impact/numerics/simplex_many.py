"""Many programs on one set of donors, solved together: placebos, cross-validation, conformal inference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool1, Float1, Float2, Int1, require
from impact.numerics.simplex_methods import GAP
from impact.numerics.simplex_run import Answers, Batch, run
from impact.numerics.simplex_tiles import Donors
from impact.numerics.sums import threads

__all__ = ["Simplexes", "solve_many"]

_CHUNKS: Final = 8  # per thread
_LEAST: Final = 16  # programs in a chunk


@dataclass(frozen=True, slots=True, eq=False)
class Simplexes:
    """Weights of S programs on the simplex, with the certificate of each; all arrays read-only.

    Attributes
    ----------
    donor : (S, K) int
        Rows of the donors that carry weight, ascending; -1 where a program has fewer than K.
    weight : (S, K) float
        Their weights, positive and summing to one; 0 where `donor` is -1.
    objective, gap : (S,) float
        As in ``impact.numerics.simplex.Simplex``.
    iterations : (S,) int
        Linear systems solved.
    optimal : (S,) bool
        Whether ``gap <= GAP``.
    """

    donor: Int1
    weight: Float2
    objective: Float1
    gap: Float1
    iterations: Int1
    optimal: Bool1

    def combine(self, values: Float2) -> Float2:
        """The weighted donors, (S, T), of what the donors have, `values` (J, T).

        Donors without weight add nothing, whatever they have.
        """
        out = np.zeros((len(self.donor), values.shape[1]))
        for column in range(self.donor.shape[1]):
            rows = np.flatnonzero(self.donor[:, column] >= 0)
            out[rows] += self.weight[rows, column, None] * values[self.donor[rows, column]]
        return out

    def dense(self, donors: int) -> Float2:
        """(S, J) weights of all `donors`."""
        out = np.zeros((len(self.donor), donors))
        row, column = np.nonzero(self.donor >= 0)
        out[row, self.donor[row, column]] = self.weight[row, column]
        return out


def solve_many(
    donors: ArrayLike,
    targets: ArrayLike,
    *,
    without: ArrayLike | None = None,
    linear: ArrayLike | None = None,
    ridge: float | ArrayLike = 0.0,
    start: ArrayLike | None = None,
) -> Simplexes:
    """Minimise ‖Σ_j w_j donor_j − target_s‖² + ridge ‖w‖² + 2 linear_s'w over the simplex, for every target s.

    The same program as ``impact.numerics.simplex.solve``, with the same answer: certified, of least norm where several
    weights fit equally well, whatever the other targets are and however many threads there are.

    Parameters
    ----------
    donors : (J, T0) array
        One row per donor; not copied if C-contiguous.
    targets : (S, T0) array
        What the weighted donors should reproduce, one row per program.
    without : (S, n) array of int, optional
        Rows of `donors` that may not serve in a program (a placebo unit is no donor of its own); -1 stands for none.
    linear : (S, J) array, optional
        Price per donor in each program.
    ridge : float or (S,) array
        Weight of ‖w‖², in squared units of the data.
    start : (J,) or (S, J) array, optional
        Weights to begin from; they change the time, not the answer.

    Raises
    ------
    ValueError
        As ``solve``; if `without` names a row that does not exist, or leaves a program without donors.
    """
    rows, wanted = np.ascontiguousarray(donors, dtype=np.float64), np.ascontiguousarray(targets, dtype=np.float64)
    require("donors", rows, (None, None))
    count, periods = rows.shape
    require("targets", wanted, (None, periods))
    number = len(wanted)
    price = np.zeros((0, 0)) if linear is None else np.ascontiguousarray(linear, dtype=np.float64)
    if linear is not None:
        require("linear", price, (number, count))
    if not count:
        raise ValueError("donors has no row, so there is no donor to weight")
    if not periods:
        raise ValueError("donors has no column, so there is nothing to fit")
    bend = np.array(np.broadcast_to(np.asarray(ridge, dtype=np.float64), (number,)))
    if not (np.isfinite(bend).all() and (bend >= 0).all()):
        raise ValueError(f"ridge is {ridge!r}, expected finite numbers of at least 0")
    if not (np.isfinite(rows).all() and np.isfinite(wanted).all() and np.isfinite(price).all()):
        raise ValueError("donors, targets and linear must be finite")
    batch = Batch(wanted, _without(without, number, count), price, _start(start, number, count), bend)
    return _packed(_answers(Donors.of(rows, np.median(rows, axis=0)), batch))


def _without(without: ArrayLike | None, number: int, count: int) -> Int1:
    if without is None:
        return np.empty((number, 0), dtype=np.intp)
    out = np.asarray(without)
    require("without", out, (number, None))
    if out.dtype.kind not in "iu":
        raise ValueError(f"without holds {out.dtype}, expected rows of donors")
    if out.size and not -1 <= out.min() <= out.max() < count:
        raise ValueError(f"without names rows from {out.min()} to {out.max()}, expected -1 to {count - 1}")
    if out.shape[1] >= count and any(len(set(row[row >= 0].tolist())) == count for row in out):
        raise ValueError("without leaves a program no donor")
    return np.ascontiguousarray(out, dtype=np.intp)


def _start(start: ArrayLike | None, number: int, count: int) -> Float2:
    if start is None:
        return np.zeros((0, 0))
    first = np.atleast_2d(np.ascontiguousarray(start, dtype=np.float64))
    if first.shape not in ((1, count), (number, count)):
        raise ValueError(f"start has shape {np.shape(start)}, expected {(count,)} or {(number, count)}")
    if not (np.isfinite(first).all() and first.min() >= 0 and (first.sum(axis=1) > 0).all()):
        raise ValueError("start must be non-negative weights with a positive sum")
    return first


def _answers(donors: Donors, batch: Batch) -> list[Answers]:
    """In chunks of programs over as many threads as BLAS may use; the kernels run without the interpreter's lock."""
    number, pool_size = len(batch.targets), threads()
    size = max(_LEAST, -(-number // (_CHUNKS * pool_size)))
    chunks = [batch.take(np.arange(low, min(number, low + size))) for low in range(0, number, size)]
    if pool_size == 1 or len(chunks) < 2:
        return [run(donors, chunk) for chunk in chunks]
    with ThreadPoolExecutor(pool_size) as pool:
        return list(pool.map(lambda chunk: run(donors, chunk), chunks))


def _packed(parts: list[Answers]) -> Simplexes:
    number = sum(len(part.donor) for part in parts)
    size = max((part.most for part in parts), default=0)
    donor: Int1 = np.full((number, size), -1, dtype=np.intp)
    weight: Float2 = np.zeros((number, size))
    first = 0
    for part in parts:
        rows, room = slice(first, first + len(part.donor)), part.donor.shape[1]
        donor[rows, :room], weight[rows, :room] = part.donor, part.weight
        for row, (who, share) in part.many.items():
            donor[first + row], weight[first + row] = -1, 0.0
            donor[first + row, : len(who)], weight[first + row, : len(who)] = who, share
        first = rows.stop
    order = np.argsort(donor.view(np.uintp), axis=1)  # in which -1 comes last
    order = order[:, : np.count_nonzero(donor >= 0, axis=1).max(initial=0)]
    donor, weight = np.take_along_axis(donor, order, axis=1), np.take_along_axis(weight, order, axis=1)
    found = np.concatenate([part.found for part in parts]) if parts else np.empty((0, 2))
    count = np.concatenate([part.count[:, 0] for part in parts]) if parts else np.empty(0, dtype=np.intp)
    arrays = donor, weight, found[:, 0].copy(), found[:, 1].copy(), count, found[:, 1] <= GAP
    for array in arrays:
        array.setflags(write=False)
    return Simplexes(*arrays)
