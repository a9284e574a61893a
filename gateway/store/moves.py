"""What a batch of reports moves from one cell to another, from the rows before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from advisories.states import PATCH_PROVEN
from gateway.core.funnel import Kind, Reached, bucket
from gateway.core.tracks import NoticeRow, PatchRow
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.tallies import NO_REVISION, TABLES, TEXTUAL, Key, Tally


class Place(NamedTuple):
    """What a register and an inventory say of a device; a text is empty where they say nothing."""

    product: str
    region: str
    account: str
    version: str


class Said(NamedTuple):
    """What a device's newest report says of it."""

    language: str
    installed: str


@dataclass(frozen=True, slots=True)
class Rows:
    """How a device's newest report and all that it ever said of notices and patches stand in the store."""

    said: Said | None
    """None before its first report."""
    notices: Mapping[str, NoticeRow]
    patches: Mapping[bytes, PatchRow]


@dataclass(frozen=True, slots=True)
class Turn:
    """One device, and its rows before and after a batch."""

    place: Place
    before: Rows
    after: Rows


def moved(session: Session, turns: Collection[Turn]) -> Tally:
    """Return how much each cell changes.

    Args:
        session: behind :meth:`Session.serialise`, for it reads which patches advisories name.
        turns: of devices that are registered and not revoked.
    """
    counts: Tally = {table: Counter() for table in TABLES}
    changed = [turn for turn in turns if _differ(turn)]
    known = _Known(_named(session, changed), _published(session, changed))
    for sign in (-1, 1):
        for turn in changed:
            rows = turn.before if sign < 0 else turn.after
            _count(counts, sign, turn.place, rows, known)
    return counts


def _differ(turn: Turn) -> bool:
    before, after = turn.before, turn.after
    return (before.said, before.notices, before.patches) != (after.said, after.notices, after.patches)


class _Known(NamedTuple):
    named: Mapping[bytes, frozenset[str]]
    """Patch -> advisories that name it."""
    published: Mapping[tuple[str, int], float]
    """Advisory and revision -> UTC seconds."""


def _named(session: Session, turns: Collection[Turn]) -> dict[bytes, frozenset[str]]:
    """Return which advisories name the patches that these devices run, or ran."""
    digests = {
        digest
        for turn in turns
        for rows in (turn.before, turn.after)
        for digest, row in rows.patches.items()
        if row.state in PATCH_PROVEN
    }
    if not digests:
        return {}
    n = schema.named_patches
    found: dict[bytes, frozenset[str]] = {}
    query = sa.select(n.c.digest, n.c.advisory).where(n.c.digest.in_(sorted(digests)))
    for digest, advisory in session.connection.execute(query):
        found[digest] = found.get(digest, frozenset()) | {advisory}
    return found


def _published(session: Session, turns: Collection[Turn]) -> dict[tuple[str, int], float]:
    """Return when the revisions were published whose texts these devices showed."""
    names = {
        name
        for turn in turns
        for rows in (turn.before, turn.after)
        for name, row in rows.notices.items()
        if row.shown_received is not None
    }
    if not names:
        return {}
    a = schema.advisories
    query = sa.select(a.c.id, a.c.revision, a.c.published).where(a.c.id.in_(sorted(names)))
    return {(name, revision): at for name, revision, at in session.connection.execute(query)}


def _count(counts: Tally, sign: int, place: Place, rows: Rows, known: _Known) -> None:
    product, region, account, version = place
    if rows.said is None:
        key: Key = (account, product, region, "", version, int(Kind.NEVER_REPORTED))
        counts[schema.device_cells][key] += sign
        return
    language, installed = rows.said
    counts[schema.device_cells][account, product, region, language, installed, int(Kind.REPORTS)] += sign
    base = (product, region, language, installed)
    patched: set[str] = set()
    for digest, patch in rows.patches.items():
        if patch.state in PATCH_PROVEN:
            patched |= known.named.get(digest, frozenset())
        agreed = -1 if patch.consent is None else int(patch.consent.how)
        deferred = int(patch.deferrals is not None)
        counts[schema.patch_cells][account, digest, language, int(patch.state), agreed, deferred] += sign
    for name, row in rows.notices.items():
        been = int(reached(row, patched=name in patched))
        key = (name, account, row.revision, *base, int(row.state), int(row.surface), been)
        counts[schema.notice_cells][key] += sign
        at = known.published.get((name, row.revision))
        if at is not None and row.shown_received is not None and row.surface in TEXTUAL:
            counts[schema.wait_cells][name, account, row.revision, bucket(row.shown_received - at)] += sign
    for name in patched - rows.notices.keys():
        counts[schema.notice_cells][name, account, NO_REVISION, *base, 0, 0, int(Reached.PATCHED)] += sign


def reached(row: NoticeRow, *, patched: bool) -> Reached:
    """Return what a device has been through with a notice."""
    return Reached(
        (row.verified is not None) * int(Reached.VERIFIED)
        | (row.shown is not None) * int(Reached.SHOWN)
        | (row.acknowledged is not None) * int(Reached.ACKNOWLEDGED)
        | (row.confirmed is not None) * int(Reached.CONFIRMED)
        | patched * int(Reached.PATCHED)
    )
