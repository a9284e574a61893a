"""Keys: made here, elsewhere or behind a URI; listed, taken in, revoked. Nothing secret goes where it must not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.trust import choosing, keys
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import InputError
from keys.signer import generate
from tests.cli.conftest import Tocsin, no_passphrase, snapshot

NOW = 1_900_000_000


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("algorithm", ["ed25519", "esp256", "ml-dsa-44", "ml-dsa-65"])
def test_a_key_of_each_algorithm_is_made_and_opens(
    tocsin: Tocsin, workspace: Workspace, algorithm: str
) -> None:
    here = ("-w", workspace.path, "--json")
    ran = tocsin(
        "key",
        "new",
        "k",
        "--role",
        "legal",
        "--holder",
        "h",
        "--algorithm",
        algorithm,
        "--no-passphrase",
        *here,
    )
    assert ran.status == 0, ran
    signer = workspace.signer("k", no_passphrase)
    assert signer.public.algorithm is Algorithm[algorithm.upper().replace("-", "_")]
    assert signer.public.verify(signer.sign(b"x"), b"x")


def test_a_key_made_offline_comes_in_without_its_private_half(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    made = tocsin(
        "key",
        "new",
        "legal-9",
        "--role",
        "legal",
        "--holder",
        "h",
        "--out",
        "usb",
        "--no-passphrase",
        "--json",
    ).json
    assert _mode(tmp_path / "usb" / "legal-9.pem") == 0o600
    public = tmp_path / "usb" / "legal-9.pub.toml"
    assert b"PRIVATE" not in public.read_bytes()
    here = ("-w", workspace.path, "--json")
    assert tocsin("key", "add", public, *here).json["thumbprint"] == made["thumbprint"]
    before = snapshot(workspace.path)
    assert tocsin("key", "add", public, *here).status == 0, "the same file twice changes nothing"
    assert snapshot(workspace.path) == before
    listed = {row["key"]["name"]: row for row in tocsin("key", "list", *here).json["keys"]}
    assert listed["legal-9"]["place"] == "elsewhere"
    assert listed["legal"]["place"] == "here"
    refused = tocsin("advisory", "approve", "EX-2026-0001", "--key", "legal-9", "--yes", *here)
    assert refused.status == 2
    with pytest.raises(InputError) as elsewhere:
        workspace.signer("legal-9", no_passphrase)
    assert elsewhere.value.code == "KEY_ELSEWHERE"
    assert "sign-request export" in elsewhere.value.mend


BAD_FILES = [
    ("a private key", generate().to_pem(b""), "PRIVATE_KEY_GIVEN"),
    ("nothing", b"", "BAD_PUBLIC_FILE"),
    ("two keys", b"[a]\n[b]\n", "BAD_PUBLIC_FILE"),
    ("no TOML", b"\x00\x01", "BAD_TOML"),
    ("no text", b"\xff\xfe", "BAD_TOML"),
    ("too much", b"#" * 20_000, "BAD_PUBLIC_FILE"),
    ("a URI", b'[a]\nuri = "file:x"\nroles = ["legal"]\nholder = "h"\npublic = "00"\n', "UNKNOWN_KEY"),
    ("no public key", b'[a]\nroles = ["legal"]\nholder = "h"\npublic = "00"\n', "BAD_VALUE"),
    ("no table", b"a = 1\n", "BAD_VALUE"),
]


@pytest.mark.parametrize(("data", "code"), [row[1:] for row in BAD_FILES], ids=[row[0] for row in BAD_FILES])
def test_what_is_no_public_file_is_refused(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path, data: bytes, code: str
) -> None:
    (tmp_path / "x.pub.toml").write_bytes(data)
    before = snapshot(workspace.path)
    ran = tocsin("key", "add", "x.pub.toml", "-w", workspace.path, "--json")
    assert ran.json["error"]["code"] == code, ran
    assert snapshot(workspace.path) == before


def test_one_key_under_two_names_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    keys.make_offline(tmp_path, "a", roles=["legal"], holder="h", passphrase=b"")
    keys.add(workspace, tmp_path / "a.pub.toml", now=NOW, by="exercise")
    text = (tmp_path / "a.pub.toml").read_text()
    (tmp_path / "b.pub.toml").write_text(text.replace("[a]", "[b]"))
    with pytest.raises(InputError, match="listed already, as 'a'"):
        keys.add(workspace, tmp_path / "b.pub.toml", now=NOW, by="exercise")


def test_a_role_of_the_policy_is_one_and_a_slip_is_named(tocsin: Tocsin, workspace: Workspace) -> None:
    make = ("key", "new", "pq", "--holder", "h", "--no-passphrase", "-w", workspace.path, "--role")
    refused = tocsin(*make, "secrity")
    assert refused.status == 2
    assert "Did you mean 'security'" in refused.err
    assert "policy.toml" in refused.err
    with (workspace.path / "policy.toml").open("a") as file:
        file.write(
            '\n[[row]]\ntype = "patch"\nproduct = "thermostat"\ndemands = { release = 1, security-pq = 1 }\n'
        )
    assert tocsin(*make, "security-pq").status == 0


def test_a_key_behind_a_uri_is_made_there_or_taken_as_it_is(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    outside = tmp_path / "safe" / "k.pem"
    make = ("--role", "legal", "--holder", "h", "--no-passphrase", "-w", workspace.path, "--json", "--uri")
    assert tocsin("key", "new", "far", *make, f"file:{outside}").status == 0
    assert _mode(outside) == 0o600
    assert workspace.signer("far", no_passphrase).public == workspace.key("far").public
    assert tocsin("key", "new", "again", *make, f"file:{outside}").json["error"]["code"] == "KEY_EXISTS"
    pem = generate().to_pem(b"").decode()
    assert tocsin("key", "new", "ci", *make, "env:CI_KEY", env={"CI_KEY": pem}).status == 0
    for uri, code in (("env:NOBODY", "KEY_MISSING"), ("ftp:x", "KEY_URI"), ("file:", "KEY_URI")):
        assert tocsin("key", "new", "x", *make, uri).json["error"]["code"] == code
    assert tocsin("key", "new", "x", *make, "file:a", "--out", "b").json["error"]["code"] == "USAGE"


def test_who_made_or_listed_a_key_stands_in_the_audit_chain(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    here = ("-w", workspace.path, "--json")

    def rows() -> list[tuple[str, dict[str, Any]]]:
        found = tocsin("audit", "list", "--kind", "trust.key", *here).json["rows"]
        return [(row["kind"], row["data"]) for row in found]

    before = rows()
    make = ("--role", "legal", "--holder", "h", "--no-passphrase", "--by", "exercise-anna", *here)
    assert tocsin("key", "new", "a", *make).status == 0
    assert tocsin("key", "new", "b", *make, "--uri", f"file:{tmp_path / 'b.pem'}").status == 0
    assert tocsin("key", "new", "a", *make).json["error"]["code"] == "KEY_EXISTS"
    assert tocsin("key", "new", "c", *make, "--uri", "env:NOBODY").json["error"]["code"] == "KEY_MISSING"
    assert rows()[len(before) :] == [
        (
            kind,
            {
                "by": "exercise-anna",
                "holder": "h",
                "key": name,
                "roles": ["legal"],
                "thumbprint": workspace.key(name).public.thumbprint.hex(),
            },
        )
        for kind, name in (("trust.key-made", "a"), ("trust.key-added", "b"))
    ]
    assert all("PRIVATE" not in str(data) and ".pem" not in str(data) for _, data in rows())


def test_without_a_store_no_key_is_made(tocsin: Tocsin, workspace: Workspace) -> None:
    (workspace.path / "store.sqlite").unlink()
    before = snapshot(workspace.path)
    new = ("key", "new", "a", "--role", "legal", "--holder", "h", "--no-passphrase")
    assert tocsin(*new, "-w", workspace.path, "--json").json["error"]["code"] == "STORE_MISSING"
    assert snapshot(workspace.path) == before


def test_a_revoked_key_stays_listed_with_its_reason(tocsin: Tocsin, workspace: Workspace) -> None:
    path = workspace.path / "keys.toml"
    path.write_text(path.read_text().replace("[legal]", "# our lawyers\n[legal] # kept"))
    here = ("-w", workspace.path, "--json")
    done = tocsin("key", "revoke", "legal", "--reason", 'Laptop "lost"', *here).json
    assert (done["in_root"], done["changed"], done["unmet"]) == (True, True, ["legal"])
    text = path.read_text()
    assert "# our lawyers\n[legal] # kept\nrevoked = " in text
    entry = workspace.key("legal")
    assert entry.reason == 'Laptop "lost"'
    again = tocsin("key", "revoke", "legal", "--reason", "other", *here).json
    assert not again["changed"]
    assert path.read_text() == text
    assert "COUNTS until" in tocsin("key", "revoke", "release", "--reason", "x", "-w", workspace.path).out
    assert tocsin("key", "revoke", "nobody", "--reason", "x", *here).json["error"]["code"] == "NO_KEY"
    assert tocsin("key", "revoke", "legal", "--reason", "", *here).json["error"]["code"] == "BAD_VALUE"


def test_a_table_that_cannot_be_added_to_is_left_alone(workspace: Workspace) -> None:
    path = workspace.path / "keys.toml"
    entry = workspace.key("legal")
    public = [line for line in path.read_text().splitlines() if line.startswith("public")][1]
    path.write_text(f'legal = {{ uri = "file:x", roles = ["legal"], holder = "h", {public} }}\n')
    before = path.read_bytes()
    with pytest.raises(InputError) as refused:
        keys.revoke(workspace, "legal", "x", now=NOW, by="exercise")
    assert refused.value.where.startswith(f"{path}:")
    assert path.read_bytes() == before
    assert entry.revoked is None


def test_the_key_of_the_root_acts_before_one_that_no_root_knows(workspace: Workspace) -> None:
    keys.new(workspace, "operator-2", roles=["operator"], holder="h", now=NOW, by="exercise")
    assert choosing.names_for(workspace, "operator") == ["operator"]
    keys.revoke(workspace, "operator", "replaced", now=NOW, by="exercise")
    assert choosing.names_for(workspace, "operator") == ["operator"], "until the next root only it counts"
    assert choosing.names_for(workspace, "nothing") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    ran = tocsin(
        "key", "new", "k", "--role", "legal", "--holder", "h", "--out", "closed/x", "--no-passphrase"
    )
    assert ran.status == 4


@pytest.mark.parametrize("scheme", ["", "file:", "env:"])
@pytest.mark.parametrize("parts", [slice(None), slice(1), slice(1, 2)], ids=["pem", "one line", "lines"])
def test_a_key_put_where_its_place_belongs_is_written_nowhere(
    workspace: Workspace, tocsin: Tocsin, scheme: str, parts: slice
) -> None:
    lines = (workspace.path / "keys" / "legal.pem").read_text().splitlines(keepends=True)
    pem = "".join(lines[parts]) + "\n"
    before = snapshot(workspace.path)
    new = ("key", "new", "legal-2", "--role", "legal", "--holder", "exercise-legal-2", "--no-passphrase")
    ran = tocsin(*new, "--uri", f"{scheme}{pem}", "-w", workspace.path)
    assert ran.status == 2
    assert lines[1].strip() not in ran.out + ran.err
    assert snapshot(workspace.path) == before
