"""Augmented synthetic control: the misfit that a synthetic control leaves is carried forward by a ridge regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2
from impact.cells import Tuned
from impact.errors import Refused
from impact.estimators.synthetic import Piece, Solved, Synthetic, placed, trace
from impact.longtable import few
from impact.numerics.constrained import unique_on_face
from impact.numerics.ridge import correction, penalties
from impact.numerics.simplex import GAP, Simplex, solve
from impact.panel import Panel

__all__ = ["AugmentedSyntheticControl", "Rule"]

Rule = Literal["1se", "min"]

_ROUNDING: Final = 1e-12  # of the largest outcome


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """What one comparison is learned from.

    Attributes
    ----------
    donors, treated : (J, T0) and (T0,) float
        Outcomes before the start.
    traits, own : (J, p) and (p,) float
        Covariates of the donors and of the treated, in standard deviations from the donors' mean.
    """

    donors: Float2
    treated: Float1
    traits: Float2
    own: Float1

    def without(self, period: int) -> _Past:
        return replace(self, donors=np.delete(self.donors, period, axis=1), treated=np.delete(self.treated, period))


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
        """One exact program, one more for every period that is left out, and a small linear system for each."""
        past = _past(panel, part, residualize=self.residualize)
        if isinstance(past, Refused):
            return past
        chosen = self._chosen(past, part.name)
        if isinstance(chosen, Refused):
            return chosen
        lam, tuned = chosen
        weights, found = self._weights(past, np.array([lam]))
        if found.status != "optimal":
            return _unsolved(part.name, found)
        time = np.zeros(len(panel.periods))
        if self.intercept:
            time[part.before] = 1.0 / len(part.before)
        unique = unique_on_face(*self._program(past), found.weights)
        return Solved(placed(panel, part, weights[0]), time, (trace("exact", found),), unique, tuned)

    def _chosen(self, past: _Past, name: str) -> tuple[float, tuple[Tuned, ...]] | Refused:
        """The penalty, and how it was found."""
        if not isinstance(self.lam, str):
            return self.lam, ()
        lams = penalties(self._program(past)[0])
        errors = np.empty((len(past.treated), len(lams)))
        for period in range(len(errors)):
            rest = past.without(period)
            weights, found = self._weights(rest, lams)
            if found.status != "optimal":
                return _unsolved(name, found)
            left, own = past.donors[:, period], past.treated[period]
            if self.intercept:
                left, own = left - rest.donors.mean(axis=1), own - rest.treated.mean()
            errors[period] = (own - weights @ left) ** 2
        mean, error = errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
        best = int(np.argmin(mean))
        if self.lam == "1se":
            best = int(np.argmax(mean <= mean[best] + error[best]))  # the first, as penalties fall
        value = lams[best]
        return float(value), (Tuned(name, "lam", (), np.array([value]), float(mean[best]), lams[:, None], mean),)

    def _weights(self, past: _Past, lams: Float1) -> tuple[Float2, Simplex]:
        """(L, J) weights for every penalty, and the synthetic control that they correct."""
        rows, wanted = self._program(past)
        found = solve(rows, wanted)
        weights = found.weights + correction(rows, wanted - rows @ found.weights, lams)
        if self.residualize and len(past.own):
            weights = weights + (past.own - weights @ past.traits) @ np.linalg.pinv(past.traits)
        return weights, found

    def _program(self, past: _Past) -> tuple[Float2, Float1]:
        """What is balanced, (k, J) and (k,), each row centred over the donors."""
        donors, treated = past.donors, past.treated
        if self.intercept:
            donors, treated = donors - donors.mean(axis=1, keepdims=True), treated - treated.mean()
        centre = donors.mean(axis=0)
        rows, wanted = (donors - centre).T, treated - centre
        if self.residualize:
            slopes = np.linalg.pinv(past.traits) @ rows.T
            rows, wanted = rows - (past.traits @ slopes).T, wanted - past.own @ slopes
        if np.abs(rows).max() <= _ROUNDING * np.abs(past.donors).max():  # nothing to tell donors apart by
            rows = np.zeros_like(rows)
        if not self.residualize:
            scale = rows.std(ddof=1)
            rows, wanted = np.vstack([rows, scale * past.traits.T]), np.concatenate([wanted, scale * past.own])
        return rows, wanted


def _past(panel: Panel, part: Piece, *, residualize: bool) -> _Past | Refused:
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
    return _Past(outcomes[count:], part.share @ outcomes[:count], traits, own)


def _unsolved(name: str, found: Simplex) -> Refused:
    return Refused(
        f"the augmented synthetic control of {name}",
        f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}",
        "Leave out donors whose level is far from all others.",
    )
