"""The doctor: each harm is found under its code, said in one sentence, with what mends it; a sound machine passes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import homes
from gateway.operations import patches, products
from gateway.operations.identity import device_ca
from gateway.operations.trust import doctor, keys, roots
from gateway.operations.trust.choosing import signer_for
from gateway.operations.trust.expiry import Check, State
from gateway.store import schema
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.signer import LocalSigner, from_pem
from tests.cli.afar import an_image
from tests.cli.conftest import ROLES, Tocsin, no_passphrase, snapshot

DAY = 86_400


def _now() -> int:
    return int(time.time()) + 5


def _found(workspace: Workspace, now: int | None = None) -> dict[str, Check]:
    return {check.code: check for check in doctor.examine(workspace, now=now or _now()) if check.code}


def test_a_sound_exercise_passes_and_nothing_is_written(tocsin: Tocsin, workspace: Workspace) -> None:
    before = snapshot(workspace.path)
    ran = tocsin("doctor", "-w", workspace.path, "--json")
    assert ran.status == 0
    assert (ran.json["failed"], ran.json["warnings"]) == (0, 0), ran.json
    assert {"name", "state", "code", "message", "mend"} == set(ran.json["checks"][0])
    assert snapshot(workspace.path) == before


@dataclass(frozen=True)
class Harm:
    name: str
    do: Callable[[Workspace], Any]
    code: str
    state: State = State.FAIL


def _flip_keys(workspace: Workspace) -> None:
    shutil.copy(workspace.path / "keys" / "legal.pem", workspace.path / "keys" / "release.pem")
    (workspace.path / "keys" / "release.pem").chmod(0o600)


def _draft(workspace: Workspace) -> None:
    roots.rotate(workspace, now=_now(), by="exercise")


def _halves(workspace: Workspace) -> None:
    _draft(workspace)
    roots.sign_draft(workspace, "root-anna", no_passphrase, now=_now(), by="exercise")
    body = workspace.path / "roots" / "draft.cbor"
    body.write_bytes(body.read_bytes().replace(b"exercise-legal", b"exercise-lEgal"))


def _cut(name: str) -> Callable[[Workspace], None]:
    def harm(workspace: Workspace) -> None:
        path = workspace.path / name
        path.write_bytes(path.read_bytes()[:-20])

    return harm


def _text(name: str, old: str, new: str) -> Callable[[Workspace], None]:
    def harm(workspace: Workspace) -> None:
        path = workspace.path / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return harm


def _lost_root(workspace: Workspace) -> None:
    _draft(workspace)
    for name in ("root-anna", "root-ben"):
        roots.sign_draft(workspace, name, no_passphrase, now=_now(), by="exercise")
    roots.publish(workspace, now=_now(), by="exercise")
    (workspace.path / "roots" / "2.cose").unlink()


def _draft_folder(workspace: Workspace) -> None:
    (workspace.path / "roots" / "draft.cbor").mkdir()


HARMS = [
    Harm("a folder in the place of a draft", _draft_folder, "STORED_FILE"),
    Harm("a key that others may read", lambda w: (w.path / "keys/legal.pem").chmod(0o640), "KEY_FILE_OPEN"),
    Harm("a folder that others may read", lambda w: (w.path / "keys").chmod(0o750), "KEYS_FOLDER_OPEN"),
    Harm("a key that is gone", lambda w: (w.path / "keys/legal.pem").unlink(), "KEY_MISSING", State.WARN),
    Harm("another key's private half", _flip_keys, "KEY_MISMATCH"),
    Harm("a key that is none", lambda w: (w.path / "keys/legal.pem").write_bytes(b"x"), "KEY_UNREADABLE"),
    Harm("a file nobody lists", lambda w: (w.path / "keys/old").touch(), "KEY_FILE_UNKNOWN", State.WARN),
    Harm("a damaged root", _cut("roots/1.cose"), "ROOT_DAMAGED"),
    Harm("a lost root", _lost_root, "ROOT_LOST"),
    Harm("no root", lambda w: (w.path / "roots/1.cose").unlink(), "NO_ROOT", State.WARN),
    Harm("no store", lambda w: (w.path / "store.sqlite").unlink(), "STORE_MISSING"),
    Harm("keys.toml cut", _cut("keys.toml"), "BAD_TOML"),
    Harm("policy.toml with a slip", _text("policy.toml", "legal", '"'), "BAD_TOML"),
    Harm("a policy of which no root knows", _text("policy.toml", "= 2", "= 3"), "ROOT_BEHIND", State.WARN),
    Harm("a draft", _draft, "DRAFT_WAITS", State.WARN),
    Harm("a draft beside others' signatures", _halves, "DRAFT_DAMAGED", State.WARN),
    Harm(
        "a revoked key",
        lambda w: keys.revoke(w, "legal", "lost", now=_now(), by="exercise"),
        "REVOKED_IN_ROOT",
    ),
    Harm("no exercise any more", _text("tocsin.toml", "true", "false"), "ROOT_BEHIND", State.WARN),
]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.name)
def test_each_harm_is_found_with_its_mend(workspace: Workspace, tocsin: Tocsin, harm: Harm) -> None:
    harm.do(workspace)
    workspace = Workspace.open(workspace.path)
    found = _found(workspace)
    assert harm.code in found, found
    assert found[harm.code].state is harm.state
    assert found[harm.code].mend
    assert re.fullmatch(r"[^\n]+", found[harm.code].message)
    failed = any(check.state is State.FAIL for check in found.values())
    ran = tocsin("doctor", "-w", workspace.path)
    assert ran.status == (1 if failed else 0), ran
    assert "Traceback" not in ran.out + ran.err
    assert harm.code in ran.out


def test_a_clock_before_the_root_and_times_that_are_over_are_found(workspace: Workspace) -> None:
    root = workspace.trusted().root
    assert "CLOCK_BEHIND" in _found(workspace, root.issued - 1)
    assert "CLOCK_BEHIND" not in _found(workspace, root.issued)
    assert "ROOT_EXPIRED" in _found(workspace, root.expires)
    image = workspace.path / "image.bin"
    image.write_bytes(homes.firmware("thermostat", (1, 4, 2, 0)))
    patches.add(workspace, "thermostat", image, now=_now())
    for role in ("release", "security"):
        digest = patches.find(workspace, "thermostat@1.4.2").patch.digest
        patches.approve(
            workspace, "thermostat@1.4.2", role, no_passphrase, digest=digest, now=_now(), by="exercise"
        )
    patches.publish(
        workspace, "thermostat@1.4.2", signer_for(workspace, "operator", no_passphrase), now=_now()
    )
    assert "CATALOGUE_EXPIRES" in _found(workspace, _now() + 25 * DAY)
    assert _found(workspace, _now() + 31 * DAY)["CATALOGUE_EXPIRED"].state is State.FAIL


@pytest.fixture
def in_earnest(tmp_path: Path) -> Workspace:
    """A workspace that is no exercise; its gateway key lies here, the others with their holders."""
    workspace = Workspace.create(tmp_path / "earnest", exercise=False)
    keys.new(workspace, "gateway", roles=["gateway"], holder="exercise-gateway", now=_now(), by="exercise")
    away = tmp_path / "away"
    others = [role for role in ROLES if role != "gateway"]
    for name, role in [(role, role) for role in others] + [(f"root-{n}", "root") for n in "123"]:
        keys.make_offline(away, name, roles=[role], holder=f"exercise-{name}", passphrase=b"")
        keys.add(workspace, away / f"{name}.pub.toml", now=_now(), by="exercise")
    return workspace


def _roots_away(workspace: Workspace, away: Path) -> None:
    """Sign and publish root 1 with keys that are listed here only for that."""
    text = (workspace.path / "keys.toml").read_text()
    for name in ("root-1", "root-2"):
        uri = f'uri = "file:{away / name}.pem"'
        (workspace.path / "keys.toml").write_text(text.replace(f"[{name}]", f"[{name}]\n{uri}"))
        if not (workspace.path / "roots" / "draft.cbor").exists():
            roots.draft(workspace, now=_now() - 60, by="exercise")
        roots.sign_draft(workspace, name, no_passphrase, now=_now(), by="exercise")
    (workspace.path / "keys.toml").write_text(text)
    roots.publish(workspace, now=_now(), by="exercise")


def test_the_gateways_machine_may_use_no_other_key(in_earnest: Workspace, tmp_path: Path) -> None:
    _roots_away(in_earnest, tmp_path / "away")
    assert not _found(in_earnest)
    path = in_earnest.path / "keys.toml"
    pem = tmp_path / "away" / "legal.pem"
    path.write_text(path.read_text().replace("[legal]", f'[legal]\nuri = "file:{pem}"'))
    found = _found(in_earnest)
    assert found["GATEWAY_NOT_ALONE"].state is State.FAIL
    assert "legal (legal)" in found["GATEWAY_NOT_ALONE"].message
    assert found["KEY_UNENCRYPTED"].state is State.WARN
    (in_earnest.path / "keys" / "gateway.pem").rename(tmp_path / "gateway.pem")
    assert "GATEWAY_NOT_ALONE" not in _found(in_earnest), "the gateway's key is on another machine"


def test_an_encrypted_key_counts_for_its_passphrase_is_typed_here(in_earnest: Workspace) -> None:
    keys.new(
        in_earnest,
        "legal-2",
        roles=["legal"],
        holder="exercise-legal-2",
        now=_now(),
        by="exercise",
        passphrase=b"secret",
    )
    found = _found(in_earnest)
    assert "legal-2" in found["GATEWAY_NOT_ALONE"].message
    assert "KEY_UNENCRYPTED" not in found


def test_one_key_for_the_gateway_and_another_role_fails(in_earnest: Workspace) -> None:
    keys.new(
        in_earnest, "both", roles=["gateway", "operator"], holder="exercise-both", now=_now(), by="exercise"
    )
    assert "both (gateway, operator)" in _found(in_earnest)["GATEWAY_NOT_ALONE"].message


STRAYS = ["keys/legal.pem", "keys/old/anything", "keys/legal.pem.unlisted-1"]


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_key_that_lies_here_counts_whether_or_not_it_is_listed(
    in_earnest: Workspace, tmp_path: Path, stray: str, *, encrypted: bool
) -> None:
    path = in_earnest.path / stray
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((tmp_path / "away" / "legal.pem").read_bytes())
    if encrypted:
        key = in_earnest.signer("gateway", no_passphrase)
        assert isinstance(key, LocalSigner)
        path.write_bytes(key.to_pem(b"secret"))
    found = _found(in_earnest)["GATEWAY_NOT_ALONE"]
    assert stray in found.message
    assert ("(legal)" in found.message) is not encrypted


def test_the_keys_of_tls_are_known_and_belong_to_no_role(in_earnest: Workspace, tmp_path: Path) -> None:
    _roots_away(in_earnest, tmp_path / "away")
    now = _now()
    ca = device_ca.new(in_earnest, passphrase=b"secret", algorithm=Algorithm.ESP256, days=9, now=now)
    device_ca.issue_gateway(in_earnest, ca, now=now)
    device_ca.issue_broker(in_earnest, ca, ["broker.example.com"], now=now)
    assert not _found(in_earnest)
    (in_earnest.path / "tls" / "ca.pem").unlink()
    assert "device-ca.pem" in _found(in_earnest)["KEY_FILE_UNKNOWN"].message


def test_a_part_that_is_not_installed_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workspace.path / "keys.toml"
    path.write_text(path.read_text().replace('"file:keys/legal.pem"', '"pkcs11:token=none;object=legal"'))
    real = importlib.util.find_spec
    gone = {"pkcs11", "pyphen"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in gone else real(name))
    found = _found(workspace)
    assert "pyphen" in found["PART_MISSING"].message
    assert "legal" in found["PKCS11_MISSING"].message


def _forget(workspace: Workspace, kind: str) -> None:
    """Take rows out of the audit chain, as if each had been kept from it by a kill."""
    with workspace.store() as store, store.write() as session:
        session.connection.execute(schema.audit.update().where(schema.audit.c.kind == kind).values(kind="x"))


def test_keys_and_signatures_that_no_row_tells_of_are_named(in_earnest: Workspace, tmp_path: Path) -> None:
    away = tmp_path / "away"
    _roots_away(in_earnest, away)
    roots.rotate(in_earnest, now=_now(), by="exercise")
    path = in_earnest.path / "keys.toml"
    path.write_text(path.read_text().replace("[root-1]", f'[root-1]\nuri = "file:{away}/root-1.pem"'))
    roots.sign_draft(in_earnest, "root-1", no_passphrase, now=_now(), by="exercise")
    keys.revoke(in_earnest, "legal", "lost", now=_now(), by="exercise")
    assert "UNRECORDED" not in _found(in_earnest)
    for kind, named, command in (
        ("trust.key-added", "key root-2,", "key add"),
        ("trust.key-made", "key gateway,", "key new"),
        ("trust.key-revoked", "revocation of key legal", "key revoke"),
        ("trust.root-signed", "signature of root 2 by root-1.", "root sign"),
    ):
        _forget(in_earnest, kind)
        found = _found(in_earnest)["UNRECORDED"]
        assert found.state is State.WARN
        assert named in found.message
        assert command in found.mend
    text = (in_earnest.path / "tocsin.toml").read_text()
    (in_earnest.path / "tocsin.toml").write_text(text.replace("exercise = false", "exercise = true"))
    assert "UNRECORDED" not in _found(Workspace.open(in_earnest.path)), "an exercise need not record it"


def test_a_patchs_signature_that_no_row_tells_of_is_named_until_it_is_given_again(
    in_earnest: Workspace, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    _roots_away(in_earnest, away)
    made = Product("thermostat", "thermostat", ("en",), "console", "example.com", 65_536, "ask")
    view = patches.add(in_earnest, products.add(in_earnest, made).id, an_image(tmp_path), now=_now())
    release = from_pem((away / "release.pem").read_bytes(), b"", where="release")

    def sign() -> None:
        reference = str(view.patch.sequence)
        digest = view.patch.digest
        patches.add_signature(in_earnest, reference, release, digest=digest, now=_now(), by="exercise")

    sign()
    assert "UNRECORDED" not in _found(in_earnest)
    _forget(in_earnest, "patch.signed")
    assert "by exercise-release." in _found(in_earnest)["UNRECORDED"].message
    sign()
    assert "UNRECORDED" not in _found(in_earnest)
