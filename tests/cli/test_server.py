"""``--server``: the same commands, through the API of a real server, with the same answers and the same errors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli import server
from gateway.operations import tokens
from gateway.store.engine import Store
from gateway.web.api.access import Access
from gateway.web.api.routes import add_api
from gateway.web.api.served import Served
from gateway.web.app import new_app
from gateway.web.server import listen, serve
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Ran, Tocsin
from tests.gateway.https import Pki, make_pki

Ask = Callable[..., Ran]


@dataclass
class Served_:
    """A server that runs, and a token of its operator."""

    url: str
    token: str
    pki: Pki


@contextlib.contextmanager
def running(workspace: Workspace, pki: Pki | None, clock: Callable[[], float] = time.time) -> Iterator[str]:
    """Serve a workspace from a thread of its own."""
    store = Store.open(workspace.store_path)
    app = new_app()
    add_api(app, Served(workspace.path, workspace.settings, store), Access(store, clock=clock))
    listener = listen("127.0.0.1", 0)
    scheme, port = "http" if pki is None else "https", listener.getsockname()[1]
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    tls = None if pki is None else pki.context()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(app, listener, stop, tls)))
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
        store.close()


@pytest.fixture
def gateway(workspace: Workspace, tmp_path: Path) -> Iterator[Served_]:
    made = tokens.new(workspace, "exercise", roles=["operator"], now=int(time.time()), by="exercise")
    pki = make_pki(tmp_path)
    with running(workspace, pki) as url:
        yield Served_(url, made.token, pki)


@pytest.fixture
def ask(gateway: Served_, tocsin: Tocsin) -> Ask:
    def run(*words: str | Path, **env: str) -> Ran:
        with_server = ("--server", gateway.url, "--server-ca", gateway.pki.ca)
        return tocsin(*with_server, *words, env={"TOCSIN_TOKEN": gateway.token, **env})

    return run


READS = (
    ("status",),
    ("device", "list"),
    ("product", "list"),
    ("product", "show", "thermostat"),
    ("account", "list"),
    ("token", "list"),
    ("audit", "list"),
    ("rollout", "list"),
    ("webhook", "list"),
)


def test_what_is_read_through_a_server_is_what_stands_in_the_folder(
    workspace: Workspace, tocsin: Tocsin, ask: Ask
) -> None:
    tocsin("account", "add", "exercise-gmbh", "--name", "Ölwerk", "-w", workspace.path)
    for words in READS:
        here = tocsin(*words, "--json", "-w", workspace.path)
        there = ask(*words, "--json")
        assert (here.status, there.status) == (0, 0), (here, there)
        left, right = here.json, there.json
        if words == ("token", "list"):
            assert [each.pop("used") for each in right["tokens"]] != [None]
            assert [each.pop("used") for each in left["tokens"]]
        assert right == left, words
        assert ask(*words).out  # for people, too


def test_what_is_changed_through_a_server_is_changed_there(
    workspace: Workspace, tocsin: Tocsin, ask: Ask
) -> None:
    added = ask("account", "add", "exercise-gmbh", "--language", "de", "--by", "somebody", "--json")
    assert added.json["account"]["language"] == "de"
    assert ask("account", "set", "exercise-gmbh", "--email", "a@example.com", "--json").status == 0
    shown = tocsin("account", "show", "exercise-gmbh", "--json", "-w", workspace.path).json["account"]
    assert (shown["contact"]["email"], shown["language"]) == ("a@example.com", "de")
    made = ask("token", "new", "robot", "--role", "viewer", "--account", "exercise-gmbh", "--json").json
    assert ask("status", "--json", TOCSIN_TOKEN=made["token"]).status == 0
    assert ask("account", "close", "exercise-gmbh", "--dry-run", "--json").json["dry_run"]
    assert ask("account", "close", "exercise-gmbh", "--json").json["revoked"] == [made["made"]["id"]]
    refused = ask("status", "--json", TOCSIN_TOKEN=made["token"])
    assert (refused.status, refused.json["error"]["code"]) == (2, "UNAUTHENTICATED")
    rows = tocsin("audit", "list", "--kind", "account.", "--json", "-w", workspace.path).json["rows"]
    assert {row["data"]["by"] for row in rows} == {"exercise"}  # the token says who, not the line


@pytest.mark.parametrize(
    "words",
    [
        ("account", "show", "nobody"),
        ("account", "add", "a b"),
        ("token", "new", "x", "--role", "king"),
        ("token", "new", "x", "--role", "operator", "--days", "0"),
        ("token", "revoke", "none"),
        ("product", "show", "toaster"),
        ("status", "EX-2026-9999"),
        ("audit", "list", "--after", "x"),
    ],
)
def test_an_error_there_is_the_same_error_here(
    workspace: Workspace, tocsin: Tocsin, ask: Ask, words: tuple[str, ...]
) -> None:
    here = tocsin(*words, "--json", "-w", workspace.path)
    there = ask(*words, "--json")
    assert here.status == 2
    assert (there.status, there.json) == (here.status, here.json)


@pytest.mark.parametrize(
    "words",
    [
        ("init", "x"),
        ("key", "new", "x", "--role", "legal", "--holder", "y", "--no-passphrase"),
        ("serve",),
        ("device", "run", "--home", "x"),
        ("device", "add", "--product", "thermostat"),
        ("demo",),
        ("drill", "play"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_works_in_the_folder_only_says_so(ask: Ask, tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = ask(*words, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "NOT_REMOTE")
    assert ran.err == ""
    assert not (tmp_path / "x").exists()
    assert ask(*words, "--help").status == 0


def test_the_place_may_stand_anywhere_or_in_the_environment(gateway: Served_, tocsin: Tocsin) -> None:
    env = {"TOCSIN_TOKEN": gateway.token, "TOCSIN_SERVER_CA": str(gateway.pki.ca)}
    for line in (
        ("--server", gateway.url, "account", "list"),
        ("account", "--server", gateway.url, "list"),
        ("account", "list", f"--server={gateway.url}"),
        ("account", "list", "--server", gateway.url + "/"),
    ):
        assert tocsin(*line, env=env).status == 0, line
    assert tocsin("account", "list", env={**env, "TOCSIN_SERVER": gateway.url}).status == 0
    # Who names a folder means it, whatever the environment says.
    folder = tocsin("account", "list", "-w", "elsewhere", "--json", env={**env, "TOCSIN_SERVER": gateway.url})
    assert folder.json["error"]["code"] == "NOT_A_WORKSPACE"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--server", "http://gateway.example.com"), "BAD_SERVER"),
        (("--server", "http://127.0.0.1.example.com"), "BAD_SERVER"),
        (("--server", "ftp://127.0.0.1"), "BAD_SERVER"),
        (("--server", "https://user:secret@127.0.0.1"), "BAD_SERVER"),
        (("--server", "https://127.0.0.1:port"), "BAD_SERVER"),
        (("--server", "https://127.0.0.1/?x=1"), "BAD_SERVER"),
        (("--server", "nowhere"), "BAD_SERVER"),
        (("--server", "https://127.0.0.1:9", "--server-ca", "missing.pem"), "TLS_FILE"),
        (("--server", "http://127.0.0.1:9"), "SERVER_UNREACHABLE"),
        (("--server",), "USAGE"),
        (("--server", "a", "--server", "b"), "USAGE"),
        (("--server-ca", "x"), "USAGE"),
    ],
)
def test_a_place_that_is_none_is_refused_before_a_token_leaves(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: str
) -> None:
    monkeypatch.setattr(server, "_WAITS", ())
    ran = tocsin("status", "--json", *words, env={"TOCSIN_TOKEN": "tocsin_x"})
    assert ran.json["error"]["code"] == code
    assert "secret" not in ran.out
    assert "tocsin_x" not in ran.out


def test_the_token_comes_from_a_file_that_nobody_else_reads(
    gateway: Served_, tocsin: Tocsin, tmp_path: Path
) -> None:
    line = ("account", "list", "--json", "--server", gateway.url, "--server-ca", gateway.pki.ca)
    home = tmp_path / "home"
    (home / "tocsin").mkdir(parents=True)
    env = {"XDG_CONFIG_HOME": str(home)}
    assert tocsin(*line, env=env).json["error"]["code"] == "NO_TOKEN"
    path = home / "tocsin" / "token"
    path.write_text(gateway.token + "\n")
    path.chmod(0o640)
    refused = tocsin(*line, env=env)
    assert refused.json["error"]["code"] == "TOKEN_FILE"
    assert gateway.token not in refused.out
    path.chmod(0o600)
    assert tocsin(*line, env=env).status == 0
    assert tocsin(*line, "--token-file", path).status == 0
    path.write_bytes(b"\xff\xfe")
    assert tocsin(*line, env=env).json["error"]["code"] == "TOKEN_FILE"
    for odd in ("", "two words", "line\nend"):
        assert tocsin(*line, env={"TOCSIN_TOKEN": odd}).json["error"]["code"] == "NO_TOKEN"


def test_a_certificate_of_nobody_we_trust_ends_it_before_the_token_leaves(
    gateway: Served_, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_pki(tmp_path / "other")
    line = ("status", "--json", "--server", gateway.url)
    for more in ((), ("--server-ca", other.ca)):
        ran = tocsin(*line, *more, env={"TOCSIN_TOKEN": gateway.token})
        assert (ran.status, ran.json["error"]["code"]) == (4, "SERVER_TLS")


def test_a_token_that_ends_soon_is_warned_of(workspace: Workspace, gateway: Served_, ask: Ask) -> None:
    assert ask("status").err == ""
    soon = tokens.new(workspace, "soon", roles=["viewer"], now=int(time.time()), by="x", days=3)
    ran = ask("device", "list", TOCSIN_TOKEN=soon.token)
    assert ran.status == 0
    assert ran.err.startswith("warning: Your token ends on ")
    assert ran.err.count("\n") == 1


class Losing(threading.Thread):
    """A wire to a server that loses the first answer: the request arrives, and nobody hears of it."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.lost = port, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            client, _ = self.listener.accept()
            with client, socket.create_connection(("127.0.0.1", self.port)) as there:
                data = client.recv(65_536)
                if not data:
                    return
                while not data.endswith(b"}") and b"POST" in data[:4]:
                    data += client.recv(65_536)
                there.sendall(data.replace(b"keep-alive", b"close"))
                answer = b"".join(iter(lambda: there.recv(65_536), b""))
                if self.lost == 0:
                    self.lost = 1
                    continue
                client.sendall(answer)

    def end(self) -> None:
        socket.create_connection(self.listener.getsockname()).close()
        self.join()
        self.listener.close()


def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_done_twice(
    workspace: Workspace, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_WAITS", (0.0, 0.0))
    made = tokens.new(workspace, "exercise", roles=["operator"], now=int(time.time()), by="exercise")
    with running(workspace, None) as url:
        losing = Losing(int(url.rpartition(":")[2]))
        losing.start()
        try:
            ran = tocsin(
                *("account", "add", "exercise-gmbh", "--json", "--server", losing.url),
                env={"TOCSIN_TOKEN": made.token},
            )
        finally:
            losing.end()
    assert (ran.status, losing.lost) == (0, 1), ran
    assert ran.json["account"]["id"] == "exercise-gmbh"
    rows = tocsin("audit", "list", "--kind", "account.", "--json", "-w", workspace.path).json["rows"]
    assert [row["kind"] for row in rows] == ["account.added"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nword",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTocsin-Token-Expires: " + b"9" * 5_000 + b"\r\n\r\nword",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 500 X\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
        b'HTTP/1.1 400 X\r\nContent-Type: application/problem+json\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"code":1}',
        b"no HTTP at all\r\n\r\n",
    ],
)
def test_whoever_else_answers_is_not_believed(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(server, "_WAITS", ())
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65_536)
                client.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ran = tocsin("account", "list", "--json", "--server", url, env={"TOCSIN_TOKEN": "tocsin_x"})
        thread.join()
    assert ran.status == 4
    assert ran.json["error"]["code"] in {"SERVER_ODD", "SERVER_UNREACHABLE"}
