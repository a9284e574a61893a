"""What a device says: its states and hash-chained journal, signed; and what it is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar

from advisories import limits
from advisories.abilities import ALGORITHMS
from advisories.states import NoticeState, PatchState, Surface
from advisories.versions import VERSION, Version
from keys import cose
from keys.algorithms import SIGNATURE_BYTES, Algorithm, PublicKey
from keys.cbor import decode, encode
from keys.codec import at, blob, choice, dump, ident, load, many, record, row, text, uint, unpack
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Body
from keys.signer import Signer

_ID = text(limits.ID_BYTES_MAX)
_DIGEST = blob(32)
_NONCE = blob(16)
_TYP = "tocsin/report"
_ENVELOPE_BYTES = 65  # at most, of COSE_Sign1 around a large body and its signature: tag, headers, lengths
EXTERNAL_AAD = b"tocsin report"
"""Bound into every report's signature, so that no other signature of a device's key can pass for one."""


FACTORY_RESET = "factory reset"
"""Name of the journal entry behind which :data:`advisories.states.NOTICE_RESETS` are legal."""


class Track(IntEnum):
    """What a journal entry is about."""

    NOTICE = 0
    PATCH = 1
    REFUSAL = 2
    """A document refused before it became a notice or patch: ``name`` is its type."""
    DEVICE = 3
    """Boot, reset, clock: ``name`` says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStatus:
    """Where one advisory stands on this device now."""

    id: str = at(1, _ID)
    revision: int = at(2, uint(65_535))
    digest: bytes = at(3, _DIGEST)
    state: NoticeState = at(4, choice(NoticeState))
    time: int = at(5, uint())
    """UTC seconds of the last transition, by the device's idea of time."""
    reason: Reason = at(6, choice(Reason))
    """OK; STALE while shown as "not confirmed current"; DISPLAY_FAILED or FONT_MISSING while the surface does
    not show it (any more); a refusal's reason when REJECTED."""
    surface: Surface = at(7, choice(Surface))
    language: str | None = at(8, text(limits.LANGUAGE_BYTES_MAX), optional=True)
    confirmed: int | None = at(9, uint(), optional=True)
    """UTC seconds when catalogue and timestamp first confirmed it as current."""


class Agreed(IntEnum):
    """How the owner agreed to a patch."""

    ASKED = 0
    """Said yes to what the device showed."""
    URGENT = 1
    """Agreed beforehand to urgent security patches."""
    ALWAYS = 2
    """Agreed beforehand to every patch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """The owner's consent to one patch, bound to what was shown."""

    how: Agreed = at(1, choice(Agreed))
    time: int = at(2, uint())
    """UTC seconds."""
    question: bytes = at(3, _DIGEST)
    """SHA-256 over what was shown: see :func:`question`."""
    notice: bytes | None = at(4, blob(32), optional=True)
    """Digest of the notice that named the patch, where one was in hand."""
    language: str | None = at(5, text(limits.LANGUAGE_BYTES_MAX), optional=True)
    """In which the owner was asked."""


def question(manifest: bytes, notice: bytes | None, words: bytes | None, language: str | None) -> bytes:
    """Return the digest that a consent is bound to, 32 bytes.

    Args:
        manifest: the patch digest.
        notice: digest of the notice that names the patch.
        words: digest of the notice's text as it was shown.
        language: in which the owner was asked.
    """
    return hashlib.sha256(encode([manifest, notice, words, language])).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchStatus:
    """Where one patch stands on this device now."""

    digest: bytes = at(1, _DIGEST)
    sequence: int = at(2, uint())
    state: PatchState = at(3, choice(PatchState))
    time: int = at(4, uint())
    reason: Reason = at(5, choice(Reason))
    consent: Consented | None = at(6, record(Consented), optional=True)
    """Once given."""
    done: int | None = at(7, uint(100), optional=True)
    """Percent of the payloads that are certainly here, while they are brought."""
    deferrals: int | None = at(8, uint(255), optional=True)
    """How many times the owner has put it off; None: never."""
    suit: bytes | None = at(9, blob(limits.SUIT_REPORT_BYTES_MAX, bytes_min=1), optional=True)
    """SUIT_Report of the last procedure run (draft-ietf-suit-report-22), once it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One transition, in the order in which it happened; never changed afterwards."""

    index: int = at(1, uint())
    time: int = at(2, uint())
    track: Track = at(3, choice(Track))
    name: str = at(4, _ID)
    """Advisory id, first 16 hex digits of a manifest digest, document type, or event."""
    old: int = at(5, uint(255))
    new: int = at(6, uint(255))
    reason: Reason = at(7, choice(Reason))
    digest: bytes | None = at(8, blob(32), optional=True)
    """Of the document concerned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Body):
    """A device's present state; ``subject`` is its id, ``version`` its sequence number."""

    TYPE: ClassVar[str] = "report"
    BYTES_MAX: ClassVar[int] = limits.REPORT_BYTES_MAX

    product: str = at(10, ident(limits.ID_BYTES_MAX))
    installed: Version = at(11, VERSION)
    """Measured: read from the image that booted."""
    boot_epoch: int = at(12, uint())
    root_version: int = at(13, uint())
    catalogue: bytes | None = at(14, _DIGEST, optional=True)
    """Digest of the catalogue evaluated."""
    nonce: bytes = at(15, _NONCE)
    """The device's own; the answer must carry it."""
    asked: bytes | None = at(16, _NONCE, optional=True)
    """The gateway's ``next_nonce``, when it asked."""
    notices: tuple[NoticeStatus, ...] = at(17, many(record(NoticeStatus), limits.REPORT_STATES_MAX))
    patches: tuple[PatchStatus, ...] = at(18, many(record(PatchStatus), limits.REPORT_STATES_MAX))
    journal_count: int = at(19, uint())
    """Entries written so far in this device's life."""
    journal_head: bytes = at(20, _DIGEST)
    """Hash over all of them."""
    journal: tuple[JournalEntry, ...] = at(21, many(record(JournalEntry), limits.REPORT_JOURNAL_MAX))
    """The oldest entries that no receipt covers yet, without a gap."""
    language: str = at(22, text(limits.LANGUAGE_BYTES_MAX))
    algorithms: tuple[Algorithm, ...] | None = at(23, ALGORITHMS, optional=True)
    """What it can verify, measured like ``installed``; None: it does not say."""
    audit_head: bytes | None = at(9, _DIGEST, optional=True)
    """Head of the gateway's audit chain, as the newest timestamp says that the device trusts: what a gateway
    has said to its fleet it cannot take back. None: the device trusts none."""

    @property
    def device(self) -> str:
        """The reporting device's id."""
        return self.subject[0]

    @property
    def order(self) -> tuple[int, int]:
        """(boot epoch, sequence): the newer report always wins."""
        return (self.boot_epoch, self.version)


def journal_genesis(fleet: bytes, device: str) -> bytes:
    """Return the head of an empty journal."""
    return hashlib.sha256(fleet + device.encode()).digest()


def journal_head(head: bytes, entries: Iterable[JournalEntry]) -> bytes:
    """Return the head after ``entries``: SHA-256 of the former head and the entry's bytes, one by one."""
    for entry in entries:
        head = hashlib.sha256(head + dump(entry)).digest()
    return head


def fitted(report: Report, algorithm: Algorithm) -> Report:
    """Return the report as it fits into one message, without the SUIT_Reports that find no room.

    The last patches lose theirs first: what goes on stands before what has ended, the newest first.
    All the rest always fits, at the largest of everything.

    Args:
        report: of any size that its fields allow.
        algorithm: of the device's key, for the room that its signature takes.
    """
    if all(status.suit is None for status in report.patches):
        return report
    over = len(dump(report)) + _ENVELOPE_BYTES + SIGNATURE_BYTES[algorithm] - limits.REPORT_BYTES_MAX
    patches = list(report.patches)
    for place in reversed(range(len(patches))):
        suit = patches[place].suit
        if over > 0 and suit is not None:
            patches[place] = replace(patches[place], suit=None)
            over -= len(suit)
    return replace(report, patches=tuple(patches))


def seal_report(report: Report, signer: Signer) -> bytes:
    """Return the report as COSE_Sign1 by the device's key."""
    return cose.sign1(dump(report), signer, typ=_TYP, external_aad=EXTERNAL_AAD)


def report_kid(data: bytes) -> bytes | None:
    """Return the key id that a report claims, WITHOUT verifying anything."""
    return cose.parse(data, cose.TAG_SIGN1, size_max=limits.REPORT_BYTES_MAX).signatures[0].kid


def open_report(data: bytes, key: PublicKey, *, fleet: bytes, device: str) -> Report:
    """Verify a report against a device's key and return it.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, WRONG_TYPE, ALGORITHM_MISMATCH, BAD_SIGNATURE, WRONG_FLEET or
            WRONG_SUBJECT.
    """
    message = cose.parse(data, cose.TAG_SIGN1, size_max=limits.REPORT_BYTES_MAX, unprotected=False)
    if message.header.get(cose.TYP) != _TYP:
        raise RefusedError(Reason.WRONG_TYPE, f"expected {_TYP}")
    if message.payload is None:
        raise RefusedError(Reason.MALFORMED, "payload is detached")
    cose.check(message, message.signatures[0], key, payload=message.payload, external_aad=EXTERNAL_AAD)
    report = unpack(Report, decode(message.payload))
    if report.type != Report.TYPE:
        raise RefusedError(Reason.WRONG_TYPE, f"body says {report.type}")
    if report.fleet != fleet:
        raise RefusedError(Reason.WRONG_FLEET)
    if report.subject != (device,):
        raise RefusedError(Reason.WRONG_SUBJECT, f"expected {device}, got {', '.join(report.subject)}")
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What a device is missing; unsigned, for it asks only for what is public anyway."""

    nonce: bytes = at(1, _NONCE)
    topics: tuple[str, ...] = at(2, many(text(limits.TOPIC_BYTES_MAX), limits.WANT_TOPICS_MAX))
    """Retained topics to be published again, below the prefix."""
    blocks: tuple[bytes, int, int] | None = at(
        3, row(_DIGEST, uint(limits.IMAGE_BYTES_MAX), uint(limits.BLOCK_WINDOW_MAX)), optional=True
    )
    """(payload SHA-256, first byte offset, how many blocks)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a payload; unsigned, for the manifest's digest covers the whole."""

    digest: bytes = at(1, _DIGEST)
    """SHA-256 of the whole payload."""
    offset: int = at(2, uint(limits.IMAGE_BYTES_MAX))
    data: bytes = at(3, blob(limits.BLOCK_BYTES_MAX, bytes_min=1))


def open_want(data: bytes) -> Want:
    """Decode an untrusted want (RefusedError: TOO_BIG or MALFORMED)."""
    return load(Want, data, size_max=limits.WANT_BYTES_MAX)


def open_block(data: bytes) -> Block:
    """Decode an untrusted block (RefusedError: TOO_BIG or MALFORMED)."""
    return load(Block, data, size_max=limits.BLOCK_BYTES_MAX + 64)
