"""Blocks: lost, stray, out of order, wrong; and resuming."""

import hashlib

import pytest

from advisories.offer import Consent
from advisories.report import Block, Track
from advisories.states import Surface
from device_sim.core.measure import measure
from device_sim.core.slots import BootRecord, load_record
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.stories import P, lossy, name, offered, until, world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import HOUR, key, offer


@pytest.mark.parametrize("pattern", ["x.", "xx.", ".x..", "d.", "f.", ".f", "xdf.l."])
def test_lost_and_stray_blocks_are_asked_for_again(pattern) -> None:
    w = world()
    lossy(w, pattern)
    patch = w.roll_out(data=image(NEW, size=150_000))
    w.advance(HOUR)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bytes(w.slots[1]) == image(NEW, size=150_000)


def test_blocks_may_come_in_any_order_within_the_window() -> None:
    w = world()
    deliver, blocks = w.deliver, []

    def reorder(topic: str, payload: bytes) -> None:
        if topic.endswith("/block"):
            blocks.append(payload)
            if len(blocks) in {16, 21}:
                for block in sorted(blocks, reverse=True):
                    deliver(topic, block)
        else:
            deliver(topic, payload)

    w.deliver = reorder  # type: ignore[method-assign]
    patch = w.roll_out(data=image(NEW, size=20 * 4_096 - 200))
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_windows_hold_sixteen_blocks_and_the_offset_is_stored_after_each() -> None:
    w = world()
    w.roll_out(data=image(NEW, size=150_000))
    w.advance(5)
    asked = [want.blocks[1:] for want in w.wants if want.blocks]
    assert asked == [(0, 16), (65_536, 16), (131_072, 5)]


def test_blocks_before_their_turn_are_kept_within_bounds() -> None:
    w = world()
    w.serving = False
    data = image(NEW, size=150_000)
    w.roll_out(data=data)
    digest = hashlib.sha256(data).digest()
    for offset in range(1, 100):
        w.send(w.topics.device(w.profile.id, "block"), dump(Block(digest=digest, offset=offset, data=b"x")))
    assert len(w.agent._carrier._download._blocks._early) == 16
    assert not w.slots[1]


def test_a_block_that_is_none_is_logged_and_not_journaled() -> None:
    w = world()
    w.serving = False
    w.roll_out()
    w.send(w.topics.device(w.profile.id, "block"), b"scrap")
    assert w.logs[-1].reason is Reason.MALFORMED
    assert w.refusals() == []


def test_a_block_without_a_download_is_passed_over() -> None:
    w = world()
    effects = len(w.effects)
    w.send(w.topics.device(w.profile.id, "block"), dump(Block(digest=bytes(32), offset=0, data=b"x")))
    assert len(w.effects) == effects


def spoiled(w: World, times: int) -> bytes:
    data = image(NEW)
    digest = hashlib.sha256(data).digest()
    patch = w.patch(7, data)
    bad = b"\x00" + data[1:]
    w.payloads[digest] = bad
    count = iter(range(1_000))

    def heal(block: Block) -> Block:
        if next(count) >= times * 2 - 1:
            w.payloads[digest] = data
        return block

    w.deaf = heal
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(20)
    return patch


def test_a_download_that_does_not_match_is_erased_and_done_again() -> None:
    w = world()
    patch = spoiled(w, 1)
    assert w.path(name(patch))[:4] == [P.OFFERED, P.DOWNLOADING, P.DOWNLOADED, P.DOWNLOADING]
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_three_downloads_that_do_not_match_are_a_failure() -> None:
    w = world()
    patch = spoiled(w, 10)
    assert w.path(name(patch)).count(P.DOWNLOADING) == 3
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.FAILED, Reason.DIGEST_MISMATCH)
    assert w.agent.installed == OLD


def test_a_slot_that_changed_between_download_and_install_is_not_booted() -> None:
    w = world()
    patch = offered(w)
    until(w, patch, P.INSTALLING)
    w.queue.clear()
    w.run(w.agent.measured(1, measure(b"something else"), w.now))
    assert w.path(name(patch))[-2:] == [P.INSTALLING, P.FAILED]
    assert w.boots == 1
    assert load_record(w.boot) == BootRecord(active=0)


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    w = world()
    before = len(w.effects)
    w.run(w.agent.measured(1, measure(b""), w.now))
    w.run(w.agent.tested(True, w.now))
    w.run(w.agent.consent("yes", w.now))
    assert len(w.effects) == before
    patch = w.roll_out(consent=Consent.ASK)
    w.run(w.agent.measured(1, measure(b""), w.now))
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION


def test_offline_a_download_waits_and_goes_on_where_it_was() -> None:
    w = world()
    data = image(NEW, size=150_000)
    lossy(w, "." * 20 + "x" * 1_000)
    w.roll_out(data=data)
    assert len(w.slots[1]) == 20 * 4_096
    w.disconnect()
    w.advance(HOUR)
    wants = len(w.wants)
    w.deaf = lambda block: block
    w.connect()
    assert w.wants[wants].blocks[1] == 20 * 4_096
    w.advance(5)
    assert w.agent.installed == NEW


def test_a_stalled_download_is_asked_for_with_growing_pauses() -> None:
    w = world()
    w.serving = False
    w.roll_out()
    w.advance(HOUR)
    asked = [want for want in w.wants if want.blocks]
    assert 50 <= len(asked) <= 80


def test_a_download_never_writes_the_slot_that_runs() -> None:
    """Somebody swapped the slots by cable in the middle of a download."""
    w = world()
    w.serving = False
    patch = w.roll_out()
    w.slots[1][:] = image()
    w.boot = dump(BootRecord(active=1))
    w.restart()
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.FAILED, Reason.UPDATE_FAILED)


def test_a_device_without_a_surface_is_patched_all_the_same() -> None:
    w = world(surface=Surface.NONE)
    patch = w.roll_out()
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_every_step_of_a_patch_is_in_the_journal_under_its_digest() -> None:
    w = world()
    patch = w.roll_out()
    w.advance(5)
    found = [entry for entry in w.entries() if entry.track is Track.PATCH]
    assert {entry.digest for entry in found} == {patch}


def test_an_offer_by_a_revoked_gateway_key_is_refused() -> None:
    w = world()
    w.send(w.topics.device(w.profile.id, "offer"), seal(offer(FLEET), [key("gateway-0")]))
    w.advance(5)
    assert w.refusals() == [("offer", Reason.UNKNOWN_KEY)]
