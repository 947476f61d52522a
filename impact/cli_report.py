"""`impact report`: the report of a bundle again, as a page, docx, LaTeX or Excel tables or plain text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from impact.study.bundle import Bundle

__all__ = ["report"]


def report(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, or bundle.zip.")],
    form: Annotated[
        str, typer.Option("--form", help="html, docx, latex, xlsx or text; default as --out ends, else html.")
    ] = "",
    language: Annotated[str, typer.Option("--language", "--lang", help="nl or en.")] = "nl",
    outcome: Annotated[str, typer.Option("--outcome", help="One outcome by its indicator; default all.")] = "all",
    area: Annotated[
        str, typer.Option("--area", help="The page of one area by its short name, or all for a page of each.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File or folder to write; default the bundle for its pages, else a folder beside."),
    ] = None,
) -> int:
    """Write the report of a bundle again, from its results alone, in a form to read or to go on with."""
    from impact.errors import Problem, UsageError
    from impact.files import write
    from impact.study.bundle import read_bundle
    from impact.study.reports import check_target, place_of_reports, reports

    form = form or _form_of(out)
    found = _read(bundle) if bundle.is_file() else read_bundle(bundle)
    made = reports(found.outcomes, form, language, outcome, area, found.collected)
    if out is None:
        name = found.outcomes[0].study if found.collected is None else found.collected.id
        folder, first = place_of_reports(bundle, name, made), ""
    else:
        folder, first = _place(out, form)
        if first in list(made)[1:]:
            hint = "Name a folder, or one outcome with --outcome."
            raise UsageError(Problem("USAGE-052", f"{first} is the name of another of these reports", hint, str(out)))
    targets = [folder / (first if first and not number else name) for number, name in enumerate(made)]
    for target, content in zip(targets, made.values(), strict=True):
        check_target(bundle, target, content)
    for target, content in zip(targets, made.values(), strict=True):
        write(target, content)
        typer.echo(target)
    return 0


def _read(bundle: Path) -> Bundle:
    """The bundle in a zip."""
    from impact.study.bundle import Bundle, collection_in
    from impact.study.citing import opened

    contents, outcomes = opened(bundle)
    return Bundle(bundle, outcomes, collected=collection_in(contents.files["results.json"], str(bundle)))


def _form_of(out: Path | None) -> str:
    """The form that a file is in by its name; a page where the name does not tell."""
    from impact.evidence.forms import SUFFIXES

    suffix = "" if out is None or out.is_dir() else out.suffix.lower()
    return next((form for form, own in SUFFIXES.items() if own == suffix), "html")


def _place(out: Path, form: str) -> tuple[Path, str]:
    """The folder, and the name of the first file where `out` is one."""
    from impact.errors import Problem, UsageError
    from impact.evidence.forms import SUFFIXES

    if out.is_dir() or not out.suffix:
        return out, ""
    if out.suffix.lower() != SUFFIXES[form]:
        hint = f"Name a file that ends in {SUFFIXES[form]}, or a folder."
        raise UsageError(
            Problem("USAGE-052", f"the form {form} is not written to a '{out.suffix}' file", hint, str(out))
        )
    return out.parent, out.name
