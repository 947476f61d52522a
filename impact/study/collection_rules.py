"""What a collection and its studies say that cannot all be true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from impact.estimators import registry
from impact.estimators.protocol import Gives
from impact.register.indicators import indicators
from impact.study.collecting import Collecting
from impact.study.faults import Fault, near
from impact.study.model import Specification

__all__ = ["faults_of_collection"]


def faults_of_collection(spec: Collecting, studies: Mapping[str, Specification]) -> Iterator[Fault]:
    """Everything that contradicts something else; `studies` are those that could be read, by their folder."""
    places = {slug: number for number, slug in enumerate(spec.studies)}
    for number, slug in enumerate(spec.studies):
        if places[slug] != number:
            yield Fault(("studies", number), f"'{slug}' stands there already", "Every study stands there once.")
    for slug, study in studies.items():
        yield from _study(spec, places[slug], slug, study)
    owner: dict[str, str] = {}
    for slug, study in studies.items():
        for outcome in study.all_outcomes:
            first = owner.setdefault(outcome.indicator, slug)
            if first != slug:
                hint = "A collection has one answer for every indicator: take one of the two studies out."
                message = f"'{slug}' is about {outcome.indicator}, and so is '{first}'"
                yield Fault(("studies", places[slug]), message, hint)
    complete = len(studies) == len(places)
    yield from _families(spec, studies, owner if complete else None)
    yield from _not_studied(spec, owner, complete)


def _study(spec: Collecting, number: int, slug: str, study: Specification) -> Iterator[Fault]:
    """One study in the collection."""
    loc = ("studies", number)
    if study.id != slug:
        yield Fault(loc, f"the study in the folder '{slug}' is called '{study.id}'", "Give both the same name.")
    if study.placebo:
        hint = "Run it by itself: what it finds is no result of the programme."
        yield Fault(loc, f"'{slug}' is a placebo study", hint)
    other = None if study.belongs_to is None else PurePosixPath(study.belongs_to).stem
    if other not in (None, spec.id):
        hint = f"Write `belongs_to: ../{spec.id}.yaml` in it, or take it out here."
        yield Fault(loc, f"'{slug}' says that it belongs to '{other}'", hint)
    if spec.families and study.families:
        hint = "Take `families` and `correction` out of the study: here they are those of the collection."
        yield Fault(loc, f"'{slug}' judges its outcomes in families of its own", hint)
    if spec.looks is not None and study.looks != spec.looks:
        said = "says nothing of looks" if study.looks is None else "plans other looks"
        hint = "Write the same `looks` in the study: its lock holds what it says itself."
        yield Fault(loc, f"'{slug}' {said}", hint)


def _families(
    spec: Collecting, studies: Mapping[str, Specification], owner: Mapping[str, str] | None
) -> Iterator[Fault]:
    """Families and their correction; `owner` is None while a study is missing: then no indicator is unknown."""
    if bool(spec.families) != (spec.correction is not None):
        missing = "correction" if spec.families else "families"
        hint = (
            "Add `correction: {method: romano-wolf, level: 0.05}`."
            if spec.families
            else "Name the indicators that are judged together: `families: {actielijn-4: [criminaliteit, …]}`."
        )
        there = ("families",) if spec.families else ("correction",)
        yield Fault(there, f"`families` and `correction` belong together, and there is no `{missing}`", hint)
    known = [found.slug for found in indicators()]
    stands: dict[str, str] = {}
    for name, members in spec.families.items():
        for number, slug in enumerate(members):
            loc = ("families", name, number)
            if owner is not None and slug not in known and slug not in owner:
                hint = near(slug, [*owner, *known])
                yield Fault(loc, f"'{slug}' is no indicator of the programme or of these studies", hint, "SPEC-008")
            elif slug in stands:
                where = "here" if stands[slug] == name else f"in {stands[slug]}"
                yield Fault(loc, f"'{slug}' stands {where} already", "An indicator is judged in one family.")
            stands.setdefault(slug, name)
        if spec.correction is not None and spec.correction.method == "romano-wolf":
            yield from _drawn(name, [study for study in studies.values() if _inside(study, members)])


def _inside(study: Specification, members: Sequence[str]) -> bool:
    return any(outcome.indicator in members for outcome in study.all_outcomes)


def _drawn(name: str, studies: Sequence[Specification]) -> Iterator[Fault]:
    """Joint draws take contributions of the same clusters, which not every estimator has."""
    for study in studies:
        method = study.estimator.name
        if method in registry.ESTIMATORS and Gives.SCORES not in registry.resolve(method).gives:
            message = f"{method} in '{study.id}' has no contribution of every cluster, from which romano-wolf draws"
            yield Fault(("correction", "method"), message, "Use `method: holm`, which needs p-values only.")
    if len({study.inference.cluster for study in studies}) > 1:
        ids = ", ".join(study.id for study in studies)
        hint = "Give these the same `inference: {cluster: …}`, or use `method: holm`, which needs p-values only."
        message = f"the studies in this family ({ids}) have other clusters, and are drawn by the clusters they share"
        yield Fault(("families", name), message, hint)


def _not_studied(spec: Collecting, owner: Mapping[str, str], complete: bool) -> Iterator[Fault]:
    """Indicators without a study: each has a reason, and none has both."""
    known = [found.slug for found in indicators()]
    for slug in spec.not_studied:
        loc = ("not_studied", slug)
        if slug in owner:
            yield Fault(loc, f"'{slug}' is studied here, by '{owner[slug]}'", "Take it out of `not_studied`.")
        elif slug not in known:
            yield Fault(loc, f"'{slug}' is none of the indicators of the programme", near(slug, known), "SPEC-008")
    told = {*owner, *spec.not_studied, *(found.slug for found in indicators() if found.not_measurable)}
    missing = [slug for slug in known if slug not in told]
    if spec.table.order == "programme" and complete and missing:
        hint = f"Say why under `not_studied`: `{missing[0]}: {{statement: not-studied, why: …}}`, or not-measurable."
        message = f"all {len(known)} indicators stand in the table, and of these nothing is said: {', '.join(missing)}"
        yield Fault(("not_studied",) if spec.not_studied else ("table",), message, hint)
