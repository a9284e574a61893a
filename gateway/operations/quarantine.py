"""``tocsin quarantine``: messages that came as reports and were none; tried again, or thrown away."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.operations.afar import operation
from gateway.service.committing import Committer, Item, Receipt
from gateway.store import audit, quarantine
from gateway.store.engine import Session
from gateway.store.quarantine import Poison
from gateway.workspace.folder import Workspace
from keys.errors import InputError

BATCH_MAX: Final = 200  # messages tried again in one transaction
_DIGITS_MAX: Final = 18  # of a number: every engine takes so many


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was no report of a registered device."""

    id: int
    topic: str
    device: str
    """Whose topic it came on; empty for another topic."""
    reason: str
    """Name of the reason code."""
    means: str
    detail: str
    time: float
    """UTC seconds at which it came."""
    bytes: int
    whole: bool
    """False: it is longer than any report, and only its beginning was kept."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Some of the quarantine, in the order in which it came."""

    items: tuple[Message, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One message with its bytes."""

    message: Message
    data: bytes


@dataclass(frozen=True, slots=True)
class Released:
    """What became of messages that were tried again."""

    taken: tuple[int, ...]
    """Reports now, and out of the quarantine."""
    kept: tuple[Message, ...]
    """Still none, with the present reason."""
    changed: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was thrown away."""

    ids: tuple[int, ...]
    changed: bool


@operation("GET", "/quarantine", right="device:read")
def list_(workspace: Workspace, *, limit: int = 100, after: str = "") -> Messages:
    """Return messages, the oldest first.

    Raises:
        InputError: BAD_VALUE, when ``after`` is no number.
    """
    if after and not (after.isascii() and after.isdecimal() and len(after) <= _DIGITS_MAX):
        raise InputError("BAD_VALUE", f"'{after}' is no number of a message.", mend="Leave it out.")
    with workspace.store() as store, store.read() as session:
        found = quarantine.rows(session, limit=limit + 1, after=int(after or 0))
    more = str(found[limit - 1].id) if len(found) > limit else ""
    return Messages(tuple(_message(workspace, row) for row in found[:limit]), more)


@operation("GET", "/quarantine/{number}", right="device:read")
def show(workspace: Workspace, number: int) -> Shown:
    """Return one message, byte for byte.

    Raises:
        InputError: NOT_QUARANTINED.
    """
    with workspace.store() as store, store.read() as session:
        (row,) = _chosen(session, (number,), everything=False)
    return Shown(_message(workspace, row), row.data)


@operation("POST", "/quarantine/release", right="device:manage")
def release(
    workspace: Workspace,
    numbers: tuple[int, ...] = (),
    *,
    everything: bool = False,
    now: int,
    by: str,
    dry_run: bool = False,
) -> Released:
    """Try messages again, after what was wrong has been mended: a device registered, a key set right.

    Each goes the way of any report. The device has its receipt when it next asks.

    Args:
        workspace: whose quarantine.
        numbers: of messages.
        everything: all of them instead.
        now: UTC seconds.
        by: who decided that.
        dry_run: go through all of it and change nothing.

    Raises:
        InputError: NOT_QUARANTINED, NOTHING_NAMED.
    """
    fleet = workspace.fleet()
    taken: list[int] = []
    kept: list[Message] = []
    with workspace.store() as store:
        store.rehearsing = dry_run
        with store.read() as session:
            rows = _chosen(session, numbers, everything=everything)
        committer = Committer(store, fleet, clock=lambda: float(now), entropy=os.urandom)
        for first in range(0, len(rows), BATCH_MAX):
            batch = rows[first : first + BATCH_MAX]
            again = _try(workspace, committer, batch)
            done = [row.id for row, after in zip(batch, again, strict=True) if after is None]
            with store.write() as session:
                quarantine.remove(session, done)
                for after in again:
                    if after is not None:
                        quarantine.refused_again(session, after.id, after.reason, after.detail)
                if done:
                    audit.append(session, "quarantine.released", {"messages": done, "by": by}, now)
            taken += done
            kept += [_message(workspace, after) for after in again if after is not None]
    return Released(tuple(taken), tuple(kept), changed=bool(taken) and not dry_run)


@operation("POST", "/quarantine/drop", right="device:manage")
def drop(
    workspace: Workspace,
    numbers: tuple[int, ...] = (),
    *,
    everything: bool = False,
    now: int,
    by: str,
    dry_run: bool = False,
) -> Dropped:
    """Throw messages away for good; the audit trail keeps how many and which numbers.

    Args:
        workspace: whose quarantine.
        numbers: of messages.
        everything: all of them instead.
        now: UTC seconds.
        by: who decided that.
        dry_run: change nothing.

    Raises:
        InputError: NOT_QUARANTINED, NOTHING_NAMED.
    """
    with workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            ids = [row.id for row in _chosen(session, numbers, everything=everything)]
            if ids:
                quarantine.remove(session, ids)
                audit.append(session, "quarantine.dropped", {"messages": ids, "by": by}, now)
    return Dropped(tuple(ids), changed=bool(ids) and not dry_run)


def _chosen(session: Session, numbers: Sequence[int], *, everything: bool) -> list[Poison]:
    if everything:
        return quarantine.rows(session, limit=quarantine.ROWS_MAX)
    if not numbers:
        raise InputError(
            "NOTHING_NAMED", "No message is named.", mend="Give their numbers, or say that you mean all."
        )
    found = []
    for number in dict.fromkeys(numbers):
        row = quarantine.row(session, number) if 0 < number < 10**_DIGITS_MAX else None
        if row is None:
            raise InputError(
                "NOT_QUARANTINED",
                f"There is no message {number} in the quarantine.",
                mend="See 'tocsin quarantine list'.",
            )
        found.append(row)
    return found


def _try(workspace: Workspace, committer: Committer, batch: Sequence[Poison]) -> list[Poison | None]:
    """Commit messages as reports; return None for each that was one, and the others with their reason."""
    whole = [row for row in batch if not row.cut]
    items = [
        Item(row.topic, _device(workspace, row.topic), row.data, row.time, lambda _: None) for row in whole
    ]
    outcomes = {row.id: outcome for row, outcome in zip(whole, committer.commit(items), strict=True)}
    found: list[Poison | None] = []
    for row in batch:
        outcome = outcomes.get(row.id)
        if isinstance(outcome, Receipt):
            found.append(None)
        else:
            found.append(
                row if outcome is None else replace(row, reason=outcome.reason, detail=outcome.detail)
            )
    return found


def _device(workspace: Workspace, topic: str) -> str:
    levels = workspace.topics.split(topic) or ()
    return levels[1] if len(levels) == 3 and levels[0] == "device" else ""


def _message(workspace: Workspace, row: Poison) -> Message:
    return Message(
        id=row.id,
        topic=row.topic,
        device=_device(workspace, row.topic),
        reason=row.reason.name,
        means=row.reason.means,
        detail=row.detail,
        time=row.time,
        bytes=len(row.data),
        whole=not row.cut,
    )
