"""The command line. Results go to standard output, progress and messages to standard error."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from impact.cli_data import areas
from impact.cli_many import new, run_folder, status
from impact.errors import ImpactError, WriteError

if TYPE_CHECKING:
    import pandas as pd

    from impact.evidence.record import Evidence
    from impact.panel import Weighting
    from impact.targets import Kind

__all__ = ["app", "main"]

COMPLETED, FINDINGS, BAD_INPUT, NO_NUMBER, NOT_WRITTEN, INTERRUPTED = 0, 1, 2, 3, 4, 130

_OWN = ("estimator", "target", "weighting", "inference", "level", "seed", "workers")  # options, so not for --set
_KINDS: dict[type, tuple[Callable[[str], Any], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    str: (str, "a word"),
}

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
command(new)
command(status)

Data = Annotated[
    list[Path] | None, typer.Option("--data", help="Folder in which the study's data may also stand; repeatable.")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; results are the same for any number.")]


@command
def check(study: Annotated[Path, typer.Argument(help="study.yaml")], data: Data = None) -> int:
    """Read the specification and the data, and say what would be compared; outcomes after the start stay closed."""
    from impact.study.read import read_study
    from impact.study.run import outline

    typer.echo(outline(read_study(study), data or []))
    return COMPLETED


@command
def explain(
    study: Annotated[Path, typer.Argument(help="study.yaml")],
    language: Annotated[str, typer.Option("--language", help="nl or en.")] = "nl",
) -> int:
    """Say in plain sentences what the study will do, from its specification alone; no data are opened."""
    from impact.evidence.render import plain_text
    from impact.study.explain import explain as explained
    from impact.study.explain import heading
    from impact.study.read import read_study

    found = read_study(study)
    typer.echo(f"{heading(found, language)}\n\n{plain_text(explained(found, language))}")
    return COMPLETED


@command
def run(
    study: Annotated[Path, typer.Argument(help="study.yaml, or a folder of studies: then all, each by itself.")],
    data: Data = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; default out/<id>.")] = None,
    workers: Workers = 1,
) -> int:
    """Run a study and write its bundle: numbers, figures, report and manifest."""
    from impact.parallel import Bar
    from impact.study.many import is_many
    from impact.study.read import read_study
    from impact.study.run import run as run_study

    if is_many(study):
        return run_folder(study, data or [], out or Path("out"), workers)

    with Bar() as progress:
        bundle = run_study(read_study(study), data=data or [], out=out, workers=workers, progress=progress)
    for name in (
        *sorted(file.name for file in bundle.path.glob("report*.html")),
        "results.json",
        "tidy.csv",
        "tables.xlsx",
        "manifest.json",
    ):
        typer.echo(bundle.path / name)
    for note in bundle.notes:
        typer.echo(note, err=True)
    typer.echo(_verdict(bundle.outcomes), err=True)
    return FINDINGS if bundle.findings else COMPLETED


@command
def show(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    address: Annotated[str, typer.Argument(help="Role or name of an estimate, such as primary or event.")] = "",
) -> int:
    """Print the estimates of a bundle."""
    from impact.errors import Problem, UsageError
    from impact.study.bundle import read_bundle

    found = read_bundle(bundle)
    table = found.tidy()
    if table.empty:
        typer.echo("no estimate: not measurable, or a check that seals the outcomes was not met", err=True)
    elif address:
        chosen = table[(table["role"] == address) | (table["name"] == address) | (table["outcome"] == address)]
        if chosen.empty:
            known = sorted({*table["role"], *table["name"], *table["outcome"]} - {""})
            raise UsageError(
                Problem("USAGE-006", f"the bundle has no estimate {address!r}", f"it has: {', '.join(known)}")
            )
        table = chosen
    columns = [
        "outcome",
        "role",
        "name",
        "term",
        "weighting",
        "estimate",
        "ci_low",
        "ci_high",
        "p_value",
        "unit",
        "status",
    ]
    if not table.empty:
        typer.echo(table[columns].to_string(index=False, na_rep="-"))
    typer.echo(_verdict(found.outcomes), err=True)
    return COMPLETED


@command
def report(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default report.html in the bundle's folder.")
    ] = None,
) -> int:
    """Render the report of a bundle again, from its results alone."""
    from impact.files import write
    from impact.study.bundle import read_bundle
    from impact.study.render import pages

    found = read_bundle(bundle)
    target = out or bundle / "report.html"
    for name, text in pages(found.outcomes)[0].items():
        place = target if name == "report.html" else target.parent / name
        write(place, text)
        typer.echo(place)
    return COMPLETED


@command
def estimate(
    file: Annotated[Path, typer.Argument(help="Long table: workbook (xlsx), CSV or parquet.")],
    unit: Annotated[str, typer.Option("--unit", help="Column of the unit.")],
    time: Annotated[str, typer.Option("--time", help="Column of the period.")],
    outcome: Annotated[str, typer.Option("--outcome", help="Column of the outcome.")],
    first_treated: Annotated[
        str, typer.Option("--first-treated", help="Column of the first treated period; blank or 0 is never.")
    ],
    sheet: Annotated[str | None, typer.Option("--sheet", help="Sheet of a workbook with several.")] = None,
    cluster: Annotated[str | None, typer.Option("--cluster")] = None,
    area: Annotated[str | None, typer.Option("--area")] = None,
    residents: Annotated[str | None, typer.Option("--residents")] = None,
    weight: Annotated[str | None, typer.Option("--weight")] = None,
    se: Annotated[str | None, typer.Option("--se")] = None,
    covariates: Annotated[
        str,
        typer.Option(
            "--covariates",
            help="Columns, separated by commas; also log:COLUMN, square:COLUMN, category:COLUMN, interaction:A,B.",
        ),
    ] = "",
    weighting: Annotated[str, typer.Option("--weighting", help="area, resident or unit.")] = "unit",
    options: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the estimator or the inference; repeatable.")
    ] = None,
    estimator: Annotated[str, typer.Option("--estimator")] = "group-time",
    target: Annotated[str, typer.Option("--target", help="average, event, cohort, calendar or unit.")] = "average",
    inference: Annotated[str, typer.Option("--inference")] = "cluster-jackknife",
    level: Annotated[float, typer.Option("--level", min=0.5, max=0.999)] = 0.95,
    seed: Annotated[int, typer.Option("--seed")] = 1,
    workers: Workers = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> int:
    """Estimate an effect from any long table."""
    from impact.errors import Refused
    from impact.facade import estimate as estimated
    from impact.panel import Panel
    from impact.parallel import Bar, Parallel
    from impact.terms import parse_terms, read_terms

    terms = read_terms(parse_terms(covariates))
    numbers = {name for term in terms for name in term.numbers}
    frame = _long_table(file, sheet, {outcome, *filter(None, (se, residents, weight)), *numbers})
    panel = Panel.from_frame(
        frame,
        unit=unit,
        time=time,
        outcome=outcome,
        first_treated=first_treated,
        cluster=cluster,
        area=area,
        residents=residents,
        weight=weight,
        se=se,
        covariates=terms,
    )
    with Bar() as progress:
        result = estimated(
            panel,
            estimator,
            target=cast("Kind", target),
            weighting=cast("Weighting", weighting),
            inference=inference,
            level=level,
            seed=seed,
            parallel=Parallel(workers, progress),
            **_options(options or [], estimator, inference),
        )
    if isinstance(result, Refused):
        typer.echo(str(result), err=True)
        return NO_NUMBER
    if as_json:
        for note in (*result.panel.notes, *result.fit.notes):
            typer.echo(note, err=True)
    typer.echo(_records(result.tidy()) if as_json else result.summary())
    refused = isinstance(result.uncertainty, Refused) or any(
        reason is not None for reason in result.uncertainty.refused
    )
    return FINDINGS if refused else COMPLETED


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


def _options(given: list[str], estimator: str, inference: str) -> dict[str, Any]:
    """``key=value`` pairs; a value is read as the kind its parameter has; unknown keys are left to the facade."""
    from dataclasses import fields

    from impact.errors import Problem, UsageError, raise_all
    from impact.estimators.registry import resolve as resolve_estimator
    from impact.inference.registry import resolve as resolve_inference

    makers: tuple[Any, ...] = (resolve_estimator(estimator), resolve_inference(inference))
    standard = {field.name: field.default for maker in makers for field in fields(maker)}
    read: dict[str, Any] = {}
    problems = []
    for item in given:
        key, sign, text = (part.strip() for part in item.partition("="))
        if not sign:
            why = "is not key=value"
        elif key in _OWN:
            why = f"has an option of its own: --{key}"
        elif key in read:
            why = "is given for the second time"
        else:
            why, read[key] = _read(text, standard.get(key, ""))
        if why:
            problems.append(Problem("USAGE-007", f"--set {item!r} {why}", "such as --set control=not-yet"))
    raise_all(problems, UsageError)
    return read


def _read(text: str, standard: object) -> tuple[str, Any]:
    """Why a text cannot be a value of the kind of `standard` ("" when it can), and the value."""
    if type(standard) not in _KINDS:
        return "can only be given in Python", None
    read, kind = _KINDS[type(standard)]
    try:
        return "", read(text)
    except ValueError:
        return f"must be {kind}; standard is {standard}", None


def _long_table(file: Path, sheet: str | None, numbers: set[str]) -> pd.DataFrame:
    """The table as text and numbers: CBS marks among the numbers are told, decimal commas are read."""
    from impact.errors import DataError, Problem, raise_all
    from impact.sources.tables import Table, read_table
    from impact.sources.values import read_numbers

    table = read_table(file, file=str(file), sheet=sheet)
    if not isinstance(table, Table):
        raise DataError(table)
    # Row numbers as a spreadsheet counts them, for the messages.
    frame = table.frame.set_axis(table.rows, axis=0)
    problems: list[Problem] = []
    for name in sorted(numbers & set(frame.columns)):
        read = read_numbers(frame[name])
        if not isinstance(read, tuple):
            frame[name] = read
        else:
            problems += [
                Problem(
                    "DATA-108",
                    f"{bad.text!r} is not a number ({bad.why}; {table.places.name(bad.rows, name)})",
                    "",
                    str(file),
                    int(table.rows[bad.rows[0]]),
                    path=name,
                    excerpt="",
                )
                for bad in read
            ]
    raise_all(problems, DataError)
    return frame


def _verdict(outcomes: Sequence[Evidence]) -> str:
    """How a run ended, in words."""
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
    return "\n".join([*said, "; ".join([*parts, *standing_of(outcomes[0].standing)])])


def _records(table: pd.DataFrame) -> str:
    """JSON records with every digit; null for what is no finite number."""
    import json
    import math

    rows = [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1, allow_nan=False)
