"""Run a collection: every study as its own bundle, its outcomes judged together, and one table over all of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from impact.errors import DataError, Problem, SpecError, raise_all
from impact.evidence.collected import Collected, Row, families_of
from impact.evidence.family import Family, Member
from impact.evidence.record import Evidence
from impact.evidence.standing import Standing
from impact.files import check_folder, folder, write, zipped
from impact.harmless import as_cell
from impact.parallel import Progress, one_thread
from impact.register.indicators import Indicator, indicators
from impact.streams import Streams
from impact.study.bundle import ARCHIVE, MANIFEST, Bundle, as_json, contents, results_json
from impact.study.collection import Collection
from impact.study.collection_life import locks_of, ran, stand
from impact.study.dictionary import dictionary
from impact.study.looks import family_level
from impact.study.model import Outcome, Specification
from impact.study.release import release
from impact.study.remarks import name_of
from impact.study.render import collection_pages, pages, versions
from impact.study.run import Answered, Made, answered, ended, in_steps
from impact.study.tidy import tables, tidy
from impact.study.together import Studied, families, studied
from impact.workbook import workbook

__all__ = ["collection_files", "rows_of", "run_collection"]


@one_thread()
def run_collection(
    collection: Collection,
    place: Path,
    *,
    data: Sequence[str | Path] = (),
    workers: int = 1,
    progress: Progress | None = None,
    look: int = 1,
    cache: str | Path | None = None,
    since: str = "",
) -> Bundle:
    """Run every study of `collection` and write one bundle into `place`; see ``run``.

    Nothing is estimated before the data of all studies hold together, and nothing of any study is written before all
    are done: the bundle that stood there stands until the new one is whole.

    Raises
    ------
    SpecError, DataError, UsageError, WriteError
        With what is wrong in any of the studies at once; nothing is written then.
    """
    before, stands = stand(collection, look)
    steps = {
        study.model.id: in_steps(
            study, place, data=data, workers=workers, progress=progress, look=look, cache=cache, since=since
        )
        for study in collection.studies
    }
    problems: list[Problem] = []
    for slug, one in steps.items():
        try:
            next(one)
        except (SpecError, DataError) as error:
            problems += [replace(found, message=f"in the study {slug!r}: {found.message}") for found in error.problems]
    raise_all(problems, DataError)
    found = {slug: answered(one) for slug, one in steps.items()}
    judged = _together(collection, found)
    made = {slug: ended(one, judged) for slug, one in steps.items()}
    made = _as_told(made, collection.model.id)
    value = _collected(collection, stands)
    check_folder(place)
    after = ran(collection, before, look, max((one.until for one in made.values()), default=""))
    files = {
        f"{slug}/{name}": content
        for slug, one in made.items()
        for name, content in contents(one.outcomes, one.pages, one.figures, versions(), one.beside).items()
    }
    outcomes = [evidence for one in made.values() for evidence in one.outcomes]
    files |= collection_files(outcomes, value, versions(), {**files, **after.files})
    with folder(place) as temporary:
        for name, content in files.items():
            write(temporary / name, content)
        write(temporary / ARCHIVE, zipped(files))
    notes = tuple(f"{slug}: {note}" for slug, one in made.items() for note in one.notes)
    return Bundle(place, tuple(outcomes), (*after.notes, *notes), value)


def collection_files(
    outcomes: Sequence[Evidence], value: Collected, versions: Mapping[str, str], beside: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of the collection itself, by name, the manifest of all last.

    Parameters
    ----------
    outcomes : sequence of Evidence
        Of all studies.
    value : Collected
        What there is to say of the collection.
    versions : mapping
        Of Python and the packages that computed.
    beside : mapping of file name to bytes
        The bundles of the studies, and the specification, lock and ledger of the collection.
    """
    table, parquet = tidy(outcomes), io.BytesIO()
    table.to_parquet(parquet, index=False)
    html, figures = collection_pages(outcomes, value)
    files = {
        **beside,
        "results.json": results_json(outcomes, value),
        "tidy.csv": table.map(as_cell).to_csv(index=False, lineterminator="\n").encode("utf-8"),
        "tidy.parquet": parquet.getvalue(),
        "tables.xlsx": workbook(tables(outcomes)),
        **{name: text.encode("utf-8") for name, text in html.items()},
        **{f"figures/{name}": svg.encode("utf-8") for name, svg in figures.items()},
    }
    files |= dictionary(files)
    meant = {evidence.study: evidence.spec_sha256 for evidence in outcomes}
    profiles = {"not checked" if one.disclosed is None else one.disclosed.profile for one in outcomes}
    manifest: dict[str, Any] = {
        "schema": 1,
        "study": value.id,
        "collection": True,
        "status": value.standing.status,
        "disclosure": "; ".join(sorted(profiles)),
        "seed": value.seed,
        "spec_sha256": value.spec_sha256,
        "inputs": [{"role": "study", "file": study, "sha256": meant[study]} for study in sorted(meant)],
        "outputs": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
        "versions": dict(sorted(versions.items())),
    }
    return files | {MANIFEST: as_json(manifest)}


# --- judged together --------------------------------------------------------------------------------------------------


def _together(collection: Collection, found: Mapping[str, Answered]) -> tuple[Family, ...]:
    """The families over all studies; none where the collection names none."""
    model = collection.model
    if model.correction is None:
        return ()
    correction = family_level(model.correction, [look for one in found.values() for look in one.looks])
    by: dict[str, Studied | Member] = {known.slug: _absent(collection, known) for known in indicators()}
    for one in found.values():
        by |= {own.asked.indicator: own for own in studied(one.spec, one.cases, one.answers)}
    return families(model.families, correction, by, Streams(model.seed))


def _absent(collection: Collection, known: Indicator) -> Member:
    """A member without any number: no study is about it."""
    said = collection.model.not_studied.get(known.slug)
    unmeasured = bool(known.not_measurable) if said is None else said.statement == "not-measurable"
    name = {"nl": known.nl, "en": known.en}
    state = "not-measurable" if unmeasured else "not-studied"
    return Member(known.slug, name, known.slug, "average", known.unit, state)  # type: ignore[arg-type]


def _as_told(made: Mapping[str, Made], collection: str) -> dict[str, Made]:
    """Families with every number as its own study may show it; and who is in none is judged by itself."""
    told = {family.name: family for family in families_of([one for own in made.values() for one in own.outcomes])}
    out = {}
    for slug, own in made.items():
        outcomes = [
            replace(
                evidence,
                families=tuple(told[family.name] for family in evidence.families),
                belongs_to=collection if evidence.families else "",
            )
            for evidence in own.outcomes
        ]
        if outcomes != list(own.outcomes):
            html, figures = pages(outcomes)
            own = replace(
                own, outcomes=outcomes, pages=html, figures=figures, beside={**own.beside, **release(outcomes)}
            )
        out[slug] = own
    return out


# --- the rows of the table --------------------------------------------------------------------------------------------


def _collected(collection: Collection, stands: Standing) -> Collected:
    model = collection.model
    return Collected(
        id=model.id,
        title=model.title.languages(),
        rows=tuple(rows_of(collection)),
        spec_sha256=collection.sha256,
        seed=model.seed,
        standing=stands,
        studies=tuple(locks_of(collection).items()),
        languages=tuple(dict.fromkeys(model.table.languages)),
        whole=model.table.order == "programme",
    )


def rows_of(collection: Collection) -> Iterator[Row]:
    """Every row, in the order of the table."""
    about = {
        outcome.indicator: _studied(study.model, outcome)
        for study in collection.studies
        for outcome in study.model.all_outcomes
    }
    known = {found.slug: found for found in indicators()}
    said = collection.model.not_studied
    order = [*known] if collection.model.table.order == "programme" else []
    for slug in dict.fromkeys([*order, *about, *(one for one in known if one in said)]):
        yield about.get(slug) or _left_out(collection, known[slug])


def _studied(spec: Specification, outcome: Outcome) -> Row:
    known, unit = outcome.registered, outcome.measure.unit.languages()
    if known is not None and known.unit == unit["nl"]:
        unit.setdefault("en", known.unit_en)
    table = spec.data.outcomes
    return Row(
        None if known is None else known.number,
        outcome.indicator,
        name_of(outcome),
        unit,
        outcome.better,
        outcome.source_kind,
        table.source or PurePosixPath(table.file).name,
        spec.id,
    )


def _left_out(collection: Collection, known: Indicator) -> Row:
    said = collection.model.not_studied.get(known.slug)
    better = known.direction.value if known.direction.value in ("lower", "higher") else "neither"
    return Row(
        known.number,
        known.slug,
        {"nl": known.nl, "en": known.en},
        {"nl": known.unit, "en": known.unit_en},
        better,
        known.kind.value,
        statement="not-measurable" if said is None else said.statement,
        why={"nl": known.not_measurable, "en": known.not_measurable_en} if said is None else said.why.languages(),
        phrase={"nl": known.phrase, "en": known.phrase_en},
    )
