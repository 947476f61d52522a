"""The reports of a bundle in a form and a language, made again from its results alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from impact.errors import Problem, UsageError
from impact.evidence.area_page import area_documents
from impact.evidence.collected import Collected, outcome_of
from impact.evidence.collection_page import LEVEL, collection_document
from impact.evidence.document import Document
from impact.evidence.forms import SUFFIXES, check_form, formed
from impact.evidence.language import texts
from impact.evidence.plots import figures
from impact.evidence.plots_collection import collection_figures
from impact.evidence.record import Evidence
from impact.evidence.report import document
from impact.evidence.svg import drawn_too
from impact.evidence.translation import page_in
from impact.study.bundle import own_files
from impact.study.render import LANGUAGES, page

__all__ = ["area_page", "check_target", "one_report", "place_of_reports", "reports"]


@dataclass(frozen=True, slots=True)
class _Page:
    """One report before any form: the name of its page, its parts and the PNG of its figures."""

    name: str
    document: Document
    pictures: Mapping[str, bytes]
    level: str


def reports(
    outcomes: Sequence[Evidence],
    form: str = "html",
    language: str = "nl",
    outcome: str = "all",
    area: str = "",
    collected: Collected | None = None,
) -> dict[str, bytes]:
    """The report of every outcome, or of one, by file name; ``report`` is about the headline outcome.

    That of a collection is one about all its studies.

    With an `area` its own page, in the same forms: ``gebied-delft-west``.

    Parameters
    ----------
    outcomes : sequence of Evidence
        Of a bundle, the headline first.
    form : str
        ``html``, ``docx``, ``latex`` (the tables), ``xlsx`` (the tables) or ``text``.
    language : str
        ``nl`` or ``en``.
    outcome : str
        Its indicator, or ``all``.
    area : str
        Short name of an area, or ``all`` for a page of each.
    collected : Collected, optional
        What the bundle of a collection says of it.

    Raises
    ------
    UsageError
        ``USAGE-050`` there is no such form; ``USAGE-051`` nor such an outcome; ``AREA-001`` nor such an area;
        ``TEXT-001`` nor such a language.
    """
    check_form(form)
    texts(language)
    if area:
        made = {}
        for number, evidence in _chosen(outcomes, outcome):
            place = number + (collected is not None)
            for slug, document in area_documents(evidence, area, language).items():
                name = page_in(area_page(slug, place, evidence.indicator), language).removesuffix(".html")
                made[name + SUFFIXES[form]] = formed(document, form, texts(language, evidence.level), {})
        return made
    if collected is not None and outcome == "all":
        found = [_collection(outcomes, collected, form, language)]
    else:
        found = list(_pages(_chosen(outcomes, outcome), form, language, alone=collected is None))
    return {f"{one.name}{SUFFIXES[form]}": _formed(one, form, language) for one in found}


def area_page(slug: str, number: int, indicator: str) -> str:
    """File of the Dutch page of an area about the outcome with this number."""
    return f"gebied-{slug}{f'-{indicator}' if number else ''}.html"


def one_report(
    outcomes: Sequence[Evidence], form: str, language: str, outcome: int | None, collected: Collected | None = None
) -> bytes:
    """The report of the outcome at a position; without one that of the headline, or of the collection."""
    check_form(form)
    texts(language)
    if collected is not None and outcome is None:
        found = _collection(outcomes, collected, form, language)
    else:
        (found,) = _pages([(outcome or 0, outcomes[outcome or 0])], form, language, alone=collected is None)
    return _formed(found, form, language)


def place_of_reports(bundle: Path, study: str, names: Collection[str]) -> Path:
    """The bundle where all `names` are files of it, else a folder beside it: a file too many would undo the bundle."""
    inside = bundle if bundle.is_dir() else bundle.parent
    if bundle.is_dir() and own_files(bundle).issuperset(names):
        return bundle
    beside = inside.resolve().parent if (inside / "results.json").is_file() else inside
    return beside / f"{study}-report"


def check_target(bundle: Path, target: Path, content: bytes) -> None:
    """Refuse what would undo the bundle that it came to stand in, or a docx that somebody wrote in.

    Into a folder of a bundle come only pages of its own.

    Raises
    ------
    UsageError
        ``USAGE-053``, ``USAGE-042``.
    """
    place = target.resolve()
    inside = next((folder for folder in place.parents if own_files(folder)), None)
    if inside is not None:
        name = place.relative_to(inside).as_posix()
        if inside != bundle.resolve() or name not in own_files(inside):
            message = f"{name} would stand in a bundle, which would no longer be what its manifest says"
            raise UsageError(Problem("USAGE-053", message, "Name another folder with --out.", str(target)))
    if target.suffix == ".docx" and target.exists() and not (target.is_file() and target.read_bytes() == content):
        hint = "Give another name with --out: somebody may have written in this one."
        raise UsageError(Problem("USAGE-042", "something else stands there already.", hint, str(target)))


def _chosen(outcomes: Sequence[Evidence], outcome: str) -> list[tuple[int, Evidence]]:
    numbered = list(enumerate(outcomes))
    if outcome == "all":
        return numbered
    found = [(number, evidence) for number, evidence in numbered if evidence.indicator == outcome]
    if not found:
        known = f"it has: {', '.join(evidence.indicator for evidence in outcomes)}; or say all"
        raise UsageError(Problem("USAGE-051", f"the bundle has no outcome '{outcome}'", known))
    return found


def _pages(outcomes: Sequence[tuple[int, Evidence]], form: str, language: str, *, alone: bool) -> Iterator[_Page]:
    """Of outcomes of one study, or each of its own study in a collection."""
    for number, evidence in outcomes:
        with _drawing(form) as pictures:
            drawn = figures(evidence, language)
        place = number if alone else 1
        file, other = (page(place, evidence.indicator, one) for one in (language, _other(language)))
        parts = document(evidence, drawn, language, other)
        yield _Page(file.removesuffix(".html"), parts, pictures, evidence.level)


def _collection(outcomes: Sequence[Evidence], collected: Collected, form: str, language: str) -> _Page:
    ordered = [outcome_of(outcomes, row) for row in collected.rows]
    with _drawing(form) as pictures:
        drawn = collection_figures([one for one in ordered if one is not None], language)
    file, other = (page_in("report.html", one) for one in (language, _other(language)))
    both = _other(language) in collected.languages
    parts = collection_document(outcomes, collected, drawn, language, other if both else "")
    return _Page(file.removesuffix(".html"), parts, pictures, LEVEL)


def _drawing(form: str) -> AbstractContextManager[dict[str, bytes]]:
    """Where pictures are made too, for the form that takes no drawings."""
    return drawn_too() if form == "docx" else nullcontext({})


def _other(language: str) -> str:
    """The language of the page that a page leads to."""
    return next(one for one in LANGUAGES if one != language)


def _formed(one: _Page, form: str, language: str) -> bytes:
    return formed(one.document, form, texts(language, one.level), one.pictures)
