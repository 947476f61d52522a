"""The kinds of values that keys of a specification take, and the short spellings that stand for longer ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = [
    "Code",
    "Label",
    "Part",
    "Slug",
    "Spellings",
    "Text",
    "Texts",
    "Word",
    "Year",
    "as_areas",
    "as_cluster",
    "as_named",
    "as_no_match",
    "as_standard",
    "fault",
]


def fault(message: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("SPEC-007", "{message}", {"message": message, "hint": hint})


def as_year(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and 1900 <= int(value) <= 2100 and len(value) == 4:
            return value
        if any(mark in value for mark in "/'"):
            raise fault(
                "school years come with a later version (reading what evaluators have)", "Use years such as 2021."
            )
        raise fault("is not a year", "Write four digits, such as 2021.")
    return value


def as_text(value: object) -> object:
    """Codes and labels may look like numbers."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def as_texts(value: object) -> object:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def as_languages(value: object) -> object:
    return {"nl": value} if isinstance(value, str) else value


def as_named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def as_areas(value: object) -> object:
    if isinstance(value, str):
        return {"register": value}
    if isinstance(value, dict) and not (value.keys() == {"column"} and isinstance(value["column"], str)):
        return {"listed": value}
    return value


def as_cluster(value: object) -> object:
    return {"by": value} if isinstance(value, str) else value


def as_no_match(value: object) -> object:
    return None if value == "none" else value


def as_standard(value: object) -> object:
    if value == "standard":
        return {}
    if value == "survey":
        raise fault(
            "the standard thresholds for surveys come with a later version", "Write standard, or thresholds by name."
        )
    if isinstance(value, str):
        raise fault(
            f"checks are 'standard' or thresholds by name, not '{value}'",
            "Write standard, or for instance {balance: 0.1}.",
        )
    return value


Word = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Year = Annotated[str, BeforeValidator(as_year)]
Label = Annotated[str, BeforeValidator(as_text)]
Code = Annotated[str, BeforeValidator(as_text), Field(min_length=1)]
Spellings = Annotated[tuple[Label, ...], BeforeValidator(as_texts)]


class Part(BaseModel):
    """A mapping of a specification: frozen, no unknown keys, no conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class Text(Part):
    """A text in Dutch and, when given, in English."""

    nl: Word = Field(description="the text in Dutch")
    en: Word | None = None

    def languages(self) -> dict[str, str]:
        """Language code to text."""
        return {"nl": self.nl} if self.en is None else {"nl": self.nl, "en": self.en}


Texts = Annotated[Text, BeforeValidator(as_languages)]
