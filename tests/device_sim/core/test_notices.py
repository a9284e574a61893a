"""What a device does with a notice, from its header to the owner's acknowledgement."""

from dataclasses import replace

import pytest

from advisories.catalogue import Catalogue
from advisories.notice import Notice, Phase
from advisories.states import NoticeState, Surface
from device_sim.core import effects as do
from device_sim.core import limits
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from tests.device_sim.core.firmware import NEW, image
from tests.device_sim.core.stories import world
from tests.device_sim.core.world import FLEET, World
from tests.helpers import DAY, HOUR, NOW, PRODUCT, catalogue, notice, text, timestamp

S = NoticeState
ID = "EX-2026-0001"


def test_a_genuine_notice_is_shown_at_once_and_confirmed_later() -> None:
    w = world()
    header = w.notice()
    assert w.notice_track().state is S.SHOWN
    assert w.notice_track().reason is Reason.STALE
    assert [show.confirmed for show in w.shows] == [False]
    w.current(header)
    assert [show.confirmed for show in w.shows] == [False, True]
    assert w.notice_track().reason is Reason.OK
    assert w.notice_track().confirmed == int(w.now)
    assert w.path(ID) == [S.DELIVERED, S.VERIFIED, S.SHOWN]


def test_a_notice_that_comes_after_its_catalogue_is_confirmed_when_first_shown() -> None:
    w = world()
    header = notice(FLEET)
    w.current(header)
    w.notice(header)
    assert [show.confirmed for show in w.shows] == [True]
    assert w.notice_track().confirmed == int(w.now)


def test_the_shown_check_code_belongs_to_the_header() -> None:
    w = world()
    w.notice()
    assert len(w.shows[0].check_code) == 7
    assert w.shows[0].text == text("en")


def test_the_owner_acknowledges_what_is_shown_and_a_second_time_changes_nothing() -> None:
    w = world()
    w.notice()
    w.run(w.agent.acknowledge(w.now, "EX-OTHER"))
    assert w.notice_track().state is S.SHOWN
    w.run(w.agent.acknowledge(w.now))
    w.run(w.agent.acknowledge(w.now))
    assert w.path(ID) == [S.DELIVERED, S.VERIFIED, S.SHOWN, S.ACKNOWLEDGED]


def test_a_device_that_is_not_affected_is_told_nothing() -> None:
    w = world()
    w.notice(notice(FLEET, affected={PRODUCT: (((1, 0, 0, 0), (1, 2, 0, 0)),)}))
    assert w.path(ID) == [S.DELIVERED, S.NOT_APPLICABLE]
    assert w.notice_track().reason is Reason.NOT_AFFECTED
    assert w.shows == []


def test_a_device_without_a_surface_ends_at_delivered() -> None:
    w = world(surface=Surface.NONE)
    w.notice()
    w.advance(60)
    assert w.path(ID) == [S.DELIVERED]
    assert w.shows == []
    assert not [want for want in w.wants if any("text" in topic for topic in want.topics)]


def forged(header: Notice) -> bytes:
    return seal(header, [FLEET.holder("nobody"), FLEET.holder("no one"), FLEET.holder("none")])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unknown keys", Reason.UNKNOWN_KEY),
        ("no Legal", Reason.THRESHOLD_NOT_MET),
        ("one holder twice", Reason.THRESHOLD_NOT_MET),
        ("damaged signature", Reason.BAD_SIGNATURE),
        ("other product", Reason.WRONG_SUBJECT),
        ("other advisory's topic", Reason.WRONG_SUBJECT),
        ("other fleet", Reason.WRONG_FLEET),
        ("a catalogue", Reason.WRONG_TYPE),
        ("too big", Reason.TOO_BIG),
        ("not CBOR", Reason.MALFORMED),
    ],
)
def test_a_notice_that_is_not_genuine_is_journaled_once_and_never_shown(name, reason) -> None:
    w = world()
    header = notice(FLEET)
    data = {
        "unknown keys": lambda: forged(header),
        "no Legal": lambda: FLEET.seal(header, "engineering", "communications"),
        "one holder twice": lambda: FLEET.seal(header, "engineering", "engineering", "communications"),
        "damaged signature": lambda: FLEET.seal(header)[:-1] + b"\x00",
        "other product": lambda: FLEET.seal(replace(header, subject=("camera",))),
        "other advisory's topic": lambda: FLEET.seal(replace(header, id="EX-2026-0002")),
        "other fleet": lambda: FLEET.seal(replace(header, fleet=bytes(32))),
        "a catalogue": lambda: FLEET.seal(catalogue(FLEET)),
        "too big": lambda: b"x" * 200_000,
        "not CBOR": lambda: b"\xff",
    }[name]()
    topic = w.topics.notice(PRODUCT, ID)
    for _ in range(3):
        w.send(topic, data)
        w.advance(5)
    assert w.refusals() == [(ID, reason)]
    assert w.agent.notices == ()
    assert w.shows == []
    w.notice(header)  # and the genuine one is not kept out by it
    assert w.notice_track().state is S.SHOWN


def test_a_higher_revision_supersedes_and_is_shown_again() -> None:
    w = world()
    w.notice()
    w.run(w.agent.acknowledge(w.now))
    second = w.notice(notice(FLEET, revision=2, version=NOW + 1, phase=Phase.UPDATE))
    assert w.path(ID) == [
        *(S.DELIVERED, S.VERIFIED, S.SHOWN, S.ACKNOWLEDGED, S.SUPERSEDED),
        *(S.DELIVERED, S.VERIFIED, S.SHOWN),
    ]
    assert w.notice_track().header == second


def test_an_older_revision_after_a_newer_one_is_a_replay() -> None:
    w = world()
    w.notice(notice(FLEET, revision=2, version=NOW + 1))
    w.notice(notice(FLEET))
    assert w.refusals() == [(ID, Reason.REPLAYED)]
    assert w.notice_track().header.revision == 2


def test_two_headers_of_one_version_are_equivocation() -> None:
    w = world()
    w.notice()
    w.notice(notice(FLEET, revision=2))
    assert w.refusals() == [(ID, Reason.EQUIVOCATION)]


def test_a_withdrawn_notice_ends_and_tells_only_those_who_were_told() -> None:
    told, late = world(), world()
    told.notice()
    withdrawn = notice(FLEET, revision=2, version=NOW + 1, phase=Phase.WITHDRAWN)
    for w in (told, late):
        w.notice(withdrawn)
        assert w.path(ID)[-1] is S.WITHDRAWN
    assert [show.notice.revision for show in told.shows] == [1, 2]
    assert late.shows == []
    told.notice(notice(FLEET, revision=3, version=NOW + 2))
    assert told.path(ID)[-4:] == [S.WITHDRAWN, S.DELIVERED, S.VERIFIED, S.SHOWN]


def test_a_notice_expires_as_time_passes() -> None:
    w = world()
    w.notice(notice(FLEET, expires=NOW + HOUR))
    w.advance(HOUR - 61)
    assert w.notice_track().state is S.SHOWN
    w.advance(1)
    assert w.path(ID)[-1] is S.EXPIRED
    assert w.notice_track().reason is Reason.EXPIRED


def test_a_notice_that_comes_too_late_counts_as_expired_unseen() -> None:
    w = World()
    w.now = NOW + 2 * HOUR
    w.connect()
    w.notice(notice(FLEET, expires=NOW + HOUR))
    assert w.path(ID) == [S.DELIVERED, S.EXPIRED]
    assert w.shows == []


def test_a_notice_without_an_end_does_not_expire() -> None:
    w = world()
    w.notice(notice(FLEET, expires=None))
    w.now += 3 * 365 * DAY
    w.advance(1)
    assert w.notice_track().state is S.SHOWN


def test_confirmation_lapses_when_the_timestamp_is_over_and_returns_with_a_new_one() -> None:
    w = world()
    header = w.notice()
    body = w.current(header)
    first = w.notice_track().confirmed
    w.advance(6 * HOUR + 1)
    assert w.notice_track().reason is Reason.STALE
    assert w.shows[-1].confirmed is False
    assert not w.agent.is_current
    w.stamp(body)
    assert w.shows[-1].confirmed is True
    assert w.notice_track().confirmed == first
    assert len(w.path(ID)) == 3


@pytest.mark.parametrize("change", ["other digest", "older revision", "not named"])
def test_only_the_very_header_that_the_catalogue_names_is_confirmed(change) -> None:
    w = world()
    header = w.notice()
    other = {
        "other digest": replace(header, severity=header.severity - 1),
        "older revision": replace(header, revision=2),
        "not named": None,
    }[change]
    w.current(*([other] if other else []))
    assert w.notice_track().confirmed is None
    assert w.shows[-1].confirmed is False


def test_a_catalogue_that_names_something_unseen_makes_the_device_ask_for_it() -> None:
    w = world()
    header = notice(FLEET)
    w.current(header)
    w.retained[w.topics.notice(PRODUCT, ID)] = FLEET.seal(header)
    w.retained[w.topics.text(PRODUCT, "en", ID)] = dump(text())
    w.advance(10)
    assert w.notice_track().state is S.SHOWN


def test_reminders_come_until_their_number_is_used_up_or_the_owner_answers() -> None:
    patient, prompt = world(), world()
    for w in (patient, prompt):
        w.notice(notice(FLEET, reminder=(DAY, 2)))
    prompt.advance(DAY)
    prompt.run(prompt.agent.acknowledge(prompt.now))
    prompt.advance(5 * DAY)
    patient.advance(5 * DAY)
    assert len(patient.shows) == 3
    assert len(prompt.shows) == 2


def test_reminders_that_were_slept_through_come_once() -> None:
    w = world()
    w.notice(notice(FLEET, reminder=(DAY, 5)))
    w.now += 3 * DAY
    w.run(w.agent.tick(w.now))
    w.pump()
    assert len(w.shows) == 2
    assert w.notice_track().reminders == 3


def test_what_was_shown_and_not_acknowledged_is_drawn_again_after_a_restart() -> None:
    w = world()
    header = w.notice()
    w.current(header)
    w.shows.clear()
    w.start()
    assert [show.confirmed for show in w.shows] == [True]
    w.run(w.agent.acknowledge(w.now))
    w.shows.clear()
    w.start()
    assert w.shows == []


def test_a_restart_with_another_version_decides_again() -> None:
    w = world()
    w.notice()
    w.slots[0][:] = image(NEW)
    w.restart()
    assert w.path(ID)[-1] is S.NOT_APPLICABLE
    w.slots[0][:] = image()
    w.restart()
    assert w.path(ID)[-2:] == [S.VERIFIED, S.SHOWN]


def test_without_a_surface_an_affected_version_makes_it_applicable_again() -> None:
    w = world(surface=Surface.NONE)
    w.slots[0][:] = image(NEW)
    w.restart()
    w.notice()
    assert w.path(ID) == [S.DELIVERED, S.NOT_APPLICABLE]
    w.slots[0][:] = image()
    w.restart()
    assert w.path(ID)[-1] is S.VERIFIED
    w.restart()
    assert w.path(ID)[-1] is S.VERIFIED


def test_room_is_made_by_forgetting_what_ended_then_what_never_applied() -> None:
    w = world()
    w.notice(notice(FLEET, id="EX-0", expires=NOW + 61), texts=())
    w.notice(notice(FLEET, id="EX-1", affected={}), texts=())
    w.advance(5)
    for number in range(2, limits.NOTICE_TRACKS_MAX):
        w.notice(notice(FLEET, id=f"EX-{number}"), texts=())
    w.notice(notice(FLEET, id="EX-32"), texts=())
    assert "EX-0" not in {track.id for track in w.agent.notices}
    w.notice(notice(FLEET, id="EX-33"), texts=())
    assert "EX-1" not in {track.id for track in w.agent.notices}
    w.notice(notice(FLEET, id="EX-34"), texts=())
    assert w.refusals() == [("EX-34", Reason.LIMIT_REACHED)]
    assert len(w.agent.notices) == limits.NOTICE_TRACKS_MAX


def test_the_screen_is_drawn_only_after_the_state_is_stored() -> None:
    w = world()
    w.notice()
    place = next(i for i, effect in enumerate(w.effects) if isinstance(effect, do.Show))
    saved = next(effect for effect in reversed(w.effects[:place]) if isinstance(effect, do.Save))
    assert b"EX-2026-0001" in saved.state


def test_a_stolen_gateway_key_cannot_end_a_warning_by_naming_a_time_far_ahead() -> None:
    w = world()
    header = w.notice()
    far = NOW + 360 * DAY
    stamp = timestamp(FLEET, catalogue(FLEET), version=far, issued=far, expires=far + 1)
    w.send(w.topics.timestamp(PRODUCT), FLEET.seal(stamp))
    w.advance(60)
    assert w.notice_track().state is S.SHOWN
    assert w.notice_track().time < header.expires
    second = w.notice(notice(FLEET, id="EX-2026-0002"))
    assert w.notice_track(second.id).state is S.SHOWN


def test_a_forged_notice_makes_no_room() -> None:
    w = world()
    for number in range(limits.NOTICE_TRACKS_MAX):
        w.notice(notice(FLEET, id=f"EX-{number}", affected={}), texts=())
    w.send(w.topics.notice(PRODUCT, "EX-99"), forged(notice(FLEET, id="EX-99")))
    w.advance(10)
    assert len(w.agent.notices) == limits.NOTICE_TRACKS_MAX


def test_a_stolen_gateway_key_cannot_silence_a_notice() -> None:
    w = world()
    w.notice()
    empty: Catalogue = catalogue(FLEET, version=NOW + 5)
    w.send(w.topics.catalogue(PRODUCT), FLEET.seal(empty, "gateway"))
    w.current()
    assert w.notice_track().state is S.SHOWN
