"""How patches go out: rollouts, their groups and devices, saved selections."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from gateway.store.schema.base import metadata

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("digest", LargeBinary(32), ForeignKey("patches.digest"), nullable=False),
    Column("state", Integer, nullable=False),
    Column("plan", Text, nullable=False),  # JSON: groups, gates, deadline, window, consent
    Column("created", Float, nullable=False),
)

rollout_groups = Table(
    "rollout_groups",
    metadata,
    Column("rollout", String(64), ForeignKey("rollouts.id"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("state", Integer, nullable=False),
)

rollout_devices = Table(
    "rollout_devices",
    metadata,
    Column("rollout", String(64), ForeignKey("rollouts.id"), primary_key=True),
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("group", Integer, nullable=False),
    Column("offered", Float),  # UTC seconds of the offer
    Column("cancelled", Float),  # UTC seconds of the offer that took it back
    Index("ix_rollout_devices_group", "rollout", "group"),
)

filters = Table(  # selections of devices by name
    "filters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("query", Text, nullable=False),  # canonical JSON of gateway.core.selection
    Column("by", String(64), nullable=False),
    Column("at", Float, nullable=False),
)
