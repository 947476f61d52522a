"""The decomposition against R `bacondecomp` 0.1.3: ``bacon_mpdta`` and ``bacon_math``.

No unit of these data is treated from the first period on; where one is, R adds a kind of comparison ("Later vs Always
Treated"), and ``Panel.from_frame`` sets the unit aside by name.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from impact.estimators.bacon import Decomposition, decompose
from impact.panel import Panel
from tests.shared import golden, shared

# Closed forms on both sides.
EXACT = 1e-8
KINDS = {
    "Treated vs Untreated": "treated vs untreated",
    "Earlier vs Later Treated": "earlier vs later",
    "Later vs Earlier Treated": "later vs earlier",
}
COLUMNS: dict[str, dict[str, Any]] = {
    "mpdta_twfe.csv": {"unit": "countyreal", "time": "year", "outcome": "lemp", "first_treated": "first.treat"},
    "math_reform.csv": {"unit": "state", "time": "class", "outcome": "incearn_ln", "treated": "reform_math"},
}


def panel(data: str) -> Panel:
    return Panel.from_frame(pd.read_csv(shared(f"reference/data/{data}")), **COLUMNS[data])


@pytest.mark.parametrize(
    ("name", "data", "count"), [("bacon_mpdta", "mpdta_twfe.csv", 9), ("bacon_math", "math_reform.csv", 16)]
)
def test_every_comparison(name: str, data: str, count: int) -> None:
    results = golden(name)["results"]
    found = decompose(panel(data))
    assert isinstance(found, Decomposition) and len(found.kind) == count
    expected = pd.DataFrame(results["decomp"])
    known = {
        (str(row.treated), "untreated" if pd.isna(row.untreated) else str(int(row.untreated)), KINDS[row.type]): row
        for row in expected.itertuples()
    }
    rows = list(zip(found.treated, found.other, found.kind, strict=True))
    assert set(rows) == set(known) and len(known) == count
    for row, weight, estimate in zip(rows, found.weight, found.estimate, strict=True):
        assert weight == pytest.approx(known[row].weight, abs=EXACT)
        assert estimate == pytest.approx(known[row].estimate, abs=EXACT)
    assert found.total == pytest.approx(results["weighted_sum"], abs=EXACT)
    assert found.coefficient == pytest.approx(results["weighted_sum"], abs=EXACT)


@pytest.mark.parametrize(("name", "data"), [("bacon_mpdta", "mpdta_twfe.csv"), ("bacon_math", "math_reform.csv")])
def test_sums_by_kind(name: str, data: str) -> None:
    """R's second column is the weighted sum, not the mean."""
    by_type = golden(name)["results"]["by_type"]
    found = decompose(panel(data))
    assert isinstance(found, Decomposition)
    for kind, weight, total in zip(by_type["type"], by_type["weight"], by_type["we"], strict=True):
        mass, mean = found.by_kind()[KINDS[kind]]  # type: ignore[index]
        assert mass == pytest.approx(weight, abs=EXACT)
        assert mass * mean == pytest.approx(total, abs=EXACT)
