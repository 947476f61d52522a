"""What a study says of sets of characteristics: the same regression with each of them, and what of that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from impact.study.faults import Fault
from impact.study.fields import Part, Word, Written

if TYPE_CHECKING:
    from impact.study.model import Specification

__all__ = ["CovariateSets", "columns_of_sets", "faults_of_sets"]

_ABLE: Final = ("did", "group-time", "imputation", "twfe", "stacked", "sun-abraham", "extended-twfe")
"""Estimators that without characteristics are the regression of the change on treatment, where all start together."""

_MOST: Final = 50


class CovariateSets(Part):
    """The change of the outcome regressed on treatment and, in turn, every set of characteristics.

    It shows how much a choice of characteristics matters; it is no alternative of the study and in no summary of those.
    """

    of: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(
        description="columns of the units table, or structure, size and selection for theirs"
    )
    at_most: Annotated[int, Field(ge=2, le=1000)] = 1000
    why: Written = Field(description="the reason to look at these")


def columns_of_sets(spec: Specification) -> tuple[str, ...]:
    """The columns of the units table of which sets are taken; a group stands for its columns."""
    if spec.covariate_sets is None:
        return ()
    groups = {} if spec.data.units is None else spec.data.units.columns.groups
    return tuple(column for name in spec.covariate_sets.of for column in groups.get(name, (name,)))


def faults_of_sets(spec: Specification) -> Iterator[Fault]:
    """What is wrong with the characteristics, and estimators beside which the regression says nothing."""
    found, units = spec.covariate_sets, spec.data.units
    if found is None:
        return
    if spec.estimator.name not in _ABLE:
        message = f"{spec.estimator.name} is no regression of a change, so sets of characteristics say nothing of it"
        yield Fault(("covariate_sets",), message, f"Those that are: {', '.join(_ABLE)}.")
    if len(spec.starts()) > 1:
        message = "areas start in different periods, so there is no one change to regress"
        yield Fault(("covariate_sets",), message, "Take the key out.")
    if units is None:
        hint = "Add `units: {file: …, columns: {region: …}}` under `data`."
        yield Fault(("covariate_sets", "of"), "they are columns of the units table, and there is none", hint)
        return
    for number, name in enumerate(found.of):
        if name in units.columns.groups and not units.columns.groups[name]:
            hint = f"Name them in `data.units.columns.{name}`."
            yield Fault(("covariate_sets", "of", number), f"no columns are named as {name}", hint)
    names = columns_of_sets(spec)
    if len(names) > _MOST:
        message = f"{len(names)} characteristics have too many sets"
        yield Fault(("covariate_sets", "of"), message, f"Name at most {_MOST}.")
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Fault(("covariate_sets", "of"), f"'{name}' stands here for the second time")
