"""The life of a study through the command line: locked, run, amended; and every way to cheat found and named."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import rfc8785

from impact.errors import Problem
from impact.study import needs
from impact.study.bundle import read_bundle
from impact.study.lock import LOCK, read_lock
from impact.study.log import LOG, read_log
from impact.study.read import read_study
from impact.study.validate import canonical
from impact.study.verify import verify
from tests.shared import ROOT
from tests.study.conftest import Ended, Project, impact, tree
from tests.study.forging import Forged, told
from tests.study.small import made

EARLY = ("beside: [score-flip]", "beside: []")


@pytest.fixture
def quick(project: Project) -> Project:
    """The first study without what takes time; nothing of it was done yet."""
    for name in (LOCK, LOG):
        project.study.with_name(name).unlink(missing_ok=True)
    project.change(project.study, EARLY)
    return project


def folder(project: Project) -> Path:
    return project.study.parent


def locked(project: Project) -> Ended:
    ended = impact("lock", project.study)
    assert ended.code == 0, ended.err
    return ended


def ran(project: Project) -> tuple[str, str]:
    """Status and why it is no better, of a run."""
    assert project.run().code in (0, 1)
    evidence = read_bundle(project.out).outcomes[0]
    assert evidence.status == evidence.standing.status
    return evidence.status, evidence.standing.because


def stands(project: Project) -> str:
    """The status that a check gives."""
    line = impact("check", project.study).out.splitlines()[-2]
    return line.split(":")[0]


# --- lock -------------------------------------------------------------------------------------------------------------


def test_a_lock_holds_the_meaning_and_digests_of_the_design(quick: Project) -> None:
    line = locked(quick).out
    said: dict[str, Any] = json.loads((folder(quick) / LOCK).read_bytes())
    study = read_study(quick.study)
    assert said["spec"] == json.loads(canonical(study.model))
    assert said["spec_sha256"] == study.sha256 == hashlib.sha256(rfc8785.dumps(said["spec"])).hexdigest()
    assert said["design"]["periods"] == [str(year) for year in range(2013, 2022)], "none from the start on"
    rest = {key: value for key, value in said.items() if key != "deposit"}
    assert hashlib.sha256(rfc8785.dumps(rest)).hexdigest()[:8] in line
    assert said["inputs"] == [
        {"role": role, "file": path.relative_to(quick.root).as_posix(), "sha256": digest(path)}
        for role, path in (("outcomes", quick.outcomes), ("units", quick.units))
    ]
    assert said["thresholds"]["controls"] == 20 and said["seed"] == 20261123
    assert [(entry.event, entry.seen) for entry in read_log(folder(quick)).entries] == [("locked", "design")]
    # The digest of the outcomes before the start, from the table alone.
    table = pd.read_csv(quick.outcomes, sep=";", dtype=str, keep_default_na=False)
    table = table[table["period"] < "2022"].sort_values(["region", "period"])
    rows = hashlib.sha256()
    marks = {"x": "nan suppressed", ".": "nan missing", "": "nan impossible"}
    for row in table.itertuples():
        cells = [marks.get(text) or f"{float(text):.10g} ok" for text in (row.deelnemers, row.vsv)]
        rows.update(json.dumps([row.region, row.period, *cells]).encode() + b"\n")
    assert said["design"]["before"] == {"voortijdig-schoolverlaten": rows.hexdigest()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_to_lock_twice_changes_nothing(quick: Project) -> None:
    first = locked(quick)
    before = tree(quick.root)
    assert impact("lock", quick.study).out == first.out
    assert tree(quick.root) == before


def test_comments_and_order_change_no_lock_and_any_meaning_does(quick: Project) -> None:
    locked(quick)
    text = quick.study.read_text(encoding="utf-8")
    quick.study.write_text("# anders\n" + text.replace("schema: 1\n", "") + "\nschema: 1\n", encoding="utf-8")
    assert stands(quick) == "pre-specified"
    quick.change(quick.study, ("seed: 20261123", "seed: 20261124"))
    assert stands(quick) == "exploratory"


def test_the_data_after_the_start_are_in_no_lock(quick: Project) -> None:
    """The digests of the design are those of a table in which every later figure is another."""
    locked(quick)
    lock = read_lock(folder(quick))
    (folder(quick) / LOCK).unlink()
    (folder(quick) / LOG).unlink()
    spoil(quick, "2022")
    locked(quick)
    other = read_lock(folder(quick))
    assert lock is not None and other is not None
    assert lock.design == other.design
    assert lock.lock8 != other.lock8, "the digest of the file is another"


def spoil(project: Project, period: str, last: bool = True) -> None:
    """Other numerators from a period on, or only in it."""
    table = pd.read_csv(project.outcomes, sep=";", dtype=str, keep_default_na=False)
    mine = (table["period"] >= period) if last else (table["period"] == period)
    mine &= table["vsv"].str.isdigit()
    table.loc[mine, "vsv"] = (table.loc[mine, "vsv"].astype(int) // 2).astype(str)
    table.to_csv(project.outcomes, sep=";", index=False, lineterminator="\n")


# --- every status -----------------------------------------------------------------------------------------------------


def test_every_status_stands_wherever_a_number_does(quick: Project) -> None:
    locked(quick)
    ended = quick.run()
    assert "pre-specified: The design was locked on" in ended.err
    assert "own declaration" in ended.err
    assert pd.read_csv(quick.out / "tidy.csv")["standing"].eq("pre-specified").all()
    assert json.loads((quick.out / "manifest.json").read_bytes())["status"] == "pre-specified"
    page = (quick.out / "report.html").read_text(encoding="utf-8")
    assert "verkennend" not in page and "eigen verklaring" in page and "vooraf vastgelegd ·" in page
    sheet = pd.read_excel(quick.out / "tables.xlsx", sheet_name="estimates", header=None)
    assert "pre-specified" in str(sheet.iloc[0, 0])
    shown = impact("show", quick.out)
    assert "pre-specified" in shown.err
    for name in ("study.yaml", LOCK, LOG):
        assert (quick.out / name).read_bytes() == (folder(quick) / name).read_bytes()
    # Once more: nothing is added, and the bundle is the same.
    before = tree(quick.root)
    quick.run()
    assert tree(quick.root) == before


def test_amended_before_outcomes_were_seen_and_a_deviation_after(quick: Project) -> None:
    locked(quick)
    quick.change(quick.study, ("ratio: 5", "ratio: 4"))
    ended = impact("amend", quick.study, "--why", "vier is genoeg")
    assert ended.code == 0
    assert "Niet meer: Naast elke behandelde wijk komen de 5 wijken" in ended.out
    assert "Nu: Naast elke behandelde wijk komen de 4 wijken" in ended.out
    assert "comparison.match.ratio" in ended.out
    assert ran(quick) == ("amended", "")
    assert "gewijzigd, voordat uitkomsten waren gezien: vier is genoeg" in page(quick)
    quick.change(quick.study, ("ratio: 4", "ratio: 3"))
    assert impact("amend", quick.study, "--why", "drie").code == 0
    assert ran(quick) == ("deviation", "amended")
    text = page(quick)
    assert "nadat uitkomsten waren gezien: drie" in text and "1 andere opzet van deze studie doorgerekend" in text
    assert "geen uitspraak" in text
    lock = read_lock(folder(quick))
    assert lock is not None and [one.kind for one in lock.amendments] == ["amendment", "deviation"]
    # To go back to what was first locked is another deviation, not a return.
    quick.change(quick.study, ("ratio: 3", "ratio: 5"))
    assert ran(quick)[0] == "exploratory"
    assert impact("amend", quick.study, "--why", "toch vijf").code == 0
    assert ran(quick) == ("deviation", "amended")


def page(project: Project) -> str:
    return (project.out / "report.html").read_text(encoding="utf-8")


def test_a_deposit_leaves_the_lock_what_it_is(quick: Project) -> None:
    eight = locked(quick).out
    arguments = ("--where", "Zenodo", "--date", "2026-11-26", "--reference", "10.5281/zenodo.1")
    assert impact("deposit", quick.study, *arguments).out == eight
    assert impact("deposit", quick.study, *arguments).code == 0, "the same once more"
    assert impact("lock", quick.study).out == eight
    other = impact("deposit", quick.study, "--where", "elders", "--date", "2026-11-27", "--reference", "2")
    assert (other.code, "LOCK-015" in other.err) == (2, True)
    assert ran(quick) == ("pre-specified", "")
    assert "Het slot is gedeponeerd: Zenodo, 26 november 2026, 10.5281/zenodo.1." in page(quick)
    assert "eigen verklaring" not in page(quick)
    # Written by hand, the ledger knows nothing of it.
    lines = (folder(quick) / LOG).read_bytes().splitlines(keepends=True)
    (folder(quick) / LOG).write_bytes(lines[0])
    assert "eigen verklaring" in (ran(quick) and page(quick))


def test_a_lock_that_the_ledger_does_not_know_is_not_deposited(quick: Project) -> None:
    locked(quick)
    (folder(quick) / LOG).unlink()
    ended = impact("deposit", quick.study, "--where", "a", "--date", "2026-11-26", "--reference", "b")
    assert (ended.code, "LOCK-018" in ended.err) == (2, True)


def test_a_deposit_after_the_outcomes_were_opened_shows_nothing(quick: Project) -> None:
    locked(quick)
    arguments = ("--where", "Zenodo", "--date", "2026-11-26", "--reference", "10.5281/zenodo.1")
    assert "LOCK-015" in impact("deposit", quick.study, *arguments[:3], "morgen", *arguments[4:]).err
    ran(quick)
    assert impact("deposit", quick.study, *arguments).code == 0
    assert ran(quick) == ("pre-specified", "")
    assert "pas gedeponeerd toen uitkomsten al waren geopend: Zenodo" in page(quick)
    assert "eigen verklaring" in page(quick)
    level = verify(quick.out).fixed
    assert [one.key for one in level.unchecked] == ["unchecked.own-declaration"]
    forged = Forged(quick.root, tree(quick.out))
    forged.json("results.json", lambda value: value["outcomes"][0]["standing"].update(late=False))
    assert "fixed.standing" in told(forged.fixed())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("amend", "--why", "x"), "LOCK-012"),
        (("deposit", "--where", "a", "--date", "b", "--reference", "c"), "LOCK-012"),
    ],
)
def test_what_takes_a_lock_is_refused_without(quick: Project, arguments: tuple[str, ...], code: str) -> None:
    ended = impact(arguments[0], quick.study, *arguments[1:])
    assert (ended.code, code in ended.err) == (2, True)
    assert not (folder(quick) / LOG).exists()


def test_an_amendment_takes_a_reason_and_a_change(quick: Project) -> None:
    locked(quick)
    assert "LOCK-013" in impact("amend", quick.study, "--why", "niets").err
    quick.change(quick.study, ("ratio: 5", "ratio: 4"))
    assert "LOCK-014" in impact("amend", quick.study, "--why", " ").err


# --- how people cheat -------------------------------------------------------------------------------------------------


def test_a_specification_that_is_edited_after_the_lock(quick: Project) -> None:
    locked(quick)
    quick.change(quick.study, ("ratio: 5", "ratio: 4"))
    assert ran(quick) == ("exploratory", "specification")
    ended = impact("lock", quick.study)
    assert (ended.code, "LOCK-010" in ended.err) == (2, True)
    # Without the lock: the ledger remembers it.
    (folder(quick) / LOCK).unlink()
    assert ran(quick) == ("exploratory", "gone")
    assert "LOCK-011" in impact("lock", quick.study).err


def test_a_lock_that_comes_after_a_run(quick: Project) -> None:
    assert ran(quick) == ("exploratory", "unlocked")
    ended = locked(quick)
    assert "al geopend" in ended.err
    assert ran(quick) == ("exploratory", "outcomes")
    assert "uitkomsten van na de start al geopend" in page(quick)


def test_a_lock_that_comes_after_a_run_of_another_set_up(quick: Project) -> None:
    assert ran(quick) == ("exploratory", "unlocked")
    quick.change(quick.study, ("ratio: 5", "ratio: 4"))
    locked(quick)
    assert ran(quick) == ("exploratory", "outcomes")
    assert read_bundle(quick.out).outcomes[0].standing.ran == 1


def test_a_ledger_that_is_deleted_or_begun_anew(quick: Project) -> None:
    locked(quick)
    (folder(quick) / LOG).unlink()
    assert ran(quick) == ("exploratory", "foreign")
    # Now there is one again, with a run in it; to lock once more does not make it earlier.
    locked(quick)
    assert ran(quick)[0] == "exploratory"


def test_a_ledger_of_which_the_lines_before_the_lock_are_taken_out(quick: Project) -> None:
    """A chain written anew holds together, but is not the one that the lock has seen."""
    assert ran(quick)[0] == "exploratory"
    locked(quick)
    lock = read_lock(folder(quick))
    assert lock is not None and lock.ledger["lines"] == 1
    (folder(quick) / LOG).unlink()
    locked(quick)
    assert read_log(folder(quick)).seen == "design"
    assert ran(quick) == ("exploratory", "foreign")


@pytest.mark.parametrize("how", ["digit", "gone", "order", "last"])
def test_a_ledger_that_was_tampered_with(quick: Project, how: str) -> None:
    impact("check", quick.study)
    locked(quick)
    ran(quick)
    log = folder(quick) / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    lines[1 if how == "digit" else 2] = (
        lines[1 if how == "digit" else 2].replace(b'"at":"2', b'"at":"1')
        if how
        in (
            "digit",
            "last",
        )
        else lines[1 if how == "digit" else 2]
    )
    if how == "gone":
        del lines[1]
    if how == "order":
        lines[1], lines[2] = lines[2], lines[1]
    log.write_bytes(b"".join(lines))
    ended = quick.run()
    assert ended.code == 0
    evidence = read_bundle(quick.out).outcomes[0]
    assert (evidence.status, evidence.standing.because) == ("exploratory", "ledger")
    assert evidence.standing.detail == ("3" if how == "last" else "2")
    assert "LOG-002" in ended.err
    assert log.read_bytes() == b"".join(lines), "nothing is added to it"
    assert (quick.out / LOG).read_bytes() == b"".join(lines), "the bundle has it as it is"
    assert "LOG-002" in impact("lock", quick.study).err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"ratio": 5', '"ratio": 4'),
        ('"seed": 20261123,\n "short"', '"seed": 1,\n "short"'),
        ('"schema": 1,\n "seed"', '"schema": 1,\n "more": 1,\n "seed"'),
        ('"amendments": []', '"amendments": 3'),
        ("{", ""),
    ],
)
def test_a_lock_that_was_tampered_with(quick: Project, old: str, new: str) -> None:
    locked(quick)
    text = (folder(quick) / LOCK).read_text(encoding="utf-8")
    assert old in text
    (folder(quick) / LOCK).write_text(text.replace(old, new, 1), encoding="utf-8")
    status, because = ran(quick)
    assert status == "exploratory" and because in ("unreadable", "foreign")


def test_other_data_under_the_same_name(quick: Project) -> None:
    locked(quick)
    spoil(quick, "2023", last=False)
    assert ran(quick) == ("deviation", "data"), "after the start"
    assert "data_synthetic/eerste-studie.csv" in page(quick)
    spoil(quick, "2019", last=False)
    assert ran(quick) == ("deviation", "data"), "before it"
    assert "LOCK-010" in impact("lock", quick.study).err
    assert impact("amend", quick.study, "--why", "nieuwe levering").code == 0
    assert ran(quick) == ("deviation", "amended")


def test_the_outcomes_that_were_opened_first_are_those_that_count(tmp_path: Path) -> None:
    small = made(tmp_path)
    whole = small.outcomes
    arrives = ("denominator: noemer}", "denominator: noemer}\n    arrives: {have: 2021, planned: [2022, 2023, 2024]}")
    small.outcomes = whole[whole["jaar"] < 2022]
    small.write(arrives)
    assert impact("lock", small.study).code == 0
    small.outcomes = whole
    assert small.run(arrives)["status"] == "pre-specified"
    more = whole["teller"] + (whole["jaar"] == 2023) * 5
    small.outcomes = whole.assign(teller=more)
    other = small.run(arrives)
    assert (other["status"], other["standing"]["because"]) == ("deviation", "reopened")
    assert other["standing"]["detail"] == "uitkomst.csv"
    assert verify(small.out).fixed.sentence.key == "fixed.weaker"
    forged = Forged(tmp_path, tree(small.out))
    forged.json("results.json", lambda value: value["outcomes"][0].update(status="pre-specified"))
    forged.remake()
    assert "fixed.claim" in told(forged.fixed())
    small.outcomes = whole
    assert small.run(arrives)["status"] == "pre-specified", "those were first"
    assert not verify(small.out).differs


def test_another_characteristic_in_the_units(quick: Project) -> None:
    locked(quick)
    table = pd.read_csv(quick.units, sep=";", dtype=str, keep_default_na=False)
    table.loc[5, "inwoners"] = str(int(table.loc[5, "inwoners"]) + 1)
    table.to_csv(quick.units, sep=";", index=False, lineterminator="\n")
    assert ran(quick) == ("deviation", "data")
    assert read_bundle(quick.out).outcomes[0].standing.detail == "inwoners"


def test_two_runs_at_once_leave_one_line_each(quick: Project, tmp_path: Path) -> None:
    locked(quick)
    code = "from impact.cli import main; main()"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, "run", str(quick.study), "--out", str(tmp_path / str(number)), "--no-cache"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(2)
    ]
    assert [process.wait(120) for process in started] == [0, 0]
    assert [entry.event for entry in read_log(folder(quick)).entries] == ["locked", "ran"], "the same event"
    assert tree(tmp_path / "0") == tree(tmp_path / "1")


def test_a_ledger_that_cannot_be_written_is_a_note(quick: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import impact.study.log as log_module
    from impact.errors import WriteError

    def refuse(*_: object) -> None:
        raise WriteError(Problem("WRITE-001", "cannot write study.log.jsonl: Read-only file system"))

    locked(quick)
    monkeypatch.setattr(log_module, "write", refuse)
    ended = quick.run()
    assert ended.code == 0
    assert "the ledger could not be written (cannot write study.log.jsonl: Read-only file system)" in ended.err
    assert len(read_log(quick.out).entries) == 2
    assert len(read_log(folder(quick)).entries) == 1
    # What is there already takes no writing.
    monkeypatch.undo()
    quick.run()
    monkeypatch.setattr(log_module, "write", refuse)
    assert "could not be written" not in quick.run().err


def test_a_check_says_where_the_study_stands_and_is_a_line(quick: Project) -> None:
    assert stands(quick) == "exploratory"
    assert [(entry.event, entry.seen) for entry in read_log(folder(quick)).entries] == [("checked", "design")]
    locked(quick)
    assert stands(quick) == "pre-specified"
    quick.change(quick.study, ("ratio: 5", "ratio: 4"))
    assert "Of 1 other set-up only the comparison was looked at" in impact("check", quick.study).out


def test_a_study_of_another_name_keeps_its_own(quick: Project) -> None:
    other = quick.study.with_name("andere.yaml")
    other.write_bytes(quick.study.read_bytes())
    assert impact("lock", other).code == 0
    assert sorted(path.name for path in folder(quick).iterdir()) == [
        "README.md",
        "andere.lock",
        "andere.log.jsonl",
        "andere.yaml",
        "study.yaml",
    ]


def test_a_study_that_lacks_what_it_needs_is_locked_with_a_reason_only(
    quick: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the reason is not kept" in impact("lock", quick.study, "--why", "zomaar").err
    for name in (LOCK, LOG):
        (folder(quick) / name).unlink()
    monkeypatch.setattr(needs, "shortfall", lambda *_: (Problem("NEED-003", "te weinig"),))
    assert "NEED-003" in impact("lock", quick.study).err
    assert not (folder(quick) / LOCK).exists()
    assert impact("lock", quick.study, "--why", "er is niet meer").code == 0
    lock = read_lock(folder(quick))
    assert lock is not None and lock.short == "er is niet meer"
