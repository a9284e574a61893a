"""What owners agreed to, how far a patch is, and the SUIT_Report of its end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.migrations.kinds import letters

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; null means that no report has said it."""
    columns = (
        sa.Column("consent_how", sa.Integer()),
        sa.Column("consent_time", sa.BigInteger()),
        sa.Column("consent_question", sa.LargeBinary(32)),
        sa.Column("consent_notice", sa.LargeBinary(32)),
        sa.Column("consent_language", letters(35)),
        sa.Column("done", sa.Integer()),
        sa.Column("deferrals", sa.Integer()),
        sa.Column("suit", sa.LargeBinary()),
    )
    for column in columns:
        op.add_column("patch_states", column)
