"""The ledger of a study: a chain that another program can check, and every way to spoil it found and named."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
from pathlib import Path
from typing import Any

import pytest

import impact.study.log as log_module
from impact.errors import DataError, WriteError
from impact.study.log import LOG, Log, append, read_log

ONE, TWO = "1" * 64, "2" * 64
LOOK: dict[str, Any] = {
    "label": "2026-11",
    "until": "2024",
    "fraction": 0.5,
    "critical": 2.9,
    "nominal": 0.003,
    "spent": 0.003,
    "value": None,
    "low": 0,
    "high": 1.5,
    "path": [["2020", 1.5, None]],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of four lines."""
    append(tmp_path, "checked", seen="design", spec_sha256=ONE)
    append(tmp_path, "locked", seen="design", spec_sha256=ONE, lock8="0a0b0c0d")
    append(tmp_path, "ran", seen="outcomes", spec_sha256=ONE, lock8="0a0b0c0d", details={"until": "2024", "look": 1})
    append(tmp_path, "checked", seen="design", spec_sha256=TWO, lock8="0a0b0c0d")
    return tmp_path / LOG


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def put(path: Path, *found: bytes) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in found))


def problems(path: Path) -> list[tuple[int | None, str]]:
    with pytest.raises(DataError) as caught:
        read_log(path)
    assert {problem.code for problem in caught.value.problems} == {"LOG-002"}
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_the_chain_as_json_and_hashlib_alone_read_it(path: Path) -> None:
    previous = "0" * 64
    for number, line in enumerate(lines(path), 1):
        said: dict[str, Any] = json.loads(line)
        assert line == json.dumps(said, sort_keys=True, separators=(",", ":")).encode(), "canonical: no blanks, sorted"
        assert (said["number"], said["previous"]) == (number, previous)
        own = said.pop("sha256")
        assert own == hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["at"])
        previous = hashlib.sha256(line).hexdigest()
    log = read_log(path.parent)
    assert log.head == previous
    assert log.content == path.read_bytes()
    # What was seen is never unseen.
    assert [entry.seen for entry in log.entries] == ["design", "design", "outcomes", "outcomes"]
    assert log.upto(2).seen == "design"
    assert [entry.number for entry in log.of("checked")] == [1, 4]
    assert log.entries[2].details == {"until": "2024", "look": 1}


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert read_log(tmp_path) == read_log(tmp_path / LOG) == Log()
    assert (Log().seen, Log().head, Log().content) == ("nothing", "0" * 64, b"")


def test_an_event_that_is_there_adds_no_line(path: Path) -> None:
    before = path.read_bytes()
    append(path, "ran", seen="outcomes", spec_sha256=ONE, lock8="0a0b0c0d", details={"look": 1, "until": "2024"})
    append(path, "checked", seen="design", spec_sha256=ONE)
    assert path.read_bytes() == before
    append(path, "ran", seen="outcomes", spec_sha256=ONE, lock8="0a0b0c0d", details={"look": 2, "until": "2025"})
    append(path, "checked", seen="design", spec_sha256=ONE, lock8="0a0b0c0d")
    assert len(lines(path)) == 6


def test_more_seen_in_the_same_event_is_a_line(tmp_path: Path) -> None:
    append(tmp_path, "checked", seen="design", spec_sha256=ONE)
    append(tmp_path, "checked", seen="diagnostics", spec_sha256=ONE)
    assert [entry.seen for entry in read_log(tmp_path).entries] == ["design", "diagnostics"]


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_a_changed_digit_is_found_in_every_line(path: Path, place: int) -> None:
    found = lines(path)
    found[place - 1] = found[place - 1].replace(b'"at":"20', b'"at":"19')
    put(path, *found)
    assert problems(path)[0] == (place, f"line {place} was changed after it was written.")


def test_a_changed_line_with_its_own_digest_mended_breaks_the_next(path: Path) -> None:
    found = lines(path)
    said = json.loads(found[2])
    said["seen"] = "design"
    del said["sha256"]
    text = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    said["sha256"] = hashlib.sha256(text).hexdigest()
    found[2] = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    put(path, *found)
    assert problems(path) == [(4, "line 4 does not follow from line 3, which is not the one that stood there.")]


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_line_that_is_taken_out_is_named(path: Path, gone: int) -> None:
    found = lines(path)
    del found[gone - 1]
    put(path, *found)
    first = problems(path)[0]
    assert first == (
        gone,
        f"line {gone} was written as number {gone + 1}: number {gone} before it was taken out.",
    )


def test_lines_in_another_order_are_named(path: Path) -> None:
    one, two, three, four = lines(path)
    put(path, one, three, two, four)
    assert problems(path)[0] == (2, "line 2 was written as number 3: lines were put in another order.")
    put(path, one, two, two, three, four)
    assert problems(path)[0] == (3, "line 3 is there twice: it was written as number 2.")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[1]",
        b'{"number":1}',
        b"\xff",
        b"[" * 100_000,
        b'{"number":NaN}',
        b'{"number":true,"at":"x","event":"ran","seen":"design","spec_sha256":"","lock8":null,"previous":"","sha256":""}',
        b'{"number":1,"at":"x","event":"left","seen":"design","spec_sha256":"","lock8":null,"previous":"","sha256":""}',
    ],
)
def test_what_is_no_line_is_named(path: Path, line: bytes) -> None:
    found = lines(path)
    put(path, *found[:2], line, *found[3:])
    assert problems(path)[0] == (3, "line 3 is no line of a ledger.")


def test_a_line_that_is_not_finished_is_named(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    assert problems(path) == [(4, "line 4 is not finished: its end is missing.")]
    path.write_bytes(path.read_bytes()[:-9])
    assert problems(path)[0][0] == 4


def test_every_broken_line_is_named_at_once(path: Path) -> None:
    found = lines(path)
    put(path, found[0].replace(b"checked", b"planned"), b"{", *found[2:])
    assert [line for line, _ in problems(path)] == [1, 2]


def test_nothing_is_added_to_a_broken_ledger(path: Path) -> None:
    put(path, *lines(path)[1:])
    before = path.read_bytes()
    with pytest.raises(DataError, match="LOG-002"):
        append(path, "planned", seen="design", spec_sha256=ONE)
    assert path.read_bytes() == before


def test_line_ends_of_another_system_are_the_same_ledger(path: Path) -> None:
    before = read_log(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_log(path) == before


def test_a_link_is_no_ledger(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    path.rename(other)
    path.symlink_to(other)
    with pytest.raises(DataError, match="LOG-001"):
        read_log(path)


def _add(path: Path, worker: int) -> None:
    for number in range(10):
        append(path, "checked", seen="design", spec_sha256=f"{worker}-{number}")


@pytest.mark.parametrize("without", [False, True])
def test_of_lines_added_at_once_none_is_lost(tmp_path: Path, without: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system cannot lock a folder and a file stands for it."""
    if without:
        monkeypatch.setattr(log_module, "_alone", log_module._with_file)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_add, args=(tmp_path, worker)) for worker in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    log = read_log(tmp_path)
    assert {entry.spec_sha256 for entry in log.entries} == {f"{w}-{n}" for w in range(6) for n in range(10)}
    assert len(log.entries) == 60
    assert [found.name for found in tmp_path.iterdir()] == [LOG], "nothing is left behind"


def test_a_ledger_that_another_holds_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_alone", log_module._with_file)
    monkeypatch.setattr(log_module, "_PATIENCE", 0.1)
    path.with_name(f".{LOG}.held").touch()
    with pytest.raises(WriteError, match="LOG-003"):
        append(path, "planned", seen="design", spec_sha256=ONE)
    assert append(path, "checked", seen="design", spec_sha256=ONE) == read_log(path), "nothing to write, nothing held"


@pytest.mark.parametrize(
    "details",
    [
        {"look": "x"},
        {"until": 7},
        {"inputs": 5},
        {"inputs": [{"file": "a"}]},
        {"looks": 3},
        {"looks": {"iets": {"path": [1]}}},
        {"looks": {"iets": {**LOOK, "path": [["2020", 1]]}}},
        {"looks": {"iets": {**LOOK, "spent": None}}},
        {"looks": {"iets": {**LOOK, "more": 1}}},
    ],
)
def test_a_run_of_another_form_is_no_line(tmp_path: Path, details: dict[str, Any]) -> None:
    """Its digests hold: whoever writes a ledger anew, or a bundle with one, must not break what reads it."""
    append(tmp_path, "ran", seen="outcomes", spec_sha256="a" * 64, details={"looks": {"iets": LOOK}})
    assert len(read_log(tmp_path).entries) == 1
    append(tmp_path, "ran", seen="outcomes", spec_sha256="a" * 64, details=details)
    with pytest.raises(DataError, match="line 2 is no line of a ledger"):
        read_log(tmp_path)
