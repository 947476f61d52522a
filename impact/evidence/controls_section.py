"""Negative controls in a report: what the design found where there is nothing, and what that makes of the estimate."""

from __future__ import annotations

from collections.abc import Iterator

from impact.evidence.comparison import columns, count
from impact.evidence.controls import Control, NegativeControls
from impact.evidence.document import Block, Cell, Paragraph, Table
from impact.evidence.language import Texts, decimals, number, p_value, significant
from impact.evidence.reading import in_language, printed, reason, size, with_unit
from impact.evidence.record import Evidence

__all__ = ["negative_controls"]


def negative_controls(found: NegativeControls | None, evidence: Evidence, say: Texts) -> Iterator[Block]:
    """Nothing in a study without controls."""
    if found is None:
        return
    tally = {kind: sum(one.kind == kind for one in found.each) for kind in ("outcome", "areas")}
    pieces: list[Cell] = [
        say("robust.controls.intro", outcomes=count(tally["outcome"], say), areas=count(tally["areas"], say))
    ]
    pieces += _systematic(found, evidence, say)
    if found.refused is not None:
        pieces += [say("robust.controls.refused"), reason(found.refused, evidence, say)[1]]
        pieces += [reason(found.refused, evidence, say)[2]]
    else:
        pieces += _calibrated(found, evidence, say)
    yield Paragraph(tuple(pieces))
    yield Table(
        say("robust.controls.caption", unit=evidence.unit),
        columns("robust.controls", "name kind why value error scaled", "value error scaled", say),
        tuple(_row(one, evidence, say) for one in found.each),
        say("robust.controls.note"),
    )


def _systematic(found: NegativeControls, evidence: Evidence, say: Texts) -> Iterator[str]:
    if found.mean is None or found.sd is None:
        return
    spread = with_unit(significant(found.sd, say.language, 2), evidence.unit)
    mean = with_unit(significant(abs(found.mean), say.language, 2), evidence.unit)
    side = "none" if found.mean == 0 else "lower" if found.mean < 0 else "higher"
    yield say("robust.controls.mean", count=count(found.counted, say), mean=say(f"robust.controls.{side}", mean=mean))
    yield say("robust.controls.spread", spread=spread) if found.sd > 0 else say("robust.controls.chance")


def _calibrated(found: NegativeControls, evidence: Evidence, say: Texts) -> Iterator[str]:
    shown = printed(evidence.primary)
    if found.value is None or found.low is None or found.high is None or found.p_value is None or shown is None:
        return
    digits = shown.digits
    low, high = round(found.low, digits), round(found.high, digits)
    yield say(
        "robust.controls.calibrated",
        value=size(found.value, digits, say, evidence.unit),
        low=size(low, digits, say),
        high=size(high, digits, say),
        level=say("format.percent", number=number(100 * evidence.primary.level, say.language, 0)),
        p=p_value(found.p_value, say.language),
    )
    yield say("robust.controls.inside" if low <= 0 <= high else "robust.controls.outside")
    yield say("robust.controls.beside")


def _row(found: Control, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    head = (in_language(found.name, say.language), say(f"robust.controls.kind_{found.kind}"), found.why)
    if found.value is None or found.refused is not None:
        why = say("words.not_given") if found.refused is None else reason(found.refused, evidence, say)[1]
        return (*head, why, "", "")
    digits = decimals(found.std_error, found.value)
    shown = printed(evidence.primary)
    scaled = (
        "" if found.scaled is None else number(found.scaled, say.language, shown.digits if shown else digits, sign=True)
    )
    error = "" if found.std_error is None else number(found.std_error, say.language, digits)
    return (*head, with_unit(number(found.value, say.language, digits, sign=True), found.unit), error, scaled)
