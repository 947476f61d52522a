"""Placebo programmes in the own past of a study, on small made tables, against differences that are taken by hand."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from impact.study.bundle import read_bundle
from tests.study.conftest import impact
from tests.study.small import rates, wijk
from tests.study.test_robust import AREAS, said, written

SMALLEST = ("better: lower\n", "better: lower\n  smallest_difference_that_matters: {value: 1.0, why: afspraak}\n")
BESIDE = ("cluster: gemeente}", "cluster: gemeente, beside: [score-flip]}")


def asked(text: str) -> tuple[str, str]:
    return "seed: 7\n", f"calibrate: {text}\nseed: 7\n"


def test_the_declared_pair_is_tried_in_the_own_past(tmp_path: Path) -> None:
    small = written(tmp_path)
    small.outcomes.loc[small.outcomes["jaar"] >= 2022, "teller"] += 777  # the time after the start says nothing here
    result = small.run(asked("{draws: 40}"), BESIDE, SMALLEST)
    past = result["robust"]["past"]
    # Windows of three years that end before 2022 and have a year before them: starts from 2016 to 2019, two apart.
    assert past["starts"] == ["2016", "2017", "2018", "2019"] and past["windows"] == 2
    assert past["programmes"] == 40 and past["missing"] == 0 and not past["favourable"]
    declared, beside = past["pairs"]
    assert (declared["inference"], beside["inference"]) == ("cluster-jackknife", "score-flip")
    assert declared["bias"] == beside["bias"] and declared["worlds"] == 40
    assert declared["rmse"] ** 2 >= declared["bias"] ** 2 and declared["coverage"] == pytest.approx(
        1 - declared["size"]
    )
    text = said(read_bundle(small.out).outcomes[0], "nl")
    assert "Beschrijvend:" in text and "hoogstens 2 ervan" in text
    assert ("te klein" if declared["detectable"] > 1 else "groot genoeg") in text
    small.root = tmp_path / "again"
    small.root.mkdir()
    assert small.run(asked("{draws: 40}"), BESIDE, SMALLEST)["robust"]["past"] == past


def test_one_past_programme_by_hand(tmp_path: Path) -> None:
    """With one year before the window and hardly a choice of units, every placebo is a difference that can be taken."""
    small = written(tmp_path)
    # Six stand-ins among eight leave two controls: 28 sets.
    kept = (
        [codes[0] for codes in AREAS.values()] + [wijk(number, 2) for number in range(6, 12)] + [wijk(6, 3), wijk(7, 3)]
    )
    small.outcomes = small.outcomes[small.outcomes["wijk"].isin(kept)]
    small.units = small.units[small.units["wijk"].isin(kept)]
    result = small.run(asked("{draws: 20}"), ("first: 2015, last: 2024", "first: 2018, last: 2024"))
    past = result["robust"]["past"]
    assert past["starts"] == ["2019"] and past["windows"] == 1
    table = rates(small.outcomes, str)
    donors = kept[6:]
    change = table[[2019, 2020, 2021]].mean(axis=1) - table[2018]
    sets = [
        float(change[[one for one in donors if one not in out]].mean() - change[list(out)].mean())
        for out in combinations(donors, 2)
    ]
    bias, rmse = past["pairs"][0]["bias"], past["pairs"][0]["rmse"]
    assert min(sets) <= bias <= max(sets) and min(map(abs, sets)) <= rmse <= max(map(abs, sets))
    # Any 20 of these 28, each possibly more than once: four errors of their mean leave no room for another outcome.
    spread = float(np.std(sets))
    assert abs(bias - np.mean(sets)) < 4 * spread / np.sqrt(20) and spread > 0
    assert past["pairs"][0]["worlds"] == past["programmes"] == 20


def test_a_past_in_which_nothing_can_be_estimated_says_so(tmp_path: Path) -> None:
    small = written(tmp_path)
    kept = [codes[0] for codes in AREAS.values()] + [wijk(number, 2) for number in range(6, 12)] + [wijk(6, 3)]
    small.outcomes = small.outcomes[small.outcomes["wijk"].isin(kept)]
    small.units = small.units[small.units["wijk"].isin(kept)]
    past = small.run(asked("{draws: 20}"))["robust"]["past"]  # six stand-ins of seven leave one control
    assert past["pairs"][0]["worlds"] == 0 and past["pairs"][0]["refused"] == 20
    assert "Geen van de denkbeeldige programma’s gaf een schatting." in said(read_bundle(small.out).outcomes[0], "nl")


@pytest.mark.parametrize(
    ("change", "because", "words"),
    [
        (("first: 2015, last: 2024", "first: 2019, last: 2024"), "no earlier start has the window", "Bij geen enkele"),
        (("draws: 20", "draws: 20, sets: contiguous"), "where the donors lie", "is niet uitgerekend"),
    ],
)
def test_a_past_that_cannot_be_tried_says_why(
    tmp_path: Path, change: tuple[str, str], because: str, words: str
) -> None:
    small = written(tmp_path)
    past = small.run(asked("{draws: 20}"), change)["robust"]["past"]
    assert because in past["refused"]["because"] and past["pairs"] == []
    assert words in said(read_bundle(small.out).outcomes[0], "nl")


@pytest.mark.parametrize(
    ("text", "code"),
    [("{draws: 5}", "SPEC-007"), ("{sets: random}", "SPEC-006"), ("{draws: 50, sets: near}", "SPEC-007")],
)
def test_what_cannot_be_asked_of_the_past(tmp_path: Path, text: str, code: str) -> None:
    small = written(tmp_path)
    small.write(asked(text))
    ended = impact("check", small.study)
    assert ended.code == 2 and code in ended.err and "calibrate" in ended.err
