"""A check: one statistic against one threshold, with a verdict and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Stage", "Verdict"]

Verdict = Literal["pass", "fail", "not_evaluated"]
Stage = Literal["design", "pre", "post"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was asked of the design or the data, and what came out.

    Attributes
    ----------
    name : str
        Stable name ("balance").
    statistic, threshold : float or None
        None where nothing was computed.
    verdict : {"pass", "fail", "not_evaluated"}
    gates : bool
        Whether a verdict other than pass seals the estimate; only checks that are blind to outcomes after the start.
    stage : {"design", "pre", "post"}
    says : str
        Key of the sentence in the text catalogue.
    because : str
        Detail of the verdict, for the sentence.
    """

    name: str
    statistic: float | None
    threshold: float | None
    verdict: Verdict
    gates: bool
    stage: Stage
    says: str
    because: str = ""

    def __post_init__(self) -> None:
        if self.gates and self.stage == "post":
            raise ValueError("a check that has seen outcomes after the start can never gate")
