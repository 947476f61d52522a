"""Many studies in one folder: run apart from each other, and told in one line each."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from impact.study import many
from impact.study.lock import Lock, beside
from impact.study.log import append
from impact.study.many import Ended, is_many, studies_in
from impact.study.read import read_study
from impact.study.status import status_of
from tests.study.conftest import impact, tree
from tests.study.small import made


def folder(root: Path, *names: str) -> Path:
    """Studies of these names, each with its data in its own folder."""
    place = root / "studies"
    for name in names:
        (place / name).mkdir(parents=True)
        made(place / name).write(("id: niveau", f"id: {name}"))
    return place


def states(place: Path, out: Path) -> list[dict[str, Any]]:
    ended = impact("status", place, "--out", out, "--json")
    found: list[dict[str, Any]] = json.loads(ended.out)
    return found


def test_all_are_run_and_one_that_fails_leaves_the_others(tmp_path: Path) -> None:
    place, out = folder(tmp_path, "een", "twee", "drie"), tmp_path / "out"
    broken = place / "twee" / "study.yaml"
    broken.write_text(broken.read_text(encoding="utf-8").replace("seed: 7", "sead: 7"), encoding="utf-8")
    ended = impact("run", place, "--out", out)
    lines = ended.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["drie", "een", "twee"]
    assert "completed" in lines[0] and "completed" in lines[1] and "not run" in lines[2]
    assert ended.code == 2, "the worst of 0 or 1 and 2"
    assert "Did you mean `seed`?" in ended.err and "Traceback" not in ended.err
    assert sorted(child.name for child in out.iterdir()) == ["drie", "een"]
    # Alone each gives the same numbers.
    alone = tmp_path / "alone"
    assert impact("run", place / "een", "--out", alone).code in (0, 1)
    assert (alone / "tidy.csv").read_bytes() == (out / "een" / "tidy.csv").read_bytes()

    told = {one["study"]: one for one in states(place, out)}
    assert [told[name]["state"] for name in ("een", "twee", "drie")] == ["ran", "unreadable", "ran"]
    assert told["een"]["last_period"] == told["een"]["until"] == "2024"
    assert told["een"]["older"] is False and told["een"]["changed"] == []
    results = json.loads((out / "een" / "results.json").read_text(encoding="utf-8"))
    verdicts = [check["verdict"] for one in results["outcomes"] for check in one["checks"]]
    assert told["een"]["passed"] == verdicts.count("pass")
    assert told["een"]["failed"] == verdicts.count("fail")
    assert told["een"]["passed"] + told["een"]["failed"] + told["een"]["not_evaluated"] == len(verdicts)
    # Other data, another seed, no data at all.
    table = place / "een" / "uitkomst.csv"
    table.write_bytes(table.read_bytes() + b"\n")
    study = place / "drie" / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace("seed: 7", "seed: 8"), encoding="utf-8")
    (place / "drie" / "wijken.csv").unlink()
    told = {one["study"]: one for one in states(place, out)}
    assert told["een"]["changed"] == ["uitkomst.csv"]
    assert told["drie"]["older"] is True
    assert told["drie"]["changed"] == ["wijken.csv (not there)"]


def test_one_that_is_killed_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of one study ends itself by a signal halfway; its earlier bundle stands."""
    place, out = folder(tmp_path, "een", "twee"), tmp_path / "out"
    assert impact("run", place / "een", "--out", out / "een").code in (0, 1)
    before = tree(out / "een")
    real = subprocess.run

    def some_killed(command: list[str], **options: Any) -> Any:
        if str(place / "een" / "study.yaml") in command:
            text = "import impact.study.run as r, os, signal\n"
            text += "r.write_bundle = lambda *a, **o: os.kill(os.getpid(), signal.SIGKILL)\n" + command[2]
            command = [command[0], "-c", text, *command[3:]]
        return real(command, **options)

    monkeypatch.setattr(many.subprocess, "run", some_killed)
    ended = impact("run", place, "--out", out)
    assert f"een: killed by signal {int(signal.SIGKILL)}; an earlier bundle still stands" in ended.out
    assert "twee: completed" in ended.out
    assert ended.code == 128 + signal.SIGKILL
    assert tree(out / "een") == before
    assert (out / "twee" / "results.json").is_file()


def test_two_with_one_name_run_nothing(tmp_path: Path) -> None:
    place, out = folder(tmp_path, "een", "twee"), tmp_path / "out"
    study = place / "twee" / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace("id: twee", "id: een"), encoding="utf-8")
    ended = impact("run", place, "--out", out)
    assert ended.code == 2 and "SPEC-030" in ended.err and str(place / "een" / "study.yaml") in ended.err
    assert not out.exists()


def test_what_is_a_folder_of_studies(tmp_path: Path) -> None:
    place = folder(tmp_path, "een")
    assert is_many(place) and not is_many(place / "een") and not is_many(place / "een" / "study.yaml")
    assert not is_many(tmp_path)
    assert [one.name for one in studies_in(place / "een")] == ["een"]
    ended = impact("status", tmp_path)
    assert ended.code == 2 and "USAGE-030" in ended.err


def test_the_state_of_a_study(tmp_path: Path) -> None:
    """Draft, locked, ran, withdrawn, and ran again: from the ledger alone, without a bundle."""
    place = folder(tmp_path, "een")
    study = read_study(place / "een")
    lock_file, ledger = beside(study.path)

    def told() -> Any:
        return status_of(studies_in(place)[0], tmp_path / "out")

    def line(event: Any, seen: Any, **details: Any) -> None:
        append(ledger, event, seen=seen, spec_sha256=study.sha256, lock8=None, details=details)

    assert (told().state, told().lock8, told().differs, told().last_run) == ("draft", None, None, None)
    lock = Lock(
        "een", study.sha256, json.loads(canonical_of(study)), {}, (), {}, {}, 7, {"lines": 0, "sha256": "0" * 64}
    )
    lock_file.write_bytes(lock.content)
    assert (told().state, told().lock8, told().differs) == ("locked", lock.lock8, False)
    inputs = [{"role": "outcomes", "file": "uitkomst.csv", "sha256": "0" * 64}]
    line("ran", "outcomes", look=2, inputs=inputs, until="2024")
    assert (told().state, told().look, told().until, told().changed) == ("ran", 2, "2024", ("uitkomst.csv",))
    line("withdrawn", "outcomes", why="fout")
    assert told().state == "withdrawn"
    line("ran", "outcomes", look=3, inputs=inputs, until="2024")
    assert (told().state, told().look) == ("ran", 3)
    text = study.path.read_text(encoding="utf-8")
    study.path.write_text(text.replace("seed: 7", "seed: 8"), encoding="utf-8")
    assert told().differs is True and "differs from its lock" in str(told())
    # Comments and the order of keys are no difference.
    study.path.write_text("# een opmerking\n" + text, encoding="utf-8")
    assert told().differs is False
    lock_file.write_text("{}", encoding="utf-8")
    assert told().lock8 is None and "its lock cannot be used" in str(told())


def canonical_of(study: Any) -> bytes:
    from impact.study.validate import canonical

    return canonical(study.model)


def test_a_draft_says_how_much_is_to_be_written(tmp_path: Path) -> None:
    impact("new", "mijn", "--indicator", "uitkering", "--in", tmp_path / "studies")
    ended = impact("status", tmp_path / "studies")
    assert (ended.code, ended.out.strip()) == (0, "mijn: draft; 2 to fill in")


def test_a_bundle_of_another_study_is_not_taken_for_its_own(tmp_path: Path) -> None:
    place, out = folder(tmp_path, "een"), tmp_path / "out"
    impact("run", place / "een", "--out", out / "een")
    study, ledger = place / "een" / "study.yaml", place / "een" / "study.log.jsonl"
    study.write_text(study.read_text(encoding="utf-8").replace("id: een", "id: vier"), encoding="utf-8")
    ledger.unlink()
    (out / "een").rename(out / "vier")
    (told,) = states(place, out)
    assert told["state"] == "draft" and "is of een" in told["notes"][0]


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "completed"), (1, "completed with findings"), (2, "not run"), (4, "could not write"), (137, "signal 9")],
)
def test_the_line_of_a_run(code: int, said: str) -> None:
    line = str(Ended("een", code, Path("out/een"), "first\nlast\n"))
    assert said in line and "\n" not in line
    assert line.endswith("first" if code in (2, 4) else "last")
