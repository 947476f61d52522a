"""Which share of the residents of a gemeente lives in the focus area that it holds, or why that is not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.study.areas import FocusArea
from impact.study.load import Loaded
from impact.study.model import Specification

__all__ = ["Living", "living", "living_together"]


@dataclass(frozen=True, slots=True)
class Living:
    """The residents of an area and of the gemeente around it.

    Attributes
    ----------
    inside, whole : float
        Residents of the area and of its gemeente; nan where unknown.
    why : str
        A key of the text catalogue, with what it speaks of behind a bar, where the share is not known; "" where it is.
    """

    inside: float
    whole: float
    why: str = ""

    @property
    def share(self) -> float | None:
        """Share of the residents; None where unknown."""
        return None if self.why else self.inside / self.whole


def living(spec: Specification, loaded: Loaded, area: FocusArea) -> Living:
    """The residents of an area whose unit is a whole gemeente, as the units table gives them."""
    column = None if spec.data.units is None else spec.data.units.columns.residents
    base = loaded.base or loaded
    if column is None:
        return Living(np.nan, np.nan, "no-residents|")
    if not area.parts:
        return Living(np.nan, np.nan, "no-members|")
    codes = [code for code, _ in area.parts]
    open_ = [code for code in area.partial if code not in codes]
    if open_:
        return Living(np.nan, np.nan, f"no-share|{', '.join(open_)}")
    members = base.units.number(column, codes)
    if not np.isfinite(members).all():
        unknown = [code for code, count in zip(codes, members.tolist(), strict=True) if count != count]
        return Living(np.nan, np.nan, f"no-count|{', '.join(unknown)}")
    inside = float(members @ np.array([share for _, share in area.parts]))
    whole = float(loaded.units.number(column, area.units).sum())
    if not whole > 0:
        return Living(inside, np.nan, f"no-count|{', '.join(area.units)}")
    if inside > whole:
        return Living(inside, whole, "more|")
    return Living(inside, whole)


def living_together(spec: Specification, loaded: Loaded, areas: tuple[FocusArea, ...]) -> float | None:
    """The share of the residents of all gemeenten in the estimate that lives in their areas; None where unknown."""
    found = [living(spec, loaded, area) for area in areas if not area.left_out]
    if not found or any(one.why for one in found):
        return None
    return sum(one.inside for one in found) / sum(one.whole for one in found)
