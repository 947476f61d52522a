"""Crosswalks: what they say, one behind the other, turned round, and what becomes of counts and rates."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.errors import Problem, Refused
from impact.sources.convert import convert_counts, convert_rates, unconvertible
from impact.sources.crosswalk import Crosswalk, between, read_crosswalks
from impact.sources.regions import Level
from tests.shared import shared

A, B, C, D = "WK000101", "WK000102", "WK000103", "WK000104"
CODES = (A, B, C, D)
NAMES = {"from": "van", "to": "naar", "share": "aandeel_van", "from_year": "van_jaar", "to_year": "naar_jaar"}


def walk(rows: list[tuple[str, str, float]], start: int = 2020, end: int = 2021, basis: str = "adres") -> Crosswalk:
    old, new, share = zip(*rows, strict=True) if rows else ((), (), ())
    return Crosswalk(Level.WIJK, start, end, basis, old, new, np.array(share, dtype=float))


def by_hand(rows: list[tuple[str, str, float]], counts: dict[str, float]) -> dict[str, float]:
    """Counts spread over new codes, one by one."""
    found: dict[str, float] = {}
    for code, count in counts.items():
        for new, share in [(n, s) for o, n, s in rows if o == code] or [(code, 1.0)]:
            found[new] = found.get(new, 0.0) + count * share
    return found


@st.composite
def shares(draw: st.DrawFn) -> list[tuple[str, str, float]]:
    """A crosswalk among four codes, in which each old code is listed or not."""
    rows = []
    for old in CODES:
        if draw(st.booleans()):
            new = draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=4, unique=True))
            part = np.array(draw(st.lists(st.integers(1, 20), min_size=len(new), max_size=len(new))), dtype=float)
            rows += [(old, code, float(share)) for code, share in zip(new, part / part.sum(), strict=True)]
    return rows


COUNTS = st.lists(st.integers(0, 10_000).map(float), min_size=4, max_size=4)


# --- counts and rates -------------------------------------------------------------------------------------------------


@given(shares(), COUNTS)
def test_counts_are_spread_as_by_hand_and_totals_stay(rows: list[tuple[str, str, float]], counts: list[float]) -> None:
    found = convert_counts(walk(rows), CODES, np.array(counts)[:, None])
    expected = by_hand(rows, dict(zip(CODES, counts, strict=True)))
    assert dict(zip(found.codes, found.values[:, 0].tolist(), strict=True)) == pytest.approx(expected, abs=1e-9)
    assert found.values.sum() == pytest.approx(sum(counts), rel=1e-12)


@given(shares(), shares(), COUNTS)
def test_a_chain_is_one_conversion_after_the_other(
    first: list[tuple[str, str, float]], second: list[tuple[str, str, float]], counts: list[float]
) -> None:
    one, two = walk(first), walk(second, 2021, 2022)
    middle = convert_counts(one, CODES, np.array(counts)[:, None])
    # A code that nobody lives in any more is still one of the codes of the middle year here.
    inside = dict(zip(middle.codes, middle.values[:, 0].tolist(), strict=True))
    after = convert_counts(two, CODES, [[inside.get(code, 0.0)] for code in CODES])
    whole = convert_counts(one.then(two), CODES, np.array(counts)[:, None])
    by_code = [pd.Series(found.values[:, 0], index=found.codes) for found in (whole, after)]
    difference = by_code[0].sub(by_code[1], fill_value=0.0)
    np.testing.assert_allclose(difference, 0.0, atol=1e-8)  # sums of at most 40,000


@given(shares(), COUNTS)
def test_there_and_back_again_gives_the_counts_of_the_basis(
    rows: list[tuple[str, str, float]], counts: list[float]
) -> None:
    there = walk(rows)
    after = convert_counts(there, CODES, np.array(counts)[:, None])
    back = convert_counts(there.back(CODES, counts), after.codes, after.values)
    found = dict(zip(back.codes, back.values[:, 0].tolist(), strict=True))
    assert {code: found.get(code, 0.0) for code in CODES} == pytest.approx(
        dict(zip(CODES, counts, strict=True)), abs=1e-8
    )


def test_a_code_that_took_in_a_part_and_is_not_listed_is_split_later_all_the_same() -> None:
    # B gets half of A in 2021 and is itself unlisted: all of it stays. In 2022 B falls apart.
    chain = walk([(A, A, 0.5), (A, B, 0.5)]).then(walk([(B, C, 0.25), (B, D, 0.75)], 2021, 2022))
    assert by_hand([*zip(chain.old, chain.new, chain.share.tolist(), strict=True)], {A: 80.0, B: 100.0}) == {
        A: 40.0,
        C: 10.0 + 25.0,
        D: 30.0 + 75.0,
    }


def test_what_is_unknown_stays_unknown_and_is_not_filled_in() -> None:
    counts = np.array([[np.nan, 8.0], [10.0, 10.0], [3.0, 3.0]])
    found = convert_counts(walk([(A, A, 0.5), (A, B, 0.5)]), (A, B, C), counts)
    assert found.codes == (A, B, C)
    np.testing.assert_array_equal(found.values, [[np.nan, 4.0], [np.nan, 14.0], [3.0, 3.0]])


def test_a_region_that_holds_part_of_one_that_was_not_given_is_unknown_and_named() -> None:
    rows = [(A, B, 0.5), (A, C, 0.5), (B, B, 1.0), (D, D, 0.9), (D, C, 0.1)]
    found = convert_counts(walk(rows), (A, B), [[10.0], [20.0]])
    np.testing.assert_array_equal(found.values[:, 0], [25.0, np.nan])
    assert found.lacking == {C: (D,)}
    assert found.crosswalked == {B: pytest.approx(5 / 25), C: None}


def test_a_code_that_may_be_new_in_the_middle_of_a_chain_is_not_lacking() -> None:
    chain = walk([(A, B, 1.0)]).then(walk([(B, C, 0.5), (B, D, 0.5)], 2021, 2022))
    found = convert_counts(chain, (A,), [[10.0]])
    assert (dict(found.lacking), found.values[:, 0].tolist()) == ({}, [5.0, 5.0])


def test_a_rate_is_taken_of_what_numerator_and_denominator_became() -> None:
    # Two thirds of A (30 of 100) and all of B (0 of 200) become C: 20 of 266.67 where a mean of rates says 10 or 15 %.
    found = convert_rates(
        walk([(A, C, 2 / 3), (A, D, 1 / 3), (B, C, 1.0)]), (A, B), [[30.0], [0.0]], [[100.0], [200.0]], per=1000
    )
    assert found.codes == (C, D)
    np.testing.assert_allclose(found.values[:, 0], [1000 * 20 / (200 / 3 + 200), 300.0])


def test_where_nobody_lives_there_is_no_rate() -> None:
    found = convert_rates(walk([]), (A, B), [[0.0], [1.0]], [[0.0], [4.0]])
    np.testing.assert_array_equal(found.values[:, 0], [np.nan, 0.25])


def test_a_score_is_refused_with_the_reason() -> None:
    found = unconvertible("leefbaarometer")
    assert isinstance(found, Refused)
    assert "without numerator and denominator" in str(found)


@pytest.mark.parametrize(
    ("codes", "counts", "why"),
    [
        ((A, A), [[1.0], [2.0]], "twice"),
        ((A, "BU00010100"), [[1.0], [2.0]], "BU00010100 is no wijk"),
        ((A, B), [[1.0]], "counts"),
    ],
)
def test_counts_that_do_not_fit_are_refused(codes: tuple[str, ...], counts: list[list[float]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        convert_counts(walk([]), codes, counts)


# --- the share that is crosswalked ------------------------------------------------------------------------------------


def test_only_residents_who_came_with_a_part_of_a_cut_region_are_crosswalked() -> None:
    rows = [(A, C, 0.4), (A, D, 0.6), (B, C, 1.0)]
    found = convert_counts(walk(rows), (A, B), [[5.0], [7.0]], residents=[100.0, 60.0])
    assert found.crosswalked == pytest.approx({C: 40 / 100, D: 1.0})
    assert found.share_of((C, D)) == pytest.approx(100 / 160)


def test_a_sliver_does_not_make_a_region_crosswalked_but_what_it_brings_is() -> None:
    found = convert_counts(walk([(A, A, 0.999), (A, B, 0.001)]), (A, B), [[1000.0], [9.0]])
    assert found.crosswalked == pytest.approx({A: 0.0, B: 1 / 10})
    strict = convert_counts(walk([(A, A, 0.999), (A, B, 0.001)]), (A, B), [[1000.0], [9.0]], whole=1.0)
    assert strict.crosswalked == pytest.approx({A: 1.0, B: 1 / 10})


def test_a_new_code_or_a_merger_is_not_crosswalked_even_where_residents_are_unknown() -> None:
    found = convert_counts(walk([(A, C, 1.0), (B, C, 1.0)]), (A, B), [[np.nan], [7.0]])
    assert found.crosswalked == {C: 0.0}


def test_where_residents_are_unknown_the_share_is_unknown_and_not_a_number() -> None:
    found = convert_counts(walk([(A, C, 0.5), (A, D, 0.5)]), (A, B), [[np.nan], [7.0]])
    assert found.crosswalked == {B: 0.0, C: None, D: None}
    assert found.share_of((B, C)) is None
    nobody = convert_counts(walk([(A, C, 0.5), (A, D, 0.5)]), (A,), [[0.0]])
    assert nobody.share_of((C,)) is None


@pytest.mark.parametrize("codes", [("WK999999",), (A, A)])
def test_an_area_consists_of_regions_of_the_new_division(codes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="new division"):
        convert_counts(walk([]), (A,), [[1.0]]).share_of(codes)


# --- what a crosswalk may say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([(A, B, 0.5), (A, C, 0.4)], "do not sum to 1"),
        ([(A, B, 1.0), (B, C, 0.0), (B, B, 1.0)], f"the share of {B} is not above 0"),
        ([(A, B, 0.5), (A, B, 0.5)], "twice"),
        ([(A, "GM0001", 1.0)], "GM0001 is no wijk"),
    ],
)
def test_a_crosswalk_that_cannot_be_is_refused(rows: list[tuple[str, str, float]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        walk(rows)


def test_a_crosswalk_leads_from_one_year_to_another() -> None:
    with pytest.raises(ValueError, match="2020-2020"):
        walk([], 2020, 2020)
    with pytest.raises(ValueError, match="do not follow"):
        walk([]).then(walk([], 2022, 2023))


def test_the_way_with_the_fewest_steps_is_taken() -> None:
    direct, first, second = walk([(A, B, 1.0)], 2020, 2022), walk([(A, C, 1.0)]), walk([], 2021, 2022)
    assert between([first, second, direct], Level.WIJK, 2020, 2022) is direct
    chain = between([second, first], Level.WIJK, 2020, 2022)
    assert isinstance(chain, Crosswalk)
    assert chain.new == (C,)


def test_years_that_are_not_covered_are_refused_and_named() -> None:
    found = between([walk([], 2020, 2021), walk([], 2022, 2023)], Level.WIJK, 2020, 2023)
    assert isinstance(found, Refused)
    assert "2020-2021 and 2022-2023" in str(found)
    # Never past the goal and back.
    assert isinstance(between([walk([], 2020, 2024), walk([], 2024, 2023)], Level.WIJK, 2020, 2023), Refused)
    assert isinstance(between([walk([])], Level.BUURT, 2020, 2021), Refused)
    stated = Crosswalk.unchanged(Level.WIJK, 2021, 2022, "adres")
    assert isinstance(between([walk([], 2020, 2021), stated], Level.WIJK, 2020, 2022), Crosswalk)


def test_several_bases_are_a_choice() -> None:
    both = [walk([]), walk([], basis="inwoners")]
    with pytest.raises(ValueError, match="adres, inwoners"):
        between(both, Level.WIJK, 2020, 2021)
    assert between(both, Level.WIJK, 2020, 2021, "inwoners") is both[1]


@pytest.mark.parametrize(
    ("codes", "counts", "why"),
    [((A,), [1.0], "no count"), ((A, A, B), [1, 2, 3], "twice"), ((A, B), [1.0, np.nan], "0 or more")],
)
def test_turning_round_needs_every_count(codes: tuple[str, ...], counts: list[float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        walk([(B, C, 1.0)]).back(codes, counts)


# --- files ------------------------------------------------------------------------------------------------------------

FILE = "from;to;year;share;basis\nWK000101;WK000101;2021;0,25;adres\nWK000101;WK000102;2021;0,75;adres\n"


def problems(path: Path) -> tuple[Problem, ...]:
    found = read_crosswalks(path)
    assert all(isinstance(one, Problem) for one in found), found
    return found  # type: ignore[return-value]


def read(path: Path, **options: object) -> tuple[Crosswalk, ...]:
    found = read_crosswalks(path, **options)  # type: ignore[arg-type]
    assert not any(isinstance(one, Problem) for one in found), found
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_a_file_is_read_whatever_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"walk.{kind}"
    table = pd.DataFrame({"from": [A, A, "GM0001"], "to": [A, B, "GM0002"], "share": [0.25, 0.75, 1.0]})
    table = table.assign(year=[2021, 2021, 2022], basis="adres")
    {"csv": table.to_csv, "parquet": table.to_parquet, "xlsx": table.to_excel}[kind](path, index=False)
    gemeente, wijk = read(path)
    assert (gemeente.level, gemeente.start, gemeente.end, gemeente.new) == (Level.GEMEENTE, 2021, 2022, ("GM0002",))
    assert (wijk.level, wijk.start, wijk.end, wijk.basis) == (Level.WIJK, 2020, 2021, "adres")
    assert dict(zip(wijk.new, wijk.share.tolist(), strict=True)) == {A: 0.25, B: 0.75}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("0,75", "0,70"), "DATA-140", "the shares of WK000101 do not sum to 1 (rows 2 and 3)"),
        (("0,75", "0"), "DATA-140", "above 0 and is at most 1 (row 3)"),
        (("0,75", "."), "DATA-140", "above 0 and is at most 1 (row 3)"),
        (("WK000102", "BU00010200"), "DATA-141", "of one level (row 3)"),
        (("WK000102", "WK000101"), "DATA-142", "stands once in its years and basis (rows 2 and 3)"),
        (("WK000102;2021", "WK000102;21"), "DATA-143", "a year is that of a division (row 3)"),
        (("share", "deel"), "DATA-107", "column 'share' is missing"),
        (("year", "jaar"), "DATA-107", "column 'year' is missing"),
        (("WK000102", "Centrum"), "DATA-109", "'Centrum' in row 3"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_row(
    tmp_path: Path, change: tuple[str, str], code: str, said: str
) -> None:
    path = tmp_path / "walk.csv"
    path.write_text(FILE.replace(*change), encoding="utf-8")
    found = [problem for problem in problems(path) if problem.code == code]
    assert len(found) >= 1
    assert said in found[0].message


# --- the published crosswalk of 2016 to 2024 --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> tuple[pd.DataFrame, tuple[Crosswalk, ...]]:
    path = shared("data/crosswalk/wijk_gemeente_omzetmatrix_2016_2024_long.csv.gz")
    return pd.read_csv(path), read(path, columns=NAMES)


def test_every_published_pair_keeps_its_sum_and_comes_back(
    published: tuple[pd.DataFrame, tuple[Crosswalk, ...]],
) -> None:
    table, walks = published
    groups = dict(list(table.groupby(["niveau", "van_jaar", "naar_jaar", "basis"])))
    assert len(walks) == len(groups) == 140
    for walk in walks:
        rows = groups[walk.level.value, walk.start, walk.end, walk.basis]
        addresses = rows.groupby("van")["adressen"].sum()
        codes = tuple(addresses.index)
        after = convert_counts(walk, codes, addresses.to_numpy()[:, None])
        # Against the addresses that the file itself counts in every new region, and their sum.
        expected = rows.groupby("naar")["adressen"].sum()
        assert after.codes == tuple(expected.index)
        np.testing.assert_allclose(after.values[:, 0], expected.to_numpy(), rtol=1e-9)
        assert abs(after.values.sum() - addresses.sum()) < 1e-9 * addresses.sum()
        back = convert_counts(walk.back(codes, addresses.to_numpy()), after.codes, after.values)
        assert back.codes == codes
        np.testing.assert_allclose(back.values[:, 0], addresses.to_numpy(), rtol=1e-9)
        assert all(share is not None and 0 <= share <= 1 for share in after.crosswalked.values())


def test_the_share_crosswalked_is_that_of_the_addresses_of_cut_regions(
    published: tuple[pd.DataFrame, tuple[Crosswalk, ...]],
) -> None:
    table, walks = published
    rows = table.query("niveau == 'wijk' and basis == 'adres' and van_jaar == 2021 and naar_jaar == 2022")
    found = between(walks, Level.WIJK, 2021, 2022, "adres")
    assert isinstance(found, Crosswalk)
    addresses = rows.groupby("van")["adressen"].sum()
    after = convert_counts(found, tuple(addresses.index), addresses.to_numpy()[:, None])
    cut = rows[rows["aandeel_van"] < 0.99].groupby("naar")["adressen"].sum()
    expected = (cut / rows.groupby("naar")["adressen"].sum()).fillna(0.0)
    assert after.crosswalked == pytest.approx(expected.to_dict())
    almere = [code for code in after.codes if code.startswith("WK0034")]
    # All but the 4 addresses of WK003406, which became WK003496 as a whole.
    assert after.share_of(almere) == pytest.approx(1 - 4 / (11429 + 47041 + 24197 + 9248 + 3777 + 4))


def test_a_chain_of_years_comes_near_what_was_measured_at_once(
    published: tuple[pd.DataFrame, tuple[Crosswalk, ...]],
) -> None:
    table, walks = published
    only_years = [walk for walk in walks if walk.end == walk.start + 1]
    for basis in ("adres", "woonadres"):
        direct = between(walks, Level.WIJK, 2016, 2024, basis)
        chain = between(only_years, Level.WIJK, 2016, 2024, basis)
        assert isinstance(direct, Crosswalk)
        assert isinstance(chain, Crosswalk)
        rows = table.query("niveau == 'wijk' and basis == @basis and van_jaar == 2016 and naar_jaar == 2024")
        counted = rows.groupby("van")["adressen"].sum()
        # Codes that changed on the way and were the same again in 2024 stand in the chain alone.
        addresses = counted.reindex(
            sorted({*counted.index, *chain.old} - (chain.perhaps - {*counted.index})), fill_value=0
        )
        one, two = (
            convert_counts(walk, tuple(addresses.index), addresses.to_numpy()[:, None]) for walk in (direct, chain)
        )
        assert two.values.sum() == pytest.approx(addresses.sum(), rel=1e-9)
        a, b = (pd.Series(found.values[:, 0], index=found.codes) for found in (one, two))
        moved = a.sub(b, fill_value=0.0).abs().sum() / 2 / addresses.sum()
        assert 0 < moved < 0.005  # 0.4 % of the addresses end elsewhere; of other pairs fewer


def test_gemeenten_in_every_pair_of_years_can_be_chained_where_years_without_change_are_stated(
    published: tuple[pd.DataFrame, tuple[Crosswalk, ...]],
) -> None:
    _, walks = published
    yearly = [walk for walk in walks if walk.end == walk.start + 1]
    # No gemeente changed on 1 January 2020 and 2024: the file has no rows, and what is not there is not assumed.
    assert isinstance(between(yearly, Level.GEMEENTE, 2016, 2024, "adres"), Refused)
    stated = [Crosswalk.unchanged(Level.GEMEENTE, year - 1, year, "adres") for year in (2020, 2024)]
    for start, end in itertools.combinations(range(2016, 2025), 2):
        assert isinstance(between([*yearly, *stated], Level.GEMEENTE, start, end, "adres"), Crosswalk)
