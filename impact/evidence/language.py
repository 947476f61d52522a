"""The text catalogue, and how numbers, p-values and lists are written in a language.

A language is a file ``texts/<code>.yaml``. Dutch is complete; another language may leave out a whole top-level part
(there is then no such text in that language) but never one key of a part. Texts hold plain ``{names}`` and nothing
else: no attribute, index or conversion, so a value can be put in but never be run.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

from impact.errors import Problem, UsageError

__all__ = [
    "Texts",
    "date_words",
    "decimals",
    "exact",
    "languages",
    "listed",
    "number",
    "p_value",
    "percent_level",
    "significant",
    "texts",
]

_FOLDER = resources.files("impact.evidence") / "texts"
_FIRST = "nl"


class _Names(string.Formatter):
    """``{name}`` only."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        if not field_name.isidentifier():
            raise ValueError(f"{{{field_name}}} in a text is not a plain name")
        if not isinstance(kwargs[field_name], str):
            raise TypeError(f"{field_name} must be put into a text as text, not as {type(kwargs[field_name]).__name__}")
        return kwargs[field_name], field_name

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion is not None:
            raise ValueError(f"!{conversion} is not allowed in a text")
        return value

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec:
            raise ValueError(f":{format_spec} is not allowed in a text")
        return str(value)


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language, by dotted key.

    `written`: what an author wrote, in this language by its Dutch; it goes before the Dutch wherever that is filled in.
    """

    language: str
    entries: Mapping[str, str]
    written: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, key: str, **values: str) -> str:
        """The text of `key` with its names filled in.

        Raises
        ------
        UsageError
            ``TEXT-002`` when the language has no such text.
        """
        if key not in self.entries:
            raise UsageError(Problem("TEXT-002", f"there is no text {key!r} in language {self.language!r}"))
        if self.written:
            values = {name: self.own(value) if isinstance(value, str) else value for name, value in values.items()}
        return _Names().vformat(self.entries[key], (), values)

    def own(self, text: str) -> str:
        """A text of an author in this language, or as it is where it has no other."""
        return str(self.written.get(text, text))

    def known(self, key: str, otherwise: str) -> str:
        """The plain text of `key`, or `otherwise` where the catalogue does not know it (a name added elsewhere)."""
        return self.entries.get(key, otherwise)

    def __contains__(self, key: str) -> bool:
        return key in self.entries


def languages() -> tuple[str, ...]:
    """Codes of the languages that have a file."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")))


@cache
def texts(language: str, level: str = "") -> Texts:
    """The catalogue of `language`; for a study of another `level` its own texts go before the others.

    Those of ``gemeente`` are in the parts ``result_gemeente``, ``draw_gemeente``, …: an answer about whole gemeenten is
    never said to be about the areas in them.

    Raises
    ------
    UsageError
        ``TEXT-001`` when there is no such language; ``TEXT-003`` with every key that it lacks or has too many.
    """
    if language not in languages():
        raise UsageError(
            Problem("TEXT-001", f"there are no texts in language {language!r}", f"languages: {', '.join(languages())}")
        )
    entries = _read(language)
    if language != _FIRST:
        wrong = differing(_read(_FIRST), entries)
        if wrong:
            raise UsageError(
                Problem("TEXT-003", f"keys that differ from {_FIRST}: {', '.join(wrong)}", file=f"{language}.yaml")
            )
    own = {
        f"{part.removesuffix(f'_{level}')}.{key}": text
        for part, _, key, text in ((*name.partition("."), text) for name, text in entries.items())
        if level and part.endswith(f"_{level}")
    }
    return Texts(language, MappingProxyType(entries | own))


def differing(first: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Keys that one language has and the other has not, within the parts that `other` has at all."""
    parts = {key.split(".")[0] for key in other}
    wanted = {key for key in first if key.split(".")[0] in parts}
    return tuple(sorted(wanted ^ set(other)))


def number(x: float, language: str, digits: int, *, sign: bool = False) -> str:
    """`x` with `digits` decimals, a true minus sign, and thousands set apart.

    What rounds to zero has no sign. `sign` puts a plus before what is above zero.
    """
    say = texts(language)
    written = f"{abs(x):.{max(digits, 0)}f}"
    whole, _, part = written.partition(".")
    if len(whole) > 3:
        whole = f"{int(whole):,}".replace(",", say("format.thousands"))
    zero = not written.strip("0.")
    head = "" if zero else "−" if x < 0 else "+" if sign else ""
    return head + whole + (say("format.decimal") + part if part else "")


def decimals(std_error: float | None, value: float | None = None) -> int:
    """Decimals that leave two significant digits of the standard error; of the value where there is no error."""
    size = next((abs(x) for x in (std_error, value) if x is not None and math.isfinite(x) and x != 0), 1.0)
    # Two digits after rounding: 0.0996 counts as 0.10, so it asks for 2 decimals, not 3.
    exponent = int(f"{size:.1e}".split("e")[1])
    return min(max(1 - exponent, 0), 12)


def date_words(date: str, language: str) -> str:
    """``26 november 2026`` of ``2026-11-26``; what is no date stays as it is."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)", date)
    say = texts(language)
    if found is None or f"dates.{found[2]}" not in say:
        return date
    return say(f"dates.{found[2]}", day=found[3].lstrip("0"), year=found[1])


def percent_level(level: float, language: str) -> str:
    """The level of an interval in percent, with as many decimals as keep it from looking like 100."""
    left = 100 * (1 - level)
    places = 0 if abs(left - round(left)) < 1e-9 and left >= 1 else min(max(1 - math.floor(math.log10(left)), 1), 8)
    written = number(100 * level, language, places)
    sign = texts(language)("format.decimal")
    return written.rstrip("0").rstrip(sign) if sign in written else written


def significant(x: float, language: str, digits: int = 3) -> str:
    """`x` with at most `digits` significant digits, never fewer than its whole digits, and no zeros at the end."""
    exponent = int(f"{abs(x):.{digits - 1}e}".split("e")[1])
    places = min(max(digits - 1 - exponent, 0), 12)
    return number(x, language, len(f"{x:.{places}f}".rstrip("0").partition(".")[2]))


def exact(x: float, language: str) -> str:
    """`x` with every digit that was declared: a bound that is rounded could lie inside the interval that it bounds."""
    return number(x, language, len(f"{x:.12f}".rstrip("0").partition(".")[2]))


def p_value(p: float, language: str, draws: int | None = None) -> str:
    """Two decimals, three below 0.01 where the draws (if it was drawn) tell them apart; never 0."""
    error = 0.0 if draws is None else math.sqrt(p * (1 - p) / max(draws, 1))
    digits = 3 if p < 0.01 and error < 0.002 else 2
    if round(p, digits) == 0:
        return f"< {number(10.0**-digits, language, digits)}"
    return number(p, language, digits)


def listed(items: Iterable[str], language: str) -> str:
    """``a``, ``a en b``, ``a, b en c``."""
    all_items = list(items)
    if len(all_items) < 2:
        return "".join(all_items)
    return f"{', '.join(all_items[:-1])} {texts(language)('format.and')} {all_items[-1]}"


def _read(language: str) -> dict[str, str]:
    loaded = YAML(typ="safe", pure=True).load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return dict(_flat(loaded, ""))


def _flat(node: Any, above: str) -> Iterable[tuple[str, str]]:
    for key, value in node.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, dict):
            yield from _flat(value, path)
        elif isinstance(value, str):
            yield path, value
        else:
            raise TypeError(f"text {path} is {type(value).__name__}; put it between quotes")
