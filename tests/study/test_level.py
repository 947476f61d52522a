"""The unit of a study: whole gemeenten, focus areas added up from their parts; held against sums taken by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impact.errors import DataError
from impact.evidence.statement import choose, sentence
from impact.register.areas import areas as register_areas
from impact.study.level import Unit
from impact.study.load import load
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.study.conftest import impact
from tests.study.example import read, refused
from tests.study.small import GEMEENTEN, MEMBERS, Small, difference, made, of_gemeente, rates, unit, wijk


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


# --- gemeente ---------------------------------------------------------------------------------------------------------


def test_gemeenten_are_added_up_from_wijken_and_the_answer_is_theirs(small: Small) -> None:
    found = small.run(unit("{level: gemeente, built_from: wijk}"))
    expected = difference(rates(small.outcomes, of_gemeente), GEMEENTEN[:4], GEMEENTEN[4:])
    assert found["primary"]["value"] == pytest.approx(expected, abs=1e-12)
    assert (found["primary"]["areas"], found["level"], found["pool"]) == (4, "gemeente", 8)
    by = {area["slug"]: area for area in found["areas"]}
    count = small.units.set_index("wijk")["inwoners"]
    for slug, gemeente in (("gebied-a", 0), ("gebied-b", 1), ("gebied-c", 2)):
        inside = count[list(MEMBERS[slug])].sum()
        whole = count[[wijk(gemeente, number) for number in range(1, 5)]].sum()
        assert by[slug]["population"] == pytest.approx(inside / whole)
    # Two areas in one gemeente: it counts once, with the residents of both.
    both = count[[wijk(3, 1), wijk(3, 2)]].sum() / count[[wijk(3, number) for number in range(1, 5)]].sum()
    assert by["gebied-d"]["population"] == pytest.approx(both)
    assert (
        by["gebied-e"]["left_out"] == "ligt in dezelfde gemeente als een ander gebied; GM9103 telt één keer, als geheel"
    )
    together = sum(count[list(parts)].sum() for parts in MEMBERS.values())
    assert found["population"] == pytest.approx(together / count[count.index < wijk(4, 0)].sum())


def test_no_sentence_calls_it_the_effect_in_the_areas(small: Small) -> None:
    found = small.run(unit("{level: gemeente, built_from: wijk}"))
    report = (small.out / "report.html").read_text(encoding="utf-8")
    percent = f"{100 * found['population']:.1f}".replace(".", ",")
    assert f"Dit is de verandering van hele gemeenten, niet die van de focusgebieden: daar woont {percent}%" in report
    assert "in 4 gemeenten met een focusgebied samen, als geheel, naar schatting" in report
    assert "focusgebieden samen" not in report and "van de 5 focusgebieden" not in report
    for svg in (small.out / "figures").glob("*.svg"):
        assert "van de 5 focusgebieden" not in svg.read_text(encoding="utf-8")
    rows = pd.read_csv(small.out / "tidy.csv")
    assert set(rows["level"]) == {"gemeente"}
    np.testing.assert_allclose(rows["population"], found["population"])
    sheet = pd.read_excel(small.out / "tables.xlsx", sheet_name="areas", header=None)
    assert "population" in set(sheet.astype(str).to_numpy().ravel())


def test_check_and_explain_say_what_a_number_is_about(small: Small) -> None:
    small.write(unit("{level: gemeente, built_from: wijk}"))
    checked = impact("check", small.study)
    count = small.units.set_index("wijk")["inwoners"]
    share = count[wijk(1, 1)] / count[[wijk(1, number) for number in range(1, 5)]].sum()
    assert f"share of its residents in the area: GM9101 (gebied-b): {share:.1%}" in checked.out, checked.err
    dutch, english = (impact("explain", small.study, "--language", code).out for code in ("nl", "en"))
    assert "Elk getal is de verandering van de hele gemeente, en nooit die van het gebied daarin." in plain(dutch)
    assert "Every number is the change in the whole gemeente, and never that in the area in it." in plain(english)
    assert "which share of its residents lives in the focus area" in plain(english)


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            ("residents: inwoners, structure: [huur], size: [inwoners]", "size: [inwoners]"),
            "er is geen kolom met inwoners",
        ),
        (("seed: 7", "seed: 8"), "het aantal inwoners van WK910101 is onbekend"),
    ],
)
def test_a_share_that_is_not_known_says_why(small: Small, change: tuple[str, str], why: str) -> None:
    if "het aantal" in why:
        small.units = small.units[small.units["wijk"] != wijk(1, 1)]
    totals = small.outcomes.assign(wijk=small.outcomes["wijk"].map(of_gemeente)).groupby(["wijk", "jaar"]).sum()
    small.outcomes = totals.reset_index()
    whole = small.units.assign(wijk=small.units["wijk"].map(of_gemeente)).groupby("wijk")[["inwoners", "huur"]].sum()
    small.units = pd.concat([small.units, whole.reset_index()])
    found = small.run(unit("{level: gemeente}"), change)
    (area,) = [area for area in found["areas"] if area["slug"] == "gebied-b"]
    assert (area["population"], area["population_unknown"]) == (None, why)
    assert found["population"] is None
    report = (small.out / "report.html").read_text(encoding="utf-8")
    assert "Welk deel van hun inwoners in de focusgebieden woont, is onbekend." in report and why in report


def test_rows_of_gemeenten_give_what_their_wijken_add_up_to(small: Small) -> None:
    built = small.run(unit("{level: gemeente, built_from: wijk}"))
    totals = small.outcomes.assign(wijk=small.outcomes["wijk"].map(of_gemeente)).groupby(["wijk", "jaar"]).sum()
    small.outcomes = pd.concat([small.outcomes, totals.reset_index()])
    whole = small.units.assign(wijk=small.units["wijk"].map(of_gemeente)).groupby("wijk")[["inwoners", "huur"]].sum()
    small.units = pd.concat([small.units, whole.reset_index()])
    found = small.run(unit("{level: gemeente}"))
    assert found["primary"]["value"] == pytest.approx(built["primary"]["value"], abs=1e-12)
    assert found["population"] == pytest.approx(built["population"])
    assert "Rijen van een ander niveau doen niet mee; dat zijn er die van 48 gebieden." in found["notes"]


def test_a_gemeente_with_an_area_that_had_the_programme_before_is_left_out(small: Small) -> None:
    early = "  areas:"
    found = small.run(
        unit("{level: gemeente, built_from: wijk}"), (early, f"  already_treated: {{gebied-e: leave-out}}\n{early}")
    )
    out = {area["slug"]: area["left_out"] for area in found["areas"] if area["left_out"]}
    assert out == dict.fromkeys(("gebied-d", "gebied-e"), "had het programma, of een voorganger ervan, al eerder")
    expected = difference(rates(small.outcomes, of_gemeente), GEMEENTEN[:3], GEMEENTEN[4:])
    assert found["primary"]["value"] == pytest.approx(expected, abs=1e-12)


def test_a_gemeente_is_treated_from_its_earliest_area(small: Small) -> None:
    start = "{event: start, by_area: {gebied-a: 2022, gebied-b: 2022, gebied-c: 2022, gebied-d: 2024, gebied-e: 2023}}"
    found = small.run(unit("{level: gemeente, built_from: wijk}"), ("{event: start, first_treated: 2022}", start))
    assert {area["slug"]: area["first_treated"] for area in found["areas"]}["gebied-d"] == "2023"


def test_the_register_gives_a_gemeente_also_where_no_member_is_known(tmp_path: Path) -> None:
    small = made(tmp_path)
    # Delft West and Den Haag Zuidwest of the register, in tables of gemeenten.
    names = {"GM9100": "GM0503", "GM9101": "GM0518", "GM9102": "GM0344"}
    totals = small.outcomes.assign(wijk=small.outcomes["wijk"].map(of_gemeente)).groupby(["wijk", "jaar"]).sum()
    small.outcomes = totals.reset_index().replace({"wijk": names})
    whole = small.units.assign(wijk=small.units["wijk"].map(of_gemeente)).groupby("wijk")[["inwoners", "huur"]].sum()
    small.units = whole.reset_index().replace({"wijk": names})
    small.areas = {}
    found = small.run(unit("{level: gemeente}"), ("{}", "register"))
    inside = {area["slug"] for area in found["areas"] if not area["left_out"]}
    assert inside == {area.slug for area in register_areas() if area.gemeente_code in names.values()}
    assert found["areas_total"] == 20


def test_another_level_asks_another_question(small: Small) -> None:
    change = "change: {unit: {level: gemeente, built_from: wijk}}"
    alternative = f"alternatives:\n  - {{name: gemeente, why: openbaar, same_estimand: SAME, {change}}}\nseed: 7"
    small.write(("seed: 7", alternative.replace("SAME", "true")))
    wrong = impact("check", small.study)
    assert wrong.code == 2 and "Changing `unit` asks another question" in wrong.err
    found = small.run(unit("{level: focus-area, built_from: wijk}"), ("seed: 7", alternative.replace("SAME", "false")))
    (variant,) = found["alternatives"]
    expected = difference(rates(small.outcomes, of_gemeente), GEMEENTEN[:4], GEMEENTEN[4:])
    assert variant["estimate"]["value"] == pytest.approx(expected, abs=1e-12)
    assert not variant["same_estimand"] and variant["level"] == "gemeente"
    assert "Dit getal is de verandering van hele gemeenten, niet van de focusgebieden" in variant["why"]
    rows = pd.read_csv(small.out / "tidy.csv")
    assert set(rows.loc[rows["role"] == "alternative", "level"]) == {"gemeente"}
    assert set(rows.loc[rows["role"] == "primary", "level"]) == {"focus-area"}


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_statement_on_gemeenten_names_them(language: str) -> None:
    found = choose(measurable=True, gates_passed=True, low=-2, high=-1, better="lower", smallest=None)
    names = ("outcome", "areas", "total", "period", "difference", "low", "high", "level")
    said = sentence(found, language, unit="gemeente", **dict.fromkeys(names, "X"))
    areas = sentence(found, language, **dict.fromkeys(names, "X"))
    assert "gemeenten" in said and "gemeenten" not in areas
    assert ("niet voor het focusgebied daarin" if language == "nl" else "not for the focus area in them") in said


# --- focus areas ------------------------------------------------------------------------------------------------------


def of_area(code: str) -> str:
    return next((slug for slug, parts in MEMBERS.items() if code in parts), code)


def test_areas_are_added_up_from_their_members(small: Small) -> None:
    small.outcomes = small.outcomes.sample(frac=1, random_state=1)  # in any order
    found = small.run(unit("{level: focus-area, built_from: wijk}"))
    table = rates(small.outcomes, of_area)
    controls = [code for code in table.index if code.startswith("WK")]
    assert found["primary"]["value"] == pytest.approx(difference(table, list(MEMBERS), controls), abs=1e-12)
    assert found["primary"]["areas"] == 5
    by = {area["slug"]: area["units"] for area in found["areas"]}
    assert by["gebied-c"] == [wijk(2, 1), wijk(2, 4)]
    parts = pd.read_csv(small.out / "made_of.csv")
    assert parts.groupby("unit")["part"].apply(list).to_dict() == {slug: sorted(own) for slug, own in MEMBERS.items()}


def test_a_member_counts_for_its_share_and_is_no_comparison(small: Small) -> None:
    slugs = {slug: area.slug for slug, area in zip(MEMBERS, register_areas(), strict=False)}
    rows = [(slugs[slug], code, 2024, share, "zelf") for slug, own in MEMBERS.items() for code, share in own.items()]
    columns = ["area", "code", "vintage", "share", "source"]
    pd.DataFrame(rows, columns=columns).to_csv(small.root / "leden.csv", sep=";", index=False)
    small.areas = {}
    found = small.run(
        unit("{level: focus-area, built_from: wijk}"),
        ("  areas: {}", "  areas: register\n  members: leden.csv"),
    )
    counts = small.outcomes.set_index(["wijk", "jaar"])
    share = pd.Series({code: share for own in MEMBERS.values() for code, share in own.items()})
    weighed = counts.mul(share.reindex(counts.index.get_level_values(0)).fillna(1).to_numpy(), axis=0).reset_index()
    table = rates(weighed, of_area)
    controls = [code for code in table.index if code.startswith("WK")]
    assert wijk(0, 3) not in controls
    assert found["primary"]["value"] == pytest.approx(difference(table, list(MEMBERS), controls), abs=1e-12)
    units = next(area["units"] for area in found["areas"] if area["slug"] == slugs["gebied-a"])
    assert units == [wijk(0, 1), wijk(0, 2), f"{wijk(0, 3)} (25%)"]
    assert any(row["unit"] == wijk(0, 3) and "voor een deel" in row["reason"] for row in found["excluded"])


def test_characteristics_are_means_over_residents(small: Small) -> None:
    small.write(unit("{level: focus-area, built_from: wijk}"))
    study = read_study(small.study)
    found = load(study.model, locate(study, Roots.of(study.path, [])))
    own = small.units.set_index("wijk").loc[[wijk(2, 1), wijk(2, 4)]]
    assert found.units.number("inwoners", ["gebied-c"])[0] == own["inwoners"].sum()
    mean = (own["huur"] * own["inwoners"]).sum() / own["inwoners"].sum()
    assert found.units.number("huur", ["gebied-c"])[0] == pytest.approx(mean, rel=1e-14)


def test_an_area_of_which_a_part_has_no_figure_has_none(small: Small) -> None:
    small.outcomes = small.outcomes.astype({"teller": object})
    row = small.outcomes.query(f"wijk == '{wijk(2, 4)}' and jaar == 2019").index
    small.outcomes.loc[row, "teller"] = "x"
    found = small.run(unit("{level: focus-area, built_from: wijk}"))
    out = {area["slug"]: area["left_out"] for area in found["areas"] if area["left_out"]}
    assert out == {
        "gebied-c": f"een deel ervan heeft niet in elke periode een cijfer, en dan is er ook geen som ({wijk(2, 4)})"
    }
    assert any(row["unit"] == "gebied-c" for row in found["excluded"])
    assert found["primary"]["areas"] == 4


def test_the_error_of_rounded_counts_grows_with_the_root_of_their_number(small: Small) -> None:
    small.outcomes[["teller", "noemer"]] = 5 * (small.outcomes[["teller", "noemer"]] // 5)
    small.write(
        unit("{level: focus-area, built_from: wijk}"),
        ("    columns: {region: wijk, period", "    rounded_to: 5\n    columns: {region: wijk, period"),
    )
    study = read_study(small.study)
    found = load(study.model, locate(study, Roots.of(study.path, [])))
    (series,) = found.series
    assert series.rounding is not None
    # Random rounding to 5: -4 to 4 with probabilities that leave the mean; its variance is 4 (sum of d(5-d)/5 over d).
    one = np.sqrt(np.mean([d * (5 - d) for d in range(5)]))
    row = found.regions.index("gebied-c")
    below = small.outcomes[small.outcomes["wijk"].isin([wijk(2, 1), wijk(2, 4)])].groupby("jaar")["noemer"].sum()
    expected = np.sqrt(2) * one * np.hypot(100, series.y[row]) / below.to_numpy()
    np.testing.assert_allclose(series.rounding[row], expected, rtol=1e-12)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{level: focus-area}", "has no row of its own"),
        ("{level: wijk, built_from: wijk}", "a wijk is not made of a wijk"),
        ("{level: gemeente, built_from: wijk}", "'aantal' cannot be added up"),
        ("{level: gemeente, value: count}", "no column of a value is added up here"),
    ],
)
def test_what_a_unit_cannot_be(tmp_path: Path, text: str, words: str) -> None:
    found = refused(tmp_path, ("treatment:\n", f"unit: {text}\ntreatment:\n"))
    assert {problem.code for problem in found} == {"SPEC-010"}
    assert any(words.lower() in str(problem).lower() for problem in found)


def test_a_count_is_added_up_when_the_study_says_it_is_one(tmp_path: Path) -> None:
    study = read(tmp_path, ("treatment:\n", "unit: {level: gemeente, built_from: wijk, value: count}\ntreatment:\n"))
    assert study.model.unit == Unit(level="gemeente", built_from="wijk", value="count")


def test_a_table_without_rows_of_the_level_is_refused(small: Small) -> None:
    small.write(unit("{level: gemeente}"))
    study = read_study(small.study)
    with pytest.raises(DataError) as caught:
        load(study.model, locate(study, Roots.of(study.path, [])))
    (problem,) = caught.value.problems
    assert problem.code == "DATA-150" and "no row is about a gemeente" in str(problem) and "wijk" in str(problem)


@pytest.mark.parametrize("text", ["{level: gemeente, built_from: wijk}", "{level: focus-area, built_from: wijk}"])
def test_areas_and_starts_from_columns_of_wijken(small: Small, text: str) -> None:
    own = {code: slug for slug, parts in small.areas.items() for code in parts}
    small.units["gebied"] = small.units["wijk"].map(own).fillna("")
    small.units["begin"] = small.units["gebied"].map(lambda slug: "2022" if slug else "")
    listed = small.run(unit(text))
    columns = small.run(
        unit(text),
        (small.listed, "{column: gebied}"),
        ("{event: start, first_treated: 2022}", "{event: start, column: begin}"),
    )
    assert columns["primary"] == listed["primary"]
    assert [area["population"] for area in columns["areas"]] == [area["population"] for area in listed["areas"]]
    # Two starts in one area are not made one.
    small.units.loc[small.units["wijk"] == wijk(2, 4), "begin"] = "2023"
    small.write(
        unit(text),
        (small.listed, "{column: gebied}"),
        ("{event: start, first_treated: 2022}", "{event: start, column: begin}"),
    )
    ended = impact("check", small.study)
    assert ended.code == 2 and "DATA-121" in ended.err and "gebied-c" in ended.err


def test_wijken_are_added_up_from_buurten(small: Small) -> None:
    """The wijken of the made study cut into two buurten each give the numbers of the wijken."""
    plain = small.run(unit("{level: wijk}"))
    whole = small.outcomes
    first = whole.assign(teller=whole["teller"] // 3, noemer=whole["noemer"] // 4)
    second = whole.assign(teller=whole["teller"] - first["teller"], noemer=whole["noemer"] - first["noemer"])
    small.outcomes = pd.concat(
        [part.assign(wijk="BU" + part["wijk"].str[2:] + f"0{number}") for number, part in ((1, first), (2, second))]
    )
    half = small.units.assign(inwoners=small.units["inwoners"] / 2)
    small.units = pd.concat([half.assign(wijk="BU" + half["wijk"].str[2:] + f"0{number}") for number in (1, 2)])
    found = small.run(unit("{level: wijk, built_from: buurt}"))
    assert found["primary"]["value"] == pytest.approx(plain["primary"]["value"], abs=1e-12)
    # Of one of them only a buurt lies in an area now: it is treated no more, and no comparison either.
    small.areas["gebied-b"] = ["BU91010101"]
    small.areas["gebied-c"] = ["BU91020101", "BU91020102"]
    cut = small.run(unit("{level: wijk, built_from: buurt}"), ("  areas:", "  only: with-data\n  areas:"))
    by = {area["slug"]: area for area in cut["areas"]}
    assert by["gebied-c"]["units"] == [wijk(2, 1)] and by["gebied-b"]["left_out"]
    assert any(row["unit"] == wijk(1, 1) and "voor een deel" in row["reason"] for row in cut["excluded"])
