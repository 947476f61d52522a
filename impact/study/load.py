"""From the files of a study to arrays over regions and periods; every problem of every file at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from impact.arrays import Float1
from impact.design.unions import Unions
from impact.errors import DataError, Problem, raise_all
from impact.evidence.record import DataFile
from impact.register.areas import Member, areas
from impact.sources.contract import Column, Contract, Kind, listed
from impact.sources.convert import Converted
from impact.sources.frame import Note
from impact.sources.regions import Level, gemeente_or_blank
from impact.sources.rows import Long, read_long
from impact.sources.tables import Table, read_table
from impact.sources.values import CBS
from impact.study.arrival import awaited, carried, later, put_behind, to_come
from impact.study.borders import Borders, read_borders
from impact.study.built import at_level
from impact.study.crosswalks import Walks, in_division, read_walks
from impact.study.identity import read_reused
from impact.study.longs import picked
from impact.study.members import read_members
from impact.study.model import Outcome, Specification
from impact.study.named import Named, coded, read_names
from impact.study.national import apart, read_national
from impact.study.parts import Parts, read_parts
from impact.study.persons import Persons, read_persons
from impact.study.pools import read_pools
from impact.study.redrawn import redrawn
from impact.study.series import Series, provisional, read_series, unfit_figures
from impact.study.tables import File
from impact.study.units import Units, read_units

__all__ = ["Loaded", "load"]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All tables of a study over the same `n` regions and `T` periods.

    Attributes
    ----------
    regions, periods : tuple of str
        Sorted codes; labels in order.
    gemeente : (n,) tuple of str
        "" where it is unknown.
    series : tuple of Series
        One per outcome, in the order of the study.
    members : mapping of slug to tuple of Member
        From the study's own file.
    provisional : tuple of str
        Periods that are left out because their figures are provisional.
    pools : mapping of name to mapping of region to source
        From the study's own file.
    moved : mapping of indicator to tuple of Converted
        How the figures came to the division of the study, where they were in others.
    longs : tuple of Long
        The rows behind each of the series.
    redrawn : mapping of region to str
        Regions of which it is not established that their code names the same ground in every year, and why.
    base : Loaded or None
        The regions of the tables, where the units of the study are others.
    unions : Unions or None
        What those units are made of, where they are added up.
    borders : Borders or None
        Of the regions, when the study gives polygons.
    parts : Parts or None
        Of the regions, with their residents, when the study gives them.
    persons : Persons or None
        Who stayed, came and left, when the study gives them and outcomes may be opened.
    vouched : mapping of region to text
        Such regions that the study declares unchanged all the same, and what speaks against it.
    awaited, to_come : tuple of str
        Periods of which no outcome was opened: what stands in them is no outcome (see ``arrival``); and those of them
        that have not arrived.
    later : tuple of str
        Periods that later looks will see.
    national : mapping of indicator to (T,) float
        The whole country, where the table has it; nan where it has no figure.
    """

    regions: tuple[str, ...]
    periods: tuple[str, ...]
    gemeente: tuple[str, ...]
    units: Units
    series: tuple[Series, ...]
    files: tuple[DataFile, ...]
    notes: tuple[str, ...]
    members: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    provisional: tuple[str, ...] = ()
    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    moved: Mapping[str, tuple[Converted, ...]] = field(default_factory=dict)
    longs: tuple[Long, ...] = ()
    redrawn: Mapping[str, str] = field(default_factory=dict)
    base: Loaded | None = None
    unions: Unions | None = None
    borders: Borders | None = None
    parts: Parts | None = None
    persons: Persons | None = None
    vouched: Mapping[str, str] = field(default_factory=dict)
    awaited: tuple[str, ...] = ()
    to_come: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    national: Mapping[str, Float1] = field(default_factory=dict)


def load(spec: Specification, paths: Mapping[str, Path], *, design: bool = False) -> Loaded:
    """Read the files of `spec`; `paths` gives the place of each, as `read.locate` finds them.

    For a `design` outcomes that are sealed or still to arrive stay out, whether or not they are at hand.

    Raises
    ------
    DataError
        Every problem of every file: those of ``sources.contract``; ``DATA-114`` a period that never occurs;
        ``DATA-115`` counts that are not rounded as stated; ``DATA-117`` a file of members that cannot be; ``DATA-118``
        margins or respondents that cannot be; ``DATA-125`` a file of pools that cannot be; ``DATA-127`` a basis that
        the crosswalk does not have, ``DATA-128`` a year from which it does not lead to the division of the study;
        ``DATA-134`` too few periods left once provisional ones are out; ``DATA-156`` no row is about the country;
        ``MAP-002``, ``MAP-003`` and ``MAP-004`` polygons that cannot be; those of `built`.
    UsageError
        ``MAP-001`` where polygons are given and the optional ``spatial`` is not installed.
    """
    problems: list[Problem] = []
    tables: dict[str, Table | None] = {}
    country: list[Table] = []
    named = None if spec.data.names is None else read_names(paths["names"], spec.data.names.file, problems)
    for role, file in (("outcomes", spec.data.outcomes), ("units", spec.data.units)):
        if file is not None:
            found = _table(file, paths[role], problems)
            if found is not None and role == "outcomes":
                found = apart(found, spec.data.outcomes, country)
            if found is not None and named is not None and file.join == "name":
                found = coded(found, file, named, problems)
            tables[role] = found
    sealed = (
        None if design or "sealed" not in paths else _sealed(spec, paths["sealed"], named, tables, country, problems)
    )
    longs = [_outcome(spec, outcome, tables["outcomes"], problems) for outcome in spec.all_outcomes]
    units = read_units(spec, tables.get("units"), problems)
    members = None
    if spec.treatment.members is not None:
        slugs = tuple(area.slug for area in areas())
        chosen, vintage = spec.treatment.delineation, spec.data.vintage
        members = read_members(paths["members"], spec.treatment.members, slugs, vintage, problems, chosen)
    comparison, pools = spec.comparison, None
    if comparison.pools is not None:
        pools = read_pools(paths["pools"], comparison.pools, spec.data.vintage, problems)
    walks = None if spec.data.crosswalk is None else read_walks(paths["crosswalk"], spec, problems)
    signs = read_reused(spec, tables, problems)
    changed: tuple[dict[str, str], tuple[Note, ...]] = ({}, ())
    if (figures := tables.get("outcomes")) is not None:
        changed = redrawn(spec, figures, [long for long in longs if long is not None], problems)
    borders = None if spec.data.polygons is None else read_borders(paths["polygons"], spec, problems)
    drawn = spec.data.polygons
    parts = None if drawn is None or drawn.parts is None else read_parts(paths["parts"], spec, problems)
    persons, living = None, None if spec.composition is None else spec.composition.people
    if living is not None and not design and "people" in paths:
        persons = read_persons(paths["people"], living.file, problems)
    raise_all(dict.fromkeys(problems), DataError)
    read = [long for long in longs if long is not None]
    moved: dict[str, tuple[Converted, ...]] = {}
    if walks is not None:
        read, moved = _moved(spec, read, walks)
    away, coming, whole = awaited(spec, read, design=design), to_come(spec, read), read
    after = () if design else later(spec, read)
    if away:
        read = [carried(long, away, spec.labels) for long in read]
    labels = tuple(label for label in spec.labels if label not in after)
    _periods_there(spec, read, labels)
    periods, left = _periods(spec, read, labels)
    regions = tuple(
        sorted({str(region) for long in read for region in long.region} | (units.known if units else set()))
    )
    known = units or Units(frozenset(regions))
    table = spec.data.outcomes
    # A sum of parts of rounded counts is not off as one rounded count is.
    table = table if walks is None else table.model_copy(update={"rounded_to": None})
    series = tuple(
        read_series(outcome, long, table, regions, periods)
        for outcome, long in zip(spec.all_outcomes, read, strict=True)
    )
    if away:
        # What is said of the cells is said of those that there are.
        here = [label for label in periods if label not in away]
        there = [picked(long, np.isin(np.asarray(long.period, dtype=str), here)) for long in whole]
        series = tuple(
            replace(found, without=read_series(found.outcome, long, table, regions, periods).without)
            for found, long in zip(series, there, strict=True)
        )
    column = spec.data.units.columns.gemeente if spec.data.units is not None else None
    gemeente = known.label(column, regions) if column else tuple(gemeente_or_blank(region) for region in regions)
    files = [_file(role, getattr(spec.data, role), table) for role, table in tables.items() if table is not None]
    told = [*(note for long in read for note in long.notes), *changed[1]]
    notes = tuple(dict.fromkeys(_note(note.kind, note.column, note.count, note.text) for note in told))
    loaded = Loaded(regions, periods, gemeente, known, series, tuple(files), notes, provisional=left, moved=moved)
    odd = {
        region: "; ".join(filter(None, (changed[0].get(region), signs.get(region)))) for region in changed[0] | signs
    }
    loaded = replace(
        loaded,
        awaited=away,
        to_come=() if after else coming,
        later=after,
        files=(*loaded.files, *([] if sealed is None else [sealed])),
        longs=tuple(read),
        redrawn={region: why for region, why in odd.items() if region not in spec.data.unchanged},
        vouched={region: why for region, why in odd.items() if region in spec.data.unchanged},
    )
    loaded = replace(loaded, national=read_national(spec, country, periods, problems))
    raise_all(problems, DataError)
    if walks is not None:
        loaded = replace(loaded, files=(*loaded.files, walks.file))
    if named is not None:
        loaded = replace(loaded, files=(*loaded.files, named.file))
    if borders is not None:
        loaded = replace(loaded, borders=borders, files=(*loaded.files, borders.file))
    if parts is not None:
        loaded = replace(loaded, parts=parts, files=(*loaded.files, parts.file))
    if persons is not None:
        loaded = replace(loaded, persons=persons, files=(*loaded.files, persons.file))
    if members is not None:
        loaded = replace(loaded, members=members.areas, files=(*loaded.files, members.file))
    if pools is not None:
        loaded = replace(loaded, pools=pools.named, files=(*loaded.files, pools.file))
    return at_level(spec, loaded)


def _moved(
    spec: Specification, longs: Sequence[Long], walks: Walks
) -> tuple[list[Long], dict[str, tuple[Converted, ...]]]:
    """Every outcome in the division of the study, and how it came there."""
    problems: list[Problem] = []
    found = [in_division(long, walks, spec, problems) for long in longs]
    raise_all(dict.fromkeys(problems), DataError)
    moved = {
        outcome.indicator: tuple(conversions)
        for outcome, (_, conversions) in zip(spec.all_outcomes, found, strict=True)
    }
    return [long for long, _ in found], moved


def _table(file: File, path: Path, problems: list[Problem]) -> Table | None:
    table = read_table(
        path,
        file=file.file,
        separator=file.separator,
        header_row=file.header_row,
        sheet=file.sheet,
        layout=file.layout,
    )
    if isinstance(table, Table):
        return table
    problems.extend(table)
    return None


def _sealed(
    spec: Specification,
    path: Path,
    named: Named | None,
    tables: dict[str, Table | None],
    country: list[Table],
    problems: list[Problem],
) -> DataFile | None:
    """Put the rows of the sealed file behind those of the outcomes, once they fit by themselves."""
    table, given = tables["outcomes"], spec.data.outcomes.sealed
    assert given is not None
    file = spec.data.outcomes.model_copy(update={"file": given.file, "sha256": given.sha256})
    found = _table(file, path, problems)
    found = None if found is None else apart(found, file, country)
    if found is not None and named is not None and file.join == "name":
        found = coded(found, file, named, problems)
    if found is None or table is None:
        return None
    alone = spec.model_copy(update={"data": spec.data.model_copy(update={"outcomes": file})})
    wrong: list[Problem] = []
    for outcome in spec.all_outcomes:
        _outcome(alone, outcome, found, wrong)
    problems += wrong
    if not wrong:
        tables["outcomes"] = put_behind(table, found, file.columns.period, problems) or table
    return _file("sealed", file, found)


def _outcome(spec: Specification, outcome: Outcome, table: Table | None, problems: list[Problem]) -> Long | None:
    """The rows of one outcome."""
    if table is None:
        return None
    file = spec.data.outcomes
    marks = CBS.override(**file.marks.given())
    contract = Contract(
        (
            Column(file.columns.region, Kind.CODE, level=None if file.level is None else Level(file.level)),
            Column(file.columns.period, Kind.PERIOD),
            *(Column(name, Kind.NUMBER, decimal=file.decimal, marks=marks) for name in file.columns.numbers),
        ),
        key=(file.columns.region, file.columns.period),
        sha256=file.sha256,
    )
    where = {**file.rows.where, **outcome.where}
    long = read_long(table, contract, where=where, add=file.rows.add_up_to is not None)
    if not isinstance(long, Long):
        problems.extend(long)
        return None
    problems.extend(unfit_figures(long, file))
    return long


def _periods_there(spec: Specification, longs: Sequence[Long], labels: Sequence[str]) -> None:
    """Every period of the study that can be there must occur in every outcome."""
    problems = []
    for outcome, long in zip(spec.all_outcomes, longs, strict=True):
        there = set(long.period)
        absent = [period for period in labels if period not in there]
        if absent:
            hint = f"The table has {listed(sorted(there), 20)}; change `periods`."
            message = f"no row of {outcome.indicator} is about {listed(absent)}."
            problems.append(Problem("DATA-114", message, hint, long.file))
    raise_all(problems, DataError)


def _periods(
    spec: Specification, longs: Sequence[Long], labels: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of `labels` that are periods of the panel, and those with any provisional figure, which are left out.

    Raises
    ------
    DataError
        ``DATA-134`` when nothing is left to compare, or nothing of the window.
    """
    marked = frozenset().union(*(provisional(long, spec.data.outcomes.columns) for long in longs))
    if spec.periods.provisional == "keep":
        marked = frozenset()
    periods = tuple(label for label in labels if label not in marked)
    left = tuple(label for label in labels if label in marked)
    window = spec.target.window
    gone = window is not None and not any(window[0] <= label <= window[1] for label in periods)
    if len(periods) < 2 or gone:
        what = "of the window " if gone else ""
        because = f": {listed(left)} {'is' if len(left) == 1 else 'are'} provisional" if left else ""
        message = f"too few periods {what}are left{because}."
        hint = "Wait for final figures, or write `periods: {provisional: keep}` and say so."
        raise DataError(Problem("DATA-134", message, hint, spec.data.outcomes.file))
    return periods, left


def _file(role: str, file: File, table: Table) -> DataFile:
    vintage = "" if file.vintage is None else str(file.vintage)
    return DataFile(role, file.file, table.sha256, len(table.frame), file.source, vintage)


def _note(kind: str, column: str, count: int, text: str) -> str:
    """One line for `Evidence.notes`: the kind is a key of the text catalogue, with what it speaks of."""
    return "|".join((kind, column, str(count), text))
