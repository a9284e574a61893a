"""What a patch's manifest asks of this device next, worked out anew from how the operations went so far.

The facts that conditions are compared with stay those of the beginning. What a component holds is never among
them: it is asked for by a Match, and the answer is stored, so that the same plan comes out after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from advisories.limits import IMAGE_BYTES_MAX
from advisories.suit import BOOT, UPDATE, ComponentId, Device, Fetch, Invoke, Match, Operation, Patch
from advisories.suit.arguments import Rebuild, read_arguments
from advisories.suit.interpreter import execute
from advisories.suit.operations import ON_MAINS, Copy, Swap, Write
from device_sim.core.profile import Platform, Profile
from device_sim.core.session import Session
from device_sim.core.slots import STAGING
from keys.errors import RefusedError
from keys.reasons import Reason

_STORES: Final = (Fetch, Copy, Write)


@dataclass(frozen=True, slots=True)
class Bank:
    """A component's place, and what belongs there."""

    component: int
    """Index in the profile."""
    digest: bytes | None
    """SHA-256; None: the same as in the bank that runs."""
    size: int | None
    """Bytes; None: whatever is there."""


def facts(session: Session, slot: int, begun: int, battery: int | None = ON_MAINS) -> Device:
    """Return what the conditions of a manifest are compared with.

    Args:
        session: of the device.
        slot: the bank that is written.
        begun: UTC seconds when the procedure began.
        battery: charge as the draft counts it; whoever has begun had enough.
    """
    profile = session.profile
    return Device(
        profile.vendor_id,
        profile.class_id,
        frozenset(profile.components),
        slot,
        device_id=profile.uuid,
        time=begun,
        versions={profile.components[0]: session.installed},
        battery=battery,
    )


def operations(patch: Patch, device: Device, outcomes: tuple[bool, ...]) -> tuple[Operation, ...]:
    """Return the operations of the update, those carried out first.

    Raises:
        RefusedError: a condition does not hold, or an operation failed for which there is no other way.
    """
    return execute(patch.manifest, UPDATE, device, outcomes).operations


def judge(session: Session, patch: Patch, device: Device) -> tuple[tuple[Operation, ...], tuple[bool, ...]]:
    """Return what a device that has done nothing yet would do, and how that would go if all goes well.

    Raises:
        RefusedError: something is asked of it that it cannot do, in whichever way the manifest knows.
    """
    outcomes: tuple[bool, ...] = ()
    planned = operations(patch, device, outcomes)
    while len(outcomes) < len(planned):
        operation = planned[len(outcomes)]
        try:
            require_able(session, operation, patch)
            able = not _is_other(session, planned[: len(outcomes) + 1], outcomes)
        except RefusedError as error:
            able, why = False, error
        else:
            why = RefusedError(Reason.DIGEST_MISMATCH, "what runs is another image")
        outcomes += (able,)
        if not able:
            try:
                planned = operations(patch, device, outcomes)
            except RefusedError:
                raise why from None
    for operation in execute(patch.manifest, BOOT, device).operations:
        if not isinstance(operation, Match | Invoke):
            raise RefusedError(Reason.UNSUPPORTED, "copying at every boot")
    if not stored(planned, outcomes):
        raise RefusedError(Reason.UNSUPPORTED, "a patch that brings nothing")
    return planned, outcomes


def _is_other(session: Session, planned: tuple[Operation, ...], outcomes: tuple[bool, ...]) -> bool:
    """Say whether the last one asks for another image than is known to run."""
    *before, operation = planned
    component = session.profile.components[0]
    if not isinstance(operation, Match) or operation.component != component:
        return False
    return not is_stored(before, outcomes, component) and operation.digest != session.image


def require_able(session: Session, operation: Operation, patch: Patch) -> None:
    """Refuse an operation that this device cannot carry out.

    Raises:
        RefusedError: UNSUPPORTED, NO_SPACE, BAD_URI, UNSUPPORTED_PROTOCOL, WRONG_BASE or MALFORMED.
    """
    profile = session.profile
    if isinstance(operation, Match):
        return
    if isinstance(operation, Swap | Invoke):
        raise RefusedError(Reason.UNSUPPORTED, type(operation).__name__.lower())
    index, hands_over = profile.components.index(operation.component), profile.platform is Platform.INSTALLER
    if hands_over and (index or isinstance(operation, Copy)):
        raise RefusedError(Reason.UNSUPPORTED, "an installer takes one file")
    size = len(operation.content) if isinstance(operation, Write) else operation.size
    if size is None or not (isinstance(operation, Write) or operation.digest):
        raise RefusedError(Reason.MALFORMED, "the digest or the size of a payload is not stated")
    room = profile.slot_bytes if hands_over else min(profile.slot_bytes, IMAGE_BYTES_MAX)
    if size > room:
        raise RefusedError(Reason.NO_SPACE, f"{size} bytes, at most {room}")
    if isinstance(operation, Fetch):
        _require_reachable(session, operation, patch)


def _require_reachable(session: Session, fetch: Fetch, patch: Patch) -> None:
    profile = session.profile
    if fetch.arguments:
        _require_rebuilding(
            session, profile.components.index(fetch.component), read_arguments(fetch.arguments)
        )
    if fetch.uri.startswith("#"):
        if fetch.uri not in patch.integrated:
            raise RefusedError(Reason.BAD_URI, fetch.uri)
    elif address(profile, fetch.uri) is None and (fetch.size or 0) > IMAGE_BYTES_MAX:
        raise RefusedError(Reason.UNSUPPORTED_PROTOCOL, f"{fetch.size} bytes do not come in blocks")


def _require_rebuilding(session: Session, component: int, how: Rebuild) -> None:
    profile = session.profile
    if not profile.delta or profile.platform is not Platform.SLOTS:
        raise RefusedError(Reason.UNSUPPORTED, "a delta")
    if component == 0 and how.base != session.image:
        raise RefusedError(Reason.WRONG_BASE, f"for {how.base.hex()[:16]}")


def address(profile: Profile, uri: str) -> str | None:
    """Return where a payload is fetched by HTTPS; None: it is asked for in blocks, by its digest.

    Raises:
        RefusedError: BAD_URI: neither an https:// address, nor one below the gateway's.
    """
    if profile.artefacts is None:
        return None
    if uri.startswith("https://"):
        return uri
    levels = uri.split("/")
    if (
        not all(levels)
        or ".." in levels
        or "." in levels
        or ":" in levels[0]
        or any(c in uri for c in "?#\\ ")
    ):
        raise RefusedError(Reason.BAD_URI, uri)
    return f"{profile.artefacts.rstrip('/')}/{uri}"


def is_stored(carried: Sequence[Operation], outcomes: tuple[bool, ...], component: ComponentId) -> bool:
    """Say whether a component has been written in this procedure."""
    return any(
        ok and isinstance(operation, _STORES) and operation.component == component
        for operation, ok in zip(carried, outcomes, strict=False)
    )


def stored(carried: Sequence[Operation], outcomes: tuple[bool, ...]) -> dict[ComponentId, Match]:
    """Return what was compared last of each component that was written, in the order of writing."""
    found: dict[ComponentId, Match] = {}
    for number, operation in enumerate(carried):
        if isinstance(operation, Match) and is_stored(carried[:number], outcomes, operation.component):
            found[operation.component] = operation
    return found


def banks(profile: Profile, carried: Sequence[Operation], outcomes: tuple[bool, ...]) -> tuple[Bank, ...]:
    """Return what every component of the bank that was written has to hold: what came, or what runs."""
    brought = stored(carried, outcomes)
    found = []
    for index, component in enumerate(profile.components):
        match = brought.get(component)
        if match is not None:
            found.append(Bank(index, match.digest, match.size))
        elif profile.platform is Platform.SLOTS:
            found.append(Bank(index, None, None))
    return tuple(found)


def bank(session: Session, component: int) -> tuple[int, int]:
    """Return the slot and the component that a component is written to."""
    if session.profile.platform is Platform.INSTALLER:
        return STAGING, 0
    return 1 - session.slot, component
