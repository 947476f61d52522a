"""Settings files: TOML whose keys are exactly those of a dataclass; whatever does not fit is said at once."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

from impact.errors import Problem, SpecError

__all__ = ["arguments", "flat", "misfits", "read_toml"]


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    SpecError
        ``SIM-001`` when it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(Problem("SIM-001", f"this is not TOML: {error}", file=str(path))) from error


def flat(given: Mapping[str, Any], deep: Collection[str] = ()) -> dict[str, Any]:
    """Keys of all tables together, as tables only order the file; those named in `deep` stay tables."""
    found: dict[str, Any] = {}
    for name, part in given.items():
        found |= part if isinstance(part, dict) and name not in deep else {name: part}
    return found


def misfits(given: Iterable[str], fields: Mapping[str, Field[Any]], file: Path, under: str = "") -> list[Problem]:
    """``SIM-002`` for every key that is unknown, and for every one that is missing and has no default."""
    there = set(given)
    needed = {name for name, field in fields.items() if field.default is MISSING and field.default_factory is MISSING}
    return [
        Problem(
            "SIM-002",
            f"{key} is {'missing' if key in needed else 'not a setting'}",
            file=str(file),
            path=f"{under}.{key}" if under else key,
        )
        for key in sorted((needed - there) | (there - set(fields)))
    ]


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values with every list as a tuple, so that what is made of them is frozen."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
