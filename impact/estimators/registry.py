"""Estimators by name; registering one is one line, resolved when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from impact.errors import Problem, UsageError
from impact.estimators.protocol import Estimator

__all__ = ["ESTIMATORS", "LATER", "named", "resolve"]

ESTIMATORS: dict[str, str] = {
    "did": "impact.estimators.did:DiD",
    "group-time": "impact.estimators.group_time:GroupTime",
    "imputation": "impact.estimators.imputation:Imputation",
    "two-stage": "impact.estimators.imputation:TwoStage",
    "extended-twfe": "impact.estimators.extended_twfe:ExtendedTWFE",
    "stacked": "impact.estimators.stacked:Stacked",
    "sun-abraham": "impact.estimators.sun_abraham:SunAbraham",
    "twfe": "impact.estimators.twfe:TWFE",
    "poisson": "impact.estimators.poisson:Poisson",
    "synthetic-control": "impact.estimators.synthetic_control:SyntheticControl",
    "penalized-synthetic-control": "impact.estimators.penalized:PenalizedSyntheticControl",
    "augmented-synthetic-control": "impact.estimators.augmented:AugmentedSyntheticControl",
    "synthetic-did": "impact.estimators.synthetic_did:SyntheticDiD",
    "partially-pooled": "impact.estimators.partially_pooled:PartiallyPooled",
    "multi-outcome-synthetic-control": "impact.estimators.multi_outcome:MultiOutcomeSyntheticControl",
}

# Names that are settled but not here yet; a user who asks for one is told so.
LATER: tuple[str, ...] = (
    "efficient",
    "matrix-completion",
    "interactive-fixed-effects",
    "de-chaisemartin-dhaultfoeuille",
    "triple-difference",
    "dose",
)


# What the field, and other packages, call them.
ALIASES: dict[str, str] = {
    "etwfe": "extended-twfe",
    "jwdid": "extended-twfe",
    "wooldridge": "extended-twfe",
    "did2s": "two-stage",
    "gardner": "two-stage",
    "bjs": "imputation",
    "borusyak": "imputation",
    "didimputation": "imputation",
    "did-imputation": "imputation",
    "att-gt": "group-time",
    "callaway-santanna": "group-time",
    "cs": "group-time",
    "csdid": "group-time",
    "cengiz": "stacked",
    "stackedev": "stacked",
    "sunab": "sun-abraham",
    "feols": "twfe",
    "ppml": "poisson",
    "fepois": "poisson",
    "scm": "synthetic-control",
    "pensynth": "penalized-synthetic-control",
    "ascm": "augmented-synthetic-control",
    "augsynth": "augmented-synthetic-control",
    "multisynth": "partially-pooled",
    "sdid": "synthetic-did",
    "synthdid": "synthetic-did",
}


def named(name: str, known: dict[str, str], later: tuple[str, ...], what: str) -> Any:
    """The class registered under `name`.

    Raises
    ------
    UsageError
        ``USAGE-001`` with the nearest name, or the word that it comes later.
    """
    if name in known:
        module, _, attribute = known[name].partition(":")
        return getattr(import_module(module), attribute)
    if name in later:
        raise UsageError(
            Problem("USAGE-001", f"{what} {name!r} comes with a later version", f"here now: {', '.join(known)}")
        )
    from difflib import get_close_matches

    alias = ALIASES.get(name.lower().replace("_", "-"))
    near = [alias] if alias in known else get_close_matches(name, [*known, *later], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise UsageError(Problem("USAGE-001", f"there is no {what} {name!r}", hint))


def resolve(name: str) -> type[Estimator]:
    """The estimator class registered under `name`; see `named` for errors."""
    found: type[Estimator] = named(name, ESTIMATORS, LATER, "estimator")
    return found
