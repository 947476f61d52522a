"""`impact new` and `impact status`, and `impact run` on a folder of studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["new"]


def new(
    slug: Annotated[str, typer.Argument(help="Short name of the study, as in ervaren-veiligheid-2027.")],
    indicator: Annotated[
        str, typer.Option("--indicator", help="Slug of one of the 15 indicators; without it one of your own.")
    ] = "",
    into: Annotated[Path, typer.Option("--in", help="Folder in which the folder of the study comes.")] = Path(
        "studies"
    ),
) -> int:
    """Begin a study: a commented study.yaml and README.md from the register, with every choice to make."""
    from impact.study.draft import draft, write_draft

    described = into.parent / "docs" / "study.schema.json"
    made = draft(slug, indicator, "../../docs/study.schema.json" if described.is_file() else "")
    place = write_draft(made, into / slug)
    typer.echo(place)
    typer.echo(place.with_name("README.md"))
    if made.indicator is not None and made.indicator.not_measurable:
        why = made.indicator.not_measurable
        typer.echo(f"{made.indicator.slug} is not measurable as an outcome of the programme: {why}.", err=True)
        return 1
    return 0
