"""Outcomes that are judged together: p-values and intervals of a whole family, from one set of draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Float1
from impact.evidence.family import Family, Listed, Member, Outcome
from impact.evidence.language import Texts, listed
from impact.evidence.result import Result
from impact.inference.families import (
    adjust,
    confirmations,
    correlated,
    joined,
    normal_draws,
    simultaneous,
)
from impact.inference.protocol import Uncertainty
from impact.register.indicators import indicators
from impact.streams import Streams
from impact.study.answers import Answers
from impact.study.correction import Correction
from impact.study.model import Outcome as Asked
from impact.study.model import Specification
from impact.study.record import Case
from impact.study.remarks import name_of, unmeasurable
from impact.study.wording import texts_of

__all__ = ["DRAWS", "Studied", "families", "programme", "studied", "together"]

DRAWS = 9999
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class _Tested:
    """A member with what its p-value comes from."""

    member: Member
    result: Result
    column: int
    df: float
    scores: Float1 | None


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """An outcome with what was estimated of it, and what became of it."""

    asked: Asked
    answers: Answers
    state: Outcome


def together(spec: Specification, cases: Sequence[Case], found: Sequence[Answers]) -> tuple[Family, ...]:
    """The families of a study; nothing where it names none."""
    if spec.correction is None:
        return ()
    by = {one.asked.indicator: one for one in studied(spec, cases, found)}
    return families(spec.families, spec.correction, by, Streams(spec.seed))


def studied(spec: Specification, cases: Sequence[Case], found: Sequence[Answers]) -> tuple[Studied, ...]:
    """Every outcome of a study with what became of it."""
    say = texts_of(spec, "nl")
    return tuple(
        Studied(case.series.outcome, answers, _state(spec, case, answers, say)[0])
        for case, answers in zip(cases, found, strict=True)
    )


def _state(spec: Specification, case: Case, answers: Answers, say: Texts) -> tuple[Outcome, str]:
    """What became of an outcome, and why it cannot be measured, in the words of `say`."""
    reasons = unmeasurable(spec, case.series, case.checks, say, case.loaded.to_come)
    sealed = any(check.gates and check.verdict != "pass" for check in case.checks)
    tested = answers.primary.p_value is not None
    state: Outcome = "not-measurable" if reasons else "sealed" if sealed else "estimated" if tested else "no-p-value"
    return state, listed(reasons, say.language)


def families(
    named: Mapping[str, Sequence[str]],
    correction: Correction,
    found: Mapping[str, Studied | Member],
    streams: Streams,
) -> tuple[Family, ...]:
    """Every family, corrected: of one study, or over several whose draws move together by the clusters they share.

    The averages of the outcomes are one family, and the outcomes in every period since the start are another: each
    holds its level by itself. Numbers of members that are sealed or have no p-value are not among them.

    Parameters
    ----------
    named : mapping of str to sequence of str
        The indicators of every family.
    correction : Correction
        Method and level.
    found : mapping
        Every indicator by its slug: what was estimated of it, or a member without any number.
    streams : Streams
        Of the study or the collection.
    """
    streams = streams.at("families")
    out = []
    for name, slugs in named.items():
        asked = [found[slug] for slug in slugs]
        averages = [entry for one in asked for entry in _average(one)]
        periods = [entry for one in asked for entry in _periods(one)]
        members, error = _corrected(averages, correction, streams.at(name, "average"))
        horizons, other = _corrected(periods, correction, streams.at(name, "horizons"))
        hit = np.array([one.adjusted is not None and one.adjusted <= correction.level for one in members])
        out.append(
            Family(
                name,
                correction.method,
                correction.level,
                members,
                horizons,
                DRAWS if correction.method == "romano-wolf" else 0,
                max(error, other),
                int(hit.sum()),
                confirmations(hit, [one.whole for one in members]),
            )
        )
    return tuple(out)


def programme(spec: Specification, cases: Sequence[Case], found: Sequence[Answers], say: Texts) -> tuple[Listed, ...]:
    """All indicators of the programme, then those of the study's own, with what became of each; of a study with
    families."""
    if spec.correction is None:
        return ()
    became = [_state(spec, case, one, say) for case, one in zip(cases, found, strict=True)]
    studied = {outcome.indicator: place for place, outcome in enumerate(spec.all_outcomes)}
    rows = []
    for known in indicators():
        name = {"nl": known.nl, "en": known.en}
        if known.slug in studied:
            rows.append(Listed(known.number, known.slug, name, *became[studied[known.slug]]))
        elif known.not_measurable:
            rows.append(Listed(known.number, known.slug, name, "not-measurable", say.own(known.not_measurable)))
        else:
            rows.append(Listed(known.number, known.slug, name, "not-studied"))
    for place, outcome in enumerate(spec.all_outcomes):
        if outcome.registered is None:
            rows.append(Listed(None, outcome.indicator, name_of(outcome), *became[place]))
    return tuple(rows)


def _average(one: Studied | Member) -> Iterable[_Tested | Member]:
    """The number of an outcome over all its periods."""
    if isinstance(one, Member):
        yield one
    elif one.answers.result is None:
        yield replace(_blank(one.asked, "average"), state=one.state if one.state != "estimated" else "no-p-value")
    else:
        result = one.answers.result
        yield _tested(one.asked, result, len(result.effects.terms) - 1, "average")


def _periods(one: Studied | Member) -> Iterable[_Tested | Member]:
    """Its numbers in every period since the start."""
    if isinstance(one, Member) or one.answers.events is None:
        return
    events = one.answers.events
    for column, term in enumerate(events.effects.terms):
        if term != "mean" and int(term) >= 0:
            yield _tested(one.asked, events, column, term)


def _blank(asked: Asked, term: str) -> Member:
    whole = asked.part_of or asked.indicator
    return Member(asked.indicator, name_of(asked), whole, term, asked.measure.unit, "no-p-value")


def _tested(asked: Asked, result: Result, column: int, term: str) -> _Tested | Member:
    known, value = result.uncertainty, float(result.effects.estimate[column])
    blank = replace(_blank(asked, term), value=value)
    if not isinstance(known, Uncertainty) or not np.isfinite(known.p_value[column]):
        return blank
    error = float(known.std_error[column])
    member = replace(
        blank,
        state="estimated",
        std_error=error if np.isfinite(error) else None,
        p_value=float(known.p_value[column]),
    )
    scores = result.effects.scores
    own = None if scores is None else scores[:, column]
    df = float(known.df[column])
    return _Tested(member, result, column, df if np.isfinite(df) else np.inf, own)


def _corrected(
    entries: Sequence[_Tested | Member], correction: Correction, streams: Streams
) -> tuple[tuple[Member, ...], float]:
    """The members with what holds for them together, in their order, and the largest Monte-Carlo error."""
    drawing = correction.method == "romano-wolf"
    tested = [entry for entry in entries if isinstance(entry, _Tested) and (not drawing or _moves(entry))]
    if not tested:
        return tuple(_plain(entry) for entry in entries), 0.0
    drawn = None
    if drawing:
        scores = joined(
            [np.asarray(one.scores)[:, None] for one in tested], [one.result.panel.clusters for one in tested]
        )
        drawn = normal_draws(correlated(scores), DRAWS, streams.generator())
    found = adjust(np.array([one.member.p_value for one in tested]), correction.method, correction.level, drawn)
    errors = np.array([np.nan if one.member.std_error is None else one.member.std_error for one in tested])
    wide = None
    if correction.method in ("romano-wolf", "holm"):
        values = np.array([one.member.value for one in tested])
        wide = simultaneous(values, errors, np.array([one.df for one in tested]), 1 - correction.level, drawn)
    of = {id(one): place for place, one in enumerate(tested)}
    members = []
    for entry in entries:
        place = of.get(id(entry))
        if place is None:
            members.append(_plain(entry))
            continue
        shown = wide is not None and np.isfinite(errors[place]) and errors[place] > 0
        low, high = (float(wide.low[place]), float(wide.high[place])) if wide is not None and shown else (None, None)
        members.append(replace(_plain(entry), adjusted=float(found.p_value[place]), low=low, high=high))
    return tuple(members), float(found.mc_error.max())


def _moves(entry: _Tested) -> bool:
    """Whether there are scores to draw from."""
    return entry.scores is not None and bool(np.isfinite(entry.scores).all() and np.abs(entry.scores).max() > _NOTHING)


def _plain(entry: _Tested | Member) -> Member:
    return entry if isinstance(entry, Member) else entry.member
