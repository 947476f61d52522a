"""Regression with a dummy for every unit and every period, as a textbook writes it: the oracle of what is exact and
fast."""

from __future__ import annotations

import numpy as np


def dummies(
    y: np.ndarray, x: np.ndarray, weight: np.ndarray, seen: np.ndarray, cluster: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (k,) of `x` (k, N, T), their covariance clustered by `cluster` (N,) without small-sample factor, and
    residuals (N, T), nan where not `seen`."""
    count, length = y.shape
    used = seen & (weight > 0)[:, None]
    unit, period = np.nonzero(used)
    columns = [x[:, unit, period].T, np.eye(count)[unit], np.eye(length)[period]]
    design = np.column_stack(columns)
    root = np.sqrt(weight[unit])
    beta = np.linalg.lstsq(design * root[:, None], y[unit, period] * root, rcond=None)[0]
    error = y[unit, period] - design @ beta
    bread = np.linalg.pinv((design * root[:, None]).T @ (design * root[:, None]))
    labels = np.arange(count) if cluster is None else cluster
    score = np.zeros((labels.max() + 1, design.shape[1]))
    np.add.at(score, labels[unit], design * (weight[unit] * error)[:, None])
    sandwich = bread @ score.T @ score @ bread
    residual = np.full(y.shape, np.nan)
    residual[unit, period] = error
    return beta[: len(x)], sandwich[: len(x), : len(x)], residual
