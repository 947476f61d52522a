"""What outcomes before the start are made of: shocks that clusters share, those of units, and how long both last.

``y_it = unit_i + period_t + s_c(i)t + u_it + w_it + e_it``: shocks ``s`` of a cluster and ``u`` of a unit that die out
as an AR(1), a passing shock ``w``, and the known sampling error ``e``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, optimize

from impact.arrays import Float1, Float2, Float3, Int1
from impact.errors import Refused

__all__ = ["FEWEST_PERIODS", "MOST_LASTING", "PASSING_FROM", "Components", "components", "lasting"]

FEWEST_PERIODS = 3
"""Periods from which on it shows how long a shock lasts."""
PASSING_FROM = 4
"""Periods from which on a passing shock can be told from one that lasts."""
MOST_LASTING = 0.98
"""The largest share of a shock that is left a period later; beyond it a stationary shock cannot be told from a walk."""

_WHAT = "the components of the outcomes before the start"
_NONE = 1e-3  # of the variance within these periods: a component below this is none
_STEP = 1e-4
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """What was estimated, each with its 95% interval.

    Attributes
    ----------
    shared, own, passing : float
        Standard deviations of the shocks ``s``, ``u`` and ``w``, in the unit of the outcome.
    lasting : float
        Share of a shock ``s`` or ``u`` that is left one period (of `when`) later.
    intervals : mapping of name to (float, float)
        Of those that were estimated and do not lie on the edge of what is possible, as a shock of size 0 does.
    covariance : (p, p) float
        Of `free`, the parameters that are not on an edge: logarithms of standard deviations, and `lasting` itself.
    free : tuple of str
        Their names.
    units, clusters, periods : int
        Behind the estimate.
    separate : bool
        Whether clusters hold several units, so that what is shared can be told from what is not.
    near : float
        Share of the variance of `shared` that clusters near each other have in common (at no distance).
    reach : float
        Distance over which that falls to a third (exactly 1/e), in metres; 0 for none.
    near_error : float or None
        Standard error of `near`; None where no places are known.
    """

    shared: float
    own: float
    passing: float
    lasting: float
    intervals: dict[str, tuple[float, float]]
    covariance: Float2
    free: tuple[str, ...]
    units: int
    clusters: int
    periods: int
    separate: bool
    near: float = 0.0
    reach: float = 0.0
    near_error: float | None = None

    def at(self, values: Float1) -> Components:
        """Those with other `values` (p,) of the parameters in `free`; see `covariance`."""
        given = {
            name: float(value) if name == "lasting" else float(np.exp(value))
            for name, value in zip(self.free, values.tolist(), strict=True)
        }
        return replace(self, **given)  # type: ignore[arg-type]

    @property
    def values(self) -> Float1:
        """(p,) the parameters in `free`."""
        return np.array([self.lasting if name == "lasting" else np.log(getattr(self, name)) for name in self.free])


def lasting(when: Float1, share: float) -> Float2:
    """(T, T) correlations of an AR(1) at the times `when` (T,), which need not be one apart."""
    return np.asarray(share ** np.abs(when[:, None] - when[None, :]))


def components(y: Float2, cluster: Int1, when: Float1, noise: Float2 | None = None) -> Components | Refused:
    """Components by restricted maximum likelihood.

    Unit effects are removed by contrasts and period effects by generalised least squares, so that neither biases what
    is found: with few periods an AR(1) that is estimated beside unit effects comes out far too short (Nickell 1981),
    and the likelihood of contrasts does not suffer from that.

    Parameters
    ----------
    y : (N, T) float
        Outcomes before anything could respond, without gaps.
    cluster : (N,) int
        Who shares shocks.
    when : (T,) float
        The time of every period.
    noise : (N, T) float, optional
        Known sampling variances. The mean over the units of a cluster is used: that leaves the second moments which
        the estimate rests on as they are.

    Returns
    -------
    Components or Refused
        Refused with fewer than three periods, fewer than four clusters, or outcomes that do not move.

    References
    ----------
    Hsiao, Pesaran & Tahmiscioglu (2002), Journal of Econometrics 109 (the likelihood of differences); Cheang & Reinsel
    (2000), JASA 95 (restricted likelihood and the bias of an AR coefficient); Hansen (2007), Journal of Econometrics
    140 (that bias in difference-in-differences).
    """
    count, length = y.shape
    if length < FEWEST_PERIODS:
        return Refused(
            _WHAT,
            f"the number of periods before the first start is {length}, and how long a "
            f"shock lasts shows from {FEWEST_PERIODS} on",
            "Add earlier periods.",
        )
    codes, member = np.unique(cluster, return_inverse=True)
    if len(codes) < 4:
        return Refused(
            _WHAT,
            f"the units lie in {len(codes)} clusters, and what these share shows from 4 on",
            "Widen the comparison, or take another cluster.",
        )
    sums = _Sums.of(y, member, when, noise)
    scale = float((sums.between**2).sum() + np.trace(sums.within.sum(axis=0))) / (max(count - 1, 1) * (length - 1))
    if not scale > (1e-10 * max(float(np.abs(y).max()), 1e-300)) ** 2:
        return Refused(_WHAT, "the outcomes do not move beside a course that all share", "Check the figures.")
    separate = len(codes) < count
    names = ("shared", *(("own",) if separate else ()), *(("passing",) if length >= PASSING_FROM else ()), "lasting")
    found = _maximum(sums, scale, names)
    at = dict(zip(names, found.tolist(), strict=True))
    free = tuple(name for name in names if not _on_edge(name, at[name], scale))
    sizes = {name: float(np.sqrt(max(at[name], 0.0))) if name in free else 0.0 for name in names if name != "lasting"}
    made = Components(
        sizes["shared"],
        sizes.get("own", 0.0),
        sizes.get("passing", 0.0),
        at["lasting"],
        {},
        np.zeros((0, 0)),
        free,
        count,
        len(codes),
        length,
        separate,
    )
    covariance = _sandwich(sums, made)
    return replace(made, covariance=covariance, intervals=_intervals(made, covariance))


# --- the likelihood ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """All that the likelihood needs: contrasts over time, summed by cluster.

    Attributes
    ----------
    size : (G,) float
        Units of a cluster.
    between : (G, T-1) float
        Root of the size times the mean contrast of its units.
    within : (G, T-1, T-1) float
        Sums of squares and products around that mean.
    noise : (G, T-1, T-1) float
        Known covariance of a unit's contrasts, in the mean of the cluster.
    contrast : (T-1, T) float
    when : (T,) float
    """

    size: Float1
    between: Float2
    within: Float3
    noise: Float3
    contrast: Float2
    when: Float1

    @staticmethod
    def of(y: Float2, member: Int1, when: Float1, noise: Float2 | None) -> _Sums:
        length = y.shape[1]
        contrast = linalg.helmert(length)
        # A course that all share drops out anyway; without it sums keep their digits.
        z = (y - y.mean(axis=0)) @ contrast.T
        size = np.bincount(member).astype(np.float64)
        mean = np.zeros((len(size), length - 1))
        np.add.at(mean, member, z)
        mean /= size[:, None]
        apart = z - mean[member]
        within = np.zeros((len(size), length - 1, length - 1))
        np.add.at(within, member, apart[:, :, None] * apart[:, None, :])
        known = np.zeros((len(size), length))
        if noise is not None:
            np.add.at(known, member, noise)
            known /= size[:, None]
        return _Sums(
            size,
            mean * np.sqrt(size)[:, None],
            within,
            np.einsum("at,gt,bt->gab", contrast, known, contrast),
            contrast,
            when,
        )

    def covariances(self, shared: float, own: float, passing: float, share: float) -> tuple[Float3, Float3]:
        """(G, T-1, T-1) of a unit around its cluster, and of `between`; from variances."""
        moving = self.contrast @ lasting(self.when, share) @ self.contrast.T
        each = own * moving + passing * np.eye(len(moving)) + self.noise
        return each, each + self.size[:, None, None] * (shared * moving)

    def by_cluster(self, shared: float, own: float, passing: float, share: float) -> tuple[Float1, float]:
        """(G,) twice the negative log likelihood of every cluster, and the part for period effects that are unknown."""
        each, whole = self.covariances(shared, own, passing, share)
        floor = 1e-12 * float(np.trace(whole.mean(axis=0))) * np.eye(each.shape[1])
        inverse, log_whole = _inverse(whole + floor)
        weight = np.einsum("g,gab->ab", self.size, inverse)
        pulled = np.einsum("g,gab,gb->a", np.sqrt(self.size), inverse, self.between)
        rest = self.between - np.sqrt(self.size)[:, None] * np.linalg.solve(weight, pulled)
        found = log_whole + np.einsum("ga,gab,gb->g", rest, inverse, rest)
        several = self.size > 1
        if several.any():
            inverse, log_each = _inverse(each[several] + floor)
            found[several] += (self.size[several] - 1) * log_each
            found[several] += np.einsum("gab,gba->g", inverse, self.within[several])
        return found, float(np.linalg.slogdet(weight)[1])


def _inverse(matrices: Float3) -> tuple[Float3, Float1]:
    """Inverses and log determinants; equal matrices are done once."""
    sign, log = np.linalg.slogdet(matrices)
    return np.asarray(np.linalg.inv(matrices)), np.where(sign > 0, log, np.inf)


def _maximum(sums: _Sums, scale: float, names: tuple[str, ...]) -> Float1:
    """Variances and `lasting` at which the likelihood is largest, from several starts.

    Variances are sought as what they add within these periods: that hardly depends on how long shocks last, while the
    variance itself grows without bound.
    """
    bounds = [(0.0, MOST_LASTING) if name == "lasting" else (np.log(_NONE / 10), np.log(20.0)) for name in names]

    def variances(at: Float1) -> dict[str, float]:
        given = dict(zip(names, at.tolist(), strict=True))
        share = given.pop("lasting")
        moving = float(np.trace(sums.contrast @ lasting(sums.when, share) @ sums.contrast.T)) / len(sums.contrast)
        found = {name: scale * np.exp(x) / (1.0 if name == "passing" else moving) for name, x in given.items()}
        return {"shared": 0.0, "own": 0.0, "passing": 0.0, **found, "share": share}

    def loss(at: Float1) -> float:
        found, rest = sums.by_cluster(**variances(at))
        total = float(found.sum()) + rest
        return total if np.isfinite(total) else 1e300

    best: optimize.OptimizeResult | None = None
    for share in (0.2, 0.6, 0.9):
        for part in (0.2, 0.6):
            start = np.array(
                [share if name == "lasting" else np.log(part if name != "own" else 1 - part) for name in names]
            )
            found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds)
            if best is None or found.fun < best.fun - 1e-9:
                best = found
    assert best is not None
    given = variances(best.x)
    return np.array([given["share"] if name == "lasting" else given[name] for name in names])


def _on_edge(name: str, value: float, scale: float) -> bool:
    if name == "lasting":
        return not 1e-3 < value < MOST_LASTING - 1e-3
    return value < _NONE * scale


# --- how sure ---------------------------------------------------------------------------------------------------------


def _sandwich(sums: _Sums, made: Components) -> Float2:
    """(p, p) robust covariance of the free parameters: clusters are independent, their shocks need not be normal."""
    count = len(made.free)
    if not count:
        return np.zeros((0, 0))
    centre = made.values

    def each(at: Float1) -> Float1:
        one = made.at(at)
        return sums.by_cluster(one.shared**2, one.own**2, one.passing**2, one.lasting)[0] / 2

    steps = _STEP * np.eye(count)
    scores = np.array([(each(centre + step) - each(centre - step)) / (2 * _STEP) for step in steps])
    gradient = [
        [
            (
                each(centre + one + other).sum()
                - each(centre + one - other).sum()
                - each(centre - one + other).sum()
                + each(centre - one - other).sum()
            )
            / (4 * _STEP**2)
            for other in steps
        ]
        for one in steps
    ]
    bread = np.linalg.pinv(np.array(gradient), hermitian=True, rcond=1e-10)
    return np.asarray(bread @ (scores @ scores.T) @ bread)


def _intervals(made: Components, covariance: Float2) -> dict[str, tuple[float, float]]:
    found = {}
    for name, value, error in zip(made.free, made.values.tolist(), np.sqrt(np.diag(covariance)).tolist(), strict=True):
        low, high = value - _Z * error, value + _Z * error
        if name == "lasting":
            found[name] = (max(low, 0.0), min(high, MOST_LASTING))
        else:
            found[name] = (float(np.exp(low)), float(np.exp(min(high, 700.0))))
    return found
