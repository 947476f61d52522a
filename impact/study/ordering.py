"""What a study compares, part by part, to order a tailor-made table for: its focus areas and the units it chose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from impact.register.areas import Confidence, Member
from impact.register.areas import areas as register_areas
from impact.study.area_order import Part, comparison_parts, parts_of_area
from impact.study.areas import FocusArea, focus_areas
from impact.study.load import Loaded, load
from impact.study.model import Specification
from impact.study.panels import Comparison, compare
from impact.study.read import Study, locate
from impact.study.roots import Roots

__all__ = ["chosen"]


def chosen(study: Study, data: Sequence[str | Path] = ()) -> tuple[Part, ...]:
    """The parts of every focus area of `study`, and of every unit that it compares them with, over all its outcomes.

    Who is compared follows from the design alone; no outcome after the start is used. A comparison unit is an area of
    its own, named once, with the focus areas it stands beside. Areas that are in the study and not in its estimate are
    in the list as well: what is not known of them is what an order could bring.

    Raises
    ------
    SpecError, DataError
        As a run does.
    """
    spec = study.model
    loaded = load(spec, locate(study, Roots.of(study.path, [Path(folder) for folder in data])), design=True)
    areas = focus_areas(spec, loaded)
    made = [compare(spec, loaded, series, areas) for series in loaded.series]
    focus = [part for area in areas if not _aside(area) for part in _focus(spec, loaded, area)]
    beside: dict[str, dict[str, None]] = {}
    members: dict[str, dict[str, float]] = {}
    for comparison in made:
        for area, unit in _stands_beside(comparison):
            beside.setdefault(unit, {})[area] = None
        members |= {} if comparison.unions is None else comparison.unions.members()
    units = {
        unit: [
            Member("", code, spec.data.vintage, share, f"{spec.id}: {', '.join(names)}", Confidence.UNKNOWN)
            for code, share in members.get(unit, {unit: 1.0}).items()
        ]
        for unit, names in sorted(beside.items())
    }
    return (*focus, *comparison_parts(units))


def _aside(area: FocusArea) -> bool:
    """Whether the study sets the area aside for good: an order would not bring it back."""
    return area.left_out.startswith("earlier-programme")


def _focus(spec: Specification, loaded: Loaded, area: FocusArea) -> tuple[Part, ...]:
    """The members as the study has them: of its own file, of the register, of a column or its own list."""
    known = {found.slug: found for found in register_areas()}
    place = known.get(area.slug)
    own = loaded.members.get(area.slug)
    if own is None and place is not None and spec.treatment.areas.register_ is not None:
        own = place.members
    if own is None:
        vintage, unknown = spec.data.vintage, Confidence.UNKNOWN
        own = tuple(Member("", code, vintage, share, spec.id, unknown) for code, share in area.parts)
    return parts_of_area(area.slug, own, "" if place is None else place.gemeente_code)


def _stands_beside(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Every focus area with every unit that is compared with it."""
    panel = comparison.panel
    for number, area in enumerate(panel.areas):
        if panel.pairs is not None:
            rows = np.flatnonzero(panel.pairs[number] > 0)
        else:
            rows = np.flatnonzero(panel.never & (panel.control_weight(panel.treated) > 0))
        yield from ((area, panel.units[row]) for row in rows.tolist())
