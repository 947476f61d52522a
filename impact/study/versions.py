"""Versions of the language of studies: an old study keeps its meaning, a newer word names the version that knows it.

A study says in `schema:` in which version it was written. `UPGRADES` holds, for every older version, the change that
makes its tree one of the next; what a key meant then is written as it is meant now, with the places of the user's own
text. `SINCE` says of keys that came later in which version they did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

from impact.study.source import Finding, Node

__all__ = ["SCHEMA", "SINCE", "UPGRADES", "upgraded", "written_in"]

SCHEMA = 1
"""The version that this package reads and writes."""

UPGRADES: Mapping[int, Callable[[Node], None]] = {}
"""Version to what makes a tree of it one of the next, in place."""

SINCE: Mapping[str, int] = {}
"""Dotted path of a key, without list positions, to the version that it came with; a key without one is of version 1."""


def upgraded(
    tree: Node,
    *,
    schema: int = SCHEMA,
    upgrades: Mapping[int, Callable[[Node], None]] = UPGRADES,
    since: Mapping[str, int] = SINCE,
) -> list[Finding]:
    """Bring `tree` to `schema` in place, and say what of it this version cannot read.

    Returns
    -------
    list of Finding
        ``SPEC-005``: a study of a newer version, or of one without an upgrade; a key newer than the version that the
        study says it is written in. Empty when the tree can be read as one of `schema`.
    """
    said = written_in(tree)
    if said is None or said == schema:
        return []
    place = tree.content["schema"].place

    def refused(message: str, hint: str) -> list[Finding]:
        return [Finding("SPEC-005", message, hint, place, "schema")]

    if said > schema:
        hint = f"Install the version of impact that knows schema {said}: what a key means there is not known here."
        return refused(
            f"The study is written in schema {said}; this is impact {_ours()}, which knows schema {schema}.", hint
        )
    missing = [number for number in range(said, schema) if number not in upgrades]
    if missing:
        known = ", ".join(str(number) for number in range(min([*upgrades, schema]), schema + 1))
        return refused(f"There is no schema {said}.", f"Known here: {known}.")
    early = [
        Finding(
            "SPEC-005",
            f"`{path.rpartition('.')[2]}` comes with schema {came}; the study says schema {said}.",
            f"Write `schema: {came}`, after reading what changed, or take the key out.",
            found[1],
            path,
        )
        for path, came in sorted(since.items())
        if came > said and (found := _key(tree, path)) is not None
    ]
    if not early:
        for number in range(said, schema):
            upgrades[number](tree)
        tree.content["schema"].content = schema
    return early


def written_in(tree: Node) -> int | None:
    """The version that a study says it is written in; None where it says nothing that can be one."""
    node = tree.content.get("schema") if isinstance(tree.content, dict) else None
    said = None if node is None else node.content
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _key(tree: Node, path: str) -> tuple[Node, tuple[int, int]] | None:
    """The value of a key and the place of the key, the first where lists hold several."""
    first, _, rest = path.partition(".")
    if isinstance(tree.content, list):
        return next((found for item in tree.content if (found := _key(item, path)) is not None), None)
    if not isinstance(tree.content, dict) or first not in tree.content:
        return None
    below = tree.content[first]
    return _key(below, rest) if rest else (below, tree.keys[first])


def _ours() -> str:
    try:
        return version("impact-nplv")
    except PackageNotFoundError:
        return "(not installed)"
