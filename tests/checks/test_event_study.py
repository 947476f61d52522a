"""Event studies as the checks read them; bounds and pre-tests of results, and what is refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import impact
from impact.checks.event_study import EventStudy, Leads, event_study, leads
from impact.checks.pretrend import Wald, equivalence, joint, power, pretrend
from impact.errors import Refused, UsageError
from impact.inference.protocol import Uncertainty
from impact.numerics.pretest import passing, slope_for_power

PERIODS = range(2012, 2024)


@cache
def panel(starts: tuple[int, ...] = (2018, 2020), seed: int = 1, noise: float = 1.0) -> impact.Panel:
    """40 gemeenten of 2 wijken, 12 of them treated, with an effect of 2."""
    generator = np.random.default_rng(seed)
    rows = []
    for gemeente in range(40):
        start = starts[gemeente % len(starts)] if gemeente < 12 else None
        shock = np.cumsum(generator.normal(size=len(PERIODS))) * 0.3 * noise
        for wijk in range(2):
            level = generator.normal()
            for number, year in enumerate(PERIODS):
                effect = 2.0 * (start is not None and year >= start)
                value = level + shock[number] + effect + 0.4 * noise * generator.normal()
                rows.append((f"w{gemeente}-{wijk}", f"g{gemeente}", year, value, start))
    frame = pd.DataFrame(rows, columns=["wijk", "gemeente", "jaar", "y", "start"])
    return impact.Panel.from_frame(
        frame, unit="wijk", time="jaar", outcome="y", first_treated="start", cluster="gemeente"
    )


def estimated(**options: object) -> impact.Result:
    found = impact.estimate(panel(), "group-time", **{"target": "event", "base": "universal", **options})  # type: ignore[arg-type]
    assert isinstance(found, impact.Result)
    return found


def study(result: impact.Result, combination: object = "mean") -> EventStudy:
    found = event_study(result.effects, result.uncertainty, result.fit, result.target, combination)  # type: ignore[arg-type]
    assert isinstance(found, EventStudy)
    return found


def before(result: impact.Result) -> Leads:
    found = leads(result.effects, result.uncertainty, result.fit, result.target)
    assert isinstance(found, Leads)
    return found


@pytest.mark.parametrize("inference", ["cluster-jackknife", "scores"])
@pytest.mark.parametrize("level", [0.95, 0.8])
@pytest.mark.parametrize("combination", ["mean", 0, 2])
def test_without_departure_the_bound_is_the_declared_interval(
    inference: str, level: float, combination: object
) -> None:
    result = estimated(inference=inference, level=level)
    table = result.tidy().set_index("term").loc[str(combination)]
    found = result.honest(grid=[0.0], combination=combination)  # type: ignore[arg-type]
    assert isinstance(found, pd.DataFrame)
    # One effect: the same interval. Their mean: never shorter, as single effects may have fewer degrees of freedom.
    low, high = float(found["lower"].iloc[0]), float(found["upper"].iloc[0])
    if combination == "mean":
        assert low <= table["ci_low"] + 1e-9
        assert high >= table["ci_high"] - 1e-9
        assert high - low <= 1.3 * (table["ci_high"] - table["ci_low"])
    else:
        assert [low, high] == pytest.approx([table["ci_low"], table["ci_high"]], abs=1e-9)


def test_the_covariance_is_that_of_the_refits() -> None:
    """CV3 of all event times at once, by leaving every gemeente out by hand."""
    data = panel()
    result = estimated()
    names = [term for term in result.effects.terms if term != "mean"]
    replicates = []
    for cluster in range(len(data.clusters)):
        rest = data.drop(np.flatnonzero(data.cluster == cluster))
        one = impact.estimate(rest, "group-time", target="event", base="universal", inference="scores")
        assert isinstance(one, impact.Result)
        replicates.append(one.tidy().set_index("term").loc[names, "estimate"].to_numpy())
    away = np.array(replicates) - result.effects.estimate[: len(names)]
    assert isinstance(result.uncertainty, Uncertainty)
    # Clusters with weight: 34 where only the second cohort was seen so early.
    factor = np.sqrt(1 - 1 / result.uncertainty.clusters[: len(names)])
    expected = np.outer(factor, factor) * (away.T @ away)
    found = study(result)
    rows = [names.index(str(event)) for event in found.events]
    assert found.sampling == pytest.approx(expected[np.ix_(rows, rows)], abs=1e-12)
    assert found.reference == -1
    # 6 periods before the first start, 8 before the second; the reference is one of them.
    assert found.events[: found.before] == tuple(range(-8, -1))


def test_a_known_trend_is_where_it_should_be() -> None:
    """Noise of next to nothing: the bounds are the identified set, the estimate less and plus what the trend adds."""
    generator = np.random.default_rng(2)
    changes = generator.normal(size=5)
    beta = np.r_[-np.cumsum(changes[::-1])[::-1], 3.0, 5.0]
    # The last change before the start is to 0 in the reference period.
    largest = np.abs(changes).max()
    for combination, distance in (([1, 0], 1), ([0, 1], 2), ([0.5, 0.5], 1.5)):
        table = impact.honest(beta, 1e-12 * np.eye(7), 5, grid=[1.0, 0.5], combination=combination)
        for bound, row in zip((1.0, 0.5), table.itertuples(), strict=True):
            middle = float(np.dot(combination, [3.0, 5.0]))
            assert row.lower == pytest.approx(middle - bound * distance * largest, abs=1e-4)
            assert row.upper == pytest.approx(middle + bound * distance * largest, abs=1e-4)
        # 0 is inside as soon as the trend may add up to the whole estimate.
        assert table["breakdown"].iloc[0] == pytest.approx(middle / distance / largest, rel=1e-3)


@pytest.mark.parametrize("weighting", ["unit", "area"])
def test_an_average_with_its_leads(weighting: str) -> None:
    """Every cohort counts before the start as it does in the average; with no departure it is the declared interval."""
    plain = impact.estimate(panel(), "group-time", base="universal", target=impact.Target("average", weighting))  # type: ignore[arg-type]
    result = estimated(target=impact.Target("average", weighting, leads=True))  # type: ignore[arg-type]
    assert isinstance(plain, impact.Result)
    table = result.tidy().set_index("term")
    pd.testing.assert_frame_equal(table.loc[["average"]], plain.tidy().set_index("term"))
    # 12 wijken start in 2018 and 12 in 2020: 6 and 4 periods after the start.
    share = (6, 4) if weighting == "unit" else (1, 1)
    cells = result.fit.cells
    for event in range(-6, -1):
        one = [float(cells.effect[(cells.event == event) & (cells.group == group)][0]) for group in (0, 1)]
        assert table.loc[str(event), "estimate"] == pytest.approx(np.average(one, weights=share), rel=1e-12)
    found = result.honest(grid=[0.0, 1.0])
    assert isinstance(found, pd.DataFrame)
    low, high = table.loc["average", ["ci_low", "ci_high"]]
    assert found[["lower", "upper"]].iloc[0].tolist() == pytest.approx([low, high], abs=1e-9)
    # Periods 1 to 6 and 1 to 4 after the reference.
    one = study(result)
    distance = (sum(range(1, 7)) + sum(range(1, 5))) / 10 if weighting == "unit" else (3.5 + 2.5) / 2
    assert one.combination.tolist() == pytest.approx([distance])
    assert (one.beta[-1] * distance, one.sampling[-1, -1] * distance**2) == pytest.approx(
        (table.loc["average", "estimate"], table.loc["average", "std_error"] ** 2)
    )
    assert isinstance(result.honest("smoothness"), Refused)
    assert isinstance(result.pretrend(), pd.DataFrame)
    # A window that starts later moves the average away from the reference, and no period with it.
    later = estimated(target=impact.Target("average", weighting, ("2021", "2023"), leads=True))  # type: ignore[arg-type]
    ahead = np.mean([4, 5, 6, 2, 3, 4])
    assert study(later).combination.tolist() == pytest.approx([ahead])
    with pytest.raises(ValueError, match="leads"):
        impact.Target("event", leads=True)


def test_bounds_of_an_average_are_those_of_its_periods() -> None:
    """One start: the average is the mean over event times, and its identified set is that of the mean."""
    data = panel((2018,), noise=1e-5)
    averaged = impact.estimate(data, "group-time", base="universal", target=impact.Target("average", leads=True))
    by_event = impact.estimate(data, "group-time", base="universal", target="event")
    assert isinstance(averaged, impact.Result)
    assert isinstance(by_event, impact.Result)
    one, other = averaged.honest(grid=[0.5, 1, 2]), by_event.honest(grid=[0.5, 1, 2])
    assert isinstance(one, pd.DataFrame)
    assert isinstance(other, pd.DataFrame)
    # The two normalise their inequalities differently, so the sets are alike and not the same: within 5 % of the width.
    width = (other["upper"] - other["lower"]).to_numpy()
    assert (np.abs(one["lower"] - other["lower"]) < 0.05 * width).all()
    assert (np.abs(one["upper"] - other["upper"]) < 0.05 * width).all()


def test_what_is_refused_says_why() -> None:
    data = panel()
    cases = {
        "varying base": impact.estimate(data, "group-time", target="event"),
        "one reference period": impact.estimate(data, "twfe", target="event", effect="event", leads=3),
        "made small|chosen": impact.estimate(data, "synthetic-control", target="event"),
        "no covariance": impact.estimate(data, "sun-abraham", target="event", inference="score-flip"),
        "no estimate before": impact.estimate(
            data, "group-time", base="universal", target=impact.Target("event", window=("0", "3"))
        ),
    }
    for why, result in cases.items():
        assert isinstance(result, impact.Result)
        found = result.honest()
        assert isinstance(found, Refused), why
        assert any(part in found.because for part in why.split("|")), found
    fitted = cases["made small|chosen"]
    assert isinstance(fitted, impact.Result)
    assert isinstance(fitted.pretrend(), Refused)


def test_wrong_calls_say_what_is_allowed() -> None:
    result = estimated()
    for combination in (7, [1.0], "first", [0.0] * 6):
        with pytest.raises(UsageError, match="USAGE-003"):
            result.honest(combination=combination)  # type: ignore[arg-type]
    cohorts = impact.estimate(panel(), "group-time", base="universal", target="cohort")
    assert isinstance(cohorts, impact.Result)
    with pytest.raises(UsageError, match="USAGE-008"):
        cohorts.honest()
    assert isinstance(cohorts.breakdown(), Refused)
    with pytest.raises(UsageError) as caught:
        impact.honest([1.0, np.nan], np.eye(3), 4, restriction="other", grid=[-1], level=2)  # type: ignore[arg-type]
    codes = [problem.code for problem in caught.value.problems]
    assert codes.count("USAGE-003") == 3, "restriction, grid and level"
    assert codes.count("USAGE-021") == 3, "betahat, n_pre and sigma"
    for sigma, why in (
        (-np.eye(3), "negative"),
        (np.ones((3, 3)), "singular"),
        (np.triu(np.ones((3, 3))), "symmetric"),
    ):
        with pytest.raises(UsageError, match=why):
            impact.honest([0.0, 0.0, 1.0], sigma, 2)
    with pytest.raises(UsageError, match="fixed-length"):
        impact.honest([0.0, 0.0, 1.0], np.eye(3), 2, method="fixed-length")


def test_periods_that_were_matched_on_are_not_used() -> None:
    result = estimated()
    parts = (result.effects, result.uncertainty, result.fit, result.target)
    found = leads(*parts, used={"-3", "-2"})
    assert isinstance(found, Leads)
    assert {-3, -2} <= set(found.left_out)
    assert not {-3, -2} & set(found.events)
    assert isinstance(event_study(*parts, used={"-2"}), Refused), "the period next to the reference"
    cut = event_study(*parts, used={"-4"})
    assert isinstance(cut, EventStudy)
    assert cut.events[: cut.before] == (-3, -2)
    assert cut.left_out == (-8, -7, -6, -5, -4)
    everything = leads(*parts, used=set(result.effects.terms))
    assert isinstance(everything, Refused)
    assert "matching" in everything.because


# Tests of the time before the start -----------------------------------------------------------------------------------


def lead(beta: list[float], covariance: np.ndarray, clusters: int = 20) -> Leads:
    error = np.sqrt(np.diag(covariance))
    events = tuple(range(-len(beta), 0))
    df = np.full(len(beta), clusters - 1.0)
    return Leads(events, np.array(beta), error, df, covariance, clusters, 0.95, ())


def test_the_joint_test_is_hotellings() -> None:
    """One group whose clusters are independent normal vectors: T² of their mean."""
    generator = np.random.default_rng(3)
    count, rank = 14, 3
    x = generator.normal(size=(count, rank)) @ generator.normal(size=(rank, rank)) + 0.3
    mean = x.mean(axis=0)
    # The jackknife of a mean: the others' mean is (count mean - x) / (count - 1).
    away = (mean - x) / (count - 1)
    found = joint(lead(mean.tolist(), (count - 1) / count * away.T @ away, count))
    assert isinstance(found, Wald)
    squared = count * mean @ np.linalg.solve(np.cov(x.T), mean)
    expected = (count - rank) / (rank * (count - 1)) * squared
    assert found.statistic == pytest.approx(expected, rel=1e-9)
    assert found.p_value == pytest.approx(stats.f.sf(expected, rank, count - rank), rel=1e-9)


def test_of_one_period_it_is_the_declared_test() -> None:
    result = estimated(target=impact.Target("event", window=("-2", "0")))
    found = joint(before(result))
    assert isinstance(found, Wald)
    assert found.p_value == pytest.approx(result.tidy().set_index("term").loc["-2", "p_value"], rel=1e-9)


def test_the_joint_test_wants_degrees_of_freedom_and_a_covariance() -> None:
    few = joint(lead([0.1] * 4, np.eye(4), clusters=7))
    assert isinstance(few, Refused)
    assert "3 degrees" in few.because
    same = joint(lead([0.1] * 2, np.ones((2, 2))))
    assert isinstance(same, Refused)
    assert "follows from" in same.because


def test_the_check_takes_the_joint_test_where_there_is_one() -> None:
    terms, p_values = ("-3", "-2", "0"), np.array([0.04, 0.2, 1e-6])
    alone = pretrend(terms, p_values, 0.05)
    assert (alone.verdict, alone.statistic) == ("pass", pytest.approx(0.08))
    together = pretrend(terms, p_values, 0.05, together=Wald(4.0, 2, 17, 0.03))
    assert (together.verdict, together.statistic, together.gates) == ("fail", 0.03, False)
    nothing = pretrend(("0",), np.array([0.1]), 0.05, together=Wald(4.0, 2, 17, 0.03))
    assert nothing.verdict == "not_evaluated"


def test_equivalence_is_two_one_sided_tests_in_every_period() -> None:
    found = lead([0.2, -0.5], np.diag([0.04, 0.01]))
    got = equivalence(found, 1.0)
    each = [max(stats.t.sf((b + 1) / e, 19), stats.t.cdf((b - 1) / e, 19)) for b, e in ((0.2, 0.2), (-0.5, 0.1))]
    assert got.p_value == pytest.approx(max(each), rel=1e-12)
    # At the smallest bound the p-value is the level.
    assert equivalence(found, got.smallest).p_value == pytest.approx(0.05, abs=1e-12)
    with pytest.raises(ValueError, match="above 0"):
        equivalence(found, 0.0)


def test_power_is_that_of_independent_periods() -> None:
    """Without correlation the test fails with one less the product, and selection leaves later estimates alone."""
    trend, critical = np.array([-2.0, -1.0, 1.5]), np.array([2.1, 2.3])
    found = passing(trend, np.diag([1.0, 4.0, 1.0]), critical)
    each = [stats.norm.cdf(c - m) - stats.norm.cdf(-c - m) for m, c in ((-2.0, 2.1), (-0.5, 2.3))]
    assert found.probability == pytest.approx(np.prod(each), abs=1e-4)
    inside = stats.truncnorm(-2.1 + 2.0, 2.1 + 2.0, loc=-2.0)
    assert found.mean[0] == pytest.approx(inside.mean(), abs=1e-3)
    assert found.mean[2] == pytest.approx(1.5, abs=1e-12)
    slope = slope_for_power(0.5, np.array([-2.0, -1.0]), np.eye(2), critical)
    passed = np.prod([stats.norm.cdf(c - m) - stats.norm.cdf(-c - m) for m, c in ((-2 * slope, 2.1), (-slope, 2.3))])
    assert passed == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ValueError, match="already"):
        slope_for_power(0.01, np.array([-1.0]), np.eye(1), np.array([1.0]))


def test_power_against_brute_force() -> None:
    """A million draws of a correlated vector; 4 standard errors of these."""
    generator = np.random.default_rng(4)
    root = generator.normal(size=(5, 5))
    sigma, trend, critical = root @ root.T, generator.normal(size=5), np.array([1.5, 2.0, 2.5])
    draws = generator.multivariate_normal(trend, sigma, 1_000_000)
    passed = (np.abs(draws[:, :3]) < critical * np.sqrt(np.diag(sigma)[:3])).all(axis=1)
    found = passing(trend, sigma, critical)
    assert found.probability == pytest.approx(passed.mean(), abs=4 * np.sqrt(0.25 / 1e6))
    noise = draws[passed].std(axis=0) / np.sqrt(passed.sum())
    assert (np.abs(found.mean - draws[passed].mean(axis=0)) < 4 * noise + 1e-4).all()


def test_the_table_of_a_result() -> None:
    result = estimated(target=impact.Target("event", window=("-4", "5")))
    table = result.pretrend(bound=5.0)
    assert isinstance(table, pd.DataFrame)
    assert (table["status"] == "ok").all()
    seen = power(study(result))
    assert seen.bias == pytest.approx(float(result.effects.estimate[-1]))
    # The slope that is the whole mean effect of 6 periods, 1 to 6 after the reference.
    assert result.effects.terms[-2] == "5"
    assert seen.slope == pytest.approx(seen.bias / 3.5)
    assert 0 < seen.size < 0.4
    assert seen.slope50 is not None
    assert seen.slope80 is not None
    assert 0 < seen.slope50 < seen.slope80
    varying = impact.estimate(panel(), "group-time", target="event")
    assert isinstance(varying, impact.Result)
    told = varying.pretrend()
    assert isinstance(told, pd.DataFrame)
    assert told["status"].iloc[-1].startswith("refused: before the start every estimate is a change")
    assert before(varying).events[0] == -7
