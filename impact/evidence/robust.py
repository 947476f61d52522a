"""How much an estimate can bear, as values: departures, leaving out, alternatives, its past, the ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from impact.errors import Refused
from impact.evidence.composition import Composition
from impact.evidence.controls import NegativeControls
from impact.evidence.sets import CovariateSets
from impact.evidence.single_areas import SingleAreas

__all__ = [
    "Alternatives",
    "Bound",
    "Closeness",
    "Honest",
    "Judged",
    "LeftOne",
    "LeftOut",
    "Moved",
    "OwnPast",
    "Ring",
    "Robust",
    "What",
]


@dataclass(frozen=True, slots=True)
class Bound:
    """The interval when treated and controls drift apart after the start by at most `bound` times the most before it.

    Without ends where the estimates before the start contradict the bound.
    """

    bound: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Honest:
    """Bounds on the declared estimate under departures from parallel trends (relative magnitudes).

    Attributes
    ----------
    breakdown : float or None
        The smallest bound whose interval holds 0; 0 when it does with no departure at all. None where `unbroken` or
        `refused`.
    unbroken : bool
        Whether no bound has an interval with 0 in it.
    bounds : tuple of Bound
    events : tuple of int
        Periods since the start, below 0, that say how large a departure is.
    left_out : tuple of int
        Others, that are not used: they have no error, or served for matching.
    refused : Refused or None
        Why there are none.
    since : float or None
        How many periods its base lies before the estimate, on average: so often a drift from one period to the next
        can add up.
    last : float or None
        Where the base is the mean of several periods, from which departures then count: the estimate from the last
        of them alone.
    """

    breakdown: float | None = None
    unbroken: bool = False
    bounds: tuple[Bound, ...] = ()
    events: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    refused: Refused | None = None
    since: float | None = None
    last: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOne:
    """The estimate without one thing, with its interval where one was made again."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    refused: Refused | None = None


What: TypeAlias = Literal["area", "cluster", "donor", "period"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The estimate without each of several things it rests on.

    Attributes
    ----------
    what : {"area", "cluster", "donor", "period"}
        Treated areas; clusters with a treated area, their controls with them; units with weight in the comparison;
        periods before a start, from which then nothing is learned.
    each : tuple of LeftOne
    low, high : float or None
        Of the estimates, the declared one among them.
    most : str
        Whose absence changes the estimate most.
    signs : tuple of str
        Without whom the sign of the estimate is another.
    statements : tuple of str or None
        Without whom the interval leads to another statement; None where no intervals were made again.
    refused : Refused or None
        Why it was not done.
    """

    what: What
    each: tuple[LeftOne, ...] = ()
    low: float | None = None
    high: float | None = None
    most: str = ""
    signs: tuple[str, ...] = ()
    statements: tuple[str, ...] | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The declared alternatives that estimate the same, taken together.

    Attributes
    ----------
    count : int
        Those with a number; `refused` those without.
    same_sign : int
        Those with the sign of the estimate.
    low, median, high : float or None
        Of their numbers, without the estimate itself.
    refused : int
    others : tuple of str
        Alternatives that answer another question; they are in none of this.
    """

    count: int
    same_sign: int
    low: float | None
    median: float | None
    high: float | None
    refused: int = 0
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """One inference with the declared estimator, on placebo programmes without effect; `…_error` is Monte-Carlo error.

    Attributes
    ----------
    inference : str
    level : float
        That the interval claims.
    size : float or None
        Share in which a difference was seen that was not there, where there is a p-value.
    coverage : float or None
        Share of intervals that held no difference, where there is an interval.
    bias, rmse : float or None
        Mean of what was found, and the root of its mean square, in the unit of the outcome.
    detectable : float or None
        The smallest effect that is seen with probability 0.8.
    worlds : int
        Programmes with an estimate; `refused` had no estimate, interval or p-value.
    """

    inference: str
    level: float
    size: float | None
    size_error: float | None
    coverage: float | None
    coverage_error: float | None
    bias: float | None
    bias_error: float | None
    rmse: float | None
    rmse_error: float | None
    detectable: float | None
    detectable_error: float | None
    worlds: int
    refused: int = 0


@dataclass(frozen=True, slots=True)
class OwnPast:
    """What placebo programmes in the own past show: descriptive, as there is one past.

    Attributes
    ----------
    sets : str
        Which units stood in for the areas.
    programmes : int
    windows : int
        How many of them at most do not overlap in time.
    starts : tuple of str
        Pretended starts of the first area.
    missing : int
        Draws for which no units could be found.
    pairs : tuple of Judged
        The declared inference first.
    favourable : bool
        Whether outcomes were matched on, some of which lie after the pretended starts: it looks better than it is.
    refused : Refused or None
        Why it was not done.
    """

    sets: str
    programmes: int = 0
    windows: int = 0
    starts: tuple[str, ...] = ()
    missing: int = 0
    pairs: tuple[Judged, ...] = ()
    favourable: bool = False
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """One of the three effects of a `Ring`, with its interval where that is given."""

    value: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Ring:
    """The units around the areas that were left out for being near, estimated as if they had the programme too.

    Attributes
    ----------
    units : tuple of str
    area, ring, net : Moved or None
        The effect on the areas, on the units of the ring, and on the residents of both, each counted once.
    residents_area, residents_ring : float or None
    refused : Refused or None
        Why it was not done.
    """

    units: tuple[str, ...] = ()
    area: Moved | None = None
    ring: Moved | None = None
    net: Moved | None = None
    residents_area: float | None = None
    residents_ring: float | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Closeness:
    """How closely the comparison follows one treated area before the start; see ``Result.diagnostics``.

    Attributes
    ----------
    area : str
    periods : int
        From which the comparison was learned.
    rmspe : float
        Root mean square of the gap in these periods, in the unit of the outcome.
    relative : float or None
        The same as a share of the standard deviation of the donors' outcomes then.
    noise : float or None
        How much single figures vary by themselves.
    in_hull : bool or None
        Whether some mix of donors has the path of the area.
    effective : float
        Donors of equal weight that the weights are worth.
    largest : float
        Share of the one donor with the most weight, and `donor`: which.
    """

    area: str
    periods: int
    rmspe: float
    relative: float | None
    noise: float | None
    in_hull: bool | None
    effective: float
    largest: float
    donor: str


@dataclass(frozen=True, slots=True)
class Robust:
    """Everything of one outcome; none of it is a gate, and none of it changes the estimate."""

    honest: Honest
    left_out: tuple[LeftOut, ...] = ()
    alternatives: Alternatives | None = None
    past: OwnPast | None = None
    ring: Ring | None = None
    fit: tuple[Closeness, ...] = ()
    controls: NegativeControls | None = None
    composition: Composition | None = None
    sets: CovariateSets | None = None
    areas: SingleAreas | None = None
