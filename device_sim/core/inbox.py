"""Takes messages in any order: sorts them by topic, and remembers what needs no second look.

A document that today's root cannot verify may be one of tomorrow's: it waits for a newer root while
one is looked for, and is journaled as refused only when there is none. Why it waits is logged at once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from advisories.catalogue import Timestamp
from advisories.report import Track
from advisories.states import NoticeState
from advisories.topics import is_id
from device_sim.core import limits
from device_sim.core.fetch import Missing
from device_sim.core.session import Session
from keys.document import peek
from keys.errors import RefusedError
from keys.limits import DOCUMENT_BYTES_MAX
from keys.reasons import Reason

_CURABLE = frozenset(
    {
        Reason.UNKNOWN_KEY,
        Reason.THRESHOLD_NOT_MET,
        Reason.UNSUPPORTED,  # met only by signatures that this firmware cannot check
        Reason.NO_POLICY_ROW,
        Reason.ROOT_GAP,
    }
)
"""Refusals that a newer root might turn into acceptance; EXPIRED too, where the root's own time is over."""

_REMEMBERED = frozenset({"timestamp", "catalogue", "notice", "offer"})
"""Kinds of which the very same bytes need no second look. A text or patch may be needed again."""

_K = TypeVar("_K")
_V = TypeVar("_V")
_DEVICE_LEAVES = frozenset({"offer", "answer", "block"})


@dataclass(slots=True)
class _Held:
    topic: str
    payload: bytes
    digest: bytes
    error: RefusedError
    until: float
    """When it counts as refused."""
    told: bool = False
    """It has been journaled; it still waits for a newer root."""


def _place(topic: str, digest: bytes) -> bytes:
    """Return what stands for these bytes on this topic."""
    return hashlib.sha256(topic.encode() + b"\0" + digest).digest()


def _kind(levels: tuple[str, ...]) -> str:
    """Return a topic's document type."""
    return levels[2] if levels[0] == "device" else levels[0]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where each kind of message goes; every function may raise RefusedError."""

    catalogue: Callable[[bytes], None]
    timestamp: Callable[[bytes], None]
    notice: Callable[[bytes, str], None]
    text: Callable[[bytes, str, str], None]
    pages: Callable[[bytes, str, str], None]
    patch: Callable[[bytes], None]
    offer: Callable[[bytes], None]
    answer: Callable[[bytes], None]
    block: Callable[[bytes], None]


class Inbox:
    """Routes messages, walks roots, holds what cannot be judged yet."""

    __slots__ = ("_accepted", "_held", "_hinted", "_probed", "_refused", "_rooms", "_session")

    def __init__(self, session: Session, rooms: Rooms) -> None:
        self._session = session
        self._rooms = rooms
        self._accepted: OrderedDict[str, bytes] = OrderedDict()
        """Topic -> digest of the message accepted last."""
        # By topic and bytes together: else whoever sends a genuine notice to a topic where it is wrong first
        # would have it passed over where it is right.
        self._refused: OrderedDict[bytes, None] = OrderedDict()
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._hinted = 0
        """Highest root version that an unverified timestamp spoke of: a reason to look, no more."""
        self._probed = float("-inf")
        """When the next root was last looked for in vain."""

    def receive(self, topic: str, payload: bytes) -> None:
        """Take any message; nothing escapes."""
        levels = self._session.topics.split(topic)
        if not payload:
            return
        if levels is None or not self._is_ours(levels):
            self._session.log(Reason.WRONG_TYPE, "a message on a topic that is not for this device")
            return
        if levels[0] == "device" and levels[2] == "block":
            self._quietly(self._rooms.block, payload)
            return
        digest = hashlib.sha256(payload[: DOCUMENT_BYTES_MAX + 1]).digest()
        place = _place(topic, digest)
        if self._accepted.get(topic) == digest or place in self._refused or place in self._held:
            return
        self._judge(topic, levels, payload, digest)

    def step(self, absent: list[str]) -> None:
        """Let time pass for what is held; ``absent`` are fetched topics on which nothing came."""
        session = self._session
        if session.topics.root(session.state.trusted.root.version + 1) in absent:
            self._probed = session.now
            self._hinted = 0
        for held in list(self._held.values()):
            if held.told:
                continue
            if session.now >= held.until or self._is_settled():
                self._give_up(held)
            else:
                session.wake(held.until)

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what was over by the wrong time is judged by this one."""
        self._probed -= seconds
        for held in self._held.values():
            held.until -= seconds
        self._refused.clear()
        self._judge_held()

    def missing(self) -> list[Missing]:
        """Return the next root, when there is a sign of one."""
        state, session = self._session.state, self._session
        version = state.trusted.root.version
        named = max(self._hinted, state.timestamp.root_version if state.timestamp else 0)
        waiting = any(not held.told for held in self._held.values())
        if named > version or waiting or self._is_root_over():
            return [Missing(session.topics.root(version + 1), subscribe=True)]
        return []

    def _is_settled(self) -> bool:
        """Say whether it is known, since not long ago, that there is no newer root."""
        return self._session.now < self._probed + limits.PROBE_SECONDS

    def _is_ours(self, levels: tuple[str, ...]) -> bool:
        profile = self._session.profile
        match levels:
            case ("root", number) | ("patch", profile.product, number):
                return number.isascii() and number.isdigit() and len(number) <= 16
            case ("timestamp" | "catalogue", profile.product):
                return True
            case ("notice", profile.product, advisory):
                return is_id(advisory)
            case ("text" | "pages", profile.product, _, advisory):
                return is_id(advisory)
            case ("device", profile.id, leaf):
                return leaf in _DEVICE_LEAVES
        return False

    def _judge(
        self, topic: str, levels: tuple[str, ...], payload: bytes, digest: bytes, *, again: bool = False
    ) -> None:
        """Take a message, or turn it away; ``again``: it was held until now."""
        try:
            self._dispatch(levels, payload)
        except RefusedError as error:
            self._turn_away(topic, levels, payload, digest, error, again=again)
        else:
            if _kind(levels) in _REMEMBERED:
                self._remember(self._accepted, topic, digest)

    def _dispatch(self, levels: tuple[str, ...], payload: bytes) -> None:
        if len(payload) > DOCUMENT_BYTES_MAX:
            raise RefusedError(Reason.TOO_BIG, f"{len(payload)} bytes, at most {DOCUMENT_BYTES_MAX}")
        rooms = self._rooms
        match levels:
            case ("root", _):
                self._root(payload)
            case ("timestamp", _):
                rooms.timestamp(payload)
            case ("catalogue", _):
                rooms.catalogue(payload)
            case ("notice", _, advisory):
                rooms.notice(payload, advisory)
            case ("text", _, language, advisory):
                rooms.text(payload, language, advisory)
            case ("pages", _, language, advisory):
                rooms.pages(payload, language, advisory)
            case ("patch", _, _):
                rooms.patch(payload)
            case ("device", _, "offer"):
                rooms.offer(payload)
            case _:
                rooms.answer(payload)

    def _root(self, payload: bytes) -> None:
        session = self._session
        trusted = session.state.trusted
        before = trusted.root.version
        root = trusted.update_root(payload, None)  # walked even when over: a newer one may follow
        if root.version == before:
            return
        session.record(Track.DEVICE, f"root {root.version}", Reason.OK)
        self._probed = float("-inf")
        # Everything refused or accepted under the old root is judged afresh when it comes again,
        # and what was held is judged now.
        self._refused.clear()
        self._accepted.clear()
        self._judge_held()

    def _judge_held(self) -> None:
        held, self._held = self._held, OrderedDict()
        for item in held.values():
            levels = self._session.topics.split(item.topic) or ()
            self._judge(item.topic, levels, item.payload, item.digest, again=True)

    def _turn_away(
        self,
        topic: str,
        levels: tuple[str, ...],
        payload: bytes,
        digest: bytes,
        error: RefusedError,
        *,
        again: bool,
    ) -> None:
        if not self._is_curable(error):
            if error.reason is not Reason.LIMIT_REACHED:  # there may be room when it comes again
                self._remember(self._refused, _place(topic, digest), None)
            self._journal(levels, digest, error)
            return
        self._hint(levels, payload)
        until = self._session.now + limits.FETCH_SECONDS
        self._held[_place(topic, digest)] = held = _Held(topic, payload, digest, error, until)
        if self._is_settled():
            self._give_up(held)
        elif not again:
            self._session.log(error.reason, f"held: a newer root is looked for; {error.message}")
        if len(self._held) > limits.HELD_DOCUMENTS_MAX:
            self._give_up(self._held.popitem(last=False)[1])

    def _give_up(self, held: _Held) -> None:
        """Count a held document as refused; it is still judged again should a newer root come."""
        if not held.told:
            held.told = True
            self._journal(self._session.topics.split(held.topic) or (), held.digest, held.error)

    def _is_curable(self, error: RefusedError) -> bool:
        return error.reason in _CURABLE or (error.reason is Reason.EXPIRED and self._is_root_over())

    def _is_root_over(self) -> bool:
        return self._session.time >= (self._session.state.trusted.root.expires or 0)

    def _journal(self, levels: tuple[str, ...], digest: bytes, error: RefusedError) -> None:
        session = self._session
        session.log(error.reason, error.message)
        kind = _kind(levels)
        if kind == "notice":
            old, new = NoticeState.DELIVERED, NoticeState.REJECTED
            session.refuse(Track.NOTICE, levels[2], error.reason, digest, old=old, new=new)
        else:
            session.refuse(Track.REFUSAL, kind, error.reason, digest)

    def _hint(self, levels: tuple[str, ...], payload: bytes) -> None:
        """Let an unverified timestamp say that a newer root may exist."""
        if levels[0] != "timestamp":
            return
        try:
            self._hinted = max(self._hinted, peek(payload, Timestamp).root_version)
        except RefusedError:
            self._hinted = 0

    def _quietly(self, room: Callable[[bytes], None], payload: bytes) -> None:
        """Hand over an unsigned piece: anyone may send nonsense, so it is logged and not journaled."""
        try:
            room(payload)
        except RefusedError as error:
            self._session.log(error.reason, error.message)

    @staticmethod
    def _remember(memory: OrderedDict[_K, _V], key: _K, value: _V) -> None:
        memory[key] = value
        memory.move_to_end(key)
        if len(memory) > limits.REMEMBERED_MAX:
            memory.popitem(last=False)
