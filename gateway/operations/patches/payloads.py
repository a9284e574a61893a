"""Files that patches carry: measured piece by piece, and taken into the workspace under their SHA-256.

A payload may be far larger than memory. It is copied once and hashed on the way, so that what is kept is
what was measured, and it gets its name only when everything about the patch is right.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from advisories.limits import IMAGE_BYTES_MAX, PAYLOAD_BYTES_MAX
from advisories.mcuboot import Image, Scan
from advisories.suit.check import Found
from gateway import files
from keys.errors import InputError, RefusedError

IMAGE_MAGIC: Final = b"\x3d\xb8\xf3\x96"  # how every MCUboot image begins
_PIECE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that waits in the workspace for its name."""

    source: Path
    """Where it came from, for messages."""
    path: Path
    """Where it lies until it gets its name."""
    found: Found

    @property
    def image(self) -> Image | None:
        """What it is as an MCUboot image, if it is a whole one."""
        return self.found.image


class Incoming:
    """Files on their way into a folder, for which nobody else makes any: all of them are kept, or none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: list[Taken] = []

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was not kept."""
        for taken in self._taken:
            with contextlib.suppress(OSError):
                taken.path.unlink(missing_ok=True)

    def take(self, source: Path, *, size_max: int, too_big: str) -> Taken:
        """Copy a file in, measuring it on the way.

        Args:
            source: a file, or a pipe.
            size_max: bytes.
            too_big: what to say of a longer one; ``{size}`` stands for its bytes so far.

        Raises:
            InputError: FILE_MISSING, IMAGE_TOO_BIG.
            UnavailableError: FILE, when the workspace cannot be written.
        """
        # The same names each time: what a kill leaves is taken over by the next.
        path = self._folder / f".incoming-{len(self._taken)}.new"
        scan, start = Scan(), b""
        with files.os_errors(path, "written"):
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as out:
                taken = Taken(source, path, Found(b"", 0))
                self._taken.append(taken)
                with _opened(source) as stream:
                    for piece in _pieces(stream):
                        start = start or piece[: len(IMAGE_MAGIC)]
                        scan.update(piece)
                        if scan.size > size_max:
                            message = too_big.format(size=f"more than {size_max}")
                            mend = "Make it smaller, or correct slot_bytes in products.toml."
                            raise InputError("IMAGE_TOO_BIG", message, mend=mend, where=str(source))
                        out.write(piece)
                out.flush()
                os.fchmod(out.fileno(), 0o644)
                os.fsync(out.fileno())
        self._taken[-1] = Taken(source, path, _found(scan, start))
        return self._taken[-1]

    def put(self, data: bytes, *, source: Path) -> Taken:
        """Take bytes that were made here."""
        path = self._folder / f".incoming-{len(self._taken)}.new"
        files.write_atomic(path, data)
        scan = Scan()
        scan.update(data)
        self._taken.append(Taken(source, path, _found(scan, data)))
        return self._taken[-1]

    def waiting(self) -> tuple[Taken, ...]:
        """Return what was taken so far."""
        return tuple(self._taken)

    def keep(self) -> None:
        """Give every file its name: the SHA-256 of its bytes; one that was damaged in place is mended."""
        with files.os_errors(self._folder, "written"):
            for taken in self._taken:
                if taken.path.exists():
                    taken.path.replace(self._folder / taken.found.digest.hex())
            files.sync_folder(self._folder)


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    try:
        stream = source.open("rb")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            "FILE_MISSING",
            f"The image cannot be read ({reason}).",
            mend="Check the path.",
            where=str(source),
        ) from None
    with stream:
        yield stream


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _found(scan: Scan, start: bytes) -> Found:
    digest = scan.whole.digest()
    if start[: len(IMAGE_MAGIC)] != IMAGE_MAGIC:
        return Found(digest, scan.size)
    try:
        return Found(digest, scan.size, scan.image())
    except RefusedError as error:
        return Found(digest, scan.size, fault=error.detail or error.reason.means)


def measured(path: Path) -> Found:
    """Return what a file is, without keeping it.

    Raises:
        InputError: FILE_MISSING, IMAGE_TOO_BIG.
    """
    scan, start = Scan(), b""
    with _opened(path) as stream, files.os_errors(path, "read"):
        for piece in _pieces(stream):
            start = start or piece[: len(IMAGE_MAGIC)]
            scan.update(piece)
            if scan.size > PAYLOAD_BYTES_MAX:  # a device such as /dev/zero has no end
                message = f"The file has more than {PAYLOAD_BYTES_MAX} bytes, which no patch can carry."
                raise InputError("IMAGE_TOO_BIG", message, mend="Name another file.", where=str(path))
    return _found(scan, start)


def read_image(path: Path) -> tuple[bytes, Image]:
    """Read an MCUboot image.

    Raises:
        InputError: FILE_MISSING, FILE_TOO_BIG, IMAGE_UNREADABLE.
    """
    data = files.read_bytes(path, what="image", mend="Check the path.", size_max=IMAGE_BYTES_MAX)
    scan = Scan()
    scan.update(data)
    return data, whole(_found(scan, data), path)


def whole(found: Found, where: Path) -> Image:
    """Return what a file is as an MCUboot image.

    Raises:
        InputError: IMAGE_UNREADABLE.
    """
    if found.image is None:
        raise InputError(
            "IMAGE_UNREADABLE",
            f"This is not a whole MCUboot image ({found.fault or 'it begins as something else'}).",
            mend="Build it again, or make one with imgtool; of any other file, say its --version.",
            where=str(where),
        )
    return found.image
