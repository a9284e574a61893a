"""Deterministic fixtures: a fleet with its root and keys, and a valid document of every kind.

Every key comes from its name, so the same call gives the same bytes on every machine.

    fleet = make_fleet()
    header = notice(fleet, revision=2)          # a body; any field by keyword
    document = fleet.seal(header)               # signed by every role that its policy row names
    half = fleet.seal(header, "engineering")    # signed by these roles only
    trusted = fleet.trusted()                   # what a device of this fleet starts with
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, mldsa

from advisories.catalogue import Catalogue, DeviceRecord, Devices, Timestamp
from advisories.notice import Action, Notice, Phase, Severity, Text
from advisories.offer import Answer, Consent, Offer
from advisories.report import Report, journal_genesis, seal_report
from keys.algorithms import Algorithm
from keys.codec import dump
from keys.document import digest, seal
from keys.root import DEFAULT_POLICY, Body, PolicyRow, Root, RootKey, checked
from keys.signer import LocalSigner, from_seed
from keys.trusted import TrustedSet

NOW = 1_800_000_000
"""UTC seconds at which every fixture was issued, unless told otherwise."""
HOUR, DAY = 3_600, 86_400
PRODUCT = "thermostat"
DEVICE = "device-0001"

HOLDERS: Mapping[str, tuple[str, ...]] = {
    "root": ("root-1", "root-2", "root-3"),
    "engineering": ("engineering-1", "engineering-2"),
    "legal": ("legal-1", "legal-2"),
    "communications": ("communications-1",),
    "release": ("release-1",),
    "security": ("security-1",),
    "operator": ("operator-1",),
    "gateway": ("gateway-1",),
}
"""Role -> holders; each holder has one key, and signs for one role."""

B = TypeVar("B", bound=Body)
R = TypeVar("R")


def key(name: str, algorithm: Algorithm = Algorithm.ED25519) -> LocalSigner:
    """The private key that belongs to a name."""
    seed = hashlib.sha256(f"tocsin test key {name}".encode()).digest()
    match algorithm:
        case Algorithm.ED25519:
            return from_seed(seed)
        case Algorithm.ML_DSA_44:
            return LocalSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(seed))
        case Algorithm.ML_DSA_65:
            return LocalSigner(mldsa.MLDSA65PrivateKey.from_seed_bytes(seed))
    return LocalSigner(ec.derive_private_key(int.from_bytes(seed[:31], "big") + 1, ec.SECP256R1()))


def policy(demands: Mapping[str, Mapping[str, int]] = DEFAULT_POLICY) -> tuple[PolicyRow, ...]:
    """The rows of a policy table that holds for every product."""
    return tuple(PolicyRow(type=type_, demands=dict(row)) for type_, row in demands.items())


def root_keys(
    holders: Mapping[str, tuple[str, ...]] = HOLDERS, algorithm: Algorithm = Algorithm.ED25519
) -> tuple[RootKey, ...]:
    """The root's keys, one a holder."""
    return tuple(
        RootKey(key=key(name, algorithm).public, roles=(role,), holder=name)
        for role, names in holders.items()
        for name in names
    )


def make_root(**changes: Any) -> Root:
    """A valid root 1; not checked, so that a test can also make an invalid one."""
    base = Root(
        type="root",
        fleet=b"",
        subject=(),
        version=1,
        issued=NOW,
        expires=NOW + 365 * DAY,
        keys=root_keys(),
        policy=policy(),
        exercise=False,
    )
    return replace(base, **changes)


@dataclass(frozen=True)
class Fleet:
    """A root 1 in force, with every private key at hand."""

    root_document: bytes
    root: Root
    products: tuple[str, ...]
    now: int
    algorithm: Algorithm

    @cached_property
    def id(self) -> bytes:
        """The fleet's name: the digest of its root 1."""
        return digest(self.root_document)

    def holder(self, name: str) -> LocalSigner:
        """The key of one holder, e.g. ``legal-2``."""
        return key(name, self.algorithm)

    def signer(self, role: str) -> LocalSigner:
        """The key of the role's first holder."""
        return self.holder(HOLDERS[role][0])

    def signers(self, *roles: str) -> list[LocalSigner]:
        """A key for each role; a role named twice gives its first and second holder."""
        seen: Counter[str] = Counter()
        found = []
        for role in roles:
            found.append(self.holder(HOLDERS[role][seen[role]]))
            seen[role] += 1
        return found

    def seal(self, body: Body, *roles: str) -> bytes:
        """The document, signed by ``roles`` or else by everyone whom its policy row names."""
        demanded = self.root.demands(body.TYPE, body.subject[0] if body.subject else None)
        return seal(body, self.signers(*(roles or Counter(demanded).elements())))

    def trusted(self) -> TrustedSet:
        """What a device or gateway knows after it has been enrolled."""
        return TrustedSet.enrol(self.root_document, self.now)

    def next_root(self, **changes: Any) -> Root:
        """The body of root 2, issued a day later, with the same keys unless told otherwise."""
        base = replace(
            self.root,
            fleet=self.id,
            version=2,
            issued=self.now + DAY,
            expires=self.now + 366 * DAY,
        )
        return replace(base, **changes)

    def device(self, id: str = DEVICE, product: str = PRODUCT) -> LocalSigner:  # noqa: A002 - the wire's own word
        """The key of one device."""
        return key(f"device {product} {id}")

    def report(self, body: Report) -> bytes:
        """The report, signed by its device."""
        return seal_report(body, self.device(body.device, body.product))


def make_fleet(
    products: tuple[str, ...] = (PRODUCT,),
    *,
    exercise: bool = False,
    now: int = NOW,
    algorithm: Algorithm = Algorithm.ED25519,
    **changes: Any,
) -> Fleet:
    """A fleet: three root keys of which two sign, every other role with one or two holders."""
    fields: dict[str, Any] = {
        "issued": now,
        "expires": now + 365 * DAY,
        "exercise": exercise,
        "keys": root_keys(algorithm=algorithm),
        **changes,
    }
    root = checked(make_root(**fields))
    document = seal(root, [key(name, algorithm) for name in HOLDERS["root"][:2]])
    return Fleet(document, root, products, now, algorithm)


def _make(cls: type[B], fleet: Fleet, lifetime: int | None, fields: dict[str, Any]) -> B:
    common: dict[str, Any] = {
        "type": cls.TYPE,
        "fleet": fleet.id,
        "subject": fleet.products[:1],
        "version": fields.get("issued", fleet.now),
        "issued": fleet.now,
    }
    if lifetime is not None:
        common["expires"] = fields.get("issued", fleet.now) + lifetime
    return cls(**{**common, **fields})


def text(language: str = "en", **fields: Any) -> Text:
    """The words of the example notice."""
    base = {
        "language": language,
        "title": "Update your thermostat",
        "action": "Install version 1.4.2 when your device offers it.",
        "happened": "Someone on your home network could change the set temperature.",
        "affected": "Versions 1.0.0 to 1.4.1.",
        "doing": "We have fixed the fault and are sending the update to every device.",
        "contact": "security@example.com",
    }
    return Text(**{**base, **fields})


def notice(fleet: Fleet, **fields: Any) -> Notice:
    """A notice of two languages over all the fleet's products; affects 1.0.0 up to 1.4.2."""
    base: dict[str, Any] = {
        "subject": fleet.products,
        "id": "EX-2026-0001",
        "revision": 1,
        "phase": Phase.INITIAL,
        "exercise": fleet.root.exercise,
        "severity": Severity.HIGH,
        "affected": dict.fromkeys(fleet.products, (((1, 0, 0, 0), (1, 4, 2, 0)),)),
        "action": Action.ACT_NOW,
        "texts": {language: text(language).digest() for language in ("en", "de")},
        "release_list": hashlib.sha256(b"release list").digest(),
    }
    return _make(Notice, fleet, 90 * DAY, {**base, **fields})


def catalogue(fleet: Fleet, *notices: Notice, **fields: Any) -> Catalogue:
    """The first product's catalogue, naming these notices."""
    entries = tuple((n.id, n.revision, hashlib.sha256(dump(n)).digest()) for n in notices)
    return _make(Catalogue, fleet, 30 * DAY, {"notices": entries, "patches": (), **fields})


def timestamp(fleet: Fleet, of: Catalogue | None = None, **fields: Any) -> Timestamp:
    """A timestamp of six hours over a catalogue (an empty one unless given)."""
    of = of or catalogue(fleet)
    base: dict[str, Any] = {
        "subject": of.subject,
        "root_version": fleet.root.version,
        "catalogue_version": of.version,
        "catalogue_digest": hashlib.sha256(dump(of)).digest(),
        "audit_head": bytes(32),
    }
    return _make(Timestamp, fleet, 6 * HOUR, {**base, **fields})


def offer(fleet: Fleet, device: str = DEVICE, **fields: Any) -> Offer:
    """An offer of patch 7 to one device."""
    base: dict[str, Any] = {
        "subject": (device,),
        "product": fleet.products[0],
        "sequence": 7,
        "digest": hashlib.sha256(b"manifest").digest(),
        "catalogue_version": fleet.now,
        "deadline": fleet.now + 3 * DAY,
        "consent": Consent.AS_OWNER_SET,
        "cancel": False,
    }
    return _make(Offer, fleet, 3 * DAY, {**base, **fields})


def answer(fleet: Fleet, device: str = DEVICE, **fields: Any) -> Answer:
    """A receipt for one device's first report."""
    base: dict[str, Any] = {
        "subject": (device,),
        "nonce": bytes(16),
        "receipt": (1, 1),
        "journal_count": 0,
        "next_nonce": bytes(range(16)),
    }
    return _make(Answer, fleet, HOUR // 4, {**base, **fields})


def device_record(fleet: Fleet, id: str = DEVICE, product: str | None = None, **fields: Any) -> DeviceRecord:  # noqa: A002 - the wire's own word
    """One device that may report for a year."""
    product = product or fleet.products[0]
    base: dict[str, Any] = {
        "id": id,
        "product": product,
        "key": fleet.device(id, product).public,
        "valid_from": fleet.now,
        "valid_to": fleet.now + 365 * DAY,
        "revoked": False,
    }
    return DeviceRecord(**{**base, **fields})


def devices(fleet: Fleet, *records: DeviceRecord, **fields: Any) -> Devices:
    """A document of device records (one of the default device unless given)."""
    base: dict[str, Any] = {"records": records or (device_record(fleet),)}
    return _make(Devices, fleet, None, {**base, **fields})


def report(fleet: Fleet, device: str = DEVICE, **fields: Any) -> Report:
    """A first report, with nothing in its journal."""
    base: dict[str, Any] = {
        "subject": (device,),
        "version": 1,
        "product": fleet.products[0],
        "installed": (1, 4, 1, 0),
        "boot_epoch": 1,
        "root_version": fleet.root.version,
        "nonce": bytes(16),
        "notices": (),
        "patches": (),
        "journal_count": 0,
        "journal_head": journal_genesis(fleet.id, device),
        "journal": (),
        "language": "en",
    }
    return _make(Report, fleet, None, {**base, **fields})
