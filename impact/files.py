"""The one writer of files: a temporary name beside the target, then a rename.

Whoever reads a file of ours sees all of it or none. A folder (a bundle) is written the same way: everything
goes into a temporary folder that takes the place of the old one at the very end.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from impact.errors import Problem, WriteError

__all__ = ["MAX_JSON", "check_folder", "folder", "parse_json", "read_bytes", "read_json", "sha256", "write", "zipped"]

MAX_JSON = 500_000_000
"""Bytes of a JSON file that is read; in memory it takes several times as many."""


def write(path: Path, content: bytes | str) -> None:
    """Write `content` to `path` (text as UTF-8 with ``\\n`` line ends); the old file stands until the new one is whole.

    Raises
    ------
    WriteError
        ``WRITE-001`` when the file system refuses.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise WriteError(_refused(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends well; otherwise the old `path` stands untouched.

    The old folder is first renamed aside and put back when the new one cannot take its place.

    Raises
    ------
    WriteError
        ``WRITE-001`` when the file system refuses.
    """
    mark = uuid.uuid4().hex
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{mark}.tmp")
    aside = path.with_name(f".{path.name}.{mark}.old")
    try:
        try:
            temporary.mkdir(parents=True)
        except OSError as error:
            raise WriteError(_refused(path, error)) from error
        yield temporary
        try:
            try:
                if path.exists():
                    path.replace(aside)
                temporary.replace(path)
            except BaseException:
                if aside.exists() and not path.exists():
                    aside.replace(path)
                raise
        except OSError as error:
            raise WriteError(_refused(path, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        # `path` is whole here, new or restored; were it not, the old one must stay findable.
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)


def check_folder(path: Path) -> None:
    """Find out whether a folder can come to stand at `path`, and leave nothing behind.

    Raises
    ------
    WriteError
        ``WRITE-001`` when the file system refuses.
    """
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
        temporary.rmdir()
    except OSError as error:
        raise WriteError(_refused(path, error)) from error


def sha256(path: Path) -> str:
    """Digest of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of `files` whose bytes depend on them alone: in the order of their names, of one date, stored.

    Stored and not compressed: what a compressor makes differs between versions of its library.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # else that of the machine
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return content.getvalue()


def read_json(path: Path, most: int = MAX_JSON) -> Any:
    """What a JSON file of at most `most` bytes holds.

    Raises
    ------
    OSError
        The file system refuses.
    ValueError
        As `parse_json`, or too large.
    """
    return parse_json(read_bytes(path, most))


def read_bytes(path: Path, most: int = MAX_JSON) -> bytes:
    """The bytes of a file that has at most `most`; ValueError of one that has more."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"the file has more than {most:,} bytes")
    return content


def parse_json(content: bytes) -> Any:
    """What JSON in UTF-8 holds.

    Raises
    ------
    ValueError
        No JSON, nested too deeply, or with a number that is not finite.
    """
    try:
        return json.loads(content, parse_constant=_not_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _refused(path: Path, error: OSError) -> Problem:
    reason = error.strerror or type(error).__name__
    return Problem(
        "WRITE-001", f"cannot write {path.name}: {reason}", "choose another folder with --out", file=str(path)
    )
