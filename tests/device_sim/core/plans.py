"""Patches of several files: written, signed, published and offered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from advisories import suit
from advisories.suit import delta
from advisories.versions import Version
from tests.device_sim.core.firmware import CLASS, NEW, VENDOR
from tests.device_sim.core.world import World
from tests.helpers import PRODUCT

SITE = "https://gateway.example.com"
BOOT, RADIO, FONTS = (b"\x00",), (b"\x01",), (b"\x02",)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def served(w: World, data: bytes) -> suit.File:
    """Have a file both as blocks and on the site, under its digest."""
    w.payloads[sha(data)] = data
    uri = f"artefact/{sha(data).hex()}"
    w.flash.site[f"{SITE}/{uri}"] = data
    return suit.File(sha(data), len(data), uri)


def inside(data: bytes, name: str = "#fw") -> suit.File:
    return suit.File(sha(data), len(data), name, data)


def payload(
    w: World,
    data: bytes,
    component: suit.ComponentId = BOOT,
    *,
    version: Version | None = NEW,
    bases: Iterable[bytes] = (),
    file: suit.File | None = None,
) -> suit.Payload:
    """A component's new content, perhaps also as deltas from older ones."""
    deltas = tuple(suit.Delta(served(w, delta.make(base, data)), sha(base), len(base)) for base in bases)
    return suit.Payload((file or served(w, data),), component, version, deltas)


def publish(w: World, *payloads: suit.Payload, sequence: int = 7, **fields: Any) -> bytes:
    """Sign and publish a patch; return its digest."""
    plan = suit.PatchPlan(sequence=sequence, vendor_id=VENDOR, class_id=CLASS, payloads=payloads, **fields)
    envelope = suit.compose(plan)
    for role in ("release", "security"):
        envelope = suit.authenticate(envelope, w.fleet.signer(role))
    w.publish(w.topics.patch(PRODUCT, sequence), envelope)
    return suit.manifest_digest(envelope)


def roll_out(w: World, *payloads: suit.Payload, sequence: int = 7, **fields: Any) -> bytes:
    """Publish and offer a patch of the current catalogue."""
    patch = publish(w, *payloads, sequence=sequence, **fields)
    w.current(patches=((sequence, patch),))
    w.offer(patch, sequence)
    return patch
