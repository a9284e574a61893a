"""Who uses which board: locks that the kernel drops when their holder dies.

A board is held by its name and by each of its ports, so that two names of one port exclude each other too.
The locks are those of open file descriptions (``F_OFD_SETLK``, Linux): they also keep two threads of one
process apart, and asking who holds one takes nothing. A lock file is never removed: somebody could just have
opened it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import hashlib
import json
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hil.bench.board import Board
from hil.bench.port import resolve
from hil.errors import BenchError

_SESSIONS: Final = Path("/run/user")
_POLL_S: Final = 0.1  # while waiting: a person or a test run of seconds is waited for
_CONTENT_BYTES_MAX: Final = 8192
_PURPOSE_MAX: Final = 300  # characters
_PID_MAX: Final = 2**22  # of Linux
_READS: Final = 20  # of a content that is just being written
_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, pid
_SAME_HOST: Final = {"localhost": "127.0.0.1", "::1": "127.0.0.1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a board."""

    board: str
    user: str
    pid: int
    purpose: str
    """A command or a test, as a person would recognise it."""
    since: float
    """UTC seconds."""
    ports: tuple[str, ...] = ()
    place: str = ""
    """``file:line`` of the board."""

    def told(self) -> str:
        """Return who it is, what for and since when, in the bench's local time."""
        since = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"{self.user} (pid {self.pid}, `{self.purpose}`) since {since}"


def folder_of(environ: Mapping[str, str]) -> Path:
    """Return the folder of the locks, made if need be.

    It is ``$XDG_RUNTIME_DIR/hil``; where that is not set, as in a cron job, ``/run/user/UID/hil``, which a
    session of the same user has; and where there is none either, ``/tmp/hil-UID``.

    Raises:
        BenchError: LOCK_FOLDER, when it is not a folder of this user alone.
    """
    user = os.getuid()
    places = [Path(environ.get("XDG_RUNTIME_DIR", "")), _SESSIONS / str(user)]
    runtime = next((place for place in places if _usable(place)), None)
    folder = Path(f"/tmp/hil-{user}") if runtime is None else runtime / "hil"  # noqa: S108 - checked below
    _own(folder)
    return folder


def _usable(runtime: Path) -> bool:
    """Say whether a folder is this user's own: with sudo the variable may name somebody else's."""
    try:
        ours = runtime.is_absolute() and runtime.stat().st_uid == os.getuid()
    except OSError:
        return False
    return ours and os.access(runtime, os.W_OK | os.X_OK)


def _own(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        message = f"The folder of the locks cannot be made ({error.strerror})."
        raise BenchError("LOCK_FOLDER", message, mend="Set XDG_RUNTIME_DIR.", where=str(folder)) from None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    if not ours:
        message = "The folder of the locks belongs to somebody else, or others may write to it."
        raise BenchError("LOCK_FOLDER", message, mend="Remove it, or set XDG_RUNTIME_DIR.", where=str(folder))


def ports_of(board: Board) -> list[str]:
    """Return the ports of a board as they are now; one that is not plugged in counts by its URL."""
    urls = [board.link.url] if board.link.url else []
    urls += [board.console.url] if board.console.url != "same" else []
    found = []
    for url in urls:
        try:
            found.append(resolve(url))
        except BenchError:
            found.append(url)
    return found


def key_of(port: str) -> str:
    """Return what all names of one port have in common: the device, or host and number; empty if private."""
    scheme, separator, rest = port.partition("://")
    if not separator:
        return os.path.realpath(port)
    if scheme.lower() in {"socket", "rfc2217"}:
        with contextlib.suppress(ValueError):
            parts = urlsplit(port)
            host = (parts.hostname or "").lower()
            return f"{_SAME_HOST.get(host, host)}:{parts.port}"
    if scheme.lower() in {"spy", "alt"}:
        return os.path.realpath(rest.partition("?")[0])
    return "" if scheme.lower() == "loop" else port


def hold(
    board: Board,
    ports: Sequence[str],
    *,
    purpose: str,
    wait_s: float = 0.0,
    folder: Path | None = None,
    waits: Callable[[Holder | None], None] | None = None,
) -> AbstractContextManager[Holder]:
    """Hold a board and its ports.

    Args:
        board: which.
        ports: see :func:`ports_of`.
        purpose: what for; others are told.
        wait_s: how long to wait for it at most.
        folder: of the locks; left out: :func:`folder_of`.
        waits: told once who is waited for, before the first wait.

    Raises:
        BenchError: BOARD_BUSY, naming the holder; LOCK_FOLDER.
    """
    return _held([(board, ports)], purpose, wait_s, folder, waits)


@contextlib.contextmanager
def take_one(
    candidates: Sequence[Board],
    *,
    purpose: str,
    wait_s: float = 0.0,
    folder: Path | None = None,
    waits: Callable[[Holder | None], None] | None = None,
) -> Iterator[Board]:
    """Hold the first board that is free; choosing it and locking it are one step.

    Args:
        candidates: at least one, the preferred one first.
        purpose: what for; others are told.
        wait_s: how long to wait at most until one is free.
        folder: of the locks; left out: :func:`folder_of`.
        waits: told once who is waited for, before the first wait.

    Raises:
        BenchError: BOARD_BUSY, naming the holders; LOCK_FOLDER.
    """
    pairs = [(board, ports_of(board)) for board in candidates]
    with _held(pairs, purpose, wait_s, folder, waits) as holder:
        yield next(board for board in candidates if board.name == holder.board)


@contextlib.contextmanager
def _held(
    candidates: Sequence[tuple[Board, Sequence[str]]],
    purpose: str,
    wait_s: float,
    folder: Path | None,
    waits: Callable[[Holder | None], None] | None,
) -> Iterator[Holder]:
    place = folder or folder_of(os.environ)
    end = time.monotonic() + wait_s
    while True:
        busy: list[tuple[Board, Path]] = []
        for board, ports in candidates:
            holder = _holder(board, ports, purpose)
            with contextlib.ExitStack() as stack:
                taken = _take(stack, place, board, ports, holder)
                if taken is None:
                    yield holder
                    return
            busy.append((board, taken))
        left = end - time.monotonic()
        if left <= 0:
            raise _refusal(busy)
        if waits is not None:
            waits(_read(busy[0][1]))
            waits = None
        time.sleep(min(_POLL_S, left))


def _holder(board: Board, ports: Sequence[str], purpose: str) -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    plain = "".join(c if c.isprintable() else "?" for c in purpose[:_PURPOSE_MAX])  # others print it
    return Holder(board.name, user, os.getpid(), plain, time.time(), tuple(ports), board.place)


def _take(
    stack: contextlib.ExitStack, folder: Path, board: Board, ports: Sequence[str], holder: Holder
) -> Path | None:
    """Take all locks of a board or none; returns the one that somebody else has.

    None is ever waited for with another one in hand, so nobody can wait in a ring.
    """
    keys = sorted({key for port in ports if (key := key_of(port))})
    digests = [hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32] for key in keys]
    paths = [folder / f"board-{board.name}.lock", *(folder / f"port-{digest}.lock" for digest in digests)]
    content = json.dumps(asdict(holder)).encode()
    for path in paths:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            stack.callback(os.close, file)
            if not _lock(file):
                return path
            os.ftruncate(file, 0)
            stack.callback(os.ftruncate, file, 0)  # before it is closed: the next one finds nothing of ours
            os.pwrite(file, content, 0)
        except OSError as error:  # no rights, a full disk, something else under that name
            message = f"A lock cannot be taken ({error.strerror})."
            raise BenchError(
                "LOCK_FOLDER", message, mend="Mend its folder, or set XDG_RUNTIME_DIR.", where=str(path)
            ) from None
    return None


def _lock(file: int) -> bool:
    """Take a lock if it is free."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return False
        raise
    return True


def _is_held(file: int) -> bool:
    """Say whether anybody holds a lock, without taking it."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked)
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


def holders(folder: Path | None = None) -> list[Holder]:
    """Return who holds boards now, by board; what a dead holder left behind is not shown."""
    place = folder or folder_of(os.environ)
    found = [_read(path) for path in sorted(place.glob("board-*.lock"))]
    return [holder for holder in found if holder is not None]


def _read(path: Path) -> Holder | None:
    """Return the holder of a lock; None if it is free, or if it does not say who it is."""
    for _ in range(_READS):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            if not _is_held(file):
                return None
            holder = _parsed(os.pread(file, _CONTENT_BYTES_MAX, 0))
        finally:
            os.close(file)
        # Between taking a lock and writing who took it, there is nothing to read, or who held it and died.
        if holder is not None and _lives(holder.pid):
            return holder
        time.sleep(_POLL_S / 10)
    return None


def _parsed(content: bytes) -> Holder | None:
    try:
        data: Any = json.loads(content)
        holder = Holder(**{**data, "ports": tuple(map(str, data["ports"]))})
        time.localtime(holder.since)
        known = type(holder.pid) is int and 0 < holder.pid <= _PID_MAX and isinstance(holder.board, str)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None
    return holder if known else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _refusal(busy: Sequence[tuple[Board, Path]]) -> BenchError:
    told = []
    for board, path in busy:
        holder = _read(path)
        who = holder.told() if holder else "another process, which has not said who it is"
        under = f" under the name {holder.board}" if holder and holder.board != board.name else ""
        told.append(f"Board {board.name} is used by {who}{under}")
    where = busy[0][0].place if len(busy) == 1 else ""
    mend = "Wait for it with --wait SECONDS (pytest: --hil-wait), or see 'hil who'."
    return BenchError("BOARD_BUSY", "; ".join(told) + ".", mend=mend, where=where)
