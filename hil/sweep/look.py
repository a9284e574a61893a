"""What a board says of itself, read over its line: the ground on which invariants stand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from advisories.limits import REPORT_BYTES_MAX
from advisories.report import Report
from hil.bench.session import Session
from hil.errors import DeviceGone, DeviceHung, SmpFailure, SmpRefused
from hil.smp.notifier import DeviceState, Outgoing
from hil.sweep.invariants import State
from keys import cose
from keys.codec import load
from keys.errors import RefusedError

OUTGOING_MAX: Final = 200
"""Messages of a device that are read to find its newest report."""
READS: Final = 3
"""Times that the state is read until it stands still."""
_PUBLISH: Final = 0
_T = TypeVar("_T")


def look(session: Session, *, ready_s: float | None = None) -> State:
    """Read everything that the board's firmware can say; what it lacks is None.

    Args:
        session: the board, ready.
        ready_s: how long it took to get ready, if that was measured.

    Raises:
        DeviceGone: the port went away.
    """
    trouble: list[str] = []

    def read(what: Callable[[], _T]) -> _T | None:
        try:
            return what()
        except (SmpFailure, SmpRefused) as error:
            if isinstance(error, DeviceGone):
                raise
            trouble.append(str(error))
            return None

    can, smp = session.capabilities, session.smp
    slots = read(smp.img.state) if "img" in can else None
    notifier = "group.notifier" in can
    device, report = (read(lambda: _steady(session)) or (None, None)) if notifier else (None, None)
    screen = read(smp.notifier.notice) if notifier else None
    return State(
        seconds=0.0 if ready_s is None else ready_s,
        slots=None if slots is None else tuple(slots),
        trouble="; ".join(trouble),
        device=device,
        screen=screen,
        report=report,
    )


def recover(session: Session) -> State:
    """Take the power for certain, give it back, and look; a board that does not answer is told by the state.

    Raises:
        BenchError: the bench could not do its part.
    """
    session.cut()
    began = time.monotonic()
    try:
        session.power_on()
        session.wait_ready()
        return look(session, ready_s=time.monotonic() - began)
    except (DeviceHung, DeviceGone) as error:
        return State(seconds=None, trouble=str(error))


def _steady(session: Session) -> tuple[DeviceState, Report | None]:
    """Return the device's state, and its newest report if that was made while the state stood still."""
    notifier = session.smp.notifier
    state = notifier.state()
    notifier.carrier(True)
    report: Report | None = None
    for _ in range(READS):
        report = drain(session) or report
        again = notifier.state()
        if (again.journal, again.epoch) == (state.journal, state.epoch):
            return again, report if report and report.journal_count == again.journal else None
        state = again
    return state, None


def drain(session: Session, heard: Callable[[Outgoing], Any] = lambda _: None) -> Report | None:
    """Take what the device wants said until it wants nothing more, and return its newest report."""
    newest: Report | None = None
    taken: int | None = None
    for _ in range(OUTGOING_MAX):
        said = session.smp.notifier.take(ack=taken)
        if said is None:
            break
        taken = said.number
        heard(said)
        if said.kind == _PUBLISH and said.topic.endswith("/report"):
            newest = parse_report(said.data) or newest
    else:
        session.smp.notifier.ack(taken or 0)
    return newest


def parse_report(data: bytes) -> Report | None:
    """Return what a report says, WITHOUT verifying its signature; None where it is none."""
    try:
        message = cose.parse(data, cose.TAG_SIGN1, size_max=REPORT_BYTES_MAX)
        return load(Report, message.payload, size_max=REPORT_BYTES_MAX) if message.payload else None
    except RefusedError:
        return None
