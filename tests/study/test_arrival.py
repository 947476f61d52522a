"""Outcomes that nobody has opened: a sealed file, and periods that have yet to arrive."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from impact.study.bundle import read_bundle
from impact.study.lock import LOCK, read_lock
from impact.study.log import LOG, read_log
from tests.study.conftest import Project, impact

NAME = "file: data_synthetic/eerste-studie.csv"


@pytest.fixture
def quick(project: Project) -> Project:
    for name in (LOCK, LOG):
        project.study.with_name(name).unlink(missing_ok=True)
    project.change(project.study, ("beside: [score-flip]", "beside: []"))
    return project


@pytest.fixture
def apart(quick: Project) -> Project:
    """The study with the years from 2022 on in a sealed file."""
    out = quick.root / "data_synthetic"
    ended = impact("data", "split", quick.outcomes, "--at", "2022", "--time", "period", "--out", out)
    assert ended.code == 0, ended.err
    whole = quick.outcomes.rename(quick.root / "heel.csv")
    said = ended.err.splitlines()
    design, digest, sealed = (line.strip() for line in said[-3:])
    for name in ("design", "sealed"):
        assert f"eerste-studie-{name}.csv" in f"{design} {sealed}"
    design = design.replace("file: ", "file: data_synthetic/")
    sealed = sealed.replace("file: ", "file: data_synthetic/")
    quick.change(quick.study, (NAME, f"{design}\n    {digest}\n    {sealed}"))
    assert whole.is_file()
    return quick


def sealed_file(project: Project) -> Path:
    return project.root / "data_synthetic" / "eerste-studie-sealed.csv"


def test_only_a_run_opens_the_sealed_file(apart: Project) -> None:
    """Absent or no table at all: check and lock do not notice, and a run does."""
    content = sealed_file(apart).read_bytes()
    sealed_file(apart).write_bytes(b"\x00\xff")
    checked = impact("check", apart.study)
    assert checked.code == 0 and "not opened: outcomes of 2022, 2023, 2024" in checked.out
    assert impact("lock", apart.study).code == 0
    assert "DATA-101" in apart.run().err
    sealed_file(apart).unlink()
    assert impact("lock", apart.study).code == 0
    assert "SPEC-021" in apart.run().err
    assert read_log(apart.study.parent).seen == "design"
    sealed_file(apart).write_bytes(content)
    assert apart.run().code == 0
    evidence = read_bundle(apart.out).outcomes[0]
    assert (evidence.status, evidence.standing.because) == ("pre-specified", "")
    assert {file.role: file.file for file in evidence.data}["sealed"] == "data_synthetic/eerste-studie-sealed.csv"


def test_the_numbers_are_those_of_the_whole_table(apart: Project) -> None:
    apart.run()
    parts = read_bundle(apart.out).tidy().drop(columns="address")  # that holds the digest of the set-up
    study = apart.study.read_text(encoding="utf-8").splitlines(keepends=True)
    start = next(number for number, line in enumerate(study) if "eerste-studie-design.csv" in line)
    study[start : start + 3] = ["    file: heel.csv\n"]
    apart.study.write_text("".join(study), encoding="utf-8")
    apart.run()
    pd.testing.assert_frame_equal(parts, read_bundle(apart.out).tidy().drop(columns="address"), check_exact=True)


def test_what_a_check_says_does_not_depend_on_what_is_sealed(apart: Project) -> None:
    """Held against the whole table, whose later figures are in it: all but the share of cells without a number."""

    def said() -> list[str]:
        lines = impact("check", apart.study).out.splitlines()[:-3]
        return [line for line in lines if "not opened" not in line and "suppressed: pass" not in line]

    before = said()
    study = apart.study.read_text(encoding="utf-8").splitlines(keepends=True)
    start = next(number for number, line in enumerate(study) if "eerste-studie-design.csv" in line)
    study[start : start + 3] = ["    file: heel.csv\n"]
    apart.study.write_text("".join(study), encoding="utf-8")
    assert said() == before


def test_another_sealed_file_is_refused(apart: Project) -> None:
    sealed_file(apart).write_bytes(sealed_file(apart).read_bytes().replace(b";7;", b";8;"))
    assert "DATA-106" in apart.run().err


@pytest.mark.parametrize(("old", "new"), [("deelnemers", "leerlingen"), (";2022;", ";2021;")])
def test_a_sealed_file_that_is_no_continuation(apart: Project, old: str, new: str) -> None:
    apart.lines(apart.study, lambda line: True)
    text = apart.study.read_text(encoding="utf-8")
    start = text.index(", sha256: ")
    apart.study.write_text(text[:start] + text[text.index("}", start) :], encoding="utf-8")
    apart.change(sealed_file(apart), (old, new))
    ended = apart.run()
    assert ended.code == 2 and ("DATA-160" in ended.err or "DATA-107" in ended.err)
    assert "eerste-studie-sealed.csv" in ended.err


# --- periods that have yet to arrive ----------------------------------------------------------------------------------


@pytest.fixture
def waiting(quick: Project) -> Project:
    """The study before the figures of 2022 and later have come."""
    quick.change(quick.study, (NAME, f"{NAME}\n    arrives: {{have: 2021, planned: [2022, 2023, 2024]}}"))
    (quick.root / "heel.csv").write_bytes(quick.outcomes.read_bytes())
    quick.lines(quick.outcomes, lambda line: line.split(";")[1] < "2022")
    return quick


def deliver(project: Project, until: str) -> None:
    project.outcomes.write_bytes((project.root / "heel.csv").read_bytes())
    project.lines(project.outcomes, lambda line: line.split(";")[1] <= until)


def test_a_lock_before_delivery_and_a_run_after(waiting: Project) -> None:
    assert impact("check", waiting.study).code == 0
    assert impact("lock", waiting.study).code == 0
    lock = read_lock(waiting.study.parent)
    assert lock is not None and lock.arrives == {"have": "2021", "planned": ["2022", "2023", "2024"]}
    # Before all have come nothing is measured, and nothing counts as seen.
    for until, absent in (("2021", "2022, 2023 en 2024"), ("2023", "2024")):
        deliver(waiting, until)
        ended = waiting.run()
        assert ended.code == 1
        (evidence,) = read_bundle(waiting.out).outcomes
        assert evidence.not_measurable == (f"de cijfers over {absent} zijn er nog niet",)
        assert evidence.primary.value is None and not evidence.path and not evidence.event
        assert read_bundle(waiting.out).tidy().empty
        assert read_log(waiting.study.parent).seen == "diagnostics"
        assert evidence.status == "pre-specified"
    deliver(waiting, "2024")
    assert waiting.run().code == 0
    (evidence,) = read_bundle(waiting.out).outcomes
    assert (evidence.status, evidence.standing.because, evidence.standing.revised) == ("pre-specified", "", ())
    assert read_log(waiting.study.parent).seen == "outcomes"
    # A check after delivery stays blind, and the lock is still that of this study.
    assert "not opened: outcomes of 2022, 2023, 2024" in impact("check", waiting.study).out
    assert impact("lock", waiting.study).code == 0


def test_the_numbers_after_delivery_are_those_without_the_key(waiting: Project) -> None:
    deliver(waiting, "2024")
    waiting.run()
    found = read_bundle(waiting.out).tidy().drop(columns="address")
    waiting.change(waiting.study, ("\n    arrives: {have: 2021, planned: [2022, 2023, 2024]}", ""))
    waiting.run()
    pd.testing.assert_frame_equal(found, read_bundle(waiting.out).tidy().drop(columns="address"), check_exact=True)


def test_a_check_after_delivery_is_that_before_it(waiting: Project) -> None:
    before = impact("check", waiting.study).out
    deliver(waiting, "2024")
    assert impact("check", waiting.study).out == before


def test_a_delivery_that_revises_earlier_figures_is_told_and_no_tampering(waiting: Project) -> None:
    impact("lock", waiting.study)
    deliver(waiting, "2024")
    text = waiting.outcomes.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if ";2019;" in line and line.split(";")[2].isdigit())
    code, year, first, *rest = row.split(";")
    waiting.change(waiting.outcomes, (row, ";".join([code, year, str(int(first) + 1), *rest])))
    assert waiting.run().code == 0
    (evidence,) = read_bundle(waiting.out).outcomes
    assert evidence.status == "pre-specified"
    assert evidence.standing.revised == ("voortijdig-schoolverlaten",)
    page = (waiting.out / "report.html").read_text(encoding="utf-8")
    assert "De latere levering gaf andere cijfers over de jaren voor de start: voortijdig-schoolverlaten." in page


def test_a_delivery_without_a_column_is_held_against_the_contract(waiting: Project) -> None:
    impact("lock", waiting.study)
    deliver(waiting, "2024")
    waiting.change(waiting.outcomes, ("deelnemers", "leerlingen"))
    ended = waiting.run()
    assert (ended.code, "DATA-107" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("have: 2021", "have: 2012", "2012 is not among the periods"),
        ("planned: [2022, 2023, 2024]", "planned: [2022, 2024]", "`planned` names others"),
        ("planned: [2022, 2023, 2024]", "planned: [2022, 2023, 2024, 2025]", "`planned` names others"),
    ],
)
def test_periods_that_do_not_fit_are_said(waiting: Project, old: str, new: str, said: str) -> None:
    waiting.change(waiting.study, (old, new))
    ended = impact("check", waiting.study)
    assert ended.code == 2 and said in ended.err and "data.outcomes.arrives" in ended.err


def test_a_lock_before_delivery_holds_no_later_file(waiting: Project) -> None:
    impact("lock", waiting.study)
    said = json.loads((waiting.study.parent / LOCK).read_bytes())
    assert said["design"]["periods"] == [str(year) for year in range(2013, 2022)]
