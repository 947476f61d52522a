"""The decomposition sums to the regression, with what weights and panels there may be; and how it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.bacon import Decomposition, decompose
from impact.evidence.charts import decomposition
from impact.panel import Panel
from tests.brute import dummies
from tests.estimators.worlds import STAGGERED, panel_of, regressors

# A theorem of algebra on outcomes of order 1: nothing but rounding.
EXACT = 1e-12


def decomposed(panel: Panel) -> Decomposition:
    found = decompose(panel)
    assert isinstance(found, Decomposition), found
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("columns", [{}, {"weight": "weight"}], ids=["equal", "weighted"])
@pytest.mark.parametrize("starts", [STAGGERED, [1, 1, 2, 4, 4, 5], [3, 3, None, None]], ids=str)
def test_the_sum_is_the_coefficient(seed: int, columns: dict[str, Any], starts: list[int | None]) -> None:
    panel = panel_of(starts, seed=seed, effect=lambda start, t: start * t, **columns)
    found = decomposed(panel)
    assert found.total == pytest.approx(found.coefficient, abs=EXACT)
    expected, *_ = dummies(panel.y, regressors(panel), panel.weight, np.isfinite(panel.y))
    assert found.coefficient == pytest.approx(expected[0], abs=1e-10)  # dummies lose two digits
    assert found.weight.sum() == pytest.approx(1, abs=EXACT) and (found.weight > 0).all()
    cohorts, untreated = len(set(starts) - {None}), None in starts
    assert len(found.kind) == cohorts * (cohorts - 1) + cohorts * untreated
    assert sum(mass for mass, _ in found.by_kind().values()) == pytest.approx(1, abs=EXACT)
    assert sum(mass * mean for mass, mean in found.by_kind().values()) == pytest.approx(found.total, abs=EXACT)


def test_matched_controls() -> None:
    panel = panel_of(STAGGERED, weight="weight")
    mix = np.random.default_rng(5).uniform(size=(len(panel.areas), 12)) * panel.never
    found = decomposed(panel.with_pairs(mix))
    assert found.total == pytest.approx(found.coefficient, abs=EXACT)
    assert abs(found.coefficient - decomposed(panel).coefficient) > 1e-3


def test_two_cohorts_and_three_periods_by_hand() -> None:
    """Nobody stays untreated: the early cohort against the late one from 1 to 2, the late one against the early one
    from 2 to 3, each with weight D_l (D_k - D_l) = (D_k - D_l) (1 - D_k) = 1/9."""
    panel = panel_of([1, 1, 2, 2], periods=3)
    early, late = np.array([1.0, 5.0, 9.0]), np.array([0.0, 1.0, 8.0])
    found = decomposed(panel.with_outcome(np.vstack([early, early, late, late])))
    assert list(zip(found.treated, found.other, found.kind, strict=True)) == [
        ("2001", "2002", "earlier vs later"),
        ("2002", "2001", "later vs earlier"),
    ]
    np.testing.assert_allclose(found.weight, [0.5, 0.5], atol=EXACT)
    np.testing.assert_allclose(found.estimate, [(5 - 1) - (1 - 0), (8 - 1) - (9 - 5)], atol=EXACT)


def test_effects_that_grow_are_subtracted_where_the_earlier_cohort_is_control() -> None:
    """Without noise, effect t - start + 1: a later cohort's comparison with an earlier one misses the earlier's
    growth."""
    panel = panel_of([2, 4, None], noise=0.0, effect=lambda start, t: t - start + 1.0)
    found = decomposed(panel)
    place = {(a, b): number for number, (a, b) in enumerate(zip(found.treated, found.other, strict=True))}
    assert found.estimate[place["2004", "untreated"]] == pytest.approx(1.5)
    # Own mean effect of 1.5, less the earlier one's rise from a mean of 1.5 to 3.5.
    assert found.estimate[place["2004", "2002"]] == pytest.approx(1.5 - 2.0)
    # The mean effect over the treated cells is (1 + 2 + 3 + 4 + 1 + 2) / 6.
    assert found.coefficient < 13 / 6 - 0.5


def test_units_without_weight_and_units_that_start_later_than_the_panel() -> None:
    panel = panel_of([2, 2, 4, None, None, None])
    late = panel.first.copy()
    late[5] = 8.0
    whole = decomposed(panel)
    assert decomposed(replace(panel, first=late)).estimate.tolist() == whole.estimate.tolist()
    weight = panel.weight.copy()
    weight[[2, 3]] = 0.0
    light, without = decomposed(replace(panel, weight=weight)), decomposed(panel.drop([2, 3]))
    assert light.kind == without.kind == ("treated vs untreated",)
    np.testing.assert_allclose(light.estimate, without.estimate, atol=EXACT)


def test_covariates_are_left_out_and_this_is_said() -> None:
    panel = panel_of(STAGGERED, varying=1)
    found = decomposed(panel)
    assert "x0" in found.notes[0]
    assert found.coefficient == decomposed(replace(panel, covariates={})).coefficient


def test_refusals() -> None:
    panel = panel_of(STAGGERED)
    y = panel.y.copy()
    y[3, 2] = np.nan
    missing = decompose(panel.with_outcome(y))
    assert isinstance(missing, Refused) and "1 units miss" in missing.because
    nobody = decompose(panel.assign(np.full(12, np.inf)))
    assert isinstance(nobody, Refused) and nobody.what == "a decomposition"
    together = decompose(panel_of([2, 2, 2]))
    assert isinstance(together, Refused)


def test_the_table_has_every_comparison_heaviest_first() -> None:
    found = decomposed(panel_of(STAGGERED))
    table = found.table()
    assert list(table.columns) == ["treated", "other", "kind", "weight", "estimate"]
    assert len(table) == len(found.kind) and table["weight"].is_monotonic_decreasing
    assert (table["weight"] * table["estimate"]).sum() == pytest.approx(found.coefficient, abs=EXACT)


def test_the_figure_shows_every_comparison_and_the_coefficient() -> None:
    found = replace(decomposed(panel_of(STAGGERED)), unit="procentpunt")
    figure = decomposition(found)
    (axes,) = figure.axes
    drawn = [line for line in axes.get_lines() if line.get_marker() != "None"]
    points = np.concatenate([np.column_stack(line.get_data()) for line in drawn])
    expected = np.column_stack([found.weight, found.estimate])
    np.testing.assert_allclose(points[np.lexsort(points.T)], expected[np.lexsort(expected.T)])
    assert len({line.get_marker() for line in drawn}) == len(drawn) == 3
    assert any(set(np.asarray(line.get_ydata())) == {found.coefficient} for line in axes.get_lines())
    assert axes.get_ylabel() == "procentpunt" and axes.get_xlim()[0] == 0
    figure.canvas.draw()
    legend = figure.legends[0]
    box = legend.get_window_extent()
    assert len(legend.get_texts()) == 4 and box.x0 >= 0 and box.x1 <= figure.bbox.x1, "the legend is cut off"
