"""The lock of a study: what it means, and digests of the data of its design, fixed before the outcomes are opened.

`lock8`, by which a plan of work and an address name the lock, is of all that stands in it but the deposit: a deposit
refers to it and comes after.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
import rfc8785

from impact.errors import DataError, Problem, UsageError
from impact.evidence.standing import Amendment, Deposit
from impact.files import write
from impact.sources.rows import Long
from impact.sources.values import STATUSES
from impact.study.areas import FocusArea
from impact.study.draft import check_filled
from impact.study.load import Loaded
from impact.study.log import Log, Seen, append, now, read_log
from impact.study.model import Specification
from impact.study.read import Study
from impact.study.render import versions
from impact.study.validate import canonical

__all__ = [
    "LOCK",
    "Lock",
    "Lockable",
    "amend",
    "amended",
    "beside",
    "deposited",
    "design_of",
    "fix",
    "locked",
    "read_lock",
]

LOCK: Final = "study.lock"
_MOST: Final = 5_000_000


class Lockable(Protocol):
    """A study or a collection: where its file is, and its name for messages."""

    @property
    def path(self) -> Path: ...
    @property
    def file(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Lock:
    """What was fixed.

    Attributes
    ----------
    study : str
    spec_sha256 : str
        Of the canonical JSON of `spec`.
    spec : mapping
        The meaning of the specification, without what is standard.
    design : mapping
        Digests of the data of the design: ``units``, ``treatment``, ``covariates`` and ``before`` (by indicator, the
        outcomes before the first start, of the ``periods`` that were at hand).
    inputs : tuple of mapping
        Role, name and digest of every file.
    versions, thresholds : mapping
    seed : int
    arrives : mapping or None
        Periods that were still to come.
    ledger : mapping
        How many ``lines`` the ledger had and the digest (``sha256``) of the last one.
    amendments : tuple of Amendment
    plan : mapping or None
        What planning the design found.
    short : str
        Why it was locked although it cannot detect what it needs to; "" where it can, or does not say what it needs.
    deposit : Deposit or None
    """

    study: str
    spec_sha256: str
    spec: Mapping[str, Any]
    design: Mapping[str, Any]
    inputs: tuple[Mapping[str, str], ...]
    versions: Mapping[str, str]
    thresholds: Mapping[str, float]
    seed: int
    ledger: Mapping[str, Any]
    arrives: Mapping[str, Any] | None = None
    amendments: tuple[Amendment, ...] = ()
    plan: Mapping[str, Any] | None = None
    short: str = ""
    deposit: Deposit | None = None
    schema: int = 1

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return (json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")

    @property
    def lock8(self) -> str:
        """First eight digits of the digest of the canonical JSON (RFC 8785) of all but the deposit."""
        said = json.loads(self.content)
        del said["deposit"]
        return hashlib.sha256(rfc8785.dumps(said)).hexdigest()[:8]


def beside(path: Path) -> tuple[Path, Path]:
    """Where the lock and the ledger of the study in the file `path` are: beside it, under its own name."""
    return path.with_suffix(".lock"), path.with_suffix(".log.jsonl")


def read_lock(path: Path) -> Lock | None:
    """The lock in the file `path`, or in the folder that is given; None where there is none.

    Raises
    ------
    DataError
        ``LOCK-001`` the file cannot be read; ``LOCK-002`` it is no lock; ``LOCK-003`` what it holds of the
        specification is not what its digest is of.
    """
    path = path / LOCK if path.is_dir() else path
    hint = "Put back the lock as it was, from version control or a bundle."
    if not os.path.lexists(path):
        return None
    from pydantic import TypeAdapter, ValidationError

    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST:
            raise DataError(Problem("LOCK-001", "the lock is no plain file of moderate size.", hint, str(path)))
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict) or set(said) != set(Lock.__dataclass_fields__):
            raise DataError(Problem("LOCK-002", "this is no lock: its keys are others.", hint, str(path)))
        lock = TypeAdapter(Lock).validate_python(said)
        meant = rfc8785.dumps(dict(lock.spec))
    except OSError as error:
        raise DataError(Problem("LOCK-001", f"the lock cannot be read: {error.strerror}.", hint, str(path))) from error
    except (ValidationError, ValueError, RecursionError) as error:
        message = f"this is no lock: {str(error).splitlines()[0]}."
        raise DataError(Problem("LOCK-002", message, hint, str(path))) from error
    if hashlib.sha256(meant).hexdigest() != lock.spec_sha256:
        message = "the specification in the lock was changed after it was locked."
        raise DataError(Problem("LOCK-003", message, hint, str(path)))
    return lock


# --- the data of the design -------------------------------------------------------------------------------------------


def design_of(
    spec: Specification, loaded: Loaded, areas: Sequence[FocusArea], periods: Sequence[str] | None = None
) -> dict[str, Any]:
    """Digests of the data on which the design rests; outcomes count until the first start and no further.

    Of `periods` where these are given: those that a lock has. Numbers count with ten digits, so that another machine
    that adds up in another order finds the same.
    """
    base = loaded.base or loaded
    starts = [area.start for area in areas if area.start and not area.left_out]
    first = min(starts, default="")
    known_then = [period for period in spec.labels if period < first and period not in loaded.awaited]
    inside = set(known_then if periods is None else periods)
    units = base.units
    known = sorted(units.known) if spec.data.units is not None else _early(base.longs, inside)
    labels = dict(zip(base.regions, base.gemeente, strict=True))
    columns: dict[str, Mapping[str, float] | Mapping[str, str]] = {**units.numbers, **units.labels}
    return {
        "periods": sorted(inside),
        "units": _digest((region, labels.get(region, "")) for region in known),
        "treatment": _digest(
            (area.slug, area.start, *sorted(area.units), *(f"{code} {_said(share)}" for code, share in area.parts))
            for area in areas
        ),
        "covariates": {
            name: _digest((region, _said(column[region])) for region in sorted(column))
            for name, column in sorted(columns.items())
        },
        "before": {
            outcome.indicator: _digest(_rows(long, inside))
            for outcome, long in zip(spec.all_outcomes, base.longs, strict=True)
        },
    }


def _early(longs: Sequence[Long], periods: set[str]) -> list[str]:
    found = {str(r) for long in longs for r, p in zip(long.region, long.period, strict=True) if str(p) in periods}
    return sorted(found)


def _rows(long: Long, periods: set[str]) -> Iterator[tuple[str, ...]]:
    there = np.flatnonzero(np.isin(np.asarray(long.period, dtype=str), sorted(periods)))
    names = sorted(long.values)
    order = sorted(there.tolist(), key=lambda row: (str(long.region[row]), str(long.period[row])))
    for row in order:
        cells = (
            f"{_said(float(long.values[name].number[row]))} {STATUSES[int(long.values[name].status[row])].value}"
            for name in names
        )
        yield (str(long.region[row]), str(long.period[row]), *cells)


def _said(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value + 0.0:.10g}"


def _digest(rows: Iterator[tuple[str, ...]]) -> str:
    """Of lines of cells; the cells are JSON, so that no two tables look alike."""
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
    return found.hexdigest()


# --- to lock, to amend, to deposit ------------------------------------------------------------------------------------


def locked(
    study: Study,
    loaded: Loaded,
    areas: Sequence[FocusArea],
    *,
    plan: Mapping[str, Any] | None = None,
    short: str = "",
) -> tuple[Lock, Log]:
    """Lock `study` as it stands, with the ledger in which that is written; the old lock where nothing changed.

    Raises
    ------
    UsageError
        ``LOCK-010`` it is locked, and says something else or has other data now: that takes an amendment;
        ``LOCK-011`` the ledger says that it was locked, and the lock is gone; ``LOCK-016`` a person still has to write
        something in it.
    """
    check_filled(study)
    details = {"short": short} if short else {}
    return fix(study, lambda log: _lock(study, loaded, areas, log, plan, short), details=details)


def fix(
    what: Lockable, make: Callable[[Log], Lock], *, seen: Seen = "design", details: Mapping[str, Any] | None = None
) -> tuple[Lock, Log]:
    """Lock a study or a collection as `make` says; `seen` is the most that had been seen of it by then.

    Raises
    ------
    UsageError
        As `locked`.
    """
    place, ledger = beside(what.path)
    log, old = read_log(ledger), read_lock(place)
    new = make(log)
    if old is not None:
        if (old.spec_sha256, old.design) != (new.spec_sha256, new.design):
            hint = "Say why with `impact amend STUDY --why …`, or put the study and its data back as they were locked."
            other = "says something else" if old.spec_sha256 != new.spec_sha256 else "has other data of its design"
            raise UsageError(Problem("LOCK-010", f"the study is locked as {old.lock8} and {other}.", hint, what.file))
        new = old
    elif before := log.of("locked", "amended"):
        hint = "Put study.lock back, from version control or a bundle; then `impact amend` says why it changed."
        message = f"the ledger says that this study was locked as {before[-1].lock8}, and study.lock is not there."
        raise UsageError(Problem("LOCK-011", message, hint, what.file))
    if old is None:
        write(place, new.content)
    if new.amendments:
        return new, log
    log = append(ledger, "locked", seen=seen, spec_sha256=new.spec_sha256, lock8=new.lock8, details=details)
    return new, log


def amended(
    study: Study, loaded: Loaded, areas: Sequence[FocusArea], why: str, changes: Sequence[str]
) -> tuple[Lock, Log]:
    """Amend the lock of `study` to what it says now: an amendment as long as no outcome was seen, a deviation after.

    Raises
    ------
    UsageError
        ``LOCK-012`` it is not locked; ``LOCK-013`` nothing changed; ``LOCK-014`` no reason is given; ``LOCK-016`` a
        person still has to write something in it.
    """
    check_filled(study)
    return amend(study, lambda log, old: _lock(study, loaded, areas, log, old.plan, old.short), why, changes)


def amend(
    what: Lockable, make: Callable[[Log, Lock], Lock], why: str, changes: Sequence[str], *, seen: Seen = "design"
) -> tuple[Lock, Log]:
    """Amend the lock of a study or a collection to what `make` says; parameters as of `fix`.

    Raises
    ------
    UsageError
        As `amended`.
    """
    place, ledger = beside(what.path)
    log, old = read_log(ledger), read_lock(place)
    if old is None:
        raise UsageError(Problem("LOCK-012", "the study is not locked.", "Lock it with `impact lock`.", what.file))
    if not why.strip():
        raise UsageError(Problem("LOCK-014", "an amendment has a reason.", "Give it with --why.", what.file))
    new = make(log, old)
    if (old.spec_sha256, old.design) == (new.spec_sha256, new.design):
        message = f"the study says what it said when it was locked as {old.lock8}, on the same data."
        raise UsageError(Problem("LOCK-013", message, "There is nothing to amend.", what.file))
    kind: Literal["amendment", "deviation"] = "deviation" if "outcomes" in (log.seen, seen) else "amendment"
    made = Amendment(now(), why.strip(), kind, tuple(changes), old.lock8, old.deposit)
    new = replace(new, amendments=(*old.amendments, made))
    details = {"why": made.why, "kind": kind, "before": old.lock8, "changes": list(changes)}
    log = append(ledger, "amended", seen=seen, spec_sha256=new.spec_sha256, lock8=new.lock8, details=details)
    write(place, new.content)
    return new, log


def deposited(study: Lockable, deposit: Deposit) -> tuple[Lock, Log]:
    """Write in the lock of `study`, and in its ledger, where the lock was deposited; its `lock8` stays.

    Raises
    ------
    UsageError
        ``LOCK-012`` the study is not locked; ``LOCK-015`` a deposit without place, reference or date, or
        another one than the lock has; ``LOCK-018`` the ledger does not know this lock.
    """
    place, ledger = beside(study.path)
    lock = read_lock(place)
    if lock is None:
        raise UsageError(Problem("LOCK-012", "the study is not locked.", "Lock it with `impact lock`.", study.file))
    if not all(text.strip() for text in (deposit.where, deposit.date, deposit.reference)):
        raise UsageError(Problem("LOCK-015", "a deposit has a place, a date and a reference.", "", study.file))
    try:
        date.fromisoformat(deposit.date)
    except ValueError as error:
        message = f"{deposit.date!r} is no date."
        hint = "Give the date of the receipt, as 2026-11-26."
        raise UsageError(Problem("LOCK-015", message, hint, study.file)) from error
    if lock.deposit not in (None, deposit):
        message = f"lock {lock.lock8} is deposited already: {lock.deposit.where}, {lock.deposit.reference}."
        raise UsageError(Problem("LOCK-015", message, "Another deposit is one of another lock.", study.file))
    if not any(entry.lock8 == lock.lock8 for entry in read_log(ledger).of("locked", "amended")):
        hint = "Put back the ledger as it was, from version control or a bundle."
        raise UsageError(Problem("LOCK-018", f"the ledger does not know lock {lock.lock8}.", hint, study.file))
    lock = replace(lock, deposit=deposit)
    details = asdict(deposit)
    log = append(ledger, "deposited", seen="nothing", spec_sha256=lock.spec_sha256, lock8=lock.lock8, details=details)
    write(place, lock.content)
    return lock, log


def _lock(
    study: Study,
    loaded: Loaded,
    areas: Sequence[FocusArea],
    log: Log,
    plan: Mapping[str, Any] | None,
    short: str,
) -> Lock:
    spec = study.model
    arrives = spec.data.outcomes.arrives
    return Lock(
        study=spec.id,
        spec_sha256=study.sha256,
        spec=json.loads(canonical(spec)),
        design=design_of(spec, loaded, areas),
        inputs=tuple({"role": one.role, "file": one.file, "sha256": one.sha256} for one in loaded.files),
        versions=dict(sorted(versions().items())),
        thresholds={name: float(value) for name, value in sorted(spec.thresholds.items())},
        seed=spec.seed,
        ledger={"lines": len(log.entries), "sha256": log.head},
        arrives=None if arrives is None else arrives.model_dump(mode="json"),
        plan=plan,
        short=short,
    )
