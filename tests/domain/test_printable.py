"""Text that is safe to show: nothing steers a terminal, nothing is hidden, what can be seen stays as it is."""

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.printable import INVISIBLE_CHARACTERS, printable, printable_json

STEERING = "\x00\x07\x08\x0b\x0c\r\x1b\x7f\x80\x9b\x9c\x9d\x9f"
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
UNSEEN = "\xad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2800\u3164\ufeff\U000e0001\U000e0041\U000e0100"
ENDS = "\x85\u2028\u2029"
ALONE = "\ud800\udfff"
HOSTILE = STEERING + DIRECTIONS + UNSEEN + ENDS + ALONE
letters = st.characters() | st.sampled_from(HOSTILE + "\n\t") | st.sampled_from(range(0xD800, 0xE000)).map(chr)
texts = st.text(letters, max_size=20)
writable = texts.filter(lambda text: not re.search("[\ud800-\udfff]", text))
few = settings(max_examples=50)


@few
@given(texts)
def test_control_and_invisible_characters_are_escaped(text: str) -> None:
    shown = printable(text)
    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not set(shown) & set(HOSTILE)
    assert len(shown.splitlines()) <= 1
    shown.encode()


@few
@given(texts)
def test_what_can_be_seen_stays_as_it_is_and_a_second_time_changes_nothing(text: str) -> None:
    seen = "".join(each for each in text if printable(each) == each)
    assert printable(seen) == seen
    assert printable(printable(text)) == printable(text)
    assert printable(printable(text, lines=True)) == printable(text)


@few
@given(texts)
def test_lines_are_kept_where_they_are_wanted(text: str) -> None:
    shown = printable(text, lines=True)
    assert (shown.count("\n"), shown.count("\t")) == (text.count("\n"), text.count("\t"))
    assert not set(shown) & set(HOSTILE)


@few
@given(st.recursive(writable, lambda inner: st.lists(inner) | st.dictionaries(writable, inner), max_leaves=5))
def test_json_keeps_its_value(value: object) -> None:
    written = json.dumps(value, ensure_ascii=False, indent=1)
    shown = printable_json(written)
    assert json.loads(shown) == json.loads(written)
    assert not set(shown) & set(HOSTILE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b31m", r"\x9b31m"),
        ("x\U000e0041", r"x\U000e0041"),
        ("\ud83d", r"\ud83d"),
        ("Größe 漢字 עברית 🏷\ufe0f", "Größe 漢字 עברית 🏷\ufe0f"),
        ("C:\\new", "C:\\new"),
        ("", ""),
    ],
)
def test_terminal_escape_sequences_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_the_table_has_all_that_unicode_calls_a_control_or_a_format() -> None:
    known = re.compile(f"[{INVISIBLE_CHARACTERS}]")
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    rest = known.sub("", "".join(map(chr, range(0x110000))))
    assert [hex(ord(each)) for each in rest if unicodedata.category(each) in hidden] == []
