"""Where people live: gemeenten, wijken and buurten of the country, before there is any focus area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Float1, Float2, Int1, frozen
from impact.register.areas import areas
from impact.simulate.division import blocks, shares, wijken_of
from impact.simulate.draws import characteristics
from impact.simulate.lattice import borders, corners, smooth
from impact.simulate.settings import Settings
from impact.streams import Streams

__all__ = ["Geography", "geography"]


@dataclass(frozen=True, slots=True, eq=False)
class Geography:
    """`G` gemeenten with `W` wijken and `B` buurten; buurten are sorted by wijk, wijken by gemeente.

    Attributes
    ----------
    gemeenten, wijken, buurten : (G,), (W,), (B,) tuple of str
        Codes.
    wijk_gemeente : (W,) int
    wijk : (B,) int
        Wijk of every buurt, in the division of the last period.
    old_wijk : (B,) int
        Wijk under whose code the buurt was counted before the re-division.
    cell : (B,) int
        Place in the lattice.
    points : (2 · rows + 1, 2 · columns + 1, 2) int
        Corners and middles of edges, see ``lattice.corners``.
    borders : (E, 3) int
        Pairs of wijken that share edges, and how many.
    need : (B,) float
        Deprivation; over the wijken its sd is 1 and its mean 0.
    urban : (B,) float
        Urbanity: the address density of the wijk on a log scale, standardised over the wijken, within ±2.5.
    structure : (W, 3) float
        ``huur_pct``, ``uitkering_pct``, ``adres_dichtheid``.
    residents : (B,) float
        Whole numbers, before areas of stated size were made.
    """

    gemeenten: tuple[str, ...]
    wijken: tuple[str, ...]
    buurten: tuple[str, ...]
    wijk_gemeente: Int1
    wijk: Int1
    old_wijk: Int1
    cell: Int1
    points: NDArray[np.intp]
    borders: NDArray[np.intp]
    need: Float1
    urban: Float1
    structure: Float2
    residents: Float1

    def __post_init__(self) -> None:
        for name in ("wijk_gemeente", "wijk", "old_wijk", "cell", "points", "borders"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.intp))
        for name in ("need", "urban", "structure", "residents"):
            object.__setattr__(self, name, frozen(getattr(self, name)))


def geography(settings: Settings, streams: Streams) -> Geography:
    """Draw the map and who lives where."""
    rows, columns = settings.rows, settings.columns
    block = _numbered(
        settings, blocks(streams.at("gemeenten").generator(), rows, columns, settings.bands, settings.across), streams
    )
    sizes = np.bincount(block)
    counts = shares(sizes, settings.wijken)
    draw = streams.at("wijken").generator()
    label = np.empty(rows * columns, dtype=np.intp)
    offset = np.concatenate([[0], np.cumsum(counts)])
    for g, count in enumerate(counts.tolist()):
        own = wijken_of(draw, block == g, columns, count, settings.buurten_per_wijk)
        label[own >= 0] = own[own >= 0] + offset[g]
    order = np.argsort(label, kind="stable")
    wijk = label[order]
    wijk_gemeente = np.repeat(np.arange(len(counts)), counts)
    gemeenten = tuple(f"GM{9001 + g}" for g in range(len(counts)))
    wijken = tuple(f"WK{gemeenten[g][2:]}{w - offset[g] + 1:02d}" for w, g in enumerate(wijk_gemeente))
    first = np.searchsorted(wijk, wijk)
    buurten = tuple(f"BU{wijken[w][2:]}{b - first[b] + 1:02d}" for b, w in enumerate(wijk))
    residents = _residents(settings, wijk, streams)
    need, structure = _need(settings, block, order, wijk, residents, streams)
    density = np.log(structure[:, 2])
    urban = np.clip((density - density.mean()) / density.std(), -2.5, 2.5)[wijk]
    return Geography(
        gemeenten,
        wijken,
        buurten,
        wijk_gemeente,
        wijk,
        _old_division(settings, block, order, wijk, gemeenten, offset, streams),
        order,
        corners(streams.at("corners").generator(), rows, columns, settings.side, settings.corner),
        borders(label, rows, columns),
        need.round(9),
        urban.round(9),
        structure,
        residents,
    )


def _numbered(settings: Settings, block: Int1, streams: Streams) -> Int1:
    """(cells,) gemeente of every cell: those of the register come first, and where there are two areas is most room."""
    count = settings.bands * settings.across
    real = areas()
    homes = list(dict.fromkeys(one.gemeente_code for one in real))
    own = [sum(one.gemeente_code == home for one in real) for home in homes]
    large = [any(one.slug in settings.large for one in real if one.gemeente_code == home) for home in homes]
    order = streams.at("numbers").generator().permutation(count)
    by_size = order[np.argsort(-np.bincount(block)[order], kind="stable")].tolist()
    number = np.full(count, -1, dtype=np.intp)
    wide = [h for h in range(len(homes)) if own[h] > 1] + [h for h in range(len(homes)) if own[h] == 1 and large[h]]
    for home, place in zip(wide, by_size, strict=False):
        number[place] = home
    others = iter([g for g in range(count) if g not in wide])
    for place in order.tolist():
        if number[place] < 0:
            number[place] = next(others)
    return number[block]


def _residents(settings: Settings, wijk: Int1, streams: Streams) -> Float1:
    """(B,) residents of every buurt: a total per wijk, shared out unequally."""
    draw = streams.at("residents").generator()
    total = np.clip(np.exp(8.6 + 0.45 * draw.standard_normal(wijk[-1] + 1)), *settings.residents)
    part = draw.uniform(0.5, 1.5, len(wijk))
    return np.asarray(np.round(total[wijk] * part / np.bincount(wijk, part)[wijk]))


def _need(
    settings: Settings, block: Int1, order: Int1, wijk: Int1, residents: Float1, streams: Streams
) -> tuple[Float1, Float2]:
    """Deprivation of every buurt, and what it looks like per wijk: neighbours resemble each other."""
    draw = streams.at("need").generator()
    field = smooth(draw.standard_normal((settings.rows, settings.columns)), 2).ravel()
    home = np.arange(block.max() + 1) < len({one.gemeente_code for one in areas()})
    raw = (
        settings.need_of_homes * home[block]
        + 0.3 * draw.standard_normal(block.max() + 1)[block]
        + 0.8 * field
        + 0.4 * draw.standard_normal(len(block))
    )
    need = raw[order]
    mean = np.bincount(wijk, need * residents) / np.bincount(wijk, residents)
    need = (need - mean.mean()) / mean.std()
    mean = (mean - mean.mean()) / mean.std()
    return need, characteristics(mean, streams.at("structure").generator().standard_normal((len(mean), 3)))


def _old_division(
    settings: Settings,
    block: Int1,
    order: Int1,
    wijk: Int1,
    gemeenten: tuple[str, ...],
    offset: Int1,
    streams: Streams,
) -> Int1:
    """(B,) the wijk of every buurt before one gemeente drew its wijken anew and gave old codes to other ground."""
    if not settings.traps.redivision:
        return wijk
    home = gemeenten.index(settings.redivided)
    count = int(offset[home + 1] - offset[home]) - settings.fewer_before
    low, high = settings.buurten_per_wijk
    draw = streams.at("redivision").generator()
    own = wijken_of(draw, block == home, settings.columns, count, (low, high + 2))[order]
    return np.where(own >= 0, own + offset[home], wijk)
