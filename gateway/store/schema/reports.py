"""What devices said: reports byte for byte, and what they come to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from gateway.store.schema.base import Wide, metadata

reports = Table(  # every report, byte for byte
    "reports",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("received", Float, nullable=False),
    Column("salt", LargeBinary(16)),  # in its digest in the audit chain; null: from before there were salts
    Column("entry", BigInteger),  # the audit row that vouches for it; null: the same
    Index("ix_reports_received", "received"),  # what is old is erased in a transaction that others wait for
)

device_states = Table(  # the newest report of each device, decoded
    "device_states",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("installed", String(32), nullable=False),
    Column("language", String(35), nullable=False),
    Column("root_version", Wide, nullable=False),
    Column("catalogue", LargeBinary(32)),
    Column("journal_count", BigInteger, nullable=False),  # entries committed
    Column("journal_head", LargeBinary(32), nullable=False),  # after those; empty: not known after a gap
    Column("journal_life", Wide, nullable=False),  # rises when a device starts a journal anew
    Column("next_nonce", LargeBinary(16), nullable=False),
    Column("seen", Float, nullable=False),
    Column("algorithms", String(64)),  # numbers of what it can verify; null: the report does not say
    Index("ix_device_states_seen", "seen", "device"),
)

notice_states = Table(
    "notice_states",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("advisory", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("state", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("surface", Integer, nullable=False),
    Column("language", String(35)),
    Column("verified", Float),  # UTC seconds of the first entry into each state, from the journal
    Column("shown", Float),
    Column("acknowledged", Float),
    Column("confirmed", Float),
    Column("shown_received", Float),  # the gateway's clock when a report first said SHOWN or beyond
    Index("ix_notice_states_advisory", "advisory", "state"),
)

patch_states = Table(
    "patch_states",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("state", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("changed", Float, nullable=False),  # the gateway's clock when a report last changed the state
    Column("consent_how", Integer),  # what the owner agreed to; all five null: to nothing
    Column("consent_time", BigInteger),
    Column("consent_question", LargeBinary(32)),
    Column("consent_notice", LargeBinary(32)),
    Column("consent_language", String(35)),
    Column("done", Integer),  # percent of the payloads that are there; null: nothing is being brought
    Column("deferrals", Integer),  # null: never put off
    Column("suit", LargeBinary),  # SUIT_Report of the last procedure that ended
    Index("ix_patch_states_digest", "digest", "state"),
)

journal = Table(  # every transition, in each device's own order
    "journal",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("life", Wide, primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("track", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("old", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("digest", LargeBinary(32)),
    Column("received", Float),  # the gateway's clock when a report first carried it; null: not noted
    Index("ix_journal_name", "track", "name"),
)

anomalies = Table(  # a state that went back, a journal that does not chain, one sequence with two contents
    "anomalies",
    metadata,
    Column("id", Wide, primary_key=True, autoincrement=True),
    Column("device", String(64), nullable=False, index=True),
    Column("time", Float, nullable=False),
    Column("kind", String(32), nullable=False, index=True),
    Column("detail", Text, nullable=False),
)

quarantine = Table(  # messages that were not reports
    "quarantine",
    metadata,
    Column("id", Wide, primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("topic", String(256), nullable=False),
    Column("reason", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
)
