"""`impact estimate` on any long table: its numbers, where it writes what, and how it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.shared import ROOT, golden, shared
from tests.study.conftest import Ended, apart, impact

MPDTA = {"--unit": "countyreal", "--time": "year", "--outcome": "lemp", "--first-treated": "first.treat"}
OURS = {"--unit": "wijk", "--time": "jaar", "--outcome": "aandeel", "--first-treated": "start"}


def estimate(file: Path | str, columns: dict[str, str], *more: str) -> Ended:
    return impact("estimate", file, *(word for pair in columns.items() for word in pair), *more)


def records(ended: Ended) -> list[dict[str, Any]]:
    def forbidden(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    parsed: list[dict[str, Any]] = json.loads(ended.out, parse_constant=forbidden)
    return parsed


@pytest.fixture(scope="module")
def mpdta() -> Path:
    return shared("reference/data/mpdta.csv")


# --- against R --------------------------------------------------------------------------------------------------------


def test_the_simple_effect_and_its_error_are_those_of_r(mpdta: Path) -> None:
    results = golden("did_mpdta_dr_nevertreated_none_ant0_varying")["results"]
    ended = estimate(mpdta, MPDTA, "--inference", "scores", "--json")
    assert ended.code == 0, ended.err
    (row,) = records(ended)
    assert row["estimate"] == pytest.approx(results["aggte_simple"]["overall_att"], abs=1e-8)
    assert row["std_error"] == pytest.approx(results["aggte_simple"]["overall_se"], abs=1e-8)
    assert (row["n"], row["method"], row["weighting"]) == (500, "group-time", "unit")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--set", "control=not-yet"], "did_mpdta_dr_notyettreated_none_ant0_varying"),
        (["--set", "method=reg", "--set", "anticipation=1"], "did_mpdta_reg_nevertreated_none_ant1_varying"),
        (["--covariates", "lpop", "--set", "method=ipw"], "did_mpdta_ipw_nevertreated_lpop_ant0_varying"),
    ],
)
def test_options_reach_the_estimator(mpdta: Path, options: list[str], name: str) -> None:
    expected = golden(name)["results"]["aggte_dynamic"]
    ended = estimate(mpdta, MPDTA, "--inference", "scores", "--target", "event", "--json", *options)
    assert ended.code == 0, ended.err
    rows = {row["term"]: row for row in records(ended)}
    assert rows["mean"]["estimate"] == pytest.approx(expected["overall_att"], abs=1e-6)
    for term, effect in zip(expected["egt"], expected["att_egt"], strict=True):
        assert rows[str(term)]["estimate"] == pytest.approx(effect, abs=1e-6)


def test_json_has_null_for_what_is_not_a_number(mpdta: Path) -> None:
    (row,) = records(estimate(mpdta, MPDTA, "--inference", "scores", "--json"))
    assert row["band_low"] is None
    assert row["band_high"] is None
    wanted = "target term weighting estimate std_error df statistic p_value ci_low ci_high band_low band_high n areas"
    assert list(row)[:14] == wanted.split()
    assert not any(isinstance(value, float) and math.isnan(value) for value in row.values())


def test_results_go_to_standard_output_and_all_else_to_standard_error(mpdta: Path) -> None:
    words = [word for pair in MPDTA.items() for word in pair]
    done = apart("estimate", mpdta, *words, "--set", "method=reg", "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) == 1
    assert "{" not in done.stderr
    readable = estimate(mpdta, MPDTA, "--set", "method=reg")
    assert "-0.03995" in readable.out.replace("−", "-").replace(",", ".")


# --- tables as they come ----------------------------------------------------------------------------------------------


def panel(units: int = 12, effect: float = -1.5) -> list[list[Any]]:
    """Wijken by year: the first six treated from 2020 on; exactly parallel otherwise."""
    rows: list[list[Any]] = []
    for unit in range(units):
        for year in range(2017, 2022):
            start = 2020 if unit < units // 2 else ""
            value = 10.25 + unit * 0.5 + (year - 2017) * 0.25 + (effect if unit < units // 2 and year >= 2020 else 0.0)
            rows.append([f"WK05{unit:02d}01", year, value, start, f"GM05{unit:02d}"])
    return rows


def written(path: Path, rows: Sequence[Sequence[Any]], *, separator: str = ";", decimal: str = ",") -> Path:
    head = separator.join(["wijk", "jaar", "aandeel", "start", "gemeente"])
    cells = [
        [str(cell).replace(".", decimal) if isinstance(cell, float) else str(cell) for cell in row] for row in rows
    ]
    path.write_text("\n".join([head, *(separator.join(row) for row in cells)]) + "\n", encoding="utf-8")
    return path


def test_an_error_of_zero_gives_no_infinite_statistic(tmp_path: Path) -> None:
    """Without any noise no error shows: there is no interval of width 0, and the statistic has no number."""
    (row,) = records(estimate(written(tmp_path / "t.csv", panel()), OURS, "--json"))
    assert row["std_error"] is None and row["ci_low"] is None and row["p_value"] is None
    assert row["status"].startswith("refused: ") and "no error shows" in row["status"]
    assert row["statistic"] is None


def test_weights_and_residents_have_decimal_commas_too(tmp_path: Path) -> None:
    rows = [[*row, 1.5 if row[0] < "WK0503" else 0.5] for row in panel()]
    file = written(tmp_path / "t.csv", rows)
    file.write_text(file.read_text(encoding="utf-8").replace("gemeente", "gemeente;gewicht", 1), encoding="utf-8")
    for option in ("--weight", "--residents"):
        ended = estimate(file, OURS, option, "gewicht", "--json")
        assert ended.code == 1, ended.err  # the panel has no noise, so its interval is refused
        assert records(ended)[0]["estimate"] == pytest.approx(-1.5, abs=1e-12)


@pytest.mark.parametrize(("separator", "decimal"), [(";", ","), (",", "."), ("\t", ",")])
def test_a_csv_with_any_separator_and_decimal_sign(tmp_path: Path, separator: str, decimal: str) -> None:
    file = written(tmp_path / "t.csv", panel(), separator=separator, decimal=decimal)
    (row,) = records(estimate(file, OURS, "--cluster", "gemeente", "--json"))
    assert row["estimate"] == pytest.approx(-1.5, abs=1e-12)
    assert row["clusters"] == 12


def test_parquet_gives_the_same(tmp_path: Path) -> None:
    rows = panel()
    frame = pd.DataFrame(rows, columns=["wijk", "jaar", "aandeel", "start", "gemeente"])
    frame["start"] = pd.to_numeric(frame["start"])
    frame.to_parquet(tmp_path / "t.parquet")
    written(tmp_path / "t.csv", rows)
    one, other = (estimate(tmp_path / name, OURS, "--json").out for name in ("t.parquet", "t.csv"))
    assert one == other


def test_a_secret_cell_is_never_a_silent_zero(tmp_path: Path) -> None:
    rows = panel()
    rows[-1][2] = "x"
    # The cell is left out and said to be, in words beside the records and in the summary; where an estimator needs
    # every cell there is no number.
    path = written(tmp_path / "t.csv", rows)
    ended = estimate(path, OURS, "--json")
    assert ended.code in (0, 1)
    assert "1 of " in ended.err and "miss the outcome in some period (WK051101)" in ended.err
    assert "miss the outcome in some period (WK051101)" in estimate(path, OURS).out
    without = estimate(written(tmp_path / "u.csv", rows[:-1]), OURS, "--json")
    assert json.loads(ended.out)[0]["estimate"] == json.loads(without.out)[0]["estimate"]
    refused = estimate(path, OURS | {"--estimator": "did"}, "--json")
    assert (refused.code, refused.out) == (3, "")
    assert "WK051101" in refused.err, "the wijk is named"


def test_every_bad_number_is_named_with_its_row(tmp_path: Path) -> None:
    rows = panel()
    rows[3][2], rows[7][2] = "veel", "12 procent"
    ended = estimate(written(tmp_path / "t.csv", rows), OURS)
    assert (ended.code, ended.out) == (2, "")
    assert "t.csv:5 DATA-108 [aandeel]: 'veel'" in ended.err
    assert "t.csv:9 DATA-108 [aandeel]: '12 procent'" in ended.err
    assert "2 problems" in ended.err


def test_a_misspelled_column_gets_a_suggestion(tmp_path: Path) -> None:
    ended = estimate(written(tmp_path / "t.csv", panel()), OURS | {"--time": "jar", "--outcome": "aandel"})
    assert (ended.code, ended.out) == (2, "")
    assert "jaar" in ended.err
    assert "aandeel" in ended.err
    assert "Traceback" not in ended.err


def test_rows_that_contradict_each_other_are_all_named(tmp_path: Path) -> None:
    rows = panel()
    rows.append(list(rows[0]))  # a wijk-year twice, in rows 2 and 62 of a spreadsheet
    rows[12][3] = 2019  # another start in one of the years of WK050201
    ended = estimate(written(tmp_path / "t.csv", rows), OURS)
    assert (ended.code, ended.out) == (2, "")
    assert "rows 2, 62" in ended.err
    assert "WK050201" in ended.err
    assert "2 problems" in ended.err


# --- how it refuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "method"], "key=value"),
        (["--set", "methode=reg"], "methode"),
        (["--set", "method=regressie"], "regressie"),
        (["--set", "cluster=gemeente"], "cluster"),
        (["--set", "seed=3"], "--seed"),
        (["--set", "level=0.9"], "--level"),
        (["--set", "anticipation=een"], "a whole number"),
        (["--set", "anticipation=1.5"], "a whole number"),
        (["--set", "anticipation=-1"], "0 or more"),
        (["--set", "method=reg", "--set", "method=dr"], "second time"),
        (["--inference", "placebo-space", "--set", "draws=veel"], "a whole number"),
        (["--inference", "placebo-space", "--set", "rematch=x"], "only be given in Python"),
        (["--estimator", "group-tim"], "group-time"),
        (["--inference", "cluster-jacknife"], "cluster-jackknife"),
        (["--target", "avarage"], "average"),
        (["--weighting", "wijk"], "resident"),
        (["--weighting", "resident"], "residents"),
        (["--level", "95"], "level"),
        (["--cluster", "gementee"], "gemeente"),
        (["--covariates", "lpop,inkomen"], "inkomen"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_printed(tmp_path: Path, more: list[str], said: str) -> None:
    ended = estimate(written(tmp_path / "t.csv", panel()), OURS, *more)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_two_wrong_settings_are_told_together(tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", panel())
    ended = estimate(file, OURS, "--set", "methode=reg", "--set", "kontrole=never")
    assert ended.code == 2
    assert "methode" in ended.err
    assert "kontrole" in ended.err
    assert "method=" in ended.err, "the signature shows what there is"


def test_a_refused_interval_is_a_finding(tmp_path: Path) -> None:
    """Three treated gemeenten: the estimate stands, no interval holds its level."""
    rows = [row for row in panel() if row[0] not in {"WK050001", "WK050101", "WK050201"}]
    ended = estimate(written(tmp_path / "t.csv", rows), OURS, "--cluster", "gemeente", "--json")
    assert ended.code == 1
    (row,) = records(ended)
    assert row["estimate"] == pytest.approx(-1.5, abs=1e-12)
    assert (row["std_error"], row["ci_low"], row["p_value"]) == (None, None, None)
    assert "3 treated clusters" in row["status"]


def test_no_estimate_at_all_has_a_code_of_its_own(tmp_path: Path) -> None:
    """Everyone treated at once: there is nothing to compare with."""
    rows = [[*row[:3], 2020, row[4]] for row in panel()]
    ended = estimate(written(tmp_path / "t.csv", rows), OURS, "--json")
    assert (ended.code, ended.out) == (3, "")
    assert "refused, because" in ended.err


@pytest.mark.parametrize("name", ["nergens.csv", "t.xlsx", "leeg.csv", "map.csv"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "leeg.csv").write_bytes(b"")
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    (tmp_path / "map.csv").mkdir()
    ended = estimate(tmp_path / name, OURS)
    assert (ended.code, ended.out) == (2, "")
    assert "DATA-" in ended.err
    assert name in ended.err


def test_the_command_without_words_shows_what_it_can_do() -> None:
    for ended in (impact("--help"), impact()):
        said = ended.out + ended.err
        assert all(name in said for name in ("check", "run", "show", "report", "estimate"))
    assert impact("--help").code == 0
    done = apart("estimate", "--help", cwd=ROOT, LC_ALL="C")
    assert done.returncode == 0
    assert "--first-treated" in done.stdout
