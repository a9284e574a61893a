"""The simulated device with something else about it, as a program: ``small_board.py HOME PORT KIND``.

``ed25519`` can verify with nothing else; ``credulous`` answers OK to everything; ``restless`` says of itself
what changes each time.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from device_sim.serial import factory
from device_sim.serial.machine import Machine
from device_sim.serial.notifier import Notifier
from keys.algorithms import Algorithm
from keys.reasons import Reason
from tests.hil import sim_board


def change(kind: str) -> None:
    """Make it another device."""
    if kind == "ed25519":
        factory.ALGORITHMS = frozenset({Algorithm.ED25519})  # type: ignore[misc]
    elif kind == "credulous":
        judged = Machine.deliver

        def agree(self: Machine, topic: str, payload: bytes) -> tuple[Reason, str]:
            judged(self, topic, payload)
            return Reason.OK, "as you say"

        Machine.deliver = agree  # type: ignore[method-assign]
    elif kind == "restless":
        honest = Notifier._state
        asked = [0]

        def state(self: Notifier, ask: Any) -> dict[str, Any]:
            asked[0] += 1
            said = dict(honest(self, ask))
            return {**said, "epoch": said["epoch"] + asked[0]}

        Notifier._state = state  # type: ignore[method-assign]


if __name__ == "__main__":
    change(sys.argv[3])
    sim_board.BUFFER_BYTES = 2_048
    asyncio.run(sim_board.live(Path(sys.argv[1]), sys.argv[2], ""))
