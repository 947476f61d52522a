"""`impact preregister`: every answer is in a file of the study, and what is in none is left to a person."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docx import Document as opened

from impact.evidence.document import Block, Manuscript, Paragraph, Points, Section, Table
from impact.evidence.language import languages, texts
from impact.evidence.markdown import as_markdown
from impact.evidence.reading import plain
from impact.files import sha256
from impact.study.draft import TO_FILL, draft
from impact.study.explain import sentences
from impact.study.log import read_log
from impact.study.plan_record import Amount, Plan, Planned, Tried, write_plan
from impact.study.preregister import CHAPTERS, preregistration
from impact.study.read import read_study
from tests.shared import ROOT
from tests.study.conftest import impact
from tests.study.small import Small, made

STUDIES = sorted(path.name for path in (ROOT / "studies").iterdir() if (path / "study.yaml").is_file())
QUESTIONS = {one: chapter for chapter, all_ in CHAPTERS.items() for one in all_}


@pytest.fixture
def small(tmp_path: Path) -> Small:
    study = made(tmp_path)
    study.write()
    return study


def texts_of(blocks: tuple[Block, ...]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Paragraph):
            yield " ".join(map(plain, block.pieces))
        elif isinstance(block, Points):
            yield from map(plain, block.items)
        elif isinstance(block, Table):
            yield from (plain(cell) for row in block.rows for cell in row)


def questions(text: Manuscript) -> dict[int, Section]:
    found = [section for chapter in text.chapters[: len(CHAPTERS)] for section in chapter.sections]
    return {int(section.title.partition(".")[0]): section for section in found}


def answer(text: Manuscript, question: int) -> str:
    return "\n".join(texts_of(questions(text)[question].blocks))


def lead(text: Manuscript) -> str:
    return "\n".join(texts_of(text.lead))


def made_of(small: Small, language: str = "nl") -> Manuscript:
    return preregistration(read_study(small.study), language)


def opens(text: str, language: str = "nl") -> bool:
    return texts(language)("preregister.fill_mark").partition("…")[0] in text


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("slug", STUDIES)
def test_nothing_that_a_study_says_is_left_out_and_nothing_is_invented(slug: str, language: str) -> None:
    study = read_study(ROOT / "studies" / slug)
    text = preregistration(study, language)
    found = [said for section in questions(text).values() for said in texts_of(section.blocks)]
    explained = {plain(said.text) for told in sentences(study, language).values() for said in told}
    assert explained <= set(found)
    say = texts(language)
    ours = {told for key, told in say.entries.items() if re.fullmatch(r"preregister\.q\d+\.(asks|own|limits)", key)}
    kept = tuple(block for one in questions(text).values() for block in one.blocks if isinstance(block, Table))
    tables = set(texts_of(kept))
    rest = set(found) - explained - ours - tables - {say("preregister.inputs.none"), say("preregister.ledger.none")}
    title = study.model.title.languages()
    name = title.get(language, title["nl"])
    assert {said for said in rest if not opens(said, language)} == {f"{name} ({study.model.id})"}
    entries = read_log(study.path.with_name("study.log.jsonl")).entries
    assert tables >= {entry.at for entry in entries}


@pytest.mark.parametrize("language", languages())
def test_all_questions_are_asked_and_the_open_ones_are_named(small: Small, language: str) -> None:
    text = made_of(small, language)
    asked = questions(text)
    assert list(asked) == list(range(1, 26))
    left = [number for number, section in asked.items() if opens("\n".join(texts_of(section.blocks)), language)]
    (items,) = (block for block in text.chapters[len(CHAPTERS)].blocks if isinstance(block, Table))
    rows = [[plain(cell) for cell in row] for row in items.rows]
    assert [row[0] for row in rows] == [str(item) for item in range(1, 12)]
    open_items = [int(row[0]) for row in rows if opens(row[2], language)]
    numbers = [int(number) for number in re.findall(r"\d+", lead(text).splitlines()[2])]
    assert numbers == left + open_items
    assert all(len(tuple(texts_of(section.blocks))) > 1 for section in asked.values()), "answered, or to be filled in"
    assert {2, 10, 17, 20, 21} <= set(left) and {2, 4} <= set(open_items)
    assert not {3, 5, 11, 12, 13, 16, 19, 22, 23} & set(left) and 11 not in open_items
    named = {int(number) for row in rows for number in re.findall(r"\d+", row[2].partition(".")[0])}
    assert named <= set(asked)


@pytest.mark.parametrize(
    ("name", "said", "question"),
    [
        ("voortijdig-schoolverlaten", "achter een cijfer dat het voorlopig is", 14),
        ("voortijdig-schoolverlaten", "veelvoud van 5", 14),
        ("voortijdig-schoolverlaten", "tellen niet mee. Reden: corona", 13),
        ("voortijdig-schoolverlaten", "Het kleinste verschil dat telt, is 0,5 procentpunt", 20),
        ("voortijdig-schoolverlaten", "Elk focusgebied telt even zwaar", 16),
        ("voortijdig-schoolverlaten", "per-inwoner: beantwoordt een andere vraag", 24),
        ("voortijdig-schoolverlaten", "95%-interval", 22),
        ("voortijdig-schoolverlaten", "Kenmerken van opbouw", 12),
        ("ervaren-veiligheid", "het aantal respondenten achter elk cijfer", 9),
        ("ervaren-veiligheid", "Vanaf 2021 wordt anders gemeten", 5),
        ("ervaren-veiligheid", "ten minste 50 respondenten", 23),
        ("placebo-2016", "Dit is een placebostudie", 3),
    ],
)
def test_a_sentence_answers_its_question(name: str, said: str, question: int) -> None:
    text = preregistration(read_study(ROOT / "studies" / name))
    assert said in answer(text, question)


def test_what_may_go_out_and_what_is_needed(small: Small) -> None:
    small.write(
        (
            "seed: 7",
            "seed: 7\nneeds: {power: 0.8}\ndisclose: public\nlooks: {planned: ['2023', '2024'], spending: pocock}",
        ),
        ("file: wijken.csv", "file: wijken.csv\n    share: true\n    marks: {missing: [geen]}"),
        ("better: lower", "better: lower\n  smallest_difference_that_matters: {value: 0.5, why: de commissie}"),
    )
    text = made_of(small)
    told = sentences(read_study(small.study))
    going_out = [plain(said.text) for said in told["checks"] if said.topic.startswith("disclose.")]
    assert going_out and all(said in answer(text, 6) for said in going_out)
    assert "gaat mee in de bundel" in answer(text, 6) and "‘geen’" in answer(text, 14)
    needs = [plain(said.text) for said in told["sure"] if said.topic.startswith("sure.needs")]
    looks = [plain(said.text) for said in told["sure"] if said.topic.startswith("sure.looks")]
    assert needs and looks
    assert all(said in answer(text, 21) for said in needs) and all(said in answer(text, 22) for said in looks)
    assert not opens(answer(text, 20))
    assert texts("nl")("preregister.trend.t7.none") not in as_markdown(text)


def test_the_lock_the_ledger_and_the_deposit(small: Small) -> None:
    say = texts("nl")
    before = made_of(small)
    assert say("standing.because.unlocked") in lead(before)
    assert say("preregister.inputs.none") in answer(before, 7) and say("preregister.ledger.none") in answer(before, 8)
    assert impact("lock", small.study).code == 0
    lock8 = re.findall(r"\b[0-9a-f]{8}\b", impact("lock", small.study).out)[0]
    locked = made_of(small)
    assert lock8 in lead(locked) and say("standing.own") in lead(locked)
    digest = hashlib.sha256((small.root / "uitkomst.csv").read_bytes()).hexdigest()
    assert digest in answer(locked, 7) and sha256(small.root / "wijken.csv") in answer(locked, 7)
    assert say("preregister.ledger.locked") in answer(locked, 8)
    given = ("--where", "OSF", "--date", "2026-11-26", "--reference", "10.17605/x")
    assert impact("deposit", small.study, *given).code == 0
    assert "OSF, 26 november 2026, 10.17605/x" in lead(made_of(small))
    small.write(("seed: 7", "seed: 8"))
    assert say("standing.because.specification", lock=lock8, detail="") in lead(made_of(small))


def test_a_lock_after_the_outcomes_were_opened_says_so(small: Small) -> None:
    assert impact("run", small.study, "--out", small.out).code in (0, 1)
    assert impact("lock", small.study).code == 0
    text = made_of(small)
    assert texts("nl")("standing.because.outcomes") in lead(text)
    assert texts("nl")("preregister.ledger.saw.outcomes") in answer(text, 8)


def test_a_ledger_that_was_tampered_with_is_no_answer(small: Small) -> None:
    assert impact("lock", small.study).code == 0
    ledger = small.root / "study.log.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"seen":"design"', b'"seen":"nothing"'))
    text = made_of(small)
    assert texts("nl")("preregister.ledger.broken", line="1") in answer(text, 8)
    assert not [block for block in questions(text)[8].blocks if isinstance(block, Table)]


def test_a_plan_answers_for_its_own_design_only(small: Small) -> None:
    small.write(("better: lower", "better: lower\n  smallest_difference_that_matters: {value: 0.5, why: commissie}"))
    study = read_study(small.study)
    tried = Tried(inference="cluster-jackknife", power=Amount(value=0.62, error=0.02), detectable=Amount(value=0.7))
    names, units = {"nl": "Iets"}, {"nl": "procentpunt"}
    outcome = Planned(indicator="iets", names=names, units=units, areas=5, smallest=0.5, tried=(tried,))
    plan = Plan(
        study="niveau", spec_sha256=study.sha256, draws=500, seed=7, level=0.95, power=0.8, outcomes=(outcome,)
    )  # fmt: skip
    write_plan(plan, small.study)
    text = made_of(small)
    assert not opens(answer(text, 21))
    assert "Met 5 gebieden is pas een verschil vanaf 0,7 procentpunt te zien (met een kans van 80%)" in answer(text, 21)
    assert "500 getrokken werelden" in answer(text, 21)
    write_plan(plan.model_copy(update={"spec_sha256": "0" * 64}), small.study)
    text = made_of(small)
    assert opens(answer(text, 21)) and texts("nl")("preregister.q21.other") in answer(text, 21)
    assert "0,7 procentpunt" not in as_markdown(text)


def test_the_status_is_that_of_a_run_on_the_data_of_the_lock(small: Small) -> None:
    assert impact("lock", small.study).code == 0
    text = made_of(small)
    assert impact("run", small.study, "--out", small.out).code in (0, 1)
    page = (small.out / "report.html").read_text(encoding="utf-8")
    stands = lead(text).splitlines()[-1].removeprefix(texts("nl")("preregister.standing")).strip()
    assert "vastgelegd" in stands and stands in page


def test_both_files_say_the_same(small: Small) -> None:
    assert impact("lock", small.study).code == 0
    text = made_of(small)
    for name in ("tekst.md", "tekst.docx"):
        ended = impact("preregister", small.study, "--out", small.root / name)
        assert (ended.code, ended.out.strip()) == (0, str(small.root / name)), ended.err
    page = (small.root / "tekst.md").read_text(encoding="utf-8")
    assert page == as_markdown(text) == impact("preregister", small.study).out
    found = opened(io.BytesIO((small.root / "tekst.docx").read_bytes()))
    heads = [one.text for one in found.paragraphs if one.style.name.startswith(("Title", "Heading"))]
    assert [re.sub(r"\\(.)", r"\1", head) for head in re.findall(r"^#+ (.*)$", page, re.MULTILINE)] == heads
    cells = [cell.text for table in found.tables for row in table.rows for cell in row.cells]
    told = {one.text for one in found.paragraphs} | set(cells)
    blocks = [*text.lead, *(block for one in text.chapters for block in one.blocks)]
    blocks += [block for one in text.chapters for section in one.sections for block in section.blocks]
    assert {" ".join(said.split()) for said in texts_of(tuple(blocks))} <= told


def test_what_somebody_wrote_is_not_written_over(small: Small) -> None:
    place = small.root / "tekst.md"
    assert impact("preregister", small.study, "--out", place).code == 0
    assert impact("preregister", small.study, "--out", place).code == 0, "the same text may be written again"
    place.write_text("mijn antwoorden", encoding="utf-8")
    ended = impact("preregister", small.study, "--out", place)
    assert ended.code == 2 and "USAGE-042" in ended.err
    assert place.read_text(encoding="utf-8") == "mijn antwoorden"


@pytest.mark.parametrize("name", ["tekst.pdf", "tekst", "tekst.doc"])
def test_another_kind_of_file_is_refused(small: Small, name: str) -> None:
    ended = impact("preregister", small.study, "--out", small.root / name)
    assert ended.code == 2 and "USAGE-041" in ended.err and not (small.root / name).exists()


def test_a_draft_and_an_unknown_language_are_refused(small: Small, tmp_path: Path) -> None:
    (tmp_path / "nieuw").mkdir()
    (tmp_path / "nieuw" / "study.yaml").write_text(draft("eigen").study, encoding="utf-8")
    ended = impact("preregister", tmp_path / "nieuw")
    assert (ended.code, ended.out) == (2, "") and ended.err.count("LOCK-016") == 5 and TO_FILL in ended.err
    ended = impact("preregister", small.study, "--lang", "fy")
    assert ended.code == 2 and "TEXT-001" in ended.err


def test_nothing_is_written_beside_the_study(small: Small) -> None:
    before = sorted(path.name for path in small.root.iterdir())
    assert impact("preregister", small.study).code == 0
    assert sorted(path.name for path in small.root.iterdir()) == before, "no line in the ledger, no lock, no plan"
