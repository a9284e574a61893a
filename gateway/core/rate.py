"""How much one device may ask for: token buckets, bounded in number. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict


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
