"""Tables of the gateway's store. Portable SQL only; what each row means stands beside it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION: Final = 4
UPGRADES: Final = {  # schema version -> what makes the next one of it
    1: (
        "ALTER TABLE devices ADD COLUMN algorithms VARCHAR(64)",
        "ALTER TABLE device_states ADD COLUMN algorithms VARCHAR(64)",
    ),
    2: (
        """CREATE TABLE IF NOT EXISTS events (
            seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, at FLOAT NOT NULL, kind VARCHAR(32) NOT NULL,
            by VARCHAR(64) NOT NULL, incident VARCHAR(64), advisory VARCHAR(64), data TEXT NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS ix_events_incident ON events (incident)",
        "CREATE INDEX IF NOT EXISTS ix_events_advisory ON events (advisory)",
    ),
    3: (
        "ALTER TABLE patch_states ADD COLUMN consent_how INTEGER",
        "ALTER TABLE patch_states ADD COLUMN consent_time BIGINT",
        "ALTER TABLE patch_states ADD COLUMN consent_question BLOB",
        "ALTER TABLE patch_states ADD COLUMN consent_notice BLOB",
        "ALTER TABLE patch_states ADD COLUMN consent_language VARCHAR(35)",
        "ALTER TABLE patch_states ADD COLUMN done INTEGER",
        "ALTER TABLE patch_states ADD COLUMN deferrals INTEGER",
        "ALTER TABLE patch_states ADD COLUMN suit BLOB",
    ),
}

SINCE: Final = {"events": 3}  # table -> schema version that brought it; the others were there from the first

metadata = MetaData()

meta = Table(  # schema version, fleet digest, counters
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

documents = Table(  # every signed document that was ever issued here, byte for byte
    "documents",
    metadata,
    Column("type", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),  # product, advisory id, device id, "" for the fleet
    Column("version", BigInteger, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
)

retained = Table(  # what the broker has to hold; published in the order of `revision`
    "retained",
    metadata,
    Column("topic", String(256), primary_key=True),
    Column("payload", LargeBinary, nullable=False),  # empty: clear it
    Column("expires", BigInteger),  # UTC seconds, from the document
    Column("revision", BigInteger, nullable=False, unique=True),
)

advisories = Table(  # published revisions
    "advisories",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("published", Float, nullable=False),
)

patches = Table(  # published patches
    "patches",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # of the manifest
    Column("product", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("version", String(32), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("payload", LargeBinary(32), nullable=False),  # SHA-256; the bytes lie in artefacts/
    Column("size", BigInteger, nullable=False),
    Column("published", Float, nullable=False),
)

devices = Table(  # from operator-signed device records
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("product", String(64), nullable=False, index=True),
    Column("key", LargeBinary, nullable=False),  # COSE_Key
    Column("kid", LargeBinary(32), nullable=False, unique=True),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("algorithms", String(64)),  # numbers of what it can verify, by its record; null: not stated
)

reports = Table(  # every report, byte for byte
    "reports",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("received", Float, nullable=False),
)

device_states = Table(  # the newest report of each device, decoded
    "device_states",
    metadata,
    Column("device", String(64), ForeignKey("devices.id"), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("installed", String(32), nullable=False),
    Column("language", String(35), nullable=False),
    Column("root_version", Integer, nullable=False),
    Column("catalogue", LargeBinary(32)),
    Column("journal_count", BigInteger, nullable=False),  # entries committed
    Column("journal_head", LargeBinary(32), nullable=False),  # after those; empty: not known after a gap
    Column("journal_life", Integer, nullable=False),  # rises when a device starts a journal anew
    Column("next_nonce", LargeBinary(16), nullable=False),
    Column("seen", Float, nullable=False),
    Column("algorithms", String(64)),  # numbers of what it can verify; null: the report does not say
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
    Column("life", Integer, primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("track", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("old", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("digest", LargeBinary(32)),
    Index("ix_journal_name", "track", "name"),
)

anomalies = Table(  # a state that went back, a journal that does not chain, one sequence with two contents
    "anomalies",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("device", String(64), nullable=False, index=True),
    Column("time", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("detail", Text, nullable=False),
)

quarantine = Table(  # messages that were not reports
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("topic", String(256), nullable=False),
    Column("reason", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
)

audit = Table(  # append-only hash chain of decisions and receipts
    "audit",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),  # canonical JSON
    Column("hash", LargeBinary(32), nullable=False),
)

events = Table(  # what people did about incidents and advisories; appended, never changed
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
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
