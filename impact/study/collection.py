"""Read a collection: its file and all its studies, with everything that is wrong with any of them at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from impact.errors import Problem, SpecError, raise_all
from impact.study.collecting import Collecting
from impact.study.collection_rules import faults_of_collection
from impact.study.read import Study, problems_of, read_study, text_of
from impact.study.roots import Roots
from impact.study.source import Finding, Node, parse
from impact.study.specified import Specified
from impact.study.validate import canonical, conforming, placed_faults

__all__ = ["Collection", "file_in", "is_collection", "read_any", "read_collection"]


@dataclass(frozen=True, slots=True, eq=False)
class Collection(Specified):
    """A collection that was read and holds together, with its studies.

    Attributes
    ----------
    model : Collecting
    path : Path
        Of the file.
    file : str
        Its name as the user wrote it, for messages.
    text : str
    studies : tuple of Study
        In the order of the file; each is a folder beside it.
    """

    model: Collecting
    path: Path
    file: str
    text: str
    studies: tuple[Study, ...]

    @property
    def sha256(self) -> str:
        """Digest of the meaning: of the RFC 8785 JSON of what the file says, without what is standard."""
        return hashlib.sha256(canonical(self.model)).hexdigest()

    def summary(self, language: str = "nl") -> str:
        """What a run will do, in the sentences of ``impact explain``."""
        from impact.evidence.render import plain_text
        from impact.study.collection_check import collection_explained, collection_heading

        return f"{collection_heading(self, language)}\n\n{plain_text(collection_explained(self, language))}"


def read_collection(path: str | Path) -> Collection:
    """Read a collection and all its studies; of a folder the file in it that has the name of the folder.

    Raises
    ------
    SpecError
        With every problem of the file and of every study at once.
    """
    file, path = str(path), Path(path)
    if path.is_dir():
        path = path / f"{path.resolve().name}.yaml"
        file = str(path)
    text = text_of(path, file)
    tree, findings = parse(text)
    if tree is not None and not _collects(tree):
        hint = "Read it with `read_study`, or name its studies: `studies: [one, other]`."
        found = Finding("SPEC-012", "This is no collection: it has no list of `studies`.", hint, tree.place)
        raise SpecError(problems_of([*findings, found], file, text))
    model, problems, studies = None, [], dict[str, Study]()
    if tree is not None:
        model, wrong = conforming(tree, Collecting)
        findings += wrong
        for number, slug in enumerate(model.studies if model is not None else _named(tree)):
            try:
                studies.setdefault(slug, _study(path, Path(file), slug))
            except SpecError as error:
                place = tree.content["studies"].content[number].place
                findings += [
                    Finding(one.code, one.message, one.hint, place, f"studies[{number}]")
                    for one in error.problems
                    if not one.file
                ]
                problems += [one for one in error.problems if one.file]
    if tree is not None and model is not None:
        known = {slug: study.model for slug, study in studies.items()}
        findings += placed_faults(tree, faults_of_collection(model, known))
    raise_all([*problems_of(findings, file, text), *dict.fromkeys(problems)], SpecError)
    assert model is not None
    return Collection(model, path, file, text, tuple(studies[slug] for slug in model.studies))


def read_any(path: str | Path) -> Study | Collection:
    """The collection in a file that lists `studies`, or in a folder with a file of its name; or else the study.

    Raises
    ------
    SpecError
        As `read_study` and `read_collection` do.
    """
    if Path(path).is_dir():
        return read_collection(path) if is_collection(Path(path)) else read_study(path)
    tree, _ = parse(text_of(Path(path), str(path)))
    return read_collection(path) if tree is not None and _collects(tree) else read_study(path)


def is_collection(folder: Path) -> bool:
    """Whether a folder holds a collection under its own name, and no study."""
    return not (folder / "study.yaml").exists() and (folder / f"{folder.resolve().name}.yaml").is_file()


def file_in(studies: Path, name: str) -> Path | None:
    """The file of the collection of that name in a folder of studies, or in a folder of its own there; None if none."""
    places = (studies / name / f"{name}.yaml", studies / f"{name}.yaml")
    return next((file for file in places if file.is_file()), None)


def _collects(tree: Node) -> bool:
    return isinstance(tree.content, dict) and "studies" in tree.content


def _named(tree: Node) -> list[str]:
    """Studies that can be looked for although the file is wrong elsewhere: plain names without a path."""
    listed = tree.content["studies"].content
    names = [node.content for node in listed] if isinstance(listed, list) else []
    return (
        names if all(isinstance(name, str) and name and "/" not in name and "." not in name for name in names) else []
    )


def _study(path: Path, written: Path, slug: str) -> Study:
    """The study in the folder `slug` beside the file; a link that leads elsewhere is not followed."""
    try:
        Roots(path.resolve().parent).find(f"{slug}/study.yaml")
    except SpecError as error:
        if error.problems[0].code != "SPEC-021":
            raise
        message = f"There is no study '{slug}': there is no {slug}/study.yaml beside this file."
        raise SpecError(Problem("SPEC-021", message, "Check the spelling, or begin it with `impact new`.")) from error
    return read_study(written.parent / slug / "study.yaml")
