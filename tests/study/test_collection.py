"""A collection from its file to its bundle: judged together over studies, one table, a life of its own."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from impact.errors import Problem, SpecError, UsageError
from impact.evidence.collected import families_of
from impact.evidence.collection_page import collection_document
from impact.evidence.document import Figure
from impact.evidence.reading import plain
from impact.evidence.report import report_html
from impact.evidence.svg import alternative
from impact.study.bundle import Bundle, read_bundle
from impact.study.collection import read_any, read_collection
from impact.study.collection_life import locked, stand
from impact.study.read import read_study
from impact.study.run import answered, in_steps, run
from tests.study.collected import COLLECTION, SLUGS, cells, fixed_beforehand, of, write, written
from tests.study.conftest import impact, tree


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("collection")
    written(place)
    return place


@pytest.fixture(scope="module")
def bundle(root: Path) -> Bundle:
    return run(read_collection(root / "samen.yaml"), data=[root], out=root / "out")


# --- judged together --------------------------------------------------------------------------------------------------


def test_two_studies_are_judged_as_one_study_with_both_outcomes_is(root: Path, bundle: Bundle) -> None:
    whole = run(read_study(root / "in-een"), data=[root], out=root / "in-een-uit")
    (one,), (other,) = of(bundle, "uitkering").families, of(whole, "uitkering").families
    assert one == of(bundle, "criminaliteit").families[0]
    mine = {(m.indicator, m.term): m for m in (*one.members, *one.horizons)}
    assert mine.pop(("risicoscores", "average")).state == "not-measurable"
    assert (one.found, one.draws, one.level) == (other.found, 9999, 0.05)
    for theirs in (*other.members, *other.horizons):
        found = mine.pop((theirs.indicator, theirs.term))
        assert (found.value, found.p_value) == (theirs.value, theirs.p_value)
        # Other draws of the same distribution would differ in the third digit: these are the same ones.
        for name in ("adjusted", "low", "high"):
            assert getattr(found, name) == pytest.approx(getattr(theirs, name), rel=1e-9)
    assert not mine


def test_the_joint_family_against_a_multiplier_bootstrap_by_hand(root: Path, bundle: Bundle) -> None:
    """Every cluster of any study gets one factor; the step-down and the largest statistic are taken in loops."""
    scores, p_values, at = [], [], []
    for slug in SLUGS:
        steps = in_steps(
            read_study(root / slug), root / "x", data=[root], workers=1, progress=None, look=1, cache=None, since=""
        )
        next(steps)
        result = answered(steps).answers[0].result
        assert result is not None and result.effects.scores is not None
        known = result.uncertainty
        scores.append(dict(zip(result.panel.clusters, result.effects.scores[:, -1].tolist(), strict=True)))
        p_values.append(float(known.p_value[-1]))  # type: ignore[union-attr]
        at.append((float(result.effects.estimate[-1]), float(known.std_error[-1]), float(known.df[-1])))  # type: ignore[union-attr]
    names = sorted({*scores[0], *scores[1]})
    assert len(names) == 12 and len(scores[1]) == 11  # one gemeente is in one study only
    draws = np.random.default_rng(99).standard_normal((40_000, len(names)))
    drawn = np.zeros((len(draws), 2))
    for column, own in enumerate(scores):
        for row, name in enumerate(names):
            drawn[:, column] += draws[:, row] * own.get(name, 0.0)
        drawn[:, column] /= np.sqrt(sum(value**2 for value in own.values()))
    drawn = np.abs(drawn)
    z = [float(stats.norm.isf(p / 2)) for p in p_values]
    first, second = (0, 1) if z[0] >= z[1] else (1, 0)
    expected = {first: float((drawn.max(axis=1) >= z[first]).mean())}
    expected[second] = max(float((drawn[:, second] >= z[second]).mean()), expected[first])
    (family,) = of(bundle, "uitkering").families
    members = [next(one for one in family.members if one.indicator == slug) for slug in SLUGS]
    for number, member in enumerate(members):
        assert member.adjusted == pytest.approx(max(expected[number], p_values[number]), abs=0.02)
    single = 2 * stats.norm.cdf(np.quantile(drawn.max(axis=1), 0.95)) - 1
    for member, (value, error, df) in zip(members, at, strict=True):
        assert member.low is not None and member.high is not None
        # Held against the level of one interval: with 3 degrees of freedom its bounds magnify the error of the draws,
        # of which 9,999 tell a level within 0.003 in all but one of a thousand cases.
        level = 2 * stats.t.cdf((member.high - value) / error, df) - 1
        assert level == pytest.approx(single, abs=0.005) and level > 0.951
        assert member.high - value == pytest.approx(value - member.low)


def test_the_studies_themselves_are_as_when_run_alone(root: Path, bundle: Bundle) -> None:
    alone = run(read_study(root / "uitkering"), data=[root], out=root / "alone")
    mine, other = of(bundle, "uitkering"), alone.outcomes[0]
    for name in ("primary", "event", "checks", "change", "path", "balance", "status", "spec_sha256"):
        assert getattr(mine, name) == getattr(other, name)
    assert not other.families and other.belongs_to == mine.belongs_to == "samen"
    assert "hoort bij de verzameling ‘samen’" in report_html(other, {})
    assert "hoort bij de verzameling" not in report_html(mine, {})


# --- the bundle -------------------------------------------------------------------------------------------------------


def test_the_forest_has_the_indicators_of_the_table_with_the_numbers_of_its_own(bundle: Bundle) -> None:
    assert bundle.collected is not None
    _, title, said = alternative((bundle.path / "figures" / "forest.svg").read_text(encoding="utf-8"))
    page = collection_document(bundle.outcomes, bundle.collected, {"forest": "<svg/>"}, "nl")
    (figure,) = (block for section in page.account for block in section.blocks if isinstance(block, Figure))
    assert title and len(figure.table.rows) == len(SLUGS)
    for name, *numbers in figure.table.rows:
        assert plain(name) in said
        printed = [one for cell in numbers for one in re.findall(r"[+−]?\d+(?:,\d+)?", plain(cell))]
        assert len(printed) == 3 and all(one in said for one in printed), (printed, said)
    assert "figures/forest.svg" in json.loads((bundle.path / "manifest.json").read_text(encoding="utf-8"))["outputs"]
    assert 'id="forest-title"' in (bundle.path / "report.html").read_text(encoding="utf-8")


def test_the_same_bytes_again_and_for_any_number_of_workers(root: Path, bundle: Bundle) -> None:
    again = run(read_collection(root / "samen.yaml"), data=[root], out=root / "out2", workers=2)
    assert tree(again.path) == tree(bundle.path)


def test_the_bundle_holds_the_bundles_of_its_studies(root: Path, bundle: Bundle) -> None:
    files = tree(bundle.path)
    manifest = json.loads(files["manifest.json"])
    assert manifest["collection"] is True and {*manifest["outputs"]} == {*files} - {"manifest.json", "bundle.zip"}
    read = read_bundle(bundle.path)
    assert (read.collected, read.outcomes) == (bundle.collected, bundle.outcomes)
    for slug in SLUGS:
        (own,) = read_bundle(bundle.path / slug).outcomes
        assert own == of(bundle, slug)
        assert f"{slug}/report.html" in files
    assert {*bundle.tidy()["study"]} == {*SLUGS}
    assert "family" in {*bundle.tidy()["role"]}


def test_an_interrupted_run_leaves_the_last_good_bundle(
    root: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(bundle.path)

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("impact.study.collection_run.collection_files", ended)
    with pytest.raises(KeyboardInterrupt):
        run(read_collection(root / "samen.yaml"), data=[root], out=bundle.path)
    assert tree(bundle.path) == before
    assert not [one for one in bundle.path.parent.iterdir() if ".tmp" in one.name]


def test_a_hole_in_one_study_is_said_before_any_is_estimated(tmp_path: Path) -> None:
    path = written(tmp_path)
    for slug in SLUGS:
        spoiled = tmp_path / slug / "study.yaml"
        spoiled.write_text(
            spoiled.read_text(encoding="utf-8").replace("residents: inwoners", "residents: weg"), "utf-8"
        )
    done = impact("run", path, "--data", tmp_path, "--out", tmp_path / "out")
    assert done.code == 2 and not (tmp_path / "out").exists()
    assert all(f"in the study '{slug}'" in done.err for slug in SLUGS)
    assert not list(tmp_path.rglob("*.jsonl"))


# --- the table and the statements -------------------------------------------------------------------------------------


def test_without_a_lock_there_is_no_statement(bundle: Bundle) -> None:
    rows = cells(bundle)
    assert [*rows] == [*SLUGS]
    for row in rows.values():
        assert row[7] == "geen uitspraak: de opzet is niet vooraf vastgelegd" and row[8] == "verkennend"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A collection of which everything is locked, before any outcome was opened."""
    return fixed_beforehand(tmp_path)


def test_a_study_that_changed_after_the_collection_was_locked_is_said(kept: Path) -> None:
    study = kept.parent / "uitkering" / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace("seed: 7", "seed: 8"), encoding="utf-8")
    assert impact("amend", study.parent, "--data", kept.parent, "--why", "een ander zaadje").code == 0
    standing = stand(read_collection(kept))[1]
    assert (standing.status, standing.because, standing.detail) == ("deviation", "studies", "uitkering")
    refused = impact("lock", kept)
    assert refused.code == 2 and "LOCK-010" in refused.err
    assert impact("amend", kept, "--why", "de studie is gewijzigd").code == 0
    assert stand(read_collection(kept))[1].status == "amended"


def test_a_collection_is_locked_after_its_studies_and_before_outcomes(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(UsageError) as caught:
        locked(read_collection(path))
    assert [one.code for one in caught.value.problems] == ["LOCK-019", "LOCK-019"]
    for slug in SLUGS:
        assert impact("lock", tmp_path / slug, "--data", tmp_path).code == 0
    assert impact("run", tmp_path / "uitkering", "--data", tmp_path, "--out", tmp_path / "alone").code in (0, 1)
    assert impact("lock", path).code == 0
    standing = stand(read_collection(path))[1]
    assert (standing.status, standing.because) == ("exploratory", "outcomes")


def test_a_sealed_outcome_has_no_number_anywhere(tmp_path: Path) -> None:
    path = written(tmp_path)
    study = tmp_path / "uitkering" / "study.yaml"
    checks = "checks: {treated-clusters: 2, controls: 2, largest-share: 0.9}"
    text = study.read_text(encoding="utf-8")
    assert checks in text
    study.write_text(text.replace(checks, "checks: {controls: 900, treated-clusters: 2, largest-share: 0.9}"), "utf-8")
    bundle = run(read_collection(path), data=[tmp_path], out=tmp_path / "out")
    row = cells(bundle)["uitkering"]
    assert row[2] == row[3] == row[4] == "verzegeld"
    _, _, said = alternative((bundle.path / "figures" / "forest.svg").read_text(encoding="utf-8"))
    assert said.count(": verzegeld") == 1 and "waarvan 1 met een getal" in said
    assert "uitkering" not in {*bundle.tidy()["outcome"]}
    for evidence in bundle.outcomes:
        for family in evidence.families:
            for member in (*family.members, *family.horizons):
                assert member.indicator != "uitkering" or (member.state, member.value) == ("sealed", None)


def test_a_number_that_its_own_study_may_not_show_stands_in_no_family(bundle: Bundle) -> None:
    hidden = [
        replace(one, families=tuple(family.without("uitkering") for family in one.families))
        if one.indicator == "uitkering"
        else one
        for one in bundle.outcomes
    ]
    (family,) = families_of(hidden)
    own = [one for one in (*family.members, *family.horizons) if one.indicator == "uitkering"]
    assert own and all(one.value is one.adjusted is one.low is None for one in own)
    assert any(one.value is not None for one in family.members)


# --- files that cannot be ---------------------------------------------------------------------------------------------


def problems(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        read_collection(path)
    return caught.value.problems


def changed(root: Path, *pairs: tuple[str, str]) -> Path:
    text = COLLECTION
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return write(root / "anders.yaml", text)


@pytest.mark.parametrize(
    ("pair", "code", "said"),
    [
        (("[criminaliteit, uitkering]", "[criminaliteit, uitkering, uitkering]"), "SPEC-010", "stands there already"),
        (("[criminaliteit, uitkering]", "[criminaliteit, bestaat-niet]"), "SPEC-021", "no study 'bestaat-niet'"),
        (("[criminaliteit, uitkering]", "[../uitkering]"), "SPEC-007", "small letters"),
        (("[criminaliteit, uitkering]", "[/etc/passwd]"), "SPEC-007", "small letters"),
        (("[criminaliteit, uitkering]", "[criminaliteit, in-een]"), "SPEC-010", "is about criminaliteit"),
        (("risicoscores, uitkering]", "risicoscore, uitkering]"), "SPEC-008", "no indicator"),
        (("risicoscores, uitkering]", "uitkering, uitkering]"), "SPEC-010", "stands here already"),
        (("correction: {method: romano-wolf, level: 0.05}\n", ""), "SPEC-010", "belong together"),
        (("seed: 7", "zaad: 7"), "SPEC-004", "no key `zaad`"),
        (("order: studies", "order: programme"), "SPEC-010", "all 15 indicators"),
        (("seed: 7", "looks: {planned: [2026-11]}\nseed: 7"), "SPEC-010", "says nothing of looks"),
        (
            ("seed: 7", "not_studied: {uitkering: {statement: not-studied, why: x}}\nseed: 7"),
            "SPEC-010",
            "is studied here",
        ),
        (
            ("seed: 7", "not_studied: {niets: {statement: not-studied, why: x}}\nseed: 7"),
            "SPEC-008",
            "none of the indicators",
        ),
        (("seed: 7", "not_studied: {doorstroom: {statement: mooi, why: x}}\nseed: 7"), "SPEC-007", "must be"),
        (("schema: 1", "schema: 2"), "SPEC-005", "schema 2"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(root: Path, pair: tuple[str, str], code: str, said: str) -> None:
    found = problems(changed(root, pair))
    assert any(one.code == code and said.casefold() in one.message.casefold() and one.line for one in found), found


def test_a_collection_in_a_collection_and_a_link_that_leads_out_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "binnen")
    (tmp_path / "binnen" / "kring").mkdir()
    shutil.copy(path, tmp_path / "binnen" / "kring" / "study.yaml")
    shutil.copytree(tmp_path / "binnen" / "uitkering", tmp_path / "buiten")
    (tmp_path / "binnen" / "buiten").symlink_to(tmp_path / "buiten")
    found = problems(changed(tmp_path / "binnen", ("[criminaliteit, uitkering]", "[kring, buiten]")))
    assert {"SPEC-012", "SPEC-020"} <= {one.code for one in found}


def test_problems_of_the_file_and_of_all_studies_come_at_once(tmp_path: Path) -> None:
    written(tmp_path)
    for slug, old, new in (("criminaliteit", "seed: 7", "zaad: 7"), ("uitkering", "better: lower", "better: mooier")):
        file = tmp_path / slug / "study.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    found = problems(changed(tmp_path, ("level: 0.05", "level: 2")))
    files = {Path(one.file).parent.name for one in found}
    assert {tmp_path.name, *SLUGS} <= files


def test_a_study_and_a_collection_are_told_apart(root: Path) -> None:
    with pytest.raises(SpecError, match="collection of studies"):
        read_study(root / "samen.yaml")
    assert problems(root / "uitkering" / "study.yaml")[0].code == "SPEC-012"
    assert read_any(root / "samen.yaml").model.id == "samen"
    assert read_any(root / "uitkering").model.id == "uitkering"


@pytest.mark.parametrize("path", ["samen.yaml", "/samen.yaml", "../../samen.yaml", "../Samen.yml", ".."])
def test_belongs_to_names_a_file_beside_the_folder(tmp_path: Path, path: str) -> None:
    written(tmp_path)
    file = tmp_path / "uitkering" / "study.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("../samen.yaml", path), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_study(file)
    assert [one.path for one in caught.value.problems] == ["belongs_to"]


def test_a_study_of_another_collection_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    file = tmp_path / "uitkering" / "study.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("../samen.yaml", "../anders.yaml"), encoding="utf-8")
    assert any("belongs to 'anders'" in one.message for one in problems(path))
