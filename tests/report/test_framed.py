"""A frame holds what somebody else says: set apart on the page and in plain text, and never markup."""

from __future__ import annotations

import re

from impact.evidence.document import Document, Framed, Paragraph, Points, Section
from impact.evidence.language import texts
from impact.evidence.render import html, plain_text

FRAME = Framed("Uit <de> buurt", (Paragraph(("Een <b>note</b>",)), Points(("een", "twee"))), "Bron: noten/x.md.")


def test_a_frame_stands_apart_on_the_page_and_holds_no_markup() -> None:
    result = Section("r", "R", (Paragraph(("ervoor",)), FRAME, Paragraph(("erna",))))
    page = html(Document("nl", "t", "q", "s", (), None, result, (), ()), texts("nl"))
    (inside,) = re.findall(r'<div class="framed".*?</div>', page, re.DOTALL)
    assert "Uit &lt;de&gt; buurt" in inside and "Een &lt;b&gt;note&lt;/b&gt;" in inside
    assert "<li>een</li>" in inside and "Bron: noten/x.md." in inside
    assert "ervoor" not in inside and "erna" not in inside
    label = re.search(r'aria-labelledby="([^"]+)"', inside)
    assert label is not None and f'id="{label[1]}"' in inside


def test_a_frame_stands_apart_in_plain_text() -> None:
    lines = plain_text([Section("r", "R", (FRAME, Paragraph(("erna",))))]).splitlines()
    assert lines == [
        "R",
        "  | Uit <de> buurt",
        "  | Een <b>note</b>",
        "  |",
        "  | - een",
        "  | - twee",
        "  | Bron: noten/x.md.",
        "",
        "  erna",
    ]
