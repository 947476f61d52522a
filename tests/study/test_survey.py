"""Figures from a sample: respondents, errors and margins; and what a table says that its numbers contradict."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from impact.study.areas import focus_areas
from impact.study.load import Loaded, load
from impact.study.panels import compare
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.study.conftest import Project
from tests.study.test_measurements import ran, refused, rewrite

COLUMNS = "columns: {region: region, period: period, numerator: vsv, denominator: deelnemers}"
MEASURE = "measure: {rate: numerator/denominator, per: 100, unit: procentpunt}"
INDICATOR = "indicator: voortijdig-schoolverlaten"


def sampled(project: Project, columns: str, **changes: str) -> None:
    """The first study as a survey: 200 respondents a wijk, margins of 95 % that follow from them."""

    def asked(row: dict[str, str]) -> dict[str, str]:
        out = {
            "region": row["region"],
            "period": row["period"],
            "pct": "-",
            "n": "-",
            "low": "-",
            "high": "-",
            "se": "-",
        }
        if row["vsv"].isdigit():
            p = int(row["vsv"]) / int(row["deelnemers"])
            se = 100 * math.sqrt(p * (1 - p) / 200)
            shown = {"pct": 100 * p, "low": 100 * p - 1.959964 * se, "high": 100 * p + 1.959964 * se, "se": se}
            out |= {name: f"{value:.6f}".replace(".", ",") for name, value in shown.items()} | {"n": "200"}
        return out | changes

    rewrite(project.outcomes, asked)
    project.change(
        project.study,
        (
            COLUMNS,
            f"columns: {{region: region, period: period, value: pct, {columns}}}\n    marks: {{suppressed: ['-']}}",
        ),
        (MEASURE, "measure: {unit: procentpunt}"),
        ("  also_as: {nl: leerlingen per jaar, en: pupils per year}\n", ""),
        (INDICATOR, "indicator: ervaren-veiligheid"),
    )


def loaded(project: Project) -> Loaded:
    study = read_study(project.study)
    return load(study.model, locate(study, Roots.of(study.path)))


@pytest.mark.parametrize(
    "columns", ["n: n", "se: se", "margin: {low: low, high: high, level: 0.95}", "n: n, margin: {low: low, high: high}"]
)
def test_the_error_of_a_percentage_is_the_binomial_one_however_it_is_given(project: Project, columns: str) -> None:
    sampled(project, columns)
    series = loaded(project).series[0]
    assert series.se is not None
    seen = np.isfinite(series.y)
    expected = np.sqrt(series.y[seen] * (100 - series.y[seen]) / 200)
    assert series.se[seen] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(series.se[~seen]).all() and (~seen).sum() == 4
    assert (series.respondents is not None) == columns.startswith("n")


def test_the_panel_carries_the_error_of_its_own_units(project: Project) -> None:
    sampled(project, "se: se")
    study = read_study(project.study)
    data = loaded(project)
    panel = compare(study.model, data, data.series[0], focus_areas(study.model, data)).panel
    assert panel.se is not None
    assert panel.se == pytest.approx(np.sqrt(panel.y * (100 - panel.y) / 200), rel=1e-5)


def test_the_report_says_how_large_the_error_is_and_how_few_were_asked(project: Project) -> None:
    sampled(project, "n: n")
    foreseen = "checks: {respondents: {at_least: 250, if_failed: report, why: kleine wijken}, "
    project.change(project.study, ("checks: {", foreseen))
    found = ran(project, 1)
    check = next(check for check in found["checks"] if check["name"] == "respondents")
    assert (check["statistic"], check["verdict"], check["gates"]) == (200, "fail", False)
    assert any("minste respondenten had er 200" in note for note in found["notes"])
    assert any("uit een steekproef" in note for note in found["notes"])


def test_the_standard_of_surveys_asks_for_fifty_respondents(project: Project) -> None:
    sampled(project, "n: n")
    text = project.study.read_text(encoding="utf-8")
    project.study.write_text(text[: text.index("checks:")] + "checks: survey\nseed: 1\n", encoding="utf-8")
    check = next(check for check in ran(project)["checks"] if check["name"] == "respondents")
    assert (check["threshold"], check["verdict"]) == (50, "pass")


def test_a_survey_without_its_error_is_refused(project: Project) -> None:
    sampled(project, "n: n")
    project.change(project.study, ("value: pct, n: n}", "value: pct}"))
    refused(project, "asked of a sample", "margin: {low: …, high: …}")


def test_respondents_alone_give_no_error_for_a_score(project: Project) -> None:
    sampled(project, "n: n")
    project.change(project.study, ("unit: procentpunt}", "unit: punten}"))
    refused(project, "nly of a percentage (unit: procentpunt) does the error follow from `n`")


def test_margins_that_do_not_hold_their_value_are_refused_by_name(project: Project) -> None:
    sampled(project, "margin: {low: high, high: low}")
    refused(project, "DATA-118", "the margin does not hold the value itself for WK900101 2013")


def test_a_figure_without_its_error_is_refused_by_name(project: Project) -> None:
    sampled(project, "se: se")
    gap = {"region": "WK900103", "period": "2016"}
    rewrite(project.outcomes, lambda row: row | {"se": "."} if gap.items() <= row.items() else row)
    refused(project, "DATA-118", "column 'se' says nothing of 1 figures: WK900103 2016")


def test_respondents_are_people(project: Project) -> None:
    sampled(project, "n: n", n="12,5")
    refused(project, "DATA-118", "WK900101 2013: 12.5")


def share_in(found: dict[str, Any], words: str) -> int:
    """The percentage in the one note with these words."""
    notes = [note for note in found["notes"] if words in note]
    assert len(notes) == 1
    number = re.search(r"is ([0-9]+)% |komt ([0-9]+)% ", notes[0])
    assert number is not None, notes
    return int(number[1] or number[2])


def smaller(project: Project, times: float) -> None:
    """The errors of the table, so many times smaller."""
    rewrite(
        project.outcomes,
        lambda row: row | ({} if row["se"] == "-" else {"se": str(float(row["se"].replace(",", ".")) / times)}),
    )


def test_the_report_says_which_share_of_the_variance_is_sampling_error(project: Project) -> None:
    """Four times the respondents, with the same figures: a quarter of it. Nothing else moves, no interval either."""
    sampled(project, "se: se")
    smaller(project, 4)
    few = ran(project)
    share = few["primary"]["known_share"]
    assert 0.02 < share < 1
    assert share_in(few, "bekende steekproeffout") == round(100 * share)
    assert "bekende steekproeffout" in (project.out / "report.html").read_text(encoding="utf-8")
    smaller(project, 2)
    many = ran(project)
    assert many["primary"]["known_share"] == pytest.approx(share / 4, rel=1e-6)
    assert few["primary"] | {"known_share": 0} == many["primary"] | {"known_share": 0}
    assert all(row["known_share"] > 0 for row in few["event"] if row["std_error"] is not None)


def test_errors_that_are_larger_than_all_uncertainty_are_told(project: Project) -> None:
    """These figures are counts; errors of 200 respondents are far larger than they vary."""
    sampled(project, "se: se")
    found = ran(project)
    assert found["primary"]["known_share"] > 1
    assert any("de opgegeven fouten te groot zijn" in note for note in found["notes"])


def test_counted_figures_have_no_known_error(first: Path) -> None:
    found = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    assert found["primary"]["known_share"] is None
    assert not any("bekende steekproeffout" in note or "afronden" in note for note in found["notes"])


# --- rounding ---------------------------------------------------------------------------------------------------------


def test_counts_that_are_not_rounded_as_stated_are_refused(project: Project) -> None:
    project.change(
        project.study, ("    level: wijk\n    " + COLUMNS, "    level: wijk\n    rounded_to: 5\n    " + COLUMNS)
    )
    refused(project, "DATA-115", "column 'vsv' is stated to be rounded to 5", "WK900101 2013: 43")


def test_rounding_is_said_with_its_size(project: Project) -> None:
    """Random rounding to 5 has variance (25 − 1) / 6 = 4."""

    def rounded(row: dict[str, str]) -> dict[str, str]:
        return row | {name: str(5 * round(int(row[name]) / 5)) for name in ("vsv", "deelnemers") if row[name].isdigit()}

    rewrite(project.outcomes, rounded)
    project.change(
        project.study, ("    level: wijk\n    " + COLUMNS, "    level: wijk\n    rounded_to: 5\n    " + COLUMNS)
    )
    found = ran(project)
    assert any("veelvoud van 5" in note and "standaardafwijking van 2,0" in note for note in found["notes"])
    share = found["primary"]["known_share"]
    assert 0 < share < 1
    if share > 0.01:
        assert share_in(found, "van het afronden") == round(100 * share)
    assert not any("uit een steekproef" in note for note in found["notes"])


def test_the_error_of_a_rate_of_rounded_counts_is_that_of_rounding_them(project: Project) -> None:
    """Counts around 40 of 900, rounded at random to multiples of 5 without bias, 200,000 times."""
    project.change(
        project.study, ("    level: wijk\n    " + COLUMNS, "    level: wijk\n    rounded_to: 5\n    " + COLUMNS)
    )
    rewrite(
        project.outcomes,
        lambda row: (
            row | {name: str(5 * round(int(row[name]) / 5)) for name in ("vsv", "deelnemers") if row[name].isdigit()}
        ),
    )
    series = loaded(project).series[0]
    assert series.rounding is not None and series.se is None and series.error is series.rounding
    assert (np.isfinite(series.rounding) == np.isfinite(series.y)).all()
    row, column = np.argwhere(np.isfinite(series.y))[0]
    rng = np.random.default_rng(0)
    with project.outcomes.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, delimiter=";"))
    where = {"region": loaded(project).regions[row], "period": loaded(project).periods[column]}
    cell = next(line for line in table if where.items() <= line.items())
    counts = []
    for name in ("vsv", "deelnemers"):
        true = int(cell[name]) + rng.integers(0, 5, 200_000)  # the last digit may be anything
        below = true - true % 5
        counts.append((below + 5 * (rng.random(200_000) < (true - below) / 5), true))
    moved = 100 * counts[0][0] / counts[1][0] - 100 * counts[0][1] / counts[1][1]
    # The true counts lie around the published one; to first order, and for every last digit together.
    assert moved.std() == pytest.approx(series.rounding[row, column], rel=0.05)


def test_sums_of_rounded_counts_have_an_error_that_is_not_known(project: Project) -> None:
    project.change(
        project.study,
        (
            "    level: wijk\n    " + COLUMNS,
            "    level: wijk\n    rounded_to: 5\n    rows: {add_up_to: [region, period]}\n    " + COLUMNS,
        ),
    )
    rewrite(
        project.outcomes,
        lambda row: (
            row | {name: str(5 * round(int(row[name]) / 5)) for name in ("vsv", "deelnemers") if row[name].isdigit()}
        ),
    )
    assert loaded(project).series[0].rounding is None
    said = [note for note in ran(project)["notes"] if "veelvoud van 5" in note]
    assert len(said) == 1 and "daarna opgeteld" in said[0] and "is niet berekend" in said[0]
    assert "zit al in het interval" not in said[0] and "standaardafwijking" not in said[0]


# --- predicted figures ------------------------------------------------------------------------------------------------


def test_a_predicted_outcome_says_so(project: Project) -> None:
    """One of the register says how its score may move; another that is called modelled says that it is one."""
    said = "De uitkomst is door een model voorspeld"
    assert not any(said in note for note in ran(project)["notes"])
    project.change(project.study, (INDICATOR, INDICATOR + "\n  kind: modelled"))
    assert any(said in note for note in ran(project)["notes"])
    project.change(project.study, (INDICATOR, "indicator: ervaren-leefbaarheid"), ("better: lower", "better: higher"))
    notes = ran(project)["notes"]
    assert any("sloop en nieuwbouw veranderen de score" in note for note in notes)
    assert not any(said in note for note in notes)


# --- tables for who works in a spreadsheet ----------------------------------------------------------------------------


def test_the_workbook_holds_the_tables_with_codes_as_text(first: Path) -> None:
    book = openpyxl.load_workbook(first / "tables.xlsx")
    assert book.sheetnames == ["estimates", "areas", "periods"]
    lines = list(book["areas"].iter_rows(values_only=True))
    assert lines[0][0] == "voortijdig-schoolverlaten: exploratory; 19 of 20 areas; without Rotterdam-Zuid"
    columns = ("outcome", "area", "name", "gemeente", "members", "first_treated", "base", "left_out", "population")
    assert lines[1] == columns
    rows = {row[1]: row for row in lines[2:]}
    assert len(rows) == 20 and rows["leeuwarden-oost"][4].startswith("WK900101")
    assert rows["delft-west"][5:7] == ("2022", "2021"), "periods are text"
    assert "behandeld sinds 2011" in rows["rotterdam-zuid"][7]
    tidy = (first / "tidy.csv").read_text(encoding="utf-8").splitlines()
    estimates = list(book["estimates"].iter_rows(min_row=2, values_only=True))
    assert list(estimates[0]) == tidy[0].split(",") and len(estimates) == len(tidy)
    head = tidy[0].split(",")
    # A workbook keeps sixteen digits.
    assert estimates[1][head.index("estimate")] == pytest.approx(
        float(tidy[1].split(",")[head.index("estimate")]), rel=1e-15
    )
    assert "20,Rotterdam-Zuid," in tidy[1]


def test_every_output_says_how_many_areas_and_names_the_others(first: Path) -> None:
    """The figures too, since they are shown without their report."""
    for file in (first / "figures").glob("*.svg"):
        assert "Het gaat om 19 van de 20 focusgebieden. Niet meegeteld: Rotterdam-Zuid." in file.read_text("utf-8")
    assert "19 van de 20 gebieden" in (first / "report.html").read_text("utf-8")
