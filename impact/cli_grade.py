"""`impact grade`: the proposed level of a bundle's evidence, and the form for a person to judge it with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["grade"]


def grade(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, or bundle.zip.")],
    language: Annotated[str, typer.Option("--language", "--lang", help="nl or en.")] = "nl",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="study.grade.yaml to fill in, or the folder of the study; a file there is kept."),
    ] = None,
) -> int:
    """Print what is proposed and what a person has to judge; with --out also write the file to sign in."""
    from impact.errors import Problem, UsageError
    from impact.evidence.document import Chapter, Manuscript, Section
    from impact.evidence.grade_form import SIGNATURES, grade_form
    from impact.evidence.language import texts
    from impact.evidence.reading import in_language, plain, visible
    from impact.evidence.render import as_text
    from impact.evidence.translation import in_words
    from impact.files import write
    from impact.study.bundle import read_bundle
    from impact.study.citing import opened
    from impact.study.signatures import blank

    outcomes = opened(bundle)[1] if bundle.is_file() else read_bundle(bundle).outcomes
    sections = []
    for evidence in outcomes:
        say = texts(language, evidence.level)
        blocks = tuple(grade_form(visible(in_words(evidence, language)), say))
        sections.append(Section(evidence.indicator, plain(in_language(evidence.outcome, language)), blocks))
    say = texts(language, outcomes[0].level)
    title = in_language(outcomes[0].title, language)
    typer.echo(as_text(Manuscript(language, title, (), (Chapter(say("grade_form.title"), tuple(sections)),))))
    if out is None:
        return 0
    studies = list(dict.fromkeys(evidence.study for evidence in outcomes))
    if len(studies) > 1:
        message = "a person signs for one study, and this bundle has several"
        hint = f"Give the bundle of one: {bundle / studies[0]}, …"
        raise UsageError(Problem("GRADE-004", message, hint, str(bundle)))
    file = out / SIGNATURES if out.is_dir() else out
    if file.exists():
        hint = "Give another name with --out: somebody may have signed in this one."
        raise UsageError(Problem("USAGE-042", "something else stands there already.", hint, str(file)))
    write(file, blank(outcomes, say))
    typer.echo(file, err=True)
    return 0
