"""From an address and a bundle to the number, and to its citation; what was withdrawn says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from impact.errors import DataError, Problem, UsageError
from impact.evidence.addresses import Address, Place, address_of, place_of, primary_address, read_address
from impact.evidence.citation import Cited, Numbered, cited
from impact.evidence.language import Texts, texts
from impact.evidence.reading import in_language, plain
from impact.evidence.record import Evidence
from impact.evidence.references import STYLES, Reference, apa, bibtex, csl_json, one_line
from impact.evidence.translation import in_words
from impact.study.archive import Contents, read_contents
from impact.study.bundle import ARCHIVE, MANIFEST, collection_in, parsed
from impact.study.crate import LEDGER
from impact.study.fixed import fixed
from impact.study.log import LOG, Entry, Log, parsed_log, read_log
from impact.study.signatures import signed_beside
from impact.study.standing import beside
from impact.study.tidy import entries, in_families
from impact.study.unchanged import read_manifest, unchanged
from impact.study.verification import Level
from impact.study.withdrawing import withdrawals

__all__ = [
    "Citation",
    "check_whole",
    "cite",
    "cite_from",
    "digest_of",
    "later_than",
    "numbers",
    "opened",
    "resolve",
    "version_of",
    "withdrawn",
]

_SHOWN = 12
_STUDIES = Path("studies")
_FORMS = {"apa": ("APA", apa), "bibtex": ("BibTeX", bibtex), "csl-json": ("CSL-JSON", csl_json)}


@dataclass(frozen=True, slots=True)
class Citation:
    """A number with everything that may be said of it.

    Attributes
    ----------
    address : Address
    said : Cited
    reference : Reference
    withdrawn : tuple of str
        That it was withdrawn, when and why.
    notes : tuple of str
        Whether that can be known.
    digest : str
        Which file of the bundle has which SHA-256.
    language : str
    """

    address: Address
    said: Cited
    reference: Reference
    withdrawn: tuple[str, ...]
    notes: tuple[str, ...]
    digest: str
    language: str

    def text(self, style: str = "all") -> str:
        """The whole statement, and after it the reference in a `style`, or in all.

        Raises
        ------
        UsageError
            ``USAGE-003`` for another style.
        """
        if style not in (*STYLES, "all"):
            raise UsageError(Problem("USAGE-003", f"style {style!r} is not one of {', '.join((*STYLES, 'all'))}"))
        say = texts(self.language)
        said = [*self.withdrawn, self.said.title, *self.said.sentences, ""]
        said += [self.said.status, self.said.grade, say("citation.address", address=str(self.address)), self.digest]
        said += [*self.notes, say("citation.whole")]
        lines = [one_line(sentence) for sentence in said]
        for name in STYLES if style == "all" else (style,):
            title, form = _FORMS[name]
            lines += ["", f"{title}:", form(self.reference)]
        return "\n".join(lines)


# --- a bundle and its numbers -----------------------------------------------------------------------------------------


def opened(path: Path) -> tuple[Contents, tuple[Evidence, ...]]:
    """The files and the outcomes of a bundle, in a folder or a zip.

    Raises
    ------
    DataError
        ``BUNDLE-001`` to ``BUNDLE-010``.
    """
    found = read_contents(path)
    if "results.json" not in found.files:
        hint = "give a bundle.zip or the folder that run printed"
        raise DataError(Problem("BUNDLE-001", "there is no bundle here: results.json is missing", hint, str(path)))
    return found, parsed(found.files["results.json"], str(path))


def numbers(evidence: Evidence) -> dict[str, Numbered]:
    """Every number of an outcome by its address, in the order of the tidy table; none of a sealed one."""
    about = {("alternative", one.name): (one.why, one.level) for one in evidence.alternatives}
    found = [
        Numbered(role, name, same or role != "alternative", estimate, *about.get((role, name), ("", "")))
        for role, name, same, estimate in entries(evidence)
    ]
    level = {family.name: 1 - family.level for family in evidence.families}
    for name, estimate, _ in in_families(evidence):
        together = replace(estimate, low=estimate.band_low, high=estimate.band_high, level=level[name])
        found.append(Numbered("family", name, True, together))
    return {str(address_of(evidence, one.role, one.name, one.same, one.estimate)): one for one in found}


def resolve(outcomes: Sequence[Evidence], address: Address) -> tuple[Evidence, Numbered | None]:
    """The outcome and the number of an address; None where the outcome has no number at all.

    Raises
    ------
    UsageError
        ``ADDRESS-002`` it is of another study than this bundle, ``ADDRESS-003`` of another lock, ``ADDRESS-004`` of
        another look; ``ADDRESS-005`` the study has no such outcome; ``ADDRESS-006`` nor such a number.
    """
    _same_place(outcomes[0], address)
    known = {evidence.indicator: evidence for evidence in outcomes}
    if address.outcome not in known:
        message = f"the study has no outcome {address.outcome}"
        raise UsageError(Problem("ADDRESS-005", message, f"it has: {', '.join(known)}"))
    evidence = known[address.outcome]
    if evidence.sealed:
        return evidence, None
    found = numbers(evidence)
    if str(address) not in found:
        names = [one.partition("#")[2] for one in found]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        hint = f"it has: {', '.join(names[:_SHOWN])}{more}; the column address of tidy.csv has all"
        raise UsageError(Problem("ADDRESS-006", f"there is no number {str(address).partition('#')[2]}", hint))
    return evidence, found[str(address)]


def _same_place(first: Evidence, address: Address) -> None:
    own, asked = place_of(first), address.place
    if asked.study != own.study:
        message = f"this address is of the study {asked.study}, and the bundle of {own.study}"
        raise UsageError(Problem("ADDRESS-002", message, "Give the bundle of that study."))
    if asked.lock != own.lock:
        message = f"this address is of {_lock(asked)}, and the bundle of {_lock(own)}"
        earlier = [made for made in first.standing.amendments if made.lock8 == asked.lock]
        changed = f" That lock was changed on {earlier[0].at[:10]}: {earlier[0].why}." if earlier else ""
        raise UsageError(Problem("ADDRESS-003", message, f"Give the bundle of that lock.{changed}"))
    if asked.look != own.look:
        message = f"this address is of look {asked.look}, and the bundle of look {own.look}"
        raise UsageError(
            Problem("ADDRESS-004", message, "Give the bundle of that look: old numbers stay as they were.")
        )


def _lock(place: Place) -> str:
    locked = not place.lock.startswith("unlocked-")
    return f"lock {place.lock}" if locked else f"a design that was not locked ({place.lock})"


# --- the citation -----------------------------------------------------------------------------------------------------


def cite(address: str, bundle: Path, *, study: Path | None = None, language: str = "nl") -> Citation:
    """The citation of a number in a bundle.

    Parameters
    ----------
    address : str
        As the report and the column ``address`` have it.
    bundle : Path
        ``bundle.zip`` or the folder that ``run`` wrote.
    study : Path, optional
        The study, for what was withdrawn later; by default the folder of that name in ``studies``, where there is one.
    language : str
        ``nl`` or ``en``.

    Raises
    ------
    UsageError
        ``ADDRESS-001`` to ``ADDRESS-006``; ``CITE-002`` there is no ledger beside the study that is named.
    DataError
        As `opened`; ``CITE-001`` the bundle does not hold together.
    """
    asked = read_address(address)
    contents, outcomes = opened(bundle)
    if collection_in(contents.files["results.json"], str(bundle)) is not None:
        from impact.study.collection_cite import cite_in_collection

        return cite_in_collection(asked, contents, outcomes, study, language)
    return cite_from(asked, contents, outcomes, study, language)


def cite_from(
    asked: Address, contents: Contents, outcomes: Sequence[Evidence], study: Path | None, language: str
) -> Citation:
    """The citation of a number in the files of a bundle; see `cite`."""
    say, bundle = texts(language), contents.path
    evidence, found = resolve([in_words(one, language) for one in outcomes], asked)
    manifest = read_manifest(contents)
    check_whole((unchanged(contents, manifest), fixed(contents, manifest, outcomes)), str(bundle))
    evidence = signed_beside(evidence, study or _STUDIES / evidence.study)
    said = cited(evidence, found, language)
    own = parsed_log(contents.files[LEDGER], LEDGER) if LEDGER in contents.files else Log()
    later, notes = later_than(evidence, own, study, say)
    withdrawn = tuple(withdrawal(entry, say) for entry in withdrawals((own, later), asked))
    if later.entries and not withdrawn:
        notes = [*notes, say("citation.no_withdrawal")]
    digest = say("citation.digest", **digest_of(contents))
    name = plain(in_language(evidence.title, language))
    reference = Reference(
        address=str(asked),
        title=say("citation.retracted", title=name) if withdrawn else name,
        authors=say("citation.authors", study=evidence.study),
        version=version_of(evidence, primary_address(evidence).place, say),
        kind=say("citation.kind"),
        date=_date(own, evidence),
        undated=say("citation.undated"),
        digest="sha256 ({file}): {sha256}".format(**digest_of(contents)),
        statement=" ".join([*withdrawn, f"{said.title}.", *said.sentences]),
        language=language,
        withdrawn=bool(withdrawn),
    )
    return Citation(asked, said, reference, withdrawn, tuple(notes), digest, language)


def withdrawn(
    ledger: bytes, study: Path, evidence: Evidence, address: Address, language: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """That a number was withdrawn, by the ledger in a bundle or the one beside its study, and what is wrong with the
    latter; the study is a folder, or the file of a collection."""
    say = texts(language)
    own = parsed_log(ledger, LEDGER)
    there = study / LOG if study.is_dir() else beside(study)[1]
    later, notes = later_than(evidence, own, study, say) if there.is_file() else (Log(), [])
    found = withdrawals((own, later), address)
    return tuple(withdrawal(entry, say) for entry in found), tuple(notes)


def check_whole(levels: Sequence[Level], bundle: str) -> None:
    """Refuse what was changed: a citation gives weight to a number."""
    say = texts("en")
    wrong = [said(say) for level in levels if level.verdict == "no" for said in level.differences]
    if wrong:
        message = f"the bundle does not hold together, and is not cited: {'; '.join(wrong[:_SHOWN])}"
        raise DataError(Problem("CITE-001", message, "`impact verify` says all that is wrong.", bundle))


def later_than(evidence: Evidence, own: Log, study: Path | None, say: Texts) -> tuple[Log, list[str]]:
    """The ledger beside the study, and what there is to say of it; an empty one where it is not there."""
    place = study or _STUDIES / evidence.study
    file = place / LOG if place.is_dir() else beside(place)[1]
    if not file.is_file():
        if study is not None:
            raise UsageError(Problem("CITE-002", "there is no ledger beside this study", "", str(study)))
        return Log(), [say("citation.later")]
    try:
        found = read_log(file)
    except DataError as error:
        return Log(), [say("citation.broken_ledger", why=error.problems[0].message), say("citation.later")]
    continues = found.upto(len(own.entries)).head == own.head
    return found, [] if continues else [say("citation.other_ledger")]


def withdrawal(entry: Entry, say: Texts) -> str:
    details: Mapping[str, Any] = entry.details
    said = say("citation.withdrawn", date=entry.at[:10], why=str(details.get("why", "")).rstrip("."))
    by = str(details.get("superseded_by", ""))
    return f"{said} {say('citation.superseded', address=by)}" if by else said


def digest_of(contents: Contents) -> dict[str, str]:
    """Which file stands for all of the bundle, and its digest."""
    if contents.archive is not None:
        return {"file": ARCHIVE, "sha256": contents.sha256}
    return {"file": MANIFEST, "sha256": hashlib.sha256(contents.files[MANIFEST]).hexdigest()}


def version_of(evidence: Evidence, place: Place, say: Texts) -> str:
    """How far a result was fixed, by which lock, and at which look; `place` is that of the study or its collection."""
    locked = not place.lock.startswith("unlocked-")
    lock = say("citation.locked", lock=place.lock) if locked else say("citation.unlocked", spec=place.lock[-8:])
    return say("citation.version", status=_status(evidence, say), lock=lock, look=str(place.look))


def _status(evidence: Evidence, say: Texts) -> str:
    return say(f"citation.status.{evidence.status}").partition(": ")[2].rstrip(".")


def _date(log: Log, evidence: Evidence) -> tuple[int, ...]:
    """The day of the run by the ledger in the bundle; empty where it has none."""
    ran = [entry for entry in log.of("ran") if entry.spec_sha256 == evidence.spec_sha256]
    looked = [entry for entry in ran if entry.details.get("look", 1) == evidence.standing.look]
    return tuple(int(part) for part in looked[-1].at[:10].split("-")) if looked else ()
