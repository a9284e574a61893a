"""The table: every attack against every type of message that it applies to, as bytes.

A row needs nothing of this program to be run again: bytes that are trusted already, the type of message,
bytes that are genuine, bytes that are not, a time, and the reason for which they must be refused. So any
other verifier, in any language, can be held to the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from advisories import suit
from advisories.catalogue import Catalogue, DeviceRecord, Devices, Timestamp
from advisories.notice import Notice
from advisories.offer import Answer, Offer
from gateway.core.ingest import Device, examine
from keys.algorithms import Algorithm
from keys.cbor import decode, encode
from keys.codec import pack, unpack
from keys.document import seal
from keys.limits import STATE_BYTES_MAX
from keys.reasons import Reason
from keys.root import Body
from keys.trusted import TrustedSet
from tests.helpers import DEVICE, PRODUCT, Fleet, device_record, make_fleet
from tests.keys.threats import contents, signatures
from tests.keys.threats.attack import Attack
from tests.keys.threats.contents import AT, FLOOR
from tests.keys.threats.drafts import DOCUMENTS, bodies, device, draft, render

ADVISORY = "EX-2026-0001"
CLASSES: dict[str, type[Body]] = {
    "notice": Notice,
    "catalogue": Catalogue,
    "timestamp": Timestamp,
    "offer": Offer,
    "answer": Answer,
    "devices": Devices,
}
_NAMES = {"notice": ADVISORY, "offer": DEVICE, "answer": DEVICE}
ATTACKS: tuple[Attack, ...] = (*signatures.ATTACKS, *contents.ATTACKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One row."""

    name: str
    """``type: attack``; unique."""
    threat: str
    type: str
    """``root-1`` (enrolment), ``root``, ``patch``, ``report``, or a document type."""
    state: bytes
    """What is trusted: a trusted set as stored; the pinned digest of root 1 or nothing for ``root-1``;
    [fleet, device record] for ``report``."""
    genuine: bytes
    """Accepted in this state at this time: the check can say yes."""
    data: bytes
    """The attack."""
    now: int = AT
    reason: Reason
    detail: str = ""
    genuine_type: str = ""
    """Where another type than ``type`` is shown to be accepted first."""
    genuine_now: int | None = None
    """Where that is shown at another time than ``now``."""

    def accepted(self) -> Any:
        """Show the genuine message."""
        now = self.now if self.genuine_now is None else self.genuine_now
        return present(self.genuine_type or self.type, self.state, self.genuine, now)


@cache
def fleet_of(algorithm: Algorithm) -> Fleet:
    return make_fleet(algorithm=algorithm)


@cache
def states(algorithm: Algorithm) -> dict[str, bytes]:
    """Type -> what is trusted before: root 1, and an earlier version of the very document."""
    fleet = fleet_of(algorithm)
    found = dict.fromkeys(("root", "patch"), fleet.trusted().dump())
    record = device_record(fleet, key=device(fleet).public)
    found["report"] = encode([fleet.id, pack(record)])
    for type_ in DOCUMENTS[1:]:
        trusted = fleet.trusted()
        older = replace(bodies(fleet)[type_], version=FLOOR, issued=FLOOR)
        roles = [r for r, n in fleet.root.demands(type_, PRODUCT).items() for _ in range(n)]
        present(type_, trusted, seal(older, fleet.signers(*roles)), AT)
        found[type_] = trusted.dump()
    return found


def present(type_: str, state: bytes | TrustedSet, data: bytes, now: int | None) -> Any:
    """Show a message to the verifier of its type.

    Returns:
        The trusted set afterwards, where there is one, or what the message says.

    Raises:
        RefusedError: what this table is about.
    """
    if type_ == "report":
        assert isinstance(state, bytes)
        fleet, packed = decode(state)
        row = unpack(DeviceRecord, packed)
        registered = Device(row.id, row.product, row.key, row.valid_from, row.valid_to, row.revoked)
        return examine(data, registered, fleet=fleet, now=now or 0)
    if type_ == "root-1":
        assert isinstance(state, bytes)
        return TrustedSet.enrol(data, now, pinned=state or None)
    assert not isinstance(state, bytes) or len(state) <= STATE_BYTES_MAX
    trusted = TrustedSet.load(state) if isinstance(state, bytes) else state
    if type_ == "patch":
        return suit.open_envelope(data, trusted.root, product=PRODUCT)
    if type_ == "root":
        trusted.update_root(data, now)
        return trusted
    name = _NAMES.get(type_, PRODUCT)
    subject = DEVICE if name == DEVICE else PRODUCT
    trusted.accept(data, CLASSES[type_], name=name, subject=subject, product=PRODUCT, now=now)
    return trusted


def altered() -> Iterator[Vector]:
    """Every attack against every type that it applies to."""
    for attack in ATTACKS:
        for type_ in attack.types:
            made = draft(type_, fleet_of(attack.algorithm))
            yield Vector(
                name=f"{type_}: {attack.name}",
                threat=attack.threat,
                type=type_,
                state=states(attack.algorithm)[type_],
                genuine=render(made),
                data=render(attack.alter(made)),
                reason=attack.expected(type_),
                detail=attack.detail,
            )


@cache
def vectors() -> tuple[Vector, ...]:
    """All rows, those of the policy included."""
    from tests.keys.threats import policies  # they need the row's own class

    return (*altered(), *policies.vectors())
