"""Was a problem moved instead of solved? The effect on the areas, on the ring around them, and the net.

The ring is estimated as if it had the programme itself, from the same start and against the same far controls; the net
counts every resident of area and ring once, so that a problem that was only moved comes to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.placebo_sets import without_residents
from impact.inference.protocol import Found, Inference, Uncertainty, evaluate
from impact.longtable import few
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Displaced", "Spillover", "spillover"]

_WHAT = "the spillover"


@dataclass(frozen=True, slots=True, eq=False)
class Displaced:
    """One of the three effects, with what the inference says of it."""

    found: Found
    uncertainty: Uncertainty | Refused


@dataclass(frozen=True, slots=True, eq=False)
class Spillover:
    """What happened in the areas, in the ring around them, and in both together.

    Attributes
    ----------
    area : Displaced or Refused
        The effect on the areas, the ring neither treated nor control.
    ring : Displaced or Refused
        On the units of the ring; an effect in the same direction helped the neighbours too, in the other it was moved.
    net : Displaced or Refused
        On the residents of areas and ring together.
    units : tuple of str
        Of the ring.
    residents : (float, float)
        Of the areas, and of the ring; nan where they are not known.
    """

    area: Displaced | Refused
    ring: Displaced | Refused
    net: Displaced | Refused
    units: tuple[str, ...]
    residents: tuple[float, float]


def spillover(
    estimator: Estimator,
    inference: Inference,
    panel: Panel,
    target: Target,
    near: Int1,
    *,
    streams: Streams,
    parallel: Parallel | None = None,
    rematch: Callable[[Panel], Panel | Refused] | None = None,
) -> Spillover | Refused:
    """The effects on areas, ring and both, each against the units that lie in neither.

    Parameters
    ----------
    estimator, inference
        Any; the same for all three.
    panel : Panel
        The unprepared one, with the units of the ring in it.
    target : Target
        What is asked of areas and ring; of both together the same, with every resident counted once.
    near : (N,) int
        For a unit of the ring the number of the treated area that it lies at (``panel.areas``), else -1. A unit near
        two areas belongs to the one that started first, or is nearest: the caller decides.
    streams : Streams
        Of the inference.
    parallel : Parallel, optional
        In this process by default.
    rematch : callable, optional
        The matching rule; without it a matched panel is compared with all far units.

    Returns
    -------
    Spillover or Refused

    Raises
    ------
    ValueError
        `near` has another length, names no area, or holds a unit that is treated itself.

    References
    ----------
    Butts (2023), Difference-in-differences with spatial spillovers, section 3; Clarke (2017), for rings.
    """
    near = np.asarray(near, dtype=np.intp)
    if near.shape != panel.first.shape or near.min() < -1 or near.max() >= len(panel.areas):
        raise ValueError("near holds for every unit the number of an area of the panel, or -1")
    ring, inside = near >= 0, np.isfinite(panel.first)
    if (ring & inside).any():
        raise ValueError("a unit of the ring is treated itself")
    if not ring.any():
        return Refused(_WHAT, "no unit lies in the ring", "Widen the ring.")
    with_ring = _joined(panel, ring, near)

    def given(asked: Target, pretend: Panel, drop: Bool1, path: str) -> Displaced | Refused:
        pretend = pretend.drop(np.flatnonzero(drop))
        matched = pretend if rematch is None else rematch(pretend)
        if isinstance(matched, Refused):
            return matched
        found = evaluate(estimator, matched, asked)
        if isinstance(found, Refused):
            return found
        drawn = streams.at(path)
        how = work.memory(
            lambda: inference.run(estimator, matched, asked, streams=drawn, parallel=work, full=found),
            "spillover",
            estimator,
            matched,
            asked,
            inference,
            drawn,
        )
        return Displaced(found, how)

    work = parallel or Parallel()
    bare, everybody = replace(panel, pairs=None), replace(target, weighting="resident")
    unknown = _unknown(with_ring)
    return Spillover(
        given(target, bare, ring, "area"),
        given(target, with_ring, inside, "ring"),
        given(everybody, with_ring, np.zeros_like(ring), "net") if unknown is None else unknown,
        tuple(panel.units[row] for row in np.flatnonzero(ring)),
        (_count(panel, inside), _count(panel, ring)),
    )


def _joined(panel: Panel, ring: Bool1, near: Int1) -> Panel:
    """The panel in which the ring starts when its area does (of several starts, at the first)."""
    starts = np.array([panel.first[panel.area == area].min() for area in range(len(panel.areas))])
    first = np.where(ring, starts[near], panel.first)
    return panel.assign(first, np.where(ring, near, panel.area), panel.areas)


def _unknown(panel: Panel) -> Refused | None:
    unknown = without_residents(panel)
    if not unknown:
        return None
    return Refused(
        "the net of area and ring",
        f"{len(unknown)} units have no residents that are known ({few(unknown)}), and everybody is counted once",
        "Name the column with residents= in Panel.from_frame.",
    )


def _count(panel: Panel, rows: Bool1) -> float:
    return float("nan") if panel.residents is None else float(panel.residents[rows].sum())
