"""How many devices stand where: counted as it happens, so that a page over a million is quick.

Only devices that are registered and not revoked count, and those of the inventory that are not registered.
``gateway.store.cells`` keeps every table here with each change; text is "" wherever nothing is known. What is
called sums are cells with all regions and accounts together; by account and by region, with all else that an
owner is told apart by together. There are far fewer of them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from gateway.store.schema.base import metadata

device_cells = Table(  # how many devices are alike
    "device_cells",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("product", String(64), primary_key=True),
    Column("region", String(35), primary_key=True),
    Column("language", String(35), primary_key=True),  # that the device speaks, here and below
    Column("installed", String(32), primary_key=True),  # as reported last, or else as the inventory says
    Column("kind", Integer, primary_key=True),  # 0 reports, 1 never reported, 2 not reachable by us
    Column("count", BigInteger, nullable=False),
)

notice_cells = Table(  # devices that reported an advisory, or run a patch that its newest revision names
    "notice_cells",
    metadata,
    Column("advisory", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True),  # that the device speaks of; -1: of none
    Column("product", String(64), primary_key=True),
    Column("region", String(35), primary_key=True),
    Column("language", String(35), primary_key=True),
    Column("installed", String(32), primary_key=True),
    Column("state", Integer, primary_key=True),
    Column("surface", Integer, primary_key=True),
    Column("reached", Integer, primary_key=True),  # bits of gateway.core.funnel.Reached
    Column("count", BigInteger, nullable=False),
)

wait_cells = Table(  # how long it took from publishing until a text was shown: a histogram
    "wait_cells",
    metadata,
    Column("advisory", String(64), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("wait", BigInteger, primary_key=True),  # milliseconds: the upper end of gateway.core.funnel.bucket
    Column("count", BigInteger, nullable=False),
)

patch_cells = Table(
    "patch_cells",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("language", String(35), primary_key=True),
    Column("state", Integer, primary_key=True),
    Column("agreed", Integer, primary_key=True),  # how the owner agreed; -1: did not
    Column("deferred", Integer, primary_key=True),  # 1: put it off before
    Column("count", BigInteger, nullable=False),
)

refusal_cells = Table(  # how often devices refused something, by their journals
    "refusal_cells",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("reason", Integer, primary_key=True),
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


def _sums(cells: Table, name: str = "sums", *together: str, first: tuple[str, ...] = ()) -> Table:
    """Return the table of the same cells with some columns together: regions and accounts, unless named.

    Columns that a page always asks for by one value come ``first``: then its rows are found in order.
    """
    kept = [column for column in cells.primary_key if column.name not in (together or {"region", "account"})]
    kept.sort(key=lambda column: column.name not in first)
    return Table(
        f"{cells.name.removesuffix('_cells')}_{name}",
        metadata,
        *(Column(column.name, column.type, primary_key=True, autoincrement=False) for column in kept),
        Column("count", BigInteger, nullable=False),
    )


device_sums = _sums(device_cells)
notice_sums = _sums(notice_cells)
wait_sums = _sums(wait_cells)
patch_sums = _sums(patch_cells)
device_accounts = _sums(device_cells, "accounts", "region", "language")
notice_accounts = _sums(notice_cells, "accounts", "region", "language", first=("advisory", "revision"))
device_regions = _sums(device_cells, "regions", "account", "language")
notice_regions = _sums(notice_cells, "regions", "account", "language")

named_patches = Table(  # the patches that an advisory's newest revision names
    "named_patches",
    metadata,
    Column("advisory", String(64), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Index("ix_named_patches_digest", "digest"),
)

unheard = Table(  # of which devices there is no report; kept with the cells
    "unheard",
    metadata,
    Column("device", String(64), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("kind", Integer, nullable=False),  # as in device_cells: 1 or 2
    Index("ix_unheard_kind", "kind", "device"),
    Index("ix_unheard_product", "product", "kind", "device"),
)
