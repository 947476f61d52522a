"""The pages of a site that lists bundles: all of them with a search box, by indicator, and by area; without a date."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from impact.evidence.addresses import primary_address
from impact.evidence.citation import cited
from impact.evidence.conclusion import headline
from impact.evidence.document import Cell
from impact.evidence.language import Texts, number, texts
from impact.evidence.look_words import looked
from impact.evidence.marking import parted
from impact.evidence.reading import in_language, plain
from impact.evidence.record import Evidence
from impact.evidence.render import environment
from impact.evidence.translation import dutch_in, in_words, page_in
from impact.register.areas import areas
from impact.register.indicators import indicators

__all__ = ["PAGES", "Listed", "Said", "Unfit", "folded", "site_pages"]

Said = Mapping[str, tuple[Cell, ...]]
"""Sentences by language, each whole or marked as another."""

PAGES: Final = {"all": "index.html", "indicators": "indicatoren.html", "areas": "gebieden.html"}
"""The Dutch page of each kind; those in English end in ``.en.html``."""

_TEMPLATES = files("impact.evidence") / "templates"


@dataclass(frozen=True, slots=True)
class Listed:
    """A bundle that holds together.

    Attributes
    ----------
    name : str
        Of its folder in the site, and its place on the page.
    outcomes : tuple of Evidence
        The headline first.
    reports : tuple of str
        The Dutch page of each outcome, from the root of the site.
    archive, sha256 : str
        Its zip, from the root of the site, and the digest of that.
    checked : mapping of language to sentences
        What was found when it was verified.
    withdrawn : sequence of mapping of language to sentences
        Of each outcome: that it was withdrawn, when and why.
    areas : sequence of mapping
        Of each outcome: the Dutch page of an area by its short name.
    addresses : tuple of str
        Of the answer of each outcome.
    title, front : mapping of language to text
        Of a collection: what it is called, and its own page. Where they are empty, those of the first outcome count.
    """

    name: str
    outcomes: tuple[Evidence, ...]
    reports: tuple[str, ...]
    archive: str
    sha256: str
    checked: Said
    withdrawn: Sequence[Said] = ()
    areas: Sequence[Mapping[str, str]] = ()
    addresses: tuple[str, ...] = ()
    title: Mapping[str, str] = field(default_factory=dict)
    front: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A bundle that cannot be read, or that differs from how it was made: where it stands, and why."""

    place: str
    why: Said


def site_pages(listed: Sequence[Listed], unfit: Sequence[Unfit], language: str) -> dict[str, str]:
    """Three HTML pages by file name; without script they lose the search box, and nothing else.

    Nothing of a bundle that is not fit is shown but its place and the reason. Only a statement stands with its numbers,
    and whole; of any other result it is said that it is none.
    """
    say, other = texts(language), "en" if language == "nl" else "nl"
    bundles = [_bundle(one, say) for one in listed]
    script = (_TEMPLATES / "site.js").read_text(encoding="utf-8")
    style = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "site.css"))
    common: dict[str, Any] = {
        "say": say,
        "other": texts(other),
        "style": style,
        "script": script,
        "policy": _policy(style, script),
        "bundles": bundles,
        "unfit": [(one.place, one.why[language]) for one in unfit],
        "count": number(len(bundles), language, 0),
        "pages": {kind: page_in(file, language) for kind, file in PAGES.items()},
    }
    groups = {"all": (), "indicators": _by_indicator(bundles, say), "areas": _by_area(bundles, say)}
    template = environment().get_template("site.html")
    return {
        page_in(file, language): template.render(
            kind=kind, groups=groups[kind], translation=page_in(file, other), **common
        )
        for kind, file in PAGES.items()
    }


def folded(text: str) -> str:
    """A text as it is searched: small letters without their marks, as the script of the page does it too."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign)).lower()


# --- one bundle -------------------------------------------------------------------------------------------------------


def _bundle(listed: Listed, say: Texts) -> dict[str, Any]:
    first = in_words(listed.outcomes[0], say.language)
    withdrawn = listed.withdrawn or [{}] * len(listed.outcomes)
    own = listed.areas or [{}] * len(listed.outcomes)
    addresses = listed.addresses or tuple(str(primary_address(one)) for one in listed.outcomes)
    outcomes = [
        _outcome(evidence, report, gone.get(say.language, ()), of_areas, say) | {"address": address}
        for evidence, report, gone, of_areas, address in zip(
            listed.outcomes, listed.reports, withdrawn, own, addresses, strict=True
        )
    ]
    areas = {key: name for one in outcomes for key, name, *_ in one["areas"]}
    return {
        "name": listed.name,
        "title": in_language(dict(listed.title) or first.title, say.language),
        "question": "" if listed.title else in_language(first.question, say.language),
        "placebo": first.placebo,
        "report": listed.front.get(say.language) or listed.front.get("nl") or page_in(listed.reports[0], say.language),
        "archive": listed.archive,
        "sha256": listed.sha256,
        "checked": listed.checked[say.language],
        "outcomes": outcomes,
        "areas": sorted(areas.items(), key=lambda pair: (folded(pair[1]), pair[0])),
        "find": " ".join(dict.fromkeys(folded(" ".join(_findable(listed.outcomes))).split())),
    }


def _outcome(
    evidence: Evidence, report: str, withdrawn: tuple[Cell, ...], own: Mapping[str, str], say: Texts
) -> dict[str, Any]:
    say = texts(say.language, evidence.level)
    shown = in_words(evidence, say.language)
    dutch = dutch_in(evidence, say.language)
    stated = headline(shown, say)
    areas, total = (number(count, say.language, 0) for count in (shown.compared_areas, shown.areas_total))
    return {
        "key": _key(evidence.indicator),
        "slug": evidence.indicator,
        "name": in_language(shown.outcome, say.language),
        "status": say(f"status.{shown.status}", areas=areas, total=total) + looked(shown.look, say),
        "title": say("citation.statement", title=stated[0]) if stated else cited(shown, None, say.language).title,
        "sentence": parted(stated[1], dutch) if stated else (),
        "withdrawn": withdrawn,
        "report": page_in(report, say.language),
        "areas": [
            (
                _key(area.slug),
                area.name,
                parted(area.left_out, dutch),
                page_in(own[area.slug], say.language) if area.slug in own else "",
            )
            for area in shown.areas
        ],
    }


def _findable(outcomes: Iterable[Evidence]) -> Iterator[str]:
    """What a reader may look for: indicators and areas by any of their names, and the title."""
    known = {one.slug: one for one in indicators()}
    for evidence in outcomes:
        yield from (*evidence.title.values(), *evidence.outcome.values(), evidence.indicator)
        if evidence.indicator in known:
            yield from (known[evidence.indicator].nl, known[evidence.indicator].en)
        for area in evidence.areas:
            yield from (area.name, area.slug, area.cluster)


def _key(slug: str) -> str:
    """A name in an address within a page: letters, digits and hyphens only."""
    return re.sub(r"[^a-z0-9]+", "-", folded(slug)).strip("-") or "-"


# --- many bundles -----------------------------------------------------------------------------------------------------


def _by_indicator(bundles: Sequence[Mapping[str, Any]], say: Texts) -> list[dict[str, Any]]:
    """The indicators of the programme in its order, then others by name; each with the outcomes about it."""
    names: dict[str, Cell] = {one.slug: one.nl if say.language == "nl" else one.en for one in indicators()}
    found: dict[str, list[Any]] = {}
    for bundle in bundles:
        for outcome in bundle["outcomes"]:
            names.setdefault(outcome["slug"], outcome["name"])
            found.setdefault(outcome["slug"], []).append((bundle, outcome, (), ""))
    order = [one.slug for one in indicators()]
    order += sorted(found.keys() - set(order), key=lambda slug: (folded(plain(names[slug])), slug))
    return [_group("indicator", slug, names[slug], found[slug]) for slug in order if slug in found]


def _by_area(bundles: Sequence[Mapping[str, Any]], say: Texts) -> list[dict[str, Any]]:
    """Every area by its name, each with the outcomes it counts in, and those that leave it out with the reason."""
    names = {_key(one.slug): one.name for one in areas()}
    found: dict[str, list[Any]] = {}
    for bundle in bundles:
        for outcome in bundle["outcomes"]:
            for key, name, left_out, own in outcome["areas"]:
                names.setdefault(key, name)
                found.setdefault(key, []).append((bundle, outcome, left_out, own))
    order = sorted(found, key=lambda key: (folded(names[key]), key))
    return [_group("area", key, names[key], found[key]) for key in order]


def _group(kind: str, slug: str, name: Cell, found: Sequence[Any]) -> dict[str, Any]:
    return {"id": f"{kind}-{_key(slug)}", "name": name, "found": found}


def _policy(style: str, script: str) -> str:
    """What the page may load and run: its own style and its own script, and nothing else."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
