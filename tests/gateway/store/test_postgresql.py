"""What only a server can do to us: go away, keep locks, refuse; and addresses that are none."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import address, audit, connecting, schema
from gateway.store.engine import Store
from keys.errors import DamagedError, InputError, TocsinError, UnavailableError
from tests.gateway.databases import Server, fresh_place, server, until_it_waits

SECRET = "hunter2-hunter2"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    made = fresh_place("postgresql", tmp_path)
    assert isinstance(made, str)
    yield made
    server().drop(made)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def test_a_commit_is_on_disk_and_a_reader_sees_one_state(store: Store) -> None:
    with store.read() as session:
        said = {
            name: session.connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in (
                "synchronous_commit",
                "transaction_isolation",
                "transaction_read_only",
                "lock_timeout",
            )
        }
        assert session.meta("a") is None
        with store.write() as other:
            other.set_meta("a", "1")
        assert session.meta("a") is None
    assert said == {
        "synchronous_commit": "on",
        "transaction_isolation": "repeatable read",
        "transaction_read_only": "on",
        "lock_timeout": "5s",
    }


def test_a_server_that_does_not_wait_for_its_disk_is_told_to(url: str) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    with server().connect(name) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = Store.open(url)
    with store.write() as session:
        assert session.connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    store.close()


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(UnavailableError) as caught, store.read() as session:
        session.set_meta("a", "1")
    assert caught.value.code == "STORE_READONLY"


def test_numbers_without_gaps_although_many_write_at_once(store: Store) -> None:
    before = store.data_version()

    def work(name: str) -> None:
        for number in range(15):
            with store.write() as session:
                session.set_meta(f"first {number}", name)
                audit.append(session, name, {"number": number}, number)
                session.retain(f"topic {number}", name.encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.data_version() != before
    assert store.data_version() == store.data_version()
    audit.verify_chain(store)
    with store.read() as session:
        assert len(list(audit.rows(session))) == 46
        assert max(row.revision for row in session.retained_after(0)) == 45


def test_who_sets_a_single_value_holds_nothing_that_a_writer_before_it_may_want(store: Store) -> None:
    with store.write() as session:
        session.set_meta("a", "0")

    def second() -> None:
        with store.write() as session:
            session.set_meta("a", "second")
            audit.append(session, "kind", {}, 1)

    thread = threading.Thread(target=second)
    with store.write() as session:
        session.serialise()
        thread.start()
        until_it_waits(store, thread)
        session.set_meta("a", "first")
    thread.join()
    with store.read() as session:
        assert session.meta("a") == "second"


def test_any_other_write_is_noticed(store: Store, url: str) -> None:
    other = Store.open(url)
    seen = [store.data_version()]
    for write in (
        lambda session: session.set_meta("a", "1"),
        lambda session: session.connection.execute(schema.meta.delete().where(schema.meta.c.key == "a")),
        lambda session: session.retain("t", b""),
    ):
        with other.write() as session:
            write(session)
        seen.append(store.data_version())
    with pytest.raises(ZeroDivisionError), other.read():
        raise ZeroDivisionError
    assert store.data_version() == seen[-1]
    assert len(set(seen)) == 4
    other.close()


def test_a_lock_that_is_kept_is_named_and_nothing_is_written(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.05)
    store, holder = Store.open(url), Store.open(url)
    with holder.write() as session:
        session.serialise()
        with pytest.raises(UnavailableError) as caught, store.write() as other:  # noqa: PT012 - the block is the point
            other.set_meta("lost", "1")
            audit.append(other, "kind", {}, 1)
        assert caught.value.code == "STORE_BUSY"
    with store.read() as session:
        assert session.meta("lost") is None
        assert list(audit.rows(session)) == []
    for each in (store, holder):
        each.close()


def test_of_two_that_wait_for_each_other_one_gives_way(store: Store) -> None:
    with store.write() as session:
        session.set_meta("a", "0")
        session.set_meta("b", "0")
    both, outcomes = threading.Barrier(2, timeout=20), []
    row = (
        schema.meta.update().where(schema.meta.c.key == sa.bindparam("row")).values(value=sa.bindparam("by"))
    )

    def work(first: str, second: str) -> None:
        try:
            with store.write() as session:  # past Session.set_meta, which lets nobody come to this
                session.connection.execute(row, {"row": first, "by": first})
                both.wait()
                session.connection.execute(row, {"row": second, "by": first})
            outcomes.append("kept")
        except UnavailableError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["STORE_BUSY", "kept"]
    with store.read() as session:
        assert session.meta("a") == session.meta("b") != "0"


SIGNS = {
    "40001": "STORE_BUSY",
    "57014": "STORE_BUSY",
    "53100": "STORE_FULL",
    "53300": "STORE_BUSY",
    "25006": "STORE_READONLY",
    "42501": "STORE_READONLY",
    "28P01": "STORE_UNAVAILABLE",
    "57P01": "STORE_UNAVAILABLE",
    "08006": "STORE_UNAVAILABLE",
    "58030": "STORE_UNAVAILABLE",
    "XX001": "STORE_DAMAGED",
    "42P01": "STORE_DAMAGED",
}


@pytest.mark.parametrize("sign", SIGNS)
def test_what_the_server_complains_of_is_told_to_people(store: Store, sign: str) -> None:
    with pytest.raises((UnavailableError, DamagedError)) as caught, store.write() as session:  # noqa: PT012 - the block is the point
        session.set_meta("lost", "1")
        session.connection.exec_driver_sql(
            f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sign}'; END $$"
        )
    assert caught.value.code == SIGNS[sign]
    assert caught.value.mend
    with store.read() as session:
        assert session.meta("lost") is None


def test_a_value_without_room_is_our_own_mistake(store: Store) -> None:
    with pytest.raises(sa.exc.DataError), store.write() as session:
        session.set_meta("k" * 65, "1")


def test_a_connection_that_is_cut_is_named_and_the_next_one_serves(store: Store) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"
    before = store.data_version()
    with pytest.raises(UnavailableError) as caught, store.write() as session:  # noqa: PT012 - the block is the point
        name = session.connection.exec_driver_sql("SELECT current_database()").scalar_one()
        session.set_meta("lost", "1")
        with server().connect("postgres") as connection:
            connection.execute(cut, (name,))
        session.set_meta("lost", "2")
    assert caught.value.code == "STORE_UNAVAILABLE"
    with pytest.raises(UnavailableError):  # its own connection was cut, too
        store.data_version()
    assert store.data_version() != before
    with store.read() as session:
        assert session.meta("lost") is None


def test_a_connection_that_is_cut_while_committing_leaves_it_open_whether_it_was_kept(store: Store) -> None:
    with pytest.raises(UnavailableError) as caught, store.write() as session:  # noqa: PT012 - the block is the point
        name = session.connection.exec_driver_sql("SELECT current_database()").scalar_one()
        session.set_meta("a", "1")
        with server().connect("postgres") as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
    assert caught.value.code == "STORE_LOST"


def test_a_server_that_is_killed_loses_nothing_that_was_committed() -> None:
    own = Server()
    try:
        own.start()
        url = own.database()
        Store.create(url).close()
        store = Store.open(url)
        with store.write() as session:
            audit.append(session, "kind", {}, 1)
        with pytest.raises(UnavailableError), store.write() as session:  # noqa: PT012 - the block is the point
            session.set_meta("lost", "1")
            own.kill()
            session.set_meta("lost", "2")
        with pytest.raises(UnavailableError) as caught, store.read():
            pass
        assert caught.value.code == "STORE_UNAVAILABLE"
        with pytest.raises(UnavailableError):
            Store.open(url)
        own.start()
        audit.verify_chain(store)
        with store.read() as session:
            assert session.meta("lost") is None
            assert [row.kind for row in audit.rows(session)] == ["chain.began", "kind"]
        store.close()
    finally:
        own.close()


def test_the_driver_is_asked_for_only_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError) as caught:
        Store.open("postgresql://db.example.com/tocsin")
    assert caught.value.code == "STORE_DRIVER"
    assert "tocsin[postgres]" in caught.value.mend
    Store.create(tmp_path / "store.sqlite").close()


WRONG = {
    f"postgresql://gateway:{SECRET}@db.example.com/tocsin": "STORE_PASSWORD",
    f"postgresql://gateway@db.example.com/tocsin?password={SECRET}": "STORE_PASSWORD",
    f"postgresql://gateway:{SECRET}@[::1/tocsin": "STORE_ADDRESS",
    "mysql://db.example.com/tocsin": "STORE_ADDRESS",
    "postgresql+asyncpg://db.example.com/tocsin": "STORE_ADDRESS",
    "://": "STORE_ADDRESS",
    "sqlite://": "STORE_ADDRESS",
    "sqlite:///file?mode=memory": "STORE_ADDRESS",
}


@pytest.mark.parametrize("place", WRONG)
def test_an_address_that_is_none_is_refused_and_no_password_repeated(place: str) -> None:
    for work in (Store.open, Store.create):
        with pytest.raises(InputError) as caught:
            work(place)
        assert caught.value.code == WRONG[place]
        assert SECRET not in f"{caught.value}{caught.value.where}"


def test_a_path_may_be_written_as_an_address(tmp_path: Path) -> None:
    Store.create(f"sqlite:///{tmp_path}/store.sqlite").close()
    assert (tmp_path / "store.sqlite").is_file()
    assert address.read(f"sqlite:///{tmp_path}/x").path == tmp_path / "x"
    assert address.read("postgresql://h/d").url.drivername == "postgresql+psycopg"


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 2)  # the driver knows no shorter time
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnavailableError) as caught:
        Store.open(f"postgresql://gateway@127.0.0.1:{silent.getsockname()[1]}/tocsin")
    assert (caught.value.code, caught.value.exit_status) == ("STORE_UNAVAILABLE", 4)


def test_a_server_that_was_cut_off_is_given_up_by_the_system(store: Store, url: str) -> None:
    """Cutting a network takes more rights than a test has: this is what the driver passes on to the system."""
    with store.read() as session:
        raw = session.connection.connection.driver_connection
        assert raw is not None
        said = {name: int(value) for name, value in raw.info.get_parameters().items() if value.isdecimal()}
    silent = said["keepalives_idle"] + said["keepalives_interval"] * said["keepalives_count"]
    assert silent <= connecting.SILENT_SECONDS
    assert said["tcp_user_timeout"] == connecting.SILENT_SECONDS * 1_000
    other = Store.open(f"{url}&tcp_user_timeout=9000&connect_timeout=3")  # what the address says counts
    with other.read() as session:
        raw = session.connection.connection.driver_connection
        assert raw is not None
        theirs = raw.info.get_parameters()
    other.close()
    assert (theirs["tcp_user_timeout"], theirs["connect_timeout"]) == ("9000", "3")


def test_who_is_not_let_in_is_told_what_to_check(url: str) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    for place, code in (
        (url.replace("postgres@", "stranger@"), "STORE_UNAVAILABLE"),
        (url.replace(name, "nowhere"), "STORE_MISSING"),
        ("postgresql://127.0.0.1:1/tocsin", "STORE_UNAVAILABLE"),
    ):
        with pytest.raises(UnavailableError) as caught:
            Store.open(place)
        assert caught.value.code == code
    with pytest.raises(UnavailableError) as caught:
        Store.open(server().database())
    assert caught.value.code == "STORE_MISSING"
    with server().connect(name) as connection:
        connection.execute("DROP TABLE reports")
    with pytest.raises(DamagedError) as damaged:
        Store.open(url)
    assert damaged.value.code == "STORE_DAMAGED"


def test_whoever_may_not_make_tables_makes_no_store() -> None:
    url = server().database()
    name = url.partition("@/")[2].partition("?")[0]
    with server().connect(name) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(UnavailableError) as caught:
        Store.create(url.replace("postgres@", "guest@"))
    assert caught.value.code == "STORE_READONLY"


def test_only_one_of_two_makes_a_store() -> None:
    url, outcomes, both = server().database(), [], threading.Barrier(2, timeout=20)

    def work() -> None:
        both.wait()
        try:
            Store.create(url).close()
            outcomes.append("made")
        except TocsinError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["STORE_EXISTS", "made"]
    Store.open(url).close()
