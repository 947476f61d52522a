"""Whoever asks for a logarithm of a count is told why there is none, and what there is instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.example import refused


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("measure: {unit: procentpunt}", "measure: {unit: procentpunt, log1p: true}", "outcome.measure.log1p"),
        ("measure: {unit: procentpunt}", "measure: {unit: procentpunt, asinh: true}", "outcome.measure.asinh"),
        ("  better: lower", "  transform: log1p\n  better: lower", "outcome.transform"),
    ],
)
def test_a_logarithm_of_a_count_is_refused_with_the_reason(old: str, new: str, path: str, tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, (old, new))
    assert (problem.code, problem.path) == ("SPEC-004", path)
    assert "any size with the unit" in problem.hint and "poisson" in problem.hint
