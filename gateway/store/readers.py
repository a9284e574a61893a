"""Who could read it: nothing is published that an active device of its product could not verify.

What a device can verify depends on the firmware that it runs. Its newest report says so; before the first
one, or where the report is silent, its operator-signed record does; and who never said is taken for
``keys.algorithms.UNDECLARED``. A device is active while it is registered, not revoked, and its record's
time is not over. Every question is put to the code that a device runs, restricted to what that device can
verify, so that gateway and device cannot come to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from advisories.abilities import parse_algorithms
from gateway.store import schema
from gateway.store.engine import Session
from keys.algorithms import UNDECLARED, Algorithm
from keys.errors import InputError, RefusedError
from keys.root import Root
from keys.trusted import TrustedSet

NOT_FOR_DEVICES: Final = frozenset({"devices"})
"""Types that no device reads: their rows may demand whatever the gateway itself can verify."""
MEND: Final = "Move them with a patch first, or revoke those that are gone."
MEND_WARNING: Final = f"{MEND} To warn the others meanwhile, say --leave-behind."
NAMED_MAX: Final = 3  # devices named in a refusal; the others are counted

_D, _S = schema.devices, schema.device_states
_SAID: Final = sa.func.coalesce(_S.c.algorithms, _D.c.algorithms, sa.literal_column("''"))
_JOINED: Final = _D.outerjoin(_S, _D.c.id == _S.c.device)


@dataclass(frozen=True, slots=True)
class Readers:
    """The active devices of one product that can verify the same."""

    product: str
    algorithms: frozenset[Algorithm]
    count: int
    said: str
    """How the store writes what they can verify; empty where nobody ever said."""


def active_readers(
    session: Session, now: float, *, product: str | None = None, devices: Collection[str] | None = None
) -> list[Readers]:
    """Return the active devices by product and by what they can verify.

    Args:
        session: a transaction.
        now: UTC seconds.
        product: only of this product.
        devices: only these ids.
    """
    query = (
        sa.select(_D.c.product, _SAID, sa.func.count())
        .select_from(_JOINED)
        .where(*_active(now, product, devices))
        .group_by(_D.c.product, _SAID)
        .order_by(_D.c.product, _SAID)
    )
    return [
        Readers(name, parse_algorithms(said) if said else UNDECLARED, count, said)
        for name, said, count in session.connection.execute(query)
    ]


def _active(now: float, product: str | None, devices: Collection[str] | None) -> list[Any]:
    found = [_D.c.revoked.is_(False), _D.c.valid_to > now]
    if product is not None:
        found.append(_D.c.product == product)
    if devices is not None:
        found.append(_D.c.id.in_(sorted(devices)))
    return found


def require(
    session: Session,
    product: str,
    what: str,
    now: float,
    open_with: Callable[[frozenset[Algorithm]], object],
    *,
    mend: str = MEND,
) -> None:
    """Refuse a document of one product that an active device of it could not verify.

    Args:
        session: a transaction.
        product: whose devices read it.
        what: what it is called in the refusal.
        now: UTC seconds.
        open_with: opens the document, which is genuine, as a device would that can verify only these.
        mend: what the operator can do about it.

    Raises:
        InputError: DEVICES_CANNOT_VERIFY.
    """
    groups = active_readers(session, now, product=product)
    _require_all(session, groups, now, lambda group: (what, _refusal(open_with, group.algorithms)), mend=mend)


def require_root(
    session: Session, now: float, *, successor: bytes | None = None, devices: Collection[str] | None = None
) -> None:
    """Refuse a root that active devices could not reach from root 1, or whose rows they could not read.

    Args:
        session: a transaction.
        now: UTC seconds.
        successor: a root to be published; None asks about the newest one that is.
        devices: only these ids, such as those about to be registered.

    Raises:
        InputError: DEVICES_CANNOT_VERIFY.
    """
    chain = [row.bytes for row in session.documents(Root.TYPE)] + ([successor] if successor else [])

    def fault(group: Readers) -> tuple[str, str]:
        try:
            root = _walk(chain, group.algorithms)
        except RefusedError as error:
            return f"root {len(chain)}", error.detail or error.reason.means
        for kind in sorted({row.type for row in root.policy} - NOT_FOR_DEVICES):
            roles = root.unreadable(kind, group.product, group.algorithms)
            if roles:
                lacking = f"no key that they can use for {', '.join(roles)}"
                return f"a {kind} under root {root.version}", lacking
        return "", ""

    groups = active_readers(session, now, devices=devices) if chain else []
    _require_all(session, groups, now, fault, devices)


def _walk(chain: list[bytes], algorithms: frozenset[Algorithm]) -> Root:
    trusted = TrustedSet.enrol(chain[0], None, algorithms=algorithms)
    for document in chain[1:]:
        trusted.update_root(document, None)
    return trusted.root


def _refusal(open_with: Callable[[frozenset[Algorithm]], object], algorithms: frozenset[Algorithm]) -> str:
    """Return why it is refused by who can verify only these; empty when it is not."""
    try:
        open_with(algorithms)
    except RefusedError as error:
        return error.detail or error.reason.means
    return ""


def _require_all(
    session: Session,
    groups: list[Readers],
    now: float,
    fault: Callable[[Readers], tuple[str, str]],
    devices: Collection[str] | None = None,
    *,
    mend: str = MEND,
) -> None:
    """Refuse with the first product that has a fault, all its devices counted that have one."""
    faults = {(group.product, group.said): fault(group) for group in groups}
    blind = [group for group in groups if faults[group.product, group.said][1]]
    if not blind:
        return
    product = blind[0].product
    what, why = faults[product, blind[0].said]
    mine = [group for group in blind if group.product == product]
    count = sum(group.count for group in mine)
    query = (
        sa.select(_D.c.id)
        .select_from(_JOINED)
        .where(*_active(now, product, devices), _SAID.in_([group.said for group in mine]))
        .order_by(_D.c.id)
        .limit(NAMED_MAX)
    )
    named = ", ".join(session.connection.execute(query).scalars())
    others = f" and {count - NAMED_MAX} more" if count > NAMED_MAX else ""
    raise InputError(
        "DEVICES_CANNOT_VERIFY",
        f"{count} active {'devices' if count > 1 else 'device'} of '{product}' could not verify {what}"
        f" ({why}): {named}{others}.",
        mend=mend,
    )


__all__ = ["Readers", "active_readers", "require", "require_root"]
