"""Checks that are reported and never seal, end to end on small made studies and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from impact.checks import fit as close
from tests.study.small import Small, made, rates, wijk

AREAS = {f"gebied-{letter}": [wijk(number, 1)] for number, letter in enumerate("abcdef")}
DECLARED = "estimator: {name: group-time, control: never}"


def small(root: Path) -> Small:
    one = made(root)
    one.areas = AREAS
    return one


def checks(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in result["checks"]}


def test_measurements_that_tell_a_trend_are_counted(tmp_path: Path) -> None:
    found = checks(small(tmp_path).run())["pre-waves"]
    # 2015 to 2021.
    assert (found["statistic"], found["threshold"], found["verdict"], found["gates"]) == (7, 3, "pass", False)


def test_with_two_measurements_the_estimate_stands_and_says_so(tmp_path: Path) -> None:
    one = small(tmp_path)
    one.outcomes = one.outcomes[one.outcomes["jaar"] >= 2020]
    result = one.run(("periods: {first: 2015", "periods: {first: 2020"))
    found = checks(result)["pre-waves"]
    assert (found["statistic"], found["verdict"]) == (2, "fail")
    assert result["primary"]["value"] is not None
    assert "te weinig metingen waarop niet is gekoppeld" in (one.out / "report.html").read_text(encoding="utf-8")


def test_equivalence_is_held_against_the_declared_bound(tmp_path: Path) -> None:
    """By hand: changes since the last year before, |mean difference| plus its one-sided 95 % error, at most."""
    one = small(tmp_path)
    assert "equivalence" not in checks(one.run()), "no bound was declared"
    table = rates(one.outcomes, str)
    treated = [codes[0] for codes in AREAS.values()]
    gemeente = np.array([code[:6] for code in table.index])
    values, inside = table.to_numpy(), np.array([code in treated for code in table.index])

    def changes(keep: np.ndarray) -> np.ndarray:
        gap = values[keep & inside].mean(axis=0) - values[keep & ~inside].mean(axis=0)
        return np.asarray(gap[:6] - gap[6])

    full = changes(np.ones(len(inside), dtype=bool))
    names = sorted(set(gemeente))
    away = np.array([changes(gemeente != name) for name in names]) - full
    error = np.sqrt((len(names) - 1) / len(names) * (away**2).sum(axis=0))
    smallest = float(np.max(np.abs(full) + stats.t.ppf(0.95, 5) * error))
    for bound, verdict in ((smallest * 1.01, "pass"), (smallest * 0.99, "fail")):
        again = checks(one.run(("checks: {", f"checks: {{equivalence: {bound}, ")))["equivalence"]
        assert again["statistic"] == pytest.approx(smallest, rel=1e-9)
        assert (again["threshold"], again["verdict"], again["gates"]) == (bound, verdict, False)


def test_small_steps_that_add_up_are_no_equivalence(tmp_path: Path) -> None:
    """Half a point a year, every year, is 3 points in the six years before: above a bound of 2."""
    one = small(tmp_path)
    since = 2021 - one.outcomes["jaar"].clip(upper=2021)
    steps = one.outcomes["wijk"].isin([codes[0] for codes in AREAS.values()]) * 0.5 * since
    one.outcomes["teller"] = (0.2 + steps / 100) * one.outcomes["noemer"] * (1 + 1e-4 * np.arange(len(steps)) % 7e-4)
    found = checks(one.run(("checks: {", "checks: {equivalence: 2, ")))["equivalence"]
    assert found["statistic"] == pytest.approx(3, abs=0.2) and found["verdict"] == "fail"


def test_a_weighed_comparison_has_checks_of_its_fit(tmp_path: Path) -> None:
    one = small(tmp_path)
    assert not {"fit", "fit-overlap", "fit-concentration"} & set(checks(one.run()))
    result = one.run((DECLARED, "estimator: synthetic-control"))
    found, areas = checks(result), result["robust"]["fit"]
    table = rates(one.outcomes, str)
    years = [year for year in table.columns if int(year) < 2022]
    donors = [code for code in table.index if code not in [codes[0] for codes in AREAS.values()]]
    spread = table.loc[donors, years].to_numpy().std()
    worst = max(area["rmspe"] for area in areas) / spread
    assert found["fit"]["statistic"] == pytest.approx(worst, rel=1e-2)
    assert found["fit"]["verdict"] == ("pass" if worst <= 0.25 else "fail")
    assert found["fit-concentration"]["statistic"] == max(area["largest"] for area in areas)
    assert found["fit-overlap"]["statistic"] == sum(area["in_hull"] is False for area in areas)
    assert not any(found[name]["gates"] for name in ("fit", "fit-overlap", "fit-concentration"))


def test_what_is_not_known_is_not_evaluated() -> None:
    assert close.fit({"a": None}).verdict == "not_evaluated"
    assert close.fit({"a": None, "b": 0.3}).verdict == "fail"
    assert close.overlap({"a": True, "b": None}).verdict == "not_evaluated"
    assert close.overlap({"a": False, "b": None}).verdict == "fail"
    assert close.overlap({"a": True}).verdict == "pass"
    assert close.concentration({"a": 0.5, "b": 0.4}).verdict == "pass"
