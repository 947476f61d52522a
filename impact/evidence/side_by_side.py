"""Several estimators on one design: their estimates side by side, and whether they differ by more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from impact.errors import Refused
from impact.evidence.result import COLUMNS, Result
from impact.inference.contrast import Contrast, Joint
from impact.plotted import Plotted
from impact.targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIFFERENCES", "Pair", "SideBySide"]

DIFFERENCES = (
    "first",
    "second",
    "term",
    "difference",
    "std_error",
    "statistic",
    "rank",
    "df",
    "p_value",
    "ci_low",
    "ci_high",
    "cells",
    "status",
)

# The row of the joint test in `SideBySide.differences`.
_TOGETHER = "all effects together"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of the estimators by their labels, and the second less the first."""

    first: str
    second: str
    contrast: Contrast | Refused


@dataclass(frozen=True, slots=True, eq=False)
class SideBySide(Plotted):
    """Several estimators on one panel and one target.

    Attributes
    ----------
    target : Target
    inference : str
        Name of the inference of every estimate.
    level : float
        Of the intervals, and one less the size of the tests.
    methods : mapping of label to str
        Names of the estimators.
    results : mapping of label to Result or Refused
        In the order in which they were asked for; a refusal when the estimator gives no estimate.
    pairs : tuple of Pair
        Every two estimators that give one.
    """

    target: Target
    inference: str
    level: float
    methods: Mapping[str, str]
    results: Mapping[str, Result | Refused]
    pairs: tuple[Pair, ...]

    def tidy(self) -> pd.DataFrame:
        """One row per estimator and term, as ``Result.tidy`` with the label in front; a refused one has one row."""
        import pandas as pd

        tables = []
        for label, result in self.results.items():
            if isinstance(result, Result):
                table = result.tidy()
            else:
                blank: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
                blank |= {"target": self.target.kind, "term": "", "weighting": self.target.weighting}
                blank |= {"n": 0, "areas": 0, "clusters": 0, "method": self.methods[label], "unit": ""}
                table = pd.DataFrame([blank | {"status": f"refused: {result.because}"}])[list(COLUMNS)]
            table.insert(0, "estimator", label)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def differences(self) -> pd.DataFrame:
        """One row per pair and term, the second less the first, and one with the joint test over all effects.

        `statistic` is t, or F in the joint row, where `rank` and `df` are its degrees of freedom. `cells` says whether
        both make the term of the same groups and periods ("same", "other"), and in the joint row how many effects both
        have. `status` is "ok", "the same by construction", or why there is no test.
        """
        import pandas as pd

        rows = [row for pair in self.pairs for row in _rows(pair)]
        return pd.DataFrame(rows, columns=list(DIFFERENCES))

    def summary(self) -> str:
        """A few lines of text for a terminal: the last term of every estimator, and what the pairs say."""
        given = [result for result in self.results.values() if isinstance(result, Result)]
        unit = next((result.panel.unit for result in given if result.panel.unit), "")
        wide = max(map(len, self.results))
        lines = [f"target {self.target.kind} weighted by {self.target.weighting}, {self.inference}"]
        lines[0] += f", in {unit}" if unit else ""
        for label, result in self.results.items():
            own = f", a {result.fit.unit}" if isinstance(result, Result) and result.fit.unit else ""
            lines.append(f"  {label:<{wide}}  {_estimate(result)}{own}")
        return "\n".join([*lines, *self._compared(), *self._notes()])

    def _notes(self) -> list[str]:
        """What to know of every estimator (units left out, covariates not used), each said once."""
        told: dict[str, list[str]] = {}
        for label, result in self.results.items():
            for note in result.fit.notes if isinstance(result, Result) else ():
                told.setdefault(note, []).append(label)
        return [f"{', '.join(labels)}: {note}" for note, labels in told.items()]

    def _compared(self) -> list[str]:
        """What the pairs say; of estimators that are the same by construction the first speaks for all."""
        head = {label: label for label in self.results}
        for pair in self.pairs:
            if isinstance(pair.contrast, Contrast) and pair.contrast.identical:
                head[pair.second] = head[pair.first]
        twins = [[label for label, first in head.items() if first == one] for one in dict.fromkeys(head.values())]
        lines = [f"{', '.join(same[:-1])} and {same[-1]} are the same by construction" for same in twins if same[1:]]
        told = [pair for pair in self.pairs if {head[pair.first], head[pair.second]} == {pair.first, pair.second}]
        said = [line for pair in told for line in _said(pair, self.target, self.level)]
        reasons = dict.fromkeys(pair.contrast.because for pair in told if isinstance(pair.contrast, Refused))
        return [
            *lines,
            *(["do they differ by more than chance?", *said] if said else []),
            *(f"not compared: {reason}" for reason in reasons),
        ]


def _estimate(result: Result | Refused) -> str:
    """The last term in words; a target by area has no last word, so all its terms stand there."""
    if isinstance(result, Refused):
        return f"refused, because {result.because}"
    table = result.tidy()
    chosen = range(len(table)) if result.target.kind == "unit" else [len(table) - 1]
    said = []
    for number in chosen:
        row = table.iloc[number]
        line = f"{row['estimate']:.4g}"
        line += f" [{row['ci_low']:.4g}, {row['ci_high']:.4g}]" if np.isfinite(row["ci_low"]) else ""
        line += f" p = {row['p_value']:.3g}" if np.isfinite(row["p_value"]) else ""
        line += "" if row["status"] in ("ok", "unsized") else f" ({row['status']})"
        said.append(f"{row['term']} {line}" if len(table) > 1 else line)
    return "; ".join(said)


def _said(pair: Pair, target: Target, level: float) -> list[str]:
    """A line for the last term, where the target has one that speaks for the others, and one for all effects."""
    found = pair.contrast
    if isinstance(found, Refused):
        return []
    lines = [] if target.kind == "unit" else [_difference(found, level)]
    return [f"  {pair.second} less {pair.first}: {'; '.join([*lines, _together(found.joint, level)])}"]


def _difference(found: Contrast, level: float) -> str:
    refused, value, p_value = found.refused[-1], found.difference[-1], found.p_value[-1]
    what = "" if len(found.terms) == 1 else f"{found.terms[-1]} "
    other = "" if found.alike[-1] else " (over other groups and periods)"
    if refused is not None:
        return f"{what}{value:.4g}{other}, of which the error is not known, because {refused.because}"
    if found.std_error[-1] == 0:
        return f"{what}the same by construction"
    spread = f"[{found.low[-1]:.4g}, {found.high[-1]:.4g}]{other}"
    return f"{what}{value:.4g} {spread} t({found.df[-1]:.0f}) p = {p_value:.3g}, {_verdict(p_value, level)}"


def _together(joint: Joint | Refused, level: float) -> str:
    if isinstance(joint, Refused):
        return f"no test of all effects, because {joint.because}"
    if joint.rank == 0:
        return f"all {joint.cells} effects the same by construction"
    test = f"F({joint.rank}, {joint.df}) = {joint.statistic:.3g} p = {joint.p_value:.3g}"
    return f"all {joint.cells} effects {test}, {_verdict(joint.p_value, level)}"


def _verdict(p_value: float, level: float) -> str:
    return "more than chance" if p_value < 1 - level else "no more than chance"


def _rows(pair: Pair) -> list[dict[str, Any]]:
    found = pair.contrast
    head: dict[str, Any] = {name: np.nan for name in DIFFERENCES} | {"first": pair.first, "second": pair.second}
    if isinstance(found, Refused):
        return [head | {"term": "", "cells": "", "status": f"refused: {found.because}"}]
    rows = []
    for number, term in enumerate(found.terms):
        error, reason = found.std_error[number], found.refused[number]
        same = reason is None and error == 0
        rows.append(
            head
            | {
                "term": term,
                "difference": found.difference[number],
                "std_error": error,
                "statistic": np.nan if same else found.difference[number] / error,
                "df": found.df[number],
                "p_value": found.p_value[number],
                "ci_low": found.low[number],
                "ci_high": found.high[number],
                "cells": "same" if found.alike[number] else "other",
                "status": _status(reason, same),
            }
        )
    joint = found.joint
    if isinstance(joint, Refused):
        return [*rows, head | {"term": _TOGETHER, "cells": "", "status": _status(joint, False)}]
    test = {"statistic": joint.statistic, "rank": joint.rank, "df": joint.df, "p_value": joint.p_value}
    return [
        *rows,
        head | test | {"term": _TOGETHER, "cells": str(joint.cells), "status": _status(None, not joint.rank)},
    ]


def _status(refused: Refused | None, same: bool) -> str:
    if refused is not None:
        return f"refused: {refused.because}"
    return "the same by construction" if same else "ok"
