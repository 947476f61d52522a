"""What a specification says that cannot all be true, as far as it shows without the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from impact.register.areas import areas
from impact.register.indicators import indicators
from impact.study.adjust import faults_of_covariates
from impact.study.arrival import faults_of_arrival
from impact.study.borders import faults_of_borders
from impact.study.composing import faults_of_composition
from impact.study.controlling import faults_of_controls
from impact.study.correction import faults_of_families, faults_of_indices
from impact.study.crosswalks import faults_of_crosswalk
from impact.study.disclosing import faults_of_disclosure
from impact.study.faults import Fault, near
from impact.study.for_readers import faults_for_readers, faults_of_persons
from impact.study.identity import faults_of_identity
from impact.study.leave_out import faults_of_comparison
from impact.study.looking import faults_of_looks
from impact.study.match_rules import faults_of_match
from impact.study.methods import methods
from impact.study.model import Outcome, Specification
from impact.study.named import faults_of_names
from impact.study.needs import faults_of_needs
from impact.study.parts import faults_of_parts
from impact.study.redrawn import faults_of_change
from impact.study.similar import faults_of_similar
from impact.study.source import Loc
from impact.study.subsetting import faults_of_sets
from impact.study.sums import faults_of_level
from impact.study.thresholds import faults_of_checks
from impact.study.times import before_every_start, spoken, times

__all__ = ["faults"]


def faults(spec: Specification) -> Iterator[Fault]:
    """Everything that contradicts something else, in the order of the keys."""
    yield from _tables(spec)
    yield from faults_of_crosswalk(spec)
    yield from faults_for_readers(spec)
    yield from faults_of_level(spec)
    yield from faults_of_similar(spec)
    yield from faults_of_change(spec)
    yield from faults_of_names(spec)
    yield from faults_of_borders(spec)
    yield from faults_of_parts(spec)
    yield from faults_of_identity(spec)
    timing = [*times(spec)]
    yield from timing
    yield from _treated(spec)
    for loc, outcome in _outcomes(spec):
        yield from _outcome(spec, outcome, loc)
    if spec.negative_controls is not None:
        for number, control in enumerate(spec.negative_controls.outcomes):
            yield from _outcome(spec, control.outcome, ("negative_controls", "outcomes", number))
    yield from _target(spec)
    if not timing:
        yield from faults_of_arrival(spec)
        yield from _window(spec)
        yield from _one_number(spec)
    yield from _comparison(spec)
    yield from methods(spec)
    yield from faults_of_covariates(spec)
    yield from faults_of_families(spec)
    yield from faults_of_looks(spec)
    yield from faults_of_needs(spec)
    yield from faults_of_indices(spec)
    yield from faults_of_controls(spec)
    yield from faults_of_composition(spec)
    yield from faults_of_sets(spec)
    yield from faults_of_checks(spec.checks)
    yield from faults_of_disclosure(spec)
    if "respondents" in spec.checks and spec.data.outcomes.columns.n is None:
        hint = "Name it in `data.outcomes.columns.n`."
        yield Fault(("checks",), "the check of respondents takes a column with their number", hint)
    if "equivalence" in spec.checks and len({outcome.measure.unit for outcome in spec.all_outcomes}) > 1:
        hint = "Give every outcome its `smallest_difference_that_matters`; that is the bound where the check has none."
        yield Fault(("checks", "equivalence"), "one bound is no bound for outcomes in different units", hint)
    yield from _repeated(
        ("alternatives",), [alternative.name for alternative in spec.alternatives], "alternative", "name"
    )


def _repeated(loc: Loc, names: Sequence[str], what: str, key: str = "") -> Iterator[Fault]:
    for number, name in enumerate(names):
        if name in names[:number]:
            at = (*loc, number, key) if key else (*loc, number)
            yield Fault(at, f"the {what} '{name}' stands here for the second time")


def _tables(spec: Specification) -> Iterator[Fault]:
    columns = spec.data.outcomes.columns
    parts = (columns.numerator, columns.denominator)
    if (columns.value is None) == (parts == (None, None)) or (columns.value is None and None in parts):
        yield Fault(
            ("data", "outcomes", "columns"),
            "the outcome is one column `value`, or two: `numerator` and `denominator`",
            "Keep one of the two.",
        )
    units = spec.data.units
    if units is not None and bool(units.periods) != bool(units.columns.period):
        yield Fault(
            ("data", "units", "periods" if units.periods else "columns"),
            "`periods` and `columns.period` belong together: the characteristics are means over those years",
            "Give both, or neither when the table has one row per region.",
        )
    if units is not None and units.rows.add_up_to and not units.columns.period:
        hint = "Name the column of the year in `columns.period` and the years in `periods`."
        yield Fault(("data", "units", "rows", "add_up_to"), "rows are added up per region and period", hint)
    if columns.se is not None and columns.margin is not None:
        yield Fault(("data", "outcomes", "columns"), "the error is `se` or `margin`, not both", "Keep one of the two.")
    for name, table in (("outcomes", spec.data.outcomes), ("units", units)):
        if table is not None and table.header_row > 1 and table.file.endswith(".parquet"):
            yield Fault(("data", name, "header_row"), "a parquet file has no header row", "Take the key out.")
        if table is not None and table.sheet and not table.file.endswith(".xlsx"):
            yield Fault(("data", name, "sheet"), "only a workbook (.xlsx) has sheets", "Take the key out.")
    if units is None:
        areas, start, cluster = spec.treatment.areas, spec.treatment.start, spec.inference.cluster
        for loc, column in (
            (("treatment", "areas"), areas.column),
            (("treatment", "start", "column"), start.column),
            (("inference", "cluster"), cluster.column),
            *(
                (("comparison", "leave_out", number, "column"), rule.column)
                for number, rule in enumerate(spec.comparison.leave_out)
            ),
        ):
            if column is not None:
                yield _no_units(loc, f"the column '{column}' is looked for in the units table")


def _no_units(loc: Loc, why: str) -> Fault:
    return Fault(loc, f"{why}, and there is none", "Add `units: {file: …, columns: {region: …}}` under `data`.")


def _treated(spec: Specification) -> Iterator[Fault]:
    listed, start = spec.treatment.areas.listed or {}, spec.treatment.start
    if spec.treatment.delineation is not None and spec.treatment.members is None:
        hint = "Name the file in `treatment.members`, with a column `delineation`."
        yield Fault(("treatment", "delineation"), "a delineation is looked for in a file of members", hint)
    owner: dict[str, str] = {}
    for slug, area in listed.items():
        for number, code in enumerate(area.members):
            if code in owner:
                loc = ("treatment", "areas", "listed", slug, "members", number)
                yield Fault(loc, f"'{code}' is already a member of {owner[code]}", "A wijk or buurt lies in one area.")
            owner.setdefault(code, slug)
    known = list(listed) or ([area.slug for area in areas()] if spec.treatment.areas.register_ else [])
    if start.by_area is None or not known:
        return
    for slug in start.by_area.keys() - known:
        yield Fault(
            ("treatment", "start", "by_area", slug), f"'{slug}' is not one of the treated areas", near(slug, known)
        )
    missing = [slug for slug in known if slug not in start.by_area]
    if missing:
        yield Fault(("treatment", "start", "by_area"), f"no start is given for {', '.join(missing)}")


def _outcomes(spec: Specification) -> list[tuple[Loc, Outcome]]:
    if spec.outcome is not None:
        return [(("outcome",), spec.outcome)]
    return [(("outcomes", number), outcome) for number, outcome in enumerate(spec.outcomes)]


def _outcome(spec: Specification, outcome: Outcome, loc: Loc) -> Iterator[Fault]:
    known = {indicator.slug: indicator for indicator in indicators()}
    registered = known.get(outcome.indicator)
    if registered is None and outcome.name is None:
        close = get_close_matches(outcome.indicator, list(known), n=1)
        mean = f"Did you mean '{close[0]}'? " if close else ""
        hint = f"{mean}An indicator of your own needs a `name: {{nl: …}}`."
        yield Fault((*loc, "indicator"), f"'{outcome.indicator}' is not one of the 15 indicators", hint, "SPEC-008")
    if (
        registered is not None
        and str(registered.direction) in {"lower", "higher"}
        and outcome.better != registered.direction
    ):
        hint = f"Write `better: {registered.direction}`, or use an indicator of your own."
        yield Fault(
            (*loc, "better"), f"for {outcome.indicator} the programme calls {registered.direction} better", hint
        )
    measure, columns = outcome.measure, spec.data.outcomes.columns
    if outcome.source_kind == "survey" and not (columns.n or columns.se or columns.margin):
        hint = "Name the columns under `data.outcomes.columns`: `n`, `se`, or `margin: {low: …, high: …}`."
        yield Fault((*loc, "indicator"), f"{outcome.indicator} is asked of a sample, so its error must be known", hint)
    elif columns.n and not (columns.se or columns.margin) and (measure.rate or measure.unit != "procentpunt"):
        hint = "Name `se` or `margin` under `data.outcomes.columns`."
        yield Fault((*loc, "measure"), "only of a percentage (unit: procentpunt) does the error follow from `n`", hint)
    if bool(measure.rate) != bool(columns.numerator and columns.denominator):
        hint = (
            "Write `rate: numerator/denominator` with `per: 100`."
            if columns.numerator
            else ("Name the columns `numerator` and `denominator` under `data.outcomes.columns`, or take `rate` out.")
        )
        yield Fault((*loc, "measure"), "a `rate` goes with the columns `numerator` and `denominator`", hint)
    yield from faults_of_persons(spec, outcome, loc)
    for number, year in enumerate(measure.as_percent_of_own.periods if measure.as_percent_of_own else ()):
        at = (*loc, "measure", "as_percent_of_own", "periods", number)
        yield from before_every_start(spec, at, year, "the region's own mean")


def _target(spec: Specification) -> Iterator[Fault]:
    if len(_outcomes(spec)) == 0 or (spec.outcome is not None and spec.outcomes):
        hint = (
            "`outcome: {indicator: …}` for one; `outcomes: [{indicator: …}, …]` for several, the first as the headline."
        )
        yield Fault(("outcomes",) if spec.outcomes else (), "a study has one `outcome`, or a list of `outcomes`", hint)
    yield from _repeated(("outcomes",), [outcome.indicator for outcome in spec.outcomes], "indicator", "indicator")
    target, units = spec.target, spec.data.units
    if target.every == "resident" and (units is None or units.columns.residents is None):
        hint = "Name the column in `data.units.columns.residents`."
        yield Fault(("target", "every"), "counting every resident once takes a column of residents", hint)


def _window(spec: Specification) -> Iterator[Fault]:
    if spec.target.window is None:
        return
    low, high = spec.target.window
    loc: Loc = ("target", "window")
    outside = [year for year in (low, high) if year not in spec.periods.labels]
    first = min(spec.starts(), default=None)
    full = spec.treatment.start.first_full
    if outside:
        named = " and ".join(dict.fromkeys(outside))
        yield Fault(loc, f"{named} lies outside the periods {spoken(spec)}")
    elif low > high:
        yield Fault(loc, f"the window ends in {high}, before it begins in {low}")
    elif first is not None and low < first:
        yield Fault(
            loc, f"the window begins in {low}, before the first start in {first}", "An effect comes after a start."
        )
    elif full is not None and low < full:
        yield Fault(loc, f"the window begins in {low}, before the first full period {full}")


def _comparison(spec: Specification) -> Iterator[Fault]:
    yield from faults_of_comparison(spec)
    if spec.comparison.match is not None:
        yield from faults_of_match(spec, spec.comparison.match)


def _one_number(spec: Specification) -> Iterator[Fault]:
    """A constant effect is one coefficient for all treated periods, so a narrower window would claim another number."""
    constant = spec.estimator.name == "twfe" and spec.estimator.options.get("effect", "constant") == "constant"
    labels, starts = spec.periods.labels, [start for start in spec.starts() if start in spec.periods.labels]
    if not constant or spec.target.window is None or not starts:
        return
    whole = (labels[min(labels.index(start) for start in starts)], labels[-1])
    if tuple(spec.target.window) != whole:
        yield Fault(
            ("target", "window"),
            f"twfe gives one number for {whole[0]} to {whole[1]} together, and none for a part of these periods",
            f"Take window: [{whole[0]}, {whole[1]}], set `effect: event`, or use another estimator.",
        )
