"""Rules of a donor pool against the slow way, and a ledger that accounts for every unit once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.design.donors import Pool, Rule, donor_pool, same_gemeente
from impact.design.donors_rules import (
    band,
    bordering,
    co_treated,
    missing_before,
    near,
    other_gemeente,
    outside_pool,
    quantile_bounds,
    running,
    suppressed,
)
from impact.errors import Refused
from impact.register.calendar import Event, EventKind, Reach, events

UNITS = ("t", "a", "b", "c", "d")
TREATED = np.array([True, False, False, False, False])


def event(first: str, last: str = "") -> Event:
    return Event("deal", "Deal", EventKind.CO_TREATMENT, Reach.GEMEENTEN, first, last, (), "een bron")


def left(rule: Rule | Refused) -> list[str]:
    assert isinstance(rule, Rule)
    return [unit for unit, one in zip(UNITS, rule.applies, strict=True) if one]


# --- the ledger -------------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> tuple[tuple[str, ...], np.ndarray, list[Rule]]:
    count = draw(st.integers(1, 12))
    units = tuple(f"u{number}" for number in range(count))
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    rules = [
        Rule(f"rule-{number}", f"why {number}", np.array(draw(flags), dtype=bool), tuple(f"{number}{u}" for u in units))
        for number in range(draw(st.integers(0, 5)))
    ]
    return units, np.array(draw(flags), dtype=bool), rules


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_the_ledger_sums_to_the_total_and_names_the_first_rule(world: tuple[tuple[str, ...], np.ndarray, list[Rule]]):
    units, treated, rules = world
    pool = donor_pool(units, treated, rules, "proef")
    first = {
        unit: next((rule.code for rule in rules if rule.applies[number]), "")
        for number, unit in enumerate(units)
        if not treated[number]
    }
    if "" not in first.values():
        assert isinstance(pool, Refused) and "proef" in pool.what
        return
    assert isinstance(pool, Pool)
    ledger, flow = pool.ledger(), pool.flow()
    assert list(ledger["unit"]) == list(units)
    assert {*ledger["role"]} <= {"treated", "donor", "excluded"}
    out = ledger[ledger["role"] == "excluded"].set_index("unit")
    assert dict(out["step"]) == {unit: code for unit, code in first.items() if code}
    assert [out.loc[unit, "detail"] for unit in out.index] == [f"{code[5:]}{u}" for u, code in out["step"].items()]
    assert list(flow["step"]) == ["all", "treated", *(rule.code for rule in rules)]
    assert flow["removed"].sum() + len(pool.donors) == len(units)
    np.testing.assert_array_equal(flow["left"], len(units) - flow["removed"].cumsum())
    for rule in rules:
        assert flow.set_index("step").loc[rule.code, "removed"] == (out["step"] == rule.code).sum()
    assert {*flow["pool"], *ledger["pool"]} == {"proef"}


def test_the_order_of_the_rules_is_kept_and_decides_the_reason() -> None:
    one = outside_pool(UNITS, ["a", "c", "d"], "afgewezen", "niet afgewezen")
    two = band(np.array([1.0, 1, 1, 9, 9]), "inwoners", 5, None, "te klein")
    forward, backward = (donor_pool(UNITS, TREATED, rules) for rules in ([one, two], [two, one]))
    assert isinstance(forward, Pool) and isinstance(backward, Pool)
    assert forward.donors == backward.donors == ("c", "d")
    assert [(step.code, step.removed) for step in forward.steps[2:]] == [("outside-pool", 1), ("band", 1)]
    assert [(step.code, step.removed) for step in backward.steps[2:]] == [("band", 2), ("outside-pool", 0)]
    assert {row.unit: row.code for row in forward.excluded} == {"b": "outside-pool", "a": "band"}
    assert {row.unit: row.code for row in backward.excluded} == {"b": "band", "a": "band"}


def test_a_unit_that_stands_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="more than once: a"):
        donor_pool(("a", "b", "a"), [False] * 3, [])


# --- place ------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_near_is_the_distance_to_the_nearest_treated_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 25))
    place = rng.uniform(80_000, 100_000, (count, 2))
    treated = np.arange(count) < rng.integers(1, count)
    place[-1] = np.nan if rng.random() < 0.5 and not treated[-1] else place[-1]
    km = float(rng.uniform(0.5, 8))
    units = [f"u{number}" for number in range(count)]
    rule = near(units, place, treated, km, "")
    assert isinstance(rule, Rule)
    for unit in range(count):
        if np.isnan(place[unit]).any():
            assert rule.applies[unit] and rule.detail[unit] == "?"
            continue
        away = {other: np.hypot(*(place[unit] - place[other])) for other in np.flatnonzero(treated)}
        nearest = min(away, key=lambda other: away[other])
        assert rule.applies[unit] == (away[nearest] <= 1000 * km)
        assert rule.detail[unit] == (f"u{nearest} {away[nearest] / 1000:.1f} km" if rule.applies[unit] else "")


def test_at_the_distance_itself_a_unit_leaves() -> None:
    place = np.array([[0.0, 0], [3000, 4000], [3000, 4001], [9e4, 0], [9e4, 1]])
    assert left(near(UNITS, place, TREATED, 5, "")) == ["t", "a"]


def test_places_that_cannot_be_are_refused() -> None:
    place = np.array([[np.nan, 1], [1e5, 1], [1e5, 2], [1e5, 3], [1e5, 4]])
    refused = near(UNITS, place, TREATED, 2, "")
    assert isinstance(refused, Refused) and "the place of t is unknown" in refused.because
    degrees = near(UNITS, np.array([[4.3, 52.0]] * 5), TREATED, 2, "")
    assert isinstance(degrees, Refused) and "degrees" in degrees.because
    nobody = near(UNITS, np.full((5, 2), 1e5), np.zeros(5), 2, "")
    assert isinstance(nobody, Refused) and "no treated unit" in nobody.because
    with pytest.raises(ValueError, match="above 0"):
        near(UNITS, np.full((5, 2), 1e5), TREATED, 0, "")


def test_neighbours_count_from_either_side() -> None:
    rule = bordering(UNITS, TREATED, {"t": ["a", "elsewhere"], "b": {"t", "c"}, "c": ["b"]}, "ernaast")
    assert left(rule) == ["a", "b"]
    assert isinstance(rule, Rule)
    assert rule.detail == ("", "t", "t", "", "") and rule.unknown == ()
    island = bordering(UNITS, TREATED, {"t": []}, "")
    assert left(island) == []


def test_neighbours_of_a_treated_unit_that_are_unknown_are_refused() -> None:
    refused = bordering(UNITS, TREATED, {"b": ["c"], "c": ["b"]}, "")
    assert isinstance(refused, Refused) and "the neighbours of t are unknown" in refused.because


def test_another_gemeente_leaves_and_an_unknown_one_too() -> None:
    rule = other_gemeente(["A", "A", "B", "", "A"], TREATED, "zelfde beleid")
    assert left(rule) == ["b", "c"] and rule.detail == ("", "", "B", "?", "")
    assert other_gemeente(["", "", "B", "C", "D"], TREATED, "").applies.all(), "nothing says that blanks are alike"


def test_the_same_gemeente_leaves_and_an_unknown_one_too() -> None:
    rule = same_gemeente(["A", "A", "B", "", "C"], TREATED, "zelfde beleid")
    assert left(rule) == ["t", "a", "c"] and rule.detail == ("A", "A", "", "?", "")


# --- co-treatment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "periods", "expected"),
    [
        ("2022", "2023", ["2021", "2022", "2023", "2024"], [0, 1, 1, 0]),
        ("2022-07", "", ["2021", "2022", "2023"], [0, 1, 1]),
        ("2022-10", "2023-07", ["2021/'22", "2022/'23", "2023/'24"], [0, 1, 0]),
        ("2022", "2022", ["2020/'21", "2021/'22", "2022/'23", "2023/'24"], [0, 1, 1, 0]),
        ("2022-08", "2022-08", ["2021/'22", "2022/'23"], [0, 1]),
        ("2020", "2021", ["2022"], [0]),
    ],
)
def test_in_which_periods_a_measure_runs(first: str, last: str, periods: list[str], expected: list[int]) -> None:
    assert running(event(first, last), periods).tolist() == [bool(one) for one in expected]


def test_every_event_of_the_register_can_be_asked() -> None:
    labels = [str(year) for year in range(2005, 2031)]
    for one in events():
        during = [label for label, on in zip(labels, running(one, labels), strict=True) if on]
        assert (during[0], during[-1]) == (one.first[:4] if one.first[:4] > "2005" else "2005", one.last[:4] or "2030")


def test_a_co_treated_gemeente_takes_its_units_along() -> None:
    gemeente = ["A", "A", "B", "B", ""]
    rule = co_treated(UNITS, gemeente, event("2022", "2023"), ["B", "a", "Z"], ["2021", "2022", "2023"], "ook iets")
    assert left(rule) == ["a", "b", "c"] and rule.unknown == ("Z",)
    assert rule.detail == ("", "deal 2022–2023", "deal 2022–2023", "deal 2022–2023", "")
    before = co_treated(UNITS, gemeente, event("2022"), ["B"], ["2019", "2020"], "")
    assert left(before) == [], "what had not begun touched nobody"


# --- size and score ---------------------------------------------------------------------------------------------------


def test_a_band_holds_its_bounds_and_unknown_sizes_leave() -> None:
    size = np.array([10.0, 5, 20, 21, np.nan])
    rule = band(size, "inwoners", 5, 20, "te groot of te klein")
    assert left(rule) == ["c", "d"] and rule.detail == ("", "", "", "inwoners 21", "inwoners ?")
    assert left(band(size, "inwoners", None, 10, "")) == ["b", "c", "d"]
    assert left(band(size, "inwoners", 10, None, "")) == ["a", "d"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_quantiles_are_of_all_units_with_a_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.permutation(np.arange(101.0))  # quantile q of 0, 1, …, 100 is 100 q
    low, high = sorted(rng.choice(101, 2, replace=False) / 100)
    found = quantile_bounds(np.r_[values, np.nan, np.nan], low, high)
    assert not isinstance(found, Refused)
    np.testing.assert_allclose(found, [100 * low, 100 * high], atol=1e-9)


def test_bands_that_cannot_be() -> None:
    assert isinstance(quantile_bounds(np.array([np.nan, np.nan]), 0, 0.2), Refused)
    for low, high in ((0.5, 0.5), (-0.1, 0.5), (0.2, 1.1), (np.nan, 1)):
        with pytest.raises(ValueError, match="quantiles"):
            quantile_bounds(np.arange(3.0), low, high)
    with pytest.raises(ValueError, match="low, high or both"):
        band(np.arange(3.0), "x", None, None, "")
    with pytest.raises(ValueError, match="from low to high"):
        band(np.arange(3.0), "x", 2, 1, "")


# --- cells and lists --------------------------------------------------------------------------------------------------


def test_gaps_before_the_start_and_suppressed_cells() -> None:
    periods = ("2019", "2020", "2021")
    y = np.ones((5, 3))
    y[1, 0] = y[1, 1] = y[2, 2] = np.nan
    rule = missing_before(y, [True, True, False], periods, "geen begin")
    assert left(rule) == ["a"] and rule.detail[1] == "2019; 2020"
    hidden = np.zeros((5, 3), dtype=bool)
    hidden[3, 1] = hidden[4, 2] = True
    asked = suppressed(hidden, [True, True, False], periods, "geheim")
    assert left(asked) == ["c"] and asked.detail[3] == "2020"


def test_no_rule_reads_a_value_after_the_start() -> None:
    periods, before = ("2019", "2020", "2021"), [True, True, False]
    y = np.arange(15.0).reshape(5, 3)
    other = y.copy()
    other[:, 2] = [np.nan, -1e9, np.inf, 0, 7]
    one, two = (missing_before(values, before, periods, "") for values in (y, other))
    np.testing.assert_array_equal(one.applies, two.applies)
    assert one.detail == two.detail


def test_a_pool_names_the_members_that_the_data_do_not_hold() -> None:
    rule = outside_pool(UNITS, ["c", "elders", "d", "elders"], "voorgedragen", "was niet voorgedragen")
    assert left(rule) == ["t", "a", "b"] and rule.unknown == ("elders",)
    assert rule.detail == ("voorgedragen", "voorgedragen", "voorgedragen", "", "")
    pool = donor_pool(UNITS, TREATED, [rule], "voorgedragen")
    assert isinstance(pool, Pool)
    assert pool.donors == ("c", "d") and pool.unknown == ("elders",) and pool.name == "voorgedragen"
