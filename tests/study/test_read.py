"""A specification is read as written, or refused with everything that is wrong and where it stands."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact.errors import Problem, SpecError
from impact.study.read import Study, expand, locate, read_study
from impact.study.roots import Roots
from tests.shared import ROOT, shared

STUDIES = sorted((ROOT / "studies").glob("*/study.yaml"))

SPEC = """\
schema: 1
id: voorbeeld
title: {nl: Voorbeeld, en: Example}
question: Veranderde het?
seen_before: Niets.
data:
  outcomes:
    file: uitkomst.csv
    columns: {region: wijk, period: jaar, value: aantal}
    rows: {where: {delict: [104]}, add_up_to: [region, period]}
  units:
    file: wijken.csv
    columns: {region: wijk, residents: inwoners, structure: [huur, bijstand], size: [inwoners]}
periods: {first: 2013, last: 2024}
treatment:
  areas:
    delft-west: {members: [WK050324, WK050325]}
    den-haag-zuidwest: {members: [WK051833]}
  start: {event: prestatieafspraak, first_treated: 2022}
outcome:
  indicator: voortijdig-schoolverlaten
  measure: {unit: procentpunt}
  better: lower
  smallest_difference_that_matters: {value: 0.5, why: commissie}
target: {kind: average, window: [2022, 2024], every: area}
comparison:
  leave_out: [{rule: focus-area, why: programma}]
  match: {method: nearest, ratio: 5, on: [structure, size]}
estimator: {name: group-time, control: never}
inference: {name: cluster-jackknife, cluster: gemeente, beside: [score-flip]}
alternatives:
  - {name: zonder, why: alles, same_estimand: true, change: {comparison: {match: none}}}
checks: standard
seed: 7
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, *changes: tuple[str, str]) -> Study:
    return read_study(written(tmp_path, changed(*changes)))


def changed(*changes: tuple[str, str]) -> str:
    text = SPEC
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} must stand once in the example"
        text = text.replace(old, new)
    return text


def refused(tmp_path: Path, *changes: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, *changes)
    return caught.value.problems


def points_at(problem: Problem) -> str:
    """The source from the caret on, which a reader of the message sees."""
    assert problem.column is not None
    return problem.excerpt[problem.column - 1 :]


# --- what is right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_the_studies_of_the_project_are_read(path: Path) -> None:
    study = read_study(path)
    assert study.model.id == path.parent.name
    assert len(expand(study)) == len(study.model.alternatives) > 0


def test_there_are_three_studies() -> None:
    assert [path.parent.name for path in STUDIES] == ["criminaliteit-haaglanden", "eerste-studie", "placebo-2016"]


def test_every_value_is_read_as_written(tmp_path: Path) -> None:
    model = read(tmp_path).model
    assert (model.id, model.seed, model.placebo) == ("voorbeeld", 7, False)
    assert model.title.languages() == {"nl": "Voorbeeld", "en": "Example"}
    assert model.question.languages() == {"nl": "Veranderde het?"}
    assert model.data.outcomes.rows.where == {"delict": ("104",)}
    assert model.data.outcomes.rows.add_up_to == ("region", "period")
    assert model.periods.labels == tuple(str(year) for year in range(2013, 2025))
    assert model.starts() == ("2022",)
    assert model.treatment.areas.listed is not None
    assert model.treatment.areas.listed["delft-west"].members == ("WK050324", "WK050325")
    assert [outcome.indicator for outcome in model.all_outcomes] == ["voortijdig-schoolverlaten"]
    assert model.target.window == ("2022", "2024")
    assert model.estimator.name == "group-time" and model.estimator.options == {"control": "never"}
    assert model.inference.cluster.by == "gemeente" and model.inference.level == 0.95
    assert [(method.name, method.options) for method in model.inference.beside] == [("score-flip", {})]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("first: 2013, last: 2024", "first: '2013', last: \"2024\""),
        ("estimator: {name: group-time, control: never}", "estimator: {control: never, name: group-time}"),
        ("window: [2022, 2024]", "window: ['2022', '2024']"),
        ("seed: 7\n", "# a comment\nseed: 7\n"),
        ("question: Veranderde het?", "question: {nl: Veranderde het?}"),
        ("checks: standard\n", ""),
    ],
)
def test_another_spelling_of_the_same_keeps_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert read(tmp_path).sha256 == read(tmp_path, (old, new)).sha256


@pytest.mark.parametrize(
    ("old", "new"),
    [("seed: 7", "seed: 8"), ("every: area", "every: unit"), ("[WK050324, WK050325]", "[WK050324]"), ("0.5", "0.6")],
)
def test_another_meaning_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert read(tmp_path).sha256 != read(tmp_path, (old, new)).sha256


def test_one_outcome_means_the_same_as_a_list_of_one(tmp_path: Path) -> None:
    listed = (
        "outcome:\n  indicator: voortijdig-schoolverlaten\n  measure: {unit: procentpunt}\n  better: lower\n"
        "  smallest_difference_that_matters: {value: 0.5, why: commissie}\n",
        "outcomes:\n  - indicator: voortijdig-schoolverlaten\n    measure: {unit: procentpunt}\n    better: lower\n"
        "    smallest_difference_that_matters: {value: 0.5, why: commissie}\n",
    )
    assert read(tmp_path).sha256 == read(tmp_path, listed).sha256


def test_the_digest_is_that_of_canonical_json(tmp_path: Path) -> None:
    """By hand for the part that differs: sorted keys, no blanks, no standard values (RFC 8785)."""
    study = read(tmp_path)
    said = study.model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    said["outcomes"] = [said.pop("outcome")]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert study.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert study.text_sha256 == hashlib.sha256(SPEC.encode()).hexdigest()


def test_codes_keep_their_zeros(tmp_path: Path) -> None:
    model = read(tmp_path, ("[WK050324, WK050325]", "[051833, 48402]")).model
    assert model.treatment.areas.listed is not None
    assert model.treatment.areas.listed["delft-west"].members == ("051833", "48402")


def test_marks_may_look_like_numbers(tmp_path: Path) -> None:
    marks = 'file: uitkomst.csv\n    marks: {suppressed: ["<10", x], missing: -99997}'
    given = read(tmp_path, ("file: uitkomst.csv", marks)).model.data.outcomes.marks.given()
    assert given == {"suppressed": ("<10", "x"), "missing": ("-99997",)}


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SPEC.replace("\n", "\r\n").encode())
    assert read_study(path).sha256 == read(tmp_path).sha256


def test_the_folder_of_a_study_is_enough(tmp_path: Path) -> None:
    written(tmp_path, SPEC)
    assert read_study(tmp_path).model.id == "voorbeeld"


# --- the message ------------------------------------------------------------------------------------------------------


def test_a_problem_names_file_line_column_and_what_to_do(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, ("target: {kind", "targt: {kind"))
    line = SPEC.splitlines().index("target: {kind: average, window: [2022, 2024], every: area}") + 1
    assert (problem.code, problem.line, problem.column) == ("SPEC-004", line, 1)
    assert problem.file == str(tmp_path / "study.yaml")
    assert "`target`" in problem.hint
    assert points_at(problem).startswith("targt: {kind")


def test_three_typos_and_a_wrong_indent_are_reported_together(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        ("periods: {first", "perods: {first"),
        ("every: area", "evry: area"),
        ("better: lower", "beter: lower"),
        ("    file: wijken.csv", "   file: wijken.csv"),
    )
    assert [(p.code, p.path) for p in problems] == [
        ("SPEC-002", ""),
        ("SPEC-004", "perods"),
        ("SPEC-004", "outcome.beter"),
        ("SPEC-004", "target.evry"),
    ]
    assert [p.line for p in problems] == sorted(p.line or 0 for p in problems)
    assert "indent by 4 spaces instead of 3" in problems[0].hint
    assert points_at(problems[0]) == "file: wijken.csv"


def test_what_stands_inside_a_misspelled_key_is_judged_too(tmp_path: Path) -> None:
    problems = refused(tmp_path, ("treatment:", "treatmnt:"), ("first_treated: 2022", "first_treated: 2012"))
    assert [p.code for p in problems] == ["SPEC-004", "SPEC-010"]
    assert "2012" in problems[1].message and points_at(problems[1]).startswith("2012")


def test_a_key_that_an_indent_put_elsewhere_is_sent_home(tmp_path: Path) -> None:
    (problem,) = refused(
        tmp_path, ("checks: standard\nseed: 7\n", "checks:\n  balance: 0.1\n"), ("  better", "  seed: 7\n  better")
    )
    assert (problem.code, problem.path) == ("SPEC-004", "outcome.seed")
    assert "at the top level" in problem.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("question: Veranderde het?", "question: Veranderde het: ja?", '"Veranderde het: ja?"'),
        ("question: Veranderde het?", "question: @ beheer", '"@ beheer"'),
        ("question: Veranderde het?", "question: 'Veranderde' het?", "need quotes"),
        ("seen_before: Niets.", "seen_before: 2021/'22: niets", '"2021/\'22: niets"'),
        ("  better: lower", "\tbetter: lower", "spaces instead of tabs"),
        ("  better: lower", "   better: lower", "indent by 2 spaces instead of 3"),
    ],
)
def test_text_that_is_no_yaml_gets_the_repair_that_helps(tmp_path: Path, old: str, new: str, words: str) -> None:
    problems = refused(tmp_path, (old, new))
    assert [p.code for p in problems] == ["SPEC-002"]
    assert words in problems[0].hint
    assert problems[0].line is not None and problems[0].excerpt


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "words"),
    [
        # kinds of values
        ("seed: 7", "seed: '7'", "SPEC-007", "seed", "a whole number"),
        ("seed: 7", "seed: 7.5", "SPEC-007", "seed", "a whole number"),
        ("seed: 7", "seed: true", "SPEC-007", "seed", "a whole number"),
        ("seed: 7", "seed: -1", "SPEC-007", "seed", "0 or more"),
        ("seed: 7", "seed:", "SPEC-007", "seed", "no value"),
        ("seed: 7\n", "", "SPEC-006", "seed", "missing"),
        ("schema: 1", "schema: 2", "SPEC-007", "schema", "must be 1"),
        ("id: voorbeeld", "id: Voor Beeld", "SPEC-007", "id", "small letters"),
        ("ratio: 5", "ratio: 0", "SPEC-007", "comparison.match.ratio", "1 or more"),
        ("value: 0.5", "value: .inf", "SPEC-007", "outcome.smallest_difference_that_matters.value", "a number"),
        ("value: 0.5", "value: 0", "SPEC-007", "outcome.smallest_difference_that_matters.value", "above 0"),
        ("better: lower", "better: lowr", "SPEC-007", "outcome.better", "lowr"),
        ("same_estimand: true", "same_estimand: yes", "SPEC-007", "alternatives[0].same_estimand", "true or false"),
        ("first: 2013", "first: 13", "SPEC-007", "periods.first", "not a year"),
        ("first: 2013", "first: 2013/'14", "SPEC-007", "periods.first", "School years"),
        ("add_up_to: [region, period]", "add_up_to: [region]", "SPEC-007", "data.outcomes.rows.add_up_to", "2 items"),
        ("[WK050324, WK050325]", "[]", "SPEC-007", "treatment.areas.delft-west.members", "at least 1"),
        ("delft-west:", "Delft West:", "SPEC-007", "treatment.areas.Delft West", "small letters"),
        # what must be said
        (", every: area", "", "SPEC-006", "target.every", "missing"),
        (
            "match: {method: nearest, ratio: 5, on: [structure, size]}",
            "match:",
            "SPEC-007",
            "comparison.match",
            "no value",
        ),
        # later versions
        ("seed: 7", "seed: 7\nlooks: {planned: []}", "SPEC-005", "looks", "later version"),
        ("ratio: 5", "ratio: 5, same: gemeente", "SPEC-005", "comparison.match.same", "later version"),
        ("{first: 2013", "{kind: waves, first: 2013", "SPEC-005", "periods.kind", "waves"),
        ("method: nearest", "method: optimal", "SPEC-005", "comparison.match.method", "optimal"),
        ("{name: group-time, control: never}", "stacked", "SPEC-005", "estimator", "later version"),
        ("name: cluster-jackknife", "name: wild", "SPEC-005", "inference.name", "later version"),
        ("control: never", "covariates: [huur]", "SPEC-005", "estimator.covariates", "later version"),
        # names
        ("name: group-time", "name: grouptime", "SPEC-008", "estimator.name", "grouptime"),
        ("beside: [score-flip]", "beside: [scoreflip]", "SPEC-008", "inference.beside[0]", "scoreflip"),
        ("checks: standard", "checks: {balans: 0.1}", "SPEC-008", "checks.balans", "balans"),
        ("voortijdig-schoolverlaten", "vroegtijdig-schoolverlaten", "SPEC-008", "outcome.indicator", "15 indicators"),
        # parameters
        ("control: never", "control: later", "SPEC-009", "estimator.control", "not-yet"),
        ("control: never", "contrl: never", "SPEC-009", "estimator.contrl", "no parameter"),
        ("control: never", "control: 3", "SPEC-009", "estimator.control", "a word"),
        ("control: never", "anticipation: 1", "SPEC-009", "estimator.anticipation", "no parameter"),
        (
            "beside: [score-flip]",
            "beside: [{name: score-flip, draws: 1.5}]",
            "SPEC-009",
            "inference.beside[0].draws",
            "whole",
        ),
        # contradictions
        ("first_treated: 2022", "first_treated: 2012", "SPEC-010", "treatment.start.first_treated", "outside"),
        ("first_treated: 2022", "first_treated: 2013", "SPEC-010", "treatment.start.first_treated", "no period before"),
        ("window: [2022", "window: [2021", "SPEC-010", "target.window", "before the first start"),
        ("window: [2022, 2024]", "window: [2022, 2026]", "SPEC-010", "target.window", "2026"),
        ("window: [2022, 2024]", "window: [2024, 2022]", "SPEC-010", "target.window", "before it begins"),
        ("window: [2022, 2024]", "window: [2022]", "SPEC-007", "target.window", "2 items"),
        ("window: [2022, 2024]", "window: 2022", "SPEC-007", "target.window", "a list"),
        ("residents: inwoners, ", "", None, "", ""),
        ("[structure, size]", "[structure, omvang]", "SPEC-010", "comparison.match.on[1]", "omvang"),
        ("on: [structure, size]", "outcomes_in: [2021]", "SPEC-010", "comparison.match.outcomes_in[0]", "base period"),
        ("on: [structure, size]", "outcomes_in: [2022]", "SPEC-010", "comparison.match.outcomes_in[0]", "not before"),
        ("on: [structure, size]", "outcomes_in: [2015]", None, "", ""),
        (
            "on: [structure, size]",
            "outcomes_in: [2018], selection_waves: [2018]",
            "SPEC-010",
            "comparison.match.outcomes_in[0]",
            "selection wave",
        ),
        (", on: [structure, size]", "", "SPEC-010", "comparison.match", "nothing to match on"),
        (
            "members: [WK051833]",
            "members: [WK050325]",
            "SPEC-010",
            "treatment.areas.den-haag-zuidwest.members[0]",
            "already",
        ),
        ("value: aantal", "value: aantal, numerator: a", "SPEC-010", "data.outcomes.columns", "numerator"),
        ("{unit: procentpunt}", "{per: 100, unit: procentpunt}", "SPEC-010", "outcome.measure", "`rate` and `per`"),
        ("better: lower", "better: higher", "SPEC-010", "outcome.better", "lower"),
        ("rule: focus-area", "rule: adjacent", "SPEC-010", "comparison.leave_out[0]", "needs the codes"),
        ("cluster: gemeente", "cluster: {column: regio}", None, "", ""),
        ("beside: [score-flip]", "beside: [cluster-jackknife]", "SPEC-010", "inference.beside[0]", "second time"),
        (
            "measure: {unit",
            "measure: {as_percent_of_own: {periods: [2021, 2022], minimum_mean: 10}, unit",
            "SPEC-010",
            "outcome.measure.as_percent_of_own.periods[1]",
            "not before the start",
        ),
        # alternatives
        ("change: {comparison: {match: none}}", "change: {}", "SPEC-011", "alternatives[0].change", "changes nothing"),
        (
            "change: {comparison: {match: none}}",
            "change: {seed: 1}",
            "SPEC-011",
            "alternatives[0].change.seed",
            "cannot change",
        ),
        (
            "change: {comparison: {match: none}}",
            "change: {breaks: []}",
            "SPEC-005",
            "alternatives[0].change.breaks",
            "later",
        ),
        (
            "change: {comparison: {match: none}}",
            "change: {comparison: {mtch: none}}",
            "SPEC-004",
            "alternatives[0].change.comparison.mtch",
            "no key",
        ),
        (
            "change: {comparison: {match: none}}",
            "change: {treatment: {anticipation: 9}}",
            "SPEC-011",
            "alternatives[0].change",
            "no period before the start",
        ),
        (
            "change: {comparison: {match: none}}",
            "change: {target: {every: unit}}",
            "SPEC-011",
            "alternatives[0].change.target",
            "same_estimand",
        ),
    ],
)
def test_each_fault_is_found_alone_where_it_stands(
    tmp_path: Path, old: str, new: str, code: str | None, path: str, words: str
) -> None:
    if code is None:
        read(tmp_path, (old, new))
        return
    problems = refused(tmp_path, (old, new))
    assert [(p.code, p.path) for p in problems] == [(code, path)]
    assert words in problems[0].message
    assert problems[0].line is not None and problems[0].excerpt


def test_one_period_shows_no_change(tmp_path: Path) -> None:
    problem = refused(tmp_path, ("last: 2024", "last: 2013"))[0]
    assert (problem.code, problem.path) == ("SPEC-010", "periods.last")
    assert "two or more" in problem.hint


def test_a_start_must_say_when(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, (", first_treated: 2022", ""))
    assert (problem.code, problem.path) == ("SPEC-010", "treatment.start")
    (problem,) = refused(tmp_path, ("first_treated: 2022", "first_treated: 2022, column: start"))
    assert "`first_treated` and `column` are given" in problem.message


def test_residents_are_needed_to_count_them(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, ("every: area", "every: resident"), ("residents: inwoners, ", ""))
    assert (problem.code, problem.path) == ("SPEC-010", "target.every")
    assert "data.units.columns.residents" in problem.hint


def test_who_counts_once_is_explained_when_it_is_missing(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, (", every: area", ""))
    assert all(word in problem.hint for word in ("area", "resident", "unit"))


def test_all_base_periods_leave_none_to_match_on(tmp_path: Path) -> None:
    problems = refused(
        tmp_path, ("{name: group-time, control: never}", "did"), ("on: [structure, size]", "outcomes_in: [2015]")
    )
    assert [p.path for p in problems] == ["comparison.match.outcomes_in[0]"]
    assert "base period of did" in problems[0].message


def test_a_start_per_area_names_every_area(tmp_path: Path) -> None:
    problems = refused(tmp_path, ("first_treated: 2022", "by_area: {delft-west: 2022, delft-oost: 2023}"))
    assert [(p.code, p.path) for p in problems] == [
        ("SPEC-010", "treatment.start.by_area"),
        ("SPEC-010", "treatment.start.by_area.delft-oost"),
    ]
    study = read(tmp_path, ("first_treated: 2022", "by_area: {delft-west: 2022, den-haag-zuidwest: 2023}"))
    assert study.model.starts() == ("2022", "2023")


def test_columns_are_sought_in_a_units_table_that_must_be_there(tmp_path: Path) -> None:
    units = SPEC[SPEC.index("  units:") : SPEC.index("periods:")]
    problems = refused(tmp_path, (units, ""), ("cluster: gemeente", "cluster: {column: regio}"))
    assert {(p.code, p.path) for p in problems} == {
        ("SPEC-010", "comparison.match.on"),
        ("SPEC-010", "inference.cluster"),
    }


def test_an_outcome_is_one_or_a_list(tmp_path: Path) -> None:
    block = SPEC[SPEC.index("outcome:\n") : SPEC.index("target:")]
    (problem,) = refused(tmp_path, (block, ""))
    assert problem.code == "SPEC-010" and "`outcomes`" in problem.message


# --- alternatives -----------------------------------------------------------------------------------------------------


def test_an_alternative_is_the_study_with_its_change(tmp_path: Path) -> None:
    study = read(tmp_path)
    (variation,) = expand(study)
    assert (variation.name, variation.why, variation.same_estimand) == ("zonder", "alles", True)
    assert variation.model.comparison.match is None
    assert variation.model.comparison.leave_out == study.model.comparison.leave_out
    assert variation.model.estimator == study.model.estimator
    assert variation.model.alternatives == ()


def test_a_method_named_anew_starts_from_its_own_standards(tmp_path: Path) -> None:
    change = ("change: {comparison: {match: none}}", "change: {estimator: {name: group-time, method: ipw}}")
    (variation,) = expand(read(tmp_path, change))
    assert variation.model.estimator.options == {"method": "ipw"}
    change = ("change: {comparison: {match: none}}", "change: {estimator: {method: ipw}}")
    (variation,) = expand(read(tmp_path, change))
    assert variation.model.estimator.options == {"control": "never", "method": "ipw"}


def test_a_wrong_study_does_not_repeat_its_faults_for_every_alternative(tmp_path: Path) -> None:
    problems = refused(tmp_path, ("seed: 7", "seed: x"), ("{comparison: {match: none}}", "{comparison: {match: nne}}"))
    assert [p.path for p in problems] == ["alternatives[0].change.comparison.match", "seed"]


# --- later problems point at the specification ------------------------------------------------------------------------


def test_whoever_reads_the_data_can_point_at_the_specification(tmp_path: Path) -> None:
    problem = read(tmp_path).problem(("treatment", "areas", "listed", "delft-west"), "DATA-001", "no data")
    assert points_at(problem).startswith("{members: [WK050324")
    assert problem.path == "treatment.areas.delft-west"


# --- files that are no specification ----------------------------------------------------------------------------------


def alone(path: Path) -> Problem:
    start = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        read_study(path)
    assert time.perf_counter() - start < 2
    (problem,) = caught.value.problems
    return problem


def test_a_file_of_200_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    with path.open("wb") as stream:
        stream.truncate(200_000_000)  # a hole in the file: it takes no room on disk
    problem = alone(path)
    assert problem.code == "SPEC-001" and "200,000,000" in problem.message


BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (BOMB, "SPEC-003", "aliases"),
        ("[" * 90_000, "SPEC-003", "levels"),
        ("- " * 40_000, "SPEC-003", "levels"),
        ("a: !!python/object/apply:os.system [true]\n", "SPEC-003", "tag"),
        ("a: 1\n---\nb: 2\n", "SPEC-003", "second document"),
        ("", "SPEC-003", "empty"),
        ("zomaar tekst", "SPEC-003", "no keys"),
        ("a: \0", "SPEC-002", "no YAML"),
    ],
)
def test_what_is_not_read_ends_at_once_in_one_message(tmp_path: Path, text: str, code: str, words: str) -> None:
    problem = alone(written(tmp_path, text))
    assert problem.code == code and words in problem.message


def test_a_key_may_stand_once(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, ("seed: 7", "seed: 7\nseed: 8"))
    assert problem.code == "SPEC-003" and "second time" in problem.message


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert alone(tmp_path / "niets.yaml").code == "SPEC-001"
    path = tmp_path / "study.yaml"
    path.write_bytes(b"schema: 1\nid: \xff\n")
    problem = alone(path)
    assert problem.code == "SPEC-001" and "line 2" in problem.message


def test_thousands_of_problems_are_cut_short(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_study(written(tmp_path, SPEC + "\n".join(f"xyzzy{n}: 1" for n in range(300))))
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1].message == "250 more problems are not shown."


def test_the_examples_name_what_comes_later(tmp_path: Path) -> None:
    """What evaluators want to write is refused by name, never as a typo."""
    for path in sorted(shared("design/examples").glob("*.yaml")):
        with pytest.raises(SpecError) as caught:
            read_study(path)
        codes = {problem.code for problem in caught.value.problems}
        assert "SPEC-005" in codes
        typos = [problem for problem in caught.value.problems if problem.code == "SPEC-004"]
        assert {problem.path.rsplit(".", 1)[-1] for problem in typos} <= {"not_on", "value"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_text_leads_to_anything_but_a_study_or_problems(tmp_path: Path, data: st.DataObject) -> None:
    """Lines of the example taken out, doubled, indented otherwise or filled with noise."""
    lines = SPEC.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        noise = data.draw(st.text(st.characters(codec="utf-8"), max_size=12))
        lines[at : at + 1] = data.draw(
            st.sampled_from(
                [[], [lines[at]] * 2, [f" {lines[at]}"], [lines[at] + noise], [noise], [lines[at].replace(":", "", 1)]]
            )
        ) or [""]
    path = tmp_path / "study.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        read_study(path)
    except SpecError as error:
        assert error.problems and str(error)


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a study, and a data folder beside it."""
    for folder in ("project/studies/een", "project/data", "data/diep", "buiten"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("project/studies/een/eigen.csv", "project/data/tabel.csv", "data/diep/ver.csv", "buiten/geheim.csv"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "project" / "studies" / "een" / "study.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def roots(project: Path) -> Roots:
    return Roots.of(project / "project" / "studies" / "een" / "study.yaml", [project / "data"])


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("eigen.csv", "project/studies/een/eigen.csv"),
        ("data/tabel.csv", "project/data/tabel.csv"),
        ("diep/ver.csv", "data/diep/ver.csv"),
        ("studies/een/eigen.csv", "project/studies/een/eigen.csv"),
    ],
)
def test_a_path_resolves_against_study_project_and_data(project: Path, name: str, where: str) -> None:
    assert roots(project).find(name) == (project / where).resolve()


def test_the_study_goes_before_the_project_and_the_project_before_data(project: Path) -> None:
    for folder in ("data", "project", "project/studies/een"):
        (project / folder / "zelfde.csv").write_text("x", encoding="utf-8")
        assert roots(project).find("zelfde.csv") == (project / folder / "zelfde.csv").resolve()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../geheim.csv",
        "diep/../../buiten/geheim.csv",
        "C:/geheim.csv",
        "C:geheim.csv",
        "\\\\server\\x",
        "a\\b.csv",
        "",
        " ",
        "a\0b",
    ],
)
def test_a_path_that_leads_out_is_refused(project: Path, name: str) -> None:
    with pytest.raises(SpecError) as caught:
        roots(project).find(name)
    assert [problem.code for problem in caught.value.problems] == ["SPEC-020"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_may_lead_into_another_root_and_not_out(project: Path) -> None:
    study = project / "project" / "studies" / "een"
    (study / "uit.csv").symlink_to(project / "buiten" / "geheim.csv")
    (study / "uitmap").symlink_to(project / "buiten")
    (study / "in.csv").symlink_to(project / "data" / "diep" / "ver.csv")
    (study / "rond.csv").symlink_to(study / "rond.csv")
    for name in ("uit.csv", "uitmap/geheim.csv"):
        with pytest.raises(SpecError) as caught:
            roots(project).find(name)
        assert caught.value.problems[0].code == "SPEC-020"
    assert roots(project).find("in.csv") == (project / "data" / "diep" / "ver.csv").resolve()
    with pytest.raises(SpecError):
        roots(project).find("rond.csv")


def test_a_path_without_a_file_says_where_was_looked(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        roots(project).find("weg.csv")
    (problem,) = caught.value.problems
    assert problem.code == "SPEC-021"
    for folder in ("een", "project", "data"):
        assert str((project / folder).resolve().name) in problem.message


def test_every_path_of_a_study_is_sought_at_once(project: Path) -> None:
    study = read_study(project / "project" / "studies" / "een" / "study.yaml")
    with pytest.raises(SpecError) as caught:
        locate(study, roots(project))
    assert [points_at(problem) for problem in caught.value.problems] == ["uitkomst.csv", "wijken.csv"]
    for name in ("uitkomst.csv", "wijken.csv"):
        (project / "data" / name).write_text("x", encoding="utf-8")
    assert {role: path.name for role, path in locate(study, roots(project)).items()} == {
        "outcomes": "uitkomst.csv",
        "units": "wijken.csv",
    }
