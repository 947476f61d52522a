"""Covariates as terms: how they are spelled, what they come to, and what is refused with which units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import impact
from impact.covariates import MOST_LEVELS, levels
from impact.errors import DataError, Problem, UsageError
from impact.panel import Panel
from impact.sample import Sample
from impact.terms import Spelled, Term, parse_terms, read_terms
from tests.study.conftest import Ended
from tests.study.conftest import impact as command

COLUMNS = {"unit": "wijk", "time": "jaar", "outcome": "y", "first_treated": "start"}
YEARS = range(2018, 2023)


def table(units: int = 24, seed: int = 1) -> pd.DataFrame:
    """The first third treated from 2021 on; a fixed size, a class of text that looks like numbers, and a mood that
    changes."""
    rng = np.random.default_rng(seed)
    size, lift = rng.uniform(50, 500, units), rng.normal(size=units)
    rows = []
    for unit in range(units):
        for year in YEARS:
            trend = (year - 2018) * (0.004 * size[unit] + 0.3 * (unit % 3))
            y = lift[unit] + trend + rng.normal(scale=0.2)
            start = 2021 if unit < units // 3 else 0
            rows.append((f"w{unit:02d}", year, y, start, size[unit], ["9", "10", "2"][unit % 3], rng.normal()))
    return pd.DataFrame(rows, columns=["wijk", "jaar", "y", "start", "size", "klasse", "mood"])


def panel(frame: pd.DataFrame, covariates: Any) -> Panel:
    return Panel.from_frame(frame, **COLUMNS, covariates=covariates)


def refused(frame: pd.DataFrame, *covariates: Spelled) -> tuple[Problem, ...]:
    with pytest.raises((DataError, UsageError)) as caught:
        panel(frame, covariates)
    return caught.value.problems


def wide(frame: pd.DataFrame, name: str) -> Any:
    return frame.pivot(index="wijk", columns="jaar", values=name).to_numpy()


# --- spelling ---------------------------------------------------------------------------------------------------------


def test_every_spelling_has_its_name() -> None:
    spelled: list[Spelled] = [
        "size",
        {"log": "size"},
        {"square": "mood"},
        {"category": "klasse"},
        {"interaction": ["size", {"category": "klasse"}]},
        {"interaction": ({"log": "size"}, {"column": "mood"})},
    ]
    assert [term.name for term in read_terms(spelled)] == [
        "size",
        "log(size)",
        "square(mood)",
        "category(klasse)",
        "size:category(klasse)",
        "log(size):mood",
    ]
    assert read_terms(read_terms(spelled)) == read_terms(spelled)
    assert read_terms([{"column": "size"}]) == read_terms(["size"])


@pytest.mark.parametrize(
    ("spelled", "said", "hint"),
    [
        ({"logg": "size"}, "'logg'", "'log'"),
        ({"cube": "size"}, "'cube'", "{square: COLUMN}"),
        ({"log": "size", "square": "size"}, "no covariate", "{log: COLUMN}"),
        ({}, "no covariate", "{log: COLUMN}"),
        ({"log": ["size"]}, "log of ['size']", "{log: COLUMN}"),
        ({"category": ""}, "category of ''", ""),
        ("  ", "without a name", ""),
        (7, "7 is no covariate", ""),
        ({"interaction": "size"}, "interaction of 'size'", "[ONE, OTHER]"),
        ({"interaction": ["size"]}, "interaction of ['size']", "[ONE, OTHER]"),
        ({"interaction": ["size", "mood", "klasse"]}, "interaction of", "[ONE, OTHER]"),
        ({"interaction": ["size", "size"]}, "with itself", "{square: size}"),
        ({"interaction": ["size", {"interaction": ["size", "mood"]}]}, "interaction of an interaction", ""),
        ({"interaction": ["size", {"lg": "mood"}]}, "'lg'", "'log'"),
    ],
)
def test_what_is_no_term_is_said(spelled: Any, said: str, hint: str) -> None:
    (problem,) = refused(table(), spelled)
    assert problem.code == "TERM-001"
    assert said in problem.message and hint in problem.hint


def test_all_wrong_spellings_are_told_together() -> None:
    found = refused(table(), {"logg": "size"}, "size", {"sqare": "size"}, "size")
    assert [(p.code, p.hint) for p in found] == [
        ("TERM-001", "did you mean 'log'?"),
        ("TERM-001", "did you mean 'square'?"),
        ("TERM-002", "take one out"),
    ]


def test_one_term_in_two_spellings_stands_there_twice() -> None:
    one, other = {"interaction": ["size", {"log": "mood"}]}, {"interaction": [{"log": "mood"}, "size"]}
    (problem,) = refused(table(), one, other)
    assert problem.code == "TERM-002" and "log(mood):size" in problem.message


@pytest.mark.parametrize("given", ["size", {"log": "size"}])
def test_covariates_are_a_list(given: Any) -> None:
    with pytest.raises(UsageError, match=r"TERM-001.*are a list"):
        panel(table(), given)


def test_a_spelling_is_never_run() -> None:
    for spelled in ("np.log(size)", "size + mood", "__import__('os').getcwd()", "{size}", "I(size**2)"):
        (problem,) = refused(table(), spelled)
        assert problem.code == "PANEL-001" and repr(spelled) in problem.message


names = st.text("abcdefghij_", min_size=1, max_size=8)
simple = st.builds(Term, st.sampled_from(["column", "log", "square", "category"]), names)
several = simple | st.builds(lambda one, other: Term("interaction", parts=(one, other)), simple, simple).filter(
    lambda term: term.parts[0] != term.parts[1]
)


def written(term: Term) -> str:
    if term.parts:
        return "interaction:" + ",".join(map(written, term.parts))
    return term.column if term.kind == "column" else f"{term.kind}:{term.column}"


@given(st.lists(several, max_size=6, unique_by=lambda term: frozenset(term.factors)))
def test_a_command_line_reads_back_what_is_written(terms: list[Term]) -> None:
    assert read_terms(parse_terms(",".join(map(written, terms)))) == tuple(terms)
    assert read_terms(parse_terms(" , ".join(map(written, terms)))) == tuple(terms)


@given(st.text(max_size=40))
def test_any_command_line_is_read_or_refused(text: str) -> None:
    try:
        read_terms(parse_terms(text))
    except UsageError as error:
        assert {problem.code for problem in error.problems} <= {"TERM-001", "TERM-002"}


# --- what terms come to -----------------------------------------------------------------------------------------------


def test_columns_are_those_of_numpy() -> None:
    frame = table()
    one = panel(frame, ["size", "mood", {"log": "size"}, {"square": "mood"}, {"interaction": ["size", "mood"]}])
    size, mood = wide(frame, "size"), wide(frame, "mood")
    assert list(one.covariates) == ["size", "mood", "log(size)", "square(mood)", "size:mood"]
    np.testing.assert_array_equal(one.covariates["size"], size[:, :1])
    np.testing.assert_array_equal(one.covariates["log(size)"], np.log(size[:, :1]))
    np.testing.assert_array_equal(one.covariates["square(mood)"], mood**2)
    np.testing.assert_array_equal(one.covariates["size:mood"], size * mood)
    assert one.notes == ()


@given(
    st.lists(st.sampled_from(["stad", "dorp", "land", "zee"]), min_size=4, max_size=12).filter(
        lambda x: len(set(x)) > 1
    )
)
def test_a_category_is_its_dummies_without_the_first(labels: list[str]) -> None:
    frame = pd.DataFrame(
        [(f"u{n:02d}", year, 0.0, 2021 if n == 0 else 0, label) for n, label in enumerate(labels) for year in YEARS],
        columns=["wijk", "jaar", "y", "start", "soort"],
    )
    one = panel(frame, [{"category": "soort"}])
    wanted = pd.get_dummies(pd.Series(labels), prefix="soort", prefix_sep="=", drop_first=True, dtype=float)
    assert list(one.covariates) == list(wanted.columns)
    np.testing.assert_array_equal(np.hstack(list(one.covariates.values())), wanted.to_numpy())
    assert f"against {min(labels)}, the first level" in one.notes[0]


def test_levels_that_are_numbers_sort_as_numbers() -> None:
    codes, found = levels(["10", "9", "", "2", "10"])
    assert found == ("2", "9", "10")
    np.testing.assert_array_equal(codes, [2, 1, np.nan, 0, 2])
    assert levels(["10", "9", "b"])[1] == ("10", "9", "b")


KINDS = {
    "text": lambda column: column,
    "spaces": lambda column: " " + column + " ",
    "int": lambda column: column.astype(int),
    "float": lambda column: column.astype(float),
    "nullable": lambda column: column.astype("Int64"),
    "category": lambda column: column.astype("category"),
    "string": lambda column: column.astype("string"),
    "pyarrow": lambda column: column.convert_dtypes(dtype_backend="pyarrow"),
    "mixed": lambda column: pd.Series([int(x) if n % 2 else x for n, x in enumerate(column)], dtype=object),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_is_the_same_in_every_type(kind: str) -> None:
    frame = table()
    terms: list[Spelled] = [{"category": "klasse"}, {"interaction": ["mood", {"category": "klasse"}]}]
    expected, one = panel(frame, terms), panel(frame.assign(klasse=KINDS[kind](frame["klasse"])), terms)
    assert list(one.covariates) == ["klasse=9", "klasse=10", "mood:klasse=9", "mood:klasse=10"]
    for name, values in expected.covariates.items():
        np.testing.assert_array_equal(one.covariates[name], values)
    assert one.notes == expected.notes == ("klasse: 9, 10 against 2, the first level",)


def test_yes_and_no_are_a_category() -> None:
    frame = table()
    assert list(panel(frame.assign(groot=frame["size"] > 200), [{"category": "groot"}]).covariates) == ["groot=True"]


def test_a_class_that_changes_over_time_has_columns_by_period() -> None:
    frame = table()
    late = frame["jaar"] >= 2020
    one = panel(frame.assign(klasse=frame["klasse"].where(~late, "2")), [{"category": "klasse"}])
    was9 = wide(frame, "klasse") == "9"
    np.testing.assert_array_equal(one.covariates["klasse=9"], was9 * (np.array(YEARS) < 2020))


def test_two_categories_have_no_column_for_what_comes_together_nowhere() -> None:
    frame = table()
    frame["kant"] = np.where(frame["klasse"] == "9", "oost", "west")
    one = panel(frame, [{"interaction": [{"category": "klasse"}, {"category": "kant"}]}])
    assert list(one.covariates) == ["klasse=10:kant=west"]
    np.testing.assert_array_equal(one.covariates["klasse=10:kant=west"], wide(frame, "klasse")[:, :1] == "10")


def test_the_table_is_not_changed_and_the_order_of_rows_does_not_matter() -> None:
    frame, terms = table(), [{"log": "size"}, {"category": "klasse"}, "mood"]
    before = frame.copy(deep=True)
    one, other = panel(frame, terms), panel(frame.sample(frac=1, random_state=3), terms)
    pd.testing.assert_frame_equal(frame, before)
    for name, values in one.covariates.items():
        np.testing.assert_array_equal(other.covariates[name], values)
    with pytest.raises(ValueError, match="read-only"):
        one.covariates["log(size)"][0] = 0.0


def test_a_column_may_be_both_a_number_and_a_category_and_the_cluster() -> None:
    frame = table().assign(klasse=lambda f: f["klasse"].astype(int))
    one = Panel.from_frame(frame, **COLUMNS, cluster="klasse", covariates=["klasse", {"category": "klasse"}])
    assert list(one.covariates) == ["klasse", "klasse=9", "klasse=10"] and one.clusters == ("2", "9", "10")


def test_a_name_of_ours_that_the_table_has_already() -> None:
    frame = table().assign(**{"klasse=": 1.0, "klasse==": 2.0})
    assert list(panel(frame, [{"category": "klasse"}, "klasse=="]).covariates) == ["klasse=9", "klasse=10", "klasse=="]
    (problem,) = refused(table().assign(**{"log(size)": 1.0}), "log(size)", {"log": "size"})
    assert (problem.code, problem.path) == ("TERM-002", "log(size)")


def test_a_fixed_covariate_stays_fixed_where_a_row_is_missing() -> None:
    frame = table()
    short = frame.drop(index=[0, 7, 8])
    one = panel(short, ["size", {"log": "size"}, {"category": "klasse"}, "mood"])
    np.testing.assert_array_equal(one.covariates["size"], wide(frame, "size")[:, :1])
    assert one.covariates["log(size)"].shape == one.covariates["klasse=9"].shape == (24, 1)
    assert np.isnan(one.covariates["mood"]).sum() == 3


# --- estimates --------------------------------------------------------------------------------------------------------


def estimate(frame: pd.DataFrame, covariates: Any, method: str = "reg") -> tuple[float, float]:
    found = impact.estimate(panel(frame, covariates), "group-time", method=method, inference="scores")
    assert isinstance(found, impact.Result)
    row = found.tidy().iloc[0]
    return float(row["estimate"]), float(row["std_error"])


@pytest.mark.parametrize("method", ["reg", "dr", "ipw"])
def test_terms_are_columns_made_by_hand(method: str) -> None:
    frame = table(90)
    by_hand = frame.assign(
        l=np.log(frame["size"]), nine=1.0 * (frame["klasse"] == "9"), ten=1.0 * (frame["klasse"] == "10")
    )
    terms = estimate(frame, [{"log": "size"}, {"category": "klasse"}], method)
    assert terms == pytest.approx(estimate(by_hand, ["l", "nine", "ten"], method), rel=1e-8)
    assert abs(terms[0] - estimate(frame, [], method)[0]) > 1e-3, "the covariates matter here"


@given(st.permutations(["a", "b", "c"]))
def test_which_level_is_the_first_does_not_matter(new: list[str]) -> None:
    frame = table(60)
    renamed = frame.assign(klasse=frame["klasse"].map(dict(zip(["2", "9", "10"], new, strict=True))))
    expected = estimate(frame, ["size", {"category": "klasse"}])
    assert estimate(renamed, ["size", {"category": "klasse"}]) == pytest.approx(expected, rel=1e-8)


def test_the_unit_of_a_logarithm_does_not_matter() -> None:
    frame = table(60)
    expected = estimate(frame, [{"log": "size"}])
    assert estimate(frame.assign(size=frame["size"] * 1000), [{"log": "size"}]) == pytest.approx(expected, rel=1e-8)


def test_a_summary_names_the_first_level() -> None:
    found = impact.estimate(panel(table(60), [{"category": "klasse"}]), "group-time", method="reg", inference="scores")
    assert isinstance(found, impact.Result)
    assert "klasse: 9, 10 against 2, the first level" in found.summary()


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_a_logarithm_of_nothing_names_its_units() -> None:
    frame = table()
    frame.loc[frame["wijk"].isin(["w03", "w20"]), "size"] = 0.0
    frame.loc[(frame["wijk"] == "w05") & (frame["jaar"] == 2019), "mood"] = -1.0
    frame["mood"] = frame["mood"].abs().where(frame["mood"] != -1.0, -1.0)
    first, second = refused(frame, {"log": "size"}, {"interaction": [{"log": "mood"}, "size"]})
    assert (first.code, first.path, second.code, second.path) == ("TERM-004", "size", "TERM-004", "mood")
    assert "w03, w20" in first.message and "w05 in 2019" in second.message
    assert "1 is never added" in first.hint


def test_every_gap_names_its_units_and_nothing_is_filled_in() -> None:
    frame = table()
    frame.loc[frame["wijk"] == "w04", "size"] = np.nan
    frame.loc[(frame["wijk"] == "w06") & (frame["jaar"] > 2020), "mood"] = np.nan
    frame.loc[frame["wijk"].isin(["w01", "w02"]), "klasse"] = [None, "", " ", None, ""] * 2
    found = {problem.path: problem for problem in refused(frame, "size", {"square": "mood"}, {"category": "klasse"})}
    assert {problem.code for problem in found.values()} == {"TERM-003"}
    assert found["size"].message.endswith("missing for w04")
    assert found["mood"].message.endswith("missing for w06 in 2021, 2022")
    assert found["klasse"].message.endswith("missing for w01, w02")
    assert "nothing is filled in" in found["size"].hint


def test_a_gap_where_the_outcome_is_missing_too_is_none() -> None:
    frame = table()
    gone = (frame["wijk"] == "w06") & (frame["jaar"] == 2020)
    frame.loc[gone, ["y", "mood", "size"]] = np.nan
    one = panel(frame, ["mood", "size"])
    assert np.isnan(one.covariates["mood"]).sum() == 1 and one.covariates["size"].shape == (24, 1)


@pytest.mark.parametrize("value", [2.5, pd.Timestamp("2020-01-01")])
def test_fractions_and_dates_are_no_category(value: Any) -> None:
    frame = table()
    column = frame["klasse"].astype(object)
    column[7] = value
    (problem,) = refused(frame.assign(klasse=column), {"category": "klasse"})
    assert (problem.code, problem.path) == ("TERM-005", "klasse")
    assert "rows 7" in problem.message and str(value) in problem.message


def test_a_category_of_one_level_or_of_too_many() -> None:
    (problem,) = refused(table().assign(klasse="stad"), {"category": "klasse"})
    assert problem.code == "TERM-006" and "'stad'" in problem.message
    many = table(MOST_LEVELS + 1).assign(soort=lambda one: one["wijk"])
    (problem,) = refused(many, {"category": "soort"})
    assert problem.code == "TERM-005" and f"{MOST_LEVELS + 1} levels" in problem.message
    most = table(MOST_LEVELS).assign(soort=lambda one: one["wijk"])
    assert len(panel(most, [{"category": "soort"}]).covariates) == MOST_LEVELS - 1


@pytest.mark.parametrize("column", ["jaar", "y", "start"])
def test_what_has_another_part_to_play_is_no_covariate(column: str) -> None:
    """The outcome as its own covariate would explain every effect away."""
    with pytest.raises(DataError, match="TERM-008"):
        panel(table(), [column])


def test_a_number_that_is_too_large() -> None:
    frame = table()
    frame.loc[frame["wijk"] == "w09", "size"] = 1e200
    (problem,) = refused(frame, {"square": "size"})
    assert (problem.code, problem.path) == ("TERM-007", "square(size)") and problem.message.endswith("w09")


def test_all_problems_of_the_covariates_come_at_once() -> None:
    frame = table().assign(vlak="x", half=0.5)
    frame.loc[frame["wijk"] == "w04", "size"] = 0.0
    frame.loc[frame["wijk"] == "w05", "mood"] = np.nan
    found = refused(frame, {"log": "size"}, "mood", {"category": "vlak"}, {"category": "half"})
    assert sorted(problem.code for problem in found) == ["TERM-003", "TERM-004", "TERM-005", "TERM-006"]


def test_columns_that_are_not_there_get_the_nearest_name() -> None:
    found = refused(table(), {"log": "sise"}, {"category": "klas"}, {"interaction": ["moood", "size"]})
    assert [(problem.code, problem.hint) for problem in found] == [
        ("PANEL-001", "did you mean 'size'?"),
        ("PANEL-001", "did you mean 'mood'?"),
        ("PANEL-001", "did you mean 'klasse'?"),
    ]


def test_levels_that_say_little_are_told() -> None:
    frame = table()
    frame.loc[frame["wijk"] == "w20", "klasse"] = "7"
    frame.loc[frame["wijk"].isin(["w00", "w01"]), "klasse"] = "8"
    (note,) = panel(frame, [{"category": "klasse"}]).notes
    assert note == "klasse: 7, 8, 9, 10 against 2, the first level; one unit only has 7; no control has 8"


def test_a_sample_takes_the_same_terms_row_by_row() -> None:
    frame = table().drop(columns="wijk").assign(start=lambda f: f["start"].replace(0, np.nan))
    frame.loc[[3, 4], "klasse"] = "8"
    one = Sample.from_frame(
        frame, time="jaar", outcome="y", first_treated="start",
        covariates=[{"log": "size"}, {"category": "klasse"}, {"interaction": ["mood", "size"]}],
    )  # fmt: skip
    assert list(one.covariates) == ["log(size)", "klasse=8", "klasse=9", "klasse=10", "mood:size"]
    np.testing.assert_array_equal(one.covariates["log(size)"], np.log(frame["size"]))
    np.testing.assert_array_equal(one.covariates["klasse=10"], frame["klasse"] == "10")
    np.testing.assert_array_equal(one.covariates["mood:size"], frame["mood"] * frame["size"])
    assert one.notes == ("klasse: 8, 9, 10 against 2, the first level; no control has 8",)
    frame.loc[7, "size"] = 0.0
    with pytest.raises(DataError, match=r"TERM-004 \[size\]: no logarithm of 7"):
        Sample.from_frame(frame, time="jaar", outcome="y", first_treated="start", covariates=[{"log": "size"}])


# --- the command line -------------------------------------------------------------------------------------------------


def run(file: Path, covariates: str, *more: str) -> Ended:
    words = [f for name, column in COLUMNS.items() for f in (f"--{name.replace('_', '-')}", column)]
    return command("estimate", file, *words, "--inference", "scores", "--covariates", covariates, *more)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    frame = table(60).assign(klasse=lambda f: f["klasse"].astype(int))
    frame.to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    return {name: tmp_path / f"t.{name}" for name in ("csv", "parquet", "xlsx")}


def test_the_command_line_takes_terms_of_every_kind_of_file(files: dict[str, Path]) -> None:
    covariates = "log:size,category:klasse,interaction:size,category:klasse"
    terms: list[Spelled] = [{"log": "size"}, {"category": "klasse"}, {"interaction": ["size", {"category": "klasse"}]}]
    expected = estimate(table(60), terms)
    for file in files.values():
        ended = run(file, covariates, "--set", "method=reg", "--json")
        assert ended.code == 0, ended.err
        (row,) = json.loads(ended.out)
        assert (row["estimate"], row["std_error"]) == pytest.approx(expected, rel=1e-8)
    assert "klasse: 9, 10 against 2" in run(files["csv"], covariates, "--set", "method=reg").out


@pytest.mark.parametrize(
    ("covariates", "said"),
    [
        ("log:sise", "did you mean 'size'?"),
        ("interaction:size", "fewer than two"),
        ("size,size", "second time"),
        ("log:mood", "TERM-004 [mood]: no logarithm of"),
        ("loog:size", "no column 'loog:size'"),
    ],
)
def test_what_a_command_line_cannot_ask(files: dict[str, Path], covariates: str, said: str) -> None:
    ended = run(files["csv"], covariates)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
