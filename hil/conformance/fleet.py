"""The fleet of the table: keys made from their names, its root, and a genuine body of every type.

The same names give the same keys on every machine. They sign for nobody: never provision them on a device
that somebody uses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, mldsa

from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Action, Notice, Phase, Severity, Text
from advisories.offer import Answer, Consent, Offer
from advisories.versions import Version
from keys.algorithms import Algorithm
from keys.codec import dump
from keys.document import digest, seal
from keys.root import DEFAULT_POLICY, Body, PolicyRow, Root, RootKey
from keys.signer import LocalSigner, from_seed

NOW: Final = 1_800_000_000
"""UTC seconds at which everything was issued; boards are set to a minute later."""
MINUTE, HOUR, DAY = 60, 3_600, 86_400
VERSION: Final[Version] = (1, 4, 1, 0)
"""What a board is provisioned with."""
FIXED: Final[Version] = (1, 4, 2, 0)
"""What the patch brings."""

HOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "root": ("root-1", "root-2", "root-3"),
    "engineering": ("engineer",),
    "legal": ("lawyer", "lawyer-2"),
    "communications": ("speaker",),
    "release": ("releaser",),
    "security": ("guard",),
    "operator": ("operator",),
    "gateway": ("gateway",),
}
"""Role -> who signs for it. Few and short: the root has to fit a small device."""

B = TypeVar("B", bound=Body)


@cache
def key(name: str, algorithm: Algorithm = Algorithm.ED25519) -> LocalSigner:
    """Return the private key that belongs to a name."""
    seed = key_seed(name)
    if algorithm is Algorithm.ED25519:
        return from_seed(seed)
    if algorithm is Algorithm.ML_DSA_44:
        return LocalSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(seed))
    if algorithm is Algorithm.ML_DSA_65:
        return LocalSigner(mldsa.MLDSA65PrivateKey.from_seed_bytes(seed))
    return LocalSigner(ec.derive_private_key(int.from_bytes(seed[:31], "big") + 1, ec.SECP256R1()))


def key_seed(name: str) -> bytes:
    """Return the 32 bytes that a name's key is made from."""
    return hashlib.sha256(f"tocsin conformance {name}".encode()).digest()


def entry(
    name: str, *roles: str, holder: str | None = None, algorithm: Algorithm = Algorithm.ED25519
) -> RootKey:
    """Return a key of the root; its holder has the key's name unless told otherwise."""
    return RootKey(key=key(name, algorithm).public, roles=roles, holder=holder or name)


def root_keys(without: Iterable[str] = ()) -> tuple[RootKey, ...]:
    """Return the keys of the usual root, one a holder."""
    gone = frozenset(without)
    return tuple(entry(name, role) for role, names in HOLDERS.items() for name in names if name not in gone)


def rows(**changes: Mapping[str, int] | None) -> tuple[PolicyRow, ...]:
    """Return the default policy with other rows; None takes one away."""
    table = {**DEFAULT_POLICY, **changes}
    return tuple(PolicyRow(type=type_, demands=dict(row)) for type_, row in table.items() if row is not None)


def row_of(product: str, type_: str, **demands: int) -> PolicyRow:
    """Return a row that is narrowed to one product."""
    return PolicyRow(type=type_, demands=demands, product=product)


def first_root(**changes: Any) -> Root:
    """Return the body of root 1, whatever it says."""
    base = Root(
        type="root",
        fleet=b"",
        subject=(),
        version=1,
        issued=NOW,
        expires=NOW + 365 * DAY,
        keys=root_keys(),
        policy=rows(),
        exercise=False,
    )
    return replace(base, **changes)


@dataclass(frozen=True)
class Fleet:
    """A root 1 with its document; a body of every type that belongs to it."""

    root: Root
    device: str
    product: str
    algorithm: Algorithm = Algorithm.ED25519
    """Of the keys of those who sign, but the root's own."""

    @cached_property
    def root_document(self) -> bytes:
        """Root 1, signed by two holders."""
        return self.signed(self.root, "root-1", "root-2")

    @cached_property
    def id(self) -> bytes:
        """The fleet's name: the digest of its root 1."""
        return digest(self.root_document)

    def signer(self, name: str) -> LocalSigner:
        """Return a holder's key."""
        return key(name, Algorithm.ED25519 if name.startswith("root-") else self.algorithm)

    def signers(self, type_: str) -> tuple[str, ...]:
        """Return who signs a document of this type: the first holders of every role of its row."""
        row = self.root.demands(type_, self.product)
        return tuple(name for role, count in row.items() for name in HOLDERS[role][:count])

    def signed(self, body: Body, *names: str) -> bytes:
        """Return the document, signed by these holders, or else by those that its row asks for."""
        return seal(body, [self.signer(name) for name in names or self.signers(body.TYPE)])

    def next_root(self, **changes: Any) -> Root:
        """Return the body of root 2: the same keys and policy unless told otherwise."""
        return replace(self.root, **{"fleet": self.id, "version": 2, "issued": NOW + 1, **changes})

    # A genuine body of every type; any field by keyword.

    def notice(self, **fields: Any) -> Notice:
        """A notice that affects what the board runs, in the given ``texts`` or in one English one."""
        base: dict[str, Any] = {
            "id": "EX-2027-0001",
            "revision": 1,
            "phase": Phase.INITIAL,
            "exercise": self.root.exercise,
            "severity": Severity.HIGH,
            "affected": {self.product: (((1, 0, 0, 0), FIXED),)},
            "action": Action.ACT_NOW,
            "texts": {"en": text().digest()},
            "release_list": hashlib.sha256(b"release list").digest(),
        }
        return self._made(Notice, 90 * DAY, {**base, **fields})

    def catalogue(self, *notices: Notice, **fields: Any) -> Catalogue:
        """A catalogue that names these notices, and ``patches``."""
        entries = tuple((n.id, n.revision, hashlib.sha256(dump(n)).digest()) for n in notices)
        return self._made(Catalogue, 30 * DAY, {"notices": entries, "patches": (), **fields})

    def timestamp(self, of: Catalogue | None = None, **fields: Any) -> Timestamp:
        """A timestamp over a catalogue, or over an empty one."""
        of = of or self.catalogue()
        base: dict[str, Any] = {
            "root_version": self.root.version,
            "catalogue_version": of.version,
            "catalogue_digest": hashlib.sha256(dump(of)).digest(),
            "audit_head": hashlib.sha256(b"audit").digest(),
        }
        return self._made(Timestamp, 6 * HOUR, {**base, **fields})

    def offer(self, **fields: Any) -> Offer:
        """An offer of patch 7 to the board."""
        base: dict[str, Any] = {
            "subject": (self.device,),
            "product": self.product,
            "sequence": 7,
            "digest": hashlib.sha256(b"manifest").digest(),
            "catalogue_version": NOW,
            "deadline": NOW + 3 * DAY,
            "consent": Consent.ASK,
            "cancel": False,
        }
        return self._made(Offer, 3 * DAY, {**base, **fields})

    def answer(self, **fields: Any) -> Answer:
        """An answer to the board."""
        base: dict[str, Any] = {
            "subject": (self.device,),
            "nonce": bytes(16),
            "receipt": None,
            "journal_count": 0,
            "next_nonce": bytes(range(16)),
        }
        return self._made(Answer, HOUR, {**base, **fields})

    def body(self, type_: str, **fields: Any) -> Body:
        """The genuine body of a type."""
        if type_ == "root":
            return self.next_root(**fields)
        made: Body = getattr(self, type_)(**fields)
        return made

    def _made(self, cls: type[B], lifetime: int, fields: dict[str, Any]) -> B:
        issued = fields.get("issued", NOW)
        common: dict[str, Any] = {
            "type": cls.TYPE,
            "fleet": self.id,
            "subject": (self.product,),
            "version": issued,
            "issued": issued,
            "expires": issued + lifetime,
        }
        return cls(**{**common, **fields})


def text(language: str = "en", **fields: Any) -> Text:
    """Return the words of the notice."""
    base = {
        "language": language,
        "title": "Update your device",
        "action": "Install version 1.4.2 when your device offers it.",
        "happened": "Someone on your network could change a setting.",
        "affected": "Versions 1.0.0 to 1.4.1.",
        "doing": "We have fixed the fault.",
        "contact": "security@example.com",
    }
    return Text(**{**base, **fields})
