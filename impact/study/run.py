"""Run a study: every outcome from table to evidence, then one bundle."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from impact.errors import DataError, Problem, SpecError, raise_all
from impact.evidence.family import Family
from impact.evidence.look import Look
from impact.evidence.record import Evidence
from impact.files import check_folder
from impact.parallel import Parallel, Progress, one_thread, silent
from impact.study.answers import Answers, alternative, answers
from impact.study.areas import focus_areas
from impact.study.bracket import End, bracket, ends
from impact.study.bundle import Bundle, check_place, write_bundle
from impact.study.cache import Cache, Part, kept_in
from impact.study.collection import Collection
from impact.study.companions import companions, shared
from impact.study.comparing import Impute
from impact.study.composition import shares
from impact.study.context import read_context, with_context
from impact.study.controls import other_outcomes, tried
from impact.study.gates import bracketed, gates
from impact.study.indices import indexed
from impact.study.keeping import check_told, ran, stand
from impact.study.load import Loaded, load
from impact.study.looks import at_family_level, at_level, check_number, look_at, looks_in, taken_before
from impact.study.model import Specification
from impact.study.panels import Comparison, compare
from impact.study.read import Study, locate
from impact.study.record import Case
from impact.study.recording import Given, Tried, recorded, variants
from impact.study.release import release, released
from impact.study.render import pages, versions
from impact.study.robust import robust
from impact.study.roots import Roots
from impact.study.shifts import shifts
from impact.study.signatures import signed_for
from impact.study.together import together
from impact.study.units import wanted
from impact.study.wording import texts_of

__all__ = [
    "Answered",
    "Made",
    "Steps",
    "answered",
    "case_of",
    "ended",
    "in_steps",
    "kept_parts",
    "paths_of",
    "place_of",
    "run",
    "variations_of",
    "with_bracket",
]


def place_of(study: Study | Collection, out: str | Path | None = None, look: int = 1) -> Path:
    """The folder of the bundle of a run."""
    name = study.model.id if look == 1 else f"{study.model.id}-look-{look}"
    return Path(out) if out is not None else Path("out") / name


@one_thread()
def run(
    study: Study | Collection,
    *,
    data: Sequence[str | Path] = (),
    out: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    look: int = 1,
    cache: str | Path | None = None,
    since: str = "",
) -> Bundle:
    """Run `study` and write its bundle; of a collection, one bundle with those of its studies in it.

    Parameters
    ----------
    study : Study or Collection
        As ``read_study`` or ``read_collection`` gives it.
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
    place = place_of(study, out, look)
    check_place(place, study.model.id)
    if isinstance(study, Collection):
        from impact.study.collection_run import run_collection

        return run_collection(
            study, place, data=data, workers=workers, progress=progress, look=look, cache=cache, since=since
        )
    steps = in_steps(study, place, data=data, workers=workers, progress=progress, look=look, cache=cache, since=since)
    next(steps)
    asked = answered(steps)
    made = ended(steps, together(asked.spec, asked.cases, asked.answers))
    bundle = write_bundle(place, made.outcomes, made.pages, made.figures, versions(), made.beside)
    return replace(bundle, notes=made.notes)


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What was estimated of every outcome of a study, before any of them are judged together.

    `spec` is the study with the level that its families have at this look.
    """

    spec: Specification
    cases: Sequence[Case]
    answers: Sequence[Answers]
    looks: Sequence[Look | None]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What goes into the bundle of a study; `until` is the last period of which an outcome was opened, "" for none."""

    outcomes: Sequence[Evidence]
    pages: Mapping[str, str]
    figures: Mapping[str, str]
    beside: Mapping[str, bytes]
    notes: tuple[str, ...]
    until: str


Steps: TypeAlias = Generator[Answered | None, tuple[Family, ...] | None, Made]


def answered(steps: Steps) -> Answered:
    """The second step of a run: everything is estimated."""
    found = next(steps)
    assert found is not None, "a run answers in its second step"
    return found


def ended(steps: Steps, judged: tuple[Family, ...]) -> Made:
    """The last step of a run, with what was found of its outcomes together."""
    try:
        steps.send(judged)
    except StopIteration as end:
        made: Made = end.value
        return made
    raise AssertionError("a run has three steps")


def in_steps(
    study: Study,
    place: Path,
    *,
    data: Sequence[str | Path],
    workers: int,
    progress: Progress | None,
    look: int,
    cache: str | Path | None,
    since: str,
) -> Steps:
    """A run in steps: its data hold together; all is estimated; its outcomes are judged, here or with other studies.

    Parameters as of `run`; `place` is where the bundle comes, or the one that holds it.
    """
    check_number(study.model, look)
    folder = None if cache is None else kept_in(Path(cache), place)
    progress = progress or silent
    signed_for(study, look)  # what is wrong with it is said before anything takes time
    notes = read_context(study, data)
    loaded = load(study.model, paths_of(study, data, opened=True))
    others, varied = variations_of(study, loaded, data, opened=True)
    files = dict.fromkeys(file for tables in (loaded, *others) for file in tables.files)
    loaded = replace(loaded, files=tuple(files))
    keep = Cache(folder, study, _every(study, data), look, since)
    parallel = Parallel(workers, progress, keep)
    before, stands = stand(study, loaded, look)
    check_told(study, before)
    earlier = taken_before(study.model, before.log, look, loaded.files)
    nothing = other_outcomes(study.model, lambda spec: load(spec, paths_of(study, data, opened=True)))
    new = shares(study.model, lambda spec: load(spec, paths_of(study, data, spec, opened=True)))
    # Every comparison is made before anything is estimated, so that a study with a hole in it computes nothing.
    outcomes = range(len(study.model.all_outcomes))
    cases = [case_of(study.model, loaded, number) for number in outcomes]
    both = [ends(study.model, loaded, number, case.comparison) for number, case in enumerate(cases)]
    cases = [with_bracket(study.model, case, made) for case, made in zip(cases, both, strict=True)]
    yield None
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
    looks = [one.look for one in given]
    spec = at_family_level(study.model, looks)
    found_of = [one.answers for one in given]
    judged = yield Answered(spec, cases, found_of, looks)
    with keep.part(Part("alternatives", "", "families"), study.model):
        assert judged is not None, "the last step is told what was found together"
        every = indexed(spec, cases, judged, parallel)

    # What may not leave is gone before anything is written: also from the ledger, and from every form of the bundle.
    def leaving(rows: list[Evidence]) -> list[Evidence]:
        return released(study, cases, found_of, with_context(rows, notes), others, varied, both)

    found = recorded(study, cases, given, every, stands, versions(), leaving)
    html, figures = pages(found)
    check_folder(place)  # a line in the ledger says that outcomes were seen, and without a bundle nobody sees them
    after = ran(study, before, loaded, opened, look, looks_in(found))
    beside = {**after.files, **companions(study, loaded, _shared_paths(study, data), notes), **release(found)}
    return Made(found, html, figures, beside, (*after.notes, *keep.notes), loaded.periods[-1] if opened else "")


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


def paths_of(
    study: Study, data: Sequence[str | Path], model: Specification | None = None, *, opened: bool = False
) -> Mapping[str, Path]:
    """Where the files of a study are, or those of the `model` of an alternative; see ``locate``."""
    return locate(study, Roots.of(study.path, [Path(folder) for folder in data]), model, opened=opened)


def _every(study: Study, data: Sequence[str | Path]) -> dict[str, Path]:
    """All inputs: those of the study by their role, and those that an alternative has beside."""
    found = dict(paths_of(study, data, opened=True))
    for variation in study.variations:
        own = paths_of(study, data, variation.model, opened=True)
        found |= {f"{variation.name}: {role}": path for role, path in own.items() if path not in found.values()}
    return found


def _shared_paths(study: Study, data: Sequence[str | Path]) -> dict[str, Path]:
    roots = Roots.of(study.path, [Path(folder) for folder in data])
    return {file: roots.find(file) for file in shared(study)}


def variations_of(
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
            other = loaded if alike else load(spec, paths_of(study, data, spec, opened=opened), design=not opened)
            comparisons = [_comparison(spec, other, number) for number in range(len(spec.all_outcomes))]
        except (SpecError, DataError) as error:
            said = f"in the alternative {variation.name!r}: "
            problems += [replace(problem, message=said + problem.message) for problem in error.problems]
            continue
        others.append(other)
        made.append(comparisons)
    raise_all(problems, DataError)
    return others, [[row[number] for row in made] for number in range(len(study.model.all_outcomes))]


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


def with_bracket(spec: Specification, case: Case, made: Sequence[End]) -> Case:
    """The case with the check of its bracket."""
    return replace(case, checks=(*case.checks, *bracketed(spec, [end.comparison for end in made])))


def case_of(spec: Specification, loaded: Loaded, number: int) -> Case:
    """One outcome with its comparison and the checks of its design."""
    comparison = _comparison(spec, loaded, number)
    return Case(loaded, loaded.series[number], comparison, gates(spec, comparison))
