"""``hil doctor``: why a board does not answer. One pure function a check, over facts gathered before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from hil.bench.board import Board
from hil.bench.listen import Heard, share_of_garbage
from keys.errors import InputError

MODEM_MANAGER: Final = "ModemManager"
_PACKAGES: Final = {
    "uhubctl": "apt install uhubctl",
    "qemu-system-arm": "apt install qemu-system-arm",
    "west": "pip install west",
    "esptool.py": "pip install esptool",
    "esptool": "pip install esptool",
    "openocd": "apt install openocd",
}
_NAMED_MAX: Final = 8  # openers, ports


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was checked, how it stands, and what to do."""

    name: str
    state: State
    message: str
    code: str = ""
    """Stable, for scripts; empty when all is well."""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Opener:
    """Another process that has a port open."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What is known of a port."""

    url: str
    device: str = ""
    """The device itself; empty for a URL of another kind, or one that is not there."""
    missing: str = ""
    """Why it is not there; empty if it is."""
    stale: bool = False
    """A link of the file system whose target is gone."""
    group: str = ""
    """Group that may use the device."""
    allowed: bool = True
    """This process may read and write it."""
    joined: bool = False
    """The user is in that group since the last login."""
    openers: tuple[Opener, ...] = ()
    hidden: bool = False
    """Processes of others could not be looked into."""
    modem_manager: bool = False
    """ModemManager runs on this machine."""


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What is known of a board."""

    board: Board
    ports: tuple[PortFacts, ...] = ()
    """Of link and console, as far as they are ports."""
    holder: str = ""
    """Who holds its lock, in words; it was not listened to then."""
    heard: Heard | None = None
    better: Heard | None = None
    """Where garbage came: what came at another rate."""
    unopened: tuple[str, str] = ("", "")
    """Code and sentence, where the port could not be opened."""
    absent: tuple[tuple[str, str], ...] = ()
    """Key of the board file and program or file that it names, and that is not there."""
    ci: bool = False
    """Nobody sits at this bench."""


def of_file(where: str, mistakes: Sequence[InputError], boards: int) -> Iterator[Check]:
    """Yield how the board file stands; a mistake a row."""
    for one in mistakes:
        yield Check("board file", State.FAIL, f"{one.where}: {one.message}", one.code, one.mend)
    if not mistakes:
        yield Check("board file", State.OK, f"{where} is right: {boards} board{'s' * (boards != 1)}.")


def of_none(ports: Sequence[str]) -> Check:
    """Return the row for a bench without a board file."""
    seen = ", ".join(ports[:_NAMED_MAX])
    found = f"Serial ports that are there: {seen}." if seen else "No serial port is there: plug the board in."
    mend = f"{found} Then: hil init {ports[0] if ports else 'PORT'}"
    return Check("board file", State.FAIL, "There is no board file here or above.", "NO_BOARD_FILE", mend)


def examine(facts: BoardFacts) -> list[Check]:
    """Run every check of one board."""
    return [found for check in _CHECKS for found in check(facts)]


def _row(facts: BoardFacts, state: State, message: str, code: str = "", mend: str = "") -> Check:
    return Check(facts.board.name, state, message, code, mend)


def _tools(facts: BoardFacts) -> Iterator[Check]:
    for key, what in facts.absent:
        package = _PACKAGES.get(PurePath(what).name)
        mend = f"Install it: {package}" if package else "Install it, put it on PATH, or mend the board file."
        yield _row(facts, State.FAIL, f"{key} needs {what}, which is not there.", "TOOL_MISSING", mend)


def _power(facts: BoardFacts) -> Iterator[Check]:
    if facts.ci and facts.board.power.driver == "manual":
        message = "Its power is switched by hand, and CI is true: nobody is there."
        yield _row(facts, State.FAIL, message, "POWER_BY_HAND", "Take another power.driver.")


def _present(facts: BoardFacts) -> Iterator[Check]:
    for port in facts.ports:
        if port.stale:
            message = f"{port.url} is left over: the program that made this PTY has ended."
            yield _row(facts, State.FAIL, message, "STALE_PTY", "Start that program again.")
        elif port.missing and facts.board.power.driver in {"command", "uhubctl"}:
            message = f"{port.url} is not there ({port.missing}); its power may be off."
            mend = f"Give it power: hil power {facts.board.name} on"
            yield _row(facts, State.WARN, message, "PORT_MISSING", mend)
        elif port.missing:
            message = f"{port.url} is not there ({port.missing})."
            mend = "Plug the board in, look at cable and power; 'dmesg -w' tells what the machine sees."
            yield _row(facts, State.FAIL, message, "PORT_MISSING", mend)


def _rights(facts: BoardFacts) -> Iterator[Check]:
    for port in facts.ports:
        if port.allowed or port.missing:
            continue
        message = (
            f"This user may not open {port.device or port.url}; its group is {port.group or 'not known'}."
        )
        mend = f"sudo usermod -aG {port.group or 'dialout'} $USER, then log out and in."
        if port.joined:
            mend = f"You are in {port.group} since you logged in: log out and in, or 'newgrp {port.group}'."
        yield _row(facts, State.FAIL, message, "PORT_DENIED", mend)


def _openers(facts: BoardFacts) -> Iterator[Check]:
    for port in facts.ports:
        if facts.holder or port.missing or not port.device:
            continue
        modem = [one for one in port.openers if one.name == MODEM_MANAGER]
        others = [f"{one.name} (pid {one.pid})" for one in port.openers if one not in modem]
        if modem:
            message = f"ModemManager (pid {modem[0].pid}) has {port.device} open and talks to the board."
            yield _row(facts, State.FAIL, message, "MODEM_MANAGER", _IGNORE)
        elif port.modem_manager and PurePath(port.device).name.startswith("ttyACM"):
            message = "ModemManager runs: it talks to every new ttyACM port for some seconds."
            yield _row(facts, State.WARN, message, "MODEM_MANAGER_RUNS", _IGNORE)
        if others:
            message = f"{port.device} is open elsewhere too: {', '.join(others[:_NAMED_MAX])}."
            mend = "Close it: each of two readers gets a part of what the board says."
            yield _row(facts, State.FAIL, message, "TWO_OPENERS", mend)
        elif not modem and port.allowed:
            who = "this user's programs" if port.hidden else "the programs of this machine"
            yield _row(facts, State.OK, f"{port.device} is there, and none of {who} has it open.")


_IGNORE: Final = (
    'Tell udev: ENV{ID_MM_DEVICE_IGNORE}="1" for this board, or: sudo systemctl mask --now ModemManager'
)


def _holder(facts: BoardFacts) -> Iterator[Check]:
    if facts.holder:
        mend = "Ask again when it is free: 'hil who' shows it."
        message = f"{facts.holder} It was not listened to."
        yield _row(facts, State.WARN, message, "BOARD_BUSY", mend)


def _opened(facts: BoardFacts) -> Iterator[Check]:
    code, message = facts.unopened
    told = any(port.missing or port.stale or not port.allowed for port in facts.ports)
    if code and not told:
        mend = _NOT_OPENED.get(code, "Look at link.url, cable and power, and at what serves the port.")
        yield _row(facts, State.FAIL, message, code, mend)


_NOT_OPENED: Final = {
    "PORT_BUSY": "'fuser -v DEVICE' names who has it open.",
    "PORT_URL": "Mend link.url: a device, or a URL such as socket://HOST:PORT.",
    "PORT_LOST": "Look at cable and power; at a socket, whether it lets only one client in at a time.",
}


def _speech(facts: BoardFacts) -> Iterator[Check]:
    heard, board = facts.heard, facts.board
    if heard is None:
        return
    wanted = board.boot.ready == "echo"
    if heard.smp:
        yield _row(facts, State.OK, f"It answers an SMP echo at {heard.baud} baud.")
    elif heard.garbage:
        yield _garbage(facts, heard)
    elif heard.useful and wanted:
        message = f"It prints text at {heard.baud} baud, and does not answer SMP."
        mend = (
            "Build SMP over this UART into the firmware, name the port that has it, or, for a board without: "
            'boot.ready = "none" and capabilities = ["console"].'
        )
        yield _row(facts, State.FAIL, message, "SMP_ABSENT", mend)
    elif heard.useful:
        yield _row(facts, State.OK, f"It prints text at {heard.baud} baud; it does not answer SMP.")
    else:
        message = f"Nothing came at {heard.baud} baud; neither an SMP echo nor an empty line was answered."
        mend = f"Look at power, RX/TX and ground. Other rates, and its start: hil init {board.link.url}"
        yield _row(facts, State.FAIL if wanted else State.WARN, message, "NOTHING_HEARD", mend)


def _garbage(facts: BoardFacts, heard: Heard) -> Check:
    share = share_of_garbage(heard.data + heard.prompt)
    message = f"{share:.0%} of what comes at {heard.baud} baud is no text: the rate is wrong."
    mend = "No usual rate gives text either: look at the firmware's rate, ground and voltage."
    if facts.better is not None:
        what = "SMP answers" if facts.better.smp else "text comes"
        mend = f"At {facts.better.baud} baud {what}: link.baud = {facts.better.baud}"
    return _row(facts, State.FAIL, message, "WRONG_BAUD", mend)


_CHECKS: Final[tuple[Callable[[BoardFacts], Iterator[Check]], ...]] = (
    _tools,
    _power,
    _present,
    _rights,
    _openers,
    _holder,
    _opened,
    _speech,
)
