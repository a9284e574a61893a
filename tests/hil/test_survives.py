"""What real lines do to a harness, by PTYs and sockets whose other end behaves so: survived, each with its outcome."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from advisories.smp import IMG_STATE
from hil.bench.board import Board, Boot, Link, Reset
from hil.bench.line import Line
from hil.bench.session import Session
from hil.errors import DeviceGone, DeviceHung, DeviceRebooted, Timeout
from hil.smp.client import SmpClient
from hil.wire.record import Direction, Kind, Record

from .conftest import program
from .peers import (
    Firmware,
    Hangs,
    Interrupts,
    Late,
    Mynewt,
    PtyHost,
    Reboots,
    Silent,
    SocketHost,
    Truncates,
    Zephyr,
)

pytestmark = pytest.mark.usefixtures("left_nothing")
BOUND_S = 30.0


def board_at(host: PtyHost | SocketHost, **tables: Any) -> Board:
    url = host.url if isinstance(host, SocketHost) else str(host.path)
    return Board(**{"name": "exercise-1", "link": Link(url=url), "boot": Boot(timeout_s=20.0), **tables})


@contextmanager
def opened(host: PtyHost | SocketHost, **options: Any) -> Iterator[Line]:
    """A line without a session: the client is on its own."""
    line = Line.open(host.url if isinstance(host, SocketHost) else str(host.path), **options)
    try:
        yield line
    finally:
        line.close()


both = pytest.mark.parametrize("make", [PtyHost, SocketHost])


# -- answers


@both
def test_answers_of_version_1_to_requests_of_version_2(make: Any) -> None:
    with make(Firmware) as host, Session.open(board_at(host)) as session:
        assert session.smp.os.echo("hi") == "hi"
        assert session.smp.img.state()[0].version == "1.0.0"
        assert session.smp.stat.names() == ("a", "b")


@both
def test_a_request_lost_right_after_boot(make: Any) -> None:
    with make(Zephyr) as host, Session.open(board_at(host)) as session:
        assert session.smp.os.echo("hi") == "hi"
        assert host.firmware.deaf is False
        assert session.smp.counters.resent == 1


@both
def test_cr_lf_echo_shell_text_around_frames_and_prompts_in_colour(make: Any) -> None:
    with make(Mynewt) as host, Session.open(board_at(host)) as session:
        assert session.smp.os.echo("colour") == "colour"
        assert session.smp.img.state()[0].version == "1.0.0"
        session.line.write(b"help me\n")
        session.console.expect(r"compat> help me\nUnrecognized command: help me\n", since=0)
        assert "\x1b" not in session.console.text()
        assert b"\x1b[1;32m" in session.console.raw()


@both
def test_a_frame_cut_off_without_a_line_end_and_the_retry_after_it(make: Any) -> None:
    kinds: list[Kind] = []

    def tap(record: Record) -> None:
        if record.direction is Direction.FROM_BOARD:
            kinds.append(record.kind)

    with make(Truncates) as host, Session.open(board_at(host), taps=[tap]) as session:
        assert session.smp.img.state()[0].version == "1.0.0"
        assert Kind.NOISE in kinds  # the half frame is told, not swallowed


def test_our_own_half_frame_does_not_eat_the_next_request() -> None:
    with PtyHost(Firmware) as host, opened(host) as line:
        client = SmpClient(line)
        line.write(b"\x06\x09AAAA")  # as a cable that was pulled would leave it
        assert client.os.echo("whole") == "whole"
        assert client.counters.resent == 1


@both
def test_an_answer_after_its_deadline_is_not_taken_for_the_next_one(make: Any) -> None:
    with make(Late) as host, Session.open(board_at(host)) as session:
        first = session.smp.request(IMG_STATE)
        assert first["images"][0]["version"] == "1.0.0"
        assert session.smp.os.echo("mine") == "mine"
        assert session.smp.img.state()[0].version == "1.0.0"


def test_an_answer_after_the_operation_was_given_up() -> None:
    with PtyHost(Late) as host, opened(host) as line:
        client = SmpClient(line, timeout_s=0.3, retries=0)
        with pytest.raises(Timeout):
            client.request(IMG_STATE)
        # The probe of why nothing came let the held answer out: it is late, and answers nothing.
        assert client.os.echo("mine") == "mine"
        assert client.counters.late >= 1


# -- the console in between


@both
def test_noise_and_boot_text_before_the_first_frame_and_text_between_the_lines_of_one(make: Any) -> None:
    long = "x" * 300  # several lines a frame
    with (
        make(Interrupts) as host,
        Session.open(board_at(host, link=Link(url=_url(host), smp_buf=1_024))) as session,
    ):
        assert session.smp.os.echo(long) == long
        session.console.expect(r"^not base64!$|\tnot base64!$", since=0)
        session.console.expect("^Booting$", since=0)
        assert "wifi: station joined" in session.console.text()


def _url(host: PtyHost | SocketHost) -> str:
    return host.url if isinstance(host, SocketHost) else str(host.path)


def test_half_lines_are_shown_though_no_line_end_follows() -> None:
    with PtyHost(Interrupts) as host, opened(host) as line:
        line.console.expect("^loading $", timeout_s=BOUND_S)  # before anything else is asked
        host.firmware.say(b"done\r\nlogin: ")
        line.console.expect("^loading done\nlogin: ", timeout_s=BOUND_S)
        assert SmpClient(line).os.echo("hi") == "hi"  # a frame behind a prompt


def test_a_frame_that_comes_a_byte_at_a_time() -> None:
    class Slow(Firmware):
        def put(self, lines: list[bytes]) -> None:
            for byte in b"".join(lines):
                self.say(bytes([byte]))

    with PtyHost(Slow) as host, opened(host) as line:
        assert SmpClient(line).os.echo("slow") == "slow"


def test_a_frame_that_pauses_in_the_middle_is_not_broken_by_showing_half_lines() -> None:
    shown: list[bytes] = []

    class Pauses(Firmware):
        def put(self, lines: list[bytes]) -> None:
            whole = b"log: " + b"".join(lines)
            self.say(whole[:12])
            select.select([], [], [], 0.25)  # longer than the quiet after which half a line is shown
            self.say(whole[12:])

    with PtyHost(Pauses) as host, opened(host, taps=[lambda r: shown.append(r.data)]) as line:
        assert SmpClient(line, timeout_s=BOUND_S).os.echo("pause") == "pause"
        assert b"log: " in shown


# -- the four outcomes


@both
def test_timeout_a_board_that_is_alive_and_does_not_answer_this(make: Any) -> None:
    with make(Silent) as host, Session.open(board_at(host)) as session:
        with pytest.raises(Timeout, match="although the board answers an echo"):
            session.smp.request(IMG_STATE, timeout_s=0.5)
        assert session.healthy()


@both
def test_hung_a_board_that_spins_after_its_reset(make: Any) -> None:
    with (
        make(Hangs) as host,
        Session.open(board_at(host, reset=Reset(by="smp"), boot=Boot(timeout_s=1.0))) as session,
    ):
        with pytest.raises(DeviceHung, match="did not answer an SMP echo within 1 s"):
            session.reset()
        with pytest.raises(DeviceHung, match="nor to an echo"):
            session.smp.request(IMG_STATE, timeout_s=0.3)


@both
def test_gone_a_port_that_goes_away_in_the_middle_of_a_request(make: Any) -> None:
    class Leaves(Firmware):
        def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
            if (group, id_) != (1, 0):
                return super().answer(group, id_, body)
            host.hang_up()
            return None

    gone = pytest.raises(DeviceGone, match=r"went away: .*during img\.state")
    with make(Leaves) as host, Session.open(board_at(host)) as session, gone:
        session.smp.request(IMG_STATE)


@both
def test_rebooted_a_board_that_starts_anew_instead_of_answering(make: Any) -> None:
    with make(Reboots) as host, opened(host, banner=r"^\*\*\* Booting") as line:
        line.console.expect("Booting", timeout_s=BOUND_S)
        client = SmpClient(line, timeout_s=0.5)
        with pytest.raises(DeviceRebooted, match=r"started anew during img\.state"):
            client.request(IMG_STATE)
        assert client.os.echo("again") == "again"


def test_gone_a_program_that_dies() -> None:
    with Session.open(program("Zephyr", "pty")) as session:
        session.cut()
        with pytest.raises(DeviceGone):
            session.smp.os.echo("hi")
        session.power_cycle()
        assert session.smp.os.echo("hi") == "hi"


# -- ports that come and go


def test_a_port_that_comes_back_under_another_name(tmp_path: Path) -> None:
    link = tmp_path / "by-id-exercise"
    with PtyHost(Zephyr, link) as host, Session.open(board_at(host)) as session:
        before = link.readlink()
        taken = os.openpty()
        host.off()
        with pytest.raises(DeviceGone):
            session.line.receive(BOUND_S)
        mark = session.line.mark()
        also_taken = os.openpty()
        host.on()
        assert link.readlink() != before
        session.wait_ready()  # looks the port up again
        assert session.smp.os.echo("back") == "back"
        assert session.line.rebooted(mark - 1)
        assert session.console.text().count("Booting") == 2  # one log goes on
        for fd in (*taken, *also_taken):
            os.close(fd)


def test_the_number_of_a_pty_changes_at_every_power_on() -> None:
    with Session.open(program("Zephyr", "pty")) as session:
        for _ in range(2):
            session.power_cycle()
            assert session.smp.os.echo("hi") == "hi"
        assert session.console.text().count("Booting") == 3


def test_reset_and_port_gone_for_a_while_as_a_board_with_its_own_usb_does(tmp_path: Path) -> None:
    link = tmp_path / "board"

    class OwnUsb(Firmware):
        def on_request(self, op: int, group: int, id_: int, sequence: int, body: dict[str, Any]) -> None:
            if (group, id_) == (0, 5):
                self.reply(op, group, id_, sequence, {"rc": 0})
                host.replug()
            else:
                super().on_request(op, group, id_, sequence, body)

    board = {"reset": Reset(by="smp"), "boot": Boot(banner="Booting", timeout_s=20.0)}
    with PtyHost(OwnUsb, link) as host, Session.open(board_at(host, **board)) as session:
        session.reset()
        assert session.smp.os.echo("new port") == "new port"
        assert host.firmware.boots == 2
