"""Where a bundle comes: nothing is replaced but an earlier bundle of the same study."""

from __future__ import annotations

from pathlib import Path

from impact.errors import Problem, WriteError
from impact.files import read_json

__all__ = ["ARCHIVE", "MANIFEST", "check_place", "own_files"]

ARCHIVE, MANIFEST = "bundle.zip", "manifest.json"


def check_place(path: Path, study: str = "") -> None:
    """Refuse a folder that holds anything but an earlier bundle: the new bundle takes the place of all that is in it.

    Parameters
    ----------
    path : Path
        Where the new bundle is to come.
    study : str
        Of which study or collection it is: the bundle of another stays. Empty asks nothing.

    Raises
    ------
    WriteError
        ``WRITE-002``.
    """
    own = own_files(path)
    if Path.cwd().is_relative_to(path.resolve()):
        message = "this is the folder in which the command runs, or one above it"
    elif path.is_dir():
        files = (file for file in path.rglob("*") if not file.is_dir())
        foreign = next((name for file in files if (name := file.relative_to(path).as_posix()) not in own), "")
        message = f"the folder holds files that are not of a bundle, such as {foreign}" if foreign else ""
        other = str(read_json(path / MANIFEST).get("study", "")) if own and not foreign else ""
        if study and other not in ("", study):
            message = f"the folder holds the bundle of another study, {other[:80]!r}"
    else:
        message = "a file stands where the folder of the bundle should come" if path.exists() else ""
    if message:
        hint = "choose a new or empty folder with --out; nothing was changed"
        raise WriteError(Problem("WRITE-002", message, hint, file=str(path)))


def own_files(path: Path) -> set[str]:
    """Names of the files that the bundle in `path` says it wrote; none where there is no bundle."""
    try:
        outputs = read_json(path / MANIFEST)["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {MANIFEST, ARCHIVE, *outputs} if isinstance(outputs, dict) and "results.json" in outputs else set()
