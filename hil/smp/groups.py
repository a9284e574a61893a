"""The groups that every SMP firmware may have, as verbs: os, img, stat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from advisories import smp
from advisories.smp import Rc, fits
from hil.errors import DeviceRebooted, SmpFailure, SmpRefused
from hil.smp.exchange import Exchange
from hil.smp.message import MalformedAnswer
from hil.smp.transfer import Progress, Transfer

ERASE_S: Final = 10.0
"""What a board may take to erase a slot before it answers."""
_SLOT: Final = {
    "slot": "uint",
    "version": "text",
    "image": "uint?",
    "hash": "bytes?",
    **dict.fromkeys(("bootable", "pending", "confirmed", "active", "permanent"), "bool?"),
}


class UploadMismatch(SmpFailure):
    """The board has all bytes, and says that they are not those that were sent."""

    CODE: ClassVar[str] = "SMP_MISMATCH"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The board's buffers for SMP."""

    buf_size: int
    """Bytes of one buffer: a message and four bytes of its frame."""
    buf_count: int


@dataclass(frozen=True, slots=True)
class ImageSlot:
    """What lies in one slot; a flag that the board leaves out is false."""

    slot: int
    version: str
    image: int = 0
    hash: bytes = b""
    """The image's own digest as its boot loader knows it, not that of the file; empty if not told."""
    bootable: bool = False
    pending: bool = False
    confirmed: bool = False
    active: bool = False
    permanent: bool = False


class OsGroup:
    """Operating system (group 0); every verb raises what `Exchange.request` raises."""

    def __init__(self, exchange: Exchange) -> None:
        self._ask = exchange.request
        self._exchange = exchange

    def echo(self, text: str) -> str:
        """Send a text, and return what comes back."""
        return str(self._ask(smp.OS_ECHO, {"d": text})["r"])

    def console_echo(self, *, on: bool) -> None:
        """Switch the console's echo."""
        self._ask(smp.OS_CONSOLE_ECHO, {"echo": int(on)})

    def tasks(self) -> dict[str, Any]:
        """Return the statistics of each task."""
        return dict(self._ask(smp.OS_TASKS)["tasks"])

    def memory_pools(self) -> dict[str, Any]:
        """Return the statistics of each memory pool."""
        found = self._ask(smp.OS_MEMORY_POOLS)
        return {name: value for name, value in found.items() if isinstance(value, Mapping)}

    def datetime(self) -> str:
        """Return the board's clock, as it writes it."""
        return str(self._ask(smp.OS_DATETIME)["datetime"])

    def set_datetime(self, text: str) -> None:
        """Set the board's clock (RFC 3339, without a zone for local time)."""
        self._ask(smp.OS_DATETIME_SET, {"datetime": text})

    def reset(self, *, force: int | None = None, boot_mode: int | None = None) -> None:
        """Restart the board; its restart counts as the answer, should that be lost.

        Args:
            force: 1 where a board that is busy may not refuse.
            boot_mode: 1 for the boot loader's own mode, where the firmware has it.
        """
        try:
            self._ask(smp.OS_RESET, _given(force=force, boot_mode=boot_mode))
        except DeviceRebooted:
            return

    def parameters(self) -> Parameters:
        """Return the board's buffers; many boards refuse this with ENOTSUP."""
        found = self._ask(smp.OS_PARAMETERS)
        return Parameters(found["buf_size"], found["buf_count"])

    def info(self, form: str | None = None) -> str:
        """Return what runs, in the letters of uname: ``a`` for all."""
        return str(self._ask(smp.OS_INFO, _given(format=form))["output"])

    def bootloader(self, query: str | None = None) -> dict[str, Any]:
        """Return what the board says of its boot loader; ``mode`` asks how it swaps."""
        return self._ask(smp.OS_BOOTLOADER, _given(query=query))


class ImgGroup:
    """Images (group 1); every verb raises what `Exchange.request` raises."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def state(self) -> list[ImageSlot]:
        """Return what lies in the slots."""
        return self._slots(self._exchange.request(smp.IMG_STATE))

    def test(self, digest: bytes) -> list[ImageSlot]:
        """Have the image with this digest booted once, at the next reset."""
        return self._set({"hash": digest, "confirm": False})

    def confirm(self, digest: bytes | None = None) -> list[ImageSlot]:
        """Keep the image with this digest, or the one that runs."""
        return self._set({"confirm": True, **_given(hash=digest)})

    def erase(self, slot: int | None = None) -> None:
        """Erase a slot: the second one, if none is given."""
        timeout_s = max(ERASE_S, self._exchange.timeout_s)
        self._exchange.request(smp.IMG_ERASE, _given(slot=slot), timeout_s=timeout_s)

    def upload(
        self, data: bytes, *, image: int = 0, progress: Progress | None = None, erase_s: float = ERASE_S
    ) -> None:
        """Send an image, or the rest of it where the board has a part already.

        Args:
            data: the whole image.
            image: which of the board's images it is, not a slot.
            progress: is told how far the board is.
            erase_s: what the board may take for its first answer.

        Raises:
            UploadMismatch: the board has other bytes than were sent.
            BenchError: SMP_BUFFER_TOO_SMALL: the board's buffer holds no data beside the fields.
        """
        digest = hashlib.sha256(data).digest()

        def fields(off: int) -> dict[str, Any]:
            first = {"image": image, "len": len(data), "sha": digest, "upgrade": False}
            return {"off": off, **(first if off == 0 else {})}

        transfer = Transfer(self._exchange, smp.IMG_UPLOAD, fields, data, progress=progress, first_s=erase_s)
        match = transfer.run().get("match")
        if match is None:
            match = self._holds(data, digest)
        if not match:
            raise UploadMismatch(
                f"The board has {len(data)} bytes, and not the image with the SHA-256 {digest.hex()}.",
                last_frame=self._exchange.last_frame,
                mend="Erase the slot and send the image again.",
            )

    def _holds(self, data: bytes, digest: bytes) -> bool:
        """Say whether a slot holds the image: the digest that a slot states stands in its image."""
        times = self._exchange.retries + 1
        try:  # as patient as the upload was: all of it would be in vain for a line's bad moment
            found = self._exchange.request(
                smp.IMG_STATE, timeout_s=times * self._exchange.timeout_s, retries=times * times
            )
            slots = self._slots(found)
        except SmpRefused as error:
            if error.rc == Rc.ENOTSUP and self._exchange.shares(error.group):
                return True  # its answer that it has every byte is all there is
            raise
        return any(one.hash and (one.hash == digest or one.hash in data) for one in slots)

    def _set(self, body: Mapping[str, Any]) -> list[ImageSlot]:
        return self._slots(self._exchange.request(smp.IMG_STATE_SET, body))

    def _slots(self, found: Mapping[str, Any]) -> list[ImageSlot]:
        slots = []
        for one in found.get("images", ()):
            why = fits(_SLOT, one) if isinstance(one, Mapping) else "an entry is no map"
            if why is not None:
                raise MalformedAnswer(
                    f"The board's list of images is not as declared: {why}.",
                    last_frame=self._exchange.last_frame,
                )
            slots.append(ImageSlot(**{name: one[name] for name in _SLOT if name in one}))
        return slots


class StatGroup:
    """Statistics (group 2); every verb raises what `Exchange.request` raises."""

    def __init__(self, exchange: Exchange) -> None:
        self._ask = exchange.request

    def names(self) -> tuple[str, ...]:
        """Return the names of the groups of counters."""
        return tuple(str(name) for name in self._ask(smp.STAT_LIST)["stat_list"])

    def show(self, name: str) -> dict[str, Any]:
        """Return the counters of one group."""
        return dict(self._ask(smp.STAT_SHOW, {"name": name})["fields"])


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
