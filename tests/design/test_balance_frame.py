"""`impact.balance` on tables and `balance()` of a match: what comes back, overlap, and everything that can be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.api.types import is_float_dtype

import impact
from impact.design.balance_overlap import Overlap, concordance
from impact.design.balance_table import Balance
from impact.design.matched import Matched
from impact.errors import DataError, Refused, UsageError


def table(treated: int = 12, controls: int = 40, seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    count = treated + controls
    focus = np.arange(count) < treated
    frame = pd.DataFrame(
        {
            "focus": focus,
            "huur": draw.normal(size=count) + 0.6 * focus,
            "inwoners": draw.lognormal(8, 1, size=count),
            "soort": draw.choice(["dorp", "rand", "stad"], size=count),
            "vooraf": draw.normal(size=count),
            "gewicht": draw.uniform(0.2, 3, size=count),
        },
        index=pd.Index([f"w{row:02}" for row in range(count)], name="wijk"),
    )
    return frame.sample(frac=1, random_state=seed)


ON: list[Any] = ["huur", "inwoners", {"category": "soort"}]


def balanced(frame: pd.DataFrame, **asked: Any) -> Balance:
    found = impact.balance(frame, **{"treated": "focus", "on": ON, **asked})
    assert isinstance(found, Balance), found
    return found


def refused(frame: pd.DataFrame, **asked: Any) -> Refused:
    found = impact.balance(frame, **{"treated": "focus", "on": ON, **asked})
    assert isinstance(found, Refused), found
    return found


# What comes back ----------------------------------------------------------------------------------------------------


def test_the_table_by_pandas() -> None:
    frame = table()
    found = balanced(frame, weights="gewicht", squares=True).table()
    levels = ["soort=dorp", "soort=rand", "soort=stad"]
    assert [*found.index] == ["huur", "inwoners", *levels, "square(huur)", "square(inwoners)"]
    columns = frame[["huur", "inwoners"]].assign(**{level: frame["soort"] == level[6:] for level in levels})
    columns = columns.assign(**{f"square({name})": frame[name] ** 2 for name in ("huur", "inwoners")}).astype(float)
    here, there = columns[frame["focus"]], columns[~frame["focus"]]
    np.testing.assert_allclose(found["treated_before"].to_numpy(float), here.mean())
    np.testing.assert_allclose(found["control_before"].to_numpy(float), there.mean())
    spread = np.sqrt((here.var() + there.var()) / 2)
    shares = np.sqrt((here.var(ddof=0) + there.var(ddof=0)) / 2)  # p(1 - p)
    yardstick = pd.concat([spread[:2], shares[2:5], spread[5:]])
    np.testing.assert_allclose(found["smd_before"].to_numpy(float), (here.mean() - there.mean()) / yardstick)
    mean = {
        side: columns[group].mul(frame["gewicht"][group], axis=0).sum() / frame["gewicht"][group].sum()
        for side, group in (("treated", frame["focus"]), ("control", ~frame["focus"]))
    }
    np.testing.assert_allclose(found["treated_after"].to_numpy(float), mean["treated"])
    np.testing.assert_allclose(found["smd_after"].to_numpy(float), (mean["treated"] - mean["control"]) / yardstick)
    assert found.loc[levels, ["ratio_before", "ratio_after"]].isna().all(axis=None)
    assert found.drop(index=levels).notna().all(axis=None)
    assert all(is_float_dtype(dtype) for dtype in found.dtypes)
    assert [*balanced(frame).table().columns] == [
        f"{name}_before" for name in ("treated", "control", "smd", "ratio", "ks", "ecdf")
    ]


def test_weights_come_as_a_column_a_series_or_in_order_and_rows_may_be_shuffled() -> None:
    frame = table()
    before = frame.copy(deep=True)
    column = balanced(frame, weights="gewicht")
    pd.testing.assert_frame_equal(frame, before)
    for given in (frame["gewicht"].sort_index(), frame["gewicht"].to_numpy(), [*frame["gewicht"]]):
        pd.testing.assert_frame_equal(balanced(frame, weights=given).table(), column.table())
    mixed = frame.sort_values("vooraf")
    pd.testing.assert_frame_equal(balanced(mixed, weights=frame["gewicht"]).table(), column.table(), rtol=1e-12)
    effective = column.effective
    assert effective is not None
    inside = frame.loc[frame["focus"], "gewicht"]
    assert effective["treated"] == pytest.approx(inside.sum() ** 2 / (inside**2).sum())
    assert column.size == {"treated": 12, "control": 40}


def test_squares_that_are_asked_for_twice_come_once() -> None:
    found = balanced(table(), on=["huur", {"square": "huur"}, {"log": "inwoners"}], squares=True)
    assert [row.name for row in found.rows] == ["huur", "square(huur)", "log(inwoners)", "square(log(inwoners))"]


def test_the_largest_difference_and_the_summary() -> None:
    frame = table()
    found = balanced(frame, weights="gewicht")
    shown = found.table()
    value, name = found.largest["after"]
    assert shown["smd_after"].abs().idxmax() == name
    assert shown["smd_after"].abs().max() == pytest.approx(value)
    text = str(found)
    for said in ("12 treated units and 40 controls", "soort=rand", f"{value:.2f} after ({name})", "pooled"):
        assert said in text
    assert "12 treated and 40 controls" in repr(found)


def test_what_has_no_yardstick_is_said_and_is_the_largest() -> None:
    frame = table().assign(vlak=0.1)
    frame["eigen"] = np.where(frame["focus"], 0.1, 0.3)
    found = balanced(frame, on=["huur", "vlak", "eigen"])
    assert found.largest == {"before": (np.inf, "eigen")}
    assert found.table().loc[["vlak", "eigen"], "smd_before"].isna().all()
    assert any("without a yardstick: eigen" in note for note in found.notes)
    assert any("the same for everybody: vlak" in note for note in found.notes)
    assert balanced(frame, on=["vlak"]).largest == {"before": (0.0, "vlak")}


# Of a match ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("nearest", {"ratio": 2}),
        ("nearest", {"caliper": 0.4, "replace": False}),
        ("optimal", {}),
        ("full", {}),
        ("full", {"estimand": "ATE"}),
    ],
)
def test_the_balance_of_a_match_is_that_of_its_weights(method: str, asked: dict[str, Any]) -> None:
    frame = table()
    match = impact.match(frame, treated="focus", on=ON, method=method, **asked)
    assert isinstance(match, Matched), match
    of_match = match.balance(sd="treated", squares=True)
    assert isinstance(of_match, Balance)
    alone = balanced(frame, weights=match.weights, sd="treated", squares=True)
    pd.testing.assert_frame_equal(of_match.table(), alone.table())
    assert of_match.effective == match.effective
    # Before is everybody, also the treated that a caliper left out.
    assert of_match.rows[0].before.treated == pytest.approx(frame.loc[frame["focus"], "huur"].mean())
    assert bool(match.unmatched) == any("have weight 0" in note for note in of_match.notes)
    weight = match.weights[frame["focus"]]
    assert of_match.rows[0].after is not None
    assert of_match.rows[0].after.treated == pytest.approx(np.average(frame.loc[weight.index, "huur"], weights=weight))
    later = balanced(frame, on=["vooraf"], weights=match.weights)
    assert later.table().index.tolist() == ["vooraf"]


def test_exact_matches_are_alike_in_every_level() -> None:
    match = impact.match(table(), treated="focus", on=["soort"], method="exact")
    assert isinstance(match, Matched)
    balance = match.balance()
    assert isinstance(balance, Balance)
    assert balance.largest["before"][0] > 0.05
    assert balance.largest["after"][0] < 1e-12


def test_the_overlap_of_a_match_has_the_score_it_used() -> None:
    frame = table()
    for distance in ("propensity", "propensity-probability"):
        match = impact.match(frame, treated="focus", on=["huur"], distance=distance, propensity_on=ON)
        assert isinstance(match, Matched), match
        balance = match.balance()
        assert isinstance(balance, Balance)
        found, other = balance.overlap(), balanced(frame).overlap()
        assert isinstance(found, Overlap)
        assert isinstance(other, Overlap)
        np.testing.assert_allclose(found.score, other.score, atol=1e-7)  # both stop within this of the maximum
        assert found.weight is not None
    column = impact.match(frame, treated="focus", on=["huur"], distance="vooraf")
    assert isinstance(column, Matched)
    balance = column.balance()
    assert isinstance(balance, Balance)
    assert balance.score is None  # a column is no propensity


# Overlap ------------------------------------------------------------------------------------------------------------


def test_overlap_by_statsmodels_and_by_loops() -> None:
    import statsmodels.api as sm

    frame = table(30, 90)
    found = balanced(frame, weights="gewicht", squares=True).overlap()
    assert isinstance(found, Overlap)
    design = np.column_stack(
        [np.ones(120), frame["huur"], frame["inwoners"], frame["soort"] == "rand", frame["soort"] == "stad"]
    ).astype(float)
    fit = sm.Logit(frame["focus"].astype(float).to_numpy(), design).fit(disp=0, tol=1e-12, maxiter=100)
    chance = fit.predict()
    shown = found.table()
    np.testing.assert_allclose(shown["propensity"], chance, atol=1e-8)
    # Walker et al. (2013), equation 1: ln(F / (1 - F)) = ln(S / (1 - S)) - ln(P / (1 - P)).
    odds = chance / (1 - chance) / (0.25 / 0.75)
    np.testing.assert_allclose(shown["preference"], odds / (1 + odds), atol=1e-8)
    inside = pd.Series((odds / (1 + odds) >= 0.3) & (odds / (1 + odds) <= 0.7), index=frame.index)
    treated = frame["focus"]
    assert found.equipoise == {"treated": inside[treated].mean(), "control": inside[~treated].mean()}
    here, there = chance[treated], chance[~treated]
    assert found.support["treated"] == np.mean((here >= there.min()) & (here <= there.max()))
    beyond = frame.index[treated][(here < there.min()) | (here > there.max())]
    assert found.outside == tuple(beyond)
    for stage, weight in (("before", np.ones(120)), ("after", frame["gewicht"].to_numpy())):
        won = total = 0.0
        for a, w in zip(here, weight[treated], strict=True):
            for b, v in zip(there, weight[~treated], strict=True):
                won += w * v * ((a > b) + (a == b) / 2)
                total += w * v
        assert found.concordance[stage] == pytest.approx(won / total)
    assert "concordance" in str(found)
    assert repr(found).startswith("<Overlap")


def test_ties_count_half() -> None:
    score, treated = np.array([1.0, 1.0, 1.0, 0.0]), np.array([True, False, False, False])
    assert concordance(score, treated, np.ones(4)) == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_groups_that_are_apart_have_no_overlap() -> None:
    frame = table()
    frame["apart"] = frame["focus"] * 5 + frame["huur"] / 100
    found = balanced(frame, on=["vooraf", "apart"]).overlap()
    assert isinstance(found, Refused)
    assert "apart" in found.because


# Bad input ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_balanced_is_refused() -> None:
    frame = table()
    assert "0 treated units" in refused(frame[~frame["focus"]]).because
    assert "0 controls" in refused(frame[frame["focus"]]).because
    assert "weight of the controls is 0" in refused(frame, weights=frame["focus"].astype(float)).because
    assert "weight of the treated units is 0" in refused(frame, weights=1.0 - frame["focus"]).because
    one = frame.drop(frame.index[frame["focus"]][1:])
    assert "one treated unit" in refused(one, sd="treated").because
    assert balanced(one).rows[0].before.smd is not None
    frame.loc["w03", "huur"] = np.nan
    assert "w03 (huur)" in refused(frame).because
    filled = balanced(frame, missing="indicator")
    assert "missing(huur)" in filled.table().index
    assert any("mean of the others" in note for note in filled.notes)


def test_wrong_calls_and_tables_are_said() -> None:
    frame = table()
    for asked, code in (
        ({"sd": "control"}, "USAGE-003"),
        ({"missing": "impute"}, "USAGE-003"),
        ({"on": []}, "USAGE-003"),
        ({"on": "huur"}, "TERM-001"),
    ):
        with pytest.raises(UsageError, match=code):
            balanced(frame, **asked)
    with pytest.raises(UsageError, match="USAGE-010"):
        impact.balance(frame.to_dict(), treated="focus", on=["huur"])  # type: ignore[arg-type]
    gone, double = frame["gewicht"].iloc[1:], pd.concat([frame["gewicht"], frame["gewicht"].iloc[:1]])
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"weights": "gewichten"}, "did you mean 'gewicht'"),
        ({"weights": gone}, f"BALANCE-001.*{frame.index[0]}"),
        ({"weights": double}, "more than one weight"),
        ({"weights": [1.0, 2.0]}, "BALANCE-001"),
        ({"weights": frame["vooraf"]}, "BALANCE-002"),
        ({"weights": frame["gewicht"].where(frame["gewicht"] > 1)}, "BALANCE-002"),
        ({"on": ["soort"]}, "MATCH-003"),
        ({"on": ["focus"]}, "TERM-008"),
        ({"treated": "vooraf"}, "MATCH-002"),
    ]
    for asked, said in wrong:
        with pytest.raises(DataError, match=said):
            balanced(frame, **asked)
    with pytest.raises(UsageError, match="no characteristic 'hur'"):
        balanced(frame).values("hur")
    match = impact.match(frame, treated="focus", on=["huur"])
    assert isinstance(match, Matched)
    with pytest.raises(UsageError, match="USAGE-003"):
        match.balance(sd="control")  # type: ignore[arg-type]


def test_nothing_can_be_written_to() -> None:
    found = balanced(table(), weights="gewicht")
    assert found.weight is not None
    for array in (found.weight, found.treated, found.characteristics.x):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
@pytest.mark.parametrize("method", ["entropy", "inverse-probability"])
def test_the_balance_of_weights_for_the_treated_and_for_all(method: str, estimand: str) -> None:
    frame = table(30, 120)
    found = impact.match(frame, treated="focus", on=ON, method=method, estimand=estimand)  # type: ignore[arg-type]
    assert isinstance(found, Matched), found
    of_weights = found.balance()
    assert isinstance(of_weights, Balance)
    alone = balanced(frame, weights=found.weights)
    pd.testing.assert_frame_equal(of_weights.table(), alone.table())
    if method == "entropy":
        assert of_weights.largest["after"][0] < 1e-6  # the means of all of these are what it balances
    mine, other = of_weights.overlap(), alone.overlap()
    assert isinstance(mine, Overlap)
    assert isinstance(other, Overlap)
    np.testing.assert_allclose(mine.score, other.score, atol=1e-6)
