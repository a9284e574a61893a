"""A world whose platform has an updater of its own: it takes a file, and decides by itself what boots."""

from __future__ import annotations

from typing import Any

from advisories.versions import Version
from device_sim.core import effects as do
from device_sim.core.measure import Running
from device_sim.core.profile import Platform
from device_sim.core.slots import STAGING
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, OLD
from tests.device_sim.core.world import World

PAYLOADS = {
    b"bundle of 1.4.2" * 5_000: NEW,
    b"bundle of 1.4.1" * 3_000: OLD,
    b"a broken one" * 900: (9, 9, 9, 0),
}
"""What a file installs."""
BUNDLE = next(iter(PAYLOADS))


class UpdaterWorld(World):
    """One slot or two: what matters is which version runs, and which one after the next boot."""

    def __init__(self, *, start: bool = True, **profile: Any) -> None:
        self.runs: Version = OLD
        self.good: Version = OLD
        """What it goes back to."""
        self.next: Version | None = None
        """What boots next, once."""
        self.asked: list[str] = []
        self.answers: dict[str, list[Reason]] = {}
        """What it answers before it does anything, by verb."""
        self.silent: set[str] = set()
        """Verbs that are never answered."""
        self.readable = True
        super().__init__(start=start, **{"platform": Platform.INSTALLER, "slot_bytes": 1 << 24, **profile})

    def select(self) -> tuple[int, Running | Reason]:
        self.runs, self.next = self.next or self.good, None
        if not self.readable:
            return 0, Reason.UNSUPPORTED
        return 0, Running(self.runs, b"", trial=self.runs != self.good)

    def carry_out(self, effect: do.Effect) -> None:
        super().carry_out(effect)
        assert not isinstance(effect, do.SaveBoot | do.CopySlot | do.ApplyDelta), (
            "that is the updater's business"
        )
        if isinstance(effect, do.EraseSlot | do.WriteSlot):
            assert effect.slot == STAGING
        if isinstance(effect, do.RunInstaller):
            self.run_installer(effect)

    def run_installer(self, effect: do.RunInstaller) -> None:
        self.asked.append(effect.verb)
        if effect.verb in self.silent:
            return
        said = self.answers.get(effect.verb)
        reason = said.pop(0) if said else Reason.OK
        if reason is Reason.OK:
            if effect.verb == "install":
                staged = bytes(self.slots[STAGING])
                assert len(staged) == effect.size
                self.next = PAYLOADS[staged]
            elif effect.verb == "confirm":
                self.good = self.runs
            else:
                self.next = None
        self.queue.append(lambda: self.agent.installer_answered(effect.verb, reason, self.now))
