"""Between evidence and bundle: what would disclose something is taken out of the record, and then it is rounded.

Whatever stands in a bundle is made from what this gives back. A part of the record that no rule here knows is taken out
too, so that nothing new leaves unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, Final, TypeVar

import numpy as np

from impact.disclosure.attack import System, complement
from impact.disclosure.differencing import least_difference
from impact.disclosure.profile import Profile
from impact.evidence.disclosed import Disclosed, Mark, withheld, withholding
from impact.evidence.record import Estimate, Evidence, Variant
from impact.study.behind import Behind, Ruling, judged
from impact.study.disclose_known import DESIGN, PARTS
from impact.study.disclose_parts import balance, composed, means, placebos, robust, selection
from impact.study.disclose_round import redacted, rounded
from impact.study.disclosing import profile_of
from impact.study.model import Specification

__all__ = ["Told", "disclose"]

_KEPT: Final = frozenset(
    {"term", "weighting", "level", "inference", "method", "units", "areas", "clusters", "treated_clusters", "adjusted"}
)
_FIGURES: Final = frozenset(
    {
        *("value", "std_error", "df", "low", "high", "p_value", "largest_share", "effective_clusters", "beside"),
        *("refused", "band_low", "band_high", "known_share"),
    }
)
_DEAR = 1e6  # what is not shown for another's sake is never the estimate itself where anything else will do

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """An outcome with what lies behind its numbers, and behind those of its alternatives and its bracket by name."""

    evidence: Evidence
    behind: Behind
    alternatives: Mapping[str, Behind] = field(default_factory=dict)
    bracket: Mapping[str, Behind] = field(default_factory=dict)


def disclose(spec: Specification, told: Sequence[Told]) -> tuple[Evidence, ...]:
    """The outcomes of a study as they may leave; as they are where the study says nothing of disclosure."""
    if spec.disclose is None:
        return tuple(one.evidence for one in told)
    profile = profile_of(spec.disclose)
    made = [_outcome(one, profile) for one in told]
    if profile.asks:
        made = [_without_others(one, made) for one in made]
        made = [rounded(redacted(one, before.evidence), profile) for one, before in zip(made, told, strict=True)]
    return tuple(made)


def _outcome(told: Told, profile: Profile) -> Evidence:
    marks: list[Mark] = []
    told = replace(told, evidence=replace(told.evidence, translations={}))
    if not profile.asks:
        public = Ruling("pass", "public")
        for name in (*sorted(PARTS), "design"):
            if name == "design" or getattr(told.evidence, name):
                marks.append(_mark(name, "", public))
        return _noted(told.evidence, profile, marks)
    evidence = _known_only(told.evidence, DESIGN | PARTS, "", marks)
    marks.append(_mark("design", "", Ruling("pass", "design")))
    evidence = _texts(_known_figures(_without_index(evidence, marks), marks), marks)
    if evidence.primary.value is None:
        evidence = _without_estimate(evidence, told, profile, marks)
    else:
        evidence = _estimates(evidence, told, profile, marks)
    return _noted(selection(balance(evidence, told.behind, profile, marks), profile, marks), profile, marks)


def _noted(evidence: Evidence, profile: Profile, marks: Sequence[Mark]) -> Evidence:
    named = [(one.name, getattr(profile, one.name)) for one in fields(profile) if one.name not in ("name", "verify")]
    said = tuple((name, _spelled(value)) for name, value in named if value is not None and profile.asks)
    return replace(evidence, disclosed=Disclosed(profile.name, profile.asks, profile.verify, said, tuple(marks)))


def _spelled(value: object) -> str:
    return " / ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else f"{value}"


def _mark(part: str, cell: str, ruling: Ruling) -> Mark:
    return Mark(part, cell, ruling.verdict, ruling.rule, ruling.behind, ruling.threshold)


def _known_only(value: _T, known: frozenset[str], prefix: str, marks: list[Mark]) -> _T:
    """Without the parts that no rule knows: they go back to what they are where nothing is said."""
    gone: dict[str, Any] = {}
    for one in fields(value):  # type: ignore[arg-type]
        if one.name not in known and getattr(value, one.name) != _standard(one):
            gone[one.name] = _standard(one)
            marks.append(_mark(f"{prefix}{one.name}", "", Ruling("suppressed", "no-rule")))
    return replace(value, **gone) if gone else value  # type: ignore[type-var]


def _standard(one: Field[Any]) -> Any:
    """What stands in a part of a record where nothing is said."""
    if one.default_factory is not MISSING:
        return one.default_factory()
    return None if one.default is MISSING else one.default


def _without_index(evidence: Evidence, marks: list[Mark]) -> Evidence:
    """Families without an index of all their outcomes, which no rule knows."""
    for family in evidence.families:
        if family.index is not None:
            marks.append(_mark("families", f"{family.name} index", Ruling("suppressed", "no-rule")))
    return replace(evidence, families=tuple(replace(family, index=None) for family in evidence.families))


def _known_figures(evidence: Evidence, marks: list[Mark]) -> Evidence:
    """Every estimate without the figures that no rule knows, such as sums by cluster."""
    found: list[Mark] = []

    def bare(estimate: Estimate) -> Estimate:
        return _known_only(estimate, _KEPT | _FIGURES, "estimate-", found)

    def variants(rows: tuple[Variant, ...]) -> tuple[Variant, ...]:
        return tuple(replace(row, estimate=bare(row.estimate)) for row in rows)

    evidence = replace(
        evidence,
        primary=bare(evidence.primary),
        weightings=variants(evidence.weightings),
        alternatives=variants(evidence.alternatives),
        bracket=variants(evidence.bracket),
        event=tuple(map(bare, evidence.event)),
    )
    marks += dict.fromkeys(found)
    return evidence


def _texts(evidence: Evidence, marks: list[Mark]) -> Evidence:
    """Sentences and checks: a person reads them, and the least figure of any unit is not among them."""
    for name in ("notes", "remarks", "refusals", "context"):
        if getattr(evidence, name):
            marks.append(_mark(name, "", Ruling("needs review", "text")))
    checks = []
    for check in evidence.checks:
        ruling = Ruling("pass", "design")
        if check.name == "respondents" and check.statistic is not None:
            ruling = Ruling("suppressed", "extreme")
            check = replace(check, statistic=None, because="")
        marks.append(_mark("checks", check.name, ruling))
        checks.append(check)
    # The effect on one area is no design.
    return replace(evidence, checks=tuple(checks), areas=tuple(replace(area, effect=None) for area in evidence.areas))


# --- estimates --------------------------------------------------------------------------------------------------------


def _held(estimate: Estimate, profile: Profile) -> Estimate:
    """The same without any number that comes from the outcome; what it is about and how many stand."""
    gone: dict[str, Any] = {
        one.name: _standard(one) for one in fields(estimate) if one.name not in _KEPT and one.name != "refused"
    }
    return replace(estimate, **gone, refused=withholding(profile.name))


def _estimates(evidence: Evidence, told: Told, profile: Profile, marks: list[Mark]) -> Evidence:
    behind = told.behind
    own = judged(profile, behind.estimate())
    degrees = behind.degrees()
    if own.verdict != "suppressed" and profile.minimum_df is not None and degrees < profile.minimum_df:
        own = Ruling("suppressed", "df", degrees, profile.minimum_df)
    marks.append(_mark("primary", evidence.primary.term, own))
    if own.verdict == "suppressed":
        return _nothing(evidence, profile, own, marks)
    events, hidden = _events(evidence, told, profile, own, marks)
    evidence = replace(
        evidence,
        weightings=_weightings(evidence, told, profile, own, marks),
        alternatives=_variants("alternatives", evidence.alternatives, told.alternatives, behind, profile, own, marks),
        bracket=_variants("bracket", evidence.bracket, told.bracket, behind, profile, own, marks),
        event=events,
    )
    evidence = means(evidence, behind, profile, marks)
    evidence = placebos(evidence, profile, own, events=hidden, marks=marks)
    marks += [_mark("families", family.name, own) for family in evidence.families]
    if evidence.robust is None:
        return evidence
    known = frozenset(("honest", "left_out", "alternatives", "past", "ring", "fit", "composition", "sets", "areas"))
    kept = _known_only(evidence.robust, known, "robust-", marks)
    others = any(withheld(variant.estimate.refused) for variant in evidence.alternatives)
    shown = robust(kept, evidence, behind, profile, own, events=hidden, alternatives=others, marks=marks)
    return composed(replace(evidence, robust=shown))


def _nothing(evidence: Evidence, profile: Profile, why: Ruling, marks: list[Mark]) -> Evidence:
    """Without any number of the outcome, where the estimate itself cannot be shown: the others would give it away."""
    for name in ("weightings", "alternatives", "bracket", "event"):
        for variant in getattr(evidence, name):
            marks.append(_mark(name, variant.term if name == "event" else variant.name, replace(why)))
    for name in ("change", "path", "robust", "families", "placebos", "also_as"):
        if getattr(evidence, name):
            marks.append(_mark(name, "", why))
    for check in evidence.checks:
        if check.stage != "design" and check.statistic is not None:
            marks.append(_mark("checks", check.name, why))

    def held(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        return tuple(replace(one, estimate=_held(one.estimate, profile)) for one in variants)

    return replace(
        evidence,
        primary=_held(evidence.primary, profile),
        weightings=held(evidence.weightings),
        alternatives=held(evidence.alternatives),
        bracket=held(evidence.bracket),
        event=tuple(_held(row, profile) for row in evidence.event),
        change=None,
        also_as=None,
        path=(),
        robust=None,
        placebos=None,
        families=tuple(family.without(evidence.indicator) for family in evidence.families),
        checks=tuple(
            check if check.stage == "design" else replace(check, statistic=None, because="")
            for check in evidence.checks
        ),
    )


def _without_estimate(evidence: Evidence, told: Told, profile: Profile, marks: list[Mark]) -> Evidence:
    """Of an outcome without an estimate of its own, no other number is shown that would be judged beside it."""
    names = []
    for name in ("weightings", "alternatives", "bracket"):
        names += [name] if any(one.estimate.value is not None for one in getattr(evidence, name)) else []
    rest = ("event", "change", "path", "also_as", "robust", "families", "placebos")
    names += [name for name in rest if getattr(evidence, name)]
    marks += [_mark(name, "", Ruling("suppressed", "no-rule")) for name in names]
    kept = {name: getattr(evidence, name) for name in ("weightings", "alternatives", "bracket") if name not in names}
    gone: dict[str, Any] = {"weightings": (), "alternatives": (), "bracket": (), "also_as": None, **kept}
    gone["families"] = tuple(family.without(evidence.indicator) for family in evidence.families)
    return replace(evidence, **gone, event=(), change=None, path=(), robust=None, placebos=None)


def _events(
    evidence: Evidence, told: Told, profile: Profile, own: Ruling, marks: list[Mark]
) -> tuple[tuple[Estimate, ...], bool]:
    """Estimates by periods since the start: what the rules hide, and what the average would give away of them."""
    rulings = []
    for row in evidence.event:
        group = told.behind.event(row.term)
        unknown = Ruling("needs review", "unknown")
        rulings.append(unknown if group is None else judged(profile, group))
    gone = [
        ruling.verdict == "suppressed" and row.value is not None
        for ruling, row in zip(rulings, evidence.event, strict=True)
    ]
    after = [row.term.removeprefix("-") == row.term and row.value is not None for row in evidence.event]
    if any(gone) and any(after):
        count = len(gone)
        tie = np.array([[*(-1.0 / sum(after) if one else 0.0 for one in after), 1.0]])
        free = np.full(count + 1, -np.inf)
        system = System(np.zeros(count + 1), tie, free)
        cost = np.array([float(max(row.units, 1)) for row in evidence.event] + [_DEAR])
        may = np.array([row.value is not None for row in evidence.event] + [True])
        found = complement(system, np.array([*gone, False]), np.ones(count + 1), np.where(may, cost, np.inf))
        more = np.ones(count, dtype=bool) if found is None or found[-1] else found[:-1]
        for place in np.flatnonzero(more & ~np.array(gone)).tolist():
            rulings[place] = Ruling("suppressed", "secondary")
    rows = []
    for row, ruling in zip(evidence.event, rulings, strict=True):
        if row.value is not None:
            marks.append(_mark("event", row.term, ruling))
        rows.append(_held(row, profile) if ruling.verdict == "suppressed" and row.value is not None else row)
    return tuple(rows), any(withheld(row.refused) for row in rows)


# --- the same estimate otherwise --------------------------------------------------------------------------------------


def _sides(behind: Behind) -> tuple[dict[str, float], dict[str, float]]:
    """Units with their weight among the treated, and among the comparison, as the panel itself has them."""
    panel = behind.panel
    treated = panel.weight * panel.treated
    controls = panel.control_weight(panel.treated) * panel.never
    return tuple(  # type: ignore[return-value]
        {panel.units[unit]: float(side[unit]) for unit in np.flatnonzero(side)} for side in (treated, controls)
    )


def _apart(one: Behind, other: Behind, least: int | None) -> Ruling | None:
    """The rule that a difference of two estimates breaks: it is about some units, and about too few."""
    if least is None:
        return None
    for mine, theirs in zip(_sides(one), _sides(other), strict=True):
        few = least_difference(mine, theirs)
        if 0 < few < least:
            return Ruling("suppressed", "differencing", few, least)
    return None


def _weightings(
    evidence: Evidence, told: Told, profile: Profile, own: Ruling, marks: list[Mark]
) -> tuple[Variant, ...]:
    """The same units, counted otherwise."""
    panel, out = told.behind.panel, []
    declared = _sides(told.behind)[0]
    for variant in evidence.weightings:
        if variant.estimate.value is None:
            out.append(variant)
            continue
        weighted = panel.weighted(variant.estimate.weighting)  # type: ignore[arg-type]
        other = Behind(weighted, told.behind.persons, told.behind.cases, {})
        ruling = judged(profile, other.group(other.treated))
        few = least_difference(_sides(other)[0], declared)
        if ruling.verdict != "suppressed" and profile.minimum_units is not None and 0 < few < profile.minimum_units:
            ruling = Ruling("suppressed", "differencing", few, profile.minimum_units)
        marks.append(_mark("weightings", variant.name, ruling))
        gone = ruling.verdict == "suppressed"
        out.append(replace(variant, estimate=_held(variant.estimate, profile)) if gone else variant)
    return tuple(out)


def _variants(
    part: str,
    variants: tuple[Variant, ...],
    known: Mapping[str, Behind],
    own: Behind,
    profile: Profile,
    primary: Ruling,
    marks: list[Mark],
) -> tuple[Variant, ...]:
    """Each by itself, and beside the declared estimate and every other one that is shown."""
    out, shown = [], [own]
    for variant in variants:
        if variant.estimate.value is None:
            out.append(variant)
            continue
        other = known.get(variant.name)
        if other is None:
            ruling = Ruling("needs review", "unknown")
        else:
            ruling = judged(profile, other.group(other.treated))
            if ruling.verdict != "suppressed":
                ruling = next(filter(None, (_apart(other, one, profile.minimum_units) for one in shown)), ruling)
        marks.append(_mark(part, variant.name, ruling))
        if ruling.verdict == "suppressed":
            out.append(replace(variant, estimate=_held(variant.estimate, profile)))
            continue
        out.append(variant)
        shown += [] if other is None else [other]
    return tuple(out)


def _without_others(evidence: Evidence, all_: Sequence[Evidence]) -> Evidence:
    """Families without the numbers that the pages of other outcomes do not show."""
    families = evidence.families
    for one in all_:
        if withheld(one.primary.refused):
            families = tuple(family.without(one.indicator) for family in families)
        gone = {row.term for row in one.event if withheld(row.refused)}
        families = tuple(
            replace(
                family,
                horizons=tuple(
                    member.blank() if member.indicator == one.indicator and member.term in gone else member
                    for member in family.horizons
                ),
            )
            for family in families
        )
    return replace(evidence, families=families)
