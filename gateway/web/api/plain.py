"""Plain values as JSON: texts, numbers, bytes; see :mod:`gateway.web.api.codec`."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import math
import types
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from gateway.web.api.strict import BadValueError
from keys.algorithms import PublicKey
from keys.cbor import decode as cbor_decode
from keys.cbor import encode as cbor_encode
from keys.errors import RefusedError

Schema = dict[str, Any]
INTEGER_MAX: Final = 2**63 - 1
_KEY_BYTES_MAX: Final = 4_096
_SAID: Final[Schema] = {"type": "integer", "format": "int64", "minimum": -INTEGER_MAX, "maximum": INTEGER_MAX}


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """How values of one type are written, read and described."""

    encode: Callable[[Any], Any]
    """Value -> what JSON knows."""
    decode: Callable[[Any, str], Any]
    """What JSON knows, and where it stands -> value (BadValueError)."""
    schema: Schema
    """JSON Schema, draft 2020-12."""


def same(value: Any) -> Any:
    """Return what JSON knows as it is."""
    return value


def read(kinds: type | tuple[type, ...], what: str, value: Any, place: str) -> Any:
    """Return a value of those kinds (BadValueError); true and false are no numbers."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise BadValueError(place, f"expected {what}")
    return value


def _integer(value: Any, place: str) -> int:
    found = read((int, float), "a whole number", value, place)
    if isinstance(found, float) and not found.is_integer():
        raise BadValueError(place, "expected a whole number")
    if abs(found) > INTEGER_MAX:
        raise BadValueError(place, "this number is too large")
    return int(found)


def _number(value: Any, place: str) -> float:
    found = read((int, float), "a number", value, place)
    try:
        number = float(found)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadValueError(place, "this number is too large")
    return number


def text(value: Any, place: str) -> str:
    """Return a text that can be stored and shown anywhere (BadValueError)."""
    found: str = read(str, "a text", value, place)
    if "\0" in found or any("\ud800" <= letter <= "\udfff" for letter in found):
        raise BadValueError(place, "it holds what is no text")
    return found


def _any(value: Any, place: str) -> Any:
    if isinstance(value, str):
        return text(value, place)
    if isinstance(value, list):
        return [_any(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {text(name, place): _any(item, f"{place}.{name}") for name, item in value.items()}
    return value


def to_base64(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(value: Any, place: str) -> bytes:
    """Read base64url without padding, the one spelling of those bytes (BadValueError)."""
    found: str = read(str, "base64url", value, place)
    try:
        data = base64.b64decode(found + "=" * (-len(found) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if to_base64(data) != found:
        raise BadValueError(place, "expected base64url without padding")
    return data


def _moment(value: Any, place: str) -> datetime:
    try:
        return datetime.fromtimestamp(_number(value, place), UTC)
    except (OverflowError, OSError, ValueError):
        raise BadValueError(place, "this is no time") from None


def _day(value: Any, place: str) -> date:
    try:
        return datetime.strptime(read(str, "a day", value, place), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise BadValueError(place, "expected a day such as 2030-01-31") from None


def _public_key(value: Any, place: str) -> PublicKey:
    try:
        return PublicKey.from_cose(cbor_decode(from_base64(value, place), size_max=_KEY_BYTES_MAX))
    except RefusedError:
        raise BadValueError(place, "expected a COSE_Key in base64url") from None


_BASE64: Final[Schema] = {
    "type": "string",
    "contentEncoding": "base64url",
    "pattern": "^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$",
}
PLAIN: Final[dict[Any, Shape]] = {
    types.NoneType: Shape(same, partial(read, types.NoneType, "null"), {"type": "null"}),
    None: Shape(same, partial(read, types.NoneType, "null"), {"type": "null"}),
    bool: Shape(same, partial(read, bool, "true or false"), {"type": "boolean"}),
    int: Shape(same, _integer, _SAID),
    float: Shape(same, _number, {"type": "number"}),
    str: Shape(same, text, {"type": "string"}),
    bytes: Shape(to_base64, from_base64, _BASE64),
    datetime: Shape(lambda moment: moment.timestamp(), _moment, {"type": "number"}),
    date: Shape(date.isoformat, _day, {"type": "string", "format": "date"}),
    Any: Shape(same, _any, {}),
    object: Shape(same, _any, {}),
    PublicKey: Shape(lambda key: to_base64(cbor_encode(key.to_cose())), _public_key, _BASE64),
}
