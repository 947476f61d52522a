"""What a specification says of its estimator and its inferences, in sentences: every parameter in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from impact.evidence.single_areas import FEWEST
from impact.inference.placebo import PlaceboSpace
from impact.study.explain_data import control
from impact.study.methods import What, parameters
from impact.study.model import FIXED, Method, Specification
from impact.study.predictors import spelled
from impact.study.subsetting import columns_of_sets
from impact.study.wording import FOLLOWS, Said, Teller

__all__ = ["cluster", "estimator", "inference", "predicted"]

# Where the texts of a parameter stand when that is not under its own name.
_TEXT: Final = {"base": "shown"}
# Parameters that are said inside the sentence of another one, or by a function of their own.
_INSIDE: Final = frozenset(
    {"draws", "tolerance", "validate", "starts", "method", "residualize", "predictors", "outcomes"}
)
_FEW: Final[dict[float, tuple[str, ...]]] = {0: ("zero",), 1: ("one",)}
# Estimators whose comparison, once matched, is the chosen units alone.
_CHOSEN_ONLY: Final = ("group-time", "stacked", "poisson")

_Given = Mapping[str, Any]
# Parameters that change nothing, unless the others of the method are so.
_MATTERS: Final[dict[str, Callable[[str, _Given, Specification], bool]]] = {
    "v": lambda name, given, spec: bool(given["predictors"]),
    "starts": lambda name, given, spec: given["v"] in ("nested", "cross-validated"),
    "fit_window": lambda name, given, spec: given["v"] in ("nested", "cross-validated"),
    "budget": lambda name, given, spec: given["constraint"] in ("lasso", "ridge"),
    "validate": lambda name, given, spec: given["lam"] == "leave-one-out",
    "residualize": lambda name, given, spec: bool(spec.covariates),
    "missing": lambda name, given, spec: False,  # a unit without a figure that is used never comes into the panel
    "tolerance": lambda name, given, spec: given["sets"] == "similar-population",
    "draws": lambda name, given, spec: name != "conformal" or given["permutations"] == "iid",
    "cointegrated": lambda name, given, spec: given["order"] > 0 or given["lags"] > 0,
}


def estimator(tell: Teller) -> Iterator[Said]:
    """How the number is computed."""
    spec, name, topic = tell.spec, tell.spec.estimator.name, "estimate.method"
    yield tell(f"estimate.method.{name}", topic)
    given = _given("estimator", spec.estimator) | FIXED.get(name, {})
    for start in spec.starts():
        base = spec.base_periods(start, spec.labels)
        if base:
            yield tell("estimate.base", f"{topic}.base", start=start, list=tell.listed(base))
    yield from _followed(tell, given, topic)
    yield from _adjusted(tell, given, topic)
    if spec.comparison.match is not None and given.get("control") == "not-yet" and name in _CHOSEN_ONLY:
        given["control"] = "matched"
    yield from _told(tell, "estimate", spec.estimator, given, topic)


def inference(tell: Teller) -> Iterator[Said]:
    """How sure the number is."""
    spec, by = tell.spec, tell.spec.inference.cluster
    column = tell.column(by.column) if by.column is not None else ""
    alone = cluster(spec) == "gemeente" and spec.unit is not None and spec.unit.level == "gemeente"
    yield tell(f"sure.cluster.{'unit' if alone else cluster(spec)}", "sure.cluster", column=column)
    yield from _how(tell, spec.inference, "how")
    yield tell("sure.level", level=tell.percent(spec.inference.level))
    for method in spec.inference.beside:
        yield from _how(tell, method, "beside")
    if PlaceboSpace.name in (method.name for method in (spec.inference, *spec.inference.beside)):
        yield tell("sure.single-areas", FOLLOWS, least=str(FEWEST))
    if spec.comparison.match is not None:
        yield tell("sure.given-matching", FOLLOWS)
    yield from _together(tell)
    if spec.looks is not None:
        error = tell.percent(1 - spec.inference.level)
        yield tell("sure.looks.planned", "sure.looks", list=tell.listed(spec.looks.planned), level=error)
        yield tell(f"sure.looks.{spec.looks.spending}", "sure.looks.spending")
    if spec.calibrate is not None:
        yield tell("sure.calibrate.draws", "sure.calibrate", draws=tell.exact(spec.calibrate.draws))
        yield tell(f"sure.calibrate.sets.{spec.calibrate.sets}", "sure.calibrate.sets")
    if spec.needs is not None and spec.needs.power is not None:
        yield tell("sure.needs.power", power=tell.percent(spec.needs.power))
    if spec.needs is not None and spec.needs.respondents_per_area is not None:
        yield tell("sure.needs.respondents", count=tell.count(spec.needs.respondents_per_area))
    yield from _controls(tell)
    yield from _composition(tell)
    yield from _sets(tell)
    yield tell("sure.seed", seed=str(spec.seed))


def _together(tell: Teller) -> Iterator[Said]:
    """Which outcomes are judged together, and how."""
    for name, slugs in tell.spec.families.items():
        yield tell("sure.family", f"sure.family.{name}", name=name, list=tell.listed(slugs))
    if tell.spec.belongs_to is not None:
        yield tell("sure.belongs_to", file=Path(tell.spec.belongs_to).stem)
    found = tell.spec.correction
    if found is not None:
        yield tell(f"sure.correction.{found.method}", "sure.correction", level=tell.percent(found.level))
    for name, weighing in tell.spec.indices.items():
        yield tell(f"sure.index.{weighing}", f"sure.index.{name}", name=name)


def _controls(tell: Teller) -> Iterator[Said]:
    """Where nothing can be found, and what that is for."""
    found = tell.spec.negative_controls
    if found is None:
        return
    for other in found.outcomes:
        yield from control(tell, other)
    if found.outcomes:
        yield tell("sure.controls.outcomes")
    for name, elsewhere in found.areas.items():
        said = tell("sure.controls.areas", f"sure.controls.{name}", name=name, list=tell.listed(elsewhere.members))
        yield Said(said.topic, f"{said.text}{tell.reason(elsewhere.why)}")
    if found.areas:
        yield tell("sure.controls.elsewhere")
    yield tell("sure.controls.beside")


def _composition(tell: Teller) -> Iterator[Said]:
    """Who lives there, and how that is known."""
    found = tell.spec.composition
    if found is None:
        return
    for name, share in found.shares.items():
        columns = filter(None, (share.percentage, share.numerator, share.denominator))
        topic = f"sure.composition.{name}"
        yield tell(topic, columns=tell.listed(tell.column(column) for column in columns))
        if share.where:
            yield tell("sure.composition.where", f"{topic}.where", filter=tell.filter(share.where))
    yield tell("sure.composition.at-most", limit=tell.exact(round(100 * found.at_most, 9)))
    if found.people is not None:
        file = tell.word("quoted", text=found.people.file)
        yield tell("sure.composition.people", since=found.people.since, file=file)
        if found.people.outcome is not None:
            yield tell("sure.composition.outcome", outcome=found.people.outcome)


def _sets(tell: Teller) -> Iterator[Said]:
    """The same with every set of characteristics."""
    found = tell.spec.covariate_sets
    if found is None:
        return
    said = tell("sure.covariate-sets.of", list=tell.quoted(columns_of_sets(tell.spec)))
    yield Said(said.topic, f"{said.text}{tell.reason(found.why)}")
    yield tell("sure.covariate-sets.at-most", count=tell.count(found.at_most))


def cluster(spec: Specification) -> str:
    """What a cluster is: a gemeente, a unit, or those alike in a column."""
    return "column" if spec.inference.cluster.column is not None else spec.inference.cluster.by or "unit"


def _how(tell: Teller, method: Method, role: str) -> Iterator[Said]:
    topic = "sure.how" if role == "how" else f"sure.beside.{method.name}"
    given = _given("inference", method)
    yield tell(f"sure.{role}.{method.name}", topic, **_values(tell, given))
    yield from _told(tell, "sure", method, given, topic)


# --- parameters -------------------------------------------------------------------------------------------------------


def _given(what: What, method: Method) -> dict[str, Any]:
    """Every parameter of a method with its value: as the study gives it, or standard."""
    standard = {name: found.standard for name, found in parameters(what, method.name).items()}
    return standard | spelled(method.options)


def _told(tell: Teller, part: str, method: Method, given: dict[str, Any], topic: str) -> Iterator[Said]:
    """A sentence for every parameter: in words where there are any, else its name and value."""
    values = _values(tell, given)
    for key, value in given.items():
        matters = _MATTERS.get(key)
        if matters is not None and not matters(method.name, given, tell.spec):
            if key in method.options:
                yield tell("idle", f"{topic}.{key}", setting=tell.word("quoted", text=f"{key}: {_shown(tell, value)}"))
            continue
        if key in _INSIDE:
            continue
        found = _words(tell, part, key, value, method.name, given)
        if found is not None:
            more = _values(tell, {"value": value})
            if isinstance(value, Mapping):
                weights = (tell.word("weight", name=name, value=tell.exact(size)) for name, size in value.items())
                more = {"list": tell.listed(weights)}
            elif isinstance(value, tuple):
                more = {"first": value[0], "last": value[1]}
            yield tell(found, f"{topic}.{key}", **values, **more)
        elif key in method.options or not _words_at_all(tell, part, key):
            yield tell("setting", f"{topic}.{key}", name=key, value=_shown(tell, value))


def _words(tell: Teller, part: str, key: str, value: Any, name: str, given: dict[str, Any]) -> str | None:
    """Where the text for a value of a parameter stands: that of this method first; None where there is none."""
    if isinstance(value, (bool, str)):
        kinds = [str(value).lower() if isinstance(value, bool) else value]
    elif isinstance(value, (int, float)):
        kinds = [*_FEW.get(value, ()), "number"]
    else:
        kinds = ["none" if value is None else "mapping" if isinstance(value, Mapping) else "pair"]
    key = _TEXT.get(key, key)
    places = (f"{key}.{name}", f"{key}.{given['constraint']}" if "constraint" in given else key, key)
    found = [f"{part}.{place}.{kind}" for place in places for kind in kinds]
    return next((text for text in found if tell.knows(text)), None)


def _words_at_all(tell: Teller, part: str, key: str) -> bool:
    """Whether the parameter has words for another value; then its standard value needs none."""
    return any(text.startswith(f"explain.{part}.{_TEXT.get(key, key)}.") for text in tell.say.entries)


def _values(tell: Teller, given: Mapping[str, Any]) -> dict[str, str]:
    """Numbers among the parameters as they are written inside sentences; a tolerance is a share."""
    numbers = {key: x for key, x in given.items() if isinstance(x, (int, float)) and not isinstance(x, bool)}
    return {key: tell.percent(value) if key == "tolerance" else tell.exact(value) for key, value in numbers.items()}


def _shown(tell: Teller, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return tell.exact(value) if isinstance(value, (int, float)) else str(value)


# --- what is followed and adjusted for --------------------------------------------------------------------------------


def _followed(tell: Teller, given: dict[str, Any], topic: str) -> Iterator[Said]:
    """What a synthetic comparison is to follow, where that is not the outcome before the start."""
    if given.get("predictors"):
        yield tell("estimate.predictors", f"{topic}.predictors", list=tell.listed(predicted(tell)))
        if any(not isinstance(one, Mapping) or one["of"] != "outcome" for one in given["predictors"]):
            yield tell("estimate.lacking", f"{topic}.predictors.lacking")
    if "outcomes" in given:
        named = given["outcomes"] or [outcome.indicator for outcome in tell.spec.all_outcomes]
        yield tell("estimate.outcomes", f"{topic}.outcomes", list=tell.listed(named))
        yield tell("estimate.without", f"{topic}.outcomes.without")


def predicted(tell: Teller) -> tuple[str, ...]:
    """The predictors of a synthetic comparison, in words; none where it follows the outcome in every period."""
    return tuple(_predictor(tell, one) for one in spelled(tell.spec.estimator.options).get("predictors", ()))


def _predictor(tell: Teller, one: Any) -> str:
    """A predictor in words: ``the mean of the outcome over 2013 to 2016``."""
    if not isinstance(one, Mapping):
        return str(one)
    said = str(one["of"])
    if "at" in one:
        said = tell.word("predictor.at", period=one["at"])
    elif said == "outcome":
        kind = "each" if one.get("each") else one.get("statistic", "mean")
        window = "window" if "from" in one and "to" in one else next((w for w in ("from", "to") if w in one), "all")
        over = tell.word(f"predictor.over.{window}", **{"from": one.get("from", ""), "to": one.get("to", "")})
        said = tell.word(f"predictor.{kind}", over=over)
    if "training" in one:
        said += tell.word("predictor.training", text=_predictor(tell, one["training"]))
    return said


def _adjusted(tell: Teller, given: dict[str, Any], topic: str) -> Iterator[Said]:
    """Which characteristics the estimate adjusts for, and how."""
    spec, terms = tell.spec, tell.spec.covariates
    if terms:
        yield tell("estimate.covariates", "estimate.covariates", list=tell.listed(map(tell.term, terms)))
        scores = spec.data.units.columns.selection if spec.data.units is not None else ()
        if set(scores) & {name for term in terms for name in (*term.numbers, *term.categories)}:
            yield tell("estimate.selected", "estimate.covariates.selected")
        name = "reg" if given.get("control") == "never" and "method" not in given else spec.estimator.name
        way = "residualize" if given.get("residualize") else given.get("method", name)
        yield tell(f"estimate.adjusting.{way}", f"{topic}.adjust")
    elif "method" in given:
        yield tell("estimate.adjust", f"{topic}.adjust", setting=tell.word("quoted", text=f"method: {given['method']}"))
