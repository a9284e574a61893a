"""What is sent is byte for byte what smpclient sends, for every request of os, img and stat and for uploads."""

from __future__ import annotations

import hashlib
import inspect
from random import Random
from typing import Any

import pytest
import smp.image_management
import smp.message
import smp.os_management
import smp.statistics_management
from smp import packet
from smpclient import SMPClient
from smpclient.transport.serial import BufferSize, SMPSerialTransport

from advisories import smp as table
from hil.smp.frames import LINE_BYTES, encode
from hil.smp.message import request
from tests.hil.small_board import Board, Memory, client

MODULES = (smp.os_management, smp.image_management, smp.statistics_management)
IMAGE = Random(2).randbytes(5_000)
SHA = hashlib.sha256(IMAGE).digest()

ROWS: tuple[tuple[table.Command, str, dict[str, Any]], ...] = (
    (table.OS_ECHO, "EchoWriteRequest", {"d": "Hello"}),
    (table.OS_ECHO, "EchoWriteRequest", {"d": ""}),
    (table.OS_ECHO, "EchoWriteRequest", {"d": "ü" * 300}),
    (table.OS_TASKS, "TaskStatisticsReadRequest", {}),
    (table.OS_MEMORY_POOLS, "MemoryPoolStatisticsReadRequest", {}),
    (table.OS_DATETIME, "DateTimeReadRequest", {}),
    (table.OS_DATETIME_SET, "DateTimeWriteRequest", {"datetime": "2026-11-22T06:00:00"}),
    (table.OS_RESET, "ResetWriteRequest", {}),
    (table.OS_RESET, "ResetWriteRequest", {"force": 1, "boot_mode": 1}),
    (table.OS_PARAMETERS, "MCUMgrParametersReadRequest", {}),
    (table.OS_INFO, "OSApplicationInfoReadRequest", {}),
    (table.OS_INFO, "OSApplicationInfoReadRequest", {"format": "a"}),
    (table.OS_BOOTLOADER, "BootloaderInformationReadRequest", {}),
    (table.OS_BOOTLOADER, "BootloaderInformationReadRequest", {"query": "mode"}),
    (table.IMG_STATE, "ImageStatesReadRequest", {}),
    (table.IMG_STATE_SET, "ImageStatesWriteRequest", {"hash": SHA, "confirm": False}),
    (table.IMG_STATE_SET, "ImageStatesWriteRequest", {"hash": SHA, "confirm": True}),
    (table.IMG_STATE_SET, "ImageStatesWriteRequest", {"confirm": True}),
    (table.IMG_UPLOAD, "ImageUploadWriteRequest", {"off": 70_000, "data": IMAGE[:300]}),
    (table.IMG_UPLOAD, "ImageUploadWriteRequest",
     {"image": 1, "len": 5_000, "off": 0, "sha": SHA, "data": b"", "upgrade": True}),
    (table.IMG_ERASE, "ImageEraseRequest", {}),
    (table.IMG_ERASE, "ImageEraseRequest", {"slot": 3}),
    (table.STAT_SHOW, "GroupDataRequest", {"name": "smp"}),
    (table.STAT_LIST, "ListOfGroupsRequest", {}),
)  # fmt: skip


def classes() -> dict[str, type[smp.message.Request]]:
    """Return every request that the modules define."""
    return {
        name: one
        for module in MODULES
        for name, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, smp.message.Request) and one.__module__ == module.__name__
    }


def test_no_request_is_without_a_row() -> None:
    assert set(classes()) == {name for _, name, _ in ROWS}
    ours = {one for one in table.COMMANDS.values() if one.group < table.NOTIFIER_GROUP}
    assert ours - {command for command, _, _ in ROWS} == {table.OS_CONSOLE_ECHO}  # smp has none


@pytest.mark.parametrize(
    ("command", "name", "body"), ROWS, ids=lambda one: one if isinstance(one, str) else ""
)
@pytest.mark.parametrize("sequence", [0, 255])
def test_a_request_has_the_same_bytes(
    command: table.Command, name: str, body: dict[str, Any], sequence: int
) -> None:
    theirs = bytes(classes()[name](sequence=sequence, **body))
    ours = request(command, body, sequence)
    assert ours == theirs
    for line in (8, 64, LINE_BYTES, 128, 1_000):
        assert encode(ours, line) == b"".join(packet.encode(theirs, line))
    assert table.fits(command.request, body) is None


class Captured(SMPSerialTransport):
    """smpclient's serial transport over a board in memory."""

    def __init__(self, board: Board, strategy: BufferSize) -> None:
        super().__init__(strategy)
        self._board = board

    async def send_and_receive(self, data: bytes) -> bytes:  # type: ignore[override]
        return self._board.take(data)[0]


@pytest.mark.parametrize("buffer", [160, 200, *range(300, 400, 3), 512, 1_024, 2_475, 4_096])
@pytest.mark.parametrize("size", [1, 300, 5_000])
async def test_an_upload_is_cut_alike(buffer: int, size: int) -> None:
    theirs, ours = Board(buffer=buffer), Board(buffer=buffer)
    async for _ in SMPClient(Captured(theirs, BufferSize(buffer)), "nowhere").upload(IMAGE[:size]):
        pass
    client(Memory(ours), buffer_bytes=buffer).img.upload(IMAGE[:size])
    assert [one[:6] + one[7:] for one in ours.messages] == [one[:6] + one[7:] for one in theirs.messages]
    assert bytes(ours.image) == bytes(theirs.image) == IMAGE[:size]
