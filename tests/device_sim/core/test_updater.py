"""A platform with an updater of its own: it is told what to do, and believed only when its version is measured."""

from dataclasses import replace

import pytest

from advisories.limits import PAYLOAD_BYTES_MAX
from advisories.states import PATCH_ENDED
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.profile import Platform
from device_sim.core.slots import STAGING
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.core.plans import RADIO, SITE, inside, payload, publish, roll_out, served, sha
from tests.device_sim.core.stories import TRIAL, P, name, survive
from tests.device_sim.core.updater import BUNDLE, PAYLOADS, UpdaterWorld
from tests.helpers import DAY, HOUR


def device(**profile) -> UpdaterWorld:
    w = UpdaterWorld(**profile)
    w.connect()
    return w


def end(w: UpdaterWorld, patch: bytes) -> tuple[P, Reason]:
    return w.path(name(patch))[-1], w.patch_track(patch).reason


@pytest.mark.parametrize("artefacts", [None, SITE], ids=["blocks", "ranges"])
def test_a_file_is_handed_over_booted_tested_and_confirmed(artefacts) -> None:
    w = device(artefacts=artefacts)
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]
    assert w.asked == ["install", "confirm"]
    assert (w.good, w.agent.installed) == (NEW, NEW)
    assert w.reports[-1].installed == NEW
    assert w.agent._session.state.patch_floor == (7, patch)
    assert w.patch_track(patch).suit is not None


def test_a_failed_self_test_lets_the_updater_go_back() -> None:
    w = device()
    w.healthy = False
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    assert w.path(name(patch)) == [*TRIAL, P.ROLLED_BACK]
    assert end(w, patch)[1] is Reason.BOOT_NOT_CONFIRMED
    assert w.asked == ["install", "revert"]
    assert (w.good, w.agent.installed) == (OLD, OLD)
    assert w.agent._session.state.patch_floor == (0, b"")


def test_an_updater_that_falls_back_by_itself_is_not_asked_to() -> None:
    w = device()
    start = w.start

    def crash() -> None:
        w.next = None
        start()

    w.start = crash  # type: ignore[method-assign]
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    assert end(w, patch) == (P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED)
    assert w.asked == ["install"]


@pytest.mark.parametrize("reason", [Reason.UPDATE_FAILED, Reason.UNSUPPORTED])
def test_an_install_that_fails_is_a_failure_and_nothing_is_booted(reason) -> None:
    w = device()
    w.answers["install"] = [reason]
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(DAY)
    assert end(w, patch) == (P.FAILED, reason)
    assert w.boots == 1


def test_a_busy_updater_is_asked_again_ever_more_slowly_and_the_report_says_so() -> None:
    w = device()
    w.answers["install"] = [Reason.BUSY] * 5
    w.answers["confirm"] = [Reason.BUSY] * 2
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(1)
    assert (w.patch_track(patch).state, w.patch_track(patch).reason) == (P.INSTALLING, Reason.BUSY)
    assert w.reports[-1].patches[0].reason is Reason.BUSY
    w.advance(5 * 60)
    assert 3 <= w.asked.count("install") <= 5
    w.advance(HOUR)
    assert w.asked == ["install"] * 6 + ["confirm"] * 3
    assert end(w, patch) == (P.SUCCEEDED, Reason.OK)


def test_a_version_that_nobody_promised_is_gone_back_from() -> None:
    w = device()
    other = next(data for data, version in PAYLOADS.items() if version not in {OLD, NEW})
    patch = roll_out(w, payload(w, other))
    w.advance(10)
    assert end(w, patch)[0] is P.ROLLED_BACK
    assert w.asked == ["install", "revert"]
    assert w.agent.installed == OLD


def test_an_updater_that_does_not_go_back_is_asked_so_many_times_and_the_report_says_what_runs() -> None:
    w = device()
    w.healthy = False
    w.answers["revert"] = [Reason.UPDATE_FAILED] * 10
    run = w.run_installer

    def stuck(effect: do.RunInstaller) -> None:
        run(effect)
        if effect.verb == "revert":
            w.next = NEW

    w.run_installer = stuck  # type: ignore[method-assign]
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(HOUR)
    assert end(w, patch) == (P.ROLLED_BACK, Reason.UPDATE_FAILED)
    assert w.asked.count("revert") == limits.REVERTS_MAX
    assert w.reports[-1].installed == NEW


def test_a_version_that_cannot_be_read_is_gone_back_from() -> None:
    w = device()
    run = w.run_installer

    def spoil(effect: do.RunInstaller) -> None:
        run(effect)
        w.readable = effect.verb != "install"

    w.run_installer = spoil  # type: ignore[method-assign]
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    assert end(w, patch)[0] is P.ROLLED_BACK
    assert w.asked == ["install", "revert"]
    assert w.agent.installed == OLD


def test_what_was_staged_is_read_back_before_it_is_handed_over() -> None:
    w = device()
    w.answers["install"] = [Reason.BUSY]
    patch = publish(w, payload(w, BUNDLE))
    measured = []
    carry_out = w.carry_out

    def swap(effect: do.Effect) -> None:
        if isinstance(effect, do.MeasureSlot):
            measured.append(effect)
            if len(measured) == 2:  # the first one verified it
                w.slots[STAGING][0] ^= 1
        carry_out(effect)

    w.carry_out = swap  # type: ignore[method-assign]
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert end(w, patch) == (P.FAILED, Reason.DIGEST_MISMATCH)
    assert w.asked == []


@pytest.mark.parametrize("verb", ["install", "confirm", "revert"])
def test_what_was_not_answered_before_the_power_went_is_asked_again(verb) -> None:
    w = device()
    w.healthy = verb != "revert"
    w.silent = {verb}
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    assert w.asked[-1] == verb
    w.silent = set()
    if verb != "install":
        w.next = NEW  # the platform boots it once more
    w.restart()
    w.advance(10)
    assert w.asked.count(verb) == 2
    assert end(w, patch)[0] is (P.ROLLED_BACK if verb == "revert" else P.SUCCEEDED)


def test_wherever_the_power_goes_the_report_is_true() -> None:
    def live(cut_at: int | None, *, healthy: bool) -> UpdaterWorld:
        w = UpdaterWorld(start=False, artefacts=SITE)
        w.healthy = healthy
        patch = publish(w, payload(w, BUNDLE))
        w.current(patches=((7, patch),))
        w.offer(patch)
        w.cut_at = cut_at
        survive(w, seconds=60)
        state = w.patch_track(patch).state
        assert state in PATCH_ENDED
        assert (state is P.SUCCEEDED) == (w.agent.installed == NEW) == (w.good == NEW)
        assert w.reports[-1].installed == w.runs
        assert w.reports[-1].patches[0].state is state
        return w

    for healthy in (True, False):
        for at in range(1, live(None, healthy=healthy).durable + 1):
            live(at, healthy=healthy)


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    w = device()
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    before = len(w.effects)
    for verb in ("install", "confirm", "revert"):
        w.run(w.agent.installer_answered(verb, Reason.OK, w.now))
    w.run(w.agent.tested(False, w.now))
    w.run(w.agent.applied(Reason.OK, w.now))
    assert len(w.effects) == before
    assert end(w, patch)[0] is P.SUCCEEDED


def test_a_file_may_be_larger_than_any_image_but_then_comes_by_ranges_only() -> None:
    for artefacts, expected in ((None, Reason.UNSUPPORTED_PROTOCOL), (SITE, Reason.OK)):
        w = device(artefacts=artefacts, slot_bytes=PAYLOAD_BYTES_MAX)
        w.flash.serve = lambda *_: iter(())
        file = replace(served(w, BUNDLE), size=PAYLOAD_BYTES_MAX)
        patch = roll_out(w, payload(w, BUNDLE, file=file))
        w.advance(1)
        assert w.patch_track(patch).reason is expected


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("no version", Reason.UNSUPPORTED),
        ("two files", Reason.UNSUPPORTED),
        ("too big", Reason.NO_SPACE),
    ],
)
def test_what_cannot_be_handed_over_is_refused_before_it_is_fetched(case, reason) -> None:
    w = device(**{"components": ((b"\x00",), RADIO)} if case == "two files" else {}, slot_bytes=100_000)
    first = payload(w, BUNDLE, version=None if case == "no version" else NEW)
    more = {"two files": [payload(w, b"radio", RADIO, version=None)]}.get(case, [])
    if case == "too big":
        first = payload(w, b"x" * 100_001)
    patch = roll_out(w, first, *more)
    w.advance(5)
    assert end(w, patch) == (P.REJECTED, reason)
    assert w.asked == []


def test_a_file_in_the_envelope_and_a_delta_that_is_none_of_its_business() -> None:
    w = device(delta=True)
    small = b"a broken one" * 900
    PAYLOADS[small] = NEW
    try:
        patch = roll_out(w, payload(w, small, file=inside(small, "#update")))
        w.advance(10)
        assert end(w, patch)[0] is P.SUCCEEDED
    finally:
        PAYLOADS[small] = (9, 9, 9, 0)
    w = device(delta=True)
    w.silent = {"install"}
    roll_out(w, payload(w, image(NEW), bases=[image(OLD)]))
    asked = {want.blocks[0] for want in w.wants if want.blocks}
    assert asked == {sha(image(NEW))}


def test_a_device_that_only_tells_is_never_told_to_install() -> None:
    w = UpdaterWorld(platform=Platform.NONE)
    w.connect()
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(10)
    assert end(w, patch) == (P.NOT_APPLICABLE, Reason.UNSUPPORTED)
    assert w.asked == []


def test_a_clock_that_goes_back_does_not_silence_a_busy_updater() -> None:
    w = device()
    w.answers["install"] = [Reason.BUSY] * 3
    patch = roll_out(w, payload(w, BUNDLE))
    w.advance(1)
    w.now -= DAY
    w.run(w.agent.tick(w.now))
    w.pump()
    w.advance(HOUR)
    assert end(w, patch)[0] is P.SUCCEEDED
