"""After hiding: no sentence repeats a number that is not shown, and none has more digits than the report prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from impact.disclosure.profile import Profile
from impact.evidence.in_persons import AlsoAs
from impact.evidence.language import decimals
from impact.evidence.record import BalanceRow, Estimate, Evidence, Variant

__all__ = ["redacted", "rounded"]

_T = TypeVar("_T")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def numbers(value: Any) -> Iterator[float]:
    """Every number that is no whole count, in a record and all that it holds."""
    if isinstance(value, float):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from numbers(getattr(value, one.name))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)


def redacted(evidence: Evidence, before: Evidence) -> Evidence:
    """Without sentences in which a number of three digits or more stands that is not shown elsewhere any more."""
    gone = set(map(abs, numbers(before))) - set(map(abs, numbers(evidence)))

    def clean(text: str) -> bool:
        return not any(_repeats(found[0], gone) for found in _NUMBER.finditer(text))

    return replace(
        evidence,
        notes=tuple(text for text in evidence.notes if clean(text)),
        remarks=tuple(text for text in evidence.remarks if clean(text)),
        checks=tuple(check if clean(check.because) else replace(check, because="") for check in evidence.checks),
    )


def _repeats(written: str, gone: set[float]) -> bool:
    whole, _, part = written.replace(",", ".").rpartition(".")
    whole = whole.replace(".", "")  # thousands may be set apart
    if not whole or len(f"{whole}{part}".lstrip("0")) < 2:
        return False  # a year or a count
    return any(f"{number:.{len(part)}f}" == f"{whole}.{part}" for number in gone)


def rounded(evidence: Evidence, profile: Profile) -> Evidence:
    """Every number as it is printed; counts of persons as multiples of the base of the profile."""
    own = evidence.primary
    digits = decimals(own.std_error, own.value or 0.0) if own.value is not None else 2

    def variants(rows: tuple[Variant, ...]) -> tuple[Variant, ...]:
        return tuple(replace(row, estimate=_estimate(row.estimate)) for row in rows)

    robust = _walk(evidence.robust, max(digits, 2))
    if robust is not None and robust.ring is not None and profile.round_to is not None:
        base = profile.round_to
        ring: dict[str, Any] = {
            name: None if x is None else float(round(x / base) * base)
            for name in ("residents_area", "residents_ring")
            for x in [getattr(robust.ring, name)]
        }
        robust = replace(robust, ring=replace(robust.ring, **ring))
    return replace(
        evidence,
        primary=_estimate(own),
        weightings=variants(evidence.weightings),
        alternatives=variants(evidence.alternatives),
        bracket=variants(evidence.bracket),
        event=tuple(map(_estimate, evidence.event)),
        change=_walk(evidence.change, digits),
        also_as=_base(evidence.also_as, profile),
        path=_walk(evidence.path, digits),
        balance=tuple(map(_balance, evidence.balance)),
        robust=robust,
        selection=_walk(evidence.selection, max(digits, 2)),
        families=_walk(evidence.families, max(digits, 4)),
        placebos=_walk(evidence.placebos, digits),
        checks=tuple(
            replace(check, statistic=None if check.statistic is None else _significant(check.statistic))
            for check in evidence.checks
        ),
    )


def _base(also: AlsoAs | None, profile: Profile) -> AlsoAs | None:
    """The people behind an estimate as a multiple of the base of the profile."""
    if also is None or also.base is None or profile.round_to is None:
        return also
    return replace(also, base=float(round(also.base / profile.round_to) * profile.round_to) or None)


def _walk(value: _T, digits: int) -> _T:
    """Every number in a record to so many decimals."""
    if isinstance(value, float):
        return round(value, digits)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _walk(getattr(value, one.name), digits) for one in fields(value)})
    if isinstance(value, tuple):
        return tuple(_walk(item, digits) for item in value)  # type: ignore[return-value]
    return value


def _significant(x: float, digits: int = 3) -> float:
    return float(f"{x:.{digits}g}")


def _estimate(estimate: Estimate) -> Estimate:
    """As it is printed: to what its standard error supports."""
    if estimate.value is None:
        return estimate
    digits = decimals(estimate.std_error, estimate.value)
    places = {"p_value": 3, "df": 1, "largest_share": 2, "effective_clusters": 1, "known_share": 2}
    own: dict[str, Any] = {
        name: None if x is None else round(x, most) for name, most in places.items() for x in [getattr(estimate, name)]
    }
    error = None if estimate.std_error is None else _significant(estimate.std_error, 2)
    out = _walk(replace(estimate, beside=()), digits)
    return replace(out, std_error=error, beside=_walk(estimate.beside, 4), level=estimate.level, **own)


def _balance(row: BalanceRow) -> BalanceRow:
    means: dict[str, Any] = {name: _significant(getattr(row, name)) for name in ("focus", "pool", "matched")}
    return replace(_walk(row, 2), **means)
