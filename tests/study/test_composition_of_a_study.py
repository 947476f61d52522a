"""Who lives in the areas of a study: on made persons, with shares and the three parts taken from them one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.evidence.language import texts
from impact.evidence.report import report_html
from impact.study.bundle import read_bundle
from tests.study.conftest import impact
from tests.study.small import YEARS, Small, wijk
from tests.study.test_robust import said, written

SEED = "seed: 7\n"
SIX = [wijk(number, 1) for number in range(6)]
NEW = "new_build: {numerator: nieuw, denominator: woningen}"
PEOPLE = "people: {file: personen.csv, since: 2021}"


def asked(*keys: str) -> tuple[str, str]:
    return SEED, f"composition: {{{', '.join(keys)}}}\n{SEED}"


class Town:
    """Persons: where they live, in which years, and whether they have what is counted."""

    def __init__(self, seed: int = 3, each: int = 120) -> None:
        rng = np.random.default_rng(seed)
        self.home = np.repeat([wijk(gemeente, number) for gemeente in range(12) for number in range(1, 5)], each)
        count, years = len(self.home), len(YEARS)
        come, go = rng.integers(-14, years, count), rng.integers(1, years + 14, count)
        year = np.arange(years)
        self.there = (come[:, None] <= year) & (year < np.maximum(go, come + 1)[:, None])
        late = (come > 0)[:, None]
        self.has = rng.random((count, years)) < np.where(late, 0.5, 0.2)

    def mean(self, home: str, year: int, among: np.ndarray) -> float:
        rows = (self.home == home) & among
        return float(100 * self.has[rows, year - YEARS[0]].mean()) if rows.any() else float("nan")

    def at(self, year: int) -> np.ndarray:
        return self.there[:, year - YEARS[0]]

    def outcomes(self) -> pd.DataFrame:
        rows = []
        for home in dict.fromkeys(self.home):
            for year in YEARS:
                here = (self.home == home) & self.at(year)
                rows.append((home, year, int(self.has[here, year - YEARS[0]].sum()), int(here.sum())))
        return pd.DataFrame(rows, columns=["wijk", "jaar", "teller", "noemer"])

    def people(self, since: int = 2021) -> pd.DataFrame:
        rows = []
        for home in dict.fromkeys(self.home):
            for year in (year for year in YEARS if year != since):
                was, now = self.at(since), self.at(year)
                stay, come, go = was & now, now & ~was, was & ~now
                rows.append(
                    {
                        "region": home,
                        "period": year,
                        "stayers": int((stay & (self.home == home)).sum()),
                        "arrivers": int((come & (self.home == home)).sum()),
                        "leavers": int((go & (self.home == home)).sum()),
                        "stayers_before": self.mean(home, since, stay),
                        "stayers_after": self.mean(home, year, stay),
                        "arrivers_after": self.mean(home, year, come),
                        "leavers_before": self.mean(home, since, go),
                    }
                )
        return pd.DataFrame(rows)

    def parts(self, home: str, year: int) -> tuple[float, float, float]:
        """What stayers, arrivers and leavers have in the change since 2021: each as means with and without them."""
        stay = self.at(2021) & self.at(year)
        was, now = self.mean(home, 2021, stay), self.mean(home, year, stay)
        came = self.mean(home, year, self.at(year)) - now
        left = -(self.mean(home, 2021, self.at(2021)) - was)
        return now - was, came, left


@pytest.fixture(scope="module")
def town() -> Town:
    return Town()


def built(root: Path, town: Town) -> Small:
    small = written(root)
    small.outcomes = town.outcomes()
    rng = np.random.default_rng(5)
    small.outcomes["woningen"] = rng.integers(400, 900, len(small.outcomes))
    small.outcomes["nieuw"] = rng.integers(0, 90, len(small.outcomes))
    town.people().to_csv(small.root / "personen.csv", index=False)
    return small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, town: Town) -> Small:
    return built(tmp_path_factory.mktemp("people"), town)


@pytest.fixture(scope="module")
def ran(small: Small) -> dict[str, Any]:
    return small.run(asked(NEW, PEOPLE))


def effect(table: pd.DataFrame) -> float:
    """The estimate by hand: changes since 2021 of six wijken, less those of the wijken beside no area."""
    change = table[[2022, 2023, 2024]].mean(axis=1) - table[2021]
    return float(change[SIX].mean() - change.drop(index=SIX).mean())


def test_new_build_before_and_after_is_that_of_the_same_wijken_and_years(small: Small, ran: dict[str, Any]) -> None:
    table = small.outcomes.assign(share=100 * small.outcomes["nieuw"] / small.outcomes["woningen"])
    share = table.pivot_table(index="wijk", columns="jaar", values="share")
    row = next(row for row in ran["robust"]["composition"]["shares"] if row["what"] == "new-build")
    after = share[[2022, 2023, 2024]].mean(axis=1)
    assert row["focus_before"] == pytest.approx(share.loc[SIX, 2021].mean())
    assert row["focus_after"] == pytest.approx(after[SIX].mean())
    assert row["comparison_before"] == pytest.approx(share.drop(index=SIX)[2021].mean())
    assert row["comparison_after"] == pytest.approx(after.drop(index=SIX).mean())
    assert row["difference"] == pytest.approx(effect(share)) and row["refused"] is None


@pytest.mark.parametrize(
    "changes",
    [
        (
            ("match: none", "match: {method: nearest, ratio: 2, on: [huur, inwoners]}"),
            ("checks: {", "checks: {balance: 9, "),
        ),
        (("every: area", "every: resident"),),
    ],
)
def test_weights_are_those_of_the_estimate(small: Small, changes: tuple[tuple[str, str], ...]) -> None:
    """The share as the outcome of the same study has the difference as its estimate."""
    row = small.run(asked(NEW), *changes)["robust"]["composition"]["shares"][0]
    other = ("numerator: teller, denominator: noemer", "numerator: nieuw, denominator: woningen")
    assert small.run(other, *changes)["primary"]["value"] == pytest.approx(row["difference"], abs=1e-9)


def test_people_who_came_are_counted_where_no_column_names_them(town: Town, ran: dict[str, Any]) -> None:
    row = next(row for row in ran["robust"]["composition"]["shares"] if row["what"] == "movers")
    came = {
        home: np.mean(
            [100 * (town.at(year) & ~town.at(2021))[(town.home == home) & town.at(year)].mean() for year in YEARS[-3:]]
        )
        for home in dict.fromkeys(town.home)
    }
    others = [came[home] for home in came if home not in SIX]
    assert row["since"] == "2021" and row["focus_before"] is None
    assert row["focus_after"] == pytest.approx(np.mean([came[home] for home in SIX]))
    assert row["difference"] == pytest.approx(row["focus_after"] - np.mean(others))


def test_the_three_parts_are_those_of_the_persons_and_add_up(town: Town, ran: dict[str, Any]) -> None:
    found = ran["robust"]["composition"]["people"]
    assert found["refused"] is None
    total = 0.0
    for place, name in enumerate(("stayers", "arrivers", "leavers")):
        rows = {home: {year: town.parts(home, year)[place] for year in YEARS[-3:]} for home in dict.fromkeys(town.home)}
        table = pd.DataFrame(rows).T.assign(**{"2021": 0.0}).rename(columns={"2021": 2021})
        assert found[name]["value"] == pytest.approx(effect(table), abs=1e-9), name
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
        total += found[name]["value"]
    assert total == pytest.approx(ran["primary"]["value"], abs=1e-9)
    assert found["rest"] == pytest.approx(0, abs=1e-9)


def test_the_estimate_stays_what_it_is(small: Small, ran: dict[str, Any]) -> None:
    without = small.run()
    assert without["primary"] == ran["primary"] and without["robust"]["composition"] is None
    assert {**ran["robust"], "composition": None} == without["robust"]
    small.run(asked(NEW, PEOPLE))


def check(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (check for check in found["checks"] if check["name"] == name)
    assert not one["gates"] and one["stage"] == "post"
    return dict(one)


def test_the_checks_hold_the_difference_against_the_limit(small: Small, ran: dict[str, Any]) -> None:
    rows = {row["what"]: row for row in ran["robust"]["composition"]["shares"]}
    for what in ("new-build", "movers"):
        one = check(ran, f"composition-{what}")
        apart = abs(rows[what]["difference"]) / 100
        assert one["statistic"] == pytest.approx(apart) and one["threshold"] == 0.05
        assert one["verdict"] == ("pass" if apart <= 0.05 else "fail")
    strict = small.run(asked(NEW, PEOPLE, "at_most: 0.0001"))
    assert check(strict, "composition-new-build")["verdict"] == "fail" and strict["primary"] == ran["primary"]


def test_without_persons_the_front_page_says_so(small: Small) -> None:
    found = small.run(asked(NEW))
    one = check(found, "composition-movers")
    assert one["verdict"] == "not_evaluated" and one["because"] == "geen persoonsgegevens" and one["statistic"] is None
    text = report_html(read_bundle(small.out).outcomes[0], {})
    assert "Niet uitgevoerd: verhuizingen (geen persoonsgegevens)." in " ".join(text.split())


@pytest.mark.parametrize(
    ("language", "words"),
    [("nl", "wie er in 2021 al woonden en bleven"), ("en", "those who lived there in 2021 and stayed")],
)
def test_the_report_says_it(small: Small, language: str, words: str) -> None:
    small.run(asked(NEW, PEOPLE))
    text = said(read_bundle(small.out).outcomes[0], language)
    assert words in text and "{" not in text and texts(language)("robust.composition.people.leavers") in text


@pytest.mark.parametrize(
    ("estimator", "there"),
    [
        ("did", True),
        ("imputation", True),
        ("{name: group-time, control: never, covariates: [huur]}", True),
        ("synthetic-did", False),
    ],
)
def test_parts_add_up_or_are_refused(tmp_path: Path, town: Town, estimator: str, there: bool) -> None:
    small = built(tmp_path, town)
    found = small.run(("estimator: {name: group-time, control: never}", f"estimator: {estimator}"), asked(PEOPLE))
    people = found["robust"]["composition"]["people"]
    if there:
        total = sum(people[name]["value"] for name in ("stayers", "arrivers", "leavers"))
        assert total == pytest.approx(found["primary"]["value"], abs=1e-8)
    else:
        assert people["refused"] is not None and people["stayers"] is None
        assert "tellen de delen niet" in said(read_bundle(small.out).outcomes[0], "nl")


def refused(small: Small, people: pd.DataFrame, *changes: tuple[str, str]) -> str:
    people.to_csv(small.root / "personen.csv", index=False)
    found = small.run(*(changes or (asked(PEOPLE),)))["robust"]["composition"]["people"]
    assert found["stayers"] is None and found["rest"] is None
    text = said(read_bundle(small.out).outcomes[0], "nl")
    assert "niet gesplitst naar wie bleef" in text and "Foreign" not in text
    return str(found["refused"]["because"])


def test_people_of_another_outcome_or_scale_are_refused(tmp_path: Path, town: Town) -> None:
    small, people = built(tmp_path, town), town.people()
    means = [name for name in people if "_" in name]
    assert "other changes than the outcome" in refused(small, people.assign(**{m: people[m] / 100 for m in means}))
    assert "WK910801 in 2023" in refused(
        small, people[~((people["region"] == "WK910801") & (people["period"] == 2023))]
    )
    empty = people.copy()
    empty.loc[7, ["arrivers", "stayers"]] = [empty.loc[7, "arrivers"] + empty.loc[7, "stayers"], 0]
    assert "nobody stayed" in refused(small, empty)


def test_rounded_means_leave_a_rest_that_is_said(tmp_path: Path, town: Town) -> None:
    small, people = built(tmp_path, town), town.people()
    means = [name for name in people if "_" in name]
    people.round(dict.fromkeys(means, 1)).to_csv(small.root / "personen.csv", index=False)
    run = small.run(asked(PEOPLE))
    found = run["robust"]["composition"]["people"]
    total = sum(found[name]["value"] for name in ("stayers", "arrivers", "leavers"))
    assert found["rest"] == pytest.approx(run["primary"]["value"] - total, abs=1e-12) and 0 < abs(found["rest"]) < 0.1


def test_a_share_that_is_not_known_everywhere_is_not_evaluated(tmp_path: Path, town: Town) -> None:
    small = built(tmp_path, town)
    gap = (small.outcomes["wijk"] == SIX[0]) & (small.outcomes["jaar"] == 2023)
    small.outcomes["deel"] = (100 * small.outcomes["nieuw"] / small.outcomes["woningen"]).where(~gap)
    found = small.run(asked("movers: {percentage: deel}"))
    (row,) = found["robust"]["composition"]["shares"]
    assert row["difference"] is None and SIX[0] in row["refused"]["because"] and "2023" in row["refused"]["because"]
    assert check(found, "composition-movers")["because"] == "niet overal cijfers"
    assert check(found, "composition-new-build")["because"] == "geen gegevens over nieuwbouw"
    # A gap where the estimate does not rest does no harm.
    early = (small.outcomes["wijk"] == SIX[0]) & (small.outcomes["jaar"] == 2017)
    small.outcomes["deel"] = (100 * small.outcomes["nieuw"] / small.outcomes["woningen"]).where(~early)
    (row,) = small.run(asked("movers: {percentage: deel}"))["robust"]["composition"]["shares"]
    assert row["difference"] is not None


def test_nothing_of_it_is_made_where_a_gate_is_closed(small: Small) -> None:
    closed = ("checks: {treated-clusters: 2,", "checks: {treated-clusters: 9,")
    found = small.run(closed, asked(NEW, PEOPLE))
    assert found["robust"] is None and check(found, "composition-new-build")["because"] == "geen schatting"
    assert check(found, "composition-new-build")["statistic"] is None


def test_a_design_does_not_open_the_people(tmp_path: Path, town: Town) -> None:
    small = built(tmp_path, town)
    (small.root / "personen.csv").unlink()
    small.write(asked(NEW, PEOPLE))
    assert impact("check", small.study).code == 0
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code == 2 and "personen.csv" in ended.err


@pytest.mark.parametrize(
    ("profile", "hidden"),
    [("{minimum_units: 3}", False), ("{minimum_units: 7}", True), ("{minimum_count: 100000}", True)],
)
def test_what_leaves_follows_the_rules(tmp_path: Path, town: Town, profile: str, hidden: bool) -> None:
    small = built(tmp_path, town)
    found = small.run((SEED, f"composition: {{{NEW}, {PEOPLE}}}\ndisclose: {profile}\n{SEED}"))
    inside = None if found["robust"] is None else found["robust"]["composition"]
    if not hidden:
        assert inside["people"]["stayers"] is not None and inside["people"]["fewest"] is None
        assert inside["shares"][0]["difference"] is not None
        return
    assert inside is None or (inside["people"]["stayers"] is None and inside["shares"][0]["difference"] is None)
    assert check(found, "composition-new-build")["statistic"] is None


def test_few_movers_are_not_shown_although_the_estimate_is(tmp_path: Path, town: Town) -> None:
    """Of the persons in the areas 10 left at least, and the estimate is about hundreds."""
    small = built(tmp_path, town)
    people = town.people()
    inside = people[people["region"].isin(SIX) & (people["period"] > 2021)]
    fewest = inside.groupby("period")[["stayers", "arrivers", "leavers"]].sum().to_numpy().min()
    rule = f"composition: {{{NEW}, {PEOPLE}}}\ndisclose: {{minimum_count: LEAST}}\n{SEED}"
    shown = small.run((SEED, rule.replace("LEAST", str(fewest))))
    assert shown["primary"]["value"] is not None and shown["robust"]["composition"]["people"]["stayers"] is not None
    found = small.run((SEED, rule.replace("LEAST", str(fewest + 1))))
    assert found["primary"]["value"] is not None
    kept = found["robust"]["composition"]
    assert kept["people"]["stayers"] is None and kept["people"]["fewest"] is None
    assert [row["difference"] for row in kept["shares"] if row["since"]] == [None]
    assert check(found, "composition-movers")["statistic"] is None
    assert "wordt niet getoond" in said(read_bundle(small.out).outcomes[0], "nl")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("at_most: 0.1", "Nothing is named"),
        ("movers: {numerator: nieuw}", "one column `percentage`, or two"),
        ("movers: {percentage: nieuw, denominator: woningen}", "one column `percentage`, or two"),
        ("people: {file: personen.csv, since: 2022}", "does not lie before every start"),
        ("people: {file: personen.csv, since: 1999}", "no period that counts"),
        ("people: {file: personen.csv, since: 2021, outcome: anders}", "'anders' is no outcome"),
    ],
)
def test_what_cannot_be(tmp_path: Path, town: Town, keys: str, words: str) -> None:
    small = built(tmp_path, town)
    small.write(asked(keys))
    ended = impact("check", small.study)
    assert ended.code == 2 and words in ended.err, ended.err


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("leavers", -1, "below 0"), ("stayers_after", np.nan, "no mean where there are people"), ("period", "x", "x")],
)
def test_rows_of_people_that_cannot_be(tmp_path: Path, town: Town, column: str, value: Any, words: str) -> None:
    small, people = built(tmp_path, town), town.people().astype(object)
    people.loc[3, column] = value
    people.to_csv(small.root / "personen.csv", index=False)
    small.write(asked(PEOPLE))
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code in (2, 3) and words in ended.err and "personen.csv" in ended.err, ended.err


def test_a_count_is_no_percentage(tmp_path: Path, town: Town) -> None:
    small = built(tmp_path, town)
    small.write(asked("new_build: {percentage: woningen}"))
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code in (2, 3) and "a percentage from 0 to 100" in ended.err, ended.err
