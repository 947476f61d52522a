"""Figures: what they show, their alternative text, and bytes that depend on nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from impact.evidence.plots import figures
from tests.report.samples import ALL, BARE, ORDINARY, REFUSED, SEALED, UNMATCHED
from tests.shared import ROOT

SVG = "{http://www.w3.org/2000/svg}"
OPEN, CLOSED = "fill: #ffffff; stroke: #154273", "fill: #154273; stroke: #154273"


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[str, str]]:
    return {name: figures(evidence) for name, evidence in ALL.items()}


def test_which_figures_there_are(drawn: dict[str, dict[str, str]]) -> None:
    assert set(drawn["ordinary"]) == {"flow", "gap", "event-study", "balance"}
    assert drawn["bare"] == {} == drawn["sealed"]
    assert BARE.event == () and SEALED.event != ()


def test_each_is_one_element_with_its_own_ids_and_alternative_text(drawn: dict[str, dict[str, str]]) -> None:
    for name, svg in ((name, svg) for found in drawn.values() for name, svg in found.items()):
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{name}-title {name}-text"
        texts = {
            node.get("id"): node.text
            for node in (root.find(f"{SVG}title"), root.find(f"{SVG}desc"))
            if node is not None
        }
        assert all(texts[f"{name}-{part}"] for part in ("title", "text"))
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids)) and all(str(i).startswith(f"{name}-") for i in ids)
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
        assert set(used) <= set(ids)
        assert root.find(f".//{SVG}text") is None, "letters are paths, so that no font is needed"
        assert root.find(f".//{SVG}style") is None and root.find(f".//{SVG}metadata") is None


def described(svg: str) -> str:
    return ElementTree.fromstring(svg).findtext(f"{SVG}desc") or ""


def test_the_alternative_texts_say_what_is_drawn(drawn: dict[str, dict[str, str]]) -> None:
    # By hand from the samples: one decimal, since the standard error is 2.364.
    assert described(drawn["ordinary"]["event-study"]) == (
        "Puntdiagram met 5 punten voor en 3 na de start, in % van het eigen gemiddelde. Voor de start liggen de punten "
        "tussen −2,2 en +2,1. Na de start liggen ze tussen −10,3 en −4,9. Open punten liggen voor de start, dichte "
        "erna. Intervallen geheel aan één kant van 0: voor de start 0 van 5, erna 2 van 3. Het "
        "gaat om 18 van de 20 focusgebieden. Niet meegeteld: Rotterdam-Zuid en Breda Noord. Bron: Politie 47018NED "
        "(2024)."
    )
    gap = described(drawn["ordinary"]["gap"])
    assert "van 2017 tot en met 2025" in gap and "Focusgebieden: van 118,2 naar 95,2." in gap
    assert "Vergelijkbare gebieden: van 109,7 naar 98,6." in gap
    balance = described(drawn["ordinary"]["balance"])
    assert "5 kenmerken" in balance and "1,94 met alle" in balance and "0,31 met de gekozen" in balance


def test_open_before_and_closed_after(drawn: dict[str, dict[str, str]]) -> None:
    event = drawn["ordinary"]["event-study"]
    assert (event.count(OPEN), event.count(CLOSED)) == (5, 3)
    path = drawn["refused"]["gap"]  # 4 periods before, 3 after, in both panels; one in the legend
    assert (path.count(OPEN), path.count(CLOSED)) == (8, 7)
    matched, unmatched = drawn["ordinary"]["balance"], drawn["unmatched"]["balance"]
    assert matched.count(CLOSED) >= len(ORDINARY.balance) and CLOSED not in unmatched
    assert unmatched.count(OPEN) == len(UNMATCHED.balance)


def test_a_point_without_interval_is_drawn_alone(drawn: dict[str, dict[str, str]]) -> None:
    event = drawn["refused"]["event-study"]
    assert event.count(OPEN) + event.count(CLOSED) == len(REFUSED.event)
    assert "LineCollection" not in event and "LineCollection" in drawn["ordinary"]["event-study"]


def test_the_bytes_depend_on_nothing_else(drawn: dict[str, dict[str, str]], tmp_path: Path) -> None:
    """Another hash seed, time zone, working folder, and a user's own matplotlib settings."""
    (tmp_path / "matplotlibrc").write_text(
        "font.family: serif\nfont.size: 20\naxes.facecolor: red\nsvg.fonttype: none\n"
    )
    code = (
        "import hashlib, sys; from tests.report.samples import ORDINARY; from impact.evidence.plots import figures\n"
        "for name, svg in figures(ORDINARY).items(): print(name, hashlib.sha256(svg.encode()).hexdigest())\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'drawing keeps no state'"
    )
    here = "".join(f"{name} {hashlib.sha256(svg.encode()).hexdigest()}\n" for name, svg in drawn["ordinary"].items())
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
        "PYTHONPATH": str(ROOT),
        "SOURCE_DATE_EPOCH": "9",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == here


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    import matplotlib

    before = (matplotlib.rcParams["font.size"], matplotlib.rcParams["svg.fonttype"], matplotlib.rcParams["ytick.left"])
    figures(REFUSED)
    rc = matplotlib.rcParams
    assert (rc["font.size"], rc["svg.fonttype"], rc["ytick.left"]) == before
