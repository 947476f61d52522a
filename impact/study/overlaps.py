"""How far the areas of an alternative are those of the study, in residents: two delineations ask about other ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.design.unions import Unions, overlap
from impact.evidence.language import Texts, number
from impact.study.areas import FocusArea
from impact.study.load import Loaded
from impact.study.model import Specification

__all__ = ["said_overlap"]


def said_overlap(
    spec: Specification, loaded: Loaded, own: Sequence[FocusArea], declared: Sequence[FocusArea], say: Texts
) -> str:
    """One sentence: which share of the residents of the areas of `own` lives in those of `declared`, and back.

    Only areas in the estimate count. Where a region is cut by both the share is not known exactly; then the sentence
    gives the least it can be.
    """
    column = None if spec.data.units is None else spec.data.units.columns.residents
    base = loaded.base or loaded
    one, other = (
        Unions.of({area.slug: dict(area.parts) for area in areas if not area.left_out and area.parts})
        for areas in (own, declared)
    )
    regions = sorted({*one.parts, *other.parts})
    found = overlap(one, other, regions, base.units.number(column, regions))
    mine, theirs = sum(row.one or 0.0 for row in found), sum(row.other or 0.0 for row in found)
    unknown = any(
        (row.one is None and row.unit in one.units) or (row.other is None and row.unit in other.units) for row in found
    )
    if unknown or not mine or not theirs:
        return say("run.overlap.unknown")
    both, most = sum(row.least or 0.0 for row in found), sum(row.most or 0.0 for row in found)
    exact = bool(np.isclose(both, most))
    share, back = (say("format.percent", number=number(100 * both / all_, say.language, 0)) for all_ in (mine, theirs))
    return say("run.overlap.exact" if exact else "run.overlap.least", share=share, back=back)
