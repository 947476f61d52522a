"""Covariates in a study: read, loaded, estimated, reported; and what is refused, when and with which units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.estimators.registry import ESTIMATORS, resolve
from impact.study.adjust import adjusters
from impact.study.read import read_study
from tests.study.conftest import Ended, Project
from tests.study.example import points_at, read, refused
from tests.study.test_schema import complaints

ESTIMATOR = "estimator: {name: group-time, control: never, method: reg}"
MATCH = "match: {method: nearest, ratio: 5, on: [structure, size]}"
ALTERNATIVE = "alternatives:\n  - {{name: ander, why: kijken, same_estimand: true, change: {0}}}\nchecks:"


def asked(project: Project, covariates: str, *pairs: tuple[str, str], name: str = "group-time, method: reg") -> None:
    change = (ESTIMATOR, f"estimator: {{name: {name}, covariates: {covariates}}}")
    project.change(project.study, change, *pairs)


def units(project: Project, change: Any) -> None:
    """Change the units table, which is text, as a frame."""
    frame = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    change(frame)
    frame.to_csv(project.units, sep=";", index=False)


def outcome(project: Project) -> dict[str, Any]:
    (found,) = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"]
    return found  # type: ignore[no-any-return]


def ran(project: Project) -> dict[str, Any]:
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    return outcome(project)


def classes(frame: pd.DataFrame) -> None:
    """A class of text by density, 1 for the densest."""
    density = frame["adres_dichtheid"].astype(float)
    frame["klasse"] = (4 - pd.qcut(density, 4, labels=False)).astype(str)


# --- estimates --------------------------------------------------------------------------------------------------------


def by_hand(project: Project, found: dict[str, Any], covariates: list[Any], **options: Any) -> tuple[float, float]:
    """The same estimate from the files of the study by way of a long table; who takes part is read from the bundle."""
    frame = pd.read_csv(project.outcomes, sep=";", decimal=",").merge(
        pd.read_csv(project.units, sep=";", decimal=","), on="region"
    )
    treated = {unit for area in found["areas"] if not area["left_out"] for unit in area["units"]}
    out = {row["unit"] for row in found["excluded"]} | set(frame["region"][frame["area"].notna()])
    frame = frame[frame["region"].isin(treated) | ~frame["region"].isin(out)]
    frame = frame.assign(
        y=100 * pd.to_numeric(frame["vsv"], errors="coerce") / frame["deelnemers"],
        start=frame["first_treated"].where(frame["region"].isin(treated)),
    )
    panel = impact.Panel.from_frame(
        frame, unit="region", time="period", outcome="y", first_treated="start", cluster="gemeente", area="area",
        covariates=covariates,
    )  # fmt: skip
    result = impact.estimate(panel, target=impact.Target("average", "area", ("2022", "2024")), **options)
    assert isinstance(result, impact.Result)
    row = result.tidy().iloc[0]
    return float(row["estimate"]), float(row["std_error"])


@pytest.mark.parametrize(
    ("name", "options", "spelled", "covariates"),
    [
        (
            "group-time, method: reg",
            {"method": "reg"},
            "[huur_pct, {log: inwoners}]",
            ["huur_pct", {"log": "inwoners"}],
        ),
        (
            "group-time, method: dr",
            {"method": "dr"},
            "[structure]",
            ["huur_pct", "uitkering_pct", "adres_dichtheid"],
        ),
        (
            "imputation",
            {},
            "[{category: klasse}, {interaction: [{square: huur_pct}, {category: klasse}]}]",
            [{"category": "klasse"}, {"interaction": [{"square": "huur_pct"}, {"category": "klasse"}]}],
        ),
    ],
)
def test_a_study_and_a_long_table_give_one_number(
    project: Project, name: str, options: dict[str, Any], spelled: str, covariates: list[Any]
) -> None:
    units(project, classes)
    asked(project, spelled, (MATCH, "match: none"), name=name)
    found = ran(project)
    expected = by_hand(project, found, covariates, estimator=name.split(",")[0], **options)
    assert (found["primary"]["value"], found["primary"]["std_error"]) == pytest.approx(expected, rel=1e-9)
    plain = by_hand(project, found, [], estimator=name.split(",")[0], **options)
    assert abs(plain[0] - expected[0]) > 1e-4, "the covariates matter here"


def test_matching_and_adjusting_go_together(project: Project) -> None:
    asked(project, "[{log: inwoners}]")
    adjusted = ran(project)
    project.change(project.study, (", covariates: [{log: inwoners}]", ""))
    plain = ran(project)
    assert adjusted["compared"] == plain["compared"]
    assert adjusted["primary"]["value"] != plain["primary"]["value"]


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_lists_them_and_names_the_first_level(project: Project) -> None:
    units(project, classes)
    asked(project, "[huur_pct, {log: inwoners}, {category: klasse}]", name="imputation")
    found = ran(project)
    page = (project.out / "report.html").read_text(encoding="utf-8")
    assert found["covariates"] == ["huur_pct", "de logaritme van inwoners", "de klassen van klasse"]
    design = page.split("Vraag en uitkomst")[1].split("</table>")[0]
    assert "Kenmerken waarmee de schatting rekening houdt" in design
    assert "huur_pct, de logaritme van inwoners en de klassen van klasse" in design
    assert "klasse: de klassen 2, 3 en 4 zijn elk vergeleken met klasse 1." in found["notes"]


def test_without_covariates_the_report_says_nothing_of_them(project: Project) -> None:
    found = ran(project)
    assert found["covariates"] == []
    assert "rekening houdt" not in (project.out / "report.html").read_text(encoding="utf-8")


def test_an_adjusted_interval_is_not_said_to_hold_its_level(project: Project) -> None:
    asked(project, "[huur_pct]", ("checks:", ALTERNATIVE.format("{estimator: did}")))
    ran(project)
    table = pd.read_csv(project.out / "tidy.csv")
    status = dict(zip(table["role"], table["status"], strict=True))
    assert (status["primary"], status["alternative"]) == ("unsized", "ok")
    page = (project.out / "report.html").read_text(encoding="utf-8")
    assert "niet gebleken dat het interval de waarheid zo vaak bevat" in page


def test_what_is_adjusted_for_stands_among_the_characteristics(project: Project) -> None:
    units(project, lambda frame: frame.insert(3, "banen", range(1, len(frame) + 1)))
    asked(project, "[{log: banen}]")
    rows = {row["name"]: row["matched_on"] for row in ran(project)["balance"]}
    assert rows["banen"] is False and rows["huur_pct"] is True


def test_levels_that_say_little_are_told(project: Project) -> None:
    def change(frame: pd.DataFrame) -> None:
        classes(frame)
        treated = frame.index[frame["area"] == "delft-west"]
        frame.loc[treated, "klasse"] = "apart"

    units(project, change)
    asked(project, "[{category: klasse}]", name="imputation")
    notes = ran(project)["notes"]
    assert any(note.startswith("klasse: klasse apart komt in de vergelijking niet voor") for note in notes)
    assert any(
        note.startswith("klasse: de klassen 2, 3, 4 en apart zijn elk vergeleken met klasse 1") for note in notes
    )


# --- what is missing --------------------------------------------------------------------------------------------------


def test_a_unit_without_a_characteristic_leaves_with_that_reason(project: Project) -> None:
    """As with matching: it leaves the pool or its area by name, and nothing is filled in."""
    plain = ran(project)
    pool = pd.read_csv(project.units, sep=";")
    gone = {row["unit"] for row in plain["excluded"]}
    donor, marked = [code for code in pool["region"][pool["area"].isna()] if code not in gone][:2]
    area = next(area for area in plain["areas"] if not area["left_out"] and len(area["units"]) > 1)
    treated = area["units"][0]

    def change(frame: pd.DataFrame) -> None:
        classes(frame)
        frame["banen"] = "5"
        frame.loc[frame["region"] == donor, "klasse"] = ""
        frame.loc[frame["region"] == marked, "klasse"] = "x"  # secret, in the marks of Statistics Netherlands
        frame.loc[frame["region"] == treated, ["banen", "klasse"]] = ["", "."]

    units(project, change)
    asked(project, "[{category: klasse}, {interaction: [banen, huur_pct]}]", name="imputation")
    found = ran(project)
    reasons = [(row["unit"], row["reason"]) for row in found["excluded"]]
    assert (donor, "een kenmerk ontbreekt (klasse)") in reasons
    assert (marked, "een kenmerk ontbreekt (klasse)") in reasons
    assert (treated, "een kenmerk ontbreekt (banen, klasse); krijgt zelf het programma (arnhem-oost)") in reasons
    assert found["pool"] == plain["pool"] - 2
    left = next(other for other in found["areas"] if other["slug"] == area["slug"])
    assert left["units"] == area["units"][1:]
    assert "klasse: de klassen 2, 3 en 4 zijn elk vergeleken met klasse 1." in found["notes"]


def test_a_logarithm_of_nothing_stops_the_study_and_names_the_unit(project: Project) -> None:
    pool = pd.read_csv(project.units, sep=";")
    out = {row["unit"] for row in ran(project)["excluded"]}
    donor = next(code for code in pool["region"][pool["area"].isna()] if code not in out)
    used = next(code for code in pool["region"][pool["area"].isna()] if code in out)
    asked(project, "[{log: banen}]")

    def change(frame: pd.DataFrame) -> None:
        frame["banen"] = "5"
        frame.loc[frame["region"].isin([donor, used]), "banen"] = "0"

    units(project, change)
    ended = project.run()
    assert ended.code == 2
    assert f"TERM-004 [banen]: no logarithm of {donor}: 0 or less" in ended.err
    assert used not in ended.err, "who does not take part is in nobody's way"
    assert "eerste-studie-wijken.csv" in ended.err and "Traceback" not in ended.err


def test_a_column_that_is_not_there_gets_the_nearest_name(project: Project) -> None:
    asked(project, "[{log: inwonrs}, {category: gementee}]")
    ended = project.run()
    assert ended.code == 2
    assert "DATA-107 [inwonrs]" in ended.err and "'inwoners'" in ended.err
    assert "DATA-107 [gementee]" in ended.err and "'gemeente'" in ended.err
    assert not project.out.exists()


def test_text_among_the_numbers_is_told_with_its_row(project: Project) -> None:
    units(project, lambda frame: frame.insert(3, "soort", "stad"))
    asked(project, "[soort]")
    ended = project.run()
    assert ended.code == 2 and "DATA-108 [soort]" in ended.err


def test_a_category_of_one_level(project: Project) -> None:
    units(project, lambda frame: frame.insert(3, "soort", "stad"))
    asked(project, "[{category: soort}]")
    ended = project.run()
    assert ended.code == 2 and "TERM-006 [soort]" in ended.err and "'stad'" in ended.err


# --- alternatives -----------------------------------------------------------------------------------------------------


def varied(project: Project, change: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    project.change(project.study, ("checks:", ALTERNATIVE.format(change)), *pairs)
    (found,) = ran(project)["alternatives"]
    return found["estimate"]  # type: ignore[no-any-return]


def test_an_alternative_may_adjust_for_what_the_study_does_not_read(project: Project) -> None:
    units(project, classes)
    change = (
        "{estimator: {name: imputation, covariates: [{category: klasse}, {log: inwoners}]}, comparison: {match: none}}"
    )
    given = varied(project, change)
    found = outcome(project)
    expected = by_hand(project, found, [{"category": "klasse"}, {"log": "inwoners"}], estimator="imputation")
    assert (given["value"], given["std_error"]) == pytest.approx(expected, rel=1e-9)
    assert given["adjusted"] and not found["primary"]["adjusted"]


def test_an_alternative_may_take_covariates_out(project: Project) -> None:
    asked(project, "[huur_pct, {log: inwoners}]")
    given = varied(project, "{estimator: {covariates: []}}")
    project.change(
        project.study, (", covariates: [huur_pct, {log: inwoners}]", ""), ("covariates: []", "control: never")
    )
    assert given["value"] == ran(project)["primary"]["value"]


def test_an_alternative_reads_the_column_of_a_rule_that_the_study_does_not_have(project: Project) -> None:
    pool = pd.read_csv(project.units, sep=";")
    units(
        project,
        lambda frame: frame.insert(
            3, "weg", ["1" if code in set(pool["region"][200:]) else "" for code in frame["region"]]
        ),
    )
    given = varied(
        project,
        "{comparison: {leave_out: [{rule: focus-area, why: w}, {rule: listed, column: weg, why: w}], match: none}}",
    )
    plain = varied_plain(project)
    assert given["units"] < plain["units"], "the rule removes somebody"


def varied_plain(project: Project) -> dict[str, Any]:
    project.change(project.study, (", {rule: listed, column: weg, why: w}", ""))
    (found,) = ran(project)["alternatives"]
    return found["estimate"]  # type: ignore[no-any-return]


def test_a_wrong_covariate_in_an_alternative_is_found_there(tmp_path: Path) -> None:
    change = "change: {estimator: {covariates: [huur, huur]}}"
    (problem,) = refused(tmp_path, ("change: {comparison: {match: none}}", change))
    assert (problem.code, problem.path) == ("SPEC-010", "alternatives[0].change.estimator.covariates[1]")
    assert points_at(problem).startswith("huur]")


# --- the specification ------------------------------------------------------------------------------------------------


SPELLED = "estimator: {name: group-time, control: never}"


def given(covariates: str, name: str = "group-time") -> tuple[str, str]:
    return SPELLED, f"estimator: {{name: {name}, covariates: {covariates}}}"


@pytest.mark.parametrize(
    ("covariates", "code", "path", "said", "hint"),
    [
        ("[{logg: huur}]", "SPEC-004", "[0]", "`logg`", "`log`"),
        ("[huur, {cube: huur}]", "SPEC-004", "[1]", "`cube`", "square"),
        ("[{log: huur, square: huur}]", "SPEC-007", "[0]", "one word with its column", "{log: inwoners}"),
        ("[{}]", "SPEC-007", "[0]", "here are 0", ""),
        ("[{log: 3}]", "SPEC-007", "[0].log", "must be a text", '"3"'),
        ("[3]", "SPEC-007", "[0]", "a mapping of keys", ""),
        ("[['huur']]", "SPEC-007", "[0]", "a mapping of keys", ""),
        ("huur", "SPEC-007", "", "a list in [ ]", ""),
        ("[{interaction: [huur]}]", "SPEC-007", "[0].interaction", "a list of 2 items", ""),
        ("[{interaction: huur}]", "SPEC-007", "[0].interaction", "a list in [ ]", ""),
        ("[{interaction: [huur, {interaction: [a, b]}]}]", "SPEC-004", "[0].interaction[1]", "`interaction`", ""),
        ("[{interaction: [huur, huur]}]", "SPEC-010", "[0]", "with itself", "{square: huur}"),
        ("[huur, {log: huur}, huur]", "SPEC-010", "[2]", "'huur' stands here for the second time", ""),
        ("[structure, huur]", "SPEC-010", "[1]", "'huur' stands here for the second time", ""),
        ("[selection]", "SPEC-010", "[0]", "columns are named as selection", "data.units.columns.selection"),
    ],
)  # fmt: skip
def test_each_fault_is_found_alone_where_it_stands(
    tmp_path: Path, covariates: str, code: str, path: str, said: str, hint: str
) -> None:
    (problem,) = refused(tmp_path, given(covariates))
    assert (problem.code, problem.path) == (code, f"estimator.covariates{path}")
    assert said in problem.message and hint in problem.hint
    assert problem.line is not None and problem.excerpt


SHAPES = [
    "[huur]",
    "[{column: huur}]",
    "[structure, {log: inwoners}]",
    "[{square: huur}, {category: klasse}]",
    "[{interaction: [huur, {category: klasse}]}, {interaction: [{log: huur}, {square: bijstand}]}]",
    "[]",
]


@pytest.mark.parametrize("covariates", SHAPES)
def test_every_spelling_is_read_and_is_in_the_schema(covariates: str, tmp_path: Path) -> None:
    study = read(tmp_path, given(covariates))
    assert complaints(study.text) == []


@pytest.mark.parametrize("covariates", ["huur", "[{logg: huur}]", "[{log: huur, square: huur}]", "[{}]", "[{log: 3}]"])
def test_what_is_refused_for_its_form_is_refused_by_the_schema(covariates: str, tmp_path: Path) -> None:
    text = read(tmp_path, given("[huur]")).text
    assert complaints(text.replace("[huur]}", f"{covariates}}}")) != []


def test_one_meaning_has_one_digest(tmp_path: Path) -> None:
    short, long = read(tmp_path, given("[huur]")).sha256, read(tmp_path, given("[{column: huur}]")).sha256
    assert short == long
    assert read(tmp_path, given("[]")).sha256 == read(tmp_path, (SPELLED, "estimator: {name: group-time}")).sha256
    assert read(tmp_path, given("[{log: huur}]")).sha256 != short


@pytest.mark.parametrize("name", ESTIMATORS)
def test_who_does_not_use_covariates_says_so_at_once(name: str, tmp_path: Path) -> None:
    able = getattr(resolve(name), "uses_covariates", False)
    assert (name in adjusters()) is able
    if able:
        assert [term.name for term in read(tmp_path, given("[structure, {log: inwoners}]", name)).model.covariates] == [
            "huur",
            "bijstand",
            "log(inwoners)",
        ]
        return
    *others, problem = refused(tmp_path, given("[huur]", name))
    assert [other.path for other in others] == ["estimator.name"] * (name == "multi-outcome-synthetic-control")
    assert (problem.code, problem.path) == ("SPEC-009", "estimator.covariates")
    assert problem.message.startswith(
        f"{name[:1].upper()}{name[1:]} does not adjust for characteristics that stay the same"
    )
    assert "imputation" in problem.hint


def test_those_that_absorb_what_stays_the_same_do_not_pretend(tmp_path: Path) -> None:
    """A study has fixed characteristics only; unit effects hold these already, so they would change nothing."""
    assert not {"did", "twfe", "sun-abraham", "synthetic-control", "synthetic-did", "poisson"} & set(adjusters())
    assert {"group-time", "imputation", "two-stage", "extended-twfe"} <= set(adjusters())


def test_covariates_take_a_units_table(tmp_path: Path) -> None:
    table = (
        "  units:\n    file: wijken.csv\n"
        "    columns: {region: wijk, residents: inwoners, structure: [huur, bijstand], size: [inwoners]}\n"
    )
    match = ("{method: nearest, ratio: 5, on: [structure, size]}", "none")
    alternative = ("change: {comparison: {match: none}}", "change: {estimator: did}")
    (problem,) = refused(tmp_path, given("[huur]"), (table, ""), match, alternative)
    assert (problem.code, problem.path) == ("SPEC-010", "estimator.covariates")
    assert "units: {file" in problem.hint


AVERAGED = (
    "columns: {region: wijk, residents",
    "periods: [2014, 2015]\n    columns: {region: wijk, period: peiljaar, residents",
)


def test_classes_are_not_averaged(tmp_path: Path) -> None:
    read(tmp_path, given("[{log: huur}]"), AVERAGED)
    (problem,) = refused(tmp_path, given("[huur, {interaction: [huur, {category: klasse}]}]"), AVERAGED)
    assert (problem.code, problem.path) == ("SPEC-010", "estimator.covariates[1]")
    assert "cannot be averaged" in problem.message


@pytest.mark.parametrize("used", ["covariates", "matching"])
def test_characteristics_of_after_the_start_are_refused(used: str, tmp_path: Path) -> None:
    """What the programme may have changed is no characteristic to compare by."""
    late = (AVERAGED[0], AVERAGED[1].replace("2015", "2022"))
    none = ("{method: nearest, ratio: 5, on: [structure, size]}", "none")
    changes = [given("[huur]"), none] if used == "covariates" else []
    problems = refused(tmp_path, late, *changes)
    assert {(problem.code, problem.path) for problem in problems} == {("SPEC-010", "data.units.periods[1]")}
    assert "2022" in problems[0].message and "start in 2022" in problems[0].message


def test_the_standard_form_of_a_study_says_what_is_meant(project: Project) -> None:
    asked(project, "[structure, {category: klasse}]")
    assert [term.name for term in read_study(project.study).model.covariates] == [
        "huur_pct",
        "uitkering_pct",
        "adres_dichtheid",
        "category(klasse)",
    ]


def test_check_reads_the_characteristics_too(project: Project) -> None:
    from tests.study.conftest import impact as command

    units(project, classes)
    asked(project, "[{category: klasse}]")
    ended: Ended = command("check", project.study)
    assert ended.code == 0 and "nothing was estimated" in ended.out
    assert "adjusted for: klasse=2, klasse=3, klasse=4\n  klasse: 2, 3, 4 against 1, the first level" in ended.out
    assert "level by simulation: cluster-jackknife unsized" in ended.out  # nothing is known with covariates
    units(project, lambda frame: frame.pop("klasse"))
    assert command("check", project.study).code == 2


def test_levels_lie_over_the_units_that_take_part(project: Project) -> None:
    """A level of who was left out beforehand has no column."""
    pool = pd.read_csv(project.units, sep=";")
    out = {row["unit"] for row in ran(project)["excluded"]}
    gone = next(code for code in pool["region"] if code in out)

    def change(frame: pd.DataFrame) -> None:
        classes(frame)
        frame.loc[frame["region"] == gone, "klasse"] = "0"

    units(project, change)
    asked(project, "[{category: klasse}]", name="imputation")
    assert "klasse: de klassen 2, 3 en 4 zijn elk vergeleken met klasse 1." in ran(project)["notes"]
    assert np.isfinite(outcome(project)["primary"]["value"])
