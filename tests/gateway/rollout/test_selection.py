"""Selections: read, written, refused, and what they find in the store of each engine."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.selection import (
    DEPTH_MAX,
    DEVICES_MAX,
    NODES_MAX,
    TEXT_MAX,
    Query,
    checked,
    describe,
    parse,
)
from gateway.store import cells, schema, selecting
from gateway.store.engine import Store
from gateway.store.selecting import Found, Pages, add_filter, count, filters, remove_filter
from keys.errors import InputError

NOW = 500.0

READ: list[tuple[str, Query]] = [
    ("all", ["all"]),
    ("region = DE", ["region", "DE"]),
    ('region = "North Sea"', ["region", "North Sea"]),
    ("label.ring = beta", ["label", "ring", "beta"]),
    ("region != DE", ["not", ["region", "DE"]]),
    ("version < 1.4.2", ["version", "<1.4.2"]),
    ("version >= 1.0.0 and version < 2.0.0", ["and", ["version", ">=1.0.0"], ["version", "<2.0.0"]]),
    ("device = a,b", ["devices", "a", "b"]),
    ("filter = early", ["filter", "early"]),
    ("a = 1 or b = 2" .replace("a =", "region =").replace("b =", "account ="), ["or", ["region", "1"], ["account", "2"]]),
    (
        "region = DE and (account = x or not label.ring = beta)",
        ["and", ["region", "DE"], ["or", ["account", "x"], ["not", ["label", "ring", "beta"]]]],
    ),
    (
        "region = DE or region = FR and account = x",
        ["or", ["region", "DE"], ["and", ["region", "FR"], ["account", "x"]]],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "query"), READ, ids=[row[0] for row in READ])
def test_a_selection_is_read_and_written(text: str, query: Query) -> None:
    assert parse(text) == query
    assert parse(describe(query)) == query


REFUSED = [
    "", "region", "region =", "region = DE and", "(region = DE", "region = DE)", "region = DE FR",
    "region > DE", "colour = red", "version = soon", "version > 1.0.0", "not", "label. = x", "device = ,",
    "device = a/b", 'region = "', "region = DE;", "x" * (TEXT_MAX + 1), "(" * 20 + "all" + ")" * 20,
    "not " * 20 + "all", f"region = {'x' * 36}",
]  # fmt: skip


@pytest.mark.parametrize(
    "text", [text for text in REFUSED if text != "region = DE;"], ids=lambda text: text[:24]
)
def test_what_is_no_selection_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.code == "SELECTION"


WRONG: list[Any] = [
    None, [], {}, ["and"], ["not", ["all"], ["all"]], ["all", "x"], [1], ["region"], ["region", 1],
    ["region", "a\0b"], ["label", "ring"], ["label", "", "x"], ["label", "x" * 65, "y"], ["label", "x", "y" * 129],
    ["devices"], ["devices", "a b"], ["devices", *["a"] * (DEVICES_MAX + 1)], ["version", "x"], ["exec", "drop"],
    ["and", "all"], ["or", *[["all"]] * NODES_MAX],
]  # fmt: skip


@pytest.mark.parametrize("query", WRONG, ids=lambda query: str(query)[:30])
def test_data_that_is_no_query_is_refused(query: Any) -> None:
    with pytest.raises(InputError) as caught:
        checked(query)
    assert caught.value.code == "SELECTION"


def test_the_limits_hold_to_the_last() -> None:
    checked(["or", *[["all"]] * (NODES_MAX - 1)])
    checked(["devices", *["a"] * DEVICES_MAX])
    deep: Query = ["all"]
    for _ in range(DEPTH_MAX - 1):
        deep = ["not", deep]
    checked(deep)
    with pytest.raises(InputError):
        checked(["not", deep])


WORDS = st.sampled_from(["DE", "and", "not", "North Sea", "a(b", "x=y", "all", "é"])
LEAVES = st.one_of(
    st.just(["all"]),
    st.tuples(st.sampled_from(["region", "account", "product", "filter"]), WORDS).map(list),
    st.tuples(st.just("label"), st.sampled_from(["ring", "site-1"]), WORDS).map(list),
    st.sampled_from(["<1.0.0", ">=2.3.4", "=1.0.0", "<=1.2.3+4"]).map(lambda text: ["version", text]),
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda each: ["not", each]),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(list),
    ),
    max_leaves=8,
)


def flat(query: Query) -> Query:
    """A chain of the same word is one list, however it was nested."""
    name, *operands = query
    if name == "not":
        return [name, flat(operands[0])]
    if name not in {"and", "or"}:
        return query
    parts = [flat(each) for each in operands]
    return [name, *(x for each in parts for x in (each[1:] if each[0] == name else [each]))]


@given(QUERIES)
def test_what_is_written_is_read_as_the_same(query: Query) -> None:
    assert flat(parse(describe(query))) == flat(query)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except InputError:
        return
    assert checked(query) == query


DEVICES = {  # id -> (region, account, version by inventory, version by report, ring)
    "a": ("DE", "x", "1.0.0", "1.4.2", "beta"),
    "b": ("DE", "y", "1.0.0", None, None),
    "c": ("FR", "x", None, "1.4.1", "beta"),
    "d": (None, None, None, None, "main"),
    "e": ("DE", "x", "what?", "2.0.0+1", None),
}
FOUND = [
    ("all", "abcde"),
    ("region = DE", "abe"),
    ("not region = DE", "cd"),
    ("region != DE and account = x", "c"),
    ("account = x or account = y", "abce"),
    ("label.ring = beta", "ac"),
    ("not label.ring = beta", "bde"),
    ("version < 1.4.2", "bc"),
    ("version = 1.4.2", "a"),
    ("version >= 2.0.0", "e"),
    ("not version >= 1.0.0", "d"),
    ("device = a,d,nobody", "ad"),
    ("product = other", ""),
    ("filter = french", "c"),
    ("filter = both and not filter = french", "abe"),
    ('region = "\' OR 1=1 --"', ""),
]


@pytest.fixture
def filled(any_store: Store) -> Store:
    with any_store.write() as session:
        execute = session.connection.execute
        for n, (id_, (region, account, known, said, ring)) in enumerate(DEVICES.items()):
            device = {
                "id": id_,
                "product": "p",
                "key": b"",
                "kid": bytes([n]),
                "valid_from": 0,
                "valid_to": 1_000,
            }
            execute(schema.devices.insert().values(**device, revoked=False))
            if region is not None or known is not None:
                row = {"id": id_, "product": "p", "region": region, "account": account, "version": known}
                execute(schema.inventory.insert().values(**row, source="csv", updated=0.0))
            if said is not None:
                state = {"device": id_, "epoch": 1, "sequence": 1, "installed": said, "language": "en"}
                more = {
                    "journal_count": 0,
                    "journal_head": b"",
                    "journal_life": 0,
                    "next_nonce": b"",
                    "seen": 0.0,
                }
                execute(schema.device_states.insert().values(**state, **more, root_version=1))
            if ring is not None:
                execute(schema.labels.insert().values(device=id_, name="ring", value=ring))
        for id_, region in (("far-1", "DE"), ("far-2", "FR")):
            row = {"id": id_, "product": "p", "region": region, "version": "1.0.0"}
            execute(schema.inventory.insert().values(**row, source="csv", updated=0.0))
        gone = {"product": "p", "key": b"", "valid_from": 0}
        execute(schema.devices.insert().values(id="old", kid=b"old", valid_to=100, revoked=False, **gone))
        execute(schema.devices.insert().values(id="bad", kid=b"bad", valid_to=1_000, revoked=True, **gone))
        cells.recount(session)
        add_filter(session, "french", parse("region = FR"), by="a", now=NOW)
        add_filter(session, "both", parse("filter = french or region = DE"), by="a", now=NOW)
    return any_store


def test_what_selections_find(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "PAGE", 2)  # pages of two: no device is lost between them
    with filled.read() as session:
        for text, wanted in FOUND:
            pages = Pages(session, "p", parse(text), (), NOW)
            assert [device for device, _ in pages.every(session)] == list(wanted), text
            assert count(session, "p", parse(text), NOW).devices == len(wanted), text
        assert count(session, "p", None, NOW) == Found(5, 2, 2)
        assert count(session, "p", parse("region = DE or version = 1.0.0"), NOW) == Found(3, 0, 2)
        groups = [parse("label.ring = beta"), None, parse("region = DE")]
        found = dict(Pages(session, "p", None, groups, NOW).every(session))
    assert found == {"a": 0, "b": 2, "c": 0, "d": None, "e": 2}


def test_saved_selections(filled: Store) -> None:
    with filled.write() as session:
        add_filter(session, "french", parse("region = FR and account = x"), by="b", now=NOW)
        assert [(each.name, each.by) for each in filters(session)] == [("both", "a"), ("french", "b")]
        for name, query, code in (
            ("no/name", ["all"], "FILTER_NAME"),
            ("new", ["filter", "nobody"], "FILTER_UNKNOWN"),
            ("french", ["filter", "both"], "FILTER_NESTED"),
            ("new", ["oops"], "SELECTION"),
        ):
            with pytest.raises(InputError) as caught:
                add_filter(session, name, query, by="a", now=NOW)
            assert caught.value.code == code
        with pytest.raises(InputError) as caught:
            remove_filter(session, "nobody", by="a", now=NOW)
        assert caught.value.code == "FILTER_UNKNOWN"
    with filled.write() as session:
        add_filter(session, "french", parse("region = FR"), by="b", now=NOW)
        remove_filter(session, "both", by="a", now=NOW)
        assert session.connection.execute(sa.select(schema.filters.c.name)).scalars().all() == ["french"]
