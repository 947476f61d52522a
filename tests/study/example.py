"""A small study that holds together, and ways to break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from impact.errors import Problem, SpecError
from impact.study.read import Study, read_study

SPEC = """\
schema: 1
id: voorbeeld
title: {nl: Voorbeeld, en: Example}
question: Veranderde het?
seen_before: Niets.
data:
  outcomes:
    file: uitkomst.csv
    columns: {region: wijk, period: jaar, value: aantal}
    rows: {where: {delict: [104]}, add_up_to: [region, period]}
  units:
    file: wijken.csv
    columns: {region: wijk, residents: inwoners, structure: [huur, bijstand], size: [inwoners]}
periods: {first: 2013, last: 2024}
treatment:
  areas:
    delft-west: {members: [WK050324, WK050325]}
    den-haag-zuidwest: {members: [WK051833]}
  start: {event: prestatieafspraak, first_treated: 2022}
outcome:
  indicator: voortijdig-schoolverlaten
  measure: {unit: procentpunt}
  better: lower
  smallest_difference_that_matters: {value: 0.5, why: commissie}
target: {kind: average, window: [2022, 2024], every: area}
comparison:
  leave_out: [{rule: focus-area, why: programma}]
  match: {method: nearest, ratio: 5, on: [structure, size]}
estimator: {name: group-time, control: never}
inference: {name: cluster-jackknife, cluster: gemeente, beside: [score-flip]}
alternatives:
  - {name: zonder, why: alles, same_estimand: true, change: {comparison: {match: none}}}
checks: standard
seed: 7
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, *changes: tuple[str, str]) -> Study:
    return read_study(written(tmp_path, changed(*changes)))


def changed(*changes: tuple[str, str]) -> str:
    text = SPEC
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} must stand once in the example"
        text = text.replace(old, new)
    return text


def refused(tmp_path: Path, *changes: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, *changes)
    return caught.value.problems


def points_at(problem: Problem) -> str:
    """The source from the caret on, which a reader of the message sees."""
    assert problem.column is not None
    return problem.excerpt[problem.column - 1 :]
