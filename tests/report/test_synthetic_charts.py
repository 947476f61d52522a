"""Figures of synthetic comparisons: what is drawn is what was computed, everything is labelled, nothing overlaps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

import impact
from impact.arrays import Float1, Float2
from impact.errors import UsageError
from impact.estimators.synthetic_control import SyntheticControl
from impact.evidence import charts_synthetic as drawn
from impact.evidence.courses import Course, course
from impact.inference.placebo import Placebos, PlaceboSpace
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams

NAMES = tuple(f"Focusgebied nummer {number:02} aan het lange water" for number in range(20))


def table(y: Float2, first: dict[int, int], areas: dict[int, str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (f"wijk {row:02}", 2010 + t, value, first.get(row, 0), (areas or {}).get(row, f"wijk {row:02}"))
            for row, line in enumerate(y)
            for t, value in enumerate(line)
        ],
        columns=["unit", "year", "y", "start", "area"],
    )


def estimated(frame: pd.DataFrame, estimator: str = "synthetic-control", **how: object) -> impact.Result:
    panel = Panel.from_frame(
        frame, unit="unit", time="year", outcome="y", first_treated="start", area="area", outcome_unit="per 1,000"
    )
    found = impact.estimate(panel, estimator, inference="jackknife", **how)  # type: ignore[arg-type]
    assert isinstance(found, impact.Result), found
    return found


def placebos(result: impact.Result, frame: pd.DataFrame, **how: object) -> Placebos:
    panel = Panel.from_frame(frame, unit="unit", time="year", outcome="y", first_treated="start", area="area")
    space = PlaceboSpace(**how)  # type: ignore[arg-type]
    found = space.placebos(SyntheticControl(), panel, result.target, streams=Streams(3), parallel=Parallel())
    assert isinstance(found, Placebos), found
    return found


def outcomes(units: int, periods: int, seed: int) -> Float2:
    rng = np.random.default_rng(seed)
    return 50 + 5 * rng.normal(size=(units, 1)) + rng.normal(size=(units, periods)).cumsum(axis=1)


@pytest.fixture(scope="module")
def lone() -> tuple[impact.Result, Placebos]:
    """One treated unit, 14 donors, 9 periods before the start."""
    y = outcomes(15, 12, 1)
    y[0, 9:] -= 6
    frame = table(y, {0: 2019})
    result = estimated(frame)
    return result, placebos(result, frame)


@pytest.fixture(scope="module")
def many() -> impact.Result:
    """20 areas of two wijken with long names, two starts, by area."""
    frame = table(
        outcomes(90, 13, 2),
        {row: 2019 + row // 2 % 2 * 2 for row in range(40)},
        {row: NAMES[row // 2] for row in range(40)},
    )
    return estimated(frame, target="unit", weighting="area")


def line(axes: Axes, label: str) -> Float1:
    (found,) = [one for one in axes.lines if one.get_label() == label]
    return np.asarray(found.get_ydata(), dtype=float)


def paths(result: impact.Result) -> tuple[Float1, Float1]:
    """Observed and synthetic mean of the treated, from the weights."""
    weights = result.fit.weights
    assert weights is not None and len(weights.groups) == 1
    treated = result.panel.treated
    return np.average(result.panel.y[treated], axis=0), weights.unit[0] @ result.panel.y


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts] + [axes.get_title(loc="left")]


def seen(figure: Figure) -> list[Text]:
    """Every text that is drawn: of ticks only those within the axes."""
    found = [text for text in (figure._suptitle, figure._supylabel) if text is not None]  # type: ignore[attr-defined]
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [
                tick.label1
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_visible()
            ]
    return [text for text in found if text.get_text()]


def assert_readable(figure: Figure) -> None:
    """No text sticks out of the figure or runs into another."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in seen(figure)]
    for name, box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1, name
        assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, name
    for number, (name, box) in enumerate(boxes):
        for other, its in boxes[:number]:
            wide = min(box.x1, its.x1) - max(box.x0, its.x0)
            high = min(box.y1, its.y1) - max(box.y0, its.y0)
            assert wide <= 1 or high <= 2, (
                f"{name!r} runs into {other!r}"
            )  # boxes hold room for tails that few letters have


# --- path and gap -----------------------------------------------------------------------------------------------------


def test_the_path(lone: tuple[impact.Result, Placebos]) -> None:
    result, _ = lone
    axes = result.plot.path()
    observed, synthetic = paths(result)
    np.testing.assert_allclose(line(axes, "observed"), observed)
    np.testing.assert_allclose(line(axes, "synthetic"), synthetic)
    assert set(texts(axes)) == {"observed", "synthetic", "start 2019", "wijk 00"}
    assert axes.get_ylabel() == "per 1,000"
    assert "2019" in [label.get_text() for label in axes.get_xticklabels()]
    styles = {one.get_label(): one.get_linestyle() for one in axes.lines}
    assert styles["observed"] != styles["synthetic"], "apart without colour"


def test_the_gap(lone: tuple[impact.Result, Placebos]) -> None:
    result, _ = lone
    observed, synthetic = paths(result)
    axes = result.plot.gap("wijk 00")
    np.testing.assert_allclose(line(axes, "gap"), observed - synthetic)
    assert axes.get_ylabel() == "gap, per 1,000"


def test_a_group_is_drawn_with_the_weights_of_the_target(many: impact.Result) -> None:
    members = [row for row, unit in enumerate(many.panel.units) if unit in ("wijk 04", "wijk 05")]
    axes = many.plot.path(NAMES[2])
    np.testing.assert_allclose(line(axes, "observed"), many.panel.y[members].mean(axis=0))
    weights = many.fit.weights
    assert weights is not None
    np.testing.assert_allclose(line(axes, "synthetic"), weights.of(NAMES[2], many.panel.units)[0] @ many.panel.y)
    everyone = many.plot.path()
    np.testing.assert_allclose(line(everyone, "observed"), many.panel.y[:40].mean(axis=0))
    assert "all treated, mean of 20 areas" in texts(everyone) and "starts 2019, 2021" in texts(everyone)


def test_any_surface_has_a_path_and_some_have_none(lone: tuple[impact.Result, Placebos]) -> None:
    result = impact.estimate(lone[0].panel, "did")
    assert isinstance(result, impact.Result)
    observed, imputed = line(result.plot.path(), "observed"), line(result.plot.path(), "imputed")
    np.testing.assert_allclose(observed - imputed, result.fit.cells.effect)
    bare = replace(result, fit=replace(result.fit, surface=None))
    for draw in (bare.plot.path, bare.plot.gap, bare.plot.areas):
        with pytest.raises(UsageError, match=r"USAGE-008.*imputes no untreated outcome"):
            draw()
    with pytest.raises(UsageError, match=r"USAGE-008.*'Atlantis' is no group or area"):
        result.plot.path("Atlantis")


def test_units_without_an_imputed_outcome_are_left_out_by_name(many: impact.Result) -> None:
    untreated = many.fit.untreated
    assert untreated is not None
    lacking = untreated.copy()
    lacking[:2] = np.nan
    found = course(many.panel, lacking)
    assert (found.areas, found.without) == (19, (NAMES[0],))
    np.testing.assert_allclose(found.observed, many.panel.y[2:40].mean(axis=0))
    some = replace(many, fit=replace(many.fit, surface=lacking))
    assert any(f"left out, without an estimate: {NAMES[0]}" in text for text in texts(some.plot.path()))
    axes = some.plot.areas()
    figure = axes[0].figure
    assert len(axes) == 19 and isinstance(figure, Figure)
    assert f"Without an estimate: {NAMES[0]}." in figure.get_suptitle()


def test_labels_of_lines_that_end_together_are_moved_apart() -> None:
    one = Course("a", np.linspace(0, 1, 9), np.linspace(0, 1.001, 9), (5,), 1)
    axes = drawn.path(one, [str(year) for year in range(9)], "", "synthetic")
    assert isinstance(axes.figure, Figure)
    assert_readable(axes.figure)


# --- placebos ---------------------------------------------------------------------------------------------------------


def drawn_lines(axes: Axes) -> Float2:
    (found,) = [one for one in axes.collections if isinstance(one, LineCollection) and one.get_label() == "placebos"]
    return np.array([segment[:, 1] for segment in found.get_segments()]).reshape(-1, 12)


def refits(result: impact.Result) -> Float2:
    """Gaps of every donor as if it had been treated, each by a fit of its own."""
    panel = result.panel.drop([0])
    found = []
    for row in range(len(panel.units)):
        first = np.full(len(panel.units), np.inf)
        first[row] = 9
        fit = SyntheticControl().fit(panel.assign(first))
        assert not isinstance(fit, impact.Refused)
        found.append(fit.cells.effect)
    return np.array(found)


def test_the_placebos(lone: tuple[impact.Result, Placebos]) -> None:
    result, others = lone
    axes = result.plot.placebos(others)
    every = refits(result)
    shown = drawn_lines(axes)
    assert [names[0] for names in others.sets] == list(result.panel.units[1:])
    np.testing.assert_allclose(shown, every, atol=1e-6)
    front = [one for one in axes.lines if one.get_label() == "wijk 00"]
    np.testing.assert_allclose(np.asarray(front[0].get_ydata(), dtype=float), result.fit.cells.effect)
    assert front[0].get_zorder() >= max(one.get_zorder() for one in axes.collections)
    assert "wijk 00 in front of 14 placebos (grey)" in texts(axes)


def test_placebos_that_fit_badly_are_left_out_and_counted(lone: tuple[impact.Result, Placebos]) -> None:
    result, others = lone
    before = np.sqrt((refits(result)[:, :9] ** 2).mean(axis=1))
    own = np.sqrt((result.fit.cells.effect[:9] ** 2).mean())
    fine = int((before <= 1.5 * own).sum())
    assert 0 < fine < 14, "or the test tells nothing"
    axes = result.plot.placebos(others, within=1.5)
    assert len(drawn_lines(axes)) == fine
    (said,) = [text for text in texts(axes) if "in front of" in text]
    assert f"in front of {fine} placebos" in said
    assert f"left out: {14 - fine} whose RMSPE before the start is over 1.5 times {own:.3g}" in said


def test_placebos_that_failed_are_counted(lone: tuple[impact.Result, Placebos]) -> None:
    result, others = lone
    failed = replace(others, refused={3: impact.Refused("it", "it did")}, missing=2)
    assert any("without an estimate: 3" in text for text in texts(result.plot.placebos(failed)))
    assert len(drawn_lines(result.plot.placebos(failed))) == 13
    assert any("without an estimate, counted as higher: 3" in text for text in texts(result.plot.ranking(failed)))


def test_the_ranking_is_that_of_placebo_space(lone: tuple[impact.Result, Placebos]) -> None:
    result, others = lone
    axes = result.plot.ranking(others)
    every = np.vstack([result.fit.cells.effect, refits(result)])
    ratios = np.sqrt((every[:, 9:] ** 2).mean(axis=1) / (every[:, :9] ** 2).mean(axis=1))
    shown = [float(np.asarray(one.get_xdata()).item()) for one in axes.lines]
    np.testing.assert_allclose(shown, sorted(ratios, reverse=True), rtol=1e-5)
    rank = int((ratios >= ratios[0]).sum())
    assert f"wijk 00: rank {rank} of 15" in texts(axes)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"wijk {row:02}" for row in np.argsort(-ratios)]
    found = impact.estimate(result.panel, "synthetic-control", inference="placebo-space")
    assert isinstance(found, impact.Result) and found.tidy()["p_value"].item() == pytest.approx(rank / 15)
    (diamond,) = [one for one in axes.lines if one.get_marker() == "D"]
    assert float(np.asarray(diamond.get_xdata()).item()) == pytest.approx(ratios[0], rel=1e-5)


@pytest.mark.parametrize(
    ("own", "said", "labels"),
    [
        (9.5, "rank 1 of 11\nnot drawn: 7 placebos with lower ratios", ["us", "p9", "p8", "p7"]),
        (7.5, "rank 3 of 11\nnot drawn: 7 placebos with lower ratios", ["p9", "p8", "us", "p7"]),
        (2.5, "rank 8 of 11\nnot drawn: 4 placebos between these and it, and 3 below it", ["p9", "p8", "p7", "us"]),
        (
            8.0,
            "rank 3 of 11\nnot drawn: 7 placebos with lower ratios",
            ["p9", "p8", "us", "p7"],
        ),  # a tie counts against
    ],
)
def test_the_ranking_where_not_all_are_drawn(own: float, said: str, labels: list[str]) -> None:
    names = [f"p{number}" for number in range(10)]
    axes = drawn.ranking("us", own, names, np.arange(10.0), most=3)
    title = axes.get_title(loc="left")
    assert title.replace("\n", " ") == f"us: {said}".replace("\n", " ")
    assert [label.get_text() for label in axes.get_yticklabels()] == labels


def test_which_placebos_must_be_said(many: impact.Result) -> None:
    frame = table(
        outcomes(90, 13, 2),
        {row: 2019 + row // 2 % 2 * 2 for row in range(40)},
        {row: NAMES[row // 2] for row in range(40)},
    )
    others = placebos(many, frame, draws=4)
    with pytest.raises(UsageError, match=r"USAGE-008.*several groups"):
        many.plot.placebos(others)
    with pytest.raises(UsageError, match=r"USAGE-008.*'x' is no group"):
        many.plot.placebos(others, "x")
    with pytest.raises(UsageError, match=r"USAGE-008.*every term"):
        many.plot.ranking(others)
    axes = many.plot.placebos(others, NAMES[3])
    group = many.panel.group_names.index(NAMES[3])
    own = many.fit.cells.group == group
    (shown,) = [one for one in axes.collections if isinstance(one, LineCollection) and one.get_label() == "placebos"]
    np.testing.assert_allclose([segment[:, 1] for segment in shown.get_segments()], others.effect[:, own])
    assert any(
        text.startswith("Focusgebied nummer 03 aan") and "rank" in text
        for text in texts(many.plot.ranking(others, NAMES[3]))
    )


def test_placebos_of_another_estimate_are_refused(lone: tuple[impact.Result, Placebos]) -> None:
    result, others = lone
    shifted = result.panel.with_outcome(result.panel.y + np.arange(15.0)[:, None] * (np.arange(12) > 8))
    other = impact.estimate(shifted, "synthetic-control", inference="jackknife")
    assert isinstance(other, impact.Result)
    for draw in (other.plot.placebos, other.plot.ranking):
        with pytest.raises(UsageError, match=r"USAGE-008.*another estimate"):
            draw(others)


# --- weights and areas ------------------------------------------------------------------------------------------------


def test_the_weights(many: impact.Result) -> None:
    weights = many.fit.weights
    assert weights is not None
    mean = weights.unit.mean(axis=0)  # every area counts once
    axes = many.plot.weights()
    held = np.sort(mean[mean > 0])[::-1]
    dots = np.concatenate([np.asarray(one.get_xdata(), dtype=float) for one in axes.lines if one.get_marker() == "o"])
    np.testing.assert_allclose(np.sort(dots)[::-1], held[:20])
    rest = held[20:]
    assert axes.get_yticklabels()[-1].get_text() == f"{len(rest)} others together"
    assert axes.texts[-1].get_text() == f"{rest.sum():.2g}"
    assert "mean over 20 areas" in texts(axes)
    one = many.plot.weights(NAMES[4])
    np.testing.assert_allclose(
        np.sort(
            np.concatenate([np.asarray(dot.get_xdata(), dtype=float) for dot in one.lines if dot.get_marker() == "o"])
        ),
        np.sort(weights.unit[4][weights.unit[4] > 0]),
    )


def test_weights_of_the_areas_of_a_cohort(lone: tuple[impact.Result, Placebos]) -> None:
    frame = table(outcomes(20, 9, 4), {0: 2016, 1: 2016})
    result = estimated(frame)
    assert result.fit.pieces is not None
    axes = result.plot.weights("wijk 01")
    dots = np.concatenate([np.asarray(one.get_xdata(), dtype=float) for one in axes.lines if one.get_marker() == "o"])
    row = result.fit.pieces.unit[1]
    np.testing.assert_allclose(np.sort(dots), np.sort(row[row > 0]))
    with pytest.raises(UsageError, match=r"USAGE-008.*no weights for 'x'\n.*2016, wijk 00, wijk 01"):
        result.plot.weights("x")


def test_negative_weights_are_open_and_said() -> None:
    axes = drawn.weights(["a", "b", "c", "d"], np.array([0.9, -0.4, 0.0, 0.5]), "weights for x")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "d", "b"]
    filled = {
        one.get_markerfacecolor(): list(np.asarray(one.get_xdata())) for one in axes.lines if one.get_marker() == "o"
    }
    assert filled["white"] == [-0.4] and sorted(next(x for face, x in filled.items() if face != "white")) == [0.5, 0.9]
    assert axes.get_xlabel() == "weight (open: negative)"


def test_every_area_on_one_scale(many: impact.Result) -> None:
    found = many.plot.areas()
    weights = many.fit.weights
    assert weights is not None and len(found) == 20
    limits = {axes.get_ylim() for axes in found}
    assert len(limits) == 1
    for number, axes in enumerate(found):
        rows = [2 * number, 2 * number + 1]
        gap = many.panel.y[rows].mean(axis=0) - weights.of(NAMES[number], many.panel.units)[0] @ many.panel.y
        np.testing.assert_allclose(np.asarray(axes.lines[-1].get_ydata(), dtype=float), gap, atol=1e-9)
        title = axes.get_title(loc="left").splitlines()
        assert title[0].startswith(f"Focusgebied nummer {number:02}")
        start = int(many.panel.first[rows[0]])
        shown = [float(part.split(" ")[1].replace("−", "-")) for part in title[1].split(" · ")]
        assert shown[1] == pytest.approx(gap[start:].mean(), rel=0.06)
        assert shown[0] == pytest.approx(np.sqrt((gap[:start] ** 2).mean()), rel=0.06, abs=1e-9)
    figure = found[0].figure
    assert isinstance(figure, Figure) and figure.get_suptitle().startswith("20 areas on one scale")


# --- all of them ------------------------------------------------------------------------------------------------------

Draw = Callable[[], Axes]


def everything(lone: tuple[impact.Result, Placebos], many: impact.Result) -> dict[str, Draw]:
    result, others = lone
    return {
        "path": result.plot.path,
        "gap": result.plot.gap,
        "placebos": lambda: result.plot.placebos(others, within=1.5),
        "ranking": lambda: result.plot.ranking(others),
        "weights": result.plot.weights,
        "path of many": many.plot.path,
        "path of one with a long name": lambda: many.plot.path(NAMES[2]),
        "weights of many": many.plot.weights,
        "areas": lambda: many.plot.areas()[0],
        "areas in three columns": lambda: many.plot.areas(3)[0],
    }


def test_nothing_runs_into_anything(lone: tuple[impact.Result, Placebos], many: impact.Result) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in everything(lone, many).values():
            figure = draw().figure
            assert isinstance(figure, Figure)
            assert_readable(figure)


def test_the_same_bytes_twice(lone: tuple[impact.Result, Placebos], many: impact.Result) -> None:
    for name in ("path", "placebos", "weights of many"):
        draw = everything(lone, many)[name]
        first, second = BytesIO(), BytesIO()
        for buffer in (first, second):
            figure = draw().figure
            assert isinstance(figure, Figure)
            figure.savefig(buffer, format="png")
        assert first.getvalue() == second.getvalue(), name


def test_axes_of_the_caller_are_drawn_in(lone: tuple[impact.Result, Placebos]) -> None:
    result, others = lone
    mine = Figure().subplots(2, 3).ravel()
    assert result.plot.path(axes=mine[0]) is mine[0]
    assert result.plot.gap(axes=mine[1]) is mine[1]
    assert result.plot.weights(axes=mine[2]) is mine[2]
    assert result.plot.placebos(others, axes=mine[3]) is mine[3]
    assert result.plot.ranking(others, axes=mine[4]) is mine[4]
    assert not mine[5].lines
