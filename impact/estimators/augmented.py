"""Augmented synthetic control: the misfit that a synthetic control leaves is carried forward by a ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2, Float3
from impact.cells import Trace, Tuned
from impact.errors import Refused
from impact.estimators.synthetic import Piece, Solved, Synthetic, placed
from impact.longtable import few
from impact.numerics.constrained import unique_on_face
from impact.numerics.ridge import correction, penalties
from impact.numerics.simplex import GAP
from impact.numerics.simplex_many import Simplexes, solve_many
from impact.panel import Panel

__all__ = ["AugmentedSyntheticControl", "Rule"]

Rule = Literal["1se", "min"]

_ROUNDING: Final = 1e-12  # of the largest outcome


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """What comparisons with the same donors and periods are learned from.

    Attributes
    ----------
    donors, treated : (J, T0) and (S, T0) float
        Outcomes before the start.
    traits, own : (J, p) and (S, p) float
        Covariates of the donors and of the treated, in standard deviations from the donors' mean.
    """

    donors: Float2
    treated: Float2
    traits: Float2
    own: Float2

    def without(self, period: int) -> _Past:
        donors, treated = (np.delete(values, period, axis=1) for values in (self.donors, self.treated))
        return replace(self, donors=donors, treated=treated)


@dataclass(frozen=True, slots=True, eq=False)
class _Balanced:
    """Synthetic controls, and what their correction balances.

    Attributes
    ----------
    past : _Past
    rows, wanted : (k, J) and (S, k) float
        Each row centred over the donors.
    found : Simplexes
        The synthetic controls.
    level : (p, J) float
        What balances the covariates that were taken out; no row where there are none.
    """

    past: _Past
    rows: Float2
    wanted: Float2
    found: Simplexes
    level: Float2

    def weights(self, lams: Float1) -> Float2:
        """(S, J) for the penalties (S,)."""
        found = self.found.dense(len(self.past.donors)) + self._price(lams[:, None])[:, 0] @ self.rows
        return found + (self.past.own - found @ self.past.traits) @ self.level if len(self.level) else found

    def predicted(self, lams: Float1, values: Float1) -> Float2:
        """(S, L) what the weights for every penalty make of the donors' `values` (J,), without the weights."""
        columns = np.column_stack([values, self.past.traits]) if len(self.level) else values[:, None]
        made = self.found.combine(columns)[:, None] + self._price(lams[None]) @ (self.rows @ columns)
        if not len(self.level):
            return np.asarray(made[:, :, 0])
        return np.asarray(made[:, :, 0] + (self.past.own[:, None] - made[:, :, 1:]) @ (self.level @ values))

    def _price(self, lams: Float2) -> Float3:
        return correction(self.rows, self.wanted - self.found.combine(self.rows.T), lams)

    def unsolved(self, names: Sequence[str]) -> Refused | None:
        """Why there are none, or None."""
        for row in np.flatnonzero(~self.found.optimal).tolist():
            return Refused(
                f"the augmented synthetic control of {names[row]}",
                f"the solver stopped at a gap of {self.found.gap[row]:.1g}, above {GAP:.0g}",
                "Leave out donors whose level is far from all others.",
            )
        return None


@dataclass(frozen=True, slots=True)
class AugmentedSyntheticControl(Synthetic):
    """A synthetic control whose remaining misfit before the start is corrected by a ridge regression over the donors.

    With ``A`` (T0, J) the donors' outcomes before the start, centred by their mean in every period, ``b`` those of the
    treated area less the same means, and ``w_scm`` the weights of its synthetic control, the weights are

        w = w_scm + A' (A A' + λ I)⁻¹ (b − A w_scm).

    They sum to 1 and may be negative: where the synthetic control misses, donors are extrapolated from. Notes say
    where the imputed untreated outcome lies outside the range of the donors, and how much weight is negative. As λ
    grows this becomes the synthetic control; where the fit is perfect it is that for every λ.

    Covariates of the panel (the mean over the periods before the start, where they vary) are balanced beside the
    outcomes, scaled to their standard deviation, or with `residualize` taken out first by least squares over the
    donors, which balances them exactly. The regression counts every donor once, so a donor that is there twice
    counts twice.

    Parameters
    ----------
    lam : float or {"1se", "min"}
        Penalty λ, in squared units of the outcome. By cross-validation, every period before the start is left out in
        turn and predicted: ``min`` takes the λ of least mean squared error on a grid of 21, ``1se`` the largest λ
        within one standard error of that.
    intercept : bool
        Every unit less its own mean before the start, so that fixed differences in level are allowed. In
        cross-validation the mean does not contain the period that is left out.
    residualize : bool
        How covariates are used.
    anticipation, missing
        See `Synthetic`.

    References
    ----------
    Ben-Michael, Feller & Rothstein (2021), JASA 116(536), sections 3, 5.3 and 6. Grid, rules and scaling are those of
    the R package augsynth 0.2.0, which never leaves the last period out, and with fixed effects predicts a period
    from means that contain it.
    """

    lam: float | Rule = "1se"
    intercept: bool = False
    residualize: bool = False

    name: ClassVar[str] = "augmented-synthetic-control"
    uses_covariates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        if isinstance(self.lam, str):
            if self.lam not in get_args(Rule):
                raise ValueError(f"lam={self.lam!r} is not a positive number or one of {', '.join(get_args(Rule))}")
        elif isinstance(self.lam, bool) or not (0 < self.lam < np.inf):
            raise ValueError(f"lam={self.lam!r} is not a positive number or one of {', '.join(get_args(Rule))}")

    def null_model(self) -> AugmentedSyntheticControl:
        """Itself: left-out periods are treated alike in any order, so that λ does not tell the tested ones apart."""
        return self

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """See `Synthetic`; covariates are used."""
        return Synthetic.remarks(self, replace(panel, covariates={}))

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """The weights of one piece alone."""
        return self.solve_all(panel, (part,))[0]

    def solve_all(self, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
        """Pieces with the same donors and periods together: their programs, and those without every period in turn."""
        alike: dict[object, list[int]] = {}
        for number, part in enumerate(parts):
            alike.setdefault((part.donors.tobytes(), part.before.tobytes()), []).append(number)
        found: dict[int, Solved | Refused] = {}
        for numbers in alike.values():
            found |= dict(zip(numbers, self._alike(panel, [parts[number] for number in numbers]), strict=True))
        return [found[number] for number in range(len(parts))]

    def _alike(self, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
        """Pieces with the same donors and periods."""
        names = [part.name for part in parts]
        past = _past(panel, parts, residualize=self.residualize)
        if isinstance(past, Refused):
            return [past] * len(parts)
        chosen = self._chosen(past, names)
        if isinstance(chosen, Refused):
            return [chosen] * len(parts)
        lams, tuned = chosen
        made = self._balanced(past)
        refused = made.unsolved(names)
        if refused is not None:
            return [refused] * len(parts)
        weights, own = made.weights(lams), made.found.dense(len(past.donors))
        time = np.zeros(len(panel.periods))
        if self.intercept:
            time[parts[0].before] = 1.0 / len(parts[0].before)
        return [
            Solved(
                placed(panel, part, weights[row]),
                time,
                (_trace(made.found, row),),
                unique_on_face(made.rows, made.wanted[row], own[row]),
                tuned[row],
            )
            for row, part in enumerate(parts)
        ]

    def _chosen(self, past: _Past, names: Sequence[str]) -> tuple[Float1, Sequence[tuple[Tuned, ...]]] | Refused:
        """The penalty of every piece, (S,), and how it was found."""
        count, periods = past.treated.shape
        if not isinstance(self.lam, str):
            return np.full(count, self.lam), [()] * count
        lams = penalties(self._program(past)[0])
        errors = np.empty((count, periods, len(lams)))
        for period in range(periods):
            rest = past.without(period)
            made = self._balanced(rest)
            refused = made.unsolved(names)
            if refused is not None:
                return refused
            left, own = past.donors[:, period], past.treated[:, period]
            if self.intercept:
                left, own = left - rest.donors.mean(axis=1), own - rest.treated.mean(axis=1)
            errors[:, period] = (own[:, None] - made.predicted(lams, left)) ** 2
        mean, error = errors.mean(axis=1), errors.std(axis=1, ddof=1) / np.sqrt(periods)
        best = mean.argmin(axis=1)[:, None]
        if self.lam == "1se":
            most = np.take_along_axis(mean + error, best, axis=1)
            best = (mean <= most).argmax(axis=1)[:, None]  # the first, as penalties fall
        values, losses = lams[best[:, 0]], np.take_along_axis(mean, best, axis=1)[:, 0]
        return values, [
            (Tuned(name, "lam", (), values[row, None], float(losses[row]), lams[:, None], mean[row]),)
            for row, name in enumerate(names)
        ]

    def _balanced(self, past: _Past) -> _Balanced:
        rows, wanted = self._program(past)
        taken = self.residualize and past.traits.shape[1] > 0
        level: Float2 = np.asarray(np.linalg.pinv(past.traits)) if taken else np.zeros((0, len(past.donors)))
        return _Balanced(past, rows, wanted, solve_many(rows.T, wanted), level)

    def _program(self, past: _Past) -> tuple[Float2, Float2]:
        """What is balanced, (k, J) and (S, k), each row centred over the donors."""
        donors, treated = past.donors, past.treated
        if self.intercept:
            donors, treated = (values - values.mean(axis=1, keepdims=True) for values in (donors, treated))
        centre = donors.mean(axis=0)
        rows, wanted = (donors - centre).T, treated - centre
        if self.residualize:
            slopes = np.linalg.pinv(past.traits) @ rows.T
            rows, wanted = rows - (past.traits @ slopes).T, wanted - past.own @ slopes
        if np.abs(rows).max() <= _ROUNDING * np.abs(past.donors).max():  # nothing to tell donors apart by
            rows = np.zeros_like(rows)
        if not self.residualize:
            scale = rows.std(ddof=1)
            rows, wanted = np.vstack([rows, scale * past.traits.T]), np.hstack([wanted, scale * past.own])
        return rows, wanted


def _past(panel: Panel, parts: Sequence[Piece], *, residualize: bool) -> _Past | Refused:
    """Outcomes and covariates of comparisons with the same donors and periods; refused where one of them is."""
    each = []
    for part in parts:
        one = _of(panel, part, residualize=residualize)
        if isinstance(one, Refused):
            return one
        each.append(one)
    return replace(
        each[0],
        treated=np.concatenate([one.treated for one in each]),
        own=np.concatenate([one.own for one in each]),
    )


def _of(panel: Panel, part: Piece, *, residualize: bool) -> _Past | Refused:
    """Outcomes and covariates of one comparison; refused where the covariates do not serve."""
    what = f"the covariates of {part.name}"
    members = np.concatenate([part.rows, part.donors])
    columns = [np.zeros((len(members), 0))]
    for name, values in panel.covariates.items():
        seen = values[members] if values.shape[1] == 1 else values[np.ix_(members, part.before)]
        known = ~np.isnan(seen)
        blank = [panel.units[row] for row in members[~known.any(axis=1)]]
        if blank:
            return Refused(
                what,
                f"{len(blank)} units miss {name} before the start ({few(blank)})",
                "Leave these units or this covariate out by name.",
            )
        mean = np.where(known, seen, 0.0).sum(axis=1) / known.sum(axis=1)
        if np.ptp(mean[len(part.rows) :]) <= 1e-9 * np.abs(mean).max():
            return Refused(what, f"{name} is the same for all donors", "Leave this covariate out by name.")
        columns.append(mean[:, None])
    outcomes, values = panel.y[np.ix_(members, part.before)], np.hstack(columns)
    count = len(part.rows)
    centre, spread = values[count:].mean(axis=0), values[count:].std(axis=0, ddof=1)
    traits, own = (values[count:] - centre) / spread, (part.share @ values[:count] - centre) / spread
    if residualize and np.linalg.matrix_rank(traits) < traits.shape[1]:
        return Refused(
            what,
            f"{traits.shape[1]} of them cannot be told apart among {len(traits)} donors",
            "Leave some of them out, widen the donor pool, or balance them beside the outcomes (residualize=False).",
        )
    return _Past(outcomes[count:], (part.share @ outcomes[:count])[None], traits, own[None])


def _trace(found: Simplexes, row: int) -> Trace:
    return Trace("exact", "optimal", float(found.objective[row]), float(found.gap[row]), int(found.iterations[row]))
