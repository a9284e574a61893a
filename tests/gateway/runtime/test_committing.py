"""What one transaction does with a batch, on both engines, also when two workers have the same report."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.topics import Topics
from gateway.core.chain import COMMITTED
from gateway.service.committing import Committer, Item, Outcome, Receipt, Refusal
from gateway.store import audit, quarantine, schema
from gateway.store.engine import Store
from gateway.store.publication import publish_root, register_devices
from keys.reasons import Reason
from tests.gateway.peer import Peer
from tests.helpers import Fleet, device_record, devices, make_fleet

TOPICS = Topics()
IDS = ("device-0000", "device-0001", "device-0002")


@pytest.fixture
def fleet(any_store: Store) -> Fleet:
    fleet = make_fleet()
    publish_root(any_store, fleet.root_document, fleet.now)
    register(any_store, fleet, *IDS)
    return fleet


def register(store: Store, fleet: Fleet, *ids: str, **fields: Any) -> None:
    records = (device_record(fleet, id_) for id_ in ids)
    register_devices(store, fleet.seal(devices(fleet, *records, **fields)), fleet.now)


def item(device: str, data: bytes) -> Item:
    return Item(TOPICS.device(device, "report"), device, data, 1_800_000_000.0, lambda _: None)


def committer(store: Store, fleet: Fleet) -> Committer:
    return Committer(store, fleet.id, clock=lambda: float(fleet.now))


def column(store: Store, table: sa.Table, name: str) -> list[Any]:
    with store.read() as session:
        return list(session.connection.execute(sa.select(table.c[name])).scalars())


def vouched(store: Store) -> list[str]:
    """Digests of all reports that the audit chain names."""
    with store.read() as session:
        rows = [json.loads(row.data) for row in audit.rows(session) if row.kind == COMMITTED]
    return [digest for row in rows for digest in row["reports"]]


def opened(made: Committer, *items: Item) -> list[Item]:
    made.open(items)
    return list(items)


def test_a_signature_is_checked_once_and_under_the_row_that_counts(any_store: Store, fleet: Fleet) -> None:
    made, peer = committer(any_store, fleet), Peer(fleet, IDS[0])
    first, stranger = opened(made, item(peer.id, peer.sign()), item("stranger", b"x"))
    assert first.opened is not None
    assert stranger.opened is None
    assert isinstance(made.commit([first])[0], Receipt)
    (second,) = opened(made, item(peer.id, peer.sign()))
    assert second.opened is not None
    register(any_store, fleet, IDS[0], version=fleet.now + 1, issued=fleet.now)
    revoked = device_record(fleet, IDS[0], revoked=True)
    document = fleet.seal(devices(fleet, revoked, version=fleet.now + 2))
    register_devices(any_store, document, fleet.now)
    refused = made.commit([second])[0]
    assert refused == Refusal(Reason.REVOKED, "")  # what was checked before does not count any more


def test_a_report_twice_in_a_batch_is_one_report(any_store: Store, fleet: Fleet) -> None:
    made, peer = committer(any_store, fleet), Peer(fleet, IDS[0])
    data = peer.sign()
    first, second = made.commit([item(peer.id, data), item(peer.id, data)])
    assert first == second
    assert column(any_store, schema.reports, "bytes") == [data]
    assert len(vouched(any_store)) == 1
    assert made.commit([item(peer.id, data)]) == [first]
    assert len(vouched(any_store)) == 1
    audit.verify_chain(any_store)


def test_a_message_on_which_the_gateway_fails_is_quarantined_and_the_others_are_committed(
    any_store: Store, fleet: Fleet
) -> None:
    calls = itertools.count(1)

    def entropy(count: int) -> bytes:
        if next(calls) in {1, 3}:  # for the batch, and for its second report alone
            raise ZeroDivisionError
        return bytes(count)

    made = Committer(any_store, fleet.id, clock=lambda: float(fleet.now), entropy=entropy)
    peers = [Peer(fleet, id_) for id_ in IDS]
    outcomes = made.commit([item(peer.id, peer.sign()) for peer in peers])
    assert [type(outcome) for outcome in outcomes] == [Receipt, Refusal, Receipt]
    assert len(column(any_store, schema.reports, "bytes")) == 2 == len(vouched(any_store))
    with any_store.read() as session:
        (kept,) = quarantine.rows(session, limit=10)
    assert (kept.topic, kept.detail) == (
        TOPICS.device(IDS[1], "report"),
        "the gateway failed on it (ZeroDivisionError)",
    )
    assert made.counts["poisoned"] == 1
    audit.verify_chain(any_store)


def test_two_workers_with_the_same_reports_commit_each_once(any_place: Path | str) -> None:
    fleet = make_fleet()
    stores = [Store.open(any_place) for _ in range(2)]
    publish_root(stores[0], fleet.root_document, fleet.now)
    register(stores[0], fleet, *IDS)
    reports = [item(id_, Peer(fleet, id_).sign()) for id_ in IDS]
    outcomes: dict[int, list[Outcome]] = {}

    def work(number: int, batch: list[Item]) -> None:
        outcomes[number] = committer(stores[number], fleet).commit(batch)

    batches = [reports, reports[::-1]]
    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(batches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes[0] == outcomes[1][::-1]
    assert len(column(stores[0], schema.reports, "bytes")) == len(IDS) == len(vouched(stores[0]))
    for store in stores:
        store.close()


def test_the_quarantine_is_bounded_in_all_and_for_each_topic(
    any_store: Store, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "TOPIC_ROWS_MAX", 3)
    monkeypatch.setattr(quarantine, "ROWS_MAX", 5)
    made = committer(any_store, fleet)
    wild = [item("wild", bytes([number])) for number in range(6)]
    assert all(isinstance(outcome, Refusal) for outcome in made.commit([*wild, wild[0]]))
    made.commit(wild)
    assert len(column(any_store, schema.quarantine, "id")) == 3
    made.commit([item(f"other-{number}", b"x") for number in range(4)])
    assert len(column(any_store, schema.quarantine, "id")) == 5
    assert made.counts["quarantine_full"] == 4 + 6 + 2
    assert made.counts["quarantined"] == 7 + 6 + 4


def test_words_that_postgresql_has_not_are_kept_readable(any_store: Store) -> None:
    message = quarantine.Poison("a/b", Reason.MALFORMED, "said a\0b", b"\0", 1.0)
    with any_store.write() as session:
        assert quarantine.keep(session, [message]) == 1
        assert [row.detail for row in quarantine.rows(session, limit=1)] == ["said a\N{SYMBOL FOR NULL}b"]


def test_what_is_longer_than_a_report_is_kept_by_its_beginning(any_store: Store, fleet: Fleet) -> None:
    made = committer(any_store, fleet)
    for device in (IDS[0], "stranger"):
        assert made.commit([item(device, b"x" * 20_000)])[0] == Refusal(Reason.TOO_BIG, "20000 bytes")
    with any_store.read() as session:
        found = quarantine.rows(session, limit=10)
    assert [(len(message.data), message.cut) for message in found] == [(4_096, True), (4_096, True)]


def test_what_is_remembered_is_bounded(
    any_store: Store, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.service.committing.DEVICES_MAX", 1)
    made = committer(any_store, fleet)
    peers = [Peer(fleet, id_) for id_ in IDS]
    made.commit([item(peer.id, peer.sign()) for peer in peers])
    assert len(made._devices) == 1
    again = opened(made, *(item(peer.id, peer.sign()) for peer in peers))
    assert all(isinstance(outcome, Receipt) for outcome in made.commit(again))


def test_a_head_that_was_never_in_the_chain_is_an_anomaly_each_time(any_store: Store, fleet: Fleet) -> None:
    made, peer = committer(any_store, fleet), Peer(fleet, IDS[0])
    with any_store.read() as session:
        head = audit.head(session)
    made.commit([item(peer.id, peer.sign(audit_head=head))])
    made.commit([item(peer.id, peer.sign(audit_head=head))])
    assert column(any_store, schema.anomalies, "kind") == []
    for _ in range(2):
        made.commit([item(peer.id, peer.sign(audit_head=b"?" * 32))])
    assert column(any_store, schema.anomalies, "kind") == ["audit_head"] * 2
