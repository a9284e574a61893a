"""The groups that every MCUmgr client knows."""

from collections.abc import Callable

import pytest

from advisories import smp
from device_sim.home import Home
from tests.device_sim.serial.wire import DEVICE, FLEET, NOW, RefusedRequest, Wire, request


async def test_a_boot_is_one_line_of_the_console_log(wire: Wire) -> None:
    assert wire.log[0] == "tocsin: boot power-on, slot 0, version 1.4.1"
    assert b"version 1.4.1\r\n" in wire.out


@pytest.mark.parametrize("version", [1, 2])
async def test_echo(wire: Wire, version: int) -> None:
    assert wire.ask(smp.OS_ECHO, {"d": "ünïcode"}, version=version) == {"r": "ünïcode"}
    assert wire.ask(smp.OS_CONSOLE_ECHO, {"echo": 0}, version=version) == {}


async def test_what_a_client_wants_to_know_first(wire: Wire) -> None:
    assert wire.ask(smp.OS_PARAMETERS) == {"buf_size": 2_048, "buf_count": 1}
    assert wire.ask(smp.OS_TASKS)["tasks"]["main"]["state"] == 1
    assert wire.ask(smp.OS_MEMORY_POOLS)["smp"]["nblks"] == 1
    assert wire.ask(smp.OS_BOOTLOADER) == {"bootloader": "Tocsin simulator"}
    assert wire.ask(smp.OS_BOOTLOADER, {"query": "mode"}) == {"mode": 5}
    with pytest.raises(RefusedRequest, match="ENOENT"):
        wire.ask(smp.OS_BOOTLOADER, {"query": "weather"})


@pytest.mark.parametrize(
    ("wanted", "output"),
    [(None, "Tocsin"), ("n", DEVICE), ("rs", "Tocsin 1.4.1"), ("a", f"Tocsin {DEVICE} 1.4.1 1.4.1 unknown")],
)
async def test_what_runs_is_told_as_uname_would(wire: Wire, wanted: str | None, output: str) -> None:
    assert wire.ask(smp.OS_INFO, {"format": wanted} if wanted else {})["output"].startswith(output)
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.ask(smp.OS_INFO, {"format": "sz"})


async def test_the_clock_is_read_and_set(wire: Wire) -> None:
    assert wire.ask(smp.OS_DATETIME)["datetime"] == "2027-01-15T08:01:00.000"
    assert wire.ask(smp.OS_DATETIME_SET, {"datetime": "2030-02-03T04:05:06"}) == {}
    assert wire.ask(smp.OS_DATETIME)["datetime"] == "2030-02-03T04:05:06.000"
    assert wire.ask(smp.OS_DATETIME_SET, {"datetime": "2030-02-03T04:05:06+01:00"}) == {}
    assert wire.ask(smp.OS_DATETIME)["datetime"] == "2030-02-03T03:05:06.000"
    for wrong in ("", "tomorrow", "1969-12-31T23:59:59", "12345-01-01T00:00:00", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(RefusedRequest, match="EINVAL"):
            wire.ask(smp.OS_DATETIME_SET, {"datetime": wrong})


async def test_a_released_clock_is_nobodys_to_set(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(test_build=False)
    with pytest.raises(RefusedRequest, match="EACCESSDENIED"):
        wire.ask(smp.OS_DATETIME_SET, {"datetime": "2030-02-03T04:05:06"})
    assert wire.ask(smp.NOTIFIER_CLOCK) == {"utc": NOW + 60}


async def test_a_reset_is_answered_and_then_done(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(test_build=False)
    boot = wire.ask(smp.NOTIFIER_INFO)["boot"]
    before = len(wire.out)
    assert wire.ask(smp.OS_RESET) == {}
    assert bytes(wire.out[before:]).index(b"\x06\x09") < bytes(wire.out[before:]).index(b"tocsin: boot")
    assert wire.boots()[1:] == ["tocsin: boot reset, slot 0, version 1.4.1"]
    state = wire.state()
    assert (state["cause"], state["epoch"]) == ("reset", 2)
    assert wire.ask(smp.NOTIFIER_INFO)["boot"] not in {boot, b""}


async def test_counters_count_what_happened(wire: Wire) -> None:
    def fields(name: str) -> dict[str, int]:
        return wire.ask(smp.STAT_SHOW, {"name": name})["fields"]

    assert wire.ask(smp.STAT_LIST) == {"stat_list": ["smp", "flash", "notifier"]}
    before = fields("smp")
    wire.board.receive(b"\x06\x09AAAA\n")
    with pytest.raises(RefusedRequest, match="ENOENT"):
        fields("weather")
    assert fields("smp") == {
        "frames": before["frames"] + 2,
        "bad_frames": 1,
        "requests": before["requests"] + 2,
        "refused": before["refused"] + 1,
    }
    writes = fields("flash")["writes"]
    wire.ask(smp.IMG_ERASE)
    assert fields("flash") == {"writes": writes + 1, "erases": 1}
    wire.submit("tocsin/v1/root/1", FLEET.root_document)
    wire.submit("elsewhere", b"x")
    assert fields("notifier") == {"submitted": 2, "refused": 1, "lost": 0}


async def test_what_comes_before_the_first_boot_waits_for_it(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(on=False)
    assert wire.send(request(smp.OS_ECHO, {"d": "x"})) == []
    wire.board.power_on()
    assert wire.out.index(b"tocsin: boot") < wire.out.index(b"\x06\x09")


@pytest.mark.parametrize(
    ("command", "answers"), [(smp.OS_RESET, 1), (smp.IMG_ERASE, 0)], ids=["in a boot", "in a request"]
)
async def test_a_folder_that_cannot_be_written_ends_the_device(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, command: smp.Command, answers: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("_replace", "erase_slot"):
        monkeypatch.setattr(Home, name, full)
    assert len(wire.send(request(command, {}))) == answers
    assert isinstance(wire.board.failure, OSError)
    assert wire.send(request(smp.OS_ECHO, {"d": "x"})) == []


async def test_what_a_log_line_quotes_is_printable_and_short(wire: Wire) -> None:
    wire.board._say("\x06\x09evil\r\n" + "x" * 1_000)
    assert wire.log[-1].startswith("??evil??xxx")
    assert len(wire.log[-1]) == 400
