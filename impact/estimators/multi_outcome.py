"""Synthetic control on a family of outcomes: one set of weights that follows all of them before the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, TypeAlias, get_args

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.cells import Fit, Piece, Weights
from impact.errors import Refused
from impact.estimators.synthetic import Solved, Synthetic, placed, trace
from impact.longtable import few
from impact.numerics.constrained import unique_on_face
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel

__all__ = ["Combine", "Errors", "MultiOutcomeSyntheticControl"]

Combine = Literal["concatenated", "averaged"]
Errors: TypeAlias = "Mapping[str, float | str] | Sequence[tuple[str, float | str]]"

_CONSTANT: Final = 1e-10  # a spread below this share of the largest figure is rounding
_LEAST: Final = (
    0.01  # donors differ truly by this share of the variance that is seen, whatever the errors are said to be
)


@dataclass(frozen=True, slots=True)
class MultiOutcomeSyntheticControl(Synthetic):
    """One program per treated area on the outcome and its family, every figure before the start a row.

    Outcomes that move for the same reasons say more about which donors are alike than one outcome over few periods, and
    their noise is harder to fit by chance. Which member of the family is the outcome of the panel makes no difference
    to the weights, so running every member in turn gives one comparison for all. Only figures from before the start are
    used, so effects on the other members change nothing.

    Every outcome is divided by its standard deviation over the donors and the periods that are used, of what is left
    after the mean of the donors in every period (and, with `intercept`, after every unit's own mean). Where sampling
    errors are known, the sampling variance of the period, as an average over the donors, takes the place of the average
    over the periods: a row is divided by the root of the variance that is no sampling error (at least a hundredth of
    all) plus that of its own period. So rows count by how precise they are, and no outcome counts for more because its
    error is not known. Outcomes without spread among donors cannot tell them apart and are left out, and so are periods
    in which an outcome was not observed: all with a note.

    Parameters
    ----------
    outcomes : sequence of str
        The other members of the family: ``Panel.series``, or covariates, that change over time.
    combine : {"concatenated", "averaged"}
        Every outcome in every period is a row, or the mean of the outcomes in every period is one: less noise, at the
        price that differences in one outcome can hide behind those in another.
    opposite : sequence of str
        Members of the family for which more means what less means for the outcome of the panel: their sign is turned
        before they are averaged. Concatenated, the direction makes no difference.
    errors : mapping of str to float or str
        Known sampling errors of the other members, as standard deviations: a number, or the name of the series that
        holds them. That of the outcome itself is ``Panel.se``.
    intercept : bool
        Every unit less its own mean over the periods before the start, outcome by outcome, so that fixed differences in
        level are allowed.
    anticipation, missing
        See `Synthetic`; donors must have all figures of the family that are used.

    References
    ----------
    Sun, Ben-Michael & Feller (2025), Review of Economics and Statistics (arXiv 2311.16260), section 3; Tian, Lee &
    Panchenko (2024), arXiv 2304.02272.
    """

    outcomes: Sequence[str] = ()
    combine: Combine = "concatenated"
    opposite: Sequence[str] = ()
    errors: Errors = field(default=())
    intercept: bool = True

    name: ClassVar[str] = "multi-outcome-synthetic-control"

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        for name in ("outcomes", "opposite"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        pairs = self.errors.items() if isinstance(self.errors, Mapping) else self.errors
        object.__setattr__(self, "errors", tuple(sorted(pairs, key=lambda pair: pair[0])))
        if len(set(self.outcomes)) < len(self.outcomes):
            raise ValueError("outcomes names a member of the family twice")
        if self.combine not in get_args(Combine):
            raise ValueError(f"combine={self.combine!r} is not one of {', '.join(get_args(Combine))}")
        for what, names in (("opposite", self.opposite), ("errors", tuple(self._errors))):
            if not set(names) <= set(self.outcomes):
                raise ValueError(f"{what} names {', '.join(sorted(set(names) - set(self.outcomes)))}, not in outcomes")
        for known in self._errors.values():
            if not isinstance(known, str) and not 0 <= known < np.inf:
                raise ValueError("errors are standard deviations, 0 or more, or names of series")

    @property
    def _errors(self) -> dict[str, float | str]:
        return dict(self.errors)

    def null_model(self) -> MultiOutcomeSyntheticControl:
        """Itself."""
        return self

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """Covariates that are in the family are used."""
        used = {*self.outcomes, *(name for name in self._errors.values() if isinstance(name, str))}
        rest = {name: values for name, values in panel.covariates.items() if name not in used}
        said = [] if self.outcomes else ["no other outcome is named: this is a synthetic control on one outcome"]
        gone = self._lost(panel) if set(self.outcomes) <= set(panel.figures) else []
        if gone:
            said.append(f"{len(gone)} donors miss figures of the family before the start and are left out: {few(gone)}")
        return (*said, *Synthetic.remarks(self, replace(panel, covariates=rest)))

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """As `Synthetic.fit`, once the family is there."""
        refused = self._unfit(panel)
        return Synthetic.fit(self, panel, learn=learn, hold=hold) if refused is None else refused

    def serving(self, panel: Panel, start: int) -> Bool1:
        """Never-treated units that have the family in every period before the start in which any of them has it."""
        return np.asarray(panel.never & ~self._holes(panel, start))

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """The weights of one piece alone."""
        return self.solve_all(panel, [part])[0]

    def solve_all(self, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
        """One program for every piece; what was left out is said once for all."""
        found: list[Solved | Refused] = []
        left_out: dict[str, list[str]] = {}
        for part in parts:
            rows = self._family(panel, part)
            found.append(self._weights(panel, part, rows))
            for says in () if isinstance(rows, Refused) else rows.left_out:
                left_out.setdefault(says, []).append(part.name)
        if isinstance(found[0], Solved):
            notes = [says if len(names) == len(parts) else f"{few(names)}: {says}" for says, names in left_out.items()]
            found[0] = replace(found[0], notes=tuple(notes))
        return found

    def _weights(self, panel: Panel, part: Piece, rows: _Rows | Refused) -> Solved | Refused:
        if isinstance(rows, Refused):
            return rows
        found = solve(rows.a, rows.b)
        if found.status != "optimal":
            return Refused(
                f"the synthetic control of {part.name}",
                f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}",
                "Leave out donors whose level is far from all others.",
            )
        time = np.zeros(len(panel.periods))
        if self.intercept:
            time[part.before] = 1 / len(part.before)
        unique = unique_on_face(rows.a, rows.b, found.weights)
        return Solved(placed(panel, part, found.weights), time, (trace("exact", found),), unique)

    def _family(self, panel: Panel, part: Piece) -> _Rows | Refused:
        """The rows of the program of one piece."""
        known = self._errors
        members = [_Member("the outcome", panel.y, panel.se, 1.0)]
        for name in self.outcomes:
            error = known.get(name)
            held = panel.figures[error] if isinstance(error, str) else error
            spread = None if held is None else np.broadcast_to(np.asarray(held, dtype=np.float64), panel.y.shape)
            members.append(_Member(name, panel.figures[name], spread, -1.0 if name in self.opposite else 1.0))
        parts, left_out = [], []
        for member in members:
            found = _standard(member, panel, part, intercept=self.intercept)
            if isinstance(found, Refused):
                return found
            if found.says:
                left_out.append(found.says)
            if len(found.used):
                parts.append(found)
        if not parts:  # nothing tells the donors apart
            return _Rows(np.zeros((1, len(part.donors))), np.zeros(1), tuple(left_out))
        if self.combine == "concatenated":
            a, b = np.vstack([one.a for one in parts]), np.concatenate([one.b for one in parts])
            return _Rows(a, b, tuple(left_out))
        periods = np.unique(np.concatenate([one.used for one in parts]))
        a, b, count = np.zeros((len(periods), len(part.donors))), np.zeros(len(periods)), np.zeros(len(periods))
        for one in parts:
            rows = np.searchsorted(periods, one.used)
            a[rows] += one.a
            b[rows] += one.b
            count[rows] += 1
        return _Rows(a / count[:, None], b / count, tuple(left_out))

    def _holes(self, panel: Panel, start: int) -> Bool1:
        """(N,) units without some figure of the family in a period before `start` in which a donor has it."""
        before = slice(0, max(start - self.anticipation, 0))
        found = np.zeros(len(panel.units), dtype=bool)
        for name in self.outcomes:
            missing = np.isnan(panel.figures[name][:, before])
            wave = ~missing[panel.never & (panel.weight > 0)].all(axis=0)
            found |= missing[:, wave].any(axis=1)
        return found

    def _unfit(self, panel: Panel) -> Refused | None:
        """Why the family cannot be used, or None."""
        what = f"an estimate by {self.name}"
        names = (*self.outcomes, *(name for name in self._errors.values() if isinstance(name, str)))
        unknown = [name for name in names if name not in panel.figures]
        if unknown:
            known = ", ".join(panel.figures) or "none"
            return Refused(
                what,
                f"{', '.join(unknown)} is no series of the panel",
                f"Name its column with series= in Panel.from_frame; there are: {known}.",
            )
        fixed = [name for name in self.outcomes if panel.figures[name].shape[1] == 1 < len(panel.periods)]
        if fixed:
            return Refused(
                what, f"{', '.join(fixed)} does not change over time", "Leave it out of the family: it has no course."
            )
        gone = self._lost(panel)
        if gone and self.missing == "refuse":
            return Refused(
                what,
                f"{len(gone)} donors miss figures of the family before the start ({few(gone)})",
                "Leave these units or that outcome out by name, or use missing='drop-donors'; nothing is filled in.",
            )
        return None

    def _lost(self, panel: Panel) -> list[str]:
        """Donors that miss figures before some start."""
        lost = np.zeros(len(panel.units), dtype=bool)
        for start in np.unique(panel.groups):
            lost |= self._holes(panel, int(start))
        return [panel.units[row] for row in np.flatnonzero(lost & panel.never & (panel.weight > 0))]


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """One outcome of the family: (N, T) figures, (N, T) standard errors where known, and the sign in averages."""

    name: str
    values: Float2
    error: Float2 | None
    sign: float


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Standardised rows of one outcome: (U, J) of donors, (U,) of the treated; in which periods; what was left out."""

    a: Float2
    b: Float1
    used: Int1
    says: str


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The program of one piece, and what was left out."""

    a: Float2
    b: Float1
    left_out: tuple[str, ...]


def _standard(member: _Member, panel: Panel, part: Piece, *, intercept: bool) -> _Part | Refused:
    """The rows of one outcome, in units of the root of what donors truly differ by plus the error of the period."""
    seen: Bool1 = np.asarray(np.isfinite(member.values[np.r_[part.rows, part.donors]]).all(axis=0))
    used = part.before[seen[part.before]]
    absent = [panel.periods[t] for t in part.before if t not in used]
    says = f"{member.name} was not observed in {few(absent)} before the start, and is left out there" if absent else ""
    none = _Part(np.zeros((0, len(part.donors))), np.zeros(0), used[:0], says)
    if len(used) < 1 + intercept:
        return replace(none, says=f"{member.name} has too few figures before the start, and is left out")
    donors = member.values[np.ix_(part.donors, used)]
    treated = part.share @ member.values[np.ix_(part.rows, used)]
    largest = float(np.abs(donors).max())
    if intercept:
        donors, treated = donors - donors.mean(axis=1, keepdims=True), treated - treated.mean()
    variance = float(np.mean((donors - donors.mean(axis=0)) ** 2))
    if np.sqrt(variance) <= _CONSTANT * largest:
        return replace(none, says=f"{member.name} does not tell donors apart before the start, and is left out")
    scale = np.full(len(used), variance)
    if member.error is not None:
        errors = member.error[np.ix_(part.donors, used)]
        if np.isnan(errors).any():
            return Refused(
                f"the rows of {member.name} by their precision",
                f"its sampling error is not known for some donors of {part.name} before the start",
                "Complete the errors, or leave them out; the outcomes then count by their spread.",
            )
        # The mean over the periods takes a share of the error along.
        noise = np.mean(errors**2, axis=0) * (1 - intercept / len(used))
        scale = max(variance - float(noise.mean()), _LEAST * variance) + noise
    root = member.sign / np.sqrt(scale)
    return _Part(donors.T * root[:, None], treated * root, used, says)
