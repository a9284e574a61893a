"""The wire over HTTP: real uvicorn, the same bytes, and nothing too big is read."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from advisories.offer import Answer
from advisories.topics import Topics
from gateway.service.runtime import Gateway
from gateway.store.engine import Store
from gateway.web.app import create_app
from gateway.web.server import listen, serve
from keys.document import open_document
from keys.errors import UnavailableError
from tests.gateway.brokers import iotcore
from tests.gateway.peer import Peer
from tests.gateway.scene import header, make_store, publish, texts
from tests.helpers import PRODUCT, Fleet, device_record, make_fleet

TOPICS = Topics()
IMAGE = bytes(range(256)) * 8
DIGEST = hashlib.sha256(IMAGE).hexdigest()


@contextlib.asynccontextmanager
async def site(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Store, Fleet]]:
    fleet = make_fleet(now=int(time.time()) - 10)
    store, _ = make_store(tmp_path, fleet, (device_record(fleet, "device-0000"),))
    publish(store, fleet, header(fleet), now=time.time())
    (tmp_path / DIGEST).write_bytes(IMAGE)
    stop = asyncio.Event()
    with iotcore(tmp_path) as url:
        gateway = Gateway(store, tmp_path, TOPICS, fleet.id, fleet.root, fleet.signer("gateway"))
        listener = listen("127.0.0.1", 0)
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        tasks = [
            asyncio.ensure_future(gateway.run(url, stop)),
            asyncio.ensure_future(serve(create_app(gateway, tmp_path), listener, stop)),
        ]
        try:
            async with asyncio.timeout(20):
                await gateway.ready.wait()
            async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
                yield client, store, fleet
        finally:
            stop.set()
            await asyncio.gather(*tasks)
            await gateway.close()
            store.close()


async def test_the_same_bytes_lie_under_the_same_paths(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, store, _fleet):
        with store.read() as session:
            rows = session.retained_after(0)
        assert len(rows) == 6
        for row in rows:
            found = await client.get("/" + row.topic)
            assert (found.status_code, found.content) == (200, row.payload)
        assert found.headers["content-type"].startswith("application/cose")
        text = await client.get("/" + TOPICS.text(PRODUCT, "en", "EX-2026-0001"))
        assert text.content == texts()["en"]
        assert text.headers["content-type"] == "application/cbor"
        with store.write() as session:
            session.retain(TOPICS.pages(PRODUCT, "ja", "EX-2026-0001"), bytes(1_024))
        pages = await client.get("/" + TOPICS.pages(PRODUCT, "ja", "EX-2026-0001"))
        assert (pages.content, pages.headers["content-type"]) == (bytes(1_024), "application/octet-stream")
        again = await client.get(
            "/" + TOPICS.root(1),
            headers={"If-None-Match": (await client.get("/" + TOPICS.root(1))).headers["etag"]},
        )
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["/tocsin/v1/notice/none/none", "/elsewhere", "/artefact/" + "0" * 64, "/artefact/..%2Fstore.sqlite"],
)
async def test_what_is_not_there_is_a_problem_document(tmp_path: Path, path: str) -> None:
    async with site(tmp_path) as (client, _, _):
        found = await client.get(path)
        assert found.status_code == 404
        assert found.headers["content-type"] == "application/problem+json"
        assert found.json()["status"] == 404


async def test_a_posted_report_is_committed_and_answered_in_the_body(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, _store, fleet):
        peer = Peer(fleet, "device-0000")
        path = "/" + TOPICS.device(peer.id, "report")
        nothing = await client.get("/" + TOPICS.device(peer.id, "answer"))
        assert nothing.status_code == 404
        data = peer.sign()
        found = await client.post(path, content=data)
        assert found.status_code == 200
        answer = open_document(found.content, Answer, fleet.root, fleet=fleet.id, subject=peer.id).body
        assert answer.receipt == (1, 1)
        polled = await client.get("/" + TOPICS.device(peer.id, "answer"))
        assert polled.content == found.content
        assert (await client.post(path, content=data)).status_code == 200
        garbage = await client.post(path, content=b"garbage")
        assert (garbage.status_code, garbage.json()["code"]) == (400, "MALFORMED")
        stranger = await client.post("/" + TOPICS.device("nobody", "report"), content=data)
        assert (stranger.status_code, stranger.json()["code"]) == (403, "UNKNOWN_DEVICE")
        odd = await client.post("/tocsin/v1/device/-/report", content=data)
        assert odd.status_code == 404


async def test_a_body_that_is_too_big_is_refused_stated_or_streamed(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, _, _):
        path = "/" + TOPICS.device("device-0000", "report")
        stated = await client.post(path, content=b"x" * 16_385)
        assert (stated.status_code, stated.json()["code"]) == (413, "TOO_BIG")

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 1_000

        streamed = await client.post(path, content=chunks())
        assert streamed.status_code == 413
        fits = await client.post(path, content=b"x" * 16_384)
        assert fits.json()["code"] == "MALFORMED"


async def test_images_come_whole_or_in_ranges(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, _, _):
        whole = await client.get(f"/artefact/{DIGEST}")
        assert whole.content == IMAGE
        part = await client.get(f"/artefact/{DIGEST}", headers={"Range": "bytes=256-511"})
        assert (part.status_code, part.content) == (206, IMAGE[256:512])


async def test_head_says_what_get_would(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, _, _):
        for path in ("/" + TOPICS.root(1), f"/artefact/{DIGEST}"):
            whole, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == whole.headers["content-length"]
            assert head.headers["etag"] == whole.headers["etag"]


async def test_a_damaged_store_is_a_problem_document(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, store, _):
        with store.write() as session:
            session.connection.exec_driver_sql("DROP TABLE retained")
        found = await client.get("/" + TOPICS.root(1))
        assert (found.status_code, found.json()["code"]) == (500, "STORE_DAMAGED")


def test_a_taken_port_is_named() -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with pytest.raises(UnavailableError) as caught:
        listen("127.0.0.1", port)
    assert caught.value.code == "PORT_TAKEN"
    assert str(port) in caught.value.message
    listener.close()
