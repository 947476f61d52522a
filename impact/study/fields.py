"""The kinds of values that keys of a specification take, and the short spellings that stand for longer ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from impact.sources.periods import read_period
from impact.terms import KINDS, Term, read_terms

__all__ = [
    "SURVEY",
    "Belongs",
    "Code",
    "Covariate",
    "Factor",
    "Part",
    "Period",
    "Slug",
    "Spellings",
    "Text",
    "Texts",
    "Word",
    "Written",
    "as_areas",
    "as_cluster",
    "as_collection",
    "as_covariate",
    "as_factor",
    "as_named",
    "as_no_match",
    "as_profile",
    "as_standard",
    "as_texts",
    "fault",
    "whole",
]


SURVEY: dict[str, float] = {"respondents": 50}
"""What ``checks: survey`` adds: at least so many respondents behind every figure of a treated unit."""


def fault(message: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("SPEC-007", "{message}", {"message": message, "hint": hint})


def whole(value: object) -> object:
    """A whole number: `true` and `1.0` equal 1 and are not written so."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise fault("is not a whole number", "Write 1, without quotes.")
    return value


def as_period(value: object) -> object:
    """A year or a school year in one spelling; the months and quarters of a table are no periods of a study."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return value
    label, why = read_period(value.strip())
    if why or not (label.isdigit() or "/" in label):
        raise fault("is not a year or a school year", 'Write four digits, such as 2021, or "2021/\'22".')
    return label


def as_text(value: object) -> object:
    """Codes and labels may look like numbers."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def as_texts(value: object) -> object:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def as_languages(value: object) -> object:
    if isinstance(value, Written):
        return value.languages()
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


def as_factor(value: object) -> object:
    """A name stands for the column as it is; anything else is one word and what it is about."""
    return _one_word(value, KINDS[:-1])


def as_covariate(value: object) -> object:
    """As `as_factor`; it can be an interaction too."""
    return _one_word(value, KINDS)


def _one_word(value: object, known: Sequence[str]) -> object:
    if isinstance(value, str):
        return {"column": value}
    if not isinstance(value, dict):
        return value
    strange = [key for key in value if key not in known]
    if strange:
        near = get_close_matches(str(strange[0]), known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Here known: {', '.join(known)}."
        said = {"message": f"covariates know no `{strange[0]}` here", "hint": hint}
        raise PydanticCustomError("SPEC-004", "{message}", said)
    if len(value) != 1:
        hint = "Write for instance `inwoners`, `{log: inwoners}` or `{category: klasse}`, each an item of its own."
        raise fault(f"a covariate is one word with its column, and here are {len(value)}", hint)
    return value


def as_profile(value: object) -> object:
    """A name stands for the disclosure rules of that name."""
    return {"profile": value} if isinstance(value, str) else value


def as_collection(value: object) -> object:
    """The file of a collection, which stands beside the folder of the study; it is named and not opened."""
    if not isinstance(value, str) or not re.fullmatch(r"\.\./[a-z0-9]+(-[a-z0-9]+)*\.yaml", value):
        raise fault(
            "names no collection", "Write for instance ../tussenevaluatie-2026.yaml: the file beside the folder."
        )
    return value


def as_no_match(value: object) -> object:
    return None if value == "none" else value


def as_standard(value: object) -> object:
    if value == "standard":
        return {}
    if value == "survey":
        return dict(SURVEY)
    if isinstance(value, str):
        raise fault(
            f"checks are 'standard', 'survey' or thresholds by name, not '{value}'",
            "Write standard, survey, or for instance {balance: 0.1}.",
        )
    return value


Word = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Belongs = Annotated[
    str,
    BeforeValidator(as_collection),
    Field(description="the file of the collection in which the outcomes of this study are judged with those of others"),
]
Period = Annotated[str, BeforeValidator(as_period)]
Code = Annotated[str, BeforeValidator(as_text), Field(min_length=1)]
Spellings = Annotated[tuple[Annotated[str, BeforeValidator(as_text)], ...], BeforeValidator(as_texts)]


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


class Written(str):
    """A sentence or a word of an author: it is its Dutch, whatever it is given to, and its English stands beside it.

    Attributes
    ----------
    en : str
        "" where the author gives none.
    """

    en: str

    def __new__(cls, nl: str, en: str = "") -> Written:
        made = super().__new__(cls, nl)
        made.en = en
        return made

    def languages(self) -> dict[str, str]:
        """Language code to text."""
        return {"nl": str(self), "en": self.en} if self.en else {"nl": str(self)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Given as `Text` is, and told again as it was given: one text, or one by language."""
        given = core_schema.no_info_before_validator_function(as_languages, handler.generate_schema(Text))
        told = core_schema.plain_serializer_function_ser_schema(_told)
        return core_schema.no_info_after_validator_function(_written, given, serialization=told)


def _written(text: Text) -> Written:
    return Written(text.nl, text.en or "")


def _told(text: Written) -> str | dict[str, str]:
    return text.languages() if text.en else str(text)


class Factor(Part):
    """A column of the units table as it is, its logarithm (`log`), its `square`, or its levels (`category`)."""

    column: Word | None = None
    log: Word | None = None
    square: Word | None = None
    category: Word | None = None

    @property
    def term(self) -> Term:
        """What is asked of the columns.

        Raises
        ------
        UsageError
            ``TERM-001``: an interaction of something with itself.
        """
        return read_terms([self.model_dump(exclude_none=True)])[0]


class Covariate(Factor):
    """A characteristic that the estimate adjusts for; `interaction` is the product of two."""

    interaction: (
        tuple[Annotated[Factor, BeforeValidator(as_factor)], Annotated[Factor, BeforeValidator(as_factor)]] | None
    ) = None
