"""`impact preregister`: a study as a pre-registration to go on writing in, as Markdown or docx."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["preregister"]


def preregister(
    study: Annotated[Path, typer.Argument(help="study.yaml")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write: .md or .docx; without it Markdown is printed.")
    ] = None,
    language: Annotated[str, typer.Option("--language", "--lang", help="nl or en.")] = "nl",
) -> int:
    """Write what a study, its lock, ledger and plan answer of a pre-registration, and what a person has to add."""
    from impact.errors import Problem, UsageError
    from impact.evidence.docx import as_docx
    from impact.evidence.markdown import as_markdown
    from impact.files import write
    from impact.study.preregister import preregistration
    from impact.study.read import read_study

    kind = ".md" if out is None else out.suffix.lower()
    if kind not in (".md", ".docx"):
        raise UsageError(Problem("USAGE-041", f"'{kind}' files are not written.", "Name a .md or .docx file."))
    text = preregistration(read_study(study), language)
    if out is None:
        typer.echo(as_markdown(text), nl=False)
        return 0
    content = as_docx(text) if kind == ".docx" else as_markdown(text).encode("utf-8")
    if out.exists() and not (out.is_file() and out.read_bytes() == content):
        hint = "Give another name with --out: somebody may have written in this one."
        raise UsageError(Problem("USAGE-042", "something else stands there already.", hint, str(out)))
    write(out, content)
    typer.echo(out)
    return 0
