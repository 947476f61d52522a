"""The same bytes on any machine, the last good bundle whole whatever fails, and no network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import impact.study.bundle as bundle
from impact.errors import WriteError
from impact.study.bundle import Bundle, read_bundle, write_bundle
from impact.study.render import pages
from tests.shared import ROOT
from tests.study.conftest import FIRST, MAIN, Project, apart, impact, tree

# --- the same bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "environment"),
    [
        ("2", {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONHASHSEED": "1"}),
        ("1", {"TZ": "America/Caracas", "LC_ALL": "nl_NL.UTF-8", "PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2"}),
    ],
)
def test_the_bundle_is_the_same_everywhere(
    first: Path, tmp_path: Path, workers: str, environment: dict[str, str]
) -> None:
    """Another number of workers, time zone, locale, hash seed, number of threads and working folder."""
    out = tmp_path / "elders" / "bundel"
    study = ROOT / "studies" / FIRST / "study.yaml"
    done = apart("run", study, "--out", out, "--workers", workers, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert {name for name, content in tree(out).items() if content != tree(first).get(name)} == set()
    assert set(tree(out)) == set(tree(first))


def test_random_draws_are_the_same_for_any_number_of_workers(project: Project, tmp_path: Path) -> None:
    project.change(project.study, ("beside: [score-flip]", "beside: [{name: placebo-space, draws: 150}]"))
    for workers in ("1", "2"):
        assert impact("run", project.study, "--out", tmp_path / workers, "--workers", workers).code == 0
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    drawn = read_bundle(tmp_path / "1").outcomes[0].primary.beside[0]
    assert (drawn.draws, drawn.enumerated) == (150, False)


def test_the_bundle_holds_no_place_and_no_time(first: Path) -> None:
    for name, content in tree(first).items():
        for part in (str(ROOT), str(first.parent), str(Path.home())):
            assert len(part) < 6 or part.encode() not in content, f"{part} in {name}"


# --- a failure at any moment ------------------------------------------------------------------------------------------


@pytest.fixture
def old(first: Path, tmp_path: Path) -> Bundle:
    """A good bundle, in a folder of its own, that says something else than the new one."""
    place = tmp_path / "here" / "bundle"
    outcomes = read_bundle(first).outcomes
    return write_bundle(place, outcomes, {"report.html": "old"}, {"old.svg": "<svg/>"}, {})


@pytest.fixture(scope="module")
def rendered(first: Path) -> tuple[dict[str, str], dict[str, str]]:
    return pages(read_bundle(first).outcomes)


def write_again(old: Bundle, rendered: tuple[dict[str, str], dict[str, str]]) -> None:
    write_bundle(old.path, old.outcomes, *rendered, {})


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, at: int, error: BaseException
) -> Iterator[list[int]]:
    """The call number `at` of a function fails; gives the number of calls so far."""
    real, calls = getattr(owner, name), [0]

    def maybe(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            raise error
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, maybe)
        yield calls


FILES = 19  # of which six figures at most


@pytest.mark.parametrize("error", [WriteError("the disk is full"), KeyboardInterrupt(), MemoryError()])
def test_a_failure_at_any_file_leaves_the_last_good_bundle(
    old: Bundle, rendered: tuple[dict[str, str], dict[str, str]], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = tree(old.path)
    with failing(monkeypatch, bundle, "write", 0, error) as calls:
        write_again(old, rendered)
    count = calls[0]
    assert count == len(tree(old.path)) <= FILES
    assert set(tree(old.path)) != set(before)
    write_bundle(old.path, old.outcomes, {"report.html": "old"}, {"old.svg": "<svg/>"}, {})
    assert tree(old.path) == before
    for at in range(1, count + 1):
        with failing(monkeypatch, bundle, "write", at, error), pytest.raises(type(error)):
            write_again(old, rendered)
        assert tree(old.path) == before
        assert [path.name for path in old.path.parent.iterdir()] == ["bundle"], "nothing temporary is left behind"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_any_operation_leaves_the_old_or_the_new_bundle(
    old: Bundle, rendered: tuple[dict[str, str], dict[str, str]], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Also where the folders change places: a rename that did not happen, and an interrupt just after one that did."""
    before = tree(old.path)
    for owner, name in ((Path, "mkdir"), (Path, "replace"), (os, "fsync")):
        at = 0
        while True:
            at += 1
            with failing(monkeypatch, owner, name, at, error) as calls:
                try:
                    write_again(old, rendered)
                except (WriteError, KeyboardInterrupt):
                    assert tree(old.path) == before
                else:
                    break
            assert calls[0] >= at
            assert [path.name for path in old.path.parent.iterdir()] == ["bundle"]
        assert at > 1, f"{name} was never called"
        write_bundle(old.path, old.outcomes, {"report.html": "old"}, {"old.svg": "<svg/>"}, {})


def test_an_interrupt_just_after_a_rename_leaves_a_whole_bundle(
    old: Bundle, rendered: tuple[dict[str, str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real, folders, stop = tree(old.path), Path.replace, 0, 0
    write_again(old, rendered)
    after = tree(old.path)
    write_bundle(old.path, old.outcomes, {"report.html": "old"}, {"old.svg": "<svg/>"}, {})

    def late(path: Path, target: Path) -> Path:
        nonlocal folders
        folder = path.is_dir()
        real(path, target)
        folders += folder
        if folder and folders == stop:
            raise KeyboardInterrupt
        return target

    # First the old one was put aside, then the new one in its place.
    for place, expected in enumerate((before, after), start=1):
        stop, folders = place, 0
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", late)
            with pytest.raises(KeyboardInterrupt):
                write_again(old, rendered)
        assert tree(old.path) == expected
        assert [path.name for path in old.path.parent.iterdir()] == ["bundle"]


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------

TELL = """
import sys
import impact.study.{module} as module
real = module.{name}
def told(*arguments, **options):
    print("now", flush=True)
    return real(*arguments, **options)
module.{name} = told
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize(
    ("module", "name", "workers"), [("run", "load", "1"), ("answers", "_beside", "1"), ("answers", "_beside", "2")]
)
def test_ctrl_c_ends_with_130_and_leaves_the_last_good_bundle(
    project: Project, module: str, name: str, workers: str
) -> None:
    """While reading and while drawing placebos, alone and with other processes."""
    project.change(project.study, ("beside: [score-flip]", "beside: [{name: placebo-space, draws: 1000000}]"))
    project.out.mkdir()
    (project.out / "manifest.json").write_text('{"outputs": {"results.json": ""}}', encoding="utf-8")
    (project.out / "results.json").write_text("old", encoding="utf-8")
    before = tree(project.root)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            TELL.format(module=module, name=name) + MAIN,
            "run",
            str(project.study),
            "--out",
            str(project.out),
            "--no-cache",
            "--workers",
            workers,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        # A run of the tests in the background of a shell passes on that Ctrl-C is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    time.sleep(1.5 if workers == "2" else 0.0)  # so that the other processes are at work
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the command
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted; the last complete bundle still stands." in err
    assert "Traceback" not in err
    assert tree(project.root) == before
    assert gone(process.pid), "a process was left behind"


def gone(group: int) -> bool:
    """Whether all processes of a group end within a few seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


# --- no network -------------------------------------------------------------------------------------------------------

GUARD = """
import socket, sys
def guard(event, arguments):
    if event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6):
        sys.exit("an internet socket was opened")
    if event in {"socket.connect", "socket.bind"} and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
        sys.exit("an internet socket was used")
    if event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        sys.exit("an address was looked up")
sys.addaudithook(guard)
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_opens_no_internet_socket(project: Project, workers: str) -> None:
    done = apart("run", project.study, "--out", project.out, "--workers", workers, code=GUARD + MAIN)
    assert done.returncode == 0, done.stderr
    assert (project.out / "report.html").is_file()


def test_the_guard_sees_a_socket() -> None:
    assert "socket was opened" in apart(code=GUARD + "socket.socket()").stderr
    assert "looked up" in apart(code=GUARD + "socket.getaddrinfo('localhost', 80)").stderr
