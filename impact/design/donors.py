"""Who may be compared: from all units to the donor pool, with a reason for every unit that leaves.

A rule looks at where a unit lies, at a list, at whether its outcome was observed, or at its outcome before the start;
never at the value of an outcome after it. Further rules are in `donors_rules`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from impact.arrays import Bool1, Float1, Float2, frozen, require
from impact.errors import Refused

__all__ = [
    "Exclusion",
    "Pool",
    "Rule",
    "Step",
    "adjacent",
    "donor_pool",
    "focus_area",
    "listed",
    "no_outcome",
    "same_gemeente",
    "small_baseline",
]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One reason to leave units out.

    Attributes
    ----------
    code : str
        ``focus-area``, ``same-gemeente``, ``adjacent``, ``listed``, ``no-outcome``, ``small-baseline``, one of
        `donors_rules` or another key of the texts of a report.
    why : str
        The reason in the words of the study.
    applies : (N,) bool
        The units it applies to, treated ones included: a treated unit is no donor anyway, but a study may need to know
        that its baseline is too small.
    detail : (N,) tuple of str
        What it rests on for each unit (the gemeente, the neighbour, the periods); empty where it does not apply.
    unknown : tuple of str
        Codes that the rule names and the data do not hold; a misspelt code would otherwise leave a unit in unnoticed.
    """

    code: str
    why: str
    applies: Bool1
    detail: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "applies", frozen(self.applies, np.bool_))
        require("applies", self.applies, (len(self.detail),))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the flow: the rule, why, how many units it removed and how many were left."""

    code: str
    why: str
    removed: int
    left: int


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A unit that is no donor, by the first rule that applied to it."""

    unit: str
    code: str
    why: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The donor pool and how it came about.

    Attributes
    ----------
    units : (N,) tuple of str
        All units that were looked at.
    keep : (N,) bool
        The donors among them.
    steps : tuple of Step
        First ``all`` and ``treated``, then one for every rule in the order given, also where it removed nobody.
    excluded : tuple of Exclusion
        Every unit that a rule removed, in the order of the steps; treated units are not in it.
    unknown : tuple of str
        Codes that the rules named and the data do not hold.
    name : str
        What this pool is called; "" for the one pool of a study that has no others.
    """

    units: tuple[str, ...]
    keep: Bool1
    steps: tuple[Step, ...]
    excluded: tuple[Exclusion, ...]
    unknown: tuple[str, ...]
    name: str = ""

    @property
    def donors(self) -> tuple[str, ...]:
        """Names of the donors, in the order of the units."""
        return tuple(unit for unit, kept in zip(self.units, self.keep, strict=True) if kept)

    def flow(self) -> pd.DataFrame:
        """The steps as a table: pool, step, why, removed, left."""
        rows = [(self.name, step.code, step.why, step.removed, step.left) for step in self.steps]
        return pd.DataFrame(rows, columns=["pool", "step", "why", "removed", "left"])

    def ledger(self) -> pd.DataFrame:
        """Every unit with what became of it: pool, unit, role (treated, donor or excluded), step, why, detail."""
        left = {row.unit: row for row in self.excluded}
        rows = []
        for unit, kept in zip(self.units, self.keep.tolist(), strict=True):
            row = left.get(unit)
            if row is None:
                rows.append((self.name, unit, "donor" if kept else "treated", "", "", ""))
            else:
                rows.append((self.name, unit, "excluded", row.code, row.why, row.detail))
        return pd.DataFrame(rows, columns=["pool", "unit", "role", "step", "why", "detail"])


def donor_pool(units: Sequence[str], treated: ArrayLike, rules: Sequence[Rule], name: str = "") -> Pool | Refused:
    """The units that are left as donors when every rule has had its turn.

    Parameters
    ----------
    units : (N,) str
        Names of all units, treated ones included.
    treated : (N,) bool
        Units that are treated in this study; never donors, whatever the rules say.
    rules : sequence of Rule
        Applied in this order; a unit leaves by the first that applies.
    name : str
        What the pool is called.

    Returns
    -------
    Pool or Refused
        A refusal, naming every step, when no donor is left.

    Raises
    ------
    ValueError
        A unit stands twice among `units`, or a rule is about another number of units.
    """
    if len(set(units)) < len(units):
        twice = sorted(unit for unit, count in Counter(units).items() if count > 1)
        raise ValueError(f"these units stand more than once: {', '.join(twice[:8])}")
    keep = ~np.asarray(treated, dtype=bool)
    require("treated", keep, (len(units),))
    steps = [Step("all", "", 0, len(units)), Step("treated", "", int((~keep).sum()), int(keep.sum()))]
    excluded: list[Exclusion] = []
    for rule in rules:
        require(f"the rule {rule.code}", rule.applies, (len(units),))
        leaving = np.flatnonzero(keep & rule.applies)
        excluded += [Exclusion(units[unit], rule.code, rule.why, rule.detail[unit]) for unit in leaving.tolist()]
        keep[leaving] = False
        steps.append(Step(rule.code, rule.why, len(leaving), int(keep.sum())))
    if not keep.any():
        flow = ", ".join(f"{step.code} removed {step.removed}" for step in steps[1:])
        return Refused(
            f"the comparison with {name}" if name else "the comparison",
            f"no donor is left of {len(units)} units: {flow}",
            "Drop or soften a rule, or bring data on more units.",
        )
    unknown = tuple(dict.fromkeys(code for rule in rules for code in rule.unknown))
    return Pool(tuple(units), frozen(keep, np.bool_), tuple(steps), tuple(excluded), unknown, name)


def focus_area(area: Sequence[str], why: str) -> Rule:
    """Units that lie in any focus area, also those of which only a part does.

    Parameters
    ----------
    area : (N,) str
        The focus area a unit lies in, wholly or partly; blank for none.
    why : str
        The reason in the words of the study.
    """
    names = tuple(name.strip() for name in area)
    return Rule("focus-area", why, np.array([bool(name) for name in names], dtype=bool), names)


def same_gemeente(gemeente: Sequence[str], treated: ArrayLike, why: str) -> Rule:
    """Units in a gemeente that holds a treated unit, or of which the gemeente is unknown (detail ``?``).

    Parameters
    ----------
    gemeente : (N,) str
        Code of the gemeente a unit lies in; blank where unknown.
    treated : (N,) bool
        Treated units, those that were treated all along included.
    why : str
        The reason in the words of the study.
    """
    inside = {name for name, is_treated in zip(gemeente, np.asarray(treated, dtype=bool), strict=True) if is_treated}
    applies = np.array([name in inside or not name for name in gemeente], dtype=bool)
    detail = tuple((name or "?") if leaves else "" for name, leaves in zip(gemeente, applies.tolist(), strict=True))
    return Rule("same-gemeente", why, applies, detail)


def adjacent(units: Sequence[str], neighbours: Mapping[str, str], why: str) -> Rule:
    """Units that border on a treated unit; `neighbours` maps a unit to what it borders on."""
    return _named("adjacent", units, neighbours, why)


def listed(units: Sequence[str], reasons: Mapping[str, str], why: str) -> Rule:
    """Units the study names; `reasons` maps a unit to its own reason."""
    return _named("listed", units, reasons, why)


def no_outcome(
    outcome: Float2, needed: ArrayLike, periods: Sequence[str], why: str, status: Sequence[Sequence[str]] | None = None
) -> Rule:
    """Units without an outcome in a period that the estimate needs.

    Parameters
    ----------
    outcome : (N, T) float
        nan where not observed. Only whether it was observed counts here, not its value.
    needed : (T,) bool
        Periods that the estimate needs.
    periods : (T,) str
        Names of the periods.
    why : str
        The reason in the words of the study.
    status : (N, T) str, optional
        Why a cell has no number ("suppressed", "missing"); added to the detail.
    """
    asked = np.asarray(needed, dtype=bool)
    require("needed", asked, (len(periods),))
    require("outcome", outcome, (None, len(periods)))
    absent = np.isnan(outcome) & asked

    def cell(unit: int, period: int) -> str:
        return periods[period] if status is None else f"{periods[period]} {status[unit][period]}".rstrip()

    detail = tuple(
        "; ".join(cell(unit, period) for period in np.flatnonzero(row).tolist()) for unit, row in enumerate(absent)
    )
    return Rule("no-outcome", why, absent.any(axis=1), detail)


def small_baseline(baseline: Float1, minimum: float, why: str) -> Rule:
    """Units whose mean outcome before the start lies below `minimum`, or was never observed.

    Parameters
    ----------
    baseline : (N,) float
        Mean outcome in periods before the start; nan where not observed.
    minimum : float
        In the unit of the outcome.
    why : str
        The reason in the words of the study.
    """
    unseen = np.isnan(baseline)
    applies = unseen | (baseline < minimum)
    detail = tuple(
        "" if not small else "not observed" if nothing else f"{value:.4g}"
        for small, nothing, value in zip(applies, unseen, baseline, strict=True)
    )
    return Rule("small-baseline", why, applies, detail)


def _named(code: str, units: Sequence[str], reasons: Mapping[str, str], why: str) -> Rule:
    known = set(units)
    return Rule(
        code,
        why,
        np.array([unit in reasons for unit in units], dtype=bool),
        tuple(reasons.get(unit, "") for unit in units),
        tuple(name for name in reasons if name not in known),
    )
