"""All inferences side by side: each as by itself, the declared one marked, refusals with their reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import impact
from impact.errors import Refused, UsageError
from impact.inference.registry import INFERENCES
from tests.contract.worlds import frame, panel_of

FEW = {
    "bootstrap": {"draws": 25},
    "placebo-space": {"draws": 40},
    "randomization-t": {"draws": 24},
    "prediction-interval": {"draws": 80},
    **{name: {"draws": 499} for name in ("wild", "subcluster-wild", "score-flip", "multiplier")},
}


def test_every_inference_is_there_and_gives_what_it_gives_alone() -> None:
    panel = panel_of(frame())
    found = impact.battery(panel, "did", settings=FEW, seed=3)
    assert isinstance(found, impact.Battery)
    assert list(found.results) == [
        "cluster-jackknife",
        *(name for name in INFERENCES if name != "cluster-jackknife"),
    ]
    table = found.tidy()
    assert set(table.loc[table["declared"], "inference"]) == {"cluster-jackknife"}
    for name in ("cluster-jackknife", "wild", "ferman-pinto", "randomization-t", "scores"):
        alone = impact.estimate(panel, "did", inference=name, seed=3, **FEW.get(name, {}))
        assert isinstance(alone, impact.Result)
        ours = table[table["inference"] == name].iloc[0]
        for column in ("estimate", "std_error", "p_value", "ci_low", "ci_high", "status"):
            np.testing.assert_array_equal(ours[column], alone.tidy().iloc[0][column])
    assert table["estimate"].nunique() == 1
    # Whoever gives no number says why, and nobody is left out.
    silent = table[table["p_value"].isna()]
    assert silent["status"].str.startswith("refused: ").all()
    assert set(found.refused) <= set(silent["inference"])
    assert (table.loc[table["p_value"].notna(), "mc_error"] >= 0).all()


def test_refusals_of_an_estimator_without_scores() -> None:
    found = impact.battery(panel_of(frame()), "synthetic-control", inferences=["wild", "score-flip", "ferman-pinto"])
    assert isinstance(found, impact.Battery)
    assert set(found.refused) == {"wild", "score-flip", "ferman-pinto"}
    for refused in found.refused.values():
        assert "synthetic-control" in refused.because and refused.instead
    said = found.summary()
    assert "cluster-jackknife *" in said and "* declared: it alone decides" in said and said.count("refused: ") == 3


def test_another_inference_can_be_the_declared_one() -> None:
    found = impact.battery(
        panel_of(frame()),
        "group-time",
        inference="wild",
        inferences=["cluster-jackknife"],
        settings={"wild": {"draws": 499, "weights": "webb"}},
        level=0.9,
        control="not-yet",
    )
    assert isinstance(found, impact.Battery)
    assert found.declared == "wild" and list(found.results) == ["wild", "cluster-jackknife"]
    for result in found.results.values():
        assert not isinstance(result.uncertainty, Refused) and result.uncertainty.level == 0.9


def test_no_estimate_is_one_refusal() -> None:
    panel = panel_of(frame())
    assert isinstance(impact.battery(replace(panel, weight=panel.weight * panel.treated), "did"), Refused)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"inference": "wildd"}, "USAGE-001"),
        ({"inferences": ["scores"], "settings": {"wild": {"draws": 499}}}, "USAGE-002"),
        ({"settings": {"wild": {"drows": 499}}}, "USAGE-002"),
        ({"settings": {"wild": {"draws": 3}}}, "USAGE-003"),
        ({"control": "not-yet"}, "USAGE-002"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(wrong: dict[str, object], code: str) -> None:
    with pytest.raises(UsageError) as raised:
        impact.battery(panel_of(frame()), "did", **wrong)  # type: ignore[arg-type]
    assert code in {problem.code for problem in raised.value.problems}
