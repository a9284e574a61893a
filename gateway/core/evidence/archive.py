"""The file of an export: a ZIP of few members, read as hostile. Pure: a seekable stream of bytes in.

Nothing is ever written to a disk from here, and no member is held in memory whole but small ones: long ones
are read as sequences of items, each with its length before it. What a member's bytes are is told by
``index.json`` and checked while they are read.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

from keys.errors import InputError

FORMAT: Final = "tocsin-evidence"
VERSION: Final = 1

ABOUT: Final = "evidence.json"
INDEX: Final = "index.json"
SIGNATURE: Final = "index.cose"
AUDIT: Final = "audit.seq"
REPORTS: Final = "reports.seq"
TIMESTAMPS: Final = "timestamps.seq"
OFFERS: Final = "offers.seq"
EVENTS: Final = "events.jsonl"
STATED: Final = "stated.jsonl"
CLOCKS: Final = "clocks.json"
TOLD_CSV: Final = "told.csv"
TOLD_JSON: Final = "told.json"
SUMMARY: Final = "summary.json"

FOLDERS: Final = ("advisory/", "catalogues/", "devices/", "patches/", "roots/")
SINGLE: Final = frozenset(
    {
        ABOUT, AUDIT, CLOCKS, EVENTS, INDEX, OFFERS, REPORTS, SIGNATURE, STATED, SUMMARY, TIMESTAMPS,
        TOLD_CSV, TOLD_JSON,
    }
)  # fmt: skip
MEMBERS_MAX: Final = 50_000
DIRECTORY_BYTES_MAX: Final = 32 * 1024 * 1024  # of the ZIP's own list of members
NAME_BYTES_MAX: Final = 400
SMALL_BYTES_MAX: Final = 16 * 1024 * 1024  # of a member that is read whole
ITEM_BYTES_MAX: Final = 16 * 1024 * 1024  # of one item or line of a sequence
RATIO_MAX: Final = 250  # how much longer than packed a member of some size may be
_RATIO_FROM: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
_LENGTH_BYTES: Final = 4  # before each item of a sequence
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_PART: Final = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|]+")
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    ValueError,
    OverflowError,
)


def refused(why: str) -> InputError:
    """Return the error of a file that is no export, or none that may be read."""
    return InputError(
        "NOT_EVIDENCE",
        f"This is not an evidence file that may be read: {why}.",
        mend="Ask for the file again; 'tocsin evidence export' makes it.",
    )


def is_name(name: str) -> bool:
    """Say whether a member's name is safe on every system that it may be unpacked on."""
    return len(name.encode(errors="replace")) <= NAME_BYTES_MAX and all(
        _PART.fullmatch(part) and part[-1] not in ". " for part in name.split("/")
    )


class Archive:
    """An opened export."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Open a file and look at its list of members.

        Raises:
            InputError: NOT_EVIDENCE.
        """
        _require_small_directory(stream)
        try:
            self._zip = zipfile.ZipFile(stream)
        except _BROKEN as error:
            raise refused(f"it is no ZIP file ({error})") from None
        self._members: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        for member in self._zip.infolist():
            self._members[member.filename] = _checked(member, folded)
        self._whole: dict[str, tuple[int, str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Every member, in the order of the file."""
        return tuple(self._members)

    def under(self, folder: str) -> list[str]:
        """Return the members of a folder, such as ``roots/``, sorted."""
        return sorted(name for name in self._members if name.startswith(folder))

    def __contains__(self, name: str) -> bool:
        """Say whether there is a member of this name."""
        return name in self._members

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes; once they have been read to their end, :meth:`measured` knows them.

        Raises:
            InputError: NOT_EVIDENCE, for one that is missing, damaged, or longer than it says.
        """
        member = self._members.get(name)
        if member is None:
            raise refused(f"it has no {name}")
        digest, left = hashlib.sha256(), member.file_size
        try:
            with self._zip.open(member) as stream:
                while piece := stream.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise refused(f"{name} is longer than it says")
                    digest.update(piece)
                    yield piece
        except _BROKEN as error:
            raise refused(f"{name} is damaged ({error})") from None
        self._whole[name] = (member.file_size - left, digest.hexdigest())

    def measured(self, name: str) -> tuple[int, str]:
        """Return length and SHA-256 of a member, reading it if nobody has."""
        if name not in self._whole:
            for _ in self.pieces(name):
                pass
        return self._whole[name]

    def read(self, name: str, size_max: int = SMALL_BYTES_MAX) -> bytes:
        """Return a small member whole.

        Raises:
            InputError: NOT_EVIDENCE, also for one that is too long.
        """
        member = self._members.get(name)
        if member is not None and member.file_size > size_max:
            raise refused(f"{name} has {member.file_size} bytes, at most {size_max} belong there")
        return b"".join(self.pieces(name))

    def json(self, name: str) -> Any:
        """Return a small member as JSON."""
        return parsed(self.read(name), name)

    def items(self, name: str) -> Iterator[bytes]:
        """Yield the items of a sequence: each has its length before it, four bytes, the highest first."""
        held = bytearray()
        for piece in self.pieces(name):
            held += piece
            at = 0
            while len(held) - at >= _LENGTH_BYTES:
                start = at + _LENGTH_BYTES
                end = start + int.from_bytes(held[at:start], "big")
                if end - start > ITEM_BYTES_MAX:
                    raise refused(f"{name} has an item of {end - start} bytes")
                if len(held) < end:
                    break
                yield bytes(held[start:end])
                at = end
            del held[:at]
        if held:
            raise refused(f"{name} is cut off")

    def lines(self, name: str) -> Iterator[Any]:
        """Yield the lines of a member, each a JSON value."""
        rest = b""
        for piece in self.pieces(name):
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > ITEM_BYTES_MAX:
                raise refused(f"{name} has a line without an end")
            for line in whole:
                yield parsed(line, name)
        if rest:
            raise refused(f"{name} is cut off")


def framed(item: bytes) -> bytes:
    """Return an item of a sequence with its length."""
    return len(item).to_bytes(_LENGTH_BYTES, "big") + item


def parsed(data: bytes, name: str) -> Any:
    """Return JSON, refusing what we never write: other encodings, doubled keys, NaN, half letters."""
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        if (
            b"\\ud" in data.lower()
        ):  # half of a letter has no bytes: whoever hashes or writes it would stumble
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise refused(f"{name} is no JSON of ours (it holds half of a letter)") from None
    except (ValueError, RecursionError) as error:
        raise refused(f"{name} is no JSON of ours ({error})") from None
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _checked(member: zipfile.ZipInfo, folded: set[str]) -> zipfile.ZipInfo:
    name = member.filename
    if not is_name(name) or name != member.orig_filename:
        raise refused("a member's name is not safe")
    if name.casefold() in folded:
        raise refused(f"{name} stands in it twice")
    folded.add(name.casefold())
    if member.flag_bits & 0x41 or member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise refused(f"{name} is encrypted or packed in a way that is not ours")
    if member.file_size > _RATIO_FROM and member.file_size > RATIO_MAX * max(1, member.compress_size):
        raise refused(f"{name} would unpack to more than {RATIO_MAX} times its size")
    return member


def _require_small_directory(stream: IO[bytes]) -> None:
    """Look at the end of the file before anything is believed: how long the list of members says it is."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - 65_557 - 20))
    tail = stream.read(65_557 + 20)
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise refused("it is no ZIP file")
    count, length = struct.unpack_from("<HI", tail, at + 10)
    if count == 0xFFFF or length == 0xFFFFFFFF or tail[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        count, length = _large(stream, tail[max(0, at - 20) : at])
    if count > MEMBERS_MAX or length > DIRECTORY_BYTES_MAX:
        raise refused(f"it lists {count} members")


def _large(stream: IO[bytes], locator: bytes) -> tuple[int, int]:
    """Return count and length from the record of a file beyond four gigabytes."""
    if len(locator) != 20 or not locator.startswith(b"PK\x06\x07"):
        raise refused("its end does not fit together")
    (where,) = struct.unpack_from("<Q", locator, 8)
    if where >= 2**63:
        raise refused("its end does not fit together")
    stream.seek(where)
    record = stream.read(56)
    stream.seek(0)
    if len(record) != 56 or not record.startswith(b"PK\x06\x06"):
        raise refused("its end does not fit together")
    found: tuple[int, int] = struct.unpack_from("<QQ", record, 32)
    return found


class Writer:
    """Makes an export: the same bytes for the same content, whatever the clock says."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=6)
        self._members: dict[str, dict[str, int | str]] = {}

    def add(self, name: str, pieces: Iterable[bytes] | bytes) -> None:
        """Write a member, whole or piece by piece."""
        assert is_name(name) and name not in self._members, name  # noqa: PT018 - one thought
        digest, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name, _DATE)
        info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
        with self._zip.open(info, "w", force_zip64=True) as stream:
            for piece in (pieces,) if isinstance(pieces, bytes) else pieces:
                digest.update(piece)
                size += len(piece)
                stream.write(piece)
        self._members[name] = {"bytes": size, "sha256": digest.hexdigest()}

    def measured(self) -> Iterator[tuple[str, int, str]]:
        """Yield name, length and SHA-256 of what was written so far."""
        for name, found in self._members.items():
            yield name, int(found["bytes"]), str(found["sha256"])

    def index(self) -> bytes:
        """Write the index of everything written so far and return its bytes: what a signature is over."""
        data = index_bytes(self._members)
        self.add(INDEX, data)
        return data

    def close(self) -> None:
        """Write the ZIP's own list."""
        self._zip.close()


def index_bytes(members: dict[str, dict[str, int | str]]) -> bytes:
    """Return the index: every member's length and SHA-256."""
    listed = {"members": dict(sorted(members.items()))}
    return (json.dumps(listed, indent=0, sort_keys=True, ensure_ascii=False) + "\n").encode()
