"""How far the comparison of a treated area can be trusted: its fit before the start, and what it leans on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from impact.arrays import Float1, Float2
from impact.cells import Fit, Piece
from impact.errors import Refused
from impact.longtable import few
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel

__all__ = ["Caution", "Diagnosis", "Kind", "briefly", "concentration", "diagnose", "noise", "piece_names", "reach"]

Kind = Literal["outside-hull", "fits-noise", "not-unique", "did-in-disguise", "one-donor", "extrapolates", "beyond"]

# With twice as many donors as periods, pure noise around the donors' centre is as likely inside their hull as outside
# it (Wendel 1962, Mathematica Scandinavica 11): a close fit can then be had by chance.
MANY: Final = 2.0
# An area whose figures err by σ misses even its true comparison by σ or more; to miss by half is to have fitted three
# quarters of the variance of the error.
FITTED: Final = 0.5
# Weights that are even but for a tenth of the donors are the plain mean for every practical purpose.
EVEN: Final = 0.9
# From here on one donor counts for more than all others together, and its own shocks are the comparison's.
ONE: Final = 0.5
# Weights that sum to −0.5 are offset by 1.5: half as much is taken away as is compared with.
NEGATIVE: Final = 0.5
# As a share of the donors' range in the period, or of everything observed: less may be one odd year.
OUTSIDE: Final = 0.1
# Differences below this share of the largest figure are rounding.
_ROUNDING: Final = 1e-12

_SHORT: Final[dict[Kind, str]] = {
    "outside-hull": "the path before the start lies outside what donors can mix for",
    "fits-noise": "the close fit may be chance (few periods, many donors) for",
    "not-unique": "other donor weights fit as well for",
    "did-in-disguise": "even donor weights, in fact difference-in-differences, for",
    "one-donor": "one donor has more than half of the weight for",
    "extrapolates": "the comparison extrapolates from the donors for",
    "beyond": "imputed outcomes are far outside all that was observed for",
}
_NOTED: Final[frozenset[Kind]] = frozenset({"not-unique", "did-in-disguise", "extrapolates", "beyond"})


@dataclass(frozen=True, slots=True)
class Caution:
    """What a reader must weigh: its kind, and a sentence with the numbers of this area."""

    kind: Kind
    says: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The comparison of one treated area (or group). In units of the outcome where nothing else is said.

    Attributes
    ----------
    area : str
    periods, donors : int
        T0 periods it was learned from, and J units that could have weight.
    rmspe : float
        Root mean square over these periods of the gap between the area and its comparison, net of the base where there
        is one.
    rmspe_relative : float or None
        Relative to the standard deviation of all the donors' outcomes in these periods (levels and changes together);
        None where they do not vary.
    noise : float or None
        How much single figures vary by themselves: the standard deviation of the donors' changes from one of these
        periods to the next around the mean change, over √2. As if what is left were error without memory; trends that
        differ between donors are in it. None with one period.
    in_hull : bool or None
        Whether some mix of the donors (weights of at least 0 that sum to 1; with a base also a constant) has the area's
        path before the start exactly. None where the solver could not tell.
    distance : float
        RMSPE of the mix of donors that comes closest.
    weighted : int
        Donors with weight.
    effective_donors : float
        (Σ|w|)² / Σw²: 1/Σw² for weights on the simplex. 0 where nobody has weight.
    largest_share : float
        Of one donor, in Σ|w|.
    largest_donor : str
        Who that is; "" where nobody has weight.
    negative : float
        Sum of the negative weights, 0 or less.
    outside : float
        Farthest that an imputed outcome lies outside the donors' range in its period, both net of the base where there
        is one. 0 for weights on the simplex.
    beyond : float
        Farthest that an imputed outcome lies outside everything observed: the donors at any time, and the area before
        its start.
    cautions : tuple of Caution
    """

    area: str
    periods: int
    donors: int
    rmspe: float
    rmspe_relative: float | None
    noise: float | None
    in_hull: bool | None
    distance: float
    weighted: int
    effective_donors: float
    largest_share: float
    largest_donor: str
    negative: float
    outside: float
    beyond: float
    cautions: tuple[Caution, ...]


def diagnose(panel: Panel, fit: Fit) -> tuple[Diagnosis, ...] | Refused:
    """A diagnosis of every comparison in `fit`; `panel` is the prepared one that gave it.

    Refused where the estimator does not look for weights that follow a treated area.
    """
    pieces = fit.pieces
    untreated = fit.untreated if fit.compared else None
    if pieces is None or untreated is None:
        return Refused(
            "a diagnosis of the comparison",
            "this estimator does not look for weights that follow the treated areas",
            "Look at the effects before the start instead: target='event'.",
        )
    return tuple(
        _diagnosis(panel, part, name, untreated, pieces.unit[row], pieces.time[row])
        for row, (part, name) in enumerate(zip(fit.compared, piece_names(panel, fit), strict=True))
    )


def piece_names(panel: Panel, fit: Fit) -> tuple[str, ...]:
    """Name of every piece; with the first treated period where an area has two of them."""
    names = [part.name for part in fit.compared]
    return tuple(
        part.name
        if names.count(part.name) == 1
        else f"{part.name} (from {panel.periods[int(panel.groups[part.group])]})"
        for part in fit.compared
    )


def briefly(found: Sequence[Diagnosis]) -> list[str]:
    """One line for every kind of caution that the notes of a fit do not hold, with the areas."""
    lines = []
    for kind, text in _SHORT.items():
        names = [one.area for one in found if any(caution.kind == kind for caution in one.cautions)]
        if names and kind not in _NOTED:
            lines.append(f"{text} {few(names)}" + (f" ({len(names)} of {len(found)})" if len(found) > 1 else ""))
    return [*lines, "more in result.diagnostics()"] if lines else []


# --- numbers ----------------------------------------------------------------------------------------------------------


def noise(donors: Float2) -> float | None:
    """Standard deviation of the changes of `donors` (J, T0) around the mean change, over √2; None with one period."""
    if donors.shape[1] < 2:
        return None
    change = np.diff(donors, axis=1)
    return _unless_rounding(float(np.sqrt(np.mean((change - change.mean(axis=0)) ** 2) / 2)), donors)


def reach(donors: Float2, path: Float1, *, base: bool) -> tuple[float, bool | None]:
    """How close a mix of `donors` (J, T0) comes to `path` (T0,): its RMSPE, and whether that is 0 to rounding.

    With `base` up to a constant. "To rounding" is what the certificate of the exact program can tell: a sum of squares
    of `GAP` times that of the median donor.
    """
    if base:
        donors, path = donors - donors.mean(axis=1, keepdims=True), path - path.mean()
    found = solve(donors.T, path)
    scale = float(np.median(((donors - path) ** 2).sum(axis=1)))
    rounding = len(path) * (8 * np.finfo(float).eps * float(np.abs(donors).max())) ** 2
    inside: bool | None = bool(found.objective <= max(found.gap, GAP) * scale + rounding)
    if inside and found.status != "optimal":
        inside = None
    return _unless_rounding(float(np.sqrt(max(found.objective, 0.0) / len(path))), donors), inside


def concentration(weights: Float1) -> tuple[float, float, int]:
    """Effective number (Σ|w|)² / Σw² of `weights` (N,), the largest share in Σ|w|, and whose it is."""
    size = np.abs(weights)
    total = float(size.sum())
    if total == 0:
        return 0.0, 0.0, 0
    largest = int(np.argmax(size))
    return total**2 / float(size @ size), float(size[largest]) / total, largest


def _excess(path: Float1, low: Float1 | float, high: Float1 | float) -> Float1:
    """How far `path` lies outside [`low`, `high`], beyond rounding; 0 where these are not known."""
    out = np.maximum(np.maximum(low - path, path - high), 0.0)
    return np.where(out > 1e-10 * (np.abs(low) + np.abs(high)), out, 0.0)


def _unless_rounding(value: float, figures: Float2) -> float:
    return value if value > _ROUNDING * float(np.abs(figures).max()) else 0.0


# --- one area ---------------------------------------------------------------------------------------------------------


def _diagnosis(panel: Panel, part: Piece, name: str, untreated: Float2, unit: Float1, time: Float1) -> Diagnosis:
    path, imputed = part.share @ panel.y[part.rows], part.share @ untreated[part.rows]
    donors, base = panel.y[part.donors], bool(time.any())
    before = donors[:, part.before]
    untouched = np.where(panel.treated_cells()[part.donors], np.nan, donors)  # who starts later may be a donor
    rmspe = _unless_rounding(float(np.sqrt(np.mean((path - imputed)[part.before] ** 2))), before)
    spread = _unless_rounding(float(before.std()), before)
    distance, inside = reach(before, path[part.before], base=base)
    effective, share, largest = concentration(unit)

    net = untouched - (donors @ time)[:, None]  # of the base, where there is one
    low, high = np.fmin.reduce(net), np.fmax.reduce(net)
    outside = _excess(imputed - imputed @ time, low, high)
    seen = np.r_[untouched[np.isfinite(untouched)], path[: int(panel.first[part.rows[0]])]]
    beyond = _excess(imputed, seen.min(), seen.max())

    one = Diagnosis(
        area=name,
        periods=len(part.before),
        donors=len(part.donors),
        rmspe=rmspe,
        rmspe_relative=rmspe / spread if spread > 0 else None,
        noise=noise(before),
        in_hull=inside,
        distance=distance,
        weighted=int(np.count_nonzero(unit)),
        effective_donors=effective,
        largest_share=share,
        largest_donor=panel.units[largest] if share > 0 else "",
        negative=float(unit[unit < 0].sum()),
        outside=float(outside.max()),
        beyond=float(beyond.max()),
        cautions=(),
    )
    says: dict[Kind, str] = {
        **_of_fit(one, panel.unit),
        **_of_weights(one, unique=part.unique, base=base),
        **_of_reach(one, panel.unit, bool((outside > OUTSIDE * (high - low)).any()), float(np.ptp(seen))),
    }
    return replace(one, cautions=tuple(Caution(kind, says[kind]) for kind in _SHORT if kind in says))


def _of_fit(one: Diagnosis, unit: str) -> dict[Kind, str]:
    """How close the comparison comes before the start: not close enough, or closer than there is reason for."""
    by_itself = one.noise or 0.0
    says: dict[Kind, str] = {}
    if one.in_hull is False and one.distance > by_itself:
        then = (
            "Part of the gap after the start may be that."
            if one.rmspe > by_itself
            else "The comparison follows it by extrapolation only."
        )
        says["outside-hull"] = (
            "The path before the start lies outside what donors can mix: the closest mix misses it by "
            f"{_number(one.distance, unit)}, where a figure varies by {_number(by_itself, unit)} by itself. {then}"
        )
    if one.donors >= MANY * one.periods and one.rmspe <= FITTED * by_itself and by_itself > 0:
        says["fits-noise"] = (
            f"{one.donors} donors can follow {one.periods} periods by chance: the comparison misses them by "
            f"{_number(one.rmspe, unit)}, where a figure varies by {_number(by_itself, unit)} by itself. So close a "
            "fit is no evidence."
        )
    return says


def _of_weights(one: Diagnosis, *, unique: bool, base: bool) -> dict[Kind, str]:
    says: dict[Kind, str] = {}
    if not unique:
        says["not-unique"] = "Other weights of the donors fit as well; those of least norm are taken."
    if base and one.effective_donors >= EVEN * one.donors:
        says["did-in-disguise"] = (
            f"The weights are even ({one.effective_donors:.1f} effective of {one.donors} donors): with its base this "
            "is difference-in-differences under another name."
        )
    if one.largest_share > ONE * (1 + _ROUNDING):
        says["one-donor"] = f"{one.largest_donor} has {one.largest_share:.0%} of the weight."
    return says


def _of_reach(one: Diagnosis, unit: str, outside: bool, span: float) -> dict[Kind, str]:
    says: dict[Kind, str] = {}
    if outside or one.negative < -NEGATIVE:
        says["extrapolates"] = (
            f"The comparison extrapolates: negative weights sum to {_number(one.negative)}, and imputed outcomes lie "
            f"up to {_number(one.outside, unit)} outside the range of the donors."
        )
    if one.beyond > OUTSIDE * span:
        says["beyond"] = (
            f"Imputed outcomes lie up to {_number(one.beyond, unit)} outside all that was observed, which spans "
            f"{_number(span, unit)}."
        )
    return says


def _number(value: float, unit: str = "") -> str:
    return f"{value:.3g} {unit}".rstrip().replace("-", "\N{MINUS SIGN}", 1 if value < 0 else 0)
