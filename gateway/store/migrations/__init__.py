"""How a store of an older schema version becomes one of this: Alembic's revisions, a file each.

A revision is named by the schema version that it makes. Which version a store has stands in ``meta`` alone,
where every program looks first, also those from before there were revisions here. ``upgrade`` runs
within the caller's transaction, for both engines have transactions for tables, too: all steps or none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

_FOLDER: Final = Path(__file__).parent


def upgrade(connection: Connection, version: int, *, last: int | None = None) -> None:
    """Run every revision after ``version`` (0: none was run yet) up to the newest, or to ``last``."""
    newest_first = ScriptDirectory(str(_FOLDER)).walk_revisions()
    with Operations.context(MigrationContext.configure(connection)):
        for script in reversed(list(newest_first)):
            if version < int(script.revision) and (last is None or int(script.revision) <= last):
                script.module.upgrade()
