"""Do two estimators differ by more than chance? The difference of their estimates, with the error of the difference."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.inference.few import too_few
from impact.inference.protocol import Found, spread
from impact.panel import Panel
from impact.targets import Effects, Target

__all__ = ["Contrast", "Joint", "contrast"]

# Of the error of an estimate: a difference, or an error of one, that is smaller is rounding.
_SAME = 1e-7
# Fewest treated clusters behind an error, and fewest degrees of freedom that the joint test may leave.
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Joint:
    """A test that two estimators have the same effect in every group and period after the start.

    Attributes
    ----------
    cells : int
        Groups and periods that both estimate.
    statistic : float
        F.
    rank : int
        Directions in which the two can differ, the first degrees of freedom; 0 when they are the same by construction.
    df : int
        The second.
    p_value : float
    """

    cells: int
    statistic: float
    rank: int
    df: int
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """The second estimator less the first, over the `m` terms that both have.

    Attributes
    ----------
    terms : tuple of str
    difference, std_error, df, low, high, p_value : (m,) float
        nan where a term has no error. Two estimates that are one number by construction have an error of 0 and a
        p-value of 1.
    level : float
        Of the interval.
    refused : tuple of Refused or None, one per term
    alike : (m,) bool
        Whether both make the term of the same groups and periods, with the same weights.
    joint : Joint or Refused
    null : str
        The hypothesis behind the p-values, in words.
    """

    terms: tuple[str, ...]
    difference: Float1
    std_error: Float1
    df: Float1
    low: Float1
    high: Float1
    p_value: Float1
    level: float
    refused: tuple[Refused | None, ...]
    alike: Bool1
    joint: Joint | Refused
    null: str = "the two estimate the same effect"

    @property
    def identical(self) -> bool:
        """Whether the two are one estimator, by construction, as far as this design goes."""
        return bool((self.std_error == 0).all()) and isinstance(self.joint, Joint) and self.joint.rank == 0


def contrast(
    first: Found,
    second: Found,
    target: Target,
    level: float = 0.95,
    names: tuple[str, str] = ("the first", "the second"),
) -> Contrast | Refused:
    """Compare two estimates of one `target` on one panel.

    Both are sums of scores over the same clusters, so the error of their difference is that of the difference of their
    scores, ``V = Σ (s_2g - s_1g)²``. Unlike Hausman's form this does not ask that one of the two is efficient, and it
    is never negative. Degrees of freedom are those of `ClusterJackknife`, min(G, treated G) - 1 as counted in the term;
    below 4 treated clusters there is no error.

    Scores are made comparable first. Some estimators hold the shares of the groups fixed; here both count them as
    sampled. Scores that are centred on something else than the mean effect of a group (the conservative centre of
    imputation) are moved to that mean, so that what single units deviate from it cancels. (Leave-one-out scores keep
    their factor, which makes the error of the difference a little too large.)

    The joint test is over the effects of all groups and periods after the start that both estimate:
    ``W = d' V⁺ d`` with the pseudo-inverse of the covariance of the differences, of rank r. With k treated clusters in
    c groups, around whose means the scores lie, ``F = (k - c - r + 1) / (k r) W`` has r and k - c - r + 1 degrees of
    freedom (Hotelling's T², for scores around c means). It is refused where fewer than 4 would be left. Between an
    estimator that uses parallel trends in all periods before the start and one that uses a single base period this is
    the over-identification test of those trends. In this programme's design, where nothing differs, t rejects in 3 to
    5 % of worlds and F in 3 to 4, at 5 % (``tests/simulation/test_contrast.py``); chi-squared in up to 12.

    Returns
    -------
    Contrast or Refused
        A refusal when one of the two has no scores, or when they have no term in common.

    References
    ----------
    Hausman (1978), Econometrica 46(6); Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), on what the
    estimators assume; Hotelling (1931), Annals of Mathematical Statistics 2(3).
    """
    without = [name for name, found in zip(names, (first, second), strict=True) if found.effects.scores is None]
    if without:
        return Refused(
            "the error of the difference",
            f"{without[0]} has no influence scores",
            "Hold their intervals side by side.",
        )
    units = [found.fit.unit or "the unit of the outcome" for found in (first, second)]
    if units[0] != units[1]:
        return Refused(
            "the difference",
            f"{names[0]} is in {units[0]} and {names[1]} in {units[1]}",
            'Use ("poisson", {"effect": "level"}).',
        )
    terms = tuple(term for term in first.effects.terms if term in second.effects.terms)
    if not terms:
        return Refused(
            "the difference", "the two have no term in common", "Choose a target over periods that both estimate."
        )
    mine, theirs = (np.array([found.effects.terms.index(term) for term in terms]) for found in (first, second))
    one, two = _of_terms(first, target)[:, mine], _of_terms(second, target)[:, theirs]
    clusters, treated = (
        np.minimum(ours[mine], others[theirs])
        for ours, others in zip(spread(first)[:2], spread(second)[:2], strict=True)
    )
    difference = second.effects.estimate[theirs] - first.effects.estimate[mine]
    error = _size(two - one)
    floor = _SAME * np.maximum(_size(one), _size(two))
    same = (error <= floor) & (np.abs(difference) <= floor)
    refused = tuple(
        None if alike else _refused(int(count), bare)
        for alike, count, bare in zip(same, treated, error <= floor, strict=True)
    )
    return _tested(
        terms,
        difference,
        error,
        np.minimum(clusters, treated) - 1.0,
        level,
        same,
        refused,
        _alike(first, second, mine, theirs),
        _joint(first, second),
    )


def _tested(
    terms: tuple[str, ...],
    difference: Float1,
    error: Float1,
    df: Float1,
    level: float,
    same: Bool1,
    refused: tuple[Refused | None, ...],
    alike: Bool1,
    joint: Joint | Refused,
) -> Contrast:
    """The t interval and p-value of every difference that is not refused."""
    from scipy import stats

    given = np.array([reason is None for reason in refused])
    error = np.where(given, np.where(same, 0.0, error), np.nan)
    df = np.where(given, df, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = np.where(same, 1.0, 2 * stats.t.sf(np.abs(difference) / error, df))
    reach = np.where(same, 0.0, stats.t.ppf(0.5 + level / 2, df) * error)
    return Contrast(
        terms,
        difference,
        error,
        df,
        difference - reach,
        difference + reach,
        p_value,
        level,
        refused,
        alike,
        joint,
    )


def _refused(treated: int, bare: bool) -> Refused | None:
    if bare:
        return Refused(
            "the error of the difference",
            "the clusters show no sampling error in it",
            "Look for outcomes without any noise.",
        )
    (refused,) = too_few(np.array([treated]), "the error of the difference")
    return None if refused is None else replace(refused, instead="Use a target over more areas.")


def _size(scores: Float2) -> Float1:
    return np.asarray(np.sqrt((scores**2).sum(axis=0)))


# Scores that can be subtracted ----------------------------------------------------------------------------------------


def _of_terms(found: Found, target: Target) -> Float2:
    """(G, m) scores of the terms, shares counted as sampled and centred on the mean of every group."""
    cells, panel = found.fit.cells, found.panel
    if cells.scores is None:
        raise ValueError("these cells have no scores")
    sampled = replace(cells, scores=replace(cells.scores, conditional=False))
    effects = target.of(sampled, panel)
    if not isinstance(effects, Effects) or effects.scores is None:
        raise ValueError("the target gives the terms that it gave before")
    off = np.zeros((len(panel.groups), len(effects.terms)))
    np.add.at(off, cells.group, effects.weights * _off(cells)[:, None])
    return np.asarray(effects.scores - _share(panel) @ off)


def _of_cells(found: Found, chosen: Int1) -> Float2:
    """(G, C) scores of the cells `chosen`, centred on the mean of every group."""
    cells = found.fit.cells
    if cells.scores is None:
        raise ValueError("these cells have no scores")
    pick = np.zeros((len(cells.effect), len(chosen)))
    pick[chosen, np.arange(len(chosen))] = 1.0
    return np.asarray(cells.scores.at(pick) - _share(found.panel)[:, cells.group[chosen]] * _off(cells)[chosen])


def _off(cells: Cells) -> Float1:
    """(C,) what the scores sum to: how far their centre lies from the mean effect of the group, and 0 where they are
    centred on that."""
    if cells.scores is None:
        raise ValueError("these cells have no scores")
    return np.asarray(cells.scores.at(np.eye(len(cells.effect))).sum(axis=0))


def _share(panel: Panel) -> Float2:
    """(G, K) share of every cluster in the treated weight of every group."""
    inside = panel.group >= 0
    out = np.zeros((len(panel.clusters), len(panel.groups)))
    np.add.at(out, (panel.cluster[inside], panel.group[inside]), panel.weight[inside])
    total = out.sum(axis=0)
    return np.asarray(np.divide(out, total, out=np.zeros_like(out), where=total > 0))


def _alike(first: Found, second: Found, mine: Int1, theirs: Int1) -> Bool1:
    """(m,) whether a term weighs the same groups and periods in both."""
    out = []
    for one, two in zip(mine, theirs, strict=True):
        weights = []
        for found, column in ((first, one), (second, two)):
            weight = found.effects.weights[:, column]
            weights.append({at: weight[cell] for at, cell in _places(found.fit.cells).items() if weight[cell]})
        out.append(
            weights[0].keys() == weights[1].keys()
            and all(abs(weights[1][at] - w) < 1e-9 for at, w in weights[0].items())
        )
    return np.array(out)


def _places(cells: Cells) -> dict[tuple[int, int], int]:
    """Number of every cell, by group and period."""
    return {(int(group), int(at)): cell for cell, (group, at) in enumerate(zip(cells.group, cells.period, strict=True))}


# All groups and periods at once ---------------------------------------------------------------------------------------


def _joint(first: Found, second: Found) -> Joint | Refused:
    what = "the joint test"
    mine, theirs = _places(first.fit.cells), _places(second.fit.cells)
    both = [at for at, cell in mine.items() if first.fit.cells.post[cell] and at in theirs]
    if not both:
        return Refused(what, "the two have no group and period after the start in common")
    one, two = np.array([mine[at] for at in both]), np.array([theirs[at] for at in both])
    difference = second.fit.cells.effect[two] - first.fit.cells.effect[one]
    before, after = _of_cells(first, one), _of_cells(second, two)
    _, size, turn = np.linalg.svd(after - before, full_matrices=False)
    floor = _SAME * max(np.linalg.norm(before, 2), np.linalg.norm(after, 2))
    rank = int((size > floor).sum())
    turned = turn[:rank] @ difference
    if np.linalg.norm(difference - turn[:rank].T @ turned) > floor * np.sqrt(len(both)):
        return Refused(what, "the two differ in a direction in which the clusters show no sampling error")
    if rank == 0:
        return Joint(len(both), 0.0, 0, 0, 1.0)
    groups = sorted({group for group, _ in both})
    treated = int((_share(first.panel)[:, groups] > 0).any(axis=1).sum())
    left = treated - len(groups) - rank + 1
    if left < _FEWEST:
        return Refused(
            what,
            f"the two can differ in {rank} directions, and {treated} treated clusters in {len(groups)} groups leave "
            f"{max(left, 0)} degrees of freedom where {_FEWEST} are needed",
            "Look at the difference of the average alone.",
        )
    from scipy import stats

    statistic = left / (treated * rank) * float(((turned / size[:rank]) ** 2).sum())
    return Joint(len(both), statistic, rank, left, float(stats.f.sf(statistic, rank, left)))
