"""The way of a program to its certified weights, for a batch of programs on the same donors in one thread.

The corral first; where donors outside of it could carry weight at no cost, the weights of least norm from the dual;
with a ridge the dual from the start. What these do not certify goes to the plain methods and the general solver, one by
one. No program sees another one, so the batch changes no digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.numerics import simplex_methods as methods
from impact.numerics.simplex_corral import corral
from impact.numerics.simplex_dual import certify, newton
from impact.numerics.simplex_methods import GAP, TIE
from impact.numerics.simplex_tiles import GROUPS, Donors, measure

__all__ = ["Answers", "Batch", "run"]

_NEGLIGIBLE: Final = 1e-6  # relative ridge below which the solution is sought from the corral, not from the dual
_ROOM: Final = 2**16  # numbers in a matrix of programs by donors
_MISFIT: Final = 1e-13  # relative change of the fit that weights of least norm may bring
_FALLING: Final = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # relative ridges on the way down, each start near its solution


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """S programs on the same donors; arrays as ``impact.numerics.simplex_corral.corral`` takes them."""

    targets: Float2
    without: Int1
    linear: Float2
    first: Float2
    ridge: Float1

    def take(self, rows: Int1) -> Batch:
        linear = self.linear[rows] if self.linear.size else self.linear
        first = self.first[rows] if len(self.first) > 1 else self.first
        return Batch(self.targets[rows], self.without[rows], linear, first, self.ridge[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What is known of S programs; see ``impact.numerics.simplex_many.Simplexes``.

    Weights are a row of `donor` and `weight`, (S, K), or of `many` where more than K donors share them.
    """

    donor: Int1
    weight: Float2
    found: Float2  # objective and gap
    count: Int1  # systems solved, and what `corral` says of donors outside
    many: dict[int, tuple[Int1, Float1]] = field(default_factory=dict)

    @classmethod
    def empty(cls, programs: int, room: int) -> Answers:
        return cls(
            np.empty((programs, room), dtype=np.intp),
            np.empty((programs, room)),
            np.empty((programs, 2)),
            np.zeros((programs, 2), dtype=np.intp),
        )

    @property
    def most(self) -> int:
        """Donors that share the weight of one program, at most."""
        return max(int(self.donor.shape[1]), max((len(donor) for donor, _ in self.many.values()), default=0))

    def support(self, row: int) -> tuple[Int1, Float1]:
        if row in self.many:
            return self.many[row]
        held = np.count_nonzero(self.donor[row] >= 0)
        return self.donor[row, :held], self.weight[row, :held]

    def weights(self, rows: Int1, donors: int) -> Float2:
        out = np.zeros((len(rows), donors))
        for at, row in enumerate(rows):
            donor, weight = self.support(int(row))
            out[at, donor] = weight
        return out

    def put(self, row: int, w: Float1, objective: float, gap: float) -> None:
        donor = np.flatnonzero(w)
        self.many[row] = donor, w[donor]
        self.found[row] = objective, gap


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A batch, what was measured of it, and what is known so far."""

    donors: Donors
    batch: Batch
    scale: Float2
    nearest: Int1
    answers: Answers

    @property
    def few(self) -> int:
        """So many donors are enough for any fit (Carathéodory)."""
        return int(self.donors.rows.shape[1]) + 1

    def parts(self, rows: Int1) -> Iterator[_Part]:
        """`rows` in parts, of which a matrix of weights is not too large."""
        size = max(1, _ROOM // len(self.donors.rows))
        for start in range(0, len(rows), size):
            yield _Part.of(self, rows[start : start + size])


@dataclass(frozen=True, slots=True, eq=False)
class _Certificate:
    fit: Float2
    price: Float2
    level: Float1
    objective: Float1
    gap: Float1


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some programs with a row of J numbers for each."""

    donors: Donors
    rows: Int1  # of the batch
    scale: Float1
    unit: Float1  # the root of the scale, as a power of two
    target: Float2  # less the centre
    linear: Float2  # less the lowest, or (0, 0)
    cheapest: Float1
    out: Bool2  # who may not serve

    @classmethod
    def of(cls, work: _Work, rows: Int1) -> _Part:
        batch = work.batch.take(rows)
        scale, cheapest = work.scale[rows].T
        out = np.zeros((len(rows), len(work.donors.rows)), dtype=bool)
        row, column = np.nonzero(batch.without >= 0)
        out[row, batch.without[row, column]] = True
        linear = batch.linear - cheapest[:, None] if batch.linear.size else batch.linear
        unit = 2.0 ** np.round(0.5 * np.log2(scale))
        return cls(work.donors, rows, scale, unit, batch.targets - work.donors.centre, linear, cheapest, out)

    def certify(self, w: Float2, ridge: Float1) -> _Certificate:
        fit, price, found = np.empty(self.target.shape), np.empty(w.shape), np.empty((len(w), 2))
        certify(self.donors.tiles, self.target, self.linear, ridge, w, fit=fit, price=price, found=found)
        price[self.out] = np.inf
        gap = np.maximum(0.0, 2 * (found[:, 1] - price.min(axis=1)) / self.scale)
        gap[~(np.abs(w.sum(axis=1) - 1.0) <= methods.WHOLE)] = np.inf
        return _Certificate(fit, price, found[:, 1], found[:, 0] + 2 * self.cheapest, gap)

    def newton(self, ridge: Float1, target: Float2, offset: Float2, z: Float2, level: Float1) -> tuple[Float2, Int1]:
        """Weights and systems solved; arguments in the units of the data."""
        unit = self.unit[:, None]
        offset[self.out] = np.inf
        point = np.column_stack([z, level])
        w, steps = np.empty(offset.shape), np.empty(len(offset), dtype=np.intp)
        newton(self.donors.tiles, self.unit, ridge / self.unit**2, target / unit, offset, point, w=w, steps=steps)
        return w, steps

    def dual(self, w: Float2, ridge: Float1) -> tuple[Float2, Int1]:
        """Newton with a ridge from what `w` says of residual and level."""
        at, each = self.certify(w, ridge), ridge[:, None]
        z = self.unit[:, None] * (at.fit - self.target) / each
        offset = self.linear / each if self.linear.size else np.zeros(w.shape)
        return self.newton(ridge, self.target, offset, z, at.level / ridge)

    def take(self, rows: Bool1) -> _Part:
        linear = self.linear[rows] if self.linear.size else self.linear
        return _Part(
            self.donors,
            self.rows[rows],
            self.scale[rows],
            self.unit[rows],
            self.target[rows],
            linear,
            self.cheapest[rows],
            self.out[rows],
        )


def run(donors: Donors, batch: Batch) -> Answers:
    """Solve the programs of `batch`."""
    number, (count, periods) = len(batch.targets), donors.rows.shape
    answers = Answers.empty(number, min(count, periods + 1) + 2)
    scale, nearest = np.empty((number, 2)), np.empty((number, min(count, GROUPS)), dtype=np.intp)
    shared = donors.rows, donors.centre, donors.tiles
    if not measure(*shared, batch.targets, batch.without, batch.linear, batch.ridge, scale=scale, nearest=nearest):
        raise ValueError("the numbers are not all finite, or too large to be squared")
    ridged = np.count_nonzero(batch.ridge) > 0
    if not ridged:
        _fill(donors, batch, batch.ridge, batch.first, scale, nearest, answers)
        several = answers.count[:, 1].nonzero()[0]
        if not len(several) and not np.count_nonzero(answers.found[:, 1] > GAP):
            return answers
    work = _Work(donors, batch, scale, nearest, answers)
    if ridged:
        large = batch.ridge > _NEGLIGIBLE * scale[:, 0]
        _dense(work, np.flatnonzero(large))
        rows = np.flatnonzero(~large)
        _corral(work, rows, np.zeros(len(rows)), batch.take(rows).first)
        several = rows[answers.count[rows, 1] != 0]
    if len(several):
        for part in work.parts(several):
            _least_norm(work, part)
    if ridged:
        _put_back(work, rows[batch.ridge[rows] > 0.0])
    for row in (answers.found[:, 1] > GAP).nonzero()[0]:
        _nearer(work, int(row), None)
    return answers


def _put_back(work: _Work, rows: Int1) -> None:
    """A negligible ridge, after the solution without it."""
    answers = work.answers
    for part in work.parts(rows):
        ridge = work.batch.ridge[part.rows]
        w = answers.weights(part.rows, len(work.donors.rows))
        many = np.count_nonzero(w, axis=1) > work.few
        _put(work, part, w, part.certify(w, ridge))
        if many.any():
            large = part.take(many)
            full, steps = large.dual(w[many], ridge[many])
            answers.count[large.rows, 0] += steps
            at = large.certify(full, ridge[many])
            _put(work, large, full, at, at.objective <= answers.found[large.rows, 0])
        for row in part.rows[many & (answers.found[part.rows, 1] > GAP)]:
            _nearer(work, int(row), answers.weights(np.array([row]), w.shape[1])[0])
        few = part.rows[~many]
        _corral(work, few, ridge[~many], answers.weights(few, w.shape[1]))


def _dense(work: _Work, rows: Int1) -> None:
    """With a ridge: the dual, along a falling ridge unless there are weights to begin from."""
    if len(rows) and work.donors.rows.shape[1] > 2 * len(work.donors.rows):
        _by_fewer_rows(work, rows)
        return
    answers, count = work.answers, len(work.donors.rows)
    for part in work.parts(rows):
        ridge = work.batch.ridge[part.rows]
        w = np.where(part.out, 0.0, work.batch.take(part.rows).first if work.batch.first.size else 0.0)
        total = w.sum(axis=1, keepdims=True)
        new = total[:, 0] <= 0
        may = ~part.out / (count - part.out.sum(axis=1, keepdims=True))
        w = np.where(total > 0, w / np.where(total > 0, total, 1.0), may)
        for relative in _FALLING:
            go = new & (relative * part.scale > ridge)
            if go.any():
                stage = part.take(go)
                w[go], steps = stage.dual(w[go], relative * stage.scale)
                answers.count[stage.rows, 0] += steps
        w, steps = part.dual(w, ridge)
        answers.count[part.rows, 0] += steps
        _put(work, part, w, part.certify(w, ridge))
        # Here the corral keeps the digits that a small ridge costs the dual.
        small = np.count_nonzero(w, axis=1) <= work.few
        _corral(work, part.rows[small], ridge[small], w[small])


def _by_fewer_rows(work: _Work, rows: Int1) -> None:
    """More periods than donors: the same distances in as many dimensions as there are donors, and one."""
    donors, batch = work.donors, work.batch.take(rows)
    q, r = np.linalg.qr((donors.rows - donors.centre).T)
    moved = batch.targets - donors.centre
    along = np.array([target @ q for target in moved])
    rest = np.sqrt(((moved - along @ q.T) ** 2).sum(axis=1))
    short = np.column_stack([r.T, np.zeros(len(r))])
    targets = np.column_stack([along, rest])
    found = run(
        Donors.of(short, np.zeros(short.shape[1])),
        Batch(targets, batch.without, batch.linear, batch.first, batch.ridge),
    )
    for at, row in enumerate(rows):
        work.answers.many[int(row)] = found.support(at)
    work.answers.found[rows], work.answers.count[rows] = found.found, found.count


def _corral(work: _Work, rows: Int1, ridge: Float1, first: Float2) -> None:
    """The corral for some programs."""
    if not len(rows):
        return
    answers = work.answers
    found = Answers.empty(len(rows), answers.donor.shape[1])
    _fill(work.donors, work.batch.take(rows), ridge, first, work.scale[rows], work.nearest[rows], found)
    for row in rows if answers.many else ():
        answers.many.pop(int(row), None)
    answers.donor[rows], answers.weight[rows], answers.found[rows] = found.donor, found.weight, found.found
    answers.count[rows, 0] += found.count[:, 0]
    answers.count[rows, 1] = found.count[:, 1]


def _fill(
    donors: Donors, batch: Batch, ridge: Float1, first: Float2, scale: Float2, nearest: Int1, found: Answers
) -> None:
    corral(
        donors.rows,
        donors.centre,
        donors.tiles,
        batch.targets,
        batch.without,
        batch.linear,
        ridge,
        first,
        scale,
        nearest,
        donor=found.donor,
        weight=found.weight,
        found=found.found,
        count=found.count,
    )


def _least_norm(work: _Work, part: _Part) -> None:
    """Of all minimisers, the weights of least norm: the fit and the face are those of the corral."""
    w = work.answers.weights(part.rows, len(work.donors.rows))
    none = np.zeros(len(w))
    at = part.certify(w, none)
    face = (at.price - at.level[:, None] <= TIE * part.scale[:, None]) | (w > 0)
    offset = np.where(face, 0.0, np.inf)
    spread, steps = part.newton(none, at.fit, offset, np.zeros(at.fit.shape), 1.0 / face.sum(axis=1))
    work.answers.count[part.rows, 0] += steps
    after = part.certify(spread, none)
    misfit = np.abs(after.fit - at.fit).max(axis=1) / np.sqrt(part.scale)
    sure = (misfit <= _MISFIT) & (after.gap <= GAP)
    sure &= (work.answers.count[part.rows, 1] > 0) | (face.sum(axis=1) > work.few)
    _put(work, part, spread, after, sure)
    for row in part.rows[~sure]:
        program, may, unit = _program(work, int(row), 0.0)
        before = work.answers.weights(np.array([row]), len(work.donors.rows))[0, may]
        shared, more = methods.least_norm(program, before)
        work.answers.count[row, 0] += more
        _put_plain(work, int(row), program, may, unit, shared)


def _put(work: _Work, part: _Part, w: Float2, at: _Certificate, which: Bool1 | None = None) -> None:
    for row in range(len(w)) if which is None else np.flatnonzero(which):
        work.answers.put(int(part.rows[row]), w[row], float(at.objective[row]), float(at.gap[row]))


def _program(work: _Work, row: int, ridge: float) -> tuple[methods.Program, Int1, float]:
    """One program for the plain methods, the donors that may serve, and what its numbers were divided by."""
    batch = work.batch
    may = np.setdiff1d(np.arange(len(work.donors.rows)), batch.without[row])
    price = batch.linear[row, may] if batch.linear.size else np.zeros(len(may))
    return methods.scaled(work.donors.rows[may].T, batch.targets[row], price, ridge), may, float(work.scale[row, 0])


def _put_plain(work: _Work, row: int, program: methods.Program, may: Int1, unit: float, w: Float1) -> None:
    full = np.zeros(len(work.donors.rows))
    full[may] = w
    work.answers.put(row, full, program.value(w) * unit + 2 * float(work.scale[row, 1]), program.gap(w))


def _nearer(work: _Work, row: int, first: Float1 | None) -> None:
    """The plain corral, which has room for any number of donors, from given weights or those of the general solver; its
    answer is kept where it comes nearer."""
    program, may, unit = _program(work, row, float(work.batch.ridge[row]))
    w, more = methods.corral(program, methods.general(program) if first is None else first[may])
    work.answers.count[row, 0] += more
    if program.gap(w) < work.answers.found[row, 1]:
        _put_plain(work, row, program, may, unit, w)
