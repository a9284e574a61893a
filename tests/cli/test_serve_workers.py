"""``tocsin serve --worker``: what is refused before anything runs. What runs is tried in tests/flow."""

from __future__ import annotations

import fcntl

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin, snapshot

BROKER = ("--broker", "mqtt://127.0.0.1:1")


@pytest.mark.parametrize("name", ["", "gateway", "a/b", "x" * 33, "two words"])
def test_a_name_that_would_not_do_is_refused(workspace: Workspace, tocsin: Tocsin, name: str) -> None:
    before = snapshot(workspace.path)
    ran = tocsin("serve", "--worker", name, *BROKER, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "BAD_WORKER")
    assert snapshot(workspace.path) == before


def test_a_worker_wants_a_broker_that_others_have_too(workspace: Workspace, tocsin: Tocsin) -> None:
    ran = tocsin("serve", "--worker", "north", "-w", workspace.path, "--json")
    assert ran.json["error"]["code"] == "WORKER_ALONE"


def test_two_of_one_name_are_refused_and_two_names_are_not(workspace: Workspace, tocsin: Tocsin) -> None:
    with (workspace.path / ".serve-north.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        codes = {
            name: tocsin("serve", "--worker", name, *BROKER, "-w", workspace.path, "--json").json["error"][
                "code"
            ]
            for name in ("north", "south")
        }
    assert codes == {"north": "RUNNING_ALREADY", "south": "BROKER_UNREACHABLE"}
