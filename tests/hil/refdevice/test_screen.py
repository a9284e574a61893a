"""What the C device draws: words in lines of its display, which letters it has, and where an exercise is said to be one."""

from __future__ import annotations

import ctypes
from dataclasses import fields

import pytest

from advisories.notice import Severity, check_code
from advisories.states import NoticeState as S
from keys.document import digest
from keys.reasons import Reason
from tests.helpers import make_fleet, text

from . import device_of_c, notice_of_c
from .build import Core
from .device_of_c import FLEET, Device
from .notice_of_c import drawn, header, moves, puts, says, screen, shown, stands
from .patch_of_c import Maker

COLUMNS = 78
DRILL = "*** EXERCISE: This is a drill. Nothing is wrong with your device. ***"


@pytest.fixture
def device(core: Core) -> Device:
    return Device(core)


def wrapped(told: str) -> list[str]:
    """Break words into lines: a word goes to the next line where it finds no room, a longer one than a line is cut."""
    lines = []
    for paragraph in told.split("\n"):
        line = ""
        for word in paragraph.split():
            for at in range(0, len(word), COLUMNS):
                piece = word[at : at + COLUMNS]
                if line and len(line) + 1 + len(piece) > COLUMNS:
                    lines.append(line)
                    line = ""
                line = f"{line} {piece}" if line else piece
        lines += [line] if line else []
    return lines


A_LINE = COLUMNS - len("What happened: ")


@pytest.mark.parametrize(
    "told",
    [
        "x",
        *("x" * (A_LINE + over) for over in (-1, 0, 1)),
        *("x" * (COLUMNS + over) for over in (-1, 0, 1)),
        "x" * 600,
        "a" * (COLUMNS - 1) + " b " + "c" * (COLUMNS - 2) + " d",
        "é" * 300,
        "\u2026" * 200,
        "\u2013" * (COLUMNS - 1) + "é \u2014",
        "one\ntwo\n\nthree\n \n\n four  five",
        "a  b   c" + " " * 90 + "d",
    ],
    ids=range(14),
)
def test_words_stand_in_lines_and_none_is_lost(device: Device, told: str) -> None:
    words = text(happened=told)
    shown(device, words)
    happened, affected = wrapped(f"What happened: {told}"), wrapped(f"What is affected: {words.affected}")
    assert drawn(device.core)[3 : 3 + len(happened) + len(affected)] == happened + affected
    assert all(len(line) <= COLUMNS for line in happened)


@pytest.mark.parametrize(("severity", "word"), [(Severity.NONE, "none"), (Severity.CRITICAL, "critical")])
def test_a_whole_notice(device: Device, severity: Severity, word: str) -> None:
    words = text()
    body = shown(device, words, severity=severity)
    code = check_code(digest(FLEET.seal(body)))
    told = [
        f"SECURITY NOTICE, SEVERITY {word}",
        words.title,
        f"What you must do: {words.action}",
        f"What happened: {words.happened}",
        f"What is affected: {words.affected}",
        f"What we are doing: {words.doing}",
        f"Contact: {words.contact}",
        f"Signed notice {body.id} revision 1 check code {code}",
        "NOT CONFIRMED CURRENT.",
    ]
    assert drawn(device.core) == [line for one in told for line in wrapped(one)]


@pytest.mark.parametrize("room", [*range(1, 40), 77, 78, 79, 239, 240])
def test_no_line_goes_beyond_its_room(device: Device, room: int) -> None:
    shown(device, text(happened="é" * 200))
    whole = []
    for number in range(20):
        line = ctypes.create_string_buffer(b"\x5a" * 300, 300)
        length = device.lib.tn_screen_line(number, line, room)
        assert length < room
        assert line.raw[room:] == b"\x5a" * (300 - room)
        whole.append(line.raw[:length])
    if room == 240:
        assert [one.decode() for one in whole if one] == drawn(device.core)


# Letters


LETTERS = [
    ("\u007e", True),
    ("\u00a1", True),
    ("\u024f", True),
    ("\u0250", False),
    ("\u200f", False),
    ("\u2010", True),
    ("\u2027", True),
    ("\u2030", False),
    ("\u4e00", False),
    ("\U0001f600", False),
]


@pytest.mark.parametrize(("letter", "plain"), LETTERS, ids=[f"{ord(letter):x}" for letter, _ in LETTERS])
def test_the_display_has_latin_letters_and_dashes(device: Device, letter: str, *, plain: bool) -> None:
    words = text(happened=f"a{letter}b")
    puts(device, header(words))
    assert says(device, words) is Reason.OK
    assert stands(device) == ((S.SHOWN, Reason.STALE) if plain else (S.VERIFIED, Reason.FONT_MISSING))
    assert bool(drawn(device.core)) == plain


WORDS = [field.name for field in fields(text()) if field.name not in {"language", "pages"}]


@pytest.mark.parametrize("field", WORDS)
def test_one_letter_that_it_has_not_is_enough_anywhere(device: Device, field: str) -> None:
    words = text(**{field: "a\u4e00"})
    puts(device, header(words))
    assert says(device, words) is Reason.OK
    assert screen(device) is None
    assert stands(device) == (S.VERIFIED, Reason.FONT_MISSING)


# Exercises


@pytest.mark.parametrize(
    ("of_fleet", "of_notice"), [(False, False), (False, True), (True, False), (True, True)]
)
def test_an_exercise_says_so_first_whoever_says_it_is_one(
    core: Core, monkeypatch: pytest.MonkeyPatch, *, of_fleet: bool, of_notice: bool
) -> None:
    fleet = make_fleet(exercise=of_fleet)
    monkeypatch.setattr(device_of_c, "FLEET", fleet)
    monkeypatch.setattr(notice_of_c, "FLEET", fleet)
    device = Device(core)
    shown(device, exercise=of_notice)
    assert moves(device)[-1][1] is S.SHOWN
    lines = drawn(core)
    assert (lines[0] == DRILL) == (of_fleet or of_notice)
    assert lines.count(DRILL) == (of_fleet or of_notice)
    assert "SECURITY NOTICE, SEVERITY high" in lines[:2]


# Which language


@pytest.mark.parametrize(
    ("owner", "there", "best"),
    [
        ("de", ["en", "de"], "de"),
        ("de-AT", ["de", "en"], "de"),
        ("de", ["de-CH", "de-AT", "en"], "de-AT"),
        ("de-AT", ["de-CH", "de", "de-AT"], "de-AT"),
        ("de-AT", ["de-CH", "de", "en"], "de"),
        ("d", ["de", "en"], "en"),
        ("den", ["de", "en-GB"], "en-GB"),
        ("fr", ["de", "es"], "de"),
        ("fr", ["de-AT", "de"], "de"),
        ("fr", ["en-GB", "en", "aa"], "en"),
    ],
)
def test_the_owners_language_is_shown_or_what_stands_in_for_it(
    core: Core, owner: str, there: list[str], best: str
) -> None:
    device = Device(core)
    Maker.in_dll(device.lib, "tn_maker").language = owner.encode()
    texts = [text(tag, title=f"In {tag}") for tag in there]
    puts(device, header(*texts))
    for words in texts:
        assert says(device, words) is Reason.OK
    assert f"In {best}" in drawn(core)
