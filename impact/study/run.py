"""Run a study: every outcome from table to evidence, then one bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from impact.checks.protocol import Check
from impact.errors import DataError, Problem, SpecError, raise_all
from impact.evidence.record import Evidence, Selection
from impact.files import check_folder
from impact.inference.support import support
from impact.parallel import Parallel, Progress, one_thread, silent
from impact.study.answers import alternative, answers
from impact.study.areas import focus_areas
from impact.study.bracket import End, bracket, ends
from impact.study.bundle import Bundle, check_place, write_bundle
from impact.study.cache import Cache, Part, kept_in
from impact.study.companions import companions, shared
from impact.study.comparing import Impute
from impact.study.composition import shares
from impact.study.context import read_context, with_context
from impact.study.controls import other_outcomes, tried
from impact.study.gates import bracketed, gates
from impact.study.indices import indexed
from impact.study.keeping import check_told, checked, ran, stand
from impact.study.likeness import counted
from impact.study.living import living
from impact.study.load import Loaded, load
from impact.study.looks import at_family_level, at_level, check_number, look_at, looks_in, taken_before
from impact.study.model import Specification
from impact.study.panels import Comparison, compare
from impact.study.read import Study, locate
from impact.study.record import Case, level_of
from impact.study.recording import Given, Tried, recorded, variants
from impact.study.release import release, released
from impact.study.render import pages, versions
from impact.study.robust import robust
from impact.study.roots import Roots
from impact.study.selection import selection
from impact.study.shifts import shifts
from impact.study.thresholds import foreseen
from impact.study.together import together
from impact.study.units import wanted
from impact.study.wording import texts_of

__all__ = ["kept_parts", "outline", "place_of", "run"]


def place_of(study: Study, out: str | Path | None = None, look: int = 1) -> Path:
    """The folder of the bundle of a run."""
    name = study.model.id if look == 1 else f"{study.model.id}-look-{look}"
    return Path(out) if out is not None else Path("out") / name


@one_thread()
def run(
    study: Study,
    *,
    data: Sequence[str | Path] = (),
    out: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    look: int = 1,
    cache: str | Path | None = None,
    since: str = "",
) -> Bundle:
    """Run `study` and write its bundle.

    Parameters
    ----------
    study : Study
        As ``read_study`` gives it.
    data : sequence of path
        Folders in which its tables may also stand.
    out : path, optional
        Folder of the bundle; ``out/<id>`` by default, ``out/<id>-look-2`` of a second look. An older bundle there is
        replaced when the new one is whole.
    workers : int
        Processes; the bundle is the same for any number.
    progress : Progress, optional
        Told how far the work is.
    look : int
        Which look at the outcomes this is, of a study that plans several.
    cache : path, optional
        Folder in which results are kept and found again: a run that was ended continues. None keeps nothing.
    since : str
        With `cache`: kept results of this stage, and of those after it, are not used.

    Raises
    ------
    SpecError, DataError, UsageError, WriteError
        Nothing is written then.
    """
    check_number(study.model, look)
    place = place_of(study, out, look)
    check_place(place)
    folder = None if cache is None else kept_in(Path(cache), place)
    progress = progress or silent
    notes = read_context(study, data)
    loaded = load(study.model, _paths(study, data, opened=True))
    others, varied = _varied(study, loaded, data, opened=True)
    files = dict.fromkeys(file for tables in (loaded, *others) for file in tables.files)
    loaded = replace(loaded, files=tuple(files))
    keep = Cache(folder, study, _every(study, data), look, since)
    parallel = Parallel(workers, progress, keep)
    before, stands = stand(study, loaded, look)
    check_told(study, before)
    earlier = taken_before(study.model, before.log, look, loaded.files)
    nothing = other_outcomes(study.model, lambda spec: load(spec, _paths(study, data, opened=True)))
    new = shares(study.model, lambda spec: load(spec, _paths(study, data, spec, opened=True)))
    # Every comparison is made before anything is estimated, so that a study with a hole in it computes nothing.
    outcomes = range(len(study.model.all_outcomes))
    cases = [_case(study.model, loaded, number) for number in outcomes]
    both = [ends(study.model, loaded, number, case.comparison) for number, case in enumerate(cases)]
    cases = [_bracketed(study.model, case, made) for case, made in zip(cases, both, strict=True)]
    opened = not all(_sealed(case) for case in cases)
    if opened and folder is not None:
        # What is kept can be looked into, also when the run is ended: that outcomes were opened is written first.
        check_folder(place)
        ran(study, before, loaded, opened, look)
    with keep.part(Part("alternatives", "", "negative controls"), study.model):
        nothing = tried(nothing, parallel) if opened else ()
    given: list[Given] = []
    for number, case in enumerate(cases):
        sealed = _sealed(case)
        drawn = () if sealed else _completed(study.model, loaded, number)
        indicator = case.series.outcome.indicator
        with keep.part(Part("inference", indicator), study.model):
            answer = answers(study.model, case.comparison, parallel, sealed=sealed, completed=drawn)
            taken = look_at(study.model, look, indicator, answer, case.comparison, earlier.get(indicator, ()))
            spec = at_level(study.model, taken)
            if spec is not study.model:
                answer = answers(spec, case.comparison, parallel, sealed=sealed, completed=drawn)
        with keep.part(Part("checks", indicator), study.model):
            answer = replace(answer, shifts=shifts(study.model, case.comparison, parallel, sealed=sealed))
        tries: list[Tried] = []
        for variation, comparison, other in zip(study.variations, varied[number], others, strict=True):
            with keep.part(Part("alternatives", indicator, f"alternative {variation.name}"), variation.model):
                made = None if sealed else alternative(at_level(variation.model, taken), comparison, parallel)
            tries += [] if made is None else [Tried(variation, made, comparison, other)]
        sides = tuple(replace(end, model=at_level(end.model, taken)) for end in both[number])
        with keep.part(Part("alternatives", indicator, "bracket"), study.model):
            either = () if sealed else bracket(answer, sides, case.comparison, parallel)
        with keep.part(Part("alternatives", indicator, "robust"), study.model):
            one = Given(answer, tuple(tries), either, None, taken)
            varying = variants(study, case, one, texts_of(study.model, "nl"))
            held = None if sealed else robust(spec, case, answer, varying, either, parallel, nothing, new)
        given.append(replace(one, robust=held))
        progress("outcomes", number + 1, len(cases))
    spec = at_family_level(study.model, [one.look for one in given])
    answered = [one.answers for one in given]
    with keep.part(Part("alternatives", "", "families"), study.model):
        every = indexed(spec, cases, together(spec, cases, answered), parallel)

    # What may not leave is gone before anything is written: also from the ledger, and from every form of the bundle.
    def leaving(rows: list[Evidence]) -> list[Evidence]:
        return released(study, cases, answered, with_context(rows, notes), others, varied, both)

    found = recorded(study, cases, given, every, stands, versions(), leaving)
    html, figures = pages(found)
    check_folder(place)  # a line in the ledger says that outcomes were seen, and without a bundle nobody sees them
    after = ran(study, before, loaded, opened, look, looks_in(found))
    beside = {**after.files, **companions(study, loaded, _shared_paths(study, data), notes), **release(found)}
    bundle = write_bundle(place, found, html, figures, versions(), beside)
    return replace(bundle, notes=(*after.notes, *keep.notes))


def kept_parts(
    study: Study, *, data: Sequence[str | Path] = (), cache: str | Path, look: int = 1, since: str = ""
) -> str:
    """Which parts of a run would be found in `cache` and which computed, and why; parameters as of `run`.

    Nothing is written and no outcome is read: of the tables only the digests are taken.

    Raises
    ------
    SpecError, UsageError
        As `run` does.
    """
    check_number(study.model, look)
    return Cache(Path(cache), study, _every(study, data), look, since).table()


@one_thread()
def outline(study: Study, data: Sequence[str | Path] = ()) -> str:
    """What would be compared with what, in words; no outcome after the start is used. The ledger says that it was seen.

    Raises
    ------
    SpecError, DataError
        As `run` does.
    """
    spec = study.model
    read_context(study, data)
    loaded = load(spec, _paths(study, data), design=True)
    _, varied = _varied(study, loaded, data)
    lines = [f"{spec.id}: {spec.title.nl}"]
    for number, outcome in enumerate(spec.all_outcomes):
        case = _case(spec, loaded, number)
        if "bracket" in spec.thresholds:
            case = _bracketed(spec, case, ends(spec, loaded, number, case.comparison))
        lines += ["", f"{outcome.indicator} ({outcome.measure.unit}), {loaded.periods[0]} to {loaded.periods[-1]}"]
        lines += [f"  not opened: outcomes of {', '.join(loaded.awaited)}"] if loaded.awaited else []
        lines += _design(spec, loaded, case.comparison)
        lines += _known(spec, case.comparison)
        lines += _chosen(selection(spec, loaded, case.series, case.comparison))
        lines += [
            f"  check {check.name}: {check.verdict.replace('_', ' ')}"
            + ("" if check.statistic is None else f" ({check.statistic:.3g}, threshold {check.threshold:g})")
            + _meaning(spec, check)
            for check in case.checks
        ]
    for place, variation in enumerate(study.variations):
        lines.append(f"alternative {variation.name}: {variation.why}")
        lines += [_summed(variation.model, row[place]) for row in varied]
    lines += checked(study, loaded)
    return "\n".join([*lines, "nothing was estimated"])


def _design(spec: Specification, loaded: Loaded, comparison: Comparison) -> list[str]:
    """Areas with their start and actual base period per cohort, and the flow to the donor pool."""
    inside = [area for area in comparison.areas if not area.left_out]
    lines = [f"  {len(inside)} of {len(comparison.areas)} areas, {int(comparison.panel.treated.sum())} units"]
    if level_of(spec) == "gemeente":
        lines.append("  whole gemeenten: a result is the change of the gemeente, not of the area in it")
        for area in inside:
            found = living(spec, loaded, area)
            share = f"unknown ({found.why.replace('|', ' ').strip()})" if found.share is None else f"{found.share:.1%}"
            lines.append(f"  share of its residents in the area: {area.name}: {share}")
    if comparison.unions is not None:
        made = comparison.unions.members()
        for unit, treated in zip(comparison.panel.units, comparison.panel.treated.tolist(), strict=True):
            if treated:
                parts = ", ".join(code if part == 1 else f"{code} ({part:.0%})" for code, part in made[unit].items())
                lines.append(f"  {unit} is made of {parts}")
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
    lines += [
        f"  not in the estimate: {row.unit} ({' '.join(filter(None, [row.code, row.detail]))})"
        for row in comparison.lost
    ]
    lines += [f"  {step.code}: {step.removed} removed, {step.left} left" for step in comparison.pool.steps]
    if comparison.panel.covariates:
        lines.append(f"  adjusted for: {', '.join(comparison.panel.covariates)}")
        lines += [f"  {found}" for found in comparison.levels]
    if comparison.panel.pairs is not None:
        used = int((comparison.panel.pairs > 0).any(axis=0).sum())
        lines.append(f"  matched: {used} comparison units")
    return lines


def _known(spec: Specification, comparison: Comparison) -> list[str]:
    """What simulation says of the level of the declared inferences with as many treated clusters."""
    if not counted(comparison.panel, spec.target.every):
        return []
    panel = comparison.panel.weighted(spec.target.every)
    weight = np.bincount(panel.cluster, weights=np.where(panel.treated, panel.weight, 0.0))
    count = int((weight > 0).sum())
    if not count:
        return []
    name, share = spec.estimator.name, float(weight.max() / weight.sum())
    words = {
        how.name: "unsized" if panel.covariates else support(name, how.name, count, share)
        for how in (spec.inference, *spec.inference.beside)
    }
    told = ", ".join(f"{how} {word}" for how, word in words.items())
    return [f"  {count} treated clusters, the largest with {share:.0%} of the weight; level by simulation: {told}"]


def _chosen(found: Selection | None) -> list[str]:
    """What choosing areas on a score may have done."""
    if found is None:
        return []
    lines = [f"  chosen on {', '.join(found.waves)}"]
    if found.reliability is not None:
        lines.append(f"  reliability of that score: {found.reliability:.2f} (from {found.low:.2f} to {found.high:.2f})")
    for name, value in (("without matching", found.unmatched), ("as matched", found.matched)):
        if value is not None:
            dates = f"{found.dates[0]} to {found.dates[-1]}"
            lines.append(f"  the same choice at invented starts from {dates}, {name}: {value:.3g}")
    return [*lines, *(f"  {refused}" for refused in found.refused)]


def _paths(
    study: Study, data: Sequence[str | Path], model: Specification | None = None, *, opened: bool = False
) -> Mapping[str, Path]:
    return locate(study, Roots.of(study.path, [Path(folder) for folder in data]), model, opened=opened)


def _every(study: Study, data: Sequence[str | Path]) -> dict[str, Path]:
    """All inputs: those of the study by their role, and those that an alternative has beside."""
    found = dict(_paths(study, data, opened=True))
    for variation in study.variations:
        own = _paths(study, data, variation.model, opened=True)
        found |= {f"{variation.name}: {role}": path for role, path in own.items() if path not in found.values()}
    return found


def _shared_paths(study: Study, data: Sequence[str | Path]) -> dict[str, Path]:
    roots = Roots.of(study.path, [Path(folder) for folder in data])
    return {file: roots.find(file) for file in shared(study)}


def _varied(
    study: Study, loaded: Loaded, data: Sequence[str | Path], *, opened: bool = False
) -> tuple[list[Loaded], list[list[Comparison]]]:
    """The tables of every alternative, and its comparisons by outcome; what is wrong names the alternative."""
    others: list[Loaded] = []
    made: list[list[Comparison]] = []
    problems: list[Problem] = []
    for variation in study.variations:
        spec = variation.model
        try:
            alike = _same_tables(study.model, spec)
            other = loaded if alike else load(spec, _paths(study, data, spec, opened=opened), design=not opened)
            comparisons = [_comparison(spec, other, number) for number in range(len(spec.all_outcomes))]
        except (SpecError, DataError) as error:
            said = f"in the alternative {variation.name!r}: "
            problems += [replace(problem, message=said + problem.message) for problem in error.problems]
            continue
        others.append(other)
        made.append(comparisons)
    raise_all(problems, DataError)
    return others, [[row[number] for row in made] for number in range(len(study.model.all_outcomes))]


def _summed(spec: Specification, comparison: Comparison) -> str:
    """What an alternative compares with what, in one line, and which thresholds it does not meet."""
    inside = sum(not area.left_out for area in comparison.areas)
    pool = int(comparison.pool.keep.sum())
    line = (
        f"  {inside} of {len(comparison.areas)} areas, {int(comparison.panel.treated.sum())} units; {pool} to compare"
    )
    wrong = [check for check in gates(spec, comparison) if check.gates and check.verdict != "pass"]
    return line + "".join(f"; check {one.name}: {one.verdict.replace('_', ' ')}{_meaning(spec, one)}" for one in wrong)


def _same_tables(one: Specification, other: Specification) -> bool:
    """Whether two specifications read the same from the same files."""
    keys = ("data", "labels", "unit", "treatment", "all_outcomes")
    alike = all(getattr(one, key) == getattr(other, key) for key in keys)
    return alike and one.comparison.pools == other.comparison.pools and wanted(one) == wanted(other)


def _comparison(spec: Specification, loaded: Loaded, number: int) -> Comparison:
    return compare(spec, loaded, loaded.series[number], focus_areas(spec, loaded))


def _completed(spec: Specification, loaded: Loaded, number: int) -> tuple[Comparison, ...]:
    """The comparison with every table in which missing characteristics were drawn; none where that is not asked."""
    match = spec.comparison.match
    if match is None or not isinstance(match.missing, Impute):
        return ()
    areas, series = focus_areas(spec, loaded), loaded.series[number]
    return tuple(compare(spec, loaded, series, areas, draw) for draw in range(match.missing.impute))


def _sealed(case: Case) -> bool:
    """Whether nothing may be computed: no outcome, or a gate of the design was not passed."""
    registered = case.series.outcome.registered
    no_outcome = registered is not None and bool(registered.not_measurable)
    return (
        no_outcome or bool(case.loaded.awaited) or any(check.gates and check.verdict != "pass" for check in case.checks)
    )


def _meaning(spec: Specification, check: Check) -> str:
    """What it means for the estimate that a check is not passed."""
    if check.verdict == "pass":
        return ""
    why = foreseen(spec.checks).get(check.name)
    return f"; foreseen: {why}" if why is not None else "; no estimate would be given" if check.gates else ""


def _bracketed(spec: Specification, case: Case, made: Sequence[End]) -> Case:
    return replace(case, checks=(*case.checks, *bracketed(spec, [end.comparison for end in made])))


def _case(spec: Specification, loaded: Loaded, number: int) -> Case:
    comparison = _comparison(spec, loaded, number)
    return Case(loaded, loaded.series[number], comparison, gates(spec, comparison))
