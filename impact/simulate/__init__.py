"""Generated data with a known truth: a whole country with the traps of real data, and a small panel (`small`)."""

from impact.simulate.land import Country, country, truth
from impact.simulate.outcomes import Series, indicator
from impact.simulate.settings import Settings, read_settings
from impact.simulate.ship import write

__all__ = ["Country", "Series", "Settings", "country", "indicator", "read_settings", "truth", "write"]
