"""All notebooks: executed as a reader would, with what they show held against the bundles they read."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pandas as pd
import pytest

import impact
from tests.forbidden import claims
from tests.shared import ROOT
from tests.study.conftest import Ended
from tests.study.notebooks import Executed, executed, joined, rows, said

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.py"))
NAMES = [path.stem for path in NOTEBOOKS]
READ = ("voortijdig-schoolverlaten", "placebo-2016", "tussenevaluatie-2026")
MODULES = {
    "IPython.display", "dataclasses", "impact", "os", "pandas", "pathlib", "shutil", "subprocess", "sys", "tempfile"
}  # fmt: skip
STATISTICS = {
    "mean",
    "sum",
    "std",
    "var",
    "median",
    "quantile",
    "corr",
    "cov",
    "eval",
    "apply",
    "groupby",
    "rank",
    "diff",
}
COUNTED = re.compile(
    r"effective(?= numbers?\b| \d)"
)  # how many equal ones some weighted ones are worth (Kish): a count

Made = Callable[[str], tuple[Path, Ended]]


@pytest.fixture(scope="module")
def bundles(shipped: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles that the notebooks read, each under the name of its study."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in READ:
        shutil.copytree(shipped(name)[0], folder / name)
    return folder


@pytest.fixture(scope="module")
def run(first: Path, bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Executed]:
    """A notebook by its name, executed when it is first asked for."""
    made: dict[str, Executed] = {}

    def of(name: str) -> Executed:
        if name not in made:
            where = {"IMPACT_BUNDLE": str(first), "IMPACT_BUNDLES": str(bundles)}
            made[name] = executed(ROOT / "notebooks" / f"{name}.py", tmp_path_factory.mktemp("notebook"), **where)
        return made[name]

    return of


Run = Callable[[str], Executed]


def numbers(outputs: list[dict[str, Any]], *columns: int) -> list[list[float]]:
    return [[float(row[column]) for column in columns] for row in rows(outputs)]


def near(frame: pd.DataFrame) -> Any:
    """The numbers of a table as a notebook shows them, in four digits."""
    return [pytest.approx(row, rel=1e-3, abs=1e-12) for row in frame.to_numpy(float).tolist()]


# --- every notebook ---------------------------------------------------------------------------------------------------


def test_there_are_six() -> None:
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_runs_and_every_tagged_one_shows_something(name: str, run: Run) -> None:
    code = [cell for cell in run(name).cells if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in code)
    assert all(cell["outputs"] for cell in code if cell["metadata"].get("tags"))
    assert [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    assert "Traceback" not in str(outputs)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_says_what_it_shows(name: str, run: Run) -> None:
    shown = run(name).tagged
    figures = {tag: joined(data["text/html"]) for tag in shown if tag.startswith("figure-") for data in shown[tag]}
    assert len(figures) >= (1 if name.startswith("05") else 2 if not name.startswith("06") else 0)
    for svg in figures.values():
        (title,), (text,) = (re.findall(rf"<{kind} [^>]*>([^<]+)</{kind}>", svg) for kind in ("title", "desc"))
        assert 'role="img"' in svg and len(title) > 5 and len(text) > 20
    assert all(not kind.startswith("image/") for outputs in shown.values() for data in outputs for kind in data)


@pytest.mark.parametrize("name", NAMES)
def test_prose_is_in_order_and_claims_nothing(name: str, run: Run) -> None:
    cells = run(name).cells
    prose = [joined(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    shown = [
        joined(text)
        for cell in cells
        for output in cell.get("outputs", ())
        for text in (output.get("text", ""), *output.get("data", {}).values())
    ]
    assert [found for text in (*prose, *shown) for found in claims(COUNTED.sub("", text))] == []
    levels = [len(found) for text in prose for found in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    if not name.startswith("01"):
        assert "**Waar u op let:**" in prose[0] and "**Wat u niet mag besluiten:**" in prose[0]
        assert re.search(r"^## Wat (u hieruit )?niet", prose[-1], re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_uses_the_public_face_and_computes_nothing(name: str) -> None:
    tree = ast.parse((ROOT / "notebooks" / f"{name}.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {"impact", "pandas"} <= imported <= MODULES
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    used = {one.attr for one in attributes if isinstance(one.value, ast.Name) and one.value.id == "impact"}
    assert used <= set(impact.__all__)
    assert {one.attr for one in attributes} & STATISTICS == set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):  # places of files, and texts put together
            assert isinstance(node.op, ast.Div | ast.Add), ast.unparse(node)
            if isinstance(node.op, ast.Div):
                assert re.match(r"Path\(|project|out|werkmap|studiemap|plek|bundel\.path", ast.unparse(node))
            else:
                assert "summary()" in ast.unparse(node)


def test_notebooks_stand_in_the_table_of_their_page() -> None:
    page = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)\.py` \|", page, re.MULTILINE) == NAMES


# --- what each of them shows ------------------------------------------------------------------------------------------


def test_the_comparison_is_that_of_the_bundle(run: Run, bundles: Path) -> None:
    shown, bundle = run("02_de_vergelijking_kiezen").tagged, impact.read_bundle(bundles / READ[0])
    flow = [[step.step, str(step.removed), str(step.left)] for step in bundle.outcomes[0].flow]
    assert [[row[0], row[2], row[3]] for row in rows(shown["flow"])] == flow
    table = bundle.tidy()
    bracket = table.loc[table["role"] == "bracket", ["estimate", "ci_low", "ci_high"]]
    assert numbers(shown["bracket"], 1, 2, 3) == near(bracket) and len(bracket) == 3
    balance = rows(shown["balance"])
    for manner, worst, _, _ in rows(shown["methods"]):
        sizes = [abs(float(row[3])) for row in balance if row[0] == manner]
        assert max(sizes) == pytest.approx(float(worst), rel=1e-3)
    explained = run("02_de_vergelijking_kiezen").printed("explain")
    assert "Vergeleken wordt met wijken" in explained and "Een wijk in een focusgebied" in explained


def test_one_area_gets_no_interval(run: Run) -> None:
    shown = run("03_een_gebied").tagged
    ((estimate, low, high, p_value, status),) = rows(shown["refusal"])
    assert (low, high, p_value) == ("NaN", "NaN", "NaN") and status.startswith("refused: 1 treated clusters")
    (data,) = shown["result"]
    cell = re.findall(r'<data value="([^"]+)"', joined(data["text/html"]))
    assert float(cell[0]) == pytest.approx(float(estimate), rel=1e-3)
    gap = re.findall(r"gemiddeld (-?[\d.]+) procentpunt", joined(shown["figure-gap"][0]["text/html"]))
    assert float(gap[0]) == pytest.approx(float(estimate), abs=0.006)
    truth = pd.read_parquet(ROOT / "data_synthetic" / "land-truth.parquet")
    known = truth.query("area == 'delft-west' and indicator == 'uitkering' and '2021' <= period <= '2024'")
    assert numbers(shown["truth"], 3) == near(known[["effect"]])


def test_what_may_be_said_is_what_the_bundle_says(run: Run, bundles: Path) -> None:
    shown, bundle = run("04_wat_mag_er_gezegd_worden").tagged, impact.read_bundle(bundles / READ[0])
    robust = bundle.outcomes[0].robust
    assert robust is not None and robust.honest is not None and robust.honest.breakdown is not None
    assert said(shown["result"]) == list(bundle.sentences())
    bounds = pd.DataFrame([[one.bound, one.low, one.high] for one in robust.honest.bounds])
    assert numbers(shown["honest"], 0, 1, 2) == near(bounds)
    assert f"**{robust.honest.breakdown:.2f}**" in said(shown["breakdown"])[0]
    left = [[one.what, pytest.approx(one.low, rel=1e-3), pytest.approx(one.high, rel=1e-3)] for one in robust.left_out]
    assert [[row[0], float(row[1]), float(row[2])] for row in rows(shown["leave-one-out"])] == left
    table = bundle.tidy()
    alternatives = table.loc[table["role"] == "alternative", ["estimate", "ci_low", "ci_high", "p_value"]]
    assert numbers(shown["alternatives"], 2, 3, 4, 5) == near(alternatives)
    assert [row[0] for row in rows(shown["address"])] == table.loc[table["role"] == "primary", "address"].tolist()
    assert said(shown["placebo"]) == list(impact.read_bundle(bundles / READ[1]).sentences())


def test_a_design_that_is_too_small_is_not_locked_and_the_other_is(run: Run) -> None:
    notebook = run("05_plannen_en_vastleggen")
    ((_, smallest, detectable, power, *_),) = rows(notebook.tagged["plan-table"])
    assert float(detectable) < float(smallest) and float(power) > 0.5
    ((areas, _, smallest, detectable, power),) = rows(notebook.tagged["too-small"])
    assert (areas, smallest) == ("4", "0.5") and float(detectable) > 1 and float(power) < 0.5
    assert "LOCK-017" in notebook.printed("too-small-lock") and "NEED-003" in notebook.printed("too-small-lock")
    assert "vastgelegd op" in notebook.printed("lock")
    assert "amendment:" in notebook.printed("amend") and "deviation:" in notebook.printed("deviation")
    assert "ran; lock" in notebook.printed("status") and "te-klein: draft" in notebook.printed("status")
    (data,) = notebook.tagged["verify"]
    levels = rows([data])
    assert [row[:2] for row in levels] == [["unchanged", "yes"], ["fixed", "yes"], ["recomputed", "yes"]]
    assert "tidy.csv is gewijzigd" in notebook.printed("tampered")


def test_the_collection_is_that_of_its_page(run: Run, bundles: Path) -> None:
    notebook, bundle = run("06_een_tussenevaluatie"), impact.read_bundle(bundles / READ[2])
    page = html5lib.parse((bundle.path / "report.html").read_text(encoding="utf-8"), namespaceHTMLElements=False)
    table = next(one for one in page.iter("table") if len(one.find("tbody")) == 15)
    theirs = [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in table.find("tbody")]
    assert [[" ".join(cell.split()) for cell in row] for row in rows(notebook.tagged["overview"])] == theirs
    tidy = bundle.tidy()
    family = tidy.loc[tidy["role"] == "family", ["estimate", "p_value", "p_adjusted"]]
    assert numbers(notebook.tagged["p-values"], 3, 6, 7) == near(family)
    address = tidy.loc[tidy["role"] == "primary", "address"].iloc[0]
    assert f"Kenmerk: {address}" in notebook.printed("cite")
    sentences = [one for number in range(len(bundle.outcomes)) for one in bundle.sentences(number)]
    assert [text for text in said(notebook.tagged["statements"]) if not text.startswith("#")] == sentences
    assert len(rows(notebook.tagged["missing"])) == 10
    verdicts = {row[0]: row[1] for row in rows(notebook.tagged["verify"])}
    assert verdicts["unchanged"] == verdicts["recomputed"] == "yes" and verdicts["fixed"] != "no"
