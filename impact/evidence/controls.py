"""What negative controls show of the systematic error of a design, as values that a record holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from impact.errors import Refused

__all__ = ["Control", "NegativeControls"]


@dataclass(frozen=True, slots=True)
class Control:
    """One place or outcome where nothing can be expected, and what the design found there.

    Attributes
    ----------
    kind : {"outcome", "areas"}
        Another outcome of the focus areas, or the same outcome of areas without the programme.
    name : dict
        By language.
    why : str
        Why nothing can be expected.
    unit : str
        Of `value` and `std_error`.
    value, std_error : float or None
    scaled : float or None
        `value` in the unit of the outcome: as large a part of how much the one moves by itself as of the other.
    refused : Refused or None
        Why it does not count.
    """

    kind: Literal["outcome", "areas"]
    name: dict[str, str]
    why: str
    unit: str
    value: float | None = None
    std_error: float | None = None
    scaled: float | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class NegativeControls:
    """The controls of a study, and the estimate with their systematic error taken off and counted.

    Attributes
    ----------
    each : tuple of Control
    counted : int
        Controls that count.
    mean, sd : float or None
        Of the systematic error, in the unit of the outcome.
    value, low, high, p_value : float or None
        The calibrated estimate; it stands beside the declared one and never instead of it.
    refused : Refused or None
        Why there is none.
    """

    each: tuple[Control, ...]
    counted: int = 0
    mean: float | None = None
    sd: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    refused: Refused | None = None
