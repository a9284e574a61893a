"""The table of requests: what is answered with what, in either version, whatever comes in."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisories import smp
from advisories.smp import COMMANDS, Command, Rc, Retry
from device_sim.serial.server import BUFFER_BYTES, Ask, Done, RequestError, Server
from tests.device_sim.serial.wire import HEADER, RefusedRequest, Wire, make_home, rc_of, request

ECHO = smp.OS_ECHO
ODD = Command("odd", 64, 7, write=False, retry=Retry.READ, request={"n": "uint?"}, answer={})


def odd(ask: Ask) -> Mapping[str, Any] | Done:
    match ask.body.get("n", 0):
        case 1:
            raise RequestError(Rc.EBUSY)
        case 2:
            return Done({"now": ask.now}, lambda: None)
        case 3:
            return {"room": bytes(ask.room)}
        case 4:
            return {"r": bytes(ask.room - 5)}
    return {}


@pytest.fixture
def server() -> Server:
    own = Command("notifier.own", 400, 0, write=True, retry=Retry.READ, request={}, answer={})
    return Server({ECHO: lambda ask: {"r": ask.body["d"]}, ODD: odd, own: odd}, buffer_bytes=128)


def answer(server: Server, message: bytes) -> tuple[int, dict[str, Any]]:
    reply = server.answer(message, 5.0)
    assert reply is not None
    first, flags, length, group, sequence, number = HEADER.unpack_from(reply.message)
    assert (flags, length, sequence) == (0, len(reply.message) - 8, message[6])
    assert (group, number) == HEADER.unpack_from(message)[3:6:2]
    return first, cbor2.loads(reply.message[8:])


def test_the_answer_has_version_sequence_and_place_of_the_request(server: Server) -> None:
    assert answer(server, request(ECHO, {"d": "x"}, sequence=255)) == (0x0B, {"r": "x"})
    assert answer(server, request(ECHO, {"d": "x"}, version=1)) == (0x03, {"r": "x"})
    assert answer(server, request(ODD, {}, version=1)) == (0x01, {})


@pytest.mark.parametrize(
    ("message", "rc"),
    [
        (request(ECHO, {}), Rc.EINVAL),
        (request(ECHO, {"d": 1}), Rc.EINVAL),
        (request(ECHO, []), Rc.EINVAL),
        (request(ECHO, b""), Rc.EINVAL),
        (request(ECHO, b"\xff"), Rc.EINVAL),
        (request(ECHO, b"\x9b" + b"\xff" * 8), Rc.EINVAL),
        (request(ECHO, b"\xc0" * 100), Rc.EINVAL),
        (request(ECHO, {"d": "x"}) + b"more", Rc.EINVAL),
        (request(ECHO, {"d": "x"})[:-1], Rc.EINVAL),
        (request(ECHO, {"d": "x" * 128}), Rc.EMSGSIZE),
        (request(ODD, {"n": 1}), Rc.EBUSY),
        (request(ODD, {"n": 3}), Rc.EMSGSIZE),
        (request(ODD, {"n": -1}), Rc.EINVAL),
        (request(smp.OS_RESET, {}), Rc.ENOTSUP),
        (request(smp.STAT_LIST, {}), Rc.ENOTSUP),
        (HEADER.pack(0x08, 0, 0, 0, 0, 0), Rc.ENOTSUP),  # echo reads nothing
        (HEADER.pack(0x12, 0, 0, 0, 0, 0), Rc.TOO_NEW),
        (HEADER.pack(0x1A, 0, 0, 0, 0, 0), Rc.TOO_NEW),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_code_that_all_clients_know(
    server: Server, message: bytes, rc: Rc
) -> None:
    assert answer(server, message)[1] == {"rc": rc}
    assert (server.requests, server.refused) == (1, 1)


@pytest.mark.parametrize(("version", "body"), [(1, {"rc": 3}), (2, {"err": {"group": 400, "rc": 3}})])
def test_codes_of_our_own_group_stand_where_the_version_wants_them(
    server: Server, version: int, body: dict[str, Any]
) -> None:
    own = Command("notifier.own", 400, 0, write=True, retry=Retry.READ, request={}, answer={})
    assert answer(server, request(own, [], version=version))[1] == body


def test_an_answer_may_be_as_long_as_the_buffer_less_its_frame(server: Server) -> None:
    assert len(answer(server, request(ODD, {"n": 4}))[1]["r"]) == 128 - 4 - 8 - 5


@pytest.mark.parametrize(
    "message", [b"", bytes(7), HEADER.pack(0x0B, 0, 0, 0, 0, 0), HEADER.pack(0x0F, 0, 0, 0, 0, 0)]
)
def test_what_is_no_request_is_not_answered(server: Server, message: bytes) -> None:
    assert server.answer(message, 5.0) is None


def test_what_follows_an_answer_is_told_apart_from_it(server: Server) -> None:
    done = server.answer(request(ODD, {"n": 2}), 5.0)
    plain = server.answer(request(ODD, {}), 5.0)
    assert done is not None
    assert plain is not None
    assert done.then is not None
    assert plain.then is None


# Whatever comes in.

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=8)
    | st.sampled_from(["yes", "torn", "version", "1.4.2", "erase", "d-9", "tocsin/v1/root/2"]),
    "bytes": st.binary(max_size=40) | st.just(bytes(32)),
    "uint": st.integers(0, 2**64 - 1) | st.integers(0, 9),
    "bool": st.booleans(),
}
_ANY = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.floats()


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    command = draw(st.sampled_from(list(COMMANDS.values())))
    body: dict[Any, Any] = {
        name: draw(st.one_of(*[_VALUES[kind.rstrip("?")]] * 5, _ANY))
        for name, kind in command.request.items()
        if not kind.endswith("?") or draw(st.booleans())
    }
    body |= draw(st.dictionaries(_ANY.filter(lambda key: key == key), _ANY, max_size=1))
    return request(command, body, version=draw(st.sampled_from([1, 2])), sequence=draw(st.integers(0, 255)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests() | st.binary(max_size=200), max_size=25))
def test_whatever_is_asked_the_answers_can_be_read(messages: list[bytes]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            wire = Wire(make_home(Path(folder)), die=lambda: None)
            for message in messages:
                for found in wire.send(message):
                    first, _, length, *_ = HEADER.unpack_from(found)
                    assert first & 7 in {1, 3}
                    assert len(found) == length + 8 <= BUFFER_BYTES - 4
                    assert 0 <= rc_of(cbor2.loads(found[8:])) <= Rc.TOO_NEW
            assert wire.board.failure is None
            wire.close()

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_stop_a_server(data: bytes) -> None:
    server = Server({ECHO: lambda ask: {"r": ask.body["d"]}, ODD: odd})
    reply = server.answer(data, 0.0)
    if reply is not None:
        cbor2.loads(reply.message[8:])


# What a firmware can do.


async def test_a_release_build_lacks_what_is_for_tests(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(test_build=False)
    tests = {command.name for command in COMMANDS.values() if command.test_build}
    assert tests == {"notifier.press", "notifier.fault", "notifier.clock_set", "notifier.provision"}
    for name in tests:
        with pytest.raises(RefusedRequest, match="ENOTSUP"):
            wire.ask(COMMANDS[name], {"key": 1})
    caps = wire.ask(smp.NOTIFIER_INFO)["caps"]
    assert {f"notifier.{cap}" for cap in caps} == {
        command.name for command in COMMANDS.values() if command.group == 400
    } - tests


async def test_a_test_build_tells_all_that_it_can_do(wire: Wire) -> None:
    assert wire.ask(smp.NOTIFIER_INFO)["caps"] == [
        command.name.partition(".")[2] for command in COMMANDS.values() if command.group == 400
    ]


async def test_a_firmware_may_lack_a_whole_group(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(groups={"os", "img", "stat"})
    for version in (1, 2):
        with pytest.raises(RefusedRequest, match="ENOTSUP"):
            wire.ask(smp.NOTIFIER_INFO, version=version)
    assert wire.ask(ECHO, {"d": "still here"}) == {"r": "still here"}
    assert wire.images()[0]["active"]


async def test_every_command_of_the_table_is_answered(wire: Wire) -> None:
    """None is forgotten: what comes back is never that the command is not supported."""
    for command in COMMANDS.values():
        (found,) = wire.send(request(command, {}))
        assert rc_of(cbor2.loads(found[8:])) != Rc.ENOTSUP, command.name
