"""The data of the design of a study as `impact check`, `impact lock` and `impact amend` read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impact.study.areas import FocusArea, focus_areas
from impact.study.load import Loaded, load
from impact.study.read import Study, locate
from impact.study.roots import Roots

__all__ = ["at_design"]


def at_design(study: Study, data: Sequence[str | Path] = ()) -> tuple[Loaded, tuple[FocusArea, ...]]:
    """Tables and areas of `study`, without what is sealed or still has to arrive.

    Raises
    ------
    SpecError, DataError
        As `load` does.
    """
    paths = locate(study, Roots.of(study.path, [Path(folder) for folder in data]))
    loaded = load(study.model, paths, design=True)
    return loaded, focus_areas(study.model, loaded)
