"""One look for every drawing: colours that stay apart without colour, and a style that no user's settings change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COMPARISON", "FOCUS", "INK", "PALE", "SMALL", "TEXT", "WIDTH", "look", "new_axes", "short"]

FOCUS, COMPARISON, INK = "#154273", "#6b6b6b", "#1b1b1b"  # dark blue and mid grey stay apart without colour
PALE = ("#e6e9ed", "#c5cbd3")  # fills behind marks, the outer one first; their edges are drawn as lines

WIDTH = 4.0  # inches of a figure of a report: all of a phone, on which its letters are then 9 points high
TEXT, SMALL = 10.0, 9.6  # points

_LOOK = {
    "svg.hashsalt": "impact",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COMPARISON,
    "axes.linewidth": 0.8,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "legend.fontsize": TEXT,
    "axes.titlelocation": "left",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "out",
    "ytick.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dfe3e8",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw and render inside this: matplotlib's own defaults and ours, whatever the user's settings are."""
    with style.context(["default", _LOOK]):
        yield


def new_axes(width: float, height: float) -> Axes:
    """Axes in a figure of their own; call it inside `look`."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def short(value: float, digits: int = 3) -> str:
    """So many digits, with a minus sign; thousands in full."""
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.{digits}g}"
    return text.replace("-", "\N{MINUS SIGN}")
