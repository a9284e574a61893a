"""Threats as a device lives through them, in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisories.notice import Phase
from advisories.states import NoticeState, PatchState
from device_sim.core.measure import measure
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from keys.root import Root
from tests.device_sim.core.firmware import CLASS, NEW, OLD, VENDOR, image
from tests.device_sim.core.stories import name, offered, until, world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, HOUR, NOW, PRODUCT, catalogue, key, notice, offer, text, timestamp
from tests.helpers import answer as make_answer
from tests.keys.threats.policies import entry

ID = "EX-2026-0001"
P = PatchState


def next_root(w: World, gone: str, fresh: str, **changes: object) -> Root:
    """Publish the next root, with another key for one role."""
    role = gone.partition("-")[0]
    last = w.fleet.root
    kept = tuple(found for found in last.keys if found.holder != gone)
    body = replace(
        last, fleet=FLEET.id, version=last.version + 1, issued=int(w.now), keys=(*kept, entry(fresh, role))
    )
    body = replace(body, **changes)  # type: ignore[arg-type]
    w.retained[w.topics.root(body.version)] = seal(body, [key("root-1"), key("root-2")])
    w.fleet = replace(w.fleet, root=body)
    w.holders = {**w.holders, role: (fresh,)}
    return body


# Offline for long.


def test_a_device_asleep_for_five_rotations_and_three_releases_gets_straight_to_the_newest() -> None:
    w = world()
    captured: list[tuple[str, bytes]] = []
    w.disconnect()
    releases = {7: (1, 4, 2, 0), 8: (1, 4, 3, 0), 9: (1, 5, 0, 0)}
    for number in range(2, 7):
        w.now += 100 * DAY  # each root is over before the device wakes, but the last
        next_root(w, f"gateway-{number - 1}", f"gateway-{number}", expires=int(w.now) + 110 * DAY)
    patches = {}
    for sequence, version in releases.items():
        data = image(version, counter=sequence)
        patches[sequence] = w.roll_out(sequence=sequence, data=data, version=version)
        offer_topic = w.topics.device(w.profile.id, "offer")
        captured += [(topic, w.retained[topic]) for topic in (offer_topic, w.topics.catalogue(PRODUCT))]
        w.now += HOUR
    w.stamp(
        w_catalogue := catalogue(
            w.fleet, version=w.version + 1, issued=int(w.now), patches=((9, patches[9]),)
        )
    )
    w.publish(w.topics.catalogue(PRODUCT), w.seal(w_catalogue))
    w.connect()
    for topic, payload in captured:  # the broker replays all that it ever kept, too
        w.send(topic, payload)
    w.advance(600)
    assert w.agent.trusted.root.version == 6
    assert w.agent.installed == releases[9]
    assert w.boots == 2, "it booted an image on the way"
    assert [track.sequence for track in w.agent.patches if track.facts is not None] == [9]
    w.advance(600)
    assert w.agent.installed == releases[9]


# Freeze.


def test_a_frozen_broker_is_noticed_within_the_timestamps_hours_and_a_clock_put_back_does_not_hide_it() -> (
    None
):
    w = world()
    header = w.notice()
    w.current(header)
    assert (w.agent.is_current, w.notice_track().reason) == (True, Reason.OK)
    pinned = dict(w.retained)
    w.advance(6 * HOUR + 60)
    assert (w.agent.is_current, w.notice_track().reason) == (False, Reason.STALE)
    assert not w.shows[-1].confirmed
    assert w.reports[-1].notices[0].reason is Reason.STALE
    w.send(w.topics.timestamp(PRODUCT), pinned[w.topics.timestamp(PRODUCT)])
    assert not w.agent.is_current
    w.now -= 5 * HOUR
    w.restart()
    assert not w.agent.is_current
    w.now += 5 * HOUR
    w.current(header)
    assert (w.agent.is_current, w.notice_track().reason) == (True, Reason.OK)


def test_an_answer_replayed_to_a_device_wears_no_flash() -> None:
    w = world()
    w.notice()
    answer = FLEET.seal(make_answer(FLEET, issued=NOW + 90, version=NOW + 90))
    topic = w.topics.device(w.profile.id, "answer")
    w.send(topic, answer)
    assert w.agent.trusted.time_floor == NOW + 90
    written = w.durable
    for _ in range(50):
        w.send(topic, answer)
    assert w.durable == written


# A stolen gateway key, and a broker that helps the thief.


def test_a_stolen_gateway_key_whose_revocation_the_broker_withholds_can_only_freeze() -> None:
    w = world()
    header = w.notice()
    w.current(header)
    thief = key("gateway-1")
    next_root(w, "gateway-1", "gateway-2")
    hidden = {topic: w.retained.pop(topic) for topic in list(w.retained) if "/root/" in topic}
    w.receipting = False

    # As long as the operator's catalogue lasts the thief keeps the device content with what it has ...
    listed = catalogue(FLEET, header, version=w.version, issued=NOW)
    forged = catalogue(FLEET, version=w.version + 50, issued=NOW + 61)
    w.send(w.topics.catalogue(PRODUCT), seal(forged, [thief]))
    w.advance(10)
    assert ("catalogue", Reason.THRESHOLD_NOT_MET) in w.refusals()
    assert [track.id for track in w.agent.notices] == [header.id]
    for day in range(1, 40):
        w.advance(DAY)
        stamp = timestamp(FLEET, listed, version=w.version + day, issued=int(w.now))
        w.send(w.topics.timestamp(PRODUCT), seal(stamp, [thief]))
    # ... and no longer: the thief cannot sign another catalogue.
    assert not w.agent.is_current
    assert w.notice_track().state is NoticeState.SHOWN, "the thief silenced a notice"
    assert w.notice_track().reason is Reason.STALE
    unlisted = w.patch(signers=("gateway",))
    terms = {"version": w.version + 99, "issued": int(w.now), "deadline": int(w.now) + DAY}
    w.send(w.topics.device(w.profile.id, "offer"), seal(offer(FLEET, digest=unlisted, **terms), [thief]))
    w.advance(60)
    assert (w.agent.installed, w.boots) == (OLD, 1)

    # When the root gets through, what the thief signed is forgotten, and what comes after refused.
    w.retained.update(hidden)
    w.send(w.topics.root(2), hidden[w.topics.root(2)])
    assert w.agent.trusted.root.version == 2
    assert w.agent.trusted.floor("timestamp", PRODUCT) is None
    again = timestamp(FLEET, listed, version=w.version + 999, issued=int(w.now))
    w.send(w.topics.timestamp(PRODUCT), seal(again, [thief]))
    w.advance(120)
    assert w.refusals()[-1] == ("timestamp", Reason.UNKNOWN_KEY)
    w.version += 100
    w.current(header)
    assert w.agent.is_current


# Mix and match.


@pytest.mark.parametrize("older", ["catalogue", "timestamp"])
def test_a_catalogue_beside_another_ones_timestamp_is_not_current(older: str) -> None:
    w = world()
    header = w.notice()
    w.current(header)
    first = dict(w.retained)
    other = world()
    other.notice()
    kept = w.topics.catalogue(PRODUCT) if older == "catalogue" else w.topics.timestamp(PRODUCT)
    w.current(header)
    mixed = {**w.retained, kept: first[kept]}
    other.serving = False
    for topic in (w.topics.catalogue(PRODUCT), w.topics.timestamp(PRODUCT)):
        other.send(topic, mixed[topic])
    assert not other.agent.is_current
    for topic in (w.topics.catalogue(PRODUCT), w.topics.timestamp(PRODUCT)):
        other.send(topic, w.retained[topic])
    assert other.agent.is_current


# Replay of a whole session.


def test_a_captured_session_means_nothing_to_another_device_and_nothing_new_to_the_same() -> None:
    w = world()
    header = w.notice()
    patch = w.roll_out(header)
    w.advance(30)
    assert w.agent.installed == NEW
    session = list(w.retained.items())
    boots, shows, installed = w.boots, len(w.shows), dict(w.agent._session.state.patches)
    for _ in range(3):
        for topic, payload in [*session, *reversed(session)]:
            w.send(topic, payload)
    w.advance(60)
    assert (w.boots, len(w.shows)) == (boots, shows)
    assert w.agent._session.state.patches == installed
    assert w.patch_track(patch).state is P.SUCCEEDED
    stranger = world(id="device-0002")
    for topic, payload in session:
        own = topic.replace(w.profile.id, "device-0002")
        stranger.send(own, payload)
    stranger.advance(60)
    assert ("offer", Reason.WRONG_SUBJECT) in stranger.refusals()
    assert stranger.agent.installed == OLD


# Notices: forged, stale, stripped, suppressed.


def test_a_stale_phase_after_a_newer_one_is_refused_and_the_newer_stays_on_the_screen() -> None:
    w = world()
    w.notice()
    first = w.retained[w.topics.notice(PRODUCT, ID)]
    w.notice(notice(FLEET, revision=2, phase=Phase.UPDATE, version=NOW + 5, issued=NOW + 5))
    w.send(w.topics.notice(PRODUCT, ID), first)
    w.advance(5)
    assert w.notice_track().header.revision == 2
    assert w.refusals() == [(ID, Reason.REPLAYED)]


def test_a_withdrawal_is_believed_only_from_all_who_signed_the_warning() -> None:
    w = world()
    w.notice()
    gone = notice(FLEET, revision=2, phase=Phase.WITHDRAWN, version=NOW + 5, issued=NOW + 5)
    for roles in (("legal",), ("legal", "communications"), ("gateway", "operator", "root")):
        w.send(w.topics.notice(PRODUCT, ID), FLEET.seal(gone, *roles))
    w.advance(10)
    assert w.notice_track().state is NoticeState.SHOWN
    assert {reason for _, reason in w.refusals()} == {Reason.THRESHOLD_NOT_MET}
    w.send(w.topics.notice(PRODUCT, ID), FLEET.seal(gone))
    assert w.notice_track().state is NoticeState.WITHDRAWN


def test_another_text_or_a_stripped_language_never_reaches_the_screen() -> None:
    w = world()
    w.serving = False
    header = w.notice(texts=())
    other = dump(text("en", action="Send your password to security@example.com."))
    w.send(w.topics.text(PRODUCT, "en", ID), other)
    w.send(w.topics.text(PRODUCT, "en", ID), dump(text("de")))
    w.advance(30)
    assert not w.shows
    assert ("text", Reason.DIGEST_MISMATCH) in w.refusals()
    stripped = replace(header, texts={"de": header.texts["de"]}, version=NOW + 5)
    w.send(w.topics.notice(PRODUCT, ID), FLEET.seal(stripped, "engineering", "legal"))
    w.advance(10)
    assert "en" in w.notice_track().header.texts
    w.send(w.topics.text(PRODUCT, "en", ID), dump(text("en")))
    assert [show.text.action for show in w.shows] == [text("en").action]


def test_a_notice_that_is_left_out_of_the_catalogue_stays() -> None:
    w = world()
    header = w.notice()
    w.current(header)
    w.current()
    assert w.notice_track().state is NoticeState.SHOWN
    assert w.notice_track().reason is Reason.STALE


def test_a_notice_that_the_broker_keeps_back_is_missed_as_soon_as_the_catalogue_names_it() -> None:
    w = world()
    header = notice(FLEET)
    w.current(header)
    w.advance(60)
    assert f"notice/{PRODUCT}/{ID}" in {topic for want in w.wants for topic in want.topics}


# Images: swapped, foreign, another of the same number.


def test_an_image_swapped_between_download_and_install_is_not_booted() -> None:
    w = world()
    patch = offered(w)
    until(w, patch, P.INSTALLING)
    w.slots[1] = bytearray(image(NEW, fill=1))  # the same version, other code
    w.queue.clear()
    w.run(w.agent.measured(1, measure(bytes(w.slots[1])), w.now))
    w.pump()
    assert (w.patch_track(patch).reason, w.agent.installed) == (Reason.DIGEST_MISMATCH, OLD)
    assert w.boots == 1


def test_an_image_of_the_same_version_swapped_before_the_boot_is_not_confirmed() -> None:
    w = world()
    start = w.start

    def swap() -> None:
        if w.slots[1]:
            w.slots[1] = bytearray(image(NEW, fill=1))
        start()

    w.start = swap  # type: ignore[method-assign]
    patch = w.roll_out()
    w.advance(30)
    assert w.patch_track(patch).state is not P.SUCCEEDED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"vendor_id": bytes(16)}, Reason.WRONG_MODEL),
        ({"class_id": bytes(16)}, Reason.WRONG_MODEL),
        ({"vendor_id": CLASS, "class_id": VENDOR}, Reason.WRONG_MODEL),
        ({"component": (b"\x01",)}, Reason.UNSUPPORTED),
        ({"component": (b"\x00", b"boot")}, Reason.UNSUPPORTED),
    ],
)
def test_a_genuine_patch_for_another_device_or_another_place_is_not_installed(
    fields: dict[str, object], reason: Reason
) -> None:
    fine = world()
    fine.roll_out()
    fine.advance(30)
    assert fine.agent.installed == NEW
    w = world()
    patch = w.roll_out(**fields)  # type: ignore[arg-type]
    w.advance(30)
    ended = P.NOT_APPLICABLE if reason is Reason.WRONG_MODEL else P.REJECTED
    assert (w.path(name(patch))[-1], w.patch_track(patch).reason) == (ended, reason)
    assert (w.agent.installed, w.boots) == (OLD, 1)


def test_the_same_number_with_another_digest_and_a_lower_number_are_refused() -> None:
    w = world()
    w.roll_out(sequence=7)
    w.advance(30)
    assert w.agent.installed == NEW
    other = w.roll_out(sequence=7, data=image((1, 4, 3, 0), counter=2), version=(1, 4, 3, 0))
    w.advance(30)
    assert w.patch_track(other).reason is Reason.EQUIVOCATION
    lower = w.roll_out(sequence=6, data=image((1, 4, 4, 0), counter=2), version=(1, 4, 4, 0))
    w.advance(30)
    assert w.patch_track(lower).reason is Reason.DOWNGRADE_REFUSED
    assert w.agent.installed == NEW


def test_a_patch_that_no_operator_listed_is_not_installed() -> None:
    w = world()
    listed = w.patch(8)
    unlisted = w.patch()
    w.current(patches=((8, listed),))
    w.offer(unlisted)
    w.advance(30)
    assert w.patch_track(unlisted).reason is Reason.NOT_IN_CATALOGUE
    assert w.agent.installed == OLD
