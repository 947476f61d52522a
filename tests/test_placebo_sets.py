"""Which donors stand in, against brute force; and statistics that allow for size, against least squares by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from impact.arrays import Float1, Float2
from impact.errors import Refused, UsageError
from impact.estimators.did import DiD
from impact.estimators.synthetic_control import SyntheticControl
from impact.facade import estimate
from impact.inference.placebo import PlaceboSpace
from impact.inference.placebo_sets import Drawn, Sets, draw, roles
from impact.inference.placebo_statistics import sizes, studentised
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

KINDS = pytest.mark.parametrize("sets", get_args(Sets))


def land(units: int = 60, sizes_of_areas: tuple[int, ...] = (4, 2, 1), periods: int = 8, seed: int = 5) -> Panel:
    """Units at random places, every five of them a cluster, and treated areas that start in period 5."""
    rng = np.random.default_rng(seed)
    treated = sum(sizes_of_areas)
    names = tuple(f"w{row:03d}" for row in range(units))
    clusters = tuple(f"g{row:02d}" for row in range(-(-units // 5)))
    areas = tuple("abcdefg"[: len(sizes_of_areas)])
    first = np.where(np.arange(units) < treated, 5.0, np.inf)
    return Panel(
        y=rng.normal(size=(units, 1)) + rng.normal(size=(units, periods)),
        first=first,
        units=names,
        periods=tuple(map(str, range(periods))),
        cluster=np.arange(units) // 5,
        clusters=clusters,
        area=np.r_[np.repeat(np.arange(len(areas)), sizes_of_areas), np.full(units - treated, -1)],
        areas=areas,
        weight=np.ones(units),
        group=np.where(np.isfinite(first), 0, -1),
        residents=np.exp(rng.normal(8, 0.5, units)),
        place=rng.uniform(0, 1000, (units, 2)),
    )


def drawn(panel: Panel, sets: Sets, draws: int = 30, seed: int = 1, **options: Any) -> Drawn:
    found = draw(panel, sets, draws, Streams(seed), **{"tolerance": 0.8} | options)
    assert isinstance(found, Drawn)
    return found


@KINDS
def test_no_donor_stands_in_twice_and_none_is_treated(sets: Sets) -> None:
    panel = land()
    rows = drawn(panel, sets).rows
    assert rows.shape == (30, 7)
    assert all(len(set(row)) == 7 for row in rows)
    assert panel.never[rows].all()


@KINDS
def test_a_draw_depends_on_its_number_and_on_names_alone(sets: Sets) -> None:
    panel = land()
    shuffled = panel.take(np.random.default_rng(2).permutation(len(panel.units)))

    def names(one: Panel, draws: int, seed: int = 1) -> list[list[str]]:
        return [[one.units[row] for row in chosen] for chosen in drawn(one, sets, draws, seed).rows]

    assert names(panel, 30)[:8] == names(panel, 8) == names(shuffled, 8)
    assert names(panel, 8) != names(panel, 8, seed=2)


def test_similar_population_is_unit_by_unit() -> None:
    panel = land()
    assert panel.residents is not None
    wanted = panel.residents[roles(panel)]
    rows = drawn(panel, "similar-population", tolerance=0.5).rows
    times = panel.residents[rows] / wanted
    assert times.max() <= 1.5 + 1e-9 and times.min() >= 1 / 1.5 - 1e-9


def test_all_of_similar_population_where_one_unit_is_treated() -> None:
    panel = land(sizes_of_areas=(1,))
    assert panel.residents is not None
    found = drawn(panel, "similar-population", 999, tolerance=0.2)
    near = [row for row in range(1, 60) if 1 / 1.2 <= panel.residents[row] / panel.residents[0] <= 1.2]
    assert found.enumerated and found.rows[:, 0].tolist() == near


@pytest.mark.parametrize("sets", ["contiguous", "contiguous-in-cluster"])
def test_contiguous_sets_of_one_area_are_all_of_those_around_a_donor(sets: Sets) -> None:
    panel = land(sizes_of_areas=(3,))
    assert panel.place is not None
    wanted = set()
    for seed in range(3, 60):
        others = [row for row in range(3, 60) if sets == "contiguous" or panel.cluster[row] == panel.cluster[seed]]
        if len(others) >= 3:
            away = [float(np.hypot(*(panel.place[row] - panel.place[seed]))) for row in others]
            wanted.add(frozenset(np.array(others)[np.argsort(away)[:3]].tolist()))
    found = drawn(panel, sets, 999)
    assert found.enumerated
    assert len(found.rows) == len(wanted) and {frozenset(row.tolist()) for row in found.rows} == wanted
    sample = drawn(panel, sets, 10)
    assert not sample.enumerated
    assert all(frozenset(row.tolist()) in wanted for row in sample.rows)
    assert drawn(panel, sets, 10, every=True).enumerated


def test_areas_of_one_draw_are_each_contiguous_and_do_not_overlap() -> None:
    """The largest area first, then the others among the donors that are left: somebody has only nearer ones in it."""
    panel = land()
    assert panel.place is not None
    for row in drawn(panel, "contiguous").rows:
        free = set(range(7, 60))
        for members in (row[:4], row[4:6], row[6:]):
            ok = False
            for seed in members:
                order = sorted(free, key=lambda one: float(np.hypot(*(panel.place[one] - panel.place[seed]))))
                ok = ok or set(order[: len(members)]) == set(members.tolist())
            assert ok
            free -= set(members.tolist())


def test_areas_within_one_cluster() -> None:
    panel = land()
    for row in drawn(panel, "contiguous-in-cluster").rows:
        for members in (row[:4], row[4:6]):
            assert len(set(panel.cluster[members].tolist())) == 1


def refused(panel: Panel, **options: Any) -> Refused:
    found = PlaceboSpace(**options).run(DiD(), panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Refused) and found.instead
    return found


def test_of_one_cluster_at_random() -> None:
    """Every area in one cluster, every donor and every pair of a cluster comes up, and no two areas share a donor."""
    panel = land(units=40, sizes_of_areas=(2, 1))
    rows = drawn(panel, "in-cluster", draws=2000).rows
    cluster = panel.cluster[rows]
    assert (cluster[:, 0] == cluster[:, 1]).all()
    assert all(len(set(row)) == 3 for row in rows.tolist())
    pairs = {tuple(sorted(row)) for row in rows[:, :2].tolist()}
    donors = np.flatnonzero(panel.never)
    expected = {
        (one, other)
        for one in donors.tolist()
        for other in donors.tolist()
        if one < other and panel.cluster[one] == panel.cluster[other]
    }
    assert pairs == expected
    alone = replace(panel, cluster=np.arange(40), clusters=panel.units)
    assert "no cluster has 2 donors" in refused(alone, sets="in-cluster").because


def test_what_cannot_be_drawn_is_refused_with_the_reason() -> None:
    panel = land()
    assert panel.residents is not None and panel.place is not None
    holes = panel.residents.copy()
    holes[50] = np.nan
    nowhere = panel.place.copy()
    nowhere[[50, 51]] = np.nan
    assert "residents" in refused(replace(panel, residents=None), sets="similar-population").because
    assert "w050" in refused(replace(panel, residents=holes), sets="similar-population").because
    assert "no donor is within 0%" in refused(panel, sets="similar-population", tolerance=1e-6).because
    assert "where the donors lie" in refused(replace(panel, place=None), sets="contiguous").because
    assert "w050, w051" in refused(replace(panel, place=nowhere), sets="contiguous").because
    alone = replace(panel, cluster=np.arange(60), clusters=panel.units)
    assert "no cluster has 4 donors" in refused(alone, sets="contiguous-in-cluster").because
    assert "w050" in refused(replace(panel, residents=holes), statistic="studentised").because
    unknown = PlaceboSpace(draws=9).run(
        DiD(), replace(panel, residents=holes), Target(weighting="resident"), streams=Streams(1), parallel=Parallel()
    )
    assert isinstance(unknown, Refused) and "w050" in unknown.because


def test_what_is_no_parameter_is_said() -> None:
    for options in ({"sets": "near"}, {"statistic": "t"}, {"tolerance": 0.0}, {"draws": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            PlaceboSpace(**options)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            estimate(land(), "did", inference="placebo-space", **options)


@KINDS
@pytest.mark.parametrize("statistic", ["rmspe-ratio", "estimate", "studentised"])
def test_every_pair_gives_a_p_value_above_zero(sets: Sets, statistic: Any) -> None:
    how = PlaceboSpace(draws=19, sets=sets, statistic=statistic, tolerance=1.0)
    panel = land()
    effect = panel.with_outcome(panel.y + 1e4 * panel.treated_cells())
    for estimator in (DiD(), SyntheticControl()):
        found = how.run(estimator, effect, Target(), streams=Streams(1), parallel=Parallel())
        assert isinstance(found, Uncertainty)
        # Levels of the treated are matched before the start only by synthetic control; both see 10,000 afterwards.
        assert found.p_value[0] == pytest.approx(1 / 20)


# Size ----------------------------------------------------------------------------------------------------------------


def test_sizes_by_hand() -> None:
    """Areas of 4, 2 and 1 units; an area counts once, or by its residents."""
    panel = land()
    assert panel.residents is not None
    people = np.array([panel.residents[:4].sum(), panel.residents[4:6].sum(), panel.residents[6]])
    for weighting, share in (("area", np.full(3, 1 / 3)), ("resident", people / people.sum())):
        target = Target("average", weighting)  # type: ignore[arg-type]
        for kind in ("cohort", "area"):
            found = evaluate(DiD(), panel.by_area() if kind == "area" else panel, target)
            assert isinstance(found, Found)
            rows, cells = roles(found.panel), found.fit.cells
            size = sizes(
                target, cells, cells.size[None], found.panel, rows, found.panel.weight[rows][None], people_of(panel)
            )
            assert not isinstance(size, Refused)
            np.testing.assert_allclose(size[0, 0], [np.sum(share**2), np.sum(share**2 / people)])


def people_of(panel: Panel) -> Float2:
    assert panel.residents is not None
    return np.asarray(panel.residents[roles(panel)][None])


def by_hand(squares: Float1, design: Float2) -> Float1:
    """A and B by least squares, not negative: the best of the inner solution and of those on the edges."""
    tries = [np.linalg.lstsq(design, squares, rcond=None)[0], np.zeros(2)]
    for keep in (0, 1):
        one = np.zeros(2)
        one[keep] = design[:, keep] @ squares / (design[:, keep] @ design[:, keep])
        tries.append(one)
    fine = [one for one in tries if (one >= 0).all()]
    return min(fine, key=lambda one: float(np.sum((squares - design @ one) ** 2)))


def test_studentised_by_hand() -> None:
    """One treated unit: A + B / M from all donors, by a loop over hand-made panels."""
    panel = land(40, (1,))
    assert panel.residents is not None

    def did(treated: int, donors: list[int]) -> float:
        change = panel.y[:, 5:].mean(axis=1) - panel.y[:, :5].mean(axis=1)
        return float(change[treated] - change[donors].mean())

    donors = list(range(1, 40))
    theirs = np.array([did(one, [other for other in donors if other != one]) for one in donors])
    ours = did(0, donors)
    design = np.column_stack([np.ones(39), 1 / panel.residents[1:]])
    parts = by_hand(theirs**2, design)
    assert (parts > 0).any()
    ranked = np.abs(theirs) / np.sqrt(design @ parts)
    own = abs(ours) / np.sqrt(parts[0] + parts[1] / panel.residents[0])
    found = PlaceboSpace(statistic="studentised").run(DiD(), panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty)
    assert found.p_value[0] == pytest.approx((1 + (ranked >= own).sum()) / 40)


def test_with_one_size_it_is_the_estimate_and_of_another_size_nothing() -> None:
    panel = land(40, (1,))
    same = replace(panel, residents=np.full(40, 700.0))
    ranks = [
        PlaceboSpace(statistic=statistic).run(DiD(), same, Target(), streams=Streams(1), parallel=Parallel())
        for statistic in ("estimate", "studentised")
    ]
    assert isinstance(ranks[0], Uncertainty) and isinstance(ranks[1], Uncertainty)
    assert ranks[0].p_value[0] == ranks[1].p_value[0]
    other = replace(panel, residents=np.r_[90.0, np.full(39, 700.0)])
    found = PlaceboSpace(statistic="studentised").run(DiD(), other, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty)
    assert isinstance(found.refused[0], Refused) and "one size" in found.refused[0].because
    assert np.isnan(found.p_value[0])


def test_a_small_area_among_large_ones_is_rejected_too_often_unless_size_is_allowed_for() -> None:
    """2,000 true nulls at 5 %: the standard error of a rate is 0.5 points; the variance has to be learned too."""
    rng = np.random.default_rng(11)
    repetitions, placebos = 2000, 300
    naive = allowed = 0
    for _ in range(repetitions):
        people = np.exp(rng.normal(8, 0.7, placebos))
        own = 800.0
        errors = rng.normal(size=placebos) * np.sqrt(1 + 4000 / people)
        ours = rng.normal() * np.sqrt(1 + 4000 / own)
        size = np.column_stack([np.ones(placebos), 1 / people])[:, None, :]
        statistics, treated, why = studentised(errors[:, None], size, np.array([ours]), np.array([[1.0, 1 / own]]))
        assert why == (None,)
        naive += (1 + (np.abs(errors) >= abs(ours)).sum()) / (1 + placebos) <= 0.05
        allowed += (1 + (statistics[:, 0] >= treated[0]).sum()) / (1 + placebos) <= 0.05
    assert naive / repetitions > 0.12
    assert 0.03 < allowed / repetitions < 0.075
