"""Sets of characteristics in a run: every regression, and every one without a gemeente, against statsmodels."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from impact.evidence.plots import figures
from impact.study.bundle import read_bundle
from tests.study.conftest import impact
from tests.study.small import Small, rates, wijk
from tests.study.test_robust import said, written

SEED = "seed: 7\n"
SIX = [wijk(number, 1) for number in range(6)]
METHOD = "estimator: {name: group-time, control: never}"
NAMES = ("huur", "inwoners", "oud", "dicht")


def asked(of: str = "[structure, inwoners, oud, dicht]", more: str = "") -> tuple[str, str]:
    return SEED, f"covariate_sets: {{of: {of}, why: gevoeligheid{more}}}\n{SEED}"


def built(root: Path) -> Small:
    small = written(root)
    rng = np.random.default_rng(8)
    small.units["oud"] = rng.uniform(5, 30, len(small.units)).round(2)
    small.units["dicht"] = rng.uniform(500, 9_000, len(small.units)).round()
    return small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return built(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def ran(small: Small) -> dict[str, Any]:
    return small.run(asked())


def by_hand(small: Small, base: list[int]) -> list[tuple[float, float]]:
    """Estimate and CV3 of all 16 sets: least squares of the change, and again without each gemeente."""
    table = rates(small.outcomes, str)
    change = table[[2022, 2023, 2024]].mean(axis=1) - table[base].mean(axis=1)
    frame = small.units.set_index("wijk").loc[change.index]
    treated, place = change.index.isin(SIX).astype(float), change.index.str[:6].to_numpy()
    out = []
    for size in range(len(NAMES) + 1):
        for chosen in combinations(NAMES, size):
            x = np.column_stack([treated, np.ones(len(change)), *(frame[name] / frame[name].std() for name in chosen)])

            def fit(keep: np.ndarray, x: np.ndarray = x) -> float:
                return float(sm.OLS(change.to_numpy()[keep], x[keep]).fit().params[0])

            full = fit(np.ones(len(change), dtype=bool))
            away = np.array([fit(place != one) for one in np.unique(place)]) - full
            out.append((full, float(np.sqrt((len(away) - 1) / len(away) * (away**2).sum()))))
    return out


@pytest.mark.parametrize(("estimator", "base"), [("group-time", [2021]), ("did", list(range(2015, 2022)))])
def test_every_set_is_the_regression_with_its_jackknife(small: Small, estimator: str, base: list[int]) -> None:
    found = small.run((METHOD, f"estimator: {estimator}"), asked())
    curve = found["robust"]["sets"]
    hand = by_hand(small, base)
    assert curve["refused"] is None and (curve["possible"], curve["count"], curve["without"]) == (16, 16, 0)
    assert curve["columns"] == list(NAMES) and curve["plain"] == pytest.approx(found["primary"]["value"])
    reach = stats.t.ppf(0.975, 5)
    for row, (value, error) in zip(curve["each"], sorted(hand), strict=True):
        assert row["value"] == pytest.approx(value, abs=1e-8)
        assert (row["low"], row["high"]) == pytest.approx((value - reach * error, value + reach * error), abs=1e-7)
    values = np.array([value for value, _ in hand])
    assert curve["median"] == pytest.approx(np.median(values)) and curve["low"] == pytest.approx(values.min())
    assert (curve["positive"], curve["negative"]) == ((values > 0).sum(), (values < 0).sum())
    assert curve["apart"] == sum(abs(value) > reach * error for value, error in hand)


def test_it_counts_in_no_summary_and_changes_nothing(small: Small, ran: dict[str, Any]) -> None:
    without = small.run()
    assert without["primary"] == ran["primary"] and without["alternatives"] == ran["alternatives"] == []
    assert {**ran["robust"], "sets": None} == without["robust"] and ran["robust"]["alternatives"] is None


@pytest.mark.parametrize(("language", "words"), [("nl", "Er is niet uit gekozen"), ("en", "None was chosen")])
def test_the_report_draws_and_says_it(small: Small, language: str, words: str) -> None:
    small.run(asked())
    evidence = read_bundle(small.out).outcomes[0]
    text = said(evidence, language)
    assert words in text and "16" in text and "{" not in text
    assert "covariate-sets" in figures(evidence) and (small.out / "figures" / "covariate-sets.svg").is_file()


def test_more_sets_than_asked_for_are_drawn_with_the_empty_and_the_whole(small: Small) -> None:
    all_ = [value for value, _ in by_hand(small, [2021])]
    curve = small.run(asked(more=", at_most: 5"))["robust"]["sets"]
    values = [row["value"] for row in curve["each"]]
    assert (curve["possible"], curve["count"]) == (16, 5) and len(set(values)) == 5
    assert curve["plain"] == pytest.approx(all_[0])
    for must in (all_[0], all_[-1]):
        assert min(abs(np.array(values) - must)) < 1e-8
    assert all(min(abs(np.array(all_) - value)) < 1e-8 for value in values)
    assert "door het lot gekozen" in said(read_bundle(small.out).outcomes[0], "nl")


def test_a_column_that_follows_from_others_gives_no_number(tmp_path: Path) -> None:
    small = built(tmp_path)
    small.units["zelfde"] = 2 * small.units["huur"] + 1
    curve = small.run(asked("[huur, zelfde]"))["robust"]["sets"]
    assert (curve["possible"], curve["count"], curve["without"]) == (4, 3, 1)


def test_the_matched_comparison_keeps_its_weights(small: Small) -> None:
    """Without characteristics it is the matched estimate itself."""
    matched = ("match: none", "match: {method: nearest, ratio: 2, on: [huur, inwoners]}")
    found = small.run(matched, ("checks: {", "checks: {balance: 9, "), asked("[oud]"))
    assert found["robust"]["sets"]["plain"] == pytest.approx(found["primary"]["value"])


def test_a_characteristic_that_is_not_known_of_all_is_refused(tmp_path: Path) -> None:
    small = built(tmp_path)
    small.units["oud"] = small.units["oud"].where(small.units["wijk"] != SIX[2])
    curve = small.run(asked())["robust"]["sets"]
    assert curve["each"] == [] and SIX[2] in curve["refused"]["because"]
    text = said(read_bundle(small.out).outcomes[0], "nl")
    assert "is niet uitgerekend" in text and SIX[2] in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((asked(), (METHOD, "estimator: synthetic-control")), "is no regression of a change"),
        ((asked("[huur, structure]"),), "for the second time"),
        ((asked("[selection]"),), "o columns are named as selection"),
        ((asked("[]"),), "of"),
    ],
)
def test_what_cannot_be(tmp_path: Path, changes: tuple[tuple[str, str], ...], words: str) -> None:
    small = built(tmp_path)
    small.write(*changes)
    ended = impact("check", small.study)
    assert ended.code == 2 and words in ended.err, ended.err


def test_the_panel_regression_says_the_same(small: Small, ran: dict[str, Any]) -> None:
    """With all characteristics × after in a panel of units and years with effects of both, as it is usually written."""
    table = rates(small.outcomes, str)
    long = pd.DataFrame({"before": table[2021], "after": table[[2022, 2023, 2024]].mean(axis=1)}).stack().reset_index()
    long.columns = pd.Index(["wijk", "when", "y"])
    frame = long.merge(small.units, on="wijk")
    post = (frame["when"] == "after").to_numpy(dtype=float)
    units = pd.get_dummies(frame["wijk"], dtype=float).to_numpy()
    extra = [post * (frame[name] / frame[name].std()).to_numpy() for name in NAMES]
    x = np.column_stack([post * frame["wijk"].isin(SIX), post, *extra, units])
    whole = float(sm.OLS(frame["y"].to_numpy(), x).fit().params[0])
    assert min(abs(row["value"] - whole) for row in ran["robust"]["sets"]["each"]) < 1e-8


@pytest.mark.parametrize(("least", "there"), [(3, True), (7, False)])
def test_it_leaves_only_with_the_estimate(tmp_path: Path, least: int, there: bool) -> None:
    small = built(tmp_path)
    found = small.run((SEED, asked()[1].replace(SEED, f"disclose: {{minimum_units: {least}}}\n{SEED}")))
    assert (found["primary"]["value"] is not None) is there
    assert (found["robust"] is not None and found["robust"]["sets"] is not None) is there
    assert (small.out / "figures" / "covariate-sets.svg").is_file() is there
