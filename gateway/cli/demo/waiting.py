"""Waiting for what a story needs: look into the store until it is so, and give up when nothing moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from gateway.cli.demo.measure import Measured, look
from gateway.store.engine import Store
from keys.errors import TocsinError

PATIENCE_SECONDS: Final = 60.0  # without any change in the store a story gives up
POLL_SECONDS: Final = 0.25


class StuckError(TocsinError):
    """The story waits for something that does not come."""


async def until(
    store: Store,
    done: Callable[[Measured], bool],
    what: str,
    *,
    stop_on: Callable[[], Exception | None],
    seen: Callable[[Measured], None] = lambda _now: None,
) -> Measured:
    """Look into the store until something is so, and return that look.

    Args:
        store: of the gateway.
        done: says whether it is so.
        what: is waited for, in words for the message.
        stop_on: returns a failure that makes further waiting pointless.
        seen: is given every look.

    Raises:
        StuckError: when nothing changed for :data:`PATIENCE_SECONDS`.
        Exception: what ``stop_on`` returns.
    """
    changed, last = time.monotonic(), None
    while True:
        now = await asyncio.to_thread(look, store)
        seen(now)
        if done(now):
            return now
        failure = stop_on()
        if failure is not None:
            raise failure
        if now != last:
            changed, last = time.monotonic(), now
        elif time.monotonic() - changed > PATIENCE_SECONDS:
            raise StuckError(
                "DEMO_STUCK",
                f"Waited {PATIENCE_SECONDS:.0f} seconds for {what}.",
                mend="Run the same command again: a demo goes on from here, a drill needs a new folder.",
            )
        await asyncio.sleep(POLL_SECONDS)
