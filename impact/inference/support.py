"""Which pair of estimator and inference is known to hold its level with so many treated clusters.

The table beside this file is made by simulation: ``python -m tests.simulation.support`` for difference-in-differences,
``python -m tests.simulation.test_synthetic`` for synthetic controls; both through ``impact.inference.diagnose``. It is
about tests at 5 % and intervals of 95 %, methods with their standard options, and estimates without covariates.

A cell is one pair with one number of treated clusters, over all designs in which it was tried. Its word (`judged`) goes
by the highest and the lowest rate of error, each with two Monte-Carlo errors either way:

- ``sized``: both stay between 2.5 % and 7.5 % (Bradley 1978, the liberal criterion for robustness of a test at 5 %);
- ``conservative``: neither is above it, and one may be below;
- ``unsized``: one may be above it, or there were fewer than 5,000 worlds; and so is whatever is not listed;
- ``refused``: there was neither interval nor p-value in any world.

References
----------
Bradley (1978), "Robustness?", British Journal of Mathematical and Statistical Psychology 31(2).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

from impact.errors import Refused

__all__ = ["BAND", "ENOUGH", "Cell", "Support", "cells", "judged", "mc_error", "status", "support"]

Support = Literal["sized", "conservative", "unsized", "refused"]
_WORSE = get_args(Support)
"""From the most that can be said to the least."""

BAND = (0.025, 0.075)
ENOUGH = 5_000


@dataclass(frozen=True, slots=True)
class Cell:
    """What was found of one pair with one number of treated clusters.

    Attributes
    ----------
    estimator, inference : str
    treated : int
        Treated clusters with weight.
    status : {"sized", "conservative", "unsized", "refused"}
    most, least : float or None
        Highest and lowest share of worlds with an error: an effect seen that is not there, or an interval without the
        truth. None where nothing was given.
    mc_error : float or None
        Monte-Carlo standard error of `most`.
    coverage : float or None
        Lowest share of intervals that hold the truth; None for an inference without intervals.
    worlds : int
        Behind every rate, at least.
    largest : float
        Share of one cluster in the treated weight, where it was largest.
    same_as : str
        An estimator that gives the same numbers in these designs, and was simulated for both; or nothing.
    design : str
        In which worlds.
    """

    estimator: str
    inference: str
    treated: int
    status: Support
    most: float | None
    least: float | None
    mc_error: float | None
    coverage: float | None
    worlds: int
    largest: float
    same_as: str
    design: str


def mc_error(rate: float, worlds: int) -> float:
    """Monte-Carlo standard error of a rate; one that is 0 or 1 is not known without error."""
    shrunk = (rate * worlds + 1) / (worlds + 2)
    return float((shrunk * (1 - shrunk) / worlds) ** 0.5)


def judged(rates: Iterable[float], worlds: int) -> Support:
    """The word for rates of error at 5 % that rest on so many worlds; see the module."""
    limits = [(rate - 2 * mc_error(rate, worlds), rate + 2 * mc_error(rate, worlds)) for rate in rates]
    if not limits:
        return "refused"
    if worlds < ENOUGH or max(high for _, high in limits) > BAND[1]:
        return "unsized"
    return "conservative" if min(low for low, _ in limits) < BAND[0] else "sized"


@cache
def cells() -> tuple[Cell, ...]:
    """The whole table."""
    text = files("impact.inference").joinpath("support.csv").read_text(encoding="utf-8")
    return tuple(_cell(row) for row in csv.DictReader(text.splitlines()))


def _cell(row: dict[str, str]) -> Cell:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Cell(
        row["estimator"],
        row["inference"],
        int(row["treated"]),
        cast("Support", row["status"]),
        number("most"),
        number("least"),
        number("mc_error"),
        number("coverage"),
        int(row["worlds"]),
        float(row["largest"]),
        row["same_as"],
        row["design"],
    )


@cache
def _by_pair() -> dict[tuple[str, str], dict[int, Cell]]:
    found: dict[tuple[str, str], dict[int, Cell]] = {}
    for cell in cells():
        found.setdefault((cell.estimator, cell.inference), {})[cell.treated] = cell
    return found


def support(estimator: str, inference: str, treated: int, largest: float = 0.0) -> Support:
    """What is known of a pair.

    Parameters
    ----------
    estimator, inference : str
        Names in the registries.
    treated : int
        Clusters with treated weight in the target and outcome. Between two numbers that were simulated the worse of
        both counts; beyond the largest, the largest.
    largest : float
        Share of one cluster in that weight. Where it is larger than in the worlds, the next lower number of clusters
        whose worlds were as uneven counts too; without one nothing is known.
    """
    known = _by_pair().get((estimator, inference), {})
    fewer = sorted((count for count in known if count <= treated), reverse=True)
    if not fewer:
        return "unsized"
    used = [known[min((count for count in known if count >= treated), default=fewer[0])]]
    for count in fewer:
        used.append(known[count])
        if max(cell.largest for cell in used) >= largest - _NEAR:
            return max((cell.status for cell in used), key=_WORSE.index)
    return "unsized"


_NEAR = 5e-4  # the table has shares to three decimals


def status(estimator: str, inference: str, refused: Refused | None, treated: int, largest: float = 0.0) -> str:
    """ "ok", "unsized", or why there is no interval: the word that stands beside every number.

    An interval where the table knows of none was made in a design that nobody simulated: it is "unsized".
    """
    if refused is not None:
        return f"refused: {refused.because}"
    return "ok" if support(estimator, inference, treated, largest) in ("sized", "conservative") else "unsized"
