"""What a study would compare with what, in words, without any outcome after the start: what `impact check` says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from impact.checks.protocol import Check
from impact.evidence.record import Selection
from impact.inference.support import support
from impact.parallel import one_thread
from impact.study.bracket import ends
from impact.study.context import read_context
from impact.study.gates import gates
from impact.study.keeping import checked
from impact.study.likeness import counted
from impact.study.living import living
from impact.study.load import Loaded, load
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.read import Study
from impact.study.record import level_of
from impact.study.run import case_of, paths_of, variations_of, with_bracket
from impact.study.selection import selection
from impact.study.thresholds import foreseen

__all__ = ["outline"]


@one_thread()
def outline(study: Study, data: Sequence[str | Path] = ()) -> str:
    """What would be compared with what, in words; no outcome after the start is used. The ledger says that it was seen.

    Raises
    ------
    SpecError, DataError
        As `run` does.
    """
    spec = study.model
    read_context(study, data)
    loaded = load(spec, paths_of(study, data), design=True)
    _, varied = variations_of(study, loaded, data)
    lines = [f"{spec.id}: {spec.title.nl}"]
    for number, outcome in enumerate(spec.all_outcomes):
        case = case_of(spec, loaded, number)
        if "bracket" in spec.thresholds:
            case = with_bracket(spec, case, ends(spec, loaded, number, case.comparison))
        lines += ["", f"{outcome.indicator} ({outcome.measure.unit}), {loaded.periods[0]} to {loaded.periods[-1]}"]
        lines += [f"  not opened: outcomes of {', '.join(loaded.awaited)}"] if loaded.awaited else []
        lines += _design(spec, loaded, case.comparison)
        lines += _known(spec, case.comparison)
        lines += _chosen(selection(spec, loaded, case.series, case.comparison))
        lines += [
            f"  check {check.name}: {check.verdict.replace('_', ' ')}"
            + ("" if check.statistic is None else f" ({check.statistic:.3g}, threshold {check.threshold:g})")
            + _meaning(spec, check)
            for check in case.checks
        ]
    for place, variation in enumerate(study.variations):
        lines.append(f"alternative {variation.name}: {variation.why}")
        lines += [_summed(variation.model, row[place]) for row in varied]
    lines += checked(study, loaded)
    return "\n".join([*lines, "nothing was estimated"])


def _design(spec: Specification, loaded: Loaded, comparison: Comparison) -> list[str]:
    """Areas with their start and actual base period per cohort, and the flow to the donor pool."""
    inside = [area for area in comparison.areas if not area.left_out]
    lines = [f"  {len(inside)} of {len(comparison.areas)} areas, {int(comparison.panel.treated.sum())} units"]
    if level_of(spec) == "gemeente":
        lines.append("  whole gemeenten: a result is the change of the gemeente, not of the area in it")
        for area in inside:
            found = living(spec, loaded, area)
            share = f"unknown ({found.why.replace('|', ' ').strip()})" if found.share is None else f"{found.share:.1%}"
            lines.append(f"  share of its residents in the area: {area.name}: {share}")
    if comparison.unions is not None:
        made = comparison.unions.members()
        for unit, treated in zip(comparison.panel.units, comparison.panel.treated.tolist(), strict=True):
            if treated:
                parts = ", ".join(code if part == 1 else f"{code} ({part:.0%})" for code, part in made[unit].items())
                lines.append(f"  {unit} is made of {parts}")
    for start in sorted({area.start for area in inside}):
        base = spec.base_periods(start, comparison.panel.periods)
        shown = base[0] if len(base) == 1 else f"{base[0]} to {base[-1]}"
        names = ", ".join(area.name for area in inside if area.start == start)
        lines.append(f"  cohort {start}: base period {shown}; {names}")
    lines += [
        f"  left out: {area.name} ({area.left_out.replace('|', ' ').strip()})"
        for area in comparison.areas
        if area.left_out
    ]
    lines += [
        f"  not in the estimate: {row.unit} ({' '.join(filter(None, [row.code, row.detail]))})"
        for row in comparison.lost
    ]
    lines += [f"  {step.code}: {step.removed} removed, {step.left} left" for step in comparison.pool.steps]
    if comparison.panel.covariates:
        lines.append(f"  adjusted for: {', '.join(comparison.panel.covariates)}")
        lines += [f"  {found}" for found in comparison.levels]
    if comparison.panel.pairs is not None:
        used = int((comparison.panel.pairs > 0).any(axis=0).sum())
        lines.append(f"  matched: {used} comparison units")
    return lines


def _known(spec: Specification, comparison: Comparison) -> list[str]:
    """What simulation says of the level of the declared inferences with as many treated clusters."""
    if not counted(comparison.panel, spec.target.every):
        return []
    panel = comparison.panel.weighted(spec.target.every)
    weight = np.bincount(panel.cluster, weights=np.where(panel.treated, panel.weight, 0.0))
    count = int((weight > 0).sum())
    if not count:
        return []
    name, share = spec.estimator.name, float(weight.max() / weight.sum())
    words = {
        how.name: "unsized" if panel.covariates else support(name, how.name, count, share)
        for how in (spec.inference, *spec.inference.beside)
    }
    told = ", ".join(f"{how} {word}" for how, word in words.items())
    return [f"  {count} treated clusters, the largest with {share:.0%} of the weight; level by simulation: {told}"]


def _chosen(found: Selection | None) -> list[str]:
    """What choosing areas on a score may have done."""
    if found is None:
        return []
    lines = [f"  chosen on {', '.join(found.waves)}"]
    if found.reliability is not None:
        lines.append(f"  reliability of that score: {found.reliability:.2f} (from {found.low:.2f} to {found.high:.2f})")
    for name, value in (("without matching", found.unmatched), ("as matched", found.matched)):
        if value is not None:
            dates = f"{found.dates[0]} to {found.dates[-1]}"
            lines.append(f"  the same choice at invented starts from {dates}, {name}: {value:.3g}")
    return [*lines, *(f"  {refused}" for refused in found.refused)]


def _summed(spec: Specification, comparison: Comparison) -> str:
    """What an alternative compares with what, in one line, and which thresholds it does not meet."""
    inside = sum(not area.left_out for area in comparison.areas)
    pool = int(comparison.pool.keep.sum())
    line = (
        f"  {inside} of {len(comparison.areas)} areas, {int(comparison.panel.treated.sum())} units; {pool} to compare"
    )
    wrong = [check for check in gates(spec, comparison) if check.gates and check.verdict != "pass"]
    return line + "".join(f"; check {one.name}: {one.verdict.replace('_', ' ')}{_meaning(spec, one)}" for one in wrong)


def _meaning(spec: Specification, check: Check) -> str:
    """What it means for the estimate that a check is not passed."""
    if check.verdict == "pass":
        return ""
    why = foreseen(spec.checks).get(check.name)
    return f"; foreseen: {why}" if why is not None else "; no estimate would be given" if check.gates else ""
