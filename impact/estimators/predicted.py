"""The program of a synthetic control on predictors: which rows, and how much each of them counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.cells import Note, Piece, Tuned
from impact.errors import Refused
from impact.estimators.importance import APART, NEAR, Choice, beside, choose
from impact.estimators.predictors import OUTCOME, Predictor, Rows, rows, standardised
from impact.estimators.synthetic import Missing
from impact.longtable import few
from impact.numerics.simplex import solve
from impact.panel import Panel

__all__ = ["SEARCHED", "Given", "Importance", "Predicted", "Program", "importance"]

Importance = Literal["equal", "inverse-variance", "nested", "cross-validated"]
Given: TypeAlias = tuple[tuple[str, float], ...]
"""Weights by name of the predictor."""

SEARCHED: Final = ("nested", "cross-validated")


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Weights ``w`` of the donors are to minimise ``‖a w − b‖²``.

    Attributes
    ----------
    part : Piece
        With the donors that are left.
    a : (K, J) float
    b : (K,) float
    tuned : tuple of Tuned
    notes : tuple of str
    """

    part: Piece
    a: Float2
    b: Float1
    tuned: tuple[Tuned, ...] = ()
    notes: tuple[str, ...] = ()


def importance(given: str | Mapping[str, float] | Given) -> str | Given:
    """V as an estimator keeps it: a word, or pairs of name and weight.

    Raises
    ------
    ValueError
        For another word, a weight below 0, and weights that are all 0.
    """
    if isinstance(given, str):
        if given not in get_args(Importance):
            raise ValueError(f"v={given!r} is not one of {', '.join(get_args(Importance))}, or a weight by predictor")
        return given
    pairs = tuple(dict(given).items())
    for name, size in pairs:
        if not isinstance(name, str) or isinstance(size, (str, bool)) or not 0 <= size < np.inf:
            raise ValueError(f"v={size!r} of predictor {name!r} is not a number of 0 or more")
    if not sum(size for _, size in pairs) > 0:
        raise ValueError("v gives no weight to any predictor")
    return tuple((name, float(size)) for name, size in pairs)


@dataclass(frozen=True, slots=True)
class Predicted:
    """How programs on predictors are set up; parameters as in `SyntheticControl`."""

    predictors: tuple[Predictor, ...]
    v: str | Given
    starts: int
    fit_window: tuple[str, str] | None
    anticipation: int
    missing: Missing

    def program(self, panel: Panel, part: Piece) -> Program | Refused:
        """The program of one piece."""
        if self.v == "cross-validated":
            return self._validated(panel, part)
        found = self._rows(panel, part)
        if isinstance(found, Refused):
            return found
        found = replace(found, notes=(*found.notes, *self._irrelevant(panel, part)))
        if self.v == "nested":
            return self._nested(panel, found)
        v = _given(self.v, found) if isinstance(self.v, tuple) else np.full(len(found.names), 1 / len(found.names))
        return v if isinstance(v, Refused) else _weighted(found, v)

    def _rows(
        self, panel: Panel, part: Piece, within: Int1 | None = None, *, training: int | None = None
    ) -> Rows | Refused:
        """Standardised predictors; with `training` those that stand for them before that period."""
        predictors = self.predictors if training is None else [one.training or one for one in self.predictors]
        found = rows(
            panel,
            part,
            predictors,
            anticipation=self.anticipation,
            missing=self.missing,
            within=within,
            until=training,
        )
        return found if isinstance(found, Refused) else standardised(found)

    def _nested(self, panel: Panel, found: Rows) -> Program | Refused:
        """V by the fit of the outcomes; where it does not matter, the outcomes themselves decide."""
        window = self._window(panel, found.part, found.part.before)
        if isinstance(window, Refused):
            return window
        choice = self._chosen(panel, found, window)
        if not choice.exact:
            return _under(found, choice)
        outcomes, target = _outcomes(panel, found.part, window)
        bare = _weighted(found, choice.v)
        a, b = beside(bare.a, bare.b, outcomes, target)
        weights = solve(a, b).weights
        decided = replace(choice, weights=weights[None], losses=np.array([np.mean((target - outcomes @ weights) ** 2)]))
        made = _under(found, decided)
        says = "of all weights that do, those that follow the outcomes before the start best are taken"
        return replace(made, a=a, b=b, notes=(*made.notes, Note(says, "v-outcomes", name=found.part.name)))

    def _chosen(self, panel: Panel, found: Rows, window: Int1) -> Choice:
        return choose(found.a, found.b, *_outcomes(panel, found.part, window), self.starts)

    def _validated(self, panel: Panel, part: Piece) -> Program | Refused:
        """V from training and validation; then the program of the later predictors."""
        what = f"the cross-validation of {part.name}"
        later = self._window(panel, part, part.before[len(part.before) // 2 :])
        if isinstance(later, Refused):
            return later
        early = part.before[part.before < later[0]]
        bare = [one.name for one in self.predictors if one.training is None and not one.open]
        if bare:
            return Refused(
                what,
                f"{few(bare)} has a window of its own and none for training",
                "Add training: {of: …, from: …, to: …}, or leave the window open.",
            )
        if not len(early):
            return Refused(what, "no period is left before the validation", "Begin fit_window later.")
        found = self._rows(panel, part, later)
        if isinstance(found, Refused):
            return found
        before = self._rows(panel, found.part, early, training=int(later[0]))
        if isinstance(before, Refused):
            return before
        if len(before.part.donors) < len(found.part.donors):
            found = self._rows(panel, before.part, later)
            if isinstance(found, Refused):
                return found
        if len(before.names) != len(found.names):
            return Refused(
                what,
                f"there are {len(before.names)} rows to train with and {len(found.names)} to fit",
                "Give predictors that are one row each in both.",
            )
        choice = self._chosen(panel, before, later)
        notes = [*before.notes, *found.notes]
        if choice.others:
            notes.append(
                f"several V validate {part.name} equally well, which may lead to other weights; that of least norm is "
                "taken"
            )
        return _under(replace(found, notes=tuple(dict.fromkeys(notes))), choice)

    def _window(self, panel: Panel, part: Piece, standard: Int1) -> Int1 | Refused:
        """Periods of the outcomes that V is to fit."""
        if self.fit_window is None:
            return standard
        what, periods = f"the fit of {part.name}", panel.periods
        strange = [label for label in self.fit_window if label not in periods]
        if strange:
            return Refused(what, f"{strange[0]} in fit_window is no period of the panel", "Take one of its periods.")
        low, high = (periods.index(label) for label in self.fit_window)
        stop = int(panel.first[part.rows[0]]) - self.anticipation
        if high >= stop:
            return Refused(
                what,
                f"fit_window ends in {periods[high]}, and what {part.name} is learned from in {periods[stop - 1]}",
                "End it before the start and its anticipation.",
            )
        inside = part.before[(part.before >= low) & (part.before <= high)]
        return inside if len(inside) else Refused(what, "fit_window has no period to learn from", "Widen it.")

    def _irrelevant(self, panel: Panel, part: Piece) -> tuple[str, ...]:
        """A note where covariates stand beside all outcomes before the start."""
        own = [one for one in self.predictors if one.of == OUTCOME]
        single = {one.first for one in own if one.first == one.last}
        whole = any(one.each and one.open for one in own) or {panel.periods[t] for t in part.before} <= single
        if not whole or len(own) == len(self.predictors):
            return ()
        return (
            f"all outcomes of {part.name} before the start are predictors: covariates beside them hardly count, and "
            "not at all where V is chosen by the fit of these outcomes (Kaul, Klößner, Pfeifer & Schieler 2022)",
        )


def _outcomes(panel: Panel, part: Piece, window: Int1) -> tuple[Float2, Float1]:
    """Outcomes of the donors (t, J) and of the area (t,) in some periods."""
    return panel.y[np.ix_(part.donors, window)].T, part.share @ panel.y[np.ix_(part.rows, window)]


def _given(weights: Given, found: Rows) -> Float1 | Refused:
    """V by name. A predictor that was left out leaves its weight to the others."""
    weight = dict(weights)
    lacking = [name for name in found.names if name not in weight]
    strange = [name for name in weight if name not in (*found.names, *found.left_out)]
    v = np.array([weight.get(name, 0.0) for name in found.names])
    if not lacking and not strange and v.sum() > 0:
        return np.asarray(v / v.sum())
    why = f"{few(lacking)} has no weight" if lacking else f"{few(strange)} is no predictor"
    return Refused(
        f"v of {found.part.name}",
        why if lacking or strange else "no predictor with weight is left",
        f"Give a weight to each of: {', '.join(found.names)}.",
    )


def _weighted(found: Rows, v: Float1) -> Program:
    root = np.sqrt(v)
    return Program(found.part, root[:, None] * found.a, root * found.b, notes=found.notes)


def _under(found: Rows, choice: Choice) -> Program:
    """The program under the V that was chosen, with what must be known of the choice."""
    made, name = _weighted(found, choice.v), found.part.name
    tuned = Tuned(name, "v", found.names, choice.v, float(choice.losses.min()), choice.tried, choice.losses)
    return replace(made, tuned=(tuned,), notes=(*made.notes, *_doubts(name, choice)))


def _doubts(name: str, choice: Choice) -> tuple[str, ...]:
    if choice.exact:
        says = f"donors reproduce all predictors of {name} exactly, so that V does not matter"
        return (Note(says, "v-idle", name=name),)
    notes = []
    worse = int((choice.losses > choice.losses.min() * (1 + NEAR)).sum())
    if choice.apart > APART:
        says = (
            f"searches for V of {name} end within {NEAR:.0%} of the best loss with up to {choice.apart:.0%} of the "
            "weight on other donors: the data do not determine the weights"
        )
        notes.append(Note(says, "v-apart", name=name, share=choice.apart))
    if worse:
        says = (
            f"{worse} of {len(choice.losses)} searches for V of {name} end at a loss more than {NEAR:.0%} above the "
            "best: there are several local minima, and the least of them may not have been found"
        )
        notes.append(Note(says, "v-minima", name=name, worse=worse, searches=len(choice.losses)))
    return tuple(notes)
