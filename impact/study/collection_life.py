"""The life of a collection: its lock, which holds the locks of its studies, its ledger, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from impact.errors import DataError, Problem, UsageError, WriteError, raise_all
from impact.evidence.standing import Standing
from impact.study.collection import Collection
from impact.study.lock import Lock, amend, beside, fix, read_lock
from impact.study.log import Log, Seen, append, read_log
from impact.study.render import versions
from impact.study.standing import Kept, Now, kept, standing
from impact.study.validate import canonical

__all__ = ["FILES", "amended", "locked", "locks_of", "ran", "stand"]

FILES: Final = ("collection.yaml", "collection.lock", "collection.log.jsonl")
"""Specification, lock and ledger, as a bundle names them."""


def locks_of(collection: Collection) -> dict[str, str]:
    """First digits of the lock of every study; "" for one without, or whose lock cannot be read."""
    found = {}
    for study in collection.studies:
        lock = kept(study.path).lock
        found[study.model.id] = "" if lock is None else lock.lock8
    return found


def stand(collection: Collection, look: int = 1) -> tuple[Kept, Standing]:
    """Lock and ledger of the collection as they are before anything is added, and where it stands.

    A study with another lock than the collection has fixed makes it a deviation.
    """
    found = kept(collection.path)
    made = standing(found, Now(collection.sha256, {}, (), look))
    fixed = {} if found.lock is None else found.lock.design.get("studies", {})
    other = [slug for slug, lock8 in locks_of(collection).items() if fixed.get(slug) != lock8]
    if other and made.status in ("pre-specified", "amended"):
        made = replace(made, status="deviation", because="studies", detail=", ".join(other))
    return found, made


def locked(collection: Collection) -> tuple[Lock, Log]:
    """Lock the collection with the locks of its studies as they are; the old lock where nothing changed.

    Raises
    ------
    UsageError
        ``LOCK-010``, ``LOCK-011`` as for a study; ``LOCK-019`` for every study that is not locked as it stands.
    """
    _check_studies(collection)
    return fix(collection, lambda log: _lock(collection, log), seen=_seen(collection))


def amended(collection: Collection, why: str) -> tuple[Lock, Log]:
    """Amend the lock of the collection to what it and its studies say now.

    Raises
    ------
    UsageError
        ``LOCK-012`` to ``LOCK-014`` as for a study; ``LOCK-019``.
    """
    _check_studies(collection)
    old = read_lock(beside(collection.path)[0])
    changes = () if old is None else tuple(_changes(old, _lock(collection, Log())))
    return amend(collection, lambda log, _: _lock(collection, log), why, changes, seen=_seen(collection))


@dataclass(frozen=True, slots=True)
class After:
    """What a run leaves: the files of the collection that go into its bundle, and what there is to note."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ran(collection: Collection, before: Kept, look: int, until: str) -> After:
    """Write in the ledger that the collection was run, up to the period `until`; "" where no outcome was opened."""
    inputs = [{"role": "study", "file": study.model.id, "sha256": study.sha256} for study in collection.studies]
    details: dict[str, Any] = {"look": look, "inputs": inputs, "until": until or None}
    seen: Seen = "outcomes" if until else "diagnostics"
    lock8 = None if before.lock is None else before.lock.lock8
    place, ledger = beside(collection.path)
    files = {FILES[0]: collection.text.encode("utf-8")}
    if place.is_file():
        files[FILES[1]] = place.read_bytes()
    notes: tuple[str, ...] = ()
    try:
        log = append(ledger, "ran", seen=seen, spec_sha256=collection.sha256, lock8=lock8, details=details)
        files[FILES[2]] = log.content
    except DataError as error:
        notes = (f"the ledger does not hold together, and nothing was added to it: {error.problems[0]}",)
        if ledger.is_file():
            files[FILES[2]] = ledger.read_bytes()
    except WriteError as error:
        files[FILES[2]] = before.log.plus("ran", seen, collection.sha256, lock8, details).content
        notes = (f"the ledger could not be written ({error.problems[0].message}); the bundle has the line.",)
    return After(files, notes)


def _lock(collection: Collection, log: Log) -> Lock:
    return Lock(
        study=collection.model.id,
        spec_sha256=collection.sha256,
        spec=json.loads(canonical(collection.model)),
        design={"studies": locks_of(collection)},
        inputs=(),
        versions=dict(sorted(versions().items())),
        thresholds={},
        seed=collection.model.seed,
        ledger={"lines": len(log.entries), "sha256": log.head},
    )


def _check_studies(collection: Collection) -> None:
    problems = []
    for study in collection.studies:
        lock = read_lock(beside(study.path)[0])
        if lock is None or lock.spec_sha256 != study.sha256:
            how = "is not locked" if lock is None else "says something else than its lock"
            hint = f"Lock it first: `impact {'lock' if lock is None else 'amend'} {study.file}`."
            problems.append(Problem("LOCK-019", f"the study '{study.model.id}' {how}.", hint, collection.file))
    raise_all(problems, UsageError)


def _seen(collection: Collection) -> Seen:
    """``outcomes`` where those of any study had been opened: then families and correction are not of before that."""
    seen = [read_log(beside(study.path)[1]).seen for study in collection.studies]
    return "outcomes" if "outcomes" in seen else "design"


def _changes(old: Lock, new: Lock) -> Sequence[str]:
    """Keys of the collection, and studies, that are others now."""
    keys = [key for key in sorted({*old.spec, *new.spec}) if old.spec.get(key) != new.spec.get(key)]
    one, other = old.design.get("studies", {}), new.design.get("studies", {})
    locks = [slug for slug in sorted({*one, *other}) if one.get(slug) != other.get(slug)]
    said = [f"{key}: {json.dumps(old.spec.get(key))} → {json.dumps(new.spec.get(key))}" for key in keys]
    return [*said, *(f"lock of {slug}: {one.get(slug, '–')} → {other.get(slug, '–')}" for slug in locks)]
