import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.render import layout

TEXT = st.text(st.sampled_from("ab Zé-/@.1 2日本語、。「」（）ァコードーー\u00adk\u0301\u202e"), max_size=60)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("ä", 1),
        ("a\u0308", 1),
        ("日本", 4),
        ("ｱ", 1),
        ("Ａ", 2),
        ("x\u00ady", 2),
        ("", 0),
        ("\u200b", 0),
    ],
)
def test_wide_letters_take_two_columns_and_marks_none(text: str, columns: int) -> None:
    assert layout.width(text) == columns


@pytest.mark.parametrize(
    ("words_", "text", "columns", "lines"),
    [
        ("nothing", "  ", 5, []),
        ("one line", "a bc", 5, ["a bc"]),
        ("at a space", "ab cd ef", 5, ["ab cd", "ef"]),
        ("after a hyphen between letters", "aaa-bbb", 5, ["aaa-", "bbb"]),
        ("never inside an id", "see EX-2026-0001", 13, ["see", "EX-2026-0001"]),
        ("never inside a check code", "code KQQ-MMD", 9, ["code", "KQQ-MMD"]),
        ("after a slash", "a/bbb/cc", 6, ["a/bbb/", "cc"]),
        ("after an at sign", "help@example.com", 12, ["help@", "example.com"]),
        ("at a soft hyphen", "Sicher\u00adheit", 8, ["Sicher-", "heit"]),
        ("soft hyphen unseen", "Sicher\u00adheit", 10, ["Sicherheit"]),
        ("soft hyphen without room", "Sicher\u00adheit", 6, ["Sicher", "heit"]),
        ("by force, and nothing lost", "abcdefgh", 3, ["abc", "def", "gh"]),
        ("between wide letters", "日本語文", 4, ["日本", "語文"]),
        ("an odd column stays free", "日本語", 5, ["日本", "語"]),
        ("no full stop at the start", "日本。語", 4, ["日", "本。", "語"]),
        ("no bracket at the end", "日「本」", 4, ["日", "「本", "」"]),
        ("a katakana word stays whole", "日コード", 6, ["日", "コード"]),
        ("numbers among wide letters", "版1.4.2より", 8, ["版1.4.2", "より"]),
        ("stray soft hyphens", "\u00ad a\u00ad \u00ad\u00adb\u00ad\u00adc", 9, ["a bc"]),
        ("a direction override", "a\u202eb\u200bc", 9, ["abc"]),
        ("control characters are spaces", "a\tb\nc", 9, ["a b c"]),
    ],
)
def test_a_line_breaks_where_a_reader_expects_it(
    words_: str, text: str, columns: int, lines: list[str]
) -> None:
    assert layout.wrap(text, columns) == lines, words_


def test_an_endless_word_is_broken_too() -> None:
    assert layout.wrap("x" * 100_000, 21)[:-1] == ["x" * 21] * (100_000 // 21)


@given(TEXT, st.integers(2, 30))
def test_no_line_is_too_wide_and_no_letter_is_lost(text: str, columns: int) -> None:
    lines = layout.wrap(text, columns)
    assert all(layout.width(line) <= columns for line in lines)
    assert all(line == line.strip() and line for line in lines), lines
    kept = "".join(lines).replace(" ", "").replace("-", "")
    assert kept == layout.clean(text).replace(" ", "").replace("-", "").replace(layout.SOFT_HYPHEN, "")


@given(TEXT.filter(lambda text: "\u00ad" not in text), st.integers(2, 30))
def test_words_are_cut_only_when_they_are_wider_than_the_line(text: str, columns: int) -> None:
    if layout.too_wide(text, columns):
        return
    whole = [piece for piece, _ in layout.pieces(text)]
    joined = "\n".join(layout.wrap(text, columns))
    at = 0
    for piece in whole:
        at = joined.index(piece, at) + len(piece)


def test_padding_and_spreading_count_columns() -> None:
    assert layout.pad("日", 4) == "日  "
    assert layout.pad("abcd", 2) == "abcd"
    assert layout.spread("日", "b", 6) == "日   b"
    assert layout.spread("long", "er", 4) == "long er"
