"""Figures of one division in another: counts are spread by the shares of a crosswalk, rates are taken anew.

A rate is not spread: its numerator and its denominator are, and the rate is taken of what they became. A score without
a denominator (an index, a percentage whose base is not given, the estimate of a model) cannot be converted at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from impact.arrays import Bool1, Float1, Float2, Int1, frozen, require
from impact.errors import Refused
from impact.sources.crosswalk import Crosswalk
from impact.sources.regions import level_of

__all__ = ["WHOLE", "Converted", "convert_counts", "convert_rates", "unconvertible"]

WHOLE: Final = 0.99
"""A part at least as large is the region itself but for slivers, and does not count as crosswalked."""


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """Figures in another division.

    Attributes
    ----------
    codes : (M,) tuple of str
        The regions of the new division that hold anything of the old ones, sorted.
    values : (M, T) float
        nan where any part is unknown: nothing is filled in.
    lacking : mapping of str to tuple of str
        New regions that hold a part of old regions for which nothing was given, with those; they are unknown too.
    mass, spread : (M,) float
        Residents of each, and those of them that came with a part of a region that was cut; nan where unknown.
    whole : (M,) bool
        Nothing came with a part of a region that was cut.
    """

    codes: tuple[str, ...]
    values: Float2
    lacking: Mapping[str, tuple[str, ...]]
    mass: Float1
    spread: Float1
    whole: Bool1

    @property
    def crosswalked(self) -> Mapping[str, float | None]:
        """Per region the share of its residents that was crosswalked; None where it cannot be known."""
        return {code: self._share(np.array([row])) for row, code in enumerate(self.codes)}

    def share_of(self, codes: Sequence[str]) -> float | None:
        """The share of the residents of an area (a union of regions) that was crosswalked.

        Parameters
        ----------
        codes : str
            Regions of the new division, each among `Converted.codes`.

        Returns
        -------
        float or None
            None where residents are unknown, or nobody lives there. 0 means that only codes or names changed, or
            borders between whole regions, but for slivers of less than 1 %.
        """
        place = {code: row for row, code in enumerate(self.codes)}
        unknown = [code for code in codes if code not in place]
        if unknown or len(set(codes)) < len(codes):
            raise ValueError(f"expected codes of the new division, each once; got {', '.join(unknown or codes)}")
        return self._share(np.array([place[code] for code in codes], dtype=np.intp))

    def _share(self, at: Int1) -> float | None:
        if self.whole[at].all():
            return 0.0
        mass, spread = float(self.mass[at].sum()), float(self.spread[at].sum())
        return spread / mass if mass > 0 else None  # nan > 0 is False


def convert_counts(
    crosswalk: Crosswalk,
    codes: Sequence[str],
    counts: ArrayLike,
    *,
    residents: ArrayLike | None = None,
    whole: float = WHOLE,
) -> Converted:
    """Counts of the old regions, spread over the new ones by their shares; totals stay what they were.

    Parameters
    ----------
    crosswalk : Crosswalk
        Leads from the division of the counts to another.
    codes : (N,) str
        Regions of ``crosswalk.start``, each once; all of one level.
    counts : (N, T) float
        nan where unknown.
    residents : (N,) float, optional
        To say which share of the residents is crosswalked; by default the mean size of the counts themselves.
    whole : float
        A part of a region counts as crosswalked when it is less than this.

    Returns
    -------
    Converted

    Raises
    ------
    ValueError
        A code twice or of another level; a negative number of residents.
    """
    values = np.asarray(counts, dtype=np.float64)
    require("counts", values, (len(codes), None))
    if len(set(codes)) < len(codes):
        raise ValueError("a code stands there twice")
    names, matrix = _shares(crosswalk, codes)
    known = np.isfinite(values)
    total = np.asarray(matrix @ np.where(known, values, 0.0))
    total[np.asarray((matrix > 0) @ (~known).astype(np.float64)) > 0] = np.nan
    lacking = _lacking(crosswalk, codes, names)
    absent = np.array([name in lacking for name in names], dtype=bool)
    total[absent] = np.nan
    size = _sizes(values, known) if residents is None else np.asarray(residents, dtype=np.float64)
    require("residents", size, (len(codes),))
    if (size < 0).any():
        raise ValueError("residents are numbers of 0 or more")
    cut = matrix.copy()
    cut.data[cut.data >= whole] = 0.0
    cut.eliminate_zeros()
    mass, spread = np.asarray(matrix @ size), np.asarray(cut @ size)
    mass[absent] = np.nan
    entire = (np.diff(cut.indptr) == 0) & ~absent
    return Converted(names, frozen(total), lacking, frozen(mass), frozen(spread), frozen(entire, np.bool_))


def convert_rates(
    crosswalk: Crosswalk,
    codes: Sequence[str],
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    per: float = 1.0,
    residents: ArrayLike | None = None,
    whole: float = WHOLE,
) -> Converted:
    """Rates in the new division: numerator and denominator are converted, and the rate is taken of what they became.

    Parameters are those of `convert_counts`, with two tables of one shape; rates are `per` so many. Where the
    denominator is 0 or unknown there is no rate (nan). Residents are the denominator unless they are given.
    """
    below = convert_counts(crosswalk, codes, denominator, residents=residents, whole=whole)
    above = convert_counts(crosswalk, codes, numerator, whole=whole)
    require("numerator", above.values, below.values.shape)
    rate = np.full(below.values.shape, np.nan)
    np.divide(per * above.values, below.values, out=rate, where=below.values > 0)
    return Converted(below.codes, frozen(rate), below.lacking, below.mass, below.spread, below.whole)


def unconvertible(what: str) -> Refused:
    """Why a figure without a numerator and a denominator stays in its own division."""
    return Refused(
        f"{what} in another division",
        "it is a rate or a score without numerator and denominator, and a mean of two regions is not the rate of both",
        "Bring numerator and denominator, or use years of one division.",
    )


def _shares(crosswalk: Crosswalk, codes: Sequence[str]) -> tuple[tuple[str, ...], sparse.csr_array]:
    """The new codes, and (M, N) which share of each old region lies in which new one; columns sum to 1."""
    for code in codes:
        if level_of(code) is not crosswalk.level:
            raise ValueError(f"{code} is no {crosswalk.level}, and the crosswalk is of that level")
    parts = crosswalk.parts()
    triples = [
        (new, column, share) for column, code in enumerate(codes) for new, share in parts.get(code, ((code, 1.0),))
    ]
    names = tuple(sorted({new for new, _, _ in triples}))
    place = {name: row for row, name in enumerate(names)}
    rows, columns = [place[new] for new, _, _ in triples], [column for _, column, _ in triples]
    share = np.array([share for _, _, share in triples], dtype=np.float64)
    return names, sparse.csr_array((share, (rows, columns)), shape=(len(names), len(codes)))


def _lacking(crosswalk: Crosswalk, codes: Sequence[str], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    given, held = {*codes, *crosswalk.perhaps}, set(names)
    found: dict[str, tuple[str, ...]] = {}
    for old, new in zip(crosswalk.old, crosswalk.new, strict=True):
        if old not in given and new in held:
            found[new] = (*found.get(new, ()), old)
    return found


def _sizes(values: Float2, known: Bool1) -> Float1:
    """(N,) mean size of what is known of each row; nan where nothing is."""
    count = known.sum(axis=1)
    total = np.where(known, np.abs(values), 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0))
