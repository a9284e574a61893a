"""A trace's requests, to be sent again, and how a new answer is held against the recorded one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import cbor2

from advisories import smp
from advisories.smp import NOTIFIER_GROUP, Command, Retry
from hil.wire.header import HEADER_BYTES, Header
from hil.wire.record import Direction, Kind, Record
from hil.wire.spell import body, diagnostic, rc

IGNORED: Final[Mapping[str, frozenset[str]]] = {
    "os.tasks": frozenset({"tasks"}),
    "os.datetime": frozenset({"datetime"}),
    "stat.show": frozenset({"fields"}),
    "notifier.info": frozenset({"boot"}),
    "notifier.state": frozenset({"boot", "epoch", "cause", "journal", "head", "writes"}),
    "notifier.clock": frozenset({"utc"}),
    "notifier.report": frozenset({"number", "len", "data"}),
}
"""Command -> fields of its answer that differ from run to run: clocks, counters, boot ids, signed reports."""
_ALL_IGNORED: Final = frozenset({"os.memory_pools"})
_CHANGES_FLASH: Final = frozenset({smp.IMG_UPLOAD, smp.NOTIFIER_PROVISION, smp.NOTIFIER_FAULT})
"""Commands that may be repeated after a loss, and yet change what a board runs or is."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a trace."""

    place: int
    """Among the trace's records, from 1."""
    seconds: float
    """Since the trace began."""
    header: Header
    command: str
    """Its name, or its numbers where the table has none."""
    known: Command | None
    message: bytes
    answer: bytes | None
    """What the board said to it; None: nothing."""
    skip: str = ""
    """Why it is not sent again; empty: it is."""


def steps(records: Iterable[Record], *, destructive: bool = False, group: int = NOTIFIER_GROUP) -> list[Step]:
    """Return the requests of a trace in order, each with its answer; a repetition counts as one request.

    Args:
        records: the trace.
        destructive: also those that may not be repeated, or change what the board runs.
        group: number of the notifier group in the trace.
    """
    found: list[Step] = []
    blanked: set[bytes] = set()  # digests of staged messages that the trace does not hold
    for place, record in enumerate(records, 1):
        header = Header.peek(record.data) if record.kind is Kind.MESSAGE else None
        if header is None:
            continue
        if header.answer and record.direction is Direction.FROM_BOARD:
            _answered(found, header, record.data)
        elif not header.answer and record.direction is Direction.TO_BOARD:
            same = _waiting_for_the_same(found, record.data)
            if same is not None:  # sent again: the answer to either is the answer
                found[same] = replace(found[same], header=header)
                continue
            skip = _why_not(record.data, header, blanked, destructive=destructive, group=group)
            name, known = header.name(group), header.command(group)
            found.append(Step(place, record.monotonic, header, name, known, record.data, None, skip))
    return found


def _number(header: Header) -> tuple[bool, int, int, int]:
    return header.write, header.group, header.id, header.sequence


def _answered(found: list[Step], header: Header, answer: bytes) -> None:
    for number in range(len(found) - 1, -1, -1):
        if found[number].answer is None and _number(found[number].header) == _number(header):
            found[number] = replace(found[number], answer=answer)
            return


def _waiting_for_the_same(found: list[Step], message: bytes) -> int | None:
    """Return the last request if it has no answer and this one is equal but for its sequence."""
    if not found or found[-1].answer is not None:
        return None
    last = found[-1].message
    equal = (last[:6], last[7:]) == (message[:6], message[7:])
    return len(found) - 1 if equal else None


def _why_not(message: bytes, header: Header, blanked: set[bytes], *, destructive: bool, group: int) -> str:
    command, fields = header.command(group), body(message) or {}
    values = [fields.get(name) for name in ("data", "value")]
    digest = fields.get("sha")
    if command is not None and command.group == NOTIFIER_GROUP:
        blank = any(map(_blanked, values))
        if blank and isinstance(digest, bytes):
            blanked.add(digest)
        if blank or (isinstance(digest, bytes) and digest in blanked):
            return "its content was blanked in the trace"
    if destructive or not header.write:
        return ""
    if command is None:
        return "nobody knows what it does"
    if command.retry is Retry.NEVER:
        return "it may act twice"
    return "it changes what the board runs or is" if command in _CHANGES_FLASH else ""


def _blanked(value: object) -> bool:
    """Say whether a value is one that evidence has stars for: nothing can be said of it."""
    if isinstance(value, bytes):
        return value != b"" and not value.strip(b"*")
    return isinstance(value, str) and value != "" and not value.strip("*")


def again(step: Step, sequence: int, keys: dict[Any, int], draw: int, group: int = NOTIFIER_GROUP) -> bytes:
    """Return a request's bytes for another run: another sequence number, another key.

    Args:
        step: the request.
        sequence: its new sequence number.
        keys: recorded key -> its new one; a board that still knows the old key would not act.
        draw: a random number for a key that is not in it yet.
        group: number of the notifier group on this board.
    """
    message, command = step.message, step.known
    fields = body(message)
    data = message[HEADER_BYTES:]
    if command is not None and "key" in command.request and fields is not None and "key" in fields:
        data = cbor2.dumps(fields | {"key": keys.setdefault(repr(fields["key"]), draw)})
    number = group if command is not None and command.group == NOTIFIER_GROUP else step.header.group
    length, target = len(data).to_bytes(2, "big"), number.to_bytes(2, "big")
    return message[:2] + length + target + bytes([sequence]) + message[7:8] + data


def differences(step: Step, answer: bytes) -> list[str]:
    """Return where an answer differs from the recorded one; sequence and version do not count.

    Args:
        step: the request, with its answer.
        answer: the new answer.
    """
    old, new = body(step.answer or b""), body(answer)
    if old is None or new is None:
        nothing = step.answer is None or old == new or _blanked(step.answer[HEADER_BYTES:])
        return [] if nothing else ["one of the answers is no CBOR map"]
    codes = rc(old)[1], rc(new)[1]
    if codes[0] != codes[1]:
        return [f"rc: {codes[0]} was, {codes[1]} is"]
    if step.command in _ALL_IGNORED:
        return []
    ignored = IGNORED.get(step.command, frozenset()) | {"rc", "err", "rsn"}
    return list(_differ("", _without(old, ignored), _without(new, ignored)))


def _without(fields: Mapping[Any, Any], names: frozenset[str]) -> dict[Any, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _differ(place: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            here = f"{place}.{name}" if place else str(name)
            if name not in new:
                yield f"{here}: {diagnostic(old[name])} was, and is gone"
            elif name not in old:
                yield f"{here}: {diagnostic(new[name])} is new"
            else:
                yield from _differ(here, old[name], new[name])
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differ(f"{place}[{number}]", one, other)
    elif (old != new or type(old) is not type(new)) and not _blanked(old):
        yield f"{place}: {diagnostic(old)} was, {diagnostic(new)} is"
