"""``tocsin device``: which devices exist. Homes are the simulator's, records the operator's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from advisories.catalogue import DeviceRecord, Devices
from advisories.limits import DEVICE_RECORDS_MAX
from gateway.core.publication import next_version
from gateway.service import publication, schema
from gateway.service.workspace import Workspace
from keys.document import seal
from keys.signer import Signer

VALID_SECONDS: Final = 20 * 365 * 86_400  # of a device's key: as long as a device lives
DOCUMENT_SECONDS: Final = 30 * 86_400  # within which the gateway must have taken the records in
BACKDATE_SECONDS: Final = 86_400  # for a device whose clock is behind


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One registered device and what its newest report says; None before the first."""

    id: str
    product: str
    revoked: bool
    installed: str | None
    language: str | None
    seen: float | None
    """UTC seconds of the newest report."""


def register(workspace: Workspace, records: Sequence[DeviceRecord], operator: Signer, *, now: int) -> int:
    """Sign device records as the operator and put them into the store; return how many.

    Raises:
        InputError: NO_ROOT, NO_PRODUCT, DEVICE_KEY_TAKEN.
        RefusedError: when the operator's key does not satisfy the root's policy.
    """
    known = workspace.products()
    for product in {record.product for record in records} - known.keys():
        workspace.product(product)
    fleet = workspace.trusted().fleet
    with workspace.lock(), workspace.store() as store:
        for start in range(0, len(records), DEVICE_RECORDS_MAX):
            with store.read() as session:
                last = session.document(Devices.TYPE, "")
            body = Devices(
                type=Devices.TYPE,
                fleet=fleet,
                subject=(),
                version=next_version(last.version if last else None, now),
                issued=now,
                expires=now + DOCUMENT_SECONDS,
                records=tuple(records[start : start + DEVICE_RECORDS_MAX]),
            )
            publication.register_devices(store, seal(body, [operator]), now)
    return len(records)


def rows(workspace: Workspace) -> list[DeviceRow]:
    """Return all registered devices, by product and id."""
    d, s = schema.devices, schema.device_states
    query = (
        sa.select(d.c.id, d.c.product, d.c.revoked, s.c.installed, s.c.language, s.c.seen)
        .select_from(d.outerjoin(s, d.c.id == s.c.device))
        .order_by(d.c.product, d.c.id)
    )
    with workspace.store() as store, store.read() as session:
        return [DeviceRow(*row) for row in session.connection.execute(query)]
