"""Tables that name their regions: joined where gemeente and year make a name unique, refused row by row where not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.study.conftest import impact
from tests.study.small import Small, made, of_gemeente, wijk


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def called(code: str) -> str:
    """Every gemeente has a Centrum, Noord, Oost and Zuid."""
    return ("Centrum", "Noord", "Oost", "Zuid")[int(code[6:8]) - 1]


JOINED = (
    (
        "    columns: {region: wijk, period",
        "    vintage: 2024\n    join: name\n    columns: {gemeente: gm, region: wijk, period",
    ),
    ("  units:\n", "  names: {file: namen.csv}\n  units:\n"),
)


def named(small: Small, *more: tuple[str, int, str]) -> None:
    """The outcomes with names, and the list of names with some rows more."""
    codes = sorted(small.units["wijk"])
    rows = [(code, 2024, called(code)) for code in codes] + [*more]
    pd.DataFrame(rows, columns=["code", "vintage", "name"]).to_csv(small.root / "namen.csv", sep=";", index=False)
    gemeente = small.outcomes["wijk"].map(of_gemeente)
    small.outcomes = small.outcomes.assign(gm=gemeente, wijk=small.outcomes["wijk"].map(called))


def test_names_that_are_unique_in_their_gemeente_give_the_same_numbers(small: Small) -> None:
    plain = small.run()
    named(small, (wijk(0, 1), 2019, "Oude naam"))
    small.outcomes["wijk"] = "  " + small.outcomes["wijk"].str.upper() + " "
    found = small.run(*JOINED)
    assert found["primary"] == plain["primary"]
    assert [file["role"] for file in found["data"]] == ["outcomes", "units", "names"]


def test_every_row_that_could_be_two_regions_is_listed(small: Small) -> None:
    named(small, ("BU91000101", 2024, "Centrum"), ("BU91050301", 2024, "oost"))
    small.outcomes.loc[small.outcomes.index[40:50], "wijk"] = "Centrum-West"
    small.write(*JOINED)
    for command in ("check", "run"):
        ended = impact(command, small.study, *(("--out", small.out) if command == "run" else ()))
        assert ended.code == 2
        assert "DATA-146" in ended.err and "'Centrum' is the name of BU91000101 and WK910001 (2024)" in ended.err
        assert "'Oost' is the name of BU91050301 and WK910503 (2024)" in ended.err
        assert "DATA-145" in ended.err and "nothing in GM9101 is called 'Centrum-West'" in ended.err
    # Stated to be wijken, the first two are unique.
    level = JOINED[0][1].replace("    join", "    level: wijk\n    join")
    small.write((JOINED[0][0], level), JOINED[1])
    again = impact("check", small.study)
    assert "DATA-146" not in again.err and "DATA-145" in again.err


def test_a_name_without_a_gemeente_is_refused(small: Small) -> None:
    named(small)
    small.write((JOINED[0][0], JOINED[0][1].replace("gemeente: gm, ", "")), JOINED[1])
    ended = impact("check", small.study)
    assert ended.code == 2 and "DATA-148" in ended.err and "'Noord' may lie in any gemeente" in ended.err


def test_names_of_another_year_are_refused(small: Small) -> None:
    named(small)
    small.write((JOINED[0][0], JOINED[0][1].replace("2024", "2020")), JOINED[1])
    ended = impact("check", small.study)
    assert ended.code == 2 and "Names are known of 2024, and a name may have moved since" in ended.err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    vintage: 2024\n", "", "of which year the names of the outcomes are is not stated"),
        ("    join: name\n", "", "no table names its regions"),
    ],
)
def test_what_contradicts_itself(small: Small, old: str, new: str, words: str) -> None:
    named(small)
    small.write((JOINED[0][0], JOINED[0][1].replace(old, new)), JOINED[1])
    ended = impact("check", small.study)
    assert ended.code == 2 and words in ended.err.lower()
