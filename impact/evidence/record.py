"""What a run has to say, as one value: written to results.json, read back by show, report and everything later.

Plain numbers and text only; None stands for "not given", and a refusal says why. The report is a function of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from impact.checks.protocol import Check
from impact.errors import Refused
from impact.evidence.basis import Basis
from impact.evidence.context_notes import Note
from impact.evidence.disclosed import Disclosed
from impact.evidence.family import Family, Listed
from impact.evidence.in_persons import AlsoAs
from impact.evidence.look import Look
from impact.evidence.placebos import PlaceboSpread
from impact.evidence.placed import MapPart, PlacedUnit
from impact.evidence.robust import Robust
from impact.evidence.selected import Selection
from impact.evidence.signed import Signed
from impact.evidence.standing import Standing, Status

__all__ = [
    "AreaRow",
    "BalanceRow",
    "Change",
    "DataFile",
    "Estimate",
    "Evidence",
    "Excluded",
    "FlowStep",
    "MadeOf",
    "MapPart",
    "PathPoint",
    "PlaceboSpread",
    "PlacedUnit",
    "Second",
    "Selection",
    "Shared",
    "Variant",
]

Text = dict[str, str]  # language code to text; "nl" is always there


@dataclass(frozen=True, slots=True)
class Second:
    """A p-value of an inference that stands beside the declared one."""

    name: str
    null: str
    p_value: float | None
    draws: int
    enumerated: bool
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """One term with its uncertainty, in units of the outcome.

    `low`, `high` and `p_value` are None where the declared inference was refused; `refused` says why. `band_low` and
    `band_high` hold for all terms at once. `known_share` is the share of the variance that known errors of the figures
    make up (samples, rounding); None where there are none, or where it is not known. `adjusted`: the estimate adjusts
    for covariates, with which no pair of estimator and inference was tried by simulation. `basis`: what it can be
    computed again from; written to a table of its own.
    """

    term: str
    weighting: str
    value: float | None
    std_error: float | None
    df: float | None
    low: float | None
    high: float | None
    p_value: float | None
    level: float
    inference: str
    method: str
    units: int
    areas: int
    clusters: int
    treated_clusters: int
    largest_share: float | None
    effective_clusters: float | None
    beside: tuple[Second, ...] = ()
    refused: Refused | None = None
    band_low: float | None = None
    band_high: float | None = None
    known_share: float | None = None
    adjusted: bool = False
    basis: Basis | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One step from all units to the donor pool, with how many are left."""

    step: str
    reason: str
    removed: int
    left: int


@dataclass(frozen=True, slots=True)
class Variant:
    """A declared alternative, or the same estimate under another weighting.

    `flow` leads from all units to its pool, where that is another than the study's own. `level` and `population` are as
    in `Evidence`.
    """

    name: str
    why: str
    same_estimand: bool
    estimate: Estimate
    flow: tuple[FlowStep, ...] = ()
    level: str = ""
    population: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Means of focus areas, their comparison and, where the tables have it, the country, before and after the start."""

    before: str
    after: str
    focus_before: float | None
    focus_after: float | None
    comparison_before: float | None
    comparison_after: float | None
    national_before: float | None = None
    national_after: float | None = None


@dataclass(frozen=True, slots=True)
class PathPoint:
    """Weighted mean outcome of the focus areas and of their comparison in one period."""

    period: str
    focus: float | None
    comparison: float | None
    after: bool


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """Means and standardised differences of one characteristic, before and after matching or weighting.

    A difference is None where the characteristic varies in neither group and yet differs: nothing can mend that.
    `unknown`: units of which it is not known, and that are not in the comparison of it. `label`: what readers call it.
    """

    name: str
    focus: float
    pool: float
    matched: float
    smd_pool: float | None
    smd_matched: float | None
    matched_on: bool
    unknown: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A unit that is not compared, or a period that does not count, with its reason."""

    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class AreaRow:
    """A treated area: its units, its gemeente, its start, its base period, and whom it is compared with.

    `matched` are the units that were chosen, with their weight in the choice; `weights` those with weight in its
    comparison, where the estimator finds weights for every area, or for all areas that start together. `left_out` gives
    the reason where the area is not in the estimate. `population`: where a unit is a whole gemeente, the share of its
    residents that lives in the area; `population_unknown` is why it is not known.
    """

    slug: str
    name: str
    units: tuple[str, ...]
    cluster: str
    first_treated: str
    base: str
    matched: tuple[tuple[str, float], ...] = ()
    effect: float | None = None
    left_out: str = ""
    weights: tuple[tuple[str, float], ...] = ()
    population: float | None = None
    population_unknown: str = ""


@dataclass(frozen=True, slots=True)
class MadeOf:
    """A part of a unit that was added up: which region, how much of it, and the role of the unit."""

    unit: str
    role: Literal["focus", "comparison"]
    part: str
    share: float


@dataclass(frozen=True, slots=True)
class Shared:
    """The units that all areas of one start are compared with, with their weight, the largest first."""

    start: str
    units: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class DataFile:
    """An input: its role, name, digest and where it came from."""

    role: str
    file: str
    sha256: str
    rows: int
    source: str = ""
    vintage: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a report may say.

    Attributes
    ----------
    status : {"pre-specified", "amended", "deviation", "exploratory"}
        How far the design was fixed beforehand; `standing` says why.
    areas_total : int
        Areas of the programme (20), or of the study's own list when it does not use the register.
    not_measurable : tuple of str
        Why the outcome cannot be measured with these data, in the language of the study; then nothing was computed.
    periods_left_out : tuple of Excluded
        Periods that do not count, each with the reason.
    siblings : tuple of (name, file)
        The study's other outcomes, and the pages about them.
    covariates : tuple of str
        Characteristics that the estimate adjusts for, in the language of the study.
    bracket : tuple of Variant
        Of a study that matches, the same estimate by the names "unmatched", "structure" (matched on that alone) and
        "selection" (on the score that areas were chosen by too), as far as its tables allow.
    shared : tuple of Shared
        Of a study that weighs the pool, the weights; empty where every area has units of its own.
    selection : Selection or None
        Of a study that names the waves on which its areas were chosen.
    robust : Robust or None
        What the estimate can bear; None where it is sealed.
    event : tuple of Estimate
        By periods since the start; `term` is the event time. Pre-period terms below 0.
    notes : tuple of str
        Sentences about the data and the fit that a reader must know, in the language of the study.
    families : tuple of Family
        What holds for the outcomes of a family together: the one that this outcome is in, if any.
    look : Look or None
        Of a study that plans looks, which one this is.
    placebos : PlaceboSpread or None
        Where placebos lie by periods since the start, where the study ranks its areas among them.
    programme : tuple of Listed
        All indicators of the programme and what became of each, in a study with families.
    belongs_to : str
        The collection in which this outcome is judged with others; without `families` it was run apart from it.
    remarks : tuple of str
        What the estimator itself remarks, in English.
    level : str
        What a unit is, where the study says so: ``gemeente``, ``focus-area``, ``wijk`` or ``buurt``. At the level of
        gemeenten every number is about the whole gemeente, and none about the area in it.
    population : float or None
        At that level, the share of the residents of those gemeenten that lives in the areas; None where unknown.
    made_of : tuple of MadeOf
        What every unit in the comparison is made of, where units are added up.
    units : tuple of PlacedUnit
        Every unit, when the study gives borders; with the regions of focus areas that have no data.
    phrase : dict
        The outcome as it stands in a sentence; empty where `outcome` does.
    needed : tuple of str
        What would make an outcome measurable that is not, in the language of the study.
    also_as : AlsoAs or None
    context : tuple of Note
        What others say beside the results; no number rests on it.
    map : tuple of MapPart
        What of these can be drawn, and `map_source`: where the borders come from.
    translations : dict
        By language, texts of this record by their place in it: see ``impact.evidence.translation``.
    untranslated : tuple of str
        What the author gave in Dutch alone.
    """

    study: str
    title: Text
    question: Text
    seen_before: str
    status: Status
    placebo: bool
    seed: int
    spec_sha256: str
    indicator: str
    outcome: Text
    unit: str
    better: Literal["lower", "higher", "neither"]
    smallest: float | None
    smallest_why: str
    areas_total: int
    areas: tuple[AreaRow, ...]
    periods: tuple[str, ...]
    window: tuple[str, str]
    anticipation: int
    pool: int
    compared: int
    primary: Estimate
    weightings: tuple[Variant, ...] = ()
    alternatives: tuple[Variant, ...] = ()
    bracket: tuple[Variant, ...] = ()
    robust: Robust | None = None
    event: tuple[Estimate, ...] = ()
    change: Change | None = None
    path: tuple[PathPoint, ...] = ()
    balance: tuple[BalanceRow, ...] = ()
    flow: tuple[FlowStep, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    checks: tuple[Check, ...] = ()
    refusals: tuple[Refused, ...] = ()
    data: tuple[DataFile, ...] = ()
    notes: tuple[str, ...] = ()
    not_measurable: tuple[str, ...] = ()
    periods_left_out: tuple[Excluded, ...] = ()
    siblings: tuple[tuple[str, str], ...] = ()
    covariates: tuple[str, ...] = ()
    shared: tuple[Shared, ...] = ()
    selection: Selection | None = None
    remarks: tuple[str, ...] = ()
    level: str = ""
    population: float | None = None
    made_of: tuple[MadeOf, ...] = ()
    units: tuple[PlacedUnit, ...] = ()
    map: tuple[MapPart, ...] = ()
    map_source: str = ""
    disclosed: Disclosed | None = None
    families: tuple[Family, ...] = ()
    programme: tuple[Listed, ...] = ()
    belongs_to: str = ""
    look: Look | None = None
    placebos: PlaceboSpread | None = None
    versions: dict[str, str] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    phrase: Text = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    also_as: AlsoAs | None = None
    context: tuple[Note, ...] = ()
    signed: Signed | None = None
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    untranslated: tuple[str, ...] = ()
    schema: int = 1

    @property
    def sealed(self) -> bool:
        """Whether nothing is measurable, or a gate failed or was not evaluated: then no effect is shown anywhere."""
        return bool(self.not_measurable) or any(check.gates and check.verdict != "pass" for check in self.checks)

    @property
    def findings(self) -> int:
        """Checks not met plus refusals, and an outcome that is not measurable; more than 0 gives exit code 1."""
        failed = sum(check.verdict == "fail" for check in self.checks)
        return failed + len(self.refusals) + bool(self.not_measurable)

    @property
    def included(self) -> tuple[AreaRow, ...]:
        """The areas that are in the estimate."""
        return tuple(area for area in self.areas if not area.left_out)

    @property
    def compared_areas(self) -> int:
        """How many areas the answer is about; where a check sealed it, how many it would have been about."""
        return len(self.included) if self.sealed and not self.not_measurable else self.primary.areas

    @property
    def compared_gemeenten(self) -> int:
        """The same of their gemeenten."""
        sealed = self.sealed and not self.not_measurable
        return len({area.cluster for area in self.included}) if sealed else self.primary.treated_clusters

    @property
    def others(self) -> tuple[AreaRow, ...]:
        """The areas that are not, each with the reason."""
        return tuple(area for area in self.areas if area.left_out)
