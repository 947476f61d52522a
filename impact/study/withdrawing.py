"""Withdraw a result: a line in the ledger of the study, of which every later citation speaks."""

from __future__ import annotations

from collections.abc import Iterable

from impact.errors import Problem, UsageError
from impact.evidence.addresses import Address, Place, read_place
from impact.study.collection import Collection
from impact.study.lock import beside, read_lock
from impact.study.log import Entry, Log, append, read_log
from impact.study.read import Study

__all__ = ["withdraw", "withdrawals"]


def withdraw(
    study: Study | Collection, why: str, what: str = "", superseded_by: str = ""
) -> tuple[Log, Place | Address]:
    """Write in the ledger of `study` that results are withdrawn; the ledger, and what was withdrawn.

    Parameters
    ----------
    study : Study or Collection
        With the ledger beside it.
    why : str
        The reason.
    what : str
        Address of a number, or its first part for all numbers of a look (``slug@lock8.2``) or of a lock
        (``slug@lock8``); by default all of the lock as it is.
    superseded_by : str
        Address, or first part of one, of what takes its place.

    Raises
    ------
    UsageError
        ``WITHDRAW-001`` no reason; ``WITHDRAW-002`` the address is of another study; ``WITHDRAW-003`` the ledger knows
        of no such run; ``WITHDRAW-004`` it would take its own place; ``ADDRESS-001``.
    DataError
        The ledger or the lock cannot be read.
    """
    if not why.strip():
        raise UsageError(Problem("WITHDRAW-001", "a withdrawal has a reason.", "Give it with --why."))
    ledger = beside(study.path)[1]
    log = read_log(ledger)
    about = read_place(what) if what else Place(study.model.id, _current(study), 0)
    at = about.place if isinstance(about, Address) else about
    if at.study != study.model.id:
        message = f"{about} is of the study {at.study}, and this one is {study.model.id}."
        raise UsageError(Problem("WITHDRAW-002", message, "", study.file))
    ran = [entry for entry in log.of("ran") if _of(entry, at)]
    if not ran:
        known = ", ".join(dict.fromkeys(map(_named, log.of("ran")))) or "none"
        message = f"the ledger knows of no run of {at}."
        raise UsageError(Problem("WITHDRAW-003", message, f"It knows of: {known}.", study.file))
    by = str(read_place(superseded_by)) if superseded_by else ""
    if by == str(about):
        raise UsageError(Problem("WITHDRAW-004", f"{by} cannot take its own place.", "", study.file))
    details = {"what": str(about), "why": why.strip(), "superseded_by": by}
    last = ran[-1]
    lock8 = None if at.lock.startswith("unlocked-") else at.lock
    made = append(ledger, "withdrawn", seen="nothing", spec_sha256=last.spec_sha256, lock8=lock8, details=details)
    return made, about


def withdrawals(logs: Iterable[Log], address: Address) -> tuple[Entry, ...]:
    """The lines that withdraw a number, or all numbers among which it is; each once, in the order of time."""
    place = address.place
    names = (str(address), str(place), f"{place.study}@{place.lock}")
    found = {entry.line: entry for log in logs for entry in log.of("withdrawn") if entry.details.get("what") in names}
    return tuple(sorted(found.values(), key=lambda entry: (entry.at, entry.number)))


def _current(study: Study | Collection) -> str:
    lock = read_lock(beside(study.path)[0])
    if lock is not None and lock.spec_sha256 == study.sha256:
        return lock.lock8
    return f"unlocked-{study.sha256[:8]}"


def _of(entry: Entry, place: Place) -> bool:
    """Whether a run is one of the place."""
    return place.lock in (entry.lock8, _unlocked(entry)) and place.look in (0, entry.details.get("look", 1))


def _unlocked(entry: Entry) -> str:
    return f"unlocked-{entry.spec_sha256[:8]}"


def _named(entry: Entry) -> str:
    return f"{entry.lock8 or _unlocked(entry)} look {entry.details.get('look', 1)}"
