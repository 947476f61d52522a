"""Verify the bundle of a collection: its own files, and the bundle of every study in it, each as if it stood alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from impact.errors import DataError, ImpactError, SpecError
from impact.evidence.collected import Collected
from impact.evidence.grade_form import SIGNATURES
from impact.evidence.record import DataFile, Evidence
from impact.parallel import Progress
from impact.study.archive import Contents, read_contents
from impact.study.bundle import MANIFEST, collection_in
from impact.study.collection import Collection, read_collection
from impact.study.collection_life import FILES
from impact.study.collection_run import collection_files, rows_of, run_collection
from impact.study.crate import INPUTS, LEDGER, LOCK, lock8
from impact.study.fixed import fixed
from impact.study.render import versions
from impact.study.stages import STAGES, compared
from impact.study.strict import strict
from impact.study.unchanged import read_manifest, unchanged
from impact.study.verification import InStudy, Level, Said, Verification
from impact.study.verify import outcomes_in, recomputed

__all__ = ["fixed_together", "study_contents", "verify_collection"]

_OWN: Final = dict(zip(FILES, ("study.yaml", LOCK, LEDGER), strict=True))
"""Specification, lock and ledger of a collection, by the names that those of a study have."""
_LATER: Final = ("unchecked.rerun", "unchecked.rest", "unchecked.no-data")


def study_contents(found: Contents, slug: str) -> Contents:
    """The bundle of one study in that of a collection; it has no zip of its own."""
    head = f"{slug}/"
    files = {name.removeprefix(head): content for name, content in found.files.items() if name.startswith(head)}
    return Contents(found.path / slug, files, None)


def verify_collection(
    found: Contents,
    manifest: Mapping[str, Any],
    data: Sequence[Path],
    again: bool,
    sha256: str = "",
    progress: Progress | None = None,
) -> Verification:
    """The three levels, over the collection and all its studies; see ``verify``."""
    whole = unchanged(found, manifest, sha256)
    outcomes, value = outcomes_in(found), _collected(found)
    if isinstance(outcomes, Said) or isinstance(value, Said):
        wrong = tuple(one for one in (outcomes, value) if isinstance(one, Said))
        neither = [Level(name, "not", Said("unchecked.results")) for name in ("fixed", "recomputed")]
        broken = Level("unchanged", "no", whole.sentence, (*whole.differences, *wrong), whole.unchecked)
        return Verification(found.path, found.sha256, broken, *neither)
    parts = {slug: study_contents(found, slug) for slug, _ in value.studies}
    numbers = [
        _of(slug, recomputed(part, *inside, data, again=False, progress=None))
        for slug, part in parts.items()
        for inside in [_inside(part)]
        if not isinstance(inside, Said)
    ]
    third = _joined("recomputed", numbers, [*_derived(found, manifest, outcomes, value, parts)])
    if again:
        third = _again(third, found, manifest, data, value, progress)
    return Verification(found.path, found.sha256, whole, fixed_together(found, manifest, outcomes, value), third)


def fixed_together(
    found: Contents, manifest: Mapping[str, Any], outcomes: Sequence[Evidence], value: Collected
) -> Level:
    """The second level, of the collection itself and of every study in it."""
    parts = {slug: study_contents(found, slug) for slug, _ in value.studies}
    levels = [_fixed(found, manifest, outcomes, value, parts, _read(found, parts))]
    for slug, part in parts.items():
        inside = _inside(part)
        own = Level("fixed", "no", inside, (inside,)) if isinstance(inside, Said) else fixed(part, *inside)
        levels.append(_of(slug, own))
    return _joined("fixed", levels, [])


def _collected(found: Contents) -> Collected | Said:
    try:
        value = collection_in(found.files.get("results.json", b"{}"), "results.json")
    except DataError as error:
        return Said("file.unreadable", {"file": "results.json", "why": error.problems[0].message})
    return value or Said("file.unreadable", {"file": "results.json", "why": "–"})


def _inside(part: Contents) -> tuple[Mapping[str, Any], tuple[Evidence, ...]] | Said:
    """Manifest and results of the bundle of a study."""
    try:
        stated = read_manifest(part)
    except DataError as error:
        return Said("file.unreadable", {"file": MANIFEST, "why": error.problems[0].message})
    rows = outcomes_in(part)
    return rows if isinstance(rows, Said) else (stated, rows)


# --- fixed beforehand -------------------------------------------------------------------------------------------------


def _laid(place: Path, found: Contents, parts: Mapping[str, Contents]) -> Path:
    """The specifications, locks and ledgers of the collection and its studies as files; the collection's own."""
    names = [(name, found) for name in FILES]
    kept = ("study.yaml", LOCK, LEDGER, SIGNATURES)
    own = [(f"{slug}/{name}", part, name) for slug, part in parts.items() for name in kept]
    for file, holder, name in [*((name, holder, name) for name, holder in names), *own]:
        if name in holder.files:
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_bytes(holder.files[name])
    return place / FILES[0]


def _read(found: Contents, parts: Mapping[str, Contents]) -> Collection | Said:
    """The collection in the bundle, or why it cannot be read."""
    with tempfile.TemporaryDirectory() as name:
        try:
            return read_collection(_laid(Path(name), found, parts))
        except SpecError as error:
            return Said("fixed.unreadable", {"file": FILES[0], "why": error.problems[0].message})


def _fixed(
    found: Contents,
    manifest: Mapping[str, Any],
    outcomes: Sequence[Evidence],
    value: Collected,
    parts: Mapping[str, Contents],
    collection: Collection | Said,
) -> Level:
    """The collection itself: its lock and ledger are judged as those of a study, of which the studies are the data."""
    meant = {evidence.study: evidence.spec_sha256 for evidence in outcomes}
    first = replace(
        outcomes[0],
        study=value.id,
        status=value.standing.status,
        standing=value.standing,
        spec_sha256=value.spec_sha256,
        seed=value.seed,
        data=tuple(DataFile("study", slug, meant[slug], 0) for slug in sorted(meant)),
        periods=(),
        look=None,
    )
    files = {name: found.files[own] for own, name in _OWN.items() if own in found.files}
    level = fixed(Contents(found.path, files, None), manifest, [first], collection)
    wrong = [*level.differences, *_of_studies(files, value, parts, collection)]
    if wrong and level.verdict != "no":
        return Level("fixed", "no", Said("fixed.no", {"count": str(len(wrong))}), tuple(wrong))
    return replace(level, differences=tuple(wrong))


def _of_studies(
    files: Mapping[str, bytes], value: Collected, parts: Mapping[str, Contents], collection: Collection | Said
) -> Iterator[Said]:
    """What lock and results of the collection say of its studies, and their ledgers of the time of its lock."""
    locks = {slug: lock8(part.files) for slug, part in parts.items()}
    if dict(value.studies) != locks or (
        isinstance(collection, Collection) and tuple(rows_of(collection)) != value.rows
    ):
        yield Said("fixed.manifest", {"what": "studies"})
    claims = value.standing.status in ("pre-specified", "amended")
    try:
        design = strict(files[LOCK])["design"]["studies"] if LOCK in files else {}
        rows = [strict(line) for line in files.get(LEDGER, b"").splitlines()]
        made = [row for row in rows if row["event"] in ("locked", "amended")]
        late = bool(made) and (made[0]["seen"] == "outcomes" or _opened(parts, str(made[0]["at"])))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        yield Said("fixed.unreadable", {"file": FILES[1], "why": str(error)})
        return
    if claims and design != locks:
        yield Said("fixed.claim", {"claim": value.standing.status, "most": "deviation"})
    if late and value.standing.status != "exploratory":
        yield Said("fixed.claim", {"claim": value.standing.status, "most": "exploratory"})


def _opened(parts: Mapping[str, Contents], at: str) -> bool:
    """Whether the ledger of a study says that its outcomes were opened before the collection was locked."""
    return any(
        row["event"] == "ran" and row["seen"] == "outcomes" and str(row["at"]) < at
        for part in parts.values()
        for row in (strict(line) for line in part.files.get(LEDGER, b"").splitlines())
    )


# --- recomputed -------------------------------------------------------------------------------------------------------


def _derived(
    found: Contents,
    manifest: Mapping[str, Any],
    outcomes: Sequence[Evidence],
    value: Collected,
    parts: Mapping[str, Contents],
) -> Iterator[Said]:
    """Files of the collection that are not what follows from its results, and results that are not its studies'."""
    inside = [one for part in parts.values() for one in _rows(part)]
    if list(outcomes) != inside:
        yield Said("derived.differs", {"file": "results.json"})
    if versions() != manifest.get("versions"):
        return
    beside = {
        name: content for name, content in found.files.items() if name in FILES or name.partition("/")[0] in parts
    }
    try:
        made = collection_files(outcomes, value, versions(), beside)
        # A value that no report reads would hide in it.
        if strict(made["results.json"]) != strict(found.files["results.json"]):
            yield Said("derived.more")
    except (ImpactError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        yield Said("derived.unreadable", {"why": f"{type(error).__name__}: {error}"})
        return
    for name in sorted((made.keys() | found.files.keys()) - {MANIFEST, "results.json"}):
        if made.get(name) != found.files.get(name):
            yield Said("derived.differs", {"file": name})


def _rows(part: Contents) -> tuple[Evidence, ...]:
    rows = outcomes_in(part)
    return () if isinstance(rows, Said) else rows


def _again(
    third: Level,
    found: Contents,
    manifest: Mapping[str, Any],
    data: Sequence[Path],
    value: Collected,
    progress: Progress | None,
) -> Level:
    """The third level after all studies were run again together."""
    parts = {slug: study_contents(found, slug) for slug, _ in value.studies}
    wrong, unchecked = list(third.differences), [one for one in third.unchecked if one.key not in _LATER]
    with tempfile.TemporaryDirectory() as name:
        file = _laid(Path(name) / "collection", found, parts)
        given = Path(name) / "given"
        for part in parts.values():
            for own, content in part.files.items():
                if own.startswith(INPUTS):
                    target = given / own.removeprefix(INPUTS)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
        out = Path(name) / "out"
        folders = [*data, *([given] if given.is_dir() else [])]
        look = value.standing.look
        try:
            run_collection(read_collection(file), out, data=folders, progress=progress, look=look)
        except ImpactError as error:
            absent = all(one.code == "SPEC-021" for one in error.problems)
            if absent:
                return replace(third, unchecked=(*unchecked, Said("unchecked.no-data")))
            refused = Said("rerun.refused", {"why": error.problems[0].message.rstrip(".")})
            return _third(third, [*wrong, refused], unchecked)
        second = read_contents(out)
    if dict(second.files) == dict(found.files):
        return replace(third, sentence=Said("recomputed.identical", _count(third)), unchecked=tuple(unchecked))
    same = versions() == manifest.get("versions")
    for slug, part in parts.items():
        differences, _ = compared(part.files, study_contents(second, slug).files, versions=same)
        for stage in STAGES:
            here = [one for one in differences if one.stage == stage]
            if here:
                one = here[0]
                values = {"stage": stage, "path": one.path, "count": str(len(here)), "one": one.one, "other": one.other}
                key = "text" if one.one or one.other else "file"
                wrong.append(InStudy(f"rerun.differs-{key}", values, slug))
    if not wrong and same:
        names = sorted(name for name in found.files.keys() | second.files.keys() if "/" not in name)
        wrong += [
            Said("derived.differs", {"file": name}) for name in names if found.files.get(name) != second.files.get(name)
        ]
    return (
        _third(third, wrong, unchecked)
        if wrong
        else replace(third, sentence=Said("recomputed.again", _count(third)), unchecked=tuple(unchecked))
    )


def _third(third: Level, wrong: Sequence[Said], unchecked: Sequence[Said]) -> Level:
    return Level("recomputed", "no", Said("recomputed.no", {"count": str(len(wrong))}), tuple(wrong), tuple(unchecked))


# --- levels together --------------------------------------------------------------------------------------------------


def _of(slug: str, level: Level) -> Level:
    """The level of a study, with its name before every sentence."""
    return replace(
        level,
        differences=tuple(InStudy(one.key, one.values, slug) for one in level.differences),
        unchecked=tuple(InStudy(one.key, one.values, slug) for one in level.unchecked),
    )


def _joined(name: str, levels: Sequence[Level], more: Sequence[Said]) -> Level:
    """One level over several: that of the first, unless any of them differs; what all say alike is said once."""
    wrong = tuple(one for level in levels for one in level.differences) + tuple(more)
    unchecked: dict[tuple[str, str], list[Said]] = {}
    for level in levels:
        for one in level.unchecked:
            unchecked.setdefault((one.key, str(sorted(one.values.items()))), []).append(one)
    said = tuple(Said(alike[0].key, alike[0].values) if len(alike) > 1 else alike[0] for alike in unchecked.values())
    if wrong:
        return Level(name, "no", Said(f"{name}.no", {"count": str(len(wrong))}), wrong, said)
    if name == "recomputed":
        count = sum(int(level.sentence.values.get("count", 0)) for level in levels)
        return Level(
            name,
            "yes" if count else "not",
            Said("recomputed.yes" if count else "recomputed.nothing", {"count": str(count)}),
            (),
            said,
        )
    return replace(levels[0], unchecked=said)


def _count(level: Level) -> dict[str, str]:
    return {"count": level.sentence.values.get("count", "0")}
