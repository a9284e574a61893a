"""Stories of payloads: transfers by HTTPS, several components, deltas, files inside, and updaters of the platform."""

from __future__ import annotations

import hashlib
from typing import Any

from device_sim.core.profile import AutoConsent, Platform
from tests.device_sim.core import plans
from tests.device_sim.core.firmware import OLD, image
from tests.device_sim.core.plans import BOOT, RADIO, SITE, sha
from tests.device_sim.core.power.acts import (
    SMALL,
    V2,
    Act,
    Story,
    becomes,
    current,
    on_trial,
    pull_the_plug,
    roll_out,
    the_test_ends,
    unhealthy,
    wait,
)
from tests.device_sim.core.power.plant import Plant
from tests.helpers import HOUR

DONE = "1.4.2, 7 SUCCEEDED"
BACK = {"1.4.1, 7 ROLLED_BACK": on_trial}
MINUTE = wait(60)
NEW_IMAGE, BIG_IMAGE = image(V2, size=SMALL), image(V2, size=600_000)
OLD_RADIO, NEW_RADIO = b"radio 1" * 100, b"radio 2" * 150
TWO = {"components": (BOOT, RADIO)}
BY_HTTPS = {"artefacts": SITE}
DELTA = {"delta": True}
HANDED = {"platform": Platform.INSTALLER}


def either(w: Plant) -> None:
    """A device of two components that may be changed one by one."""
    w.flash.put(w, 0, 1, OLD_RADIO)
    w.banks = {
        (sha(one), sha(two))
        for one, two in [
            (image(), OLD_RADIO),
            (NEW_IMAGE, NEW_RADIO),
            (NEW_IMAGE, OLD_RADIO),
            (image(), NEW_RADIO),
        ]
    }


def together(w: Plant) -> None:
    """A device of two components: only the old pair and the new pair may run."""
    w.flash.put(w, 0, 1, OLD_RADIO)
    w.banks = {(sha(image()), sha(OLD_RADIO)), (sha(NEW_IMAGE), sha(NEW_RADIO))}


def compose(*parts: tuple[Any, ...], boots: bytes, version: Any = V2, **fields: Any) -> Act:
    """Make, list and offer a patch of several files: (content, component, further terms)."""

    def act(w: Plant) -> None:
        payloads = [plans.payload(w, part[0], part[1], **part[2]) for part in parts]
        digest = w.compose(7, version, *payloads, boots=boots, **fields)
        w.known = [(7, digest)]
        current(w)
        w.offer(digest, 7)

    return act


def runs(data: bytes, version: Any) -> Act:
    """The device has been running something else since it was made."""

    def act(w: Plant) -> None:
        w.whole[sha(data)] = version
        w.slots[0] = bytearray(data)
        w.updater.runs = data
        w.queue.append(w.power_cycle)

    return act


def lost(data: bytes) -> Act:
    """A payload is gone from the gateway, and something else lies in its place."""

    def act(w: Plant) -> None:
        w.payloads[sha(data)] = b"?" * len(data)

    return act


ONE = compose((NEW_IMAGE, BOOT, {}), boots=NEW_IMAGE)
BOTH = compose((NEW_IMAGE, BOOT, {}), (NEW_RADIO, RADIO, {"version": None}), boots=NEW_IMAGE)
REBUILT = compose((NEW_IMAGE, BOOT, {"bases": [image(OLD, size=SMALL)]}), boots=NEW_IMAGE)

FETCHING = [
    Story("transfer in pieces", (becomes("piece", 300), ONE, MINUTE),
          DONE, BACK, BY_HTTPS),
    Story(
        "transfer goes on where it was",
        (becomes("breaks", 2), compose((BIG_IMAGE, BOOT, {}), boots=BIG_IMAGE), wait(HOUR)),
        DONE,
        BACK,
        {**BY_HTTPS, "slot_bytes": 1 << 20}, lazy=True),
    Story("transfer brings something else, and then the right thing", (becomes("spoils", 1), ONE, wait(HOUR)), DONE,
          BACK, BY_HTTPS),
    Story("transfer brings something else for ever", (becomes("spoils", 99), ONE, wait(HOUR)), "1.4.1, 7 FAILED", {},
          BY_HTTPS),
    Story("server comes back", (becomes("serving", False), ONE, MINUTE, becomes("serving", True), wait(HOUR)), DONE,
          BACK, BY_HTTPS),
    Story(
        "image travels in the manifest",
        (compose((NEW_IMAGE, BOOT, {"file": plans.inside(NEW_IMAGE)}), boots=NEW_IMAGE), MINUTE),
        DONE,
        BACK,
    ),
]  # fmt: skip

BUILDING = [
    Story("two components", (BOTH, MINUTE), DONE, BACK, TWO, furnish=together, pairs=2, lazy=True),
    Story("two components, and their test fails", (unhealthy, BOTH, MINUTE), "1.4.1, 7 ROLLED_BACK", {}, TWO, furnish=together),
    Story("two components, of which one never comes", (lambda w: (BOTH(w), lost(NEW_RADIO)(w)), wait(HOUR)),
          "1.4.1, 7 FAILED", {}, TWO, furnish=together),
    Story("one component of two", (roll_out(), MINUTE), DONE, BACK, TWO, furnish=either),
    Story("delta from what runs", (runs(image(OLD, size=SMALL), OLD), REBUILT, MINUTE), DONE, BACK, DELTA, pairs=2, lazy=True),
    Story("delta from something else", (REBUILT, MINUTE), DONE, BACK, DELTA),
    Story("delta comes spoilt", (runs(image(OLD, size=SMALL), OLD), becomes("spoils", 1), REBUILT, wait(HOUR)), DONE, BACK, DELTA),
]  # fmt: skip

HANDING = [
    Story("updater installs", (ONE, MINUTE), DONE, BACK, HANDED, pairs=3, lazy=True),
    Story("updater is busy", (lambda w: setattr(w.updater, "busy", 3), ONE, wait(HOUR)), DONE, BACK, HANDED),
    Story("updater fails", (lambda w: setattr(w.updater, "fails", True), ONE, MINUTE), "1.4.1, 7 FAILED", {}, HANDED),
    Story("what the updater installed fails its test", (unhealthy, ONE, MINUTE), "1.4.1, 7 ROLLED_BACK", {}, HANDED, pairs=3),
    Story(
        "what the updater installed never comes to life",
        (becomes("crashing", {hashlib.sha256(NEW_IMAGE).digest()}), ONE, MINUTE),
        "1.4.1, 7 ROLLED_BACK",
        {},
        HANDED,
    ),
    Story(
        "what the updater installed never confirms",
        (becomes("hangs", True), ONE, MINUTE, pull_the_plug, MINUTE),
        "1.4.1, 7 ROLLED_BACK",
        {},
        HANDED,
    ),
    Story(
        "updater's trial is taken back too late",
        (becomes("hangs", True), ONE, MINUTE, the_test_ends, MINUTE),
        DONE,
        BACK,
        {**HANDED, "auto_consent": AutoConsent.NEVER},
    ),
]  # fmt: skip

PAYLOADS = [*FETCHING, *BUILDING, *HANDING]
