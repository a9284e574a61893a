"""Where a message goes: over TLS to the address that was judged, and nowhere else."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.core.delivery import Network
from gateway.service import posting
from gateway.service.posting import Answer, Poster
from tests.gateway.https import Pki, make_pki
from tests.gateway.signals.receiver import HOST, receiving

HERE: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return make_pki(tmp_path)


@pytest.fixture
async def poster(pki: Pki) -> AsyncIterator[Callable[..., Poster]]:
    made: list[Poster] = []

    def make(allowed: tuple[Network, ...] = HERE, *, tls: ssl.SSLContext | None = None) -> Poster:
        made.append(Poster(tls or pki.client(), allowed, seconds=5.0))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def test_over_tls_only_to_whom_the_certificate_names(
    pki: Pki, poster: Callable[..., Poster], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(pki.context()) as receiver:
        assert await poster().post(receiver.url, {"webhook-id": "a"}, b"{}") == Answer(True, "HTTP 204")
        assert receiver.came[0][0]["host"] == f"{HOST}:{receiver.port}"
        stranger = await poster(tls=ssl.create_default_context()).post(receiver.url, {}, b"{}")
        assert stranger.says.startswith("its certificate does not hold (")
        lead(monkeypatch, HOST)
        other = await poster().post(f"https://hooks.example.com:{receiver.port}/hook", {}, b"{}")
        assert other.says == (
            "its certificate does not hold (Hostname mismatch, certificate is not valid for 'hooks.example.com'.)"
        )
        plain = await poster().post(receiver.url.replace("https", "http"), {}, b"{}")
        assert not plain.ok
        assert len(receiver.came) == 1


def lead(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let names lead to these addresses, one look-up after the other; the last one stays."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: str, port: int, *args: int, **kwargs: int) -> object:
        asked.append(host)
        return real(addresses[min(len(asked), len(addresses)) - 1], port, *args, **kwargs)

    monkeypatch.setattr(posting.socket, "getaddrinfo", answer)
    return asked


async def test_a_name_that_leads_elsewhere_after_it_was_judged_gets_nothing(
    poster: Callable[..., Poster], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        asked = lead(monkeypatch, "198.51.100.1", HOST)
        answer = await poster(()).post(f"https://rebind.example.com:{receiver.port}/hook", {}, b"{}")
        assert answer.says.startswith("not sent: 198.51.100.1 is not an address of the Internet")
        assert asked == ["rebind.example.com"]  # looked up once: nothing else asks again
        answer = await poster(()).post(f"https://rebind.example.com:{receiver.port}/hook", {}, b"{}")
        assert answer.says.startswith("not sent: 127.0.0.1 is not an address of the Internet")
        assert receiver.came == []


@pytest.mark.parametrize("url", ["http://localhost:{port}/hook", "http://127.0.0.1:{port}/hook"])
async def test_this_machine_is_closed_unless_it_is_opened(url: str, poster: Callable[..., Poster]) -> None:
    async with receiving() as receiver:
        address = url.format(port=receiver.port)
        closed = await poster(()).post(address, {}, b"{}")
        assert closed.says.startswith("not sent: ")
        assert receiver.came == []
        assert (await poster().post(address, {}, b"{}")).ok


async def test_a_proxy_of_the_environment_is_not_used(
    poster: Callable[..., Poster], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver, receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await poster().post(receiver.url, {}, b"{}")).ok
        assert proxy.came == []


async def raw(reply: bytes, *, forever: bool = False) -> tuple[asyncio.Server, str]:
    """A server that writes these bytes, whatever it is asked."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            while forever:
                writer.write(b"x" * 65_536)
                await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(speak, HOST, 0)
    return server, f"http://{HOST}:{server.sockets[0].getsockname()[1]}/hook"


@pytest.mark.parametrize(
    ("reply", "forever", "ok"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n", True, True),
        (b"HTTP/1.1 200 OK\r\nx: ", True, False),
        (b"HTTP/1.1 999999 OK\r\n\r\n", False, False),
        (b"\x00\xff\r\n\r\n", False, False),
        (b"", False, False),
        (b"HTTP/1.1 503 x\r\nretry-after: -1\r\ncontent-length: 0\r\n\r\n", False, False),
        (b"HTTP/1.1 503 x\r\nretry-after: 9999999999999\r\ncontent-length: 0\r\n\r\n", False, False),
    ],
)
async def test_whatever_it_answers_is_bounded(
    reply: bytes, forever: bool, ok: bool, poster: Callable[..., Poster]
) -> None:
    server, url = await raw(reply, forever=forever)
    async with server:
        answer = await poster().post(url, {}, b"{}")
    assert answer.ok is ok
    assert answer.asked == 0
    assert answer.says.isprintable()
    assert len(answer.says) < 80


@pytest.mark.parametrize(
    ("status", "refused", "gone"),
    [
        *((status, True, False) for status in (400, 401, 403, 404, 413, 422, 499)),
        *((status, False, False) for status in (302, 408, 425, 429, 500, 503)),
        (410, False, True),
    ],
)
async def test_a_receiver_that_refuses_one_message_is_told_from_one_in_trouble(
    status: int, refused: bool, gone: bool, poster: Callable[..., Poster]
) -> None:
    async with receiving() as receiver:
        receiver.always = status
        answer = await poster().post(receiver.url, {}, b"{}")
    assert (answer.ok, answer.refused, answer.gone) == (False, refused, gone)
    assert f"HTTP {status}" in answer.says


async def test_networks_that_are_opened_are_opened_to_whom_it_is_said(poster: Callable[..., Poster]) -> None:
    async with receiving() as receiver:
        assert (await poster().post(receiver.url, {}, b"{}", outside=True)).says.startswith("not sent: ")
        assert receiver.came == []


async def test_nobody_there_and_no_such_name(poster: Callable[..., Poster]) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        nobody = await poster().post(f"http://{HOST}:{taken.getsockname()[1]}/", {}, b"{}")
    assert nobody == Answer(False, "it cannot be reached")
    unknown = await poster().post("https://nobody.invalid/", {}, b"{}")
    assert unknown == Answer(False, "its name is not known")
