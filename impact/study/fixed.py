"""Whether the results of a bundle were fixed beforehand, as far as its specification, lock and ledger can show.

This reads lock and ledger on its own account, and not through the code that writes them.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import rfc8785

from impact.errors import SpecError
from impact.evidence.addresses import Place, place_of
from impact.evidence.look import Taken
from impact.evidence.record import Evidence
from impact.study.archive import Contents
from impact.study.crate import LEDGER, LOCK, lock8
from impact.study.read import Study, read_study
from impact.study.strict import strict
from impact.study.verification import Level, Said

__all__ = ["Meaning", "fixed", "study_of"]

_FIRST = "0" * 64
_SEEN = ("nothing", "design", "diagnostics", "outcomes")
_LOCKS = ("locked", "amended")
_OUTCOMES = ("outcomes", "sealed")  # roles of the files that hold them
_KEPT = 1e-7  # eight digits
# From the strongest claim to the weakest.
_CLAIMS = ("pre-specified", "amended", "deviation", "exploratory")


class Meaning(Protocol):
    """What was read of a specification: a study, or a collection."""

    @property
    def sha256(self) -> str: ...


def study_of(contents: Contents) -> Study | Said:
    """The study in the bundle, or why there is none."""
    text = contents.files.get("study.yaml")
    if text is None:
        return Said("fixed.no-study")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "study.yaml"
        file.write_bytes(text)
        try:
            return read_study(file)
        except SpecError as error:
            return Said("fixed.unreadable", {"file": "study.yaml", "why": error.problems[0].message})


def fixed(
    contents: Contents, manifest: Mapping[str, Any], outcomes: Sequence[Evidence], study: Meaning | Said | None = None
) -> Level:
    """The second level; what was withdrawn since says so. `study` is that in the bundle unless another is given."""
    found = _judged(contents, manifest, outcomes, study_of(contents) if study is None else study)
    return replace(found, unchecked=(*found.unchecked, *_withdrawn(contents, place_of(outcomes[0]))))


def _withdrawn(contents: Contents, place: Place) -> Iterator[Said]:
    """Results of this bundle that its ledger withdraws."""
    for row in _ledger(contents)[0] or ():
        what = str(row.get("what"))
        if row.get("event") == "withdrawn" and what.partition("#")[0] in (str(place), f"{place.study}@{place.lock}"):
            values = {"date": str(row.get("at"))[:10], "what": what, "why": str(row.get("why")).rstrip(".")}
            yield Said("fixed.withdrawn", values)


def _judged(
    contents: Contents, manifest: Mapping[str, Any], outcomes: Sequence[Evidence], study: Meaning | Said
) -> Level:
    lock, wrong = _lock(contents)
    ledger, broken = _ledger(contents)
    wrong += [*broken, *_manifest(manifest, outcomes)]
    if isinstance(study, Said):
        wrong.append(study)
    else:
        wrong += _meaning(study, outcomes, lock)
    if lock is not None and ledger is not None:
        wrong += _together(contents, lock, ledger, outcomes)
    if ledger is not None and not broken:
        wrong += [*_standing(contents, lock, ledger, outcomes[0]), *_looks(ledger, outcomes)]
    claim, most = outcomes[0].status, _supported(lock, ledger, outcomes)
    if _CLAIMS.index(claim) < _CLAIMS.index(most):
        wrong.append(Said("fixed.claim", {"claim": claim, "most": most}))
    if wrong:
        return Level("fixed", "no", Said("fixed.no", {"count": str(len(wrong))}), tuple(wrong))
    if lock is None:
        return Level("fixed", "not", Said("fixed.unlocked"))
    values = {"lock": lock8(contents.files), "status": claim}
    if claim in ("deviation", "exploratory"):
        return Level("fixed", "not", Said("fixed.weaker", values))
    deposit = lock.get("deposit")
    if not isinstance(deposit, dict) or outcomes[0].standing.late:
        return Level("fixed", "yes", Said("fixed.yes", values), unchecked=(Said("unchecked.own-declaration"),))
    told = {name: str(deposit.get(name, "")) for name in ("where", "date", "reference")}
    return Level("fixed", "yes", Said("fixed.yes", values), unchecked=(Said("unchecked.deposit", {**values, **told}),))


# --- what each file says by itself ------------------------------------------------------------------------------------


def _lock(contents: Contents) -> tuple[dict[str, Any] | None, list[Said]]:
    """The lock, and what is wrong with it."""
    if LOCK not in contents.files:
        return None, []
    try:
        lock = dict(strict(contents.files[LOCK]))
        meant = hashlib.sha256(rfc8785.dumps(lock["spec"])).hexdigest()
        stated = lock["spec_sha256"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return None, [Said("fixed.unreadable", {"file": LOCK, "why": str(error)})]
    return lock, [] if meant == stated else [Said("fixed.lock-changed")]


def _ledger(contents: Contents) -> tuple[list[dict[str, Any]] | None, list[Said]]:
    """The lines of the ledger, and which of them are not what or where they were."""
    if LEDGER not in contents.files:
        return None, []
    content = contents.files[LEDGER]
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    found: list[dict[str, Any]] = []
    wrong = [] if not content or content.endswith(b"\n") else [Said("ledger.cut")]
    for place, line in enumerate(lines, 1):
        try:
            said = dict(strict(line))
            canonical = rfc8785.dumps(said)
        except (ValueError, TypeError, RecursionError):
            wrong.append(Said("ledger.unreadable", {"line": str(place)}))
            continue
        found.append(said)
        own = {key: value for key, value in said.items() if key != "sha256"}
        if canonical != line or said.get("sha256", _of(own)) != _of(own):
            wrong.append(Said("ledger.changed", {"line": str(place)}))
    numbers = [said.get("number") for said in found]
    if numbers != list(range(1, len(lines) + 1)):
        wrong.append(Said("ledger.order", {"numbers": ", ".join(map(str, numbers[:20]))}))
    chained = [_FIRST, *(hashlib.sha256(line).hexdigest() for line in lines)]
    wrong += [
        Said("ledger.chain", {"line": str(place)})
        for place, (said, before) in enumerate(zip(found, chained, strict=False), 1)
        if len(found) == len(lines) and said.get("previous") != before
    ]
    times = [str(said.get("at")) for said in found]
    if times != sorted(times):
        wrong.append(Said("ledger.time"))
    seen = [_SEEN.index(said["seen"]) if said.get("seen") in _SEEN else -1 for said in found]
    if -1 in seen or seen != sorted(seen):
        wrong.append(Said("ledger.seen"))
    return found, wrong


def _of(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(dict(said))).hexdigest()


# --- what the files say of each other ---------------------------------------------------------------------------------


def _manifest(manifest: Mapping[str, Any], outcomes: Sequence[Evidence]) -> Iterator[Said]:
    """What the manifest says of the results and is otherwise there."""
    first = outcomes[0]
    for key in ("study", "status", "seed", "spec_sha256"):
        if manifest.get(key) != getattr(first, key):
            yield Said("fixed.manifest", {"what": key})
    inputs = {(data.role, data.file, data.sha256) for evidence in outcomes for data in evidence.data}
    stated = manifest.get("inputs")
    told = (
        {tuple(map(str, row.values())) for row in stated if isinstance(row, dict)} if isinstance(stated, list) else None
    )
    if told is None or {frozenset(row) for row in told} != {frozenset(row) for row in inputs}:
        yield Said("fixed.manifest", {"what": "inputs"})
    if len({(evidence.study, evidence.spec_sha256, evidence.status) for evidence in outcomes}) > 1:
        yield Said("fixed.several")


def _meaning(study: Meaning, outcomes: Sequence[Evidence], lock: Mapping[str, Any] | None) -> Iterator[Said]:
    """Whether the specification, its lock and the results mean the same."""
    if {evidence.spec_sha256 for evidence in outcomes} != {study.sha256}:
        yield Said("fixed.other-results")
    elif lock is not None and lock["spec_sha256"] != study.sha256 and outcomes[0].status != "exploratory":
        yield Said("fixed.other-lock")


def _together(
    contents: Contents, lock: Mapping[str, Any], ledger: Sequence[Mapping[str, Any]], outcomes: Sequence[Evidence]
) -> Iterator[Said]:
    """Whether the ledger knows of this lock, and of this run after it."""
    short, meant = lock8(contents.files), lock.get("spec_sha256")
    made = [row for row in ledger if row.get("event") in _LOCKS]
    if not made or made[-1].get("lock8") != short or made[-1].get("spec_sha256") != meant:
        yield Said("ledger.other-lock", {"lock": short})
    told = lock.get("ledger")
    if isinstance(told, dict) and _head(contents, told.get("lines")) != told.get("sha256"):
        yield Said("ledger.before-lock")
    if outcomes[0].status == "exploratory":
        return
    runs = [row for row in ledger if row.get("event") == "ran" and row.get("spec_sha256") == outcomes[0].spec_sha256]
    runs = [row for row in runs if row.get("lock8") == short]
    if not runs:
        yield Said("ledger.no-run")
        return
    digests = {data.sha256 for evidence in outcomes for data in evidence.data}
    if not any(digests <= set(_digests(row.get("inputs"))) for row in runs):
        yield Said("ledger.other-inputs")


def _deposited(ledger: Sequence[Mapping[str, Any]], lock: str, deposit: Mapping[str, Any]) -> bool:
    """Whether the ledger knows of this deposit of this lock."""
    rows = [row for row in ledger if row.get("event") == "deposited" and row.get("lock8") == lock]
    return any(all(row.get(name) == value for name, value in deposit.items()) for row in rows)


def _late(ledger: Sequence[Mapping[str, Any]], lock: str) -> bool:
    """Whether outcomes had been opened when this lock was deposited."""
    rows = [row for row in ledger if row.get("event") == "deposited" and row.get("lock8") == lock]
    return bool(rows) and rows[0].get("seen") == "outcomes"


def _looks(ledger: Sequence[Mapping[str, Any]], outcomes: Sequence[Evidence]) -> Iterator[Said]:
    """Whether every planned look is in the ledger with what it spent and found, and those before it as well."""
    for evidence in outcomes:
        look, primary = evidence.look, evidence.primary
        if look is None or not look.label:
            continue
        mine = Taken(
            *(look.number, look.label, look.until, look.fraction, look.critical, look.nominal, look.spent),
            *(primary.value, primary.low, primary.high),
        )
        kept = [
            (row.get("look"), row.get("spec_sha256"), told)
            for row in ledger
            if row.get("event") == "ran" and isinstance(row.get("looks"), dict)
            for told in [row["looks"].get(evidence.indicator)]
            if isinstance(told, dict)
        ]
        own = [told for number, meant, told in kept if (number, meant) == (look.number, evidence.spec_sha256)]
        if not any(_alike(mine, told) for told in own):
            yield Said("ledger.other-look", {"outcome": evidence.indicator, "look": str(look.number)})
        for one in look.before:
            if not any(number == one.number and _alike(one, told) for number, _, told in kept):
                yield Said("ledger.other-look", {"outcome": evidence.indicator, "look": str(one.number)})


def _alike(look: Taken, told: Mapping[str, Any]) -> bool:
    """Whether a line of the ledger tells of this look, in the digits that it keeps."""
    numbers = ("fraction", "critical", "nominal", "spent", "value", "low", "high")
    pairs = [(getattr(look, name), told.get(name)) for name in numbers]
    return (look.label, look.until) == (told.get("label"), told.get("until")) and all(
        one is other
        if one is None or other is None
        else isinstance(other, int | float) and abs(one - other) <= _KEPT * max(abs(one), abs(other))
        for one, other in pairs
    )


def _standing(
    contents: Contents, lock: Mapping[str, Any] | None, ledger: Sequence[Mapping[str, Any]], first: Evidence
) -> Iterator[Said]:
    """What the results repeat of lock and ledger: which lock, which deposit, and how many set-ups came before."""
    stated, own = first.standing, first.spec_sha256
    opened = {str(row.get("spec_sha256")) for row in ledger if row.get("event") == "ran" and row.get("until")}
    tried = {str(row.get("spec_sha256")) for row in ledger if row.get("event") in ("checked", "planned", "ran")}
    deposit = None if stated.deposit is None else asdict(stated.deposit)
    repeated = {
        "lock": stated.lock8 in ("", lock8(contents.files)),
        "deposit": deposit is None
        or (lock is not None and lock.get("deposit") == deposit and _deposited(ledger, lock8(contents.files), deposit)),
        "late": stated.late == (deposit is not None and _late(ledger, lock8(contents.files))),
        "ran": stated.ran == len(opened - {own}),
        "tried": stated.tried == len(tried - opened - {own}),
    }
    yield from (Said("fixed.standing", {"what": what}) for what, same in repeated.items() if not same)


def _first(ledger: Sequence[Mapping[str, Any]], outcomes: Sequence[Evidence], last: str) -> bool:
    """Whether the outcomes that were first opened for this look are those of the results."""
    look, own = outcomes[0].standing.look, outcomes[0].spec_sha256
    for row in ledger:
        if row.get("event") != "ran" or not row.get("until") or row.get("spec_sha256") != own:
            continue
        number, until = row.get("look", 1), str(row["until"])
        if number == look or (isinstance(number, int) and number > look and until >= last):
            mine = {data.sha256 for evidence in outcomes for data in evidence.data if data.role in _OUTCOMES}
            return mine <= set(_digests(row.get("inputs")))
    return True


def _head(contents: Contents, count: Any) -> str:
    """Digest of line `count` of the ledger."""
    lines = contents.files[LEDGER].split(b"\n")
    if count == 0:
        return _FIRST
    return hashlib.sha256(lines[count - 1]).hexdigest() if type(count) is int and 0 < count < len(lines) else ""


def _digests(value: Any) -> Iterator[str]:
    """Every text in a value, however it is nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _digests(below)
    elif isinstance(value, list):
        for below in value:
            yield from _digests(below)


def _supported(
    lock: Mapping[str, Any] | None, ledger: Sequence[Mapping[str, Any]] | None, outcomes: Sequence[Evidence]
) -> str:
    """The strongest that may be claimed with this lock and this ledger.

    A run before the lock speaks against it when it opened the last period that the results are about, or does not say
    how far it went. Where other outcomes were opened first, for this look or as far for a later one, it is a deviation.
    """
    if lock is None or ledger is None or lock.get("spec_sha256") != outcomes[0].spec_sha256:
        return "exploratory"
    first = next((place for place, row in enumerate(ledger) if row.get("event") in _LOCKS), None)
    if first is None:
        return "exploratory"
    last = max((period for evidence in outcomes for period in evidence.periods), default="")
    opened = [row for row in ledger[:first] if row.get("event") == "ran" and row.get("seen") == "outcomes"]
    if any(str(row.get("until") or last) >= last for row in opened):
        return "exploratory"
    made = lock.get("amendments")
    kinds = {row.get("kind") for row in made if isinstance(row, dict)} if isinstance(made, list) else set()
    later = [place for place, row in enumerate(ledger) if row.get("event") == "amended"]
    if "deviation" in kinds or any(row.get("seen") == "outcomes" for place in later for row in ledger[:place]):
        return "deviation"
    if not _first(ledger, outcomes, last):
        return "deviation"
    return "amended" if kinds or later else "pre-specified"
