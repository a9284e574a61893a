"""What a device's shell asks of whatever carries its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Link(Protocol):
    """What carries messages: MQTT, HTTP for devices that poll, or a serial line."""

    on_connect: Callable[[bool], None] | None
    on_disconnect: Callable[[str], None] | None
    on_message: Callable[[str, bytes], None] | None
    on_failure: Callable[[Exception], None] | None

    @property
    def connected(self) -> bool:
        """True while messages go both ways."""
        ...

    async def connect(self) -> None:
        """Connect once, and from then on come back after every loss."""
        ...

    def connect_later(self, delay: float = 0.0) -> None:
        """Connect in the background and keep trying."""
        ...

    def start_over(self, *filters: str) -> None:
        """Receive exactly these filters from the next connect on."""
        ...

    def subscribe(self, *filters: str) -> Any:
        """Receive these filters too."""
        ...

    def unsubscribe(self, *filters: str) -> Any:
        """Stop receiving these filters."""
        ...

    def publish(self, topic: str, payload: bytes) -> bool:
        """Hand a message over."""
        ...

    def drop(self, pause_s: float = 0.0) -> None:
        """Lose the connection as a power cut would, and come back."""
        ...

    def give_up(self, error: Exception) -> None:
        """Stop for good and tell ``on_failure`` why."""
        ...

    async def close(self) -> None:
        """Send what is waiting and stay away."""
        ...
