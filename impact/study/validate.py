"""From a tree of values to a specification, with every finding placed.

A key that is misspelled, or that a wrong indent put elsewhere, is reported and then taken for what it was meant to be,
so that what stands inside it is judged too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import rfc8785
from pydantic import BaseModel, ValidationError

from impact.study.faults import Fault
from impact.study.later import ELSEWHERE, INSTEAD, LATER, LATER_VALUES
from impact.study.model import Specification
from impact.study.rules import faults
from impact.study.source import Finding, Loc, Node, Place
from impact.study.versions import upgraded

__all__ = ["canonical", "conforming", "dotted", "placed", "placed_faults", "validate"]

_MOST = 50
_Model = TypeVar("_Model", bound=BaseModel)


def canonical(model: BaseModel) -> bytes:
    """RFC 8785 JSON of what a specification says, without what is standard anyway.

    Notes from the field are no part of what a study means: they come as they come, also after it was locked.
    """
    said = model.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"context"})
    if "outcome" in said:
        said["outcomes"] = [said.pop("outcome")]
    return rfc8785.dumps(said)


def dotted(loc: Loc) -> str:
    """``comparison.leave_out[0].rule``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".")


def placed(tree: Node, loc: Loc, *, key: bool) -> Place:
    """Place of the value at `loc`, or of its key; of the deepest part of `loc` that is there."""
    node, found = tree.at(loc)
    if key and found and isinstance(found[-1], str):
        return tree.at(found[:-1])[0].keys[found[-1]]
    return node.place


def validate(tree: Node) -> tuple[Specification | None, list[Finding]]:
    """The specification, or None, and everything that is wrong; repairs of keys are made in `tree` itself."""
    if "studies" in tree.content:
        message = "This is a collection of studies, and here one study is asked for."
        hint = "Read it with `read_collection`, or give one of its studies."
        return None, [Finding("SPEC-012", message, hint, tree.keys["studies"], "studies")]
    model, findings = conforming(tree, Specification)
    found = [] if model is None else placed_faults(tree, faults(model))
    return (None if findings or found else model), findings + found


def conforming(tree: Node, root: type[_Model]) -> tuple[_Model | None, list[Finding]]:
    """What `tree` says as a `root`, or None, and what is wrong with its keys and values one by one."""
    # In another version a key may mean something else: nothing more can be said of the others.
    if unread := upgraded(tree):
        return None, unread
    findings = list(_without_value(tree, ()))
    empty = {finding.path for finding in findings}
    while True:
        try:
            return root.model_validate(tree.plain()), findings
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=True)
            strange = [_clean(found["loc"]) for found in errors if found["type"] == "extra_forbidden"]
            if not strange:
                wrong = [_finding(tree, found, root) for found in errors]
                return None, findings + [found for found in wrong if found.path not in empty]
            # One at a time: a moved or renamed key can make another one known. Not when there are more than are shown:
            # every one takes a whole reading.
            for loc in strange if len(findings) > _MOST else strange[:1]:
                if tree.at(loc)[1][-1:] == loc[-1:]:
                    findings.append(_mend(tree, loc, root))


def placed_faults(tree: Node, found: Iterable[Fault]) -> list[Finding]:
    """Faults with their place in `tree`."""
    return [
        Finding(
            fault.code,
            _sentence(fault.message),
            fault.hint,
            placed(tree, fault.loc, key=False),
            _path(tree, fault.loc),
        )
        for fault in found
    ]


def _clean(loc: tuple[str | int, ...]) -> Loc:
    return tuple(step for step in loc if step != "[key]")


def _path(tree: Node, loc: Loc) -> str:
    return dotted(tree.at(loc)[1])


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _without_value(node: Node, loc: Loc) -> Iterator[Finding]:
    """Keys with nothing behind them; they are taken out."""
    if isinstance(node.content, list):
        for number, below in enumerate(node.content):
            yield from _without_value(below, (*loc, number))
    if not isinstance(node.content, dict):
        return
    for key, below in list(node.content.items()):
        if below.content is None:
            hint = "Fill it in, or take the key out."
            yield Finding("SPEC-007", f"`{key}` has no value.", hint, node.keys[key], dotted((*loc, key)))
            del node.content[key]
        else:
            yield from _without_value(below, (*loc, key))


# --- keys -------------------------------------------------------------------------------------------------------------


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(loc: Loc, root: type[BaseModel]) -> type[BaseModel]:
    model = root
    for step in loc:
        field = _keys(model).get(str(step))
        below = next(_models(field.annotation), None) if field is not None else None
        model = below or model
    return model


@cache
def _homes(root: type[BaseModel]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Every key with the mappings it belongs in, not counting mappings inside lists or under names."""
    homes: dict[str, list[tuple[str, ...]]] = {}

    def walk(model: type[BaseModel], loc: tuple[str, ...]) -> None:
        for key, field in _keys(model).items():
            homes.setdefault(key, []).append(loc)
            nested = field.annotation
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                walk(nested, (*loc, key))

    walk(root, ())
    return {key: tuple(locs) for key, locs in homes.items()}


def _mend(tree: Node, loc: Loc, root: type[BaseModel]) -> Finding:
    """Say what is wrong with the key at `loc`, and rename it, move it or take it out."""
    _, found = tree.at(loc)
    key, inside = str(found[-1]), found[:-1]
    mapping = tree.at(inside)[0]
    place = mapping.keys[key]
    path = dotted(found)
    plain = ".".join(str(step) for step in found if isinstance(step, str))
    value = mapping.content.pop(key)
    if plain in LATER:
        hint = "Take it out for now; a key is accepted only when a run acts on it."
        return Finding("SPEC-005", f"`{key}` comes with a later version ({LATER[plain]}).", hint, place, path)
    if plain in INSTEAD:
        return Finding("SPEC-004", f"`{key}` is not used here.", INSTEAD[plain], place, path)
    known = list(_keys(_model_at(loc[:-1], root)))
    where = f"under `{dotted(inside)}`" if inside else "at the top level"
    home = next((home for home in _homes(root).get(key, ()) if home != inside), None) if key not in known else None
    close = get_close_matches(key, known, n=1)
    if home is not None and not (close and key.casefold() == close[0].casefold()):
        target, there = tree.at(home)
        spoken = f"under `{'.'.join(home)}`" if home else "at the top level"
        if there == home and isinstance(target.content, dict) and key not in target.content:
            target.content[key], target.keys[key] = value, place
        return Finding(
            "SPEC-004", f"There is no key `{key}` {where}.", f"It belongs {spoken}: check the indent.", place, path
        )
    if close:
        if close[0] not in mapping.content:
            mapping.content[close[0]], mapping.keys[close[0]] = value, place
        return Finding("SPEC-004", f"There is no key `{key}` {where}.", f"Did you mean `{close[0]}`?", place, path)
    hint = f"Keys here are {', '.join(known)}."
    return Finding("SPEC-004", f"There is no key `{key}` {where}.", hint, place, path)


# --- values -----------------------------------------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list in [ ]",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "finite_number": "a finite number",
}


def _finding(tree: Node, error: Any, root: type[BaseModel]) -> Finding:
    loc, kind, value, context = _clean(error["loc"]), error["type"], error["input"], error.get("ctx", {})
    path = _path(tree, loc)
    place = placed(tree, loc, key=False)
    name = f"`{next((step for step in reversed(loc) if isinstance(step, str)), 'the study')}`"
    if kind == "missing" and isinstance(loc[-1], int):
        return Finding("SPEC-007", f"{name} must be a list of 2 items; here are {loc[-1]}.", "", place, path)
    if kind == "missing":
        field = _keys(_model_at(loc[:-1], root)).get(str(loc[-1]))
        meant = getattr(field, "description", None) or ""
        where = f" under `{_path(tree, loc[:-1])}`" if _path(tree, loc[:-1]) else ""
        at = placed(tree, loc[:-1], key=True)
        full = ".".join(part for part in (_path(tree, loc[:-1]), str(loc[-1])) if part)
        return Finding("SPEC-006", f"`{loc[-1]}` is missing{where}.", _sentence(meant) if meant else "", at, full)
    if kind.startswith("SPEC-"):
        return Finding(
            kind,
            _sentence(f"{name} {context['message']}" if context["message"].startswith("is ") else context["message"]),
            context["hint"],
            place,
            path,
        )
    said = _spoken(value)
    if kind in _EXPECTED:
        hint = {"string_type": f'Put it in quotes: "{value}".', "bool_type": "Without quotes."}.get(kind, "")
        if isinstance(value, (dict, tuple)):
            hint = ""
        return Finding("SPEC-007", f"{name} must be {_EXPECTED[kind]}; it is {said}.", hint, place, path)
    if kind == "literal_error":
        plain = ".".join(step for step in tree.at(loc)[1] if isinstance(step, str))
        beside = ELSEWHERE.get(plain, {}).get(str(value))
        if beside is not None:
            return Finding("SPEC-005", f"{name}: a study has one answer, and no '{value}'.", beside, place, path)
        part = LATER_VALUES.get(plain, {}).get(str(value))
        if part is not None:
            return Finding(
                "SPEC-005",
                f"{name}: '{value}' comes with a later version ({part}).",
                f"Here now: {context['expected']}.",
                place,
                path,
            )
        close = get_close_matches(
            str(value), context["expected"].replace("'", "").replace(" or ", ", ").split(", "), n=1
        )
        hint = f"Did you mean '{close[0]}'?" if close else ""
        return Finding("SPEC-007", f"{name} must be {context['expected']}; it is {said}.", hint, place, path)
    return Finding("SPEC-007", f"{name} {_limit(kind, context)}; it is {said}.", "", place, path)


def _limit(kind: str, context: dict[str, Any]) -> str:
    match kind:
        case "greater_than":
            return f"must be above {context['gt']}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than":
            return f"must be below {context['lt']}"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case "string_too_short":
            return "may not be empty"
        case "string_too_long":
            return f"may have {context['max_length']} characters"
        case "string_pattern_mismatch":
            return (
                "is spelled in small letters, digits and single dashes"
                if "a-z" in context["pattern"]
                else "has 64 hexadecimal digits"
            )
        case "too_short" | "too_long":
            least = context.get("min_length", context.get("max_length"))
            return f"must have {'at least' if kind == 'too_short' else 'at most'} {least}"
        case _:
            return "cannot be read"


def _spoken(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, tuple)):
        what, count = ("a mapping", len(value)) if isinstance(value, dict) else ("a list", len(value))
        return f"{what} of {count}"
    return f"'{value}'" if isinstance(value, str) else str(value)
