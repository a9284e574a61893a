"""Structures of the C device's trust room, as Python sees them."""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

from .build import Source


class Record(ctypes.Structure):
    """A structure whose fields are numbers, sources and arrays."""

    _fields_: ClassVar[Any]


class Signature(Record):
    """``tn_signature``."""

    _fields_ = (("header", ctypes.c_void_p), ("value", ctypes.c_void_p))


class Message(Record):
    """``tn_message``."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("header", "payload", "signatures")),
        ("many", ctypes.c_bool),
        ("bare", ctypes.c_bool),
    )


class CRoot(Record):
    """``tn_root``."""

    _fields_ = (
        ("body", Source),
        ("keys", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("others", ctypes.c_uint32),
        ("holder", ctypes.c_uint8 * 16),
        ("twice", ctypes.c_bool),
        ("exercise", ctypes.c_bool),
        ("key_count", ctypes.c_uint8),
        *((name, ctypes.c_uint64) for name in ("version", "issued", "expires")),
    )


class Signed(Record):
    """``tn_signed``."""

    _fields_ = (("by", ctypes.c_uint32), ("passed", ctypes.c_uint32), ("author", ctypes.c_uint64 * 2))


class Document(Record):
    """``tn_document``."""

    _fields_ = (
        ("body", Source),
        ("digest", ctypes.c_uint8 * 32),
        ("signers", Signed),
        ("row", ctypes.c_int32),
        ("again", ctypes.c_bool),
    )


class Expected(Record):
    """``tn_expected``."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("bytes_max", ctypes.c_uint16),
        ("document_bytes_max", ctypes.c_uint16),
        ("subject", ctypes.c_char_p),
        ("product", ctypes.c_char_p),
        ("own", ctypes.c_void_p),
        ("floor", ctypes.c_uint8),
        ("expiring", ctypes.c_bool),
    )


class CFloor(Record):
    """``tn_floor``."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("name", "version", "issued", "until")),
        ("author", ctypes.c_uint64 * 2),
        ("digest", ctypes.c_uint8 * 32),
        ("kids", ctypes.c_uint16),
        ("type", ctypes.c_uint8),
        ("row", ctypes.c_uint8),
    )


class Stored(Record):
    """How ``tn_state`` begins."""

    _fields_ = (
        ("boot_epoch", ctypes.c_uint32),
        ("root_page", ctypes.c_uint8),
        ("catalogue_page", ctypes.c_uint8),
        ("root_length", ctypes.c_uint16),
        ("has_patch_floor", ctypes.c_bool),
        ("counts", ctypes.c_uint32 * 4),
        ("numbers", ctypes.c_uint64 * 4),
        ("fleet", ctypes.c_uint8 * 32),
        ("digests", ctypes.c_uint8 * 32 * 4),
        ("floors", CFloor * 16),
    )
