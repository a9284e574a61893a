"""Tables of revision 0005 in which is counted how many devices stand where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.migrations.kinds import letters


def make() -> None:
    """Make them, empty."""
    _device_accounts()
    _device_cells()
    _device_regions()
    _device_sums()
    _named_patches()
    _notice_accounts()
    _notice_cells()
    _notice_regions()
    _notice_sums()
    _patch_cells()
    _patch_sums()
    _refusal_cells()
    _rollout_cells()
    _unheard()
    _wait_cells()
    _wait_sums()


def _device_accounts() -> None:
    op.create_table(
        "device_accounts",
        sa.Column("account", letters(64), autoincrement=False, nullable=False),
        sa.Column("product", letters(64), autoincrement=False, nullable=False),
        sa.Column("installed", letters(32), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "product", "installed", "kind"),
    )


def _device_cells() -> None:
    op.create_table(
        "device_cells",
        sa.Column("account", letters(64), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("region", letters(35), nullable=False),
        sa.Column("language", letters(35), nullable=False),
        sa.Column("installed", letters(32), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "product", "region", "language", "installed", "kind"),
    )


def _device_regions() -> None:
    op.create_table(
        "device_regions",
        sa.Column("product", letters(64), autoincrement=False, nullable=False),
        sa.Column("region", letters(35), autoincrement=False, nullable=False),
        sa.Column("installed", letters(32), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product", "region", "installed", "kind"),
    )


def _device_sums() -> None:
    op.create_table(
        "device_sums",
        sa.Column("product", letters(64), autoincrement=False, nullable=False),
        sa.Column("language", letters(35), autoincrement=False, nullable=False),
        sa.Column("installed", letters(32), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product", "language", "installed", "kind"),
    )


def _named_patches() -> None:
    op.create_table(
        "named_patches",
        sa.Column("advisory", letters(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("advisory", "digest"),
    )
    op.create_index("ix_named_patches_digest", "named_patches", ["digest"])


def _notice_accounts() -> None:
    op.create_table(
        "notice_accounts",
        sa.Column("advisory", letters(64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", letters(64), autoincrement=False, nullable=False),
        sa.Column("product", letters(64), autoincrement=False, nullable=False),
        sa.Column("installed", letters(32), autoincrement=False, nullable=False),
        sa.Column("state", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("surface", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reached", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "advisory", "revision", "account", "product", "installed", "state", "surface", "reached"
        ),
    )


def _notice_cells() -> None:
    op.create_table(
        "notice_cells",
        sa.Column("advisory", letters(64), nullable=False),
        sa.Column("account", letters(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("region", letters(35), nullable=False),
        sa.Column("language", letters(35), nullable=False),
        sa.Column("installed", letters(32), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("surface", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "advisory",
            "account",
            "revision",
            "product",
            "region",
            "language",
            "installed",
            "state",
            "surface",
            "reached",
        ),
    )


def _notice_regions() -> None:
    op.create_table(
        "notice_regions",
        sa.Column("advisory", letters(64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product", letters(64), autoincrement=False, nullable=False),
        sa.Column("region", letters(35), autoincrement=False, nullable=False),
        sa.Column("installed", letters(32), autoincrement=False, nullable=False),
        sa.Column("state", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("surface", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reached", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "advisory", "revision", "product", "region", "installed", "state", "surface", "reached"
        ),
    )


def _notice_sums() -> None:
    op.create_table(
        "notice_sums",
        sa.Column("advisory", letters(64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product", letters(64), autoincrement=False, nullable=False),
        sa.Column("language", letters(35), autoincrement=False, nullable=False),
        sa.Column("installed", letters(32), autoincrement=False, nullable=False),
        sa.Column("state", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("surface", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reached", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "advisory", "revision", "product", "language", "installed", "state", "surface", "reached"
        ),
    )


def _patch_cells() -> None:
    op.create_table(
        "patch_cells",
        sa.Column("account", letters(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("language", letters(35), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("agreed", sa.Integer(), nullable=False),
        sa.Column("deferred", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "digest", "language", "state", "agreed", "deferred"),
    )


def _patch_sums() -> None:
    op.create_table(
        "patch_sums",
        sa.Column("digest", sa.LargeBinary(32), autoincrement=False, nullable=False),
        sa.Column("language", letters(35), autoincrement=False, nullable=False),
        sa.Column("state", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agreed", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("deferred", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "language", "state", "agreed", "deferred"),
    )


def _refusal_cells() -> None:
    op.create_table(
        "refusal_cells",
        sa.Column("account", letters(64), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "reason"),
    )


def _rollout_cells() -> None:
    op.create_table(
        "rollout_cells",
        sa.Column("rollout", letters(64), nullable=False),
        sa.Column("group", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rollout", "group", "outcome"),
    )


def _unheard() -> None:
    op.create_table(
        "unheard",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device"),
    )
    op.create_index("ix_unheard_kind", "unheard", ["kind", "device"])
    op.create_index("ix_unheard_product", "unheard", ["product", "kind", "device"])


def _wait_cells() -> None:
    op.create_table(
        "wait_cells",
        sa.Column("advisory", letters(64), nullable=False),
        sa.Column("account", letters(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("wait", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advisory", "account", "revision", "wait"),
    )


def _wait_sums() -> None:
    op.create_table(
        "wait_sums",
        sa.Column("advisory", letters(64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wait", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("advisory", "revision", "wait"),
    )
