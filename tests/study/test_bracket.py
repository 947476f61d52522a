"""A matched study prints its bracket; two signs in it mean that nothing can be established; what was matched on is no
test of the time before."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.checks.pretrend import pretrend
from impact.evidence.reading import visible
from impact.evidence.record import Evidence, Variant
from impact.evidence.report import report_html
from impact.evidence.statement import Statement, choose
from tests.report.samples import NONE, ORDINARY, estimate
from tests.study.conftest import Ended, Project

MATCH = "match: {method: nearest, ratio: 5, on: [structure, size]}"
SIZE = "size: [inwoners]"


def results(project: Project, *changes: tuple[str, str]) -> tuple[Ended, dict[str, Any]]:
    if changes:
        project.change(project.study, *changes)
    ended = project.run()
    return ended, json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]


def scored(project: Project, score: dict[str, float]) -> None:
    """A score in the units table, and the study says that areas were chosen by it."""
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    units["score"] = [
        f"{score.get(region, number % 7):g}".replace(".", ",") for number, region in enumerate(units["region"])
    ]
    units.to_csv(project.units, sep=";", index=False)
    project.change(project.study, (SIZE, f"{SIZE}\n      selection: [score]"))


# --- in a study -------------------------------------------------------------------------------------------------------


def test_the_ends_are_what_a_study_so_matched_finds(first: Path, project: Project) -> None:
    """Each end against a run of its own that declares it; nothing is said of a score that the study does not name."""
    found = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    ends = {row["name"]: row for row in found["bracket"]}
    assert [*ends] == ["unmatched", "structure"]
    declared = {row["name"]: row["estimate"] for row in found["alternatives"]}
    assert ends["unmatched"]["estimate"] == declared["alle-wijken"]
    assert ends["structure"]["estimate"] == found["primary"] | {"beside": []}
    page = re.sub(r"\s+", " ", (first / "report.html").read_text(encoding="utf-8"))
    assert "Zonder en met koppeling" in page
    assert "geen kolommen: ook gekoppeld op de score" in page
    table = pd.read_csv(first / "tidy.csv")
    assert table.loc[table["role"] == "bracket", "name"].to_list() == ["unmatched", "structure"]


def test_with_a_score_all_three_stand_there(project: Project) -> None:
    scored(project, {})
    _, found = results(project)
    ends = {row["name"]: row["estimate"]["value"] for row in found["bracket"]}
    assert [*ends] == ["unmatched", "structure", "selection"] and ends["structure"] == found["primary"]["value"]
    _, other = results(project, ("on: [structure, size]", "on: [selection, size, structure]"))
    again = {row["name"]: row["estimate"]["value"] for row in other["bracket"]}
    assert again == ends and other["primary"]["value"] == again["selection"] != ends["structure"]


def test_an_end_that_cannot_be_made_says_why_and_the_study_stands(project: Project) -> None:
    """Within the caliper nobody has a score as bad as one treated wijk."""
    project.change(project.study, (MATCH, MATCH.replace("ratio: 5", "ratio: 1, caliper: 5")))
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    scored(project, {units.loc[units["first_treated"] == "2022", "region"].iloc[0]: 1e6})
    _, found = results(project)
    ends = {row["name"]: row["estimate"] for row in found["bracket"]}
    assert found["primary"]["value"] is not None and ends["unmatched"]["value"] is not None
    assert ends["selection"]["value"] is None and "within the caliper" in ends["selection"]["refused"]["because"]


def test_a_study_that_does_not_match_has_no_bracket(project: Project) -> None:
    _, found = results(project, (MATCH, "match: none"))
    assert found["bracket"] == []
    assert "Zonder en met koppeling" not in (project.out / "report.html").read_text(encoding="utf-8")


def test_a_sealed_study_computes_none(project: Project) -> None:
    _, found = results(project, ("controls: 20", "controls: 2000"))
    assert found["bracket"] == []


# --- in the report ----------------------------------------------------------------------------------------------------


def ended(*values: float | None, evidence: Evidence = ORDINARY) -> Evidence:
    names = ("unmatched", "structure", "selection")
    ends = [
        Variant(name, "", True, estimate(value=value, **({} if value is not None else NONE)))
        for name, value in zip(names, values, strict=True)
    ]
    return replace(evidence, bracket=tuple(ends))


def words(evidence: Evidence) -> str:
    return re.sub(r"\s+", " ", report_html(evidence, {}))


def test_two_signs_mean_that_nothing_is_established() -> None:
    said = words(ended(3.21, -7.737, -9.0))
    assert "Resultaat: niet vast te stellen" in said and "geen uitspraak" not in said.split("Resultaat")[1][:60]
    assert "loopt het van 9,0% van het eigen gemiddelde lager tot 3,2% van het eigen gemiddelde hoger" in said
    assert "Nul ligt buiten dit interval" not in said and "de opgegeven grens" not in said
    # The study's own estimate counts, whatever it was matched on.
    assert "Resultaat: niet vast te stellen" in words(ended(3.21, 1.0, None))


@pytest.mark.parametrize("values", [(-3.21, -7.737, -9.0), (0.04, -7.737, None), (None, None, None)])
def test_one_sign_changes_nothing_but_the_table(values: tuple[float | None, ...]) -> None:
    """What is printed is what is judged: 0.04 is printed as 0,0."""
    said = words(ended(*values))
    assert "Resultaat: verkennend, geen uitspraak" in said and "Nul ligt buiten dit interval" in said
    assert "Zonder en met koppeling" in said and "Welke kant het verschil op gaat" not in said


def test_two_signs_without_an_interval() -> None:
    bare = replace(ORDINARY, primary=estimate(value=-4.1, **NONE))
    assert "is hiermee niet vast te stellen" in words(bare)
    said = words(ended(3.21, -4.1, -9.0, evidence=bare))
    assert "is daarom niet vast te stellen" in said and "is hiermee niet vast te stellen" not in said


def test_a_sealed_bracket_shows_no_number() -> None:
    shut = tuple(replace(check, verdict="fail") if check.gates else check for check in ORDINARY.checks)
    evidence = replace(ended(3.217, -7.737, -9.118), checks=shut)
    assert all(end.estimate.value is None for end in visible(evidence).bracket)
    said = words(evidence)
    assert "3,2" not in said and "9,1" not in said and "Welke kant" not in said


def test_a_locked_result_cannot_be_established_either() -> None:
    sure: dict[str, Any] = {"measurable": True, "gates_passed": True, "better": "lower", "smallest": 5.0}
    assert choose(low=-4.0, high=-1.0, one_sign=False, **sure) == Statement("cannot-be-established", "bracket")
    assert choose(low=None, high=None, one_sign=False, **sure).form == "unknown", "a missing interval comes first"


# --- the time before --------------------------------------------------------------------------------------------------

TERMS = ("-4", "-3", "-2", "0", "1")
P_VALUES = np.array([0.5, 0.001, 0.2, 0.0001, 0.0001])


def test_periods_that_were_matched_on_do_not_count() -> None:
    free = pretrend(TERMS, P_VALUES, 0.05)
    assert (free.verdict, free.statistic) == ("fail", pytest.approx(0.003))
    held = pretrend(TERMS, P_VALUES, 0.05, used={"-3"})
    assert (held.verdict, held.statistic, held.because) == ("pass", pytest.approx(0.4), "some-matched")
    every = pretrend(TERMS, P_VALUES, 0.05, used={"-4", "-3", "-2"})
    assert (every.verdict, every.statistic, every.because) == ("not_evaluated", None, "matched-on-outcomes")
    holes = np.array([np.nan, 0.001, 0.2, 0.1, 0.1])
    assert pretrend(TERMS, holes, 0.05, used={"-3"}).because == "some-intervals"
    assert pretrend((), np.zeros(0), 0.05, used={"-3"}).because == "matched-on-outcomes"


def test_in_a_study_the_other_periods_serve(project: Project) -> None:
    _, found = results(project, (MATCH, MATCH.replace("]}", "], outcomes_in: [2014, 2016]}")))
    (check,) = [check for check in found["checks"] if check["name"] == "pre-trend"]
    starts = {int(area["first_treated"]) for area in found["areas"] if not area["left_out"]}
    matched = {year - start for year in (2014, 2016) for start in starts}
    p_values = [row["p_value"] for row in found["event"] if int(row["term"]) < 0 and int(row["term"]) not in matched]
    # Of the other periods together (`tests/checks/test_event_study.py`), and so not the adjusted smallest of them.
    assert len(p_values) > 3 and min(p_values) < check["statistic"] < min(1, min(p_values) * len(p_values))
    assert check["because"].startswith("Op uitkomsten van een deel van de perioden is gekoppeld")
    ends = {row["name"]: row["estimate"]["value"] for row in found["bracket"]}
    assert found["primary"]["value"] not in ends.values(), "structure alone is another comparison here"
