"""Inventory, cells, accounts, tokens, webhooks, workers; what rollouts and reports say beyond version 4."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.migrations import counting, filled
from gateway.store.migrations.kinds import letters, wide

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables and columns, and count what there is into the cells."""
    _accounts()
    _audit_threads()
    _deliveries()
    _filters()
    _followups()
    _inventory()
    _labels()
    _requests()
    _workers()
    _tokens()
    _webhooks()
    _anomalies()
    _audit()
    _device_states()
    _devices()
    _journal()
    _patches()
    _reports()
    _rollout_devices()
    _rollout_groups()
    _rollouts()
    counting.make()
    filled.fill(op.get_bind())


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", letters(64), nullable=False),
        sa.Column("name", letters(200), nullable=False),
        sa.Column("language", letters(35), nullable=False),
        sa.Column("contact", letters(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("closed", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _audit_threads() -> None:
    op.create_table(
        "audit_threads",
        sa.Column("thread", letters(80), nullable=False),
        sa.Column("nth", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("thread", "nth"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", wide(), autoincrement=True, nullable=False),
        sa.Column("channel", letters(16), nullable=False),
        sa.Column("target", letters(254), nullable=False),
        sa.Column("kind", letters(64), nullable=False),
        sa.Column("once", letters(128), nullable=False),
        sa.Column("body", letters(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done", sa.Float(), nullable=True),
        sa.Column("failed", sa.Float(), nullable=True),
        sa.Column("answer", letters(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("once"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["done", "failed", "due"])
    op.create_index("ix_deliveries_target", "deliveries", ["target", "id"])


def _filters() -> None:
    op.create_table(
        "filters",
        sa.Column("name", letters(64), nullable=False),
        sa.Column("query", letters(), nullable=False),
        sa.Column("by", letters(64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _followups() -> None:
    op.create_table(
        "followups",
        sa.Column("advisory", letters(64), nullable=False),
        sa.Column("device", letters(64), nullable=False),
        sa.Column("owner", letters(64), nullable=False),
        sa.Column("outcome", letters(32), nullable=True),
        sa.Column("note", letters(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("advisory", "device"),
    )
    op.create_index("ix_followups_owner", "followups", ["owner"])


def _inventory() -> None:
    op.create_table(
        "inventory",
        sa.Column("id", letters(64), nullable=False),
        sa.Column("product", letters(64), nullable=False),
        sa.Column("account", letters(64), nullable=True),
        sa.Column("region", letters(35), nullable=True),
        sa.Column("version", letters(32), nullable=True),
        sa.Column("source", letters(32), nullable=False),
        sa.Column("external", letters(256), nullable=True),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_inventory_account", "inventory", ["account", "id"])
    op.create_index("ix_inventory_product", "inventory", ["product", "id"])


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("device", letters(64), nullable=False),
        sa.Column("name", letters(64), nullable=False),
        sa.Column("value", letters(128), nullable=False),
        sa.PrimaryKeyConstraint("device", "name"),
    )
    op.create_index("ix_labels_name", "labels", ["name", "value"])


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("token", letters(32), nullable=False),
        sa.Column("key", letters(128), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("head", letters(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("token", "key"),
    )
    op.create_index("ix_requests_at", "requests", ["at"])


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", letters(64), nullable=False),
        sa.Column("started", sa.Float(), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("counts", letters(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", letters(32), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("name", letters(64), nullable=False),
        sa.Column("roles", letters(), nullable=False),
        sa.Column("scopes", letters(), nullable=False),
        sa.Column("account", letters(64), nullable=True),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.Column("revoked", sa.Float(), nullable=True),
        sa.Column("used", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", letters(32), nullable=False),
        sa.Column("url", letters(), nullable=False),
        sa.Column("kinds", letters(), nullable=False),
        sa.Column("account", letters(64), nullable=True),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("by", letters(64), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("turned", sa.Float(), nullable=True),
        sa.Column("disabled", sa.Float(), nullable=True),
        sa.Column("why", letters(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _anomalies() -> None:
    op.create_index("ix_anomalies_kind", "anomalies", ["kind"])


def _audit() -> None:
    op.create_index("ix_audit_hash", "audit", ["hash"])
    op.create_index("ix_audit_kind", "audit", ["kind", "index"])


def _device_states() -> None:
    op.create_index("ix_device_states_seen", "device_states", ["seen", "device"])


def _devices() -> None:
    op.drop_index("ix_devices_product", table_name="devices")
    op.create_index("ix_devices_product", "devices", ["product", "id"])
    op.create_index(
        "ix_devices_revoked",
        "devices",
        ["id"],
        sqlite_where=sa.text("revoked IS 1"),
        postgresql_where=sa.text("revoked IS true"),
    )


def _journal() -> None:
    op.add_column("journal", sa.Column("received", sa.Float(), nullable=True))


def _reports() -> None:
    op.add_column("reports", sa.Column("salt", sa.LargeBinary(16), nullable=True))
    op.add_column("reports", sa.Column("entry", sa.BigInteger(), nullable=True))
    op.create_index("ix_reports_received", "reports", ["received"])


def _patches() -> None:
    op.add_column("patches", sa.Column("counter", sa.BigInteger(), nullable=True))


def _rollout_devices() -> None:
    op.add_column("rollout_devices", sa.Column("sent", sa.Float(), nullable=True))
    op.add_column("rollout_devices", sa.Column("tries", sa.Integer(), nullable=True))
    op.add_column("rollout_devices", sa.Column("due", sa.Float(), nullable=True))
    op.add_column("rollout_devices", sa.Column("retry", sa.Float(), nullable=True))
    op.add_column("rollout_devices", sa.Column("failed", sa.Float(), nullable=True))
    op.add_column("rollout_devices", sa.Column("silent", sa.Float(), nullable=True))
    op.add_column("rollout_devices", sa.Column("left_out", sa.Integer(), nullable=True))
    op.drop_index("ix_rollout_devices_group", table_name="rollout_devices")
    op.create_index("ix_rollout_devices_device", "rollout_devices", ["device"])
    op.create_index("ix_rollout_devices_due", "rollout_devices", ["rollout", "due"])
    noted = sa.text("silent IS NOT NULL OR left_out IS NOT NULL")
    op.create_index(
        "ix_rollout_devices_noted",
        "rollout_devices",
        ["rollout", "device"],
        sqlite_where=noted,
        postgresql_where=noted,
    )
    op.create_index("ix_rollout_devices_sent", "rollout_devices", ["rollout", "sent"])
    op.create_index("ix_rollout_devices_turn", "rollout_devices", ["rollout", "group", "offered", "device"])


def _rollout_groups() -> None:
    op.add_column("rollout_groups", sa.Column("since", sa.Float(), nullable=True))


def _rollouts() -> None:
    op.add_column("rollouts", sa.Column("by", letters(64), nullable=True))
    op.add_column("rollouts", sa.Column("approved", letters(64), nullable=True))
    op.add_column("rollouts", sa.Column("started", sa.Float(), nullable=True))
    op.add_column("rollouts", sa.Column("changed", sa.Float(), nullable=True))
    op.add_column("rollouts", sa.Column("changed_by", letters(64), nullable=True))
    op.add_column("rollouts", sa.Column("why", letters(), nullable=True))
    op.add_column("rollouts", sa.Column("parent", letters(64), nullable=True))
    op.create_index("ix_rollouts_state", "rollouts", ["state"])
