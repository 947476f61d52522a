"""How often placebo areas call nothing an effect, where the treated areas are several wijken with shocks in common.

``python -m tests.simulation.test_placebo_areas 150`` makes the table of placebo areas in docs/synthetic-family.md. The
short set runs always, the long one with ``tox -e simulation``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import get_args

import numpy as np
import pytest

from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.diagnose import Pair, diagnose
from impact.inference.placebo import PlaceboSpace, Statistic
from impact.inference.placebo_sets import Sets
from impact.panel import NEVER, Panel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import ROOT
from tests.simulation.factors import BEFORE, LEVEL, PERIODS, lasting

PAGE = ROOT / "docs" / "synthetic-family.md"
HEAD = "| treated | residents | `sets=` | worlds | by the RMSPE ratio | by the estimate |"
SHORT, LONG = 20, 150
DRAWS = 39
FEW = 20  # p-values in fewer worlds than these tell nothing of a rate
STATISTICS: tuple[Statistic, ...] = ("rmspe-ratio", "estimate")
SETS: tuple[Sets, ...] = get_args(Sets)
TREATED = {"one area of 4 wijken": (1, 4), "20 areas of 2 wijken": (20, 2)}
RESIDENTS = {"as the donors": 1.0, "half as many": 0.5, "twice as many": 2.0}


@cache
def design(areas: int, size: int) -> Panel:
    """`areas` of `size` wijken that lie together, each all of its gemeente, and 40 gemeenten of 4 other wijken."""
    gemeente = np.concatenate([np.repeat(np.arange(areas), size), areas + np.repeat(np.arange(40), 4)])
    treated = np.arange(len(gemeente)) < areas * size
    rng = np.random.default_rng(1)
    town = rng.uniform(0, 100, size=(areas + 40, 2))
    count = len(gemeente)
    blank = Panel(
        y=np.zeros((count, PERIODS)),
        first=np.full(count, NEVER),
        units=tuple(f"w{row:03}" for row in range(count)),
        periods=tuple(str(2000 + t) for t in range(PERIODS)),
        cluster=gemeente,
        clusters=tuple(f"g{number:02}" for number in range(areas + 40)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
        residents=np.ones(count),
        place=town[gemeente] + rng.normal(0, 1, size=(count, 2)),
    )
    first = np.where(treated, float(BEFORE), NEVER)
    names = tuple(f"A{number:02}" for number in range(areas))
    return blank.assign(first, np.where(treated, gemeente, -1), names)


def draw(treated: str, residents: str, seed: int) -> Panel:
    """Nothing was done to anybody. Wijken of one gemeente have shocks in common, and few residents make more noise."""
    rng = Streams(20261126).at("placebo-areas", treated, residents, str(seed)).generator()
    panel = design(*TREATED[treated])
    count = len(panel.units)
    people = 2000 * np.exp(0.6 * rng.normal(size=count)) * np.where(panel.treated, RESIDENTS[residents], 1.0)
    loadings = rng.uniform(size=(count, 2))
    own = 0.4 * np.sqrt(2000 / people)[:, None] * lasting(rng, count)
    shared = 0.3 * lasting(rng, len(panel.clusters))[panel.cluster]
    common = loadings @ (2.0 * lasting(rng, 2)) + 3.0 * loadings.sum(axis=1, keepdims=True)
    return replace(panel, y=common + shared + own, residents=people)


@dataclass(frozen=True)
class Draw:
    """The panels of a world by number."""

    treated: str
    residents: str

    def __call__(self, number: int) -> Panel:
        return draw(self.treated, self.residents, number)


def rejections(treated: str, residents: str, sets: Sets, statistic: Statistic, worlds: int) -> tuple[int, int]:
    """In how many worlds there was a p-value, and in how many it was 5 % or less."""
    pair = Pair("placebo-space", SyntheticControl(), PlaceboSpace(draws=DRAWS, statistic=statistic, sets=sets))
    (row,) = diagnose(Draw(treated, residents), worlds, (pair,), Target("average", "area"), streams=Streams(1))
    given = row.size
    return (0, 0) if given is None else (given.worlds, round(given.value * given.worlds))


def told(treated: str, residents: str, sets: Sets, worlds: int) -> str:
    """A line of the table."""
    counts = [rejections(treated, residents, sets, statistic, worlds) for statistic in STATISTICS]
    rates = " | ".join(rate(*one) for one in counts)
    return f"| {treated} | {residents} | {sets} | {counts[0][0]} of {worlds} | {rates} |"


def rate(given: int, beyond: int) -> str:
    """The share of rejections, and the Monte-Carlo error of that or of a true 5 %, whichever is larger."""
    if given < FEW:
        return "refused"
    share = beyond / given
    return f"{share:.3f} ({np.sqrt(max(share * (1 - share), LEVEL * (1 - LEVEL)) / given):.3f})"


def lines() -> list[list[str]]:
    """The cells of the table in the page."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD)
    table = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def test_worlds_are_what_they_say() -> None:
    for treated, residents in product(TREATED, RESIDENTS):
        panel, again = draw(treated, residents, 3), draw(treated, residents, 3)
        assert panel.y.tobytes() == again.y.tobytes() != draw(treated, residents, 4).y.tobytes()
        areas, size = TREATED[treated]
        assert np.bincount(panel.area[panel.treated]).tolist() == [size] * areas
        assert panel.residents is not None and len(set(panel.cluster[panel.treated])) == areas


def test_the_page_has_a_line_for_each_world_and_kind_of_set() -> None:
    assert [tuple(row[:3]) for row in lines()] == [*product(TREATED, RESIDENTS, SETS)]
    for *_, worlds, ratio, estimate in lines():
        given = int(worlds.split(" of ")[0])
        assert [told == "refused" for told in (ratio, estimate)] == [given < FEW] * 2
        for told in (ratio, estimate) if given >= FEW else ():
            assert told == rate(given, round(float(told.split()[0]) * given))


@pytest.mark.parametrize("sets", SETS)
@pytest.mark.parametrize("at", range(len(STATISTICS)), ids=STATISTICS)
def test_a_few_worlds_do_not_belie_the_page(sets: Sets, at: int) -> None:
    """Within four errors of what many worlds gave."""
    treated, residents = next(iter(TREATED)), next(iter(RESIDENTS))
    (row,) = [row for row in lines() if row[:3] == [treated, residents, sets]]
    given, beyond = rejections(treated, residents, sets, STATISTICS[at], SHORT)
    known = float(row[4 + at].split()[0])
    assert given >= SHORT - 2
    assert abs(beyond / given - known) <= 4 * np.sqrt(max(known * (1 - known), LEVEL * (1 - LEVEL)) / given)


def main(worlds: int) -> None:
    """Compute all lines and write the table."""
    table = [HEAD, "|---|---|---|--:|--:|--:|"]
    for key in product(TREATED, RESIDENTS, SETS):
        table.append(told(*key, worlds))
        print(table[-1], file=sys.stderr, flush=True)
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD)
    _, _, tail = rest.partition("\n\n")
    PAGE.write_text(head + "\n".join(table) + "\n\n" + tail, encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LONG)
