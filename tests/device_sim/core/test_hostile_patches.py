"""Offers, questions, blocks and keys that must not leave a device stuck, bricked or fooled."""

from __future__ import annotations

import pytest

from advisories import suit
from advisories.limits import IMAGE_BYTES_MAX
from advisories.report import Block
from advisories.states import PatchState
from device_sim.core import effects as do
from device_sim.core.state import State
from keys.codec import dump
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from tests.advisories.suit_case import craft, identity
from tests.device_sim.core.firmware import NEW, image
from tests.device_sim.core.world import FLEET, World
from tests.helpers import HOLDERS, root_keys


def connected(**profile: object) -> World:
    w = World(**profile)
    w.connect()
    return w


def answered(w: World, answer: str) -> None:
    w.run(w.agent.consent(answer, w.now))  # type: ignore[arg-type]
    w.pump()


def test_an_owner_who_said_no_is_asked_again_when_it_is_offered_again() -> None:
    w = connected(auto_consent=False)
    patch = w.roll_out()
    answered(w, "no")
    w.offer(patch)
    assert w.patch_track(patch).state is PatchState.WAITING_FOR_CONFIRMATION
    assert len(w.asks) == 2


def test_an_offer_taken_back_and_made_again_asks_again() -> None:
    w = connected(auto_consent=False)
    patch = w.roll_out()
    w.offer(patch, cancel=True)
    w.offer(patch)
    assert len(w.asks) == 2


def test_a_time_at_its_very_end_leaves_a_state_that_can_be_read_back() -> None:
    w = connected(auto_consent=False)
    patch = w.patch()
    w.current(patches=((7, patch),), expires=VERSION_MAX)
    w.offer(patch, deadline=VERSION_MAX, expires=VERSION_MAX)
    late = {"version": VERSION_MAX - 50_000, "issued": VERSION_MAX - 50_000, "expires": VERSION_MAX}
    w.answer(w.reports[-1], **late)
    w.pump()
    answered(w, "defer")
    assert w.patch_track(patch).state is PatchState.DEFERRED
    assert w.state is not None
    State.load(w.state, w.root_1)


@pytest.mark.parametrize("size", [IMAGE_BYTES_MAX, IMAGE_BYTES_MAX + 1])
def test_an_image_above_what_can_be_stored_is_refused_even_where_a_slot_would_hold_it(size: int) -> None:
    w = connected(slot_bytes=4 * IMAGE_BYTES_MAX)
    shared = identity()
    shared[1][14] = size
    envelope = craft(shared)
    for signer in FLEET.signers("release", "security"):
        envelope = suit.authenticate(envelope, signer)
    w.publish(w.topics.patch("thermostat", 7), envelope)
    patch = suit.manifest_digest(envelope)
    w.current(patches=((7, patch),))
    w.offer(patch)
    expected = PatchState.DOWNLOADING if size == IMAGE_BYTES_MAX else PatchState.REJECTED
    assert w.patch_track(patch).state is expected
    assert w.state is not None
    State.load(w.state, w.root_1)


def test_a_block_that_overlaps_what_was_written_does_not_stall_the_download() -> None:
    w = connected()
    lost: list[int] = []

    def meddled(block: Block) -> Block | None:
        topic = w.topics.device(w.profile.id, "block")
        if block.offset == 0:
            w.deliver(topic, dump(Block(digest=block.digest, offset=1, data=b"x")))
        if block.offset == 65_536 + 8_192 and not lost:
            lost.append(block.offset)
            return None
        w.deliver(topic, dump(block))
        return None

    w.deaf = meddled
    patch = w.roll_out(data=image(NEW, size=200_000))
    w.advance(60)
    assert lost
    assert w.patch_track(patch).state is PatchState.SUCCEEDED


def test_a_patch_whose_signer_was_revoked_meanwhile_is_not_installed() -> None:
    w = connected(auto_consent=False)
    patch = w.roll_out()
    holders = {**HOLDERS, "release": ("release-9",)}
    w.next_root(keys=root_keys(holders))
    body = w.current(patches=((7, patch),))
    w.stamp(body, root_version=2)
    w.advance(5)
    assert w.agent.trusted.root.version == 2
    answered(w, "yes")
    w.advance(60)
    track = w.patch_track(patch)
    assert (track.state, track.reason) == (PatchState.REJECTED, Reason.THRESHOLD_NOT_MET)


def test_a_patch_of_which_the_policy_knows_nothing_any_more_is_not_installed() -> None:
    w = connected(auto_consent=False)
    patch = w.roll_out()
    w.next_root(policy=tuple(row for row in FLEET.root.policy if row.type != "patch"))
    w.stamp(w.current(patches=((7, patch),)), root_version=2)
    w.advance(5)
    assert w.patch_track(patch).reason is Reason.THRESHOLD_NOT_MET


def test_a_slot_read_back_too_late_for_its_patch_does_not_hold_up_the_next_one() -> None:
    w = connected()
    slow: list[do.MeasureSlot] = []
    carry_out = w.carry_out

    def without_flash(effect: do.Effect) -> None:
        if isinstance(effect, do.MeasureSlot) and not slow:
            slow.append(effect)
        else:
            carry_out(effect)

    w.carry_out = without_flash  # type: ignore[method-assign]
    first = w.roll_out()
    assert w.patch_track(first).state is PatchState.DOWNLOADED
    w.offer(first, cancel=True)
    w.run(w.agent.measured(slow[0].slot, bytes(w.slots[1]), w.now))
    second = w.roll_out(sequence=8, data=image(NEW, fill=1))
    assert w.patch_track(second).state is PatchState.SUCCEEDED
