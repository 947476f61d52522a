"""Many answers at once: p-values and intervals that hold for a whole family of indicators and horizons together.

One set of draws serves all members. They come from the scores of several fitted results on the same clusters, so the
draws move together as the results do.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.inference.multiplier import place, root

__all__ = [
    "Adjusted",
    "Correction",
    "Simultaneous",
    "adjust",
    "confirmations",
    "correlated",
    "flipped",
    "joined",
    "min_p",
    "normal_draws",
    "simultaneous",
    "step_down",
]

Correction = Literal["romano-wolf", "holm", "benjamini-hochberg", "benjamini-yekutieli"]

_MULTIPLETESTS = {"holm": "holm", "benjamini-hochberg": "fdr_bh", "benjamini-yekutieli": "fdr_by"}
_TIE = 1e-12  # of the statistic: equal up to rounding counts as equal
_BLOCK = 1024
_MOST_ENUMERATED = 62


# Draws that move together ---------------------------------------------------------------------------------------------


def joined(scores: Sequence[Float2], clusters: Sequence[Sequence[str]]) -> Float2:
    """(G, M) scores of several results side by side, with a row for every cluster that any of them has.

    Parameters
    ----------
    scores : sequence of (G_i, m_i) float
        Of every result.
    clusters : sequence of sequence of str
        The names of its clusters. One that a result does not have adds nothing to its error: 0.

    Raises
    ------
    ValueError
        A result with another number of clusters than rows, or with one name twice.
    """
    names = list(dict.fromkeys(name for own in clusters for name in own))
    at = {name: row for row, name in enumerate(names)}
    out = np.zeros((len(names), sum(part.shape[1] for part in scores)))
    done = 0
    for part, own in zip(scores, clusters, strict=True):
        if len(own) != len(part) or len(set(own)) != len(own):
            raise ValueError("scores have one row for every cluster, and every cluster one name")
        out[[at[name] for name in own], done : done + part.shape[1]] = part
        done += part.shape[1]
    return out


def correlated(scores: Float2) -> Float2:
    """(M, M) correlations of the estimates behind `scores` (G, M).

    Raises
    ------
    ValueError
        A column of zeros: an estimate without any error has no place in a family.
    """
    size = np.sqrt((scores**2).sum(axis=0))
    if not (np.isfinite(size).all() and (size > 0).all()):
        raise ValueError("every member of a family has scores that are finite and not all 0")
    unit = scores / size
    return np.asarray(unit.T @ unit)


def normal_draws(correlation: Float2, draws: int, generator: np.random.Generator) -> Float2:
    """(B, M) joint draws of the statistics under no effect, on the normal scale.

    The multiplier bootstrap gives every cluster's scores one random factor, alike for all members. With normal factors
    its draws over their errors are exactly normal with the correlations of the scores, so they are drawn from that.
    """
    return np.asarray(generator.standard_normal((draws, len(correlation))) @ root(correlation))


def flipped(imposed: Float2, draws: int, generator: np.random.Generator) -> tuple[Float2, bool]:
    """(B, M) absolute statistics under sign flips of whole clusters, alike for all members; whether these are all.

    Exact where the scores of the clusters are symmetric around 0 under the null. Every statistic is over the root of
    the sum of squares of its scores, which no flip changes, so that members are alike in scale. All ``2^G`` flips are
    taken when that is no more than `draws`.

    Parameters
    ----------
    imposed : (G, M) float
        Scores with the null imposed (``Effects.imposed``); the sum of a column is its estimate.
    draws : int
        Random flips, where not all are taken.
    generator : Generator
        Source of the flips.
    """
    size = np.sqrt((imposed**2).sum(axis=0))
    scaled = imposed[(imposed != 0).any(axis=1)] / size
    enumerated = 2 ** min(len(scaled), _MOST_ENUMERATED) <= draws
    total = 2 ** len(scaled) if enumerated else draws
    out = np.empty((total, scaled.shape[1]))
    for start in range(0, total, _BLOCK):
        rows = min(_BLOCK, total - start)
        if enumerated:
            signs = ((np.arange(start, start + rows)[:, None] >> np.arange(len(scaled))) & 1) * 2.0 - 1.0
        else:
            signs = generator.integers(0, 2, size=(rows, len(scaled))) * 2.0 - 1.0
        out[start : start + rows] = np.abs(signs @ scaled)
    return out, enumerated


# Step-down ------------------------------------------------------------------------------------------------------------


def step_down(observed: Float1, drawn: Float2, *, enumerated: bool = False) -> Float1:
    """(M,) p-values adjusted for the family, by the step-down of the largest statistic.

    The largest statistic is held against the largest of every draw, the next against the largest among those that are
    left, and so on; no p-value is below that of a member with a larger statistic. Reject what is at most alpha: the
    probability of any wrong rejection is then at most alpha, however many members have an effect.

    Parameters
    ----------
    observed : (M,) float
        Statistics; larger is further from the null.
    drawn : (B, M) float
        Joint draws of them under the null.
    enumerated : bool
        Whether the draws are all there are, the real one among them; else the real one is counted beside them, so that
        a p-value is never 0.

    References
    ----------
    Westfall & Young (1993), algorithm 4.1 (free step-down); Romano & Wolf (2005), JASA 100(469), and
    (2016), Statistics & Probability Letters 113 (adjusted p-values).
    """
    order = np.argsort(-observed, kind="stable")
    left = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    beyond = (left >= observed[order] - _TIE * np.abs(observed[order])).sum(axis=0)
    p_value = beyond / len(drawn) if enumerated else (1 + beyond) / (1 + len(drawn))
    out = np.empty(len(observed))
    out[order] = np.maximum.accumulate(p_value)
    return out


def min_p(observed: Float1, drawn: Float2, *, enumerated: bool = False) -> Float1:
    """(M,) p-values adjusted by the step-down of the smallest p-value, which gives every member the same weight.

    Statistics are replaced by their p-values among the draws first, so members whose statistics spread differently are
    alike. Parameters as in `step_down`.

    References
    ----------
    Westfall & Young (1993), section 2.6, algorithm 2.8 (min P).
    """
    rows = drawn if enumerated else np.vstack([observed, drawn])
    slack = _TIE * np.abs(rows).max(axis=0)
    small = np.empty_like(rows)
    own = np.empty(len(observed))
    for column, values in enumerate(rows.T):
        ordered = np.sort(values)
        small[:, column] = (len(rows) - np.searchsorted(ordered, values - slack[column])) / len(rows)
        own[column] = (len(rows) - np.searchsorted(ordered, observed[column] - slack[column])) / len(rows)
    # The real one is among the rows now.
    return step_down(-own, -small, enumerated=True)


# Declared p-values and intervals, adjusted ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Adjusted p-values of a family.

    Attributes
    ----------
    p_value : (M,) float
        Never below those that went in.
    rejected : (M,) bool
        At most `alpha`.
    alpha : float
        Probability of any wrong rejection; by Benjamini-Hochberg and -Yekutieli the expected share of wrong ones.
    mc_error : (M,) float
        Monte-Carlo standard error of the p-values; 0 where nothing was drawn.
    """

    p_value: Float1
    rejected: Bool1
    alpha: float
    mc_error: Float1


def adjust(p_value: Float1, method: Correction, alpha: float = 0.05, drawn: Float2 | None = None) -> Adjusted:
    """Adjust the p-values of a family.

    ``romano-wolf`` takes the p-value of every member as it was declared, puts it on the normal scale,
    ``z = -Φ⁻¹(p / 2)``, and steps down with joint draws there (`normal_draws`). So a member by itself keeps its own
    p-value, from its own degrees of freedom, and the draws only say how the members move together. The joint
    distribution is thus normal with the members' own distributions at the edges (a Gaussian copula): of members whose
    errors are estimated apart it is the fitting one, and it does not lean on errors being too large together.

    The others need no draws: ``holm`` allows for any dependence, ``benjamini-hochberg`` for independence or positive
    dependence, ``benjamini-yekutieli`` for any.

    Parameters
    ----------
    p_value : (M,) float
        Finite, from 0 to 1.
    method : {"romano-wolf", "holm", "benjamini-hochberg", "benjamini-yekutieli"}
        See above.
    alpha : float
        What an adjusted p-value is held against.
    drawn : (B, M) float, optional
        Of ``romano-wolf`` only, which needs them.

    Raises
    ------
    ValueError
        Another method, p-values that are none, or draws that are missing or not of these members.

    References
    ----------
    Romano & Wolf (2005, 2016), see `step_down`; Holm (1979), Scandinavian Journal of Statistics 6(2); Benjamini &
    Hochberg (1995), JRSS B 57(1); Benjamini & Yekutieli (2001), Annals of Statistics 29(4).
    """
    p = np.asarray(p_value, dtype=np.float64)
    if method not in get_args(Correction):
        raise ValueError(f"method={method!r} is not one of {', '.join(get_args(Correction))}")
    if p.ndim != 1 or not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a family has one or more p-values from 0 to 1")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha} is not between 0 and 1")
    if method != "romano-wolf":
        from statsmodels.stats.multitest import multipletests

        _, adjusted, _, _ = multipletests(p, alpha, _MULTIPLETESTS[method])
        adjusted = np.maximum(np.asarray(adjusted, dtype=np.float64), p)
        return Adjusted(adjusted, adjusted <= alpha, alpha, np.zeros(len(p)))
    if drawn is None or drawn.ndim != 2 or drawn.shape[1] != len(p):
        raise ValueError("romano-wolf takes joint draws with one column for every member")
    if len(p) == 1:
        return Adjusted(p, p <= alpha, alpha, np.zeros(1))
    stepped = step_down(_normal(p), np.abs(drawn))
    # Both rise with the declared p-value, so their larger one does.
    adjusted = np.maximum(stepped, p)
    return Adjusted(adjusted, adjusted <= alpha, alpha, np.sqrt(stepped * (1 - stepped) / (1 + len(drawn))))


def _normal(p_value: Float1) -> Float1:
    """(M,) absolute normal deviates with these two-sided p-values."""
    from scipy import special

    return np.asarray(-special.ndtri(np.clip(p_value, np.finfo(np.float64).tiny, 1.0) / 2))


@dataclass(frozen=True, slots=True, eq=False)
class Simultaneous:
    """Intervals that hold for all members of a family at once.

    Attributes
    ----------
    low, high : (M,) float
    level : float
    single : float
        Level of every one of these intervals by itself.
    mc_error : float
        Monte-Carlo standard error of `single`; 0 where nothing was drawn.
    """

    low: Float1
    high: Float1
    level: float
    single: float
    mc_error: float


def simultaneous(
    estimate: Float1, std_error: Float1, df: Float1, level: float = 0.95, drawn: Float2 | None = None
) -> Simultaneous:
    """Widen the t intervals of a family until they hold together.

    With joint draws every interval has the level that the `level` quantile of the largest ``|z|`` has by itself, from
    its own degrees of freedom: members with few clusters get wider intervals than others and equal protection.
    Without draws that is Bonferroni's, ``1 - (1 - level) / M``. They are never narrower than one interval at `level`.
    The step-down may reject a member whose interval holds 0, never the reverse (up to the error of the draws).

    Parameters
    ----------
    estimate, std_error, df : (M,) float
        Standard errors above 0; infinite degrees of freedom for the normal.
    level : float
        Of all intervals together.
    drawn : (B, M) float, optional
        `normal_draws`; not the statistics of `flipped`.

    References
    ----------
    Montiel Olea & Plagborg-Møller (2019), Journal of Applied Econometrics 34(1); Romano & Wolf (2005).
    """
    from scipy import special, stats

    count = len(estimate)
    if drawn is None or count == 1:
        single, mc_error = 1 - (1 - level) / count, 0.0
    else:
        largest = np.sort(np.abs(drawn).max(axis=1))
        rank = place(len(largest), level)
        if rank > len(largest):
            raise ValueError(f"{len(largest)} draws are too few to tell a level of {level:g}")
        wide = int(np.ceil(np.sqrt(len(largest) * level * (1 - level))))
        near = largest[[max(rank - 1 - wide, 0), min(rank - 1 + wide, len(largest) - 1)]]
        low, high = (float(1 - 2 * special.ndtr(-x)) for x in near)
        single, mc_error = max(float(1 - 2 * special.ndtr(-largest[rank - 1])), level), (high - low) / 2
    away = np.asarray(stats.t.isf((1 - single) / 2, df)) * std_error
    return Simultaneous(estimate - away, estimate + away, level, single, mc_error)


def confirmations(rejected: Bool1, whole: Sequence[Hashable]) -> int:
    """How many separate findings there are among the rejected: members that are parts of one sum count once.

    Parameters
    ----------
    rejected : (M,) bool
        Members that are found to differ.
    whole : sequence
        What every member is of: the sum that it is a part of, or itself.
    """
    return len({name for name, found in zip(whole, rejected, strict=True) if found})
