"""What Prometheus may read: counted by the workers, read from the store's cells when somebody asks.

Labels are few and bounded: workers, products, states, and the newest matters by name. No device, account or
person is one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from advisories.states import NoticeState, PatchState
from gateway.core.funnel import Kind
from gateway.core.rollout import Outcome, RolloutState
from gateway.store import audit, schema, workers
from gateway.store import deliveries as outbox
from gateway.store.engine import Session, Store
from gateway.store.workers import Worker
from keys.errors import TocsinError

NEWEST: Final = 20  # advisories, and rollouts under way, that have a label of their own
SLOW_SECONDS: Final = 30.0  # for which what takes long to count is kept
Extra = Callable[[], Iterable[Metric]]

_WORKER: Final = ("worker",)
_REPORTS: Final = {  # what a worker counts -> outcome of a report
    "committed": "committed",
    "dropped": "queue_full",
    "poisoned": "poisoned",
    "quarantined": "quarantined",
    "repeated": "repeated",
    "report_rate": "rate_limited",
}
_COUNTERS: Final = {  # what a worker counts -> name, what it means
    "batches": ("tocsin_ingest_batches", "Batches of reports, one transaction each."),
    "retries": ("tocsin_ingest_retries", "Batches tried again because the store refused."),
    "wants": ("tocsin_wants", "Questions of devices for what they lack."),
    "blocks": ("tocsin_payload_blocks", "Blocks of payloads sent over MQTT."),
    "block_bytes": ("tocsin_payload_bytes", "Bytes of payloads sent over MQTT."),
    "connected": ("tocsin_broker_connections", "Connections made to the broker."),
    "lost": ("tocsin_broker_connections_lost", "Connections to the broker that broke."),
    "unsent": ("tocsin_answers_unsent", "Answers dropped because too many waited."),
}
_DEGRADED: Final = "degraded_"
_SEEN: Final[tuple[tuple[str, str, Callable[[Worker, float], float]], ...]] = (
    (
        "tocsin_worker_seen_seconds",
        "Since a worker was last heard of.",
        lambda one, now: max(now - one.seen, 0.0),
    ),
    ("tocsin_worker_leads", "1 for the worker that schedules.", lambda one, _now: float(one.leads)),
    ("tocsin_worker_start_time_seconds", "When a worker started, Unix time.", lambda one, _now: one.started),
)


class StoreMetrics:
    """Reads what is in the store, as a collector of prometheus-client.

    Args:
        store: see there.
        extra: more metrics, which this room cannot make.
        clock: UTC seconds.
    """

    def __init__(self, store: Store, extra: Extra, clock: Callable[[], float]) -> None:
        self._store, self._extra, self._clock = store, extra, clock
        self._slow: tuple[float, list[Metric]] = (float("-inf"), [])

    def collect(self) -> Iterator[Metric]:
        """Yield everything; a store that cannot be read is itself one of the facts."""
        start = time.perf_counter()
        up = GaugeMetricFamily("tocsin_store_up", "1 when the store can be read.")
        found: list[Metric] = []
        try:
            with self._store.read() as session:
                session.meta("schema")
                took = time.perf_counter() - start
                for part in _PARTS:
                    found += part(session, self._clock())
                found += self._slowly(session)
            found += self._extra()
        except TocsinError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield _gauge("tocsin_store_read_seconds", "Time that a small read of the store took just now.", took)
        yield from found

    def _slowly(self, session: Session) -> list[Metric]:
        at, found = self._slow
        if not 0 <= time.monotonic() - at < SLOW_SECONDS:
            t = schema.retained
            rows = session.connection.execute(sa.select(sa.func.count()).select_from(t)).scalar() or 0
            found = [
                _gauge("tocsin_retained_topics", "Topics that the broker has to hold.", rows),
                _gauge("tocsin_store_bytes", "Size of the store.", _size(self._store, session)),
            ]
            self._slow = (time.monotonic(), found)
        return found


def _size(store: Store, session: Session) -> int:
    if store.dialect == "postgresql":
        query = sa.select(sa.func.pg_database_size(sa.func.current_database()))
        return session.connection.execute(query).scalar() or 0
    total = 0
    for suffix in ("", "-wal"):
        with contextlib.suppress(OSError):
            total += Path(store.where + suffix).stat().st_size
    return total


def _gauge(name: str, means: str, value: float) -> Metric:
    made = GaugeMetricFamily(name, means)
    made.add_metric([], value)
    return made


def _workers(session: Session, now: float) -> Iterator[Metric]:
    running = [worker for worker in workers.workers(session) if not worker.ended]
    for name, means, value in _SEEN:
        family = GaugeMetricFamily(name, means, labels=_WORKER)
        for worker in running:
            family.add_metric([worker.name], value(worker, now))
        yield family
    yield from _counted(running)


def _counted(running: list[Worker]) -> Iterator[Metric]:
    reports = CounterMetricFamily("tocsin_reports", "Reports by outcome.", labels=("worker", "outcome"))
    troubles = CounterMetricFamily("tocsin_degraded", "Troubles that began.", labels=("worker", "code"))
    waiting = GaugeMetricFamily("tocsin_ingest_queue", "Reports waiting for the store.", labels=_WORKER)
    for worker in running:
        for key, outcome in _REPORTS.items():
            reports.add_metric([worker.name, outcome], worker.counts.get(key, 0))
        for key, value in sorted(worker.counts.items()):
            if key.startswith(_DEGRADED):
                troubles.add_metric([worker.name, key.removeprefix(_DEGRADED)], value)
        waiting.add_metric([worker.name], worker.counts.get("waiting", 0))
    yield from (reports, troubles, waiting)
    for key, (name, means) in _COUNTERS.items():
        family = CounterMetricFamily(name, means, labels=_WORKER)
        for worker in running:
            family.add_metric([worker.name], worker.counts.get(key, 0))
        yield family


def _deliveries(session: Session, _now: float) -> Iterator[Metric]:
    found = outbox.counts(session)
    family = GaugeMetricFamily(
        "tocsin_deliveries",
        "Messages to webhooks and mail, of the last 30 days.",
        labels=("channel", "state"),
    )
    for channel in (outbox.WEBHOOK, outbox.MAIL):
        for state in ("waiting", "done", "failed"):
            family.add_metric([channel, state], found.get((channel, state), 0))
    yield family
    off = len(outbox.disabled(session))
    yield _gauge("tocsin_webhooks_disabled", "Webhooks that are sent nothing.", off)


def _devices(session: Session, _now: float) -> Iterator[Metric]:
    t = schema.device_sums
    query = sa.select(t.c.product, t.c.kind, sa.func.sum(t.c.count)).group_by(t.c.product, t.c.kind)
    family = GaugeMetricFamily("tocsin_devices", "Devices.", labels=("product", "kind"))
    for product, kind, count in session.connection.execute(query):
        family.add_metric([product, Kind(kind).name.lower()], int(count))
    yield family


def _notices(session: Session, _now: float) -> Iterator[Metric]:
    t, a = schema.notice_sums, schema.advisories
    newest = (
        sa.select(a.c.id, sa.func.max(a.c.revision).label("revision"))
        .group_by(a.c.id)
        .order_by(sa.func.max(a.c.published).desc(), a.c.id)
        .limit(NEWEST)
        .subquery()
    )
    query = (
        sa.select(t.c.advisory, t.c.state, sa.func.sum(t.c.count))
        .join(newest, sa.and_(newest.c.id == t.c.advisory, newest.c.revision == t.c.revision))
        .group_by(t.c.advisory, t.c.state)
    )
    family = GaugeMetricFamily(
        "tocsin_notice_devices",
        "Devices that reported the newest revision of an advisory; the newest advisories.",
        labels=("advisory", "state"),
    )
    for advisory, state, count in session.connection.execute(query):
        family.add_metric([advisory, NoticeState(state).name.lower()], int(count))
    yield family


def _patches(session: Session, _now: float) -> Iterator[Metric]:
    t, p = schema.patch_sums, schema.patches
    query = (
        sa.select(p.c.product, t.c.state, sa.func.sum(t.c.count))
        .join(p, p.c.digest == t.c.digest)
        .group_by(p.c.product, t.c.state)
    )
    family = GaugeMetricFamily(
        "tocsin_patch_devices", "States of patches on devices.", labels=("product", "state")
    )
    for product, state, count in session.connection.execute(query):
        family.add_metric([product, PatchState(state).name.lower()], int(count))
    yield family


def _rollouts(session: Session, _now: float) -> Iterator[Metric]:
    t, c = schema.rollouts, schema.rollout_cells
    count = sa.func.count()
    states = GaugeMetricFamily("tocsin_rollouts", "Rollouts.", labels=("state",))
    rows = session.connection.execute(sa.select(t.c.state, count).group_by(t.c.state))
    found: dict[int, int] = {state: many for state, many in rows}  # noqa: C416 - rows are no pairs to mypy
    for state in RolloutState:
        states.add_metric([state.name.lower()], found.get(int(state), 0))
    yield states
    going = (int(RolloutState.RUNNING), int(RolloutState.PAUSED))
    newest = sa.select(t.c.id).where(t.c.state.in_(going)).order_by(t.c.created.desc(), t.c.id).limit(NEWEST)
    query = (
        sa.select(c.c.rollout, c.c.outcome, sa.func.sum(c.c.count))
        .where(c.c.rollout.in_(newest.scalar_subquery()))
        .group_by(c.c.rollout, c.c.outcome)
    )
    devices = GaugeMetricFamily(
        "tocsin_rollout_devices",
        "Devices of the newest rollouts that run or are paused.",
        labels=("rollout", "outcome"),
    )
    for rollout, outcome, many in session.connection.execute(query):
        devices.add_metric([rollout, Outcome(outcome).name.lower()], int(many))
    yield devices


def _chain(session: Session, _now: float) -> Iterator[Metric]:
    yield _gauge("tocsin_audit_rows", "Rows of the audit chain.", audit.last(session)[0])
    t = schema.quarantine
    rows = session.connection.execute(sa.select(sa.func.count()).select_from(t)).scalar() or 0
    yield _gauge("tocsin_quarantined_messages", "Messages in quarantine.", rows)


_PARTS: Final[tuple[Callable[[Session, float], Iterator[Metric]], ...]] = (
    _workers,
    _deliveries,
    _devices,
    _notices,
    _patches,
    _rollouts,
    _chain,
)


class Metrics:
    """The page that Prometheus reads: of this store, and of this process.

    Args:
        store: see there.
        extra: more metrics, which this room cannot make.
        clock: UTC seconds.
    """

    def __init__(
        self, store: Store, *, extra: Extra = lambda: (), clock: Callable[[], float] = time.time
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(StoreMetrics(store, extra, clock))

    def page(self) -> bytes:
        """Return the text; it may take a while, so call it in a thread."""
        return generate_latest(self._registry)
