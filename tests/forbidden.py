"""Words that claim more than a comparison can show, and every text that a reader can find in a bundle."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

__all__ = ["FORBIDDEN", "claims", "texts_of", "texts_of_bundle"]

FORBIDDEN = re.compile(
    r"\b((in|on)?effecti(ef|e?v)(?!e-controls|e_)\w*|werk(t|te|ten)|gewerkt|dankzij|(on)?bewezen\w*|works|worked"
    r"|thanks to|(un)?proven|proved)\b",
    re.IGNORECASE,
)
"""The words of the design (effectief, werkt, dankzij, bewezen, effective, works, thanks to, proven) and what is made of
them: effectieve, effectiviteit, effectiveness, werkte, gewerkt, onbewezen, unproven. Not: werken and work, which people
do and the programme is about; werking; effect; bewijst and proves, with which a report says what something does not;
and effective-controls, the name of a check in a specification."""

_TEXT = {".html", ".svg", ".csv", ".md", ".cff", ".yaml", ".jsonl", ".lock", ".tex", ".txt", ".css"}
_IGNORED = {".png"}  # its text is the alternative text in the page


def claims(text: str) -> list[str]:
    """What stands around every forbidden word."""
    return [" ".join(text[max(0, m.start() - 40) : m.end() + 20].split()) for m in FORBIDDEN.finditer(text)]


def texts_of(name: str, content: bytes) -> Iterator[str]:
    """Every text in a file, as a reader finds it; of JSON the values, as names of fields are names of code."""
    suffix = Path(name).suffix
    if suffix == ".json":
        yield from _values(json.loads(content))
    elif suffix == ".xlsx":
        book = openpyxl.load_workbook(io.BytesIO(content))
        for sheet in book:
            yield sheet.title
            yield from (str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)
    elif suffix == ".docx":
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            # A word may be cut in two where its look changes, so nothing stands in the place of a tag within it.
            for part in (part for part in parts.namelist() if part.endswith(".xml")):
                yield re.sub(r"<[^>]+>", "", re.sub(r"</w:p>", "\n", parts.read(part).decode("utf-8")))
                yield from re.findall(r'(?:descr|title)="([^"]*)"', parts.read(part).decode("utf-8"))
    elif suffix == ".parquet":
        yield pd.read_parquet(io.BytesIO(content)).to_csv()
    elif suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            for part in parts.namelist():
                yield from texts_of(part, parts.read(part))
    elif suffix in _TEXT:
        yield content.decode("utf-8")
    elif suffix not in _IGNORED:
        raise AssertionError(f"{name}: no text of such a file can be read here")


def _values(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value)
    elif isinstance(node, str):
        yield node


def texts_of_bundle(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, text) of every file in a bundle, and of what its zip holds."""
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        yield from ((file.relative_to(folder).as_posix(), text) for text in texts_of(file.name, file.read_bytes()))
