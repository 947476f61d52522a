"""The flow to the donor pool: every step is drawn inside its box and said in words, in both languages."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from impact.design.donors import Pool, donor_pool, focus_area
from impact.design.donors_rules import outside_pool
from impact.drawing import look
from impact.evidence.flow import _drawn, flow_svg, flow_text, steps_of
from impact.evidence.language import texts
from impact.evidence.record import FlowStep

SVG = "{http://www.w3.org/2000/svg}"
LONG = "beleid en politie-inzet van dezelfde gemeente; verplaatsing naar wijken ernaast, " * 3
STEPS = (
    FlowStep("alle wijken", "", 0, 14_393),
    FlowStep("behandeld", "", 61, 14_332),
    FlowStep("WWWWWWWW WWWWWWWW WWWWWWWW WWWWWWWW", LONG, 12_204, 2_128),
    FlowStep("met naam uitgezonderd", "herindeling", 0, 2_128),
    FlowStep("te klein", "gemiddelde onder 10", 1, 2_127),
)


def test_the_alternative_text_says_every_count() -> None:
    assert flow_text(STEPS, 1_200, texts("nl")) == (
        "Stroomschema van boven naar beneden. Er zijn 14.393 eenheden; 2.127 blijven over als mogelijk "
        "vergelijkingsgebied. Achtereenvolgens vallen af: 61 (behandeld), 12.204 (WWWWWWWW WWWWWWWW WWWWWWWW WWWWWWWW) "
        "en 1 (te klein). In 1 stap valt niets af. Met gewicht in de vergelijking: 1.200."
    )
    assert flow_text(STEPS[:1], None, texts("en")) == (
        "Flow chart from top to bottom. There are 14,393 units; 14,393 are left as possible comparison areas."
    )


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_one_element_with_ids_of_its_own(language: str) -> None:
    svg = flow_svg(STEPS, None, language, "stroom")
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}title") == texts(language)("pool.title")
    assert root.findtext(f"{SVG}desc") == flow_text(STEPS, None, texts(language))
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids)) and all(str(name).startswith("stroom-") for name in ids)
    assert root.find(f".//{SVG}text") is None, "letters are paths, so that no font is needed"
    assert svg == flow_svg(STEPS, None, language, "stroom")


@pytest.mark.parametrize("compared", [None, 1_200])
def test_texts_stay_inside_their_boxes_and_boxes_apart(compared: int | None) -> None:
    with look():
        figure = _drawn(STEPS, compared, texts("nl"), "18 van de 20 focusgebieden")
        figure.set_dpi(720)  # at low resolution letters are fitted to the pixels, which no SVG has
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        axes, renderer = figure.axes[0], canvas.get_renderer()
        whole = figure.bbox
        boxes = [p.get_window_extent(renderer) for p in axes.patches if isinstance(p, Rectangle)]
        assert len(boxes) == len(STEPS) + (1 if compared is None else 2)
        for box in boxes:
            assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        for above, below in pairwise(boxes):
            assert below.y1 < above.y0
        drawn = [text for text in axes.texts if text.get_text()]
        extents = [text.get_window_extent(renderer) for text in drawn]
        loose = []
        for text, extent in zip(drawn, extents, strict=True):
            inside = [
                b for b in boxes if b.x0 <= extent.x0 and extent.x1 <= b.x1 and b.y0 <= extent.y0 and extent.y1 <= b.y1
            ]
            touched = [box for box in boxes if box.overlaps(extent)]
            assert len(inside) == 1 or not touched, text.get_text()
            loose += [] if inside else [text.get_text()]
        assert loose == ["14.332", "2.128", "18 van de 20 focusgebieden"], "what is left stands beside the line"
        for number, one in enumerate(extents):
            assert not any(one.overlaps(other) for other in extents[number + 1 :]), drawn[number].get_text()


def test_counts_that_do_not_add_up_are_not_drawn() -> None:
    with pytest.raises(ValueError, match="100 less 3 is not 96"):
        flow_svg((FlowStep("alle", "", 0, 100), FlowStep("weg", "", 3, 96)))
    with pytest.raises(ValueError, match="at least the step"):
        flow_svg(())


def test_every_step_of_a_pool_has_words_in_both_languages() -> None:
    units = ("t", "a", "b", "c")
    pool = donor_pool(
        units,
        np.array([True, False, False, False]),
        [outside_pool(units, ["a", "b"], "afgewezen", ""), focus_area(["", "oost", "", ""], "krijgt het ook")],
        "afgewezen",
    )
    assert isinstance(pool, Pool)
    steps = steps_of(pool, texts("nl"))
    assert [(step.step, step.reason, step.removed, step.left) for step in steps] == [
        ("alle eenheden in de gegevens", "", 0, 4),
        ("behandeld in deze studie", "", 1, 3),
        ("zit niet in de gekozen groep", "afgewezen", 1, 2),
        ("ligt in een focusgebied", "krijgt het ook", 1, 1),
    ]
    english = steps_of(pool, texts("en"))
    assert [step.step for step in english][2:] == ["not in the chosen pool", "lies in a focus area"]
    keys = [{key for key in texts(code).entries if key.startswith("pool.step.")} for code in ("nl", "en")]
    assert keys[0] == keys[1] and all(re.fullmatch(r"pool\.step\.[a-z-]+", key) for key in keys[0])
