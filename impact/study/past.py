"""How the declared estimator and inferences would have done in the own past, where the study asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from impact.errors import Refused
from impact.evidence.robust import Judged, OwnPast
from impact.inference.calibrate import calibrate
from impact.inference.diagnose import Diagnosis, Pair, Rate
from impact.parallel import Parallel
from impact.streams import Streams
from impact.study.answers import estimator_of, inference_of, target
from impact.study.calibrating import Calibrate
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.targets import Target

__all__ = ["past"]


def past(spec: Specification, comparison: Comparison, parallel: Parallel) -> OwnPast | None:
    """The declared pair, and the estimator with each inference beside it, on the same placebo programmes."""
    asked = spec.calibrate
    if asked is None:
        return None
    level, estimator = spec.inference.level, estimator_of(spec, comparison)
    methods = list({method.name: method for method in (*reversed(spec.inference.beside), spec.inference)}.values())[
        ::-1
    ]
    pairs = [Pair(method.name, estimator, inference_of(method, level, comparison)) for method in methods]
    aim = target(spec, comparison, spec.target.every)
    made = parallel.memory(
        lambda: _tried(spec, asked, comparison, pairs, aim, parallel),
        "past",
        comparison.panel,
        pairs,
        aim,
        asked,
        spec.seed,
        level,
        comparison.matcher,
    )
    match = spec.comparison.match
    return made if made.refused is not None else replace(made, favourable=match is not None and bool(match.outcomes_in))


def _tried(
    spec: Specification,
    asked: Calibrate,
    comparison: Comparison,
    pairs: Sequence[Pair],
    aim: Target,
    parallel: Parallel,
) -> OwnPast:
    found = calibrate(
        comparison.panel,
        pairs,
        aim,
        draws=asked.draws,
        streams=Streams(spec.seed).at("past"),
        sets=asked.sets,
        level=spec.inference.level,
        rematch=comparison.matcher,
        parallel=parallel,
    )
    if isinstance(found, Refused):
        return OwnPast(asked.sets, refused=found)
    return OwnPast(
        asked.sets,
        found.programmes,
        found.windows,
        found.starts,
        found.missing,
        tuple(_judged(one) for one in found.diagnoses),
    )


def _judged(found: Diagnosis) -> Judged:
    size, coverage, bias, detectable = found.size, found.coverage, found.bias, found.detectable()
    return Judged(
        found.label,
        found.level,
        *_rate(size),
        *_rate(coverage),
        *_rate(bias),
        *_rate(found.rmse),
        *_rate(detectable),
        worlds=0 if bias is None else bias.worlds,
        refused=sum(found.refused.values()),
    )


def _rate(found: Rate | None) -> tuple[float | None, float | None]:
    """A number with its Monte-Carlo error, where it has one."""
    if found is None:
        return None, None
    return found.value, found.mc_error if found.mc_error == found.mc_error else None
