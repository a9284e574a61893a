"""What all tables share; ``gateway.store.migrations`` makes a store of this version from an older one."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData, String, Text

metadata = MetaData()

Wide: Final = BigInteger().with_variant(Integer, "sqlite")
"""An integer of up to 64 bits, also as a number that counts itself: SQLite knows only one kind."""
SCHEMA_VERSION: Final = 5
SINCE: Final = {  # table -> schema version that brought it; the others were there from the first
    "events": 3,
    "accounts": 5,
    "audit_threads": 5,
    "deliveries": 5,
    "device_accounts": 5,
    "device_cells": 5,
    "device_regions": 5,
    "device_sums": 5,
    "filters": 5,
    "followups": 5,
    "inventory": 5,
    "labels": 5,
    "named_patches": 5,
    "notice_accounts": 5,
    "notice_cells": 5,
    "notice_regions": 5,
    "notice_sums": 5,
    "patch_cells": 5,
    "patch_sums": 5,
    "refusal_cells": 5,
    "requests": 5,
    "rollout_cells": 5,
    "tokens": 5,
    "unheard": 5,
    "wait_cells": 5,
    "wait_sums": 5,
    "webhooks": 5,
    "workers": 5,
}


def compare_by_letter() -> None:
    """Let PostgreSQL compare and sort texts as SQLite and Python do, whatever language its database speaks.

    An index in a language's order goes wrong when the system's rules for that language change.
    """
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, String):
                plain = Text if isinstance(column.type, Text) else String
                column.type = column.type.with_variant(plain(column.type.length, collation="C"), "postgresql")
