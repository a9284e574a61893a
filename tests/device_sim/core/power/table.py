"""The table of stories: every one is lived through with a power cut at every single write."""

from __future__ import annotations

import hashlib

from advisories.notice import Phase, Severity
from advisories.offer import Consent
from device_sim.core.profile import AutoConsent, Platform, Window
from keys.reasons import Reason
from tests.device_sim.core.firmware import OLD, image
from tests.device_sim.core.power.acts import (
    LARGE,
    SMALL,
    V2,
    V3,
    Story,
    acknowledge,
    becomes,
    by_cable,
    cancel,
    feels,
    fill_the_journal,
    fresh,
    later,
    never_ready,
    next_weekday,
    no,
    offer_again,
    on_trial,
    pull_the_plug,
    reset,
    roll_out,
    rotate,
    silent,
    the_test_ends,
    unhealthy,
    wait,
    warn,
    yes,
)
from tests.device_sim.core.power.table_payloads import PAYLOADS
from tests.helpers import DAY, HOUR

NEW_IMAGE = image(V2, size=SMALL)
ASKED = {"auto_consent": AutoConsent.NEVER}
BACK = {"1.4.1, 7 ROLLED_BACK": on_trial}
DONE = "1.4.2, 7 SUCCEEDED"
MINUTE = wait(60)


def two_offers_of_one_number(w):
    roll_out(7, V3, data=image(V3, size=SMALL))(w)


INSTALLING = [
    Story("install", (roll_out(), MINUTE), DONE, BACK, pairs=-1, lazy=True),
    Story(
        "install what a notice names",
        (roll_out(warn={}), MINUTE),
        f"{DONE}, NOT_APPLICABLE",
        {"1.4.1, 7 ROLLED_BACK, SHOWN": on_trial},
        pairs=3,
    ),
    Story("download in two windows", (roll_out(size=LARGE), wait(120)), DONE, BACK, pairs=3, lazy=True),
    Story("blocks come spoilt, and then whole", (becomes("spoils", 1), roll_out(), MINUTE), DONE, BACK),
    Story(
        "blocks come spoilt for ever",
        (becomes("spoils", 1_000), roll_out(), wait(HOUR)),
        "1.4.1, 7 FAILED",
    ),
    Story("blocks are lost and come again", (becomes("loses", 5), roll_out(size=LARGE), wait(HOUR)), DONE, BACK),
    Story(
        "link breaks in the middle",
        (becomes("serving", False), roll_out(size=LARGE), MINUTE, becomes("serving", True), wait(600)),
        DONE,
        BACK,
    ),
    Story("self-test fails", (unhealthy, roll_out(), MINUTE), "1.4.1, 7 ROLLED_BACK", pairs=3, lazy=True),
    Story(
        "trial never confirms",
        (becomes("hangs", True), roll_out(), MINUTE, pull_the_plug, MINUTE),
        "1.4.1, 7 ROLLED_BACK",
        pairs=3,
    ),
    Story(
        "image never comes to life",
        (becomes("crashing", {hashlib.sha256(NEW_IMAGE).digest()}), roll_out(), MINUTE),
        "1.4.1, 7 ROLLED_BACK",
        pairs=3,
    ),
    Story(
        "image of another version than was promised",
        (roll_out(lie=image(V3, size=SMALL)), MINUTE),
        "1.4.1, 7 REJECTED",
    ),
    Story("image that is none", (roll_out(lie=b"no image at all" * 50), MINUTE), "1.4.1, 7 REJECTED"),
    Story(
        "security counter is committed, and a lower one refused",
        (roll_out(counter=5), MINUTE, roll_out(8, V3, counter=4), MINUTE),
        "1.4.2, 7 SUCCEEDED, 8 REJECTED",
        {"1.5.0, 7 ROLLED_BACK, 8 SUCCEEDED": on_trial, "1.4.2, 7 SUCCEEDED, 8 REJECTED": on_trial},
    ),
    Story(
        "one patch after another",
        (roll_out(), MINUTE, roll_out(8, V3), MINUTE),
        "1.5.0, 7 REMOVED, 8 SUCCEEDED",
        {"1.5.0, 7 ROLLED_BACK, 8 SUCCEEDED": on_trial, "1.4.2, 7 SUCCEEDED, 8 ROLLED_BACK": on_trial},
    ),
    Story(
        "older patch after a newer one",
        (roll_out(8, V3), MINUTE, roll_out(7, V2), MINUTE),
        "1.5.0, 7 REJECTED, 8 SUCCEEDED",
        {"1.4.2, 7 SUCCEEDED, 8 ROLLED_BACK": on_trial},
    ),
    Story(
        "another patch of the same number",
        (roll_out(), MINUTE, two_offers_of_one_number, MINUTE),
        "1.4.2, 7 REJECTED, 7 SUCCEEDED",
        {"1.5.0, 7 ROLLED_BACK, 7 SUCCEEDED": on_trial},
    ),
    Story(
        "newer image by cable",
        (by_cable(0, image(V3, size=SMALL), V3), roll_out(8, V3), MINUTE),
        "1.5.0, 8 ALREADY_INSTALLED",
    ),
    Story(
        "older image by cable over the confirmed one",
        (roll_out(), MINUTE, by_cable(1, image(OLD, size=SMALL), OLD), MINUTE),
        "1.4.1, 7 SUCCEEDED",
        {"1.4.1, 7 ROLLED_BACK": on_trial},
    ),
    Story(
        "other slot by cable during a download",
        (
            becomes("serving", False), roll_out(size=LARGE), MINUTE, by_cable(1, image(V3), V3),
            becomes("serving", True), wait(600),
        ),
        DONE,
        BACK,
    ),
]  # fmt: skip

ASKING = [
    Story("owner says yes", (roll_out(), MINUTE), DONE, BACK, ASKED, pairs=3),
    Story("owner says no", (roll_out(), MINUTE, pull_the_plug, MINUTE), "1.4.1, 7 DECLINED", {}, ASKED, no),
    Story(
        "owner says nothing until it is over",
        (roll_out(deadline=DAY), wait(2 * DAY)),
        "1.4.1, 7 TIMED_OUT",
        {},
        ASKED,
        silent,
    ),
    Story(
        "owner puts it off until the final reminder",
        (roll_out(deadline=30 * DAY), wait(DAY), fresh, wait(HOUR), wait(DAY), fresh, wait(HOUR)),
        DONE,
        BACK,
        {**ASKED, "defer_max": 2},
        later,
    ),
    Story(
        "owner puts it off and never answers",
        (roll_out(deadline=4 * DAY), wait(5 * DAY)),
        "1.4.1, 7 TIMED_OUT",
        {},
        {**ASKED, "defer_max": 2},
        never_ready,
    ),
    Story(
        "offer asks although the owner agreed beforehand",
        (roll_out(consent=Consent.ASK), MINUTE),
        DONE,
        BACK,
    ),
    Story("offer has a window", (roll_out(window=(HOUR, 2 * HOUR)), wait(HOUR + 60)), DONE, BACK),
    Story(
        "offer has a window that passes without a device",
        (becomes("serving", False), roll_out(window=(HOUR, 2 * HOUR)), wait(2 * HOUR + 60)),
        "1.4.1, 7 TIMED_OUT",
    ),
    Story("taken back in time", (roll_out(), MINUTE, cancel(), MINUTE), "1.4.1, 7 CANCELED", {}, ASKED, silent),
    Story(
        "taken back and offered again",
        (roll_out(window=(HOUR, DAY)), MINUTE, cancel(), MINUTE, offer_again(), MINUTE),
        DONE,
        BACK,
    ),
    Story(
        "taken back too late",
        (becomes("hangs", True), roll_out(), MINUTE, cancel(), MINUTE, the_test_ends, MINUTE),
        DONE,
        BACK,
    ),
    Story(
        "newer patch while the owner thinks",
        (roll_out(), MINUTE, roll_out(8, V3), becomes("owner", lambda w, ask: "yes"), pull_the_plug, MINUTE),
        "1.5.0, 7 SUPERSEDED, 8 SUCCEEDED",
        {"1.4.1, 7 SUPERSEDED, 8 ROLLED_BACK": on_trial},
        ASKED,
        silent,
    ),
    Story(
        "newer patch in the middle of a download",
        (becomes("serving", False), roll_out(size=LARGE), MINUTE, roll_out(8, V3), becomes("serving", True), wait(600)),
        "1.5.0, 7 SUPERSEDED, 8 SUCCEEDED",
        {"1.4.1, 7 SUPERSEDED, 8 ROLLED_BACK": on_trial},
    ),
    Story(
        "signer's key is revoked in the middle of a download",
        (becomes("serving", False), roll_out(size=LARGE), MINUTE, rotate(revoked="release"),
         becomes("serving", True), wait(600)),
        "1.4.1, 7 REJECTED",
    ),
    Story(
        "newer root in the middle of a download",
        (becomes("serving", False), roll_out(size=LARGE), MINUTE, rotate(), becomes("serving", True), wait(600)),
        DONE,
        BACK,
    ),
    Story(
        "metadata is over when the owner agrees",
        (roll_out(), wait(7 * HOUR), becomes("owner", lambda w, ask: "yes"), pull_the_plug, MINUTE, fresh, MINUTE),
        DONE,
        BACK,
        ASKED,
        silent,
    ),
    Story(
        "clock is set back",
        (roll_out(deadline=30 * DAY), wait(HOUR), becomes("skew", -DAY), wait(DAY), fresh, wait(DAY), fresh, wait(HOUR)),
        DONE,
        BACK,
        {**ASKED, "defer_max": 1},
        later,
    ),
]  # fmt: skip

TELLING = [
    Story("notice is shown", (warn(), MINUTE), "1.4.1, SHOWN"),
    Story("notice is acknowledged", (warn(), MINUTE, acknowledge, MINUTE, acknowledge, MINUTE), "1.4.1, ACKNOWLEDGED"),
    Story("owner is reminded", (warn(reminder=(HOUR, 2)), wait(3 * HOUR)), "1.4.1, SHOWN"),
    Story("notice is over", (warn(expires_in=HOUR), wait(2 * HOUR)), "1.4.1, EXPIRED"),
    Story(
        "notice is withdrawn",
        (warn(), MINUTE, warn(2, phase=Phase.WITHDRAWN), MINUTE),
        "1.4.1, WITHDRAWN",
    ),
    Story("notice has a new revision", (warn(), MINUTE, warn(2), MINUTE), "1.4.1, SHOWN"),
    Story(
        "no receipt for hours",
        (becomes("receipting", False), warn(), roll_out(), wait(HOUR), becomes("receipting", True), wait(HOUR)),
        f"{DONE}, NOT_APPLICABLE",
        {"1.4.1, 7 ROLLED_BACK, SHOWN": on_trial},
    ),
    Story(
        "journal is full",
        (becomes("receipting", False), fill_the_journal(509), roll_out(), MINUTE,
         becomes("receipting", True), wait(2 * HOUR), pull_the_plug, wait(HOUR)),
        DONE,
        BACK,
        anomalies=("journal_gap",),
        since=2,
    ),
]  # fmt: skip

WISHING = [
    Story(
        "owner's window opens at night",
        (roll_out(), wait(13 * HOUR), fresh, MINUTE),
        DONE,
        BACK,
        {"windows": (Window(20 * 60, 22 * 60),)},
    ),
    Story(
        "owner's windows never come in time",
        (roll_out(deadline=DAY), wait(2 * DAY)),
        "1.4.1, 7 TIMED_OUT",
        {},
        {"windows": (Window(120, 300, frozenset({next_weekday(4)})),)},
    ),
    Story(
        "battery is low",
        (feels(battery=10), roll_out(), MINUTE, feels(battery=80), wait(HOUR)),
        DONE,
        BACK,
    ),
    Story("device is busy", (feels(busy=True), roll_out(), MINUTE, feels(busy=False), wait(HOUR)), DONE, BACK),
    Story(
        "urgent patch is announced and installed",
        (roll_out(warn={}), MINUTE),
        f"{DONE}, NOT_APPLICABLE",
        {"1.4.1, 7 ROLLED_BACK, SHOWN": on_trial},
        {"auto_consent": AutoConsent.URGENT},
        silent,
        pairs=3,
    ),
    Story(
        "patch that is not urgent is asked for",
        (roll_out(warn={"severity": Severity.LOW}), MINUTE),
        f"{DONE}, NOT_APPLICABLE",
        {"1.4.1, 7 ROLLED_BACK, SHOWN": on_trial},
        {"auto_consent": AutoConsent.URGENT},
    ),
    Story(
        "factory reset before the owner answers",
        (warn(), roll_out(), MINUTE, reset, MINUTE, reset, MINUTE, becomes("owner", yes), pull_the_plug, MINUTE),
        f"{DONE}, NOT_APPLICABLE",
        {"1.4.1, 7 ROLLED_BACK, SHOWN": on_trial},
        ASKED,
        silent,
    ),
    Story(
        "factory reset after the owner agreed",
        (
            becomes("serving", False), warn(), roll_out(size=LARGE), MINUTE, becomes("owner", silent), reset, MINUTE, reset, MINUTE,
            becomes("serving", True), wait(HOUR),
        ),
        "1.4.1, 7 WAITING_FOR_CONFIRMATION, SHOWN",
        {},
        ASKED,
        yes,
    ),
    Story(
        "factory reset during the trial",
        (becomes("hangs", True), warn(), roll_out(), MINUTE, reset, MINUTE, reset, MINUTE, the_test_ends, MINUTE),
        f"{DONE}, NOT_APPLICABLE",
        {"1.4.1, 7 ROLLED_BACK, SHOWN": on_trial},
    ),
    Story(
        "factory reset afterwards",
        (warn(), roll_out(counter=5), MINUTE, reset, MINUTE, reset, MINUTE, roll_out(8, V3, counter=4), MINUTE),
        "1.4.2, 7 SUCCEEDED, 8 REJECTED, NOT_APPLICABLE",
        {"1.5.0, 7 ROLLED_BACK, 8 SUCCEEDED, NOT_APPLICABLE": on_trial},
    ),
    Story(
        "somebody else installs",
        (warn(), roll_out(), MINUTE, by_cable(0, NEW_IMAGE, V2), MINUTE),
        "1.4.2, 7 ALREADY_INSTALLED, NOT_APPLICABLE",
        {},
        {"platform": Platform.NONE},
    ),
    Story(
        "display fails for a while",
        (becomes("surface", Reason.DISPLAY_FAILED), warn(), wait(HOUR), becomes("surface", Reason.OK), wait(HOUR)),
        "1.4.1, SHOWN",
    ),
]  # fmt: skip

STORIES = [*INSTALLING, *ASKING, *WISHING, *TELLING, *PAYLOADS]
