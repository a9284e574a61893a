"""What the gateway's store says about the demo: the only source of its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from advisories.report import Track
from advisories.states import NoticeState, PatchState
from gateway.cli.demo.cast import Outcome
from gateway.cli.demo.stage import ADVISORY
from gateway.core.rollout import RolloutState
from gateway.store import schema
from gateway.store.engine import Session, Store
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Measured:
    """One look into the store."""

    reporting: frozenset[str]
    """Devices that have reported."""
    delivered: frozenset[str]
    verified: frozenset[str]
    shown: frozenset[str]
    acknowledged: frozenset[str]
    confirmed: frozenset[str]
    """Devices that know by catalogue and timestamp that the notice is current."""
    patched: frozenset[str]
    reverted: frozenset[str]
    at_rest: frozenset[str]
    """Devices whose patch has come to an end of any kind."""
    refused: dict[str, int]
    stopped: frozenset[str] = frozenset()
    """Rollouts that have been stopped."""

    def outcome(self) -> Outcome:
        """Return the numbers of ``summary.json``."""
        return Outcome(
            devices=len(self.reporting),
            verified=len(self.verified),
            shown=len(self.shown),
            acknowledged=len(self.acknowledged),
            patched=len(self.patched),
            reverted=len(self.reverted),
            refused=self.refused,
        )

    def bars(self) -> dict[str, int]:
        """Return the numbers of the funnel."""
        return {
            "delivered": len(self.delivered),
            "shown": len(self.shown),
            "acknowledged": len(self.acknowledged),
            "patched": len(self.patched),
        }


_ENDED = (PatchState.SUCCEEDED, PatchState.ROLLED_BACK, PatchState.ALREADY_INSTALLED)


def look(store: Store) -> Measured:
    """Read everything that the demo waits for and ends with."""
    n, p, d, r = schema.notice_states, schema.patch_states, schema.device_states, schema.rollouts
    with store.read() as session:
        query = sa.select(n).where(n.c.advisory == ADVISORY, n.c.state != int(NoticeState.REJECTED))
        notices = session.connection.execute(query).all()
        patches = session.connection.execute(sa.select(p.c.device, p.c.state)).all()
        return Measured(
            reporting=frozenset(session.connection.execute(sa.select(d.c.device)).scalars()),
            delivered=frozenset(row.device for row in notices),
            verified=frozenset(row.device for row in notices if row.verified is not None),
            shown=frozenset(row.device for row in notices if row.shown is not None),
            acknowledged=frozenset(row.device for row in notices if row.acknowledged is not None),
            confirmed=frozenset(row.device for row in notices if row.confirmed is not None),
            patched=frozenset(row.device for row in patches if row.state == PatchState.SUCCEEDED),
            reverted=frozenset(row.device for row in patches if row.state == PatchState.ROLLED_BACK),
            at_rest=frozenset(row.device for row in patches if row.state in _ENDED),
            refused=_refused(session),
            stopped=frozenset(
                session.connection.execute(
                    sa.select(r.c.id).where(r.c.state == int(RolloutState.STOPPED))
                ).scalars()
            ),
        )


def _refused(session: Session) -> dict[str, int]:
    """Count what devices refused, from their journals: documents, notices, and downloads that did not fit.

    A device that meets the same bytes again, because a run was interrupted and gone on with, counts once.
    """
    j = schema.journal
    refused = sa.or_(
        j.c.track == int(Track.REFUSAL),
        sa.and_(j.c.track == int(Track.NOTICE), j.c.new == int(NoticeState.REJECTED)),
        sa.and_(j.c.track == int(Track.PATCH), j.c.reason == int(Reason.DIGEST_MISMATCH)),
    )
    once = sa.select(j.c.device, j.c.reason, j.c.digest).where(refused).distinct().subquery()
    query = sa.select(once.c.reason, sa.func.count()).group_by(once.c.reason)
    return {Reason(reason).name: int(count) for reason, count in session.connection.execute(query)}


def publish_to_shown(store: Store) -> dict[str, float]:
    """Return p50 and p99 of the seconds from publishing until a device's report said SHOWN.

    Every device counts, also the one that was offline until late. Both times are the gateway's clock:
    a journal's times are whole seconds.
    """
    a, n = schema.advisories, schema.notice_states
    with store.read() as session:
        published = session.connection.execute(
            sa.select(sa.func.min(a.c.published)).where(a.c.id == ADVISORY)
        ).scalar()
        query = sa.select(n.c.shown_received).where(n.c.advisory == ADVISORY, n.c.shown_received.is_not(None))
        waits = sorted(
            float(at) - float(published or 0) for at in session.connection.execute(query).scalars()
        )
    return {f"publish_to_shown_p{share}": round(_percentile(waits, share), 3) for share in (50, 99)}


def _percentile(ordered: Sequence[float], share: int) -> float:
    """Nearest rank: the smallest value that ``share`` per cent do not exceed; 0 of nothing."""
    return ordered[math.ceil(share / 100 * len(ordered)) - 1] if ordered else 0.0
