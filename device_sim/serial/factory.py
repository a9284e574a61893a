"""What a test build lets be provisioned over the line: checked when asked for, done at the next reset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from advisories import mcuboot
from advisories.topics import is_id
from advisories.versions import Version, parse_version
from device_sim.serial.flash import Flash
from keys.algorithms import Algorithm
from keys.errors import RefusedError
from keys.limits import ROOT_BYTES_MAX
from keys.signer import from_seed
from keys.trusted import TrustedSet

BODY_BYTES: Final = 16_384
"""Code in an image that is made here, or less where a slot is small."""
ALGORITHMS: Final = frozenset({Algorithm.ED25519, Algorithm.ESP256})
"""What such an image says that it can verify."""
_SEED_BYTES: Final = 32
_AROUND_BYTES: Final = 256  # of an image, what is not code

Change = Callable[[], None]


def change(flash: Flash, what: str, value: bytes) -> Change:
    """Return what to do between two boots.

    Args:
        flash: of the device.
        what: erase, root, key, version or id.
        value: the root's document, a seed of 32 bytes, or text.

    Raises:
        ValueError: there is no such thing, or its value does not fit.
    """
    if what not in _CHANGES:
        raise ValueError(f"'{what}' cannot be provisioned")
    return _CHANGES[what](flash, value)


def image(product: str, version: Version, slot_bytes: int) -> bytes:
    """Return an image: the bytes that ``tocsin device firmware`` writes, or fewer where a slot is small."""
    size = min(BODY_BYTES, slot_bytes - _AROUND_BYTES)
    if size < 1:
        raise ValueError(f"an image does not fit a slot of {slot_bytes} bytes")
    seed = hashlib.sha256(f"{product} {version}".encode()).digest()
    body = hashlib.shake_256(seed).digest(size)
    return mcuboot.pack(body, version, algorithms=ALGORITHMS)


def _erase(flash: Flash, _value: bytes) -> Change:
    return flash.make_new


def _root(flash: Flash, value: bytes) -> Change:
    try:
        TrustedSet.enrol(value, None)
    except RefusedError as error:
        raise ValueError(error.message) from None
    if len(value) > ROOT_BYTES_MAX:
        raise ValueError(f"a root of {len(value)} bytes, at most {ROOT_BYTES_MAX}")
    return lambda: flash.take_root(value)


def _key(flash: Flash, value: bytes) -> Change:
    if len(value) != _SEED_BYTES:
        raise ValueError(f"a seed of {len(value)} bytes, not {_SEED_BYTES}")
    signer = from_seed(value)
    return lambda: flash.take_key(signer)


def _version(flash: Flash, value: bytes) -> Change:
    made = image(flash.profile.product, parse_version(value.decode()), flash.profile.slot_bytes)
    return lambda: flash.take_image(made)


def _id(flash: Flash, value: bytes) -> Change:
    name = value.decode()
    if not is_id(name):
        raise ValueError(f"'{name}' is no id")
    return lambda: flash.take_id(name)


_CHANGES: Final[Mapping[str, Callable[[Flash, bytes], Change]]] = {
    "erase": _erase,
    "root": _root,
    "key": _key,
    "version": _version,
    "id": _id,
}
