"""Where a device's software lies and how it is started: what the shell asks, behind one protocol.

:class:`SlotPlatform` writes banks and a boot record itself, as a microcontroller with a boot loader does. A
platform with an updater of its own is given each payload as a file instead (``device_sim.installer``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from device_sim import delta as deltas
from device_sim.core.measure import Measurement, Running, measure_pieces, running
from device_sim.core.slots import STAGING, load_record, select
from device_sim.home import Home
from keys.reasons import Reason

Verb = Literal["install", "confirm", "revert"]


class Platform(Protocol):
    """One device's software: slots 0 and 1 are the banks, slot 2 is the staging area.

    Every method may raise DamagedError or UnavailableError; the device then stops and says why. ``copy``,
    ``measure`` and ``apply`` may be called from another thread, but never two of them at a time.
    """

    def boot(self) -> tuple[int, Running | Reason]:
        """Do what a boot loader does at a reset: choose a slot, remember it, measure what runs from it."""
        ...

    def erase(self, slot: int, component: int) -> None:
        """Empty a slot."""
        ...

    def write(self, slot: int, component: int, offset: int, data: bytes) -> None:
        """Write bytes into a slot, where it has been emptied."""
        ...

    def copy(self, source: int, source_component: int, slot: int, component: int, size: int) -> None:
        """Copy the first ``size`` bytes of one slot into another, which is empty."""
        ...

    def measure(self, slot: int, component: int, size: int) -> Measurement:
        """Read the first ``size`` bytes of a slot back, as far as there are any, and say what they are."""
        ...

    def apply(self, base: int, slot: int, component: int, size: int) -> Reason:
        """Rebuild an image of ``size`` bytes in an empty slot from a bank and the staged delta."""
        ...

    def save_boot(self, record: bytes) -> None:
        """Store the boot record whole, after everything that it speaks of."""
        ...

    def run(self, verb: Verb, size: int, answer: Callable[[Reason], None]) -> None:
        """Let the platform's updater act on the first ``size`` bytes of the staging area, without waiting.

        Args:
            verb: install what is staged, confirm what runs, or go back to what ran before.
            size: bytes of the payload.
            answer: called once from the event loop: OK; BUSY, to be asked again later; or why it failed.
        """
        ...

    def restart(self) -> bool:
        """Have the machine restart; it may be asked for again before that, which does no harm.

        Returns:
            True where the device boots again at once; False where it goes on until the machine goes down.
        """
        ...


class SlotPlatform:
    """Two banks and a boot record, as files in a device's folder."""

    __slots__ = ("_home",)

    def __init__(self, home: Home) -> None:
        self._home = home

    def boot(self) -> tuple[int, Running | Reason]:
        """Choose a slot by the boot record, store that it was tried, and measure it."""
        slot, record = select(self._home.read_boot())
        self._home.save_boot(record)
        found = self.measure(slot, 0, self._home.profile.slot_bytes)
        return slot, running(found, trial=load_record(record).trial is not None)

    def erase(self, slot: int, component: int) -> None:
        """Empty a slot's file."""
        self._home.erase_slot(slot, component)

    def write(self, slot: int, component: int, offset: int, data: bytes) -> None:
        """Write into a slot's file."""
        self._home.write_slot(slot, offset, data, component)

    def copy(self, source: int, source_component: int, slot: int, component: int, size: int) -> None:
        """Copy piece by piece."""
        self._home.copy_slot(source, source_component, slot, component, size)

    def measure(self, slot: int, component: int, size: int) -> Measurement:
        """Hash piece by piece."""
        return measure_pieces(self._home.pieces(slot, size, component))

    def apply(self, base: int, slot: int, component: int, size: int) -> Reason:
        """Apply the staged delta, see :func:`device_sim.delta.apply`."""
        home = self._home
        return deltas.apply(
            home.slot_path(base, component),
            home.slot_path(STAGING),
            size,
            lambda offset, data: home.write_slot(slot, offset, data, component),
        )

    def save_boot(self, record: bytes) -> None:
        """Replace the boot record."""
        self._home.save_boot(record)

    def run(self, verb: Verb, size: int, answer: Callable[[Reason], None]) -> None:  # noqa: ARG002 - has none
        """Say that there is no such updater."""
        answer(Reason.UNSUPPORTED)

    def restart(self) -> bool:
        """Have nothing to do: the shell boots again."""
        return True
