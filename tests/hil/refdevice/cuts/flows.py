"""The flows in which the power goes."""

from __future__ import annotations

import hashlib
from typing import Any

from advisories import suit
from advisories.states import NoticeState, PatchState
from hil.conformance import patches
from hil.conformance.fleet import FIXED, NOW
from hil.conformance.patches import SELF_TEST_FAILS
from hil.conformance.rows import Scene, Step
from hil.conformance.serving import Serve, by_digest
from hil.conformance.steps import Notice, Patch, Send, Shows, State
from hil.conformance.table import notices
from hil.conformance.table.common import (
    CATALOGUE,
    ID,
    OFFER,
    PAGES_TO,
    TEXT_TO,
    TIMESTAMP,
    TO,
    catalogue_of,
    genuine,
    signed,
)
from hil.conformance.table.flow import patched
from hil.conformance.table.pages import DRAWN, PAGES
from hil.conformance.table.roots import TAKEN
from hil.conformance.table.suits import approved, digest_of, offers, plan
from keys.reasons import Reason

from .steps import ACKNOWLEDGE, COLD, ERASED, PROVISIONED, SETTLED, UP, Bring, Does, presses, refused
from .walk import CutBench, Flow

N, P, R = NoticeState, PatchState, Reason

FAILS = patches.image(fill="fails", marks=SELF_TEST_FAILS)
FAILING = plan(suit.Payload((patches.file(FAILS),), version=FIXED))
LONG_IMAGE = patches.image(fill="long", size=6_000)
LONG = plan(suit.Payload((patches.file(LONG_IMAGE),), version=FIXED))
TINY_IMAGE = patches.image(fill="tiny", size=300)
TINY = plan(suit.Payload((patches.file(TINY_IMAGE),), version=FIXED))
TINY_ENVELOPE = Send(TO["patch"], approved(TINY))
TINY_YES = presses("yes", P.DOWNLOADING, digest_of(TINY))
ENVELOPE = Send(TO["patch"], genuine("patch"))
FORGED = bytes(32)
SECOND = (
    Send(TO["notice"], notices.header(revision=2, version=NOW + 1)),
    Send(TEXT_TO, notices.words),
)


CARRIED = State({"floors.catalogue": NOW, "floors.timestamp": NOW, "floors.offer": NOW, "root": 2})
"""Floors that rest on keys which root 2 has, too."""


def after_root(scene: Scene) -> Any:
    """A timestamp that says that root 2 is the newest."""
    fields = {"root_version": 2, "version": NOW + 5, "issued": NOW + 5}
    return scene.fleet.timestamp(catalogue_of(scene), **fields)


def returned(version: int) -> Step:
    """The same patch, offered again."""
    fields = {"version": NOW + version, "issued": NOW + version}
    return Send(TO["offer"], signed(lambda s: s.fleet.offer(digest=patches.patch_digest(s), **fields)))


IMAGE = patches.image()
SHOWN = Shows(ID, "Update your device", confirmed=True)
YES = presses("yes", P.DOWNLOADING, patches.patch_digest)
OFFERED = (UP, CATALOGUE, TIMESTAMP, OFFER, ENVELOPE)
UPDATE = (*OFFERED, YES, Bring(IMAGE))

BLOCKS_IMAGE = patches.image(fill="blocks", size=5_000)
BLOCKS = plan(suit.Payload((patches.file(BLOCKS_IMAGE),), version=FIXED))


def _altered(bench: CutBench, scene: Scene) -> None:
    """Bring other bytes, until the patch has failed; nothing of them may ever run."""
    if bench.patch(scene, digest_of(TINY)(scene)) != (P.FAILED, R.DIGEST_MISMATCH):
        bench.carrier()
        other = {hashlib.sha256(TINY_IMAGE).digest(): bytes(len(TINY_IMAGE))}
        Serve(lambda _: other, (P.FAILED,), which=digest_of(TINY), ends=R.DIGEST_MISMATCH).do(bench, scene)


PREPARED = Flow(
    "prepared",
    (
        UP,
        *offers(BLOCKS),
        Send(TO["patch"], approved(BLOCKS)),
        presses("yes", P.DOWNLOADING, digest_of(BLOCKS)),
    ),
)
"""What comes before the download in which QEMU is killed."""
DOWNLOAD = Flow(
    "download in QEMU",
    (
        Bring(BLOCKS_IMAGE, P.SUCCEEDED, digest_of(BLOCKS), Send(TO["patch"], approved(BLOCKS))),
        State({"installed": "1.4.2"}),
        SETTLED,
    ),
    {"1.4.2": BLOCKS_IMAGE},
)

FLOWS: tuple[Flow, ...] = (
    Flow("provision", (PROVISIONED,), situation=None),
    Flow(
        "notice",
        (UP, CATALOGUE, TIMESTAMP, *notices.SHOWN, COLD, SHOWN, ACKNOWLEDGE, SETTLED),
    ),
    Flow(
        "pages",
        (*DRAWN, Send(PAGES_TO, lambda _: b"".join(PAGES)), Notice(ID, N.SHOWN), ACKNOWLEDGE),
    ),
    Flow(
        "new revision",
        (UP, *notices.SHOWN, ACKNOWLEDGE, *SECOND, Notice(ID, N.SHOWN, revision=2), ACKNOWLEDGE, SETTLED),
    ),
    Flow(
        "root 2",
        (
            CATALOGUE,
            TIMESTAMP,
            OFFER,
            TAKEN,
            CARRIED,
            Send(TO["timestamp"], signed(after_root)),
            *notices.SHOWN,
            UP,
            SETTLED,
        ),
    ),
    Flow(
        "refusals",
        (
            refused(TO["notice"], genuine("notice", fleet=FORGED), R.WRONG_FLEET),
            refused(TO["notice"], signed(notices.told, "engineer", "lawyer"), R.THRESHOLD_NOT_MET),
            refused(TO["root"], genuine("root", fleet=FORGED), R.WRONG_FLEET),
            CATALOGUE,
            TIMESTAMP,
            refused(TO["catalogue"], genuine("catalogue", version=NOW - 1, issued=NOW - 1), R.REPLAYED),
            refused(TO["timestamp"], genuine("timestamp", version=NOW - 1, issued=NOW - 1), R.REPLAYED),
            refused(TO["offer"], genuine("offer", fleet=FORGED), R.WRONG_FLEET),
            *SECOND,
            refused(TO["notice"], notices.header(), R.REPLAYED),
            Notice(ID, N.SHOWN, revision=2),
            UP,
            SETTLED,
        ),
    ),
    Flow(
        "refused patches",
        (
            UP,
            *offers(TINY),
            refused(TO["patch"], approved(TINY, "releaser"), R.THRESHOLD_NOT_MET),
            Patch(P.OFFERED, which=digest_of(TINY)),
            TINY_ENVELOPE,
            TINY_YES,
            Does("other bytes are brought than were signed for", _altered),
            Patch(P.FAILED, R.DIGEST_MISMATCH, digest_of(TINY)),
            patched(P.FAILED, digest_of(TINY)),
            State({"installed": "1.4.1"}),
            *offers(TINY, later=10),
            TINY_ENVELOPE,
            TINY_YES,
            Bring(TINY_IMAGE, P.SUCCEEDED, digest_of(TINY), TINY_ENVELOPE),
            SETTLED,
        ),
        {"1.4.2": TINY_IMAGE},
    ),
    Flow("update", (*UPDATE, State({"installed": "1.4.2"}), SETTLED), {"1.4.2": IMAGE}),
    Flow(
        "download goes on",
        (
            UP,
            *offers(LONG),
            Send(TO["patch"], approved(LONG)),
            presses("yes", P.DOWNLOADING, digest_of(LONG)),
            Serve(by_digest(LONG_IMAGE), (), which=digest_of(LONG), blocks_max=4),
            COLD,
            Bring(LONG_IMAGE, P.SUCCEEDED, digest_of(LONG), Send(TO["patch"], approved(LONG))),
            SETTLED,
        ),
        {"1.4.2": LONG_IMAGE},
    ),
    Flow(
        "revert",
        (
            UP,
            *offers(FAILING),
            Send(TO["patch"], approved(FAILING)),
            presses("yes", P.DOWNLOADING, digest_of(FAILING)),
            Bring(FAILS, P.ROLLED_BACK, digest_of(FAILING)),
            State({"installed": "1.4.1"}),
            SETTLED,
        ),
        {"1.4.2": FAILS},
    ),
    Flow(
        "returned patch",
        (
            *OFFERED,
            presses("no", P.DECLINED, patches.patch_digest),
            returned(10),
            ENVELOPE,
            YES,
            Bring(IMAGE),
            SETTLED,
        ),
        {"1.4.2": IMAGE},
    ),
    Flow(
        "erase",
        (
            CATALOGUE,
            TIMESTAMP,
            *notices.SHOWN,
            ERASED,
            *notices.SHOWN,
            UP,
            SETTLED,
        ),
    ),
)
