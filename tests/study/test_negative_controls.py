"""Negative controls of a study: on a small made one, against estimates by hand and by the study itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from impact.inference.negative_controls import SystematicError, calibrated, systematic_error
from impact.study.bundle import read_bundle
from tests.study.conftest import impact
from tests.study.small import YEARS, Small, wijk
from tests.study.test_robust import AREAS, said, written

SIX = [wijk(number, 1) for number in range(6)]
SEED = "seed: 7\n"
WHERE = ("indicator: iets\n", "indicator: iets\n  where: {soort: [eigen]}\n")
NOISES = ("regen", "zon", "wind", "mist")


def control(slug: str, why: str = "het weer", unit: str = "mm") -> str:
    return (
        f"{{indicator: {slug}, name: {{nl: {slug}}}, where: {{soort: [{slug}]}}, why: {why}, "
        f"measure: {{rate: numerator/denominator, per: 100, unit: {unit}}}}}"
    )


def asked(*outcomes: str, areas: dict[str, list[str]] | None = None) -> tuple[str, str]:
    listed = ", ".join(
        f"{name}: {{members: [{', '.join(codes)}], why: geen programma}}" for name, codes in (areas or {}).items()
    )
    return SEED, f"negative_controls: {{outcomes: [{', '.join(outcomes)}], areas: {{{listed}}}}}\n{SEED}"


def weather(root: Path) -> Small:
    """The made study with four outcomes more in its table, each on a scale of its own."""
    small = written(root)
    rng = np.random.default_rng(4)
    tables = [small.outcomes.assign(soort="eigen")]
    for number, slug in enumerate(NOISES):
        own = small.outcomes.assign(soort=slug)
        own["teller"] = own["noemer"] * 10.0 ** (number - 1) * rng.uniform(0.2, 0.4, len(own)) + 3 * number
        tables.append(own)
    small.outcomes = pd.concat(tables)
    return small


FOUR = {"elders": [wijk(number, 2) for number in range(6, 11)]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return weather(tmp_path_factory.mktemp("controls"))


@pytest.fixture(scope="module")
def ran(small: Small) -> dict[str, Any]:
    return small.run(WHERE, asked(*(control(slug) for slug in NOISES), areas=FOUR))


def rates_of(small: Small, kind: str) -> pd.DataFrame:
    table = small.outcomes[small.outcomes["soort"] == kind].set_index(["wijk", "jaar"])
    return (100 * table["teller"] / table["noemer"]).unstack()


def by_hand(table: pd.DataFrame, treated: list[str]) -> float:
    change = table[[2022, 2023, 2024]].mean(axis=1) - table[2021]
    others = [code for code in change.index if code not in (*treated, *SIX)]
    return float(change[treated].mean() - change[others].mean())


def moves(table: pd.DataFrame) -> float:
    """Of units without programme before the start: the root of the residual mean square of a two-way layout."""
    early = table.drop(index=SIX)[[year for year in YEARS if year < 2022]].to_numpy()
    rest = early - early.mean(axis=1, keepdims=True) - early.mean(axis=0) + early.mean()
    return float(np.sqrt((rest**2).sum() / ((len(early) - 1) * (early.shape[1] - 1))))


def test_each_control_is_the_same_design_elsewhere(small: Small, ran: dict[str, Any]) -> None:
    found = ran["robust"]["controls"]
    assert found["counted"] == 5 and found["refused"] is None
    own = moves(rates_of(small, "eigen"))
    for one, slug in zip(found["each"][:4], NOISES, strict=True):
        table = rates_of(small, slug)
        assert one["kind"] == "outcome" and one["unit"] == "mm" and one["why"] == "het weer"
        assert one["value"] == pytest.approx(by_hand(table, SIX))
        assert one["scaled"] == pytest.approx(one["value"] * own / moves(table))
    elsewhere = found["each"][4]
    assert elsewhere["kind"] == "areas" and elsewhere["value"] == elsewhere["scaled"]
    assert elsewhere["value"] == pytest.approx(by_hand(rates_of(small, "eigen"), FOUR["elders"]))


def test_the_declared_estimate_stays_as_it_is(small: Small, ran: dict[str, Any]) -> None:
    plain = weather(small.root / "plain") if (small.root / "plain").mkdir() is None else small
    without = plain.run(WHERE)
    assert without["primary"] == ran["primary"] and without["robust"]["controls"] is None
    ran_without = {**ran["robust"], "controls": None}
    assert ran_without == without["robust"]


def test_the_calibrated_estimate_takes_off_what_the_controls_show(small: Small, ran: dict[str, Any]) -> None:
    found, primary = ran["robust"]["controls"], ran["primary"]
    own = moves(rates_of(small, "eigen"))
    scale = [own / moves(rates_of(small, slug)) for slug in NOISES] + [1.0]
    error = systematic_error(
        np.array([one["scaled"] for one in found["each"]]),
        np.array([one["std_error"] * by for one, by in zip(found["each"], scale, strict=True)]),
    )
    assert isinstance(error, SystematicError)
    assert (found["mean"], found["sd"]) == pytest.approx((error.mean, error.sd), abs=1e-9)
    again = calibrated(primary["value"], primary["low"], primary["high"], error)
    assert (found["low"], found["high"]) == pytest.approx((again.low, again.high))
    assert found["value"] == pytest.approx(primary["value"] - found["mean"])
    assert found["high"] - found["low"] > (primary["high"] - primary["low"]) * stats.t.ppf(0.975, 4) / 1.96 * 0.999


@pytest.mark.parametrize(("language", "words"), [("nl", "nooit in haar plaats"), ("en", "never in its place")])
def test_the_report_says_it(small: Small, ran: dict[str, Any], language: str, words: str) -> None:
    assert ran["primary"]["value"] is not None
    text = said(read_bundle(small.out).outcomes[0], language)
    assert words in text and "elders" in text and "regen" in text and "{" not in text


def test_what_cannot_be_estimated_does_not_count_and_too_few_are_refused(small: Small) -> None:
    one_gemeente = {"samen": [wijk(6, 2), wijk(6, 3)]}
    found = small.run(WHERE, asked(*(control(slug) for slug in NOISES), areas=one_gemeente))["robust"]["controls"]
    assert found["counted"] == 4 and found["value"] is None and found["mean"] is None
    assert "4 negative controls" in found["refused"]["because"] and "at least 5" in found["refused"]["instead"]
    assert found["each"][4]["value"] is None and found["each"][4]["refused"] is not None
    text = said(read_bundle(small.out).outcomes[0], "nl")
    assert "is niet gegeven" in text and "4 controles" in text and "Foreign" not in text


def test_a_unit_that_is_no_comparison_is_named(small: Small) -> None:
    other = {"elders": ["WK919901", *FOUR["elders"]]}
    found = small.run(WHERE, asked(*(control(slug) for slug in NOISES), areas=other))["robust"]["controls"]
    assert "WK919901" in found["each"][4]["refused"]["because"]


def test_nothing_of_it_is_made_where_a_gate_is_closed(small: Small) -> None:
    closed = ("checks: {treated-clusters: 2,", "checks: {treated-clusters: 9,")
    assert small.run(WHERE, closed, asked(*(control(slug) for slug in NOISES), areas=FOUR))["robust"] is None


@pytest.mark.parametrize(
    "match", ["{method: nearest, ratio: 2, on: [huur, inwoners]}", "{method: entropy, on: [inwoners]}"]
)
def test_areas_of_a_matched_study_are_matched_again(small: Small, match: str) -> None:
    found = small.run(
        WHERE,
        ("match: none", f"match: {match}"),
        ("checks: {", "checks: {balance: 9, "),
        asked(*(control(slug) for slug in NOISES), areas=FOUR),
    )["robust"]["controls"]
    assert found["each"][4]["value"] is not None and found["counted"] == 5
    assert found["each"][4]["value"] != pytest.approx(by_hand(rates_of(small, "eigen"), FOUR["elders"]), abs=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (asked(control("regen"), areas=FOUR), "2 negative controls do not show"),
        (asked(control("regen"), control("regen")), "for the second time"),
        (asked(control("iets")), "'iets' is an outcome of this study"),
        (asked(areas={"elders": [wijk(0, 1)]}), "is already a member of gebied-a"),
        (asked(areas={"een": [wijk(8, 1)], "twee": [wijk(8, 1)]}), "is already a member of een"),
        (asked("{indicator: regen, why: weer, measure: {unit: mm}}"), "is not one of the 15 indicators"),
        ((SEED, f"negative_controls: {{areas: {{x: {{members: [{wijk(8, 1)}]}}}}}}\n{SEED}"), "why"),
    ],
)
def test_controls_that_cannot_be(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    small = weather(tmp_path)
    small.write(WHERE, change)
    ended = impact("check", small.study)
    assert ended.code == 2 and words in ended.err, ended.err


def test_a_control_without_data_is_named(tmp_path: Path) -> None:
    small = weather(tmp_path)
    small.write(WHERE, asked(*(control(slug) for slug in (*NOISES, "sneeuw"))))
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code == 3 or ended.code == 2
    assert "negative control" in ended.err and "sneeuw" in ended.err, ended.err


def test_results_are_the_same_twice(small: Small, ran: dict[str, Any]) -> None:
    again = small.run(WHERE, asked(*(control(slug) for slug in NOISES), areas=FOUR))
    # The ledger has seen other set-ups in between.
    one, other = ({**found, "standing": None} for found in (again, ran))
    assert json.dumps(one) == json.dumps(other) and len(AREAS) == 6
