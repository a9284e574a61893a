"""The bridge's shell, with a notifier group that a test steers, between a board and real brokers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.service.broker import DemoBroker
from hil.bridge.bridge import Bridge, online_topic
from hil.bridge.broker import TlsFiles, context_for, parse_url
from hil.bridge.effects import Event, Identity, Publish
from hil.errors import BenchError, DeviceGone, DeviceRebooted, SmpRefused, Timeout
from hil.smp.notifier import Info, Outgoing, Verdict
from keys.errors import InputError
from tests.hil.bridge_clients import BOARD, FILTERS, OWN, connect

pytestmark = pytest.mark.usefixtures("left_nothing")
ALL = ("put", "submit", "report", "carrier")


@dataclass
class Board:
    """The verbs that a bridge needs; a test says what they raise, and what is to be said."""

    id: str = BOARD
    boot: bytes = b"1"
    caps: tuple[str, ...] = ALL
    filters: tuple[Any, ...] = FILTERS
    says: list[Outgoing] = field(default_factory=list)
    raises: dict[str, list[BaseException]] = field(default_factory=dict)
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    carriers: list[bool] = field(default_factory=list)

    def _maybe(self, verb: str) -> None:
        if self.raises.get(verb):
            raise self.raises[verb].pop(0)

    def info(self) -> Info:
        self._maybe("info")
        return Info(1, self.id, "x", "x", "1.0.0", (), 1_000, self.caps, self.filters, self.boot)

    def carrier(self, up: bool) -> None:
        self._maybe("carrier")
        self.carriers.append(up)

    def take(self, *, ack: int | None = None) -> Outgoing | None:
        self._maybe("take")
        self.says = [said for said in self.says if ack is None or said.number > ack]
        return self.says[0] if self.says else None

    def deliver(self, data: bytes, topic: str) -> Verdict:
        self._maybe("deliver")
        self.taken.append((topic, data))
        return Verdict(0, "OK")


@contextmanager
def shell(board: Board, url: str, **options: Any) -> Iterator[tuple[Bridge, list[Event]]]:
    events: list[Event] = []
    bridge = Bridge(board, url, on_event=events.append, **options)  # type: ignore[arg-type]
    try:
        bridge.open()
        yield bridge, events
    finally:
        bridge.close()


def work(bridge: Bridge, done: Callable[[], bool]) -> None:
    for _ in range(3_000):  # of 10 ms at most
        bridge.step(0.01)
        if done():
            return
    raise AssertionError(dict(bridge.counts))


def test_it_survives_whatever_the_line_says() -> None:
    board = Board(says=[Outgoing(1, 0, f"{OWN}/report", b"one")])
    board.raises = {
        "take": [Timeout("no answer"), SmpRefused("SMP_EBUSY", "busy", group=None, rc=10)],
        "carrier": [Timeout("no answer")],
        "deliver": [
            SmpRefused("SMP_ENOENT", "nothing staged", group=400, rc=5),
            DeviceRebooted("it started anew"),
            DeviceGone("the port went away"),
        ],
    }
    ports = [BenchError("PORT_MISSING", "no port yet")]

    def reopen() -> None:
        if ports:
            raise ports.pop()

    with DemoBroker() as broker, shell(board, broker.url, reopen=reopen) as (bridge, events):
        assert bridge.device == BOARD
        work(bridge, lambda: not board.says)
        writer = connect(broker.url, "writer")
        writer.publish(Publish(1, f"{OWN}/answer", b"x"))
        work(bridge, lambda: bool(board.taken) and bridge.idle)
        writer.close()
        assert board.taken == [(f"{OWN}/answer", b"x")]
        assert board.carriers[0]
    assert not ports
    assert not board.carriers[-1]
    assert any(event.kind == "line" for event in events)
    assert not bridge.connected
    bridge.close()


class Installing(Board):
    """Takes the last block of a patch, and starts anew into the new image before it has answered."""

    def deliver(self, data: bytes, topic: str) -> Verdict:
        verdict = super().deliver(data, topic)
        if data == b"the last block" and self.boot == b"1":
            self.boot = b"2"
            raise DeviceRebooted("it started anew")
        return verdict


def test_a_board_that_starts_anew_instead_of_answering_to_the_last_block_has_taken_it() -> None:
    board = Installing(filters=(*FILTERS, f"{OWN}/block"))
    with DemoBroker() as broker, shell(board, broker.url) as (bridge, events):
        writer = connect(broker.url, "writer")
        work(bridge, lambda: board.carriers == [True])
        for number, data in enumerate((b"a block", b"the last block", b"what comes next"), 1):
            writer.publish(Publish(number, f"{OWN}/block", data))
        work(bridge, lambda: len(board.taken) == 4 and bridge.idle)
        writer.close()
        # Whether it was taken nobody knows: handed over again, it changes nothing. The broker is told once.
        assert [data for _, data in board.taken] == [
            *(b"a block", b"the last block"),
            *(b"the last block", b"what comes next"),
        ]
        assert board.carriers == [True, True]
        assert bridge.counts["verdict OK"] == bridge.counts["to-board"] == 3
        assert [event.text for event in events if event.kind == "boot"][1:] == [f"{BOARD} began anew"]
        assert not [event for event in events if event.kind == "note"]
        work(bridge, lambda: not bridge.step(0.01))
        assert len(board.taken) == 4


def test_it_comes_back_to_a_broker_that_was_away() -> None:
    board = Board()
    with DemoBroker() as first:
        port = first.port
        bridging = shell(board, first.url)
        bridge, events = bridging.__enter__()
        work(bridge, lambda: board.carriers == [True])
    try:
        work(bridge, lambda: board.carriers == [True, False])
        work(bridge, lambda: any("127.0.0.1" in event.text for event in events))
        with DemoBroker(port=port):
            work(bridge, lambda: board.carriers == [True, False, True])
            bridge.close()
    finally:
        bridging.__exit__(None, None, None)
    assert [event.text for event in events if event.kind == "broker"].count("connected") == 2


@pytest.mark.parametrize(
    ("board", "code"),
    [
        (Board(id="no id/of ours"), "BRIDGE_ID"),
        (Board(caps=("put", "report")), "BRIDGE_LACKS"),
    ],
)
def test_boards_that_cannot_be_bridged(board: Board, code: str) -> None:
    bridge = Bridge(board, "mqtt://127.0.0.1:9")  # type: ignore[arg-type]
    assert bridge.device == ""
    with pytest.raises(BenchError) as caught:
        bridge.open()
    assert caught.value.code == code
    bridge.close()


def _other_board(board: Board) -> None:
    board.id = "exercise-2"
    board.raises = {"take": [Timeout("no answer")]}


def _gone(board: Board) -> None:
    board.raises = {"take": [DeviceGone("the port went away")]}


@pytest.mark.parametrize(
    ("happens", "code"),
    [(_other_board, "BRIDGE_OTHER_BOARD"), (_gone, "DEVICE_GONE")],
)
def test_what_ends_a_bridge(happens: Callable[[Board], None], code: str) -> None:
    board = Board()
    with DemoBroker() as broker:
        bridge = Bridge(board, broker.url)  # type: ignore[arg-type]
        bridge.open()
        work(bridge, lambda: board.carriers == [True])
        happens(board)
        with pytest.raises((BenchError, DeviceGone)) as caught:
            bridge.run(threading.Event())
    assert caught.value.code == code
    assert not bridge.connected


def test_a_second_client_with_the_same_id_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK
                connection.recv(1024)
                connection.sendall(b"\xe0\x02\x8e\x00")  # DISCONNECT, session taken over
                connection.recv(1024)

        thread = threading.Thread(target=serve)
        thread.start()
        bridge = Bridge(Board(), f"mqtt://127.0.0.1:{server.getsockname()[1]}")  # type: ignore[arg-type]
        with pytest.raises(BenchError) as caught:
            bridge.run(threading.Event())
        thread.join()
    assert caught.value.code == "BROKER_TAKEN_OVER"


def test_a_reopening_that_will_never_help_ends_it() -> None:
    board = Board()

    def reopen() -> None:
        raise BenchError("SPAWN_ENDED", "the program ended")

    with DemoBroker() as broker, shell(board, broker.url, reopen=reopen) as (bridge, _):
        board.raises = {"take": [DeviceGone("the port went away")]}
        with pytest.raises(BenchError) as caught:
            work(bridge, lambda: False)
    assert caught.value.code == "SPAWN_ENDED"


def test_a_subscription_that_is_refused_ends_it() -> None:
    with (
        DemoBroker() as broker,
        shell(Board(filters=("a/#/b",)), broker.url) as (bridge, _),
        pytest.raises(BenchError) as caught,
    ):
        work(bridge, lambda: False)
    assert caught.value.code == "BROKER_REFUSED"


def test_run_ends_when_it_is_asked_to() -> None:
    board, stop = Board(), threading.Event()
    with DemoBroker() as broker:
        bridge = Bridge(board, broker.url)  # type: ignore[arg-type]
        thread = threading.Thread(target=bridge.run, args=(stop,))
        thread.start()
        stop.set()
        thread.join(60.0)
        assert not thread.is_alive()
    assert bridge.counts["broker"] == 2


@pytest.mark.parametrize(
    ("filters", "topic"), [(FILTERS, f"{OWN}/online"), (("t/timestamp/a",), ""), ((), "")]
)
def test_where_a_board_says_that_it_is_online(filters: tuple[str, ...], topic: str) -> None:
    assert online_topic(Identity(BOARD, b"1", filters, 10)) == topic


@pytest.mark.parametrize(
    ("url", "files", "says"),
    [
        ("mqtt://127.0.0.1", TlsFiles(ca=Path("ca.pem")), "mqtt:// encrypts nothing"),
        (
            "mqtt://127.0.0.1",
            TlsFiles(certificate=Path("c.pem"), key=Path("k.pem")),
            "mqtt:// encrypts nothing",
        ),
        ("mqtts://127.0.0.1", TlsFiles(key=Path("k.pem")), "of no use without its certificate"),
    ],
)
def test_files_for_tls_that_would_not_be_used_are_refused(url: str, files: TlsFiles, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        context_for(parse_url(url), files)
    assert caught.value.code == "TLS_FILE"
    assert context_for(parse_url("mqtt://127.0.0.1"), TlsFiles()) is None
    assert context_for(parse_url("mqtts://127.0.0.1"), TlsFiles()) is not None
