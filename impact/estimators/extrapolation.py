"""What leaves the range of the donors: said of every fit that finds donor weights."""

from __future__ import annotations

from typing import Final

import numpy as np

from impact.arrays import Float1
from impact.cells import Fit, Note
from impact.longtable import few
from impact.panel import Panel

__all__ = ["extrapolation"]

_NEGATIVE: Final = 0.5  # negative weights that add up to more than this are said
_BEYOND: Final = 0.1  # and so is an imputed outcome that lies farther than this share outside all that was observed
_ROUNDING: Final = 1e-12  # of the largest outcome


def extrapolation(panel: Panel, fit: Fit) -> tuple[str, ...]:
    """What a reader must know of a comparison whose weights need not lie on the simplex; the worst areas come first.

    Parameters
    ----------
    panel, fit : Panel and Fit
        The outcomes, and what was found from them.

    Returns
    -------
    tuple of str
        Areas whose imputed untreated outcome leaves the range of their donors in some period (both less their base,
        where there is one), with the largest distance relative to that range; areas where it leaves everything
        observed, of donors at any time and of the area before its start, by more than 0.1 of what that spans; and areas
        in which negative weights add up to more than 0.5.
    """
    outside: list[tuple[float, str, str]] = []
    beyond: list[tuple[float, str, str]] = []
    negative: list[tuple[float, str, str]] = []
    if fit.pieces is None or fit.untreated is None:
        return ()
    for part, unit, time in zip(fit.compared, fit.pieces.unit, fit.pieces.time, strict=True):
        donors, imputed = panel.y[part.donors], part.share @ fit.untreated[part.rows]
        size = max(float(np.abs(donors).max()), 1e-300)
        course = donors - (donors @ time)[:, None]
        share = _excess(imputed - time @ imputed, course.min(axis=0), course.max(axis=0), _ROUNDING * size)
        at = int(np.argmax(share))
        if share[at] > 0:
            says = f"{part.name} by {share[at]:.2g} times that range in {panel.periods[at]}"
            outside.append((-share[at], says, part.name))
        start = int(panel.first[part.rows[0]])
        seen = np.append(donors, part.share @ panel.y[np.ix_(part.rows, np.arange(start))])
        share = _excess(imputed, np.full(1, seen.min()), np.full(1, seen.max()), _ROUNDING * size)
        at = int(np.argmax(share))
        if share[at] > _BEYOND:
            says = f"{part.name} by {share[at]:.2g} times its range in {panel.periods[at]}"
            beyond.append((-share[at], says, part.name))
        below = float(-unit[unit < 0].sum())
        if below > _NEGATIVE:
            negative.append((-below, f"{part.name} {below:.2f}", part.name))
    said = (
        ("extrapolates", "the untreated outcome is extrapolated, beyond the range of the donors: ", outside),
        ("beyond", "the untreated outcome is imputed far outside all that was observed: ", beyond),
        ("negative", f"negative weights add up to more than {_NEGATIVE} of the whole: ", negative),
    )
    return tuple(
        Note(
            words + few([says for _, says, _ in sorted(found)]),
            key,
            most=-min(found)[0],
            names=[name for _, _, name in sorted(found)],
        )
        for key, words, found in said
        if found
    )


def _excess(path: Float1, low: Float1, high: Float1, rounding: float) -> Float1:
    """How far `path` lies outside of `low` to `high`, as a share of the distance between them."""
    out = np.maximum(np.maximum(low - path, path - high), 0.0)
    return np.asarray(np.where(out > rounding, out, 0.0) / np.maximum(high - low, rounding))
