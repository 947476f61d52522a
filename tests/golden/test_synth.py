"""The studies that made synthetic control, with predictors: Proposition 99, German reunification, the Basque Country.

R's Synth (1.1-8) standardises predictors as here, but solves neither program exactly: its weights given V are off the
optimum by about 1e-4, and its search for V stops early. So what is asked is no equality. Given V, our objective is no
worse and the weights differ by no more than R's excess over the optimum explains; where V is searched for, our loss is
no worse than R's, unless no V at all makes R's weights optimal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.estimators.predictors import Rows, read_predictors, rows, standardised
from impact.estimators.synthetic_control import SyntheticControl
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel
from tests.shared import golden, shared

CALIFORNIA = "California"
BEFORE = 19
TOBACCO: tuple[dict[str, Any], ...] = (
    *({"of": name, "from": 1980, "to": 1988} for name in ("lnincome", "retprice", "age15to24")),
    {"of": "beer", "from": 1984, "to": 1988},
    *({"of": "outcome", "at": year} for year in (1988, 1980, 1975)),
)


def panel_of(path: str, unit: str, outcome: str, treated: str, start: int, covariates: list[str]) -> Panel:
    """A panel whose covariates may have gaps, which a table for `Panel.from_frame` may not."""
    frame = pd.read_csv(shared(path))
    frame["start"] = np.where(frame[unit] == treated, start, np.nan)
    panel = Panel.from_frame(frame, unit=unit, time="year", outcome=outcome, first_treated="start")
    wide = {name: frame.pivot(index=unit, columns="year", values=name).loc[list(panel.units)] for name in covariates}
    return replace(panel, covariates={name: values.to_numpy(dtype=float) for name, values in wide.items()})


@pytest.fixture(scope="module")
def tobacco() -> Panel:
    covariates = ["lnincome", "retprice", "age15to24", "beer"]
    return panel_of("reference/data/smoking.csv", "state", "cigsale", CALIFORNIA, 1989, covariates)


def fitted(how: SyntheticControl, panel: Panel) -> Fit:
    found = how.fit(panel)
    assert isinstance(found, Fit), found
    assert all(trace.status == "optimal" and trace.gap <= GAP for trace in found.trace)
    return found


def predictors_of(panel: Panel, fit: Fit) -> Rows:
    """Standardised, of the one treated unit."""
    found = rows(panel, fit.compared[0], read_predictors(TOBACCO))
    assert isinstance(found, Rows)
    scaled = standardised(found)
    assert isinstance(scaled, Rows)
    return scaled


def numbered(panel: Panel, weights: dict[str, float]) -> Float1:
    """R's weights (by number of the state in the alphabet of all), for all units; made to sum to one."""
    every = sorted(panel.units)
    found = np.array([weights.get(str(every.index(name) + 1), 0.0) for name in panel.units])
    return np.asarray(found / found.sum())


def path_loss(panel: Panel, w: Float1, row: int) -> float:
    return float(np.mean((panel.y[row] - w @ panel.y)[:BEFORE] ** 2))


# Proposition 99 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["synth_prop99", "synth_prop99_equalV"])
def test_predictors_are_those_of_synth(tobacco: Panel, name: str) -> None:
    expected = golden(name)["results"]
    fit = fitted(SyntheticControl(predictors=TOBACCO), tobacco)
    found = rows(tobacco, fit.compared[0], read_predictors(TOBACCO))
    assert isinstance(found, Rows)
    np.testing.assert_allclose(found.b, expected["X1"], rtol=1e-12)
    order = np.argsort([tobacco.units[row] for row in found.part.donors])
    np.testing.assert_allclose(found.a[:, order], expected["X0"]["values"], rtol=1e-12)


@pytest.mark.parametrize("name", ["synth_prop99", "synth_prop99_equalV"])
def test_weights_given_v(tobacco: Panel, name: str) -> None:
    """For a convex program ``f(w) − f* ≥ ‖A(w − w*)‖²``: R's excess bounds how far its predictors are from ours."""
    expected = golden(name)["results"]
    equal = fitted(SyntheticControl(predictors=TOBACCO), tobacco)
    found = predictors_of(tobacco, equal)
    v = np.array(list(expected["v"].values()))
    given: Any = "equal" if name.endswith("equalV") else dict(zip(found.names, v, strict=True))
    fit = fitted(SyntheticControl(predictors=TOBACCO, v=given), tobacco)
    assert fit.weights is not None
    theirs = numbered(tobacco, expected["w"])[found.part.donors]
    ours = fit.weights.unit[0, found.part.donors]
    a, b = np.sqrt(v)[:, None] * found.a, np.sqrt(v) * found.b
    objective = float(np.sum((a @ theirs - b) ** 2))
    assert objective == pytest.approx(expected["loss_w"], rel=0.01)  # R's weights sum to 1 but for about 1e-3
    assert fit.trace[0].objective <= objective
    assert np.sum((a @ (theirs - ours)) ** 2) <= objective - fit.trace[0].objective + 1e-12
    np.testing.assert_allclose(ours, theirs, atol=3e-3)
    gaps = np.array([expected["gaps"][period] for period in tobacco.periods])
    np.testing.assert_allclose(fit.cells.effect, gaps, atol=0.3)


def test_all_outcomes_as_predictors(tobacco: Panel) -> None:
    expected = golden("synth_prop99_outcomesonly_equalV")["results"]
    fit = fitted(SyntheticControl(predictors=[{"of": "outcome", "each": True}]), tobacco)
    assert fit.weights is not None
    assert fit.trace[0].objective <= expected["loss_w"]
    np.testing.assert_allclose(fit.weights.unit[0], numbered(tobacco, expected["w"]), atol=6e-3)


def test_nested_v_is_no_worse_than_that_of_synth(tobacco: Panel) -> None:
    expected = golden("synth_prop99")["results"]
    for starts in (5, 10):
        (tuned,) = fitted(SyntheticControl(predictors=TOBACCO, v="nested", starts=starts), tobacco).tuned
        assert tuned.loss < expected["loss_v"]
        assert tuned.loss == tuned.losses.min()
    # Even the exact weights under R's own V have a lower loss than R reports for it.
    given = dict(zip(tuned.labels, expected["v"].values(), strict=True))
    own = fitted(SyntheticControl(predictors=TOBACCO, v=given), tobacco)
    assert np.mean(own.cells.effect[:BEFORE] ** 2) < expected["loss_v"]
    # Differential evolution (84,000 evaluations of the loss) and Nelder-Mead end at 3.07667.
    assert tuned.loss == pytest.approx(3.07667, rel=1e-3)


def placebo(panel: Panel, state: str) -> Panel:
    """California leaves; `state` is treated instead."""
    kept = [row for row, name in enumerate(panel.units) if name != CALIFORNIA or state == CALIFORNIA]
    first = [float(BEFORE) if panel.units[row] == state else np.inf for row in kept]
    return panel.take(kept).assign(np.array(first))


def best_loss_near(found: Rows, outcomes: Float2, target: Float1, w: Float1) -> float:
    """The loss of exact weights under the V that comes nearest to making `w` optimal (a linear program)."""
    residual = found.a @ w - found.b
    price = ((found.a - found.b[:, None]).T - residual) * residual
    donors, number = price.shape
    nearest = linprog(
        np.append(np.zeros(number), 1.0),
        A_ub=-np.column_stack([price, np.ones(donors)]),
        b_ub=np.zeros(donors),
        A_eq=[np.append(np.ones(number), 0.0)],
        b_eq=[1.0],
        bounds=[(1e-9, 1.0)] * number + [(0.0, None)],
    )
    assert nearest.x is not None
    root = np.sqrt(nearest.x[:number])
    exact = solve(root[:, None] * found.a, root * found.b).weights
    return float(np.mean((target - outcomes @ exact) ** 2))


def test_placebos_with_predictors(tobacco: Panel) -> None:
    """Every state as if it were California. Our loss is no higher for all but four; the weights of R that follow the
    outcome better there are not optimal under any V, and what is optimal under the nearest V follows it worse."""
    expected = golden("synth_prop99_placebo")["results"]
    ratio: dict[str, float] = {}
    worse = []
    for unit in expected["units"]:
        panel = placebo(tobacco, unit["state"])
        fit = fitted(SyntheticControl(predictors=TOBACCO, v="nested", starts=15), panel)
        (tuned,) = fit.tuned
        gap = fit.cells.effect
        ratio[unit["state"]] = float(np.sqrt(np.mean(gap[BEFORE:] ** 2) / np.mean(gap[:BEFORE] ** 2)))
        if tuned.loss <= unit["loss_v"] * (1 + 1e-6):
            continue
        worse.append(unit["state"])
        found = predictors_of(panel, fit)
        theirs = numbered(tobacco, unit["w"])[[tobacco.units.index(panel.units[row]) for row in found.part.donors]]
        row = panel.units.index(unit["state"])
        outcomes, target = panel.y[found.part.donors, :BEFORE].T, panel.y[row, :BEFORE]
        assert np.mean((target - outcomes @ theirs) ** 2) == pytest.approx(unit["loss_v"], rel=1e-4)
        assert best_loss_near(found, outcomes, target, theirs) > tuned.loss
    assert set(worse) <= {"Kansas", "Maine", "Rhode Island", "Wyoming"}
    # California first, as in R. Ten starts are too few: they miss the best V of Missouri, and whether they end at a
    # ratio of 7.8 or of 13.5 hangs on the last digits of the search.
    assert max(ratio, key=ratio.__getitem__) == CALIFORNIA
    assert ratio[CALIFORNIA] > expected["ratio"][CALIFORNIA] > max(ratio[name] for name in ratio if name != CALIFORNIA)


# German reunification, and the Basque Country -------------------------------------------------------------------------


def both(of: str, later: tuple[int, int], earlier: tuple[int, int], trained: str | None = None) -> dict[str, Any]:
    early = {"of": trained or of, "from": earlier[0], "to": earlier[1]}
    return {"of": of, "from": later[0], "to": later[1], "training": early}


@pytest.fixture(scope="module")
def germany() -> Panel:
    """Reunified in 1990, the last year that Abadie, Diamond & Hainmueller (2015) fit to."""
    covariates = ["trade", "infrate", "industry", "schooling", "invest70", "invest80"]
    return panel_of("reference/data/repgermany.csv", "country", "gdp", "West Germany", 1991, covariates)


ECONOMY = (
    *(both(name, (1981, 1990), (1971, 1980)) for name in ("outcome", "trade", "infrate", "industry")),
    both("schooling", (1980, 1985), (1970, 1975)),
    both("invest80", (1980, 1980), (1980, 1980), "invest70"),
)
# Abadie, Diamond & Hainmueller (2015), Table 1, to a third decimal as their replication code gives it.
PUBLISHED = {"Austria": 0.415, "USA": 0.216, "Japan": 0.162, "Switzerland": 0.108, "Netherlands": 0.098}


def test_cross_validation_gives_the_published_west_germany(germany: Panel) -> None:
    fit = fitted(SyntheticControl(predictors=ECONOMY, v="cross-validated", fit_window=("1981", "1990")), germany)
    assert fit.weights is not None
    weights = dict(zip(fit.weights.units, fit.weights.unit[0], strict=True))
    assert {name for name, weight in weights.items() if weight > 1e-3} == set(PUBLISHED)
    for name, weight in PUBLISHED.items():
        assert weights[name] == pytest.approx(weight, abs=0.01)


def test_nested_v_is_no_worse_than_the_published_west_germany(germany: Panel) -> None:
    """The loss over 1960-1989 of the published weights, which are those of some V, is an upper bound."""
    (tuned,) = fitted(SyntheticControl(predictors=ECONOMY, v="nested", fit_window=("1960", "1989")), germany).tuned
    w = np.array([PUBLISHED.get(name, 0.0) for name in germany.units])
    gap = germany.y[germany.units.index("West Germany")] - w @ germany.y / w.sum()
    assert tuned.loss < np.mean(gap[:30] ** 2)


def test_nested_v_is_no_worse_than_the_published_basque_country() -> None:
    """R's example ends at 0.0088646 (Catalonia 0.851, Madrid 0.149); here V is found under which the weights are those
    that follow the outcome best of all, so no V can do better."""
    schools = [f"school.{level}" for level in ("illit", "prim", "med", "high", "post.high")]
    sectors = [
        f"sec.{name}"
        for name in ("agriculture", "energy", "industry", "construction", "services.venta", "services.nonventa")
    ]
    treated = "Basque Country (Pais Vasco)"
    panel = panel_of(
        "reference/data/basque.csv",
        "regionname",
        "gdpcap",
        treated,
        1970,
        [*schools, *sectors, "invest", "popdens"],
    )
    panel = panel.drop([panel.units.index("Spain (Espana)")])  # the mean of all regions
    spelled = (
        *({"of": name, "from": 1964, "to": 1969} for name in (*schools, "invest")),
        {"of": "outcome", "from": 1960, "to": 1969},
        *({"of": name, "from": 1961, "to": 1969} for name in sectors),
        {"of": "popdens", "at": 1969},
    )
    (tuned,) = fitted(SyntheticControl(predictors=spelled, v="nested", fit_window=("1960", "1969")), panel).tuned
    assert tuned.loss < 0.008864572
    window = slice(panel.periods.index("1960"), panel.periods.index("1970"))
    donors, target = panel.y[panel.never, window].T, panel.y[panel.units.index(treated), window]
    # Reached only as some of V vanish, of which none may fall below a millionth.
    assert tuned.loss == pytest.approx(solve(donors, target).objective / len(target), rel=1e-4)
