"""What each device can verify, by its record and by its reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.migrations.kinds import letters

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add it; null means that nobody has said it."""
    for table in ("devices", "device_states"):
        op.add_column(table, sa.Column("algorithms", letters(64)))
