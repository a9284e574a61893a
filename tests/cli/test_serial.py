"""``tocsin device run --serial`` as a process, with other people's clients on the line."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
import serial
from smpclient import SMPClient
from smpclient.generics import error_v1, success
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import (
    BootloaderInformationRead,
    DateTimeRead,
    EchoWrite,
    MCUMgrParametersRead,
    OSApplicationInfoRead,
    ResetWrite,
    TaskStatisticsRead,
)
from smpclient.requests.statistics_management import GroupData, ListOfGroups
from smpclient.transport.serial import SMPSerialTransport

from advisories import mcuboot, smp
from advisories.smp import Command
from device_sim.home import Home
from device_sim.serial.flash import EXIT_POWER
from device_sim.serial.frames import Requests, encode
from gateway.cli import homes
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin
from tests.device_sim.serial.wire import rc_of, request

SECONDS = 30  # that anything here may take at most, on a busy machine
IMAGE = homes.firmware("thermostat", (1, 4, 2, 0))
HASH = mcuboot.parse(IMAGE).digest
SMPMGR = Path(sys.prefix) / "smpmgr" / "bin" / "smpmgr"


class Running:
    """A board in its own process."""

    def __init__(self, workspace: Workspace, device: str, *arguments: str) -> None:
        self._said: tuple[str, str] | None = None
        self.home = workspace.path / "devices" / device
        self.process = subprocess.Popen(
            [
                *(Path(sys.executable).parent / "tocsin", "device", "run", device),
                *("-w", str(workspace.path), *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stream = self.process.stderr if "--json" in arguments else self.process.stdout
        assert stream is not None
        line = stream.readline()
        assert line.startswith("serial port: "), self.end()
        self.url = line.removeprefix("serial port: ").rstrip("\n")

    def end(self) -> tuple[int, str, str]:
        """Ask it to end unless it has; return status, stdout and stderr."""
        if self._said is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            self._said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, *self._said


class Line:
    """A bare client: what comes back is answers, and text between them."""

    def __init__(self, url: str) -> None:
        self.port: Any = serial.serial_for_url(url, do_not_open=True, timeout=SECONDS)
        # Opening, pyserial throws away what has come by then: the board may have said its first line already.
        self.port.reset_input_buffer = self.port._reset_input_buffer = lambda: None
        self.port.open()
        self._numbers = itertools.count()
        self.text: list[str] = []

    def readline(self) -> bytes:
        line: bytes = self.port.readline()
        assert line.endswith(b"\n"), "nothing came in time"
        return line

    def ask(self, command: Command, body: Any = None) -> dict[str, Any]:
        sequence = next(self._numbers) % 256
        self.port.write(encode(request(command, body or {}, sequence=sequence)))
        found = Requests()
        while True:
            line = self.readline()
            if line[:2] not in {b"\x06\x09", b"\x04\x14"}:
                self.text.append(line.decode().rstrip())
            for message in found.feed(line):
                if message[6] == sequence:
                    answer: dict[str, Any] = cbor2.loads(message[8:])
                    return answer

    def until(self, beginning: str) -> str:
        while True:
            text = self.readline().decode(errors="replace").rstrip()
            if text.startswith(beginning):
                return text

    def close(self) -> None:
        self.port.close()


Run = Callable[..., Running]


@pytest.fixture
def device(workspace: Workspace) -> str:
    """A thermostat of the workspace."""
    found = (path.name for path in sorted((workspace.path / "devices").iterdir()) if path.name[0] != ".")
    return next(
        name for name in found if Home.open(workspace.path / "devices" / name).profile.product == "thermostat"
    )


@pytest.fixture
def run(workspace: Workspace, device: str) -> Iterator[Run]:
    """Start boards; whatever still runs in the end is ended."""
    started: list[Running] = []

    def start(*arguments: str, device: str = device) -> Running:
        started.append(Running(workspace, device, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.end()


# Other people's clients.


async def test_smpclient_talks_to_it_from_echo_to_a_confirmed_image(run: Run, tmp_path: Path) -> None:
    board = run("--serial", f"pty:{tmp_path / 'tty'}", "--test-build")
    async with SMPClient(SMPSerialTransport(), board.url, timeout_s=SECONDS) as client:
        assert client._transport.max_unencoded_size == 2_044

        async def ask(request: Any) -> Any:
            answer = await client.request(request)
            assert success(answer), answer
            return answer

        assert (await ask(EchoWrite(d="hello"))).r == "hello"
        assert (await ask(MCUMgrParametersRead())).buf_size == 2_048
        assert (await ask(OSApplicationInfoRead(format="r"))).output == "1.4.1"
        assert (await ask(BootloaderInformationRead())).bootloader == "Tocsin simulator"
        assert (await ask(DateTimeRead())).datetime.startswith("20")
        assert "main" in (await ask(TaskStatisticsRead())).tasks
        assert (await ask(ListOfGroups())).stat_list == ("smp", "flash", "notifier")
        assert (await ask(GroupData(name="smp"))).fields["bad_frames"] == 0

        assert [image.version for image in (await ask(ImageStatesRead())).images] == ["1.4.1"]
        offsets = [offset async for offset in client.upload(IMAGE, first_timeout_s=SECONDS)]
        assert offsets[-1] == len(IMAGE)
        marked = await ask(ImageStatesWrite(hash=HASH))
        assert [image.pending for image in marked.images] == [False, True]
        await ask(ResetWrite())
        tried = (await ask(ImageStatesRead())).images[1]
        assert (tried.version, tried.active, tried.confirmed) == ("1.4.2", True, False)
        await ask(ImageStatesWrite(confirm=True))
        await ask(ResetWrite())
        assert (await ask(ImageStatesRead())).images[1].confirmed
        await ask(ImageErase(slot=0))

        refused = await client.request(ImageErase(slot=1))
        assert error_v1(refused)
        assert refused.rc == smp.Rc.EBADSTATE


def smpmgr(port: str, *arguments: str) -> str:
    """Run another program on the port."""
    if not SMPMGR.exists():
        reason = "smpmgr is not installed beside the interpreter's packages"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    done = subprocess.run(
        [SMPMGR, "--port", port, "--timeout", str(SECONDS), *arguments],
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_smpmgr_upgrades_it(run: Run, tmp_path: Path) -> None:
    board = run("--serial", f"pty:{tmp_path / 'tty'}", "--test-build")
    image = tmp_path / "new.bin"
    image.write_bytes(IMAGE)
    assert "r='over the line'" in smpmgr(board.url, "os", "echo", "over the line")
    smpmgr(board.url, "upgrade", "--slot", "1", str(image))
    found = smpmgr(board.url, "image", "state-read")
    assert "version='1.4.2'" in found
    smpmgr(board.url, "image", "state-write", "--confirm")
    assert "bad_frames" in smpmgr(board.url, "statistics", "fetch-all")
    assert Home.open(board.home).read_slot(1) == IMAGE


# The line itself.


def test_over_tcp_the_first_line_is_the_boot(run: Run) -> None:
    board = run("--serial", "tcp:0", "--test-build")
    line = Line(board.url)
    assert line.readline() == b"tocsin: boot power-on, slot 0, version 1.4.1\r\n"
    assert line.ask(smp.OS_ECHO, {"d": "x"}) == {"r": "x"}
    host, _, port = board.url.removeprefix("socket://").rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS) as second:
        assert b"somebody else" in second.makefile("rb").readline()
    line.close()
    again = Line(board.url)  # the board went on
    assert again.ask(smp.NOTIFIER_STATE)["epoch"] == 1
    again.ask(smp.OS_RESET)
    assert again.until("tocsin: boot") == "tocsin: boot reset, slot 0, version 1.4.1"
    again.close()
    assert board.end()[0] == 0


def test_a_release_build_has_no_test_commands(run: Run) -> None:
    line = Line(run("--serial", "tcp:0").url)
    for command, rc in (
        (smp.NOTIFIER_PRESS, smp.Rc.ENOTSUP),
        (smp.NOTIFIER_FAULT, smp.Rc.ENOTSUP),
        (smp.NOTIFIER_CLOCK_SET, smp.Rc.ENOTSUP),
        (smp.NOTIFIER_PROVISION, smp.Rc.ENOTSUP),
        (smp.IMG_ERASE, smp.Rc.EACCESSDENIED),
    ):
        assert rc_of(line.ask(command)) == rc
    caps = line.ask(smp.NOTIFIER_INFO)["caps"]
    assert caps == ["info", "put", "submit", "notice", "report", "state", "clock", "carrier"]
    line.close()


def test_a_firmware_without_our_commands(run: Run) -> None:
    line = Line(run("--serial", "tcp:0", "--without-notifier").url)
    assert rc_of(line.ask(smp.NOTIFIER_INFO)) == smp.Rc.ENOTSUP
    assert line.ask(smp.STAT_LIST)["stat_list"]
    line.close()


@pytest.mark.parametrize("when", ["before", "torn", "after"])
def test_a_power_cut_ends_the_process_and_leaves_a_device_that_boots(
    run: Run, tmp_path: Path, when: str
) -> None:
    where = ("--serial", f"pty:{tmp_path / 'tty'}", "--test-build")
    board = run(*where)
    line = Line(board.url)
    epoch = line.ask(smp.NOTIFIER_STATE)["epoch"]
    assert line.ask(smp.NOTIFIER_FAULT, {"at": 2, "when": when, "key": 1}) == {}
    line.ask(smp.OS_RESET)
    assert board.process.wait(SECONDS) == EXIT_POWER
    line.close()
    assert (tmp_path / "tty").is_symlink()  # as a killed process leaves it
    again = Line(run(*where).url)
    state = again.ask(smp.NOTIFIER_STATE)
    assert (state["cause"], state["slot"]) == ("power-on", 0)
    assert state["epoch"] == epoch + (2 if when == "after" else 1)
    again.close()


def test_ended_politely_it_takes_its_link_away(run: Run, tmp_path: Path) -> None:
    board = run("--serial", f"pty:{tmp_path / 'tty'}")
    status, out, err = board.end()
    assert (status, out, err) == (0, "", "")
    assert list(tmp_path.glob("tty*")) == []


def test_with_json_the_port_is_told_on_stderr_and_one_object_in_the_end(run: Run) -> None:
    board = run("--serial", "tcp:0", "--json")
    line = Line(board.url)
    line.until("tocsin: boot")
    line.close()
    status, out, _ = board.end()
    told = json.loads(out)
    assert status == 0
    assert (told["serial"], told["events"]["booted"]) == (board.url, 1)


def test_it_may_end_by_itself_before_anybody_came(run: Run) -> None:
    board = run("--serial", "tcp:0", "--for", "0")
    assert board.process.wait(SECONDS) == 0


# Beside others.


def test_boards_of_one_workspace_run_beside_each_other_each_once(
    run: Run, tocsin: Tocsin, workspace: Workspace, device: str
) -> None:
    other = next(
        path.name
        for path in (workspace.path / "devices").iterdir()
        if path.name[0] != "." and path.name != device
    )
    run("--serial", "tcp:0")
    run("--serial", "tcp:0", device=other)
    for arguments in (
        ("device", "run", device, "--serial", "tcp:0"),
        ("fleet", "run", "--broker", "mqtt://x"),
    ):
        ran = tocsin(*arguments, "-w", workspace.path, "--json")
        assert (ran.status, ran.json["error"]["code"]) == (4, "RUNNING_ALREADY")


# What makes no sense.


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--serial", "tcp:0", "--broker", "mqtt://x"), "BAD_VALUE"),
        (("--test-build",), "BAD_VALUE"),
        (("--without-notifier",), "BAD_VALUE"),
        (("--owner", "auto"), "BAD_VALUE"),
        (("--serial", "com1"), "SERIAL_PORT"),
        (("--serial", "tcp:0", "--owner", "nobody"), "USAGE"),
        (("--serial", "tcp:0", "--display", "hologram"), "DISPLAY_UNKNOWN"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    tocsin: Tocsin, workspace: Workspace, device: str, arguments: tuple[str, ...], code: str
) -> None:
    ran = tocsin("device", "run", device, *arguments, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert ran.json["error"]["mend"]


def test_a_link_never_takes_the_place_of_a_file(
    tocsin: Tocsin, workspace: Workspace, device: str, tmp_path: Path
) -> None:
    file = tmp_path / "precious"
    file.write_text("mine")
    ran = tocsin("device", "run", device, "--serial", f"pty:{file}", "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"], ran.json["error"]["where"]) == (
        2,
        "SERIAL_LINK",
        str(file),
    )
    assert file.read_text() == "mine"


def test_a_damaged_device_is_told_and_the_port_closed(run: Run, workspace: Workspace, device: str) -> None:
    (workspace.path / "devices" / device / "state.cbor").write_bytes(b"\xff")
    board = run("--serial", "pty")
    assert board.process.wait(SECONDS) == 5
    assert str(board.home) in board.end()[2]
