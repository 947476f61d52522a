"""Real police figures of Haaglanden with a placebo start: what cannot be established is said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import impact
from tests.shared import ROOT, shared
from tests.study.conftest import Ended
from tests.study.conftest import impact as command

TREATED = {"WK051833", "WK051834", "WK051836", "WK050324", "WK050325"}


@pytest.fixture(scope="module")
def haaglanden(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    data = shared("data/thehague_crime").parent
    out = tmp_path_factory.mktemp("haaglanden") / "bundle"
    return command("run", ROOT / "studies" / "criminaliteit-haaglanden", "--data", data, "--out", out), out


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    """Burglaries (104) by wijk and year, January to November, with plain pandas."""
    raw = pd.read_parquet(shared("data/thehague_crime/haaglanden_misdrijven_maand_buurt_2011_2017.parquet"))
    raw = raw[(raw["delict"].astype(int) == 104) & (raw["maand"].astype(int) <= 11)]
    code = "WK" + raw["wijk"].astype(str).str.zfill(6)
    return raw["aantal"].astype(float).groupby([code, raw["jaar"].astype(str)]).sum().unstack()


def test_it_completes_with_findings_in_words(haaglanden: tuple[Ended, Path]) -> None:
    done, _ = haaglanden
    assert done.code == 1
    assert "run completed; 4 checks not met" in done.err


def test_the_interval_is_refused_and_the_placebo_p_is_given(haaglanden: tuple[Ended, Path]) -> None:
    for evidence in impact.read_bundle(haaglanden[1]).outcomes:
        assert evidence.primary.treated_clusters == 2
        assert evidence.primary.refused is not None
        assert (evidence.primary.low, evidence.primary.high, evidence.primary.p_value) == (None, None, None)
        placebo = evidence.primary.beside[0]
        assert placebo.name == "placebo-space"
        assert placebo.p_value is not None
        assert 0 < placebo.p_value <= 1


def test_wijken_with_a_small_mean_are_excluded_by_name(haaglanden: tuple[Ended, Path], counts: pd.DataFrame) -> None:
    assert len(counts) == 102
    mean = counts[["2011", "2012", "2013", "2014"]].mean(axis=1)
    free = ~mean.index.str[2:6].isin(["0518", "0503"])
    small = set(mean.index[free & (mean < 10)])
    evidence = impact.read_bundle(haaglanden[1]).outcomes[0]
    named = {row.unit for row in evidence.excluded if "gemiddelde is te klein" in row.reason}
    assert named == small
    assert evidence.pool == int((free & (mean >= 10)).sum())
    assert {unit for area in evidence.areas for unit in area.units if not area.left_out} == TREATED


def test_the_focus_areas_changed_as_by_hand(haaglanden: tuple[Ended, Path], counts: pd.DataFrame) -> None:
    own = counts.loc[sorted(TREATED)]
    relative = 100 * own.div(own[["2011", "2012", "2013", "2014"]].mean(axis=1), axis=0)
    area = relative.index.str[2:6]
    by_area = relative[["2015", "2016", "2017"]].mean(axis=1).groupby(area).mean()
    change = impact.read_bundle(haaglanden[1]).outcomes[0].change
    assert change is not None
    assert change.focus_before == pytest.approx(100)
    assert change.focus_after == pytest.approx(by_area.mean())


def test_the_report_says_what_cannot_be_established(haaglanden: tuple[Ended, Path]) -> None:
    pages = sorted(file.name for file in haaglanden[1].glob("*.html"))
    assert pages == ["report-vernieling.html", "report.html"]
    page = (haaglanden[1] / "report.html").read_text(encoding="utf-8")
    assert "niet vast te stellen" in page
    assert "Een interval is niet te geven" in page
    assert "2 van de 20 gebieden" in page
    assert 'href="report-vernieling.html"' in page
    assert "placebo" in page
