"""Bad input ends in one message that names every problem, its place and what to do; nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.shared import ROOT
from tests.study.conftest import FIRST, Ended, Project, apart, impact, tree

NOTHING = "nothing was written."


def refused(project: Project, *codes: str, count: int | None = None) -> str:
    """Run, expect exactly these codes in this order, an untouched bundle and no new file; gives the message."""
    project.out.mkdir()
    (project.out / "manifest.json").write_text('{"outputs": {"results.json": "old"}}', encoding="utf-8")
    (project.out / "results.json").write_text("old", encoding="utf-8")
    before = tree(project.root)
    ended = project.run()
    assert_refused(ended, *codes)
    assert tree(project.root) == before, "the last good bundle stands, and nothing else was written"
    return ended.err


def assert_refused(ended: Ended, *codes: str) -> None:
    assert (ended.code, ended.out) == (2, "")
    words = [word.rstrip(":") for word in ended.err.split()]
    assert [word for word in words if word[:5] in ("SPEC-", "DATA-", "USAGE", "WRITE")] == list(codes), ended.err
    said = f"{len(codes)} problem{'s' if len(codes) > 1 else ''}; {NOTHING}"
    assert ended.err.rstrip().endswith(said)
    assert "Traceback" not in ended.err


# --- the specification ------------------------------------------------------------------------------------------------


def test_three_typos_and_a_wrong_indent(project: Project) -> None:
    project.change(
        project.study,
        ("periods: {first", "perods: {first"),
        ("every: area", "evry: area"),
        ("seed: 2", "sead: 2"),
        ("  start: {event", "   start: {event"),
    )
    said = refused(project, "SPEC-004", "SPEC-002", "SPEC-004", "SPEC-004")
    for what in ("`periods`", "`every`", "`seed`", "indent by 2 spaces instead of 3"):
        assert what in said
    lines = project.study.read_text(encoding="utf-8").splitlines()
    for start in ("perods:", "   start:", "sead:"):
        number = next(at for at, line in enumerate(lines, 1) if line.startswith(start))
        assert f"study.yaml:{number}:" in said
    assert said.count("^") == 4, "a caret under each"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/hosts", "absolute"),
        ("C:/data/x.csv", "absolute"),
        (f"../../data_synthetic/{FIRST}.csv", "'..'"),
        (f"data_synthetic/../data_synthetic/{FIRST}.csv", "'..'"),
        (r"data_synthetic\x.csv", "backslash"),
        ("data_synthetic/link.csv", "link"),
    ],
)
def test_a_path_out_of_the_roots(project: Project, tmp_path: Path, path: str, why: str) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_bytes(project.outcomes.read_bytes())
    (project.root / "data_synthetic" / "link.csv").symlink_to(outside)
    project.change(project.study, (f"file: data_synthetic/{FIRST}.csv", f"file: '{path}'"))
    said = refused(project, "SPEC-020")
    assert why in said
    assert "^" in said


def test_a_table_that_is_not_there(project: Project) -> None:
    project.outcomes.unlink()
    assert f"data_synthetic/{FIRST}.csv" in refused(project, "SPEC-021")


def test_a_huge_file_and_an_alias_bomb_are_refused(project: Project) -> None:
    with project.study.open("wb") as file:
        file.truncate(200_000_000)
    assert_refused(project.run(), "SPEC-001")
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 9)}]" for depth in range(1, 12)]
    project.study.write_text("\n".join(bomb), encoding="utf-8")
    assert_refused(project.run(), "SPEC-003")
    project.study.write_text("[" * 90_000, encoding="utf-8")
    assert_refused(project.run(), "SPEC-003")
    project.study.write_bytes(bytes(range(256)) * 100)
    assert_refused(project.run(), "SPEC-001")
    assert not project.out.exists()


def test_a_one_period_panel(project: Project) -> None:
    project.change(
        project.study, ("{first: 2013, last: 2024}", "{first: 2022, last: 2022}"), ("[2022, 2024]", "[2022, 2022]")
    )
    assert "two or more" in refused(project, "SPEC-010")


@pytest.mark.parametrize("start", ["2010", "2013"])
def test_a_start_outside_the_periods(project: Project, start: str) -> None:
    project.change(project.study, ("column: first_treated", f"first_treated: {start}"))
    assert start in refused(project, "SPEC-010")


# --- the tables -------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_with_both_tables_at_once(project: Project) -> None:
    """A wrong digest, a missing column, text among numbers and a row that stands twice; in each of the two files."""
    files = (f"    file: data_synthetic/{FIRST}.csv\n", f"    file: data_synthetic/{FIRST}-wijken.csv\n")
    project.change(project.study, *((line, f"{line}    sha256: {'0' * 64}\n") for line in files))
    for path, old, new, column in (
        (project.outcomes, "deelnemers", "deelnemer", 2),
        (project.units, "inwoners", "inwoner", 6),
    ):
        lines = path.read_text(encoding="utf-8").splitlines()
        lines[0] = lines[0].replace(old, new)
        lines.insert(3, lines[2])  # rows 3 and 4
        cells = lines[9].split(";")
        cells[column] = "veel"
        lines[9] = ";".join(cells)  # row 10
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    four = ("DATA-106", "DATA-107", "DATA-108", "DATA-111")
    said = refused(project, *four, *four)
    for what in ("Did you mean 'deelnemer'?", "Did you mean 'inwoner'?", "rows 3 and 4", "WK900102"):
        assert what in said
    assert said.count("'veel' in row 10") == 2
    assert said.count("0" * 64) == 2


def test_a_period_that_the_table_does_not_have(project: Project) -> None:
    project.lines(project.outcomes, lambda line: ";2017;" not in line)
    assert "2017" in refused(project, "DATA-114")


def test_a_panel_that_turns_out_to_have_one_period(project: Project) -> None:
    project.lines(project.outcomes, lambda line: ";2022;" in line)
    said = refused(project, "DATA-114")
    assert "The table has 2022" in said


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02" * 1000, b"\x89PNG\r\n" * 100, b"region;period;vsv;deelnemers\n"]
)
def test_no_table_at_all(project: Project, content: bytes) -> None:
    project.outcomes.write_bytes(content)
    ended = project.run()
    assert ended.code == 2
    assert "DATA-" in ended.err
    assert not project.out.exists()


def test_a_parquet_file_that_is_none(project: Project) -> None:
    project.change(project.study, (f"{FIRST}.csv", f"{FIRST}.parquet"))
    (project.root / "data_synthetic" / f"{FIRST}.parquet").write_bytes(b"PAR1" + bytes(1000) + b"PAR1")
    refused(project, "DATA-101")


# --- areas and donors -------------------------------------------------------------------------------------------------


def test_an_area_without_data(project: Project) -> None:
    """Its wijken stand in the table of units, but no outcome is about them."""
    mine = [line[:8] for line in project.units.read_text(encoding="utf-8").splitlines() if "delft-west" in line]
    assert len(mine) == 2
    project.lines(project.outcomes, lambda line: line[:8] not in mine)
    said = refused(project, "DATA-120")
    assert all(what in said for what in ("Delft West", *mine))


def test_an_area_of_which_every_number_is_suppressed(project: Project) -> None:
    mine = [line[:8] for line in project.units.read_text(encoding="utf-8").splitlines() if "delft-west" in line]
    lines = [
        ";".join([*line.split(";")[:2], "x", line.split(";")[3]]) if line[:8] in mine else line
        for line in project.outcomes.read_text(encoding="utf-8").splitlines()
    ]
    project.outcomes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "Delft West" in refused(project, "DATA-120")


def test_codes_that_are_not_in_the_data(project: Project) -> None:
    areas = "{delft-west: {members: [WK900101]}, hier: {name: Hier, members: [WK999901, WK900103, WK999902]}}"
    project.change(
        project.study, ("areas: {column: area}", f"areas: {areas}"), ("column: first_treated", "first_treated: 2022")
    )
    said = refused(project, "DATA-120")
    assert "Hier: not in the data: WK999901 and WK999902" in said


def test_starts_that_cannot_be(project: Project) -> None:
    """No start, no year, two different ones, too late; and a start where there is no area."""
    project.change(
        project.units,
        ("delft-west;2022", "delft-west;"),
        ("breda-noord;2022", "breda-noord;later"),
        ("zaandam-oost;2022", "zaandam-oost;2031"),
        ("lelystad-oost;2022", ";2022"),
    )
    lines = project.units.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "arnhem-oost" in line)
    lines[at] = lines[at].replace(";2022;", ";2023;")
    project.units.write_text("".join(lines), encoding="utf-8")
    said = refused(project, *["DATA-121"] * 3, "DATA-122", "DATA-124")
    for what in ("Delft West", "'later'", "'2022' and '2023'", "2031", "lie in no area"):
        assert what in said


def test_no_area_with_a_year_before_its_start(project: Project) -> None:
    project.change(project.units, (";2022;", ";2013;"))
    assert "already-treated 2013" in refused(project, "DATA-123")


def test_no_donor_left(project: Project) -> None:
    project.lines(project.units, lambda line: ";2022;" in line or ";2011;" in line)
    said = refused(project, "DATA-130")
    assert "not-in-units removed 363" in said, "the flow says where they went"
    assert "DATA-130 [comparison.leave_out]" in said and "eerste-studie.csv" not in said, "no file is at fault"


def test_a_caliper_that_leaves_an_area_alone(project: Project) -> None:
    project.change(project.study, ("ratio: 5,", "ratio: 5, caliper: 0.0001,"))
    assert "caliper" in refused(project, "DATA-131")


def test_residents_that_must_weigh_but_are_unknown(project: Project) -> None:
    project.change(project.study, ("size: [inwoners]", "size: [adres_dichtheid]"), ("every: area", "every: resident"))
    project.change(
        project.units, ("wijk 01;GM9001;leeuwarden-oost;2022;11154", "wijk 01;GM9001;leeuwarden-oost;2022;x")
    )
    assert "WK900101" in refused(project, "DATA-133")


def test_an_alternative_that_cannot_be_stops_the_run_before_anything_is_estimated(project: Project) -> None:
    change = "{comparison: {match: {caliper: 0.0001}}}"
    project.change(
        project.study,
        ("checks: {", f"alternatives:\n  - {{name: nauw, why: x, same_estimand: true, change: {change}}}\nchecks: {{"),
    )
    refused(project, "DATA-131")


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["run", "S", "--otu", "x"], ["rnu", "S"], ["run"], ["run", "S", "--workers", "0"]]
)
def test_a_command_that_cannot_be_understood(project: Project, arguments: list[str]) -> None:
    ended = impact(*(str(project.study) if word == "S" else word for word in arguments))
    assert (ended.code, ended.out) == (2, "")
    assert "Error:" in ended.err


def test_a_study_that_is_not_there(tmp_path: Path) -> None:
    assert_refused(impact("run", tmp_path / "nergens"), "SPEC-001")
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_prints_no_traceback(project: Project) -> None:
    project.change(project.study, ("seed: 2", "sead: 2"))
    done = apart("run", project.study, cwd=project.root)
    assert_refused(Ended(done.returncode, done.stdout, done.stderr), "SPEC-004")
    assert not (project.root / "out").exists(), "the default place is not made either"


# --- the place of the bundle ------------------------------------------------------------------------------------------


def not_written(project: Project, *, out: Path) -> str:
    before = tree(project.root)
    ended = impact("run", project.study, "--out", out)
    assert (ended.code, ended.out) == (4, "")
    assert "WRITE-00" in ended.err
    assert "Traceback" not in ended.err
    assert tree(project.root) == before
    return ended.err


def test_a_folder_that_holds_something_else_is_not_replaced(project: Project) -> None:
    project.out.mkdir()
    (project.out / "scriptie.docx").write_text("jaren werk", encoding="utf-8")
    assert "scriptie.docx" in not_written(project, out=project.out)
    not_written(project, out=project.root)
    not_written(project, out=project.study.parent)
    for name in ("manifest.json", "results.json"):
        (project.out / name).write_text("{}", encoding="utf-8")
    assert "WRITE-002" in not_written(project, out=project.out), "files of that name do not make it a bundle"


def test_the_bundle_of_another_study_is_not_replaced(project: Project) -> None:
    project.out.mkdir()
    (project.out / "results.json").write_text("{}", encoding="utf-8")
    manifest = {"study": "andere-studie", "outputs": {"results.json": ""}}
    (project.out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    said = not_written(project, out=project.out)
    assert "WRITE-002" in said and "another study, 'andere-studie'" in said


def test_a_file_is_not_replaced(project: Project) -> None:
    project.out.write_text("van iemand", encoding="utf-8")
    assert "WRITE-002" in not_written(project, out=project.out)
    assert "WRITE-001" in not_written(project, out=project.out / "daarin")


def test_the_folder_of_the_command_is_not_replaced(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = project.root / "leeg"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert "WRITE-002" in not_written(project, out=Path())


def test_a_bundle_is_replaced_unless_something_was_added(project: Project) -> None:
    project.out.mkdir()  # an empty folder is free
    assert project.run().code == 0
    made = tree(project.out)
    project.change(project.study, ("seed: 2", "seed: 3"))
    assert project.run().code == 0
    assert tree(project.out) != made
    assert set(tree(project.out)) == set(made)
    (project.out / "notities.md").write_text("van iemand", encoding="utf-8")
    assert "notities.md" in not_written(project, out=project.out)


def test_the_studies_of_the_project_pass(tmp_path: Path) -> None:
    """What is refused above is not refused in the studies as they stand."""
    for name in (FIRST, "placebo-2016"):
        assert impact("check", ROOT / "studies" / name).code == 0
