"""Impact evaluation of a place-based programme: what changed, compared with what, and how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impact.errors import DataError, ImpactError, Refused, SpecError, UsageError
    from impact.evidence.answer import Result
    from impact.facade import estimate
    from impact.panel import Panel
    from impact.targets import Target

__all__ = [
    "DataError",
    "ImpactError",
    "Panel",
    "Refused",
    "Result",
    "SpecError",
    "Target",
    "UsageError",
    "__version__",
    "estimate",
]

__version__ = "0.1.0"

# Resolved when first used, so that `import impact` costs next to nothing.
_HOME = {
    "DataError": "impact.errors",
    "ImpactError": "impact.errors",
    "Panel": "impact.panel",
    "Refused": "impact.errors",
    "Result": "impact.evidence.answer",
    "SpecError": "impact.errors",
    "Target": "impact.targets",
    "UsageError": "impact.errors",
    "estimate": "impact.facade",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'impact' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
