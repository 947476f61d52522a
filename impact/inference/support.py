"""Which pair of estimator and inference is known to hold its level here.

The table beside this file is made by simulation: the lines of difference-in-differences by
``tests/simulation/test_size.py``, those of synthetic controls by ``tests/simulation/test_synthetic.py``. A pair has the
worst status over the worlds in which it gives anything. Of what is not listed nothing is known: it is `unsized`, and
every output says so.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from impact.errors import Refused

__all__ = ["Support", "status", "support"]

Support = Literal["sized", "conservative", "unsized", "refused"]


@cache
def _table() -> dict[tuple[str, str], Support]:
    text = files("impact.inference").joinpath("support.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(row["estimator"], row["inference"]): cast("Support", row["status"]) for row in rows}


def support(estimator: str, inference: str) -> Support:
    """What is known of the pair."""
    return _table().get((estimator, inference), "unsized")


def status(estimator: str, inference: str, refused: Refused | None) -> str:
    """ "ok", "unsized", or why there is no interval: the word that stands beside every number."""
    if refused is not None:
        return f"refused: {refused.because}"
    known = support(estimator, inference)
    return "ok" if known in ("sized", "conservative") else known
