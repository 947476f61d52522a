"""Where a study stands as it is run: held against its lock, its ledger and the data of its design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from impact.errors import DataError
from impact.evidence.record import DataFile
from impact.evidence.standing import Deposit, Standing
from impact.study.lock import Lock, beside, read_lock
from impact.study.log import Entry, Log, read_log

__all__ = ["OUTCOMES", "Kept", "Now", "beside", "kept", "standing"]

OUTCOMES = ("outcomes", "sealed")
"""Roles of the files that hold outcomes after the start."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept beside a study: its lock and its ledger, or what is wrong with either ("" for nothing).

    Of a ledger that is `log_wrong`, the number of the first line that does not hold.
    """

    lock: Lock | None = None
    log: Log = field(default_factory=Log)
    lock_wrong: str = ""
    log_wrong: str = ""


@dataclass(frozen=True, slots=True)
class Now:
    """A study as it is run: what it means, the digests of the data of its design, its files, and its last period."""

    spec_sha256: str
    design: Mapping[str, Any]
    files: Sequence[DataFile]
    look: int = 1
    until: str = ""


def kept(path: Path) -> Kept:
    """Lock and ledger of the study in the file `path`; what cannot be read is said and counts as not there."""
    found = Kept()
    lock, ledger = beside(path)
    try:
        found = replace(found, log=read_log(ledger))
    except DataError as error:
        found = replace(found, log_wrong=str(error.problems[0].line or 1))
    try:
        found = replace(found, lock=read_lock(lock))
    except DataError as error:
        found = replace(found, lock_wrong=error.problems[0].message.rstrip("."))
    return found


def standing(kept: Kept, now: Now) -> Standing:
    """The status of a run, and why it is no better.

    ``pre-specified``: the study and its data are as they were locked, and no outcome of the periods after the start was
    opened before that, as far as the ledger says. ``amended``: the lock was changed, before outcomes were seen.
    ``deviation``: it was changed afterwards, the data of the design are others, or other outcomes were opened first.
    ``exploratory``: everything else.
    """
    lock, log = kept.lock, kept.log
    ran, tried = _others(log, now.spec_sha256)
    found = Standing(look=now.look, ran=ran, tried=tried)
    if kept.lock_wrong:
        return replace(found, because="unreadable", detail=kept.lock_wrong)
    if lock is None:
        before = log.of("locked", "amended")
        return replace(found, because="gone", detail=str(before[-1].lock8)) if before else found
    deposit, late = _deposit(lock, log)
    found = replace(found, lock8=lock.lock8, deposit=deposit, late=late)
    found = replace(found, short=lock.short, amendments=lock.amendments)
    if kept.log_wrong:
        return replace(found, because="ledger", detail=kept.log_wrong)
    made = _locks(log)
    if not made or made[-1].lock8 != lock.lock8 or made[-1].spec_sha256 != lock.spec_sha256:
        return replace(found, because="foreign")
    lines = int(lock.ledger.get("lines", 0))
    if lines > len(log.entries) or log.upto(lines).head != lock.ledger.get("sha256"):
        return replace(found, because="foreign")
    found = replace(found, locked=made[0].at[:10])
    if now.spec_sha256 != lock.spec_sha256:
        return replace(found, because="specification")
    if _opened(log.upto(made[0].number)):
        return replace(found, because="outcomes")
    other, revised = _data(lock, now)
    found = replace(found, revised=revised)
    # That of two locks the later is an amendment, the ledger says, whatever the lock says of itself.
    if any(_opened(log.upto(entry.number)) for entry in made[1:]):
        return replace(found, status="deviation", because="amended")
    if other:
        return replace(found, status="deviation", because="data", detail=", ".join(other))
    if others := _reopened(log, now):
        return replace(found, status="deviation", because="reopened", detail=", ".join(others))
    return replace(found, status="amended" if len(made) > 1 else "pre-specified", because="")


def _locks(log: Log) -> tuple[Entry, ...]:
    """The lines that say how the study was locked and amended."""
    return log.of("locked", "amended")


def _opened(log: Log) -> bool:
    """Whether outcomes were seen."""
    return log.seen == "outcomes"


def _deposit(lock: Lock, log: Log) -> tuple[Deposit | None, bool]:
    """The deposit of the lock, where the ledger knows of it too, and whether outcomes had been opened by then."""
    for entry in log.of("deposited"):
        if entry.lock8 == lock.lock8 and lock.deposit is not None and dict(entry.details) == asdict(lock.deposit):
            return lock.deposit, entry.seen == "outcomes"
    return None, False


def _others(log: Log, spec_sha256: str) -> tuple[int, int]:
    """How many other set-ups were run so that outcomes were seen, and how many were only looked at."""
    ran = {entry.spec_sha256 for entry in log.of("ran") if entry.details.get("until")}
    tried = {entry.spec_sha256 for entry in log.of("checked", "planned", "ran")}
    return len(ran - {spec_sha256}), len(tried - ran - {spec_sha256})


def _reopened(log: Log, now: Now) -> tuple[str, ...]:
    """Files of outcomes other than those opened first: at this look, or at a later one that saw as much."""
    mine = {one.file: one.sha256 for one in now.files if one.role in OUTCOMES}
    for entry in log.of("ran"):
        look, until = entry.details.get("look", 1), entry.details.get("until")
        as_much = until and (look == now.look or (look > now.look and until >= now.until))
        if as_much and entry.spec_sha256 == now.spec_sha256:
            then = {one["file"]: one["sha256"] for one in entry.details.get("inputs", ()) if one["role"] in OUTCOMES}
            return tuple(sorted(file for file in then.keys() | mine.keys() if then.get(file) != mine.get(file)))
    return ()


def _data(lock: Lock, now: Now) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Data that are not those of the lock; and those that a later delivery brought, as was planned."""
    other = [part for part in ("units", "treatment") if lock.design.get(part) != now.design.get(part)]
    other += _differing(lock.design.get("covariates", {}), now.design.get("covariates", {}))
    revised = _differing(lock.design.get("before", {}), now.design.get("before", {}))
    digested = {"outcomes", "units", "members"}
    files = {(one["role"], one["file"]): one["sha256"] for one in lock.inputs}
    mine = {(one.role, one.file): one.sha256 for one in now.files}
    other += [file for (role, file), value in files.items() if role not in digested and mine.get((role, file)) != value]
    delivered = lock.arrives is not None or now.look > 1
    if not delivered:
        whole = [
            file for (role, file), value in files.items() if role == "outcomes" and mine.get((role, file)) != value
        ]
        other += revised or whole
    return tuple(other), tuple(revised if delivered else ())


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(one) if one[name] != other.get(name)]
