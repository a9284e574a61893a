"""What the trust benchmark times: one refresh by a device, and the bare signature checks in it.

Content: a timestamp, a catalogue of ten entries, and a notice in nine languages with three signatures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Notice
from bench.measure import Work
from gateway.files import write_atomic
from keys import cose
from keys.algorithms import Algorithm, PublicKey
from keys.trusted import TrustedSet
from tests import helpers

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "ja", "uk")
ENTRIES = 10
ADVISORY = "EX-2026-0001"
SIGNATURES = 5


class GaveWayError(Exception):
    """What was timed did not do what it must."""


@dataclass(frozen=True)
class Refresh:
    """The three documents of one refresh, and what a device has stored before it."""

    stored: bytes
    timestamp: bytes
    catalogue: bytes
    notice: bytes
    algorithm: Algorithm

    @cached_property
    def _started(self) -> TrustedSet:
        return TrustedSet.load(self.stored)

    def load(self) -> TrustedSet:
        """Return a running device's set: its root has been in use, none of the three was accepted yet."""
        started = self._started
        return TrustedSet(started.fleet, started.root_document, started.root)

    def verify(self, trusted: TrustedSet) -> None:
        """Verify everything, and that each document is the one that the document before it names."""
        product, now = helpers.PRODUCT, helpers.NOW
        stamp = trusted.accept(self.timestamp, Timestamp, name=product, subject=product, now=now)
        listed = trusted.accept(self.catalogue, Catalogue, name=product, subject=product, now=now)
        notice = trusted.accept(self.notice, Notice, name=ADVISORY, subject=product, now=now)
        named = {entry[0]: entry[2] for entry in listed.body.notices}
        if stamp.body.catalogue_digest != listed.digest or named[ADVISORY] != notice.digest:
            raise GaveWayError

    def checks(self) -> list[Callable[[], None]]:
        """Return the bare signature checks: keys, signatures and signed bytes are made ready."""
        known = self.load().root.by_kid
        found = []
        for document in (self.timestamp, self.catalogue, self.notice):
            message = cose.parse(document, cose.TAG_SIGN)
            for signature in message.signatures:
                key = known[signature.kid or b""].key
                data = message.to_be_signed(signature, message.payload or b"")
                found.append(bare(key, signature.value, data))
        if len(found) != SIGNATURES:
            raise GaveWayError
        return found

    def work(self) -> Work:
        """Return the verification as something to be timed."""
        return Work(self.verify, self.load)

    def refresh_work(self, folder: Path) -> Work:
        """Return the verification and the storing of its result as something to be timed."""

        def run(trusted: TrustedSet) -> None:
            self.verify(trusted)
            write_atomic(folder / "trust", trusted.dump())

        return Work(run, self.load)

    def start_work(self, folder: Path) -> Work:
        """Return a start, the verification and the storing of its result as something to be timed."""
        state = folder / "trust"

        def run(_: object) -> None:
            trusted = TrustedSet.load(state.read_bytes())
            self.verify(trusted)
            write_atomic(state, trusted.dump())

        return Work(run, lambda: state.write_bytes(self.stored))

    def bare_work(self) -> Work:
        """Return the bare signature checks as something to be timed."""
        checks = self.checks()

        def run(_: object) -> None:
            for check in checks:
                check()

        return Work(run)

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each document, as sent."""
        return {
            "timestamp": len(self.timestamp),
            "catalogue": len(self.catalogue),
            "notice": len(self.notice),
        }


def bare(key: PublicKey, signature: bytes, data: bytes) -> Callable[[], None]:
    """Return the check of one signature by `cryptography`, everything before it done."""
    match key.algorithm:
        case Algorithm.ED25519:
            edwards = ed25519.Ed25519PublicKey.from_public_bytes(key.x)
            return lambda: edwards.verify(signature, data)
        case Algorithm.ML_DSA_44:
            lattice = mldsa.MLDSA44PublicKey.from_public_bytes(key.x)
            return lambda: lattice.verify(signature, data)
    x, y, r, s = (int.from_bytes(part) for part in (key.x, key.y, signature[:32], signature[32:]))
    curve = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    encoded, method = encode_dss_signature(r, s), ec.ECDSA(hashes.SHA256())
    return lambda: curve.verify(encoded, data, method)


def refresh(algorithm: Algorithm = Algorithm.ED25519) -> Refresh:
    """Return the documents of a fleet whose every key is of one algorithm."""
    fleet = helpers.make_fleet(algorithm=algorithm)
    texts = {language: helpers.text(language).digest() for language in LANGUAGES}
    notice = helpers.notice(fleet, texts=texts)
    others = [helpers.notice(fleet, id=f"EX-2026-{number:04}") for number in range(2, ENTRIES + 1)]
    catalogue = helpers.catalogue(fleet, notice, *others)
    return Refresh(
        fleet.trusted().dump(),
        fleet.seal(helpers.timestamp(fleet, catalogue)),
        fleet.seal(catalogue),
        fleet.seal(notice),
        algorithm,
    )
