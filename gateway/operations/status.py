"""``tocsin status``: who was told, what is fixed, and what was refused; computed from the store only."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from advisories.notice import check_code
from advisories.states import PATCH_FAILED, PATCH_PROVEN
from gateway.core.funnel import Funnel, total
from gateway.operations.rollouts import RolloutView
from gateway.operations.rollouts import status as rollout_status
from gateway.store import funnel, schema
from gateway.store.engine import COUNTS, Session
from gateway.workspace.folder import Workspace

_PROVEN = frozenset(state.name for state in PATCH_PROVEN)
_FAILED = frozenset(state.name for state in PATCH_FAILED)


@dataclass(frozen=True, slots=True)
class AdvisoryStatus:
    """The newest published revision of an advisory."""

    id: str
    revision: int
    check_code: str
    exercise: bool
    published: float
    """UTC seconds."""
    products: dict[str, Funnel]
    languages: dict[str, dict[str, Funnel]]
    """Product -> language -> devices that speak it; a hyphen stands for those that never reported."""
    seconds_p50: float | None
    """From publishing to shown, for half of the devices that were shown it."""
    seconds_p99: float | None


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """How far one published patch has come."""

    product: str
    sequence: int
    version: str
    states: dict[str, int]
    """Name of the state -> devices."""
    patched: int
    """Run it, measured and confirmed."""
    patched_by_language: dict[str, int]
    failed: int
    agreed: dict[str, int]
    """How owners agreed (ASKED, URGENT, ALWAYS), and DEFERRED -> devices."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that ``tocsin status`` shows."""

    devices: int
    """Registered and not revoked."""
    reporting: int
    """Devices that have ever reported."""
    advisories: tuple[AdvisoryStatus, ...]
    patches: tuple[PatchStatus, ...]
    rollouts: tuple[RolloutView, ...]
    refused: dict[str, int]
    """Reason -> how often devices refused a document."""
    quarantined: dict[str, int]
    """Reason -> messages to the gateway that were no reports."""
    anomalies: dict[str, int]
    """Kind -> how often evidence did not fit together."""
    served: dict[str, int]
    """What the gateway counted since its last start, as it was kept last: reports, wants, blocks, bytes."""


def status(workspace: Workspace, advisory: str | None = None) -> Status:
    """Read the whole state, or that of one advisory.

    Raises:
        InputError: ADVISORY_UNKNOWN, when it was never published.
    """
    with workspace.store() as store, store.read() as session:
        d, s = schema.devices, schema.device_states
        devices = sa.select(sa.func.count()).select_from(d).where(d.c.revoked.is_(False))
        reporting = sa.select(sa.func.count()).select_from(s)
        wanted = (
            funnel.advisory_funnels(session)
            if advisory is None
            else [funnel.advisory_funnel(session, advisory)]
        )
        return Status(
            devices=int(session.connection.execute(devices).scalar() or 0),
            reporting=int(session.connection.execute(reporting).scalar() or 0),
            advisories=tuple(_advisory(found) for found in wanted),
            patches=_patches(session),
            rollouts=tuple(rollout_status(workspace)),
            refused=funnel.refusals(session),
            quarantined=funnel.quarantined(session),
            anomalies=funnel.anomalies(session),
            served=json.loads(session.meta(COUNTS) or "{}"),
        )


def _advisory(found: funnel.AdvisoryFunnel) -> AdvisoryStatus:
    notice = found.notice
    return AdvisoryStatus(
        id=notice.id,
        revision=notice.revision,
        check_code=check_code(found.digest),
        exercise=notice.exercise,
        published=found.published,
        products={
            product: total(cell for key, cell in found.cells.items() if key[0] == product)
            for product in notice.subject
        },
        languages={
            product: {
                language or "-": cell for (name, language), cell in found.cells.items() if name == product
            }
            for product in notice.subject
        },
        seconds_p50=found.seconds_p50,
        seconds_p99=found.seconds_p99,
    )


def _patches(session: Session) -> tuple[PatchStatus, ...]:
    p = schema.patches
    query = sa.select(p.c.digest, p.c.product, p.c.sequence, p.c.version).order_by(p.c.product, p.c.sequence)
    found = []
    for digest, product, sequence, version in session.connection.execute(query).all():
        states = funnel.patch_funnel(session, digest)
        found.append(
            PatchStatus(
                product=product,
                sequence=sequence,
                version=version,
                states=states,
                patched=sum(count for state, count in states.items() if state in _PROVEN),
                patched_by_language=funnel.patched_by_language(session, digest),
                failed=sum(count for state, count in states.items() if state in _FAILED),
                agreed=funnel.agreed(session, digest),
            )
        )
    return tuple(found)
