"""`impact estimate`: an effect from any long table, without a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    import pandas as pd

    from impact.panel import Weighting
    from impact.targets import Kind

__all__ = ["estimate"]

_COMPLETED, _FINDINGS, _NO_NUMBER = 0, 1, 3

_OWN = ("estimator", "target", "weighting", "inference", "level", "seed", "workers")  # options, so not for --set
_KINDS: dict[type, tuple[Callable[[str], Any], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    str: (str, "a word"),
}


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
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes; results are the same for any number.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> int:
    """Estimate an effect from any long table."""
    from impact.errors import Refused
    from impact.facade import estimate as estimated
    from impact.harmless import shown
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
        typer.echo(shown(str(result)), err=True)
        return _NO_NUMBER
    if as_json:
        for note in (*result.panel.notes, *result.fit.notes):
            typer.echo(shown(note), err=True)
    typer.echo(_records(result.tidy()) if as_json else shown(result.summary()))
    refused = isinstance(result.uncertainty, Refused) or any(
        reason is not None for reason in result.uncertainty.refused
    )
    return _FINDINGS if refused else _COMPLETED


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


def _records(table: pd.DataFrame) -> str:
    """JSON records with every digit; null for what is no finite number."""
    import json
    import math

    rows = [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1, allow_nan=False)
