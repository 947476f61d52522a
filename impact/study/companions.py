"""What goes along in a bundle as it is, beside the study, its lock and its ledger: environment and shared inputs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from platform import python_version
from typing import Any

from pydantic import BaseModel

from impact.errors import DataError, Problem
from impact.evidence.context_notes import Note
from impact.study.crate import INPUTS
from impact.study.load import Loaded
from impact.study.read import Study

__all__ = ["companions", "environment", "shared"]

_OWN = "impact-nplv"


def companions(study: Study, loaded: Loaded, paths: Mapping[str, Path], notes: Sequence[Note] = ()) -> dict[str, bytes]:
    """Files by their name in the bundle; `paths` gives the place of every input by its name in the study.

    Raises
    ------
    DataError
        ``BUNDLE-004`` when an input that is shared is not the file that was read.
    """
    found = {"environment.json": environment()}
    read = {data.file: data.sha256 for data in loaded.files} | {note.file: note.sha256 for note in notes}
    for file in shared(study):
        content = paths[file].read_bytes()
        if hashlib.sha256(content).hexdigest() != read[file]:
            message = "this input changed while the study ran"
            raise DataError(Problem("BUNDLE-004", message, "run the study again", file))
        found[INPUTS + file] = content
    return found


def shared(study: Study) -> tuple[str, ...]:
    """The inputs, as the study and its alternatives name them, that say ``share: true``, and its notes."""
    models = [study.model, *(variation.model for variation in study.variations)]
    return tuple(sorted({*study.model.context, *(file for model in models for file in _shared(model.data))}))


def _shared(part: BaseModel) -> Iterator[str]:
    """In one part of the data, and in the parts inside it."""
    if getattr(part, "share", False):
        yield part.file  # type: ignore[attr-defined]
    for _, below in part:
        if isinstance(below, BaseModel):
            yield from _shared(below)


def environment() -> bytes:
    """Python, and every package that this one needs, with its version; nothing about the machine."""
    found: dict[str, str] = {}
    waiting = [_OWN]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            known = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or another Python
        found[name] = known.version
        waiting += [_named(need) for need in known.requires or () if "extra ==" not in need]
    said: dict[str, Any] = {"schema": 1, "python": python_version(), "packages": found}
    return (json.dumps(said, indent=1, sort_keys=True) + "\n").encode("utf-8")


def _named(need: str) -> str:
    found = re.match(r"[\w.-]+", need)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else need
