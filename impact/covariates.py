"""What terms come to: named columns, fixed or by period, with everything that is wrong with them said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2
from impact.errors import DataError, Problem, raise_all
from impact.longtable import few
from impact.terms import Term

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_LEVELS", "Coding", "Given", "Levels", "coded", "expand", "levels"]

MOST_LEVELS: Final = 100
"""A category with more levels is refused: it is a number, or the name of a unit."""

# --- levels -----------------------------------------------------------------------------------------------------------


def levels(labels: Sequence[str]) -> tuple[Float1, tuple[str, ...]]:
    """Number of the level of every label, nan for "", and the levels in order: by size when all are whole numbers."""
    names = sorted({label for label in labels if label})
    if all(re.fullmatch(r"[+-]?\d+", name) for name in names):
        names.sort(key=int)
    place = {name: float(number) for number, name in enumerate(names)} | {"": np.nan}
    return np.array([place[label] for label in labels], dtype=np.float64), tuple(names)


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """A long table in which all that `terms` are made of are numbers.

    Attributes
    ----------
    terms : tuple of Term
    frame : DataFrame
        The table, with a column more for every category: the number of the level.
    names : mapping of category to the column with its numbers
        The category itself where the table has no such column, or not once.
    levels : mapping of category to its levels
    problems : tuple of Problem
        ``TERM-005``, with the rows.
    """

    terms: tuple[Term, ...]
    frame: pd.DataFrame
    names: Mapping[str, str]
    levels: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of `frame` to read as covariates."""
        return tuple(dict.fromkeys([*(name for term in self.terms for name in term.numbers), *self.names.values()]))

    def covariates(
        self, read: Mapping[str, Float2], units: tuple[str, ...], periods: tuple[str, ...], seen: Bool2, controls: Bool1
    ) -> tuple[dict[str, Float2], tuple[Levels, ...]]:
        """What the terms come to, once `columns` were read from `frame`; the rest as in `Given`, see `expand`."""
        numbers = {name: read[name] for term in self.terms for name in term.numbers}
        codes = {name: read[column] for name, column in self.names.items()}
        given = Given(numbers, codes, self.levels, units, periods, seen, controls)
        return expand(self.terms, given, problems=self.problems)


def coded(df: pd.DataFrame, terms: tuple[Term, ...], roles: Mapping[str, str | None] | None = None) -> Coding:
    """Categories of `df`, which is not changed, as numbers of their levels; `roles` are columns that cannot be terms.

    A covariate that is the outcome, or the treatment, explains every effect away.
    """
    import pandas as pd

    names: dict[str, str] = {}
    known: dict[str, tuple[str, ...]] = {}
    more: dict[str, Float1] = {}
    problems: list[Problem] = []
    taken = {column: role for role, column in (roles or {}).items() if column is not None}
    for column in dict.fromkeys(name for term in terms for name in (*term.numbers, *term.categories)):
        if column in taken:
            message = f"{column!r} is the {taken[column]} and cannot be a covariate as well"
            problems.append(Problem("TERM-008", message, "leave it out", path=column))
    for column in dict.fromkeys(name for term in terms for name in term.categories):
        names[column] = column
        if (df.columns == column).sum() != 1:
            continue
        while names[column] in df.columns or names[column] in more:
            names[column] += "="
        codes, values = pd.factorize(df[column])
        labels = [_label(value) for value in values]
        odd = np.array([label is None for label in labels], dtype=bool)
        if odd.any():
            rows = few([str(row) for row in df.index[np.append(odd, False)[codes]]], most=8)
            what = few([repr(str(value)) for value, bad in zip(values, odd, strict=True) if bad])
            message = f"a category holds texts or whole numbers, and no {what} (rows {rows})"
            problems.append(Problem("TERM-005", message, "make classes of it first", path=column))
        number, known[column] = levels([label or "" for label in labels])
        more[names[column]] = np.append(number, np.nan)[codes]
    return Coding(terms, df.assign(**more) if more else df, names, known, tuple(problems))


def _label(value: object) -> str | None:
    """A level as text, "" for a blank; None for what is no level: fractions, dates."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else None
    return None


@dataclass(frozen=True, slots=True)
class Levels:
    """How the levels of a category lie over the units.

    Attributes
    ----------
    column : str
    reference : str
        The first level, which the others are compared with.
    others : tuple of str
    once : tuple of str
        Levels of one unit only.
    alone : tuple of str
        Levels that no control has: nobody tells what these units would have done without treatment.
    """

    column: str
    reference: str
    others: tuple[str, ...]
    once: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = [f"{self.column}: {few([*self.others])} against {self.reference}, the first level"]
        said += [f"one unit only has {few([*self.once])}"] if self.once else []
        said += [f"no control has {few([*self.alone])}"] if self.alone else []
        return "; ".join(said)


# --- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What terms are made of, over `N` units and `T` periods.

    Attributes
    ----------
    numbers : mapping of column to (N, T) or (N, 1) float
    codes : mapping of category to (N, T) or (N, 1) float
        Number of the level.
    levels : mapping of category to tuple of str
    units, periods : tuple of str
    seen : (N, T) bool
        Where the outcome was observed; elsewhere a value may be missing.
    controls : (N,) bool
        Units that can tell what happens without treatment.
    """

    numbers: Mapping[str, Float2]
    codes: Mapping[str, Float2]
    levels: Mapping[str, tuple[str, ...]]
    units: tuple[str, ...]
    periods: tuple[str, ...]
    seen: Bool2
    controls: Bool1


def expand(
    terms: Sequence[Term], given: Given, *, problems: Sequence[Problem] = (), file: str = ""
) -> tuple[dict[str, Float2], tuple[Levels, ...]]:
    """The columns that `terms` ask for, (N, 1) where they do not change over time and (N, T) where they do.

    Parameters
    ----------
    terms : sequence of Term
        As ``read_terms`` gives them.
    given : Given
        All that they are made of.
    problems : sequence of Problem
        What is already known to be wrong; raised with the rest.
    file : str
        Where the columns come from, for the messages.

    Returns
    -------
    columns : mapping of name to array
        In the order of the terms.
    levels : tuple of Levels
        One for every category.

    Raises
    ------
    DataError
        ``TERM-002`` to ``TERM-007``, all at once and with the units.
    """
    numbers = {name: _narrow(values, given.seen) for name, values in given.numbers.items()}
    codes = {name: _narrow(values, given.seen) for name, values in given.codes.items()}
    odd = {problem.path for problem in problems}
    found = [*problems, *_gaps(given, {**numbers, **{name: code for name, code in codes.items() if name not in odd}})]
    for column in dict.fromkeys(part.column for term in terms for part in term.factors if part.kind == "log"):
        if (bad := numbers[column] <= 0).any():
            hint = "leave these units out, or use the column itself: 1 is never added to make a logarithm possible"
            found.append(Problem("TERM-004", f"no logarithm of {_where(bad, given)}: 0 or less", hint, path=column))
    for column, names in given.levels.items():
        if column not in odd and len(names) == 1:
            message = f"a category with the one level {names[0]!r} tells nobody apart"
            found.append(Problem("TERM-006", message, "take it out", path=column))
        if len(names) > MOST_LEVELS:
            message = f"a category with {len(names)} levels; {MOST_LEVELS} is the most"
            found.append(Problem("TERM-005", message, "take larger classes, or the number itself", path=column))
    raise_all((replace(problem, file=file) for problem in found), DataError)
    columns: dict[str, Float2] = {}
    with np.errstate(over="ignore"):
        made = [pair for term in terms for pair in _columns(term, numbers, codes, given.levels)]
    for name, values in made:
        if name in columns:
            found.append(Problem("TERM-002", f"two covariates come to the name {name!r}", "rename a column", path=name))
        if (bad := np.isinf(values)).any():
            found.append(Problem("TERM-007", f"too large for {_where(bad, given)}", "take a larger unit", path=name))
        columns[name] = values
    raise_all((replace(problem, file=file) for problem in found), DataError)
    spread = tuple(_spread(column, codes[column], given.levels[column], given.controls) for column in codes)
    return columns, spread


def _narrow(values: Float2, seen: Bool2) -> Float2:
    """(N, 1) when it is fixed within every unit; a cell without an outcome is no gap then."""
    head = values[:, :1]
    if (values == head).all():
        return head
    known = ~np.isnan(values)
    if not known.any(axis=1).all() or (values.shape == seen.shape and (seen & ~known).any()):
        return values
    head = np.take_along_axis(values, known.argmax(axis=1)[:, None], axis=1)
    return head if ((values == head) | ~known).all() else values


def _gaps(given: Given, columns: Mapping[str, Float2]) -> Iterator[Problem]:
    seen = given.seen.any(axis=1, keepdims=True)
    for name, values in columns.items():
        bad = np.isnan(values) & (seen if values.shape[1] == 1 else given.seen)
        if bad.any():
            hint = "complete it, or leave these units out; nothing is filled in"
            yield Problem("TERM-003", f"a covariate is missing for {_where(bad, given)}", hint, path=name)


def _where(bad: Bool2, given: Given) -> str:
    """The units of some cells, with the periods where it is about some of them only."""
    rows = np.flatnonzero(bad.any(axis=1))
    whole = bad.shape[1] == 1 or (bad == given.seen)[rows].all()
    named = [
        given.units[row]
        if whole
        else f"{given.units[row]} in {few([given.periods[t] for t in np.flatnonzero(bad[row])], most=3)}"
        for row in rows[:5]
    ]
    return few(named + [""] * (len(rows) - len(named)))


def _columns(
    term: Term, numbers: Mapping[str, Float2], codes: Mapping[str, Float2], levels: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, Float2]]:
    if term.kind == "interaction":
        one, other = (list(_columns(part, numbers, codes, levels)) for part in term.parts)
        for name, values in one:
            for second, more in other:
                product = values * more
                # Levels that come together nowhere tell nothing.
                if len(term.categories) < 2 or product.any():
                    yield f"{name}:{second}", product
    elif term.kind == "category":
        for number, level in enumerate(levels[term.column]):
            if number:
                code = codes[term.column]
                yield f"{term.column}={level}", np.where(np.isnan(code), np.nan, code == number)
    else:
        values = numbers[term.column]
        known = {"column": values, "square": values * values}
        yield term.name, known[term.kind] if term.kind in known else np.log(values)


def _spread(column: str, codes: Float2, names: tuple[str, ...], controls: Bool1) -> Levels:
    has = np.array([(codes == number).any(axis=1) for number in range(len(names))])
    count, free = has.sum(axis=1), has[:, controls].sum(axis=1)
    once = tuple(name for name, units in zip(names, count, strict=True) if units == 1)
    only = tuple(name for name, units, others in zip(names, count, free, strict=True) if units and not others)
    return Levels(column, names[0], names[1:], once, only)
