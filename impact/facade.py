"""What the public face and the studies both call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from impact.configure import checked, configured, estimator_of, judged, labelled, target_of
from impact.errors import Problem, Refused, UsageError, raise_all
from impact.estimators.bacon import Decomposition
from impact.estimators.bacon import decompose as comparisons
from impact.estimators.one_reference import referred
from impact.estimators.protocol import Estimator
from impact.evidence.all_inferences import Battery
from impact.evidence.result import Result
from impact.evidence.side_by_side import Pair, SideBySide
from impact.inference.contrast import contrast
from impact.inference.known_error import known_error
from impact.inference.protocol import Found, Inference, evaluate
from impact.inference.registry import INFERENCES
from impact.panel import Panel, Weighting
from impact.parallel import Parallel, one_thread
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Kind, Target

__all__ = ["battery", "compare", "decompose", "estimate"]


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
    checked(panel, level)
    chosen, how = configured(estimator, inference, level, options)
    asked = target_of(target, weighting)
    with one_thread():
        found = evaluate(chosen, panel, asked)
        if isinstance(found, Refused):
            return found
        work = parallel or Parallel()
        uncertainty = work.memory(
            lambda: how.run(chosen, panel, asked, streams=Streams(seed), parallel=work, full=found),
            "uncertainty",
            chosen,
            panel,
            asked,
            how,
            seed,
        )
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
        partial(_again, panel, chosen, how, seed),
    )


def _again(panel: Panel, estimator: Estimator, inference: Inference, seed: int, target: Target) -> Result | Refused:
    """See ``Result.again``."""
    return estimate(panel, referred(estimator), target=target, inference=inference, seed=seed)


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
    checked(panel, level)
    chosen = labelled(estimators)
    how = judged(inference, level, options)
    level = getattr(how, "level", level)
    asked = target_of(target, weighting)
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


def battery(
    panel: Panel,
    estimator: str | Estimator = "group-time",
    *,
    target: Kind | Target = "average",
    weighting: Weighting = "unit",
    inference: str | Inference = "cluster-jackknife",
    inferences: Sequence[str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    level: float = 0.95,
    seed: int = 1,
    parallel: Parallel | None = None,
    **options: Any,
) -> Battery | Refused:
    """One estimate under every inference that applies, side by side; the declared one is marked and alone decides.

    Those that refit (bootstrap, placebos, conformal) take time; name the ones you want, or give them fewer draws.

    Parameters
    ----------
    panel, estimator, target, weighting, level, seed, parallel
        As in `estimate`.
    inference : str or Inference
        The declared one.
    inferences : sequence of str, optional
        Which to hold beside it; all that are registered by default.
    settings : mapping of str to mapping, optional
        Parameters by inference, as ``{"wild": {"draws": 99_999}}``.
    **options
        Parameters of the estimator.

    Returns
    -------
    Battery or Refused
        A refusal when there is no estimate. An inference that does not apply is there, with its reason.

    Raises
    ------
    UsageError
        ``USAGE-001`` unknown name; ``USAGE-002`` an option that is no parameter; ``USAGE-003`` a value that is not
        allowed.
    """
    checked(panel, level)
    settings = settings or {}
    chosen, asked = estimator_of(estimator, options), target_of(target, weighting)
    declared = judged(inference, level, dict(settings.get(inference, {})) if isinstance(inference, str) else {})
    names = [name for name in (INFERENCES if inferences is None else inferences) if name != declared.name]
    unheard = [name for name in settings if name not in (declared.name, *names)]
    raise_all([Problem("USAGE-002", f"settings: {name!r} is not among the inferences") for name in unheard], UsageError)
    every = [declared, *(judged(name, level, dict(settings.get(name, {}))) for name in names)]
    with one_thread():
        found = evaluate(chosen, panel, asked)
        if isinstance(found, Refused):
            return found
        known = known_error(chosen, panel, asked, found)
        results = {
            how.name: Result(
                found.panel,
                asked,
                found.fit,
                found.effects,
                how.run(chosen, panel, asked, streams=Streams(seed), parallel=parallel or Parallel(), full=found),
                chosen.name,
                how.name,
                seed,
                known,
                partial(_again, panel, chosen, how, seed),
            )
            for how in every
        }
    return Battery(declared.name, results)


def decompose(panel: Panel) -> Decomposition | Refused:
    """What a two-way fixed effects coefficient is made of: every comparison of two groups, its weight and estimate.

    Draw it with ``impact.evidence.charts.decomposition``; see ``impact.estimators.bacon.decompose``.
    """
    checked(panel)
    if isinstance(panel, Sample):
        return Refused(
            "the decomposition",
            "it needs units that are seen again, and these are repeated cross-sections",
            "Decompose a panel.",
        )
    with one_thread():
        return comparisons(panel)
