"""The sample: read from tables and panels with every problem at once, cut, weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.errors import DataError, UsageError
from impact.panel import Panel
from impact.sample import Sample


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "jaar": [2010, 2011, 2012, 2010, 2011, 2012],
            "start": [2011, 2011, 2011, 0, None, 0],
            "veilig": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "gemeente": ["B", "B", "B", "A", "A", "C"],
            "gebied": ["Z", "Z", "Z", None, "", None],
            "inwoners": [500, 500, 500, None, None, None],
            "w": [1.0, 2.0, 0.0, 1.0, 3.0, 1.0],
            "x": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            **columns,
        }
    )


def read(frame: pd.DataFrame, **more: Any) -> Sample:
    how = {"cluster": "gemeente", "area": "gebied", "residents": "inwoners", "weight": "w", "covariates": ["x"], **more}
    return Sample.from_frame(frame, time="jaar", outcome="veilig", first_treated="start", **how)


def problems(frame: pd.DataFrame, **more: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(frame, **more)
    return str(caught.value)


def test_a_table_becomes_arrays_in_its_own_order() -> None:
    frame = table()
    sample = read(frame, outcome_unit="punten")
    assert sample.periods == ("2010", "2011", "2012")
    assert sample.period.tolist() == [0, 1, 2, 0, 1, 2]
    assert sample.first.tolist() == [1, 1, 1, np.inf, np.inf, np.inf]
    assert (sample.clusters, sample.cluster.tolist()) == (("A", "B", "C"), [1, 1, 1, 0, 0, 2])
    assert (sample.areas, sample.area.tolist()) == (("Z",), [0, 0, 0, -1, -1, -1])
    assert (sample.groups.tolist(), sample.group.tolist()) == ([1], [0, 0, 0, -1, -1, -1])
    assert sample.group_names == ("2011",) and sample.by_area().group_names == ("Z",)
    assert sample.covariates["x"].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert sample.unit == "punten" and sample.clustered and sample.aside == ()
    assert not sample.y.flags.writeable and not sample.covariates["x"].flags.writeable
    pd.testing.assert_frame_equal(frame, table())


def test_without_clusters_and_areas() -> None:
    """Every row is a cluster by its name in the index, and those that start together are one area."""
    frame = table(start=[2011, 2012, 2015, 0, 0, 0]).set_index(pd.Index([f"p{row}" for row in range(6)]))
    sample = Sample.from_frame(frame, time="jaar", outcome="veilig", first_treated="start")
    assert not sample.clustered and sample.clusters == ("p0", "p1", "p2", "p3", "p4", "p5")
    assert sample.areas == ("start 2011", "start 2012", "start after the last")
    assert sample.first.tolist() == [1, 2, 3, np.inf, np.inf, np.inf]
    assert sample.treated.tolist() == [True, True, False, False, False, False]
    again = Sample.from_frame(frame.set_index("jaar", drop=False), time="jaar", outcome="veilig", first_treated="start")
    assert again.clusters == ("0", "1", "2", "3", "4", "5")


def test_every_problem_at_once_with_the_rows() -> None:
    said = problems(
        table(
            veilig=[1.0, None, 3.0, 4.0, 5.0, 6.0],
            w=[1.0, -2.0, None, 1.0, 1.0, 1.0],
            gemeente=["B", "B", None, "A", "A", "C"],
            gebied=["Z", None, "Y", None, None, None],
            x=["0,1", 0.2, 0.3, 0.4, 0.5, 0.6],
        )
    )
    for expected in (
        "PANEL-006 [veilig]: blank in rows 1",
        "PANEL-006 [w]: negative values in rows 1",
        "PANEL-006 [w]: blank in rows 2",
        "PANEL-006 [gemeente]: blank in rows 2",
        "PANEL-006 [gebied]: blank in rows 1",
        "PANEL-004 [x]: not a number ('0,1') in rows 0",
    ):
        assert expected in said


def test_what_must_be_one_within_an_area() -> None:
    said = problems(table(start=[2011, 2012, 2011, 0, 0, 0], inwoners=[500, 500, 400, None, None, None]))
    assert "PANEL-009 [gebied]: areas whose rows start at different periods: Z" in said
    assert "PANEL-007 [inwoners]: changes within 1 areas (Z)" in said


def test_blank_periods_missing_columns_and_no_rows() -> None:
    assert "PANEL-002 [jaar]: blank in rows 2" in problems(table(jaar=[2010, 2011, None, 2010, 2011, 2012]))
    said = problems(table().drop(columns=["x"]), cluster="gemeenten")
    assert "no column 'x'" in said and "did you mean 'gemeente'?" in said
    assert "no rows" in problems(table().head(0))


def test_covariates_can_be_spelled_as_for_a_panel() -> None:
    sample = read(table(klasse=["a", "b", "a", "b", "c", "a"]), covariates=[{"log": "x"}, {"category": "klasse"}])
    assert list(sample.covariates) == ["log(x)", "klasse=b", "klasse=c"]
    np.testing.assert_allclose(sample.covariates["log(x)"], np.log([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert sample.covariates["klasse=b"].tolist() == [0, 1, 0, 1, 0, 0]
    assert sample.notes[0].startswith("klasse: b, c ")
    with pytest.raises(DataError, match="TERM-003"):
        read(table(x=[0.1, None, 0.3, 0.4, 0.5, 0.6]))


def test_whoever_is_treated_from_the_first_period_on_is_set_aside_by_area() -> None:
    frame = table(start=[2011, 2011, 2011, 2009, 2010, 0], gebied=["Z", "Z", "Z", "Oud", "Oud2", None])
    sample = read(frame, residents=None)
    assert sample.aside == ("Oud (1 rows)", "Oud2 (1 rows)")
    assert len(sample.y) == 4 and sample.areas == ("Z",) and sample.clusters == ("B", "C")


def test_rows_leave_and_numbers_follow() -> None:
    sample = read(table()).drop([3, 4])
    assert sample.clusters == ("B", "C") and sample.cluster.tolist() == [0, 0, 0, 1]
    assert sample.y.tolist() == [1, 2, 3, 6] and sample.periods == ("2010", "2011", "2012")
    untreated = read(table()).take([3, 4, 5])
    assert untreated.areas == () and untreated.groups.tolist() == [] and untreated.group_names == ()


def test_weights_by_hand() -> None:
    """Rows 0 and 1 are alone in their period, row 2 has no weight and keeps none, controls keep theirs."""
    sample = read(table())
    assert sample.weighted("unit") is sample
    area = sample.weighted("area")
    assert area.weight.tolist() == [1, 1, 0, 1, 3, 1]
    assert area.serving is not None and area.serving.tolist() == [1, 2, 0, 1, 3, 1]
    resident = sample.weighted("resident")
    assert resident.weight.tolist() == [500, 500, 0, 1, 3, 1]
    assert resident.control_weight(resident.treated).tolist() == [1, 2, 0, 1, 3, 1]
    two = read(table(jaar=[2010, 2011, 2011, 2010, 2011, 2012], w=[1.0, 3.0, 1.0, 1.0, 1.0, 1.0]))
    assert two.weighted("area").weight[:3].tolist() == [1, 0.75, 0.25]
    assert two.weighted("resident").weight[:3].tolist() == [500, 375, 125]
    with pytest.raises(UsageError, match="USAGE-004"):
        read(table(), residents=None).weighted("resident")


def test_a_panel_becomes_its_observed_cells() -> None:
    long = pd.DataFrame(
        {
            "unit": ["a", "a", "b", "b", "b", "c", "c", "c"],
            "year": [1, 3, 1, 2, 3, 1, 2, 3],
            "start": [3, 3, 2, 2, 2, 0, 0, 0],
            "y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            "fixed": [1, 1, 2, 2, 2, 3, 3, 3],
            "moving": [1, 2, 3, 4, 5, 6, 7, 8],
            "place": ["N", "N", "N", "N", "N", "S", "S", "S"],
        }
    )
    panel = Panel.from_frame(
        long,
        unit="unit",
        time="year",
        outcome="y",
        first_treated="start",
        covariates=["fixed", "moving"],
        cluster="place",
    )
    sample = Sample.from_panel(panel)
    assert sample.y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sample.period.tolist() == [0, 2, 0, 1, 2, 0, 1, 2]
    assert sample.repeats.tolist() == [2, 2, 3, 3, 3, 3, 3, 3]
    assert sample.counted.sum() == pytest.approx(3)  # units, however often they were seen
    assert sample.covariates["fixed"].tolist() == [1, 1, 2, 2, 2, 3, 3, 3]
    assert sample.covariates["moving"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sample.clusters == ("N", "S") and sample.cluster.tolist() == [0] * 5 + [1] * 3 and sample.clustered
    assert sample.group_names == panel.group_names == ("2", "3")


def test_a_matched_panel_is_no_sample() -> None:
    long = pd.DataFrame({"u": [0, 0, 1, 1], "t": [0, 1] * 2, "s": [1, 1, 0, 0], "y": [1.0, 2, 3, 4]}).assign(
        t=lambda frame: frame["t"] + 1, s=lambda frame: frame["s"] * 2
    )
    panel = Panel.from_frame(long, unit="u", time="t", outcome="y", first_treated="s")
    with pytest.raises(UsageError, match="USAGE-006"):
        Sample.from_panel(panel.with_pairs(np.array([[0.0, 1.0]])))


def test_arrays_of_the_wrong_shape_or_without_an_outcome_are_no_sample() -> None:
    sample = read(table())
    for wrong, match in (
        ({"weight": np.ones(5)}, "weight"),
        ({"covariates": {"x": np.ones(2)}}, "covariate x"),
        ({"y": np.full(6, np.nan)}, "outcome"),
        ({"first": np.zeros(6)}, "first period"),
    ):
        with pytest.raises(ValueError, match=match):
            Sample(**{**{name: getattr(sample, name) for name in sample.__slots__}, **wrong})
