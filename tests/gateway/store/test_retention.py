"""Erasing by rule: what goes, what stays, and that nobody can hide a theft behind a rule."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.report import Track
from advisories.states import NoticeState as N
from advisories.states import PatchState
from gateway.core import retention as core
from gateway.core.retention import DAY, RULES
from gateway.operations.stores import Expiry
from gateway.store import audit, cells, retention, schema
from gateway.store.engine import Session, Store
from tests.gateway.databases import fresh_place, until_it_waits
from tests.gateway.store.house import IDS, House, insert

DAYS = 30


@pytest.fixture
def house(any_store: Store) -> House:
    return House(any_store)


@pytest.fixture
def one_house(tmp_path: Path) -> Iterator[House]:
    store = Store.open(fresh_place("sqlite", tmp_path))
    yield House(store)
    store.close()


def test_old_reports_go_and_the_newest_of_each_device_stays(house: House) -> None:
    for sequence, ago in enumerate((90, 60, 31, 29, 1), 1):
        house.report(IDS[0], sequence, ago)
    house.report(IDS[1], 1, 200)
    house.report(IDS[2], 1, 300, salted=False)
    house.report(IDS[2], 2, 2, salted=False)
    assert house.findings() == []
    assert house.expire(reports=DAYS) == {"reports": {"reports": 4}}
    assert house.left(schema.reports, "device", "sequence") == [
        (IDS[0], 4),
        (IDS[0], 5),
        (IDS[1], 1),
        (IDS[2], 2),
    ]
    assert len(house.left(schema.device_states, "device")) == 3
    assert house.findings() == []
    assert house.expire(reports=DAYS) == {"reports": {}}


def test_the_day_counts_from_the_commit_to_the_second(house: House) -> None:
    house.report(IDS[0], 1, DAYS)
    house.report(IDS[0], 2, 1)
    assert house.expire(reports=DAYS) == {"reports": {}}
    house.now += 1.5
    assert house.expire(reports=DAYS) == {"reports": {"reports": 1}}
    assert house.findings() == []


def test_without_a_rule_nothing_goes_and_each_rule_is_in_the_chain_once(house: House) -> None:
    house.report(IDS[0], 1, 900)
    house.report(IDS[0], 2, 800)
    assert house.expire() == {}
    house.expire(reports=DAYS)
    house.report(IDS[0], 3, 40)
    house.expire(reports=DAYS)
    house.report(IDS[0], 4, 9)
    house.expire(reports=8)
    with house.store.read() as session:
        rows = [(row.kind, json.loads(row.data)) for row in audit.find(session, limit=99, kind="retention.")]
    assert [kind for kind, _ in rows] == [core.RULED, core.ERASED, core.ERASED, core.RULED, core.ERASED]
    assert [data["reports"] for kind, data in rows if kind == core.RULED] == [DAYS, 8]
    text = json.dumps(rows)
    assert not any(id_ in text for id_ in IDS)
    assert house.findings() == []


def test_two_with_other_rules_that_erase_at_a_time_each_say_so_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody changes tocsin.toml while a gateway still runs with what stood there before."""
    store = Store.open(fresh_place("postgresql", Path()))
    house = House(store)
    house.report(IDS[0], 1, 900)
    house.report(IDS[0], 2, 800)
    house.expire(reports=700)
    house.report(IDS[0], 3, 1)
    house.change(
        lambda session: insert(
            session, schema.quarantine, topic="t", reason=1, detail="", bytes=b"", time=house.at(99)
        )
    )
    reached = threading.Event()
    other = threading.Thread(target=lambda: retention.expire(store, {"quarantine": 60}, house.now))
    found = Session.meta

    def meta(session: Session, key: str) -> str | None:
        said = found(session, key)
        if (
            key == retention._RULED
            and not reached.is_set()
            and threading.current_thread() is threading.main_thread()
        ):
            reached.set()
            other.start()
            until_it_waits(store, other)
        return said

    monkeypatch.setattr(Session, "meta", meta)
    retention.expire(store, {"reports": 700}, house.now)
    other.join()
    assert house.left(schema.reports, "sequence") == [(3,)]
    assert house.left(schema.quarantine, "id") == []
    assert house.findings() == []
    store.close()


def steal(session: Session) -> None:
    t = schema.reports
    session.connection.execute(t.delete().where(t.c.sequence == 2))


def alter(session: Session) -> None:
    t = schema.reports
    session.connection.execute(t.update().where(t.c.sequence == 2).values(bytes=b"another"))


def slip_in(session: Session) -> None:
    insert(
        session, schema.reports, device=IDS[0], epoch=9, sequence=9, bytes=b"x", received=1.0, salt=bytes(16)
    )


def erased(house: House, **facts: Any) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        t = schema.reports
        salt, data = session.connection.execute(sa.select(t.c.salt, t.c.bytes).where(t.c.sequence == 2)).one()
        digest = core.digest_of(salt, data)
        steal(session)
        base = {
            "rule": "reports",
            "days": DAYS,
            "before": house.now - DAYS * DAY,
            "rows": {},
            "reports": [digest],
        }
        audit.append(session, core.ERASED, {**base, **facts}, house.now)

    return work


def ruled(days: int) -> Callable[[Session, House], None]:
    return lambda session, house: audit.append(session, core.RULED, {"reports": days}, house.now) and None


TAMPERING: dict[str, tuple[Callable[[House], Callable[[Session], object]], list[str]]] = {
    "taken away": (lambda _: steal, ["it was committed and is gone"]),
    "altered": (
        lambda _: alter,
        ["it is there, and no audit row vouches for it", "it was committed and is gone"],
    ),
    "slipped in": (lambda _: slip_in, ["it is there, and no audit row vouches for it"]),
    "erased by a rule that nobody made": (
        lambda house: erased(house, days=3, before=house.now - 3 * DAY),
        ["it was erased by the rule 'reports' of 3 days, which was not in force"],
    ),
    "erased by no rule": (lambda house: erased(house, rule="x"), ["it was erased by no rule that there is"]),
    "erased too early by its own words": (
        lambda house: erased(house, before=house.now),
        ["it was erased before its 30 days were over"],
    ),
    "erased too early by the time of its commit": (
        erased,
        ["it was erased before its 30 days were over"],
    ),
    "erased and still there": (
        lambda house: lambda session: (erased(house)(session), put_back(session)),
        ["it was erased before its 30 days were over", "it is there although it was erased"],
    ),
    "a digest of nobody": (
        lambda house: erased(house, reports=["ab" * 32]),
        ["it was committed and is gone", "it was erased, and was never committed"],
    ),
}


def put_back(session: Session) -> None:
    data = f"report {IDS[0]} 2".encode()
    values = {"device": IDS[0], "epoch": 1, "sequence": 2, "bytes": data, "received": 1.0}
    insert(session, schema.reports, **values, salt=(2).to_bytes(16))


@pytest.mark.parametrize("how", TAMPERING)
def test_erased_by_rule_is_told_from_tampered(one_house: House, how: str) -> None:
    house = one_house
    for sequence, ago in ((1, 90), (2, 20), (3, 10)):
        house.report(IDS[0], sequence, ago)
    house.expire(reports=DAYS)
    assert house.findings() == []
    harm, said = TAMPERING[how]
    house.change(harm(house))
    assert sorted(house.findings()) == sorted(said)


def journal(house: House, device: str, index: int, **fields: Any) -> None:
    base = {
        "life": 1,
        "time": 0,
        "track": int(Track.NOTICE),
        "name": "EX-2026-0001",
        "old": 3,
        "new": 4,
        "reason": 0,
    }
    values = {**base, "device": device, "index": index, "received": house.at(90), **fields}
    house.change(lambda session: insert(session, schema.journal, **values))


def test_transitions_that_no_open_matter_needs_go(house: House) -> None:
    for id_ in IDS[:2]:
        house.report(id_, 1, 1)
    closed, open_ = IDS[0], IDS[1]
    values = {"advisory": "EX-2026-0001", "revision": 1, "digest": bytes(32), "reason": 0, "surface": 1}
    for device, state in ((closed, N.WITHDRAWN), (open_, N.SHOWN)):

        def put(session: Session, device: str = device, state: N = state) -> None:
            with cells.counted(session, [device]):
                insert(session, schema.notice_states, device=device, state=int(state), **values)
                insert(
                    session,
                    schema.patch_states,
                    device=device,
                    digest=bytes(32),
                    sequence=1,
                    state=int(PatchState.SUCCEEDED if device == closed else PatchState.DOWNLOADING),
                    reason=0,
                    time=0,
                    changed=0.0,
                )

        house.change(put)
    for device in (closed, open_):
        journal(house, device, 1)
        journal(house, device, 2, track=int(Track.PATCH), name="ab" * 8)
        journal(house, device, 3, name="EX-2026-0002")
        journal(house, device, 4, received=house.at(29))
        journal(house, device, 5, received=None, time=int(house.at(40)), name="x")
        journal(house, device, 6, received=None, time=int(house.at(5)), name="x")
        journal(house, device, 999)
    assert house.expire(journal=DAYS) == {"journal": {"journal": 6}}
    left = house.left(schema.journal, "device", "index")
    assert [index for device, index in left if device == closed] == [4, 6, 999]
    assert [index for device, index in left if device == open_] == [1, 2, 4, 6, 999]
    assert house.findings() == []


def test_quarantine_anomalies_deliveries_and_contacts_go(house: House) -> None:
    old, young = house.at(40), house.at(20)

    def put(session: Session) -> None:
        for time in (old, young):
            insert(session, schema.quarantine, time=time, topic="t", reason=1, detail="", bytes=b"x")
            insert(session, schema.anomalies, time=time, device=IDS[0], kind="k", detail="")
            for channel in ("webhook", "mail"):
                values = {"channel": channel, "target": "anna@example.com", "kind": "k", "body": "words"}
                once = f"{channel} {time}"
                numbers = {"created": time, "since": time, "due": time, "attempts": 1}
                insert(session, schema.deliveries, once=once, done=time, **values, **numbers)
                insert(session, schema.deliveries, once=f"{once} waits", **values, **numbers)
        for id_, closed in (("a", old), ("b", young), ("c", None)):
            contact = '{"mail": "anna@example.com"}'
            insert(
                session,
                schema.accounts,
                id=id_,
                name="x",
                language="en",
                contact=contact,
                created=1,
                closed=closed,
            )

    house.change(put)
    keep = {"quarantine": DAYS, "anomalies": DAYS, "deliveries": DAYS, "closed_accounts": DAYS}
    assert house.expire(**keep) == {
        "quarantine": {"quarantine": 1},
        "anomalies": {"anomalies": 1},
        "deliveries": {"deliveries": 2},
        "closed_accounts": {"accounts": 1},
    }
    assert house.left(schema.quarantine, "time") == house.left(schema.anomalies, "time") == [(young,)]
    gone = [once for once, body in house.left(schema.deliveries, "once", "body") if not body]
    assert gone == [f"mail {old}"]
    assert len(house.left(schema.deliveries, "id")) == 7
    contacts = dict(house.left(schema.accounts, "id", "contact"))
    assert contacts == {"a": "{}", "b": '{"mail": "anna@example.com"}', "c": '{"mail": "anna@example.com"}'}
    assert house.expire(**keep) == {rule: {} for rule in keep}


def test_of_devices_revoked_long_ago_only_the_record_stays(house: House) -> None:
    for id_ in IDS:
        house.report(id_, 1, 100)
        house.report(id_, 2, 50)
        journal(house, id_, 1)

        def put(session: Session, id_: str = id_) -> None:
            with cells.counted(session, [id_]):
                insert(session, schema.labels, device=id_, name="floor", value="3")
                insert(session, schema.inventory, id=id_, product="thermostat", source="csv", updated=1.0)
            insert(session, schema.anomalies, device=id_, time=1.0, kind="k", detail="")
            insert(session, schema.followups, advisory="A", device=id_, owner="anna", note="", at=1.0)

        house.change(put)
    house.register(IDS[0], IDS[1], version=2, ago=45)
    house.register(IDS[0], version=3, ago=40)  # the second was revoked by mistake
    house.register(IDS[0], IDS[1], version=4, ago=20)
    went = house.expire(revoked_devices=DAYS)["revoked_devices"]
    assert went == {
        "anomalies": 1,
        "device_states": 1,
        "followups": 1,
        "inventory": 1,
        "journal": 1,
        "labels": 1,
        "reports": 2,
    }
    for table, name in (*retention._OF_A_DEVICE, (schema.reports, "device")):
        assert IDS[0] not in {row[0] for row in house.left(table, name)}
    assert len(house.left(schema.devices, "id")) == 3
    assert house.findings() == []
    assert house.expire(revoked_devices=DAYS) == {"revoked_devices": {}}


def test_the_chore_erases_a_batch_a_round(house: House) -> None:
    for sequence in range(4):
        house.report(IDS[0], sequence, 40)
    chore = Expiry(house.store, lambda: {"reports": DAYS}, lambda: house.now, limit=2)
    assert asyncio.run(chore.round()) is True
    assert asyncio.run(chore.round()) is False
    assert len(house.left(schema.reports, "sequence")) == 1
    assert asyncio.run(Expiry(house.store, dict).round()) is False
    assert set(RULES) == retention._WORK.keys()
