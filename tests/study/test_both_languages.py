"""A bundle speaks Dutch and English: of one run, with the same numbers, each page in its own language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import impact
from impact.errors import DataError, UsageError
from impact.study.bundle import read_bundle
from impact.study.read import read_study
from impact.study.wording import texts_of, untranslated
from tests.study.conftest import impact as command
from tests.study.languages import check_both, figures, numbers_in, outcomes
from tests.study.small import Small, made

TOLD = (
    ("why: programma}", "why: {nl: krijgt het programma, en: gets the programme}}"),
    ("unit: procentpunt}", "unit: {nl: punten van iets, en: points of something}}"),
    ("question: Veranderde het?", "question: {nl: Veranderde het?, en: Did it change?}"),
    ("seen_before: Niets.", "seen_before: {nl: Niets., en: Nothing.}"),
    ("name: {nl: Iets}", "name: {nl: Iets, en: Something}"),
    (
        "seed: 7",
        "leave_out: [{periods: [2017], why: {nl: een slecht jaar, en: a bad year}}, {periods: [2018], why: een slecht "
        "jaar daarna}]\n"
        "breaks: [{at: 2019, treat_as: common-shift, why: {nl: nieuwe vragen, en: new questions}, check: same-shift}]\n"
        "alternatives: [{name: zonder-2016, why: {nl: zonder een jaar, en: without a year}, same_estimand: false, "
        "change: {leave_out: [{periods: [2016], why: proef}]}}]\n"
        "seed: 7",
    ),
)

PAGES = {"nl": "report.html", "en": "report.en.html"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A study whose author gives most of its texts in both languages."""
    small = made(tmp_path_factory.mktemp("told"))
    small.run(*TOLD)
    return small


def test_the_first_study_has_every_page_in_both_languages(first: Path) -> None:
    check_both(first)


def test_what_an_author_gives_in_both_is_said_in_both(told: Small) -> None:
    check_both(told.out)
    (found,) = outcomes(told.out)
    english = (told.out / "report.en.html").read_text(encoding="utf-8")
    dutch = (told.out / "report.html").read_text(encoding="utf-8")
    for words, other in (
        ("gets the programme", "krijgt het programma"),
        ("points of something", "punten van iets"),
        ("a bad year", "een slecht jaar"),
        ("new questions", "nieuwe vragen"),
        ("without a year", "zonder een jaar"),
        ("Nothing.", "Niets."),
        ("Did it change?", "Veranderde het?"),
    ):
        assert words in english and words not in dutch
        assert other in dutch and (other not in english or other == "een slecht jaar")
    assert '<span lang="nl">een slecht jaar daarna</span>' in english
    assert set(found["untranslated"]) == {"een slecht jaar daarna", "Niveau", "zonder-2016"}
    assert found["unit"] == "punten van iets" and found["translations"]["en"]["/unit"] == "points of something"


def test_a_study_that_gives_no_english_means_the_same(tmp_path: Path) -> None:
    """Its digest is that of the Dutch alone, as before; with English it is another."""
    small = made(tmp_path)
    small.write()
    plain = read_study(small.study)
    small.write(("why: programma}", "why: {nl: programma}}"))
    assert read_study(small.study).sha256 == plain.sha256
    small.write(("why: programma}", "why: {nl: programma, en: programme}}"))
    assert read_study(small.study).sha256 != plain.sha256
    assert texts_of(read_study(small.study).model, "en").own("programma") == "programme"
    assert set(untranslated(plain.model)) == {"Niveau", "Veranderde het?", "Niets.", "Iets", "programma"}


def test_a_label_that_is_a_number_takes_the_place_of_no_number(tmp_path: Path) -> None:
    small = made(tmp_path)
    small.write(("why: programma}", "why: {nl: '3', en: three}}"))
    say = texts_of(read_study(small.study).model, "en")
    assert say.own("3") == "3"
    assert say("format.interval", low="3", high="4") == "3 to 4"


@pytest.mark.parametrize("wrong", ["why: {en: programme}", "why: {nl: programma, fr: programme}", "why: {nl: ''}"])
def test_a_text_without_dutch_is_a_fault(tmp_path: Path, wrong: str) -> None:
    small = made(tmp_path)
    small.write(("why: programma", wrong))
    assert command("check", small.study).code == 2


def test_a_figure_of_a_bundle_in_english(told: Small) -> None:
    bundle = impact.read_bundle(told.out)
    assert bundle.figure("gap") == (told.out / "figures" / "gap.svg").read_text(encoding="utf-8")
    assert "Focus areas" in bundle.figure("gap", language="en") and "Focus" in bundle.figure("gap")
    assert "Focus areas" not in bundle.figure("gap")
    with pytest.raises(UsageError, match="BUNDLE-003"):
        bundle.figure("nothing", language="en")


def test_a_citation_is_in_the_words_of_its_language(told: Small) -> None:
    address = impact.read_bundle(told.out).tidy()["address"].iloc[0]
    said = command("cite", address, told.out, "--language", "en").out
    assert "points of something" in said and "punten van iets" not in said
    assert "punten van iets" in command("cite", address, told.out).out


@pytest.mark.parametrize(
    "laid",
    [
        {"en": {"/notes/999": "x"}},
        {"en": {"/status": "pre-specified"}},
        {"en": {"/checks/0/verdict": "pass"}},
        {"en": {"/primary/value": "x"}},
        {"en": {"/siblings/0/1": "javascript:alert(1)"}},
        {"en": {"/unit": 3}},
        {"en": ["/unit"]},
        {"nl": {"/unit": "x"}},
        {"fr": {}},
        "en",
    ],
)
def test_a_forged_translation_is_refused(told: Small, tmp_path: Path, laid: Any) -> None:
    said = json.loads((told.out / "results.json").read_text(encoding="utf-8"))
    said["outcomes"][0]["translations"] = laid
    said["outcomes"][0]["siblings"] = [["Iets", "report-iets.html"]]
    (tmp_path / "results.json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(DataError, match="BUNDLE-002"):
        read_bundle(tmp_path)


def test_what_may_not_leave_is_in_neither_language(tmp_path: Path) -> None:
    small = made(tmp_path)
    open_ = small.run(*TOLD[:-1])["primary"]
    values = {f"{abs(open_[name]):.1f}" for name in ("value", "low", "high")}  # as both pages print them
    assert all(values <= figures(small.out / page, language).keys() for language, page in PAGES.items())
    small.run(*TOLD[:-1], ("seed: 7", "disclose: {minimum_units: 12}\nseed: 7"))
    check_both(small.out)
    for language, page in PAGES.items():
        assert not values & figures(small.out / page, language).keys()
    (found,) = outcomes(small.out)
    assert not values & numbers_in(json.dumps(found["translations"]), "en").keys()
