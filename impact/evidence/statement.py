"""The five statements: exactly one for every locked result, chosen by a total table.

Exploratory results get none of them; their wording is in ``impact.evidence.reading``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from impact.evidence.language import texts

__all__ = ["Statement", "choose", "sentence"]

Kind = Literal["not-measurable", "cannot-be-established", "more-favourable", "less-favourable", "no-difference-of-s"]
Form = Literal["text", "smaller", "interval", "open", "check", "unknown", "bracket"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One of the five, and the form of its sentence.

    Attributes
    ----------
    kind : str
        Which statement.
    form : {"text", "smaller", "interval", "open", "check", "unknown", "bracket"}
        ``smaller`` adds that the difference is smaller than the preset bound. The last five are why nothing can be
        established: both no difference and the bound fit; no difference fits and there is no bound; a check was not
        met, and no number is given; no interval can be given; or the sign depends on whom is compared with.
    """

    kind: Kind
    form: Form = "text"


def choose(
    *,
    measurable: bool,
    gates_passed: bool,
    low: float | None,
    high: float | None,
    better: Literal["lower", "higher"],
    smallest: float | None,
    one_sign: bool = True,
) -> Statement:
    """The statement of a locked result; the rows are tried in this order.

    Parameters
    ----------
    measurable : bool
        Whether the outcome could be measured at all, decided beforehand.
    gates_passed : bool
        Whether every gate was evaluated and passed.
    low, high : float or None
        The interval as printed, simultaneous over its family; None where it was refused.
    better : {"lower", "higher"}
        The favourable direction of the outcome.
    smallest : float or None
        The smallest difference that matters, above 0, declared beforehand with a reason.
    one_sign : bool
        Whether the estimates without matching, matched on structure and matched on the selection score have no two
        signs (``impact.design.bracket.Bracket``).

    Raises
    ------
    ValueError
        When the bounds are crossed, only one is given, or `smallest` is not above 0.
    """
    if (low is None) != (high is None):
        raise ValueError("an interval has two bounds or none")
    if low is not None and high is not None and not low <= high:
        raise ValueError(f"the interval from {low} to {high} is crossed")
    if smallest is not None and not smallest > 0:
        raise ValueError("the smallest difference that matters is above 0")
    if not measurable:
        return Statement("not-measurable")
    if not gates_passed:
        return Statement("cannot-be-established", "check")
    if low is None or high is None:
        return Statement("cannot-be-established", "unknown")
    if not one_sign:
        return Statement("cannot-be-established", "bracket")
    inside = smallest is not None and -smallest < low and high < smallest
    if low > 0 or high < 0:
        favourable = (low > 0) == (better == "higher")
        return Statement("more-favourable" if favourable else "less-favourable", "smaller" if inside else "text")
    if inside:
        return Statement("no-difference-of-s")
    return Statement("cannot-be-established", "open" if smallest is None else "interval")


def sentence(statement: Statement, language: str, *, unit: str = "", **values: str) -> str:
    """The fixed sentence with its names filled in (`outcome`, `areas`, `total`, `period`, `difference`, `low`, `high`,
    `level`, `bound`, `check`, `reason`, as far as its form asks for them); of whole gemeenten where `unit` says so."""
    return texts(language, unit)(f"statements.{statement.kind}.{statement.form}", **values)
