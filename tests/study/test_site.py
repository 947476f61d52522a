"""``impact site``: from bundles that anybody may have made to a folder that can be published."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import html5lib  # type: ignore[import-untyped]
import pytest

import impact
from impact.errors import DataError, WriteError
from impact.evidence.addresses import primary_address
from impact.evidence.reading import plain
from impact.study import site as writing
from impact.study.collection import read_collection
from impact.study.log import LOG, read_log
from impact.study.read import read_study
from impact.study.site import Site, bundles_in, write_site
from impact.study.withdrawing import withdraw
from tests.browser import PHONE, Open, axe
from tests.readable import by_keyboard, in_print, pictures, sideways
from tests.study.collected import written
from tests.study.conftest import impact as command
from tests.study.conftest import tree
from tests.study.forging import Sound, sound


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return sound(tmp_path_factory.mktemp("listed"))


@pytest.fixture(scope="module")
def bundles(whole: Sound, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle twice, one that was changed, one that says it was made with other versions, and what is none."""
    root = tmp_path_factory.mktemp("bundles")
    shutil.copytree(whole.small.out, root / "b" / "diep" / "niveau")
    shutil.copy(whole.small.out / "bundle.zip", root / "a-kopie.zip")
    (root / "kapot.zip").write_bytes(b"nonsense")
    (root / "<b>.zip").write_bytes(b"nonsense")
    (root / "lees.txt").write_text("Geen bundel.", encoding="utf-8")
    (root / ".verborgen").mkdir()
    shutil.copy(whole.small.out / "bundle.zip", root / ".verborgen" / "x.zip")
    changed = whole.forge(root / "veranderd")
    changed.text("report.html", ("</main>", "<p>Veel beter.</p></main>"))
    changed.folder()
    other = whole.forge(root / "z-ander")
    other.text("report.html", ("</main>", "<script>alert(1)</script></main>"))
    other.json("manifest.json", lambda value: value["versions"].update({"impact-nplv": "0.0.9"}))
    other.mend()
    other.folder()
    return root


@pytest.fixture(scope="module")
def made(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return write_site(bundles, tmp_path_factory.mktemp("made") / "site", studies=bundles / "geen")


# --- what comes into it -----------------------------------------------------------------------------------------------


def test_what_is_found(bundles: Path) -> None:
    found = [path.relative_to(bundles).as_posix() for path in bundles_in(bundles)]
    assert found == ["<b>.zip", "a-kopie.zip", "b/diep/niveau", "kapot.zip", "veranderd/map", "z-ander/map"]


def test_a_bundle_is_listed_once_and_one_that_is_not_in_order_is_named(made: Site, whole: Sound) -> None:
    lock8 = read_log(whole.small.root).of("locked")[-1].lock8
    names = [one.name for one in made.listed]
    assert len(names) == 2 and all(name.startswith(f"niveau-{lock8}-1") for name in names)
    assert [one.place for one in made.unfit] == ["<b>.zip", "kapot.zip", "veranderd/map"]
    why = " ".join(map(str, made.unfit[-1].why["nl"]))
    assert "report.html is gewijzigd" in why
    page = (made.path / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;.zip" in page and "<b>.zip" not in page and "veranderd/map" in page and "Veel beter" not in page


def test_it_stands_by_itself(made: Site, whole: Sound) -> None:
    """Every link leads to a file of the site, every file is named with its digest, and the zips are those of runs."""
    files = tree(made.path)
    for name, content in files.items():
        if name.endswith(".html"):
            root = html5lib.HTMLParser(namespaceHTMLElements=False).parse(content.decode("utf-8"))
            assert b"<script>alert" not in content
            for node in root.iter():
                target = (node.get("href") or "").partition("#")[0]
                assert (made.path / name).parent.joinpath(target).resolve().exists(), target
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert json.loads(files["site.json"])["files"].keys() == files.keys() - {"site.json", "SHA256SUMS"}
    sums = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: digests[name] for name in sums} and len(sums) == len(files) - 2
    for one in made.listed:
        assert digests[one.archive] == one.sha256
        assert one.sha256 in files["index.html"].decode()
        again = impact.verify(made.path / one.archive, sha256=one.sha256)
        assert not again.differs
    same = next(one for one in made.listed if files[one.archive] == (whole.small.out / "bundle.zip").read_bytes())
    folder = Path(same.archive).parent.as_posix()
    for page in ("report.html", "report.en.html"):
        assert files[f"{folder}/{page}"] == whole.files[page]
    assert all(f"{folder}/gebied-gebied-{area}{end}.html" in files for area in "abcde" for end in ("", ".en"))


def test_the_same_bytes_again_over_the_last_site(made: Site, bundles: Path) -> None:
    before = tree(made.path)
    ended = command("site", bundles, "--out", made.path, "--studies", bundles / "geen")
    assert (ended.code, ended.out.strip()) == (1, str(made.path / "index.html"))
    assert tree(made.path) == before
    assert str(bundles).encode() not in b"".join(content for name, content in before.items() if name.endswith(".html"))


def test_what_was_withdrawn_later(whole: Sound, tmp_path: Path) -> None:
    study = tmp_path / "studies" / "niveau"
    study.mkdir(parents=True)
    for name in ("study.yaml", "study.lock", LOG):
        shutil.copy(whole.small.root / name, study / name)
    withdraw(read_study(study / "study.yaml"), "een fout in de bron", "", "")
    found = write_site(whole.small.out, tmp_path / "site", studies=tmp_path / "studies")
    page = (found.path / "index.html").read_text(encoding="utf-8")
    assert "INGETROKKEN" in page and "een fout in de bron" in page
    assert "WITHDRAWN" in (found.path / "index.en.html").read_text(encoding="utf-8")


def test_a_collection_is_one_entry_with_the_pages_of_its_studies(tmp_path: Path) -> None:
    file = written(tmp_path / "samen")
    impact.run(read_collection(file), data=[file.parent], out=tmp_path / "uit")
    found = write_site(tmp_path / "uit", tmp_path / "site", studies=tmp_path)
    (one,) = found.listed
    assert found.unfit == () and one.title == {"nl": "Samen", "en": "Together"}
    there = set(tree(found.path))
    assert {*one.reports, *one.front.values(), one.archive} <= there
    assert [report.rpartition(one.name)[2] for report in one.reports] == [
        "/criminaliteit/report.html",
        "/uitkering/report.html",
    ]
    for page in there:
        if page.endswith(".html"):
            root = html5lib.HTMLParser(namespaceHTMLElements=False).parse((found.path / page).read_text("utf-8"))
            for target in filter(None, ((node.get("href") or "").partition("#")[0] for node in root.iter())):
                assert (found.path / page).parent.joinpath(target).resolve().exists(), (page, target)
    assert str(primary_address(one.outcomes[0])).partition("#")[2] in one.addresses[0]
    assert one.addresses[0].startswith("samen@unlocked-")
    withdraw(read_collection(file), "de families waren andere", "", "")
    withdraw(read_study(file.parent / "uitkering" / "study.yaml"), "een fout in de bron", "", "")
    for studies in (tmp_path, file.parent):  # in a folder of its own, or among the studies
        (one,) = write_site(tmp_path / "uit", tmp_path / "site", studies=studies).listed
        said = [" ".join(plain(part) for part in gone["nl"]) for gone in one.withdrawn]
        assert all("de families waren andere" in text for text in said)
        assert ["een fout in de bron" in text for text in said] == [False, True]


# --- where it comes ---------------------------------------------------------------------------------------------------


def test_an_interrupted_run_leaves_the_last_site(made: Site, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(made.path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "entry", stop)
    with pytest.raises(KeyboardInterrupt):
        write_site(bundles / "b", made.path)
    assert tree(made.path) == before
    assert [one.name for one in made.path.parent.iterdir()] == ["site"]


def test_no_place_for_a_site(bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "iets").write_text("van iemand anders", encoding="utf-8")
    for out in (tmp_path, tmp_path / "iets", bundles, bundles / "b", bundles / "b" / "diep" / "niveau" / "site"):
        before = tree(bundles)
        with pytest.raises(WriteError) as caught:
            write_site(bundles, out)
        assert caught.value.problems[0].code == "SITE-002"
        assert tree(bundles) == before
    assert (tmp_path / "iets").read_text(encoding="utf-8") == "van iemand anders"
    with pytest.raises(DataError) as none:
        write_site(tmp_path, tmp_path / "site")
    assert none.value.problems[0].code == "SITE-001"


def test_a_site_among_the_bundles_is_no_bundle(made: Site, tmp_path: Path) -> None:
    shutil.copytree(made.path, tmp_path / "site")
    assert len(bundles_in(tmp_path)) == len(made.listed)
    with pytest.raises(DataError):
        bundles_in(tmp_path, but=tmp_path / "site")


@pytest.mark.parametrize(("key", "value"), [("study", "../../weg"), ("indicator", "x/../../weg")])
def test_no_name_leads_out_of_the_site(key: str, value: str, whole: Sound, tmp_path: Path) -> None:
    forged = whole.forge(tmp_path / "in")
    (tmp_path / "in").mkdir()
    forged.outcome(lambda outcome: outcome.update({key: value}))
    forged.mend()
    forged.zip()
    before = set(tree(tmp_path))
    found = write_site(tmp_path / "in", tmp_path / "uit" / "site")
    assert (found.listed, len(found.unfit)) == ((), 1)
    assert {name for name in tree(tmp_path) if not name.startswith("uit/site/")} == before


# --- for everyone -----------------------------------------------------------------------------------------------------


def test_a_whole_site_is_accessible(made: Site, page: Open) -> None:
    """From the front page by keyboard to a report, on a phone."""
    shown = page(made.path / "index.html", width=PHONE)
    assert axe(shown) + sideways(shown) == []
    shown.get_by_role("link", name="Niveau", exact=True).first.press("Enter")
    assert "/bundels/" in shown.url and shown.url.endswith("/report.html")
    assert axe(shown) + pictures(shown) + sideways(shown) + by_keyboard(shown) == []
    assert in_print(page(made.path / made.listed[0].reports[0])) == []
    shown = page(made.path / "gebieden.html", width=PHONE)
    shown.get_by_role("link", name="De pagina van gebied-a").first.press("Enter")
    assert "/gebied-gebied-a.html" in shown.url
    assert axe(shown) + sideways(shown) + by_keyboard(shown) == []
