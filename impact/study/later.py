"""Words of a specification that a later version knows; whoever writes one is told so, and not that it is a typo."""

from __future__ import annotations

from impact.estimators.poisson import LOG1P

__all__ = ["ELSEWHERE", "INSTEAD", "LATER", "LATER_VALUES"]

_INFERENCE = "the part on inference and checks"

# Dotted path (without list positions) to the part of the project it comes with.
LATER: dict[str, str] = {}

# Words that another one replaces: dotted path to what to write.
INSTEAD: dict[str, str] = {
    "comparison.match.not_on": "Name the years to match on in `outcomes_in`, selection waves in `selection_waves`.",
    "outcome.measure.value": "The column `value` is taken as it is: state only its `unit`.",
    "outcomes.measure.value": "The column `value` is taken as it is: state only its `unit`.",
    "estimator.anticipation": "`anticipation` stands under `treatment`.",
    "estimator.reference": "The last period before the start and its `anticipation`, which stands under `treatment`.",
    "estimator.effect": "Differences in a study are in the unit of the outcome.",
    "estimator.exposure": "The outcome of a study is a rate or a figure as it is: no exposure is needed.",
    "estimator.errors": "Known errors are those of the outcomes table: its columns `se`, `n` or `margin`.",
    "estimator.opposite": "Which way is favourable stands under `better` of every outcome.",
    "inference.rematch": "A study matches as `comparison.match` says, for placebos too.",
    "deposit": "Where a lock was deposited is said with `impact deposit`, and stands in study.lock.",
    "weighting": "Say who counts once in `target: {every: area | resident | unit}`.",
    "target.weighting": "Say who counts once in `every: area | resident | unit`.",
}

INSTEAD |= {
    f"{outcome}.{key}": f"{LOG1P[0].upper()}{LOG1P[1:]}."
    for outcome in ("outcome", "outcomes")
    for key in ("transform", "measure.transform", "measure.log", "measure.log1p", "measure.asinh", "measure.arcsinh")
}

# Values that a study does not take, and where to find what they ask: a statement is about one number.
ELSEWHERE: dict[str, dict[str, str]] = {
    "target.kind": {
        "event": "Every report has the estimates by periods since the start beside its answer.",
        "unit": "Every area by itself stands beside the answer where `beside` of the inference names placebo-space: "
        "`impact report BUNDLE --area all`.",
        **dict.fromkeys(("cohort", "calendar"), "`impact estimate TABLE --target …` gives these, without a statement."),
    },
}

# Values that a later version knows: dotted path to value to part.
LATER_VALUES: dict[str, dict[str, str]] = {
    "target.kind": {
        **dict.fromkeys(("cumulative", "relative"), _INFERENCE),
    },
}
