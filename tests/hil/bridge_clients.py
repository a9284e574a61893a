"""Who is at the broker of a bridge, and on which topics."""

from __future__ import annotations

from typing import Any

from hil.bridge.broker import parse_url
from hil.bridge.mqtt import Connection

BOARD = "exercise-1"
OWN = f"t/device/{BOARD}"
FILTERS = (f"{OWN}/answer", f"{OWN}/offer", "t/timestamp/a")


def connect(url: str, name: str = BOARD, **options: Any) -> Connection:
    return Connection.open(parse_url(url), name, tls=None, **{"will": None, **options})
