"""Kill -9 while it sends: every event arrives, in order; what comes twice has the same id and bytes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from gateway.operations import webhooks
from gateway.store import audit
from tests.gateway.signals.receiver import receiving, workspace_in

ROOT = Path(__file__).parents[3]
EVENTS = 60
KILLS = 4


def runs(indices: list[int]) -> Iterator[int]:
    """The numbers without those that come several times in a row."""
    return (number for number, _ in groupby(indices))


async def test_nothing_is_lost_and_nothing_overtakes(tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    async with receiving() as receiver:
        webhooks.add(workspace, receiver.url, kinds=("rollout.",), now=1_700_000_000, by="operator")
        with workspace.store() as store:
            numbers = []
            for number in range(EVENTS):
                with store.write() as session:
                    numbers.append(audit.append(session, "rollout.changed", {"id": f"r{number}"}, 1.0).index)
        command = (sys.executable, "-m", "tests.gateway.signals.killed", str(workspace.path))
        for kill in range(1, KILLS + 1):
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
            async with asyncio.timeout(60):
                while len(receiver.came) < kill * EVENTS // (KILLS + 1):
                    receiver.some.clear()
                    await receiver.some.wait()
            process.kill()
            await process.wait()
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        async with asyncio.timeout(60):
            while receiver.ids[-1:] != [f"{receiver.ids[0].rpartition('_')[0]}_{numbers[-1]}"]:
                receiver.some.clear()
                await receiver.some.wait()
        process.kill()
        await process.wait()
    came = [json.loads(body)["index"] for _, body in receiver.came]
    assert list(runs(came)) == numbers
    assert len(came) <= len(numbers) + KILLS
    assert len({(headers["webhook-id"], body) for headers, body in receiver.came}) == len(numbers)
