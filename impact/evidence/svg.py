"""Figures as SVG whose bytes depend on nothing but what is drawn, with numbers as the language writes them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from html import escape, unescape
from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from impact.evidence.language import number
from impact.harmless import shown

__all__ = ["FONT", "alternative", "drawn_too", "lines", "number_axis", "rendered", "round_ticks", "wrapped"]

_PICTURES: ContextVar[dict[str, bytes] | None] = ContextVar("pictures", default=None)

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def number_axis(axes: Axes, low: float, high: float, language: str, *, room: float = 0.08, count: int = 6) -> None:
    """A vertical axis around [`low`, `high`] with few round ticks, written as the language writes numbers."""
    reach = (high - low) or abs(high) or 1.0
    low, high = low - room * reach, high + room * reach
    ticks, digits = round_ticks(low, high, count)
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, [number(tick, language, digits) for tick in ticks])


def round_ticks(low: float, high: float, count: int) -> tuple[list[float], int]:
    """At most about `count` round numbers in [`low`, `high`], and the decimals they need."""
    ticks = [
        float(tick)
        for tick in MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        if low <= tick <= high
    ]
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    return ticks, next(digits for digits in range(13) if abs(round(step, digits) - step) < 1e-9 * step or digits == 12)


def rendered(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as one ``<svg>`` element with its alternative text; ids begin with `name`: figures share a page."""
    _own_font(figure.findobj(Text))
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Creator": None, "Date": None, "Format": None, "Type": None})
    pictures = _PICTURES.get()
    if pictures is not None:  # after it: what is drawn with other dots is laid out a hair otherwise from then on
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=200, metadata={"Software": None})
        pictures[name] = picture.getvalue()
    drawn = buffer.getvalue().decode("utf-8")
    drawn = re.sub(r"<!--.*?-->\n?", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    # The style sheet inside would hold for the whole page it stands in; as an attribute it holds for the drawing.
    drawn = re.sub(r"\s*<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>", "", drawn, count=1, flags=re.DOTALL)
    drawn = re.sub(r'(\sid=")|(xlink:href="#)|(url\(#)', lambda found: f"{found[0]}{name}-", drawn)
    drawn = _counted(drawn, name)
    head = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-text" style="stroke-linejoin:round;stroke-linecap:butt"'
    )
    texts = f'<title id="{name}-title">{escape(shown(title))}</title>\n'
    texts += f'<desc id="{name}-text">{escape(shown(description))}</desc>\n'
    opening, rest = drawn.removeprefix("<svg").split(">", 1)
    return f"{head}{opening}>\n{texts}{rest.lstrip()}"


def _counted(drawn: str, name: str) -> str:
    """The drawing with ids that are counted: those of matplotlib follow the last bits of a layout, which may move."""
    known: dict[str, str] = {}
    return re.sub(
        rf"{re.escape(name)}-[a-zA-Z][0-9a-f]{{10}}\b",
        lambda found: known.setdefault(found[0], f"{name}-id{len(known) + 1}"),
        drawn,
    )


def alternative(svg: str) -> tuple[str, str, str]:
    """Name, title and description of a drawing that `rendered` made, for forms that show it as a picture."""
    found = re.search(r'<title id="(.*?)-title">(.*?)</title>\s*<desc id="[^"]*">(.*?)</desc>', svg, re.DOTALL)
    if found is None:
        raise ValueError("this is no drawing with an alternative text")
    return found[1], unescape(found[2]), unescape(found[3])


def wrapped(text: str, inches: float, size: float) -> str:
    """The text over as few lines as fit in so many inches, in letters of `size` points."""
    return "\n".join(lines(text, inches, size))


def lines(text: str, inches: float, size: float) -> list[str]:
    """As `wrapped`, a line each; a word that is longer than the room is cut."""
    for letters in range(120, 0, -1):
        found = textwrap.wrap(text, letters)
        if all(size * sum(map(_advance, line)) <= 72 * inches for line in found):
            return found
    return [text]


@cache
def _advance(letter: str) -> float:
    """How far a letter moves what follows it, in sizes of the font."""
    font = FontProperties(fname=str(FONT), size=100)
    alone, between = (TextPath((0, 0), text, prop=font).get_extents().x1 for text in ("||", f"|{letter}|"))
    return float(between - alone) / 100


@contextmanager
def drawn_too() -> Iterator[dict[str, bytes]]:
    """PNG by name of every figure that is rendered inside; for where no vectors may go out."""
    pictures: dict[str, bytes] = {}
    token = _PICTURES.set(pictures)
    try:
        yield pictures
    finally:
        _PICTURES.reset(token)


def _own_font(texts: Sequence[object]) -> None:
    """The font files that come with matplotlib, so that the paths do not depend on what else is installed."""
    for text in texts:
        if isinstance(text, Text):
            text.set_parse_math(False)  # a name with dollar signs is a name, and not a formula
            text.set_text(shown(text.get_text()))
            font = text.get_fontproperties().copy()
            font.set_file(FONT.with_stem("DejaVuSans-Bold") if font.get_weight() == "bold" else FONT)
            text.set_fontproperties(font)
