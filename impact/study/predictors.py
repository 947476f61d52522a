"""Predictors of a synthetic control as a specification spells them: the outcome before the start, characteristics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import PydanticCustomError

from impact.study.faults import Fault
from impact.study.fields import as_period
from impact.study.model import Specification
from impact.study.source import Loc
from impact.study.times import before_every_start

__all__ = ["columns_of_predictors", "faults_of_predictors", "spelled"]

_OUTCOME: Final = "outcome"
_PERIODS: Final = ("at", "from", "to")


def spelled(options: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of an estimator, with every period in the spelling of the study."""
    found = dict(options)
    if "predictors" in found:
        found["predictors"] = [_spelled(one) for one in found["predictors"]]
    if "fit_window" in found:
        found["fit_window"] = tuple(_label(period) for period in found["fit_window"])
    return found


def columns_of_predictors(spec: Specification) -> tuple[str, ...]:
    """The columns of the units table that predictors are of."""
    given = spec.estimator.options.get("predictors", ())
    every = [part for _, one in _places(given) for part in [one.get("of")]]
    return tuple(dict.fromkeys(name for name in every if isinstance(name, str) and name != _OUTCOME))


def faults_of_predictors(spec: Specification) -> Iterator[Fault]:
    """What is wrong with predictors that the estimator itself can read: what they are of, and their periods."""
    options, slugs = spec.estimator.options, [outcome.indicator for outcome in spec.all_outcomes]
    for loc, one in _places(options.get("predictors", ())):
        name = one["of"]
        if name != _OUTCOME and name in slugs:
            hint = f"Write `of: {_OUTCOME}` for the outcome of each report, or use multi-outcome-synthetic-control."
            yield Fault(loc, f"'{name}' is an outcome of this study and no characteristic", hint)
        elif name != _OUTCOME and spec.data.units is None:
            hint = "Add `units: {file: …, columns: {region: …}}` under `data`."
            yield Fault(loc, f"'{name}' is a column of the units table, and there is none", hint)
        elif name != _OUTCOME and one.keys() - {"of", "training"}:
            (word, *_) = sorted(one.keys() - {"of", "training"})
            hint = f"Write '{name}' alone."
            yield Fault((*loc, word), f"'{name}' is one figure of every region, so it has no `{word}`", hint)
        elif name == _OUTCOME:
            for word in _PERIODS:
                if word in one:
                    yield from _before(spec, (*loc, word), one[word], "a predictor")
    for number, period in enumerate(options.get("fit_window", ())):
        yield from _before(spec, ("estimator", "fit_window", number), period, "`fit_window`")


def _places(given: Any) -> Iterator[tuple[Loc, Mapping[str, Any]]]:
    """Every predictor as a mapping with its place, what stands for it in training included."""
    for number, one in enumerate(given if isinstance(given, (list, tuple)) else ()):
        loc: Loc = ("estimator", "predictors", number)
        yield loc, _mapping(one)
        if "training" in _mapping(one):
            yield (*loc, "training"), _mapping(_mapping(one)["training"])


def _mapping(one: Any) -> Mapping[str, Any]:
    return one if isinstance(one, Mapping) else {"of": one}


def _before(spec: Specification, loc: Loc, given: object, what: str) -> Iterator[Fault]:
    label = _label(given)
    if label is None:
        yield Fault(loc, f"{given} is not a year or a school year", "Write a period as under `periods`.")
    else:
        yield from before_every_start(spec, loc, label, what)


def _label(given: object) -> str | None:
    """A period in the spelling of the study; None for what is none."""
    try:
        label = as_period(given)
    except PydanticCustomError:
        return None
    return label if isinstance(label, str) else None


def _spelled(one: Any) -> Any:
    if not isinstance(one, Mapping):
        return one
    found = {word: _label(value) if word in _PERIODS else value for word, value in one.items()}
    return found | {"training": _spelled(one["training"])} if "training" in one else found
