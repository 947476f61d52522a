"""The report of a run: one self-contained HTML page, a pure function of the evidence and its figures."""

from __future__ import annotations

from collections.abc import Mapping

from impact.evidence.conclusion import run_apart
from impact.evidence.disclosure import footnoted
from impact.evidence.document import Document
from impact.evidence.front import front, result
from impact.evidence.glossary import glossary
from impact.evidence.language import number, texts
from impact.evidence.look_words import looked
from impact.evidence.reading import in_language, visible
from impact.evidence.record import Evidence
from impact.evidence.render import html
from impact.evidence.sections import account
from impact.evidence.standing import standing_sentences
from impact.evidence.translation import dutch_in, in_words, page_in

__all__ = ["document", "report_html"]


def document(evidence: Evidence, figures: Mapping[str, str], language: str = "nl", translation: str = "") -> Document:
    """The parts of the report, before any format; `translation` is the file of the same page in the other language."""
    say = texts(language, evidence.level)
    shown = visible(in_words(evidence, language))
    areas = number(shown.compared_areas, language, 0)
    status = say(f"status.{shown.status}", areas=areas, total=number(shown.areas_total, language, 0))
    stands = (status + looked(evidence.look, say), *standing_sentences(shown.standing, say), *run_apart(shown, say))
    answer, first = result(shown, say), footnoted(front(shown, say), say)
    rest = footnoted(account(shown, {} if shown.sealed else figures, say), say)
    return Document(
        language,
        in_language(shown.title, language),
        in_language(shown.question, language),
        stands[0],
        tuple((name, page_in(file, language)) for name, file in shown.siblings),
        (say("status.placebo"), say("status.placebo_why")) if shown.placebo else None,
        answer,
        first,
        (*rest, *glossary((answer, *first, *rest), stands, say)),
        stands[1:],
        translation,
        dutch_in(evidence, language),
    )


def report_html(evidence: Evidence, figures: Mapping[str, str], language: str = "nl", translation: str = "") -> str:
    """The report as one HTML page without script, font or address from elsewhere.

    Parameters
    ----------
    evidence : Evidence
        What the run has to say. When it is sealed no number of the effect appears, whatever the figures hold.
    figures : mapping of str to str
        SVG by name, as ``impact.evidence.plots.figures`` gives them; they stand in the page as they are, so they
        must come from there and from nowhere else.
    language : str
        Language of the texts; study texts that are not in it are marked as Dutch.
    translation : str
        File of the same page in the other language, to which its head leads; "" for none.

    Raises
    ------
    UsageError
        ``TEXT-001``, ``TEXT-002`` when the language has no texts, or none for reports.
    """
    return html(document(evidence, figures, language, translation), texts(language, evidence.level))
