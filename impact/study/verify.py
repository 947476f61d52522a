"""Verify a bundle: unchanged since it was made, fixed beforehand, recomputed; and what could not be checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from impact.errors import DataError, ImpactError
from impact.evidence.grade_form import SIGNATURES
from impact.evidence.record import Evidence
from impact.parallel import Progress, one_thread
from impact.study.archive import Contents, read_contents
from impact.study.bundle import MANIFEST, contents, parsed, results_json
from impact.study.crate import INPUTS, LEDGER, LOCK
from impact.study.fixed import fixed
from impact.study.recompute import names, recompute
from impact.study.release import release
from impact.study.render import pages, versions
from impact.study.rerun import rerun as run_again
from impact.study.signatures import signatures
from impact.study.strict import strict
from impact.study.tidy import tidy
from impact.study.unchanged import read_manifest, unchanged
from impact.study.verification import Level, Said, Verification

__all__ = ["outcomes_in", "recomputed", "verify"]

# What is in a bundle as it is; all other files follow from these.
_GIVEN = ("results.json", "study.yaml", LOCK, LEDGER, "environment.json", "aggregates.csv", SIGNATURES)


@one_thread()
def verify(
    bundle: str | Path,
    *,
    data: Sequence[str | Path] = (),
    rerun: bool = False,
    sha256: str = "",
    progress: Progress | None = None,
) -> Verification:
    """Check a bundle that anybody may have made or changed.

    Nothing in it is trusted or run, and nothing is unpacked but into a temporary folder. A bundle that holds together
    proves no date: whoever can write all of it can forge all of it, and only a digest deposited elsewhere shows more.

    Parameters
    ----------
    bundle : path
        A ``bundle.zip``, or the folder that ``run`` wrote.
    data : sequence of path
        Folders with the study's data; with them the inputs are compared with those that were used.
    rerun : bool
        Run the study again as well.
    sha256 : str
        Digest of ``bundle.zip`` as it was deposited elsewhere.
    progress : Progress, optional
        Told how far a second run is.

    Returns
    -------
    Verification

    Raises
    ------
    DataError
        There is nothing that could be checked: ``BUNDLE-001`` to ``BUNDLE-010``, as for an unsafe zip.
    """
    found = read_contents(Path(bundle))
    manifest = read_manifest(found)
    if manifest.get("collection") is True:
        from impact.study.collection_verify import verify_collection

        return verify_collection(found, manifest, [Path(folder) for folder in data], rerun, sha256, progress)
    outcomes = outcomes_in(found)
    whole = unchanged(found, manifest, sha256)
    if isinstance(outcomes, Said):
        nothing = Said("unchecked.results")
        neither = [Level(name, "not", nothing) for name in ("fixed", "recomputed")]
        broken = Level("unchanged", "no", whole.sentence, (*whole.differences, outcomes), whole.unchecked)
        return Verification(found.path, found.sha256, broken, *neither)
    second = recomputed(found, manifest, outcomes, [Path(folder) for folder in data], rerun, progress)
    return Verification(found.path, found.sha256, whole, fixed(found, manifest, outcomes), second)


def outcomes_in(found: Contents) -> tuple[Evidence, ...] | Said:
    """The results, or why they cannot be read."""
    content = found.files.get("results.json")
    if content is None:
        return Said("file.missing", {"file": "results.json"})
    try:
        strict(content)
        outcomes = parsed(content, "results.json")
    except DataError as error:
        return Said("file.unreadable", {"file": "results.json", "why": error.problems[0].message})
    except ValueError as error:
        return Said("file.unreadable", {"file": "results.json", "why": str(error)})
    return outcomes or Said("file.unreadable", {"file": "results.json", "why": "–"})


def recomputed(
    found: Contents,
    manifest: Mapping[str, Any],
    outcomes: Sequence[Evidence],
    data: Sequence[Path],
    again: bool,
    progress: Progress | None,
) -> Level:
    """The third level."""
    numbers = recompute(found, outcomes)
    wrong = [*numbers.wrong]
    unchecked = [*names(numbers.missing)]
    if versions() == manifest.get("versions"):
        wrong += _derived(found, manifest, outcomes)
    else:
        wrong += _table(found, outcomes)
        unchecked.append(Said("unchecked.versions"))
    wrong += _signed(found, outcomes)
    second = run_again(found, manifest, outcomes, data, again=again, progress=progress)
    wrong += second.wrong
    unchecked += second.unchecked
    if not second.made:
        unchecked.append(Said("unchecked.rest"))
    count = str(numbers.agreed)
    if wrong:
        return Level(
            "recomputed", "no", Said("recomputed.no", {"count": str(len(wrong))}), tuple(wrong), tuple(unchecked)
        )
    how = "identical" if second.identical else "again" if second.made else "yes" if numbers.agreed else "nothing"
    verdict = "yes" if second.made or numbers.agreed else "not"
    return Level("recomputed", verdict, Said(f"recomputed.{how}", {"count": count}), (), tuple(unchecked))  # type: ignore[arg-type]


def _signed(found: Contents, outcomes: Sequence[Evidence]) -> list[Said]:
    """Whether who signed the results is who signed the file beside them."""
    first, content = outcomes[0], found.files.get(SIGNATURES)
    names = [evidence.indicator for evidence in outcomes]
    try:
        about = (first.study, first.spec_sha256, names, first.standing.look)
        given = {} if content is None else signatures(content, SIGNATURES, *about)
    except DataError as error:
        return [Said("file.unreadable", {"file": SIGNATURES, "why": error.problems[0].message})]
    alike = all(evidence.signed == given.get(evidence.indicator) for evidence in outcomes)
    return [] if alike else [Said("derived.differs", {"file": SIGNATURES})]


def _table(found: Contents, outcomes: Sequence[Evidence]) -> list[Said]:
    """Whether tidy.csv holds the numbers of the results, in the columns that this version knows too."""
    made = list(csv.DictReader(io.StringIO(tidy(outcomes).to_csv(index=False))))
    try:
        there = list(csv.DictReader(io.StringIO(found.files.get("tidy.csv", b"").decode("utf-8"), newline="")))
    except (ValueError, csv.Error) as error:
        return [Said("file.unreadable", {"file": "tidy.csv", "why": str(error)})]
    alike = len(made) == len(there) and all(
        one[name] == other[name] for one, other in zip(made, there, strict=True) for name in one.keys() & other.keys()
    )
    return [] if alike else [Said("derived.differs", {"file": "tidy.csv"})]


def _derived(found: Contents, manifest: Mapping[str, Any], outcomes: Sequence[Evidence]) -> list[Said]:
    """Tables, figures and pages that are not what follows from the results."""
    given = {name: content for name, content in found.files.items() if name in _GIVEN or name.startswith(INPUTS)}
    known = {key: str(value) for key, value in manifest["versions"].items()}
    try:
        html, figures = pages(outcomes)
        made = contents(outcomes, html, figures, known, {**given, **release(outcomes)})
    except (ImpactError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        return [Said("derived.unreadable", {"why": f"{type(error).__name__}: {error}"})]
    names = sorted((made.keys() | found.files.keys()) - {MANIFEST})
    wrong = [Said("derived.differs", {"file": name}) for name in names if made.get(name) != found.files.get(name)]
    # A value that no report reads would hide in it.
    if strict(results_json(outcomes)) != strict(found.files["results.json"]):
        wrong.append(Said("derived.more"))
    return wrong
