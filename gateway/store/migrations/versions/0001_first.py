"""The first released schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.migrations.kinds import letters, wide

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _advisories()
    _anomalies()
    _audit()
    _devices()
    _documents()
    _meta()
    _patches()
    _quarantine()
    _retained()
    _device_states()
    _journal()
    _notice_states()
    _patch_states()
    _reports()
    _rollouts()
    _rollout_devices()
    _rollout_groups()


def _advisories() -> None:
    op.create_table(
        "advisories",
        sa.Column("id", letters(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("published", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", "revision"),
    )


def _anomalies() -> None:
    op.create_table(
        "anomalies",
        sa.Column("id", wide(), autoincrement=True, nullable=False),
        sa.Column("device", letters(64), nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("kind", letters(32), nullable=False),
        sa.Column("detail", letters(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_anomalies_device", "anomalies", ["device"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("kind", letters(32), nullable=False),
        sa.Column("data", letters(), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("index"),
    )


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", letters(64), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.LargeBinary(32), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kid"),
    )
    op.create_index("ix_devices_product", "devices", ["product"])


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("type", letters(32), nullable=False),
        sa.Column("name", letters(64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("type", "name", "version"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", letters(64), nullable=False),
        sa.Column("value", letters(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _patches() -> None:
    op.create_table(
        "patches",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("version", letters(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", wide(), autoincrement=True, nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("topic", letters(256), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("detail", letters(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _retained() -> None:
    op.create_table(
        "retained",
        sa.Column("topic", letters(256), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
        sa.UniqueConstraint("revision"),
    )


def _device_states() -> None:
    op.create_table(
        "device_states",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("installed", letters(32), nullable=False),
        sa.Column("language", letters(35), nullable=False),
        sa.Column("root_version", wide(), nullable=False),
        sa.Column("catalogue", sa.LargeBinary(32), nullable=True),
        sa.Column("journal_count", sa.BigInteger(), nullable=False),
        sa.Column("journal_head", sa.LargeBinary(32), nullable=False),
        sa.Column("journal_life", wide(), nullable=False),
        sa.Column("next_nonce", sa.LargeBinary(16), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
        ),
        sa.PrimaryKeyConstraint("device"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("life", wide(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("track", sa.Integer(), nullable=False),
        sa.Column("name", letters(64), nullable=False),
        sa.Column("old", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
        ),
        sa.PrimaryKeyConstraint("device", "life", "index"),
    )
    op.create_index("ix_journal_name", "journal", ["track", "name"])


def _notice_states() -> None:
    op.create_table(
        "notice_states",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("advisory", letters(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("surface", sa.Integer(), nullable=False),
        sa.Column("language", letters(35), nullable=True),
        sa.Column("verified", sa.Float(), nullable=True),
        sa.Column("shown", sa.Float(), nullable=True),
        sa.Column("acknowledged", sa.Float(), nullable=True),
        sa.Column("confirmed", sa.Float(), nullable=True),
        sa.Column("shown_received", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
        ),
        sa.PrimaryKeyConstraint("device", "advisory"),
    )
    op.create_index("ix_notice_states_advisory", "notice_states", ["advisory", "state"])


def _patch_states() -> None:
    op.create_table(
        "patch_states",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
        ),
        sa.PrimaryKeyConstraint("device", "digest"),
    )
    op.create_index("ix_patch_states_digest", "patch_states", ["digest", "state"])


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.Column("received", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
        ),
        sa.PrimaryKeyConstraint("device", "epoch", "sequence"),
    )


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", letters(64), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("plan", letters(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"],
            ["patches.digest"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )


def _rollout_devices() -> None:
    op.create_table(
        "rollout_devices",
        sa.Column("rollout", letters(64), nullable=False),
        sa.Column("device", letters(64), nullable=False),
        sa.Column("group", sa.Integer(), nullable=False),
        sa.Column("offered", sa.Float(), nullable=True),
        sa.Column("cancelled", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rollout"],
            ["rollouts.id"],
        ),
        sa.PrimaryKeyConstraint("rollout", "device"),
    )
    op.create_index("ix_rollout_devices_group", "rollout_devices", ["rollout", "group"])


def _rollout_groups() -> None:
    op.create_table(
        "rollout_groups",
        sa.Column("rollout", letters(64), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout"],
            ["rollouts.id"],
        ),
        sa.PrimaryKeyConstraint("rollout", "index"),
    )
