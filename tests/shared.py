"""The reference material beside the project: found, or skipped with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def shared(path: str) -> Path:
    """The file or folder `path` of the shared reference material; skips the test where it is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"reference material {path} is not beside this checkout")
    return found


def golden(name: str) -> dict[str, Any]:
    """One reference result (``shared/reference/goldens/<name>.json``) as a dict."""
    parsed: dict[str, Any] = json.loads(shared(f"reference/goldens/{name}.json").read_text(encoding="utf-8"))
    return parsed
