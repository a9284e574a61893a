"""A real device at work: its folder, its link, its surfaces and its surroundings around one shell."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device_sim import sensors
from device_sim.control import RESET, Control
from device_sim.core.patchbook import NO_RETURN
from device_sim.core.profile import Conditions, Platform
from device_sim.display import BY_SURFACE, LateDisplay, Speaking, open_display
from device_sim.home import Home
from device_sim.installer import InstallerPlatform, NoticesOnly, RestartError
from device_sim.lean import give_back
from device_sim.links import Link
from device_sim.notify import Notifier
from device_sim.panel import Panel
from device_sim.platform import SlotPlatform
from device_sim.shell import OFFLINE, DeviceShell, Event
from keys.errors import InputError, TocsinError, UnavailableError

if TYPE_CHECKING:
    from device_sim.homeassistant.bridge import Bridge

TURN_S: Final = 6.0
"""How long a page of a small screen stands, in seconds."""
FIRST_RETRY_S: Final = 5.0
"""Pause before a gateway that could not be reached at the start is tried again."""
RESTART_LIMIT_S: Final = 600.0
"""A machine that has not gone down after so long is asked to restart once more."""
SETTLE_S: Final = 1.0
"""What connecting alone needed is given back after so long."""
_THREADS: Final = 2
_LEVELS: Final = {"failed": 3, "display": 4, "disconnected": 5, "log": 6}
"""Kinds of events -> level of syslog(3); others are 6 (info)."""


class Service:
    """One device of one folder.

    Args:
        path: the folder.
        broker: where it listens, instead of what ``device.toml`` says.
        gateway: where it polls, instead of that.
        display: what it shows on, instead of that.
        quiet: nothing but the end's summary goes to stdout.

    Raises:
        InputError: NO_GATEWAY, or what ``device.toml`` says cannot be.
        DamagedError: HOME_DAMAGED.
    """

    def __init__(
        self,
        path: Path,
        *,
        broker: str | None = None,
        gateway: str | None = None,
        display: str | None = None,
        quiet: bool = False,
    ) -> None:
        self.events: Counter[str] = Counter()
        """What happened so far, by kind."""
        self._home = Home.open(path)
        self._board = board = self._home.board
        self._where = _way(broker, gateway) or _way(board.broker, board.gateway)
        if self._where is None:
            raise InputError(
                "NO_GATEWAY",
                "Nothing says where this device reaches its gateway.",
                mend="Say --broker or --gateway, or name one in device.toml.",
                where=str(path / "device.toml"),
            )
        name = display or board.display or BY_SURFACE[self._home.profile.surface]
        self._to_terminal = name in {"console", "ascii"} and not quiet and sys.stdout.isatty()
        self._notifier = Notifier()
        self._journal = "JOURNAL_STREAM" in os.environ
        self._display = self._open(name)
        self._panel = Panel(self._display, self._how(), self.log)
        self._platform = self._software()
        self._ended = asyncio.Event()
        self._asking: asyncio.Task[bool | None] | None = None
        """Asks the installer to restart the machine, while the device goes on."""

    def _open(self, name: str) -> Speaking:
        """Open the display; one that does not answer yet must not keep the device from its gateway."""
        to_terminal = sys.stdout if self._to_terminal else None

        def opened() -> Speaking:
            return open_display(
                name, self._home.path, languages=self._home.profile.languages, out=to_terminal
            )

        try:
            return opened()
        except UnavailableError as error:
            self.log(str(error))
            return LateDisplay(opened)

    def _how(self) -> str:
        """Say how the owner of this device answers."""
        if self._to_terminal:
            return "Type y (yes), l (later) or n (no), then Enter."
        return "Answer with the device's button, or with: tocsin device answer yes"

    def _software(self) -> SlotPlatform:
        home, board = self._home, self._board
        match home.profile.platform:
            case Platform.INSTALLER:
                if board.installer is None:
                    raise InputError(
                        "INSTALLER_MISSING",
                        "No installer is named.",
                        mend="Name it as installer in device.toml.",
                        where=str(home.path / "device.toml"),
                    )
                return InstallerPlatform(
                    home,
                    board.installer,
                    install_s=board.installer_seconds,
                    tell=self.log,
                    on_restart=self._ask_for_restart,
                )
            case Platform.NONE:
                return NoticesOnly(home, board, tell=self.log)
            case _:
                return SlotPlatform(home)

    def _link(self) -> Link:
        """Make the one link that this device has; the other's code is never imported."""
        assert self._where is not None
        kind, url = self._where
        profile = self._home.profile
        if kind == "gateway":
            from device_sim.http import HttpLink  # noqa: PLC0415 - see above

            tls = self._home.tls() if url.startswith("https:") else None
            return HttpLink(url, profile.topics, interval_s=self._board.poll_seconds, tls=tls)
        from device_sim.link import MqttLink  # noqa: PLC0415 - see above
        from device_sim.sockets import parse_url  # noqa: PLC0415 - see above

        tls = self._home.tls() if parse_url(url).tls else None
        will = (profile.topics.device(profile.id, "online"), OFFLINE)
        return MqttLink(url, profile.id, will=will, tls=tls)

    # Life.

    async def run(self, stop: asyncio.Event) -> bool:
        """Be the device until ``stop`` is set; True when it is to start again in a new process.

        Raises:
            TocsinError: why it ended by itself.
        """
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        if isinstance(self._platform, InstallerPlatform) and self._platform.owes_restart:
            self.log("The machine has not restarted yet into what was installed.")
            self._notifier.ready()
            return await self._go_down(stop, granted=False)
        return await self._serve(stop)

    async def _serve(self, stop: asyncio.Event) -> bool:
        link = self._link()
        shell = DeviceShell(
            self._home,
            link,
            owner=self._panel,
            display=self._display,
            platform=self._platform,
            artefacts=self._where[1] if self._where is not None and self._where[0] == "gateway" else None,
            on_event=self._told,
        )
        self._panel.shell = shell
        shell.on_change = self._panel.refresh
        bridge = self._bridge(shell)
        control = Control(self._home.path, self._carry_out, group=self._board.group)
        tasks: list[asyncio.Task[None]] = []
        failure: Exception | None = None
        try:
            shell.boot()
            self._reset_if_wanted()
            await control.start()
            self._notifier.ready()
            works = (self._look(shell), self._turn(), self._live(), self._connect(link))
            tasks = [asyncio.create_task(work) for work in works]
            for task in tasks:
                task.add_done_callback(lambda ended: _end_with(ended, shell))
            if bridge is not None:
                bridge.start()
            self._listen()
            await self._wait(stop)
        except RestartError as error:
            failure = error  # which the shell has not told: the machine restarts, or we do while we boot
            self._write("restart", str(error))
        finally:
            if not isinstance(failure or shell.failure, RestartError):
                self._notifier.stopping()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await control.close()
            if bridge is not None:
                await bridge.stop()
            await shell.stop()
            await self._leave_platform()
        failure = failure or shell.failure
        if isinstance(failure, RestartError):
            return await self._restart(stop)
        if failure is not None:
            raise failure
        return False

    def _bridge(self, shell: DeviceShell) -> Bridge | None:
        """Make the way to Home Assistant, in a home that has it; the device goes on without it."""
        if self._board.home_assistant is None:
            return None
        from device_sim.homeassistant.bridge import Bridge  # noqa: PLC0415 - most devices have none

        try:
            return Bridge(shell, self._board.home_assistant, tell=self.log)
        except TocsinError as error:
            self.log(f"{error} The device goes on without Home Assistant.")
            return None

    def _reset_if_wanted(self) -> None:
        """Do what was asked for while the device did not run; twice does no harm, and not at all would."""
        wanted = self._home.path / RESET
        if wanted.exists():
            self._panel.reset()
            wanted.unlink()

    async def _wait(self, stop: asyncio.Event) -> None:
        """Wait for the end of the device.

        Raises:
            RestartError: the installer restarts the machine.
            UnavailableError: INSTALLER_FAILED: it never will.
        """
        ends = {asyncio.create_task(event.wait()) for event in (stop, self._ended)}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        if self._asking is not None and self._asking.done() and self._asking.result() is not None:
            raise RestartError

    async def _leave_platform(self) -> None:
        """End what the installer does for us; a restart it is being asked for may yet be granted."""
        self._ended.set()
        if self._asking is not None:
            await asyncio.gather(self._asking, return_exceptions=True)
        if isinstance(self._platform, InstallerPlatform):
            await self._platform.close()

    def _ask_for_restart(self) -> None:
        """Have the machine restarted, while the device goes on: what it warns of does not wait for that.

        Raises:
            RestartError: nothing was installed, as after a factory reset: wishes are read at the start.
        """
        if self._asking is not None:
            return  # the core says it again with whatever else happens
        agent = self._panel.shell.agent if self._panel.shell is not None else None
        if agent is None or not any(track.state in NO_RETURN for track in agent.patches):
            raise RestartError
        assert isinstance(self._platform, InstallerPlatform), "no other platform restarts the machine"
        self._asking = asyncio.create_task(self._platform.granted(self._ended))
        self._asking.add_done_callback(lambda _: self._ended.set())

    async def _restart(self, stop: asyncio.Event) -> bool:
        """Do as the installer said; True when only this process is to start again."""
        if self._asking is None or self._asking.result():
            return True
        return await self._go_down(stop, granted=True)

    async def _go_down(self, stop: asyncio.Event, *, granted: bool) -> bool:
        """Wait for the machine, and ask again and again; True when only this process is to start again."""
        assert isinstance(self._platform, InstallerPlatform), "no other platform restarts the machine"
        live = asyncio.create_task(self._live())
        try:
            while not stop.is_set():
                if not granted and await self._platform.granted(stop):
                    return True
                granted = False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RESTART_LIMIT_S)
        finally:
            live.cancel()
        self._notifier.stopping()
        return False

    async def _connect(self, link: Link) -> None:
        """Connect; a gateway that is not there yet is tried again and again."""
        try:
            await link.connect()
        except UnavailableError as error:
            self.log(str(error))
            link.connect_later(FIRST_RETRY_S)

    async def _look(self, shell: DeviceShell) -> None:
        """Tell the core how the surroundings are, whenever they change."""
        last: Conditions | None = None
        if self._board.busy_command:  # it may take its time; until it has answered, nothing is installed
            last = Conditions(busy=True)
            _tell_conditions(shell, last)
        while True:
            if self._board.busy_command:
                found = await asyncio.to_thread(sensors.conditions, self._board, self.log)
            else:
                found = sensors.conditions(self._board, self.log)
            if found != last:
                last = found
                _tell_conditions(shell, found)
            await asyncio.sleep(sensors.EVERY_S)

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(TURN_S)
            self._panel.turn()

    async def _live(self) -> None:
        """Tell the service manager that the event loop turns."""
        while self._notifier.watchdog_s:
            self._notifier.alive()
            await asyncio.sleep(self._notifier.watchdog_s)

    def _listen(self) -> None:
        """Take answers from the terminal, where there is one."""
        if self._to_terminal and sys.stdin is not None and sys.stdin.isatty():
            loop, handle = asyncio.get_running_loop(), sys.stdin.fileno()

            def typed() -> None:
                if line := sys.stdin.readline():
                    self._panel.typed(line)
                else:
                    loop.remove_reader(handle)

            loop.add_reader(handle, typed)

    def _carry_out(self, request: dict[str, object]) -> dict[str, object]:
        return self._panel.carry_out(request)

    # What is told.

    def _told(self, event: Event) -> None:
        self.events[event.kind] += 1
        failed = event.kind == "failed"
        if failed:
            self._ended.set()
        restarts = (
            failed and self._panel.shell is not None and isinstance(self._panel.shell.failure, RestartError)
        )
        self._write("restart" if restarts else event.kind, event.detail)
        if event.kind == "connected":
            asyncio.get_running_loop().call_later(SETTLE_S, give_back)
        if event.kind in {"connected", "disconnected", "shown", "asked", "failed"}:
            self._notifier.status(f"{event.kind} {event.detail}".strip())

    def log(self, text: str) -> None:
        """Write a line to the log."""
        self._write("log", text)

    def _write(self, kind: str, detail: str) -> None:
        """Write one event as one line, whatever it quotes; with its level, where journald reads it."""
        level = f"<{_LEVELS.get(kind, 6)}>" if self._journal else ""
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in detail)
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{level}[{kind}] {line}".rstrip() + "\n")
            sys.stderr.flush()


def _end_with(task: asyncio.Task[None], shell: DeviceShell) -> None:
    """End the device with work that it cannot do without, instead of going on blind."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, Exception):
        shell.fail(error)


def _tell_conditions(shell: DeviceShell, found: Conditions) -> None:
    shell.ask(shell.agent, lambda agent, now: agent.conditions(found, now))


def _way(broker: str | None, gateway: str | None) -> tuple[str, str] | None:
    """Return how the gateway is reached, and where."""
    if broker is not None:
        return "broker", broker
    return ("gateway", gateway) if gateway is not None else None
