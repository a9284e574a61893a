"""The socket by which an owner answers: who may open it, and what it makes of whatever comes in."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from device_sim.control import LINE_BYTES_MAX, NAME, Control, call
from device_sim.main import COMMANDS, main
from keys.errors import DamagedError, InputError, TocsinError, UnavailableError


class Device:
    """What stands behind the socket: it remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fails: TocsinError | None = None

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if self.fails is not None:
            raise self.fails
        return {"done": len(self.asked)}


@asynccontextmanager
async def listening(home: Path, device: Device, group: str = "") -> AsyncIterator[Control]:
    control = Control(home, device, group=group)
    await control.start()
    try:
        yield control
    finally:
        await control.close()


async def raw(home: Path, data: bytes, *, end: bool = True) -> bytes:
    """Send bytes as they are; what comes back until the device hangs up."""
    reader, writer = await asyncio.open_unix_connection(home / NAME)
    writer.write(data)
    if end:
        writer.write_eof()
    try:
        return await reader.read(1_000_000)
    except OSError:
        return b""
    finally:
        writer.close()


async def test_a_request_is_carried_out_and_answered_and_nothing_is_left_behind(tmp_path: Path) -> None:
    device = Device()
    async with listening(tmp_path, device):
        assert await asyncio.to_thread(call, tmp_path, {"do": "status"}) == {"done": 1}
        assert await asyncio.to_thread(call, tmp_path, {"do": "answer", "answer": "y\u00e9s"}) == {"done": 2}
    assert device.asked == [{"do": "status"}, {"do": "answer", "answer": "y\u00e9s"}]
    assert list(tmp_path.iterdir()) == []
    assert call(tmp_path, {"do": "status"}) is None


@pytest.mark.parametrize("kind", [InputError, UnavailableError, DamagedError])
async def test_what_the_device_refuses_is_raised_where_it_was_asked(
    kind: type[TocsinError], tmp_path: Path
) -> None:
    device = Device()
    device.fails = kind("WHY_NOT", "It cannot be.", mend="Wait.", where="here")
    async with listening(tmp_path, device):
        with pytest.raises(kind) as caught:
            await asyncio.to_thread(call, tmp_path, {"do": "reset"})
    assert (caught.value.code, str(caught.value)) == ("WHY_NOT", "here: It cannot be. Wait.")


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{\n",
        b"\xff\xfe\n",
        b"[" * 1_000 + b"\n",
        b'{"do": ' * 100 + b"\n",
        b"1" * (LINE_BYTES_MAX - 1) + b"\n",
    ],
)
async def test_what_is_no_request_is_told_so(line: bytes, tmp_path: Path) -> None:
    device = Device()
    async with listening(tmp_path, device):
        answer = json.loads(await raw(tmp_path, line))
    assert answer == {"done": 1} if device.asked == [{}] else answer["error"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("data", [b"x" * 1_000_000 + b"\n", b"", b'{"do": "status"}' + b" " * 5_000 + b"\n"])
async def test_what_has_no_end_or_no_beginning_is_hung_up_on(data: bytes, tmp_path: Path) -> None:
    device = Device()
    async with listening(tmp_path, device):
        assert b"done" not in await raw(tmp_path, data)
        assert await asyncio.to_thread(call, tmp_path, {"do": "status"}) == {"done": len(device.asked)}


async def test_clients_that_say_nothing_do_not_keep_others_out_for_ever(tmp_path: Path) -> None:
    device = Device()
    async with listening(tmp_path, device):
        silent = []
        while b"done" in await raw(tmp_path, b'{"do": "status"}\n'):
            silent.append(asyncio.create_task(raw(tmp_path, b"", end=False)))
            await asyncio.sleep(0.01)
        assert len(silent) >= 8
        for one in silent:
            one.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        while b"done" not in await raw(tmp_path, b'{"do": "status"}\n'):
            await asyncio.sleep(0.01)


async def test_only_its_user_may_open_it_and_one_group_where_it_is_named(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        async with listening(tmp_path, Device()):
            assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
        group = grp.getgrgid(os.getgid())
        async with listening(tmp_path, Device(), group.gr_name):
            found = (tmp_path / NAME).stat()
            assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group.gr_gid)
    finally:
        os.umask(old)
    with pytest.raises(InputError) as caught:
        Control(tmp_path, Device(), group="no-such-group")
    assert caught.value.code == "NO_GROUP"


async def test_a_folder_may_lie_deep_and_hold_the_socket_of_a_process_that_died(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 40)
    home.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        os.chdir(home)
        dead.bind(NAME)
        os.chdir("/")
    assert call(home, {"do": "status"}) is None
    async with listening(home, Device()):
        assert await asyncio.to_thread(call, home, {"do": "status"}) == {"done": 1}


async def test_a_device_that_does_not_answer_is_told(tmp_path: Path) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(hang_up, tmp_path / NAME):
        with pytest.raises(UnavailableError) as caught:
            await asyncio.to_thread(call, tmp_path, {"do": "status"})
    assert caught.value.code == "CONTROL_SOCKET"
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError):
        Control(tmp_path / "file", Device())


# The command line of a real device.


@pytest.mark.parametrize(
    "words",
    [
        "",
        "list --home .",
        "run",
        "run --home",
        "run --home . --serial pty:x",
        "run --home . more",
        "run --home . --for soon",
        "run --home . --for -1",
        "run --home . --for nan",
        "run --home . --for inf",
        "run --home . --broker mqtt://x --gateway https://x",
        "run --home . --json=yes",
        "answer --home .",
        "answer yes no --home .",
        "answer yes --home . --broker mqtt://x",
        "acknowledge --home . --question 00",
        "reset now --home .",
        "--home . run",
    ],
)
def test_a_command_line_that_cannot_be_is_refused(words: str) -> None:
    with pytest.raises(InputError) as caught:
        main(words.split())
    assert caught.value.code == "USAGE"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_without_a_device_is_none(command: str, tmp_path: Path) -> None:
    words = ["yes"] if command == "answer" else []
    with pytest.raises(InputError) as caught:
        main([command, *words, "--home", str(tmp_path)])
    assert (caught.value.code, caught.value.where) == ("NO_DEVICE", str(tmp_path))
