"""Where a broker is: its URL, read strictly."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from keys.errors import InputError

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


def parse_url(url: str) -> SplitResult:
    """Read ``mqtt://host[:port]`` or ``mqtts://[user:password@]host[:port]``.

    Raises:
        InputError: BROKER_URL.
    """
    parts = urlsplit(url)
    try:
        good = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InputError(
            "BROKER_URL",
            "This is not the address of a broker.",
            mend="Write it like mqtt://127.0.0.1:1883 or mqtts://broker.example.com.",
        )
    return parts
