"""JSON that anybody may have written: of moderate size and depth, no key twice, no number that does not end."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["strict"]

_MOST = 64 * 2**20


def strict(content: bytes) -> Any:
    """The value in `content`.

    Raises
    ------
    ValueError
        Saying why it is refused.
    """
    if len(content) > _MOST:
        raise ValueError(f"it is larger than {_MOST // 2**20} MB")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
