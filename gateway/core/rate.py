"""How much one device may ask for, and how fast all are served. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MQTT_BYTES_PER_SECOND: Final = 8 * 1024 * 1024  # of payloads to all devices together, unless told otherwise
HTTP_BYTES_PER_SECOND: Final = 64 * 1024 * 1024
PAYLOAD_RATES: Final = (4_096, 2**40)  # that may be told
BURST_SECONDS: Final = 0.25  # of a rate, at once
REPORTS_PER_MINUTE: Final = 600  # of one device, and so many at once; at its fastest it sends 300
REPORT_RATES: Final = (1, 1_000_000)  # reports a minute that may be told


class Rates:
    """A token bucket for each name: ``burst`` at once, ``per_second`` in the long run.

    At most ``names_max`` names are remembered; the one unused for longest is forgotten first, which
    only ever gives it a full bucket again.
    """

    def __init__(self, burst: float, per_second: float, names_max: int = 50_000) -> None:
        self._burst, self._per_second, self._names_max = burst, per_second, names_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, name: str, now: float, cost: float = 1.0) -> bool:
        """Take ``cost`` tokens from the bucket of ``name`` if they are there.

        Args:
            name: who asks.
            now: seconds of any clock; one that goes back refills nothing.
            cost: tokens.
        """
        tokens, since = self._buckets.pop(name, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - since) * self._per_second)
        allowed = tokens >= cost
        self._buckets[name] = (tokens - cost if allowed else tokens, max(now, since))
        if len(self._buckets) > self._names_max:
            self._buckets.popitem(last=False)
        return allowed


class Pace:
    """What is sent in turn, held to ``per_second`` in the long run and :data:`BURST_SECONDS` of it at once.

    Nothing is refused: whoever is told to wait has a place in the row already.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._due: float | None = None

    def wait(self, now: float, cost: float) -> float:
        """Return after how many seconds ``cost`` may go; it counts as gone from then on.

        Args:
            now: seconds of a clock that does not go back.
            cost: in the unit of ``per_second``.
        """
        due = now if self._due is None else max(now, self._due)
        self._due = due + cost / self._per_second
        return max(0.0, due - BURST_SECONDS - now)
