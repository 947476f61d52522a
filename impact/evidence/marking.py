"""Marks the Dutch in a page of another language, so that a screen reader and a browser say it as Dutch (WCAG 3.1.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

from impact.evidence.document import Foreign
from impact.harmless import shown

__all__ = ["marked", "parted"]

_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][\w:.-]*)[^>]*>|<!(?:--.*?--|[^>]*)>", re.DOTALL)
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
# Where a mark has no place (the title of a page or of a drawing), or what is written is no sentence.
_QUIET = frozenset({"title", "desc", "style", "script", "code", "pre", "metadata"})
_LEAST = 2


def parted(text: str, dutch: Sequence[str]) -> tuple[str | Foreign, ...]:
    """`text` in pieces, those that are one of `dutch` marked; a first letter may be large or small there."""
    found = _pattern(tuple(dutch))
    pieces: list[str | Foreign] = []
    end = 0
    for match in () if found is None else found.finditer(text):
        pieces += [text[end : match.start()], Foreign(match[0], "nl")]
        end = match.end()
    return tuple(piece for piece in (*pieces, text[end:]) if piece)


def marked(page: str, dutch: Sequence[str]) -> str:
    """An HTML page in which every text of `dutch` is marked, in its drawings too."""
    # Quotes stand as they are in drawings, and as the template writes them elsewhere.
    said = tuple(escape(shown(text), quote=False) for text in dutch)
    said += tuple(text.replace('"', "&#34;").replace("'", "&#39;") for text in said)
    if _pattern(said) is None:
        return page
    out: list[str] = []
    inside: list[tuple[str, bool, bool]] = []  # open elements: name, whether nothing is marked in it, whether drawn
    end = 0
    for tag in _TAG.finditer(page):
        out.append(_text(page[end : tag.start()], said, inside))
        out.append(tag[0])
        end, name = tag.end(), (tag["name"] or "").lower()
        if not name or name in _VOID or tag[0].endswith("/>"):
            continue
        if tag["end"]:
            while inside and inside.pop()[0] != name:
                pass
            continue
        _, quiet, drawn = inside[-1] if inside else ("", False, False)
        quiet = quiet or name in _QUIET or (name != "html" and " lang=" in tag[0])
        inside.append((name, quiet, drawn or name == "svg"))
    return "".join([*out, page[end:]])


def _text(text: str, dutch: Sequence[str], inside: Sequence[tuple[str, bool, bool]]) -> str:
    if not text.strip() or not inside or inside[-1][1]:
        return text
    mark = "tspan" if inside[-1][2] else "span"
    return "".join(
        piece if isinstance(piece, str) else f'<{mark} lang="{piece.lang}">{piece.text}</{mark}>'
        for piece in parted(text, dutch)
    )


@lru_cache(maxsize=32)
def _pattern(dutch: tuple[str, ...]) -> re.Pattern[str] | None:
    """Finds the longest of the texts at every place, as whole words."""
    texts = {text.strip().rstrip(".") for text in dutch}
    texts = {text for text in texts if len(text) >= _LEAST and any(letter.isalpha() for letter in text)}
    if not texts:
        return None
    ways = "|".join(_either(text) for text in sorted(texts, key=lambda text: (-len(text), text)))
    return re.compile(rf"(?<!\w)(?:{ways})(?!\w)")


def _either(text: str) -> str:
    first = text[0]
    return f"[{first.lower()}{first.upper()}]{re.escape(text[1:])}" if first.isalpha() else re.escape(text)
