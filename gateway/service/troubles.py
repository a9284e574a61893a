"""What does not go well now: said once when it begins and once when it is over, and shown meanwhile."""

from __future__ import annotations

import logging
from collections import Counter

log = logging.getLogger("tocsin.gateway")


class Troubles:
    """By what is in trouble (the store, the broker, a chore), each with the code of the present one."""

    def __init__(self) -> None:
        self._now: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        """How often each trouble began, under ``degraded_<code>``."""

    @property
    def degraded(self) -> list[str]:
        """Codes of what is in trouble now, such as STORE_FULL; empty when all is well."""
        return sorted(set(self._now.values()))

    def met(self, what: str, code: str, message: str) -> None:
        """Note a trouble; it is logged unless it is the one that was met before.

        Args:
            what: is in trouble.
            code: stable.
            message: for people.
        """
        if self._now.get(what) != code:
            self._now[what] = code
            self.counts[f"degraded_{code}"] += 1
            log.warning("%s", message, extra={"code": code})

    def over(self, what: str) -> None:
        """Note that all is well again with ``what``."""
        code = self._now.pop(what, None)
        if code is not None:
            log.warning("The %s is well again (%s is over).", what, code, extra={"code": "WELL_AGAIN"})
