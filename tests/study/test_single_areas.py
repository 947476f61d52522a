"""Areas by themselves in the record: drawn towards their mean, declared before, all of them or none."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.evidence.language import decimals
from impact.evidence.record import Evidence
from impact.evidence.single_areas import UNDECLARED, SingleArea
from impact.heterogeneity.shrinkage import Shrunken, shrink
from impact.study.bundle import read_bundle
from tests.forbidden import claims, texts_of_bundle
from tests.study.conftest import impact, tree
from tests.study.small import Small, difference, made, rates, wijk

AREAS = {f"gebied-{letter}": [wijk(number, 1), wijk(number, 2)] for number, letter in enumerate("abcdef")}
ASKED = (
    "inference: {name: cluster-jackknife, cluster: gemeente}",
    "inference: {name: cluster-jackknife, cluster: gemeente, beside: [{name: placebo-space, draws: 99}]}",
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    study = made(tmp_path_factory.mktemp("areas"))
    study.areas = AREAS
    return study


@pytest.fixture(scope="module")
def found(small: Small) -> tuple[dict[str, Any], Evidence]:
    return small.run(ASKED), read_bundle(small.out).outcomes[0]


def alone(evidence: Evidence) -> tuple[SingleArea, ...]:
    assert evidence.robust is not None and evidence.robust.areas is not None
    return evidence.robust.areas.areas


def test_every_area_is_its_own_difference_in_differences(small: Small, found: tuple[dict[str, Any], Evidence]) -> None:
    table = rates(small.outcomes, str)
    treated = [code for codes in AREAS.values() for code in codes]
    controls = [code for code in table.index if code not in treated]
    rows = alone(found[1])
    assert [row.slug for row in rows] == list(AREAS), "in the order of the study"
    for row in rows:
        assert row.estimate == pytest.approx(difference(table, AREAS[row.slug], controls), abs=1e-9)
        assert row.focus_before == pytest.approx(table.loc[AREAS[row.slug], 2021].mean())
        assert row.focus_after == pytest.approx(table.loc[AREAS[row.slug], [2022, 2023, 2024]].mean(axis=1).mean())
        assert row.comparison_before == pytest.approx(table.loc[controls, 2021].mean())
        assert row.comparison_after == pytest.approx(table.loc[controls, [2022, 2023, 2024]].mean(axis=1).mean())
        assert (row.before, row.after) == ("2021", "2022–2024")
    assert np.mean([row.estimate for row in rows]) == pytest.approx(found[0]["primary"]["value"])


def test_they_are_drawn_together_as_the_method_says(found: tuple[dict[str, Any], Evidence]) -> None:
    rows = alone(found[1])
    drawn = shrink(np.array([row.estimate for row in rows]), np.array([row.std_error for row in rows]))
    assert isinstance(drawn, Shrunken)
    assert [row.value for row in rows] == pytest.approx(drawn.value)
    assert [row.low for row in rows] == pytest.approx(drawn.low)
    for row in rows:
        assert row.value == pytest.approx(row.centre + row.weight * (row.estimate - row.centre))
        assert row.low < row.value < row.high and 0 < row.weight < 1
    assert not {"rank", "rank_low", "rank_high"} & {one.name for one in fields(SingleArea)}


def test_nothing_of_single_areas_without_the_placebos_that_it_takes(small: Small) -> None:
    small.run()
    (evidence,) = read_bundle(small.out).outcomes
    assert evidence.robust is not None and evidence.robust.areas is not None
    assert evidence.robust.areas.refused is not None and evidence.robust.areas.refused.because == UNDECLARED
    assert evidence.robust.areas.areas == ()


def test_a_few_areas_do_not_tell_how_areas_differ(tmp_path: Any) -> None:
    study = made(tmp_path)
    study.areas = dict(list(AREAS.items())[:4])
    study.run(ASKED)
    (evidence,) = read_bundle(study.out).outcomes
    assert evidence.robust is not None and evidence.robust.areas is not None
    refused = evidence.robust.areas.refused
    assert refused is not None and "4 areas" in refused.because


@pytest.mark.parametrize(("least", "shown"), [(2, True), (3, False)])
def test_under_disclosure_all_areas_are_shown_or_none(small: Small, least: int, shown: bool) -> None:
    """Two wijken each: the mean of all is the estimate, so one that may not be seen takes the others with it."""
    small.run(ASKED, ("seed: 7", f"disclose: {{minimum_units: {least}}}\nseed: 7"))
    (evidence,) = read_bundle(small.out).outcomes
    assert evidence.primary.value is not None
    assert bool(alone(evidence)) is shown
    with (small.out / "disclosure.csv").open(encoding="utf-8") as file:
        (mark,) = (row for row in csv.DictReader(file) if row["part"] == "robust-areas")
    assert mark["verdict"] == ("pass" if shown else "suppressed")
    if shown:
        return
    text = (small.out / "results.json").read_text(encoding="utf-8")
    table = rates(small.outcomes, str)
    for codes in AREAS.values():
        assert f"{table.loc[codes, 2021].mean():.3f}" not in text


def test_what_is_sealed_has_no_area(small: Small) -> None:
    found = small.run(ASKED, ("controls: 2,", "controls: 200,"))
    assert found["robust"] is None and all(area["effect"] is None for area in found["areas"])
    assert pd.read_csv(small.out / "tidy.csv").empty


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_gemeente_gets_the_page_of_its_area(small: Small, tmp_path: Path) -> None:
    small.run(ASKED)
    (evidence,) = read_bundle(small.out).outcomes
    before = tree(small.out)
    done = impact("report", small.out, "--area", "gebied-c", "--out", tmp_path / "uit")
    assert done.code == 0 and [file.name for file in (tmp_path / "uit").iterdir()] == ["gebied-gebied-c.html"]
    text = (tmp_path / "uit" / "gebied-gebied-c.html").read_text(encoding="utf-8")
    own = alone(evidence)[2]
    written = f"{abs(own.value):.{decimals(own.std_error, own.value)}f}".replace(".", ",")
    assert own.slug == "gebied-c" and f"{written} procentpunt" in text
    assert "gebied-d" not in text and "Dit is geen uitspraak" in text
    assert tree(small.out) == before, "a bundle stays what its manifest says"


@pytest.mark.parametrize(
    ("form", "suffix"), [("html", ".html"), ("docx", ".docx"), ("xlsx", ".xlsx"), ("text", ".txt")]
)
def test_all_areas_in_every_form_and_language(small: Small, tmp_path: Path, form: str, suffix: str) -> None:
    done = impact("report", small.out, "--area", "all", "--form", form, "--language", "en", "--out", tmp_path)
    assert done.code == 0, done.err
    assert {file.name for file in tmp_path.iterdir()} == {f"gebied-{slug}.en{suffix}" for slug in AREAS}
    assert not [text for _, text in texts_of_bundle(tmp_path) if claims(text)]


def test_an_area_that_the_study_has_not(small: Small, tmp_path: Path) -> None:
    done = impact("report", small.out, "--area", "delft", "--out", tmp_path)
    assert done.code == 2 and "AREA-001" in done.err and "gebied-a, gebied-b" in done.err
    assert not list(tmp_path.iterdir())
