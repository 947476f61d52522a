"""The ledger of a study: what was done and what had been seen by then, one line each, chained by digests.

A line is RFC 8785 canonical JSON. It holds its own digest, and that of the line before it, so that a line that is
changed, taken out, put in or moved is found and named. What a chain cannot show is that its end was cut off, or that
all of it was written anew: `study.lock` holds the digest of the ledger at the time of the lock, and only a deposit
elsewhere fixes that.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import rfc8785

from impact.errors import DataError, Problem, WriteError, raise_all
from impact.files import write

__all__ = ["LOG", "Entry", "Event", "Log", "Seen", "append", "now", "parsed_log", "read_log"]

LOG: Final = "study.log.jsonl"

Event: TypeAlias = Literal["checked", "planned", "locked", "amended", "deposited", "ran", "withdrawn"]
Seen: TypeAlias = Literal["nothing", "design", "diagnostics", "outcomes"]
"""What had been seen, from less to more."""

_SEEN: Final = get_args(Seen)
_NONE: Final = "0" * 64
_KEYS: Final = ("number", "at", "event", "seen", "spec_sha256", "lock8", "previous", "sha256")
_MOST: Final = 20_000_000
_PATIENCE: Final = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes
    ----------
    number : int
        From 1.
    at : str
        UTC to the second, as ``2026-11-26T08:30:00Z``.
    event : str
    seen : {"nothing", "design", "diagnostics", "outcomes"}
        The most that had been seen after this line, in it or in any before.
    spec_sha256 : str
        Digest of the meaning of the specification then.
    lock8 : str or None
        Of the lock then.
    previous : str
        Digest of the bytes of the line before; 64 zeros in the first.
    details : mapping
        What more there is to say of such an event.
    """

    number: int
    at: str
    event: Event
    seen: Seen
    spec_sha256: str
    lock8: str | None
    previous: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> bytes:
        """The line as it stands in the file, without its end."""
        said = {key: getattr(self, key) for key in _KEYS[:-1]} | dict(self.details)
        return rfc8785.dumps(said | {"sha256": _sha256(rfc8785.dumps(said))})

    @property
    def sha256(self) -> str:
        """Digest of the bytes of the line, which the next one repeats."""
        return _sha256(self.line)


@dataclass(frozen=True, slots=True)
class Log:
    """All lines, which hold together; none where there is no ledger."""

    entries: tuple[Entry, ...] = ()

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return b"".join(entry.line + b"\n" for entry in self.entries)

    @property
    def head(self) -> str:
        """Digest of the last line; 64 zeros where there is none."""
        return self.entries[-1].sha256 if self.entries else _NONE

    @property
    def seen(self) -> Seen:
        """The most that has been seen."""
        return self.entries[-1].seen if self.entries else "nothing"

    def of(self, *events: Event) -> tuple[Entry, ...]:
        """The lines about these events."""
        return tuple(entry for entry in self.entries if entry.event in events)

    def upto(self, number: int) -> Log:
        """The first `number` lines."""
        return Log(self.entries[:number])

    def has(self, event: Event, seen: Seen, spec_sha256: str, lock8: str | None, details: Mapping[str, Any]) -> bool:
        """Whether such a line is there: equal but for when it was written and what came before it."""
        asked = (event, spec_sha256, lock8, rfc8785.dumps(dict(details)))
        return any(
            asked == (entry.event, entry.spec_sha256, entry.lock8, rfc8785.dumps(dict(entry.details)))
            and _SEEN.index(entry.seen) >= _SEEN.index(seen)
            for entry in self.entries
        )

    def plus(
        self,
        event: Event,
        seen: Seen,
        spec_sha256: str,
        lock8: str | None = None,
        details: Mapping[str, Any] | None = None,
        at: str = "",
    ) -> Log:
        """The ledger with a line more, or itself where it has such a line."""
        said = dict(details or {})
        if self.has(event, seen, spec_sha256, lock8, said):
            return self
        most = _SEEN[max(_SEEN.index(seen), _SEEN.index(self.seen))]
        entry = Entry(len(self.entries) + 1, at or now(), event, most, spec_sha256, lock8, self.head, said)
        return Log((*self.entries, entry))


def read_log(path: Path) -> Log:
    """The ledger in the file `path`, or in the folder that is given; an empty one where there is none.

    Raises
    ------
    DataError
        ``LOG-001`` the file cannot be read; ``LOG-002`` lines that were changed, taken out, put in or moved, all of
        them named.
    """
    path = path / LOG if path.is_dir() else path
    if not os.path.lexists(path):
        return Log()
    try:
        if path.is_symlink() or not path.is_file():
            raise DataError(Problem("LOG-001", "the ledger is no plain file.", "Put the file itself there.", str(path)))
        if path.stat().st_size > _MOST:
            raise DataError(Problem("LOG-001", f"the ledger is larger than {_MOST:,} bytes.", "", str(path)))
        content = path.read_bytes()
    except OSError as error:
        raise DataError(Problem("LOG-001", f"the ledger cannot be read: {error.strerror}.", "", str(path))) from error
    return parsed_log(content, str(path))


def parsed_log(content: bytes, file: str) -> Log:
    """The ledger in the bytes of a file, which messages call `file`.

    Raises
    ------
    DataError
        ``LOG-002``.
    """
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    whole = not lines[-1]
    lines = lines[:-1] if whole else lines
    read = [_read(line) for line in lines]
    wrong = list(_broken(lines, read))
    if not whole and not wrong:
        wrong = [(len(lines), "is not finished: its end is missing")]
    hint = "Put back the ledger as it was, from version control or a bundle; a line is never mended by hand."
    raise_all([Problem("LOG-002", f"line {n} {how}.", hint, file, n) for n, how in wrong], DataError)
    return Log(tuple(entry for entry in read if isinstance(entry, Entry)))


def append(
    path: Path,
    event: Event,
    *,
    seen: Seen,
    spec_sha256: str,
    lock8: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Log:
    """Add a line to the ledger in the file or folder `path`, unless it has such a line; the ledger as it then is.

    Of several that add at once each gets its line: they wait for each other.

    Raises
    ------
    DataError
        As `read_log`: to a ledger that does not hold together nothing is added.
    WriteError
        ``WRITE-001`` the file system refuses; ``LOG-003`` another process holds the ledger.
    """
    path = path / LOG if path.is_dir() else path
    before = read_log(path)
    if before.plus(event, seen, spec_sha256, lock8, details) is before:
        return before  # nothing to write, so that a ledger that may only be read is no hindrance
    with _alone(path):
        before = read_log(path)
        after = before.plus(event, seen, spec_sha256, lock8, details)
        if after is not before:
            write(path, after.content)
    return after


def now() -> str:
    """The time, UTC to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- what is wrong with a line ----------------------------------------------------------------------------------------


def _read(line: bytes) -> Entry | str:
    """The line, or how it is broken."""
    try:
        said = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return "is no line of a ledger"
    if not isinstance(said, dict) or any(key not in said for key in _KEYS):
        return "is no line of a ledger"
    details = {key: value for key, value in said.items() if key not in _KEYS}
    texts = [said[key] for key in ("at", "event", "seen", "spec_sha256", "previous", "sha256")]
    fit = type(said["number"]) is int and all(isinstance(text, str) for text in texts)
    fit = fit and (said["lock8"] is None or isinstance(said["lock8"], str))
    if not fit or said["event"] not in get_args(Event) or said["seen"] not in _SEEN:
        return "is no line of a ledger"
    entry = Entry(**{key: said[key] for key in _KEYS[:-1]}, details=details)
    try:
        own = entry.line
    except (ValueError, TypeError, RecursionError):
        return "is no line of a ledger"
    return entry if own == line else "was changed after it was written"


def _broken(lines: Sequence[bytes], read: Sequence[Entry | str]) -> Iterator[tuple[int, str]]:
    """Every line that is not as it was written or not where it was written, and how."""
    for place, found in enumerate(read, 1):
        if isinstance(found, str):
            yield place, found
    numbers = {found.number for found in read if isinstance(found, Entry)}
    before, digest = 0, _NONE
    for place, (line, found) in enumerate(zip(lines, read, strict=True), 1):
        if isinstance(found, Entry):
            if found.number != before + 1:
                yield place, _misplaced(found.number, before, numbers)
            elif found.previous != digest and (place == 1 or isinstance(read[place - 2], Entry)):
                yield place, f"does not follow from line {before}, which is not the one that stood there"
            before = found.number
        else:
            before += 1
        digest = _sha256(line)


def _misplaced(number: int, before: int, numbers: set[int]) -> str:
    gone = [str(other) for other in range(before + 1, number) if other not in numbers]
    if gone:
        return f"was written as number {number}: number {', '.join(gone)} before it was taken out"
    if number == before:
        return f"is there twice: it was written as number {number}"
    return f"was written as number {number}: lines were put in another order"


# --- one at a time ----------------------------------------------------------------------------------------------------


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process adds to the ledger.

    The folder itself is locked where the system can do so, which ends with the process and leaves nothing behind;
    elsewhere a file beside the ledger stands for it.
    """
    try:
        import fcntl

        folder = os.open(path.parent, os.O_RDONLY)
    except (ImportError, OSError):
        with _with_file(path):
            yield
        return
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
        except OSError:
            with _with_file(path):
                yield
        else:
            yield
    finally:
        os.close(folder)


@contextmanager
def _with_file(path: Path) -> Iterator[None]:
    beside = path.with_name(f".{path.name}.held")
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError as error:
            if time.monotonic() > until:
                hint = f"If none does, remove {beside.name}."
                raise WriteError(Problem("LOG-003", "another process holds the ledger.", hint, str(path))) from error
            time.sleep(0.02)
        except OSError as error:
            raise WriteError(
                Problem("WRITE-001", f"cannot write {path.name}: {error.strerror}", "", file=str(path))
            ) from error
    try:
        yield
    finally:
        beside.unlink(missing_ok=True)
