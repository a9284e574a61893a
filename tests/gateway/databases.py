"""Fresh stores for tests on both engines: SQLite, and one real PostgreSQL a test process.

The server is started when the first test asks for it, and ends with the process. Its databases sort text as
English readers do, which SQLite does not: what leans on an order shows itself here.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
import sqlalchemy as sa

from gateway.store.engine import Store

ENGINES: Final = ("sqlite", "postgresql")
ENGINE = os.environ.get("TOCSIN_TEST_ENGINE", "sqlite")
"""Where stores lie in tests that are about something else; ``postgresql`` runs all of them there."""
PROGRAMS: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_USER: Final = "postgres"  # the server refuses to run as root
_FAST: Final = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=60",
    "listen_addresses=",
    "deadlock_timeout=100ms",
)
_WAIT_SECONDS: Final = 30.0  # a failure, not a measurement


class Server:
    """A PostgreSQL of our own on a socket in a folder of its own; it dies with the thread that started it.

    Without ``settings`` it is fast, and a power cut would ruin it; a process that is killed does not.
    """

    def __init__(self, *settings: str) -> None:
        if not PROGRAMS:
            if os.environ.get("CI") == "true":
                pytest.fail("CI needs PostgreSQL (apt-get install postgresql)")
            pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
        self.settings = settings or _FAST
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        if os.getuid() == 0:
            shutil.chown(self.folder, _USER)
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        locale = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US-x-icu")
        options = ("-N", "-A", "trust", "-E", "UTF8", "-U", _USER, "--no-instructions", *locale)
        made = subprocess.run(
            [*self._as_user(), PROGRAMS[-1] / "initdb", "-D", self.folder / "data", *options],
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr.decode()

    @staticmethod
    def _as_user() -> list[str]:
        who = [f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if os.getuid() == 0 else []
        return ["setpriv", "--pdeathsig", "QUIT", *who]

    def start(self) -> None:
        """Start it and wait until it answers; also after :meth:`kill`."""
        options = [part for setting in self.settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user(), PROGRAMS[-1] / "postgres", "-D", "data", "-k", self.folder, *options],
                cwd=self.folder,
                stderr=log,
                stdout=log,
            )
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                self.connect(_USER).close()
            except psycopg.OperationalError:
                ended = self._process.poll()
                assert ended is None, f"ended with {ended}: {(self.folder / 'log').read_text()}"
                assert time.monotonic() < end, "PostgreSQL does not answer"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill it and everything that it started, at once and without a word, as a power cut would."""
        assert self._process is not None
        assert self._process.poll() is None, "its number may be another process's by now"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for process in (self._process.pid, *map(int, children)):
            os.kill(process, signal.SIGKILL)
        self._process.wait(_WAIT_SECONDS)

    def close(self) -> None:
        """End it and remove what it kept."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # no checkpoint: its files are thrown away
            self._process.wait(_WAIT_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str) -> psycopg.Connection:
        """Return a connection of the driver, which commits each statement."""
        return psycopg.connect(host=str(self.folder), dbname=database, user=_USER, autocommit=True)

    def url(self, database: str) -> str:
        """Return the address that ``store`` in tocsin.toml takes."""
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    def database(self, template: str = "template0") -> str:
        """Make a database, an empty one or a copy, and return its address."""
        name = f"test{next(self._numbers)}"
        with self.connect(_USER) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        with self.connect(_USER) as connection:
            connection.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    @functools.cached_property
    def template(self) -> str:
        """The name of a database with a fresh store in it."""
        url = self.database()
        Store.create(url).close()
        return _name(url)


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@functools.cache
def server() -> Server:
    """Return the server of this process, started."""
    started = Server()
    atexit.register(started.close)
    started.start()
    return started


@functools.cache
def _sqlite() -> Path:
    """Return a file with a fresh store in it, for copying."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Store.create(folder / "store.sqlite").close()
    return folder / "store.sqlite"


def empty_place(engine: str, folder: Path) -> Path | str:
    """Return where a store may be made: a path without a file, or the address of an empty database."""
    return server().database() if engine == "postgresql" else folder / "store.sqlite"


def fresh_place(engine: str, folder: Path) -> Path | str:
    """Return where a fresh store lies: the path of its file, or the address of its database."""
    if engine == "postgresql":
        return server().database(server().template)
    return Path(shutil.copy(_sqlite(), folder / "store.sqlite"))


@pytest.fixture(params=ENGINES)
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where a fresh store lies, on each engine in turn; for tests that open it themselves."""
    place = fresh_place(request.param, tmp_path)
    yield place
    if isinstance(place, str):
        server().drop(place)


@pytest.fixture
def any_store(any_place: Path | str) -> Iterator[Store]:
    """A fresh store, opened, on each engine in turn."""
    store = Store.open(any_place)
    yield store
    store.close()


@pytest.fixture(params=ENGINES)
def both_engines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``scene.make_store`` make stores on each engine in turn: ``pytest.mark.usefixtures`` for a module."""
    monkeypatch.setattr(sys.modules[__name__], "ENGINE", request.param)


def until_it_waits(store: Store, other: threading.Thread) -> None:
    """Wait until a thread waits for a lock of the database, as it has to, or is over."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while other.is_alive():
        with store.read() as session:
            if session.connection.execute(waiting).scalar_one():
                return
