"""Deterministic CBOR (RFC 8949 section 4.2), strict in both directions.

Decides which bytes are a well-formed value; what a value means is decided elsewhere.
Size is checked before anything is decoded; after decoding only plain values and the tags
that COSE and SUIT use are let through, and the value must encode to the very same bytes.

    >>> decode(encode({1: "a"}), size_max=16)
    {1: 'a'}
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from keys.errors import RefusedError
from keys.limits import CBOR_DEPTH_MAX, CBOR_ITEMS_MAX, DOCUMENT_BYTES_MAX
from keys.reasons import Reason

TAGS_ALLOWED: Final = frozenset({17, 18, 97, 98, 107, 1070})
"""COSE_Mac0, COSE_Sign1, COSE_Mac, COSE_Sign, SUIT_Envelope, bare SUIT manifest."""


def _no_tag(*_: object) -> Any:
    raise ValueError("this tag has no place here")


# Tags for which the decoder would build objects: dates, bignums, decimals, shared references,
# regular expressions, sets, addresses. They are refused before anything is built.
_PLAIN_TAGS: Final = dict.fromkeys(
    (
        0,
        1,
        2,
        3,
        4,
        5,
        25,
        28,
        29,
        30,
        35,
        36,
        37,
        52,
        54,
        100,
        104,
        256,
        258,
        260,
        261,
        1004,
        43_000,
        55_799,
    ),
    _no_tag,
)


def encode(value: Any) -> bytes:
    """Return the one deterministic encoding of ``value``.

    Map keys are ordered length first; for every key that Tocsin uses this is also the
    bytewise order of RFC 8949 section 4.2.1.
    """
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, size_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """Return the value that ``data`` is the deterministic encoding of.

    Args:
        data: untrusted bytes, exactly one item.
        size_max: largest accepted length in bytes, checked first.

    Raises:
        RefusedError: TOO_BIG, or MALFORMED when the bytes are not deterministic CBOR,
            nest too deep, hold too many items, or use a type or tag that is not allowed.
    """
    value = scan(data, size_max=size_max)
    _check(value, CBOR_DEPTH_MAX)
    require_same(value, data)
    return value


def scan(data: bytes, *, size_max: int) -> Any:
    """Return what ``data`` begins with; it may hold any type, in any encoding.

    For readers that compare every type themselves and then call :func:`require_same`.

    Raises:
        RefusedError: TOO_BIG or MALFORMED.
    """
    if len(data) > size_max:
        raise RefusedError(Reason.TOO_BIG, f"{len(data)} bytes, at most {size_max}")
    try:
        return cbor2.loads(
            data,
            allow_duplicate_keys=False,
            allow_indefinite=False,
            max_depth=CBOR_DEPTH_MAX,
            semantic_decoders=_PLAIN_TAGS,
        )
    except Exception as error:  # noqa: BLE001 - the decoder's own errors have no common base
        raise RefusedError(Reason.MALFORMED, f"not CBOR that we read ({type(error).__name__})") from None


def require_same(value: Any, data: bytes) -> None:
    """Refuse ``data`` unless it is the one deterministic encoding of ``value``, to its last byte.

    Raises:
        RefusedError: MALFORMED.
    """
    if encode(value) != data:
        raise RefusedError(Reason.MALFORMED, "not the deterministic encoding, or trailing bytes")


def bstr(data: bytes) -> bytes:
    """Return the deterministic encoding of a byte string; the same as :func:`encode`, but faster."""
    size = len(data)
    if size < 24:
        return bytes((0x40 | size,)) + data
    if size < 256:
        return b"\x58" + bytes((size,)) + data
    if size < 65_536:
        return b"\x59" + size.to_bytes(2, "big") + data
    return encode(data)


def head(data: bytes, at: int, major: int) -> tuple[int, int]:
    """Read the head of one item of a major type.

    Args:
        data: untrusted bytes.
        at: where the item begins.
        major: the type expected, 0 to 6 (RFC 8949 section 3.1).

    Returns:
        its argument (a number, a length or a tag), and where the head ends.

    Raises:
        RefusedError: MALFORMED for another type, the end of the data, an indefinite or a longer form.
    """
    first = data[at] if at < len(data) else 0xFF
    short = first - (major << 5)
    if 0 <= short < 24:
        return short, at + 1
    if not 24 <= short < 28:
        raise RefusedError(Reason.MALFORMED, f"expected {_MAJORS[major]} at byte {at}")
    size = 1 << (short - 24)
    end = at + 1 + size
    value = int.from_bytes(data[at + 1 : end], "big")
    if end > len(data) or value < _LEAST[size]:
        raise RefusedError(Reason.MALFORMED, f"a head at byte {at} is cut off or longer than it need be")
    return value, end


_MAJORS: Final = ("a number", "a negative number", "bytes", "a text", "an array", "a map", "a tag")
_LEAST: Final = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Read a byte string and return it with where it ends (errors of :func:`head`)."""
    first = data[at] if at + 1 < len(data) else 0xFF
    if first == 0x58 and data[at + 1] >= 24:  # most are of this length
        size, start = data[at + 1], at + 2
    elif 0x40 <= first < 0x58:
        size, start = first - 0x40, at + 1
    else:
        size, start = head(data, at, 2)
    end = start + size
    if end > len(data):
        raise RefusedError(Reason.MALFORMED, f"the bytes at {at} are cut off")
    return data[start:end], end


def item_end(data: bytes, at: int, depth: int = CBOR_DEPTH_MAX) -> int:
    """Return where one item of any type ends; what it holds is not judged (errors of :func:`head`)."""
    if depth < 0:
        raise RefusedError(Reason.MALFORMED, f"nested deeper than {CBOR_DEPTH_MAX}")
    major = data[at] >> 5 if at < len(data) else 0
    if major == 7:  # false, true, null: one byte each; any other is refused when it is decoded
        return at + 1
    count, at = head(data, at, major)
    if major in {2, 3}:
        return at + count
    for _ in range({4: count, 5: 2 * count, 6: 1}.get(major, 0)):
        at = item_end(data, at, depth - 1)
    return at


def _check(value: Any, depth: int) -> None:
    """Let through only the plain types, within the limits on depth and items."""
    if depth < 0:
        raise RefusedError(Reason.MALFORMED, f"nested deeper than {CBOR_DEPTH_MAX}")
    kind = type(value)
    if kind in (int, bytes, str, bool) or value is None:
        return
    if kind in (list, tuple, dict, cbor2.frozendict):
        if len(value) > CBOR_ITEMS_MAX:
            raise RefusedError(Reason.MALFORMED, f"more than {CBOR_ITEMS_MAX} items")
        for item in value:
            _check(item, depth - 1)
        if kind in (dict, cbor2.frozendict):
            _check_keys(value)
            for item in value.values():
                _check(item, depth - 1)
        return
    if kind is cbor2.CBORTag and value.tag in TAGS_ALLOWED:
        _check(value.value, depth - 1)
        return
    raise RefusedError(Reason.MALFORMED, f"a {kind.__name__} has no place here")


def _check_keys(keys: Any) -> None:
    """Let through only keys that no reader can take for another: Python holds True and 1 to be equal."""
    for key in keys:
        if type(key) not in (int, str, bytes, tuple):
            raise RefusedError(Reason.MALFORMED, f"a {type(key).__name__} cannot be a map key")
