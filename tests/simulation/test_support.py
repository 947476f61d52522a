"""The support table: that it follows its own rule, is read as it says, and is of this code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impact.errors import Refused
from impact.estimators.registry import ESTIMATORS
from impact.inference.registry import INFERENCES
from impact.inference.support import BAND, ENOUGH, cells, judged, mc_error, status, support
from tests.simulation import digest
from tests.simulation.support import HARD, PAGE, Job, Line, alike, made_of, measure, page, read

STALE = (
    "The support table (impact/inference/support.csv) is stale: it was made by simulation when these pairs gave other "
    "numbers on the panels of tests/simulation/digest.py:\n  {pairs}\n"
    "If the change was not meant, undo it. If it was, make the table again for these pairs "
    "(python -m tests.simulation.support FILE, then with the word table), and write the numbers anew "
    "(python -m tests.simulation.digest)."
)


def test_every_cell_has_the_word_of_its_rates() -> None:
    assert len({(one.estimator, one.inference, one.treated) for one in cells()}) == len(cells())
    for one in cells():
        assert one.estimator in ESTIMATORS and one.inference in INFERENCES
        rates = [rate for rate in (one.most, one.least) if rate is not None]
        assert one.status == judged(rates, one.worlds), one
        if one.most is None:
            assert "; refused: " in one.design
            continue
        assert one.least is not None and one.mc_error == round(mc_error(one.most, one.worlds), 4)
        assert one.coverage is None or one.coverage >= 1 - one.most - 1e-9
        assert one.status not in ("sized", "conservative") or one.worlds >= ENOUGH


def test_the_rule_is_on_limits_and_on_enough_worlds() -> None:
    """At 5,000 worlds two errors of 7.5 % are 0.75 percentage points, of 2.5 % 0.44."""
    assert judged([0.05], ENOUGH) == judged([0.067, 0.030], ENOUGH) == "sized"
    assert judged([0.068], ENOUGH) == judged([0.05, 0.2], ENOUGH) == "unsized"
    assert judged([0.05, 0.029], ENOUGH) == judged([0.0], ENOUGH) == "conservative"
    assert judged([0.05], ENOUGH - 1) == "unsized"
    assert judged([], ENOUGH) == "refused"
    assert 0.067 + 2 * mc_error(0.067, ENOUGH) < BAND[1] < 0.068 + 2 * mc_error(0.068, ENOUGH) + 1e-3


def test_between_two_numbers_the_worse_counts_and_beyond_the_largest_the_largest() -> None:
    """Of a table of its own, so that it holds whatever the simulation finds."""
    words = {4: "unsized", 6: "conservative", 10: "sized", 19: "sized"}
    first = next(one for one in cells() if one.estimator == "did")
    table = {count: replace(first, treated=count, status=word, largest=1.5 / count) for count, word in words.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("impact.inference.support._by_pair", lambda: {("did", "wild"): table})
        found = {count: support("did", "wild", count) for count in (0, 3, 4, 5, 6, 8, 10, 12, 19, 200)}
        assert found == {
            0: "unsized",
            3: "unsized",
            4: "unsized",
            5: "unsized",
            6: "conservative",
            8: "conservative",
            10: "sized",
            12: "sized",
            19: "sized",
            200: "sized",
        }
        # One cluster with more of the weight than in the worlds of 19: as if there were 10, 6, 4, or nothing like it.
        shares = {share: support("did", "wild", 19, share) for share in (0.07, 0.15, 0.25, 0.3, 0.4)}
        assert list(shares.values()) == ["sized", "sized", "conservative", "unsized", "unsized"]
        assert support("did", "by-guess", 19) == support("a-new-method", "wild", 19) == "unsized"


def test_the_word_beside_a_number() -> None:
    why = Refused("an interval", "there are too few")
    assert status("did", "cluster-jackknife", why, 19) == "refused: there are too few"
    assert status("did", "cluster-jackknife", None, 19, 0.1) == "ok"
    # The table has no interval for three; one that is there nevertheless is not vouched for.
    assert support("did", "cluster-jackknife", 3) == "refused"
    assert status("did", "cluster-jackknife", None, 3) == "unsized"
    assert status("did", "by-guess", None, 19) == "unsized"


def test_the_table_has_the_default_for_the_whole_family() -> None:
    """The default with every estimator of which the programme's number of treated gemeenten can be vouched for."""
    for name in ("did", "group-time", "imputation", "two-stage", "extended-twfe", "sun-abraham", "stacked"):
        assert {support(name, "cluster-jackknife", n) for n in (4, 9, 18, 19)} == {"sized"}
        assert support(name, "cluster-jackknife", 1) == "refused"


def test_a_line_becomes_a_cell_and_worlds_are_taken_together() -> None:
    one = Line("imputation", "wild", 10, "a", 5_000, 5_000, 250, 5_000, 260, 0.18, {})
    other = replace(one, setting="b", rejections=100, misses=100, largest=0.2)
    found = {(cell.estimator, cell.inference): cell for cell in made_of([one, other])}
    assert set(found) == {(name, "wild") for name in ("imputation", "two-stage", "extended-twfe")}
    cell = found["imputation", "wild"]
    assert (cell.most, cell.least, cell.coverage, cell.worlds, cell.largest) == (0.052, 0.02, 0.948, 5_000, 0.2)
    assert (cell.status, cell.design, cell.same_as) == ("conservative", "a; b", "")
    assert found["two-stage", "wild"].same_as == "imputation, wild"
    none = replace(one, worlds=3, p_values=0, rejections=0, intervals=0, misses=0, refused={"too few": 3})
    assert {cell.status for cell in made_of([none])} == {"refused"}


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "\n".join(page(cells())) in text


def test_a_few_worlds_run() -> None:
    lines = measure(Job("did", ("cluster-jackknife", "score-flip"), 3, HARD, 20))
    assert [(line.inference, line.worlds, line.p_values) for line in lines] == [
        ("cluster-jackknife", 3, 0),  # refused, and left at that
        ("score-flip", 20, 20),
    ]
    assert not read(PAGE.parent / "not-there.jsonl")


@pytest.fixture(scope="module")
def now() -> dict[tuple[str, str, str], digest.Numbers]:
    return {one.key: one for one in digest.numbers(digest.listed(slow=False))}


def test_the_table_is_not_stale(now: dict[tuple[str, str, str], digest.Numbers]) -> None:
    _fresh(now)


@pytest.mark.simulation
def test_the_table_is_not_stale_where_everything_is_refitted() -> None:
    _fresh({one.key: one for one in digest.numbers(digest.listed(slow=True))})


def _fresh(now: dict[tuple[str, str, str], digest.Numbers]) -> None:
    known = digest.stored()
    stale = [key for key, one in now.items() if key not in known or digest.away(known[key], one)]
    assert not stale, STALE.format(pairs="\n  ".join(" × ".join(key[1:]) + f" ({key[0]})" for key in stale))


def test_noise_is_not_a_change_and_a_change_is(now: dict[tuple[str, str, str], digest.Numbers]) -> None:
    one = now["four", "did", "cluster-jackknife"]
    noisy = replace(one, values=tuple(value * (1 + 1e-12) for value in one.values))
    other = replace(one, values=(*one.values[:1], one.values[1] * (1 + 1e-6), *one.values[2:]))
    gone = replace(one, values=(*one.values[:4], float("nan")))
    assert not digest.away(one, noisy) and digest.away(one, other) and digest.away(one, gone)


def test_pairs_that_share_a_line_give_the_same_numbers(now: dict[tuple[str, str, str], digest.Numbers]) -> None:
    shared = [
        ((panel, *one.same_as.split(", ")), (panel, one.estimator, one.inference))
        for one in {(one.estimator, one.inference): one for one in cells() if one.same_as}.values()
        for panel in digest.panels()
    ]
    assert len(shared) > 60
    for key, other in shared:
        assert not digest.away(now[key], now[other]), (key, other)


def test_pairs_that_share_a_line_are_named() -> None:
    assert set(alike("imputation", "wild")) == {("two-stage", "wild"), ("extended-twfe", "wild")}
    assert set(alike("imputation", "scores")) == {("imputation", "multiplier")}
    assert not set(alike("imputation", "score-flip"))
    assert set(alike("group-time", "wild")) == {("sun-abraham", "wild")}
    assert not set(alike("group-time", "conley")) and not set(alike("group-time", "bootstrap"))
