"""What tells how a gateway does, and what happens: health, metrics, and a stream of events.

    GET /health/live                          200 while this process answers
    GET /health/ready                         200 when store, broker and leader are there, else 503
    GET /metrics                              for Prometheus; a token with status:read
    GET /api/v1/events?kinds=rollout.         server-sent events; a token with audit:read

Health says codes only, and needs no token. The others need one wherever they are asked from: behind a proxy
on the same machine everybody would come from loopback.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import anyio
import anyio.to_thread
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.core import delivery as core
from gateway.core.alerts import AlertKind
from gateway.core.chain import Link
from gateway.core.rights import Caller
from gateway.operations import alerts
from gateway.service.metrics import Metrics
from gateway.service.runtime import Gateway
from gateway.store import audit, schema, workers
from gateway.store.deliveries import of_kinds
from gateway.store.engine import Session, Store
from gateway.web.api.access import Access
from gateway.web.api.secrets import refuse_beside
from gateway.web.api.served import Served
from gateway.web.problems import Problem
from keys.errors import TocsinError

LISTENERS_MAX: Final = 64
TOKEN_LISTENERS_MAX: Final = 8  # with one token
BATCH: Final = 200  # events read at once
ALERT_SECONDS: Final = 60.0  # for which what stands badly is kept
HEALTH_SECONDS: Final = 1.0  # for which a verdict holds: asking often costs nothing
_THREADS: Final = 2
_NO_STORE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_log = logging.getLogger(__name__)
_INDEX_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a stream does what; all in seconds."""

    poll: float = 0.5
    """Between looks at the head of the audit chain."""
    beat: float = 15.0
    """Between comments that keep a quiet connection open."""
    recheck: float = 5.0
    """Between looks at whether the token still counts."""


def add_signals(app: FastAPI, gateway: Gateway, served: Served | None, *, pace: Pace | None = None) -> None:
    """Add the four routes to an application; without a workspace that may be asked, only health.

    Args:
        app: whose problems are told, and whose ``state.access`` knows who asks.
        gateway: the one that runs here.
        served: the workspace that is asked.
        pace: of streams.
    """
    router = APIRouter(include_in_schema=False)
    health = _Health(gateway)
    threads = anyio.CapacityLimiter(_THREADS)

    @router.get("/health/live")
    async def live() -> Response:
        return _said({"code": "LIVE", "worker": gateway.worker}, HTTPStatus.OK)

    @router.get("/health/ready")
    async def ready() -> Response:
        found = await health.judged()
        status = HTTPStatus.OK if found["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
        return _said(found, status)

    if served is not None:
        door: Access = app.state.access
        clocks = _Standing(served, door.clock)
        metrics = Metrics(served.opened, extra=clocks.metrics, clock=door.clock)
        feed = _Feed(served.opened, door, pace or Pace())

        @router.get("/metrics")
        async def page(request: Request) -> Response:
            who = await door.caller(request, "status:read")
            if who.account is not None:
                detail = "Metrics are about the whole fleet; this token is for one account."
                raise Problem(HTTPStatus.FORBIDDEN, "FORBIDDEN", detail)
            text = await anyio.to_thread.run_sync(metrics.page, limiter=threads)
            return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_NO_STORE)

        @router.get("/api/v1/events")
        async def events(request: Request) -> Response:
            who = await door.caller(request, "audit:read")
            refuse_beside(request)
            wish = await feed.wish(request, who)
            headers = {**_NO_STORE, "X-Accel-Buffering": "no"}  # a proxy must not hold events back
            return StreamingResponse(
                feed.stream(request, who, wish), media_type="text/event-stream", headers=headers
            )

    app.include_router(router)


def _said(facts: dict[str, Any], status: HTTPStatus) -> Response:
    """Return one line of JSON, as people at a terminal like it."""
    text = json.dumps(facts, separators=(",", ":")) + "\n"
    return Response(text, status, headers=_NO_STORE, media_type="application/json")


class _Health:
    """Says whether this worker can do its work."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = asyncio.Lock()
        self._at, self._found = float("-inf"), dict[str, Any]()

    async def judged(self) -> dict[str, Any]:
        """Return the verdict, at most a second old."""
        async with self._lock:
            if time.monotonic() - self._at >= HEALTH_SECONDS:
                store, leader = await asyncio.to_thread(self._stored)
                self._found = self._verdict(store, leader)
                self._at = time.monotonic()
            return self._found

    def _verdict(self, store: str, leader: bool) -> dict[str, Any]:  # noqa: FBT001 - private
        troubles = self._gateway.degraded
        refused = next((code for code in troubles if code.startswith("STORE_")), "OK")
        checks = {
            "store": refused if store == "OK" else store,
            "broker": "OK" if self._gateway.ready.is_set() else "BROKER_LOST",
            "leader": "OK" if leader or self._gateway.leads else workers.NO_LEADER,
        }
        ready = set(checks.values()) == {"OK"}
        return {
            "ready": ready,
            "code": "READY" if ready else next(code for code in checks.values() if code != "OK"),
            "worker": self._gateway.worker,
            "checks": checks,
            "degraded": troubles,
        }

    def _stored(self) -> tuple[str, bool]:
        """Try a write, which is taken back; and say whether somebody leads."""
        store = copy.copy(self._gateway.store)
        store.rehearsing = True
        try:
            with store.write() as session:
                session.set_meta("health", "tried")
                return "OK", _led(session, self._gateway.now())
        except TocsinError as error:
            return error.code, False


def _led(session: Session, now: float) -> bool:
    found = workers.workers(session)
    return any(one.leads and not one.ended and now - one.seen < workers.SILENT_SECONDS for one in found)


class _Standing:
    """What stands badly, as metrics; looked at now and then, whoever asks how often."""

    def __init__(self, served: Served, clock: Callable[[], float]) -> None:
        self._served, self._clock = served, clock
        self._at, self._found = float("-inf"), list[Metric]()

    def metrics(self) -> Iterable[Metric]:
        """Return how many alerts there are of each kind."""
        if time.monotonic() - self._at >= ALERT_SECONDS:
            count = Counter(alert.kind for alert in alerts.gather(self._served, int(self._clock())))
            means = "Matters that somebody should see to; 'tocsin alerts check' names them."
            family = GaugeMetricFamily("tocsin_alerts", means, labels=("kind",))
            for kind in AlertKind:
                family.add_metric([kind.value], count[kind])
            self._found, self._at = [family], time.monotonic()
        return self._found


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a listener wants."""

    kinds: tuple[str, ...]
    after: int


class _Feed:
    """Streams rows of the audit chain to a bounded number of listeners."""

    def __init__(self, store: Store, door: Access, pace: Pace) -> None:
        self._store, self._door, self._pace = store, door, pace
        self._listeners: Counter[str] = Counter()
        self._lock = asyncio.Lock()
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._looked, self._head = float("-inf"), 0

    async def wish(self, request: Request, who: Caller) -> _Wish:
        """Read what a request asks for.

        Raises:
            Problem: 400 BAD_VALUE; 409 EVENT_UNKNOWN for an event that the store does not have (yet, or
                since it was restored); 503 LISTENERS_FULL.
        """
        if self._listeners.total() >= LISTENERS_MAX or self._listeners[who.token] >= TOKEN_LISTENERS_MAX:
            detail = "Too many listen already."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "LISTENERS_FULL", detail, {"Retry-After": "30"})
        said = ",".join(request.query_params.getlist("kinds"))
        kinds = tuple(filter(None, said.split(",")))
        fault = core.kinds_fault(kinds, account=who.account is not None) if kinds else None
        if fault is not None:
            raise Problem(HTTPStatus.BAD_REQUEST, "BAD_VALUE", f"'kinds': {fault}.")
        head = await self._newest()
        last = request.headers.get("last-event-id") or request.query_params.get("after")
        after = head if last is None else _index(last)
        if after > head:
            detail = f"There is no event {after}: the newest is {head}."
            mend = "Begin with after=0, or without Last-Event-ID."
            raise Problem(HTTPStatus.CONFLICT, "EVENT_UNKNOWN", detail, mend=mend)
        everything = tuple(core.ACCOUNT_KINDS) if who.account is not None else ("",)
        return _Wish(kinds or everything, after)

    async def stream(self, request: Request, who: Caller, wish: _Wish) -> AsyncIterator[str]:
        """Yield events for as long as the token counts and the listener is there."""
        self._listeners[who.token] += 1
        try:
            yield "retry: 3000\n\n"
            async for part in self._parts(request, who, wish):
                yield part
        except TocsinError as error:  # whoever listens comes back, and goes on where this ended
            _log.warning("A stream of events ends: %s", error)
        finally:
            self._listeners[who.token] -= 1
            if not self._listeners[who.token]:
                del self._listeners[who.token]

    async def _parts(self, request: Request, who: Caller, wish: _Wish) -> AsyncIterator[str]:
        after, said = wish.after, time.monotonic()
        checked = said
        while True:
            head = await self._newest()
            if head > after:
                found, after = await anyio.to_thread.run_sync(
                    self._read, wish.kinds, after, limiter=self._threads
                )
                for row in found:
                    text = _event(row, who)
                    if text:
                        said = time.monotonic()
                        yield text
            now = time.monotonic()
            if now - checked >= self._pace.recheck or self._door.clock() >= who.expires:
                checked = now
                if not await self._counts(request):
                    return
            if now - said >= self._pace.beat:
                said = now
                yield ": still here\n\n"
            if head <= after:
                await asyncio.sleep(self._pace.poll)

    async def _counts(self, request: Request) -> bool:
        """Say whether the token still lets its bearer listen."""
        try:
            await self._door.caller(request, "audit:read")
        except (Problem, TocsinError):
            return False
        return True

    async def _newest(self) -> int:
        """Return the index of the newest row, looked up once for all listeners."""
        async with self._lock:
            if time.monotonic() - self._looked >= self._pace.poll:
                self._head = await anyio.to_thread.run_sync(self._last, limiter=self._threads)
                self._looked = time.monotonic()
            return self._head

    def _last(self) -> int:
        with self._store.read() as session:
            return audit.last(session)[0]

    def _read(self, kinds: Sequence[str], after: int) -> tuple[list[Link], int]:
        """Return the next rows, and up to which one there are none left out."""
        t = schema.audit
        with self._store.read() as session:
            head = audit.last(session)[0]
            query = sa.select(t.c.index, t.c.time, t.c.kind, t.c.data, t.c.hash).where(t.c.index > after)
            chosen = query.where(of_kinds(kinds)).order_by(t.c.index).limit(BATCH)
            rows = [Link(*row) for row in session.connection.execute(chosen)]
        return rows, rows[-1].index if len(rows) == BATCH else head


def _event(row: Link, who: Caller) -> str:
    data = json.loads(row.data)
    shown = data if who.account is None else core.for_account(row.kind, data)
    if shown is None:
        return ""
    body = core.message(row.index, row.time, row.kind, shown)
    return f"id: {row.index}\nevent: {row.kind}\ndata: {body}\n\n"


def _index(said: str) -> int:
    if not (said.isascii() and said.isdecimal() and len(said) < 20 and int(said) <= _INDEX_MAX):
        detail = "'Last-Event-ID' and 'after' are numbers of events."
        raise Problem(HTTPStatus.BAD_REQUEST, "BAD_VALUE", detail)
    return int(said)
