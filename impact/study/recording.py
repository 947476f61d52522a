"""The record of a run: every outcome told in Dutch and in English from the same answers, and what may leave of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final, TypeVar

from impact.evidence.family import Family
from impact.evidence.language import Texts
from impact.evidence.look import Look
from impact.evidence.record import Estimate, Evidence, Variant
from impact.evidence.robust import Robust
from impact.evidence.standing import Standing
from impact.evidence.translation import translated
from impact.study.alternatives import Variation
from impact.study.answers import Answers, Gaps
from impact.study.load import Loaded
from impact.study.looks import looked
from impact.study.panels import Comparison
from impact.study.read import Study
from impact.study.record import Case, evidence, variant
from impact.study.signatures import signed_for
from impact.study.together import programme
from impact.study.wording import texts_of, untranslated

__all__ = ["Given", "Tried", "recorded", "variants"]

_WRITTEN: Final = frozenset({"unit", "why"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A declared alternative with its answer, its comparison and its tables."""

    variation: Variation
    answer: tuple[Estimate, Gaps]
    comparison: Comparison
    loaded: Loaded


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What was found for one outcome."""

    answers: Answers
    tried: tuple[Tried, ...]
    bracket: tuple[Variant, ...]
    robust: Robust | None
    look: Look | None


def recorded(
    study: Study,
    cases: Sequence[Case],
    given: Sequence[Given],
    families: tuple[Family, ...],
    standing: Standing,
    versions: dict[str, str],
    released: Callable[[list[Evidence]], list[Evidence]],
) -> list[Evidence]:
    """One record per outcome, with its English beside its Dutch. Nothing is estimated for it.

    `released` gives back of the records what may leave; both languages go through it, each with its own sentences.
    """
    found: dict[str, list[Evidence]] = {}
    for language in ("nl", "en"):
        say = texts_of(study.model, language)
        listed = programme(study.model, cases, [one.answers for one in given], say)
        rows = [
            evidence(
                study,
                case,
                one.answers,
                variants(study, case, one, say),
                one.bracket,
                _own(one.robust, say),
                versions,
                _own(families, say),
                listed,
                standing,
                say,
                found["nl"][number] if "nl" in found else None,
            )
            for number, (case, one) in enumerate(zip(cases, given, strict=True))
        ]
        found[language] = rows
    told = [[looked(one, own.look) for one, own in zip(released(rows), given, strict=True)] for rows in found.values()]
    signed = signed_for(study, standing.look)
    judged = [text for one in signed.values() for text in (one.role, one.why)]
    rest = tuple(dict.fromkeys(filter(None, [*untranslated(study.model), *_said(standing), *judged])))
    return [
        replace(translated(dutch, english, rest), signed=signed.get(dutch.indicator))
        for dutch, english in zip(*told, strict=True)
    ]


def variants(study: Study, case: Case, given: Given, say: Texts) -> tuple[Variant, ...]:
    """The declared alternatives of one outcome, in the words of `say`."""
    return tuple(
        variant(one.variation, one.answer, given.answers, one.comparison, case.comparison, one.loaded, study.model, say)
        for one in given.tried
    )


def _own(value: _T, say: Texts) -> _T:
    """Units and reasons of the author in the language of `say`, in a record and all that it holds."""
    if not say.written:
        return value
    if isinstance(value, tuple):
        return tuple(_own(item, say) for item in value)  # type: ignore[return-value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    parts = {one.name: getattr(value, one.name) for one in fields(value)}
    return replace(
        value,
        **{
            name: say.own(part) if name in _WRITTEN and isinstance(part, str) else _own(part, say)
            for name, part in parts.items()
        },
    )


def _said(standing: Standing) -> Iterator[str]:
    """What was given as a reason when the study was locked or amended."""
    yield from (made.why for made in standing.amendments)
    yield standing.short
