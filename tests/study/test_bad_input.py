"""Bad input ends in one clear message that lists every problem, and nothing is written or lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from impact.study import bundle as bundles
from impact.study.read import read_study
from impact.study.run import run
from tests.study.conftest import Ended, Project, apart, tree


def _refused(done: Ended, out: Path, *codes: str) -> None:
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert [code for code in codes if code not in done.err] == [], done.err
    assert "nothing was written" in done.err
    assert not out.exists()


def test_a_study_with_three_typos_and_a_wrong_indent(project: Project) -> None:
    project.change(
        project.study,
        ("periods:", "perods:"),
        ("ratio: 5", "ration: 5"),
        ("better: lower", "beter: lower"),
        ("  start: {event", "   start: {event"),
    )
    done = project.run()
    assert done.code == 2
    for typo, meant in (("perods", "periods"), ("ration", "ratio"), ("beter", "better")):
        assert typo in done.err
        assert meant in done.err
    assert done.err.count("^") >= 4  # a caret under each
    assert not project.out.exists()


def test_every_problem_of_a_data_file_at_once(project: Project) -> None:
    text = project.outcomes.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    lines[1] = lines[1].replace(lines[1].split(";")[2], "veel", 1)  # text in a number column
    project.outcomes.write_text("".join([*lines, lines[5]]), encoding="utf-8", newline="")  # a wijk-year twice
    project.change(
        project.study,
        ("structure: [huur_pct, uitkering_pct,", "structure: [huur_percentage, uitkering_pct,"),  # a missing column
        ("file: data_synthetic/eerste-studie.csv", f"file: data_synthetic/eerste-studie.csv\n    sha256: {'0' * 64}"),
    )
    done = project.run()
    _refused(done, project.out, "DATA-106", "DATA-107", "DATA-108", "DATA-111")
    assert "huur_percentage" in done.err
    assert "huur_pct" in done.err  # the nearest name
    assert "veel" in done.err


def _area_without_data(project: Project) -> None:
    areas = "areas: {delft-west: {members: [WK999999]}}"
    project.change(project.study, ("areas: {column: area}", areas), ("column: first_treated}", "first_treated: 2022}"))


def _start_before_the_first_period(project: Project) -> None:
    project.change(project.study, ("column: first_treated}", "first_treated: 2013}"))


def _no_donors(project: Project) -> None:
    project.lines(project.units, lambda line: line.split(";")[3] != "")


def _one_period(project: Project) -> None:
    project.change(project.study, ("first: 2013, last: 2024", "first: 2022, last: 2022"))


def _absolute_path(project: Project) -> None:
    project.change(project.study, ("file: data_synthetic/eerste-studie.csv", f"file: {project.outcomes.as_posix()}"))


def _climbing_path(project: Project) -> None:
    project.change(
        project.study, ("file: data_synthetic/eerste-studie.csv", "file: ../../data_synthetic/eerste-studie.csv")
    )


def _link_that_leaves(project: Project) -> None:
    secret = project.root.parent / "secret.csv"
    secret.write_bytes(project.outcomes.read_bytes())
    project.outcomes.unlink()
    project.outcomes.symlink_to(secret)


def _alias_bomb(project: Project) -> None:
    bomb = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    project.study.write_text(f"a0: &a0 [x, x]\n{bomb}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_area_without_data, ("DATA-120", "WK999999")),
        (_start_before_the_first_period, ("SPEC-010", "2013")),
        (_no_donors, ("DATA-130", "no donor")),
        (_one_period, ("SPEC-010",)),
        (_absolute_path, ("SPEC-020", "absolute")),
        (_climbing_path, ("SPEC-020", "..")),
        (_link_that_leaves, ("SPEC-020", "link")),
        (_alias_bomb, ("SPEC-003",)),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_one_message_and_no_output(project: Project, spoil: Callable[[Project], None], says: tuple[str, ...]) -> None:
    spoil(project)
    _refused(project.run(), project.out, *says)


def test_junk_of_200_mb_is_refused_unread(project: Project) -> None:
    with project.study.open("wb") as file:
        file.truncate(200_000_000)
    _refused(project.run(), project.out, "SPEC-001")


def test_an_unknown_option_is_bad_usage(project: Project) -> None:
    assert apart("run", project.study, "--ouut", "x").returncode == 2


def test_a_failed_run_leaves_the_last_good_bundle(project: Project) -> None:
    assert project.run().code == 0
    before = tree(project.out)
    project.change(project.study, ("seed: 20261123", "sed: 20261123"))
    assert project.run().code == 2
    assert tree(project.out) == before


def test_a_folder_that_is_no_bundle_is_never_replaced(project: Project) -> None:
    project.out.mkdir()
    (project.out / "my thesis.docx").write_bytes(b"years of work")
    done = project.run()
    assert done.code == 4
    assert "WRITE-002" in done.err
    assert tree(project.out) == {"my thesis.docx": b"years of work"}


def test_a_failure_at_any_write_leaves_the_last_good_bundle(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure injected at every call of the one writer."""
    assert project.run().code == 0
    before = tree(project.out)
    project.change(project.study, ("seed: 20261123", "seed: 20261124"))
    outcomes = run(read_study(project.study), out=project.root / "other").outcomes
    calls = len(tree(project.root / "other"))
    assert calls >= 8
    real = bundles.write
    for fails_at in range(calls):
        made = 0

        def failing(path: Path, content: bytes | str, at: int = fails_at) -> None:
            nonlocal made
            made += 1
            if made - 1 == at:
                raise OSError(28, "No space left on device")
            real(path, content)

        monkeypatch.setattr(bundles, "write", failing)
        pages = {"report.html": "<p>new</p>"}
        figures = {f"{number}.svg": "<svg/>" for number in range(calls)}
        with pytest.raises(OSError, match="No space left"):
            bundles.write_bundle(project.out, outcomes, pages, figures, {})
        assert tree(project.out) == before
        assert not [path for path in project.root.iterdir() if path.name.startswith(".")]


def test_interrupted_in_the_middle(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.run().code == 0
    before = tree(project.out)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundles, "write", interrupt)
    done = project.run()
    assert done.code == 130
    assert "interrupted" in done.err
    assert tree(project.out) == before
