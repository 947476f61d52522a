"""What both generated countries draw and write alike: serially correlated shocks, characteristics, Dutch numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from impact import files
from impact.arrays import Float1, Float2

__all__ = ["STRUCTURE", "ar1", "built_up", "characteristics", "factors", "number", "write_csv"]

STRUCTURE = ("huur_pct", "uitkering_pct", "adres_dichtheid")


def ar1(draw: np.random.Generator, count: int, length: int, persistence: float) -> Float2:
    """(count, length) stationary first-order autoregressive paths with variance 1."""
    fresh = draw.standard_normal((count, length))
    path = np.empty((count, length))
    path[:, 0] = fresh[:, 0]
    for t in range(1, length):
        path[:, t] = persistence * path[:, t - 1] + np.sqrt(1 - persistence**2) * fresh[:, t]
    return path


def characteristics(need: Float1, noise: Float2) -> Float2:
    """(n, 3) what a deprived wijk looks like, rounded as published: percent, percent, addresses per square kilometre.

    Parameters
    ----------
    need : (n,) float
        Deprivation in standard deviations.
    noise : (n, 3) float
        Standard normal: what else makes wijken differ.
    """
    rent = np.clip(np.round(46 + 14 * need + 7 * noise[:, 0], 1), 2, 98)
    benefit = np.clip(np.round(5.5 + 2.6 * need + 1.2 * noise[:, 1], 1), 0.3, 30)
    density = np.round(np.clip(1900 * np.exp(0.35 * need + 0.35 * noise[:, 2]), 60, 9000))
    return np.column_stack([rent, benefit, density])


def factors(draw: np.random.Generator, count: int, spread: float) -> Float1:
    """(count,) factors that average exactly 1: evenly spaced by `spread`, in random order."""
    return np.asarray(1.0 + spread * (draw.permutation(count) - (count - 1) / 2))


def built_up(since: Float2, build_up: Sequence[float], factor: Float1) -> Float2:
    """(A, T) effects: 0 before the start, then `build_up` step by step and on at its last value, times the factor.

    Parameters
    ----------
    since : (A, T) int
        Periods since the start; negative before it.
    build_up : sequence of float
        Effect in the first, second, ... period.
    factor : (A,) float
        What an area gets of it.
    """
    built = np.array(build_up)[np.clip(since, 0, len(build_up) - 1)]
    return np.where(since >= 0, np.round(factor[:, None] * built, 6), 0.0)


def number(value: float, digits: int = 6) -> str:
    """A number as a Dutch spreadsheet writes it: no digits that are not there, a decimal comma."""
    return f"{round(float(value), digits):.{digits}f}".rstrip("0").rstrip(".").replace(".", ",")


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    """Semicolons between cells, as Dutch spreadsheets write them; returns the path."""
    files.write(path, "".join(";".join(row) + "\n" for row in [header, *rows]))
    return path
