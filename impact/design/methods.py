"""Matching and weighting by name; registering a method is one line, resolved when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from impact.errors import Problem, UsageError

__all__ = ["METHODS", "resolve"]

METHODS: Final[dict[str, str]] = {
    "nearest": "impact.design.match_methods:nearest",
    "optimal": "impact.design.match_methods:optimal",
    "full": "impact.design.match_methods:full",
    "exact": "impact.design.strata_methods:exact",
    "coarsened-exact": "impact.design.strata_methods:coarsened_exact",
    "entropy": "impact.design.weighting_methods:entropy",
    "stable": "impact.design.weighting_methods:stable",
    "inverse-probability": "impact.design.weighting_score_methods:inverse_probability",
    "overlap": "impact.design.weighting_score_methods:overlap",
}
"""Name to ``module:function``; a function takes the table, ``treated``, ``on``, ``estimand`` and options of its own."""


def resolve(name: str) -> Callable[..., Any]:
    """The function behind `name`.

    Raises
    ------
    UsageError
        ``USAGE-001`` with the nearest name.
    """
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METHODS)}"
        raise UsageError(Problem("USAGE-001", f"there is no method {name!r} of matching or weighting", hint))
    module, function = METHODS[name].split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
