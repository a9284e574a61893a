"""Files of a workspace: atomic writes, strict TOML with line numbers, and errors that name the place."""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import json
import os
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from keys.errors import DamagedError, InputError, UnavailableError

_KEPT: Final = (b"PRIVATE KEY-----", b"CERTIFICATE REQUEST-----")
_WORKSPACE: Final = "tocsin.toml"
_WORKSPACE_FOLDERS: Final = frozenset(
    {"advisories", "artefacts", "devices", "keys", "patches", "roots", "sboms"}
)
_WORKSPACE_SUFFIXES: Final = frozenset(
    {".toml", ".yaml", ".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal"}
)
_MARKED_BYTES: Final = 65_536  # of a file are searched for these
NAMED_BYTES_MAX: Final = 16 * 1024 * 1024  # of a file that a person names: twice the largest image
_TURNS: Final = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)  # bidi embeddings and overrides


@contextlib.contextmanager
def os_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into an UnavailableError that names the file and what was being done.

    Args:
        path: the file or folder concerned, used when the error itself names none.
        doing: completes "cannot be ...", e.g. "written".
    """
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            "FILE",
            f"This cannot be {doing} ({error.strerror or type(error).__name__}).",
            mend="Check that the path exists and that you may use it.",
            where=str(error.filename or path),
        ) from None


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that after a crash there is the old content or the new, never a part.

    A symbolic link stays one: the file it leads to is written.

    Raises:
        UnavailableError: FILE, when the folder may not be written; NOT_A_FILE, when a device, pipe or
            folder is in the way, which a rename would do away with.
    """
    with os_errors(path, "written"):
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():
            raise not_a_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Always the same name beside it: what a kill leaves is taken over by the next to write this file.
        fresh = path.with_name(f".{path.name}.new")
        with _only_writer(fresh) as stream:
            try:
                stream.truncate()
                stream.write(data)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
                fresh.replace(path)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a file that nobody else writes meanwhile; readable by this user only."""
    while True:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if lies_at(path, stream):
                yield stream
                return
        # Another one finished and renamed it while we waited: that file is no longer ours to touch.


def lies_at(path: Path, stream: BinaryIO) -> bool:
    """Say whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def not_a_file(path: Path) -> UnavailableError:
    """Return the error of a place where a folder, device or pipe lies."""
    message = "Something that is no plain file is there."
    return UnavailableError(
        "NOT_A_FILE", message, mend="Move it away, or name another path.", where=str(path)
    )


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_replaceable(path: Path) -> None:
    """Refuse a place for a result where lies what nobody could make again.

    Raises:
        InputError: KEY_IN_THE_WAY, for a key or a signing request; WORKSPACE_IN_THE_WAY, for what a workspace
            is made of.
    """
    start = b""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as stream:
                start = stream.read(_MARKED_BYTES)
    if any(mark in start for mark in _KEPT):
        message = "A private key or a signing request lies there; it would be lost."
        raise InputError("KEY_IN_THE_WAY", message, mend="Name another file.", where=str(path))
    if path.is_file() and _is_of_workspace(path.resolve()):
        message = "A file of the workspace lies there; it would be lost."
        raise InputError("WORKSPACE_IN_THE_WAY", message, mend="Name another file.", where=str(path))


def require_outside(path: Path) -> None:
    """Refuse a place where a workspace keeps its own files, whether one lies there yet or not.

    Raises:
        InputError: WORKSPACE_IN_THE_WAY.
    """
    if _is_of_workspace(path.resolve()):
        message = "Only files of the workspace belong there."
        raise InputError("WORKSPACE_IN_THE_WAY", message, mend="Name another file.", where=str(path))


def _is_of_workspace(path: Path) -> bool:
    for folder in path.parents:
        if (folder / _WORKSPACE).is_file():
            inside = path.relative_to(folder)
            if len(inside.parts) == 1:
                return inside.suffix in _WORKSPACE_SUFFIXES
            return inside.parts[0] in _WORKSPACE_FOLDERS
    return False


def read_bytes(path: Path, *, what: str, mend: str, size_max: int = NAMED_BYTES_MAX) -> bytes:
    """Read a file that a person named; a pipe such as ``<(...)`` will do, an endless one is given up.

    Raises:
        InputError: FILE_MISSING, when it cannot be read; FILE_TOO_BIG.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(size_max + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"The {what} cannot be read ({reason})."
        raise InputError("FILE_MISSING", message, mend=mend, where=str(path)) from None
    if len(data) > size_max:
        message = f"The {what} has more than {size_max} bytes."
        raise InputError("FILE_TOO_BIG", message, mend=mend, where=str(path))
    return data


def listed(folder: Path, suffix: str) -> list[Path]:
    """Return what a folder holds whose name ends so, in order; nothing where there is no such folder.

    Raises:
        UnavailableError: FILE, when it may not be looked into, where ``Path.glob`` finds nothing.
    """
    with os_errors(folder, "read"), contextlib.suppress(FileNotFoundError):
        return sorted(path for path in folder.iterdir() if path.name.endswith(suffix))
    return []


def read_stored(path: Path, *, what: str, mend: str) -> bytes:
    """Read a file that Tocsin wrote itself.

    Raises:
        DamagedError: STORED_FILE, when it is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"The {what} cannot be read ({error.strerror or type(error).__name__})."
        if isinstance(error, IsADirectoryError):  # nothing can be put in its place
            mend = f"Move that folder away first. {mend}"
        elif isinstance(error, PermissionError):
            mend = "Check the rights of the file and of its folder."
        raise DamagedError("STORED_FILE", message, mend=mend, where=str(path)) from None


def near(word: str, known: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """Return a mend that names the nearest known word, or all of them."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a TOML table: what it must be, and what stands in when it is left out."""

    read: Callable[[Any], Any]
    """Returns the value, or raises ValueError saying what is wrong."""
    required: bool = True
    default: Any = None


@dataclass(frozen=True, slots=True)
class Toml:
    """A TOML file as it was read, with its text kept so that errors can name lines."""

    path: Path
    text: str = field(repr=False)
    data: dict[str, Any]
    start: int = 1
    """Line at which ``text`` begins in the file."""

    def where(self, table: str, key: str = "") -> str:
        """Return ``file:line`` of a key in a table ("" is the top), or of the table itself."""
        inside = table == ""
        start = self.start
        for number, line in enumerate(self.text.splitlines(), self.start):
            header = re.match(r"\s*\[\s*\"?([^\]\"]+)\"?\s*\]", line)
            if header:
                inside = header.group(1).strip() == table
                if inside:
                    start = number
                    if not key:
                        break
            elif inside and key and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
                return f"{self.path}:{number}"
        return f"{self.path}:{start}"

    def rows(self, name: str) -> list[Toml]:
        """Return each ``[[name]]`` table as one of its own, whose errors name the right lines.

        Raises:
            InputError: BAD_VALUE, when there are none or they are written otherwise.
        """
        parts = re.split(rf"^[ \t]*\[\[[ \t]*{re.escape(name)}[ \t]*\]\]", self.text, flags=re.MULTILINE)
        found = self.data.get(name)
        if not isinstance(found, list) or not found or len(parts) != len(found) + 1:
            message = f"There are no tables '{name}' as they should be."
            raise InputError(
                "BAD_VALUE", message, mend=f"Write each as [[{name}]].", where=self.where("", name)
            )
        starts = [sum(part.count("\n") for part in parts[:index]) + 1 for index in range(1, len(parts))]
        return [
            Toml(self.path, part, row, start)
            for part, row, start in zip(parts[1:], found, starts, strict=True)
        ]

    def fields(self, table: str, fields: Mapping[str, Field]) -> dict[str, Any]:
        """Read one table strictly.

        Raises:
            InputError: UNKNOWN_KEY (with the nearest known one), MISSING_KEY or BAD_VALUE, with file:line.
        """
        source = self.data if table == "" else self.data[table]
        if not isinstance(source, dict):
            message = f"'{table}' is not a table."
            raise InputError(
                "BAD_VALUE", message, mend=f"Write it as [{table}].", where=self.where("", table)
            )
        for key in source:
            if key not in fields:
                message = f"'{key}' is not a known key."
                raise InputError("UNKNOWN_KEY", message, mend=near(key, fields), where=self.where(table, key))
        found: dict[str, Any] = {}
        for key, spec in fields.items():
            if key not in source:
                if spec.required:
                    message = f"The key '{key}' is missing."
                    raise InputError(
                        "MISSING_KEY", message, mend=f"Add '{key} = ...'.", where=self.where(table)
                    )
                found[key] = spec.default
                continue
            try:
                found[key] = spec.read(source[key])
            except ValueError as error:
                message = f"'{key}': {error}."
                raise InputError(
                    "BAD_VALUE", message, mend="Mend the value.", where=self.where(table, key)
                ) from None
        return found


def read_toml(path: Path, *, what: str) -> Toml:
    """Read a TOML file.

    Raises:
        DamagedError: STORED_FILE, when it is not there.
        InputError: BAD_TOML with file:line, when it cannot be parsed.
    """
    return parse_toml(path, read_stored(path, what=what, mend="Restore it from a copy or from git."))


def parse_toml(path: Path, raw: bytes) -> Toml:
    """Parse what was read from a file.

    Raises:
        InputError: BAD_TOML with file:line.
    """
    try:
        text = raw.decode()
        return Toml(path, text, tomllib.loads(text))
    except RecursionError:
        raise InputError(
            "BAD_TOML",
            "This is not TOML that anybody means: it lies too deep.",
            mend="Mend the file.",
            where=str(path),
        ) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            "BAD_TOML", "This is not UTF-8 text.", mend="Save it as UTF-8.", where=f"{path}:{line}"
        ) from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found.group(1)) if found else raw.count(b"\n") + 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise InputError(
            "BAD_TOML", f"This is not TOML: {reason}.", mend="Mend that line.", where=f"{path}:{line}"
        ) from None


def toml_value(value: Any) -> str:
    """Write a text, number, truth value, time in UTC, or list or table of these as TOML, on one line."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_toml_key(key)} = {toml_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def toml_extended(table: Toml, name: str, values: Mapping[str, Any]) -> str:
    """Return a file's text with more keys in one of its tables; every other line stays as it is.

    Raises:
        InputError: BAD_VALUE, when the table is written in a form that cannot be added to.
    """
    # Right below the header: whatever form the values after it have, a line there belongs to the table.
    wanted = {**table.data, name: {**table.data[name], **values}}
    place = table.where(name)
    number = int(place.rpartition(":")[2])
    lines = table.text.splitlines(keepends=True)
    lines.insert(number, "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items()))
    with contextlib.suppress(tomllib.TOMLDecodeError):
        if tomllib.loads("".join(lines)) == wanted:
            return "".join(lines)
    message = f"The table '{name}' is written in a form that cannot be added to."
    raise InputError("BAD_VALUE", message, mend=f"Begin it with the line [{name}].", where=place)


def toml_table(name: str, values: Mapping[str, Any]) -> str:
    """Write one TOML table, ready to be appended to a file so that comments in it stay."""
    lines = [f"{key} = {toml_value(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{_toml_key(name)}]", *lines, ""])


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else str(toml_value(name))


def visible(text: str) -> str:
    """Write out by number what would steer a terminal or turn words around; new lines stay."""
    return "".join(c if c == "\n" or not steers(c) else c.encode("unicode_escape").decode() for c in text)


def steers(character: str) -> bool:
    """Say whether a letter steers a terminal or turns the words around it."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _TURNS
