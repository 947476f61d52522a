"""Looking more than once: published boundaries, brute simulation, and a ledger that keeps what was spent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from impact.inference.looks import Ledger, boundaries, constant_shape, spent_by


def independent(count: int) -> np.ndarray:
    """Of means over 1, 2, … equal steps: the later one's variance."""
    k = np.arange(1, count + 1)
    return 1.0 / np.maximum.outer(k, k)


def yearly(count: int, rho: float = 0.7, base: float = 0.5) -> np.ndarray:
    """Of means over years with serially correlated errors, less a base period that all looks share: not independent."""
    years = np.arange(count + 1)
    errors = rho ** np.abs(np.subtract.outer(years, years))
    means = np.array([[1.0 / (look + 1) if year <= look else 0.0 for year in range(count)] for look in range(count)])
    rows = np.column_stack([np.full(count, -base), means])
    return np.asarray(rows @ errors @ rows.T)


# Jennison & Turnbull (2000), tables 2.1 and 2.3, two-sided alpha = 0.05: the constants C_P and C_B.
TABLE = {2: (2.178, 1.977), 3: (2.289, 2.004), 4: (2.361, 2.024), 5: (2.413, 2.040), 6: (2.453, 2.053)}
TABLE |= {8: (2.512, 2.072), 10: (2.555, 2.087), 20: (2.672, 2.126)}


@pytest.mark.parametrize("count", TABLE)
def test_published_constants(count: int) -> None:
    pocock, fleming = (
        constant_shape(independent(count), shape, 0.05, np.random.default_rng(1))
        for shape in ("pocock", "obrien-fleming")
    )
    assert round(float(pocock.critical[0]), 3) == TABLE[count][0]
    assert (pocock.critical == pocock.critical[0]).all()
    assert round(float(fleming.critical[-1]), 3) == TABLE[count][1]
    assert fleming.critical == pytest.approx(fleming.critical[-1] * np.sqrt(count / np.arange(1, count + 1)))
    assert pocock.spent.sum() == pytest.approx(0.05, abs=1e-9) and not pocock.mc_error.any()


def test_published_boundaries_of_spending() -> None:
    """Five equal looks, two-sided 0.05, as in tables of Lan-DeMets boundaries (gsDesign: sfLDOF and sfLDPocock)."""
    t = np.arange(1, 6) / 5
    fleming = boundaries(independent(5), spent_by(t, 0.05, "obrien-fleming"), np.random.default_rng(1))
    assert np.round(fleming.critical, 3).tolist() == [4.877, 3.357, 2.680, 2.290, 2.031]
    pocock = boundaries(independent(5), spent_by(t, 0.05, "pocock"), np.random.default_rng(1))
    assert np.round(pocock.critical, 3).tolist() == [2.438, 2.427, 2.410, 2.397, 2.386]


def test_error_that_is_spent_by_hand() -> None:
    t = np.array([0.25, 1.0])
    assert spent_by(t, 0.05, "obrien-fleming") == pytest.approx(
        4 * stats.norm.sf(stats.norm.isf(0.0125) / np.sqrt(t)), rel=1e-12
    )
    assert spent_by(t, 0.05, "pocock") == pytest.approx(0.05 * np.log(1 + (np.e - 1) * t))
    assert spent_by(np.array([0.0]), 0.05, "obrien-fleming").tolist() == [0.0]


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("count", [6, 10, 16])
def test_looks_of_a_shared_base_keep_the_error(count: int, spending: str) -> None:
    """What the boundaries let through, by plain simulation: within four standard errors of 5 %."""
    cov = yearly(count)
    budget = spent_by(np.arange(1, count + 1) / count, 0.05, spending)  # type: ignore[arg-type]
    found = boundaries(cov, budget, np.random.default_rng(2), draws=2**12)
    z = np.random.default_rng(3).multivariate_normal(np.zeros(count), cov, 100_000) / np.sqrt(np.diag(cov))
    ever = np.maximum.accumulate(np.abs(z) > found.critical, axis=1).mean(axis=0)
    assert ever == pytest.approx(budget, abs=4 * np.sqrt(0.05 * 0.95 / 100_000))
    assert np.cumsum(found.spent) == pytest.approx(budget, abs=1e-7)
    assert found.nominal == pytest.approx(2 * stats.norm.sf(found.critical))


def test_looking_without_a_boundary_does_not() -> None:
    """The same looks at 5 % each: the error that the boundaries are there for."""
    z = np.random.default_rng(3).multivariate_normal(np.zeros(10), yearly(10), 100_000)
    z /= np.sqrt(np.diag(yearly(10)))
    assert (np.abs(z) > 1.96).any(axis=1).mean() > 0.1


def test_both_ways_to_integrate_agree() -> None:
    """A chain that is broken by next to nothing is drawn instead of integrated."""
    cov, budget = independent(4), spent_by(np.arange(1, 5) / 4, 0.05, "pocock")
    exact = boundaries(cov, budget, np.random.default_rng(1))
    cov[0, 3] += 1e-6
    cov[3, 0] += 1e-6
    drawn = boundaries(cov, budget, np.random.default_rng(1))
    assert not exact.mc_error.any() and drawn.mc_error[1:].all()
    assert (np.abs(drawn.critical - exact.critical) < 4 * drawn.mc_error + 1e-5).all()


def test_boundaries_of_the_past_stand_and_the_rest_goes_by_what_they_took() -> None:
    budget = spent_by(np.arange(1, 5) / 4, 0.05, "pocock")
    whole = boundaries(independent(4), budget, np.random.default_rng(1))
    again = boundaries(independent(4), budget, np.random.default_rng(1), past=whole.critical[:2])
    assert again.critical == pytest.approx(whole.critical, abs=1e-7)
    generous = boundaries(independent(4), budget, np.random.default_rng(1), past=[2.2])
    assert generous.spent[0] == pytest.approx(2 * stats.norm.sf(2.2))
    assert generous.critical[1] > whole.critical[1]
    assert generous.spent.sum() == pytest.approx(0.05, abs=1e-9)


def test_where_all_is_spent_nothing_crosses() -> None:
    budget = spent_by(np.arange(1, 4) / 3, 0.05, "obrien-fleming")
    found = boundaries(independent(3), budget, np.random.default_rng(1), past=[1.7])
    assert np.isinf(found.critical[1:]).all() and not found.nominal[1:].any() and not found.spent[1:].any()


def test_a_look_with_nothing_new_spends_nothing() -> None:
    """Two looks at the same figures, and no error in between: the second has the boundary of the first, or none."""
    found = boundaries(np.ones((2, 2)), np.array([0.02, 0.05]), np.random.default_rng(1))
    assert found.critical[0] == pytest.approx(stats.norm.isf(0.01))
    assert found.critical[1] == pytest.approx(stats.norm.isf(0.025), abs=0.01)


@pytest.mark.parametrize(
    ("cov", "budget", "past", "what"),
    [
        (np.eye(2), [0.01], [], "every look"),
        (np.eye(2), [0.03, 0.01], [], "does not fall"),
        (np.array([[1.0, 2], [2, 1]]), [0.01, 0.02], [], "no covariance|negative variance"),
        (np.array([[1.0, 0], [0, 0]]), [0.01, 0.02], [], "above 0"),
        (np.eye(2), [0.01, 0.02], [2.0, -1.0], "above 0"),
    ],
)
def test_what_has_no_boundary(cov: np.ndarray, budget: list[float], past: list[float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        boundaries(cov, np.array(budget), np.random.default_rng(1), past=past)


# --- the ledger -------------------------------------------------------------------------------------------------------

PLANNED = ("2026-11", "2027-05", "2027-11", "2028-05")


def test_a_ledger_of_planned_looks_is_the_whole_plan() -> None:
    ledger, cov = Ledger(0.05, "obrien-fleming", PLANNED), independent(4)
    for count, label in enumerate(PLANNED, 1):
        ledger = ledger.look(label, cov[:count, :count], np.random.default_rng(1))
    whole = boundaries(cov, spent_by(np.arange(1, 5) / 4, 0.05, "obrien-fleming"), np.random.default_rng(1))
    assert [look.critical for look in ledger.taken] == pytest.approx(whole.critical, abs=1e-6)
    assert ledger.spent == pytest.approx(0.05, abs=1e-9)
    assert not any(look.exploratory for look in ledger.taken)


def test_a_look_that_was_not_planned_is_exploratory_and_spends() -> None:
    cov, rng = independent(5), np.random.default_rng(1)
    ledger = Ledger(0.05, "pocock", PLANNED).look("2026-11", cov[:1, :1], rng)
    between = ledger.look("2027-02", cov[:2, :2], rng, fraction=0.375)
    assert between.taken[1].exploratory and between.taken[1].spent > 0
    after, without = between.look("2027-05", cov[:3, :3], rng), ledger.look("2027-05", cov[:2, :2], rng)
    assert after.spent == pytest.approx(without.spent, abs=1e-9)
    assert after.taken[-1].spent < without.taken[-1].spent
    assert ledger.taken == between.taken[:1]  # a ledger is a value


def test_a_ledger_refuses_what_would_rewrite_it() -> None:
    cov, rng = independent(3), np.random.default_rng(1)
    ledger = Ledger(0.05, "pocock", PLANNED).look("2027-05", cov[:1, :1], rng)
    with pytest.raises(ValueError, match="taken before"):
        ledger.look("2027-05", cov[:2, :2], rng)
    with pytest.raises(ValueError, match="not above"):
        ledger.look("2026-11", cov[:2, :2], rng)
    with pytest.raises(ValueError, match="give its fraction"):
        ledger.look("2027-08", cov[:2, :2], rng)
    with pytest.raises(ValueError, match="2 looks, this one last"):
        ledger.look("2027-11", cov, rng)
    with pytest.raises(ValueError, match="has the fraction"):
        ledger.look("2027-11", cov[:2, :2], rng, fraction=0.9)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"alpha": 0}, "alpha"),
        ({"spending": "even"}, "spending"),
        ({"planned": ()}, "labels"),
        ({"fractions": (0.5, 0.4, 0.8, 1)}, "rise"),
        ({"fractions": (0.5, 1)}, "every planned look"),
    ],
)
def test_a_plan_that_is_none(given: dict, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Ledger(**{"alpha": 0.05, "spending": "pocock", "planned": PLANNED, **given})
