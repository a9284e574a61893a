"""What was said on a line, written while it is said: ``trace.pcapng``."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hil.errors import BenchError
from hil.wire import pcapng
from hil.wire.record import Direction, Kind, Record
from keys.errors import InputError

TRACE_BYTES_MAX: Final = 1 << 30  # of a file that is read
_NOISE: Final = "noise"
_EVENT: Final = "event: "
_SECOND: Final = 10**9


class Trace:
    """A tap that writes every record at once; a killed run leaves a file that can be read.

    Time in the file is the clock of the first record and goes on as ``time.monotonic`` does: it never jumps.
    Nothing is blanked here: whoever makes evidence puts :class:`hil.plugin.redact.Redactor` before it.
    """

    def __init__(self, path: Path) -> None:
        """Begin a file; one that is there is written anew.

        Raises:
            BenchError: TRACE_WRITE.
        """
        self.path = path
        self._lock = threading.Lock()
        self._base: tuple[float, int] | None = None
        self._failed: OSError | None = None
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise self._unwritten(error) from None
        self._write(pcapng.header())

    def __call__(self, record: Record) -> None:
        """Write a record; what cannot be written is told by :meth:`close`, for a tap must not fail."""
        with self._lock:
            if self._base is None:
                self._base = record.monotonic, round(record.utc * _SECOND)
            since, utc = self._base
            time_ns = max(0, utc + round((record.monotonic - since) * _SECOND))
            self._write(pcapng.packet(_packet(record, time_ns)))

    def _write(self, block: bytes) -> None:
        if self._failed is None and not self._file.closed:
            try:
                self._file.write(block)
            except OSError as error:
                self._failed = error

    def close(self) -> None:
        """End the file; a second time does nothing.

        Raises:
            BenchError: TRACE_WRITE, where something could not be written.
        """
        with self._lock:
            failed, self._failed = self._failed, None
            with contextlib.suppress(OSError):
                self._file.close()
        if failed:
            raise self._unwritten(failed)

    def _unwritten(self, error: OSError) -> BenchError:
        message = f"The trace cannot be written: {error.strerror or type(error).__name__}."
        return BenchError(
            "TRACE_WRITE", message, mend="Look at the disk and the folder.", where=str(self.path)
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the file."""
        self.close()


def _packet(record: Record, time_ns: int) -> pcapng.Packet:
    link_type = pcapng.LINKTYPE_SMP if record.kind is Kind.MESSAGE else pcapng.LINKTYPE_CONSOLE
    comment = record.note
    if record.kind is Kind.NOISE:
        comment = _NOISE
    elif record.kind is Kind.EVENT:
        comment = _EVENT + record.note
    return pcapng.Packet(link_type, time_ns, record.direction, record.data, comment)


def _record(packet: pcapng.Packet, began_ns: int) -> Record:
    kind, note = Kind.TEXT, packet.comment
    if packet.link_type == pcapng.LINKTYPE_SMP:
        kind = Kind.MESSAGE
    elif note == _NOISE:
        kind, note = Kind.NOISE, ""
    elif note.startswith(_EVENT) and packet.direction is Direction.NONE:
        kind, note = Kind.EVENT, note.removeprefix(_EVENT)
    since = (packet.time_ns - began_ns) / _SECOND
    return Record(since, packet.time_ns / _SECOND, packet.direction, kind, packet.data, note)


def records(data: bytes, where: str = "") -> list[Record]:
    """Return a trace's records; ``monotonic`` counts from the first one. Other link types are left out.

    Raises:
        InputError: TRACE_FILE, where it is no trace; one that was cut gives what is whole.
    """
    known = {pcapng.LINKTYPE_SMP, pcapng.LINKTYPE_CONSOLE}
    packets = [one for one in pcapng.read(data, where) if one.link_type in known]
    return [_record(one, packets[0].time_ns) for one in packets]


def load(path: Path) -> list[Record]:
    """Read a trace's file.

    Raises:
        InputError: FILE, TRACE_FILE.
    """
    try:
        if path.stat().st_size > TRACE_BYTES_MAX:
            raise InputError(
                "TRACE_FILE", "The trace is larger than 1 GiB.", mend="Cut it with editcap.", where=str(path)
            )
        return records(path.read_bytes(), str(path))
    except OSError as error:
        message = f"The trace cannot be read: {error.strerror or type(error).__name__}."
        raise InputError("FILE", message, mend="Check the path.", where=str(path)) from None
