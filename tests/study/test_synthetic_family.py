"""The synthetic-control family in a study: a family of outcomes, predictors, covariates, and its inferences."""

from __future__ import annotations

import ast
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.cells import Note
from impact.evidence.language import texts
from impact.evidence.refusals import KNOWN
from impact.study.cautions import DIAGNOSED
from tests.shared import ROOT
from tests.study.conftest import Project
from tests.study.conftest import impact as command
from tests.study.example import points_at, read, refused

ESTIMATOR = "estimator: {name: group-time, control: never, method: reg}"
COUNTRY = """\
schema: 1
id: samen
title: {nl: Samen, en: Together}
question: Veranderde het?
seen_before: Alles is verzonnen.
data:
  outcomes:
    file: data_synthetic/land-indicatoren.parquet
    columns: {region: region, period: period, value: value}
  units:
    file: data_synthetic/land-wijken.parquet
    columns: {region: region, gemeente: gemeente, residents: inwoners, structure: [huur_pct], size: [inwoners]}
periods: {first: 2014, last: 2024}
treatment:
  areas: register
  members: data_synthetic/land-gebieden-wijken.csv
  already_treated: {rotterdam-zuid: leave-out}
  start: {event: aanwijzing, column: start}
outcomes:
  - indicator: criminaliteit
    where: {indicator: criminaliteit}
    measure: {unit: "misdrijven per 1.000 inwoners"}
    better: lower
  - indicator: relatieve-welvaart
    where: {indicator: relatieve-welvaart}
    measure: {unit: punten SES-WOA}
    better: higher
target: {kind: average, window: [2022, 2024], every: area}
comparison:
  leave_out: [{rule: focus-area, why: programma}, {rule: same-gemeente, why: beleid}]
  match: {method: nearest, ratio: 10, on: [structure, size]}
estimator: multi-outcome-synthetic-control
inference: {name: cluster-jackknife, cluster: gemeente}
checks: standard
seed: 11
"""


def ran(folder: Path, *pairs: tuple[str, str], code: int | None = None) -> list[dict[str, Any]]:
    """The outcomes of the study of the country, run in `folder`."""
    text = COUNTRY
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    ended = command("run", folder / "study.yaml", "--data", ROOT, "--out", folder / "out")
    assert ended.code in (0, 1) if code is None else ended.code == code, ended.err
    return json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))["outcomes"]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("samen")
    return folder, ran(folder)


# --- a family of outcomes ---------------------------------------------------------------------------------------------


Rows = tuple[np.ndarray, np.ndarray]


def figures(indicator: str) -> pd.DataFrame:
    """The outcome by wijk and year, from the table as it stands."""
    table = pd.read_parquet(ROOT / "data_synthetic" / "land-indicatoren.parquet")
    rows = table[(table["indicator"] == indicator) & table["period"].between("2014", "2024")]
    return rows.pivot(index="region", columns="period", values="value")


def rows_of(area: dict[str, Any], tables: list[pd.DataFrame], signs: list[float]) -> list[Rows]:
    """Per outcome the rows (T0, J) of the donors and (T0,) of the area that its weights have to bring together."""
    donors, before = [unit for unit, _ in area["matched"]], [f for f in tables[0].columns if f < area["first_treated"]]
    found = []
    for table, sign in zip(tables, signs, strict=True):
        y, own = table.loc[donors, before].to_numpy(), table.loc[area["units"], before].to_numpy().mean(axis=0)
        y, own = y - y.mean(axis=1, keepdims=True), own - own.mean()
        scale = sign / np.sqrt(np.mean((y - y.mean(axis=0)) ** 2))
        found.append((y.T * scale, own * scale))
    return found


def shortfall(a: np.ndarray, b: np.ndarray, area: dict[str, Any]) -> float:
    """How much the price of some donor lies below that of the weights of the area, relative to the scale: 0 at best."""
    weights = np.array([dict(map(tuple, area["weights"])).get(unit, 0.0) for unit, _ in area["matched"]])
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    price = a.T @ (a @ weights - b)
    return float((price @ weights - price.min()) / np.median(((a - b[:, None]) ** 2).sum(axis=0)))


def estimate(found: dict[str, Any], table: pd.DataFrame) -> float:
    """The mean over areas of the gap in 2022-2024, less that before the start, with the weights of the report."""
    gaps = []
    for area in (area for area in found["areas"] if not area["left_out"]):
        path = table.loc[area["units"]].mean() - sum(weight * table.loc[unit] for unit, weight in area["weights"])
        gaps.append(path["2022":"2024"].mean() - path[path.index < area["first_treated"]].mean())
    return float(np.mean(gaps))


def test_outcomes_of_a_family_share_weights_that_follow_both(together: tuple[Path, list[dict[str, Any]]]) -> None:
    _, (crime, wealth) = together
    areas = [area for area in crime["areas"] if not area["left_out"]]
    assert len(areas) == 19 and {area["first_treated"] for area in areas} == {"2020", "2022"}
    others = {area["slug"]: area for area in wealth["areas"]}
    tables = [figures("criminaliteit"), figures("relatieve-welvaart")]
    for area in areas:
        assert dict(map(tuple, area["weights"])) == pytest.approx(dict(map(tuple, others[area["slug"]]["weights"])))
        parts = rows_of(area, tables, [1.0, 1.0])
        a, b = np.vstack([one for one, _ in parts]), np.concatenate([one for _, one in parts])
        assert shortfall(a, b, area) < 1e-8
    for found, table in zip((crime, wealth), tables, strict=True):
        assert found["primary"]["value"] == pytest.approx(estimate(found, table), abs=1e-9)


def test_a_family_that_is_averaged_is_turned_to_one_side(tmp_path: Path) -> None:
    """Less crime is favourable and more wealth is: their mean is one of crime and of less wealth."""
    estimator = "estimator: multi-outcome-synthetic-control"
    averaged = (estimator, "estimator: {name: multi-outcome-synthetic-control, combine: averaged}")
    crime, wealth = ran(tmp_path, averaged)
    tables = [figures("criminaliteit"), figures("relatieve-welvaart")]
    for area, other in zip(crime["areas"], wealth["areas"], strict=True):
        if not area["left_out"]:
            assert dict(map(tuple, area["weights"])) == pytest.approx(dict(map(tuple, other["weights"])))
            (a, b), (c, d) = rows_of(area, tables, [1.0, -1.0])
            assert shortfall((a + c) / 2, (b + d) / 2, area) < 1e-8


def test_a_report_names_the_family_and_shows_the_weights(together: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, (crime, wealth) = together
    follows = "de vergelijking volgt voor de start tegelijk geregistreerde criminaliteit en relatieve welvaart"
    for found, name in ((crime, "report.html"), (wealth, "report-relatieve-welvaart.html")):
        page = (folder / "out" / name).read_text(encoding="utf-8")
        assert any(follows in note for note in found["notes"]) and follows in page
        assert "(multi-outcome-synthetic-control)</td>" in page
        assert "met hun gewicht in de schatting" in page
        units = {unit for area in found["areas"] for unit, _ in area["weights"]}
        assert found["compared"] == len(units) < found["pool"]
    for found in (crime, wealth):
        gone = {row["unit"]: row["reason"] for row in found["excluded"]}
        for other in (figures("criminaliteit"), figures("relatieve-welvaart")):
            holes = other.index[other.reindex(columns=found["periods"]).isna().any(axis=1)]
            assert holes.size and all(unit in gone for unit in holes)


def test_a_family_takes_two_outcomes_of_the_study(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, ("{name: group-time, control: never}", "multi-outcome-synthetic-control"))
    assert (problem.code, problem.path, problem.line) == ("SPEC-010", "estimator", 29)
    assert "several outcomes" in problem.message and "synthetic-control" in problem.hint
    for outcomes, at, words in (
        ("[criminaliteit, uitkering]", "estimator.outcomes[1]", "no outcome of this study"),
        ("[criminaliteit]", "estimator.outcomes", "two outcomes or more"),
    ):
        text = COUNTRY.replace(
            "estimator: multi-outcome-synthetic-control",
            f"estimator: {{name: multi-outcome-synthetic-control, outcomes: {outcomes}}}",
        )
        (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
        ended = command("check", tmp_path / "study.yaml", "--data", ROOT)
        assert ended.code == 2 and f"[{at}]" in ended.err and words in ended.err


# --- predictors and covariates ----------------------------------------------------------------------------------------

PREDICTED = (
    "{name: synthetic-control, predictors: [huur_pct, {of: outcome, at: 2015}, {of: outcome, from: 2018, to: 2021}]}"
)


def shown(project: Project, estimator: str, *pairs: tuple[str, str]) -> tuple[dict[str, Any], str]:
    project.change(project.study, (ESTIMATOR, f"estimator: {estimator}"), *pairs)
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    (found,) = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"]
    return found, (project.out / "report.html").read_text(encoding="utf-8")


def first_study(project: Project) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rates by wijk and year, and the characteristics, as the files give them."""
    table = pd.read_csv(project.outcomes, sep=";", na_values=["x", "."])
    table["rate"] = 100 * table["vsv"] / table["deelnemers"]
    units = pd.read_csv(project.units, sep=";", decimal=",").set_index("region")
    return table.pivot(index="region", columns="period", values="rate"), units


def test_predictors_are_columns_of_the_units_table_and_windows_of_the_outcome(project: Project) -> None:
    found, page = shown(project, PREDICTED)
    rates, units = first_study(project)
    x = pd.DataFrame({"huur": units["huur_pct"], "at": rates[2015], "mean": rates[range(2018, 2022)].mean(axis=1)})
    areas = [area for area in found["areas"] if not area["left_out"]]
    assert len(areas) == 19
    gaps = []
    for area in areas:
        donors = x.loc[[unit for unit, _ in area["matched"]]].to_numpy().T
        own = x.loc[area["units"]].mean().to_numpy()
        scale = np.column_stack([donors, own]).std(axis=1, ddof=1)
        assert shortfall(donors / scale[:, None], own / scale, area) < 1e-8
        path = rates.loc[area["units"]].mean() - sum(weight * rates.loc[unit] for unit, weight in area["weights"])
        gaps.append(path[range(2022, 2025)].mean())
    assert found["primary"]["value"] == pytest.approx(np.mean(gaps), abs=1e-9)
    words = "huur_pct, de uitkomst in 2015 en de gemiddelde uitkomst van 2018 tot en met 2021"
    assert f"De vergelijking volgt niet elke meting voor de start, maar: {words}." in found["notes"] and words in page


def test_a_unit_without_a_predictor_is_left_out_by_name(project: Project) -> None:
    text = project.units.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(text) if line.startswith("WK902205;"))
    cells = text[at].split(";")
    cells[text[0].split(";").index("huur_pct")] = ""
    text[at] = ";".join(cells)
    project.units.write_text("\n".join(text) + "\n", encoding="utf-8", newline="")
    match = "match: {method: nearest, ratio: 5, on: [structure, size]}"
    found, _ = shown(project, PREDICTED, (match, match.replace("structure, ", "")))
    assert {"unit": "WK902205", "reason": "een kenmerk ontbreekt (huur_pct)"} in found["excluded"]
    assert found["primary"]["value"] is not None


@pytest.mark.parametrize("estimator", ["synthetic-control, predictors", "augmented-synthetic-control, covariates"])
def test_a_misspelt_column_is_found_in_the_table(estimator: str, project: Project) -> None:
    project.change(project.study, (ESTIMATOR, f"estimator: {{name: {estimator}: [huur_pc]}}"))
    ended = project.run()
    assert ended.code == 2 and not project.out.exists()
    assert "eerste-studie-wijken.csv DATA-107 [huur_pc]" in ended.err and "Did you mean 'huur_pct'?" in ended.err


def test_a_window_into_a_start_that_a_column_holds_is_refused(project: Project) -> None:
    estimator = "{name: synthetic-control, predictors: [{of: outcome, from: 2019, to: 2022}]}"
    project.change(project.study, (ESTIMATOR, f"estimator: {estimator}"))
    ended = project.run()
    assert ended.code == 2 and "DATA-154 [estimator.predictors[0].to]" in ended.err and "start" in ended.err
    assert not project.out.exists()


@pytest.mark.parametrize(
    ("settings", "path", "at", "words"),
    [
        ("predictors: [huur, {of: outcome, at: 2022}]", "predictors[1].at", "2022", "not before the start in 2022"),
        ("predictors: [{of: outcome, from: 2019, to: 2023}]", "predictors[0].to", "2023", "not before the start"),
        ("predictors: [{of: outcome, at: 2011}]", "predictors[0].at", "2011", "not among the periods"),
        ("predictors: [{of: outcome, at: lang}]", "predictors[0].at", "lang", "not a year or a school year"),
        ("predictors: [{of: huur, at: 2015}]", "predictors[0].at", "2015", "one figure of every region"),
        ("predictors: [{of: voortijdig-schoolverlaten}]", "predictors[0]", "{of", "an outcome of this study"),
        ("predictors: [{of: outcome, when: 2015}]", "predictors", "[{of", "know no word when"),
        ("predictors: [huur, huur]", "predictors", "[huur", "second time"),
        ("predictors: huur", "predictors", "huur", "must be a list"),
        ("v: nested", "v", "nested", "there are none"),
        ("predictors: [huur], v: nest", "v", "nest", "not one of equal, inverse-variance, nested"),
        ("predictors: [huur], v: 3", "v", "3", "must be a word or a mapping"),
        ("predictors: [huur], v: nested, fit_window: [2015]", "fit_window", "[2015", "must be a list of two"),
        ("predictors: [huur], v: nested, fit_window: [2015, 2022]", "fit_window[1]", "2022", "not before the start"),
        ("lam: 1", "lam", "1", "no parameter"),
        ("budget: 2", "budget", "2", "lasso and ridge"),
    ],
)
def test_what_is_wrong_with_a_synthetic_control_is_said_with_its_place(
    settings: str, path: str, at: str, words: str, tmp_path: Path
) -> None:
    spelled = f"{{name: synthetic-control, {settings}}}"
    (problem,) = refused(tmp_path, ("{name: group-time, control: never}", spelled))
    assert (problem.path, problem.line) == (f"estimator.{path}", 29)
    assert words in problem.message and points_at(problem).startswith(at)


@pytest.mark.parametrize(
    ("inference", "path", "words"),
    [
        ("{name: placebo-space, sets: contiguous}", "sets", "which a study cannot give yet"),
        ("{name: conformal, order: 3}", "order", "not one of 1, 2, inf"),
        ("{name: conformal, order: [1]}", "order", "must be a whole number or a word"),
        ("{name: prediction-interval, draws: 20}", "draws", "too few"),
        ("{name: placebo-space, rematch: x}", "rematch", "has no parameter"),
    ],
)
def test_what_is_wrong_with_an_inference_is_said(inference: str, path: str, words: str, tmp_path: Path) -> None:
    whole = "{name: cluster-jackknife, cluster: gemeente, beside: [score-flip]}"
    (problem,) = refused(tmp_path, (whole, inference))
    assert problem.path == f"inference.{path}" and words in problem.message
    (problem,) = refused(tmp_path, ("beside: [score-flip]", f"beside: [{inference}]"))
    assert problem.path == f"inference.beside[0].{path}" and words in problem.message


def test_what_goes_by_residents_takes_their_column(tmp_path: Path) -> None:
    for setting in ("sets: similar-population", "statistic: studentised"):
        changes = ("beside: [score-flip]", f"beside: [{{name: placebo-space, {setting}}}]")
        assert read(tmp_path, changes)
        (problem,) = refused(tmp_path, changes, ("residents: inwoners, ", ""))
        assert "number of residents" in problem.message and "residents" in problem.hint


def test_a_number_or_a_rule_for_the_penalty(tmp_path: Path) -> None:
    for lam in ("0.3", "3", "leave-one-out"):
        penalized = f"{{name: penalized-synthetic-control, lam: {lam}}}"
        assert read(tmp_path, ("{name: group-time, control: never}", penalized))
    (problem,) = refused(tmp_path, ("{name: group-time, control: never}", "{name: partially-pooled, nu: twee}"))
    assert problem.message == "`nu` of partially-pooled must be a number." and problem.hint == "Standard is none."


def test_covariates_are_balanced_exactly_where_they_are_taken_out(project: Project) -> None:
    """With `residualize` the weights of every area reproduce its characteristics, whatever the penalty is."""
    found, page = shown(
        project,
        "{name: augmented-synthetic-control, covariates: [huur_pct, inwoners], residualize: true, lam: 1}",
        ("match: {method: nearest, ratio: 5, on: [structure, size]}", "match: none"),
        ("beside: [score-flip]", "beside: []"),
    )
    _, units = first_study(project)
    for area in (area for area in found["areas"] if not area["left_out"]):
        for name in ("huur_pct", "inwoners"):
            own = units.loc[area["units"], name].mean()
            theirs = sum(weight * units.loc[unit, name] for unit, weight in area["weights"])
            assert theirs == pytest.approx(own, rel=1e-6)
    assert found["primary"]["adjusted"] and "Kenmerken waarmee de schatting rekening houdt" in page
    assert not found["remarks"], "no English"


# --- inferences -------------------------------------------------------------------------------------------------------

JUDGE = "inference: {name: cluster-jackknife, cluster: gemeente, level: 0.95, beside: [score-flip]}"


def sentences(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_p_value_stands_where_the_interval_is_refused(project: Project) -> None:
    """Twelve periods give no interval of 95%; the p-value is the share of shifts at least as large."""
    beside = "beside: [placebo-time, prediction-interval, {name: placebo-space, draws: 99}, bootstrap]"
    judge = f"inference: {{name: conformal, cluster: gemeente, level: 0.95, {beside}}}"
    found, page = shown(project, "synthetic-control", (JUDGE, judge))
    primary, text = found["primary"], sentences(page)
    assert (primary["low"], primary["high"]) == (None, None) and (primary["p_value"] * 12) % 1 == pytest.approx(0)
    assert "Met 12 perioden kan de p-waarde niet lager worden dan 0,0833" in text
    assert "Wel is er een p-waarde op de opgegeven manier, perioden verwisselen (conformal): p = 0,08." in text
    p_values = {second["name"]: second["p_value"] for second in primary["beside"]}
    assert p_values["placebo-time"] is None and "Er zijn maar 5 eerdere startmomenten mogelijk" in text
    assert p_values["bootstrap"] is None and "De vergelijkingsgebieden zijn gekozen (gekoppeld)" in text
    assert p_values["prediction-interval"] is not None and p_values["placebo-space"] is not None
    assert '<span lang="en"' not in page, "every refusal has words"


def test_a_second_way_gives_its_p_value_though_its_interval_is_refused(project: Project) -> None:
    judge = "inference: {name: prediction-interval, cluster: gemeente, level: 0.95, beside: [conformal]}"
    found, page = shown(project, "synthetic-control", (JUDGE, judge))
    (second,) = found["primary"]["beside"]
    assert second["p_value"] == pytest.approx(1 / 12) and second["refused"]["because"].startswith("with 12 periods")
    assert found["primary"]["low"] < found["primary"]["value"] < found["primary"]["high"]
    text = sentences(page)
    assert "perioden verwisselen (conformal) geen verschil in deze perioden" in text and "12 (alle)" in text
    assert "een interval van dit niveau is er dan niet uit te halen" in text


def test_staggered_starts_are_no_order_of_periods(tmp_path: Path) -> None:
    one = COUNTRY[COUNTRY.index("  - indicator: criminaliteit") : COUNTRY.index("  - indicator: relatieve")]
    single = "outcome:\n" + one.replace("  - indicator", "  indicator").replace("    where", "  where").replace(
        "    measure", "  measure"
    ).replace("    better", "  better")
    (found,) = ran(
        tmp_path,
        (COUNTRY[COUNTRY.index("outcomes:\n  - ") : COUNTRY.index("target:")], single),
        ("estimator: multi-outcome-synthetic-control", "estimator: synthetic-control"),
        ("inference: {name: cluster-jackknife", "inference: {name: conformal"),
        code=1,
    )
    page = sentences((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert found["primary"]["p_value"] is None
    assert "Dit getal gaat over gebieden met 2 verschillende startmomenten" in page


def test_a_placebo_alone_is_said_in_words(project: Project) -> None:
    how = "draws: 19, statistic: studentised, sets: similar-population, tolerance: 0.5"
    judge = f"inference: {{name: placebo-space, cluster: gemeente, {how}}}"
    found, page = shown(project, "{name: synthetic-control, intercept: true}", (JUDGE, judge))
    p = found["primary"]["p_value"]
    assert 1 / 20 <= p <= 1 and f"placebo in de ruimte (placebo-space): p = {p:.2f}".replace(".", ",") in sentences(
        page
    )


# --- what the estimator remarks ---------------------------------------------------------------------------------------


def test_cautions_are_said_in_dutch(project: Project) -> None:
    found, page = shown(
        project, "synthetic-did", ("match: {method: nearest, ratio: 5, on: [structure, size]}", "match: none")
    )
    assert any("in feite is dit verschil-in-verschillen" in note for note in found["notes"])
    assert not found["remarks"] and "in het Engels van de programmatuur:" not in page


def test_areas_that_are_compared_as_one_share_a_row_of_weights(project: Project) -> None:
    """Synthetic difference-in-differences weights the donors of everything that starts together."""
    found, page = shown(project, "synthetic-did")
    areas = [area for area in found["areas"] if area["weights"]]
    assert {area["slug"] for area in areas} == {a["slug"] for a in found["areas"] if a["units"] and not a["left_out"]}
    together: dict[str, dict[str, dict[str, float]]] = {}
    for area in areas:
        together.setdefault(area["first_treated"], {})[area["name"]] = dict(map(tuple, area["weights"]))
    treated = {unit for area in found["areas"] for unit in area["units"]}
    for shared in together.values():
        first = next(iter(shared.values()))
        assert sum(first.values()) == pytest.approx(1) and not treated & set(first)
        assert all(weights == first for weights in shared.values())
    caption = "Vergelijkingsgebieden per focusgebied, met hun gewicht in de schatting"
    listed = page[page.index(caption) :].split("</table>")[0]
    assert listed.count("<tr") == 1 + len(together)
    assert all(name in listed for shared in together.values() for name in shared)


def written(*rooms: str) -> list[ast.AST]:
    """Every node of the code in some rooms of the package."""
    files = sorted(
        file for room in rooms for file in (ROOT / "impact").glob(f"{room}/*.py" if "." not in room else room)
    )
    return [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]


def test_every_remark_with_a_key_has_words() -> None:
    """The notes of the estimators, and the cautions of a diagnosis that no note holds."""
    notes = [node for node in written("estimators") if isinstance(node, ast.Call) and ast.unparse(node.func) == "Note"]
    keys = {node.args[1].value for node in notes if isinstance(node.args[1], ast.Constant)}
    assert {"not-unique", "did-in-disguise", "donors-left-out", "v-apart"} <= keys
    known = {key.removeprefix("run.remark.") for key in texts("nl").entries if key.startswith("run.remark.")}
    assert known == keys | {"extrapolates", "beyond", "negative"} | set(DIAGNOSED)


def test_a_note_is_its_sentence_and_survives_another_process() -> None:
    note = Note("two donors are left out", "donors-left-out", count=2, names=["a", "b"])
    again = pickle.loads(pickle.dumps(note))
    assert again == "two donors are left out" == str(note) and {note: 1}["two donors are left out"] == 1
    assert (again.key, again.values) == ("donors-left-out", {"count": 2, "names": ["a", "b"]})


def test_every_refusal_that_has_words_is_one_of_the_code() -> None:
    """A sentence of the code that changes would be told in English again; whatever stands in braces there is a 7."""
    said = set()
    for node in written("inference", "estimators", "checks", "design", "study", "evidence/disclosed.py"):
        if isinstance(node, ast.JoinedStr):
            said.add("".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said.add(node.value)
    for key, pattern in KNOWN.items():
        assert all(f"refused.known.{key}.{part}" in texts("nl") for part in ("what", "because", "instead"))
        if key != "window":  # put together from two parts; a study above has it
            assert any(re.fullmatch(pattern, text, re.DOTALL) for text in said), key


def test_many_areas_are_named_in_one_sentence(project: Project) -> None:
    pairs = ("match: {method: nearest, ratio: 5, on: [structure, size]}", "match: none")
    found, _ = shown(project, "synthetic-control", pairs)
    (loose,) = [note for note in found["notes"] if "passen andere gewichten even goed" in note]
    (chance,) = [note for note in found["notes"] if "de goede aansluiting toeval kan zijn" in note]
    assert "Dordrecht West" in loose + chance and "dordrecht-west" not in " ".join(found["notes"])
    assert not found["remarks"]
