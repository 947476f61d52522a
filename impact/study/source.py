"""The text of a specification as a tree of values that know their place.

Read is plain YAML 1.2: mappings, lists and scalars. Tags, anchors and aliases are refused, so that a value is what it
looks like and a small file cannot unfold into a large one. Numbers are only those that look like one: ``051833`` and
``1_000`` stay text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from impact.harmless import hidden

__all__ = ["MAX_BYTES", "Finding", "Loc", "Node", "Place", "excerpt", "parse"]

MAX_BYTES = 100_000
"""A specification takes a few thousand bytes; larger files are refused unread."""
_MAX_DEPTH = 20
_MAX_REPAIR = 20_000
_ROUNDS = 5

Loc: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]  # line and column, from 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a place; becomes a ``Problem`` when the file's name and lines are added."""

    code: str
    message: str
    hint: str = ""
    place: Place | None = None
    path: str = ""


@dataclass(slots=True)
class Node:
    """A value and its place; `content` is a scalar, a list of nodes, or a dict of nodes with their keys' places."""

    content: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)

    def plain(self) -> Any:
        """The value without places; lists as tuples."""
        if isinstance(self.content, dict):
            return {key: node.plain() for key, node in self.content.items()}
        if isinstance(self.content, list):
            return tuple(node.plain() for node in self.content)
        return self.content

    def at(self, loc: Loc) -> tuple[Node, Loc]:
        """The deepest node along `loc` and the part of `loc` that was found; absent steps are passed over."""
        node, found = self, list[str | int]()
        for step in loc:
            content = node.content
            inside = (
                step in content
                if isinstance(content, dict)
                else (isinstance(content, list) and isinstance(step, int) and step < len(content))
            )
            if inside:
                node = content[step]
                found.append(step)
        return node, tuple(found)

    def places(self) -> Iterator[Place]:
        """The places of all values and keys in it."""
        yield self.place
        yield from self.keys.values()
        below = self.content.values() if isinstance(self.content, dict) else self.content
        for node in below if isinstance(self.content, (dict, list)) else ():
            yield from node.places()


def excerpt(text: str, place: Place | None) -> str:
    """The line at `place`, with tabs as one space so that a caret can point into it."""
    lines = text.splitlines()
    return lines[place[0] - 1].replace("\t", " ")[:200] if place and place[0] <= len(lines) else ""


def parse(text: str) -> tuple[Node | None, list[Finding]]:
    """The tree of a YAML text and what is wrong with the text.

    Where it is no YAML, the likeliest single repair (an indent, quotes, a tab) is taken and named as the hint, so that
    the rest of the text can be read and everything else that is wrong in it said in the same go.

    Returns
    -------
    tree : Node or None
        None when nothing could be read.
    findings : list of Finding
        ``SPEC-002`` no YAML; ``SPEC-003`` YAML that a specification may not use.
    """
    findings: list[Finding] = []
    for _ in range(_ROUNDS):
        try:
            return _read(text, findings)
        except YAMLError as error:
            place = _place_of(error, text)
            mended, hint, place = _repair(text, error, place) if len(text) <= _MAX_REPAIR else ("", "", place)
            hint = hint or "Texts with ': ', ' #' or one of []{},&*!|>%@` at the start need quotes; indent with spaces."
            findings.append(Finding("SPEC-002", _words(error), hint, place))
            if not mended:
                return None, findings
            text = mended
    return None, findings


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _read(text: str, findings: list[Finding]) -> tuple[Node | None, list[Finding]]:
    forbidden = _forbidden(text)
    if forbidden is not None:
        return None, [*findings, forbidden]
    root = _yaml().compose(text)
    if not isinstance(root, MappingNode):
        what = "The file is empty." if root is None else "The file holds no keys."
        return None, [*findings, Finding("SPEC-003", what, "A study starts with `schema: 1` and `id: …`.", (1, 1))]
    found = list(findings)
    return _node(root, found), found


def _forbidden(text: str) -> Finding | None:
    """What a specification may not use, found event by event, before anything is built or unfolded."""
    depth = documents = 0
    for event in _yaml().parse(text):
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1) if mark else None
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            quoted = "If a text starts with * or &, put it in quotes; otherwise write the value out where it is needed."
            return Finding("SPEC-003", "Anchors and aliases (& and *) are not read.", quoted, place)
        tag = getattr(event, "tag", None)
        if tag is not None:
            quoted = "Leave the tag out; if a text starts with !, put it in quotes."
            return Finding("SPEC-003", f"The tag {tag} is not read.", quoted, place)
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            return Finding(
                "SPEC-003", "A second document starts here.", "One file holds one study: take out `---`.", place
            )
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            return Finding("SPEC-003", f"More than {_MAX_DEPTH} levels lie inside each other.", place=place)
    return None


def _node(raw: Any, findings: list[Finding]) -> Node:
    place = (raw.start_mark.line + 1, raw.start_mark.column + 1)
    if isinstance(raw, SequenceNode):
        return Node([_node(item, findings) for item in raw.value], place)
    if isinstance(raw, ScalarNode):
        _seen(raw.value, place, findings)
        return Node(raw.value if raw.style else _scalar(raw.value), place)
    node = Node({}, place)
    for key, value in raw.value:
        at = (key.start_mark.line + 1, key.start_mark.column + 1)
        name = key.value if isinstance(key, ScalarNode) else ""
        _seen(name, at, findings)
        if not name:
            findings.append(Finding("SPEC-003", "A key is one word.", "Put a text with : or ? in quotes.", at))
        elif name in node.content:
            first = node.keys[name][0]
            findings.append(
                Finding("SPEC-003", f"`{name}` stands here for the second time.", f"First on line {first}.", at)
            )
        else:
            node.content[name] = _node(value, findings)
            node.keys[name] = at
    return node


def _seen(text: str, place: Place, findings: list[Finding]) -> None:
    """Every character of a text must be one that a reader sees: others hide what a study says, or command a screen."""
    if sign := hidden(text):
        name = unicodedata.name(sign, "a control character").lower()
        hint = "Write the text again, without copying it."
        findings.append(
            Finding("SPEC-003", f"An invisible character stands here (U+{ord(sign):04X}, {name}).", hint, place)
        )


_INT = re.compile(r"[-+]?(0|[1-9]\d{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def _scalar(text: str) -> object:
    """What an unquoted scalar says."""
    if text in _WORDS or text in ("True", "TRUE", "False", "FALSE", "Null", "NULL"):
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _place_of(error: YAMLError, text: str) -> Place:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        # At the end of the text the mark stands on a line that does not exist.
        return (min(mark.line + 1, max(len(text.splitlines()), 1)), mark.column + 1)
    before = text[: getattr(error, "position", 0)]
    return (before.count("\n") + 1, len(before) - before.rfind("\n"))


def _words(error: YAMLError) -> str:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    start = re.search(r"found character (.+?) that cannot start any token", problem)
    if start:
        return (
            "A tab stands here."
            if "\\t" in start[1] or "\t" in start[1]
            else (f"A text cannot start with {start[1]} unless it is quoted.")
        )
    if problem.startswith("mapping values are not allowed"):
        return "A ': ' stands where no key can stand: the text needs quotes, or the line another indent."
    context = getattr(error, "context", None)
    return f"This is no YAML: {problem}{f' {context}' if context else ''}."


def _repair(text: str, error: YAMLError, place: Place) -> tuple[str, str, Place]:
    """The text with one line changed so that it can be read further, the change in words, and where; else "" twice."""
    lines = text.splitlines()
    marks = (getattr(error, "problem_mark", None), getattr(error, "context_mark", None))
    numbers = dict.fromkeys([place[0] - 1, *(mark.line for mark in marks if mark), place[0] - 2])
    found = []
    for number in numbers:
        if not 0 <= number < len(lines):
            continue
        for line, hint, likely in _changes(lines, number):
            mended = "\n".join([*lines[:number], line, *lines[number + 1 :]]) + "\n"
            reach = _reach(mended)
            if reach > place[0]:
                bare = len(lines[number]) - len(lines[number].lstrip())
                at = place if number == place[0] - 1 else (number + 1, bare + 1)
                found.append((reach, likely, (mended, f"Line {number + 1}: {hint}", at)))
    return max(found, key=lambda one: one[:2])[2] if found else ("", "", place)


def _changes(lines: list[str], number: int) -> Iterator[tuple[str, str, int]]:
    """Ways to write one line otherwise, in words, and how likely each is meant: an indent by how many lines have it."""
    line = lines[number]
    bare = line.lstrip()
    value = re.fullmatch(r"(\s*(?:- )*[\w.-]+:\s+)([^\s'\"\[{|>#].*?)(\s+#.*)?", line)
    if value:
        quoted = '"' + value[2].replace("\\", "\\\\").replace('"', '\\"') + '"'
        yield (
            value[1] + quoted + (value[3] or ""),
            f"put the text in quotes: {value[1].strip()} {quoted}",
            len(lines) + 2,
        )
    if "\t" in line:
        yield line.replace("\t", "  "), "write spaces instead of tabs.", len(lines) + 1
    now = len(line) - len(bare)
    indents = [len(other) - len(other.lstrip()) for other in lines if other.strip()]
    for indent in sorted(set(indents) - {now}, key=lambda indent: abs(indent - now))[:4]:
        # One space too many or too few is a slip; further away it takes more lines to be likely.
        yield (
            " " * indent + bare,
            f"indent by {indent} spaces instead of {now}.",
            indents.count(indent) // abs(indent - now),
        )


def _reach(text: str) -> float:
    """The line on which reading stops; inf when it does not."""
    try:
        forbidden = _forbidden(text)
    except YAMLError as error:
        return _place_of(error, text)[0]
    return forbidden.place[0] if forbidden and forbidden.place else float("inf")
