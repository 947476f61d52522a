"""Penalised synthetic control: donors that are each close to the treated area, not only in their mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2, Int1, frozen
from impact.cells import Piece, Tuned
from impact.errors import Refused
from impact.estimators.predictors import Predictor, Spelled, read_predictors, rows, standardised
from impact.estimators.protocol import Replicates, StandIns
from impact.estimators.reassigned import Comparisons, Found, reassign
from impact.estimators.synthetic import Solved, Synthetic, placed, trace
from impact.longtable import few
from impact.numerics.simplex import GAP, solve
from impact.numerics.simplex_many import solve_many
from impact.panel import Panel

__all__ = ["LAMBDAS", "PenalizedSyntheticControl", "Validation"]

Validation = Literal["leave-one-out", "hold-out"]

# A penalty has no unit: it sets the distance to every donor against the distance to their mean. Beyond either end the
# weights hardly change: they are those of the nearest donor, and of the synthetic control of nearest donors.
LAMBDAS: Final = frozen(np.geomspace(1e1, 1e-4, 16))
_EQUAL: Final = 1e-9
_ROUNDING: Final = 1e-12
_TOLD: Final = 1e-9
_BLOCK: Final = 256  # assignments whose prices, one a donor each, are in memory at once
_NULL: Final = 0.1


@dataclass(frozen=True, slots=True)
class PenalizedSyntheticControl(Synthetic):
    """One exact simplex program per treated area, in which distant donors have a price.

    With ``X_1`` the area's outcomes before the start (the weighted mean over its units) and ``X_j`` those of donor j,
    the weights minimise

        ‖X_1 − Σ_j w_j X_j‖² + λ Σ_j w_j ‖X_1 − X_j‖²   over   w ≥ 0, Σ w = 1.

    For every λ > 0 the weights are few and, unless donors are duplicates or otherwise in special position, unique,
    also where very many donors could reproduce the area exactly. As λ falls they become those of the synthetic
    control that is made of the nearest donors; as it grows, the one nearest donor.

    Parameters
    ----------
    lam : float or {"leave-one-out", "hold-out"}
        Penalty λ, a number without unit; or that of 16 between 0.0001 and 10 that predicts best. ``leave-one-out``:
        every donor is predicted from the others (copies of itself left out), with weights learned before
        the start, in the periods from the start on; outcomes of treated units are not used there. ``hold-out``: the
        treated areas are predicted in the later half of the periods before the start from weights learned in the
        earlier half. Areas with the same donors and periods share λ, unless there are predictors; of equal predictions
        the larger λ is taken.
    predictors : sequence of str or mapping
        What ``X`` is instead of the outcomes before the start, as in `SyntheticControl`: every row divided by its
        standard deviation, and all counting the same. For ``hold-out`` open windows end with the earlier half, and a
        window that reaches into the later one says with ``training`` what stands for it.
    intercept : bool
        Outcomes, also those among the predictors, are taken less the unit's own mean over the periods before the start,
        so that fixed differences in level are allowed.
    validate : int
        Most donors that ``leave-one-out`` predicts. Where there are more, a note says so, and it is those whose names
        come first by a hash, whatever their order.
    anticipation, missing
        See `Synthetic`; ``drop-donors`` goes for donors without any observation of a predictor too.

    References
    ----------
    Abadie & L'Hour (2021), JASA 116(536), eq. 5 and Theorem 1, and the section on the choice of the penalty.
    """

    lam: float | Validation = "leave-one-out"
    predictors: Sequence[Spelled] = ()
    intercept: bool = False
    validate: int = 200

    name: ClassVar[str] = "penalized-synthetic-control"

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        object.__setattr__(self, "predictors", read_predictors(self.predictors))
        known = isinstance(self.lam, str) and self.lam in get_args(Validation)
        number = not isinstance(self.lam, (str, bool)) and 0 < self.lam < np.inf
        if not (known or number):
            raise ValueError(f"lam={self.lam!r} is not a positive number or one of {', '.join(get_args(Validation))}")
        if isinstance(self.validate, bool) or self.validate < 2:
            raise ValueError("validate is a number of donors, 2 or more")

    def null_model(self) -> PenalizedSyntheticControl:
        """Itself on outcomes alone with a given λ: the periods that a null is tested on may not choose it."""
        return replace(self, predictors=(), lam=_NULL if isinstance(self.lam, str) else self.lam)

    @property
    def projects(self) -> bool:
        """Whether residuals never move farther than the treated outcomes: the fit is the proximal point of ``(1 + λ)``
        times these, so their residuals stretch by 1 at most, and by λ where that is more."""
        return not self.predictors and not isinstance(self.lam, str) and self.lam <= 1

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """Covariates that no predictor is of."""
        used = {one.of for each in self._spelled for one in (each, each.training) if one is not None}
        unused = {name: values for name, values in panel.covariates.items() if name not in used}
        return Synthetic.remarks(self, replace(panel, covariates=unused))

    def reassigned(self, panel: Panel, stand_ins: StandIns) -> Replicates | Refused:
        """Many assignments at once, for outcomes alone under a given penalty (see ``Reassigns``); else refits."""
        if self.predictors or isinstance(self.lam, str):
            return Refused("many assignments at once", "predictors, and a penalty that is chosen in each, need refits")
        return reassign(self, panel, stand_ins, partial(_gaps, self.lam, self.intercept))

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """One exact program, after those that choose the penalty."""
        return self.solve_all(panel, (part,))[0]

    def solve_all(self, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
        """The penalty is chosen once for all pieces with the same donors and periods."""
        alike: dict[object, list[int]] = {}
        for number, part in enumerate(parts):
            key = int(panel.first[part.rows[0]]), part.donors.tobytes(), part.before.tobytes()
            alike.setdefault(number if self.predictors else key, []).append(number)
        found: dict[int, Solved | Refused] = {}
        for numbers in alike.values():
            found |= dict(zip(numbers, self._alike(panel, [parts[number] for number in numbers]), strict=True))
        return [found[number] for number in range(len(parts))]

    def _alike(self, panel: Panel, parts: Sequence[Piece]) -> list[Solved | Refused]:
        """Pieces that share the rows and the penalty."""
        made = _every(self._program(panel, part, part.before) for part in parts)
        if isinstance(made, Refused):
            return [made] * len(parts)
        choice = self._chosen(panel, parts, made[0])
        if isinstance(choice, Refused):
            return [choice] * len(parts)
        found = [self._solved(panel, one, choice) for one in made]
        first = found[0]
        if choice.note and isinstance(first, Solved):
            found[0] = replace(first, notes=(*first.notes, choice.note))
        return found

    def _solved(self, panel: Panel, program: _Program, choice: _Choice) -> Solved | Refused:
        """The program of one piece under a given penalty."""
        part = program.part
        price = choice.lam / 2 * _distances(program.a.T, program.b[None])[0]
        found = solve(program.a, program.b, linear=price)
        if found.status != "optimal":
            return _unsolved(part.name, found.gap)
        time = np.zeros(len(panel.periods))
        if self.intercept:
            time[part.before] = 1.0 / len(part.before)
        return Solved(
            placed(panel, part, found.weights),
            time,
            (trace("exact", found),),
            _independent(program.a - program.b[:, None], price, found.weights),
            choice.tuned(part.name),
            program.notes,
        )

    @property
    def _spelled(self) -> tuple[Predictor, ...]:
        return read_predictors(self.predictors)

    def _compared(self, panel: Panel, learned: Int1) -> Panel:
        """The panel less what every unit has as its own level."""
        if not self.intercept:
            return panel
        return panel.with_outcome(panel.y - panel.y[:, learned].mean(axis=1, keepdims=True))

    def _program(self, panel: Panel, part: Piece, learned: Int1, until: int | None = None) -> _Program | Refused:
        """What the donors of a piece should agree on with it; with `until` what stands for it before that period."""
        panel = self._compared(panel, learned)
        if not self.predictors:
            donors, own = panel.y[np.ix_(part.donors, learned)], panel.y[np.ix_(part.rows, learned)]
            return _Program(part, donors.T, part.share @ own)
        spelled = self._spelled if until is None else [one.training or one for one in self._spelled]
        found = rows(
            panel,
            part,
            spelled,
            anticipation=self.anticipation,
            missing=self.missing,
            within=learned,
            until=until,
        )
        alike = found if isinstance(found, Refused) else standardised(found)
        return alike if isinstance(alike, Refused) else _Program(alike.part, alike.a, alike.b, alike.notes)

    def _chosen(self, panel: Panel, parts: Sequence[Piece], whole: _Program) -> _Choice | Refused:
        """The penalty of pieces with the same donors and periods; `whole` has the rows of these donors."""
        if not isinstance(self.lam, str):
            return _Choice(self.lam)
        before = parts[0].before
        if self.lam == "hold-out":
            half = (len(before) + 1) // 2
            early, late = before[:half], before[half:]
            made = _every(self._program(panel, part, early, int(late[0])) for part in parts)
            if isinstance(made, Refused):
                return made
            y = self._compared(panel, early).y[:, late]
            truth = np.array([part.share @ y[part.rows] for part in parts])
            targets = np.array([one.b for one in made])
            losses, gap = _losses(made[0].a.T, targets, y[made[0].part.donors], truth, None)
            note = ""
        else:
            some, note = self._validated(panel, parts, whole.part.donors)
            y = self._compared(panel, before).y[whole.part.donors, int(panel.first[parts[0].rows[0]]) :]
            losses, gap = _losses(whole.a.T, whole.a.T[some], y, y[some], _copies(np.hstack([whole.a.T, y]))[some])
        if gap > GAP:
            return _unsolved(few([part.name for part in parts]), gap)
        rounding = (_ROUNDING * float(np.abs(y).max())) ** 2
        best = int(np.argmax(losses <= losses.min() * (1 + _EQUAL) + rounding))  # the first, as penalties fall
        return _Choice(float(LAMBDAS[best]), float(losses[best]), losses, note)

    def _validated(self, panel: Panel, parts: Sequence[Piece], donors: Int1) -> tuple[Int1, str]:
        """Which donors (rows among them) are predicted, and what is said of it."""
        if len(donors) <= self.validate:
            return np.arange(len(donors)), ""
        marks = [hashlib.sha256(panel.units[row].encode("utf-8")).digest() for row in donors]
        some = sorted(range(len(donors)), key=marks.__getitem__)[: self.validate]
        names = few([part.name for part in parts])
        return np.sort(some), f"the penalty of {names} is the best for {len(some)} of the {len(donors)} donors"


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """Rows on which the donors that are left, (P, J), should agree with the area, (P,)."""

    part: Piece
    a: Float2
    b: Float1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """A penalty; where it was chosen, the losses of all candidates."""

    lam: float
    loss: float = 0.0
    losses: Float1 | None = None
    note: str = ""

    def tuned(self, piece: str) -> tuple[Tuned, ...]:
        if self.losses is None:
            return ()
        return (Tuned(piece, "lam", (), np.array([self.lam]), self.loss, LAMBDAS[:, None], self.losses),)


def _every(found: Iterable[_Program | Refused]) -> list[_Program] | Refused:
    """All of them, or the first refusal."""
    made = []
    for one in found:
        if isinstance(one, Refused):
            return one
        made.append(one)
    return made


def _copies(donors: Float2) -> Int1:
    """(J, n) every donor's own row and those of its copies, -1 where it has fewer; only its own where all are alike."""
    _, kind, count = np.unique(donors, axis=0, return_inverse=True, return_counts=True)
    kind = kind.reshape(-1)
    if len(count) == 1:
        return np.arange(len(donors))[:, None]
    order = np.argsort(kind, kind="stable")
    first = np.cumsum(count) - count
    place = first[kind][:, None] + np.arange(count.max())
    return np.where(np.arange(count.max()) < count[kind][:, None], order[np.minimum(place, len(order) - 1)], -1)


def _losses(
    donors: Float2, targets: Float2, later: Float2, truth: Float2, without: Int1 | None
) -> tuple[Float1, float]:
    """Mean squared error of prediction for every penalty, (L,), and the largest gap that a solver left.

    Parameters
    ----------
    donors, targets : (J, P) and (S, P) float
        What weights are learned from.
    later, truth : (J, k) and (S, k) float
        Outcomes that predict, and that are predicted.
    without : (S, n) int or None
        Donors that do not serve for a target (which is one of them itself); -1 stands for none.
    """
    price = _distances(donors, targets) / 2
    losses, gap = np.empty(len(LAMBDAS)), 0.0
    for number, lam in enumerate(LAMBDAS):
        found = solve_many(donors, targets, without=without, linear=lam * price)
        losses[number] = np.mean((truth - found.combine(later)) ** 2)
        gap = max(gap, float(found.gap.max()))
    return losses, gap


def _gaps(lam: float, intercept: bool, one: Comparisons) -> Found:
    """Gaps of many assignments under a given penalty."""
    donors, targets = one.donors, one.targets
    if intercept:
        donors = donors - donors[:, one.before].mean(axis=1, keepdims=True)
        targets = targets - targets[:, one.before].mean(axis=1, keepdims=True)
    early, gap = donors[:, one.before], np.empty_like(targets)
    refused: dict[int, Refused] = {}
    for first in range(0, len(targets), _BLOCK):
        block = slice(first, first + _BLOCK)
        wanted = targets[block, one.before]
        price = lam / 2 * _distances(early, wanted)
        found = solve_many(early, wanted, without=one.without[block], linear=price)
        gap[block] = targets[block] - found.combine(donors)
        refused |= {first + int(row): _unsolved(one.name, found.gap[row]) for row in np.flatnonzero(~found.optimal)}
    return gap, refused


def _independent(rows: Float2, price: Float1, weights: Float1) -> bool:
    """Whether no other weights of the same donors have the same fit and price: not so where donors are duplicates."""
    inside = np.flatnonzero(weights)
    told = np.vstack([rows[:, inside], price[inside], np.ones(len(inside))])
    size = np.abs(told).max(axis=1, keepdims=True)
    return int(np.linalg.matrix_rank(told / np.where(size > 0, size, 1.0), tol=_TOLD)) == len(inside)


def _distances(donors: Float2, targets: Float2) -> Float2:
    """(S, J) squared distance of every donor (J, T0) to every target (S, T0)."""
    return np.array([np.square(donors - target).sum(axis=1) for target in targets])


def _unsolved(name: str, gap: float) -> Refused:
    return Refused(
        f"the penalised synthetic control of {name}",
        f"the solver stopped at a gap of {gap:.1g}, above {GAP:.0g}",
        "Leave out donors whose level is far from all others.",
    )
