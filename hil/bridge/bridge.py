"""The bridge: the bench plays modem between MQTT and a board's serial line.

One thread does everything: it asks the core what is next, says it on the line, carries out what the core
wants of the broker, and waits. Only paho has a thread of its own (:mod:`hil.bridge.mqtt`), and the line its
reader.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, assert_never

from advisories.topics import Topics, is_id
from hil.bridge.broker import TlsFiles, context_for, parse_url
from hil.bridge.core import Core, Line
from hil.bridge.effects import Acknowledge, Event, Hangup, Identity, Publish, Saying, Subscribe, Unsubscribe
from hil.bridge.mqtt import Answered, Arrived, Connection, Lost
from hil.errors import BenchError, DeviceGone, DeviceRebooted, SmpFailure, SmpRefused
from hil.smp.notifier import NotifierGroup

OFFLINE: Final = b"0"
BACKOFF_S: Final = (0.2, 10.0)
"""First and longest pause before the broker is dialled again, in seconds; doubles, with jitter."""
STEADY_S: Final = 5.0
"""A connection that stood this long was good; losing one earlier lengthens the pause."""
NEEDED: Final = ("put", "submit", "report", "carrier")
"""What a board must be able to do (``info.caps``)."""
_STEP_S: Final = 0.1  # a waiting bridge looks so often whether it is to stop


class Bridge:
    """Between one board and one broker, from :meth:`open` to :meth:`close`; not thread-safe.

    Args:
        notifier: the board; nobody else may use its client while a step runs.
        url: the broker, ``mqtt://`` or ``mqtts://``.
        tls: files for ``mqtts://``.
        reopen: looks for the port again after it went away; without it that ends the bridge.
        on_event: told what passes, in the thread that calls :meth:`step`.

    Raises:
        InputError: BROKER_URL, TLS_FILE.
    """

    def __init__(
        self,
        notifier: NotifierGroup,
        url: str,
        *,
        tls: TlsFiles | None = None,
        reopen: Callable[[], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._notifier = notifier
        self._place = parse_url(url)
        self._tls = context_for(self._place, tls or TlsFiles())
        self._reopen = reopen
        self._on_event = on_event
        self._core = Core()
        self._link: Connection | None = None
        self._dial_at = 0.0
        self._pause = BACKOFF_S[0]
        self._since = 0.0
        self._why = ""
        self._clean = False

    @property
    def device(self) -> str:
        """The board's id; empty before :meth:`open`."""
        return self._core.identity.id if self._core.identity is not None else ""

    @property
    def connected(self) -> bool:
        """True while the broker is connected."""
        return self._link is not None

    @property
    def idle(self) -> bool:
        """True when nothing waits in either direction, as far as the bridge knows."""
        return self._core.idle

    @property
    def counts(self) -> Counter[str]:
        """Events so far by kind, their bytes by kind and ``_bytes``, verdicts by ``verdict NAME``."""
        return self._core.counts

    def open(self) -> None:
        """Ask the board who it is, and connect for it.

        Raises:
            BenchError: BRIDGE_ID, BRIDGE_LACKS: the firmware cannot be bridged; BROKER_UNREACHABLE,
                BROKER_TLS, BROKER_REFUSED.
            SmpRefused, SmpFailure: the board does not say who it is.
        """
        self._ask()
        self._dial()

    def run(self, stop: threading.Event) -> None:
        """Bridge until ``stop`` is set; both sides come back by themselves after a loss.

        Raises:
            BenchError: BROKER_REFUSED (a subscription), BROKER_TAKEN_OVER, BRIDGE_OTHER_BOARD, and as
                :meth:`open`.
            DeviceGone: the port went away, and nobody said how to look for it again.
            BenchError: what ``reopen`` raised, if it is no PORT_*.
        """
        try:
            if self._core.identity is None:
                self.open()
            while not stop.is_set():
                self.step(_STEP_S)
        finally:
            self.close()

    def step(self, wait_s: float = _STEP_S) -> bool:
        """Do one thing on the line, or wait at most so many seconds until there is one; True when it did.

        Raises:
            BenchError, DeviceGone: as :meth:`run`.
        """
        self._hear(0.0)
        self._redial()
        now = time.monotonic()
        line = self._core.next(now)
        self._carry()
        if line is Line.WAIT:
            wait = min(wait_s, max(0.0, self._core.wake - now))
            if self._link is None:
                time.sleep(min(wait, max(0.0, self._dial_at - now)))
            else:
                self._hear(wait)
            return False
        self._say(line)
        self._carry()
        return True

    def close(self) -> None:
        """Tell the board that its carrier is gone, and the broker that the board is offline.

        What came and was not taken stays with the broker. Safe to call twice.
        """
        link, self._link = self._link, None
        if link is None:
            return
        self._core.disconnected("closed")
        try:
            self._carry()
            with contextlib.suppress(SmpFailure, SmpRefused):  # it is off, or hung: nobody is left to tell
                self._notifier.carrier(up=False)
        finally:
            link.close(farewell=True)

    # The line.

    def _say(self, line: Line) -> None:
        core = self._core
        try:
            if line is Line.ASK:
                self._ask()
            elif line is Line.SUBMIT:
                self._submit()
            elif line is Line.REPORT:
                acked = core.settled
                found = self._notifier.take(ack=acked)
                saying = Saying(found.number, found.kind, found.topic, found.data) if found else None
                core.reported(acked, saying, time.monotonic())
            else:
                up = line is Line.RAISE
                self._notifier.carrier(up=up)
                core.carried(time.monotonic(), up=up)
        except SmpRefused as error:
            core.failed(error.message, time.monotonic())
        except DeviceGone as error:
            self._look_again(error)
        except SmpFailure as error:
            core.failed(error.message, time.monotonic(), rebooted=isinstance(error, DeviceRebooted))

    def _submit(self) -> None:
        core = self._core
        message = core.under_way
        assert message is not None
        try:
            verdict = self._notifier.deliver(message.payload, message.topic)
        except SmpRefused as error:
            core.refused(error.rc, time.monotonic())
        else:
            core.submitted(verdict.number, verdict.name, time.monotonic(), verdict.text)

    def _look_again(self, gone: DeviceGone) -> None:
        if self._reopen is None:
            raise gone
        why = gone.message
        try:
            self._reopen()
        except BenchError as error:
            if not error.code.startswith("PORT_"):  # no port will come back by itself
                raise
            why = error.message
        self._core.failed(why, time.monotonic())

    def _ask(self) -> None:
        info = self._notifier.info()
        before = self._core.identity
        if before is not None and before.id != info.id:
            raise BenchError(
                "BRIDGE_OTHER_BOARD",
                f"The board on the line is {info.id} now; it was {before.id}.",
                mend="Start the bridge again for this one.",
            )
        if not is_id(info.id):
            mend = "Give it one of letters, digits, dots, hyphens and underscores."
            raise BenchError(
                "BRIDGE_ID", "The board has no id that could be its name at a broker.", mend=mend
            )
        lacks = [name for name in NEEDED if name not in info.caps]
        if lacks:
            raise BenchError(
                "BRIDGE_LACKS",
                f"The firmware of {info.id} cannot be bridged: it lacks {', '.join(lacks)}.",
                mend="See the notifier group in the reference of SMP commands.",
            )
        filters = tuple(str(name) for name in info.filters)
        self._core.told(Identity(info.id, info.boot, filters, info.max), time.monotonic())

    # The broker.

    def _dial(self) -> None:
        identity = self._core.identity
        assert identity is not None
        topic = online_topic(identity)
        will = (topic, OFFLINE) if topic else None
        self._link = Connection.open(self._place, identity.id, tls=self._tls, will=will, clean=self._clean)
        self._since, self._why, self._clean = time.monotonic(), "", False
        self._core.connected(kept=self._link.kept)

    def _redial(self) -> None:
        if self._link is not None or time.monotonic() < self._dial_at:
            return
        try:
            self._dial()
        except BenchError as error:
            if error.message != self._why:
                self._why = error.message
                self._tell(Event("broker", text=error.message.removesuffix(".")))
            self._later()

    def _later(self) -> None:
        pause = self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._dial_at = time.monotonic() + pause
        self._pause = min(self._pause * 2, BACKOFF_S[1])

    def _hear(self, wait_s: float) -> None:
        """Take all that happened at the broker; wait for the first of it."""
        while self._link is not None:
            happened = self._link.take(wait_s)
            wait_s = 0.0
            match happened:
                case None:
                    return
                case Arrived(message, token):
                    self._core.arrived(message, token)
                case Answered(0, accepted):
                    self._grant(accepted=accepted)
                case Answered(number, accepted):
                    self._core.said(number, accepted=accepted)
                case Lost():
                    self._lost(happened)
                case _:
                    assert_never(happened)
            self._carry()

    def _grant(self, *, accepted: bool) -> None:
        if not accepted:
            raise BenchError(
                "BROKER_REFUSED",
                f"The broker at {self._place} refuses to let {self.device} subscribe.",
                mend="Give the device the right to read its topics.",
            )
        self._core.granted()

    def _lost(self, lost: Lost) -> None:
        if lost.taken_over:
            raise BenchError(
                "BROKER_TAKEN_OVER",
                f"Another client connected to {self._place} as {self.device}.",
                mend="Stop it: the device has a network of its own, or another bridge runs.",
            )
        self._clean = lost.stale
        self._leave(lost.why if lost.stale else f"the connection was lost: {lost.why}")

    def _leave(self, why: str) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
        # Two clients with one id throw each other out: do that ever more slowly.
        if time.monotonic() - self._since >= STEADY_S:
            self._pause = BACKOFF_S[0]
        self._core.disconnected(why)
        self._later()

    def _carry(self) -> None:
        """Carry out what the core wants; what it wanted of a connection that is gone is void."""
        for effect in self._core.effects():
            if isinstance(effect, Event):
                self._tell(effect)
            elif self._link is None:
                continue
            elif isinstance(effect, Acknowledge):
                self._link.acknowledge(effect)
            elif isinstance(effect, Publish):
                self._link.publish(effect)
            elif isinstance(effect, Subscribe):
                self._link.subscribe(effect)
            elif isinstance(effect, Unsubscribe):
                self._link.unsubscribe(effect)
            elif isinstance(effect, Hangup):
                self._leave(effect.why)
            else:
                assert_never(effect)

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)


def online_topic(identity: Identity) -> str:
    """Return where the world is told whether this device is online; empty when its filters do not say."""
    for name in identity.filters:
        prefix, found, _ = name.partition(f"/device/{identity.id}/")
        if found:
            return Topics(prefix).device(identity.id, "online")
    return ""
