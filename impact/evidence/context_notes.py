"""Notes from the field beside the results: a small part of Markdown, read as text, in a frame of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from impact.evidence.document import Cell, Foreign, Framed, Paragraph, Points
from impact.evidence.language import Texts

__all__ = ["Note", "framed"]

_HEADING = re.compile(r" {0,3}#{1,6}(?:\s+|$)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+")
_RULE = re.compile(r" {0,3}(?:(?:-\s*){3,}|(?:_\s*){3,}|(?:\*\s*){3,}|`{3,}.*|~{3,}.*)")
_QUOTE = re.compile(r"^ {0,3}(?:> ?)+")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\(([^()\s]{0,2000})(?:\s[^()\n]{0,500})?\)")
_ADDRESS = re.compile(r"<(https?://[^<>\s]{1,2000})>")
_MARK = re.compile(r"(?<!\w)(?:\*+|_+)(?=\S)|(?<=\S)(?:\*+|_+)(?!\w)|`+")


@dataclass(frozen=True, slots=True)
class Note:
    """A file of what others say, as it is: `sha256` is of the bytes that `text` was read from."""

    file: str
    sha256: str
    text: str


def framed(note: Note, say: Texts) -> Framed:
    """The note in its frame; its first heading is the title, and it stays in the language it was written in."""
    parts = list(_parts(note.text))
    title = PurePosixPath(note.file).name
    if parts and parts[0][0] == "heading" and parts[0][1][0]:
        title = parts.pop(0)[1][0]
    blocks = tuple(
        Points(tuple(_own(line, say) for line in lines)) if kind == "list" else Paragraph((_own(lines[0], say),))
        for kind, lines in parts
        if lines[0]
    )
    return Framed(_own(title, say), blocks, say("context.source", file=note.file))


def _own(text: str, say: Texts) -> Cell:
    return text if say.language == "nl" else Foreign(text, "nl")


def _parts(text: str) -> Iterator[tuple[str, list[str]]]:
    """Headings, paragraphs and lists, each as lines without marks; HTML and whatever else is left is text."""
    kind, lines = "", [""]
    for line in [*text.removeprefix("\ufeff").splitlines(), ""]:
        line = _QUOTE.sub("", line).rstrip()
        heading, item = _HEADING.match(line), _ITEM.match(line)
        ends = not line or _RULE.fullmatch(line) is not None
        if kind and (ends or heading or ((item is not None) != (kind == "list") and not _continues(kind, line))):
            yield kind, [_plain(one) for one in lines]
            kind, lines = "", [""]
        if ends:
            continue
        if heading:
            yield "heading", [_plain(line[heading.end() :].rstrip("# "))]
        elif item is not None:
            kind, lines = "list", [*(lines if kind == "list" else []), line[item.end() :]]
        else:
            kind = kind or "paragraph"
            lines[-1] = f"{lines[-1]} {line.strip()}".strip()


def _continues(kind: str, line: str) -> bool:
    """A line that goes on with the last item of a list."""
    return kind == "list" and _ITEM.match(line) is None


def _plain(text: str) -> str:
    """Without marks of emphasis and code; a link as its words with the address behind them."""
    text = _ADDRESS.sub(r"\1", _LINK.sub(_link, text))
    return " ".join(_MARK.sub("", text).split())


def _link(found: re.Match[str]) -> str:
    words, address = found[1].strip(), found[2]
    if found[0].startswith("!") or not address:
        return words
    return f"{words} ({address})" if words and words != address else address
