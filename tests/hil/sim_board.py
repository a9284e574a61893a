"""The simulated device as a program, with nothing around it: ``sim_board.py HOME PORT [BUG]``."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from device_sim.core.profile import Profile
from device_sim.home import Home
from device_sim.serial.board import Board
from device_sim.serial.images import Images
from device_sim.serial.notifier import Notifier
from device_sim.serial.port import parse_port
from device_sim.serial.server import Server
from hil.bench import board as bench

BUFFER_BYTES = 704  # small, so that an upload has many frames, and what a device says of itself fits
NOW = 1_800_000_060.0
FORGED = {"id": "EX-FORGED", "revision": 1, "severity": "high", "count": 1, "off": 0, "lines": ["Pay here."]}


def plant(bug: str, home: Home) -> None:
    """Plant a bug that shows from the second time on that the power comes."""
    count = home.path / "boots"
    boots = int(count.read_text()) + 1 if count.exists() else 1
    count.write_text(str(boots))
    if boots == 1 or not bug:
        return
    if bug == "hangs":
        Server.answer = lambda *_: None  # type: ignore[method-assign]
        return
    cls: type[Any] = Images if bug == "whole" else Notifier
    name = {"whole": "_state", "signed": "_notice"}.get(bug, "_state")
    honest = getattr(cls, name)

    def lying(self: Any, *ask: Any) -> dict[str, Any]:
        said = dict(honest(self, *ask))
        if bug == "whole":
            said["images"] = [{**one, "hash": bytes(32)} for one in said["images"]]
        elif bug == "signed":
            said = FORGED
        elif bug == "floors":
            said["floors"] = {**said["floors"], "root": 0}
        elif bug == "counts":
            said["journal"] = 0
        elif bug == "truthful":
            said["installed"] = "9.9.9"
        return said

    setattr(cls, name, lying)


async def live(path: Path, where: str, bug: str) -> None:
    home = Home.open(path, durable=False)
    plant(bug, home)
    port, began = parse_port(f"tcp:{where}"), time.monotonic()
    board = Board(
        home,
        port.write,
        test_build=True,
        buffer_bytes=BUFFER_BYTES,
        clock=lambda: NOW + time.monotonic() - began,
    )
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


def board_at(home: Path, bug: str = "", **tables: Any) -> bench.Board:
    """The board that is this program."""
    command = (sys.executable, __file__, str(home), "{port}", *([bug] if bug else []))
    base: dict[str, Any] = {
        "name": "exercise-sim",
        "link": bench.Link(smp_buf=512),
        "power": bench.Power(driver="process"),
        "reset": bench.Reset(by="smp"),
        "boot": bench.Boot(timeout_s=60.0, banner="^tocsin: boot "),
        "spawn": bench.Spawn(driver="process", command=command, serial=("tcp",)),
        "destructive": True,
    }
    return bench.Board(**{**base, **tables})


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""))
