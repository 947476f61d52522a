"""References in BibTeX, CSL-JSON and APA, whatever stands in a title."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from impact.evidence.references import Reference, apa, bibtex, csl_json

PLAIN = Reference(
    "a@0a0b0c0d.1#b.event.-1",
    "Titel",
    "Makers",
    "vooraf, slot",
    "Gegevensset",
    (2026, 11, 26),
    "z.j.",
    "sha256 (bundle.zip): ab",
    "Zin.",
    "nl",
)
NASTY = r"""{\input{/etc/passwd}} 50% & $x_1^2$ #3 ~ "quote" }, year = {1066}, % \write18{rm} @comment{ é"""


def read_bibtex(text: str) -> dict[str, str]:
    """Fields of an entry, as BibTeX takes braces: it counts them, and a backslash before one makes no difference."""
    found = re.match(r"@misc\{([^\s,{}#%~\\\"'()=]+),\n", text)
    assert found, text
    fields, rest = {"": found[1]}, text[found.end() :]
    while not rest.startswith("}"):
        name, _, rest = rest.strip().partition(" = {")
        depth, place = 1, 0
        while depth:
            depth += {"{": 1, "}": -1}.get(rest[place], 0)
            place += 1
        assert name not in fields
        fields[name], rest = rest[: place - 1], rest[place:].removeprefix(",").lstrip("\n")
    assert rest == "}"
    return fields


def read_latex(text: str) -> str:
    """The text that LaTeX prints; an assertion where a sign with a meaning is left."""
    named = {"textbackslash": "\\", "textbraceleft": "{", "textbraceright": "}"}
    named |= {"textasciitilde": "~", "textasciicircum": "^"}
    out, place = [], 0
    while place < len(text):
        command = re.compile(r"\\([a-z]+)\{\}|\\([$&#%_])").match(text, place)
        if command:
            out.append(named[command[1]] if command[1] else command[2])
            place = command.end()
        else:
            assert text[place] not in "\\{}$&#%_~^", text[place:]
            out.append(text[place])
            place += 1
    return "".join(out)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))) | st.just(NASTY)


@given(TEXT, TEXT)
def test_no_text_ends_a_field_of_bibtex_or_runs(title: str, statement: str) -> None:
    made = replace(PLAIN, title=title, authors=f"Makers {title}", statement=statement)
    found = read_bibtex(bibtex(made))
    assert set(found) == {"", "author", "title", "howpublished", "note", "abstract", "year"}
    assert read_latex(found["title"].removeprefix("{").removesuffix("}")) == " ".join(title.split())
    assert read_latex(found["abstract"]) == " ".join(statement.split())
    assert found["year"] == "2026"
    item = json.loads(csl_json(made))[0]
    assert (item["title"], item["abstract"]) == (" ".join(title.split()), " ".join(statement.split()))
    assert "\n" not in apa(made)


def test_keys_of_bibtex_differ_where_addresses_do() -> None:
    other = replace(PLAIN, address="a@0a0b0c0d.1#b.event.1")
    assert read_bibtex(bibtex(PLAIN))[""] != read_bibtex(bibtex(other))[""]


def test_csl_json_has_the_kinds_of_its_schema() -> None:
    """As in csl-data.json 1.0.2: names with `literal`, whole numbers in date-parts, texts otherwise."""
    item = json.loads(csl_json(replace(PLAIN, withdrawn=True)))[0]
    assert item.pop("author") == [{"literal": "Makers"}]
    assert item.pop("issued") == {"date-parts": [[2026, 11, 26]]}
    assert item.pop("type") == "dataset" and item.pop("status") == "withdrawn"
    assert set(item) == {"id", "title", "version", "number", "note", "abstract", "language"}
    assert all(isinstance(value, str) for value in item.values())
    assert "issued" not in json.loads(csl_json(replace(PLAIN, date=())))[0]
    assert "status" not in json.loads(csl_json(PLAIN))[0]


def test_apa_has_author_year_title_version_kind_and_where() -> None:
    line = "Makers. (2026). Titel (vooraf, slot) [Gegevensset]. a@0a0b0c0d.1#b.event.-1. sha256 (bundle.zip): ab"
    assert apa(PLAIN) == line
    assert "(z.j.)" in apa(replace(PLAIN, date=()))


def test_nothing_hidden_is_in_a_reference() -> None:
    made = replace(PLAIN, title="Titel\u202egnilpmoc\x1b[31m")
    for form in (apa, bibtex, csl_json):
        assert not re.search("[\u202e\x1b]", form(made))
