"""The course of a treated area, or of several together: observed, and as imputed without treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.errors import Problem, UsageError
from impact.longtable import few
from impact.panel import Panel

__all__ = ["Course", "course", "each_area"]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Weighted means of treated units by period, in units of the outcome.

    Attributes
    ----------
    name : str
        Of the area or group; "all treated".
    observed, imputed : (T,) float
        nan in a period in which one of the units has none: a mean over some would be another mean.
    starts : tuple of int
        First treated periods.
    areas : int
        How many areas it is the mean of.
    without : tuple of str
        Areas with units that have no imputed outcome in any period; these units are left out.
    """

    name: str
    observed: Float1
    imputed: Float1
    starts: tuple[int, ...]
    areas: int
    without: tuple[str, ...] = ()

    @property
    def gap(self) -> Float1:
        """(T,) observed less imputed."""
        return self.observed - self.imputed

    def rmspe(self) -> float | None:
        """Root mean square of the gaps before the first start; None where there is none."""
        before = self.gap[: self.starts[0]]
        known = before[np.isfinite(before)]
        if not known.size:
            return None
        value = float(np.sqrt(np.mean(known**2)))
        return value if value > 1e-12 * float(np.nanmax(np.abs(self.observed))) else 0.0  # less is rounding

    def effect(self) -> float | None:
        """Mean gap from the last start on; None where there is none."""
        after = self.gap[self.starts[-1] :]
        known = after[np.isfinite(after)]
        return float(known.mean()) if known.size else None


def course(panel: Panel, untreated: Float2, of: str | None = None) -> Course:
    """The course of all treated units with weight, or of those in the group or area `of`.

    Raises
    ------
    UsageError
        ``USAGE-008``: there is no such group or area, or nothing was imputed for it.
    """
    members = panel.treated & (panel.weight > 0)
    if of is not None and of in panel.group_names:
        members = members & (panel.group == panel.group_names.index(of))
    elif of is not None and of in panel.areas:
        members = members & (panel.area == panel.areas.index(of))
    elif of is not None:
        known = few([*dict.fromkeys([*panel.group_names, *panel.areas])], 20)
        raise UsageError(Problem("USAGE-008", f"{of!r} is no group or area of the treated", f"these are: {known}"))
    return _mean(panel, untreated, members, of or "")


def each_area(panel: Panel, untreated: Float2) -> tuple[list[Course], tuple[str, ...]]:
    """The course of every treated area, in the order of the panel; and the areas for which nothing was imputed."""
    there = panel.treated & (panel.weight > 0)
    imputed = np.isfinite(untreated).any(axis=1)
    found, missing = [], []
    for area in np.unique(panel.area[there]):
        inside = there & (panel.area == area)
        if (inside & imputed).any():
            found.append(_mean(panel, untreated, inside, panel.areas[area]))
        else:
            missing.append(panel.areas[area])
    return found, tuple(missing)


def _mean(panel: Panel, untreated: Float2, members: Bool1, name: str) -> Course:
    inside = members & np.isfinite(untreated).any(axis=1)
    if not inside.any():
        raise UsageError(
            Problem(
                "USAGE-008", f"no untreated outcome was imputed for {name or 'the treated'}", "see the notes of the fit"
            )
        )
    weight = panel.weight[inside] / panel.weight[inside].sum()
    surface = untreated[inside]
    lost, areas = np.unique(panel.area[members & ~inside]), np.unique(panel.area[inside])
    return Course(
        name or (panel.areas[areas[0]] if len(areas) == 1 else "all treated"),
        weight @ panel.y[inside],
        np.where(np.isfinite(surface).all(axis=0), weight @ np.nan_to_num(surface), np.nan),
        tuple(int(start) for start in np.unique(panel.first[inside])),
        len(areas),
        tuple(panel.areas[area] for area in lost),
    )
