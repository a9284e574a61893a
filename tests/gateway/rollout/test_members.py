"""Whoever stands in some way in a rollout is found by an index, and is whom the rules say."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.states import PatchState
from gateway.core.rollout.outcome import BY_REASON, FAILED, LEFT_OUT, Failure, Outcome
from gateway.core.rollout.table import RolloutState
from gateway.store import cells, members, schema
from gateway.store.engine import Session, Store
from gateway.store.outcomes import OUTCOME, SOURCE
from keys.reasons import Reason

DIGEST, OTHER = bytes(32), bytes([1]) * 32
REASONS = [next(reason for reason, kind in BY_REASON.items() if kind is each) for each in list(Failure)[:-1]]
REPORTED = [(state, reason) for state in PatchState for reason in (*REASONS, Reason.OK)]
DEVICES = [f"device-{number:03}" for number in range(2 * len(REPORTED))]


def fill(session: Session, rng: random.Random) -> None:
    """Make rollouts whose devices stand in every way: half as reported last, half in any way at all."""
    run = session.connection.execute
    for number, digest in enumerate((DIGEST, OTHER)):
        patch = {"sequence": number, "version": f"1.{number}.0", "envelope": b"", "payload": bytes(32)}
        run(schema.patches.insert().values(digest=digest, product="p", size=1, published=1.0, **patch))
        made = {"state": int(RolloutState.RUNNING), "plan": "{}", "created": 1.0}
        run(schema.rollouts.insert().values(id=f"r{number}", product="p", digest=digest, **made))
    rows: dict[sa.Table, list[dict[str, Any]]] = {}
    for place, id_ in enumerate(DEVICES):
        wild = place >= len(REPORTED)
        key = {"key": b"", "kid": place.to_bytes(32, "big"), "valid_from": 0, "valid_to": 9}
        revoked = wild and rng.random() < 0.1
        rows.setdefault(schema.devices, []).append({"id": id_, "product": "p", "revoked": revoked, **key})
        said = {"epoch": 1, "sequence": 1, "language": "en", "root_version": 1, "journal_count": 0}
        said |= {"journal_head": b"", "journal_life": 0, "next_nonce": b"", "seen": 1.0}
        said["installed"] = rng.choice(["1.0.0", "1.1.0"]) if wild else "1.0.0"
        rows.setdefault(schema.device_states, []).append({"device": id_, **said})
        for number, digest in enumerate((DIGEST, OTHER)):
            state, reason = REPORTED[place % len(REPORTED)]
            moment = {"time": 1, "changed": rng.uniform(0, 20) if wild else 10.0}
            values = {"device": id_, "digest": digest, "sequence": number, "state": state, "reason": reason}
            if not wild or rng.random() < 0.6:
                rows.setdefault(schema.patch_states, []).append(values | moment)
            row: dict[str, Any] = {"rollout": f"r{number}", "device": id_, "group": place % 3}
            row |= {"offered": 1.0, "cancelled": None, "failed": None, "silent": None, "left_out": None}
            row["failed"] = None if state is PatchState.REJECTED else 11.0
            if wild:
                row |= {name: rng.choice([None, rng.uniform(0, 20)]) for name in list(row)[3:-1]}
                row["left_out"] = rng.choice([None, None, *sorted(LEFT_OUT)])
            rows.setdefault(schema.rollout_devices, []).append(row)
    for table, values_of in rows.items():
        run(table.insert(), values_of)
    cells.recount(session)


def found(session: Session, where: list[sa.ColumnElement[bool]]) -> list[str]:
    d = schema.rollout_devices
    query = sa.select(d.c.device).select_from(SOURCE).where(d.c.rollout == "r0", *where)
    return list(session.connection.execute(query.order_by(d.c.device)).scalars())


@pytest.mark.parametrize("few", [0, 20_000])
def test_whoever_stands_so_is_found(any_store: Store, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(members, "_FEW", few)
    with any_store.write() as session:
        fill(session, random.Random(few))
    with any_store.read() as session:
        met = set()
        pairs = random.Random(few).sample(list(combinations(Outcome, 2)), 20)
        for wanted in [
            *({each} for each in Outcome),
            *map(set, pairs),
            set(FAILED),
            set(LEFT_OUT) | {Outcome.SILENT},
            set(Outcome),
        ]:
            plain = found(session, [OUTCOME.in_(sorted(map(int, wanted)))])
            where = members.standing(session, "r0", wanted)
            assert (where is None) == (not plain)  # the cells say so
            if where is not None:
                assert found(session, where) == plain
                met |= wanted if len(wanted) == 1 else set()
        assert met == set(Outcome)


def test_while_a_rollout_is_being_made_nobody_is_counted_and_everybody_found(any_store: Store) -> None:
    with any_store.write() as session:
        fill(session, random.Random(1))
        session.connection.execute(schema.rollout_cells.delete())
    with any_store.read() as session:
        plain = found(session, [OUTCOME.in_([int(Outcome.PLANNED)])])
        assert plain
        assert found(session, members.standing(session, "r0", {Outcome.PLANNED}) or []) == plain
