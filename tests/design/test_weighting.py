"""`impact.match` with methods of weighting: what comes back, what options mean, and what cannot be weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impact
from impact.design.matched import Matched
from impact.design.weighting import Weighted
from impact.errors import Refused, UsageError

ON: list[Any] = ["huur", "inwoners", {"category": "klasse"}]
METHODS = ["entropy", "stable", "inverse-probability", "overlap"]


def table(treated: int = 20, controls: int = 200, seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    count = treated + controls
    focus = np.arange(count) < treated
    frame = pd.DataFrame(
        {
            "focus": focus,
            "huur": draw.normal(size=count) + 0.6 * focus,
            "inwoners": draw.lognormal(8, 0.5, size=count).round() * np.where(focus, 1.2, 1.0),
            "klasse": np.where(
                draw.random(count) < np.where(focus, 0.6, 0.3), "hoog", draw.choice(["laag", "midden"], count)
            ),
            "gewicht": draw.uniform(0.5, 2, size=count),
        },
        index=pd.Index([f"w{row:03}" for row in range(count)], name="wijk"),
    )
    return frame.sample(frac=1, random_state=seed)


def weighted(frame: pd.DataFrame, **asked: Any) -> Weighted:
    found = impact.match(frame, **{"treated": "focus", "on": ON, "method": "entropy", **asked})
    assert isinstance(found, Weighted), found
    return found


def refused(frame: pd.DataFrame, **asked: Any) -> Refused:
    found = impact.match(frame, **{"treated": "focus", "on": ON, "method": "entropy", **asked})
    assert isinstance(found, Refused), found
    return found


def means(frame: pd.DataFrame, found: Matched, column: str, power: int = 1) -> tuple[float, float]:
    """Weighted means of the treated and of the controls."""
    values = frame[column] ** power
    one, other = (
        float(np.average(values[group], weights=found.weights[group])) for group in (frame["focus"], ~frame["focus"])
    )
    return one, other


def smd(found: Matched) -> dict[str, float]:
    """After weighting, by the page of balance."""
    kept = found.balance()
    assert not isinstance(kept, Refused)
    frame = kept.table()
    return dict(zip(frame.index.astype(str), frame["smd_after"].astype(float), strict=True))


# What comes back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_one_result_for_all(method: str) -> None:
    frame = table()
    before = frame.copy()
    found = weighted(frame, method=method)
    pd.testing.assert_frame_equal(frame, before)
    assert isinstance(found, Matched)
    assert found.weights.index.equals(frame.index)
    assert (found.weights >= 0).all()
    for group in (frame["focus"], ~frame["focus"]):
        some = found.weights[group & (found.weights > 0)]
        assert some.mean() == pytest.approx(1)
    assert found.estimand == ("ATO" if method == "overlap" else "ATT")
    assert (found.score is not None) == (found.distance == "propensity") == (method in METHODS[2:])
    assert found.pairs.empty
    assert found.sets is None
    assert found.total_distance is None
    assert found.unmatched == ()
    assert method in str(found)
    assert found.balance()
    moments = found.table()
    assert set(moments["group"]) == ({"control", "treated"} if method == "overlap" else {"control"})
    np.testing.assert_allclose(moments["gap"], (moments["after"] - moments["target"]) / moments["sd"], atol=1e-12)


def test_entropy_by_hand() -> None:
    """Controls at 0 and 1, two and one of them, treated at 1/2 on average: half of the weight each."""
    frame = pd.DataFrame({"t": [1, 1, 0, 0, 0], "x": [0.25, 0.75, 0.0, 0.0, 1.0]}, index=list("abcde"))
    found = weighted(frame, treated="t", on=["x"])
    expected = pd.Series([1.0, 1.0, 0.75, 0.75, 1.5], index=frame.index, name="weight")
    pd.testing.assert_series_equal(found.weights, expected)
    row = found.table().iloc[0]
    assert row[["target", "before", "after"]].tolist() == pytest.approx([0.5, 1 / 3, 0.5])
    assert row["multiplier"] == pytest.approx(np.log(2))  # weights of 1 and 0 differ by this factor
    assert found.effective == {"treated": 2.0, "control": pytest.approx(9 / (2 * 0.75**2 + 1.5**2))}


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
@pytest.mark.parametrize("method", ["entropy", "stable"])
def test_moments_are_those_of_whom_it_is_about(method: str, estimand: str) -> None:
    frame = table(treated=60)
    asked = {"tolerance": 0.0} if method == "stable" else {}
    found = weighted(frame, method=method, estimand=estimand, moments={"huur": 3, "inwoners": 2}, **asked)
    people = {"ATT": frame["focus"], "ATC": ~frame["focus"], "ATE": frame["focus"] | True}[estimand]
    for column, powers in {"huur": (1, 2, 3), "inwoners": (1, 2)}.items():
        for power in powers:
            target = float((frame.loc[people, column] ** power).mean())
            assert means(frame, found, column, power) == pytest.approx((target, target), rel=1e-6)
    for level in ("hoog", "midden", "laag"):
        share = frame.assign(is_it=(frame["klasse"] == level).astype(float))
        assert means(share, found, "is_it") == pytest.approx((share["is_it"][people].mean(),) * 2, rel=1e-8)
    kept = {"ATT": frame["focus"], "ATC": ~frame["focus"]}.get(estimand)
    assert kept is None or (found.weights[kept] == 1).all()


@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
@pytest.mark.parametrize("tolerance", [0.02, 0.1])
def test_stable_keeps_every_difference_within_the_tolerance(estimand: str, tolerance: float) -> None:
    found = weighted(table(), method="stable", estimand=estimand, tolerance=tolerance)
    differences = smd(found)
    assert {"klasse=hoog", "klasse=laag", "klasse=midden"} < set(differences)
    assert max(map(abs, differences.values())) == pytest.approx(tolerance, rel=1e-8)
    for name, value in found.differences.items():
        assert value == pytest.approx(differences[name], abs=1e-10)
    assert found.binding
    for row in found.table().to_dict("records"):
        if row["multiplier"]:
            assert abs(row["gap"]) == pytest.approx(row["tolerance"])
            assert f"{row['moment']} ({row['group']})" in found.binding


def test_stable_is_evener_than_entropy_and_wider_is_evener() -> None:
    frame = table()
    numbers = [weighted(frame).effective["control"]]
    numbers += [weighted(frame, method="stable", tolerance=width).effective["control"] for width in (0, 0.05, 0.2)]
    assert numbers == sorted(numbers)
    mixed = weighted(frame, method="stable", on=["huur", "inwoners"], tolerance={"huur": 0.0, "inwoners": 0.3})
    assert mixed.differences["huur"] == pytest.approx(0, abs=1e-10)
    assert 0 < abs(mixed.differences["inwoners"]) < 0.3


def test_base_weights_and_a_largest_share() -> None:
    frame = table()
    even, based = weighted(frame), weighted(frame, base_weights="gewicht")
    assert (even.weights != based.weights).any()
    # Weights differ from the given ones by a factor that is linear in logs: nothing else explains them.
    control = ~frame["focus"]
    x = frame.loc[control, ["huur", "inwoners"]].assign(
        one=1.0, hoog=frame["klasse"] == "hoog", midden=frame["klasse"] == "midden"
    )
    logs = np.log(based.weights[control] / frame.loc[control, "gewicht"])
    fitted = x.astype(float) @ np.linalg.lstsq(x.astype(float), logs)[0]
    np.testing.assert_allclose(fitted, logs, atol=1e-8)
    most = float(even.weights[control].max() / even.weights[control].sum()) / 2
    capped = weighted(frame, max_weight=most)
    assert capped.weights[control].max() / capped.weights[control].sum() == pytest.approx(most)
    assert smd(capped)["huur"] == pytest.approx(0, abs=1e-9)
    assert "at least 0.005" in refused(frame, max_weight=0.004).instead
    assert "not above 0 for w" in refused(frame.assign(gewicht=frame["gewicht"] - 0.6), base_weights="gewicht").because


def test_overlap_has_equal_means_and_no_large_weight() -> None:
    found = weighted(table(), method="overlap")
    assert max(map(abs, smd(found).values())) < 1e-9  # Li, Morgan & Zaslavsky (2018), theorem 3
    assert found.score is not None
    e = 1 / (1 + np.exp(-found.score))
    for group, other in ((found.treated, 1 - e), (~found.treated, e)):
        np.testing.assert_allclose(found.weight[group] / found.weight[group].sum(), (other / other[group].sum())[group])
    paired = weighted(table(), method="overlap", estimand="ATM")
    assert paired.effective["treated"] > found.effective["treated"]  # most treated have a rare score, and weigh 1


def test_inverse_probability_by_statsmodels() -> None:
    import statsmodels.api as sm

    frame = table()
    x = frame[["huur"]].assign(one=1.0, size=frame["inwoners"] / 1000)
    score = sm.Logit(frame["focus"].astype(float), x).fit(disp=0, tol=1e-12).predict()
    found = weighted(frame, method="inverse-probability", on=["huur", "inwoners"])
    odds = (score / (1 - score))[~frame["focus"]]
    np.testing.assert_allclose(found.weights[~frame["focus"]], odds / odds.mean(), rtol=1e-7)


def test_trimming() -> None:
    import statsmodels.api as sm

    frame = table(treated=120, controls=160, seed=3)
    found = weighted(frame, method="inverse-probability", on=["huur", "inwoners"], estimand="ATE", trim=0.3)

    def fitted(rows: pd.DataFrame) -> np.ndarray:
        x = rows[["huur"]].assign(one=1.0, size=rows["inwoners"] / 1000)
        return np.asarray(sm.Logit(rows["focus"].astype(float), x).fit(disp=0, tol=1e-12).predict())

    first = fitted(frame)
    kept = (first >= 0.3) & (first <= 0.7)
    assert 50 < kept.sum() < len(frame) - 20
    assert ((found.weights > 0) == kept).all()
    again = frame[kept]
    second = fitted(again)
    weight = pd.Series(np.where(again["focus"], 1 / second, 1 / (1 - second)), index=again.index)
    for group in (again["focus"], ~again["focus"]):
        np.testing.assert_allclose(found.weights[group[group].index], weight[group] / weight[group].mean(), rtol=1e-6)
    gone = set(frame.index[~kept & frame["focus"]])
    assert set(found.unmatched) == gone
    assert f"{len(gone)} treated units and {int((~kept & ~frame['focus']).sum())} controls were trimmed" in str(found)
    best = weighted(frame, method="inverse-probability", on=["huur", "inwoners"], trim="optimal")
    assert "trimmed" in best.notes[-1]
    low = weighted(table(), method="inverse-probability", trim=0.1)
    assert (low.weights[~low.treated] > 0).all(), "for the treated a low score does no harm"


# What does not matter -------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["entropy", "stable"]), st.floats(0.01, 1e4), st.floats(-50, 50), st.integers(0, 1000))
def test_units_and_the_order_of_rows_do_not_matter(method: str, factor: float, shift: float, seed: int) -> None:
    frame = table(treated=40)
    found = weighted(frame, method=method, moments=2)
    other = frame.assign(huur=frame["huur"] * factor + shift * factor).sample(frac=1, random_state=seed)
    again = weighted(other, method=method, moments=2)
    np.testing.assert_allclose(again.weights[frame.index], found.weights, atol=1e-6)


def test_twins_share_a_weight() -> None:
    frame = table()
    twins = frame[~frame["focus"]].rename(index=lambda name: f"{name}-twin")
    for method in ("entropy", "inverse-probability"):
        found, both = weighted(frame, method=method), None
        if method == "entropy":
            both = weighted(pd.concat([frame, twins]), method=method)
            np.testing.assert_allclose(both.weights[frame.index], found.weights, rtol=1e-8)
            np.testing.assert_allclose(both.weights[twins.index], found.weights[~frame["focus"]], rtol=1e-8)


def test_a_number_of_two_values_has_one_moment() -> None:
    frame = table().assign(flat=lambda one: (one["klasse"] == "hoog").astype(int))
    found = weighted(frame, on=["huur", "flat"], moments=3)
    assert [moment.name for moment in found.moments] == ["huur", "huur^2", "huur^3", "flat"]


# What cannot be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["entropy", "stable"])
def test_balance_out_of_reach_by_hand(method: str) -> None:
    frame = pd.DataFrame(
        {"t": [1, 1, 1, 0, 0, 0], "x": [5.0, 1.0, 2.0, 0.0, 1.0, 2.0]}, index=["zuid", "west", "noord", "a", "b", "c"]
    )
    asked = {"tolerance": 0.0} if method == "stable" else {}
    found = refused(frame, treated="t", on=["x"], method=method, **asked)
    # The mean of the treated is 8/3, the most a control has is 2, sd² = (13/3 + 1) / 2.
    short = (8 / 3 - 2) / np.sqrt(8 / 3)
    assert f"x {short:.2g} sd below its target of 2.667 (the controls run from 0 to 2)" in str(found)
    assert found.because.endswith("Without these units, whom nobody can stand for, they can be met: zuid")
    assert weighted(frame.drop("zuid"), treated="t", on=["x"], method=method, **asked)


@pytest.mark.parametrize("seed", range(6))
def test_without_the_units_that_are_named_it_can_be(seed: int) -> None:
    frame = table(treated=15, controls=60, seed=seed)
    names = frame.index[frame["focus"]][:3]
    frame.loc[names[0], "huur"] = 40.0
    frame.loc[names[1], "inwoners"] = 90_000.0
    frame.loc[names[2], "huur"] = -30.0
    found = refused(frame)
    assert "can be met: " in found.because
    named = found.because.rsplit(": ", 1)[1].split(", ")
    assert set(named) <= set(frame.index[frame["focus"]])
    assert isinstance(weighted(frame.drop(named)), Weighted)
    # No more than it takes: with the last one back it is out of reach again.
    refused(frame.drop(named[:-1]))


def test_a_largest_share_that_is_too_small() -> None:
    frame = table()
    found = refused(frame, max_weight=0.0051)
    assert "larger max_weight" in found.instead


def test_a_level_that_no_control_has() -> None:
    frame = table()
    frame.loc[~frame["focus"] & (frame["klasse"] == "hoog"), "klasse"] = "laag"
    frame["klasse"] = frame["klasse"].replace({"laag": "a"})
    found = refused(frame)
    with_it = frame.index[frame["focus"] & (frame["klasse"] == "hoog")]
    assert "klasse=hoog" in found.because
    assert all(name in found.because for name in with_it)
    assert "klasse=hoog" in str(refused(frame, method="stable"))
    assert "klasse=hoog" in str(refused(frame, method="inverse-probability"))


def test_a_level_that_no_treated_unit_has() -> None:
    """Its controls can have no weight, and the others are weighted as if they were not there."""
    frame = table()
    frame.loc[frame["focus"] & (frame["klasse"] == "laag"), "klasse"] = "midden"
    out = frame["klasse"] == "laag"
    for method, asked in (("entropy", {}), ("stable", {"tolerance": 0.0})):
        found, without = weighted(frame, method=method, **asked), weighted(frame[~out], method=method, **asked)
        assert found.weights[out].max() < 1e-8
        ours = found.weights[without.weights.index]
        scale = ours[~without.treated].sum() / without.weights[~without.treated].sum()
        np.testing.assert_allclose(ours[~without.treated], scale * without.weights[~without.treated], atol=1e-7)
    assert "next to none" in str(weighted(frame))


@pytest.mark.parametrize("method", METHODS)
def test_covariates_that_cannot_be_used(method: str) -> None:
    frame = table().assign(same=1.0, sum=lambda one: one["huur"] * 2 - one["inwoners"])
    assert "same does not vary" in refused(frame, method=method, on=["huur", "same"]).because
    both = refused(frame, method=method, on=["huur", "inwoners", "sum"]).because
    assert all(name in both for name in ("huur", "inwoners", "sum"))
    frame.loc["w007", "huur"] = np.nan
    assert "w007 (huur)" in refused(frame, method=method).because
    marked = impact.match(frame, treated="focus", on=ON, method=method, missing="indicator")
    assert isinstance(marked, Refused)  # one treated unit has a gap and no control does: nobody is like it
    assert "missing(huur)" in str(marked)
    frame.loc[["w100", "w150"], "huur"] = np.nan
    found = weighted(frame, method=method, missing="indicator")
    assert any("huur is missing for 3 units" in note for note in found.notes)


def test_separation_names_the_covariate() -> None:
    frame = table().assign(score=lambda one: np.where(one["focus"], 5.0, 1.0) + one["huur"] * 0.1)
    for method in METHODS[2:]:
        assert "score separates the treated" in refused(frame, method=method, on=["huur", "score"]).because
    assert "score" in refused(frame, on=["huur", "score"]).because


def test_few_units() -> None:
    frame = table(treated=1, controls=30)
    assert weighted(frame, on=["huur"]).effective["treated"] == 1
    assert refused(frame[frame["focus"]]).because.startswith("there are 1 treated units and 0 controls")
    assert isinstance(refused(table(treated=3, controls=2), moments=3), Refused)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"moments": 4}, "whole numbers from 1 to 3"),
        ({"moments": True}, "whole numbers from 1 to 3"),
        ({"moments": {"hur": 2}}, "moments of hur"),
        ({"max_weight": 0}, "a share above 0"),
        ({"estimand": "ATO"}, "is not one of ATT, ATC, ATE"),
        ({"method": "overlap", "estimand": "ATT"}, "is not one of ATO, ATM"),
        ({"method": "stable", "tolerance": -0.1}, "0 standard deviations or more"),
        ({"method": "stable", "tolerance": {"huur": 0.1}}, "every moment once"),
        ({"method": "inverse-probability", "trim": 0.5}, "below 0.5"),
        ({"method": "inverse-probability", "trim": "most"}, "optimal"),
        ({"missing": "drop"}, "refuse, indicator"),
        ({"on": []}, "nothing to weight on"),
        ({"method": "nearest", "estimand": "ATO"}, "is not one of ATT"),
    ],
)
def test_wrong_options(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        impact.match(table(), **{"treated": "focus", "on": ON, "method": "entropy", **asked})
    assert error.value.problems[0].code == "USAGE-003"


def test_options_of_other_methods() -> None:
    with pytest.raises(UsageError, match="trim is no option of entropy") as error:
        impact.match(table(), treated="focus", on=ON, method="entropy", trim=0.1)
    assert "base_weights, max_weight" in error.value.problems[0].hint
