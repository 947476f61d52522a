"""The panels and the configured estimators that the contract is checked on."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.augmented import AugmentedSyntheticControl
from impact.estimators.did import DiD
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.multi_outcome import MultiOutcomeSyntheticControl
from impact.estimators.partially_pooled import PartiallyPooled
from impact.estimators.penalized import PenalizedSyntheticControl
from impact.estimators.poisson import Poisson
from impact.estimators.protocol import Estimator
from impact.estimators.registry import ESTIMATORS, resolve
from impact.estimators.stacked import Stacked
from impact.estimators.sun_abraham import SunAbraham
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.estimators.twfe import TWFE
from impact.panel import Panel

PERIODS = 10
STARTS = (4, 7)
# Far above 0, so that estimators of counts and rates are held to the same lines; differences do not see it.
LEVEL = 50.0


@dataclass(frozen=True)
class Configured:
    """An estimator with its options, and the covariates its panel needs."""

    label: str
    estimator: Estimator
    covariates: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.estimator.name


def _options() -> Mapping[str, list[Configured]]:
    x = ("x", "z")
    return {
        "did": [Configured("did", DiD()), Configured("did, anticipation", DiD(anticipation=1))],
        "group-time": [
            Configured("group-time", GroupTime()),
            Configured("group-time, not-yet", GroupTime(control="not-yet")),
            Configured("group-time, universal, anticipation", GroupTime(base="universal", anticipation=1)),
            *(Configured(f"group-time, {m}", GroupTime(method=m, control="not-yet"), x) for m in ("dr", "ipw", "reg")),
        ],
        "poisson": [
            Configured("poisson, proportional", Poisson()),
            Configured("poisson, proportional, not-yet", Poisson("not-yet")),
            Configured("poisson, level", Poisson(effect="level", anticipation=1)),
            Configured("poisson, level, exposure", Poisson("not-yet", "level", "size"), ("size",)),
        ],
        "twfe": [
            Configured("twfe", TWFE()),
            Configured("twfe, event", TWFE(effect="event")),
            Configured("twfe, anticipation", TWFE(anticipation=1)),
            Configured("twfe, event, leads", TWFE(effect="event", leads=2)),
        ],
        "sun-abraham": [
            Configured("sun-abraham", SunAbraham()),
            Configured("sun-abraham, anticipation", SunAbraham(reference=-2)),
        ],
        "imputation": [
            Configured("imputation", Imputation()),
            Configured("imputation, leave-one-out", Imputation(variance="leave-one-out")),
            Configured("imputation, covariates", Imputation(anticipation=1), x),
        ],
        "two-stage": [
            Configured("two-stage", TwoStage()),
            Configured("two-stage, covariates", TwoStage(), x),
        ],
        "extended-twfe": [
            Configured("extended-twfe", ExtendedTWFE()),
            Configured("extended-twfe, never", ExtendedTWFE(control="never")),
            Configured("extended-twfe, covariates", ExtendedTWFE(), x),
        ],
        "stacked": [
            Configured("stacked", Stacked()),
            Configured("stacked, never", Stacked(before=3, after=2, control="never", anticipation=1)),
        ],
        "synthetic-control": [
            Configured("synthetic-control", SyntheticControl()),
            Configured("synthetic-control, intercept", SyntheticControl(intercept=True, anticipation=1)),
            Configured(
                "synthetic-control, predictors",
                SyntheticControl(predictors=("x", {"of": "outcome", "each": True}), v="inverse-variance"),
                ("x",),
            ),
            Configured(
                "synthetic-control, nested",
                SyntheticControl(
                    predictors=(*x, {"of": "outcome", "each": True}), v="nested", starts=2, intercept=True
                ),
                x,
            ),
            Configured(
                "synthetic-control, cross-validated",
                SyntheticControl(predictors=("outcome", "x", "z"), v="cross-validated", starts=2),
                x,
            ),
            Configured("synthetic-control, lasso", SyntheticControl(constraint="lasso")),
            Configured("synthetic-control, ridge", SyntheticControl(constraint="ridge", budget=0.5, intercept=True)),
        ],
        "penalized-synthetic-control": [
            Configured("penalized, leave-one-out", PenalizedSyntheticControl()),
            Configured("penalized, hold-out, intercept", PenalizedSyntheticControl(lam="hold-out", intercept=True)),
            Configured(
                "penalized, predictors",
                PenalizedSyntheticControl(predictors=["x", {"of": "outcome", "each": True}]),
                ("x",),
            ),
        ],
        "augmented-synthetic-control": [
            Configured("augmented, 1se", AugmentedSyntheticControl()),
            Configured("augmented, min, intercept", AugmentedSyntheticControl(lam="min", intercept=True)),
            Configured("augmented, covariates", AugmentedSyntheticControl(), x),
            Configured("augmented, residualize", AugmentedSyntheticControl(residualize=True), x),
        ],
        "partially-pooled": [
            Configured("partially-pooled, nu from the data", PartiallyPooled()),
            Configured("partially-pooled, levels", PartiallyPooled(nu=0.9, intercept=False, lags=3, anticipation=1)),
            Configured("partially-pooled, not-yet", PartiallyPooled(lam=0.1, leads=3, control="not-yet")),
        ],
        "multi-outcome-synthetic-control": [
            Configured("multi-outcome", MultiOutcomeSyntheticControl(outcomes="size"), ("size",)),
            Configured("multi-outcome, alone", MultiOutcomeSyntheticControl()),
            Configured(
                "multi-outcome, averaged levels",
                MultiOutcomeSyntheticControl(
                    outcomes="size", combine="averaged", errors={"size": 0.1}, intercept=False, anticipation=1
                ),
                ("size",),
            ),
        ],
        "synthetic-did": [
            Configured("synthetic-did", SyntheticDiD()),
            Configured("synthetic-did, fw", SyntheticDiD(solver="fw")),
            Configured("synthetic-did, covariates", SyntheticDiD(zeta=1.5), ("size", "x")),
        ],
    }


# A newly registered estimator joins with its defaults, without a line here.
CONFIGURED: tuple[Configured, ...] = tuple(
    configured for name in ESTIMATORS for configured in _options().get(name, []) or [Configured(name, resolve(name)())]
)


def frame(
    seed: int = 1, *, controls: int = 16, copies: int = 1, noise: float = 1.0, effect: float = 2.0
) -> pd.DataFrame:
    """A long table: 8 areas of 1 or 2 units in 7 gemeenten, starting in 2004 and 2007; control units two to a gemeente;
    one unit that starts after the last period. `copies` repeats the design for panels of any size."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    shock = rng.normal(size=PERIODS)
    for copy in range(copies):
        units = []
        for area in range(8):
            gemeente = f"T{max(area - 1, 0)}-{copy}"
            units += [
                (f"a{area}{letter}-{copy}", f"area{area}-{copy}", gemeente, STARTS[area % 2])
                for letter in "mn"[: 1 + area % 3 // 2]
            ]
        units += [(f"c{number:02}-{copy}", None, f"C{number // 2}-{copy}", None) for number in range(controls)]
        units.append((f"late-{copy}", f"late-{copy}", f"L-{copy}", PERIODS + 3))
        for unit, area_name, gemeente, start in units:
            level, x, z = rng.normal(size=3)
            path = LEVEL + 2 * level + shock + 0.3 * x * np.arange(PERIODS) + noise * rng.normal(size=PERIODS)
            fixed = {
                "unit": unit,
                "area": area_name,
                "gemeente": gemeente,
                "x": x,
                "z": z,
                "start": None if start is None else 2000 + start,
                "weight": rng.uniform(0.5, 2),
                "residents": rng.integers(500, 9000),
            }
            for t in range(PERIODS):
                treated = start is not None and t >= start
                size = np.exp(0.2 * z + 0.02 * x * t)
                rows.append({**fixed, "year": 2000 + t, "y": path[t] + (effect if treated else 0.0), "size": size})
    return pd.DataFrame(rows)


def panel_of(table: pd.DataFrame, configured: Configured | None = None, *, cluster: bool = True) -> Panel:
    return Panel.from_frame(
        table,
        unit="unit",
        time="year",
        outcome="y",
        first_treated="start",
        area="area",
        weight="weight",
        residents="residents",
        cluster="gemeente" if cluster else None,
        covariates=() if configured is None else configured.covariates,
    )


def fit_of(configured: Configured, panel: Panel, **how: Any) -> Fit:
    found = configured.estimator.fit(panel, **how)
    assert not isinstance(found, Refused), str(found)
    return found


def cells_by_name(fit: Fit, panel: Panel) -> dict[tuple[str, str], float]:
    """Effects by name of the group and label of the period."""
    names = panel.group_names
    return {
        (names[group], panel.periods[period]): float(effect)
        for group, period, effect in zip(fit.cells.group, fit.cells.period, fit.cells.effect, strict=True)
    }


def close(
    first: dict[tuple[str, str], float],
    second: dict[tuple[str, str], float],
    *,
    atol: float = 1e-9,
    move: Callable[[str, str], float] = lambda group, period: 0.0,
    times: float = 1.0,
) -> None:
    """`second` has the same cells as `first`, each times `times` plus what `move` says."""
    assert first.keys() == second.keys()
    expected = [times * first[key] + move(*key) for key in first]
    np.testing.assert_allclose([second[key] for key in first], expected, atol=atol, rtol=0)


@cache
def world(case: Configured) -> tuple[Panel, Fit]:
    panel = panel_of(frame(), case)
    return panel, fit_of(case, panel)


def rows_of(panel: Panel, prefix: str) -> np.ndarray:
    return np.array([row for row, name in enumerate(panel.units) if name.startswith(prefix)])


def contents(panel: Panel) -> bytes:
    return pickle.dumps([getattr(panel, name) for name in panel.__slots__])


def matched(panel: Panel) -> Panel:
    """Every area compared with its own uneven mix of controls, half of the areas with those that rise more."""
    mix = np.random.default_rng(0).uniform(size=(len(panel.areas), len(panel.units))) * panel.never
    rise = panel.y[:, -1] - panel.y[:, 3]
    mix[::2] *= rise > np.median(rise[panel.never])
    return panel.with_pairs(mix)
