"""What shows itself in a notebook: every public kind has words, a table and figures, and HTML that says the same."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import matplotlib.axes
import numpy as np
import pandas as pd
import pytest

import impact
from impact.displayed import as_html
from impact.errors import Refused, UsageError
from impact.study.plan_record import Amount, Plan, Planned, Tried
from impact.study.verification import Said
from tests.shared import ROOT

HOSTILE = "<script>alert(1)</script>\"'&\u202e"
# No results: an error, a bar of progress, a question, and a drawing, which is HTML already.
NOT_SHOWN = {"Bar", "Target", "Picture", *(n for n in impact.__all__ if n.endswith("Error"))}
NO_CLASS = {"DataFrame", "None"}


def table(units: int = 24, areas: int = 6) -> pd.DataFrame:
    """Invented, without gaps; every name could be markup."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "unit": f"{HOSTILE}{unit}",
            "time": time,
            "y": 10 + unit + time + rng.normal() - 2 * (unit < areas and time >= 5),
            "start": 5 if unit < areas else np.nan,
            "cluster": f"{HOSTILE}g{unit // 2 if unit >= areas else unit}",
            "area": f"{HOSTILE}a{unit}" if unit < areas else "",
            "x": rng.normal(),
        }
        for unit in range(units)
        for time in range(8)
    ]
    return pd.DataFrame(rows)


@cache
def panel() -> impact.Panel:
    columns = {"unit": "unit", "time": "time", "outcome": "y", "first_treated": "start"}
    return impact.Panel.from_frame(table(), **columns, cluster="cluster", area="area", outcome_unit=HOSTILE)


def sample() -> impact.Sample:
    return impact.Sample.from_frame(
        table(), time="time", outcome="y", first_treated="start", cluster="cluster", area="area"
    )


def characteristics() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    names = [f"{HOSTILE}{number}" for number in range(40)]
    return pd.DataFrame({"focus": [number < 8 for number in range(40)], HOSTILE: rng.normal(size=40)}, index=names)


def matched(**options: Any) -> Any:
    return impact.match(characteristics(), treated="focus", on=[HOSTILE], **options)


def plan() -> Plan:
    tried = Tried(inference=HOSTILE, power=Amount(value=0.812345678), detectable=Amount(value=0.4, error=0.1), worlds=9)
    outcome = Planned(indicator=HOSTILE, names={"nl": HOSTILE}, units={"nl": HOSTILE}, smallest=0.5, tried=(tried,))
    return Plan(study=HOSTILE, spec_sha256="0", draws=9, seed=1, level=0.95, power=0.8, outcomes=(outcome,))


def bundle(first: Path) -> impact.Bundle:
    found = impact.read_bundle(first)
    names = {"nl": HOSTILE, "en": HOSTILE}
    return replace(found, outcomes=(replace(found.outcomes[0], outcome=names, unit=HOSTILE),), notes=(HOSTILE,))


def verification(first: Path) -> impact.Verification:
    found = impact.verify(first)
    return replace(found, unchanged=replace(found.unchanged, differences=(Said("file.extra", {"file": HOSTILE}),)))


def written(folder: Path) -> Path:
    text = (ROOT / "studies" / "eerste-studie" / "study.yaml").read_text(encoding="utf-8")
    visible = HOSTILE.removesuffix("\u202e").replace("'", "")
    text = re.sub(r"^title: .*$", f"title: '{visible}'", text, flags=re.MULTILINE)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder / "study.yaml"


def collection() -> impact.Collection:
    found = impact.read_collection(ROOT / "studies" / "tussenevaluatie-2026")
    title = found.model.title.model_copy(update={"nl": HOSTILE})
    return replace(found, model=found.model.model_copy(update={"title": title}))


MADE: dict[str, Callable[[Path, Path], Any]] = {
    "Balance": lambda *_: impact.balance(characteristics(), treated="focus", on=[HOSTILE]),
    "Battery": lambda *_: impact.battery(panel(), inferences=["score-flip"]),
    "Bundle": lambda first, _: bundle(first),
    "Collection": lambda *_: collection(),
    "Decomposition": lambda *_: impact.decompose(panel()),
    "EarlierStarts": lambda *_: impact.backdate(panel(), "did", target="unit"),
    "LeaveOneOut": lambda *_: impact.leave_one_out(panel(), "did", of="area"),
    "Matched": lambda *_: matched(),
    "Overlap": lambda *_: matched(distance="propensity").balance().overlap(),
    "Panel": lambda *_: panel(),
    "Placebos": lambda *_: impact.placebos(panel(), "did", target="unit", draws=9),
    "Plan": lambda *_: plan(),
    "Refused": lambda *_: Refused(HOSTILE, HOSTILE, HOSTILE),
    "Result": lambda *_: impact.estimate(panel(), "did", target="unit"),
    "Sample": lambda *_: sample(),
    "SideBySide": lambda *_: impact.compare(panel(), ["did", "imputation"]),
    "Study": lambda _, folder: impact.read_study(written(folder)),
    "Verification": lambda first, _: verification(first),
    "Weighted": lambda *_: matched(method="entropy"),
}


def kinds() -> set[str]:
    """Every public class, and everything that a public function gives."""
    found = set()
    for name in impact.__all__:
        thing = getattr(impact, name)
        if inspect.isclass(thing):
            found.add(name)
        elif callable(thing):
            found |= {re.sub(r"^.*\.", "", part.strip()) for part in str(thing.__annotations__["return"]).split("|")}
    return found - NOT_SHOWN - NO_CLASS


def test_every_public_kind_is_made_here() -> None:
    assert kinds() <= set(MADE) and set(MADE) - kinds() == {"Overlap", "Weighted"}


@pytest.fixture(scope="module")
def made(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    found: dict[str, Any] = {}

    def of(name: str) -> Any:
        if name not in found:
            found[name] = MADE[name](first, tmp_path_factory.mktemp("study"))
            assert type(found[name]).__name__ == name, found[name]
        return found[name]

    return of


Made = Callable[[str], Any]


@pytest.mark.parametrize("name", MADE)
def test_it_has_words_a_table_and_figures(name: str, made: Made) -> None:
    one = made(name)
    assert isinstance(one.summary(), str) and one.summary().strip()
    assert (
        isinstance(one.tidy(), pd.DataFrame)
        and len(one.tidy())
        and one.tidy().index.equals(pd.RangeIndex(len(one.tidy())))
    )
    plots = one.plot
    if isinstance(plots, Refused):
        assert plots.because and name in {"Collection", "Overlap", "Refused", "Study", "Verification"}
    else:
        drawing = next(kind for kind in ("estimates", "course", "love", "gap") if hasattr(plots, kind))
        assert isinstance(getattr(plots, drawing)(), matplotlib.axes.Axes)


class Elements(HTMLParser):
    """Names of all elements, as a plain parser sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert all(not name.startswith("on") for name, _ in attrs)
        self.names.add(tag)


@pytest.mark.parametrize("name", MADE)
def test_its_html_says_what_its_words_and_its_table_say_and_nothing_is_markup(name: str, made: Made) -> None:
    one = made(name)
    html = one._repr_html_()
    seen = Elements()
    seen.feed(html)
    assert seen.names <= {"div", "pre", "table", "caption", "thead", "tbody", "tr", "th", "td", "data"}
    assert "\u202e" not in html and "<script" not in html
    if "script" in one.summary() + one.tidy().to_string():
        assert "&lt;script&gt;" in html
    page = html5lib.parse(html, namespaceHTMLElements=False)
    words = "".join(page.find(".//pre").itertext())
    assert words.splitlines()[0] == one.summary().splitlines()[0].replace("\u202e", "\\u202e")
    frame = one.tidy()
    rows = page.findall(".//tbody/tr")
    assert (
        len(rows) == min(len(frame), 10)
        and [th.get("scope") for th in page.findall(".//th")] == ["col"] * frame.shape[1]
    )
    for row, (_, values) in zip(rows, frame.iterrows(), strict=False):
        for cell, value in zip(row, values, strict=True):
            numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
            if pd.isna(value):
                assert "".join(cell.itertext()) == "–"
            elif numeric:
                assert float(cell.find("data").get("value")) == float(value)
                text = cell.find("data").text.replace("\u2212", "-")
                assert float(text) == pytest.approx(float(value), rel=6e-4 if abs(value) >= 1e-4 else 6e-3)
            else:
                assert "".join(cell.itertext()) == str(value).replace("\u202e", "\\u202e")


def test_the_language_of_the_words_is_marked(made: Made) -> None:
    assert '<pre lang="nl"' in made("Verification")._repr_html_()
    assert '<pre lang="en"' in made("Result")._repr_html_()


def test_long_words_and_tables_say_how_much_is_left() -> None:
    html = as_html("\n".join(map(str, range(30))), pd.DataFrame({"a": range(25)}))
    assert "… 18 / 30: .summary()" in html and "the first 10 of 25 rows; all: .tidy()" in html


def test_a_panel_shows_the_course_of_both_groups(made: Made) -> None:
    """Means by hand, of the rows of the table it came from."""
    axes = made("Panel").plot.course()
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    frame = table()
    for label, rows in (("treated", frame[frame["start"].notna()]), ("never treated", frame[frame["start"].isna()])):
        by_hand = [rows.loc[rows["time"] == time, "y"].mean() for time in range(8)]
        assert lines[label] == pytest.approx(by_hand)


def test_estimates_are_drawn_where_they_are(made: Made) -> None:
    one = made("SideBySide")
    axes = one.plot.estimates()
    (dots,) = (line for line in axes.get_lines() if line.get_marker() == "o")
    assert dots.get_xdata().tolist() == one.tidy()["estimate"].tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["did", "imputation"]


def test_a_picture_needs_words() -> None:
    axes = impact.compare(panel(), ["did", "imputation"]).plot
    assert not isinstance(axes, Refused)
    drawn = impact.picture(axes.estimates(), "Title", HOSTILE)
    assert isinstance(drawn, impact.Picture) and "&lt;script&gt;" in drawn._repr_html_()
    with pytest.raises(UsageError, match="USAGE-054"):
        impact.picture(axes.estimates(), "Title", " ")
    refused = Refused("a", "b")
    assert impact.picture(refused, "Title", "text") is refused
