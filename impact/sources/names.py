"""From names to codes, where gemeente and year make a name unique; every row where they do not is listed.

Names repeat: 'Centrum' lies in many gemeenten, and in Amsterdam 'Betondorp' is a wijk and the buurt inside it. So a
name is looked up among the regions of its own gemeente in its own year, and a row that could be two regions is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from impact.errors import Problem
from impact.sources.frame import Places, listed
from impact.sources.regions import Level, RegionKey

__all__ = ["NamedRegion", "codes_of_names"]


@dataclass(frozen=True, slots=True)
class NamedRegion:
    """A region and how it was called in the year of its division."""

    key: RegionKey
    name: str


def codes_of_names(
    names: Sequence[str],
    gemeente: str | Sequence[str],
    vintage: int,
    known: Iterable[NamedRegion],
    *,
    level: Level | None = None,
    file: str = "",
    column: str = "",
    places: Places | None = None,
) -> tuple[RegionKey, ...] | tuple[Problem, ...]:
    """The region that each row names, or every row of which that cannot be said.

    Parameters
    ----------
    names : (n,) str
        As they stand; compared without case and without doubled or outer spaces, and in no other way.
    gemeente : str or (n,) str
        Code of the gemeente, one for all or one per row; "" where it is not known.
    vintage : int
        Year of the division that the names are of.
    known : NamedRegion
        What is called how; only regions of this vintage count, since a name may have moved to other ground.
    level : Level, optional
        What the rows are, where that is known; a wijk and a buurt in it often have one name.
    file, column, places
        Where the rows stand, for the messages; by default rows counted as in a plain file.

    Returns
    -------
    tuple of RegionKey, or of Problem
        One problem per row. ``DATA-145`` no region of that gemeente and year has the name; ``DATA-146`` several have
        it; ``DATA-147`` two rows name the same region; ``DATA-148`` the gemeente of a row is not known, so that the
        name may be that of another gemeente.
    """
    within = [gemeente] * len(names) if isinstance(gemeente, str) else list(gemeente)
    if len(within) != len(names):
        raise ValueError(f"{len(names)} names and {len(within)} gemeenten")
    at = places or Places(np.arange(2, len(names) + 2))
    table: dict[tuple[str, str], list[RegionKey]] = {}
    years: set[int] = set()
    for region in known:
        years.add(region.key.vintage)
        lies = region.key.level is not Level.LAND and (level is None or region.key.level is level)
        if region.key.vintage == vintage and lies:
            table.setdefault((region.key.gemeente, _folded(region.name)), []).append(region.key)
    other = sorted(years - {vintage})
    found: list[RegionKey | None] = []
    problems: dict[int, Problem] = {}

    def problem(row: int, code: str, message: str, hint: str) -> None:
        problems[row] = Problem(code, message, hint, file, int(at.of(column)[row]), path=column)

    for row, (name, where) in enumerate(zip(names, within, strict=True)):
        regions = sorted(set(table.get((where, _folded(name)), ())))
        found.append(regions[0] if len(regions) == 1 else None)
        if not where:
            hint = "Give the gemeente of every row, or export the table again with codes."
            problem(row, "DATA-148", f"'{name}' may lie in any gemeente.", hint)
        elif not regions:
            hint = (
                f"Names are known of {listed(other)}, and a name may have moved since." if other and not table else ""
            )
            problem(row, "DATA-145", f"nothing in {where} is called '{name}' in the division of {vintage}.", hint)
        elif len(regions) > 1:
            hint = "State the level, or export the table again with codes."
            problem(
                row, "DATA-146", f"'{name}' is the name of {listed(key.code for key in regions)} ({vintage}).", hint
            )
    often = Counter(found)
    for row, key in enumerate(found):
        if key is not None and often[key] > 1:
            message = f"'{names[row]}' stands in more than one row, and {key} is one region."
            problem(row, "DATA-147", message, "")
    if problems:
        return tuple(problems[row] for row in sorted(problems))
    return tuple(key for key in found if key is not None)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
