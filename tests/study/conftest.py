"""Studies run through the command line: in this process where that is enough, in one of their own where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from impact.cli import app
from tests.shared import ROOT, shared

FIRST = "eerste-studie"
# What a run names beside its pages.
WRITTEN = ("results.json", "tidy.csv", "tables.xlsx", "manifest.json", "bundle.zip")
MAIN = "from impact.cli import main; main()"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def anew(*arguments: str | Path) -> list[str]:
    """The command; a run keeps no results and uses none, unless it says something of them itself."""
    said = [str(argument) for argument in arguments]
    silent = said[:1] == ["run"] and len(said) > 1 and not {"--cache", "--no-cache", "--dry-run", "--from"} & {*said}
    return [*said, "--no-cache"] if silent else said


def impact(*arguments: str | Path) -> Ended:
    """A command in this process; only `typer`'s own way out may end it, so that a traceback fails the test."""
    result = CliRunner().invoke(app, anew(*arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def apart(
    *arguments: str | Path, code: str = MAIN, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, with further environment variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **variables}
    command = [sys.executable, "-c", code, *anew(*arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=300)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@dataclass(frozen=True)
class Project:
    """A copy of the generated study that a test may spoil."""

    root: Path

    @property
    def study(self) -> Path:
        return self.root / "studies" / FIRST / "study.yaml"

    @property
    def outcomes(self) -> Path:
        return self.root / "data_synthetic" / f"{FIRST}.csv"

    @property
    def units(self) -> Path:
        return self.root / "data_synthetic" / f"{FIRST}-wijken.csv"

    @property
    def out(self) -> Path:
        return self.root / "result"

    def change(self, path: Path, *pairs: tuple[str, str]) -> None:
        """Replace texts in a file; each must stand there."""
        text = path.read_text(encoding="utf-8")
        for old, new in pairs:
            assert old in text, f"{old!r} is not in {path.name}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8", newline="")

    def lines(self, path: Path, keep: Callable[[str], bool]) -> None:
        """Keep the header and the lines that fit."""
        head, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text(head + "".join(line for line in rest if keep(line)), encoding="utf-8", newline="")

    def run(self) -> Ended:
        return impact("run", self.study, "--out", self.out)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The first study and its data, alone in a folder, without alternatives so that it runs quickly."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "data_synthetic", root / "data_synthetic")
    shutil.copytree(ROOT / "studies" / FIRST, root / "studies" / FIRST)
    mine = Project(root)
    text = mine.study.read_text(encoding="utf-8")
    start, end = text.index("alternatives:"), text.index("checks:")
    mine.study.write_text(text[:start] + text[end:], encoding="utf-8", newline="")
    return mine


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the first study, made once, as a user makes it."""
    out = tmp_path_factory.mktemp("first") / FIRST
    done = apart("run", f"studies/{FIRST}", "--out", out)
    assert (done.returncode, done.stdout.split()) == (
        0,
        [str(out / name) for name in ("report.html", "report.en.html", *WRITTEN)],
    ), done.stderr
    return out


@pytest.fixture(scope="session")
def shipped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, Ended]]:
    """A study of the repository by its name: its bundle and how it ended, run by whoever asks first and then kept."""
    made: dict[str, tuple[Path, Ended]] = {}

    def run(name: str) -> tuple[Path, Ended]:
        if name == FIRST:
            return request.getfixturevalue("first"), Ended(0, "", "")
        if name not in made:
            data = ["--data", shared("data/thehague_crime").parent] if name == "criminaliteit-haaglanden" else []
            out = tmp_path_factory.mktemp("shipped") / name
            made[name] = (out, impact("run", ROOT / "studies" / name, *data, "--out", out))
        return made[name]

    return run
