"""Sentences about a specification: each knows what it is about, so that two specifications can be held side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from impact.evidence.document import Cell
from impact.evidence.language import Texts, listed, number, texts
from impact.evidence.reading import in_language, opening, plain
from impact.register.indicators import Indicator, indicators
from impact.study.fields import Text, Written
from impact.study.model import Outcome, Specification
from impact.terms import Term

__all__ = ["FOLLOWS", "Said", "Teller", "differing", "ended", "spoken", "texts_of", "untranslated"]

FOLLOWS = "follows"
"""The topic of a sentence that follows from others: when it is no longer said, that need not be told."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence, and what it is about: a dotted topic, of which the topics below it are parts."""

    topic: str
    text: Cell


@dataclass(frozen=True, slots=True)
class Teller:
    """A specification in the words of one language.

    Attributes
    ----------
    spec : Specification
    say : Texts
    built : bool
        Whether the regions it speaks of are units that were put together.
    """

    spec: Specification
    say: Texts
    built: bool = False

    @classmethod
    def of(cls, spec: Specification, language: str) -> Teller:
        """Tells `spec` in `language`.

        Raises
        ------
        UsageError
            ``TEXT-001`` when there is no such language.
        """
        return cls(spec, texts_of(spec, language))

    def __call__(self, key: str, topic: str = "", /, **values: str) -> Said:
        """The sentence `key`; its topic is the key unless another is given."""
        return Said(topic or key, opening(self.word(key, **values)))

    def word(self, key: str, /, **values: str) -> str:
        """The text `key` of the part on explanations; every text knows how this study calls its regions."""
        named = {"unit": self.unit, "units": self.units} | values
        return self.say(f"explain.{key}", **named)

    def knows(self, key: str) -> bool:
        """Whether there is a text `key` in the part on explanations."""
        return f"explain.{key}" in self.say

    @property
    def language(self) -> str:
        """Code of the language."""
        return self.say.language

    @property
    def unit(self) -> str:
        """What the rows of the outcomes are about: a wijk, buurt or gemeente."""
        return self.say(f"explain.unit.{self._level}")

    @property
    def units(self) -> str:
        """More than one of them."""
        return self.say(f"explain.units.{self._level}")

    @property
    def _level(self) -> str:
        unit = self.spec.unit
        if self.built:
            return "built"
        if unit is None:
            return self.spec.data.outcomes.level or "any"
        return str(unit.built_from) if unit.level == "focus-area" else unit.level

    def exact(self, x: float) -> str:
        """A number with every digit that the study gives it."""
        shortest = Decimal(repr(x)).normalize()
        return number(x, self.language, max(-int(shortest.as_tuple().exponent), 0))

    def percent(self, share: float) -> str:
        """A share as a percentage."""
        return self.say("format.percent", number=self.exact(round(100 * share, 9)))

    def count(self, x: int) -> str:
        """A whole number."""
        return number(x, self.language, 0)

    def listed(self, items: Iterable[str]) -> str:
        """``a, b en c``."""
        return listed(items, self.language)

    def quoted(self, items: Iterable[str]) -> str:
        """``‘a’ en ‘b’``."""
        return self.listed(self.word("quoted", text=item) for item in items)

    def column(self, name: str) -> str:
        """A column by name."""
        return self.word("column", name=name)

    def term(self, term: Term) -> str:
        """What is adjusted for, in words."""
        return spoken(term, self.say)

    def filter(self, where: dict[str, tuple[str, ...]]) -> str:
        """Which rows stay, column by column."""
        return self.listed(
            self.word("filter", column=self.column(column), values=self._either(values))
            for column, values in where.items()
        )

    def _either(self, values: tuple[str, ...]) -> str:
        """``a, b of c``."""
        head, last = values[:-1], values[-1]
        return f"{', '.join(head)} {self.word('or')} {last}" if head else last

    def reason(self, why: str) -> str:
        """A reason as the study gives it, to stand behind a sentence."""
        return self.word("reason", why=ended(self.say.own(why)))

    def own(self, text: Text) -> str:
        """A text of the study in the language, or as it is written."""
        return plain(in_language(text.languages(), self.language))

    def of_unit(self, outcome: Outcome) -> str:
        """The unit of a difference; that of the register in its own translation."""
        known: Indicator | None = outcome.registered
        given = outcome.measure.unit
        return known.unit_en if known and self.language == "en" and given == known.unit else given


def texts_of(spec: Specification, language: str) -> Texts:
    """The texts of a language as a study needs them: for its level, with what its author and the register wrote.

    Raises
    ------
    UsageError
        ``TEXT-001`` when there is no such language.
    """
    say = texts(language, "" if spec.unit is None else spec.unit.level)
    if language != "en":
        return say
    known = {dutch: english for found in indicators() for dutch, english in found.translations.items()}
    given = {str(text): text.en for text in _written(spec) if text.en}
    # A label that is a number would otherwise take the place of that number in every sentence.
    given = {dutch: english for dutch, english in given.items() if any(letter.isalpha() for letter in dutch)}
    return replace(say, written=known | given)


def untranslated(spec: Specification) -> tuple[str, ...]:
    """What the author wrote in Dutch alone and a report may repeat, each text once."""
    known = texts_of(spec, "en").written
    sources = [table.source for _, table in spec.data if hasattr(table, "source")]
    names = (one.name for one in spec.alternatives)
    rest = dict.fromkeys([*(str(text) for text in _written(spec) if not text.en), *sources, *names])
    return tuple(text for text in rest if text and text not in known)


def _written(value: Any) -> Iterator[Written]:
    """Every text of an author in a part of a study."""
    if isinstance(value, Written):
        yield value
    elif isinstance(value, Text):
        yield Written(value.nl, value.en or "")
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from _written(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _written(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _written(part)


def spoken(term: Term, say: Texts) -> str:
    """A covariate in words: ``the logarithm of inwoners``."""
    parts = {name: spoken(part, say) for name, part in zip(("one", "other"), term.parts, strict=False)}
    return say(f"explain.term.{term.kind}", **({"column": term.column} if term.column else parts))


def ended(text: str) -> str:
    """A text that ends as a sentence does."""
    text = text.strip()
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def differing(one: Sequence[Said], other: Sequence[Said]) -> tuple[list[Said], list[Said]]:
    """What `other` says and `one` does not; and what is no longer said, unless something new is said on its topic."""
    before, after = {said.text for said in one}, {said.text for said in other}
    added = [said for said in other if said.text not in before]
    gone = [said for said in one if said.text not in after]

    def replaced(old: Said) -> bool:
        if old.topic == FOLLOWS or any(old.topic.startswith(f"{new.topic}.") for new in added):
            return True
        # Several sentences on one topic that give way to fewer: then what went is named.
        return sum(new.topic == old.topic for new in added) >= sum(other.topic == old.topic for other in gone)

    return added, [said for said in gone if not replaced(said)]
