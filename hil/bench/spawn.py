"""Boards that are programs: a process or QEMU, started at each power-on, gone with the bench."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hil.bench import keeper
from hil.bench.board import Board, Spawn
from hil.bench.port import port_error
from hil.bench.tool import last_words
from hil.errors import BenchError

QEMU: Final = "qemu-system-arm"
_PORTS: Final = range(20_000, 32_000)  # below what the kernel gives to outgoing connections
_PORT_TRIES: Final = 100
_OUTPUT_CHARACTERS_MAX: Final = 65_536
_END_S: Final = 10.0  # a killed program's end
_PTS: Final = re.compile(r"/dev/pts/\d+")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nobody listens at this moment.

    Raises:
        BenchError: SPAWN_FAILED, none was found.
    """
    draw = random.SystemRandom()
    for _ in range(_PORT_TRIES):
        number = draw.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", number))
            return number
    raise BenchError("SPAWN_FAILED", "No free TCP port was found.", mend="Look who listens on 127.0.0.1.")


def qemu_command(spawn: Spawn, ports: Mapping[int, int], folder: Path) -> list[str]:
    """Return QEMU's command line.

    A TCP line waits for us before the machine runs, so that not a byte of its boot is lost; a PTY of QEMU's
    does not wait, and its first bytes may be lost.

    Args:
        spawn: the board file's table. ``command`` that begins with an option adds to qemu-system-arm,
            else it stands for it.
        ports: number of the serial line -> TCP port.
        folder: of the board file.
    """
    extra = list(spawn.command or ())
    program = [QEMU] if not extra or extra[0].startswith("-") else [extra.pop(0)]
    machine = ["-machine", spawn.machine] if spawn.machine else []
    kernel = ["-kernel", str(folder / spawn.elf)] if spawn.elf else []
    lines: list[str] = []
    for number, kind in enumerate(spawn.serial):
        tcp = f"tcp:127.0.0.1:{ports.get(number)},server=on,wait=on,nodelay=on"
        lines += ["-serial", tcp if kind == "tcp" else "pty"]
    return [*program, *machine, *kernel, "-display", "none", "-monitor", "none", *lines, *extra]


class Spawned:
    """A board that is a program; power on starts it anew, power off kills it and all that it started."""

    def __init__(self, board: Board, spawn: Spawn, environ: Mapping[str, str]) -> None:
        self._board, self._spawn = board, spawn
        self._environ = {**environ, **spawn.env}
        self._folder: Path | None = None  # of links to PTYs, made when one is needed
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None
        self._ports: dict[int, int] = {}
        self._output = ""
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start the program; it is killed first if it still runs.

        Raises:
            BenchError: TOOL_MISSING, SPAWN_FAILED.
        """
        with self._lock:
            self.stop()
            self._ports = {n: free_port() for n, kind in enumerate(self._spawn.serial) if kind == "tcp"}
            self._output = ""
            command = self._command()
            if shutil.which(command[0], path=self._environ.get("PATH")) is None:
                message = f"The program of {self._board.name}, {command[0]}, is not installed."
                mend = "Install it, or mend spawn.command."
                raise BenchError("TOOL_MISSING", message, mend=mend, where=self._board.place)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the board file's own command
                    [sys.executable, "-I", "-S", str(keeper.__file__), *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=self._board.folder / (self._spawn.cwd or ""),
                    env=self._environ,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # Ctrl-C is for the bench, not for its boards
                )
            except OSError as error:
                message = f"The program of {self._board.name} cannot be started: {error.strerror}."
                mend = "Look at spawn.command and spawn.cwd."
                raise BenchError("SPAWN_FAILED", message, mend=mend, where=self._board.place) from None
            self._drain = threading.Thread(target=self._read, args=(self._process,), daemon=True)
            self._drain.start()

    def stop(self) -> None:
        """Kill the program and its children; when this returns they are gone."""
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return
            if process.stdin is not None:
                process.stdin.close()  # the keeper kills them all, and waits for them
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self._drain is not None:
                self._drain.join(_END_S)
            if self._folder is not None:  # what a link names may be somebody else's by now
                for link in self._folder.iterdir():
                    link.unlink()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def ended(self) -> str:
        """Return how the program ended and what it said last; empty while it runs."""
        process = self._process
        if process is None:
            return "it was stopped"
        status = process.poll()
        if status is None:
            return ""
        if self._drain is not None:
            self._drain.join(_END_S)
        return f"it ended with status {status} and said: {last_words(self._output) or 'nothing'}"

    def url(self, number: int) -> str:
        """Return where a serial line of it is found now; the first is 0.

        Raises:
            BenchError: PORT_MISSING, it has not made its PTY yet.
        """
        if number in self._ports:
            return f"socket://127.0.0.1:{self._ports[number]}"
        if self._names_link():
            return str(self._link(number))
        # Zephyr's native_sim, Mynewt's sim and QEMU choose a PTY and say which.
        found = list(dict.fromkeys(_PTS.findall(self._output)))
        if number >= len(found):
            raise port_error("PORT_MISSING", self._board.name, "the program has named no /dev/pts/N yet")
        return str(found[number])

    def _names_link(self) -> bool:
        return any("{pty" in part for part in self._spawn.command or ())

    def _link(self, number: int) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="hil-"))
        return self._folder / f"pty{number + 1}"

    def _command(self) -> list[str]:
        spawn = self._spawn
        folder = self._board.folder.absolute()
        if spawn.driver == "qemu":
            return qemu_command(spawn, self._ports, folder)
        filled = {}
        of_kind = {"tcp": 0, "pty": 0}
        for number, kind in enumerate(spawn.serial):
            of_kind[kind] += 1
            suffix = "" if of_kind[kind] == 1 else str(of_kind[kind])
            name = "{port" if kind == "tcp" else "{pty"
            place = f"{name}{suffix}}}"
            if any(place in part for part in spawn.command or ()):
                filled[place] = str(self._ports[number] if kind == "tcp" else self._link(number))
        command = list(spawn.command or ())
        for placeholder, value in filled.items():
            command = [part.replace(placeholder, value) for part in command]
        if "/" in command[0]:  # a path is from the board file's folder, as everything in it
            command[0] = os.path.join(folder, command[0])  # noqa: PTH118 - keeps ./ and links as written
        return command

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Keep what the program prints; a pipe that nobody empties would stop it."""
        if process.stdout is None:
            return
        with process.stdout as stream:
            for text in stream:
                self._output = (self._output + text)[-_OUTPUT_CHARACTERS_MAX:]
