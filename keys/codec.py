"""Records as CBOR maps with small integer keys: one declarative table a record.

A record is a frozen dataclass whose fields are declared with :func:`at`; the same table
encodes, decodes and refuses. Unknown keys are refused, so a reader never ignores what a
later writer meant to be obeyed.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Point:
        x: int = at(1, uint())
        name: str | None = at(2, text(16), optional=True)

A table is compiled once into one function over bytes (as dataclasses compile theirs): see
:mod:`keys.shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, TypeVar

from keys.cbor import decode, encode, head, item_end
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.shapes import (
    MAP,
    Reader,
    Shape,
    Source,
    blob,
    boolean,
    choice,
    ident,
    many,
    mapping,
    name,
    nullable,
    refuse,
    row,
    text,
    uint,
    whole,
)

R = TypeVar("R")


def record(cls: type[Any]) -> Shape:
    """A nested record."""

    def emit(source: Source, target: str, where: str) -> None:
        del where  # the record's own name says more
        source.add(f"{target}, p = {source.name(_record(cls).read)}(d, p)")

    return Shape.compiled(pack, emit)


def at(key: int, shape: Shape, *, optional: bool = False) -> Any:
    """Declare a record's field: its map key (0 to 23) and shape. An absent optional field is None."""
    metadata = {"key": key, "shape": shape, "optional": optional}
    return field(default=None, metadata=metadata) if optional else field(metadata=metadata)


@dataclass(frozen=True, slots=True)
class _Field:
    key: int
    name: str
    shape: Shape
    optional: bool


@dataclass(frozen=True, slots=True)
class _Record:
    table: tuple[_Field, ...]
    """In the order of the wire."""
    read: Reader


_RECORDS: dict[type[Any], _Record] = {}


def _record(cls: type[Any]) -> _Record:
    """Return a record's table and its reader, made from the class once."""
    found = _RECORDS.get(cls)
    if found is None:
        rows = [_Field(name=f.name, **f.metadata) for f in fields(cls) if "key" in f.metadata]
        table = tuple(sorted(rows, key=lambda one: one.key))
        assert len({one.key for one in table}) == len(table), f"{cls.__name__} declares a key twice"
        assert all(0 <= one.key < 24 for one in table), f"{cls.__name__} declares a key of more than one byte"
        found = _RECORDS[cls] = _Record(table, _compiled(cls, table))
    return found


def _compiled(cls: type[Any], table: tuple[_Field, ...]) -> Reader:
    source = Source()
    source.values["wrong"] = lambda data, start: _wrong(cls, data, start)
    source.add("start = p")
    source.refuse_unless("0xa0 <= d[p] <= 0xbf", f"{cls.__name__} is not a map")
    source.argument("left", MAP)
    source.add(f"left -= {sum(not one.optional for one in table)}", "if left < 0: wrong(d, start)")
    targets = {one.name: source.fresh() for one in table}
    for one in table:
        target, where = targets[one.name], f"{cls.__name__}.{one.name}"
        if one.optional:
            with source.block(f"if left and d[p] == {one.key}:"):
                source.add("left -= 1", "p += 1")
                one.shape.write(source, target, where)
            source.add(f"else: {target} = None")
        else:
            source.add(f"if d[p] != {one.key}: wrong(d, start)", "p += 1")
            one.shape.write(source, target, where)
    source.add("if left: wrong(d, start)")
    _write_construction(source, cls, targets)
    return source.reader("record")


def _write_construction(source: Source, cls: type[Any], targets: dict[str, str]) -> None:
    """Write how ``record`` is made of the variables that hold its fields.

    Its own constructor looks each field of a frozen record up by name; here the slots are known.
    """
    slots = {
        name: vars(base)[name]
        for base in cls.__mro__
        for name in vars(base).get("__slots__", ())
        if name in targets
    }
    if slots.keys() == targets.keys() == {one.name for one in fields(cls)}:
        source.add(f"record = {source.name(cls.__new__)}({source.name(cls)})")
        for name, target in targets.items():
            source.add(f"{source.name(slots[name].__set__)}(record, {target})")
        made = "record.__post_init__()" if hasattr(cls, "__post_init__") else ""
    else:
        values = ", ".join(f"{name}={target}" for name, target in targets.items())
        made = f"record = {source.name(cls)}({values})"
    if made:
        source.add(
            f"try: {made}",
            "except ValueError as error:",  # a record's own __post_init__ refuses what shapes cannot say
            f"    refuse(f'{cls.__name__}: {{error}}')",
        )


def _wrong(cls: type[Any], data: bytes, start: int) -> NoReturn:
    """Say what is wrong with the keys of the map at ``start``: they are not those of the record, in order."""
    count, at = head(data, start, MAP)
    known, keys = {one.key: one.name for one in _record(cls).table}, []
    for _ in range(count):
        end = item_end(data, at)
        keys.append(decode(data[at:end]))
        if type(keys[-1]) is not int or keys[-1] not in known:
            refuse(f"{cls.__name__} has no key {keys[-1]!r}")
        at = item_end(data, end)
    for one in _record(cls).table:
        if not one.optional and one.key not in keys:
            refuse(f"{cls.__name__} lacks {one.name} (key {one.key})")
    refuse(f"{cls.__name__}: keys twice or out of order")


def pack(value: Any) -> dict[int, Any]:
    """Return the CBOR map of a record."""
    packed: dict[int, Any] = {}
    for one in _record(type(value)).table:
        item = getattr(value, one.name)
        if not (one.optional and item is None):
            packed[one.key] = one.shape.pack(item)
    return packed


def unpack(cls: type[R], value: Any) -> R:
    """Rebuild a record from its CBOR map.

    Raises:
        RefusedError: MALFORMED, naming the record and field.
    """
    return whole(_record(cls).read, encode(value))  # type: ignore[no-any-return]


def dump(value: Any) -> bytes:
    """Return the deterministic bytes of a record."""
    return encode(pack(value))


def load(cls: type[R], data: bytes, *, size_max: int) -> R:
    """Decode a record from untrusted bytes of at most ``size_max`` bytes.

    Raises:
        RefusedError: TOO_BIG or MALFORMED.
    """
    if len(data) > size_max:
        raise RefusedError(Reason.TOO_BIG, f"{len(data)} bytes, at most {size_max}")
    return whole(_record(cls).read, data)  # type: ignore[no-any-return]


__all__ = [
    "Shape",
    "at",
    "blob",
    "boolean",
    "choice",
    "dump",
    "ident",
    "load",
    "many",
    "mapping",
    "name",
    "nullable",
    "pack",
    "record",
    "row",
    "text",
    "uint",
    "unpack",
]
