"""One thing that cannot be true in a specification, before it is placed in the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from impact.study.source import Loc

__all__ = ["Fault", "near"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the value at `loc`; `SPEC-010` unless another code says what kind it is."""

    loc: Loc
    message: str
    hint: str = ""
    code: str = "SPEC-010"


def near(name: str, known: Iterable[str]) -> str:
    """The word that was probably meant, or all that there are."""
    words = list(known)
    close = get_close_matches(name, words, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Here now: {', '.join(words)}."
