"""What people decided, and who they are: events, the audit chain, accounts, tokens, follow-ups."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, LargeBinary, String, Table, Text

from gateway.store.schema.base import Wide, metadata

audit = Table(  # append-only hash chain of decisions and receipts
    "audit",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),  # canonical JSON
    Column("hash", LargeBinary(32), nullable=False),
    Index("ix_audit_hash", "hash"),
    Index("ix_audit_kind", "kind", "index"),
)

audit_threads = Table(  # which rows are about one matter, in their order; the rows themselves say so too
    "audit_threads",
    metadata,
    Column("thread", String(80), primary_key=True),  # such as advisory:<id>; gateway.core.chain.threads
    Column("nth", BigInteger, primary_key=True),
    Column("row", BigInteger, nullable=False),  # index of the audit row
)

events = Table(  # what people did about incidents and advisories; appended, never changed
    "events",
    metadata,
    Column("seq", Wide, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),  # UTC seconds at which it was recorded
    Column("kind", String(32), nullable=False),
    Column("by", String(64), nullable=False),
    Column("incident", String(64)),
    Column("advisory", String(64)),
    Column("data", Text, nullable=False),  # JSON of the kind's record
    Index("ix_events_incident", "incident"),
    Index("ix_events_advisory", "advisory"),
    sqlite_autoincrement=True,
)

accounts = Table(  # customers of the maker that own devices
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("language", String(35), nullable=False),
    Column("contact", Text, nullable=False),  # JSON: who is written to, and where
    Column("created", Float, nullable=False),
    Column("closed", Float),
)

tokens = Table(  # who may ask over HTTP; the token itself is nowhere
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the token
    Column("name", String(64), nullable=False),  # who acts: stands as "by" in every event
    Column("roles", Text, nullable=False),  # separated by spaces
    Column("scopes", Text, nullable=False),  # rights it is narrowed to; empty: all of its roles
    Column("account", String(64), ForeignKey("accounts.id")),  # sees this account's devices only
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("revoked", Float),
    Column("used", Float),  # UTC seconds of the last request, to the hour
)

followups = Table(  # who sees to a device whose owner was not told, and what came of it
    "followups",
    metadata,
    Column("advisory", String(64), primary_key=True),
    Column("device", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),  # the person who sees to it
    Column("outcome", String(32)),  # null: still open
    Column("note", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_followups_owner", "owner"),
)
