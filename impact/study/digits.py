"""At how many digits two runs agree: the one table of what another machine, library or number of threads may change."""

from __future__ import annotations

__all__ = ["ALGEBRA", "SOLVED", "agree", "digits_of"]

ALGEBRA = 10
"""Significant digits of what sums, products and one linear system give."""
SOLVED = 6
"""Of what an iterative solver gives, which stops within a tolerance."""

_SOLVERS = frozenset(
    {
        "augmented-synthetic-control",
        "multi-outcome-synthetic-control",
        "partially-pooled",
        "penalized-synthetic-control",
        "poisson",
        "synthetic-control",
        "synthetic-did",
    }
)


def digits_of(method: str) -> int:
    """Significant digits of the numbers of an estimator."""
    return SOLVED if method in _SOLVERS else ALGEBRA


def agree(one: float, other: float, digits: int, scale: float = 0.0) -> bool:
    """Whether two numbers are the same at `digits` significant digits of the larger, or of `scale` where it is larger.

    What is left over where large numbers cancel has no digits of its own: `scale` is their size.
    """
    return abs(one - other) <= 10.0**-digits * max(abs(one), abs(other), scale) if one != other else True
