"""What is kept of one test: written as it happens, so that it is there when the test or the run dies."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import cbor2

from hil.errors import BenchError
from hil.wire.record import Direction, Kind, Record
from hil.wire.trace import Trace

CONSOLE: Final = "console.log"
TRACE: Final = "trace.pcapng"
BOARD: Final = "board.json"
FAULTS: Final = "faults.json"
STATE_BEFORE: Final = "state-before.cbor"
STATE_AFTER: Final = "state-after.cbor"
FILES: Final = (CONSOLE, TRACE, FAULTS, STATE_BEFORE, STATE_AFTER, BOARD)
LAST_LINES: Final = 12
_ARROWS: Final = {Direction.TO_BOARD: ">", Direction.FROM_BOARD: "<", Direction.NONE: "*"}


class Evidence:
    """One test's folder, from before its board is touched until after its fixtures are gone."""

    def __init__(self, folder: Path, *, redact: Callable[[Record], Record] | None) -> None:
        """Begin anew: what an earlier run left in the folder is removed.

        Args:
            folder: ``DIR/BOARD/TEST``; nobody else writes into it.
            redact: what every record goes through; None keeps everything.

        Raises:
            BenchError: EVIDENCE, where the folder cannot be written.
        """
        self.folder = folder
        self._redact = redact
        self._lock = threading.Lock()
        self._last: list[str] = []
        self._trouble: OSError | None = None
        self._log: TextIO | None = None
        try:
            if folder.is_symlink():
                raise FileExistsError(0, "a link stands in the folder's place")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            self._log = (folder / CONSOLE).open("w", encoding="utf-8", buffering=1)
            self._trace: Trace | None = Trace(folder / TRACE)
        except OSError as error:
            self._close()
            raise self._failed(error) from None

    def __call__(self, record: Record) -> None:
        """Keep a record; a tap of the line. Trouble with the disk is told at the end, not to the reader."""
        with self._lock:
            if self._log is None:
                return
            try:
                kept = self._redact(record) if self._redact else record
                if self._trace:
                    self._trace(kept)
                self._write(kept)
            except OSError as error:
                self._trouble = self._trouble or error

    def note(self, text: str) -> None:
        """Keep something that the bench did."""
        self(Record(time.monotonic(), time.time(), Direction.NONE, Kind.EVENT, note=text))

    def state(self, name: str, state: Mapping[str, Any]) -> None:
        """Keep a state as the device told it, in CBOR."""
        self._file(name, cbor2.dumps(dict(state)))

    def json(self, name: str, data: Any) -> None:
        """Keep a JSON file."""
        text = json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"
        self._file(name, text.encode(errors="backslashreplace"))  # which JSON reads as what it stands for

    def last_lines(self) -> list[str]:
        """Return what the console and the bench said last, as it stands in the log."""
        with self._lock:
            return list(self._last)

    def files(self) -> list[Path]:
        """Return everything in the folder, the known files first."""
        found = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        order = {self.folder / name: number for number, name in enumerate(FILES)}
        return sorted(found, key=lambda path: order.get(path, len(order)))

    def close(self) -> None:
        """Close the files.

        Raises:
            BenchError: EVIDENCE, where something could not be written.
        """
        with self._lock:
            self._close()
        if self._trouble:
            raise self._failed(self._trouble)

    def discard(self) -> None:
        """Close the files and remove the folder: nothing happened that is worth keeping."""
        with self._lock:
            self._close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _close(self) -> None:
        log, trace = self._log, getattr(self, "_trace", None)
        self._log = self._trace = None
        for file in (log, trace):
            if file is not None:
                try:
                    file.close()
                except OSError as error:
                    self._trouble = self._trouble or error

    def _write(self, record: Record) -> None:
        if record.kind is Kind.MESSAGE or self._log is None:
            return
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.utc))
        micros = int(record.utc % 1 * 1_000_000)
        said = record.note if record.kind is Kind.EVENT else record.data.decode(errors="backslashreplace")
        body = _printable(said)
        mark = "!" if record.kind is Kind.NOISE else _ARROWS[record.direction]
        line = f"{record.monotonic:.6f} {when}.{micros:06}Z {mark} {body}"
        self._log.write(line + "\n")
        self._last = [*self._last[1 - LAST_LINES :], line]

    def _file(self, name: str, data: bytes) -> None:
        try:
            (self.folder / name).write_bytes(data)
        except OSError as error:
            self._trouble = self._trouble or error

    def _failed(self, error: OSError) -> BenchError:
        message = f"The evidence cannot be written ({error.strerror or type(error).__name__})."
        mend = "Name another folder with --hil-artifacts, or make room."
        return BenchError("EVIDENCE", message, mend=mend, where=str(self.folder))


def _printable(text: str) -> str:
    """Return one line: its end is left away, and what no terminal should see is escaped."""
    text = text.rstrip("\r\n") or text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
