"""Every screen in every language: whole words, lines of the right width, letters that the fonts have."""

import dataclasses
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from advisories.languages import is_from_right, words
from advisories.notice import Notice, Severity
from advisories.render import bidi, console, layout, small
from keys.errors import UnavailableError
from tests.advisories.nine import NINE
from tests.helpers import make_fleet, notice

FOLDER = Path("/usr/share/fonts/opentype/unifont")
needs_font = pytest.mark.skipif(
    not (FOLDER / "unifont.otf").exists(), reason="needs the Debian package fonts-unifont"
)
HEADER = notice(make_fleet(), id="EX-2026-0001", next_update=1_795_511_100, exercise=True)
CODE = "K7Q-4MD"
STATES = list(itertools.product(Severity, [True, False], [True, False], [1_795_511_100, None]))


def header(severity: Severity, next_update: int | None, *, exercise: bool) -> Notice:
    return dataclasses.replace(HEADER, severity=severity, next_update=next_update, exercise=exercise)


@pytest.fixture(scope="module")
def fonts() -> dict[str, bytes]:
    return {name: (FOLDER / name).read_bytes() for name in small.FONT_FILES}


@pytest.mark.parametrize("language", NINE)
def test_every_state_of_the_console_is_whole(language: str) -> None:
    text = NINE[language]
    for severity, exercise, confirmed, update in STATES:
        told = header(severity, update, exercise=exercise)
        lines = console.render(
            told, text, product="thermostat", installed="1.3.0", code=CODE, confirmed=confirmed
        )
        assert {layout.width(line) for line in lines} == {console.WIDTH}
        assert len(lines) <= console.HEIGHT
        shown = "".join(line[1:-1] for line in lines)
        for piece, _ in layout.pieces(text.action):
            cells = bidi.visual(piece) if is_from_right(language) else piece
            assert cells.strip(".،") in shown


@pytest.mark.parametrize("language", NINE)
def test_every_state_of_the_small_screen_is_whole(language: str) -> None:
    text = NINE[language]
    shape = small.geometry(text)
    for severity, exercise, confirmed, update in STATES:
        told = header(severity, update, exercise=exercise)
        pages = small.pages(told, text, code=CODE, confirmed=confirmed)
        assert 1 <= len(pages) <= small.PAGES_MAX
        for page in pages:
            assert len(page) == shape.lines
            assert all(layout.width(bidi.cells(line)) <= shape.columns for line in page)
            assert (words(language).exercise in page[0]) is exercise
        shown = "".join(f"{line} " for page in pages for line in page[1:])
        own = words(language)
        state = own.small_confirmed if confirmed else own.small_not_confirmed
        for part in (text.title, text.action, text.happened, own.small_code.format(code=CODE), state):
            assert all(piece in shown for piece, _ in layout.pieces(part.replace("’", "'")))


@pytest.mark.parametrize("language", NINE)
def test_only_three_of_them_need_a_font(language: str) -> None:
    assert (small.geometry(NINE[language]) is small.WIDE) is (language in {"ja", "zh", "ar"})


@needs_font
@pytest.mark.parametrize("language", NINE)
def test_every_page_is_drawn_and_none_has_a_box(language: str, fonts: dict[str, bytes]) -> None:
    for page in small.pages(HEADER, NINE[language], code=CODE, confirmed=False):
        image = small.draw(page, language, font=small.font_of(language, fonts))
        assert (image.mode, image.size) == ("1", (128, 64))
        with Image.open(io.BytesIO(small.enlarged(image))) as large:
            assert large.size == (512, 256)
        assert small.png(page, language, font=small.font_of(language, fonts)) == small.enlarged(image)


@needs_font
def test_arabic_begins_at_the_right_edge_and_the_bar_is_mirrored(fonts: dict[str, bytes]) -> None:
    page = small.pages(HEADER, NINE["ar"], code=CODE, confirmed=True)[0]
    image = small.draw(page, "ar", font=fonts["unifont.otf"])
    number = small.draw([" " * 13 + "1/4", "", "", ""], "en", font=fonts["unifont.otf"]).crop(
        (104, 0, 128, 16)
    )
    assert page[0].endswith("1/4")
    assert image.crop((0, 0, 24, 16)).tobytes() == number.tobytes()
    left, _, right, _ = image.crop((0, 16, 128, 32)).getbbox() or (0, 0, 0, 0)
    assert right > 120 > 16 < left


@needs_font
def test_shaped_letters_have_the_width_that_is_counted(fonts: dict[str, bytes]) -> None:
    every = "".join(map(chr, [*range(0x621, 0x63B), *range(0x641, 0x64B)]))
    for letter in every:
        for around in (letter, f"ب{letter}", f"{letter}ب", f"ب{letter}ب", f"ل{letter}"):
            small.draw(["", around, "", ""], "ar", font=fonts["unifont.otf"])


@needs_font
@pytest.mark.parametrize(("text", "script"), [("नमस्ते", "Devanagari"), ("สวัสดี", "Thai"), ("வணக்கம்", "Tamil")])
def test_a_script_that_cannot_be_shaped_is_named(text: str, script: str, fonts: dict[str, bytes]) -> None:
    with pytest.raises(UnavailableError, match=script) as caught:
        small.draw(["", text, "", ""], "hi", font=fonts["unifont.otf"])
    assert caught.value.code == "SCRIPT_UNSUPPORTED"


@needs_font
def test_hebrew_and_mixed_lines_are_drawn(fonts: dict[str, bytes]) -> None:
    hebrew = small.draw(["", "שלום 12", "", ""], "he", font=fonts["unifont.otf"])
    mixed = small.draw(["", "Say שלום 12", "", ""], "en", font=fonts["unifont.otf"])
    assert (hebrew.crop((0, 16, 64, 32)).getbbox(), mixed.crop((96, 16, 128, 32)).getbbox()) == (None, None)


@pytest.mark.parametrize(
    ("written", "cells"),
    [
        ("هاتف +49 30 23125 000 الآن", "ﻥﻵﺍ +49 30 23125 000 ﻒﺗﺎﻫ"),
        ("(UTC) هذا (اختبار)", "(ﺭﺎﺒﺘﺧﺍ) ﺍﺬﻫ (UTC)"),
        ("1.4.1-rc.2 هنا", "ﺎﻨﻫ 1.4.1-rc.2"),
        ("24 نوفمبر 2026، 09:00 UTC", "UTC 09:00 ،2026 ﺮﺒﻤﻓﻮﻧ 24"),
        ("رمز (EX-2026-0001) هنا.", ".ﺎﻨﻫ (EX-2026-0001) ﺰﻣﺭ"),
        ("إلى +1 555 0100 (24 ساعة)", "(ﺔﻋﺎﺳ 24) +1 555 0100 ﻰﻟﺇ"),
        ("موقَّع رقميًا", "ﺎﻴﻤﻗﺭ ﻊﻗﻮﻣ"),
        ("10,024 بايت", "ﺖﻳﺎﺑ 10,024"),
        ("שלום עולם 12", "12 םלוע םולש"),
    ],
)
def test_ids_and_numbers_keep_their_direction(written: str, cells: str) -> None:
    assert bidi.visual(written) == cells


@given(st.text(st.sampled_from("اللآلىبتحمیکگپ ١2AB-.:/+() שלום\u064b\u0651\u0640\u200c\u200d"), max_size=40))
@example("\u200dلآ")  # the shaper stumbled over a joiner before a ligature
def test_turning_a_line_round_loses_no_cell(line: str) -> None:
    cells = bidi.visual(line)
    assert sorted(cells.translate(_MIRRORED)) == sorted(bidi.shape(line).translate(_MIRRORED))
    assert layout.width(cells) <= layout.width(line)


_MIRRORED = str.maketrans("()", "((")


@pytest.mark.parametrize("language", ["fr", "es", "it", "pl", "de", "en"])
def test_a_screen_of_ascii_says_latin_languages_without_their_marks(language: str) -> None:
    lines = console.render(
        HEADER, NINE[language], product="t", installed="1.3.0", code=CODE, confirmed=False, ascii_only=True
    )
    assert all(line.isascii() and len(line) == 80 for line in lines)
    assert len(lines) <= console.HEIGHT


def test_german_umlauts_are_written_with_an_e() -> None:
    lines = console.render(
        HEADER, NINE["de"], product="t", installed="1", code=CODE, confirmed=True, ascii_only=True
    )
    shown = "\n".join(lines)
    assert "UEBUNG: Dies ist eine Uebung. Ihr Geraet" in shown
    assert "aendern." in shown


@pytest.mark.parametrize("language", ["ja", "zh", "ar"])
def test_other_scripts_cannot_be_said_in_ascii(language: str) -> None:
    assert not console.has_ascii(NINE[language])
    with pytest.raises(UnavailableError) as caught:
        console.render(
            HEADER, NINE[language], product="t", installed="1", code=CODE, confirmed=True, ascii_only=True
        )
    assert caught.value.code == "SCRIPT_UNSUPPORTED"


@pytest.mark.parametrize(
    ("ascii_only", "said"),
    [(True, "Arabic: this screen cannot show it. You are reading English."), (False, "العربية: this")],
)
def test_a_text_that_stands_in_says_so(ascii_only: bool, said: str) -> None:
    assert said in console.stand_in("en", "ar", ascii_only=ascii_only)
    lines = console.render(
        HEADER,
        NINE["en"],
        product="thermostat",
        installed="1.3.0",
        code=CODE,
        confirmed=True,
        ascii_only=ascii_only,
        wanted="ar",
    )
    assert "this screen cannot show it." in lines[2]
    assert {layout.width(line) for line in lines} == {80}
    assert len(lines) <= console.HEIGHT


@pytest.mark.parametrize("wanted", NINE)
@pytest.mark.parametrize("language", NINE)
def test_the_line_that_says_so_fits_in_every_language(language: str, wanted: str) -> None:
    assert layout.width(console.stand_in(language, wanted)) <= 76


@pytest.mark.parametrize("language", NINE)
def test_without_a_font_only_latin_letters_can_be_drawn(language: str) -> None:
    latin = language not in {"ja", "zh", "ar"}
    assert small.can_draw(NINE[language], None) is latin


@needs_font
def test_with_its_font_a_language_can_be_drawn_and_what_cannot_be_shaped_cannot(
    fonts: dict[str, bytes],
) -> None:
    assert all(small.can_draw(text, small.font_of(tag, fonts)) for tag, text in NINE.items())
    hindi = dataclasses.replace(NINE["en"], language="hi", title="नमस्ते")
    assert not small.can_draw(hindi, fonts["unifont.otf"])
    assert small.font_of("ja", {"unifont.otf": b"x"}) == b"x"
    assert small.font_of("zh", {"unifont_jp.otf": b"x"}) is None


@needs_font
def test_a_letter_wider_than_its_cell_is_never_drawn_over_its_neighbour(fonts: dict[str, bytes]) -> None:
    with pytest.raises(UnavailableError) as caught:
        small.draw(["", "a\ufc1fb", "", ""], "en", font=fonts["unifont.otf"])
    assert caught.value.code == "FONT_MISSING"


@pytest.mark.parametrize(("id_", "count"), [("EX-2026-0001", 1), ("E" * 64, 2)])
@pytest.mark.parametrize("confirmed", [True, False])
def test_the_proof_alone_is_whole_and_numbered_after_the_pages(id_: str, count: int, confirmed: bool) -> None:
    told = dataclasses.replace(HEADER, id=id_)
    before = small.told(told, NINE["ja"])
    proofs = small.proofs(told, code=CODE, confirmed=confirmed, after=len(before))
    assert len(proofs) == count
    assert proofs[-1][0].split()[-1] == f"{len(before) + count}/{len(before) + count}"
    assert before[0][0].split()[-1] == f"1/{len(before) + count}"
    shown = "".join(line for page in proofs for line in page[1:])
    assert id_ in shown
    assert CODE in shown
    assert ("NOT CONFIRMED CURRENT" in shown) is not confirmed
    assert all(len(page) == small.LATIN.lines for page in proofs)


def test_a_text_that_stands_in_says_so_on_the_small_screen_too() -> None:
    instead = console.stand_in("en", "ja", ascii_only=True)
    pages = small.pages(HEADER, NINE["en"], code=CODE, confirmed=True, instead=instead)
    assert "Japanese: this screen" in [line for page in pages for line in page]
