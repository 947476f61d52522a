"""What a study says for its readers alone: people with a margin, the whole country, notes; sums taken by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impact.evidence.report import report_html
from impact.evidence.translation import in_words
from impact.study.bundle import read_bundle
from impact.study.verify import verify
from tests.report.test_report import body_text
from tests.study.conftest import impact, tree
from tests.study.small import MEMBERS, Small, made

MEASURE = "measure: {rate: numerator/denominator, per: 100, unit: procentpunt}"
PEOPLE = (MEASURE, f"{MEASURE}\n  also_as: {{nl: leerlingen per jaar, en: pupils per year}}")
COUNTRY = ("denominator: noemer}", "denominator: noemer}\n    marks: {suppressed: [x]}\n    national: NL00")
GONE = next(iter(MEMBERS["gebied-a"]))  # of which one figure is not published
LABEL = ("size: [inwoners]}", "size: [inwoners], labels: {huur: {nl: Huurwoningen (%), en: Rented dwellings (%)}}}")
NOTES = ("seed: 7", "context: [noten/veld.md]\nseed: 7")
NOTE = """# Uit *de* wijk

Wat <b>bewoners</b> zeggen, [lees meer](https://voorbeeld.nl).

- **een** ding
- nog
  een ding

## Streefwaarde
In 2026: 3,0%.
"""
YEARS = [str(year) for year in range(2015, 2025)]


def country(small: Small, shift: float = 0.0) -> None:
    """Rows about the country: 1 of 50 in 2015, 0.1 percentage point less every year; and a figure not published."""
    rows = small.outcomes.iloc[: len(YEARS)].copy()
    rows["wijk"], rows["jaar"], rows["noemer"] = "NL00", [int(year) for year in YEARS], 100_000
    rows["teller"] = [round(2_000 - 100 * step + shift) for step in range(len(YEARS))]
    small.outcomes = pd.concat([small.outcomes, rows], ignore_index=True).astype({"teller": object})
    small.outcomes.loc[(small.outcomes["wijk"] == GONE) & (small.outcomes["jaar"] == 2016), "teller"] = "x"


def note(small: Small, text: str = NOTE) -> None:
    (small.root / "noten").mkdir(exist_ok=True)
    (small.root / "noten" / "veld.md").write_text(text, encoding="utf-8", newline="")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A run with everything of this page in it."""
    small = made(tmp_path_factory.mktemp("lezers"))
    country(small)
    note(small)
    small.run(PEOPLE, COUNTRY, LABEL, NOTES)
    return small


def results(small: Small) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((small.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


def page(small: Small, name: str = "report.html") -> str:
    return body_text((small.out / name).read_text(encoding="utf-8"))


# --- people -----------------------------------------------------------------------------------------------------------


def printed(found: dict[str, Any]) -> tuple[float, float, float]:
    """The estimate and its interval with two significant digits of the standard error."""
    primary = found["primary"]
    digits = 1 - int(f"{primary['std_error']:.1e}".split("e")[1])
    return tuple(round(primary[name], digits) for name in ("value", "low", "high"))  # type: ignore[return-value]


def test_the_base_is_the_mean_number_of_people_in_the_areas_after_the_start(whole: Small) -> None:
    units = [code for codes in MEMBERS.values() for code in codes if code != GONE]
    after = whole.outcomes[whole.outcomes["wijk"].isin(units) & (whole.outcomes["jaar"] >= 2022)]
    base = float(after.groupby("wijk")["noemer"].mean().sum())
    also = results(whole)["also_as"]
    assert also["base"] == float(f"{base:.3g}") and (also["per"], also["unknown"]) == (100.0, 0)


def test_people_follow_from_the_printed_numbers_and_are_rounded_as_their_margin_is(whole: Small) -> None:
    found = results(whole)
    base = found["also_as"]["base"]
    value, low, high = (x * base / 100 for x in printed(found))
    half = (high - low) / 2
    step = 10 ** (len(str(int(half))) - 2)  # two digits of half the margin
    said = page(whole)
    sentence = re.search(
        r"ongeveer ([\d.]+) leerlingen per jaar (minder|meer) dan wanneer deze gebieden waren veranderd zoals "
        r"vergelijkbare gebieden, met een marge van ([\d.]+) (minder|meer) "
        r"tot ([\d.]+) (minder|meer), op ([\d.]+) leerlingen\.",
        said,
    )
    assert sentence is not None, said[:3000]
    told = [int(sentence[place].replace(".", "")) for place in (1, 3, 5, 7)]
    assert told == [round(abs(x) / step) * step for x in (value, low, high)] + [round(base)]
    assert [sentence[place] for place in (2, 4, 6)] == ["minder" if x < 0 else "meer" for x in (value, low, high)]
    assert "pupils per year" in page(whole, "report.en.html") and " pupils. " in page(whole, "report.en.html")


def test_people_are_nowhere_where_the_estimate_is_not(whole: Small) -> None:
    (evidence,) = read_bundle(whole.out).outcomes
    assert evidence.also_as is not None
    closed = tuple(replace(check, verdict="fail", gates=True) for check in evidence.checks[:1])
    sealed = replace(evidence, checks=(*closed, *evidence.checks[1:]))
    bare = replace(evidence, primary=replace(evidence.primary, low=None, high=None))
    placebo = replace(evidence, placebo=True)
    unknown = replace(evidence, also_as=replace(evidence.also_as, base=None, unknown=2))
    for made_ in (sealed, bare, placebo, unknown):
        for language in ("nl", "en"):
            said = body_text(report_html(made_, {}, language))
            assert not re.search(r"\d (leerlingen|pupils)|marge van \d|margin from \d", said)
    assert "zonder interval is er geen marge" in body_text(report_html(bare, {}))
    assert "niet van alle gebieden bekend" in body_text(report_html(unknown, {}))


def test_a_hidden_estimate_hides_its_people_and_a_shown_one_rounds_them(tmp_path: Path) -> None:
    small = made(tmp_path)
    hidden = small.run(PEOPLE, ("seed: 7", "disclose: {minimum_units: 40}\nseed: 7"))
    assert hidden["primary"]["value"] is None and hidden["also_as"] is None
    assert not re.search(r"\d leerlingen", page(small))
    shown = small.run(PEOPLE, ("seed: 7", "disclose: {minimum_units: 2, round_to: 1000}\nseed: 7"))
    assert shown["also_as"]["base"] % 1000 == 0
    rules = (small.out / "disclosure.csv").read_text(encoding="utf-8")
    assert re.search(r",also_as,,,pass,", rules)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("denominator: noemer}", "denominator: noemer, base: noemer}")], "goes with `value`"),
        (
            [
                ("numerator: teller, denominator: noemer}", "value: teller}"),
                (MEASURE, "measure: {unit: aantal}\n  also_as: x"),
            ],
            "takes a rate of two counts, or a column `base`",
        ),
        (
            [
                ("numerator: teller, denominator: noemer}", "value: teller, base: noemer}"),
                (MEASURE, "measure: {unit: aantal}"),
            ],
            "`base` and `per` belong together",
        ),
        (
            [PEOPLE, ("unit: procentpunt}", "unit: '%', as_percent_of_own: {periods: [2015], minimum_mean: 1}}")],
            "no share of people",
        ),
        (
            [COUNTRY, ("unit: procentpunt}", "unit: '%', as_percent_of_own: {periods: [2015], minimum_mean: 1}}")],
            "stands no level of the whole country",
        ),
        ([("size: [inwoners]}", "size: [inwoners], labels: {huurt: Huur}}")], "No column 'huurt' is used"),
    ],
)
def test_what_cannot_be_told_is_refused(changes: list[tuple[str, str]], words: str, tmp_path: Path) -> None:
    small = made(tmp_path)
    small.write(*changes)
    ended = impact("check", small.study)
    assert ended.code == 2 and words in " ".join(ended.err.split()), ended.err


def test_a_figure_with_a_base_gives_the_same_people_as_its_rate(whole: Small, tmp_path: Path) -> None:
    small = made(tmp_path)
    country(small)
    counted = pd.to_numeric(small.outcomes["teller"], errors="coerce") / small.outcomes["noemer"]
    small.outcomes = small.outcomes.assign(cijfer=(100 * counted).astype(object).where(counted.notna(), "x"))
    figures = small.run(
        ("numerator: teller, denominator: noemer}", f"value: cijfer, base: noemer}}{COUNTRY[1].partition('}')[2]}"),
        (MEASURE, "measure: {per: 100, unit: procentpunt}\n  also_as: {nl: leerlingen per jaar, en: pupils per year}"),
    )
    assert figures["also_as"] == results(whole)["also_as"]


# --- the country ------------------------------------------------------------------------------------------------------


def test_the_country_stands_beside_the_groups(whole: Small) -> None:
    change = results(whole)["change"]
    assert change["national_before"] == pytest.approx(2.0 - 0.1 * 6)  # 2021
    assert change["national_after"] == pytest.approx(2.0 - 0.1 * 8)  # the mean of 2022 to 2024
    said = page(whole)
    assert "Heel Nederland (ter informatie)" in said and "er is niet mee vergeleken" in said


def test_a_country_that_the_table_does_not_have_is_said(tmp_path: Path) -> None:
    small = made(tmp_path)
    small.write(COUNTRY)
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code == 2 and "DATA-156" in ended.err and "'NL00'" in ended.err


def test_levels_have_their_unit_and_differences_theirs(whole: Small) -> None:
    said = page(whole)
    table = said[said.index("Voor en na") : said.index("Waarop berust dit?")]
    assert re.search(r"Voor de start \(2021\) \d,\d+% \d,\d+% 1,40*%", table)
    assert re.search(r"Verandering \(procentpunt\) [−+]?\d,\d+ [−+]?\d,\d+ −0,20*\b", table)
    assert re.search(r"Verschil in verandering \(procentpunt\) [−+]?\d", table)


# --- notes ------------------------------------------------------------------------------------------------------------


def test_a_note_stands_in_its_frame_as_text(whole: Small) -> None:
    text = (whole.out / "report.html").read_text(encoding="utf-8")
    (frame,) = re.findall(r'<div class="framed".*?</div>', text, re.DOTALL)
    assert "<b>Uit de wijk</b>" in frame and "&lt;b&gt;bewoners&lt;/b&gt;" in frame
    assert "lees meer (https://voorbeeld.nl)." in frame and "<a" not in frame
    assert "<li>een ding</li>" in frame and "<li>nog een ding</li>" in frame
    assert "Bron: noten/veld.md. Dit is geen onderdeel van de schatting" in frame
    assert "In 2026: 3,0%." in frame and text.count("In 2026: 3,0%.") == 1
    english = (whole.out / "report.en.html").read_text(encoding="utf-8")
    assert 'lang="nl">In 2026: 3,0%.' in english and "This is no part of the estimate" in english
    assert (whole.out / "inputs" / "noten" / "veld.md").read_text(encoding="utf-8") == NOTE


def test_another_country_and_other_notes_change_nothing_but_what_shows_them(whole: Small, tmp_path: Path) -> None:
    other = made(tmp_path)
    country(other, shift=777)
    note(other, "Het verschil is 99,9 procentpunt.\n\nuitspraak: gunstiger\n")
    other.run(PEOPLE, COUNTRY, LABEL, NOTES)
    mine, theirs = tree(whole.out), tree(other.out)
    shows = {"inputs/noten/veld.md", "results.json", "report.html", "report.en.html"}
    repeats = {"manifest.json", "ro-crate-metadata.json", "bundle.zip", "study.log.jsonl"}
    assert mine.keys() == theirs.keys()
    assert {name for name in mine if mine[name] != theirs[name]} <= shows | repeats
    one, two = results(whole), results(other)
    assert one.pop("context") != two.pop("context") and one.pop("data") != two.pop("data")
    for found in (one, two):
        del found["change"]["national_before"], found["change"]["national_after"]
    assert one == two
    assert "99,9" not in impact("show", other.out).out + impact("cite", other.out).out


def test_a_bundle_with_notes_can_be_verified_and_run_again(whole: Small) -> None:
    found = verify(whole.out, data=[whole.root], rerun=True)
    assert found.recomputed.verdict == "yes" and found.unchanged.verdict == "yes", str(found)


def test_notes_are_no_part_of_what_is_locked(tmp_path: Path) -> None:
    small = made(tmp_path)
    note(small)
    small.write(PEOPLE)
    plain = impact("lock", small.study)
    assert plain.code == 0
    small.write(PEOPLE, NOTES)
    assert impact("lock", small.study).out == plain.out
    found = small.run(PEOPLE, NOTES)
    assert found["status"] == "pre-specified" and len(found["context"]) == 1
    assert "Daarna is er niet van afgeweken." in page(small)


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        ("[../buiten.md]", "SPEC-020", "climbs"),
        ("[/etc/passwd.md]", "SPEC-020", "absolute"),
        ("[noten/geen.md]", "SPEC-021", "no file"),
        ("[noten/groot.md]", "CONTEXT-001", "too large"),
        ("[noten/tekst.txt]", "CONTEXT-001", "no Markdown"),
        ("[noten/latijn.md]", "CONTEXT-001", "no UTF-8"),
        ("[noten/nul.md]", "CONTEXT-001", "no text"),
        ("[noten/veld.md, noten/veld.md]", "CONTEXT-001", "second time"),
        ("[noten/link.md]", "SPEC-020", "leads out"),
    ],
)
def test_what_is_no_note_is_refused_at_its_line(files: str, code: str, words: str, tmp_path: Path) -> None:
    small = made(tmp_path / "p") if (tmp_path / "p").mkdir() is None else None
    assert small is not None
    note(small)
    folder = small.root / "noten"
    (folder / "groot.md").write_bytes(b"a" * (64 * 1024 + 1))
    (folder / "tekst.txt").write_text("a", encoding="utf-8")
    (folder / "latijn.md").write_bytes(b"caf\xe9")
    (folder / "nul.md").write_bytes(b"a\0b")
    (tmp_path / "buiten.md").write_text("a", encoding="utf-8")
    (folder / "link.md").symlink_to(tmp_path / "buiten.md")
    small.write(("seed: 7", f"context: {files}\nseed: 7"))
    for command in (("check", small.study), ("run", small.study, "--out", small.out)):
        ended = impact(*command)
        assert ended.code == 2 and code in ended.err and words in ended.err, ended.err
    assert not small.out.exists()


# --- words ------------------------------------------------------------------------------------------------------------


def test_columns_have_the_names_that_readers_know(whole: Small) -> None:
    (evidence,) = read_bundle(whole.out).outcomes
    assert [row.name for row in evidence.balance] == ["huur", "inwoners"]
    assert [row.label for row in evidence.balance] == ["Huurwoningen (%)", "inwoners"]
    assert [row.label for row in in_words(evidence, "en").balance] == ["Rented dwellings (%)", "inwoners"]
    assert "Huurwoningen (%)" in page(whole) and "huur_" not in page(whole)


def test_a_unit_is_left_out_once(whole: Small) -> None:
    rows = [row for row in results(whole)["excluded"] if row["unit"] == GONE]
    assert len(rows) == 1 and "niet gepubliceerd" in rows[0]["reason"] and "programma" in rows[0]["reason"]
