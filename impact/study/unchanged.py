"""Whether a bundle is unchanged since it was made: every digest, no file too many, none missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from impact.errors import DataError, Problem
from impact.files import zipped
from impact.study.archive import Contents, unzipped
from impact.study.bundle import ARCHIVE, MANIFEST
from impact.study.strict import strict
from impact.study.verification import Level, Said

__all__ = ["read_manifest", "unchanged"]


def read_manifest(contents: Contents) -> Mapping[str, Any]:
    """The manifest.

    Raises
    ------
    DataError
        ``BUNDLE-001`` there is none; ``BUNDLE-010`` it cannot be read.
    """
    where = str(contents.path)
    if MANIFEST not in contents.files:
        hint = "give a bundle.zip or its folder"
        raise DataError(Problem("BUNDLE-001", f"there is no bundle here: {MANIFEST} is missing", hint, where))
    try:
        found = strict(contents.files[MANIFEST])
        outputs = found["outputs"]
        if not all(isinstance(one, str) for pair in outputs.items() for one in pair) or "results.json" not in outputs:
            raise ValueError("it does not say what the files are")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(Problem("BUNDLE-010", f"{MANIFEST} cannot be read: {error}", "", where)) from error
    return dict(found)


def unchanged(contents: Contents, manifest: Mapping[str, Any], expected: str = "") -> Level:
    """The first level; `expected` is the digest of ``bundle.zip`` as it was deposited elsewhere."""
    wrong = tuple(_differences(contents, manifest["outputs"], expected.strip().lower()))
    unchecked = []
    if not expected:
        unchecked.append(Said("unchecked.own-manifest"))
    if contents.archive is not None and not wrong and zipped(contents.files) != contents.archive:
        unchecked.append(Said("unchecked.repacked"))
    count = str(len(manifest["outputs"]))
    sentence = Said("unchanged.no", {"count": str(len(wrong))}) if wrong else Said("unchanged.yes", {"count": count})
    return Level("unchanged", "no" if wrong else "yes", sentence, wrong, tuple(unchecked))


def _differences(contents: Contents, outputs: Mapping[str, str], expected: str) -> Iterator[Said]:
    files = contents.files
    for name, digest in sorted(outputs.items()):
        if name not in files:
            yield Said("file.missing", {"file": name})
        elif hashlib.sha256(files[name]).hexdigest() != digest:
            yield Said("file.changed", {"file": name})
    for name in sorted(files.keys() - outputs.keys() - {MANIFEST}):
        yield Said("file.extra", {"file": name})
    if contents.archive is not None and contents.path.is_dir():
        packed = unzipped(contents.archive, str(contents.path / ARCHIVE))
        for name in sorted(packed.keys() | files.keys()):
            if packed.get(name) != files.get(name):
                yield Said("file.unlike-zip", {"file": name})
    if expected and contents.sha256 != expected:
        yield Said("file.digest", {"found": contents.sha256 or "–", "expected": expected})
