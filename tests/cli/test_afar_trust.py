"""Trust, products, patches and devices through ``--server``: the same answers, and keys that stay at home."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.cli import evidence
from gateway.operations.trust import keys
from gateway.workspace.folder import Workspace
from keys.algorithms import PublicKey
from keys.cbor import encode
from keys.signer import generate
from tests.cli.afar import Pair, an_image, paired, write
from tests.cli.conftest import Tocsin
from tests.cli.test_devices import request

SEQUENCE = "1800000000"
SBOM = b'{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"libfoo","version":"1.2"}]}'


@pytest.fixture
def pair(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> Iterator[Pair]:
    with paired(workspace, tocsin, tmp_path) as made:
        yield made


def public_file(folder: Path, name: str) -> Path:
    return keys.make_offline(
        folder / "made", name, roles=["legal"], holder="exercise-new", passphrase=b""
    ).public


def products(folder: Path) -> list[tuple[str | Path, ...]]:
    return [
        ("product", "list"),
        ("product", "add", "valve", "--language", "de", "--slot-bytes", "65536"),
        ("product", "show", "valve"),
        ("product", "show", "toaster"),
        ("product", "version", "add", "valve", "1.0.1"),
        ("product", "version", "add", "valve", "x"),
        ("product", "end-of-support", "valve", "2030-12-31"),
        ("product", "end-of-support", "valve", "then"),
        ("product", "sbom", "valve", "1.0.1", write(folder / "sbom.json", SBOM)),
        ("product", "sbom", "valve", "2.0.0", folder / "sbom.json"),
    ]


def trust(folder: Path) -> list[tuple[str | Path, ...]]:
    return [
        ("root", "show"),
        ("root", "show", "1"),
        ("root", "show", "7"),
        ("root", "restore"),
        ("key", "add", public_file(folder, "legal-2")),
        ("key", "add", folder / "made" / "legal-2.pem"),
        ("verify", folder / "own" / "roots" / "1.cose"),
        ("verify", folder / "made" / "legal-2.pub.toml"),
        ("sign-request", "export", "patch", "7", folder / "none.request"),
        ("sign-request", "export", "root", folder / "none.request"),
        ("catalogue", "renew"),
    ]


def devices(folder: Path) -> list[tuple[str | Path, ...]]:
    listed = write(folder / "none.csv", b"product,version,external\nthermostat,1.0.0,Halle 1\n")
    wrong = write(folder / "wrong.csv", b"product,key\ntoaster,00\n")
    return [
        ("device", "list"),
        ("device", "show", "none"),
        ("device", "ca", "show"),
        ("device", "import", listed, "--dry-run", "--label", "site=north"),
        ("device", "import", listed, "--label", "site=north"),
        ("device", "import", wrong),
        ("device", "list", "--where", "label.site = north"),
        ("device", "enrol", write(folder / "bad.csr", b"no"), "--yes"),
        ("device", "revoke", "none", "--reason", "x", "--yes"),
    ]


def others(folder: Path) -> list[tuple[str | Path, ...]]:
    return [
        ("account", "add", "exercise-gmbh", "--name", "Example GmbH"),
        ("account", "show", "exercise-gmbh"),
        ("account", "set", "exercise-gmbh", "--email", "a@example.com"),
        ("account", "close", "exercise-gmbh", "--dry-run"),
        ("quarantine", "list"),
        ("quarantine", "show", "1"),
        ("quarantine", "release", "--all", "--dry-run"),
        ("quarantine", "drop", "1", "--yes"),
        ("followup", "list"),
        ("followup", "take", "EX-2026-0001", "none"),
        ("rollout", "list"),
        ("rollout", "list", "--limit", "0"),
        ("rollout", "devices", "none", "--limit", "-1"),
        ("rollout", "status"),
        ("rollout", "status", "none"),
        ("rollout", "cancel", "none", "--dry-run"),
        ("rollout", "filter", "add", "north", "region = DE"),
        ("rollout", "filter", "list"),
        ("webhook", "list"),
        ("webhook", "show", "none"),
        ("store", "check"),
        ("store", "recount"),
        ("store", "expire", "--dry-run"),
        ("alerts", "check"),
        ("evidence", "export", "EX-2026-0001", "-o", folder / "evidence.zip"),
        ("status",),
    ]


@pytest.mark.parametrize("table", [products, trust, devices, others], ids=lambda table: table.__name__)
def test_a_command_says_the_same_here_and_there(
    pair: Pair, tmp_path: Path, table: Callable[[Path], list[tuple[str | Path, ...]]]
) -> None:
    for words in table(tmp_path):
        pair.both(*words)


def test_evidence_from_a_server_is_laid_over_earlier_evidence_only(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writer:
        writer.writestr("evidence.json", json.dumps({"format": "tocsin-evidence"}))
    monkeypatch.setattr(evidence, "download", lambda *_, **__: made.getvalue())
    words = ("evidence", "export", "EX-2026-0001", "-o")
    for _ in ("new", "over the earlier one"):
        assert pair.afar(*words, tmp_path / "e.zip").status == 0
        assert (tmp_path / "e.zip").read_bytes() == made.getvalue()
    notes = write(tmp_path / "notes.txt", b"mine")
    (tmp_path / "link").symlink_to(notes)
    for place, code in (
        (notes, "FILE_IN_THE_WAY"),
        (tmp_path / "link", "FILE_IN_THE_WAY"),
        ("", "NOT_A_FILE"),
    ):
        assert pair.both(*words, place)["error"]["code"] == code
    assert notes.read_bytes() == b"mine"


def test_a_patch_goes_all_the_way_and_each_key_signs_at_home(pair: Pair, tmp_path: Path) -> None:
    image, old = an_image(tmp_path), an_image(tmp_path, version="1.4.1")
    add = ("patch", "add", "--product", "thermostat", "--image", image, "--sequence", SEQUENCE)
    pair.both(*add, "--delta-from", old, "--text", "en=Mends it", "--use-before", "2031-01-01")
    for words in (
        add,  # once is enough
        ("patch", "add", "--product", "thermostat", "--image", tmp_path / "missing"),
        ("patch", "show", SEQUENCE, "--manifest"),
        ("patch", "show", "thermostat@1.4.2"),
        ("patch", "show", "thermostat@9"),
        ("patch", "show", image),
        ("patch", "check", SEQUENCE),
        ("patch", "check", SEQUENCE, "--image", image),
        ("patch", "check", SEQUENCE, "--image", old),
        ("patch", "publish", SEQUENCE),
        ("patch", "approve", SEQUENCE, "--key", "legal", "--yes"),
        ("patch", "approve", SEQUENCE, "--key", "release"),
        ("patch", "approve", SEQUENCE, "--key", "release", "--yes"),
        ("patch", "approve", SEQUENCE, "--key", "release", "--yes"),
    ):
        pair.both(*words)
    asked = tmp_path / "patch.request"
    pair.both("sign-request", "export", "patch", SEQUENCE, asked)
    kept = pair.there.path / "patches" / f"{SEQUENCE}.suit"
    for words in (("patch", "show", kept), ("patch", "check", kept), ("verify", kept)):
        pair.both(*words)
    shown = pair.afar("patch", "approve", SEQUENCE, "--key", "security", "--yes")
    assert "WHAT IS BEING SIGNED" in shown.out
    assert "It is the fleet that you named." in shown.out
    answer = tmp_path / "patch.answer"
    uri = f"file:{pair.own.path}/keys/security.pem"
    assert pair.tocsin("sign-request", "sign", asked, "--key-uri", uri, "--out", answer, "--yes").status == 0
    assert pair.local("sign-request", "import", answer).status == 0
    for words in (
        ("sign-request", "import", answer),
        ("sign-request", "import", image),
        ("patch", "publish", SEQUENCE, "--dry-run"),
        ("patch", "publish", SEQUENCE),
        ("patch", "show", SEQUENCE),
        ("catalogue", "renew", "thermostat"),
        ("catalogue", "renew", "doorbell"),
        ("doctor", "--thorough"),
    ):
        pair.both(*words)
    signed = []
    for each in (pair.here, pair.there):
        rows = pair.tocsin("audit", "list", "--kind", "patch.signed", "--json", "-w", each.path).json["rows"]
        about = [{name: value for name, value in row["data"].items() if name != "by"} for row in rows]
        signed.append((about, {row["data"]["by"] for row in rows}))
    (mine, (user,)), (theirs, bearer) = signed
    assert (mine, bearer) == (theirs, {"exercise"})
    assert user != "exercise"
    digest = pair.local("patch", "show", SEQUENCE, "--json").json["digest"]
    kids = {
        each["key"]["name"]: each["key"]["public"]
        for each in pair.local("key", "list", "--json").json["keys"]
    }
    said = {"digest": digest, "product": "thermostat", "sequence": int(SEQUENCE)}
    assert [{k: v for k, v in row.items() if k != "nth"} for row in mine] == [
        {**said, "key": kids[role]} for role in ("release", "security")
    ]
    artefacts = [sorted(path.name for path in each.artefacts.iterdir()) for each in (pair.here, pair.there)]
    assert artefacts[0] == artefacts[1]
    people = pair.afar("patch", "show", SEQUENCE)
    assert people.out == pair.local("patch", "show", SEQUENCE).out


def test_a_root_is_drafted_there_signed_here_and_published_there(pair: Pair, tmp_path: Path) -> None:
    public = public_file(tmp_path, "legal-2")
    for words in (
        ("key", "add", public),
        ("key", "revoke", "legal", "--reason", "Laptop lost"),
        ("key", "revoke", "nobody", "--reason", "x"),
        ("root", "new"),
        ("root", "rotate", "--days", "400"),
        ("root", "publish"),
    ):
        pair.both(*words)
    assert pair.afar("root", "rotate", "--json").json["draft"]
    unsure = pair.afar("root", "sign", "--key", "root-anna", "--json")
    assert unsure.json["error"]["code"] == "NOT_CONFIRMED"
    wrong = pair.afar("root", "sign", "--key", "operator", "--yes", "--json")
    assert wrong.json["error"]["code"] == "WRONG_ROLE"
    signed = pair.afar("root", "sign", "--key", "root-anna", "--yes", "--json")
    assert [each["holder"] for each in signed.json["signed"]] == ["exercise-anna"]
    assert pair.afar("root", "sign", "--key", f"file:{pair.own.path}/keys/root-ben.pem", "--yes").status == 0
    done = pair.afar("root", "publish", "--json").json
    assert (done["version"], done["draft"], len(done["signed"])) == (2, False, 2)
    assert pair.there.trusted().root.version == 2
    states = {each["key"]["name"]: each for each in pair.afar("key", "list", "--json").json["keys"]}
    assert (states["legal-2"]["in_root"], states["legal"]["in_root"]) == (True, False)
    assert {each["place"] for each in states.values()} == {"missing", "elsewhere"}  # no private key is there
    assert pair.local("key", "list", "--json").json["keys"][0].keys() == next(iter(states.values())).keys()
    rows = told_of(pair, pair.there)
    assert [row["kind"] for row in rows] == [
        "trust.key-added",
        "trust.key-revoked",
        "trust.root-drafted",
        *["trust.root-signed"] * 2,
    ]
    assert {row["data"]["by"] for row in rows} == {"exercise"}
    assert (rows[0]["data"]["key"], rows[0]["data"]["thumbprint"]) == (
        "legal-2",
        states["legal-2"]["key"]["public"],
    )
    assert (rows[1]["data"]["key"], rows[2]["data"]["version"]) == ("legal", 2)
    assert rows[-1]["data"]["digest"] == done["digest"]
    assert [row["kind"] for row in told_of(pair, pair.here)] == [row["kind"] for row in rows[:2]]
    published = pair.tocsin(
        "audit", "list", "--kind", "root.published", "--json", "-w", pair.there.path
    ).json["rows"]
    assert published[-1]["data"]["by"] == "exercise"


def told_of(pair: Pair, workspace: Workspace) -> list[dict[str, Any]]:
    """What the audit chain of a workspace says of changes of trust, the oldest first, since it was copied."""
    rows = pair.tocsin("audit", "list", "--kind", "trust.", "--json", "-w", workspace.path).json["rows"]
    since = next((n for n, row in enumerate(rows) if row["data"].get("key") == "legal-2"), len(rows))
    return list(rows[since:])


def test_a_server_of_another_fleet_gets_no_signature(pair: Pair, tmp_path: Path) -> None:
    pair.both(
        "patch", "add", "--product", "thermostat", "--image", an_image(tmp_path), "--sequence", SEQUENCE
    )
    other = tmp_path / "other"
    assert pair.tocsin("init", other, "--exercise").status == 0
    shutil.copytree(pair.own.path / "keys", other / "keys", dirs_exist_ok=True)
    shutil.copy(pair.own.path / "keys.toml", other)
    for name in ("anna", "ben"):
        pair.tocsin("root", "new", "-w", other)
        pair.tocsin("root", "sign", "--key", f"root-{name}", "-w", other)
    assert pair.tocsin("root", "publish", "-w", other).status == 0
    for words in (
        ("patch", "approve", SEQUENCE, "--key", "release", "--yes"),
        ("catalogue", "renew"),
    ):
        ran = pair.tocsin(*words, "--json", "--server", pair.url, "-w", other, env=pair.env)
        assert (ran.status, ran.json["error"]["code"]) == (3, "WRONG_FLEET"), ran
    ran = pair.tocsin("catalogue", "renew", "--json", "--server", pair.url, env=pair.env)
    assert ran.json["error"]["code"] == "NO_KEY_HERE"


def test_devices_are_enrolled_replaced_and_revoked_through_a_server(pair: Pair, tmp_path: Path) -> None:
    first, second, third = (generate(), generate(), generate())
    asked = request(tmp_path / "a.csr", first, "device-a")
    enrol = ("device", "enrol", asked, "--product", "thermostat", "--yes", "--json")
    made = pair.afar(*enrol, "--out", tmp_path / "a.pem")
    assert made.status == 0, made
    again = pair.afar(*enrol, "--out", tmp_path / "a.pem")
    assert again.json["key"] == made.json["key"] == first.public.thumbprint.hex()
    ca = x509.load_pem_x509_certificate((pair.own.path / "tls" / "ca.pem").read_bytes())
    x509.load_pem_x509_certificate((tmp_path / "a.pem").read_bytes()).verify_directly_issued_by(ca)
    new = request(tmp_path / "b.csr", second)
    replaced = pair.afar("device", "replace", "device-a", new, "--yes", "--json")
    assert replaced.json["key"] == second.public.thumbprint.hex(), replaced
    listed = write(
        tmp_path / "list.csv",
        f"product,key,id,region\nthermostat,{dump(third.public)},device-c,DE\n".encode(),
    )
    dry = pair.afar("device", "import", listed, "--dry-run", "--json").json
    assert (dry["registered"], dry["inventory"]["fresh"], dry["devices"]) == (0, 1, ["device-c"])
    taken = pair.afar("device", "import", listed, "--json").json
    assert (taken["registered"], taken["inventory"]["fresh"]) == (1, 1), taken
    assert pair.afar("device", "import", listed, "--json").json["known"] == 1
    given = pair.afar(
        "device", "certificate", "device-c", "--out", tmp_path / "c.pem", "--days", "9", "--json"
    )
    assert given.json["certificates"][0]["key"] == third.public.thumbprint.hex(), given
    gone = pair.afar("device", "revoke", "device-a", "--reason", "Stolen", "--yes", "--json")
    assert gone.json == {"device": "device-a", "revoked": True, "crl": "tls/crl.pem"}
    crl = pair.afar("device", "ca", "crl", "--json").json
    assert {each["name"] for each in crl["revoked"]} == {"device-a"}
    kept = x509.load_pem_x509_crl((pair.there.path / "tls" / "crl.pem").read_bytes())
    assert kept.is_signature_valid(ca.public_key())  # type: ignore[arg-type]
    assert len(kept) == 3  # of its first key two, of its second one
    shown = pair.afar("device", "show", "device-a", "--json").json
    assert shown["standing"]["device"]["revoked"]
    assert pair.afar("device", "ca", "show", "--json").json["revoked"] == 3
    rows = pair.tocsin("audit", "list", "--json", "-w", pair.there.path).json["rows"]
    told = [row["data"] for row in rows if row["kind"] == "devices.registered" and "by" in row["data"]]
    assert {row["by"] for row in told} == {"exercise"}
    assert told[-1]["reason"] == "Stolen"


def dump(key: PublicKey) -> str:
    return encode(key.to_cose()).hex()
