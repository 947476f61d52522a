"""Declared alternatives: the study with some keys changed, each a whole specification of its own."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from impact.study.later import LATER
from impact.study.match_rules import known_to
from impact.study.model import Specification
from impact.study.source import Finding, Node
from impact.study.validate import validate

__all__ = ["Variation", "alternatives"]

_CHANGEABLE = ("periods", "leave_out", "breaks", "unit", "treatment", "target", "comparison", "estimator", "inference")
# A change of these asks another question, whatever the study says.
_ANOTHER_QUESTION = (
    ("target",),
    ("unit",),
    *(("treatment", key) for key in ("areas", "members", "delineation", "start")),
    ("comparison", "match", "estimand"),
)
_METHODS = ("estimator", "inference")
_MOST = 100


@dataclass(frozen=True, slots=True, eq=False)
class Variation:
    """One alternative: its name, the reason for it, whether it estimates the same, and its specification."""

    name: str
    why: str
    same_estimand: bool
    model: Specification


def alternatives(tree: Node, model: Specification | None) -> tuple[tuple[Variation, ...], list[Finding]]:
    """The alternatives of a study and what is wrong with them.

    When the study itself is wrong (`model` None) only what is wrong inside a change is found.
    """
    listed = tree.content.get("alternatives")
    found: list[Variation] = []
    findings: list[Finding] = []
    if listed and isinstance(listed.content, list) and len(listed.content) > _MOST:
        message = f"A study has at most {_MOST} alternatives; here are {len(listed.content)}."
        return (), [
            Finding("SPEC-011", message, "Keep those that a reader would ask for.", listed.place, "alternatives")
        ]
    for number, node in enumerate(listed.content if listed and isinstance(listed.content, list) else ()):
        change = node.content.get("change") if isinstance(node.content, dict) else None
        if change is None or not isinstance(change.content, dict):
            continue
        path = f"alternatives[{number}].change"
        wrong = list(_unchangeable(change, path))
        if model is not None and model.alternatives[number].same_estimand:
            wrong += _another_question(change, path)
        merged = _merged(tree, change)
        varied, inside = validate(merged)
        own = set(change.places())
        for finding in inside:
            if finding.place in own:
                wrong.append(
                    Finding(finding.code, finding.message, finding.hint, finding.place, f"{path}.{finding.path}")
                )
            elif model is not None:
                message = f"With this change the study cannot be: {finding.message}"
                where = f"It is about `{finding.path}`. {finding.hint}".strip()
                wrong.append(Finding("SPEC-011", message, where, node.keys["change"], path))
        if model is not None and varied is not None and not wrong:
            declared = model.alternatives[number]
            found.append(Variation(declared.name, declared.why, declared.same_estimand, varied))
        findings += wrong
    return tuple(found), findings


def _unchangeable(change: Node, path: str) -> list[Finding]:
    findings = []
    for key in list(change.content):
        if key not in _CHANGEABLE:
            coming = f" (changing `{key}` comes with a later version: {LATER[key]})" if key in LATER else ""
            hint = f"An alternative changes {', '.join(_CHANGEABLE)}."
            place = change.keys[key]
            code = "SPEC-005" if coming else "SPEC-011"
            findings.append(
                Finding(code, f"An alternative cannot change `{key}`{coming}.", hint, place, f"{path}.{key}")
            )
    if not change.content:
        findings.append(Finding("SPEC-011", "This alternative changes nothing.", place=change.place, path=path))
    return findings


def _another_question(change: Node, path: str) -> list[Finding]:
    findings = []
    for loc in _ANOTHER_QUESTION:
        node, there = change.at(loc)
        if there == loc:
            message = f"Changing `{'.'.join(loc)}` asks another question, so `same_estimand` is false here."
            findings.append(Finding("SPEC-011", message, place=node.place, path=f"{path}.{'.'.join(loc)}"))
    return findings


def _merged(tree: Node, change: Node) -> Node:
    """The study with the change laid over it: mappings key by key, the rest replaced.

    A method that is named anew starts from its own standard values; a new way of matching keeps what it knows too.
    """
    rest = {key: node for key, node in tree.content.items() if key != "alternatives"}
    base = deepcopy(Node(rest, tree.place, tree.keys))
    for key in _CHANGEABLE:
        if key in change.content:
            _lay(base, key, change)
    return base


def _lay(base: Node, key: str, change: Node) -> None:
    new, old = change.content[key], base.content.get(key)
    afresh = key in _METHODS and (not isinstance(new.content, dict) or "name" in new.content)
    if old is None or afresh or not (isinstance(old.content, dict) and isinstance(new.content, dict)):
        base.content[key], base.keys[key] = deepcopy(new), change.keys[key]
        return
    if key == "match" and "method" in new.content:
        for stale in [name for name in old.content if not known_to(str(new.content["method"].content), name)]:
            del old.content[stale]
    for below in new.content:
        _lay(old, below, new)
