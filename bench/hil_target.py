"""The board of the serial benchmark: the simulated device, a test build, behind a TCP port.

python -m bench.hil_target FOLDER        prints its port, and ends when its stdin does
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from advisories import mcuboot
from device_sim.core.profile import Profile
from device_sim.home import Home
from device_sim.serial.board import Board
from device_sim.serial.port import parse_port
from tests import helpers

SLOT_BYTES = 1 << 20


def _home(folder: Path) -> Home:
    fleet = helpers.make_fleet()
    profile = Profile(
        id=helpers.DEVICE,
        product=helpers.PRODUCT,
        vendor_id=bytes(16),
        class_id=bytes(16),
        slot_bytes=SLOT_BYTES,
    )
    key = fleet.device(profile.id, profile.product)
    image = mcuboot.pack(bytes(1_000), (1, 0, 0, 0))
    return Home.create(folder / "home", profile, key, fleet.root_document, image, durable=False)


async def _live(folder: Path) -> None:
    port = parse_port("tcp:0")
    board = Board(_home(folder), port.write, test_build=True)
    await port.open(board.receive)
    print(port.url, flush=True)
    board.power_on()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await board.stop()
    await port.close()


if __name__ == "__main__":
    asyncio.run(_live(Path(sys.argv[1])))
