"""`impact new`: a commented study from the register that is read at once and waits only for its data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from impact.errors import SpecError, UsageError
from impact.register.areas import areas
from impact.register.indicators import IndicatorKind, indicators
from impact.study.comparing import Match
from impact.study.draft import TO_FILL, draft, to_fill
from impact.study.leave_out import LeaveOut
from impact.study.read import read_study
from tests.study.conftest import Ended, impact, tree
from tests.study.example import written
from tests.study.small import made as small

SLUGS = ["", *(one.slug for one in indicators())]


def made(folder: Path, indicator: str) -> tuple[Path, Ended]:
    place = folder / "studies"
    asked = ("--indicator", indicator) if indicator else ()
    return place / "mijn-studie", impact("new", "mijn-studie", *asked, "--in", place)


@pytest.mark.parametrize("slug", SLUGS)
def test_it_is_read_at_once_and_misses_only_its_data(tmp_path: Path, slug: str) -> None:
    place, ended = made(tmp_path, slug)
    assert ended.out.splitlines() == [str(place / "study.yaml"), str(place / "README.md")]
    assert impact("explain", place).code == 0
    assert impact("explain", place, "--language", "en").code == 0
    checked = impact("check", place)
    assert checked.code == 2
    assert re.findall(r"[A-Z]+-\d+", checked.err) == ["SPEC-021", "SPEC-021"]
    assert "mijn-studie.csv" in checked.err and "mijn-studie-wijken.csv" in checked.err
    assert max(map(len, (place / "study.yaml").read_text(encoding="utf-8").splitlines())) <= 150


@pytest.mark.parametrize("one", indicators(), ids=lambda one: one.slug)
def test_it_says_what_the_register_says(tmp_path: Path, one: object) -> None:
    found = next(known for known in indicators() if known is one)
    place, ended = made(tmp_path, found.slug)
    study, text = read_study(place), (place / "study.yaml").read_text(encoding="utf-8")
    outcome, spec = study.model.all_outcomes[0], study.model
    assert (outcome.indicator, outcome.measure.unit) == (found.slug, found.unit)
    assert outcome.better == {"context": "neither"}.get(str(found.direction), str(found.direction))
    assert outcome.kind is None and outcome.source_kind == found.kind.value
    assert (spec.data.outcomes.columns.n is not None) == (found.kind is IndicatorKind.SURVEY)
    words = " ".join(re.sub(r"^#", "", line) for line in text.splitlines())
    for said in (found.source, found.programme, found.note, found.mechanical, found.not_measurable):
        assert " ".join(said.split()).rstrip(".") in " ".join(words.split())
    if found.waves:
        assert spec.periods.are == tuple(map(str, found.waves))
    assert {brk.at[:4] for brk in spec.breaks} <= {brk.at[:4] for brk in found.breaks}
    start = spec.treatment.start.by_area
    assert start is not None and {slug: int(at[:4]) for slug, at in start.items()} == {
        area.slug: area.since for area in areas()
    }
    assert ended.code == bool(found.not_measurable)
    if found.not_measurable:
        assert found.not_measurable in ended.err
        assert found.not_measurable in (place / "README.md").read_text(encoding="utf-8")


def test_every_break_that_the_series_holds_stands_there() -> None:
    text = draft("a", "criminaliteit").study
    assert text.count("treat_as: common-shift") == 2
    assert 'at: "2018"' in text and "vanaf 2018-07" in text


def test_the_choices_named_are_choices(tmp_path: Path) -> None:
    """Every word that a comment offers is one that the language has."""
    text = draft("a", "uitkering").study
    methods = set(get_args(Match.model_fields["method"].annotation))
    assert methods <= set(re.findall(r"[a-z-]+", text))
    assert set(get_args(LeaveOut.model_fields["rule"].annotation)) <= set(re.findall(r"[a-z-]+", text))
    # Keys that are offered in a comment are read when the mark is taken away, on lines of their own.
    for offered in ("vintage", "rounded_to", "marks", "only", "smallest_difference_that_matters", "leave_out"):
        opened, count = re.subn(rf"^(\s*)# ({offered}:)", r"\1\2", text, flags=re.MULTILINE)
        assert count == 1, offered
        read_study(written(tmp_path, opened))


def test_what_a_person_must_write_is_found(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, draft("eigen").study))
    assert set(to_fill(study.tree)) == {
        "seen_before", "data.outcomes.source", "data.units.source", "outcome.name.nl", "outcome.measure.unit"
    }  # fmt: skip
    assert draft("eigen").study.count(f'"{TO_FILL}') == 5
    assert list(to_fill(read_study(written(tmp_path, draft("b", "uitkering").study)).tree)) == [
        "seen_before", "data.units.source"
    ]  # fmt: skip


def test_a_draft_is_not_locked(tmp_path: Path) -> None:
    """Every text that is still open is named at its line, before the data are looked for; nothing is written."""
    place, _ = made(tmp_path, "")
    before = tree(place)
    ended = impact("lock", place)
    assert (ended.code, ended.out) == (2, "")
    lines = (place / "study.yaml").read_text(encoding="utf-8").splitlines()
    named = re.findall(r"studie:(\d+):\d+ LOCK-016 \[(.+)\]: this is still to be written: (.+)", ended.err)
    assert [path for _, path, _ in named] == list(to_fill(read_study(place).tree)) and len(named) == 5
    assert all(f'"{TO_FILL}: {what}"' in lines[int(number) - 1] for number, _, what in named)
    assert "5 problems" in ended.err and "SPEC-021" not in ended.err
    assert tree(place) == before
    study = place / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace(f"{TO_FILL}: ", ""), encoding="utf-8")
    ended = impact("lock", place)
    assert ended.code == 2 and set(re.findall(r"[A-Z]+-\d+", ended.err)) == {"SPEC-021"}, "now only its data lack"


def test_an_open_text_is_not_amended_into_a_lock(tmp_path: Path) -> None:
    study = small(tmp_path)
    study.write()
    assert impact("lock", study.study).code == 0
    locked = (tmp_path / "study.lock").read_bytes()
    study.write(("seen_before: Niets.", f'seen_before: "  {TO_FILL}"'))
    ended = impact("amend", study.study, "--why", "beter")
    assert ended.code == 2 and "LOCK-016 [seen_before]" in ended.err
    assert (tmp_path / "study.lock").read_bytes() == locked


def test_of_many_open_texts_fifty_are_shown(tmp_path: Path) -> None:
    study = small(tmp_path)
    text = "  - {name: n%d, why: %s, same_estimand: true, change: {inference: {level: 0.%d}}}"
    listed = "\n".join(text % (number, TO_FILL, 901 + number) for number in range(53))
    study.write(("seed: 7", f"alternatives:\n{listed}\nseed: 7"))
    ended = impact("lock", study.study)
    assert ended.err.count("[alternatives[") == 50 and "3 more texts are still to be written" in ended.err


def test_the_same_words_give_the_same_study() -> None:
    assert draft("a", "uitkering") == draft("a", "uitkering")
    assert draft("a").study != draft("b").study.replace("b", "a"), "each has a seed of its own"


@pytest.mark.parametrize("kind", ["study", "other file", "file", "link"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "studies" / "mijn-studie"
    place.parent.mkdir()
    if kind == "file":
        place.write_text("mijn tekst", encoding="utf-8")
    elif kind == "link":
        place.symlink_to(tmp_path / "elders")
    else:
        place.mkdir()
        (place / ("study.yaml" if kind == "study" else "notitie.md")).write_text("mijn tekst", encoding="utf-8")
    before = tree(tmp_path)
    _, ended = made(tmp_path, "uitkering")
    assert (ended.code, ended.out) == (4, "")
    assert "WRITE-010" in ended.err
    assert tree(tmp_path) == before
    assert not (tmp_path / "elders").exists()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "studies" / "mijn-studie").mkdir(parents=True)
    assert made(tmp_path, "uitkering")[1].code == 0


def test_an_unknown_indicator_lists_all(tmp_path: Path) -> None:
    _, ended = made(tmp_path, "veiligheid")
    assert (ended.code, ended.out) == (2, "")
    assert all(one.slug in ended.err and one.nl in ended.err for one in indicators())
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("slug", ["../weg", "a/b", "A", "", "a--b", "-a", "a" * 81, "a\n", "con:", "é"])
def test_a_slug_that_no_study_can_have(slug: str) -> None:
    with pytest.raises(UsageError, match="USAGE-020"):
        draft(slug)


def test_a_study_needs_no_register_to_be_wrong(tmp_path: Path) -> None:
    """The text is read by the same reader: a spoilt one is told with its line."""
    with pytest.raises(SpecError, match=r"study\.yaml:\d+"):
        read_study(written(tmp_path, draft("a").study.replace("schema: 1", "schema: 9")))
