"""Payloads over HTTPS: whole, in parts, resumed; by curl and by a client that asks oddly."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.web import artefacts as module
from gateway.web.artefacts import PIECE_BYTES, Artefacts
from tests.gateway.https import make_pki, payload_site

PAYLOAD = hashlib.sha256(b"payload").digest() * (3 * PIECE_BYTES // 32) + b"tail"
DIGEST = hashlib.sha256(PAYLOAD).hexdigest()
EMPTY = hashlib.sha256(b"").hexdigest()


@contextlib.asynccontextmanager
async def site(
    folder: Path, per_second: int | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Artefacts]]:
    (folder / DIGEST).write_bytes(PAYLOAD)
    (folder / EMPTY).write_bytes(b"")
    served = Artefacts(folder, per_second=per_second)
    async with (
        payload_site(served, None) as base,
        httpx.AsyncClient(base_url=base, trust_env=False) as client,
    ):
        yield client, served


def files_open(path: Path) -> int:
    """How many handles of this process are of one file."""
    found = 0
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += handle.readlink() == path
    return found


async def curl(*words: str | Path) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", "--fail", *map(str, words), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out


async def test_curl_brings_it_whole_in_parts_and_from_where_it_broke_off(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    (tmp_path / DIGEST).write_bytes(PAYLOAD)
    async with payload_site(Artefacts(tmp_path), pki.context()) as base:
        trust = ("--cacert", pki.ca)
        assert await curl(*trust, base + DIGEST) == (0, PAYLOAD)
        assert await curl(*trust, "--range", "100-999", base + DIGEST) == (0, PAYLOAD[100:1_000])
        assert await curl(*trust, "--range", "-4", base + DIGEST) == (0, b"tail")
        begun = tmp_path / "begun"
        begun.write_bytes(PAYLOAD[:300_001])
        assert (await curl(*trust, "--continue-at", "-", "--output", begun, base + DIGEST))[0] == 0
        assert begun.read_bytes() == PAYLOAD
        assert (await curl(*trust, "--range", f"{len(PAYLOAD)}-", base + DIGEST))[0] == 22  # 416
        assert (await curl(*trust, "--tls-max", "1.2", base + DIGEST))[0] == 35  # no TLS 1.2
        assert (await curl(base + DIGEST))[0] == 60  # nobody vouches for it
    assert files_open(tmp_path / DIGEST) == 0


async def test_the_whole_says_what_it_is(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, _):
        found = await client.get(DIGEST)
        assert (found.status_code, found.content) == (200, PAYLOAD)
        assert found.headers["accept-ranges"] == "bytes"
        assert found.headers["etag"] == f'"{DIGEST}"'
        assert "immutable" in found.headers["cache-control"]
        assert (await client.get(EMPTY)).content == b""
        head = await client.head(DIGEST, headers={"Range": "bytes=0-0"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(PAYLOAD))


async def test_several_parts_come_as_one_message(tmp_path: Path) -> None:
    wanted = ((0, 9), (PIECE_BYTES - 5, PIECE_BYTES + 4), (len(PAYLOAD) - 4, len(PAYLOAD) - 1))
    async with site(tmp_path) as (client, _):
        value = "bytes=" + ",".join(f"{first}-{last}" for first, last in wanted)
        found = await client.get(DIGEST, headers={"Range": value})
    assert found.status_code == 206
    assert "content-range" not in found.headers
    head = f"Content-Type: {found.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + found.content, policy=email.policy.HTTP)
    parts = list(message.iter_parts())  # type: ignore[attr-defined] # the policy makes an EmailMessage
    assert [part["Content-Range"] for part in parts] == [f"bytes {a}-{b}/{len(PAYLOAD)}" for a, b in wanted]
    assert [part.get_payload(decode=True) for part in parts] == [PAYLOAD[a : b + 1] for a, b in wanted]


async def test_conditions_and_ranges_that_are_not_there(tmp_path: Path) -> None:
    async with site(tmp_path) as (client, _):
        tag = f'"{DIGEST}"'
        same = await client.get(DIGEST, headers={"If-None-Match": tag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        other = await client.get(DIGEST, headers={"If-Match": '"x"'})
        assert (other.status_code, other.json()["code"]) == (412, "PRECONDITION_FAILED")
        beyond = await client.get(DIGEST, headers={"Range": f"bytes={len(PAYLOAD)}-"})
        assert (beyond.status_code, beyond.json()["code"]) == (416, "NO_SUCH_RANGE")
        assert beyond.headers["content-range"] == f"bytes */{len(PAYLOAD)}"
        changed = await client.get(DIGEST, headers={"Range": "bytes=4-", "If-Range": '"x"'})
        assert (changed.status_code, changed.content) == (200, PAYLOAD)
        same = await client.get(DIGEST, headers={"Range": "bytes=4-", "If-Range": tag})
        assert (same.status_code, same.content) == (206, PAYLOAD[4:])
        assert same.headers["content-range"] == f"bytes 4-{len(PAYLOAD) - 1}/{len(PAYLOAD)}"


async def test_no_other_file_is_reached(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"secret")
    (tmp_path / ("f" * 64)).mkdir()
    os.mkfifo(tmp_path / ("e" * 64))
    async with site(tmp_path) as (client, _):
        for name in (
            "store.sqlite",
            "../store.sqlite",
            "..%2Fstore.sqlite",
            "%2e%2e%2fstore.sqlite",
            DIGEST.upper(),
            DIGEST + "%00",
            DIGEST + "%0A",
            "%EF%BC%90" * 64,  # digits of another script
            "0" * 64,
            "f" * 64,
            "e" * 64,
        ):
            assert (await client.get(name)).status_code == 404, name


async def test_too_many_are_told_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRANSFERS_MAX", 1)
    async with site(tmp_path, per_second=PIECE_BYTES) as (client, _):
        async with client.stream("GET", DIGEST) as first:
            assert first.status_code == 200  # and it has pieces to come
            second = await client.get(DIGEST)
            assert (second.status_code, second.headers["retry-after"]) == (503, "5")
            assert (await client.head(DIGEST)).status_code == 200
        # The first has hung up: its file is closed, and its place is free.
        async with asyncio.timeout(20):
            while files_open(tmp_path / DIGEST):
                await asyncio.sleep(0.01)
        async with client.stream("GET", DIGEST) as third:
            assert third.status_code == 200


async def test_who_takes_nothing_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRANSFERS_MAX", 1)
    large = tmp_path / ("d" * 64)
    with large.open("wb") as out:
        out.truncate(64 << 20)  # more than all buffers between here and there hold
    async with site(tmp_path) as (client, _), client.stream("GET", large.name) as stalled:
        assert stalled.status_code == 200  # and nobody reads it
        assert (await client.get(DIGEST)).status_code == 503
        monkeypatch.setattr(module, "STALLED_SECONDS", 0.001)
        async with asyncio.timeout(20):
            while (found := await client.get(DIGEST)).status_code == 503:
                await asyncio.sleep(0.01)
            assert (found.status_code, found.content) == (200, PAYLOAD)
            while files_open(large):
                await asyncio.sleep(0.01)


async def test_a_file_that_is_cut_off_meanwhile_ends_the_connection(tmp_path: Path) -> None:
    async with site(tmp_path, per_second=PIECE_BYTES) as (client, _):
        async with client.stream("GET", DIGEST) as response:
            os.truncate(tmp_path / DIGEST, 1_000)
            with pytest.raises(httpx.RemoteProtocolError):
                await response.aread()
        assert (await client.get(DIGEST)).content == PAYLOAD[:1_000]
