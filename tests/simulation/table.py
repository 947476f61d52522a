"""The support table as a file: cells from rates of error, and those of one family written anew beside the others."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from impact.inference.support import Cell, cells, judged, mc_error
from tests.shared import ROOT

TABLE = ROOT / "impact" / "inference" / "support.csv"


def cell(
    pair: tuple[str, str],
    treated: int,
    rates: Sequence[float],
    coverage: float | None,
    worlds: int,
    largest: float,
    design: str,
    same_as: str = "",
) -> Cell:
    """A cell of the rates of error in all its worlds, judged as they are written: to four decimals."""
    shown = [round(rate, 4) for rate in rates]
    most, least = (max(shown), min(shown)) if shown else (None, None)
    return Cell(
        *pair,
        treated,
        judged(shown, worlds),
        most,
        least,
        None if most is None else round(mc_error(most, worlds), 4),
        None if coverage is None else round(coverage, 4),
        worlds,
        round(largest, 3),
        same_as,
        design,
    )


def save(made: Sequence[Cell], path: Path = TABLE) -> None:
    """Put `made` in the place of all cells of their estimators."""
    own = {one.estimator for one in made}
    first = [one for one in cells() if one.estimator not in own]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Cell)], lineterminator="\n")
        writer.writeheader()
        ordered = sorted([*first, *made], key=lambda one: (one.estimator, one.inference, one.treated))
        for one in ordered:
            writer.writerow({name: "" if value is None else value for name, value in asdict(one).items()})


def rewrite(page: Path, head: str, table: Sequence[str]) -> None:
    """The table of a page that begins with `head`, up to the next empty line."""
    before, _, rest = page.read_text(encoding="utf-8").partition(head)
    _, _, after = rest.partition("\n\n")
    page.write_text(before + "\n".join(table) + "\n" + (f"\n{after}" if after else ""), encoding="utf-8")
