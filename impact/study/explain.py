"""The protocol of a study in plain sentences, from its specification alone: no data are opened, no outcome is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from impact.estimators.registry import resolve as resolve_estimator
from impact.evidence.document import Block, Paragraph, Points, Section
from impact.evidence.reading import plain
from impact.inference.registry import resolve as resolve_inference
from impact.study.alternatives import Variation
from impact.study.explain_data import data, outcome, periods
from impact.study.explain_design import comparison, treated
from impact.study.model import FIXED, Method, Specification
from impact.study.read import Study
from impact.study.wording import FOLLOWS, Said, Teller, differing, ended

__all__ = ["SEALING", "explain", "heading"]

SEALING = ("pre-periods", "controls")
"""Checks behind which there is no number when they are not met."""

_SHARES = ("largest-share", "suppressed")
# Parameters that have sentences of their own; of any other the name and the value are said.
_TOLD = {
    "estimator": ("control", "method", "base", "solver", "variance", "effect", "before", "after"),
    "inference": ("draws", "statistic", "small_sample"),
}
# Estimators whose comparison, once matched, is the chosen units alone.
_CHOSEN_ONLY = ("group-time", "stacked", "poisson")


@dataclass(frozen=True, slots=True)
class _Part:
    """A section before it is laid out: groups of sentences, which stand as running text or as points."""

    name: str
    groups: tuple[tuple[Said, ...], ...]
    running: bool = False

    @property
    def sentences(self) -> tuple[Said, ...]:
        return tuple(said for group in self.groups for said in group)


def heading(study: Study, language: str = "nl") -> str:
    """Title of a study with its short name."""
    tell = Teller.of(study.model, language)
    return tell.word("head", title=tell.own(study.model.title), id=study.model.id)


def explain(study: Study, language: str = "nl") -> tuple[Section, ...]:
    """Everything that a run of `study` will act on, as short sections of sentences.

    Parameters
    ----------
    study : Study
        As ``read_study`` gives it; nothing else is read.
    language : str
        Of the sentences; texts of the study that are not in it stand as they are written.

    Raises
    ------
    UsageError
        ``TEXT-001`` when there is no such language.
    """
    tell = Teller.of(study.model, language)
    design = _design(tell)
    told = [
        *_opening(tell),
        *design,
        _Part("alternatives", _grouped(_alternatives(tell, design, study.variations))),
        _Part("checks", _grouped(_checks(tell))),
        _Part("not-said", _grouped(_not_said(tell))),
    ]
    sections = [Section(part.name, tell.word(f"title.{part.name}"), tuple(_blocks(part))) for part in told]
    last = sections[-1]
    closing = Paragraph((tell("closing").text,))
    return (*sections[:-1], Section(last.name, last.title, (*last.blocks, closing)))


def _blocks(part: _Part) -> Iterator[Block]:
    for group in part.groups:
        texts = tuple(said.text for said in group)
        if texts:
            yield Paragraph(texts) if part.running else Points(texts)


def _grouped(*groups: Iterable[Said]) -> tuple[tuple[Said, ...], ...]:
    return tuple(tuple(group) for group in groups)


def _opening(tell: Teller) -> Iterator[_Part]:
    """What is asked, and what was known of the answer."""
    spec = tell.spec
    asked = [Said("question", ended(tell.own(spec.question)))]
    if spec.placebo:
        asked.append(tell("placebo"))
    yield _Part("question", _grouped(asked), running=True)
    yield _Part("seen", _grouped([tell("seen", text=ended(tell.own(spec.seen_before)))]), running=True)


def _design(tell: Teller) -> tuple[_Part, ...]:
    """What an alternative can change, and the outcomes and data it is about."""
    outcomes = enumerate(tell.spec.all_outcomes)
    return (
        _Part("outcome", _grouped(*(outcome(tell, found, number) for number, found in outcomes))),
        _Part("data", _grouped(*data(tell))),
        _Part("periods", _grouped(periods(tell))),
        _Part("treated", _grouped(*treated(tell))),
        _Part("comparison", _grouped(comparison(tell))),
        _Part("estimate", _grouped(_target(tell), _estimator(tell))),
        _Part("sure", _grouped(_inference(tell))),
    )


# --- what is estimated ------------------------------------------------------------------------------------------------


def _target(tell: Teller) -> Iterator[Said]:
    spec = tell.spec
    first = min(spec.starts(), default=None) or (spec.target.window or (None,))[0]
    span = None if first is None else spec.window(spec.labels, first)
    if span is None:
        yield tell("estimate.average-open", "estimate.window", last=spec.labels[-1])
    else:
        inside = [label for label in spec.labels if span[0] <= label <= span[1]]
        key = "estimate.average" if len(inside) > 1 else "estimate.average-one"
        yield tell(key, "estimate.window", list=tell.listed(inside))
    yield tell(f"estimate.every.{spec.target.every}", "estimate.every")
    yield tell("estimate.beside")


def _estimator(tell: Teller) -> Iterator[Said]:
    spec, name, topic = tell.spec, tell.spec.estimator.name, "estimate.method"
    yield tell(f"estimate.method.{name}", topic)
    for start in spec.starts():
        base = spec.base_periods(start, spec.labels)
        if base:
            yield tell("estimate.base", f"{topic}.base", start=start, list=tell.listed(base))
    given = _parameters(resolve_estimator(name), spec.estimator, ("anticipation", "reference"))
    given |= FIXED.get(name, {})
    if "control" in given:
        chosen = spec.comparison.match is not None and given["control"] == "not-yet" and name in _CHOSEN_ONLY
        yield tell(f"estimate.control.{'matched' if chosen else given['control']}", f"{topic}.control")
    if "base" in given:
        yield tell(f"estimate.shown.{given['base']}", f"{topic}.shown")
    for key in ("solver", "variance", "effect"):
        if key in given:
            yield tell(f"estimate.{key}.{given[key]}", f"{topic}.{key}")
    for key in ("before", "after"):
        if key in given:
            count = {0: "-none", 1: "-one"}.get(given[key], "")
            yield tell(f"estimate.{key}{count}", f"{topic}.{key}", value=tell.count(given[key]))
    yield from _adjusted(tell, given, topic)
    yield from _settings(tell, given, "estimator", topic)


def _adjusted(tell: Teller, given: dict[str, Any], topic: str) -> Iterator[Said]:
    """Which characteristics the estimate adjusts for, and how."""
    spec, terms = tell.spec, tell.spec.covariates
    if terms:
        yield tell("estimate.covariates", "estimate.covariates", list=tell.listed(map(tell.term, terms)))
        scores = spec.data.units.columns.selection if spec.data.units is not None else ()
        if set(scores) & {name for term in terms for name in (*term.numbers, *term.categories)}:
            yield tell("estimate.selected", "estimate.covariates.selected")
        name = "reg" if given.get("control") == "never" and "method" not in given else spec.estimator.name
        yield tell(f"estimate.adjusting.{given.get('method', name)}", f"{topic}.adjust")
    elif "method" in given:
        yield tell("estimate.adjust", f"{topic}.adjust", setting=tell.word("quoted", text=f"method: {given['method']}"))


def _parameters(maker: Any, method: Method, elsewhere: tuple[str, ...]) -> dict[str, Any]:
    """Every plain parameter of a method with its value: as the study gives it, or standard."""
    standard = {
        found.name: found.default
        for found in fields(maker)
        if isinstance(found.default, (bool, int, float, str)) and found.name not in elsewhere
    }
    return standard | method.options


def _settings(tell: Teller, given: dict[str, Any], what: str, topic: str) -> Iterator[Said]:
    for key, value in given.items():
        if key not in _TOLD[what]:
            shown = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else None
            yield tell("setting", f"{topic}.{key}", name=key, value=shown or tell.exact(value))


# --- how sure ---------------------------------------------------------------------------------------------------------


def _inference(tell: Teller) -> Iterator[Said]:
    spec, cluster = tell.spec, tell.spec.inference.cluster
    kind, column = _cluster(spec), tell.column(cluster.column) if cluster.column is not None else ""
    yield tell(f"sure.cluster.{kind}", "sure.cluster", column=column)
    yield from _how(tell, spec.inference, "how")
    yield tell("sure.level", level=tell.percent(spec.inference.level))
    for method in spec.inference.beside:
        yield from _how(tell, method, "beside")
    if spec.comparison.match is not None:
        yield tell("sure.given-matching", FOLLOWS)
    yield tell("sure.seed", seed=str(spec.seed))


def _how(tell: Teller, method: Method, role: str) -> Iterator[Said]:
    topic = "sure.how" if role == "how" else f"sure.beside.{method.name}"
    given = _parameters(resolve_inference(method.name), method, ("level",))
    draws = tell.count(given["draws"]) if "draws" in given else ""
    yield tell(f"sure.{role}.{method.name}", topic, draws=draws)
    if "statistic" in given:
        yield tell(f"sure.statistic.{given['statistic']}", f"{topic}.statistic")
    if given.get("small_sample", "none") != "none":
        yield tell("sure.small-sample", f"{topic}.small-sample", name=given["small_sample"])
    yield from _settings(tell, given, "inference", topic)


def _cluster(spec: Specification) -> str:
    """What a cluster is: a gemeente, a unit, or those alike in a column."""
    return "column" if spec.inference.cluster.column is not None else spec.inference.cluster.by or "unit"


# --- alternatives and checks ------------------------------------------------------------------------------------------


def _alternatives(tell: Teller, design: tuple[_Part, ...], variations: tuple[Variation, ...]) -> Iterator[Said]:
    if not variations:
        yield tell("alternative.none")
        return
    yield tell("alternative.intro")
    ours = [said for part in design for said in part.sentences]
    for variation in variations:
        theirs = [said for part in _design(Teller(variation.model, tell.say)) for said in part.sentences]
        added, gone = differing(ours, theirs)
        changes = tell.word("alternative.added", text=" ".join(plain(said.text) for said in added)) if added else ""
        changes += "".join(tell.word("alternative.dropped", text=plain(said.text)) for said in gone)
        said = tell.word(
            f"alternative.{'same' if variation.same_estimand else 'another'}",
            name=variation.name,
            why=tell.reason(variation.why),
            changes=changes or tell.word("alternative.nothing"),
        )
        yield Said(f"alternative.{variation.name}", said)


def _checks(tell: Teller) -> Iterator[Said]:
    spec, match = tell.spec, tell.spec.comparison.match
    yield tell("check.intro")
    for name, limit in spec.thresholds.items():
        without = {"balance": match is None, "pre-trend": match is not None and bool(match.outcomes_in)}.get(name)
        said = tell(
            f"check.{name}{'-none' if without else ''}",
            limit=tell.percent(limit) if name in _SHARES else tell.exact(limit),
            cluster=tell.word(f"cluster.{_cluster(spec)}"),
            clusters=tell.word(f"clusters.{_cluster(spec)}"),
        )
        seal = tell.word("check.blind" if name == "pre-periods" else "check.seals") if name in SEALING else ""
        yield Said(said.topic, f"{said.text}{seal}")


def _not_said(tell: Teller) -> Iterator[Said]:
    for key in ("areas", "people", "policy", "exploratory"):
        yield tell(f"not-said.{key}")
