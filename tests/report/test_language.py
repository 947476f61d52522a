"""Numbers, p-values and lists as Dutch and English write them, and a catalogue that cannot be run or be incomplete."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.errors import UsageError
from impact.evidence.language import (
    Texts,
    decimals,
    differing,
    languages,
    listed,
    number,
    p_value,
    significant,
    texts,
)
from tests.forbidden import FORBIDDEN

# Words that are Dutch and nothing else (Van is part of a name); wijk, buurt and gemeente stay as they are in English.
DUTCH = re.compile(
    r"\b(de|het|een|niet|geen|(?-i:van)|voor|naar|zijn|wordt|worden|zonder|gebied|gebieden|focusgebied|focusgebieden"
    r"|uitkomst|verschil|ook|dit|deze|dat|aan|bij|tot|uit|maar|omdat|toets|schatting|procentpunt|vergelijking|ja|nee)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    ("x", "digits", "dutch", "english"),
    [
        (-7.737, 1, "−7,7", "−7.7"),
        (0.04, 1, "0,0", "0.0"),
        (-0.04, 1, "0,0", "0.0"),
        (104_000, 0, "104.000", "104,000"),
        (1_234.5, 1, "1.234,5", "1,234.5"),
        (999.96, 1, "1.000,0", "1,000.0"),
        (0.125, 3, "0,125", "0.125"),
    ],
)
def test_numbers(x: float, digits: int, dutch: str, english: str) -> None:
    assert (number(x, "nl", digits), number(x, "en", digits)) == (dutch, english)


def test_a_sign_on_request() -> None:
    assert [number(x, "nl", 1, sign=True) for x in (0.2, -0.4, 0.01, -0.01)] == ["+0,2", "−0,4", "0,0", "0,0"]


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_a_number_reads_back(x: float, digits: int) -> None:
    back = float(number(x, "nl", digits).replace(".", "").replace(",", ".").replace("−", "-"))
    assert abs(back - x) <= 0.5 * 10.0**-digits * (1 + 1e-9) + 1e-9 * abs(x)


@pytest.mark.parametrize(
    ("error", "value", "digits"),
    [
        (0.153, None, 2),  # 0,15
        (2.364, None, 1),  # 2,4
        (23.0, None, 0),  # 23
        (1_530.0, None, 0),  # never fewer than the whole digits
        (0.0996, None, 2),  # 0,10: it is two digits after rounding that count
        (None, -4.137, 1),  # without an error the value's own two digits
        (0.0, 0.0213, 3),
        (None, None, 1),
    ],
)
def test_two_digits_of_the_standard_error(error: float | None, value: float | None, digits: int) -> None:
    assert decimals(error, value) == digits


@pytest.mark.parametrize(
    ("x", "text"), [(17.0, "17"), (0.31, "0,31"), (0.004, "0,004"), (31_240.4, "31.240"), (0.0, "0")]
)
def test_at_most_three_significant_digits(x: float, text: str) -> None:
    assert significant(x, "nl") == text


@pytest.mark.parametrize(
    ("p", "draws", "text"),
    [
        (0.0312, None, "0,03"),
        (0.0043, None, "0,004"),
        (0.00004, None, "< 0,001"),
        (0.0, None, "< 0,001"),
        (1.0, None, "1,00"),
        (0.004, 99, "< 0,01"),  # 99 draws cannot tell 0.004 from 0.005
        (0.004, 9_999, "0,004"),
    ],
)
def test_p_values(p: float, draws: int | None, text: str) -> None:
    assert p_value(p, "nl", draws) == text


@given(st.floats(0, 1), st.none() | st.integers(1, 100_000))
def test_a_p_value_is_never_nought(p: float, draws: int | None) -> None:
    assert not re.fullmatch(r"0,0+", p_value(p, "nl", draws))


def test_lists() -> None:
    assert [listed("abc"[:n], "nl") for n in range(4)] == ["", "a", "a en b", "a, b en c"]
    assert listed("abc", "en") == "a, b and c"


# --- the catalogue ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", languages())
def test_every_language_is_whole_and_free_of_forbidden_words(language: str) -> None:
    found = {key: text for key, text in texts(language).entries.items() if FORBIDDEN.search(text)}
    assert found == {}


@pytest.mark.parametrize("language", languages())
def test_every_language_says_the_same_in_the_same_order(language: str) -> None:
    dutch, other = texts("nl").entries, texts(language).entries
    assert list(other) == list(dutch)
    assert {key for key in dutch if _names(dutch[key]) != _names(other[key])} == set()
    assert {key for key in dutch if bool(dutch[key].strip()) != bool(other[key].strip())} == set()
    # What is put behind another text begins or ends with its own space in every language.
    assert {key for key in dutch if _ends(dutch[key]) != _ends(other[key])} == set()


def test_english_holds_no_dutch_and_no_decimal_comma() -> None:
    english = texts("en").entries
    assert {key: text for key, text in english.items() if DUTCH.search(text)} == {}
    assert {key: text for key, text in english.items() if re.search(r"\d,\d(?!\d\d\b)", text)} == {}
    assert DUTCH.search("Niet de wijk") and not DUTCH.search("the wijken, buurten and gemeenten in a Rijksdriehoek")


def test_english_is_not_a_copy_of_the_dutch() -> None:
    """A text of five words that is the same in both was forgotten, unless it is a title in the list of sources."""
    dutch, english = texts("nl").entries, texts("en").entries
    long = {key for key, text in dutch.items() if len(re.findall(r"[a-z]{2,}", text)) > 4 and ".source." not in key}
    assert {key for key in long if english[key] == dutch[key]} == set()


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _ends(text: str) -> tuple[bool, bool]:
    return text[:1].isspace(), text[-1:].isspace()


def test_a_key_that_one_language_lacks_is_found() -> None:
    dutch = {"a.one": "", "a.two": "", "b.one": ""}
    assert differing(dutch, {"a.one": "", "a.three": ""}) == ("a.three", "a.two")
    assert differing(dutch, {"a.one": "", "a.two": ""}) == ()  # b is left out as a whole


def test_an_unknown_language_or_key_is_said() -> None:
    with pytest.raises(UsageError, match="TEXT-001"):
        texts("fy")
    with pytest.raises(UsageError, match=r"TEXT-002.*no text 'status.unheard' in language 'en'"):
        texts("en")("status.unheard")


@pytest.mark.parametrize("text", ["{x.__class__}", "{x[0]}", "{x!r}", "{x:>9}", "{}", "{0}", "{x.y:{x}}"])
def test_a_text_can_only_name_values(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        Texts("nl", {"a": text})("a", x="1")


def test_a_value_is_never_read_as_a_text() -> None:
    assert Texts("nl", {"a": "<{x}>"})("a", x="{y} {x.__class__}") == "<{y} {x.__class__}>"
