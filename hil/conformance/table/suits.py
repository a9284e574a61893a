"""Patches: the SUIT manifest, each thing that it is refused for, and what goes beyond the smallest subset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import cbor2

from advisories import suit
from advisories.states import PatchState
from hil.conformance import patches
from hil.conformance.drafts import Draft, patch_draft, put, render
from hil.conformance.fleet import FIXED, HOUR, NOW, VERSION
from hil.conformance.patches import INSTALL, SEQUENCE, craft, identity
from hil.conformance.rows import Facts, Make, Row, Scene, Step
from hil.conformance.steps import Patch, Send
from hil.conformance.table.common import OFFERED, TO, altered, refusal, signed
from keys.cbor import encode
from keys.reasons import Reason

R, P = Reason, PatchState
PLACE, FORGERY = "wrong type, product, device or fleet", "forgery"
Envelope = Callable[[Facts], bytes]
"""Makes an unsigned envelope."""


def plan(*payloads: suit.Payload, **changes: Any) -> Envelope:
    """Return a maker of an envelope that our own tools make."""
    return lambda facts: patches.plan(facts, *payloads, **changes)


def crafted(make: Callable[[Facts], dict[int, Any]]) -> Envelope:
    """Return a maker of an envelope around any manifest."""

    def envelope(facts: Facts) -> bytes:
        manifest = encode(make(facts))
        stated = encode([-16, hashlib.sha256(encode(manifest)).digest()])
        return encode(cbor2.CBORTag(107, {2: encode([stated]), 3: manifest}))

    return envelope


def digest_of(envelope: Envelope) -> Callable[[Scene], bytes]:
    """Return a maker of a patch's digest."""
    return lambda scene: patches.digest(envelope(scene.facts))


def approved(envelope: Envelope, *names: str) -> Make:
    """Return a maker of the envelope, signed by release and security unless told otherwise."""
    return lambda scene: render(patch_draft(scene.fleet, envelope(scene.facts), *names))


def offers(envelope: Envelope, sequence: int = SEQUENCE, later: int = 0, **changes: Any) -> tuple[Step, ...]:
    """Return the steps that offer a patch: a catalogue that names it, a timestamp, an offer."""
    digest, at = digest_of(envelope), NOW + later

    def catalogue(scene: Scene) -> Any:
        return scene.fleet.catalogue(patches=((sequence, digest(scene)),), version=at, issued=at)

    def offer(scene: Scene) -> Any:
        fields = {
            "digest": digest(scene),
            "sequence": sequence,
            "catalogue_version": at,
            "version": at,
            "issued": at,
        }
        return scene.fleet.offer(**{**fields, **changes})

    stamp = signed(lambda scene: scene.fleet.timestamp(catalogue(scene), version=at, issued=at))
    return (
        Send(TO["catalogue"], signed(catalogue)),
        Send(TO["timestamp"], stamp),
        Send(TO["offer"], signed(offer)),
    )


def comes(
    what: str,
    envelope: Envelope,
    verdict: Reason,
    state: PatchState,
    reason: Reason | None = None,
    *,
    needs: str = "",
    threat: str = "",
    also: frozenset[Reason] = frozenset(),
    sequence: int = SEQUENCE,
) -> Row:
    """Return a row: a patch is offered, its envelope comes, and this becomes of it."""
    send = Send(f"patch/{{product}}/{sequence}", approved(envelope), verdict, asks=bool(needs), also=also)
    looks = () if also else (Patch(state, reason, digest_of(envelope)),)
    return Row(
        name=f"patch: {what}",
        steps=(*offers(envelope, sequence), send, *looks),
        needs=frozenset(needs.split()),
        threat=threat,
    )


FITS: Final = (R.OK, P.WAITING_FOR_CONFIRMATION)
"""The verdict on a patch that the device would bring, and where it then stands."""
OTHER: Final = patches.image((1, 4, 2, 0), fill="another")
CONFIG: Final = b"interval = 30\n"
IMAGE: Final = patches.image()


def other_vendor(facts: Facts) -> bytes:
    """Return a patch of another vendor's."""
    return patches.plan(facts, vendor_id=suit.identifiers("example.org", "x")[0])


def other_class(facts: Facts) -> bytes:
    """Return a patch for another class of device."""
    return patches.plan(facts, class_id=suit.identifiers(facts.vendor, "another")[1])


def for_device(name: str) -> Envelope:
    """Return a patch for one device alone."""

    def make(facts: Facts) -> bytes:
        device = suit.device_identifier(facts.identifiers[1], name or facts.device)
        return patches.plan(facts, devices=(device,))

    return make


def payload(file: suit.File, **more: Any) -> suit.Payload:
    """Return a payload of one file."""
    return suit.Payload((file,), version=FIXED, **more)


BASE: Final = patches.image(VERSION, fill="base")
DELTA: Final = suit.Delta(patches.file(b"what differs"), hashlib.sha256(BASE).digest(), len(BASE))
SIZED: Final = suit.File(hashlib.sha256(b"huge").digest(), 8_388_608, "artefact/huge")

MANIFESTS: Final[Mapping[str, tuple[Callable[[Facts], dict[int, Any]], Reason, frozenset[Reason]]]] = {
    "a dependency that would override": (
        lambda facts: craft(facts, common={1: {0: {1: [b"x"]}}}),
        R.UNSUPPORTED,
        frozenset(),
    ),
    "a second component that is not compared": (
        lambda facts: craft(
            facts, None, {20: [*INSTALL, 12, 1, 20, {21: "x"}, 21, 2]}, components=[[b"\x00"], [b"\x01"]]
        ),
        R.MALFORMED,
        frozenset({R.UNSUPPORTED}),
    ),
    "no component": (lambda facts: craft(facts, components=[]), R.MALFORMED, frozenset()),
    "no vendor checked": (
        lambda facts: craft(facts, [*identity(facts)[:2], 2, 15]),
        R.MALFORMED,
        frozenset(),
    ),
    "no class checked": (lambda facts: craft(facts, identity(facts)[:4]), R.MALFORMED, frozenset()),
    "image not compared": (
        lambda facts: craft(facts, None, {20: [20, {21: "artefact/x"}, 21, 2]}),
        R.MALFORMED,
        frozenset(),
    ),
    "nothing that is fetched": (lambda facts: craft(facts, None, {7: [3, 15]}), R.UNSUPPORTED, frozenset()),
    "an unknown command": (lambda facts: craft(facts, None, {20: [999, 0]}), R.UNSUPPORTED, frozenset()),
    "an unknown parameter": (
        lambda facts: craft(facts, None, {20: [20, {21: "artefact/x", 999: 0}, 21, 2, 3, 15]}),
        R.UNSUPPORTED,
        frozenset(),
    ),
    "an unknown member": (lambda facts: craft(facts, extra={99: 0}), R.UNSUPPORTED, frozenset({R.MALFORMED})),
    "a manifest of version 2": (lambda facts: craft(facts, extra={1: 2}), R.UNSUPPORTED, frozenset()),
    "no sequence number": (lambda facts: craft(facts, extra={2: ...}), R.MALFORMED, frozenset()),
    "a command without its argument": (
        lambda facts: craft(facts, None, {20: [*INSTALL, 21]}),
        R.MALFORMED,
        frozenset(),
    ),
    "a digest by another algorithm": (
        lambda facts: craft(
            facts,
            [
                20,
                {1: facts.identifiers[0], 2: facts.identifiers[1], 3: encode([-44, bytes(64)]), 14: 1},
                1,
                15,
                2,
                15,
            ],
        ),
        R.UNSUPPORTED,
        frozenset(),
    ),
}


def _manifest(name: str) -> Row:
    make, reason, also = MANIFESTS[name]

    def alter(made: Draft, facts: Facts) -> Draft:
        return replace(made, fields=make(facts), beside={})

    def bytes_of(scene: Scene) -> bytes:
        return render(alter(patch_draft(scene.fleet, patches.envelope(scene.facts)), scene.facts))

    return Row(
        name=f"patch: {name}",
        steps=(Send(TO["patch"], bytes_of, reason, also=also),),
        on=OFFERED,
        threat=PLACE,
        keeps=True,
    )


def swapped(made: Draft) -> Draft:
    """Another manifest under the same signatures."""
    return replace(made, shape=lambda t: cbor2.CBORTag(107, {**t.value, 3: encode(encode({1: 1}))}))


TEXT_OF_ANOTHER: Final = put(beside={23: encode({"en": {2: "Install this."}})})

ROWS: Final[tuple[Row, ...]] = (
    *(_manifest(name) for name in MANIFESTS),
    refusal("patch", "another text beside the manifest", TEXT_OF_ANOTHER, R.DIGEST_MISMATCH, FORGERY),
    refusal("patch", "another manifest under the same signatures", swapped, R.DIGEST_MISMATCH, FORGERY),
    Row(
        name="patch: a payload that nothing binds",
        steps=(
            Send(
                TO["patch"],
                altered("patch", put(beside={"#fw": b"code"})),
                R.MALFORMED,
                also=frozenset({R.UNSUPPORTED}),
            ),
        ),
        on=OFFERED,
        threat="oversized input and decoder bombs",
        keeps=True,
    ),
    Row(
        name="patch: a genuine one that was not offered",
        steps=(Send(TO["patch"], approved(plan(payload(patches.file(OTHER)))), R.DIGEST_MISMATCH),),
        on=OFFERED,
        threat="what the operator did not list",
        keeps=True,
    ),
    comes("it fits", plan(), *FITS),
    comes("signed by more than its row asks for", plan(texts={"en": "Closes it."}), *FITS),
    comes("for another vendor", other_vendor, R.WRONG_MODEL, P.NOT_APPLICABLE, R.WRONG_MODEL, threat=PLACE),
    comes(
        "for another class of device",
        other_class,
        R.WRONG_MODEL,
        P.NOT_APPLICABLE,
        R.WRONG_MODEL,
        threat=PLACE,
    ),
    comes("larger than the slot", plan(payload(SIZED)), R.NO_SPACE, P.REJECTED, R.NO_SPACE),
    comes(
        "of another sequence number than was offered",
        plan(sequence=8),
        R.MALFORMED,
        P.REJECTED,
        R.MALFORMED,
        threat="rollback",
    ),
    comes(
        "the version that runs already",
        plan(suit.Payload((patches.file(patches.image(VERSION)),), version=VERSION)),
        R.OK,
        P.ALREADY_INSTALLED,
    ),
    comes("without a version in words", plan(suit.Payload((patches.file(IMAGE),))), *FITS),
    comes(
        "from an address that this board may not reach",
        plan(payload(patches.file(IMAGE, "https://example.com/a.bin"))),
        *FITS,
        also=frozenset({R.BAD_URI, R.UNSUPPORTED_PROTOCOL}),
    ),
    # Conditions.
    comes("for this device alone", for_device(""), *FITS, needs="suit.conditions"),
    comes(
        "for another device alone",
        for_device("another"),
        R.WRONG_SUBJECT,
        P.REJECTED,
        R.WRONG_SUBJECT,
        needs="suit.conditions",
        threat=PLACE,
    ),
    comes("to be used before an hour is over", plan(use_before=NOW + HOUR), *FITS, needs="suit.conditions"),
    comes(
        "to be used before now",
        plan(use_before=NOW),
        R.EXPIRED,
        P.REJECTED,
        R.EXPIRED,
        needs="suit.conditions",
    ),
    comes("for what runs, exactly", plan(running=(VERSION, (1, 4, 1, 1))), *FITS, needs="suit.conditions"),
    comes(
        "for what is newer than what runs",
        plan(running=((1, 4, 1, 1), None)),
        R.WRONG_VERSION,
        P.REJECTED,
        R.WRONG_VERSION,
        needs="suit.conditions",
    ),
    comes(
        "for what is older than what runs",
        plan(running=(None, VERSION)),
        R.WRONG_VERSION,
        P.REJECTED,
        R.WRONG_VERSION,
        needs="suit.conditions",
    ),
    comes(
        "with the version as a member of its own", plan(set_version=FIXED), *FITS, needs="suit.set-version"
    ),
    # Other ways to bring an image.
    comes(
        "an image for each slot",
        plan(suit.Payload((patches.file(OTHER), patches.file(IMAGE)), version=FIXED)),
        *FITS,
        needs="suit.try-each",
    ),
    comes(
        "an image in the envelope",
        plan(payload(patches.file(patches.image(size=600), "#image", inside=True))),
        *FITS,
        needs="suit.integrated",
    ),
    comes(
        "a delta for another image than runs, and the whole image",
        plan(payload(patches.file(IMAGE), deltas=(DELTA,))),
        *FITS,
        needs="suit.delta suit.try-each",
    ),
    comes(
        "a second component",
        plan(payload(patches.file(IMAGE)), suit.Payload((patches.file(OTHER),), (b"\x01",))),
        *FITS,
        needs="suit.components",
    ),
    comes(
        "a second component in the envelope",
        plan(
            payload(patches.file(IMAGE)),
            suit.Payload((patches.file(CONFIG, "#config", inside=True),), (b"config",)),
        ),
        *FITS,
        needs="suit.components suit.integrated",
    ),
)
