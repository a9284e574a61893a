"""The two files that ``hil init`` writes: a board's entry in the board file, and first tests that pass."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from hil.bench import boardfile
from hil.bench.board import NAME_PATTERN, Board, Boot, Link
from hil.bench.boardrules import why_no_url
from hil.bench.firstlook import BUFFER_DEFAULT, Found, Says
from hil.bench.listen import pattern_of
from hil.bench.lock import key_of
from hil.bench.port import resolve
from hil.errors import BenchError
from keys.errors import InputError

TEST_NAME: Final = "test_board.py"
_BANNERS: Final = ("*** Booting ", "tocsin: boot ", "ESP-ROM:", "rst:0x", "U-Boot ", "I: Starting bootloader")
"""What stands in a line that comes at every start and at no other time."""


def name_for(wish: str | None, taken: Iterable[str]) -> str:
    """Return the board's name: the one wished for, or the first of board1, board2 that is free.

    Raises:
        InputError: BOARD_NAME, it is none; BOARD_EXISTS, the file has it.
    """
    names = set(taken)
    if wish is None:
        return next(name for number in range(1, len(names) + 2) if (name := f"board{number}") not in names)
    if not re.fullmatch(NAME_PATTERN, wish):
        mend = "Take letters, digits, dot, hyphen and underscore, 63 at most."
        raise InputError("BOARD_NAME", f"{wish!r} is no name for a board.", mend=mend)
    if wish in names:
        message = f"The board file has a board {wish} already."
        raise InputError("BOARD_EXISTS", message, mend="Take another --name, or take the entry out first.")
    return wish


def _toml(text: str) -> str:
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)


def entry(name: str, found: Found) -> str:
    """Return the board's table for the board file, about ten lines with what may be said besides."""
    smp = f", smp_buf = {found.buffer}" if found.heard.smp and found.buffer != BUFFER_DEFAULT else ""
    lines = [f"[board.{name if '.' not in name else _toml(name)}]"]
    lines += [f"# {found.info}"] if found.info else []
    kind = found.kind[:63]
    lines += [
        f"class = {_toml(kind)}"
        if kind
        else '# class = "my-firmware"  # tests may ask for a class, or for tags'
    ]
    lines.append(f"link = {{ url = {_toml(found.url)}, baud = {found.heard.baud}{smp} }}")
    banner = _banner(found.heard.lines())
    said = f", banner = {_toml(banner)}" if banner else ""
    if found.heard.smp:
        lines.append(
            f'boot = {{ ready = "echo", timeout_s = 10{said} }}  # ready when it answers an SMP echo'
        )
        lines.append(f"# It answers the groups {', '.join(found.groups())}; 'hil probe {name}' says more.")
    else:
        lines.append(f'boot = {{ ready = "none"{said} }}  # "banner" once something resets it')
        lines.append(
            'capabilities = ["console"]  # it speaks no SMP, so none is sent; add "reset" with a reset'
        )
    resets = (
        '"smp", "rts", "dtr", "esp32", "command"' if found.heard.smp else '"rts", "dtr", "esp32", "command"'
    )
    first = "smp" if found.heard.smp else "rts"
    lines.append(f'# reset = {{ by = "{first}" }}  # what starts it anew: {resets}')
    lines.append('# power = { driver = "uhubctl", hub = "1-1.4", port = 2 }  # what can cut its power')
    lines.append("destructive = false  # true: tests may erase it and write firmware to it")
    return "\n".join(lines) + "\n"


def _banner(lines: Iterable[str]) -> str:
    for line in lines:
        for start in _BANNERS:
            if start in line:
                return re.escape(start).replace("\\ ", " ").strip()
    return ""


def tests(name: str, found: Found) -> str:
    """Return a file of first tests, which pass on the board as it is now."""
    head = (
        f'"""First tests of board {name}, written by \'hil init\'. Run them: pytest --hil-board {name}"""\n'
    )
    if not found.heard.smp:
        return head + _CONSOLE_TESTS[found.says].format(pattern=pattern_of(found.words))
    body = """

def test_it_answers(hil_smp):
    assert hil_smp.os.echo("hello") == "hello"
"""
    if found.slots:
        body += """

def test_an_image_is_active(hil_smp):
    images = hil_smp.img.state()
    assert any(image.active for image in images), images
"""
    if "group.notifier" in found.capabilities:
        body += """

def test_it_says_who_it_is(hil_notifier):
    info = hil_notifier.info()
    assert info.id
    assert info.fw
"""
    return head + body


_CONSOLE_TESTS: Final = {
    Says.AGAIN: """

def test_its_console_prints(hil_console):
    hil_console.expect({pattern!r}, since=0, timeout_s=10)
""",
    Says.ASKED: """

def test_its_shell_answers(hil_console):
    hil_console.write("\\r\\n")
    hil_console.expect({pattern!r}, timeout_s=10)
""",
    Says.ONCE: """
from hil.plugin import mark as hil


@hil.needs("reset")
def test_it_starts(hil_board, hil_console):
    hil_board.reset()
    hil_console.expect({pattern!r}, timeout_s=10)
""",
}
"""When a console says something -> a test of it. What comes only at a start needs a reset."""


def present(path: Path, environ: Mapping[str, str]) -> Mapping[str, Board]:
    """Return the boards of a file that may not be there yet, or hold nothing but comments.

    Raises:
        InputError: BOARD_FILE, what is there cannot be read, or nothing can be written there.
    """
    _require_place(path)
    if not path.exists() or not boardfile.says_anything(path):
        return {}
    return boardfile.load(path, environ)


def _require_place(path: Path) -> None:
    """Refuse a file that could not be written in the end, before a port is looked at for it."""
    for wrong, message, mend in (
        (not path.parent.is_dir(), "The board file's folder is not there.", "Make it, or name another one."),
        (
            path.exists() and not path.is_file(),
            "What stands in the board file's place is no file.",
            "Name another one with --boards.",
        ),
        (
            not os.access(path if path.exists() else path.parent, os.W_OK),
            "The board file cannot be written.",
            "Name another one with --boards.",
        ),
    ):
        if wrong:
            raise InputError("BOARD_FILE", message, mend=mend, where=str(path))


def unnamed(name: str, url: str) -> Board:
    """Return a board of which nothing is known but its port.

    Args:
        name: what to call it; what no name may have becomes a hyphen.
        url: the port, as a person typed it.

    Raises:
        InputError: PORT_NAME, no port is called so.
    """
    wrong = why_no_url(url)
    if wrong is not None:
        raise InputError("PORT_NAME", f"The port's name {wrong[0]}.", mend=wrong[1])
    try:
        link = Link(url=url)
    except ValidationError:
        message = "The port's name is empty, too long or no text."
        raise InputError(
            "PORT_NAME", message, mend="Write a device such as /dev/ttyACM0, or a URL."
        ) from None
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:63]
    return Board(name=word or "port", link=link, boot=Boot(ready="none"))


def check_port(boards: Mapping[str, Board], url: str) -> None:
    """Refuse a port that a board of the file has already.

    Raises:
        InputError: BOARD_EXISTS.
    """
    for board in boards.values():
        if board.link.url is not None and _same(board.link.url, url):
            message = f"Board {board.name} has this port already."
            raise InputError("BOARD_EXISTS", message, mend="Edit that entry.", where=board.place)


def _same(one: str, other: str) -> bool:
    try:
        return one == other or "" != key_of(resolve(one)) == key_of(resolve(other))
    except BenchError:
        return False


def write(path: Path, name: str, found: Found, environ: Mapping[str, str]) -> list[str]:
    """Write the board's table into the board file, and first tests beside it; returns what was written.

    A file that is there keeps every byte: the table is put at its end. Tests that are there are left alone.

    Raises:
        InputError: BOARD_FILE, what is there cannot be read, or no table can be put at its end.
    """
    table, there = entry(name, found), path.exists()
    old = path.read_text(encoding="utf-8-sig") if there else ""
    start = "# The boards of this bench. 'hil boards check' finds mistakes in it.\n\n"
    if old:
        start = "\n" if old.endswith("\n") else "\n\n"
    new = old + start + table
    _, mistakes = boardfile.read(new, where=str(path), folder=path.parent, environ=environ)
    if mistakes:
        message = f"No table can be put at its end: {mistakes[0].message}"
        mend = "Have it written into another file with --boards, and copy it from there."
        raise InputError("BOARD_FILE", message, mend=mend, where=mistakes[0].where)
    _put(path, "a" if there else "x", start + table)
    written = [f"{path.name} (board {name})"]
    beside = path.parent / TEST_NAME
    if not os.path.lexists(beside):
        _put(beside, "x", tests(name, found))
        written.append(beside.name)
    return written


def _put(path: Path, mode: str, text: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        message = f"This file cannot be written ({error.strerror or type(error).__name__})."
        raise InputError("BOARD_FILE", message, mend="Look at the folder.", where=str(path)) from None
