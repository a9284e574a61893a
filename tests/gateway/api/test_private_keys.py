"""No private key comes in, wherever it stands in a request, and none of it is told on."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.operations.afar import OPERATIONS, Operation
from gateway.service import logs
from gateway.store import schema
from gateway.web.api.binding import BYTES, PREFIX
from gateway.workspace.folder import Workspace
from keys.cbor import encode
from tests.gateway.api.house import asking, count

ACCOUNTS = f"{PREFIX}/accounts"
NEW = {"id": "exercise-kg", "name": "Exercise KG"}
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
DER = PRIVATE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
LOCKED = PRIVATE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
OPENSSH = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
COSE = encode({1: 2, 3: -9, -1: 1, -2: bytes(32), -3: bytes(32), -4: bytes(32)})
JWK = '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "' + "A" * 43 + '"}'
AKP = encode({1: 7, 3: -48, -1: bytes(64), -2: bytes(32)})


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "value",
    [
        PEM.decode(),
        OPENSSH.decode(),
        f"words before\n{PEM.decode()}",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        base64url(PEM),
        base64url(DER),
        base64url(LOCKED),
        base64url(COSE),
        base64url(AKP),
        base64url(encode([COSE, {1: 2, -4: bytes(32)}])),
        base64.encodebytes(DER).decode(),
        DER.hex(),
        COSE.hex().upper(),
        JWK,
        f"as a word: {json.dumps(JWK)}",
        base64url(JWK.encode()),
    ],
    ids=[
        *("pem", "openssh", "inside", "pgp", "pem64", "der", "locked", "cose", "akp", "nested"),
        *("base64", "hex", "cose hex", "jwk", "jwk inside", "jwk64"),
    ],
)
async def test_no_private_key_is_ever_taken(tmp_path: Path, value: str) -> None:
    async with asking(tmp_path) as (built, client):
        for body in ({**NEW, "name": value}, {**NEW, "contact": {"address": value}}, {"any": [{"x": value}]}):
            found = await client.post(ACCOUNTS, json=body)
            assert (found.status_code, found.json()["code"]) == (400, "PRIVATE_KEY")
            assert value not in found.text
        jwk = {"kty": "EC", "crv": "P-256", "d": "AA"}
        found = await client.post(ACCOUNTS, json={**NEW, "contact": jwk})
        assert found.json()["code"] == "PRIVATE_KEY"
        found = await client.post(ACCOUNTS, json={**NEW, "contact": {value: ""}})
        assert found.json()["code"] == "PRIVATE_KEY"
        how = {"content": f"id,key\na,{value}".encode(), "headers": {"Content-Type": BYTES}}
        found = await client.post(f"{PREFIX}/inventory", **how)  # type: ignore[arg-type]
        assert (found.json()["code"] == "PRIVATE_KEY") == ("PRIVATE KEY" in value or "kty" in value)
        assert count(built, schema.requests) == 0


async def test_a_public_key_is_no_private_one(tmp_path: Path) -> None:
    public = encode({1: 2, 3: -9, -1: 1, -2: bytes(32), -3: bytes(32)})
    jwk = '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}'
    async with asking(tmp_path) as (_, client):
        for number, name in enumerate((base64url(public), public.hex(), jwk)):
            found = await client.post(ACCOUNTS, json={**NEW, "id": f"a{number}", "name": name})
            assert found.status_code == 201, found.text


SPELT = {"pem": PEM.decode(), "der": base64url(DER), "cose": base64url(COSE), "hex": COSE.hex(), "jwk": JWK}


@pytest.mark.parametrize("value", SPELT.values(), ids=SPELT)
async def test_none_is_taken_in_an_address_or_beside_it(
    tmp_path: Path, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")
    bare = quote(value, safe="")
    async with asking(tmp_path) as (built, client):
        for method, address in (
            ("GET", f"{PREFIX}/devices?where={bare}"),
            ("GET", f"{PREFIX}/devices?limit=5&{quote_plus(value)}=1"),
            ("GET", f"{PREFIX}/devices?limit={bare}"),
            ("GET", f"{PREFIX}/devices/{bare.replace('%2F', '_')}"),
            ("DELETE", f"{ACCOUNTS}/{bare.replace('%2F', '_')}"),
            ("POST", f"{ACCOUNTS}?dry_run={bare}"),
        ):
            found = await client.request(method, address)
            assert (found.status_code, found.json()["code"]) == (400, "PRIVATE_KEY"), address
            assert value not in found.text
        if value.isprintable():
            for name in ("Idempotency-Key", "If-Match"):
                found = await client.post(ACCOUNTS, json=NEW, headers={name: f'"{value}"'})
                assert (found.status_code, found.json()["code"]) == (400, "PRIVATE_KEY"), name
        assert count(built, schema.requests) == 0
        assert (await client.get(f"{ACCOUNTS}/{NEW['id']}")).status_code == 404
    assert not any(part in caplog.text for part in (value, bare, value[-20:]))


async def test_a_fault_of_ours_does_not_log_what_an_address_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(workspace: Workspace, name: str) -> str:
        raise RuntimeError(workspace.path.name)

    monkeypatch.setitem(OPERATIONS, "fail", Operation("fail", "POST", "/fail/{name}", "status:read", fail))
    async with asking(tmp_path) as (_, client):
        found = await client.post(f"{PREFIX}/fail/a-word-that-nobody-may-read?x=1")
        assert found.json()["code"] in {"BUG", "BAD_VALUE"}
        found = await client.post(f"{PREFIX}/fail/a-word-that-nobody-may-read")
        assert found.json()["code"] == "BUG"
    assert f"POST {PREFIX}/fail/{{name}}" in caplog.text
    assert "nobody-may-read" not in caplog.text


@pytest.mark.parametrize("spell", [str, quote, quote_plus], ids=["as it is", "%20", "+"])
@pytest.mark.parametrize("pem", [PEM.decode(), OPENSSH.decode()], ids=["pkcs8", "openssh"])
def test_a_log_strikes_it_out_however_it_is_spelt(spell: type[str], pem: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "GET /x?key=%s", (spell(pem),), None)
    line = logs.Lines("text").format(record)
    assert pem.splitlines()[1][:30] not in line
    assert "PRIVATE" in line
