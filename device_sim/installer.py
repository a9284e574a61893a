"""The platform's own updater as a program: RAUC, SWUpdate or a script, behind one small contract.

    CMD booted         print ``version=1.4.2`` of what runs; perhaps also ``slot=0`` or ``slot=1``, and
                       ``trial=yes`` while nobody has confirmed it
    CMD install FILE   write the payload in FILE where it is started from; it has been verified already
    CMD confirm        what runs is good: start it from now on
    CMD revert         what runs is not good: start the one before it
    CMD reboot         restart the machine; it prints ``restart=process`` where only we have to start again

Exit status 0 is done; 75 (EX_TEMPFAIL) is busy, and the same is asked again later; anything else is a
failure. No shell is between us and the program. Its stderr goes to our log, bounded and escaped; it has no
stdin. It is killed, with all that it started, when its time is over or when we end, so an ``install`` that
begins anew must do no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from advisories.versions import Version, parse_version
from device_sim.board import Board
from device_sim.core.measure import Running
from device_sim.core.slots import STAGING
from device_sim.home import Home
from device_sim.platform import SlotPlatform, Verb
from device_sim.programs import (
    LOG_LINES_MAX,
    OUTPUT_BYTES_MAX,
    QUESTION_S,
    Tell,
    ask,
    environment,
    kill,
    plain,
)
from keys.errors import InputError, UnavailableError
from keys.reasons import Reason

EX_TEMPFAIL: Final = 75
"""Exit status of a program that is busy (sysexits.h)."""
RESTART_RETRY_S: Final = 60.0
"""Pause before a program that was too busy to restart the machine is asked again."""
_OWED: Final = ".restart"
"""In a device's folder: the boot of the machine that was to end for what was installed."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_LAST_WORDS_S: Final = 1.0  # what it complained of may still come after it has ended
_VERSION_BYTES_MAX: Final = 16_384  # of a file that a version is read from
_EXITS: Final = {0: Reason.OK, EX_TEMPFAIL: Reason.BUSY}


class RestartError(UnavailableError):
    """The device has to start again, and this process ends for it."""

    def __init__(self) -> None:
        super().__init__("RESTART", "The device restarts.")


class InstallerPlatform(SlotPlatform):
    """Banks are the updater's business; ours are the staging area and a boot record that nobody boots from.

    Args:
        home: the device's folder.
        command: the program.
        install_s: how long an install may take, in seconds.
        tell: takes lines for the log.
        on_restart: sees to it that :meth:`granted` is called, or raises RestartError; None: the device ends.
    """

    __slots__ = ("_command", "_install_s", "_on_restart", "_task", "_tell")

    def __init__(
        self,
        home: Home,
        command: Path,
        *,
        install_s: float,
        tell: Tell,
        on_restart: Callable[[], None] | None = None,
    ) -> None:
        if not os.access(command, os.X_OK) or not command.is_file():
            raise InputError(
                "INSTALLER_MISSING",
                "The installer is not there, or may not be run.",
                mend="Name it as installer in device.toml, or make it executable.",
                where=str(command),
            )
        super().__init__(home)
        self._command = str(command)
        self._install_s = install_s
        self._tell = tell
        self._on_restart = on_restart
        self._task: asyncio.Task[None] | None = None

    def boot(self) -> tuple[int, Running | Reason]:
        """Ask what runs.

        Raises:
            UnavailableError: INSTALLER_BUSY: nothing true can be said yet.
        """
        status, output = ask([self._command, "booted"], self._tell)
        if status == EX_TEMPFAIL:
            raise UnavailableError(
                "INSTALLER_BUSY",
                "The installer cannot say yet what runs.",
                mend="Start the device again in a moment, as systemd does.",
                where=self._command,
            )
        said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        version = _version(said.get("version", ""))
        slot, trial = said.get("slot", "0"), said.get("trial", "no")
        if status or version is None or slot not in {"0", "1"} or trial not in {"yes", "no"}:
            self._tell(f"installer booted: exit status {status}, and no version, slot and trial as expected")
            return 0, Reason.UNSUPPORTED
        return int(slot), Running(version, b"", trial=trial == "yes")

    def apply(self, base: int, slot: int, component: int, size: int) -> Reason:  # noqa: ARG002 - see below
        """Have no base to apply a delta to: an updater brings its own way."""
        return Reason.UNSUPPORTED

    def run(self, verb: Verb, size: int, answer: Callable[[Reason], None]) -> None:
        """Start the program, and answer when it has ended; a run that is under way is ended first."""
        arguments = [self._command, verb]
        if verb == "install":
            path = self._home.slot_path(STAGING)
            os.truncate(path, size)
            arguments.append(str(path.absolute()))  # it is run in the root folder
        seconds = self._install_s if verb == "install" else QUESTION_S
        work = self._after(self._task, arguments, seconds, answer)
        self._task = asyncio.get_running_loop().create_task(work)

    def restart(self) -> bool:
        """Have whoever runs this device ask the program to restart the machine (see :meth:`granted`)."""
        if self._on_restart is None:
            raise RestartError
        self._on_restart()
        return False

    async def reboot(self) -> bool | None:
        """Ask for a restart: None while it cannot be, True when only this process has to start again.

        Raises:
            UnavailableError: INSTALLER_FAILED.
        """
        status, output = await asyncio.to_thread(ask, [self._command, "reboot"], self._tell)
        if status == EX_TEMPFAIL:
            return None
        if status:
            raise UnavailableError(
                "INSTALLER_FAILED",
                f"The installer cannot restart the machine (exit status {status}).",
                mend="See what it said before; restart by hand.",
                where=self._command,
            )
        return "restart=process" in output.splitlines()

    async def granted(self, end: asyncio.Event) -> bool | None:
        """Ask for a restart until it is granted, as :meth:`reboot` says; None: not before the end.

        Should the device be killed meanwhile, the next process finds that the restart is owed.

        Raises:
            UnavailableError: INSTALLER_FAILED.
        """
        owed = self._home.path / _OWED
        with contextlib.suppress(OSError):  # without it, all goes well as long as nobody kills us
            owed.write_bytes(_BOOT_ID.read_bytes())
        while not end.is_set():
            try:
                only_us = await self.reboot()
            except UnavailableError:
                owed.unlink(missing_ok=True)  # it will never be: rather a device that warns than none
                raise
            if only_us is not None:
                owed.unlink(missing_ok=True)
                return only_us
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), RESTART_RETRY_S)
        return None

    @property
    def owes_restart(self) -> bool:
        """True while this boot of the machine was to end: what runs proves nothing of the new image."""
        try:
            return (self._home.path / _OWED).read_bytes() == _BOOT_ID.read_bytes()
        except OSError:
            return False

    async def close(self) -> None:
        """Kill what runs."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _after(
        self,
        before: asyncio.Task[None] | None,
        arguments: Sequence[str],
        seconds: float,
        answer: Callable[[Reason], None],
    ) -> None:
        if before is not None:
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        answer(_EXITS.get(await self._run(arguments, seconds), Reason.UPDATE_FAILED))

    async def _run(self, arguments: Sequence[str], seconds: float) -> int:
        """Run the program to its end; a negative status: it could not be run, or was killed."""
        name = f"installer {arguments[1]}"
        # Our own pipe: asyncio counts a program as running for as long as anybody holds one of its pipes.
        ours, its = os.pipe()
        with io.FileIO(ours) as errors:
            try:
                process = await asyncio.create_subprocess_exec(
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=its,
                    start_new_session=True,
                    cwd="/",
                    env=environment(),
                )
            except OSError as error:
                self._tell(f"{name}: {error.strerror}")
                return -1
            finally:
                os.close(its)
            log = asyncio.create_task(self._log(name, errors))
            try:
                async with asyncio.timeout(seconds):
                    status = await process.wait()
            except TimeoutError:
                self._tell(f"{name}: killed, for it did not end within {seconds:g} s")
                return -1
            finally:
                kill(process.pid)
                await process.wait()
                # What has left its session may hold the pipe for ever; how the program ended is known.
                await asyncio.wait([log], timeout=_LAST_WORDS_S)
                log.cancel()
                await asyncio.gather(log, return_exceptions=True)
        if status not in _EXITS:
            self._tell(f"{name}: exit status {status}")
        return status

    async def _log(self, name: str, errors: io.FileIO) -> None:
        """Pass on the first lines of what the program says, until it says nothing more."""
        reader, lines, rest = asyncio.StreamReader(OUTPUT_BYTES_MAX), 0, b""
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, errors)
        try:
            while rest or not reader.at_eof():
                data = await reader.read(OUTPUT_BYTES_MAX)
                *whole, rest = (rest + (data or b"\n")).split(b"\n")
                rest = rest[:OUTPUT_BYTES_MAX]
                for line in filter(None, map(bytes.rstrip, whole)):
                    lines += 1
                    if lines <= LOG_LINES_MAX:
                        self._tell(f"{name}: {plain(line)}")
        finally:
            pipe.close()


class NoticesOnly(SlotPlatform):
    """Somebody else installs: all that is ours is to know what runs.

    Args:
        home: the device's folder.
        board: where the version is found.
        tell: takes lines for the log.

    Raises:
        InputError: NO_VERSION_SOURCE.
    """

    __slots__ = ("_board", "_tell")

    def __init__(self, home: Home, board: Board, *, tell: Tell) -> None:
        if board.version_file is None and not board.version_command:
            raise InputError(
                "NO_VERSION_SOURCE",
                "Nothing says which version runs.",
                mend="Name version_file or version_command in device.toml.",
                where=str(home.path),
            )
        super().__init__(home)
        self._board = board
        self._tell = tell

    def boot(self) -> tuple[int, Running | Reason]:
        """Read the version that runs; the device is warned of everything while that cannot be told."""
        board = self._board
        if board.version_file is not None:
            text, where = _from_file(board.version_file, board.version_key), str(board.version_file)
        else:
            status, output = ask(board.version_command, self._tell)
            text, where = "" if status else output.strip(), board.version_command[0]
        version = _version(text)
        if version is None:
            self._tell(f"{where}: there is no version like 1.2.3 in it")
            return 0, Reason.UNSUPPORTED
        return 0, Running(version, b"")


def _from_file(path: Path, key: str) -> str:
    """Return a version's text from a file of one line, or of lines such as os-release(5) has."""
    try:
        with path.open("rb") as file:
            lines = file.read(_VERSION_BYTES_MAX).decode(errors="replace").splitlines()
    except OSError:
        return ""
    if not key:
        return lines[0].strip() if lines else ""
    found = (line.partition("=")[2] for line in lines if line.partition("=")[0].strip() == key)
    return next(found, "").strip().strip("\"'")


def _version(text: str) -> Version | None:
    """Read a version; ``12`` and ``12.5``, as distributions write them, are ``12.0.0`` and ``12.5.0``."""
    if text.isdecimal() or (text.count(".") == 1 and "+" not in text):
        text += ".0" * (2 - text.count("."))
    try:
        return parse_version(text)
    except ValueError:
        return None
