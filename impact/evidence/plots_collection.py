"""The forest over the indicators of several studies, for a collection of them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from impact.drawing import SMALL, WIDTH, look
from impact.evidence.conclusion import concluded, judged
from impact.evidence.disclosed import withheld
from impact.evidence.language import Texts, listed, texts
from impact.evidence.plots import OUTCOMES, source
from impact.evidence.plots_forest import ForestRow, forest
from impact.evidence.reading import in_language, plain, printed
from impact.evidence.record import Evidence
from impact.evidence.svg import rendered, wrapped
from impact.evidence.translation import in_words

__all__ = ["collection_figures", "indicator_rows"]


def collection_figures(outcomes: Sequence[Evidence], language: str = "nl") -> dict[str, str]:
    """SVG by name: ``forest``, of all outcomes in the order in which they are given; none without any number.

    Outcomes in different units share one axis where all of them have a smallest difference that matters, in times that;
    otherwise every unit has an axis of its own. What is sealed, or not shown for another reason, is named.
    """
    say = texts(language)
    said = [in_words(evidence, language) for evidence in outcomes]
    rows = indicator_rows(said, say)
    units = {row.unit for row in rows if row.value is not None}
    matters = all(row.smallest is not None for row in rows if row.value is not None)
    about = source([file for evidence in said for file in evidence.data], OUTCOMES, say)

    def sign(figure: Figure, name: str, title: str, text: str) -> str:
        figure.supxlabel(wrapped(about, WIDTH - 0.1, SMALL), x=0.01, ha="left", fontsize=SMALL)
        return rendered(figure, name, title, f"{text} {about}".rstrip())

    unsaid = [row.name for row, one in zip(rows, said, strict=True) if row.value is not None and not concluded(one)]
    together = " ".join(
        [say("figures.judged"), *([say("answer.unsaid", list=listed(unsaid, language))] if unsaid else [])]
    )
    with look():
        common = len(units) > 1 and matters
        drawn = forest(rows, "forest", say("figures.forest_title"), together, say, sign, common=common)
    return {} if drawn is None else {"forest": drawn}


def indicator_rows(outcomes: Sequence[Evidence], say: Texts) -> list[ForestRow]:
    """One row an outcome, with the interval that its statement rests on; nothing of what is sealed."""
    return [_row(evidence, say) for evidence in outcomes]


def _row(evidence: Evidence, say: Texts) -> ForestRow:
    name, own = plain(in_language(evidence.outcome, say.language)), judged(evidence)
    shown = None if evidence.sealed else printed(own)
    if shown is None:
        state = "not-measurable" if evidence.not_measurable else "sealed" if evidence.sealed else ""
        words = (
            say(f"family.state.{state}")
            if state
            else say("words.withheld" if withheld(own.refused) else "words.refused")
        )
        return ForestRow(name, evidence.unit, state=words)
    note = "" if evidence.better == "neither" else say(f"figures.better_{evidence.better}")
    return ForestRow(name, evidence.unit, shown.digits, shown.value, shown.low, shown.high, "", evidence.smallest, note)
