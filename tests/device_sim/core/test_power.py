"""The power fails after every single thing that is stored; the device comes back and goes on."""

import pytest

from advisories.states import PATCH_ENDED, NoticeState, PatchState
from device_sim.core.slots import load_record
from device_sim.core.state import State
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.world import PowerCutError, World

P = PatchState
IMAGE = image(NEW, size=150_000)


def publish_all(w: World) -> bytes:
    """Everything is at the broker before the device is switched on, so that nothing hangs on timing."""
    header = w.notice()
    return w.roll_out(header, data=IMAGE)


def live(w: World) -> None:
    """Switch on, connect, and let a minute pass."""
    w.start()
    w.pump()
    w.connect()
    w.advance(60)


def run(cut_at: int | None, *, healthy: bool) -> tuple[World, bytes, int]:
    """Run the install with one power cut; return the world at rest."""
    w = World(start=False)
    w.healthy = healthy
    patch = publish_all(w)
    w.cut_at = cut_at
    cuts = 0
    while True:
        try:
            live(w)
        except PowerCutError:
            cuts += 1
            continue
        return w, patch, cuts


def count(*, healthy: bool) -> int:
    return run(None, healthy=healthy)[0].durable


@pytest.mark.parametrize("healthy", [True, False], ids=["good image", "bad image"])
def test_whenever_the_power_fails_the_device_ends_with_a_whole_image(healthy) -> None:
    total = count(healthy=healthy)
    assert total > 40
    for cut_at in range(1, total + 1):
        w, patch, cuts = run(cut_at, healthy=healthy)
        assert cuts == 1
        slot = load_record(w.boot).active
        assert load_record(w.boot).trial is None
        assert w.agent._session.slot == slot
        state = w.patch_track(patch).state
        assert state in PATCH_ENDED, f"cut after {cut_at}: {state.name}"
        if state is P.SUCCEEDED:
            assert healthy
            assert w.agent.installed == NEW
            assert bytes(w.slots[slot]) == IMAGE
            assert w.notice_track().state is NoticeState.NOT_APPLICABLE
        else:
            assert state is P.ROLLED_BACK
            assert w.agent.installed == OLD
            assert bytes(w.slots[slot]) == image(OLD)
            assert w.notice_track().state is NoticeState.SHOWN
        assert w.path(patch.hex()[:16])[-1] is state
        assert w.reports[-1].patches[0].state is state
        assert w.reports[-1].installed == w.agent.installed
        assert w.refusals() == []


def test_only_a_cut_between_boot_and_confirmation_costs_a_good_image() -> None:
    lost = []
    for cut_at in range(1, count(healthy=True) + 1):
        w, patch, _ = run(cut_at, healthy=True)
        if w.patch_track(patch).state is P.ROLLED_BACK:
            lost.append(cut_at)
    assert 1 <= len(lost) <= 4
    assert lost == list(range(lost[0], lost[0] + len(lost)))


def test_two_cuts_anywhere_around_the_install_still_end_whole() -> None:
    total = count(healthy=True)
    for first in range(total - 14, total + 1):
        for gap in (1, 2, 4):
            w = World(start=False)
            patch = publish_all(w)
            w.cut_at = first
            while True:
                try:
                    live(w)
                except PowerCutError:
                    w.cut_at = first + gap if w.cut_at == first else None
                    continue
                break
            assert w.patch_track(patch).state in {P.SUCCEEDED, P.ROLLED_BACK}
            assert w.agent.installed in {OLD, NEW}


def test_a_self_test_that_fails_after_it_was_once_confirmed_still_goes_back() -> None:
    """The record was made final, the power failed before the state was stored, and the image got worse."""
    found = []
    for cut_at in range(count(healthy=True), 0, -1):
        w = World(start=False)
        patch = publish_all(w)
        w.cut_at = cut_at
        with pytest.raises(PowerCutError):
            live(w)
        stored = State.load(w.state or b"", w.root_1)
        if load_record(w.boot).active == 1 and stored.patches[patch].state is P.TESTING:
            found.append(cut_at)
            w.cut_at, w.healthy = None, False
            w.restart()
            w.advance(10)
            assert w.patch_track(patch).state is P.ROLLED_BACK
            assert w.agent.installed == OLD
            assert load_record(w.boot).active == 0
    assert len(found) == 1


def test_a_download_resumes_from_the_last_offset_stored() -> None:
    w = World(start=False)
    publish_all(w)
    blocks = 0

    def cut(block):
        nonlocal blocks
        blocks += 1
        if blocks == 22:
            raise PowerCutError
        return block

    w.deaf = cut
    with pytest.raises(PowerCutError):
        live(w)
    wants = len(w.wants)
    w.restart()
    w.advance(10)
    assert next(want.blocks[1] for want in w.wants[wants:] if want.blocks) == 65_536
    assert w.agent.installed == NEW


def test_reports_never_run_ahead_of_what_is_stored() -> None:
    """At every cut, the journal that the gateway has seen is a part of the one the device still continues."""
    total = count(healthy=True)
    for cut_at in range(1, total + 1, 3):
        w, _, _ = run(cut_at, healthy=True)  # the world compares every entry it sees twice
        assert sorted(w.journal) == list(range(len(w.journal)))
        assert w.reports[-1].journal_count == len(w.journal)
