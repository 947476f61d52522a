"""What a study says now and did not say when it was locked, in the sentences of its protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from impact.evidence.document import Paragraph, Points
from impact.evidence.language import listed, texts
from impact.evidence.reading import plain
from impact.study.explain import explain
from impact.study.model import Specification
from impact.study.read import Study
from impact.study.validate import canonical

__all__ = ["changes", "restored"]


def restored(spec: Mapping[str, Any]) -> Specification | None:
    """The specification of which `spec` is the canonical JSON; None where this version cannot read it."""
    said = _tuples(dict(spec))
    areas = said.get("treatment", {}).get("areas", {})
    # As a study writes it: the word register, or the mapping of areas itself.
    for key in ("register", "listed"):
        if key in areas:
            said["treatment"] = {**said["treatment"], "areas": areas[key]}
    try:
        return Specification.model_validate(said)
    except ValidationError:
        return None


def changes(spec: Mapping[str, Any], study: Study, language: str = "nl") -> tuple[str, ...]:
    """What `study` says otherwise than the locked `spec`: sentences that are new or gone, then every key that differs.

    Where this version cannot put the locked specification into words, only the keys.
    """
    say = texts(language)
    now = json.loads(canonical(study.model))
    old = restored(spec)
    found: list[str] = []
    if old is not None:
        before = _sentences(replace(study, model=old, variations=()), language)
        after = _sentences(replace(study, variations=()), language)
        found += [say("amended.gone", text=text) for text in before if text not in after]
        found += [say("amended.new", text=text) for text in after if text not in before]
    keys = sorted(_differing(spec, now, ""))
    return (*found, say("amended.keys", list=listed(keys, language))) if keys else tuple(found)


def _sentences(study: Study, language: str) -> list[str]:
    """Every sentence of the protocol but those on alternatives, which are told as keys."""
    return [
        plain(text)
        for section in explain(study, language)
        if section.name != "alternatives"
        for block in section.blocks
        for text in (block.pieces if isinstance(block, Paragraph) else block.items if isinstance(block, Points) else ())
    ]


def _differing(one: Any, other: Any, path: str) -> Iterator[str]:
    """Paths of what differs; lists are told as a whole unless they are as long."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {*one, *other}:
            if key not in one or key not in other:
                yield f"{path}.{key}".lstrip(".")
            else:
                yield from _differing(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(mine, theirs, f"{path}[{number}]")
    elif one != other:
        yield path.lstrip(".")


def _tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return value
