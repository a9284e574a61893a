"""A small board in memory and a line that may spoil what passes, both in a time of their own."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import cbor2

from advisories import smp
from advisories.smp import NOTIFIER_GROUP, Rc
from hil.errors import DeviceGone
from hil.smp.client import SmpClient
from hil.smp.frames import LINE_BYTES, Scanner, encode
from hil.smp.message import Header
from hil.wire.record import Kind

BY_NUMBER = {(one.group, one.id, one.write): one for one in smp.COMMANDS.values()}


def respond(message: bytes, body: dict[str, Any], *, version: int = 1, **head: int) -> bytes:
    """Return the answer to a request."""
    asked = Header.unpack(message)
    assert asked is not None
    code = cbor2.dumps(body)
    fields = {"op": asked.op + 1, "version": version, "flags": 0, "length": len(code), "group": asked.group}
    return Header(**{**fields, "sequence": asked.sequence, "id": asked.id, **head}).pack() + code


class Refuse(Exception):
    """A verb's way to answer with an error."""


class Board:
    """Answers requests; ``verbs`` may be replaced, ``seen`` holds what was asked."""

    def __init__(
        self, *, buffer: int = 384, group: int = NOTIFIER_GROUP, silent_oversize: bool = True
    ) -> None:
        self.buffer = buffer
        self.group = group
        self.silent_oversize = silent_oversize
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.messages: list[bytes] = []
        self.image = bytearray()
        self.want: dict[str, Any] = {}
        self.matches = True
        self.verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "os.echo": lambda body: {"r": body["d"]},
            "os.reset": lambda _: {},
            "img.upload": self.upload,
            "img.state": lambda _: {"images": []},
            "notifier.put": self.upload,
        }

    def upload(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["off"] == 0 and body["sha"] != self.want.get("sha"):
            self.want, self.image = body, bytearray()
        if body["off"] == len(self.image):
            self.image += body["data"]
        answer: dict[str, Any] = {"off": len(self.image)}
        if self.matches and len(self.image) == self.want["len"] and "image" in self.want:
            answer["match"] = hashlib.sha256(self.image).digest() == self.want["sha"]
        return answer

    def take(self, message: bytes) -> list[bytes]:
        """Return the answers to one message."""
        self.messages.append(message)
        header = Header.unpack(message)
        assert header is not None
        if len(message) + 4 > self.buffer:
            return [] if self.silent_oversize else [respond(message, {"rc": int(Rc.EINVAL)})]
        number = {self.group: NOTIFIER_GROUP, NOTIFIER_GROUP: -1}.get(header.group, header.group)
        number = NOTIFIER_GROUP if header.group == self.group else number
        command = BY_NUMBER.get((number, header.id, header.op == 2))
        body = cbor2.loads(message[8:])
        self.seen.append((command.name if command else "?", body))
        verb = self.verbs.get(command.name) if command else None
        if verb is None:
            return [respond(message, {"rc": int(Rc.ENOTSUP)})]
        try:
            return [respond(message, verb(body))]
        except Refuse as refused:
            return [respond(message, refused.args[0])]

    def names(self) -> Counter[str]:
        return Counter(name for name, _ in self.seen)


Spoil = Callable[[bytes], list[tuple[float, bytes]]]


def clean(line: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, line)]


def spoiler(random: Random, rate: float) -> Spoil:
    """Return a line that drops, flips, cuts, doubles, delays and mixes in text, each at ``rate``."""

    def spoil(line: bytes) -> list[tuple[float, bytes]]:
        if random.random() < rate:
            return []
        if random.random() < rate:
            at = random.randrange(len(line))
            line = line[:at] + bytes((line[at] ^ 1 << random.randrange(8),)) + line[at + 1 :]
        if random.random() < rate:
            line = line[: random.randrange(len(line))]
        if random.random() < rate:
            line = b"\x1b[m[00:01] log" + random.choice([b"", b"\r\n"]) + line
        wait = 0.3 if random.random() < rate else 0.0
        return [(wait, line)] * (2 if random.random() < rate else 1)

    return spoil


class Memory:
    """A channel to a board; its time passes only while somebody waits."""

    def __init__(
        self, board: Board, *, there: Spoil = clean, back: Spoil = clean, trip: float = 0.002
    ) -> None:
        self.board = board
        self.there, self.back, self.trip = there, back, trip
        self.now = 1_000.0
        self.sent: list[bytes] = []
        self.resyncs = 0
        self.reboots_at = float("inf")
        self.gone_at = float("inf")
        self._order = itertools.count()
        self._events: list[tuple[float, int, str, bytes]] = []
        self._in, self._out = Scanner(), Scanner()
        self._queue: list[bytes] = []

    def clock(self) -> float:
        return self.now

    def later(self, delay: float, frame: bytes) -> None:
        """Have the board say a message after a while."""
        self._put(delay, "answer", encode(frame))

    def _put(self, delay: float, what: str, data: bytes) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), what, data))

    def _require(self) -> None:
        if self.now >= self.gone_at:
            raise DeviceGone("The port went away.", mend="Plug it in.")

    def send(self, message: bytes) -> None:
        self._require()
        self.sent.append(message)
        for line in encode(message, LINE_BYTES).splitlines(keepends=True):
            for wait, piece in self.there(line):
                self._put(wait + self.trip / 2, "request", piece)

    def _happen(self, what: str, data: bytes) -> None:
        if what == "answer":
            self._queue += [part.data for part in self._out.feed(data) if part.kind is Kind.MESSAGE]
            return
        for part in self._in.feed(data):
            if part.kind is Kind.MESSAGE:
                for answer in self.board.take(part.data):
                    for line in encode(answer).splitlines(keepends=True):
                        for wait, piece in self.back(line):
                            self._put(wait + self.trip / 2, "answer", piece)

    def receive(self, timeout_s: float) -> bytes | None:
        end = self.now + timeout_s
        while not self._queue:
            self._require()
            if not self._events or self._events[0][0] > end:
                self.now = max(self.now, end)
                self._require()
                return None
            at, _, what, data = heapq.heappop(self._events)
            self.now = max(self.now, at)
            self._happen(what, data)
        return self._queue.pop(0)

    def resync(self) -> None:
        self.resyncs += 1
        self._queue.clear()
        self._put(0.0, "request", b"\n")

    def mark(self) -> int:
        return int(self.now * 1_000_000)

    def rebooted(self, since: int) -> bool:
        return since <= self.reboots_at * 1_000_000 <= self.now * 1_000_000


def client(channel: Memory, **options: Any) -> SmpClient:
    """Return a client that counts keys and sequences from 0."""
    numbers = itertools.count()
    return SmpClient(channel, random=lambda _: next(numbers), clock=channel.clock, **options)
