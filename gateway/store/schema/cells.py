"""How many devices stand where: counted as it happens, so that a page over a million is quick."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from gateway.store.schema.base import metadata

device_cells = Table(  # how many devices are alike; kept by ``gateway.store.cells`` with every change
    "device_cells",
    metadata,
    Column("product", String(64), primary_key=True),
    Column("region", String(35), primary_key=True),  # "" wherever nothing is known, here and below
    Column("account", String(64), primary_key=True),
    Column("language", String(35), primary_key=True),
    Column("installed", String(32), primary_key=True),
    Column("kind", Integer, primary_key=True),  # 0 reports, 1 never reported, 2 not reachable by us
    Column("count", BigInteger, nullable=False),
)

notice_cells = Table(
    "notice_cells",
    metadata,
    Column("advisory", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("product", String(64), primary_key=True),
    Column("region", String(35), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("language", String(35), primary_key=True),
    Column("installed", String(32), primary_key=True),
    Column("state", Integer, primary_key=True),
    Column("surface", Integer, primary_key=True),
    Column("reached", Integer, primary_key=True),  # bits: verified 1, shown 2, acknowledged 4, confirmed 8
    Column("count", BigInteger, nullable=False),
)

patch_cells = Table(
    "patch_cells",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("region", String(35), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("language", String(35), primary_key=True),
    Column("state", Integer, primary_key=True),
    Column("agreed", Integer, primary_key=True),  # how the owner agreed; -1: did not, -2: put it off
    Column("count", BigInteger, nullable=False),
)

rollout_cells = Table(
    "rollout_cells",
    metadata,
    Column("rollout", String(64), primary_key=True),
    Column("group", Integer, primary_key=True),
    Column("outcome", Integer, primary_key=True),  # gateway.core.rollout.Outcome
    Column("count", BigInteger, nullable=False),
)
