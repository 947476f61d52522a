"""`impact lock`, `amend` and `deposit`: what is fixed before the outcomes are opened, and what changed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from impact.errors import Problem
    from impact.study.collection import Collection
    from impact.study.lock import Lock
    from impact.study.log import Log
    from impact.study.read import Study

__all__ = ["amend", "deposit", "lock"]

_STUDY = typer.Argument(help="study.yaml, or a collection")
_DATA = typer.Option("--data", help="Folder in which the study's data may also stand; repeatable.")
_LANGUAGE = typer.Option("--language", help="nl or en.")


def lock(
    study: Annotated[Path, _STUDY],
    data: Annotated[list[Path] | None, _DATA] = None,
    why: Annotated[
        str, typer.Option("--why", help="Why it is locked although it cannot detect what it says it needs.")
    ] = "",
    language: Annotated[str, _LANGUAGE] = "nl",
) -> int:
    """Fix what a study says and the data of its design, before its outcomes are opened; print a line to paste."""
    from impact.study import collection_life, needs
    from impact.study.collection import Collection, read_any
    from impact.study.design_data import at_design
    from impact.study.draft import check_filled
    from impact.study.lock import locked
    from impact.study.plan_record import in_lock, read_plan

    found = read_any(study)
    if isinstance(found, Collection):
        _told(found, *collection_life.locked(found), language)
        return 0
    check_filled(found)  # before its data are looked for, which a draft may not have
    loaded, areas = at_design(found, data or [])
    plan = read_plan(found.path)
    short = _short(needs.shortfall(found.model, plan), why)
    made, log = locked(found, loaded, areas, plan=in_lock(plan, found.sha256), short=short)
    _told(found, made, log, language)
    return 0


def _short(problems: tuple[Problem, ...], why: str) -> str:
    """The reason to lock a study that lacks what it needs; "" for one that lacks nothing."""
    from impact.errors import Problem, UsageError

    if problems and not why.strip():
        hint = 'Lock it all the same with `--why "…"`; the reason stands in the lock and in every report.'
        raise UsageError([Problem("LOCK-017", "the study does not have what it says it needs.", hint), *problems])
    if why and not problems:
        typer.echo("the study lacks nothing that it says it needs; the reason is not kept.", err=True)
    return why.strip() if problems else ""


def amend(
    study: Annotated[Path, _STUDY],
    why: Annotated[str, typer.Option("--why", help="The reason for the change.")],
    data: Annotated[list[Path] | None, _DATA] = None,
    language: Annotated[str, _LANGUAGE] = "nl",
) -> int:
    """Change a locked study: an amendment as long as no outcome was seen, and a deviation afterwards."""
    from impact.study import collection_life
    from impact.study.amending import changes
    from impact.study.collection import Collection, read_any
    from impact.study.design_data import at_design
    from impact.study.lock import amended, beside, read_lock

    found = read_any(study)
    if isinstance(found, Collection):
        made, log = collection_life.amended(found, why)
        return _amended(found, made, log, language)
    old = read_lock(beside(found.path)[0])
    loaded, areas = at_design(found, data or [])
    said = () if old is None else changes(old.spec, found, language)
    made, log = amended(found, loaded, areas, why, said)
    return _amended(found, made, log, language)


def _amended(found: Study | Collection, made: Lock, log: Log, language: str) -> int:
    """What changed, and the line to paste."""
    for sentence in made.amendments[-1].changes:
        typer.echo(sentence)
    typer.echo(f"{made.amendments[-1].kind}: {made.amendments[-1].why}", err=True)
    _told(found, made, log, language)
    return 0


def deposit(
    study: Annotated[Path, _STUDY],
    where: Annotated[str, typer.Option("--where", help="The archive, register or notary that dates what it keeps.")],
    date: Annotated[str, typer.Option("--date", help="The date it gives, as 2026-11-26.")],
    reference: Annotated[str, typer.Option("--reference", help="What it is found by: a DOI, a number.")],
    language: Annotated[str, _LANGUAGE] = "nl",
) -> int:
    """Say where the lock of a study was deposited; only that shows when it was made."""
    from impact.evidence.standing import Deposit
    from impact.study.collection import read_any
    from impact.study.lock import deposited

    found = read_any(study)
    made, log = deposited(found, Deposit(where, date, reference))
    _told(found, made, log, language)
    return 0


def _told(study: Study | Collection, lock: Lock, log: Log, language: str) -> None:
    """The line to paste into a plan of work; and on standard error what it is worth."""
    from impact.evidence.language import texts

    say = texts(language)
    made = next(entry for entry in reversed(log.of("locked", "amended")) if entry.lock8 == lock.lock8)
    typer.echo(say("lock.line", study=study.model.id, lock=lock.lock8, date=made.at[:10], sha256=lock.spec_sha256))
    if log.upto(log.of("locked")[0].number).seen == "outcomes":
        typer.echo(say("lock.late"), err=True)
    if lock.deposit is None:
        typer.echo(say("lock.deposit", lock=lock.lock8), err=True)
