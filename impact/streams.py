"""Named random streams: a seed is a hash of the study's seed and the path of the task.

What a task draws therefore depends neither on the order of the tasks nor on the number of workers
(the idea of R's ``targets``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

__all__ = ["Streams"]


@dataclass(frozen=True, slots=True)
class Streams:
    """A family of random generators, one for every path under one seed.

    >>> Streams(1).at("placebo", 3).generator().integers(10) == Streams(1).at("placebo").at(3).generator().integers(10)
    True
    """

    seed: int
    path: tuple[str, ...] = ()

    def at(self, *steps: str | int) -> Streams:
        """The streams below this one."""
        return Streams(self.seed, self.path + tuple(str(step) for step in steps))

    def generator(self) -> np.random.Generator:
        """A fresh generator for exactly this path; the same path gives the same draws."""
        # A length before every part: ("ab", "c") and ("a", "bc") are different paths.
        text = f"{self.seed}" + "".join(f"|{len(step)}:{step}" for step in self.path)
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
