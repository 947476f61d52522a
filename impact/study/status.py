"""Where each of many studies stands: state, lock and look, its last run and what that found, the age of its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from impact.errors import ImpactError
from impact.files import sha256
from impact.study.bundle import read_bundle
from impact.study.draft import to_fill
from impact.study.lock import Lock
from impact.study.log import Entry
from impact.study.many import Found
from impact.study.read import Study
from impact.study.roots import Roots
from impact.study.standing import kept

__all__ = ["State", "Status", "status_of"]

State: TypeAlias = Literal["unreadable", "draft", "locked", "amended", "ran", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Status:
    """What there is to know of a study without running it; None where that is not known.

    Attributes
    ----------
    study, path : str
    state : str
        ``draft``: neither locked nor run; ``locked``; ``amended``: locked anew, with a reason; ``ran``; ``withdrawn``.
        ``unreadable``: its specification cannot be read.
    to_fill : int
        Texts that somebody still has to write.
    lock8 : str or None
    differs : bool or None
        Whether the specification says something else than its lock; None where there is no lock.
    look : int or None
        Of the last run.
    last_run : str or None
        UTC, as the ledger has it.
    until : str or None
        The last period whose outcomes were opened.
    passed, failed, not_evaluated : int or None
        Checks in the bundle over all outcomes.
    last_period : str or None
        The last one in the bundle.
    older : bool or None
        Whether the bundle is of another specification than the study now is.
    changed : tuple of str
        Files that are no longer those of the last run (or of the lock), or that are not there.
    notes : tuple of str
        What could not be read.
    """

    study: str
    path: str
    state: State
    to_fill: int = 0
    lock8: str | None = None
    differs: bool | None = None
    look: int | None = None
    last_run: str | None = None
    until: str | None = None
    passed: int | None = None
    failed: int | None = None
    not_evaluated: int | None = None
    last_period: str | None = None
    older: bool | None = None
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts: list[str] = [self.state]
        parts += [f"{self.to_fill} to fill in"] if self.to_fill else []
        parts += [f"lock {self.lock8}"] if self.lock8 else []
        parts += ["differs from its lock"] if self.differs else []
        if self.last_run is not None:
            parts.append(f"look {self.look}, last run {self.last_run}")
        if self.passed is not None:
            parts.append(f"checks {self.passed} passed, {self.failed} failed, {self.not_evaluated} not evaluated")
        parts += [f"data until {self.last_period}"] if self.last_period else []
        parts += ["the bundle is of an earlier set-up"] if self.older else []
        parts += [f"changed since: {', '.join(self.changed)}"] if self.changed else []
        return f"{self.study}: {'; '.join([*parts, *self.notes])}"


def status_of(found: Found, out: Path, data: Sequence[Path] = ()) -> Status:
    """Where the study `found` stands; its bundle, if there is one, is looked for in ``out/<id>``."""
    if found.study is None:
        many = 0 if found.error is None else len(found.error.problems)
        note = f"{many} problem{'s' if many != 1 else ''} in its specification"
        return Status(found.name, str(found.path), "unreadable", notes=(note,))
    study = found.study
    held = kept(study.path)
    notes = [f"its lock cannot be used: {held.lock_wrong}"] if held.lock_wrong else []
    notes += [f"its ledger does not hold from line {held.log_wrong}"] if held.log_wrong else []
    runs, withdrawn = held.log.of("ran"), held.log.of("withdrawn")
    last = runs[-1] if runs else None
    bundle, more = _bundle(study, out)
    inputs = _inputs(last, held.lock, bundle)
    return Status(
        study.model.id,
        str(found.path),
        _state(held.lock, last, withdrawn[-1] if withdrawn else None, bool(bundle)),
        to_fill=sum(1 for _ in to_fill(study.tree)),
        lock8=None if held.lock is None else held.lock.lock8,
        differs=None if held.lock is None else held.lock.spec_sha256 != study.sha256,
        look=None if last is None else int(last.details.get("look", 1)),
        last_run=None if last is None else last.at,
        until=None if last is None else last.details.get("until"),
        changed=_changed(study, inputs, data),
        notes=(*notes, *more),
        **{name: value for name, value in bundle.items() if name != "inputs"},
    )


def _state(lock: Lock | None, last: Entry | None, withdrawn: Entry | None, bundle: bool) -> State:
    if withdrawn is not None and (last is None or withdrawn.number > last.number):
        return "withdrawn"
    if last is not None or bundle:
        return "ran"
    if lock is None:
        return "draft"
    return "amended" if lock.amendments else "locked"


def _bundle(study: Study, out: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the bundle says, nothing where there is none; and what is wrong with it."""
    place = out / study.model.id
    if not (place / "results.json").is_file():
        return {}, ()
    try:
        outcomes = read_bundle(place).outcomes
    except ImpactError as error:
        return {}, (f"its bundle cannot be read: {error.problems[0].message}",)
    if outcomes[0].study != study.model.id:
        return {}, (f"the bundle in {place} is of {outcomes[0].study}",)
    verdicts = [check.verdict for evidence in outcomes for check in evidence.checks]
    return {
        "passed": verdicts.count("pass"),
        "failed": verdicts.count("fail"),
        "not_evaluated": len(verdicts) - verdicts.count("pass") - verdicts.count("fail"),
        "last_period": max((period for evidence in outcomes for period in evidence.periods), default=None),
        "older": any(evidence.spec_sha256 != study.sha256 for evidence in outcomes),
        "inputs": [{"file": one.file, "sha256": one.sha256} for evidence in outcomes for one in evidence.data],
    }, ()


def _inputs(last: Entry | None, lock: Lock | None, bundle: Mapping[str, Any]) -> dict[str, set[str]]:
    """The digests of every file as the last run had it, or else as the bundle or the lock has it."""
    given = last.details.get("inputs") if last is not None else bundle.get("inputs")
    if given is None:
        given = () if lock is None else lock.inputs
    found: dict[str, set[str]] = {}
    for one in given if isinstance(given, list | tuple) else ():
        if isinstance(one, Mapping) and isinstance(one.get("file"), str) and isinstance(one.get("sha256"), str):
            found.setdefault(one["file"], set()).add(one["sha256"])
    return found


def _changed(study: Study, inputs: Mapping[str, set[str]], data: Sequence[Path]) -> tuple[str, ...]:
    """Files whose content is another now; those that are not there cannot be compared and are named so."""
    if not inputs:
        return ()
    roots = Roots.of(study.path, data)
    changed = []
    for file, digests in sorted(inputs.items()):
        try:
            now = sha256(roots.find(file))
        except (ImpactError, OSError):
            changed.append(f"{file} (not there)")
            continue
        changed += [file] if now not in digests else []
    return tuple(changed)
