"""A table with its margins as it may be published: cells that disclose something and those that give them away go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool2, Float1, Float2, Int1
from impact.disclosure.attack import System, complement
from impact.disclosure.primary import dominated, full, small, within_percent
from impact.disclosure.profile import Profile, Verdict

__all__ = ["Protected", "margins", "protect", "rounded", "ties"]

Contributions: TypeAlias = Sequence[Sequence[ArrayLike]]


@dataclass(frozen=True, slots=True)
class Protected:
    """A table that may be published, the last row and the last column its totals.

    Attributes
    ----------
    table : tuple of rows of float or None
        None where a number is not shown; never 0 for that.
    marks : tuple of rows of str
        The rule by which a number is not shown: ``count``, ``zero``, ``full``, ``dominance``, ``p-percent``, or
        ``secondary`` where it would give another one away; "" where it is shown.
    status : {"pass", "suppressed", "needs review"}
        "suppressed" where anything is; "needs review" where a rule could not be judged.
    rules : tuple of str
        What decided, and what could not be judged.
    """

    table: tuple[tuple[float | None, ...], ...]
    marks: tuple[tuple[str, ...], ...]
    status: Verdict
    rules: tuple[str, ...]


def protect(
    table: ArrayLike,
    profile: Profile,
    *,
    counts: ArrayLike | None = None,
    contributions: Contributions | None = None,
) -> Protected:
    """Hide, then round.

    Parameters
    ----------
    table : (R, C) float
        Without margins: these are computed. A table of counts, unless `counts` or `contributions` are given.
    profile : Profile
        Its thresholds.
    counts : (R, C) float, optional
        How many are behind every cell of a table of amounts.
    contributions : R rows of C arrays, optional
        What everyone behind a cell contributes to it; they add up to `table`.

    Raises
    ------
    ValueError
        The table is not two-dimensional, has a number that is not known or a negative count, or the contributions do
        not add up to it.
    """
    inner = np.asarray(table, dtype=float)
    if inner.ndim != 2 or not inner.size or not np.isfinite(inner).all():
        raise ValueError("a table has rows and columns, and a number in every cell")
    given = None if contributions is None else _flat(contributions, inner)
    behind = _behind(inner, counts, given)
    whole, number = margins(inner), margins(behind)
    marks = _primary(whole, number, profile, given, counted=counts is None and contributions is None)
    rules = sorted({mark for mark in marks.ravel().tolist() if mark})
    unknown = _unknown(profile, whole, given, counts)
    hidden = _hidden(whole, number, marks != "", profile)
    marks[hidden & (marks == "")] = "secondary"
    rules += ["secondary"] if (marks == "secondary").any() else []
    shown = rounded(whole, profile)
    status: Verdict = "needs review" if unknown else "suppressed" if hidden.any() else "pass"
    rows = tuple(
        tuple(None if gone else float(x) for x, gone in zip(line, out, strict=True))
        for line, out in zip(shown, hidden, strict=True)
    )
    return Protected(rows, tuple(tuple(map(str, line)) for line in marks), status, (*rules, *unknown))


def rounded(numbers: Float2, profile: Profile) -> Float2:
    """Every number as the nearest multiple of the base; margins are rounded by themselves, so they need not add up."""
    return numbers if profile.round_to is None else np.asarray(np.round(numbers / profile.round_to) * profile.round_to)


def margins(inner: Float2) -> Float2:
    """(R + 1, C + 1) with totals."""
    rows = np.vstack([inner, inner.sum(axis=0)])
    return np.hstack([rows, rows.sum(axis=1, keepdims=True)])


def ties(rows: int, columns: int) -> Float2:
    """(rows + columns + 2, (rows + 1)(columns + 1)) total minus parts, of every row and every column."""
    shape = (rows + 1, columns + 1)
    out = []
    for line in range(shape[0]):
        one = np.zeros(shape)
        one[line, :-1], one[line, -1] = -1, 1
        out.append(one.ravel())
    for line in range(shape[1]):
        one = np.zeros(shape)
        one[:-1, line], one[-1, line] = -1, 1
        out.append(one.ravel())
    return np.array(out)


def _flat(contributions: Contributions, inner: Float2) -> tuple[Float1, Int1]:
    """All contributions, and the number of the cell of each."""
    parts = [np.asarray(part, dtype=float).ravel() for line in contributions for part in line]
    if len(contributions) != inner.shape[0] or len(parts) != inner.size:
        raise ValueError(f"contributions are given of {len(parts)} cells, and the table has {inner.size}")
    values = np.concatenate(parts)
    cell = np.repeat(np.arange(inner.size), [len(part) for part in parts])
    total = np.bincount(cell, weights=values, minlength=inner.size)
    if not np.allclose(total, inner.ravel(), rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(inner).max()))):
        raise ValueError("the contributions do not add up to the table")
    return values, cell


def _behind(inner: Float2, counts: ArrayLike | None, given: tuple[Float1, Int1] | None) -> Float2:
    if given is not None:
        return np.bincount(given[1], minlength=inner.size).reshape(inner.shape).astype(float)
    behind = inner if counts is None else np.asarray(counts, dtype=float)
    if behind.shape != inner.shape or not (behind >= 0).all():
        raise ValueError("counts are not negative, and there is one for every cell of the table")
    return behind


def _primary(
    whole: Float2, number: Float2, profile: Profile, given: tuple[Float1, Int1] | None, *, counted: bool
) -> np.ndarray:
    """(R + 1, C + 1) the first rule that a cell or a total breaks."""
    marks = np.full(whole.shape, "", dtype=object)

    def mark(rule: str, broken: Bool2) -> None:
        marks[broken & (marks == "")] = rule

    if profile.minimum_count is not None:
        mark("zero", (number == 0) & profile.zeros)
        mark("count", small(number, profile.minimum_count, zeros=False))
    elif profile.zeros:
        mark("zero", number == 0)
    if profile.full_share is not None and counted:
        inside = np.zeros(whole.shape, dtype=bool)
        inside[:-1, :-1] = full(whole[:-1, :-1], profile.full_share)
        mark("full", inside)
    if given is not None and not (given[0] < 0).any():
        values, cell = _with_totals(*given, whole.shape)
        if profile.dominance is not None:
            mark("dominance", dominated(values, cell, whole.size, *profile.dominance).reshape(whole.shape))
        if profile.p_percent is not None:
            mark("p-percent", within_percent(values, cell, whole.size, profile.p_percent).reshape(whole.shape))
    return marks


def _with_totals(values: Float1, cell: Int1, shape: tuple[int, ...]) -> tuple[Float1, Int1]:
    """The contributions to cells, and again to the totals of their row, of their column and of all."""
    columns = shape[1] - 1
    row, column = np.divmod(cell, columns)
    last_row, last_column = np.full_like(row, shape[0] - 1), np.full_like(column, columns)
    places = [(row, column), (row, last_column), (last_row, column), (last_row, last_column)]
    return np.tile(values, 4), np.concatenate([r * shape[1] + c for r, c in places])


def _unknown(
    profile: Profile, whole: Float2, given: tuple[Float1, Int1] | None, counts: ArrayLike | None
) -> tuple[str, ...]:
    """Rules that the profile has and that could not be judged."""
    asks = profile.dominance is not None or profile.p_percent is not None
    if not asks or (given is None and counts is None):
        return ()  # in a table of counts everyone contributes one
    if given is None:
        return ("contributions are not known",)
    return ("dominance is not defined with negative contributions",) if (given[0] < 0).any() else ()


def _hidden(whole: Float2, number: Float2, primary: Bool2, profile: Profile) -> Bool2:
    """What is not shown; everything where no smaller part of the table can be kept."""
    if not primary.any():
        return primary
    flat, count = whole.ravel(), number.ravel()
    signed = bool((whole < 0).any())
    system = System(flat, ties(*(n - 1 for n in whole.shape)), np.full(flat.shape, -np.inf if signed else 0.0))
    least = 1.0 if np.array_equal(whole, number) else 1e-6 * float(np.abs(flat).max() or 1.0)
    needs = np.maximum(profile.protection * np.abs(flat), least)
    # A small number is dear in what it says and cheap in what it hides: the cost falls off slowly with size.
    cost = 1.0 + np.abs(flat)
    found = complement(system, primary.ravel(), needs, cost, alone=count == 1)
    return np.ones(whole.shape, dtype=bool) if found is None else found.reshape(whole.shape)
