"""The generated country, with and without noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impact.simulate import Country, Settings, country, read_settings
from impact.streams import Streams
from tests.shared import ROOT

FOLDER = ROOT / "data_synthetic"
SETTINGS = FOLDER / "land.settings.toml"


def without(settings: Settings, *traps: str) -> Settings:
    """The same settings with some traps switched off."""
    return replace(settings, traps=replace(settings.traps, **dict.fromkeys(traps, False)))


def untouched(of: Country) -> np.ndarray:
    """(W,) wijken that the programme does not reach, in gemeenten without a focus area."""
    homes = np.unique(of.land.wijk_gemeente[of.share > 0])
    return (of.members.neighbour < 0) & ~of.redrawn & ~np.isin(of.land.wijk_gemeente, homes)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return read_settings(SETTINGS)


@pytest.fixture(scope="session")
def made(settings: Settings) -> Country:
    return country(settings, Streams(settings.seed))


@pytest.fixture(scope="session")
def quiet(settings: Settings) -> Country:
    """All traps that are no noise stay on."""
    return country(replace(settings, noise=False), Streams(settings.seed))
