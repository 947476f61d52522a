"""`impact plan`: what a declared design could see, before any outcome after the start is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["plan"]


def plan(
    study: Annotated[Path, typer.Argument(help="study.yaml")],
    draws: Annotated[int, typer.Option("--draws", min=20, max=100_000, help="Worlds per outcome.")] = 500,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Folder in which the study's data may also stand; repeatable.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes; results are the same for any number.")
    ] = 1,
    language: Annotated[str, typer.Option("--language", help="nl or en.")] = "nl",
) -> int:
    """Draw worlds like the past of a study and say what its design would see; kept in study.plan.json beside it."""
    from impact.evidence.language import texts
    from impact.harmless import shown
    from impact.parallel import Bar
    from impact.study.keeping import planned as noted
    from impact.study.needs import shortfall
    from impact.study.plan_record import write_plan
    from impact.study.planning import plan as planned
    from impact.study.read import read_study

    texts(language)  # an unknown language is said before the work
    read = read_study(study)
    with Bar() as progress:
        found = planned(read, data=data or [], draws=draws, workers=workers, progress=progress, keep=False)
    typer.echo(shown(found.summary(language)))
    for note in noted(read, found):
        typer.echo(note, err=True)
    lacking = shortfall(read.model, found)
    for problem in lacking:
        typer.echo(str(problem), err=True)
    typer.echo(f"kept in {write_plan(found, study / 'study.yaml' if study.is_dir() else study)}", err=True)
    unknown = any(outcome.refused is not None for outcome in found.outcomes)
    return 1 if lacking or unknown else 0
