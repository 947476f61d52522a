"""Read the files of a bundle from a folder or a zip that anybody may have made: nothing is unpacked, all is bounded."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from impact.errors import DataError, Problem, raise_all
from impact.study.bundle import ARCHIVE

__all__ = ["Contents", "Limits", "read_contents", "unzipped"]

_DEEPEST = 8
_LONGEST = 240
_BLOCK = 2**20
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a bundle may hold: files, and bytes of all of them as they are, not as a zip says they are."""

    files: int = 2_000
    bytes: int = 512 * 2**20


_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a bundle.

    Attributes
    ----------
    path : Path
        The zip or the folder.
    files : mapping of name to bytes
        Without ``bundle.zip``.
    archive : bytes or None
        The zip: `path` itself, or ``bundle.zip`` in the folder.
    """

    path: Path
    files: Mapping[str, bytes]
    archive: bytes | None

    @property
    def sha256(self) -> str:
        """Digest of the zip; "" where there is none."""
        return "" if self.archive is None else hashlib.sha256(self.archive).hexdigest()


def read_contents(path: Path, limits: Limits = _LIMITS) -> Contents:
    """Every file of the bundle in a folder or a zip, read into memory.

    Raises
    ------
    DataError
        With everything that makes it unsafe, at once: ``BUNDLE-001`` no bundle; ``BUNDLE-005`` what cannot be read;
        ``BUNDLE-006`` a link or a device; ``BUNDLE-007`` a name that leads out of the bundle, or that is no name;
        ``BUNDLE-008`` two files of one name; ``BUNDLE-009`` more files or bytes than a bundle has.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            files = _of_folder(path, limits)
            return Contents(path, {name: files[name] for name in sorted(files) if name != ARCHIVE}, files.get(ARCHIVE))
        if not stat.S_ISREG(mode):
            raise DataError(Problem("BUNDLE-006", "this is a link or a device", "give the file itself", str(path)))
        content = _limited(path, limits)
    except FileNotFoundError as error:
        hint = "give a bundle.zip or its folder"
        raise DataError(Problem("BUNDLE-001", "there is no bundle here", hint, str(path))) from error
    except OSError as error:
        message = f"this cannot be read: {error.strerror}"
        raise DataError(Problem("BUNDLE-005", message, file=str(error.filename or path))) from error
    return Contents(path, unzipped(content, str(path), limits), content)


# --- a folder ---------------------------------------------------------------------------------------------------------


def _of_folder(path: Path, limits: Limits) -> dict[str, bytes]:
    problems: list[Problem] = []
    names: dict[str, Path] = {}
    total = 0
    for file, mode, size in _walk(path, path, problems):
        name = file.relative_to(path).as_posix()
        if not stat.S_ISREG(mode):
            problems.append(_no_file(name, mode, str(path)))
            continue
        names[name] = file
        total += size
        if len(names) > limits.files or total > 2 * limits.bytes:  # the files, and bundle.zip with all of them again
            raise DataError([*problems, _too_much(str(path), limits)])
    problems += _names(list(names), str(path))
    raise_all(problems, DataError)
    return {name: _limited(file, limits) for name, file in names.items()}


def _walk(path: Path, root: Path, problems: list[Problem]) -> Iterator[tuple[Path, int, int]]:
    """Everything in a folder that is no folder, with its mode and size; links are not followed."""
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        known, below = entry.stat(follow_symlinks=False), Path(entry.path)
        if not stat.S_ISDIR(known.st_mode):
            yield below, known.st_mode, known.st_size
        elif len(below.relative_to(root).parts) > _DEEPEST:
            problems.append(Problem("BUNDLE-007", "the folders in it are too deep for a bundle", file=str(root)))
        else:
            yield from _walk(below, root, problems)


def _limited(file: Path, limits: Limits) -> bytes:
    """The bytes of a file, which may grow while it is read, but not beyond a bundle's."""
    with file.open("rb") as stream:
        content = stream.read(limits.bytes + 1)
    if len(content) > limits.bytes:
        raise DataError(_too_much(str(file), limits))
    return content


# --- a zip ------------------------------------------------------------------------------------------------------------


def unzipped(content: bytes, file: str, limits: Limits = _LIMITS) -> dict[str, bytes]:
    """Every file in a zip; errors as `read_contents` raises them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            raise_all(_unsafe(entries, file, limits), DataError)
            return _extracted(archive, entries, file, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        hint = "fetch it again, or ask its makers for another copy"
        raise DataError(Problem("BUNDLE-005", f"this is no zip that can be read: {error}", hint, file)) from error


def _unsafe(entries: list[zipfile.ZipInfo], file: str, limits: Limits) -> list[Problem]:
    """What is wrong with a zip before anything in it is read."""
    if len(entries) > limits.files or sum(entry.file_size for entry in entries) > limits.bytes:
        return [_too_much(file, limits)]
    problems = []
    for entry in entries:
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            problems.append(_no_file(entry.filename, mode, file))
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            message = f"{_shown(entry.filename)} is locked with a password, or packed in an unusual way"
            problems.append(Problem("BUNDLE-005", message, "a bundle is stored, not compressed", file))
    # The name as it stands in the zip: `filename` is cut off at a NUL.
    return [*problems, *_names([entry.orig_filename.removesuffix("/") for entry in entries], file)]


def _extracted(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], file: str, limits: Limits) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = limits.bytes
    for entry in entries:
        if entry.is_dir():
            continue
        parts = []
        with archive.open(entry) as stream:
            while block := stream.read(_BLOCK):
                parts.append(block)
                left -= len(block)
                if left < 0:
                    raise DataError(_too_much(file, limits))
        files[entry.filename] = b"".join(parts)
    return {name: files[name] for name in sorted(files)}


# --- names ------------------------------------------------------------------------------------------------------------


def _names(names: list[str], file: str) -> list[Problem]:
    """Names that are refused whatever system reads them, and names that two files have."""
    problems = []
    seen: dict[str, str] = {}
    for name in names:
        if why := _unfit(name):
            problems.append(Problem("BUNDLE-007", f"the name {_shown(name)} {why}", "nothing was unpacked", file))
        folded = name.casefold()
        if folded in seen:
            before = "" if seen[folded] == name else f", once as {_shown(seen[folded])}"
            message = f"{_shown(name)} is there twice{before}"
            problems.append(Problem("BUNDLE-008", message, "only one of them can be the file that was made", file))
        seen.setdefault(folded, name)
    return problems


def _unfit(name: str) -> str:
    parts = name.split("/")
    if not name or len(name) > _LONGEST or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "is none"
    if name.startswith("/") or PureWindowsPath(name).anchor:
        return "is absolute"
    if ".." in parts or ".." in PureWindowsPath(name).parts:
        return "climbs out with '..'"
    if "\\" in name or "." in parts or "" in parts:
        return "is not written as a bundle writes names"
    return "lies too deep" if len(parts) > _DEEPEST else ""


def _shown(name: str) -> str:
    """A name as a message can hold it."""
    return repr(name if len(name) <= _LONGEST else f"{name[:60]}…")


def _no_file(name: str, mode: int, file: str) -> Problem:
    what = "a link" if stat.S_ISLNK(mode) else "no ordinary file"
    return Problem("BUNDLE-006", f"{_shown(name)} is {what}", "a bundle has ordinary files only", file)


def _too_much(file: str, limits: Limits) -> Problem:
    message = f"there is more in it than in a bundle: over {limits.files:,} files or {limits.bytes / 2**20:g} MB"
    return Problem("BUNDLE-009", message, "nothing was unpacked", file)
