"""The table of a collection in each language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impact.evidence.collected import Collected, Row
from impact.evidence.collection_page import collection_table
from impact.evidence.language import texts
from impact.evidence.reading import plain
from impact.evidence.record import Evidence
from tests.report.test_citation import FIXED

ONE = replace(FIXED, primary=replace(FIXED.primary, level=0.988))
OTHER = replace(FIXED, indicator="uitkering", primary=replace(FIXED.primary, level=0.975))


@pytest.mark.parametrize("outcomes", [[ONE], [ONE, OTHER]])
@pytest.mark.parametrize(("language", "written", "never"), [("nl", "98,8", "98.8"), ("en", "98.8", "98,8")])
def test_the_level_of_an_interval_is_written_in_its_language(
    outcomes: list[Evidence], language: str, written: str, never: str
) -> None:
    rows = tuple(
        Row(None, one.indicator, one.outcome, {"nl": one.unit}, one.better, "register", study=one.study)
        for one in outcomes
    )
    collected = Collected("samen", {"nl": "Samen"}, rows, "0" * 64, 1, FIXED.standing, ((FIXED.study, ""),))
    table = collection_table(outcomes, collected, texts(language, "collection"))
    text = " ".join([*(column.title for column in table.columns), *(plain(cell) for row in table.rows for cell in row)])
    assert written in text and never not in text
