"""Impact evaluation of a place-based programme: what changed, compared with what, and how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impact.checks.honest import honest
    from impact.design.balance_frame import balance
    from impact.design.match_frame import match
    from impact.errors import DataError, ImpactError, Refused, SpecError, UsageError, WriteError
    from impact.estimators.bacon import Decomposition
    from impact.evidence.all_inferences import Battery
    from impact.evidence.pictures import Picture, picture
    from impact.evidence.result import Result
    from impact.evidence.side_by_side import SideBySide
    from impact.facade import battery, compare, decompose, estimate
    from impact.panel import Panel
    from impact.parallel import Bar
    from impact.robustness import backdate, leave_one_out, placebos
    from impact.sample import Sample
    from impact.study.bundle import Bundle, read_bundle
    from impact.study.collection import Collection, read_collection
    from impact.study.planning import plan
    from impact.study.read import Study, read_study
    from impact.study.run import run
    from impact.study.verification import Verification
    from impact.study.verify import verify
    from impact.targets import Target

__all__ = [
    "Bar",
    "Battery",
    "Bundle",
    "Collection",
    "DataError",
    "Decomposition",
    "ImpactError",
    "Panel",
    "Picture",
    "Refused",
    "Result",
    "Sample",
    "SideBySide",
    "SpecError",
    "Study",
    "Target",
    "UsageError",
    "Verification",
    "WriteError",
    "__version__",
    "backdate",
    "balance",
    "battery",
    "compare",
    "decompose",
    "estimate",
    "honest",
    "leave_one_out",
    "match",
    "picture",
    "placebos",
    "plan",
    "read_bundle",
    "read_collection",
    "read_study",
    "run",
    "verify",
]

__version__ = "0.1.0"

# Resolved when first used, so that `import impact` costs next to nothing.
_HOME = {
    "Bar": "impact.parallel",
    "Battery": "impact.evidence.all_inferences",
    "DataError": "impact.errors",
    "Decomposition": "impact.estimators.bacon",
    "ImpactError": "impact.errors",
    "Bundle": "impact.study.bundle",
    "Collection": "impact.study.collection",
    "Panel": "impact.panel",
    "Picture": "impact.evidence.pictures",
    "Refused": "impact.errors",
    "Result": "impact.evidence.result",
    "Sample": "impact.sample",
    "SideBySide": "impact.evidence.side_by_side",
    "SpecError": "impact.errors",
    "Study": "impact.study.read",
    "Target": "impact.targets",
    "UsageError": "impact.errors",
    "Verification": "impact.study.verification",
    "WriteError": "impact.errors",
    "backdate": "impact.robustness",
    "balance": "impact.design.balance_frame",
    "battery": "impact.facade",
    "compare": "impact.facade",
    "decompose": "impact.facade",
    "estimate": "impact.facade",
    "honest": "impact.checks.honest",
    "leave_one_out": "impact.robustness",
    "match": "impact.design.match_frame",
    "picture": "impact.evidence.pictures",
    "placebos": "impact.robustness",
    "plan": "impact.study.planning",
    "read_bundle": "impact.study.bundle",
    "read_collection": "impact.study.collection",
    "read_study": "impact.study.read",
    "run": "impact.study.run",
    "verify": "impact.study.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'impact' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
