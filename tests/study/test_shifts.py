"""Whether a break in the measurement moved areas and comparison alike, against differences that are taken by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.study.conftest import impact
from tests.study.small import Small, rates, wijk
from tests.study.test_robust import written

SIX = [wijk(number, 1) for number in range(6)]


def broken(at: int, *more: str) -> tuple[str, str]:
    listed = [f"{{at: {at}, treat_as: common-shift, why: vragen, check: same-shift}}", *more]
    return "treatment:\n", f"breaks: [{', '.join(listed)}]\ntreatment:\n"


def checked(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in result["checks"] if check["name"] == "same-shift"]


def shifted(small: Small, at: int, all_by: float, areas_by: float) -> Small:
    """From `at` on every rate is higher, and that of the areas higher still; from the start on it is a mess."""
    later = small.outcomes["jaar"] >= at
    up = np.where(later, all_by, 0) + np.where(later & small.outcomes["wijk"].isin(SIX), areas_by, 0)
    small.outcomes["teller"] = small.outcomes["teller"] + up / 100 * small.outcomes["noemer"]
    small.outcomes.loc[small.outcomes["jaar"] >= 2022, "teller"] *= 3
    return small


def hand(table: pd.DataFrame, before: list[int], after: list[int]) -> float:
    change = table[after].mean(axis=1) - table[before].mean(axis=1)
    others = [code for code in change.index if code not in SIX]
    return float(change[SIX].mean() - change[others].mean())


def told(check: dict[str, Any]) -> tuple[float, float]:
    """The difference in the sentence, and half a unit of its last digit."""
    found = re.search(r"de gebieden ([+−]?[\d.,]+) procentpunt", check["because"])
    assert found is not None, check["because"]
    text = found[1].replace("−", "-").replace(".", "").replace(",", ".")
    return float(text), 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-9


def test_a_shift_of_all_alike_passes_and_one_of_the_areas_does_not(tmp_path: Path) -> None:
    for areas_by, verdict in ((0.0, "pass"), (12.0, "fail")):
        root = tmp_path / verdict
        root.mkdir()
        small = shifted(written(root), 2019, 20.0, areas_by)
        result = small.run(broken(2019))
        (check,) = checked(result)
        assert check["verdict"] == verdict and not check["gates"] and check["stage"] == "pre"
        assert (check["statistic"] > 0.05) == (verdict == "pass") and check["threshold"] == 0.05
        value = hand(rates(small.outcomes, str), [2018], [2019, 2020, 2021])
        shown, within = told(check)
        assert shown == pytest.approx(value, abs=within) and "van 2018 op 2019–2021" in check["because"]
        assert result["primary"]["value"] is not None  # it closes nothing off
        page = (small.out / "report.html").read_text(encoding="utf-8")
        assert "de breuk in de meting verschoof gebieden en vergelijking gelijk" in page and check["because"] in page


def test_only_the_periods_between_breaks_and_before_the_start_count(tmp_path: Path) -> None:
    small = shifted(written(tmp_path), 2017, 0.0, 30.0)
    did = ("estimator: {name: group-time, control: never}", "estimator: {name: imputation}")
    other = "{at: 2020, treat_as: common-shift, why: anders}"
    (check,) = checked(small.run(broken(2019, other), did))
    # No earlier break is declared, so all years before count; those from the next break on do not.
    value = hand(rates(small.outcomes, str), [2015, 2016, 2017, 2018], [2019])
    shown, within = told(check)
    assert shown == pytest.approx(value, abs=within) and "van 2015–2018 op 2019 " in check["because"]
    (check,) = checked(small.run(broken(2019, "{at: 2017, treat_as: common-shift, why: anders}"), did))
    value = hand(rates(small.outcomes, str), [2017, 2018], [2019, 2020, 2021])
    shown, within = told(check)
    assert shown == pytest.approx(value, abs=within) and check["verdict"] == "pass"


@pytest.mark.parametrize(
    ("at", "change", "words"),
    [
        (2022, ("seed: 7\n", "seed: 7\n"), "valt samen met de start"),
        (2023, ("seed: 7\n", "seed: 7\n"), "valt samen met de start of ligt erna"),
        (2021, ("first_treated: 2022}", "first_treated: 2022}\n  anticipation: 1"), "valt samen met de start"),
        (2019, ("match: none", "match: {method: nearest, ratio: 2, on: [huur], outcomes_in: [2020]}"), "gekoppeld"),
        (2019, ("checks: {treated-clusters: 2,", "checks: {treated-clusters: 9,"), "een toets van de opzet"),
    ],
)
def test_where_it_cannot_be_told_it_is_not_evaluated(
    tmp_path: Path, at: int, change: tuple[str, str], words: str
) -> None:
    wide = ("checks: {", "checks: {balance: 9, ") if "match" in change[0] else ("id: niveau", "id: niveau")
    (check,) = checked(written(tmp_path).run(broken(at), change, wide))
    assert check["verdict"] == "not_evaluated" and check["statistic"] is None and words in check["because"]


def test_matched_controls_stay_those_of_the_study(tmp_path: Path) -> None:
    small = shifted(written(tmp_path), 2019, 5.0, 0.0)
    result = small.run(
        broken(2019),
        ("match: none", "match: {method: nearest, ratio: 1, on: [huur]}"),
        ("checks: {", "checks: {balance: 9, "),
    )
    (check,) = checked(result)
    table = rates(small.outcomes, str)
    change = table[[2019, 2020, 2021]].mean(axis=1) - table[2018]
    pairs = [(area["units"][0], area["matched"][0][0]) for area in result["areas"] if area["matched"]]
    assert len(pairs) == 6
    value = float(np.mean([change[one] - change[other] for one, other in pairs]))
    shown, within = told(check)
    assert shown == pytest.approx(value, abs=within)


def test_a_segment_has_no_shift_to_check(tmp_path: Path) -> None:
    small = written(tmp_path)
    small.write(("treatment:\n", "breaks: [{at: 2018, treat_as: segment, why: x, check: same-shift}]\ntreatment:\n"))
    ended = impact("check", small.study)
    assert ended.code == 2 and "sides of a segment are not compared" in ended.err
