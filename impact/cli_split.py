"""`impact data split`: one table in two, what a design may rest on and the later periods, sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["split"]


def split(
    file: Annotated[Path, typer.Argument(help="Workbook (xlsx), CSV or parquet.")],
    at: Annotated[str, typer.Option("--at", help="The first period that is sealed.")],
    time: Annotated[str, typer.Option("--time", help="The column of the period.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write both parts to.")],
    sheet: Annotated[str | None, typer.Option("--sheet", help="Sheet of a workbook with several.")] = None,
    separator: Annotated[str | None, typer.Option("--separator", help="Between the cells of a CSV.")] = None,
    header_row: Annotated[int, typer.Option("--header-row", min=1, help="Row of the column names.")] = 1,
) -> int:
    """Part a table into its design part and its sealed outcome part; a study opens the second only when it is run."""
    from impact.errors import DataError, Problem, UsageError
    from impact.files import sha256, write
    from impact.sources.split import Split, split_table

    found = split_table(file, time, at, file=str(file), sheet=sheet, separator=separator, header_row=header_row)
    if not isinstance(found, Split):
        raise DataError(found)
    design, sealed = (out / f"{file.stem}-{part}{found.suffix}" for part in ("design", "sealed"))
    taken = [path for path in (design, sealed) if path.exists()]
    if taken:
        hint = "Choose another folder with --out."
        raise UsageError(Problem("USAGE-030", f"{taken[0].name} is there already.", hint, str(taken[0])))
    write(design, found.design)
    write(sealed, found.sealed)
    for path, rows, periods in ((design, found.rows[0], found.before), (sealed, found.rows[1], found.after)):
        typer.echo(path)
        typer.echo(f"{path.name}: {rows} rows, {periods[0]} to {periods[-1]}", err=True)
    for note in found.notes:
        typer.echo(note, err=True)
    typer.echo("in the study, under data: outcomes:", err=True)
    typer.echo(f"  file: {design.name}\n  sha256: {sha256(design)}", err=True)
    typer.echo(f"  sealed: {{file: {sealed.name}, sha256: {sha256(sealed)}}}", err=True)
    return 0
