"""Placebos in the record and the report of a study that asks for them, and what of them may leave."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from impact.disclosure.profile import Profile
from impact.evidence.record import Evidence
from impact.study.behind import Ruling
from impact.study.bundle import read_bundle
from impact.study.disclose_parts import placebos
from tests.report.test_readable_figures import LARGE
from tests.study.small import Small, made

ASKED = (
    "inference: {name: cluster-jackknife, cluster: gemeente}",
    "inference: {name: cluster-jackknife, cluster: gemeente, beside: [{name: placebo-space, draws: 99}]}",
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return made(tmp_path_factory.mktemp("placebos"))


def test_the_record_lays_them_beside_the_estimates_by_period(small: Small) -> None:
    raw = small.run(ASKED)
    (evidence,) = read_bundle(small.out).outcomes
    found = evidence.placebos
    assert found is not None and found.sets == 99
    assert found.p_value == evidence.primary.beside[0].p_value
    assert [row.term for row in found.rows] == [row.term for row in evidence.event]
    assert all(row.low <= row.lower <= row.upper <= row.high for row in found.rows)
    page = (small.out / "report.html").read_text(encoding="utf-8")
    assert 'id="placebos-title"' in page and "99 groepen" in page
    assert raw["placebos"]["rows"][0]["term"] == evidence.event[0].term
    # Sealed: nothing of it.
    assert small.run(ASKED, ("controls: 2,", "controls: 200,"))["placebos"] is None


def test_without_an_inference_among_placebos_there_are_none(small: Small) -> None:
    assert small.run()["placebos"] is None
    assert not (small.out / "figures" / "placebos.svg").exists()


def test_it_is_decided_for_who_checks_output(small: Small) -> None:
    small.run(ASKED, ("seed: 7", "disclose: {minimum_units: 2}\nseed: 7"))
    with (small.out / "disclosure.csv").open(encoding="utf-8") as file:
        (mark,) = (row for row in csv.DictReader(file) if row["part"] == "placebos")
    (evidence,) = read_bundle(small.out).outcomes
    assert (mark["verdict"], mark["figure"]) == ("needs review", "placebos.svg") and evidence.placebos is not None


@pytest.mark.parametrize(
    ("least", "events", "own", "rule"),
    [
        (9, False, "pass", ""),  # 199 sets: 9 of them beyond the outermost line
        (10, False, "pass", "extreme"),
        (None, False, "pass", ""),
        (2, True, "pass", "secondary"),
        (2, False, "suppressed", "units"),
    ],
)
def test_a_line_that_rests_on_few_sets_is_not_shown(least: int | None, events: bool, own: str, rule: str) -> None:
    profile = Profile("own", minimum_units=least, minimum_count=10)
    marks: list[object] = []
    ruling = Ruling(own, "units" if own == "suppressed" else "all")  # type: ignore[arg-type]
    shown: Evidence = placebos(replace(LARGE), profile, ruling, events=events, marks=marks)  # type: ignore[arg-type]
    (mark,) = marks
    assert (shown.placebos is None) == bool(rule)
    assert mark.rule == (rule or "unknown")  # type: ignore[attr-defined]
