"""What goes along in a bundle for others: its crate, citation, dictionary, environment and aggregates; its bytes."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from ruamel.yaml import YAML

from impact.errors import DataError
from impact.study import companions
from impact.study.bundle import contents, parsed
from tests.study.conftest import apart, tree
from tests.study.forging import Sound, sound
from tests.study.small import difference, of_gemeente


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def aggregates(whole: Sound) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(whole.files["aggregates.csv"]), keep_default_na=False, na_values={"value": [""]})


# --- RO-Crate 1.1, held against what its specification says a crate must be -------------------------------------------


@pytest.fixture(scope="module")
def graph(whole: Sound) -> dict[str, dict[str, Any]]:
    crate = json.loads(whole.files["ro-crate-metadata.json"])
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert len({entity["@id"] for entity in crate["@graph"]}) == len(crate["@graph"]), "every id once"
    return {entity["@id"]: entity for entity in crate["@graph"]}


def test_the_crate_describes_itself_and_its_root(graph: dict[str, dict[str, Any]]) -> None:
    described, root = graph["ro-crate-metadata.json"], graph["./"]
    assert described["@type"] == "CreativeWork"
    assert described["about"] == {"@id": "./"}
    assert described["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", root["datePublished"])
    assert root["name"] and root["description"] and graph[root["license"]["@id"]]["description"]


def test_every_file_is_in_the_crate_with_its_digest(graph: dict[str, dict[str, Any]], whole: Sound) -> None:
    parts = {unquote(part["@id"]) for part in graph["./"]["hasPart"]}
    assert parts == set(whole.files) - {"ro-crate-metadata.json"}
    for name in parts:
        entity = graph[name]
        assert entity["@type"] == "File"
        if name != "manifest.json":  # it states the digest of the crate
            assert entity["sha256"] == hashlib.sha256(whole.files[name]).hexdigest()
            assert entity["contentSize"] == str(len(whole.files[name]))


def test_everything_the_crate_refers_to_is_in_it(graph: dict[str, dict[str, Any]]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [value["@id"]] if set(value) == {"@id"} else [r for v in value.values() for r in references(v)]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    outside = {"https://w3id.org/ro/crate/1.1"}
    assert {r for entity in graph.values() for r in references(entity)} - outside <= set(graph)
    assert all(entity.get("@type") and entity["@id"] for entity in graph.values())


def test_an_input_with_a_space_in_its_name_has_an_id_that_is_a_path(whole: Sound) -> None:
    files = {name: content for name, content in whole.files.items() if name != "inputs/wijken.csv"}
    outcomes = parsed(files["results.json"].replace(b"wijken.csv", b"de wijken.csv"), "")
    files["inputs/de wijken.csv"] = whole.files["inputs/wijken.csv"]
    made = contents(outcomes, {}, {}, {}, {"inputs/de wijken.csv": files["inputs/de wijken.csv"]})
    ids = {entity["@id"] for entity in json.loads(made["ro-crate-metadata.json"])["@graph"]}
    assert "inputs/de%20wijken.csv" in ids


# --- the other files --------------------------------------------------------------------------------------------------


def test_the_citation_is_one(whole: Sound) -> None:
    """The keys that CFF 1.2.0 asks for, and no key that it does not know."""
    said = YAML(typ="safe", pure=True).load(whole.files["CITATION.cff"])
    assert {"cff-version", "message", "title", "authors"} <= set(said)
    assert set(said) <= {
        *("abstract", "authors", "cff-version", "identifiers", "keywords", "message", "title", "type", "version")
    }
    assert (said["cff-version"], said["type"]) == ("1.2.0", "dataset")
    assert all(set(author) == {"name"} for author in said["authors"])
    (identifier,) = said["identifiers"]
    assert identifier["type"] == "other"
    lock8 = json.loads(whole.files["results.json"])["outcomes"][0]["standing"]["lock8"]
    assert re.fullmatch(r"[0-9a-f]{8}", lock8) and identifier["value"] == f"niveau@{lock8}.1"


def test_every_column_of_every_table_is_in_the_dictionary(whole: Sound) -> None:
    words = pd.read_csv(io.BytesIO(whole.files["dictionary.csv"]), keep_default_na=False)
    for name in ("tidy.csv", "aggregates.csv"):
        columns = list(pd.read_csv(io.BytesIO(whole.files[name])).columns)
        assert list(words[words["file"] == name]["column"]) == columns
    assert (words[["nl", "en"]] != "").all(axis=None)
    page = whole.files["dictionary.md"].decode()
    assert all(f"`{column}`" in page for column in words["column"])


def test_the_environment_names_no_machine(whole: Sound) -> None:
    said = json.loads(whole.files["environment.json"])
    assert set(said) == {"schema", "python", "packages"}
    manifest = json.loads(whole.files["manifest.json"])["versions"]
    shared = set(said["packages"]) & set(manifest)
    assert {"numpy", "pandas", "scipy"} <= shared
    assert {name: said["packages"][name] for name in shared} == {name: manifest[name] for name in shared}


def test_the_estimate_by_hand_is_what_cells_and_clusters_add_up_to(whole: Sound, aggregates: pd.DataFrame) -> None:
    """The aggregates against pandas: the estimate, and what is left of it without a gemeente."""
    rates = whole.small.outcomes.assign(rate=lambda t: 100 * t["teller"] / t["noemer"])
    rates = rates.pivot(index="wijk", columns="jaar", values="rate")
    areas = {slug: list(codes) for slug, codes in whole.small.areas.items()}
    treated = [code for codes in areas.values() for code in codes]
    controls = [code for code in rates.index if code not in treated]

    def effect(without: str = "") -> float:
        left = [code for code in controls if of_gemeente(code) != without]
        inside = [codes for codes in areas.values() if of_gemeente(codes[0]) != without]
        return sum(difference(rates, codes, left) for codes in inside) / len(inside)

    own = aggregates[(aggregates["role"] == "primary") & (aggregates["term"] == "average")]
    cells, clusters, left = (own[own["kind"] == kind] for kind in ("cell", "cluster", "left-out"))
    assert (cells["value"] * cells["weight"].astype(float)).sum() == pytest.approx(effect(), abs=1e-12)
    assert clusters["value"].sum() == pytest.approx(effect(), abs=1e-12)
    assert clusters["weight"].astype(float).sum() == pytest.approx(1)
    assert len(left) == len(clusters) == 12
    assert dict(zip(left["label"], left["value"], strict=True)) == pytest.approx(
        {gemeente: effect(gemeente) for gemeente in left["label"]}, abs=1e-12
    )


def test_an_input_that_changed_while_the_study_ran_is_not_shared(
    whole: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impact.study.load import load
    from impact.study.read import locate, read_study
    from impact.study.roots import Roots

    study = read_study(whole.small.study)
    loaded = load(study.model, locate(study, Roots.of(study.path)))
    other = tmp_path / "wijken.csv"
    other.write_text("anders", encoding="utf-8")
    with pytest.raises(DataError, match="BUNDLE-004"):
        companions.companions(study, loaded, {"wijken.csv": other})


# --- the same bytes on another number of threads and another kernel ---------------------------------------------------


@pytest.mark.parametrize(
    "environment",
    [
        {"OMP_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Prescott"},
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Nehalem"},
    ],
)
def test_another_number_of_threads_and_another_kernel(
    whole: Sound, tmp_path: Path, environment: dict[str, str]
) -> None:
    """OpenBLAS takes the kernel that is named: the numbers are the same at the declared digits, and verify says so."""
    done = apart(
        "verify", whole.small.out, "--data", whole.small.root, "--rerun", "--lang", "en", cwd=tmp_path, **environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3. Recomputed: yes, a second run gave the same" in done.stdout
    assert tree(tmp_path) == {}


KERNEL = "import numpy, threadpoolctl; print({one.get('architecture') for one in threadpoolctl.threadpool_info()})"


def test_the_kernel_was_another_one(tmp_path: Path) -> None:
    said = {apart(code=KERNEL, OPENBLAS_CORETYPE=name).stdout for name in ("Prescott", "Nehalem")}
    if said == {"{None}\n"} or not any("Prescott" in one or "Nehalem" in one for one in said):
        pytest.skip("numpy has no OpenBLAS here that chooses its kernel")
    assert len(said) == 2
