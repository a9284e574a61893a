"""``tocsin followup``: who tells an owner whose device did not, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from gateway.core.followup import Outcome
from gateway.operations.afar import operation
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.events import person
from gateway.store.followups import Followup, Wanted, found, listed, put
from gateway.store.untold import Matter
from gateway.workspace.folder import Workspace
from keys.errors import InputError

LIMIT_MAX: Final = 1_000  # follow-ups in one answer, and devices in one request
NOTE_LETTERS_MAX: Final = 2_000
OWNER_BYTES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Followups:
    """Some of the follow-ups, by advisory and device."""

    items: tuple[Followup, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@operation("GET", "/followups", right="status:read")
def list_(
    workspace: Workspace,
    advisory: str | None = None,
    *,
    owner: str | None = None,
    is_open: bool | None = None,
    account: str | None = None,
    limit: int = 100,
    after: str = "",
) -> Followups:
    """List follow-ups.

    Args:
        workspace: where.
        advisory: about which; None: any.
        owner: who sees to them; None: anyone.
        is_open: True: nothing came of them yet; False: they are done; None: both.
        account: whose devices alone are meant.
        limit: at most so many.
        after: ``next`` of the answer before.

    Raises:
        InputError: BAD_VALUE.
    """
    _check_limit(limit)
    wanted = Wanted(advisory, owner, account, is_open)
    name, _, device = after.partition("/")
    with workspace.store() as store, store.read() as session:
        rows = listed(session, wanted, limit=limit + 1, after=(name, device))
    last = rows[limit - 1] if len(rows) > limit else None
    return Followups(tuple(rows[:limit]), f"{last.advisory}/{last.device}" if last is not None else "")


@operation("POST", "/followups/take", right="status:write")
def take(
    workspace: Workspace,
    advisory: str,
    devices: Sequence[str],
    *,
    now: int,
    by: str,
    owner: str | None = None,
    account: str | None = None,
    dry_run: bool = False,
) -> tuple[Followup, ...]:
    """Let somebody see to devices; what was done, or was somebody else's, is open and theirs then.

    Args:
        workspace: where.
        advisory: about which.
        devices: ids, registered or of the inventory.
        now: UTC seconds.
        by: who says so.
        owner: who sees to them; None: whoever says so.
        account: whose devices alone may be meant.
        dry_run: change nothing.

    Raises:
        InputError: ADVISORY_UNKNOWN, NO_DEVICE, BAD_VALUE.
    """
    who = person(owner or by, "--owner", bytes_max=OWNER_BYTES_MAX)
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            ids = _known(session, advisory, devices, account)
            before = found(session, [(advisory, device) for device in ids])
            notes = {device: row.note for (_, device), row in before.items()}
            made = [Followup(advisory, id_, who, None, notes.get(id_, ""), float(now)) for id_ in ids]
            put(session, made, by=by)
    return tuple(made)


@operation("POST", "/followups/done", right="status:write")
def done(
    workspace: Workspace,
    advisory: str,
    devices: Sequence[str],
    outcome: Outcome,
    *,
    now: int,
    by: str,
    note: str = "",
    account: str | None = None,
    dry_run: bool = False,
) -> tuple[Followup, ...]:
    """Say what came of following devices up; whose they were they stay.

    Args:
        workspace: where.
        advisory: about which.
        devices: ids, registered or of the inventory.
        outcome: what came of it.
        now: UTC seconds.
        by: who says so, and whose they are where nobody took them before.
        note: what else there is to know; replaces the one before, unless it is empty.
        account: whose devices alone may be meant.
        dry_run: change nothing.

    Raises:
        InputError: ADVISORY_UNKNOWN, NO_DEVICE, BAD_VALUE.
    """
    if len(note) > NOTE_LETTERS_MAX:
        message = f"The note has {len(note)} letters; {NOTE_LETTERS_MAX} are kept."
        raise InputError("BAD_VALUE", message, mend="Say it shorter.")
    who = person(by, bytes_max=OWNER_BYTES_MAX)
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            ids = _known(session, advisory, devices, account)
            before = found(session, [(advisory, device) for device in ids])
            made = []
            for id_ in ids:
                row = before.get((advisory, id_))
                said = note or (row.note if row is not None else "")
                made.append(
                    Followup(advisory, id_, row.owner if row is not None else who, outcome, said, float(now))
                )
            put(session, made, by=who)
    return tuple(made)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= LIMIT_MAX:
        raise InputError("BAD_VALUE", f"{limit} cannot be listed.", mend=f"Say 1 to {LIMIT_MAX}.")


def _known(session: Session, advisory: str, devices: Sequence[str], account: str | None) -> list[str]:
    """Return the ids, each once, unless one is no device that the advisory can concern.

    Raises:
        InputError: ADVISORY_UNKNOWN, NO_DEVICE, BAD_VALUE.
    """
    matter = Matter.of(session, advisory)
    ids = sorted(set(devices))
    if not 1 <= len(ids) <= LIMIT_MAX:
        message = f"{len(ids)} devices cannot be followed up at once."
        raise InputError("BAD_VALUE", message, mend=f"Name 1 to {LIMIT_MAX}.")
    d, i = schema.devices, schema.inventory
    registered = sa.select(d.c.id, d.c.product, i.c.account).select_from(d.outerjoin(i, i.c.id == d.c.id))
    listed_only = sa.select(i.c.id, i.c.product, i.c.account)
    known = {row.id: row for row in session.connection.execute(listed_only.where(i.c.id.in_(ids)))}
    known |= {row.id: row for row in session.connection.execute(registered.where(d.c.id.in_(ids)))}
    for id_ in ids:
        row = known.get(id_)
        if row is None or (account is not None and row.account != account):
            raise InputError("NO_DEVICE", f"There is no device '{id_}'.", mend="See 'tocsin device list'.")
        if row.product not in matter.notice.subject:
            message = f"{advisory} is not about '{row.product}', which '{id_}' is."
            raise InputError("NO_DEVICE", message, mend="Name devices of its products.")
    return ids
