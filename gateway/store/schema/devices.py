"""Which devices there are, and what is known of them from elsewhere."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, LargeBinary, String, Table

from gateway.store.schema.base import metadata

devices = Table(  # from operator-signed device records
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("key", LargeBinary, nullable=False),  # COSE_Key
    Column("kid", LargeBinary(32), nullable=False, unique=True),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("algorithms", String(64)),  # numbers of what it can verify, by its record; null: not stated
    Index("ix_devices_product", "product", "id"),
)

inventory = Table(  # what is known of a device from elsewhere; we cannot reach one that ``devices`` lacks
    "inventory",
    metadata,
    Column("id", String(64), primary_key=True),  # the device's, or a new one for a device without our core
    Column("product", String(64), nullable=False),
    Column("account", String(64)),  # whose it is; null: nobody's in particular
    Column("region", String(35)),  # where it stands: ISO 3166-1, or a name of the operator's own
    Column("version", String(32)),  # installed, as the inventory says; a report knows better
    Column("source", String(32), nullable=False),  # csv, json, hawkbit, aws-iot, operator
    Column("external", String(256)),  # its name there
    Column("updated", Float, nullable=False),  # UTC seconds
    Index("ix_inventory_product", "product", "id"),
    Index("ix_inventory_account", "account", "id"),
)

Index(  # there are few; what is counted leaves them out
    "ix_devices_revoked",
    devices.c.id,
    sqlite_where=devices.c.revoked.is_(True),
    postgresql_where=devices.c.revoked.is_(True),
)

labels = Table(  # what an operator sorts devices by
    "labels",
    metadata,
    Column("device", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(128), nullable=False),
    Index("ix_labels_name", "name", "value"),
)
