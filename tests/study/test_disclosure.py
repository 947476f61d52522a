"""What leaves a study under disclosure rules: searched for in every file of its bundle, and judged again by hand."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.disclosure.differencing import hide_more, least_difference
from impact.disclosure.profile import CBS_RA, Profile
from impact.evidence.language import number
from impact.evidence.record import Evidence
from impact.study.behind import Group, judged
from impact.study.disclose_known import DESIGN, PARTS
from impact.study.disclose_round import redacted
from impact.study.verify import verify
from tests.report.samples import ORDINARY
from tests.study.conftest import impact, tree
from tests.study.example import refused
from tests.study.small import Small, made

SEED = "seed: 7"


def asked(text: str) -> tuple[str, str]:
    return SEED, f"disclose: {text}\n{SEED}"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def floats(value: Any) -> set[float]:
    """All numbers with three digits or more behind the point."""
    if isinstance(value, float):
        return {abs(value)} if round(value, 3) != value else set()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(floats, parts)) if parts else set()


def everything(folder: Path) -> str:
    """All that can be read in a bundle: text files as they are, workbooks and parquet as text."""
    said = []
    for name, content in tree(folder).items():
        if name.endswith((".xlsx", ".zip")):
            with zipfile.ZipFile(folder / name) as book:
                said += [book.read(part).decode("utf-8", "replace") for part in book.namelist()]
        elif name.endswith(".parquet"):
            said.append(pd.read_parquet(folder / name).to_csv())
        elif not name.endswith(".png"):
            said.append(content.decode("utf-8", "replace" if name.endswith(".zip") else "strict"))
    return "\n".join(said)


def decisions(folder: Path) -> list[dict[str, str]]:
    with (folder / "disclosure.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- through the command line -----------------------------------------------------------------------------------------


def test_nothing_is_changed_where_nothing_is_said(small: Small) -> None:
    found = small.run()
    assert found["disclosed"] is None
    assert not (small.out / "disclosure.csv").exists()
    assert json.loads((small.out / "manifest.json").read_text(encoding="utf-8"))["disclosure"] == "not checked"


def test_public_figures_lose_nothing(small: Small) -> None:
    before = small.run()
    after = small.run(asked("public"))
    assert after["primary"] == before["primary"] and after["path"] == before["path"]
    assert {row["verdict"] for row in decisions(small.out)} == {"pass"}
    assert not (small.out / "export").exists()


def test_seven_wijken_are_too_few_and_no_digit_of_the_outcome_is_left(small: Small) -> None:
    """The areas have 7 wijken (one of them in part); ten are asked, so no number of the outcome may be anywhere."""
    before = small.run()
    after = small.run(asked("cbs-ra"))
    assert after["primary"]["value"] is None and after["path"] == [] and after["change"] is None
    assert after["robust"] is None and all(row["value"] is None for row in after["event"])
    said = everything(small.out)
    names = ("primary", "event", "path", "change", "weightings", "robust")
    secret = set().union(*(floats(before[name]) for name in names))
    assert len(secret) > 20
    for x in secret:
        assert f"{x:.6g}" not in said, x
    assert not (small.out / "figures" / "gap.svg").exists()
    assert not (small.out / "figures" / "event-study.svg").exists()
    assert "Verifi" in said or "Controleer deze grenzen bij CBS" in said


def test_a_locked_study_is_verified_as_any_other(small: Small) -> None:
    small.write(asked("{profile: cbs-ra, minimum_units: 2}"))
    assert impact("lock", small.study).code == 0
    found = small.run(asked("{profile: cbs-ra, minimum_units: 2}"))
    assert (found["status"], found["standing"]["status"]) == ("pre-specified", "pre-specified")
    said = verify(small.out, data=[small.root], rerun=True)
    assert not said.differs, said.summary("en")
    assert said.recomputed.sentence.key == "recomputed.identical"
    assert (small.out / "aggregates.csv").read_text(encoding="utf-8").count("\n") == 1, "sums would give it all away"


def test_what_may_not_be_shown_is_no_statement(small: Small) -> None:
    """That nothing can be established would be untrue: there is an estimate, which may not leave."""
    rule = asked("{minimum_units: 12}")
    small.write(rule)
    assert impact("lock", small.study).code == 0
    assert small.run(rule)["status"] == "pre-specified"
    report = (small.out / "report.html").read_text(encoding="utf-8")
    assert "Uitspraak" not in report and "niet vast te stellen" not in report


def test_a_ledger_with_figures_of_earlier_looks_stays(small: Small) -> None:
    """Nothing can be taken out of a ledger, so a bundle that takes it along would show what may not be shown."""
    looks = "looks: {planned: [a, b]}\n"
    small.run((SEED, f"{looks}{SEED}"))
    ledger = small.root / "study.log.jsonl"
    told = ledger.read_bytes()
    rule = (SEED, f"{looks}disclose: {{minimum_units: 12}}\n{SEED}")
    small.write(rule)
    ended = impact("run", small.study, "--out", small.root / "on")
    assert ended.code == 2 and "LOOK-005" in ended.err and ledger.read_bytes() == told
    assert not (small.root / "on").exists()
    ledger.unlink()
    small.run(rule)
    assert json.loads(ledger.read_bytes())["looks"]["iets"]["value"] is None
    small.run(rule)
    assert ledger.read_bytes().count(b"\n") == 1


def test_a_file_that_goes_along_is_a_fault_where_something_may_not_leave(small: Small) -> None:
    whole = ("denominator: noemer}", "denominator: noemer}\n    share: true")
    small.write(asked("{minimum_units: 3}"), whole)
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code == 2 and "[data.outcomes.share]" in ended.err and not small.out.exists()
    small.run(asked("public"), whole)
    assert (small.out / "inputs" / "uitkomst.csv").is_file()


def test_what_is_not_shown_is_empty_with_a_status_and_never_0(small: Small) -> None:
    small.run(asked("cbs-ra"))
    table = pd.read_csv(small.out / "tidy.csv")
    assert (table["status"] == "suppressed").all()
    assert table[["estimate", "std_error", "ci_low", "p_value"]].isna().all(axis=None)
    report = (small.out / "report.html").read_text(encoding="utf-8")
    assert "– *" in report and "Zie ‘Onthulling’" in report


def test_the_export_is_csv_png_and_html_only(small: Small) -> None:
    small.run(asked("{profile: cbs-ra, minimum_units: 2}"))
    names = [name for name in tree(small.out) if name.startswith("export/")]
    assert {name.rsplit(".", 1)[1] for name in names} == {"csv", "png", "html"}
    page = (small.out / "export" / "report.html").read_text(encoding="utf-8")
    assert "<svg" not in page and 'src="figures/gap.png"' in page
    assert (small.out / "export" / "figures" / "gap.png").read_bytes().startswith(b"\x89PNG")
    long = re.compile(r"\d[.,]\d{5,}")
    assert long.search((small.out / "export" / "tidy.csv").read_text(encoding="utf-8")) is None


def test_an_area_is_not_given_by_the_estimate_without_it(small: Small) -> None:
    """With three wijken asked, areas of one or two must not follow: the mean of all the estimates is the whole."""
    before = small.run()
    after = small.run(asked("{minimum_units: 3}"))
    (mine,) = (one for one in after["robust"]["left_out"] if one["what"] == "area")
    (whole,) = (one for one in before["robust"]["left_out"] if one["what"] == "area")
    effects = [5 * before["primary"]["value"] - 4 * one["value"] for one in whole["each"]]
    assert np.mean(effects) == pytest.approx(before["primary"]["value"]), "so is it done"
    wijken = {area["name"]: len(area["units"]) for area in before["areas"] if not area["left_out"]}
    gone = [one["name"] for one in whole["each"]] if mine["refused"] else []
    gone = gone or [one["name"] for one in mine["each"] if one["value"] is None]
    assert {name for name, count in wijken.items() if count < 3} <= set(gone)
    assert len(gone) >= 2 and mine["low"] is None and mine["most"] == ""


def test_the_same_bytes_twice(small: Small) -> None:
    small.run(asked("{profile: cbs-ra, minimum_units: 2}"))
    first = tree(small.out)
    small.run(asked("{profile: cbs-ra, minimum_units: 2}"))
    assert tree(small.out) == first


def test_a_report_made_again_shows_no_more(small: Small) -> None:
    small.run(asked("cbs-ra"))
    first = (small.out / "report.html").read_bytes()
    assert impact("report", small.out).code == 0
    assert (small.out / "report.html").read_bytes() == first


def test_how_many_persons_there_are_is_unknown_without_a_denominator(small: Small) -> None:
    small.outcomes["aandeel"] = (100 * small.outcomes["teller"] / small.outcomes["noemer"]).round(2)
    small.run(
        asked("{minimum_count: 10}"),
        ("numerator: teller, denominator: noemer", "value: aandeel"),
        ("rate: numerator/denominator, per: 100, ", ""),
    )
    about = {row["verdict"] for row in decisions(small.out) if row["part"] in ("primary", "event", "path")}
    assert about == {"needs review"}


def test_every_part_of_a_record_has_a_rule() -> None:
    """A new part is taken out until it stands in `DESIGN` (no figure of the outcome) or `PARTS` (with a rule)."""
    assert {one.name for one in fields(Evidence)} - DESIGN - PARTS == set()
    assert set() == DESIGN & PARTS


# --- the rules --------------------------------------------------------------------------------------------------------


def group(persons: float, cases: float, units: int = 20, **more: Any) -> Group:
    ones = np.ones((units, 1)) / units
    weight = np.asarray(more.get("weight", ones[:, 0]), dtype=float)
    return Group(weight, more.get("outcome", np.ones((units, 1))), ones * persons, ones * cases)


@pytest.mark.parametrize(
    "found, verdict, rule",
    [
        (group(1000, 300), "pass", "all"),
        (group(1000, 300, units=9), "suppressed", "units"),
        (group(9, 4), "suppressed", "persons"),
        (group(1000, 9), "suppressed", "cases"),
        (group(1000, 0), "suppressed", "cases"),
        (group(1000, 991), "suppressed", "others"),
        (group(1000, 950), "suppressed", "full"),
        (group(np.nan, np.nan), "needs review", "unknown"),
        (group(1000, 300, weight=[0.6, *[0.4 / 19] * 19]), "suppressed", "weight"),
        (group(1000, 300, outcome=np.array([[400.0], *[[1.0]] * 19])), "suppressed", "dominance"),
        (group(1000, 300, outcome=-np.ones((20, 1))), "needs review", "negative"),
    ],
)
def test_one_rule_at_a_time(found: Group, verdict: str, rule: str) -> None:
    ruling = judged(CBS_RA, found, means=True)
    assert (ruling.verdict, ruling.rule) == (verdict, rule)
    if rule in ("persons", "cases", "others", "full"):
        assert ruling.behind is None, "the small count itself is what must not be known"


def test_nobody_is_no_small_number_where_zeros_may_be_shown() -> None:
    assert judged(Profile("own", minimum_count=10), group(1000, 0)).verdict == "pass"


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=3, max_size=6), st.integers(0, 2**12))
def test_the_least_difference_by_all_ratios(one: list[float], code: int) -> None:
    other = [float((code // 3**place) % 3) for place in range(len(one))]
    named = [{f"u{place}": x for place, x in enumerate(weights)} for weights in (one, other)]
    ratios = {a / b for a, b in zip(one, other, strict=True) if a and b}
    left = [sum(a - c * b != 0 for a, b in zip(one, other, strict=True)) for c in ratios]
    expected = min(left) if left else min(np.count_nonzero(one), np.count_nonzero(other))
    assert least_difference(*named) == expected


@given(st.lists(st.integers(1, 8), min_size=1, max_size=7), st.integers(1, 12), st.data())
def test_what_is_hidden_is_together_no_small_number(counts: list[int], least: int, data: st.DataObject) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts)))
    more = hide_more(counts, hidden, least)
    assert all(now or not before for now, before in zip(more, hidden, strict=True))
    if any(hidden):
        about = sum(n for n, gone in zip(counts, more, strict=True) if gone)
        assert all(more) or (sum(more) >= 2 and about >= least)
    else:
        assert not any(more)


# --- what a study says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, about",
    [
        ("{}", "no profile and no threshold"),
        ("{profile: public, minimum_count: 10}", "no thresholds"),
        ("{minimum_count: 0}", ""),
        ("geheim", ""),
    ],
)
def test_rules_that_cannot_be_meant(tmp_path: Path, text: str, about: str) -> None:
    (problem,) = refused(tmp_path, asked(text))
    assert problem.path.startswith("disclose")
    assert about in problem.message


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_sentence_repeats_no_hidden_number_also_with_thousands_set_apart(language: str) -> None:
    whole = replace(ORDINARY, primary=replace(ORDINARY.primary, value=-1234.567, std_error=98765.4), event=())
    hidden = replace(whole, primary=replace(whole.primary, value=None, std_error=None))
    repeats = [f"Het was {number(x, language, 2, sign=True)}." for x in (-1234.567, 98765.4)]
    others = ["In 2023 waren er 1.235 mensen.", f"Het was {number(-1234.1, language, 2)}."]
    assert redacted(replace(hidden, notes=(*repeats, *others)), whole).notes == tuple(others)
