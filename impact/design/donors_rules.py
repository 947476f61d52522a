"""Rules of a donor pool: by place, gemeente, co-treatment, size and score, cells without a figure, and named pools.

None of them is given the value of an outcome after the start. What is unknown where a rule asks for it does not count
as fit: such a unit leaves, and its detail is ``?``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from impact.arrays import Bool1, Bool2, Float1, Float2, canonical, require
from impact.design.donors import Rule
from impact.errors import Refused
from impact.register.calendar import Event

__all__ = [
    "band",
    "bordering",
    "co_treated",
    "missing_before",
    "near",
    "other_gemeente",
    "outside_pool",
    "quantile_bounds",
    "running",
    "suppressed",
]

_UNKNOWN = "?"


def bordering(
    units: Sequence[str], treated: ArrayLike, neighbours: Mapping[str, Collection[str]], why: str
) -> Rule | Refused:
    """Units that border on a treated unit.

    Parameters
    ----------
    units : (N,) str
        Names of all units.
    treated : (N,) bool
        Treated units, those that were treated all along included.
    neighbours : mapping of unit to units
        What a unit borders on; it is enough that one of two neighbours names the other. Units that the data do not hold
        may be in it.
    why : str
        The reason in the words of the study.

    Returns
    -------
    Rule or Refused
        A refusal when the neighbours of a treated unit are unknown: nothing then says who borders on it.
    """
    is_treated = _mask("treated", treated, len(units))
    source = [unit for unit, one in zip(units, is_treated, strict=True) if one]
    absent = [unit for unit in source if unit not in neighbours]
    if absent:
        because = f"the neighbours of {_few(absent)} are unknown"
        return Refused("the rule adjacent", because, "Give the shapes of all treated units in this division.")
    inside = set(source)
    touched: dict[str, list[str]] = {}
    for unit in source:
        for other in neighbours[unit]:
            touched.setdefault(other, []).append(unit)
    for unit in units:
        for other in neighbours.get(unit, ()):
            if other in inside:
                touched.setdefault(unit, []).append(other)
    detail = tuple(", ".join(sorted(set(touched.get(unit, ())))) for unit in units)
    return Rule("adjacent", why, np.array([bool(text) for text in detail], dtype=bool), detail)


def near(units: Sequence[str], place: ArrayLike, treated: ArrayLike, km: float, why: str) -> Rule | Refused:
    """Units of which the place lies within `km` of that of a treated unit, in a straight line.

    Parameters
    ----------
    units : (N,) str
        Names of all units.
    place : (N, 2) float
        A point in every unit, such as its centroid, in metres (Rijksdriehoek or another plane); nan where unknown.
    treated : (N,) bool
        Treated units, those that were treated all along included.
    km : float
        At this distance itself a unit leaves too.
    why : str
        The reason in the words of the study.

    Returns
    -------
    Rule or Refused
        A refusal when there is no treated unit, the place of one is unknown, or places look like degrees.

    Raises
    ------
    ValueError
        `km` is not above 0.
    """
    if not (np.isfinite(km) and km > 0):
        raise ValueError(f"km must be a distance above 0, not {km}")
    is_treated = _mask("treated", treated, len(units))
    points = np.asarray(place, dtype=float)
    require("place", points, (len(units), 2))
    known = np.isfinite(points).all(axis=1)
    lost = [units[unit] for unit in np.flatnonzero(is_treated & ~known).tolist()]
    what = "the rule near"
    if lost or not is_treated.any():
        because = f"the place of {_few(lost)} is unknown" if lost else "there is no treated unit to be near to"
        return Refused(what, because, "Give the coordinates of all treated units.")
    if (np.abs(points[known]) <= 360).all():
        return Refused(what, "the coordinates look like degrees", "Give them in metres, as Rijksdriehoek does.")
    source = np.flatnonzero(is_treated)
    found = cKDTree(points[source]).query(np.where(known[:, None], points, 0.0))
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    applies = ~known | (distance <= 1000 * km)
    detail = tuple(
        "" if not inside else f"{units[source[at]]} {d / 1000:.1f} km" if seen else _UNKNOWN
        for inside, seen, d, at in zip(
            applies.tolist(), known.tolist(), distance.tolist(), nearest.tolist(), strict=True
        )
    )
    return Rule("near", why, applies, detail)


def other_gemeente(gemeente: Sequence[str], treated: ArrayLike, why: str) -> Rule:
    """Units outside the gemeenten that hold a treated unit: the comparison stays within those gemeenten.

    Parameters
    ----------
    gemeente : (N,) str
        Code of the gemeente a unit lies in; blank where unknown.
    treated : (N,) bool
        Treated units, those that were treated all along included.
    why : str
        The reason in the words of the study.
    """
    is_treated = _mask("treated", treated, len(gemeente))
    inside = {name for name, one in zip(gemeente, is_treated, strict=True) if one and name}
    applies = np.array([name not in inside for name in gemeente], dtype=bool)
    return Rule("other-gemeente", why, applies, tuple("" if name in inside else name or _UNKNOWN for name in gemeente))


def co_treated(
    units: Sequence[str],
    gemeente: Sequence[str],
    event: Event,
    codes: Collection[str],
    periods: Sequence[str],
    why: str,
) -> Rule:
    """Units that another measure touches in a period of the estimate.

    Parameters
    ----------
    units : (N,) str
        Names of all units.
    gemeente : (N,) str
        Code of the gemeente a unit lies in; blank where unknown.
    event : Event
        The measure, as the register knows it, with its first and last period.
    codes : collection of str
        Units or gemeenten that take part. The register does not hold them: they must come from elsewhere.
    periods : (T,) str
        Periods of the estimate: years or school years. A measure that runs in none of them touches nobody.
    why : str
        The reason in the words of the study.
    """
    require("gemeente", np.asarray(gemeente), (len(units),))
    part, during = set(codes), running(event, periods)
    when = [period for period, one in zip(periods, during, strict=True) if one]
    span = "" if not when else when[0] if len(when) == 1 else f"{when[0]}–{when[-1]}"
    touched = [unit in part or where in part for unit, where in zip(units, gemeente, strict=True)]
    applies = np.array([one and bool(when) for one in touched], dtype=bool)
    known = {*units, *gemeente}
    return Rule(
        "co-treated",
        why,
        applies,
        tuple(f"{event.slug} {span}" if one else "" for one in applies),
        tuple(code for code in dict.fromkeys(codes) if code not in known),
    )


def running(event: Event, periods: Sequence[str]) -> Bool1:
    """(T,) periods (years such as ``2022``, school years such as ``2022/'23``) in which `event` runs, even partly."""
    first = event.first if "-" in event.first else f"{event.first}-01"
    last = event.last if "-" in event.last or not event.last else f"{event.last}-12"
    spans = [
        (f"{label[:4]}-08", f"{int(label[:4]) + 1}-07") if "/" in label else (f"{label[:4]}-01", f"{label[:4]}-12")
        for label in periods
    ]
    return np.array([first <= high and (not last or low <= last) for low, high in spans], dtype=bool)


def band(values: Float1, name: str, low: float | None, high: float | None, why: str) -> Rule:
    """Units of which a characteristic lies outside [`low`, `high`], or is unknown.

    Parameters
    ----------
    values : (N,) float
        The size or the score, known before the start; nan where unknown.
    name : str
        What it is, for the detail.
    low, high : float or None
        Bounds in the unit of the values, which themselves fit; None for no bound. See `quantile_bounds`.
    why : str
        The reason in the words of the study.

    Raises
    ------
    ValueError
        No bound at all, or `low` above `high`.
    """
    if low is None and high is None:
        raise ValueError("a band needs low, high or both")
    if low is not None and high is not None and low > high:
        raise ValueError(f"a band runs from low to high, not from {low} to {high}")
    given = np.asarray(values, dtype=float)
    known = np.isfinite(given)
    inside = known & (given >= (-np.inf if low is None else low)) & (given <= (np.inf if high is None else high))
    detail = tuple(
        "" if fits else f"{name} {canonical(value, 6).removesuffix('.0') if seen else _UNKNOWN}"
        for fits, seen, value in zip(inside.tolist(), known.tolist(), given.tolist(), strict=True)
    )
    return Rule("band", why, ~inside, detail)


def quantile_bounds(values: Float1, low: float, high: float) -> tuple[float, float] | Refused:
    """The values at two quantiles of all units whose value is known, treated ones included, for `band`.

    Parameters
    ----------
    values : (N,) float
        nan where unknown.
    low, high : float
        From 0 to 1.

    Raises
    ------
    ValueError
        Not 0 <= low < high <= 1.
    """
    if not 0 <= low < high <= 1:
        raise ValueError(f"quantiles run from 0 to 1 and the first is the lower one, not {low} and {high}")
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if not len(known):
        return Refused("the band", "the characteristic is known of no unit", "Name a column that is filled in.")
    at = np.quantile(known, [low, high])
    return float(at[0]), float(at[1])


def missing_before(outcome: Float2, before: ArrayLike, periods: Sequence[str], why: str) -> Rule:
    """Units without an outcome in a period before the start.

    Parameters
    ----------
    outcome : (N, T) float
        nan where not observed; no other column than those before the start is read.
    before : (T,) bool
        Periods before the start that the estimate needs.
    periods : (T,) str
        Names of the periods.
    why : str
        The reason in the words of the study.
    """
    return _cells("missing-before", np.isnan(np.asarray(outcome, dtype=float)), before, periods, why)


def suppressed(hidden: Bool2, needed: ArrayLike, periods: Sequence[str], why: str) -> Rule:
    """Units of which a figure that the estimate needs was suppressed.

    Parameters
    ----------
    hidden : (N, T) bool
        Cells that the source has and does not publish, mostly because few people are behind them.
    needed : (T,) bool
        Periods that the estimate needs.
    periods : (T,) str
        Names of the periods.
    why : str
        The reason in the words of the study.
    """
    return _cells("suppressed", np.asarray(hidden, dtype=bool), needed, periods, why)


def outside_pool(units: Sequence[str], members: Collection[str], name: str, why: str) -> Rule:
    """Units that are not in a pool given as a list: nominated and not chosen, rejected, treated later.

    Parameters
    ----------
    units : (N,) str
        Names of all units.
    members : collection of str
        Units of the pool; those that the data do not hold are in `unknown`.
    name : str
        Of the pool, for the detail.
    why : str
        The reason in the words of the study.
    """
    part, known = set(members), set(units)
    out = np.array([unit not in part for unit in units], dtype=bool)
    absent = tuple(unit for unit in dict.fromkeys(members) if unit not in known)
    return Rule("outside-pool", why, out, tuple(name if one else "" for one in out), absent)


def _cells(code: str, absent: Bool2, needed: ArrayLike, periods: Sequence[str], why: str) -> Rule:
    asked = _mask("needed", needed, len(periods))
    require("the cells", absent, (None, len(periods)))
    odd = absent & asked
    detail = tuple("; ".join(periods[at] for at in np.flatnonzero(row).tolist()) for row in odd)
    return Rule(code, why, np.asarray(odd.any(axis=1)), detail)


def _mask(name: str, given: ArrayLike, length: int) -> Bool1:
    mask = np.asarray(given, dtype=bool)
    require(name, mask, (length,))
    return mask


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
