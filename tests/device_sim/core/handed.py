"""A platform's own updater, as a world has it: it takes a file, tries it at the next boot, keeps it or goes back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from advisories import mcuboot
from device_sim.core import effects as do
from device_sim.core.measure import Running
from device_sim.core.profile import Platform
from device_sim.core.slots import STAGING
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.device_sim.core.firmware import image
from tests.device_sim.core.watched import Watched


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


class Handed(Watched):
    """A watched world whose device may have an updater, and images that never come to life."""

    def __init__(self, **profile: Any) -> None:
        self.updater = Updater(image())
        self.crashing: set[bytes] = set()
        """SHA-256 of images that never come as far as their agent."""
        super().__init__(**profile)

    def select(self) -> tuple[int, Running | Reason]:
        """What crashes before its agent lives is started once, and then the other one."""
        for _ in range(3):
            if self.profile.platform is Platform.INSTALLER:
                slot, runs, there = 0, self.updater.boot(), self.updater.system
            else:
                slot, runs = super().select()
                there = bytes(self.slots[slot])
            if hashlib.sha256(there).digest() not in self.crashing:
                return slot, runs
        raise AssertionError("it never boots again")

    def running(self) -> bytes:
        if self.profile.platform is Platform.INSTALLER:
            return self.updater.system
        return super().running()

    def carry_out(self, effect: do.Effect) -> None:
        if isinstance(effect, do.RunInstaller):
            staged = bytes(self.flash.bank(self, STAGING)[: effect.size])
            self.check_handover(effect, hashlib.sha256(staged).digest())
            reason = self.updater.run(effect.verb, staged)
            self.queue.append(lambda: self.agent.installer_answered(effect.verb, reason, self.now))
        super().carry_out(effect)
