"""From loaded tables to a panel: areas, donor pool, matched controls, balance. Blind to outcomes after the start."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Float2, Int1
from impact.covariates import Levels
from impact.design.donors import (
    Exclusion,
    Pool,
    Rule,
    donor_pool,
    no_outcome,
    small_baseline,
)
from impact.design.unions import Unions
from impact.design.units import ComparisonUnits
from impact.errors import DataError, Problem, Refused, raise_all
from impact.evidence.record import BalanceRow
from impact.panel import Panel
from impact.sources.frame import listed
from impact.study.adjust import adjustment, unknown
from impact.study.areas import FocusArea
from impact.study.candidates import candidate_rules, cell_rules, nested, pool_name
from impact.study.dated import faults_of_dates
from impact.study.likeness import beyond, labels_of, likeness, matcher_of
from impact.study.load import Loaded
from impact.study.matcher import Matcher, Placed
from impact.study.methods import family
from impact.study.model import Specification
from impact.study.predictors import columns_of_predictors
from impact.study.series import Series
from impact.study.similar import similar

__all__ = ["Comparison", "compare", "error_of", "with_units"]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Who is compared with whom.

    Attributes
    ----------
    panel : Panel
        Treated units and the donor pool, matched when the study asks for it.
    areas : tuple of FocusArea
        With the units that are in the panel; those without any have `left_out`.
    pool : Pool
    lost : tuple of (unit, reason)
        Treated units that are not in the panel.
    balance : tuple of BalanceRow
    matcher : Matcher or None
    without : float
        Share of the outcome cells of treated units and candidates that has no number.
    fewest : float or None
        Respondents behind the figure of a treated unit that has the fewest.
    levels : tuple of Levels
        How the categories that are adjusted for lie over the units.
    short : tuple of (unit, number)
        Treated units that were matched with fewer controls than asked for.
    outside : float or None
        Share of the treated units that lie beyond the range of the pool in what is matched on, or beside whom nobody
        stands; None where nothing is known of them.
    alone : float
        Share of the treated units beside whom nobody stands.
    remarks : tuple of str
        What a weighting or a filling in remarks, in English.
    unions : Unions or None
        What the units are made of, where they are added up.
    built : ComparisonUnits or None
        How comparison units of similar population were put together.
    """

    panel: Panel
    areas: tuple[FocusArea, ...]
    pool: Pool
    lost: tuple[Exclusion, ...]
    balance: tuple[BalanceRow, ...]
    matcher: Matcher | None
    without: float
    fewest: float | None = None
    levels: tuple[Levels, ...] = ()
    short: tuple[tuple[str, int], ...] = ()
    outside: float | None = None
    alone: float = 0.0
    remarks: tuple[str, ...] = ()
    unions: Unions | None = None
    built: ComparisonUnits | None = None

    @property
    def first_start(self) -> str:
        """The earliest start of the areas in the panel."""
        return min(area.start for area in self.areas if not area.left_out)


def compare(
    spec: Specification, loaded: Loaded, series: Series, areas: tuple[FocusArea, ...], draw: int | None = None
) -> Comparison:
    """The comparison that `spec` describes, for one outcome; with one `draw` of missing characteristics where asked.

    Raises
    ------
    DataError
        ``DATA-123`` no treated unit is left, ``DATA-126`` and ``DATA-135`` those of `candidates`,
        ``DATA-130`` no donor is left, ``DATA-131`` the matching is refused,
        ``DATA-132`` a cluster is unknown, ``DATA-133`` residents of a treated unit that must weigh are unknown,
        ``DATA-134`` no measured period to estimate over is left, ``DATA-152`` a treated region may be other ground in
        another year, ``DATA-155`` a region within another, those of `dated` and `similar`, ``TERM-`` covariates that
        cannot be.
    """
    regions = loaded.regions
    faults_of_dates(spec, areas)
    _one_ground(spec, loaded, areas)
    first = min(area.start for area in areas if not area.left_out)
    lost_rules = _data_rules(spec, loaded, series, first)
    unfit = np.logical_or.reduce([rule.applies for rule in lost_rules])
    asked = {unit for area in areas if not area.left_out for unit in area.units}
    areas, lost = _treated(spec, areas, regions, lost_rules, unfit)
    areas = tuple(_incomplete(loaded, series, area) for area in areas)
    inside = {unit: area for area in areas if not area.left_out for unit in area.units}
    treated = np.array([region in inside for region in regions], dtype=bool)
    declared = {unit for area in areas for unit in area.units}
    anywhere = np.array([region in declared for region in regions], dtype=bool)
    rules = candidate_rules(spec, loaded, areas, anywhere)
    aside = Rule("left-out-area", "", anywhere & ~treated, tuple("" for _ in regions))
    part = {unit: area.slug for area in areas for unit in area.partial}
    partly = np.array([region in part for region in regions], dtype=bool)
    detail = tuple(part.get(region, "") for region in regions)
    extra = [Rule("partly-in-area", "", partly, detail)] if partly.any() else []
    if spec.comparison.units is not None:
        # Whether a part is large enough by itself does not matter: that of the units is judged.
        lost_rules = [rule for rule in lost_rules if rule.code != "small-baseline"]
    pool = donor_pool(regions, treated, [*rules, aside, *extra, *lost_rules], pool_name(spec))
    if isinstance(pool, Refused):
        raise DataError(Problem("DATA-130", f"{pool.because}.", pool.instead, path="comparison.leave_out"))
    raise_all(nested(spec, [*inside, *pool.donors]), DataError)
    absent = np.zeros(len(regions), dtype=bool) if series.there is None else ~series.there
    # A treated unit that is lost for want of a figure still counts here; one that was never to be estimated does not.
    candidates = np.array([region in asked or region not in declared for region in regions], dtype=bool)
    cells = series.raw[treated | pool.keep | (unfit & candidates & ~absent)]
    cells = cells[:, [label not in loaded.awaited for label in loaded.periods]]
    fewest = None if series.respondents is None else float(series.respondents[treated].min())
    built = None
    if spec.comparison.units is not None:
        made = similar(spec, loaded, series, pool, inside)
        loaded, series, pool, built = made.loaded, made.series, made.pool, made.built
        treated = np.array([region in inside for region in loaded.regions], dtype=bool)
    panel = _panel(spec, loaded, series, inside, treated | pool.keep)
    first = min(area.start for area in areas if not area.left_out)
    if spec.window(loaded.periods, first) is None:
        message = f"no period of the estimate is left among {loaded.periods[0]} to {loaded.periods[-1]}."
        hint = "The first full period or the window lies in periods that do not count."
        raise DataError(Problem("DATA-134", message, hint, spec.data.outcomes.file))
    matcher = matcher_of(spec, loaded, series, panel, draw)
    placed = Placed(panel) if matcher is None or isinstance(matcher, Refused) else matcher.matched(panel)
    for refused in (matcher, placed):
        if isinstance(refused, Refused):
            message = f"{refused.what}: {refused.because}."
            raise DataError(Problem("DATA-131", message, refused.instead, spec.data.outcomes.file))
    assert not isinstance(matcher, Refused) and not isinstance(placed, Refused)
    before = int(panel.treated.sum())
    outside = beyond(spec, loaded, panel, matcher, placed.out)
    panel, areas, alone = _without(placed, areas)
    covariates, levels = adjustment(spec, loaded.units, panel)
    panel = replace(panel, covariates=covariates, place=_places(spec, loaded, panel))
    return Comparison(
        panel,
        areas,
        pool,
        (*lost, *alone),
        likeness(spec, loaded, panel, matcher),
        matcher,
        float(np.isnan(cells).mean()),
        fewest,
        levels,
        tuple((unit, got) for unit, got in placed.short if got),
        outside,
        len(alone) / before,
        placed.notes,
        loaded.unions,
        built,
    )


def with_units(spec: Specification, loaded: Loaded, series: Series, comparison: Comparison, more: Bool1) -> Panel:
    """The panel of `comparison`, unmatched, with `more` (n,) units of the data as far as they lack nothing."""
    lacking = [rule.applies for rule in _data_rules(spec, loaded, series, comparison.first_start)]
    inside = {unit: area for area in comparison.areas if not area.left_out for unit in area.units}
    there = np.isin(loaded.regions, comparison.panel.units)
    panel = _panel(spec, loaded, series, inside, there | (more & ~np.logical_or.reduce(lacking)))
    covariates, _ = adjustment(spec, loaded.units, panel)
    return replace(panel, covariates=covariates, place=_places(spec, loaded, panel))


def _without(
    placed: Placed, areas: tuple[FocusArea, ...]
) -> tuple[Panel, tuple[FocusArea, ...], tuple[Exclusion, ...]]:
    """The panel and the areas without the treated units that nobody stands beside, and these."""
    out = set(placed.out)
    if not out:
        return placed.panel, areas, ()
    kept = []
    for area in areas:
        units = tuple(unit for unit in area.units if unit not in out)
        gone = not area.left_out and not units
        kept.append(replace(area, units=units or area.units, left_out="unmatched|" if gone else area.left_out))
    if all(area.left_out for area in kept):
        raise DataError(Problem("DATA-131", "the matching: no treated unit has a comparison.", "Match less strictly."))
    stay = [number for number, unit in enumerate(placed.panel.units) if unit not in out]
    lost = tuple(Exclusion(unit, "unmatched", "", "") for unit in placed.out)
    return placed.panel.take(stay), tuple(kept), lost


def _one_ground(spec: Specification, loaded: Loaded, areas: tuple[FocusArea, ...]) -> None:
    """Refuse treated regions of which the code may name another region in another year."""
    odd = {
        unit: loaded.redrawn[unit]
        for area in areas
        if not area.left_out
        for unit in area.units
        if unit in loaded.redrawn
    }
    if odd:
        regions = "1 treated region" if len(odd) == 1 else f"{len(odd)} treated regions"
        message = f"{regions} may be other ground in another year: "
        message += "; ".join(f"{unit}: {why}" for unit, why in odd.items())
        hint = (
            "Convert with a crosswalk (`data.crosswalk`), use years of one division and state it in "
            "`data.outcomes.vintage`, compare gemeenten (`unit: {level: gemeente}`), or say why it is one region all "
            "along: `data: {unchanged: {WK…: reason}}`."
        )
        raise DataError(Problem("DATA-152", f"{message}.", hint, spec.data.outcomes.file, path="treatment.areas"))


def _data_rules(spec: Specification, loaded: Loaded, series: Series, first: str) -> list[Rule]:
    """Why a unit cannot be used at all, treated or not; only whether an outcome was observed counts, not its value."""
    regions, count = loaded.regions, len(loaded.regions)
    absent = np.array([region not in loaded.units.known for region in regions], dtype=bool)
    rules = [Rule("not-in-units", "", absent, ("",) * count)]
    names, gaps = unknown(spec, loaded.units, regions)
    blank = {name: [not label for label in labels] for name, labels in labels_of(spec, loaded).items()}
    names = (*names, *blank)
    gaps = np.column_stack([gaps, *(np.array(row, dtype=bool) for row in blank.values())])
    if names:
        gaps = gaps & ~absent[:, None]
        detail = tuple(", ".join(names[column] for column in np.flatnonzero(row)) for row in gaps)
        rules.append(Rule("no-characteristic", "", gaps.any(axis=1), detail))
    if series.there is not None and not series.there.all():
        rules.append(Rule("not-in-outcomes", "", ~series.there, ("",) * count))
    moved = np.array([region in loaded.redrawn for region in regions], dtype=bool)
    if moved.any():
        rules.append(Rule("redrawn", "", moved, tuple(loaded.redrawn.get(region, "") for region in regions)))
    rules += cell_rules(series, first, loaded.periods)
    always = np.ones(len(loaded.periods), dtype=bool)
    rules.append(no_outcome(series.raw, always, loaded.periods, ""))
    # Outcomes that are compared together rest on the same units.
    together = family(spec, series.outcome.indicator)
    for other in loaded.series:
        if other.outcome.indicator in together:
            named = [f"{other.outcome.indicator} {period}" for period in loaded.periods]
            rules.append(no_outcome(np.where(np.isfinite(other.y), other.y, np.nan), always, named, ""))
    own = series.outcome.measure.as_percent_of_own
    if own is not None and series.baseline is not None:
        rules.append(small_baseline(series.baseline, own.minimum_mean, ""))
    return rules


def _treated(
    spec: Specification, areas: tuple[FocusArea, ...], regions: tuple[str, ...], rules: Sequence[Rule], unfit: Bool1
) -> tuple[tuple[FocusArea, ...], tuple[Exclusion, ...]]:
    """The areas with the units that can be used, and the units that cannot."""
    place = {region: number for number, region in enumerate(regions)}
    lost, kept = [], []
    for area in areas:
        if area.left_out:
            kept.append(area)
            continue
        for unit in area.units:
            for rule in rules:
                if rule.applies[place[unit]]:
                    lost.append(Exclusion(unit, rule.code, rule.why, rule.detail[place[unit]]))
                    break
        units = tuple(unit for unit in area.units if not unfit[place[unit]])
        kept.append(replace(area, units=units or area.units, left_out="" if units else "no-usable-unit|"))
    if all(area.left_out for area in kept):
        why = "; ".join(f"{exclusion.unit}: {exclusion.code} {exclusion.detail}".strip() for exclusion in lost[:5])
        raise DataError(Problem("DATA-123", f"no treated unit can be used ({why}).", "", spec.data.outcomes.file))
    return tuple(kept), tuple(lost)


def _incomplete(loaded: Loaded, series: Series, area: FocusArea) -> FocusArea:
    """The area, left out because of its parts without a figure where its figures are added up from theirs."""
    if area.left_out != "no-usable-unit|" or loaded.unions is None or loaded.base is None:
        return area
    members, base = loaded.unions.members(), loaded.base
    (own,) = (other for other in base.series if other.outcome == series.outcome)
    gaps = dict(zip(base.regions, np.asarray(np.isnan(own.raw).any(axis=1)).tolist(), strict=True))
    lacking = [part for unit in area.units for part in members.get(unit, {}) if gaps.get(part)]
    return replace(area, left_out=f"part-without|{listed(lacking)}") if lacking else area


def _panel(spec: Specification, loaded: Loaded, series: Series, inside: dict[str, FocusArea], used: Bool1) -> Panel:
    rows = np.flatnonzero(used)
    units = tuple(loaded.regions[row] for row in rows)
    slugs = tuple(dict.fromkeys(area.slug for area in inside.values()))
    # A start in a period that was not measured counts from the next one that was.
    start = {area.slug: float(bisect_left(loaded.periods, area.start)) for area in inside.values()}
    slug = [inside[unit].slug if unit in inside else "" for unit in units]
    first = np.array([start.get(name, np.inf) for name in slug])
    area = np.array([slugs.index(name) if name else -1 for name in slug], dtype=np.intp)
    by = spec.inference.cluster
    labels = units
    if by.by == "gemeente":
        labels = tuple(loaded.gemeente[row] for row in rows)
    elif by.column is not None:
        labels = loaded.units.label(by.column, units)
    blank = [unit for unit, label in zip(units, labels, strict=True) if not label]
    if blank:
        raise DataError(
            Problem(
                "DATA-132",
                f"the cluster of {', '.join(blank[:8])} is unknown.",
                "Complete the column of the gemeente or cluster in the units table.",
                spec.data.outcomes.file,
            )
        )
    clusters = tuple(sorted(set(labels)))
    number = {name: place for place, name in enumerate(clusters)}
    residents = loaded.units.number(spec.data.units.columns.residents if spec.data.units else None, units)
    unknown = [unit for unit, count in zip(units, residents, strict=True) if unit in inside and not np.isfinite(count)]
    if unknown and spec.target.every == "resident":
        message = f"the residents of {', '.join(unknown[:8])} are unknown."
        hint = "Complete the column of residents in the units table, or count every area or unit once."
        raise DataError(Problem("DATA-133", message, hint, spec.data.units.file if spec.data.units else ""))
    panel = Panel(
        y=series.y[rows],
        first=first,
        units=units,
        periods=loaded.periods,
        cluster=np.array([number[label] for label in labels], dtype=np.intp),
        clusters=clusters,
        area=area,
        areas=slugs,
        weight=np.ones(len(units)),
        group=np.full(len(units), -1),
        residents=residents if np.isfinite(residents).any() else None,
        series=_further(spec, loaded, series, units, rows),
        se=None if series.error is None else series.error[rows],
        unit=series.outcome.measure.unit,
    )
    return panel.assign(first, area, slugs)


def _further(
    spec: Specification, loaded: Loaded, series: Series, units: tuple[str, ...], rows: Int1
) -> dict[str, Float2]:
    """What an estimator may name beside the outcome: the study's other outcomes with their errors, and predictors."""
    held = {}
    for other in loaded.series:
        if other is not series:
            held[other.outcome.indicator] = other.y[rows]
            if other.error is not None:
                held[error_of(other.outcome.indicator)] = other.error[rows]
    return held | {name: loaded.units.number(name, units)[:, None] for name in columns_of_predictors(spec)}


def error_of(outcome: str) -> str:
    """Name of the series with the known errors of an outcome."""
    return f"{outcome} (error)"


def _places(spec: Specification, loaded: Loaded, panel: Panel) -> Float2 | None:
    """(N, 2) where the units lie, in metres, where the units table says so."""
    file = spec.data.units
    if file is None or file.columns.place is None or loaded.units is None:
        return None
    return np.column_stack([loaded.units.number(column, panel.units) for column in file.columns.place])
