"""What a device remembers across power cycles: one record, stored whole by a ``Save`` effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from advisories import limits as wire
from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Notice, Text
from advisories.offer import Offer
from advisories.report import Consented, JournalEntry, journal_genesis
from advisories.states import NoticeState, PatchState
from advisories.versions import VERSION, Version
from device_sim.core import limits
from keys.cbor import decode
from keys.codec import at, blob, boolean, choice, dump, load, many, nullable, record, row, text, uint, unpack
from keys.document import digest, peek
from keys.errors import DamagedError, RefusedError
from keys.limits import SIGNATURES_MAX
from keys.limits import STATE_BYTES_MAX as TRUSTED_BYTES_MAX
from keys.reasons import Reason
from keys.root import Root
from keys.trusted import TrustedSet

_DIGEST = blob(32)
_ID = text(wire.ID_BYTES_MAX)

_DOCUMENTS_KEPT: Final = 64  # decoded: more than one device has, and shared by all the devices of a process
_CURRENT_KEPT: Final = 16  # of which a product has one at a time


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def _notice(body: bytes) -> Notice:
    return unpack(Notice, decode(body))


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def _text(data: bytes) -> Text:
    return load(Text, data, size_max=wire.NOTICE_TEXT_BYTES_MAX)


@lru_cache(maxsize=_CURRENT_KEPT)
def _catalogue(body: bytes) -> Catalogue:
    return unpack(Catalogue, decode(body))


@lru_cache(maxsize=_CURRENT_KEPT)
def _timestamp(body: bytes) -> Timestamp:
    return unpack(Timestamp, decode(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeTrack:
    """One advisory on this device."""

    id: str = at(1, _ID)
    body: bytes = at(2, blob(wire.NOTICE_BYTES_MAX, bytes_min=1))
    """Body of the newest genuine header."""
    digest: bytes = at(3, _DIGEST)
    state: NoticeState = at(4, choice(NoticeState))
    time: int = at(5, uint())
    """UTC seconds of the last transition."""
    reason: Reason = at(6, choice(Reason))
    language: str | None = at(7, text(wire.LANGUAGE_BYTES_MAX), optional=True)
    """Language of the text in hand."""
    words: bytes | None = at(8, blob(wire.NOTICE_TEXT_BYTES_MAX, bytes_min=1), optional=True)
    """The text's bytes."""
    confirmed: int | None = at(9, uint(), optional=True)
    """UTC seconds when catalogue and timestamp first named it."""
    shown: int | None = at(10, uint(), optional=True)
    """UTC seconds when this revision was first shown."""
    reminders: int = at(11, uint(255))
    """Reminders given."""
    told: bool = at(12, boolean())
    """An earlier revision was shown to the owner."""
    pages: bytes | None = at(
        13, blob(wire.NOTICE_PAGES_MAX * wire.NOTICE_PAGE_BYTES, bytes_min=1), optional=True
    )
    """The text's drawn pages, one after the other, on a device without a font for it."""

    @property
    def header(self) -> Notice:
        """The decoded header."""
        return _notice(self.body)

    @property
    def text(self) -> Text | None:
        """The decoded text, when it is in hand."""
        return _text(self.words) if self.words is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchFacts:
    """What the verified manifest promises."""

    image_digest: bytes = at(1, _DIGEST)
    """SHA-256 of the whole payload."""
    image_size: int = at(2, uint(wire.PAYLOAD_BYTES_MAX))
    version: Version | None = at(3, nullable(VERSION))
    """The promised version, where the manifest states one."""
    signed: tuple[bytes, ...] | None = at(4, many(blob(32), SIGNATURES_MAX), optional=True)
    """Thumbprints of the keys that signed it: a newer root may have revoked them since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTrack:
    """One patch on this device."""

    digest: bytes = at(1, _DIGEST)
    sequence: int = at(2, uint())
    state: PatchState = at(3, choice(PatchState))
    time: int = at(4, uint())
    reason: Reason = at(5, choice(Reason))
    offer: Offer = at(6, record(Offer))
    """The newest offer of it."""
    facts: PatchFacts | None = at(7, nullable(record(PatchFacts)))
    slot: int = at(8, uint(1))
    """Where it is written; means something from DOWNLOADING on."""
    offset: int = at(9, uint(wire.PAYLOAD_BYTES_MAX))
    """Bytes that are certainly in the slot."""
    attempts: int = at(10, uint(255))
    """Whole downloads that did not match."""
    deferrals: int = at(11, uint(255))
    defer_until: int | None = at(12, uint(), optional=True)
    """UTC seconds."""
    consent: Consented | None = at(0, record(Consented), optional=True)
    """What the owner agreed to, and how."""
    consented: bool | None = at(13, boolean(), optional=True)
    """In a state from before consents were kept: it does not say to what, so it counts for nothing."""
    counter: int = at(14, uint())
    """Security counter of the image, once verified."""
    retry_at: int | None = at(15, uint(), optional=True)
    """UTC seconds before which a failed download is not tried again."""
    prefix: bytes | None = at(16, _DIGEST, optional=True)
    """SHA-256 of the first ``offset`` bytes, for a resumed download to be held to."""
    outcomes: tuple[bool, ...] | None = at(17, many(boolean(), limits.OPERATIONS_MAX), optional=True)
    """How the manifest's operations went that were carried out so far, in their order; None: none was."""
    announced: int | None = at(18, uint(), optional=True)
    """UTC seconds when the owner was told of an install that is not asked for."""
    suit: bytes | None = at(19, blob(wire.SUIT_REPORT_BYTES_MAX, bytes_min=1), optional=True)
    """SUIT_Report of the last procedure, once it has ended."""
    begun: int | None = at(20, uint(), optional=True)
    """UTC seconds when the procedure began; its conditions go by that time."""
    done: int | None = at(21, uint(100), optional=True)
    """Percent of the payloads that are certainly here."""
    banks: tuple[tuple[int, bytes], ...] | None = at(
        22, many(row(uint(wire.PAYLOAD_BYTES_MAX), _DIGEST), limits.COMPONENTS_MAX), optional=True
    )
    """Size and digest of what each component's new bank holds, from INSTALLING on; None with only one."""
    was: Version | None = at(23, VERSION, optional=True)
    """The version that ran before, where an installer of the platform's decides what runs."""

    @property
    def name(self) -> str:
        """The journal's name for it: the first 16 hex digits of the manifest digest."""
        return self.digest.hex()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    trusted: bytes = at(1, blob(TRUSTED_BYTES_MAX, bytes_min=1))
    boot_epoch: int = at(2, uint())
    catalogue: bytes | None = at(3, blob(wire.CATALOGUE_BYTES_MAX, bytes_min=1), optional=True)
    timestamp: bytes | None = at(4, blob(wire.TIMESTAMP_BYTES_MAX, bytes_min=1), optional=True)
    notices: tuple[NoticeTrack, ...] = at(5, many(record(NoticeTrack), limits.NOTICE_TRACKS_MAX))
    patches: tuple[PatchTrack, ...] = at(6, many(record(PatchTrack), limits.PATCH_TRACKS_MAX))
    offer: Offer | None = at(7, nullable(record(Offer)))
    journal: tuple[JournalEntry, ...] = at(8, many(record(JournalEntry), limits.JOURNAL_MAX))
    journal_count: int = at(9, uint())
    journal_head: bytes = at(10, _DIGEST)
    journal_lost: int = at(11, uint())
    patch_floor: tuple[int, bytes] = at(12, row(uint(), blob(32, bytes_min=0)))
    security_counter: int = at(13, uint())
    envelope: bytes | None = at(14, blob(wire.ENVELOPE_BYTES_MAX, bytes_min=1), optional=True)


@lru_cache(maxsize=64)
def _root(document: bytes) -> tuple[bytes, Root]:
    return document, peek(document, Root)


def _trusted(data: bytes, root_1: bytes) -> TrustedSet:
    trusted = TrustedSet.load(data)
    # One root in memory for all the devices of a process that trust it.
    trusted.root_document, trusted.root = _root(trusted.root_document)
    if trusted.fleet != digest(root_1):
        raise RefusedError(Reason.WRONG_FLEET, "the state belongs to another root 1")
    return trusted


@dataclass(slots=True)
class State:
    """The state in memory; :meth:`dump` and :meth:`load` are inverse."""

    trusted: TrustedSet
    journal_head: bytes
    boot_epoch: int = 0
    """Boots so far."""
    catalogue_body: bytes | None = None
    timestamp_body: bytes | None = None
    notices: dict[str, NoticeTrack] = field(default_factory=dict)
    """Advisory id -> track."""
    patches: dict[bytes, PatchTrack] = field(default_factory=dict)
    """Manifest digest -> track, the one touched last at the end."""
    offer: Offer | None = None
    """The newest offer, until it has become (or changed) a track."""
    journal: list[JournalEntry] = field(default_factory=list)
    """Entries that no receipt covers yet."""
    journal_count: int = 0
    journal_lost: int = 0
    """Entries counted and chained, but not kept, for lack of room."""
    patch_floor: tuple[int, bytes] = (0, b"")
    """(sequence, digest) of the newest patch that booted and was confirmed."""
    security_counter: int = 0
    """Anti-rollback counter of the newest confirmed image."""
    envelope: bytes | None = None
    """Of the patch under way, to be opened again after a restart."""

    @classmethod
    def new(cls, root_1: bytes, device: str) -> State:
        """A factory-new device that trusts the root it was made with.

        Raises:
            RefusedError: when that root is not a valid root 1.
        """
        trusted = TrustedSet.enrol(root_1, None)
        return cls(trusted, journal_genesis(trusted.fleet, device))

    @property
    def catalogue(self) -> Catalogue | None:
        """The newest accepted catalogue."""
        return _catalogue(self.catalogue_body) if self.catalogue_body is not None else None

    @property
    def timestamp(self) -> Timestamp | None:
        """The newest accepted timestamp."""
        return _timestamp(self.timestamp_body) if self.timestamp_body is not None else None

    def dump(self) -> bytes:
        """Return everything as deterministic CBOR."""
        return dump(
            _Stored(
                trusted=self.trusted.dump(),
                boot_epoch=self.boot_epoch,
                catalogue=self.catalogue_body,
                timestamp=self.timestamp_body,
                notices=tuple(self.notices.values()),
                patches=tuple(self.patches.values()),
                offer=self.offer,
                journal=tuple(self.journal),
                journal_count=self.journal_count,
                journal_head=self.journal_head,
                journal_lost=self.journal_lost,
                patch_floor=self.patch_floor,
                security_counter=self.security_counter,
                envelope=self.envelope,
            )
        )

    @classmethod
    def load(cls, data: bytes, root_1: bytes) -> State:
        """Rebuild the state of a device that was made with ``root_1``.

        Raises:
            DamagedError: DEVICE_STATE when the bytes are not whole, or another fleet's.
        """
        try:
            stored = load(_Stored, data, size_max=limits.STATE_BYTES_MAX)
            trusted = _trusted(stored.trusted, root_1)
            state = cls(
                trusted=trusted,
                journal_head=stored.journal_head,
                boot_epoch=stored.boot_epoch,
                catalogue_body=stored.catalogue,
                timestamp_body=stored.timestamp,
                notices={track.id: track for track in stored.notices},
                patches={track.digest: track for track in stored.patches},
                offer=stored.offer,
                journal=list(stored.journal),
                journal_count=stored.journal_count,
                journal_lost=stored.journal_lost,
                patch_floor=stored.patch_floor,
                security_counter=stored.security_counter,
                envelope=stored.envelope,
            )
            _ = (state.catalogue, state.timestamp, [(t.header, t.text) for t in state.notices.values()])
        except RefusedError as error:
            raise DamagedError(
                "DEVICE_STATE",
                f"The device's stored state cannot be used ({error.reason.name}: {error.detail}).",
                mend="Restore it from a copy, or provision the device again.",
            ) from None
        return state
