"""The generated studies through the command line, against a truth and numbers that come from outside the code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import impact
from tests.shared import ROOT
from tests.study.conftest import Project, apart
from tests.study.conftest import impact as command

DATA = ROOT / "data_synthetic"


def _truth() -> float:
    """Mean over areas of each area's mean effect in 2022-2024, without Rotterdam-Zuid, which has no pre-period."""
    table = pd.read_csv(DATA / "eerste-studie-truth.csv", sep=";", decimal=",")
    table = table[table["period"].between(2022, 2024) & (table["area"] != "rotterdam-zuid")]
    return float(table.groupby("area")["effect"].mean().mean())


def test_the_intervals_cover_the_known_truth(first: Path) -> None:
    table = pd.read_csv(first / "tidy.csv", keep_default_na=True)
    truth = _truth()
    rows = table[(table["role"].isin(["primary", "alternative"])) & table["same_estimand"]]
    assert len(rows) == 5
    assert (np.abs(rows["estimate"] - truth) < 3 * rows["std_error"]).all()
    assert ((rows["ci_low"] <= truth) & (truth <= rows["ci_high"])).all()
    assert table["exploratory"].all()
    # The interval of a synthetic control by cluster-jackknife has not been sized; table and report say so.
    assert table.loc[table["status"] != "ok", ["name", "status"]].to_numpy().tolist() == [
        ["gewogen-vergelijking", "unsized"]
    ]
    assert "Van gewogen-vergelijking is niet bekend" in (first / "report.html").read_text(encoding="utf-8")


def test_an_alternative_equals_a_difference_in_differences_by_hand(first: Path) -> None:
    """`alle-wijken`: 2021 to 2022-2024, area means against the mean of all other gemeenten, with plain pandas."""
    outcomes = pd.read_csv(DATA / "eerste-studie.csv", sep=";", dtype=str)
    wijken = pd.read_csv(DATA / "eerste-studie-wijken.csv", sep=";", dtype=str, keep_default_na=False)
    number = outcomes[["vsv", "deelnemers"]].apply(pd.to_numeric, errors="coerce")
    rate = (
        (100 * number["vsv"] / number["deelnemers"]).groupby([outcomes["region"], outcomes["period"]]).first().unstack()
    )
    rate = rate.dropna()
    wijken = wijken[wijken["region"].isin(rate.index)].set_index("region")
    change = rate[["2022", "2023", "2024"]].mean(axis=1) - rate["2021"]
    treated = wijken[(wijken["area"] != "") & (wijken["first_treated"] == "2022")]
    taken = set(pd.read_csv(DATA / "eerste-studie-wijken.csv", sep=";", dtype=str).dropna(subset=["area"])["gemeente"])
    controls = wijken[(wijken["area"] == "") & ~wijken["gemeente"].isin(taken)]
    focus = change[treated.index].groupby(treated["area"]).mean().mean()
    by_hand = focus - change[controls.index].mean()
    table = pd.read_csv(first / "tidy.csv")
    reported = table.loc[table["name"] == "alle-wijken", "estimate"].item()
    assert reported == pytest.approx(by_hand, abs=1e-10)


def test_the_before_after_table_adds_up_to_the_estimate(first: Path) -> None:
    result = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    change = result["change"]
    focus, comparison = (change[f"{who}_after"] - change[f"{who}_before"] for who in ("focus", "comparison"))
    assert focus - comparison == pytest.approx(result["primary"]["value"], abs=1e-10)


def test_the_bundle_is_whole_and_every_digest_holds(first: Path) -> None:
    manifest = json.loads((first / "manifest.json").read_text(encoding="utf-8"))
    files = {file.relative_to(first).as_posix() for file in first.rglob("*") if file.is_file()}
    assert files == {*manifest["outputs"], "manifest.json"}
    assert {"report.html", "results.json", "tidy.csv", "tidy.parquet"} <= files
    assert {"figures/event-study.svg", "figures/gap.svg", "figures/balance.svg"} <= files
    for name, digest in manifest["outputs"].items():
        assert hashlib.sha256((first / name).read_bytes()).hexdigest() == digest
    for source in manifest["inputs"]:
        assert hashlib.sha256((ROOT / source["file"]).read_bytes()).hexdigest() == source["sha256"]
    assert {source["role"] for source in manifest["inputs"]} == {"outcomes", "units"}
    assert manifest["seed"] == 20261123
    assert manifest["status"] == "exploratory"
    assert {"python", "numpy", "pandas"} <= set(manifest["versions"])
    text = pd.read_csv(first / "tidy.csv", dtype=str, keep_default_na=False)
    assert list(text.columns) == list(pd.read_parquet(first / "tidy.parquet").columns)
    assert len(text) == len(pd.read_parquet(first / "tidy.parquet"))


def test_the_report_can_be_rendered_again_from_the_bundle(first: Path, tmp_path: Path) -> None:
    done = command("report", first, "--out", tmp_path / "again.html")
    assert done.code == 0
    assert (tmp_path / "again.html").read_bytes() == (first / "report.html").read_bytes()


def test_show_prints_the_numbers_of_the_table(first: Path) -> None:
    done = command("show", first, "primary")
    estimate = pd.read_csv(first / "tidy.csv").query("role == 'primary'")["estimate"].item()
    assert f"{estimate:.6f}" in done.out
    wrong = command("show", first, "nothing-like-it")
    assert (wrong.code, "USAGE-006" in wrong.err) == (2, True)


def test_check_names_the_base_period_and_estimates_nothing(tmp_path: Path) -> None:
    done = command("check", ROOT / "studies" / "eerste-studie")
    assert done.code == 0
    assert "cohort 2022: base period 2021" in done.out
    assert "19 of 20 areas" in done.out
    assert "Rotterdam-Zuid" in done.out
    assert "nothing was estimated" in done.out


def test_the_placebo_study_says_that_it_is_one(tmp_path: Path) -> None:
    done = command("run", ROOT / "studies" / "placebo-2016", "--out", tmp_path / "p")
    assert done.code == 0, done.err
    page = (tmp_path / "p" / "report.html").read_text(encoding="utf-8")
    assert "Dit is een placebostudie" in page
    assert "verkennend" in page
    row = pd.read_csv(tmp_path / "p" / "tidy.csv").query("role == 'primary'").iloc[0]
    assert abs(row["estimate"]) < 3 * row["std_error"]  # the generated country has no effect before 2022


def test_from_python_the_same_numbers(first: Path, tmp_path: Path) -> None:
    bundle = impact.run(impact.read_study(ROOT / "studies" / "eerste-studie"), out=tmp_path / "b")
    assert bundle.tidy()["estimate"].tolist() == impact.read_bundle(first).tidy()["estimate"].tolist()
    assert impact.read_bundle(bundle.path).outcomes == bundle.outcomes


@pytest.mark.parametrize(
    ("workers", "variables"),
    [
        ("2", {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "1"}),
        ("1", {"TZ": "America/Lima", "LC_ALL": "C", "PYTHONHASHSEED": "0"}),
    ],
)
def test_the_same_bytes_everywhere(project: Project, tmp_path: Path, workers: str, variables: dict[str, str]) -> None:
    """Workers, time zone, locale, hash seed and working folder leave no trace."""
    project.change(project.study, ("beside: [score-flip]", "beside: [score-flip, {name: placebo-space, draws: 64}]"))
    plain = apart("run", project.study, "--out", tmp_path / "one", PYTHONHASHSEED="7", TZ="UTC")
    other = apart("run", project.study, "--out", tmp_path / "two", "--workers", workers, cwd=tmp_path, **variables)
    assert (plain.returncode, other.returncode) == (0, 0), plain.stderr + other.stderr
    one, two = tmp_path / "one", tmp_path / "two"
    names = sorted(file.relative_to(one).as_posix() for file in one.rglob("*") if file.is_file())
    assert names == sorted(file.relative_to(two).as_posix() for file in two.rglob("*") if file.is_file())
    assert [name for name in names if (one / name).read_bytes() != (two / name).read_bytes()] == []


def test_a_run_opens_no_socket(project: Project, tmp_path: Path) -> None:
    guard = (
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname'):\n"
        "        sys.stderr.write('OPENED ' + event + '\\n')\n"
        "        raise SystemExit(99)\n"
        "sys.addaudithook(hook)\n"
        "from impact.cli import main\n"
        "main()\n"
    )
    done = apart("run", project.study, "--out", tmp_path / "out", code=guard)
    assert (done.returncode, "OPENED" in done.stderr) == (0, False), done.stderr
