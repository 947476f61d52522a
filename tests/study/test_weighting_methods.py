"""Weights and strata in a study: what `impact.match` gives for the same table, and what an estimate then is by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.matched import Matched
from impact.study.areas import focus_areas
from impact.study.load import load
from impact.study.panels import Comparison, compare
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.study.conftest import Ended, Project

MATCH = "{method: nearest, ratio: 5, on: [structure, size]}"
ON = ["huur_pct", "uitkering_pct", "adres_dichtheid", "inwoners"]


def ran(project: Project, match: str, *changes: tuple[str, str]) -> dict[str, Any]:
    project.change(project.study, (MATCH, match), *changes)
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    found: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


def comparison(project: Project) -> Comparison:
    study = read_study(project.study)
    loaded = load(study.model, locate(study, Roots.of(study.path, [])))
    return compare(study.model, loaded, loaded.series[0], focus_areas(study.model, loaded))


def table(project: Project, found: dict[str, Any]) -> pd.DataFrame:
    """Characteristics and figures of the units that the study has, with their area and its start."""
    units = pd.read_csv(project.units, sep=";", decimal=",", dtype={"region": str}, keep_default_na=False)
    units = units.set_index("region")
    inside = {unit: area for area in found["areas"] if not area["left_out"] for unit in area["units"]}
    gone = {row["unit"] for row in found["excluded"]}
    units = units[[name in inside or (name not in gone and not area) for name, area in units["area"].items()]].copy()
    units["treated"] = [float(name in inside) for name in units.index]
    units["of"] = [inside[name]["slug"] if name in inside else "" for name in units.index]
    units["start"] = [inside[name]["first_treated"] if name in inside else "" for name in units.index]
    units["counts"] = 1.0 / units.groupby("of")["of"].transform("size")
    rows = pd.read_csv(project.outcomes, sep=None, engine="python", dtype={"region": str})
    rows["y"] = 100 * pd.to_numeric(rows["vsv"], errors="coerce") / pd.to_numeric(rows["deelnemers"], errors="coerce")
    return units.join(rows.pivot(index="region", columns="period", values="y").rename(columns=str))


def later(project: Project) -> None:
    """Half of the areas start a year later."""
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    late = sorted(set(units["area"]) - {""})[::2]
    units.loc[units["area"].isin(late), "first_treated"] = "2023"
    units.to_csv(project.units, sep=";", index=False)


def by_start(units: pd.DataFrame, **options: Any) -> dict[str, pd.Series]:
    """The weights of the controls, for the areas of every start apart."""
    weights = {}
    for start in sorted(set(units["start"]) - {""}):
        part = units[units["start"].isin(["", start])]
        done = impact.match(part[[*ON, "treated", "counts"]].astype(float), treated="treated", on=ON, **options)
        assert isinstance(done, Matched), done
        given = done.weights[part["treated"] == 0]
        weights[start] = given / given.sum()
    return weights


def by_hand(units: pd.DataFrame, weights: dict[str, pd.Series], last: int = 2024) -> float:
    """Mean over areas and years of the change since the year before the start, less that of the weighted controls."""
    cells: dict[int, list[float]] = {}
    for _, members in units[units["treated"] == 1].groupby("of"):
        start = int(members["start"].iloc[0])
        pool = weights[str(start)]
        for year in range(max(start, 2022), last + 1):
            change = (units[str(year)] - units[str(start - 1)]).astype(float)
            cells.setdefault(start, []).append(change[members.index].mean() - pool @ change[pool.index])
    areas = units[units["treated"] == 1].groupby("of")["start"].first().astype(int)
    # Every area once, over its own years.
    each = {start: np.mean(found) for start, found in cells.items()}
    return float(np.mean([each[start] for start in areas]))


@pytest.mark.parametrize(
    ("match", "options"),
    [
        ("{method: entropy, on: [structure, size]}", {"method": "entropy", "counts": "counts"}),
        ("{method: stable, tolerance: 0.1, on: [structure, size]}", {"method": "stable", "tolerance": 0.1}),
        ("{method: inverse-probability, on: [structure, size]}", {"method": "inverse-probability"}),
    ],
    ids=["entropy", "stable", "inverse-probability"],
)
def test_the_estimate_is_that_of_the_weights_of_the_table(
    match: str, options: dict[str, Any], project: Project
) -> None:
    """Areas of two starts, and every start with weights of its own."""
    later(project)
    found = ran(project, match)
    units = table(project, found)
    weights = by_start(units, **{**options, "counts": "counts"})
    shared = {row["start"]: dict(row["units"]) for row in found["shared"]}
    assert [*shared] == [*weights] == ["2022", "2023"] and all(not area["matched"] for area in found["areas"])
    for start, theirs in weights.items():
        ours = pd.Series(shared[start]).reindex(theirs.index, fill_value=0.0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    assert found["primary"]["value"] == pytest.approx(by_hand(units, weights), rel=1e-8)
    assert any("niet gekozen maar gewogen" in note for note in found["notes"])


def test_entropy_balances_what_the_estimate_counts(project: Project) -> None:
    """Each area once, also where areas have several wijken; the check of balance sees the weights that are used."""
    found = ran(project, "{method: entropy, on: [structure, size]}")
    rows = [row for row in found["balance"] if row["matched_on"]]
    assert len(rows) == len(ON) and all(abs(row["smd_matched"]) < 1e-8 < abs(row["smd_pool"]) for row in rows)
    units = table(project, found)
    means = units[units["treated"] == 1].groupby("of")[ON].mean().mean()
    assert {row["name"]: row["focus"] for row in rows} == pytest.approx(means.to_dict())
    # Weights that stand for every area once say nothing of the residents.
    other = {row["name"]: row["estimate"] for row in found["weightings"]}
    assert other["resident"]["value"] is None and "every resident" in other["resident"]["refused"]["because"]


def test_the_jackknife_holds_the_weights(project: Project) -> None:
    """CV3 by hand: a gemeente leaves with its areas and controls, the others keep their ratios."""
    found = ran(project, "{method: entropy, on: [structure, size]}")
    units = table(project, found)
    weights = by_start(units, method="entropy", counts="counts")
    values = []
    for gemeente in sorted(set(units["gemeente"])):
        left = units[units["gemeente"] != gemeente]
        held = {start: pool[pool.index.isin(left.index)] for start, pool in weights.items()}
        values.append(by_hand(left, {start: pool / pool.sum() for start, pool in held.items()}))
    away = np.array(values) - found["primary"]["value"]
    count = len(values)
    assert found["primary"]["std_error"] == pytest.approx(np.sqrt((count - 1) / count * away @ away), rel=1e-6)


def test_a_placebo_weighs_anew(project: Project) -> None:
    beside = ("beside: [score-flip]", "beside: [{name: placebo-space, draws: 19, statistic: estimate}]")
    found = ran(project, "{method: entropy, on: [structure, size]}", beside)
    (second,) = found["primary"]["beside"]
    assert second["refused"] is None and second["draws"] == 19 and 0 < second["p_value"] <= 1


def test_every_end_of_the_bracket_is_weighed(project: Project) -> None:
    found = ran(project, "{method: entropy, on: [structure, size], moments: {inwoners: 2}}")
    ends = {row["name"]: row["estimate"]["value"] for row in found["bracket"]}
    assert ends["structure"] == found["primary"]["value"] != ends["unmatched"]


@pytest.mark.parametrize("method", ["exact", "coarsened-exact"])
def test_strata_are_those_of_the_table(method: str, project: Project) -> None:
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    rent = pd.to_numeric(units["huur_pct"].str.replace(",", "."))
    units["klasse"] = np.where(rent > rent.median(), "veel", "weinig")
    units.to_csv(project.units, sep=";", index=False)
    if method == "exact":
        match = "{method: exact, exact: klasse}"
    else:
        match = "{method: coarsened-exact, on: [huur_pct], cutpoints: {huur_pct: 3}, exact: klasse}"
    ran(project, match)
    panel = comparison(project).panel
    table = units.set_index("region").loc[list(panel.units)]
    table["huur"] = pd.to_numeric(table["huur_pct"].str.replace(",", "."))
    table["treated"] = panel.treated.astype(float)
    if method == "exact":
        done = impact.match(table[["klasse", "treated"]], treated="treated", on=["klasse"], method="exact")
    else:
        both = table[["klasse", "huur", "treated"]]
        done = impact.match(
            both, treated="treated", on=["huur", "klasse"], method="coarsened-exact", cutpoints={"huur": 3}
        )
    assert isinstance(done, Matched) and not done.unmatched
    pairs = done.pairs
    pairs["weight"] = 1 / pairs.groupby("treated")["control"].transform("size")
    pairs["area"] = pairs["treated"].map(dict(zip(panel.units, panel.area, strict=True)))
    wanted = np.zeros((len(panel.areas), len(panel.units)))
    place = {unit: number for number, unit in enumerate(panel.units)}
    np.add.at(wanted, (pairs["area"].to_numpy(), pairs["control"].map(place).to_numpy()), pairs["weight"].to_numpy())
    assert panel.pairs is not None
    np.testing.assert_allclose(panel.pairs, wanted / wanted.sum(axis=1, keepdims=True), rtol=1e-12)


def test_both_lie_in_gemeenten_of_one_size(project: Project) -> None:
    match = MATCH.replace("ratio: 5", "ratio: 2, same: gemeente-grootte")
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    units["n"] = pd.to_numeric(units["inwoners"])
    size = units.groupby("gemeente")["n"].sum()
    classes = pd.cut(size, [-1, 5e3, 1e4, 2e4, 5e4, 1e5, 1.5e5, 2.5e5, 1e9], right=False, labels=False)
    of = units.set_index("region")["gemeente"].map(classes)
    project.change(project.study, (MATCH, match))
    ended = project.run()
    if ended.code == 2:  # nobody in the class of one area: then it is named
        assert "DATA-131" in ended.err and "no comparison unit" in ended.err
        project.change(project.study, ("checks: {", "checks: {unmatched: {at_most: 1}, "))
        ended = project.run()
    assert ended.code in (0, 1), ended.err
    panel = comparison(project).panel
    assert panel.pairs is not None
    for area, row in enumerate(panel.pairs):
        mine = {of[panel.units[unit]] for unit in np.flatnonzero(panel.area == area)}
        assert {of[panel.units[unit]] for unit in np.flatnonzero(row)} <= mine


def test_overlap_says_whom_it_is_about(project: Project) -> None:
    """One start, as weights of several have no common scale; the treated count as the weights say."""
    found = ran(project, "{method: overlap, estimand: ATO, on: [structure, size]}", ("every: area", "every: unit"))
    units = table(project, found)
    done = impact.match(units[[*ON, "treated"]].astype(float), treated="treated", on=ON, method="overlap")
    assert isinstance(done, Matched)
    weight = done.weights
    after = units[["2022", "2023", "2024"]].astype(float).mean(axis=1) - units["2021"].astype(float)
    inside = units["treated"] == 1
    by_weights = np.average(after[inside], weights=weight[inside]) - np.average(after[~inside], weights=weight[~inside])
    assert found["primary"]["value"] == pytest.approx(by_weights, rel=1e-8)
    assert any("(ATO)" in note for note in found["notes"])
    later(project)
    several = project.run()
    assert several.code == 2 and "areas start at 2 times" in several.err


def ran_code(project: Project, match: str, *changes: tuple[str, str]) -> Ended:
    project.change(project.study, (MATCH, match), *changes)
    return project.run()


def test_weights_and_an_estimator_with_its_own_do_not_go_together(project: Project) -> None:
    other = ("{name: group-time, control: never, method: reg}", "synthetic-control")
    ended = ran_code(project, "{method: entropy, on: [structure, size]}", other)
    assert ended.code == 2 and "finds weights of its own" in ended.err
