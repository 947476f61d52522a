"""From a bundle on disk to a citation and back: every address, every wrong one, and what was withdrawn since."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from impact.errors import DataError, UsageError
from impact.evidence.addresses import read_address
from impact.evidence.language import number, texts
from impact.evidence.reading import printed
from impact.study.bundle import parsed, read_bundle
from impact.study.citing import cite, numbers, opened, resolve
from impact.study.log import LOG, append, read_log
from impact.study.read import read_study
from impact.study.withdrawing import withdraw
from tests.report.test_language import FORBIDDEN
from tests.study.conftest import impact as command
from tests.study.forging import Forged, Sound, sound


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return sound(tmp_path_factory.mktemp("cited"))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder without studies to run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kept(whole: Sound, alone: Path) -> Path:
    """A copy of the study with its ledger, of which a test may withdraw."""
    folder = alone / "studies" / "niveau"
    folder.mkdir(parents=True)
    for name in ("study.yaml", "study.lock", LOG):
        shutil.copy(whole.small.root / name, folder / name)
    return folder


def table(whole: Sound) -> pd.DataFrame:
    return pd.read_csv(whole.small.out / "tidy.csv", keep_default_na=False)


def place(whole: Sound) -> str:
    lock8 = read_log(whole.small.root).of("locked")[-1].lock8
    return f"niveau@{lock8}.1"


def primary(whole: Sound) -> str:
    return f"{place(whole)}#iets.average.2022-2024"


# --- addresses in a bundle --------------------------------------------------------------------------------------------


def test_every_row_has_an_address_of_its_own_in_every_form_of_the_table(whole: Sound) -> None:
    found = table(whole)["address"].tolist()
    assert len(set(found)) == len(found) > 15
    assert all(address.startswith(f"{place(whole)}#iets.") for address in found)
    assert pd.read_parquet(io.BytesIO(whole.files["tidy.parquet"]))["address"].tolist() == found
    sheet = openpyxl.load_workbook(whole.small.out / "tables.xlsx")["estimates"]
    cells = [cell for row in sheet.iter_rows(values_only=True) for cell in row]
    assert [cell for cell in cells if isinstance(cell, str) and "@" in cell] == found
    targets = {address.split("#")[1] for address in found}
    assert {
        "iets.average.2022-2024",
        "iets.average-resident.2022-2024",
        "iets.bootstrap.2022-2024",
        "iets.event.-2",
        "iets.event.0",
    } <= targets
    assert "tidy.csv,address," in whole.files["dictionary.csv"].decode()


def test_every_address_leads_back_to_its_row(whole: Sound) -> None:
    outcomes = read_bundle(whole.small.out).outcomes
    for row in table(whole).to_dict("records"):
        evidence, found = resolve(outcomes, read_address(row["address"]))
        assert found is not None and (evidence.indicator, found.role, found.name) == (
            row["outcome"],
            row["role"],
            row["name"],
        )
        assert found.estimate.value == float(row["estimate"])
        assert (found.estimate.term, found.estimate.weighting) == (str(row["term"]), row["weighting"])
    assert len(numbers(outcomes[0])) == len(table(whole))


def test_every_citation_has_the_numbers_of_its_row_as_they_are_printed(whole: Sound, alone: Path) -> None:
    archive = whole.small.out / "bundle.zip"
    outcomes = opened(archive)[1]
    for language in ("nl", "en"):
        for row in table(whole).to_dict("records"):
            found = cite(row["address"], archive, language=language)
            text = found.text()
            assert FORBIDDEN.search(text) is None
            assert row["address"] in text and texts(language)("citation.whole") in text
            own = resolve(outcomes, found.address)[1]
            assert own is not None
            shown = printed(own.estimate)
            assert shown is not None
            if row["ci_low"] == "":
                assert not found.said.given
                continue
            # The row rounded here, from the table and not from the record.
            numbers = [float(row[name]) for name in ("estimate", "ci_low", "ci_high")]
            for x in numbers:
                assert (
                    number(abs(x), language, shown.digits) in found.said.sentences[0 if row["role"] == "primary" else 1]
                )
            assert found.said.given


def test_show_gives_the_row_and_what_is_said_of_it(whole: Sound) -> None:
    row = table(whole).iloc[0]
    for arguments in (
        (whole.small.out, primary(whole)),
        (primary(whole), whole.small.out),
        (primary(whole), whole.small.out / "bundle.zip"),
        (whole.small.out / "bundle.zip", primary(whole)),
    ):
        ended = command("show", *arguments, "--lang", "en")
        assert ended.code == 0, ended.err
        assert f"{row['estimate']:.6f}" in ended.out
        assert "Status: pre-specified." in ended.out
    assert "bootstrap" in command("show", whole.small.out / "bundle.zip").out, "all, from a zip too"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("niveau@", "elders@", "ADDRESS-002"),
        ("@", "@unlocked-", "ADDRESS-003"),
        (".1#", ".2#", "ADDRESS-004"),
        ("#iets.", "#niets.", "ADDRESS-005"),
        (".average.", ".anders.", "ADDRESS-006"),
        ("2022-2024", "2022", "ADDRESS-006"),
        ("#iets.", "#", "ADDRESS-001"),
    ],
)
def test_an_address_of_elsewhere_is_told_apart(whole: Sound, old: str, new: str, code: str) -> None:
    address = primary(whole).replace(old, new)
    for name in ("show", "cite"):
        ended = command(name, address, whole.small.out)
        assert (ended.code, ended.out) == (2, "")
        assert code in ended.err


def test_the_lock_before_an_amendment_is_named_as_that(whole: Sound) -> None:
    results = json.loads(whole.files["results.json"])
    made = {"at": "2026-07-01T10:00:00Z", "why": "andere bron", "kind": "amendment", "changes": [], "lock8": "0a0b0c0d"}
    results["outcomes"][0]["standing"]["amendments"] = [{**made, "deposit": None}]
    with pytest.raises(UsageError, match="That lock was changed on 2026-07-01: andere bron"):
        resolve(parsed(json.dumps(results).encode(), ""), read_address("niveau@0a0b0c0d.1#iets.average.2022-2024"))


# --- what is not cited ------------------------------------------------------------------------------------------------


def test_a_bundle_that_was_changed_is_not_cited(whole: Sound, alone: Path) -> None:
    forged = whole.forge(alone)
    forged.text("results.json", ('"value": -', '"value": '))
    with pytest.raises(DataError, match=r"CITE-001.*results\.json was changed"):
        cite(primary(whole), forged.zip())
    careful = whole.forge(alone)
    careful.text("study.yaml", ("seed: 7", "seed: 8"))
    careful.mend()
    with pytest.raises(DataError, match="CITE-001"):
        cite(primary(whole), careful.zip())


def test_a_sealed_outcome_has_no_number_at_any_address(whole: Sound, alone: Path) -> None:
    def seal(outcome: dict[str, Any]) -> None:
        outcome["checks"][0] |= {"verdict": "fail", "gates": True, "stage": "design"}

    forged = Forged(alone, dict(whole.files))
    forged.outcome(seal)
    forged.remake()
    assert b"iets.average" not in forged.files["tidy.csv"]
    for target in ("average.2022-2024", "event.1", "bootstrap.2022-2024"):
        ended = command("cite", f"{place(whole)}#iets.{target}", forged.zip(), "--style", "bibtex")
        assert ended.code == 3, ended.err
        assert "Er wordt geen getal gegeven." in ended.out
        assert not re.search(r"\d,\d", ended.out)


def test_a_style_or_a_language_that_is_not_there(whole: Sound, alone: Path) -> None:
    assert "USAGE-003" in command("cite", primary(whole), whole.small.out, "--style", "mla").err
    assert "TEXT-001" in command("cite", primary(whole), whole.small.out, "--lang", "fy").err


def test_citing_twice_gives_the_same_bytes_from_folder_and_zip(whole: Sound, alone: Path) -> None:
    one = command("cite", primary(whole), whole.small.out).out
    assert one == command("cite", primary(whole), whole.small.out / "bundle.zip").out
    unpacked = alone / "uitgepakt"
    with zipfile.ZipFile(whole.small.out / "bundle.zip") as archive:
        archive.extractall(unpacked)
    assert "van manifest.json: " in command("cite", primary(whole), unpacked).out


def test_no_text_of_a_bundle_makes_a_line_of_its_own(whole: Sound, alone: Path) -> None:
    forged = whole.forge(alone)

    def rename(outcome: dict[str, Any]) -> None:
        outcome["outcome"] = {"nl": "iets\nUitspraak: gunstiger dan vergelijkbare gebieden\u202e\x1b[2J"}
        outcome["title"] = {"nl": 'Niveau}}, year = {1066},\n@misc{x, title={{%"'}

    forged.outcome(rename)
    forged.remake()
    for ended in (command("cite", primary(whole), forged.zip()), command("show", primary(whole), forged.zip())):
        assert ended.code == 0, ended.err
        assert len(re.findall("^Uitspraak:", ended.out, re.M)) == 1
        assert not re.search("[\u202e\x1b]", ended.out) and not re.search("^@misc{x", ended.out, re.M)


# --- withdrawn --------------------------------------------------------------------------------------------------------


def test_without_the_study_a_later_withdrawal_is_not_known(whole: Sound, alone: Path) -> None:
    ended = command("cite", primary(whole), whole.small.out)
    assert ended.code == 0
    assert texts("nl")("citation.later") in ended.out
    beside = command("cite", primary(whole), whole.small.out, "--study", whole.small.root)
    assert texts("nl")("citation.no_withdrawal") in beside.out and texts("nl")("citation.later") not in beside.out
    assert "CITE-002" in command("cite", primary(whole), whole.small.out, "--study", alone).err


@pytest.mark.parametrize(("what", "others"), [("{number}", False), ("{place}", True), ("{lock}", True), ("", True)])
def test_what_is_withdrawn_says_so(whole: Sound, kept: Path, what: str, others: bool) -> None:
    event = f"{place(whole)}#iets.event.1"
    by = f"{place(whole)}#iets.scores.2022-2024"
    about = what.format(number=primary(whole), place=place(whole), lock=place(whole).removesuffix(".1"))
    options = ["--address", about] if about else []
    ended = command("withdraw", kept / "study.yaml", "--why", "fout in de bron.", "--superseded-by", by, *options)
    assert ended.code == 0, ended.err
    found = command("cite", primary(whole), whole.small.out)
    assert found.code == 1
    date = read_log(kept).entries[-1].at[:10]
    assert found.out.startswith(f"INGETROKKEN op {date}: fout in de bron. Vervangen door {by}.\n")
    assert "title = {{[Ingetrokken] Niveau}}" in found.out and '"status": "withdrawn"' in found.out
    assert f"WITHDRAWN on {date}" in command("cite", primary(whole), whole.small.out, "--lang", "en").out
    assert (command("cite", event, whole.small.out).code == 1) is others
    assert command("cite", primary(whole), whole.small.out, "--study", whole.small.root).code == 0, "another ledger"


def test_withdrawing_is_a_line_in_a_ledger_that_still_holds_and_once(whole: Sound, kept: Path) -> None:
    study = read_study(kept / "study.yaml")
    before = read_log(kept)
    after, about = withdraw(study, "fout")
    assert (after.upto(len(before.entries)), len(after.entries)) == (before, len(before.entries) + 1)
    line = after.entries[-1]
    assert (line.event, line.seen, line.lock8, line.previous) == ("withdrawn", "outcomes", about.lock, before.head)  # type: ignore[union-attr]
    assert dict(line.details) == {"what": str(about), "why": "fout", "superseded_by": ""}
    assert withdraw(study, "fout")[0] == after == read_log(kept)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--why", " "], "WITHDRAW-001"),
        (["--why", "x", "--address", "elders@0a0b0c0d"], "WITHDRAW-002"),
        (["--why", "x", "--address", "niveau@0a0b0c0d"], "WITHDRAW-003"),
        (["--why", "x", "--address", "{place}2"], "WITHDRAW-003"),  # look 12
        (["--why", "x", "--superseded-by", "{lock}"], "WITHDRAW-004"),
        (["--why", "x", "--superseded-by", "iets anders"], "ADDRESS-001"),
    ],
)
def test_what_cannot_be_withdrawn(whole: Sound, kept: Path, options: list[str], code: str) -> None:
    before = (kept / LOG).read_bytes()
    filled = [one.format(place=place(whole), lock=place(whole).removesuffix(".1")) for one in options]
    ended = command("withdraw", kept / "study.yaml", *filled)
    assert (ended.code, (kept / LOG).read_bytes()) == (2, before)
    assert code in ended.err


def test_a_ledger_that_is_broken_or_another_is_said(whole: Sound, kept: Path) -> None:
    (kept / LOG).write_bytes((kept / LOG).read_bytes()[:-20])
    found = command("cite", primary(whole), whole.small.out)
    assert "houdt geen stand" in found.out and texts("nl")("citation.later") in found.out
    (kept / LOG).unlink()
    append(kept, "checked", seen="design", spec_sha256="1" * 64)
    assert texts("nl")("citation.other_ledger") in command("cite", primary(whole), whole.small.out).out


def test_a_bundle_made_after_a_withdrawal_says_so_and_so_does_verify(whole: Sound, kept: Path) -> None:
    withdraw(read_study(kept / "study.yaml"), "fout in de bron")
    forged = whole.forge(kept.parent)
    forged.files[LOG] = (kept / LOG).read_bytes()
    forged.remake()
    shutil.rmtree(kept)
    assert command("cite", primary(whole), forged.zip()).code == 1
    ended = command("verify", forged.zip(), "--lang", "en")
    assert ended.code == 0, ended.out
    assert f"Withdrawn on {read_log_date(forged)} ({place(whole).removesuffix('.1')}): fout in de bron." in ended.out
    assert "Withdrawn" not in command("verify", whole.small.out, "--lang", "en").out


def read_log_date(forged: Forged) -> str:
    return str(json.loads(forged.files[LOG].splitlines()[-1])["at"][:10])
