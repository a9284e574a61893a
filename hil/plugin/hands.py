"""What the fixtures hand to a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from hil.bench.session import Session
from hil.plugin.bench import Test
from hil.wire.faults import Faults
from hil.wire.plan import FaultPlan
from hil.wire.record import Direction, Kind, Record

RECORDS_MAX: Final = 100_000


class HilConsole:
    """The board's console, from the beginning of the test on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = session.console.mark()

    def mark(self) -> int:
        """Return the place behind what has come so far, and let :meth:`expect` begin there."""
        return self._session.console.mark()

    def expect(
        self, pattern: str | re.Pattern[str], *, since: int | None = None, timeout_s: float = 10.0
    ) -> re.Match[str]:
        """Wait until a regular expression is found in what came after a place, and return the match.

        Args:
            pattern: ``^`` and ``$`` fit at every line.
            since: a place of :meth:`mark`; left out, the last one: a mark, reset, power-on, or the test's
                beginning.
            timeout_s: seconds to wait.

        Raises:
            Timeout: nothing matched in time; says what the console said last.
            DeviceGone: the same, and the port went away meanwhile.
        """
        return self._session.console.expect(pattern, since=since, timeout_s=timeout_s)

    def text(self, since: int | None = None) -> str:
        """Return what came from a place on, the test's beginning if left out."""
        return self._session.console.text(self._began if since is None else since)

    def write(self, text: str) -> None:
        """Type something, with its line end."""
        self._session.line.write(text.encode())


class HilPower:
    """The board's power; each verb raises BenchError NO_POWER where it cannot be switched."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def cycle(self, off_s: float | None = None) -> None:
        """Take the power, give it back, and wait until the board is ready."""
        self._session.power_cycle(off_s)

    def cut(self, after_s: float | None = None) -> None:
        """Take the power, now or in so many seconds."""
        self._session.cut(after_s)

    def on(self) -> None:
        """Give the power back, and wait until the board is ready."""
        self._session.power_on()
        self._session.wait_ready()


class HilFaults:
    """Makes the line a faulty one for the rest of the test.

    hil_faults({"kind": "drop", "probability": 0.02}, {"kind": "flip", "at": ["frame 3 of img.upload"]})
    """

    def __init__(self, session: Session, test: Test) -> None:
        self._session, self._test = session, test

    def __call__(self, *tables: Mapping[str, Any]) -> Faults:
        """Do what these tables say, with the keys of a faults file; what was set before is over.

        Raises:
            InputError: FAULTS_FILE.
        """
        return self._use(FaultPlan.of(*tables))

    def load(self, path: Path) -> Faults:
        """Do what a faults file says.

        Raises:
            InputError: FAULTS_FILE, FILE.
        """
        return self._use(FaultPlan.load(path))

    def clear(self) -> None:
        """Mend the line."""
        self._session.line.shaper = None

    def _use(self, plan: FaultPlan) -> Faults:
        faults = Faults(plan, self._test.seed, group=self._session.board.link.group)
        self._test.faults.append(faults)
        self._session.line.shaper = faults
        return faults


class HilTrace:
    """What passed on the line since the test began, as it was: the file is redacted, this is not.

    Attributes:
        path: of ``trace.pcapng``.
        records: at most the first 100,000.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []

    def __call__(self, record: Record) -> None:
        """Keep a record."""
        if len(self.records) < RECORDS_MAX:
            self.records.append(record)

    def messages(self, direction: Direction = Direction.TO_BOARD) -> list[bytes]:
        """Return the SMP messages that went one way."""
        return [one.data for one in self.records if one.kind is Kind.MESSAGE and one.direction is direction]

    def events(self) -> list[str]:
        """Return what the bench did."""
        return [one.note for one in self.records if one.kind is Kind.EVENT]


Bridges = Callable[..., Any]
"""Makes an opened :class:`hil.bridge.bridge.Bridge` of a broker's URL; it is closed with the test."""
