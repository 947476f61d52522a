"""The bundle: everything a reader, a notebook or a later check needs, in one folder, identical on every machine."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from impact.errors import DataError, Problem, Refused, UsageError
from impact.evidence.collected import Collected
from impact.evidence.conclusion import concluded
from impact.evidence.language import texts
from impact.evidence.record import Evidence
from impact.evidence.translation import OTHERS, in_words
from impact.files import folder, parse_json, read_bytes, write, zipped
from impact.harmless import as_cell, as_csv
from impact.plotted import EstimatePlots, Plotted
from impact.study.aggregates import aggregates
from impact.study.bundle_place import ARCHIVE, MANIFEST, check_place, own_files
from impact.study.crate import citation, crate
from impact.study.dictionary import dictionary
from impact.study.tidy import MADE_OF, made_of, tables, tidy
from impact.workbook import workbook

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ARCHIVE",
    "MANIFEST",
    "Bundle",
    "as_json",
    "check_place",
    "collection_in",
    "contents",
    "own_files",
    "parsed",
    "read_bundle",
    "results_json",
    "write_bundle",
]

_NOTHING: Mapping[str, bytes] = MappingProxyType({})

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PAGE = re.compile(rf"report(-{_SLUG.pattern})?\.html")


@dataclass(frozen=True, slots=True)
class Bundle(Plotted):
    """A bundle on disk.

    Attributes
    ----------
    path : Path
        The folder.
    outcomes : tuple of Evidence
        One per outcome of the study, the headline first; of a collection those of all its studies.
    notes : tuple of str
        What went otherwise while it was made, such as a ledger that could not be written.
    collected : Collected or None
        Of a collection: its table, and how far it was fixed beforehand.
    """

    path: Path
    outcomes: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()
    collected: Collected | None = None

    _language: ClassVar[str] = "nl"

    @property
    def findings(self) -> int:
        """Checks not met and refusals over all outcomes."""
        return sum(evidence.findings for evidence in self.outcomes)

    def tidy(self) -> pd.DataFrame:
        """Every estimate of the study as one row."""
        return tidy(self.outcomes)

    def summary(self, language: str = "nl") -> str:
        """For every outcome its name, and its `sentences`."""
        lines: list[str] = []
        for number, evidence in enumerate(self.outcomes):
            names = in_words(evidence, language).outcome
            lines += [names.get(language, names["nl"]), *(f"  {one}" for one in self.sentences(number, language))]
        return "\n".join([*lines, *self.notes])

    def overview(self, language: str = "nl") -> pd.DataFrame:
        """The table of a collection as its page shows it, in words; of a study there is none, and no row.

        A row per indicator of the programme, studied or not, with what may be said of it or why there is nothing.
        """
        import pandas as pd

        from impact.evidence.collection_page import collection_table
        from impact.evidence.reading import plain

        if self.collected is None:
            return pd.DataFrame()
        table = collection_table(self.outcomes, self.collected, texts(language, "collection"))
        rows = [[plain(cell) for cell in row] for row in table.rows]
        return pd.DataFrame(rows, columns=[column.title for column in table.columns])

    @property
    def plot(self) -> EstimatePlots | Refused:
        """The figure of the answers of its outcomes; a sealed outcome has none. Those of a report: `figure`."""
        table = self.tidy()
        answers = table[table["role"] == "primary"].rename(columns={"name": "answer"})
        return EstimatePlots(answers) if len(answers) else super(Bundle, self).plot

    def sentences(self, outcome: int = 0, language: str = "nl") -> tuple[str, ...]:
        """Status, with the number of areas, and result of an outcome, in the words of its report.

        Parameters
        ----------
        outcome : int
            Position in `outcomes`.
        language : str
            A language that has the texts of a report.
        """
        from impact.evidence.document import Paragraph
        from impact.evidence.reading import plain
        from impact.evidence.report import document

        page = document(self.outcomes[outcome], {}, language)
        said = (block.pieces for block in page.result.blocks if isinstance(block, Paragraph))
        return (page.status, *(plain(piece) for pieces in said for piece in pieces))

    def report(self, form: str = "html", language: str = "nl", outcome: int | None = None) -> bytes:
        """The report of an outcome in a form, made from the results alone; without one of the headline.

        For the bundle of a collection: without an outcome that of the collection.

        Parameters
        ----------
        form : str
            ``html``, ``docx``, ``latex`` (the tables), ``xlsx`` (the tables) or ``text``.
        language : str
            ``nl`` or ``en``.
        outcome : int, optional
            Position in `outcomes`.

        Raises
        ------
        UsageError
            ``USAGE-050`` there is no such form; ``TEXT-001`` nor such a language; ``USAGE-040`` without python-docx.
        """
        from impact.study.reports import one_report

        return one_report(self.outcomes, form, language, outcome, self.collected)

    def figure(self, name: str, outcome: int = 0, language: str = "nl") -> str:
        """The SVG of a figure of an outcome as its report shows it: such as ``flow``, ``map`` or ``gap``.

        Those in Dutch stand in the bundle; in another language they are drawn from its results.

        Raises
        ------
        UsageError
            ``BUNDLE-003`` when the bundle has no such figure: nothing to show, or a sealed outcome.
        """
        from impact.study.render import figure

        place = self.path / "figures"
        file = place / figure(outcome, self.outcomes[outcome].indicator, name)
        if language != "nl":
            from impact.evidence.plots import figures

            drawn = figures(self.outcomes[outcome], language)
            if name in drawn:
                return drawn[name]
        if not file.is_file():
            known = ", ".join(sorted(found.stem for found in place.glob("*.svg"))) or "none"
            raise UsageError(Problem("BUNDLE-003", f"the bundle has no figure {name!r}", f"it has: {known}", str(file)))
        return file.read_text(encoding="utf-8")


def write_bundle(
    path: Path,
    outcomes: Sequence[Evidence],
    pages: Mapping[str, str],
    figures: Mapping[str, str],
    versions: Mapping[str, str],
    beside: Mapping[str, bytes] = _NOTHING,
) -> Bundle:
    """Write the bundle into `path`, with ``bundle.zip`` of all other files; the old one stands until the new is whole.

    Parameters
    ----------
    path : Path
        The folder of the bundle.
    outcomes : sequence of Evidence
        One per outcome, the headline first.
    pages, figures : mapping of file name to text
        HTML pages and SVG figures.
    versions : mapping
        Of Python and the packages that computed.
    beside : mapping of file name to bytes
        What goes along as it is: the study with its lock and ledger, the environment, inputs that may be shared, and
        what was decided of what may leave.

    Raises
    ------
    WriteError
        ``WRITE-001`` the file system refuses; ``WRITE-002`` the folder holds something else than a bundle.
    """
    check_place(path)
    files = contents(outcomes, pages, figures, versions, beside)
    with folder(path) as place:
        for name, content in files.items():
            write(place / name, content)
        write(place / ARCHIVE, zipped(files))
    return Bundle(path, tuple(outcomes))


def contents(
    outcomes: Sequence[Evidence],
    pages: Mapping[str, str],
    figures: Mapping[str, str],
    versions: Mapping[str, str],
    beside: Mapping[str, bytes] = _NOTHING,
) -> dict[str, bytes]:
    """Every file of the bundle by its name, the manifest of all others last; parameters as in `write_bundle`."""
    first, table, parquet = outcomes[0], tidy(outcomes), io.BytesIO()
    table.to_parquet(parquet, index=False)
    files = {
        "results.json": results_json(outcomes),
        "aggregates.csv": aggregates(outcomes),
        "tidy.csv": table.map(as_cell).to_csv(index=False, lineterminator="\n").encode("utf-8"),
        "tidy.parquet": parquet.getvalue(),
        "tables.xlsx": workbook(tables(outcomes)),
        **{name: text.encode("utf-8") for name, text in pages.items()},
        **{f"figures/{name}": svg.encode("utf-8") for name, svg in figures.items()},
        **beside,
    }
    if made := made_of(outcomes):
        files["made_of.csv"] = as_csv([MADE_OF, *made]).encode("utf-8")
    files |= dictionary(files)
    files["CITATION.cff"] = citation(first)
    files["ro-crate-metadata.json"] = as_json(crate(first, files, versions))
    inputs = {(data.role, data.file): data.sha256 for evidence in outcomes for data in evidence.data}
    manifest = {
        "schema": 1,
        "study": first.study,
        "status": first.status,
        "disclosure": "not checked" if first.disclosed is None else first.disclosed.profile,
        "seed": first.seed,
        "spec_sha256": first.spec_sha256,
        "inputs": [{"role": role, "file": file, "sha256": value} for (role, file), value in sorted(inputs.items())],
        "outputs": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
        "versions": dict(sorted(versions.items())),
    }
    return files | {MANIFEST: as_json(manifest)}


def results_json(outcomes: Sequence[Evidence], collected: Collected | None = None) -> bytes:
    """The bytes of ``results.json``, which `parsed` reads back; with what there is to say of a collection."""
    said = [_plain(asdict(evidence)) for evidence in outcomes]
    if collected is None:
        return as_json({"schema": 1, "study": outcomes[0].study, "outcomes": said})
    return as_json({"schema": 1, "study": collected.id, "collection": asdict(collected), "outcomes": said})


def read_bundle(path: Path) -> Bundle:
    """The bundle in the folder `path`.

    Raises
    ------
    DataError
        ``BUNDLE-001`` no bundle there, ``BUNDLE-002`` its results cannot be read.
    """
    file = path / "results.json"
    if not file.is_file():
        hint = "give the folder that run printed"
        raise DataError(Problem("BUNDLE-001", "there is no bundle here: results.json is missing", hint, str(file)))
    try:
        content = read_bytes(file)
    except (OSError, ValueError) as error:
        why = f"results.json cannot be read: {error}"
        raise DataError(Problem("BUNDLE-002", why, "run the study again", str(file))) from error
    return Bundle(path, parsed(content, str(file)), collected=collection_in(content, str(file)))


def parsed(results: bytes, file: str) -> tuple[Evidence, ...]:
    """The outcomes in the bytes of ``results.json``.

    Raises
    ------
    DataError
        ``BUNDLE-002``.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        outcomes = TypeAdapter(tuple[Evidence, ...]).validate_python(_tuples(parse_json(results)["outcomes"]))
        if not outcomes:
            raise ValueError("it holds no outcome")
        _check_names(outcomes)
        for evidence in outcomes:
            concluded(evidence)  # ValueError for an interval that is crossed, and for a bound that is none
        given = {language for evidence in outcomes for language in evidence.translations}
        if strange := given - {*OTHERS}:
            raise ValueError(f"it has texts in {min(strange)[:80]!r}, which is no language of a report")
        for language in given:
            _check_names([in_words(evidence, language) for evidence in outcomes])
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise DataError(_unread(error, file)) from error
    return outcomes


def collection_in(results: bytes, file: str) -> Collected | None:
    """What the bytes of ``results.json`` say of a collection; None of a study.

    Raises
    ------
    DataError
        ``BUNDLE-002``.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        said = parse_json(results).get("collection")
        found = None if said is None else TypeAdapter(Collected).validate_python(_tuples(said))
        if found is not None and not all(map(_SLUG.fullmatch, (found.id, *(slug for slug, _ in found.studies)))):
            raise ValueError("a study or the collection has no short name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise DataError(_unread(error, file)) from error
    return found


def _unread(error: Exception, file: str) -> Problem:
    why = f"results.json cannot be read: {str(error).splitlines()[0]}"
    return Problem("BUNDLE-002", why, "run the study again", file)


def _plain(value: Any) -> Any:
    """Values without what an estimate rests on, which has a table of its own."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if name != "basis"}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _check_names(outcomes: Sequence[Evidence]) -> None:
    """ValueError for a name that would become another file, or a link to anything but a page of the bundle."""
    for evidence in outcomes:
        for name in (evidence.study, evidence.indicator):
            if not _SLUG.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no short name of a study or an outcome")
        for _, file in evidence.siblings:
            if not _PAGE.fullmatch(file):
                raise ValueError(f"{file[:80]!r} is no page of a bundle")


def _tuples(value: Any) -> Any:
    """JSON has lists where the values have tuples."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return value


def as_json(value: Any) -> bytes:
    """Readable JSON with sorted keys; nan and infinity are errors, never written."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("utf-8")
