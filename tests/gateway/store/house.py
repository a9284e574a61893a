"""Devices that reported on days gone by, and what a rule takes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from gateway.core import retention as core
from gateway.core.retention import DAY
from gateway.store import audit, cells, retention, schema
from gateway.store.engine import Session, Store
from gateway.store.publication import publish_root, register_devices
from tests.helpers import device_record, devices, make_fleet

IDS = ("device-0001", "device-0002", "device-0003")


class House:
    """Devices that reported on days gone by, each report committed to the chain."""

    def __init__(self, store: Store) -> None:
        self.store, self.fleet = store, make_fleet()
        self.now = float(self.fleet.now + 400 * DAY)
        publish_root(store, self.fleet.root_document, self.fleet.now)
        self.register()

    def register(self, *revoked: str, version: int = 1, ago: float = 399) -> None:
        records = tuple(device_record(self.fleet, id_, revoked=id_ in revoked) for id_ in IDS)
        now = self.now - ago * DAY
        document = self.fleet.seal(devices(self.fleet, *records, version=version))
        register_devices(self.store, document, now)

    def at(self, ago: float) -> float:
        return self.now - ago * DAY

    def report(self, device: str, sequence: int, ago: float, *, salted: bool = True) -> str:
        """Commit a report, as ingest does; it is the newest of its device."""
        data = f"report {device} {sequence}".encode()
        salt = sequence.to_bytes(16) if salted else None
        digest = core.digest_of(salt, data)
        said: Any = digest if salted else [device, 1, sequence, digest]
        with self.store.write() as session, cells.counted(session, [device]):
            row = audit.append(session, "reports.committed", {"reports": [said]}, self.at(ago))
            insert(
                session,
                schema.reports,
                device=device,
                epoch=1,
                sequence=sequence,
                bytes=data,
                received=self.at(ago) - 1,
                salt=salt,
                entry=row.index if salted else None,
            )
            t = schema.device_states
            session.connection.execute(t.delete().where(t.c.device == device))
            insert(
                session,
                t,
                device=device,
                epoch=1,
                sequence=sequence,
                installed="1.4.0",
                language="en",
                root_version=1,
                journal_count=1_000,
                journal_head=bytes(32),
                journal_life=1,
                next_nonce=bytes(16),
                seen=self.at(ago),
            )
        return digest

    def expire(self, **keep: int) -> dict[str, dict[str, int]]:
        counted = {each.rule: dict(each.rows) for each in retention.due(self.store, keep, self.now)}
        went: dict[str, dict[str, int]] = {rule: {} for rule in keep}
        more = True
        while more:
            found, more = retention.expire(self.store, keep, self.now, limit=2)
            for each in found:
                for name, many in each.rows.items():
                    went[each.rule][name] = went[each.rule].get(name, 0) + many
        assert went == counted, "what was announced is what went"
        return went

    def findings(self) -> list[str]:
        audit.verify_chain(self.store)
        with self.store.read() as session:
            assert cells.faults(session) == []
            found = retention.unexplained(session)
            shares = [
                core.unexplained(audit.rows(session), retention._digests(session), share=n) for n in range(16)
            ]
        assert sorted(each for share in shares for each in share) == sorted(found)
        return [each.why for each in found]

    def left(self, table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
        with self.store.read() as session:
            query = sa.select(*(table.c[name] for name in columns))
            return sorted(map(tuple, session.connection.execute(query)))

    def change(self, work: Callable[[Session], object]) -> None:
        with self.store.write() as session:
            work(session)


def insert(session: Session, table: sa.Table, **values: Any) -> None:
    session.connection.execute(table.insert().values(**values))
