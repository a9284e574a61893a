"""Work that only one worker does: rounds that come again, each in a task of its own, while it leads.

A chore may be cut off between two rounds, and after a kill in the middle of one. So each round stands by
itself: what it promised is in the store before it tells anyone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.service.troubles import Troubles
from keys.errors import TocsinError, UnavailableError

PAUSE_SECONDS: Final = 5.0  # after a round that failed; a chore whose rounds are further apart waits as ever

log = logging.getLogger("tocsin.gateway")


class Chore(Protocol):
    """One kind of work, such as sending what waits for delivery."""

    @property
    def name(self) -> str:
        """What it is called in messages and counts."""
        ...

    @property
    def seconds(self) -> float:
        """From the end of a round to the next."""
        ...

    async def round(self) -> bool:
        """Do what is due, and come back soon; True when more is left to do at once.

        Raises:
            UnavailableError: what it needs is not to be had for now; it is tried again.
        """
        ...


class Chores:
    """Runs chores for as long as this worker leads.

    Args:
        chores: what there is to do.
        leads: says whether this worker still leads; asked before each round.
        troubles: what does not go well is kept here.
    """

    def __init__(self, chores: Sequence[Chore], leads: Callable[[], bool], troubles: Troubles) -> None:
        self._chores, self._leads, self._troubles = chores, leads, troubles
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with all of them, unless they run."""
        if all(task.done() for task in self._tasks):
            self._tasks = [asyncio.ensure_future(self._run(chore)) for chore in self._chores]

    async def stop(self) -> None:
        """End all of them."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, chore: Chore) -> None:
        while self._leads():
            more, pause, sign = False, chore.seconds, f"chore {chore.name}"
            try:
                more = await chore.round()
            except UnavailableError as error:
                self._troubles.met(sign, error.code, str(error))
                pause = max(pause, PAUSE_SECONDS)
            except TocsinError as error:
                self._troubles.met(sign, "CHORE_FAILED", str(error))
                pause = max(pause, PAUSE_SECONDS)
            except Exception:  # a mistake in one chore must not keep reports from being taken
                self._troubles.met(sign, "CHORE_FAILED", f"'{chore.name}' failed; it is tried again.")
                log.exception("What failed in '%s':", chore.name)
                pause = max(pause, PAUSE_SECONDS)
            else:
                self._troubles.over(sign)
            await asyncio.sleep(0 if more else pause)
