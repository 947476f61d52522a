"""One estimate under every inference that applies, side by side: the declared one marked, refusals with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from impact.errors import Refused
from impact.evidence.result import Result
from impact.inference.protocol import Uncertainty
from impact.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Battery"]


@dataclass(frozen=True, slots=True, eq=False)
class Battery(Plotted):
    """One estimate under several inferences.

    Only the declared one decides. The others show how much hangs on that choice; none of them may be picked for what it
    says.

    Attributes
    ----------
    declared : str
        Name of the inference that was declared.
    results : mapping of str to Result
        By name of the inference, the declared one first. All have the same estimates; where an inference does not
        apply, its ``uncertainty`` is the refusal.
    """

    declared: str
    results: Mapping[str, Result]

    @property
    def refused(self) -> dict[str, Refused]:
        """Inferences that give nothing for any term, and why."""
        return {
            name: result.uncertainty for name, result in self.results.items() if isinstance(result.uncertainty, Refused)
        }

    def tidy(self) -> pd.DataFrame:
        """One row per inference and term: ``inference, declared, null``, then as ``Result.tidy``, then ``mc_error``.

        `null` is the hypothesis behind the p-value, which is not the same in all of them; `mc_error` the Monte-Carlo
        error of the p-value, 0 where nothing was drawn. A term without numbers says in `status` why.
        """
        import pandas as pd

        tables = []
        for name, result in self.results.items():
            table, found = result.tidy(), result.uncertainty
            table.insert(0, "inference", name)
            table.insert(1, "declared", name == self.declared)
            table.insert(2, "null", found.null if isinstance(found, Uncertainty) else "")
            drawn = found.mc_error if isinstance(found, Uncertainty) else np.full(len(table), np.nan)
            table["mc_error"] = np.where(table["p_value"].notna(), 0.0, np.nan) if drawn is None else drawn
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def summary(self) -> str:
        """A few lines of text for a terminal: the last term under every inference."""
        first = self.results[self.declared]
        term = first.effects.terms[-1]
        unit = f" {first.unit}" if first.unit else ""
        lines = [f"{first.method}, {term}: {first.effects.estimate[-1]:.4g}{unit}"]
        wide = max(map(len, self.results)) + 2
        for name, result in self.results.items():
            label = f"{name} *" if name == self.declared else name
            found = result.uncertainty
            if isinstance(found, Refused) or found.refused[-1] is not None:
                lines.append(f"{label:<{wide}} {result.status(len(first.effects.terms) - 1)}")
                continue
            ends = f"{found.low[-1]:.4g} to {found.high[-1]:.4g}" if not np.isnan(found.low[-1]) else "no interval"
            lines.append(f"{label:<{wide}} {_shown(found.p_value[-1])}, {ends}, {result.status(len(found.low) - 1)}")
        return "\n".join([*lines, "* declared: it alone decides"])


def _shown(p: float) -> str:
    return "p < 0.001" if p < 0.0005 else f"p {p:.3f}"
