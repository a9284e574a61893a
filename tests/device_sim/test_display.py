import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from advisories.notice import Text, check_code, page_digests
from advisories.render import small
from advisories.states import Surface
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from device_sim.display import BY_SURFACE, ConsoleDisplay, open_display
from device_sim.displays import small as display
from keys.errors import InputError, UnavailableError
from tests.helpers import make_fleet, notice

PROFILE = Profile(id="d-1", product="thermostat", vendor_id=b"v" * 16, class_id=b"c" * 16)
INSTALLED = (1, 4, 0, 0)
ENGLISH = Text(
    language="en",
    title="Update your thermostat",
    action="Install version 1.4.2 today.",
    happened="Somebody on your network could change the temperature.",
    affected="Versions before 1.4.2.",
    doing="We have mended it and send the patch to your device.",
    contact="https://example.com/security",
)
JAPANESE = replace(
    ENGLISH,
    language="ja",
    title="更新してください",
    action="本日、バージョン 1.4.2 を導入してください。",
    happened="同じネットワークの第三者が温度を変えられます。",
)
FONT = Path("/usr/share/fonts/opentype/unifont/unifont_jp.otf")
needs_font = pytest.mark.skipif(not FONT.exists(), reason="the package fonts-unifont is not installed")


def shown(text: Text = ENGLISH, *, confirmed: bool = True) -> Show:
    header = notice(make_fleet(), texts={text.language: text.digest()})
    return Show(header, text, check_code(hashlib.sha256(b"header").digest()), confirmed)


def test_the_console_has_24_lines_of_80_columns_and_says_what_to_do(tmp_path: Path) -> None:
    console = open_display("console", tmp_path)
    console.show(shown(), PROFILE, INSTALLED)
    console.show(shown(confirmed=False), PROFILE, INSTALLED)
    lines = (tmp_path / "console.txt").read_text().splitlines()
    assert len(lines) <= 24
    assert {len(line) for line in lines} == {80}
    assert any(ENGLISH.action in line for line in lines)
    assert any("1.4.0" in line for line in lines)


def test_a_console_on_a_stream_keeps_what_scrolled_by(tmp_path: Path) -> None:
    out = io.StringIO()
    console = open_display("console", tmp_path, out=out)
    console.show(shown(), PROFILE, INSTALLED)
    console.show(shown(), PROFILE, INSTALLED)
    assert out.getvalue().count("Install version 1.4.2") == 2
    assert not list(tmp_path.iterdir())


def test_the_small_screen_is_kept_page_by_page(tmp_path: Path) -> None:
    (tmp_path / "screen-4.png").write_bytes(b"of an older notice")
    open_display("png", tmp_path).show(shown(), PROFILE, INSTALLED)
    pages = sorted(path.name for path in tmp_path.iterdir())
    assert pages[0] == "screen-1.png"
    assert "screen-4.png" not in pages
    with Image.open(tmp_path / "screen-1.png") as page:
        assert (page.size, page.mode) == ((128, 64), "1")
        assert len(page.getcolors() or []) == 2


@needs_font
def test_a_japanese_notice_is_drawn_with_unifont(tmp_path: Path) -> None:
    screen = open_display("png", tmp_path, languages=("ja", "en"))
    screen.show(shown(JAPANESE), PROFILE, INSTALLED)
    assert (tmp_path / "screen-1.png").is_file()


def test_a_missing_font_is_named_with_its_package_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "_FONTS", tmp_path)
    display.unifont.cache_clear()
    remark = open_display("png", tmp_path, languages=("en", "ja")).remark
    lack = display.lacking(("en", "ja"))
    assert lack is not None
    assert lack.code == "FONT_MISSING"
    assert str(lack) in remark
    assert "GNU Unifont" in remark
    assert "fonts-unifont" in remark
    assert open_display("png", tmp_path, languages=("en", "pl")).remark == ""
    with pytest.raises(UnavailableError, match="GNU Unifont"):
        open_display("png", tmp_path).show(shown(JAPANESE), PROFILE, INSTALLED)
    display.unifont.cache_clear()


def test_without_a_font_the_drawn_pages_are_shown_as_they_were_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = tuple(bytes([number]) * 1_024 for number in (0x0F, 0xAA))
    text = replace(JAPANESE, pages=page_digests(signed))
    monkeypatch.setattr(display, "_FONTS", tmp_path)
    display.unifont.cache_clear()
    screen = open_display("png", tmp_path, languages=("ja",))
    assert (screen.able(text), screen.able(ENGLISH)) == (Ability.PAGES, Ability.WORDS)
    screen.show(replace(shown(text), pages=signed), PROFILE, INSTALLED)
    display.unifont.cache_clear()
    for number, page in enumerate(signed, 1):
        with Image.open(tmp_path / f"screen-{number}.png") as kept:
            assert kept.tobytes() == page
    proof = small.proofs(shown(text).notice, code=shown(text).check_code, confirmed=True, after=2)
    assert "Check code:" in proof[0][2]
    assert proof[0][0].endswith("3/3")
    with Image.open(tmp_path / "screen-3.png") as kept:
        assert kept.tobytes() == small.draw(proof[0], "en").tobytes()
    assert not (tmp_path / "screen-4.png").exists()


@needs_font
def test_with_its_font_a_screen_shows_words(tmp_path: Path) -> None:
    screen = open_display("png", tmp_path, languages=("ja",))
    assert screen.remark == ""
    assert screen.able(JAPANESE) is Ability.WORDS
    assert screen.able(replace(JAPANESE, language="hi", title="नमस्ते")) is Ability.PAGES
    for number in range(100):
        assert screen.able(replace(ENGLISH, title=f"Number {number}")) is Ability.WORDS


def test_a_screen_says_for_which_language_a_text_stands_in(tmp_path: Path) -> None:
    screen = open_display("png", tmp_path)
    screen.show(shown(), PROFILE, INSTALLED)
    plain = (tmp_path / "screen-2.png").read_bytes()
    screen.show(replace(shown(), wanted="ja"), PROFILE, INSTALLED)
    pages = [path.read_bytes() for path in sorted(tmp_path.glob("screen-*.png"))]
    assert plain != pages[-1]
    assert len(pages) >= 4


@pytest.mark.parametrize(
    ("name", "encoding"), [("ascii", "utf-8"), ("console", "ascii"), ("console", "cp437")]
)
def test_a_terminal_that_knows_ascii_only_is_given_ascii(tmp_path: Path, name: str, encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = open_display(name, tmp_path, out=out)
    german = replace(ENGLISH, language="de", title="Bitte ändern")
    assert (console.able(german), console.able(JAPANESE)) == (Ability.WORDS, Ability.NOTHING)
    console.show(replace(shown(german), wanted="ja"), PROFILE, INSTALLED)
    out.seek(0)
    said = out.read()
    assert said.isascii()
    assert "Bitte aendern" in said
    assert "Japanese: kann dieser Bildschirm nicht zeigen." in said


def test_a_lamp_and_nobody_can_take_any_text(tmp_path: Path) -> None:
    for name in ("led", "none", "console"):
        assert open_display(name, tmp_path).able(JAPANESE) is Ability.WORDS
        assert open_display(name, tmp_path).remark == ""


def test_the_lamp_shows_its_pattern(tmp_path: Path) -> None:
    open_display("led", tmp_path).show(shown(), PROFILE, INSTALLED)
    colour, rhythm = (tmp_path / "led.txt").read_text().split()
    assert colour.isalpha()
    assert set(rhythm) == {"#", "."}


def test_a_device_without_a_surface_shows_nothing(tmp_path: Path) -> None:
    open_display("none", tmp_path).show(shown(), PROFILE, INSTALLED)
    assert not list(tmp_path.iterdir())


def test_every_surface_has_a_display(tmp_path: Path) -> None:
    for surface in Surface:
        open_display(BY_SURFACE[surface], tmp_path)


def test_an_unknown_display_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="console, ascii, png, led, none"):
        open_display("hologram", tmp_path)


def test_a_screen_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "screen-1.png").mkdir()
    for broken in (
        open_display("led", tmp_path / "missing"),
        ConsoleDisplay(tmp_path / "missing" / "console.txt"),
        open_display("png", tmp_path),
    ):
        with pytest.raises(UnavailableError) as caught:
            broken.show(shown(), PROFILE, INSTALLED)
        assert caught.value.code == "DISPLAY_WRITE"
