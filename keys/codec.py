"""Records as CBOR maps with small integer keys: one declarative table a record.

A record is a frozen dataclass whose fields are declared with :func:`at`; the same table
encodes, decodes and refuses. Unknown keys are refused, so a reader never ignores what a
later writer meant to be obeyed.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Point:
        x: int = at(1, uint())
        name: str | None = at(2, text(16), optional=True)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, TypeVar

from cbor2 import frozendict

from keys.cbor import encode, require_same, scan
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

R = TypeVar("R")

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_STEERING = re.compile(r"[\n\u2028-\u202e\u2066-\u2069]")
"""Line ends, and the characters that turn the direction of writing: a name must read as it is spelt."""
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ARRAYS = frozenset({list, tuple})
_MAPS = frozenset({dict, frozendict})  # what the decoder makes of a map, the latter inside a map's key


@dataclass(frozen=True, slots=True)
class Shape:
    """How one value looks on the wire: ``pack`` to CBOR values, ``unpack`` checks and rebuilds."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


def _refuse(what: str) -> Any:
    raise RefusedError(Reason.MALFORMED, what)


def _same(value: Any) -> Any:
    return value


def uint(maximum: int = VERSION_MAX) -> Shape:
    """An unsigned integer of at most ``maximum``."""

    def unpack(value: Any) -> int:
        if type(value) is not int or not 0 <= value <= maximum:
            _refuse(f"expected an integer from 0 to {maximum}")
        return value  # type: ignore[no-any-return]

    return Shape(_same, unpack)


def text(bytes_max: int, *, bytes_min: int = 1) -> Shape:
    """A text of ``bytes_min`` to ``bytes_max`` UTF-8 bytes, without control characters but new line.

    Words of the wire end on consoles: an escape sequence in them would draw what nobody signed off.
    """

    def unpack(value: Any) -> str:
        if type(value) is not str or not bytes_min <= len(value.encode()) <= bytes_max:
            _refuse(f"expected a text of {bytes_min} to {bytes_max} bytes")
        if _CONTROL.search(value):
            _refuse("a control character stands in a text")
        return str(value)

    return Shape(_same, unpack)


def name(bytes_max: int) -> Shape:
    """A name of 1 to ``bytes_max`` UTF-8 bytes on one line, in one direction, without space at its ends."""
    words = text(bytes_max)

    def unpack(value: Any) -> str:
        found = str(words.unpack(value))
        if found != found.strip() or _STEERING.search(found):
            _refuse("a name is one line in one direction, without space at its ends")
        return found

    return Shape(_same, unpack)


def ident(bytes_max: int) -> Shape:
    """An id of 1 to ``bytes_max`` characters: letters, digits, dot, underscore, hyphen; the first is no mark.

    Such an id is safe as one level of a topic, of a URL and of a path.
    """

    def unpack(value: Any) -> str:
        if type(value) is not str or len(value) > bytes_max or not _IDENT.fullmatch(value):
            _refuse(f"expected an id of 1 to {bytes_max} letters, digits, dots, underscores or hyphens")
        return str(value)

    return Shape(_same, unpack)


def blob(bytes_max: int, *, bytes_min: int | None = None) -> Shape:
    """A byte string; of exactly ``bytes_max`` bytes unless ``bytes_min`` is given."""
    least = bytes_max if bytes_min is None else bytes_min

    def unpack(value: Any) -> bytes:
        if type(value) is not bytes or not least <= len(value) <= bytes_max:
            _refuse(f"expected {least} to {bytes_max} bytes")
        return bytes(value)

    return Shape(_same, unpack)


def boolean() -> Shape:
    """True or false."""

    def unpack(value: Any) -> bool:
        return bool(value) if type(value) is bool else bool(_refuse("expected true or false"))

    return Shape(_same, unpack)


def choice(enum: type[IntEnum]) -> Shape:
    """A member of an integer enumeration, by number."""

    def unpack(value: Any) -> IntEnum:
        if type(value) is not int or value not in enum._value2member_map_:
            _refuse(f"no such {enum.__name__}")
        return enum(value)

    return Shape(int, unpack)


def nullable(shape: Shape) -> Shape:
    """``shape``, or null for None."""
    return Shape(
        lambda value: None if value is None else shape.pack(value),
        lambda value: None if value is None else shape.unpack(value),
    )


def many(shape: Shape, items_max: int, *, items_min: int = 0) -> Shape:
    """An array of ``items_min`` to ``items_max`` values of one shape; a tuple in Python."""
    read = shape.unpack

    def unpack(value: Any) -> tuple[Any, ...]:
        if type(value) not in _ARRAYS or not items_min <= len(value) <= items_max:
            _refuse(f"expected an array of {items_min} to {items_max} items")
        return tuple([read(item) for item in value])

    return Shape(lambda values: [shape.pack(value) for value in values], unpack)


def row(*shapes: Shape) -> Shape:
    """An array with one value for each shape; a tuple in Python."""
    readers, count = [shape.unpack for shape in shapes], len(shapes)

    def unpack(value: Any) -> tuple[Any, ...]:
        if type(value) not in _ARRAYS or len(value) != count:
            _refuse(f"expected an array of {count} items")
        return tuple([read(item) for read, item in zip(readers, value, strict=False)])

    return Shape(
        lambda values: [shape.pack(value) for shape, value in zip(shapes, values, strict=True)], unpack
    )


def mapping(key: Shape, value: Shape, items_max: int, *, items_min: int = 0) -> Shape:
    """A map of ``items_min`` to ``items_max`` entries; a dict in Python."""
    read_key, read = key.unpack, value.unpack

    def unpack(item: Any) -> dict[Any, Any]:
        if type(item) not in _MAPS or not items_min <= len(item) <= items_max:
            _refuse(f"expected a map of {items_min} to {items_max} entries")
        return {read_key(k): read(v) for k, v in item.items()}

    return Shape(lambda item: {key.pack(k): value.pack(v) for k, v in item.items()}, unpack)


def record(cls: type[Any]) -> Shape:
    """A nested record."""
    return Shape(pack, lambda value: unpack(cls, value))


def at(key: int, shape: Shape, *, optional: bool = False) -> Any:
    """Declare a record's field: its map key and shape. An absent optional field is None."""
    metadata = {"key": key, "shape": shape, "optional": optional}
    return field(default=None, metadata=metadata) if optional else field(metadata=metadata)


@dataclass(frozen=True, slots=True)
class _Table:
    """A record's fields, read from its class once."""

    rows: tuple[tuple[int, str, Shape, bool], ...]
    """(key, name, shape, optional)."""
    readers: dict[Any, tuple[str, Callable[[Any], Any]]]
    """Key -> name and reader."""
    required: frozenset[str]


_TABLES: dict[type[Any], _Table] = {}


def _table(cls: type[Any]) -> _Table:
    table = _TABLES.get(cls)
    if table is None:
        rows = tuple(
            (f.metadata["key"], f.name, f.metadata["shape"], f.metadata["optional"])
            for f in fields(cls)
            if "key" in f.metadata
        )
        readers = {key: (name, shape.unpack) for key, name, shape, _ in rows}
        assert len(readers) == len(rows), f"{cls.__name__} declares a key twice"
        required = frozenset(name for _, name, _, optional in rows if not optional)
        table = _TABLES[cls] = _Table(rows, readers, required)
    return table


def pack(value: Any) -> dict[int, Any]:
    """Return the CBOR map of a record."""
    packed: dict[int, Any] = {}
    for key, name, shape, optional in _table(type(value)).rows:
        item = getattr(value, name)
        if not (optional and item is None):
            packed[key] = shape.pack(item)
    return packed


def unpack(cls: type[R], value: Any) -> R:
    """Rebuild a record from its CBOR map.

    Raises:
        RefusedError: MALFORMED, naming the record and field.
    """
    if type(value) not in _MAPS:
        _refuse(f"{cls.__name__} is not a map")
    table = _table(cls)
    readers = table.readers
    found: dict[str, Any] = {}
    for key, item in value.items():
        if type(key) is not int or key not in readers:  # by type: True equals 1 in Python, not on the wire
            _refuse(f"{cls.__name__} has no key {key!r}")
        name, read = readers[key]
        try:
            found[name] = read(item)
        except RefusedError as error:
            raise RefusedError(error.reason, f"{cls.__name__}.{name}: {error.detail}") from None
    if not table.required <= found.keys():
        lacking = table.required - found.keys()
        key, name = next((key, name) for key, name, _, _ in table.rows if name in lacking)
        _refuse(f"{cls.__name__} lacks {name} (key {key})")
    try:
        return cls(**found)
    except ValueError as error:  # a record's own __post_init__ refuses what shapes cannot say
        raise RefusedError(Reason.MALFORMED, f"{cls.__name__}: {error}") from None


def dump(value: Any) -> bytes:
    """Return the deterministic bytes of a record."""
    return encode(pack(value))


def load(cls: type[R], data: bytes, *, size_max: int) -> R:
    """Decode a record from untrusted bytes of at most ``size_max`` bytes.

    Raises:
        RefusedError: TOO_BIG or MALFORMED.
    """
    # Shapes compare the type of every value, so the decoder's own pass over them is not needed here.
    value = scan(data, size_max=size_max)
    found = unpack(cls, value)
    require_same(value, data)
    return found
