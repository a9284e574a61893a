"""Real bytes for what the reference model speaks of by name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice
from advisories.offer import Answer, Offer
from keys.algorithms import PublicKey
from keys.document import digest, seal
from keys.root import Body, PolicyRow, Root, RootKey
from keys.signer import LocalSigner
from tests import helpers
from tests.keys.model.reference import Charter, Row, Sealed, Seat, Statement

NOW = helpers.NOW
YEAR = 365 * helpers.DAY
PRODUCTS = ("thermostat", "doorbell")
OURS, THEIRS = "ours", "theirs"

SEATS = (
    *(Seat(f"root-{n}", f"keeper-{n}", ("root",)) for n in (1, 2, 3, 4)),
    Seat("engineering-1", "ada", ("engineering",)),
    Seat("engineering-2", "ada", ("engineering", "security")),
    Seat("legal-1", "grace", ("legal",)),
    Seat("legal-2", "max", ("legal", "engineering", "communications")),
    Seat("communications-1", "emmy", ("communications",)),
    Seat("operator-1", "line-1", ("operator",)),
    Seat("operator-2", "line-2", ("operator", "gateway")),
    Seat("gateway-1", "box-1", ("gateway",)),
    Seat("gateway-2", "box-2", ("gateway",)),
)
"""One holder with two keys, one with three roles, machines with spares."""
SPARES = (
    Seat("root-5", "keeper-5", ("root",)),
    Seat("gateway-3", "box-3", ("gateway",)),
    Seat("operator-3", "line-1", ("operator",)),
    Seat("legal-3", "iris", ("legal",)),
)
STRANGER = "stranger"

DEMANDS: dict[str, dict[str, int]] = {
    "root": {"root": 2},
    "notice": {"engineering": 1, "legal": 1, "communications": 1},
    "devices": {"operator": 1},
    "catalogue": {"operator": 1},
    "timestamp": {"gateway": 1},
    "offer": {"gateway": 1},
    "answer": {"gateway": 1},
}
CHARTER_1 = Charter(
    fleet="",
    version=1,
    issued=NOW,
    expires=NOW + YEAR,
    seats=SEATS,
    rows=tuple(Row(type_, None, tuple(demand.items())) for type_, demand in DEMANDS.items()),
)
ROOT_1 = Sealed(CHARTER_1, ("root-1", "root-2"))

CLASSES: dict[str, type[Body]] = {
    cls.TYPE: cls for cls in (Notice, Devices, Catalogue, Timestamp, Offer, Answer, Root)
}
STATEMENTS = tuple(type_ for type_ in CLASSES if type_ != Root.TYPE)


class Rubbish:
    """Signs with the right name and the wrong bits."""

    def __init__(self, signer: LocalSigner) -> None:
        self._signer = signer

    @property
    def public(self) -> PublicKey:
        return self._signer.public

    def sign(self, data: bytes) -> bytes:
        return self._signer.sign(data + b"other")


key = lru_cache(maxsize=64)(helpers.key)


def _root(charter: Charter) -> Root:
    return Root(
        type="root",
        fleet=_fleet(charter.fleet),
        subject=(),
        version=charter.version,
        issued=charter.issued,
        expires=charter.expires,
        keys=tuple(RootKey(key=key(s.key).public, roles=s.roles, holder=s.holder) for s in charter.seats),
        policy=tuple(PolicyRow(type=r.type, product=r.product, demands=dict(r.demand)) for r in charter.rows),
        exercise=charter.exercise,
    )


def _fleet(name: str) -> bytes:
    return {"": b"", OURS: FLEET}.get(name, hashlib.sha256(name.encode()).digest())


def _body(statement: Statement) -> Body:
    content = hashlib.sha256(str(statement.content).encode()).digest()
    fields: dict[str, Any] = {
        "subject": statement.about,
        "version": statement.version,
        "issued": statement.issued,
        "expires": statement.expires,
        "author": statement.author,
    }
    match statement.type:
        case "notice":
            fields |= {"id": statement.advisory, "release_list": content, "affected": {}}
        case "catalogue":
            fields |= {"patches": ((7, content),)}
        case "timestamp":
            fields |= {"audit_head": content}
        case "offer":
            fields |= {"digest": content}
        case "answer":
            fields |= {"next_nonce": content[:16]}
        case _:
            fields |= {"records": (helpers.device_record(_FLEET, f"device-{statement.content}"),)}
    body: Body = getattr(helpers, statement.type)(_FLEET, **fields)
    return replace(body, fleet=_fleet(statement.fleet))


@lru_cache(maxsize=4_096)
def document(sealed: Sealed) -> bytes:
    """The bytes that were meant."""
    body = _root(sealed.body) if isinstance(sealed.body, Charter) else _body(sealed.body)
    return seal(body, [*(Rubbish(key(name)) for name in sealed.forged), *map(key, sealed.signed)])


def thumbprint(name: str) -> bytes:
    """What stands in a signature for a key's name."""
    return key(name).public.thumbprint


FLEET = b""
DOCUMENT_1 = document(ROOT_1)  # its fleet is empty: root 1 is what names it
FLEET = digest(DOCUMENT_1)
_FLEET = helpers.Fleet(DOCUMENT_1, _root(CHARTER_1), PRODUCTS, NOW, key("root-1").public.algorithm)
