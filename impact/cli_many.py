"""`impact new` and `impact status`, and `impact run` on a folder of studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["new", "run_folder", "status"]


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


def run_folder(studies: Path, data: Sequence[Path], out: Path, workers: int, options: Sequence[str] = ()) -> int:
    """Run every study in a folder and say in a line each how it ended; the worst of their exit codes."""
    from impact.parallel import Bar
    from impact.study.many import run_many

    codes = [0]
    with Bar() as progress:
        for ended in run_many(studies, data=data, out=out, workers=workers, progress=progress, options=options):
            typer.echo(str(ended))
            if ended.code not in (0, 1):
                typer.echo(f"{ended.name}:\n{ended.said.strip()}", err=True)
            codes.append(ended.code)
    return max(codes)


def status(
    studies: Annotated[Path, typer.Argument(help="A study, or a folder of studies.")] = Path("studies"),
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Folder in which the data may also stand; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the bundles.")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of records.")] = False,
) -> int:
    """Say of every study in one line where it stands: state, lock, look, last run, verdicts and age of data."""
    import json
    from dataclasses import asdict

    from impact.study.many import studies_in
    from impact.study.status import status_of

    found = [status_of(one, out, data or []) for one in studies_in(studies)]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
    else:
        for one in found:
            typer.echo(str(one))
    return 1 if any(one.state == "unreadable" for one in found) else 0
