"""Codes that do not name the same region in every year of a study: as the division flags them, or as it shows.

A treated region whose code was used again, or whose borders moved, is refused; a comparison region is left out by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from impact.errors import Problem
from impact.sources.division import Change, Changes, read_changes, reused
from impact.sources.frame import Note, Table, listed
from impact.sources.regions import Level, gemeente_or_blank, is_code, level_of
from impact.sources.rows import Long
from impact.study.faults import Fault
from impact.study.model import Specification

__all__ = ["faults_of_change", "redrawn"]


def faults_of_change(spec: Specification) -> Iterator[Fault]:
    """Why flags of the division cannot be read as the study asks."""
    table, at = spec.data.outcomes, ("data", "outcomes", "columns", "change")
    if table.columns.change is None:
        return
    if spec.data.crosswalk is not None:
        hint = "Take `change` out, or the crosswalk."
        yield Fault(at, "a crosswalk brings the outcomes to one division, so that no flag is needed", hint)
    if spec.periods.kind == "school-year":
        yield Fault(at, "a flag is about a year, and the periods are school years", "Take `change` out.")
    if table.vintage is not None:
        hint = "Take one of the two out: with flags the rows of each year are in the division of that year."
        yield Fault(at, f"all rows are stated to be in the division of {table.vintage}", hint)


def redrawn(
    spec: Specification, table: Table, longs: Sequence[Long], problems: list[Problem]
) -> tuple[dict[str, str], tuple[Note, ...]]:
    """Codes of which it is not established that they name one region over the years of the study, with the reason.

    Nothing is looked at where the study states the one division of all rows, or converts them to it.
    """
    if spec.data.crosswalk is not None or spec.data.outcomes.vintage is not None:
        return {}, ()
    columns = spec.data.outcomes.columns
    if columns.change is None:
        return _signs(spec, longs), ()
    found = read_changes(table, code=columns.region, year=columns.period, flag=columns.change)
    if not isinstance(found, Changes):
        problems.extend(found)
        return {}, ()
    years = range(int(spec.labels[0]), int(spec.labels[-1]) + 1)
    codes = sorted({str(region) for long in longs for region in long.region if is_code(str(region))})
    gemeenten = [code for code in codes if level_of(code) is Level.GEMEENTE]
    # Editions before 2022 flag no gemeenten at all. CBS does not use the code of a gemeente again for another.
    silent = [] if not gemeenten else [year for year in years[1:] if not _flagged(found, year)]
    held = {(code, year): Change.UNCHANGED for code in gemeenten for year in silent}
    known = Changes({**held, **found.flags})
    why = {code: known.since(code, years[0], years[-1]) for code in codes}
    notes = (Note("unflagged", "", len(silent), listed(silent, 20)),) if silent else ()
    return {code: reason for code, reason in why.items() if reason}, notes


def _flagged(changes: Changes, year: int) -> bool:
    """Whether an edition says of any gemeente what happened to it."""
    return any(when == year and level_of(code) is Level.GEMEENTE for code, when in changes.flags)


def _signs(spec: Specification, longs: Sequence[Long]) -> dict[str, str]:
    """Codes that seem to be used again: their size jumps in a year in which the codes around them change too.

    Either sign alone is none: suburbs grow, and rows are missing for many reasons.
    """
    column = spec.data.outcomes.columns.denominator
    found: dict[str, str] = {}
    for long in longs if column is not None else ():
        size: dict[str, dict[str, float]] = {}
        for region, period, number in zip(long.region, long.period, long.values[str(column)].number, strict=True):
            if is_code(str(region)):
                size.setdefault(str(period), {})[str(region)] = float(number)
        labels = [label for label in spec.labels if label in size]
        for before, after in pairwise(labels):
            around = {_around(code) for code in size[before].keys() ^ size[after].keys()}
            both = [code for code in sorted(size[before].keys() & size[after].keys()) if _around(code) in around]
            old, new = (np.array([size[when][code] for code in both]) for when in (before, after))
            signs = reused(both, sizes={str(column): (old, new)})
            found |= {
                code: f"{sign} in {after}, when codes around it changed"
                for code, sign in signs.items()
                if code not in found
            }
    return found


def _around(code: str) -> tuple[str, Level]:
    """The gemeente of a code, and its level."""
    return gemeente_or_blank(code), level_of(code)
