"""A drawing for a notebook: as SVG, with the alternative text that says what is to be seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impact.errors import Problem, Refused, UsageError

__all__ = ["Picture", "picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with its title and alternative text; in a notebook its name is enough."""

    svg: str

    def _repr_html_(self) -> str:
        return f'<figure style="margin:0">{self.svg}</figure>'


def picture(axes: Axes | Refused, title: str, text: str) -> Picture | Refused:
    """The figure of `axes`, such as ``result.plot.path()`` returns, with words for who does not see it.

    Parameters
    ----------
    axes : Axes or Refused
        A refusal is returned as it is.
    title : str
        What it is, in a few words.
    text : str
        What is to be seen in it.

    Raises
    ------
    UsageError
        ``USAGE-054`` without a title or a text.
    """
    from impact.drawing import look
    from impact.evidence.svg import rendered

    if isinstance(axes, Refused):
        return axes
    if not (title.strip() and text.strip()):
        hint = "Say in `text` what is to be seen, for who does not see it."
        raise UsageError(Problem("USAGE-054", "a picture needs a title and a text", hint))
    name = "p" + hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()[:8]
    with look():
        return Picture(rendered(cast(Figure, axes.figure), name, title, text))
