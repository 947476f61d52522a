"""The first study from the command line to its bundle, held against the truth that was put in and against pandas."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import pandas as pd
import pytest

from impact.study.bundle import read_bundle
from tests.shared import ROOT
from tests.study.conftest import FIRST, Ended, Project, impact, tree

DATA = ROOT / "data_synthetic"
AFTER, BASE = ["2022", "2023", "2024"], "2021"


@pytest.fixture(scope="module")
def results(first: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return parsed


@pytest.fixture(scope="module")
def table(first: Path) -> pd.DataFrame:
    return pd.read_csv(first / "tidy.csv", keep_default_na=False, na_values={"estimate": [""]})


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    """The outcome by wijk and year in percentage points, as pandas alone reads it."""
    long = pd.read_csv(DATA / f"{FIRST}.csv", sep=";", dtype=str)
    share = 100 * pd.to_numeric(long["vsv"], errors="coerce") / pd.to_numeric(long["deelnemers"], errors="coerce")
    return long.assign(share=share).pivot(index="region", columns="period", values="share")


@pytest.fixture(scope="module")
def wijken() -> pd.DataFrame:
    frame = pd.read_csv(DATA / f"{FIRST}-wijken.csv", sep=";", decimal=",", dtype={"first_treated": str})
    return frame.set_index("region").fillna({"area": "", "first_treated": ""})


@pytest.fixture(scope="module")
def estimated(wijken: pd.DataFrame) -> pd.DataFrame:
    """Wijken of the areas with a period before their start."""
    return wijken[wijken["first_treated"] == "2022"]


def change_of(wide: pd.DataFrame, wijken: pd.DataFrame) -> pd.Series:
    """Mean after the start minus the last year before it, per area: each wijk of an area counts the same."""
    moved = wide.loc[wijken.index, AFTER].mean(axis=1) - wide.loc[wijken.index, BASE]
    return moved.groupby(wijken["area"]).mean()


# --- against the truth ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def truth() -> pd.Series:
    """The effect that was put in, per area, over the years of the target."""
    frame = pd.read_csv(DATA / f"{FIRST}-truth.csv", sep=";", decimal=",", dtype={"period": str})
    frame = frame[frame["period"].isin(AFTER) & (frame["area"] != "rotterdam-zuid")]
    return frame.groupby("area")["effect"].mean()


def test_every_interval_covers_the_effect_that_was_put_in(
    table: pd.DataFrame, truth: pd.Series, estimated: pd.DataFrame
) -> None:
    people = estimated.groupby("area")["inwoners"].sum()
    wijken = estimated.groupby("area").size()
    weighted = {"area": truth.mean()}
    weighted |= {"resident": (truth * people).sum() / people.sum(), "unit": (truth * wijken).sum() / wijken.sum()}
    assert weighted["area"] == pytest.approx(-0.5), "the README of the data says so"
    asked = table[table["role"] != "event"]
    assert len(asked) == 1 + 2 + 5 + 2, "the declared estimate, two other weightings, five alternatives, the bracket"
    for row in asked.itertuples():
        true = weighted[row.weighting]
        assert float(row.ci_low) <= true <= float(row.ci_high), f"{row.role} {row.name}"
        assert abs(row.estimate - true) <= 3 * float(row.std_error)


def test_effects_by_year_cover_the_truth_and_no_effect_before(table: pd.DataFrame) -> None:
    events = table[table["role"] == "event"].set_index("term")
    assert list(events.index) == [str(year) for year in range(-8, 3)]
    built_up = {"0": -0.3, "1": -0.5, "2": -0.7}  # build_up of the settings; before the start nothing was put in
    within = [
        abs(row.estimate - built_up.get(term, 0.0)) <= 3 * float(row.std_error) for term, row in events.iterrows()
    ]
    assert all(within)


# --- against pandas ---------------------------------------------------------------------------------------------------


def test_all_wijken_is_a_difference_in_differences_by_hand(
    table: pd.DataFrame, wide: pd.DataFrame, wijken: pd.DataFrame, estimated: pd.DataFrame
) -> None:
    programme = wijken[wijken["area"] != ""]
    pool = wijken[(wijken["area"] == "") & ~wijken["gemeente"].isin(programme["gemeente"])]
    pool = pool[wide.loc[pool.index].notna().all(axis=1)]
    controls = (wide.loc[pool.index, AFTER].mean(axis=1) - wide.loc[pool.index, BASE]).mean()
    row = table[table["name"] == "alle-wijken"].iloc[0]
    assert row["estimate"] == pytest.approx(change_of(wide, estimated).mean() - controls, abs=1e-12)
    assert row["n"] == len(pool) + len(estimated)
    assert row["areas"] == 19
    assert row["clusters"] == wijken.loc[[*pool.index, *estimated.index], "gemeente"].nunique()


def test_the_estimate_follows_from_the_matched_wijken_it_names(
    results: dict[str, Any], wide: pd.DataFrame, estimated: pd.DataFrame
) -> None:
    mine = change_of(wide, estimated)
    inside = [area for area in results["areas"] if not area["left_out"]]
    assert {area["slug"]: sorted(area["units"]) for area in inside} == {
        str(slug): sorted(rows.index) for slug, rows in estimated.groupby("area")
    }
    differences = []
    for area in inside:
        weights = pd.Series(dict(area["matched"]))
        assert weights.sum() == pytest.approx(1)
        moved = wide.loc[weights.index, AFTER].mean(axis=1) - wide.loc[weights.index, BASE]
        differences.append(mine[area["slug"]] - (weights * moved).sum())
        assert area["base"] == BASE
    assert results["primary"]["value"] == pytest.approx(sum(differences) / 19, abs=1e-12)


def test_the_table_before_and_after_gives_the_estimate(
    results: dict[str, Any], wide: pd.DataFrame, estimated: pd.DataFrame
) -> None:
    change = results["change"]
    assert (change["before"], change["after"]) == (BASE, "2022–2024")
    focus = change["focus_after"] - change["focus_before"]
    comparison = change["comparison_after"] - change["comparison_before"]
    assert focus - comparison == pytest.approx(results["primary"]["value"], abs=1e-12)
    areas = estimated["area"]
    before = wide.loc[estimated.index, BASE].groupby(areas).mean().mean()
    after = wide.loc[estimated.index, AFTER].mean(axis=1).groupby(areas).mean().mean()
    assert (change["focus_before"], change["focus_after"]) == pytest.approx((before, after), abs=1e-12)


def test_rotterdam_zuid_is_set_aside_by_name_and_never_a_control(
    results: dict[str, Any], wijken: pd.DataFrame, first: Path
) -> None:
    aside = [area for area in results["areas"] if area["left_out"]]
    assert [area["name"] for area in aside] == ["Rotterdam-Zuid"]
    assert "2011" in aside[0]["left_out"]
    assert results["areas_total"] == 20
    used = {unit for area in results["areas"] for unit, _ in area["matched"]}
    assert not used & set(wijken.index[wijken["area"] != ""])
    assert not set(wijken.loc[list(used), "gemeente"]) & set(wijken.loc[wijken["area"] != "", "gemeente"])
    assert "Rotterdam-Zuid" in (first / "report.html").read_text(encoding="utf-8")


def test_wijken_without_a_number_are_left_out_by_name(results: dict[str, Any], wide: pd.DataFrame) -> None:
    gaps = set(wide.index[wide.isna().any(axis=1)])
    assert len(gaps) == 3, "three wijken, says the README of the data"
    named = {row["unit"] for row in results["excluded"]}
    used = {unit for area in results["areas"] for unit, _ in area["matched"]}
    assert gaps <= named
    assert not gaps & used


# --- the bundle -------------------------------------------------------------------------------------------------------


def test_the_bundle_is_whole(first: Path) -> None:
    assert sorted(tree(first)) == [
        "CITATION.cff",
        "aggregates.csv",
        "bundle.zip",
        "dictionary.csv",
        "dictionary.md",
        "environment.json",
        "figures/balance.svg",
        "figures/departures.svg",
        "figures/event-study.svg",
        "figures/flow.svg",
        "figures/gap.svg",
        "figures/specifications.svg",
        "manifest.json",
        "report.en.html",
        "report.html",
        "results.json",
        "ro-crate-metadata.json",
        "study.log.jsonl",
        "study.yaml",
        "tables.xlsx",
        "tidy.csv",
        "tidy.parquet",
    ]
    assert [path.name for path in first.parent.iterdir()] == [first.name], "nothing temporary is left behind"


def test_the_manifest_states_every_digest_version_and_seed(first: Path) -> None:
    manifest = json.loads((first / "manifest.json").read_text(encoding="utf-8"))
    files = tree(first)
    del files["manifest.json"], files["bundle.zip"]
    assert manifest["outputs"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert {entry["role"]: (entry["file"], entry["sha256"]) for entry in manifest["inputs"]} == {
        role: (f"data_synthetic/{name}", hashlib.sha256((DATA / name).read_bytes()).hexdigest())
        for role, name in (("outcomes", f"{FIRST}.csv"), ("units", f"{FIRST}-wijken.csv"))
    }
    assert manifest["seed"] == 20261123
    assert manifest["status"] == "exploratory"
    assert manifest["versions"]["python"] == python_version()
    assert {name: manifest["versions"][name] for name in ("numpy", "pandas")} == {
        name: version(name) for name in ("numpy", "pandas")
    }


def test_csv_and_parquet_hold_the_same_table(first: Path) -> None:
    parquet = pd.read_parquet(first / "tidy.parquet")
    text = parquet.to_csv(index=False, lineterminator="\n")
    assert text == (first / "tidy.csv").read_text(encoding="utf-8")
    assert text.count("\n") == 1 + 1 + 2 + 5 + 2 + 11


def test_unlocked_results_are_marked_exploratory_everywhere(
    first: Path, table: pd.DataFrame, results: dict[str, Any]
) -> None:
    assert table["standing"].eq("exploratory").all()
    assert results["status"] == "exploratory"
    report = (first / "report.html").read_text(encoding="utf-8")
    assert "verkennend (niet vooraf vastgelegd)" in report
    assert "19 van de 20 gebieden" in report
    unsized = table["method"].str.startswith("synthetic")
    assert (table["status"] == unsized.map({True: "unsized", False: "ok"})).all(), "no error rate is known for those"


def test_results_read_back_are_what_was_written(first: Path, table: pd.DataFrame) -> None:
    bundle = read_bundle(first)
    assert bundle.findings == 0
    assert bundle.tidy().to_csv(index=False, lineterminator="\n") == (first / "tidy.csv").read_text(encoding="utf-8")
    assert bundle.outcomes[0].primary.value == table["estimate"].iloc[0]


def test_the_report_rendered_again_is_the_same(first: Path, tmp_path: Path) -> None:
    again = tmp_path / "elders.html"
    assert impact("report", first, "--out", again).code == 0
    assert again.read_bytes() == (first / "report.html").read_bytes()


def test_show_prints_the_estimates_and_how_it_ended(first: Path) -> None:
    ended = impact("show", first, "primary")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 2, "a head and one estimate"
    assert "-0.320354" in ended.out
    assert "exploratory" in ended.err
    assert "alle-wijken" in impact("show", first).out
    unknown = impact("show", first, "primair")
    assert unknown.code == 2
    assert "primary" in unknown.err


def test_show_of_no_bundle_says_what_to_give(tmp_path: Path) -> None:
    ended = impact("show", tmp_path)
    assert ended.code == 2
    assert "BUNDLE-001" in ended.err
    (tmp_path / "results.json").write_text('{"outcomes": [{"study": 1}]}', encoding="utf-8")
    assert "BUNDLE-002" in impact("show", tmp_path).err
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    assert "BUNDLE-002" in impact("show", tmp_path).err


# --- other studies ----------------------------------------------------------------------------------------------------


def test_the_placebo_study_runs_and_says_that_it_is_one(shipped: Callable[[str], tuple[Path, Ended]]) -> None:
    out, ended = shipped("placebo-2016")
    assert ended.code == 0, ended.err
    table = read_bundle(out).tidy()
    asked = table[table["role"].isin(["primary", "alternative"])]
    assert len(asked) == 2
    assert (asked["ci_low"] < 0).all() and (asked["ci_high"] > 0).all(), "the start is invented: there is no effect"
    assert "placebostudie" in (out / "report.html").read_text(encoding="utf-8")


def test_a_placebo_is_not_announced_where_there_is_none(first: Path) -> None:
    assert "placebostudie" not in (first / "report.html").read_text(encoding="utf-8")


def test_a_gate_that_is_not_passed_seals_every_number(project: Project, results: dict[str, Any]) -> None:
    project.change(project.study, ("controls: 20", "controls: 500"))
    ended = project.run()
    assert ended.code == 1
    assert "1 check not met" in ended.err
    assert read_bundle(project.out).tidy().empty
    text = (project.out / "report.html").read_text(encoding="utf-8")
    assert "niet vast te stellen" in text
    parsed = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    assert (parsed["primary"]["value"], parsed["change"], parsed["alternatives"], parsed["event"]) == (
        None,
        None,
        [],
        [],
    )
    page = re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    assert f"{abs(results['primary']['value']):.2f}".replace(".", ",") not in page
    shown = impact("show", project.out)
    assert (shown.code, shown.out) == (0, "")
    assert "no estimate" in shown.err


def test_check_says_what_would_be_compared_and_estimates_nothing(project: Project, estimated: pd.DataFrame) -> None:
    ended = impact("check", project.study)
    assert ended.code == 0
    assert f"19 of 20 areas, {len(estimated)} units" in ended.out
    assert "cohort 2022: base period 2021" in ended.out
    assert "left out: Rotterdam-Zuid (already-treated 2011)" in ended.out
    assert "level by simulation: cluster-jackknife sized" in ended.out
    assert not project.out.exists()


def test_check_does_not_look_at_outcomes_after_the_start(project: Project) -> None:
    """Whatever the numbers after the start are, the words are the same."""
    before = impact("check", project.study).out
    lines = project.outcomes.read_text(encoding="utf-8").splitlines()
    moved = []
    for line in lines[1:]:
        region, period, count, people = line.split(";")
        later = period in AFTER and count.isdigit()
        moved.append(";".join([region, period, str((int(count) * 7) % 97) if later else count, people]))
    project.outcomes.write_text("\n".join([lines[0], *moved]) + "\n", encoding="utf-8")
    assert impact("check", project.study).out == before


def test_data_may_stand_in_a_folder_given_on_the_command_line(project: Project, tmp_path: Path) -> None:
    (project.root / "data_synthetic").rename(tmp_path / "data_synthetic")
    lost = project.run()
    assert lost.code == 2
    assert "SPEC-021" in lost.err
    assert impact("check", project.study, "--data", tmp_path).code == 0
