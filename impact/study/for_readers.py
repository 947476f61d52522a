"""What a study says for its readers alone: names of columns, people, the whole country; and what of that cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from impact.evidence.reading import in_language, plain
from impact.study.adjust import faults_of_covariates
from impact.study.faults import Fault, near
from impact.study.model import Outcome, Specification
from impact.study.source import Loc
from impact.study.units import wanted

__all__ = ["faults_for_readers", "faults_of_persons", "label_of"]


def label_of(spec: Specification, column: str, language: str) -> str:
    """What a reader calls a column of the units table; its own name where the study gives it none."""
    labels = {} if spec.data.units is None else spec.data.units.columns.labels
    return plain(in_language(labels[column].languages(), language)) if column in labels else column


def faults_for_readers(spec: Specification) -> Iterator[Fault]:
    """What the tables cannot give a reader."""
    yield from _base(spec)
    if spec.data.outcomes.national is not None and any(one.measure.as_percent_of_own for one in spec.all_outcomes):
        message = "beside a percentage of the region's own mean stands no level of the whole country"
        yield Fault(("data", "outcomes", "national"), message, "Take the key out.")
    yield from _labels(spec)


def _labels(spec: Specification) -> Iterator[Fault]:
    """Names for columns that nothing reads; which those are is known when the covariates are in order."""
    labels = {} if spec.data.units is None else spec.data.units.columns.labels
    if not labels or next(faults_of_covariates(spec), None) is not None:
        return
    known = [name for names in wanted(spec) for name in names]
    for name in labels:
        if name not in known:
            hint = near(name, known) or "Give a label to a column that the study uses."
            yield Fault(("data", "units", "columns", "labels", name), f"no column '{name}' is used", hint)


def _base(spec: Specification) -> Iterator[Fault]:
    """Where a column with the population of a figure cannot be."""
    columns, unit = spec.data.outcomes.columns, spec.unit
    loc: Loc = ("data", "outcomes", "columns", "base")
    if columns.base is None:
        return
    if columns.value is None:
        yield Fault(loc, "`base` goes with `value`: of a rate the `denominator` is the base", "Take the key out.")
    elif spec.data.crosswalk is not None or (unit is not None and unit.built_from is not None):
        yield Fault(loc, "the base of a figure is not converted or added up", "Take the key out.")


def faults_of_persons(spec: Specification, outcome: Outcome, loc: Loc) -> Iterator[Fault]:
    """What cannot be told as a number of people."""
    columns, measure = spec.data.outcomes.columns, outcome.measure
    if bool(measure.rate or (columns.base and columns.value)) != bool(measure.per):
        said = "`base` and `per` belong together: of how many people the figure counts" if columns.base else ""
        hint = "Write for instance `per: 100` for a percentage." if columns.base else ""
        hint = hint or "Write for instance `rate: numerator/denominator` with `per: 100`."
        yield Fault((*loc, "measure"), said or "`rate` and `per` belong together", hint)
    if outcome.also_as is None:
        return
    if not (measure.rate or columns.base):
        hint = "Name the column with the population of the figure in `data.outcomes.columns.base`, or take the key out."
        message = "a number of people takes a rate of two counts, or a column `base` beside the value"
        yield Fault((*loc, "also_as"), message, hint)
    elif measure.as_percent_of_own is not None:
        message = "a percentage of the region's own mean is no share of people, so it gives no number of them"
        yield Fault((*loc, "also_as"), message, "Take the key out, or measure the rate itself.")
