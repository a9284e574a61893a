"""The conditions of a manifest: each compares a parameter with what the device is, or asks for a measurement.

Without a device every condition holds: so one finds out what a manifest asks of a device that it fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from advisories.suit.numbers import SHA256, Comparison, Parameter, label
from advisories.suit.operations import Match
from advisories.suit.walk import Walk, show_component
from keys.cbor import encode as encode_cbor
from keys.reasons import Reason


def vendor(walk: Walk, _: Any) -> None:
    """Check Vendor Identifier."""
    expected, device = walk.required(Parameter.VENDOR_ID), walk.device
    if device is not None:
        found = {Parameter.VENDOR_ID: device.vendor_id}
        why = f"for vendor {expected.hex()}"
        walk.decide(Reason.WRONG_MODEL, why, found, holds=device.vendor_id == expected)
    walk.vendor_ids.append(expected)


def class_(walk: Walk, _: Any) -> None:
    """Check Class Identifier."""
    expected, device = walk.required(Parameter.CLASS_ID), walk.device
    if device is not None:
        found = {Parameter.CLASS_ID: device.class_id}
        why = f"for class {expected.hex()}"
        walk.decide(Reason.WRONG_MODEL, why, found, holds=device.class_id == expected)
    walk.class_ids.append(expected)


def device_id(walk: Walk, _: Any) -> None:
    """Check Device Identifier."""
    expected, device = walk.required(Parameter.DEVICE_ID), walk.device
    if device is not None:
        found = {} if device.device_id is None else {Parameter.DEVICE_ID: device.device_id}
        why = f"for device {expected.hex()}"
        walk.decide(Reason.WRONG_SUBJECT, why, found, holds=device.device_id == expected)


def _held(walk: Walk) -> bytes | None:
    """Return the digest of what the component holds, empty for nothing; None where nobody has measured it."""
    if walk.device is None or walk.component in walk.filled:
        return None
    return walk.device.measured.get(walk.component)


def _digest(held: bytes | None) -> Mapping[Parameter, Any]:
    return {Parameter.IMAGE_DIGEST: encode_cbor([SHA256, held])} if held else {}


def _compare(walk: Walk, digest: bytes, size: int | None) -> None:
    held = _held(walk)
    if held is None:
        walk.ask(Match(walk.component, digest, size, origin=walk.origin))
    else:
        name = f"component {show_component(walk.component)}"
        walk.decide(Reason.DIGEST_MISMATCH, name, _digest(held), holds=held == digest)


def image_match(walk: Walk, _: Any) -> None:
    """Verify Image."""
    _compare(walk, walk.required(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE))


def check_content(walk: Walk, _: Any) -> None:
    """Check Content; digests are compared, so the time it takes says nothing about what is there."""
    content = walk.required(Parameter.CONTENT)
    _compare(walk, hashlib.sha256(content).digest(), len(content))


def image_not_match(walk: Walk, _: Any) -> None:
    """Check Image Not Match; what nobody has measured may be the very image."""
    digest = walk.required(Parameter.IMAGE_DIGEST)
    if walk.device is not None:
        held = _held(walk)
        why = f"component {show_component(walk.component)} holds it, or was not measured"
        walk.decide(Reason.DIGEST_MISMATCH, why, _digest(held), holds=held is not None and held != digest)


def component_slot(walk: Walk, _: Any) -> None:
    """Check Component Slot."""
    slot, device = walk.required(Parameter.COMPONENT_SLOT), walk.device
    if device is not None:
        why = f"for slot {slot}, not slot {device.slot}"
        found = {Parameter.COMPONENT_SLOT: device.slot}
        walk.decide(Reason.UPDATE_FAILED, why, found, holds=device.slot == slot)


def use_before(walk: Walk, _: Any) -> None:
    """Use Before; without an idea of time nothing is early enough."""
    end, device = walk.required(Parameter.USE_BEFORE), walk.device
    if device is not None:
        now = device.time
        found = {} if now is None else {Parameter.USE_BEFORE: now}
        why = f"at {end}, now {'unknown' if now is None else now}"
        walk.decide(Reason.EXPIRED, why, found, holds=now is not None and now < end)


def minimum_battery(walk: Walk, _: Any) -> None:
    """Check Minimum Battery."""
    least, device = walk.required(Parameter.MINIMUM_BATTERY), walk.device
    if device is not None:
        charge = device.battery
        found = {} if charge is None else {Parameter.MINIMUM_BATTERY: charge}
        why = f"{'unknown' if charge is None else charge}, at least {least} mWh"
        walk.decide(Reason.LOW_BATTERY, why, found, holds=charge is not None and charge >= least)


def component_version(walk: Walk, _: Any) -> None:
    """Check Version of what the component runs."""
    comparison, bound = walk.required(Parameter.VERSION)
    if walk.device is None:
        return
    version = walk.device.versions.get(walk.component)
    shown, found = "unknown", {}
    if version is not None:
        shown = ".".join(map(str, version))
        found = {Parameter.VERSION: encode_cbor([Comparison.EQUAL.value, list(version)])}
    why = f"runs {shown}, for {label(comparison)} {'.'.join(map(str, bound))}"
    holds = version is not None and compare_versions(comparison, version, bound)
    walk.decide(Reason.WRONG_VERSION, why, found, holds=holds)


def compare_versions(comparison: Comparison, version: Sequence[int], bound: Sequence[int]) -> bool:
    """Say whether a version satisfies a bound: number by number, as far as the bound has any."""
    shown = (*version, *(0 for _ in bound))[: len(bound)]
    order = (shown > tuple(bound)) - (shown < tuple(bound))
    return order in _ORDERS[comparison]


_ORDERS: Final[Mapping[Comparison, frozenset[int]]] = {
    Comparison.GREATER: frozenset({1}),
    Comparison.GREATER_EQUAL: frozenset({0, 1}),
    Comparison.EQUAL: frozenset({0}),
    Comparison.LESSER_EQUAL: frozenset({-1, 0}),
    Comparison.LESSER: frozenset({-1}),
}


def abort(walk: Walk, _: Any) -> None:
    """Abort."""
    walk.decide(Reason.UPDATE_FAILED, "the manifest says abort", {}, holds=False)
