"""The requests of a trace, sent to a board again, and what it answers now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from advisories.smp import OS_RESET, Retry
from hil.bench.session import Session
from hil.sweep.scenario import await_restart
from hil.wire.header import Header
from hil.wire.replay import Step, again, differences

TRIES = 3
"""Times that a request is sent that may be repeated."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request."""

    step: Step
    verdict: str
    """same, differs, silent, skipped, or new: it had no answer in the trace."""
    lines: list[str] = field(hash=False)

    @property
    def failed(self) -> bool:
        """True where the board behaves otherwise than it did."""
        return self.verdict in {"differs", "silent"}


def resend(
    session: Session,
    steps: Iterable[Step],
    *,
    timing: bool = False,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Outcome]:
    """Send requests again, and tell of each.

    Args:
        session: the board, ready.
        steps: the requests, as :func:`hil.wire.replay.steps` returns them.
        timing: leave as much time between them as there was.
        pause: waits so many seconds.

    Raises:
        DeviceGone: the port went away.
        DeviceHung: the board did not come back from a reset.
    """
    keys: dict[Any, int] = {}
    began, first = time.monotonic(), None
    for step in steps:
        first = step.seconds if first is None else first
        if step.skip:
            yield Outcome(step, "skipped", [step.skip])
            continue
        if timing:
            pause(max(0.0, began + step.seconds - first - time.monotonic()))
        since = session.line.mark()
        answer = _ask(session, step, keys)
        if answer is None:
            yield Outcome(step, "silent" if step.answer is not None else "same", ["no answer"])
        elif step.answer is None:
            yield Outcome(step, "new", ["it had no answer in the trace, and has one now"])
        else:
            found = differences(step, answer)
            yield Outcome(step, "differs" if found else "same", found)
        if step.known is OS_RESET:
            await_restart(session, since)


def _ask(session: Session, step: Step, keys: dict[Any, int]) -> bytes | None:
    """Send one request, again where it may be, and return its answer."""
    smp, line = session.smp, session.line
    may = not step.header.write or (step.known is not None and step.known.retry is not Retry.NEVER)
    for turn in range(TRIES if may else 1):
        if turn:
            line.resync()
        sequence, draw = smp.random(8), smp.random(32)
        message = again(step, sequence, keys, draw, smp.group)
        line.send(message)
        asked = Header.peek(message)
        deadline = time.monotonic() + smp.timeout_s
        while (left := deadline - time.monotonic()) > 0:
            answer = line.receive(left)
            if answer is not None and asked is not None and _fits(Header.peek(answer), asked):
                return answer
    return None


def _fits(header: Header | None, asked: Header) -> bool:
    return header is not None and (
        (header.answer, header.write, header.group, header.id, header.sequence)
        == (True, asked.write, asked.group, asked.id, asked.sequence)
    )
