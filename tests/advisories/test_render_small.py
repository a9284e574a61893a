import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from advisories.compose import header_of, text_of
from advisories.facts import Facts
from advisories.notice import Notice, Severity, Text
from advisories.render import small
from advisories.render.layout import width
from keys.errors import UnavailableError

FONT = Path("/usr/share/fonts/opentype/unifont/unifont_jp.otf")
needs_font = pytest.mark.skipif(
    not FONT.exists() and not os.environ.get("CI"), reason="needs the Debian package fonts-unifont"
)
CODE = "K7Q-4MD"


@pytest.fixture(scope="module")
def unifont() -> bytes:
    return FONT.read_bytes()


def pages(example: Facts, language: str, *, confirmed: bool = True) -> list[list[str]]:
    return small.pages(header_of(example), text_of(example, language), code=CODE, confirmed=confirmed)


def ink(image: Image.Image, box: tuple[int, int, int, int] | None = None) -> int:
    return sum(value != 0 for value in (image.crop(box) if box else image).convert("L").tobytes())


def test_the_english_pages_are_as_designed(example: Facts) -> None:
    assert pages(example, "en", confirmed=False) == [
        ["EXERCISE HIGH     1/4", "Please install update", "", "Please accept the", "update when your", "device offers it."],
        ["EXERCISE HIGH     2/4", "A weakness could let", "strangers in your", "home network change", "settings.", ""],
        ["EXERCISE HIGH     3/4", "Next update:", "24 November 2026,", "09:00 UTC", "", ""],
        ["EXERCISE HIGH     4/4", "Genuine: EX-2026-0001", "Check code: K7Q-4MD", "NOT CONFIRMED CURRENT", "", ""],
    ]  # fmt: skip


def test_the_japanese_pages_are_as_designed(example: Facts) -> None:
    assert pages(example, "ja") == [
        ["訓練 重大    1/4", "更新のお願い", "案内が出たら、更", "新してください。"],
        ["訓練 重大    2/4", "家庭の通信網から", "設定を変えられる", "弱点があります。"],
        ["訓練 重大    3/4", "次のお知らせ：", "2026年11月24日", "09:00（UTC）"],
        ["訓練 重大    4/4", "EX-2026-0001", "本物 K7Q-4MD", "最新と確認済み"],
    ]


@pytest.mark.parametrize("language", ["en", "de", "ja"])
@pytest.mark.parametrize("confirmed", [True, False])
def test_the_example_fits_its_pages(example: Facts, language: str, confirmed: bool) -> None:
    shape = small.geometry(text_of(example, language))
    found = pages(example, language, confirmed=confirmed)
    assert 1 <= len(found) <= small.PAGES_MAX
    assert {len(page) for page in found} == {shape.lines}
    assert all(width(line) <= shape.columns for page in found for line in page)


def test_marks_of_typography_become_plain_ones_that_the_font_has(example: Facts) -> None:
    text = dataclasses.replace(
        text_of(example, "en"), action="Say \u201cyes\u201d \u2013 it\u2019s fine\u2026"
    )
    assert small.geometry(text) is small.LATIN
    found = "\n".join(
        line for page in small.pages(header_of(example), text, code=CODE, confirmed=True) for line in page
    )
    assert 'Say "yes" - it\'s' in found
    assert "fine..." in found


def test_letters_beyond_the_latin_face_take_the_wide_geometry(example: Facts) -> None:
    text = dataclasses.replace(text_of(example, "en"), language="uk", action="Оновіть")
    assert small.geometry(text) is small.WIDE


def test_long_sections_flow_over_pages_and_nothing_is_lost(example: Facts) -> None:
    body = " ".join(f"w{n}" for n in range(150))
    text = dataclasses.replace(text_of(example, "en"), action=body)
    found = small.pages(header_of(example), text, code=CODE, confirmed=True)
    assert len(found) > small.PAGES_MAX
    shown = " ".join(line for page in found for line in page[1:]).split()
    assert [word for word in shown if word.startswith("w") and word[1:].isdigit()] == body.split()


def test_sections_run_on_where_keeping_them_whole_would_cost_too_many_pages(example: Facts) -> None:
    text = dataclasses.replace(
        text_of(example, "en"), title="t", action="ab " * 7 * 2 + "end", happened="cd " * 7 * 5 + "end"
    )
    found = small.pages(header_of(example), text, code=CODE, confirmed=True)
    assert len(found) <= small.PAGES_MAX


def test_without_a_next_update_its_section_is_left_out(example: Facts) -> None:
    notice = dataclasses.replace(header_of(example), next_update=None)
    found = small.pages(notice, text_of(example, "en"), code=CODE, confirmed=True)
    assert not any("Next update" in line for page in found for line in page)


@pytest.mark.parametrize(
    ("words", "exercise", "severity", "language", "bar"),
    [
        ("severity alone", False, Severity.CRITICAL, "en", "CRITICAL"),
        ("exercise and severity", True, Severity.LOW, "de", "ÜBUNG GERING"),
        ("severity gives way", True, Severity.CRITICAL, "en", "EXERCISE"),
    ],
)
def test_the_bar_says_exercise_first(
    example: Facts, words: str, exercise: bool, severity: Severity, language: str, bar: str
) -> None:
    notice = dataclasses.replace(header_of(example), exercise=exercise, severity=severity)
    text = text_of(example, language)
    many = dataclasses.replace(text, action="ab " * 300)
    found = small.pages(notice, many, code=CODE, confirmed=True)
    assert len(found) >= 10
    assert found[-1][0].removesuffix(f"{len(found)}/{len(found)}").rstrip() == bar, words
    assert width(found[-1][0]) <= small.LATIN.columns


@given(
    st.text(st.sampled_from("abc äß日本語ー。,"), min_size=1, max_size=200).filter(str.strip),
    st.sampled_from(["en", "de", "ja", "nl"]),
    st.booleans(),
)
def test_any_text_is_shown_whole(example: Facts, body: str, language: str, exercise: bool) -> None:
    notice: Notice = dataclasses.replace(header_of(example), exercise=exercise)
    text = Text(language=language, title="t", action=body, happened="h", affected="f", doing="d", contact="c")
    shape = small.geometry(text)
    found = small.pages(notice, text, code=CODE, confirmed=False)
    assert all(width(line) <= shape.columns for page in found for line in page)
    assert body.replace(" ", "") in "".join(line for page in found for line in page[1:]).replace(" ", "")


@pytest.mark.parametrize("language", ["en", "de"])
def test_latin_pages_are_drawn_without_any_font_file(example: Facts, language: str) -> None:
    for page in pages(example, language):
        image = small.draw(page, language)
        assert (image.mode, image.size) == ("1", (128, 64))
        assert ink(image) > 500


def test_the_title_bar_is_inverted_and_reaches_the_edges(example: Facts) -> None:
    image = small.draw(pages(example, "en")[0], "en")
    assert all(image.getpixel((x, 0)) for x in (0, 64, 127))
    assert all(image.getpixel((0, y)) for y in range(small.LATIN.bar_px))
    assert not any(image.getpixel((x, small.LATIN.bar_px)) for x in range(128))


def test_umlauts_have_their_dots() -> None:
    plain, dotted = (small.draw(["", *lines, "", "", "", ""], "de") for lines in (["AOU"], ["ÄÖÜ"]))
    assert plain.tobytes() != dotted.tobytes()
    assert ink(dotted, (0, 12, 128, 15)) > ink(plain, (0, 12, 128, 15))


@pytest.mark.parametrize("row", range(1, 6))
def test_no_letter_is_cut_in_any_line(row: int) -> None:
    line = "Ågjpqy,;ÄÖÜß|_()WM@ñÇ"
    assert len(line) == small.LATIN.columns
    alone = [ink(small.draw(["", letter, "", "", "", ""], "de"), (0, 12, 128, 64)) for letter in line]
    lines = [""] * 6
    lines[row] = line
    assert ink(small.draw(lines, "de"), (0, 12, 128, 64)) == sum(alone)


@needs_font
@pytest.mark.parametrize("row", range(1, 4))
def test_no_wide_letter_is_cut_in_any_line(unifont: bytes, row: int) -> None:
    line = "更新のお願い鬱g"
    alone = [ink(small.draw(["", letter, "", ""], "ja", font=unifont), (0, 16, 128, 64)) for letter in line]
    lines = [""] * 4
    lines[row] = line
    assert ink(small.draw(lines, "ja", font=unifont), (0, 16, 128, 64)) == sum(alone)
    assert min(alone) > 0


@needs_font
def test_japanese_pages_are_drawn_with_unifont(example: Facts, unifont: bytes) -> None:
    for page in pages(example, "ja"):
        image = small.draw(page, "ja", font=unifont)
        assert (image.mode, image.size) == ("1", (128, 64))
        assert all(image.getpixel((x, 0)) or True for x in range(128))
        assert ink(image) > 500


def test_the_same_page_gives_the_same_picture(example: Facts) -> None:
    page = pages(example, "de")[0]
    assert small.draw(page, "de").tobytes() == small.draw(page, "de").tobytes()


@pytest.mark.parametrize("font", [None, b"not a font"])
def test_a_missing_font_is_named_and_no_boxes_are_drawn(example: Facts, font: bytes | None) -> None:
    with pytest.raises(UnavailableError, match="GNU Unifont") as caught:
        small.draw(pages(example, "ja")[0], "ja", font=font)
    assert caught.value.code == "FONT_MISSING"
    assert "fonts-unifont" in caught.value.mend


@needs_font
def test_a_letter_that_the_font_lacks_is_never_a_box(unifont: bytes) -> None:
    with pytest.raises(UnavailableError) as caught:
        small.draw(["", "\U0002a6d6", "", ""], "ja", font=unifont)
    assert caught.value.code == "FONT_MISSING"
