"""What a fleet needs of a broker, each asked by doing it: a function a question, all in ``QUESTIONS``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from advisories.topics import Topics
from gateway.service.asking.visitor import Door, NoAnswer, Visitor
from keys.errors import UnavailableError
from keys.limits import DOCUMENT_BYTES_MAX

QUIET_SECONDS: Final = 0.5  # after which what has not come is taken not to come
_AGE_SECONDS: Final = 1.6  # of a message, so that its whole seconds have fallen by one
_OVER_SECONDS: Final = 3.0  # after which a session or message of one second must be gone
_AT_ONCE: Final = 4  # questions
_WINDOW: Final = 3
_BURST: Final = 10
_SHARED: Final = 20


class Grade(Enum):
    """How an answer is to be taken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question."""

    name: str
    grade: Grade
    message: str
    code: str = ""
    """Stable; empty when all is well."""
    mend: str = ""


@dataclass(frozen=True)
class Asking:
    """Who asks, and where."""

    door: Door
    """As a gateway."""
    topics: Topics
    mark: str
    """Random: part of every topic and client id of these questions."""
    kept: list[str] = field(default_factory=list)
    """Topics on which something was retained."""

    def topic(self, *levels: str) -> str:
        """Return a topic that nobody else uses."""
        return "/".join((self.topics.prefix, f"doctor-{self.mark}", *levels))

    def visitor(self, name: str, **options: int) -> Visitor:
        """Return a connection; see :class:`Visitor`."""
        return Visitor(self.door, self.client_id(name), **options)  # type: ignore[arg-type] # flags are integers

    def client_id(self, name: str) -> str:
        """Return the client id of a visitor."""
        return f"tocsin-gateway-doctor-{self.mark}-{name}"

    def retain(self, visitor: Visitor, topic: str, payload: bytes, expiry: int | None = None) -> None:
        """Retain a message, and remember to clear it."""
        self.kept.append(topic)
        visitor.publish(topic, payload, retain=True, expiry=expiry)

    def clear(self) -> bool:
        """Take back everything that was retained; say whether the broker took it."""
        try:
            with self.visitor("clear") as visitor:
                taken = [visitor.publish(topic, b"", retain=True) for topic in self.kept]
                return all(taken)
        except (NoAnswer, UnavailableError):
            return False


@dataclass(frozen=True, slots=True)
class Question:
    """A row: what is asked, and what a bad answer means."""

    name: str
    ask: Callable[[Asking], str]
    """Returns what is wrong; empty when all is well."""
    grade: Grade
    """Of a bad answer."""
    code: str
    good: str
    mend: str
    thorough: bool = False
    """Asked only if there is time for it."""


def _retained(asking: Asking) -> str:
    topic = asking.topic("retained")
    with asking.visitor("retained") as visitor:
        asking.retain(visitor, topic, b"kept")
    with asking.visitor("retained-later") as later:
        later.subscribe(topic)
        got = later.receive()
    if got is None or got.payload != b"kept":
        return "What is retained is not given to who subscribes later."
    return "" if got.retained else "What was retained is not marked as such."


def _aged(asking: Asking) -> str:
    topic = asking.topic("aged")
    with asking.visitor("aged") as visitor:
        asking.retain(visitor, topic, b"kept", 60)
        time.sleep(_AGE_SECONDS)
        visitor.subscribe(topic)
        got = visitor.receive()
    if got is None:
        return "A retained message that has an end is not kept."
    if got.expiry is None:
        return "A retained message loses its end."
    return "" if 0 < got.expiry < 60 else "The time that a retained message has left does not fall."


def _over(asking: Asking) -> str:
    topic = asking.topic("over")
    with asking.visitor("over") as visitor:
        asking.retain(visitor, topic, b"kept", 1)
        time.sleep(_OVER_SECONDS)
        visitor.subscribe(topic)
        return "A retained message stays after its end." if visitor.receive(QUIET_SECONDS) else ""


def _session(asking: Asking) -> str:
    topic = asking.topic("session")
    with asking.visitor("session", session=300) as away:
        away.subscribe(topic)
    with asking.visitor("session-sender") as sender:
        for number in range(3):
            sender.publish(topic, b"%d" % number)
    with asking.visitor("session", session=300) as back:
        present, found = back.session_present, [got.payload for got in back.take(3, QUIET_SECONDS * 4)]
    with asking.visitor("session"):
        pass  # begins anew, and leaves nothing
    if not present:
        return "The session of a client that was away is gone."
    whole = found == [b"0", b"1", b"2"]
    return "" if whole else f"Of 3 messages for a client that was away {len(found)} came."


def _session_over(asking: Asking) -> str:
    with asking.visitor("brief", session=1) as visitor:
        visitor.subscribe(asking.topic("brief"))
    time.sleep(_OVER_SECONDS)
    with asking.visitor("brief", session=1) as back:
        stays = back.session_present
    with asking.visitor("brief"):
        pass
    return "A session stays after its end." if stays else ""


def _window(asking: Asking) -> str:
    topic = asking.topic("window")
    with asking.visitor("window", receive=_WINDOW, hold=True) as visitor:
        visitor.subscribe(topic)
        with asking.visitor("window-sender") as sender:
            for _ in range(_BURST):
                sender.publish(topic, b"x")
        first = visitor.take(_WINDOW)
        more = visitor.take(_BURST, QUIET_SECONDS)
        visitor.release([*first, *more])
        rest = visitor.take(_BURST - len(first) - len(more))
        visitor.release(rest)
    if more:
        return f"A client that takes {_WINDOW} messages at a time is sent {len(first) + len(more)}."
    return "" if len(first) + len(rest) == _BURST else f"Of {_BURST} messages {len(first) + len(rest)} came."


def _size(asking: Asking) -> str:
    topic, payload = asking.topic("size"), bytes(DOCUMENT_BYTES_MAX)
    with asking.visitor("size") as visitor:
        limit = getattr(visitor.announced, "MaximumPacketSize", None)
        if limit is not None and limit < DOCUMENT_BYTES_MAX + 1_024:
            return f"It takes packets of {limit} bytes only."
        visitor.subscribe(topic)
        visitor.publish(topic, payload)
        got = visitor.receive()
    whole = got is not None and got.payload == payload
    return "" if whole else f"A message of {DOCUMENT_BYTES_MAX} bytes does not arrive."


def _share(asking: Asking) -> str:
    topic = asking.topic("share", "+", "report")
    shared = f"$share/doctor-{asking.mark}/{topic}"
    with asking.visitor("share-1") as one, asking.visitor("share-2") as two:
        if not (one.subscribe(shared) and two.subscribe(shared)):
            return "Shared subscriptions are refused."
        with asking.visitor("share-sender") as sender:
            for number in range(_SHARED):
                sender.publish(topic.replace("+", "d"), b"%d" % number)
        found = [one.take(_SHARED, QUIET_SECONDS), two.take(_SHARED, QUIET_SECONDS)]
    if sorted(int(got.payload) for each in found for got in each) != list(range(_SHARED)):
        return f"Of {_SHARED} shared messages {sum(map(len, found))} came."
    return "" if all(found) else "One of two who share gets everything."


def _will(asking: Asking) -> str:
    topic = asking.topic("will")
    with asking.visitor("will-watcher") as watcher:
        watcher.subscribe(topic)
        with Visitor(asking.door, asking.client_id("will"), will=(topic, b"0")) as visitor:
            visitor.vanish()
        got = watcher.receive()
    told = got is not None and got.payload == b"0"
    return "" if told else "The last will of a client whose connection broke is not published."


def _wildcard(asking: Asking) -> str:
    topic = asking.topic("device", "+", "report")
    with asking.visitor("wildcard") as visitor:
        if not visitor.subscribe(topic):
            return "A gateway may not subscribe with a wildcard."
        visitor.publish(topic.replace("+", "d"), b"x")
        return "" if visitor.receive() else "What a gateway subscribed to with a wildcard does not arrive."


QUESTIONS: Final = (
    Question(
        "retained", _retained, Grade.FAIL, "BROKER_NOT_RETAINED",
        "What is retained is given to who subscribes later.",
        "Let it retain messages, also for the gateway's user.",
    ),
    Question(
        "message expiry", _aged, Grade.WARN, "BROKER_EXPIRY_STANDS",
        "A retained message keeps its end, and its time falls.",
        "Nothing is misled by it: what is signed says itself when it ends.",
    ),
    Question(
        "message end", _over, Grade.WARN, "BROKER_EXPIRY_IGNORED",
        "A retained message goes when its time is over.",
        "Nothing is misled by it: what is signed says itself when it ends.",
        thorough=True,
    ),
    Question(
        "session", _session, Grade.FAIL, "BROKER_SESSION_LOST",
        "A client that was away gets what came meanwhile.",
        "Let it keep sessions, and at least 1,000 messages for each client.",
    ),
    Question(
        "session end", _session_over, Grade.WARN, "BROKER_SESSION_STAYS",
        "A session goes when its time is over.",
        "Give it a limit of its own (Mosquitto: persistent_client_expiration), or its memory fills.",
        thorough=True,
    ),
    Question(
        "receive maximum", _window, Grade.WARN, "BROKER_FLOODS",
        "No client is sent more at a time than it says it can take.",
        "Use another broker in earnest: reports could overrun a gateway whose store is busy.",
    ),
    Question(
        "size", _size, Grade.FAIL, "BROKER_SIZE",
        f"Messages of {DOCUMENT_BYTES_MAX} bytes pass.",
        "Raise its limit to 131,072 bytes (Mosquitto: max_packet_size).",
    ),
    Question(
        "shared", _share, Grade.WARN, "BROKER_NO_SHARE",
        "Gateways can share the reports.",
        "Run one gateway only, or use a broker that has shared subscriptions.",
    ),
    Question(
        "will", _will, Grade.WARN, "BROKER_NO_WILL",
        "It tells when a device's connection breaks.",
        "Who is online is not known then; nothing else depends on it.",
    ),
    Question(
        "wildcard", _wildcard, Grade.FAIL, "BROKER_NO_WILDCARD",
        "A gateway can read the reports of all devices.",
        "Let the gateway's user subscribe to <prefix>/device/+/report, want and online.",
    ),
)  # fmt: skip
"""In the order in which they are shown."""
RESTART_UNASKED: Final = "BROKER_RESTART_UNASKED"
_UNASKED: Final = Answer(
    "restart",
    Grade.WARN,
    "Whether it keeps what is retained and queued over a restart cannot be asked from here.",
    RESTART_UNASKED,
    "See to it there (Mosquitto: persistence true), and try it once.",
)


def ask(asking: Asking, *, thorough: bool = False) -> Iterator[Answer]:
    """Ask a broker everything, and leave nothing behind.

    Args:
        asking: who asks, and where.
        thorough: also what takes some seconds.

    Raises:
        UnavailableError: BROKER_TLS, BROKER_REFUSED or BROKER_UNREACHABLE, when nothing can be asked.
    """
    try:
        with asking.visitor("first") as first, asking.visitor("second"):
            taken = first.lost.wait(QUIET_SECONDS / 2)
    except UnavailableError as error:
        yield _unable(asking, error)
        return
    if taken:
        message = "All who come with this certificate are one client here: only one connection can stand."
        mend = "Ask at the door that is for gateways (tocsin broker config: --gateway-port)."
        yield Answer("MQTT 5", Grade.FAIL, message, "BROKER_ONE_CLIENT", mend)
        return
    yield Answer("MQTT 5", Grade.OK, "It speaks MQTT 5.")
    chosen = [question for question in QUESTIONS if thorough or not question.thorough]
    try:
        with ThreadPoolExecutor(_AT_ONCE, "question") as pool:
            yield from pool.map(lambda question: _asked(question, asking), chosen)
    finally:
        cleared = asking.clear()
    if not cleared:
        message = f"Test messages may be left below {asking.topic()}."
        yield Answer("tidying", Grade.WARN, message, "BROKER_NOT_CLEARED", "Take them back there.")
    yield _UNASKED


def _asked(question: Question, asking: Asking) -> Answer:
    try:
        wrong = question.ask(asking)
    except NoAnswer as error:
        wrong = f"It does not answer: {error}."
    except UnavailableError as error:
        wrong = error.message
    if not wrong:
        return Answer(question.name, Grade.OK, question.good)
    return Answer(question.name, question.grade, wrong, question.code, question.mend)


def _unable(asking: Asking, error: UnavailableError) -> Answer:
    """Tell a broker without MQTT 5 from one that does not answer at all."""
    try:
        with Visitor(asking.door, asking.client_id("old"), five=False):
            message = "It speaks MQTT 3.1.1 and not 5."
            mend = "Use a broker with MQTT 5, or turn it on there."
            return Answer("MQTT 5", Grade.FAIL, message, "BROKER_NO_MQTT5", mend)
    except UnavailableError:
        return Answer("MQTT 5", Grade.FAIL, error.message, error.code, error.mend)
