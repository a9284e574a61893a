"""Values of a manifest as a person reads them: dates, versions, identifiers, digests, COSE algorithms.

Whatever cannot be read as what it should be is written as it is, in the notation of CBOR, and cut: these
functions never refuse. Every text is escaped, so that it cannot steer a terminal.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import cbor2

from advisories.suit.arguments import read_arguments
from advisories.suit.numbers import Comparison, Parameter
from keys.algorithms import Algorithm
from keys.cbor import scan
from keys.errors import RefusedError

BYTES_MAX: Final = 4 * 1024 * 1024  # of an envelope that is shown, its payloads with it
_TEXT_CHARACTERS_MAX: Final = 200  # of one text that are shown
_BYTES_SHOWN: Final = 48  # of one byte string that are shown
_ITEMS_SHOWN: Final = 16  # of one array or map inside a value
_DEPTH_SHOWN: Final = 6  # levels of arrays and maps inside a value

# COSE algorithms that a manifest or its blocks may name and we do not verify (RFC 8778, 9053, 9054, 9459).
_OTHERS: Final = {
    -7: "ES256 (deprecated)",
    -8: "EdDSA (deprecated)",
    -46: "HSS-LMS",
    -35: "ES384 (deprecated)",
    5: "HMAC-256",
    6: "HMAC-384",
    7: "HMAC-512",
    1: "A128GCM",
    2: "A192GCM",
    3: "A256GCM",
    24: "ChaCha20/Poly1305",
    -3: "A128KW",
    -4: "A192KW",
    -5: "A256KW",
    -6: "direct key",
    -25: "ECDH-ES+HKDF-256",
    -29: "ECDH-ES+A128KW",
    -31: "ECDH-ES+A256KW",
    -65534: "A128CTR",
    -65533: "A192CTR",
    -65532: "A256CTR",
}
_DIGESTS: Final = {-16: "sha-256", -18: "shake-128", -43: "sha-384", -44: "sha-512", -45: "shake-256"}
_COMPARISONS: Final = {
    Comparison.GREATER: ">",
    Comparison.GREATER_EQUAL: ">=",
    Comparison.EQUAL: "=",
    Comparison.LESSER_EQUAL: "<=",
    Comparison.LESSER: "<",
}


def escape(text: str) -> str:
    """Return ``text`` on one line, without control characters, cut after 200 characters."""
    shown = text[:_TEXT_CHARACTERS_MAX]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return safe + ("..." if len(text) > len(shown) else "")


def inner(data: Any) -> Any:
    """Return the CBOR inside a byte string, in any encoding.

    Raises:
        RefusedError: it is not a byte string, or not CBOR.
    """
    return scan(data if type(data) is bytes else b"", size_max=BYTES_MAX)


def algorithm(number: Any) -> str:
    """Name a COSE algorithm."""
    if type(number) is int:
        known = next((found.name.replace("_", "-") for found in Algorithm if found.value == number), None)
        return known or _OTHERS.get(number) or f"algorithm {number}"
    return "no algorithm" if number is None else f"algorithm {value(number)}"


def digest(found: Any) -> str:
    """Write a decoded SUIT_Digest."""
    if isinstance(found, list | tuple) and len(found) == 2 and type(found[1]) is bytes:
        name = _DIGESTS.get(found[0]) if type(found[0]) is int else None
        return f"{name or algorithm(found[0])} {found[1].hex() if len(found[1]) <= 64 else value(found[1])}"
    return value(found)


def value(found: Any, depth: int = _DEPTH_SHOWN) -> str:  # noqa: PLR0911 - one return for each kind of value
    """Write any decoded value in the notation of CBOR, cut where it is long."""
    if type(found) is bytes:
        more = f"... ({len(found)} bytes)" if len(found) > _BYTES_SHOWN else ""
        return f"h'{found[:_BYTES_SHOWN].hex()}'{more}"
    if type(found) is str:
        return f'"{escape(found)}"'
    if found is None or type(found) is bool:
        return {None: "null", True: "true", False: "false"}[found]
    if type(found) is int:
        return str(found) if abs(found) < 1 << 64 else "a number beyond 64 bits"
    if isinstance(found, Mapping | list | tuple):
        return _items(found, depth)
    if isinstance(found, cbor2.CBORTag):
        return f"{found.tag}({value(found.value, depth - 1)})" if depth else "..."
    return escape(str(found))


def _items(found: Any, depth: int) -> str:
    if not depth:
        return "..."
    more = ", ..." if len(found) > _ITEMS_SHOWN else ""
    if isinstance(found, Mapping):
        pairs = list(found.items())[:_ITEMS_SHOWN]
        return "{" + ", ".join(f"{value(k, depth - 1)}: {value(v, depth - 1)}" for k, v in pairs) + more + "}"
    return "[" + ", ".join(value(item, depth - 1) for item in found[:_ITEMS_SHOWN]) + more + "]"


def parameter(key: int, found: Any, names: Mapping[bytes, str]) -> str:
    """Write a parameter's value; ``names`` says whose an identifier is."""
    reader = _READERS.get(key)
    try:
        return value(found) if reader is None else reader(found, names)
    except (RefusedError, ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError):
        return value(found)


def _identifier(found: Any, names: Mapping[bytes, str]) -> str:
    name = names.get(found)
    return f"{uuid.UUID(bytes=found)}" + (f" ({escape(name)})" if name else "")


def _time(found: Any, _: object) -> str:
    return f"{datetime.fromtimestamp(_a_number(found), UTC):%Y-%m-%d %H:%M:%S UTC}"


def _a_number(found: Any) -> int:
    if type(found) is not int:
        raise TypeError
    return found


def numbers(found: Any) -> str:
    """Write a version that is a list of numbers; below 0 stands for alpha, beta and release candidates.

    Raises:
        TypeError: it is none.
    """
    before = {-1: "rc", -2: "beta", -3: "alpha"}
    if not isinstance(found, list | tuple) or not found or len(found) > _ITEMS_SHOWN:
        raise TypeError
    return ".".join(before.get(_a_number(part), str(part)) for part in found)


def _version(found: Any, _: object) -> str:
    comparison, wanted = inner(found) if type(found) is bytes else found
    return f"{_COMPARISONS[comparison]} {numbers(wanted)}"


def _fetch_arguments(found: Any, _: object) -> str:
    if found == b"":
        return "none"
    rebuild = read_arguments(found)
    return (
        f"a delta (detools) of {rebuild.size} bytes, sha-256 {rebuild.digest.hex()}, "
        f"from the base sha-256 {rebuild.base.hex()}"
    )


def _content(found: Any, _: object) -> str:
    text = found.decode("ascii", "replace")
    return f"{len(found)} bytes, " + (
        f'"{escape(text)}"' if text.isprintable() and "\ufffd" not in text else value(found)
    )


def _encryption(found: Any, _: object) -> str:
    tagged = inner(found)
    protected, _unprotected, *rest = tagged.value
    kind = {16: "COSE_Encrypt0", 96: "COSE_Encrypt"}[tagged.tag]
    used = [algorithm(inner(protected).get(1))]
    for recipient in rest[1] if tagged.tag == 96 else ():
        headers = {**(inner(recipient[0]) if recipient[0] else {}), **recipient[1]}
        key = f" for key {value(headers[4])}" if 4 in headers else ""
        used.append(f"{algorithm(headers.get(1))}{key}")
    return f"{kind}, {', '.join(used)}"


_READERS: Final[Mapping[int, Callable[[Any, Mapping[bytes, str]], str]]] = {
    Parameter.VENDOR_ID: _identifier,
    Parameter.CLASS_ID: _identifier,
    Parameter.DEVICE_ID: _identifier,
    Parameter.IMAGE_DIGEST: lambda found, _: digest(inner(found)),
    Parameter.USE_BEFORE: _time,
    Parameter.IMAGE_SIZE: lambda found, _: f"{_a_number(found)} bytes",
    Parameter.CONTENT: _content,
    Parameter.INVOKE_ARGS: _content,
    Parameter.ENCRYPTION_INFO: _encryption,
    Parameter.URI: lambda found, _: escape(found),
    Parameter.FETCH_ARGS: _fetch_arguments,
    Parameter.VERSION: _version,
}
