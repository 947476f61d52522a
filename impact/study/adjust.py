"""Characteristics that an estimate adjusts for: what a specification says of them, and what they are for every unit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from impact.arrays import Bool2, Float2
from impact.covariates import Given, Levels, expand, levels
from impact.errors import UsageError
from impact.panel import Panel
from impact.study.faults import Fault
from impact.study.model import Specification
from impact.study.predictors import columns_of_predictors
from impact.study.source import Loc
from impact.study.units import Units
from impact.terms import Term

__all__ = ["adjusters", "adjustment", "faults_of_covariates", "unknown"]


def faults_of_covariates(spec: Specification) -> Iterator[Fault]:
    """What is wrong with `estimator.covariates`, and with the years that characteristics are means over."""
    given, units = spec.estimator.covariates, spec.data.units
    loc: Loc = ("estimator", "covariates")
    match = spec.comparison.match
    if units is not None and (given or (match is not None and match.on)):
        yield from _after_the_start(spec)
    if not given:
        return
    able = adjusters()
    if spec.estimator.name not in able:
        message = f"{spec.estimator.name} does not adjust for characteristics that stay the same"
        yield Fault(loc, message, f"Those that do: {', '.join(able)}.", "SPEC-009")
    if units is None:
        hint = "Add `units: {file: …, columns: {region: …}}` under `data`."
        yield Fault(loc, "covariates are columns of the units table, and there is none", hint)
        return
    seen: list[frozenset[Term]] = []
    for number, covariate in enumerate(given):
        at = (*loc, number)
        name = covariate.column
        if name in units.columns.groups and not units.columns.groups[name]:
            yield Fault(at, f"no columns are named as {name}", f"Name them in `data.units.columns.{name}`.")
        try:
            found = spec.meant(covariate)
        except UsageError as error:
            yield from (Fault(at, problem.message, problem.hint) for problem in error.problems)
            continue
        for term in found:
            alike = frozenset(term.factors)
            if alike in seen:
                yield Fault(at, f"the covariate '{term.name}' stands here for the second time")
            seen.append(alike)
            if term.categories and units.columns.period is not None:
                hint = "Give a units table with one row per region."
                yield Fault(at, f"the levels of '{term.categories[0]}' cannot be averaged over years", hint)


def _after_the_start(spec: Specification) -> Iterator[Fault]:
    first = min(spec.starts(), default=None)
    for number, year in enumerate(spec.data.units.periods if spec.data.units else ()):
        if first is not None and year >= first:
            loc = ("data", "units", "periods", number)
            hint = "What is measured after the start may be its result: take years before it."
            yield Fault(loc, f"characteristics of {year} are not those from before the start in {first}", hint)


def adjusters() -> tuple[str, ...]:
    """Names of the estimators that adjust for characteristics which do not change over time."""
    from impact.estimators.registry import ESTIMATORS, resolve

    return tuple(name for name in ESTIMATORS if getattr(resolve(name), "uses_covariates", False))


def unknown(spec: Specification, units: Units, regions: tuple[str, ...]) -> tuple[tuple[str, ...], Bool2]:
    """Columns (p,) that are matched on, adjusted for or predictors, and (n, p) where they say nothing of a region."""
    match, groups = spec.comparison.match, {} if spec.data.units is None else spec.data.units.columns.groups
    # What is filled in takes nobody out.
    strict = match is not None and match.missing == "refuse"
    matched = [column for name in (match.on if match and strict else ()) for column in groups.get(name, (name,))]
    adjusted = [name for term in spec.covariates for name in term.numbers]
    numbers = dict.fromkeys([*matched, *adjusted, *columns_of_predictors(spec)])
    categories = dict.fromkeys(name for term in spec.covariates for name in term.categories)
    blank = [np.isnan(units.number(name, regions)) for name in numbers]
    blank += [np.array([not label for label in units.label(name, regions)], dtype=bool) for name in categories]
    return (*numbers, *categories), np.array(blank, dtype=bool).reshape(-1, len(regions)).T


def adjustment(spec: Specification, units: Units, panel: Panel) -> tuple[dict[str, Float2], tuple[Levels, ...]]:
    """The covariates of the units of `panel`, (N, 1) each, and how the levels of the categories lie over them.

    Raises
    ------
    DataError
        ``TERM-002`` and ``TERM-004`` to ``TERM-007``, with the units.
    """
    coded = {name: levels(units.label(name, panel.units)) for term in spec.covariates for name in term.categories}
    given = Given(
        {name: units.number(name, panel.units)[:, None] for term in spec.covariates for name in term.numbers},
        {name: codes[:, None] for name, (codes, _) in coded.items()},
        {name: names for name, (_, names) in coded.items()},
        panel.units,
        panel.periods,
        np.isfinite(panel.y),
        panel.never & (panel.control_weight(panel.treated) > 0),
    )
    return expand(spec.covariates, given, file=spec.data.units.file if spec.data.units else "")
