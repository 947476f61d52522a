"""What a specification says of who is chosen or weighed among those who may be compared, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from impact.study.comparing import WEIGHTS, Impute, Match
from impact.study.likeness import GEMEENTE_SIZES
from impact.study.model import Specification
from impact.study.wording import Said, Teller

__all__ = ["features", "match"]

_STABLE = 0.05  # standard of `impact.match`
_ORDERS = {1: "one", 2: "two", 3: "three"}


def match(tell: Teller, match: Match) -> Iterator[Said]:
    """Who is chosen or weighed, by what, and what is done where that is not known."""
    topic = "comparison.match"
    one = "-one" if match.ratio == 1 else ""
    yield tell(
        f"comparison.{match.method}{one}",
        f"{topic}.ratio",
        ratio=tell.count(match.ratio or 0),
        moments=_moments(tell, match),
        size=tell.exact(_STABLE if match.tolerance is None else match.tolerance),
    )
    if match.estimand != "ATT":
        yield tell(f"comparison.estimand.{match.estimand}", f"{topic}.estimand")
    if match.method in WEIGHTS:
        yield tell("comparison.pooled", f"{topic}.pooled")
    if not match.replace:
        yield tell("comparison.once", f"{topic}.replace")
    if match.distance != "mahalanobis":
        yield tell(f"comparison.{match.distance}", f"{topic}.distance")
    if match.on:
        yield tell("comparison.features", f"{topic}.on", names=tell.listed(features(tell, match)))
        if {"selection", *_groups(tell.spec).get("selection", ())} & set(match.on):
            yield tell("comparison.selected", f"{topic}.selected")
    yield from _equals(tell, match, topic)
    if match.outcomes_in:
        yield tell("comparison.outcomes", f"{topic}.outcomes", list=tell.listed(match.outcomes_in))
    if match.selection_waves:
        yield tell("comparison.selection", f"{topic}.selection", list=tell.listed(match.selection_waves))
    if match.caliper is not None:
        yield tell("comparison.caliper", f"{topic}.caliper", size=tell.exact(match.caliper))
    if isinstance(match.trim, float):
        yield tell("comparison.trim", f"{topic}.trim", size=tell.exact(match.trim))
    elif match.trim is not None:
        yield tell("comparison.trim-optimal", f"{topic}.trim")
    if isinstance(match.missing, Impute):
        yield tell("comparison.missing.impute", f"{topic}.missing", count=tell.count(match.missing.impute))
    elif match.missing != "refuse":
        yield tell(f"comparison.missing.{match.missing}", f"{topic}.missing")


def _moments(tell: Teller, match: Match) -> str:
    if isinstance(match.moments, dict):
        each = (f"{name}: {tell.word(f'comparison.means.{_ORDERS[k]}')}" for name, k in match.moments.items())
        return tell.word("comparison.means.each", list=tell.listed(each))
    return tell.word(f"comparison.means.{_ORDERS[match.moments or 1]}")


def _equals(tell: Teller, match: Match, topic: str) -> Iterator[Said]:
    """In what both are equal, as it is or in classes."""
    if match.exact:
        yield tell("comparison.equal", f"{topic}.exact", list=tell.listed(match.exact))
    if match.same is not None:
        bounds = tell.listed(tell.count(size) for size in GEMEENTE_SIZES)
        yield tell(f"comparison.alike-{match.same}", f"{topic}.same", list=bounds)
    for name, cut in match.cutpoints.items():
        if isinstance(cut, int):
            said = tell.word("comparison.classes-number", count=tell.count(cut))
        else:
            said = tell.word("comparison.classes-points", list=tell.listed(tell.exact(point) for point in cut))
        yield tell("comparison.classes", f"{topic}.cutpoints.{name}", name=name, list=said)
    if match.method == "coarsened-exact":
        yield tell("comparison.classes-standard", f"{topic}.classes")


def features(tell: Teller, match: Match) -> Iterator[str]:
    """What is matched on, groups with the columns they stand for."""
    groups = _groups(tell.spec)
    for name in match.on:
        if name in groups:
            yield tell.word("comparison.group", name=tell.word(f"group.{name}"), columns=", ".join(groups[name]))
        else:
            yield name


def _groups(spec: Specification) -> dict[str, tuple[str, ...]]:
    """Characteristics by the name that stands for them."""
    return {} if spec.data.units is None else spec.data.units.columns.groups
