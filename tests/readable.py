"""What holds for every page that a reader sees, each as a function of an opened page that says what is wrong.

The rules are those of EN 301 549, chapter 9, which are the criteria A and AA of WCAG 2.1.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

from tests.tools import tool

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["by_keyboard", "cut_off", "in_print", "pictures", "sideways", "spaced"]

# WCAG 1.4.12: all of it at once, as a reader may set it.
SPACING = """* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
p { margin-bottom: 2em !important; }"""

_SIDEWAYS = """() => {
  const room = document.documentElement.clientWidth, found = [];
  const scrolls = node => node && node !== document.documentElement
    && (['auto', 'scroll'].includes(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  const wide = document.documentElement.scrollWidth;
  if (wide > room) found.push(`the page is ${wide} wide`);
  for (const node of document.body.querySelectorAll('*')) {
    const box = node.getBoundingClientRect();
    const inside = node.tagName !== 'CAPTION' && scrolls(node.parentElement) || node.closest('svg *, .unseen');
    if (box.width && box.right > room + 1 && !inside)
      found.push(`${node.tagName} reaches ${Math.round(box.right)} of ${room}: ${node.textContent.slice(0, 60)}`);
  }
  return found;
}"""

_CUT_OFF = """() => [...document.body.querySelectorAll('*')].filter(node => {
  const style = getComputedStyle(node), hides = value => ['hidden', 'clip'].includes(value);
  return node.checkVisibility() && !node.closest('svg') && !node.matches('.unseen')
    && (hides(style.overflowX) && node.scrollWidth > node.clientWidth + 1
      || hides(style.overflowY) && node.scrollHeight > node.clientHeight + 1);
}).map(node => `${node.tagName} cuts off: ${node.textContent.slice(0, 60)}`)"""

_PICTURES = """() => [...document.querySelectorAll('svg, img, [role=img]')].filter(node => {
  const ids = (node.getAttribute('aria-labelledby') ?? '').split(' ');
  const said = ids.map(id => document.getElementById(id)?.textContent);
  const named = node.getAttribute('aria-label') || node.alt || said.join('').trim();
  return node.getAttribute('role') !== 'img' || !named || said.includes(undefined) || said.includes('');
}).map(node => `a picture without a name: ${node.outerHTML.slice(0, 80)}`)"""

_REACHED = "a[href], button, input, select, textarea, summary, [tabindex]"

_ORDER = f"""() => [...document.querySelectorAll('{_REACHED}')]
  .filter(node => node.tabIndex >= 0 && !node.disabled)
  .map((node, place) => {{ node.dataset.place = place; return node.outerHTML.slice(0, 80); }})"""

_FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  return {
    place: Number(node.dataset.place ?? -1), tag: node.tagName, html: node.outerHTML.slice(0, 80),
    seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    there: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth && box.width > 1,
  };
}"""


def sideways(shown: Page) -> list[str]:
    """1.4.10 Reflow: nothing but what scrolls by itself is wider than the window."""
    return list(shown.evaluate(_SIDEWAYS))


def cut_off(shown: Page) -> list[str]:
    """Text that its own box hides."""
    return list(shown.evaluate(_CUT_OFF))


def spaced(shown: Page) -> list[str]:
    """1.4.12 Text spacing: with the distances that a reader may ask for nothing is lost."""
    # Not as an element, which a page may refuse by its policy.
    shown.evaluate(
        """css => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      document.adoptedStyleSheets = [sheet];
    }""",
        SPACING,
    )
    return sideways(shown) + cut_off(shown)


def pictures(shown: Page) -> list[str]:
    """1.1.1: every picture is one, and has a text in its place."""
    return list(shown.evaluate(_PICTURES))


def by_keyboard(shown: Page) -> list[str]:
    """2.1.1, 2.4.1, 2.4.3, 2.4.7: Tab comes to everything in order, a skip link first, and is seen where it is."""
    places: list[str] = shown.evaluate(_ORDER)
    wrong = []
    for place, html in enumerate(places):
        shown.keyboard.press("Tab")
        now: dict[str, Any] = shown.evaluate(_FOCUSED)
        if now["place"] != place:
            return [*wrong, f"Tab came to {now['html']} instead of {html}"]
        if not (now["seen"] and now["there"]):
            wrong.append(f"nobody sees that the focus is on {html}")
        if now["tag"] == "SUMMARY":
            shown.keyboard.press("Enter")  # what is folded is reached as well
            if not shown.evaluate("document.activeElement.parentElement.open"):
                wrong.append(f"Enter does not open {html}")
    shown.keyboard.press("Tab")
    if shown.evaluate(_FOCUSED)["tag"] not in ("BODY", "HTML") and shown.evaluate(_FOCUSED)["place"] != 0:
        wrong.append("Tab comes to something that has no place in the order")
    first = shown.locator("a[href]").first.get_attribute("href") or ""
    if not (first.startswith("#") and shown.locator(f"main{first}").count() == 1):
        wrong.append("the first link does not lead to the contents")
    return wrong


def in_print(shown: Page) -> list[str]:
    """On paper everything is there: every heading, caption, cell and what is folded on the screen."""
    shown.emulate_media(media="print")
    pdf = shown.pdf(format="A4", prefer_css_page_size=True)
    done = subprocess.run([tool("pdftotext"), "-raw", "-", "-"], input=pdf, capture_output=True, check=True, timeout=60)
    paper = _bare(done.stdout.decode("utf-8"))
    wanted: list[str] = shown.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, caption, figcaption, th, td')].map(node => node.textContent)"
    )
    absent = dict.fromkeys(text.strip() for text in wanted if not _on(paper, _bare(text)))
    return [f"not on paper: {text}" for text in absent] + _wide_on_paper(shown)


def _on(paper: str, text: str) -> bool:
    """Whether it is there, whole or cut in two by the end of a page."""
    return text in paper or any(text[:cut] in paper and text[cut:] in paper for cut in range(1, len(text)))


def _wide_on_paper(shown: Page) -> list[str]:
    """What does not fit between the margins of A4 (16 mm), in CSS pixels."""
    shown.set_viewport_size({"width": round((210 - 32) / 25.4 * 96), "height": 900})
    return sideways(shown)


def _bare(text: str) -> str:
    """Without spaces and the hyphens that break a word."""
    return re.sub(r"[\s\u00ad\u2010-]", "", text)
