"""A specification is read as written; what is no specification ends at once in one message."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact.errors import Problem, SpecError
from impact.study.read import expand, read_study
from tests.shared import ROOT, shared
from tests.study.example import SPEC, points_at, read, refused, written

STUDIES = sorted((ROOT / "studies").glob("*/study.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_the_studies_of_the_project_are_read(path: Path) -> None:
    study = read_study(path)
    assert study.model.id == path.parent.name
    assert len(expand(study)) == len(study.model.alternatives)


def test_the_readme_names_every_study() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = readme.split("## The studies that come with it")[1].split("\n\nTheir data")[0]
    collections = {path.stem for path in (ROOT / "studies").glob("*/*.yaml") if path.stem == path.parent.name}
    known = {path.parent.name for path in STUDIES} | collections
    assert known == set(re.findall(r"`([a-z0-9-]+)`", named))


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
    with pytest.raises(SpecError) as caught:
        read_study(path)
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


def test_the_examples_use_words_that_are_known(tmp_path: Path) -> None:
    """What evaluators want to write is known, but for two words that others replace."""
    for path in sorted(shared("design/examples").glob("*.yaml")):
        with pytest.raises(SpecError) as caught:
            read_study(path)
        assert "SPEC-005" not in {problem.code for problem in caught.value.problems}
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
