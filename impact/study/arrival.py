"""Outcomes that are not at hand: periods that have yet to arrive, and those in a sealed file that only a run opens.

The design is made without them. Where a table needs a row for such a period, it is a copy of the last one that is at
hand: whether a unit can be used then depends on what is known of it, and no outcome of those periods is in anything.

Codes (stable): ``DATA-160`` the sealed file is no continuation of the table of outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from impact.errors import Problem
from impact.sources.frame import Table, listed
from impact.sources.periods import read_periods
from impact.sources.rows import Long
from impact.sources.values import STATUSES, Status, Values
from impact.study.faults import Fault
from impact.study.longs import picked, stacked
from impact.study.model import Specification

__all__ = ["awaited", "carried", "faults_of_arrival", "later", "put_behind", "to_come"]

_OK, _PROVISIONAL = STATUSES.index(Status.OK), STATUSES.index(Status.PROVISIONAL)


def faults_of_arrival(spec: Specification) -> Iterator[Fault]:
    """Periods that are to arrive and are none of the study, or the other way round."""
    arrives, labels = spec.data.outcomes.arrives, spec.measured
    loc = ("data", "outcomes", "arrives")
    if arrives is None or not labels:
        return
    late = [label for label in labels if label > arrives.have]
    if arrives.have not in labels:
        yield Fault((*loc, "have"), f"{arrives.have} is not among the periods {', '.join(labels)}")
    elif list(arrives.planned) != late:
        said = ", ".join(late) or "none"
        message = f"the periods of the study after {arrives.have} are {said}, and `planned` names others"
        yield Fault((*loc, "planned"), message, "Name every period that is still to come, in order.")


def awaited(spec: Specification, longs: Sequence[Long], *, design: bool) -> tuple[str, ...]:
    """The periods of which the outcomes are not at hand: in a `design` all that are to arrive or sealed, in a run all
    that are to arrive as long as one of them has not."""
    table, labels = spec.data.outcomes, spec.labels
    if table.arrives is not None:
        late = tuple(label for label in labels if label > table.arrives.have)
        coming = to_come(spec, longs)
        return late if design or (coming and coming != later(spec, longs)) else ()
    if not design or table.sealed is None:
        return ()
    last = max((str(period) for long in longs for period in long.period), default="")
    return tuple(label for label in labels if label > last)


def to_come(spec: Specification, longs: Sequence[Long]) -> tuple[str, ...]:
    """The planned periods of which an outcome has no row yet."""
    arrives = spec.data.outcomes.arrives
    if arrives is None:
        return ()
    there = [{str(period) for period in long.period} for long in longs]
    late = (label for label in spec.labels if label > arrives.have)
    return tuple(label for label in late if not all(label in periods for periods in there))


def later(spec: Specification, longs: Sequence[Long]) -> tuple[str, ...]:
    """The periods that later looks will see, where this one has the planned periods before them; none in a study that
    plans no looks, which waits for all, and as long as an area has yet to start or the window has yet to begin."""
    arrives, coming = spec.data.outcomes.arrives, to_come(spec, longs)
    if spec.looks is None or arrives is None or not coming:
        return ()
    late = tuple(label for label in spec.labels if label > arrives.have)
    first = max((*spec.starts(), *(spec.target.window or ())[:1]), default="")
    if first >= coming[0]:
        return ()
    return coming if coming != late and coming == late[len(late) - len(coming) :] else ()


def carried(long: Long, periods: Sequence[str], labels: Sequence[str]) -> Long:
    """The rows of `long` outside `periods`, and for each of these a copy of the last row of every region.

    The last is that of the last of `labels` before them, so that a region without a row there has none after it.
    """
    here = np.asarray(long.period, dtype=str)
    kept = picked(long, ~np.isin(here, list(periods)))
    before = [label for label in labels if label < min(periods)]
    if not before:
        return kept
    last = picked(kept, np.asarray(kept.period, dtype=str) == before[-1])
    last = replace(last, values={name: _known(values) for name, values in last.values.items()})
    copies = [replace(last, period=np.full(len(last.period), period, dtype=object)) for period in periods]
    return stacked([kept, *copies], long)


def _known(values: Values) -> Values:
    """Without the mark of what is provisional, which says something of a period and not of a region."""
    status = np.where(values.status == _PROVISIONAL, np.int8(_OK), values.status).astype(np.int8)
    return Values(values.number, status, values.text, values.nil)


def put_behind(table: Table, sealed: Table, period: str, problems: list[Problem]) -> Table | None:
    """The table of outcomes with the rows of the sealed file behind its own; they have the same columns, and periods
    that the table does not have."""
    ours, theirs = [str(name) for name in table.frame.columns], [str(name) for name in sealed.frame.columns]
    if set(ours) != set(theirs):
        differ = sorted(set(ours) ^ set(theirs))
        message = f"the sealed file has other columns than {table.file}: {listed(differ)}."
        problems.append(Problem("DATA-160", message, "Both are parts of one table: `impact data split`.", sealed.file))
        return None
    both = _periods(table, period) & _periods(sealed, period)
    if both:
        message = f"{listed(sorted(both))} stands in the sealed file and in {table.file}."
        problems.append(Problem("DATA-160", message, "A period stands in one of the two.", sealed.file, path=period))
        return None
    frame = pd.concat([table.frame, sealed.frame[ours]], ignore_index=True)
    rows = np.concatenate([table.rows, sealed.rows])
    return replace(table, frame=frame, rows=rows, notes=(*table.notes, *sealed.notes), letters={}, lines={})


def _periods(table: Table, column: str) -> set[str]:
    if column not in table.frame.columns:
        return set()
    read = read_periods(table.frame[column])
    return set() if isinstance(read, tuple) else {str(label) for label in read}
