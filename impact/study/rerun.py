"""Run the study of a bundle again, in a temporary folder, and hold what comes out against it, stage by stage."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impact.errors import ImpactError
from impact.evidence.grade_form import SIGNATURES
from impact.evidence.record import Evidence
from impact.parallel import Progress
from impact.study.archive import Contents, read_contents
from impact.study.crate import INPUTS, LEDGER, LOCK
from impact.study.read import read_study
from impact.study.render import versions
from impact.study.roots import Roots
from impact.study.stages import STAGES, compared
from impact.study.verification import Said

__all__ = ["Rerun", "inputs_of", "rerun"]


@dataclass(slots=True)
class Rerun:
    """What differs, what is said of it, and whether a second run was made and agrees byte by byte."""

    wrong: list[Said] = field(default_factory=list)
    unchecked: list[Said] = field(default_factory=list)
    made: bool = False
    identical: bool = False


def inputs_of(outcomes: Sequence[Evidence]) -> dict[str, str]:
    """Digest of every input by its name in the study."""
    return {data.file: data.sha256 for evidence in outcomes for data in evidence.data}


def rerun(
    contents: Contents,
    manifest: Mapping[str, Any],
    outcomes: Sequence[Evidence],
    data: Sequence[Path],
    *,
    again: bool,
    progress: Progress | None = None,
) -> Rerun:
    """Compare the inputs with those that were used and, with `again`, run the study on them."""
    found = Rerun()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "study"
        own = Path(name) / "given"
        for file, content in contents.files.items():
            if file in ("study.yaml", LOCK, LEDGER, SIGNATURES):
                _put(place / file, content)
            elif file.startswith(INPUTS):
                _put(own / file.removeprefix(INPUTS), content)
        own.mkdir(exist_ok=True)
        folders = [*data, own]
        complete = _inputs(found, Roots(place, None, tuple(folders)), inputs_of(outcomes))
        if not again:
            found.unchecked.append(Said("unchecked.rerun"))
        elif outcomes[0].belongs_to and outcomes[0].families:
            found.unchecked.append(Said("unchecked.collection", {"collection": outcomes[0].belongs_to}))
        elif not complete:
            found.unchecked.append(Said("unchecked.no-data"))
        else:
            _again(found, contents, manifest, place, folders, Path(name) / "out", progress, outcomes[0].standing.look)
    return found


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _inputs(found: Rerun, roots: Roots, digests: Mapping[str, str]) -> bool:
    """Whether every input is there; those that are others under the same name are said to differ."""
    complete = True
    for file, digest in sorted(digests.items()):
        try:
            content = roots.find(file).read_bytes()
        except (ImpactError, OSError):
            found.unchecked.append(Said("unchecked.input", {"file": file}))
            complete = False
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            found.wrong.append(Said("rerun.other-input", {"file": file}))
    return complete


def _again(
    found: Rerun,
    contents: Contents,
    manifest: Mapping[str, Any],
    place: Path,
    folders: Sequence[Path],
    out: Path,
    progress: Progress | None,
    look: int,
) -> None:
    from impact.study.run import run

    try:
        run(read_study(place), data=folders, out=out, progress=progress, look=look)
    except ImpactError as error:
        found.wrong.append(Said("rerun.refused", {"why": error.problems[0].message.rstrip(".")}))
        return
    found.made = True
    second = read_contents(out).files
    if second == dict(contents.files):
        found.identical = True
        return
    same = versions() == manifest.get("versions")
    if not same:
        found.unchecked.append(Said("unchecked.versions"))
    try:
        differences, apart = compared(contents.files, second, versions=same)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found.wrong.append(Said("rerun.unreadable", {"why": str(error)}))
        return
    for stage in STAGES:
        here = [one for one in differences if one.stage == stage]
        if here:
            most = here[0]
            values = {"stage": stage, "path": most.path, "count": str(len(here)), "one": most.one, "other": most.other}
            number = most.size != float("inf")
            values |= {"size": f"{most.size:.1e}"} if number else {}
            key = "number" if number else "text" if most.one or most.other else "file"
            found.wrong.append(Said(f"rerun.differs-{key}", values))
    if not differences and apart:
        found.unchecked.append(Said("unchecked.bytes", {"count": str(len(apart))}))
