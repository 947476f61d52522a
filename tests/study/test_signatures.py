"""A person's judgement beside a study: read, refused where it is not whole, shown, and never assumed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from impact.errors import DataError
from impact.evidence.language import texts
from impact.evidence.signed import Signed
from impact.study.bundle import parsed, read_bundle, results_json
from impact.study.lock import read_lock
from impact.study.read import read_study
from impact.study.signatures import blank, signatures, signed_beside
from impact.study.verify import verify
from tests.study.conftest import impact
from tests.study.small import Small, made

AREAS = {"gebied-b": ["WK910101"], "gebied-c": ["WK910201"]}
FILLED = {
    "level": "2",
    "who": "A. Beoordelaar",
    "role": "lid begeleidingscommissie",
    "date": "2026-11-26",
    "why": "Te weinig gebieden.",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    study = made(tmp_path_factory.mktemp("signed"))
    study.areas = AREAS
    study.run()
    return study


def sign(small: Small, **changes: str | None) -> Path:
    """The file as `impact grade` makes it, filled in."""
    file = small.root / "study.grade.yaml"
    file.unlink(missing_ok=True)
    done = impact("grade", small.out, "--out", small.root)
    assert done.code == 0, done.err
    text = file.read_text(encoding="utf-8")
    for name, value in (FILLED | changes).items():
        assert text.count(f"    {name}:\n") == 1
        text = text.replace(f"    {name}:\n", f"    {name}: {value or ''}\n")
    file.write_text(text, encoding="utf-8")
    return file


def problems(small: Small) -> str:
    done = impact("run", small.study, "--out", small.root / "elders")
    assert done.code == 2 and not (small.root / "elders").exists()
    return done.err


def test_the_form_is_printed_and_nothing_is_signed(small: Small) -> None:
    for language, said in (("nl", "Niet door een persoon vastgesteld."), ("en", "Not established by a person.")):
        done = impact("grade", small.out, "--language", language)
        assert done.code == 0 and ("Graad: geen" in done.out or "Grade: none" in done.out or said in done.out)
        assert "ROBINS-I" in done.out and "TREND" in done.out
    assert not (small.root / "study.grade.yaml").exists()
    assert read_bundle(small.out).outcomes[0].signed is None


def test_an_empty_form_signs_nothing(small: Small) -> None:
    sign(small, **dict.fromkeys(FILLED))
    small.run()
    assert read_bundle(small.out).outcomes[0].signed is None


def test_what_is_signed_stands_in_report_and_record_and_changes_no_number(small: Small) -> None:
    (small.root / "study.grade.yaml").unlink(missing_ok=True)
    before = small.run()
    sign(small)
    after = small.run()
    assert after["signed"] == {**FILLED, "level": 2}
    assert {**after, "signed": None, "untranslated": None, "standing": None} == {
        **before,
        "untranslated": None,
        "standing": None,
    }
    assert "Te weinig gebieden." in (small.out / "report.html").read_text(encoding="utf-8")
    english = (small.out / "report.en.html").read_text(encoding="utf-8")
    assert '<span lang="nl">Te weinig gebieden.</span>' in english
    assert (small.out / "study.grade.yaml").read_bytes() == (small.root / "study.grade.yaml").read_bytes()
    said = verify(small.out, data=[small.root], rerun=True)
    assert not said.differs, said.summary("en")
    assert said.recomputed.sentence.key == "recomputed.identical"
    forged = parsed((small.out / "results.json").read_bytes(), "")
    other = replace(forged[0], signed=Signed(3, *list(FILLED.values())[1:]))
    (small.out / "results.json").write_bytes(results_json([other]))
    found = [one.values.get("file") for one in verify(small.out).recomputed.differences]
    assert "study.grade.yaml" in found, "a signature that nobody gave"


def test_a_lock_is_the_same_with_and_without(small: Small) -> None:
    small.write()
    file = sign(small)
    text = file.read_text(encoding="utf-8")
    file.unlink()
    (small.root / "study.log.jsonl").unlink()
    assert impact("lock", small.study).code == 0
    lock = read_lock(small.root)
    assert lock is not None
    file.write_text(text, encoding="utf-8")
    found = small.run()
    assert found["status"] == "pre-specified" and read_study(small.study).sha256 in text
    for made_ in ("study.lock", "study.log.jsonl"):
        (small.root / made_).unlink()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"level": "4"}, "a level is 1 to 3"),
        ({"level": "drie"}, "a level is 1 to 3"),
        ({"level": "true"}, "a level is 1 to 3"),
        ({"who": None}, "it lacks who"),
        ({"date": None, "why": None}, "it lacks date, why"),
        ({"date": "26-11-2026"}, "a date is as 2026-11-26"),
        ({"why": "x\n    extra: y"}, "`extra` is no key"),
        ({"level": '" "', "who": '" "'}, "it lacks level, who"),
    ],
)
def test_what_is_not_whole_is_refused_before_anything_runs(small: Small, changes: dict[str, str], said: str) -> None:
    small.write()
    sign(small, **changes)
    found = problems(small)
    assert "GRADE-002" in found and said in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("study: niveau", "study: anders", "GRADE-003"),
        ("schema: 1", "schema: 2", "GRADE-002"),
        ("look: 1", "look: 2", "it judges look 2, and this is look 1"),
        ("schema: 1", "schema: 1\nextra: 2", "GRADE-001"),
        ("outcome: iets", "outcome: anders", "no outcome of the study"),
        ("schema: 1", "schema: &a 1", "GRADE-001"),
        ("grades:", "grades: [", "GRADE-001"),
        ("schema: 1", "# " + 200_000 * "x" + "\nschema: 1", "GRADE-001"),
    ],
)
def test_what_is_no_such_file_is_refused(small: Small, old: str, new: str, said: str) -> None:
    small.write()
    file = sign(small)
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert said in problems(small)


def test_another_design_was_not_judged(small: Small) -> None:
    sign(small)
    small.write(("controls: 2,", "controls: 3,"))
    found = problems(small)
    assert "GRADE-003" in found and "impact grade" in found


def test_a_judgement_is_of_one_look(small: Small, tmp_path: Path) -> None:
    """Who judged the first look has not seen the numbers of the second."""
    (evidence, *_) = read_bundle(small.out).outcomes
    later = replace(evidence, standing=replace(evidence.standing, look=2))
    small.write()
    shutil.copy(sign(small), tmp_path / "study.grade.yaml")
    assert signed_beside(evidence, tmp_path).signed is not None
    with pytest.raises(DataError, match="GRADE-003"):
        signed_beside(later, tmp_path)
    file = small.root / "study.grade.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("look: 1", "look: 2"), encoding="utf-8")
    assert impact("check", small.study).code == 0, "a design has no look"
    assert "look: 2" in blank([later], texts("nl"))


def test_spaces_are_no_judgement(small: Small) -> None:
    content = 'schema: 1\nstudy: s\ndesign: d\ngrades:\n  - outcome: iets\n    level: " "\n    who: "  "\n'
    assert signatures(content.encode(), "x", "s", "d", ["iets"]) == {}


@pytest.mark.parametrize("grades", ["5", "waar", "{outcome: [iets]}"])
def test_what_is_no_list_of_judgements_is_refused_by_a_citation(small: Small, tmp_path: Path, grades: str) -> None:
    (evidence, *_) = read_bundle(small.out).outcomes
    text = f"schema: 1\nstudy: {evidence.study}\ndesign: {evidence.spec_sha256}\ngrades: {grades}\n"
    (tmp_path / "study.grade.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="GRADE-002"):
        signed_beside(evidence, tmp_path)


def test_a_citation_says_what_was_signed_since(small: Small) -> None:
    (small.root / "study.grade.yaml").unlink(missing_ok=True)
    small.run()
    address = impact("show", small.out, "primary")
    table = read_bundle(small.out).tidy()
    address_ = str(table.loc[table["role"] == "primary", "address"].iloc[0])
    assert address.code == 0
    before = impact("cite", address_, small.out, "--study", small.root)
    sign(small)
    after = impact("cite", address_, small.out, "--study", small.root)
    assert before.code == after.code, after.err
    if "Graad: geen" not in before.out:
        assert "Niet door een persoon vastgesteld." in before.out
        assert "Vastgesteld op niveau 2 door A. Beoordelaar" in after.out


def test_a_form_that_somebody_filled_in_is_kept(small: Small) -> None:
    file = sign(small)
    before = file.read_bytes()
    done = impact("grade", small.out, "--out", small.root)
    assert done.code == 2 and "USAGE-042" in done.err and file.read_bytes() == before
