"""`impact site`: a static site of bundles, to publish as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["site"]


def site(
    bundles: Annotated[Path, typer.Argument(help="Folder with bundles, as folders or as zips; such as out.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the site.")] = Path("site"),
    studies: Annotated[
        Path, typer.Option("--studies", help="Folder of the studies, for what was withdrawn later.")
    ] = Path("studies"),
) -> int:
    """Verify bundles and write a site that lists them by indicator and area; exit 1 when any is not in order."""
    from impact.evidence.language import texts
    from impact.harmless import shown
    from impact.parallel import Bar
    from impact.study.site import write_site

    with Bar() as progress:
        made = write_site(bundles, out, studies=studies, progress=progress)
    typer.echo(made.path / "index.html")
    for one in made.listed:
        typer.echo(f"{one.name}: {one.sha256}", err=True)
    for bad in made.unfit:
        typer.echo(shown(f"{bad.place}: {texts('en')('site.unfit')}"), err=True)
    return 1 if made.unfit else 0
