"""A locked collection after its run: what it states, whether it holds together, and how a number of it is cited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impact.evidence.collection_page import collection_document
from impact.evidence.document import Paragraph
from impact.evidence.reading import plain
from impact.files import zipped
from impact.study.archive import Contents, read_contents
from impact.study.bundle import Bundle, collection_in, read_bundle
from impact.study.collection_verify import fixed_together
from impact.study.unchanged import read_manifest, unchanged
from impact.study.verification import Said
from impact.study.verify import outcomes_in, verify
from tests.study.collected import SLUGS, cells, fixed_beforehand
from tests.study.conftest import impact, tree


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = fixed_beforehand(tmp_path_factory.mktemp("locked"))
    done = impact("run", path, "--data", path.parent, "--out", path.parent / "out")
    assert done.code in (0, 1), done.err
    assert "pre-specified" in done.err
    return read_bundle(path.parent / "out")


def root(bundle: Bundle) -> Path:
    return bundle.path.parent


def test_a_statement_rests_on_the_interval_of_the_family(bundle: Bundle) -> None:
    assert bundle.collected is not None
    assert bundle.collected.standing.status == "pre-specified"
    assert {one.status for one in bundle.outcomes} == {"pre-specified"}
    document = collection_document(bundle.outcomes, bundle.collected)
    blocks = [block for block in document.front[0].blocks if isinstance(block, Paragraph)]
    said = [" ".join(plain(piece) for piece in block.pieces) for block in blocks]
    for evidence in bundle.outcomes:
        member = next(one for one in evidence.families[0].members if one.indicator == evidence.indicator)
        assert member.low is not None and evidence.primary.low is not None
        assert member.low < evidence.primary.low
        shown = f"{member.low:+.1f}".replace(".", ",").replace("-", "−")
        assert f"van {shown} tot" in cells(bundle)[evidence.indicator][4]
        (own,) = [text for text in said if f"#{evidence.indicator}." in text]
        assert f"van {shown.lstrip('+−')} " in own
        assert f"samen@{bundle.collected.standing.lock8}.1#{evidence.indicator}.average.2022-2024" in own


# --- verify -----------------------------------------------------------------------------------------------------------


def test_a_bundle_holds_together_and_comes_out_the_same_again(bundle: Bundle) -> None:
    found = verify(bundle.path / "bundle.zip", data=[root(bundle)], rerun=True)
    assert [level.verdict for level in found.levels] == ["yes", "yes", "yes"], found.summary("en")
    assert found.recomputed.sentence.key == "recomputed.identical"
    alone = verify(bundle.path / "uitkering", data=[root(bundle)], rerun=True)
    assert not alone.differs, alone.summary("en")
    assert "judged together in the collection ‘samen’" in alone.summary("en")


def changed(bundle: Bundle, tmp_path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The bundle with something changed, and with every digest made to fit."""
    files = {name: content for name, content in tree(bundle.path).items() if name != "bundle.zip"}
    change(files)
    contents = Contents(tmp_path, files, None)
    assert unchanged(contents, read_manifest(contents)).verdict == "no"
    for place in (*(f"{slug}/" for slug in SLUGS), ""):
        manifest = json.loads(files[f"{place}manifest.json"])
        own = {name.removeprefix(place): content for name, content in files.items() if name.startswith(place)}
        own.pop("manifest.json")
        manifest["outputs"] = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(own.items())}
        text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        files[f"{place}manifest.json"] = text.encode()
    target = tmp_path / "bundle.zip"
    target.write_bytes(zipped(files))
    return target


def edited(name: str, change: Callable[[Any], object]) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()

    return apply


def cut_ledger(files: dict[str, bytes]) -> None:
    files["collection.log.jsonl"] = files["collection.log.jsonl"].split(b"\n")[0] + b"\n"


def drop_family(files: dict[str, bytes]) -> None:
    files["collection.yaml"] = files["collection.yaml"].replace(b"risicoscores, ", b"")


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (edited("results.json", lambda v: v["outcomes"][0]["primary"].update(value=-9.0)), "recomputed"),
        (edited("results.json", lambda v: v["collection"]["rows"].reverse()), "fixed"),
        (edited("uitkering/results.json", lambda v: v["outcomes"][0]["primary"].update(value=-9.0)), "recomputed"),
        (edited("collection.lock", lambda v: v["design"]["studies"].update(uitkering="00000000")), "fixed"),
        (cut_ledger, "fixed"),
        (drop_family, "fixed"),
        (lambda files: files.update({"uitkering/meer.txt": b"meer"}), "recomputed"),
    ],
)
def test_whatever_is_changed_is_found(
    bundle: Bundle, tmp_path: Path, change: Callable[[dict[str, bytes]], None], level: str
) -> None:
    place = changed(bundle, tmp_path, change)
    if level == "recomputed":
        found = verify(place)
        assert (found.unchanged.verdict, found.recomputed.verdict) == ("yes", "no"), found.summary("en")
        return
    contents = read_contents(place)
    outcomes, value = outcomes_in(contents), collection_in(contents.files["results.json"], "results.json")
    assert not isinstance(outcomes, Said) and value is not None
    manifest = read_manifest(contents)
    assert unchanged(contents, manifest).verdict == "yes"
    assert fixed_together(contents, manifest, outcomes, value).verdict == "no"


# --- cite -------------------------------------------------------------------------------------------------------------


def test_a_number_is_cited_by_the_collection_or_by_its_study(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root(bundle))
    assert bundle.collected is not None
    study = next(one for one in bundle.outcomes if one.indicator == "uitkering")
    number = "#uitkering.average.2022-2024"
    by_collection = f"{bundle.collected.place}{number}"
    for address in (by_collection, f"uitkering@{study.standing.lock8}.1{number}"):
        done = impact("cite", address, bundle.path)
        assert done.code == 0, done.err
        assert address in done.out and "bundle.zip" in done.out
        member = next(one for one in study.families[0].members if one.indicator == "uitkering")
        assert member.low is not None
        assert f"van {abs(member.low):.1f}".replace(".", ",") in done.out
        assert f", slot {address.partition('@')[2].partition('.')[0]}, " in done.out, "of what is cited"
        assert impact("show", address, bundle.path).code == 0
    shown = impact("show", bundle.path, "family")
    assert "band_low" in shown.out and bundle.collected.place.lock in shown.err
    for wrong, code in (
        (by_collection.replace("samen@", "anders@"), "ADDRESS-002"),
        (by_collection.replace(".1#", ".2#"), "ADDRESS-003"),
        (by_collection.replace("#uitkering", "#doorstroom"), "ADDRESS-005"),
    ):
        refused = impact("cite", wrong, bundle.path)
        assert refused.code == 2 and code in refused.err


def test_a_withdrawn_collection_says_so_at_every_number(bundle: Bundle) -> None:
    """Last of all: the ledger beside the collection has a line more from here on."""
    assert bundle.collected is not None
    path = root(bundle) / "samen.yaml"
    assert impact("withdraw", path, "--why", "een fout in de families").code == 0
    done = impact("cite", f"{bundle.collected.place}#uitkering.average.2022-2024", bundle.path, "--study", path)
    assert done.code == 1 and "een fout in de families" in done.out
