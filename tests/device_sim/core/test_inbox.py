"""Any topic, any order, any bytes; roots walked; refusals journaled within bounds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.states import NoticeState
from device_sim.core import effects as do
from device_sim.core import limits
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.world import FLEET, World
from tests.helpers import (
    DAY,
    DEVICE,
    HOLDERS,
    HOUR,
    NOW,
    PRODUCT,
    catalogue,
    key,
    make_fleet,
    notice,
    offer,
    root_keys,
    timestamp,
)

ID = "EX-2026-0001"
TOPICS = [
    "tocsin/v1/root/2",
    "tocsin/v1/root/x",
    f"tocsin/v1/timestamp/{PRODUCT}",
    f"tocsin/v1/catalogue/{PRODUCT}",
    f"tocsin/v1/notice/{PRODUCT}/{ID}",
    f"tocsin/v1/notice/{PRODUCT}/",
    f"tocsin/v1/text/{PRODUCT}/en/{ID}",
    f"tocsin/v1/patch/{PRODUCT}/7",
    f"tocsin/v1/device/{DEVICE}/offer",
    f"tocsin/v1/device/{DEVICE}/answer",
    f"tocsin/v1/device/{DEVICE}/block",
    f"tocsin/v1/device/{DEVICE}/report",
    "tocsin/v1",
    "",
    "\ud800",
]


def world(**profile) -> World:
    made = World(**profile)
    made.connect()
    return made


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TOPICS) | st.text(max_size=40),
            st.binary(max_size=200)
            | st.sampled_from(
                [
                    FLEET.seal(notice(FLEET)),
                    FLEET.seal(catalogue(FLEET)),
                    FLEET.seal(timestamp(FLEET)),
                    FLEET.seal(offer(FLEET)),
                    FLEET.root_document,
                ]
            ),
        ),
        max_size=12,
    )
)
def test_no_message_ever_raises(messages) -> None:
    w = world()
    for topic, payload in messages:
        w.send(topic, payload)
    w.advance(400)
    w.restart()


@pytest.mark.parametrize(
    "topic", ["other/v1/root/2", f"tocsin/v1/notice/camera/{ID}", "tocsin/v1/device/x/offer"]
)
def test_what_is_not_for_this_device_is_logged_and_passed_over(topic) -> None:
    w = world()
    w.send(topic, b"anything")
    assert w.logs[-1].reason is Reason.WRONG_TYPE
    assert w.refusals() == []


def test_an_empty_retained_message_says_nothing() -> None:
    w = world()
    effects = len(w.effects)
    w.send(w.topics.notice(PRODUCT, ID), b"")
    assert len(w.effects) == effects


def test_the_same_bytes_are_verified_once() -> None:
    w = world()
    header = w.notice()
    w.current(header)
    w.advance(1)
    effects = len(w.effects)
    for topic, payload in list(w.retained.items()):
        if w.hears(topic):
            w.send(topic, payload)
    assert len(w.effects) == effects


def test_an_old_catalogue_replayed_is_journaled() -> None:
    w = world()
    header = w.notice()
    topic = w.topics.catalogue(PRODUCT)
    w.current()
    old = w.retained[topic]
    w.current(header)
    w.send(topic, old)
    w.send(topic, old)
    assert w.refusals() == [("catalogue", Reason.REPLAYED)]
    assert w.agent.is_current


def test_an_old_timestamp_replayed_is_journaled() -> None:
    w = world()
    topic = w.topics.timestamp(PRODUCT)
    body = w.current()
    old = w.retained[topic]
    w.stamp(body)
    w.send(topic, old)
    assert w.refusals() == [("timestamp", Reason.REPLAYED)]


def test_an_expired_timestamp_is_refused_without_waiting_for_a_root() -> None:
    w = world()
    w.stamp(catalogue(FLEET), expires=NOW)
    assert w.refusals() == [("timestamp", Reason.EXPIRED)]


@pytest.mark.parametrize("drop", ["catalogue", "timestamp"])
def test_a_missing_piece_of_freshness_is_wanted_with_growing_pauses(drop) -> None:
    w = World()
    w.current()
    topic = {"catalogue": w.topics.catalogue(PRODUCT), "timestamp": w.topics.timestamp(PRODUCT)}[drop]
    kept = w.retained.pop(topic)
    w.connect()
    w.advance(HOUR)
    asked = [want for want in w.wants if f"{drop}/{PRODUCT}" in want.topics]
    assert 10 <= len(asked) <= 20
    w.retained[topic] = kept
    w.advance(limits.RETRY_SECONDS_MAX + 1)
    assert w.agent.is_current


def test_a_timestamp_over_a_newer_catalogue_makes_the_device_ask_for_it() -> None:
    w = world()
    w.current()
    newer = catalogue(FLEET, version=NOW + 100)
    w.retained[w.topics.catalogue(PRODUCT)] = FLEET.seal(newer)
    w.version += 200
    w.stamp(newer)
    assert not w.agent.is_current
    w.advance(3)
    assert w.agent.is_current


def test_a_catalogue_past_its_time_is_not_current() -> None:
    w = world()
    body = w.current(expires=int(w.now) + 60)
    w.advance(61)
    assert not w.agent.is_current
    w.stamp(body)
    assert not w.agent.is_current


def rotated(w: World, **roles: tuple[str, ...]) -> None:
    """Root 2 replaces the holders of some roles; the world's fleet signs with the new ones."""
    w.holders = {**HOLDERS, **roles}
    w.next_root(keys=root_keys(w.holders))


def test_a_root_named_by_the_timestamp_is_fetched_and_walked() -> None:
    w = world()
    w.next_root()
    w.current()
    w.advance(1)
    assert w.agent.trusted.root.version == 2
    assert w.most_filters <= 8
    assert w.extra == set()


def test_a_document_under_a_newer_root_waits_until_that_root_is_here() -> None:
    w = world()
    header = notice(FLEET)
    rotated(w, legal=("legal-9",))
    signers = [key("engineering-1"), key("legal-9"), key("communications-1")]
    w.publish(w.topics.notice(PRODUCT, ID), seal(header, signers))
    w.advance(1)
    assert w.agent.trusted.root.version == 2
    assert [track.id for track in w.agent.notices] == [ID]
    assert w.refusals() == []


def test_a_timestamp_by_a_key_that_only_a_newer_root_knows_is_a_reason_to_look() -> None:
    w = world()
    rotated(w, gateway=("gateway-9",))
    body = catalogue(FLEET)
    w.publish(w.topics.catalogue(PRODUCT), FLEET.seal(body))
    stamp = timestamp(FLEET, body, root_version=2)
    w.publish(w.topics.timestamp(PRODUCT), seal(stamp, [key("gateway-9")]))
    w.advance(1)
    assert w.agent.trusted.root.version == 2
    assert w.agent.is_current


def test_when_there_is_no_newer_root_the_document_is_refused_and_judged_again_once_there_is() -> None:
    w = world()
    header = notice(FLEET)
    signers = [key("engineering-1"), key("legal-9"), key("communications-1")]
    w.publish(w.topics.notice(PRODUCT, ID), seal(header, signers))
    w.advance(limits.FETCH_SECONDS + 1)
    assert w.refusals() == [(ID, Reason.THRESHOLD_NOT_MET)]
    rotated(w, legal=("legal-9",))
    w.current(header)
    w.advance(30)
    assert w.agent.trusted.root.version == 2
    assert w.notice_track().confirmed


def test_a_second_forgery_needs_no_second_search_for_a_root() -> None:
    w = world()
    for number, at_once in ((1, False), (2, True)):
        forged = seal(notice(FLEET, revision=number), [key("nobody")])
        w.send(w.topics.notice(PRODUCT, ID), forged)
        assert len(w.refusals()) == (number if at_once else number - 1)
        w.advance(limits.FETCH_SECONDS + 1)
        assert len(w.refusals()) == number


def test_a_timestamp_that_is_not_one_is_no_hint() -> None:
    w = world()
    w.send(w.topics.timestamp(PRODUCT), seal(notice(FLEET), [key("nobody")]))
    unknown = replace(timestamp(FLEET), type="timestamp")
    w.send(w.topics.timestamp(PRODUCT), seal(unknown, [key("nobody")]))
    w.send(w.topics.timestamp(PRODUCT), seal(replace(notice(FLEET), type="timestamp"), [key("nobody")]))
    w.advance(10)
    assert {reason for _, reason in w.refusals()} == {Reason.WRONG_TYPE, Reason.UNKNOWN_KEY}


def test_only_so_many_documents_are_held_and_none_is_dropped_without_a_word() -> None:
    w = world()
    for number in range(limits.HELD_DOCUMENTS_MAX + 2):
        w.send(w.topics.notice(PRODUCT, ID), seal(notice(FLEET, revision=number), [key("nobody")]))
    assert len(w.refusals()) == 2
    w.advance(limits.FETCH_SECONDS + 1)
    assert len(w.refusals()) == limits.HELD_DOCUMENTS_MAX + 2


def test_offline_a_document_is_held_no_longer_than_the_search_would_take() -> None:
    w = World()
    w.send(w.topics.notice(PRODUCT, ID), seal(notice(FLEET), [key("nobody")]))
    w.advance(limits.FETCH_SECONDS + 1)
    assert w.refusals() == [(ID, Reason.UNKNOWN_KEY)]


def test_roots_are_walked_one_by_one_whatever_order_they_come_in() -> None:
    w = world()
    second = w.next_root()
    w.retained.clear()
    third = seal(
        replace(w.fleet.root, version=3, issued=NOW + 2 * DAY, expires=NOW + 400 * DAY),
        [FLEET.holder(name) for name in ("root-1", "root-2")],
    )
    w.send(w.topics.root(3), third)
    assert w.agent.trusted.root.version == 1
    w.send(w.topics.root(2), second)
    assert w.agent.trusted.root.version == 3
    w.send(w.topics.root(3), third)
    assert w.refusals() == []
    w.send(w.topics.root(2), second)
    assert w.refusals() == [("root", Reason.REPLAYED)]


def test_a_root_that_was_not_signed_by_the_old_one_is_refused() -> None:
    w = world()
    w.send(w.topics.root(2), seal(FLEET.next_root(), [FLEET.holder("root-1")]))
    w.advance(5)
    assert w.refusals() == [("root", Reason.THRESHOLD_NOT_MET)]
    assert w.agent.trusted.root.version == 1


def test_an_expired_root_still_verifies_its_successor_and_a_notice_but_nothing_fresh() -> None:
    w = World()
    w.now = NOW + 366 * DAY
    w.connect()
    header = w.notice(notice(FLEET, expires=NOW + 400 * DAY))
    assert w.notice_track().state is NoticeState.SHOWN
    w.current(header)
    assert not w.agent.is_current
    w.next_root(expires=NOW + 700 * DAY)
    w.advance(60)
    assert w.agent.trusted.root.version == 2
    assert w.agent.is_current


def test_a_key_that_a_new_root_revoked_no_longer_vouches_for_what_is_current() -> None:
    w = world()
    w.current(w.notice())
    assert w.agent.is_current
    rotated(w, gateway=("gateway-9",), operator=("operator-9",))
    w.send(w.topics.root(2), w.retained[w.topics.root(2)])
    assert not w.agent.is_current
    assert w.shows[-1].confirmed is False


def test_refusals_are_bounded_for_each_boot_and_the_bound_is_journaled() -> None:
    w = world()
    for number in range(limits.REFUSALS_PER_BOOT_MAX + 10):
        w.send(w.topics.catalogue(PRODUCT), b"nonsense %d" % number)
    refusals = w.refusals()
    assert len(refusals) == limits.REFUSALS_PER_BOOT_MAX + 1
    assert refusals[-1] == ("more refusals", Reason.LIMIT_REACHED)
    w.restart()
    w.send(w.topics.catalogue(PRODUCT), b"more nonsense")
    assert len(w.refusals()) == limits.REFUSALS_PER_BOOT_MAX + 2


def test_the_memory_of_refused_bytes_is_bounded() -> None:
    w = world()
    for number in range(limits.REMEMBERED_MAX + 10):
        w.send(w.topics.catalogue(PRODUCT), b"nonsense %d" % number)
    assert len(w.agent._inbox._refused) == limits.REMEMBERED_MAX


def test_waking_is_asked_for_only_when_something_waits() -> None:
    w = World()
    assert not [effect for effect in w.effects if isinstance(effect, do.WakeAt)]


def test_another_fleet_is_another_world() -> None:
    other = make_fleet(now=NOW + 1)
    w = world()
    w.send(w.topics.catalogue(PRODUCT), other.seal(catalogue(other)))
    assert w.refusals() == [("catalogue", Reason.WRONG_FLEET)]
