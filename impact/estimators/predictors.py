"""Predictors of a synthetic control: covariates and outcomes before the start, as windows that are spelled out.

==========================================  ====================================================================
spelling                                    rows that come of it
==========================================  ====================================================================
``income``                                  its mean over the periods before the start, or its fixed value
``{of: beer, from: 1984, to: 1988}``        its mean over these periods; one of the two bounds may be left open
``{of: outcome, at: 1975}``                 the outcome in one period
``{of: outcome, each: true}``               every period before the start by itself; `from` and `to` narrow it
``{of: beer, statistic: median}``           the median instead of the mean
``{of: invest80, at: 1980, training:        what stands for it in the training half of a cross-validation
{of: invest70, at: 1980}}``
==========================================  ====================================================================

Periods are labels of the panel. ``outcome`` is the outcome, whatever the column is called. A predictor never sees a
period at or after the start (less anticipation), nor a period that is masked. Means are over the cells that were
observed, as in ``dataprep`` of the R package Synth; how many were not is said in a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.synthetic import Missing, Piece
from impact.longtable import few
from impact.panel import Panel

__all__ = ["OUTCOME", "Predictor", "Rows", "Spelled", "Statistic", "read_predictors", "rows", "standardised"]

OUTCOME: Final = "outcome"
Statistic = Literal["mean", "median"]

_ROUNDING: Final = 1e-11
_WORDS: Final = ("of", "at", "from", "to", "each", "statistic", "training")


@dataclass(frozen=True, slots=True)
class Predictor:
    """One predictor as it is asked for.

    Attributes
    ----------
    of : str
        A series or covariate of the panel, or "outcome".
    first, last : str
        Bounds of its window (labels of periods); "" is open.
    each : bool
        Whether every period of the window is a row of its own.
    statistic : {"mean", "median"}
        Of the observed cells in the window.
    training : Predictor or None
        What stands for it in the training half of a cross-validation.
    """

    of: str
    first: str = ""
    last: str = ""
    each: bool = False
    statistic: Statistic = "mean"
    training: Predictor | None = None

    @property
    def open(self) -> bool:
        """Whether it is about all periods before the start, however many these are."""
        return not self.first and not self.last

    @property
    def name(self) -> str:
        """``beer``, ``beer 1984``, ``beer 1984-1988``, ``beer from 1984``, ``median beer to 1988``."""
        if self.first and self.last:
            window = f" {self.first}" if self.first == self.last else f" {self.first}-{self.last}"
        else:
            window = f" from {self.first}" if self.first else f" to {self.last}" if self.last else ""
        return f"{'median ' if self.statistic == 'median' else ''}{self.of}{window}{', each' if self.each else ''}"


Spelled: TypeAlias = str | Mapping[str, Any] | Predictor
"""A predictor as it is written: a name, or a mapping of the words above."""


# --- spelling ---------------------------------------------------------------------------------------------------------


def read_predictors(given: Iterable[Spelled]) -> tuple[Predictor, ...]:
    """The predictors that are spelled.

    Raises
    ------
    ValueError
        For a spelling that is none, and for a predictor that stands twice.
    """
    if isinstance(given, (str, Mapping, Predictor)):
        raise ValueError(f"predictors are a list, and {given!r} is none: write [{given!r}]")
    found = tuple(_read(one) for one in given)
    for number, one in enumerate(found):
        if one.name in [other.name for other in found[:number]]:
            raise ValueError(f"predictors: {one.name!r} stands there for the second time")
    return found


def _read(given: object, *, inside: bool = False) -> Predictor:
    if isinstance(given, Predictor):
        return given
    if isinstance(given, str):
        given = {"of": given}
    if not isinstance(given, Mapping):
        raise ValueError(f"predictors: {given!r} is no predictor; write a name or {{of: NAME, from: …, to: …}}")
    odd = [str(word) for word in given if word not in _WORDS or (inside and word == "training")]
    if odd:
        raise ValueError(f"predictors know no word {', '.join(odd)}; they know {', '.join(_WORDS)}")
    of = given.get("of")
    if not isinstance(of, str) or not of.strip():
        raise ValueError(f"predictors: {dict(given)!r} does not say what it is of")
    if "at" in given and ("from" in given or "to" in given or given.get("each")):
        raise ValueError(f"predictors: {of} has one period `at`, so it has no `from`, `to` or `each`")
    statistic, each, training = given.get("statistic", "mean"), given.get("each", False), given.get("training")
    if statistic not in get_args(Statistic):
        raise ValueError(f"predictors: statistic={statistic!r} of {of} is not one of {', '.join(get_args(Statistic))}")
    if not isinstance(each, bool):
        raise ValueError(f"predictors: each={each!r} of {of} is not true or false")
    first, last = (_label(of, word, given.get("at", given.get(word))) for word in ("from", "to"))
    return Predictor(of, first, last, each, statistic, None if training is None else _read(training, inside=True))


def _label(of: str, word: str, given: object) -> str:
    if given is None:
        return ""
    if isinstance(given, bool) or not isinstance(given, (str, int)) or not str(given).strip():
        raise ValueError(f"predictors: {given!r} as the period `{word}` of {of} is no label of a period")
    return str(given).strip()


# --- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What the donors should agree on with a treated area.

    Attributes
    ----------
    part : Piece
        With the donors that are left.
    names : tuple of str
        Of the `P` rows.
    a : (P, J) float
        Of the donors.
    b : (P,) float
        Of the area: the mean over its units.
    notes : tuple of str
        Which cells were missing, which donors and rows left.
    left_out : tuple of str
        Rows that say nothing: masked, or alike for all donors.
    size : (P,) float or None
        Largest cell that a row is made of: differences far below it are rounding.
    """

    part: Piece
    names: tuple[str, ...]
    a: Float2
    b: Float1
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    size: Float1 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One row before it is computed: which cells (units, k) it is the statistic of."""

    name: str
    cells: Float2
    statistic: Statistic


def rows(
    panel: Panel,
    part: Piece,
    predictors: Sequence[Predictor],
    *,
    anticipation: int = 0,
    missing: Missing = "refuse",
    within: Int1 | None = None,
    until: int | None = None,
) -> Rows | Refused:
    """The predictors of one piece and of its donors.

    Parameters
    ----------
    panel, part
        The units, and who is compared with whom.
    predictors : sequence of Predictor
        See `read_predictors`.
    anticipation : int
        Periods before the start that are not learned from.
    missing : {"refuse", "drop-donors"}
        What happens with a donor of which a covariate was never observed in its window. A unit of the treated area
        must have been.
    within : (k,) int, optional
        Periods that open windows are about; all before the start where it is not given.
    until : int, optional
        The first period that no window may reach, where that is one before the start.

    Returns
    -------
    Rows or Refused
        Rows in the order of the predictors, in their own units. Masked periods are left out of every window, and so
        is a predictor of which nothing else is left.
    """
    stop = max(int(panel.first[part.rows[0]]) - anticipation, 0)
    stop = stop if until is None else min(stop, until)
    every = np.append(part.donors, part.rows)
    made: list[_Row] = []
    masked: list[str] = []
    for one in predictors:
        window = _window(panel, part, one, stop)
        if isinstance(window, Refused):
            return window
        if one.open and within is not None:
            window = np.intersect1d(window, within)
        values = (panel.y if one.of == OUTCOME else panel.figures[one.of])[every]
        name, fixed = one.name.removesuffix(", each"), values.shape[1] == 1
        several = [(name, window)]
        if one.each and not fixed:
            labels = [panel.periods[t] for t in window]
            names = [replace(one, first=label, last=label, each=False).name for label in labels]
            several = [(label, window[[t]]) for t, label in enumerate(names)]
        for label, periods in several:
            usable = np.intersect1d(periods, part.before)
            if fixed or usable.size:
                made.append(_Row(label, values if fixed else values[:, usable], one.statistic))
            else:
                masked.append(label)
    names = [row.name for row in made]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return Refused(
            _what(part), f"{few(twice)} stands there for the second time", "Name every predictor and period once."
        )
    if not made:
        return Refused(_what(part), "no period of their windows may be learned from", "Take earlier windows.")
    notes = [f"{few(masked)} of {part.name} is left out: its periods are masked"] if masked else []
    return _computed(panel, part, made, missing, notes, tuple(masked))


def standardised(found: Rows) -> Rows | Refused:
    """Every row divided by its standard deviation over the donors and the area (one column), as Synth does.

    Rows in which no donor differs from another tell nothing and are left out, with a note; refused where none is left.
    """
    size = np.abs(found.a).max(axis=1) if found.size is None else found.size
    differ: Bool1 = np.asarray(np.ptp(found.a, axis=1) > _ROUNDING * size)
    kept = np.flatnonzero(differ)
    if not len(kept):
        return Refused(_what(found.part), "no donor differs from another in any of them", "Take other predictors.")
    notes, alike = found.notes, tuple(found.names[row] for row in np.flatnonzero(~differ))
    if alike:
        notes = (*notes, f"no donors of {found.part.name} differ in {few([*alike])}, which is left out")
    a, b = found.a[kept], found.b[kept]
    spread = np.std(np.column_stack([a, b]), axis=1, ddof=1)
    names = tuple(found.names[row] for row in kept)
    left_out = (*found.left_out, *alike)
    return Rows(found.part, names, a / spread[:, None], b / spread, notes, left_out, size[kept] / spread)


def _what(part: Piece) -> str:
    return f"the predictors of {part.name}"


def _window(panel: Panel, part: Piece, one: Predictor, stop: int) -> Int1 | Refused:
    """Periods of a window, masked ones included."""
    if one.of != OUTCOME and one.of not in panel.figures:
        known = ", ".join([*panel.figures, OUTCOME])
        return Refused(
            _what(part),
            f"the panel has no series {one.of}",
            f"Name its column with series= in Panel.from_frame; known: {known}.",
        )
    strange = [label for label in (one.first, one.last) if label and label not in panel.periods]
    if strange:
        return Refused(
            _what(part),
            f"{strange[0]} in {one.name} is no period of the panel",
            f"Periods: {panel.periods[0]} to {panel.periods[-1]}.",
        )
    low = panel.periods.index(one.first) if one.first else 0
    high = panel.periods.index(one.last) if one.last else max(stop - 1, low)
    if low > high:
        return Refused(_what(part), f"{one.name} ends before it begins", "Turn the two periods round.")
    if high >= stop:
        return Refused(
            _what(part),
            f"{one.name} reaches into {panel.periods[max(low, stop)]}, and what {part.name} is learned from "
            + (f"ends in {panel.periods[stop - 1]}" if stop else "has no period"),
            "End every window before the start and its anticipation.",
        )
    return np.arange(low, high + 1)


def _computed(
    panel: Panel, part: Piece, made: list[_Row], missing: Missing, notes: list[str], left_out: tuple[str, ...]
) -> Rows | Refused:
    values = np.array([_statistic(row) for row in made])
    count = len(part.donors)
    unknown = np.isnan(values)
    treated = [panel.units[unit] for unit in part.rows[unknown[:, count:].any(axis=0)]]
    if treated:
        where = [row.name for row, bad in zip(made, unknown[:, count:].any(axis=1), strict=True) if bad]
        return Refused(
            _what(part),
            f"{few(treated)} has no observation of {few(where)}",
            "Take another window or predictor; nothing is filled in.",
        )
    gone: Bool1 = np.asarray(unknown[:, :count].any(axis=0))
    if gone.any():
        where = [row.name for row, bad in zip(made, unknown[:, :count].any(axis=1), strict=True) if bad]
        lost = few([panel.units[unit] for unit in part.donors[gone]])
        said = f"{int(gone.sum())} donors of {part.name} have no observation of {few(where)}"
        if missing == "refuse":
            return Refused(
                _what(part),
                f"{said}: {lost}",
                "Leave these donors or this predictor out by name, or set missing='drop-donors'.",
            )
        notes = [*notes, f"{said} and are left out: {lost}"]
    stay = np.flatnonzero(~gone)
    if len(stay) < 2:
        return Refused(_what(part), f"{len(stay)} donors are left", "Take predictors that more donors have.")
    notes = [*notes, *_gaps(part, made, np.append(stay, np.arange(count, values.shape[1])))]
    left = replace(part, donors=part.donors[stay])
    names = tuple(row.name for row in made)
    size = np.array([np.nanmax(np.abs(row.cells)) for row in made])
    return Rows(left, names, values[:, stay], values[:, count:] @ part.share, tuple(notes), left_out, size)


def _statistic(row: _Row) -> Float1:
    """(units,) the mean or median of the observed cells; nan where there are none."""
    seen = ~np.isnan(row.cells)
    known = seen.any(axis=1)
    answer = np.full(len(row.cells), np.nan)
    if row.statistic == "median":
        answer[known] = np.nanmedian(row.cells[known], axis=1)
    else:
        answer[known] = np.where(seen, row.cells, 0.0)[known].sum(axis=1) / seen[known].sum(axis=1)
    return answer


def _gaps(part: Piece, made: list[_Row], used: Int1) -> Iterator[str]:
    """How many cells of a window were not observed, among units that are used."""
    for row in made:
        lost = int(np.isnan(row.cells[used]).sum())
        if lost:
            yield (
                f"{row.name} of {part.name}: {lost} of {row.cells[used].size} cells were not observed, and the "
                f"{row.statistic} is of the others"
            )
