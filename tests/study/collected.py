"""Two made studies on the same wijken, a collection of them, and one study that has both of their outcomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

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
    for slug in BETTER:
        write(root / slug / "study.yaml", study(slug, small.listed))
    write(root / "in-een" / "study.yaml", both(small.listed))
    write(root / "studies" / "README.md", "")  # the project, where the data stand
    return write(root / "samen.yaml", collection)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
