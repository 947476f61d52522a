"""The probability that the estimates of successive looks first cross a boundary at one of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

import numpy as np

from impact.arrays import Float1, Float2

__all__ = ["MOST", "Walk", "walks"]

MOST = 12.0  # standard errors: there is no error left to spend beyond them

# Richtmyer's sequence takes the root of a prime for every look.
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101)
_SHIFTS = 8  # independent shifts of the sequence: their spread is the Monte-Carlo error
_ROUNDING = 1e-9
_NODES = 200
_REACH = 7.0  # standard errors beyond which the integration leaves out what is left, about 3e-12
_SHARP = 1.5  # nodes within one standard deviation of a step, which the integration needs


class Walk(Protocol):
    """Estimates, on the scale of their standard errors, that stayed within the boundaries of the looks so far."""

    def beyond(self, bound: float) -> float:
        """Probability of staying within all boundaries so far and crossing this one at the next look."""
        ...

    def go(self, bound: float) -> float:
        """Take this boundary for the next look; what `beyond` says of it."""
        ...


def walks(covariance: Float2, generator: np.random.Generator, draws: int) -> list[Callable[[], Walk]]:
    """Ways to walk through the looks, each from the start whenever it is called; several differ by chance only.

    Where every look depends on those before through the last one alone, as with independent increments, it is one walk
    by repeated integration, without chance. Otherwise there are several under random shifts, each of `draws` points.

    Parameters
    ----------
    covariance : (K, K) float
        Of the estimates at the looks; its scale does not matter.
    generator : Generator
        Of the shifts.
    draws : int
        Points for every shift.

    Raises
    ------
    ValueError
        A matrix that is no covariance, or more looks than can be drawn.

    References
    ----------
    Armitage, McPherson & Rowe (1969), JRSS A 132(2); Genz & Bretz (2009), Computation of Multivariate Normal and t
    Probabilities.
    """
    correlation = _correlation(covariance)
    steps = np.diag(correlation, 1)
    if _chained(correlation, steps):
        return [lambda: _Chain(steps)]
    root, shifts = _cholesky(correlation), generator.random((_SHIFTS, len(correlation)))

    def drawn(shift: Float1) -> Callable[[], Walk]:
        return lambda: _Drawn(root, _points(shift, draws))

    return [drawn(shift) for shift in shifts]


def _correlation(covariance: Float2) -> Float2:
    cov = np.asarray(covariance, dtype=np.float64)
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1] or not 0 < len(cov) <= len(_PRIMES):
        raise ValueError(f"the covariance of the looks is square, for 1 to {len(_PRIMES)} looks")
    if not np.isfinite(cov).all() or not (np.diag(cov) > 0).all():
        raise ValueError("the covariance of the looks is finite, with variances above 0")
    size = np.sqrt(np.diag(cov))
    correlation = cov / np.outer(size, size)
    if not np.allclose(correlation, correlation.T, rtol=0, atol=1e-8):
        raise ValueError("the covariance of the looks is symmetric")
    if np.linalg.eigvalsh(correlation)[0] < -1e-8 * len(cov):
        raise ValueError("this is not a covariance: some sum of the looks would have a negative variance")
    return np.asarray(correlation)


def _chained(correlation: Float2, steps: Float1) -> bool:
    """Whether the looks are a chain whose steps the nodes can tell."""
    count = len(correlation)
    product = np.eye(count)
    for row in range(count):
        product[row, row + 1 :] = product[row + 1 :, row] = np.cumprod(steps[row:])
    wide = np.sqrt(np.maximum(1 - steps**2, 0.0))
    apart = np.pi * _REACH / _NODES  # in the middle, where Legendre's nodes lie furthest apart
    return np.allclose(product, correlation, rtol=0, atol=_ROUNDING) and bool((wide >= _SHARP * apart).all())


@cache
def _legendre() -> tuple[Float1, Float1]:
    where, weight = np.polynomial.legendre.leggauss(_NODES)
    return where, weight


class _Chain:
    """Repeated integration over the estimate of the last look, at the nodes of Gauss and Legendre."""

    def __init__(self, steps: Float1) -> None:
        self.steps = steps
        self.look = 0
        self.nodes = np.zeros(1)
        self.mass = np.ones(1)  # probability at the nodes of having stayed within

    def beyond(self, bound: float) -> float:
        from scipy import special

        slope, wide = self._step()
        mean = slope * self.nodes
        outside = special.ndtr((mean - bound) / wide) + special.ndtr((-bound - mean) / wide)
        return float(self.mass @ outside)

    def go(self, bound: float) -> float:
        spent = self.beyond(bound)
        slope, wide = self._step()
        reach = min(bound, _REACH)
        where, weight = _legendre()
        nodes = reach * where
        density = np.exp(-0.5 * ((nodes[:, None] - slope * self.nodes) / wide) ** 2) / (np.sqrt(2 * np.pi) * wide)
        self.mass = reach * weight * (density @ self.mass)
        self.nodes = nodes
        self.look += 1
        return spent

    def _step(self) -> tuple[float, float]:
        """Correlation with the look before, and the standard deviation given that."""
        slope = 0.0 if self.look == 0 else float(self.steps[self.look - 1])
        return slope, float(np.sqrt(1 - slope**2))


class _Drawn:
    """Estimates drawn look by look between their boundaries, from the normal distribution given those before."""

    def __init__(self, root: Float2, points: Float2) -> None:
        self.root = root
        self.points = points
        self.drawn = np.zeros_like(points)  # of the independent normals behind the looks
        self.within = np.ones(points.shape[1])
        self.look = 0

    def beyond(self, bound: float) -> float:
        low, high = self._tails(bound)
        return float((self.within * (low + high)).mean())

    def go(self, bound: float) -> float:
        from scipy import special

        low, high = self._tails(bound)
        spent = float((self.within * (low + high)).mean())
        stay = np.maximum(1 - low - high, 0.0)
        self.drawn[self.look] = special.ndtri(np.clip(low + self.points[self.look] * stay, 1e-300, 1 - 1e-16))
        self.within = self.within * stay
        self.look += 1
        return spent

    def _tails(self, bound: float) -> tuple[Float1, Float1]:
        """(B,) probabilities of lying below and above, given the looks before."""
        from scipy import special

        own = self.root[self.look, self.look]
        mean = self.root[self.look, : self.look] @ self.drawn[: self.look]
        if own <= _ROUNDING:  # this look adds nothing to those before
            return (mean < -bound).astype(np.float64), (mean > bound).astype(np.float64)
        return special.ndtr((-bound - mean) / own), special.ndtr((mean - bound) / own)


def _points(shift: Float1, draws: int) -> Float2:
    """(K, B) points of the lattice, folded (the baker's transformation) and away from 0 and 1."""
    generators = np.sqrt(np.array(_PRIMES[: len(shift)], dtype=np.float64))
    where = np.outer(generators, np.arange(1, draws + 1)) + shift[:, None]
    return np.asarray(np.clip(np.abs(2 * (where % 1.0) - 1), 1e-15, 1 - 1e-15))


def _cholesky(correlation: Float2) -> Float2:
    """(K, K) the lower triangular root, also of a singular matrix."""
    count = len(correlation)
    out = np.zeros((count, count))
    for row in range(count):
        for column in range(row):
            rest = correlation[row, column] - out[row, :column] @ out[column, :column]
            out[row, column] = rest / out[column, column] if out[column, column] > 0 else 0.0
        left = 1.0 - float(out[row, :row] @ out[row, :row])
        out[row, row] = np.sqrt(left) if left > _ROUNDING else 0.0
    return out
