"""What a new root changes, in plain words: for whoever has to sign it, and for whoever must act on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from advisories import suit
from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice
from gateway.operations.trust.signing import verified
from gateway.store import schema
from gateway.store.engine import Session
from keys.document import peek
from keys.errors import RefusedError
from keys.root import ROLE_ROOT, Body, PolicyRow, Root, RootKey

_FLOORED: Final[tuple[type[Body], ...]] = (Notice, Catalogue, Timestamp, Devices)
_MENDS: Final = {
    "notice": "approve its next revision and publish it",
    "patch": "approve it with the new keys, and publish it again",
    "catalogue": "renew it with 'tocsin catalogue renew'",
    "timestamp": "run 'tocsin serve' with the new gateway key",
    "devices": "register the devices again",
}


@dataclass(frozen=True, slots=True)
class Need:
    """How many holders must sign under the policy of one root, and who they are."""

    root: int
    threshold: int
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fallen:
    """A published document that a new root does something to."""

    type: str
    name: str
    missing: tuple[str, ...]
    """Roles for which holders are missing among its signers."""


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between a root and the one before it."""

    since: int | None
    """Version of the root before; None for root 1, which has none."""
    added: tuple[RootKey, ...]
    removed: tuple[RootKey, ...]
    altered: tuple[tuple[RootKey, RootKey], ...]
    """The same key with another holder or other roles: before and after."""
    rows: tuple[tuple[PolicyRow | None, PolicyRow | None], ...]
    """Rows of the policy that differ: before and after; None where there is none."""
    exercise: bool | None
    """What the exercise mark becomes; None when it stays."""
    needs: tuple[Need, ...]
    forgotten: tuple[Fallen, ...] = ()
    """Documents whose version floor devices will forget, for those who signed it could not any more."""
    void: tuple[Fallen, ...] = ()
    """Documents that will no longer be genuine."""


def compare(old: Root | None, new: Root) -> Change:
    """Return what ``new`` changes; without a root before, everything in it is new."""
    before = old.by_kid if old else {}
    rows_before = {(row.type, row.product): row for row in old.policy} if old else {}
    rows_after = {(row.type, row.product): row for row in new.policy}
    labels = dict.fromkeys((*rows_before, *rows_after))
    rows = tuple((rows_before.get(label), rows_after.get(label)) for label in labels)
    return Change(
        since=old.version if old else None,
        added=tuple(entry for kid, entry in new.by_kid.items() if kid not in before),
        removed=tuple(entry for kid, entry in before.items() if kid not in new.by_kid),
        altered=tuple(
            (before[kid], entry) for kid, entry in new.by_kid.items() if before.get(kid, entry) != entry
        ),
        rows=tuple((one, other) for one, other in rows if one != other),
        exercise=None if old is None or old.exercise == new.exercise else new.exercise,
        needs=tuple(_need(root) for root in (old, new) if root is not None),
    )


def _need(root: Root) -> Need:
    holders = {entry.holder for entry in root.keys if ROLE_ROOT in entry.roles}
    return Need(root.version, root.demands(ROLE_ROOT, None)[ROLE_ROOT], tuple(sorted(holders)))


def with_consequences(change: Change, session: Session, old: Root, new: Root, *, now: int) -> Change:
    """Add what a new root does to the newest documents of the store.

    Args:
        change: of :func:`compare`.
        session: to read what was published.
        old: the root that is trusted.
        new: its successor.
        now: UTC seconds; what has expired is left out.
    """
    forgotten: list[Fallen] = []
    void: list[Fallen] = []
    for name, document, body in _published(session, now):
        kids = verified(document, old)
        for found, demands in ((forgotten, old), (void, new)):
            missing = _missing(new, demands, body, kids)
            if missing:
                found.append(Fallen(body.type, name, missing))
    void += _void_patches(session, new)
    return replace(change, forgotten=tuple(forgotten), void=tuple(void))


def _published(session: Session, now: int) -> Iterator[tuple[str, bytes, Body]]:
    for cls in _FLOORED:
        for name in session.document_names(cls.TYPE):
            stored = session.document(cls.TYPE, name)
            body = peek(stored.bytes, cls) if stored else None
            if stored is not None and body is not None and (body.expires is None or now < body.expires):
                yield name, stored.bytes, body


def _missing(new: Root, policy: Root, body: Body, kids: tuple[bytes, ...]) -> tuple[str, ...]:
    """Return the roles that the signers of ``body`` lack in the new root, under the rows of ``policy``."""
    try:
        return tuple(new.missing(policy.demanded(body, None), kids, body.author))
    except RefusedError as error:
        return (error.detail,)


def _void_patches(session: Session, new: Root) -> Iterator[Fallen]:
    t = schema.patches
    query = sa.select(t.c.product, t.c.sequence, t.c.envelope).order_by(t.c.product, t.c.sequence)
    for product, sequence, envelope in session.connection.execute(query):
        try:
            suit.open_envelope(envelope, new, product=product)
        except RefusedError as error:
            yield Fallen("patch", f"{product} {sequence}", (error.detail or error.reason.means,))


def lines(change: Change) -> Iterator[str]:
    """Say the difference in plain words, one thing a line."""
    since = "there is no root before it" if change.since is None else f"against root {change.since}"
    yield f"What changes ({since}):"
    for entry in change.added:
        # In full: who signs compares it with the holder's, and half of it could be matched by another key.
        yield f"  + key {entry.key.thumbprint.hex()} of {entry.holder} ({', '.join(entry.roles)})"
    for entry in change.removed:
        yield f"  - key {_key(entry)}: what it signs counts no more"
    for before, after in change.altered:
        yield f"  ~ key {_key(before)} becomes {after.holder} ({', '.join(after.roles)})"
    for one, other in change.rows:
        yield _row_line(one, other)
    if change.exercise is not None:
        yield (
            "  ~ it becomes an exercise" if change.exercise else "  ~ it is no exercise any more: in earnest"
        )
    if not (change.added or change.removed or change.altered or change.rows or change.exercise is not None):
        yield "  nothing but the times of issue and expiry"
    for need in change.needs:
        holders = ", ".join(need.holders)
        yield f"Needs {need.threshold} of the root holders of root {need.root}: {holders}"
    for fallen in change.forgotten:
        yield f"Devices will forget the version floor of {_name(fallen)}"
    for fallen in change.void:
        yield f"No longer genuine: {_name(fallen)} ({', '.join(fallen.missing)}); {_MENDS[fallen.type]}"


def _name(fallen: Fallen) -> str:
    return " ".join(part for part in (fallen.type, fallen.name) if part)


def _key(entry: RootKey) -> str:
    return f"{entry.key.thumbprint.hex()[:16]} of {entry.holder} ({', '.join(entry.roles)})"


def _row_line(one: PolicyRow | None, other: PolicyRow | None) -> str:
    row = other or one
    assert row is not None, "a pair of rows that differ has one"
    label = f"{row.type} of {row.product}" if row.product else row.type
    if other is None:
        falls = "the row for all products counts" if row.product else "such documents are refused"
        return f"  - row {label}: {falls}"
    if one is None:
        return f"  + row {label}: {demands(other.demands)}"
    return f"  ~ row {label}: {demands(one.demands)} becomes {demands(other.demands)}"


def demands(wanted: Mapping[str, int]) -> str:
    """Write what a row demands, e.g. ``1 release, 1 security``."""
    return ", ".join(f"{count} {role}" for role, count in sorted(wanted.items()))
