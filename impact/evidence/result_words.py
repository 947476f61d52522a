"""What a result says of its uncertainty in its summary: band, known part of the error, breakdown value."""

from __future__ import annotations

import numpy as np

from impact.errors import Refused
from impact.inference.known_error import KnownError
from impact.inference.protocol import Band, Uncertainty

__all__ = ["band_words", "breakdown_words", "known_words"]


def known_words(known: KnownError | Refused, terms: tuple[str, ...], uncertainty: Uncertainty | Refused) -> str:
    """How much of the error of the last term that has one was known beforehand."""
    if isinstance(known, Refused):
        return str(known)
    held = ", with the weights taken as given" if known.given_weights else ""
    error = np.full(len(terms), np.nan) if isinstance(uncertainty, Refused) else uncertainty.std_error
    share = known.share(error)
    given = np.flatnonzero(np.isfinite(share))
    if not given.size:
        low, high = known.std_error.min(), known.std_error.max()
        spread = f"{low:.4g}" if len(terms) == 1 else f"{low:.4g} to {high:.4g}"
        return f"known error of the figures (samples, rounding): {spread}{held}; no variance to hold it against"
    last = int(given[-1])
    part = "all" if share[last] >= 1 else f"{share[last]:.0%}"
    whose = "" if len(terms) == 1 else f" of {terms[last]}"
    return f"known error of the figures (samples, rounding) is {part} of the variance{whose}{held}"


def breakdown_words(found: float | Refused) -> str:
    """How far parallel trends may fail, or why that is not known."""
    if isinstance(found, Refused):
        return f"breakdown value: not evaluated, because {found.because}"
    if np.isinf(found):
        return "breakdown value: none; whatever the departures, the interval does not hold 0"
    return f"breakdown value {found:.2f} (departures after the start, in times the largest change before it)"


def band_words(known: Uncertainty, band: Band) -> str:
    """What the intervals say together."""
    count = int(band.inside.sum())
    if count == 1:
        return "the band is over one term and is its interval"
    together = f"each interval holds by itself; the band over {count} terms holds for all of them at once"
    if band.critical is None or band.mc_error is None:
        return f"{together} ({known.draws} draws)"
    return (
        f"{together} and reaches {band.critical:.2f} standard errors to either side "
        f"({known.draws} draws, Monte-Carlo error {band.mc_error:.2g})"
    )
