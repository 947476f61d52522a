"""The propensity score: the log odds of being treated, given covariates, by a logit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.errors import Refused
from impact.numerics.propensity import logit, separating

__all__ = ["log_odds"]

_FLAT = 1e-10  # as for distances


def log_odds(
    x: Float2,
    treated: Bool1,
    names: Sequence[str],
    redundant: Sequence[int] = (),
    counts: Float1 | None = None,
) -> Float1 | Refused:
    """(n,) log odds of being treated: the linear predictor of a logit on the covariates, by maximum likelihood.

    Parameters
    ----------
    x : (n, p) float
        Covariates, no value missing.
    treated : (n,) bool
        Some are, some are not.
    names : (p,) str
        Of the covariates, for refusals.
    redundant : sequence of int
        Columns known to follow from others, which are left out.
    counts : (n,) float, optional
        How often each unit counts; once by default.

    Returns
    -------
    (n,) float, or Refused
        A refusal names the covariates that do not vary, that follow from others, or that separate the treated from the
        controls, so that the likelihood has no maximum.
    """
    kept = [column for column in range(len(names)) if column not in set(redundant)]
    named = [names[column] for column in kept]
    spread, size = x[:, kept].std(axis=0), np.abs(x[:, kept]).max(axis=0)
    flat = [name for name, sd, most in zip(named, spread, size, strict=True) if sd <= _FLAT * most]
    if flat:
        return Refused("the propensity score", f"{', '.join(flat)} does not vary", "Leave it out.")
    scaled = (x[:, kept] - x[:, kept].mean(axis=0)) / spread
    if np.linalg.eigvalsh(scaled.T @ scaled / len(x))[0] < _FLAT:
        return Refused(
            "the propensity score",
            f"among {', '.join(named)} one characteristic follows from the others, or there are too few units "
            f"({len(x)}) for so many",
            "Leave one out.",
        )
    design = np.column_stack([np.ones(len(x)), scaled])
    often = np.ones(len(x)) if counts is None else counts
    sides = [[(design[group], often[group])] for group in (treated, ~treated)]
    found = logit(sides[0], sides[1])
    if found is not None:
        return np.asarray(design @ found)
    columns, alone = separating(sides[0], sides[1], logit)
    who = ", ".join(named[column - 1] for column in columns)
    if not alone and len(columns) > 1:
        who = f"a combination of {who}"
    each = ", each alone," if alone and len(columns) > 1 else ""
    verb = "separate" if each else "separates"
    return Refused(
        "the propensity score",
        f"{who}{each} {verb} the treated from the controls, so it has no finite estimate",
        f"Leave out {' or '.join(named[column - 1] for column in columns)}, or match on a distance of covariates.",
    )
