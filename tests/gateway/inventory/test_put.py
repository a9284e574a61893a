"""The inventory in the store: what a list says is merged, said once, and counted in the cells, on each engine."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import cells, inventory, schema
from gateway.store.engine import Session, Store
from gateway.store.inventory import OPERATOR, Entry, Put, known_entries, put
from tests.gateway.databases import fresh_place, until_it_waits

NOW = 1_800_000_000.0


def entry(id_: str, **said: Any) -> Entry:
    return Entry(id_, said.pop("product", "thermostat"), said.pop("source", "csv"), **said)


def say(store: Store, *entries: Entry, now: float = NOW) -> Put:
    with store.write() as session:
        return put(session, entries, now)


def unreachable(store: Store) -> dict[tuple[str, str, str], int]:
    c = schema.device_cells
    query = sa.select(c.c.region, c.c.account, c.c.installed, c.c.count).where(c.c.kind == 2)
    with store.read() as session:
        assert cells.faults(session) == []
        return {(row[0], row[1], row[2]): row[3] for row in session.connection.execute(query)}


def test_what_a_list_says_is_counted_and_said_again_changes_nothing(any_store: Store) -> None:
    rows = [entry(f"sn-{n}", region="DE" if n % 2 else "FR", version="1.4.1") for n in range(1_001)]
    assert say(any_store, *rows) == Put(1_001, 0, 0)
    assert unreachable(any_store) == {("DE", "", "1.4.1"): 500, ("FR", "", "1.4.1"): 501}
    assert say(any_store, *rows, now=NOW + 1) == Put(0, 0, 1_001)
    moved = [entry("sn-0", region="DE"), entry("sn-1"), entry("sn-new", account="acme")]
    assert say(any_store, *moved) == Put(1, 1, 1)
    assert unreachable(any_store) == {
        ("DE", "", "1.4.1"): 501,
        ("FR", "", "1.4.1"): 500,
        ("", "acme", ""): 1,
    }


def test_what_was_known_stays_where_a_list_is_silent(any_store: Store) -> None:
    say(any_store, entry("a", region="DE", external="SN 1", labels={"site": "north", "ring": "beta"}))
    say(
        any_store,
        entry("a", source=OPERATOR, account="acme", region="", labels={"site": "south", "ring": ""}),
    )
    with any_store.read() as session:
        assert known_entries(session, ["a", "none"]) == {
            "a": Entry("a", "thermostat", "csv", "SN 1", "acme", None, None, {"site": "south"})
        }
    say(any_store, entry("a", source="hawkbit", product="doorbell"))
    with any_store.read() as session:
        found = known_entries(session, ["a"])["a"]
    assert (found.source, found.product, found.account) == ("hawkbit", "doorbell", "acme")


_WORDS = st.none() | st.sampled_from(["", "a", "b"])
_LISTS = st.lists(
    st.dictionaries(
        st.sampled_from(["d1", "d2", "d3"]),
        st.tuples(
            _WORDS, _WORDS, st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["", "1", "2"]))
        ),
    ),
    max_size=6,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=_LISTS)
def test_lists_in_any_order_leave_what_was_said_last(any_store: Store, lists: list[dict[str, Any]]) -> None:
    with any_store.write() as session:
        for table in (schema.inventory, schema.labels):
            session.connection.execute(table.delete())
        cells.recount(session)
    model: dict[str, Any] = {}
    for each in lists:
        say(any_store, *(entry(id_, region=r, account=a, labels=ls) for id_, (r, a, ls) in each.items()))
        for id_, (region, account, labels) in each.items():
            old = model.setdefault(id_, {"region": None, "account": None, "labels": {}})
            old["region"] = old["region"] if region is None else region or None
            old["account"] = old["account"] if account is None else account or None
            old["labels"] = {k: v for k, v in {**old["labels"], **labels}.items() if v}
    with any_store.read() as session:
        found = known_entries(session, model)
        assert cells.faults(session) == []
    assert {
        i: {"region": e.region, "account": e.account, "labels": dict(e.labels)} for i, e in found.items()
    } == model


@pytest.mark.parametrize("there", [True, False])
def test_of_two_that_speak_of_one_device_at_a_time_both_are_heard(
    monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    store = Store.open(fresh_place("postgresql", Path()))
    if there:
        say(store, entry("a"))
    other = threading.Thread(target=lambda: say(store, entry("a", account="acme", labels={"site": "north"})))

    def known(session: Session, ids: Iterable[str]) -> dict[str, Entry]:
        found = known_entries(session, ids)
        if threading.current_thread() is threading.main_thread() and other.ident is None:
            other.start()
            until_it_waits(store, other)
        return found

    monkeypatch.setattr(inventory, "known_entries", known)
    say(store, entry("a", region="DE"))
    other.join()
    with store.read() as session:
        (found,) = known_entries(session, ["a"]).values()
        assert cells.faults(session) == []
    assert (found.region, found.account, found.labels) == ("DE", "acme", {"site": "north"})
    store.close()
