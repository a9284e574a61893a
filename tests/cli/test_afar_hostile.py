"""What a server makes up is not signed, and what is sent to one is not kept unless it fits."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from advisories import suit
from gateway.core.publication import build_catalogue
from gateway.operations import catalogues, patches
from gateway.operations.identity import authority, device_ca, revocation
from gateway.operations.identity import devices as identity
from gateway.operations.identity.certificates import DeviceCa
from gateway.operations.patches import sending
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm, PublicKey
from keys.cbor import encode
from keys.codec import dump as encode_body
from keys.errors import InputError, RefusedError
from keys.signer import generate
from tests.cli.afar import Pair, an_image, paired
from tests.cli.conftest import Tocsin

PEM, DER = Encoding.PEM, Encoding.DER


@pytest.fixture
def pair(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> Iterator[Pair]:
    with paired(workspace, tocsin, tmp_path) as made:
        yield made


def test_what_a_ca_elsewhere_signed_is_taken_only_where_it_fits(pair: Pair) -> None:
    now = int(time.time())
    ours = device_ca.open_ca(pair.own, lambda _: b"")
    foreign = Workspace.create(pair.own.path.parent / "foreign", exercise=True)
    other = device_ca.new(foreign, passphrase=b"", algorithm=Algorithm.ESP256, days=9, now=now)
    device = next(iter(devices_of(pair.there)))
    record = identity.read_record(pair.there, device)

    def made(ca: DeviceCa, key: PublicKey = record.key, name: str = device) -> bytes:
        wanted = device_ca.Wanted(name, encode(key.to_cose()), now - 9, record.valid_to, revoked=False)
        return device_ca.certificate_for(ca, wanted, now=now, days=9).public_bytes(DER)

    for issued, code in (
        (made(other), "BAD_CERTIFICATE"),
        (made(ours, generate().public), "BAD_CERTIFICATE"),
        (made(ours, name="_gateway"), "BAD_CERTIFICATE"),
        (made(ours, name="nobody"), "NO_DEVICE"),
        (b"no certificate", "BAD_CERTIFICATE"),
    ):
        with pytest.raises(InputError) as caught:
            authority.take(pair.there, [made(ours), issued], now=now)
        assert caught.value.code == code
    assert authority.show(pair.there).issued == 0  # all or none
    wanted = authority.revocations(pair.there, now=now)
    for ca, last, code in ((other, None, "BAD_CRL"), (ours, -now, "CRL_INCOMPLETE")):
        listed = revocation.signed(ca, replace(wanted, last=last), now=now - 2 * (ca is ours), days=9)
        with pytest.raises(InputError) as caught:
            authority.put_list(pair.there, listed.public_bytes(PEM), now=now)
        assert caught.value.code == code
    with pytest.raises(InputError):
        authority.put_list(pair.there, b"no list", now=now)


def devices_of(workspace: Workspace) -> list[str]:
    return [each.id for each in identity.listed(workspace)]


HOSTILE = {
    "another type": lambda body: replace(body, type="notice"),
    "another product": lambda body: replace(body, subject=("doorbell",)),
    "another fleet": lambda body: replace(body, fleet=bytes(32)),
    "an author": lambda body: replace(body, author=("exercise-operator", "operator")),
    "a patch that nobody vouches for": lambda body: replace(body, patches=((7, bytes(32)),)),
    "a notice that nobody vouches for": lambda body: replace(body, notices=(("EX-1", 1, bytes(32)),)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_catalogue_that_a_server_makes_up_is_not_signed(pair: Pair, name: str) -> None:
    fleet, now = pair.there.fleet(), int(time.time())
    body = build_catalogue(fleet, "thermostat", (), (), last=None, now=now)
    operator = pair.own.signer("operator", lambda _: b"")
    asked: list[str] = []
    agree = lambda _, strange: asked.extend(strange)  # noqa: E731 - shorter than a function
    good = catalogues.Prepared("thermostat", encode_body(body), None)
    assert catalogues.sealed(pair.there, good, operator, agree)
    given = catalogues.Prepared("thermostat", encode_body(HOSTILE[name](body)), None)
    if "vouches" in name:  # a person has to agree
        catalogues.sealed(pair.there, given, operator, agree)
        assert len(asked) == 1
        with pytest.raises(RefusedError):
            catalogues.sealed(pair.there, given, operator, catalogues.never)
        return
    with pytest.raises(RefusedError):
        catalogues.sealed(pair.there, given, operator, agree)
    with pytest.raises(RefusedError):
        catalogues.sealed(pair.there, good, operator, agree, adds=[(7, bytes(32))])
    assert not asked


def test_files_and_patches_that_do_not_fit_are_not_kept(pair: Pair, tmp_path: Path) -> None:
    image = an_image(tmp_path).read_bytes()
    made = patches.add(pair.here, "thermostat", tmp_path / "1.4.2.bin", now=int(time.time()))
    right = hashlib.sha256(image).hexdigest()
    for digest in ("0" * 64, "../../keys.toml", right.upper()):
        with pytest.raises(InputError):
            sending.upload(pair.there, digest, image)
    with pytest.raises(InputError) as caught:
        sending.put(pair.there, made.envelope)  # its file is not there yet
    assert caught.value.code == "FILE_ABSENT"
    assert sending.upload(pair.there, right, image) == len(image)
    signed = suit.authenticate(made.envelope, pair.own.signer("release", lambda _: b""))
    for envelope, code in ((signed, "PATCH_SIGNED"), (made.envelope + bytes(70_000), "PATCH_TOO_BIG")):
        with pytest.raises(InputError) as caught:
            sending.put(pair.there, envelope)
        assert caught.value.code == code
    with pytest.raises(RefusedError):
        sending.put(pair.there, b"no envelope")
    assert sending.put(pair.there, made.envelope).sequence == made.patch.sequence
    with pytest.raises(InputError) as caught:
        sending.put(pair.there, made.envelope)
    assert caught.value.code == "PATCH_EXISTS"
