"""The numbers of a bundle computed again from its aggregates, by formulas of their own and not by the code of a run."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from impact.evidence.record import Estimate, Evidence, Second
from impact.streams import Streams
from impact.study.aggregates import AGGREGATES
from impact.study.archive import Contents
from impact.study.digits import ALGEBRA, agree
from impact.study.tidy import entries
from impact.study.verification import Said

__all__ = ["Recomputed", "recompute"]

_FILE = "aggregates.csv"
_TIE, _FLIPPED = 1e-9, 1e-12  # statistics closer than this to that of the estimate count as equal to it
_MOST_BYTES, _MOST_DRAWS, _MOST_SIGNS = 64 * 2**20, 10**7, 20  # what is counted again at all
Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Recomputed:
    """What differs, how many numbers agree, and what could not be computed again, by its reason."""

    wrong: list[Said] = field(default_factory=list)
    agreed: int = 0
    missing: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Rows:
    """The rows of one estimate, by kind: labels, values (nan where empty) and weights."""

    label: dict[str, list[str]] = field(default_factory=dict)
    value: dict[str, list[float]] = field(default_factory=dict)
    weight: dict[str, list[float]] = field(default_factory=dict)

    def add(self, kind: str, label: str, value: str, weight: str) -> None:
        self.label.setdefault(kind, []).append(label)
        self.value.setdefault(kind, []).append(float(value) if value else np.nan)
        self.weight.setdefault(kind, []).append(float(weight) if weight else np.nan)

    def values(self, kind: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(self.value.get(kind, []))

    def weights(self, kind: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(self.weight.get(kind, []))


def recompute(contents: Contents, outcomes: Sequence[Evidence]) -> Recomputed:
    """Every estimate with its error, interval and p-values, as far as the aggregates reach."""
    found = Recomputed()
    if _FILE not in contents.files:
        found.missing["no-aggregates"] += sum(len(entries(evidence)) for evidence in outcomes)
        return found
    try:
        table = _read(contents.files[_FILE])
    except (ValueError, csv.Error) as error:
        found.wrong.append(Said("recomputed.unreadable", {"why": str(error)}))
        return found
    known = set()
    for evidence in outcomes:
        for role, name, _, estimate in entries(evidence):
            key = (evidence.indicator, role, name, estimate.term)
            known.add(key)
            if estimate.value is None:
                continue
            if key not in table:
                found.missing["no-aggregates"] += 1
                continue
            try:
                _estimate(found, key, estimate, table[key], evidence.seed)
            except (ArithmeticError, ValueError) as error:
                found.wrong.append(Said("recomputed.unreadable", {"why": f"{_address(key)}: {error}"}))
    found.wrong += [Said("recomputed.unknown", {"address": _address(key)}) for key in sorted(table.keys() - known)]
    return found


def _read(content: bytes) -> Mapping[Key, _Rows]:
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES // 2**20} MB")
    rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
    if tuple(next(rows, ())) != AGGREGATES:
        raise ValueError("its columns are others")
    table: dict[Key, _Rows] = {}
    for row in rows:
        outcome, role, name, term, *rest = row
        if len(rest) != 4:
            raise ValueError(f"a row has {len(row)} cells")
        table.setdefault((outcome, role, name, term), _Rows()).add(*rest)
    return table


def _address(key: Key) -> str:
    return " ".join(filter(None, key))


def _estimate(found: Recomputed, key: Key, estimate: Estimate, rows: _Rows, seed: int) -> None:
    """Hold one estimate against what its rows come to."""
    assert estimate.value is not None
    cells, weights = rows.values("cell"), rows.weights("cell")
    scale = float(np.abs(cells * weights).sum())
    computed: dict[str, float] = {"value": float(cells @ weights)}
    own, share = rows.values("cluster"), rows.weights("cluster")
    if len(own) and np.isfinite(own).all():
        _hold(found, key, "value", estimate.value, float(own.sum()), max(scale, float(np.abs(own).sum())))
    if len(share):
        computed["treated_clusters"] = float((share > 0).sum())
        computed["largest_share"] = float(share.max())
        computed["effective_clusters"] = float(1 / (share**2).sum())
    computed |= _uncertain(found, estimate, rows)
    for name, value in computed.items():
        stated = getattr(estimate, name)
        if stated is not None:
            _hold(found, key, name, float(stated), value, scale if name in ("value", "low", "high") else 0.0)
        elif np.isfinite(value) and estimate.refused is None:
            found.wrong.append(Said("recomputed.gone", {"address": _address(key), "what": name}))
    if estimate.band_low is not None:
        found.missing["bands"] += 1
    for second in estimate.beside:
        _beside(found, key, second, own, seed)


def _uncertain(found: Recomputed, estimate: Estimate, rows: _Rows) -> dict[str, float]:
    """Error, degrees of freedom, interval and p-value, by the formulas of the methods that leave their parts behind."""
    value = estimate.value
    assert value is not None
    left, scores, placebo = rows.values("left-out"), rows.values("score"), rows.values("placebo")
    if estimate.inference == "cluster-jackknife" and len(left) and estimate.std_error is not None:
        clusters = estimate.clusters
        square = (clusters - 1) / clusters * float(((left - value) ** 2).sum())  # CV3, MacKinnon et al. 2023, eq. 15
        df = min(clusters, int((rows.weights("cluster") > 0).sum())) - 1.0
    elif estimate.inference == "jackknife" and len(left) and estimate.std_error is not None:
        square = (len(left) - 1) / len(left) * float(((left - value) ** 2).sum())
        df = np.inf
    elif estimate.inference == "scores" and len(scores) and estimate.std_error is not None:
        square, df = float((scores**2).sum()), estimate.clusters - 1.0
    elif estimate.inference == "placebo-space" and len(placebo) and estimate.p_value is not None:
        found.missing["placebo-error"] += 1
        (observed,) = rows.values("observed")
        # A set without an estimate (nan) counts as beyond it.
        beyond = len(placebo) - int((placebo < observed * (1 - _TIE)).sum())
        return {"p_value": (1 + beyond) / (1 + len(placebo))}
    else:
        if estimate.std_error is not None or estimate.p_value is not None:
            found.missing[estimate.inference] += 1
        return {}
    error = float(np.sqrt(square))
    tail = 0.5 + estimate.level / 2
    reach = float(ndtri(tail) if np.isinf(df) else stdtrit(df, tail)) * error
    known = {"std_error": error, "low": value - reach, "high": value + reach}
    if error:
        away = -abs(value) / error
        known["p_value"] = float(2 * (ndtr(away) if np.isinf(df) else stdtr(df, away)))
    return known | ({"df": df} if np.isfinite(df) else {})


def _beside(
    found: Recomputed,
    key: Key,
    second: Second,
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    seed: int,
) -> None:
    """A p-value that stands beside the declared one."""
    if second.p_value is None:
        return
    active = scores[scores != 0]
    much = len(active) > _MOST_SIGNS if second.enumerated else second.draws > _MOST_DRAWS
    if second.name != "score-flip" or not len(active) or not np.isfinite(scores).all() or much:
        found.missing[second.name] += 1
        return
    least = abs(float(active.sum())) * (1 - _FLIPPED)
    if second.enumerated:
        beyond = sum(
            int((np.abs(signs @ active) >= least).sum())
            for start in range(0, 2 ** len(active), 4096)
            for signs in [_signs(np.arange(start, min(start + 4096, 2 ** len(active))), len(active))]
        )
        value = beyond / 2 ** len(active)
    else:
        generator = Streams(seed).at("score-flip").generator()
        sizes = [min(1024, second.draws - start) for start in range(0, second.draws, 1024)]
        draws = (generator.integers(0, 2, size=(size, len(active))) * 2.0 - 1.0 for size in sizes)
        value = (1 + sum(int((np.abs(signs @ active) >= least).sum()) for signs in draws)) / (1 + second.draws)
    _hold(found, key, f"p_value ({second.name})", second.p_value, value, 0.0)


def _signs(
    numbers: np.ndarray[tuple[int], np.dtype[np.intp]], size: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.where((numbers[:, None] >> np.arange(size)) & 1, 1.0, -1.0)


def _hold(found: Recomputed, key: Key, what: str, stated: float, computed: float, scale: float) -> None:
    if agree(stated, computed, ALGEBRA, scale):
        found.agreed += 1
        return
    values = {"address": _address(key), "what": what, "stated": f"{stated:.12g}", "computed": f"{computed:.12g}"}
    found.wrong.append(Said("recomputed.differs", values))


def names(missing: Counter[str]) -> Iterator[Said]:
    """What was not computed again, in words."""
    for reason, count in sorted(missing.items()):
        known = reason in ("no-aggregates", "bands", "placebo-error")
        key = f"unchecked.{reason}" if known else "unchecked.inference"
        yield Said(key, {"count": str(count)} if known else {"count": str(count), "method": reason})
