"""The boot record, and what a boot loader decides from it: boot a trial once, then revert.

The record is stored apart from the agent's state, so that a boot loader of a few lines can read it.

    record = BootRecord(active=0, trial=1)
    slot, stored = select(dump(record))       # 1: the trial, now marked as tried
    slot, stored = select(stored)             # 0: nobody confirmed it, so back to the active slot
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keys.codec import at, boolean, dump, load, uint
from keys.errors import DamagedError, RefusedError

RECORD_BYTES_MAX = 64
STAGING: Final = 2
"""Number of the staging area, beside the slots 0 and 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRecord:
    """Which slot is confirmed, and which one is to be tried."""

    active: int = at(1, uint(1))
    """The slot that was confirmed last."""
    trial: int | None = at(2, uint(1), optional=True)
    """A slot to boot once; None when nothing is on trial."""
    tried: bool | None = at(3, boolean(), optional=True)
    """True once the boot loader has booted the trial."""


def load_record(data: bytes) -> BootRecord:
    """Read a stored record; no bytes at all mean a new device, which runs slot 0.

    Raises:
        DamagedError: BOOT_RECORD, when the bytes are not a record.
    """
    if not data:
        return BootRecord(active=0)
    try:
        return load(BootRecord, data, size_max=RECORD_BYTES_MAX)
    except RefusedError as error:
        raise DamagedError(
            "BOOT_RECORD",
            f"The boot record is not whole ({error.detail}).",
            mend="Restore it, or write the image again by cable.",
        ) from None


def select(record: bytes) -> tuple[int, bytes]:
    """Decide which slot boots, as the boot loader does at every reset.

    Args:
        record: the stored bytes; empty on a new device.

    Returns:
        The slot, and the record to store BEFORE jumping to it: a trial is booted once, even if
        the power fails in the middle of it.

    Raises:
        DamagedError: BOOT_RECORD.
    """
    found = load_record(record)
    if found.trial is None:
        return found.active, dump(found)
    if not found.tried:
        return found.trial, dump(BootRecord(active=found.active, trial=found.trial, tried=True))
    return found.active, dump(BootRecord(active=found.active))


def on_trial(active: int, trial: int) -> bytes:
    """Return the record that boots ``trial`` once and otherwise stays with ``active``."""
    return dump(BootRecord(active=active, trial=trial))


def confirmed(slot: int) -> bytes:
    """Return the record that boots ``slot`` from now on."""
    return dump(BootRecord(active=slot))
