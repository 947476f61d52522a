"""The estimator and the inferences of a specification, held against the classes that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from impact.study.faults import Fault, near
from impact.study.later import INSTEAD, LATER
from impact.study.model import FIXED, Method, Specification
from impact.study.predictors import faults_of_predictors
from impact.study.source import Loc

__all__ = ["Parameter", "What", "family", "methods", "parameters"]

What: TypeAlias = Literal["estimator", "inference"]

# What the rest of a study says, or what no text can hold.
_ELSEWHERE: Final = {
    "estimator": ("anticipation", "reference", "errors", "opposite", "exposure"),
    "inference": ("level",),
}
_KINDS: Final = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a word",
    "pair": "a list of two",
    "list": "a list",
    "mapping": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a study can set: its standard value, and the kinds of values that it takes."""

    standard: Any
    kinds: frozenset[str]

    def takes(self, value: object) -> bool:
        """Whether a value is of a kind that it takes; the class itself judges which of that kind."""
        if isinstance(value, (bool, str)):
            return type(value).__name__ in self.kinds
        if isinstance(value, (int, float)):
            return "float" in self.kinds or (isinstance(value, int) and "int" in self.kinds)
        if isinstance(value, Mapping):
            return "mapping" in self.kinds
        if not isinstance(value, (list, tuple)):
            return False
        return "list" in self.kinds or ("pair" in self.kinds and len(value) == 2)

    @property
    def spoken(self) -> str:
        """What it takes, for a message."""
        return " or ".join(words for kind, words in _KINDS.items() if kind in self.kinds)


def parameters(what: What, name: str) -> dict[str, Parameter]:
    """The parameters of a registered method that a study can set, by name."""
    from impact.estimators import registry as estimators
    from impact.inference import registry as inferences

    maker: Any = (estimators if what == "estimator" else inferences).resolve(name)
    elsewhere = (*_ELSEWHERE[what], *FIXED.get(name, ()))
    hints = get_type_hints(maker)
    kinds = {found.name: frozenset(_kinds(hints[found.name])) for found in fields(maker)}
    return {
        found.name: Parameter(found.default, kinds[found.name])
        for found in fields(maker)
        if kinds[found.name] and found.name not in elsewhere
    }


def _kinds(hint: Any) -> set[str]:
    """The kinds of values in a type, as far as a text can hold them."""
    origin = get_origin(hint)
    if hint in (bool, int, float, str):
        return {hint.__name__}
    if origin is Literal:
        return {type(value).__name__ for value in get_args(hint)}
    if origin in (Union, UnionType):
        return set[str]().union(*map(_kinds, get_args(hint)))
    if origin is tuple:
        return {"pair"} if get_args(hint) == (str, str) else set()
    return {kind for kind, shape in (("list", Sequence), ("mapping", Mapping)) if origin is shape}


def family(spec: Specification, own: str) -> tuple[str, ...]:
    """The outcomes that are compared together with the outcome `own`; none where the estimator takes one by itself."""
    if "outcomes" not in parameters("estimator", spec.estimator.name):
        return ()
    every = [outcome.indicator for outcome in spec.all_outcomes]
    return tuple(name for name in spec.estimator.options.get("outcomes", every) if name != own)


def methods(spec: Specification) -> Iterator[Fault]:
    """What is wrong with the estimator and the inferences: names, parameters, and what these are about."""
    wrong = [*_method(spec.estimator, ("estimator",), "estimator")]
    yield from wrong
    if not wrong:
        yield from _family(spec)
        yield from faults_of_predictors(spec)
    yield from _inference(spec, spec.inference, ("inference",))
    for number, method in enumerate(spec.inference.beside):
        yield from _inference(spec, method, ("inference", "beside", number))
    names = [spec.inference.name, *(method.name for method in spec.inference.beside)]
    for number, name in enumerate(names[1:]):
        if name in names[: number + 1]:
            yield Fault(("inference", "beside", number), f"'{name}' stands in `inference` for the second time")


def _method(method: Method, loc: Loc, what: What) -> Iterator[Fault]:
    from impact.estimators import registry as estimators
    from impact.inference import registry as inferences

    if what == "estimator":
        known, coming = estimators.ESTIMATORS, estimators.LATER
    else:
        known, coming = inferences.INFERENCES, inferences.LATER
    if method.name in coming:
        message = f"the {what} '{method.name}' comes with a later version"
        yield Fault((*loc, "name"), message, f"Here now: {', '.join(known)}.", "SPEC-005")
        return
    if method.name not in known:
        yield Fault((*loc, "name"), f"there is no {what} '{method.name}'", near(method.name, known), "SPEC-008")
        return
    settable = parameters(what, method.name)
    wrong = [*_options(method, loc, what, settable)]
    yield from wrong
    if not wrong:
        try:
            estimators.named(method.name, known, coming, what)(**method.options)
        except ValueError as error:
            bad = next((key for key in method.options if key in str(error)), "name")
            yield Fault((*loc, bad), str(error), code="SPEC-009")


def _options(method: Method, loc: Loc, what: What, settable: dict[str, Parameter]) -> Iterator[Fault]:
    """Keys that are no parameters, and values of another kind than the parameter takes."""
    for key, value in method.options.items():
        path = f"{what}.{key}"
        if key not in settable and path in LATER:
            yield Fault((*loc, key), f"`{key}` comes with a later version ({LATER[path]})", code="SPEC-005")
        elif key not in settable:
            none = f"{method.name} has no parameters of its own."
            hint = INSTEAD.get(path) or (near(key, settable) if settable else none)
            yield Fault((*loc, key), f"{method.name} has no parameter `{key}`", hint, "SPEC-009")
        elif not settable[key].takes(value):
            standard = settable[key].standard
            hint = f"Standard is {'none' if standard in (None, ()) else standard}."
            message = f"`{key}` of {method.name} must be {settable[key].spoken}"
            yield Fault((*loc, key), message, hint, "SPEC-009")


def _family(spec: Specification) -> Iterator[Fault]:
    """A family of outcomes is that of the study, or those of it that the estimator names."""
    if "outcomes" not in parameters("estimator", spec.estimator.name):
        return
    slugs = [outcome.indicator for outcome in spec.all_outcomes]
    if len(slugs) < 2:
        hint = "Give the family under `outcomes`, or use synthetic-control."
        yield Fault(("estimator", "name"), f"a study with several outcomes is needed by {spec.estimator.name}", hint)
        return
    named = spec.estimator.options.get("outcomes", slugs)
    for number, name in enumerate(named):
        if name not in slugs:
            at = ("estimator", "outcomes", number)
            yield Fault(at, f"'{name}' is no outcome of this study", near(str(name), slugs))
    if len(named) < 2:
        hint = "Leave it out: then all outcomes of the study are the family."
        yield Fault(("estimator", "outcomes"), "a family has two outcomes or more", hint)


def _inference(spec: Specification, method: Method, loc: Loc) -> Iterator[Fault]:
    """What is wrong with one inference, and what it needs that the study does not give."""
    wrong = [*_method(method, loc, "inference")]
    yield from wrong
    if wrong:
        return
    units, options = spec.data.units, method.options
    residents = units is not None and units.columns.residents is not None
    for key, value in (("sets", "similar-population"), ("statistic", "studentised"), ("size", "residents")):
        if options.get(key) == value and not residents:
            hint = "Name the column in `data.units.columns.residents`."
            yield Fault((*loc, key), f"`{key}: {value}` goes by the number of residents", hint)
    if str(options.get("sets", "")).startswith("contiguous"):
        message = f"`sets: {options['sets']}` takes the place of every region, which a study cannot give yet"
        yield Fault((*loc, "sets"), message, "Use random or similar-population.", "SPEC-005")
