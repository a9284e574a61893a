"""Gateway and fleet beside a story that is played: all in one process, ended in the right order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from device_sim.fleet import Fleet
from gateway.cli.demo.stage import Stage
from gateway.service.runtime import Gateway
from gateway.store.engine import Store

T = TypeVar("T")


def gateway_of(stage: Stage, store: Store, *, standing: bool) -> Gateway:
    """Return the gateway of a stage; ``standing`` on a broker that stands by itself."""
    trusted = stage.workspace.trusted()
    return Gateway(
        store,
        stage.workspace.artefacts,
        stage.workspace.topics,
        trusted.fleet,
        trusted,
        stage.signer("gateway"),
        standing=standing,
    )


async def together(
    gateway: Gateway,
    fleet: Fleet,
    url: str,
    play: Callable[[Gateway], Awaitable[T]],
    stop: asyncio.Event,
    *,
    farewell: Callable[[], None] | None = None,
) -> T | None:
    """Run gateway and fleet until the story has been played, or ``stop`` is set; return what it came to.

    Args:
        gateway: is closed at the end.
        fleet: every device.
        url: of the broker.
        play: the story.
        stop: set to end early.
        farewell: called in a thread while the broker still serves everybody.
    """
    over = asyncio.Event()
    serving = asyncio.create_task(gateway.run(url, over))
    living = asyncio.create_task(fleet.run(over))
    playing = asyncio.ensure_future(play(gateway))
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait(
            (serving, living, playing, stopping), return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()
        return playing.result() if playing in done else None
    finally:
        for task in (playing, stopping):
            task.cancel()
        await asyncio.gather(playing, stopping, return_exceptions=True)
        if farewell is not None:
            await asyncio.to_thread(farewell)
        over.set()
        await asyncio.gather(living, return_exceptions=True)
        await asyncio.gather(serving, return_exceptions=True)
        await gateway.close()
