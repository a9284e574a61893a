"""Ports: a pseudo-terminal and its link, and one TCP client at a time."""

import asyncio
import contextlib
import os
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device_sim.serial.port import QUEUE_BYTES_MAX, TAKEN, Port, PtyPort, TcpPort, parse_port
from keys.errors import InputError, UnavailableError


class Heard:
    """What came in over a port."""

    def __init__(self) -> None:
        self.data = b""
        self.came = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.data += data
        self.came.set()

    async def until(self, wanted: bytes) -> None:
        async with asyncio.timeout(10):
            while wanted not in self.data:
                await self.came.wait()
                self.came.clear()


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
async def ports() -> AsyncIterator[list[Port]]:
    """Ports that are closed in the end."""
    opened: list[Port] = []
    yield opened
    for port in opened:
        await port.close()


async def open_pty(ports: list[Port], heard: Heard, link: Path | None = None) -> PtyPort:
    port = PtyPort(link)
    await port.open(heard)
    ports.append(port)
    return port


async def open_tcp(ports: list[Port], heard: Heard) -> TcpPort:
    port = TcpPort("127.0.0.1", 0)
    await port.open(heard)
    ports.append(port)
    return port


def read_all(client: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(client, size)
    return data


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("pty", ""),
        ("pty:/tmp/board", "/tmp/board"),
        ("tcp:0", "socket://127.0.0.1:0"),
        ("tcp:65535", "socket://127.0.0.1:65535"),
        ("tcp:localhost:7", "socket://localhost:7"),
        ("tcp:[::1]:7", "socket://[::1]:7"),
    ],
)
def test_a_port_is_named_in_a_word(text: str, url: str) -> None:
    assert parse_port(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pty:",
        "tcp",
        "tcp:",
        "tcp:x",
        "tcp:65536",
        "tcp:-1",
        "tcp:²",
        "udp:1",
        "com1",
        f"tcp:{'1' * 5_000}",
    ],
)
def test_what_names_no_port_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no serial port") as caught:
        parse_port(text)
    assert caught.value.code == "SERIAL_PORT"


# Pseudo-terminals.


async def test_a_client_of_a_terminal_may_come_and_go(ports: list[Port], heard: Heard) -> None:
    port = await open_pty(ports, heard)
    port.write(b"first line\r\n")
    for word in (b"one\n", b"two\n"):
        client = os.open(port.url, os.O_RDWR | os.O_NOCTTY)
        if word == b"one\n":
            assert read_all(client, 12) == b"first line\r\n"  # it waited for somebody
        os.write(client, word)
        await heard.until(word)
        port.write(b"\x06\x09\x00\xff\r\n")
        assert read_all(client, 6) == b"\x06\x09\x00\xff\r\n"  # raw, and no echo
        os.close(client)
    assert heard.data == b"one\ntwo\n"


async def test_a_terminal_is_raw(ports: list[Port], heard: Heard) -> None:
    port = await open_pty(ports, heard)
    client = os.open(port.url, os.O_RDWR | os.O_NOCTTY)
    assert not termios.tcgetattr(client)[3] & (termios.ECHO | termios.ICANON)
    os.close(client)


async def test_what_nobody_reads_is_bounded_and_loses_whole_lines(ports: list[Port], heard: Heard) -> None:
    port = await open_pty(ports, heard)
    lines = [b"%07d " % number + b"x" * 990 + b"\r\n" for number in range(200)]
    for line in lines:
        port.write(line)
    assert port._waiting <= QUEUE_BYTES_MAX
    client = os.open(port.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()
    got = Heard()
    loop.add_reader(client, lambda: got(os.read(client, 65_536)))
    await got.until(lines[-1])
    loop.remove_reader(client)
    os.close(client)
    found = got.data.split(b"\r\n")[:-1]
    assert all(line + b"\r\n" in lines for line in found)
    assert found[0] + b"\r\n" == lines[0]
    assert len(found) < len(lines)


async def test_a_link_leads_to_the_terminal_until_it_is_closed(tmp_path: Path, heard: Heard) -> None:
    link = tmp_path / "board"
    link.symlink_to("/dev/pts/gone")  # a run that was killed left it
    port = PtyPort(link)
    await port.open(heard)
    assert port.url == str(link)
    client = os.open(link, os.O_RDWR | os.O_NOCTTY)
    os.write(client, b"through the link\n")
    await heard.until(b"link\n")
    os.close(client)
    await port.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_link_that_is_somebody_elses_by_now_stays(tmp_path: Path, heard: Heard) -> None:
    link = tmp_path / "board"
    old, new = PtyPort(link), PtyPort(link)
    await old.open(heard)
    await new.open(heard)
    await old.close()
    assert link.is_symlink()
    await new.close()
    assert not link.is_symlink()


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_what_is_no_link_is_never_replaced(tmp_path: Path, heard: Heard, kind: str) -> None:
    link = tmp_path / "board"
    if kind == "file":
        link.write_text("precious")
    else:
        link.mkdir()
    with pytest.raises(InputError) as caught:
        await PtyPort(link).open(heard)
    assert (caught.value.code, caught.value.where) == ("SERIAL_LINK", str(link))
    assert len(list(tmp_path.iterdir())) == 1


async def test_a_link_in_a_folder_that_is_not_there(tmp_path: Path, heard: Heard) -> None:
    with pytest.raises(UnavailableError, match="cannot be opened") as caught:
        await PtyPort(tmp_path / "none" / "board").open(heard)
    assert caught.value.code == "SERIAL_PORT"


@pytest.mark.parametrize("name", ["x" * 300, "x" * 255, "file/board"])
async def test_a_link_that_no_file_system_takes(tmp_path: Path, heard: Heard, name: str) -> None:
    (tmp_path / "file").touch()
    link = tmp_path / name
    if len(name) == 255:  # as long as a name may be, so there is no room for a longer draft beside it
        port = PtyPort(link)
        await port.open(heard)
        assert link.is_symlink()
        await port.close()
    else:
        with pytest.raises(UnavailableError, match="cannot be opened"):
            await PtyPort(link).open(heard)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# TCP.


async def connect(port: TcpPort) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, number = port.url.removeprefix("socket://").rpartition(":")
    return await asyncio.open_connection(host, int(number))


async def test_the_first_client_is_waited_for(ports: list[Port], heard: Heard) -> None:
    port = await open_tcp(ports, heard)
    port.write(b"lost, as on a wire\r\n")
    waiting = asyncio.create_task(port.attended())
    reader, writer = await connect(port)
    async with asyncio.timeout(10):
        await waiting
    port.write(b"boot\r\n")
    assert await reader.readline() == b"boot\r\n"
    writer.write(b"typed\n")
    await heard.until(b"typed\n")
    writer.close()


async def test_a_second_client_is_told_and_turned_away(ports: list[Port], heard: Heard) -> None:
    port = await open_tcp(ports, heard)
    reader, writer = await connect(port)
    await port.attended()
    second_reader, second_writer = await connect(port)
    second_writer.write(b"let me in\n")
    assert await second_reader.read() == TAKEN
    second_writer.close()
    writer.write(b"first\n")
    await heard.until(b"first\n")
    assert heard.data == b"first\n"
    port.write(b"still here\r\n")
    assert await reader.readline() == b"still here\r\n"
    writer.close()


async def test_after_the_first_the_next_may_come(ports: list[Port], heard: Heard) -> None:
    port = await open_tcp(ports, heard)
    for word in (b"one\n", b"two\n"):
        _, writer = await connect(port)
        writer.write(word)
        await heard.until(word)
        writer.close()
        async with asyncio.timeout(10):
            while port._client is not None:
                await asyncio.sleep(0)
    assert heard.data == b"one\ntwo\n"


async def test_a_port_that_is_taken(ports: list[Port], heard: Heard) -> None:
    port = await open_tcp(ports, heard)
    number = int(port.url.rpartition(":")[2])
    with pytest.raises(UnavailableError, match=f"port {number} of 127.0.0.1 cannot be opened") as caught:
        await TcpPort("127.0.0.1", number).open(heard)
    assert caught.value.code == "SERIAL_PORT"


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 70}.example.com"])
async def test_a_host_that_is_no_name(heard: Heard, host: str) -> None:
    with pytest.raises(UnavailableError, match="no such name"):
        await TcpPort(host, 0).open(heard)


async def test_answers_to_a_client_that_was_cut_off_are_dropped_in_silence(
    ports: list[Port], heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    port = await open_tcp(ports, heard)
    reader, writer = await connect(port)
    await port.attended()
    assert port._client is not None
    port._client.abort()
    for _ in range(20):
        port.write(b"answer\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert caplog.messages == []


async def test_a_client_that_does_not_read_costs_no_memory(ports: list[Port], heard: Heard) -> None:
    port = await open_tcp(ports, heard)
    _, writer = await connect(port)
    await port.attended()
    assert port._client is not None
    for _ in range(20_000):
        port.write(b"x" * 1_000)
    assert port._client.get_write_buffer_size() <= QUEUE_BYTES_MAX + 1_000
    writer.close()


async def test_closing_hangs_up(heard: Heard) -> None:
    port = await open_tcp([], heard)
    reader, writer = await connect(port)
    await port.attended()
    port.write(b"last words\r\n")
    await port.close()
    assert await reader.read() == b"last words\r\n"
    writer.close()
    await TcpPort("127.0.0.1", 0).close()  # never opened
