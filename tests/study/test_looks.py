"""Looking again half a year later: what every look may spend, what earlier looks found, what was revised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from impact.evidence.look import Taken
from impact.evidence.record import PathPoint
from impact.study.looks import revisions
from impact.study.verify import verify
from tests.study.conftest import impact, tree
from tests.study.forging import Forged, told
from tests.study.small import Small, made, wijk

AREAS = {f"gebied-{letter}": [wijk(number, 1)] for number, letter in enumerate("abcdef")}
PLANNED = "looks: {planned: [2023-11, 2024-05, 2024-11, 2025-11], spending: pocock}\nseed: 7\n"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    found = made(tmp_path)
    found.areas = AREAS
    return found


def delivered(small: Small, last: int, number: int, *changes: tuple[str, str]) -> dict[str, Any]:
    """The study with outcomes up to `last`, run as look `number`; its record of the outcome."""
    whole = small.outcomes
    small.outcomes = whole[whole["jaar"] <= last]
    small.write(("seed: 7\n", PLANNED), *changes)
    small.outcomes = whole
    out = small.root / f"look-{number}"
    ended = impact("run", small.study, "--out", out, "--look", str(number))
    assert ended.code in (0, 1), ended.err
    found: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


# The periods of the study end later than its data: the file says how far it goes.
ARRIVES = (
    "denominator: noemer}",
    "denominator: noemer}\n    arrives: {have: 2021, planned: [2022, 2023, 2024]}",
)


def spent(fraction: float, alpha: float = 0.05) -> float:
    """Lan and DeMets (1983), Pocock's kind."""
    return float(alpha * np.log(1 + (np.e - 1) * fraction))


def test_looks_spend_the_error_between_them(small: Small) -> None:
    first = delivered(small, 2022, 1, ARRIVES)
    look = first["look"]
    assert look["nominal"] == pytest.approx(spent(1 / 4), abs=1e-9), "nothing was spent before, so all of it is left"
    assert look["until"] == "2022" and look["label"] == "2023-11"
    assert first["primary"]["level"] == pytest.approx(1 - look["nominal"])
    # The interval is the one of that level, of the same estimate, error and degrees of freedom.
    row = first["primary"]
    width = stats.t.ppf(1 - look["nominal"] / 2, row["df"]) * row["std_error"]
    assert row["high"] - row["value"] == pytest.approx(width, rel=1e-9)

    second = delivered(small, 2022, 2, ARRIVES)["look"]
    assert not second["fresh"] and second["spent"] == 0.0 and second["nominal"] == pytest.approx(look["nominal"])

    third = delivered(small, 2024, 3, ARRIVES)["look"]
    assert third["fresh"] and [one["number"] for one in third["before"]] == [1, 2]
    assert third["before"][0]["value"] == pytest.approx(row["value"], rel=1e-7)
    # That no look finds anything with probability 1 - what may be spent by then, for two estimates that correlate as
    # these: the correlation follows from the boundary, so all that is held here is that it lies between the extremes.
    gone, may = spent(1 / 4), spent(3 / 4)
    assert third["spent"] == pytest.approx(may - gone, abs=2e-4)
    assert may - gone <= third["nominal"] + 1e-9 <= may + 1e-9

    html = (small.root / "look-3" / "report.html").read_text(encoding="utf-8")
    assert "meetmoment 3 van 4" in html and "Wat op elk meetmoment is gevonden" in html
    lines = (small.root / "study.log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["look"] for line in lines if '"event":"ran"' in line] == [1, 2, 3]
    assert (small.root / "look-1" / "results.json").is_file(), "the earlier numbers stand"


def test_no_look_is_taken_before_one_that_has_spent_its_error(small: Small) -> None:
    arrives = ("denominator: noemer}", "denominator: noemer}\n    arrives: {have: 2021, planned: [2022, 2023, 2024]}")
    small.write(("seed: 7\n", PLANNED), arrives)
    assert impact("lock", small.study).code == 0
    second = delivered(small, 2024, 2, arrives)
    assert second["status"] == "pre-specified"
    ended = impact("run", small.study, "--out", small.root / "look-1", "--look", "1")
    assert ended.code == 2 and "LOOK-004" in ended.err and "--look 3" in ended.err
    assert not (small.root / "look-1").exists()
    found = verify(small.root / "look-2", data=[small.root], rerun=True)
    assert found.recomputed.sentence.key == "recomputed.identical", found.summary("en")
    assert not found.differs


def test_figures_that_were_revised_without_a_new_period_spend_what_is_left(small: Small) -> None:
    first = delivered(small, 2022, 1, ARRIVES)["look"]
    rows = small.outcomes
    hit = (rows["wijk"] == wijk(0, 1)) & (rows["jaar"] == 2022)
    small.outcomes = rows.assign(teller=np.where(hit, rows["teller"] + 60, rows["teller"]))
    second = delivered(small, 2022, 2, ARRIVES)["look"]
    # Whatever both estimates have in common, together they find something no more often than both errors added up.
    assert second["spent"] == pytest.approx(spent(2 / 4) - spent(1 / 4), abs=1e-7) and not second["joint"]
    again = delivered(small, 2022, 3, ARRIVES)["look"]
    assert again["spent"] == 0.0 and again["nominal"] == pytest.approx(second["nominal"], rel=1e-7)
    last = delivered(small, 2024, 4, ARRIVES)["look"]
    assert first["spent"] + second["spent"] + last["spent"] == pytest.approx(0.05, abs=1e-7)


@pytest.mark.parametrize(
    "change",
    [
        (
            "first_treated: 2022}",
            f"by_area: {{{', '.join(f'{slug}: 2022' for slug in [*AREAS][:5])}, gebied-f: 2023}}}}",
        ),
        ("window: [2022, 2024]", "window: [2023, 2024]"),
    ],
)
def test_a_look_waits_for_every_start_and_for_the_window(small: Small, change: tuple[str, str]) -> None:
    found = delivered(small, 2022, 1, ARRIVES, change)
    assert found["not_measurable"] == ["de cijfers over 2023 en 2024 zijn er nog niet"] and found["look"] is None
    found = delivered(small, 2023, 1, ARRIVES, change)
    assert found["primary"]["value"] is not None and found["look"]["until"] == "2023"


def test_verify_holds_a_look_against_the_ledger(small: Small) -> None:
    delivered(small, 2024, 1)
    out = small.root / "look-1"
    files = tree(out)
    assert not verify(out).differs
    results = json.loads(files["results.json"])
    results["outcomes"][0]["look"]["spent"] /= 2
    forged = Forged(small.root, {**files, "results.json": json.dumps(results).encode()})
    forged.remake()
    assert "ledger.other-look" in told(forged.fixed())


def test_a_look_that_was_not_planned_spends_nothing_and_is_no_statement(small: Small) -> None:
    found = delivered(small, 2024, 5)
    assert found["look"]["label"] == "" and found["look"]["spent"] == 0.0
    assert found["primary"]["level"] == 0.95
    html = (small.root / "look-5" / "report.html").read_text(encoding="utf-8")
    assert "niet gepland en dus verkennend" in html and "Uitspraak:" not in html


def test_figures_that_the_source_revised_are_told_old_and_new(small: Small) -> None:
    first = delivered(small, 2022, 1, ARRIVES)
    rows = small.outcomes
    hit = (rows["wijk"] == wijk(0, 1)) & (rows["jaar"] == 2018)
    small.outcomes = rows.assign(teller=np.where(hit, rows["teller"] + 60, rows["teller"]))
    third = delivered(small, 2023, 3, ARRIVES)
    (revised,) = [one for one in third["look"]["revised"] if one["group"] == "focus"]
    before = {point["period"]: point["focus"] for point in first["path"]}
    size = float(rows.loc[hit, "noemer"].iloc[0])
    assert revised["period"] == "2018" and revised["was"] == pytest.approx(before["2018"], rel=1e-7)
    assert revised["now"] - revised["was"] == pytest.approx(100 * 60 / size / len(AREAS), rel=1e-6)
    html = (small.root / "look-3" / "report.html").read_text(encoding="utf-8")
    assert "Cijfers van eerdere perioden die de bron heeft herzien" in html


def test_a_study_that_plans_no_looks_has_one(small: Small) -> None:
    small.write()
    ended = impact("run", small.study, "--out", small.out, "--look", "2")
    assert ended.code == 2 and "LOOK-001" in ended.err and not small.out.exists()


def test_only_what_changed_is_a_revision() -> None:
    then = Taken(1, "a", "2020", 0.5, 2.0, 0.02, 0.02, path=(("2019", 4.0, 5.0), ("2020", 4.5, None)))
    again = Taken(2, "b", "2020", 0.5, 2.0, 0.02, 0.0, path=(("2019", 4.1, 5.0), ("2020", 4.5, None)))
    now = [PathPoint("2019", 4.1, 5.2, False), PathPoint("2020", 4.5, 5.0, True), PathPoint("2021", 1.0, 1.0, True)]
    found = revisions((then, again), now)
    assert [(one.look, one.period, one.group, one.was, one.now) for one in found] == [
        (2, "2019", "comparison", 5.0, 5.2)
    ]
