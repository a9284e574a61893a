"""How single values look on the wire: one shape a kind of value, each read in one pass over the bytes.

A shape packs a value for the encoder, and writes the lines of Python that read it back. A reader knows
what must stand next and takes nothing else: no other type, no longer head, no other order. So nothing
is built from untrusted bytes but what a table names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, NoReturn

from keys.cbor import decode, encode, head, item_end
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

Reader = Callable[[bytes, int], tuple[Any, int]]
"""Bytes and a position in; a value and the position after it out."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_STEERING = re.compile(r"[\n\u2028-\u202e\u2066-\u2069]")
"""Line ends, and the characters that turn the direction of writing: a name must read as it is spelt."""
_IDENT = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]*")
NUMBER, BYTES, TEXT, ARRAY, MAP = 0, 2, 3, 4, 5  # major types (RFC 8949 section 3.1)
_SHORT_ARGUMENTS = 24  # an argument below that stands in the first byte of a head
_SHORT = {
    f"short{major}": tuple(
        one - (major << 5) if one >> 5 == major and one & 31 < 24 else None for one in range(256)
    )
    for major in (BYTES, TEXT, ARRAY, MAP)
}
"""First byte -> the argument of a head of one byte, else None; a table for each major type."""


def refuse(what: str) -> NoReturn:
    """Raise MALFORMED with the words ``what``."""
    raise RefusedError(Reason.MALFORMED, what)


class Source:
    """The source of one reader while it is written: lines of Python over data ``d`` at position ``p``."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 1
        self._count = 0
        self.values: dict[str, Any] = {
            "refuse": refuse,
            "head": head,
            "item_end": item_end,
            "decode": decode,
            "number": int.from_bytes,
            **_SHORT,
        }

    def add(self, *lines: str) -> None:
        """Append lines at the present depth."""
        self._lines += ["    " * self._depth + line for line in lines]

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        """Append a line such as ``else:`` and what belongs below it."""
        self.add(line)
        self._depth += 1
        yield
        self._depth -= 1

    def fresh(self) -> str:
        """Return the name of a new local variable."""
        self._count += 1
        return f"v{self._count}"

    def name(self, value: Any) -> str:
        """Return a name under which the reader finds ``value``."""
        name = f"c{len(self.values)}"
        self.values[name] = value
        return name

    def argument(self, target: str, major: int) -> None:
        """Read a head of one major type; its argument is ``target``."""
        if major == NUMBER:
            self.add(f"{target} = d[p]", f"if {target} < 24: p += 1")
            self.add(  # most numbers are times: four bytes, the upper two not zero
                f"elif {target} == 26 and (d[p + 1] or d[p + 2]):",
                f"    {target} = number(d[p + 1:p + 5])",  # the most significant byte first
                "    p += 5",  # past the end where the data is cut off, which `whole` notices
            )
        else:
            self.add(f"{target} = short{major}[d[p]]", f"if {target} is not None: p += 1")
            if major == BYTES:  # most that are longer state their length in one byte
                self.add(f"elif d[p] == 0x58 and d[p + 1:p + 2] > b'\\x17': {target} = d[p + 1]; p += 2")
        self.add(f"else: {target}, p = head(d, p, {major})")

    def refuse_unless(self, condition: str, what: str) -> None:
        """Refuse with the words ``what`` unless ``condition`` holds."""
        self.add(f"if not ({condition}): refuse({what!r})")

    def reader(self, result: str) -> Reader:
        """Return the finished function, which gives ``result``."""
        text = "\n".join(("def read(d, p):", "    end = len(d)", *self._lines, f"    return {result}, p"))
        exec(text, self.values)  # noqa: S102 - our own tables in, never anybody's data
        return self.values["read"]  # type: ignore[no-any-return]


Emit = Callable[[Source, str, str], None]
"""Writes how a value is read: into which variable, and under which name it is refused."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one value looks on the wire.

    ``pack`` turns it into CBOR values and ``unpack`` back; the latter checks and rebuilds. ``emit`` writes
    the same check over bytes; a shape without one is decoded as any plain value and then unpacked.
    """

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
    emit: Emit | None = None

    @staticmethod
    def compiled(pack: Callable[[Any], Any], emit: Emit) -> Shape:
        """Make a shape whose ``unpack`` does what ``emit`` writes."""

        @cache
        def reader() -> Reader:
            source = Source()
            emit(source, "value", "value")
            return source.reader("value")

        return Shape(pack, lambda value: whole(reader(), encode(value)), emit)

    def write(self, source: Source, target: str, where: str) -> None:
        """Write how this shape is read into ``target``."""
        if self.emit is not None:
            self.emit(source, target, where)
            return
        unpack, end = source.name(self.unpack), source.fresh()
        source.add(f"{end} = item_end(d, p)", f"{target} = {unpack}(decode(d[p:{end}]))", f"p = {end}")


def _same(value: Any) -> Any:
    return value


def whole(read: Reader, data: bytes) -> Any:
    """Return what ``read`` makes of all of ``data``, to its last byte.

    Raises:
        RefusedError: MALFORMED, and what the reader raises.
    """
    try:
        value, end = read(data, 0)
    except IndexError:
        refuse("cut off")
    except UnicodeDecodeError:
        refuse("a text is not UTF-8")
    if end != len(data):
        refuse(f"cut off, or {len(data) - end} bytes after the end" if end < len(data) else "cut off")
    return value


def uint(maximum: int = VERSION_MAX) -> Shape:
    """An unsigned integer of at most ``maximum``."""

    def emit(source: Source, target: str, where: str) -> None:
        what = f"{where}: expected an integer from 0 to {maximum}"
        if maximum < _SHORT_ARGUMENTS:
            source.argument(target, NUMBER)
            source.refuse_unless(f"{target} <= {maximum}", what)
            return
        source.add(f"{target} = d[p]", f"if {target} < {_SHORT_ARGUMENTS}: p += 1")
        with source.block("else:"):
            source.argument(target, NUMBER)
            source.refuse_unless(f"{target} <= {maximum}", what)

    return Shape.compiled(_same, emit)


def _emit_string(source: Source, target: str, where: str, major: int, *, least: int, most: int) -> None:
    size = source.fresh()
    what = f"{where}: expected {least} to {most} {'bytes' if major == BYTES else 'bytes of text'}"
    taken = f"{target} = d[p:p + {size}]", f"p += {size}"
    if major == TEXT and least <= 1 and most >= _SHORT_ARGUMENTS:  # only the end has to be compared
        source.add(f"{size} = short{major}[d[p]]")
        with source.block(f"if {size}:"):
            source.add("p += 1", *taken)
            source.refuse_unless("p <= end", what)
        with source.block("else:"):
            source.add(f"{size}, p = head(d, p, {major})", *taken)
            source.refuse_unless(f"{least} <= {size} <= {most} and p <= end", what)
        return
    source.argument(size, major)
    source.add(*taken)
    source.refuse_unless(f"{least} <= {size} <= {most} and p <= end", what)


def _emit_text(source: Source, target: str, where: str, *, least: int, most: int) -> None:
    _emit_string(source, target, where, TEXT, least=least, most=most)
    source.add(f"{target} = {target}.decode()")
    # What prints cannot hold a control character; the pattern is asked only about the rest.
    control = source.name(_CONTROL.search)
    source.refuse_unless(
        f"{target}.isprintable() or not {control}({target})", f"{where}: a control character stands in a text"
    )


def text(bytes_max: int, *, bytes_min: int = 1) -> Shape:
    """A text of ``bytes_min`` to ``bytes_max`` UTF-8 bytes, without control characters but new line.

    Words of the wire end on consoles: an escape sequence in them would draw what nobody signed off.
    """

    def emit(source: Source, target: str, where: str) -> None:
        _emit_text(source, target, where, least=bytes_min, most=bytes_max)

    return Shape.compiled(_same, emit)


def name(bytes_max: int) -> Shape:
    """A name of 1 to ``bytes_max`` UTF-8 bytes on one line, without space at its ends."""

    def emit(source: Source, target: str, where: str) -> None:
        _emit_text(source, target, where, least=1, most=bytes_max)
        steering = source.name(_STEERING.search)
        source.refuse_unless(
            f"{target} == {target}.strip() and ({target}.isprintable() or not {steering}({target}))",
            f"{where}: a name is one line, read from left to right, without space at its ends",
        )

    return Shape.compiled(_same, emit)


def ident(bytes_max: int) -> Shape:
    """An id of 1 to ``bytes_max`` characters: letters, digits, dot, underscore, hyphen; the first is no mark.

    Such an id is safe as one level of a topic, of a URL and of a path.
    """

    def emit(source: Source, target: str, where: str) -> None:
        _emit_string(source, target, where, TEXT, least=1, most=bytes_max)
        source.refuse_unless(
            f"{target}.isalnum() or {source.name(_IDENT.fullmatch)}({target})",  # of bytes: ASCII only
            f"{where}: expected an id of letters, digits, dots, underscores or hyphens",
        )
        source.add(f"{target} = {target}.decode()")

    return Shape.compiled(_same, emit)


def blob(bytes_max: int, *, bytes_min: int | None = None) -> Shape:
    """A byte string; of exactly ``bytes_max`` bytes unless ``bytes_min`` is given."""
    least = bytes_max if bytes_min is None else bytes_min

    def emit(source: Source, target: str, where: str) -> None:
        if not least == bytes_max < 256:
            _emit_string(source, target, where, BYTES, least=least, most=bytes_max)
            return
        start = encode(bytes(bytes_max))[: -bytes_max or None]  # the one head that fits
        after = source.fresh()
        source.add(f"{after} = p + {len(start) + bytes_max}")
        source.refuse_unless(
            f"d.startswith({start!r}, p) and {after} <= end", f"{where}: expected {bytes_max} bytes"
        )
        source.add(f"{target} = d[p + {len(start)}:{after}]", f"p = {after}")

    return Shape.compiled(_same, emit)


def boolean() -> Shape:
    """True or false."""

    def emit(source: Source, target: str, where: str) -> None:
        source.refuse_unless("d[p] == 0xf5 or d[p] == 0xf4", f"{where}: expected true or false")
        source.add(f"{target} = d[p] == 0xf5", "p += 1")

    return Shape.compiled(_same, emit)


def choice(enum: type[IntEnum]) -> Shape:
    """A member of an integer enumeration, by number."""
    members = {int(member): member for member in enum}

    def emit(source: Source, target: str, where: str) -> None:
        find = source.name(members.get)
        source.argument(target, NUMBER)
        source.add(f"{target} = {find}({target})")
        source.refuse_unless(f"{target} is not None", f"{where}: no such {enum.__name__}")

    return Shape.compiled(int, emit)


def nullable(shape: Shape) -> Shape:
    """``shape``, or null for None."""

    def emit(source: Source, target: str, where: str) -> None:
        source.add(f"if d[p] == 0xf6: {target} = None; p += 1")
        with source.block("else:"):
            shape.write(source, target, where)

    return Shape.compiled(lambda value: None if value is None else shape.pack(value), emit)


def many(shape: Shape, items_max: int, *, items_min: int = 0) -> Shape:
    """An array of ``items_min`` to ``items_max`` values of one shape; a tuple in Python."""

    def emit(source: Source, target: str, where: str) -> None:
        count, items, item = source.fresh(), source.fresh(), source.fresh()
        source.argument(count, ARRAY)
        source.refuse_unless(
            f"{items_min} <= {count} <= {items_max}",
            f"{where}: expected an array of {items_min} to {items_max} items",
        )
        source.add(f"{items} = []")
        with source.block(f"for _ in range({count}):"):
            shape.write(source, item, where)
            source.add(f"{items}.append({item})")
        source.add(f"{target} = tuple({items})")

    return Shape.compiled(lambda values: [shape.pack(value) for value in values], emit)


def row(*shapes: Shape) -> Shape:
    """An array with one value for each shape (fewer than 24); a tuple in Python."""

    def emit(source: Source, target: str, where: str) -> None:
        items = [source.fresh() for _ in shapes]
        source.refuse_unless(
            f"d[p] == {(ARRAY << 5) + len(shapes)}", f"{where}: expected an array of {len(shapes)} items"
        )
        source.add("p += 1")
        for shape, item in zip(shapes, items, strict=True):
            shape.write(source, item, where)
        source.add(f"{target} = ({', '.join(items)},)")

    return Shape.compiled(
        lambda values: [shape.pack(value) for shape, value in zip(shapes, values, strict=True)], emit
    )


def mapping(key: Shape, value: Shape, items_max: int, *, items_min: int = 0) -> Shape:
    """A map of ``items_min`` to ``items_max`` entries, its keys all texts; a dict in Python."""

    def emit(source: Source, target: str, where: str) -> None:
        count, start, last, k, v = (source.fresh() for _ in range(5))
        source.argument(count, MAP)
        source.refuse_unless(
            f"{items_min} <= {count} <= {items_max}",
            f"{where}: expected a map of {items_min} to {items_max} entries",
        )
        source.add(f"{target} = {{}}", f"{last} = b''")
        with source.block(f"for _ in range({count}):"):
            source.add(f"{start} = p")
            key.write(source, k, where)
            source.add(f"{start} = d[{start}:p]")
            source.refuse_unless(f"{start} > {last}", f"{where}: keys twice or out of order")
            source.add(f"{last} = {start}")
            value.write(source, v, where)
            source.add(f"{target}[{k}] = {v}")

    return Shape.compiled(lambda item: {key.pack(k): value.pack(v) for k, v in item.items()}, emit)
