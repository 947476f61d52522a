"""The cluster bootstrap against draws put together by hand, arithmetic, and what it must refuse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np
import pandas as pd
import pytest

from impact.arrays import Bool2
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.protocol import Asks, Estimator, Gives
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.bootstrap import Bootstrap, resampled
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target
from tests.shared import shared

COLUMNS = {"unit": "unit", "time": "year", "outcome": "y", "first_treated": "start"}
# Start and gemeente of every treated area; south is two wijken, east lies in two gemeenten.
TREATED = {
    "a0": ("north", "g0", 2005),
    "a1": ("south", "g1", 2005),
    "a2": ("south", "g1", 2005),
    "a3": ("east", "g2", 2005),
    "a4": ("east", "g3", 2005),
    "a5": ("west", "g3", 2007),
    "a6": ("isle", "g4", 2007),
}


def table(controls: int = 14, seed: int = 3, treated: int = 7) -> pd.DataFrame:
    """Treated wijken as above, controls two to a gemeente (the first of them beside south), 2000 to 2009."""
    rng = np.random.default_rng(seed)
    units: list[tuple[str, str | None, str, float]] = [
        (unit, area, town, start) for unit, (area, town, start) in list(TREATED.items())[:treated]
    ]
    units += [(f"c{n:02}", None, "g1" if n == 0 else f"h{n // 2}", np.nan) for n in range(controls)]
    rows = []
    for unit, area, town, start in units:
        y = 10 + rng.normal() + rng.normal(size=10).cumsum()
        x = rng.normal(size=10)
        fixed = {"unit": unit, "area": area, "town": town, "start": start, "weight": rng.uniform(0.5, 2)}
        rows += [{**fixed, "year": 2000 + t, "y": y[t] + 0.5 * x[t], "x": x[t]} for t in range(10)]
    return pd.DataFrame(rows)


def panel_of(frame: pd.DataFrame, *covariates: str, cluster: str | None = "town") -> Panel:
    return Panel.from_frame(
        frame, **COLUMNS, area="area", cluster=cluster, weight="weight", covariates=list(covariates)
    )


def run(
    estimator: Estimator, panel: Panel, target: Target | None = None, *, seed: int = 1, draws: int = 40
) -> Uncertainty | Refused:
    return Bootstrap(draws).run(estimator, panel, target or Target(), streams=Streams(seed), parallel=Parallel())


def given(found: Uncertainty | Refused) -> Uncertainty:
    assert isinstance(found, Uncertainty), found
    return found


def refused(found: Uncertainty | Refused) -> Refused:
    assert isinstance(found, Refused)
    return found


def estimates(estimator: Estimator, panel: Panel, target: Target) -> dict[str, float]:
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found), found
    return dict(zip(found.effects.terms, found.effects.estimate.tolist(), strict=True))


def sets(panel: Panel, draws: int, seed: int = 1) -> tuple[list[list[str]], int]:
    """Towns of every draw as the class says: drawn anew until somebody is treated and somebody never is."""
    towns = dict(zip(panel.units, (panel.clusters[code] for code in panel.cluster), strict=True))
    treated = {towns[name] for name, start in zip(panel.units, panel.first, strict=True) if np.isfinite(start)}
    never = {towns[name] for name, start in zip(panel.units, panel.first, strict=True) if np.isinf(start)}
    found, tries = [], 0
    for draw in range(draws):
        generator = Streams(seed).at("bootstrap", draw).generator()
        while True:
            tries += 1
            chosen = [panel.clusters[code] for code in generator.choice(len(panel.clusters), len(panel.clusters))]
            if treated & set(chosen) and never & set(chosen):
                break
        found.append(chosen)
    return found, tries


def drawn(frame: pd.DataFrame, chosen: list[str]) -> pd.DataFrame:
    """The long table of a draw: every copy of a town under another name, and its areas with it, but for east."""
    parts = []
    for number, town in enumerate(chosen):
        part = frame[frame["town"] == town]
        area = part["area"].where((part["area"] == "east") | part["area"].isna(), part["area"] + f"/{number}")
        parts.append(part.assign(unit=part["unit"] + f"/{number}", town=f"{town}/{number}", area=area))
    return pd.concat(parts)


@pytest.mark.parametrize("weighting", ["area", "unit"])
@pytest.mark.parametrize(
    ("estimator", "covariates"),
    [(DiD(), ()), (SyntheticControl(), ()), (SyntheticDiD(), ()), (SyntheticDiD(), ("x",))],
    ids=["did", "synthetic-control", "synthetic-did", "covariates"],
)
def test_error_is_that_of_tables_put_together_by_hand(
    estimator: Estimator, covariates: tuple[str, ...], weighting: str
) -> None:
    frame, target = table(), Target("average", weighting)  # type: ignore[arg-type]
    panel = panel_of(frame, *covariates)
    chosen, tries = sets(panel, 25)
    each = [estimates(estimator, panel_of(drawn(frame, one), *covariates), target)["average"] for one in chosen]
    found = given(run(estimator, panel, target, draws=25))
    error = float(np.sqrt(np.mean((np.array(each) - np.mean(each)) ** 2)))  # Algorithm 2 divides by B
    assert found.std_error[0] == pytest.approx(error, rel=1e-9)
    assert (found.draws, found.attempted, found.failures) == (25, tries, ())
    estimate = estimates(estimator, panel, target)["average"]
    assert found.low[0] == pytest.approx(estimate - 1.959963984540054 * error, rel=1e-9)
    assert np.isinf(found.df[0])


def test_a_resampled_panel_by_hand() -> None:
    panel = panel_of(table(controls=4))
    g1, g3, h1 = (panel.clusters.index(name) for name in ("g1", "g3", "h1"))
    again = resampled(panel, np.array([g3, g1, h1, g1]))
    assert again.units == ("a4", "a5", "a1", "a2", "c00", "c02", "c03", "a1 (2)", "a2 (2)", "c00 (2)")
    assert [again.clusters[code] for code in again.cluster] == ["g3"] * 2 + ["g1"] * 3 + ["h1"] * 2 + ["g1 (2)"] * 3
    areas = [again.areas[code] if code >= 0 else None for code in again.area]
    never = [None] * 3
    assert areas == ["east", "west", "south", "south", *never, "south (2)", "south (2)", None]
    rows = [panel.units.index(name.removesuffix(" (2)")) for name in again.units]
    np.testing.assert_array_equal(again.y, panel.y[rows])
    np.testing.assert_array_equal(again.weight, panel.weight[rows])
    assert again.group_names == ("2005", "2007")
    by_area = resampled(panel.by_area(), np.array([g3, g1, h1, g1]))
    assert sorted(by_area.group_names) == ["east", "south", "south (2)", "west"]
    twice = resampled(panel, np.repeat(np.arange(len(panel.clusters)), 2))
    assert len(set(twice.units)) == 2 * len(panel.units)
    # East lies in two gemeenten and stays one area; the others come twice.
    assert len(twice.areas) == 2 * len(panel.areas) - 1


@pytest.mark.parametrize("estimator", [DiD(), SyntheticControl(), SyntheticDiD()], ids=lambda one: str(one.name))
def test_every_cluster_once_is_the_estimate(estimator: Estimator) -> None:
    panel, target = panel_of(table()), Target("event", "area")
    once = resampled(panel, np.random.default_rng(0).permutation(len(panel.clusters)))
    assert estimates(estimator, once, target) == pytest.approx(estimates(estimator, panel, target), abs=1e-9)


def test_error_of_a_difference_of_means() -> None:
    """One period before and one after: √(s₁²/n₁ + s₀²/n₀), to the Monte-Carlo error and the 1/n of random sizes."""
    rng = np.random.default_rng(8)
    change = np.r_[rng.normal(scale=3, size=40), rng.normal(size=80)]
    frame = pd.DataFrame({"unit": np.repeat([f"u{n:03}" for n in range(120)], 2), "year": np.tile([0, 1], 120)})
    frame["y"] = np.ravel(np.column_stack([np.zeros(120), change]))
    frame["start"] = np.repeat(np.where(np.arange(120) < 40, 1, np.nan), 2)
    panel = Panel.from_frame(frame, **COLUMNS)
    found = given(run(DiD(), panel, draws=1500))
    truth = np.sqrt(change[:40].var() / 40 + change[40:].var() / 80)
    assert found.std_error[0] == pytest.approx(truth, rel=3 / np.sqrt(2 * 1500) + 1 / 40)
    assert found.mc_error is not None and 0 < found.mc_error[0] < 0.02


def test_units_that_share_shocks_widen_the_interval_when_drawn_together() -> None:
    frame = table(controls=30)
    copies = pd.concat([frame.assign(unit=frame["unit"] + letter) for letter in "pqr"])
    together = given(run(DiD(), panel_of(copies), draws=150))
    apart = given(run(DiD(), panel_of(copies, cluster=None), draws=150))
    assert together.std_error[0] > 1.3 * apart.std_error[0]


def test_a_draw_without_treated_or_without_controls_is_drawn_anew_and_counted() -> None:
    frame = table(controls=6)
    small = panel_of(frame[~frame["unit"].isin(["c00", "c01"])])  # 5 gemeenten with treated wijken, 2 with controls
    _, tries = sets(small, 120)
    assert tries > 120
    found = given(run(DiD(), small, draws=120))
    assert (found.draws, found.attempted, found.failures) == (120, tries, ())


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [DiD(), SyntheticControl(), SyntheticDiD()], ids=lambda one: str(one.name))
def test_no_error_from_one_treated_unit(estimator: Estimator) -> None:
    frame = pd.read_csv(shared("reference/data/california_prop99.csv"))
    prop99 = Panel.from_frame(frame, unit="State", time="Year", outcome="PacksPerCapita", treated="treated")
    for panel in (prop99, panel_of(table(treated=1))):
        reason = refused(run(estimator, panel))
        assert "one treated unit" in reason.because
        assert "placebo-space" in reason.instead
    whole = panel_of(table())
    light = replace(whole, weight=np.where(whole.treated & (np.arange(21) > 0), 0.0, whole.weight))
    assert "one treated unit" in refused(run(estimator, light)).because


def test_terms_in_few_treated_clusters_have_no_interval() -> None:
    found = given(run(SyntheticDiD(), panel_of(table(treated=5)), Target("cohort")))  # g0 to g3
    assert found.refused == (None, None)
    assert np.isfinite(found.std_error).all()
    found = given(run(SyntheticDiD(), panel_of(table(treated=4)), Target("event")))  # g0 to g2
    assert found.draws == 0
    for reason in found.refused:
        assert isinstance(reason, Refused)
        assert "3 treated clusters" in reason.because
    assert np.isnan(found.std_error).all() and np.isnan(found.p_value).all()
    per_area = given(run(SyntheticDiD(), panel_of(table()), Target("unit")))
    assert all(isinstance(reason, Refused) for reason in per_area.refused)


def test_a_matched_panel_is_refused() -> None:
    panel = panel_of(table())
    matched = panel.with_pairs(np.tile(panel.never, (len(panel.areas), 1)).astype(float))
    assert "matched" in refused(run(DiD(), matched)).because


def test_a_term_that_draws_lack_is_told() -> None:
    """A cohort in four of ten gemeenten is in none of them with probability 0.6^10, in one draw of 165."""
    frame = table(controls=8)
    frame = frame[~frame["unit"].isin(["c00"])]
    frame.loc[frame["unit"].isin(["a0", "a1", "a2"]), "start"] = 2007
    frame.loc[frame["unit"].isin(["a5"]), "start"] = 2005
    frame.loc[frame["unit"].isin(["a3", "a4", "a5"]), "town"] = frame["unit"]
    # 2005: a3, a4, a5 and one control gemeente's wijk more; 2007: g0, g1, g4.
    frame.loc[frame["unit"] == "c01", ["start", "town", "area"]] = [2005, "own", "own"]
    panel = panel_of(frame)
    found = given(run(DiD(), panel, Target("cohort"), draws=300))
    early, late, mean = found.refused
    assert early is None and mean is None
    assert isinstance(late, Refused) and "3 treated clusters" in late.because
    chosen, _ = sets(panel, 300)
    own = {"a3", "a4", "a5", "own"}
    lacking = sum(not own & set(one) for one in chosen)
    assert 0 < lacking <= 15
    assert found.failures == (f"2005: not in {lacking} of 300 draws",)
    kept = [estimates(DiD(), panel_of(drawn(frame, one)), Target("cohort")) for one in chosen[:80]]
    short = given(run(DiD(), panel, Target("cohort"), draws=80))
    assert short.std_error[0] == pytest.approx(np.std([one["2005"] for one in kept if "2005" in one]), rel=1e-9)
    assert short.std_error[2] == pytest.approx(np.std([one["mean"] for one in kept]), rel=1e-9)


@dataclass(frozen=True)
class Choosy:
    """Difference-in-differences that gives up when a unit is there more often than `most` times."""

    most: int

    name: ClassVar[str] = "choosy"
    gives: ClassVar[Gives] = Gives.NOTHING
    asks: ClassVar[Asks] = Asks()

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        if any(name.endswith(f"({self.most + 1})") for name in panel.units):
            return Refused("an estimate", "a unit is there too often")
        return DiD().fit(panel)

    def null_model(self) -> Estimator:
        return self


def test_draws_that_fail_are_counted_and_too_many_refuse() -> None:
    panel = panel_of(table())
    chosen, _ = sets(panel, 100)
    seen = set()
    for most in (3, 4, 5):
        often = [number for number, one in enumerate(chosen) if max(map(one.count, one)) > most]
        found = run(Choosy(most), panel, draws=100)
        seen.add((len(often) > 5, len(often) > 0))
        if len(often) > 5:
            assert f"{len(often)} of 100 draws gave no estimate" in refused(found).because
            continue
        answer = given(found)
        assert answer.failures == tuple(f"draw {number}: a unit is there too often" for number in often)
        assert answer.draws == 100 - len(often)
        each = [
            estimates(DiD(), panel_of(drawn(table(), one)), Target())["average"]
            for number, one in enumerate(chosen)
            if number not in often
        ]
        assert answer.std_error[0] == pytest.approx(np.std(each), rel=1e-9)
    assert {(True, True), (False, True)} <= seen


# Draws ----------------------------------------------------------------------------------------------------------------


def test_the_first_draws_of_a_long_run_are_those_of_a_short_one() -> None:
    """The variance of draws 1 to 30 and of 1 to 20 give that of 21 to 30; here by the sums behind them."""
    panel = panel_of(table())
    chosen, _ = sets(panel, 30)
    each = np.array([estimates(DiD(), panel_of(drawn(table(), one)), Target())["average"] for one in chosen])
    for draws in (10, 20, 30):
        assert given(run(DiD(), panel, draws=draws)).std_error[0] == pytest.approx(each[:draws].std(), rel=1e-9)
    assert given(run(DiD(), panel, seed=2)).std_error[0] != given(run(DiD(), panel)).std_error[0]


def test_the_order_of_units_changes_nothing() -> None:
    panel = panel_of(table())
    order = np.random.default_rng(1).permutation(len(panel.units))
    one, other = (given(run(SyntheticDiD(), each)) for each in (panel, panel.take(order)))
    np.testing.assert_allclose(other.std_error, one.std_error, rtol=1e-7)


def test_rows_of_cross_sections_are_drawn_by_their_clusters() -> None:
    frame = table()
    sample = Sample.from_frame(
        frame, time="year", outcome="y", first_treated="start", area="area", cluster="town", weight="weight"
    )
    panel = panel_of(frame)
    one = given(run(GroupTime(), cast("Panel", sample), draws=20))
    other = given(run(GroupTime(), panel, draws=20))
    # The same rows without their units: as long as all are seen in every period, the same changes of means.
    np.testing.assert_allclose(one.std_error, other.std_error, rtol=1e-9)


def test_parameters() -> None:
    with pytest.raises(ValueError, match="draws=1 is fewer"):
        Bootstrap(draws=1)
    with pytest.raises(ValueError, match="level=95 is not between"):
        Bootstrap(level=95)
