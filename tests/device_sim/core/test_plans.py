"""Several components, deltas, payloads inside the envelope: whatever a manifest asks, a bank is whole."""

from dataclasses import replace

import pytest

from advisories.suit import delta
from advisories.suit.report import open_suit_report
from device_sim.core.profile import Window
from device_sim.core.slots import STAGING, BootRecord, load_record
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.plans import BOOT, FONTS, RADIO, inside, payload, publish, roll_out, served, sha
from tests.device_sim.core.stories import TRIAL, P, name, survive, until
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, HOUR, offer

OLD_IMAGE, NEW_IMAGE = image(OLD, size=30_000), image(NEW, size=30_000)
OLD_RADIO, NEW_RADIO, OLD_FONTS = b"radio 1" * 900, b"radio 2" * 1_900, b"fonts" * 10_000
THREE = {"components": (BOOT, RADIO, FONTS)}


def device(**profile) -> World:
    """A device of several components, switched on and connected."""
    w = World(start=False, **{"delta": True, **profile})
    furnish(w)
    w.start()
    w.connect()
    return w


def furnish(w: World) -> None:
    w.slots[0] = bytearray(OLD_IMAGE)
    w.flash.put(w, 0, 1, OLD_RADIO)
    w.flash.put(w, 0, 2, OLD_FONTS)


def bank(w: World, slot: int) -> tuple[bytes, ...]:
    return tuple(bytes(w.flash.bank(w, slot, component)) for component in range(3))


def end(w: World, patch: bytes) -> tuple[P, Reason]:
    return w.path(name(patch))[-1], w.patch_track(patch).reason


def test_two_components_come_and_the_third_is_copied_so_that_the_bank_is_whole() -> None:
    w = device(**THREE)
    patch = roll_out(w, payload(w, NEW_IMAGE), payload(w, NEW_RADIO, RADIO, version=None))
    w.advance(10)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert load_record(w.boot) == BootRecord(active=1)
    assert bank(w, 1) == (NEW_IMAGE, NEW_RADIO, OLD_FONTS)
    assert bank(w, 0) == (OLD_IMAGE, OLD_RADIO, OLD_FONTS)
    report = open_suit_report(w.patch_track(patch).suit)
    assert report.manifest == patch
    assert report.words() == "success"


def test_a_patch_of_a_further_component_takes_the_image_along() -> None:
    w = device(**THREE)
    patch = roll_out(w, payload(w, NEW_RADIO, RADIO, version=(2, 0, 0, 0)))
    w.advance(10)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert bank(w, 1) == (OLD_IMAGE, NEW_RADIO, OLD_FONTS)
    assert w.agent.installed == OLD


def test_one_component_that_cannot_be_brought_leaves_everything_as_it_was() -> None:
    w = device(**THREE)
    bad = payload(w, NEW_RADIO, RADIO, version=None)
    w.payloads[sha(NEW_RADIO)] = b"?" * len(NEW_RADIO)
    patch = roll_out(w, payload(w, NEW_IMAGE), bad)
    w.advance(60)
    assert end(w, patch) == (P.FAILED, Reason.DIGEST_MISMATCH)
    assert w.boots == 1
    assert bank(w, 0) == (OLD_IMAGE, OLD_RADIO, OLD_FONTS)
    report = open_suit_report(w.patch_track(patch).suit)
    assert report.failure is not None
    assert report.failure.code == Reason.DIGEST_MISMATCH


def test_what_runs_beside_the_image_is_compared_again_in_the_trial() -> None:
    w = device(**THREE)
    start = w.start

    def spoil() -> None:
        if w.boots == 1:
            w.flash.put(w, 1, 2, b"other fonts")
        start()

    w.start = spoil  # type: ignore[method-assign]
    patch = roll_out(w, payload(w, NEW_IMAGE))
    w.advance(10)
    assert end(w, patch) == (P.ROLLED_BACK, Reason.DIGEST_MISMATCH)
    assert w.agent.installed == OLD
    assert load_record(w.boot) == BootRecord(active=0)
    failure = open_suit_report(w.patch_track(patch).suit).failure
    assert failure is not None
    assert failure.code == Reason.DIGEST_MISMATCH


@pytest.mark.parametrize("component", [1, 2])
def test_a_bank_that_changed_after_it_was_verified_is_not_booted(component) -> None:
    w = device(**THREE)
    patch = publish(w, payload(w, NEW_IMAGE), payload(w, NEW_RADIO, RADIO, version=None))
    w.current(patches=((7, patch),))
    w.deliver(*_offered(w, patch))
    until(w, patch, P.INSTALLING)
    w.flash.put(w, 1, component, b"something else")
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-2:] == [P.INSTALLING, P.FAILED]
    assert w.boots == 1
    assert load_record(w.boot) == BootRecord(active=0)


def _offered(w: World, patch: bytes) -> tuple[str, bytes]:
    w.version += 1
    body = offer(FLEET, version=w.version, digest=patch, deadline=int(w.now) + DAY)
    return w.topics.device(w.profile.id, "offer"), w.seal(body)


def test_wherever_the_power_goes_three_components_end_whole() -> None:
    def live(cut_at: int | None) -> World:
        w = World(start=False, **THREE)
        furnish(w)
        patch = publish(w, payload(w, NEW_IMAGE), payload(w, NEW_RADIO, RADIO, version=None))
        w.current(patches=((7, patch),))
        w.offer(patch)
        w.cut_at = cut_at
        survive(w, seconds=60)
        slot, state = load_record(w.boot).active, w.patch_track(patch).state
        assert (slot, state) in {(1, P.SUCCEEDED), (0, P.ROLLED_BACK)}
        whole = (NEW_IMAGE, NEW_RADIO, OLD_FONTS) if slot else (OLD_IMAGE, OLD_RADIO, OLD_FONTS)
        assert bank(w, slot) == whole
        return w

    total = live(None).durable
    assert total > 30
    lost = [at for at in range(1, total + 1) if live(at).agent.installed == OLD]
    assert 1 <= len(lost) <= 5


# Deltas.


def test_a_delta_is_fetched_instead_of_the_image_where_its_base_runs() -> None:
    w = device()
    patch = roll_out(w, payload(w, NEW_IMAGE, bases=[image(OLD, fill=9), OLD_IMAGE]))
    w.advance(10)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert bytes(w.slots[1]) == NEW_IMAGE
    made = delta.make(OLD_IMAGE, NEW_IMAGE)
    assert bytes(w.slots[STAGING]) == made
    asked = {want.blocks[0] for want in w.wants if want.blocks}
    assert asked == {sha(made)}


@pytest.mark.parametrize("why", ["another base", "no library", "spoilt delta", "wrong image"])
def test_where_a_delta_is_of_no_use_the_whole_image_is_fetched(why) -> None:
    w = device(delta=why != "no library")
    base = image(OLD, size=30_000, fill=9) if why == "another base" else OLD_IMAGE
    brought = payload(w, NEW_IMAGE, bases=[base])
    made = brought.deltas[0].file
    if why == "spoilt delta":
        w.payloads[made.digest] = bytes(made.size)
    elif why == "wrong image":
        other = delta.make(OLD_IMAGE, image(NEW, size=30_000, fill=3))
        w.payloads[sha(other)] = other
        file = replace(made, digest=sha(other), size=len(other))
        brought = replace(brought, deltas=(replace(brought.deltas[0], file=file),))
    patch = roll_out(w, brought)
    w.advance(30)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bytes(w.slots[1]) == NEW_IMAGE
    assert sha(NEW_IMAGE) in {want.blocks[0] for want in w.wants if want.blocks}
    if why == "another base":
        assert Reason.WRONG_BASE in {log.reason for log in w.logs}


def test_a_delta_is_applied_again_where_the_power_went() -> None:
    def live(cut_at: int | None) -> World:
        w = World(start=False, delta=True)
        furnish(w)
        patch = publish(w, payload(w, NEW_IMAGE, bases=[OLD_IMAGE]))
        w.current(patches=((7, patch),))
        w.offer(patch)
        w.cut_at = cut_at
        survive(w, seconds=30)
        state = w.patch_track(patch).state
        assert (state, bytes(w.slots[1])) == (P.SUCCEEDED, NEW_IMAGE) or state is P.ROLLED_BACK
        return w

    total = live(None).durable
    for at in range(1, total + 1):
        live(at)


# What travels in the envelope, and what is asked that cannot be.


def test_a_payload_in_the_envelope_needs_no_link() -> None:
    w = device()
    data = image(NEW, size=6_000)
    patch = roll_out(w, payload(w, data, file=inside(data)))
    w.advance(5)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert bytes(w.slots[1]) == data
    assert not [want for want in w.wants if want.blocks]


def test_a_manifest_for_a_component_that_is_not_here_is_rejected() -> None:
    w = device()
    patch = roll_out(w, payload(w, NEW_IMAGE), payload(w, NEW_RADIO, RADIO, version=None))
    w.advance(5)
    assert end(w, patch) == (P.REJECTED, Reason.UNSUPPORTED)


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"use_before": 1_700_000_000}, P.REJECTED, Reason.EXPIRED),
        ({"running": ((1, 4, 2, 0), None)}, P.REJECTED, Reason.WRONG_VERSION),
        ({"devices": (bytes(16),)}, P.REJECTED, Reason.WRONG_SUBJECT),
    ],
)
def test_conditions_are_held_to_before_anything_is_fetched(fields, state, reason) -> None:
    w = device()
    patch = roll_out(w, payload(w, NEW_IMAGE), **fields)
    w.advance(5)
    assert end(w, patch) == (state, reason)
    assert not w.slots[1]


def test_a_patch_whose_time_ends_while_it_waits_is_not_booted() -> None:
    w = device()
    opens = (int(w.now) // 60 + 120) % 1_440
    w = device(windows=(Window(start=opens, end=(opens + 60) % 1_440),))
    patch = roll_out(w, payload(w, NEW_IMAGE), use_before=int(w.now) + HOUR)
    w.advance(HOUR)
    assert w.patch_track(patch).state is P.VERIFIED
    w.current(patches=((7, patch),))
    w.advance(HOUR + 60)
    assert end(w, patch) == (P.FAILED, Reason.EXPIRED)
    assert w.boots == 1


def test_a_root_that_no_longer_stands_behind_the_patch_ends_it_after_a_restart() -> None:
    """The envelope is opened again: what was signed by keys that are revoked since counts no longer."""
    w = device()
    w.serving = False
    patch = roll_out(w, payload(w, NEW_IMAGE))
    assert w.patch_track(patch).state is P.DOWNLOADING
    assert w.agent._session.state.envelope
    state = w.agent._session.state
    state.envelope = state.envelope[:-1] + b"?"
    w.state = state.dump()
    w.restart()
    assert w.path(name(patch))[-1] is P.REJECTED
    assert w.agent._session.state.envelope is None


def test_the_report_says_how_far_it_has_come() -> None:
    w = device(artefacts=None)
    data = image(NEW, size=600_000)
    stop = iter(range(1_000))
    w.deaf = lambda block: block if next(stop) < 80 else None
    patch = roll_out(w, payload(w, data))
    w.advance(60)
    status = next(one for one in w.reports[-1].patches if one.digest == patch)
    assert status.state is P.DOWNLOADING
    assert status.done == 80 * 4_096 * 100 // len(data)


def test_a_copied_component_is_read_back() -> None:
    """Flash that writes something else than it was given is found out, and nothing is booted from it."""
    w = device(**THREE)
    put = w.flash.put

    def bad(world: World, slot: int, component: int, data: bytes) -> None:
        put(world, slot, component, data[:-1] if (slot, component) == (1, 2) and data else data)

    w.flash.put = bad  # type: ignore[method-assign]
    patch = roll_out(w, payload(w, NEW_IMAGE))
    w.advance(60)
    assert end(w, patch) == (P.FAILED, Reason.DIGEST_MISMATCH)
    assert w.boots == 1


def test_one_file_serves_two_components() -> None:
    w = device(**THREE)
    one = served(w, NEW_IMAGE)
    assert served(w, NEW_IMAGE) == one
    patch = roll_out(w, payload(w, NEW_IMAGE, file=one), payload(w, NEW_IMAGE, RADIO, version=None, file=one))
    w.advance(10)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert bank(w, 1) == (NEW_IMAGE, NEW_IMAGE, OLD_FONTS)
