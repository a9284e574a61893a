"""What a device does with an offered patch, from the offer to the confirmed boot or back."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.offer import Consent
from advisories.report import Block, Track
from advisories.states import NoticeState, PatchState, Surface
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.slots import BootRecord, load_record
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.world import FLEET, NEW, OLD, World, image
from tests.helpers import DAY, HOUR, NOW, PRODUCT, key, notice, offer

P = PatchState
WRITE = [P.OFFERED, P.DOWNLOADING, P.DOWNLOADED, P.VERIFIED]
TRIAL = [*WRITE, P.INSTALLING, P.INSTALLED, P.REBOOTING, P.TESTING]


def world(**profile) -> World:
    made = World(**profile)
    made.connect()
    return made


def name(patch: bytes) -> str:
    return patch.hex()[:16]


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
    author.mcuboot.parse = lambda _: parse(real)
    try:
        patch = w.patch(7, data)
    finally:
        author.mcuboot.parse = parse
    w.current(patches=((7, patch),))
    w.offer(patch)
    w.advance(5)
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (P.REJECTED, Reason.MALFORMED)


# Offers.


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
    assert w.path(name(first))[-1] is P.SUPERSEDED


def test_only_so_many_patches_are_remembered() -> None:
    w = world(auto_consent=False)
    patches = []
    for number in range(limits.PATCH_TRACKS_MAX + 2):
        patches.append(w.roll_out(sequence=7 + number, version=(1, 5, number, 0)))
        w.advance(1)
    assert [track.digest for track in w.agent.patches] == patches[2:]


# Cancelling.


def test_an_offer_taken_back_before_the_install_is_cancelled() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.offer(patch, cancel=True)
    assert w.path(name(patch))[-1] is P.CANCELED
    w.offer(patch, cancel=True)
    assert w.path(name(patch))[-1] is P.CANCELED
    w.offer(patch)
    assert w.path(name(patch))[-2:] == [P.OFFERED, P.WAITING_FOR_CONFIRMATION]


def test_cancelling_what_was_never_offered_does_nothing() -> None:
    w = world()
    w.offer(w.patch(), cancel=True)
    w.advance(5)
    assert w.agent.patches == ()


def until(w: World, patch: bytes, state: PatchState) -> None:
    """Stop the world when the patch has reached a state, with whatever waits still waiting."""
    while w.queue:
        w.run(w.queue.popleft()())
        if w.agent.patches and w.patch_track(patch).state is state:
            return
    raise AssertionError(f"never {state.name}")


def offered(w: World, *others: tuple[int, bytes]) -> bytes:
    """Roll out, but leave the offer in the queue."""
    patch = w.patch()
    w.current(patches=((7, patch), *others))
    w.version += 1
    body = offer(FLEET, version=w.version, digest=patch, deadline=NOW + DAY)
    w.deliver(w.topics.device(w.profile.id, "offer"), w.seal(body))
    return patch


def cancel(w: World, patch: bytes) -> bytes:
    w.version += 5
    return w.seal(offer(FLEET, version=w.version, digest=patch, deadline=NOW + DAY, cancel=True))


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


# Consent.


def test_the_owner_is_asked_with_the_notice_that_the_patch_mends() -> None:
    w = world(auto_consent=False)
    patch = w.patch()
    header = w.notice(notice(FLEET, patches={PRODUCT: (patch,)}))
    w.current(header, patches=((7, patch),))
    w.offer(patch)
    assert w.asks == [do.AskConsent("1.4.2", header, final=False)]
    w.advance(HOUR)
    assert len(w.asks) == 1
    w.run(w.agent.consent("yes", w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch)) == [P.OFFERED, P.WAITING_FOR_CONFIRMATION, *TRIAL[1:], P.SUCCEEDED]


def test_the_owner_who_says_no_is_not_asked_again() -> None:
    w = world(auto_consent=False)
    patch = w.roll_out()
    w.run(w.agent.consent("no", w.now))
    w.restart()
    w.run(w.agent.consent("yes", w.now))
    assert w.path(name(patch))[-1] is P.DECLINED
    assert len(w.asks) == 1


def test_the_owner_may_put_it_off_only_so_often() -> None:
    w = world(auto_consent=False, defer_max=2, defer_seconds=HOUR)
    patch = w.roll_out()
    for _ in range(2):
        w.run(w.agent.consent("defer", w.now))
        assert w.path(name(patch))[-1] is P.DEFERRED
        w.advance(HOUR)
        assert w.path(name(patch))[-1] is P.WAITING_FOR_CONFIRMATION
    assert [ask.final for ask in w.asks] == [False, False, True]
    w.run(w.agent.consent("defer", w.now))
    assert w.path(name(patch))[-1] is P.WAITING_FOR_CONFIRMATION
    assert [ask.final for ask in w.asks][-1:] == [True]
    assert len(w.asks) == 4


def test_the_question_comes_again_after_a_restart() -> None:
    w = world(auto_consent=False)
    w.roll_out()
    w.restart()
    assert len(w.asks) == 2


def test_an_offer_may_ask_although_the_owner_agreed_beforehand() -> None:
    w = world()
    patch = w.roll_out(consent=Consent.ASK)
    assert w.path(name(patch))[-1] is P.WAITING_FOR_CONFIRMATION


def test_an_offer_that_asks_for_more_consent_than_the_last_begins_again() -> None:
    w = world()
    w.serving = False
    patch = w.roll_out()
    assert w.patch_track(patch).state is P.DOWNLOADING
    w.offer(patch, consent=Consent.ASK)
    assert w.path(name(patch)) == [
        *(P.OFFERED, P.DOWNLOADING, P.CANCELED, P.OFFERED, P.WAITING_FOR_CONFIRMATION),
    ]


def test_a_manifest_whose_text_was_cut_names_no_version_and_the_image_does() -> None:
    from advisories import suit

    w = world(auto_consent=False)
    patch = w.patch()
    topic = w.topics.patch(PRODUCT, 7)
    whole = suit.decode(w.retained[topic])
    w.retained[topic] = suit.encode(suit.Envelope(whole.digest, whole.blocks, whole.manifest))
    w.current(patches=((7, patch),))
    w.offer(patch)
    assert w.asks[0].version == ""
    w.run(w.agent.consent("yes", w.now))
    w.pump()
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


# Windows and deadlines.


def test_a_patch_waits_for_its_window() -> None:
    w = world()
    patch = w.roll_out(window=(NOW + HOUR, NOW + 2 * HOUR))
    w.advance(HOUR - 61)
    assert w.path(name(patch)) == [P.OFFERED, P.WAITING_FOR_WINDOW]
    w.advance(10)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_window_that_moves_while_the_patch_is_ready_is_kept() -> None:
    w = world()
    patch = w.roll_out(window=(NOW + HOUR, NOW + 2 * HOUR))
    w.serving = False
    w.advance(HOUR)
    assert w.patch_track(patch).state is P.DOWNLOADING
    w.offer(patch, window=(NOW + 3 * HOUR, NOW + 4 * HOUR))
    w.serving = True
    w.advance(10 * 60)
    assert w.path(name(patch))[-1] is P.VERIFIED
    w.advance(2 * HOUR)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


def test_a_window_taken_away_lets_the_patch_go_on() -> None:
    w = world()
    patch = w.roll_out(window=(NOW + HOUR, NOW + 2 * HOUR))
    w.offer(patch)
    w.advance(5)
    assert w.path(name(patch))[-1] is P.SUCCEEDED


@pytest.mark.parametrize("terms", [{"deadline": NOW + HOUR}, {"window": (NOW, NOW + HOUR)}], ids=str)
def test_an_install_not_begun_in_time_is_timed_out(terms) -> None:
    w = world(auto_consent=False)
    patch = w.roll_out(**terms)
    w.advance(HOUR - 61)
    assert w.patch_track(patch).state is P.WAITING_FOR_CONFIRMATION
    w.advance(1)
    assert w.path(name(patch))[-1] is P.TIMED_OUT


# Envelopes.


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


# Blocks.


def lossy(w: World, pattern: str) -> None:
    """Lose or spoil blocks by a repeating pattern of letters."""
    count = iter(pattern * 1_000)

    def fault(block: Block) -> Block | None:
        match next(count):
            case "x":
                return None
            case "d":
                return Block(digest=bytes(32), offset=block.offset, data=block.data)
            case "l":
                return Block(digest=block.digest, offset=block.offset, data=block.data + b"!")
            case "f":
                return Block(digest=block.digest, offset=block.offset + (1 << 20), data=block.data)
        return block

    w.deaf = fault


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
    assert len(w.agent._patches._download._early) == 16
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
    w.advance(10)
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
    w.run(w.agent.measured(1, b"something else", w.now))
    assert w.path(name(patch))[-2:] == [P.INSTALLED, P.FAILED]
    assert w.boots == 1
    assert load_record(w.boot) == BootRecord(active=0)


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    w = world()
    before = len(w.effects)
    w.run(w.agent.measured(1, b"", w.now))
    w.run(w.agent.tested(True, w.now))
    w.run(w.agent.consent("yes", w.now))
    assert len(w.effects) == before
    patch = w.roll_out(consent=Consent.ASK)
    w.run(w.agent.measured(1, b"", w.now))
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
    assert w.wants[wants].blocks[1] == 65_536
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
