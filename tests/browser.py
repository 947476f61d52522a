"""A headless browser for tests: a page as a reader meets it, and axe-core on what is there.

One Chromium serves a module of tests. It is offline, and a page that asks for anything but its own file fails the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.tools import tool

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["DESKTOP", "PHONE", "Open", "axe", "browser", "page"]

DESKTOP, PHONE = 1280, 390
"""Widths in CSS pixels."""

Open = Callable[..., "Page"]

_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine, without a screen; its driver comes with the package ``playwright``."""
    program = tool("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=_SWITCHES)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Open]:
    """``page(file, width=1280, media="screen", script=True)`` opens a file, or HTML itself, in a window of its own."""
    contexts, asked = [], []

    def opened(
        what: Path | str, width: int = DESKTOP, media: Literal["screen", "print"] = "screen", script: bool = True
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=script, offline=True, reduced_motion="reduce"
        )
        contexts.append(context)
        shown = context.new_page()
        shown.on("request", lambda request: asked.append(request.url))
        shown.emulate_media(media=media)
        if isinstance(what, Path):
            shown.goto(what.resolve().as_uri())
        else:
            shown.set_content(what)
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "about:", "data:"))] == []


def axe(shown: Page) -> list[str]:
    """What axe-core holds against a page, by WCAG 2.1 A and AA and by its best practices: rule, place, why."""
    import axe_playwright_python

    source = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    shown.evaluate(source)
    found: dict[str, Any] = shown.evaluate("axe.run({resultTypes: ['violations']})")
    assert found["passes"], "axe-core found nothing to look at"
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
