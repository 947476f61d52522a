"""What verifying a bundle comes to: three levels, one sentence each, what differs and what was not checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from impact.evidence.language import Texts, texts
from impact.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InStudy", "Level", "Said", "Verdict", "Verification"]

Verdict: TypeAlias = Literal["yes", "no", "not"]
_ABOUT = "verification"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, by its key in the text catalogue, with what it speaks of."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, say: Texts) -> str:
        values = dict(self.values)
        if "stage" in values:
            values["stage"] = say(f"{_ABOUT}.stage.{values['stage']}")
        return say(f"{_ABOUT}.{self.key}", **values)


@dataclass(frozen=True, slots=True)
class InStudy(Said):
    """A sentence about one study of a collection."""

    study: str = ""

    def __call__(self, say: Texts) -> str:
        return f"{self.study}: {Said.__call__(self, say)}"


@dataclass(frozen=True, slots=True)
class Level:
    """One of the three questions, and its answer.

    Attributes
    ----------
    name : {"unchanged", "fixed", "recomputed"}
    verdict : {"yes", "no", "not"}
        Holds, differs, or could not be checked (or was never claimed).
    sentence : Said
    differences : tuple of Said
        Everything that differs.
    unchecked : tuple of Said
        What the answer is not about.
    """

    name: str
    verdict: Verdict
    sentence: Said
    differences: tuple[Said, ...] = ()
    unchecked: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification(Plotted):
    """The answer of ``impact.verify``.

    Attributes
    ----------
    path : Path
        The bundle.
    sha256 : str
        Digest of its zip; "" where there is none.
    unchanged, fixed, recomputed : Level
    """

    path: Path
    sha256: str
    unchanged: Level
    fixed: Level
    recomputed: Level

    _language: ClassVar[str] = "nl"

    @property
    def levels(self) -> tuple[Level, ...]:
        """All three."""
        return (self.unchanged, self.fixed, self.recomputed)

    @property
    def differs(self) -> bool:
        """Whether anything is not as it should be."""
        return any(level.verdict == "no" for level in self.levels)

    def summary(self, language: str = "nl") -> str:
        """All of it in words, in Dutch (``nl``) or English (``en``)."""
        return "\n".join(_lines(self, texts(language)))

    def tidy(self, language: str = "nl") -> pd.DataFrame:
        """One row per level: ``level, verdict, sentence, differences, unchecked``."""
        import pandas as pd

        say = texts(language)
        rows = [
            {
                "level": level.name,
                "verdict": level.verdict,
                "sentence": level.sentence(say),
                "differences": " ".join(one(say) for one in level.differences),
                "unchecked": " ".join(one(say) for one in level.unchecked),
            }
            for level in self.levels
        ]
        return pd.DataFrame(rows)


def _lines(found: Verification, say: Texts) -> Iterator[str]:
    for number, level in enumerate(found.levels, 1):
        yield f"{number}. {say(f'{_ABOUT}.title.{level.name}')}: {level.sentence(say)}"
        yield from (f"   ✗ {one(say)}" for one in level.differences[:_SHOWN])
        if len(level.differences) > _SHOWN:
            yield "   ✗ " + say(f"{_ABOUT}.more", count=str(len(level.differences) - _SHOWN))
        yield from (f"   – {one(say)}" for one in level.unchecked)
    if found.sha256:
        yield say(f"{_ABOUT}.digest", sha256=found.sha256)
