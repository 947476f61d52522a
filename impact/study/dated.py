"""What a study says of its starts, judged again once a column has given them: nothing may be taken from after one."""

from __future__ import annotations

from collections.abc import Sequence

from impact.errors import DataError, Problem, raise_all
from impact.study.areas import FocusArea
from impact.study.model import Specification
from impact.study.rules import faults
from impact.study.validate import dotted

__all__ = ["faults_of_dates"]


def faults_of_dates(spec: Specification, areas: Sequence[FocusArea]) -> None:
    """Refuse what cannot be with the starts that a column gives; others are judged when the study is read.

    Raises
    ------
    DataError
        ``DATA-154`` a period that is matched on, adjusted for, a base or in the window, and is not so by those starts.
    """
    start = spec.treatment.start
    if start.column is None:
        return
    given = start.model_copy(
        update={"column": None, "by_area": {area.slug: area.start for area in areas if not area.left_out}}
    )
    known = spec.model_copy(update={"treatment": spec.treatment.model_copy(update={"start": given})})
    before = set(faults(spec))
    # Whether the starts themselves can be is judged where they are read.
    found = [fault for fault in faults(known) if fault not in before and fault.loc[0] != "treatment"]
    raise_all(
        [
            Problem("DATA-154", f"{fault.message}.", fault.hint, spec.data.outcomes.file, path=dotted(fault.loc))
            for fault in found
        ],
        DataError,
    )
