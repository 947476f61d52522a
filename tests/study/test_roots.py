"""A study reads in its own folder, the project and --data, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from impact.errors import SpecError
from impact.study.read import locate, read_study
from impact.study.roots import Roots
from tests.study.example import SPEC, points_at


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a study, and a data folder beside it."""
    for folder in ("project/studies/een", "project/data", "data/diep", "buiten"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("project/studies/een/eigen.csv", "project/data/tabel.csv", "data/diep/ver.csv", "buiten/geheim.csv"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "project" / "studies" / "een" / "study.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def roots(project: Path) -> Roots:
    return Roots.of(project / "project" / "studies" / "een" / "study.yaml", [project / "data"])


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("eigen.csv", "project/studies/een/eigen.csv"),
        ("data/tabel.csv", "project/data/tabel.csv"),
        ("diep/ver.csv", "data/diep/ver.csv"),
        ("studies/een/eigen.csv", "project/studies/een/eigen.csv"),
    ],
)
def test_a_path_resolves_against_study_project_and_data(project: Path, name: str, where: str) -> None:
    assert roots(project).find(name) == (project / where).resolve()


def test_the_study_goes_before_the_project_and_the_project_before_data(project: Path) -> None:
    for folder in ("data", "project", "project/studies/een"):
        (project / folder / "zelfde.csv").write_text("x", encoding="utf-8")
        assert roots(project).find("zelfde.csv") == (project / folder / "zelfde.csv").resolve()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../geheim.csv",
        "diep/../../buiten/geheim.csv",
        "C:/geheim.csv",
        "C:geheim.csv",
        "\\\\server\\x",
        "a\\b.csv",
        "",
        " ",
        "a\0b",
    ],
)
def test_a_path_that_leads_out_is_refused(project: Path, name: str) -> None:
    with pytest.raises(SpecError) as caught:
        roots(project).find(name)
    assert [problem.code for problem in caught.value.problems] == ["SPEC-020"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_may_lead_into_another_root_and_not_out(project: Path) -> None:
    study = project / "project" / "studies" / "een"
    (study / "uit.csv").symlink_to(project / "buiten" / "geheim.csv")
    (study / "uitmap").symlink_to(project / "buiten")
    (study / "in.csv").symlink_to(project / "data" / "diep" / "ver.csv")
    (study / "rond.csv").symlink_to(study / "rond.csv")
    for name in ("uit.csv", "uitmap/geheim.csv"):
        with pytest.raises(SpecError) as caught:
            roots(project).find(name)
        assert caught.value.problems[0].code == "SPEC-020"
    assert roots(project).find("in.csv") == (project / "data" / "diep" / "ver.csv").resolve()
    with pytest.raises(SpecError):
        roots(project).find("rond.csv")


def test_a_path_without_a_file_says_where_was_looked(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        roots(project).find("weg.csv")
    (problem,) = caught.value.problems
    assert problem.code == "SPEC-021"
    for folder in ("een", "project", "data"):
        assert str((project / folder).resolve().name) in problem.message


def test_every_path_of_a_study_is_sought_at_once(project: Path) -> None:
    study = read_study(project / "project" / "studies" / "een" / "study.yaml")
    with pytest.raises(SpecError) as caught:
        locate(study, roots(project))
    assert [points_at(problem) for problem in caught.value.problems] == ["uitkomst.csv", "wijken.csv"]
    for name in ("uitkomst.csv", "wijken.csv"):
        (project / "data" / name).write_text("x", encoding="utf-8")
    assert {role: path.name for role, path in locate(study, roots(project)).items()} == {
        "outcomes": "uitkomst.csv",
        "units": "wijken.csv",
    }
