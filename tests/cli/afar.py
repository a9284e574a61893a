"""A workspace twice, here and behind a server, and a third folder with the keys that sign."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from gateway.cli import homes, output
from gateway.operations import tokens
from gateway.operations.identity import device_ca
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from tests.cli.conftest import Ran, Tocsin
from tests.cli.test_server import running

OWN: Final = {"by"}  # a token's name there, a user's here
"""Fields that differ by nature."""


@dataclass
class Pair:
    """One workspace twice: worked in here, and served to who holds keys in a folder of their own."""

    here: Workspace
    there: Workspace
    own: Workspace
    """Where the keys are that sign through the server."""
    tocsin: Tocsin
    env: dict[str, str]
    url: str

    def local(self, *words: str | Path) -> Ran:
        return self.tocsin(*words, "-w", self.here.path)

    def afar(self, *words: str | Path) -> Ran:
        return self.tocsin(*words, "--server", self.url, "-w", self.own.path, env=self.env)

    def both(self, *words: str | Path) -> Any:
        """Run a command here and there; both say the same, and that is returned."""
        left, right = self.local(*words, "--json"), self.afar(*words, "--json")
        said = f"{words}\nhere:  {left}\nthere: {right}"
        assert left.status == right.status, said
        assert self.plain(right.json) == self.plain(left.json), said
        return right.json

    def plain(self, found: Any) -> Any:
        """Leave out what differs by nature: who did it, and where a workspace lies."""
        if isinstance(found, dict):
            return {name: self.plain(value) for name, value in found.items() if name not in OWN}
        if isinstance(found, list):
            return [self.plain(value) for value in found]
        if isinstance(found, str):
            for folder in (self.here.path, self.there.path):
                found = found.removeprefix(f"{folder}/").replace(str(folder), "FOLDER")
        return found


@contextlib.contextmanager
def one_clock() -> Iterator[Callable[[], float]]:
    """Stop the clock that commands read; give it to whatever else has to say the same time.

    A command takes its turn here and there, one after the other. Versions are UTC seconds: by two readings of
    a clock that runs, they would be two whenever a second ends between the turns.
    """
    now = float(int(time.time()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "time", SimpleNamespace(**{**vars(time), "time": lambda: now}))
        yield lambda: now


@contextlib.contextmanager
def paired(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> Iterator[Pair]:
    """Serve a copy of a workspace without any private key in it."""
    device_ca.new(workspace, passphrase=b"", algorithm=Algorithm.ESP256, days=365, now=int(time.time()))
    for name in ("there", "own"):
        shutil.copytree(workspace.path, tmp_path / name)
    there, own = Workspace.open(tmp_path / "there"), Workspace.open(tmp_path / "own")
    for path in (there.path / "keys").glob("*.pem"):  # no private key is where the server is
        path.unlink()
    shutil.rmtree(own.path / "advisories")
    (own.path / "store.sqlite").unlink()
    roles = ["operator", "security", "release"]
    made = tokens.new(there, "exercise", roles=roles, now=int(time.time()), by="exercise")
    with one_clock() as clock, running(there, None, clock) as url:
        yield Pair(workspace, there, own, tocsin, {"TOCSIN_TOKEN": made.token}, url)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def an_image(folder: Path, product: str = "thermostat", version: str = "1.4.2") -> Path:
    numbers = tuple(map(int, version.split(".")))
    return write(folder / f"{version}.bin", homes.firmware(product, (*numbers, 0)))  # type: ignore[arg-type]
