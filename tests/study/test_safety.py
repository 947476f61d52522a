"""Whatever happens around a run, its bundle is whole, the same, and made without a network."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import impact
from impact.study import bundle as bundles
from impact.study.read import read_study
from impact.study.run import run
from tests.shared import ROOT
from tests.study.conftest import Project, apart, tree


def test_an_interval_that_was_not_sized_is_marked(first: Path) -> None:
    """Of a synthetic control by cluster-jackknife nothing is known yet; table and report say so."""
    table = pd.read_csv(first / "tidy.csv")
    assert table.loc[table["status"] != "ok", ["name", "status"]].to_numpy().tolist() == [
        ["gewogen-vergelijking", "unsized"]
    ]
    assert "Van gewogen-vergelijking is niet bekend" in (first / "report.html").read_text(encoding="utf-8")


def test_from_python_the_same_numbers(first: Path, tmp_path: Path) -> None:
    bundle = impact.run(impact.read_study(ROOT / "studies" / "eerste-studie"), out=tmp_path / "b")
    assert bundle.tidy()["estimate"].tolist() == impact.read_bundle(first).tidy()["estimate"].tolist()
    assert impact.read_bundle(bundle.path).outcomes == bundle.outcomes


@pytest.mark.parametrize(
    ("workers", "variables"),
    [
        ("2", {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "1"}),
        ("1", {"TZ": "America/Lima", "LC_ALL": "C", "PYTHONHASHSEED": "0"}),
    ],
)
def test_the_same_bytes_everywhere(project: Project, tmp_path: Path, workers: str, variables: dict[str, str]) -> None:
    """Workers, time zone, locale, hash seed and working folder leave no trace."""
    project.change(project.study, ("beside: [score-flip]", "beside: [score-flip, {name: placebo-space, draws: 64}]"))
    plain = apart("run", project.study, "--out", tmp_path / "one", PYTHONHASHSEED="7", TZ="UTC")
    other = apart("run", project.study, "--out", tmp_path / "two", "--workers", workers, cwd=tmp_path, **variables)
    assert (plain.returncode, other.returncode) == (0, 0), plain.stderr + other.stderr
    one, two = tmp_path / "one", tmp_path / "two"
    names = sorted(file.relative_to(one).as_posix() for file in one.rglob("*") if file.is_file())
    assert names == sorted(file.relative_to(two).as_posix() for file in two.rglob("*") if file.is_file())
    assert [name for name in names if (one / name).read_bytes() != (two / name).read_bytes()] == []


def test_a_run_opens_no_socket(project: Project, tmp_path: Path) -> None:
    guard = (
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname'):\n"
        "        sys.stderr.write('OPENED ' + event + '\\n')\n"
        "        raise SystemExit(99)\n"
        "sys.addaudithook(hook)\n"
        "from impact.cli import main\n"
        "main()\n"
    )
    done = apart("run", project.study, "--out", tmp_path / "out", code=guard)
    assert (done.returncode, "OPENED" in done.stderr) == (0, False), done.stderr


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
