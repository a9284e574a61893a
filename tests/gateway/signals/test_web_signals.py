"""The stream of events, metrics and health, over a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from advisories.topics import Topics
from gateway.operations import accounts, tokens, webhooks
from gateway.operations.tokens import NewToken
from gateway.service.runtime import Gateway
from gateway.store import audit, workers
from gateway.web import signals
from gateway.web.api.access import Access
from gateway.web.api.served import Served
from gateway.web.app import new_app
from gateway.web.server import listen, serve
from gateway.web.signals import Pace, add_signals
from gateway.workspace.folder import Workspace
from tests.gateway.brokers import iotcore
from tests.gateway.scene import header, make_store, publish
from tests.helpers import device_record, make_fleet

PACE = Pace(poll=0.01, beat=0.05, recheck=0.02)


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A store with a fleet that is served, and who may ask there."""

    served: Served
    gateway: Gateway
    clock: Clock
    base: str
    made: dict[str, NewToken] = field(default_factory=dict)

    def client(self, token: str | None = "auditor") -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {self._token(token)}"}
        return httpx.AsyncClient(base_url=self.base, headers=headers, trust_env=False, timeout=20)

    def _token(self, role: str) -> str:
        if role == "unknown":
            return "tocsin_" + "x" * 43
        if role not in self.made:
            account = "north" if role == "our-auditor" else None
            roles, now = (role.removeprefix("our-"),), int(self.clock())
            self.made[role] = tokens.new(self.served, role, roles=roles, now=now, by="o", account=account)
        return self.made[role].token

    def say(self, kind: str, /, **data: Any) -> int:
        with self.served.opened.write() as session:
            return audit.append(session, kind, data, self.clock()).index


@contextlib.asynccontextmanager
async def site(
    folder: Path, *, engine: str = "sqlite", pace: Pace = PACE, stalled: float = 60.0
) -> AsyncIterator[Site]:
    workspace = Workspace.create(folder / "fleet", exercise=True)
    clock = Clock(float(int(time.time())))
    fleet = make_fleet(now=int(clock()) - 100)
    records = tuple(device_record(fleet, f"device-{number}") for number in range(5))
    store, _ = make_store(folder, fleet, records, engine=engine)
    publish(store, fleet, header(fleet), now=clock() - 50)
    served = Served(workspace.path, workspace.settings, store)
    accounts.add(served, "north", name="North", now=int(clock()), by="o")
    gateway = Gateway(store, folder, Topics(), fleet.id, fleet.root, fleet.signer("gateway"))
    app = new_app()
    app.state.access = Access(store, clock=clock)
    add_signals(app, gateway, served, pace=pace)
    stop, listener = asyncio.Event(), listen("127.0.0.1", 0, stalled=stalled)
    running = asyncio.ensure_future(serve(app, listener, stop))
    try:
        yield Site(served, gateway, clock, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        stop.set()
        await running
        await gateway.close()
        store.close()


@dataclass
class Stream:
    """What comes in a stream."""

    lines: AsyncIterator[str]

    async def event(self) -> dict[str, Any]:
        """The next event, with its id."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(20):
            async for line in self.lines:
                name, _, value = line.partition(": ")
                if line == "" and "data" in found:
                    return {**json.loads(found["data"]), "id": int(found["id"]), "event": found["event"]}
                found[name] = value
        raise AssertionError("the stream ended")

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.event() for _ in range(count)]

    async def until(self, text: str) -> None:
        async with asyncio.timeout(20):
            async for line in self.lines:
                if line == text:
                    return
        raise AssertionError("the stream ended")

    async def end(self) -> None:
        async with asyncio.timeout(20):
            async for _ in self.lines:
                pass


@contextlib.asynccontextmanager
async def listening(
    client: httpx.AsyncClient, query: str = "", last: int | None = None
) -> AsyncIterator[Stream]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with client.stream("GET", f"/api/v1/events{query}", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response.aiter_lines())


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_events_come_in_order_and_go_on_where_they_ended(tmp_path: Path, engine: str) -> None:
    async with site(tmp_path, engine=engine) as one, one.client() as client:
        async with listening(client, "?kinds=rollout.,alert.raised") as stream:
            await stream.until(": still here")  # listening: from here on nothing is missed
            first = [one.say("rollout.changed", id=f"r{n}") for n in range(3)]
            one.say("reports.committed", reports=[])
            first.append(one.say("alert.raised", kind="gate"))
            came = await stream.events(4)
        assert [each["id"] for each in came] == first
        assert [each["index"] for each in came] == first
        assert came[3]["event"] == came[3]["kind"] == "alert.raised"
        missed = [one.say("rollout.changed", id=f"r{n}") for n in range(5)]
        async with listening(client, "?kinds=rollout.", last=first[1]) as stream:
            again = await stream.events(6)
        assert [each["id"] for each in again] == [first[2], *missed]
        async with listening(client, "?after=0") as stream:
            start = await stream.events(first[0])
        assert [each["id"] for each in start] == list(range(1, first[0] + 1))  # every kind, if none is named


async def test_more_events_than_one_batch_come_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "BATCH", 3)
    async with site(tmp_path) as one, one.client() as client:
        numbers = [one.say("rollout.changed", id=f"r{n}") for n in range(10)]
        async with listening(client, "?kinds=rollout.&after=0") as stream:
            assert [each["id"] for each in await stream.events(10)] == numbers


async def test_an_account_hears_what_is_public_and_nothing_else(tmp_path: Path) -> None:
    async with site(tmp_path) as one, one.client("our-auditor") as client:
        one.say("rollout.changed", id="r1")
        one.say("advisory.published", id="EX-1", revision=1, digest="00", left_behind="who")
        one.say("account.added", account="exercise-ltd")
        one.say("root.published", version=9)
        async with listening(client, "?after=0") as stream:
            came = []
            while not came or came[-1]["data"].get("version") != 9:
                came.append(await stream.event())
        assert {each["kind"] for each in came} <= {"advisory.published", "root.published", "patch.published"}
        mine = next(each for each in came if each["data"].get("id") == "EX-1")
        assert mine["data"] == {"id": "EX-1", "revision": 1, "digest": "00"}
        refused = await client.get("/api/v1/events?kinds=rollout.")
        assert (refused.status_code, refused.json()["code"]) == (400, "BAD_VALUE")


async def test_a_stream_ends_with_its_token(tmp_path: Path) -> None:
    async with site(tmp_path) as one, one.client() as client, listening(client) as stream:
        await stream.until(": still here")
        made = one.made["auditor"].made
        tokens.revoke(one.served, made.id, now=int(one.clock()), by="exercise")
        await stream.end()
        assert (await client.get("/api/v1/events")).status_code == 401


async def test_a_stream_ends_when_its_token_expires(tmp_path: Path) -> None:
    async with (
        site(tmp_path, pace=Pace(0.01, 0.05, 3_600)) as one,
        one.client() as client,
        listening(client) as stream,
    ):
        await stream.until(": still here")
        one.clock.now = one.made["auditor"].made.expires
        await stream.end()


async def test_only_so_many_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "TOKEN_LISTENERS_MAX", 1)
    monkeypatch.setattr(signals, "LISTENERS_MAX", 2)
    async with site(tmp_path) as one, one.client() as client, one.client("legal") as other:
        async with listening(client) as stream:
            await stream.until(": still here")
            full = await client.get("/api/v1/events")
            assert (full.status_code, full.json()["code"]) == (503, "LISTENERS_FULL")
            assert full.headers["retry-after"] == "30"
            async with listening(other) as second, one.client("security") as third:
                await second.until(": still here")
                assert (await third.get("/api/v1/events")).status_code == 503
        async with asyncio.timeout(20):  # the place is free again once the server has noticed
            while (await client.get("/api/v1/events", params={"after": "x"})).status_code == 503:
                await asyncio.sleep(0.01)


async def test_a_listener_that_reads_no_more_loses_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "TOKEN_LISTENERS_MAX", 1)
    async with site(tmp_path, stalled=0.2) as one, one.client() as client:
        host, port = one.base.removeprefix("http://").split(":")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect((host, int(port)))
            token = client.headers["authorization"]
            head = f"GET /api/v1/events?after=0 HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\n\r\n"
            deaf.sendall(head.encode())
            for _ in range(60):  # more than the system keeps for one that does not read
                one.say("alert.raised", text="x" * 100_000)
            async with asyncio.timeout(20):
                while (await client.get("/api/v1/events", params={"after": "x"})).status_code != 503:
                    await asyncio.sleep(0.01)
                while (await client.get("/api/v1/events", params={"after": "x"})).status_code == 503:
                    await asyncio.sleep(0.01)


REFUSED = (
    (None, "", 401, "UNAUTHENTICATED"),
    ("viewer", "", 403, "FORBIDDEN"),
    ("auditor", "?kinds=%25", 400, "BAD_VALUE"),
    ("auditor", "?kinds=Rollout.", 400, "BAD_VALUE"),
    ("auditor", "?after=-1", 400, "BAD_VALUE"),
    ("auditor", "?after=99999999999999999999999", 400, "BAD_VALUE"),
    ("auditor", "?after=%D9%A3", 400, "BAD_VALUE"),
    ("auditor", "?after=999999", 409, "EVENT_UNKNOWN"),
    ("auditor", "?after=-----BEGIN%20PRIVATE%20KEY-----", 400, "PRIVATE_KEY"),
)


async def test_what_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path) as one:
        for token, query, status, code in REFUSED:
            async with one.client(token) as client:
                found = await client.get(f"/api/v1/events{query}")
            assert (found.status_code, found.json()["code"]) == (status, code), query
            assert found.headers["content-type"] == "application/problem+json"


def values(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_metrics(tmp_path: Path, engine: str) -> None:
    async with site(tmp_path, engine=engine) as one, one.client("viewer") as client:
        now = one.clock()
        counts = {"committed": 7, "repeated": 2, "report_rate": 1, "batches": 3, "degraded_STORE_FULL": 1}
        with one.served.opened.write() as session:
            workers.keep(session, "w1", started=now - 60, now=now - 5, leads=True, counts=counts)
            workers.keep(session, "gone", started=0, now=now, leads=False, counts=counts, ended=True)
        webhooks.add(one.served, "https://hooks.example.com/", kinds=("rollout.",), now=int(now), by="o")
        page = await client.get("/metrics")
        assert page.headers["content-type"].startswith("text/plain; version=")
        found = values(page.text)
    assert found["tocsin_store_up", ()] == 1
    assert found["tocsin_reports_total", ("committed", "w1")] == 7
    assert found["tocsin_reports_total", ("rate_limited", "w1")] == 1
    assert found["tocsin_degraded_total", ("STORE_FULL", "w1")] == 1
    assert found["tocsin_worker_seen_seconds", ("w1",)] == 5
    assert found["tocsin_worker_leads", ("w1",)] == 1
    assert found["tocsin_devices", ("never_reported", "thermostat")] == 5
    assert found["tocsin_deliveries", ("webhook", "waiting")] == 0
    assert found["tocsin_rollouts", ("running",)] == 0
    assert found["tocsin_store_bytes", ()] > 0
    assert found["tocsin_retained_topics", ()] >= 5
    assert found["tocsin_alerts", ("gate",)] == 0
    assert found["process_resident_memory_bytes", ()] > 0
    labels = {
        label
        for family in text_string_to_metric_families(page.text)
        for s in family.samples
        for label in s.labels
    }
    assert labels <= {
        "worker",
        "outcome",
        "code",
        "channel",
        "state",
        "product",
        "kind",
        "advisory",
        "rollout",
    }
    assert not any(label == "gone" for _, each in found for label in each)


async def test_metrics_want_a_token_of_the_whole_fleet(tmp_path: Path) -> None:
    async with site(tmp_path) as one:
        for token, status in ((None, 401), ("unknown", 401), ("our-auditor", 403), ("auditor", 200)):
            async with one.client(token) as client:
                assert (await client.get("/metrics")).status_code == status


async def test_a_store_that_is_gone_is_one_of_the_facts(tmp_path: Path) -> None:
    async with site(tmp_path) as one:
        page = signals.Metrics(one.served.opened, clock=one.clock)
        Path(one.served.opened.where).rename(tmp_path / "moved")
        (tmp_path / "store.sqlite").write_bytes(b"")
        one.served.opened.close()
        found = values(page.page().decode())
        (tmp_path / "moved").replace(one.served.opened.where)
        one.served.opened.close()
    assert found["tocsin_store_up", ()] == 0
    assert found["process_resident_memory_bytes", ()] > 0


async def test_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "HEALTH_SECONDS", 0.0)
    monkeypatch.setattr("gateway.store.connecting.BUSY_SECONDS", 0.05)
    async with site(tmp_path) as one, one.client(None) as client:
        live = await client.get("/health/live")
        assert (live.status_code, live.json()["code"]) == (200, "LIVE")
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"] == {"store": "OK", "broker": "BROKER_LOST", "leader": "NO_LEADER"}
        assert ready.json()["code"] == "BROKER_LOST"
        with iotcore(tmp_path) as url:
            stop = asyncio.Event()
            running = asyncio.ensure_future(one.gateway.run(url, stop))
            async with asyncio.timeout(20):
                await one.gateway.ready.wait()
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["code"]) == (200, "READY")
            one.gateway.troubles.met("ingest", "STORE_FULL", "Full.")
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["code"]) == (503, "STORE_FULL")
            one.gateway.troubles.over("ingest")
            with one.gateway.store.write():  # whoever writes keeps others from it
                ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["checks"]["store"]) == (503, "STORE_BUSY")
            assert (await client.get("/health/ready")).status_code == 200
            stop.set()
            await running
