"""The C device's patch rooms, called from Python: what they read, and what the maker wrote."""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

from advisories import suit
from advisories.versions import Version
from keys.reasons import Reason

from .build import Core, Source

VENDOR = "example.com"


class Record(ctypes.Structure):
    """A structure of numbers and arrays."""

    _fields_: ClassVar[Any]


class Maker(Record):
    """``tn_factory``."""

    _fields_ = (
        ("seed", ctypes.c_uint8 * 32),
        ("root_1", ctypes.c_uint8 * 32),
        ("root_1_length", ctypes.c_uint16),
        ("provisioned", ctypes.c_bool),
        ("vendor", ctypes.c_uint8 * 16),
        ("model", ctypes.c_uint8 * 16),
        ("id", ctypes.c_char * 65),
        ("product", ctypes.c_char * 65),
        ("language", ctypes.c_char * 36),
        ("topics", ctypes.c_char * 65),
    )


class Image(Record):
    """``tn_image``."""

    _fields_ = (
        ("version", ctypes.c_uint32 * 4),
        ("counter", ctypes.c_uint32),
        ("digest", ctypes.c_uint8 * 32),
        ("hash", ctypes.c_uint8 * 32),
        ("length", ctypes.c_uint32),
    )


class Manifest(Record):
    """``tn_manifest``."""

    _fields_ = (
        ("digest", ctypes.c_void_p),
        ("image_digest", ctypes.c_void_p),
        ("sequence", ctypes.c_uint64),
        ("image_size", ctypes.c_uint32),
        ("version", ctypes.c_uint32 * 4),
        ("ours", ctypes.c_bool),
        ("has_version", ctypes.c_bool),
        ("language", Source),
    )

    @property
    def digests(self) -> tuple[bytes, bytes]:
        """The patch digest, and that of the image."""
        return ctypes.string_at(self.digest, 32), ctypes.string_at(self.image_digest, 32)

    @property
    def speaks(self) -> str:
        """The language in which it says what it does."""
        return ctypes.string_at(self.language.address, self.language.length).decode()

    @property
    def promised(self) -> Version | None:
        """The version that it promises."""
        major, minor, revision, build = self.version
        return (major, minor, revision, build) if self.has_version else None


def made(core: Core, product: str, *, device: str = "device", language: str = "en") -> Maker:
    """Say what the maker wrote; it is in memory only."""
    maker = Maker.in_dll(core.lib, "tn_maker")
    maker.id, maker.product = device.encode(), product.encode()
    maker.language, maker.topics = language.encode(), b"tocsin/v1"
    maker.vendor[:], maker.model[:] = map(list, suit.identifiers(VENDOR, product))
    return maker


def read_image(core: Core, data: bytes, slot: int = 0, length: int | None = None) -> tuple[Reason, Image]:
    """Put bytes into a slot and read them as an image; ``length`` 0: as the header says."""
    at = core.constants["TN_AT_SLOTS"] + slot * core.constants["TN_SLOT_BYTES"]
    core.flash_load(at, data)
    image = Image()
    core.lib.tn_image_read.argtypes = (ctypes.c_uint8, ctypes.c_uint32, ctypes.c_void_p)
    reason = core.lib.tn_image_read(slot, len(data) if length is None else length, ctypes.addressof(image))
    return Reason(reason), image


def open_suit(core: Core, data: bytes) -> tuple[Reason, Manifest]:
    """Stage an envelope and open it."""
    manifest = Manifest()
    core.flash_load("TN_AT_STAGING", data)
    reason = core.lib.tn_suit_open(core.in_flash("TN_AT_STAGING", len(data)), ctypes.byref(manifest))
    return Reason(reason), manifest
