"""What our fetch arguments say: how a component's new content comes out of what is fetched.

The draft leaves parameter 25 to the implementation. We know one form: a delta, from which the device
rebuilds the image out of one base image. Anything else is refused, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from advisories.limits import IMAGE_BYTES_MAX
from keys.codec import at, blob, choice, load, uint

_BYTES_MAX: Final = 128


class Form(IntEnum):
    """How what is fetched is written."""

    DETOOLS = 1
    """A detools patch, sequential; its header names the compression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """A delta to be fetched, and the base that it is applied to."""

    form: Form = at(1, choice(Form))
    size: int = at(2, uint(IMAGE_BYTES_MAX))
    """Bytes of the delta."""
    digest: bytes = at(3, blob(32))
    """SHA-256 of the delta."""
    base: bytes = at(4, blob(32))
    """SHA-256 of the base image."""


def read_arguments(arguments: bytes) -> Rebuild:
    """Read the ``arguments`` of a Fetch (RefusedError: TOO_BIG or MALFORMED, also for another form)."""
    return load(Rebuild, arguments, size_max=_BYTES_MAX)
