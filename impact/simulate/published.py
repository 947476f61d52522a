"""What is seen of a true number: rounding, secrecy, samples with their margins, and cells that were never delivered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Float2
from impact.simulate.settings import Recipe, Settings
from impact.streams import Streams

__all__ = ["Counted", "published_counts", "published_score", "published_survey", "round_randomly"]

_Z = 1.96  # 95 % margins as published tables have them


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What a table says; every array is (N, T), `status` is ``ok``, ``suppressed`` or ``missing``."""

    numerator: Float2
    denominator: Float2
    value: Float2
    n: Float2
    low: Float2
    high: Float2
    status: NDArray[np.str_]


def round_randomly(values: Float2, base: int, draw: np.random.Generator) -> Float2:
    """Whole multiples of `base`, up or down at random such that the expectation is `values`."""
    down = np.floor(values / base)
    up = draw.random(values.shape) < values / base - down
    return np.asarray(base * (down + up))


def published_counts(
    settings: Settings, recipe: Recipe, numerator: Float2, denominator: Float2, streams: Streams
) -> Counted:
    """Counts and their ratio. What is secret is decided on the true count, and shown is the rounded one."""
    status = _delivered(settings, numerator.shape, streams)
    if settings.noise:
        if settings.traps.suppression and recipe.suppressed:
            status[(numerator < settings.threshold) & (status == "ok")] = "suppressed"
        if settings.traps.rounding and recipe.rounded:
            draw = streams.at("rounding").generator()
            denominator = round_randomly(denominator, settings.base, draw)
            # Rounding apart could leave more counted than there are.
            numerator = np.minimum(round_randomly(numerator, settings.base, draw), denominator)
    value = np.divide(recipe.per * numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
    none = np.full(value.shape, np.nan)
    return Counted(numerator, denominator, _decimals(settings, value, 6), none, none, none, status)


def published_score(settings: Settings, recipe: Recipe, mean: Float2, streams: Streams) -> Counted:
    """A score: what is expected, with the error of the model that gave it."""
    status = _delivered(settings, mean.shape, streams)
    value = mean
    if settings.noise:
        value = mean + recipe.score_sd * streams.at("chance").generator().standard_normal(mean.shape)
    none = np.full(mean.shape, np.nan)
    return Counted(none, none, _decimals(settings, value, recipe.digits), none, none, none, status)


def published_survey(settings: Settings, recipe: Recipe, mean: Float2, streams: Streams) -> Counted:
    """A percentage of respondents (N, T), with 95 % margins; with few respondents nothing is published."""
    status = _delivered(settings, mean.shape, streams)
    draw = streams.at("respondents").generator()
    low, high = settings.respondents
    asked = draw.uniform(low, high, (len(mean), 1))
    n = np.round(asked * draw.uniform(0.9, 1.1, mean.shape))
    value, margin = mean, np.zeros(mean.shape)
    if settings.noise:
        if settings.traps.survey_error:
            share = np.where(np.isnan(mean), 0.5, mean / 100.0).round(9)
            value = 100.0 * streams.at("chance").generator().binomial(n.astype(np.int64), share) / n
            margin = 100.0 * _Z * np.sqrt(value / 100.0 * (1.0 - value / 100.0) / n)
        if settings.traps.suppression:
            status[(n < settings.few) & (status == "ok")] = "suppressed"
    none = np.full(mean.shape, np.nan)
    digits = recipe.digits
    return Counted(
        none,
        none,
        _decimals(settings, value, digits),
        n,
        _decimals(settings, np.maximum(value - margin, 0.0), digits),
        _decimals(settings, np.minimum(value + margin, 100.0), digits),
        status,
    )


def _delivered(settings: Settings, shape: tuple[int, ...], streams: Streams) -> NDArray[np.str_]:
    """``missing`` in a few cells at random, ``ok`` in all others."""
    gone = streams.at("missing").generator().random(shape) < (settings.missing if settings.noise else 0.0)
    return np.where(gone, "missing", "ok").astype("<U11")


def _decimals(settings: Settings, values: Float2, digits: int) -> Float2:
    return np.round(values, digits) if settings.noise else values
