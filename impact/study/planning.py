"""Plan a study: draw worlds like its past, in which nothing happens, and see what its declared design says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from impact.arrays import Float1
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.evidence.language import languages
from impact.inference.cluster import ClusterJackknife
from impact.inference.diagnose import Diagnosis, Pair, Rate, diagnose
from impact.inference.drawn_worlds import Drawn, spread_again, spread_of
from impact.inference.held_jackknife import HeldJackknife, held_jackknife
from impact.inference.protocol import Inference
from impact.parallel import Parallel, Progress, one_thread, silent
from impact.streams import Streams
from impact.study.answers import estimator_of, inference_of, target
from impact.study.areas import focus_areas
from impact.study.explain_methods import cluster
from impact.study.gates import gates
from impact.study.load import Loaded, load
from impact.study.matcher import Matcher
from impact.study.model import Method, Specification
from impact.study.needs import POWER
from impact.study.panels import Comparison, compare
from impact.study.plan_record import Amount, Fitted, Gate, Plan, Planned, Refusal, Tried, write_plan
from impact.study.plan_worlds import worlds_of
from impact.study.read import Study, locate
from impact.study.remarks import name_of
from impact.study.render import versions
from impact.study.roots import Roots
from impact.study.series import Series
from impact.study.wording import Teller
from impact.targets import Target

__all__ = ["plan"]

_TIMES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)  # the root mean square error: where an effect is looked for
_Z = 1.959963984540054


@one_thread()
def plan(
    study: Study,
    *,
    data: Sequence[str | Path] = (),
    draws: int = 500,
    workers: int = 1,
    progress: Progress | None = None,
    keep: bool = True,
) -> Plan:
    """What the declared design would see, before any outcome after the start is known.

    Worlds are drawn from what the outcomes before the first start are made of (unit and period effects, shocks of
    clusters and of units that last, passing shocks, known sampling errors), with the study's own units, starts,
    matching, estimator and inferences. Their bias, coverage and error rates, and the smallest difference that they can
    see, come with the error that the number of draws leaves.

    Parameters
    ----------
    study : Study
        As ``read_study`` gives it.
    data : sequence of path
        Folders in which its tables may also stand.
    draws : int
        Worlds per outcome.
    workers : int
        Processes; the plan is the same for any number.
    progress : Progress, optional
        Told how far the work is.
    keep : bool
        Whether it is kept beside the study, in ``study.plan.json``.

    Raises
    ------
    SpecError, DataError
        As `run` does.
    WriteError
        ``WRITE-001`` when it cannot be kept.
    ValueError
        Fewer than 20 draws.
    """
    if draws < 20:
        raise ValueError(f"draws must be at least 20, and is {draws}")
    spec = study.model
    loaded = load(spec, locate(study, Roots.of(study.path, [Path(folder) for folder in data])))
    parallel = Parallel(workers, progress or silent)
    asked = spec.needs.power if spec.needs is not None else None
    made = Plan(
        study=spec.id,
        spec_sha256=study.sha256,
        draws=draws,
        seed=spec.seed,
        level=spec.inference.level,
        power=asked or POWER,
        level_of_units=spec.data.outcomes.level or "" if spec.unit is None else spec.unit.level,
        cluster=cluster(spec),
        versions=versions(),
        outcomes=tuple(_planned(spec, loaded, series, draws, asked or POWER, parallel) for series in loaded.series),
    )
    if keep:
        write_plan(made, study.path / "study.yaml" if study.path.is_dir() else study.path)
    return made


def _planned(
    spec: Specification, loaded: Loaded, series: Series, draws: int, power: float, parallel: Parallel
) -> Planned:
    outcome = series.outcome
    smallest = outcome.smallest_difference_that_matters
    empty = Planned(
        indicator=outcome.indicator,
        names=name_of(outcome),
        units={language: Teller.of(spec, language).of_unit(outcome) for language in languages()},
        smallest=None if smallest is None else smallest.value,
    )
    if outcome.registered is not None and outcome.registered.not_measurable:
        because = "this indicator cannot be measured for the areas"
        return empty.model_copy(update={"refused": Refusal(what="a plan", because=because)})
    comparison = compare(spec, loaded, series, focus_areas(spec, loaded))
    panel = comparison.panel
    end = int(panel.groups.min()) - spec.treatment.anticipation
    closed = [check for check in gates(spec, comparison) if check.gates and check.verdict != "pass"]
    known = {
        "areas": len({*panel.area[panel.treated & (panel.weight > 0)].tolist()}),
        "respondents": _fewest(loaded, series, comparison, panel.periods[:end]),
        "gates": tuple(
            Gate(name=check.name, statistic=_rounded(check.statistic), threshold=_rounded(check.threshold))
            for check in closed
        ),
    }
    empty = empty.model_copy(update=known)
    worlds = worlds_of(spec, series, comparison, end)
    if isinstance(worlds, Refused):
        why = Refusal(what=worlds.what, because=worlds.because, instead=worlds.instead)
        return empty.model_copy(update={"refused": why})
    design = _Design.of(spec, comparison, worlds)
    tried = design.tried(draws, power, empty.smallest, outcome.better, parallel)
    return empty.model_copy(
        update={
            "fitted": _fitted(worlds, panel.periods[:end]),
            "tried": tried,
            "off": design.off(tried[0].detectable, parallel),
            "rematched": worlds.rematch is not None,
        }
    )


# --- the design -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """The declared estimator with its inferences, in drawn worlds."""

    worlds: Drawn
    pairs: tuple[Pair, ...]
    target: Target
    level: float
    streams: Streams

    @staticmethod
    def of(spec: Specification, comparison: Comparison, worlds: Drawn) -> _Design:
        level, estimator = spec.inference.level, estimator_of(spec, comparison)
        asked = target(spec, comparison, spec.target.every)
        if worlds.rematch is not None:
            comparison = replace(comparison, matcher=cast("Matcher", worlds.rematch))
        methods: dict[str, Method] = {spec.inference.name: spec.inference}
        methods |= {method.name: method for method in spec.inference.beside if method.name not in methods}
        pairs = tuple(
            Pair(name, estimator, _quick(inference_of(method, level, comparison), estimator, worlds, asked))
            for name, method in methods.items()
        )
        return _Design(worlds, pairs, asked, level, Streams(spec.seed).at("plan-inference"))

    def tried(
        self, draws: int, power: float, smallest: float | None, better: str, parallel: Parallel
    ) -> tuple[Tried, ...]:
        found = self._judged(self.worlds, self.pairs, draws, parallel)
        return tuple(
            self._one(pair, one, draws, power, smallest, better, parallel, searched=not number)
            for number, (pair, one) in enumerate(zip(self.pairs, found, strict=True))
        )

    def _one(
        self,
        pair: Pair,
        found: Diagnosis,
        draws: int,
        power: float,
        smallest: float | None,
        better: str,
        parallel: Parallel,
        *,
        searched: bool,
    ) -> Tried:
        """`searched`: whether the smallest difference is looked for where there is no interval that shows it."""
        bias, rmse, sign = found.bias, found.rmse, -1.0 if better == "lower" else 1.0
        seen, detectable = None, found.detectable(power)
        if found.coverage is not None:
            if smallest is not None:
                ways = (1.0, -1.0) if better == "neither" else (sign,)
                rates = [rate for way in ways if (rate := found.power(way * smallest)) is not None]
                seen = min(rates, key=lambda rate: rate.value, default=None)
        elif found.size is not None and rmse is not None:
            if smallest is not None:
                seen = self._seen(pair, sign * smallest, draws, parallel)
            if searched and rmse.value > 0:
                detectable = self._search(pair, sign * rmse.value, power, draws, parallel)
        return Tried(
            inference=pair.label,
            bias=_amount(bias),
            rmse=_amount(rmse),
            coverage=_amount(found.coverage),
            size=_amount(found.size),
            power=_amount(seen),
            detectable=_amount(detectable),
            worlds=0 if bias is None else bias.worlds,
            refused=dict(sorted(found.refused.items())),
        )

    def _search(self, pair: Pair, unit: float, power: float, draws: int, parallel: Parallel) -> Rate | None:
        """Where the share of worlds in which an effect is seen crosses `power`, between effects that are tried."""
        rates = [self._seen(pair, times * unit, draws, parallel) for times in _TIMES]
        shares = np.array([0.0 if rate is None else rate.value for rate in rates])
        if None in rates or shares[-1] < power:
            return None
        shares = np.maximum.accumulate(shares)
        effects = abs(unit) * np.array(_TIMES)
        off = float(np.sqrt(power * (1 - power) / draws))
        low, middle, high = (_crossing(shares, effects, share) for share in (power - off, power, power + off))
        return Rate(middle, (high - low) / 2, draws)

    def _seen(self, pair: Pair, effect: float, draws: int, parallel: Parallel) -> Rate | None:
        """Share of worlds with an effect in which it is seen, by the p-value."""
        (found,) = self._judged(replace(self.worlds, effect=effect), (pair,), draws, parallel)
        return found.size

    def _judged(self, worlds: Drawn, pairs: Sequence[Pair], draws: int, parallel: Parallel) -> tuple[Diagnosis, ...]:
        return diagnose(
            worlds, draws, pairs, self.target, streams=self.streams, level=self.level, parallel=parallel, label="plan"
        )

    def off(self, detectable: Amount | None, parallel: Parallel) -> tuple[float, float] | None:
        """Between which the smallest difference lies as far as the components are not known better."""
        how = self.pairs[0].inference
        if detectable is None or not isinstance(how, HeldJackknife):
            return None
        again = spread_again(self.worlds, how.whole, parallel)
        if not len(again) or not again.min() > 0:
            return None
        error = float(np.sqrt((np.log(again / spread_of(self.worlds, how.whole)) ** 2).mean()))
        times = float(np.exp(_Z * error))
        return _round(detectable.value / times), _round(detectable.value * times)


def _crossing(shares: Float1, effects: Float1, share: float) -> float:
    """The effect at which `shares`, which never fall, reach `share`; between what was tried along a line."""
    place = int(np.searchsorted(shares, share))
    if place == 0:
        return float(effects[0] * share / shares[0]) if shares[0] > 0 else float(effects[0])
    if place == len(shares):
        return float(effects[-1])
    part = (share - shares[place - 1]) / (shares[place] - shares[place - 1])
    return float(effects[place - 1] + part * (effects[place] - effects[place - 1]))


def _quick(how: Inference, estimator: Estimator, worlds: Drawn, target: Target) -> Inference:
    """The same inference, whose refits are done once where the design is the same in every world."""
    if type(how) is not ClusterJackknife or worlds.rematch is not None:
        return how
    panel = worlds.panel.with_outcome(np.where(worlds.absent, np.nan, worlds.panel.y))
    return held_jackknife(how, estimator, panel, target) or how


# --- what is kept -----------------------------------------------------------------------------------------------------


def _fewest(
    loaded: Loaded, series: Series, comparison: Comparison, before: tuple[str, ...]
) -> tuple[str, str, float] | None:
    """The area and period with the fewest respondents; an area has those of its units together."""
    if series.respondents is None:
        return None
    row = {region: number for number, region in enumerate(loaded.regions)}
    found = [
        (
            float(np.nansum(series.respondents[[row[unit] for unit in area.units], loaded.periods.index(period)])),
            area,
            period,
        )
        for area in comparison.areas
        if not area.left_out
        for period in before
    ]
    count, area, period = min(found, key=lambda one: one[0])
    return area.slug, period, count


def _fitted(worlds: Drawn, periods: tuple[str, ...]) -> Fitted:
    found, se = worlds.found, worlds.panel.se
    known = None if se is None else float(np.sqrt((se[:, : len(periods)] ** 2).mean()))
    return Fitted(
        periods=periods,
        units=found.units,
        clusters=found.clusters,
        shared=_round(found.shared),
        own=_round(found.own),
        passing=_round(found.passing),
        lasting=_round(found.lasting),
        intervals={name: (_round(low), _round(high)) for name, (low, high) in found.intervals.items()},
        separate=found.separate,
        known=_rounded(known),
        near=_round(found.near),
        near_error=_rounded(found.near_error),
        reach=_round(found.reach),
    )


def _amount(rate: Rate | None) -> Amount | None:
    if rate is None:
        return None
    return Amount(value=_round(rate.value), error=_round(rate.mc_error) if np.isfinite(rate.mc_error) else None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else _round(value)


def _round(value: float) -> float:
    """Ten significant digits: more of them differ between machines."""
    return float(f"{value:.9e}")
