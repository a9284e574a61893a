"""A device's folder as flash that a test may cut the power of, and that protects its only good image.

Every change of state, boot record or slots is counted. At a chosen one the power goes: before it, in the
middle of it (a slot has half of the bytes; a file that is replaced whole is still the old one), or after.
What a process has written stays when it ends, in the order it was written: a cut here is exact.

The core takes whatever boots for confirmed. An image that was written by cable and is on trial is not:
until it is confirmed, the slot that the boot loader would return to can be neither erased nor written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from advisories import mcuboot
from device_sim.core.slots import BootRecord, confirmed, load_record
from device_sim.home import Home
from device_sim.toml import write_profile
from keys.signer import LocalSigner

EXIT_POWER: Final = 9
"""Exit status of a process whose power was cut."""


class When(StrEnum):
    """Where in a write the power goes."""

    BEFORE = "before"
    TORN = "torn"
    AFTER = "after"


def power_off() -> None:
    """End the process at once, as if its power were gone."""
    os._exit(EXIT_POWER)


class Flash(Home):
    """A home whose writes are counted and can be cut.

    Args:
        home: the folder, opened.
        die: what a power cut does.
        note: told of what the flash does not let happen.
    """

    __slots__ = ("_cut", "_die", "_note", "erases", "running", "writes")

    def __init__(
        self, home: Home, die: Callable[[], None] = power_off, note: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(home.path, home.profile, home.signer, home.root_1, durable=home.durable)
        self._die = die
        self._note = note or (lambda _: None)
        self._cut: tuple[int, When] | None = None
        """Writes still to come until the power goes, that one included."""
        self.running: int | None = None
        """The slot that the boot loader started; None before a boot."""
        self.writes = 0
        """Changes so far, since the board was switched on."""
        self.erases = 0
        """Of these, erased slots."""

    @property
    def record(self) -> BootRecord:
        """The boot record as it is stored (DamagedError)."""
        return load_record(self.read_boot())

    @property
    def on_trial(self) -> bool:
        """True while the image that runs is not confirmed."""
        return self.running is not None and self.record.active != self.running

    def started(self) -> int:
        """Learn from the boot record, right after a boot, which slot was started."""
        record = self.record
        self.running = record.trial if record.trial is not None and record.tried else record.active
        return self.running

    def cut_power(self, at: int, when: When) -> None:
        """Cut the power at the ``at``-th change from now; 1 is the next one."""
        self._cut = (at, when)

    # What is counted.

    def erase_slot(self, slot: int, component: int = 0) -> None:
        """Empty a slot; one that would be tried at the next boot is so no longer."""
        if self._protects(slot):
            return
        record = self.record
        if record.trial == slot and not record.tried:
            self.save_boot(confirmed(record.active))
        self.erases += 1
        path, whole = self._slot(slot, component), super().erase_slot
        self._write(lambda: whole(slot, component), lambda: _halve(path))

    def write_slot(self, slot: int, offset: int, data: bytes, component: int = 0) -> None:
        """Write bytes into a slot."""
        if not self._protects(slot):
            whole, half = super().write_slot, data[: len(data) // 2]
            self._write(
                lambda: whole(slot, offset, data, component), lambda: whole(slot, offset, half, component)
            )

    def _replace(self, name: str, data: bytes) -> None:
        whole, draft = super()._replace, self.path / f".{name}.new"
        self._write(lambda: whole(name, data), lambda: _begin(draft, data[: len(data) // 2]))

    def _write(self, whole: Callable[[], None], half: Callable[[], None]) -> None:
        self.writes += 1
        when = None
        if self._cut is not None:
            left, at = self._cut
            when = at if left == 1 else None
            self._cut = (left - 1, at) if left > 1 else None
        if when is When.BEFORE:
            self._die()
        if when is When.TORN:
            half()
            self._die()
        whole()
        if when is When.AFTER:
            self._die()

    def _protects(self, slot: int) -> bool:
        protected = self.on_trial and slot == self.record.active
        if protected:
            self._note(f"slot {slot} holds the confirmed image and stays until the trial is over")
        return protected

    # What a factory does, between two boots.

    def make_new(self) -> None:
        """Make it factory-new: no state, nothing on trial, an empty spare slot."""
        active = self.record.active
        self.save_boot(confirmed(active))
        self.erase_slot(1 - active)
        self.save_state(b"")

    def take_root(self, document: bytes) -> None:
        """Provision another root 1; a state that rests on the old one goes with it."""
        if document != self.root_1:
            self.save_state(b"")
            self._replace("root-1.cose", document)
            self.root_1 = document

    def take_key(self, signer: LocalSigner) -> None:
        """Provision another key."""
        self._replace("key.pem", signer.to_pem(b""))
        self.signer = signer

    def take_id(self, name: str) -> None:
        """Provision another id; the state is another device's then, and goes."""
        if name != self.profile.id:
            self.save_state(b"")
            profile = replace(self.profile, id=name)
            self._replace("device.toml", write_profile(profile).encode())
            self.profile = profile

    def take_image(self, image: bytes) -> None:
        """Write an image into the active slot, as a programmer on the board's pins would."""
        active = self.record.active
        self.save_boot(confirmed(active))
        self.erase_slot(active)
        self.write_slot(active, 0, image)

    def image(self, slot: int) -> mcuboot.Image:
        """Return what is in a slot (RefusedError when no whole image is)."""
        return mcuboot.parse(self.read_slot(slot))


def _halve(path: Path) -> None:
    """Leave half of what was to be erased."""
    if path.exists():
        os.truncate(path, path.stat().st_size // 2)


def _begin(draft: Path, data: bytes) -> None:
    """Leave a draft that was not finished; it may be the beginning of a private key."""
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
