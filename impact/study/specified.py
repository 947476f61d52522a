"""What a specification shows of itself: what will be done, in sentences, and its keys as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from impact.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

__all__ = ["Specified"]


class Specified(Plotted):
    """What a ``Study`` and a ``Collection`` share; before a run there is nothing to draw."""

    __slots__ = ()
    _language: ClassVar[str] = "nl"

    def tidy(self) -> pd.DataFrame:
        """One row per key that is not standard: ``key`` with dots, and its ``value`` as text."""
        import pandas as pd

        model: BaseModel = self.model  # type: ignore[attr-defined]
        tree = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return pd.DataFrame(list(_rows(tree, "")), columns=["key", "value"])


def _rows(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _rows(below, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _rows(below, f"{key}[{number}]")
    else:
        yield key, str(value)
