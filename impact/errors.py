"""What can go wrong, as values.

A *problem* is one thing a user can mend; an *error* carries all problems found at once; a *refusal*
is an answer ("this cannot be known here, because …") and is returned, never raised.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from impact.displayed import Displayed
from impact.harmless import shown

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 5_000  # characters of a line of a message; a message quotes what it is about

__all__ = ["DataError", "ImpactError", "Problem", "Refused", "SpecError", "UsageError", "WriteError", "raise_all"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input, where it stands and what to do about it.

    Attributes
    ----------
    code : str
        Stable identifier such as ``"DATA-003"``; never re-used for another meaning.
    message : str
        What was found and what was expected, in one sentence.
    hint : str
        What to do next; empty when there is nothing to add.
    file : str
        File name as the user wrote it; empty when the problem has no file.
    line, column : int or None
        1-based position in the file; for tables ``line`` is the row as a spreadsheet counts it.
    path : str
        Dotted path of a key in a specification, or the name of a column.
    excerpt : str
        The offending source line, printed with a caret under ``column``.
    """

    code: str
    message: str
    hint: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    path: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}" if place else f"row {self.line}"
            if self.column is not None:
                place += f":{self.column}"
        head = " ".join(part for part in (place, self.code, self.path and f"[{self.path}]") if part)
        lines = [f"{head}: {self.message}"]
        if self.excerpt:
            lines.append(f"    {self.excerpt}")
            if self.column is not None:
                lines.append("    " + " " * (self.column - 1) + "^")
        if self.hint:
            lines.append(f"    → {self.hint}")
        return shown("\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …" for line in lines))


class ImpactError(Exception):
    """Base of every error that `impact` raises on purpose; carries all problems at once."""

    def __init__(self, problems: Iterable[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem("IMPACT-000", problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(ImpactError):
    """A call or a command that cannot be understood."""


class SpecError(ImpactError):
    """A study specification that cannot be read or does not make sense."""


class DataError(ImpactError):
    """Data that break their contract."""


class WriteError(ImpactError):
    """Output that could not be written; what stood there before still stands."""


def raise_all(problems: Iterable[Problem], error: type[ImpactError]) -> None:
    """Raise `error` with every problem at once; do nothing when there is none."""
    found = tuple(problems)
    if found:
        raise error(found)


@dataclass(frozen=True, slots=True)
class Refused(Displayed):
    """An answer that is not a number: what cannot be given, why, and what can be done instead.

    A refusal is falsy, so that ``if not result`` reads naturally, and it is never nan or 0.0.
    """

    what: str
    because: str
    instead: str = ""

    def __bool__(self) -> bool:
        return False

    def summary(self) -> str:
        """The refusal in words, so that ``result.summary()`` tells either what was found or why nothing can be."""
        return str(self)

    def tidy(self) -> pd.DataFrame:
        """One row: ``what, because, instead``."""
        import pandas as pd

        return pd.DataFrame([{"what": self.what, "because": self.because, "instead": self.instead}])

    @property
    def plot(self) -> Refused:
        """The refusal itself: there is nothing to draw."""
        return self

    def __str__(self) -> str:
        tail = f" {self.instead}" if self.instead else ""
        return f"{self.what}: refused, because {self.because}.{tail}"
