"""What a signer is shown: every word as it is signed, nothing that steers, nothing left out; and what is never lost."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from advisories import suit
from advisories.notice import Notice, ReleaseList
from gateway.cli import homes
from gateway.cli.output import utc
from gateway.operations import patches
from gateway.operations.trust import ceremonies, keys, requests, roots
from gateway.operations.trust.request_files import (
    RELEASE_LIST_BYTES_MAX,
    encode_request,
    for_patch,
    read_request,
)
from gateway.workspace.folder import Workspace
from keys.cbor import decode
from keys.codec import dump, load, unpack
from keys.errors import InputError
from tests.cli.conftest import ADVISORY, Tocsin, snapshot

NOW = 1_900_000_000


def _notice(workspace: Workspace) -> bytes:
    return ceremonies.export_advisory(workspace, ADVISORY, now=NOW).data


def test_what_steers_a_terminal_is_written_out(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    image = workspace.path / "image.bin"
    image.write_bytes(homes.firmware("thermostat", (1, 4, 2, 0)))
    words = "\x1b[2J\x1b[Hharmless \u202e\x9b :100: [bold]x"
    made = suit.build(
        7,
        (thermostat := workspace.product("thermostat")).vendor_id,
        thermostat.class_id,
        image.read_bytes(),
        version=(1, 4, 2, 0),
        uri="artefact/\x1b[2J",
        texts={"en\x1b": words},
        component=(b"\x1b]0;x\x07",),
    )
    request = for_patch(made, workspace.root_documents(), "thermostat", thermostat.vendor)
    (tmp_path / "x.request").write_bytes(encode_request(request))
    ran = tocsin("sign-request", "show", "x.request")
    assert ran.status == 0, ran.err
    assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(ran.out)
    assert r"\x1b[2J\x1b[Hharmless \u202e\x9b :100: [bold]x" in ran.out


@pytest.mark.parametrize(
    "setting",
    [
        b'{"past":[{"revision":1,"phase":"<b>","issued":1}]}',
        b'{"past":[{"revision":1,"phase":"initial","issued":-1}]}',
        b'{"organisation":{"site":"javascript:alert(1)"}}',
        b'{"past":' + b"[" * 50_000,
        b"\xff",
    ],
)
def test_a_setting_that_nobody_could_have_composed_in_is_refused(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, setting: bytes
) -> None:
    request = read_request(_notice(workspace))
    listed = load(ReleaseList, request.attachments["release-list"], size_max=100_000)
    outputs = listed.outputs | {"source/setting.json": hashlib.sha256(setting).digest()}
    release_list = dump(ReleaseList(outputs=outputs))
    notice = unpack(Notice, decode(request.body))
    body = dump(replace(notice, release_list=hashlib.sha256(release_list).digest()))
    enclosed = {**request.attachments, "source/setting.json": setting, "release-list": release_list}
    (tmp_path / "x.request").write_bytes(encode_request(replace(request, body=body, attachments=enclosed)))
    ran = tocsin("sign-request", "show", "x.request", "--json")
    assert (ran.status, ran.json["error"]["code"]) == (3, "MALFORMED")
    assert ".." not in ran.json["error"]["message"]


def test_what_a_request_could_not_carry_is_told_before_it_is_written(workspace: Workspace) -> None:
    request = read_request(_notice(workspace))
    for more in (0, 1):
        enclosed = {**request.attachments, "source/facts.yaml": bytes(RELEASE_LIST_BYTES_MAX + more)}
        big = replace(request, attachments=enclosed)
        if more:
            with pytest.raises(InputError, match=r"'source/facts\.yaml' has 1048577 bytes") as caught:
                encode_request(big)
            assert caught.value.code == "REQUEST_TOO_BIG"
        else:
            assert read_request(encode_request(big)) == big


def test_everything_that_a_notice_asks_of_owners_is_shown(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    image = workspace.path / "image.bin"
    image.write_bytes(homes.firmware("thermostat", (1, 4, 2, 0)))
    patches.add(workspace, "thermostat", image, now=NOW)
    (tmp_path / "x.request").write_bytes(_notice(workspace))
    notice = requests.judge((tmp_path / "x.request").read_bytes()).content
    assert isinstance(notice, Notice)
    shown = tocsin("sign-request", "show", "x.request").out
    assert notice.next_update is not None
    for words in ("action act now", f"next update by {utc(notice.next_update)}", "every 86400 seconds"):
        assert words in shown
    told = tocsin("sign-request", "show", "x.request", "--json").json["content"]
    assert told["affected"]["thermostat"] == [">=1.0.0 <1.4.2"]
    assert told["patches"] == {k: [p.hex() for p in v] for k, v in (notice.patches or {}).items()}
    for patches_ in told["patches"].values():
        assert patches_[0] in shown


def test_nothing_is_signed_unseen(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "x.request").write_bytes(_notice(workspace))
    uri = f"file:{workspace.path / 'keys' / 'legal.pem'}"
    ran = tocsin("sign-request", "sign", "x.request", "--key-uri", uri, "--json")
    assert ran.json["error"]["code"] == "NOT_CONFIRMED"
    assert "nothing is shown" in ran.json["error"]["message"]
    assert not list(tmp_path.glob("*.answer"))


def test_a_key_that_a_root_takes_in_is_shown_with_its_whole_thumbprint(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    entry = keys.new(workspace, "legal-2", roles=["legal"], holder="exercise-legal-2", now=NOW, by="exercise")
    roots.rotate(workspace, now=workspace.trusted().root.issued + 60, by="exercise")
    (tmp_path / "x.request").write_bytes(ceremonies.export_root(workspace).data)
    shown = tocsin("sign-request", "show", "x.request").out
    assert f"+ key {entry.public.thumbprint.hex()} of exercise-legal-2 (legal)" in shown


@pytest.mark.parametrize("taken", ["export", "sign"])
def test_a_private_key_is_never_written_over(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, taken: str
) -> None:
    key = tmp_path / "legal.pem"
    shutil.copy(workspace.path / "keys" / "legal.pem", key)
    before = key.read_bytes()
    (tmp_path / "x.request").write_bytes(_notice(workspace))
    sign = ("sign", "x.request", "--key-uri", f"file:{key}", "--out", key, "--yes")
    export = ("export", "advisory", ADVISORY, key, "-w", workspace.path)
    ran = tocsin("sign-request", *(sign if taken == "sign" else export))
    assert ran.status == 2
    assert "would be lost" in ran.err
    assert key.read_bytes() == before


@pytest.mark.parametrize("name", ["unit-1.pem", "unit-1.csr"])
def test_a_devices_own_key_and_request_are_never_written_over(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, name: str
) -> None:
    """``openssl req -keyout unit-1.pem -out unit-1.csr`` leaves a key where the certificate would go."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "unit-1")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (tmp_path / "unit-1.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    (tmp_path / name).write_bytes(csr.public_bytes(pem))
    before, registered = snapshot(tmp_path), tocsin("device", "list", "-w", workspace.path, "--json").json
    where = ("-w", workspace.path)
    assert tocsin("device", "ca", "new", "--no-passphrase", *where).status == 0
    enrol = ("device", "enrol", name, "--product", "thermostat", "--yes", *where)
    ran = tocsin(*enrol)
    assert (ran.status, "would be lost" in ran.err) == (2, True), ran
    assert {**snapshot(tmp_path), **before} == snapshot(tmp_path)
    assert tocsin("device", "list", *where, "--json").json == registered
    assert tocsin(*enrol, "--out", "unit-1.crt").status == 0
    for again in (("device", "certificate", "unit-1", *where), ("device", "replace", "unit-1", name, *where)):
        assert "would be lost" in tocsin(*again).err
    assert {**snapshot(tmp_path), **before}["unit-1.pem"] == before["unit-1.pem"]
