"""The sample: people or places seen once, in some period, in an area that is treated from some period on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from impact.arrays import Bool1, Float1, Int1, frozen, renumbered, require
from impact.covariates import Coding, coded
from impact.described import Described
from impact.errors import Problem, UsageError
from impact.groups import cohorts, group_starts, names_of
from impact.longtable import Columns
from impact.panel import Panel, Weighting
from impact.rowtable import Observed, observed
from impact.terms import Spelled, read_terms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sample"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sample(Described):
    """Repeated cross-sections: `n` observations over `T` ordered periods.

    It offers estimators, targets and inference what a ``Panel`` offers them, with rows in the place of units.

    Attributes
    ----------
    y : (n,) float
        The outcome in `unit`; always observed.
    period : (n,) int
        Index of the period of the observation.
    first : (n,) float
        Index of the first treated period of the row's group; `T` or more when that is after the last period, inf when
        never. Treatment is absorbing.
    periods : tuple of str
        Names of the periods.
    covariates : mapping of name to (n,) float
    cluster, clusters : (n,) int and names
        Who shares shocks (the gemeente).
    clustered : bool
        Whether clusters were given; when not, every row (or unit) is its own and every output says so.
    area, areas : (n,) int and names
        The treated area of the row, -1 for rows that are never treated.
    residents : (n,) float or None
        How many residents of a fixed baseline the row stands for, for ``weighting="resident"``: the rows of an area
        share its residents in every period.
    weight : (n,) float
        Sampling weight, never negative; after `weighted` what a treated row counts for in the target.
    serving : (n,) float or None
        Weight as a control where that is another than `weight`.
    repeats : (n,) float
        Rows of the same unit, 1 in cross-sections: a group's size counts a unit once, however often it was seen.
    unit : str
        Unit of the outcome.
    group : (n,) int
        Number of the group whose cells a fit reports; -1 for rows that are not treated within the sample.
    grouped : {"cohort", "area"}
        What a group is; see ``Panel``.
    aside : tuple of str
        Rows that were treated from the first period on, told by their areas.
    notes : tuple of str
        What a reader of the results must know of the covariates.
    """

    y: Float1
    period: Int1
    first: Float1
    periods: tuple[str, ...]
    cluster: Int1
    clusters: tuple[str, ...]
    clustered: bool
    area: Int1
    areas: tuple[str, ...]
    weight: Float1
    repeats: Float1
    group: Int1
    grouped: Literal["cohort", "area"] = "cohort"
    covariates: Mapping[str, Float1] = field(default_factory=dict)
    residents: Float1 | None = None
    serving: Float1 | None = None
    unit: str = ""
    aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.y)
        for name in ("y", "first", "weight", "repeats", "residents", "serving", *_INTEGERS):
            value = getattr(self, name)
            if value is None:
                continue
            array = frozen(value, np.intp if name in _INTEGERS else np.float64)
            require(name, array, (count,))
            object.__setattr__(self, name, array)
        covariates = {name: frozen(values) for name, values in self.covariates.items()}
        for name, values in covariates.items():
            require(f"covariate {name}", values, (count,))
        object.__setattr__(self, "covariates", covariates)
        if not np.isfinite(self.y).all():
            raise ValueError("a row without an outcome cannot stand in a sample")
        if (self.first <= 0).any():
            raise ValueError("a row treated from the first period on cannot stand in a sample; set it aside")

    # What estimators, targets and inference ask -------------------------------------------------------------------

    @property
    def pairs(self) -> None:
        """None: a sample is not matched."""
        return None

    @property
    def treated(self) -> Bool1:
        """(n,) rows whose group becomes treated within the sample."""
        return self.first < len(self.periods)

    @property
    def never(self) -> Bool1:
        """(n,) rows that are never treated."""
        return np.isinf(self.first)

    @property
    def counted(self) -> Float1:
        """(n,) what a row adds to the size of its group."""
        return self.weight / self.repeats

    @property
    def groups(self) -> Float1:
        """(K,) first treated period of every group, in the order of the numbers in `group`."""
        return group_starts(self.group, self.first)

    @property
    def group_names(self) -> tuple[str, ...]:
        """(K,) name of every group: its first treated period, or its area."""
        if self.grouped == "cohort":
            return tuple(self.periods[int(start)] for start in self.groups)
        return names_of(self.group, self.area, self.areas)

    def control_weight(self, members: Bool1) -> Float1:
        """(n,) weight of every row as a control, whoever the treated are."""
        return self.weight if self.serving is None else self.serving

    # Other samples ------------------------------------------------------------------------------------------------

    def take(self, index: Sequence[int] | Int1) -> Sample:
        """The sample of the rows at `index`; all periods stay."""
        at = np.asarray(index, dtype=np.intp)
        cluster, clusters = renumbered(self.cluster[at], self.clusters)
        area, areas = renumbered(self.area[at], self.areas)
        group, _ = renumbered(self.group[at], self.group_names)
        return replace(
            self,
            y=self.y[at],
            period=self.period[at],
            first=self.first[at],
            cluster=cluster,
            clusters=clusters,
            area=area,
            areas=areas,
            weight=self.weight[at],
            repeats=self.repeats[at],
            group=group,
            covariates={name: values[at] for name, values in self.covariates.items()},
            residents=None if self.residents is None else self.residents[at],
            serving=None if self.serving is None else self.serving[at],
        )

    def drop(self, index: Sequence[int] | Int1) -> Sample:
        """The sample without the rows at `index`."""
        keep = np.ones(len(self.y), dtype=bool)
        keep[np.asarray(index, dtype=np.intp)] = False
        return self.take(np.flatnonzero(keep))

    def by_area(self) -> Sample:
        """The sample whose groups are the treated areas instead of the cohorts."""
        group, _ = renumbered(np.where(self.treated, self.area, -1), self.areas)
        return replace(self, group=group, grouped="area")

    def weighted(self, weighting: Weighting) -> Sample:
        """The sample in which treated rows carry the weight the target gives them; controls keep theirs.

        ``area``: the rows of one area and period together 1. ``resident``: the residents that the row stands for.
        ``unit``: the sampling weight. Rows without weight keep none.

        Raises
        ------
        UsageError
            ``USAGE-004``: ``weighting="resident"`` without residents of every treated row.
        """
        if weighting == "unit":
            return self
        treated = np.isfinite(self.first) & (self.weight > 0)
        if weighting == "area":
            weight = np.where(treated, _shared(self.weight, self.area, self.period, treated), self.weight)
        else:
            if self.residents is None or not np.isfinite(self.residents[treated]).all():
                raise UsageError(
                    Problem(
                        "USAGE-004",
                        "weighting by residents needs the residents of every treated area",
                        "name their column with residents= in Sample.from_frame",
                    )
                )
            weight = np.where(treated, self.residents, self.weight)
        # An area counts once, in however many periods it was sampled.
        cells = np.unique(np.column_stack([self.area[treated], self.period[treated]]), axis=0)
        sampled = np.bincount(cells[:, 0], minlength=len(self.areas)).astype(np.float64)
        repeats = np.where(treated, sampled[self.area], self.repeats)
        return replace(self, weight=weight, serving=self.weight, repeats=repeats)

    # Made from ----------------------------------------------------------------------------------------------------

    @staticmethod
    def from_frame(
        df: pd.DataFrame,
        *,
        time: str,
        outcome: str,
        first_treated: str,
        covariates: Sequence[Spelled] = (),
        cluster: str | None = None,
        area: str | None = None,
        residents: str | None = None,
        weight: str | None = None,
        outcome_unit: str = "",
    ) -> Sample:
        """A sample from a table with one row per observation.

        Parameters
        ----------
        df : DataFrame
            The table; it is not changed. Its index names the rows.
        time, outcome : str
            Columns with the period (numbers, dates or sortable text) and the numeric outcome.
        first_treated : str
            Column with the first treated period of the row's area; 0, nan, inf or blank means never. A start between
            two periods counts from the next one.
        covariates : sequence of str or mapping
            Numeric columns; also logarithms, categories and so on of columns: see ``impact.terms``.
        cluster, area : str, optional
            Columns with the cluster of every row and the area of every treated row. Without areas the rows that start
            together are one area.
        residents : str, optional
            Column with the residents of the row's area, one number per area; its rows share them in every period.
        weight : str, optional
            Column with the sampling weight.
        outcome_unit : str
            Unit of the outcome, for labels.

        Returns
        -------
        Sample
            In the order of the table. Rows treated from the first period on are in `aside`.

        Raises
        ------
        DataError
            Every problem at once, with the rows: missing columns, blank or text where numbers are needed, a start or
            residents that change within an area, treated rows without an area. Where there are none, every problem of
            the covariates. (Wrong spellings of these are a ``UsageError``.)
        """
        roles = {"period": time, "outcome": outcome, "start": first_treated}
        coding = coded(df, read_terms(covariates), roles)
        columns = Columns(
            unit=time,
            time=time,
            outcome=outcome,
            first_treated=first_treated,
            covariates=coding.columns,
            cluster=cluster,
            area=area,
            residents=residents,
            weight=weight,
        )
        return _assemble(observed(coding.frame, columns), outcome_unit, coding)

    @staticmethod
    def from_panel(panel: Panel) -> Sample:
        """The observed cells of a panel as if they had been drawn anew in every period.

        This is what the R package ``did`` does with ``allow_unbalanced_panel=TRUE``. Levels are compared, not changes:
        what sets a unit apart for good does **not** drop out, so units that come and go move the estimate by their
        level, and the error is larger. Prefer the panel itself, or the panel without the units that miss a period
        (``panel.drop``), unless that leaves too few.

        Parameters
        ----------
        panel : Panel
            Any panel that is not matched. Clusters stay, and every unit is one where none were given.

        Raises
        ------
        UsageError
            ``USAGE-006``: the panel is matched.
        """
        if panel.pairs is not None:
            raise UsageError(
                Problem(
                    "USAGE-006",
                    "a matched panel cannot be read as a sample: its control weights belong to units",
                    "use the unmatched panel",
                )
            )
        unit, period = np.nonzero(~np.isnan(panel.y))
        seen = np.bincount(unit, minlength=len(panel.units))
        return Sample(
            y=panel.y[unit, period],
            period=period,
            first=panel.first[unit],
            periods=panel.periods,
            cluster=panel.cluster[unit],
            clusters=panel.clusters,
            clustered=panel.clustered,
            area=panel.area[unit],
            areas=panel.areas,
            weight=panel.weight[unit],
            repeats=seen[unit].astype(np.float64),
            group=panel.group[unit],
            grouped=panel.grouped,
            covariates={
                name: values[unit, 0 if values.shape[1] == 1 else period] for name, values in panel.covariates.items()
            },
            residents=None if panel.residents is None else panel.residents[unit],
            serving=None if panel.serving is None else panel.serving[unit],
            unit=panel.unit,
            aside=panel.aside,
            notes=panel.notes,
        )


_INTEGERS = ("period", "cluster", "area", "group")


def _shared(weight: Float1, area: Int1, period: Int1, inside: Bool1) -> Float1:
    """(n,) the weight of every row as a share of its area and period; only rows `inside` have one."""
    key = np.where(inside, area * (int(period.max()) + 1) + period, 0)
    total = np.bincount(key[inside], weights=weight[inside], minlength=int(key.max()) + 1)
    return np.asarray(np.divide(weight, total[key], out=np.zeros_like(weight), where=inside & (total[key] > 0)))


def _assemble(table: Observed, outcome_unit: str, coding: Coding) -> Sample:
    """The sample of a table; rows without a pre-period go aside by the name of their area."""
    one = {name: values[:, None] for name, values in table.covariates.items()}
    seen = np.ones((len(table.y), 1), dtype=bool)
    covariates, levels = coding.covariates(one, table.rows, table.periods, seen, np.isinf(table.first))
    treated = np.isfinite(table.first) & (table.weight > 0)
    start = np.where(table.first <= 0, 1.0, table.first)  # a stand-in; these rows leave at once
    cluster, clusters = table.cluster or (np.arange(len(table.y)), table.rows)
    share = _shared(table.weight, table.area, table.period, treated)
    sample = Sample(
        y=table.y,
        period=table.period,
        first=start,
        periods=table.periods,
        cluster=cluster,
        clusters=clusters,
        clustered=table.cluster is not None,
        area=table.area,
        areas=table.areas,
        weight=table.weight,
        repeats=np.ones(len(table.y)),
        group=cohorts(start, len(table.periods)),
        covariates={name: values[:, 0] for name, values in covariates.items()},
        residents=None if table.residents is None else table.residents * share,
        unit=outcome_unit,
        notes=tuple(map(str, levels)),
    )
    late = table.first > 0
    if late.all():
        return sample
    gone, times = np.unique(table.area[~late], return_counts=True)
    aside = tuple(f"{table.areas[code]} ({number} rows)" for code, number in zip(gone, times, strict=True))
    return replace(sample.take(np.flatnonzero(late)), aside=aside)
