"""JSON Schema of a study, for editors: it accepts whatever the reader accepts, and refuses most of what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from impact.estimators.registry import ESTIMATORS
from impact.inference.registry import INFERENCES
from impact.study import fields
from impact.study.model import Specification
from impact.study.thresholds import CHECKS, ON_REQUEST

__all__ = ["schema"]

_Json: TypeAlias = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT = (
    "A study of the package impact. For completion and messages while writing, let the first line of a study.yaml be "
    "`# yaml-language-server: $schema=../../docs/study.schema.json`, with the path from that study to this file. What "
    "takes more than one key or the data to judge is said by `impact check` only."
)
# Years and school years as `sources.periods` reads them; a year with a month is neither.
_YEAR = r"(19\d\d|20\d\d|2100)"
_SPELLED = (
    rf"^\s*([Ss]chooljaar\s+{_YEAR}(SJ00|\s*[/\-–]\s*['’‘]?(\d\d)?\d\d)"
    rf"|{_YEAR}(JJ00|SJ00|\.0|\s*/\s*['’‘]?(\d\d)?\d\d)?"
    rf"|(?!{_YEAR}-(0[1-9]|1[0-2])\b(?!\d)){_YEAR}\s*[\-–]\s*['’‘]?(\d\d)?\d\d)"
    r"\s*(\*{1,2}|\(([Nn]ader )?[Vv]oorlopig\))?\s*$"
)
_PERIOD: _Json = {
    "title": "Period",
    "description": "a year, such as 2021, or a school year, such as 2021/'22",
    "anyOf": [
        {"type": "integer", "minimum": 1900, "maximum": 2100},
        {"type": "string", "pattern": _SPELLED},
    ],
}


def schema() -> _Json:
    """The JSON Schema (draft 2020-12) of a specification, with every short spelling that the reader takes."""
    made = Specification.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    parts: _Json = {name: _mended(part) for name, part in made.pop("$defs").items()}
    whole: _Json = _mended(made)
    parts |= {"Areas": _areas(parts["Areas"]), "Period": _PERIOD}
    parts["Inference"]["properties"]["name"]["enum"] = sorted(INFERENCES)
    parts["Inference"]["properties"]["beside"]["items"] = _method(INFERENCES)
    covariates = parts.pop("Estimating")["properties"]["covariates"]
    whole["properties"]["estimator"] = {
        **whole["properties"]["estimator"],
        **_method(ESTIMATORS, covariates=covariates),
    }
    for name in ("Covariate", "Factor"):
        parts[name] |= {"minProperties": 1, "maxProperties": 1}
    whole["properties"]["inference"]["anyOf"][0]["enum"] = sorted(INFERENCES)
    del parts["Method"]
    # One of two or three keys is needed, whichever it is.
    whole["anyOf"] = _needs(["outcome"], ["outcomes"])
    parts["Start"]["oneOf"] = _needs(["first_treated"], ["by_area"], ["column"])
    parts["OutcomeColumns"]["oneOf"] = _needs(["value"], ["numerator", "denominator"])
    meaning = whole.pop("description")
    head = {"$schema": _DIALECT, "title": "Study", "description": f"{meaning} {_ABOUT}"}
    rest = {key: value for key, value in whole.items() if key not in head}
    return {**head, **rest, "$defs": {name: parts[name] for name in sorted(parts)}}


class _AsWritten(GenerateJsonSchema):
    """Beside the kind of value that a key has, the short spellings that its validator takes."""

    def function_before_schema(self, schema: Any) -> _Json:
        """The schema of what is given to a validator, not of what comes out."""
        inner: _Json = self.generate_inner(schema["schema"])
        widen = _SPELLINGS.get(schema["function"]["function"])
        return inner if widen is None else widen(inner)


def _either(*choices: _Json) -> Callable[[_Json], _Json]:
    return lambda inner: {"anyOf": [*choices, inner]}


def _texts(inner: _Json) -> _Json:
    return {"anyOf": [inner["items"], inner]}


def _no_match(inner: _Json) -> _Json:
    return {"anyOf": [{"const": "none"}, *inner["anyOf"]]}


def _checks(inner: _Json) -> _Json:
    by_name = dict.fromkeys((*CHECKS, *ON_REQUEST), inner["additionalProperties"])
    return {
        "anyOf": [
            {"enum": ["standard", "survey"]},
            {"type": "object", "properties": by_name, "additionalProperties": False},
        ]
    }


_SPELLINGS: dict[Callable[..., object], Callable[[_Json], _Json]] = {
    fields.as_period: lambda inner: {"anyOf": _PERIOD["anyOf"]},
    fields.as_text: lambda inner: {**inner, "type": ["string", "number"]},
    fields.as_texts: _texts,
    fields.as_languages: _either({"type": "string", "minLength": 1}),
    fields.as_named: _either({"type": "string", "minLength": 1}),
    fields.as_covariate: _either({"type": "string", "minLength": 1}),
    fields.as_factor: _either({"type": "string", "minLength": 1}),
    fields.as_cluster: _either({"enum": ["gemeente", "unit"]}),
    fields.as_no_match: _no_match,
    fields.as_standard: _checks,
    fields.as_profile: _either({"enum": ["public", "cbs-ra"]}),
}


def _mended(node: Any) -> Any:
    """Without null (a key needs a value), with no names but those of a pattern, and with periods by reference."""
    if isinstance(node, list):
        return [_mended(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("anyOf") == _PERIOD["anyOf"]:
        return {**{key: value for key, value in node.items() if key != "anyOf"}, "$ref": "#/$defs/Period"}
    mended = {key: _mended(value) for key, value in node.items() if key != "default"}
    default = node.get("default")
    if isinstance(default, dict):
        default = {key: value for key, value in default.items() if value}
    if default is not None and default != {}:
        mended["default"] = default
    choices = [choice for choice in mended.get("anyOf", ()) if choice != {"type": "null"}]
    if choices:
        del mended["anyOf"]
        mended = {**choices[0], **mended} if len(choices) == 1 else {**mended, "anyOf": choices}
    if "patternProperties" in mended:
        mended["additionalProperties"] = False
    return mended


def _areas(part: _Json) -> _Json:
    """Three ways to give the areas, which the reader puts under three keys."""
    ways = part["properties"]
    column = {"type": "object", "properties": {"column": ways["column"]}, "required": ["column"]}
    choices = [{"const": "register"}, {**column, "additionalProperties": False}, ways["listed"]]
    return {"title": part["title"], "description": part["description"], "anyOf": choices}


def _method(registry: dict[str, str], **more: _Json) -> _Json:
    """A registered name, or a mapping with that name and the method's own parameters."""
    names = sorted(registry)
    mapping = {"type": "object", "properties": {"name": {"enum": names}, **more}, "required": ["name"]}
    return {"anyOf": [{"enum": names}, mapping]}


def _needs(*groups: list[str]) -> list[_Json]:
    return [{"required": group} for group in groups]
