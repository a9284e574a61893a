"""Facts for ``hil doctor``: what the file system, the processes of this machine and the port itself say."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from serial.tools import list_ports

from hil.bench import lock
from hil.bench.board import Board
from hil.bench.doctor import MODEM_MANAGER, BoardFacts, Opener, PortFacts
from hil.bench.listen import ANSWER_S, LISTEN_S, find_baud, hear
from hil.bench.port import resolve
from hil.bench.probe import speaks_smp
from hil.bench.spawn import QEMU
from hil.errors import BenchError

_PROC: Final = Path("/proc")
_PTS: Final = re.compile(r"/dev/pts/([0-9]+)")
_UHUBCTL: Final = "uhubctl"


def of_board(
    board: Board,
    environ: Mapping[str, str],
    *,
    listen_s: float = LISTEN_S,
    answer_s: float = ANSWER_S,
    tells: Callable[[str], object] = len,
) -> BoardFacts:
    """Gather what there is to know of a board; the port is listened to if it is free.

    Args:
        board: which.
        environ: of the programs that it names.
        listen_s: seconds to listen.
        answer_s: seconds to wait for an answer.
        tells: told what is being done.
    """
    urls = [url for url in (board.link.url, board.console.url) if url not in {None, "same"}]
    ports = tuple(of_port(url) for url in urls if url)
    absent, on_ci = tuple(_absent(board, environ)), environ.get("CI") == "true"
    facts = BoardFacts(board, ports, absent=absent, ci=on_ci)
    link = board.link.url
    if (
        link is None or ports[0].missing or ports[0].openers
    ):  # a second reader would take the first one's bytes
        return facts
    baud = board.link.baud
    try:
        with lock.hold(board, lock.ports_of(board), purpose="hil doctor"):
            tells(f"{link}: listening at {baud} baud")
            heard = hear(link, baud, listen_s=listen_s, answer_s=answer_s, smp=speaks_smp(board))
            better = None
            if heard.garbage:
                better, _ = find_baud(link, listen_s=listen_s, answer_s=answer_s, tells=tells)
    except BenchError as error:
        if error.code == "BOARD_BUSY":
            return BoardFacts(board, ports, holder=error.message, absent=absent, ci=on_ci)
        return BoardFacts(board, ports, unopened=(error.code, error.message), absent=absent, ci=on_ci)
    return BoardFacts(board, ports, heard=heard, better=better, absent=absent, ci=on_ci)


def ports_there() -> list[str]:
    """Return the serial ports of this machine."""
    return sorted(port.device for port in list_ports.comports())


def of_port(url: str) -> PortFacts:
    """Gather what the file system and the processes say of a port."""
    try:
        device = resolve(url)
    except BenchError as error:
        return PortFacts(url, missing=error.message.rstrip("."))
    if "://" in device:
        return PortFacts(url)
    path = Path(device)
    try:
        found = path.stat()
    except FileNotFoundError:
        return PortFacts(url, missing="no such file", stale=Path(url).is_symlink())
    except OSError as error:  # a folder on the way that is closed to this user, a name too long
        return PortFacts(url, missing=(error.strerror or type(error).__name__).lower())
    openers, hidden, modem_manager = openers_of(device)
    return PortFacts(
        url,
        device,
        group=_group(found.st_gid),
        allowed=os.access(path, os.R_OK | os.W_OK),
        joined=_user() in _members(found.st_gid) and found.st_gid not in os.getgroups(),
        openers=openers,
        hidden=hidden,
        modem_manager=modem_manager,
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _members(number: int) -> list[str]:
    try:
        return grp.getgrgid(number).gr_mem
    except KeyError:
        return []


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def openers_of(device: str, proc: Path = _PROC) -> tuple[tuple[Opener, ...], bool, bool]:
    """Return who else has a device open, whether some processes could not be looked into, and ModemManager.

    Who holds the other side of a PTY is the board, not a second reader.
    """
    found: list[Opener] = []
    hidden = modem_manager = False
    for folder in proc.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            name = (folder / "comm").read_text(errors="replace").strip()
            modem_manager |= name == MODEM_MANAGER
            targets = {entry.name: str(entry.readlink()) for entry in (folder / "fd").iterdir()}
        except PermissionError:
            hidden = True
            continue
        except OSError:  # it has just ended, or closed that file
            continue
        if device in targets.values() and not _is_master(folder, targets, device):
            found.append(Opener(int(folder.name), name))
    return tuple(sorted(found, key=lambda one: one.pid)), hidden, modem_manager


def _is_master(folder: Path, targets: Mapping[str, str], device: str) -> bool:
    terminal = _PTS.fullmatch(device)
    if terminal is None:
        return False
    wanted = re.compile(rf"^tty-index:\s*{terminal.group(1)}$", re.MULTILINE)
    for number, target in targets.items():
        if not target.endswith("/ptmx"):
            continue
        try:
            if wanted.search((folder / "fdinfo" / number).read_text()):
                return True
        except OSError:  # it was closed meanwhile
            continue
    return False


def _programs(board: Board) -> Iterator[tuple[str, str]]:
    if board.power.driver == "uhubctl":
        yield "power.driver", _UHUBCTL
    commands = {
        "power.on": board.power.on,
        "power.off": board.power.off,
        "reset.command": board.reset.command,
    }
    if board.flash is not None:
        commands["flash.command"] = board.flash.command
    spawn = board.spawn
    if spawn is not None and spawn.driver == "qemu":
        own = spawn.command and not spawn.command[0].startswith("-")
        yield ("spawn.command", spawn.command[0]) if own and spawn.command else ("spawn.driver", QEMU)
    elif spawn is not None:
        commands["spawn.command"] = spawn.command
    yield from ((key, command[0]) for key, command in commands.items() if command)


def _absent(board: Board, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, program in _programs(board):
        where = str(board.folder / program) if "/" in program else program
        if shutil.which(where, path=environ.get("PATH")) is None:
            yield key, program
    elf = board.spawn.elf if board.spawn else None
    if elf and not (board.folder / elf).is_file():
        yield "spawn.elf", elf
