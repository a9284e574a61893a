"""What a slot was found to hold, measured by the shell byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from advisories import mcuboot
from advisories.versions import Version
from keys.algorithms import Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Measurement:
    """A slot's content, or that of its first bytes."""

    size: int
    """Bytes that were there."""
    digest: bytes
    """SHA-256 over them, 32 bytes."""
    image: mcuboot.Image | None = None
    """What it is, where it is a whole MCUboot image to its last byte."""
    reason: Reason = Reason.OK
    """Why it is no such image."""


@dataclass(frozen=True, slots=True)
class Running:
    """What was measured of the software that booted."""

    version: Version
    digest: bytes
    """SHA-256 of the whole image, 32 bytes; empty where the platform's own updater knows only the version."""
    counter: int = 0
    """Anti-rollback counter; 0 where it has none."""
    algorithms: frozenset[Algorithm] | None = None
    """What it can verify; None: it does not say."""


def running(found: Measurement) -> Running | Reason:
    """Return what runs from a slot that was measured, or why that cannot be told."""
    image = found.image
    if image is None:
        return found.reason
    return Running(image.version, image.whole, image.security_counter or 0, image.algorithms)


def measure(data: bytes) -> Measurement:
    """Return what these bytes are."""
    digest = hashlib.sha256(data).digest()
    try:
        return Measurement(len(data), digest, mcuboot.parse(data))
    except RefusedError as error:
        return Measurement(len(data), digest, None, error.reason)
