"""What was decided of every table and figure so that nothing is disclosed of anyone, as values that a record holds."""

from __future__ import annotations

from dataclasses import dataclass

from impact.disclosure.profile import Verdict
from impact.errors import Refused

__all__ = ["Disclosed", "Mark", "withheld", "withholding"]

_WHAT = "a number that would disclose something"


@dataclass(frozen=True, slots=True)
class Mark:
    """What was decided of a part of the record, or of one number in it.

    Attributes
    ----------
    part : str
        As the texts under ``disclosure.part`` know it.
    cell : str
        Which number of the part; "" for all of it.
    verdict : {"pass", "suppressed", "needs review"}
    rule : str
        That decided, as the texts under ``disclosure.rule`` know it.
    behind, threshold : float or None
        What the rule found and what it asks.
    """

    part: str
    cell: str
    verdict: Verdict
    rule: str
    behind: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Disclosed:
    """The rules under which a record was made fit to leave, and what they came to.

    Attributes
    ----------
    profile : str
    asks : bool
        Whether the profile has any rule; without, the figures are public as they are.
    verify : str
        Who must confirm the thresholds; "" for nobody.
    thresholds : tuple of (name, value)
        The thresholds that held.
    marks : tuple of Mark
    """

    profile: str
    asks: bool
    verify: str
    thresholds: tuple[tuple[str, str], ...]
    marks: tuple[Mark, ...]

    def hides(self, part: str) -> bool:
        """Whether any number of a part is not shown."""
        return any(mark.part == part and mark.verdict == "suppressed" for mark in self.marks)


def withholding(profile: str) -> Refused:
    """That a number is there, and is not shown."""
    return Refused(
        _WHAT,
        f"under the rules of disclosure of {profile} too little lies behind it",
        "The list of what is not shown says which rule decided.",
    )


def withheld(refused: Refused | None) -> bool:
    """Whether a refusal says that a number is not shown, and not that there is none."""
    return refused is not None and refused.what == _WHAT
