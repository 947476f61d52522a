"""The CSV that StatLine exports in a browser: a title, heads of several rows, units and a footer, made into plain rows.

Since 2018 the heads come in pairs, a short row that names a dimension (``Onderwerp``, ``Perioden``) and a row with its
values; the row in which the first columns get their names holds the units, or the values of the last dimension. Before,
each row of heads began with the name of its dimension. Regions are named, not coded.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pandas as pd

from impact.arrays import frozen
from impact.errors import Problem
from impact.sources.frame import Note, Table, listed
from impact.sources.periods import read_period

__all__ = ["looks_like_statline", "read_statline"]

_FOOTER = re.compile(r"(?:Bron|Source)\s*:|©")
_TOPIC, _PERIODS = "Onderwerp", "Perioden"
_TOPICS = (_TOPIC, "Onderwerpen")

Record = tuple[int, list[str]]
"""The number of a row as a spreadsheet counts, and its cells."""
Topic = tuple[str, str]
"""The name of a topic and its unit."""


@dataclass(frozen=True, slots=True)
class _Heads:
    """What stands above the figures.

    Attributes
    ----------
    names : tuple of str
        Of the columns before the figures; "" for a column of units.
    dimensions : mapping from name to the value of each column of figures
    units : one per column of figures, or none
    """

    names: tuple[str, ...]
    dimensions: Mapping[str, Sequence[str]]
    units: Sequence[str] = ()

    @property
    def width(self) -> int:
        """Columns of figures."""
        return len(next(iter(self.dimensions.values())))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The long table as it grows: per row its key, its figures by topic, and the row of the file of each figure."""

    keys: list[tuple[str, ...]] = field(default_factory=list)
    cells: list[dict[Topic, str]] = field(default_factory=list)
    lines: list[dict[Topic, int]] = field(default_factory=list)


def looks_like_statline(text: str) -> bool:
    """Whether a text begins as an export of StatLine does: a title by itself, and soon a row that names a dimension."""
    try:
        first = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True), 8))
    except csv.Error:
        return False
    if not first or len(first[0]) != 1:
        return False
    heads = [[cell.strip() for cell in row] for row in first[1:] if len(row) > 1]
    return any(row[0] in _TOPICS or (row[0] == "" and {*_TOPICS, _PERIODS} & set(row)) for row in heads)


def read_statline(
    text: str, file: str, sha256: str, separator: str, notes: tuple[Note, ...]
) -> Table | tuple[Problem, ...]:
    """One row per region and further dimension, one column per topic.

    Parameters
    ----------
    text : str
        The file, without byte order mark.
    file, sha256 : str
        Name for messages, digest of the bytes.
    separator : str
        Between the cells.
    notes : tuple of Note
        What is known of the reading already.

    Returns
    -------
    Table or tuple of Problem
        First the columns that name a row (``Wijken en buurten``, ``Perioden``), then the topics by their whole name,
        ``Inkomen|Inkomen van personen|Aantal inkomensontvangers``; cells are text as it stood. `Table.units` holds the
        units; `Table.rows` and `Table.lines` point into the file. A topic in two units becomes two columns with the
        unit behind the name.
    """
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        return (Problem("DATA-101", f"the file cannot be read as CSV: {error}.", file=file),)
    filled = [(number, row) for number, row in enumerate(records, 1) if any(cell.strip() for cell in row)]
    body = next((i for i, (_, row) in enumerate(filled) if len(row) > 1), len(filled))
    old = body < len(filled) and bool(filled[body][1][0].strip())
    label = next((i for i in range(body, len(filled)) if not _is_head(filled[i][1], old)), len(filled))
    if label in (body, len(filled)):
        message = "the heads of a StatLine export are not there: rows that begin empty and name Onderwerp or Perioden."
        return (Problem("DATA-104", message, "Leave `layout: statline` out for a plain table.", file),)
    heads = _heads(filled[body:label], [_clean(cell) for cell in filled[label][1]])
    if isinstance(heads, str):
        hint = "Export it again with the topics, the periods or both in the heads of the columns, or as raw data."
        return (Problem("DATA-104", f"the heads of the StatLine export {heads}.", hint, file, filled[label][0]),)
    data = filled[label + 1 :]
    end = next((i for i, (_, row) in enumerate(data) if len(row) == 1 and _FOOTER.match(row[0].strip())), len(data))
    odd = [number for number, row in data[:end] if len(row) != len(filled[label][1])]
    if odd:
        rows = f"row {odd[0]} has" if len(odd) == 1 else f"rows {listed(odd)} have"
        message = f"{rows} another number of cells than the heads ({len(filled[label][1])})."
        return (Problem("DATA-104", message, "The export may have been cut off: fetch it again.", file, odd[0]),)
    if end == len(data):
        notes = (*notes, Note("no-footer"))
    return _table(data[:end], heads, file, sha256, notes)


def _clean(text: str) -> str:
    """Without doubled and outer spaces, also around the bars of a hierarchy."""
    return "|".join(" ".join(part.split()) for part in text.split("|"))


def _is_head(row: Sequence[str], old: bool) -> bool:
    first = row[0].strip()
    if not old:
        return first == ""
    rest = [cell.strip() for cell in row if cell.strip() != first]
    return first in _TOPICS or (first == _PERIODS and bool(rest) and all(not read_period(c)[1] for c in rest))


def _heads(above: Sequence[Record], label: list[str]) -> _Heads | str:
    """The heads, or why they cannot be told.

    `above` are the rows before the one that names the first columns, `label`.
    """
    rows = [[_clean(cell) for cell in row] for _, row in above]
    if rows[0][0]:
        return _old_heads(rows, label)
    before = next((i for i, cell in enumerate(rows[0]) if cell), 0)
    names: list[str] = []
    values: list[list[str]] = []
    for number, row in enumerate(rows):
        alone = sum(map(bool, row)) == 1 and len(label) > before + 1
        if number == 0 or len(row) < len(label) or alone:
            names += [cell for cell in row if cell]
        else:
            values.append(row[before:])
    figures, units = label[before:], list[str]()
    # Where every named dimension has its values already, the row of names can only hold units.
    if len(values) == len(names) and not all(not read_period(cell)[1] for cell in figures):
        units = figures
    else:
        names += [_PERIODS] if len(values) == len(names) else []
        values.append(figures)
    if len(names) != len(values) or len(set(names)) != len(names):
        return f"name {len(names)} dimensions ({listed(names)}) and give the values of {len(values)}"
    if not before or any(len(row) != len(figures) for row in values):
        return "are not equally long"
    named = [_TOPIC if name in _TOPICS else name for name in names]
    return _checked(_Heads(tuple(label[:before]), dict(zip(named, values, strict=True)), units))


def _old_heads(rows: Sequence[Sequence[str]], label: list[str]) -> _Heads | str:
    """Heads of before 2018: the name of the dimension in each row, hierarchies in rows below each other."""
    before = next((i for i, cell in enumerate(rows[0]) if cell != rows[0][0]), 0)
    if not before or any(len(row) != len(label) for row in rows):
        return "are not equally long"
    levels: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        name = _TOPIC if row[0] in _TOPICS else row[0]
        so_far = levels.get(name, [()] * (len(label) - before))
        # A topic that has no level of its own repeats the one above it.
        levels[name] = [
            path if path[-1:] == (cell,) or not cell else (*path, cell)
            for path, cell in zip(so_far, row[before:], strict=True)
        ]
    dimensions = {name: ["|".join(path) for path in paths] for name, paths in levels.items()}
    return _checked(_Heads(tuple(label[:before]), dimensions, label[before:]))


def _checked(heads: _Heads) -> _Heads | str:
    topics = [name for name in (*heads.names, *heads.dimensions) if name in _TOPICS]
    unnamed = heads.names.count("")
    if len(topics) != 1:
        return "do not say which topics the figures are about (Onderwerp)"
    if unnamed > 1 or (unnamed and heads.units):
        return "have a column without a name"
    columns = list(zip(*heads.dimensions.values(), heads.units or [""] * heads.width, strict=True))
    twice = [column for column in dict.fromkeys(columns) if columns.count(column) > 1]
    return f"occur more than once: {listed([' '.join(column) for column in twice])}" if twice else heads


def _table(
    data: Sequence[Record], heads: _Heads, file: str, sha256: str, notes: tuple[Note, ...]
) -> Table | tuple[Problem, ...]:
    rows = _Rows()
    topic_at = next((i for i, name in enumerate(heads.names) if name in _TOPICS), None)
    unit_at = heads.names.index("") if "" in heads.names else None
    before = len(heads.names)
    keyed = [i for i in range(before) if i not in (topic_at, unit_at)]
    others = [name for name in heads.dimensions if name != _TOPIC]
    groups: dict[tuple[str, ...], list[int]] = {}
    for column in range(heads.width):
        groups.setdefault(tuple(heads.dimensions[name][column] for name in others), []).append(column)
    open_rows: dict[tuple[str, ...], int] = {}
    for number, record in data:
        own = tuple(_clean(record[i]) for i in keyed)
        for further, columns in groups.items():
            key = (*own, *further)
            if topic_at is None:
                topics = [(heads.dimensions[_TOPIC][i], heads.units[i] if heads.units else "") for i in columns]
                row = None
            else:
                unit = "" if unit_at is None else _clean(record[unit_at])
                topics = [(_clean(record[topic_at]), unit or (heads.units[columns[0]] if heads.units else ""))]
                row = open_rows.get(key)
            # Two regions of one name follow each other with all their topics: the second makes a row of its own.
            if row is None or any(topic in rows.cells[row] for topic in topics):
                row = open_rows[key] = len(rows.keys)
                rows.keys.append(key)
                rows.cells.append({})
                rows.lines.append({})
            rows.cells[row] |= {topic: record[before + i] for topic, i in zip(topics, columns, strict=True)}
            rows.lines[row] |= dict.fromkeys(topics, number)
    topics = list(dict.fromkeys(topic for cells in rows.cells for topic in cells))
    short = [i for i, cells in enumerate(rows.cells) if len(cells) < len(topics)]
    if short:
        lacking = listed(" ".join(rows.keys[i]) for i in short)
        message = f"some of the topics {listed(name for name, _ in topics)} are not there for {lacking}."
        first = min(rows.lines[short[0]].values())
        return (Problem("DATA-104", message, "The export may have been cut off: fetch it again.", file, first),)
    names = [heads.names[i] for i in keyed] + others
    return _frame(rows, names, topics, file, sha256, notes)


def _frame(
    rows: _Rows, keys: Sequence[str], topics: Sequence[Topic], file: str, sha256: str, notes: tuple[Note, ...]
) -> Table:
    plain = [name for name, _ in topics]
    names = {topic: topic[0] if plain.count(topic[0]) == 1 else f"{topic[0]} ({topic[1]})" for topic in topics}
    columns = {name: [key[i] for key in rows.keys] for i, name in enumerate(keys)}
    columns |= {names[topic]: [cells[topic] for cells in rows.cells] for topic in topics}
    frame = pd.DataFrame(columns, columns=[*keys, *names.values()], dtype="str")
    first = np.array([min(lines.values()) for lines in rows.lines], dtype=np.intp)
    lines = {names[topic]: np.array([lines[topic] for lines in rows.lines], dtype=np.intp) for topic in topics}
    apart = {name: frozen(at, np.intp) for name, at in lines.items() if not np.array_equal(at, first)}
    units = {names[topic]: topic[1] for topic in topics if topic[1]}
    return Table(frame, file, sha256, frozen(first, np.intp), notes, lines=apart, units=units)
