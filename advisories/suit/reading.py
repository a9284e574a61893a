"""Reads the parts of a SUIT manifest out of their bytes, in place: strict, and only what is known.

A reader takes the bytes and a position and returns a value and where it ends. It knows what must stand
next and takes nothing else: no other type, no longer head, no other order of a map's keys. So it needs no
second look to know that the encoding is the deterministic one, allocates nothing that the bytes do not hold,
and knows at which byte each command stands. Slices past the end are short; whoever calls compares where a
part ended with where it should have.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from advisories.limits import PATCH_BYTES_MAX, URI_BYTES_MAX
from advisories.suit.numbers import SHA256
from keys.cbor import decode as decode_cbor
from keys.cbor import head, item_end, read_bytes
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

ComponentId = tuple[bytes, ...]
"""A component's name: one byte string for each level of its path."""

COMPONENTS_MAX: Final = 16  # components of one manifest
VERSION_NUMBERS_MAX: Final = 8  # numbers of one version

DIGEST_HEAD: Final = b"\x82\x2f\x58\x20"
"""An array of two: SHA-256 (-16), and 32 bytes."""
WRAPPED_DIGEST_HEAD: Final = b"\x58\x24" + DIGEST_HEAD
"""The same inside a byte string."""
DIGEST_BYTES: Final = 32
ARRAY: Final = 0x80
MAP: Final = 0xA0
TEXT: Final = 0x60
"""First bytes of an array, a map and a text of nothing."""


def refuse(what: str) -> NoReturn:
    """Raise MALFORMED with the words ``what``."""
    raise RefusedError(Reason.MALFORMED, what)


def uint(value: Any, what: str, maximum: int) -> int:
    """Return an unsigned integer of at most ``maximum``.

    Raises:
        RefusedError: MALFORMED.
    """
    if type(value) is not int or not 0 <= value <= maximum:
        refuse(f"{what} is not an integer from 0 to {maximum}")
    return value


def component_id(value: Any) -> ComponentId:
    """Return a component identifier.

    Raises:
        RefusedError: MALFORMED.
    """
    if not isinstance(value, list | tuple) or not value or not all(type(part) is bytes for part in value):
        refuse("a component identifier is not a list of byte strings")
    return tuple(value)


def read_digest(value: Any) -> bytes:
    """Return the 32 bytes of a decoded SUIT_Digest.

    Raises:
        RefusedError: MALFORMED, or UNSUPPORTED for another algorithm than SHA-256.
    """
    match value:
        case [int() as algorithm, bytes() as digest]:
            if algorithm != SHA256:
                raise RefusedError(Reason.UNSUPPORTED, f"digest algorithm {algorithm}")
            if len(digest) == DIGEST_BYTES:
                return digest
    refuse("not a SUIT_Digest")


def anything(d: bytes, p: int) -> tuple[Any, int]:
    """Read any deterministic item."""
    end = item_end(d, p)
    return decode_cbor(d[p:end], size_max=PATCH_BYTES_MAX), end


def number(d: bytes, p: int, what: str, maximum: int = VERSION_MAX) -> tuple[int, int]:
    """Read an unsigned integer."""
    value = d[p]
    if value < 24:
        p += 1
    elif value < 28:
        value, p = head(d, p, 0)
    else:
        value = -1
    if not 0 <= value <= maximum:
        refuse(f"{what} is not an integer from 0 to {maximum}")
    return value, p


def count(d: bytes, p: int, major: int, what: str) -> tuple[int, int]:
    """Read the head of an array (``0x80``) or a map (``0xa0``)."""
    size = d[p] - major
    if 0 <= size < 24:
        return size, p + 1
    if not 0 <= size < 28:
        refuse(what)
    return head(d, p, major >> 5)


def key(d: bytes, p: int, last: int, where: str) -> tuple[int, int]:
    """Read the next key of a map with numbers for keys; they rise.

    Raises:
        RefusedError: MALFORMED; UNSUPPORTED for a key that is no number.
    """
    value = d[p]
    if value < 24:
        p += 1
    elif value < 28:
        value, p = head(d, p, 0)
    else:
        strange, _ = anything(d, p)
        raise RefusedError(Reason.UNSUPPORTED, f"{where} has a member {strange!r}")
    if value <= last:
        refuse(f"{where}: keys twice or out of order")
    return value, p


def inside(d: bytes, p: int, what: str) -> tuple[int, int]:
    """Return where the content of a byte string begins and ends."""
    size = d[p] - 0x40
    if 0 <= size < 24:
        return p + 1, p + 1 + size
    if not 0 <= size < 28:
        refuse(f"{what} is not a byte string")
    size, p = head(d, p, 2)
    return p, p + size


def text(d: bytes, p: int) -> tuple[str, int]:
    """Read a text."""
    size = d[p] - TEXT
    if 0 <= size < 24:
        p += 1
    elif 0 <= size < 28:
        size, p = head(d, p, 3)
    else:
        refuse("not a text")
    end = p + size
    if end > len(d):
        refuse("a text is cut off")
    return d[p:end].decode(), end


def digest(d: bytes, p: int) -> tuple[bytes, int]:
    """Read a SUIT_Digest."""
    start = p + 4
    if d[p:start] == DIGEST_HEAD:
        return d[start : start + DIGEST_BYTES], start + DIGEST_BYTES
    value, end = anything(d, p)
    return read_digest(value), end


def uri(d: bytes, p: int) -> tuple[str, int]:
    """Read an address of 1 to ``URI_BYTES_MAX`` bytes."""
    start = p
    if TEXT <= d[p] < TEXT + 28:
        value, p = text(d, p)
        if value and p - start <= URI_BYTES_MAX + 2:
            return value, p
    raise RefusedError(Reason.BAD_URI, f"expected a text of 1 to {URI_BYTES_MAX} bytes")


def component(d: bytes, p: int) -> tuple[ComponentId, int]:
    """Read a component identifier."""
    size, p = count(d, p, ARRAY, "a component identifier is not a list of byte strings")
    if not size:
        refuse("a component identifier is not a list of byte strings")
    parts = []
    for _ in range(size):
        part, p = read_bytes(d, p)
        parts.append(part)
    return tuple(parts), p


def components(d: bytes, p: int) -> tuple[tuple[ComponentId, ...], int]:
    """Read the list of components."""
    what = f"expected 1 to {COMPONENTS_MAX} components"
    size, p = count(d, p, ARRAY, what)
    if not 1 <= size <= COMPONENTS_MAX:
        refuse(what)
    found = []
    for _ in range(size):
        one, p = component(d, p)
        found.append(one)
    return tuple(found), p


def version_numbers(d: bytes, p: int) -> tuple[tuple[int, ...], int]:
    """Read a version: 1 to ``VERSION_NUMBERS_MAX`` integers."""
    value, p = anything(d, p)
    if not isinstance(value, list) or not 1 <= len(value) <= VERSION_NUMBERS_MAX:
        refuse(f"a version is not a list of 1 to {VERSION_NUMBERS_MAX} numbers")
    if not all(type(item) is int and abs(item) <= VERSION_MAX for item in value):
        refuse("a version has a part that is no number, or out of range")
    return tuple(value), p
