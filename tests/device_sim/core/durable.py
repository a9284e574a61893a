"""What lies in a device's flash, read back by whoever watches."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from advisories.states import PATCH_ENDED, PatchState
from device_sim.core.limits import STATE_BYTES_MAX
from device_sim.core.state import _Stored
from keys.codec import load
from keys.trusted import TrustedSet

REASONED = frozenset({
    PatchState.REJECTED, PatchState.FAILED, PatchState.ROLLED_BACK, PatchState.TIMED_OUT, PatchState.CANCELED,
    PatchState.SUPERSEDED, PatchState.DECLINED, PatchState.NOT_APPLICABLE,
})  # fmt: skip
"""Ends that a device owes a reason for."""
TRIED = frozenset(
    {PatchState.INSTALLING, PatchState.INSTALLED, PatchState.CANCEL_REJECTED, PatchState.REBOOTING}
)
"""A trial is written into the boot record from these."""
FOR_EVER = frozenset({"root", "boots", "patch", "counter"})
"""Floors that stay whatever happens; the others rest on keys, and fall with them."""


@lru_cache(maxsize=2_048)
def stored(data: bytes) -> Any:
    """The record that a ``Save`` has stored."""
    return load(_Stored, data, size_max=STATE_BYTES_MAX)


@lru_cache(maxsize=512)
def _trusted(data: bytes) -> tuple[int, dict[Any, Any]]:
    trusted = TrustedSet.load(data)
    floors: dict[Any, Any] = {key: floor.version for key, floor in trusted._floors.items()}
    return trusted.root.version, {**floors, "time": trusted.time_floor}


def floors_of(state: Any) -> dict[Any, Any]:
    """Everything that may only rise."""
    root, floors = _trusted(state.trusted)
    return {
        **floors,
        "root": root,
        "boots": state.boot_epoch,
        "patch": state.patch_floor[0],
        "counter": state.security_counter,
    }


def is_active(track: Any) -> bool:
    """Say whether a patch is under way."""
    return track.state not in PATCH_ENDED
