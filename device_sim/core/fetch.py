"""Gets what is missing: one extra subscription at a time, and ``want`` for what never came.

The other rooms say on every call what they miss; nothing is remembered but when it was asked for.
A device keeps its seven filters and adds one while it fetches, so it never holds more than eight.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisories.limits import WANT_TOPICS_MAX
from advisories.report import Want
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from keys.codec import dump


@dataclass(frozen=True, slots=True)
class Missing:
    """A document that a room waits for."""

    topic: str
    subscribe: bool
    """True: outside the seven filters, so it must be subscribed to while it is fetched."""


@dataclass(slots=True)
class _Search:
    due: float
    pause: float = limits.RETRY_SECONDS_MIN

    def put_off(self, now: float) -> None:
        self.due = now + self.pause
        self.pause = min(self.pause * 2, limits.RETRY_SECONDS_MAX)


class Fetcher:
    """Turns what is missing into subscriptions and wants."""

    def __init__(self, session: Session, reporter: Reporter) -> None:
        self._session = session
        self._reporter = reporter
        self._searches: dict[str, _Search] = {}
        self._open: str | None = None
        self._until = 0.0

    def disconnected(self) -> None:
        """Forget the subscription and every pause: the next connection starts afresh."""
        self._open = None
        self._searches.clear()

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._until -= seconds
        for search in self._searches.values():
            search.due -= seconds

    def expire(self) -> list[str]:
        """Give up a subscription on which nothing came in time; return its topic."""
        if self._open is None or self._session.now < self._until:
            return []
        topic, self._open = self._open, None
        self._session.emit(do.Unsubscribe(topic))
        self._searches[topic].put_off(self._session.now)
        return [topic]

    def step(self, missing: list[Missing], absent: list[str]) -> None:
        """Go on fetching what is missing; ask for what is ``absent`` to be published again."""
        session = self._session
        if not session.connected:
            return
        wanted = {item.topic: item for item in missing}
        for topic in [topic for topic in self._searches if topic not in wanted]:
            del self._searches[topic]
        if self._open is not None and self._open not in wanted:
            session.emit(do.Unsubscribe(self._open))
            self._open = None
        for topic, item in wanted.items():
            grace = 0.0 if item.subscribe else limits.WANT_GRACE_SECONDS
            self._searches.setdefault(topic, _Search(session.now + grace))
        asked = [topic for topic, item in wanted.items() if not item.subscribe and self._is_due(topic)]
        asked = asked[:WANT_TOPICS_MAX]
        for topic in asked:
            self._searches[topic].put_off(session.now)
        self._want([topic for topic in absent if topic in wanted] + asked)
        self._subscribe([topic for topic, item in wanted.items() if item.subscribe])
        if self._open is not None:
            session.wake(self._until)
        for search in self._searches.values():
            session.wake(search.due)

    def _is_due(self, topic: str) -> bool:
        return self._searches[topic].due <= self._session.now

    def _subscribe(self, topics: list[str]) -> None:
        if self._open is None:
            self._open = next(filter(self._is_due, topics), None)
            if self._open is not None:
                self._until = self._session.now + limits.FETCH_SECONDS
                self._session.emit(do.Subscribe(self._open))

    def _want(self, topics: list[str]) -> None:
        if not topics:
            return
        session = self._session
        below = tuple(topic[len(session.topics.prefix) + 1 :] for topic in topics[:WANT_TOPICS_MAX])
        want = Want(nonce=self._reporter.want_nonce(), topics=below)
        session.emit(do.Publish(session.topics.device(session.profile.id, "want"), dump(want)))
