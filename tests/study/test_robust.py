"""What an estimate can bear, end to end: on small made studies, against estimates that are made apart or by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from impact.evidence.document import Figure, Paragraph, Section, Table
from impact.evidence.language import texts
from impact.evidence.plots import figures
from impact.evidence.record import Evidence
from impact.evidence.render import plain_text
from impact.evidence.robust_sections import robust
from impact.study.bundle import read_bundle
from tests.study.small import Small, difference, made, of_gemeente, rates, wijk

# Whole wijken in six gemeenten: enough for an interval.
AREAS = {f"gebied-{letter}": [wijk(number, 1)] for number, letter in enumerate("abcdef")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return written(tmp_path_factory.mktemp("whole"))


def written(root: Path) -> Small:
    small = made(root)
    small.areas = AREAS
    return small


ALTERNATIVES = """\
alternatives:
  - {name: alle-jaren, why: a, same_estimand: true, change: {estimator: did}}
  - {name: regressie, why: b, same_estimand: true, change: {estimator: imputation}}
  - {name: per-inwoner, why: c, same_estimand: false, change: {target: {every: resident}}}
  - {name: te-streng, why: d, same_estimand: true, change: {estimator: synthetic-control, comparison: {leave_out: [
      {rule: focus-area, why: p}, {rule: band, column: inwoners, at_least: MOST, why: q}]}}}
seed: 7
"""


@pytest.fixture(scope="module")
def found(whole: Small) -> dict[str, Any]:
    controls = whole.units[~whole.units["wijk"].isin([code for codes in AREAS.values() for code in codes])]
    return whole.run(("seed: 7\n", ALTERNATIVES.replace("MOST", str(controls["inwoners"].max()))))


@pytest.fixture(scope="module")
def evidence(whole: Small, found: dict[str, Any]) -> Evidence:
    return read_bundle(whole.out).outcomes[0]


def said(evidence: Evidence, language: str) -> str:
    """All sentences and cells of the part, as text."""
    say = texts(language)
    if language != "nl":  # English has no texts of a whole report yet, and its part must hold by itself
        assert evidence.robust is not None
    text = []
    for block in robust(evidence, figures(evidence, "nl"), say):
        if isinstance(block, Paragraph):
            text.append(plain_text([Section("", "", (block,))], 10_000))
        else:
            table = block.table if isinstance(block, Figure) else block
            assert isinstance(table, Table)
            text += [table.caption, table.note, *(str(cell) for row in table.rows for cell in row)]
    return " ".join(" ".join(text).split())


# --- departures -------------------------------------------------------------------------------------------------------


def test_without_departure_the_bounds_are_the_declared_interval(found: dict[str, Any]) -> None:
    """At bound 0 the interval is that of the estimate: CV3 times (t / 1.96)², so t with few degrees of freedom."""
    honest, primary = found["robust"]["honest"], found["primary"]
    by_bound = {row["bound"]: (row["low"], row["high"]) for row in honest["bounds"]}
    assert by_bound[0.0] == pytest.approx((primary["low"], primary["high"]), rel=1e-9)
    assert {0.5, 1.0} <= set(by_bound)
    # A wider bound never gives a shorter interval, and the breakdown value lies where the intervals reach 0.
    lows, highs = (np.array([by_bound[bound][end] for bound in sorted(by_bound)]) for end in (0, 1))
    assert (np.diff(lows) < 0).all() and (np.diff(highs) > 0).all()
    holds = [bound for bound, (low, high) in by_bound.items() if low <= 0 <= high]
    assert honest["breakdown"] <= min(holds, default=np.inf)
    assert honest["breakdown"] >= max([b for b in by_bound if b not in holds], default=0.0)
    assert honest["events"] == list(range(-7, -1)) and honest["refused"] is None


def test_a_large_effect_breaks_down_late(tmp_path: Path) -> None:
    small = written(tmp_path)
    treated = small.outcomes["wijk"].isin([code for codes in AREAS.values() for code in codes])
    small.outcomes.loc[treated & (small.outcomes["jaar"] >= 2022), "teller"] += 10_000
    honest = small.run()["robust"]["honest"]
    # The bound at which the departures alone make up for the estimate: an average over three years from one base.
    assert honest["breakdown"] > 2
    assert all(row["low"] > 0 for row in honest["bounds"])
    shown = re.sub(r"\s+", " ", (small.out / "report.html").read_text(encoding="utf-8"))
    assert "De omslagwaarde is " in shown and "Hoe houdbaar de schatting is" in shown


def test_with_several_periods_as_base_departures_count_from_their_mean(tmp_path: Path) -> None:
    small = written(tmp_path)
    result = small.run(("estimator: {name: group-time, control: never}", "estimator: did"))
    honest, primary = result["robust"]["honest"], result["primary"]
    by_bound = {row["bound"]: (row["low"], row["high"]) for row in honest["bounds"]}
    assert by_bound[0.0] == pytest.approx((primary["low"], primary["high"]), rel=1e-9)
    assert honest["breakdown"] is not None and honest["events"] == list(range(-7, -1))
    # From the middle of 2015-2021 to that of 2022-2024.
    assert honest["since"] == pytest.approx(2023 - 2018)
    table = rates(small.outcomes, str)
    treated = [codes[0] for codes in AREAS.values()]
    controls = [code for code in table.index if code not in treated]
    assert honest["last"] == pytest.approx(difference(table, treated, controls))
    for language, words in (("nl", "vanaf dat gemiddelde, over 5,0 perioden"), ("en", "that mean, over 5.0 periods")):
        assert words in said(read_bundle(small.out).outcomes[0], language)
    assert "departures.svg" in {file.name for file in (small.out / "figures").iterdir()}


def test_without_changes_from_one_base_it_says_why_not(tmp_path: Path) -> None:
    small = written(tmp_path)
    result = small.run(("estimator: {name: group-time, control: never}", "estimator: poisson"))
    honest = result["robust"]["honest"]
    assert honest["breakdown"] is None and "one reference period" in honest["refused"]["because"]
    text = said(read_bundle(small.out).outcomes[0], "nl")
    assert "is niet uitgerekend: Deze schatter vergelijkt met meer dan één periode voor de start" in text
    assert "departures.svg" not in {file.name for file in (small.out / "figures").iterdir()}


def test_none_of_it_is_a_gate_and_none_is_there_when_sealed(tmp_path: Path) -> None:
    small = written(tmp_path)
    result = small.run(("treated-clusters: 2", "treated-clusters: 9"))
    assert result["robust"] is None and result["primary"]["value"] is None
    assert "Hoe houdbaar" not in (small.out / "report.html").read_text(encoding="utf-8")


# --- leaving out ------------------------------------------------------------------------------------------------------


def test_each_area_and_gemeente_is_left_out_as_by_hand(whole: Small, found: dict[str, Any]) -> None:
    """Each of six areas of one wijk: without it the mean over the other five, against the same controls."""
    table = rates(whole.outcomes, str)
    treated = [codes[0] for codes in AREAS.values()]
    controls = [code for code in table.index if code not in treated]
    areas, clusters, periods = found["robust"]["left_out"]
    by_name = {one["name"]: one["value"] for one in areas["each"]}
    assert areas["what"] == "area" and set(by_name) == set(AREAS)
    for slug, (code,) in AREAS.items():
        assert by_name[slug] == pytest.approx(difference(table, [one for one in treated if one != code], controls))
    # A gemeente takes its three other wijken along, which were controls.
    assert clusters["what"] == "cluster" and len(clusters["each"]) == 6
    for one in clusters["each"]:
        rest = [code for code in table.index if of_gemeente(code) != one["name"]]
        kept = [code for code in rest if code in treated]
        assert one["value"] == pytest.approx(difference(table, kept, [code for code in rest if code not in treated]))
    # Its base is the year before: without that one it is the year before it, and without another nothing changes.
    own = found["primary"]["value"]
    assert [one["name"] for one in periods["each"]] == [str(year) for year in range(2015, 2022)]
    assert periods["what"] == "period" and periods["most"] == "2021"
    gap = table.loc[treated].mean() - table.loc[controls].mean()
    for one in periods["each"]:
        by = float(gap[2021] - gap[2020]) if one["name"] == "2021" else 0.0
        assert one["value"] == pytest.approx(own + by)
    values = [found["primary"]["value"], *by_name.values()]
    assert (areas["low"], areas["high"]) == pytest.approx((min(values), max(values)))
    away = {name: abs(value - found["primary"]["value"]) for name, value in by_name.items()}
    assert areas["most"] == max(away, key=lambda name: away[name])
    assert areas["signs"] == [name for name, value in by_name.items() if value * found["primary"]["value"] < 0]


def test_the_interval_without_an_area_is_that_of_a_study_without_it(whole: Small, found: dict[str, Any],
                                                                    tmp_path: Path) -> None:  # fmt: skip
    small = written(tmp_path)
    small.areas = {slug: codes for slug, codes in AREAS.items() if slug != "gebied-c"}
    rule = f"leave_out: [{{rule: listed, regions: [{wijk(2, 1)}], why: weg}}, {{rule: focus-area"
    alone = small.run(("leave_out: [{rule: focus-area", rule))["primary"]
    one = next(one for one in found["robust"]["left_out"][0]["each"] if one["name"] == "gebied-c")
    keys = ("value", "low", "high")
    assert [one[key] for key in keys] == pytest.approx([alone[key] for key in keys], rel=1e-9)


def test_a_statement_that_hangs_on_one_area_is_named(tmp_path: Path) -> None:
    """All areas but one rise alike and by much; that one falls by so much that the interval holds 0 with it."""
    small = written(tmp_path)
    after = small.outcomes["jaar"] >= 2022
    for codes in AREAS.values():
        rows = after & small.outcomes["wijk"].isin(codes)
        share = -0.5 if codes == AREAS["gebied-a"] else 0.5
        small.outcomes.loc[rows, "teller"] += (share * small.outcomes.loc[rows, "noemer"]).astype(int)
    small.outcomes["teller"] += 6000
    result = small.run()
    areas = result["robust"]["left_out"][0]
    assert result["primary"]["low"] < 0 < result["primary"]["high"]
    assert areas["statements"] == ["gebied-a"] and areas["most"] == "gebied-a"
    assert "zonder gebied-a is die anders" in said(read_bundle(small.out).outcomes[0], "nl")


def test_donors_are_left_out_where_the_estimator_weighs_them(tmp_path: Path) -> None:
    small = written(tmp_path)
    result = small.run(("estimator: {name: group-time, control: never}", "estimator: synthetic-control"))
    areas, _, periods, donors = result["robust"]["left_out"]
    assert periods["what"] == "period" and len(periods["each"]) == 7
    assert donors["what"] == "donor" and donors["statements"] is None
    used = {unit for area in result["areas"] for unit, weight in area["weights"] if weight}
    assert {one["name"] for one in donors["each"]} == used
    fit = result["robust"]["fit"]
    assert [one["area"] for one in fit] == list(AREAS)
    # By hand: the area less the weighted mean of its donors, in the seven years before the start.
    table = rates(small.outcomes, str)
    for one, area in zip(fit, result["areas"], strict=True):
        mix = sum(weight * table.loc[unit] for unit, weight in area["weights"])
        gap = (table.loc[AREAS[area["slug"]][0]] - mix)[[year for year in table.columns if year < 2022]]
        assert one["rmspe"] == pytest.approx(float(np.sqrt((gap**2).mean())), rel=1e-6)
        assert one["largest"] == pytest.approx(max(weight for _, weight in area["weights"]))
    assert areas["statements"] is None and "weights were chosen" in result["robust"]["honest"]["refused"]["because"]
    for language, words in (("nl", "Voor de start volgt de vergelijking"), ("en", "the comparison follows")):
        assert words in said(read_bundle(small.out).outcomes[0], language)
    assert "of de uitspraak verandert, is niet nagegaan" in said(read_bundle(small.out).outcomes[0], "nl")


# --- alternatives -----------------------------------------------------------------------------------------------------


def test_only_what_estimates_the_same_is_summarised(found: dict[str, Any]) -> None:
    summary = found["robust"]["alternatives"]
    value = {row["name"]: row["estimate"]["value"] for row in found["alternatives"]}
    same = [value["alle-jaren"], value["regressie"]]
    assert value["te-streng"] is None and value["per-inwoner"] is not None
    assert summary["count"] == 2 and summary["refused"] == 1 and summary["others"] == ["per-inwoner"]
    assert (summary["low"], summary["median"], summary["high"]) == (min(same), median(same), max(same))
    assert summary["same_sign"] == sum(np.sign(x) == np.sign(found["primary"]["value"]) for x in same)


def test_the_curve_has_the_estimate_in_it_and_not_another_question(evidence: Evidence) -> None:
    drawn = figures(evidence)["specifications"]
    text = re.search(r"<desc[^>]*>(.*?)</desc>", drawn, re.DOTALL)
    assert text is not None and "Puntendiagram met 3 berekeningen" in text[1]
    assert "de schatting:" in text[1] and "regressie:" in text[1] and "per-inwoner" not in text[1]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_both_languages_say_all_of_it(evidence: Evidence, language: str) -> None:
    text = said(evidence, language)
    start = {"nl": "De omslagwaarde is", "en": "The breakdown value is"}[language]
    apart = {"nl": "niet meegeteld: per-inwoner", "en": "answer another question: per-inwoner"}[language]
    assert start in text and apart in text and "{" not in text


def test_the_bundle_reads_back_as_it_was(whole: Small, found: dict[str, Any], evidence: Evidence) -> None:
    from dataclasses import asdict

    assert json.loads(json.dumps(asdict(evidence)))["robust"] == found["robust"]


def test_without_the_key_nothing_is_tried(found: dict[str, Any]) -> None:
    assert found["robust"]["past"] is None
