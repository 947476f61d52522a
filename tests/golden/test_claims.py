"""Every reference result is claimed by a test or waived with a sentence, and no claim is empty."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from tests.golden.claims import CLAIMED, WAIVED
from tests.shared import ROOT, shared


def names() -> list[str]:
    return sorted(path.stem for path in shared("reference/goldens").glob("*.json"))


def test_every_reference_result_is_claimed_or_waived_once() -> None:
    found = names()
    assert len(found) > 100
    matches = {name: [pattern for pattern in [*CLAIMED, *WAIVED] if fnmatchcase(name, pattern)] for name in found}
    assert {name: patterns for name, patterns in matches.items() if len(patterns) != 1} == {}


def test_no_pattern_is_empty() -> None:
    found = names()
    assert [pattern for pattern in [*CLAIMED, *WAIVED] if not any(fnmatchcase(name, pattern) for name in found)] == []


@pytest.mark.parametrize("pattern", CLAIMED)
def test_the_claiming_module_reads_it(pattern: str) -> None:
    module = ROOT / CLAIMED[pattern]
    assert module.is_file(), f"{pattern} is claimed by a module that does not exist"
    head = re.split(r"[*?\[]", pattern)[0]
    whole_name = re.escape(head) + (r"\b" if head == pattern else "")
    assert re.search(whole_name, module.read_text(encoding="utf-8")), f"{CLAIMED[pattern]} never names {head}"


@pytest.mark.parametrize("pattern", WAIVED)
def test_a_waiver_is_a_sentence_that_names_the_part(pattern: str) -> None:
    sentence = WAIVED[pattern]
    assert sentence.endswith(".")
    assert len(sentence.split()) >= 6
    assert " part" in sentence
