"""`impact data`: what is known before any outcome is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from impact.register.areas import Member
    from impact.study.area_order import Part

__all__ = ["areas"]


def areas(
    study: Annotated[
        Path | None,
        typer.Argument(help="A study.yaml: then the parts of its areas, and of the units it compares them with."),
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Folder in which the study's data may also stand; repeatable.")
    ] = None,
    members: Annotated[
        Path | None,
        typer.Option("--members", help="Own members of focus areas: area, code, vintage, share, source."),
    ] = None,
    delineation: Annotated[
        str | None, typer.Option("--delineation", help="Which of the delineations in the file of members.")
    ] = None,
    comparison: Annotated[
        Path | None, typer.Option("--comparison", help="Members of comparison areas, in the same columns.")
    ] = None,
    order: Annotated[
        Path | None,
        typer.Option("--order", help="Write the list of buurten of all areas, to order a table for (csv or xlsx)."),
    ] = None,
    buurten: Annotated[
        Path | None, typer.Option("--buurten", help="Every buurt (code, vintage, name), to take wijken apart with.")
    ] = None,
    map_: Annotated[Path | None, typer.Option("--map", help="Draw the areas (svg); needs --borders.")] = None,
    borders: Annotated[Path | None, typer.Option("--borders", help="GeoJSON with the borders of regions.")] = None,
    region: Annotated[str, typer.Option("--region", help="Property of the borders that holds the code.")] = "code",
) -> int:
    """List the areas part by part, with source and confidence; order a tailor-made table for them; draw them."""
    import pandas as pd

    from impact.harmless import shown
    from impact.study.area_order import ordered, read_buurten, table

    files = (members, comparison, delineation)
    parts = _of_files(*files) if study is None else _of_study(study, data or [], files)
    names, rows = table(parts)
    frame = pd.DataFrame(rows, columns=list(names), dtype=object)
    typer.echo(shown(frame.replace("", None).fillna("-").to_string(index=False, justify="left")))
    done = [True]
    if order is not None:
        listing = ordered(parts, read_buurten(buurten) if buurten is not None else {})
        done.append(_order(order, listing, comparison is not None or study is not None))
    if map_ is not None:
        done.append(_map(map_, parts, borders, region))
    return 0 if all(done) else 1


def _of_files(members: Path | None, comparison: Path | None, delineation: str | None) -> list[Part]:
    """The areas of the register and of the files that are given."""
    from impact.register.areas import areas as register
    from impact.study.area_order import comparison_parts, focus_parts

    known = register()
    own = _members(members, tuple(area.slug for area in known), delineation=delineation)
    compared = _members(comparison, None, {area.slug for area in known})
    return [*focus_parts(known, own), *comparison_parts(compared)]


def _of_study(study: Path, data: Sequence[Path], given: Sequence[object]) -> list[Part]:
    """The areas of a study, and what its design compares them with."""
    from impact.errors import Problem, UsageError
    from impact.study.ordering import chosen
    from impact.study.read import read_study

    if any(one is not None for one in given):
        hint = "Name the members in the study, under `treatment.members`; whom it compares with follows from it."
        raise UsageError(
            Problem("USAGE-012", "a study names its own areas: no --members, --delineation and --comparison.", hint)
        )
    return [*chosen(read_study(study), data)]


def _members(
    file: Path | None, known: Sequence[str] | None, taken: set[str] | None = None, delineation: str | None = None
) -> dict[str, tuple[Member, ...]]:
    from impact.errors import DataError, Problem, raise_all
    from impact.study.members import read_members

    if file is None:
        return {}
    problems: list[Problem] = []
    found = read_members(file, str(file), known, None, problems, delineation)
    raise_all(problems, DataError)
    assert found is not None
    both = sorted(set(found.areas) & (taken or set()))
    if both:
        hint = "Give the comparison area a name of its own."
        raise DataError(Problem("DATA-117", f"{', '.join(both)} is a focus area.", hint, str(file), path="area"))
    return dict(found.areas)


def _order(path: Path, parts: Sequence[Part], compared: bool) -> bool:
    """Write the list; whether it is complete, and if not, say what is left to do."""
    from impact.errors import Problem, UsageError
    from impact.files import write
    from impact.harmless import as_csv
    from impact.study.area_order import table
    from impact.workbook import Sheet, workbook

    names, rows = table(parts)
    if path.suffix.lower() == ".xlsx":
        write(path, workbook([Sheet("buurten", names, rows)]))
    elif path.suffix.lower() == ".csv":
        write(path, as_csv([names, *rows]))
    else:
        raise UsageError(Problem("USAGE-012", f"'{path.suffix}' files are not written.", "Name a .csv or .xlsx file."))
    typer.echo(path)
    open_ = [part for part in parts if part.todo]
    if open_:
        incomplete = len({part.area for part in open_})
        typer.echo(f"{len(open_)} parts of {incomplete} areas cannot be ordered yet: see the column todo.", err=True)
    if not compared:
        hint = "without --comparison the list has no comparison areas, and their small cells stay hidden."
        typer.echo(hint, err=True)
    return not open_ and compared


def _map(path: Path, parts: Sequence[Part], borders: Path | None, region: str) -> bool:
    """Draw what has a code and a border; whether every part is on the map."""
    from impact.design.charts import regions
    from impact.errors import Problem, UsageError
    from impact.evidence.svg import rendered
    from impact.files import write
    from impact.sources.polygons import read_polygons
    from impact.sources.regions import is_code
    from impact.study.area_order import lies_in

    if borders is None or path.suffix.lower() != ".svg":
        why = "needs --borders FILE" if borders is None else "is written as .svg"
        raise UsageError(Problem("USAGE-012", f"--map {why}.", "A map is drawn from borders in GeoJSON."))
    drawn = read_polygons(borders, region)
    shapes = dict(zip(drawn.regions, drawn.shapes, strict=True))
    coded = [code for code in shapes if is_code(code)]
    if not coded:
        hint = "Name the property of the borders that holds codes such as WK051833, with --region."
        raise UsageError(Problem("USAGE-012", f"'{region}' of {borders} holds no region codes.", hint))
    found: dict[str, set[str]] = {"focus": set(), "comparison": set()}
    missing = []
    for part in parts:
        inside = {code for code in coded if part.code and lies_in(code, part.code)}
        # A region of which only a part, or an unknown part, lies in the area is not drawn as if all of it did.
        if inside and part.share == 1:
            found[part.role] |= inside
        else:
            missing.append(part)
    axes = regions(shapes, treated=found["focus"], controls=found["comparison"])
    figure = axes.get_figure(root=True)
    assert figure is not None
    title = f"{len(found['focus'])} regions in focus areas, {len(found['comparison'])} in comparison areas"
    write(path, rendered(figure, "areas", "Areas", title))
    typer.echo(path)
    for note in drawn.notes():
        typer.echo(note, err=True)
    if missing:
        typer.echo(f"{len(missing)} of {len(parts)} parts are not on the map: no code, no border, or partly.", err=True)
    typer.echo("a border file has its own year: codes of another year may name other ground.", err=True)
    return not missing
