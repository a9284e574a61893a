"""What revision 0005 puts into its new tables and columns: nothing that older rows do not say."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.core.rollout.table import RolloutState
from gateway.store import cells, schema
from gateway.store.engine import Session

_OVER = (RolloutState.STOPPED, RolloutState.FINISHED)


def fill(connection: Connection) -> None:
    """Count devices into the cells, and let no device of a rollout that is over wait for its deadline."""
    r, d = schema.rollouts, schema.rollout_devices
    over = sa.select(r.c.id).where(r.c.state.in_([int(state) for state in _OVER]))
    connection.execute(
        d.update().where(d.c.rollout.in_(over), d.c.offered.is_not(None)).values(failed=d.c.offered)
    )
    cells.recount(Session(connection))
