"""The published JSON Schema accepts what the reader accepts; `python -m tests.study.test_schema` writes it again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from impact.errors import SpecError
from impact.study import fields
from impact.study.read import read_study
from impact.study.schema import _SPELLINGS, schema
from tests.shared import ROOT
from tests.study.example import SPEC, changed, read, refused

PUBLISHED = ROOT / "docs" / "study.schema.json"


def published() -> str:
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


VALIDATOR = jsonschema.Draft202012Validator(json.loads(published()))


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def complaints(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(parsed(text))]


def test_the_published_file_is_the_schema_of_the_code() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == published(), "run `python -m tests.study.test_schema`"


def test_it_is_a_schema_of_the_dialect_it_names() -> None:
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema())


def test_it_says_how_an_editor_finds_it() -> None:
    line = re.search(r"`# yaml-language-server: \$schema=(\S+)`", schema()["description"])
    assert line is not None
    assert (ROOT / "studies" / "eerste-studie" / line[1]).resolve() == PUBLISHED


def objects(node: Any) -> list[dict[str, Any]]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    here = [node] if isinstance(node, dict) and node.get("type") == "object" else []
    return here + [found for part in below for found in objects(part)]


def test_unknown_keys_are_refused_except_the_parameters_of_a_method() -> None:
    open_ones = [found for found in objects(schema()) if found.get("additionalProperties") is not False]
    methods = [found for found in open_ones if "enum" in found.get("properties", {}).get("name", {})]
    named = [str(found.get("title")) for found in open_ones if found not in methods]
    assert len(methods) == 3  # estimator, inference, beside
    # Keys of the study itself, codes of regions, and columns of the user.
    assert sorted(named) == ["Change", "Cutpoints", "Labels", "None", "Unchanged", "Where", "Where", "Where", "Where"]


def test_what_a_key_means_is_there_for_the_editor() -> None:
    made = schema()
    assert made["properties"]["seed"]["description"] == "a whole number from which every random draw follows"
    assert made["$defs"]["Break"]["description"].startswith("From `at` on figures are made in another way")


def test_every_short_spelling_of_the_reader_has_its_schema() -> None:
    spellings = {found for name, found in vars(fields).items() if name.startswith("as_")}
    assert spellings == {*_SPELLINGS, fields.as_areas, fields.as_collection}


# --- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*/study.yaml")), ids=lambda path: path.parent.name)
def test_every_shipped_study_is_accepted(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


AREAS = "  areas:\n    delft-west: {members: [WK050324, WK050325]}\n    den-haag-zuidwest: {members: [WK051833]}\n"
OUTCOME = SPEC[SPEC.index("outcome:\n  indicator") : SPEC.index("target:")]
WINDOW = ("window: [2022, 2024], ", "")
SCHOOL = (
    ("periods: {first: 2013, last: 2024}", 'periods: {kind: school-year, first: "2013/\'14", last: 2024/25}'),
    ("first_treated: 2022", "first_treated: 2022SJ00"),
    ("window: [2022, 2024]", "window: [schooljaar 2022-2023, 2024/2025]"),
)
SHORT: dict[str, tuple[tuple[str, str], ...]] = {
    "as it stands": (),
    "title as a text": (("title: {nl: Voorbeeld, en: Example}", "title: Voorbeeld"),),
    "question in two languages": (("question: Veranderde het?", "question: {nl: Ja?, en: Yes?}"),),
    "spellings as one number": (("delict: [104]", "delict: 104"),),
    "spellings as a text": (("delict: [104]", "delict: diefstal"),),
    "spellings of both kinds": (("delict: [104]", "delict: [104, '105', 10.5]"),),
    "marks": (
        ("    file: uitkomst.csv", '    file: uitkomst.csv\n    marks: {suppressed: ["<10", x], missing: -99997}'),
    ),
    "areas of the register": ((AREAS, "  areas: register\n"),),
    "areas in a column": ((AREAS, "  areas: {column: gebied}\n"),),
    "an area that is called column": (("    delft-west: {members", "    column: {members"),),
    "an area with a name": (("delft-west: {members: [WK050324, ", "delft-west: {name: Delft, members: [WK050324, "),),
    "codes as numbers": (("[WK050324, WK050325]", "[50324, 051833]"),),
    "estimator by name": (("estimator: {name: group-time, control: never}", "estimator: did"),),
    "estimator with parameters": (("control: never", "control: not-yet, method: ipw, base: universal"),),
    "covariates": (("control: never", "covariates: [size, structure, {log: inwoners}, {category: klasse}]"),),
    "covariates that are multiplied": (
        ("control: never", "covariates: [{interaction: [{square: huur}, {category: klasse}]}, {column: huur}]"),
    ),
    "inference by name": (
        ("inference: {name: cluster-jackknife, cluster: gemeente, beside: [score-flip]}", "inference: jackknife"),
    ),
    "beside with parameters": (("[score-flip]", "[{name: score-flip, draws: 99}, placebo-space]"),),
    "cluster by unit": (("cluster: gemeente", "cluster: unit"),),
    "cluster by a column": (("cluster: gemeente", "cluster: {column: regio}"),),
    "cluster in full": (("cluster: gemeente", "cluster: {by: gemeente}"),),
    "no matching": (("{method: nearest, ratio: 5, on: [structure, size]}", "none"),),
    "checks of a survey": (
        ("checks: standard", "checks: survey"),
        ("value: aantal", "value: aantal, n: mensen, margin: {low: laag, high: hoog}"),
    ),
    "checks by name": (("checks: standard", "checks: {balance: 0.1, controls: 20}"),),
    "no checks": (("checks: standard\n", ""),),
    "periods as texts": (("first: 2013, last: 2024", "first: '2013', last: \"2024\""),),
    "school years": SCHOOL,
    "waves": (
        ("{first: 2013, last: 2024}", "{kind: waves, are: [2013, 2017, 2021, 2022, '2024']}"),
        ("first_treated: 2022", "first_treated: 2022, last_before: 2021"),
    ),
    "a start by area": (("first_treated: 2022", "by_area: {delft-west: 2022, den-haag-zuidwest: '2022'}"),),
    "a start in a column": (("first_treated: 2022", "column: start"),),
    "no window": (WINDOW,),
    "a list of outcomes": ((OUTCOME, "outcomes:\n  - " + OUTCOME[11:].replace("\n  ", "\n    ")),),
    "an indicator of one's own": (("indicator: voortijdig-schoolverlaten", "indicator: eigen\n  name: Eigen"),),
    "breaks and periods left out": (
        (
            "treatment:\n",
            "leave_out: [{periods: [2020, '2021'], why: w}]\nbreaks: [{at: 2016, treat_as: segment, why: w}]\n"
            "treatment:\n",
        ),
    ),
    "already treated": (("  start: {event", "  already_treated: {delft-west: leave-out}\n  start: {event"),),
    "only with data": (("  start: {event", "  only: with-data\n  start: {event"),),
    "a whole number where a fraction may stand": (("value: 0.5", "value: 1"),),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_spelling_that_is_read_is_accepted(name: str, tmp_path: Path) -> None:
    read(tmp_path, *SHORT[name])
    assert complaints(changed(*SHORT[name])) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_nothing_that_is_read_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Several spellings at once, and lines taken out: whenever the reader accepts the text, so does the schema."""
    text = SPEC
    for name in data.draw(st.lists(st.sampled_from(sorted(SHORT)), unique=True, max_size=6)):
        if all(text.count(old) == 1 for old, _ in SHORT[name]):
            for old, new in SHORT[name]:
                text = text.replace(old, new)
    lines = text.splitlines()
    for at in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=1)):
        del lines[at]
    path = tmp_path / "study.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        read_study(path)
    except SpecError:
        return
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("spelled", "fits"),
    [
        ("2021", True),
        ("2021JJ00", True),
        ("2021/'22", True),
        ("2021/22", True),
        ("2021/2022", True),
        ("2021 / 22", True),
        ("2021-2022", True),
        ("2021-22", True),
        ("2021–22", True),
        ("2021SJ00", True),
        ("schooljaar 2011-12", True),
        ("Schooljaar 2021/’22", True),
        ("2023*", True),
        ("2023 (voorlopig)", True),
        (" 2023 ", True),
        ("21", False),
        ("2021-03", False),
        ("2021-K1", False),
        ("2021KW01", False),
        ("1875", False),
        ("2021/", False),
        ("jaar 2021", False),
        ("2021 2022", False),
        ("", False),
    ],
)
def test_periods_are_those_of_the_reader(spelled: str, fits: bool) -> None:
    period = jsonschema.Draft202012Validator(schema()["$defs"]["Period"])
    assert period.is_valid(spelled) is fits
    try:
        fields.as_period(spelled)
    except ValueError:
        assert not fits
    else:
        assert fits


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 7", "seed: 7\nsead: 8"),
        ("every: area", "evry: area"),
        ("every: area", "every: person"),
        ("schema: 1", "schema: 2"),
        ("id: voorbeeld", "id: Voor Beeld"),
        ("seed: 7", "seed: zeven"),
        ("seed: 7\n", ""),
        ("seed: 7", "seed:"),
        ("seed: 7", "seed: -1"),
        ("ratio: 5", "ratio: 0"),
        ("ratio: 5", "ratio: '5'"),
        ("question: Veranderde het?", "question: {de: Ja?}"),
        ("question: Veranderde het?", "question: ''"),
        (", first_treated: 2022", ""),
        ("first_treated: 2022", "first_treated: 2022, column: start"),
        ("first_treated: 2022", "first_treated: 2022-03"),
        ("first_treated: 2022", "first_treated: voorjaar"),
        (", value: aantal}", "}"),
        ("value: aantal", "value: aantal, numerator: a, denominator: b"),
        (AREAS, "  areas: registr\n"),
        ("delft-west: {members", "Delft West: {members"),
        ("[WK050324, WK050325]", "[]"),
        ("{name: group-time, control: never}", "group-tme"),
        ("name: cluster-jackknife", "name: wilde"),
        ("[score-flip]", "[score-flop]"),
        ("cluster: gemeente", "cluster: provincie"),
        ("cluster: gemeente", "cluster: gemeente, level: 95"),
        ("{method: nearest, ratio: 5, on: [structure, size]}", "nne"),
        ("checks: standard", "checks: strict"),
        ("checks: standard", "checks: {balans: 0.1}"),
        ("add_up_to: [region, period]", "add_up_to: [region]"),
        ("{rule: focus-area, why: programma}", "{rule: focus-area}"),
        ("better: lower", "better: lager"),
        ("file: uitkomst.csv", "file: uitkomst.csv\n    share: soms"),
    ],
)  # fmt: skip
def test_what_is_refused_for_its_form_is_refused(old: str, new: str, tmp_path: Path) -> None:
    assert refused(tmp_path, (old, new))
    assert complaints(changed((old, new))) != []


def test_a_study_needs_an_outcome(tmp_path: Path) -> None:
    assert refused(tmp_path, (OUTCOME, ""))
    assert complaints(changed((OUTCOME, ""))) != []


if __name__ == "__main__":
    PUBLISHED.write_text(published(), encoding="utf-8")
