"""What all tables share, and how a store of an older schema version becomes one of this."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

metadata = MetaData()

SCHEMA_VERSION: Final = 5
UPGRADES: Final = {  # schema version -> what makes the next one of it
    1: (
        "ALTER TABLE devices ADD COLUMN algorithms VARCHAR(64)",
        "ALTER TABLE device_states ADD COLUMN algorithms VARCHAR(64)",
    ),
    2: (
        """CREATE TABLE IF NOT EXISTS events (
            seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, at FLOAT NOT NULL, kind VARCHAR(32) NOT NULL,
            by VARCHAR(64) NOT NULL, incident VARCHAR(64), advisory VARCHAR(64), data TEXT NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS ix_events_incident ON events (incident)",
        "CREATE INDEX IF NOT EXISTS ix_events_advisory ON events (advisory)",
    ),
    3: (
        "ALTER TABLE patch_states ADD COLUMN consent_how INTEGER",
        "ALTER TABLE patch_states ADD COLUMN consent_time BIGINT",
        "ALTER TABLE patch_states ADD COLUMN consent_question BLOB",
        "ALTER TABLE patch_states ADD COLUMN consent_notice BLOB",
        "ALTER TABLE patch_states ADD COLUMN consent_language VARCHAR(35)",
        "ALTER TABLE patch_states ADD COLUMN done INTEGER",
        "ALTER TABLE patch_states ADD COLUMN deferrals INTEGER",
        "ALTER TABLE patch_states ADD COLUMN suit BLOB",
    ),
    4: (
        "ALTER TABLE reports ADD COLUMN salt BLOB",
        "ALTER TABLE reports ADD COLUMN entry BIGINT",
    ),
}

SINCE: Final = {  # table -> schema version that brought it; the others were there from the first
    "events": 3,
    "accounts": 5,
    "audit_threads": 5,
    "deliveries": 5,
    "device_cells": 5,
    "filters": 5,
    "followups": 5,
    "inventory": 5,
    "labels": 5,
    "named_patches": 5,
    "notice_cells": 5,
    "patch_cells": 5,
    "requests": 5,
    "rollout_cells": 5,
    "tokens": 5,
    "wait_cells": 5,
    "webhooks": 5,
    "workers": 5,
}
