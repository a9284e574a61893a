"""Where evidence is written to: a new file, or an earlier export; nothing else is ever replaced."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from gateway import files
from gateway.core.evidence.archive import ABOUT, FORMAT, Archive
from keys.errors import InputError, UnavailableError

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_FRESH: Final = re.compile(r"\.tocsin-[0-9a-f]{16}\.new")
_NAME_BYTES: Final = 8  # of chance in the name of a file that is being written


def require_place(path: Path) -> Path:
    """Refuse a place where something lies that is no earlier export, or that belongs to a workspace.

    Args:
        path: where evidence is to be written; a symbolic link stays one, and what it leads to counts.

    Returns:
        The place itself, behind all symbolic links.

    Raises:
        InputError: KEY_IN_THE_WAY, WORKSPACE_IN_THE_WAY, FILE_IN_THE_WAY.
        UnavailableError: NOT_A_FILE, for a folder, pipe or device; FILE.
    """
    with files.os_errors(path, "written"):
        place = Path(os.path.realpath(path))
        try:
            is_file = stat.S_ISREG(path.stat().st_mode)
        except FileNotFoundError:
            files.require_outside(place)
            return place
        if not is_file:
            raise files.not_a_file(path)
        files.require_replaceable(place)
        files.require_outside(place)
        if not _is_export(place):
            message = "A file that is no earlier export lies there; it would be lost."
            raise InputError("FILE_IN_THE_WAY", message, mend="Name another file.", where=str(path))
    return place


def _is_export(path: Path) -> bool:
    """Say whether a file calls itself evidence."""
    try:
        # Not to be held up where a pipe took the file's place meanwhile.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as stream:
            about = Archive(stream).json(ABOUT)
    except InputError:
        return False
    return isinstance(about, dict) and about.get("format") == FORMAT


@contextlib.contextmanager
def placed(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place once everything in it is on the disk, and not at all otherwise.

    It is written under a name of chance in the same folder, which nobody can have laid anything under: two
    exports to one place do not meet, and the last to end stays. Whoever writes holds a lock on it; what a
    kill left there has none, and is swept by the next.

    Raises:
        InputError, UnavailableError: of :func:`require_place`; FILE.
    """
    place = require_place(path)
    with files.os_errors(path, "written"):
        _sweep(place.parent)
        fresh, stream = _new(place, path)
        try:
            with stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if require_place(path) != place:  # whatever was laid there meanwhile is kept
                raise _moved(path)
            fresh.replace(place)
        finally:
            fresh.unlink(missing_ok=True)
        files.sync_folder(place.parent)


def _new(place: Path, path: Path) -> tuple[Path, BinaryIO]:
    """Make the file that takes a place in the end, locked; ``path`` is the name that a person knows."""
    while True:
        fresh = place.with_name(f".tocsin-{secrets.token_hex(_NAME_BYTES)}.new")
        try:
            stream = os.fdopen(os.open(fresh, _NEW, 0o644), "w+b")
        except OSError as error:
            error.filename = str(path)
            raise
        if _is_ours(fresh, stream):
            return fresh, stream
        stream.close()  # one that swept took it for what a kill left


def _is_ours(fresh: Path, stream: BinaryIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a folder without locks: there nobody sweeps
    return files.lies_at(fresh, stream)


def _sweep(folder: Path) -> None:
    """Remove what exports left here that were killed; what is being written is locked, and stays."""
    with contextlib.suppress(OSError):  # whoever may not look in here cannot write here either
        for path in sorted(folder.iterdir()):
            if _FRESH.fullmatch(path.name):
                with contextlib.suppress(OSError), os.fdopen(os.open(path, _OLD), "rb") as stream:
                    found = os.fstat(stream.fileno())
                    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()


def _moved(path: Path) -> UnavailableError:
    message = "A link was turned while the file was written."
    return UnavailableError("FILE", message, mend="Export it again.", where=str(path))
