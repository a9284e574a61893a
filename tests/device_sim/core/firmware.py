"""Firmware images of the example product."""

from __future__ import annotations

import hashlib

from advisories import mcuboot, suit
from advisories.versions import Version

VENDOR, CLASS = suit.identifiers("example.com", "thermostat")
OLD, NEW = (1, 4, 1, 0), (1, 4, 2, 0)


def image(version: Version = OLD, *, size: int = 6_000, counter: int = 1, fill: int = 0) -> bytes:
    """A firmware image whose body depends on its version."""
    body = hashlib.sha256(repr((version, fill)).encode()).digest() * (size // 32 + 1)
    return mcuboot.pack(body[:size], version, security_counter=counter)
