import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from advisories.report import Report, open_report
from advisories.states import NoticeState
from advisories.topics import Topics
from device_sim.core.profile import Profile
from device_sim.home import Home
from device_sim.http import OUTBOX_MAX, HttpLink
from device_sim.owner import SimulatedOwner
from device_sim.shell import DeviceShell
from keys.codec import dump
from keys.errors import InputError, UnavailableError
from tests.device_sim.conftest import free_port
from tests.device_sim.test_fleet import IMAGE, READING
from tests.helpers import PRODUCT, catalogue, make_fleet, notice, text, timestamp

TOPICS = Topics()


class Paths:
    """What a web server holds, and what it was sent."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, int]] = []
        self.posted: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.status = 0
        self.loop = asyncio.get_running_loop()


@contextmanager
def serving(paths: Paths, port: int = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = paths.held.get(self.path.removeprefix("/site/"))
            tag = f'"{hash(body)}"'
            status = paths.status or (404 if body is None else 200)
            if status == 200 and self.headers["If-None-Match"] == tag:
                status = 304
            paths.asked.append(("GET", self.path, status))
            self._answer(status, tag, body if status == 200 and body else b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            paths.loop.call_soon_threadsafe(paths.posted.put_nowait, (self.path, body))
            self._answer(202, "", b"")

        def _answer(self, status: int, tag: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/site"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
async def paths() -> Paths:
    return Paths()


@pytest.fixture
async def site(paths: Paths) -> AsyncIterator[str]:
    with serving(paths) as url:
        yield url


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            passed = asyncio.Event()
            asyncio.get_running_loop().call_later(0.01, passed.set)
            await passed.wait()


async def test_a_polling_device_shows_a_notice_and_posts_its_report(
    paths: Paths, site: str, tmp_path: Path
) -> None:
    signed = make_fleet(now=int(time.time()) - 60)
    words = text("en")
    header = notice(signed, texts={"en": words.digest()})
    current = catalogue(signed, header)
    paths.held = {
        TOPICS.catalogue(PRODUCT): signed.seal(current),
        TOPICS.timestamp(PRODUCT): signed.seal(timestamp(signed, current)),
        TOPICS.notice(PRODUCT, header.id): signed.seal(header),
        TOPICS.text(PRODUCT, "en", header.id): dump(words),
    }
    profile = Profile(id="d-1", product=PRODUCT, vendor_id=b"v" * 16, class_id=b"c" * 16)
    key = signed.device("d-1")
    home = Home.create(tmp_path / "d-1", profile, key, signed.root_document, IMAGE, durable=False)
    link = HttpLink(site, TOPICS, interval_s=0.05)
    device = DeviceShell(home, link, owner=SimulatedOwner(random.Random(1), reading_s=READING))
    device.boot()
    await link.connect()
    state = None
    async with asyncio.timeout(20):
        while state is not NoticeState.ACKNOWLEDGED:
            path, body = await paths.posted.get()
            assert path == f"/site/{TOPICS.device('d-1', 'report')}"
            report: Report = open_report(body, key.public, fleet=signed.id, device="d-1")
            state = report.notices[0].state if report.notices else None
    assert device.failure is None
    await device.stop()


async def test_what_has_not_changed_is_not_sent_again(paths: Paths, site: str) -> None:
    paths.held["a/b"] = b"one"
    link, seen = HttpLink(site, TOPICS, interval_s=0.01), []
    link.on_message = lambda topic, body: seen.append((topic, body))
    link.subscribe("a/b", "a/+")
    await link.connect()
    await until(lambda: ("GET", "/site/a/b", 304) in paths.asked)
    paths.held["a/b"] = b"two"
    await until(lambda: len(seen) == 2)
    link.unsubscribe("a/b", "a/c")
    await link.close()
    assert seen == [("a/b", b"one"), ("a/b", b"two")]
    assert not any("+" in path for _, path, _ in paths.asked)


async def test_a_server_that_fails_is_asked_again_later(paths: Paths, site: str) -> None:
    link, said = HttpLink(site, TOPICS, interval_s=0.01), []
    link.on_connect = lambda _kept: said.append("on")
    link.on_disconnect = said.append
    link.subscribe("a")
    await link.connect()
    paths.status = 503
    await until(lambda: "status 503" in said)
    assert not link.connected
    paths.status = 0
    await until(lambda: said[-1] == "on")
    await link.close()


async def test_a_body_that_is_too_big_is_not_taken(paths: Paths, site: str) -> None:
    paths.held = {"big": bytes(100_001), "fits": bytes(100_000)}
    link, seen = HttpLink(site, TOPICS), []
    link.on_message = lambda topic, _body: seen.append(topic)
    link.subscribe("big", "fits")
    await link.connect()
    await link.close()
    assert seen == ["fits"]


async def test_a_gateway_that_is_not_there_is_named() -> None:
    port = free_port()
    link = HttpLink(f"http://127.0.0.1:{port}", TOPICS)
    link.subscribe("a")
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}"):
        await link.connect()
    await link.close()


@pytest.mark.parametrize("later", [False, True])
async def test_a_callback_that_raises_ends_the_link(paths: Paths, site: str, later: bool) -> None:
    paths.held["a"] = b"x"
    failed: list[Exception] = []
    link = HttpLink(site, TOPICS, interval_s=0.01)
    link.on_failure = failed.append

    def full(_topic: str, _body: bytes) -> None:
        raise OSError(28, "No space left on device")

    link.on_message = full
    link.subscribe("a")
    if later:
        link.connect_later()
    else:
        await link.connect()
    await until(lambda: bool(failed))
    assert isinstance(failed[0], OSError)
    await link.close()
    assert not link.connected


async def test_a_reset_loses_what_was_not_sent_and_the_outbox_is_bounded() -> None:
    link = HttpLink("https://gateway.example.com/site", TOPICS)
    topic = TOPICS.device("d", "report")
    assert link.publish(TOPICS.device("d", "online"), b"1")
    assert link.publish(TOPICS.device("d", "want"), b"not a want")
    taken = [link.publish(topic, b"") for _ in range(OUTBOX_MAX + 1)]
    assert taken.index(False) >= OUTBOX_MAX - 1
    assert len(link._outbox) == OUTBOX_MAX
    link.drop()
    assert not link._outbox


@pytest.mark.parametrize("url", ["", "gateway", "ftp://gateway", "http://", "http://user:secret@gateway"])
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        HttpLink(url, TOPICS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("where", ["no..where", "x" * 64, "127.0.0.1:9/\u00e9"])
async def test_an_address_that_cannot_be_one_is_told(where: str) -> None:
    link = HttpLink(f"http://{where}", TOPICS)
    link.start_over("tocsin/v1/timestamp/p")
    with pytest.raises(UnavailableError) as caught:
        await link.connect()
    assert caught.value.code == "GATEWAY_UNREACHABLE"


async def test_a_link_ends_though_something_is_said_at_the_very_end() -> None:
    with serving(Paths()) as base:
        link = HttpLink(base, TOPICS, interval_s=60)
        link.start_over("tocsin/v1/timestamp/p")
        await link.connect()
        await asyncio.sleep(0)  # it waits for its next round now
        link.publish("tocsin/v1/device/d/online", b"0")
        async with asyncio.timeout(10):
            await link.close()
