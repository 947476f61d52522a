"""The generated country, with and without noise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impact.simulate import Country, Settings, country, read_settings
from impact.streams import Streams
from tests.shared import ROOT

FOLDER = ROOT / "data_synthetic"
SETTINGS = FOLDER / "land.settings.toml"


def without(settings: Settings, *traps: str) -> Settings:
    """The same settings with some traps switched off."""
    return replace(settings, traps=replace(settings.traps, **dict.fromkeys(traps, False)))


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
