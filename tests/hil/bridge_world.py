"""A broker, a line and a board of the bridge's pure tests, each of which fails when told to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from hil.bridge.core import Core, Line
from hil.bridge.effects import Acknowledge, Event, Hangup, Identity, Publish, Saying, Subscribe, Unsubscribe
from hil.bridge.queue import Message

FILTERS = ("t/timestamp/a", "t/device/d/block")
MAX = 1_000


@dataclass
class Board:
    """The notifier group's promises, as far as the bridge sees them."""

    boots: int = 1
    carrier: bool = False
    staged: bytes | None = None
    taken: list[Message] = field(default_factory=list)
    wishes: dict[str, None] = field(default_factory=dict)
    """What it wants said, by topic; each is forgotten only when it was acknowledged."""
    queue: list[Saying] = field(default_factory=list)
    number: int = 0

    def reset(self) -> None:
        self.boots += 1
        self.carrier, self.staged, self.queue, self.number = False, None, [], 0

    def wish(self, topic: str) -> None:
        self.wishes[topic] = None
        if self.carrier:
            self._say(topic)

    def carry(self, up: bool) -> None:
        self.carrier = up
        self.queue = []
        if up:
            for topic in self.wishes:
                self._say(topic)

    def _say(self, topic: str) -> None:
        self.number += 1
        self.queue.append(Saying(self.number, 0, topic, topic.encode()))

    def report(self, ack: int | None) -> Saying | None:
        while ack is not None and self.queue and self.queue[0].number <= ack:
            self.wishes.pop(self.queue.pop(0).topic, None)
        return self.queue[0] if self.queue else None


@dataclass
class World:
    """One core between a board and a broker; every promise is checked where it could break."""

    core: Core = field(default_factory=Core)
    board: Board = field(default_factory=Board)
    now: float = 0.0
    connected: bool = False
    unacked: list[Message] = field(default_factory=list)
    """What the broker holds for this client, in order."""
    sent: dict[int, Message] = field(default_factory=dict)
    """Token -> what was sent on this connection and not yet acknowledged."""
    tokens: int = 0
    published: list[str] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    """What was asked of the broker and has not reached it: number, and topic of a publish."""
    void: set[str] = field(default_factory=set)
    """Payloads that need not arrive: replaced by a newer one, or too big."""
    events: list[Event] = field(default_factory=list)
    puts: int = 0

    # The broker's side.

    def connect(self) -> None:
        if not self.connected:
            self.connected = True
            self.core.connected(kept=False)
            self._flush()

    def lose(self) -> None:
        if self.connected:
            self.connected = False
            self.sent, self.answers = {}, []
            self.core.disconnected("lost")
            self._flush()

    def publish(self, message: Message) -> None:
        """Somebody publishes for the board: the broker has it now."""
        if message.retained:
            for older in self.unacked:
                if older.retained and older.topic == message.topic:
                    self.void.add(older.payload.decode())
        self.unacked.append(message)

    def deliver(self) -> None:
        """The next message that was not sent on this connection goes out."""
        if self.connected and len(self.sent) < len(self.unacked):
            message = self.unacked[len(self.sent)]
            self.tokens += 1
            self.sent[self.tokens] = message
            self.core.arrived(message, self.tokens)
            self._flush()

    def answer(self) -> None:
        """What was asked first reaches the broker, and its answer comes."""
        if self.answers:
            number, topic = self.answers.pop(0)
            if topic:
                self.published.append(topic)
            if number:
                self.core.said(number, accepted=True)
            else:
                self.core.granted()
            self._flush()

    def _flush(self) -> None:
        for effect in self.core.effects():
            match effect:
                case Acknowledge(token):
                    self._acknowledged(token)
                case Publish(number, topic):
                    self.answers.append((number, topic))
                case Subscribe(number):
                    self.answers.append((number, ""))
                case Unsubscribe(number):
                    if number:
                        self.answers.append((number, ""))
                case Hangup():
                    self.lose()
                case Event():
                    self.events.append(effect)

    def _acknowledged(self, token: int) -> None:
        assert token == min(self.sent), "PUBACKs leave in the order of the messages"
        message = self.sent.pop(token)
        assert message in self.board.taken or message.payload.decode() in self.void, message
        self.unacked.remove(message)

    # The line's side.

    def step(self, fault: str = "") -> Line:
        """Do what the core wants on the line; ``fault`` is lost, deaf (executed, no answer) or reset."""
        line = self.core.next(self.now)
        self._flush()
        self.now += 0.001
        if line is Line.WAIT:
            self.now = max(self.now, self.core.wake)
            return line
        if fault == "reset":
            self.board.reset()
        if fault in {"lost", "reset"}:
            self.core.failed("no answer", self.now, rebooted=fault == "reset")
            self._flush()
            return line
        outcome = self._do(line)
        if fault == "deaf":
            self.core.failed("no answer", self.now)
        else:
            outcome()
        self._flush()
        return line

    def _do(self, line: Line):
        board, core, now = self.board, self.core, self.now
        if line is Line.ASK:
            identity = Identity("d", bytes([board.boots]), FILTERS, MAX)
            return lambda: core.told(identity, now)
        if line is Line.RAISE or line is Line.LOWER:
            up = line is Line.RAISE
            board.carry(up)
            return lambda: core.carried(now, up=up)
        if line is Line.REPORT:
            ack = core.settled
            dropped = [s for s in board.queue if ack is not None and s.number <= ack]
            assert all(saying.topic in self.published for saying in dropped), (
                "dropped before the broker had it"
            )
            saying = board.report(ack)
            return lambda: core.reported(ack, saying, now)
        assert line is Line.SUBMIT
        message = core.under_way
        assert message is not None
        self.puts += 1
        board.taken.append(message)
        return lambda: core.submitted(0, "OK", now)

    def go(self) -> None:
        """Everything works for a moment."""
        self.connect()
        self.deliver()
        for _ in range(3):
            self.answer()
            self.step()

    def calm(self, steps: int = 5_000) -> None:
        """Everything works from now on, until nothing is left to do."""
        for _ in range(steps):
            self.connect()
            self.deliver()
            self.answer()
            if self.step() is Line.WAIT and not self.unacked and not self.board.wishes and not self.answers:
                return
        raise AssertionError("it never comes to rest")

    def digest(self) -> str:
        return hashlib.sha256(repr(self.board.taken).encode()).hexdigest()
