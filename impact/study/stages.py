"""Where two runs of one study differ: the first stage that does, the number that differs most, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from impact.evidence.grade_form import SIGNATURES
from impact.study.bundle import MANIFEST
from impact.study.crate import INPUTS, LEDGER, LOCK
from impact.study.digits import agree, digits_of
from impact.study.strict import strict

__all__ = ["STAGES", "STAGE_OF", "Difference", "compared", "stage_of_file"]

STAGES: Final = ("data", "comparison", "estimate", "inference", "checks", "alternatives", "figures", "report")
"""In the order in which a run makes them: what differs in one may differ in all that come after."""

_SAME: Final = frozenset({"versions"})
# Every part of the evidence, by the stage that makes it; those of an estimate are told apart below.
STAGE_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("study", "title", "question", "seen_before", "status", "placebo", "seed", "spec_sha256", "schema", "standing"),
        "data",
    ),
    **dict.fromkeys(
        ("indicator", "outcome", "unit", "better", "smallest", "smallest_why", "data", "periods", "window"), "data"
    ),
    **dict.fromkeys(("phrase", "needed", "context"), "data"),
    **dict.fromkeys(("periods_left_out", "not_measurable", "anticipation", "level", "siblings", "belongs_to"), "data"),
    **dict.fromkeys(
        ("areas_total", "areas", "pool", "compared", "balance", "flow", "excluded", "shared"), "comparison"
    ),
    **dict.fromkeys(("selection", "population", "made_of", "units", "map", "map_source", "covariates"), "comparison"),
    **dict.fromkeys(("primary", "weightings", "event", "change", "also_as", "path"), "estimate"),
    **dict.fromkeys(("checks", "refusals", "notes", "remarks"), "checks"),
    **dict.fromkeys(("look", "placebos"), "inference"),
    **dict.fromkeys(("disclosed", "translations", "untranslated", "signed"), "report"),
    **dict.fromkeys(("alternatives", "bracket", "robust", "families", "programme"), "alternatives"),
}
_ESTIMATES: Final = ("primary", "weightings", "event")
_INFERENCE: Final = frozenset(
    ("std_error", "df", "low", "high", "p_value", "beside", "refused", "band_low", "band_high", "known_share")
)
# What stands beside the results, and what repeats its digests.
_NOT_MADE: Final = frozenset(
    ("results.json", MANIFEST, LOCK, LEDGER, SIGNATURES, "environment.json", "ro-crate-metadata.json")
)
_IN_UNITS: Final = frozenset(
    (*_ESTIMATES, "change", "path", "alternatives", "bracket", "robust", "families", "placebos")
)
_REST: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs.

    Attributes
    ----------
    stage : str
    path : str
        Where it stands in ``results.json``, or the file.
    one, other : str
        As they are written; "" for a file.
    size : float
        Relative to the larger; inf for what is no number.
    """

    stage: str
    path: str
    one: str = ""
    other: str = ""
    size: float = float("inf")


def stage_of_file(name: str) -> str:
    """The stage that makes a file, but for ``results.json``."""
    if name.startswith(INPUTS):
        return "data"
    if name == "aggregates.csv":
        return "inference"
    return "figures" if name.startswith("figures/") else "report"


def compared(
    made: Mapping[str, bytes], again: Mapping[str, bytes], *, versions: bool
) -> tuple[list[Difference], tuple[str, ...]]:
    """What differs, by stage, the largest first; and the files whose bytes do while every number agrees.

    Parameters
    ----------
    made, again : mapping of name to bytes
        The bundle and the second run.
    versions : bool
        Whether both were made by the same versions of everything: else pictures and pages are not compared.
    """
    one, other = (strict(files["results.json"])["outcomes"] for files in (made, again))
    found = list(_walk(one, other, (), 0, [_size(outcome.get("primary", {})) for outcome in one]))
    names = sorted((made.keys() | again.keys()) - _NOT_MADE)
    apart = tuple(name for name in names if made.get(name) != again.get(name) and not name.startswith(INPUTS))
    if versions and not found and made["results.json"] == again["results.json"]:
        found += [Difference(stage_of_file(name), name) for name in apart]
        apart = ()
    order = {stage: place for place, stage in enumerate(STAGES)}
    return sorted(found, key=lambda one: (order[one.stage], -one.size)), apart


def _walk(
    one: Any, other: Any, path: tuple[str | int, ...], digits: int, sizes: Sequence[float]
) -> Iterator[Difference]:
    """Leaves that differ; `digits` are those of the estimator that the values are about, `sizes` of the outcomes."""
    if isinstance(one, dict) and isinstance(other, dict):
        if len(path) == 1:
            digits = digits_of(str(one.get("primary", {}).get("method", "")))
        digits = digits_of(str(one["method"])) if "method" in one and len(path) > 1 else digits
        for key in sorted(one.keys() | other.keys()):
            if key not in _SAME:
                yield from _walk(one.get(key), other.get(key), (*path, key), digits, sizes)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _walk(left, right, (*path, place), digits, sizes)
    elif _number(one) and _number(other):
        if not agree(one, other, digits, _scale(path, sizes)):
            yield Difference(
                _stage(path), _spoken(path), repr(one), repr(other), abs(one - other) / max(abs(one), abs(other))
            )
    elif one != other:
        yield Difference(_stage(path), _spoken(path), _short(one), _short(other))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(path: Sequence[str | int], sizes: Sequence[float]) -> float:
    """What the last digits are held against of a number that may be no more than the rest of a subtraction."""
    return _REST * (sizes[int(path[0])] if len(path) > 1 and path[1] in _IN_UNITS else 1.0)


def _size(primary: Mapping[str, Any]) -> float:
    """How large differences are in the unit of an outcome: its standard error, else the estimate."""
    known = (primary.get(name) for name in ("std_error", "value"))
    return next((abs(float(one)) for one in known if _number(one) and one), 1.0)


def _stage(path: Sequence[str | int]) -> str:
    part = str(path[1]) if len(path) > 1 else ""
    if part in _ESTIMATES and _INFERENCE & set(map(str, path)):
        return "inference"
    return STAGE_OF.get(part, "checks")


def _spoken(path: Sequence[str | int]) -> str:
    """As ``primary.low`` of the first outcome, or ``2: primary.low`` of the second."""
    place, *rest = path or (0,)
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest).lstrip(".")
    return text if place == 0 else f"{int(place) + 1}: {text}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
