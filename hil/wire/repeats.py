"""Proof from a trace that nothing was sent twice that may act twice.

A request counts as *sent twice* when a second one asks for the same, and between the two the sender could
not know what became of the first one: there was no answer to it, no answer to a later read of the same group
(which shows what became of it), and the board was not reset or cut off by the bench.

- A command whose retry is NEVER asks for the same when command and body are equal; the sequence is left out,
  since a client counts it up when it sends again. A write that the table does not know is judged so, too.
- A command whose retry is KEY asks for the same when all of the body but its key is equal: with the same key
  the board answers again without acting, with another one it acts twice.
- READ and OFFSET commands may be repeated at will.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from advisories.smp import NOTIFIER_GROUP, Retry
from hil.wire.header import HEADER_BYTES, Header
from hil.wire.record import Direction, Kind, Record
from hil.wire.spell import body, diagnostic

_BOUNDARY: Final = re.compile(r"(?:open|close|gone|power|reset|boot|operation)\b", re.IGNORECASE)
"""Events of the bench after which an earlier request is settled: the board was started anew or looked at."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request that was sent again although it may have acted."""

    command: str
    first: int
    """Its place among the trace's records, from 1."""
    second: int
    seconds: float
    """From the trace's beginning to the second one."""
    body: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.command} of record {self.first} was sent again as record {self.second}: {self.body}"


@dataclass(slots=True)
class _Sent:
    place: int
    header: Header
    same: object
    """What makes another request one for the same."""
    key: object
    """The request's own key; None where it has none."""


def repeats(records: Iterable[Record], group: int = NOTIFIER_GROUP) -> list[Repeat]:
    """Return every request of a trace that was sent twice.

    Args:
        records: the trace, as the client's side saw it: what it sent, before a faulty line doubled it.
        group: number of the notifier group in this firmware.
    """
    found: list[Repeat] = []
    waiting: list[_Sent] = []
    reads: dict[tuple[int, int, int], int] = {}  # of those sent and not answered: when they were sent
    for place, record in enumerate(records, 1):
        if record.kind is Kind.EVENT and _BOUNDARY.match(record.note):
            waiting.clear()
            reads.clear()
        header = Header.peek(record.data) if record.kind is Kind.MESSAGE else None
        if header is None:
            continue
        number = (header.group, header.id, header.sequence)
        if header.answer:
            asked = reads.pop(number, 0) if not header.write else 0
            waiting = [sent for sent in waiting if not _settles(header, sent, asked)]
        elif record.direction is Direction.TO_BOARD:
            if not header.write:
                reads[number] = place
            sent = _sent(record.data, place, header, group)
            if sent is None:
                continue
            before = [one for one in waiting if one.same == sent.same]
            first = next((one for one in before if sent.key is None or one.key != sent.key), None)
            if first:
                text = diagnostic(body(record.data))
                found.append(Repeat(header.name(group), first.place, place, record.monotonic, text))
            waiting.append(sent)
    return found


def _settles(answer: Header, sent: _Sent, asked: int) -> bool:
    """Say whether an answer tells what became of a request; ``asked``: when its own request was sent."""
    own = (answer.group, answer.id, answer.sequence, answer.write)
    request = sent.header
    return own == (request.group, request.id, request.sequence, request.write) or (
        answer.group == request.group and asked > sent.place
    )


def _sent(data: bytes, place: int, header: Header, group: int) -> _Sent | None:
    """Return what is to be known of a request that must not be repeated; None of one that may."""
    if not header.write:
        return None
    command = header.command(group)
    retry = command.retry if command else Retry.NEVER
    number = (header.group, header.id)
    if retry is Retry.NEVER:
        return _Sent(place, header, (number, data[HEADER_BYTES:]), None)
    fields: Mapping[Any, Any] | None = body(data)
    if retry is Retry.KEY and fields is not None:
        rest = {name: value for name, value in fields.items() if name != "key"}
        return _Sent(place, header, (number, diagnostic(rest, whole=True)), fields.get("key"))
    return None
