"""Donor pools of a study: rules on its tables, named pools from a file, and each pool's result as an alternative."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impact.design.donors import Pool
from impact.errors import DataError, Problem
from impact.study.areas import focus_areas
from impact.study.load import load
from impact.study.panels import Comparison, compare
from impact.study.pools import Pools, read_pools
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.shared import ROOT, shared
from tests.study.conftest import Project, impact
from tests.study.example import read, refused

RULES = "    - {rule: focus-area, why: krijgt zelf het programma}\n"
SAME = "    - {rule: same-gemeente, why: beleid van dezelfde gemeente en verhuizing over de wijkgrens}\n"
HEAD = "region;vintage;pool;source\n"


def written(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def compared(project: Project) -> Comparison:
    study = read_study(project.study)
    loaded = load(study.model, locate(study, Roots.of(study.path, [])))
    return compare(study.model, loaded, loaded.series[0], focus_areas(study.model, loaded))


def pool_of(project: Project) -> Pool:
    return compared(project).pool


def wijken(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.units, sep=";", decimal=",", index_col="region", dtype={"area": str})


def untreated(project: Project) -> pd.DataFrame:
    """Wijken that are not treated in this study; some lie in an area that is not estimated."""
    ledger = pool_of(project).ledger()
    return wijken(project).loc[ledger.loc[ledger["role"] != "treated", "unit"]]


def named(pool: Pool, step: str) -> dict[str, str]:
    """Units that one step took, with the detail."""
    ledger = pool.ledger()
    return dict(ledger[ledger["step"] == step][["unit", "detail"]].itertuples(index=False, name=None))


# --- the file ---------------------------------------------------------------------------------------------------------


def problems(path: Path, vintage: int | None = 2024) -> list[Problem]:
    found: list[Problem] = []
    assert read_pools(path, path.name, vintage, found) is None
    return found


def test_a_file_of_pools_is_read(tmp_path: Path) -> None:
    file = written(
        tmp_path / "p.csv",
        "WK036301;2024;afgewezen;Kamerbrief",
        "WK036302;2024;afgewezen;Kamerbrief",
        "WK036301;2024;later;programma",
    )
    found: list[Problem] = []
    pools = read_pools(file, "p.csv", 2024, found)
    assert isinstance(pools, Pools) and found == []
    assert pools.named == {
        "afgewezen": {"WK036301": "Kamerbrief", "WK036302": "Kamerbrief"},
        "later": {"WK036301": "programma"},
    }
    assert (pools.file.role, pools.file.rows) == ("pools", 3)


def test_all_that_is_wrong_with_a_file_is_said_at_once_by_row(tmp_path: Path) -> None:
    file = written(
        tmp_path / "p.csv",
        "WK036301;2024;afgewezen;brief",
        "WK036302;2022;afgewezen;brief",
        "WK036303;2024;later;brief",
        "WK036301;2024;afgewezen;brief",
    )
    found = problems(file)
    assert {problem.code for problem in found} == {"DATA-125"} and len(found) == 2
    assert "division of 2024" in found[0].message and found[0].line == 3
    assert "stands once in a pool" in found[1].message and found[1].line == 5
    odd = problems(written(tmp_path / "q.csv", "Nergens;2024;a;b", "WK036301;2024;;b", "WK036302;ooit;a;b"))
    assert {problem.path for problem in odd} == {"region", "pool", "vintage"}


def test_without_a_stated_division_all_rows_are_of_one(tmp_path: Path) -> None:
    file = written(tmp_path / "p.csv", "WK036301;2024;a;b", "WK036302;2022;a;b")
    (problem,) = problems(file, None)
    assert "the first row is in the division of 2024" in problem.message and problem.line == 3


# --- pools in a study -------------------------------------------------------------------------------------------------


def with_pools(project: Project, rows: Sequence[str], chosen: str) -> None:
    written(project.root / "data_synthetic" / "groepen.csv", *rows)
    project.change(
        project.study,
        ("comparison:\n", f"comparison:\n  pools: data_synthetic/groepen.csv\n  pool: {chosen}\n"),
        ("match: {method: nearest, ratio: 5, on: [structure, size]}", "match: none"),
    )


def test_a_named_pool_comes_first_and_names_what_the_data_do_not_hold(project: Project) -> None:
    whole = wijken(project)
    outside = whole.index[whole["area"].isna()][::4].tolist()
    rows = [f"{wijk};2024;voorgedragen;brief" for wijk in outside] + ["WK999999;2024;voorgedragen;brief"]
    before = pool_of(project)
    with_pools(project, [*rows, f"{outside[0]};2024;later;brief"], "voorgedragen")
    pool = pool_of(project)
    assert set(pool.donors) == set(before.donors) & set(outside)
    assert pool.unknown == ("WK999999",) and pool.name == "voorgedragen"
    assert [step.code for step in pool.steps][:4] == ["all", "treated", "outside-pool", "focus-area"]
    assert set(named(pool, "outside-pool")) == set(untreated(project).index) - set(outside)
    assert set(named(pool, "outside-pool").values()) == {"voorgedragen"}


def test_a_pool_that_the_file_does_not_have_is_named(project: Project) -> None:
    with_pools(project, ["WK900102;2024;voorgedragen;brief"], "voorgedrage")
    with pytest.raises(DataError) as caught:
        pool_of(project)
    (problem,) = caught.value.problems
    assert (problem.code, problem.file) == ("DATA-126", "data_synthetic/groepen.csv")
    assert "voorgedrage" in problem.message and "Did you mean 'voorgedragen'?" in problem.hint


def test_a_pool_without_anybody_left_is_refused_with_the_flow(project: Project) -> None:
    own = wijken(project)["gemeente"]
    treated = set(own[wijken(project)["area"].notna()])
    wijk = next(wijk for wijk, where in own.items() if where in treated and pd.isna(wijken(project).loc[wijk, "area"]))
    with_pools(project, [f"{wijk};2024;a;b"], "a")
    with pytest.raises(DataError, match=r"DATA-130.*same-gemeente removed 1"):
        pool_of(project)


@pytest.mark.parametrize(
    ("new", "path", "words"),
    [
        ("pool: a, leave_out: [{rule: focus-area", "comparison.pool", "there is none"),
        ("pools: p.csv, pool: [a, a], leave_out: [{rule: focus-area", "comparison.pool[1]", "second time"),
        ("leave_out: [{rule: near", "comparison.leave_out[0]", "distance"),
        ("leave_out: [{rule: co-treated, regions: [GM0363]", "comparison.leave_out[0]", "event of the calendar"),
        (
            "leave_out: [{rule: co-treated, regions: [GM0363], event: regiodeal",
            "comparison.leave_out[0].event",
            "'regiodeal' is not",
        ),
        ("leave_out: [{rule: band, at_most: 3", "comparison.leave_out[0]", "needs a column"),
        ("leave_out: [{rule: band, column: inwoners", "comparison.leave_out[0]", "bounds of one kind"),
        (
            "leave_out: [{rule: band, column: inwoners, at_least: 9, at_most: 3",
            "comparison.leave_out[0].at_least",
            "above its end",
        ),
        (
            "leave_out: [{rule: band, column: inwoners, quantiles: [0.5, 0.5]",
            "comparison.leave_out[0].quantiles",
            "must end above it",
        ),
        ("leave_out: [{rule: listed, regions: [WK036301], km: 2", "comparison.leave_out[0].km", "belongs to near"),
        (
            "leave_out: [{rule: same-gemeente, why: w}, {rule: other-gemeente",
            "comparison.leave_out",
            "nothing is left",
        ),
        (
            "leave_out: [{rule: band, column: huur, at_least: 1, why: w}, {rule: band, column: huur, at_most: 2",
            "comparison.leave_out[1].rule",
            "second time",
        ),
    ],
)
def test_what_rules_and_pools_cannot_say(new: str, path: str, words: str, tmp_path: Path) -> None:
    old = "leave_out: [{rule: focus-area"
    mapping = (
        f"comparison:\n  {new.replace(', leave_out', chr(10) + '  leave_out').replace(', pool:', chr(10) + '  pool:')}"
    )
    found = refused(tmp_path, (f"comparison:\n  {old}", mapping))
    assert any(problem.path == path and words in problem.message for problem in found), found


def test_a_measure_that_had_not_begun_is_no_reason(tmp_path: Path) -> None:
    rule = "leave_out: [{rule: co-treated, regions: [GM0363], event: regiodeals"
    read(tmp_path, ("leave_out: [{rule: focus-area", rule))
    (problem,) = refused(
        tmp_path,
        ("leave_out: [{rule: focus-area", rule),
        ("first: 2013, last: 2024", "first: 2009, last: 2021"),
        ("first_treated: 2022", "first_treated: 2018"),
        ("window: [2022, 2024]", "window: [2018, 2021]"),
    )
    assert problem.path == "comparison.leave_out[0].event" and "in no period of 2009 to 2021" in problem.message


# --- rules on the data ------------------------------------------------------------------------------------------------


def with_rules(project: Project, *rules: str) -> None:
    lines = "".join(f"    - {{{rule}, why: w}}\n" for rule in rules)
    project.change(project.study, (RULES + SAME, lines))


def test_near_by_coordinates_of_the_units_table(project: Project) -> None:
    table, free = wijken(project), untreated(project)
    rng = np.random.default_rng(5)
    table["x"], table["y"] = rng.uniform(1e5, 1.4e5, (2, len(table)))
    gone = table.index[table["area"].isna()][3]
    table.loc[gone, "x"] = np.nan
    frame = pd.read_csv(project.units, sep=";", dtype=str)
    frame["x"], frame["y"] = ([f"{value:.1f}" for value in table[name]] for name in ("x", "y"))
    frame.loc[frame["region"] == gone, "x"] = ""
    frame.to_csv(project.units, sep=";", index=False)
    project.change(project.study, ("      residents: inwoners\n", "      residents: inwoners\n      place: [x, y]\n"))
    with_rules(project, "rule: near, km: 3.5")
    taken = named(pool_of(project), "near")
    treated = table[table["area"].notna()]
    expected = {
        wijk: np.hypot(treated["x"] - row.x, treated["y"] - row.y).min()
        for wijk, row in table.loc[free.index].iterrows()
    }
    assert set(taken) == {wijk for wijk, away in expected.items() if away <= 3500} | {gone}
    assert taken[gone] == "?" and 10 < len(taken) < len(expected)


def test_bands_of_size_and_of_a_quantile(project: Project) -> None:
    table, free = wijken(project), untreated(project)
    with_rules(
        project,
        "rule: band, column: inwoners, at_least: 3000, at_most: 9000",
        "rule: band, column: uitkering_pct, quantiles: [0.4, 1]",
    )
    pool = pool_of(project)
    fits = free["inwoners"].between(3000, 9000)
    poor = free["uitkering_pct"] >= table["uitkering_pct"].quantile(0.4)
    assert [step.removed for step in pool.steps if step.code == "band"] == [(~fits).sum(), (fits & ~poor).sum()]
    assert set(pool.donors) <= set(free.index[fits & poor])
    assert all(detail.startswith(("inwoners ", "uitkering_pct ")) for detail in named(pool, "band").values())


def test_co_treated_gemeenten_and_only_the_own_gemeente(project: Project) -> None:
    table = wijken(project)
    free = table[table["area"].isna()]
    treated = set(table.loc[table["area"].notna(), "gemeente"])
    other = next(code for code in free["gemeente"] if code not in treated)
    with_rules(project, f"rule: co-treated, event: regiodeals, regions: [{other}, GM7777]")
    pool = pool_of(project)
    assert set(named(pool, "co-treated")) == set(free.index[free["gemeente"] == other])
    assert set(named(pool, "co-treated").values()) == {"regiodeals 2022–2024"}
    assert pool.unknown == ("GM7777",)
    project.change(
        project.study, (f"rule: co-treated, event: regiodeals, regions: [{other}, GM7777]", "rule: other-gemeente")
    )
    project.change(project.study, ("match: {method: nearest, ratio: 5, on: [structure, size]}", "match: none"))
    assert set(named(pool_of(project), "other-gemeente")) == set(free.index[~free["gemeente"].isin(treated)])


def test_gaps_are_told_apart(project: Project) -> None:
    """Not published, missing before the start, and missing after it: each unit by the first that applies."""
    free = wijken(project).index[wijken(project)["area"].isna()]
    donors = [wijk for wijk in free if wijk in pool_of(project).donors][:4]
    lines = project.outcomes.read_text(encoding="utf-8").splitlines()
    holes = {(donors[0], "2015"): ".", (donors[1], "2016"): "", (donors[2], "2023"): "", (donors[3], "2017"): ""}
    holes |= {(donors[3], "2024"): "."}
    out = []
    for line in lines:
        region, period, _, below = (line.split(";") + [""] * 4)[:4]
        out.append(f"{region};{period};{holes[region, period]};{below}" if (region, period) in holes else line)
    project.outcomes.write_text("\n".join(out) + "\n", encoding="utf-8")
    project.change(
        project.study,
        (
            "    level: wijk\n    columns: {region: region, period",
            '    level: wijk\n    marks: {suppressed: ["."]}\n    columns: {region: region, period',
        ),
    )
    pool = pool_of(project)
    expected = {donors[0]: ("suppressed", "2015"), donors[1]: ("missing-before", "2016")}
    expected |= {donors[2]: ("no-outcome", "2023"), donors[3]: ("suppressed", "2024")}
    ledger = pool.ledger().set_index("unit").loc[donors]
    assert {unit: (row.step, row.detail) for unit, row in ledger.iterrows()} == expected


def test_values_after_the_start_change_no_pool(project: Project) -> None:
    with_rules(project, "rule: focus-area", "rule: band, column: inwoners, at_least: 2000")
    before = pool_of(project)
    frame = pd.read_csv(project.outcomes, sep=";", dtype=str, keep_default_na=False)
    late = (frame["period"] >= "2022") & frame["vsv"].str.isdigit()
    assert late.sum() > 100
    frame.loc[late, "vsv"] = [str((int(count) * 7 + 3) % 50) for count in frame.loc[late, "vsv"]]
    frame.to_csv(project.outcomes, sep=";", index=False)
    after = pool_of(project)
    pd.testing.assert_frame_equal(before.ledger(), after.ledger())


# --- real data --------------------------------------------------------------------------------------------------------


def test_every_pool_can_be_an_alternative_on_real_figures(tmp_path: Path) -> None:
    """Two pools of wijken in Haaglanden: the estimate against each is a difference of means by hand."""
    data = shared("data/thehague_crime/haaglanden_misdrijven_maand_buurt_2011_2017.parquet")
    rows = pd.read_parquet(data)
    rows = rows[(rows["maand"] <= 11) & (rows["delict"] == "104")].assign(wijk="WK" + rows["wijk"].str.zfill(6))
    counts = rows.pivot_table(index="wijk", columns="jaar", values="aantal", aggfunc="sum")
    own = counts[[2011, 2012, 2013, 2014]].mean(axis=1)
    able = [wijk for wijk in counts.index[own >= 10] if wijk[2:6] not in ("0518", "0503")]
    pools = {"afgewezen": able[::2], "later": able[1::2], "te-klein": able[:9]}
    text = (ROOT / "studies" / "criminaliteit-haaglanden" / "study.yaml").read_text(encoding="utf-8")
    start, end = text.index("alternatives:"), text.index("checks:")
    changes = "".join(
        f"  - {{name: {name}, why: w, same_estimand: true, change: {{comparison: {{match: none, pool: {name}}}}}}}\n"
        for name in pools
    )
    text = f"{text[:start]}alternatives:\n{changes}{text[end:]}"
    text = text.replace("comparison:\n", "comparison:\n  pools: groepen.csv\n", 1)
    text = "".join(line for line in text.splitlines(keepends=True) if "rule: adjacent" not in line)
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    listed = [f"{wijk};2018;{name};verzonnen" for name, members in pools.items() for wijk in [*members, "WK029901"]]
    written(tmp_path / "groepen.csv", *listed)
    out = tmp_path / "bundle"
    ended = impact("run", tmp_path, "--data", data.parent.parent, "--out", out)
    assert ended.code == 1, ended.err
    outcome = json.loads((out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    share = 100 * counts[[2015, 2016, 2017]].mean(axis=1) / own - 100
    areas = (["WK051833", "WK051834", "WK051836"], ["WK050324", "WK050325"])
    treated = sum(share[units].mean() for units in areas) / 2
    found = {one["name"]: one for one in outcome["alternatives"]}
    refused = found["te-klein"]["estimate"]
    assert refused["value"] is None and "'controls' has 9 where 10" in refused["refused"]["because"]
    for name, members in list(pools.items())[:2]:
        assert found[name]["estimate"]["value"] == pytest.approx(treated - share[members].mean(), abs=1e-9)
        assert "WK029901" in found[name]["why"], "a code of the pool that the data do not hold"
        flow = found[name]["flow"]
        assert flow[2]["reason"] == name and flow[-1]["left"] == len(members)
        assert flow[0]["left"] == 102 == len(members) + sum(step["removed"] for step in flow)
    assert {"role": "pools", "file": "groepen.csv"}.items() <= outcome["data"][-1].items()
    drawn = (out / "flow.svg").read_text(encoding="utf-8") if (out / "flow.svg").exists() else ""
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Stroomschema van boven naar beneden. Er zijn 102 eenheden" in drawn + page
    assert "Andere berekening ‘afgewezen’" in page and "Andere berekening ‘later’" in page
