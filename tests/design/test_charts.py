"""Figures of who is compared with whom: what is drawn is what was computed, and everything is inside and labelled."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, StepPatch
from matplotlib.text import Text

import impact
from impact.design import charts as drawn
from impact.design.balance_overlap import Overlap
from impact.design.balance_table import Balance
from impact.errors import UsageError
from tests.shared import shared


def table(treated: int = 20, controls: int = 120) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    count = treated + controls
    focus = np.arange(count) < treated
    return pd.DataFrame(
        {
            "focus": focus,
            "aandeel sociale huurwoningen in de wijk": draw.normal(size=count) + 0.9 * focus,
            "klasse": draw.choice(["laag", "midden", "hoog"], size=count),
            "vlak": 1.0,
            "eigen": focus * 2.0,
        },
        index=[f"wijk {row:03}" for row in range(count)],
    )


HUUR = "aandeel sociale huurwoningen in de wijk"


def balanced(on: list[Any], weights: Any = None) -> Balance:
    found = impact.balance(table(), treated="focus", on=on, weights=weights)
    assert isinstance(found, Balance), found
    return found


def weights(even: bool = True) -> pd.Series[float]:
    frame = table()
    draw = np.random.default_rng(4).uniform(0.1, 2, size=len(frame))
    return pd.Series(np.where(frame["focus"] & even, 1.0, draw), index=frame.index)


def fits(axes: Axes) -> Figure:
    """The figure, after a check that no text leaves it and nothing warns."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text not in _beyond(axes):
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text.get_text()
    return figure


def _beyond(axes: Axes) -> list[Text]:
    """Labels of ticks beyond the limits: they are there and not drawn."""
    found = []
    for labels, limits, side in (
        (axes.get_xticklabels(), axes.get_xlim(), 0),
        (axes.get_yticklabels(), axes.get_ylim(), 1),
    ):
        found += [
            one for one in labels if not axes.axison or not min(limits) <= one.get_position()[side] <= max(limits)
        ]
    return found


def points(axes: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


# Love plot ----------------------------------------------------------------------------------------------------------


def test_love_draws_every_difference_before_and_after() -> None:
    balance = balanced([HUUR, {"category": "klasse"}], weights())
    axes = drawn.love(balance)
    fits(axes)
    shown = balance.table()
    for stage in ("before", "after"):
        x, y = points(axes, f"{stage} weighting")
        np.testing.assert_allclose(x, shown[f"smd_{stage}"].to_numpy(float))
        assert y.tolist() == [0, 1, 2, 3]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[1:] == ["klasse=hoog", "klasse=laag", "klasse=midden"]
    assert labels[0].endswith("…")
    edges = sorted(float(np.ravel(line.get_xdata())[0]) for line in axes.lines if line.get_linestyle() == "--")
    assert edges == [-0.1, 0.1]
    assert "pooled standard deviation" in axes.get_title(loc="left")


def test_love_says_what_it_leaves_out_and_what_has_no_yardstick() -> None:
    balance = balanced([HUUR, "vlak", "eigen", {"category": "klasse"}])
    axes = drawn.love(balance, limit=None)
    fits(axes)
    said = [text.get_text() for text in axes.texts]
    assert said == ["the same for everybody", "differs, without spread in either group"]
    assert "after weighting" not in axes.get_legend_handles_labels()[1]
    few = drawn.love(balanced([HUUR, {"category": "klasse"}], weights()), most=2)
    fits(few)
    assert "not drawn: 2 with smaller differences" in few.get_title(loc="left")
    assert points(few, "before weighting")[0].size == 2


# Distributions ------------------------------------------------------------------------------------------------------


def test_ecdf_steps_are_the_shares() -> None:
    given = weights()
    balance = balanced([HUUR], given)
    axes = drawn.ecdf(balance, HUUR)
    fits(axes)
    frame = table()
    inside = ~frame["focus"]
    assert axes.get_legend_handles_labels()[1] == ["treated", "controls before", "controls after"]
    for label, weight in (("controls before", inside * 1.0), ("controls after", given * inside)):
        x, y = points(axes, label)
        for at in np.quantile(frame[HUUR], [0.05, 0.3, 0.77]):
            drawn_share = y[np.searchsorted(x, at, side="right") - 1]
            assert drawn_share == pytest.approx(weight[frame[HUUR] <= at].sum() / weight.sum())
        assert y[-1] == pytest.approx(1)
    ks = balance.rows[0]
    assert ks.after is not None
    assert f"{ks.before.ks:.2f} before, {ks.after.ks:.2f} after" in axes.get_title(loc="left")
    assert len(drawn.ecdf(balanced([HUUR], weights(even=False)), HUUR).lines) == 4
    assert len(drawn.ecdf(balanced(["eigen"]), "eigen").lines) == 2


def test_density_has_area_one_and_ticks_for_the_treated() -> None:
    axes = drawn.density(balanced([HUUR], weights(even=False)), HUUR)
    fits(axes)
    for label in axes.get_legend_handles_labels()[1]:
        x, y = points(axes, label)
        assert np.trapezoid(y, x) == pytest.approx(1, abs=0.06)  # tails go on beyond what is drawn
    ticks = [line for line in axes.lines if line.get_marker() == "|"]
    assert len(np.ravel(ticks[0].get_xdata())) == 20
    with pytest.raises(UsageError, match="two values"):
        drawn.density(balanced(["eigen"]), "eigen")
    frame = table().assign(x=lambda one: np.where(one["focus"], 0.0, one[HUUR]))
    found = impact.balance(frame, treated="focus", on=["x"])
    assert isinstance(found, Balance)
    with pytest.raises(UsageError, match="does not vary: treated"):
        drawn.density(found, "x")
    with pytest.raises(UsageError, match="no characteristic"):
        drawn.ecdf(found, "y")


def test_a_given_axes_is_drawn_in_with_a_legend_of_its_own() -> None:
    grid = Figure(figsize=(9, 4), layout="constrained").subplots(1, 2)
    balance = balanced([HUUR], weights())
    for axes, draw in zip(grid, (drawn.ecdf, drawn.density), strict=True):
        assert draw(balance, HUUR, axes) is axes
        assert axes.get_legend() is not None


# Overlap ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("near", [True, False])
def test_overlap_bars_are_shares_of_either_group(near: bool) -> None:
    frame = table()
    on = [{"category": "klasse"}] if near else [HUUR]
    given = weights(even=False)
    found = balanced(on, given).overlap()
    assert isinstance(found, Overlap)
    axes = drawn.overlap(found, bins=12)
    fits(axes)
    bars = {patch.get_label(): patch for patch in axes.patches if isinstance(patch, StepPatch)}
    assert set(bars) == {"treated before", "treated after", "controls before", "controls after"}
    edges = np.histogram_bin_edges(found.score, bins=12)
    for side, group, sign in (("treated", frame["focus"], 1), ("controls", ~frame["focus"], -1)):
        for stage, weight in (("before", np.ones(len(frame))), ("after", given.to_numpy())):
            values = bars[f"{side} {stage}"].get_data().values
            assert np.sum(values) == pytest.approx(sign)
            low, high = edges[3], edges[4]
            inside = group.to_numpy() & (found.score >= low) & (found.score < high)
            assert sign * values[3] == pytest.approx(weight[inside].sum() / weight[group.to_numpy()].sum())
    dotted = [float(np.ravel(line.get_xdata())[0]) for line in axes.lines if line.get_linestyle() == ":"]
    # Where the preference is 0.3 and 0.7, at 20 treated of 140.
    np.testing.assert_allclose(np.exp(dotted), [3 / 7 * 20 / 120, 7 / 3 * 20 / 120])
    for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        assert float(label.get_text()) == pytest.approx(1 / (1 + np.exp(-tick)), rel=0.01)
    assert len(axes.get_xticks()) >= 3


# Map ----------------------------------------------------------------------------------------------------------------


def square(west: float, south: float, size: float = 1.0, turn: int = 1) -> list[list[float]]:
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    return ring[::turn]


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


@pytest.mark.parametrize("turn", [1, -1])
def test_a_map_paints_regions_by_role_and_leaves_holes_open(turn: int) -> None:
    """Whichever way the rings run; the hole of the treated region stays open."""
    geometries = {
        "a": {"type": "Feature", "geometry": polygon(square(0, 0, 3, turn), square(1, 1, 1, turn))},
        "b": SimpleNamespace(
            __geo_interface__={"type": "MultiPolygon", "coordinates": [[square(4, 0)], [square(6, 0)]]}
        ),
        "c": {
            "type": "GeometryCollection",
            "geometries": [{"type": "Point", "coordinates": [0, 0]}, polygon(square(500, 0, 2))],
        },
    }
    axes = drawn.regions(geometries, treated=["a"], controls=["b", "x"])
    fits(axes)
    paths = {patch.get_label(): patch for patch in axes.patches if isinstance(patch, PathPatch)}
    assert set(paths) == {"treated (1)", "comparison (1)", "other regions (1)"}
    assert "without a polygon: 1 (x)" in axes.get_title(loc="left")
    turns = []
    for ring in paths["treated (1)"].get_path().to_polygons():
        x, y = ring[:-1].T
        turns.append(np.sign(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))
    assert turns == [1, -1]
    assert len(paths["comparison (1)"].get_path().to_polygons()) == 2
    assert axes.get_aspect() == 1
    only = drawn.regions({"a": polygon(square(4, 52), square(4.2, 52.2, 0.5, turn))}, treated=["a"], controls=[])
    assert only.get_aspect() == pytest.approx(1 / np.cos(np.deg2rad(52.5)))
    canvas = FigureCanvasAgg(only.figure)  # type: ignore[arg-type]
    canvas.draw()
    across, up = only.transData.transform((4.45, 52.45))
    pixels = np.asarray(canvas.buffer_rgba())
    assert pixels[pixels.shape[0] - int(up), int(across), :3].tolist() == [255, 255, 255]
    across, up = only.transData.transform((4.1, 52.1))
    assert pixels[pixels.shape[0] - int(up), int(across), 2] < 200


def test_a_map_that_cannot_be_is_said() -> None:
    one = {"a": polygon(square(0, 0))}
    with pytest.raises(UsageError, match="a stand among"):
        drawn.regions(one, treated=["a"], controls=["a"])
    with pytest.raises(UsageError, match="no polygons"):
        drawn.regions({}, treated=[], controls=[])
    for geometry in ({"type": "Point", "coordinates": [0, 0]}, polygon(), None):
        with pytest.raises(UsageError, match="geometry of a"):
            drawn.regions({"a": geometry}, treated=["a"], controls=[])


def test_the_wijken_of_haaglanden_are_drawn() -> None:
    path = shared("data/thehague_crime/haaglanden_wijken_polygonen.geojson")
    features = {one["properties"]["wijk"]: one for one in json.loads(path.read_text(encoding="utf-8"))["features"]}
    axes = drawn.regions(features, treated=["51833", "51834"], controls=["51836"])
    fits(axes)
    assert len(axes.patches) == len(features)


def test_a_matching_and_its_balance_draw_themselves() -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"focus": np.arange(60) < 8, "income": rng.normal(size=60), "size": rng.normal(size=60)})
    found = impact.match(table, treated="focus", on=["income", "size"], ratio=2)
    assert found
    assert repr(found).startswith("<Matched: nearest")
    drawn_names = [tick.get_text() for tick in found.plot.love().get_yticklabels()]
    assert sorted(drawn_names) == ["income", "size"]
    balance = found.balance()
    assert balance.plot.ecdf("income").lines and balance.plot.density("size").lines
    assert balance.plot.overlap().patches
