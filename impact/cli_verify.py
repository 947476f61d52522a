"""`impact verify`: check a bundle that somebody else made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["verify"]


def verify(
    bundle: Annotated[Path, typer.Argument(help="bundle.zip, or the folder that run wrote.")],
    data: Annotated[list[Path] | None, typer.Option("--data", help="Folder with the study's data; repeatable.")] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run the study again and compare.")] = False,
    sha256: Annotated[str, typer.Option("--sha256", help="Digest of bundle.zip, as deposited elsewhere.")] = "",
    language: Annotated[str, typer.Option("--lang", "--language", help="nl or en.")] = "nl",
) -> int:
    """Check a bundle: unchanged since it was made, fixed beforehand, recomputed; exit 1 when anything differs."""
    from impact.evidence.language import texts
    from impact.parallel import Bar
    from impact.study.verify import verify as verified

    texts(language)
    with Bar() as progress:
        found = verified(bundle, data=data or [], rerun=rerun, sha256=sha256, progress=progress)
    typer.echo(found.summary(language))
    return 1 if found.differs else 0
