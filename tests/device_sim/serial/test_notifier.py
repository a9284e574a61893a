"""Every command of Tocsin's own group, over the wire."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from advisories import smp
from advisories.topics import Topics
from device_sim.core.state import State
from device_sim.serial.link import QUEUE_MAX
from device_sim.serial.machine import KEYS_MAX
from device_sim.serial.notifier import NOTHING_STORED, REFUSED_MAX
from keys.codec import dump
from keys.document import seal
from keys.limits import DOCUMENT_BYTES_MAX
from keys.reasons import Reason
from tests.device_sim.serial.wire import DEVICE, FLEET, PRODUCT, RefusedRequest, Wire
from tests.helpers import HOLDERS, key, notice, root_keys, text

TOPICS = Topics()
NOTICE = notice(FLEET)
NOTICE_TOPIC = TOPICS.notice(PRODUCT, NOTICE.id)
SHA = hashlib.sha256(b"message").digest()


def put(wire: Wire, **fields: Any) -> int:
    body = {"sha": SHA, "off": 0, "len": 7, "data": b"mess", **fields}
    return int(wire.ask(smp.NOTIFIER_PUT, {n: v for n, v in body.items() if v is not None})["off"])


async def test_info_says_who_it_is(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(entropy=lambda count: b"\x07" * count)
    info = wire.ask(smp.NOTIFIER_INFO)
    caps = info.pop("caps")
    assert caps[:3] == ["info", "put", "submit"]
    assert info == {
        "proto": 1,
        "id": DEVICE,
        "class": PRODUCT,
        "hw": "simulator",
        "fw": "1.4.1",
        "algs": [-19],
        "max": DOCUMENT_BYTES_MAX,
        "filters": list(TOPICS.device_filters(PRODUCT, "en", DEVICE)),
        "boot": b"\x07" * 8,
    }


# put


async def test_a_message_is_staged_part_by_part(wire: Wire) -> None:
    assert put(wire) == 4
    assert put(wire) == 4  # again: where it is
    assert put(wire, off=2, len=None, data=b"xx") == 4
    assert put(wire, off=5, len=None, data=b"xx") == 4
    assert put(wire, off=4, len=None, data=b"age") == 7
    assert put(wire, off=4, len=None, data=b"age") == 7
    assert put(wire, off=7, len=None, data=b"!") == 7
    assert put(wire) == 7


async def test_another_digest_begins_anew_from_its_first_part(wire: Wire) -> None:
    put(wire)
    other = hashlib.sha256(b"other").digest()
    assert put(wire, sha=other, off=3, len=None) == 0
    assert put(wire, off=4, len=None, data=b"age") == 7  # what was staged is still there
    assert put(wire, sha=other, len=5, data=b"other") == 5
    with pytest.raises(RefusedRequest, match="ENOENT"):
        wire.act(smp.NOTIFIER_SUBMIT, sha=SHA, topic="t")


@pytest.mark.parametrize(
    ("fields", "rc"),
    [
        ({"sha": b"short"}, "EINVAL"),
        ({"len": None}, "EINVAL"),
        ({"len": 0, "data": b""}, "EINVAL"),
        ({"len": 3}, "EINVAL"),
        ({"len": DOCUMENT_BYTES_MAX + 1}, "NOMEM"),
        ({"len": 4}, "EINVAL"),  # whole, and not what the digest says
    ],
)
async def test_what_cannot_become_a_message_is_refused(wire: Wire, fields: dict[str, Any], rc: str) -> None:
    with pytest.raises(RefusedRequest, match=rc):
        put(wire, **fields)
    assert put(wire, off=1, len=None) == 0


async def test_the_limit_itself_can_be_staged(wire: Wire) -> None:
    assert put(wire, len=DOCUMENT_BYTES_MAX) == 4
    with pytest.raises(RefusedRequest, match="ENOENT"):
        wire.act(smp.NOTIFIER_SUBMIT, sha=SHA, topic="t")


async def test_a_message_that_grows_beyond_its_length_is_refused(wire: Wire) -> None:
    put(wire)
    with pytest.raises(RefusedRequest, match="EINVAL"):
        put(wire, off=4, len=None, data=b"ages")
    assert put(wire, off=4, len=None, data=b"age") == 7


async def test_a_damaged_message_is_thrown_away(wire: Wire) -> None:
    put(wire)
    with pytest.raises(RefusedRequest, match="EINVAL"):
        put(wire, off=4, len=None, data=b"egg")
    assert put(wire, off=4, len=None, data=b"age") == 0


async def test_a_reset_forgets_what_was_staged(wire: Wire) -> None:
    put(wire)
    wire.ask(smp.OS_RESET)
    assert put(wire, off=4, len=None, data=b"age") == 0


# submit


async def test_a_genuine_message_is_ok_and_a_forged_one_has_its_reason(wire: Wire) -> None:
    genuine = FLEET.seal(NOTICE)
    assert wire.submit(NOTICE_TOPIC, genuine)["name"] == "OK"
    forged = seal(notice(FLEET, revision=2), [key("nobody"), *FLEET.signers("engineering", "legal")])
    answers = [wire.submit(NOTICE_TOPIC, forged[:-1] + bytes([forged[-1] ^ 1])) for _ in range(2)]
    assert [(a["verdict"], a["name"]) for a in answers] == [(Reason.BAD_SIGNATURE, "BAD_SIGNATURE")] * 2
    assert answers[0]["text"].startswith("BAD_SIGNATURE: Refused")
    assert wire.submit("tocsin/v1/nothing", b"x")["name"] == "WRONG_TYPE"
    assert wire.submit(TOPICS.notice(PRODUCT, "EX-2026-0009"), genuine)["name"] == "WRONG_SUBJECT"


async def test_what_waits_for_a_newer_root_has_its_reason_at_once_and_is_journaled_later(wire: Wire) -> None:
    unknown = seal(NOTICE, [key("nobody")])
    before = wire.state()["journal"]
    answers = [wire.submit(NOTICE_TOPIC, unknown) for _ in range(2)]
    assert [a["name"] for a in answers] == ["UNKNOWN_KEY"] * 2
    assert answers[0]["text"].startswith("UNKNOWN_KEY: held: a newer root is looked for; ")
    assert wire.state()["journal"] == before
    root = FLEET.next_root(keys=root_keys({**HOLDERS, "legal": ("legal-1", "nobody")}))
    document = seal(root, FLEET.signers("root", "root"))
    assert (
        wire.submit(TOPICS.root(2), document)["name"] == "OK"
    )  # what is held still tells nobody a second time
    assert wire.state()["notices"] == []


async def test_what_changes_nothing_is_told_as_such(wire: Wire) -> None:
    genuine = FLEET.seal(NOTICE)
    wire.submit(NOTICE_TOPIC, genuine)
    answer = wire.submit(NOTICE_TOPIC, genuine)
    assert answer == {"verdict": 0, "name": "OK", "text": NOTHING_STORED}


async def test_a_key_is_answered_again_without_acting_again(wire: Wire) -> None:
    sha = wire.put(b"x")
    body = {"sha": sha, "topic": "elsewhere", "key": 77}
    first = wire.ask(smp.NOTIFIER_SUBMIT, body)
    log = len(wire.log)
    assert wire.ask(smp.NOTIFIER_SUBMIT, body) == first
    assert len(wire.log) == log
    wire.ask(smp.NOTIFIER_PUT, {"sha": SHA, "off": 0, "len": 7, "data": b"m"})
    assert wire.ask(smp.NOTIFIER_SUBMIT, body) == first  # even when it is no longer staged
    for _ in range(KEYS_MAX):
        wire.act(smp.NOTIFIER_CARRIER, up=False)
    with pytest.raises(RefusedRequest, match="ENOENT"):
        wire.ask(smp.NOTIFIER_SUBMIT, body)


async def test_a_key_counts_for_one_command_and_a_refusal_is_not_remembered(wire: Wire) -> None:
    wire.ask(smp.NOTIFIER_CARRIER, {"up": True, "key": 1})
    with pytest.raises(RefusedRequest, match="ENOENT"):
        wire.ask(smp.NOTIFIER_SUBMIT, {"sha": SHA, "topic": "t", "key": 1})
    sha = wire.put(b"x")
    assert wire.ask(smp.NOTIFIER_SUBMIT, {"sha": sha, "topic": "t", "key": 1})["name"] == "WRONG_TYPE"


async def test_refusals_are_remembered_up_to_a_limit(wire: Wire) -> None:
    for number in range(REFUSED_MAX + 1):
        wire.submit(f"elsewhere/{number}", b"x")
    assert len(wire.board._notifier._refused) == REFUSED_MAX


# report and carrier


async def test_what_the_device_wants_said_waits_until_it_is_taken(wire: Wire) -> None:
    assert wire.ask(smp.NOTIFIER_REPORT) == {}
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    first = wire.ask(smp.NOTIFIER_REPORT)
    assert first == {
        "number": 1,
        "kind": 0,
        "topic": TOPICS.device(DEVICE, "online"),
        "len": 1,
        "off": 0,
        "data": b"1",
    }
    assert wire.ask(smp.NOTIFIER_REPORT, {"ack": 2}) == first  # nobody has read number 2 yet
    second = wire.ask(smp.NOTIFIER_REPORT, {"ack": 1})
    assert (second["number"], second["topic"]) == (2, TOPICS.device(DEVICE, "report"))
    assert wire.ask(smp.NOTIFIER_REPORT, {"ack": 1}) == second
    assert wire.ask(smp.NOTIFIER_REPORT, {"off": 10})["data"] == second["data"][10:]
    assert wire.ask(smp.NOTIFIER_REPORT, {"off": second["len"]})["data"] == b""
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.ask(smp.NOTIFIER_REPORT, {"off": second["len"] + 1})
    assert wire.ask(smp.NOTIFIER_REPORT, {"ack": 2}) == {}


async def test_a_long_message_is_read_in_parts_that_fill_the_buffer(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(buffer_bytes=256)
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    taken = wire.take()
    assert len(taken[1][2]) > 256
    link = wire.board.machine.link
    for size in (150, 151, 152, 153, 200):
        link.publish("t", bytes(size))
        assert wire.take() == [(0, "t", bytes(size))]


async def test_the_way_being_open_again_is_another_connection(wire: Wire) -> None:
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    assert "[disconnected] the carrier is gone" in wire.log
    heads = [wire.ask(smp.NOTIFIER_REPORT)]
    assert heads[0]["data"] == b"1"
    assert heads[0]["number"] > 2  # numbers count on


async def test_subscriptions_are_told_and_listed(wire: Wire) -> None:
    link = wire.board.machine.link
    link.subscribe("a/b")
    assert wire.take() == []  # nobody would hear it; the list tells it
    assert wire.ask(smp.NOTIFIER_INFO)["filters"][-1] == "a/b"
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    wire.take()
    link.subscribe("a/b", "c/d")
    link.unsubscribe("a/b", "never")
    assert wire.take() == [(1, "c/d", b""), (2, "a/b", b"")]


async def test_a_full_queue_takes_no_more(wire: Wire) -> None:
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    link = wire.board.machine.link
    took = [link.publish("t", b"x") for _ in range(QUEUE_MAX)]
    assert took == [True] * (QUEUE_MAX - 2) + [False] * 2
    assert wire.ask(smp.STAT_SHOW, {"name": "notifier"})["fields"]["lost"] == 2


async def test_a_reset_closes_the_way(wire: Wire) -> None:
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    wire.ask(smp.OS_RESET)
    assert wire.ask(smp.NOTIFIER_REPORT) == {}
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    assert wire.ask(smp.NOTIFIER_REPORT)["number"] == 1


# notice and press


def show(wire: Wire) -> None:
    wire.submit(NOTICE_TOPIC, FLEET.seal(NOTICE))
    wire.submit(TOPICS.text(PRODUCT, "en", NOTICE.id), dump(text("en")))


async def test_nothing_is_shown_at_first(wire: Wire) -> None:
    assert wire.ask(smp.NOTIFIER_NOTICE) == {"count": 0, "off": 0, "lines": []}
    with pytest.raises(RefusedRequest, match="EBADSTATE"):
        wire.act(smp.NOTIFIER_PRESS, button="acknowledge")
    for button, rc in (("yes", "EBADSTATE"), ("escape", "EINVAL")):
        with pytest.raises(RefusedRequest, match=rc):
            wire.act(smp.NOTIFIER_PRESS, button=button)


async def test_a_notice_is_read_line_by_line(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(buffer_bytes=512)
    show(wire)
    part = wire.ask(smp.NOTIFIER_NOTICE)
    assert (part["id"], part["confirmed"], part["count"]) == (NOTICE.id, False, 22)
    assert 0 < len(part["lines"]) < 22
    lines = wire.screen()
    assert len(lines) == 22
    assert {len(line) for line in lines} == {80}
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.ask(smp.NOTIFIER_NOTICE, {"off": 23})
    wire.ask(smp.OS_RESET)
    assert wire.screen() == lines  # it is drawn again at every boot


# state


async def test_the_state_is_the_stored_one(wire: Wire) -> None:
    show(wire)
    state = wire.state()
    flash = wire.board.machine.flash
    stored = State.load(flash.read_state() or b"", flash.root_1)
    assert state["boot"] == wire.ask(smp.NOTIFIER_INFO)["boot"]
    assert (state["epoch"], state["cause"], state["slot"]) == (1, "power-on", 0)
    assert (state["installed"], state["root"]) == ("1.4.1", 1)
    assert state["floors"] == {"counter": 1, "patch": 0, "root": 1}
    assert (state["journal"], state["head"]) == (stored.journal_count, stored.journal_head)
    assert state["kids"] == [entry.key.thumbprint[:8] for entry in FLEET.root.keys]
    assert state["notices"] == [
        {"id": NOTICE.id, "revision": 1, "state": 4, "reason": Reason.STALE, "confirmed": False}
    ]
    assert state["patches"] == []
    assert state["writes"] == flash.writes


async def test_a_small_buffer_leaves_out_the_oldest(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(buffer_bytes=320)
    show(wire)
    state = wire.state()
    assert len(state["kids"]) < len(FLEET.root.keys)
    assert len(state["notices"]) == 1
