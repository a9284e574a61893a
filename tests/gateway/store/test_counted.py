"""An upgrade counts an older store as its own rows say, in words of its own; what counts today agrees."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from advisories.report import Track
from advisories.states import NoticeState, PatchState, Surface
from gateway.core.rollout import RolloutState
from gateway.core.rollout.outcome import LEFT_OUT, Outcome
from gateway.store import cells, schema
from gateway.store.engine import Store
from keys.document import digest
from keys.reasons import Reason
from tests.gateway.store.test_upgrade import released
from tests.helpers import PRODUCT, make_fleet, notice

PATCHES = [bytes([number]) * 32 for number in (1, 2, 3)]
PUBLISHED = 1_800_000_000.0
LATEST = 4


def put(raw: sqlite3.Connection, table: str, **values: Any) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" * len(values))
    raw.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def fill(raw: sqlite3.Connection, rng: random.Random) -> None:
    """Put devices into a store of version 4 that stand in every way."""
    fleet = make_fleet()
    for number, patches in ((1, None), (2, {PRODUCT: tuple(PATCHES[:2])})):
        document = fleet.seal(notice(fleet, id="EX-9", revision=number, patches=patches))
        kept = {"digest": digest(document), "document": document, "published": PUBLISHED + number}
        put(raw, "advisories", id="EX-9", revision=number, **kept)
    for number, manifest in enumerate(PATCHES):
        made = {"version": f"1.{number}.0", "envelope": b"", "payload": bytes(32), "size": 1}
        put(raw, "patches", digest=manifest, product="p", sequence=number, published=1.0, **made)
        state = (RolloutState.RUNNING, RolloutState.STOPPED, RolloutState.FINISHED)[number]
        put(
            raw,
            "rollouts",
            id=f"x{number}",
            product="p",
            digest=manifest,
            state=state,
            plan="{}",
            created=1.0,
        )
    for place in range(900):
        device(raw, rng, f"rich-{place:03}")


def device(raw: sqlite3.Connection, rng: random.Random, id_: str) -> None:
    """Put one device and what it said."""
    keys = {"key": b"", "kid": id_.encode().ljust(32), "valid_from": 0, "valid_to": 9}
    product = rng.choice([PRODUCT, "other"])
    put(raw, "devices", id=id_, product=product, revoked=rng.random() < 0.1, **keys)
    for number in range(3):
        group = {"group": rng.randrange(2), "cancelled": rng.choice([None, None, 5.0])}
        offered = rng.choice([None, 4.0, 4.0, 4.0])
        put(raw, "rollout_devices", rollout=f"x{number}", device=id_, offered=offered, **group)
    if rng.random() < 0.1:
        return
    said = {"epoch": 1, "sequence": 1, "language": rng.choice(["en", "de"]), "root_version": 1}
    said |= {"journal_count": 0, "journal_head": b"", "journal_life": 0, "next_nonce": b"", "seen": 1.0}
    put(raw, "device_states", device=id_, installed=rng.choice(["1.0.0", "1.1.0", "1.2.0"]), **said)
    if rng.random() < 0.7:
        moments = {
            name: rng.choice([None, 7.0]) for name in ("verified", "shown", "acknowledged", "confirmed")
        }
        where = {"state": rng.choice(list(NoticeState)), "surface": rng.choice(list(Surface)), "reason": 0}
        late = rng.choice([None, PUBLISHED - 3, PUBLISHED + rng.lognormvariate(5, 4)])
        about = {"advisory": "EX-9", "revision": rng.choice([1, 2]), "digest": bytes(32)}
        put(raw, "notice_states", device=id_, shown_received=late, **about, **where, **moments)
    for number, manifest in enumerate(PATCHES):
        if rng.random() < 0.8:
            state = rng.choice([*PatchState, PatchState.SUCCEEDED, PatchState.FAILED, PatchState.REJECTED])
            how = {"consent_how": rng.choice([None, 0, 1]), "deferrals": rng.choice([None, 2])}
            told = {"state": state, "reason": rng.choice(list(Reason)), "changed": rng.choice([3.0, 6.0])}
            put(raw, "patch_states", device=id_, digest=manifest, sequence=number, time=1, **told, **how)
    for index in range(3):
        entry = {"track": rng.choice(list(Track)), "new": rng.choice(list(NoticeState)), "old": 0, "time": 1}
        put(raw, "journal", device=id_, life=0, index=index, name="n", reason=rng.choice([1, 2, 3]), **entry)


def test_an_upgrade_counts_as_everything_after_it_does(tmp_path: Path) -> None:
    path = released(LATEST, tmp_path)
    with sqlite3.connect(path) as raw:
        fill(raw, random.Random(4))
    raw.close()
    store = Store.open(path)
    with store.read() as session:
        assert cells.faults(session) == []
        c = schema.rollout_cells
        met = session.connection.execute(sa.select(c.c.outcome).distinct()).scalars()
        assert {Outcome(each) for each in met} == set(Outcome) - LEFT_OUT - {Outcome.SILENT}
        for table in schema.metadata.sorted_tables:
            if table.name.endswith(("_cells", "_sums", "_accounts", "_regions")):
                assert session.connection.execute(sa.select(table).limit(1)).first() is not None, table.name
        assert session.connection.execute(sa.select(schema.named_patches)).all() != []
    store.close()
