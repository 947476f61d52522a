"""Other delineations of the same areas as alternatives: another question each, with how far the two agree."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from impact.register.areas import areas as register_areas
from tests.study.conftest import impact
from tests.study.small import Small, difference, made, rates, unit, wijk

SLUGS = [area.slug for area in register_areas()][:4]
STRICT = {slug: {wijk(number, 1): 1.0} for number, slug in enumerate(SLUGS)}
WIDE = {slug: {wijk(number, 1): 1.0, wijk(number, 2): 1.0} for number, slug in enumerate(SLUGS)}
CUT = {**STRICT, SLUGS[0]: {wijk(0, 1): 0.6, wijk(0, 2): 0.5}}


def file(small: Small, name: str, **delineations: dict[str, dict[str, float]]) -> None:
    rows = [
        (slug, code, 2024, share, "zelf", label)
        for label, areas in delineations.items()
        for slug, own in areas.items()
        for code, share in own.items()
    ]
    table = pd.DataFrame(rows, columns=["area", "code", "vintage", "share", "source", "delineation"])
    table.to_csv(small.root / name, sep=";", index=False)


AREAS = "  areas: {}"
ALTERNATIVE = (
    "alternatives:\n  - {name: ruim, why: andere kaart, same_estimand: false, change: {treatment: CHANGE}}\nseed: 7"
)


def study(chosen: str, change: str = "{delineation: ruim}") -> list[tuple[str, str]]:
    return [
        (AREAS, f"  areas: register\n  members: leden.csv\n{chosen}".rstrip()),
        ("seed: 7", ALTERNATIVE.replace("CHANGE", change)),
    ]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    small = made(tmp_path)
    small.areas = {}
    return small


def expected(small: Small, treated: dict[str, dict[str, float]]) -> float:
    """Each area counts once, with the mean of the changes of its wijken; the others are compared."""
    table = rates(small.outcomes, str)
    inside = {code for own in treated.values() for code in own}
    controls = [code for code in table.index if code not in inside]
    return sum(difference(table, list(own), controls) for own in treated.values()) / len(treated)


def test_a_wide_and_a_strict_delineation_stand_beside_each_other(small: Small) -> None:
    file(small, "leden.csv", strikt=STRICT, ruim=WIDE)
    found = small.run(*study("  delineation: strikt\n"))
    assert found["primary"]["value"] == pytest.approx(expected(small, STRICT), abs=1e-12)
    (wide,) = found["alternatives"]
    assert wide["estimate"]["value"] == pytest.approx(expected(small, WIDE), abs=1e-12)
    assert not wide["same_estimand"]
    count = small.units.set_index("wijk")["inwoners"]
    strict, both = (count[[code for own in areas.values() for code in own]].sum() for areas in (STRICT, WIDE))
    share = f"{100 * strict / both:.0f}%"
    assert wide["why"] == (
        f"andere kaart. De afbakening is een andere: van de inwoners van deze gebieden woont {share} ook in die van de "
        "studie, en van die van de studie 100% ook in deze"
    )


def test_a_delineation_in_a_file_of_its_own_is_read_from_it(small: Small) -> None:
    file(small, "leden.csv", strikt=STRICT)
    file(small, "ruim.csv", ruim=WIDE)
    found = small.run(*study("", "{members: ruim.csv}"))
    assert found["primary"]["value"] == pytest.approx(expected(small, STRICT), abs=1e-12)
    (wide,) = found["alternatives"]
    assert wide["estimate"]["value"] == pytest.approx(expected(small, WIDE), abs=1e-12)
    assert [one["file"] for one in found["data"] if one["role"] == "members"] == ["leden.csv", "ruim.csv"]


def test_a_wijk_that_one_of_both_cuts_is_shared_for_its_share(small: Small) -> None:
    file(small, "leden.csv", strikt=STRICT, ruim=CUT)
    found = small.run(*study("  delineation: strikt\n"), unit("{level: focus-area, built_from: wijk}"))
    count = small.units.set_index("wijk")["inwoners"]
    strict = sum(count[wijk(number, 1)] for number in range(4))
    both = strict - 0.4 * count[wijk(0, 1)]
    back = f"{100 * both / strict:.0f}%"
    (cut,) = found["alternatives"]
    # All of the wijk is in the one, six tenths in the other: those are in both, exactly.
    assert f"en van die van de studie {back} ook in deze" in cut["why"]


def test_another_delineation_is_another_question(small: Small) -> None:
    file(small, "leden.csv", strikt=STRICT, ruim=WIDE)
    for change in ("{delineation: ruim}", "{members: ruim.csv}"):
        own, other = study("  delineation: strikt\n", change)
        small.write(own, (other[0], other[1].replace("same_estimand: false", "same_estimand: true")))
        ended = impact("check", small.study)
        assert ended.code == 2 and "asks another question, so `same_estimand` is false here" in ended.err


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("", "the file holds several delineations: ruim and strikt."),
        ("  delineation: streng\n", "the file has no delineation 'streng'. → It holds ruim and strikt."),
    ],
)
def test_one_delineation_must_be_meant(small: Small, chosen: str, words: str) -> None:
    file(small, "leden.csv", strikt=STRICT, ruim=WIDE)
    small.write(study(chosen)[0])
    ended = impact("check", small.study)
    assert ended.code == 2 and "DATA-117" in ended.err and words.lower() in " ".join(ended.err.split()).lower()


def test_the_same_wijk_may_lie_in_two_delineations_and_once_in_one(small: Small) -> None:
    twice = {SLUGS[0]: {wijk(0, 1): 1.0}, SLUGS[1]: {wijk(0, 1): 0.5}}
    file(small, "leden.csv", strikt=STRICT, ruim=twice)
    small.write(study("  delineation: strikt\n")[0])
    assert impact("check", small.study).code in (0, 1)
    small.write(study("  delineation: ruim\n")[0])
    ended = impact("check", small.study)
    assert ended.code == 2 and "a code stands once in an area" in ended.err and "rows 6 and 7" in ended.err
