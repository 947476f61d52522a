"""`impact data areas`: what is listed, what is ordered for focus and comparison areas alike, and what is drawn."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from openpyxl import load_workbook

from impact.errors import DataError
from impact.register.areas import Confidence, Member, areas
from impact.sources.regions import RegionKey
from impact.study.area_order import Part, comparison_parts, focus_parts, lies_in, ordered
from tests.shared import shared
from tests.study.conftest import impact

HEAD = "area;code;vintage;share;source\n"


def member(code: str, share: float | None = 1.0, vintage: int | None = 2024) -> Member:
    return Member("", code, vintage, share, "test", Confidence.HIGH)


def order_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- listed -----------------------------------------------------------------------------------------------------------


def test_every_area_is_listed_with_source_and_confidence() -> None:
    ended = impact("data", "areas")
    assert ended.code == 0
    for area in areas():
        lines = [line for line in ended.out.splitlines() if line.split()[0] == area.slug]
        assert len(lines) == max(len(area.members), 1)
        for line, one in zip(lines, area.members, strict=False):
            assert all(text in line for text in (one.name, one.code, one.source, one.confidence.value))
        if not area.members:
            assert "which wijken and buurten lie in it is not known" in lines[0]
    assert "None" not in ended.out


def test_a_file_of_ones_own_goes_before_the_register(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(f"{HEAD}breda-noord;WK075801;2024;1;raadsbesluit\n", encoding="utf-8")
    ended = impact("data", "areas", "--members", own)
    line = next(line for line in ended.out.splitlines() if line.strip().startswith("breda-noord"))
    assert "WK075801" in line
    assert "raadsbesluit" in line


# --- ordered ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "member_", "inside"),
    [
        ("BU05183387", "WK051833", True), ("BU05183387", "GM0518", True), ("WK051833", "GM0518", True),
        ("WK051833", "WK051833", True), ("BU05183487", "WK051833", False), ("WK051833", "BU05183387", False),
        ("BU0363TA01", "WK0363TA", True), ("GM0518", "NL00", False), ("GM0518", "WK051833", False),
    ],
)  # fmt: skip
def test_which_region_lies_in_which(code: str, member_: str, inside: bool) -> None:
    assert lies_in(code, member_) is inside


def test_a_wijk_becomes_the_buurten_of_its_own_year() -> None:
    buurten = {
        RegionKey("BU05183301", 2024): "A",
        RegionKey("BU05183302", 2024): "B",
        RegionKey("BU05183309", 2020): "C",
    }
    (one, two) = ordered(comparison_parts({"x": [member("WK051833")]}), buurten)
    assert [(part.code, part.name, part.vintage, part.todo) for part in (one, two)] == [
        ("BU05183301", "A", 2024, ""),
        ("BU05183302", "B", 2024, ""),
    ]


@pytest.mark.parametrize(
    ("given", "todo"),
    [
        (member(""), "its code is not known"),
        (member("WK051833", None), "which part of it lies in the area is not known"),
        (member("WK051833", 0.5), "only a part of it"),
        (member("WK051833", vintage=None), "the year of its code is not known"),
        (member("WK051833"), "its buurten of 2024 are not in the list"),
        (member("BU05183301"), ""),
    ],
)
def test_what_cannot_be_ordered_stays_in_the_list_with_what_to_do(given: Member, todo: str) -> None:
    (part,) = ordered(comparison_parts({"x": [given]}), {RegionKey("BU05183401", 2024): ""})
    assert todo in part.todo
    assert bool(part.todo) is bool(todo)


def parts(*pairs: tuple[str, Member]) -> list[Part]:
    return [part for slug, one in pairs for part in comparison_parts({slug: [one]})]


@pytest.mark.parametrize(
    "pairs",
    [
        (("x", member("BU05183301")), ("y", member("BU05183301"))),
        (("x", member("BU05183301")), ("x", member("BU05183301"))),
        (("x", member("WK051833")), ("y", member("BU05183301"))),
        (("x", member("WK051833")), ("y", member("BU05183301", 0.5))),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_ground_that_is_in_two_areas_is_an_error(pairs: tuple[tuple[str, Member], ...], known: bool) -> None:
    with pytest.raises(DataError, match="DATA-149"):
        ordered(parts(*pairs), {RegionKey("BU05183301", 2024): ""} if known else {})


def test_parts_of_one_region_may_be_in_two_areas_and_codes_of_two_years_are_two_regions() -> None:
    assert len(ordered(parts(("x", member("WK051833", 0.4)), ("y", member("WK051833", 0.6))), {})) == 2
    assert len(ordered(parts(("x", member("BU05183301")), ("y", member("BU05183301", vintage=2020))), {})) == 2


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_order_holds_focus_and_comparison_areas(tmp_path: Path, kind: str) -> None:
    comparison, buurten, out = (tmp_path / name for name in ("comparison.csv", "buurten.csv", f"order.{kind}"))
    comparison.write_text(f"{HEAD}loosduinen;WK051816;2024;1;matched\n", encoding="utf-8")
    buurten.write_text(
        "code;vintage;name\nGM0518;2024;Den Haag\nWK051816;2024;Wijk 16\nBU05181601;2024;Eén\nBU05181602;2024;Twee\n"
        "BU05183301;2024;Drie\nBU05181603;2020;Vier\n",
        encoding="utf-8",
    )
    ended = impact("data", "areas", "--comparison", comparison, "--buurten", buurten, "--order", out)
    assert ended.code == 1  # of most areas of the register not everything is known
    assert "cannot be ordered yet" in ended.err
    if kind == "csv":
        rows = order_of(out)
    else:
        head, *cells = load_workbook(out).active.iter_rows(values_only=True)  # type: ignore[union-attr]
        rows = [
            {str(name): "" if cell is None else str(cell) for name, cell in zip(head, row, strict=True)}
            for row in cells
        ]
    ready = [(row["area"], row["role"], row["code"], row["name"]) for row in rows if not row["todo"]]
    assert ("loosduinen", "comparison", "BU05181601", "Eén") in ready
    assert ("loosduinen", "comparison", "BU05181602", "Twee") in ready
    assert ("den-haag-zuidwest", "focus", "BU05183301", "Drie") in ready
    # Nothing is lost: every other part of the register stands there too, with its own reason or as a buurt.
    for area in areas():
        assert sum(row["area"] == area.slug for row in rows) >= max(len(area.members), 1)
    assert all(row["code"].startswith("BU") for row in rows if not row["todo"])


def test_an_order_without_comparison_areas_says_what_that_means(tmp_path: Path) -> None:
    ended = impact("data", "areas", "--order", tmp_path / "order.csv")
    assert ended.code == 1
    assert "no comparison areas, and their small cells stay hidden" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}delft-west;WK050301;2024;1;x\n", "delft-west is a focus area"),
        (f"{HEAD}x;WK050301;2024;2;x\n", "a share lies above 0"),
        ("area;code\nx;WK050301\n", "column 'vintage' is missing"),
    ],
)
def test_comparison_areas_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "comparison.csv"
    path.write_text(text, encoding="utf-8")
    ended = impact("data", "areas", "--comparison", path)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--order", "order.pdf"), "'.pdf' files are not written"),
        (("--map", "map.svg"), "needs --borders FILE"),
        (("--map", "map.pdf", "--borders", "x.geojson"), "is written as .svg"),
    ],
)
def test_what_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = impact("data", "areas", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert not list(tmp_path.iterdir())


def test_a_list_of_buurten_has_years_of_divisions(tmp_path: Path) -> None:
    path = tmp_path / "buurten.csv"
    path.write_text("code;vintage\nBU05181601;24\n", encoding="utf-8")
    ended = impact("data", "areas", "--buurten", path, "--order", tmp_path / "o.csv")
    assert ended.code == 2
    assert "DATA-143" in ended.err


# --- drawn ------------------------------------------------------------------------------------------------------------


def test_the_map_draws_what_has_a_border_and_lies_in_an_area_as_a_whole(tmp_path: Path) -> None:
    pytest.importorskip("shapely")
    borders = shared("data/thehague_crime/haaglanden_wijken_polygonen.geojson")
    out = tmp_path / "map.svg"
    ended = impact("data", "areas", "--map", out, "--borders", borders, "--region", "wk_code")
    assert ended.code == 1  # most areas lie elsewhere
    assert "not on the map" in ended.err
    drawn = out.read_text(encoding="utf-8")
    # Den Haag Zuidwest has three wijken; of Delft West two as a whole, and Tanthof-West for an unknown part.
    assert "5 regions in focus areas, 0 in comparison areas" in drawn
    wrong = impact("data", "areas", "--map", out, "--borders", borders, "--region", "naam")
    assert wrong.code == 2
    assert "holds no region codes" in wrong.err


def test_parts_of_the_register_are_all_there() -> None:
    assert {part.area for part in focus_parts(areas())} == {area.slug for area in areas()}
