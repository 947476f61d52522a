"""Moments written and read back are the same, and a file that holds something else is refused."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from impact.errors import DataError
from impact.estimators.group_time import GroupTime
from impact.numerics.moments import Moments
from impact.numerics.store import read_moments, write_moments
from tests.contract.worlds import frame, panel_of


@pytest.fixture(params=["unit", "area"])
def moments(request):
    panel = panel_of(frame()).weighted(request.param)
    y = panel.y.copy()
    y[[2, 5], [3, 0]] = np.nan
    return Moments.by_cluster(panel.with_outcome(y), panel.weight, products=True)


def test_there_and_back(moments, tmp_path):
    write_moments(tmp_path / "m.parquet", moments)
    again = read_moments(tmp_path / "m.parquet")
    assert (again.periods, again.clusters) == (moments.periods, moments.clusters)
    for one, other in ((moments, again), (moments.serving, again.serving)):
        if one is None:
            assert other is None
            continue
        order = [again.strata.labels().index(label) for label in one.strata.labels()]
        assert other.shift.tolist() == one.shift.tolist()
        for name in ("count", "weight", "total", "products"):
            np.testing.assert_array_equal(getattr(other.sums, name)[order], getattr(one.sums, name))
    first, second = (GroupTime().cells(one) for one in (moments, again))
    assert dict(zip(zip(first.cohort, first.period, strict=True), first.effect, strict=True)) == pytest.approx(
        dict(zip(zip(second.cohort, second.period, strict=True), second.effect, strict=True)), abs=1e-12
    )


def test_squares_of_units_alone_come_back(tmp_path):
    panel = panel_of(frame(), cluster=False)
    moments = Moments.pooled(panel, panel.weight, products=True)
    write_moments(tmp_path / "m.parquet", moments)
    again = read_moments(tmp_path / "m.parquet")
    order = [again.strata.labels().index(label) for label in moments.strata.labels()]
    np.testing.assert_array_equal(again.squares.products[order], moments.squares.products)


def test_files_of_two_machines_add_up(tmp_path):
    panel = panel_of(frame())
    for name, rows in (("a", np.arange(9)), ("b", np.arange(9, len(panel.units)))):
        half = panel.take(rows)
        write_moments(tmp_path / f"{name}.parquet", Moments.by_cluster(half, half.weight))
    merged = read_moments(tmp_path / "a.parquet") + read_moments(tmp_path / "b.parquet")
    whole = Moments.of(panel)
    assert whole is not None
    np.testing.assert_allclose(GroupTime().cells(merged).effect, GroupTime().cells(whole).effect, atol=1e-12)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda table, about: (table.drop_columns("total"), about),
        lambda table, about: (table, {**about, "format": "impact.moments/9"}),
        lambda table, about: (table, {**about, "periods": about["periods"][:-1]}),
        lambda table, about: (table, {**about, "clusters": []}),
        lambda table, about: (table, {key: value for key, value in about.items() if key != "shift"}),
    ],
)
def test_another_table_is_refused_by_name(moments, tmp_path, break_it):
    path = tmp_path / "m.parquet"
    write_moments(path, moments)
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"impact.moments"])
    table, about = break_it(table, about)
    pq.write_table(table.replace_schema_metadata({b"impact.moments": json.dumps(about)}), path)
    with pytest.raises(DataError, match="MOMENTS-001"):
        read_moments(path)


def test_a_file_that_is_no_parquet(tmp_path):
    (tmp_path / "m.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="MOMENTS-001"):
        read_moments(tmp_path / "m.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "n.parquet")
    with pytest.raises(DataError, match="MOMENTS-001"):
        read_moments(tmp_path / "n.parquet")
