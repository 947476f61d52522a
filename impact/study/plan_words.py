"""A plan in words: what the design can see beside what is asked, what that rests on, and numbers with their errors."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from impact.errors import Refused
from impact.evidence.language import Texts, listed, number, significant, texts
from impact.evidence.reading import in_language, opening, plain, with_unit
from impact.evidence.refusals import translated
from impact.study.plan_record import Amount, Fitted, Plan, Planned, Tried

__all__ = ["compared", "told"]

_WIDE = 0.4  # of an interval for how much of a shock is left
_ROUGH = 20  # clusters
_WIDTH = 100


def told(plan: Plan, language: str = "nl") -> str:
    """The whole plan.

    Raises
    ------
    UsageError
        ``TEXT-001`` when there is no such language.
    """
    say = texts(language, plan.level_of_units)
    head = say("plan.head", id=plan.study, draws=number(plan.draws, language, 0), seed=str(plan.seed))
    parts = [f"{head}\n{_wrapped([say('plan.blind')])}"]
    parts += [_outcome(plan, outcome, say) for outcome in plan.outcomes]
    return "\n\n".join(parts)


def compared(plan: Plan, outcome: Planned, language: str = "nl") -> str:
    """The smallest difference that matters beside what can be seen, in one sentence."""
    return _compared(plan, outcome, texts(language, plan.level_of_units))


def _outcome(plan: Plan, outcome: Planned, say: Texts) -> str:
    name = opening(plain(in_language(outcome.names, say.language)))
    lines = [name, _wrapped([_compared(plan, outcome, say), *_warnings(plan, outcome, say)])]
    if outcome.fitted is not None:
        lines.append(_wrapped(_basis(plan, outcome, outcome.fitted, say)))
    lines += ["\n".join(_numbers(plan, outcome, one, say)) for one in outcome.tried]
    return "\n".join(lines)


def _wrapped(sentences: list[str]) -> str:
    return fill(" ".join(sentences), _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


# --- sentences --------------------------------------------------------------------------------------------------------


def _compared(plan: Plan, outcome: Planned, say: Texts) -> str:
    refused, areas = outcome.refused, number(outcome.areas, say.language, 0)
    if refused is not None:
        found = Refused(refused.what, refused.because, refused.instead)
        words = translated(found, say)
        because, instead = (words[1], words[2]) if words else (f"{refused.because}.", refused.instead)
        return say("plan.refused", because=because, instead=instead).strip()
    declared = outcome.tried[0]
    power = _percent(plan.power, say)
    chance = "" if declared.power is None else _percent(declared.power.value, say)
    if declared.detectable is None:
        if not chance:
            return say("plan.unseen", areas=areas)
        return say("plan.chance", areas=areas, smallest=_smallest(outcome, say), chance=chance)
    seen = declared.detectable.value
    values = {"areas": areas, "detectable": _unit(seen, outcome, say), "power": power}
    if outcome.smallest is None:
        return say("plan.open", **values)
    key = "enough" if seen <= outcome.smallest else "too_small"
    return say(f"plan.{key}", smallest=_smallest(outcome, say), chance=chance, **values)


def _warnings(plan: Plan, outcome: Planned, say: Texts) -> Iterator[str]:
    """What should be known before the numbers are used."""
    if outcome.off is not None and outcome.fitted is not None:
        low, high = (_unit(x, outcome, say) for x in outcome.off)
        yield say("plan.off", count=str(len(outcome.fitted.periods)), low=low, high=high)
    for one in outcome.tried:
        size, claimed = one.size, 1 - plan.level
        if size is not None and size.value - 2 * (size.error or 0.0) > claimed:
            values = {"size": _percent(size.value, say), "claimed": _percent(claimed, say)}
            yield say("plan.size_high", name=_title(one, say), **values)
    for gate in outcome.gates:
        yield say("plan.gate", name=say.known(f"checks.{gate.name}.title", gate.name))
    if outcome.respondents is not None:
        area, period, count = outcome.respondents
        yield say("plan.respondents", area=area, period=period, count=number(count, say.language, 0))


def _basis(plan: Plan, outcome: Planned, found: Fitted, say: Texts) -> list[str]:
    """What the numbers rest on."""
    periods, language = found.periods, say.language
    unit, units = (say(f"explain.{word}.{plan.level_of_units or 'any'}") for word in ("unit", "units"))
    cluster, clusters = (
        say(f"explain.{word}.{plan.cluster}", unit=unit, units=units) for word in ("cluster", "clusters")
    )
    said = [
        say(
            "plan.basis",
            count=str(len(periods)),
            first=periods[0],
            last=periods[-1],
            units=f"{number(found.units, language, 0)} {units}",
            clusters=f"{number(found.clusters, language, 0)} {clusters}",
        )
    ]
    sizes = {"shared": found.shared, "own": found.own, "passing": found.passing, "known": found.known or 0.0}
    words = [
        say(f"plan.part.{name}", cluster=cluster, unit=unit, size=_sized(name, size, outcome, found, say))
        for name, size in sizes.items()
        if size > 0
    ]
    said.append(say("plan.parts", list=listed(words, language)) if words else say("plan.still"))
    if found.shared > 0 or found.own > 0:
        said += _lasting(found, say)
    if found.near > 0:
        distance = significant(found.reach / 1000, language, 2)
        said.append(say("plan.near", share=_percent(found.near, say), distance=distance, clusters=clusters))
    if found.clusters < _ROUGH:
        said.append(say("plan.rough", clusters=f"{number(found.clusters, language, 0)} {clusters}"))
    if outcome.rematched:
        said.append(say("plan.rematched"))
    return said


def _sized(name: str, size: float, outcome: Planned, found: Fitted, say: Texts) -> str:
    """The size of a shock with its interval."""
    written = _unit(size, outcome, say)
    if name not in found.intervals:
        return written
    low, high = (significant(x, say.language, 2) for x in found.intervals[name])
    return say("plan.between", value=written, low=low, high=high)


def _lasting(found: Fitted, say: Texts) -> Iterator[str]:
    from impact.inference.components import PASSING_FROM

    known = found.intervals.get("lasting")
    if known is None:
        yield say("plan.lasting.nothing" if found.lasting < 0.5 else "plan.lasting.all")
    else:
        low, high = (_percent(share, say) for share in known)
        yield say("plan.lasting.some", share=_percent(found.lasting, say), low=low, high=high)
        if known[1] - known[0] > _WIDE:
            yield say("plan.lasting.unsure", count=str(len(found.periods)))
    if len(found.periods) < PASSING_FROM:
        yield say("plan.lasting.alone", count=str(len(found.periods)))


# --- numbers ----------------------------------------------------------------------------------------------------------


def _numbers(plan: Plan, outcome: Planned, found: Tried, say: Texts) -> Iterator[str]:
    """One inference, a line for every number."""
    yield f"  {_title(found, say)}"
    rows = [
        ("bias", _amount(found.bias, outcome, say)),
        ("rmse", _amount(found.rmse, outcome, say)),
        ("coverage", _rate(found.coverage, say)),
        ("size", _rate(found.size, say)),
        ("power", _rate(found.power, say)),
        ("detectable", _amount(found.detectable, outcome, say)),
    ]
    named = {"level": _percent(plan.level, say), "power": _percent(plan.power, say), "smallest": ""}
    if outcome.smallest is not None:
        named["smallest"] = _smallest(outcome, say)
    for key, value in rows:
        if value and not (key == "power" and outcome.smallest is None):
            yield f"    {say(f'plan.number.{key}', **named):<58} {value}"
    for why, count in found.refused.items():
        words = translated(Refused("", why), say)
        because = words[1].rstrip(".") if words else why
        yield f"    {say('plan.number.refused', count=number(count, say.language, 0), because=because)}"


def _title(found: Tried, say: Texts) -> str:
    return say.known(f"inferences.{found.inference}.title", found.inference)


def _amount(found: Amount | None, outcome: Planned, say: Texts) -> str:
    if found is None:
        return ""
    if found.error is None:
        return _unit(found.value, outcome, say)
    value, error = (significant(x, say.language, 2) if x else "0" for x in (found.value, found.error))
    return with_unit(say("plan.error", value=value, error=error), plain(in_language(outcome.units, say.language)))


def _rate(found: Amount | None, say: Texts) -> str:
    if found is None:
        return ""
    value, error = (number(100 * x, say.language, 1) for x in (found.value, found.error or 0.0))
    return say("format.percent", number=say("plan.error", value=value, error=error))


def _unit(x: float, outcome: Planned, say: Texts) -> str:
    return with_unit(significant(x, say.language, 2) if x else "0", plain(in_language(outcome.units, say.language)))


def _smallest(outcome: Planned, say: Texts) -> str:
    assert outcome.smallest is not None
    return with_unit(significant(outcome.smallest, say.language, 3), plain(in_language(outcome.units, say.language)))


def _percent(share: float, say: Texts) -> str:
    return say(
        "format.percent",
        number=significant(100 * share, say.language, 3)
        if share < 0.995 and share > 0.0005
        else number(100 * share, say.language, 0),
    )
