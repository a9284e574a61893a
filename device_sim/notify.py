"""A word to the service manager (sd_notify(3)): ready, alive, stopping; nothing where there is none."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

MILLION: Final = 1_000_000


class Notifier:
    """Tells systemd how the device is.

    Args:
        environment: as the process got it; ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` are read.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        micros = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(micros) / MILLION / 2 if micros.isdecimal() and ours and self._address else 0.0
        """How often :meth:`alive` is to be called, in seconds: twice as often as it is needed; 0: never."""

    def ready(self) -> None:
        """The device has booted: its state is whole, and its owner can see what is known."""
        self._say("READY=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._say(f"STATUS={text.splitlines()[0] if text else ''}")

    def alive(self) -> None:
        """The event loop turns."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The device ends."""
        self._say("STOPPING=1")

    def _say(self, words: str) -> None:
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(words.encode(), self._address)
