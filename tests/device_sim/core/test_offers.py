"""Offers, their cancelling, and the envelopes that they name."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.core import limits
from device_sim.core.profile import AutoConsent, Conditions
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, image
from tests.device_sim.core.stories import TRIAL, WRITE, P, cancel, name, offered, until, world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, HOUR, NOW, PRODUCT, key, offer


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("by the operator", Reason.THRESHOLD_NOT_MET),
        ("for another device", Reason.WRONG_SUBJECT),
        ("for another product", Reason.WRONG_SUBJECT),
        ("over", Reason.EXPIRED),
        ("older than the last", Reason.REPLAYED),
    ],
)
def test_an_offer_that_is_not_for_now_and_here_is_refused(case, reason) -> None:
    w = world()
    patch = w.patch()
    topic = w.topics.device(w.profile.id, "offer")
    if case == "by the operator":
        w.send(topic, FLEET.seal(offer(FLEET), "operator"))
    elif case == "older than the last":
        w.offer(patch, version=NOW + 1_000)
        w.offer(patch)
    else:
        fields = {
            "for another device": {"subject": ("device-0002",)},
            "for another product": {"product": "camera"},
            "over": {"expires": NOW},
        }[case]
        w.offer(patch, **fields)
    w.advance(5)
    assert w.refusals() == [("offer", reason)]
    assert w.agent.patches == ()


def test_an_offer_waits_for_the_catalogue_that_names_it_and_for_freshness() -> None:
    w = world()
    patch = w.patch()
    w.current()
    listed = w.current(patches=((7, patch),))
    w.restart()
    w.offer(patch, catalogue_version=listed.version + 10)
    w.advance(10)
    assert w.agent.patches == ()
    w.version += 10
    w.current(patches=((7, patch),))
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_without_a_fresh_timestamp_nothing_is_installed_but_a_notice_is_shown() -> None:
    w = world()
    w.notice()
    patch = w.patch()
    w.offer(patch)
    w.advance(30)
    assert w.agent.patches == ()
    assert w.shows
    w.current(patches=((7, patch),))
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_timestamp_that_runs_out_during_the_download_holds_the_install_up() -> None:
    w = world()
    patch = w.patch()
    body = w.current(patches=((7, patch),))
    w.serving = False
    w.offer(patch)
    w.advance(6 * HOUR)
    w.serving = True
    w.retained.pop(w.topics.timestamp(PRODUCT))
    w.advance(120)
    assert w.path(name(patch)) == WRITE
    assert w.patch_track(patch).reason is Reason.STALE
    w.stamp(body)
    w.advance(5)
    assert w.path(name(patch)) == [*TRIAL, P.SUCCEEDED]


def test_an_offer_whose_catalogue_never_comes_times_out() -> None:
    w = world()
    patch = w.patch()
    w.offer(patch, deadline=NOW + HOUR)
    w.advance(HOUR)
    assert w.path(name(patch)) == [P.TIMED_OUT]


def test_a_patch_dropped_from_the_catalogue_is_not_installed() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.current()
    assert w.path(name(patch))[-1] is P.REJECTED
    assert w.patch_track(patch).reason is Reason.NOT_IN_CATALOGUE


def test_the_same_offer_after_a_restart_changes_nothing() -> None:
    w = world()
    w.healthy = False
    patch = w.roll_out()
    w.advance(5)
    w.restart()
    w.restart()
    assert w.path(name(patch)).count(P.OFFERED) == 1


def test_another_patch_supersedes_one_that_has_not_begun_to_install() -> None:
    w = world(auto_consent=False)
    first = w.roll_out()
    second = w.patch(8, version=(1, 5, 0, 0))
    w.current(patches=((7, first), (8, second)))
    w.offer(second, 8)
    assert w.path(name(first))[-1] is P.SUPERSEDED
    assert w.path(name(second))[-1] is P.WAITING_FOR_CONFIRMATION
    w.offer(first)
    assert w.path(name(first))[-2:] == [P.OFFERED, P.WAITING_FOR_CONFIRMATION]
    assert w.path(name(second))[-1] is P.SUPERSEDED


def test_a_superseded_patch_comes_back_when_the_other_is_taken_back_and_it_is_offered_again() -> None:
    w = world(auto_consent=False)
    first = w.roll_out()
    second = w.patch(8, version=(1, 5, 0, 0))
    w.current(patches=((7, first), (8, second)))
    w.offer(second, 8)
    w.offer(second, 8, cancel=True)
    assert (w.path(name(first))[-1], w.path(name(second))[-1]) == (P.SUPERSEDED, P.CANCELED)
    w.offer(first)
    w.run(w.agent.consent("yes", w.now))
    w.advance(5)
    assert w.path(name(first))[-1] is P.SUCCEEDED
    assert w.agent.installed == (1, 4, 2, 0)


def test_a_superseded_patch_that_is_offered_once_the_newer_one_runs_is_refused_and_said_to_be() -> None:
    w = world(auto_consent=False)
    first = w.roll_out()
    second = w.patch(8, version=(1, 5, 0, 0))
    w.current(patches=((7, first), (8, second)))
    w.offer(second, 8)
    w.run(w.agent.consent("yes", w.now))
    w.advance(5)
    assert w.path(name(second))[-1] is P.SUCCEEDED
    w.offer(first)
    w.advance(5)
    assert w.path(name(first))[-3:] == [P.SUPERSEDED, P.OFFERED, P.REJECTED]
    assert w.patch_track(first).reason is Reason.DOWNGRADE_REFUSED
    assert w.agent.installed == (1, 5, 0, 0)


def test_only_so_many_patches_are_remembered() -> None:
    w = world(auto_consent=False)
    patches = []
    for number in range(limits.PATCH_TRACKS_MAX + 2):
        patches.append(w.roll_out(sequence=7 + number, version=(1, 5, number, 0)))
        w.advance(1)
    assert [track.digest for track in w.agent.patches] == patches[2:]


def test_an_offer_taken_back_before_the_install_is_cancelled() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.offer(patch, cancel=True)
    assert w.path(name(patch))[-1] is P.CANCELED
    w.offer(patch, cancel=True)
    assert w.path(name(patch))[-1] is P.CANCELED
    w.offer(patch)
    assert w.path(name(patch))[-2:] == [P.OFFERED, P.WAITING_FOR_CONFIRMATION]


def stopped_at(w: World, patch: bytes, state: P) -> None:
    """Bring a patch to a state, with whatever waits still waiting."""
    if state in {P.WAITING_FOR_CONFIRMATION, P.DEFERRED}:
        w.profile = replace(w.profile, auto_consent=AutoConsent.NEVER)
        w.restart()
    w.run(w.agent.conditions(Conditions(busy=state is P.VERIFIED), w.now))
    window = (int(w.now) + HOUR, int(w.now) + 2 * HOUR) if state is P.WAITING_FOR_WINDOW else None
    envelope = w.retained.pop(w.topics.patch(PRODUCT, 7)) if state is P.OFFERED else None
    w.version += 1
    body = offer(FLEET, version=w.version, digest=patch, deadline=NOW + DAY, window=window)
    w.deliver(w.topics.device(w.profile.id, "offer"), w.seal(body))
    if envelope is not None or state in {P.WAITING_FOR_CONFIRMATION, P.DEFERRED}:
        w.pump()
    if state is P.DEFERRED:
        w.run(w.agent.consent("defer", w.now))
    if not w.agent.patches or w.patch_track(patch).state is not state:
        until(w, patch, state)


BEFORE = [
    *(P.OFFERED, P.WAITING_FOR_CONFIRMATION, P.DEFERRED, P.WAITING_FOR_WINDOW),
    *(P.DOWNLOADING, P.DOWNLOADED, P.VERIFIED),
]


@pytest.mark.parametrize("how", ["taken back", "another patch", "dropped from the catalogue", "too late"])
@pytest.mark.parametrize("state", BEFORE, ids=lambda state: state.name)
def test_before_the_install_a_patch_can_be_stopped_at_every_state(state, how) -> None:
    w = world()
    patch, other = w.patch(), w.patch(8, version=(1, 5, 0, 0))
    w.current(patches=((7, patch), (8, other)))
    stopped_at(w, patch, state)
    assert w.patch_track(patch).state is state
    topic = w.topics.device(w.profile.id, "offer")
    if how == "taken back":
        w.run(w.agent.receive(topic, cancel(w, patch), w.now))
        expected = (P.CANCELED, Reason.CANCELED)
    elif how == "another patch":
        w.version += 5
        body = offer(FLEET, version=w.version, sequence=8, digest=other, deadline=NOW + DAY)
        w.run(w.agent.receive(topic, w.seal(body), w.now))
        expected = (P.SUPERSEDED, Reason.SUPERSEDED)
    elif how == "dropped from the catalogue":
        w.queue.clear()
        w.current(patches=((8, other),))
        expected = (P.REJECTED, Reason.NOT_IN_CATALOGUE)
    else:
        w.now += 2 * DAY
        w.run(w.agent.tick(w.now))
        expected = (P.TIMED_OUT, Reason.DEADLINE_PASSED)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == expected
    before = bytes(w.slots[0])
    w.pump()  # whatever was under way for it comes to nothing
    assert w.path(name(patch))[-1] is expected[0]
    assert bytes(w.slots[0]) == before


def test_cancelling_what_was_never_offered_does_nothing() -> None:
    w = world()
    w.offer(w.patch(), cancel=True)
    w.advance(5)
    assert w.agent.patches == ()


def test_cancelling_is_refused_once_the_install_has_begun() -> None:
    w = world()
    patch = offered(w)
    until(w, patch, P.INSTALLING)
    w.run(w.agent.receive(w.topics.device(w.profile.id, "offer"), cancel(w, patch), w.now))
    assert w.path(name(patch))[-1] is P.CANCEL_REJECTED
    w.pump()
    assert w.path(name(patch))[-6:] == [
        *(P.INSTALLING, P.CANCEL_REJECTED, P.INSTALLED, P.REBOOTING, P.TESTING, P.SUCCEEDED),
    ]


def test_cancelling_during_the_trial_is_refused_and_journaled() -> None:
    w = world()
    patch = offered(w)
    until(w, patch, P.TESTING)
    w.run(w.agent.receive(w.topics.device(w.profile.id, "offer"), cancel(w, patch), w.now))
    assert ("offer", Reason.BUSY) in w.refusals()
    w.pump()
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_another_offer_during_the_install_waits_for_its_end() -> None:
    w = world()
    second = w.patch(8, version=(1, 5, 0, 0))
    patch = offered(w, (8, second))
    until(w, patch, P.INSTALLING)
    w.version += 1
    body = offer(FLEET, version=w.version, sequence=8, digest=second, deadline=NOW + DAY)
    w.run(w.agent.receive(w.topics.device(w.profile.id, "offer"), w.seal(body), w.now))
    assert w.patch_track(patch).state is P.INSTALLING
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-2:] == [P.SUCCEEDED, P.REMOVED]
    assert w.path(name(second))[-1] is P.SUCCEEDED


@pytest.mark.parametrize(
    ("signers", "reason"),
    [
        (("release",), Reason.THRESHOLD_NOT_MET),
        (("security",), Reason.THRESHOLD_NOT_MET),
        (("operator", "gateway"), Reason.THRESHOLD_NOT_MET),
        ((), Reason.UNKNOWN_KEY),
    ],
    ids=str,
)
def test_a_patch_that_its_roles_did_not_sign_is_refused(signers, reason) -> None:
    w = world()
    patch = w.patch(signers=signers)
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(10)
    assert w.refusals() == [("patch", reason)]
    assert w.path(name(patch)) == [P.OFFERED]
    w.patch()
    w.advance(limits.RETRY_SECONDS_MAX * 2)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_another_patch_under_the_offered_number_is_refused() -> None:
    w = world()
    patch = w.patch()
    w.current(patches=((7, patch),))
    w.patch(data=image(NEW, fill=9))
    w.offer(patch)
    assert w.refusals() == [("patch", Reason.DIGEST_MISMATCH)]


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_envelope_never_raises_and_never_counts(data) -> None:
    w = world()
    patch = w.patch()
    good = w.retained.pop(w.topics.patch(PRODUCT, 7))
    w.current(patches=((7, patch),))
    w.offer(patch)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :]
    w.send(w.topics.patch(PRODUCT, 7), data.draw(st.sampled_from([bad, good[:place], bad + b"\x00"])))
    w.advance(5)
    assert len(w.refusals()) == 1 or w.path(name(patch))[-1] in {P.OFFERED, P.SUCCEEDED}
    w.send(w.topics.patch(PRODUCT, 7), good)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_an_envelope_that_nobody_asked_for_is_passed_over() -> None:
    w = world()
    w.patch()
    w.send(w.topics.patch(PRODUCT, 7), w.retained[w.topics.patch(PRODUCT, 7)])
    assert w.agent.patches == ()


def test_an_envelope_under_a_newer_root_waits_for_it() -> None:
    from advisories import suit
    from tests.device_sim.core.test_inbox import rotated

    w = world()
    patch = w.patch(signers=("release",))
    topic = w.topics.patch(PRODUCT, 7)
    w.retained[topic] = suit.authenticate(w.retained[topic], key("security-9"))
    rotated(w, security=("security-9",))
    w.current(patches=((7, patch),), version=NOW + 100)
    w.offer(patch)
    w.advance(60)
    assert w.agent.trusted.root.version == 2
    assert w.path(name(patch))[-1] is P.SUCCEEDED
