"""The one writer: whoever reads sees all of a file or a bundle, or the last good one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impact.errors import WriteError
from impact.files import folder, sha256, write


def _tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def _bundle(path: Path, text: str) -> None:
    with folder(path) as place:
        write(place / "a.txt", text)
        write(place / "sub" / "b.bin", text.encode("utf-8"))


class _Fails:
    """Lets the first `good` calls of every wrapped function pass and fails the next one."""

    def __init__(self, good: int) -> None:
        self.left = good
        self.fired = False

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(*args: Any, **options: Any) -> Any:
            if self.left == 0 and not self.fired:
                self.fired = True
                raise OSError(28, "No space left on device")
            self.left -= 1
            return function(*args, **options)

        return maybe


@pytest.mark.parametrize("good", range(40))
def test_a_failure_at_any_file_operation_leaves_the_last_good_bundle(
    good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    _bundle(target, "old")
    before = _tree(target)
    fails = _Fails(good)
    with monkeypatch.context() as patch:
        for owner, name in ((Path, "mkdir"), (Path, "open"), (Path, "replace"), (os, "fsync")):
            patch.setattr(owner, name, fails.wrap(getattr(owner, name)))
        try:
            _bundle(target, "new")
            written = True
        except WriteError as error:
            written = False
            assert error.problems[0].code == "WRITE-001"
            assert "No space left" in str(error)
    assert written == (not fails.fired), "a failure must be told, and only a failure"
    assert _tree(target) == (before if not written else {"a.txt": b"new", "sub/b.bin": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"], "nothing temporary is left behind"


def test_an_error_of_the_caller_leaves_the_last_good_bundle(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    _bundle(target, "old")
    with pytest.raises(KeyboardInterrupt), folder(target) as place:
        write(place / "a.txt", "half")
        raise KeyboardInterrupt
    assert _tree(target) == {"a.txt": b"old", "sub/b.bin": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_text_is_utf8_with_line_feeds_whatever_the_platform(tmp_path: Path) -> None:
    write(tmp_path / "t.txt", "één\ntwee\n")
    assert (tmp_path / "t.txt").read_bytes() == b"\xc3\xa9\xc3\xa9n\ntwee\n"


def test_sha256_of_the_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    # The digest of no bytes, as in FIPS 180-4 test vectors.
    assert sha256(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
