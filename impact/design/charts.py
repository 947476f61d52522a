"""Figures of who is compared with whom: love plot, distributions, overlap of the propensities, and the map."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from scipy.stats import gaussian_kde

from impact.arrays import Bool1, Float1, Float2
from impact.design.balance_overlap import EQUIPOISE, Overlap
from impact.design.balance_table import YARDSTICKS, Balance
from impact.drawing import COMPARISON, FOCUS, INK, look, new_axes, short
from impact.errors import Problem, Refused, UsageError
from impact.longtable import few
from impact.numerics.propensity import expit

__all__ = ["BalancePlots", "density", "ecdf", "love", "overlap", "regions"]

_LONG = 30  # letters of a name; the rest is cut
_PALE = "#b8bec6"
_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class BalancePlots:
    """The figures of a balance, each returning its Axes: ``love``, ``ecdf``, ``density``, ``overlap``."""

    balance: Balance

    def love(self, *, limit: float | None = 0.1, most: int = 40, axes: Axes | None = None) -> Axes:
        """See ``impact.design.charts.love``."""
        return love(self.balance, limit=limit, most=most, axes=axes)

    def ecdf(self, name: str, axes: Axes | None = None) -> Axes:
        """See ``impact.design.charts.ecdf``."""
        return ecdf(self.balance, name, axes)

    def density(self, name: str, axes: Axes | None = None) -> Axes:
        """See ``impact.design.charts.density``."""
        return density(self.balance, name, axes)

    def overlap(self, *, bins: int = 30, axes: Axes | None = None) -> Axes | Refused:
        """See ``impact.design.charts.overlap``; refused where there are no propensities."""
        found = self.balance.overlap()
        return found if isinstance(found, Refused) else overlap(found, bins=bins, axes=axes)


def love(balance: Balance, *, limit: float | None = 0.1, most: int = 40, axes: Axes | None = None) -> Axes:
    """Standardised mean differences of every characteristic: open before weighting, filled after.

    Parameters
    ----------
    balance : Balance
        As ``impact.balance`` or ``balance()`` of a match gives it.
    limit : float, optional
        Where dashed lines are drawn; it is no test.
    most : int
        Rows at most: those of the largest differences before or after. The heading says how many are not drawn.
    axes : Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    Axes
    """
    sizes = [max(_size(row.before.smd), _size(None if row.after is None else row.after.smd)) for row in balance.rows]
    kept = sorted(sorted(range(len(sizes)), key=lambda place: -sizes[place])[:most])
    rows = [balance.rows[place] for place in kept]
    height = np.arange(len(rows))
    with look():
        axes = new_axes(6.4, 1.3 + 0.24 * len(rows)) if axes is None else axes
        axes.axvline(0, color=INK, linewidth=1)
        for edge in () if limit is None else (-limit, limit):
            axes.axvline(edge, color=COMPARISON, linewidth=0.9, linestyle="--")
        for at, row in zip(height, rows, strict=True):
            if row.before.smd is None:
                axes.annotate(
                    "the same for everybody" if row.before.ks == 0 else "differs, without spread in either group",
                    (0.01, at),
                    xycoords=axes.get_yaxis_transform(),
                    va="center",
                    fontsize=8.5,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )
            elif row.after is not None and row.after.smd is not None:
                axes.plot([row.before.smd, row.after.smd], [at, at], color=_PALE, linewidth=1.4, zorder=1.5)
        stages = [("before", "white", 7.5), ("after", FOCUS, 5.5)]
        for stage, face, width in stages[: 1 if balance.weight is None else 2]:
            known = [(at, one.smd) for at, row in zip(height, rows, strict=True) if (one := getattr(row, stage))]
            drawn = [(at, smd) for at, smd in known if smd is not None]
            axes.plot(
                [smd for _, smd in drawn],
                [at for at, _ in drawn],
                linestyle="",
                marker="o",
                markersize=width,
                color=FOCUS,
                markerfacecolor=face,
                label=f"{stage} weighting",
                clip_on=False,
            )
        axes.set_yticks(height, [_cut(row.name) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.set_xlabel("standardised mean difference, treated minus controls")
        said = [f"in {YARDSTICKS[balance.sd]} before weighting"]
        if limit is not None:
            said.append(f"dashed: {short(-limit)} and {short(limit)}")
        if len(rows) < len(balance.rows):
            said.append(f"not drawn: {len(balance.rows) - len(rows)} with smaller differences")
        _head(axes, said, legend=True)
    return axes


def ecdf(balance: Balance, name: str, axes: Axes | None = None) -> Axes:
    """Cumulative distribution of one characteristic in both groups, before and after weighting.

    Raises
    ------
    UsageError
        ``USAGE-008`` when there is no such characteristic.
    """
    x = balance.values(name)
    order = np.argsort(x, kind="stable")
    with look():
        axes = new_axes(6.0, 3.6) if axes is None else axes
        for group, weight, label, style in _curves(balance):
            given = np.where(group, weight, 0.0)[order]
            axes.step(
                np.concatenate([x[order[:1]], x[order]]),
                np.concatenate([[0.0], np.cumsum(given) / given.sum()]),
                where="post",
                label=label,
                **style,
            )
        axes.set_ylim(0, 1.01)
        axes.set_xlabel(name)
        axes.set_ylabel("share at or below")
        row = next(row for row in balance.rows if row.name == name)
        distances = [f"{row.before.ks:.2f} before"] + ([] if row.after is None else [f"{row.after.ks:.2f} after"])
        _head(axes, [f"largest distance of treated and controls: {', '.join(distances)}"], legend=True)
    return axes


def density(balance: Balance, name: str, axes: Axes | None = None) -> Axes:
    """Smoothed distribution of one characteristic in both groups, before and after weighting; ticks are the treated.

    Gaussian kernels with the width of Scott's rule at the effective number of units. It smooths: ``ecdf`` shows what is
    there.

    Raises
    ------
    UsageError
        ``USAGE-008`` when there is no such characteristic, or it has two values only, or does not vary in a group.
    """
    x = balance.values(name)
    if len(np.unique(x)) < 3:
        raise UsageError(Problem("USAGE-008", f"{name!r} has two values or one, and no density", "see love or ecdf"))
    low, high = float(x.min()), float(x.max())
    grid = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 400)
    with look():
        axes = new_axes(6.0, 3.6) if axes is None else axes
        for group, weight, label, style in _curves(balance):
            used = group & (weight > 0)
            if np.ptp(x[used]) == 0:
                raise UsageError(Problem("USAGE-008", f"{name!r} does not vary: {label}", "see ecdf"))
            axes.plot(grid, gaussian_kde(x[used], weights=weight[used])(grid), label=label, **style)
        axes.set_ylim(bottom=0)
        ticks = x[balance.treated & (True if balance.weight is None else balance.weight > 0)]
        axes.plot(
            ticks, np.full(len(ticks), 0.02), "|", color=FOCUS, markersize=9, transform=axes.get_xaxis_transform()
        )
        axes.set_xlabel(name)
        axes.set_ylabel("density")
        _head(axes, ["ticks: the treated"], legend=True)
    return axes


def overlap(found: Overlap, *, bins: int = 30, axes: Axes | None = None) -> Axes:
    """Propensities of the treated, upwards, and of the controls, downwards, as shares of either group.

    Filled before weighting, outlined after. Dotted lines bound equipoise: a preference from 0.3 to 0.7.
    """
    score = found.score
    edges = np.histogram_bin_edges(score, bins=bins)
    groups = ((found.treated, 1.0, FOCUS, "treated"), (~found.treated, -1.0, COMPARISON, "controls"))
    with look():
        axes = new_axes(6.4, 3.8) if axes is None else axes
        for group, side, color, label in groups:
            share = np.histogram(score[group], edges)[0] / group.sum()
            axes.stairs(side * share, edges, fill=True, color=color, alpha=0.35, label=f"{label} before", linewidth=0)
            if found.weight is not None:
                given = found.weight[group]
                after = np.histogram(score[group], edges, weights=given)[0] / given.sum()
                style = "-" if side > 0 else "--"
                axes.stairs(side * after, edges, color=color, linewidth=1.6, linestyle=style, label=f"{label} after")
        axes.axhline(0, color=INK, linewidth=1)
        for bound in EQUIPOISE:
            axes.axvline(found.middle + np.log(bound / (1 - bound)), color=INK, linewidth=0.9, linestyle=":")
        _probability_ticks(axes)
        reach = max(abs(edge) for edge in axes.get_ylim())
        axes.set_ylim(-reach, reach)
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(-reach, reach)
        ticks = [float(tick) for tick in ticks if abs(tick) <= reach]
        axes.set_yticks(ticks, [f"{abs(tick):.0%}" for tick in ticks])
        axes.set_xlabel("propensity, on the scale of its log odds")
        axes.set_ylabel("share of the group")
        inside = found.equipoise
        shares = f"{inside['treated']:.0%} of the treated and {inside['control']:.0%} of the controls"
        said = [f"dotted: equipoise, with {shares}"]
        if found.outside:
            said.append(f"beyond all controls: {few([*found.outside], most=3)}")
        _head(axes, said, legend=True)
    return axes


def regions(
    polygons: Mapping[str, Any], *, treated: Collection[str], controls: Collection[str], axes: Axes | None = None
) -> Axes:
    """A map: treated regions dark, comparison regions hatched, the others only outlined.

    Parameters
    ----------
    polygons : mapping of name to geometry
        Polygons or multipolygons: as GeoJSON has them, or anything with ``__geo_interface__``, such as the geometries
        of geopandas and shapely (extra ``spatial``). Degrees are drawn so that distances are alike both ways.
    treated, controls : collection of str
        Names of regions. The heading counts those that have no polygon.
    axes : Axes, optional
        Where to draw; a figure of its own by default.

    Raises
    ------
    UsageError
        ``USAGE-008`` for a region that is both, for a geometry that has no area, and when there is nothing to draw.
    """
    both = sorted(set(treated) & set(controls))
    if both or not polygons:
        why = f"{few(both)} stand among the treated and the controls" if both else "there are no polygons"
        raise UsageError(Problem("USAGE-008", why, "give every region once"))
    paths = {name: _path(name, geometry) for name, geometry in polygons.items()}
    with look():
        figure = Figure(figsize=(6.4, 6.0), layout="constrained") if axes is None else None
        axes = axes if figure is None else figure.add_subplot()
        assert axes is not None
        kinds: tuple[tuple[str, dict[str, Any]], ...] = (
            ("other regions", {"facecolor": "white", "edgecolor": _PALE, "linewidth": 0.5}),
            ("comparison", {"facecolor": "#e3e6ea", "edgecolor": COMPARISON, "linewidth": 0.6, "hatch": "////"}),
            ("treated", {"facecolor": FOCUS, "edgecolor": "white", "linewidth": 0.6}),
        )
        names = (set(paths) - set(treated) - set(controls), set(controls), set(treated))
        for (label, style), chosen in zip(kinds, names, strict=True):
            drawn = [name for name in paths if name in chosen]
            for number, name in enumerate(drawn):
                patch = PathPatch(paths[name], label=f"{label} ({len(drawn)})" if number == 0 else "_", **style)
                axes.add_patch(patch)
        corners = np.vstack([path.vertices for path in paths.values()])
        axes.set_aspect(_aspect(corners))
        axes.autoscale_view()
        axes.set_axis_off()
        missing = sorted((set(treated) | set(controls)) - set(paths))
        _head(axes, [f"without a polygon: {len(missing)} ({few(missing, most=3)})"] if missing else [], legend=True)
    return axes


# --- parts ------------------------------------------------------------------------------------------------------------


def _curves(balance: Balance) -> Iterator[tuple[Bool1, Float1, str, dict[str, Any]]]:
    """Group, weights, label and style of every line; the treated have one where their weights are even."""
    even = np.ones(len(balance.treated))
    after = balance.weight
    given = even if after is None else after[balance.treated]
    if np.ptp(given) > 0 and after is not None:
        yield balance.treated, even, "treated before", {"color": FOCUS, "linewidth": 1.2, "linestyle": ":"}
        yield balance.treated, after, "treated after", {"color": FOCUS, "linewidth": 2.2}
    else:
        yield balance.treated, even, "treated", {"color": FOCUS, "linewidth": 2.2}
    if after is None:
        yield ~balance.treated, even, "controls", {"color": COMPARISON, "linewidth": 1.8, "linestyle": "--"}
    else:
        yield ~balance.treated, even, "controls before", {"color": COMPARISON, "linewidth": 1.2, "linestyle": ":"}
        yield ~balance.treated, after, "controls after", {"color": COMPARISON, "linewidth": 1.8, "linestyle": "--"}


def _head(axes: Axes, lines: Sequence[str], *, legend: bool) -> None:
    """What is drawn, above the axes, below the legend."""
    if lines:
        axes.set_title("\n".join(lines), fontsize=8.5, loc="left", pad=6)
    figure = axes.figure
    if legend and isinstance(figure, Figure):
        labels = axes.get_legend_handles_labels()[1]
        if len(figure.axes) == 1:
            figure.legend(loc="outside upper left", frameon=False, ncols=len(labels), fontsize=8.5)
        else:  # one of several: the legend stays with its own
            axes.legend(frameon=False, fontsize=8)


def _probability_ticks(axes: Axes) -> None:
    """Round propensities on an axis of log odds; more of them where it is short."""
    low, high = axes.get_xlim()
    inside = [chance for chance in _TICKS if low <= np.log(chance / (1 - chance)) <= high]
    if len(inside) >= 3:
        axes.set_xticks([float(np.log(chance / (1 - chance))) for chance in inside], [f"{one:g}" for one in inside])
    else:
        ticks = [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
        axes.set_xticks(ticks, [f"{float(expit(np.array(tick))):.3g}" for tick in ticks])
    axes.set_xlim(low, high)


def _path(name: str, geometry: Any) -> Path:
    """One path of all rings; holes run the other way round, so that they stay open."""
    polygons = list(_polygons(geometry))
    corners: list[Float2] = []
    codes: list[Any] = []
    for rings in polygons:
        for number, ring in enumerate(rings):
            points = np.asarray(ring, dtype=np.float64)[:, :2]
            x, y = points[:-1].T
            turn = float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
            corners.append(points if (turn > 0) == (number == 0) else points[::-1])
            codes += [Path.MOVETO, *[Path.LINETO] * (len(points) - 2), Path.CLOSEPOLY]
    if not corners:
        raise UsageError(Problem("USAGE-008", f"the geometry of {name} has no polygon", "leave it out, or give one"))
    return Path(np.vstack(corners), codes)


def _polygons(geometry: Any) -> Iterator[Sequence[Any]]:
    """The rings of every polygon; lines and points beside them have no area."""
    parsed = getattr(geometry, "__geo_interface__", geometry)
    kind = parsed.get("type") if isinstance(parsed, Mapping) else None
    if kind == "Polygon" and parsed["coordinates"]:
        yield parsed["coordinates"]
    elif kind == "MultiPolygon":
        yield from parsed["coordinates"]
    elif kind in ("Feature", "GeometryCollection"):
        for part in parsed["geometries"] if kind == "GeometryCollection" else [parsed["geometry"]]:
            yield from _polygons(part)


def _aspect(corners: Float2) -> float:
    """Height of a step north over the width of a step east; 1 for metres."""
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    degrees = max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90
    return float(1 / np.cos(np.deg2rad((south + north) / 2))) if degrees else 1.0


def _cut(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[: _LONG - 1].rstrip()}…"


def _size(value: float | None) -> float:
    return np.inf if value is None else abs(value)
