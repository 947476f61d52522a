"""`impact plan` from the command line: blind to outcomes after the start, the same for any number of workers, kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impact.errors import SpecError
from impact.study.needs import shortfall
from impact.study.plan_record import Amount, Plan, read_plan
from impact.study.planning import plan
from impact.study.read import read_study
from tests.shared import ROOT
from tests.study.conftest import impact
from tests.study.small import Small, made

SMALLEST = ("better: lower\n", "better: lower\n  smallest_difference_that_matters: {value: 1.5, why: afspraak}\n")
NEEDS = ("seed: 7\n", "needs: {power: 0.9}\nseed: 7\n")
ON_OUTCOMES = ("match: none", "match: {method: nearest, ratio: 2, outcomes_in: [2015, 2016]}")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def planned(small: Small, *changes: tuple[str, str], draws: int = 20, workers: int = 1) -> dict[str, Any]:
    small.write(*changes)
    ended = impact("plan", small.study, "--draws", str(draws), "--workers", str(workers))
    assert ended.code in (0, 1), ended.err
    found: dict[str, Any] = json.loads((small.root / "study.plan.json").read_text(encoding="utf-8"))
    return found


def kept(small: Small) -> bytes:
    return (small.root / "study.plan.json").read_bytes()


def test_outcomes_after_the_start_change_no_byte(small: Small) -> None:
    planned(small, SMALLEST, ON_OUTCOMES)
    first = kept(small)
    after = small.outcomes["jaar"] >= 2022
    small.outcomes.loc[after, "teller"] = np.random.default_rng(1).integers(0, 900, int(after.sum()))
    (small.root / "study.plan.json").unlink()
    planned(small, SMALLEST, ON_OUTCOMES, workers=2)
    assert kept(small) == first
    before = small.outcomes["jaar"] == 2018
    small.outcomes.loc[before, "teller"] += np.arange(int(before.sum())) % 7
    planned(small, SMALLEST, ON_OUTCOMES)
    assert kept(small) != first


def test_matching_on_outcomes_is_done_anew_in_every_world(small: Small) -> None:
    from impact.inference.drawn_worlds import Drawn
    from impact.panel import Panel
    from impact.study.areas import focus_areas
    from impact.study.load import load
    from impact.study.panels import compare
    from impact.study.plan_worlds import worlds_of

    small.write(ON_OUTCOMES)
    spec = read_study(small.study).model
    files = {"outcomes": small.root / "uitkomst.csv", "units": small.root / "wijken.csv"}
    loaded = load(spec, files)
    comparison = compare(spec, loaded, loaded.series[0], focus_areas(spec, loaded))
    worlds = worlds_of(spec, loaded.series[0], comparison, 7)
    assert isinstance(worlds, Drawn)
    for number in range(3):
        panel = worlds(number)
        assert isinstance(panel, Panel) and panel.pairs is not None and comparison.panel.pairs is not None
        assert (panel.pairs != comparison.panel.pairs).any()
        for area, row in enumerate(panel.pairs):
            assert (row > 0).sum() >= 2 and not row[panel.treated].any(), area
    assert planned(small, ON_OUTCOMES)["outcomes"][0]["rematched"] is True


def test_the_shipped_study_is_planned_in_dutch_and_english(tmp_path: Path) -> None:
    study = read_study(ROOT / "studies" / "voortijdig-schoolverlaten")
    found = plan(study, draws=60, keep=False)
    (outcome,) = found.outcomes
    declared, beside = outcome.tried
    assert (declared.inference, beside.inference) == ("cluster-jackknife", "score-flip")
    assert outcome.fitted is not None and len(outcome.fitted.periods) == 7 and outcome.areas == 18
    assert declared.detectable is not None and declared.rmse is not None and outcome.off is not None
    # (t + z) times the error; with 13 treated gemeenten t is 2.2.
    assert 2.4 < declared.detectable.value / declared.rmse.value < 3.8
    assert outcome.off[0] < declared.detectable.value < outcome.off[1]
    dutch, english = (" ".join(found.summary(language).split()) for language in ("nl", "en"))
    assert "Met 18 gebieden is een verschil vanaf 0," in dutch and "gevraagd wordt 0,5 procentpunt" in dutch
    assert "With 18 areas a difference of 0." in english and "you ask for 0.5 percentage point" in english
    assert not (study.path.parent / "study.plan.json").exists()


def test_a_low_power_is_said_and_ends_with_a_finding(small: Small) -> None:
    tiny = (SMALLEST[0], SMALLEST[1].replace("1.5", "0.001"))
    small.write(tiny, NEEDS)
    ended = impact("plan", small.study, "--draws", "40")
    assert ended.code == 1 and "NEED-003" in ended.err and "te klein" in " ".join(ended.out.split())
    study, kept_plan = read_study(small.study), read_plan(small.study)
    assert kept_plan is not None and kept_plan.power == 0.9
    (problem,) = shortfall(study.model, kept_plan)
    assert problem.code == "NEED-003" and "needs 90%" in problem.message
    assert [one.code for one in shortfall(study.model, None)] == ["NEED-001"]
    other = kept_plan.model_copy(update={"spec_sha256": "0" * 64})
    assert [one.code for one in shortfall(study.model, other)] == ["NEED-002"]
    (outcome,) = kept_plan.outcomes
    sure = outcome.tried[0].model_copy(update={"power": Amount(value=0.91)})
    enough = kept_plan.model_copy(update={"outcomes": (outcome.model_copy(update={"tried": (sure,)}),)})
    assert shortfall(study.model, enough) == ()


def test_respondents_of_an_area(small: Small) -> None:
    """The units of an area count together: in 2017 the first area asked 30 + 40 people, the fewest of all."""
    small.outcomes["n"] = 200
    chosen = small.outcomes["wijk"].isin(small.areas["gebied-a"]) & (small.outcomes["jaar"] == 2017)
    small.outcomes.loc[chosen, "n"] = [30, 40, 0][: int(chosen.sum())] if chosen.sum() < 3 else [30, 40, 5]
    total = float(small.outcomes.loc[chosen, "n"].sum())
    column = ("denominator: noemer", "denominator: noemer, n: n")
    asked = ("seed: 7\n", "needs: {respondents_per_area: 100}\nseed: 7\n")
    small.outcomes["se"] = 0.5
    se = (column[0], column[1] + ", se: se")
    small.write(se, asked)
    found = plan(read_study(small.study), draws=20)
    area = found.outcomes[0].respondents
    assert area is not None and area[0] == "gebied-a" and area[1] == "2017" and area[2] == total
    (problem,) = shortfall(read_study(small.study).model, found)
    assert problem.code == "NEED-005" and f"{total:g} in gebied-a (2017)" in problem.message


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ((NEEDS,), "needs.power"),
        ((("seed: 7\n", "needs: {respondents_per_area: 10}\nseed: 7\n"),), "needs.respondents_per_area"),
        ((("seed: 7\n", "needs: {}\nseed: 7\n"),), "needs"),
        ((SMALLEST, ("seed: 7\n", "needs: {power: 80}\nseed: 7\n")), "needs.power"),
    ],
)
def test_needs_that_cannot_be(small: Small, changes: tuple[tuple[str, str], ...], path: str) -> None:
    small.write(*changes)
    with pytest.raises(SpecError) as caught:
        read_study(small.study)
    assert [problem.path for problem in caught.value.problems] == [path]


def test_too_short_a_past_is_refused_with_what_to_do(small: Small) -> None:
    found = planned(small, ("first: 2015, last: 2024", "first: 2020, last: 2024"))
    assert "periods before the first start is 2," in found["outcomes"][0]["refused"]["because"]
    ended = impact("plan", small.study, "--draws", "20")
    assert ended.code == 1 and "Eerdere perioden toevoegen" in " ".join(ended.out.split())


def test_an_inference_without_interval_is_searched(small: Small) -> None:
    """Its smallest difference lies near that of the jackknife, which shows it by intervals."""
    one = planned(small, SMALLEST, draws=60)["outcomes"][0]["tried"][0]
    flip = ("inference: {name: cluster-jackknife", "inference: {name: score-flip")
    other = planned(small, SMALLEST, flip, draws=60)["outcomes"][0]["tried"][0]
    assert other["coverage"] is None and other["power"] is not None and other["rmse"] == one["rmse"]
    if other["detectable"] is not None:
        assert 0.5 < other["detectable"]["value"] / one["detectable"]["value"] < 1.6


def test_a_file_that_is_no_plan_is_told(small: Small) -> None:
    small.write()
    assert read_plan(small.study) is None
    (small.root / "study.plan.json").write_text('{"study": 1}', encoding="utf-8")
    with pytest.raises(SpecError, match="PLAN-001"):
        read_plan(small.study)


def test_what_was_kept_reads_back(small: Small) -> None:
    small.write(SMALLEST)
    found = plan(read_study(small.study), draws=20)
    again = read_plan(small.study)
    assert isinstance(again, Plan) and again == found
