"""Zips and folders that somebody else made: links, names that lead away, bombs, two files of one name; all refused."""

from __future__ import annotations

import io
import os
import stat
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impact
from impact.errors import DataError
from impact.files import zipped
from impact.study.archive import Limits, read_contents, unzipped

SMALL = Limits(files=5, bytes=10_000)
MANIFEST = b'{"outputs": {"results.json": ""}}'


def packed(*entries: tuple[str, bytes], mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.compress_type = mode << 16, method
            archive.writestr(entry, data)
    return content.getvalue()


def codes(call: Callable[[], object]) -> set[str]:
    with pytest.raises(DataError) as caught:
        call()
    return {problem.code for problem in caught.value.problems}


AWAY = ["../out", "a/../../out", "/etc/passwd", "C:/out", "C:out", "\\\\host\\out", "a\\..\\out", "..\\out", ".."]


@pytest.mark.parametrize("name", [*AWAY, "./a", "a//b", "", "a\nb", "x" * 300, "/".join("abcdefghijk")])
def test_names_that_lead_away_or_are_none(name: str, tmp_path: Path) -> None:
    content = packed(("manifest.json", MANIFEST), (name, b"x"))
    assert codes(lambda: unzipped(content, "bundle.zip")) == {"BUNDLE-007"}
    (tmp_path / "bundle.zip").write_bytes(content)
    assert codes(lambda: impact.verify(tmp_path / "bundle.zip")) == {"BUNDLE-007"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.zip"], "nothing was unpacked"


def test_a_name_that_goes_on_after_its_end() -> None:
    content = packed(("results.jsonXetc", b"x")).replace(b"results.jsonXetc", b"results.json\0etc")
    assert codes(lambda: unzipped(content, "bundle.zip")) <= {"BUNDLE-007", "BUNDLE-005"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_in_a_zip(kind: int) -> None:
    content = packed(("results.json", b"/etc/passwd"), mode=kind | 0o777)
    assert codes(lambda: unzipped(content, "bundle.zip")) == {"BUNDLE-006"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["results.json", "Results.json", "RESULTS.JSON"])
def test_two_files_of_one_name(other: str) -> None:
    content = packed(("results.json", b"good"), (other, b"bad"))
    assert codes(lambda: unzipped(content, "bundle.zip")) == {"BUNDLE-008"}


def test_a_bomb_that_says_how_large_it_is() -> None:
    content = packed(("results.json", b"0" * 10**6), method=zipfile.ZIP_DEFLATED)
    assert len(content) < 10_000
    assert codes(lambda: unzipped(content, "bundle.zip", SMALL)) == {"BUNDLE-009"}


def test_a_bomb_that_lies_about_its_size() -> None:
    """The directory says 100 bytes; a million come out."""
    content = packed(("results.json", b"0" * 10**6), method=zipfile.ZIP_DEFLATED)
    lied = content.replace(struct.pack("<I", 10**6), struct.pack("<I", 100))
    assert lied != content
    assert codes(lambda: unzipped(lied, "bundle.zip", SMALL)) == {"BUNDLE-005"}


def test_entries_that_share_the_same_bytes() -> None:
    """A directory that names one entry many times: each is small, and all together are not."""
    content = packed(("a", b"0" * 4_000))
    start = content.index(b"PK\1\2")
    entry, end = content[start : content.index(b"PK\5\6")], content[content.index(b"PK\5\6") :]
    many = b"".join(entry.replace(b"a", bytes([97 + place]), 1) for place in range(4))
    end = end[:8] + struct.pack("<HHII", 4, 4, len(many), start) + end[20:]
    assert codes(lambda: unzipped(content[:start] + many + end, "bundle.zip", SMALL)) <= {"BUNDLE-009", "BUNDLE-005"}


def test_a_zip_in_a_zip_is_never_opened() -> None:
    inner = packed(("bomb", b"0" * 10**6), method=zipfile.ZIP_DEFLATED)
    assert unzipped(packed(("inner.zip", inner)), "bundle.zip", SMALL) == {"inner.zip": inner}


def test_too_many_files(tmp_path: Path) -> None:
    content = packed(*((f"f{place}", b"") for place in range(6)))
    assert codes(lambda: unzipped(content, "bundle.zip", SMALL)) == {"BUNDLE-009"}
    for place in range(6):
        (tmp_path / f"f{place}").touch()
    assert codes(lambda: read_contents(tmp_path, SMALL)) == {"BUNDLE-009"}


def test_too_many_bytes_in_a_folder_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0" * 30_000)
    assert codes(lambda: read_contents(tmp_path, SMALL)) == {"BUNDLE-009"}
    assert codes(lambda: read_contents(tmp_path / "large", SMALL)) == {"BUNDLE-009"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_way_of_packing(method: int) -> None:
    assert codes(lambda: unzipped(packed(("a", b"0"), method=method), "bundle.zip")) == {"BUNDLE-005"}


def test_a_password() -> None:
    content = bytearray(packed(("a", b"0")))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    assert codes(lambda: unzipped(bytes(content), "bundle.zip")) == {"BUNDLE-005"}


def test_no_zip(tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"no zip")
    assert codes(lambda: impact.verify(tmp_path / "bundle.zip")) == {"BUNDLE-005"}
    assert codes(lambda: impact.verify(tmp_path / "none.zip")) == {"BUNDLE-001"}
    assert codes(lambda: impact.verify(tmp_path)) == {"BUNDLE-001"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_and_pipes_in_a_folder(tmp_path: Path) -> None:
    bundle, secret = tmp_path / "bundle", tmp_path / "secret"
    bundle.mkdir()
    secret.mkdir()
    (secret / "file").write_text("secret", encoding="utf-8")
    (bundle / "manifest.json").write_bytes(MANIFEST)
    (bundle / "results.json").symlink_to(secret / "file")
    (bundle / "figures").symlink_to(secret, target_is_directory=True)
    os.mkfifo(bundle / "report.html")
    with pytest.raises(DataError) as caught:
        impact.verify(bundle)
    assert {problem.code for problem in caught.value.problems} == {"BUNDLE-006"}
    assert [problem.message.split()[0] for problem in caught.value.problems] == [
        "'figures'",
        "'report.html'",
        "'results.json'",
    ]
    (tmp_path / "link").symlink_to(bundle)
    assert codes(lambda: impact.verify(tmp_path / "link")) == {"BUNDLE-006"}


@pytest.mark.skipif(sys.platform == "win32", reason="paths are shorter there")
def test_folders_without_end(tmp_path: Path) -> None:
    (tmp_path / "/".join("abcdefghijklmn")).mkdir(parents=True)
    assert codes(lambda: read_contents(tmp_path)) == {"BUNDLE-007"}


NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@given(st.dictionaries(NAMES.map(str.lower), st.binary(max_size=50), max_size=5))
def test_what_was_zipped_is_read_back(files: dict[str, bytes]) -> None:
    assert unzipped(zipped(files), "bundle.zip") == files
    assert zipped(dict(reversed(files.items()))) == zipped(files)


@settings(max_examples=300)
@given(st.data())
def test_a_zip_with_other_bytes_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever is changed in it: no other error than ours, and nothing that is not bounded."""
    content = bytearray(packed(("manifest.json", MANIFEST), ("b", b"0" * 99), method=zipfile.ZIP_DEFLATED))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = unzipped(bytes(content), "bundle.zip", SMALL)
    except DataError:
        return
    assert sum(map(len, found.values())) <= SMALL.bytes
