"""A family as one outcome: the index against the sum of its members' estimates, each over its spread by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.evidence.document import Paragraph, Section
from impact.evidence.family_tables import families
from impact.evidence.language import texts
from impact.evidence.render import plain_text
from impact.study.bundle import read_bundle
from tests.study.conftest import impact
from tests.study.small import SPEC, YEARS, Small
from tests.study.test_disclosure import everything
from tests.study.test_negative_controls import SIX, rates_of, weather

KINDS = {"eigen": "lower", "regen": "lower", "zon": "higher"}
OUTCOME = SPEC[SPEC.index("outcome:\n") : SPEC.index("target:")]


def asked(indices: str, kinds: dict[str, str] = KINDS, extra: str = "") -> tuple[tuple[str, str], tuple[str, str]]:
    listed = "\n".join(
        f"  - {{indicator: {kind}, name: {{nl: {kind}}}, where: {{soort: [{kind}]}}, better: {better}, "
        f"measure: {{rate: numerator/denominator, per: 100, unit: procentpunt}}{extra}}}"
        for kind, better in kinds.items()
    )
    families = f"families: {{samen: [{', '.join(kinds)}]}}\ncorrection: {{method: holm}}\nindices: {indices}\n"
    return (OUTCOME, f"outcomes:\n{listed}\n"), ("seed: 7\n", f"{families}seed: 7\n")


def outcomes(small: Small, *changes: tuple[str, str]) -> list[dict[str, Any]]:
    small.write(*changes)
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code in (0, 1), ended.err
    found: list[dict[str, Any]] = json.loads((small.out / "results.json").read_text(encoding="utf-8"))["outcomes"]
    return found


def usual(small: Small, kind: str) -> np.ndarray:
    """Units without programme, before the start."""
    table: pd.DataFrame = rates_of(small, kind).drop(index=SIX)
    return table[[year for year in YEARS if year < 2022]].to_numpy().ravel()


@pytest.mark.parametrize("weighing", ["inverse-covariance", "equal"])
def test_an_index_is_the_weighted_sum_of_its_outcomes(tmp_path: Path, weighing: str) -> None:
    small = weather(tmp_path)
    found = outcomes(small, *asked(f"{{samen: {weighing}}}"))
    (family,) = found[0]["families"]
    index = family["index"]
    sign = np.array([-1.0 if better == "lower" else 1.0 for better in KINDS.values()])
    known = np.array([usual(small, kind) for kind in KINDS])
    weights = np.full(3, 1 / 3)
    if weighing == "inverse-covariance":
        weights = np.linalg.inv(np.corrcoef(sign[:, None] * known)).sum(axis=1)
        weights /= weights.sum()
    own = np.array([one["primary"]["value"] for one in found])
    assert index["value"] == pytest.approx(float((weights * sign * own / known.std(axis=1, ddof=1)).sum()))
    assert [name for name, _ in index["weights"]] == list(KINDS)
    assert [weight for _, weight in index["weights"]] == pytest.approx(list(weights))
    assert index["low"] < index["value"] < index["high"] and index["areas"] == 6
    for one, member in zip(found, family["members"], strict=True):
        assert member["value"] == one["primary"]["value"]
    assert found[1]["families"] == found[2]["families"] == [family]
    evidence = read_bundle(small.out).outcomes[0]
    for language, words in (("nl", "telt niet mee in de correctie"), ("en", "does not count in the correction")):
        blocks = [block for block in families(evidence.families, (), texts(language)) if isinstance(block, Paragraph)]
        assert words in plain_text([Section("", "", tuple(blocks))], 10_000)
    assert "Alle uitkomsten als één (index)" in (small.out / "report.html").read_text(encoding="utf-8")


def test_without_the_key_nothing_changes(tmp_path: Path) -> None:
    small = weather(tmp_path)
    with_it = outcomes(small, *asked("{samen: equal}"))
    (old, new), (seed, families_) = asked("{samen: equal}")
    without = outcomes(small, (old, new), (seed, families_.replace("indices: {samen: equal}\n", "")))
    for one, other in zip(with_it, without, strict=True):
        one["families"][0]["index"] = None
        for volatile in ("spec_sha256", "standing"):  # the ledger of the second run knows the first
            one.pop(volatile), other.pop(volatile)
        assert one == other


def test_matched_controls_serve_the_index_too(tmp_path: Path) -> None:
    small = weather(tmp_path)
    match = ("match: none", "match: {method: nearest, ratio: 2, on: [huur]}"), ("checks: {", "checks: {balance: 9, ")
    found = outcomes(small, *asked("{samen: equal}"), *match)
    index = found[0]["families"][0]["index"]
    sign = np.array([-1.0 if better == "lower" else 1.0 for better in KINDS.values()])
    sd = np.array([usual(small, kind).std(ddof=1) for kind in KINDS])
    own = np.array([one["primary"]["value"] for one in found])
    assert index["value"] == pytest.approx(float((sign * own / sd).mean()))


def test_a_sum_beside_its_parts_has_no_index_and_says_so(tmp_path: Path) -> None:
    small = weather(tmp_path)
    wide = small.outcomes.set_index(["wijk", "jaar", "soort"])["teller"].unstack()
    sums = small.outcomes[small.outcomes["soort"] == "eigen"].set_index(["wijk", "jaar"])
    sums["teller"] = wide["eigen"] + wide["regen"]
    small.outcomes = pd.concat([small.outcomes, sums.assign(soort="som").reset_index()])
    kinds = {"eigen": "lower", "regen": "lower", "som": "lower"}
    index = outcomes(small, *asked("{samen: inverse-covariance}", kinds))[0]["families"][0]["index"]
    assert index["value"] is None and "follows from the others" in index["refused"]["because"]
    assert "volgt uit de andere" in (small.out / "report.html").read_text(encoding="utf-8")


def test_a_closed_gate_gives_no_index(tmp_path: Path) -> None:
    closed = ("checks: {treated-clusters: 2,", "checks: {treated-clusters: 9,")
    index = outcomes(weather(tmp_path), *asked("{samen: equal}"), closed)[0]["families"][0]["index"]
    assert index["value"] is index["low"] is index["p_value"] is None
    assert "cannot be estimated" in index["refused"]["because"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (asked("{anders: equal}"), "'anders' is no family"),
        (asked("{samen: equal}", {"eigen": "lower", "regen": "neither"}), "either way of regen is favourable"),
        (asked("{samen: equal}", {"eigen": "lower"}), "has one outcome"),
        (
            (*asked("{samen: equal}"), ("match: none", "match: {method: nearest, on: [huur], outcomes_in: [2020]}")),
            "matched on its own past",
        ),
        (asked("{samen: mean}"), "inverse-covariance"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, changes: tuple[tuple[str, str], ...], words: str) -> None:
    small = weather(tmp_path)
    small.write(*changes)
    ended = impact("check", small.study)
    assert ended.code == 2 and words in ended.err, ended.err


def test_an_index_leaves_with_none_of_its_outcomes(tmp_path: Path) -> None:
    """Six wijken are in it, and eight are asked: neither the index nor how many outcomes differ may stand anywhere."""
    small = weather(tmp_path)
    shown = outcomes(small, *asked("{samen: equal}"))[0]["families"][0]
    for least in (8, 5):
        said = asked("{samen: equal}")
        rule = said[1][1].replace("seed: 7\n", f"disclose: {{minimum_units: {least}}}\nseed: 7\n")
        (family,) = outcomes(small, said[0], ("seed: 7\n", rule))[0]["families"]
        assert family["index"] is None, "no rule knows it"
        everywhere = everything(small.out)
        for name in ("value", "low", "high"):
            assert f"{abs(shown['index'][name]):.5g}" not in everywhere
        if least == 8:
            assert family["found"] == family["separate"] == 0
            assert all(one["value"] is None and one["adjusted"] is None for one in family["members"])


def test_families_and_indices_spend_what_their_looks_do(tmp_path: Path) -> None:
    """So that over all looks together no more than the declared error is spent, however many outcomes there are."""
    small = weather(tmp_path)
    said = asked("{samen: equal}")
    looks = said[1][1].replace("seed: 7\n", "looks: {planned: [a, b], spending: pocock}\nseed: 7\n")
    late = ("denominator: noemer}", "denominator: noemer}\n    arrives: {have: 2021, planned: [2022, 2023, 2024]}")
    whole, levels = small.outcomes, []
    for number, last in ((1, 2023), (2, 2024)):
        small.outcomes = whole[whole["jaar"] <= last]
        small.write(said[0], ("seed: 7\n", looks), late)
        assert impact("run", small.study, "--out", small.out, "--look", str(number)).code in (0, 1)
        found = json.loads((small.out / "results.json").read_text(encoding="utf-8"))["outcomes"]
        (family,) = found[0]["families"]
        assert family["level"] == min(one["look"]["spent"] for one in found)
        assert family["index"]["level"] == pytest.approx(1 - family["level"])
        levels.append(family["level"])
    assert 0.02 < sum(levels) <= 0.05 + 1e-6
