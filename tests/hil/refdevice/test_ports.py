"""The two ports, each under a program that does one thing with it for each letter that comes over the line."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hil.bench.spawn import free_port

from . import build

DEADLINE_S = 30.0
EXERCISE = Path(__file__).with_name("exercise.c")
PAGE = 4096
FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-DTN_TEST_BUILD",
    f"-I{build.SOURCE}/core",
    f"-I{build.SOURCE}",
)
START = 1_800_000_000


class Wire:
    """One end of a line: letters go, lines come."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._heard = b""
        os.set_blocking(number, False)

    def line(self) -> str:
        end = time.monotonic() + DEADLINE_S
        while b"\n" not in self._heard:
            assert select.select([self._number], [], [], max(0.0, end - time.monotonic()))[0], self._heard
            with contextlib.suppress(BlockingIOError):
                more = os.read(self._number, 4096)
                assert more, "the line has gone"
                self._heard += more
        said, _, self._heard = self._heard.partition(b"\n")
        return said.decode().rstrip("\r")

    def ask(self, letter: str) -> int:
        os.write(self._number, letter.encode())
        return int(self.line().split()[1])

    def told(self, letter: str, count: int) -> list[str]:
        os.write(self._number, letter.encode())
        return [self.line() for _ in range(count)]

    def gone(self) -> bool:
        try:
            return select.select([self._number], [], [], DEADLINE_S)[0] != [] and not os.read(self._number, 1)
        except OSError:
            return True


class Program:
    """A port's program, with files that outlive it."""

    display: Path

    def command(self, where: int) -> list[str]:
        raise NotImplementedError

    @contextlib.contextmanager
    def on(self) -> Iterator[tuple[Wire, subprocess.Popen[bytes]]]:
        number = free_port()
        with subprocess.Popen(self.command(number), stdin=subprocess.DEVNULL) as process:
            try:
                with connected(number) as client:
                    yield Wire(client.fileno()), process
            finally:
                process.kill()


@contextlib.contextmanager
def connected(number: int) -> Iterator[socket.socket]:
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", number))
            break
        except ConnectionRefusedError:
            assert time.monotonic() < end
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        yield client


class Host(Program):
    def __init__(self, folder: Path, program: Path) -> None:
        self.flash, self.display, self.program = folder / "flash", folder / "display", program

    def command(self, where: int, port: str = "") -> list[str]:
        line = port or f"tcp:{where}"
        return [*map(str, (self.program, self.flash, line, "--display", self.display, "--utc", START))]


class Qemu(Program):
    def __init__(self, folder: Path, program: Path) -> None:
        self.flash, self.display, self.program = folder / "psram", folder / "display", program
        self.start = START
        self.looking: int | None = None
        """Where whoever looks at the display connects to; None: it is a file."""

    def command(self, where: int) -> list[str]:
        display = (
            f"tcp:127.0.0.1:{self.looking},server=on,wait=off" if self.looking else f"file:{self.display}"
        )
        memory = f"memory-backend-file,id=psram,size=16M,share=on,mem-path={self.flash}"
        return [
            "qemu-system-arm", "-machine", "mps2-an385", "-kernel", str(self.program),
            "-display", "none", "-monitor", "none",
            "-serial", f"tcp:127.0.0.1:{where},server=on,wait=on,nodelay=on", "-serial", display,
            "-object", memory, "-machine", "memory-backend=psram",
            "-device", f"loader,addr=0x21FFFFF8,data={self.start},data-len=8",
            "-semihosting-config", "enable=on,target=native",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def host_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("host") / "exercise"
    sources = sorted((build.SOURCE / "ports/host").glob("*.c"))
    subprocess.run(["cc", *FLAGS, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", made,
                    EXERCISE, *sources], check=True)  # fmt: skip
    return made


@pytest.fixture(scope="module")
def qemu_program(tmp_path_factory: pytest.TempPathFactory, needed: Callable[..., None]) -> Path:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    made = tmp_path_factory.mktemp("qemu") / "exercise.elf"
    port = build.SOURCE / "ports/mps2"
    flags = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-ffreestanding", "-fno-tree-loop-distribute-patterns"]
    link = ["-nostdlib", "-nostartfiles", "-static", f"-T{port / 'mps2.ld'}"]
    subprocess.run(["arm-none-eabi-gcc", *FLAGS, *flags, *link, "-o", made, EXERCISE, *sorted(port.glob("*.c")), "-lgcc"],
                   check=True)  # fmt: skip
    return made


@pytest.fixture(params=["host", "qemu"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    kind = {"host": Host, "qemu": Qemu}[request.param]
    return kind(tmp_path, request.getfixturevalue(f"{request.param}_program"))


def test_bytes_go_both_ways_and_none_is_lost(program: Program) -> None:
    with program.on() as (wire, _):
        assert wire.line() == "boot 0"
        sent = bytes(65 + n % 26 for n in range(500))
        assert wire.told(sent.decode(), 500) == [f"echo {one}" for one in sent]


def test_flash_outlives_reset_and_kill(program: Program) -> None:
    with program.on() as (wire, _):
        assert wire.line() == "boot 0"
        assert wire.told("r", 2) == ["first 255", "last 255"]
        assert wire.told("wr", 3) == ["written 0", "first 1", "last 1"]
        assert wire.told("z", 1) == ["boot 1"]
        assert wire.told("r", 2) == ["first 1", "last 1"]
        assert wire.told("z", 1) == ["boot 1"]
    with program.on() as (wire, _):
        assert wire.line() == "boot 0"
        assert wire.told("r", 2) == ["first 1", "last 1"]
        assert wire.told("hr", 3) == ["erased 0", "first 255", "last 1"]
        assert wire.told("er", 3) == ["erased 0", "first 255", "last 255"]


def test_a_power_cut_ends_it_with_what_is_written(program: Program) -> None:
    with program.on() as (wire, process):
        assert wire.line() == "boot 0"
        assert wire.told("w", 1) == ["written 0"]
        wire.told("p", 0)
        assert wire.gone()
        assert process.wait(DEADLINE_S) == 9
    with program.on() as (wire, _):
        assert wire.line() == "boot 0"
        assert wire.told("r", 2) == ["first 1", "last 1"]


def test_time_goes_on_and_never_back(program: Program) -> None:
    with program.on() as (wire, _):
        assert wire.line() == "boot 0"
        first = wire.ask("u")
        assert START <= first < START + DEADLINE_S
        began = wire.ask("m")
        while wire.ask("m") < began + 1100:  # milliseconds of the board's own
            pass
        later = wire.ask("u")
        assert later > first
        assert wire.told("z", 1) == ["boot 1"]
        assert wire.ask("u") >= later
        assert wire.ask("m") < began + 1100
    if isinstance(program, Qemu):
        with program.on() as (wire, _):
            wire.line()
            assert wire.ask("u") >= later
        program.start = START + 1_000_000  # whoever starts it knows better
        with program.on() as (wire, _):
            wire.line()
            assert wire.ask("u") >= START + 1_000_000


def test_pages_and_lines_are_drawn(program: Program) -> None:
    with program.on() as (wire, _):
        assert wire.line() == "boot 0"
        assert wire.ask("d") == 1
        assert wire.ask("u") > 0
    rows = program.display.read_text(encoding="utf-8").splitlines()
    assert rows[0] == "page"
    assert rows[65] == "12 some words"
    page = rows[1:65]
    assert {len(row) for row in page} == {128}
    lit = {
        (row, column): one for row, text in enumerate(page) for column, one in enumerate(text) if one != " "
    }
    assert lit == {(0, 0): "#", (1, 15): "#", (63, 127): "#"}


def test_whoever_looks_at_the_display_of_the_board_presses_its_buttons(
    qemu_program: Path, tmp_path: Path
) -> None:
    board = Qemu(tmp_path, qemu_program)
    board.looking = free_port()
    with board.on() as (wire, _), connected(board.looking) as owner:
        assert wire.line() == "boot 0"
        assert wire.ask("b") == 0
        owner.sendall(b"al\x7f")
        found: list[int] = []
        end = time.monotonic() + DEADLINE_S
        while len(found) < 3 and time.monotonic() < end:
            found += [button for button in [wire.ask("b")] if button]
        assert found == [ord("a"), ord("l"), 0x7F]
        assert wire.ask("b") == 0


def test_this_machine_has_no_buttons(host_program: Path, tmp_path: Path) -> None:
    with Host(tmp_path, host_program).on() as (wire, _):
        assert wire.line() == "boot 0"
        assert wire.ask("b") == 0


def test_the_host_minds_how_flash_is_treated(host_program: Path, tmp_path: Path) -> None:
    with Host(tmp_path, host_program).on() as (wire, process):
        assert wire.line() == "boot 0"
        wire.told("ww", 1)
        assert process.wait(DEADLINE_S) == 70


def test_a_second_client_is_sent_away_and_the_next_one_is_not(host_program: Path, tmp_path: Path) -> None:
    number = free_port()
    with subprocess.Popen(Host(tmp_path, host_program).command(number)) as process:
        try:
            with connected(number) as first, connected(number) as second:
                assert Wire(second.fileno()).line() == "tocsin: somebody else is on this line"
                wire = Wire(first.fileno())
                assert wire.line() == "boot 0"
            with connected(number) as third:
                assert Wire(third.fileno()).told("x", 1) == ["echo 120"]
        finally:
            process.kill()


def test_a_terminal_stays_while_clients_come_and_go(host_program: Path, tmp_path: Path) -> None:
    link = tmp_path / "tty"
    link.symlink_to(tmp_path / "elsewhere")
    command = Host(tmp_path, host_program).command(0, f"pty:{link}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{link}\n"
            for letter, said in (("x", ["boot 0", "echo 120"]), ("z", ["boot 1"]), ("\n", ["echo 10"])):
                number = os.open(link, os.O_RDWR | os.O_NOCTTY)
                try:
                    assert termios.tcgetattr(number)[3] & termios.ECHO == 0
                    assert Wire(number).told(letter, len(said)) == said
                finally:
                    os.close(number)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "tocsin-device FLASH PORT"),
        (["flash"], "tocsin-device FLASH PORT"),
        (["flash", "tcp:x"], "tcp:x: Invalid argument"),
        (["flash", "tcp:65536"], "tcp:65536: Invalid argument"),
        (["flash", "usb"], "usb: Invalid argument"),
        (["flash", "pty:"], "pty:: Invalid argument"),
        (["flash", "pty", "--loud", "1"], "tocsin-device FLASH PORT"),
        (["flash", "pty", "--display", "/nowhere/lines"], "/nowhere/lines: No such file or directory"),
        (["flash", "pty", "--utc"], "tocsin-device FLASH PORT"),
        (["flash", "pty", "--utc", "noon"], "tocsin-device FLASH PORT"),
        (["flash", "pty", "--utc", "-9223372036854775808"], "tocsin-device FLASH PORT"),
        (["flash", "pty", "--utc", "9223372036854775807"], "tocsin-device FLASH PORT"),
        (["/nowhere/flash", "pty"], "/nowhere/flash: No such file or directory"),
    ],
)
def test_what_it_cannot_do_is_said(host_program: Path, tmp_path: Path, words: list[str], told: str) -> None:
    done = subprocess.run(
        [host_program, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert done.returncode == 2
    assert done.stderr.startswith(told)


@pytest.mark.parametrize("name", ["flash", "notes", "folder"])
def test_a_terminal_takes_the_place_of_nothing_but_a_link(
    host_program: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "notes").write_text("kept", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    done = subprocess.run(
        [host_program, "flash", f"pty:{name}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 2
    assert done.stderr == f"pty:{name}: File exists\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flash", "folder", "notes"]
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "kept"


def test_a_flash_file_is_one_device_s_alone(host_program: Path, tmp_path: Path) -> None:
    host = Host(tmp_path, host_program)
    with host.on() as (wire, _):
        assert wire.line() == "boot 0"
        assert wire.told("z", 1) == ["boot 1"]  # it keeps it through a reset
        done = subprocess.run(
            host.command(0, "pty"), capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
        assert done.returncode == 2
        assert done.stderr == f"{host.flash}: Device or resource busy\n"
