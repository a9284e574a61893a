"""Tables of the store. Portable SQL only; what each row means stands beside it."""

from __future__ import annotations

from gateway.store.schema.base import (
    SCHEMA_VERSION,
    SINCE,
    compare_by_letter,
    metadata,
)
from gateway.store.schema.cells import (
    device_accounts,
    device_cells,
    device_regions,
    device_sums,
    named_patches,
    notice_accounts,
    notice_cells,
    notice_regions,
    notice_sums,
    patch_cells,
    patch_sums,
    refusal_cells,
    rollout_cells,
    unheard,
    wait_cells,
    wait_sums,
)
from gateway.store.schema.devices import (
    devices,
    inventory,
    labels,
)
from gateway.store.schema.documents import (
    advisories,
    documents,
    meta,
    patches,
    retained,
)
from gateway.store.schema.outbox import (
    deliveries,
    requests,
    webhooks,
    workers,
)
from gateway.store.schema.people import (
    accounts,
    audit,
    audit_threads,
    events,
    followups,
    tokens,
)
from gateway.store.schema.reports import (
    anomalies,
    device_states,
    journal,
    notice_states,
    patch_states,
    quarantine,
    reports,
)
from gateway.store.schema.rollouts import (
    filters,
    rollout_devices,
    rollout_groups,
    rollouts,
)

compare_by_letter()

__all__ = [
    "SCHEMA_VERSION",
    "SINCE",
    "accounts",
    "advisories",
    "anomalies",
    "audit",
    "audit_threads",
    "deliveries",
    "device_accounts",
    "device_cells",
    "device_regions",
    "device_states",
    "device_sums",
    "devices",
    "documents",
    "events",
    "filters",
    "followups",
    "inventory",
    "journal",
    "labels",
    "meta",
    "metadata",
    "named_patches",
    "notice_accounts",
    "notice_cells",
    "notice_regions",
    "notice_states",
    "notice_sums",
    "patch_cells",
    "patch_states",
    "patch_sums",
    "patches",
    "quarantine",
    "refusal_cells",
    "reports",
    "requests",
    "retained",
    "rollout_cells",
    "rollout_devices",
    "rollout_groups",
    "rollouts",
    "tokens",
    "unheard",
    "wait_cells",
    "wait_sums",
    "webhooks",
    "workers",
]
