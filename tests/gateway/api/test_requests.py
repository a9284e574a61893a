"""Requests that come twice, at once, too large, too slow or in no form that anybody should read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.operations.afar import OPERATIONS, Operation
from gateway.store import access, schema
from gateway.web.api.access import Access
from gateway.web.api.binding import PREFIX
from gateway.web.api.routes import add_api
from gateway.web.app import new_app
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, UnavailableError
from tests.gateway.api.house import OURS, asking, count, house
from tests.gateway.databases import ENGINES

ACCOUNTS = f"{PREFIX}/accounts"
NEW = {"id": "exercise-new", "name": "New"}


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_request_that_comes_ten_times_at_once_is_carried_out_once(
    tmp_path: Path, engine: str
) -> None:
    with house(tmp_path, engine=engine) as built:
        rows = count(built, schema.audit)
        async with built.client() as client:
            head = {"Idempotency-Key": "once"}
            found = await asyncio.gather(*(client.post(ACCOUNTS, json=NEW, headers=head) for _ in range(10)))
            assert {each.status_code for each in found} == {201}
            assert len({each.content for each in found}) == 1
            assert {each.headers["location"] for each in found} == {f"{ACCOUNTS}/exercise-new"}
            assert sum("idempotent-replayed" in each.headers for each in found) == 9
            assert count(built, schema.audit) == rows + 1
            other = await client.post(ACCOUNTS, json={**NEW, "name": "Other"}, headers=head)
            assert (other.status_code, other.json()["code"]) == (422, "KEY_USED")
            taken = await client.post(ACCOUNTS, json=NEW, headers={"Idempotency-Key": "twice"})
            assert (taken.status_code, taken.json()["code"]) == (409, "ACCOUNT_EXISTS")
            closed = await client.delete(f"{ACCOUNTS}/exercise-new", headers={"Idempotency-Key": "third"})
            assert closed.status_code == 200
        async with built.client("ours") as client:
            mine = await client.put(f"{ACCOUNTS}/{OURS}", json={"language": "de"}, headers=head)
            assert mine.status_code == 200  # a key is of one token
        built.clock.now += access.REQUEST_SECONDS + 1
        async with built.client() as client:
            later = await client.post(ACCOUNTS, json=NEW, headers=head)
            assert (later.status_code, later.json()["code"]) == (409, "ACCOUNT_EXISTS")
        assert count(built, schema.requests) == 1


async def test_of_a_request_that_died_half_way_nobody_says_that_it_was_done(tmp_path: Path) -> None:
    async with asking(tmp_path) as (built, client):
        head = {"Idempotency-Key": "lost"}
        done = await client.post(ACCOUNTS, json=NEW, headers=head)
        assert done.status_code == 201
        with built.served.opened.write() as session:  # as if the process had died before it knew
            session.connection.execute(schema.requests.update().values(status=0, body=b""))
        again = await client.post(ACCOUNTS, json=NEW, headers=head)
        assert (again.status_code, again.json()["code"]) == (409, "REQUEST_RUNNING")
        assert again.headers["retry-after"]
        built.clock.now += 61
        again = await client.post(ACCOUNTS, json=NEW, headers=head)
        assert (again.status_code, again.json()["code"]) == (409, "REQUEST_UNFINISHED")


async def test_a_secret_is_shown_once_and_stands_nowhere(tmp_path: Path) -> None:
    async with asking(tmp_path) as (built, client):
        asked = {"json": {"name": "b", "roles": ["viewer"]}, "headers": {"Idempotency-Key": "k"}}
        made = (await client.post(f"{PREFIX}/tokens", **asked)).json()
        again = await client.post(f"{PREFIX}/tokens", **asked)
        assert (again.status_code, again.json()["code"]) == (409, "ANSWER_NOT_KEPT")
        built.served.opened.close()
        whole = b"".join(path.read_bytes() for path in tmp_path.rglob("store.sqlite*"))
        for token in (made["token"], *built.tokens.values()):
            assert token.encode() not in whole


async def test_a_token_gives_no_more_than_it_has(tmp_path: Path) -> None:
    async with asking(tmp_path) as (built, client):
        legal = await client.post(f"{PREFIX}/tokens", json={"name": "b", "roles": ["legal"]})
        assert (legal.status_code, legal.json()["code"]) == (403, "FORBIDDEN")
        async with built.client("ours") as ours:
            body: dict[str, Any] = {"name": "b", "roles": ["viewer"]}
            made = (await ours.post(f"{PREFIX}/tokens", json=body)).json()["made"]
            assert made["account"] == OURS
            theirs = await ours.post(f"{PREFIX}/tokens", json={**body, "account": "exercise-ltd"})
            assert theirs.json()["code"] == "OTHER_ACCOUNT"
            foreign = await ours.delete(f"{PREFIX}/tokens/{built.made['viewer'].id}")
            assert (foreign.status_code, foreign.json()["code"]) == (404, "TOKEN_UNKNOWN")
            listed = (await ours.get(f"{PREFIX}/tokens")).json()["items"]
            assert {each["account"] for each in listed} == {OURS}
        with_account = (await client.get(f"{PREFIX}/devices")).json()["items"]
        async with built.client("ours") as ours:
            found = (await ours.get(f"{PREFIX}/devices")).json()["items"]
        assert (len(found), len(with_account)) == (2, 5)


async def test_closing_an_account_ends_its_tokens_at_once(tmp_path: Path) -> None:
    async with asking(tmp_path) as (built, client), built.client("ours") as ours:
        assert (await ours.get(PREFIX)).status_code == 200
        rehearsed = await client.delete(f"{ACCOUNTS}/{OURS}?dry_run=true")
        assert rehearsed.json()["revoked"] == [built.made["ours"].id]
        assert (await ours.get(PREFIX)).status_code == 200
        closed = await client.delete(f"{ACCOUNTS}/{OURS}")
        assert closed.json() == rehearsed.json()
        assert (await ours.get(PREFIX)).status_code == 401


async def test_what_was_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    async with asking(tmp_path) as (_, client):
        path = f"{ACCOUNTS}/{OURS}"
        tag = (await client.get(path)).headers["etag"]
        assert (await client.get(path, headers={"If-None-Match": tag})).status_code == 304
        first = await client.put(path, json={"language": "de"}, headers={"If-Match": tag})
        assert (first.status_code, first.json()["language"]) == (200, "de")
        second = await client.put(path, json={"language": "fr"}, headers={"If-Match": tag})
        assert (second.status_code, second.json()["code"]) == (412, "CHANGED_MEANWHILE")
        assert (await client.get(path, headers={"If-None-Match": tag})).json()["language"] == "de"


async def test_a_list_is_walked_by_its_links(tmp_path: Path) -> None:
    async with asking(tmp_path) as (_, client):
        seen, path = [], f"{PREFIX}/devices?limit=2"
        while path:
            found = await client.get(path)
            seen += [each["id"] for each in found.json()["items"]]
            path = found.links.get("next", {}).get("url", "")
        assert seen == [f"device-{number:04}" for number in range(5)]
        for limit in ("0", "1001", "-1", "x", "1e9"):
            bad = await client.get(f"{PREFIX}/devices?limit={limit}")
            assert (bad.status_code, bad.json()["code"]) == (400, "BAD_VALUE")


BODIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "deep": ({"content": b"[" * 100_000}, 400, "BAD_VALUE"),
    "twice": ({"content": b'{"id":"a","id":"b","name":"x"}'}, 400, "BAD_VALUE"),
    "utf-16": ({"content": json.dumps(NEW).encode("utf-16")}, 400, "BAD_VALUE"),
    "half a letter": ({"content": b'{"id":"a","name":"\\ud800"}'}, 400, "BAD_VALUE"),
    "nul": ({"content": b'{"id":"a","name":"\\u0000"}'}, 400, "BAD_VALUE"),
    "no object": ({"content": b"[]"}, 400, "BAD_VALUE"),
    "nothing": ({"content": b""}, 400, "BAD_VALUE"),
    "form": ({"data": NEW}, 415, "MEDIA_TYPE"),
    "latin-1": (
        {"content": b"{}", "headers": {"Content-Type": "application/json; charset=latin-1"}},
        *(415, "MEDIA_TYPE"),
    ),
    "no kind": ({"content": b"{}", "headers": {"Content-Type": ""}}, 415, "MEDIA_TYPE"),
    "gzip": ({"content": b"\x1f\x8b", "headers": {"Content-Encoding": "gzip"}}, 415, "MEDIA_TYPE"),
    "large": ({"content": b"x" * (1024 * 1024 + 1)}, 413, "TOO_BIG"),
    "said to be large": ({"content": b"{}", "headers": {"Content-Length": "9" * 30}}, 413, "TOO_BIG"),
    "of no length": ({"content": b"{}", "headers": {"Content-Length": "-1"}}, 413, "TOO_BIG"),
    "two keys": (
        {"json": NEW, "headers": [(b"Idempotency-Key", b"a"), (b"Idempotency-Key", b"b")]},
        *(400, "BAD_KEY"),
    ),
    "long key": ({"json": NEW, "headers": {"Idempotency-Key": "k" * 129}}, 400, "BAD_KEY"),
    "odd key": ({"json": NEW, "headers": [(b"Idempotency-Key", b"a\xff")]}, 400, "BAD_KEY"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_nobody_should_read_is_refused_and_nothing_is_done(
    tmp_path: Path, name: str
) -> None:
    how, status, code = BODIES[name]
    async with asking(tmp_path) as (built, client):
        rows = count(built, schema.audit)
        given = how.get("headers", {})
        pairs = given if isinstance(given, list) else list(given.items())
        kind = [] if "json" in how or "data" in how else [("Content-Type", "application/json")]
        named = {(each[0] if isinstance(each[0], str) else each[0].decode()).lower() for each in pairs}
        headers = [*pairs, *(each for each in kind if each[0].lower() not in named)]
        found = await client.post(ACCOUNTS, **{**how, "headers": headers})
        assert (found.status_code, found.json()["code"]) == (status, code)
        assert found.headers["content-type"] == "application/problem+json"
        assert count(built, schema.audit) == rows


async def test_a_body_without_a_length_is_counted_and_one_that_never_ends_is_cut(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    async with asking(tmp_path) as (_, client):
        found = await client.post(ACCOUNTS, content=endless(), headers={"Content-Type": "application/json"})
        assert (found.status_code, found.json()["code"]) == (413, "TOO_BIG")
        assert (await client.request("GET", ACCOUNTS, content=b"{}")).status_code == 413


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with house(tmp_path) as built:
        app = new_app()
        add_api(app, built.served, Access(built.served.opened, clock=built.clock), body_seconds=0.01)
        built.app = app
        async with built.client() as client:
            found = await client.post(
                ACCOUNTS, content=stalled(), headers={"Content-Type": "application/json"}
            )
    assert (found.status_code, found.json()["code"]) == (408, "TOO_SLOW")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that fails in the way that its argument says."""

    def fail(workspace: Workspace, how: str) -> str:
        errors: dict[str, Exception] = {
            "busy": UnavailableError("STORE_BUSY", "Busy.", where=str(workspace.path / "store.sqlite")),
            "damaged": DamagedError("STORE_DAMAGED", "Damaged.", where="/elsewhere/secret"),
            "bug": RuntimeError("a word that nobody may read"),
            "large": OverflowError(),
        }
        raise errors[how]

    monkeypatch.setitem(OPERATIONS, "fail", Operation("fail", "POST", "/fail", "status:read", fail))


@pytest.mark.usefixtures("broken")
async def test_whatever_goes_wrong_is_a_problem_that_tells_no_more_than_it_should(tmp_path: Path) -> None:
    async with asking(tmp_path) as (built, client):
        path, key = f"{PREFIX}/fail", {"Idempotency-Key": "k"}
        busy = await client.post(path, json={"how": "busy"}, headers=key)
        assert (busy.status_code, busy.json()["code"], busy.json()["exit_status"]) == (503, "STORE_BUSY", 4)
        assert busy.headers["retry-after"]
        assert busy.json()["where"] == "store.sqlite"
        assert count(built, schema.requests) == 0  # nothing was done: it may be asked again
        damaged = await client.post(path, json={"how": "damaged"})
        assert (damaged.status_code, damaged.json()["exit_status"]) == (500, 5)
        bug = await client.post(path, json={"how": "bug"})
        assert (bug.status_code, bug.json()["code"]) == (500, "BUG")
        large = await client.post(path, json={"how": "large"}, headers=key)
        assert (large.status_code, large.json()["code"]) == (400, "BAD_VALUE")
        for found in (damaged, bug):
            assert "secret" not in found.text
            assert "nobody may read" not in found.text
            assert str(tmp_path) not in found.text


async def test_answers_are_for_nobody_else(tmp_path: Path) -> None:
    async with asking(tmp_path) as (_, client):
        found = await client.get(PREFIX, headers={"Origin": "https://example.com"})
        assert found.headers["cache-control"] == "no-store"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in found.headers if name.startswith("access-control")]
        asked = await client.options(
            PREFIX + "/status",
            headers={"Origin": "https://example.com", "Access-Control-Request-Method": "GET"},
        )
        assert (asked.status_code, asked.headers["allow"]) == (405, "GET, HEAD")
        head = await client.head(f"{PREFIX}/status")
        assert head.status_code == 200
        for path in ("/api/v1/", "/api/v1/status/", "/api/v1/%2e%2e/status", "/api/v2"):
            lost = await client.get(path)
            assert lost.status_code == 404, path
            assert lost.headers["content-type"] == "application/problem+json"


async def test_the_document_is_for_everybody(tmp_path: Path) -> None:
    async with asking(tmp_path, None) as (_, client):
        found = await client.get(f"{PREFIX}/openapi.json")
        assert (found.status_code, found.json()["openapi"]) == (200, "3.1.0")


async def test_the_last_use_of_a_token_is_known_to_the_hour(tmp_path: Path) -> None:
    async with asking(tmp_path) as (built, client):
        used = []
        for _ in range(3):
            listed = (await client.get(f"{PREFIX}/tokens")).json()["items"]
            used += [each["used"] for each in listed if each["name"] == "operator"]
            built.clock.now += 2_000
        first = built.clock.now - 6_000
        assert used == [first, first, first + 4_000]


async def test_a_store_that_is_busy_costs_nobody_his_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise UnavailableError("STORE_BUSY", "Busy.")

    async with asking(tmp_path) as (_, client):
        monkeypatch.setattr(access, "note_use", busy)
        found: httpx.Response = await client.get(PREFIX)
        assert found.status_code == 200
