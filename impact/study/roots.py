"""Where a study may read: its own folder, the project, and the folder given with --data; nothing outside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from impact.errors import Problem, SpecError

__all__ = ["Roots"]


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders against which a data path resolves, in this order.

    Attributes
    ----------
    study : Path
        Folder of ``study.yaml``.
    project : Path or None
        The nearest folder above it that holds ``studies/``.
    data : tuple of Path
        Folders given with ``--data``.
    """

    study: Path
    project: Path | None = None
    data: tuple[Path, ...] = ()

    @classmethod
    def of(cls, specification: Path, data: Sequence[Path] = ()) -> Roots:
        """The roots of the study in the file `specification`."""
        folder = specification.resolve().parent
        project = next((above for above in folder.parents if (above / "studies").is_dir()), None)
        return cls(folder, project, tuple(data))

    def find(self, relative: str) -> Path:
        """The file that `relative` names, in the first root that has it, with all links followed.

        Raises
        ------
        SpecError
            ``SPEC-020`` a path that is absolute, climbs with ``..`` or leads out of the roots by a link;
            ``SPEC-021`` no such file, with where it was looked for.
        """
        why = _unfit(relative)
        if why:
            hint = "Write it relative to the study's folder, the project or the folder of --data, with forward slashes."
            raise SpecError(Problem("SPEC-020", f"The path '{relative}' {why}.", hint))
        roots = tuple(root.resolve() for root in (self.study, *filter(None, [self.project]), *self.data))
        for root in roots:
            try:
                found = (root / relative).resolve()
                there = found.is_file()
            except (OSError, RuntimeError, ValueError) as error:
                raise SpecError(Problem("SPEC-020", f"The path '{relative}' cannot be followed: {error}.")) from error
            if not there:
                continue
            if not any(found.is_relative_to(allowed) for allowed in roots):
                hint = "Put the file itself there, or give its folder with --data."
                message = f"The path '{relative}' is a link that leads out of the study, the project and --data."
                raise SpecError(Problem("SPEC-020", message, hint))
            return found
        looked = ", ".join(self._spoken())
        hint = (
            "Check the spelling, or give the folder that holds it with --data."
            if self.data
            else "Give the folder that holds it with --data."
        )
        raise SpecError(Problem("SPEC-021", f"There is no file '{relative}'; looked in {looked}.", hint))

    def _spoken(self) -> list[str]:
        names = [f"the study's folder ({self.study})"]
        names += [f"the project ({self.project})"] if self.project else []
        return [*names, *(f"--data ({folder})" for folder in self.data)]


def _unfit(relative: str) -> str:
    """Why a path is refused whatever stands on disk; the same on every system."""
    if not relative.strip() or "\0" in relative:
        return "names no file"
    if relative.startswith("/") or PureWindowsPath(relative).anchor:
        return "is absolute"
    if "\\" in relative:
        return "has a backslash"
    return "climbs out with '..'" if ".." in relative.split("/") else ""
