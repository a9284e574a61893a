"""The parts of ``hil init``: names, what a file is made of, and files that stay."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from hil.bench import boardfile, firstboard, firstlook
from hil.bench.firstboard import entry, name_for, write
from hil.bench.firstlook import Found, Says, stable_name
from hil.bench.listen import Heard, pattern_of, share_of_garbage
from keys.errors import InputError


def test_a_line_that_comes_again_is_what_the_test_expects() -> None:
    first = Heard(9600, b"loading\r\ntick 17\r\n")
    found = firstlook._console("x", first, Heard(9600, b"tick 18\r\n"))
    assert (found.says, found.words) == (Says.AGAIN, "tick 17")
    assert "No SMP at 9600 baud, but a console that prints." in found.told()
    assert "since=0" in firstboard.tests("b", found)
    found = firstlook._console("x", first, Heard(9600, b"tock 18\r\n"))
    assert (found.says, found.words) == (Says.ONCE, "loading")


def test_whatever_a_board_says_the_file_stays_toml_and_the_test_python(tmp_path: Path) -> None:
    for number, line in enumerate(
        ['"""', "\\", "'''\"", "${HOME} $$ {x}", "# ]", "é\x07\x1b[1m(", "{0} {pattern}"]
    ):
        found = Found(f"/dev/{line}", Heard(9600), info=line, kind=line, says=Says.ONCE, words=line)
        found = Found(found.url, found.heard, info="x", kind=line, says=Says.ONCE, words=line)
        text = entry("b", found)
        boards, mistakes = boardfile.read(text, where="f", folder=tmp_path, environ={})
        assert mistakes == [], (line, text)
        assert boards["b"].link.url == f"/dev/{line}"
        assert boards["b"].class_ == line
        tree = ast.parse(firstboard.tests("b", found))
        patterns = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert pattern_of(line) in patterns
        assert re.search(pattern_of(line), line), number


def test_names_and_groups_of_a_device_of_ours() -> None:
    capabilities = frozenset({"os", "img", "stat", "group.notifier", "notifier.press"})
    found = Found("x", Heard(9600, smp=True), capabilities, 384, "i", "thermostat", 1)
    assert found.told() == "SMP at 9600 baud: os, img, stat, notifier, of a test build."
    assert 'class = "thermostat"' in entry("a.b", found)
    assert '[board."a.b"]' in entry("a.b", found)
    assert "smp_buf" not in entry("b", found)
    assert "def test_it_says_who_it_is(hil_notifier)" in firstboard.tests("b", found)
    assert name_for(None, ["board1", "board3"]) == "board2"
    assert name_for(None, []) == "board1"
    with pytest.raises(InputError, match="no name for a board"):
        name_for("a b", [])


def test_a_port_is_named_so_that_it_survives_replugging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    device = tmp_path / "ttyACM0"
    device.touch()
    names = tmp_path / "by-id"
    names.mkdir()
    (names / "usb-exercise").symlink_to(device)
    (tmp_path / "mine").symlink_to(device)
    assert stable_name("ttyACM0", names) == str(names / "usb-exercise")
    assert stable_name("mine", names) == str(tmp_path / "mine")
    assert stable_name("/dev/null", names) == "/dev/null"
    assert stable_name("/dev/null", tmp_path / "none") == "/dev/null"
    assert stable_name("hwgrep://x", names) == "hwgrep://x"


@pytest.mark.parametrize(
    ("data", "garbage"),
    [
        (b"", False),
        (b"\xff\xff", False),
        (b"boot ok\r\n\x1b[1;32muart:~$ \x1b[0m", False),
        ("Wärme 21 °C\n".encode(), False),
        ("Wärme".encode()[:2] + b"rme", False),
        (b"\x80\xf8\x00\x80\xf8\x78", True),
        (bytes(range(0x80, 0xA0)), True),
        (b"\x00" * 20, True),
    ],
)
def test_garbage_is_told_from_text(data: bytes, garbage: bool) -> None:
    assert Heard(9600, data).garbage is garbage
    assert 0.0 <= share_of_garbage(data) <= 1.0
    assert not Heard(9600, data, smp=True).garbage


def test_a_link_to_nothing_in_the_tests_place_is_left_alone(tmp_path: Path) -> None:
    beside = tmp_path / firstboard.TEST_NAME
    beside.symlink_to(tmp_path / "elsewhere.py")
    found = Found("/dev/null", Heard(9600, b"hello\n"), says=Says.AGAIN, words="hello")
    assert write(tmp_path / "hil-boards.toml", "a", found, {}) == ["hil-boards.toml (board a)"]
    assert beside.is_symlink()
    assert not beside.exists()


def test_a_file_that_cannot_be_made_in_the_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "hil-boards.toml").symlink_to(tmp_path / "elsewhere.toml")
    found = Found("/dev/null", Heard(9600, b"hello\n"), says=Says.AGAIN, words="hello")
    with pytest.raises(InputError, match="cannot be written") as caught:
        write(tmp_path / "hil-boards.toml", "a", found, {})
    assert caught.value.code == "BOARD_FILE"
