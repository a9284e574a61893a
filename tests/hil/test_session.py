"""A board in hand: the order of power and ports, ready or not, and nothing left open when it fails in the middle."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil.bench.board import Board, Boot, Console, Link, Power, Reset, Spawn
from hil.bench.line import Line
from hil.bench.session import Session
from hil.errors import BenchError, DeviceGone, DeviceHung, SmpRefused
from hil.wire.record import Direction, Kind, Record, Shaped

from .conftest import program
from .peers import Firmware, Hangs, Mynewt, PtyHost, Shell, SocketHost, Zephyr

pytestmark = pytest.mark.usefixtures("left_nothing")
BOOT = Boot(timeout_s=20.0)


def desk(host: PtyHost | SocketHost, **tables: Any) -> Board:
    """A board on a port of the desk."""
    url = host.url if isinstance(host, SocketHost) else str(host.path)
    return Board(**{"name": "exercise-desk", "link": Link(url=url), "boot": BOOT, **tables})


def script(path: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", f"open({str(path)!r}, 'a').write('x')")


# -- taking a board into hand, and leaving it


@pytest.mark.parametrize("how", ["pty", "tcp"])
def test_a_spawned_board_is_ready_speaks_and_is_gone(how: str) -> None:
    with Session.open(program("Zephyr", how)) as session:
        assert session.console.text().startswith("*** Booting Zephyr")
        assert session.smp.os.echo("hi") == "hi"
        assert session._spawned is not None
        assert session._spawned.ended() == ""
        line = session.line
    assert not line.alive


@pytest.mark.parametrize("make", [PtyHost, SocketHost])
def test_a_board_on_the_desk_without_power_control(make: Any) -> None:
    with make(Zephyr) as host, Session.open(desk(host)) as session:
        assert session.smp.os.echo("hi") == "hi"
        assert session.healthy()
        with pytest.raises(BenchError) as caught:
            session.power_cycle()
        assert caught.value.code == "NO_POWER"
        with pytest.raises(BenchError) as caught:
            session.reset()
        assert caught.value.code == "NO_RESET"


def test_the_port_is_open_before_power_is_given(tmp_path: Path) -> None:
    notes: list[str] = []

    def tap(record: Record) -> None:
        if record.kind is Kind.EVENT:
            notes.append(record.note)

    seen, waits = tmp_path / "seen", []
    power = Power(driver="command", on=script(seen), off=script(seen), off_s=7.0, settle_s=3.0)
    with PtyHost(Zephyr) as host:
        with Session.open(desk(host, power=power), taps=[tap], pause=waits.append) as session:
            assert notes[:2] == ["open", "power on"]
            session.power_cycle()
            session.power_cycle(off_s=1.0)
            assert waits == [3.0, 7.0, 3.0, 1.0, 3.0]
            assert "gone" not in str(notes)  # the adapter stays
        assert len(seen.read_text()) == 6
        with Session.open(desk(host, power=power), pause=waits.append, keep_power=True):
            pass
        assert len(seen.read_text()) == 7


def test_a_port_that_is_there_only_with_power_is_waited_for(tmp_path: Path) -> None:
    link = tmp_path / "board"
    power = Power(driver="command", on=("true",), off=("true",))
    with PtyHost(Zephyr, link) as host:
        host.off()

        def settled(_: float) -> None:
            threading.Timer(0.05, host.on).start()

        board = desk(host, power=power)
        with Session.open(board, pause=settled) as session:
            assert session.smp.os.echo("hi") == "hi"


def test_a_port_that_is_missing_without_power_control_is_told_at_once() -> None:
    board = Board(name="exercise-desk", link=Link(url="/dev/exercise-none"), boot=Boot(timeout_s=3_600.0))
    with pytest.raises(BenchError) as caught, Session.open(board):
        pass
    assert caught.value.code == "PORT_MISSING"


def test_two_lines_have_two_logs() -> None:
    with PtyHost(Zephyr) as smp, PtyHost(Shell) as shell:
        board = desk(smp, console=Console(url=str(shell.path)))
        with Session.open(board) as session:
            session.console.expect("^shell ready$", since=0)
            assert "Booting" in session.line.console.text()
            session.console_line.write(b"ls\n")
            session.console.expect("you said: ls")


def test_a_spawned_board_with_a_second_line() -> None:
    code = """
import sys, threading; sys.path.insert(0, sys.argv[1]); import peers
a = peers.SocketHost(peers.Zephyr, int(sys.argv[2]))
b = peers.SocketHost(peers.Shell, int(sys.argv[3]))
threading.Event().wait()
"""
    command = (sys.executable, "-c", code, str(Path(__file__).parent), "{port}", "{port2}")
    spawn = Spawn(driver="process", command=command, serial=("tcp", "tcp"))
    with Session.open(program("Zephyr", spawn=spawn)) as session:
        session.console.expect("^shell ready$", since=0)
        assert session.smp.os.echo("hi") == "hi"


# -- not ready, and what is left then


@pytest.mark.parametrize(
    ("kind", "tables", "error", "told"),
    [
        ("Shell", {"boot": Boot(timeout_s=1.0)}, DeviceHung, "did not answer an SMP echo within 1 s"),
        (
            "Shell",
            {"boot": Boot(ready="banner", banner="^never$", timeout_s=1.0)},
            DeviceHung,
            r"did not say its banner within 1 s; its console said last: \$",
        ),
        ("Nonsense", {}, BenchError, "is not there: it ended with status 1 and said: .*KeyError: 'Nonsense'"),
        ("Firmware", {"capabilities": ("console",)}, BenchError, "found and not claimed: img, os, power.cut"),
        ("Firmware", {"reset": Reset(by="rts")}, BenchError, "no DTR and RTS"),
    ],
)
@pytest.mark.parametrize("how", ["pty", "tcp"])
def test_what_fails_in_the_middle_leaves_no_port_thread_or_program(
    kind: str, tables: dict[str, Any], error: type[Exception], told: str, how: str
) -> None:
    opened: list[Session] = []
    with pytest.raises(error, match=told), Session.open(program(kind, how, **tables)) as session:
        opened.append(session)
    assert opened == []


def test_after_a_failure_in_the_middle_the_port_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with PtyHost(Zephyr) as host:

        def broken(self: Session, timeout_s: float | None = None) -> None:
            raise RuntimeError("in the middle")

        monkeypatch.setattr(Session, "wait_ready", broken)
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(RuntimeError, match="in the middle"), Session.open(desk(host)):
            pass
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        Line.open(str(host.path)).close()


def test_a_failing_test_leaves_nothing_and_its_error_is_the_tests_own() -> None:
    with pytest.raises(ZeroDivisionError), Session.open(program("Zephyr")):
        1 / 0  # noqa: B018 - a test that fails


def test_power_that_cannot_be_taken_in_the_end_is_told_after_all_is_closed() -> None:
    power = Power(driver="command", on=("true",), off=("false",))
    with PtyHost(Zephyr) as host:
        with pytest.raises(BenchError) as caught, Session.open(desk(host, power=power), pause=int) as session:
            pass
        assert caught.value.code == "TOOL_FAILED"
        assert not session.line.alive


# -- resets and cuts


@pytest.mark.parametrize("banner", [r"^\*\*\* Booting", None])
def test_a_reset_by_smp_is_over_when_the_board_has_started_anew(banner: str | None) -> None:
    waits: list[float] = []
    board = program("Zephyr", reset=Reset(by="smp"), boot=Boot(banner=banner, timeout_s=20.0))
    with Session.open(board, pause=waits.append) as session:
        session.reset()
        assert "Booting" in session.console.text(session.console.marked)
        assert session.smp.os.echo("again") == "again"
    assert waits == ([] if banner else [1.0])  # nothing else tells that board's reset from its answer


def test_a_board_without_smp_starts_anew_for_its_banner() -> None:
    boot = Boot(ready="banner", banner="^shell ready$", timeout_s=20.0)
    with PtyHost(Shell) as host:
        seen, notes = threading.Event(), []

        def tap(record: Record) -> None:
            notes.append(record.note)
            if b"$" in record.data:
                seen.set()

        def pause(seconds: float) -> None:
            assert seen.wait(30.0)  # its first banner came before the power cycle
            if seconds == 3.0:
                host.firmware.boot()

        power = Power(driver="command", on=("true",), off=("true",), off_s=7.0, settle_s=3.0)
        with Session.open(desk(host, boot=boot, power=power), taps=[tap], pause=pause) as session:
            assert session.console.text(session.console.marked).count("shell ready") == 1
            assert [note for note in notes if "power" in note] == ["power off", "power on"]


def test_a_banner_of_long_ago_is_not_waited_for() -> None:
    boot = Boot(ready="banner", banner="^shell ready$", timeout_s=3_600.0)
    with PtyHost(Shell) as host, Session.open(desk(host, boot=boot)) as session:
        assert session.healthy()
        session.console_line.write(b"ls\n")
        session.console.expect("you said: ls", since=0)


def test_looking_without_waiting_resets_nothing() -> None:
    boot = Boot(ready="banner", banner="never", timeout_s=3_600.0)
    with PtyHost(Shell) as host:
        board = desk(host, boot=boot, reset=Reset(by="command", command=("false",)))
        with Session.open(board, ready=False) as session:
            session.console.expect("shell ready", since=0)
        assert host.firmware.boots == 1


def test_a_command_resets_and_the_banner_is_the_new_one(tmp_path: Path) -> None:
    fifo = tmp_path / "reset"
    os.mkfifo(fifo)
    boot = Boot(ready="banner", banner="^shell ready$", timeout_s=20.0)
    reset = Reset(by="command", command=(sys.executable, "-c", f"open({str(fifo)!r}, 'w').write('x')"))
    with PtyHost(Shell) as host:

        def restart() -> None:
            for _ in range(3):
                fifo.read_text()
                host.firmware.boot()

        thread = threading.Thread(target=restart)
        thread.start()
        claimed = ("console", "reset")
        with Session.open(desk(host, boot=boot, reset=reset, capabilities=claimed)) as session:
            session.reset()
            assert session.healthy()
        thread.join()
        assert host.firmware.boots == 4


def test_a_cut_now_later_and_back() -> None:
    with Session.open(program("Zephyr")) as session:
        session.cut()
        with pytest.raises(DeviceGone):
            session.line.receive(30.0)
        assert not session.healthy()
        session.power_on()
        session.wait_ready()
        told = threading.Event()
        session.cut(after_s=0.01, then=told.set)
        assert told.wait(30.0)
        with pytest.raises(DeviceGone):
            session.line.receive(30.0)
        session.power_cycle()
        assert session.healthy()


def test_a_tap_may_cut_at_a_frame_and_a_timed_cut_ends_with_the_session() -> None:
    holder: list[Session] = []

    def cut(record: Record) -> None:
        if record.kind is Kind.MESSAGE and record.direction is Direction.FROM_BOARD and holder:
            holder.pop().cut()

    with Session.open(program("Firmware"), taps=[cut]) as session:
        holder.append(session)
        assert session.smp.os.echo("last words") == "last words"
        with pytest.raises(DeviceGone):
            session.smp.os.echo("nobody hears it")
        session.power_cycle()
        session.cut(after_s=3_600.0)


def test_a_shaper_is_there_from_the_first_byte() -> None:
    def upper(direction: Direction, data: bytes, now: float) -> list[Shaped]:
        return [Shaped(data.replace(b"shell", b"SHELL"), now)]

    boot = Boot(ready="banner", banner="^SHELL ready$", timeout_s=20.0)
    with Session.open(program("Shell", boot=boot), shaper=upper) as session:
        assert session.console.text().startswith("SHELL")


# -- health and the board's own buffer


def test_a_hung_board_is_not_healthy_and_a_power_cycle_heals_it() -> None:
    with Session.open(program("Hangs", reset=Reset(by="none"))) as session:
        assert session.healthy()
        session.smp.os.reset()
        assert not session.healthy()
        session.power_cycle()
        assert session.healthy()


def test_a_board_that_is_gone_is_not_healthy_and_is_waited_for_in_vain(tmp_path: Path) -> None:
    with PtyHost(Hangs, tmp_path / "board") as host, Session.open(desk(host)) as session:
        host.off()
        assert not session.healthy()
        with pytest.raises(BenchError) as caught:
            session.wait_ready(0.2)
        assert caught.value.code == "PORT_MISSING"


@pytest.mark.parametrize("rounds", [2, 1_000_000])
def test_a_port_that_comes_and_goes_while_the_board_starts(rounds: int, tmp_path: Path) -> None:
    class Flaps(Firmware):
        def on_message(self, message: bytes) -> None:
            if self.boots <= rounds:
                host.replug()
            else:
                super().on_message(message)

    with PtyHost(Flaps, tmp_path / "board") as host, Session.open(desk(host), ready=False) as session:
        if rounds == 2:
            session.wait_ready()
            assert session.smp.os.echo("at last") == "at last"
        else:
            with pytest.raises((DeviceGone, DeviceHung, BenchError)):
                session.wait_ready(1.0)


@pytest.mark.parametrize("how", ["pty", "tcp"])
def test_a_program_that_dies_after_its_start_is_the_firmwares_failure(how: str) -> None:
    with Session.open(program("Firmware", how, boot=Boot(timeout_s=3_600.0))) as session:
        assert session._spawned is not None
        session._spawned._process.stdin.close()  # type: ignore[union-attr] - the keeper kills it
        with pytest.raises(DeviceGone):
            session.line.receive(30.0)
        with pytest.raises(DeviceGone, match="is not there: it ended with status 137"):
            session.wait_ready()
        assert not session.healthy()
        session.power_cycle()
        assert session.healthy()


def test_a_program_whose_power_nobody_cuts_runs_as_long_as_the_session() -> None:
    with Session.open(program("Firmware", power=Power())) as session:
        assert session.smp.os.echo("hi") == "hi"
        assert "power.cut" not in session.capabilities


class Generous(Firmware):
    """Says the size of its buffer."""

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        told = {"buf_size": 2_048, "buf_count": 1}
        return told if (group, id_) == (0, 6) else super().answer(group, id_, body)


@pytest.mark.parametrize(("kind", "size"), [(Generous, 2_048), (Firmware, 500)])
def test_what_the_board_says_of_its_buffer_goes_before_the_file(
    kind: Callable[..., Firmware], size: int
) -> None:
    with PtyHost(kind) as host:
        link = Link(url=str(host.path), smp_buf=500)
        with Session.open(Board(name="exercise-desk", link=link, boot=BOOT)) as session:
            assert session.smp.buffer_bytes == size


def test_a_refusal_is_an_answer_too() -> None:
    class Refuses(Mynewt):
        def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
            return {"rc": 8}

    with PtyHost(Refuses) as host, Session.open(desk(host)) as session, pytest.raises(SmpRefused):
        session.smp.os.echo("hi")
