"""Which parts of the record the rules of disclosure know; any other part is taken out."""

from __future__ import annotations

from typing import Final

__all__ = ["DESIGN", "PARTS"]

DESIGN: Final[frozenset[str]] = frozenset(
    {
        *("study", "title", "question", "seen_before", "status", "placebo", "seed", "spec_sha256", "versions"),
        *("indicator", "outcome", "unit", "better", "smallest", "smallest_why", "not_measurable", "siblings"),
        *("areas_total", "areas", "periods", "window", "anticipation", "pool", "compared", "flow", "excluded"),
        *("periods_left_out", "covariates", "shared", "level", "population", "made_of", "units", "map", "map_source"),
        *("data", "refusals", "programme", "disclosed", "schema", "standing", "signed", "look", "untranslated"),
        *("phrase", "belongs_to"),
        *("needed", "translations"),  # put in afterwards, from what may leave of both (`impact.study.recording`)
    }
)
"""Parts of the record that say who is compared with whom and when, and hold no figure of the outcome. A look is put in
afterwards, from what may leave (`impact.study.looks.looked`)."""

PARTS: Final[frozenset[str]] = frozenset(
    {
        *("primary", "weightings", "alternatives", "bracket", "robust", "event", "change", "path", "balance"),
        *("checks", "notes", "selection", "remarks", "families", "placebos", "also_as", "context"),
    }
)
"""Parts that hold figures, and that a rule here knows."""
