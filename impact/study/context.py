"""Notes of others that a study names: read as they are, beside the results, and never a part of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from impact.errors import Problem, SpecError, raise_all
from impact.evidence.context_notes import Note
from impact.evidence.record import Evidence
from impact.study.read import Study
from impact.study.roots import Roots

__all__ = ["MAX_BYTES", "MAX_NOTES", "read_context", "with_context"]

MAX_BYTES: Final = 64 * 1024
MAX_NOTES: Final = 20


def read_context(study: Study, data: Sequence[str | Path] = ()) -> tuple[Note, ...]:
    """The notes of `study`, found as its tables are.

    Raises
    ------
    SpecError
        ``SPEC-020``, ``SPEC-021`` a path that is refused or not there; ``CONTEXT-001`` a file that is no note: too
        large, no Markdown by its name, no UTF-8 text, or the same file twice; ``CONTEXT-002`` too many of them.
    """
    roots = Roots.of(study.path, [Path(folder) for folder in data])
    named, found, problems = study.model.context, [], list[Problem]()
    if len(named) > MAX_NOTES:
        message = f"a study has at most {MAX_NOTES} notes; here are {len(named)}."
        problems.append(study.problem(("context",), "CONTEXT-002", message, "Keep those that a reader needs."))
    for place, file in enumerate(named[:MAX_NOTES]):
        try:
            content = _content(roots.find(file), file)
            if file in named[:place]:
                raise SpecError(Problem("CONTEXT-001", f"The note '{file}' stands here for the second time."))
            found.append(Note(file, hashlib.sha256(content).hexdigest(), content.decode("utf-8")))
        except SpecError as error:
            problems += [study.problem(("context", place), one.code, one.message, one.hint) for one in error.problems]
    raise_all(problems, SpecError)
    return tuple(found)


def _content(path: Path, file: str) -> bytes:
    """The bytes of a note."""
    hint = f"A note is a Markdown file (.md) of at most {MAX_BYTES // 1024} KiB in UTF-8."
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        why = "is too large" if len(content) > MAX_BYTES else "" if file.endswith(".md") else "is no Markdown"
        if "\0" in content.decode("utf-8"):
            why = "is no text"
    except UnicodeDecodeError:
        why = why or "is no UTF-8 text"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    if why:
        raise SpecError(Problem("CONTEXT-001", f"The note '{file}' {why}.", hint))
    return content


def with_context(outcomes: Sequence[Evidence], notes: tuple[Note, ...]) -> list[Evidence]:
    """The outcomes with the notes beside them."""
    return [replace(one, context=notes) for one in outcomes]
