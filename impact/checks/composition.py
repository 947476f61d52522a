"""Did people change, or who lives there? An exact split of the change of a mean, and a check on movers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float2, frozen
from impact.checks.protocol import Check, Verdict

__all__ = ["Split", "movers", "split"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The change of the mean of N areas over P pairs of periods in three parts, which add up to it exactly.

    Each part is an outcome by itself: estimated as one (``panel.with_outcome``), the three effects add up to the effect
    on the mean wherever an estimator is linear in the outcome with the same weights.

    Attributes
    ----------
    stayers : (N, P) float
        Change of those who live there in both periods.
    arrivers : (N, P) float
        What the mean gains because who came differs from who stayed.
    leavers : (N, P) float
        What the mean gains because who left differed from who stayed.
    """

    stayers: Float2
    arrivers: Float2
    leavers: Float2

    @property
    def total(self) -> Float2:
        """(N, P) the change of the mean."""
        return np.asarray(self.stayers + self.arrivers + self.leavers)


def split(
    *,
    stayers: ArrayLike,
    stayers_before: ArrayLike,
    stayers_after: ArrayLike,
    arrivers: ArrayLike,
    arrivers_after: ArrayLike,
    leavers: ArrayLike,
    leavers_before: ArrayLike,
) -> Split:
    """Split the change of a mean between stayers, arrivers and leavers.

    Parameters
    ----------
    stayers, arrivers, leavers : (N, P) array
        Numbers of people: in both periods, in the second alone, in the first alone.
    stayers_before, stayers_after, arrivers_after, leavers_before : (N, P) array
        Their mean outcome in the first or the second period; anything, also nan, where there is nobody.

    Returns
    -------
    Split
        nan where nobody stayed: then nothing says what stayers did.

    Raises
    ------
    ValueError
        Shapes differ, a number of people is negative or unknown, or the mean of people who are there is unknown.
    """
    names = ("stayers", "arrivers", "leavers", "stayers_before", "stayers_after", "arrivers_after", "leavers_before")
    given = (stayers, arrivers, leavers, stayers_before, stayers_after, arrivers_after, leavers_before)
    arrays = dict(zip(names, (np.asarray(one, dtype=np.float64) for one in given), strict=True))
    shapes = {one.shape for one in arrays.values()}
    if len(shapes) > 1:
        raise ValueError(f"all seven have one shape, and these have {', '.join(map(str, sorted(shapes)))}")
    stay, come, go = (arrays[name] for name in names[:3])
    for name in names[:3]:
        if not (arrays[name] >= 0).all():
            raise ValueError(f"{name} holds numbers of people, 0 or more")
    for name, people in zip(names[3:], (stay, stay, come, go), strict=True):
        if np.isnan(arrays[name][people > 0]).any():
            raise ValueError(f"{name} is unknown where there are people")
    nobody = stay == 0

    def mean(name: str, people: Float2) -> Float2:
        return np.where(people > 0, arrays[name], 0.0)

    before, after = mean("stayers_before", stay), mean("stayers_after", stay)
    new = _share(come, stay + come) * np.where(come > 0, mean("arrivers_after", come) - after, 0.0)
    old = _share(go, stay + go) * np.where(go > 0, mean("leavers_before", go) - before, 0.0)
    parts = (np.where(nobody, np.nan, part) for part in (after - before, new, -old))
    return Split(*(frozen(part) for part in parts))


def movers(treated: float, control: float, threshold: float) -> Check:
    """The share of people who are new since the start differs by at most `threshold` from that of the comparison.

    New buildings and movers change who is counted; an effect on the mean is then not one on people. Reported, never a
    gate: it looks at what happened after the start.

    Parameters
    ----------
    treated, control : float
        Shares of residents (or dwellings) that are new; nan where they are not known.
    threshold : float
        Largest difference, as a share.
    """
    apart = abs(treated - control)
    if np.isnan(apart):
        return Check("composition", None, threshold, "not_evaluated", False, "post", "composition")
    near: Verdict = "pass" if apart <= threshold else "fail"
    return Check("composition", float(apart), threshold, near, False, "post", "composition")


def _share(part: Float2, whole: Float2) -> Float2:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
