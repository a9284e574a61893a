"""Device identity by command: lists, signing requests, the device CA, revocation, another key."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from device_sim.home import Home
from gateway.operations.identity import device_list, devices
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.cbor import encode
from keys.signer import LocalSigner, generate
from tests.cli.conftest import Tocsin, snapshot
from tests.helpers import key

PEM, PUBLIC = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
CA = ("device", "ca", "new", "--no-passphrase")


def raw(name: str) -> str:
    return base64.b64encode(key(name).public.x).decode()


def cose(name: str, algorithm: Algorithm = Algorithm.ED25519) -> str:
    return encode(key(name, algorithm).public.to_cose()).hex()


def pem(name: str) -> str:
    return library(key(name, Algorithm.ESP256)).public_key().public_bytes(PEM, PUBLIC).decode()


def library(signer: LocalSigner) -> ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey:
    found = serialization.load_pem_private_key(signer.to_pem(b""), None)
    assert isinstance(found, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey)
    return found


def request(path: Path, signer: LocalSigner, name: str | None = None, *, number: str | None = None) -> Path:
    """Write a signing request that also asks for things that it must not get."""
    private = library(signer)
    names = [(NameOID.COMMON_NAME, name), (NameOID.SERIAL_NUMBER, number)]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names if value])
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("_gateway")]), critical=False)
        .sign(private, None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(PEM))
    return path


@pytest.fixture
def here(workspace: Workspace) -> tuple[str, ...]:
    return ("-w", str(workspace.path), "--json")


Listed = Callable[[], dict[str, dict[str, object]]]


@pytest.fixture
def listed(tocsin: Tocsin, here: tuple[str, ...]) -> Listed:
    return lambda: {row["id"]: row for row in tocsin("device", "list", *here).json["devices"]}


# Lists


def test_a_csv_with_every_kind_of_key_is_registered(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], listed: Listed
) -> None:
    path = tmp_path / "devices.csv"
    quoted = pem("three").replace("\n", "\r\n")
    path.write_bytes(
        (
            "\ufeffID,product,key,valid_from,valid_to,algorithms\r\n"
            f"one,thermostat,{raw('one')},2026-01-01,2046-01-01T12:00:00Z,\r\n"
            f'two,doorbell,{cose("two")},,,"ed25519, ml-dsa-44"\r\n'
            "\r\n"
            f'three,thermostat,"{quoted}",1700000000,,\r\n'
            f",thermostat,{cose('four', Algorithm.ESP256)},,,\r\n"
        ).encode()
    )
    before = len(listed())
    dry = tocsin("device", "import", path, "--dry-run", *here)
    assert (dry.status, dry.json["rows"], dry.json["registered"]) == (0, 4, 0), dry
    assert len(listed()) == before
    done = tocsin("device", "import", path, *here)
    assert (done.json["registered"], done.json["known"]) == (4, 0)
    rows = listed()
    assert len(rows) == before + 4
    assert rows["one"]["valid_to"] == int(dt.datetime(2046, 1, 1, 12, tzinfo=dt.UTC).timestamp())
    assert rows["three"]["valid_from"] == 1_700_000_000
    again = tocsin("device", "import", path, *here)
    assert (again.json["registered"], again.json["known"]) == (0, 4), again


def test_a_records_algorithms_are_signed_by_the_operator(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], workspace: Workspace
) -> None:
    path = tmp_path / "list.json"
    row = {"id": "one", "product": "thermostat", "key": raw("one"), "algorithms": ["ed25519", "esp256"]}
    path.write_text(json.dumps([row]))
    assert tocsin("device", "import", path, *here).status == 0
    record = devices.read_record(workspace, "one")
    assert record.algorithms == (Algorithm.ED25519, Algorithm.ESP256)


def test_json_is_told_by_its_first_character_and_lines_by_their_place(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...]
) -> None:
    path = tmp_path / "list"
    rows = [{"product": "thermostat", "key": raw(f"n{n}"), "valid_from": 1_700_000_000} for n in range(3)]
    rows[1]["key"] = "AAAA"
    path.write_text(json.dumps(rows, indent=1))
    ran = tocsin("device", "import", path, *here)
    assert ran.status == 2
    assert [fault["where"] for fault in ran.json["faults"]] == [f"{path}:7"]
    del rows[1]
    path.write_text(json.dumps(rows))
    assert tocsin("device", "import", path, *here).json["registered"] == 2


HEAD = "id,product,key\n"
FAULTY_ROWS = {
    "no product": (HEAD + f"a,,{raw('a')}\n", 2, "product is missing"),
    "unknown product": (HEAD + f"a,thermostatt,{raw('a')}\n", 2, "no product"),
    "id no topic level": (HEAD + f"a/b,thermostat,{raw('a')}\n", 2, "no device id"),
    "id too long": (HEAD + f"{'a' * 65},thermostat,{raw('a')}\n", 2, "no device id"),
    "key of another kind": (HEAD + "a,thermostat,???\n", 2, "neither hexadecimal"),
    "key cut": (HEAD + f"a,thermostat,{cose('a')[:-2]}\n", 2, "key is wrong"),
    "key of low order": (HEAD + f"a,thermostat,{base64.b64encode(bytes(32)).decode()}\n", 2, "key is wrong"),
    "key of 31 bytes": (HEAD + f"a,thermostat,{base64.b64encode(bytes(31)).decode()}\n", 2, "32 bytes"),
    "key in broken PEM": (HEAD + 'a,thermostat,"-----BEGIN PUBLIC KEY-----"\n', 2, "no public key in PEM"),
    "field too large": (HEAD + f"a,thermostat,{'A' * 5000}\n", 2, "more than 4096"),
    "id twice": (HEAD + f"a,thermostat,{raw('a')}\na,thermostat,{raw('b')}\n", 3, "line 2"),
    "key twice": (HEAD + f"a,thermostat,{raw('a')}\nb,thermostat,{raw('a')}\n", 3, "line 2"),
    "time that is none": ("product,key,valid_to\n" + f"thermostat,{raw('a')},soon\n", 2, "no date"),
    "over already": ("product,key,valid_to\n" + f"thermostat,{raw('a')},2001-01-01\n", 2, "no time"),
    "ends before": (
        "product,key,valid_from,valid_to\n" + f"thermostat,{raw('a')},2050-01-01,2040-01-01\n",
        2,
        "no time",
    ),
    "algorithm": ("product,key,algorithms\n" + f"thermostat,{raw('a')},rsa\n", 2, "no algorithm"),
}


@pytest.mark.parametrize(("text", "line", "words"), FAULTY_ROWS.values(), ids=FAULTY_ROWS)
def test_a_faulty_row_is_named_by_its_line_and_nothing_is_registered(
    text: str, line: int, words: str, tmp_path: Path, tocsin: Tocsin, workspace: Workspace
) -> None:
    path = tmp_path / "devices.csv"
    path.write_text(text)
    before = snapshot(workspace.path)
    ran = tocsin("device", "import", path, "-w", workspace.path)
    assert ran.status == 2
    assert f"{path}:{line}: " in ran.out
    assert words in ran.out
    assert "nothing was registered" in ran.err
    assert snapshot(workspace.path) == before


UNREADABLE = {
    "empty": (b"", 1),
    "only a header": (HEAD.encode(), 1),
    "unknown column": (b"id,product,kee\n", 1),
    "column twice": (b"id,product,key,key\n", 1),
    "no key column": (b"id,product\n", 1),
    "too few fields": (HEAD.encode() + b"a,thermostat\n", 2),
    "open quote": (HEAD.encode() + b'a,thermostat,"AAA\n', 2),
    "quote within": (HEAD.encode() + b'a,"thermo"stat,AAA\n', 2),
    "endless field": (HEAD.encode() + b"a,thermostat," + b"A" * 200_000, 2),
    "UTF-16": ("\ufeff" + HEAD).encode("utf-16-le"),
    "Latin-1": (HEAD.encode() + "gerät,thermostat,A\n".encode("latin-1"), 2),
    "zero byte": (HEAD.encode() + b"a,thermostat,\0\n", 2),
    "JSON cut": (b'[{"id": "a"', 1),
    "JSON object": (b'{"id": "a"}', 1),
    "JSON scalar in list": (b"[\n1]", 2),
    "JSON twice": (b'[{"id": "a",\n"id": "b"}]', 1),
    "JSON bomb": (b"[" + b'{"id":' + b"[" * 100_000, 1),
    "JSON digits": (b'[{"valid_to": ' + b"9" * 5_000 + b"}]", 1),
    "JSON tail": (b'[{"product": "thermostat", "key": "' + raw("a").encode() + b'"}]\nx', 2),
    "JSON empty list": (b"[]", 1),
}


@pytest.mark.parametrize("case", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_list_is_refused_with_its_place(
    case: tuple[bytes, int] | bytes, tmp_path: Path, tocsin: Tocsin, workspace: Workspace
) -> None:
    data, line = case if isinstance(case, tuple) else (case, 1)
    path = tmp_path / "devices"
    path.write_bytes(data)
    ran = tocsin("device", "import", path, "-w", workspace.path)
    assert ran.status == 2, ran
    assert f"{path}:{line}: " in ran.err


def test_a_list_that_contradicts_the_register_is_refused(
    tmp_path: Path, tocsin: Tocsin, workspace: Workspace, here: tuple[str, ...]
) -> None:
    path = tmp_path / "devices.csv"
    path.write_text(HEAD + f"a,thermostat,{raw('a')}\n")
    assert tocsin("device", "import", path, *here).status == 0
    for row, words in (
        (f"a,thermostat,{raw('b')}", "another key"),
        (f"b,thermostat,{raw('a')}", "device 'a' already"),
        (f"a,doorbell,{raw('a')}", "other facts"),
    ):
        path.write_text(HEAD + row + "\n")
        ran = tocsin("device", "import", path, *here)
        assert ran.status == 2
        assert words in ran.json["faults"][0]["message"]
    assert tocsin("device", "revoke", "a", "--reason", "Lost", "--yes", *here).status == 0
    path.write_text(HEAD + f"a,thermostat,{raw('a')}\n")
    assert "revoked" in tocsin("device", "import", path, *here).json["faults"][0]["message"]


def test_more_devices_than_one_document_holds_are_registered_at_once(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], listed: Listed
) -> None:
    path = tmp_path / "devices.csv"
    path.write_text(HEAD + "".join(f"d{n},thermostat,{raw(f'd{n}')}\n" for n in range(1_100)))
    assert tocsin("device", "import", path, *here).json["registered"] == 1_100
    assert len(listed()) == 1_104


def test_a_list_larger_than_its_limit_is_not_read(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_list, "FILE_BYTES_MAX", 64)
    path = tmp_path / "devices.csv"
    path.write_text(HEAD + "x" * 100)
    assert tocsin("device", "import", path, *here).json["error"]["code"] == "FILE_TOO_BIG"


# Signing requests


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ESP256])
def test_a_request_becomes_a_record_and_a_certificate_that_says_only_what_the_operator_decided(
    algorithm: Algorithm, tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], listed: Listed
) -> None:
    tocsin(*CA, *here)
    signer = generate(algorithm)
    csr = request(tmp_path / "new.csr", signer, "unit-7")
    words = ("device", "enrol", csr, "--product", "thermostat", *here)
    assert tocsin(*words).json["error"]["code"] == "NOT_CONFIRMED"
    assert "unit-7" not in listed()
    ran = tocsin(*words, "--yes")
    assert ran.status == 0, ran
    assert ran.json["key"] == signer.public.thumbprint.hex()
    found = x509.load_pem_x509_certificate((tmp_path / "new.pem").read_bytes())
    ca = x509.load_pem_x509_certificate((Path(here[1]) / "tls" / "ca.pem").read_bytes())
    found.verify_directly_issued_by(ca)
    assert found.subject.rfc4514_string() == "CN=unit-7"
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    row = listed()["unit-7"]
    assert row["certificate_end"] == min(row["valid_to"], int(ca.not_valid_after_utc.timestamp()))  # type: ignore[type-var]
    assert row["certificate_serial"] == f"{found.serial_number:x}"
    again = tocsin(*words, "--yes")  # as after a kill between record and certificate
    assert again.status == 0
    assert again.json["device"] == "unit-7"


def test_without_a_device_ca_nothing_is_enrolled(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], workspace: Workspace
) -> None:
    csr = request(tmp_path / "new.csr", generate(), "unit-7")
    before = snapshot(workspace.path)
    ran = tocsin("device", "enrol", csr, "--product", "thermostat", "--yes", *here)
    assert ran.json["error"]["code"] == "NO_DEVICE_CA"
    assert snapshot(workspace.path) == before


def test_a_request_of_another_kind_is_refused(tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...]) -> None:
    tocsin(*CA, *here)
    good = request(tmp_path / "good.csr", key("unit"), "unit-7").read_bytes()
    der = x509.load_pem_x509_csr(good).public_bytes(serialization.Encoding.DER)
    big = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    foreign = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(big, hashes.SHA256())
    other = ec.generate_private_key(ec.SECP384R1())
    curve = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(other, hashes.SHA256())
    cases = {
        "text": (b"hello", "BAD_REQUEST"),
        "empty": (b"", "BAD_REQUEST"),
        "large": (bytes(70_000), "BAD_REQUEST"),
        "cut": (good[: len(good) // 2], "BAD_REQUEST"),
        "altered": (der[:-1] + bytes([der[-1] ^ 1]), "REQUEST_SIGNATURE"),
        "RSA": (foreign.public_bytes(PEM), "KEY_UNSUPPORTED"),
        "P-384": (curve.public_bytes(PEM), "KEY_UNSUPPORTED"),
    }
    for name, (data, code) in cases.items():
        (tmp_path / "x.csr").write_bytes(data)
        ran = tocsin("device", "enrol", tmp_path / "x.csr", "--product", "thermostat", "--yes", *here)
        assert (ran.status, ran.json["error"]["code"]) == (2, code), name


def test_an_id_is_agreed_upon(tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], listed: Listed) -> None:
    tocsin(*CA, *here)

    def enrol(signer: LocalSigner, *more: str, **names: str) -> str:
        csr = request(tmp_path / "x.csr", signer, **names)
        ran = tocsin("device", "enrol", csr, "--product", "thermostat", "--yes", *more, *here)
        return str(ran.json["device"] if ran.status == 0 else ran.json["error"]["code"])

    assert enrol(generate(), number="sn-1") == "sn-1"
    assert enrol(generate(), "--id", "b", name="a") == "ID_DIFFERS"
    assert enrol(generate(), name="a", number="b") == "ID_DIFFERS"
    assert enrol(generate(), name="_gateway") == "BAD_ID"
    assert enrol(generate(), name="sn-1") == "DEVICE_EXISTS"
    signer = generate()
    drawn = enrol(signer)
    assert len(drawn) == 16
    assert enrol(signer) == drawn
    assert enrol(signer, "--id", "other") == "DEVICE_KEY_TAKEN"
    csr = request(tmp_path / "x.csr", generate(), "c")
    assert tocsin("device", "enrol", csr, "--yes", *here).json["error"]["code"] == "WHICH_PRODUCT"
    assert tocsin("device", "revoke", drawn, "--reason", "Lost", "--yes", *here).status == 0
    assert enrol(signer) == "DEVICE_REVOKED"


# Revocation and replacement


def test_a_revoked_device_is_on_the_list_of_the_broker_and_stays_in_the_register(
    tocsin: Tocsin, here: tuple[str, ...], listed: Listed, workspace: Workspace
) -> None:
    tocsin(*CA, *here)
    device = next(iter(listed()))
    made = tocsin("device", "certificate", device, "--simulated", *here).json["certificates"][0]
    before = snapshot(workspace.path)
    words = ("device", "revoke", device, "--reason", "Stolen from a van")
    assert tocsin(*words, *here).json["error"]["code"] == "NOT_CONFIRMED"
    assert snapshot(workspace.path) == before
    assert tocsin(*words, "--yes", *here).status == 0
    assert tocsin(*words, "--yes", *here).status == 0  # again changes nothing
    row = listed()[device]
    assert row["revoked"]
    assert row["certificate_end"] is None
    crl = x509.load_pem_x509_crl((workspace.path / "tls" / "crl.pem").read_bytes())
    assert [f"{entry.serial_number:x}" for entry in crl] == [made["serial"]]
    assert tocsin("device", "certificate", device, *here).json["error"]["code"] == "DEVICE_REVOKED"
    assert tocsin("device", "revoke", "nobody", "--reason", "x", "--yes", *here).status == 2
    other = list(listed())[1]
    assert (
        tocsin("device", "revoke", other, "--reason", "", "--yes", *here).json["error"]["code"] == "BAD_VALUE"
    )


def test_a_simulated_device_gets_a_new_key_and_its_old_certificate_is_revoked(
    tocsin: Tocsin, here: tuple[str, ...], listed: Listed, workspace: Workspace
) -> None:
    tocsin(*CA, *here)
    device = next(iter(listed()))
    tocsin("device", "certificate", "--simulated", *here)
    old = listed()[device]
    home = workspace.path / "devices" / device
    home_before = Home.open(home)
    waiting = home_before.next_key(generate)  # as a command leaves it that was killed after this
    ran = tocsin("device", "replace", device, "--simulated", "--yes", *here)
    assert ran.status == 0, ran
    assert Home.open(home).signer.public == waiting.public != home_before.signer.public
    assert Home.open(home).tls() is not None
    row = listed()[device]
    assert row["thumbprint"] == waiting.public.thumbprint.hex()
    assert row["certificate_serial"] != old["certificate_serial"]
    crl = x509.load_pem_x509_crl((workspace.path / "tls" / "crl.pem").read_bytes())
    assert [f"{entry.serial_number:x}" for entry in crl] == [old["certificate_serial"]]


def test_a_key_of_another_device_replaces_none(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...], listed: Listed, workspace: Workspace
) -> None:
    first, second, *_ = listed()
    csr = request(tmp_path / "x.csr", Home.open(workspace.path / "devices" / second).signer)
    ran = tocsin("device", "replace", first, csr, "--yes", *here)
    assert ran.json["error"]["code"] == "DEVICE_KEY_TAKEN"
    csr = request(tmp_path / "x.csr", generate(), second)
    assert tocsin("device", "replace", first, csr, "--yes", *here).json["error"]["code"] == "ID_DIFFERS"
    assert tocsin("device", "replace", first, "--yes", *here).json["error"]["code"] == "BAD_VALUE"
    csr = request(tmp_path / "x.csr", generate(), first)
    done = tocsin("device", "replace", first, csr, "--yes", *here)
    assert done.json["certificate"] is None  # there is no device CA
    assert done.status == 0
