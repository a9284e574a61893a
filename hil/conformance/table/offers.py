"""Offers: only of the current catalogue, in time, in their order, with at least the owner's consent."""

from __future__ import annotations

from typing import Any, Final

from advisories import suit
from advisories.states import PatchState
from hil.conformance import patches
from hil.conformance.fleet import DAY, HOUR, MINUTE, NOW, entry, root_keys
from hil.conformance.patches import SEQUENCE, patch_digest
from hil.conformance.rows import Row, Scene, Step
from hil.conformance.steps import Carrier, Clock, Patch, Press, Restart, Send, Shows, State
from hil.conformance.table.common import (
    CATALOGUE,
    OFFER,
    OFFERED,
    TIMESTAMP,
    TO,
    catalogue_of,
    genuine,
    root_signed,
    signed,
)
from hil.conformance.table.suits import approved, digest_of, plan
from keys.reasons import Reason

R, P = Reason, PatchState
LISTED: Final = "what the operator did not list"


def story(what: str, *steps: Step, threat: str = "", **more: Any) -> Row:
    """Return a row of several steps."""
    return Row(name=f"offer: {what}", steps=steps, threat=threat, **more)


def offer(verdict: Reason = R.OK, **changes: Any) -> Send:
    """Return an offer of the usual patch with other terms."""

    def body(scene: Scene) -> Any:
        return scene.fleet.offer(**{"digest": patch_digest(scene), **changes})

    return Send(TO["offer"], signed(body), verdict)


def newer(verdict: Reason = R.OK, **changes: Any) -> Send:
    """Return a newer offer of the usual patch."""
    return offer(verdict, **{"version": NOW + 1, "issued": NOW, **changes})


ENVELOPE: Final = Send(TO["patch"], genuine("patch"))
ASKED: Final = (CATALOGUE, TIMESTAMP, OFFER, ENVELOPE)
"""The owner is asked."""
WAITS: Final = Patch(P.WAITING_FOR_CONFIRMATION, R.OK)
NEXT: Final = plan(
    suit.Payload((patches.file(patches.image((1, 4, 3, 0))),), version=(1, 4, 3, 0)), sequence=SEQUENCE + 1
)


def cancelled(**changes: Any) -> Send:
    """Return a newer offer that takes the patch back."""
    return newer(R.CANCELED, cancel=True, **changes)


def without(scene: Scene) -> Any:
    """Return a newer catalogue that names no patch."""
    return scene.fleet.catalogue(version=NOW + 1, issued=NOW + 1)


WITHDRAWN: Final = (
    Send(TO["catalogue"], signed(without)),
    Send(
        TO["timestamp"],
        signed(lambda s: s.fleet.timestamp(without(s), version=NOW + 1, issued=NOW + 1)),
        R.NOT_IN_CATALOGUE,
    ),
)


def both(scene: Scene) -> Any:
    """Return a newer catalogue that names the usual patch and another one."""
    named = ((SEQUENCE, patch_digest(scene)), (SEQUENCE + 1, digest_of(NEXT)(scene)))
    return scene.fleet.catalogue(scene.fleet.notice(), patches=named, version=NOW + 1)


OVERTAKEN: Final = (
    Send(TO["catalogue"], signed(both)),
    Send(TO["timestamp"], signed(lambda s: s.fleet.timestamp(both(s), version=NOW + 1))),
    Send(
        TO["offer"],
        signed(lambda s: s.fleet.offer(digest=digest_of(NEXT)(s), sequence=SEQUENCE + 1, version=NOW + 1)),
        R.SUPERSEDED,
    ),
)

ROWS: Final[tuple[Row, ...]] = (
    story("of a patch of the current catalogue", CATALOGUE, TIMESTAMP, OFFER, Patch(P.OFFERED, R.OK)),
    story(
        "of a patch that the catalogue does not name",
        Send(TO["catalogue"], genuine("catalogue")),
        Send(TO["timestamp"], genuine("timestamp")),
        offer(R.NOT_IN_CATALOGUE),
        Patch(P.REJECTED, R.NOT_IN_CATALOGUE),
        threat=LISTED,
    ),
    story(
        "of the named number with another digest",
        CATALOGUE,
        TIMESTAMP,
        offer(R.NOT_IN_CATALOGUE, digest=bytes(32)),
        Patch(P.REJECTED, R.NOT_IN_CATALOGUE, lambda _: bytes(32)),
        threat=LISTED,
    ),
    story(
        "of the named digest with another number",
        CATALOGUE,
        TIMESTAMP,
        offer(R.NOT_IN_CATALOGUE, sequence=SEQUENCE + 1),
        Patch(P.REJECTED, R.NOT_IN_CATALOGUE),
        threat=LISTED,
    ),
    story("before its catalogue", OFFER, Patch(None), CATALOGUE, Patch(None), TIMESTAMP, Patch(P.OFFERED)),
    story("before its catalogue, over a reset", OFFER, Restart(), CATALOGUE, TIMESTAMP, Patch(P.OFFERED)),
    story(
        "of a catalogue that is newer than the one here",
        CATALOGUE,
        TIMESTAMP,
        offer(catalogue_version=NOW + 5),
        Patch(None),
        threat="mix and match",
    ),
    story("while nothing says that the catalogue is current", CATALOGUE, OFFER, Patch(None), threat="freeze"),
    story(
        "while the timestamp is over",
        CATALOGUE,
        TIMESTAMP,
        Clock(7 * HOUR),
        offer(),
        Patch(None),
        threat="freeze",
    ),
    story(
        "its deadline has passed",
        CATALOGUE,
        TIMESTAMP,
        offer(R.DEADLINE_PASSED, deadline=NOW),
        Patch(P.TIMED_OUT, R.DEADLINE_PASSED),
    ),
    story(
        "its deadline passes while the owner thinks",
        CATALOGUE,
        TIMESTAMP,
        offer(deadline=NOW + HOUR),
        ENVELOPE,
        WAITS,
        Clock(HOUR),
        Patch(P.TIMED_OUT, R.DEADLINE_PASSED),
    ),
    story(
        "a second before its deadline",
        CATALOGUE,
        TIMESTAMP,
        offer(deadline=NOW + HOUR),
        ENVELOPE,
        Clock(HOUR - 30),
        WAITS,
    ),
    story(
        "taken back before the owner is asked",
        CATALOGUE,
        TIMESTAMP,
        OFFER,
        cancelled(),
        Patch(P.CANCELED, R.CANCELED),
    ),
    story(
        "taken back while the owner thinks",
        *ASKED,
        cancelled(),
        Patch(P.CANCELED, R.CANCELED),
        Press("yes", refused=True),
    ),
    story("taken back, and offered anew", *ASKED, cancelled(), newer(version=NOW + 2), Patch(P.OFFERED)),
    story(
        "of an older version than the one that took it back",
        *ASKED,
        cancelled(version=NOW + 9),
        Send(
            TO["offer"], signed(lambda s: s.fleet.offer(digest=patch_digest(s), version=NOW + 8)), R.REPLAYED
        ),
        Patch(P.CANCELED),
        threat="replay",
    ),
    story(
        "the catalogue names it no longer",
        *ASKED,
        *WITHDRAWN,
        Patch(P.REJECTED, R.NOT_IN_CATALOGUE),
        threat=LISTED,
    ),
    story(
        "of another patch takes its place",
        *ASKED,
        *OVERTAKEN,
        Patch(P.SUPERSEDED, R.SUPERSEDED),
        Patch(P.OFFERED, None, digest_of(NEXT)),
    ),
    story(
        "those who signed its patch were revoked",
        *ASKED,
        Send(
            TO["root"],
            root_signed(
                lambda s: s.fleet.next_root(keys=(*root_keys(("guard",)), entry("guard-2", "security")))
            ),
            R.THRESHOLD_NOT_MET,
        ),
        Patch(P.REJECTED, R.THRESHOLD_NOT_MET),
        threat="key compromise",
    ),
    story(
        "to another device",
        Send(TO["offer"], signed(lambda s: s.fleet.offer(subject=("another",))), R.WRONG_SUBJECT),
        on=OFFERED,
        keeps=True,
        threat="wrong type, product, device or fleet",
    ),
    # What the owner says.
    story("the owner is asked", *ASKED, WAITS, Shows(None, asks="1.4.2")),
    story("the owner is asked again after a reset", *ASKED, Restart(), WAITS),
    story("the owner says no", *ASKED, Press("no"), Patch(P.DECLINED, R.DECLINED)),
    story("the owner says later", *ASKED, Press("later"), Patch(P.DEFERRED), Press("yes", refused=True)),
    story(
        "a day after later the owner is asked again",
        CATALOGUE,
        Send(TO["timestamp"], signed(lambda s: s.fleet.timestamp(catalogue_of(s), expires=NOW + 3 * DAY))),
        offer(),
        ENVELOPE,
        Press("later"),
        Clock(DAY + 2 * MINUTE),
        WAITS,
    ),
    story("the owner says yes", Carrier(up=True), *ASKED, Press("yes"), Patch(P.DOWNLOADING)),
    story(
        "nobody is asked",
        Press("yes", refused=True),
        Press("no", refused=True),
        Press("later", refused=True),
        keeps=True,
    ),
    story(
        "its window has not begun",
        CATALOGUE,
        TIMESTAMP,
        offer(window=(NOW + HOUR, NOW + 2 * HOUR)),
        ENVELOPE,
        Press("yes"),
        Patch(P.WAITING_FOR_WINDOW),
        Clock(HOUR - 30),
        Patch(P.WAITING_FOR_WINDOW),
        Clock(HOUR + 1),
        Patch(P.DOWNLOADING),
    ),
    story(
        "its window is over",
        CATALOGUE,
        TIMESTAMP,
        offer(R.DEADLINE_PASSED, window=(NOW - HOUR, NOW)),
        Patch(P.TIMED_OUT, R.DEADLINE_PASSED),
    ),
    story(
        "an envelope that nobody waits for",
        Send(TO["patch"], approved(NEXT)),
        Patch(None, None, digest_of(NEXT)),
        State({"floors.patch": 0}),
    ),
)
