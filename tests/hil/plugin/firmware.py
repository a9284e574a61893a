"""Boards with faults of their own, run as programs: ``python firmware.py KIND PORT``."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.hil.peers import Firmware, SocketHost

GROUP = 400
PEM = b"-----BEGIN PRIVATE KEY-----\r\nMC4CAQAwBQYDK2VwBCIEIEV4ZXJjaXNl\r\n-----END PRIVATE KEY-----\r\n"


class Plain(Firmware):
    """Hangs when it is told to, until its power is cycled; sends a text of the console back."""

    hung = False

    def take(self, data: bytes) -> None:
        if not self.hung:
            super().take(data)

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        if (group, id_) == (0, 0) and body["d"] == "hang":
            self.hung = True
            return None
        return super().answer(group, id_, body)

    def on_text(self, line: bytes) -> None:
        if line.strip():
            self.say(b"you said: " + line)


class Dies(Plain):
    """Ends when it is told to hang, and at every start after that."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.grave = Path(os.environ["GRAVE"])
        if self.grave.exists():
            os._exit(9)

    def take(self, data: bytes) -> None:
        super().take(data)
        if self.hung:
            self.grave.touch()
            os._exit(9)


class Notifier(Plain):
    """Knows a part of Tocsin's group, and prints every key that it is given."""

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        match group, id_:
            case 400, 0:
                caps = ["state", "notice", "put", "provision"]
                told = {"proto": 1, "id": "exercise-1", "class": "peer", "hw": "rev 2", "fw": "1.4.1"}
                return {**told, "algs": [], "max": 4096, "caps": caps, "filters": [], "boot": bytes(8)}
            case 400, 1:
                return {"off": body["off"] + len(body["data"])}
            case 400, 3:
                return {"id": "EX-2026-0001", "count": 1, "off": 0, "lines": ["Update your thermostat"]}
            case 400, 6:
                texts = {"cause": "power", "installed": "1.4.1"}
                numbers = dict.fromkeys(("epoch", "slot", "root", "journal", "writes"), self.boots)
                lists: dict[str, Any] = {name: [] for name in ("kids", "notices", "patches")}
                return {"boot": bytes(8), "floors": {}, "head": bytes(32), **texts, **numbers, **lists}
            case 400, 9:
                value = body["value"]
                self.say(b"dbg: key " + value.hex().encode() + b"\r\n" + PEM + value + b"\r\n")
                return {}
        return super().answer(group, id_, body)


KINDS = {"plain": Plain, "dies": Dies, "notifier": Notifier}

if __name__ == "__main__":
    SocketHost(KINDS[sys.argv[1]], int(sys.argv[2]))
    threading.Event().wait()
