"""Run a study: every outcome from table to evidence, then one bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from impact.evidence.record import Variant
from impact.parallel import Parallel, Progress, silent
from impact.study.answers import Answers, alternative, answers, gates
from impact.study.areas import focus_areas
from impact.study.bracket import bracket, ends
from impact.study.bundle import Bundle, check_place, write_bundle
from impact.study.load import Loaded, load
from impact.study.model import Specification
from impact.study.panels import Comparison, compare
from impact.study.read import Study, locate
from impact.study.record import Case, evidence, variant
from impact.study.render import pages, versions
from impact.study.roots import Roots
from impact.study.together import together
from impact.study.units import wanted

__all__ = ["outline", "run"]


def run(
    study: Study,
    *,
    data: Sequence[str | Path] = (),
    out: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Bundle:
    """Run `study` and write its bundle.

    Parameters
    ----------
    study : Study
        As ``read_study`` gives it.
    data : sequence of path
        Folders in which its tables may also stand.
    out : path, optional
        Folder of the bundle; ``out/<id>`` by default. An older bundle there is replaced when the new one is whole.
    workers : int
        Processes; the bundle is the same for any number.
    progress : Progress, optional
        Told how far the work is.

    Raises
    ------
    SpecError, DataError, WriteError
        Nothing is written then.
    """
    place = Path(out) if out is not None else Path("out") / study.model.id
    check_place(place)
    paths = _paths(study, data)
    progress = progress or silent
    parallel = Parallel(workers, progress)
    loaded = load(study.model, paths)
    others = [
        loaded if _same_tables(study.model, variation.model) else load(variation.model, paths)
        for variation in study.variations
    ]
    # Every comparison is made before anything is estimated, so that a study with a hole in it computes nothing.
    outcomes = range(len(study.model.all_outcomes))
    cases = [_case(study.model, loaded, number) for number in outcomes]
    varied = [
        [_comparison(variation.model, other, number) for variation, other in zip(study.variations, others, strict=True)]
        for number in outcomes
    ]
    both = [ends(study.model, loaded, number, case.comparison) for number, case in enumerate(cases)]
    given: list[tuple[Answers, tuple[Variant, ...], tuple[Variant, ...]]] = []
    for number, case in enumerate(cases):
        sealed = _sealed(case)
        answer = answers(study.model, case.comparison, parallel, sealed=sealed)
        alternatives = tuple(
            variant(
                variation,
                alternative(variation.model, comparison, parallel),
                answer,
                comparison.pool,
                case.comparison.pool,
            )
            for variation, comparison in zip(study.variations, varied[number], strict=True)
            if not sealed
        )
        either = () if sealed else bracket(answer, both[number], case.comparison, parallel)
        given.append((answer, alternatives, either))
        progress("outcomes", number + 1, len(cases))
    every = together(study.model, cases, [answer for answer, _, _ in given])
    found = [evidence(study, case, *answered, versions(), *every) for case, answered in zip(cases, given, strict=True)]
    html, figures = pages(found)
    return write_bundle(place, found, html, figures, versions())


def outline(study: Study, data: Sequence[str | Path] = ()) -> str:
    """What would be compared with what, in words; no outcome after the start is used.

    Raises
    ------
    SpecError, DataError
        As `run` does.
    """
    spec = study.model
    loaded = load(spec, _paths(study, data))
    lines = [f"{spec.id}: {spec.title.nl}"]
    for number, outcome in enumerate(spec.all_outcomes):
        case = _case(spec, loaded, number)
        lines += ["", f"{outcome.indicator} ({outcome.measure.unit}), {loaded.periods[0]} to {loaded.periods[-1]}"]
        lines += _design(spec, case.comparison)
        lines += [
            f"  check {check.name}: {check.verdict.replace('_', ' ')}"
            + ("" if check.statistic is None else f" ({check.statistic:.3g}, threshold {check.threshold:g})")
            for check in case.checks
        ]
    for variation in study.variations:
        lines.append(f"alternative {variation.name}: {variation.why}")
    return "\n".join([*lines, "nothing was estimated"])


def _design(spec: Specification, comparison: Comparison) -> list[str]:
    """Areas with their start and actual base period per cohort, and the flow to the donor pool."""
    inside = [area for area in comparison.areas if not area.left_out]
    lines = [f"  {len(inside)} of {len(comparison.areas)} areas, {int(comparison.panel.treated.sum())} units"]
    for start in sorted({area.start for area in inside}):
        base = spec.base_periods(start, comparison.panel.periods)
        shown = base[0] if len(base) == 1 else f"{base[0]} to {base[-1]}"
        names = ", ".join(area.name for area in inside if area.start == start)
        lines.append(f"  cohort {start}: base period {shown}; {names}")
    lines += [
        f"  left out: {area.name} ({area.left_out.replace('|', ' ').strip()})"
        for area in comparison.areas
        if area.left_out
    ]
    lines += [f"  {step.code}: {step.removed} removed, {step.left} left" for step in comparison.pool.steps]
    if comparison.panel.covariates:
        lines.append(f"  adjusted for: {', '.join(comparison.panel.covariates)}")
        lines += [f"  {found}" for found in comparison.levels]
    if comparison.panel.pairs is not None:
        used = int((comparison.panel.pairs > 0).any(axis=0).sum())
        lines.append(f"  matched: {used} comparison units")
    return lines


def _paths(study: Study, data: Sequence[str | Path]) -> Mapping[str, Path]:
    return locate(study, Roots.of(study.path, [Path(folder) for folder in data]))


def _same_tables(one: Specification, other: Specification) -> bool:
    """Whether two specifications read the same from the same files."""
    keys = ("data", "labels", "treatment", "all_outcomes")
    alike = all(getattr(one, key) == getattr(other, key) for key in keys)
    return alike and one.comparison.pools == other.comparison.pools and wanted(one) == wanted(other)


def _comparison(spec: Specification, loaded: Loaded, number: int) -> Comparison:
    return compare(spec, loaded, loaded.series[number], focus_areas(spec, loaded))


def _sealed(case: Case) -> bool:
    """Whether nothing may be computed: no outcome, or a gate of the design was not passed."""
    registered = case.series.outcome.registered
    no_outcome = registered is not None and bool(registered.not_measurable)
    return no_outcome or any(check.gates and check.verdict != "pass" for check in case.checks)


def _case(spec: Specification, loaded: Loaded, number: int) -> Case:
    comparison = _comparison(spec, loaded, number)
    return Case(loaded, loaded.series[number], comparison, gates(spec, comparison))
