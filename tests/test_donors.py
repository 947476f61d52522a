"""The flow from all units to the donor pool, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from impact.design.donors import (
    Exclusion,
    Pool,
    Rule,
    Step,
    adjacent,
    donor_pool,
    focus_area,
    listed,
    no_outcome,
    same_gemeente,
    small_baseline,
)
from impact.errors import Refused

UNITS = ("t1", "t2", "partly", "neighbour", "border", "named", "hidden", "tiny", "good", "fine")
TREATED = np.array([True, True] + [False] * 8)
AREA = ("oost", "oost", "zuid", "", "", "", "", "", "", "")
GEMEENTE = ("A", "A", "B", "A", "C", "C", "C", "D", "D", "D")
PERIODS = ("2019", "2020", "2021", "2022")
BEFORE = np.array([True, True, True, False])
Y = np.full((10, 4), 20.0)
Y[6, 1], Y[6, 3] = np.nan, np.nan
Y[7] = [9.0, 10.0, 8.0, 99.0]
STATUS = [["ok"] * 4 for _ in UNITS]
STATUS[6][1], STATUS[6][3] = "suppressed", "missing"


def rules() -> list[Rule]:
    return [
        focus_area(AREA, "krijgt zelf het programma"),
        same_gemeente(GEMEENTE, TREATED, "zelfde gemeente"),
        adjacent(UNITS, {"border": "t1", "good ": "t1"}, "waterbedeffect"),
        listed(UNITS, {"named": "herindeling"}, "door de studie uitgesloten"),
        no_outcome(Y, np.ones(4, dtype=bool), PERIODS, "geen uitkomst", STATUS),
        small_baseline(Y[:, BEFORE].mean(axis=1), 10.0, "te kleine aantallen"),
    ]


def test_every_unit_that_leaves_has_one_reason_and_the_steps_add_up() -> None:
    pool = donor_pool(UNITS, TREATED, rules())
    assert isinstance(pool, Pool)
    assert pool.donors == ("good", "fine")
    assert pool.steps == (
        Step("all", "", 0, 10),
        Step("treated", "", 2, 8),
        Step("focus-area", "krijgt zelf het programma", 1, 7),
        Step("same-gemeente", "zelfde gemeente", 1, 6),
        Step("adjacent", "waterbedeffect", 1, 5),
        Step("listed", "door de studie uitgesloten", 1, 4),
        Step("no-outcome", "geen uitkomst", 1, 3),
        Step("small-baseline", "te kleine aantallen", 1, 2),
    )
    assert pool.excluded == (
        Exclusion("partly", "focus-area", "krijgt zelf het programma", "zuid"),
        Exclusion("neighbour", "same-gemeente", "zelfde gemeente", "A"),
        Exclusion("border", "adjacent", "waterbedeffect", "t1"),
        Exclusion("named", "listed", "door de studie uitgesloten", "herindeling"),
        Exclusion("hidden", "no-outcome", "geen uitkomst", "2020 suppressed; 2022 missing"),
        Exclusion("tiny", "small-baseline", "te kleine aantallen", "9"),
    )
    assert pool.unknown == ("good ",)


def test_a_rule_that_removes_nobody_is_stated() -> None:
    pool = donor_pool(UNITS, TREATED, [listed(UNITS, {}, "niets")])
    assert isinstance(pool, Pool)
    assert pool.steps[-1] == Step("listed", "niets", 0, 8)
    assert pool.excluded == ()


def test_treated_units_never_become_donors_and_their_own_problems_are_known() -> None:
    y = Y.copy()
    y[0] = 1.0
    rule = small_baseline(y[:, BEFORE].mean(axis=1), 10.0, "te klein")
    assert rule.applies[0]
    pool = donor_pool(UNITS, TREATED, [rule])
    assert isinstance(pool, Pool)
    assert "t1" not in pool.donors
    assert "t1" not in {one.unit for one in pool.excluded}


def test_no_donor_left_is_refused_with_the_steps() -> None:
    everyone = listed(UNITS, dict.fromkeys(UNITS, "x"), "alle")
    refused = donor_pool(UNITS, TREATED, [focus_area(AREA, "programma"), everyone])
    assert isinstance(refused, Refused)
    assert refused.because == "no donor is left of 10 units: treated removed 2, focus-area removed 1, listed removed 7"


def test_values_after_the_start_change_nothing() -> None:
    later = Y.copy()
    later[:, 3] *= -1e6
    one, two = (no_outcome(y, BEFORE, PERIODS, "") for y in (Y, later))
    np.testing.assert_array_equal(one.applies, two.applies)
    assert one.detail == two.detail


def test_a_baseline_that_was_never_observed_is_not_large_enough() -> None:
    rule = small_baseline(np.array([np.nan, 12.0]), 10.0, "")
    assert rule.applies.tolist() == [True, False]
    assert rule.detail == ("not observed", "")


def test_a_rule_of_another_length_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="focus-area"):
        donor_pool(UNITS, TREATED, [focus_area(("", ""), "")])
