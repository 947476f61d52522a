"""The same verdicts as acro on random tables; in an environment of its own (`tox -e acro`), as acro pins old pandas.

Where the two differ on purpose: with contributions that are all 0, acro's p-ratio marks the cell and ours does not, as
there is no largest one to be known; the rule on zeros is what decides there.
"""

from __future__ import annotations

import numpy as np
import pytest

from impact.disclosure.primary import dominated, small, within_percent

pytestmark = pytest.mark.acro


@pytest.mark.parametrize("seed", range(12))
def test_threshold_dominance_and_p_ratio_agree(seed: int, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    acro = pytest.importorskip("acro", reason="acro stands in an environment of its own: tox -e acro")
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    people = int(rng.integers(60, 400))
    frame = pd.DataFrame(
        {
            "row": rng.choice(list("abcd"), people, p=[0.6, 0.25, 0.1, 0.05]),
            "column": rng.choice(list("xyz"), people, p=[0.7, 0.2, 0.1]),
            "amount": np.ceil(np.exp(rng.normal(3, [0.5, 2.0, 3.0][seed % 3], people))),
        }
    )
    session = acro.ACRO(suppress=False)
    session.pivot_table(frame, index=["row"], columns=["column"], values=["amount"], aggfunc="sum")
    record = next(iter(session.results.results.values()))
    rows, columns = sorted(frame["row"].unique()), sorted(frame["column"].unique())
    place = np.array(
        [rows.index(r) * len(columns) + columns.index(c) for r, c in zip(frame["row"], frame["column"], strict=True)]
    )
    cells, amounts = len(rows) * len(columns), frame["amount"].to_numpy(dtype=float)
    there = np.bincount(place, minlength=cells) > 0
    ours = {
        "MinimumThresholdCheck": small(np.bincount(place, minlength=cells).astype(float), 10, zeros=True),
        "NKCheck": dominated(amounts, place, cells, 2, 0.9),
        "PPercentCheck": within_percent(amounts, place, cells, 10.0),
    }
    marked = record.sdc["cells"]
    for name, mine in ours.items():
        theirs = np.zeros(cells, dtype=bool)
        theirs[[row * len(columns) + column for row, column in marked[name]]] = True
        assert (theirs == mine)[there].all(), name
