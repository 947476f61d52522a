"""Outcomes of another division in a study: converted before anything else, said in the report, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impact.errors import DataError
from impact.study.load import Loaded, load
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.study.conftest import Project
from tests.study.example import read, refused

ONE, TWO, OLD = "WK900101", "WK900102", "WK9001X1"
HEAD = "from;to;from_year;to_year;share;basis\n"
COUNTS = ("vsv", "deelnemers")
FILE = "data_synthetic/omzet.csv"


def table(project: Project) -> pd.DataFrame:
    """The outcomes: numbers, and the marks of the table as they stand."""
    text = pd.read_csv(project.outcomes, sep=";", dtype=str).astype({"period": int})
    for column in COUNTS:
        number = pd.to_numeric(text[column], errors="coerce")
        text[column] = text[column].astype(object).where(number.isna(), number)
    return text


def known(outcomes: pd.DataFrame, *regions: str) -> pd.DataFrame:
    """The rows of some regions, none of which has a mark."""
    return outcomes[outcomes["region"].isin(regions)].astype(dict.fromkeys(COUNTS, float))


def write(
    project: Project, outcomes: pd.DataFrame, rows: list[str], keys: str, vintage: str = "vintage: 2020, "
) -> None:
    """The outcomes, the crosswalk, and a study that uses it."""
    outcomes.to_csv(project.outcomes, sep=";", index=False)
    (project.root / FILE).write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    first = "    level: wijk\n    columns: {region: region, period: period, numerator"
    project.change(
        project.study,
        (first, first.replace("level: wijk", f"{vintage.removesuffix(', ')}\n    level: wijk") if vintage else first),
        ("  units:\n", f"  crosswalk: {{file: {FILE}, {keys}}}\n  units:\n"),
    )


def loaded(project: Project) -> Loaded:
    study = read_study(project.study)
    return load(study.model, locate(study, Roots.of(study.path, [])))


def series(found: Loaded, region: str) -> np.ndarray:
    return found.series[0].y[found.regions.index(region)]


def halves(outcomes: pd.DataFrame, years: range) -> pd.DataFrame:
    """The first wijk as two older ones in some years, of which the counts add up to it."""
    mine = (outcomes["region"] == ONE) & outcomes["period"].isin(years)
    rest = known(outcomes[mine], ONE)
    part = rest.assign(vsv=lambda x: x["vsv"] // 3, deelnemers=lambda x: x["deelnemers"] // 4)
    rest = rest.assign(**{column: rest[column] - part[column] for column in COUNTS})
    return pd.concat([outcomes[~mine], part.assign(region=OLD), rest.assign(region="WK9001X2")])


def test_a_study_of_merged_wijken_gives_the_numbers_of_the_new_ones(project: Project) -> None:
    before = project.run()
    plain = json.loads((project.out / "results.json").read_text(encoding="utf-8"))
    write(
        project,
        halves(table(project), range(2013, 2025)),
        [f"{OLD};{ONE};2020;2024;1;adres", f"WK9001X2;{ONE};2020;2024;1;adres"],
        "to: 2024",
    )
    after = project.run()
    assert (before.code, after.code) == (0, 0), after.err
    found = json.loads((project.out / "results.json").read_text(encoding="utf-8"))
    (one,), (two,) = (result.get("outcomes", [result]) for result in (plain, found))
    assert two["primary"] == one["primary"]
    assert [file["role"] for file in two["data"]] == ["outcomes", "units", "crosswalk"]
    said = " ".join(two["notes"])
    assert "omgerekend naar de indeling van 2024" in said and "aandelen van: adres" in said
    assert "In geen enkel focusgebied komt een cijfer uit een gebied dat bij het omrekenen is gesplitst" in said


def test_the_error_of_rounding_is_not_that_of_one_count_once_counts_are_converted(project: Project) -> None:
    counts = halves(table(project), range(2013, 2025))
    for column in COUNTS:
        number = pd.to_numeric(counts[column], errors="coerce")
        counts[column] = counts[column].where(number.isna(), 5 * (number / 5).round())
    write(
        project,
        counts,
        [f"{OLD};{ONE};2020;2024;1;adres", f"WK9001X2;{ONE};2020;2024;1;adres"],
        "to: 2024",
    )
    first = "    level: wijk\n    columns: {region"
    project.change(project.study, (first, first.replace("level: wijk", "level: wijk\n    rounded_to: 5")))
    assert loaded(project).series[0].rounding is None
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    result = json.loads((project.out / "results.json").read_text(encoding="utf-8"))
    said = [note for note in result.get("outcomes", [result])[0]["notes"] if "veelvoud van 5" in note]
    assert len(said) == 1 and "omgerekend naar een andere indeling" in said[0] and "niet berekend" in said[0]
    assert "zit al in het interval" not in said[0] and "standaardafwijking" not in said[0]


def test_only_years_of_another_division_are_converted_where_each_has_its_own(project: Project) -> None:
    plain = loaded(project)
    write(
        project,
        halves(table(project), range(2013, 2020)),
        [f"{old};{ONE};{year};2024;1;adres" for year in range(2013, 2020) for old in (OLD, "WK9001X2")]
        + [f"{ONE};{ONE};{year};2024;1;adres" for year in range(2020, 2024)],
        "to: 2024, from: each-year",
        vintage="",
    )
    found = loaded(project)
    assert found.regions == plain.regions
    np.testing.assert_allclose(found.series[0].y, plain.series[0].y, rtol=1e-12)


def test_a_wijk_that_was_cut_is_spread_and_its_rate_taken_anew(project: Project) -> None:
    counts = table(project)
    plain = loaded(project)
    both = known(counts, ONE, TWO).groupby("period")[list(COUNTS)].sum()
    second = known(counts, "WK900103").set_index("period")
    merged = pd.concat([counts[~counts["region"].isin([ONE, TWO])], both.reset_index().assign(region=OLD)])
    write(
        project,
        merged,
        [
            *(f"{OLD};{ONE};2020;2024;0.25;adres", f"{OLD};{TWO};2020;2024;0.65;adres"),
            *(f"{OLD};WK900103;2020;2024;0.1;adres", "WK900103;WK900103;2020;2024;1;adres"),
        ],
        "to: 2024",
    )
    found = loaded(project)
    rate = (100 * both["vsv"] / both["deelnemers"]).to_numpy()
    np.testing.assert_allclose(series(found, ONE), rate, rtol=1e-12)
    np.testing.assert_allclose(series(found, TWO), rate, rtol=1e-12)
    mixed = 100 * (second["vsv"] + 0.1 * both["vsv"]) / (second["deelnemers"] + 0.1 * both["deelnemers"])
    np.testing.assert_allclose(series(found, "WK900103"), mixed.to_numpy(), rtol=1e-12)
    np.testing.assert_array_equal(series(found, "WK900201"), series(plain, "WK900201"))
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    result = json.loads((project.out / "results.json").read_text(encoding="utf-8"))
    said = [note for note in result.get("outcomes", [result])[0]["notes"] if "ten hoogste" in note]
    area = pd.read_csv(project.units, sep=";", index_col="region", dtype=str)["area"]
    others = known(counts, *(set(area.index[area == area[ONE]]) - {ONE}))["deelnemers"].sum()
    came = 0.35 * both["deelnemers"].sum()  # WK900103 lies in the area too
    share = came / (came + others)
    assert len(said) == 1 and f"Leeuwarden-Oost komt in de omgerekende jaren ten hoogste {100 * share:.0f}%" in said[0]


def test_what_lies_in_a_region_that_the_table_does_not_have_is_unknown_and_said(project: Project) -> None:
    write(project, table(project), [f"WK999901;{ONE};2020;2024;0.5;a", "WK999901;WK999901;2020;2024;0.5;a"], "to: 2024")
    found = loaded(project)
    assert np.isnan(series(found, ONE)).all() and np.isfinite(series(found, TWO)).all()
    assert f"crosswalk-lacking||1|{ONE}" in found.notes


def test_a_suppressed_part_makes_its_sum_suppressed(project: Project) -> None:
    plain = loaded(project).series[0]
    outcomes = halves(table(project), range(2013, 2025)).astype({"vsv": object})
    outcomes.loc[(outcomes["region"] == OLD) & (outcomes["period"] == 2015), "vsv"] = "x"
    rows = [f"{OLD};{ONE};2020;2024;1;adres", f"WK9001X2;{ONE};2020;2024;1;adres"]
    write(project, outcomes, rows, "to: 2024")
    found = loaded(project).series[0]
    assert found.without == {**plain.without, "suppressed": plain.without["suppressed"] + 1}
    assert found.suppressed is not None and plain.suppressed is not None
    assert found.suppressed.sum() == plain.suppressed.sum() + 1
    assert found.suppressed[0].sum() == np.isnan(found.y[0]).sum() == 1


@pytest.mark.parametrize(
    ("rows", "keys", "code", "said"),
    [
        ([f"{ONE};{ONE};2019;2024;1;adres"], "to: 2024", "DATA-128", "no crosswalk leads there (2019-2024)"),
        ([f"{ONE};{ONE};2020;2024;1;adres"], "to: 2024, basis: inwoners", "DATA-127", "the shares are of adres"),
        (
            [f"{ONE};{ONE};2020;2024;1;{basis}" for basis in ("adres", "inwoners")],
            "to: 2024",
            "DATA-127",
            "the shares are of adres and inwoners",
        ),
        ([f"{ONE};{ONE};2020;2024;0.4;adres"], "to: 2024", "DATA-140", "do not sum to 1"),
    ],
)
def test_a_crosswalk_that_does_not_lead_there_is_refused(
    project: Project, rows: list[str], keys: str, code: str, said: str
) -> None:
    write(project, table(project), rows, keys)
    with pytest.raises(DataError) as caught:
        loaded(project)
    assert [problem.code for problem in caught.value.problems] == [code]
    assert said in caught.value.problems[0].message and caught.value.problems[0].file == FILE


STATED = ("    rows: {where", "    vintage: 2021\n    rows: {where")


def asking(keys: str) -> tuple[str, str]:
    return ("  units:\n", f"  crosswalk: {{file: o.csv, {keys}}}\n  units:\n")


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ((asking("to: 2024, value: count"),), "data.crosswalk", "is not stated"),
        ((STATED, asking("to: 2021, value: count")), "data.crosswalk.to", "in the division of 2021 already"),
        ((STATED, asking("to: 2024, from: each-year, value: count")), "data.crosswalk.from", "in one division"),
        ((STATED, asking("to: 2024")), "data.crosswalk", "without numerator and denominator"),
        (
            (STATED, asking("to: 2024, value: count"), ("value: aantal}", "value: aantal, n: mensen}")),
            "data.crosswalk",
            "a figure from a sample",
        ),
        (
            (STATED, asking("to: 2024, value: count"), ("file: wijken.csv\n", "file: wijken.csv\n    vintage: 2021\n")),
            "data.units.vintage",
            "brought to the division of 2024",
        ),
    ],
)  # fmt: skip
def test_what_no_crosswalk_can_give_is_refused(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], path: str, words: str
) -> None:
    problems = [problem for problem in refused(tmp_path, *changes) if words in problem.message.casefold()]
    assert [problem.path for problem in problems] == [path]
    assert all(problem.code == "SPEC-010" for problem in problems)


def test_a_count_can_be_converted_and_areas_are_those_of_the_new_division(tmp_path: Path) -> None:
    study = read(tmp_path, STATED, asking("to: 2024, value: count"))
    assert study.model.data.vintage == 2024
