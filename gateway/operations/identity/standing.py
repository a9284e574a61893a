"""``tocsin device show``: what the gateway knows of one device, from its reports."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from advisories.suit.report import open_suit_report
from gateway.core.tracks import NoticeRow, PatchRow
from gateway.operations.afar import operation
from gateway.operations.identity.devices import DeviceRow, named
from gateway.operations.inventory import listing
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.standings import notice_row, patch_row
from gateway.workspace.folder import Workspace
from keys.errors import RefusedError

ANOMALIES_SHOWN = 20
"""The newest ones."""


@dataclass(frozen=True, slots=True)
class PatchStanding:
    """Where one patch stands."""

    digest: bytes
    version: str | None
    """That it brings; None where it was not published here."""
    row: PatchRow
    suit: str | None
    """What its SUIT_Report comes down to, or that it cannot be read; None where none came."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An anomaly."""

    time: float
    """UTC seconds."""
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """Everything that was committed of one device, and how it stands now."""

    device: DeviceRow
    reports: int
    notices: dict[str, NoticeRow]
    patches: tuple[PatchStanding, ...]
    """The one that changed last first."""
    anomalies: tuple[Kept, ...]
    """The newest :data:`ANOMALIES_SHOWN`."""


@operation("GET", "/devices/{device}/standing", right="device:read")
def standing(workspace: Workspace, device: str, *, account: str | None = None) -> DeviceStanding:
    """Return where a registered device stands; the first digits of its id will do.

    Args:
        workspace: where.
        device: its id, whole where an account is named.
        account: whose device it has to be; None: anybody's.

    Raises:
        InputError: NO_DEVICE.
    """
    if account is not None:
        listing.show(workspace, device, account=account)
    r, n, a = schema.reports, schema.notice_states, schema.anomalies
    with workspace.store() as store, store.read() as session:
        row = named(session, device)
        run = session.connection.execute
        notices = run(sa.select(n).where(n.c.device == row.id).order_by(n.c.advisory)).all()
        kept = run(
            sa.select(a.c.time, a.c.kind, a.c.detail)
            .where(a.c.device == row.id)
            .order_by(a.c.id.desc())
            .limit(ANOMALIES_SHOWN)
        )
        return DeviceStanding(
            device=row,
            reports=run(sa.select(sa.func.count()).where(r.c.device == row.id)).scalar_one(),
            notices={each.advisory: notice_row(each) for each in notices},
            patches=_patches(session, row.id),
            anomalies=tuple(Kept(*each) for each in kept),
        )


def _patches(session: Session, device: str) -> tuple[PatchStanding, ...]:
    s, p = schema.patch_states, schema.patches
    query = (
        sa.select(s, p.c.version.label("brings"))
        .select_from(s.outerjoin(p, p.c.digest == s.c.digest))
        .where(s.c.device == device)
        .order_by(s.c.changed.desc(), s.c.sequence.desc())
    )
    return tuple(
        PatchStanding(each.digest, each.brings, patch_row(each), _suit(each.suit))
        for each in session.connection.execute(query)
    )


def _suit(data: bytes | None) -> str | None:
    if data is None:
        return None
    try:
        return open_suit_report(data).words()
    except RefusedError as error:
        return f"not readable ({error.reason.name})"
