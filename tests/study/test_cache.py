"""Kept results: a run that was ended continues, nothing that changed is overlooked, and no digit is another for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import impact as api
from impact.errors import UsageError
from impact.inference.protocol import Uncertainty
from impact.study import cache as module
from impact.study.cache import FOLDER, Cache, parts
from impact.study.exact import digest, packed, unpacked
from impact.study.log import read_log
from impact.study.read import read_study
from impact.study.render import pages
from impact.study.run import kept_parts
from tests.shared import ROOT
from tests.study.conftest import MAIN, Ended, apart, impact, tree
from tests.study.small import Small, made

FIRST = """outcome:
  indicator: iets
  name: {nl: Iets}
  measure: {rate: numerator/denominator, per: 100, unit: procentpunt}
  better: lower
"""
TWO = """outcomes:
  - {indicator: iets, name: {nl: Iets}, measure: {rate: numerator/denominator, per: 100, unit: procentpunt},
     better: lower}
  - {indicator: anders, name: {nl: Anders}, measure: {rate: numerator/denominator, per: 1000, unit: promille},
     better: higher}
"""
MORE = """alternatives:
  - {name: per-wijk, why: anders gewogen, same_estimand: false, change: {target: {every: unit}}}
  - {name: andere-schatter, why: een andere schatter, same_estimand: true, change: {estimator: {name: did}}}
calibrate: {draws: 20}
seed: 7
"""
CHANGES = (
    (FIRST, TWO),
    ("cluster: gemeente}", "cluster: gemeente, beside: [score-flip]}"),
    ("seed: 7\n", MORE),
)


NO_PAGES = "import impact.study.run as run; run.pages = lambda found: ({'report.html': ''}, {})\n"


@pytest.fixture(scope="module", autouse=True)
def no_pages() -> Iterator[None]:
    """Pages and figures are made of the results alone, and take most of the time here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("impact.study.run.pages", lambda found: ({"report.html": ""}, {}))
        yield


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, no_pages: None) -> Small:
    """The study with two outcomes, run once without keeping anything and once with."""
    small = made(tmp_path_factory.mktemp("kept"))
    small.write(*CHANGES)
    assert impact("run", small.study, "--out", small.root / "plain" / "uit", "--no-cache").code in (0, 1)
    assert not list(small.root.rglob(FOLDER)), "nothing is kept"
    assert kept(small, small.root / "uit") == (0, TOTAL)
    return small


TOTAL = 2 * 14  # results of the study: see test_how_many_results


@pytest.fixture
def small(ran: Small, tmp_path: Path) -> Small:
    """A copy of it, with all that was kept."""
    place = tmp_path / "copy"
    shutil.copytree(ran.root, place)
    return Small(place, ran.outcomes, ran.units)


def kept(small: Small, out: Path, *options: str | Path) -> tuple[int, int]:
    """Run it; how many results were found and how many computed."""
    found: list[Cache] = []
    real = Cache.notes.fget  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cache, "notes", property(lambda self: found.append(self) or real(self)))
        ended = impact("run", small.study, "--out", out, "--cache", small.root / FOLDER, *options)
    assert ended.code in (0, 1), ended.err
    told = re.search(r"(\d+) results were kept from before; (\d+) were computed", ended.err)
    (keep,) = found
    assert (keep.reused, keep.computed) == ((int(told[1]), int(told[2])) if told else (0, keep.computed))
    return keep.reused, keep.computed


def table(small: Small, *options: str) -> dict[tuple[str, ...], str]:
    """What the dry run says of every part: its stage, outcome and name, and its state with the reason."""
    before = tree(small.root)
    ended = impact("run", small.study, "--dry-run", "--cache", small.root / FOLDER, *options)
    assert (ended.code, ended.err) == (0, "")
    assert tree(small.root) == before, "nothing is written, no line in the ledger either"
    head, *lines = ended.out.splitlines()
    places = [0, *(match.start() for match in re.finditer(r"outcome|part|why", head))]
    rows = {}
    for line in lines:
        if line.startswith(("inference", "checks", "alternatives")):
            cells = [line[start:end].strip() for start, end in zip(places[:3], [*places[1:3], None], strict=True)]
            name, state, why = re.fullmatch(r"(.*?) *(cached|to compute|nothing to compute) *(.*)", cells[2]).groups()  # type: ignore[union-attr]
            rows[(cells[0], cells[1], name)] = f"{state} {why}".strip()
    return rows


def files(small: Small, kind: str = "results") -> list[Path]:
    return sorted((small.root / FOLDER / kind).iterdir())


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_no_byte_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keeping anything, with an empty cache, and with everything in it; pages and figures too."""
    monkeypatch.setattr("impact.study.run.pages", pages)
    small = made(tmp_path)
    small.write(*CHANGES[2:])
    assert impact("run", small.study, "--out", tmp_path / "plain" / "uit", "--no-cache").code in (0, 1)
    plain = tree(tmp_path / "plain" / "uit")
    reused, computed = kept(small, small.out)
    assert reused == 0 and tree(small.out) == plain
    assert kept(small, small.out) == (computed, 0)
    assert tree(small.out) == plain
    assert any(name.endswith(".svg") for name in plain) and not any(FOLDER in name for name in plain)


def test_how_many_results(ran: Small) -> None:
    """By hand, of an outcome: the average, one beside it, two other weightings and the event times are 5; one of the
    two alternatives is a weighting that is there already, 6; leads and bounds, 8; without each area, cluster and
    period, and the intervals of the first two, 13; its own past, 14.
    """
    assert len(files(ran)) == TOTAL
    assert len(files(ran, "parts")) == len(list(parts(read_study(ran.study))))
    assert (ran.root / FOLDER / ".gitignore").read_text() == "*\n"


def test_every_part_is_there_and_nothing_is_opened(ran: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError("a table was opened")

    monkeypatch.setattr("impact.study.run.load", opened)
    said = table(ran)
    assert set(said.values()) == {"cached"}
    assert len(said) == 2 * 4
    assert set(table(ran, "--look", "1").values()) == {"cached"}


def test_beside_the_bundle_unless_told(ran: Small, tmp_path: Path) -> None:
    ended = impact("run", ran.study, "--out", tmp_path / "out" / "een", "--dry-run")
    assert ended.code == 0 and "not computed before" in ended.out
    assert not (tmp_path / "out").exists()


# --- what changed -----------------------------------------------------------------------------------------------------


def change(small: Small, old: str, new: str) -> None:
    text = small.study.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    small.study.write_text(text.replace(old, new), encoding="utf-8")


def same_as_anew(small: Small) -> bool:
    """Whether the bundle is what a run without anything kept makes."""
    again = small.root / "anew" / "uit"
    assert impact("run", small.study, "--out", again, "--no-cache").code in (0, 1)
    return tree(again) == tree(small.root / "uit")


def test_words_change_nothing(small: Small) -> None:
    change(small, "title: Niveau", "title: Anders gezegd")
    assert set(table(small).values()) == {"cached"}
    assert kept(small, small.root / "uit") == (TOTAL, 0)
    assert same_as_anew(small)


def test_a_changed_alternative_is_computed_alone(small: Small) -> None:
    change(small, "{estimator: {name: did}}", "{estimator: {name: twfe}}")
    wanted = ("alternatives", "iets", "alternative andere-schatter")
    said = table(small)
    assert (
        said.pop(wanted)
        == said.pop((wanted[0], "anders", wanted[2]))
        == ("to compute specification key estimator changed")
    )
    assert set(said.values()) == {"cached"}
    assert kept(small, small.root / "uit") == (TOTAL - 2, 2)
    assert set(table(small).values()) == {"cached"}
    assert same_as_anew(small)


def test_what_only_the_past_asks(small: Small) -> None:
    change(small, "calibrate: {draws: 20}", "calibrate: {draws: 21}")
    said = table(small)
    assert [key[2] for key, state in said.items() if state != "cached"] == ["robust", "robust"]
    assert kept(small, small.root / "uit") == (TOTAL - 2, 2)


def test_another_seed_is_everything(small: Small) -> None:
    change(small, "\nseed: 7", "\nseed: 8")
    assert set(table(small).values()) == {"to compute specification key seed changed"}
    reused, computed = kept(small, small.root / "uit")
    assert computed > reused, "leaving out draws nothing"
    assert same_as_anew(small)


def test_one_figure_is_everything(small: Small) -> None:
    small.outcomes.loc[3, "teller"] += 1
    small.outcomes.to_csv(small.root / "uitkomst.csv", sep=";", index=False)
    assert set(table(small).values()) == {"to compute input uitkomst.csv changed"}
    assert kept(small, small.root / "uit") == (0, TOTAL)


def test_other_versions_code_and_machines_are_everything(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_packages", lambda: module.environment().replace(b'"numpy": "', b'"numpy": "0.'))
    (said,) = set(table(small).values())
    assert re.fullmatch(r"to compute versions differ: numpy (\S+) → 0\.\1", said)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_source", lambda: "0" * 64)
    assert set(table(small).values()) == {"to compute the code of this package changed"}
    monkeypatch.undo()
    monkeypatch.setattr(module, "_machine", lambda: "another")
    assert set(table(small).values()) == {"to compute made on another machine"}
    # And no result is found under any of them.
    origin = module._origin()
    others = ((b"{}", *origin[1:]), (origin[0], "", origin[2]), (*origin[:2], ""))
    assert len({digest(one, "x") for one in (origin, *others)}) == 4
    monkeypatch.setattr(module, "_source", lambda: "0" * 64)
    assert kept(small, small.root / "uit") == (0, TOTAL)


def test_a_sealed_outcome_has_nothing_to_compute(small: Small) -> None:
    change(small, "treated-clusters: 2", "treated-clusters: 12")
    lines = len(read_log(small.root).entries)
    assert kept(small, small.root / "uit") == (0, 0)
    assert set(table(small).values()) == {"nothing to compute"}
    entries = read_log(small.root).entries
    assert len(entries) == lines + 1 and entries[-1].details["until"] is None, "nothing was opened"


# --- from a stage -----------------------------------------------------------------------------------------------------


def test_from_a_stage_on(small: Small) -> None:
    said = table(small, "--from", "alternatives")
    assert {key[0]: state for key, state in said.items()} == {
        "inference": "cached",
        "alternatives": "to compute asked from alternatives",
    }
    reused, computed = kept(small, small.root / "uit", "--from", "alternatives")
    assert reused + computed == TOTAL and 0 < reused < computed
    assert kept(small, small.root / "uit", "--from", "data") == (0, TOTAL)
    assert kept(small, small.root / "uit", "--from", "figures") == (TOTAL, 0)
    ended = impact("run", small.study, "--out", small.root / "uit", "--from", "report", "--cache", small.root / FOLDER)
    assert "cached" in ended.err and "cached" not in ended.out, "said first, among the messages"


def test_what_cannot_be_asked(small: Small) -> None:
    def code(*options: str | Path) -> str:
        before = tree(small.root)
        ended: Ended = impact("run", small.study, "--out", small.root / "uit", *options)
        assert ended.code == 2 and tree(small.root) == before
        return ended.err.split()[-1] if not ended.err else ended.err

    assert "CACHE-001" in code("--from", "begin") and "data, comparison" in code("--from", "begin")
    assert "CACHE-002" in code("--cache", small.root / "uit" / FOLDER)
    assert "CACHE-002" in code("--cache", small.root / "uit")
    assert "CACHE-003" in code("--no-cache", "--from", "data")
    assert "LOOK-001" in code("--dry-run", "--look", "2")
    folder = small.root.parent
    assert "CACHE-004" in impact("run", folder, "--dry-run").err
    with pytest.raises(UsageError, match="CACHE-001"):
        kept_parts(read_study(small.study), cache=small.root / FOLDER, since="einde")


# --- damage and forgery -----------------------------------------------------------------------------------------------


def test_what_is_damaged_is_computed_again(small: Small) -> None:
    good = {path: path.read_bytes() for path in files(small)}
    first, second, third, fourth, fifth, sixth, *_ = good
    first.write_bytes(good[first][: len(good[first]) // 2])
    second.write_bytes(good[second].replace(b"1", b"2", 5))
    third.write_bytes(good[fourth])  # sound, under another name
    fourth.write_bytes(b"\xff\xfe")
    fifth.unlink()
    sixth.unlink()
    sixth.mkdir()
    for path in files(small, "parts")[:2]:
        path.write_bytes(path.read_bytes()[:-3])
    said = [state for state in table(small).values() if state != "cached"]
    assert said.count("to compute not computed before") == 2
    assert all(re.fullmatch(r"to compute (not computed before|\d of \d+ results .*damaged)", one) for one in said)
    sixth.rmdir()
    assert kept(small, small.root / "uit") == (TOTAL - 6, 6)
    assert {path: path.read_bytes() for path in files(small)} == good
    assert tree(small.root / "uit") == tree(small.root / "plain" / "uit")


def test_verify_does_not_read_it(small: Small) -> None:
    """Whoever can write in the cache can seal another number in it, which a run takes; running it again finds it."""
    for path in files(small):
        value = unpacked(path.read_bytes().split(b"\n", 1)[1])
        if isinstance(value, Uncertainty):
            path.write_bytes(module._sealed(path.stem, packed(replace(value, p_value=value.p_value / 2))))
    assert kept(small, small.root / "uit") == (TOTAL, 0)
    assert tree(small.root / "uit") != tree(small.root / "plain" / "uit")
    found = api.verify(small.root / "uit", data=[small.root], rerun=True)
    stages = {said.values["stage"] for level in found.levels for said in level.differences if "stage" in said.values}
    assert "inference" in stages


def test_a_folder_that_cannot_be_written_is_a_note(small: Small) -> None:
    place = small.root / "file"
    place.write_text("")
    ended = impact("run", small.study, "--out", small.root / "uit", "--cache", place)
    assert ended.code in (0, 1)
    assert ended.err.count("results could not be kept: cannot write") == 1
    assert tree(small.root / "uit") == tree(small.root / "plain" / "uit")


# --- ended halfway ----------------------------------------------------------------------------------------------------

HALFWAY = """
import os, signal
import impact.study.cache as module
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background inherits that it is ignored
real, count = module.Cache._write, 0
def ending(self, path, key, content):
    global count
    real(self, path, key, content)
    count += path.parent.name == "results"
    if count == {after}:
        os.kill(os.getpid(), signal.{signal})
module.Cache._write = ending
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
@pytest.mark.parametrize(
    ("after", "how", "code"), [(3, "SIGKILL", -9), (TOTAL // 2 + 4, "SIGKILL", -9), (TOTAL // 2, "SIGINT", 130)]
)
def test_a_run_that_was_ended_continues(small: Small, tmp_path: Path, after: int, how: str, code: int) -> None:
    keep, out = tmp_path / "kept", tmp_path / "out" / "uit"
    out.mkdir(parents=True)
    (out / "manifest.json").write_text('{"outputs": {"results.json": ""}}', encoding="utf-8")
    (out / "results.json").write_text("old", encoding="utf-8")
    before = tree(out)
    (small.root / "study.log.jsonl").unlink()
    options = ("--out", out, "--cache", keep)
    ended = apart("run", small.study, *options, code=NO_PAGES + HALFWAY.format(after=after, signal=how) + MAIN)
    assert ended.returncode == code, ended.stderr
    assert tree(out) == before, "the last complete bundle stands"
    assert len(list((keep / "results").iterdir())) == after
    (entry,) = read_log(small.root).entries
    assert (entry.event, entry.seen) == ("ran", "outcomes"), "what was kept can be looked into"
    again = impact("run", small.study, *options)
    assert again.code in (0, 1)
    assert f"{after} results were kept from before; {TOTAL - after} were computed" in again.err
    assert impact("run", small.study, "--out", tmp_path / "plain" / "uit", "--no-cache").code in (0, 1)
    assert tree(out) == tree(tmp_path / "plain" / "uit")
    assert [one.number for one in read_log(small.root).entries] == [1]


def test_two_runs_at_once(small: Small, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        NO_PAGES + MAIN,
        "run",
        str(small.study),
        "--cache",
        str(tmp_path / "kept"),
        "--out",
    ]
    started = [
        subprocess.Popen(
            [*command, str(tmp_path / str(number) / "uit")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(2)
    ]
    assert {process.wait(200) for process in started} <= {0, 1}
    assert tree(tmp_path / "0" / "uit") == tree(tmp_path / "1" / "uit") == tree(small.root / "plain" / "uit")
    assert not list((tmp_path / "kept").rglob("*.tmp"))
    assert len(list((tmp_path / "kept" / "results").iterdir())) == TOTAL
