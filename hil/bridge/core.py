"""The bridge's decisions: what came from the broker and from the board goes in, what to do comes out.

The board's side is asked with :meth:`Core.next`: one verb on the line at a time, and its outcome is told
back. The broker's side is told with :meth:`Core.effects`, to be carried out in order. Nothing is lost:

- a message is acknowledged to the broker after the board has taken it (:mod:`hil.bridge.queue`);
- what the board says is dropped there after the broker's PUBACK;
- numbers of what the board says count within one boot, and after a boot the board says nothing until it is
  told of its carrier, so that a number of an older boot never drops anything of a newer one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from hil.bridge.effects import (
    Acknowledge,
    Effect,
    Event,
    Hangup,
    Identity,
    Publish,
    Saying,
    Subscribe,
    Unsubscribe,
)
from hil.bridge.queue import Message, Queue

POLL_S: Final = (0.02, 0.5)
"""Shortest and longest pause between two looks at what the board wants said, in seconds; doubles."""
ASK_S: Final = 2.0
"""An idle board is asked so often whether it is still in the same boot, in seconds."""
PAUSE_S: Final = (0.2, 5.0)
"""First and longest pause after a failure on the line, in seconds; doubles."""
REFUSALS_MAX: Final = 5
"""A message that the board itself refuses to take so often in one boot is given up, and told."""

ANSWER_S: Final = 30.0
"""A broker that is connected and does not answer for so long is left and dialled again, in seconds."""

PUBLISH, SUBSCRIBE, UNSUBSCRIBE = 0, 1, 2
_PASSING: Final = frozenset({"answer", "block"})
"""Last levels of the topics whose messages no broker keeps (docs/protocol)."""
_TOLD: Final = {PUBLISH: "to-broker", SUBSCRIBE: "subscribe", UNSUBSCRIBE: "unsubscribe"}
_RC_NO_ENTRY = 5  # MGMT_ERR_ENOENT: nothing is staged, so the board began anew


class Line(Enum):
    """What to do on the serial line next."""

    ASK = auto()
    """``info``; tell the outcome with :meth:`Core.told`."""
    RAISE = auto()
    """``carrier up``; :meth:`Core.carried`."""
    LOWER = auto()
    """``carrier down``; :meth:`Core.carried`."""
    SUBMIT = auto()
    """``put`` and ``submit`` of :attr:`Core.under_way`; :meth:`Core.submitted` or :meth:`Core.refused`."""
    REPORT = auto()
    """``report``, acknowledging :attr:`Core.settled`; :meth:`Core.reported`."""
    WAIT = auto()
    """Nothing until :attr:`Core.wake` or until the broker says something."""
    TALK = auto()
    """Never returned: submit, report or wait, as it is due."""


class Broker(Enum):
    """How far the connection to the broker is."""

    DOWN = auto()
    OPEN = auto()
    """Connected; the filters are not granted yet."""
    UP = auto()


class Carrier(Enum):
    """What the board was told."""

    DOWN = auto()
    UP = auto()
    STALE = auto()
    """Up, and the connection was lost meanwhile: the board must hear of that before it is up again."""


_NEXT: Final[Mapping[tuple[Carrier, Broker], Line]] = {
    (Carrier.DOWN, Broker.DOWN): Line.WAIT,
    (Carrier.DOWN, Broker.OPEN): Line.WAIT,
    (Carrier.DOWN, Broker.UP): Line.RAISE,
    (Carrier.UP, Broker.DOWN): Line.LOWER,
    (Carrier.UP, Broker.OPEN): Line.LOWER,
    (Carrier.UP, Broker.UP): Line.TALK,
    (Carrier.STALE, Broker.DOWN): Line.LOWER,
    (Carrier.STALE, Broker.OPEN): Line.LOWER,
    (Carrier.STALE, Broker.UP): Line.LOWER,
}
"""For a board whose boot is known; any other is asked first."""


class Core:
    """One board and one broker. Not thread-safe; times are seconds of any steady clock."""

    def __init__(self) -> None:
        self.identity: Identity | None = None
        """What the board said last."""
        self.settled: int | None = None
        """Number up to which the broker has everything; goes out with the next report."""
        self.wake = 0.0
        """When :meth:`next` has something to do although nothing happened."""
        self.counts: Counter[str] = Counter()
        """Events so far by kind, bytes as kind plus ``_bytes``, verdicts as ``verdict`` and name."""
        self._queue = Queue()
        self._effects: list[Effect] = []
        self._broker = Broker.DOWN
        self._carrier = Carrier.DOWN
        self._known = False
        self._filters: dict[str, None] = {}
        self._asked = False
        """The filters are subscribed on this connection, granted or not."""
        self._subscribed = False
        """The broker knows of subscriptions of this board's, of this connection or of one before."""
        self._saying: Saying | None = None
        """With the broker, not yet answered."""
        self._ask_at = 0.0
        self._poll_at = 0.0
        self._poll = POLL_S[0]
        self._pause = PAUSE_S[0]
        self._submit_at = 0.0
        self._reported_last = False
        self._overflow = False
        """More came than may wait: the rest of this connection's messages is left to the broker."""
        self._answer_by: float | None = None
        """When the broker must have answered what it was asked last."""

    # The board.

    @property
    def under_way(self) -> Message | None:
        """The message to submit."""
        first = self._queue.first
        return first.message if first is not None else None

    @property
    def idle(self) -> bool:
        """True when nothing waits in either direction, as far as is known here."""
        return not self._queue and self._saying is None and self.settled is None

    def next(self, now: float) -> Line:
        """Return what to do on the line; with WAIT, :attr:`wake` is set."""
        if self._answer_by is not None and now >= self._answer_by:
            self._hang_up(f"the broker has not answered for {ANSWER_S:.0f} seconds")
        if not self._known or now >= self._ask_at:
            self._known = False
            self.wake = self._ask_at
            return Line.ASK if now >= self._ask_at else Line.WAIT
        step = _NEXT[self._carrier, self._broker]
        if step is Line.TALK:
            return self._talk(now)
        self.wake = self._ask_at
        return step

    def _talk(self, now: float) -> Line:
        self._drop_what_cannot_be_put()
        if self._overflow and not self._queue:
            self._hang_up("what the broker kept is asked for")
        submit = bool(self._queue) and now >= self._submit_at
        report = self._saying is None and (self.settled is not None or now >= self._poll_at)
        if report and not (submit and self._reported_last):
            return Line.REPORT
        if submit:
            return Line.SUBMIT
        self.wake = self._ask_at
        if self._queue:
            self.wake = min(self.wake, self._submit_at)
        if self._saying is None:
            self.wake = min(self.wake, self._poll_at)
        return Line.WAIT

    def told(self, identity: Identity, now: float) -> None:
        """The board said who it is."""
        before, self.identity = self.identity, identity
        self._known = True
        self._ask_at, self._pause = now + ASK_S, PAUSE_S[0]
        if before is None or before.boot != identity.boot:
            self._began_anew(identity, first=before is None)
        if self._broker is not Broker.DOWN and not self._asked:
            self._asked = True
            self._answer_by = now + ANSWER_S
            if self._subscribed:
                # Only then does every broker send again what it keeps. Nothing is missed in between: what it
                # keeps comes with the subscription, and what passes is never given up.
                kept = [name for name in identity.filters if name.rpartition("/")[2] not in _PASSING]
                gone = [name for name in self._filters if name not in identity.filters]
                self._effects.append(Unsubscribe(0, (*kept, *gone)))
            self._subscribed = True
            self._filters = dict.fromkeys(identity.filters)
            self._effects.append(Subscribe(0, identity.filters))

    def _began_anew(self, identity: Identity, *, first: bool) -> None:
        """Numbers restart, staging is empty, and the carrier is down, whatever was told before."""
        self._tell("boot", text=f"{identity.id} is there" if first else f"{identity.id} began anew")
        self._carrier = Carrier.DOWN
        self._saying = self.settled = self._answer_by = None
        self._queue.rebooted()
        if self._broker is not Broker.DOWN:
            self._broker, self._asked = Broker.OPEN, False

    def carried(self, now: float, *, up: bool) -> None:
        """The board took the word about its carrier."""
        self._carrier = Carrier.UP if up else Carrier.DOWN
        self._tell("carrier", text="up" if up else "down")
        self._busy(now)

    def submitted(self, number: int, name: str, now: float, text: str = "") -> None:
        """The board took the message under way; its verdict is a fact to tell, whatever it is."""
        message = self._queue.drop_first()
        self.counts[f"verdict {name}"] += 1
        told = f"{name}: {text.removeprefix(f'{name}: ')}" if number and text else name
        self._tell("to-board", message.topic, len(message.payload), told)
        self._release()
        self._reported_last = False
        self._busy(now)

    def refused(self, rc: int, now: float) -> None:
        """The board refused to take the message under way (an SMP error, no verdict)."""
        entry = self._queue.first
        assert entry is not None
        entry.refusals += 1
        self._submit_at = now + PAUSE_S[0]
        if entry.refusals >= REFUSALS_MAX:
            self._give_up(f"the board refuses to take it (rc {rc}), {REFUSALS_MAX} times")
        if rc == _RC_NO_ENTRY:
            self._known, self._ask_at = False, now

    def reported(self, acked: int | None, saying: Saying | None, now: float) -> None:
        """The board dropped all up to ``acked``, and said what comes next."""
        if acked is not None and self.settled == acked:
            self.settled = None
        self._reported_last = True
        if saying is None:
            self._poll_at = now + self._poll
            self._poll = min(self._poll * 2, POLL_S[1])
            return
        self._busy(now)
        self._saying, self._answer_by = saying, now + ANSWER_S
        if saying.kind == PUBLISH:
            self._effects.append(Publish(saying.number, saying.topic, saying.data))
        elif saying.kind == SUBSCRIBE:
            self._filters[saying.topic] = None
            self._effects.append(Subscribe(saying.number, (saying.topic,)))
        elif saying.kind == UNSUBSCRIBE:
            self._filters.pop(saying.topic, None)
            self._effects.append(Unsubscribe(saying.number, (saying.topic,)))
        else:
            self._tell("note", saying.topic, text=f"the board wants something unknown (kind {saying.kind})")
            self._settle(saying.number)

    def failed(self, why: str, now: float, *, rebooted: bool = False) -> None:
        """A verb on the line came to nothing, or nobody knows what became of it: ask who is there."""
        if self._known or self._pause == PAUSE_S[0]:
            self._tell("line", text=why)
        self._known = False
        self._ask_at = now if rebooted else now + self._pause
        self._pause = min(self._pause * 2, PAUSE_S[1])

    # The broker.

    def connected(self, *, kept: bool) -> None:
        """The connection is up; the board is asked which filters it listens to now.

        Args:
            kept: the broker goes on with an earlier session of this board's.
        """
        self._broker, self._asked, self._subscribed = Broker.OPEN, False, kept
        self._known, self._ask_at = False, 0.0
        self._tell("broker", text="connected")

    def granted(self) -> None:
        """The broker granted the board's filters."""
        if self._broker is Broker.OPEN and self._asked:
            self._broker, self._answer_by = Broker.UP, None

    def said(self, number: int, *, accepted: bool) -> None:
        """The broker answered what the board wanted said: it has it, or it will never take it."""
        saying = self._saying
        if saying is None or saying.number != number:
            return
        if accepted:
            self._tell(_TOLD[saying.kind], saying.topic, len(saying.data))
        else:
            self._tell("note", saying.topic, len(saying.data), "the broker refuses it")
        self._settle(number)

    def arrived(self, message: Message, token: int) -> None:
        """A message came for the board."""
        if not self._overflow and not self._queue.take(message, token):
            self._overflow = True
            self._tell("note", message.topic, len(message.payload), "too much waits: the broker keeps it")
        self._release()

    def disconnected(self, why: str) -> None:
        """The connection is gone; what is not acknowledged comes again."""
        if self._broker is Broker.DOWN:
            return
        self._broker, self._asked = Broker.DOWN, False
        if self._carrier is Carrier.UP:
            self._carrier = Carrier.STALE
        # What the broker has but the board does not know of is said twice: to remember its number here could
        # drop something else, should the board begin anew before it is asked.
        self._saying = self.settled = self._answer_by = None
        self._overflow = False
        self._queue.disconnected()
        self._effects = [effect for effect in self._effects if isinstance(effect, Event)]
        self._tell("broker", text=why)

    # What goes out.

    def effects(self) -> list[Effect]:
        """Return what is to be done now beside the line, in order, and forget it."""
        effects, self._effects = self._effects, []
        return effects

    def _settle(self, number: int) -> None:
        self._saying, self._answer_by, self.settled = None, None, number

    def _hang_up(self, why: str) -> None:
        self._answer_by, self._overflow = None, False
        self._effects.append(Hangup(why))

    def _busy(self, now: float) -> None:
        self._poll, self._poll_at = POLL_S[0], now

    def _release(self) -> None:
        self._effects += [Acknowledge(token) for token in self._queue.released()]

    def _drop_what_cannot_be_put(self) -> None:
        assert self.identity is not None
        most = self.identity.max
        while (message := self.under_way) is not None and not 0 < len(message.payload) <= most:
            too_big = f"larger than the {most} bytes that the board takes"
            self._give_up(too_big if message.payload else "empty: there is nothing to hand over")

    def _give_up(self, why: str) -> None:
        message = self._queue.drop_first()
        self._tell("note", message.topic, len(message.payload), why)
        self._release()

    def _tell(self, kind: str, topic: str = "", size: int = 0, text: str = "") -> None:
        self.counts[kind] += 1
        self.counts[f"{kind}_bytes"] += size
        self._effects.append(Event(kind, topic, size, text))
