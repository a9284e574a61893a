"""When owners were told of a matter and when their devices were mended, whichever revision it was."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from advisories.notice import Notice
from advisories.report import Track
from advisories.states import NOTICE_RESETS, PATCH_PROVEN, NoticeState
from advisories.versions import parse_version
from gateway.store import schema
from gateway.store.engine import Session

_TAKEN_BACK: Final = {(int(old), int(new)) for old, new in NOTICE_RESETS.items()}
_STEPS: Final = sorted({int(NoticeState.SHOWN), *(new for _, new in _TAKEN_BACK)})


@dataclass(frozen=True, slots=True)
class Owners:
    """The owners whom a matter concerned, at any time. UTC seconds, by the gateway's clock."""

    affected: int
    shown: Sequence[float]
    """When each was first shown the matter."""
    patched: Sequence[float]
    """When the device of each first ran a patch that a revision names."""


def owners(session: Session, advisory: str, notices: Collection[Notice]) -> Owners:
    """Return whom an advisory concerned, and what came of it.

    Where a device stands is about the newest revision alone, and that concerns nobody who runs the fix: what
    earlier revisions came to is in the journals. Devices that are revoked by now do not count.

    Args:
        session: any.
        advisory: its id.
        notices: every published revision of it.
    """
    shown, patched = _shown(session, advisory), _patched(session, notices)
    concerned = _named(session, notices) | shown.keys() | patched.keys()
    registered = concerned & _registered(session)
    return Owners(
        len(registered),
        [at for device, at in shown.items() if device in registered],
        [at for device, at in patched.items() if device in registered],
    )


def _registered(session: Session) -> set[str]:
    d = schema.devices
    return set(session.connection.execute(sa.select(d.c.id).where(d.c.revoked.is_(False))).scalars())


def _named(session: Session, notices: Collection[Notice]) -> set[str]:
    """Return the devices that run a version which a revision names."""
    d, s = schema.devices, schema.device_states
    query = sa.select(d.c.id, d.c.product, s.c.installed).select_from(d.join(s, s.c.device == d.c.id))
    found = set()
    for device, product, installed in session.connection.execute(query):
        version = parse_version(installed)
        if any(notice.affects(product, version) for notice in notices):
            found.add(device)
    return found


def _shown(session: Session, advisory: str) -> dict[str, float]:
    """Return when each device that showed the matter did so first, since it last changed hands."""
    n, j = schema.notice_states, schema.journal
    steps = (
        sa.select(j.c.device, j.c.old, j.c.new, sa.func.coalesce(j.c.received, j.c.time))
        .where(j.c.track == int(Track.NOTICE), j.c.name == advisory, j.c.new.in_(_STEPS))
        .order_by(j.c.device, j.c.life, j.c.index)
    )
    found: dict[str, float] = {}
    for device, old, new, at in session.connection.execute(steps):
        if (old, new) in _TAKEN_BACK:  # a factory reset: whoever has the device now was told nothing before
            found.pop(device, None)
        elif new == NoticeState.SHOWN:
            found.setdefault(device, float(at))
    stands = sa.select(n.c.device, n.c.shown_received).where(n.c.advisory == advisory)
    for device, at in session.connection.execute(stands.where(n.c.shown_received.is_not(None))):
        found[device] = min(found.get(device, at), float(at))
    return found


def _patched(session: Session, notices: Collection[Notice]) -> dict[str, float]:
    named = {digest for each in notices for patches in (each.patches or {}).values() for digest in patches}
    p = schema.patch_states
    query = (
        sa.select(p.c.device, sa.func.min(p.c.changed))
        .where(p.c.digest.in_(sorted(named)), p.c.state.in_(sorted(map(int, PATCH_PROVEN))))
        .group_by(p.c.device)
    )
    return {device: float(at) for device, at in session.connection.execute(query)}
