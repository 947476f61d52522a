"""The protocol of a study in plain sentences, from its specification alone: no data are opened, no outcome is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from impact.evidence.checked import SHARES
from impact.evidence.document import Block, Paragraph, Points, Section
from impact.evidence.reading import plain
from impact.study.alternatives import Variation
from impact.study.explain_data import data, outcome, periods
from impact.study.explain_design import comparison, treated
from impact.study.explain_methods import cluster, estimator, inference
from impact.study.read import Study
from impact.study.thresholds import foreseen, seals
from impact.study.wording import Said, Teller, differing, ended

__all__ = ["explain", "heading", "sentences"]


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
    told = _told(study, tell)
    sections = [Section(part.name, tell.word(f"title.{part.name}"), tuple(_blocks(part))) for part in told]
    last = sections[-1]
    closing = Paragraph((tell("closing").text,))
    return (*sections[:-1], Section(last.name, last.title, (*last.blocks, closing)))


def sentences(study: Study, language: str = "nl") -> dict[str, tuple[Said, ...]]:
    """The sentences of `explain` by the name of their section, each with what it is about."""
    return {part.name: part.sentences for part in _told(study, Teller.of(study.model, language))}


def _told(study: Study, tell: Teller) -> list[_Part]:
    design = _design(tell)
    return [
        *_opening(tell),
        *design,
        _Part("alternatives", _grouped(_alternatives(tell, design, study.variations))),
        _Part("checks", _grouped(_checks(tell), _disclosure(tell))),
        _Part("not-said", _grouped(_not_said(tell))),
    ]


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
        _Part("estimate", _grouped(_target(tell), estimator(tell))),
        _Part("sure", _grouped(inference(tell))),
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


# --- alternatives and checks ------------------------------------------------------------------------------------------


def _alternatives(tell: Teller, design: tuple[_Part, ...], variations: tuple[Variation, ...]) -> Iterator[Said]:
    if not variations:
        yield tell("alternative.none")
        return
    yield tell("alternative.intro")
    ours = [said for part in design for said in part.sentences]
    for variation in variations:
        theirs = [said for part in _design(Teller.of(variation.model, tell.language)) for said in part.sentences]
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
            limit=tell.percent(limit) if name in SHARES else tell.exact(limit),
            cluster=tell.word(f"cluster.{cluster(spec)}"),
            clusters=tell.word(f"clusters.{cluster(spec)}"),
        )
        yield Said(said.topic, f"{said.text}{_meaning(tell, name, made=not without)}")


def _disclosure(tell: Teller) -> Iterator[Said]:
    """What may leave, and under which thresholds."""
    said = tell.spec.disclose
    if said is None:
        return
    yield tell(f"disclose.profile.{said.profile or 'own'}", "disclose.profile")
    for name, value in said:
        if name == "dominance" and said.dominance is not None:
            n, k = tell.exact(said.dominance.n), tell.percent(said.dominance.k)
            yield tell("disclose.dominance", n=n, k=k)
        elif name in ("largest_weight", "full_share", "protection") and value is not None:
            yield tell(f"disclose.{name}", value=tell.percent(value))
        elif name == "zeros" and value is not None:
            yield tell(f"disclose.zeros.{'hidden' if value else 'shown'}", "disclose.zeros")
        elif name not in ("profile", "dominance", "zeros") and value is not None:
            yield tell(f"disclose.{name}", value=tell.exact(value))


def _meaning(tell: Teller, name: str, *, made: bool) -> str:
    """What it means for the estimate that a check is not passed."""
    if name == "pre-periods":
        return tell.word("check.blind")
    why = foreseen(tell.spec.checks).get(name)
    if why is not None:
        return tell.word("check.foreseen", why=ended(tell.say.own(why)))
    return tell.word("check.seals") if made and seals(tell.spec.checks, name) else ""


def _not_said(tell: Teller) -> Iterator[Said]:
    for key in ("areas", "people", "policy", "exploratory"):
        yield tell(f"not-said.{key}")
