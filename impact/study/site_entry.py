"""A bundle as it comes into a site: its pages, made again from its results, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from impact.evidence.addresses import place_of, primary_address
from impact.evidence.area_page import ALL
from impact.evidence.collected import Collected
from impact.evidence.document import Cell
from impact.evidence.language import Texts, texts
from impact.evidence.record import Evidence
from impact.evidence.site import Listed
from impact.evidence.translation import page_in
from impact.study.archive import Contents
from impact.study.bundle import ARCHIVE, collection_in, parsed
from impact.study.citing import withdrawn
from impact.study.collection import file_in
from impact.study.collection_life import FILES
from impact.study.collection_verify import study_contents
from impact.study.crate import LEDGER
from impact.study.render import LANGUAGES, collection_pages, page, pages
from impact.study.reports import area_page, reports
from impact.study.verification import Verification

__all__ = ["BUNDLES", "RESULTS", "entry"]

BUNDLES: Final = "bundels"
RESULTS: Final = "results.json"
_COLLECTION_LEDGER: Final = FILES[2]
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class _Part:
    """The bundle of one study; in a collection it has a folder of its own."""

    folder: str
    contents: Contents
    outcomes: tuple[Evidence, ...]


def entry(
    contents: Contents, where: str, found: Verification, digest: str, studies: Path, taken: Container[str]
) -> tuple[Listed, dict[str, bytes]]:
    """What is said of a bundle that was verified, and its pages by their names in its folder.

    Parameters
    ----------
    contents : Contents
        Its files.
    where : str
        Its place, for messages.
    found : Verification
        What verifying it came to.
    digest : str
        Of its zip.
    studies : Path
        Folder of studies, with ledgers that may have gone on.
    taken : container of str
        Names of other bundles.

    Raises
    ------
    DataError
        ``BUNDLE-002``.
    """
    outcomes = parsed(contents.files[RESULTS], where)
    collected = collection_in(contents.files[RESULTS], where)
    parts = list(_parts(contents, outcomes, collected, where))
    place = place_of(outcomes[0]) if collected is None else collected.place
    name = "-".join(re.findall(r"[a-z0-9]+", str(place)))[:_LONGEST]
    if name in taken:
        name = f"{name}-{digest[:8]}"
    root = f"{BUNDLES}/{name}"
    made = {f"{part.folder}{file}": content for part in parts for file, content in _pages(part).items()}
    gone, notes = _gone(contents, parts, collected, studies)
    one = Listed(
        name,
        tuple(evidence for part in parts for evidence in part.outcomes),
        tuple(f"{root}/{part.folder}{page(n, one.indicator)}" for part in parts for n, one in enumerate(part.outcomes)),
        f"{root}/{ARCHIVE}",
        digest,
        {language: (*_said(found, texts(language)), *notes[language]) for language in LANGUAGES},
        gone,
        [areas for part in parts for areas in _areas(part, root)],
        tuple(str(_address(evidence, collected)) for part in parts for evidence in part.outcomes),
    )
    if collected is None:
        return one, made
    made |= {file: text.encode("utf-8") for file, text in collection_pages(outcomes, collected)[0].items()}
    front = {language: f"{root}/{page_in('report.html', language)}" for language in collected.languages}
    return replace(one, title=collected.title, front=front), made


def _parts(
    contents: Contents, outcomes: tuple[Evidence, ...], collected: Collected | None, where: str
) -> Iterator[_Part]:
    if collected is None:
        yield _Part("", contents, outcomes)
        return
    for slug, _ in collected.studies:
        part = study_contents(contents, slug)
        yield _Part(f"{slug}/", part, parsed(part.files[RESULTS], f"{where}/{slug}"))


def _pages(part: _Part) -> dict[str, bytes]:
    made = {file: text.encode("utf-8") for file, text in pages(part.outcomes)[0].items()}
    for language in LANGUAGES:
        made |= reports(part.outcomes, language=language, area=ALL)
    return made


def _areas(part: _Part, root: str) -> Iterator[Mapping[str, str]]:
    for number, evidence in enumerate(part.outcomes):
        yield {
            area.slug: f"{root}/{part.folder}{area_page(area.slug, number, evidence.indicator)}"
            for area in evidence.areas
        }


def _address(evidence: Evidence, collected: Collected | None) -> object:
    own = primary_address(evidence)
    return own if collected is None else replace(own, place=collected.place)


def _gone(
    contents: Contents, parts: list[_Part], collected: Collected | None, studies: Path
) -> tuple[list[dict[str, tuple[Cell, ...]]], dict[str, tuple[str, ...]]]:
    """Of each outcome that it was withdrawn, by its own study or by the collection; and what is wrong with ledgers."""
    gone: list[dict[str, tuple[Cell, ...]]] = []
    notes: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    file = None if collected is None else file_in(studies, collected.id)
    beside = studies if file is None else file.parent
    for part in parts:
        for evidence in part.outcomes:
            said: dict[str, tuple[Cell, ...]] = {}
            for language in LANGUAGES:
                ledger = part.contents.files.get(LEDGER, b"")
                address = primary_address(evidence)
                found, wrong = withdrawn(ledger, beside / evidence.study, evidence, address, language)
                if collected is not None:
                    ledger, there = contents.files.get(_COLLECTION_LEDGER, b""), file or studies / collected.id
                    address = replace(address, place=collected.place)
                    more, other = withdrawn(ledger, there, evidence, address, language)
                    found, wrong = (*found, *more), (*wrong, *other)
                said[language] = found
                notes[language] += wrong
            gone.append(said)
    return gone, {language: tuple(dict.fromkeys(wrong)) for language, wrong in notes.items()}


def _said(found: Verification, say: Texts) -> Iterator[str]:
    """Each level in words, with what it is not about."""
    for level in found.levels:
        title = say(f"verification.title.{level.name}")
        yield " ".join([f"{title}: {level.sentence(say)}", *(f"{one(say).rstrip('.')}." for one in level.unchecked)])
