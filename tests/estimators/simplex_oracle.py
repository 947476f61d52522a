"""Programs on the simplex by a general solver, for tests of estimators that have their own."""

from __future__ import annotations

import clarabel
import numpy as np
from scipy import sparse

from impact.arrays import Float1, Float2


def by_clarabel(a: Float2, b: Float1, linear: Float1 | None = None) -> Float1:
    """(J,) weights that minimise ``‖a w − b‖² + 2 linear'w`` over the simplex, to about 1e-8."""
    count = a.shape[1]
    a = a - b[:, None]  # free on the simplex; keeps the digits
    size = float(np.abs(a).max()) ** 2 or 1.0
    price = np.zeros(count) if linear is None else linear - linear.min()
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-13
    answer = clarabel.DefaultSolver(
        sparse.triu(sparse.csc_matrix(2 * a.T @ a / size), format="csc"),
        2 * price / size,
        sparse.csc_matrix(np.vstack([np.ones((1, count)), -np.eye(count)])),
        np.r_[1.0, np.zeros(count)],
        [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count)],
        settings,
    ).solve()
    w = np.maximum(np.array(answer.x), 0.0)
    return np.asarray(w / w.sum())
