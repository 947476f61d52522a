"""Versions of the language of studies: an old study keeps its meaning, a newer one is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import rfc8785

from impact.errors import SpecError
from impact.study.read import read_study
from impact.study.source import Node, parse
from impact.study.validate import canonical, validate
from impact.study.versions import SCHEMA, SINCE, UPGRADES, upgraded
from tests.study.example import SPEC, changed, written

# An invented schema 0, in which `weeks` stood for what schema 1 calls `seed`, and `every` came only with schema 1.
OLD = SPEC.replace("schema: 1", "schema: 0").replace("seed: 7", "weeks: 7")


def rename(tree: Node) -> None:
    tree.content["seed"], tree.keys["seed"] = tree.content.pop("weeks"), tree.keys.pop("weeks")


def tree_of(text: str) -> Node:
    tree, findings = parse(text)
    assert tree is not None and not findings
    return tree


def test_an_old_study_means_what_it_meant() -> None:
    tree = tree_of(OLD)
    assert upgraded(tree, schema=1, upgrades={0: rename}) == []
    old, wrong = validate(tree)
    new, _ = validate(tree_of(SPEC))
    assert not wrong and old is not None and new is not None
    assert canonical(old) == canonical(new)


def test_upgrades_follow_each_other() -> None:
    tree = tree_of("schema: 0\nid: a\n")

    def add(name: str) -> None:
        tree.content["id"].content += name

    upgrades = {number: lambda _, name=name: add(name) for number, name in enumerate("bcd")}
    assert upgraded(tree, schema=3, upgrades=upgrades) == []
    assert (tree.content["id"].content, tree.content["schema"].content) == ("abcd", 3)


def test_a_key_that_came_later_names_its_version() -> None:
    tree = tree_of(OLD)
    (found,) = upgraded(tree, schema=1, upgrades={0: rename}, since={"target.every": 1, "absent": 1})
    line = next(number for number, line in enumerate(OLD.splitlines(), 1) if line.startswith("target:"))
    assert (found.code, found.path) == ("SPEC-005", "target.every")
    assert "`every` comes with schema 1; the study says schema 0" in found.message
    assert found.place is not None and found.place[0] == line
    assert "weeks" in tree.content, "nothing was changed"


def test_a_key_inside_a_list_is_found() -> None:
    tree = tree_of("schema: 0\nrules:\n  - {a: 1}\n  - {b: 2}\n")
    (found,) = upgraded(tree, schema=1, upgrades={0: lambda _: None}, since={"rules.b": 1})
    assert found.place == (4, 6)


def test_a_newer_study_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Nothing is said of keys that this version cannot know, such as a wrong guess at what was meant."""
    text = SPEC.replace("schema: 1", f"schema: {SCHEMA + 1}").replace("seed: 7", "sead: 7\nunheard_of: 3")
    with pytest.raises(SpecError) as caught:
        read_study(written(tmp_path, text))
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("SPEC-005", 1)
    assert f"schema {SCHEMA + 1}" in problem.message and f"knows schema {SCHEMA}" in problem.message


@pytest.mark.parametrize("said", ["0", "-3"])
def test_a_version_that_never_was(tmp_path: Path, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_study(written(tmp_path, SPEC.replace("schema: 1", f"schema: {said}")))
    assert f"There is no schema {said}." in caught.value.problems[0].message


@pytest.mark.parametrize("said", ["true", "one", "1.0", "[1]"])
def test_what_is_no_version(tmp_path: Path, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_study(written(tmp_path, SPEC.replace("schema: 1", f"schema: {said}")))
    assert [problem.code for problem in caught.value.problems] == ["SPEC-007"]


def test_every_older_version_can_be_read() -> None:
    assert sorted(UPGRADES) == list(range(1, SCHEMA))
    assert all(1 < came <= SCHEMA for came in SINCE.values())


def test_the_meaning_of_schema_1_does_not_change() -> None:
    """The canonical JSON of a study that says only what is not standard is the text itself.

    Whoever changes a default or renames a key changes the meaning, and with it the lock, of every study in use.
    """
    model, _ = validate(tree_of(changed(("checks: standard\n", ""))))
    assert model is not None
    meant = {
        "schema": 1, "id": "voorbeeld", "title": {"nl": "Voorbeeld", "en": "Example"},
        "question": {"nl": "Veranderde het?"}, "seen_before": {"nl": "Niets."},
        "data": {
            "outcomes": {
                "file": "uitkomst.csv", "columns": {"region": "wijk", "period": "jaar", "value": "aantal"},
                "rows": {"where": {"delict": ["104"]}, "add_up_to": ["region", "period"]},
            },
            "units": {
                "file": "wijken.csv",
                "columns": {
                    "region": "wijk", "residents": "inwoners", "structure": ["huur", "bijstand"], "size": ["inwoners"]
                },
            },
        },
        "periods": {"first": "2013", "last": "2024"},
        "treatment": {
            "areas": {
                "listed": {
                    "delft-west": {"members": ["WK050324", "WK050325"]},
                    "den-haag-zuidwest": {"members": ["WK051833"]},
                }
            },
            "start": {"event": "prestatieafspraak", "first_treated": "2022"},
        },
        "outcomes": [
            {
                "indicator": "voortijdig-schoolverlaten", "measure": {"unit": "procentpunt"}, "better": "lower",
                "smallest_difference_that_matters": {"value": 0.5, "why": "commissie"},
            }
        ],
        "target": {"kind": "average", "window": ["2022", "2024"], "every": "area"},
        "comparison": {
            "leave_out": [{"rule": "focus-area", "why": "programma"}],
            "match": {"method": "nearest", "ratio": 5, "on": ["structure", "size"]},
        },
        "estimator": {"name": "group-time", "control": "never"},
        "inference": {"name": "cluster-jackknife", "beside": [{"name": "score-flip"}]},
        "alternatives": [
            {"name": "zonder", "why": "alles", "same_estimand": True, "change": {"comparison": {"match": "none"}}}
        ],
        "seed": 7,
    }  # fmt: skip
    assert canonical(model) == rfc8785.dumps(meant)
