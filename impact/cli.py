"""The command line. Results go to standard output, progress and messages to standard error."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from impact.cli_cite import cite, show, verdict, withdraw
from impact.cli_data import areas
from impact.cli_estimate import estimate
from impact.cli_grade import grade
from impact.cli_life import amend, deposit, lock
from impact.cli_many import new, run_folder, status
from impact.cli_plan import plan
from impact.cli_preregister import preregister
from impact.cli_report import report
from impact.cli_site import site
from impact.cli_split import split
from impact.cli_verify import verify
from impact.errors import ImpactError, Problem, UsageError, WriteError
from impact.harmless import shown

__all__ = ["app", "main"]

COMPLETED, FINDINGS, BAD_INPUT, NO_NUMBER, NOT_WRITTEN, INTERRUPTED = 0, 1, 2, 3, 4, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Impact evaluation of a place-based programme: what changed, compared with what, and how sure.",
)


data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is known before outcomes are opened.")
app.add_typer(data_app, name="data")


def command(function: Callable[..., int], on: typer.Typer = app) -> Callable[..., None]:
    """Register a command that returns its exit code; an error of ours becomes a message and a code, no traceback."""

    @on.command()
    @wraps(function)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            code = function(*args, **options)
        except WriteError as error:
            typer.echo(str(error), err=True)
            code = NOT_WRITTEN
        except ImpactError as error:
            many = len(error.problems)
            typer.echo(f"{error}\n{many} problem{'s' if many > 1 else ''}; nothing was written.", err=True)
            code = BAD_INPUT
        except KeyboardInterrupt:
            typer.echo("interrupted; the last complete bundle still stands.", err=True)
            code = INTERRUPTED
        raise typer.Exit(code)

    return guarded


command(areas, data_app)
command(split, data_app)
for topic in (new, plan, lock, amend, deposit, preregister, show, cite, grade, report, withdraw, verify, status):
    command(topic)
command(estimate)
command(site)

Data = Annotated[
    list[Path] | None, typer.Option("--data", help="Folder in which the study's data may also stand; repeatable.")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; results are the same for any number.")]


@command
def check(study: Annotated[Path, typer.Argument(help="study.yaml, or a collection")], data: Data = None) -> int:
    """Read the specification and the data, and say what would be compared; outcomes after the start stay closed."""
    from impact.study.collection import Collection, read_any
    from impact.study.collection_check import collection_outline
    from impact.study.outlining import outline

    found = read_any(study)
    said = collection_outline(found, data or []) if isinstance(found, Collection) else outline(found, data or [])
    typer.echo(shown(said))
    return COMPLETED


@command
def explain(
    study: Annotated[Path, typer.Argument(help="study.yaml, or a collection")],
    language: Annotated[str, typer.Option("--language", help="nl or en.")] = "nl",
) -> int:
    """Say in plain sentences what the study will do, from its specification alone; no data are opened."""
    from impact.study.collection import read_any

    typer.echo(read_any(study).summary(language))
    return COMPLETED


@command
def run(
    study: Annotated[
        Path, typer.Argument(help="study.yaml, a collection, or a folder of studies: then all, each by itself.")
    ],
    data: Data = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; default out/<id>.")] = None,
    workers: Workers = 1,
    look: Annotated[int, typer.Option("--look", min=1, help="Which of the planned looks this is.")] = 1,
    since: Annotated[str, typer.Option("--from", help="Compute this stage and those after it again.")] = "",
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what is kept and what would be computed; stop.")] = False,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of kept results; default .impact-cache beside the bundle.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither use nor keep results.")] = False,
) -> int:
    """Run a study and write its bundle: numbers, figures, report and manifest. One that was ended continues."""
    from impact.files import sha256
    from impact.parallel import Bar
    from impact.study.bundle import ARCHIVE
    from impact.study.cache import beside
    from impact.study.collection import Collection, is_collection, read_any
    from impact.study.many import is_many
    from impact.study.render import LANGUAGES, page
    from impact.study.run import kept_parts, place_of
    from impact.study.run import run as run_study

    if no_cache and (since or dry or cache):
        raise UsageError(Problem("CACHE-003", "--no-cache goes with none of --from, --dry-run and --cache", ""))

    if is_many(study) and not is_collection(study):
        if look > 1:
            hint = "Run a study by itself: impact run STUDY --look N."
            raise UsageError(Problem("LOOK-003", "every study of a folder has looks of its own", hint))
        if dry:
            hint = "Ask it of a study by itself: impact run STUDY --dry-run."
            raise UsageError(Problem("CACHE-004", "what is kept is said of one study, and this is a folder", hint))
        options = [f"--from={since}"] * bool(since) + [f"--cache={cache}"] * bool(cache) + ["--no-cache"] * no_cache
        return run_folder(study, data or [], out or Path("out"), workers, options)

    found = read_any(study)
    if isinstance(found, Collection) and dry:
        hint = "Ask it of a study by itself: impact run STUDY --dry-run."
        raise UsageError(Problem("CACHE-004", "what is kept is said of one study, and this is a collection", hint))
    folder = None if no_cache else cache or beside(place_of(found, out, look))
    if folder is not None and (since or dry) and not isinstance(found, Collection):
        typer.echo(kept_parts(found, data=data or [], cache=folder, look=look, since=since), err=not dry)
        if dry:
            return COMPLETED
    with Bar() as progress:
        bundle = run_study(
            found,
            data=data or [],
            out=out,
            workers=workers,
            progress=progress,
            look=look,
            cache=folder,
            since=since,
        )
    for name in (
        *(page(place, one.indicator, language) for place, one in enumerate(bundle.outcomes) for language in LANGUAGES),
        "results.json",
        "tidy.csv",
        "tables.xlsx",
        "manifest.json",
        ARCHIVE,
    ):
        typer.echo(bundle.path / name)
    typer.echo(f"sha256 of {ARCHIVE}: {sha256(bundle.path / ARCHIVE)}", err=True)
    for note in bundle.notes:
        typer.echo(shown(note), err=True)
    standing = None if bundle.collected is None else bundle.collected.standing
    typer.echo(verdict(bundle.outcomes, standing), err=True)
    return FINDINGS if bundle.findings else COMPLETED


def main() -> None:
    """Entry point."""
    # Names and sentences are Dutch; a console with another encoding must not end a run.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
