"""What an estimate can bear, end to end: on small made studies, against estimates that are made apart or by hand."""

from __future__ import annotations

import json
import re
from itertools import combinations
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


def test_without_one_base_it_says_why_not(tmp_path: Path) -> None:
    small = written(tmp_path)
    result = small.run(("estimator: {name: group-time, control: never}", "estimator: did"))
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
    areas, clusters = found["robust"]["left_out"]
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
    areas, _, donors = result["robust"]["left_out"]
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
    apart = {"nl": "niet meegeteld: per-inwoner", "en": "not counted: per-inwoner"}[language]
    assert start in text and apart in text and "{" not in text


def test_the_bundle_reads_back_as_it_was(whole: Small, found: dict[str, Any], evidence: Evidence) -> None:
    from dataclasses import asdict

    assert json.loads(json.dumps(asdict(evidence)))["robust"] == found["robust"]


# --- the own past -----------------------------------------------------------------------------------------------------

SMALLEST = ("better: lower\n", "better: lower\n  smallest_difference_that_matters: {value: 1.0, why: afspraak}\n")
BESIDE = ("cluster: gemeente}", "cluster: gemeente, beside: [score-flip]}")


def asked(text: str) -> tuple[str, str]:
    return "seed: 7\n", f"calibrate: {text}\nseed: 7\n"


def test_the_declared_pair_is_tried_in_the_own_past(tmp_path: Path) -> None:
    small = written(tmp_path)
    small.outcomes.loc[small.outcomes["jaar"] >= 2022, "teller"] += 777  # the time after the start says nothing here
    result = small.run(asked("{draws: 40}"), BESIDE, SMALLEST)
    past = result["robust"]["past"]
    # Windows of three years that end before 2022 and have a year before them: starts from 2016 to 2019, two apart.
    assert past["starts"] == ["2016", "2017", "2018", "2019"] and past["windows"] == 2
    assert past["programmes"] == 40 and past["missing"] == 0 and not past["favourable"]
    declared, beside = past["pairs"]
    assert (declared["inference"], beside["inference"]) == ("cluster-jackknife", "score-flip")
    assert declared["bias"] == beside["bias"] and declared["worlds"] == 40
    assert declared["rmse"] ** 2 >= declared["bias"] ** 2 and declared["coverage"] == pytest.approx(
        1 - declared["size"]
    )
    text = said(read_bundle(small.out).outcomes[0], "nl")
    assert "Beschrijvend:" in text and "hoogstens 2 ervan" in text
    assert ("te klein" if declared["detectable"] > 1 else "groot genoeg") in text
    small.root = tmp_path / "again"
    small.root.mkdir()
    assert small.run(asked("{draws: 40}"), BESIDE, SMALLEST)["robust"]["past"] == past


def test_one_past_programme_by_hand(tmp_path: Path) -> None:
    """With one year before the window and hardly a choice of units, every placebo is a difference that can be taken."""
    small = written(tmp_path)
    # Six stand-ins among eight leave two controls: 28 sets.
    kept = (
        [codes[0] for codes in AREAS.values()] + [wijk(number, 2) for number in range(6, 12)] + [wijk(6, 3), wijk(7, 3)]
    )
    small.outcomes = small.outcomes[small.outcomes["wijk"].isin(kept)]
    small.units = small.units[small.units["wijk"].isin(kept)]
    result = small.run(asked("{draws: 20}"), ("first: 2015, last: 2024", "first: 2018, last: 2024"))
    past = result["robust"]["past"]
    assert past["starts"] == ["2019"] and past["windows"] == 1
    table = rates(small.outcomes, str)
    donors = kept[6:]
    change = table[[2019, 2020, 2021]].mean(axis=1) - table[2018]
    sets = [
        float(change[[one for one in donors if one not in out]].mean() - change[list(out)].mean())
        for out in combinations(donors, 2)
    ]
    bias, rmse = past["pairs"][0]["bias"], past["pairs"][0]["rmse"]
    assert min(sets) <= bias <= max(sets) and min(map(abs, sets)) <= rmse <= max(map(abs, sets))
    # Any 20 of these 28, each possibly more than once: four errors of their mean leave no room for another outcome.
    spread = float(np.std(sets))
    assert abs(bias - np.mean(sets)) < 4 * spread / np.sqrt(20) and spread > 0
    assert past["pairs"][0]["worlds"] == past["programmes"] == 20


def test_a_past_in_which_nothing_can_be_estimated_says_so(tmp_path: Path) -> None:
    small = written(tmp_path)
    kept = [codes[0] for codes in AREAS.values()] + [wijk(number, 2) for number in range(6, 12)] + [wijk(6, 3)]
    small.outcomes = small.outcomes[small.outcomes["wijk"].isin(kept)]
    small.units = small.units[small.units["wijk"].isin(kept)]
    past = small.run(asked("{draws: 20}"))["robust"]["past"]  # six stand-ins of seven leave one control
    assert past["pairs"][0]["worlds"] == 0 and past["pairs"][0]["refused"] == 20
    assert "Geen van de denkbeeldige programma’s gaf een schatting." in said(read_bundle(small.out).outcomes[0], "nl")


@pytest.mark.parametrize(
    ("change", "because", "words"),
    [
        (("first: 2015, last: 2024", "first: 2019, last: 2024"), "no earlier start has the window", "Bij geen enkele"),
        (("draws: 20", "draws: 20, sets: contiguous"), "where the donors lie", "is niet uitgerekend"),
    ],
)
def test_a_past_that_cannot_be_tried_says_why(
    tmp_path: Path, change: tuple[str, str], because: str, words: str
) -> None:
    small = written(tmp_path)
    past = small.run(asked("{draws: 20}"), change)["robust"]["past"]
    assert because in past["refused"]["because"] and past["pairs"] == []
    assert words in said(read_bundle(small.out).outcomes[0], "nl")


def test_without_the_key_nothing_is_tried(found: dict[str, Any]) -> None:
    assert found["robust"]["past"] is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("{draws: 5}", "SPEC-007"), ("{sets: random}", "SPEC-006"), ("{draws: 50, sets: near}", "SPEC-007")],
)
def test_what_cannot_be_asked_of_the_past(tmp_path: Path, text: str, code: str) -> None:
    from tests.study.conftest import impact

    small = written(tmp_path)
    small.write(asked(text))
    ended = impact("check", small.study)
    assert ended.code == 2 and code in ended.err and "calibrate" in ended.err


# --- the ring ---------------------------------------------------------------------------------------------------------


def drawn(small: Small) -> None:
    """Every wijk a square of a kilometre; the second and third wijk of a gemeente touch its first, the rest is far."""
    at = {}
    for gemeente in range(12):
        corner = 10 * gemeente
        for number, place in ((1, (corner, 0)), (2, (corner + 1, 0)), (3, (corner, 1)), (4, (corner, 60))):
            at[wijk(gemeente, number)] = place if gemeente < 6 else (corner, 20 + 5 * number)
    features = []
    for code, (x, y) in at.items():
        west, south = 100_000 + 1000 * x, 400_000 + 1000 * y
        ring = [[west + 1000 * right, south + 1000 * up] for right, up in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"code": code}, "geometry": geometry})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::28992"}}
    text = json.dumps({"type": "FeatureCollection", "crs": crs, "features": features})
    (small.root / "wijken.geojson").write_text(text, encoding="utf-8")


POLYGONS = ("data:\n", "data:\n  polygons: {file: wijken.geojson, column: code}\n")
FOCUS = "leave_out: [{rule: focus-area, why: programma}"
RING = [wijk(number, other) for number in range(6) for other in (2, 3)]


def beside(rule: str) -> tuple[str, str]:
    return FOCUS, f"{FOCUS}, {{{rule}, why: waterbed}}"


@pytest.mark.parametrize("rule", ["rule: adjacent", "rule: adjacent, sharing: border", "rule: near, km: 3"])
def test_areas_ring_and_net_are_as_by_hand(tmp_path: Path, rule: str) -> None:
    small = written(tmp_path)
    drawn(small)
    result = small.run(POLYGONS, beside(rule))
    ring = result["robust"]["ring"]
    assert sorted(ring["units"]) == sorted(RING) and ring["refused"] is None
    table, treated = rates(small.outcomes, str), [codes[0] for codes in AREAS.values()]
    controls = [code for code in table.index if code not in (*treated, *RING)]
    # The areas are those of the study itself, with its interval.
    primary = result["primary"]
    assert [ring["area"][key] for key in ("value", "low", "high")] == pytest.approx(
        [primary[key] for key in ("value", "low", "high")], rel=1e-9
    )
    assert ring["area"]["value"] == pytest.approx(difference(table, treated, controls))
    assert ring["ring"]["value"] == pytest.approx(difference(table, RING, controls))
    assert ring["ring"]["low"] < ring["ring"]["value"] < ring["ring"]["high"]
    people = small.units.set_index("wijk")["inwoners"]
    change = table[[2022, 2023, 2024]].mean(axis=1) - table[2021]
    both = [*treated, *RING]
    net = np.average(change[both], weights=people[both]) - change[controls].mean()
    assert ring["net"]["value"] == pytest.approx(net)
    assert (ring["residents_area"], ring["residents_ring"]) == (people[treated].sum(), people[RING].sum())
    for language, words in (("nl", "in de ring eromheen"), ("en", "in the ring around them")):
        text = said(read_bundle(small.out).outcomes[0], language)
        assert words in text and "{" not in text


def test_what_only_moved_comes_to_nothing(tmp_path: Path) -> None:
    """As many fewer cases in the areas as there are more in the ring: the net is that without either."""
    small = written(tmp_path)
    drawn(small)
    small.outcomes["noemer"] = small.outcomes["wijk"].map(small.units.set_index("wijk")["inwoners"])
    small.outcomes["teller"] += 1000
    plain = small.run(POLYGONS, beside("rule: adjacent"))["robust"]["ring"]
    after, number = small.outcomes["jaar"] >= 2022, small.outcomes["wijk"]
    small.outcomes.loc[after & number.isin([codes[0] for codes in AREAS.values()]), "teller"] -= 600
    small.outcomes.loc[after & number.isin(RING), "teller"] += 300
    moved = small.run(POLYGONS, beside("rule: adjacent"))["robust"]["ring"]
    assert moved["area"]["value"] < plain["area"]["value"] - 5 and moved["ring"]["value"] > plain["ring"]["value"] + 2
    assert moved["net"]["value"] == pytest.approx(plain["net"]["value"], abs=1e-9)


def test_an_area_that_is_left_out_has_no_ring(tmp_path: Path) -> None:
    small = written(tmp_path)
    drawn(small)
    gone = ("treatment:\n", "treatment:\n  already_treated: {gebied-f: leave-out}\n")
    ring = small.run(POLYGONS, beside("rule: adjacent"), gone)["robust"]["ring"]
    assert sorted(ring["units"]) == sorted(code for code in RING if code not in (wijk(5, 2), wijk(5, 3)))


def test_a_matched_study_matches_the_ring_too(tmp_path: Path) -> None:
    small = written(tmp_path)
    drawn(small)
    pairs = (POLYGONS, beside("rule: adjacent"), ("match: none", "match: {method: nearest, ratio: 3, on: [structure]}"))
    result = small.run(*pairs)
    ring = result["robust"]["ring"]
    assert ring["area"]["value"] == pytest.approx(result["primary"]["value"], rel=1e-9)
    assert ring["ring"]["value"] is not None and len(ring["units"]) == 12


def test_named_neighbours_are_no_ring_and_a_study_without_them_says_nothing(
    tmp_path: Path, found: dict[str, Any]
) -> None:
    assert found["robust"]["ring"] is None
    small = written(tmp_path)
    ring = small.run(beside(f"rule: adjacent, regions: [{', '.join(RING)}]"))["robust"]["ring"]
    assert "named" in ring["refused"]["because"] and ring["units"] == []
    assert "niet aan hun grenzen gevonden" in said(read_bundle(small.out).outcomes[0], "nl")
