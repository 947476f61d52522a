"""What a run has computed is kept beside its bundle, so that one that was ended continues where it was.

A result is kept under the digest of all that it follows from: the panel, the estimator, the target, the inference, the
seed, the source code of this package, the versions of all others and the machine. So a change of the specification or
of the data is never overlooked, and a result that it does not touch is found again. Each part of a run writes down
beside it which results it took, which is how can be said beforehand what there is, without opening an outcome.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache as once
from pathlib import Path
from typing import Any, Final, TypeVar

from impact.errors import Problem, UsageError, WriteError
from impact.files import parse_json, read_bytes, sha256, write
from impact.study.companions import environment
from impact.study.exact import Unknown, digest, packed, unpacked
from impact.study.model import Specification
from impact.study.read import Study
from impact.study.stages import STAGES
from impact.study.validate import canonical

__all__ = ["FOLDER", "Cache", "Part", "beside", "kept_in", "parts"]

FOLDER: Final = ".impact-cache"

_MOST: Final = 100_000_000  # bytes of one result
_TO_COMPUTE: Final = "to compute"
_RESULTS, _PARTS = "results", "parts"
# Keys that nothing is computed from, and those that only some parts look at.
_TOLD: Final = frozenset(("schema", "id", "title", "question", "seen_before", "alternatives", "disclose", "needs"))
_ONLY: Final = {
    "calibrate": ("robust",),
    "negative_controls": ("robust", "negative controls"),
    "indices": ("families",),
    "correction": ("families",),
}

Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run: its stage, the outcome that it is about ("" for all), and a name where a stage has several."""

    stage: str
    outcome: str
    name: str = ""


def parts(study: Study) -> Iterator[tuple[Part, Specification]]:
    """The parts of a run of which results are kept, each with the specification that it follows."""
    spec = study.model
    if spec.negative_controls is not None and spec.negative_controls.outcomes:
        yield Part("alternatives", "", "negative controls"), spec
    for outcome in spec.all_outcomes:
        name = outcome.indicator
        yield Part("inference", name), spec
        if any(one.check is not None for one in spec.breaks):
            yield Part("checks", name), spec
        for variation in study.variations:
            yield Part("alternatives", name, f"alternative {variation.name}"), variation.model
        if spec.comparison.match is not None:
            yield Part("alternatives", name, "bracket"), spec
        yield Part("alternatives", name, "robust"), spec
    if spec.indices:
        yield Part("alternatives", "", "families"), spec


def beside(bundle: Path) -> Path:
    """Where the results of a run are kept, unless another folder is given."""
    return bundle.parent / FOLDER


def kept_in(folder: Path, bundle: Path) -> Path:
    """`folder`, where results may be kept.

    Raises
    ------
    UsageError
        ``CACHE-002``: it lies in the folder of the bundle, which goes to others.
    """
    if folder.resolve().is_relative_to(bundle.resolve()):
        hint = "Give a folder elsewhere, or leave out --cache: then it stands beside the bundle."
        raise UsageError(Problem("CACHE-002", "results would be kept inside the bundle", hint, str(folder)))
    return folder


@dataclass(slots=True)
class Cache:
    """The memory of one run of one study; see ``impact.parallel.Memory``.

    Attributes
    ----------
    folder : Path or None
        None keeps nothing.
    study : Study
    files : mapping of str to Path
        Its inputs.
    look : int
    since : str
        Kept results of this stage and those after it are not used; "" uses all.
    refused : str
        Why nothing could be written.
    """

    folder: Path | None
    study: Study
    files: Mapping[str, Path]
    look: int = 1
    since: str = ""
    refused: str = ""
    _now: Part | None = None
    _used: set[str] = field(default_factory=set)
    _found: set[str] = field(default_factory=set)
    _own: set[str] = field(default_factory=set)
    _inputs: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.since and self.since not in STAGES:
            raise UsageError(Problem("CACHE-001", f"there is no stage {self.since!r}", f"one of {', '.join(STAGES)}"))

    def __call__(self, make: Callable[[], Out], *of: object) -> Out:
        """What `make` makes of the values `of`: as it was kept, or made now and kept."""
        if self.folder is None:
            return make()
        try:
            key = digest(_origin(), *of)
        except Unknown:
            return make()
        path = self.folder / _RESULTS / f"{key}.json"
        self._used.add(key)
        if key in self._own or not self._anew(self._now):
            with suppress(ValueError, OSError):
                found: Out = unpacked(_read(path, key))
                self._found.add(key)
                return found
        value = make()
        self._own.add(key)
        try:
            self._write(path, key, packed(value))
        except Unknown:
            self._used.discard(key)
        return value

    @contextmanager
    def part(self, part: Part, spec: Specification) -> Iterator[None]:
        """What is asked inside belongs to `part`; when it ends well, that it was made of `spec` is kept."""
        self._now, self._used = part, set()
        try:
            yield
            if self.folder is not None and part in dict(parts(self.study)):
                said = {"of": self._origins(spec), "used": sorted(self._used)}
                path, name = self._record(self.folder, part)
                self._write(path, name, json.dumps(said, sort_keys=True).encode())
        finally:
            self._now = None

    @property
    def computed(self) -> int:
        """How many results were computed so far."""
        return len(self._own)

    @property
    def reused(self) -> int:
        """How many were found that an earlier run kept."""
        return len(self._found - self._own)

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say of it after a run."""
        said = [f"{self.reused} results were kept from before; {self.computed} were computed"] if self.reused else []
        return (*said, *([f"results could not be kept: {self.refused}"] if self.refused else []))

    def table(self) -> str:
        """Every part with whether its results are there, and if not why; no outcome is opened."""
        rows = [(part, *self._state(part, spec)) for part, spec in parts(self.study)]
        head = ("stage", "outcome", "part", "", "why")
        lines = [head, *((part.stage, part.outcome, part.name, state, why) for part, state, why in rows)]
        wide = [max(len(line[column]) for line in lines) for column in range(4)]
        said = ["  ".join([*map(str.ljust, line[:4], wide), line[4]]).rstrip() for line in lines]
        made = {part.stage for part, *_ in rows}
        said.append(f"always computed: {', '.join(stage for stage in STAGES if stage not in made)}")
        if any(state == _TO_COMPUTE and not self._anew(part) for part, state, _ in rows):
            said.append("what a change does not touch is still taken from the cache")
        return "\n".join(said)

    def _state(self, part: Part, spec: Specification) -> tuple[str, str]:
        if self._anew(part):
            return _TO_COMPUTE, f"asked from {self.since}"
        assert self.folder is not None
        try:
            path, name = self._record(self.folder, part)
            said = parse_json(_read(path, name))
            used, changed = said["used"], list(_changes(said["of"], self._origins(spec), part))
        except (ValueError, OSError, LookupError, TypeError, AttributeError):
            return _TO_COMPUTE, "not computed before"
        if changed:
            return _TO_COMPUTE, "; ".join(changed)
        gone = sum(not _there(self.folder / _RESULTS / f"{key}.json", key) for key in used)
        if gone:
            return _TO_COMPUTE, f"{gone} of {len(used)} results are not there or damaged"
        return ("cached", "") if used else ("nothing to compute", "")

    def _anew(self, part: Part | None) -> bool:
        """Whether what was kept of a part is not to be used."""
        return bool(self.since) and part is not None and STAGES.index(part.stage) >= STAGES.index(self.since)

    def _record(self, folder: Path, part: Part) -> tuple[Path, str]:
        name = digest(self.study.model.id, self.look, *asdict(part).values())
        return folder / _PARTS / f"{name}.json", name

    def _origins(self, spec: Specification) -> dict[str, Any]:
        """What a part follows from, each with a digest."""
        said = parse_json(canonical(spec))
        self._inputs = self._inputs or {role: [path.name, sha256(path)] for role, path in self.files.items()}
        return {
            "key": {key: _sha(json.dumps(value, sort_keys=True).encode()) for key, value in said.items()},
            "input": self._inputs,
            "version": json.loads(_packages())["packages"] | {"python": platform.python_version()},
            "code": _source(),
            "machine": _machine(),
        }

    def _write(self, path: Path, key: str, content: bytes) -> None:
        whole = _sealed(key, content)
        if self.folder is None or self.refused or len(whole) > _MOST:
            return
        try:
            if not (self.folder / ".gitignore").is_file():
                with suppress(OSError):
                    self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write(self.folder / ".gitignore", "*\n")
            write(path, whole)
        except WriteError as error:
            self.refused = error.problems[0].message


def _sealed(key: str, content: bytes) -> bytes:
    """What a file holds: the digest of its name and the rest, and the rest."""
    return f"{_sha(key.encode() + content)}\n".encode() + content


def _read(path: Path, key: str) -> bytes:
    """The content under `key`; ValueError where it is not what was written there."""
    seal, _, content = read_bytes(path, _MOST).partition(b"\n")
    if seal.decode("ascii") != _sha(key.encode() + content):
        raise ValueError("it is damaged")
    return content


def _there(path: Path, key: str) -> bool:
    try:
        _read(path, key)
    except (ValueError, OSError):
        return False
    return True


def _changes(then: Mapping[str, Any], now: Mapping[str, Any], part: Part) -> Iterator[str]:
    """What is other now, in words."""
    for key in sorted(then["key"].keys() | now["key"].keys()):
        seen = key not in _TOLD and part.name in _ONLY.get(key, (part.name,))
        if seen and then["key"].get(key) != now["key"].get(key):
            yield f"specification key {key} changed"
    for role in sorted(then["input"].keys() | now["input"].keys()):
        if then["input"].get(role) != now["input"].get(role):
            yield f"input {now['input'].get(role, then['input'].get(role))[0]} changed"
    for name in sorted(then["version"].keys() | now["version"].keys()):
        if then["version"].get(name) != now["version"].get(name):
            yield f"versions differ: {name} {then['version'].get(name, '-')} → {now['version'].get(name, '-')}"
    if then["code"] != now["code"]:
        yield "the code of this package changed"
    if then["machine"] != now["machine"]:
        yield "made on another machine"


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _origin() -> tuple[object, ...]:
    """What every result follows from beside its own values."""
    return _packages(), _source(), _machine()


@once
def _packages() -> bytes:
    return environment()


@once
def _source() -> str:
    """Digest of all files of this package: the version of one under development says nothing."""
    root = Path(__file__).parents[1]
    files = (Path(at) / name for at, _, names in os.walk(root) if "__pycache__" not in at for name in names)
    return _sha("".join(sorted(f"{file.relative_to(root).as_posix()} {sha256(file)}\n" for file in files)).encode())


@once
def _machine() -> str:
    """What the last digits of algebra may depend on: the system and the kernels of its linear algebra."""
    import scipy.linalg  # noqa: F401, so that its library is loaded too
    from threadpoolctl import threadpool_info

    found = [one for one in threadpool_info() if one.get("user_api") == "blas"]
    libraries = {f"{one.get('internal_api')} {one.get('version')} {one.get('architecture')}" for one in found}
    return " ".join([platform.system(), platform.machine(), *sorted(libraries)])
