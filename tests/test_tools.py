"""Programs beside Python: what is absent is skipped, or fails where everything is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import Open, axe
from tests.shared import ROOT
from tests.tools import PACKAGES, tool


@pytest.mark.parametrize("name", PACKAGES)
def test_every_program_is_there(name: str) -> None:
    assert tool(name).endswith(name)


def test_the_check_of_a_submission_installs_each() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name, packages in PACKAGES.items():
        assert f"needs {name} {packages.replace(',', '')}\n" in script


def run(folder: Path, test: str, **variables: str) -> str:
    """What pytest says of a test in a project of its own, under the rules of ours."""
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMPACT_REQUIRE_SHARED": "0", **variables}
    done = subprocess.run(
        [*command, "--rootdir", str(folder), str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    return done.stdout


@pytest.mark.parametrize(("required", "ends"), [("0", "1 skipped"), ("1", "1 failed")])
def test_absent(required: str, ends: str, tmp_path: Path) -> None:
    test = "from tests.tools import tool\n\ndef test_it() -> None:\n    assert tool('pdflatex')\n"
    said = run(tmp_path, test, PATH=str(tmp_path), IMPACT_REQUIRE_TOOLS=required)
    assert ends in said and (required == "0" or "Debian: texlive-latex-base" in said)


def test_axe_sees_what_is_wrong(page: Open) -> None:
    """A check that cannot fail checks nothing."""
    wrong = '<p style="color: #bbb">licht</p><input><img src="data:,"><svg role="img"></svg>'
    found = axe(page(f"<!DOCTYPE html><html><body>{wrong}</body></html>"))
    rules = {one.split(":")[0] for one in found}
    assert rules >= {"color-contrast", "document-title", "html-has-lang", "image-alt", "label", "svg-img-alt"}


def test_a_page_that_asks_for_more_is_seen(tmp_path: Path) -> None:
    tool("chromium")
    asking = "'<!DOCTYPE html><img src=\"http://localhost:9/x.png\">'"
    said = run(tmp_path, f"def test_it(page):\n    page({asking})\n")
    assert "1 passed, 1 error" in said and "localhost:9" in said
