"""MCUboot images: a 32-byte header, the body, and type-length-value records behind it.

Little-endian throughout. The SHA-256 record covers header, body and protected records; what is
outside it (signatures for other boot loaders) is carried and ignored. Who may sign an image is the
business of :mod:`advisories.suit`; this module only says whether an image is whole, and what it is.

>>> parse(pack(b"code", (1, 4, 2, 0))).version
(1, 4, 2, 0)
"""

from __future__ import annotations

import hashlib
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from advisories.abilities import ALGORITHMS
from advisories.limits import ALGORITHMS_MAX, IMAGE_BYTES_MAX
from advisories.versions import Version
from keys.algorithms import Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason

HEADER_BYTES: Final = 32

_MAGIC: Final = 0x96F3B83D
_HEADER: Final = struct.Struct("<IIHHIIBBHII")
_RECORD: Final = struct.Struct("<HH")  # type and length; an area starts with its magic and whole length
_AREA_PROTECTED, _AREA_PLAIN = 0x6908, 0x6907
_SHA256, _SECURITY_COUNTER = 0x10, 0x50
_COUNTER: Final = struct.Struct("<I")
_ALGORITHMS: Final = 0xA0
"""Protected record, first of the range that MCUboot leaves to vendors: what this firmware can verify. COSE
algorithm numbers in rising order, 32 bits each, signed."""
_NUMBER: Final = struct.Struct("<i")
_ALGORITHM_NUMBERS: Final = frozenset(map(int, Algorithm))
_DEPENDENCY: Final = 0x40
_NEEDS: Final = struct.Struct("<B3xBBHI")  # number of another image, and its least version
_VENDOR_KINDS, _CLASS_KINDS = (0x74, 0x80), (0x75, 0x81)
"""Records of the vendor and class identifiers: as MCUboot and imgtool number them now, and before."""
_IDENTIFIER_BYTES: Final = 16
_SIGNATURES: Final = {
    0x20: "RSA-2048",
    0x21: "ECDSA-P224",
    0x22: "ECDSA",
    0x23: "RSA-3072",
    0x24: "Ed25519",
}
_OURS: Final = frozenset({_SHA256, _SECURITY_COUNTER, _ALGORITHMS, *_VENDOR_KINDS, *_CLASS_KINDS})
_RECORDS_BYTES_MAX: Final = 2 * 65_535
"""Two areas, each with a length of 16 bits."""
_FLAGS_ALLOWED: Final = 0x1 | 0x20 | 0x100
"""Position independent, loaded to RAM, fixed in ROM. Encrypted, compressed or not bootable is refused."""

Records = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Image:
    """A whole image: every length fits and the SHA-256 record is right."""

    version: Version
    header_size: int
    """Bytes before the body: 32, or more where a boot loader wants the body aligned."""
    body_size: int
    """Bytes of code."""
    security_counter: int | None
    """The anti-rollback counter; None when the image carries none."""
    algorithms: frozenset[Algorithm] | None
    """What the firmware can verify, as far as this code knows it; None when the image does not say."""
    digest: bytes
    """SHA-256 over header, body and protected records, as a boot loader checks it."""
    whole: bytes
    """SHA-256 over all of its bytes, as a manifest names it."""
    vendor_id: bytes | None = None
    """Who made it, 16 bytes, from a protected record; None when the image does not say."""
    class_id: bytes | None = None
    """What class of device it is for, 16 bytes; None when the image does not say."""
    dependencies: tuple[tuple[int, Version], ...] = ()
    """Other images of the device that it needs: number and least version."""
    signatures: tuple[str, ...] = ()
    """Kinds of the signatures for a boot loader that it carries; none of them is verified here."""


def pack(
    body: bytes,
    version: Version,
    *,
    security_counter: int | None = 0,
    algorithms: Iterable[Algorithm] = (),
    vendor_id: bytes | None = None,
    class_id: bytes | None = None,
) -> bytes:
    """Return an unsigned MCUboot image of ``body``; equal arguments give equal bytes.

    Args:
        body: the code, at least one byte.
        version: major, minor, revision, build.
        security_counter: 0 to 2**32 - 1, written as a protected record; None writes none.
        algorithms: what the firmware can verify; empty says nothing about it.
        vendor_id: who made it, 16 bytes; None says nothing about it.
        class_id: the class of device that it is for, 16 bytes; None says nothing about it.

    Raises:
        RefusedError: TOO_BIG above ``IMAGE_BYTES_MAX``, MALFORMED when empty, a number does not fit or an
            identifier is not 16 bytes.
    """
    protected = _protected(security_counter, vendor_id, class_id, algorithms)
    total = HEADER_BYTES + len(body) + len(protected) + 2 * _RECORD.size + 32
    if total > IMAGE_BYTES_MAX:
        raise RefusedError(Reason.TOO_BIG, f"an image of {total} bytes, at most {IMAGE_BYTES_MAX}")
    if not body:
        raise RefusedError(Reason.MALFORMED, "an image without a body")
    try:
        header = _HEADER.pack(_MAGIC, 0, HEADER_BYTES, len(protected), len(body), 0, *version, 0)
    except struct.error:
        raise RefusedError(Reason.MALFORMED, "a version that does not fit") from None
    hashed = header + body + protected
    digest = hashlib.sha256(hashed).digest()
    plain = _RECORD.pack(_AREA_PLAIN, 2 * _RECORD.size + len(digest))
    return hashed + plain + _RECORD.pack(_SHA256, len(digest)) + digest


def _protected(
    counter: int | None, vendor_id: bytes | None, class_id: bytes | None, algorithms: Iterable[Algorithm]
) -> bytes:
    """Return the area of the protected records, in the order in which imgtool writes them."""
    records: list[tuple[int, bytes]] = []
    if counter is not None:
        try:
            records.append((_SECURITY_COUNTER, _COUNTER.pack(counter)))
        except struct.error:
            raise RefusedError(Reason.MALFORMED, "a security counter that does not fit") from None
    for kinds, identifier in ((_VENDOR_KINDS, vendor_id), (_CLASS_KINDS, class_id)):
        if identifier is not None:
            if len(identifier) != _IDENTIFIER_BYTES:
                raise RefusedError(Reason.MALFORMED, "a vendor or class identifier that is not 16 bytes")
            records.append((kinds[0], identifier))
    numbers = b"".join(map(_NUMBER.pack, ALGORITHMS.pack(algorithms)))
    if numbers:
        records.append((_ALGORITHMS, numbers))
    written = b"".join(_RECORD.pack(kind, len(value)) + value for kind, value in records)
    return _RECORD.pack(_AREA_PROTECTED, _RECORD.size + len(written)) + written if records else b""


def header_version(header: bytes) -> Version:
    """Return the version that the first 32 bytes of an image state, without checking the image.

    Raises:
        RefusedError: MALFORMED when it is shorter or has not MCUboot's magic number.
    """
    return _header(header)[4]


def parse(data: bytes) -> Image:
    """Return what a whole image is, to its last byte.

    Args:
        data: untrusted bytes.

    Raises:
        RefusedError: as :meth:`Scan.image`.
    """
    scan = Scan()
    scan.update(data)
    return scan.image()


class Scan:
    """Reads an image piece by piece, and keeps no more of it than its header and its records."""

    __slots__ = ("_header", "_inner", "_records", "size", "whole")

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self.whole = hashlib.sha256()
        """Over all of them."""
        self._header = b""
        self._inner: bytes | None = None
        """SHA-256 over header, body and protected records, once they have passed."""
        self._records = bytearray()

    def update(self, data: bytes) -> None:
        """Take the next bytes; they are untrusted."""
        start = self.size
        self.size += len(data)
        if start < HEADER_BYTES:
            self._header += data[: HEADER_BYTES - start]
        body_end, hashed_end = self._ends()
        if start < hashed_end <= self.size:
            view = memoryview(data)
            self.whole.update(view[: hashed_end - start])
            self._inner = self.whole.digest()
            self.whole.update(view[hashed_end - start :])
        else:
            self.whole.update(data)
        if self.size > body_end:
            room = _RECORDS_BYTES_MAX - len(self._records)
            first = max(0, body_end - start)
            self._records += data[first : first + room]

    def image(self) -> Image:
        """Return what has passed.

        Raises:
            RefusedError: TOO_BIG; MALFORMED when a length does not fit, a record is missing, stands twice or
                bytes follow; UNSUPPORTED for an encrypted, compressed or not bootable image;
                DIGEST_MISMATCH when the SHA-256 record is not that of the bytes.
        """
        if self.size > IMAGE_BYTES_MAX:
            raise RefusedError(Reason.TOO_BIG, f"{self.size} bytes, at most {IMAGE_BYTES_MAX}")
        header_size, protected_size, body_size, flags, version = _header(self._header)
        if flags & ~_FLAGS_ALLOWED:
            raise RefusedError(Reason.UNSUPPORTED, f"image flags {flags:#x}")
        if header_size < HEADER_BYTES or body_size == 0:
            raise RefusedError(Reason.MALFORMED, "header size or body size")
        records, end = bytes(self._records), 0
        protected: Records = ()
        if protected_size:
            protected, end = _area(records, end, _AREA_PROTECTED)
        if end != protected_size:
            raise RefusedError(Reason.MALFORMED, "the header and the protected records differ in length")
        plain, end = _area(records, end, _AREA_PLAIN)
        if header_size + body_size + end != self.size:
            over = self.size - header_size - body_size - end
            raise RefusedError(Reason.MALFORMED, f"{over} bytes after the image")
        stated = _one(plain, _SHA256)
        if stated is None:
            raise RefusedError(Reason.MALFORMED, "the image has no SHA-256 record")
        if self._inner is None or stated != self._inner:
            raise RefusedError(Reason.DIGEST_MISMATCH, "the image's own SHA-256 record")
        return Image(
            version,
            header_size,
            body_size,
            _counter(protected),
            _algorithms(protected),
            self._inner,
            self.whole.digest(),
            _identifier(protected, _VENDOR_KINDS),
            _identifier(protected, _CLASS_KINDS),
            tuple(_dependency(value) for kind, value in protected if kind == _DEPENDENCY),
            tuple(_SIGNATURES[kind] for kind, _ in plain if kind in _SIGNATURES),
        )

    def _ends(self) -> tuple[int, int]:
        """Return where the body and where what is hashed ends; beyond everything where that is not known."""
        try:
            header_size, protected_size, body_size, _, _ = _header(self._header)
        except RefusedError:
            return sys.maxsize, sys.maxsize
        return header_size + body_size, header_size + body_size + protected_size


def _header(data: bytes) -> tuple[int, int, int, int, Version]:
    if len(data) < HEADER_BYTES:
        raise RefusedError(Reason.MALFORMED, "shorter than an image header")
    magic, _, header_size, protected_size, body_size, flags, *version, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise RefusedError(Reason.MALFORMED, "not an MCUboot image")
    major, minor, revision, build = version
    return header_size, protected_size, body_size, flags, (major, minor, revision, build)


def _one(records: Records, kind: int) -> bytes | None:
    """Return the one record of a kind, or None; :func:`_area` let none of ours stand twice."""
    return next((value for found, value in records if found == kind), None)


def _identifier(protected: Records, kinds: tuple[int, int]) -> bytes | None:
    found = {value for kind, value in protected if kind in kinds}
    if len(found) > 1 or any(len(value) != _IDENTIFIER_BYTES for value in found):
        raise RefusedError(Reason.MALFORMED, "a vendor or class identifier is not 16 bytes, or stands twice")
    return found.pop() if found else None


def _dependency(value: bytes) -> tuple[int, Version]:
    if len(value) != _NEEDS.size:
        raise RefusedError(Reason.MALFORMED, f"a dependency is not {_NEEDS.size} bytes")
    number, major, minor, revision, build = _NEEDS.unpack(value)
    return number, (major, minor, revision, build)


def _counter(protected: Records) -> int | None:
    value = _one(protected, _SECURITY_COUNTER)
    if value is None:
        return None
    if len(value) != _COUNTER.size:
        raise RefusedError(Reason.MALFORMED, "the security counter is not four bytes")
    return int.from_bytes(value, "little")


def _algorithms(protected: Records) -> frozenset[Algorithm] | None:
    value = _one(protected, _ALGORITHMS)
    if value is None:
        return None
    if len(value) % _NUMBER.size:
        raise RefusedError(Reason.MALFORMED, "the algorithms are not four bytes each")
    numbers = [number for (number,) in _NUMBER.iter_unpack(value)]
    if not 1 <= len(numbers) <= ALGORITHMS_MAX or sorted(set(numbers)) != numbers:
        raise RefusedError(Reason.MALFORMED, "the algorithms are too many, or not in rising order")
    # Firmware to come may verify with what this code has never heard of: it must be possible to install it.
    known = [number for number in numbers if number in _ALGORITHM_NUMBERS]
    return frozenset(ALGORITHMS.unpack(known)) if known else frozenset()


def _area(data: bytes, start: int, magic: int) -> tuple[Records, int]:
    """Return the records of one area, type and value, and where it ends."""
    if start + _RECORD.size > len(data):
        raise RefusedError(Reason.MALFORMED, "the image is cut short")
    found, size = _RECORD.unpack_from(data, start)
    if found != magic:
        raise RefusedError(Reason.MALFORMED, f"expected the records {magic:#x}, got {found:#x}")
    end = start + size
    if size < _RECORD.size or end > len(data):
        raise RefusedError(Reason.MALFORMED, "the image is cut short")
    records = tuple(_records(data[start + _RECORD.size : end]))
    ours = [kind for kind, _ in records if kind in _OURS]
    for kind in set(ours):
        if ours.count(kind) > 1:
            raise RefusedError(Reason.MALFORMED, f"the record {kind:#x} stands twice")
    return records, end


def _records(area: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(area):
        if at + _RECORD.size > len(area):
            raise RefusedError(Reason.MALFORMED, "a record is cut short")
        kind, size = _RECORD.unpack_from(area, at)
        at += _RECORD.size
        if at + size > len(area):
            raise RefusedError(Reason.MALFORMED, "a record is longer than its area")
        yield kind, area[at : at + size]
        at += size
