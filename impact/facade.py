"""What the public face and the studies both call."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from impact.errors import Problem, Refused, UsageError
from impact.estimators.protocol import Estimator
from impact.estimators.registry import resolve as resolve_estimator
from impact.evidence.result import Result
from impact.inference.protocol import Inference, evaluate
from impact.inference.registry import resolve as resolve_inference
from impact.panel import Panel, Weighting
from impact.parallel import Parallel, one_thread
from impact.streams import Streams
from impact.targets import Kind, Target

__all__ = ["estimate"]


def estimate(
    panel: Panel,
    estimator: str | Estimator = "group-time",
    *,
    target: Kind | Target = "average",
    weighting: Weighting = "unit",
    inference: str | Inference = "cluster-jackknife",
    level: float = 0.95,
    seed: int = 1,
    parallel: Parallel | None = None,
    **options: Any,
) -> Result | Refused:
    """Estimate an effect and its uncertainty.

    Parameters
    ----------
    panel : Panel
        As ``Panel.from_frame`` gives it.
    estimator : str or Estimator
        A registered name ("did", "group-time", "synthetic-control", "synthetic-did") or an object.
    target : str or Target
        "average", "event", "cohort", "calendar" or "unit"; a Target object also takes a window.
    weighting : {"unit", "area", "resident"}
        Who counts once; used when `target` is a name.
    inference : str or Inference
        A registered name or an object.
    level : float
        Of the interval.
    seed : int
        Of the named random streams; the same seed gives the same numbers for any number of workers.
    parallel : Parallel, optional
        Workers and progress; in this process by default.
    **options
        Parameters of the estimator, then of the inference.

    Returns
    -------
    Result or Refused
        A refusal when there is no estimate. When only the uncertainty is refused the result says so.

    Raises
    ------
    UsageError
        ``USAGE-001`` unknown name; ``USAGE-002`` an option of both or neither, with both signatures; ``USAGE-003`` a
        value that is not allowed.
    """
    chosen, how = _configured(estimator, inference, level, options)
    asked = target if isinstance(target, Target) else _built(Target, {"kind": target, "weighting": weighting})
    with one_thread():
        found = evaluate(chosen, panel, asked)
        if isinstance(found, Refused):
            return found
        uncertainty = how.run(chosen, panel, asked, streams=Streams(seed), parallel=parallel or Parallel(), full=found)
    return Result(
        found.panel,
        asked,
        found.fit,
        found.effects,
        uncertainty,
        chosen.name,
        how.name,
        seed,
    )


def _configured(
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
    elif level != 0.95:
        how = replace(inference, level=level)  # type: ignore[type-var]
    return chosen, how  # type: ignore[return-value]


def _built(maker: Any, options: dict[str, Any]) -> Any:
    try:
        return maker(**options)
    except ValueError as error:
        raise UsageError(Problem("USAGE-003", str(error))) from error


def _signature(given: object, maker: Any) -> str:
    name = given if isinstance(given, str) else getattr(given, "name", type(given).__name__)
    if maker is None:
        return f"{name} (an object, already configured)"
    parameters = inspect.signature(maker).parameters.values()
    return f"{name}({', '.join(f'{one.name}={one.default!r}' for one in parameters)})"
