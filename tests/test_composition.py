"""The split of a changed mean, against people counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.checks.composition import movers, split

PEOPLE = st.lists(st.floats(-100, 100, allow_nan=False), max_size=6)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=6), PEOPLE, PEOPLE)
def test_parts_add_up_to_the_change_of_the_mean_of_all_who_live_there(
    stay: list[tuple[float, float]], come: list[float], go: list[float]
) -> None:
    before, after = [one for one, _ in stay] + go, [two for _, two in stay] + come

    def mean(values: list[float]) -> list[list[float]]:
        return [[float(np.mean(values)) if values else float("nan")]]

    found = split(
        stayers=[[len(stay)]],
        stayers_before=mean([one for one, _ in stay]),
        stayers_after=mean([two for _, two in stay]),
        arrivers=[[len(come)]],
        arrivers_after=mean(come),
        leavers=[[len(go)]],
        leavers_before=mean(go),
    )
    assert found.total[0, 0] == pytest.approx(np.mean(after) - np.mean(before), abs=1e-9)
    assert found.stayers[0, 0] == pytest.approx(np.mean([two - one for one, two in stay]), abs=1e-9)
    assert come or found.arrivers[0, 0] == 0
    assert go or found.leavers[0, 0] == 0


def test_a_mean_that_rises_because_the_poor_left() -> None:
    """Two of four leave, with 0 each; those who stay keep 10: nobody is better off, and the mean rises by 5."""
    found = split(
        stayers=[[2.0]],
        stayers_before=[[10.0]],
        stayers_after=[[10.0]],
        arrivers=[[0.0]],
        arrivers_after=[[np.nan]],
        leavers=[[2.0]],
        leavers_before=[[0.0]],
    )
    assert (found.stayers[0, 0], found.arrivers[0, 0], found.leavers[0, 0], found.total[0, 0]) == (0, 0, 5, 5)


def test_where_nobody_stayed_nothing_is_known_and_bad_numbers_are_refused() -> None:
    one = {name: [[1.0]] for name in ("stayers_before", "stayers_after", "arrivers_after", "leavers_before")}
    none = split(stayers=[[0.0]], arrivers=[[3.0]], leavers=[[2.0]], **one)
    assert np.isnan(none.total).all()
    with pytest.raises(ValueError, match="0 or more"):
        split(stayers=[[-1.0]], arrivers=[[3.0]], leavers=[[2.0]], **one)
    with pytest.raises(ValueError, match="arrivers_after is unknown"):
        split(stayers=[[1.0]], arrivers=[[3.0]], leavers=[[2.0]], **(one | {"arrivers_after": [[np.nan]]}))
    with pytest.raises(ValueError, match="one shape"):
        split(stayers=[1.0], arrivers=[[3.0]], leavers=[[2.0]], **one)


def test_movers() -> None:
    assert movers(0.30, 0.12, 0.10).verdict == "fail"
    assert movers(0.15, 0.12, 0.10).verdict == "pass"
    assert movers(float("nan"), 0.12, 0.10).verdict == "not_evaluated"
    assert not movers(0.30, 0.12, 0.10).gates
