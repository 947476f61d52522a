"""How far a study was fixed beforehand: its status, what speaks for it, and the words for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from impact.evidence.language import Texts, date_words, listed, number

__all__ = ["Amendment", "Deposit", "Standing", "Status", "standing_sentences"]

Status: TypeAlias = Literal["pre-specified", "amended", "deviation", "exploratory"]


@dataclass(frozen=True, slots=True)
class Deposit:
    """Where the lock was put by a third party that dates what it keeps: in what, when and under which reference."""

    where: str
    date: str
    reference: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change of a locked study.

    Attributes
    ----------
    at, why : str
    kind : {"amendment", "deviation"}
        Made before outcomes were seen, or afterwards.
    changes : tuple of str
        What the study says now and did not say before, and the other way round, in sentences.
    lock8, deposit
        Of the lock before it.
    """

    at: str
    why: str
    kind: Literal["amendment", "deviation"]
    changes: tuple[str, ...]
    lock8: str
    deposit: Deposit | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What lock and ledger say of a study as it is run.

    Attributes
    ----------
    status : {"pre-specified", "amended", "deviation", "exploratory"}
    because : str
        Why no better: a key of the text catalogue, ``unlocked``, ``gone`` (the lock), ``specification`` (it differs
        from the lock), ``ledger`` (it is broken), ``foreign`` (the ledger knows another lock, or none), ``unreadable``
        (the lock), ``outcomes`` (opened before the lock), ``amended``, ``data`` (of the design, or under a name
        that was locked) or ``reopened`` (other outcomes were opened first); "" when there is nothing to say.
    detail : str
        What that speaks of.
    lock8 : str
        "" where there is no lock.
    locked : str
        Date of the lock, as the ledger has it.
    look : int
        Which planned delivery this is.
    ran, tried : int
        Other set-ups of this study of which outcomes were seen, and that were looked at without.
    amendments : tuple of Amendment
    revised : tuple of str
        What a later delivery changed in earlier periods.
    short : str
        Why it was locked although it cannot detect what it needs to.
    deposit : Deposit or None
    late : bool
        Whether the ledger has the deposit after outcomes had been opened: then it does not show what was fixed before.
    """

    status: Status = "exploratory"
    because: str = "unlocked"
    detail: str = ""
    lock8: str = ""
    locked: str = ""
    look: int = 1
    ran: int = 0
    tried: int = 0
    amendments: tuple[Amendment, ...] = ()
    revised: tuple[str, ...] = ()
    short: str = ""
    deposit: Deposit | None = None
    late: bool = False


def standing_sentences(standing: Standing, say: Texts) -> Iterator[str]:
    """What a reader must know of it, one sentence at a time."""
    if standing.status != "exploratory" or standing.because == "outcomes":
        yield say("standing.locked", date=date_words(standing.locked, say.language), lock=standing.lock8)
    if standing.because:
        yield say(f"standing.because.{standing.because}", detail=standing.detail, lock=standing.lock8)
    for made in standing.amendments:
        yield say(f"standing.{made.kind}", date=date_words(made.at[:10], say.language), why=made.why.rstrip("."))
    departed = sum(made.kind == "deviation" for made in standing.amendments)
    if departed or standing.status in ("pre-specified", "amended"):
        form = "kept" if not departed else "one" if departed == 1 else "more"
        yield say(f"fixed.{form}", count=number(departed, say.language, 0))
    if standing.lock8 and standing.deposit is not None:
        given = standing.deposit
        form = "late" if standing.late else "deposit"
        date = date_words(given.date, say.language)
        yield say(f"standing.{form}", where=given.where, date=date, reference=given.reference)
    if not standing.lock8 or standing.deposit is None or standing.late:
        yield say("standing.own")
    for key, count in (("ran", standing.ran), ("tried", standing.tried)):
        form = "none" if not count else "one" if count == 1 else "more"
        if count or key == "ran":
            yield say(f"standing.{key}.{form}", count=number(count, say.language, 0))
    if standing.revised:
        yield say("standing.revised", what=listed(standing.revised, say.language))
    if standing.short:
        yield say("standing.short", why=standing.short.rstrip("."))
