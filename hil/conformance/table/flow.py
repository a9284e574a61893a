"""Whole flows: a notice to its signed report, a patch to its confirmed boot, and how broken ones end."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from advisories import suit
from advisories.report import Report, Track
from advisories.states import NoticeState, PatchState
from hil.conformance import patches
from hil.conformance.bench import Bench
from hil.conformance.fleet import FIXED, MINUTE, NOW
from hil.conformance.patches import SEQUENCE
from hil.conformance.rows import Row, Scene, Step
from hil.conformance.serving import Answered, Reported, Serve, blocks, by_digest
from hil.conformance.steps import Carrier, Check, Clock, Notice, Patch, Press, Restart, Send, Shows, State
from hil.conformance.table import notices
from hil.conformance.table.common import CATALOGUE, ID, OFFER, TIMESTAMP, TO, genuine, signed
from hil.conformance.table.suits import Envelope, approved, digest_of, offers, plan
from keys.reasons import Reason

R, N, P = Reason, NoticeState, PatchState
UP: Final = Carrier(up=True)
IMAGE: Final = patches.image()


def story(what: str, *steps: Step, threat: str = "", **more: Any) -> Row:
    """Return a row of a whole flow."""
    return Row(name=f"flow: {what}", steps=steps, threat=threat, **more)


def noticed(state: NoticeState, reason: Reason | None = None) -> Reported:
    """Return a step: the report tells how far the notice has come."""

    def says(report: Report, _scene: Scene) -> bool:
        return any(s.id == ID and s.state is state and reason in {None, s.reason} for s in report.notices)

    return Reported(f"{ID} is {state.name}", says)


def patched(state: PatchState, which: Any = patches.patch_digest) -> Reported:
    """Return a step: the report tells how far the patch has come."""

    def says(report: Report, scene: Scene) -> bool:
        return any(s.digest == which(scene) and s.state is state for s in report.patches)

    return Reported(f"the patch is {state.name}", says)


def path(name: str, *states: NoticeState) -> Reported:
    """Return a step: the journal has these transitions of the notice, in this order."""

    def says(report: Report, scene: Scene) -> bool:
        del report
        found = [N(e.new) for e in scene.memory["journal"] if e.track is Track.NOTICE and e.name == name]
        return found == list(states)

    return Reported(f"the journal has {' -> '.join(s.name for s in states)}", says)


RUNS: Final = Reported("the fixed version runs", lambda report, _: report.installed == FIXED)
SERVED: Final = Serve(by_digest(IMAGE), (P.SUCCEEDED,))
ENVELOPE: Final = Send(TO["patch"], genuine("patch"))
ASKED: Final = (UP, CATALOGUE, TIMESTAMP, OFFER, ENVELOPE)
DONE: Final = State({"installed": "1.4.2", "floors.counter": 1, "floors.patch": SEQUENCE})


def again(what: str, envelope: Envelope, sequence: int, verdict: Reason) -> Row:
    """Return a row: after a patch was installed, another one is offered."""
    send = Send(f"patch/{{product}}/{sequence}", approved(envelope), verdict)
    steps = (
        *offers(envelope, sequence, later=5),
        send,
        Patch(P.REJECTED, verdict, digest_of(envelope)),
    )
    return story(what, *ASKED, Press("yes"), SERVED, *steps, threat="rollback")


def image_plan(version: tuple[int, int, int, int], sequence: int, **image: Any) -> Envelope:
    """Return a patch of another image."""
    made = patches.image(version, **image)
    return plan(suit.Payload((patches.file(made),), version=version), sequence=sequence)


WRONG: Final = patches.image((1, 4, 9, 0), fill="wrong")
NO_IMAGE: Final = hashlib.shake_256(b"no image").digest(1_500)


def bad(what: str, payload: bytes, brought: bytes, ends: tuple[PatchState, Reason], threat: str) -> Row:
    """Return a row: what comes is not what was promised."""
    envelope = plan(suit.Payload((patches.file(payload),), version=FIXED))
    which = digest_of(envelope)
    serve = Serve(
        lambda _: {hashlib.sha256(payload).digest(): brought}, (ends[0],), which=which, ends=ends[1]
    )
    return story(
        what,
        UP,
        *offers(envelope),
        Send(TO["patch"], approved(envelope)),
        Press("yes"),
        serve,
        Patch(*ends, which),
        State({"installed": "1.4.1"}),
        threat=threat,
    )


def _stray(bench: Bench, scene: Scene) -> None:
    """Bring the first block of another payload, and the first of this one twice."""
    first = [next(iter(blocks(one, 0))) for one in (NO_IMAGE, IMAGE, IMAGE)]
    for data in first:
        bench.send(scene.topic("device/{device}/block"), data)


ROWS: Final[tuple[Row, ...]] = (
    story(
        "a notice is shown, acknowledged and reported",
        UP,
        *notices.SHOWN,
        Send(TO["catalogue"], signed(lambda s: s.fleet.catalogue(notices.told(s)))),
        Send(TO["timestamp"], signed(lambda s: s.fleet.timestamp(s.fleet.catalogue(notices.told(s))))),
        Shows(ID, "Update your device", confirmed=True),
        noticed(N.SHOWN, R.OK),
        Press("acknowledge"),
        noticed(N.ACKNOWLEDGED),
        path(ID, N.DELIVERED, N.VERIFIED, N.SHOWN, N.ACKNOWLEDGED),
    ),
    story(
        "a refused notice is reported",
        UP,
        Send(TO["notice"], genuine("notice", fleet=bytes(32)), R.WRONG_FLEET),
        path(ID, N.REJECTED),
        threat="forgery",
    ),
    story(
        "a notice that does not concern the owner is reported",
        UP,
        Send(TO["notice"], notices.of_range()),
        noticed(N.NOT_APPLICABLE, R.NOT_AFFECTED),
    ),
    story(
        "what a reset did not tell is told after it",
        *notices.SHOWN,
        Press("acknowledge"),
        Restart(),
        UP,
        noticed(N.ACKNOWLEDGED),
    ),
    story(
        "a patch is brought in blocks, booted, confirmed and reported",
        *ASKED,
        Shows(None, asks="1.4.2"),
        Press("yes"),
        SERVED,
        DONE,
        UP,
        patched(P.SUCCEEDED),
        RUNS,
    ),
    story(
        "the envelope is fetched",
        UP,
        CATALOGUE,
        TIMESTAMP,
        OFFER,
        Serve(by_digest(IMAGE), (P.WAITING_FOR_CONFIRMATION,), {TO["patch"]: genuine("patch")}),
    ),
    story(
        "a download goes on after a reset",
        *ASKED,
        Press("yes"),
        Serve(by_digest(IMAGE), (), blocks_max=1),
        Restart(),
        UP,
        SERVED,
        DONE,
    ),
    story(
        "a block twice, and one of another payload, change nothing",
        *ASKED,
        Press("yes"),
        Check("blocks that nobody asked for", _stray),
        SERVED,
        DONE,
        threat="endless, slow or altered transfers",
    ),
    story(
        "a fixed device is no longer concerned",
        UP,
        *notices.SHOWN,
        *ASKED[1:],
        Press("yes"),
        SERVED,
        Notice(ID, N.NOT_APPLICABLE, R.NOT_AFFECTED),
    ),
    story("it survives a reset for good", *ASKED, Press("yes"), SERVED, Restart(), DONE),
    bad(
        "the image is of another version than promised",
        WRONG,
        WRONG,
        (P.REJECTED, R.WRONG_VERSION),
        "an image swapped after it was verified",
    ),
    bad("the payload is no image", NO_IMAGE, NO_IMAGE, (P.REJECTED, R.MALFORMED), "forgery"),
    bad(
        "what comes is not what was signed for",
        IMAGE,
        bytes(len(IMAGE)),
        (P.FAILED, R.DIGEST_MISMATCH),
        "endless, slow or altered transfers",
    ),
    again(
        "an older patch after a newer one",
        image_plan((1, 4, 3, 0), SEQUENCE - 1),
        SEQUENCE - 1,
        R.DOWNGRADE_REFUSED,
    ),
    again(
        "another patch of the same number",
        image_plan((1, 4, 3, 0), SEQUENCE, fill="other"),
        SEQUENCE,
        R.EQUIVOCATION,
    ),
    story(
        "a newer patch of older code whose counter is below the floor",
        *ASKED,
        Press("yes"),
        SERVED,
        UP,
        *offers(image_plan((1, 3, 0, 0), SEQUENCE + 1, counter=0), SEQUENCE + 1, later=5),
        Send(
            f"patch/{{product}}/{SEQUENCE + 1}", approved(image_plan((1, 3, 0, 0), SEQUENCE + 1, counter=0))
        ),
        Press("yes"),
        Serve(
            by_digest(patches.image((1, 3, 0, 0), counter=0)),
            (P.REJECTED,),
            which=digest_of(image_plan((1, 3, 0, 0), SEQUENCE + 1, counter=0)),
            ends=R.DOWNGRADE_REFUSED,
        ),
        Patch(P.REJECTED, R.DOWNGRADE_REFUSED, digest_of(image_plan((1, 3, 0, 0), SEQUENCE + 1, counter=0))),
        State({"installed": "1.4.2"}),
        threat="rollback",
    ),
    story(
        "a newer patch of older code brings the fleet back",
        *ASKED,
        Press("yes"),
        SERVED,
        UP,
        *offers(image_plan((1, 3, 0, 0), SEQUENCE + 1), SEQUENCE + 1, later=5),
        Send(f"patch/{{product}}/{SEQUENCE + 1}", approved(image_plan((1, 3, 0, 0), SEQUENCE + 1))),
        Press("yes"),
        Serve(
            by_digest(patches.image((1, 3, 0, 0))),
            (P.SUCCEEDED,),
            which=digest_of(image_plan((1, 3, 0, 0), SEQUENCE + 1)),
        ),
        State({"installed": "1.3.0", "floors.patch": SEQUENCE + 1}),
    ),
    # Reports and answers.
    story(
        "an answer with a receipt",
        UP,
        Reported("it is there", lambda *_: True),
        Answered(),
        State({"floors.root": 1}),
    ),
    story(
        "an answer to a nonce that was never asked with",
        UP,
        Reported("it is there", lambda *_: True),
        Answered(R.WRONG_NONCE, {"nonce": bytes(16)}),
        threat="replay",
    ),
    story(
        "an answer from before a reset",
        UP,
        Reported("it is there", lambda *_: True),
        Restart(),
        Answered(R.WRONG_NONCE),
        threat="replay",
    ),
    story(
        "an older answer with the right nonce: a restored gateway",
        UP,
        Reported("it is there", lambda *_: True),
        Answered(fields={"version": NOW + 50}),
        Answered(fields={"version": NOW + 9}),
        threat="a gateway restored from an older copy",
    ),
    story(
        "an answer to another device",
        UP,
        Reported("it is there", lambda *_: True),
        Answered(R.WRONG_SUBJECT, {"subject": ("another",)}),
        threat="wrong type, product, device or fleet",
    ),
    story(
        "the next report carries the nonce of the answer",
        UP,
        Reported("it is there", lambda *_: True),
        Answered(),
        *notices.SHOWN,
        Reported("the gateway asked", lambda report, _: report.asked == bytes(range(16))),
    ),
    story(
        "what a receipt covers is not reported again",
        UP,
        *notices.SHOWN,
        noticed(N.SHOWN),
        Answered(),
        Press("acknowledge"),
        Reported(
            "only what is new", lambda report, _: [N(e.new) for e in report.journal] == [N.ACKNOWLEDGED]
        ),
    ),
    story(
        "a report is repeated until it is receipted",
        UP,
        Reported("it is there", lambda *_: True),
        Clock(10 * MINUTE),
        Reported("it came twice", lambda report, _: report.version >= 1),
    ),
)
