"""The simulated device as a program, with nothing around it: ``sim_board.py HOME PORT [BUG]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from device_sim.core.profile import Profile
from device_sim.home import Home
from device_sim.serial.board import Board
from device_sim.serial.port import parse_port


def bad(board: Board, home: Home, bug: str) -> None:
    """Plant a bug that shows after a power cut only."""
    boots = home.path / "boots"
    count = int(boots.read_text()) + 1 if boots.exists() else 1
    boots.write_text(str(count))
    if bug == "hangs" and count > 1:
        board.receive = lambda _: None  # type: ignore[method-assign] - the planted bug


async def live(path: Path, where: str, bug: str) -> None:
    home = Home.open(path, durable=False)
    port = parse_port(f"tcp:{where}")
    board = Board(home, port.write, test_build=True)
    bad(board, home, bug)
    await port.open(board.receive)
    await port.attended()
    board.power_on()
    await asyncio.Event().wait()


def make_home(path: Path, image: bytes, **fields: Any) -> Home:
    """Make the device's folder."""
    from tests.helpers import DEVICE, PRODUCT, make_fleet

    fleet = make_fleet()
    base = {"id": DEVICE, "product": PRODUCT, "vendor_id": bytes(16), "class_id": bytes(16)}
    profile = Profile(**{**base, "slot_bytes": 8192, **fields})
    return Home.create(path, profile, fleet.device(DEVICE), fleet.root_document, image, durable=False)


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""))
