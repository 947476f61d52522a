"""Batches of programs on the simplex of many shapes, and what is known of a solution by hand and from clarabel."""

from __future__ import annotations

from dataclasses import dataclass

import clarabel
import numpy as np
from scipy import sparse

from impact.arrays import Float1, Float2, Int1

SHAPES = (
    "factors",
    "noise",
    "integer",
    "duplicates",
    "collinear",
    "near",
    "level",
    "constant",
    "inside",
    "equal",
    "far",
    "two periods",
    "more periods",
    "penalised",
    "ridge",
    "tiny ridge",
    "each its ridge",
    "priced ridge",
)


@dataclass(frozen=True)
class Programs:
    """min ‖Σ w_j donors_j − targets_s‖² + ridge_s ‖w‖² + 2 linear_s'w, without the donors `without_s`."""

    donors: Float2
    targets: Float2
    without: Int1
    linear: Float2 | None
    ridge: Float1

    def may(self, s: int) -> Int1:
        return np.setdiff1d(np.arange(len(self.donors)), self.without[s])

    def one(self, s: int) -> tuple[Float2, Float1, Float1, float]:
        """Columns less the target (T0, J), the target, prices and ridge of one program, over the donors it may use."""
        may = self.may(s)
        price = np.zeros(len(may)) if self.linear is None else self.linear[s, may]
        return (self.donors[may] - self.targets[s]).T, self.targets[s], price, float(self.ridge[s])


def programs(seed: int, shape: str, number: int = 20) -> Programs:
    """A batch in which every other target is a donor that is not a donor of its own."""
    rng = np.random.default_rng((seed, SHAPES.index(shape)))
    count, periods = int(rng.choice([2, 3, 5, 12, 30])), int(rng.choice([3, 6, 10, 25]))
    count = max(count, 3) if shape != "two periods" else count + 1
    match shape:
        case "two periods":
            periods = 2
        case "more periods":
            periods = 2 * count + 5
    donors = rng.normal(size=(count, periods))
    if shape in ("factors", "penalised", "level"):
        donors = rng.normal(size=(count, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1) + 0.5 * donors
    match shape:
        case "integer":
            donors = rng.integers(-2, 3, donors.shape).astype(float)
        case "duplicates":
            donors = donors[rng.integers(0, max(1, count // 3), count)]
        case "collinear":
            donors = np.outer(rng.normal(size=count), donors[0])
        case "near":
            donors = donors[0] + 1e-6 * donors
        case "level":
            donors = donors + 1e6
        case "constant":
            donors = np.repeat(donors[:, :1], periods, axis=1)
    own = rng.integers(0, count, number)
    targets = donors[own] + rng.normal(size=(number, periods)) * donors.std()
    match shape:
        case "inside":
            targets = rng.dirichlet(np.ones(count), number) @ donors
        case "equal":
            targets = donors[own]
        case "far":
            targets = 100 * targets
    placebo = np.arange(number) % 2 == 0
    targets = np.where(placebo[:, None], donors[own], targets)
    without = np.where(placebo, own, -1)[:, None]
    if shape == "equal":
        without[:] = -1
    linear = None
    if shape == "penalised":
        linear = rng.choice([1e-3, 0.1, 1.0, 10.0]) / 2 * ((donors[None] - targets[:, None]) ** 2).sum(axis=2)
    if shape == "priced ridge":
        linear = rng.normal(size=(number, count))
    ridge = {
        "ridge": rng.choice([1e-2, 1.0, 100.0]),
        "tiny ridge": rng.choice([1e-12, 1e-9, 1e-4]),
        "priced ridge": 0.5,
    }
    each = np.full(number, ridge.get(shape, 0.0))
    if shape == "each its ridge":
        each = rng.choice([0.0, 1e-9, 1e-3, 1.0, 1e3], number)
    return Programs(donors, targets, without, linear, each)


def scale(x: Float2, price: Float1, ridge: float) -> float:
    """What a gap is relative to, recomputed."""
    squares, free = (x**2).sum(axis=0), price - price.min()
    return float(np.median(squares) + ridge + np.median(free)) or float((squares + free).max()) or 1.0


def objective(x: Float2, price: Float1, ridge: float, w: Float1) -> float:
    residual = x @ w
    return float(residual @ residual + ridge * (w @ w) + 2 * (price @ w))


def gradient(x: Float2, price: Float1, ridge: float, w: Float1) -> Float1:
    return np.asarray(2 * (x.T @ (x @ w) + ridge * w + price))


def by_clarabel(x: Float2, price: Float1, ridge: float) -> Float1:
    """The program as min ‖u‖² + ridge ‖w‖² + 2 price'w such that u = x w, in units of its scale."""
    size = scale(x, price, ridge)
    periods, count = x.shape
    quadratic = sparse.diags_array(np.r_[np.full(count, 2 * ridge / size), np.full(periods, 2.0)], format="csc")
    rows = np.zeros((periods + 1 + count, count + periods))
    rows[:periods, :count], rows[:periods, count:] = x / np.sqrt(size), -np.eye(periods)
    rows[periods, :count] = 1.0
    rows[periods + 1 :, :count] = -np.eye(count)
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.max_threads = 1
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    solver = clarabel.DefaultSolver(
        quadratic,
        np.r_[2 * (price - price.min()) / size, np.zeros(periods)],
        sparse.csc_array(rows),
        np.r_[np.zeros(periods), 1.0, np.zeros(count)],
        [clarabel.ZeroConeT(periods + 1), clarabel.NonnegativeConeT(count)],
        options,
    )
    w = np.maximum(np.asarray(solver.solve().x[:count], dtype=np.float64), 0.0)
    return np.asarray(w / w.sum())
