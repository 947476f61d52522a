"""What evaluators have: school years, waves, periods that do not count, provisional figures, breaks, own members.

Every study here is the first one, written otherwise; what it must give follows from that one or is counted by hand.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.study.conftest import Ended, Project

PERIODS = "periods: {first: 2013, last: 2024}"
PRIMARY = ("value", "low", "high", "std_error", "df")


def results(project: Project) -> dict[str, Any]:
    return json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]


def ran(project: Project, code: int = 0) -> dict[str, Any]:
    ended = project.run()
    assert ended.code == code, ended.err
    return results(project)


def primary(project: Project, code: int = 0) -> list[float]:
    found = ran(project, code)["primary"]
    return [found[name] for name in PRIMARY]


def refused(project: Project, *words: str) -> Ended:
    ended = project.run()
    assert ended.code == 2, ended.err
    assert not project.out.exists()
    for word in words:
        assert word in ended.err, ended.err
    return ended


def rewrite(path: Path, change: Any) -> None:
    """Every row of a table of the study as `change` (a function of a dict) leaves it; None takes it out."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    kept = [row for row in (change(dict(row)) for row in rows) if row is not None]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, kept[0].keys(), delimiter=";", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


def school(year: str) -> str:
    return f"{year}/'{(int(year) + 1) % 100:02d}" if year else ""


# --- school years -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["{0}/'{1:02d}", "{0}/{2}", "{0}-{2}", "{0}SJ00"])
def test_school_years_give_what_the_years_give(project: Project, first: Path, spelling: str) -> None:
    def spelled(row: dict[str, str]) -> dict[str, str]:
        year = int(row["period"])
        return {**row, "period": spelling.format(year, (year + 1) % 100, year + 1)}

    rewrite(project.outcomes, spelled)
    rewrite(project.units, lambda row: {**row, "first_treated": school(row["first_treated"])})
    project.change(
        project.study,
        (PERIODS, 'periods: {kind: school-year, first: "2013/\'14", last: 2024-2025}'),
        ("window: [2022, 2024]", 'window: ["2022/\'23", 2024/2025]'),
    )
    found = ran(project)
    years = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    assert [found["primary"][name] for name in PRIMARY] == [years["primary"][name] for name in PRIMARY]
    assert found["window"] == ["2022/'23", "2024/'25"]
    assert {area["first_treated"] for area in found["areas"] if not area["left_out"]} == {"2022/'23"}
    assert {area["base"] for area in found["areas"] if not area["left_out"]} == {"2021/'22"}


def test_a_start_in_years_does_not_fit_school_years(project: Project) -> None:
    rewrite(project.outcomes, lambda row: {**row, "period": school(row["period"])})
    project.change(
        project.study,
        (PERIODS, 'periods: {kind: school-year, first: "2013/\'14", last: "2024/\'25"}'),
        ("window: [2022, 2024]", 'window: ["2022/\'23", "2024/\'25"]'),
    )
    refused(project, "DATA-121", "one school year as its first treated period; it has '2022'")


# --- periods that do not count ----------------------------------------------------------------------------------------


def test_left_out_periods_are_as_if_they_were_not_there(project: Project) -> None:
    """Without 2020 and 2021 the last measurement before the start is 2019, and 2022 is the first after it."""
    why = "coronajaren"
    project.change(project.study, (PERIODS, PERIODS + f"\nleave_out: [{{periods: [2020, 2021], why: {why}}}]"))
    found = ran(project)
    assert found["periods"] == [str(year) for year in range(2013, 2025) if year not in (2020, 2021)]
    assert {area["base"] for area in found["areas"] if not area["left_out"]} == {"2019"}
    assert found["periods_left_out"] == [{"unit": year, "reason": why} for year in ("2020", "2021")]
    page = (project.out / "report.html").read_text(encoding="utf-8")
    assert "2020 en 2021: coronajaren" in page and "Perioden voor de start: 7" in page
    # The same table without those rows, read as waves, is the same study.
    waves = ", ".join(found["periods"])
    kept = [found["primary"][name] for name in PRIMARY]
    rewrite(project.outcomes, lambda row: None if row["period"] in ("2020", "2021") else row)
    text = project.study.read_text(encoding="utf-8")
    text = text.replace(PERIODS, f"periods: {{kind: waves, are: [{waves}]}}")
    text = re.sub(r"leave_out: \[\{periods.*\n", "", text)
    project.study.write_text(text, encoding="utf-8")
    assert primary(project) == kept


def test_waves_take_nothing_between_them(project: Project) -> None:
    """Every third year: the start in 2022 counts from the wave of 2023, and the last before it is that of 2020."""
    project.change(
        project.study,
        (PERIODS, "periods: {kind: waves, are: [2014, 2017, 2020, 2023]}"),
        ("window: [2022, 2024]", "window: [2023, 2023]"),
    )
    found = ran(project)
    assert found["periods"] == ["2014", "2017", "2020", "2023"]
    assert {area["base"] for area in found["areas"] if not area["left_out"]} == {"2020"}
    assert [row["term"] for row in found["event"] if int(row["term"]) >= 0] == ["0"]
    assert any("zijn metingen, geen jaren" in note for note in found["notes"])


def test_provisional_figures_are_left_out_by_name_unless_the_study_keeps_them(project: Project) -> None:
    def starred(row: dict[str, str]) -> dict[str, str]:
        return {**row, "vsv": row["vsv"] + "*"} if row["period"] == "2024" and row["vsv"].isdigit() else row

    project.change(project.study, ("window: [2022, 2024]", "window: [2022, 2023]"), ("last: 2024", "last: 2023"))
    final = primary(project)
    project.change(project.study, ("window: [2022, 2023]", "window: [2022, 2024]"), ("last: 2023", "last: 2024"))
    whole = primary(project)
    assert whole != final
    rewrite(project.outcomes, starred)
    found = ran(project)
    assert [found["primary"][name] for name in PRIMARY] == final
    assert found["window"] == ["2022", "2023"]
    assert found["periods_left_out"] == [{"unit": "2024", "reason": "de cijfers zijn nog voorlopig"}]
    project.change(project.study, ("last: 2024", "last: 2024, provisional: keep"))
    assert primary(project) == whole


def test_a_window_that_is_wholly_provisional_cannot_be_estimated(project: Project) -> None:
    rewrite(project.outcomes, lambda row: {**row, "vsv": row["vsv"] + ("*" if row["period"] == "2024" else "")})
    project.change(project.study, ("window: [2022, 2024]", "window: [2024, 2024]"))
    refused(project, "DATA-134", "2024 is provisional", "provisional: keep")


def test_a_first_full_period_that_is_provisional_leaves_nothing_to_estimate(project: Project) -> None:
    rewrite(project.outcomes, lambda row: {**row, "vsv": row["vsv"] + ("*" if row["period"] == "2024" else "")})
    start = "start: {event: prestatieafspraak, column: first_treated}"
    full = "already_treated: {rotterdam-zuid: leave-out}\n  start: {event: x, first_treated: 2022, first_full: 2024}"
    project.change(project.study, (start, full), (", window: [2022, 2024]", ""))
    refused(project, "DATA-134", "no period of the estimate is left")


# --- when it starts ---------------------------------------------------------------------------------------------------


def test_a_partly_treated_period_is_neither_base_nor_in_the_estimate(project: Project) -> None:
    start = "start: {event: prestatieafspraak, column: first_treated}"
    full = "start: {event: prestatieafspraak, first_treated: 2022, first_full: 2023, last_before: 2021}"
    aside = "already_treated: {rotterdam-zuid: leave-out}\n  "
    project.change(project.study, (start, aside + full), (", window: [2022, 2024]", ""))
    found = ran(project)
    assert found["window"] == ["2023", "2024"]
    assert {area["base"] for area in found["areas"] if not area["left_out"]} == {"2021"}
    assert any("pas 2023 is een volle periode" in note for note in found["notes"])
    by_year = {row["term"]: row["value"] for row in found["event"]}
    assert found["primary"]["value"] == pytest.approx((by_year["1"] + by_year["2"]) / 2, abs=1e-12)
    rotterdam = next(area for area in found["areas"] if area["slug"] == "rotterdam-zuid")
    assert "al eerder" in rotterdam["left_out"]
    project.change(project.study, ("last_before: 2021", "last_before: 2020"))
    assert "he last measurement before the start is 2021" in project.run().err


# --- breaks -----------------------------------------------------------------------------------------------------------


def test_a_shift_that_all_areas_share_falls_out(project: Project) -> None:
    """From 2018 on every wijk counts one leaver more in a hundred students: the estimate does not move."""
    before = primary(project)

    def shifted(row: dict[str, str]) -> dict[str, str]:
        if int(row["period"]) < 2018 or not row["vsv"].isdigit():
            return row
        return {**row, "vsv": f"{int(row['vsv']) + int(row['deelnemers']) / 100:.4f}".replace(".", ",")}

    rewrite(project.outcomes, shifted)
    project.change(
        project.study, (PERIODS, PERIODS + "\nbreaks: [{at: 2018, treat_as: common-shift, why: nieuwe telling}]")
    )
    found = ran(project)
    assert [found["primary"][name] for name in PRIMARY] == pytest.approx(before, abs=1e-9)
    assert any("Breuk in de meting in 2018 (nieuwe telling)" in note for note in found["notes"])


def segmented(project: Project, at: int) -> None:
    project.change(
        project.study, (PERIODS, PERIODS + f"\nbreaks: [{{at: {at}, treat_as: segment, why: nieuwe vraag}}]")
    )


def test_figures_from_before_a_break_are_not_compared(project: Project) -> None:
    segmented(project, 2019)
    found = ran(project)
    assert found["periods"] == ["2019", "2020", "2021", "2022", "2023", "2024"]
    assert [row["unit"] for row in found["periods_left_out"]] == [str(year) for year in range(2013, 2019)]
    project.change(
        project.study,
        ("\nbreaks: [{at: 2019, treat_as: segment, why: nieuwe vraag}]", ""),
        ("first: 2013", "first: 2019"),
    )
    assert [found["primary"][name] for name in PRIMARY] == primary(project)


def test_one_measurement_before_the_start_measures_nothing(project: Project, first: Path) -> None:
    segmented(project, 2021)
    ended = project.run()
    assert ended.code == 1 and "1 outcome not measurable" in ended.err
    found = results(project)
    assert (
        found["primary"]["value"] is None and found["change"] is None and found["event"] == [] and found["path"] == []
    )
    reason = (
        "er is maar één vergelijkbare meting van voor de start en er zijn er ten minste 2 nodig "
        "(breuk in de meting in 2021)"
    )
    assert found["not_measurable"] == [reason]
    page = re.sub(r"\s+", " ", (project.out / "report.html").read_text(encoding="utf-8"))
    assert "niet meetbaar met de bestaande gegevens" in page and reason in page
    assert "een verschil is hiermee aangetoond noch uitgesloten" in page
    # Sealed means absent: no digit of any estimate of the measurable study stands anywhere in the bundle.
    numbers = [row["value"] for row in json.loads((first / "results.json").read_text("utf-8"))["outcomes"][0]["event"]]
    written = "".join(file.read_text("utf-8", errors="ignore") for file in project.out.rglob("*") if file.is_file())
    assert not any(f"{value:.6f}"[:8] in written for value in numbers)
    assert not list(project.out.rglob("*.svg"))
    assert (project.out / "tidy.csv").read_text(encoding="utf-8").count("\n") == 1


def test_an_indicator_that_is_no_outcome_measures_nothing(project: Project) -> None:
    project.change(project.study, ("indicator: voortijdig-schoolverlaten", "indicator: risicoscores"))
    assert project.run().code == 1
    assert results(project)["not_measurable"] == ["risicomodel; geen uitkomstmaat"]


def test_an_alternative_that_is_not_measurable_gives_no_number(project: Project) -> None:
    change = "change: {breaks: [{at: 2021, treat_as: segment, why: strengste lezing}]}"
    entry = f"alternatives: [{{name: strengst, why: breuk, same_estimand: true, {change}}}]\nchecks:"
    project.change(project.study, ("checks:", entry))
    found = ran(project, 1)
    assert found["primary"]["value"] is not None and found["alternatives"][0]["estimate"]["value"] is None
    page = (project.out / "report.html").read_text(encoding="utf-8")
    assert "haalt de toets ‘genoeg vergelijkbare metingen voor de start’ niet" in page


# --- who is treated ---------------------------------------------------------------------------------------------------


def members(project: Project, share: str = "1", part: str = "0,5") -> None:
    """The areas of the column as a file of members; the first wijk of leeuwarden-oost lies in it for `part`."""
    with project.units.open(encoding="utf-8", newline="") as file:
        inside = [row for row in csv.DictReader(file, delimiter=";") if row["area"]]
    rows = [
        f"{row['area']};{row['region']};2024;{part if i == 0 else share};eigen kaart" for i, row in enumerate(inside)
    ]
    (project.study.parent / "gebieden.csv").write_text(
        "\n".join(["area;code;vintage;share;source", *rows, ""]), "utf-8"
    )
    areas = "areas: {column: area}                         # de slug van het focusgebied; leeg voor alle andere wijken"
    project.change(project.study, (areas, "areas: register\n  members: gebieden.csv"))


def test_own_members_go_before_the_register(project: Project, first: Path) -> None:
    members(project, part="1")
    found = ran(project)
    column = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    # The areas come in another order, which is all that may move a last digit.
    assert [found["primary"][name] for name in PRIMARY] == pytest.approx(
        [column["primary"][name] for name in PRIMARY], rel=1e-12
    )
    assert [file["role"] for file in found["data"]] == ["outcomes", "units", "members"]


def test_a_wijk_that_lies_in_an_area_for_a_part_is_neither_treated_nor_control(project: Project) -> None:
    members(project)
    found = ran(project)
    area = next(area for area in found["areas"] if area["slug"] == "leeuwarden-oost")
    assert area["units"] and "WK900101" not in area["units"]
    used = {unit for row in found["areas"] for unit, _ in row["matched"]}
    named = {row["unit"] for row in found["excluded"]}
    assert "WK900101" not in used and "WK900101" in named


def test_every_fault_of_a_file_of_members_is_said_at_once(project: Project) -> None:
    members(project)
    path = project.study.parent / "gebieden.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("leeuwarden-oost", "leeuwarden-ost")
    lines[2] = lines[2].replace(";1;", ";1,5;")
    lines.append(lines[3])
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    ended = refused(project, "Did you mean 'leeuwarden-oost'?", "row 2", "row 3", f"rows 4 and {len(lines)}")
    assert ended.err.count("DATA-117") == 3


def test_members_of_another_division_are_refused(project: Project) -> None:
    members(project)
    project.change(
        project.study,
        ("    file: data_synthetic/eerste-studie.csv", "    file: data_synthetic/eerste-studie.csv\n    vintage: 2021"),
    )
    refused(project, "the outcomes are in the division of 2021, these members are not")


def test_areas_without_data_are_an_error_unless_the_study_says_so(project: Project) -> None:
    members(project, part="1")
    gone = "WK9001"
    rewrite(project.outcomes, lambda row: None if row["region"].startswith(gone) else row)
    rewrite(project.units, lambda row: None if row["region"].startswith(gone) else row)
    refused(project, "DATA-120", "Leeuwarden-Oost")
    project.change(project.study, ("members: gebieden.csv", "members: gebieden.csv\n  only: with-data"))
    ended = project.run()
    assert ended.code == 0 and "18 of 20 areas; without Leeuwarden-Oost, Rotterdam-Zuid" in ended.err
    left = {area["name"]: area["left_out"] for area in results(project)["areas"] if area["left_out"]}
    assert left["Leeuwarden-Oost"] == "er zijn geen gegevens over dit gebied"


def test_neighbours_can_stand_in_a_column(project: Project) -> None:
    rewrite(project.units, lambda row: {**row, "grenst": "delft-west" if row["region"] == "WK904002" else ""})
    rule = "    - {rule: adjacent, column: grenst, why: waterbed}\n  match:"
    project.change(project.study, ("  match:", rule))
    found = ran(project)
    assert {"unit": "WK904002", "reason": "waterbed (delft-west)"} in found["excluded"]
