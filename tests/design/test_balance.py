"""Balance in numbers: against brute force, scipy, R's MatchIt and cobalt, and what must hold of any table."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from impact.arrays import Bool1, Float1, Float2
from impact.design.balance import Difference, Row, differences, effective_number
from tests.shared import golden, shared

# R's numbers have 15 digits; means of weights and differences of cumulative shares lose a little more.
ROUNDING = 1e-12


@cache
def lalonde() -> pd.DataFrame:
    return pd.read_csv(shared("reference/data/lalonde.csv"))


def one(x: Float1, treated: Bool1, weight: Float1 | None = None, **how: Any) -> Row:
    (row,) = differences(x[:, None], ["x"], treated, weight, **how)
    return row


# Goldens ------------------------------------------------------------------------------------------------------------

MATCHIT = [
    "matchit_cem",
    "matchit_exact",
    "matchit_nn_glm",
    "matchit_nn_glm_exact",
    "matchit_nn_glm_linear_caliper",
    "matchit_nn_glm_probit",
    "matchit_nn_glm_ratio2",
    "matchit_nn_glm_replace",
    "matchit_nn_glm_replace_ratio2",
    "matchit_nn_mahal",
    "matchit_nn_mahal_replace",
    "matchit_nn_mahalvars_caliper",
    "matchit_nn_scaledeuc",
    "matchit_optimal_glm",
    "matchit_subclass6",
]
WEIGHTIT = [f"weightit_{method}_{whom}" for method in ("glm", "ebal") for whom in ("ATT", "ATE", "ATC")]
WEIGHTIT.append("weightit_glm_ATM")


def lalonde_rows(results: dict[str, Any], **how: Any) -> dict[str, Row]:
    """Rows of what cobalt shows, with the weights R found."""
    frame = lalonde()
    columns = {name: frame[name] for name in ("age", "educ", "married", "nodegree", "re74", "re75")}
    columns |= {f"race_{level}": frame["race"] == level for level in ("black", "hispan", "white")}
    for key, name in (("distance", "distance"), ("ps", "prop.score")):
        if results.get(key):
            columns[name] = frame["id"].map(results[key])
    x = np.column_stack([column.to_numpy(dtype=float) for column in columns.values()])
    weight = frame["id"].map(results["weights"]).to_numpy(dtype=float)
    found = differences(x, list(columns), frame["treat"].to_numpy() == 1, weight, **how)
    return {row.name: row for row in found}


def same(ours: list[float | None], theirs: list[float | None]) -> None:
    assert [value is None for value in ours] == [value is None for value in theirs]
    known = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    np.testing.assert_allclose([a for a, _ in known], [b for _, b in known], rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("name", [*MATCHIT, *WEIGHTIT])
def test_cobalt_tables(name: str) -> None:
    """``bal.tab`` with the SD of the treated for the ATT and pooled for the ATE; other yardsticks are not ours."""
    results = golden(name)["results"]
    pooled = name.endswith(("ATE", "ATC", "ATM"))
    rows = lalonde_rows(results, sd="pooled" if pooled else "treated")
    balance = results["balance"]
    assert len(balance["rownames"]) >= 5
    for stage, suffix in (("before", "Un"), ("after", "Adj")):
        found: list[Difference] = [getattr(rows[row], stage) for row in balance["rownames"]]
        kinds = {"M.0": "control", "M.1": "treated", "SD.0": "sd_control", "SD.1": "sd_treated"}
        kinds |= {"V.Ratio": "ratio", "KS": "ks"}
        if not name.endswith(("ATC", "ATM")):
            kinds["Diff"] = "smd"
        for theirs, ours in kinds.items():
            same([getattr(one, ours) for one in found], balance["table"][f"{theirs}.{suffix}"])


@pytest.mark.parametrize("name", MATCHIT)
def test_matchit_summaries(name: str) -> None:
    """Columns: both means, standardised difference, variance ratio, mean and largest distance of the eCDFs."""
    results = golden(name)["results"]
    rows = lalonde_rows(results, sd="treated")
    kinds = ("treated", "control", "smd", "ratio", "ecdf", "ks")
    compared = 0
    for key, stage in (("summary_all", "before"), ("summary_matched", "after")):
        summary = results[key]
        for label, values in zip(summary["rows"] or (), summary["values"] or (), strict=True):
            row = rows[label.replace("race", "race_")]
            same([getattr(getattr(row, stage), kind) for kind in kinds], values[:6])
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("name", WEIGHTIT)
def test_effective_numbers_of_weightit(name: str) -> None:
    results = golden(name)["results"]
    frame = lalonde()
    weight = frame["id"].map(results["weights"]).to_numpy(dtype=float)
    for group, code in (("Control", 0), ("Treated", 1)):
        ours = effective_number(weight[frame["treat"].to_numpy() == code])
        assert ours == pytest.approx(results["ess"][group][1], rel=ROUNDING)


# Brute force --------------------------------------------------------------------------------------------------------


def tables() -> st.SearchStrategy[tuple[Float1, Bool1, Float1]]:
    """Values with many ties, groups, and whole weights that leave either group somebody."""
    rows = st.tuples(st.integers(-4, 4), st.booleans(), st.integers(0, 3))
    return st.lists(rows, min_size=4, max_size=30).map(
        lambda rows: (
            np.array([row[0] for row in rows], dtype=float) * 0.1,
            np.array([row[1] for row in rows]),
            np.array([row[2] for row in rows], dtype=float),
        )
    )


@given(tables())
def test_everything_by_plain_loops(given: tuple[Float1, Bool1, Float1]) -> None:
    x, treated, weight = given
    assume(weight[treated].any() and weight[~treated].any())
    row = one(x, treated, weight)
    values = sorted(set(x.tolist()))
    assert row.after is not None
    for found, w in ((row.before, np.ones(len(x))), (row.after, weight)):
        sides = [[(v, m) for v, m, g in zip(x, w, treated, strict=True) if g == here] for here in (True, False)]
        mean = [sum(v * m for v, m in side) / sum(m for _, m in side) for side in sides]
        assert found.treated == pytest.approx(mean[0], abs=1e-12)
        assert found.control == pytest.approx(mean[1], abs=1e-12)
        shares = [[sum(m for v, m in side if v <= at) / sum(m for _, m in side) for at in values] for side in sides]
        away = [abs(a - b) for a, b in zip(*shares, strict=True)]
        assert found.ks == pytest.approx(max(away), abs=1e-12)
        # Two values: the difference of the shares, which the loop halves, as it is 0 at the upper value.
        assert found.ecdf == pytest.approx(sum(away) / len(away) * (2 if len(values) == 2 else 1), abs=1e-12)
    here, there = x[treated], x[~treated]
    assert row.before.ks == pytest.approx(ks_2samp(here, there).statistic, abs=1e-12)
    if len(values) > 2 and min(len(here), len(there)) > 1:
        spread = np.sqrt((np.var(here, ddof=1) + np.var(there, ddof=1)) / 2)
        if spread > 1e-9:
            assert row.before.smd == pytest.approx((here.mean() - there.mean()) / spread, abs=1e-10)
            assert row.after.smd == pytest.approx((row.after.treated - row.after.control) / spread, abs=1e-10)


@given(tables(), st.sampled_from([-3.0, 0.25, 1e6]), st.sampled_from([0.0, 7.0, -1e3]))
def test_units_and_scales_do_not_matter(given: tuple[Float1, Bool1, Float1], by: float, plus: float) -> None:
    x, treated, weight = given
    assume(weight[treated].any() and weight[~treated].any())
    plain, moved = one(x, treated, weight), one(x * by + plus, treated, weight * 17)
    for a, b in ((plain.before, moved.before), (plain.after, moved.after)):
        assert a is not None
        assert b is not None
        assert (a.smd is None, a.ratio is None) == (b.smd is None, b.ratio is None)
        if a.smd is not None:
            assert b.smd == pytest.approx(np.sign(by) * a.smd, abs=1e-6)
        if a.ratio is not None:
            assert b.ratio == pytest.approx(a.ratio, rel=1e-6)
        assert b.ks == pytest.approx(a.ks, abs=1e-12)


def test_the_yardsticks_by_hand() -> None:
    x = np.array([1.0, 3.0, 0.0, 0.0, 6.0])
    treated = np.array([True, True, False, False, False])
    # s² of the treated 2, of the controls (4 + 4 + 16) / 2 = 12.
    assert one(x, treated).before.smd == pytest.approx(0.0)
    weight = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    row = one(x, treated, weight)
    assert row.after is not None
    assert row.after.smd == pytest.approx(2 / np.sqrt(7))
    assert one(x, treated, weight, sd="treated").after.smd == pytest.approx(2 / np.sqrt(2))  # type: ignore[union-attr]
    assert row.before.ratio == pytest.approx(2 / 12)
    assert row.after.ratio is None  # the controls that are left do not vary
    # Weights of the treated count: mean 1 * 3/4 + 3 * 1/4.
    apart = one(x, treated, np.array([3.0, 1.0, 1.0, 1.0, 1.0]))
    assert apart.after is not None
    assert apart.after.treated == pytest.approx(1.5)
    # Weighted variance with 4 - 10/4 degrees: (3 * 0.25 + 1 * 2.25) / 1.5.
    assert apart.after.sd_treated == pytest.approx(np.sqrt(2))


def test_two_values_have_binomial_variances_and_no_ratio() -> None:
    treated = np.array([True] * 4 + [False] * 5)
    x = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0], dtype=float)
    row = one(x, treated).before
    assert row.smd == pytest.approx((0.75 - 0.2) / np.sqrt((0.75 * 0.25 + 0.2 * 0.8) / 2))
    assert row.ratio is None
    assert row.ks == row.ecdf == pytest.approx(0.55)
    assert one(5 + 2 * x, treated).before.smd == pytest.approx(row.smd)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 0.1])
def test_no_spread_is_not_made_by_rounding(value: float) -> None:
    """Sums of a value that binary numbers do not hold differ in the last digit; that is no spread and no difference."""
    treated = np.arange(31) < 7
    weight = np.linspace(0.3, 2.7, 31)
    flat = one(np.full(31, value), treated, weight)
    assert flat.after is not None
    for found in (flat.before, flat.after):
        assert (found.smd, found.ratio, found.ks, found.ecdf) == (None, None, 0.0, 0.0)
    apart = one(np.where(treated, value, 2 * value), treated, weight)
    assert apart.after is not None
    assert (apart.before.smd, apart.after.smd, apart.before.ks, apart.after.ks) == (None, None, 1.0, 1.0)
    constant = one(np.where(treated, value, np.arange(31.0)), treated, weight, sd="treated")
    assert constant.before.smd is None


def test_one_unit_has_no_spread_of_its_own() -> None:
    x = np.array([5.0, 1.0, 2.0, 3.0])
    treated = np.array([True, False, False, False])
    row = one(x, treated)
    assert row.before.sd_treated is None
    assert row.before.ratio is None
    assert row.before.smd == pytest.approx(3.0)  # by the controls' own, which is 1
    assert one(x, ~treated).before.smd == pytest.approx(-3.0)
    assert one(x, treated, sd="treated").before.smd is None
    assert one(x[:2], treated[:2]).before.smd is None


@pytest.mark.parametrize(
    ("x", "treated", "weight", "sd"),
    [
        ([np.nan, 1.0], [True, False], None, "pooled"),
        ([1.0, 1.0], [True, True], None, "pooled"),
        ([1.0, 1.0], [True, False], [1.0, 0.0], "pooled"),
        ([1.0, 1.0], [True, False], [1.0, -1.0], "pooled"),
        ([1.0, 1.0], [True, False], [1.0, np.inf], "pooled"),
        ([1.0, 1.0], [True, False], [1.0], "pooled"),
        ([1.0, 1.0], [True, False], None, "control"),
    ],
)
def test_what_cannot_be(x: Any, treated: Any, weight: Any, sd: Any) -> None:
    given: Float2 = np.array(x)[:, None]
    with pytest.raises(ValueError, match=r"weight|characteristic|sd"):
        differences(given, ["x"], np.array(treated), None if weight is None else np.array(weight), sd=sd)
