"""``tocsin reply``: what people say about a matter, and what is decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from advisories.learning.replies import Decision, Received, Reply, Triaged, replies
from gateway import files
from gateway.operations.advisories.drafts import facts_path
from gateway.operations.afar import operation
from gateway.operations.incidents import records
from gateway.store import events
from gateway.workspace.folder import Workspace
from keys.errors import InputError

_PART: Final = 1_000  # replies that are fetched at a time
_DIGITS_MAX: Final = 19


@operation("POST", "/replies", right="reply:write")
def receive(
    workspace: Workspace,
    received: Received,
    *,
    by: str,
    now: float,
    advisory: str | None = None,
    incident: str | None = None,
) -> int:
    """Record a reply and return its number.

    Raises:
        InputError: ABOUT_NOTHING, when neither an advisory nor an incident is named; NO_ADVISORY or
            NO_INCIDENT, for one that is not there: the review would never count the reply.
    """
    if not advisory and not incident:
        raise InputError(
            "ABOUT_NOTHING",
            "A reply is about an advisory or an incident.",
            mend="Name one with --advisory or --incident.",
        )
    if advisory and not facts_path(workspace, advisory).exists():
        known = [path.stem for path in files.listed(workspace.path / "advisories", ".yaml")]
        message = f"There is no advisory '{advisory}'."
        raise InputError("NO_ADVISORY", message, mend=files.near(advisory, known) if known else "")
    if incident:
        records.load(workspace, incident)
    with workspace.store() as store, store.write() as session:
        return events.record(
            session, received, by=by, now=now, advisory=advisory or None, incident=incident or None
        )


@dataclass(frozen=True, slots=True)
class Replies:
    """Some of the replies, oldest first."""

    items: tuple[Reply, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@operation("GET", "/replies", right="reply:read")
def page(
    workspace: Workspace,
    *,
    advisory: str | None = None,
    incident: str | None = None,
    waiting: bool = False,
    limit: int = 100,
    after: str = "",
) -> Replies:
    """Return replies with what was decided, oldest first.

    Args:
        workspace: where.
        advisory: only those about it.
        incident: only those about it.
        waiting: only those to which somebody still owes something.
        limit: how many at most.
        after: number of the last one that is known already.

    Raises:
        InputError: BAD_VALUE.
    """
    if after and not (after.isascii() and after.isdecimal() and len(after) < _DIGITS_MAX):
        raise InputError("BAD_VALUE", "'after' is not the number of a reply.", mend="Take it from 'next'.")
    with workspace.store() as store, store.read() as session:
        found = replies(events.recorded(session, advisory=advisory, incident=incident, kind="reply."))
    rows = [reply for reply in found if (reply.waiting or not waiting) and reply.number > int(after or 0)]
    return Replies(tuple(rows[:limit]), str(rows[limit - 1].number) if len(rows) > limit else "")


def listed(
    workspace: Workspace, *, advisory: str | None = None, incident: str | None = None, waiting: bool = False
) -> list[Reply]:
    """Return all replies, oldest first; with ``waiting`` those to which somebody still owes something."""
    found: list[Reply] = []
    after = ""
    while True:
        part = page(
            workspace, advisory=advisory, incident=incident, waiting=waiting, limit=_PART, after=after
        )
        found += part.items
        after = part.next
        if not after:
            return found


@operation("POST", "/reply-decisions", right="reply:write")
def triage(workspace: Workspace, triaged: Triaged, *, by: str, now: float) -> Reply:
    """Record what is decided about a reply.

    Raises:
        InputError: NO_REPLY; NOT_ANSWERED, for an answer to what is not responded to.
    """
    if triaged.answer and triaged.decision is not Decision.RESPOND:
        raise InputError(
            "NOT_ANSWERED",
            f"A reply that one decides to {triaged.decision.value} has no answer.",
            mend="Decide to respond, or leave the answer out.",
        )
    with workspace.store() as store, store.write() as session:
        found = {reply.number: reply for reply in replies(events.recorded(session, kind="reply."))}
        if triaged.reply not in found:
            raise InputError(
                "NO_REPLY",
                f"There is no reply {triaged.reply}.",
                mend="'tocsin reply list' shows their numbers.",
            )
        about = found[triaged.reply].recorded
        events.record(session, triaged, by=by, now=now, advisory=about.advisory, incident=about.incident)
        again = replies(events.recorded(session, kind="reply."))
    return next(reply for reply in again if reply.number == triaged.reply)
