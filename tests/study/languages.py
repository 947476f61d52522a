"""Reads the pages of a bundle as a reader of one language does: which words are of the other, and which numbers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import html5lib

# Words that the other language does not have, or that a report never uses in it.
NL = """
aan als beter bij deze dit een eenheden eigen en gebieden geen gemiddelde heeft het hoe inwoners jaren kunnen maar meer
naar niet nog omdat ook onder periodes procentpunt schatting staan staat toetsen tussen uit uitkomst van verandering
vergelijking verschil voor vooraf waarin wat wordt worden zijn zonder zoals zodat
"""
EN = """
after and areas are be before between by comparison could difference estimate for from has have its many more not
outcome percentage points residents than that the their these this to which with without
"""
ONLY = {"nl": frozenset(NL.split()), "en": frozenset(EN.split())}
# What stands in a page as it does in the data: names of files and columns, of software, and places in the bundle.
_NAMES = re.compile(
    r"\S+\.(?:csv|parquet|xlsx|geojson|zip|html|json)\S*|\b\d{1,2}(?:\.\d{1,2}){2,}\b|\w+_\w+"
    r"|difference-in-differences|Van Yperen"
)
_SIGN = re.compile(r"(?<=\d)[.,](?=\d)")
_SECTION = re.compile(r"(?:par\.|section) 6\.2")


def said(page: Path, names: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Language and text of every text node that is read, in drawings too.

    An alternative text of a drawing takes no marks: there `names`, which stand as they are, are left out.
    """

    def inside(node: Any, language: str) -> Iterator[tuple[str, str]]:
        language, tag = node.get("lang", language), node.tag.rpartition("}")[2]
        if tag in ("style", "code"):
            return
        if tag == "desc":
            for name in names:
                node.text = (node.text or "").replace(name, "")
        yield language, node.text or ""
        for child in node:
            if isinstance(child.tag, str):
                yield from inside(child, language)
            yield language, child.tail or ""

    root = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    yield from ((language, " ".join(text.split())) for language, text in inside(root, "") if text.strip())


def foreign(page: Path, language: str, columns: frozenset[str], names: Sequence[str]) -> dict[str, set[str]]:
    """Texts that are not marked and hold words of the other language, with these words; `columns` are no words."""
    wrong = ONLY["nl" if language == "en" else "en"]
    found = {}
    for given, text in said(page, names):
        words = set(re.findall(r"[^\W\d_]+", _NAMES.sub(" ", text).casefold())) - columns
        if given == language and words & wrong:
            found[text] = words & wrong
    return found


def figures(page: Path, language: str) -> Counter[str]:
    """Every number of a page, as one would write it in English."""
    found: Counter[str] = Counter()
    for _, text in said(page):
        found += numbers_in(_SECTION.sub("", _NAMES.sub(" ", text)), language)
    return found


def outcomes(bundle: Path) -> list[dict[str, Any]]:
    return list(json.loads((bundle / "results.json").read_text(encoding="utf-8"))["outcomes"])


def leaf(value: Any, path: str) -> Any:
    """What stands at a JSON pointer."""
    for step in path.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def numbers_in(text: str, language: str) -> Counter[str]:
    """The numbers of a text, as one would write them in English without thousands set apart."""
    if language == "nl":
        text = _SIGN.sub(lambda sign: {",": ".", ".": ","}[sign[0]], text)
    return Counter(number.replace(",", "") for number in re.findall(r"\d(?:[\d,.]*\d)?", text))


def check_both(bundle: Path, columns: frozenset[str] = frozenset({"inwoners"})) -> None:
    """A bundle has every page in both languages: nothing of the other is unmarked, and the numbers are the same."""
    pages = sorted(file.name for file in bundle.glob("report*.html"))
    dutch = [name for name in pages if not name.endswith(".en.html")]
    assert pages == sorted([*dutch, *(name.replace(".html", ".en.html") for name in dutch)])
    names = [name for found in outcomes(bundle) for name in found["untranslated"]]
    for name in dutch:
        one, other = bundle / name, bundle / name.replace(".html", ".en.html")
        assert foreign(one, "nl", columns, names) == {} and foreign(other, "en", columns, names) == {}
        ours, theirs = figures(one, "nl"), figures(other, "en")
        assert ours == theirs, f"{name}: {ours - theirs} in Dutch alone, {theirs - ours} in English alone"
    for found in outcomes(bundle):
        assert found["translations"]["en"], "there are sentences in English"
        for path, text in found["translations"]["en"].items():
            was = leaf(found, path)
            assert isinstance(was, str) and was != text
            assert numbers_in(was, "nl") == numbers_in(text, "en"), path
