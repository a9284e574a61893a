"""A patch from its offer to the confirmed boot, or back; and what must not be installed."""

import hashlib
from dataclasses import replace

import pytest

from advisories.states import NoticeState
from device_sim.core.slots import BootRecord, load_record
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.stories import TRIAL, P, name, world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, NOW, PRODUCT, notice


def test_a_patch_is_installed_confirmed_and_reported_with_the_measured_version() -> None:
    w = world()
    patch = w.roll_out()
    w.advance(5)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert w.agent.installed == NEW
    assert load_record(w.boot) == BootRecord(active=1)
    assert w.reports[-1].installed == NEW
    assert w.reports[-1].patches[0].state is P.SUCCEEDED
    assert w.agent._session.state.patch_floor == (7, patch)
    assert w.most_filters <= 8


def test_the_notice_it_mends_no_longer_applies_once_it_is_confirmed() -> None:
    w = world()
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.notice_track().state is NoticeState.NOT_APPLICABLE


def test_a_failed_self_test_goes_back_to_the_old_version() -> None:
    w = world()
    w.healthy = False
    header = w.notice()
    patch = w.roll_out(header)
    w.advance(5)
    assert w.path(name(patch)) == [*TRIAL, P.ROLLED_BACK]
    assert w.patch_track(patch).reason is Reason.BOOT_NOT_CONFIRMED
    assert w.agent.installed == OLD
    assert load_record(w.boot) == BootRecord(active=0)
    assert w.agent._session.state.patch_floor == (0, b"")
    assert w.notice_track().state is NoticeState.SHOWN
    assert w.reports[-1].installed == OLD


def test_a_new_image_that_never_comes_up_is_reverted_by_the_boot_loader() -> None:
    w = world()
    start, crashes = w.start, []

    def crash() -> None:
        """The first boot from slot 1 dies before the agent runs."""
        from device_sim.core.slots import select

        if not crashes and select(w.boot)[0] == 1:
            crashes.append(True)
            w.boot = select(w.boot)[1]
        start()

    w.start = crash  # type: ignore[method-assign]
    patch = w.roll_out()
    w.advance(5)
    assert crashes
    assert w.path(name(patch)) == [*TRIAL[:-1], P.ROLLED_BACK]
    assert w.agent.installed == OLD


def test_a_failed_patch_is_tried_again_only_by_a_higher_offer() -> None:
    w = world()
    w.healthy = False
    patch = w.roll_out()
    w.advance(5)
    w.restart()
    w.advance(DAY)
    assert w.path(name(patch))[-1] is P.ROLLED_BACK
    w.healthy = True
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_second_patch_replaces_the_first_and_goes_into_the_other_slot() -> None:
    w = world()
    first = w.roll_out()
    w.advance(5)
    third = (1, 5, 0, 0)
    second = w.roll_out(sequence=8, version=third)
    w.advance(5)
    assert w.agent.installed == third
    assert w.path(name(first))[-1] is P.REMOVED
    assert w.path(name(second))[-1] is P.SUCCEEDED
    assert load_record(w.boot) == BootRecord(active=0)


def test_the_same_patch_offered_again_after_success_changes_nothing() -> None:
    w = world()
    patch = w.roll_out()
    w.advance(5)
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED
    assert w.boots == 2


@pytest.mark.parametrize(
    ("case", "state", "reason"),
    [
        ("not in the catalogue", P.REJECTED, Reason.NOT_IN_CATALOGUE),
        ("another model", P.NOT_APPLICABLE, Reason.WRONG_MODEL),
        ("another vendor", P.NOT_APPLICABLE, Reason.WRONG_MODEL),
        ("too big for a slot", P.REJECTED, Reason.NO_SPACE),
        ("older sequence", P.REJECTED, Reason.DOWNGRADE_REFUSED),
        ("same sequence, other digest", P.REJECTED, Reason.EQUIVOCATION),
        ("lower security counter", P.REJECTED, Reason.DOWNGRADE_REFUSED),
        ("already installed", P.ALREADY_INSTALLED, Reason.OK),
        ("deadline over", P.TIMED_OUT, Reason.DEADLINE_PASSED),
        ("window over", P.TIMED_OUT, Reason.DEADLINE_PASSED),
        ("sequence differs from the offer", P.REJECTED, Reason.MALFORMED),
    ],
)
def test_a_patch_that_must_not_be_installed_is_not(case, state, reason) -> None:
    w = world(slot_bytes=7_000)
    w.roll_out(sequence=5)
    w.advance(5)
    assert w.agent.installed == NEW
    v3 = (1, 5, 0, 0)
    sequence, terms = 8, {}
    if case == "not in the catalogue":
        patch = w.patch(8, version=v3)
        w.current()
    elif case == "sequence differs from the offer":
        patch = w.patch(8, version=v3)
        w.retained[w.topics.patch(PRODUCT, 9)] = w.retained[w.topics.patch(PRODUCT, 8)]
        w.current(patches=((9, patch),))
        sequence = 9
    else:
        sequence = {"older sequence": 4, "same sequence, other digest": 5}.get(case, 8)
        fields = {
            "another model": {"class_id": bytes(16)},
            "another vendor": {"vendor_id": bytes(16)},
            "too big for a slot": {"data": image(v3, size=7_001)},
            "lower security counter": {"data": image(v3, counter=0)},
            "already installed": {"version": NEW, "data": image(NEW, fill=1)},
        }.get(case, {})
        patch = w.patch(sequence, **{"version": v3, **fields})
        w.current(patches=((sequence, patch),))
        terms = {
            "deadline over": {"deadline": int(w.now)},
            "window over": {"window": (NOW, int(w.now))},
        }.get(case, {})
    w.offer(patch, sequence, **terms)
    w.advance(10)
    assert w.path(name(patch))[-1] is state
    assert w.patch_track(patch).reason is reason
    assert w.agent.installed == NEW
    assert w.boots == 2


def test_going_back_is_a_higher_sequence_with_the_older_code() -> None:
    w = world()
    w.roll_out()
    w.advance(5)
    w.roll_out(sequence=8, version=OLD)
    w.advance(5)
    assert w.agent.installed == OLD


def test_an_image_that_is_not_the_promised_version_is_never_booted() -> None:
    """The manifest's author writes another version into the text than the image has."""
    from advisories import suit
    from advisories.suit import author

    w = world()
    data = image((9, 9, 9, 0))
    original = author.format_version
    author.format_version = lambda version: "1.4.2"
    try:
        patch = w.patch(7, data, version=(9, 9, 9, 0))
    finally:
        author.format_version = original
    assert suit.peek(w.retained[w.topics.patch(PRODUCT, 7)]).version == NEW
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.REJECTED
    assert w.patch_track(patch).reason is Reason.WRONG_VERSION
    assert w.boots == 1


def test_an_image_that_boots_as_another_version_is_reverted() -> None:
    w = world()
    start = w.start

    def swap() -> None:
        if w.slots[1]:
            w.slots[1] = bytearray(image((9, 9, 9, 0)))
        start()

    w.start = swap  # type: ignore[method-assign]
    patch = w.roll_out()
    w.advance(5)
    assert w.path(name(patch))[-2:] == [P.TESTING, P.ROLLED_BACK]
    assert w.patch_track(patch).reason is Reason.WRONG_VERSION
    assert w.agent.installed == OLD


def test_an_image_that_cannot_be_read_after_booting_is_reverted() -> None:
    w = world()
    start = w.start

    def spoil() -> None:
        w.slots[1][-1:] = b"?"
        start()

    w.start = spoil  # type: ignore[method-assign]
    patch = w.roll_out()
    w.advance(5)
    assert w.path(name(patch))[-2:] == [P.TESTING, P.ROLLED_BACK]
    assert ("image", Reason.DIGEST_MISMATCH) in w.refusals()
    assert w.agent.installed == OLD


def test_a_device_whose_only_image_cannot_be_read_still_takes_notices() -> None:
    w = World(start=False)
    w.slots[0] = bytearray(b"scrap")
    w.start()
    w.connect()
    w.notice(notice(FLEET, affected={PRODUCT: ((None, None),)}))
    assert w.agent.installed == (0, 0, 0, 0)
    assert w.notice_track().state is NoticeState.SHOWN


def test_what_is_not_an_image_is_rejected() -> None:
    from advisories.suit import author

    w = world()
    data = b"not an image at all"
    parse = author.mcuboot.parse
    real = image(NEW)
    author.mcuboot.parse = lambda _: replace(parse(real), whole=hashlib.sha256(data).digest())
    try:
        patch = w.patch(7, data)
    finally:
        author.mcuboot.parse = parse
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.REJECTED, Reason.MALFORMED)
