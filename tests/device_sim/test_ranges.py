"""Ranges over real connections: every way in which a server or the network can disappoint."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from device_sim import ranges
from device_sim.ranges import Transfer
from device_sim.tls import client_context
from keys.reasons import Reason
from tests.gateway.https import make_pki

DATA = random.Random(5).randbytes(700_000)


@dataclass
class Site:
    """What a server answers, and what it was asked."""

    base: str = ""
    script: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)


def answer(handler: http.server.BaseHTTPRequestHandler, body: bytes = DATA, **headers: str) -> None:
    """Answer as a good server does, ranges included."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    wanted = handler.headers.get("Range")
    first = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
    if wanted and first >= len(body):
        handler.send_response(416)
    elif wanted:
        handler.send_response(206)
        given = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}", **given}
    else:
        handler.send_response(200)
    for name, value in {"Content-Length": str(len(body) - first), "ETag": '"1"', **given}.items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body[first:])


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serve(Site())


def serve(made: Site, pki: Path | None = None) -> Iterator[Site]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("Range")))
            (made.script or answer)(self)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if pki is not None:
        server.socket = make_pki(pki).context().wrap_socket(server.socket, server_side=True)
    made.base = f"http{'s' if pki else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Bringing:
    """One transfer to its end."""

    def __init__(self) -> None:
        self.data = b""
        self.pieces = 0
        self.reason: Reason | None = None
        self.detail = ""
        self.tag: str | None = None
        self.over = asyncio.Event()

    async def bring(self, uri: str, offset: int = 0, size: int = len(DATA), **more: object) -> Bringing:
        self.data = DATA[:offset]

        def piece(at: int, data: bytes) -> None:
            assert at == len(self.data)
            self.data += data
            self.pieces += 1
            transfer.taken()

        def end(reason: Reason, detail: str) -> None:
            self.reason, self.detail = reason, detail
            self.over.set()

        transfer = Transfer(uri, offset, size, piece, end, **more)  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            await self.over.wait()
        self.tag = transfer.tag
        return self


async def test_a_payload_comes_whole_in_pieces_of_a_bounded_size(site: Site) -> None:
    found = await Bringing().bring(f"{site.base}/artefact/x?y=1")
    assert (found.reason, found.data) == (Reason.OK, DATA)
    assert found.pieces == -(-len(DATA) // ranges.PIECE_BYTES)
    assert site.asked == [("/artefact/x?y=1", None)]
    assert found.tag == '"1"'


async def test_the_rest_is_asked_for_by_its_range(site: Site) -> None:
    found = await Bringing().bring(f"{site.base}/x", 300_001, tag='"1"')
    assert (found.reason, found.data) == (Reason.OK, DATA)
    assert site.asked == [("/x", f"bytes=300001-{len(DATA) - 1}")]


async def test_over_tls_the_server_is_known_by_its_authority(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_pki(tmp_path / "other").ca
    for secure in serve(Site(), tmp_path):
        good = await Bringing().bring(f"{secure.base}/x", tls=client_context(tmp_path / "ca.pem"))
        assert (good.reason, good.data) == (Reason.OK, DATA)
        bad = await Bringing().bring(f"{secure.base}/x", tls=client_context(other))
        assert (bad.reason, bad.data) == (Reason.CONNECTION_LOST, b"")
        assert "certificate" in bad.detail


async def test_a_server_without_ranges_is_passed_over_to_where_we_were(site: Site) -> None:
    def whole(handler: http.server.BaseHTTPRequestHandler) -> None:
        del handler.headers["Range"]
        answer(handler)

    site.script = whole
    found = await Bringing().bring(f"{site.base}/x", 300_000)
    assert (found.reason, found.data) == (Reason.OK, DATA)


Script = Callable[[http.server.BaseHTTPRequestHandler], None]


def status(code: int) -> Script:
    def script(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return script


def to(where: str) -> Script:
    def script(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", where)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return script


def cut(handler: http.server.BaseHTTPRequestHandler) -> None:
    answer(handler, DATA[:1_000], Content_Length=str(len(DATA)))


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    answer(handler, DATA + b"more", Content_Length="")


def silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.close()


@pytest.mark.parametrize(
    ("script", "offset", "reason", "says"),
    [
        (status(404), 0, Reason.BAD_URI, "status 404"),
        (status(410), 0, Reason.BAD_URI, "status 410"),
        (status(403), 0, Reason.BAD_URI, "status 403"),
        (status(429), 0, Reason.CONNECTION_LOST, "status 429"),
        (status(500), 0, Reason.CONNECTION_LOST, "status 500"),
        (status(503), 9, Reason.CONNECTION_LOST, "status 503"),
        (status(304), 0, Reason.CONNECTION_LOST, "status 304"),
        (status(416), 9, Reason.DIGEST_MISMATCH, "no byte 9"),
        (to("/again"), 0, Reason.BAD_URI, "redirections"),
        (to("ftp://example.com/x"), 0, Reason.BAD_URI, "not https"),
        (to("http://[bad/"), 0, Reason.CONNECTION_LOST, "IPv6"),
        (cut, 0, Reason.CONNECTION_LOST, "too early"),
        (endless, 0, Reason.TOO_BIG, "more than"),
        (silent, 0, Reason.CONNECTION_LOST, ""),
        (lambda h: answer(h, DATA + b"x"), 0, Reason.DIGEST_MISMATCH, "700001 bytes, not 700000"),
        (lambda h: answer(h, DATA + b"x"), 5, Reason.DIGEST_MISMATCH, "700001 bytes, not 700000"),
        (lambda h: answer(h, DATA[:-1]), 5, Reason.DIGEST_MISMATCH, "699999 bytes, not 700000"),
        (lambda h: answer(h, Content_Encoding="gzip"), 0, Reason.UNSUPPORTED_PROTOCOL, "encoded"),
        (lambda h: answer(h, Content_Range="bytes */9"), 5, Reason.UNSUPPORTED_PROTOCOL, "which"),
        (lambda h: answer(h, Content_Range="bytes 6-9/700000"), 5, Reason.UNSUPPORTED_PROTOCOL, "byte 6"),
        (lambda h: answer(h, ETag='"2"'), 5, Reason.DIGEST_MISMATCH, "has changed"),
    ],
)
async def test_what_goes_wrong_is_said_by_its_reason(
    site: Site, script: Script, offset: int, reason: Reason, says: str
) -> None:
    site.script = script
    found = await Bringing().bring(f"{site.base}/x", offset, tag='"1"' if offset else None)
    assert (found.reason, says in found.detail) == (reason, True), found.detail
    assert found.data == DATA[: len(found.data)]


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://example.com/x",
        "https://user@example.com/x",
        "https:///x",
        "http://[::bad/x",
        "x",
        "http://a:b/",
    ],
)
async def test_what_is_no_address_of_ours_is_said(uri: str) -> None:
    assert (await Bringing().bring(uri)).reason is Reason.BAD_URI


async def test_a_redirection_is_followed_to_where_the_payload_is(site: Site) -> None:
    def script(handler: http.server.BaseHTTPRequestHandler) -> None:
        (answer if handler.path == "/there" else to("/there"))(handler)

    site.script = script
    found = await Bringing().bring(f"{site.base}/x", 10)
    assert (found.reason, found.data) == (Reason.OK, DATA)
    assert [path for path, _ in site.asked] == ["/x", "/there"]


async def test_a_redirection_never_leaves_tls(tmp_path: Path) -> None:
    for secure in serve(Site(script=to("http://127.0.0.1:9/x")), tmp_path):
        found = await Bringing().bring(f"{secure.base}/x", tls=client_context(tmp_path / "ca.pem"))
        assert (found.reason, found.detail) == (Reason.BAD_URI, "it leads away from HTTPS")


async def test_nobody_listening_is_a_lost_connection() -> None:
    assert (await Bringing().bring("http://127.0.0.1:9/x")).reason is Reason.CONNECTION_LOST


async def test_a_thread_that_is_ahead_of_the_disk_waits(site: Site) -> None:
    """Nobody takes a piece: so many come and no more, however much there is."""
    pieces: list[int] = []
    enough = asyncio.Event()

    def piece(at: int, _data: bytes) -> None:
        pieces.append(at)
        if len(pieces) == ranges.PIECES_AHEAD:
            enough.set()

    body = bytes(20 * ranges.PIECE_BYTES)
    site.script = lambda handler: answer(handler, body)
    transfer = Transfer(f"{site.base}/x", 0, len(body), piece, lambda *_: None)
    async with asyncio.timeout(20):
        await enough.wait()
    transfer.stop()
    await asyncio.wrap_future(transfer._work)
    assert len(pieces) == ranges.PIECES_AHEAD


async def test_a_stopped_transfer_says_nothing_more_and_its_thread_ends(site: Site) -> None:
    hold, asked = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def script(handler: http.server.BaseHTTPRequestHandler) -> None:
        loop.call_soon_threadsafe(asked.set)
        hold.wait(20)
        answer(handler)

    site.script = script
    said: list[object] = []
    transfer = Transfer(
        f"{site.base}/x", 0, len(DATA), lambda *piece: said.append(piece), lambda *end: said.append(end)
    )
    async with asyncio.timeout(20):
        await asked.wait()
        transfer.stop()
        await asyncio.wrap_future(transfer._work)
    hold.set()
    assert not said
    assert transfer.tag is None


async def test_a_rate_is_kept_by_waiting_after_each_piece(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Patient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            return False

    monkeypatch.setattr(ranges.threading, "Event", Patient)
    monkeypatch.setattr(ranges.time, "monotonic", lambda: 0.0)
    found = await Bringing().bring(f"{site.base}/x", rate=2_000_000)
    assert found.reason is Reason.OK
    assert sum(waited) == pytest.approx(len(DATA) / 2_000_000)


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}])
async def test_a_transfer_that_is_stopped_lets_go_of_a_server_that_never_ends(
    site: Site, headers: dict[str, str]
) -> None:
    over = threading.Event()

    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Length": "1000000", "ETag": '"1"', **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                handler.wfile.write(b"x")

    site.script = drip
    try:
        transfer = Transfer(f"{site.base}/x", 0, 1_000_000, lambda *_: None, lambda *_: None)
        while transfer.tag is None:
            await asyncio.sleep(0.01)
        transfer.stop()
        await asyncio.to_thread(transfer._work.result, 5)
    finally:
        over.set()
