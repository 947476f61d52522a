"""Addresses of numbers: one a number, one spelling, and never a lock that was not run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.errors import UsageError
from impact.evidence.addresses import Address, Place, address_of, place_of, primary_address, read_address, read_place
from impact.evidence.record import Evidence
from impact.evidence.report import report_html
from tests.report.samples import BARE, ODD, ORDINARY, PLACEBO, REFUSED, SEALED, estimate
from tests.report.test_citation import FIXED, LOCKED


def test_the_address_is_the_one_of_the_design() -> None:
    school = replace(FIXED, study="voortijdig-schoolverlaten", indicator="vsv", window=("2023", "2024"))
    assert str(primary_address(school)) == "voortijdig-schoolverlaten@3f9c2a1b.1#vsv.average.2023-2024"
    one = replace(school, window=("2023/'24", "2023/'24"), standing=replace(LOCKED, look=2))
    assert str(primary_address(one)) == "voortijdig-schoolverlaten@3f9c2a1b.2#vsv.average.2023-24"


@pytest.mark.parametrize(
    ("status", "because", "locked"),
    [
        ("pre-specified", "", True),
        ("amended", "", True),
        ("deviation", "amended", True),
        ("deviation", "data", True),
        ("exploratory", "outcomes", True),  # locked too late, but as it was run
        ("exploratory", "specification", False),  # what was run is not what the lock holds
        ("exploratory", "foreign", False),
        ("exploratory", "ledger", False),
        ("exploratory", "unlocked", False),
        ("exploratory", "unreadable", False),
    ],
)
def test_an_address_names_the_lock_only_where_that_was_run(status: Any, because: str, locked: bool) -> None:
    standing = replace(LOCKED, status=status, because=because, lock8="0a0b0c0d")
    found = place_of(replace(ORDINARY, status=status, standing=standing)).lock
    assert found == ("0a0b0c0d" if locked else "unlocked-3f9c2a1b")
    assert (re.fullmatch("[0-9a-f]{8}", found) is not None) is locked, "the one cannot be taken for the other"


NAMES = st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
TRAPS = st.sampled_from(["average", "event", "average-unit", "bracket-unmatched", "family-x", "event-family-x"])


@given(st.lists(NAMES | TRAPS | TRAPS.map("alternative-{}".format), max_size=6, unique=True), NAMES | TRAPS)
def test_no_two_numbers_have_one_address(alternatives: list[str], family: str) -> None:
    rows = [
        ("primary", "", "average"),
        *(("weighting", name, "average") for name in ("area", "resident", "unit")),
        *(("bracket", name, "average") for name in ("unmatched", "structure", "selection")),
        *(("event", "", str(term)) for term in range(-9, 9)),
        ("family", family, "average"),
        *(("family", family, str(term)) for term in range(-2, 9)),
        *(("alternative", name, "average") for name in alternatives),
    ]
    for window in (("2", "2"), ("2023", "2024")):  # also where a period looks like a time since the start
        made = replace(ORDINARY, window=window)
        for same in (True, False):
            found = [str(address_of(made, role, name, same, estimate(term))) for role, name, term in rows]
            assert len(set(found)) == len(rows)
            assert [str(read_address(one)) for one in found] == found


@given(NAMES, st.sampled_from(["0a0b0c0d", "unlocked-0a0b0c0d"]), st.integers(1, 9999), NAMES, NAMES, NAMES)
def test_an_address_reads_back(study: str, lock: str, look: int, outcome: str, target: str, term: str) -> None:
    made = Address(Place(study, lock, look), outcome, target, term)
    assert read_address(str(made)) == read_place(str(made)) == made
    assert read_place(str(made.place)) == made.place
    assert read_place(f"{study}@{lock}") == Place(study, lock, 0)


@given(st.text(max_size=80) | st.from_regex(r"[a-z]{3}@[0-9a-z]{7,9}\.[0-9]{0,5}#[a-zA-Z.é \n-]{3,9}", fullmatch=True))
def test_what_is_no_address_is_refused_and_nothing_else_happens(text: str) -> None:
    for read in (read_address, read_place):
        try:
            assert str(read(text)) in (text, text + "\n")
        except UsageError as error:
            assert "ADDRESS-001" in str(error)


@pytest.mark.parametrize(
    "text", ["a@0a0b0c0d.1#b.c.d\n", "a@0a0b0c0d.0#b.c.d", "a@0A0b0c0d.1#b.c.d", "a@0a0b0c0d.1#b.c.٢"]
)
def test_an_address_has_one_spelling(text: str) -> None:
    with pytest.raises(UsageError, match="ADDRESS-001"):
        read_address(text)


@pytest.mark.parametrize("evidence", [ORDINARY, FIXED, SEALED, REFUSED, PLACEBO, BARE, ODD])
def test_the_report_has_the_address_beside_the_result(evidence: Evidence) -> None:
    page = report_html(evidence, {})
    first = page[: page.index("</section>")]
    assert f"Kenmerk: <code>{primary_address(evidence)}</code>" in first
    assert ("Citeer deze uitspraak in haar geheel. Kenmerk:" in first) is (evidence is FIXED)
