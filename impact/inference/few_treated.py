"""Tests that learn the noise of a few treated clusters from the clusters without treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.inference.two_way import Term, TwoWay
from impact.longtable import few
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["ConleyTaber", "FermanPinto", "Size"]

Size = Literal["units", "residents"]

_FEWEST = 8  # clusters without treatment from which a distribution is learned
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class ConleyTaber:
    """What the term would be if every treated cluster had the noise of a cluster without treatment, drawn at random.

    The error of an estimate with few treated clusters is the weighted sum of their noise. Every control cluster shows
    one draw of it: the mean residual of its untreated units, added up over the periods as the term adds up those of the
    treated cluster. One is drawn for every treated cluster, with replacement; to these sums is added the error of the
    comparison itself, as the contributions of the control clusters with random signs (the paper lets their number grow
    and leaves it out). p is the share of draws at least as far from 0 as the estimate, and the interval has every
    effect that is not rejected.

    Valid for any number of treated clusters when the noise of all clusters has one distribution, whatever their size,
    and is independent between clusters. Clusters that differ in size, as areas do, break the first (`FermanPinto`);
    shocks that neighbouring treated clusters share break the second, and then it rejects too often.

    Parameters
    ----------
    draws : int
        Random draws.

    References
    ----------
    Conley & Taber (2011), Review of Economics and Statistics 93(1), sections III-IV; Alvarez & Ferman (2023),
    arXiv 2006.16997, on spatial correlation with more than one treated cluster; Alvarez, Ferman & Wüthrich (2025),
    arXiv 2504.19841.
    """

    draws: int = 9999
    level: float = 0.95

    name: ClassVar[str] = "conley-taber"
    needs: ClassVar[Gives] = Gives.LINEAR

    def __post_init__(self) -> None:
        _checked(self.draws, self.level)

    def run(
        self,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        *,
        streams: Streams,
        parallel: Parallel,
        full: Found | None = None,
    ) -> Uncertainty | Refused:
        """See ``Inference.run``."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        return _run(self.name, found, estimator, None, self.draws, self.level, streams)


@dataclass(frozen=True, slots=True)
class FermanPinto:
    """`ConleyTaber` with the noise of every cluster brought to the size of the one that it stands in for.

    The variance of the noise of a cluster of size M is A + B / M: what all its units share, and what each has of its
    own. A and B are learned from the control clusters, by least squares of their squared noise with neither negative; a
    draw from cluster l for cluster j is multiplied by the root of (A + B / M_j) / (A + B / M_l).

    Parameters
    ----------
    draws : int
        Random draws.
    size : {"units", "residents"}
        What M counts: the units of the cluster that are treated, or that serve as controls; or their residents.

    References
    ----------
    Ferman & Pinto (2019), Review of Economics and Statistics 101(3), sections III-IV.
    """

    draws: int = 9999
    size: Size = "units"
    level: float = 0.95

    name: ClassVar[str] = "ferman-pinto"
    needs: ClassVar[Gives] = Gives.LINEAR

    def __post_init__(self) -> None:
        _checked(self.draws, self.level)
        if self.size not in get_args(Size):
            raise ValueError(f"size={self.size!r} is not one of {', '.join(get_args(Size))}")

    def run(
        self,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        *,
        streams: Streams,
        parallel: Parallel,
        full: Found | None = None,
    ) -> Uncertainty | Refused:
        """See ``Inference.run``."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        if self.size == "units" or not isinstance(found.panel, Panel):
            mass = np.ones(len(found.panel.units))
        else:
            people = found.panel.residents
            known = np.zeros(len(found.panel.units)) if people is None else np.nan_to_num(people)
            serving = found.panel.treated | (found.panel.never & (found.panel.weight > 0))
            lacking = [found.panel.units[row] for row in np.flatnonzero(serving & ~(known > 0))]
            if lacking:
                return Refused(
                    f"uncertainty by {self.name}",
                    f"{len(lacking)} units have no residents, or none that are known ({few(lacking)})",
                    "Name the column with residents= in Panel.from_frame, or use size='units'.",
                )
            mass = known
        return _run(self.name, found, estimator, mass, self.draws, self.level, streams)


def _checked(draws: int, level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level={level} is not between 0 and 1")
    if (1 + draws) * (1 - level) < 1 - _TIE:
        raise ValueError(f"draws={draws} are too few to tell a level of {level:g}")


def _run(
    name: str, found: Found, estimator: Estimator, mass: Float1 | None, draws: int, level: float, streams: Streams
) -> Uncertainty | Refused:
    model = TwoWay.of(found, estimator, name)
    if isinstance(model, Refused):
        return model
    panel, terms = found.panel, len(found.effects.terms)
    controls = np.flatnonzero(~panel.treated & (model.weight > 0))
    homes = np.unique(panel.cluster[controls])
    estimate, error, p_value, reach = found.effects.estimate, *(np.full(terms, np.nan) for _ in range(3))
    refused: list[Refused | None] = [None] * terms
    for number, term in enumerate(model.terms()):
        noise: _Noise | Refused = (
            term if isinstance(term, Refused) else _Noise.of(model, term, number, controls, homes, mass, name)
        )
        if isinstance(noise, Refused):
            refused[number] = noise
            continue
        drawn = np.abs(noise.draw(draws, streams.at(name).generator()))
        error[number] = np.sqrt((drawn**2).mean())
        beyond = int((drawn >= abs(estimate[number]) * (1 - _TIE)).sum())
        p_value[number] = (1 + beyond) / (1 + draws)
        place = int((1 - level) * (draws + 1) + _TIE)
        reach[number] = np.sort(drawn)[-place]
    return Uncertainty(
        name,
        "the effect is 0",
        error,
        np.full(terms, np.nan),
        estimate - reach,
        estimate + reach,
        p_value,
        level,
        tuple(refused),
        *spread(found),
        draws=draws,
        attempted=draws,
        mc_error=np.sqrt(p_value * (1 - p_value) / (1 + draws)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Noise:
    """What the error of one term is made of.

    Attributes
    ----------
    treated : (L, J) float
        Noise of every treated cluster, from each control cluster, as the term counts it.
    comparison : (L,) float
        What the control clusters contribute to the estimate.
    """

    treated: Float2
    comparison: Float1

    @staticmethod
    def of(
        model: TwoWay, term: Term, number: int, controls: Int1, homes: Int1, mass: Float1 | None, name: str
    ) -> _Noise | Refused:
        panel = model.found.panel
        if len(homes) < _FEWEST:
            return Refused(
                f"uncertainty by {name}",
                f"{len(homes)} clusters have units without treatment, and the noise is learned from {_FEWEST} or more",
                "Widen the donor pool, or use cluster-jackknife.",
            )
        place = np.searchsorted(homes, panel.cluster[controls])
        weight, seen = model.weight[controls][:, None] * model.seen[controls], model.seen[controls]
        total = _summed(weight * term.free[controls], place, len(homes))
        there = _summed(weight * seen, place, len(homes))
        mean = np.divide(total, there, out=np.zeros_like(total), where=there > 0)
        treated = np.flatnonzero(panel.treated & (term.pull != 0).any(axis=1))
        clusters, own = np.unique(panel.cluster[treated], return_inverse=True)
        pattern = _summed(term.pull[treated], own.reshape(-1), len(clusters))
        if (np.isclose(there, 0) & (pattern != 0).any(axis=0)).any():
            return Refused(
                f"uncertainty by {name}",
                "some control clusters were not observed in all periods that it uses, so their noise is not known",
                "Leave these units or periods out by name.",
            )
        noise = mean @ pattern.T
        if mass is not None:
            theirs = _summed(mass[controls, None], place, len(homes))[:, 0]
            ours = _summed(mass[treated, None], own.reshape(-1), len(clusters))[:, 0]
            factor = _to_size(noise, theirs, ours, name)
            if isinstance(factor, Refused):
                return factor
            noise = noise * factor
        pulled = (term.pull[controls] * term.free[controls]).sum(axis=1, keepdims=True)
        return _Noise(noise, _summed(pulled, place, len(homes))[:, 0])

    def draw(self, draws: int, generator: np.random.Generator) -> Float1:
        """(B,) errors of the estimate."""
        count, treated = self.treated.shape
        signs = generator.integers(0, 2, size=(draws, count)) * 2.0 - 1.0
        which = generator.integers(0, count, size=(draws, treated))
        return np.asarray(self.treated[which, np.arange(treated)].sum(axis=1) + signs @ self.comparison)


def _summed(rows: Float2, place: Int1, count: int) -> Float2:
    out = np.zeros((count, rows.shape[1]))
    np.add.at(out, place, rows)
    return out


def _to_size(noise: Float2, theirs: Float1, ours: Float1, name: str) -> Float2 | Refused:
    """(L, J) what the noise of every control cluster, of size `theirs` (L,), is multiplied by for sizes `ours` (J,)."""
    from scipy.optimize import nnls

    scale = 1.0 / float((1.0 / theirs).mean())
    design, wanted = (np.column_stack([np.ones(len(size)), scale / size]) for size in (theirs, ours))
    if np.ptp(theirs) <= 1e-9 * theirs.max() and (np.abs(ours - theirs[0]) > 1e-9 * theirs[0]).any():
        return Refused(
            f"uncertainty by {name}",
            "the control clusters are all of one size and the treated of another, so what size does is not known",
            "Use conley-taber, or a donor pool of other sizes.",
        )
    factor = np.ones(noise.shape)
    for column in range(noise.shape[1]):
        squares = noise[:, column] ** 2
        typical = float(squares.mean())
        if typical > 0:
            parts = nnls(design, squares / typical)[0]
            factor[:, column] = np.sqrt((wanted[column] @ parts) / (design @ parts))
    return factor
