"""Deltas: a new image as what differs from one base image (detools, sequential).

Two compressions are tried, run lengths and heatshrink, because both are undone within a few hundred
bytes of memory, on a microcontroller too; the shorter outcome is kept. The header of a delta names its
compression, so any detools, in Python or in C, rebuilds the image. Who may trust it is decided by the
manifest: it binds the digests of the base, the delta and the image.

The library is loaded when it is first needed: whoever makes no deltas need not have it.
"""

from __future__ import annotations

import io
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from advisories.limits import IMAGE_BYTES_MAX
from keys.errors import InputError, RefusedError, UnavailableError
from keys.reasons import Reason

_COMPRESSIONS: Final = ("crle", "heatshrink")


def make(base: bytes, new: bytes) -> bytes:
    """Return a delta from ``base`` to ``new``; equal arguments give equal bytes.

    Args:
        base: the older image, 1 byte to ``IMAGE_BYTES_MAX``.
        new: the newer image, as long at most.

    Raises:
        InputError: DELTA_TOO_BIG: the images are compared in memory, which takes many times their size.
        UnavailableError: DELTA_LIBRARY, when detools is not installed.
    """
    require_size(len(base))
    require_size(len(new))
    detools = _library()
    found = []
    for compression in _COMPRESSIONS:
        out = io.BytesIO()
        detools.create_patch(io.BytesIO(base), io.BytesIO(new), out, compression=compression, use_mmap=False)
        found.append(out.getvalue())
    delta = min(found, key=len)
    assert apply(base, delta, len(new)) == new, "the library made a delta that it cannot apply"
    return delta


def require_size(size: int) -> None:
    """Refuse a size of which no delta is made (InputError: DELTA_TOO_BIG)."""
    if not 1 <= size <= IMAGE_BYTES_MAX:
        raise InputError(
            "DELTA_TOO_BIG",
            f"A delta cannot be made of an image of {size} bytes.",
            mend=f"Leave --delta-from out; images have 1 to {IMAGE_BYTES_MAX} bytes for that.",
        )


def apply(base: bytes, delta: bytes, size: int) -> bytes:
    """Return the image that a delta makes of its base, in memory that ``size`` bounds.

    Args:
        base: the older image.
        delta: whose digest a manifest has bound.
        size: bytes that the image must have.

    Raises:
        RefusedError: WRONG_BASE when the delta cannot be applied, or gives an image of another size.
        UnavailableError: DELTA_LIBRARY, when detools is not installed.
    """
    detools = _library()
    out = _Bounded(size)
    try:
        detools.apply_patch(io.BytesIO(base), io.BytesIO(delta), out)
    except Exception as error:  # noqa: BLE001 - the library's errors have no common base
        raise RefusedError(Reason.WRONG_BASE, f"the delta cannot be applied ({error})") from None
    made = out.getvalue()
    if len(made) != size:
        raise RefusedError(Reason.WRONG_BASE, f"the delta gives {len(made)} bytes, not {size}")
    return made


class _Bounded(io.BytesIO):
    """A file in memory that takes no more than was promised, whatever a delta's header claims."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._size:
            raise ValueError(f"more than {self._size} bytes")
        return super().write(data)


def _library() -> ModuleType:
    try:
        return import_module("detools")
    except ImportError:
        raise UnavailableError(
            "DELTA_LIBRARY",
            "Deltas are made with the Python package detools, which is not installed.",
            mend="Install it with 'pip install tocsin[delta]', or leave --delta-from out.",
        ) from None
