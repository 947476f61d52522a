"""Cite a number of a collection: by the address in its study, or by the same with the collection before the #."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from impact.errors import Problem, UsageError
from impact.evidence.addresses import Address, place_of
from impact.evidence.citation import Numbered
from impact.evidence.collected import Collected
from impact.evidence.language import texts
from impact.evidence.reading import in_language, plain
from impact.evidence.record import Evidence
from impact.study.archive import Contents
from impact.study.bundle import collection_in
from impact.study.citing import Citation, check_whole, cite_from, digest_of, resolve, version_of, withdrawal
from impact.study.collection import file_in
from impact.study.collection_life import FILES
from impact.study.collection_verify import fixed_together, study_contents
from impact.study.log import Log, parsed_log, read_log
from impact.study.standing import beside
from impact.study.unchanged import read_manifest, unchanged
from impact.study.withdrawing import withdrawals

__all__ = ["cite_in_collection", "resolve_in_collection"]


def resolve_in_collection(
    outcomes: Sequence[Evidence], value: Collected, asked: Address
) -> tuple[Evidence, Numbered | None, Address]:
    """The outcome and the number of an address in a collection, and the address that it has in its study.

    Raises
    ------
    UsageError
        ``ADDRESS-002`` to ``ADDRESS-006``, as for a study.
    """
    if asked.place.study != value.id:
        rows = [one for one in outcomes if one.study == asked.place.study]
        if not rows:
            known = ", ".join(slug for slug, _ in value.studies)
            message = f"this address is of {asked.place.study}, and the bundle of the collection {value.id}"
            raise UsageError(Problem("ADDRESS-002", message, f"It holds the studies {known}."))
        return *resolve(rows, asked), asked
    if asked.place != value.place:
        message = f"this address is of {asked.place}, and the bundle of {value.place}"
        raise UsageError(Problem("ADDRESS-003", message, "Give the bundle of that lock and look: old numbers stay."))
    rows = [one for one in outcomes if one.indicator == asked.outcome]
    if not rows:
        known = ", ".join(one.indicator for one in outcomes)
        raise UsageError(
            Problem("ADDRESS-005", f"no study here has the outcome {asked.outcome}", f"they have: {known}")
        )
    own = replace(asked, place=place_of(rows[0]))
    return *resolve(rows, own), own


def cite_in_collection(
    asked: Address, contents: Contents, outcomes: Sequence[Evidence], study: Path | None, language: str
) -> Citation:
    """The citation of a number in the bundle of a collection; see ``cite``. `study` is the collection, or its folder.

    Raises
    ------
    UsageError, DataError
        As ``cite`` does.
    """
    say, where = texts(language), str(contents.path)
    value = collection_in(contents.files["results.json"], where)
    assert value is not None, "this is a collection"
    evidence, _, own = resolve_in_collection(outcomes, value, asked)
    manifest = read_manifest(contents)
    check_whole((unchanged(contents, manifest), fixed_together(contents, manifest, outcomes, value)), where)
    rows = [one for one in outcomes if one.study == evidence.study]
    file = _file(study, value.id)
    beside_it = None if file is None else file.parent / evidence.study
    if beside_it is not None and not beside(beside_it / "study.yaml")[1].is_file():
        beside_it = None
    found = cite_from(own, study_contents(contents, evidence.study), rows, beside_it, language)
    logs = [parsed_log(contents.files[FILES[2]], FILES[2])] if FILES[2] in contents.files else []
    logs += [] if file is None else [_ledger(file)]
    more = tuple(withdrawal(entry, say) for entry in withdrawals(logs, asked))
    withdrawn = (*found.withdrawn, *more)
    digest = digest_of(contents)
    title = plain(in_language(value.title, language))
    reference = replace(
        found.reference,
        address=str(asked),
        version=version_of(evidence, asked.place, say),
        title=say("citation.retracted", title=title) if withdrawn else title,
        authors=say("citation.authors", study=value.id),
        digest="sha256 ({file}): {sha256}".format(**digest),
        statement=" ".join([*more, found.reference.statement]),
        withdrawn=bool(withdrawn),
    )
    return replace(
        found, address=asked, reference=reference, withdrawn=withdrawn, digest=say("citation.digest", **digest)
    )


def _file(given: Path | None, name: str) -> Path | None:
    """The file of the collection: that which is given, or that of its name in ``studies``; None without any."""
    if given is None:
        return file_in(Path("studies"), name)
    file = given / f"{name}.yaml" if given.is_dir() else given
    if not file.is_file():
        raise UsageError(Problem("CITE-002", "there is no collection of this name here", "", str(given)))
    return file


def _ledger(file: Path) -> Log:
    ledger = beside(file)[1]
    return read_log(ledger) if ledger.is_file() else Log()
