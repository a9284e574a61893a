"""A key in a token: made by ``key new``, listed, and used to sign a request; its PIN is told nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.operations.trust import ceremonies, doctor, roots
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin, no_passphrase
from tests.keys import softhsm
from tests.keys.softhsm import PIN, URI


def test_a_root_key_in_a_token_signs_a_request(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    softhsm.start(tmp_path, monkeypatch)
    env = {"TOCSIN_PASSPHRASE": PIN.decode(), "TOCSIN_WORKSPACE": str(workspace.path)}
    make = (
        "key",
        "new",
        "root-token",
        "--role",
        "root",
        "--holder",
        "exercise-token",
        "--uri",
        URI,
        "--json",
    )
    assert tocsin(*make, env=env).status == 0
    listed = {
        row["key"]["name"]: row["place"] for row in tocsin("key", "list", "--json", env=env).json["keys"]
    }
    assert listed["root-token"] == "token"
    now = workspace.trusted().root.issued + 60
    roots.rotate(workspace, now=now, by="exercise")
    (tmp_path / "x.request").write_bytes(ceremonies.export_root(workspace).data)
    ran = tocsin("sign-request", "sign", "x.request", "--key-uri", URI, "--out", "x.answer", "--yes", env=env)
    assert ran.status == 0, ran
    assert PIN.decode() not in ran.out + ran.err
    assert "exercise-token (root)" in ran.out
    assert tocsin("sign-request", "import", "x.answer", env=env).status == 0
    for name in ("root-anna", "root-ben"):
        roots.sign_draft(workspace, name, no_passphrase, now=now, by="exercise")
    assert roots.publish(workspace, now=now, by="exercise").root.version == 2
    assert not [check for check in doctor.examine(workspace, now=now) if check.code]
