"""The checks of the design and the data of a study, before any outcome after the start is used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.checks import design as check
from impact.checks.protocol import Check
from impact.design.balance import effective_number
from impact.errors import Refused
from impact.study.likeness import counted, in_target
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.thresholds import seals

__all__ = ["bracketed", "gates"]


def gates(spec: Specification, comparison: Comparison) -> tuple[Check, ...]:
    """Checks of the design and the data, before any outcome after the start is used.

    Those that a study asks for by their threshold stand among the standard ones; see ``impact.study.thresholds``.
    """
    limit, panel, every = spec.thresholds, comparison.panel, spec.target.every
    weighted = panel.weighted(every) if counted(panel, every) else panel
    share = np.bincount(panel.cluster[panel.treated], weights=weighted.weight[panel.treated])
    before = max(len(spec.before(area.start, panel.periods)) for area in comparison.areas if not area.left_out)
    weight = in_target(panel, every)[panel.never]
    least: dict[str, float | None] = {
        "pre-periods": before,
        "treated-clusters": int((share > 0).sum()),
        "controls": int((weight > 0).sum()),
        "effective-controls": effective_number(weight) if weight.any() else 0.0,
        "respondents": comparison.fewest,
    }
    most: dict[str, float | None] = {
        "largest-share": float(share.max() / share.sum()),
        "suppressed": comparison.without,
        "overlap": comparison.outside,
        "unmatched": comparison.alone,
        "largest-weight": float(weight.max() / weight.sum()) if weight.any() else 1.0,
    }
    made = [
        check.at_least(name, least[name], limit[name], gates=seals(spec.checks, name))
        for name in ("pre-periods", "treated-clusters", "controls")
    ]
    made.append(_balance(spec, comparison))
    asked = [
        *(
            check.at_most(name, most[name], limit[name], gates=seals(spec.checks, name))
            for name in most
            if name in limit
        )
    ]
    asked += [
        check.at_least(name, least[name], limit[name], gates=seals(spec.checks, name))
        for name in ("effective-controls", "respondents")
        if name in limit
    ]
    return (*made, *asked)


def _balance(spec: Specification, comparison: Comparison) -> Check:
    """Of what was matched on; who declares that nothing is, foresaw that there is no balance to speak of."""
    matcher = comparison.matcher
    found = {row.name: row.smd_matched for row in comparison.balance if row.matched_on}
    if matcher is not None and not found and matcher.labels:
        found = {name: 0.0 for name in (*_labels(spec),)}  # equal, as nobody else was let in
    return check.balance(found, spec.thresholds["balance"], gates=matcher is not None and seals(spec.checks, "balance"))


def _labels(spec: Specification) -> Sequence[str]:
    match = spec.comparison.match
    return () if match is None else (*match.exact, *([match.same] if match.same else []))


def bracketed(spec: Specification, ends: Sequence[Comparison | Refused]) -> tuple[Check, ...]:
    """How many of the comparisons of the bracket could be made, where the study asks for a number of them."""
    if "bracket" not in spec.thresholds:
        return ()
    made = sum(not isinstance(end, Refused) for end in ends)
    sealing = seals(spec.checks, "bracket")
    return (check.at_least("bracket", made, spec.thresholds["bracket"], gates=sealing),)
