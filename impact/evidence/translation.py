"""The record of a run in a second language: its sentences by their place, laid over the Dutch record.

The record holds plain Dutch. ``Evidence.translations`` holds, by language, what a text at a place (a JSON pointer, RFC
6901) is in that language. Numbers, names and keys are in the record alone: no language can differ in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from impact.evidence.record import Evidence

__all__ = ["KEYS", "OTHERS", "SAME", "dutch_in", "in_words", "page_in", "translated"]

SAME: Final[frozenset[str]] = frozenset(
    {
        *("study", "title", "question", "status", "placebo", "seed", "spec_sha256", "indicator", "outcome", "better"),
        *("versions", "standing", "signed", "schema", "translations", "untranslated", "disclosed", "map", "look"),
        *("phrase", "also_as", "context"),
    }
)
"""Parts of the record that are the same in every language: keys and digests, and what holds its languages itself."""

OTHERS: Final = ("en",)
"""Languages that a record may have beside Dutch."""

KEYS: Final[frozenset[str]] = frozenset(
    {
        *("name", "slug", "indicator", "role", "kind", "what", "file", "sha256", "verdict", "stage", "says", "state"),
        *("term", "weighting", "method", "inference", "level", "weighing", "whole", "period", "start"),
    }
)
"""Texts anywhere in it that are no words but keys of them: a language never has others."""


def translated(dutch: Evidence, english: Evidence, untranslated: Sequence[str] = ()) -> Evidence:
    """`dutch` with the texts of `english` beside it, and with those that an author gave in Dutch alone.

    Parameters
    ----------
    dutch, english : Evidence
        The same run, told in both languages.
    untranslated : sequence of str
        Texts of the author that stand in both as they were written.

    Raises
    ------
    ValueError
        The two differ in anything but a text, or in a text that is a key; names the place.
    """
    found = dict(_differing(dutch, english, ""))
    for path in found:
        _check(path.split("/"))
    return replace(dutch, translations={"en": found}, untranslated=tuple(untranslated))


def in_words(evidence: Evidence, language: str) -> Evidence:
    """The record with its texts in `language`; as it is where it has none in that language.

    Raises
    ------
    ValueError
        A text is said to stand at a place where the record has none.
    """
    texts = evidence.translations.get(language)
    if not texts or language == "nl":
        return evidence
    laid: Evidence = _laid(evidence, _tree(texts), "")
    return laid


def dutch_in(evidence: Evidence, language: str) -> tuple[str, ...]:
    """Texts that a page in `language` has in Dutch: those of the author, or all where the record has no others."""
    if language == "nl":
        return ()
    if language in evidence.translations:
        return evidence.untranslated
    texts = (text for path, text in _texts(evidence, "") if path.split("/")[1] not in SAME)
    return tuple(dict.fromkeys([evidence.unit, *(text for text in texts if " " in text)]))


def page_in(file: str, language: str) -> str:
    """The file of a page in `language`, from that of the Dutch one: ``report.html``, ``report.en.html``."""
    return file if language == "nl" else f"{file.removesuffix('.html')}.{language}.html"


# --- places in a record -----------------------------------------------------------------------------------------------


def _parts(value: Any) -> Iterator[tuple[str, Any]] | None:
    """What a value holds, by the step that leads there; None for one that holds nothing."""
    if is_dataclass(value) and not isinstance(value, type):
        return ((one.name, getattr(value, one.name)) for one in fields(value) if one.compare)
    if isinstance(value, Mapping):
        return ((str(key).replace("~", "~0").replace("/", "~1"), part) for key, part in value.items())
    if isinstance(value, tuple | list):
        return ((str(place), part) for place, part in enumerate(value))
    return None


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    parts = _parts(value)
    if isinstance(value, str):
        yield path, value
    for step, part in parts or ():
        yield from _texts(part, f"{path}/{step}")


def _differing(one: Any, other: Any, path: str) -> Iterator[tuple[str, str]]:
    """Places at which the texts differ, with the other text."""
    if isinstance(one, str) and isinstance(other, str):
        if one != other:
            yield path, str(other)
        return
    parts, others = _parts(one), _parts(other)
    if parts is None or others is None:
        if one != other or type(one) is not type(other):
            raise ValueError(f"{path} is {one!r} in one language and {other!r} in another")
        return
    left, right = dict(parts), dict(others)
    if left.keys() != right.keys():
        raise ValueError(f"{path} has {len(left)} parts in one language and {len(right)} in another")
    for step, part in left.items():
        yield from _differing(part, right[step], f"{path}/{step}")


def _check(steps: list[str]) -> list[str]:
    """The steps of a path, where a language may have a text of its own."""
    if len(steps) < 2 or steps[0] or steps[1] in SAME or steps[-1] in KEYS:
        raise ValueError(f"{'/'.join(steps)[:80]!r} is no place of a text that a language has")
    return steps


def _tree(texts: Mapping[str, str]) -> dict[str, Any]:
    """Texts by the steps to them."""
    tree: dict[str, Any] = {}
    for path, text in texts.items():
        _, *steps = _check(path.split("/"))
        node = tree
        for step in steps[:-1]:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise ValueError(f"{path[:80]!r} lies within a text")
        if node.setdefault(steps[-1], text) is not text:
            raise ValueError(f"{path[:80]!r} is given twice, or holds other texts")
    return tree


def _laid(value: Any, tree: Any, path: str) -> Any:
    """The value with the texts of the tree in their places."""
    if not isinstance(tree, dict):
        if not isinstance(tree, str) or not isinstance(value, str):
            raise ValueError(f"there is no text at {path[:80]!r}")
        return tree
    parts = dict(_parts(value) or ())
    if strange := tree.keys() - parts.keys():
        raise ValueError(f"there is nothing at '{path[:80]}/{min(strange)[:80]}'")
    changed = {step: _laid(parts[step], below, f"{path}/{step}") for step, below in tree.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **changed)
    new = {**parts, **changed}
    if isinstance(value, Mapping):
        return dict(zip(value, new.values(), strict=True))
    return type(value)(new.values())
