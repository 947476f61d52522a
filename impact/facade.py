"""What the public face and the studies both call."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from impact.design.matched import Matched
from impact.design.methods import resolve as resolve_matching
from impact.errors import Problem, Refused, UsageError, raise_all
from impact.estimators.bacon import Decomposition
from impact.estimators.bacon import decompose as comparisons
from impact.estimators.protocol import Estimator
from impact.estimators.registry import resolve as resolve_estimator
from impact.evidence.result import Result
from impact.evidence.side_by_side import Pair, SideBySide
from impact.inference.contrast import contrast
from impact.inference.known_error import known_error
from impact.inference.protocol import Found, Inference, evaluate
from impact.inference.registry import resolve as resolve_inference
from impact.panel import Panel, Weighting
from impact.parallel import Parallel, one_thread
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Kind, Target
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare", "decompose", "estimate", "match"]

_LABELLED = '{"never": "group-time", "not yet": ("group-time", {"control": "not-yet"})}'


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
        A registered name (``impact.estimators.registry.ESTIMATORS``) or an object.
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
    _checked(panel, level)
    chosen, how = _configured(estimator, inference, level, options)
    asked = target if isinstance(target, Target) else _built(Target, {"kind": target, "weighting": weighting})
    with one_thread():
        found = evaluate(chosen, panel, asked)
        if isinstance(found, Refused):
            return found
        uncertainty = how.run(chosen, panel, asked, streams=Streams(seed), parallel=parallel or Parallel(), full=found)
        known = known_error(chosen, panel, asked, found)
    return Result(
        found.panel,
        asked,
        found.fit,
        found.effects,
        uncertainty,
        chosen.name,
        how.name,
        seed,
        known,
    )


def compare(
    panel: Panel,
    estimators: Mapping[str, str | Estimator | tuple[str, Mapping[str, Any]]]
    | Sequence[str | Estimator | tuple[str, Mapping[str, Any]]],
    *,
    target: Kind | Target = "average",
    weighting: Weighting = "unit",
    inference: str | Inference = "cluster-jackknife",
    level: float = 0.95,
    seed: int = 1,
    parallel: Parallel | None = None,
    **options: Any,
) -> SideBySide:
    """Hold several estimators side by side on one design, and say whether they differ by more than chance.

    A difference is tested with the error of the difference itself, from the scores of both (see
    ``impact.inference.contrast``), never by whether intervals overlap: two estimates on the same data move together.
    Estimators that agree may still be wrong together; the more pairs, the more of them differ by chance.

    Parameters
    ----------
    panel : Panel
        As ``Panel.from_frame`` gives it.
    estimators : mapping or sequence
        Label to a registered name, an object, or a name with its options, as in
        ``{"never": "group-time", "not yet": ("group-time", {"control": "not-yet"})}``; or the same without labels, and
        each is called by its name and options.
    target, weighting, inference, level, seed, parallel
        As in `estimate`; alike for all.
    **options
        Parameters of the inference.

    Returns
    -------
    SideBySide
        Estimators that refuse are rows with a status.

    Raises
    ------
    UsageError
        ``USAGE-001`` unknown name; ``USAGE-002`` an option of neither; ``USAGE-003`` a value that is not allowed;
        ``USAGE-009`` fewer than two estimators, or two with one label.
    """
    _checked(panel, level)
    chosen = _labelled(estimators)
    how = _judged(inference, level, options)
    level = getattr(how, "level", level)
    asked = target if isinstance(target, Target) else _built(Target, {"kind": target, "weighting": weighting})
    results = {
        label: estimate(panel, one, target=asked, inference=how, level=level, seed=seed, parallel=parallel)
        for label, one in chosen.items()
    }
    found = {
        label: Found(result.panel, result.fit, result.effects)
        for label, result in results.items()
        if isinstance(result, Result)
    }
    with one_thread():
        pairs = tuple(
            Pair(first, second, contrast(found[first], found[second], asked, level, (first, second)))
            for first, second in combinations(found, 2)
        )
    return SideBySide(asked, how.name, level, {label: one.name for label, one in chosen.items()}, results, pairs)


def _checked(panel: object, level: float = 0.95) -> None:
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


def _labelled(
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


def _judged(inference: str | Inference, level: float, options: dict[str, Any]) -> Inference:
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
    made: Inference = _built(maker, {"level": level, **options}) if maker else _levelled(inference, level)
    return made


def _levelled(inference: Any, level: float) -> Any:
    """An inference that is already configured, at another level where one is asked for."""
    return inference if level == 0.95 else _built(partial(replace, inference), {"level": level})


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
    else:
        how = _levelled(inference, level)
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


def decompose(panel: Panel) -> Decomposition | Refused:
    """What a two-way fixed effects coefficient is made of: every comparison of two groups, its weight and estimate.

    Draw it with ``impact.evidence.charts.decomposition``; see ``impact.estimators.bacon.decompose``.
    """
    _checked(panel)
    if isinstance(panel, Sample):
        return Refused(
            "the decomposition",
            "it needs units that are seen again, and these are repeated cross-sections",
            "Decompose a panel.",
        )
    with one_thread():
        return comparisons(panel)


def match(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    method: str = "nearest",
    estimand: Literal["ATT", "ATE"] = "ATT",
    **options: Any,
) -> Matched | Refused:
    """Match treated units with controls on what was known before the start.

    No single choice of `on` is safe. Where areas were chosen for lasting reasons, matching on all earlier outcomes
    biases the comparison; where they were chosen on a score that is partly chance, *not* matching on it does. Match on
    structure and size, and on outcomes only of periods that are neither base nor selection wave.

    Parameters
    ----------
    frame : DataFrame
        One row per unit, which the index names; it is not changed. Treated areas of several units are rows of their
        means (``impact.design.matching.area_means``).
    treated : str
        Column of true and false, or of 1 and 0.
    on : sequence of str or mapping
        Columns of numbers to match on, or logarithms, categories and so on of columns: see ``impact.terms``. For
        ``exact`` and ``coarsened-exact`` columns of any kind.
    method : str
        ``nearest``: the nearest controls of every treated unit. ``optimal``: every control at most once and the
        smallest total distance. ``full``: everybody who may be matched, in sets of one treated unit or one control.
        ``exact`` and ``coarsened-exact``: everybody who has an equal, numbers in classes for the latter.
    estimand : {"ATT", "ATE"}
        Whom the weights stand for: the treated, or all units (``full`` and the two of strata).
    **options
        Those of the method, ``USAGE-002`` lists them:

        - `distance`: ``mahalanobis`` (the default), ``robust-mahalanobis``, ``scaled-euclidean``; ``propensity`` (the
          log odds of a logit on the covariates) or ``propensity-probability``; or a column that holds a score.
        - `ratio`: controls per treated unit, 1 by default; ``nearest`` and ``optimal``.
        - `caliper`: the most that a treated unit and its control may differ, in standard deviations: of the score over
          all units, or of every covariate within both groups. A mapping gives each its own; its names are those of
          covariates, columns, ``propensity`` or ``propensity-probability``.
        - `exact`: columns in which both must be equal. `cutpoints`: for columns of numbers among them (or among `on`
          of ``coarsened-exact``) the number of classes of one width, or the points between classes.
        - `propensity_on`: covariates of the propensity where they are not those of `on`.
        - `replace`, for ``nearest``: whether a control may serve several treated units; true by default, as good
          controls are scarce. `order`: who chooses first where it may not, ``largest`` (the highest score, or who has
          its nearest control farthest away), ``smallest``, ``data`` or ``random`` with `seed`.
        - `missing`: ``refuse``, or ``indicator`` for means in the place of gaps and a covariate that says where.

    Returns
    -------
    Matched or Refused
        A refusal says which units lack a value, which covariates do not vary, follow from others or separate the
        treated from the controls, and that calipers leave nobody.

    Raises
    ------
    UsageError
        ``USAGE-001`` unknown method; ``USAGE-002`` an option that it does not have; ``USAGE-003`` a value that is not
        allowed; ``USAGE-010`` no table; ``TERM-`` a wrong spelling of a covariate.
    DataError
        ``PANEL-001`` a column that is not there, ``MATCH-`` and ``TERM-`` values that cannot be.

    Examples
    --------
    >>> import impact, pandas as pd
    >>> frame = pd.DataFrame({"focus": [1, 0, 0, 0], "huur": [0.7, 0.2, 0.6, 0.4]}, index=["a", "b", "c", "d"])
    >>> impact.match(frame, treated="focus", on=["huur"], ratio=2).pairs["control"].tolist()
    ['c', 'd']
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        message = f"a table with one row per unit is needed, and this is a {type(frame).__name__}"
        raise UsageError(Problem("USAGE-010", message, "give a DataFrame, with the names of the units as its index"))
    chosen = resolve_matching(method)
    if wrong := [name for name in options if name not in inspect.signature(chosen).parameters]:
        message = f"{', '.join(wrong)} is no option of {_signature(method, chosen)}"
        raise UsageError(Problem("USAGE-002", message))
    with one_thread():
        found: Matched | Refused = chosen(frame, treated=treated, on=on, estimand=estimand, **options)
    return found
