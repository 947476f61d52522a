"""Rows of one outcome per region and period: some of them, several tables as one, and parts added up into units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from impact.arrays import frozen
from impact.design.unions import Unions
from impact.sources.rows import Long
from impact.sources.values import NUMBERLESS, STATUSES, Status, Values

__all__ = ["picked", "put_together", "stacked"]

_MISSING = STATUSES.index(Status.MISSING)


def picked(long: Long, rows: NDArray[np.bool_]) -> Long:
    """Some of the rows, without their texts."""

    def part(values: Values) -> Values:
        return Values(values.number[rows], values.status[rows], values.text[rows], values.nil)

    return replace(
        long,
        region=long.region[rows],
        period=long.period[rows],
        values={name: part(values) for name, values in long.values.items()},
        texts={},
        rows=long.rows[rows],
    )


def stacked(parts: Sequence[Long], like: Long) -> Long:
    """All rows of `parts`, sorted by region and period; everything else is as in `like`."""
    order = np.lexsort(
        tuple(np.concatenate([getattr(part, key) for part in parts]).astype(str) for key in ("period", "region"))
    )

    def joined(name: str) -> Values:
        mine = [part.values[name] for part in parts]
        number, status, text = (
            np.concatenate([getattr(values, key) for values in mine])[order] for key in ("number", "status", "text")
        )
        return Values(number, status, text, like.values[name].nil)

    values: Mapping[str, Values] = {name: joined(name) for name in parts[0].values}
    return replace(
        like,
        region=frozen(np.concatenate([part.region for part in parts])[order], np.object_),
        period=frozen(np.concatenate([part.period for part in parts])[order], np.object_),
        values=values,
        texts={},
        rows=frozen(np.concatenate([part.rows for part in parts])[order], np.intp),
    )


def put_together(long: Long, unions: Unions, names: Sequence[str]) -> Long:
    """The rows of the units beside those of regions that are not wholly part of one.

    Parameters
    ----------
    long : Long
        Rows of parts and of other regions.
    unions : Unions
        Which parts, and how much of each, make up every unit.
    names : sequence of str
        Columns of counts, which are added up by shares; other columns do not come along.

    Returns
    -------
    Long
        A unit has a row in every period in which a part of it has one. Where a part has no number, or no row, the unit
        has no number either: it takes the heaviest status of its parts and is never the sum of the rest.
    """
    periods, column = np.unique(long.period.astype(str), return_inverse=True)
    place = {part: row for row, part in enumerate(unions.parts)}
    row = np.array([place.get(str(region), -1) for region in long.region], dtype=np.intp)
    used = np.bincount(unions.part, weights=unions.share, minlength=len(unions.parts))
    inside, shape = row >= 0, (len(unions.parts), len(periods))
    at = (row[inside], column[inside])
    there = np.zeros(shape, dtype=bool)
    there[at] = True
    seen = np.zeros((len(unions.units), len(periods)), dtype=bool)
    np.logical_or.at(seen, unions.unit, there[unions.part])
    values: dict[str, Values] = {}
    for name in names:
        number = np.full(shape, np.nan)
        status = np.full(shape, _MISSING, dtype=np.int8)
        number[at], status[at] = long.values[name].number[inside], long.values[name].status[inside]
        total = unions.counts(unions.parts, number)
        heaviest = np.zeros(seen.shape, dtype=np.int8)
        np.maximum.at(heaviest, unions.unit, status[unions.part])
        heaviest = np.where(np.isnan(total) & (heaviest < NUMBERLESS), np.int8(_MISSING), heaviest)
        values[name] = Values(total[seen], heaviest[seen], np.full(int(seen.sum()), "", dtype=object), 0)
    unit, period = np.nonzero(seen)
    mine = replace(
        long,
        region=np.asarray(unions.units, dtype=object)[unit],
        period=periods.astype(object)[period],
        values=values,
        texts={},
        rows=np.ones(len(unit), dtype=np.intp),
    )
    # A part that lies in a unit as a whole is no region by itself any more.
    whole = np.append(used >= 1 - 1e-9, False)[row]
    rest = picked(long, ~whole)
    return stacked([replace(rest, values={name: rest.values[name] for name in names}), mine], long)
