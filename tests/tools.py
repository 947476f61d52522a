"""Programs beside Python that some tests use: found, or skipped with a reason."""

from __future__ import annotations

import shutil

import pytest

__all__ = ["ABSENT", "PACKAGES", "tool"]

ABSENT = "is not installed on this machine"
"""How the reason of such a skip ends: with ``IMPACT_REQUIRE_TOOLS=1`` it is a failure."""

PACKAGES = {
    "chromium": "chromium",
    "pdflatex": "texlive-latex-base, texlive-latex-recommended, lmodern",
    "pdftotext": "poppler-utils",
    "soffice": "libreoffice-writer-nogui",
}
"""The Debian packages of each program."""


def tool(name: str) -> str:
    """Path of the program `name`; skips the test where it is absent."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} (Debian: {PACKAGES[name]}) {ABSENT}")
    return found
