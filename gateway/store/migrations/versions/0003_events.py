"""What people did about incidents and advisories."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.migrations.kinds import letters, wide

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "events",
        sa.Column("seq", wide(), nullable=False, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", letters(32), nullable=False),
        sa.Column("by", letters(64), nullable=False),
        sa.Column("incident", letters(64)),
        sa.Column("advisory", letters(64)),
        sa.Column("data", letters(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_incident", "events", ["incident"])
    op.create_index("ix_events_advisory", "events", ["advisory"])
