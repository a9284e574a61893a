"""What must hold whenever the power fails: pure functions over what a board said before and after.

An invariant is no outcome: after a cut a board may run the old firmware or the new one, and may show a notice
or not yet; it may never run half an image, show what nobody signed, or forget how old is too old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from advisories.report import Report
from advisories.versions import format_version
from hil.smp.groups import ImageSlot
from hil.smp.notifier import DeviceState, Screen


@dataclass(frozen=True, slots=True)
class State:
    """What a board says of itself; of a part that its firmware lacks, which is None, nothing is asked."""

    seconds: float | None
    """From power to its first answer; None: it did not answer within ``boot.timeout_s``."""
    slots: tuple[ImageSlot, ...] | None = None
    trouble: str = ""
    """Why something of it could not be read, although the board answers."""
    device: DeviceState | None = None
    screen: Screen | None = None
    report: Report | None = None
    """The newest report that it wanted sent, while its state stood still."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is genuine in a scenario."""

    images: tuple[bytes, ...] = ()
    """Whole images that the scenario may have written."""
    hashes: frozenset[bytes] = frozenset()
    """As slots named what they held before, and after an undisturbed run."""
    screens: tuple[Screen, ...] = ()
    """Everything shown before, during and after an undisturbed run."""


Invariant = Callable[[State, State, Known], str]
"""(before, after, what is genuine) -> what is broken; empty if it holds."""


def answers(before: State, after: State, known: Known) -> str:
    """Demand an answer within the board's boot time."""
    del before, known
    return "it did not answer within boot.timeout_s" if after.seconds is None else ""


def readable(before: State, after: State, known: Known) -> str:
    """Demand that whatever could be read before can be read after."""
    del known
    lost = [
        name
        for name in ("slots", "device")
        if getattr(before, name) is not None and getattr(after, name) is None
    ]
    return f"its {lost[0]} cannot be read any more: {after.trouble}" if lost else ""


def whole(before: State, after: State, known: Known) -> str:
    """Demand that one slot runs, and that every slot holds an image that is old or new, and whole."""
    if after.slots is None:
        return ""
    genuine = known.hashes | {slot.hash for slot in before.slots or ()}
    for slot in after.slots:
        if slot.hash and not _is_known(slot.hash, genuine, known.images):
            return f"slot {slot.slot} holds an image that nobody wrote: {slot.hash.hex()}"
    for image in {slot.image for slot in before.slots or ()}:
        running = [slot for slot in after.slots if slot.active and slot.image == image]
        if len(running) != 1:
            return f"{len(running)} slots of image {image} are active"
    return ""


def _is_known(digest: bytes, genuine: frozenset[bytes] | set[bytes], images: tuple[bytes, ...]) -> bool:
    return digest in genuine or any(names(digest, image) for image in images)


def names(digest: bytes, image: bytes) -> bool:
    """Say whether a slot's digest is an image's: of the boot loader, which stands in it, or of the file."""
    return bool(digest) and (digest in image or digest == hashlib.sha256(image).digest())


def signed(before: State, after: State, known: Known) -> str:
    """Demand that nothing is shown but what was shown before or in an undisturbed run."""
    now = after.screen
    if now is None:
        return ""
    shown = [screen for screen in (before.screen, *known.screens) if screen is not None]
    if now.asks is not None and now.asks not in {screen.asks for screen in shown}:
        return f"it asks consent for {now.asks!r}, which nobody offered"
    if now.id is None and not now.lines:
        return ""
    same = [screen for screen in shown if (screen.id, screen.revision) == (now.id, now.revision)]
    if not same:
        return f"it shows {now.id!r}, revision {now.revision}, which was never delivered to it"
    alike = [screen for screen in same if _look(screen) == _look(now)]
    if alike and now.lines not in {screen.lines for screen in alike}:
        return f"it shows {now.id!r} in other words than were signed"
    return ""


def _look(screen: Screen) -> tuple[Any, ...]:
    """Return what a screen's lines follow from, besides the notice."""
    return screen.language, screen.confirmed, screen.asks, screen.severity


def floors(before: State, after: State, known: Known) -> str:
    """Demand that no rollback floor falls or is forgotten, nor the version of the root."""
    del known
    if before.device is None or after.device is None:
        return ""
    if after.device.root < before.device.root:
        return f"the root fell from version {before.device.root} to {after.device.root}"
    return _fell(before.device.floors, after.device.floors, "floor")


def _fell(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> str:
    for key, value in old.items():
        here = f"{name} {key}"
        if key not in new:
            return f"the {here} is gone; it was {value}"
        if isinstance(value, Mapping) and isinstance(new[key], Mapping):
            deeper = _fell(value, new[key], here)
            if deeper:
                return deeper
        elif new[key] < value:
            return f"the {here} fell from {value} to {new[key]}"
    return ""


def counts(before: State, after: State, known: Known) -> str:
    """Demand that the journal never gets shorter, and that the count of boots never falls."""
    del known
    if before.device is None or after.device is None:
        return ""
    for name in ("journal", "epoch"):
        old, new = getattr(before.device, name), getattr(after.device, name)
        if new < old:
            return f"the {name} fell from {old} to {new}"
    if before.device.journal == after.device.journal and before.device.head != after.device.head:
        return "the journal's head changed, and its count did not"
    return ""


def truthful(before: State, after: State, known: Known) -> str:
    """Demand that the device's report says what its state says."""
    del before, known
    report, device = after.report, after.device
    if report is None or device is None:
        return ""
    pairs: dict[str, tuple[Any, Any]] = {
        "version installed": (format_version(report.installed), device.installed),
        "count of boots": (report.boot_epoch, device.epoch),
        "journal's count": (report.journal_count, device.journal),
        "journal's head": (report.journal_head, device.head),
        "root's version": (report.root_version, device.root),
    }
    told = {notice.id: int(notice.state) for notice in report.notices}
    for notice in device.notices:
        pairs[f"state of notice {notice['id']}"] = (told.get(notice["id"]), notice["state"])
    patches = {patch.digest: int(patch.state) for patch in report.patches}
    for patch in device.patches:
        name = patch["digest"]
        said = [state for digest, state in patches.items() if digest.startswith(name)]
        pairs[f"state of patch {name.hex()}"] = (said[0] if said else None, patch["state"])
    for what, (says, is_) in pairs.items():
        if says != is_:
            return f"its report says another {what}: {_shown(says)}, and it is {_shown(is_)}"
    return ""


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


INVARIANTS: Final[Mapping[str, Invariant]] = {
    "answers": answers,
    "readable": readable,
    "whole": whole,
    "signed": signed,
    "floors": floors,
    "counts": counts,
    "truthful": truthful,
}
"""Name -> invariant; each is held against every point of a sweep."""


def broken(before: State, after: State, known: Known) -> dict[str, str]:
    """Return what is broken: name of the invariant -> why. Who does not answer is asked nothing else."""
    silent = answers(before, after, known)
    if silent:
        return {"answers": silent}
    found = {name: check(before, after, known) for name, check in INVARIANTS.items()}
    return {name: why for name, why in found.items() if why}
