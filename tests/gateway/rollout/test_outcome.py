"""How a device stands: the rules in values, and the same ones in SQL on each engine."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.states import PATCH_FAILED, PATCH_PROVEN, PatchState
from gateway.core.rollout import Failure, Outcome, RolloutState
from gateway.core.rollout.outcome import BY_END, BY_REASON, FAILED_AS, LEFT_OUT, Row, failure, outcome
from gateway.store import schema
from gateway.store.engine import Store
from gateway.store.outcomes import OUTCOME, SOURCE, cells, outcomes, recount
from keys.reasons import Reason

O, P = Outcome, PatchState  # noqa: E741 - as in the tables
SENT, BEFORE, AFTER = 100.0, 90.0, 110.0

CASES: list[tuple[str, dict[str, Any], Outcome]] = [
    ("nothing yet", {}, O.PLANNED),
    ("left out when its turn came", {"offered": SENT, "left_out": O.MOVED}, O.MOVED),
    ("left out, whatever it says", {"left_out": O.OVERTAKEN, "state": P.FAILED, "changed": AFTER}, O.OVERTAKEN),
    ("left out, and runs it", {"left_out": O.NO_RECORD, "state": P.SUCCEEDED, "changed": AFTER}, O.PROVEN),
    ("offered", {"offered": SENT}, O.OFFERED),
    ("a word from before the offer", {"offered": SENT, "state": P.FAILED, "changed": BEFORE}, O.OFFERED),
    ("a word of the very moment", {"offered": SENT, "state": P.FAILED, "changed": SENT}, O.OFFERED),
    ("silent", {"offered": SENT, "silent": AFTER}, O.SILENT),
    ("taken back unheard", {"offered": SENT, "cancelled": AFTER, "silent": AFTER}, O.LEFT),
    ("stuck", {"offered": SENT, "state": P.DOWNLOADING, "changed": AFTER, "silent": AFTER + 1}, O.SILENT),
    ("spoke again", {"offered": SENT, "state": P.VERIFIED, "changed": AFTER, "silent": BEFORE}, O.UNDER_WAY),
    ("asks its owner", {"offered": SENT, "state": P.DEFERRED, "changed": AFTER}, O.WAITING),
    ("on trial", {"offered": SENT, "state": P.TESTING, "changed": AFTER}, O.UNDER_WAY),
    ("failed", {"offered": SENT, "state": P.FAILED, "changed": AFTER}, O.FAILING),
    (
        "failed for good",
        {"offered": SENT, "state": P.FAILED, "reason": Reason.UPDATE_FAILED, "changed": AFTER, "failed": AFTER},
        O.FAILED_INSTALL,
    ),
    (
        "reverted, whatever the reason",
        {"offered": SENT, "state": P.ROLLED_BACK, "reason": Reason.BUSY, "changed": AFTER, "failed": AFTER},
        O.FAILED_BOOT,
    ),
    ("failed and it is over", {"offered": SENT, "state": P.TIMED_OUT, "changed": AFTER, "over": True}, O.FAILED_TIME),
    ("proven", {"offered": SENT, "state": P.SUCCEEDED, "changed": AFTER}, O.PROVEN),
    ("proven before it was asked", {"state": P.ALREADY_INSTALLED, "changed": BEFORE}, O.PROVEN),
    ("claimed, not measured", {"state": P.SUCCEEDED, "changed": AFTER, "measured": False}, O.UNDER_WAY),
    ("on a newer patch", {"state": P.SUCCEEDED, "changed": AFTER, "measured": False, "newer": True}, O.LEFT),
    ("declined", {"offered": SENT, "state": P.DECLINED, "changed": AFTER}, O.DECLINED),
    ("revoked", {"state": P.SUCCEEDED, "changed": AFTER, "revoked": True}, O.REVOKED),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "wanted"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_how_a_device_stands(fields: dict[str, Any], wanted: Outcome) -> None:
    assert outcome(Row(**fields)) is wanted


def test_every_state_and_reason_has_its_place() -> None:
    for state in PatchState:
        found = outcome(Row(offered=SENT, state=state, changed=AFTER, failed=AFTER))
        assert (found is O.PROVEN) == (state in PATCH_PROVEN)
        assert (found in FAILED_AS.values()) == (state in PATCH_FAILED)
        assert (found in {O.DECLINED, O.NOT_APPLICABLE, O.LEFT}) == (state in BY_END)
    for reason in Reason:
        assert failure(P.FAILED, reason) is BY_REASON.get(reason, Failure.OTHER)
    assert failure(P.TIMED_OUT, Reason.LOW_BATTERY) is Failure.TIME


def test_both_engines_say_the_same_as_the_rules(any_store: Store) -> None:
    """Every mixture of what a row may hold; the engine and the function must agree on each."""
    times = (None, BEFORE, AFTER)
    states = (None, P.FAILED, P.ROLLED_BACK, P.SUCCEEDED, P.DEFERRED, P.DOWNLOADING, P.DECLINED, P.REMOVED)
    mixed = [
        {"offered": SENT, "cancelled": a, "failed": b, "silent": c, "state": s, "changed": t}
        for a, b, c, s, t in product((None, AFTER), times[::2], times, states, (BEFORE, SENT, AFTER))
    ]
    mixed += [{**fields, "offered": None} for fields in mixed[::7]]
    mixed += [{**fields, flag: not Row.__dataclass_fields__[flag].default} for fields in mixed[::5]
              for flag in ("measured", "revoked", "over")]  # fmt: skip
    mixed += [{**f, "measured": False, "newer": True} for f in mixed[::5]]
    mixed += [{**f, "left_out": n} for n in LEFT_OUT for f in mixed[::7]]
    mixed += [
        {"offered": SENT, "failed": AFTER, "state": P.FAILED, "changed": AFTER, "reason": r} for r in Reason
    ]
    rows = [Row(**fields) for fields in mixed]
    rows = [
        row
        if row.state
        else Row(offered=row.offered, silent=row.silent, revoked=row.revoked, left_out=row.left_out)
        for row in rows
    ]
    assert len(rows) > 500
    write(any_store, rows)
    d = schema.rollout_devices
    with any_store.read() as session:
        query = sa.select(d.c.device, OUTCOME).select_from(SOURCE)
        found = {int(row[0]): Outcome(row[1]) for row in session.connection.execute(query)}
    wrong = {n: (row, found[n]) for n, row in enumerate(rows) if found[n] is not outcome(row)}
    assert wrong == {}
    with any_store.write() as session:
        recount(session, "open")
        recount(session, "over")
        by_cells = {name: cells(session, name) for name in ("open", "over")}
        summed: dict[str, dict[int, dict[Outcome, int]]] = {"open": {}, "over": {}}
        for name, group, end, many in outcomes(session, [f"{n:05}" for n in range(len(rows))]):
            into = summed[name].setdefault(group, {})
            into[end] = into.get(end, 0) + many
    assert summed == by_cells
    assert sum(sum(each.values()) for group in by_cells.values() for each in group.values()) == len(rows)


def write(store: Store, rows: list[Row]) -> None:
    """Put rows into the tables; group 0 and 1 in turn, each in the rollout that is open or over."""
    ids = [f"{number:05}" for number in range(len(rows))]
    digest, later = b"p" * 32, b"q" * 32
    with store.write() as session:
        execute = session.connection.execute
        patches = [
            {"digest": each, "product": "p", "sequence": n, "version": v, "envelope": b"", "payload": b"", "size": 1,
             "published": 0.0}
            for each, n, v in ((digest, 7, "1.4.2"), (later, 8, "1.5.0"))
        ]  # fmt: skip
        execute(schema.patches.insert(), patches)
        rollouts = [
            {"id": name, "product": "p", "digest": digest, "state": int(state), "plan": "{}", "created": 0.0}
            for name, state in (("open", RolloutState.RUNNING), ("over", RolloutState.FINISHED))
        ]
        execute(schema.rollouts.insert(), rollouts)
        devices = [
            {"id": id_, "product": "p", "key": b"", "kid": id_.encode(), "valid_from": 0, "valid_to": 9,
             "revoked": row.revoked}
            for id_, row in zip(ids, rows, strict=True)
        ]  # fmt: skip
        execute(schema.devices.insert(), devices)
        states = [
            {"device": id_, "epoch": 1, "sequence": 1, "installed": "1.4.2" if row.measured else "1.5.0",
             "language": "en", "root_version": 1, "journal_count": 0, "journal_head": b"", "journal_life": 0,
             "next_nonce": b"", "seen": 0.0}
            for id_, row in zip(ids, rows, strict=True)
        ]  # fmt: skip
        execute(schema.device_states.insert(), states)
        told = [
            {"device": id_, "digest": digest, "sequence": 7, "state": int(row.state), "reason": int(row.reason),
             "time": 0, "changed": row.changed}
            for id_, row in zip(ids, rows, strict=True)
            if row.state is not None
        ]  # fmt: skip
        told += [
            {"device": id_, "digest": later, "sequence": 8, "state": int(P.SUCCEEDED), "reason": 0, "time": 0,
             "changed": 0.0}
            for id_, row in zip(ids, rows, strict=True)
            if row.newer
        ]  # fmt: skip
        execute(schema.patch_states.insert(), told)
        members = [
            {"rollout": "over" if row.over else "open", "device": id_, "group": n % 2, "offered": row.offered,
             "cancelled": row.cancelled, "failed": row.failed, "silent": row.silent, "left_out": row.left_out}
            for n, (id_, row) in enumerate(zip(ids, rows, strict=True))
        ]  # fmt: skip
        execute(schema.rollout_devices.insert(), members)
