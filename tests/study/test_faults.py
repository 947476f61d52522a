"""Everything that is wrong with a specification is found at once, where it stands, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.example import SPEC, points_at, read, refused


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


OVERLAP = "checks.overlap"


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
        ("schema: 1", "schema: 2", "SPEC-005", "schema", "knows schema 1"),
        ("id: voorbeeld", "id: Voor Beeld", "SPEC-007", "id", "small letters"),
        ("ratio: 5", "ratio: 0", "SPEC-007", "comparison.match.ratio", "1 or more"),
        ("value: 0.5", "value: .inf", "SPEC-007", "outcome.smallest_difference_that_matters.value", "a number"),
        ("value: 0.5", "value: 0", "SPEC-007", "outcome.smallest_difference_that_matters.value", "above 0"),
        ("better: lower", "better: lowr", "SPEC-007", "outcome.better", "lowr"),
        ("same_estimand: true", "same_estimand: yes", "SPEC-007", "alternatives[0].same_estimand", "true or false"),
        ("first: 2013", "first: 13", "SPEC-007", "periods.first", "not a year"),
        ("first: 2013", "first: 2013-04", "SPEC-007", "periods.first", "not a year or a school year"),
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
        ("seed: 7", "seed: 7\ncontext: [noten.md]", None, "", ""),
        ("[{rule: focus-area", "[{km: 1, rule: focus-area", "SPEC-010", "comparison.leave_out[0].km", "to near"),
        # One area would pass for the headline, so a target of several numbers is not accepted.
        ("{kind: average,", "{kind: unit,", "SPEC-005", "target.kind", "no 'unit'"),
        ("{kind: average,", "{kind: event,", "SPEC-005", "target.kind", "a study has one answer"),
        ("{kind: average,", "{kind: cohort,", "SPEC-005", "target.kind", "no 'cohort'"),
        ("{kind: average,", "{kind: relative,", "SPEC-005", "target.kind", "later version"),
        ("method: nearest", "method: entropy", "SPEC-010", "comparison.match.ratio", "nothing for entropy"),
        ("ratio: 5", "ratio: 5, moments: 2", "SPEC-010", "comparison.match.moments", "is for entropy, stable"),
        ("ratio: 5", "ratio: 5, estimand: ATO", "SPEC-010", "comparison.match.estimand", "is for overlap"),
        ("nearest, ratio: 5", "overlap", "SPEC-010", "comparison.match.method", "not about the treated"),
        ("nearest, ratio: 5", "overlap, estimand: ATO", "SPEC-010", "target.every", "what every treated unit counts"),
        ("nearest, ratio: 5", "stable, moments: {kooop: 2}", "SPEC-010", "comparison.match.moments.kooop", "kooop"),
        (
            "[{rule: focus-area, why: programma}]\n  match: {method: nearest",
            "[{rule: same-gemeente, why: programma}]\n  match: {same: gemeente, method: nearest",
            "SPEC-010",
            "comparison.match.same",
            "leaves out all",
        ),
        ("checks: standard", "checks: {balance: {at_least: 0.1}}", "SPEC-010", "checks.balance", "under `at_most`"),
        ("checks: standard", "checks: {controls: {at_least: 9, why: x}}", "SPEC-010", "checks.controls", "foreseen"),
        (
            "checks: standard",
            "checks: {overlap: {at_most: 0, if_failed: report}}",
            "SPEC-010",
            "checks.overlap",
            "reason",
        ),
        ("checks: standard", "checks: {balans: {at_most: 0.1}}", "SPEC-008", "checks.balans", "no check"),
        ("method: nearest", "method: full", "SPEC-010", "comparison.match.ratio", "all units that are left"),
        (" ratio: 5,", "", "SPEC-010", "comparison.match", "takes a number"),
        ("method: nearest", "method: optimal, replace: false", "SPEC-010", "comparison.match.replace", "serves twice"),
        ("{name: group-time, control: never}", "matrix-completion", "SPEC-005", "estimator", "later version"),
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
        # periods, waves, breaks, left-out periods, starts
        ("{first: 2013, last: 2024}", "{first: 2013}", "SPEC-010", "periods", "takes `first` and `last`"),
        ("{first: 2013, last: 2024}", "{first: 2013, last: 2024, are: [2013]}", "SPEC-010", "periods", "no list"),
        ("{first: 2013, last: 2024}", "{kind: waves, are: [2020, 2019, 2022]}", "SPEC-010", "periods.are", "in order"),
        (
            "{first: 2013, last: 2024}",
            "{kind: waves, first: 2013, last: 2024}",
            "SPEC-010",
            "periods",
            "one by one",
        ),
        (
            "first_treated: 2022",
            "first_treated: 2022/2023",
            "SPEC-010",
            "treatment.start.first_treated",
            "does not fit",
        ),
        (
            "periods: {",
            "breaks: [{at: 2030, treat_as: segment, why: w}]\nperiods: {",
            "SPEC-010",
            "breaks[0].at",
            "parts",
        ),
        (
            "periods: {",
            "breaks: [{at: 2016, treat_as: shift, why: w}]\nperiods: {",
            "SPEC-007",
            "breaks[0].treat_as",
            "common-shift",
        ),
        (
            "periods: {",
            "leave_out: [{periods: [2012], why: w}]\nperiods: {",
            "SPEC-010",
            "leave_out[0].periods[0]",
            "not among",
        ),
        (
            "first_treated: 2022",
            "first_treated: 2022, first_full: 2021",
            "SPEC-010",
            "treatment.start.first_full",
            "follow",
        ),
        (
            "first_treated: 2022",
            "first_treated: 2022, first_full: 2023",
            "SPEC-010",
            "target.window",
            "first full period",
        ),
        ("first_treated: 2022", "first_treated: 2022, last_before: 2021", None, "", ""),
        (
            "first_treated: 2022",
            "first_treated: 2022, last_before: 2020",
            "SPEC-010",
            "treatment.start.last_before",
            "2021",
        ),
        # tables
        ("file: uitkomst.csv", "file: uitkomst.csv\n    sheet: Blad1", "SPEC-010", "data.outcomes.sheet", "workbook"),
        (
            "file: uitkomst.csv",
            "file: uitkomst.csv\n    layout: statlin",
            "SPEC-007",
            "data.outcomes.layout",
            "statline",
        ),
        (
            "value: aantal}",
            "value: aantal, se: fout, margin: {low: a, high: b}}",
            "SPEC-010",
            "data.outcomes.columns",
            "not both",
        ),
        ("rule: focus-area", "rule: focus-area, column: x", "SPEC-010", "comparison.leave_out[0].column", "by itself"),
        (
            "rule: focus-area",
            "rule: listed, column: x, regions: [WK1]",
            "SPEC-010",
            "comparison.leave_out[0]",
            "one way",
        ),
        ("checks: standard", "checks: survey", "SPEC-010", "checks", "respondents"),
        ("[structure, size]", "[selection]", "SPEC-010", "comparison.match.on[0]", "columns are named as selection"),
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
            "change: {families: {a: [voortijdig-schoolverlaten]}}",
            "SPEC-011",
            "alternatives[0].change.families",
            "cannot change",
        ),
        (
            "change: {comparison: {match: none}}",
            "change: {context: []}",
            "SPEC-011",
            "alternatives[0].change.context",
            "cannot change",
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


def test_a_study_that_leaves_out_all_that_it_asks_for(tmp_path: Path) -> None:
    change = ("periods: {", "leave_out: [{periods: [2022, 2023, 2024], why: w}]\nperiods: {")
    found = {(p.path, p.message) for p in refused(tmp_path, change)}
    assert found == {
        ("treatment.start.first_treated", "The start in 2022 lies outside the periods 2013 to 2024."),
        ("target.window", "Every period of the window is left out."),
    }


def test_a_break_needs_to_know_its_side(tmp_path: Path) -> None:
    """When a column holds the starts and there is no window, nothing says which side of the break counts."""
    changes = [
        ("first_treated: 2022", "column: start"),
        (", window: [2022, 2024]", ""),
        ("periods: {", "breaks: [{at: 2016, treat_as: segment, why: w}]\nperiods: {"),
    ]
    assert "which side of the break counts" in refused(tmp_path, *changes)[0].message.lower()
    assert read(tmp_path, *changes[1:]).model.labels[0] == "2016"
