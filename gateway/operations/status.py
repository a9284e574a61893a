"""``tocsin status``: who was told, what is fixed, and what was refused; computed from the store only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from advisories.notice import check_code
from advisories.states import PATCH_FAILED, PATCH_PROVEN
from gateway.core.funnel import Funnel, Kind, percents, total
from gateway.operations.afar import operation
from gateway.operations.rollouts.views import RolloutView, view
from gateway.store import funnel, schema, workers
from gateway.store.engine import Session
from gateway.store.rollouts import count_groups, list_rollouts
from gateway.store.workers import Worker
from gateway.workspace.folder import Workspace
from keys.errors import InputError

SLICES_MAX: Final = 10_000  # parts that one answer tells apart
_PROVEN: Final = frozenset(state.name for state in PATCH_PROVEN)
_FAILED: Final = frozenset(state.name for state in PATCH_FAILED)


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the devices that an advisory concerns; None where it was not told apart."""

    product: str | None
    language: str | None
    """Empty for devices that never reported; region and account where the inventory says nothing."""
    region: str | None
    account: str | None
    counts: Funnel
    percents: dict[str, float]
    """Step -> per cent of the affected (of the sent: delivered; of the affected or possibly so: not_told)."""


@dataclass(frozen=True, slots=True)
class AdvisoryStatus:
    """The newest published revision of an advisory."""

    id: str
    revision: int
    check_code: str
    exercise: bool
    published: float
    """UTC seconds."""
    total: Slice
    slices: tuple[Slice, ...]
    """Told apart as was asked."""
    products: dict[str, Funnel]
    languages: dict[str, dict[str, Funnel]]
    """Product -> language -> devices that speak it; a hyphen stands for those that never reported."""
    seconds_p50: float | None
    """From publishing to shown, for half of the devices that were shown it; at most 2.5 % too much."""
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
    """Everything that ``tocsin status`` shows; of one account only what concerns its devices."""

    devices: int
    """Registered and not revoked."""
    reporting: int
    """Of those, devices that have ever reported."""
    unreachable: int
    """In the inventory and not registered: told by letter or call only."""
    advisories: tuple[AdvisoryStatus, ...]
    patches: tuple[PatchStatus, ...]
    rollouts: tuple[RolloutView, ...]
    refused: dict[str, int]
    """Reason -> how often devices refused a document."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """Reason -> messages to the gateway that were no reports."""
    anomalies: dict[str, int] = field(default_factory=dict)
    """Kind -> how often evidence did not fit together."""
    served: dict[str, int] = field(default_factory=dict)
    """What all workers counted since each one's start, as it was kept last: reports, wants, blocks, bytes."""
    workers: tuple[Worker, ...] = ()
    """Processes of the gateway, as each was heard of last."""
    degraded: tuple[str, ...] = ()
    """Codes of what does not go well with them now, such as STORE_FULL, BROKER_LOST or WORKER_SILENT."""


@operation("GET", "/status", right="status:read")
def status(
    workspace: Workspace,
    advisory: str | None = None,
    *,
    split: Sequence[str] = (),
    account: str | None = None,
    now: int | None = None,
) -> Status:
    """Read the whole state, or that of one advisory.

    Args:
        workspace: where.
        advisory: its id; None means every published one.
        split: what is told apart: some of ``product``, ``language``, ``region`` and ``account``.
        account: whose devices alone are meant.
        now: UTC seconds, to know which workers are silent; as if the last of them had just been heard of
            where it is left out.

    Raises:
        InputError: ADVISORY_UNKNOWN, when it was never published; BAD_VALUE; TOO_MANY_PARTS.
    """
    if unknown := [name for name in split if name not in funnel.SPLITS]:
        mend = f"Choose from {', '.join(funnel.SPLITS)}."
        raise InputError("BAD_VALUE", f"Nothing can be told apart by '{unknown[0]}'.", mend=mend)
    with workspace.store() as store, store.read() as session:
        ids = funnel.published(session) if advisory is None else [advisory]
        kinds = funnel.devices(session, account=account)
        return Status(
            devices=kinds[Kind.REPORTS] + kinds[Kind.NEVER_REPORTED],
            reporting=kinds[Kind.REPORTS],
            unreachable=kinds[Kind.UNREACHABLE],
            advisories=tuple(_advisory(session, id_, split, account) for id_ in ids),
            patches=_patches(session, account),
            rollouts=() if account is not None else _rollouts(session),
            refused=funnel.refusals(session, account=account),
            **({} if account is not None else _house(session, now)),
        )


def _rollouts(session: Session) -> tuple[RolloutView, ...]:
    return tuple(view(rollout, count_groups(session, rollout)) for rollout in list_rollouts(session))


def _house(session: Session, now: int | None) -> dict[str, Any]:
    """Return what is no account's business."""
    found = workers.workers(session)
    at = max((worker.seen for worker in found), default=0.0) if now is None else now
    return {
        "quarantined": funnel.quarantined(session),
        "anomalies": funnel.anomalies(session),
        "served": workers.served(found),
        "workers": tuple(found),
        "degraded": tuple(workers.degraded(found, at)),
    }


def _advisory(session: Session, advisory: str, split: Sequence[str], account: str | None) -> AdvisoryStatus:
    found = funnel.advisory_funnel(session, advisory, account=account)
    notice = found.notice
    parts: dict[tuple[str, ...], Funnel] = {}
    if split:
        parts = funnel.parts(session, notice, account=account, split=split).by(*split)
    if len(parts) > SLICES_MAX:
        raise InputError(
            "TOO_MANY_PARTS",
            f"{advisory} would be told apart in {len(parts)} parts.",
            mend="Tell fewer things apart at once, or ask for one account.",
        )
    spoken = found.by("product", "language")
    products = {
        product: {language: cell for (name, language), cell in spoken.items() if name == product}
        for product in notice.subject
    }
    return AdvisoryStatus(
        id=notice.id,
        revision=notice.revision,
        check_code=check_code(found.digest),
        exercise=notice.exercise,
        published=found.published,
        total=_slice((), (), total(spoken.values())),
        slices=tuple(_slice(split, key, counts) for key, counts in parts.items()),
        products={product: total(cells.values()) for product, cells in products.items()},
        languages={
            product: {language or "-": cell for language, cell in cells.items()}
            for product, cells in products.items()
        },
        seconds_p50=found.seconds_p50,
        seconds_p99=found.seconds_p99,
    )


def _slice(names: Sequence[str], key: Sequence[str], counts: Funnel) -> Slice:
    apart = dict(zip(names, key, strict=True))
    return Slice(
        apart.get("product"),
        apart.get("language"),
        apart.get("region"),
        apart.get("account"),
        counts,
        percents(counts),
    )


def _patches(session: Session, account: str | None) -> tuple[PatchStatus, ...]:
    p = schema.patches
    query = sa.select(p.c.digest, p.c.product, p.c.sequence, p.c.version).order_by(p.c.product, p.c.sequence)
    known = funnel.patch_funnels(session, account=account)
    found = []
    for digest, product, sequence, version in session.connection.execute(query):
        patch = known.get(digest) or funnel.PatchFunnel({}, {}, {})
        found.append(
            PatchStatus(
                product=product,
                sequence=sequence,
                version=version,
                states=patch.states,
                patched=sum(count for state, count in patch.states.items() if state in _PROVEN),
                patched_by_language=patch.proven,
                failed=sum(count for state, count in patch.states.items() if state in _FAILED),
                agreed=patch.agreed,
            )
        )
    return tuple(found)
