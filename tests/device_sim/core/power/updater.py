"""A platform's own updater, as a world has it: it takes a file, tries it at the next boot, keeps it or goes back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisories import mcuboot
from device_sim.core.measure import Running
from keys.errors import RefusedError
from keys.reasons import Reason


@dataclass
class Updater:
    """What it remembers across power cuts."""

    runs: bytes
    """The system that was kept last."""
    next: bytes | None = None
    """A system to be tried."""
    tried: bool = False
    busy: int = 0
    """So many answers to come are that it is busy."""
    fails: bool = False

    def copy(self) -> Updater:
        return replace(self)

    @property
    def system(self) -> bytes:
        """What runs now."""
        return self.next if self.next is not None and self.tried else self.runs

    def boot(self) -> Running:
        """Start whatever is due: a new system once, and then the old one, unless it was confirmed."""
        if self.tried:
            self.next, self.tried = None, False
        self.tried = self.next is not None
        return Running(mcuboot.parse(self.system).version, b"", trial=self.tried)

    def run(self, verb: str, data: bytes) -> Reason:
        """Do what it is told, whole or not at all."""
        if self.busy > 0:
            self.busy -= 1
            return Reason.BUSY
        if verb == "install":
            try:
                mcuboot.parse(data)
            except RefusedError:
                return Reason.UPDATE_FAILED
            if self.fails:
                return Reason.UPDATE_FAILED
            self.next, self.tried = data, False
        elif verb == "confirm" and self.tried:
            self.runs, self.next, self.tried = self.system, None, False
        elif verb == "revert":
            self.tried = self.next is not None
        return Reason.OK
