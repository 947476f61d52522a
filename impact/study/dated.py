"""What may use no period of the programme, judged once the data say when an area starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from impact.errors import DataError, Problem, raise_all
from impact.study.areas import FocusArea
from impact.study.faults import Fault
from impact.study.match_rules import faults_of_outcomes
from impact.study.model import Specification
from impact.study.times import before_every_start
from impact.study.validate import dotted

__all__ = ["check_dates"]


def check_dates(spec: Specification, areas: Iterable[FocusArea]) -> None:
    """Refuse outcomes that are matched on, and own means, from a period in which the areas may have responded.

    A specification that names its starts was judged when it was read; where a column of the units table holds them,
    only the data can tell.

    Raises
    ------
    DataError
        ``DATA-156``, every period at once.
    """
    if spec.starts():
        return
    starts = {area.slug: area.start for area in areas if not area.left_out}
    start = spec.treatment.start.model_copy(update={"column": None, "by_area": starts})
    known = spec.model_copy(update={"treatment": spec.treatment.model_copy(update={"start": start})})
    found = (Problem("DATA-156", f"{fault.message}.", fault.hint, path=dotted(fault.loc)) for fault in _faults(known))
    raise_all(found, DataError)


def _faults(spec: Specification) -> Iterator[Fault]:
    if spec.comparison.match is not None:
        yield from faults_of_outcomes(spec, spec.comparison.match)
    for outcome in spec.all_outcomes:
        own = outcome.measure.as_percent_of_own
        for number, year in enumerate(own.periods if own else ()):
            loc = ("outcome", "measure", "as_percent_of_own", "periods", number)
            yield from before_every_start(spec, loc, year, "the region's own mean")
