"""Read a specification: all that is wrong with it at once, each with file, line, column and a caret.

Codes (stable):

========  ==========================================================
SPEC-001  the file cannot be read, or is too large
SPEC-002  the text is no YAML
SPEC-003  YAML that is not read here (anchors, tags, a key twice)
SPEC-004  an unknown key
SPEC-005  a key, a name or a value of a later version
SPEC-006  a key is missing
SPEC-007  a value of the wrong kind
SPEC-008  an unknown name of an estimator, inference, check or indicator
SPEC-009  a parameter that its method does not take
SPEC-010  values that contradict each other
SPEC-011  an alternative that cannot be
SPEC-012  a collection where a study is asked for, or the other way round
SPEC-020  a data path that leads out of the roots
SPEC-021  a data path without a file
========  ==========================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from impact.errors import Problem, SpecError, raise_all
from impact.study.alternatives import Variation, alternatives
from impact.study.model import Specification
from impact.study.roots import Roots
from impact.study.source import MAX_BYTES, Finding, Loc, Node, excerpt, parse
from impact.study.specified import Specified
from impact.study.validate import canonical, dotted, placed, validate

__all__ = ["Study", "expand", "locate", "problems_of", "read_study", "text_of"]

_MOST = 50


@dataclass(frozen=True, slots=True, eq=False)
class Study(Specified):
    """A specification that was read and holds together.

    Attributes
    ----------
    model : Specification
    path : Path
        Of the file.
    file : str
        Its name as the user wrote it, for messages.
    text : str
    tree : Node
        Its values with their places.
    variations : tuple of Variation
        The declared alternatives, each with its own whole specification.
    """

    model: Specification
    path: Path
    file: str
    text: str
    tree: Node
    variations: tuple[Variation, ...]

    @property
    def text_sha256(self) -> str:
        """Digest of the text, comments and all."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    @property
    def sha256(self) -> str:
        """Digest of the meaning: of the RFC 8785 JSON of the specification without what is standard."""
        return hashlib.sha256(canonical(self.model)).hexdigest()

    def summary(self, language: str = "nl") -> str:
        """What a run will do, in the sentences of ``impact explain``."""
        from impact.evidence.render import plain_text
        from impact.study.explain import explain, heading

        return f"{heading(self, language)}\n\n{plain_text(explain(self, language))}"

    def problem(self, loc: Loc, code: str, message: str, hint: str = "") -> Problem:
        """A problem that points at the value at `loc`, such as ``("data", "outcomes", "file")``."""
        place = placed(self.tree, loc, key=False)
        return _problem(Finding(code, message, hint, place, dotted(self.tree.at(loc)[1])), self.file, self.text)


def read_study(path: str | Path) -> Study:
    """Read ``study.yaml`` (or the folder that holds it).

    Raises
    ------
    SpecError
        With every problem at once.
    """
    file = str(path)
    path = Path(path)
    path = path / "study.yaml" if path.is_dir() else path
    text = text_of(path, file)
    tree, findings = parse(text)
    variations: tuple[Variation, ...] = ()
    model = None
    if tree is not None:
        model, wrong = validate(tree)
        findings += wrong
        variations, wrong = alternatives(tree, model)
        findings += wrong
    raise_all(problems_of(findings, file, text), SpecError)
    assert tree is not None and model is not None
    return Study(model, path, file, text, tree, variations)


def expand(study: Study) -> tuple[Variation, ...]:
    """The declared alternatives: name, why, same_estimand, and the specification (`model`) that each of them is."""
    return study.variations


def locate(
    study: Study, roots: Roots, model: Specification | None = None, *, opened: bool = False
) -> Mapping[str, Path]:
    """Where the files are: ``outcomes``, and those that are named of ``units``, ``crosswalk``, ``names``, ``polygons``,
    ``parts``, ``members`` and ``pools``; of the study itself, or of the `model` of an alternative.

    Only where outcomes may be `opened` also that which is ``sealed``, unless it has yet to arrive, and ``people``.

    Raises
    ------
    SpecError
        With every path that is refused or not found, pointing at its line.
    """
    found: dict[str, Path] = {}
    problems: list[Problem] = []
    model = model or study.model
    data, members = model.data, model.treatment.members
    named: list[tuple[str, Loc, str]] = [("outcomes", ("data", "outcomes", "file"), data.outcomes.file)]
    named += [("units", ("data", "units", "file"), data.units.file)] if data.units is not None else []
    walk = data.crosswalk
    named += [("crosswalk", ("data", "crosswalk", "file"), walk.file)] if walk is not None else []
    drawn = data.polygons
    named += [("names", ("data", "names", "file"), data.names.file)] if data.names is not None else []
    named += [("polygons", ("data", "polygons", "file"), drawn.file)] if drawn is not None else []
    parts = None if drawn is None else drawn.parts
    named += [("parts", ("data", "polygons", "parts", "file"), parts.file)] if parts is not None else []
    named += [("members", ("treatment", "members"), members)] if members is not None else []
    pools = model.comparison.pools
    named += [("pools", ("comparison", "pools"), pools)] if pools is not None else []
    for role, loc, file in named:
        try:
            found[role] = roots.find(file)
        except SpecError as error:
            problems += [study.problem(loc, one.code, one.message, one.hint) for one in error.problems]
    if opened and data.outcomes.sealed is not None:
        try:
            found["sealed"] = roots.find(data.outcomes.sealed.file)
        except SpecError as error:
            loc = ("data", "outcomes", "sealed", "file")
            arrives = data.outcomes.arrives is not None
            absent = (one for one in error.problems if not (arrives and one.code == "SPEC-021"))
            problems += [study.problem(loc, one.code, one.message, one.hint) for one in absent]
    people = None if model.composition is None else model.composition.people
    if opened and people is not None:
        try:
            found["people"] = roots.find(people.file)
        except SpecError as error:
            loc = ("composition", "people", "file")
            problems += [study.problem(loc, one.code, one.message, one.hint) for one in error.problems]
    raise_all(problems, SpecError)
    return found


def text_of(path: Path, file: str) -> str:
    """The text of a specification of moderate size, which messages call `file`.

    Raises
    ------
    SpecError
        ``SPEC-001``.
    """

    def refuse(message: str, hint: str = "") -> SpecError:
        return SpecError(Problem("SPEC-001", message, hint, file))

    try:
        if not path.is_file():
            raise refuse("There is no such file.", "A study is a folder with a study.yaml.")
        size = path.stat().st_size
        if size > MAX_BYTES:
            hint = "Data belong in a table of their own, named under `data`."
            raise refuse(f"The file has {size:,} bytes; a study has at most {MAX_BYTES:,}.", hint)
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise refuse(f"The file cannot be read: {error.strerror}.") from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse(f"The file is not UTF-8 text: see line {line}.", "Save it as UTF-8.") from error


def problems_of(findings: Iterable[Finding], file: str, text: str) -> list[Problem]:
    """Findings in the order of the text, each once, as problems of the file; the first of very many."""
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.place or (0, 0))
    problems = [_problem(finding, file, text) for finding in ordered[:_MOST]]
    if len(ordered) > _MOST:
        problems.append(Problem("SPEC-001", f"{len(ordered) - _MOST} more problems are not shown.", file=file))
    return problems


def _problem(finding: Finding, file: str, text: str) -> Problem:
    line, column = finding.place or (None, None)
    shown = excerpt(text, finding.place)
    return Problem(finding.code, finding.message, finding.hint, file, line, column, finding.path, shown)
