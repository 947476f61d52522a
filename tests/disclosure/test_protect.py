"""Tables with margins: rules against plain loops, what is hidden against an attacker who tries every table."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from impact.disclosure.attack import System, exposed, reach
from impact.disclosure.primary import dominated, full, small, within_percent
from impact.disclosure.profile import CBS_RA, PROFILES, PUBLIC, Profile, worst
from impact.disclosure.tables import Protected, margins, protect, ties

COUNTS = Profile("own", minimum_count=5)


# --- primary rules ----------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 40), max_size=6), min_size=1, max_size=5), st.integers(1, 3))
def test_rules_on_contributions_by_loop(cells: list[list[int]], n: int) -> None:
    values = np.array([x for cell in cells for x in cell], dtype=float)
    number = np.repeat(np.arange(len(cells)), [len(cell) for cell in cells])
    by_nk = dominated(values, number, len(cells), n, 0.75)
    by_p = within_percent(values, number, len(cells), 15.0)
    for place, cell in enumerate(cells):
        top = sorted(cell, reverse=True)
        assert by_nk[place] == (sum(cell) > 0 and 4 * sum(top[:n]) >= 3 * sum(cell))
        assert by_p[place] == (sum(cell) > 0 and 100 * sum(top[2:]) < 15 * top[0])


def test_a_count_of_nobody_discloses_only_where_that_is_asked() -> None:
    counts = np.array([0.0, 1.0, 9.0, 10.0, np.nan])
    assert small(counts, 10, zeros=False).tolist() == [False, True, True, False, False]
    assert small(counts, 10, zeros=True).tolist() == [True, True, True, False, False]


def test_all_or_none() -> None:
    """Of the first row all are in the first cell; in the second column 19 of 20."""
    assert full(np.array([[12.0, 0.0, 0.0], [30.0, 19.0, 31.0], [40.0, 1.0, 35.0]]), 0.9).tolist() == [
        [True, False, False],
        [False, True, False],
        [False, False, False],
    ]


def test_a_single_row_says_nothing_by_being_all_there_is() -> None:
    assert not full(np.array([[12.0], [30.0]]), 0.99).any(axis=None)


# --- what the shown numbers say of the hidden ones --------------------------------------------------------------------


def tables(low: int = 0, high: int = 30) -> st.SearchStrategy[np.ndarray]:
    shape = st.tuples(st.integers(2, 4), st.integers(2, 4))
    return shape.flatmap(
        lambda size: st.lists(
            st.lists(st.integers(low, high), min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]
        ).map(lambda rows: np.array(rows, dtype=float))
    )


def attack(whole: np.ndarray, shown: np.ndarray, cell: int, known: tuple[int, ...] = ()) -> tuple[float, float]:
    """What anybody who sees `shown` can say of a cell: smallest and largest over all tables that fit (plain LP)."""
    rows, columns = whole.shape
    lines, sides = [], []
    for one in range(rows):
        line = np.zeros((rows, columns))
        line[one, :-1], line[one, -1] = 1, -1
        lines.append(line.ravel())
        sides.append(0.0)
    for one in range(columns):
        line = np.zeros((rows, columns))
        line[:-1, one], line[-1, one] = 1, -1
        lines.append(line.ravel())
        sides.append(0.0)
    for place in (*np.flatnonzero(shown.ravel()), *known):
        line = np.zeros(rows * columns)
        line[place] = 1
        lines.append(line)
        sides.append(whole.ravel()[place])
    ends = []
    for sign in (1, -1):
        goal = np.zeros(rows * columns)
        goal[cell] = sign
        found = linprog(goal, A_eq=np.array(lines), b_eq=np.array(sides), bounds=(0, None), method="highs")
        ends.append(np.inf if found.status == 3 else sign * found.fun)
    return ends[0], ends[1]


def shown_of(found: Protected) -> np.ndarray:
    return np.array([[x is not None for x in row] for row in found.table])


@settings(max_examples=120)
@given(tables())
def test_no_hidden_number_can_be_derived(inner: np.ndarray) -> None:
    """Hidden by a rule: by no more than a tenth, or one person; hidden for another's sake: not exactly."""
    found, whole = protect(inner, COUNTS), margins(inner)
    shown, marks = shown_of(found), np.array(found.marks)
    assert (shown == (marks == "")).all()
    assert (marks[(whole > 0) & (whole < 5)] == "count").all()
    assert all(x == whole[place] for place, x in np.ndenumerate(np.array(found.table, dtype=object)) if x is not None)
    if not shown.any():
        return
    lone = [int(place) for place in np.flatnonzero((marks != "").ravel() & (whole.ravel() == 1))]
    for cell in np.flatnonzero(~shown.ravel()):
        value, secondary = whole.ravel()[cell], marks.ravel()[cell] == "secondary"
        low, high = attack(whole, shown, int(cell))
        if secondary:
            assert high - low > 1e-6
            continue
        needs = max(1.0, 0.1 * value)
        assert low <= max(value - needs, 0) + 1e-6
        assert high >= value + needs - 1e-6
        for one in lone:
            if one != cell:
                low, high = attack(whole, shown, int(cell), (one,))
                assert low <= max(value - needs, 0) + 1e-6 and high >= value + needs - 1e-6


def test_every_table_that_fits_tried_one_by_one() -> None:
    """Of a 2 by 2 table with a small cell, whole numbers only: the attacker's range is that of the linear program."""
    inner = np.array([[3.0, 12.0], [14.0, 25.0]])
    found, whole = protect(inner, COUNTS), margins(inner)
    shown = shown_of(found)
    assert not shown[0, 0]
    fits = []
    for a, b, c, d in product(range(61), repeat=4):
        if a + b == 15 and c + d == 39 and a + c == 17:
            table = margins(np.array([[a, b], [c, d]], dtype=float))
            if (table == whole)[shown].all():
                fits.append(a)
    system = System(whole.ravel(), ties(2, 2), np.zeros(9))
    assert (min(fits), max(fits)) == pytest.approx(reach(system, ~shown.ravel(), 0))
    assert min(fits) <= 2 and max(fits) >= 4


def test_the_classic_of_one_hidden_cell() -> None:
    """One hidden cell is its row total minus the rest: a second one in its row, in its column, and where they meet."""
    whole = margins(np.array([[3.0, 20.0, 30.0], [40.0, 50.0, 60.0], [70.0, 80.0, 90.0]]))
    system = System(whole.ravel(), ties(3, 3), np.zeros(16))
    alone = np.zeros(16, dtype=bool)
    alone[0] = True
    assert exposed(system, alone, 0, 1.0) == (True, True)
    assert reach(system, alone, 0) == pytest.approx((3.0, 3.0))
    found = protect(whole[:-1, :-1], COUNTS)
    assert sum(mark == "secondary" for row in found.marks for mark in row) >= 3
    assert found.table[3][3] == 443.0, "the total of all can stay"


def test_two_people_who_are_alone_in_their_cells_do_not_give_each_other_away() -> None:
    """With both cells hidden and their row total shown, each would know the other."""
    inner = np.array([[1.0, 1.0, 30.0], [40.0, 50.0, 60.0], [30.0, 30.0, 30.0]])
    found, whole = protect(inner, COUNTS), margins(inner)
    shown = shown_of(found)
    assert not shown[0, 0] and not shown[0, 1]
    if shown.any():
        low, high = attack(whole, shown, 1, (0,))
        assert low <= 0 + 1e-6 and high >= 2 - 1e-6


def test_where_nothing_smaller_will_do_everything_goes() -> None:
    found = protect(np.array([[1.0]]), COUNTS)
    assert found.table == ((None, None), (None, None))
    assert found.status == "suppressed"


@settings(max_examples=60)
@given(tables(), st.integers(2, 10))
def test_hidden_first_and_rounded_then(inner: np.ndarray, base: int) -> None:
    profile = Profile("own", minimum_count=5, round_to=base)
    rounded, exact = protect(inner, profile), protect(inner, COUNTS)
    assert rounded.marks == exact.marks, "a small number does not come to be shown as 0 by rounding"
    for row, plain in zip(rounded.table, exact.table, strict=True):
        for x, y in zip(row, plain, strict=True):
            assert (x is None) == (y is None)
            assert x is None or y is None or (x % base == 0 and abs(x - y) <= base / 2)


# --- amounts ----------------------------------------------------------------------------------------------------------


def test_an_amount_that_one_contributor_dominates_goes_with_what_gives_it_away() -> None:
    profile = Profile("own", minimum_count=2, dominance=(1, 0.75), p_percent=10)
    parts = [[[90.0, 5, 3], [20.0, 20, 20]], [[30.0, 30, 20], [25.0, 25, 25]]]
    table = [[sum(cell) for cell in row] for row in parts]
    found = protect(table, profile, contributions=parts)
    assert found.marks[0][0] == "dominance"
    assert found.status == "suppressed"
    assert "secondary" in found.rules
    assert not {98.0} & {x for row in found.table for x in row}


def test_with_negative_amounts_dominance_is_for_a_person_to_judge() -> None:
    profile = Profile("own", dominance=(1, 0.75))
    found = protect([[1.0, 2.0]], profile, contributions=[[[3.0, -2.0], [1.0, 1.0]]])
    assert found.status == "needs review"


def test_without_contributions_dominance_never_passes() -> None:
    found = protect([[100.0, 200.0]], CBS_RA, counts=[[50, 60]])
    assert found.status == "needs review"
    assert found.rules == ("contributions are not known",)


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table, more",
    [
        ([1.0, 2.0], {}),
        ([[1.0, float("nan")]], {}),
        ([[-1.0, 2.0]], {}),
        ([[1.0, 2.0]], {"counts": [[1.0]]}),
        ([[1.0, 2.0]], {"contributions": [[[1.0], [3.0]]]}),
        ([[1.0, 2.0]], {"contributions": [[[1.0]]]}),
    ],
)
def test_a_table_that_makes_no_sense(table: list[object], more: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        protect(table, COUNTS, **more)  # type: ignore[arg-type]


def test_thresholds_out_of_range() -> None:
    with pytest.raises(ValueError, match="minimum_count, round_to, largest_weight, dominance, p_percent, protection"):
        Profile("own", 0, largest_weight=1.5, dominance=(0, 0.5), p_percent=0, protection=0, round_to=1)


def test_only_the_profile_of_public_figures_asks_nothing() -> None:
    assert {name: profile.asks for name, profile in PROFILES.items()} == {"public": False, "cbs-ra": True}
    assert CBS_RA.verify == "CBS" and PUBLIC.verify == ""


def test_the_verdict_of_a_table() -> None:
    assert worst([]) == "pass"
    assert worst(["pass", "suppressed"]) == "pass"
    assert worst(["suppressed", "suppressed"]) == "suppressed"
    assert worst(["suppressed", "needs review"]) == "needs review"
