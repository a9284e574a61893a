"""Every command of the tree works through a server, or stands in a short list with the reason why it cannot."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from gateway.cli import server
from gateway.cli.app import make
from gateway.core.rights import ROLES
from gateway.operations import tokens
from gateway.operations.afar import Operation
from gateway.operations.identity import device_ca
from gateway.operations.trust.request_files import Kind, new_answer
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.signer import generate
from tests.cli.conftest import Ran, Tocsin
from tests.cli.test_devices import request
from tests.cli.test_server import running

_KEY = "a private key is made, which no server ever holds"
_FOLDER = "it makes, copies or serves the folder itself"
_SIMULATED = "simulated devices live in the workspace's folder"
_ALONE = "it needs no workspace, and so no server"
LOCAL: Final = {
    "init": _FOLDER,
    "serve": _FOLDER,
    "desk": _FOLDER,
    "store create": _FOLDER,
    "store backup": _FOLDER,
    "store restore": _FOLDER,
    "broker config": "it carries the gateway's and the broker's own keys to a folder",
    "broker run": _ALONE,
    "key new": _KEY,
    "device ca new": _KEY,
    "device ca gateway": _KEY,
    "device ca server": _KEY,
    "device add": _SIMULATED,
    "device run": _SIMULATED,
    "device reset": _SIMULATED,
    "device report show": _SIMULATED,
    "fleet run": _SIMULATED,
    "demo": _SIMULATED,
    "drill": _SIMULATED,
    "device answer": _ALONE,
    "device acknowledge": _ALONE,
    "device status": _ALONE,
    "sign-request show": _ALONE,
    "sign-request sign": _ALONE,
    "advisory templates": _ALONE,
    "advisory schema": _ALONE,
}
LINES: Final[dict[str, str]] = {
    "advisory approve": "advisory approve EX-2026-0001 --key legal --yes",
    "advisory schema": "advisory schema",
    "reply add": "reply add --advisory EX-2026-0001 --channel mail --by x --file said.txt",
    "review record": "review record EX-2026-0001 --by exercise-legal --happened x --right x --improve x --next-time x",
    "verify": "verify notice.cose",
}
"""What is asked where the example would be refused before it asks."""
FILE: Final = re.compile(r"\.[a-z]+$")
PO: Final = rb"""msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\nLanguage: fr\nX-Source-Language: en\nProject-Id-Version: EX-2026-0001\n"
"""
ANSWER: Final = new_answer(Kind.ROOT, bytes(32), generate().public, b"x")


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its words."""
    children = getattr(command, "commands", None) or {}
    if not children or command.invoke_without_command:
        yield " ".join(words), command
    for name, child in children.items():
        yield from leaves(child, (*words, name))


TREE: Final = {name: command for name, command in leaves(typer.main.get_command(make())) if name}


def line_of(name: str, command: Any, folder: Path) -> list[str]:
    """What stands as the example in the command's help, with a file for each that it names and does not write."""
    words = shlex.split(LINES.get(name) or command.epilog.removeprefix("Example: tocsin "))
    for before, word in itertools.pairwise(["", *words]):
        if FILE.search(word) and before not in {"-o", "--out"}:
            (folder / word).parent.mkdir(parents=True, exist_ok=True)
            (folder / word).write_bytes(b"{}\n")
        if word.endswith(".csr"):
            request(folder / word, generate())
        elif word.endswith(".po"):
            (folder / word).write_bytes(PO)
        elif word.endswith(".answer"):
            (folder / word).write_bytes(ANSWER)
    return words


@pytest.fixture(scope="module")
def served(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(template, folder / "fleet")
    workspace = Workspace.open(folder / "fleet")
    device_ca.new(workspace, passphrase=b"", algorithm=Algorithm.ESP256, days=9, now=int(time.time()))
    shutil.copytree(folder / "fleet", folder / "own")
    made = tokens.new(workspace, "exercise", roles=tuple(ROLES), now=int(time.time()), by="exercise")
    with running(workspace, None) as url:
        yield url, made.token, folder / "own"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the operations that were asked for."""
    names: list[str] = []
    whole = server.Server.call

    def call(self: server.Server, operation: Operation, arguments: dict[str, Any]) -> Any:
        names.append(operation.name)
        return whole(self, operation, arguments)

    monkeypatch.setattr(server.Server, "call", call)
    return names


def test_the_list_names_commands_that_there_are() -> None:
    assert TREE.keys() >= LOCAL.keys()
    assert TREE.keys() >= LINES.keys()
    assert len(LOCAL) * 4 < len(TREE)


@pytest.mark.parametrize("name", sorted(TREE))
def test_a_command_asks_the_server_or_says_that_it_cannot(
    served: tuple[str, str, Path], tocsin: Tocsin, asked: list[str], tmp_path: Path, name: str
) -> None:
    url, token, own = served
    words = [*line_of(name, TREE[name], tmp_path), "--json", "--server", url]
    if any(param.name == "workspace" for param in TREE[name].params):
        words += ["-w", str(own)]
    ran: Ran = tocsin(*words, env={"TOCSIN_TOKEN": token})
    code = ran.json.get("error", {}).get("code") if ran.out else None
    if name in LOCAL:
        assert (code, asked) == ("NOT_REMOTE", []), (words, ran)
    else:
        assert code not in {"NOT_REMOTE", "BUG", "USAGE"}, (words, ran)
        assert asked, (words, ran)
