"""How far parallel trends may fail before a conclusion changes: intervals that stay valid under bounded departures.

Everything is computed in `impact.numerics`; here it is asked, from numbers of any origin or from an event study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float1, Float2
from impact.checks.event_study import EventStudy
from impact.errors import Problem, Refused, UsageError, raise_all
from impact.numerics.fixed_length import fixed_length
from impact.numerics.moment_inequalities import FIRST, confidence_set, least_favourable
from impact.numerics.trend_bounds import Monotonicity, Restriction, Sign, rays
from impact.streams import Streams

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "DRAWS", "Method", "Question", "bounds", "honest"]

Method = Literal["conditional", "fixed-length"]

COLUMNS = (
    "restriction",
    "sign",
    "monotonicity",
    "method",
    "bound",
    "estimate",
    "lower",
    "upper",
    "breakdown",
    "status",
)
DRAWS = 20_000
_GRID = (0.0, 0.5, 1.0, 1.5, 2.0)
_DOUBLINGS = 20
_HALVINGS = 14
_ROUNDING = 1e-8
_SINGULAR = 1e-12


def honest(
    betahat: ArrayLike,
    sigma: ArrayLike,
    n_pre: int,
    restriction: Restriction = "relative-magnitudes",
    grid: Sequence[float] | None = None,
    combination: ArrayLike | None = None,
    sign: Sign | None = None,
    monotonicity: Monotonicity | None = None,
    *,
    method: Method | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 1,
) -> pd.DataFrame:
    """Intervals for an effect that hold although treated and controls may drift apart, by how far they may.

    Parameters
    ----------
    betahat : (P + Q,) array_like
        Estimates by event time in order: `P` before the start, `Q` after it. All are changes since one reference
        period, the last before the start, which is 0 and is not among them (a *universal base*).
    sigma : (P + Q, P + Q) array_like
        Their covariance. With few clusters one from a normal approximation is too small; see ``Result.honest``.
    n_pre : int
        `P`.
    restriction : {"relative-magnitudes", "smoothness", "smoothness-relative-magnitudes"}
        What bounds the difference in trends. ``relative-magnitudes``: from one period to the next it changes after the
        start by at most `bound` times the largest change before. ``smoothness``: its slope changes by at most `bound`,
        in units of the outcome; 0 is a linear trend. ``smoothness-relative-magnitudes``: its slope changes after the
        start by at most `bound` times the largest change of slope before.
    grid : sequence of float, optional
        Bounds; by default 0 to 2 in steps of a half (``smoothness``: of half the standard error).
    combination : (Q,) array_like, optional
        Weights of the effects that are asked about; the first by default.
    sign : {"positive", "negative"}, optional
        Sign of the difference in trends after the start, where that is known.
    monotonicity : {"increasing", "decreasing"}, optional
        Its direction after the start, where that is known.
    method : {"conditional", "fixed-length"}, optional
        ``conditional``: the set of values that the conditional, least-favourable hybrid test does not reject.
        ``fixed-length``: the shortest interval of a length that does not depend on the estimates, for ``smoothness``
        without `sign` and `monotonicity`, where it is the default.
    level : float
        Of the intervals.
    draws : int
        Random vectors for the first stage of the hybrid.
    seed : int
        Of these.

    Returns
    -------
    DataFrame
        One row per bound: restriction, sign, monotonicity, method, bound, estimate, lower, upper, breakdown, status.
        `breakdown` is the smallest bound whose interval holds 0: 0 when it does so with no departure at all, inf when
        it never does. Where the test rejects every value the ends are nan and `status` says so.

    Raises
    ------
    UsageError
        ``USAGE-003`` a value that is not allowed; ``USAGE-021`` numbers that do not fit together. All at once.

    Notes
    -----
    The covariance is taken as known, and inequalities about periods before the start alone are not used.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5); the R package ``HonestDiD``, methods C-LF and FLCI, whose
    endpoints lie on a grid.
    """
    beta, covariance = np.asarray(betahat, dtype=np.float64), np.asarray(sigma, dtype=np.float64)
    after = beta.size - n_pre
    given = np.eye(1, max(after, 1))[0] if combination is None else np.asarray(combination, dtype=np.float64)
    bounds = None if grid is None else np.asarray(list(grid), dtype=np.float64)
    raise_all(
        [
            *_choices(restriction, sign, monotonicity, method),
            *_numbers(beta, covariance, n_pre, given, restriction),
            *_settings(bounds, level, draws),
        ],
        UsageError,
    )
    return Question(beta, covariance, n_pre, given, restriction, sign, monotonicity, method, level, draws, seed).table(
        bounds
    )


def bounds(
    found: EventStudy,
    restriction: Restriction = "relative-magnitudes",
    grid: Sequence[float] | None = None,
    sign: Sign | None = None,
    monotonicity: Monotonicity | None = None,
    method: Method | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> pd.DataFrame | Refused:
    """As `honest`, of an event study; its level is that of the declared interval.

    Parameters
    ----------
    found : EventStudy
        See ``impact.checks.event_study.event_study``.
    restriction, grid, sign, monotonicity, method, draws, seed
        As in `honest`.

    Returns
    -------
    DataFrame or Refused
        With a column `left_out`: event times before the start that are not used, as they have no error.
    """
    fewest = 2 if restriction == "smoothness-relative-magnitudes" else 1
    if found.averaged and (restriction != "relative-magnitudes" or monotonicity is not None):
        return Refused(
            f"bounds by {restriction} for an average",
            "how a trend bends within the time that is averaged over takes effects by event time",
            "Use relative-magnitudes, or target='event'.",
        )
    what = "bounds under departures from parallel trends"
    if found.before < fewest:
        return Refused(what, f"{restriction} needs {fewest} estimates before the start", "Use relative-magnitudes.")
    if np.linalg.eigvalsh(found.sigma)[0] <= _SINGULAR * float(np.abs(found.sigma).max()):
        return Refused(
            what, "some combination of the estimates has no error: there are more periods than clusters", "Use fewer."
        )
    table = honest(
        found.beta,
        found.sigma,
        found.before,
        restriction,
        grid,
        found.combination,
        sign,
        monotonicity,
        method=method,
        level=found.level,
        draws=draws,
        seed=seed,
    )
    return table.assign(left_out=", ".join(map(str, found.left_out)))


@dataclass(frozen=True, eq=False)
class Question:
    """One combination of effects under one restriction; see `honest`. Its numbers are not checked."""

    beta: Float1
    sigma: Float2
    before: int
    combination: Float1
    restriction: Restriction = "relative-magnitudes"
    sign: Sign | None = None
    monotonicity: Monotonicity | None = None
    method: Method | None = None
    level: float = 0.95
    draws: int = DRAWS
    seed: int = 1

    @property
    def estimate(self) -> float:
        """The combination of the estimates."""
        return float(self.combination @ self.beta[self.before :])

    @property
    def error(self) -> float:
        """Its standard error."""
        after = self.sigma[self.before :, self.before :]
        return float(np.sqrt(self.combination @ after @ self.combination))

    @property
    def chosen(self) -> Method:
        """The method, by default the one that suits the restriction."""
        shaped = self.sign is not None or self.monotonicity is not None
        return self.method or ("conditional" if shaped or self.restriction != "smoothness" else "fixed-length")

    @cached_property
    def errors(self) -> Float2:
        """(draws, K) draws of the error of the estimates."""
        values, vectors = np.linalg.eigh(self.sigma)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        generator = Streams(self.seed).at("honest").generator()
        return np.asarray(generator.standard_normal((self.draws, len(root))) @ root.T)

    def interval(self, bound: float) -> tuple[float, float] | None:
        """The interval at `bound`; None where every value is rejected."""
        size = 1 - self.level
        if self.chosen == "fixed-length":
            found = fixed_length(self.sigma, self.before, self.combination, bound, size)
            middle = float(found.weight @ self.beta)
            return middle - found.half, middle + found.half
        rules = rays(self.sigma, self.before, self.combination, bound, self.restriction, self.sign, self.monotonicity)
        if bound == 0 and self.sign is None and self.monotonicity is None:
            # Upper and lower bound are one: a t-test, without the noise of draws.
            from scipy import stats

            slope = rules.slope[0, -1]
            middle = float(rules.weight[0, -1] @ self.beta / slope)
            reach = float(stats.norm.isf(size / 2) * np.sqrt(rules.covariance[0, -1, -1]) / abs(slope))
            return middle - reach, middle + reach
        critical = least_favourable(rules, self.errors, FIRST * size)
        return confidence_set(rules, self.beta, critical, size)

    @cached_property
    def breakdown(self) -> float:
        """The smallest bound whose interval holds 0; inf when there is none."""

        def holds(bound: float) -> bool:
            found = self.interval(bound)
            return found is not None and found[0] <= 0 <= found[1]

        low, high = 0.0, self._scale
        if holds(low):
            return 0.0
        for _ in range(_DOUBLINGS):
            if holds(high):
                break
            low, high = high, 2 * high
        else:
            return np.inf
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    @property
    def _scale(self) -> float:
        return self.error if self.restriction == "smoothness" else 1.0

    def table(self, grid: Float1 | None = None) -> pd.DataFrame:
        """One row per bound; see `honest`."""
        import pandas as pd

        rows = []
        for bound in self._scale * np.array(_GRID) if grid is None else grid:
            found = self.interval(float(bound))
            low, high = (np.nan, np.nan) if found is None else found
            status = "ok" if found is not None else "refused: the estimates before the start contradict the restriction"
            rows.append((float(bound), self.estimate, low, high, self.breakdown, status))
        table = pd.DataFrame(rows, columns=list(COLUMNS[4:]))
        named: dict[str, Any] = {
            "restriction": self.restriction,
            "sign": self.sign or "",
            "monotonicity": self.monotonicity or "",
            "method": self.chosen,
        }
        return table.assign(**named)[list(COLUMNS)]


def _choices(restriction: str, sign: str | None, monotonicity: str | None, method: str | None) -> list[Problem]:
    asked: list[tuple[str, str | None, Any]] = [
        ("restriction", restriction, Restriction),
        ("sign", sign, Sign),
        ("monotonicity", monotonicity, Monotonicity),
        ("method", method, Method),
    ]
    found = [
        Problem("USAGE-003", f"{name}={value!r} is not one of {', '.join(get_args(allowed))}")
        for name, value, allowed in asked
        if not (value is None and name != "restriction") and value not in get_args(allowed)
    ]
    if method == "fixed-length" and (restriction != "smoothness" or sign is not None or monotonicity is not None):
        found.append(
            Problem(
                "USAGE-003",
                "method='fixed-length' is for restriction='smoothness' without sign and monotonicity",
                "leave method out",
            )
        )
    return found


def _numbers(beta: Float1, sigma: Float2, before: int, combination: Float1, restriction: str) -> list[Problem]:
    def wrong(message: str, hint: str = "") -> Problem:
        return Problem("USAGE-021", message, hint)

    found = []
    if beta.ndim != 1 or not np.isfinite(beta).all():
        found.append(wrong("betahat is not a row of finite numbers", "leave the reference period out of it"))
    fewest = 2 if restriction == "smoothness-relative-magnitudes" else 1
    if not fewest <= before < beta.size:
        found.append(
            wrong(
                f"n_pre={before} of {beta.size} estimates: {restriction} needs at least {fewest} before the start and "
                "one after it"
            )
        )
    elif combination.shape != (beta.size - before,) or not np.isfinite(combination).all() or not combination.any():
        found.append(
            wrong(
                f"combination needs {beta.size - before} finite weights, one for every estimate after the start, not "
                "all 0",
                f"it has shape {combination.shape}",
            )
        )
    if sigma.shape != (beta.size, beta.size):
        found.append(wrong(f"sigma has shape {sigma.shape}, expected {(beta.size, beta.size)}"))
    elif not np.isfinite(sigma).all():
        found.append(wrong("sigma has entries that are not finite"))
    else:
        scale = float(np.abs(sigma).max())
        values = np.linalg.eigvalsh((sigma + sigma.T) / 2)
        if np.abs(sigma - sigma.T).max() > _ROUNDING * scale:
            found.append(wrong("sigma is not symmetric, and so no covariance"))
        elif values[0] < -_ROUNDING * scale:
            found.append(wrong("sigma has a negative eigenvalue, and so is no covariance"))
        elif values[0] <= _SINGULAR * scale:
            found.append(
                wrong(
                    "sigma is singular: some combination of the estimates has no error",
                    "leave the reference period out; fewer periods than clusters",
                )
            )
    return found


def _settings(grid: Float1 | None, level: float, draws: int) -> list[Problem]:
    found = []
    if grid is not None and (not grid.size or not np.isfinite(grid).all() or (grid < 0).any()):
        found.append(Problem("USAGE-003", "grid needs one or more bounds of 0 or more"))
    if not 0.5 <= level < 1:
        found.append(Problem("USAGE-003", f"level={level} is not in [0.5, 1)"))
    elif draws * FIRST * (1 - level) < 5:
        found.append(Problem("USAGE-003", f"draws={draws} are too few for a level of {level:g}"))
    return found
