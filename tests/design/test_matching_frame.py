"""`impact.match` on tables: what comes back, what each option means, and everything that can be wrong with a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

import impact
from impact.design.assignment import Nearest
from impact.design.matched import Matched
from impact.design.matching import Match, area_means, paired
from impact.errors import DataError, Refused, UsageError


def table(treated: int = 6, controls: int = 30, seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    count = treated + controls
    frame = pd.DataFrame(
        {
            "focus": np.arange(count) < treated,
            "huur": draw.normal(size=count).round(2) + 0.5 * (np.arange(count) < treated),
            "inwoners": draw.lognormal(8, 1, size=count).round(),
            "klasse": draw.integers(1, 4, size=count),
            "soort": draw.choice(["stad", "dorp"], size=count),
        },
        index=pd.Index([f"w{row:02}" for row in range(count)], name="wijk"),
    )
    return frame.sample(frac=1, random_state=seed)


def matched(frame: pd.DataFrame, **asked: Any) -> Matched:
    found = impact.match(frame, **{"treated": "focus", "on": ["huur", "inwoners"], **asked})
    assert isinstance(found, Matched), found
    return found


def refused(frame: pd.DataFrame, **asked: Any) -> Refused:
    found = impact.match(frame, **{"treated": "focus", "on": ["huur", "inwoners"], **asked})
    assert isinstance(found, Refused), found
    return found


# What comes back ----------------------------------------------------------------------------------------------------


def test_pairs_weights_and_table_by_hand() -> None:
    frame = pd.DataFrame(
        {"focus": [0, 1, 0, 0, 1, 0], "x": [1.0, 0.0, 3.0, 9.0, 2.5, 2.0]}, index=["a", "p", "b", "c", "q", "d"]
    )
    # Within p, q: 2 * 1.25²; within a, b, c, d (mean 3.75): 7.5625 + 0.5625 + 27.5625 + 3.0625; over 6 - 2.
    sd = np.sqrt((3.125 + 38.75) / 4)
    found = matched(frame, on=["x"], ratio=2)
    assert found.pairs[["treated", "control"]].values.tolist() == [["p", "a"], ["p", "d"], ["q", "b"], ["q", "d"]]
    np.testing.assert_allclose(found.pairs["distance"], np.array([1, 2, 0.5, 0.5]) / sd)
    # d serves both: a ½, b ½, d 1, which is 2 over 3 controls.
    pd.testing.assert_series_equal(
        found.weights, pd.Series([0.75, 1.0, 0.75, 0.0, 1.0, 1.5], index=frame.index, name="weight")
    )
    assert found.total_distance == pytest.approx(4 / sd)
    assert found.sets is None
    assert found.effective == {"treated": 2.0, "control": pytest.approx(9 / (0.75**2 * 2 + 1.5**2))}
    rows = found.table()
    assert rows["controls"].to_dict() == {"p": 2, "q": 2}
    np.testing.assert_allclose(rows.loc["p", ["nearest", "mean", "farthest"]].astype(float), np.array([1, 1.5, 2]) / sd)
    assert "total distance" in str(found)
    greedy = matched(frame, on=["x"], ratio=2, replace=False)
    # Farthest from its nearest first: p takes a, q takes b (a tie with d, by name), then p takes d and q is left c.
    assert greedy.pairs[["treated", "control"]].values.tolist() == [["p", "a"], ["p", "d"], ["q", "b"], ["q", "c"]]
    assert greedy.sets is not None
    assert greedy.sets.to_dict() == {"a": 1, "p": 1, "b": 2, "c": 2, "q": 2, "d": 1}


def test_full_and_strata_weights_by_hand() -> None:
    # Sets {p | a, b} and {q, r | c}.
    frame = pd.DataFrame(
        {"focus": [1, 1, 1, 0, 0, 0], "x": [0.0, 10.0, 11.0, 0.0, 1.0, 10.4], "k": list("svvssv")}, index=list("pqrabc")
    )
    shared = {"p": 1, "q": 2, "r": 2, "a": 1, "b": 1, "c": 2}
    for asked in ({"on": ["x"], "method": "full"}, {"on": ["k"], "method": "exact"}):
        found = matched(frame, **asked)
        assert found.sets is not None
        assert found.sets.to_dict() == shared
        # ATT: a and b share 1, c has 2; their mean is 1.
        np.testing.assert_allclose(found.weights, [1, 1, 1, 0.5, 0.5, 2])
        both = matched(frame, **asked, estimand="ATE")
        # ATE: each set has 3 units. Treated 3, 3/2, 3/2 (mean 2), controls 3/2, 3/2, 3 (mean 2).
        np.testing.assert_allclose(both.weights, [1.5, 0.75, 0.75, 0.75, 0.75, 1.5])
        pairs = set(map(tuple, found.pairs[["treated", "control"]].to_numpy()))
        assert pairs == {("p", "a"), ("p", "b"), ("q", "c"), ("r", "c")}
    assert matched(frame, on=["k"], method="exact").total_distance is None


@pytest.mark.parametrize("method", ["nearest", "optimal", "full", "exact", "coarsened-exact"])
def test_weights_follow_the_rows_and_the_table_stays_as_it_is(method: str) -> None:
    frame = table()
    on = ["klasse", "soort"] if "exact" in method else ["huur", {"log": "inwoners"}, {"category": "soort"}]
    before = frame.copy(deep=True)
    found = matched(frame, method=method, on=on)
    pd.testing.assert_frame_equal(frame, before)
    again = matched(frame.sort_index(), method=method, on=on)
    pd.testing.assert_series_equal(again.weights.loc[frame.index], found.weights)
    if found.sets is not None and again.sets is not None:
        assert pd.crosstab(again.sets.loc[frame.index], found.sets).astype(bool).sum(axis=1).eq(1).all()
    weights, treated = found.weights, frame["focus"]
    assert (weights[treated & (weights > 0)] == 1).all()
    assert weights[~treated & (weights > 0)].mean() == pytest.approx(1)
    assert found.balance()


def test_matched_areas_are_a_table_of_their_means() -> None:
    frame = table()
    inside = frame[frame["focus"]].sort_index()
    area = np.array([0, 0, 0, 1, 1, 1])
    means = area_means(
        inside[["huur", "inwoners"]], area, inside["inwoners"], units=list(inside.index), areas=["noord", "zuid"]
    )
    assert not isinstance(means, Refused)
    outside = frame[~frame["focus"]]
    engine = paired(
        means,
        outside[["huur", "inwoners"]],
        areas=["noord", "zuid"],
        units=list(outside.index),
        names=["huur", "inwoners"],
        how=Nearest(3),
    )
    assert isinstance(engine, Match)
    whole = pd.concat([pd.DataFrame(means, index=["noord", "zuid"], columns=["huur", "inwoners"]), outside])
    found = matched(whole.assign(focus=[1, 1, *[0] * len(outside)]), ratio=3)
    assert found.match is not None
    np.testing.assert_array_equal(found.match.pairs, engine.pairs)


# Options ------------------------------------------------------------------------------------------------------------


def test_the_propensity_is_that_of_statsmodels() -> None:
    import statsmodels.api as sm

    frame = table(40, 120)
    found = matched(frame, on=["huur", {"log": "inwoners"}, {"category": "klasse"}], distance="propensity")
    design = np.column_stack(
        [np.ones(160), frame["huur"], np.log(frame["inwoners"]), frame["klasse"] == 2, frame["klasse"] == 3]
    )
    fit = sm.Logit(frame["focus"].astype(float).to_numpy(), design.astype(float)).fit(disp=0, tol=1e-12, maxiter=100)
    assert found.score is not None
    np.testing.assert_allclose(found.score, design.astype(float) @ fit.params, rtol=0, atol=1e-8)
    odds = pd.Series(found.score, index=frame.index)
    pairs = found.pairs
    np.testing.assert_allclose(
        pairs["distance"], np.abs(odds[pairs["treated"]].to_numpy() - odds[pairs["control"]].to_numpy())
    )
    share = matched(frame, on=["huur", {"log": "inwoners"}, {"category": "klasse"}], distance="propensity-probability")
    assert share.score is not None
    np.testing.assert_allclose(share.score, 1 / (1 + np.exp(-odds)), rtol=1e-12)


def test_calipers_of_scores_columns_and_covariates() -> None:
    frame = table(10, 60)
    odds = pd.Series(matched(frame, distance="propensity").score, index=frame.index)
    found = matched(frame, distance="propensity", caliper=0.2, ratio=60)
    assert found.calipers == {"propensity": pytest.approx(0.2 * odds.std())}
    assert found.pairs["distance"].max() <= 0.2 * odds.std()
    assert any("fewer than 60" in note for note in found.notes)
    mixed = matched(frame, caliper={"propensity": 0.5, "klasse": 0.1, "inwoners": 0.8}, ratio=60)
    one, other = frame.loc[mixed.pairs["treated"]], frame.loc[mixed.pairs["control"]]
    assert (one["klasse"].to_numpy() == other["klasse"].to_numpy()).all()
    away = np.abs(odds[one.index].to_numpy() - odds[other.index].to_numpy())
    assert away.max() <= 0.5 * odds.std()
    here, there = frame.loc[frame["focus"], "inwoners"], frame.loc[~frame["focus"], "inwoners"]
    pooled = np.sqrt((here.var() * 9 + there.var() * 59) / 68)
    assert mixed.calipers["inwoners"] == pytest.approx(0.8 * pooled)
    assert np.abs(one["inwoners"].to_numpy() - other["inwoners"].to_numpy()).max() <= 0.8 * pooled
    every = matched(frame, caliper=1.0)
    assert list(every.calipers) == ["huur", "inwoners"]


def test_a_column_can_be_the_score() -> None:
    frame = table()
    found = matched(frame, distance="huur", on=["inwoners"])
    here, there = frame.loc[found.pairs["treated"], "huur"], frame.loc[~frame["focus"], "huur"]
    nearest = cdist(here.to_numpy()[:, None], there.to_numpy()[:, None]).min(axis=1)
    np.testing.assert_allclose(found.pairs["distance"], nearest)


def test_exact_columns_hold_and_numbers_can_be_in_classes() -> None:
    frame = table(8, 60)
    found = matched(frame, exact=["soort", "inwoners"], cutpoints={"inwoners": [2000.0, 5000.0]}, ratio=2)
    one, other = frame.loc[found.pairs["treated"]], frame.loc[found.pairs["control"]]
    assert (one["soort"].to_numpy() == other["soort"].to_numpy()).all()
    here, there = (np.digitize(rows["inwoners"], [2000.0, 5000.0]) for rows in (one, other))
    np.testing.assert_array_equal(here, there)


def test_gaps_are_filled_only_when_asked() -> None:
    frame = table()
    frame.loc[["w03", "w20"], "huur"] = np.nan
    frame.loc["w21", "soort"] = None
    on = ["huur", "inwoners", {"category": "soort"}]
    why = refused(frame, on=on).because
    assert why.startswith("3 units lack a characteristic")
    for who in ("w03 (huur)", "w20 (huur)", "w21 (soort)"):
        assert who in why
    found = matched(frame, on=on, missing="indicator")
    names = found.characteristics.names
    assert set(names) == {"huur", "inwoners", "soort=dorp", "soort=stad", "soort=unknown", "missing(huur)"}
    x = pd.DataFrame(found.characteristics.x, index=frame.index, columns=names)
    assert x.loc["w03", "huur"] == pytest.approx(frame["huur"].mean())
    assert x.index[x["missing(huur)"] == 1].sort_values().tolist() == ["w03", "w20"]
    assert x.index[x["soort=unknown"] == 1].tolist() == ["w21"]
    assert (x[["soort=dorp", "soort=stad", "soort=unknown"]].sum(axis=1) == 1).all()
    assert any("the mean of the others" in note for note in found.notes)
    assert "w21" in refused(frame, method="exact", on=["soort"]).because
    assert isinstance(impact.match(frame, treated="focus", on=["soort"], method="exact", missing="indicator"), Matched)
    assert "w03" in refused(frame, on=["inwoners"], caliper={"huur": 1.0}).because


# Bad input ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_matched_is_refused_with_the_names() -> None:
    frame = table()
    frame["double"], frame["flat"], frame["apart"] = frame["huur"] * 2, 3.0, frame["focus"] + frame["huur"] / 100
    assert "huur" in refused(frame, on=["huur", "double"]).because
    assert refused(frame, on=["huur", "flat"]).because.startswith("flat does not vary")
    assert "follows from the others" in refused(frame, on=["huur", "double"], distance="propensity").because
    assert refused(frame, on=["flat"], distance="propensity").because.startswith("flat does not vary")
    separated = refused(frame, on=["huur", "apart"], distance="propensity")
    assert separated.because.startswith("apart separates the treated")
    assert "apart" in separated.instead
    assert "caliper" in refused(frame, caliper=1e-9).because
    assert "6 treated units and 30 controls" in refused(frame, ratio=31).because
    assert "0 treated units" in refused(frame[~frame["focus"]]).because
    assert "score is the same" in refused(frame, distance="flat").because
    assert "flat" in refused(frame, caliper={"flat": 0.5}).because
    frame["eigen"] = frame.index
    assert "eigen" in refused(frame, method="exact", on=["eigen"]).because


def test_who_is_left_without_a_control_is_named() -> None:
    frame = table()
    frame.loc["w02", "huur"] = 50.0
    found = matched(frame, on=["huur"], caliper=0.5, replace=False, ratio=2)
    assert found.unmatched == ("w02",)
    assert found.weights["w02"] == 0
    assert found.table().loc["w02", "controls"] == 0
    assert found.table().loc["w02", ["nearest", "mean", "farthest"]].isna().all()
    assert any("w02" in note and "not about them" in note for note in found.notes)
    few = matched(table(6, 9), method="optimal", ratio=2)
    assert sum("found fewer than 2 controls" in note for note in few.notes) == 1
    assert few.table()["controls"].sort_values().tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"method": "nearst"}, "USAGE-001"),
        ({"method": "optimal", "replace": True}, "USAGE-002"),
        ({"method": "full", "ratio": 2}, "USAGE-002"),
        ({"moments": 2}, "USAGE-002"),
        ({"ratio": 0}, "USAGE-003"),
        ({"ratio": "5"}, "USAGE-003"),
        ({"caliper": -1}, "USAGE-003"),
        ({"distance": "euclidian"}, "USAGE-003"),
        ({"order": "data"}, "USAGE-003"),
        ({"replace": False, "order": "closest"}, "USAGE-003"),
        ({"estimand": "ATE"}, "USAGE-003"),
        ({"estimand": "ATO", "method": "full"}, "USAGE-003"),
        ({"missing": "impute"}, "USAGE-003"),
        ({"cutpoints": {"huur": 3}}, "USAGE-003"),
        ({"propensity_on": ["huur"]}, "USAGE-003"),
        ({"on": []}, "USAGE-003"),
        ({"on": "huur"}, "TERM-001"),
        ({"on": [{"kwadraat": "huur"}]}, "TERM-001"),
        ({"method": "exact", "on": "huur"}, "USAGE-003"),
        ({"method": "exact", "on": ["huur"], "estimand": "ATO"}, "USAGE-003"),
        ({"method": "coarsened-exact", "on": ["huur"], "cutpoints": {"klasse": 3}}, "USAGE-003"),
    ],
)
def test_wrong_calls_are_said(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        impact.match(table(), **{"treated": "focus", "on": ["huur"], **asked})
    assert [problem.code for problem in caught.value.problems] == [code]


def test_wrong_tables_are_said() -> None:
    frame = table()
    with pytest.raises(UsageError, match="USAGE-010"):
        impact.match(frame.to_dict(), treated="focus", on=["huur"])  # type: ignore[arg-type]
    wrong: list[tuple[pd.DataFrame, dict[str, Any], str]] = [
        (frame, {"on": ["hur"]}, "did you mean 'huur'"),
        (frame, {"exact": ["gemeente"]}, "no column 'gemeente'"),
        (frame, {"on": ["soort"]}, "MATCH-003"),
        (frame, {"on": ["focus"]}, "TERM-008"),
        (frame.assign(focus=2), {}, "MATCH-002"),
        (frame.assign(focus=frame["huur"].where(frame["huur"] > 0)), {}, "MATCH-002"),
        (pd.concat([frame, frame.iloc[:1]]), {}, "MATCH-001"),
        (frame.assign(huur=np.inf), {}, "MATCH-003"),
        (frame.assign(huur=pd.Timestamp("2020-01-01")), {}, "MATCH-003"),
        (frame.assign(inwoners=0.0), {"on": [{"log": "inwoners"}]}, "TERM-004"),
    ]
    for given, asked, said in wrong:
        with pytest.raises(DataError, match=said):
            impact.match(given, **{"treated": "focus", "on": ["huur"], **asked})


def test_numbers_that_came_as_text_are_numbers() -> None:
    frame = table()
    text = frame.assign(huur=frame["huur"].astype(str), focus=frame["focus"].astype(int).astype(str))
    pd.testing.assert_series_equal(matched(text).weights, matched(frame).weights)
    pd.testing.assert_series_equal(matched(frame.convert_dtypes()).weights, matched(frame).weights)
