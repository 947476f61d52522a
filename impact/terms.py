"""How covariates are spelled: a column, its logarithm or square, its levels, or the product of two of these.

The spelling is one in Python and in a study: the name of a column, or a mapping of one word to what it is about. It is
structure and never a formula: nothing that is written here is run.

=========================  ==============================  ==========================================
spelling                   columns that come of it         asks
=========================  ==============================  ==========================================
``inwoners``               ``inwoners``                    numbers
``{log: inwoners}``        ``log(inwoners)``               numbers above 0; 1 is never added to them
``{square: dichtheid}``    ``square(dichtheid)``           numbers
``{category: klasse}``     ``klasse=2``, ``klasse=3``, …   texts or whole numbers; the first level in
                                                           sorted order has no column of its own
``{interaction: [a, b]}``  ``a:b``; for categories         two of the above
                           ``klasse=2:b``, …
=========================  ==============================  ==========================================

A plain name can be written as ``{column: inwoners}`` too. Codes of the problems (stable), those from 3 on of
``impact.covariates``:

========  ==========================================================
TERM-001  a spelling that is no term
TERM-002  two terms that are one, or that give columns of one name
TERM-003  a value is missing where the outcome was observed
TERM-004  a logarithm of 0 or less
TERM-005  a category of something else than texts or whole numbers, or of too many levels
TERM-006  a category of one level
TERM-007  a number that is too large to compute with
TERM-008  a column that is the outcome, the period, the unit, the start or the treatment
========  ==========================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, get_args

from impact.errors import Problem, UsageError, raise_all

__all__ = ["KINDS", "Spelled", "Term", "parse_terms", "read_terms", "repeated"]

Kind = Literal["column", "log", "square", "category", "interaction"]

KINDS: tuple[Kind, ...] = get_args(Kind)

_SPELLINGS = "a column, {log: COLUMN}, {square: COLUMN}, {category: COLUMN} or {interaction: [ONE, OTHER]}"


@dataclass(frozen=True, slots=True)
class Term:
    """One covariate as it is asked for.

    Attributes
    ----------
    kind : {"column", "log", "square", "category", "interaction"}
    column : str
        What it is made of; "" for an interaction.
    parts : tuple of Term
        The two of an interaction, which are no interactions themselves.
    """

    kind: Kind
    column: str = ""
    parts: tuple[Term, ...] = ()

    @property
    def name(self) -> str:
        """``inwoners``, ``log(inwoners)``, ``category(klasse)``, ``inwoners:category(klasse)``."""
        if self.kind == "interaction":
            return ":".join(part.name for part in self.parts)
        return self.column if self.kind == "column" else f"{self.kind}({self.column})"

    @property
    def factors(self) -> tuple[Term, ...]:
        """What is multiplied: the parts of an interaction, or the term itself."""
        return self.parts or (self,)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns of numbers that it needs."""
        return tuple(part.column for part in self.factors if part.kind != "category")

    @property
    def categories(self) -> tuple[str, ...]:
        """Columns of levels that it needs."""
        return tuple(part.column for part in self.factors if part.kind == "category")


Spelled: TypeAlias = str | Mapping[str, Any] | Term
"""A term as it is written: a name, or a mapping of one word."""


# --- spelling ---------------------------------------------------------------------------------------------------------


def read_terms(given: Iterable[Spelled]) -> tuple[Term, ...]:
    """The terms that are spelled.

    Raises
    ------
    UsageError
        ``TERM-001`` and ``TERM-002``, all at once.
    """
    if isinstance(given, (str, Mapping)):
        raise UsageError(Problem("TERM-001", f"covariates are a list, and {given!r} is none", f"write [{given!r}]"))
    problems: list[Problem] = []
    found = [term for one in given if (term := _read(one, problems)) is not None]
    raise_all([*problems, *repeated(found)], UsageError)
    return tuple(found)


def repeated(terms: Sequence[Term]) -> Iterator[Problem]:
    """Terms that stand twice, also with the parts of an interaction the other way round."""
    alike = [frozenset(term.factors) for term in terms]
    for number, term in enumerate(terms):
        if alike[number] in alike[:number]:
            yield Problem("TERM-002", f"the covariate {term.name!r} stands here for the second time", "take one out")


def _read(given: object, problems: list[Problem], *, inside: bool = False) -> Term | None:
    def wrong(message: str, hint: str = f"write {_SPELLINGS}") -> Term | None:
        problems.append(Problem("TERM-001", message, hint))
        return None

    if isinstance(given, Term):
        return given
    if isinstance(given, str):
        return Term("column", given) if given.strip() else wrong("a covariate without a name")
    if not isinstance(given, Mapping) or len(given) != 1:
        return wrong(f"{given!r} is no covariate")
    ((word, of),) = given.items()
    if word not in KINDS:
        near = get_close_matches(str(word), KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"write {_SPELLINGS}"
        return wrong(f"covariates know no word {word!r}", hint)
    if word != "interaction":
        return Term(word, of) if isinstance(of, str) and of.strip() else wrong(f"{word} of {of!r}, which is no column")
    if inside:
        return wrong("an interaction of an interaction", "make a column of your own where three things come together")
    if isinstance(of, (str, Mapping)) or not isinstance(of, Sequence) or len(of) != 2:
        return wrong(f"an interaction of {of!r}", "write {interaction: [ONE, OTHER]}")
    one, other = (_read(part, problems, inside=True) for part in of)
    if one is None or other is None:
        return None
    if one == other:
        return wrong(f"an interaction of {one.name} with itself", f"write {{square: {one.column}}}")
    return Term("interaction", parts=(one, other))


def parse_terms(text: str) -> tuple[Spelled, ...]:
    """What is written on a command line, separated by commas: ``inwoners,log:huur,interaction:a,category:b``.

    ``interaction:`` takes the two terms that follow it. A column with such a word in front of a colon is written as
    ``column:log:x``.

    Raises
    ------
    UsageError
        ``TERM-001`` for an interaction of fewer than two.
    """
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    found: list[Spelled] = []
    while pieces:
        found.append(_next(pieces))
    return tuple(found)


def _next(pieces: list[str]) -> Spelled:
    """The first term of `pieces`, which are taken out."""
    piece = pieces.pop(0)
    word, colon, rest = piece.partition(":")
    if not colon or word not in KINDS:
        return piece
    if word != "interaction":
        return {word: rest.strip()}
    pieces[:0] = [rest.strip()] if rest.strip() else []
    if len(pieces) < 2:
        message = f"{piece!r} has fewer than two terms behind it"
        raise UsageError(Problem("TERM-001", message, "such as interaction:inwoners,category:klasse"))
    return {word: [_next(pieces), _next(pieces)]}
