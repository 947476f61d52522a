"""Two made studies on the same wijken, a collection of them, and one study that has both of their outcomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from impact.evidence.collection_page import collection_document
from impact.evidence.document import Table
from impact.evidence.reading import plain
from impact.evidence.record import Evidence
from impact.study.bundle import Bundle
from tests.study.conftest import impact
from tests.study.small import SPEC, made

COLLECTION = """\
schema: 1
id: samen
title: {nl: Samen, en: Together}
studies: [criminaliteit, uitkering]
families: {alles: [criminaliteit, risicoscores, uitkering]}
correction: {method: romano-wolf, level: 0.05}
table: {order: studies}
seed: 7
"""
SLUGS = ("criminaliteit", "uitkering")
BETTER = {"criminaliteit": "lower", "uitkering": "lower"}


def outcome(slug: str) -> str:
    return f"""  indicator: {slug}
  where: {{soort: {slug}}}
  measure: {{rate: numerator/denominator, per: 100, unit: procentpunt}}
  better: {BETTER[slug]}
  smallest_difference_that_matters: {{value: 0.5, why: een voorbeeld}}
"""


def study(slug: str, listed: str, *changes: tuple[str, str]) -> str:
    text = SPEC.replace("AREAS", listed).replace("id: niveau", f"id: {slug}")
    start, end = text.index("outcome:\n"), text.index("target:")
    text = text[:start] + "outcome:\n" + outcome(slug) + text[end:]
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def both(listed: str) -> str:
    """One study with both outcomes, judged together."""
    text = study("criminaliteit", listed, ("id: criminaliteit", "id: in-een"))
    start, end = text.index("outcome:\n"), text.index("target:")
    items = "".join("  - " + outcome(slug).strip().replace("\n  ", "\n    ") + "\n" for slug in BETTER)
    families = "families: {alles: [criminaliteit, uitkering]}\ncorrection: {method: romano-wolf, level: 0.05}\n"
    return text[:start] + "outcomes:\n" + items + families + text[end:]


def written(root: Path, collection: str = COLLECTION) -> Path:
    """The files; the second outcome moves with the first, and one gemeente has none of it."""
    small = made(root)
    rng = np.random.default_rng(5)
    first = small.outcomes.assign(soort="criminaliteit")
    noise = (small.outcomes["noemer"] * rng.normal(0, 0.008, len(first))).round().astype(int)
    second = small.outcomes.assign(soort="uitkering", teller=(small.outcomes["teller"] + noise).clip(lower=5))
    second = second[~second["wijk"].str.startswith("WK9111")]
    root.mkdir(parents=True, exist_ok=True)
    pd.concat([first, second]).to_csv(root / "uitkomst.csv", sep=";", index=False)
    small.units.to_csv(root / "wijken.csv", sep=";", decimal=",", index=False)
    for slug in SLUGS:
        belongs = "belongs_to: ../samen.yaml\n" if slug == "uitkering" else ""
        write(root / slug / "study.yaml", study(slug, small.listed) + belongs)
    write(root / "in-een" / "study.yaml", both(small.listed))
    write(root / "studies" / "README.md", "")  # the project, where the data stand
    return write(root / "samen.yaml", collection)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fixed_beforehand(root: Path) -> Path:
    """The files, with a lock of every study and of the collection."""
    path = written(root)
    for slug in SLUGS:
        assert impact("lock", root / slug, "--data", root).code == 0
    assert impact("lock", path).code == 0
    return path


def of(bundle: Bundle, slug: str) -> Evidence:
    """The record of one outcome."""
    return next(one for one in bundle.outcomes if one.indicator == slug)


def cells(bundle: Bundle) -> dict[str, list[str]]:
    """The cells of the table, by the indicator of the row."""
    assert bundle.collected is not None
    (table,) = collection_document(bundle.outcomes, bundle.collected).result.blocks
    assert isinstance(table, Table)
    rows = zip(bundle.collected.rows, table.rows, strict=True)
    return {row.indicator: [plain(cell) for cell in line] for row, line in rows}
