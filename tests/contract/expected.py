"""Where an estimator is not expected to keep a line of the contract, and why; each sentence is tested to be true.

The key is the check and the registered name, or the label of one configuration.
"""

from __future__ import annotations

import pytest

from tests.contract.worlds import CONFIGURED

_RIDGE = "The ridge grows with the noise, the spread of the donors' first differences before the start, "
EXPECTED: dict[tuple[str, str], str] = {
    ("unit shift", "synthetic-control"): "Levels are matched: a unit that is moved as a whole needs other donors.",
    ("time shock", "synthetic-did"): _RIDGE + "and a change that all units share is part of that spread.",
    (
        "duplicate donor",
        "synthetic-did",
    ): "The ridge prefers many small weights, so two copies together get more than one.",
    (
        "own outcomes",
        "synthetic-control",
    ): "The gap of an area is one for all its units, so a unit's untreated outcome is its own "
    "outcome less the area's gap; the mean over the area does not use treated outcomes.",
    (
        "own outcomes",
        "synthetic-did",
    ): "The gap of a group is one for all its units, so a unit's untreated outcome is its own "
    "outcome less the group's gap; the mean over the group does not use treated outcomes.",
    (
        "treated post",
        "twfe",
    ): "Treated units serve as controls for those that start later, so one cohort's treated outcomes move the number "
    "of all.",
    (
        "own outcomes",
        "twfe",
    ): "The untreated outcome of a unit is its own outcome less a coefficient that all treated outcomes made.",
    (
        "mean zero",
        "imputation",
    ): "Effects are centred on their mean weighted by squared weights, which makes the error least and not the sum 0.",
    (
        "certificate",
        "synthetic-did, fw",
    ): "The rule of the R package stops before the optimum, which is why it is not the default.",
    (
        "objective",
        "synthetic-did, fw",
    ): "The rule of the R package stops before the optimum, which is why it is not the default.",
}

_RATIOS = "Without treatment rates go up and down by common factors, "
EXPECTED |= {
    ("time shock", "poisson"): _RATIOS + "so an amount that is added to all moves a small rate more than a large one.",
    ("unit shift", "poisson"): _RATIOS + "so a unit with an amount more takes part in them with that amount.",
    ("parallel trends", "poisson"): _RATIOS + "and parallel lines of different height do not.",
}
for _label in ("poisson, proportional", "poisson, proportional, not-yet"):
    EXPECTED |= {
        ("scale", _label): "A proportion is the same in every unit of the outcome.",
        ("constant effect", _label): "An amount that is added is another proportion in every cell.",
        ("treated post", _label): "What is added to the outcome moves the effect by its proportion of what is imputed.",
        ("surface", _label): "The effect is the gap as a proportion of what is imputed, not the gap itself.",
    }


def configured(check: str, keep: object = None) -> pytest.MarkDecorator:
    """Every configured estimator, with the failures that are expected of it in this check."""
    chosen = [case for case in CONFIGURED if not callable(keep) or keep(case)]
    marks = [EXPECTED.get((check, case.label)) or EXPECTED.get((check, case.name)) for case in chosen]
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(
                case,
                id=case.label,
                marks=() if reason is None else pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError),
            )
            for case, reason in zip(chosen, marks, strict=True)
        ],
    )
