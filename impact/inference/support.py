"""Which pair of estimator and inference is known to hold its level here.

`sized` rests on the design simulation of 20 areas in 19 municipalities (4,000 repetitions, difference-in-differences of
means); whatever is not listed is `unsized`: nothing is known, and every output says so. A later version generates this
table by simulation.
"""

from __future__ import annotations

from typing import Literal

from impact.errors import Refused

__all__ = ["Support", "status", "support"]

Support = Literal["sized", "conservative", "unsized", "refused"]

_TABLE: dict[tuple[str, str], Support] = {
    ("did", "cluster-jackknife"): "sized",
    ("group-time", "cluster-jackknife"): "sized",
    ("did", "score-flip"): "sized",
    ("group-time", "score-flip"): "sized",
}


def support(estimator: str, inference: str) -> Support:
    """What is known of the pair."""
    return _TABLE.get((estimator, inference), "unsized")


def status(estimator: str, inference: str, refused: Refused | None) -> str:
    """ "ok", "unsized", or why there is no interval: the word that stands beside every number."""
    if refused is not None:
        return f"refused: {refused.because}"
    known = support(estimator, inference)
    return "ok" if known in ("sized", "conservative") else known
