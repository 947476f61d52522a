"""Refusals in the language of a report: those that the catalogue has words for, known by their sentences."""

from __future__ import annotations

import re
from typing import Final

from impact.errors import Refused
from impact.evidence.language import Texts

__all__ = ["KNOWN", "translated"]

KNOWN: Final[dict[str, str]] = {
    "withheld": r"under the rules of disclosure of (?P<profile>.+) too little lies behind it",
    "staggered": r"it is about (?P<count>\d+) groups that start at different times, so there is no one order of .*",
    "smallest-p": r"with (?P<count>\d+) periods the smallest p is (?P<least>[\d.]+)",
    "no-bound": r"no effect is too large to be accepted: (?P<before>\d+) periods before the start are too few .*",
    "all-rejected": r"every constant effect is rejected",
    "order-of-periods": r"the residuals of .* depend on the order of the periods, so permuting them proves nothing",
    "earlier-starts": r"(?P<count>\d+) of the earlier starts hold out the periods it rests on, so it could not be .*",
    "nothing-before": r"the first group starts \d+ periods after the first, and nothing is left to learn from .*",
    "bootstrap-matched": r"the panel is matched, and the bootstrap is known to misstate the error of matched .*",
    "bootstrap-one": r"there is one treated unit: every draw that has it has the same one, so its own error .*",
    "few-clusters": r"(?P<count>\d+) treated clusters carry weight in it, and draws of fewer than (?P<least>\d+) .*",
    "from-a-base": r"(.*: )?it compares changes from a base, and the theory is for weights that compare levels",
    "weights-not-a-mean": r"(.*: )?its weights are negative or do not sum to one over the donors",
    "fits-exactly": r"(.*: )?its weights fit every period before the start exactly, so nothing is known of their error",
    "not-least-squares": r"(.*: )?its weights do not minimise the squares before the start, as the theory asks",
    "few-before": r"(.*: )?(?P<count>\d+) periods before the start are fewer than the (?P<least>\d+) that tell how .*",
    "no-scores": r".* has no influence scores",
    "not-a-sum": r".* is no sum of outcomes with weights that stay the same when these move .*",
    "stand-ins-matched": r"the panel is matched, and who stands in for an area would need controls of its own",
    "few-areas": r"(?P<count>\d+) treated areas carry weight in it, and how fewer than (?P<least>\d+) differ tells .*",
    "one-effect": r"the estimator gives all areas one effect, or their outcomes do not move, so no error shows",
    "few-control-clusters": r"(?P<count>\d+) clusters have units without treatment, and the noise is learned from .*",
    "one-size": r"the control clusters are all of one size and the treated of another, so what size does is not known",
    "alone-in-cohort": r"(?P<cohort>.+) is treated in (?P<cluster>.+) alone, and its effect takes all that this .*",
    "small-sizes-only": r"the test holds its size at 8\.3 % or less, and (?P<asked>[\d%]+) is asked",
    "no-weights": r".* gives no weights of donors",
    "free-weights": r"with (?P<count>\d+) donors, weights under constraint=.* fit (?P<rows>\d+) numbers exactly, .*",
    "varying-base": r"before the start every estimate is a change since the period before it \(a varying base\)",
    "no-single-base": r"the estimates before the start are not changes since one reference period",
    "fitted-weights": r"its weights were chosen so that the estimates before the start are small",
    "nothing-earlier": r"there is no estimate before the start",
    "no-covariance": r".* gives no covariance of the event times",
    "first-lead": r"the estimate next to the reference period has no error, or its outcome was matched on",
    "more-periods": r"some combination of the estimates has no error: there are more periods than clusters",
    "average-alone": r"the average has no interval",
    "many-donors": r"(?P<count>\d+) units have weight in the comparison, more than the (?P<least>\d+) that are left .*",
    "short-past": r"the first area starts (?P<count>\d+) periods after the first, the last \d+: earlier starts .*",
    "short-window": r"no earlier start has the window of the target up to (?P<period>.+) behind it before period .*",
    "no-residents": r"(?P<count>\d+) units have no residents,? (?:that|or none that) are known \((?P<names>.*)\)",
    "no-places": r"it is not known where the donors lie.*, so none is near another",
    "named-ring": r"its units are named and not found by their borders, so it is not known at which area each lies",
    "added-up": r"the units of the study are added up from smaller ones",
    "empty-ring": r"no unit lies in the ring",
    "moments": r"(.*: )?no weights of the .* meet the moments; .*",
    "nobody-near": r"(.*: )?no area finds a donor within the caliper and the exact characteristics",
    "other-weighting": r"the weights of the comparison stand for the treated as every .* counts once, and not every .*",
    "plan-periods": r"the number of periods before the first start is (?P<count>\d+), and how long a shock lasts .*",
    "plan-clusters": r"the units lie in (?P<count>\d+) clusters, and what these share shows from 4 on",
    "plan-still": r"the outcomes do not move beside a course that all share",
    "plan-together": r".* rests on several outcomes at once, and their common course is not drawn",
    "plan-unmeasurable": r"this indicator cannot be measured for the areas",
    "few-controls": r"(?P<count>\d+) negative controls with an estimate and its error are too few to know how .*",
    "control-without-error": r"the declared inference gives its estimate no standard error",
    "control-apart": r"(?P<names>.+) is not in the comparison of the study",
    "control-still": r"before the start .+ does not move by itself, or has one period there, .*",
    "control-periods": r"its figures are final in other periods than those of the outcome",
    "sets-starts": r"areas start in different periods, so there is no one change to regress",
    "sets-gaps": r"not every unit with weight has a figure in all periods that the estimate rests on",
    "sets-unknown": r"not all characteristics are known of (?P<names>.+)",
    "sets-nothing": r"no set leaves a comparison",
    "sets-another": r"without characteristics this regression is another number than the estimate",
    "share-unknown": r"it is not known of (?P<names>.+) in (?P<periods>.+), on which the estimate rests",
    "share-added-up": r"the units of the comparison are put together from smaller ones, of which this is not known",
    "people-other": r"the table of people is about (?P<outcome>.+)",
    "people-since": r"there are no final figures of (?P<period>.+)",
    "people-nobody": r"nobody stayed in (?P<names>.+), so nothing says what became of those who did",
    "people-apart": r"the means of the people give other changes than the outcome does, up to (?P<size>.+) apart",
    "people-no-sum": r"it is no sum of outcomes with weights .*, so its parts do not add up",
    "control-alone": r"nobody stands beside (?P<names>.+)",
    "control-residents": r"the residents of its units are not known",
    "nothing-to-calibrate": r"the declared estimate has no interval to calibrate",
    "few-treated": r"(?P<count>\d+) treated clusters carry weight in it, and with fewer than (?P<least>\d+) no .*",
    "index-without": r"(?P<names>.+) cannot be estimated, and the index is of all its outcomes",
    "index-of-sum": r"an indicator follows from the others, as a sum does from its parts: take one of them out",
    "index-flat": r"an indicator does not vary in the reference",
    "index-apart": r"its outcomes have no treated units, or no others, in common",
    "window": r"(?P<name>.+) reaches into (?P<period>.+), and what (?P<area>.+) is learned from ends in (?P<end>.+)",
}
"""The reason of a refusal by its key in the catalogue: numbers and names in it are put into the text of that key."""


def translated(refused: Refused, say: Texts) -> tuple[str, str, str] | None:
    """What was refused, why, and what can be done instead; None where the catalogue has no words for it."""
    for key, pattern in KNOWN.items():
        found = re.fullmatch(pattern, refused.because, re.DOTALL)
        if found is not None and f"refused.known.{key}.because" in say:
            given = {name: text for name, text in found.groupdict().items() if text is not None}
            sign = say("format.decimal")
            values = {name: re.sub(r"(?<=\d)\.(?=\d)", sign, text) for name, text in given.items()}
            parts = (f"refused.known.{key}.{part}" for part in ("what", "because", "instead"))
            what, because, instead = (say(part, **values) for part in parts)
            return what, because, instead
    return None
