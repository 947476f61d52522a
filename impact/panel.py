"""The panel: who was observed when, and who was treated from when on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1, frozen, renumbered, require, to_one
from impact.assembly import fields
from impact.covariates import coded
from impact.described import Described
from impact.errors import Problem, UsageError
from impact.groups import cohorts, group_starts, names_of, one_start
from impact.longtable import Columns, dense, few
from impact.terms import Spelled, read_terms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NEVER", "Panel", "Weighting"]

NEVER = np.inf
Weighting = Literal["area", "resident", "unit"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Panel(Described):
    """A dense panel of `N` units over `T` ordered periods.

    Attributes
    ----------
    y : (N, T) float
        The outcome in `unit`; nan where it was not observed.
    first : (N,) float
        Index of the first treated period; `T` or more when the unit is treated after the last period, inf when never.
        Treatment is absorbing.
    units, periods : tuple of str
        Names, in the order of the rows and columns.
    covariates : mapping of name to (N, 1) or (N, T) float
        Fixed or varying; what an estimate may adjust for.
    series : mapping of name to (N, 1) or (N, T) float
        Further figures of the units, nan where not observed, which nothing uses that does not name them: predictors of
        a synthetic control, other indicators of a family.
    cluster, clusters : (N,) int and names
        Who shares shocks (the gemeente); every unit its own where none was given, see `clustered`.
    area, areas : (N,) int and names
        The treated area a unit belongs to, -1 for units that are never treated.
    residents : (N,) float or None
        Fixed baseline population, for ``weighting="resident"``.
    pairs : (areas, N) float or None
        Matched controls of every area, rows sum to 1 (0 where an area has none left). Control weights derive from it.
    weight : (N,) float
        Design or sampling weight, never negative; after `weighted` what a treated unit counts for in the target.
    serving : (N,) float or None
        Weight as a control where that is another than `weight`: a unit that starts later serves with its own.
    place : (N, 2) float or None
        Coordinates in metres.
    se : (N, T) float or None
        Known sampling error of `y`.
    unit : str
        Unit of the outcome ("procentpunt").
    group : (N,) int
        Number of the group whose cells a fit reports; -1 for units that are not treated within the panel.
    grouped : {"cohort", "area"}
        What a group is: all units that start together, or (after `by_area`) one treated area.
    aside : tuple of str
        Units that were treated from the first period on: no pre-period, so neither treated nor control here.
    groups : (K,) float
        First treated period of every group, in the order of the numbers in `group`; not given but derived.
    notes : tuple of str
        What a reader of the results must know of the covariates.
    """

    y: Float2
    first: Float1
    units: tuple[str, ...]
    periods: tuple[str, ...]
    cluster: Int1
    clusters: tuple[str, ...]
    area: Int1
    areas: tuple[str, ...]
    weight: Float1
    group: Int1
    grouped: Literal["cohort", "area"] = "cohort"
    covariates: Mapping[str, Float2] = field(default_factory=dict)
    series: Mapping[str, Float2] = field(default_factory=dict)
    residents: Float1 | None = None
    pairs: Float2 | None = None
    place: Float2 | None = None
    se: Float2 | None = None
    serving: Float1 | None = None
    unit: str = ""
    aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: Float1 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count, length = len(self.units), len(self.periods)
        for name, shape in _SHAPES.items():
            value = getattr(self, name)
            if value is None:
                continue
            array = frozen(value, np.intp if name in _INTEGERS else np.float64)
            known = {"N": count, "T": length, "A": len(self.areas), "2": 2}
            require(name, array, tuple(known[letter] for letter in shape))
            object.__setattr__(self, name, array)
        for kind in ("covariates", "series"):
            held = {name: frozen(values) for name, values in getattr(self, kind).items()}
            for name, values in held.items():
                if values.shape not in ((count, 1), (count, length)):
                    raise ValueError(f"{name} has shape {values.shape}, expected {(count, 1)} or {(count, length)}")
            object.__setattr__(self, kind, held)
        object.__setattr__(self, "groups", frozen(group_starts(self.group, self.first)))
        if (self.first <= 0).any():
            raise ValueError("a unit treated from the first period on cannot stand in a panel; set it aside")

    # What the estimators ask ------------------------------------------------------------------------------------

    @property
    def treated(self) -> Bool1:
        """(N,) units that become treated within the panel."""
        return self.first < len(self.periods)

    @property
    def never(self) -> Bool1:
        """(N,) units that are never treated."""
        return np.isinf(self.first)

    @property
    def figures(self) -> Mapping[str, Float2]:
        """Covariates and series by name, for an estimator that was told which to use."""
        return {**self.covariates, **self.series}

    @property
    def counted(self) -> Float1:
        """(N,) what a unit adds to the size of its group."""
        return self.weight

    @property
    def clustered(self) -> bool:
        """Whether clusters were given; when not, every unit is its own and every output says so."""
        return self.clusters != self.units

    @property
    def group_names(self) -> tuple[str, ...]:
        """(K,) name of every group: its first treated period, or its area. Names survive `take` and `drop`."""
        if self.grouped == "cohort":
            return tuple(self.periods[int(start)] for start in self.groups)
        return names_of(self.group, self.area, self.areas)

    def treated_cells(self) -> Bool2:
        """(N, T) the cells in which a unit is treated; nothing about Y(0) may be learned there."""
        return np.asarray(np.arange(len(self.periods))[None, :] >= self.first[:, None])

    def control_weight(self, members: Bool1) -> Float1:
        """(N,) weight of every unit as a control for the treated units in `members` (N,).

        Without pairs the unit's own weight; with pairs the matched weights of the members' areas, every area
        counting as much as its treated units do.
        """
        if self.pairs is None:
            return self.weight if self.serving is None else self.serving
        share = np.bincount(self.area[members], weights=self.weight[members], minlength=len(self.areas))
        return np.asarray(share @ self.pairs)

    # Other panels -----------------------------------------------------------------------------------------------

    def take(self, index: Sequence[int] | Int1) -> Panel:
        """The panel of the units at `index`; matched controls that are gone leave their share to the others."""
        rows = np.asarray(index, dtype=np.intp)

        def pick(values: Float2 | None) -> Float2 | None:
            return None if values is None else values[rows]

        cluster, clusters = renumbered(self.cluster[rows], self.clusters)
        area, areas = renumbered(self.area[rows], self.areas)
        group, _ = renumbered(self.group[rows], self.group_names)
        pairs = None
        if self.pairs is not None:
            kept = np.array([self.areas.index(name) for name in areas], dtype=np.intp)
            pairs = to_one(self.pairs[np.ix_(kept, rows)])
        return replace(
            self,
            y=self.y[rows],
            first=self.first[rows],
            units=tuple(self.units[row] for row in rows),
            cluster=cluster,
            clusters=clusters,
            area=area,
            areas=areas,
            weight=self.weight[rows],
            group=group,
            pairs=pairs,
            covariates={name: values[rows] for name, values in self.covariates.items()},
            series={name: values[rows] for name, values in self.series.items()},
            residents=pick(self.residents),
            place=pick(self.place),
            se=pick(self.se),
            serving=pick(self.serving),
        )

    def drop(self, index: Sequence[int] | Int1) -> Panel:
        """The panel without the units at `index`, and without areas whose matched controls are all gone."""
        keep = np.ones(len(self.units), dtype=bool)
        keep[np.asarray(index, dtype=np.intp)] = False
        if self.pairs is not None:
            had = (self.pairs > 0).any(axis=1)
            unmatched = np.asarray(had & ~(self.pairs[:, keep] > 0).any(axis=1))
            keep &= ~((self.area >= 0) & unmatched[self.area])
        return self.take(np.flatnonzero(keep))

    def until(self, period: int) -> Panel:
        """The panel of the first `period` periods; later starts stay known, so those units count as not yet treated."""
        keep = slice(0, period)
        group, _ = renumbered(np.where(self.first < period, self.group, -1), self.group_names)

        def some(held: Mapping[str, Float2]) -> dict[str, Float2]:
            return {name: values if values.shape[1] == 1 else values[:, keep] for name, values in held.items()}

        return replace(
            self,
            y=self.y[:, keep],
            periods=self.periods[keep],
            group=group,
            covariates=some(self.covariates),
            series=some(self.series),
            se=None if self.se is None else self.se[:, keep],
        )

    def assign(self, first: Float1, area: Int1 | None = None, areas: tuple[str, ...] | None = None) -> Panel:
        """The panel as if treatment had started at `first` (N,); every treated unit its own area unless told."""
        starts = np.asarray(first, dtype=np.float64)
        finite = np.isfinite(starts)
        if area is None or areas is None:
            areas = tuple(name for name, inside in zip(self.units, finite, strict=True) if inside)
            area = np.where(finite, np.cumsum(finite) - 1, -1)
        return replace(
            self,
            first=starts,
            area=area,
            areas=areas,
            group=cohorts(starts, len(self.periods)),
            grouped="cohort",
            pairs=None,
        )

    def with_outcome(self, y: Float2) -> Panel:
        """The same units and periods with another outcome (N, T)."""
        return replace(self, y=y)

    def with_pairs(self, pairs: Float2) -> Panel:
        """The panel compared with matched controls: `pairs` (areas, N), rows are made to sum to 1.

        A treated area without any matched control counts for nothing, and the notes name it.
        """
        found = to_one(np.asarray(pairs, dtype=np.float64))
        matched = np.asarray((found > 0).any(axis=1))
        lone = (self.area >= 0) & ~matched[self.area] & self.treated & (self.weight > 0)
        if not lone.any():
            return replace(self, pairs=found)
        names = few(sorted({self.areas[area] for area in self.area[lone]}))
        return replace(
            self,
            pairs=found,
            weight=np.where(lone, 0.0, self.weight),
            serving=None if self.serving is None else np.where(lone, 0.0, self.serving),
            notes=(*self.notes, f"{names}: no matched control, and left out"),
        )

    def by_area(self) -> Panel:
        """The panel whose groups are the treated areas instead of the cohorts; ``PANEL-009``: one has two starts."""
        group, names = renumbered(np.where(self.treated, self.area, -1), self.areas)
        return replace(self, group=one_start(group, self.first, names), grouped="area")

    def weighted(self, weighting: Weighting) -> Panel:
        """The panel in which treated units carry the weight the target gives them; whoever serves as control keeps his.

        ``area``: the units of one area together 1. ``resident``: residents. ``unit``: the design weight. Units without
        weight keep none.

        Raises
        ------
        UsageError
            ``USAGE-004``: ``weighting="resident"`` without residents of every treated unit.
        """
        if weighting == "unit":
            return self
        # Whoever has no weight gets none, by whatever is counted.
        treated = np.isfinite(self.first) & (self.weight > 0)
        if weighting == "area":
            total = np.bincount(self.area[treated], weights=self.weight[treated], minlength=len(self.areas))
            weight = self.weight.copy()
            weight[treated] /= total[self.area[treated]]
        else:
            if self.residents is None or not np.isfinite(self.residents[treated]).all():
                raise UsageError(
                    Problem(
                        "USAGE-004",
                        "weighting by residents needs the residents of every treated unit",
                        "name their column with residents= in Panel.from_frame",
                    )
                )
            weight = np.where(treated, self.residents, self.weight)
        return replace(self, weight=weight, serving=self.weight)

    @staticmethod
    def from_frame(
        df: pd.DataFrame,
        *,
        unit: str,
        time: str,
        outcome: str,
        first_treated: str | None = None,
        treated: str | None = None,
        covariates: Sequence[Spelled] = (),
        series: Sequence[str] = (),
        cluster: str | None = None,
        area: str | None = None,
        residents: str | None = None,
        weight: str | None = None,
        se: str | None = None,
        place: tuple[str, str] | None = None,
        outcome_unit: str = "",
    ) -> Panel:
        """A panel from a long table with one row per unit and period.

        Parameters
        ----------
        df : DataFrame
            The table; it is not changed.
        unit, time, outcome : str
            Columns with the unit, the period (numbers, dates or sortable text) and the numeric outcome.
        first_treated : str, optional
            Column with the first treated period of the unit; 0, nan, inf or blank means never. A start between two
            periods counts from the next one.
        treated : str, optional
            Instead of `first_treated`: a 0/1 column; treatment must not end once it has begun.
        covariates : sequence of str or mapping
            Numeric columns, fixed or varying; also logarithms, categories and so on of columns: see ``impact.terms``.
        series : sequence of str
            Numeric columns that are kept beside, gaps and all, for estimators that name them; see the class.
        cluster, area, residents, weight : str, optional
            Columns that are fixed within a unit; see the class.
        se : str, optional
            Column with the known sampling error of the outcome.
        place : pair of str, optional
            Columns with coordinates in metres.
        outcome_unit : str
            Unit of the outcome, for labels.

        Returns
        -------
        Panel
            Units and periods in sorted order. Units treated from the first period on are in `aside`.

        Raises
        ------
        DataError
            Every problem at once, with the rows: missing columns, duplicated unit-period rows, a start or cluster that
            changes within a unit, treatment that ends, text among the numbers, units without any observation. Where
            there are none, every problem of the covariates. (Wrong spellings of these are a ``UsageError``.)
        """
        roles = {"unit": unit, "period": time, "outcome": outcome, "start": first_treated, "treatment": treated}
        coding = coded(df, read_terms(covariates), roles)
        columns = Columns(
            unit=unit,
            time=time,
            outcome=outcome,
            first_treated=first_treated,
            treated=treated,
            covariates=coding.columns,
            series=tuple(series),
            cluster=cluster,
            area=area,
            residents=residents,
            weight=weight,
            se=se,
            place=place,
        )
        table = dense(coding.frame, columns)
        panel = Panel(**fields(table, columns, coding), unit=outcome_unit)
        late = table.first > 0
        if late.all():
            return panel
        aside = tuple(name for name, stays in zip(table.units, late, strict=True) if not stays)
        return replace(panel.take(np.flatnonzero(late)), aside=aside)


_INTEGERS = frozenset({"cluster", "area", "group"})
_SHAPES = {"y": "NT", "pairs": "AN", "place": "N2", "se": "NT"}
_SHAPES |= dict.fromkeys(("first", "cluster", "area", "weight", "serving", "group", "residents"), "N")
