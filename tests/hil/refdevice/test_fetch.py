"""What the C device asks for and what it has to say: subscriptions, wants, and the queue that both wait in."""

from __future__ import annotations

import ctypes

import pytest

from advisories.report import Want, open_want
from advisories.states import NoticeState as S
from keys.reasons import Reason
from tests.helpers import PRODUCT, catalogue, text, timestamp

from .build import Core
from .device_of_c import FLEET, Device
from .notice_of_c import ID, PLACES, header, passes, puts, says, stands
from .test_journal import say

PUBLISH, SUBSCRIBE, UNSUBSCRIBE = range(3)
SEARCHES = 6
"""Topics that are looked for at a time (fetch.c)."""
FRENCH = text("fr")
OF_TEXT = f"text/{PRODUCT}/fr/{ID}"


@pytest.fixture
def device(core: Core) -> Device:
    return Device(core)


def said(device: Device) -> tuple[list[tuple[int, str]], list[Want]]:
    """Take what it says: topics to listen to (1) or to leave (2), and wants."""
    topics, wants = [], []
    while head := device.lib.tn_out_head():
        out = head.contents
        word = device.lib.tn_topic_word(out.topic).decode()
        if out.kind != PUBLISH:
            topics.append((out.kind, word))
        elif word == "want":
            wants.append(open_want(ctypes.string_at(out.data.address, out.data.length)))
        device.lib.tn_out_acknowledge(out.number)
    return topics, wants


def asked(device: Device, second: int) -> tuple[list[tuple[int, str]], list[str]]:
    """Let time pass; return what it listens to or leaves, and the topics that it wants."""
    passes(device, [second])
    topics, wants = said(device)
    return topics, [topic for want in wants for topic in want.topics]


STANDING = [f"timestamp/{PRODUCT}"]
"""What is listened to all the time, and has not come."""


def test_what_is_listened_to_is_wanted_after_a_moment_and_then_ever_more_rarely(device: Device) -> None:
    said(device)
    found = {second: asked(device, second) for second in (1, 2, 11, 12, 31, 32, 71, 72)}
    assert [second for second, (_, wants) in found.items() if wants] == [2, 12, 32, 72]
    assert found[2] == ([], STANDING)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_moment_is_two_seconds(device: Device, over: int) -> None:
    said(device)
    device.core.set_ms(2_000 + over)
    device.tick()
    assert bool(said(device)[1]) == (over >= 0)


def test_a_topic_on_which_nothing_comes_is_left_and_wanted_by_name(device: Device) -> None:
    puts(device, header(FRENCH))
    assert said(device)[0] == [(SUBSCRIBE, "text")]
    assert asked(device, 2) == ([], STANDING)
    assert asked(device, 3) == ([(UNSUBSCRIBE, "text")], [OF_TEXT])
    assert asked(device, 12) == ([], STANDING)
    assert asked(device, 13) == ([(SUBSCRIBE, "text")], [])
    assert asked(device, 16) == ([(UNSUBSCRIBE, "text")], [OF_TEXT])
    assert says(device, FRENCH) is Reason.OK
    assert stands(device) == (S.SHOWN, Reason.STALE)
    assert asked(device, 100) == ([], STANDING)


def test_what_comes_on_a_topic_lets_it_be_left(device: Device) -> None:
    puts(device, header(FRENCH))
    assert said(device)[0] == [(SUBSCRIBE, "text")]
    assert says(device, FRENCH) is Reason.OK
    assert said(device)[0] == [(UNSUBSCRIBE, "text")]


def test_one_topic_is_listened_to_at_a_time(device: Device) -> None:
    said(device)
    for number in range(PLACES):
        puts(device, header(FRENCH, id=f"EX-{number}"))
    heard = [asked(device, 3 * turn)[0] for turn in range(4)]
    assert heard[0] == [(SUBSCRIBE, "text")]
    assert all(one == [(UNSUBSCRIBE, "text")] or (SUBSCRIBE, "text") in one for one in heard[1:])
    assert all(sum(kind == SUBSCRIBE for kind, _ in one) <= 1 for one in heard)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_what_finds_no_room_among_the_searches_waits_for_one_that_came(device: Device, over: int) -> None:
    notices = [header(text(), id=f"EX-{number}") for number in range(SEARCHES + over)]
    made = catalogue(FLEET, *notices)
    assert device.put(f"timestamp/{PRODUCT}", FLEET.seal(timestamp(FLEET, made))) is Reason.OK
    assert device.put(f"catalogue/{PRODUCT}", FLEET.seal(made)) is Reason.OK
    device.tick()  # the catalogue is looked for no more
    said(device)
    topics = [f"notice/{PRODUCT}/{one.id}" for one in notices]
    assert asked(device, 2)[1] == topics[:SEARCHES]
    puts(device, notices[0])
    says(device, text(), notices[0].id)
    assert asked(device, 3)[1] == []
    assert asked(device, 5)[1] == topics[SEARCHES:]


def test_without_a_carrier_nothing_is_looked_for(device: Device) -> None:
    said(device)
    device.lib.tn_agent_connected(False)
    puts(device, header(FRENCH))
    assert asked(device, 50) == ([], [])
    device.lib.tn_agent_connected(True)
    assert asked(device, 50)[0] == [(SUBSCRIBE, "text")]
    assert asked(device, 52)[1] == STANDING


def test_a_carrier_that_goes_takes_what_waited_with_it(device: Device) -> None:
    puts(device, header(FRENCH))
    device.lib.tn_agent_connected(False)
    assert said(device) == ([], [])


# The queue


def numbers(device: Device) -> int:
    """The number of what is said first; 0: nothing is."""
    head = device.lib.tn_out_head()
    return int(head.contents.number) if head else 0


@pytest.mark.parametrize(("beside", "gone"), [(-1, False), (0, True), (1, False), (2**31, False)])
def test_only_what_was_read_is_taken_off(device: Device, beside: int, *, gone: bool) -> None:
    first = numbers(device)
    assert first > 0
    device.lib.tn_out_acknowledge(ctypes.c_uint32(first + beside))
    assert (numbers(device) != first) == gone


def test_a_newer_report_takes_the_place_of_one_that_nobody_read(device: Device) -> None:
    first = numbers(device)
    say(device, 1)
    passes(device, [7])
    assert numbers(device) > first
    device.lib.tn_out_acknowledge(first)
    assert numbers(device) > first, "what is new was not read under the old one's number"


@pytest.mark.parametrize(
    "topic", ["root", "root/", "root/x", "root/1x", "root/" + "1" * 17, "", "/", "roo/2"]
)
def test_what_is_no_number_is_no_root(device: Device, topic: str) -> None:
    before = len(device.journal())
    assert device.put(topic, b"x") is Reason.WRONG_TYPE
    assert len(device.journal()) == before


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("root/2", Reason.MALFORMED),
        ("root/" + "1" * 16, Reason.MALFORMED),
        (f"notice/{PRODUCT}/" + "n" * 64, Reason.MALFORMED),
        (f"notice/{PRODUCT}/" + "n" * 65, Reason.WRONG_TYPE),
        (f"notice/{PRODUCT}/a b", Reason.WRONG_TYPE),
        (f"notice/{PRODUCT}/", Reason.WRONG_TYPE),
        (f"notice/{PRODUCT}/a\0b", Reason.WRONG_TYPE),
        (f"text/{PRODUCT}/" + "l" * 35 + "/" + ID, Reason.OK),
        (f"text/{PRODUCT}/" + "l" * 36 + "/" + ID, Reason.WRONG_TYPE),
    ],
)
def test_a_topic_is_read_to_its_last_level(device: Device, topic: str, reason: Reason) -> None:
    assert device.put(topic, b"x") is reason


@pytest.mark.parametrize(
    "name", [b"", b"tocsin", b"root", b"tocsin/v1", b"tocsin/v1root/2", b"/tocsin/v1/root/2"]
)
def test_a_topic_without_the_prefix_is_none(device: Device, name: bytes) -> None:
    core = device.core
    core.flash_load("TN_AT_STAGING", b"x")
    found = device.lib.tn_agent_receive(core.in_memory(name), core.in_flash("TN_AT_STAGING", 1))
    assert Reason(found) is Reason.WRONG_TYPE
