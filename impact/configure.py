"""From names and options to estimators, inferences and targets: every option given to the one it belongs to."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from impact.errors import Problem, UsageError, raise_all
from impact.estimators.protocol import Estimator
from impact.estimators.registry import resolve as resolve_estimator
from impact.inference.protocol import Inference
from impact.inference.registry import resolve as resolve_inference
from impact.panel import Panel, Weighting
from impact.sample import Sample
from impact.targets import Kind, Target

__all__ = ["checked", "configured", "estimator_of", "judged", "labelled", "levelled", "target_of"]

_LABELLED = '{"never": "group-time", "not yet": ("group-time", {"control": "not-yet"})}'


def target_of(target: Kind | Target, weighting: Weighting) -> Target:
    """The target of a name and its weighting, or the target that is given."""
    made: Target = target if isinstance(target, Target) else _built(Target, {"kind": target, "weighting": weighting})
    return made


def estimator_of(given: str | Estimator, options: Mapping[str, Any]) -> Estimator:
    """An estimator by its name with its options, or the object that is given.

    Raises
    ------
    UsageError
        ``USAGE-001`` unknown name; ``USAGE-002`` an option that is no parameter; ``USAGE-003`` a value that is not
        allowed.
    """
    maker = resolve_estimator(given) if isinstance(given, str) else None
    known = inspect.signature(maker).parameters if maker else {}
    wrong = [option for option in options if option not in known]
    said = (Problem("USAGE-002", f"{option!r} is no parameter of {_signature(given, maker)}") for option in wrong)
    raise_all(list(said), UsageError)
    made: Estimator = given if not isinstance(given, str) else _built(maker, dict(options))
    return made


def checked(panel: object, level: float = 0.95) -> None:
    """The two that are most easily given wrong: a table for a panel, and 95 for 0.95."""
    problems = []
    if not isinstance(panel, (Panel, Sample)):
        problems.append(
            Problem(
                "USAGE-010",
                f"a panel is needed, and this is a {type(panel).__name__}",
                "make one first: impact.Panel.from_frame(table, unit=, time=, outcome=, first_treated=)",
            )
        )
    if not 0.5 <= level < 1:
        problems.append(Problem("USAGE-003", f"level={level!r} is not from 0.5 to below 1", "write 0.95 for 95 %"))
    raise_all(problems, UsageError)


def _label(given: str | Estimator | tuple[str, Mapping[str, Any]]) -> str:
    """What an estimator is called when nobody named it: "group-time (control=not-yet)"."""
    if isinstance(given, tuple):
        name, options = given
        return f"{name} ({', '.join(f'{key}={value}' for key, value in options.items())})"
    return given if isinstance(given, str) else given.name


def labelled(
    given: Mapping[str, str | Estimator | tuple[str, Mapping[str, Any]]]
    | Sequence[str | Estimator | tuple[str, Mapping[str, Any]]],
) -> dict[str, Estimator]:
    """Estimators by label, every option given to its own."""
    if isinstance(given, Mapping):
        pairs = [(str(label), one) for label, one in given.items()]
    elif isinstance(given, str):
        pairs = [(given, given)]
    else:
        pairs = [(_label(one), one) for one in given]
    labels = [label for label, _ in pairs]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice or len(labels) < 2:
        why = f"{', '.join(twice)} is there more than once" if twice else "there is one estimator or none to compare"
        raise UsageError(Problem("USAGE-009", why, f"give every estimator a label: {_LABELLED}"))
    problems, chosen = [], {}
    for label, one in pairs:
        name, own = one if isinstance(one, tuple) else (one, {})
        if not isinstance(name, str):
            chosen[label] = name
            continue
        maker = resolve_estimator(name)
        unknown = [option for option in own if option not in inspect.signature(maker).parameters]
        problems += [
            Problem("USAGE-002", f"{option!r} is no parameter of {_signature(name, maker)}", f"as in {_LABELLED}")
            for option in unknown
        ]
        chosen[label] = _built(maker, {option: own[option] for option in own if option not in unknown})
    raise_all(problems, UsageError)
    return chosen


def judged(inference: str | Inference, level: float, options: dict[str, Any]) -> Inference:
    """The inference of all estimators, which alone takes loose options."""
    maker = resolve_inference(inference) if isinstance(inference, str) else None
    known = set(inspect.signature(maker).parameters) - {"level"} if maker else set()
    raise_all(
        [
            Problem(
                "USAGE-002",
                f"option {name!r} is no parameter of {_signature(inference, maker)}",
                f"options of an estimator stand with it: {_LABELLED}",
            )
            for name in options
            if name not in known
        ],
        UsageError,
    )
    made: Inference = _built(maker, {"level": level, **options}) if maker else levelled(inference, level)
    return made


def levelled(inference: Any, level: float) -> Any:
    """An inference that is already configured, at another level where one is asked for."""
    return inference if level == 0.95 else _built(partial(replace, inference), {"level": level})


def configured(
    estimator: str | Estimator, inference: str | Inference, level: float, options: dict[str, Any]
) -> tuple[Estimator, Inference]:
    """The two objects, every option given to the one it belongs to."""
    maker = resolve_estimator(estimator) if isinstance(estimator, str) else None
    judge = resolve_inference(inference) if isinstance(inference, str) else None
    first = set(inspect.signature(maker).parameters) if maker else set()
    second = set(inspect.signature(judge).parameters) - {"level"} if judge else set()
    wrong = [name for name in options if (name in first) == (name in second)]
    if wrong:
        raise UsageError(
            [
                Problem(
                    "USAGE-002",
                    f"option {name!r} is a parameter of {'both' if name in first else 'neither'}: "
                    f"{_signature(estimator, maker)}; {_signature(inference, judge)}",
                    "give the option to an object of its own"
                    if name in first
                    else "columns such as cluster, area and residents are named in Panel.from_frame",
                )
                for name in wrong
            ]
        )
    chosen = _built(maker, {name: value for name, value in options.items() if name in first}) if maker else estimator
    how = inference
    if judge:
        how = _built(judge, {"level": level, **{name: value for name, value in options.items() if name in second}})
    else:
        how = levelled(inference, level)
    return chosen, how  # type: ignore[return-value]


def _built(maker: Any, options: dict[str, Any]) -> Any:
    try:
        return maker(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(Problem("USAGE-003", str(error))) from error


def _signature(given: object, maker: Any) -> str:
    name = given if isinstance(given, str) else getattr(given, "name", type(given).__name__)
    if maker is None:
        return f"{name} (an object, already configured)"
    parameters = inspect.signature(maker).parameters.values()
    return f"{name}({', '.join(f'{one.name}={one.default!r}' for one in parameters)})"
