"""What was signed: documents, what the broker has to hold, advisories, patches."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, Table, Text

from gateway.store.schema.base import metadata

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
    Column("counter", BigInteger),  # security counter of the image that boots; null: nobody has looked
    Column("published", Float, nullable=False),
)
