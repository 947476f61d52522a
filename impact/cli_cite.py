"""`impact show`, `cite` and `withdraw`: the numbers of a bundle by their addresses, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from impact.evidence.record import Evidence
    from impact.evidence.standing import Standing
    from impact.study.bundle import Bundle

__all__ = ["cite", "show", "verdict", "withdraw"]

_COMPLETED, _FINDINGS, _NO_NUMBER = 0, 1, 3
_COLUMNS = [
    "outcome",
    "role",
    "name",
    "term",
    "weighting",
    "estimate",
    "ci_low",
    "ci_high",
    "band_low",
    "band_high",
    "p_value",
    "unit",
    "status",
]
_LANGUAGE = typer.Option("--lang", "--language", help="nl or en.")


def show(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle or bundle.zip; an address may also come first.")],
    address: Annotated[
        str, typer.Argument(help="Address of a number; or role or name of estimates, such as primary or event.")
    ] = "",
    language: Annotated[str, _LANGUAGE] = "nl",
) -> int:
    """Print the estimates of a bundle, or the one that an address names with what is said of it."""
    from dataclasses import replace

    from impact.study.bundle import Bundle, collection_in, read_bundle
    from impact.study.citing import opened

    asked, place = (bundle, address) if _is_address(bundle) else (address, bundle)
    path = Path(place)
    contents, outcomes = opened(path) if path.is_file() else (None, ())
    found = Bundle(path, outcomes) if contents is not None else read_bundle(path)
    if contents is not None:
        found = replace(found, collected=collection_in(contents.files["results.json"], str(path)))
    outcomes = found.outcomes
    standing = None if found.collected is None else found.collected.standing
    return _one(found, asked, language) if _is_address(asked) else _table(outcomes, asked, standing)


def cite(
    address: Annotated[str, typer.Argument(help="Address of a number, as its report and the column address have it.")],
    bundle: Annotated[Path, typer.Argument(help="bundle.zip, or the folder that run wrote.")],
    study: Annotated[
        Path | None,
        typer.Option("--study", help="The study, for what was withdrawn later; default studies/<its name>."),
    ] = None,
    style: Annotated[str, typer.Option("--style", help="apa, bibtex, csl-json or all.")] = "all",
    language: Annotated[str, _LANGUAGE] = "nl",
) -> int:
    """Cite a number: the whole statement with interval, grade and status, and a reference; never a bare number."""
    from impact.study.citing import cite as cited

    found = cited(address, bundle, study=study, language=language)
    typer.echo(found.text(style))
    return _FINDINGS if found.withdrawn else _COMPLETED if found.said.given else _NO_NUMBER


def withdraw(
    study: Annotated[Path, typer.Argument(help="study.yaml, or a collection")],
    why: Annotated[str, typer.Option("--why", help="The reason.")],
    address: Annotated[
        str,
        typer.Option(
            "--address", help="Of one number; slug@lock.look for a look, slug@lock for a lock; default all of the lock."
        ),
    ] = "",
    superseded_by: Annotated[
        str, typer.Option("--superseded-by", help="Address, or slug@lock.look, of what takes its place.")
    ] = "",
) -> int:
    """Withdraw results of a study: a line in its ledger, of which every later citation speaks."""
    from impact.study.collection import read_any
    from impact.study.withdrawing import withdraw as withdrawn

    _, about = withdrawn(read_any(study), why, address, superseded_by)
    typer.echo(f"withdrawn: {about}")
    return _COMPLETED


def _is_address(text: str) -> bool:
    return "@" in text and "#" in text and not Path(text).exists()


def _one(bundle: Bundle, text: str, language: str) -> int:
    """One number as it stands in the tidy table, and what is said of it."""
    from impact.evidence.addresses import read_address
    from impact.evidence.citation import cited
    from impact.evidence.references import one_line
    from impact.harmless import shown
    from impact.study.citing import resolve
    from impact.study.collection_cite import resolve_in_collection
    from impact.study.tidy import tidy

    address = read_address(text)
    if bundle.collected is None:
        evidence, found = resolve(bundle.outcomes, address)
    else:
        evidence, found, address = resolve_in_collection(bundle.outcomes, bundle.collected, address)
    said = cited(evidence, found, language)
    if found is not None:
        table = tidy([evidence])
        row = table.loc[table["address"] == str(address)].iloc[0]
        typer.echo("\n".join(shown(line) for line in row[_COLUMNS].to_string(na_rep="-").splitlines()))
    typer.echo("\n".join(map(one_line, [said.title, *said.sentences, said.status])))
    return _COMPLETED if said.given else _NO_NUMBER


def _table(outcomes: Sequence[Evidence], chosen: str, standing: Standing | None) -> int:
    from impact.errors import Problem, UsageError
    from impact.study.tidy import tidy

    table = tidy(outcomes)
    if table.empty:
        typer.echo("no estimate: not measurable, or a check that seals the outcomes was not met", err=True)
    elif chosen:
        rows = table[(table["role"] == chosen) | (table["name"] == chosen) | (table["outcome"] == chosen)]
        if rows.empty:
            known = sorted({*table["role"], *table["name"], *table["outcome"]} - {""})
            message = f"the bundle has no estimate {chosen!r}"
            raise UsageError(Problem("USAGE-006", message, f"it has: {', '.join(known)}"))
        table = rows
    if not table.empty:
        typer.echo(table[_COLUMNS].to_string(index=False, na_rep="-"))
    typer.echo(verdict(outcomes, standing), err=True)
    return _COMPLETED


def verdict(outcomes: Sequence[Evidence], standing: Standing | None = None) -> str:
    """How a run ended, in words; `standing` is that of a collection."""
    from impact.study.keeping import said as standing_of
    from impact.study.tidy import counted

    said = [f"{evidence.indicator}: {counted(evidence)}" for evidence in outcomes]
    blind = sum(bool(evidence.not_measurable) for evidence in outcomes)
    failed = sum(check.verdict == "fail" for evidence in outcomes for check in evidence.checks)
    refused = sum(len(evidence.refusals) for evidence in outcomes)
    parts = ["run completed"]
    if blind:
        parts.append(f"{blind} outcome{'s' if blind > 1 else ''} not measurable with these data")
    if failed:
        parts.append(f"{failed} check{'s' if failed > 1 else ''} not met")
    if refused:
        parts.append(f"{refused} answer{'s' if refused > 1 else ''} refused")
    return "\n".join([*said, "; ".join([*parts, *standing_of(standing or outcomes[0].standing)])])
