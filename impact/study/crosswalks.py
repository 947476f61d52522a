"""The outcomes of a study in the division of another year: counts spread by a crosswalk, rates taken anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Float2, frozen
from impact.errors import Problem
from impact.evidence.record import DataFile
from impact.sources.convert import Converted, convert_counts, unconvertible
from impact.sources.crosswalk import Crosswalk, between, read_crosswalks
from impact.sources.frame import Note, listed
from impact.sources.regions import Level, level_of
from impact.sources.rows import Long
from impact.sources.tables import Table, read_table
from impact.sources.values import NUMBERLESS, STATUSES, Status, Values
from impact.study.faults import Fault
from impact.study.longs import picked, stacked
from impact.study.model import Specification

__all__ = ["Walks", "crosswalked", "faults_of_crosswalk", "in_division", "read_walks"]

_MISSING = STATUSES.index(Status.MISSING)


def faults_of_crosswalk(spec: Specification) -> Iterator[Fault]:
    """What a study asks of its crosswalk that no crosswalk can give."""
    wanted, outcomes = spec.data.crosswalk, spec.data.outcomes
    if wanted is None:
        return
    at, columns, units = ("data", "crosswalk"), outcomes.columns, spec.data.units
    if wanted.from_ == "outcomes" and outcomes.vintage is None:
        hint = "State it in `data.outcomes.vintage`, or write `from: each-year` when every year has its own division."
        yield Fault(at, "the division that the outcomes are in is not stated", hint)
    if wanted.from_ == "outcomes" and outcomes.vintage == wanted.to:
        yield Fault((*at, "to"), f"the outcomes are in the division of {wanted.to} already", "Take `crosswalk` out.")
    if wanted.from_ == "each-year" and outcomes.vintage is not None:
        hint = "Take one of the two out."
        yield Fault((*at, "from"), "the outcomes are in one division, or those of each year in their own", hint)
    if columns.value is not None and wanted.value is None:
        refused = unconvertible(f"column '{columns.value}'")
        hint = f"{refused.instead} When it counts something, write `value: count`."
        yield Fault(at, f"{refused.what} cannot be had: {refused.because}", hint)
    if columns.value is None and wanted.value is not None:
        yield Fault((*at, "value"), "the outcome is a rate, of which both columns are counts", "Take the key out.")
    if columns.n or columns.se or columns.margin:
        refused = unconvertible("a figure from a sample")
        yield Fault(at, f"{refused.what} cannot be had: {refused.because}", "Use years of one division.")
    if units is not None and units.vintage not in (None, wanted.to):
        hint = f"Give the characteristics in the division of {wanted.to}."
        yield Fault(("data", "units", "vintage"), f"the outcomes are brought to the division of {wanted.to}", hint)


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """The crosswalks of a study and the file that they stand in."""

    walks: tuple[Crosswalk, ...]
    file: DataFile


def read_walks(path: Path, spec: Specification, problems: list[Problem]) -> Walks | None:
    """The crosswalks that the study names; whatever is wrong is added to `problems`, and then there are none."""
    wanted = spec.data.crosswalk
    assert wanted is not None
    found, table = read_crosswalks(path, file=wanted.file), read_table(path, file=wanted.file)
    walks = tuple(one for one in found if isinstance(one, Crosswalk))
    if len(walks) < len(found) or not isinstance(table, Table):
        problems.extend(one for one in found if isinstance(one, Problem))
        return None
    bases = sorted({walk.basis for walk in walks})
    if (wanted.basis is None and len(bases) > 1) or wanted.basis not in (None, *bases):
        message = f"the shares are of {listed(bases)}."
        hint = "Name one in `data.crosswalk.basis`."
        problems.append(Problem("DATA-127", message, hint, wanted.file, path="basis"))
        return None
    return Walks(walks, DataFile("crosswalk", wanted.file, table.sha256, len(table.frame), "", str(wanted.to)))


def in_division(long: Long, walks: Walks, spec: Specification, problems: list[Problem]) -> tuple[Long, list[Converted]]:
    """The figures of `long` in the division that the study asks for, and how each year of division came there.

    Where no crosswalk leads there the problem is ``DATA-128``, and `long` is returned as it was.
    """
    wanted = spec.data.crosswalk
    assert wanted is not None
    parts: list[Long] = []
    conversions: list[Converted] = []
    keys = [
        (level_of(str(region)), _year(str(period), spec))
        for region, period in zip(long.region, long.period, strict=True)
    ]
    for level, start in sorted(set(keys)):
        rows = np.array([key == (level, start) for key in keys], dtype=bool)
        if start == wanted.to or level is Level.LAND:
            parts.append(picked(long, rows))
            continue
        walk = between(walks.walks, level, start, wanted.to, wanted.basis)
        if isinstance(walk, Crosswalk):
            part, conversion = _convert(picked(long, rows), walk, spec)
            parts.append(part)
            conversions.append(conversion)
        else:
            problems.append(Problem("DATA-128", f"{walk.what}: {walk.because}.", walk.instead, wanted.file))
    if not parts or problems:
        return long, []
    basis = wanted.basis or walks.walks[0].basis
    notes = [Note("crosswalk", basis, sum(start != wanted.to for _, start in set(keys)), str(wanted.to))]
    lacking = sorted({code for conversion in conversions for code in conversion.lacking})
    notes += [Note("crosswalk-lacking", "", len(lacking), listed(lacking))] if lacking else []
    return replace(stacked(parts, long), notes=(*long.notes, *notes)), conversions


def crosswalked(conversions: Sequence[Converted], units: Sequence[str]) -> float | None:
    """The largest share, over the divisions that figures came from, of an area that was crosswalked; None: unknown.

    The share is that of the denominator of a rate, and of a count that of the count itself.
    """
    shares = [
        one.share_of(known) for one in conversions if (known := [unit for unit in units if unit in set(one.codes)])
    ]
    return None if None in shares else max((share for share in shares if share is not None), default=0.0)


def _year(period: str, spec: Specification) -> int:
    """The division that the figures of a period are in: of the table, or of the year in which the period begins."""
    vintage = spec.data.outcomes.vintage
    return int(period[:4]) if vintage is None else vintage


def _convert(long: Long, walk: Crosswalk, spec: Specification) -> tuple[Long, Converted]:
    """Every column of counts, spread over the regions of the other division."""
    codes, row = np.unique(long.region.astype(str), return_inverse=True)
    periods, column = np.unique(long.period.astype(str), return_inverse=True)
    regions = tuple(codes.tolist())
    values: dict[str, Values] = {}
    found: dict[str, Converted] = {}
    for name in spec.data.outcomes.columns.figures:
        number = np.full((len(codes), len(periods)), np.nan)
        status = np.full(number.shape, _MISSING, dtype=np.int8)  # a row that is not there
        number[row, column], status[row, column] = long.values[name].number, long.values[name].status
        found[name] = convert_counts(walk, regions, number)
        values[name] = _as_values(found[name], _heaviest(walk, regions, found[name].codes, status))
    conversion = found[spec.data.outcomes.columns.figures[-1]]  # the denominator of a rate
    region, period = np.meshgrid(np.array(conversion.codes, dtype=object), periods.astype(object), indexing="ij")
    rows = frozen(np.ones(region.size), np.intp)
    return replace(long, region=region.ravel(), period=period.ravel(), values=values, texts={}, rows=rows), conversion


def _heaviest(
    walk: Crosswalk, codes: Sequence[str], names: Sequence[str], status: NDArray[np.int8]
) -> NDArray[np.int8]:
    """(M, T) the heaviest status of the parts of each new region: a sum with an unknown part is unknown."""
    place, parts = {name: row for row, name in enumerate(names)}, walk.parts()
    found = np.zeros((len(names), status.shape[1]), dtype=np.int8)
    for row, code in enumerate(codes):
        for new, _ in parts.get(code, ((code, 1.0),)):
            np.maximum(found[place[new]], status[row], out=found[place[new]])
    return found


def _as_values(found: Converted, status: NDArray[np.int8]) -> Values:
    numbers: Float2 = found.values
    # A region of which a part was not in the table at all is missing, whatever the rest of it is.
    status = np.where(np.isnan(numbers) & (status < NUMBERLESS), np.int8(_MISSING), status)
    return Values(numbers.ravel(), status.ravel(), np.full(numbers.size, "", dtype=object))
