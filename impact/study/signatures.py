"""The file in which a person gives the level of the evidence: read, held against the study, and made to fill in.

It says nothing of the design and changes no lock. Codes (stable): ``GRADE-001`` the file cannot be read; ``GRADE-002``
what it says is not whole or not allowed; ``GRADE-003`` it is about another design, look or study; ``GRADE-004`` one
file is asked for several studies.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from impact.errors import DataError, Problem, raise_all
from impact.evidence.grade import MOST, grade, grade_sentences
from impact.evidence.grade_form import SIGNATURES
from impact.evidence.language import Texts
from impact.evidence.reading import visible
from impact.evidence.record import Evidence
from impact.evidence.signed import Signed
from impact.files import read_bytes
from impact.study.read import Study
from impact.study.source import parse

__all__ = ["blank", "signatures", "signed_beside", "signed_for"]

_KEYS = ("schema", "study", "design", "look", "grades")
_OWN = ("outcome", "level", "who", "role", "date", "why")
_MAX_BYTES = 200_000


def signatures(
    content: bytes, file: str, study: str, design: str, outcomes: Sequence[str], look: int = 1
) -> dict[str, Signed]:
    """What persons gave, by outcome. An entry that nobody filled in is none.

    Parameters
    ----------
    content, file : bytes, str
        Of ``study.grade.yaml``, and its name for messages.
    study, design : str
        The study's name and the digest of its specification, which the file must name.
    outcomes : sequence of str
        Its indicators.
    look : int
        At which the results were found; a file that names none is about the first.

    Raises
    ------
    DataError
        ``GRADE-001`` to ``GRADE-003``, with everything that is wrong.
    """
    tree = _parsed(content, file)
    problems = list(_about(tree, study, design, look, file))
    found: dict[str, Signed] = {}
    for place, entry in enumerate(_entries(tree), 1):
        wrong = list(_wrong(entry, outcomes, found))
        if wrong:
            where = f"grade {place}: "
            hint = "Fill in all of it, or nothing."
            problems += [Problem("GRADE-002", where + text, hint, file) for text in wrong]
        elif _given(entry):
            said = {name: str(entry[name]).strip() for name in _OWN[2:]}
            found[entry["outcome"]] = Signed(entry["level"], **said)
    raise_all(problems, DataError)
    return found


def signed_for(study: Study, look: int = 1) -> dict[str, Signed]:
    """What persons gave beside a study, of the results of a look.

    Raises
    ------
    DataError
        As `signatures`.
    """
    outcomes = [outcome.indicator for outcome in study.model.all_outcomes]
    file = study.path.with_name(SIGNATURES)
    return signatures(_read(file), str(file), study.model.id, study.sha256, outcomes, look) if file.is_file() else {}


def signed_beside(evidence: Evidence, folder: Path) -> Evidence:
    """With what a person gave beside the study, also since the run.

    Raises
    ------
    DataError
        As `signatures`: what is about another design says nothing of this number.
    """
    file = (folder if folder.is_dir() else folder.parent) / SIGNATURES
    if not file.is_file():
        return evidence
    content = _read(file)
    entries = _entries(_parsed(content, str(file)))
    others = [str(one.get("outcome")) for one in entries if isinstance(one, dict)]  # one record knows one outcome
    outcomes = [evidence.indicator, *(name for name in others if name != evidence.indicator)]
    found = signatures(content, str(file), evidence.study, evidence.spec_sha256, outcomes, evidence.standing.look)
    return replace(evidence, signed=found.get(evidence.indicator, evidence.signed))


def blank(outcomes: Sequence[Evidence], say: Texts) -> str:
    """The file to fill in, with what is proposed as comments."""
    first = outcomes[0]
    lines = [*_comment(say("grade_form.file")), "schema: 1", f"study: {first.study}", f"design: {first.spec_sha256}"]
    lines += [f"look: {first.standing.look}", "grades:"]
    for evidence in outcomes:
        lines += _comment(" ".join(grade_sentences(grade(visible(evidence)), say)), "  ")
        lines.append(f"  - outcome: {evidence.indicator}")
        lines += [f"    {name}:" for name in _OWN[1:]]
    return "\n".join([*lines, ""])


def _comment(text: str, indent: str = "") -> list[str]:
    return [f"{indent}# {line}" for line in text.splitlines()]


def _read(file: Path) -> bytes:
    try:
        return read_bytes(file, _MAX_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(Problem("GRADE-001", f"the file cannot be read: {why}", "", str(file))) from error


def _entries(tree: Mapping[str, Any]) -> tuple[Any, ...]:
    found = tree.get("grades") or ()
    return found if isinstance(found, tuple) else (found,)


def _parsed(content: bytes, file: str) -> Mapping[str, Any]:
    if len(content) > _MAX_BYTES:
        raise DataError(Problem("GRADE-001", f"the file is larger than {_MAX_BYTES:,} bytes", "", file))
    try:
        tree, findings = parse(content.decode("utf-8"))
    except ValueError as error:
        raise DataError(Problem("GRADE-001", f"the file cannot be read: {error}", "", file)) from error
    raise_all([Problem("GRADE-001", one.message, one.hint, file) for one in findings], DataError)
    found: dict[str, Any] = {} if tree is None else tree.plain()
    if strange := sorted(set(found) - set(_KEYS)):
        hint = f"keys: {', '.join(_KEYS)}"
        raise DataError(Problem("GRADE-001", f"`{strange[0]}` is no key of this file", hint, file))
    return found


def _about(tree: Mapping[str, Any], study: str, design: str, look: int, file: str) -> Iterator[Problem]:
    hint = "Judge the results again: `impact grade BUNDLE --out FILE` makes a new one to fill in."
    if tree.get("schema") != 1:
        yield Problem("GRADE-002", "`schema` is 1", "", file)
    if tree.get("study") != study:
        yield Problem("GRADE-003", f"it is about the study {tree.get('study')!r}, and this is {study!r}", "", file)
    elif tree.get("design") != design:
        yield Problem("GRADE-003", "it judges another design: the study was changed since", hint, file)
    elif tree.get("look", 1) != look:
        yield Problem("GRADE-003", f"it judges look {tree.get('look', 1)}, and this is look {look}", hint, file)


def _wrong(entry: Any, outcomes: Sequence[str], found: Mapping[str, Signed]) -> Iterator[str]:
    """What one entry lacks or may not say; nothing for one that nobody filled in."""
    if not isinstance(entry, dict):
        yield f"it has the keys {', '.join(_OWN)}"
        return
    if strange := sorted(set(entry) - set(_OWN)):
        yield f"`{strange[0]}` is no key of it; keys: {', '.join(_OWN)}"
    outcome, level = entry.get("outcome"), entry.get("level")
    if outcome not in outcomes:
        yield f"{outcome!r} is no outcome of the study; it has: {', '.join(outcomes)}"
    elif outcome in found:
        yield f"{outcome} is there twice"
    given = _given(entry)
    if not given:
        return
    if absent := [name for name in _OWN[1:] if name not in given]:
        yield f"it lacks {', '.join(absent)}"
    if "level" in given and (not isinstance(level, int) or isinstance(level, bool) or not 1 <= level <= MOST):
        yield f"a level is 1 to {MOST} for areas that were not drawn by lot, not {level!r}"
    if "date" in given and not _is_date(str(entry["date"])):
        yield f"a date is as 2026-11-26, not {entry['date']!r}"


def _given(entry: Mapping[str, Any]) -> list[str]:
    """What somebody filled in; spaces are nothing."""
    return [name for name in _OWN[1:] if entry.get(name) is not None and str(entry[name]).strip()]


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
