"""The panels made from a panel: fewer units or periods, other starts, matched controls, a target's weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impact.errors import UsageError
from impact.panel import NEVER, Panel


@pytest.fixture
def six() -> Panel:
    """Areas X = {a, b} from period 2 and Y = {c} from period 3; controls p, q, r; gemeenten G1 = {a, p}, G2 = the
    rest."""
    return Panel(
        y=np.arange(24.0).reshape(6, 4),
        first=np.array([2, 2, 3, NEVER, NEVER, NEVER]),
        units=("a", "b", "c", "p", "q", "r"),
        periods=("t0", "t1", "t2", "t3"),
        cluster=np.array([0, 1, 1, 0, 1, 1]),
        clusters=("G1", "G2"),
        area=np.array([0, 0, 1, -1, -1, -1]),
        areas=("X", "Y"),
        weight=np.array([1.0, 3, 2, 1, 1, 5]),
        group=np.array([0, 0, 1, -1, -1, -1]),
        residents=np.array([10.0, 30, 60, 5, 5, 5]),
        covariates={"fixed": np.arange(6.0)[:, None], "moving": np.arange(24.0).reshape(6, 4)},
    )


def test_a_unit_treated_from_the_first_period_cannot_stand_in_a_panel(six: Panel) -> None:
    with pytest.raises(ValueError, match="set it aside"):
        six.assign(np.array([0.0, 2, 2, NEVER, NEVER, NEVER]))


def test_take_and_drop_renumber_what_is_left(six: Panel) -> None:
    panel = six.drop([0, 1])
    assert panel.units == ("c", "p", "q", "r")
    assert panel.areas == ("Y",) and panel.clusters == ("G1", "G2")
    np.testing.assert_array_equal(panel.group, [0, -1, -1, -1])
    assert panel.group_names == ("t3",)
    assert six.take([5, 2]).clusters == ("G2",)
    assert six.take([5, 2]).units == ("r", "c")
    np.testing.assert_array_equal(six.take([5, 2]).residents, [5, 60])
    np.testing.assert_array_equal(six.take([5, 2]).covariates["moving"], [[20, 21, 22, 23], [8, 9, 10, 11]])


def test_until_keeps_later_starts_as_not_yet_treated(six: Panel) -> None:
    panel = six.until(3)
    assert panel.periods == ("t0", "t1", "t2")
    np.testing.assert_array_equal(panel.treated, [True, True, False, False, False, False])
    np.testing.assert_array_equal(panel.first, six.first)
    np.testing.assert_array_equal(panel.never, six.never)
    assert panel.group_names == ("t2",)
    assert panel.covariates["moving"].shape == (6, 3) and panel.covariates["fixed"].shape == (6, 1)


def test_assign_makes_every_new_treated_unit_its_own_area(six: Panel) -> None:
    panel = six.assign(np.array([NEVER, NEVER, NEVER, 1, 3, 1]))
    assert panel.areas == ("p", "q", "r")
    np.testing.assert_array_equal(panel.area, [-1, -1, -1, 0, 1, 2])
    np.testing.assert_array_equal(panel.group, [-1, -1, -1, 0, 1, 0])
    together = six.assign(np.array([NEVER, NEVER, NEVER, 1, NEVER, 1]), np.array([-1, -1, -1, 0, -1, 0]), ("Z",))
    assert together.areas == ("Z",) and together.by_area().group_names == ("Z",)


def test_by_area_and_back_through_take(six: Panel) -> None:
    panel = six.by_area()
    assert panel.group_names == ("X", "Y")
    np.testing.assert_array_equal(panel.groups, [2, 3])
    assert panel.drop([0]).group_names == ("X", "Y")
    assert panel.drop([0, 1]).group_names == ("Y",)
    assert panel.until(3).group_names == ("X",)


def test_weightings_by_hand(six: Panel) -> None:
    """X weighs 1 + 3: its units 1/4 and 3/4 of one area. Controls keep their weight whatever the treated carry."""
    assert six.weighted("unit") is six
    np.testing.assert_allclose(six.weighted("area").weight, [0.25, 0.75, 1, 1, 1, 5])
    np.testing.assert_allclose(six.weighted("resident").weight, [10, 30, 60, 1, 1, 5])


def test_a_treated_unit_without_weight_has_none_under_any_weighting(six: Panel) -> None:
    panel = replace(six, weight=np.array([1.0, 0, 0, 1, 1, 5]), residents=np.array([10, 30, np.nan, 5, 5, 5]))
    np.testing.assert_allclose(panel.weighted("area").weight, [1, 0, 0, 1, 1, 5])
    np.testing.assert_allclose(panel.weighted("resident").weight, [10, 0, 0, 1, 1, 5])


def test_weighting_by_residents_needs_them(six: Panel) -> None:
    without = replace(six, residents=None)
    with pytest.raises(UsageError) as caught:
        without.weighted("resident")
    assert caught.value.problems[0].code == "USAGE-004"


def test_matched_controls_by_hand(six: Panel) -> None:
    """X is matched with p and q evenly, Y with r; treated weights 4 and 2 make the controls carry 2, 2 and 2."""
    panel = six.with_pairs(np.array([[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 7.0]]))
    np.testing.assert_allclose(panel.pairs, [[0, 0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, 0, 1]])
    np.testing.assert_allclose(panel.control_weight(panel.treated), [0, 0, 0, 2, 2, 2])
    np.testing.assert_allclose(panel.control_weight(panel.group == 0), [0, 0, 0, 2, 2, 0])
    # Of a lost control the other matched control of the area takes the share.
    np.testing.assert_allclose(panel.drop([4]).control_weight(panel.drop([4]).treated), [0, 0, 0, 4, 2])
    # An area whose matched controls are all gone goes with them, by all its units.
    assert panel.drop([5]).units == ("a", "b", "p", "q")
    assert panel.drop([3, 4]).units == ("c", "r")
    # A dropped area leaves its controls without weight.
    rest = panel.drop([0, 1])
    np.testing.assert_allclose(rest.control_weight(rest.treated), [0, 0, 0, 2])
    # When one of an area's units goes, the area weighs less: 3 instead of 4.
    smaller = panel.drop([0])
    np.testing.assert_allclose(smaller.control_weight(smaller.treated), [0, 0, 1.5, 1.5, 2])


def test_pairs_are_of_the_areas_and_go_with_other_areas(six: Panel) -> None:
    panel = six.with_pairs(np.array([[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1.0]]))
    assert panel.assign(panel.first).pairs is None
    with pytest.raises(ValueError, match="pairs"):
        six.with_pairs(np.ones((3, 6)))


def test_wrong_shapes_are_told_by_name(six: Panel) -> None:
    with pytest.raises(ValueError, match=r"y has shape \(6, 3\)"):
        six.with_outcome(np.zeros((6, 3)))
    assert six.with_outcome(np.zeros((6, 4))).y.sum() == 0
