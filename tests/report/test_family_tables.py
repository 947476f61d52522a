"""Families of outcomes in a report: what stands in their tables, in both languages, and what never does."""

from __future__ import annotations

from dataclasses import replace

from impact.evidence.document import Paragraph, Table
from impact.evidence.family_tables import families
from impact.evidence.language import texts
from impact.evidence.reading import plain, visible
from tests.report.samples import SEALED, TOGETHER


def cells(language: str) -> tuple[list[Table], str]:
    blocks = families(TOGETHER.families, TOGETHER.programme, texts(language))
    said = " ".join(plain(piece) for block in blocks if isinstance(block, Paragraph) for piece in block.pieces)
    return [block for block in blocks if isinstance(block, Table)], said


def test_a_row_by_hand() -> None:
    tables, said = cells("nl")
    assert [len(table.rows) for table in tables] == [4, 4, 3, 3]
    first = [plain(cell) for cell in tables[0].rows[0]]
    assert first == ["Vernielingen", "−7,7 procentpunt", "0,004", "0,01", "van −14,2 tot −1,3"]
    assert [plain(cell) for cell in tables[0].rows[1][1:]] == ["verzegeld", "", "", ""]
    assert [plain(cell) for cell in tables[0].rows[2][1:4]] == ["+0,40 procentpunt", "geen p-waarde", ""]
    assert [plain(cell) for cell in tables[0].rows[3][2:4]] == ["0,06", "niet te corrigeren"]
    assert tables[0].columns[-1].title == "95%-interval, voor alle tegelijk"
    assert tables[1].folded and plain(tables[1].rows[0][1]) == "2"
    assert "hoogstens 12,5%" in tables[2].note and len(tables[2].columns) == 4
    assert "Van de 1 getoetste uitkomsten hebben er 3" in said and "zo geteld zijn het er 2" in said
    assert [plain(cell) for cell in tables[3].rows[0]][::2] == ["1", "niet meetbaar"]


def test_in_english() -> None:
    tables, said = cells("en")
    assert plain(tables[0].rows[0][0]) == "Vandalism" and plain(tables[0].rows[0][1]).startswith("−7.7 ")
    assert tables[0].columns[-1].title == "95% interval, for all at once"
    assert "9,999 draws" in said and "counted so there are 2" in said


def test_a_study_without_families_has_no_section() -> None:
    assert families((), (), texts("nl")) == []


def test_a_sealed_outcome_has_no_number_in_its_family() -> None:
    shown = visible(replace(SEALED, families=TOGETHER.families))
    for family in shown.families:
        for member in (*family.members, *family.horizons):
            assert member.indicator != SEALED.indicator or (member.state, member.value, member.low) == (
                "sealed",
                None,
                None,
            )
