"""What a run and a check keep of themselves beside the study: where it stands, and a line in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from impact.disclosure.profile import Profile
from impact.errors import DataError, Problem, UsageError, WriteError
from impact.evidence.grade_form import SIGNATURES
from impact.evidence.language import texts
from impact.evidence.standing import Standing, standing_sentences
from impact.study.areas import focus_areas
from impact.study.disclosing import profile_of
from impact.study.load import Loaded
from impact.study.lock import LOCK, design_of
from impact.study.log import LOG, Event, Log, Seen, append
from impact.study.plan_record import Plan
from impact.study.read import Study
from impact.study.standing import Kept, Now, beside, kept, standing

__all__ = ["After", "check_told", "checked", "planned", "ran", "said", "stand"]

SPECIFICATION: Final = "study.yaml"


@dataclass(frozen=True, slots=True)
class After:
    """What a run leaves: the files that go into its bundle, and what there is to note."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def stand(study: Study, loaded: Loaded, look: int = 1) -> tuple[Kept, Standing]:
    """Lock and ledger of `study` as they are before anything is added, and where it stands."""
    found = kept(study.path)
    design = {}
    if found.lock is not None:
        known = found.lock.design.get("periods", ())
        design = design_of(study.model, loaded, focus_areas(study.model, loaded), known)
    return found, standing(found, Now(study.sha256, design, loaded.files, look, loaded.periods[-1]))


def ran(
    study: Study, before: Kept, loaded: Loaded, opened: bool, look: int = 1, looks: Mapping[str, Any] | None = None
) -> After:
    """Write in the ledger that `study` was run, and give what its bundle keeps of the study.

    `opened` says whether any outcome was not sealed: then outcomes up to the last period have been seen. `looks` is
    what the look spends and finds, by indicator.
    """
    inputs = [{"role": one.role, "file": one.file, "sha256": one.sha256} for one in loaded.files]
    details: dict[str, Any] = {"look": look, "inputs": inputs, "until": loaded.periods[-1] if opened else None}
    details |= {"looks": dict(looks)} if looks else {}
    details |= {"disclosed": profile.name} if (profile := _asking(study)) is not None else {}
    log, notes = _note(study, before, "ran", "outcomes" if opened else "diagnostics", details)
    files = {SPECIFICATION: study.text.encode("utf-8")}
    lock, ledger = beside(study.path)
    if before.lock is not None:
        files[LOCK] = before.lock.content
    elif lock.is_file():
        files[LOCK] = lock.read_bytes()
    if (signed := study.path.with_name(SIGNATURES)).is_file():
        files[SIGNATURES] = signed.read_bytes()
    if log is not None:
        files[LOG] = log.content
    elif ledger.is_file():
        files[LOG] = ledger.read_bytes()
    return After(files, notes)


def check_told(study: Study, before: Kept) -> None:
    """Refuse to let a ledger out, in a bundle, with figures of a look that no rule of disclosure has seen.

    Raises
    ------
    UsageError
        ``LOOK-005``.
    """
    for entry in before.log.of("ran") if _asking(study) is not None else ():
        if entry.details.get("looks") and not entry.details.get("disclosed"):
            message = f"line {entry.number} of the ledger holds figures of a look without rules of disclosure"
            hint = "A bundle takes the ledger along: run the study in a folder of its own, with a ledger of its own."
            raise UsageError(Problem("LOOK-005", message, hint, str(beside(study.path)[1])))


def _asking(study: Study) -> Profile | None:
    """The rules of disclosure of a study that has any."""
    profile = None if study.model.disclose is None else profile_of(study.model.disclose)
    return profile if profile is not None and profile.asks else None


def checked(study: Study, loaded: Loaded) -> list[str]:
    """Write in the ledger that the design of `study` was seen; where it stands, and what there is to note."""
    before, found = stand(study, loaded)
    _, notes = _note(study, before, "checked", "design", {})
    return ["", *said(found), *notes]


def planned(study: Study, plan: Plan) -> tuple[str, ...]:
    """Write in the ledger that a plan was made: the time before the start was looked at, and no outcome after it."""
    return _note(study, kept(study.path), "planned", "diagnostics", {"draws": plan.draws})[1]


def said(found: Standing) -> list[str]:
    """Where a study stands, in lines for the command line."""
    return [f"{found.status}: {' '.join(standing_sentences(found, texts('en')))}"]


def _note(
    study: Study, before: Kept, event: Event, seen: Seen, details: Mapping[str, Any]
) -> tuple[Log | None, tuple[str, ...]]:
    """The ledger with the event, written where that can be; None where it does not hold together."""
    lock8 = None if before.lock is None else before.lock.lock8
    ledger: Path = beside(study.path)[1]
    try:
        log = append(ledger, event, seen=seen, spec_sha256=study.sha256, lock8=lock8, details=details)
    except DataError as error:
        return None, (f"the ledger does not hold together, and nothing was added to it: {error.problems[0]}",)
    except WriteError as error:
        log = before.log.plus(event, seen, study.sha256, lock8, details)
        return log, (f"the ledger could not be written ({error.problems[0].message}); the bundle has the line.",)
    return log, ()
