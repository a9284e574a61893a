"""Reading a backup (:mod:`gateway.store.backup` writes down its format): from its beginning to its end, once.

Every digest is checked on the way; whoever wants to be sure before he changes anything reads it twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import cbor2

from gateway import files
from gateway.store.schema import SCHEMA_VERSION
from keys.errors import DamagedError, InputError

FORMAT: Final = 1
MAGIC: Final = b"tocsin-store-backup "
_FIRST_SCHEMA: Final = 5  # older stores were never written so
_FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
_VALUES: Final = (type(None), bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Part:
    """One table in a backup."""

    rows: int
    digest: str
    """SHA-256 over its encoded rows, in hex."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    schema: int
    created: float
    """UTC seconds."""
    engine: str
    fleet: str | None
    audit: tuple[int, str]
    """Index and hash (hex) of the newest audit row."""
    rows: int
    digest: str
    """SHA-256 over the whole file before its last frame, in hex."""
    tables: Mapping[str, Part]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Reading]:
    """Open a backup and read its header; a pipe will not do, for a backup is read twice.

    Raises:
        InputError: NOT_A_BACKUP; BACKUP_NEWER, when a newer program made it.
        DamagedError: BACKUP_DAMAGED, when it is cut off or not as it was written.
        UnavailableError: FILE, when it cannot be read.
    """
    with files.os_errors(path, "read"):
        # Nobody waits until somebody writes into a pipe; to a plain file it makes no difference.
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise _no_backup(str(path))
        try:
            yield Reading(stream, str(path))
        except (cbor2.CBORError, TypeError, ValueError, KeyError, IndexError, RecursionError, OverflowError):
            raise damaged(str(path), "what stands in it is not what a backup holds") from None


def _no_backup(where: str) -> InputError:
    mend = "Name a file that 'tocsin store backup' wrote."
    return InputError("NOT_A_BACKUP", "This is no backup of a store.", mend=mend, where=where)


def damaged(where: str, how: str) -> DamagedError:
    """Return the error for a backup that is not whole."""
    return DamagedError(
        "BACKUP_DAMAGED",
        f"The backup is damaged: {how}.",
        mend="Take another one; nothing was changed.",
        where=where,
    )


class Reading:
    """A backup that is read from its beginning to its end."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where = stream, where
        self._digest = hashlib.sha256()
        self._before = b""
        self._found: Backup | None = None
        first = stream.read(len(MAGIC))
        number = stream.readline(20) if first == MAGIC else b""
        if not number.endswith(b"\n") or not number[:-1].isdigit():
            raise _no_backup(where)
        self._require_known("format", int(number), FORMAT)
        self._digest.update(first + number)
        self._header = self._item(dict)
        self.schema: int = self._header["schema"]
        self._require_known("schema", self.schema, SCHEMA_VERSION)
        if self.schema < _FIRST_SCHEMA:
            raise self.damaged("its tables are of a version that was never written so")
        self.tables = [(str(name), [str(column) for column in row]) for name, row in self._header["tables"]]

    def _require_known(self, what: str, number: int, newest: int) -> None:
        if number > newest:
            raise InputError(
                "BACKUP_NEWER",
                f"A newer program made this backup: it has {what} {number}, this one knows {newest}.",
                mend="Restore it with the program that made it, or a newer one.",
                where=self._where,
            )

    def damaged(self, how: str) -> DamagedError:
        """Return the error for this backup, which is not whole."""
        return damaged(self._where, how)

    def lacking(self, how: str) -> DamagedError:
        """Return the error for this backup, which is as it was written and not of a whole store."""
        return DamagedError(
            "BACKUP_DAMAGED",
            f"The backup does not hold a whole store: {how}.",
            mend="Take another one, of a store that 'tocsin store check' calls whole; nothing was changed.",
            where=self._where,
        )

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise self.damaged("it is cut off")
        return data

    def _frame(self) -> bytes:
        head = self._exactly(4)
        size = int.from_bytes(head)
        if size > _FRAME_BYTES_MAX:
            raise self.damaged("what stands in it is not what a backup holds")
        content = self._exactly(size)
        self._before = self._digest.digest()  # of everything before this frame
        self._digest.update(head + content)
        return content

    def _item(self, kind: type) -> Any:
        found = cbor2.loads(self._frame())
        if not isinstance(found, kind):
            raise self.damaged("what stands in it is not what a backup holds")
        return found

    def rows(self) -> Iterator[tuple[str, list[str], list[Sequence[Any]]]]:
        """Yield (table, columns, rows), a frame at a time, and check every digest on the way.

        Raises:
            DamagedError: BACKUP_DAMAGED.
        """
        parts: dict[str, Part] = {}
        for place, (name, columns) in enumerate(self.tables):
            digest, count = hashlib.sha256(), 0
            while isinstance(first := self._first(content := self._frame()), int):
                beginning = len(cbor2.dumps(first))
                rows = _items(content[beginning:])
                if first != place or not all(_is_row(row, columns) for row in rows):
                    raise self.damaged("what stands in it is not what a backup holds")
                digest.update(content[beginning:])
                count += len(rows)
                yield name, columns, rows
            if first != [place, count, digest.digest()]:
                raise self.damaged(f"the rows of '{name}' are not those that were written")
            parts[name] = Part(count, digest.hexdigest())
        self._end(parts)

    def _first(self, content: bytes) -> Any:
        return cbor2.CBORDecoder(io.BytesIO(content)).decode()

    def _end(self, parts: dict[str, Part]) -> None:
        last = self._item(dict)
        rows, digest = sum(part.rows for part in parts.values()), self._before
        if last != {"rows": rows, "digest": digest} or self._stream.read(1):
            raise self.damaged("its end does not fit to what stands before it")
        head = self._header
        index, newest = head["audit"]
        self._found = Backup(
            schema=self.schema,
            created=head["created"],
            engine=head["engine"],
            fleet=head["fleet"],
            audit=(index, newest.hex()),
            rows=rows,
            digest=digest.hex(),
            tables=parts,
        )

    def backup(self) -> Backup:
        """Return what it holds, once all of it was read."""
        assert self._found is not None
        return self._found


def _items(data: bytes) -> list[Sequence[Any]]:
    stream = io.BytesIO(data)
    decoder, found = cbor2.CBORDecoder(stream), []
    while stream.tell() < len(data):
        found.append(decoder.decode())
    return found


def _is_row(row: Any, columns: Sequence[str]) -> bool:
    return isinstance(row, list) and len(row) == len(columns) and all(type(value) in _VALUES for value in row)
