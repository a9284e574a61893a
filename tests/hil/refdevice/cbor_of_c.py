"""The C device's CBOR reader and writer, called from Python."""

from __future__ import annotations

import ctypes
from typing import Any

from keys.cbor import decode
from keys.errors import RefusedError

from .build import Core, Source

MOST = 0xFFFF_FFFF
UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE, NONE = range(9)


class Reader(ctypes.Structure):
    """``tn_cbor``."""

    _fields_ = (
        ("in_", Source),
        ("at", ctypes.c_uint32),
        ("bad", ctypes.c_bool),
    )


class Writer(ctypes.Structure):
    """``tn_writer``."""

    _fields_ = (("bytes", ctypes.c_void_p), ("room", ctypes.c_uint32), ("length", ctypes.c_uint32))


class Cbor:
    """A reader over bytes in memory, or in flash at some place."""

    def __init__(self, core: Core, data: bytes, at: int | None = None) -> None:
        self._lib = core.lib
        self.data = data
        if at is None:
            self.source = core.in_memory(data)
        else:
            core.flash_load(at, data)
            self.source = core.in_flash(at, len(data))
        self.reader = Reader()
        core.lib.tn_cbor_open(ctypes.byref(self.reader), self.source)

    def peek(self) -> int:
        """Say which kind comes next."""
        return int(self._lib.tn_cbor_peek(ctypes.byref(self.reader)))

    def _call(self, name: str, *arguments: Any) -> bool:
        call = getattr(self._lib, f"tn_cbor_{name}")
        call.restype = ctypes.c_bool
        return bool(call(ctypes.byref(self.reader), *arguments))

    def number(self, name: str, *bounds: int) -> int | bool | None:
        """Call a reader that fills in a number; None where it refused (then the number must be 0)."""
        kinds: dict[str, Any] = {"uint": ctypes.c_uint64, "int": ctypes.c_int64, "bool": ctypes.c_bool}
        value = kinds.get(name, ctypes.c_uint32)(1)
        wide = [ctypes.c_uint64(bound) if name == "uint" else ctypes.c_uint32(bound) for bound in bounds]
        if self._call(name, *wide, ctypes.byref(value)):
            return value.value
        assert self.reader.bad
        assert not value.value
        return None

    def string(self, name: str, least: int = 0, most: int = MOST) -> bytes | None:
        """Call a reader that fills in a source; None where it refused (then the source must be empty)."""
        value = Source(b"", 7)
        bounds = () if name == "skip" else (ctypes.c_uint32(least), ctypes.c_uint32(most))
        if self._call(name, *bounds, ctypes.byref(value)):
            begin = value.address - self.source.address
            return self.data[begin : begin + value.length]
        assert self.reader.bad
        assert value.length == 0
        return None

    def plain(self, name: str, *arguments: Any) -> bool:
        """Call a reader that only says yes or no."""
        return self._call(name, *arguments)

    @property
    def ended(self) -> bool:
        """Whether all was read and nothing was wrong."""
        return self._call("ended")

    def whole(self) -> bool:
        """Say whether this is one item, strictly encoded, and nothing behind it."""
        return self.plain("skip", None) and self.ended

    def value(self) -> Any:
        """Read one item of any kind, by the reader of its kind."""
        kind = self.peek()
        if kind in {UINT, NINT}:
            return self.number("int") if kind == NINT else self.number("uint", 2**64 - 1)
        if kind == BYTES:
            return self.string("bytes")
        if kind == TEXT:
            text = self.string("text")
            assert text is not None
            return text.decode()
        if kind == ARRAY:
            count = self.number("array", 0, MOST)
            assert count is not None
            return [self.value() for _ in range(count)]
        if kind == MAP:
            count = self.number("map", 0, MOST)
            assert count is not None
            return {_frozen(self.value()): self.value() for _ in range(count)}
        assert kind == SIMPLE
        if self.data[self.reader.at] == 0xF6:
            assert self.plain("null")
            return None
        return bool(self.number("bool"))


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
