"""Whether estimators and inferences would have kept their word in the past of these very areas: placebo programmes.

Programmes that never were, at earlier dates and on donors, in the periods before the real one began. What is found
there is no effect, so it shows bias, error rates and the smallest effect that can be seen, before outcomes are opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Int1
from impact.errors import Refused
from impact.inference.diagnose import Diagnosis, Pair, diagnose
from impact.inference.placebo_refits import Rematch, pretended
from impact.inference.placebo_sets import Sets, draw, roles, without_residents
from impact.longtable import few
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Calibration", "Past", "calibrate"]

_WHAT = "a calibration on the own past"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What the placebo programmes of one past show. It is one realised history: descriptive, no proof of a level.

    Attributes
    ----------
    diagnoses : tuple of Diagnosis
        One for every pair.
    starts : tuple of str
        Periods in which the first of the areas was pretended to start.
    windows : int
        How many of the pretended programmes do not overlap in time: so many independent histories there are at most.
    programmes : int
        Sets of donors that were treated in pretence.
    missing : int
        Draws that found no set of donors.
    """

    diagnoses: tuple[Diagnosis, ...]
    starts: tuple[str, ...]
    windows: int
    programmes: int
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """The panels of the placebo programmes, by number; see ``impact.inference.diagnose.World``.

    Attributes
    ----------
    panel : Panel
        With the real areas and starts; no outcome from `end` on.
    rows : (S, n) int
        Donors that stand in for the treated; see ``impact.inference.placebo_sets.roles``.
    back : tuple of int
        Periods by which the starts are moved back; set after set takes the next of them.
    end : int
        Periods before any real area could have responded.
    span : int
        Periods from the first start to the last that counts, in the real programme.
    periods : tuple of str
        Of the real panel.
    rematch : callable or None
        The matching rule.
    """

    panel: Panel
    rows: Int1
    back: tuple[int, ...]
    end: int
    span: int
    periods: tuple[str, ...]
    rematch: Rematch | None = None

    def __call__(self, number: int) -> Panel | Refused:
        """The panel whose periods are named as they would be after the real start, so that one target reads all."""
        back = self.back[number % len(self.back)]
        fake = pretended(self.panel, roles(self.panel), self.rows[number])
        fake = fake.assign(fake.first - back, fake.area, fake.areas)
        earliest = int(fake.first[np.isfinite(fake.first)].min())
        kept = min(self.end, earliest + self.span)
        fake = replace(fake.until(kept), periods=self.periods[back : back + kept])
        return fake if self.rematch is None else self.rematch(fake)


def calibrate(
    panel: Panel,
    pairs: Sequence[Pair],
    target: Target,
    *,
    draws: int,
    streams: Streams,
    sets: Sets = "random",
    tolerance: float = 0.25,
    level: float = 0.95,
    rematch: Rematch | None = None,
    parallel: Parallel | None = None,
) -> Calibration | Refused:
    """Every pair on `draws` placebo programmes in the past.

    Parameters
    ----------
    panel : Panel
        With the real areas and starts. No outcome from the first real start (less anticipation) on is looked at, of
        nobody, and none of the real areas.
    pairs : sequence of Pair
        See ``impact.inference.diagnose.Pair``.
    target : Target
        Its last term is judged. With a window only starts early enough for all of it.
    draws : int
        Sets of donors; each takes one of the earlier dates, in turn.
    streams : Streams
        The same seed draws the same programmes.
    sets, tolerance
        Which donors stand in; see ``impact.inference.placebo.PlaceboSpace``. Sets of the same make-up as the areas show
        the most: an area lies in one gemeente, and its wijken near each other.
    level : float
        That of the inferences.
    rematch : callable, optional
        The matching rule, for a matched panel. Where it matches on outcomes of years after an earlier start, what is
        found is too favourable.
    parallel : Parallel, optional
        In this process by default.

    Returns
    -------
    Calibration or Refused
        Refused where the past is too short for an earlier start, or no set of donors can be found.
    """
    if panel.pairs is not None and rematch is None:
        return Refused(_WHAT, "the panel is matched and placebo areas need controls of their own", "Give the rule.")
    # A panel that knows nothing of the time after cannot show it.
    treated = panel.treated & (panel.weight > 0)
    starts = panel.first[treated].astype(int)
    anticipation = max((int(getattr(pair.estimator, "anticipation", 0)) for pair in pairs), default=0)
    least = max((max(pair.estimator.asks.min_pre, 1) for pair in pairs), default=1)
    end = int(starts.min()) - anticipation
    back = tuple(range(int(starts.max()) - end + 1, int(starts.min()) - least - anticipation + 1))
    if not back:
        return Refused(
            _WHAT,
            f"the first area starts {int(starts.min())} periods after the first, the last {int(starts.max())}: earlier "
            f"starts of all of them leave no {least} periods to learn from",
            "Add earlier periods.",
        )
    if target.window is not None and target.kind != "event":
        # A start so late that its window reaches into the real programme would be about another, shorter time.
        last = panel.periods.index(target.window[1])
        back = tuple(step for step in back if end + step > last)
        if not back:
            return Refused(
                _WHAT,
                f"no earlier start has the window of the target up to {target.window[1]} behind it before period "
                f"{end + 1}, when the first area may respond",
                "Add earlier periods, or give the target a shorter window.",
            )
    if target.weighting == "resident" and (unknown := without_residents(panel)):
        return Refused(_WHAT, f"{len(unknown)} units have no residents that are known ({few(unknown)})", "Add them.")
    complete = any(pair.estimator.asks.balanced for pair in pairs)
    drawn = draw(panel.until(end), sets, draws, streams.at("calibrate"), tolerance=tolerance, complete=complete)
    if isinstance(drawn, Refused):
        return replace(drawn, what=_WHAT)
    span = len(panel.periods) - int(starts.min())
    past = Past(replace(panel, pairs=None).until(end), drawn.rows, back, end, span, panel.periods, rematch)
    found = diagnose(
        past, len(drawn.rows), pairs, target, streams=streams, level=level, parallel=parallel, label="calibrate"
    )
    dates = tuple(panel.periods[int(starts.min()) - step] for step in sorted(back, reverse=True))
    return Calibration(found, dates, _apart(starts, back, end, span), len(drawn.rows), drawn.missing)


def _apart(starts: Int1, back: tuple[int, ...], end: int, span: int) -> int:
    """How many pretended programmes fit beside each other in time, taken from the earliest on."""
    count, free = 0, -1
    for step in sorted(back, reverse=True):
        first = int(starts.min()) - step
        if first >= free:
            count, free = count + 1, min(end, first + span)
    return count
