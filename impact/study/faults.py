"""One thing that cannot be true in a specification, before it is placed in the file."""

from __future__ import annotations

from dataclasses import dataclass

from impact.study.source import Loc

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the value at `loc`; `SPEC-010` unless another code says what kind it is."""

    loc: Loc
    message: str
    hint: str = ""
    code: str = "SPEC-010"
