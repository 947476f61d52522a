"""What a specification says of its outcomes, its tables and its periods, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from impact.evidence.reading import with_unit
from impact.study.model import NoEffect, Outcome
from impact.study.tables import CrosswalkTable, File, Identity, OutcomeTable, PolygonFile, UnitTable
from impact.study.wording import FOLLOWS, Said, Teller, ended

__all__ = ["control", "data", "outcome", "periods", "smallest"]

_DIGEST = 12  # digits that tell two files apart for a reader; the run compares all of them
_DECIMAL = {",": "comma", ".": "point"}


def outcome(tell: Teller, found: Outcome, number: int) -> Iterator[Said]:
    """What one outcome is, from which columns, in which unit, and which difference matters."""
    topic, registered = f"outcome.{found.indicator}", found.registered
    if found.name is not None:
        name = tell.own(found.name)
    else:
        name = found.indicator if registered is None else registered.en if tell.language == "en" else registered.nl
    which = "only" if len(tell.spec.all_outcomes) == 1 else "first" if number == 0 else "next"
    known = tell.word("outcome.own" if registered is None else "outcome.indicator", slug=found.indicator)
    yield tell(f"outcome.{which}", topic, name=name, indicator=known)
    if registered is not None and registered.not_measurable:
        yield tell("outcome.not-measurable", topic, why=ended(tell.say.own(registered.not_measurable)))
    yield tell(f"outcome.kind.{found.source_kind}", topic)
    yield from _measure(tell, found, topic)
    yield tell("outcome.unit", topic, unit=tell.of_unit(found))
    yield tell(f"outcome.better.{found.better}", topic)
    if found.part_of is not None:
        yield tell("outcome.part-of", topic, whole=found.part_of)
    if found.also_as is not None:
        yield tell("outcome.also-as", topic, words=tell.own(found.also_as))
    yield from smallest(tell, found)


def smallest(tell: Teller, found: Outcome) -> Iterator[Said]:
    """Which difference is large enough to matter, and who says so."""
    topic, given = f"outcome.{found.indicator}", found.smallest_difference_that_matters
    if given is None:
        yield tell("outcome.no-smallest", topic)
        return
    said = tell("outcome.smallest", topic, value=with_unit(tell.exact(given.value), tell.of_unit(found)))
    yield Said(topic, f"{said.text}{tell.reason(given.why)}")


def control(tell: Teller, found: NoEffect) -> Iterator[Said]:
    """An outcome on which nothing can be expected, and how it is measured."""
    own = found.outcome
    topic, registered = f"sure.controls.{found.indicator}", own.registered
    if own.name is not None:
        name = tell.own(own.name)
    else:
        name = found.indicator if registered is None else registered.en if tell.language == "en" else registered.nl
    said = tell("sure.controls.outcome", topic, name=name, slug=found.indicator)
    yield Said(topic, f"{said.text}{tell.reason(found.why)}")
    yield tell(f"outcome.kind.{own.source_kind}", topic)
    yield from _measure(tell, own, topic)
    yield tell("outcome.unit", topic, unit=tell.of_unit(own))


def _measure(tell: Teller, found: Outcome, topic: str) -> Iterator[Said]:
    columns, measure = tell.spec.data.outcomes.columns, found.measure
    if columns.value is not None:
        yield tell("outcome.value", topic, column=tell.column(columns.value))
        if columns.base is not None and measure.per is not None:
            yield tell("outcome.base", topic, column=tell.column(columns.base), per=tell.exact(measure.per))
    elif columns.numerator is not None and columns.denominator is not None:
        yield tell(
            "outcome.rate",
            topic,
            numerator=tell.column(columns.numerator),
            denominator=tell.column(columns.denominator),
            per=tell.exact(measure.per or 1),
        )
    if found.where:
        yield tell("outcome.where", topic, filter=tell.filter(found.where))
    own = measure.as_percent_of_own
    if own is not None:
        yield tell("outcome.own-mean", topic, periods=tell.listed(own.periods), minimum=tell.exact(own.minimum_mean))


# --- tables -----------------------------------------------------------------------------------------------------------


def data(tell: Teller) -> tuple[Iterator[Said], Iterator[Said]]:
    """What stands in the table of outcomes, and what in that of characteristics."""
    given = tell.spec.data
    outcomes = chain(_outcomes(tell, given.outcomes), _unchanged(tell), _crosswalk(tell, given.crosswalk))
    return outcomes, chain(_units(tell, given.units), _polygons(tell, given.polygons), _shared(tell), _context(tell))


def _polygons(tell: Teller, given: PolygonFile | None) -> Iterator[Said]:
    if given is None:
        return
    file, column = tell.word("quoted", text=given.file), tell.column(given.column)
    yield tell("data.polygons", file=file, column=column, tolerance=tell.exact(given.tolerance))
    if given.crs is not None:
        yield tell("data.crs", crs=given.crs, file=tell.word("table.polygons"))
    yield from _origin(tell, given, "polygons")
    if given.parts is not None:
        yield tell(
            "data.parts",
            file=tell.word("quoted", text=given.parts.file),
            column=tell.column(given.parts.column),
            residents=tell.column(given.parts.residents),
        )


def _crosswalk(tell: Teller, table: CrosswalkTable | None) -> Iterator[Said]:
    """To which division the outcomes are brought, by what, and why that may be."""
    if table is None:
        return
    file = tell.word("quoted", text=table.file)
    yield tell(f"data.crosswalk.{table.from_}", year=str(table.to), file=file)
    if table.basis is not None:
        yield tell("data.crosswalk.basis", basis=table.basis)
    column = tell.spec.data.outcomes.columns.value
    if table.value is not None and column is not None:
        yield tell("data.crosswalk.count", column=tell.column(column))


def _outcomes(tell: Teller, table: OutcomeTable) -> Iterator[Said]:
    columns = table.columns
    yield tell(
        "data.outcomes-summed" if table.rows.add_up_to else "data.outcomes",
        file=tell.word("quoted", text=table.file),
        region=tell.column(columns.region),
        period=tell.column(columns.period),
    )
    yield from _file(tell, table, "outcomes")
    yield from _identity(tell, columns.identity, "outcomes")
    if columns.n is not None:
        yield tell("data.n", column=tell.column(columns.n))
        if columns.se is None and columns.margin is None:
            yield tell("data.error-from-n")
    if columns.se is not None:
        yield tell("data.se", column=tell.column(columns.se))
    if columns.margin is not None:
        low, high = tell.column(columns.margin.low), tell.column(columns.margin.high)
        yield tell("data.margin", low=low, high=high, level=tell.percent(columns.margin.level))
    if columns.change is not None:
        yield tell("data.change", column=tell.column(columns.change))
    if table.rounded_to is not None:
        plain = tell.spec.data.crosswalk is None and not table.rows.add_up_to
        yield tell("data.rounded" if plain else "data.rounded-changed", base=tell.count(table.rounded_to))
    if table.national is not None:
        yield tell("data.national", code=table.national)
    yield from _later(tell, table)


def _later(tell: Teller, table: OutcomeTable) -> Iterator[Said]:
    """Outcomes that nobody has opened, and those that have yet to come."""
    if table.sealed is not None:
        file = tell.word("quoted", text=table.sealed.file)
        yield tell("data.sealed", file=file)
        if table.sealed.sha256 is not None:
            digest = table.sealed.sha256[:_DIGEST]
            yield tell("data.sha256", "data.sealed.sha256", file=file, digest=digest)
    if table.arrives is not None:
        yield tell("data.arrives", have=table.arrives.have, planned=tell.listed(table.arrives.planned))


def _units(tell: Teller, table: UnitTable | None) -> Iterator[Said]:
    if table is None:
        yield tell("data.no-units")
        yield tell("data.gemeente-from-code")
        return
    columns = table.columns
    yield tell("data.units", file=tell.word("quoted", text=table.file), region=tell.column(columns.region))
    yield from _file(tell, table, "units")
    yield from _identity(tell, columns.identity, "units")
    if columns.period is not None:
        yield tell("data.averaged", periods=tell.listed(table.periods), column=tell.column(columns.period))
    if columns.gemeente is None:
        yield tell("data.gemeente-from-code")
    else:
        yield tell("data.gemeente", column=tell.column(columns.gemeente))
    if columns.residents is not None:
        yield tell("data.residents", column=tell.column(columns.residents))
    for name, group in columns.groups.items():
        if group:
            yield tell(f"data.{name}", columns=tell.listed(group))
    for name, label in columns.labels.items():
        yield tell("data.labels", f"data.labels.{name}", column=tell.column(name), label=tell.own(label))


def _identity(tell: Teller, given: Identity | None, role: str) -> Iterator[Said]:
    """What shows whether a code still names its region."""
    if given is None:
        return
    columns = [tell.column(name) for name in (given.name, given.residents, given.surface) if name is not None]
    file = tell.word(f"table.{role}")
    yield tell("data.identity", f"data.{role}.identity", columns=tell.listed(columns), file=file)


def _unchanged(tell: Teller) -> Iterator[Said]:
    """The codes that the study vouches for."""
    for code, why in tell.spec.data.unchanged.items():
        said = tell("data.unchanged", f"data.unchanged.{code}", code=code)
        yield Said(said.topic, f"{said.text}{tell.reason(why)}")


def _file(tell: Teller, table: File, role: str) -> Iterator[Said]:
    """How a file is written, and which of its rows count."""
    file = tell.word(f"table.{role}")

    def said(key: str, **values: str) -> Said:
        return tell(f"data.{key}", f"data.{role}.{key}", file=file, **values)

    yield from _origin(tell, table, role)
    if table.join == "name" and tell.spec.data.names is not None:
        place = getattr(table.columns, "gemeente", None) if isinstance(table, OutcomeTable | UnitTable) else None
        where = tell.column(place) if place is not None else table.within or tell.word("data.join-nowhere")
        yield said("join", names=tell.word("quoted", text=tell.spec.data.names.file), gemeente=where)
    if table.sheet is not None:
        yield said("sheet", sheet=table.sheet)
    if table.layout == "statline":
        yield said("statline")
    if table.separator is not None:
        yield said("separator", mark=table.separator)
    if table.decimal != "auto":
        yield said(f"decimal-{_DECIMAL[table.decimal]}")
    if table.header_row > 1:
        yield said("header", row=tell.count(table.header_row))
    if table.level is not None:
        yield said("level", units=tell.say(f"explain.units.{table.level}"))
    for kind, spellings in table.marks.given().items():
        yield said(f"marks.{kind}", marks=tell.quoted(spellings))
    if table.rows.where:
        yield said("where", filter=tell.filter(table.rows.where))
    if table.rows.add_up_to is not None:
        yield said("added-up")


def _shared(tell: Teller) -> Iterator[Said]:
    """Which files go along in the bundle."""
    data = tell.spec.data
    drawn = data.polygons
    parts = None if drawn is None else drawn.parts
    given = (data.outcomes, data.units, data.crosswalk, drawn, parts, data.names)
    names = [tell.word("quoted", text=one.file) for one in given if one is not None and one.share]
    if names:
        yield tell("data.share" if len(names) == 1 else "data.shares", "data.share", files=tell.listed(names))


def _context(tell: Teller) -> Iterator[Said]:
    """What others wrote, beside the results."""
    if tell.spec.context:
        yield tell("data.context", files=tell.quoted(tell.spec.context))


def _origin(tell: Teller, table: File | PolygonFile, role: str) -> Iterator[Said]:
    """Where a file comes from, of which year its codes are, and which file it must be."""
    file = tell.word(f"table.{role}")

    def said(key: str, **values: str) -> Said:
        return tell(f"data.{key}", f"data.{role}.{key}", file=file, **values)

    if table.source:
        yield said("source", source=ended(table.source))
    if table.vintage is not None:
        yield said("vintage", year=str(table.vintage))
    if table.sha256 is not None:
        yield said("sha256", digest=table.sha256[:_DIGEST])


# --- periods ----------------------------------------------------------------------------------------------------------


def periods(tell: Teller) -> Iterator[Said]:
    """Which periods count, which do not, and where the measurement breaks."""
    spec = tell.spec
    given = spec.periods
    if given.kind == "waves":
        yield tell("periods.waves", "periods.kind", list=tell.listed(given.are))
    else:
        yield tell(f"periods.{given.kind}", "periods.kind", first=given.labels[0], last=given.labels[-1])
    yield tell(f"periods.{given.provisional}", "periods.provisional")
    for rule in spec.leave_out:
        said = tell("periods.outs" if len(rule.periods) > 1 else "periods.out", list=tell.listed(rule.periods))
        yield Said("periods.out", f"{said.text}{tell.reason(rule.why)}")
    for found in spec.breaks:
        yield tell(f"periods.{found.treat_as}", "periods.break", at=found.at, why=ended(tell.say.own(found.why)))
        if found.check is not None:
            limit = tell.exact(spec.thresholds["pre-trend"])
            yield tell(f"periods.{found.check}", f"periods.break.{found.at}", at=found.at, limit=limit)
    if spec.labels != spec.measured:
        yield tell("periods.side", FOLLOWS, list=tell.listed(spec.labels))
