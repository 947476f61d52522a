"""Many studies: which there are in a folder, and each run in a process of its own, so that none can touch another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impact.errors import ImpactError, Problem, SpecError, UsageError
from impact.parallel import Progress, silent
from impact.study.read import Study, read_study

__all__ = ["Ended", "Found", "is_many", "run_many", "studies_in"]

_MAIN = "from impact.cli import main; main()"
_WORDS = {
    0: "completed",
    1: "completed with findings",
    2: "not run",
    3: "no number",
    4: "could not write",
    130: "interrupted",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A study in a folder: what was read of it, or what is wrong with it.

    Attributes
    ----------
    path : Path
        Of its ``study.yaml``.
    study : Study or None
    error : ImpactError or None
    """

    path: Path
    study: Study | None
    error: ImpactError | None = None

    @property
    def name(self) -> str:
        """Its short name; that of its folder where it cannot be read."""
        return self.path.parent.name if self.study is None else self.study.model.id


@dataclass(frozen=True, slots=True)
class Ended:
    """How the run of one study ended.

    Attributes
    ----------
    name : str
    code : int
        The exit code of its process; 128 and the number of the signal where one ended it.
    bundle : Path
        Where its bundle is, or would have been.
    said : str
        Its messages.
    """

    name: str
    code: int
    bundle: Path
    said: str

    def __str__(self) -> str:
        how = _WORDS.get(self.code) or (f"killed by signal {self.code - 128}" if self.code > 128 else "failed")
        told = self.said.strip().splitlines()
        # The verdict is the last line of a run; of one that failed it is the first that says what is wrong.
        why = "" if not told else told[-1] if self.code in (0, 1) or self.code > 128 else told[0]
        where = f"; {self.bundle}" if self.code in (0, 1) else "; an earlier bundle still stands"
        return f"{self.name}: {how}{where}{f'; {why}' if why else ''}"


def is_many(path: Path) -> bool:
    """Whether a path is a folder of studies, and no study itself."""
    return path.is_dir() and not (path / "study.yaml").exists() and any(path.glob("*/study.yaml"))


def studies_in(path: Path) -> tuple[Found, ...]:
    """The study in `path`, or those in the folders in it, in the order of their folders' names.

    Raises
    ------
    UsageError
        ``USAGE-030`` when there is none.
    """
    single = path if path.is_file() else path / "study.yaml"
    files = [single] if single.is_file() else sorted(path.glob("*/study.yaml"))
    if not files:
        hint = "Give a study.yaml, the folder of a study, or a folder that holds folders of studies."
        raise UsageError(Problem("USAGE-030", "there is no study here.", hint, str(path)))
    return tuple(_found(file) for file in files)


def run_many(
    path: Path,
    *,
    data: Sequence[Path] = (),
    out: Path = Path("out"),
    workers: int = 1,
    progress: Progress | None = None,
    options: Sequence[str] = (),
) -> Iterator[Ended]:
    """Run every study in `path`, one after another, each into ``out/<id>``; how each of them ended.

    `options` of ``impact run`` go along to each.

    Each runs in a process of its own: what ends one, even a signal, leaves the others and their bundles untouched.

    Raises
    ------
    SpecError
        ``SPEC-030`` when two have the same short name: one bundle would take the place of the other. Nothing was run.
    """
    studies = studies_in(path)
    taken: dict[str, Path] = {}
    for one in studies:
        first = taken.setdefault(one.name, one.path)
        if first is not one.path:
            hint = "Give every study a short name (`id`) of its own; nothing was run."
            message = f"'{one.name}' is the short name of {first} too: they would share one bundle."
            raise SpecError(Problem("SPEC-030", message, hint, str(one.path)))
    progress = progress or silent
    for number, one in enumerate(studies, 1):
        yield _run(one, data, out / one.name, workers, options)
        progress("studies", number, len(studies))


def _found(file: Path) -> Found:
    try:
        return Found(file, read_study(file))
    except ImpactError as error:
        return Found(file, None, error)


def _run(one: Found, data: Sequence[Path], bundle: Path, workers: int, options: Sequence[str]) -> Ended:
    if one.error is not None:
        return Ended(one.name, 2, bundle, str(one.error))
    more = [*(text for folder in data for text in ("--data", str(folder))), *options]
    command = [sys.executable, "-c", _MAIN, "run", str(one.path), "--out", str(bundle), "--workers", str(workers)]
    done = subprocess.run([*command, *more], capture_output=True, encoding="utf-8", errors="replace", check=False)
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Ended(one.name, code, bundle, done.stderr)
