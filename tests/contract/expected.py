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
for _check in ("weights", "objective"):
    EXPECTED[_check, "synthetic-did, covariates"] = (
        "Weights and programs are those of the outcome without what covariates explain of it, not of the outcome."
    )

_OWN = "The gap of an area is one for all its units, so a unit's untreated outcome is its own outcome less that gap."
for _name in ("penalized-synthetic-control", "augmented-synthetic-control"):
    EXPECTED["own outcomes", _name] = _OWN
_LEVELS = "Levels are matched: a unit that is moved as a whole needs other donors."
for _label in ("penalized, leave-one-out", "penalized, predictors"):
    EXPECTED["unit shift", _label] = _LEVELS
    EXPECTED["parallel trends", _label] = (
        "Donors of other levels have a price, so the nearest one is taken and not a mix that has the level."
    )
for _label in ("augmented, 1se", "augmented, covariates", "augmented, residualize"):
    EXPECTED["unit shift", _label] = _LEVELS
EXPECTED |= {
    (
        "duplicate donor",
        "penalized, predictors",
    ): "Predictors are divided by their standard deviation, in which a donor that is there twice counts twice.",
    (
        "objective",
        "penalized-synthetic-control",
    ): "The objective holds the price of distance; its own tests give it to clarabel.",
    (
        "duplicate donor",
        "augmented-synthetic-control",
    ): "The regression counts every donor once, so a donor that is there twice counts twice.",
    (
        "weights",
        "augmented-synthetic-control",
    ): "The correction takes weight from donors below zero; its own tests hold the weights to the effect.",
    (
        "objective",
        "augmented, covariates",
    ): "The program balances covariates beside the outcomes; its own tests hold it to a textbook formula.",
    (
        "objective",
        "augmented, residualize",
    ): "The program is of outcomes less what covariates explain; its own tests hold it to a textbook formula.",
}

for _name in ("partially-pooled", "multi-outcome-synthetic-control"):
    EXPECTED["own outcomes", _name] = _OWN
for _label in ("partially-pooled, levels", "multi-outcome, averaged levels"):
    EXPECTED["unit shift", _label] = "Levels are matched: a unit that is moved as a whole needs other donors."
for _label in ("multi-outcome", "multi-outcome, averaged levels"):
    EXPECTED["duplicate donor", _label] = (
        "Outcomes are divided by their spread over the donors, in which a donor that is there twice counts twice."
    )
EXPECTED |= {
    (
        "scale",
        "partially-pooled, not-yet",
    ): "The penalty on large weights is in squared units of the outcome, so other units need another penalty.",
    (
        "duplicate donor",
        "partially-pooled, nu from the data",
    ): "Without levels to match several weights fit equally well, and those of least norm give two copies more.",
    (
        "duplicate donor",
        "partially-pooled, not-yet",
    ): "The penalty prefers many small weights, so two copies together get more than one.",
    (
        "never treated",
        "partially-pooled, not-yet",
    ): "Areas are fitted together, and without never-treated units the last of them have too few donors.",
    ("weights", "partially-pooled, not-yet"): "Units that start after the last effect of an area may be its donors.",
    ("objective", "partially-pooled"): "There is one program for all areas; its own tests give it to clarabel.",
    ("objective", "multi-outcome"): "The program has rows of other outcomes; its own tests build it from the formula.",
    (
        "objective",
        "multi-outcome, averaged levels",
    ): "The program has rows of other outcomes; its own tests build it from the formula.",
    (
        "parallel trends",
        "multi-outcome, averaged levels",
    ): "In an average a difference in the level of one outcome can hide behind one in another.",
}

_SPREAD = "Predictors are divided by their spread over the donors, in which a donor that is there twice counts twice."
for _label in ("predictors", "nested", "cross-validated"):
    EXPECTED["duplicate donor", f"synthetic-control, {_label}"] = _SPREAD
for _label in ("predictors", "cross-validated"):
    EXPECTED["parallel trends", f"synthetic-control, {_label}"] = (
        "Covariates are matched as well as levels, at the cost of these."
    )
for _label in ("lasso", "ridge"):
    EXPECTED["time shock", f"synthetic-control, {_label}"] = (
        "The weights need not sum to one, so a change that all units share does not cancel."
    )
EXPECTED |= {
    (
        "duplicate donor",
        "synthetic-control, intercept",
    ): "Without levels to match several weights fit equally well, and those of least norm give two copies more.",
    (
        "duplicate donor",
        "synthetic-control, ridge",
    ): "A bound on the sum of squares prefers many small weights, so two copies together get more than one.",
}
# Lines that a configuration keeps and others of its name do not.
KEPT: set[tuple[str, str]] = {
    ("unit shift", f"synthetic-control, {_label}") for _label in ("intercept", "ridge", "nested")
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
    marks = [
        None if (check, case.label) in KEPT else EXPECTED.get((check, case.label)) or EXPECTED.get((check, case.name))
        for case in chosen
    ]
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
