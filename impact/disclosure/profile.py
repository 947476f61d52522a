"""Disclosure rules as a profile: which thresholds hold, and who must confirm them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

__all__ = ["CBS_RA", "PROFILES", "PUBLIC", "Profile", "Verdict", "worst"]

Verdict: TypeAlias = Literal["pass", "suppressed", "needs review"]
"""What became of a number, a table or a figure; what is not known for certain to pass needs review."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Thresholds; None (or False) for a rule that does not hold.

    Attributes
    ----------
    name : str
    minimum_count : int or None
        Fewest persons (or whatever the rows of the microdata are) behind a number.
    minimum_units : int or None
        Fewest units of the study behind a number: wijken, buurten or gemeenten.
    minimum_df : int or None
        Fewest degrees of freedom behind the output of a model.
    dominance : (int, float) or None
        (n, k): the n largest contributions are less than the share k of the whole.
    p_percent : float or None
        The whole without its two largest contributions is at least this percentage of the largest.
    largest_weight : float or None
        A unit has less than this share of the weight in a mean.
    full_share : float or None
        No cell holds more than this share of its row or column: else whoever is in that row is known to be in the cell.
    zeros : bool
        Whether a count of 0 discloses that nobody is in a cell.
    protection : float
        A number that is not shown cannot be derived from the others any closer than by this share of itself.
    round_to : int or None
        Counts are written as multiples of this number.
    verify : str
        Who must confirm these thresholds before they are relied on; "" for nobody.
    """

    name: str
    minimum_count: int | None = None
    minimum_units: int | None = None
    minimum_df: int | None = None
    dominance: tuple[int, float] | None = None
    p_percent: float | None = None
    largest_weight: float | None = None
    full_share: float | None = None
    zeros: bool = False
    protection: float = 0.1
    round_to: int | None = None
    verify: str = ""

    def __post_init__(self) -> None:
        wrong = [name for name in ("minimum_count", "minimum_units", "minimum_df") if _below(getattr(self, name), 1)]
        wrong += ["round_to"] if _below(self.round_to, 2) else []
        wrong += [name for name in ("largest_weight", "full_share") if not _share(getattr(self, name))]
        if self.dominance is not None and (self.dominance[0] < 1 or not 0 < self.dominance[1] <= 1):
            wrong.append("dominance")
        if self.p_percent is not None and not 0 < self.p_percent <= 100:
            wrong.append("p_percent")
        if not 0 < self.protection <= 1:
            wrong.append("protection")
        if wrong:
            raise ValueError(
                f"out of range: {', '.join(wrong)}; counts are 1 or more, shares lie above 0 and are 1 at most"
            )

    @property
    def asks(self) -> bool:
        """Whether any rule holds; none does for figures that are public already."""
        own = (field.name for field in fields(self) if field.name not in ("name", "protection", "verify"))
        return any(getattr(self, name) not in (None, False) for name in own)


def _below(x: float | None, least: float) -> bool:
    return x is not None and x < least


def _share(x: float | None) -> bool:
    return x is None or 0 < x <= 1


PUBLIC: Final = Profile("public")
"""The inputs are published figures: whoever wants can compute every number anew, so nothing more is to be hidden."""

CBS_RA: Final = Profile(
    "cbs-ra",
    minimum_count=10,
    minimum_units=10,
    minimum_df=10,
    dominance=(1, 0.5),
    p_percent=10,
    largest_weight=0.5,
    full_share=0.9,
    zeros=True,
    round_to=5,
    verify="CBS",
)
"""Output of the Remote Access environment of Statistics Netherlands. These are the usual European rules of thumb (ten
units behind a cell, ten degrees of freedom, one contributor at most half, no cell above nine tenths of its row); those
of CBS are in a document that goes with a contract, so they are to be verified with CBS."""

PROFILES: Final[dict[str, Profile]] = {profile.name: profile for profile in (PUBLIC, CBS_RA)}


def worst(verdicts: list[Verdict]) -> Verdict:
    """Of a table: "needs review" where anything that is shown does, "suppressed" where nothing is shown."""
    if "needs review" in verdicts:
        return "needs review"
    return "suppressed" if verdicts and all(verdict == "suppressed" for verdict in verdicts) else "pass"
