"""What the C device takes for CBOR, reads of it item by item, and writes, called from Python."""

from __future__ import annotations

import ctypes
from typing import Any

import cbor2

from keys.cbor import decode
from keys.errors import RefusedError

from .build import Core, Source
from .shape_of_c import ANY, taken

MOST = 0xFFFF_FFFF
UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)


class Writer(ctypes.Structure):
    """``tn_writer``."""

    _fields_ = (("bytes", ctypes.c_void_p), ("room", ctypes.c_uint32), ("length", ctypes.c_uint32))


class Items:
    """Bytes in memory, or in flash at some place; where an item lies in them is an address, 0 where there is none."""

    def __init__(self, core: Core, data: bytes, at: int | None = None) -> None:
        self._core = core
        if at is None:
            self.source = core.in_memory(data)
        else:
            core.flash_load(at, data)
            self.source = core.in_flash(at, len(data))
        self.first = self.source.address

    def whole(self) -> bool:
        """Say whether this is one item, strictly encoded, and nothing behind it."""
        return taken(self._core, self.source, ANY)

    def _call(self, result: Any, name: str, item: int, *arguments: Any) -> Any:
        kinds = [ctypes.c_uint32 if isinstance(one, int) else ctypes.c_char_p for one in arguments]
        call = ctypes.CFUNCTYPE(result, ctypes.c_void_p, *kinds)((name, self._core.lib))
        return call(item or None, *arguments)

    def number(self, item: int) -> int:
        """Return a number; how many bytes or entries there are of anything else."""
        return int(self._call(ctypes.c_uint64, "tn_value", item))

    def kind(self, item: int) -> int:
        """Return ``tn_cbor_kind``."""
        return int(self._call(ctypes.c_uint32, "tn_kind", item))

    def step(self, name: str, item: int, *arguments: int) -> int:
        """Go where ``tn_first``, ``tn_behind``, ``tn_nth`` or ``tn_at`` leads."""
        return self._call(ctypes.c_void_p, name, item, *arguments) or 0

    def says(self, name: str, item: int, *arguments: bytes | None) -> bool:
        """Ask ``tn_is_true``, ``tn_is``, ``tn_is_hash`` or ``tn_has``."""
        call = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, *(ctypes.c_char_p for _ in arguments))
        return bool(call((name, self._core.lib))(item or None, *arguments))

    def bytes_of(self, name: str, item: int) -> bytes:
        """Return what ``tn_string`` or ``tn_whole`` gives; it must lie within the bytes."""
        found: Source = self._call(Source, name, item)
        if not item:
            assert found.length == 0
            return b""
        begin = found.address - self.first
        assert 0 <= begin <= begin + found.length <= self.source.length
        return ctypes.string_at(found.address, found.length)

    def value(self, item: int) -> Any:
        """Read one item of any kind, and all that is in it."""
        kind, number = self.kind(item), self.number(item)
        if kind in {UINT, NINT}:
            return number if kind == UINT else -1 - number
        if kind in {BYTES, TEXT}:
            held = self.bytes_of("tn_string", item)
            return held.decode() if kind == TEXT else held
        if kind == TAG:
            return cbor2.CBORTag(number, self.value(self.step("tn_first", item)))
        if kind == SIMPLE:
            found = {20: False, 21: True, 22: None}[number]
            assert self.says("tn_is_true", item) == (found is True)
            return found
        values = [self.value(one) for one in self.within(item)]
        if kind == ARRAY:
            return values
        return {_frozen(key): value for key, value in zip(values[::2], values[1::2], strict=True)}

    def within(self, container: int) -> list[int]:
        """Step through an array or map; every way to an item must lead to the same place."""
        count = self.number(container) * (2 if self.kind(container) == MAP else 1)
        found, one = [], self.step("tn_first", container)
        for place in range(count):
            assert self.step("tn_nth", container, place) == one
            found.append(one)
            one = self.step("tn_behind", one)
        assert self.step("tn_nth", container, count) == 0
        assert self.step("tn_behind", container) == one
        return found


def accepted(data: bytes) -> bool:
    """Say whether Python accepts these bytes."""
    try:
        decode(data, size_max=1 << 20)
    except RefusedError:
        return False
    return True


def _frozen(value: Any) -> Any:
    """Make of an array what Python can have as a key."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
