"""The group ``img``: images in the slots of the device's flash, written and tried by cable.

Writing is for test builds: a serial line is no way around signatures. An image that was written here boots
on trial, is measured by the core like any other, and is gone after the next reset unless it is confirmed.
The core's anti-rollback counter holds here too, and the slot of a patch that is under way is not touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisories import mcuboot, smp
from advisories.smp import Command, Rc
from advisories.versions import Version
from device_sim.core.slots import confirmed, on_trial
from device_sim.serial.machine import Machine
from device_sim.serial.server import Ask, Handler, RequestError
from keys.errors import RefusedError


@dataclass(slots=True)
class _Upload:
    """An upload that is under way, or has ended."""

    length: int
    sha: bytes | None
    erases: int
    """Erases of the flash when it began: another one since has ended it."""
    off: int = 0


class Images:
    """Handlers of the group."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._upload: _Upload | None = None

    def handlers(self) -> Mapping[Command, Handler]:
        """Return what this firmware can do."""
        return {
            smp.IMG_STATE: lambda _: self._state(),
            smp.IMG_STATE_SET: self._set_state,
            smp.IMG_UPLOAD: self._take,
            smp.IMG_ERASE: self._erase,
        }

    def forget(self) -> None:
        """Lose what a reset loses; what is in the slot stays there."""
        self._upload = None

    def _found(self) -> dict[int, mcuboot.Image]:
        """Return the whole images by their slots."""
        found = {}
        for slot in range(self._machine.flash.profile.slots):
            try:
                found[slot] = self._machine.flash.image(slot)
            except RefusedError:
                continue
        return found

    def _state(self) -> Mapping[str, Any]:
        flash = self._machine.flash
        record = flash.record
        pending = record.trial if not record.tried else None
        images = [
            {
                "image": 0,
                "slot": slot,
                "version": _dotted(image.version),
                "hash": image.digest,
                "bootable": True,
                "pending": slot == pending,
                "confirmed": slot == record.active,
                "active": slot == flash.running,
                "permanent": False,
            }
            for slot, image in self._found().items()
        ]
        return {"images": images, "splitStatus": 0}

    def _set_state(self, ask: Ask) -> Mapping[str, Any]:
        self._allowed()
        flash, running = self._machine.flash, self._machine.flash.running
        wanted, confirm = ask.body.get("hash"), ask.body.get("confirm", False)
        if wanted is None and not confirm:
            raise RequestError(Rc.EINVAL)
        slots = [slot for slot, image in self._found().items() if image.digest == wanted]
        slot = running if wanted is None or running in slots else next(iter(slots), None)
        if slot is None:
            raise RequestError(Rc.ENOENT)
        if slot == running:
            if not confirm:
                raise RequestError(Rc.EBADSTATE)
            if flash.on_trial:
                flash.save_boot(confirmed(slot))
        elif confirm or flash.on_trial or not self._may_boot(slot):
            raise RequestError(Rc.EBADSTATE)  # only what has shown that it runs is kept
        elif flash.record.trial != slot:
            flash.save_boot(on_trial(flash.record.active, slot))
        return self._state()

    def _may_boot(self, slot: int) -> bool:
        """Say whether anti-rollback lets an image boot."""
        counter = self._machine.flash.image(slot).security_counter or 0
        return counter >= self._machine.stored().security_counter

    def _take(self, ask: Ask) -> Mapping[str, Any]:
        self._allowed()
        body, upload = ask.body, self._upload
        off, data = body["off"], body["data"]
        if body.get("image", 0) not in {0, 1}:  # clients name the spare slot by either number
            raise RequestError(Rc.EINVAL)
        if upload is not None and upload.erases != self._machine.flash.erases:
            upload = None
        if off == 0 and not (upload and upload.off < upload.length and upload.sha == body.get("sha", b"")):
            upload = self._begin(ask)
        if upload is None or off != upload.off or off == upload.length:
            return {"off": upload.off if upload else 0}
        if off + len(data) > upload.length or not data:
            raise RequestError(Rc.EINVAL)
        self._machine.flash.write_slot(self._machine.spare, off, data)
        upload.off += len(data)
        return self._ended(upload) if upload.off == upload.length else {"off": upload.off}

    def _begin(self, ask: Ask) -> _Upload:
        """Judge the first part, and make room for the image."""
        body, flash = ask.body, self._machine.flash
        length, sha = body.get("len"), body.get("sha")
        if length is None or (sha is not None and len(sha) != hashlib.sha256().digest_size):
            raise RequestError(Rc.EINVAL)
        if length > flash.profile.slot_bytes:
            raise RequestError(Rc.NOMEM)
        try:
            version = mcuboot.header_version(body["data"])
        except RefusedError:
            raise RequestError(Rc.EINVAL) from None
        if len(body["data"]) > length:
            raise RequestError(Rc.EINVAL)
        if body.get("upgrade") and version <= self._machine.agent.installed:
            raise RequestError(Rc.EBADSTATE)
        self._is_free(self._machine.spare)
        self._upload = None
        flash.erase_slot(self._machine.spare)
        self._upload = _Upload(length, sha, flash.erases)
        return self._upload

    def _ended(self, upload: _Upload) -> Mapping[str, Any]:
        if upload.sha is None:
            return {"off": upload.off}
        data = self._machine.flash.read_slot(self._machine.spare, upload.length)
        matches = hashlib.sha256(data).digest() == upload.sha
        if not matches:
            self._upload = None
            self._machine.flash.erase_slot(self._machine.spare)
        return {"off": upload.off, "match": matches}

    def _erase(self, ask: Ask) -> Mapping[str, Any]:
        self._allowed()
        slot = ask.body.get("slot", self._machine.spare)
        if slot >= self._machine.flash.profile.slots:
            raise RequestError(Rc.EINVAL)
        self._is_free(slot)
        self._upload = None
        self._machine.flash.erase_slot(slot)
        return {}

    def _allowed(self) -> None:
        if not self._machine.test_build:
            raise RequestError(Rc.EACCESSDENIED)
        if self._machine.installing:
            raise RequestError(Rc.EBUSY)

    def _is_free(self, slot: int) -> None:
        """Keep what runs, what the boot loader would return to, and what it is to try."""
        flash = self._machine.flash
        record = flash.record
        if slot in {flash.running, record.active} or (slot == record.trial and not record.tried):
            raise RequestError(Rc.EBADSTATE)


def _dotted(version: Version) -> str:
    """Write a version as MCUmgr does: four numbers, the last one left out when it is 0."""
    return ".".join(map(str, version if version[3] else version[:3]))
