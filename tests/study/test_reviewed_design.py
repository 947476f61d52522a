"""Numbers of a design that looked right and were not, against sums by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from impact.register.areas import areas as register_areas
from impact.study.areas import focus_areas
from impact.study.likeness import GEMEENTE_SIZES, labels_of
from impact.study.load import load
from impact.study.panels import compare
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.study.conftest import impact
from tests.study.small import Small, difference, made, of_gemeente, rates, unit, wijk

NEAREST = ("match: none", "match: {method: nearest, ratio: 2, on: [structure]}")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


# --- starts that a column gives ---------------------------------------------------------------------------------------


def dated(small: Small) -> tuple[tuple[str, str], ...]:
    """Areas and starts from columns: the first in 2021, the others in 2022."""
    small.areas = {"gebied-a": [wijk(0, 1)], "gebied-b": [wijk(1, 1)], "gebied-c": [wijk(2, 1)]}
    small.units["gebied"], small.units["begin"] = "", ""
    for number, (slug, codes) in enumerate(small.areas.items()):
        inside = small.units["wijk"].isin(codes)
        small.units.loc[inside, ["gebied", "begin"]] = [slug, "2022" if number else "2021"]
    return (f"  areas: {small.listed}", "  areas: {column: gebied}"), ("first_treated: 2022", "column: begin")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("match: none", NEAREST[1].replace("]}", "], outcomes_in: [2023]}"), "comparison.match.outcomes_in[0]"),
        ("match: none", NEAREST[1].replace("]}", "], outcomes_in: [2021]}"), "comparison.match.outcomes_in[0]"),
        ("match: none", NEAREST[1].replace("]}", "], outcomes_in: [2020]}"), "comparison.match.outcomes_in[0]"),
        (
            "unit: procentpunt}",
            "unit: procent, as_percent_of_own: {periods: [2019, 2022], minimum_mean: 1}}",
            "outcome.measure.as_percent_of_own.periods[1]",
        ),
        ("window: [2022", "window: [2020", "target.window"),
        ("name: group-time, control: never", "name: twfe", "target.window"),
        (
            "name: group-time, control: never",
            "name: synthetic-control, predictors: [{of: outcome, at: 2023}]",
            "estimator.predictors[0].at",
        ),
    ],
)
def test_nothing_is_taken_from_after_a_start_that_a_column_gives(small: Small, old: str, new: str, place: str) -> None:
    """2020 is the base of the area that starts in 2021; twfe gives no number for 2022 to 2024 alone."""
    small.write(*dated(small), (old, new))
    for command in (("check",), ("run", "--out", small.out)):
        ended = impact(command[0], small.study, *command[1:])
        assert ended.code == 2 and f"DATA-154 [{place}]" in ended.err, ended.err
    assert not small.out.exists()


def test_years_before_every_start_of_a_column_may_be_matched_on(small: Small) -> None:
    found = small.run(*dated(small), (NEAREST[0], NEAREST[1].replace("]}", "], outcomes_in: [2018]}")))
    assert found["primary"]["value"] is not None


# --- who stands for whom ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", ["area", "resident", "unit"])
def test_matched_controls_count_as_the_residents_whom_they_stand_for(small: Small, every: str) -> None:
    """An area of two wijken: every wijk minus its own two controls, and the mean of that over the residents."""
    pairs = [(0, 1), (0, 2)], [(1, 1), (1, 3)], [(2, 1), (2, 4)]
    small.areas = {f"gebied-{name}": [wijk(*one) for one in own] for name, own in zip("abc", pairs, strict=True)}
    treated = [code for codes in small.areas.values() for code in codes]
    units = small.units.set_index("wijk")
    # No two wijken differ by the same.
    units["huur"] = [float(row**2 % 97) + row / 100 for row in range(len(units))]
    small.units = units.reset_index()
    pool = [code for code in units.index if code not in treated]
    by_year = rates(small.outcomes, str)
    effect = {}
    for code in treated:
        nearest = (units.loc[pool, "huur"] - units.loc[code, "huur"]).abs().sort_values().index[:2]
        effect[code] = difference(by_year, [code], [*nearest])
    effects, residents = pd.Series(effect), units.loc[treated, "inwoners"]
    expected = {
        "area": effects.mean(),
        "unit": effects.mean(),
        "resident": (effects * residents).sum() / residents.sum(),
    }
    found = small.run(NEAREST, ("every: area", f"every: {every}"))
    values = {every: found["primary"]["value"]}
    values |= {row["name"]: row["estimate"]["value"] for row in found["weightings"]}
    assert values == pytest.approx(expected, rel=1e-9)
    (huur,) = [row for row in found["balance"] if row["name"] == "huur"]
    assert abs(expected["area"] - expected["resident"]) > 0.01 and huur["matched_on"]


# --- units that are added up ------------------------------------------------------------------------------------------


def test_an_area_keeps_the_error_of_its_rounded_counts_when_others_are_put_together(small: Small) -> None:
    """Random rounding to 5 is off by the root of (25 - 1) / 6; a sum by the root of the number of wijken times that."""
    for column in ("teller", "noemer"):
        small.outcomes[column] = small.outcomes[column] // 5 * 5
    small.write(
        unit("{level: focus-area, built_from: wijk}"),
        ("    columns: {region: wijk, period", "    rounded_to: 5\n    columns: {region: wijk, period"),
        ("  match: none\n", "  units: {built_from: wijk, residents: 12000}\n  match: none\n"),
    )
    study = read_study(small.study)
    loaded = load(study.model, locate(study, Roots.of(study.path, [])))
    found = compare(study.model, loaded, loaded.series[0], focus_areas(study.model, loaded))
    panel, parts = found.panel, found.unions.members() if found.unions is not None else {}
    assert panel.se is not None and panel.treated.sum() == 5
    whole = small.outcomes.assign(jaar=small.outcomes["jaar"].astype(str)).set_index(["wijk", "jaar"])
    for row, name in enumerate(panel.units):
        above, below = whole.loc[list(parts[name])].groupby("jaar")[["teller", "noemer"]].sum().to_numpy().T
        expected = 2.0 * np.sqrt(len(parts[name])) * np.hypot(100 / below, 100 * above / below**2)
        np.testing.assert_allclose(panel.se[row], expected, rtol=1e-9)


def test_cells_of_an_area_that_is_lost_for_them_count_as_without_a_number(small: Small) -> None:
    """An area of one wijk, a wijk of another, and one that may be compared: one cell each is not published."""
    small.areas = {"gebied-a": [wijk(0, 1), wijk(0, 2)], "gebied-b": [wijk(1, 1)], "gebied-c": [wijk(2, 1)]}
    small.areas["gebied-d"] = [wijk(3, 1)]
    small.outcomes = small.outcomes.astype({"teller": object})
    for code in (wijk(0, 2), wijk(3, 1), wijk(6, 1)):
        at = (small.outcomes["wijk"] == code) & (small.outcomes["jaar"] == 2018)
        small.outcomes.loc[at, "teller"] = "x"
    found = small.run()
    (check,) = [check for check in found["checks"] if check["name"] == "suppressed"]
    assert check["statistic"] == pytest.approx(3 / len(small.outcomes), rel=1e-12)


# --- who is left out --------------------------------------------------------------------------------------------------


def left_out(found: dict[str, Any], word: str) -> set[str]:
    return {row["unit"] for row in found["excluded"] if word in row["reason"]}


@pytest.mark.parametrize(("level", "tails"), [("wijk", ("",)), ("buurt", ("01", "07"))])
def test_a_part_of_a_focus_area_at_another_level_is_no_comparison(small: Small, level: str, tails: tuple[str]) -> None:
    """The register has wijken of Delft West and Den Haag Zuidwest, and buurten of Groningen Noord."""
    names = {wijk(5, 1): "051833", wijk(5, 2): "051801", wijk(6, 1): "001409", wijk(6, 2): "001499"}
    kind = level[:2].upper() if level == "buurt" else "WK"
    fresh: dict[str, pd.DataFrame] = {}
    for name, table in (("outcomes", small.outcomes), ("units", small.units)):
        rows = [
            table.assign(wijk=[kind + names.get(code, code[2:]) + tail for code in table["wijk"]]) for tail in tails
        ]
        fresh[name] = pd.concat(rows, ignore_index=True)
    small.outcomes, small.units = fresh["outcomes"], fresh["units"]
    small.areas = {f"gebied-{n}": [f"{kind}910{place}01{tails[0]}"] for place, n in enumerate("abc")}
    found = small.run(("why: programma", "why: deel van een gebied"))
    # The last is a buurt of the register itself.
    inside = {f"{kind}051833{tail}" for tail in tails} | {"WK001409" if level == "wijk" else "BU00140901"}
    assert left_out(found, "deel van een gebied") == inside
    used = [code for code in fresh["units"]["wijk"] if code not in inside]
    treated = [codes[0] for codes in small.areas.values()]
    expected = difference(rates(small.outcomes, str), treated, [code for code in used if code not in treated])
    assert found["primary"]["value"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rule", ["same-gemeente", "other-gemeente"])
def test_an_area_in_two_gemeenten_lies_in_both(small: Small, rule: str) -> None:
    small.areas = {"gebied-a": [wijk(0, 1), wijk(1, 1)], "gebied-b": [wijk(2, 1)], "gebied-c": [wijk(3, 1)]}
    found = small.run(
        unit("{level: focus-area, built_from: wijk}"),
        ("{rule: focus-area, why: programma}", f"{{rule: {rule}, why: plaats}}"),
        ("cluster: gemeente", "cluster: unit"),
    )
    members = {code: slug for slug, codes in small.areas.items() for code in codes}
    table = rates(small.outcomes, lambda code: members.get(code, code))
    near = [code for code in table.index if code.startswith("WK") and code < wijk(4, 0)]
    far = [code for code in table.index if code.startswith("WK") and code > wijk(4, 0)]
    out, controls = (near, far) if rule == "same-gemeente" else (far, near)
    assert left_out(found, "plaats") == set(out)
    assert found["primary"]["value"] == pytest.approx(difference(table, [*small.areas], controls), abs=1e-12)


def test_places_near_a_part_of_an_area_are_near_the_area(small: Small) -> None:
    """Wijken on a line, a kilometre apart; of one area the parts lie far apart, with nothing of it in their middle."""
    small.units["x"], small.units["y"] = 100_000 + 1_000 * np.arange(48), 400_000
    at = {code: row for row, code in enumerate(small.units["wijk"])}
    slugs = [area.slug for area in register_areas()[:3]]
    own = {wijk(0, 2): 1.0, wijk(5, 2): 1.0}, {wijk(7, 1): 1.0, wijk(7, 4): 0.5}, {wijk(10, 1): 1.0}
    pairs = [(slug, code, share) for slug, parts in zip(slugs, own, strict=True) for code, share in parts.items()]
    rows = [(slug, code, 2024, share, "zelf") for slug, code, share in pairs]
    table = pd.DataFrame(rows, columns=["area", "code", "vintage", "share", "source"])
    table.to_csv(small.root / "leden.csv", sep=";", index=False)
    small.areas = {}
    found = small.run(
        unit("{level: focus-area, built_from: wijk}"),
        ("  areas: {}", "  areas: register\n  members: leden.csv"),
        ("residents: inwoners, ", "residents: inwoners, place: [x, y], "),
        ("rule: focus-area, why: programma", "rule: near, km: 1, why: ernaast"),
        ("cluster: gemeente", "cluster: unit"),
    )
    treated = table["code"].map(at)
    expected = {code for code, row in at.items() if row not in set(treated) and (abs(treated - row) <= 1).any()}
    assert left_out(found, "ernaast") - set(table["code"]) == expected and len(expected) == 10


@pytest.mark.parametrize("rule", ["rule: adjacent", "rule: near, km: 0.5"])
def test_a_part_of_an_area_without_a_border_is_missed(small: Small, rule: str) -> None:
    """All 48 wijken as squares of a board of four columns; nobody knows who lies beside a wijk that is not on it."""
    pytest.importorskip("shapely")
    treated = [code for codes in small.areas.values() for code in codes]
    place = {code: (row % 4, row // 4) for row, code in enumerate(small.units["wijk"])}

    def drawn(*without: str) -> None:
        features = []
        for code, (column, row) in place.items():
            x, y = 100_000 + 1_000 * column, 400_000 + 1_000 * row
            ring = [[x, y], [x + 1_000, y], [x + 1_000, y + 1_000], [x, y + 1_000], [x, y]]
            shape = {"type": "Polygon", "coordinates": [ring]}
            features += (
                [] if code in without else [{"type": "Feature", "properties": {"code": code}, "geometry": shape}]
            )
        text = json.dumps({"type": "FeatureCollection", "features": features})
        (small.root / "grenzen.geojson").write_text(text, encoding="utf-8")

    changes = (
        unit("{level: focus-area, built_from: wijk}"),
        (
            "  units:\n    file",
            "  polygons: {file: grenzen.geojson, column: code, crs: 'EPSG:28992'}\n  units:\n    file",
        ),
        ("rule: focus-area, why: programma", f"{rule}, why: ernaast"),
    )
    drawn()
    away = {
        code: min(max(abs(x - place[other][0]), abs(y - place[other][1])) for other in treated)
        for code, (x, y) in place.items()
    }
    assert left_out(small.run(*changes), "ernaast") == {code for code, steps in away.items() if steps == 1}
    drawn(wijk(2, 4))
    ended = impact("check", small.study)
    assert ended.code == 2 and "DATA-135" in ended.err and f"the borders of {wijk(2, 4)} are unknown" in ended.err


def test_a_gemeente_is_not_compared_beside_its_own_wijken(small: Small) -> None:
    treated = [code for codes in small.areas.values() for code in codes]
    plain = rates(small.outcomes, str)
    totals = small.outcomes.assign(wijk=small.outcomes["wijk"].map(of_gemeente)).groupby(["wijk", "jaar"]).sum()
    small.outcomes = pd.concat([small.outcomes, totals.reset_index()])
    whole = small.units.assign(wijk=small.units["wijk"].map(of_gemeente)).groupby("wijk")[["inwoners", "huur"]].sum()
    small.units = pd.concat([small.units, whole.reset_index()])
    small.write()
    ended = impact("check", small.study)
    assert ended.code == 2 and "DATA-155 [unit]" in ended.err and f"{wijk(4, 1)} lies in GM9104" in ended.err
    found = small.run(unit("{level: wijk}"), ("every: area", "every: unit"))
    expected = difference(plain, treated, [code for code in plain.index if code not in treated])
    assert found["primary"]["value"] == pytest.approx(expected, abs=1e-12)


def test_who_is_left_of_a_trimmed_area_counts_for_all_of_it(small: Small) -> None:
    """One of two wijken of an area is unlike all others; the weights then stand for areas without it."""
    pairs = [(0, 1), (0, 2)], [(1, 1), (4, 3)], [(2, 1), (2, 4)], [(3, 3)]
    small.areas = {f"gebied-{name}": [wijk(*one) for one in own] for name, own in zip("abcd", pairs, strict=True)}
    treated = [code for codes in small.areas.values() for code in codes]
    values = {code: float(row**2 % 97) + row / 100 for row, code in enumerate(small.units["wijk"])}
    odd = [wijk(0, 1), wijk(6, 4), wijk(0, 2), wijk(2, 1), wijk(1, 1), wijk(2, 4)]
    huur = pd.Series(values | dict(zip(odd, [330.0, 118.0, 112.0, 105.0, 99.0, 118.0], strict=True)))
    small.units["huur"] = huur.to_numpy()
    found = small.run(
        ("match: none", "match: {method: inverse-probability, trim: 0.4, on: [structure]}"),
        ("checks: {", "checks: {unmatched: {at_most: 0.9, if_failed: report, why: w}, "),
    )
    kept = [code for code in treated if code != wijk(0, 1)]
    assert [row["unit"] for row in found["excluded"] if row["unit"] in treated] == [wijk(0, 1)]
    (shared,) = found["shared"]
    pool = [code for code, _ in shared["units"]]
    own = {code: 1 / sum(one in kept for one in codes) for codes in small.areas.values() for code in codes}
    counts = pd.Series([own[code] for code in kept], kept)
    weights = np.r_[counts / counts.mean(), np.ones(len(pool))]
    x = sm.add_constant(huur[kept + pool].to_numpy())
    logit = sm.GLM(np.r_[np.ones(len(kept)), np.zeros(len(pool))], x, sm.families.Binomial(), freq_weights=weights)
    score = logit.fit(tol=1e-13).predict(x)[len(kept) :]
    by_year = rates(small.outcomes, str)
    change = by_year[[2022, 2023, 2024]].mean(axis=1) - by_year[2021]
    odds = score / (1 - score)
    expected = np.average(change[kept], weights=counts) - np.average(change[pool], weights=odds)
    assert found["primary"]["value"] == pytest.approx(expected, abs=1e-8)


def test_residents_of_a_gemeente_are_counted_once(small: Small) -> None:
    """A units table as CBS publishes it has a row of the gemeente, of its wijken and of their buurten."""
    pairs = ("match: none", "match: {method: nearest, ratio: 1, on: [structure], same: gemeente-grootte}")

    def classes() -> dict[str, str]:
        small.write(pairs)
        study = read_study(small.study)
        loaded = load(study.model, locate(study, Roots.of(study.path, [])))
        return dict(zip(loaded.regions, labels_of(study.model, loaded)["gemeente-grootte"], strict=True))

    small.units["inwoners"] = [1_000 + 60 * row for row in range(48)]
    total = small.units.groupby(small.units["wijk"].map(of_gemeente))["inwoners"].sum()
    expected = {code: sum(total[of_gemeente(code)] >= size for size in GEMEENTE_SIZES) for code in small.units["wijk"]}
    assert len(set(expected.values())) == 3
    whole = small.units.assign(wijk=small.units["wijk"].map(of_gemeente)).groupby("wijk")[["inwoners", "huur"]].sum()
    buurten = small.units.assign(wijk="BU" + small.units["wijk"].str[2:] + "00")
    small.units = pd.concat([small.units, whole.reset_index(), buurten])
    assert {code: int(label) for code, label in classes().items() if code in expected} == expected
