"""A pre-registration to go on writing in: what a study, its lock, its ledger and its plan answer, and what is open.

The questions are those of the template for secondary data of van den Akker et al. (2021), and items 1 to 11 of TREND
(Des Jarlais et al. 2004), both in words of our own. Every answer is a sentence of `explain`, or stands in a file beside
the study; where neither answers, a person is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from impact.evidence.document import Block, Chapter, Code, Column, Manuscript, Paragraph, Points, Section, Table
from impact.evidence.language import Texts, listed, number, texts
from impact.evidence.reading import in_language, plain
from impact.evidence.record import DataFile
from impact.evidence.standing import Standing, standing_sentences
from impact.study.draft import check_filled
from impact.study.explain import sentences
from impact.study.explain_data import smallest
from impact.study.plan_record import Plan, read_plan
from impact.study.plan_words import compared
from impact.study.read import Study
from impact.study.render import versions
from impact.study.standing import Kept, Now, kept, standing
from impact.study.wording import Said, Teller

__all__ = ["CHAPTERS", "preregistration"]

CHAPTERS = {"study": range(1, 5), "data": range(5, 11), "variables": range(11, 17), "knowledge": range(17, 19)}
CHAPTERS |= {"analyses": range(19, 26)}
"""The questions of every part of the template."""
_BY_SECTION = {
    "question": 3, "seen": 18, "outcome": 12, "data": 5, "periods": 5, "treated": 11, "comparison": 13, "estimate": 19,
    "sure": 19, "alternatives": 24, "checks": 23,
}  # fmt: skip
"""Which question the sentences of a section answer, unless they are about one of the topics below."""
_BY_TOPIC = {
    r"disclose\..*|data\.share": 6,
    r"data\..*marks\..*|data\.rounded.*|periods\.provisional": 14,
    r"data\.(n|se|margin|error-from-n|change|.*identity|unchanged.*)": 9,
    r"data\.(units.*|no-units|averaged|gemeente.*|residents|structure|size|selection)": 12,
    r"treated\.only|periods\.out": 13,
    r"estimate\.(every|beside)": 16,
    r"sure\.needs.*": 21,
    r"sure\.(level|correction|family|index|looks).*": 22,
    r"sure\.controls.*|periods\.break\..*": 24,
}
_ALWAYS = (2, 4, 6, 7, 8, 9, 10, 17, 18, 25)
"""Questions that no file answers, or not all of."""
_SEE = {
    1: (11,), 3: (11, 13), 4: (11,), 5: (3, 4), 6: (9, 12, 20), 7: (11, 21, 22), 8: (11, 13), 10: (12, 19),
    11: (14, 19, 22, 24),
}  # fmt: skip
"""Which questions answer an item of TREND."""


@dataclass(slots=True)
class _Answers:
    """What is known of every question, what cannot be concluded, and what a person has to answer as well."""

    points: dict[int, list[str]] = field(default_factory=lambda: {one: [] for one in range(1, 26)})
    limits: list[str] = field(default_factory=list)
    tables: dict[int, Table] = field(default_factory=dict)
    open: set[int] = field(default_factory=lambda: set(_ALWAYS))


def preregistration(study: Study, language: str = "nl") -> Manuscript:
    """The text of a study as it stands, with its lock, ledger and plan; no data are opened.

    Raises
    ------
    UsageError
        ``LOCK-016`` the study itself still holds texts to write; ``TEXT-001`` there is no such language.
    SpecError
        ``PLAN-001`` the file of its plan is none.
    """
    check_filled(study)
    say, found = texts(language), kept(study.path)
    answers = _answered(study, found, say)
    items = [_item(item, study, found, say) for item in range(1, 12)]
    chapters = [
        Chapter(say(f"preregister.chapter.{name}"), tuple(_question(one, answers, say) for one in questions))
        for name, questions in CHAPTERS.items()
    ]
    title = plain(in_language(study.model.title.languages(), language))
    heads = [Column(say(f"preregister.trend.{name}")) for name in ("item", "about", "answer")]
    trend = Table(say("preregister.trend.caption"), tuple(heads), tuple(row for row, _ in items))
    sources = tuple(say(f"preregister.source.{name}") for name in ("template", "trend"))
    integrity = (Paragraph((say("preregister.integrity.asks"),)), _fill("integrity", say))
    stands = (say("preregister.standing"), *standing_sentences(_standing(study, found), say))
    left = say(
        "preregister.left",
        questions=listed(map(str, sorted(answers.open)), language),
        items=listed((str(item) for item, (_, open_) in enumerate(items, 1) if open_), language),
    )
    said = (say("preregister.made", mark=say("preregister.fill_mark")), say("preregister.after"), left)
    return Manuscript(
        language,
        say("preregister.title", title=title),
        (*(Paragraph((text,)) for text in said), _about(study, found, say), Paragraph(stands)),
        (
            *chapters,
            Chapter(say("preregister.chapter.trend"), (), (trend,)),
            Chapter(say("preregister.integrity.title"), (), integrity),
            Chapter(say("preregister.chapter.sources"), (), (Points(sources),)),
        ),
    )


# --- the questions ----------------------------------------------------------------------------------------------------


def _question(number_: int, answers: _Answers, say: Texts) -> Section:
    """A question, what answers it, and what a person has to add."""
    key = f"preregister.q{number_}"
    blocks: list[Block] = [Paragraph((say(f"{key}.asks"),))]
    points = [*([say(f"{key}.own")] if f"{key}.own" in say else []), *answers.points[number_]]
    blocks += [Points(tuple(points))] if points else []
    if f"{key}.limits" in say:
        blocks += [Paragraph((say(f"{key}.limits"),)), Points(tuple(answers.limits))]
    if number_ in answers.tables:
        blocks.append(answers.tables[number_])
    if number_ in answers.open:
        blocks.append(_fill(f"q{number_}", say))
    return Section(f"q{number_}", f"{number_}. {say(f'{key}.title')}", tuple(blocks))


def _fill(what: str, say: Texts) -> Paragraph:
    return Paragraph((_to_fill(what, say),))


def _to_fill(what: str, say: Texts) -> str:
    return say("preregister.fill", what=say(f"preregister.{what}.open"))


def _answered(study: Study, found: Kept, say: Texts) -> _Answers:
    spec, tell = study.model, Teller.of(study.model, say.language)
    answers = _Answers()
    answers.points[1].append(f"{tell.own(spec.title)} ({spec.id})")
    for section, told in sentences(study, say.language).items():
        for said in told:
            into = answers.limits if section == "not-said" else answers.points[_asked(section, said)]
            into.append(plain(said.text))
    # That a unit counts only where every figure is known is an answer to two questions.
    answers.points[14].append(plain(tell("comparison.intro").text))
    answers.points[20] += [plain(said.text) for one in spec.all_outcomes for said in smallest(tell, one)]
    if any(one.smallest_difference_that_matters is None for one in spec.all_outcomes):
        answers.open.add(20)
    answers.points[21] += _power(read_plan(study.path), study, answers, say)
    _files(found, answers, say)
    return answers


def _asked(section: str, said: Said) -> int:
    """The question that a sentence answers."""
    return next((to for topic, to in _BY_TOPIC.items() if re.fullmatch(topic, said.topic)), _BY_SECTION[section])


def _power(plan: Plan | None, study: Study, answers: _Answers, say: Texts) -> Iterator[str]:
    """What the plan of this design found."""
    if plan is not None and plan.spec_sha256 == study.sha256:
        yield say("plan.head", id=plan.study, draws=number(plan.draws, say.language, 0), seed=str(plan.seed)) + "."
        yield say("plan.blind")
        yield from (compared(plan, outcome, say.language) for outcome in plan.outcomes)
        return
    answers.open.add(21)
    if plan is not None:
        yield say("preregister.q21.other")


def _standing(study: Study, found: Kept) -> Standing:
    """Where the study stands, were its data those of its lock."""
    lock = found.lock
    inputs = () if lock is None else lock.inputs
    files = [DataFile(one["role"], one["file"], one["sha256"], 0) for one in inputs]
    return standing(found, Now(study.sha256, {} if lock is None else lock.design, files))


def _files(found: Kept, answers: _Answers, say: Texts) -> None:
    """The digests of the files as they were locked, and what was done, line by line of the ledger."""

    def table(part: str, columns: Sequence[str], rows: Sequence[tuple[str | Code, ...]]) -> Table:
        heads = tuple(Column(say(f"preregister.{part}.{name}")) for name in columns)
        return Table(say(f"preregister.{part}.title"), heads, tuple(rows))

    if found.lock is None:
        answers.points[7].append(say("preregister.inputs.none"))
    else:
        files = [
            (say.known(f"preregister.inputs.roles.{one['role']}", one["role"]), one["file"], Code(one["sha256"]))
            for one in found.lock.inputs
        ]
        answers.tables[7] = table("inputs", ("role", "file", "sha256"), files)
    if found.log_wrong:
        answers.points[8].append(say("preregister.ledger.broken", line=found.log_wrong))
    elif not found.log.entries:
        answers.points[8].append(say("preregister.ledger.none"))
    else:
        lines = [
            (one.at, say(f"preregister.ledger.{one.event}"), say(f"preregister.ledger.saw.{one.seen}"))
            for one in found.log.entries
        ]
        answers.tables[8] = table("ledger", ("at", "event", "seen"), lines)


# --- TREND and the head -----------------------------------------------------------------------------------------------


def _item(item: int, study: Study, found: Kept, say: Texts) -> tuple[tuple[str, ...], bool]:
    """A row of the table of TREND, and whether a person has to add to it."""
    key = f"preregister.trend.t{item}"
    said = [say(f"{key}.own")] if f"{key}.own" in say else []
    if item in _SEE:
        said.append(say("preregister.trend.see", list=listed(map(str, _SEE[item]), say.language)))
    if item == 7 and study.model.looks is None:
        said.append(say(f"{key}.none"))
    if item == 11:
        used = versions() if found.lock is None else found.lock.versions
        said.append(say(f"{key}.software", list=", ".join(f"{name} {used[name]}" for name in sorted(used))))
    open_ = f"{key}.open" in say
    if open_:
        said.append(_to_fill(f"trend.t{item}", say))
    return (str(item), say(f"{key}.about"), " ".join(said)), open_


def _about(study: Study, found: Kept, say: Texts) -> Table:
    """Which study this is, and by what it can be recognised."""
    lock, none = found.lock, say("preregister.file.none")
    stands = _standing(study, found)
    deposit = none
    if stands.deposit is not None:
        given = stands.deposit
        deposit = say("preregister.file.deposited", where=given.where, date=given.date, reference=given.reference)
    rows: dict[str, str | Code] = {
        "study": Code(study.model.id),
        "spec": Code(study.sha256),
        "lock": none if lock is None else Code(lock.lock8),
        "locked": stands.locked or none,
        "deposit": deposit,
    }
    heads = tuple(Column(say(f"preregister.file.{name}")) for name in ("what", "value"))
    cells = tuple((say(f"preregister.file.{name}"), value) for name, value in rows.items())
    return Table(say("preregister.file.title"), heads, cells)
