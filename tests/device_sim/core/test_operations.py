"""Manifests of other makers: copies, writes, deltas in the envelope, and what no device of ours does."""

from typing import Any

import pytest

from advisories import suit
from advisories.suit import delta
from advisories.suit.report import open_suit_report
from device_sim.core import effects as do
from device_sim.core.profile import Conditions
from device_sim.core.slots import STAGING
from keys.cbor import encode
from keys.reasons import Reason
from tests.advisories.suit_case import craft
from tests.device_sim.core.firmware import CLASS, NEW, OLD, VENDOR, image
from tests.device_sim.core.plans import SITE, inside, payload, publish, roll_out, sha
from tests.device_sim.core.stories import TRIAL, P, name
from tests.device_sim.core.test_plans import OLD_FONTS, OLD_IMAGE, OLD_RADIO, THREE, bank, device, end
from tests.device_sim.core.world import World
from tests.helpers import PRODUCT

SELECT, TRY, WRITE, OVERRIDE, FETCH, COPY, SWAP, MATCH, INVOKE, BATTERY = (
    12,
    15,
    18,
    20,
    21,
    22,
    31,
    3,
    23,
    26,
)


def holds(data: bytes) -> dict[int, Any]:
    """Parameters: digest and size."""
    return {3: encode([-16, sha(data)]), 14: len(data)}


def manifest(
    *install: Any, first: dict[int, Any] | None = None, components: int = 3, **sections: Any
) -> bytes:
    """An unsigned envelope: identity is checked for the first component, then these steps."""
    select = [SELECT, 0] if components > 1 else []
    shared = [*select, OVERRIDE, {1: VENDOR, 2: CLASS, **(first or {})}, 1, 15, 2, 15]
    found = {20: list(install), **{int(key[1:]): value for key, value in sections.items()}}
    return craft(shared, found, components=tuple([bytes([index])] for index in range(components)))


def roll(w: World, envelope: bytes) -> bytes:
    """Sign, publish and offer it."""
    for role in ("release", "security"):
        envelope = suit.authenticate(envelope, w.fleet.signer(role))
    patch = suit.manifest_digest(envelope)
    w.publish(w.topics.patch(PRODUCT, 7), envelope)
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(10)
    return patch


def test_a_component_is_copied_from_another_one_that_runs() -> None:
    w = device(**THREE)
    steps = (SELECT, 1, OVERRIDE, {22: 2, **holds(OLD_FONTS)}, COPY, 2, MATCH, 15)
    patch = roll(w, manifest(*steps, s7=[SELECT, 1, OVERRIDE, holds(OLD_FONTS), MATCH, 15]))
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert bank(w, 1) == (OLD_IMAGE, OLD_FONTS, OLD_FONTS)


def test_a_copy_of_what_came_in_the_same_patch_takes_the_new_one() -> None:
    w = device(**THREE)
    new = b"new fonts" * 100
    steps = (
        *(SELECT, 2, OVERRIDE, {18: new, **holds(new)}, WRITE, 2, MATCH, 15),
        *(SELECT, 1, OVERRIDE, {22: 2, **holds(new)}, COPY, 2, MATCH, 15),
    )
    patch = roll(w, manifest(*steps))
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bank(w, 1) == (OLD_IMAGE, new, new)


def test_an_image_may_be_written_from_the_manifest_itself() -> None:
    w = device()
    new = image(NEW, size=6_000)
    steps = (OVERRIDE, {18: new}, WRITE, 2, MATCH, 15)
    patch = roll(w, manifest(*steps, first=holds(new), components=1, s7=[MATCH, 15], s9=[INVOKE, 2]))
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert bytes(w.slots[1]) == new
    assert w.agent.installed == NEW
    assert open_suit_report(w.patch_track(patch).suit).words() == "success"


def test_a_copy_that_does_not_match_has_another_way() -> None:
    w = device(**THREE)
    new = b"new radio" * 100
    copied = encode([OVERRIDE, {22: 2}, COPY, 2, MATCH, 15])
    written = encode([OVERRIDE, {18: new}, WRITE, 2, MATCH, 15])
    patch = roll(w, manifest(SELECT, 1, OVERRIDE, holds(new), TRY, [copied, written]))
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bank(w, 1) == (OLD_IMAGE, new, OLD_FONTS)
    assert w.patch_track(patch).outcomes == (True, False, True, True)


def test_what_a_further_component_holds_is_measured_when_the_manifest_asks() -> None:
    w = device(**THREE)
    new = b"new radio" * 100
    small = encode([OVERRIDE, holds(OLD_RADIO), MATCH, 15, OVERRIDE, {18: new, **holds(new)}, WRITE, 2])
    never = encode([14, 0])
    patch = roll(w, manifest(SELECT, 1, TRY, [small, never], MATCH, 15))
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert do.MeasureSlot(0, len(OLD_RADIO), 1) in w.effects
    assert bank(w, 1)[1] == new


def test_a_delta_may_travel_in_the_envelope_and_for_any_component() -> None:
    w = device(**THREE)
    new = OLD_RADIO[:3_000] + b"2" + OLD_RADIO[3_001:]
    small = inside(delta.make(OLD_RADIO, new), "#delta")
    brought = payload(w, new, (b"\x01",), version=None)
    brought = suit.Payload(
        brought.files, brought.component, None, (suit.Delta(small, sha(OLD_RADIO), len(OLD_RADIO)),)
    )
    patch = roll_out(w, brought)
    w.advance(10)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bank(w, 1) == (OLD_IMAGE, new, OLD_FONTS)
    assert bytes(w.slots[STAGING]) == small.content
    assert not [want for want in w.wants if want.blocks]


def test_a_delta_that_changed_in_flash_is_not_applied() -> None:
    w = device()
    new = image(NEW, size=30_000)
    carry_out = w.flash.carry_out

    def spoil(world: World, effect: do.Effect) -> bool:
        if isinstance(effect, do.MeasureSlot) and effect.slot == STAGING:
            world.slots[STAGING][0] ^= 1
        return carry_out(world, effect)

    w.flash.carry_out = spoil  # type: ignore[method-assign]
    patch = roll_out(w, payload(w, new, bases=[OLD_IMAGE]))
    w.advance(10)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert not [effect for effect in w.effects if isinstance(effect, do.ApplyDelta)]
    assert bytes(w.slots[1]) == new


def test_a_device_with_a_battery_of_unknown_size_has_never_enough() -> None:
    for battery, expected in ((None, P.SUCCEEDED), (80, P.REJECTED)):
        w = device()
        w.run(w.agent.conditions(Conditions(battery=battery), w.now))
        new = image(NEW, size=3_000)
        steps = (OVERRIDE, {26: 500, 18: new}, BATTERY, 15, WRITE, 2, MATCH, 15)
        patch = roll(w, manifest(*steps, first=holds(new), components=1))
        assert w.path(name(patch))[-1] is expected


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((SELECT, 1, OVERRIDE, {22: 2, **holds(OLD_FONTS)}, SWAP, 2, MATCH, 15), Reason.UNSUPPORTED),
        ((SELECT, 1, OVERRIDE, {18: b"x" * 9, **holds(b"x" * 9)}, WRITE, 2), Reason.MALFORMED),
        ((SELECT, 1, MATCH, 15), Reason.MALFORMED),
    ],
)
def test_what_no_device_of_ours_does_is_refused_before_anything_is_fetched(
    steps: Any, reason: Reason
) -> None:
    w = device(**THREE)
    patch = roll(w, manifest(*steps))
    tracks = [track for track in w.agent.patches if track.digest == patch]
    assert tracks
    assert tracks[0].state in {P.REJECTED, P.OFFERED}
    refused = {log.reason for log in w.logs} | {tracks[0].reason}
    assert reason in refused
    assert not w.flash.bank(w, 1, 1)


def test_a_manifest_that_copies_at_every_boot_is_not_for_this_device() -> None:
    w = device(**THREE)
    new = b"new radio"
    steps = (SELECT, 1, OVERRIDE, {18: new, **holds(new)}, WRITE, 2, MATCH, 15)
    load = [SELECT, 2, OVERRIDE, {22: 1, **holds(new)}, COPY, 2, MATCH, 15]
    patch = roll(w, manifest(*steps, s8=load))
    assert end(w, patch) == (P.REJECTED, Reason.UNSUPPORTED)


def test_an_address_that_the_device_cannot_use_is_refused() -> None:
    w = device(artefacts=SITE)
    new = image(NEW, size=30_000)
    file = suit.File(sha(new), len(new), "coap://example.com/fw")
    patch = roll_out(w, payload(w, new, file=file))
    w.advance(5)
    assert end(w, patch) == (P.REJECTED, Reason.BAD_URI)


def test_a_patch_that_waits_in_the_state_of_an_older_release_ends_and_says_so() -> None:
    """A state without the envelope: nothing can be verified anew."""
    from device_sim.core.state import State

    w = device()
    w.serving = False
    patch = publish(w, payload(w, image(NEW, size=30_000)))
    w.current(patches=((7, patch),))
    w.offer(patch)
    assert w.patch_track(patch).state is P.DOWNLOADING
    state = State.load(w.state or b"", w.root_1)
    state.envelope = None
    w.state = state.dump()
    w.restart()
    assert w.path(name(patch))[-1] is P.REJECTED
    assert w.agent.installed == OLD
