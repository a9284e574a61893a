"""How patches go out: rollouts, their groups and devices, saved selections."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, or_

from gateway.store.schema.base import metadata

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("digest", LargeBinary(32), ForeignKey("patches.digest"), nullable=False),
    Column("state", Integer, nullable=False),
    Column("plan", Text, nullable=False),  # canonical JSON of gateway.core.rollout.Plan
    Column("created", Float, nullable=False),
    Column("by", String(64)),  # who made the plan; null: from before that was kept
    Column("approved", String(64)),  # who else approved it, or refused to
    Column("started", Float),  # UTC seconds
    Column("changed", Float),  # UTC seconds at which it came into its state; who did that, and why:
    Column("changed_by", String(64)),
    Column("why", Text),
    Column("parent", String(64)),  # the rollout whose devices this one brings back
    Index("ix_rollouts_state", "state"),
)

rollout_groups = Table(
    "rollout_groups",
    metadata,
    Column("rollout", String(64), ForeignKey("rollouts.id"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("state", Integer, nullable=False),
    Column("since", Float),  # UTC seconds at which it came into its state
)

rollout_devices = Table(
    "rollout_devices",
    metadata,
    Column("rollout", String(64), ForeignKey("rollouts.id"), primary_key=True),
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("group", Integer, nullable=False),
    Column("offered", Float),  # UTC seconds of the first offer of its newest try, or when none was needed
    Column("sent", Float),  # UTC seconds of the newest offer: terms may change within a try
    Column("cancelled", Float),  # UTC seconds of the offer that took it back
    Column("tries", Integer),  # how often it was offered anew after a failure; null: never
    Column("due", Float),  # UTC seconds at which the scheduler looks at an open offer again
    Column("retry", Float),  # UTC seconds at which it is offered the patch anew after a failure
    Column("failed", Float),  # UTC seconds at which its failure was judged final
    Column("silent", Float),  # UTC seconds at which it had said nothing for too long
    Column("left_out", Integer),  # gateway.core.rollout.Outcome as which it was left out when its turn came
    Index("ix_rollout_devices_turn", "rollout", "group", "offered", "device"),
    Index("ix_rollout_devices_sent", "rollout", "sent"),
    Index("ix_rollout_devices_due", "rollout", "due"),
    Index("ix_rollout_devices_device", "device"),
)

Index(  # devices of a rollout of which the scheduler noted something: there are few
    "ix_rollout_devices_noted",
    rollout_devices.c.rollout,
    rollout_devices.c.device,
    sqlite_where=or_(rollout_devices.c.silent.is_not(None), rollout_devices.c.left_out.is_not(None)),
    postgresql_where=or_(rollout_devices.c.silent.is_not(None), rollout_devices.c.left_out.is_not(None)),
)

filters = Table(  # selections of devices by name
    "filters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("query", Text, nullable=False),  # canonical JSON of gateway.core.selection
    Column("by", String(64), nullable=False),
    Column("at", Float, nullable=False),
)
