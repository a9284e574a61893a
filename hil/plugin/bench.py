"""The board of one pytest process: taken at the first test that uses it, and kept to the end of the run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NoReturn

import pytest

from advisories.smp import NOTIFIER_STATE
from hil.bench import lock
from hil.bench.board import Board
from hil.bench.health import Health, Outcome
from hil.bench.lock import Holder
from hil.bench.session import Session
from hil.errors import BenchError, SmpFailure, SmpRefused
from hil.plugin import entry, evidence, names
from hil.plugin.demands import Demands
from hil.plugin.evidence import Evidence
from hil.plugin.options import Options
from hil.plugin.redact import Redactor
from hil.wire.faults import Faults
from hil.wire.record import Record
from keys.errors import TocsinError

_BENCHS: Final = ("console", "reset", "power.")
"""Capabilities that are the bench's own; the others are the firmware's."""
_IDENTITY_CHARACTERS_MAX: Final = 120


class Result(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Test:
    """The test that has the board now."""

    __test__ = False

    name: str
    demands: Demands
    evidence: Evidence
    began: float
    seed: int
    faults: list[Faults] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Identity:
    """What runs on the board, as it says itself; empty where it does not."""

    firmware: str = ""
    hardware: str = ""


class Bench:
    """The board, its lock, its health, and the evidence of the test that has it.

    Attributes:
        board: the board once it is taken.
        session: the board in hand once it has started.
        identity: what ran on it when the present test began.
        test: the test that has it.
    """

    def __init__(
        self,
        options: Options,
        candidates: Sequence[Board],
        *,
        purpose: str,
        waits: Callable[[Holder | None], None],
        git: str = "",
    ) -> None:
        """Touch nothing yet.

        Args:
            options: of the command line.
            candidates: boards of which one is taken, the preferred one first.
            purpose: what others are told that the board is used for.
            waits: told who is waited for.
            git: revision of the project under test.
        """
        self.options = options
        self.git = git
        self.board: Board | None = None
        self.session: Session | None = None
        self.identity = Identity()
        self.test: Test | None = None
        self._candidates, self._purpose, self._waits = candidates, purpose, waits
        self._stack = contextlib.ExitStack()
        self._refused: TocsinError | None = None
        self._health = Health("")
        self._redact: Redactor | None = None
        self._before = ""
        self._op_s = 0.0

    # -- a test's beginning

    def begin(self, name: str, demands: Demands) -> None:
        """Give the board to a test: taken, started, well, its line empty, and evidence running.

        Raises:
            BenchError: BOARD_BUSY, BOARD_LOST, and as :meth:`Session.open`.
            SmpFailure: the board did not start.
            pytest.skip.Exception: the board is not what the test demands.
        """
        if self._refused is not None:
            raise self._refused.with_traceback(None)
        board = self.board or self._take()
        self._health.check()
        self._fits(board, demands)
        folder = self.options.artifacts / board.name / names.folder(name)
        seed = self.options.seed if demands.seed is None else demands.seed
        kept = Evidence(folder, redact=self._redact)
        self.test = Test(name, demands, kept, time.monotonic(), seed)
        kept.note(f"test {name}")
        session = self.session or self._open(board, name)
        self._ready(session)
        try:
            for capability in demands.needs:
                self.need(capability)
        except pytest.skip.Exception:
            self.test = None
            kept.discard()
            raise
        session.smp.timeout_s = demands.op_s or self._op_s
        session.console.mark()
        self.identity = _identity(session)
        self._state(evidence.STATE_BEFORE)

    def _take(self) -> Board:
        try:
            board = self._stack.enter_context(
                lock.take_one(
                    self._candidates, purpose=self._purpose, wait_s=self.options.wait_s, waits=self._waits
                )
            )
        except TocsinError as error:
            self._refused = error
            raise
        self.board = board
        self._health = Health(board.name)
        self._redact = None if self.options.raw else Redactor(group=board.link.group)
        return board

    def _open(self, board: Board, name: str) -> Session:
        opening = Session.open(board, taps=(self._tap,), keep_power=self.options.keep_power)
        try:
            session = self._stack.enter_context(opening)
        except BenchError as error:
            self._refused = error
            raise
        except (SmpFailure, SmpRefused):
            self._health.after_failure(name, healthy=lambda: False, cycle=None)
            raise
        self.session, self._op_s = session, session.smp.timeout_s
        return session

    def _ready(self, session: Session) -> None:
        """See that the board is well after the test before, and that nothing waits on its line."""
        session.line.shaper = None
        if self._before and not (session.healthy() if self._speaks(session) else session.line.alive):
            self._heal(self._before)
            self._health.check()
        if self._speaks(session):
            session.line.resync()

    def _speaks(self, session: Session) -> bool:
        return "os" in session.capabilities

    def _tap(self, record: Record) -> None:
        test = self.test
        if test is not None:
            test.evidence(record)

    # -- what a test may demand

    def need(self, capability: str) -> None:
        """Skip the test, or fail it with ``--hil-require``, where the board lacks something."""
        session = self.running()
        if capability in session.capabilities:
            return
        benchs = capability.startswith(_BENCHS)
        word = "has no" if benchs else "does not know"
        self._missing(f"board {session.board.name} {word} {capability}", bench=benchs)

    def _fits(self, board: Board, demands: Demands) -> None:
        lacks = [f"tag {tag}" for tag in demands.tags if tag not in board.tags]
        lacks += [f"class {one}" for one in demands.classes if one != board.class_]
        if lacks:
            self._missing(f"board {board.name} has not {', '.join(lacks)}", bench=True)
        if demands.destructive and not board.destructive:
            self._missing(f"board {board.name} is not for destructive tests", bench=True)

    def _missing(self, reason: str, *, bench: bool) -> NoReturn:
        if not self.options.require:
            pytest.skip(reason)
        message = f"{reason[0].upper()}{reason[1:]}, and --hil-require was given."
        if bench:
            raise BenchError("REQUIRED", message, mend="Choose another board, or mend its entry.")
        pytest.fail(message, pytrace=False)

    def running(self) -> Session:
        """Return the board in hand; a test has it."""
        assert self.session is not None
        return self.session

    # -- a test's end

    def end(self, result: Result, *, fault: str = "") -> None:
        """Take the board back: look after it where the test failed, and complete the evidence.

        Args:
            result: of all phases of the test; after an interruption nothing more is asked of the board.
            fault: whose fault a failure is.

        Raises:
            BenchError: EVIDENCE, TRACE_WRITE: something could not be written.
        """
        test = self.test
        if test is None:
            return
        health = "unknown"
        try:
            if self.session is not None and result is not Result.INTERRUPTED:
                self.session.line.shaper = None
                failed = result is Result.FAILED
                health = self._heal(test.name).value if failed else Outcome.HEALTHY.value
                if health != Outcome.QUARANTINED.value:
                    self._state(evidence.STATE_AFTER)
        finally:
            self._before = test.name
            self.test = None
            test.evidence.json(evidence.FAULTS, _faults(test))
            test.evidence.json(evidence.BOARD, self._about(test, result=result, fault=fault, health=health))
            test.evidence.close()

    def _heal(self, name: str) -> Outcome:
        session = self.running()
        cycle = session.power_cycle if session.power.cycle else None
        try:
            outcome = self._health.after_failure(name, healthy=session.healthy, cycle=cycle)
        except SmpRefused:  # it answers, if not with what was asked
            return Outcome.HEALTHY
        session.line.event(f"health: {outcome.value}")
        return outcome

    def _state(self, file: str) -> None:
        session, test = self.running(), self.test
        if test is None or NOTIFIER_STATE.name not in session.capabilities:
            return
        try:
            test.evidence.state(file, session.smp.request(NOTIFIER_STATE))
        except (BenchError, SmpFailure, SmpRefused) as error:
            test.evidence.note(f"{file}: {error.message}")

    def _about(self, test: Test, *, result: Result, fault: str, health: str) -> dict[str, Any]:
        board, session = self.board, self.session
        assert board is not None
        source = self.options.file
        return {
            "test": test.name,
            "result": result.value,
            "fault": fault,
            "health": health,
            "seconds": round(time.monotonic() - test.began, 3),
            "board": board.name,
            "firmware": self.identity.firmware,
            "hardware": self.identity.hardware,
            "capabilities": sorted(session.capabilities) if session else [],
            "seed": test.seed,
            "git": self.git,
            "redacted": self._redact is not None,
            "entry": entry.written(source, board.name) if source else {},
        }

    # -- the end of the run

    def properties(self) -> dict[str, str]:
        """Return what JUnit is told of each test."""
        board = self.board
        if board is None:
            return {"seed": str(self.options.seed)}
        found = {
            "board": board.name,
            "class": board.class_,
            "fw": self.identity.firmware,
            "hw": self.identity.hardware,
            "seed": str(self.test.seed if self.test else self.options.seed),
            "git": self.git,
        }
        return {name: value for name, value in found.items() if value}

    def close(self) -> list[str]:
        """Leave the board: closed, off, free. Return what went wrong with that.

        A test that has the board still was interrupted; its evidence ends here.
        """
        troubles = []
        try:
            self.end(Result.INTERRUPTED)
        except TocsinError as error:
            troubles.append(str(error))
        try:
            self._stack.close()
        except TocsinError as error:
            troubles.append(str(error))
        finally:
            self.session = None
        return troubles


def _faults(test: Test) -> dict[str, Any]:
    used = [
        {
            "seed": one.seed,
            "plan": [_rule(rule) for rule in one.plan.rules],
            "counts": one.counts,
            "log": one.log,
        }
        for one in test.faults
    ]
    return {"seed": test.seed, "faults": used}


def _rule(rule: Any) -> Mapping[str, Any]:
    places = [
        f"{'frame' if p.frame else 'line'} {p.number}{f' of {p.command}' * bool(p.command)}"
        for p in rule.places
    ]
    return {
        "kind": rule.kind.value,
        "directions": sorted(one.value for one in rule.directions),
        "probability": rule.probability,
        "at": places,
        **rule.values,
    }


def _identity(session: Session) -> Identity:
    """Ask a board what runs on it: its own group, the active image, or uname."""
    known, smp = session.capabilities, session.smp
    try:
        if "group.notifier" in known:
            info = smp.notifier.info()
            return Identity(_plain(info.fw), _plain(info.hw))
        if "img" in known:
            return Identity(_plain(next((slot.version for slot in smp.img.state() if slot.active), "")))
        if "os" in known:
            return Identity(_plain(smp.os.info()))
    except (SmpFailure, SmpRefused):
        pass
    return Identity()


def _plain(text: str) -> str:
    """Return what a board says of itself as one short line that steers no terminal."""
    return "".join(c if c.isprintable() else " " for c in text[:_IDENTITY_CHARACTERS_MAX]).strip()
