"""What a specification says of matching that cannot all be true, as far as it shows without the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from impact.study.comparing import BY_DISTANCE, IN_STRATA, WEIGHTS, Match
from impact.study.faults import Fault, near
from impact.study.model import Specification
from impact.study.source import Loc
from impact.study.times import before_every_start

__all__ = ["columns_of", "faults_of_match", "faults_of_outcomes", "known_to"]

_LOC: Final[Loc] = ("comparison", "match")

# Keys that are for some methods only.
_FOR: Final[dict[str, tuple[str, ...]]] = {
    "ratio": ("nearest", "optimal"),
    "replace": ("nearest",),
    "distance": BY_DISTANCE,
    "caliper": BY_DISTANCE,
    "exact": (*BY_DISTANCE, *IN_STRATA),
    "same": (*BY_DISTANCE, *IN_STRATA),
    "cutpoints": ("coarsened-exact",),
    "moments": ("entropy", "stable"),
    "tolerance": ("stable",),
    "trim": ("inverse-probability",),
    "estimand": ("overlap",),
}


def known_to(method: str, key: str) -> bool:
    """Whether a key of `comparison.match` says anything for a method."""
    return key not in _FOR or method in _FOR[key]


def columns_of(match: Match, groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Columns of the units table that `on` names; structure, size and selection stand for their groups."""
    return tuple(dict.fromkeys(column for name in match.on for column in groups.get(name, (name,))))


def faults_of_match(spec: Specification, match: Match) -> Iterator[Fault]:
    """Everything about `comparison.match`."""
    yield from _keys(match)
    if not match.on and not match.outcomes_in and not (match.method in IN_STRATA and (match.exact or match.same)):
        hint = "Name characteristics in `on`, such as [structure, size], or write `match: none`."
        yield Fault(_LOC, "there is nothing to match on", hint)
    yield from _characteristics(spec, match)
    yield from _equals(spec, match)
    yield from _weights(spec, match)
    yield from faults_of_outcomes(spec, match)


def _keys(match: Match) -> Iterator[Fault]:
    """Keys that the method does not know, and one that it needs."""
    for key, methods in _FOR.items():
        given = getattr(match, key) != Match.model_fields[key].get_default(call_default_factory=True)
        if not given or match.method in methods:
            continue
        if key == "ratio" and match.method == "full":
            message = "full takes all units that are left"
        elif key == "replace":
            message = f"in {match.method} no unit serves twice that need not"
        else:
            message = f"`{key}` is for {', '.join(methods)}, and says nothing for {match.method}"
        yield Fault((*_LOC, key), message, f"Take `{key}` out.")
    if match.ratio is None and match.method in _FOR["ratio"]:
        yield Fault(_LOC, f"{match.method} takes a number", "Say how many comparison units: `ratio: 5`.")


def _characteristics(spec: Specification, match: Match) -> Iterator[Fault]:
    columns = spec.data.units.columns if spec.data.units else None
    if columns is None:
        if match.on:
            yield _no_units("on", "what is matched on is looked for in the units table")
        return
    groups = columns.groups
    names = [name for group in groups.values() for name in group]
    for number, name in enumerate(match.on):
        if name in match.on[:number]:
            yield Fault((*_LOC, "on", number), f"the characteristic '{name}' stands here for the second time")
        elif name in groups and not groups[name]:
            hint = f"Name them in `data.units.columns.{name}`."
            yield Fault((*_LOC, "on", number), f"no columns are named as {name}", hint)
        elif name not in groups and name not in names:
            hint = near(name, [*groups, *names])
            yield Fault((*_LOC, "on", number), f"'{name}' is not among the characteristics of the units table", hint)
    known = (*columns_of(match, groups), *match.outcomes_in)
    for key, given in (("cutpoints", match.cutpoints), ("moments", match.moments)):
        for name in given if isinstance(given, dict) else ():
            if name not in known:
                message = f"`{key}` of '{name}', which is not matched on"
                yield Fault((*_LOC, key, name), message, near(name, known))


def _equals(spec: Specification, match: Match) -> Iterator[Fault]:
    """What both must be equal in."""
    units = spec.data.units
    for key in ("exact", "same"):
        if getattr(match, key) and units is None:
            yield _no_units(key, "what both must be equal in is looked for in the units table")
    if units is None:
        return
    if match.exact and units.columns.period is not None:
        hint = "Give a units table with one row per region."
        yield Fault((*_LOC, "exact"), "classes cannot be averaged over years", hint)
    if match.same == "gemeente-grootte" and units.columns.residents is None:
        hint = "Name the column in `data.units.columns.residents`."
        yield Fault((*_LOC, "same"), "the size of a gemeente is the sum of its residents", hint)
    if match.same == "gemeente" and any(rule.rule == "same-gemeente" for rule in spec.comparison.leave_out):
        hint = "Take one of the two out."
        yield Fault((*_LOC, "same"), "the rule same-gemeente leaves out all whom this would choose from", hint)


def _weights(spec: Specification, match: Match) -> Iterator[Fault]:
    """What weights of the whole pool cannot be combined with."""
    if match.method == "overlap":
        if match.estimand == "ATT":
            message = "overlap weights are not about the treated but about who could as well have been treated as not"
            hint = "Write `estimand: ATO` and `target: {every: unit}` if that is the question, or use entropy."
            yield Fault((*_LOC, "method"), message, hint)
        elif spec.target.every != "unit":
            message = f"overlap weights say what every treated unit counts for, so not every {spec.target.every} once"
            yield Fault(("target", "every"), message, "Write `every: unit`, or use entropy.")
    if match.method in WEIGHTS and _own_weights(spec.estimator.name):
        message = f"{spec.estimator.name} finds weights of its own, so those of {match.method} would not count"
        hint = "Write `match: none`, or choose by nearest, optimal or full who may be a donor."
        yield Fault(("estimator", "name"), message, hint)


def _own_weights(estimator: str) -> bool:
    from impact.estimators.registry import ESTIMATORS, resolve
    from impact.estimators.synthetic import Synthetic

    maker: Any = resolve(estimator) if estimator in ESTIMATORS else None
    return isinstance(maker, type) and issubclass(maker, Synthetic)


def faults_of_outcomes(spec: Specification, match: Match) -> Iterator[Fault]:
    """Outcomes that are matched on are from before the start, and from neither base nor selection wave."""
    bases = {year: start for start in spec.starts() for year in spec.base_periods(start, spec.labels)}
    for number, year in enumerate(match.outcomes_in):
        at = (*_LOC, "outcomes_in", number)
        before = list(before_every_start(spec, at, year, "matching on outcomes"))
        yield from before
        if year in match.selection_waves:
            hint = "Its scores were low by chance too, and matching on them brings that chance into the comparison."
            yield Fault(at, f"{year} is a selection wave", hint)
        if year in bases and not before:
            all_before = len(spec.base_periods(bases[year], spec.labels)) > 1
            hint = (
                "Match on structure and size; group-time has one base period and leaves the others free."
                if all_before
                else ("Use earlier years.")
            )
            yield Fault(at, f"{year} is a base period of {spec.estimator.name} for the start in {bases[year]}", hint)


def _no_units(key: str, why: str) -> Fault:
    hint = "Add `units: {file: …, columns: {region: …}}` under `data`."
    return Fault((*_LOC, key), f"{why}, and there is none", hint)
