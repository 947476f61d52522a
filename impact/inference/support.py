"""Which pair of estimator and inference is known to hold its level here.

`sized` rests on the design simulation of 20 areas in 19 municipalities (4,000 repetitions, difference-in-differences of
means); whatever is not listed is `unsized`: nothing is known, and every output says so. A later version generates this
table by simulation.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["Support", "support"]

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
