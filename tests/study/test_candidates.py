"""Other measures, near misses and bands as a study writes them, run and checked from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impact.register import calendar
from impact.study import candidates, leave_out
from tests.study.conftest import Project, impact
from tests.study.example import read, refused
from tests.study.test_pools import RULES, SAME, named, pool_of, untreated, wijken, with_rules, written

MEASURE = "{rule: co-treated, event: preventie-met-gezag%s, why: w}"
RULE = "{rule: focus-area, why: programma}"


# --- who takes part in another measure --------------------------------------------------------------------------------


def test_the_register_knows_no_participants_and_says_what_to_give(tmp_path: Path) -> None:
    """The programme text names none: only that 16 focus areas lie in the gemeenten of Preventie met Gezag."""
    assert all(not event.participants for event in calendar.events())
    (problem,) = refused(tmp_path, (RULE, MEASURE % ""))
    assert problem.path == "comparison.leave_out[0]"
    assert "does not know which gemeenten take part in preventie-met-gezag" in problem.message
    assert all(word in problem.hint for word in ("regions: [GM", "column:", "pool:", "vintage"))


def test_what_the_whole_country_has_is_no_reason(tmp_path: Path) -> None:
    rule = "{rule: co-treated, event: nationaal-programma-onderwijs, regions: [GM0363], why: w}"
    (problem,) = refused(tmp_path, (RULE, rule))
    assert problem.path == "comparison.leave_out[0].event" and "the whole country" in problem.message


def test_participants_that_the_calendar_names_are_used(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    table = wijken(project)
    treated = set(table.loc[table["area"].notna(), "gemeente"])
    one, other = sorted(set(table["gemeente"]) - treated)[:2]
    known = tuple(
        replace(event, participants=(one, other)) if event.slug == "preventie-met-gezag" else event
        for event in calendar.events()
    )
    for module in (candidates, leave_out):
        monkeypatch.setattr(module, "events", lambda: known)
    with_rules(project, "rule: co-treated, event: preventie-met-gezag")
    taken = named(pool_of(project), "co-treated")
    assert set(taken) == set(table.index[table["gemeente"].isin([one, other])])
    assert set(taken.values()) == {"preventie-met-gezag 2022–2024"}


def test_participants_come_from_a_file_of_the_study(project: Project) -> None:
    """Gemeenten in the file of pools, each with where it is known from; one wijk by itself beside them."""
    table = wijken(project)
    free = table[table["area"].isna()]
    treated = set(table.loc[table["area"].notna(), "gemeente"])
    gemeente = next(code for code in free["gemeente"] if code not in treated)
    wijk = next(code for code in free.index if free.loc[code, "gemeente"] not in {gemeente, *treated})
    rows = [f"{code};2024;gezag;Kamerbrief" for code in (gemeente, wijk, "GM7777")]
    written(project.root / "data_synthetic" / "groepen.csv", *rows)
    project.change(project.study, ("comparison:\n", "comparison:\n  pools: data_synthetic/groepen.csv\n"))
    with_rules(project, "rule: co-treated, event: preventie-met-gezag, pool: gezag")
    pool = pool_of(project)
    assert set(named(pool, "co-treated")) == {*free.index[free["gemeente"] == gemeente], wijk}
    assert pool.unknown == ("GM7777",)
    project.change(project.study, ("pool: gezag", "pool: gezacht"))
    ended = impact("check", project.study)
    assert ended.code == 2 and "DATA-126" in ended.err and "gezag" in ended.err


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        (MEASURE % ", pool: a", "comparison.leave_out[0].pool", "there is none"),
        (MEASURE % ", pool: a, regions: [GM0363]", "comparison.leave_out[0]", "in one way"),
        ("{rule: same-gemeente, pool: a, why: w}", "comparison.leave_out[0].pool", "finds its regions by itself"),
    ],
)
def test_codes_are_named_in_one_way(rule: str, path: str, words: str, tmp_path: Path) -> None:
    found = refused(tmp_path, (RULE, rule))
    assert any(problem.path == path and words in problem.message for problem in found), found


def test_a_rule_may_name_its_pool(tmp_path: Path) -> None:
    study = read(tmp_path, (RULE, MEASURE % ", pool: a"), ("comparison:\n", "comparison:\n  pools: p.csv\n"))
    assert study.model.comparison.leave_out[0].pool == "a"


# --- near misses and bands, from the file to the report ---------------------------------------------------------------


def test_near_misses_in_bands_of_size_and_score(project: Project) -> None:
    """Nominated and not chosen, of a size and a score like those of the areas: counted by hand from the tables."""
    table, free = wijken(project), untreated(project)
    nominated = free.index[::2].tolist()
    rejected = free.index[1::4].tolist()
    rows = [f"{code};2024;voorgedragen;brief 1" for code in nominated]
    rows += [f"{code};2024;afgewezen;brief 2" for code in rejected]
    written(project.root / "data_synthetic" / "groepen.csv", *rows)
    project.change(
        project.study,
        ("comparison:\n", "comparison:\n  pools: data_synthetic/groepen.csv\n  pool: [voorgedragen, afgewezen]\n"),
        (
            RULES + SAME,
            f"{RULES}    - {{rule: band, column: inwoners, at_least: 2500, why: te klein}}\n"
            "    - {rule: band, column: uitkering_pct, quantiles: [0.3, 1], why: score}\n",
        ),
        ("match: {method: nearest, ratio: 5, on: [structure, size]}", "match: none"),
    )
    focus = set(table.index[table["area"].notna()])
    listed = [code for code in {*nominated, *rejected} if code not in focus]
    large = [code for code in listed if table.loc[code, "inwoners"] >= 2500]
    score = table["uitkering_pct"].quantile(0.3)
    fits = {code for code in large if table.loc[code, "uitkering_pct"] >= score}

    checked = impact("check", project.study)
    assert checked.code == 0, checked.err
    assert f"band: {len(listed) - len(large)} removed, {len(large)} left" in checked.out
    assert f"band: {len(large) - len(fits)} removed, {len(fits)} left" in checked.out

    ended = project.run()
    assert ended.code in (0, 1), ended.err
    outcome: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    outcomes = pd.read_csv(project.outcomes, sep=";").set_index(["region", "period"])
    outcomes = outcomes.apply(pd.to_numeric, errors="coerce")
    rate = (100 * outcomes["vsv"] / outcomes["deelnemers"]).unstack()
    gaps = set(rate.index[rate.isna().any(axis=1)])
    assert outcome["pool"] == outcome["compared"] == len(fits - gaps) > 20
    why = {row["unit"]: row["reason"] for row in outcome["excluded"]}
    assert all(why[code].startswith("te klein (inwoners ") for code in set(listed) - set(large))
    assert all(why[code].startswith("score (uitkering_pct ") for code in set(large) - fits)

    controls = rate.loc[sorted(fits - gaps)].mean()
    effects = []
    for area in outcome["areas"]:
        if area["units"] and not area["left_out"]:
            own = rate.loc[area["units"]].mean()
            base = int(area["first_treated"]) - 1
            effects.append(((own - own[base]) - (controls - controls[base])).loc[2022:2024].mean())
    assert outcome["primary"]["value"] == pytest.approx(sum(effects) / len(effects), abs=1e-9)
