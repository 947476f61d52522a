"""What a reader must know of the data of a study, and why an outcome cannot be measured: sentences, no results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from impact.checks.protocol import Check
from impact.design.balance import effective_number
from impact.errors import Refused
from impact.evidence.language import Texts, listed, number, significant
from impact.evidence.reading import within
from impact.evidence.record import Excluded, Text
from impact.evidence.result import Result
from impact.sources.values import rounding_sd
from impact.study.answers import Answers, Gaps
from impact.study.borders import borders_said
from impact.study.comparing import WEIGHTS
from impact.study.crosswalks import crosswalked
from impact.study.explain_methods import predicted
from impact.study.likeness import columns_of_match, in_target
from impact.study.load import Loaded
from impact.study.methods import family
from impact.study.model import Outcome, Specification
from impact.study.panels import Comparison
from impact.study.series import Series
from impact.study.wording import Teller, ended

__all__ = [
    "called",
    "name_of",
    "needed",
    "notes",
    "periods_left_out",
    "phrase_of",
    "said_gaps",
    "said_population",
    "unmeasurable",
]


def name_of(outcome: Outcome) -> Text:
    """The name of an outcome, of the study or of the register, in every language it has."""
    if outcome.name is not None:
        return outcome.name.languages()
    assert outcome.registered is not None
    return {"nl": outcome.registered.nl, "en": outcome.registered.en}


def called(outcome: Outcome, say: Texts) -> str:
    """The name of an outcome in the language of `say`, or in Dutch."""
    names = name_of(outcome)
    return names.get(say.language, names["nl"])


def phrase_of(outcome: Outcome) -> Text:
    """An outcome of the register as it stands in a sentence; nothing for a name of the study's own, which does so."""
    found = outcome.registered
    return {} if outcome.name is not None or found is None else {"nl": found.phrase, "en": found.phrase_en}


def needed(
    spec: Specification, series: Series, checks: Sequence[Check], say: Texts, to_come: Sequence[str] = ()
) -> tuple[str, ...]:
    """What would make an outcome measurable that is not, as far as the reasons why it is not say so."""
    registered, found = series.outcome.registered, []
    if registered is not None and registered.not_measurable:
        return (say("needed.no-outcome"),)
    if to_come:
        found.append(say("needed.to-come", list=listed(to_come, say.language)))
    for check in checks:
        if check.name == "pre-periods" and check.verdict != "pass":
            least = number(check.threshold or 0, say.language, 0)
            parts = [one.at for one in spec.breaks if one.treat_as == "segment"]
            found.append(say("needed.earlier", least=least))
            found += [say("needed.break", at=listed(parts, say.language))] if parts else []
    return tuple(found)


def unmeasurable(
    spec: Specification, series: Series, checks: Sequence[Check], say: Texts, to_come: Sequence[str] = ()
) -> tuple[str, ...]:
    """Why nothing can be measured: the indicator is no outcome, figures have yet to come, or too few lie before."""
    reasons = []
    if to_come:
        reasons.append(say("run.not_measurable.to-come", list=listed(to_come, say.language)))
    registered = series.outcome.registered
    if registered is not None and registered.not_measurable:
        reasons.append(say.own(registered.not_measurable))
    for check in checks:
        if check.name == "pre-periods" and check.verdict != "pass":
            count = int(check.statistic or 0)
            parts = [found.at for found in spec.breaks if found.treat_as == "segment"]
            said = say(
                "run.not_measurable.one" if count == 1 else "run.not_measurable.few",
                count=number(count, say.language, 0),
                least=number(check.threshold or 0, say.language, 0),
            )
            reasons.append(said + (say("run.not_measurable.break", at=", ".join(parts)) if parts else ""))
    return tuple(reasons)


def periods_left_out(spec: Specification, loaded: Loaded, say: Texts) -> tuple[Excluded, ...]:
    """Every declared period that does not count, in order, with the reason."""
    why = {period: say.own(rule.why) for rule in spec.leave_out for period in rule.periods}
    comparable = spec.labels
    for period in spec.measured:
        if period not in comparable:
            why[period] = say("run.period.other-side")
    why |= dict.fromkeys(loaded.provisional, say("run.period.provisional"))
    why |= {
        period: say(f"run.period.{'to-come' if period in loaded.to_come else 'closed'}") for period in loaded.awaited
    }
    why |= dict.fromkeys(loaded.later, say("run.period.to-come"))
    return tuple(Excluded(period, why[period]) for period in spec.periods.labels if period in why)


def notes(
    spec: Specification, loaded: Loaded, series: Series, comparison: Comparison, answers: Answers, say: Texts
) -> tuple[str, ...]:
    """Sentences about the data and the fit, in the order of a reader's questions."""
    found = [
        *_reading(loaded, say),
        *_level(spec, loaded, comparison, say),
        *_measurement(spec, loaded, say),
        *_sampling(series, comparison, say),
        *_rounded(spec, series, say),
    ]
    if loaded.borders is not None:
        found += borders_said(loaded.borders, (loaded.base or loaded).regions, say)
    for unit, signs in loaded.vouched.items():
        if unit in spec.data.unchanged and unit in comparison.panel.units:
            why = ended(say.own(spec.data.unchanged[unit]))
            found.append(say("run.note.unchanged", unit=unit, signs=signs, why=why))
    found += _crosswalked(loaded, series, comparison, say)
    found += _known(series, answers.result, say)
    found += [say(f"run.note.{status}", count=str(count)) for status, count in series.without.items()]
    if comparison.pool.unknown:
        found.append(say("run.note.unknown", text=", ".join(comparison.pool.unknown)))
    found += _levels(comparison, say)
    found += _weighed(spec, comparison, say)
    found += _filled(loaded, series, comparison, answers, spec, say)
    if comparison.panel.pairs is not None:
        found.append(say("run.note.conditional"))
    if comparison.short:
        names = listed((f"{unit} ({got})" for unit, got in comparison.short), say.language)
        asked = spec.comparison.match.ratio if spec.comparison.match is not None else None
        found.append(say("run.note.short", ratio=number(asked or 1, say.language, 0), list=names))
    partial = [code for area in comparison.areas if not area.left_out for code in area.partial]
    if partial and spec.unit is None:
        found.append(say("run.note.partly", list=listed(sorted(partial), say.language)))
    if not comparison.panel.clustered and (spec.unit is None or spec.unit.level != "gemeente"):
        found.append(say("run.note.unclustered"))
    found += _followed(spec, series, say)
    registered = series.outcome.registered
    if registered is not None and registered.mechanical:
        found.append(say.own(registered.mechanical))
    elif series.outcome.source_kind == "modelled":
        found.append(say("run.note.modelled"))
    return (*found, *said_gaps(answers.gaps, say))


def _weighed(spec: Specification, comparison: Comparison, say: Texts) -> Iterator[str]:
    """How many carry weight in a weighted comparison, what that is worth, and whom it is about."""
    match = spec.comparison.match
    if match is None or match.method not in WEIGHTS:
        return
    weight = in_target(comparison.panel, spec.target.every)[comparison.panel.never]
    effective = number(effective_number(weight), say.language, 1)
    yield say("run.note.weighed", count=number(int((weight > 0).sum()), say.language, 0), worth=effective)
    if match.estimand != "ATT":
        yield say(f"run.note.estimand-{match.estimand}")


def _filled(
    loaded: Loaded, series: Series, comparison: Comparison, answers: Answers, spec: Specification, say: Texts
) -> Iterator[str]:
    """Of how many units a characteristic was filled in, and what that does to the estimate."""
    match = spec.comparison.match
    if match is None or match.missing == "refuse":
        return
    used = [unit for unit, there in zip(comparison.panel.units, comparison.panel.never, strict=True) if there]
    used += [unit for area in comparison.areas if not area.left_out for unit in area.units]
    gaps = {name: int(np.isnan(loaded.units.number(name, used)).sum()) for name in columns_of_match(match, spec)}
    gaps = {name: count for name, count in gaps.items() if count}
    if not gaps:
        return
    named = listed((f"{name} ({number(count, say.language, 0)})" for name, count in gaps.items()), say.language)
    yield say(f"run.note.filled-{'indicator' if match.missing == 'indicator' else 'drawn'}", list=named)
    if len(answers.completed) < 2 or answers.primary.std_error is None:
        return
    values, count = np.array(answers.completed), len(answers.completed)
    between = float(values.var(ddof=1))
    # Rubin (1987), section 3.1: variance within, and that between the completed tables.
    total = float(np.sqrt(answers.primary.std_error**2 + (1 + 1 / count) * between))
    shown = {"low": values.min(), "high": values.max(), "own": answers.primary.std_error, "total": total}
    yield say(
        "run.note.filled-spread",
        count=number(count, say.language, 0),
        **{key: significant(float(value), say.language) for key, value in shown.items()},
    )


def _followed(spec: Specification, series: Series, say: Texts) -> Iterator[str]:
    """What the comparison follows before the start, where that is not this outcome alone."""
    together = {series.outcome.indicator, *family(spec, series.outcome.indicator)}
    if len(together) > 1:
        named = [other for other in spec.all_outcomes if other.indicator in together]
        yield say("run.note.family", list=listed((within(called(other, say)) for other in named), say.language))
    predictors = predicted(Teller(spec, say))
    if predictors:
        yield say("run.note.predictors", list=listed(predictors, say.language))


def _crosswalked(loaded: Loaded, series: Series, comparison: Comparison, say: Texts) -> Iterator[str]:
    """How much of each focus area rests on shares: what came with a part of a region that was cut."""
    conversions = loaded.moved.get(series.outcome.indicator, ())
    if not conversions:
        return
    made = {} if loaded.unions is None else loaded.unions.members()
    shares = {
        area.name: crosswalked(conversions, [part for unit in area.units for part in made.get(unit, (unit,))])
        for area in comparison.areas
        if not area.left_out
    }
    if set(shares.values()) == {0.0}:
        yield say("run.note.crosswalk-none")
        return
    for area, share in shares.items():
        if share is None:
            yield say("run.note.crosswalk-unknown", area=area)
        elif share > 0:
            percent = say("format.percent", number=number(100 * share, say.language, 0 if share >= 0.01 else 2))
            yield say("run.note.crosswalk-area", area=area, share=percent)


def said_population(share: float | None, say: Texts) -> str:
    """That a number is about whole gemeenten, and which share of their residents lives in the areas."""
    if share is None:
        return say("run.population.unknown")
    return say("run.population.known", share=say("format.percent", number=number(100 * share, say.language, 1)))


def _level(spec: Specification, loaded: Loaded, comparison: Comparison, say: Texts) -> Iterator[str]:
    """What a unit is, and which members of an area could not be added up with the others."""
    if spec.unit is None:
        return
    if spec.unit.built_from is not None:
        yield say(f"run.note.built-{spec.unit.built_from}")
    if comparison.built is not None:
        built, size = comparison.built, comparison.built.residents
        counts = {"low": size.min(), "high": size.max(), "target": built.target, "count": len(size)}
        how = "contiguous" if built.contiguous else "in-order"
        yield say(f"run.note.similar-{how}", **{key: number(x, say.language, 0) for key, x in counts.items()})
    for area in comparison.areas:
        if area.absent and not area.left_out:
            yield say("run.note.built-absent", area=area.name, list=listed(area.absent, say.language))
        unknown = sorted(set(area.partial) - set(dict(area.parts)))
        if unknown and spec.unit.level == "focus-area" and not area.left_out:
            yield say("run.note.built-unknown", area=area.name, list=listed(unknown, say.language))


def said_gaps(gaps: Gaps, say: Texts) -> Iterator[str]:
    """Which periods of the window an estimate is not about, start by start."""
    for start, missing in gaps:
        yield say("run.note.gap", start=start, periods=listed(missing, say.language))


def _reading(loaded: Loaded, say: Texts) -> Iterator[str]:
    for note in loaded.notes:
        kind, column, count, text = note.split("|", 3)
        yield say(f"run.note.{kind}", column=column, count=count, text=text)


def _measurement(spec: Specification, loaded: Loaded, say: Texts) -> Iterator[str]:
    """Breaks, partly treated periods, and measurements that do not follow each other."""
    for found in spec.breaks:
        used = f"{loaded.periods[0]}–{loaded.periods[-1]}"
        yield say(f"run.note.break-{found.treat_as}", at=found.at, why=found.why, periods=used)
    start = spec.treatment.start
    if start.first_full and start.first_full != start.first_treated:
        yield say("run.note.first-full", start=str(start.first_treated), full=start.first_full)
    if spec.periods.provisional == "keep":
        yield say("run.note.provisional-kept")
    declared = spec.periods.labels
    inside = declared[declared.index(loaded.periods[0]) : declared.index(loaded.periods[-1]) + 1]
    if spec.periods.kind == "waves" or inside != loaded.periods:
        yield say("run.note.measurements", periods=", ".join(loaded.periods))


def _levels(comparison: Comparison, say: Texts) -> Iterator[str]:
    """With what the levels of a category are compared, and which of them say little."""
    for found in comparison.levels:
        one = "-one" if len(found.others) == 1 else ""
        others = listed(found.others, say.language)
        yield say(f"run.note.levels{one}", column=found.column, others=others, reference=found.reference)
        for kind, names in (("once", found.once), ("alone", found.alone)):
            if names:
                yield say(f"run.note.levels-{kind}", column=found.column, names=listed(names, say.language))


def _sampling(series: Series, comparison: Comparison, say: Texts) -> Iterator[str]:
    """How large the sampling error of a survey is beside the differences between areas over time."""
    se = comparison.panel.se
    if se is None or series.se is None:
        return
    unit, error = series.outcome.measure.unit, float(np.median(se[np.isfinite(se)]))
    yield say("run.note.sampling", se=number(error, say.language, 1), unit=unit)
    if comparison.fewest is not None:
        yield say("run.note.respondents", fewest=number(comparison.fewest, say.language, 0))


def _rounded(spec: Specification, series: Series, say: Texts) -> Iterator[str]:
    """What rounding adds to every count, or that it is not known since counts were converted or added up."""
    table = spec.data.outcomes
    if table.rounded_to is None:
        return
    base = number(table.rounded_to, say.language, 0)
    if series.rounding is not None:
        sd = number(rounding_sd(table.rounded_to, "random"), say.language, 1)
        yield say("run.note.rounded", base=base, sd=sd)
    else:
        yield say("run.note.rounded-" + ("summed" if spec.data.crosswalk is None else "converted"), base=base)


def _known(series: Series, result: Result | None, say: Texts) -> Iterator[str]:
    """Which share of the variance of the estimate the errors of the figures are."""
    if result is None or result.known is None:
        return
    if isinstance(result.known, Refused):
        yield say("run.note.known-not")
        return
    if isinstance(result.uncertainty, Refused):
        return
    share = float(result.known.share(result.uncertainty.std_error)[-1])
    if share >= 1:
        yield say("run.note.known-all")
    elif np.isfinite(share):
        kind = "sampling" if series.rounding is None else "rounding" if series.se is None else "both"
        percent = say("format.percent", number=number(100 * share, say.language, 0 if share >= 0.01 else 1))
        yield say(f"run.note.known-{kind}", share=percent)
