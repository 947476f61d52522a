"""What an estimator remarks on its fit, and what a diagnosis of its comparisons says, in the language of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Final

from impact.cells import Note
from impact.errors import Refused
from impact.estimators.diagnostics import Kind, diagnose
from impact.evidence.language import Texts, listed, number, significant
from impact.evidence.result import Result

__all__ = ["DIAGNOSED", "cautions"]

DIAGNOSED: Final[tuple[Kind, ...]] = ("outside-hull", "fits-noise", "one-donor")
"""Cautions of a diagnosis that no note of a fit holds."""
_MANY: Final = 8  # more names than this are not all written out
_SHOWN: Final = 6


def cautions(result: Result | None, names: Mapping[str, str], say: Texts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sentences in the language of `say`, and the remarks that it has no words for, as the estimator makes them.

    `names` is how a report calls the areas of the estimate, which a fit calls by their slugs.
    """
    if result is None:
        return (), ()
    told: dict[str, list[Mapping[str, Any]]] = {}
    rest: list[str] = []
    for note in result.fit.notes:
        if isinstance(note, Note) and f"run.remark.{note.key}" in say:
            told.setdefault(note.key, []).append(note.values)
        else:
            rest.append(note)
    found = diagnose(result.panel, result.fit)
    for one in () if isinstance(found, Refused) else found:
        for kind in DIAGNOSED:
            if any(caution.kind == kind for caution in one.cautions):
                told.setdefault(kind, []).append({"name": one.area})
    starts = {name: say("run.remark-start", start=name) for name in result.panel.group_names if name not in names}
    return tuple(_said(key, values, starts | dict(names), len(names), say) for key, values in told.items()), tuple(rest)


def _said(key: str, notes: Sequence[Mapping[str, Any]], names: Mapping[str, str], areas: int, say: Texts) -> str:
    """One sentence for all areas of which the same is remarked: their names, and the largest of every number."""
    who = [name for values in notes for name in values.get("names", [values["name"]] if "name" in values else ())]
    keys = [key for key, value in notes[0].items() if isinstance(value, Real)]
    most = {key: max(values[key] for values in notes) for key in keys}
    return say(
        f"run.remark.{key}",
        names=_named(list(dict.fromkeys(names.get(name, name) for name in who)), areas, say),
        **{key: _number(key, value, say) for key, value in most.items()},
    )


def _named(found: list[str], areas: int, say: Texts) -> str:
    if len(found) == areas > 1:
        return say("run.remark-all", count=str(areas))
    if len(found) > _MANY:
        more = say("run.remark-more", count=number(len(found) - _SHOWN, say.language, 0))
        found = [*found[:_SHOWN], more]
    return listed(found, say.language)


def _number(key: str, value: float, say: Texts) -> str:
    if key == "share":
        return say("format.percent", number=number(100 * value, say.language, 0))
    return number(value, say.language, 0) if isinstance(value, int) else significant(value, say.language)
