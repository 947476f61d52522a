"""What an estimate and its uncertainty can be computed again from, without the data: sums by cell and by cluster."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Basis"]


@dataclass(frozen=True, slots=True)
class Basis:
    """Behind one term.

    Attributes
    ----------
    cells : tuple of (group and period, effect, weight)
        The estimate is the sum of effect times weight.
    clusters : tuple of (cluster, score, share)
        Clusters with a unit in the estimate: its score with the null of no effect imposed, which sum to the estimate
        (None where the estimator has no scores), and its share in the treated weight.
    kind : {"", "left-out", "score", "placebo"}
        What `replicates` are: the estimate without each cluster or unit, influence scores by cluster, or statistics of
        placebo sets, of which that of the estimate itself is `observed`.
    replicates : tuple of (name, value)
        None for one that there is not: it counts against the estimate.
    observed : float or None
    """

    cells: tuple[tuple[str, float, float], ...]
    clusters: tuple[tuple[str, float | None, float], ...]
    kind: str = ""
    replicates: tuple[tuple[str, float | None], ...] = ()
    observed: float | None = None
