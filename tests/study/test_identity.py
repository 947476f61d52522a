"""Codes that name other ground in another year: seen in a study's own tables before anything is estimated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from impact.errors import Problem
from impact.sources.tables import Table, read_table
from impact.study.identity import read_reused
from tests.shared import shared
from tests.study.conftest import Project, impact
from tests.study.example import read, refused
from tests.study.test_pools import SAME, named, pool_of

IDENTITY = (
    "denominator: deelnemers}",
    "denominator: deelnemers, identity: {name: naam, residents: mensen, surface: ha}}",
)
LIST = "    - {rule: listed, regions: [%s], why: opnieuw ingedeeld}\n"


def with_identity(project: Project, change: Callable[[pd.DataFrame], None]) -> pd.DataFrame:
    """Every wijk with a name, residents that grow by 3 % a year, and a surface; then a `change`."""
    frame = pd.read_csv(project.outcomes, sep=";", dtype=str, keep_default_na=False)
    years = frame["period"].astype(int)
    frame["naam"] = "Wijk " + frame["region"].str[2:]
    frame["mensen"] = (5000 * 1.03 ** (years - 2013)).round().astype(int).astype(str)
    frame["ha"] = "120"
    change(frame)
    frame.to_csv(project.outcomes, sep=";", index=False)
    project.change(project.study, IDENTITY)
    return frame


def jump(region: str, column: str, year: int, value: str) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        frame.loc[(frame["region"] == region) & (frame["period"].astype(int) >= year), column] = value

    return change


def donor(project: Project) -> str:
    return pool_of(project).donors[7]


def test_steady_growth_is_no_sign(project: Project) -> None:
    before = pool_of(project).donors
    with_identity(project, lambda frame: None)
    assert pool_of(project).donors == before


@pytest.mark.parametrize(
    ("column", "value", "sign"),
    [
        ("naam", "Nieuwe Haven", "2018 to 2019: 'Wijk {code}' became 'Nieuwe Haven'"),
        ("mensen", "900", "2018 to 2019: residents: 5,796 became 900"),
        ("ha", "900", "2018 to 2019: surface: 120 became 900"),
    ],
)
def test_a_jump_under_the_same_code_stops_the_run(project: Project, column: str, value: str, sign: str) -> None:
    code = donor(project)
    with_identity(project, jump(code, column, 2019, value))
    for command in ("check", "run"):
        ended = impact(command, project.study, *(("--out", project.out) if command == "run" else ()))
        assert ended.code == 2 and ended.err.count("DATA-136") == 1 and not project.out.exists()
        said = " ".join(ended.err.split())
        assert f"{code} ({sign.format(code=code[2:])})" in said
        assert all(word in said for word in ("data.crosswalk", "compare gemeenten", "rule: listed", "unchanged"))


def test_it_stops_for_a_treated_wijk_too_and_names_every_code(project: Project) -> None:
    pool = pool_of(project)
    ledger = pool.ledger()
    treated = ledger.loc[ledger["role"] == "treated", "unit"].iloc[0]

    def change(frame: pd.DataFrame) -> None:
        jump(treated, "mensen", 2016, "90000")(frame)
        jump(pool.donors[0], "naam", 2020, "Elders")(frame)

    with_identity(project, change)
    ended = impact("check", project.study)
    assert ended.code == 2 and "2 codes" in ended.err and treated in ended.err and pool.donors[0] in ended.err


def test_what_is_left_out_may_jump(project: Project) -> None:
    code = donor(project)
    with_identity(project, jump(code, "mensen", 2019, "900"))
    project.change(project.study, (SAME, SAME + LIST % code))
    assert named(pool_of(project), "listed") == {code: ""}


def test_a_code_that_is_declared_unchanged_takes_part_and_the_report_says_why(project: Project) -> None:
    code = donor(project)
    with_identity(project, jump(code, "naam", 2019, "Nieuwe Haven"))
    project.change(project.study, ("data:\n", f"data:\n  unchanged: {{{code}: alleen de naam is nieuw}}\n"))
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    outcome = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    (note,) = (note for note in outcome["notes"] if code in note)
    assert "‘" not in note and "became 'Nieuwe Haven'" in note and note.endswith("alleen de naam is nieuw.")
    assert code not in {row["unit"] for row in outcome["excluded"]}


def test_years_before_the_study_do_not_count(project: Project) -> None:
    code = donor(project)
    with_identity(project, jump(code, "mensen", 2014, "900"))
    project.change(project.study, ("first: 2013", "first: 2015"))
    assert code in pool_of(project).donors


def seen(tmp_path: Path, rows: list[str], *changes: tuple[str, str]) -> dict[str, str]:
    """What the table of outcomes of the example shows, by itself."""
    study = read(tmp_path, ("value: aantal}", "value: aantal, identity: {name: naam, residents: mensen}}"), *changes)
    file = tmp_path / "uitkomst.csv"
    file.write_text("wijk;jaar;delict;naam;mensen\n" + "\n".join(rows) + "\n", encoding="utf-8")
    table, problems = read_table(file, file="uitkomst.csv"), list[Problem]()
    assert isinstance(table, Table)
    found = read_reused(study.model, {"outcomes": table}, problems)
    assert problems == []
    return found


def test_a_year_that_is_missing_or_silent_is_stepped_over(tmp_path: Path) -> None:
    rows = ["WK050301;2018;104;A;1000", "WK050301;2020;104;;.", "WK050301;2021;104;;2000"]
    rows += ["WK050302;2018;104;A;1000", "WK050302;2021;104;A;1400"]
    found = seen(tmp_path, rows, ("  units:\n", "    marks: {missing: ['.']}\n  units:\n"))
    assert found == {"WK050301": "2020 to 2021: residents: 1,000 became 2,000"}


def test_what_is_repeated_in_rows_is_not_added_up_and_parts_are(tmp_path: Path) -> None:
    """Two kinds of offence in one year and one in the next say the same residents; two buurten have their own."""
    where = ("where: {delict: [104]}", "where: {}")
    repeated = ["WK050301;2020;104;A;1000", "WK050301;2020;111;A;1000", "WK050301;2021;104;A;1010"]
    assert seen(tmp_path, repeated, where) == {}
    parts = [f"WK050301;{year};104;A;{part}" for year in (2020, 2021) for part in (300, 700)]
    assert seen(tmp_path, parts) == {}
    jumps = [*parts[:2], "WK050301;2021;104;A;900", "WK050301;2021;104;A;800"]
    assert seen(tmp_path, jumps) == {"WK050301": "2020 to 2021: residents: 1,000 became 1,700"}


def test_a_column_that_is_not_there_is_named(project: Project) -> None:
    project.change(project.study, IDENTITY)
    ended = impact("check", project.study)
    assert ended.code == 2 and ended.err.count("DATA-107") == 3


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (("value: aantal}", "value: aantal, identity: {}}"), "data.outcomes.columns.identity", "No column"),
        (
            ("size: [inwoners]}", "size: [inwoners], identity: {name: naam}}"),
            "data.units.columns.identity",
            "one row per region",
        ),
        (("  units:\n", "  unchanged: {WK050324: w}\n  units:\n"), "data.unchanged", "Nothing is looked at"),
    ],
)
def test_what_cannot_show_a_change(change: tuple[str, str], path: str, words: str, tmp_path: Path) -> None:
    found = refused(tmp_path, change)
    assert any(problem.path == path and words in problem.message for problem in found), found


def test_explain_says_what_is_looked_at(tmp_path: Path) -> None:
    from impact.study.explain import explain

    study = read(
        tmp_path,
        ("value: aantal}", "value: aantal, identity: {name: naam, residents: mensen}}"),
        ("  units:\n", "  unchanged: {WK050324: alleen de naam}\n  units:\n"),
    )
    for language, words in (("nl", "anderhalf keer"), ("en", "one and a half")):
        said = str(explain(study, language))
        assert words in said and "WK050324" in said and "alleen de naam" in said


# --- Almere -----------------------------------------------------------------------------------------------------------

STUDY = """\
schema: 1
id: almere
title: Almere
question: Veranderde het?
seen_before: Niets.
placebo: true
data:
  outcomes:
    file: kerncijfers.csv
    level: {level}
    columns:
      region: code
      period: jaar
      value: inwoners
      identity: {{residents: inwoners, surface: ha}}
periods: {{first: 2018, last: 2025}}
treatment:
  areas:
    almere: {{name: Almere, members: [{member}]}}
  start: {{event: nepstart, first_treated: 2023}}
outcome: {{indicator: inwoners, name: Inwoners, measure: {{unit: inwoners}}, better: neither}}
target: {{kind: average, window: [2023, 2025], every: area}}
comparison: {{leave_out: [], match: none}}
estimator: did
inference: {{name: cluster-jackknife, cluster: gemeente}}
checks: standard
seed: 1
"""


def almere(tmp_path: Path, level: str, member: str) -> Path:
    """The key figures of Almere, as CBS publishes them, beside eight invented gemeenten with nothing unusual."""
    frame = pd.read_csv(shared("data/kwb_almere/almere_kwb_2018_2025_tidy.csv"), dtype=str)
    frame = frame[frame["SoortRegio_2"].str.strip().str.lower() == level]
    real = pd.DataFrame(
        {
            "code": frame["Codering_3"].str.strip(),
            "jaar": frame["jaar"],
            "inwoners": frame["AantalInwoners"],
            "ha": frame["OppervlakteTotaal"],
        }
    )
    head, tail = ("GM", "") if level == "gemeente" else ("WK", "01")
    made = [(f"{head}{9001 + i}{tail}", y, 4000 + 10 * y + y % 3, 90) for i in range(8) for y in range(2018, 2026)]
    pd.concat([real, pd.DataFrame(made, columns=real.columns)]).to_csv(tmp_path / "kerncijfers.csv", index=False)
    place = tmp_path / "study.yaml"
    place.write_text(STUDY.format(level=level, member=member), encoding="utf-8")
    return place


def test_almere_is_refused_by_wijk_and_not_by_gemeente(tmp_path: Path) -> None:
    ended = impact("check", almere(tmp_path, "wijk", "WK003401"))
    assert ended.code == 2 and "DATA-136" in ended.err
    said = " ".join(ended.err.split())
    assert "6 codes" in said
    assert all(re.search(rf"WK00340{number} \([^)]*2021 to 2022: ", said) for number in range(1, 7))
    assert "residents: 23,530 became 1,635; surface: 2,111 became 50" in said
    ended = impact("check", almere(tmp_path, "gemeente", "GM0034"))
    assert ended.code in (0, 1) and "nothing was estimated" in ended.out, ended.err
