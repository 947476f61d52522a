"""What a study says: its question, data, treatment, target, comparison, estimator, inference and seed.

A key stands here only when a run acts on it; `later` names those that come with later versions. What takes more than
one key to judge is in `rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from impact.inference.domain_index import Weighing
from impact.register.indicators import Indicator, indicators
from impact.study.calibrating import Calibrate
from impact.study.comparing import Comparison, Match
from impact.study.composing import Composition
from impact.study.controlling import Elsewhere
from impact.study.correction import Correction
from impact.study.disclosing import Disclose
from impact.study.estimating import Cluster, Estimating, Inference, Method
from impact.study.fields import (
    Belongs,
    Code,
    Covariate,
    Part,
    Period,
    Slug,
    Spellings,
    Texts,
    Word,
    Written,
    as_areas,
    as_named,
    as_profile,
    as_standard,
    whole,
)
from impact.study.leave_out import LeaveOut
from impact.study.level import Unit
from impact.study.looking import Looks
from impact.study.needs import Needs
from impact.study.subsetting import CovariateSets
from impact.study.tables import Data
from impact.study.thresholds import CHECKS, Checks, declared
from impact.study.timing import Break, LeftOut, Periods, segment
from impact.terms import Term

__all__ = [
    "CHECKS",
    "FIXED",
    "Alternative",
    "AreaList",
    "Areas",
    "Cluster",
    "Comparison",
    "Estimating",
    "Inference",
    "LeaveOut",
    "Match",
    "Measure",
    "Method",
    "NegativeControls",
    "NoEffect",
    "Outcome",
    "OwnBaseline",
    "Smallest",
    "Specification",
    "Start",
    "TargetSpec",
    "Treatment",
]

# Estimators that compare with the last period before the start alone, and the parameters with which they do.
_ONE_BASE: dict[str, dict[str, str]] = {
    "group-time": {},
    "stacked": {},
    "sun-abraham": {},
    "extended-twfe": {"control": "never"},
    "twfe": {"effect": "event"},
}

FIXED: dict[str, dict[str, Any]] = {"poisson": {"effect": "level"}}
"""Parameters that every study sets in one way: differences are in the unit of the outcome."""


class AreaList(Part):
    """One treated area: a name for the report (the register's own when left out) and the codes of its members."""

    name: Word | None = None
    members: Annotated[tuple[Code, ...], Field(min_length=1)] = Field(
        description="the codes of the wijken or buurten in the area"
    )


class Areas(Part):
    """The treated areas, given in one of three ways.

    ``register``: the 20 of the programme; ``{column: NAME}``: a column of the units table with the area's slug, blank
    elsewhere; or a mapping of slug to name and members.
    """

    register_: Literal["register"] | None = Field(default=None, alias="register")
    column: Word | None = None
    listed: Annotated[dict[Slug, AreaList], Field(min_length=1)] | None = None


class Start(Part):
    """When treatment starts: one of `first_treated`, `by_area` and `column` (of the units table).

    A start in a period that does not count, or between two waves, counts from the next one. `first_full`: until then
    the programme was under way for a part of the period; such periods are neither base nor in the estimate.
    `last_before`: the last measurement before the start, as the evaluator counts; if it is another, that is a fault.
    """

    event: Word = Field(description="what counts as the start, in words, for instance prestatieafspraak")
    first_treated: Period | None = None
    by_area: dict[Slug, Period] | None = None
    column: Word | None = None
    first_full: Period | None = None
    last_before: Period | None = None


class Treatment(Part):
    """Who is treated, and from when on.

    `members`: a file of one's own (area, code, vintage, share, source) that goes before the register; `delineation`:
    which one, of several in its column of that name. ``only: with-data``: areas without data are left out by name
    instead of being an error. `already_treated`: areas that had the programme, or one like it; left out by name.
    """

    areas: Annotated[Areas, BeforeValidator(as_areas)] = Field(
        description="register, {column: NAME}, or a mapping of each area to its members"
    )
    members: Word | None = None
    delineation: Slug | None = None
    only: Literal["with-data"] | None = None
    already_treated: dict[Slug, Literal["leave-out"]] = Field(default_factory=dict)
    start: Start = Field(description="when treatment starts: {event: …, first_treated: …}")
    anticipation: Annotated[int, Field(ge=0, le=20)] = 0


class OwnBaseline(Part):
    """The outcome as a percentage of the region's own mean over `periods`.

    Regions with a mean below `minimum_mean` are left out by name.
    """

    periods: Annotated[tuple[Period, ...], Field(min_length=1)] = Field(
        description="the periods of the region's own mean"
    )
    minimum_mean: Annotated[float, Field(gt=0)] = Field(
        description="the mean under which a region is left out, by name"
    )


class Measure(Part):
    """How the columns become the outcome: as they are or as a rate, then if asked relative to the own mean."""

    rate: Literal["numerator/denominator"] | None = None
    per: Annotated[float, Field(gt=0)] | None = None
    as_percent_of_own: OwnBaseline | None = None
    unit: Written = Field(description="the unit of a difference in the report, for instance procentpunt")


class Smallest(Part):
    """The smallest difference that matters, in the unit of the measure, and who says so."""

    value: Annotated[float, Field(gt=0)] = Field(description="the difference, above 0, in the unit of the measure")
    why: Written = Field(description="the reason for this value, or who set it and when")


class Outcome(Part):
    """One indicator: a slug of the register, or an own slug with a `name`.

    `name` stands in sentences as it is: a noun in the singular, as in ``het aandeel vroegtijdige vertrekkers``. `where`
    filters further than the `rows` of the table. `kind`: counted, asked of a sample, or predicted by a model; as the
    register says when left out. `part_of`: the sum that it is a part of; in a family such parts count once. `also_as`:
    of whom a difference can be told as a number, such as ``leerlingen per jaar``.
    """

    indicator: Slug = Field(description="the slug of one of the 15 indicators, or an own slug with a `name`")
    name: Texts | None = None
    kind: Literal["register", "survey", "modelled"] | None = None
    where: dict[str, Spellings] = Field(default_factory=dict)
    part_of: Slug | None = None
    measure: Measure = Field(description="how the columns become the outcome, and its unit")
    better: Literal["lower", "higher", "neither"] = Field(
        description="which way is favourable: lower, higher or neither"
    )
    smallest_difference_that_matters: Smallest | None = None
    also_as: Texts | None = None

    @property
    def registered(self) -> Indicator | None:
        """What the register of the programme says of it; None for an indicator of one's own."""
        return next((found for found in indicators() if found.slug == self.indicator), None)

    @property
    def source_kind(self) -> str:
        """``register`` (counted), ``survey`` (asked of a sample) or ``modelled`` (predicted)."""
        return self.kind or ("register" if self.registered is None else self.registered.kind.value)


class NoEffect(Part):
    """An outcome on which nothing of the programme can be expected, and why; the other keys are those of an outcome."""

    indicator: Slug = Field(description="the slug of one of the 15 indicators, or an own slug with a `name`")
    name: Texts | None = None
    kind: Literal["register", "survey", "modelled"] | None = None
    where: dict[str, Spellings] = Field(default_factory=dict)
    measure: Measure = Field(description="how the columns become the outcome, and its unit")
    why: Written = Field(description="why nothing can be expected of it")

    @property
    def outcome(self) -> Outcome:
        """The same as an outcome of a study; which way is favourable plays no part."""
        own = Outcome(
            **{key: getattr(self, key) for key in ("indicator", "name", "kind", "where", "measure")}, better="neither"
        )
        found = own.registered
        return own if found is None else own.model_copy(update={"better": str(found.direction)})


class NegativeControls(Part):
    """Where the design should find nothing: what it finds there says how far it may be wrong elsewhere."""

    outcomes: tuple[NoEffect, ...] = ()
    areas: dict[Slug, Elsewhere] = Field(default_factory=dict)


class TargetSpec(Part):
    """What is estimated, as one number, over the periods of the `window` (first and last).

    Effects by periods since the start stand in every report.
    """

    kind: Literal["average"] = Field(description="average: the effects of all years in the window as one number")
    window: tuple[Period, Period] | None = None
    every: Literal["area", "resident", "unit"] = Field(
        description="who counts once. area: each focus area, however large; resident: each resident, so that large "
        "areas count for more; unit: each wijk or buurt in the table. The answers differ, so it must be said"
    )


class Alternative(Part):
    """Another way to answer: what is different, why, and whether it still estimates the same."""

    name: Slug = Field(description="a short name, as in other-weights")
    why: Written = Field(description="the reason to look at it")
    same_estimand: bool = Field(
        description="true when it estimates the same quantity, false when it answers another question"
    )
    change: dict[str, Any] = Field(description="the keys that differ from the study, with their new content")


class Specification(Part):
    """A whole study."""

    schema_: Annotated[Literal[1], BeforeValidator(whole)] = Field(
        alias="schema", description="the version of the language of studies: 1"
    )
    id: Slug = Field(description="the short name of the study, as in its folder")
    title: Texts = Field(description="the title of the report")
    question: Texts = Field(description="the question, in one sentence")
    seen_before: Texts = Field(description="what was already known of the outcomes when this was written")
    placebo: bool = False
    data: Data = Field(description="the tables")
    periods: Periods = Field(description="the periods that count: {first: …, last: …}, or {kind: waves, are: […]}")
    leave_out: tuple[LeftOut, ...] = ()
    breaks: tuple[Break, ...] = ()
    unit: Unit | None = None
    treatment: Treatment = Field(description="who is treated from when on")
    outcome: Outcome | None = None
    outcomes: tuple[Outcome, ...] = ()
    target: TargetSpec = Field(description="what is estimated: {kind: …, every: area | resident | unit}")
    comparison: Comparison = Field(description="who the areas are compared with: {leave_out: […], match: …}")
    estimator: Annotated[Estimating, BeforeValidator(as_named)] = Field(
        description="how the untreated outcome is imputed: {name: …}"
    )
    inference: Annotated[Inference, BeforeValidator(as_named)] = Field(
        description="how sure the answer is: {name: …, cluster: …}"
    )
    alternatives: tuple[Alternative, ...] = ()
    families: dict[Slug, Annotated[tuple[Slug, ...], Field(min_length=1)]] = Field(default_factory=dict)
    correction: Correction | None = None
    indices: dict[Slug, Weighing] = Field(default_factory=dict)
    calibrate: Calibrate | None = None
    looks: Looks | None = None
    needs: Needs | None = None
    negative_controls: NegativeControls | None = None
    composition: Composition | None = None
    covariate_sets: CovariateSets | None = None
    belongs_to: Belongs | None = None
    disclose: Annotated[Disclose | None, BeforeValidator(as_profile)] = None
    context: tuple[Word, ...] = Field(
        default=(), description="notes beside the results, such as field notes and target values: Markdown files"
    )
    checks: Annotated[Checks, BeforeValidator(as_standard)] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**53)] = Field(
        description="a whole number from which every random draw follows"
    )

    @property
    def all_outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes, whether written as `outcome` or `outcomes`; each is estimated and reported by itself."""
        return self.outcomes if self.outcome is None else (self.outcome,)

    @property
    def thresholds(self) -> dict[str, float]:
        """Every check and its threshold, standard where the study gives none."""
        return CHECKS | declared(self.checks)

    @property
    def covariates(self) -> tuple[Term, ...]:
        """What the estimate adjusts for."""
        return tuple(term for covariate in self.estimator.covariates for term in self.meant(covariate))

    def meant(self, covariate: Covariate) -> tuple[Term, ...]:
        """What one covariate stands for: a group stands for its columns."""
        groups = {} if self.data.units is None else self.data.units.columns.groups
        if covariate.column in groups:
            return tuple(Term("column", name) for name in groups[covariate.column])
        return (covariate.term,)

    @property
    def measured(self) -> tuple[str, ...]:
        """The periods that count, in order."""
        out = {period for rule in self.leave_out for period in rule.periods}
        return tuple(label for label in self.periods.labels if label not in out)

    @property
    def labels(self) -> tuple[str, ...]:
        """The periods that count and that can be compared with the ones in which the effect is measured."""
        start = self.treatment.start
        anchor = start.first_full or min(self.starts(), default=None) or (self.target.window or (None,))[0]
        return self.measured if anchor is None else segment(self.measured, self.breaks, anchor)

    def starts(self) -> tuple[str, ...]:
        """The first treated periods that the specification itself names, in order; none when a column holds them."""
        start = self.treatment.start
        named: Iterable[str] = start.by_area.values() if start.by_area else filter(None, [start.first_treated])
        return tuple(sorted(set(named)))

    def before(self, start: str, labels: Sequence[str]) -> tuple[str, ...]:
        """Those of `labels` in which an area with this start cannot have responded yet."""
        earlier = [label for label in labels if label < start]
        return tuple(earlier[: max(len(earlier) - self.treatment.anticipation, 0)])

    def base_periods(self, start: str, labels: Sequence[str]) -> tuple[str, ...]:
        """Those of `labels` that say where an area with this start stood before it.

        The last before the start (and anticipation) where the estimator has one base; all where it averages or weighs.
        """
        before, options = self.before(start, labels), self.estimator.options
        asked = _ONE_BASE.get(self.estimator.name)
        alone = asked is not None and all(options.get(key) == value for key, value in asked.items())
        return before[-1:] if alone else before

    def window(self, labels: Sequence[str], first: str) -> tuple[str, str] | None:
        """First and last of `labels` that the estimate is about, `first` being the earliest start; None for none."""
        low, high = self.target.window or (self.treatment.start.first_full or first, labels[-1])
        inside = [label for label in labels if low <= label <= high]
        return (inside[0], inside[-1]) if inside else None
