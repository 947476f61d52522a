"""What may be shown of means, balance, and of what an estimate can bear; each part says by which rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from impact.arrays import Bool1, Float1
from impact.disclosure.differencing import hide_more, least_difference
from impact.disclosure.profile import Profile
from impact.evidence.composition import Composition, People, Share
from impact.evidence.disclosed import Mark, withheld, withholding
from impact.evidence.record import Evidence
from impact.evidence.robust import Honest, LeftOut, Ring, Robust
from impact.evidence.single_areas import SingleAreas
from impact.study.behind import Behind, Group, Ruling, judged

__all__ = ["balance", "composed", "means", "placebos", "robust", "selection"]

_TAIL = 0.05  # share of the placebo sets beyond the outermost lines that are drawn of them


def _mark(part: str, cell: str, ruling: Ruling) -> Mark:
    return Mark(part, cell, ruling.verdict, ruling.rule, ruling.behind, ruling.threshold)


def _worst(rulings: Sequence[Ruling]) -> Ruling:
    order = {"suppressed": 0, "needs review": 1, "pass": 2}
    return min(rulings, key=lambda ruling: order[ruling.verdict])


def means(evidence: Evidence, behind: Behind, profile: Profile, marks: list[Mark]) -> Evidence:
    """The courses of both groups, their means before and after and the people behind them: all of it or nothing, as
    the gap ties them.

    Where one side cannot be shown, the other one and the estimates would give away how it changed.
    """
    if not evidence.path and evidence.change is None and evidence.also_as is None:
        return evidence
    sides = [
        judged(profile, behind.group(behind.treated), means=True),
        judged(profile, behind.group(behind.compared), means=True),
    ]
    ruling = _worst(sides)
    for name in ("path", "change", "also_as"):
        if getattr(evidence, name):
            marks.append(_mark(name, "", ruling))
    return replace(evidence, path=(), change=None, also_as=None) if ruling.verdict == "suppressed" else evidence


def balance(evidence: Evidence, behind: Behind, profile: Profile, marks: list[Mark]) -> Evidence:
    """Means of characteristics: of the residents of units, as far as anything is known of who is behind them."""
    if not evidence.balance:
        return evidence
    everybody = np.where(behind.panel.never, behind.panel.weight, 0.0)
    ruling = _worst([_residents(side, behind, profile) for side in (behind.treated, behind.compared, everybody)])
    marks.append(_mark("balance", "", ruling))
    if ruling.verdict != "suppressed":
        return evidence
    checks = tuple(
        replace(check, statistic=None, because="") if check.name == "balance" else check for check in evidence.checks
    )
    return replace(evidence, balance=(), checks=checks)


def _residents(weight: Float1, behind: Behind, profile: Profile) -> Ruling:
    """A mean over the residents of units, as far as these are known."""
    group, known = behind.group(weight), behind.panel.residents
    residents = np.full(len(group.weight), np.nan) if known is None else known[np.flatnonzero(weight)]
    return judged(profile, Group(group.weight, group.outcome, residents[:, None], np.full((len(residents), 1), np.nan)))


def placebos(evidence: Evidence, profile: Profile, own: Ruling, *, events: bool, marks: list[Mark]) -> Evidence:
    """Where placebos lie: each is about as many units as the areas are, and no line may rest on a few of them."""
    found, least = evidence.placebos, profile.minimum_units
    if found is None:
        return evidence
    beyond = int(_TAIL * found.sets)  # placebo sets outside the outermost line, on either side
    ruling = Ruling("suppressed", "secondary") if events else own
    if ruling.verdict != "suppressed" and least is not None and beyond < least:
        ruling = Ruling("suppressed", "extreme", beyond, least)
    elif ruling.verdict == "pass":
        ruling = Ruling("needs review", "unknown", beyond, least)
    marks.append(_mark("placebos", "", ruling))
    return replace(evidence, placebos=None) if ruling.verdict == "suppressed" else evidence


def selection(evidence: Evidence, profile: Profile, marks: list[Mark]) -> Evidence:
    """How much of a score lasts, over all units that were never treated."""
    found = evidence.selection
    if found is None:
        return evidence
    least = profile.minimum_units
    ruling = Ruling("needs review", "unknown", found.units, least)
    if least is not None and found.units < least:
        ruling = Ruling("suppressed", "units", found.units, least)
    marks.append(_mark("selection", "", ruling))
    return replace(evidence, selection=None) if ruling.verdict == "suppressed" else evidence


# --- what an estimate can bear ----------------------------------------------------------------------------------------


def robust(
    found: Robust,
    evidence: Evidence,
    behind: Behind,
    profile: Profile,
    own: Ruling,
    *,
    events: bool,
    alternatives: bool,
    marks: list[Mark],
) -> Robust:
    """Every part of it; `events` and `alternatives` say whether any of those is not shown."""
    refused = withholding(profile.name)
    secondary = Ruling("suppressed", "secondary")
    out: dict[str, Any] = {}
    if found.honest.refused is None:
        marks.append(_mark("robust-honest", "", secondary if events else own))
        out["honest"] = Honest(refused=refused) if events else found.honest
    out["left_out"] = tuple(_left_out(one, evidence, behind, profile, own, marks) for one in found.left_out)
    if found.alternatives is not None:
        marks.append(_mark("robust-alternatives", "", secondary if alternatives else own))
        out["alternatives"] = None if alternatives else found.alternatives
    if found.past is not None and found.past.refused is None:
        marks.append(_mark("robust-past", "", own))
    out["ring"] = _ring(found.ring, evidence, profile, own, marks)
    if found.sets is not None and found.sets.refused is None:  # of the same units as the estimate
        marks.append(_mark("robust-sets", "", own))
    if found.composition is not None:
        out["composition"] = _composition(found.composition, behind, profile, own, marks)
    out["areas"] = _areas(found.areas, evidence, behind, profile, own, marks)
    out["fit"] = tuple(one for one in found.fit if _alone(one.area, evidence, behind, profile, marks))
    return replace(found, **out)


def _members(names: Sequence[str], evidence: Evidence, behind: Behind) -> Bool1 | None:
    """(N,) the units of an area, or of all areas of a cluster, by the name in the report; None where not found."""
    slugs = [area.slug for area in evidence.included if area.name in names or area.slug in names]
    slugs = slugs or [area.slug for area in evidence.included if area.cluster in names]
    found = [units for units in map(behind.area, slugs) if units is not None]
    return np.logical_or.reduce(found) if found else None


def _alone(name: str, evidence: Evidence, behind: Behind, profile: Profile, marks: list[Mark]) -> bool:
    """Whether how closely the comparison follows one area can be shown."""
    units = _members(name.split(", "), evidence, behind)
    ruling = Ruling("suppressed", "unknown")
    if units is not None:
        ruling = judged(profile, behind.group(np.where(units, behind.treated, 0.0)), means=True)
    marks.append(_mark("robust-fit", name, ruling))
    return ruling.verdict != "suppressed"


def _left_out(
    found: LeftOut, evidence: Evidence, behind: Behind, profile: Profile, own: Ruling, marks: list[Mark]
) -> LeftOut:
    """The whole and the whole without one give that one: it is judged as if it stood there itself."""
    part = f"robust-{found.what}"
    if found.refused is not None or not found.each:
        return found
    if found.what == "period":  # the same units, in fewer periods
        marks.append(_mark(part, "", own))
        return found
    if found.what == "donor":
        ruling = Ruling("needs review", "refit")
        marks.append(_mark(part, "", own if own.verdict == "suppressed" else ruling))
        return found
    rulings = [_difference(one.name, evidence, behind, profile) for one in found.each]
    counts = [int(ruling.behind or 0) if ruling.rule in ("differencing", "all-units") else 0 for ruling in rulings]
    gone = [ruling.verdict == "suppressed" for ruling in rulings]
    more = hide_more(counts, gone, profile.minimum_units or 0)
    for place, (one, hide) in enumerate(zip(found.each, more, strict=True)):
        if hide and not gone[place]:
            rulings[place] = Ruling("suppressed", "secondary")
        marks.append(_mark(part, one.name, rulings[place]))
    if not any(more):
        return found
    refused = withholding(profile.name)
    if all(more):
        return LeftOut(found.what, refused=refused)
    each = tuple(
        replace(one, value=None, low=None, high=None, refused=refused) if hide else one
        for one, hide in zip(found.each, more, strict=True)
    )
    # The ends and the names of the most telling would say something of those that are not shown.
    return replace(found, each=each, low=None, high=None, most="", signs=(), statements=None)


def _difference(name: str, evidence: Evidence, behind: Behind, profile: Profile) -> Ruling:
    units = _members([name], evidence, behind)
    if units is None:
        return Ruling("needs review", "unknown")
    panel, least = behind.panel, profile.minimum_units
    rest = panel.treated & ~units
    sides = [int(units.sum())]
    if rest.any():
        controls = [panel.control_weight(members) * panel.never for members in (panel.treated, rest)]
        named = [{panel.units[one]: float(side[one]) for one in np.flatnonzero(side)} for side in controls]
        few = least_difference(*named)
        sides += [few] if few else []
    if least is not None and min(sides) < least:
        return Ruling("suppressed", "differencing", min(sides), least)
    ruling = judged(replace(profile, minimum_units=None), behind.group(np.where(units, behind.treated, 0.0)))
    if ruling.verdict == "pass":
        return Ruling("pass", "all-units", min(sides), least)
    return ruling


def _areas(
    found: SingleAreas | None, evidence: Evidence, behind: Behind, profile: Profile, own: Ruling, marks: list[Mark]
) -> SingleAreas | None:
    """All areas by themselves or none: the mean of them is the estimate, so the others would give one away.

    Every area stands there with its level and that of its comparison, so both are judged as means.
    """
    if found is None or found.refused is not None:
        return found
    panel, rulings = behind.panel, [own]
    for area in found.areas:
        units = _members([area.slug], evidence, behind)
        if units is None:
            rulings.append(Ruling("suppressed", "unknown"))
            continue
        beside = panel.control_weight(units) * panel.never
        for side in (np.where(units, behind.treated, 0.0), beside):
            rulings.append(judged(profile, behind.group(side), means=True))
    ruling = _worst(rulings)
    marks.append(_mark("robust-areas", "", ruling))
    return SingleAreas(refused=withholding(profile.name)) if ruling.verdict == "suppressed" else found


def _ring(found: Ring | None, evidence: Evidence, profile: Profile, own: Ruling, marks: list[Mark]) -> Ring | None:
    """Three effects of which two give the third; the residents of the ring are a count."""
    if found is None or found.refused is not None or found.ring is None:
        return found
    ruling, units = own, len(found.units)
    if profile.minimum_units is not None and units < profile.minimum_units:
        ruling = Ruling("suppressed", "units", units, profile.minimum_units)
    elif profile.minimum_count is not None:
        ruling = Ruling("needs review", "unknown", None, profile.minimum_count)
    marks.append(_mark("robust-ring", "", ruling))
    return Ring(found.units, refused=withholding(profile.name)) if ruling.verdict == "suppressed" else found


# --- who lives there --------------------------------------------------------------------------------------------------


def composed(evidence: Evidence) -> Evidence:
    """The checks of what is new without their figure, where that share is not shown."""
    found = None if evidence.robust is None else evidence.robust.composition
    gone = {f"composition-{row.what}" for row in (() if found is None else found.shares) if withheld(row.refused)}
    checks = tuple(
        replace(check, statistic=None, because="") if check.name in gone else check for check in evidence.checks
    )
    return replace(evidence, checks=checks)


def _composition(found: Composition, behind: Behind, profile: Profile, own: Ruling, marks: list[Mark]) -> Composition:
    """Shares are means over residents; how many of them are new is known only where persons are."""
    refused, people = withholding(profile.name), found.people
    persons = _persons(people, profile, own)
    shares = []
    for row in found.shares:
        if row.refused is not None:
            shares.append(row)
            continue
        ruling = _worst([own, *(_residents(side, behind, profile) for side in (behind.treated, behind.compared))])
        if row.since:
            ruling = _worst([ruling, persons])
        elif ruling.verdict == "pass" and profile.minimum_count is not None:
            ruling = Ruling("needs review", "unknown", None, profile.minimum_count)
        marks.append(_mark("robust-composition", row.what, ruling))
        shares.append(Share(row.what, since=row.since, refused=refused) if ruling.verdict == "suppressed" else row)
    if people is not None and people.refused is None:
        marks.append(_mark("robust-people", "", persons))
        # The count itself is not to be known.
        gone = persons.verdict == "suppressed"
        people = People(people.since, refused=refused) if gone else replace(people, fewest=None)
    return replace(found, shares=tuple(shares), people=people)


def _persons(people: People | None, profile: Profile, own: Ruling) -> Ruling:
    """Three parts that add up to the estimate: all of it or nothing, by the fewest people behind one of them."""
    least = profile.minimum_count
    if people is None or people.fewest is None:
        return Ruling("suppressed", "unknown", None, least)
    if least is not None and people.fewest < least and (people.fewest > 0 or profile.zeros):
        return Ruling("suppressed", "persons", None, least)
    return _worst([own, Ruling("needs review", "unknown", None, least)])
