"""What a plan found, as it is kept beside the study in ``study.plan.json``.

Codes (stable): PLAN-001 the file is no plan.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from impact.errors import Problem, SpecError
from impact.files import write
from impact.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FILE",
    "Amount",
    "Fitted",
    "Gate",
    "Plan",
    "Planned",
    "Refusal",
    "Tried",
    "in_lock",
    "read_plan",
    "write_plan",
]

FILE = "study.plan.json"
_MOST_BYTES = 2_000_000


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Amount(_Kept):
    """A number over the drawn worlds with its Monte-Carlo standard error; without one where there is one world."""

    value: float
    error: float | None = None


class Fitted(_Kept):
    """What outcomes before the start were found to be made of.

    Attributes
    ----------
    periods : tuple of str
        That it rests on.
    units, clusters : int
    shared, own, passing, lasting : float
        See ``impact.inference.components.Components``; `lasting` is a year later.
    intervals : mapping of name to (low, high)
        At 95%; a component without one lies on the edge of what is possible.
    separate : bool
        Whether clusters hold several units.
    known : float or None
        Root of the mean square of the known sampling errors; None where none are known.
    near, near_error, reach : float
        What clusters near each other have in common, and over how many metres that falls to a third.
    """

    periods: tuple[str, ...]
    units: int
    clusters: int
    shared: float
    own: float
    passing: float
    lasting: float
    intervals: dict[str, tuple[float, float]]
    separate: bool
    known: float | None = None
    near: float = 0.0
    near_error: float | None = None
    reach: float = 0.0


class Tried(_Kept):
    """How one inference did with the declared estimator, in worlds without effect.

    Attributes
    ----------
    bias, rmse, coverage, size : Amount or None
        None where the inference gives no such number.
    power : Amount or None
        Share of worlds in which the smallest difference that matters is seen; None where the study names none.
    detectable : Amount or None
        The smallest difference that is seen with the probability that is asked for.
    worlds : int
        With an estimate.
    refused : mapping of reason to int
        Worlds without estimate, interval or p-value.
    """

    inference: str
    bias: Amount | None = None
    rmse: Amount | None = None
    coverage: Amount | None = None
    size: Amount | None = None
    power: Amount | None = None
    detectable: Amount | None = None
    worlds: int = 0
    refused: dict[str, int] = {}


class Refusal(_Kept):
    """See ``impact.errors.Refused``."""

    what: str
    because: str
    instead: str = ""


class Gate(_Kept):
    """A check of the design that is not passed, and so seals the estimate."""

    name: str
    statistic: float | None = None
    threshold: float | None = None


class Planned(_Kept):
    """The plan of one outcome.

    Attributes
    ----------
    indicator : str
    names : mapping of language to str
    units : mapping of language to str
        Of its differences.
    areas : int
        In the estimate.
    smallest : float or None
        The smallest difference that matters.
    fitted : Fitted or None
        None when `refused`.
    tried : tuple of Tried
        The declared inference and those beside it.
    off : (float, float) or None
        Between these the smallest difference that is seen lies at 95%, for want of knowing the components; None where
        that cannot be said.
    rematched : bool
        Whether controls were chosen anew in every world.
    respondents : (str, str, float) or None
        Area and period before the start with the fewest respondents, and their number.
    gates : tuple of Gate
    refused : Refusal or None
        Why there is no plan.
    """

    indicator: str
    names: dict[str, str]
    units: dict[str, str]
    areas: int = 0
    smallest: float | None = None
    fitted: Fitted | None = None
    tried: tuple[Tried, ...] = ()
    off: tuple[float, float] | None = None
    rematched: bool = False
    respondents: tuple[str, str, float] | None = None
    gates: tuple[Gate, ...] = ()
    refused: Refusal | None = None


class Plan(_Kept, Plotted):
    """A plan: what the declared design would see, before any outcome after the start is known.

    Attributes
    ----------
    schema_version : int
    study : str
        Its id.
    spec_sha256 : str
        Digest of its meaning, see ``Study.sha256``.
    draws, seed : int
    level : float
        Of the intervals.
    power : float
        With which `detectable` is seen.
    level_of_units, cluster : str
        For the words: a wijk, buurt or gemeente; and what a cluster is.
    versions : mapping of package to str
    outcomes : tuple of Planned
    """

    schema_version: int = 1
    study: str
    spec_sha256: str
    draws: int
    seed: int
    level: float
    power: float
    level_of_units: str = ""
    cluster: str = "unit"
    versions: dict[str, str] = {}
    outcomes: tuple[Planned, ...] = ()

    _language: ClassVar[str] = "nl"
    _estimate: ClassVar[str] = "detectable"

    def summary(self, language: str = "nl") -> str:
        """The plan in sentences and a table per outcome."""
        from impact.study.plan_words import told

        return told(self, language)

    def tidy(self) -> pd.DataFrame:
        """One row per outcome and inference, the declared one first; missing where it gives no such number.

        Columns outcome, inference, areas, smallest (the smallest difference that matters), bias, rmse, coverage, size,
        power, detectable, worlds, unit and status: "ok", or why there is no plan.
        """
        import pandas as pd

        numbers = ("bias", "rmse", "coverage", "size", "power", "detectable")
        rows = []
        for outcome in self.outcomes:
            status = "ok" if outcome.refused is None else f"refused: {outcome.refused.because}"
            for one in outcome.tried or (Tried(inference=""),):
                amounts = {name: getattr(one, name) for name in numbers}
                found = {name: None if amount is None else amount.value for name, amount in amounts.items()}
                head = {"outcome": outcome.indicator, "inference": one.inference, "areas": outcome.areas}
                tail = {"worlds": one.worlds, "unit": outcome.units.get("en", outcome.units.get("nl", ""))}
                rows.append(head | {"smallest": outcome.smallest} | found | tail | {"status": status})
        return pd.DataFrame(rows).astype(dict.fromkeys(("smallest", *numbers), float))


def write_plan(plan: Plan, study: Path) -> Path:
    """Keep `plan` beside `study`, the path of a ``study.yaml``; a file that says the same already is left alone.

    Raises
    ------
    WriteError
        ``WRITE-001``; what stood there before still stands.
    """
    place = study.with_name(FILE)
    text = json.dumps(plan.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    if not (place.is_file() and place.read_bytes() == text.encode("utf-8")):
        write(place, text)
    return place


def read_plan(study: Path) -> Plan | None:
    """The plan beside `study`; None where there is none.

    Raises
    ------
    SpecError
        ``PLAN-001`` when the file is no plan.
    """
    place = study.with_name(FILE)
    if not place.is_file():
        return None
    hint = "Make it anew: `impact plan`."
    try:
        if place.stat().st_size > _MOST_BYTES:
            raise SpecError(Problem("PLAN-001", f"the file is larger than {_MOST_BYTES:,} bytes.", hint, place.name))
        return Plan.model_validate_json(place.read_bytes())
    except (ValidationError, OSError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise SpecError(Problem("PLAN-001", f"the file is no plan: {first}.", hint, place.name)) from error


def in_lock(plan: Plan | None, spec_sha256: str) -> dict[str, Any] | None:
    """What of a plan goes into the lock; None where there is none of this meaning."""
    if plan is None or plan.spec_sha256 != spec_sha256:
        return None
    declared = {outcome.indicator: outcome.tried[0] for outcome in plan.outcomes if outcome.tried}
    kept = {
        indicator: {name: None if amount is None else amount.value for name, amount in said.items()}
        for indicator, one in declared.items()
        for said in [{"size": one.size, "power": one.power, "detectable": one.detectable}]
    }
    return {"draws": plan.draws, "outcomes": kept}
