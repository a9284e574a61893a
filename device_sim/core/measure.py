"""What a slot was found to hold, measured by the shell byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

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
    hash: Any = field(default=None, compare=False, repr=False)
    """The SHA-256 object that took them in, for what is written behind them; None where there is none."""


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
    trial: bool = False
    """Nobody has confirmed it: the boot loader goes back at the next boot."""


def running(found: Measurement, *, trial: bool = False) -> Running | Reason:
    """Return what runs from a slot that was measured, or why that cannot be told."""
    image = found.image
    if image is None:
        return found.reason
    return Running(image.version, image.whole, image.security_counter or 0, image.algorithms, trial)


def measure(data: bytes) -> Measurement:
    """Return what these bytes are."""
    return measure_pieces([data])


def measure_pieces(pieces: Iterable[bytes]) -> Measurement:
    """Return what these bytes are, piece by piece: nothing but the image's records is held in memory."""
    scan = mcuboot.Scan()
    for piece in pieces:
        scan.update(piece)
    digest = scan.whole.digest()
    try:
        return Measurement(scan.size, digest, scan.image(), hash=scan.whole)
    except RefusedError as error:
        return Measurement(scan.size, digest, None, error.reason, scan.whole)
