"""Every estimator of the registry in a study: what is estimated, over which periods, and what its report says of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import impact
from impact.estimators.registry import ESTIMATORS
from impact.evidence.language import texts
from impact.evidence.reading import one_base
from tests.shared import ROOT
from tests.study.conftest import Project
from tests.study.conftest import impact as command
from tests.study.example import read, refused

ESTIMATOR = "estimator: {name: group-time, control: never, method: reg}"
ALTERNATIVE = "{name: verschil, why: kijken, same_estimand: true, change: {estimator: did}}"
REMARK = {
    "did": "gemiddelde van alle perioden voor de start",
    "group-time": "vergelijkt elk punt met de periode ervoor",
    "imputation": "wat de andere metingen zonder programma",
    "two-stage": "wat de eerste stap daar overlaat",
    "extended-twfe": "wat de andere metingen zonder programma",
    "stacked": "dezelfde basis",
    "sun-abraham": "dezelfde basis",
    "twfe": "één verschil geschat",
    "poisson": "het gezamenlijke verloop",
    "synthetic-control": "gewogen gemiddelde van vergelijkingsgebieden",
    "penalized-synthetic-control": "op het gebied zelf lijken",
    "augmented-synthetic-control": "bijgesteld voor wat er voor de start",
    "partially-pooled": "ook voor de gebieden samen aansluit",
    "multi-outcome-synthetic-control": "een groep indicatoren tegelijk",
    "synthetic-did": "gewogen perioden voor de start",
}


def bundle(study: Path, out: Path) -> tuple[dict[str, Any], str]:
    ended = command("run", study, "--out", out)
    assert ended.code in (0, 1), ended.err
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found, (out / "report.html").read_text(encoding="utf-8")


def ran(project: Project, estimator: str, *pairs: tuple[str, str]) -> tuple[dict[str, Any], str]:
    project.change(project.study, (ESTIMATOR, f"estimator: {estimator}"), *pairs)
    if "multi-outcome" in estimator:
        family(project)
    return bundle(project.study, project.out)


def family(project: Project) -> None:
    """The outcome of the study as a family of two; a real one is in `test_synthetic_family`."""
    text = project.study.read_text(encoding="utf-8")
    start, end = text.index("outcome:\n"), text.index("target:")
    member = text[start:end].rstrip().removeprefix("outcome:\n").strip().replace("\n  ", "\n    ")
    other = member.replace("indicator: voortijdig-schoolverlaten", "indicator: nog-eens\n    name: Nog eens")
    listed = f"outcomes:\n  - {member}\n  - {other}\n"
    project.study.write_text(f"{text[:start]}{listed}{text[end:]}", encoding="utf-8", newline="")


@pytest.fixture
def country(tmp_path: Path) -> Project:
    """The study with two cohorts, without its alternatives."""
    root = tmp_path / "land"
    name = "voortijdig-schoolverlaten"
    shutil.copytree(ROOT / "data_synthetic", root / "data_synthetic")
    shutil.copytree(ROOT / "studies" / name, root / "studies" / "eerste-studie")
    mine = Project(root)
    text = mine.study.read_text(encoding="utf-8")
    start, end = text.index("alternatives:"), text.index("checks:")
    mine.study.write_text(text[:start] + text[end:], encoding="utf-8", newline="")
    mine.change(mine.study, ("estimator: did", ESTIMATOR))
    return mine


def test_the_texts_know_every_estimator() -> None:
    assert set(REMARK) == set(ESTIMATORS)
    for language in ("nl", "en"):
        for name in ESTIMATORS:
            assert f"({name})" in texts(language)(f"explain.estimate.method.{name}", unit="wijk", units="wijken")
    assert all(f"({name})" in texts("nl")(f"methods.{name}") for name in ESTIMATORS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_runs_a_study_and_is_named_in_its_report(name: str, project: Project) -> None:
    found, page = ran(project, name)
    assert found["primary"]["value"] is not None and found["primary"]["method"] == name
    assert f"({name})</td>" in page
    course = page.split("Geschat verschil naar perioden sinds de start")[-1]
    assert REMARK[name] in course
    assert not re.search(r"\b(the|and|of which)\b", " ".join(found["notes"])), "no English among the Dutch"
    assert found["window"] == ["2022", "2024" if name != "stacked" else "2023"]
    base = {area["base"] for area in found["areas"] if not area["left_out"]}
    assert base == {"2021"} if name in ("group-time", "stacked", "sun-abraham") else base != {"2021"}


@pytest.mark.parametrize(
    "estimator",
    ["{name: extended-twfe, control: never}", "{name: twfe, effect: event}", "{name: group-time, base: universal}"],
)
def test_one_base_for_all_points_is_said_and_drawn(estimator: str, project: Project) -> None:
    found, page = ran(project, estimator)
    assert "Alle punten vergelijken met dezelfde basis" in page
    assert {area["base"] for area in found["areas"] if not area["left_out"]} == {"2021"}
    assert "-1" not in {row["term"] for row in found["event"]}
    assert one_base(impact.read_bundle(project.out).outcomes[0])


def test_a_number_that_knows_no_time_before_is_not_tested_there(project: Project) -> None:
    found, _ = ran(project, "twfe")
    assert [row["value"] for row in found["event"]] == pytest.approx([found["primary"]["value"]] * 3, rel=1e-12)
    assert not one_base(impact.read_bundle(project.out).outcomes[0])
    (check,) = [check for check in found["checks"] if check["name"] == "pre-trend"]
    assert (check["verdict"], check["because"]) == (
        "not_evaluated",
        "Er zijn geen verschillen van voor de start om naar te kijken.",
    )


@pytest.mark.parametrize(("name", "absent"), [("sun-abraham", "-2"), ("stacked", "-2"), ("extended-twfe", None)])
def test_anticipation_reaches_every_estimator(name: str, absent: str | None, project: Project) -> None:
    before = "{name: stacked, before: 4}" if name == "stacked" else name
    found, _ = ran(project, before, ("anticipation: 0", "anticipation: 1"))
    terms = [row["term"] for row in found["event"]]
    assert "-1" in terms and (absent is None or absent not in terms)
    base = {area["base"] for area in found["areas"] if not area["left_out"]}
    assert base == ({"2020"} if absent else {"2013–2020"})


def test_poisson_speaks_in_the_unit_of_the_outcome(project: Project) -> None:
    """In levels the estimate lies beside the others; as a proportion it would be called procentpunt and be none."""
    found, page = ran(project, "poisson", ("checks:", f"alternatives:\n  - {ALTERNATIVE}\nchecks:"))
    other = found["alternatives"][0]["estimate"]["value"]
    assert abs(found["primary"]["value"] - other) < 0.1 * abs(other)
    assert "proportion" not in page


@pytest.mark.parametrize(
    ("options", "path", "hint"),
    [
        ("poisson, effect: proportional", "effect", "unit of the outcome"),
        ("poisson, exposure: inwoners", "exposure", "no exposure"),
        ("sun-abraham, reference: -2", "reference", "under `treatment`"),
        ("imputation, anticipation: 1", "anticipation", "under `treatment`"),
        ("stacked, before: 0", "before", ""),
        ("twfe, effect: events", "effect", ""),
    ],
)
def test_what_a_study_says_elsewhere_is_no_parameter(options: str, path: str, hint: str, tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, ("{name: group-time, control: never}", f"{{name: {options}}}"))
    assert (problem.code, problem.path) == ("SPEC-009", f"estimator.{path}")
    assert hint in problem.hint


def test_a_parameter_of_one_is_not_one_of_the_other(tmp_path: Path) -> None:
    assert read(tmp_path, ("{name: group-time, control: never}", "{name: twfe, effect: event}"))


# --- periods that an estimator is not about ---------------------------------------------------------------------------


def test_a_report_is_about_the_periods_that_were_estimated(country: Project) -> None:
    """Windows of a stack end before that of the study; the first page may not claim the rest."""
    found, page = ran(country, "stacked")
    assert found["window"] == ["2022/'23", "2023/'24"]
    assert "In 2022/'23–2023/'24 was de verandering" in page.replace("&#39;", "'")
    assert [note for note in found["notes"] if "gaat de schatting niet over" in note] == [
        "Voor gebieden die vanaf 2021/'22 meetellen, gaat de schatting niet over 2023/'24 en 2024/'25: deze rekenwijze "
        "geeft daar geen verschil.",
        "Voor gebieden die vanaf 2022/'23 meetellen, gaat de schatting niet over 2024/'25: deze rekenwijze geeft daar "
        "geen verschil.",
    ]


def test_an_alternative_about_other_periods_is_another_question(country: Project) -> None:
    changes = {"stapel": "{name: stacked, before: 3, after: 2}", "last": "imputation"}
    listed = "".join(
        f"  - {{name: {name}, why: kijken, same_estimand: true, change: {{estimator: {change}}}}}\n"
        for name, change in changes.items()
    )
    found, _ = ran(country, "did", ("checks:", f"alternatives:\n{listed}checks:"))
    stack, other = found["alternatives"]
    assert not any("gaat de schatting niet over" in note for note in found["notes"])
    assert found["window"] == ["2022/'23", "2024/'25"]
    assert stack["same_estimand"] is False and other["same_estimand"] is True
    assert stack["why"] == (
        "kijken. Voor gebieden die vanaf 2021/'22 meetellen, gaat de schatting niet over 2024/'25: deze rekenwijze "
        "geeft daar geen verschil"
    )
    assert other["why"] == "kijken"


def test_what_an_estimator_remarks_is_marked_as_english(country: Project) -> None:
    """A window of three periods after the start is not whole for those that start last."""
    found, page = ran(country, "{name: stacked, before: 2, after: 3}")
    assert found["remarks"] == ["2022/'23 has no whole window with clean controls and is not estimated"]
    assert 'lang="en">2022/&#39;23 has no whole window' in page
    assert found["primary"]["areas"] == 14
    assert impact.read_bundle(country.out).outcomes[0].remarks == tuple(found["remarks"])
