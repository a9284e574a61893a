"""Surfaces of real boards: framebuffer, lamps and OLEDs, as files and as stand-ins for what they are driven by."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from advisories.notice import Action
from advisories.render import glyphs, led
from device_sim.core.profile import Ability
from device_sim.display import ConsoleDisplay, LateDisplay, Prompt, open_display
from device_sim.displays import framebuffer, lamp
from keys.errors import InputError, TocsinError, UnavailableError
from tests.device_sim.test_display import ENGLISH, INSTALLED, JAPANESE, PROFILE, needs_font, shown

ASKS = Prompt("Install version 1.4.2 now?", ("Press the button.", "It closes the weakness."), waits=True)
WORKS = Prompt("Bringing version 1.4.2: 40 %", percent=40)
SAYS = Prompt("Version 1.4.2 is going to be installed", ("You agreed to this beforehand.",))


# Console.


def test_a_console_file_holds_the_notice_and_what_is_asked_below_it(tmp_path: Path) -> None:
    console = open_display("console", tmp_path)
    console.show(shown(), PROFILE, INSTALLED)
    notice = (tmp_path / "console.txt").read_text()
    console.tell(ASKS)
    asked = (tmp_path / "console.txt").read_text()
    assert asked.startswith(notice)
    assert asked[len(notice) :].splitlines() == [
        "== Install version 1.4.2 now? ==",
        "Press the button.",
        "It closes the weakness.",
    ]
    console.tell(None)
    assert (tmp_path / "console.txt").read_text() == notice


def test_a_prompt_cannot_steer_a_terminal(tmp_path: Path) -> None:
    hostile = Prompt("\x1b[2Jtitle\n", ("words\x07\r\n\u202eturned", "\x9b31m"))
    open_display("console", tmp_path).tell(hostile)
    assert all(line.isprintable() for line in (tmp_path / "console.txt").read_text().splitlines())


def test_a_prompt_is_written_once_on_a_stream_and_in_ascii_where_that_is_all(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        console = ConsoleDisplay(out, ascii_only=True)
        umlaut = Prompt("Title", ("Schließt die Lücke.", "\u66f4\u65b0"), language="de")
        for prompt in (umlaut, umlaut, None, None):
            console.tell(prompt)
    assert (tmp_path / "out").read_text() == "== Title ==\nSchliesst die Luecke.\n"


# Framebuffer.


def make_framebuffer(folder: Path, width: int, height: int, depth: int, stride: int | None = None) -> Path:
    graphics = folder / "graphics" / "fb0"
    graphics.mkdir(parents=True)
    (graphics / "virtual_size").write_text(f"{width},{height}\n")
    (graphics / "bits_per_pixel").write_text(f"{depth}\n")
    stride = (width * depth + 7) // 8 if stride is None else stride
    (graphics / "stride").write_text(f"{stride}\n")
    (folder / "fb0").write_bytes(b"\xaa" * (stride * height))
    return folder


def opened(folder: Path) -> framebuffer.Framebuffer:
    return framebuffer.Framebuffer(
        framebuffer.find("fb0", graphics=folder / "graphics", devices=folder), ["en"]
    )


def picture(folder: Path) -> Image.Image:
    """Read a framebuffer back as it would be lit."""
    screen = framebuffer.find("fb0", graphics=folder / "graphics", devices=folder)
    data = (folder / "fb0").read_bytes()
    assert len(data) == screen.stride * screen.height
    image = Image.new("1", (screen.width, screen.height))
    for y in range(screen.height):
        line = data[y * screen.stride : (y + 1) * screen.stride]
        for x in range(screen.width):
            if screen.depth == 1:
                lit = line[x // 8] >> (7 - x % 8) & 1
            else:
                size = screen.depth // 8
                pixel = set(line[x * size : (x + 1) * size])
                assert pixel in ({0}, {255})
                lit = pixel == {255}
            image.putpixel((x, y), int(lit))
    return image


def read_text(image: Image.Image, scale: int, columns: int, rows: int) -> list[str]:
    """Read the letters of a picture by their glyphs."""
    known = {glyphs.pixels(chr(code)): chr(code) for code in range(32, 127)}
    lines = []
    for row in range(rows):
        line = ""
        for column in range(columns):
            lit = frozenset(
                (x, y)
                for x in range(glyphs.CELL_PX)
                for y in range(glyphs.ROWS)
                if image.getpixel(((column * glyphs.CELL_PX + x) * scale, (row * glyphs.ROWS + y) * scale))
            )
            line += known.get(lit, "?")
        lines.append(line.rstrip())
    return lines


@pytest.mark.parametrize(
    ("width", "height", "depth", "stride", "scale"),
    [
        (480, 320, 1, 60, 1),
        (480, 320, 8, None, 1),
        (500, 300, 16, 1_024, 1),
        (960, 640, 24, None, 3),
        (480, 272, 32, None, 1),
    ],
)
def test_a_notice_is_drawn_as_large_as_it_goes_in_any_depth(
    tmp_path: Path, width: int, height: int, depth: int, stride: int | None, scale: int
) -> None:
    make_framebuffer(tmp_path, width, height, depth, stride)
    screen = opened(tmp_path)
    assert screen.remark == ""
    screen.show(shown(), PROFILE, INSTALLED)
    columns = min(80, width // scale // glyphs.CELL_PX)
    text = "\n".join(read_text(picture(tmp_path), scale, columns, height // scale // glyphs.ROWS))
    assert "Install version 1.4.2 today." in text
    assert "[ EX-2026-0001 ]-+" in text


def test_a_question_is_drawn_below_the_notice_or_alone_and_the_notice_comes_back(tmp_path: Path) -> None:
    make_framebuffer(tmp_path / "large", 480, 352, 8)
    screen = opened(tmp_path / "large")
    screen.show(shown(), PROFILE, INSTALLED)
    before = (tmp_path / "large" / "fb0").read_bytes()
    screen.tell(ASKS)
    text = "\n".join(read_text(picture(tmp_path / "large"), 1, 80, 32))
    assert ENGLISH.action in text
    assert "Press the button." in text
    screen.tell(None)
    assert (tmp_path / "large" / "fb0").read_bytes() == before

    make_framebuffer(tmp_path / "low", 480, 220, 8)
    screen = opened(tmp_path / "low")
    screen.show(shown(), PROFILE, INSTALLED)
    screen.tell(ASKS)
    assert "== Install version 1.4.2 now? ==" in read_text(picture(tmp_path / "low"), 2, 40, 10)[0]


@needs_font
def test_other_scripts_are_drawn_with_the_font(tmp_path: Path) -> None:
    make_framebuffer(tmp_path, 640, 480, 1)
    screen = opened(tmp_path)
    assert screen.able(JAPANESE) is Ability.WORDS
    screen.show(shown(JAPANESE), PROFILE, INSTALLED)
    assert picture(tmp_path).getbbox() is not None


@pytest.mark.parametrize(
    ("size", "depth", "stride"),
    [
        ("480,320", "12", "720"),
        ("0,320", "8", "480"),
        ("99999,99999", "8", "99999"),
        ("480", "8", "480"),
        ("480,320", "8", "10"),
        ("wide", "8", "480"),
    ],
)
def test_a_framebuffer_whose_geometry_makes_no_sense_is_refused(
    tmp_path: Path, size: str, depth: str, stride: str
) -> None:
    make_framebuffer(tmp_path, 8, 8, 8)
    for name, text in (("virtual_size", size), ("bits_per_pixel", depth), ("stride", stride)):
        (tmp_path / "graphics" / "fb0" / name).write_text(text)
    with pytest.raises(UnavailableError) as caught:
        opened(tmp_path)
    assert caught.value.code == "DISPLAY_SILENT"


def test_a_screen_that_is_too_small_or_gone_is_told(tmp_path: Path) -> None:
    make_framebuffer(tmp_path / "small", 128, 64, 1)
    with pytest.raises(UnavailableError):
        opened(tmp_path / "small").show(shown(), PROFILE, INSTALLED)
    make_framebuffer(tmp_path / "gone", 480, 320, 8)
    screen = opened(tmp_path / "gone")
    (tmp_path / "gone" / "fb0").unlink()
    with pytest.raises(UnavailableError) as caught:
        screen.show(shown(), PROFILE, INSTALLED)
    assert caught.value.code == "DISPLAY_WRITE"
    assert not (tmp_path / "gone" / "fb0").exists()


# Lamps.


def make_lamp(folder: Path, triggers: str, full: str = "255") -> lamp.Lamp:
    folder.mkdir()
    (folder / "trigger").write_text(triggers)
    (folder / "max_brightness").write_text(full)
    return lamp.Lamp(lamp.driver("lamp", folder.name, folder, lamps=folder.parent))


def wrote(folder: Path, *names: str) -> list[str]:
    return [(folder / name).read_text() for name in names]


def test_the_kernel_blinks_the_whole_rhythm_where_it_can(tmp_path: Path) -> None:
    made = make_lamp(tmp_path / "status", "[none] timer pattern", full="1")
    made.show(shown(), PROFILE, INSTALLED)
    assert shown().notice.action is Action.ACT_NOW
    assert wrote(tmp_path / "status", "trigger", "pattern") == [
        "pattern",
        "1 100 1 0 0 100 0 0 1 100 1 0 0 100 0 0 1 100 1 0 0 700 0 0",
    ]
    assert made.able(ENGLISH) is Ability.WORDS
    for prompt, pattern in (
        (ASKS, lamp.ASKING),
        (WORKS, lamp.WORKING),
        (SAYS, led.PATTERNS[Action.ACT_NOW]),
    ):
        made.tell(prompt)
        milliseconds = sum(map(int, wrote(tmp_path / "status", "pattern")[0].split()[1::2]))
        assert milliseconds == len(pattern.partition(" ")[2]) * led.STEP_MS


def test_a_kernel_that_knows_on_and_off_gets_these(tmp_path: Path) -> None:
    made = make_lamp(tmp_path / "status", "none [timer]")
    made.show(shown(), PROFILE, INSTALLED)
    assert wrote(tmp_path / "status", "trigger", "delay_on", "delay_off") == ["timer", "300", "900"]
    plain = make_lamp(tmp_path / "plain", "[none]")
    plain.show(shown(), PROFILE, INSTALLED)
    assert wrote(tmp_path / "plain", "trigger", "brightness") == ["none", "255"]


def test_a_lamp_without_a_notice_is_dark_after_a_question(tmp_path: Path) -> None:
    made = make_lamp(tmp_path / "status", "[none] pattern")
    made.tell(ASKS)
    made.tell(None)
    assert wrote(tmp_path / "status", "trigger", "brightness") == ["none", "0"]
    file = open_display("led", tmp_path)
    file.tell(ASKS)
    assert (tmp_path / "led.txt").read_text() == f"{lamp.ASKING}\n"
    file.tell(None)
    assert (tmp_path / "led.txt").read_text() == ""


class Line:
    """gpiod's module, as far as it is used: one line of one chip."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.broken = False
        self.line = SimpleNamespace(
            Direction=SimpleNamespace(OUTPUT="output"), Value=SimpleNamespace(ACTIVE=1, INACTIVE=0)
        )

    def LineSettings(self, *, direction: str) -> str:
        return direction

    def request_lines(self, chip: str, *, consumer: str, config: dict[int, str]) -> Line:
        assert (consumer, config) == ("tocsin", {17: "output"})
        if chip != "/dev/gpiochip0":
            raise FileNotFoundError(2, "No such file or directory")
        return self

    def set_value(self, number: int, value: int) -> None:
        if self.broken:
            raise OSError(19, "No such device")
        assert number == 17
        self.values.append(value)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line()
    module = ModuleType("gpiod")
    for name in ("line", "LineSettings", "request_lines"):
        setattr(module, name, getattr(made, name))
    monkeypatch.setitem(sys.modules, "gpiod", module)
    return made


async def test_a_gpio_line_is_blinked_step_by_step(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(led, "STEP_MS", 1)
    made = open_display("gpio:/dev/gpiochip0:17", tmp_path)
    made.show(shown(), PROFILE, INSTALLED)
    async with asyncio.timeout(30):
        while len(line.values) < 9:
            await asyncio.sleep(0.001)
    assert line.values[:9] == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    made.tell(None)
    line.broken = True
    with pytest.raises(UnavailableError) as caught:
        made.tell(ASKS)
    assert caught.value.where == "/dev/gpiochip0:17"


# What cannot be opened.


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("gpio:/dev/gpiochip9:17", UnavailableError, "DISPLAY_SILENT"),
        ("gpio:17", InputError, "DISPLAY_ADDRESS"),
        ("gpio:/dev/gpiochip0:x", InputError, "DISPLAY_ADDRESS"),
        ("lamp:", UnavailableError, "DISPLAY_SILENT"),
        ("lamp:../../etc", UnavailableError, "DISPLAY_SILENT"),
        ("fb:../fb0", InputError, "DISPLAY_ADDRESS"),
        ("fb:fb99", UnavailableError, "DISPLAY_SILENT"),
        ("ssd1306:one", InputError, "DISPLAY_UNKNOWN"),
        ("no/such", InputError, "DISPLAY_UNKNOWN"),
        ("", InputError, "DISPLAY_UNKNOWN"),
    ],
)
def test_a_display_that_is_none_is_told_at_the_start(
    name: str, kind: type[TocsinError], code: str, tmp_path: Path, line: Line
) -> None:
    with pytest.raises(kind) as caught:
        open_display(name, tmp_path)
    assert caught.value.code == code  # type: ignore[attr-defined]


def test_without_gpiod_a_lamp_on_a_line_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(InputError) as caught:
        open_display("gpio:/dev/gpiochip0:17", tmp_path)
    assert caught.value.code == "DISPLAY_UNKNOWN"


def test_a_display_that_comes_late_is_tried_again_whenever_there_is_something_to_show(tmp_path: Path) -> None:
    make_framebuffer(tmp_path, 480, 320, 8)
    (tmp_path / "graphics").rename(tmp_path / "not-yet")
    late = LateDisplay(lambda: opened(tmp_path))
    assert late.able(JAPANESE) is Ability.WORDS
    for draw in (lambda: late.show(shown(), PROFILE, INSTALLED), lambda: late.tell(ASKS)):
        with pytest.raises(UnavailableError):
            draw()
    late.turn()
    (tmp_path / "not-yet").rename(tmp_path / "graphics")
    late.show(shown(), PROFILE, INSTALLED)
    late.turn()
    assert picture(tmp_path).getbbox() is not None
