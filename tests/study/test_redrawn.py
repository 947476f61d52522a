"""Codes that were used again: refused where treated, left out by name where compared, no matter at gemeente level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.shared import shared
from tests.study.conftest import impact
from tests.study.small import Small, made, wijk

COLUMNS = "denominator: noemer}"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def flagged(small: Small, **odd: int) -> None:
    """A flag in every row: unchanged, but for some codes in 2020."""
    small.outcomes["vlag"] = 1
    for code, flag in odd.items():
        small.outcomes.loc[(small.outcomes["wijk"] == code) & (small.outcomes["jaar"] == 2020), "vlag"] = flag


FLAGS = (COLUMNS, "denominator: noemer, change: vlag}")


def test_flags_that_all_say_unchanged_change_nothing(small: Small) -> None:
    plain = small.run()
    flagged(small)
    assert small.run(FLAGS)["primary"] == plain["primary"]


def test_a_comparison_region_that_moved_is_left_out_by_name(small: Small) -> None:
    flagged(small, **{wijk(7, 2): 3, wijk(8, 1): 2})
    found = small.run(FLAGS)
    out = {row["unit"]: row["reason"] for row in found["excluded"]}
    said = "de code staat misschien niet in elk jaar voor hetzelfde gebied"
    assert out[wijk(7, 2)] == f"{said} (it got other borders in 2020)"
    assert out[wijk(8, 1)] == f"{said} (it got this code in 2020)"
    assert sum(reason.startswith(said) for reason in out.values()) == 2


def test_a_treated_region_that_moved_is_refused(small: Small) -> None:
    flagged(small, **{wijk(1, 1): 3})
    small.write(FLAGS)
    for command in (("check",), ("run",)):
        ended = impact(*command, small.study, *(("--out", small.out) if command == ("run",) else ()))
        assert (
            ended.code == 2 and "DATA-152" in ended.err and f"{wijk(1, 1)}: it got other borders in 2020" in ended.err
        )
    assert not small.out.exists()


def test_a_year_without_a_flag_is_not_taken_for_unchanged(small: Small) -> None:
    flagged(small)
    small.outcomes["vlag"] = small.outcomes["vlag"].astype(object)
    small.outcomes.loc[small.outcomes["jaar"] == 2018, "vlag"] = ""
    small.write(FLAGS)
    ended = impact("check", small.study)
    assert ended.code == 2 and "no flag says what happened to it in 2018" in ended.err


def test_a_code_used_again_is_seen_without_flags(small: Small) -> None:
    # From 2020 on the gemeente has a wijk more, and what was the first of them is a fifth of what it was.
    again = (small.outcomes["wijk"] == wijk(1, 1)) & (small.outcomes["jaar"] >= 2020)
    small.outcomes.loc[again, ["teller", "noemer"]] //= 5
    new = small.outcomes[again].assign(wijk=wijk(1, 5))
    small.outcomes = pd.concat([small.outcomes, new])
    small.write()
    ended = impact("check", small.study)
    assert ended.code == 2 and f"{wijk(1, 1)}: noemer: " in ended.err and "in 2020, when codes around" in ended.err
    # Who knows that all years are in one division says so.
    small.write(("    columns: {region: wijk, period", "    vintage: 2024\n    columns: {region: wijk, period"))
    assert impact("check", small.study).code in (0, 1)


def test_growth_alone_or_a_new_wijk_alone_is_no_sign(small: Small) -> None:
    more = (small.outcomes["wijk"] == wijk(1, 1)) & (small.outcomes["jaar"] >= 2020)
    small.outcomes.loc[more, ["teller", "noemer"]] *= 2
    elsewhere = small.outcomes[more].assign(wijk=wijk(2, 5))
    small.outcomes = pd.concat([small.outcomes, elsewhere])
    small.write()
    assert impact("check", small.study).code in (0, 1)


# --- Almere -----------------------------------------------------------------------------------------------------------

ALMERE = """\
schema: 1
id: almere
title: Almere
question: Veranderde het?
seen_before: Alles.
data:
  outcomes:
    file: kwb.csv
    separator: ","
    columns: {region: code, period: jaar, numerator: k_0Tot15Jaar, denominator: AantalInwoners, change: vlag}
  units:
    file: kenmerken.csv
    columns: {region: code, residents: inwoners}
periods: {first: 2018, last: 2024}
treatment:
  areas: {almere: {name: Almere, members: [WK003401, WK003402]}}
  start: {event: start, first_treated: 2022}
outcome:
  indicator: jeugd
  name: {nl: Jeugd}
  measure: {rate: numerator/denominator, per: 100, unit: procentpunt}
  better: neither
target: {kind: average, window: [2022, 2024], every: area}
comparison: {leave_out: [], match: none}
estimator: {name: group-time, control: never}
inference: {name: cluster-jackknife, cluster: gemeente}
checks: {treated-clusters: 1, controls: 3, largest-share: 1}
seed: 7
"""
FLAG = "IndelingswijzigingGemeenteWijkBuurt_4"


@pytest.fixture
def almere(tmp_path: Path) -> Path:
    """The published file of Almere with six made gemeenten of two wijken beside it, flagged as CBS does."""
    table = pd.read_csv(shared("data/kwb_almere/almere_kwb_2018_2025_tidy.csv"), dtype=str)
    names = {"Codering_3": "code", FLAG: "vlag"}
    columns = ["code", "jaar", "vlag", "k_0Tot15Jaar", "AantalInwoners"]
    real = table.rename(columns=names)[columns].assign(code=lambda x: x["code"].str.strip())
    rng = np.random.default_rng(34)
    rows = []
    for number in range(6):
        for year in range(2018, 2026):
            counts = {f"WK96{number:02d}{part:02d}": int(rng.integers(4_000, 5_000)) for part in (1, 2)}
            young = {code: int(count * rng.uniform(0.15, 0.2)) for code, count in counts.items()}
            counts[f"GM96{number:02d}"], young[f"GM96{number:02d}"] = sum(counts.values()), sum(young.values())
            rows += [
                (code, str(year), "1" if year >= 2022 else "", str(young[code]), str(counts[code])) for code in counts
            ]
    both = pd.concat([real, pd.DataFrame(rows, columns=columns)])
    both.to_csv(tmp_path / "kwb.csv", index=False)
    last = both[both["jaar"] == "2022"]
    last[["code", "AantalInwoners"]].rename(columns={"AantalInwoners": "inwoners"}).to_csv(
        tmp_path / "kenmerken.csv", index=False, sep=";"
    )
    return tmp_path


def studied(folder: Path, *changes: tuple[str, str]) -> Path:
    text = ALMERE
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder / "study.yaml"


UNIT = "treatment:\n"


def test_almere_is_refused_on_the_codes_of_its_wijken(almere: Path) -> None:
    for changes in (
        [(UNIT, f"unit: {{level: wijk}}\n{UNIT}")],
        [(", change: vlag", ""), (UNIT, f"unit: {{level: wijk}}\n{UNIT}")],
        [(", change: vlag", "")],
    ):
        ended = impact("run", studied(almere, *changes), "--out", almere / "uit")
        assert ended.code == 2 and "DATA-152" in ended.err, ended.err
        assert "WK003401: " in ended.err and "WK003402: " in ended.err
        assert "unit: {level: gemeente}" in ended.err
    assert not (almere / "uit").exists()


def test_almere_succeeds_as_a_gemeente(almere: Path) -> None:
    ended = impact("run", studied(almere, (UNIT, f"unit: {{level: gemeente}}\n{UNIT}")), "--out", almere / "uit")
    assert ended.code in (0, 1), ended.err
    table = pd.read_csv(almere / "kwb.csv")
    table = table[table["code"].str.startswith("GM")].set_index(["code", "jaar"])
    rate = (100 * table["k_0Tot15Jaar"] / table["AantalInwoners"]).unstack()
    change = rate[[2022, 2023, 2024]].mean(axis=1) - rate[2021]
    expected = change["GM0034"] - change.drop("GM0034").mean()
    rows = pd.read_csv(almere / "uit" / "tidy.csv")
    assert rows.loc[rows["role"] == "primary", "estimate"].item() == pytest.approx(expected, abs=1e-12)
    count = table["AantalInwoners"].xs(2022, level="jaar")["GM0034"]
    parts = pd.read_csv(almere / "kenmerken.csv", sep=";").set_index("code")["inwoners"]
    share = parts[["WK003401", "WK003402"]].sum() / count
    assert rows["population"].iloc[0] == pytest.approx(share)
    report = (almere / "uit" / "report.html").read_text(encoding="utf-8")
    assert "zegt de tabel van geen enkele gemeente of haar grenzen veranderden" in report


def test_almere_is_compared_on_codes_within_its_new_division(almere: Path) -> None:
    changes = [
        ("first: 2018", "first: 2022"),
        ("first_treated: 2022", "first_treated: 2024"),
        ("[2022, 2024]", "[2024, 2024]"),
    ]
    ended = impact("check", studied(almere, *changes, (UNIT, f"unit: {{level: wijk}}\n{UNIT}")))
    assert ended.code in (0, 1), ended.err
