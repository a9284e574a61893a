"""What goes out beside MQTT, and who sends it: webhooks, deliveries, requests, workers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from gateway.store.schema.base import Wide, metadata

webhooks = Table(  # who is told over HTTP; no secret stands here
    "webhooks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),  # beginnings of kinds of audit rows, separated by spaces
    Column("account", String(64), ForeignKey("accounts.id")),
    Column("after", BigInteger, nullable=False),  # the last audit row that was made into deliveries
    Column("by", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("turn", Integer, nullable=False),  # of its secret: 0, and one more with each rotation
    Column("turned", Float),  # UTC seconds of the last rotation
    Column("disabled", Float),
    Column("why", Text),
)

deliveries = Table(  # the outbox: what has to reach somebody by webhook or mail, and how that went
    "deliveries",
    metadata,
    Column("id", Wide, primary_key=True, autoincrement=True),
    Column("channel", String(16), nullable=False),  # webhook, mail
    Column("target", String(254), nullable=False),  # webhook id; address
    Column("kind", String(64), nullable=False),
    Column("once", String(128), nullable=False, unique=True),  # the same thing is never queued twice
    Column("body", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("since", Float, nullable=False),  # from when on its time counts: created, or asked for again
    Column("due", Float, nullable=False),  # UTC seconds of the next attempt
    Column("attempts", Integer, nullable=False),
    Column("done", Float),
    Column("failed", Float),  # given up
    Column("answer", Text),  # what the last attempt met
    Index("ix_deliveries_due", "done", "failed", "due"),
    Index("ix_deliveries_target", "target", "id"),
)

requests = Table(  # answers to requests that changed something, by Idempotency-Key
    "requests",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),  # of the request
    Column("status", Integer, nullable=False),  # of HTTP; 0: begun, and not answered yet
    Column("head", Text, nullable=False),  # JSON: the headers of the answer that matter
    Column("body", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_requests_at", "at"),
)

workers = Table(  # gateway processes on this store
    "workers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("started", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("leads", Boolean, nullable=False),  # is the scheduler
    Column("counts", Text, nullable=False),  # JSON: what it counted since it started
)
