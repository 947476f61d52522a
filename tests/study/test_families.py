"""A study whose outcomes are judged together: from its keys to its results, tables and report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from scipy import stats

from impact.register.indicators import indicators
from impact.study.bundle import read_bundle
from tests.shared import ROOT
from tests.study.conftest import FIRST, Ended, impact
from tests.study.example import refused

NAMES = ("voortijdig-schoolverlaten", "zelfde", "andersom", "ruis")
FAMILIES = {"school": [*NAMES[:3]], "rest": ["ruis", "herstructurering"]}


def outcome(slug: str, **more: Any) -> dict[str, Any]:
    known = {"voortijdig-schoolverlaten": {"better": "lower"}, "herstructurering": {"better": "neither"}}
    named = {} if slug in known else {"name": {"nl": slug}, "better": "neither"}
    measure = {"measure": {"unit": "procentpunt"}}
    return {"indicator": slug, "where": {"soort": [slug]}, **measure, **known.get(slug, {}), **named, **more}


def write(root: Path, **changes: Any) -> Path:
    """The first study with five outcomes: its own, a copy with a little noise, its mirror, noise, and no outcome."""
    data = root / "data_synthetic"
    data.mkdir(parents=True)
    frame = pd.read_csv(ROOT / "data_synthetic" / f"{FIRST}.csv", sep=";", dtype=str)
    share = 100 * pd.to_numeric(frame["vsv"], errors="coerce") / pd.to_numeric(frame["deelnemers"], errors="coerce")
    rng = np.random.default_rng(7)
    made = {
        "voortijdig-schoolverlaten": share,
        "zelfde": share + 0.05 * rng.standard_normal(len(share)),
        "andersom": -2 * share,
        "ruis": pd.Series(rng.standard_normal(len(share))).where(share.notna()),
        "herstructurering": pd.Series(rng.standard_normal(len(share))).where(share.notna()),
    }
    parts = [frame[["region", "period"]].assign(soort=slug, cijfer=values) for slug, values in made.items()]
    pd.concat(parts).to_csv(data / "vijf.csv", sep=";", index=False)
    units = ROOT / "data_synthetic" / f"{FIRST}-wijken.csv"
    (data / units.name).write_bytes(units.read_bytes())
    yaml = YAML(typ="safe", pure=True)
    tree = yaml.load((ROOT / "studies" / FIRST / "study.yaml").read_text(encoding="utf-8"))
    tree["data"]["outcomes"] |= {"file": "data_synthetic/vijf.csv"}
    columns = tree["data"]["outcomes"]["columns"]
    for name in ("numerator", "denominator"):
        columns.pop(name)
    columns["value"] = "cijfer"
    del tree["outcome"]
    tree |= {"outcomes": [outcome(slug) for slug in made], "alternatives": [], "families": FAMILIES}
    tree |= {"correction": {"method": "romano-wolf", "level": 0.1}} | changes
    study = root / "studies" / FIRST / "study.yaml"
    study.parent.mkdir(parents=True)
    with study.open("w", encoding="utf-8") as stream:
        yaml.dump(tree, stream)
    return study


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ended]]:
    root = tmp_path_factory.mktemp("families")
    out = root / "out"
    yield out, impact("run", write(root), "--out", out)


@pytest.fixture(scope="module")
def parsed(ran: tuple[Path, Ended]) -> list[dict[str, Any]]:
    out, done = ran
    assert done.code == 1, done.err  # one outcome is not measurable
    outcomes: list[dict[str, Any]] = json.loads((out / "results.json").read_text(encoding="utf-8"))["outcomes"]
    return outcomes


def test_what_is_declared_is_not_changed(parsed: list[dict[str, Any]], tmp_path: Path) -> None:
    plain = write(tmp_path, outcomes=[outcome(slug) for slug in NAMES[:2]], families={}, correction=None)
    text = plain.read_text(encoding="utf-8").replace("families: {}\n", "").replace("correction: null\n", "")
    plain.write_text(text, encoding="utf-8")
    assert impact("run", plain, "--out", tmp_path / "out").code == 0
    without = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["outcomes"]
    for one, other in zip(parsed[:2], without, strict=True):
        for key in ("primary", "weightings", "event", "checks"):
            assert one[key] == other[key]
        assert other["families"] == [] and other["programme"] == []


def test_a_family_of_one_finding_three_times(parsed: list[dict[str, Any]]) -> None:
    """The mirror has the very same p-value and nearly so has the copy: hardly anything is taken from them."""
    (family,) = parsed[0]["families"]
    assert [member["indicator"] for member in family["members"]] == FAMILIES["school"]
    assert (family["draws"], family["level"]) == (9999, 0.1)
    for member, evidence in zip(family["members"], parsed[:3], strict=True):
        primary = evidence["primary"]
        assert (member["value"], member["p_value"]) == (primary["value"], primary["p_value"])
        assert member["p_value"] <= member["adjusted"] < 1.6 * member["p_value"] + 0.001
        assert member["low"] <= primary["value"] - stats.t.ppf(0.95, primary["df"]) * primary["std_error"] + 1e-9
        assert member["high"] - member["value"] == pytest.approx(member["value"] - member["low"])
    mirror = family["members"][2]
    assert mirror["adjusted"] == pytest.approx(family["members"][0]["adjusted"], abs=4 * family["mc_error"])
    for other in parsed[1:3]:
        assert other["families"] == [family]


def test_an_outcome_that_is_none_stands_in_its_family_without_a_number(parsed: list[dict[str, Any]]) -> None:
    (family,) = parsed[3]["families"]
    noise, none = family["members"]
    assert none["state"] == "not-measurable" and none["value"] is none["adjusted"] is none["p_value"] is None
    assert noise["adjusted"] == noise["p_value"]  # one member is left
    assert {member["indicator"] for member in family["horizons"]} == {"ruis"}


def test_horizons_are_all_periods_since_the_start(parsed: list[dict[str, Any]]) -> None:
    (family,) = parsed[0]["families"]
    events = [row["term"] for row in parsed[0]["event"] if int(row["term"]) >= 0]
    assert [member["term"] for member in family["horizons"]] == events * 3
    assert all(member["adjusted"] >= member["p_value"] for member in family["horizons"])


def test_all_fifteen_are_listed_with_what_became_of_them(parsed: list[dict[str, Any]]) -> None:
    rows = parsed[0]["programme"]
    assert [row["number"] for row in rows] == [*range(1, 16), None, None, None]
    assert [row["indicator"] for row in rows[:15]] == [known.slug for known in indicators()]
    by = {row["indicator"]: row for row in rows}
    assert by["voortijdig-schoolverlaten"]["state"] == "estimated"
    assert by["herstructurering"]["state"] == by["risicoscores"]["state"] == "not-measurable"
    assert by["risicoscores"]["why"] and by["herstructurering"]["why"]
    assert by["criminaliteit"]["state"] == "not-studied"


def test_rows_of_the_family_stand_in_the_table(ran: tuple[Path, Ended], parsed: list[dict[str, Any]]) -> None:
    table = pd.read_csv(ran[0] / "tidy.csv", keep_default_na=False, na_values=[""])
    rows = table[(table["role"] == "family") & (table["outcome"] == "zelfde")]
    member = parsed[0]["families"][0]["members"][1]
    (first,) = rows[rows["target"] == "average"].to_dict("records")
    assert first["name"] == "school" and first["p_adjusted"] == pytest.approx(member["adjusted"])
    assert (first["band_low"], first["band_high"]) == pytest.approx((member["low"], member["high"]))
    assert (rows["target"] == "event").sum() == len(parsed[0]["families"][0]["horizons"]) / 3
    assert table.loc[table["role"] != "family", "p_adjusted"].isna().all()
    assert len(read_bundle(ran[0]).outcomes[0].families[0].members) == 3


def test_the_report_shows_the_family_and_all_indicators(ran: tuple[Path, Ended]) -> None:
    page = (ran[0] / "report.html").read_text(encoding="utf-8")
    for words in (
        "Uitkomsten samen beoordeeld",
        "Familie ‘school’",
        "houdt de kans dat ook maar één bevinding in deze familie toeval is op hoogstens 10%",
        "9.999 trekkingen, dezelfde voor alle uitkomsten",
        "Alle indicatoren van het programma",
        *(known.nl for known in indicators()),
    ):
        assert words in page


def test_parts_of_one_sum_count_once(tmp_path: Path) -> None:
    parts = [outcome(NAMES[0], part_of="leefbaarometer"), outcome("zelfde", part_of="leefbaarometer"), outcome("ruis")]
    study = write(
        tmp_path,
        outcomes=parts,
        families={"alles": [NAMES[0], "zelfde", "ruis"]},
        correction={"method": "benjamini-hochberg", "level": 0.49},
    )
    assert impact("run", study, "--out", tmp_path / "out").code == 0
    (family,) = read_bundle(tmp_path / "out").outcomes[0].families
    assert (family.draws, family.mc_error) == (0, 0.0)
    assert family.found >= 2 and family.separate == family.found - 1
    assert all(member.low is None for member in family.members)
    assert "tellen samen als één bevinding" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_holm_has_the_intervals_of_bonferroni(tmp_path: Path) -> None:
    study = write(
        tmp_path,
        outcomes=[outcome(NAMES[0]), outcome("ruis")],
        families={"alles": [NAMES[0], "ruis"]},
        correction={"method": "holm"},
    )
    assert impact("run", study, "--out", tmp_path / "out").code == 0
    bundle = read_bundle(tmp_path / "out")
    (family,) = bundle.outcomes[0].families
    p = sorted(member.p_value or 0 for member in family.members)
    expected = np.minimum(np.maximum.accumulate(np.array(p) * [2, 1]), 1)
    assert sorted(member.adjusted or 0 for member in family.members) == pytest.approx(expected)
    for member, evidence in zip(family.members, bundle.outcomes, strict=True):
        assert evidence.primary.df is not None and member.std_error is not None and member.high is not None
        reach = stats.t.ppf(1 - 0.05 / 4, evidence.primary.df) * member.std_error
        assert member.high - (member.value or 0) == pytest.approx(reach)


FAMILY = "families: {school: [voortijdig-schoolverlaten]}\nseed: 7"
CORRECTION = "correction: {method: romano-wolf}\n"


@pytest.mark.parametrize(
    ("new", "code", "path", "words"),
    [
        (FAMILY, "SPEC-010", "families", "no `correction`"),
        (f"{CORRECTION}seed: 7", "SPEC-010", "correction", "no `families`"),
        (f"{CORRECTION}{FAMILY.replace('[voor', '[vor')}", "SPEC-008", "families.school[0]", "no outcome of this"),
        (
            f"{CORRECTION}families: {{a: [voortijdig-schoolverlaten], b: [voortijdig-schoolverlaten]}}\nseed: 7",
            "SPEC-010",
            "families.b[0]",
            "in a already",
        ),
        (f"{CORRECTION.replace('romano-wolf', 'bonferroni')}{FAMILY}", "SPEC-007", "correction.method", "romano-wolf"),
    ],
)
def test_what_cannot_be_judged_together(new: str, code: str, path: str, words: str, tmp_path: Path) -> None:
    problems = refused(tmp_path, ("seed: 7", new))
    assert [(problem.code, problem.path) for problem in problems] == [(code, path)]
    assert words in f"{problems[0].message} {problems[0].hint}"


def test_joint_draws_need_an_estimator_with_scores(tmp_path: Path) -> None:
    estimator = ("estimator: {name: group-time, control: never}", "estimator: synthetic-did")
    (problem,) = refused(tmp_path, estimator, ("seed: 7", CORRECTION + FAMILY))
    assert problem.path == "correction.method" and "holm" in problem.hint


def test_a_part_without_a_family_says_nothing(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, ("  better: lower", "  better: lower\n  part_of: leefbaarometer"))
    assert problem.path == "outcome.part_of"
