"""Bundles that are sound, and bundles that were changed in every way we could think of: found, and named."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import impact
from impact.errors import DataError
from impact.evidence.record import Evidence
from impact.study.digits import agree
from impact.study.stages import STAGE_OF, STAGES, compared
from tests.study.conftest import impact as command
from tests.study.conftest import tree
from tests.study.forging import Forged, Sound, named, sound, told


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def forged(whole: Sound, tmp_path: Path) -> Forged:
    return whole.forge(tmp_path)


def lines(forged: Forged) -> list[bytes]:
    return forged.files["study.log.jsonl"].splitlines(keepends=True)


# --- a sound bundle ---------------------------------------------------------------------------------------------------


def test_a_sound_bundle_is_unchanged_fixed_and_recomputed(whole: Sound) -> None:
    for path in (whole.small.out, whole.small.out / "bundle.zip"):
        found = impact.verify(path)
        assert [level.verdict for level in found.levels] == ["yes", "yes", "yes"], found.summary("en")
        assert not found.differs
        said = {one.key for level in found.levels for one in level.unchecked}
        assert {"unchecked.own-manifest", "unchecked.own-declaration", "unchecked.rerun", "unchecked.rest"} <= said
    methods = {one.values["method"] for one in found.recomputed.unchecked if one.key == "unchecked.inference"}
    assert methods == {"bootstrap"}, "the draws of a bootstrap are not kept, and that is said"


def test_the_command_says_a_sentence_a_level_and_ends_as_it_should(whole: Sound, forged: Forged) -> None:
    ended = command("verify", whole.small.out / "bundle.zip", "--lang", "en")
    assert ended.code == 0
    heads = [line for line in ended.out.splitlines() if line[:1].isdigit()]
    assert [line.split(":")[0] for line in heads] == ["1. Unchanged", "2. Fixed beforehand", "3. Recomputed"]
    digest = whole.small.out.joinpath("bundle.zip").read_bytes()
    assert hashlib.sha256(digest).hexdigest() in ended.out
    assert "Ongewijzigd: ja" in command("verify", whole.small.out).out
    del forged.files["tidy.csv"]
    assert command("verify", forged.zip()).code == 1
    assert command("verify", forged.place / "no.zip").code == 2
    assert command("verify", forged.zip(), "--lang", "xx").code == 2


def test_the_zip_holds_every_other_file_and_the_run_prints_its_digest(whole: Sound) -> None:
    with zipfile.ZipFile(whole.small.out / "bundle.zip") as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
        assert {(entry.date_time, entry.compress_type, entry.create_system) for entry in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)
        }
    assert inside == whole.files
    again = command("run", whole.small.study, "--out", whole.small.root / "again")
    assert tree(whole.small.root / "again") == tree(whole.small.out), "the same study gives the same bytes"
    assert hashlib.sha256((whole.small.out / "bundle.zip").read_bytes()).hexdigest() in again.err


def test_a_second_run_is_the_same_byte_by_byte(whole: Sound) -> None:
    found = impact.verify(whole.small.out, data=[whole.small.root], rerun=True)
    assert found.recomputed.sentence.key == "recomputed.identical", found.summary("en")


def test_without_data_the_second_run_says_what_is_missing(whole: Sound) -> None:
    found = impact.verify(whole.small.out, rerun=True)
    said = {one.key: one.values for one in found.recomputed.unchecked}
    assert said["unchecked.input"]["file"] == "uitkomst.csv", "the table of units is shared and goes along"
    assert "unchecked.no-data" in said and not found.differs


def test_only_what_may_be_shared_goes_along(whole: Sound) -> None:
    inputs = {name: content for name, content in whole.files.items() if name.startswith("inputs/")}
    assert inputs == {"inputs/wijken.csv": (whole.small.root / "wijken.csv").read_bytes()}


def test_the_zip_packed_by_another_program_is_the_same_bundle(whole: Sound, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in reversed(whole.files.items()):
            archive.writestr(name, content)
    found = impact.verify(tmp_path / "other.zip")
    assert not found.differs
    assert "unchecked.repacked" in {one.key for one in found.unchanged.unchecked}


# --- unchanged --------------------------------------------------------------------------------------------------------


def test_a_changed_a_missing_and_a_strange_file_are_named(forged: Forged) -> None:
    forged.files["report.html"] += b" "
    del forged.files["tables.xlsx"]
    forged.files["figures/more.svg"] = b"<svg/>"
    found = forged.verified().unchanged
    assert {(said.key, said.values["file"]) for said in found.differences} == {
        ("file.changed", "report.html"),
        ("file.missing", "tables.xlsx"),
        ("file.extra", "figures/more.svg"),
    }


def test_a_folder_that_differs_from_its_own_zip(whole: Sound, forged: Forged) -> None:
    folder = forged.folder()
    (folder / "bundle.zip").write_bytes((whole.small.out / "bundle.zip").read_bytes())
    assert not impact.verify(folder).differs
    forged.text("study.yaml", ("question:", "# klein\nquestion:"))
    forged.mend()
    forged.folder()
    assert named(impact.verify(folder).unchanged, "file.unlike-zip", "file") == {"manifest.json", "study.yaml"}


def test_a_deposited_digest_finds_what_was_forged_whole(whole: Sound, forged: Forged) -> None:
    """Results, aggregates and everything made of them: nothing in the bundle contradicts it any more."""
    deposited = impact.verify(whole.small.out).sha256
    assert not impact.verify(whole.small.out, sha256=deposited.upper()).differs
    forged.text("environment.json", ('"python": "3', '"python": "4'))
    forged.remake()
    assert not forged.verified().differs, "whoever can write it all can forge it all, and this is said"
    assert told(forged.verified(sha256=deposited).unchanged) == {"file.digest"}


# --- recomputed -------------------------------------------------------------------------------------------------------


def nudged(number: float) -> float:
    """Another digit in the sixth place."""
    return number * (1 + 3e-6)


def test_a_digit_in_the_results(forged: Forged) -> None:
    forged.outcome(lambda outcome: outcome["primary"].update(value=nudged(outcome["primary"]["value"])))
    assert named(forged.verified().unchanged, "file.changed", "file") == {"results.json"}
    forged.mend()
    found = forged.verified()
    assert found.unchanged.verdict == "yes"
    assert {"tidy.csv", "report.html", "tables.xlsx"} <= named(found.recomputed, "derived.differs", "file")
    assert "value" in named(found.recomputed, "recomputed.differs", "what")
    forged.remake()
    found = forged.verified()
    assert (found.unchanged.verdict, told(found.recomputed)) == ("yes", {"recomputed.differs"})
    assert named(found.recomputed, "recomputed.differs", "address") == {"iets primary average"}


@pytest.mark.parametrize(
    ("what", "place"),
    [
        *((name, ("primary", name)) for name in ("std_error", "df", "low", "high", "p_value", "largest_share")),
        ("treated_clusters", ("primary", "treated_clusters")),
        ("p_value (score-flip)", ("primary", "beside", 0, "p_value")),
        ("value", ("event", 2, "value")),
        ("std_error", ("weightings", 0, "estimate", "std_error")),
        ("p_value", ("alternatives", 0, "estimate", "p_value")),
        ("std_error", ("alternatives", 1, "estimate", "std_error")),
        ("low", ("alternatives", 2, "estimate", "low")),
        ("value", ("alternatives", 3, "estimate", "value")),
    ],
)
def test_every_number_that_follows_from_the_aggregates(forged: Forged, what: str, place: tuple[Any, ...]) -> None:
    """Also where every other file is made anew from the forged results: aggregates.csv is not."""

    def change(outcome: Any) -> None:
        *above, last = place
        for step in above:
            outcome = outcome[step]
        assert outcome[last] is not None
        outcome[last] = outcome[last] + 1 if isinstance(outcome[last], int) else nudged(outcome[last])

    assert forged.computed() == set()
    forged.outcome(change)
    assert what in forged.computed()


def test_a_refused_interval_does_not_hide_one(forged: Forged) -> None:
    forged.outcome(lambda outcome: outcome["primary"].update(p_value=None))
    assert forged.computed() == {"p_value"}


def test_a_number_in_the_aggregates(forged: Forged) -> None:
    table = forged.files["aggregates.csv"].decode().splitlines(keepends=True)
    row = next(place for place, line in enumerate(table) if line.startswith("iets,primary,,average,left-out,"))
    cells = table[row].rstrip("\n").split(",")
    cells[6] = repr(float(cells[6]) + 0.01)
    table[row] = ",".join(cells) + "\n"
    forged.files["aggregates.csv"] = "".join(table).encode()
    assert {"std_error", "low", "high", "p_value"} == forged.computed()
    forged.files["aggregates.csv"] = b"outcome,role\n"
    assert forged.computed() == {"recomputed.unreadable"}


def test_two_figures_changed_places(forged: Forged) -> None:
    one, other = "figures/gap.svg", "figures/flow.svg"
    forged.files[one], forged.files[other] = forged.files[other], forged.files[one]
    assert named(forged.verified().unchanged, "file.changed", "file") == {one, other}
    forged.mend()
    found = forged.verified()
    assert found.unchanged.verdict == "yes"
    assert {one, other} <= named(found.recomputed, "derived.differs", "file")


def test_a_value_that_no_report_reads(forged: Forged) -> None:
    forged.outcome(lambda outcome: outcome.update(hidden="text"))
    forged.remake()
    forged.outcome(lambda outcome: outcome.update(hidden="text"))
    forged.mend()
    assert forged.verified().differs


# --- fixed beforehand -------------------------------------------------------------------------------------------------


def test_the_ledger_in_another_order(forged: Forged) -> None:
    forged.files["study.log.jsonl"] = b"".join(reversed(lines(forged)))
    assert {"ledger.order", "ledger.chain"} <= told(forged.fixed())


def test_a_line_of_the_ledger_that_was_changed_or_taken_out(forged: Forged) -> None:
    before = lines(forged)
    forged.text("study.log.jsonl", ('"at":"2', '"at":"1'))
    assert named(forged.fixed(), "ledger.changed", "line") == {"1"}
    forged.files["study.log.jsonl"] = before[-1]
    assert {"ledger.order", "ledger.chain", "ledger.other-lock"} <= told(forged.fixed())
    forged.files["study.log.jsonl"] = before[0]
    assert told(forged.fixed()) == {"ledger.no-run"}, "the end was cut off"
    forged.files["study.log.jsonl"] = before[0] + before[1][:-9]
    assert {"ledger.cut", "ledger.unreadable"} <= told(forged.fixed())


def test_a_specification_that_was_edited_after_it_was_locked(forged: Forged) -> None:
    forged.text("study.yaml", ("seed: 7", "seed: 8"))
    forged.mend()
    found = forged.verified()
    assert found.unchanged.verdict == "yes" and told(found.fixed) == {"fixed.other-results"}


def test_comments_and_order_are_no_edit(forged: Forged) -> None:
    forged.text("study.yaml", ("seed: 7\n", ""), ("title: Niveau", "seed: 7 # het oude\ntitle: Niveau"))
    forged.remake()
    assert not forged.verified().differs


def test_the_lock_that_was_edited_with_it(forged: Forged) -> None:
    forged.json("study.lock", lambda lock: lock["spec"].update(seed=8))
    assert "fixed.lock-changed" in told(forged.fixed())
    forged.json("study.lock", lambda lock: lock.update(spec_sha256="0" * 64))
    assert {"fixed.lock-changed", "fixed.other-lock", "fixed.claim"} <= told(forged.fixed())


def test_results_of_another_specification_under_an_old_lock(forged: Forged) -> None:
    """Specification and results agree; the lock does not, and the results claim it all the same."""
    forged.text("study.yaml", ("seed: 7", "seed: 8"))
    study = forged.place / "study.yaml"
    study.write_bytes(forged.files["study.yaml"])
    forged.outcome(lambda outcome: outcome.update(seed=8, spec_sha256=impact.read_study(study).sha256))
    assert {"fixed.other-lock", "fixed.claim", "ledger.no-run"} <= told(forged.fixed())


@pytest.mark.parametrize("without", [("study.lock",), ("study.log.jsonl",), ("study.lock", "study.log.jsonl")])
def test_a_claim_without_lock_or_ledger(forged: Forged, without: tuple[str, ...]) -> None:
    for name in without:
        del forged.files[name]
    assert "fixed.claim" in told(forged.fixed())


def test_what_the_manifest_says_of_the_results(forged: Forged) -> None:
    forged.json("manifest.json", lambda manifest: manifest.update(seed=1, status="exploratory"))
    forged.json("manifest.json", lambda manifest: manifest["inputs"][0].update(sha256="0" * 64))
    assert named(forged.verified().fixed, "fixed.manifest", "what") == {"seed", "status", "inputs"}


def test_data_that_the_ledger_does_not_know(forged: Forged) -> None:
    forged.outcome(lambda outcome: outcome["data"][0].update(sha256="1" * 64))
    assert told(forged.fixed()) == {"ledger.other-inputs", "fixed.claim"}


def test_what_the_results_repeat_of_lock_and_ledger(forged: Forged) -> None:
    deposit = {"where": "Zenodo", "date": "2020-01-01", "reference": "1"}
    forged.outcome(lambda outcome: outcome["standing"].update(ran=2, tried=1, lock8="00000000", deposit=deposit))
    assert named(forged.fixed(), "fixed.standing", "what") == {"lock", "deposit", "ran", "tried"}


def test_an_unlocked_study_claims_nothing(whole: Sound, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_bytes(whole.files["study.yaml"])
    ended = command("run", tmp_path, "--data", whole.small.root, "--out", tmp_path / "uit")
    assert ended.code in (0, 1), ended.err
    found = impact.verify(tmp_path / "uit")
    assert [level.verdict for level in found.levels] == ["yes", "not", "yes"]
    forged = Forged(tmp_path, {n: c for n, c in tree(tmp_path / "uit").items() if n != "bundle.zip"})
    forged.outcome(lambda outcome: outcome.update(status="pre-specified"))
    assert told(forged.fixed()) == {"fixed.claim"}


def test_numbers_of_another_version_are_still_held_against_the_table(forged: Forged) -> None:
    forged.json("manifest.json", lambda manifest: manifest["versions"].update(numpy="0.1"))
    assert not forged.verified().differs
    forged.outcome(lambda outcome: outcome["event"][0].update(units=9))
    forged.mend()
    found = forged.verified().recomputed
    assert named(found, "derived.differs", "file") == {"tidy.csv"}
    assert "unchecked.versions" in {said.key for said in found.unchecked}


# --- run again --------------------------------------------------------------------------------------------------------


def test_other_data_under_the_same_name(whole: Sound, forged: Forged, tmp_path: Path) -> None:
    table = (whole.small.root / "uitkomst.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    row = next(place for place, line in enumerate(table) if ";2023;" in line and line.startswith("WK910001"))
    region, year, count, below = table[row].split(";")
    table[row] = ";".join([region, year, str(int(count) + 9), below])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "uitkomst.csv").write_text("".join(table), encoding="utf-8")
    only = forged.verified(data=[tmp_path / "data"])
    assert named(only.recomputed, "rerun.other-input", "file") == {"uitkomst.csv"}
    found = forged.verified(data=[tmp_path / "data"], rerun=True).recomputed
    stages = [said.values["stage"] for said in found.differences if "stage" in said.values]
    assert stages[:2] == ["data", "estimate"]
    assert "comparison" not in stages, "what was matched and counted before the start is the same"


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("data", lambda outcome: outcome["data"][0].update(rows=1)),
        ("comparison", lambda outcome: outcome.update(pool=1)),
        ("estimate", lambda outcome: outcome["primary"].update(value=nudged(outcome["primary"]["value"]))),
        ("inference", lambda outcome: outcome["event"][0].update(low=nudged(outcome["event"][0]["low"]))),
        ("checks", lambda outcome: outcome["checks"][0].update(statistic=1.25)),
        ("alternatives", lambda outcome: outcome["alternatives"][0]["estimate"].update(value=0.5)),
    ],
)
def test_the_stage_that_differs_is_named(
    forged: Forged, whole: Sound, stage: str, change: Callable[[Any], Any]
) -> None:
    forged.outcome(change)
    found, _ = compared(forged.files, whole.files, versions=True)
    assert [one.stage for one in found] == [stage]


@pytest.mark.parametrize(
    ("stage", "name"), [("figures", "figures/gap.svg"), ("report", "report.html"), ("inference", "aggregates.csv")]
)
def test_a_file_that_comes_out_otherwise(forged: Forged, whole: Sound, stage: str, name: str) -> None:
    forged.files[name] += b" "
    found, _ = compared(forged.files, whole.files, versions=True)
    assert [(one.stage, one.path) for one in found] == [(stage, name)]
    assert compared(forged.files, whole.files, versions=False) == ([], (name,)), "told, and not held against it"


def test_digits_that_another_machine_may_change(forged: Forged, whole: Sound) -> None:
    forged.outcome(lambda outcome: outcome["primary"].update(value=outcome["primary"]["value"] * (1 + 1e-13)))
    assert compared(forged.files, whole.files, versions=True)[0] == []
    assert agree(1.0, 1.0 + 9e-11, 10) and not agree(1.0, 1.0 + 2e-10, 10)
    assert not agree(float("nan"), float("nan"), 10)


def test_every_part_of_the_evidence_has_its_stage() -> None:
    assert sorted(set(Evidence.__dataclass_fields__) - set(STAGE_OF) - {"versions"}) == []
    assert set(STAGE_OF.values()) <= set(STAGES)


def test_nothing_is_written_beside_the_bundle_or_the_data(whole: Sound) -> None:
    before = tree(whole.small.root)
    impact.verify(whole.small.out, data=[whole.small.root], rerun=True)
    assert tree(whole.small.root) == before


# --- of no use --------------------------------------------------------------------------------------------------------

DEEP = b"[" * 100_000 + b"]" * 100_000


def test_a_manifest_that_nests_without_end(forged: Forged) -> None:
    forged.files["manifest.json"] = DEEP
    with pytest.raises(DataError, match=r"BUNDLE-010(.|\n)*too deeply"):
        forged.verified()


@pytest.mark.parametrize("name", ["study.lock", "study.log.jsonl", "results.json", "study.yaml"])
def test_a_file_that_nests_without_end(forged: Forged, name: str) -> None:
    forged.files[name] = DEEP
    forged.mend()
    found = forged.verified()
    assert found.differs
    assert ("line 1 of the ledger" if name == "study.log.jsonl" else name) in found.summary("en")


def test_results_that_are_something_else(forged: Forged) -> None:
    for content in (b"", b"[]", b'{"outcomes": []}', b'{"outcomes": [{}]}', b'{"a": 1, "a": 2}', b'{"outcomes": NaN}'):
        forged.files["results.json"] = content
        forged.mend()
        found = forged.verified()
        assert found.differs and found.recomputed.verdict == "not"
    forged.files.pop("results.json")
    assert forged.verified().differs


def test_results_of_the_right_form_that_no_report_can_be_made_of(forged: Forged) -> None:
    forged.outcome(lambda outcome: outcome.update(periods=[], unit="\u0000", title={}))
    forged.mend()
    assert forged.verified().differs


def test_no_manifest_is_no_bundle(forged: Forged) -> None:
    del forged.files["manifest.json"]
    with pytest.raises(DataError, match="BUNDLE-001"):
        forged.verified()
    forged.files["manifest.json"] = json.dumps({"outputs": {"a": 1}}).encode()
    with pytest.raises(DataError, match="BUNDLE-010"):
        forged.verified()
