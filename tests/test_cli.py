"""`impact estimate`: any long table, against the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.shared import golden, shared
from tests.study.conftest import impact

COLUMNS = ("--unit", "countyreal", "--time", "year", "--outcome", "lemp", "--first-treated", "first.treat")


@pytest.fixture
def mpdta() -> Path:
    return shared("reference/data/mpdta.csv")


def test_json_records_equal_the_reference(mpdta: Path) -> None:
    done = impact("estimate", mpdta, *COLUMNS, "--inference", "scores", "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)  # nothing but the records stands on standard output
    simple = golden("did_mpdta_dr_nevertreated_none_ant0_varying")["results"]["aggte_simple"]
    assert row["estimate"] == pytest.approx(simple["overall_att"], abs=1e-8)
    assert row["std_error"] == pytest.approx(simple["overall_se"], abs=1e-8)
    assert row["band_low"] is None


def test_options_reach_the_estimator(mpdta: Path) -> None:
    done = impact(
        "estimate",
        mpdta,
        *COLUMNS,
        "--covariates",
        "lpop",
        "--set",
        "control=not-yet",
        "--set",
        "method=reg",
        "--target",
        "event",
        "--json",
    )
    rows = {row["term"]: row["estimate"] for row in json.loads(done.out)}
    reference = golden("did_mpdta_reg_notyettreated_lpop_ant0_varying")["results"]["aggte_dynamic"]
    for event, value in zip(reference["egt"], reference["att_egt"], strict=True):
        assert rows[str(event)] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("extra", "code", "says"),
    [
        (("--set", "foo=1"), 2, "group-time(control="),
        (("--set", "foo"), 2, "USAGE-007"),
        (("--estimator", "group_time"), 2, "did you mean 'group-time'"),
        (("--estimator", "imputation"), 2, "later version"),
        (("--weighting", "resident"), 2, "USAGE-004"),
        (("--cluster", "stat"), 2, "no column 'stat'"),
        (("--set", "anticipation=4"), 3, "refused"),
    ],
)
def test_what_cannot_be_done_is_said(mpdta: Path, extra: tuple[str, ...], code: int, says: str) -> None:
    done = impact("estimate", mpdta, *COLUMNS, *extra)
    assert done.code == code, done.err
    assert says in done.err
    assert done.out.strip() == ""


def test_a_refused_interval_is_a_finding(mpdta: Path) -> None:
    done = impact("estimate", mpdta, *COLUMNS, "--target", "unit", "--json")
    assert done.code == 1
    assert all(row["ci_low"] is None and row["status"].startswith("refused") for row in json.loads(done.out))


def test_a_dutch_csv_with_marks_and_decimal_commas(tmp_path: Path) -> None:
    """Two areas and two others, two years; the difference in change is (3 - 1) - (0,5 - 0) = 1,5."""
    file = tmp_path / "tabel.csv"
    rows = [
        ("WK000001", 2020, "1,0", 2021),
        ("WK000001", 2021, "3,0", 2021),
        ("WK000002", 2020, "1,0", 2021),
        ("WK000002", 2021, "3,0", 2021),
        ("WK000003", 2020, "2,0", ""),
        ("WK000003", 2021, "2,5", ""),
        ("WK000004", 2020, "4,0", ""),
        ("WK000004", 2021, "4,5", ""),
    ]
    file.write_text("wijk;jaar;cijfer;start\n" + "".join(f"{a};{b};{c};{d}\n" for a, b, c, d in rows), encoding="utf-8")
    options = ("--unit", "wijk", "--time", "jaar", "--outcome", "cijfer", "--first-treated", "start", "--json")
    done = impact("estimate", file, *options)
    (row,) = json.loads(done.out)
    assert row["estimate"] == pytest.approx(1.5)
    assert (row["n"], row["areas"]) == (4, 2)
    text = file.read_text(encoding="utf-8").replace("4,5", "x")
    file.write_text(text, encoding="utf-8")
    refused = impact("estimate", file, *options)
    assert refused.code == 3
    assert "WK000004" in refused.err  # the suppressed cell is missing, never 0
    file.write_text(text.replace("x", "veel"), encoding="utf-8")
    wrong = impact("estimate", file, *options)
    assert wrong.code == 2
    assert "veel" in wrong.err


def test_parquet_gives_the_same(mpdta: Path, tmp_path: Path) -> None:
    pd.read_csv(mpdta).to_parquet(tmp_path / "m.parquet")
    first, second = (impact("estimate", file, *COLUMNS, "--json").out for file in (mpdta, tmp_path / "m.parquet"))
    assert json.loads(first)[0]["estimate"] == pytest.approx(json.loads(second)[0]["estimate"], rel=1e-12)
