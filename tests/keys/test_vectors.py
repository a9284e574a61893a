"""Every case of the COSE working group's examples: verified, refused as it must be, or named as not ours."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from keys import cose
from keys.algorithms import Algorithm, PublicKey
from keys.cbor import decode, encode
from keys.errors import RefusedError

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "cose"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="the COSE working group's examples are not here")

NOT_OURS = {
    "ecdsa-examples/ecdsa-02.json": "ES384 is no algorithm of ours",
    "ecdsa-examples/ecdsa-03.json": "ES512 is no algorithm of ours",
    "ecdsa-examples/ecdsa-04.json": "ES512 is no algorithm of ours",
    "ecdsa-examples/ecdsa-sig-02.json": "ES384 is no algorithm of ours",
    "ecdsa-examples/ecdsa-sig-03.json": "ES512 is no algorithm of ours",
    "ecdsa-examples/ecdsa-sig-04.json": "ES512 is no algorithm of ours",
    "eddsa-examples/eddsa-02.json": "Ed448 is no curve of ours",
    "eddsa-examples/eddsa-sig-02.json": "Ed448 is no curve of ours",
    "hashsig/hashsig-01.json": "HSS-LMS is no algorithm of ours",
    "hashsig/hsssig-sig-01.json": "HSS-LMS is no algorithm of ours",
}
"""Signing cases that we do not verify: their keys are refused as unsupported, which is tested too."""

OTHER_KINDS = {
    "mac": "COSE_Mac: a shared key proves nothing to a third party",
    "mac0": "COSE_Mac0: a shared key proves nothing to a third party",
    "encrypted": "COSE_Encrypt0: no document of ours is secret",
    "enveloped": "COSE_Encrypt: no document of ours is secret",
}
"""Kinds of message that Tocsin does not read; the files of each are counted below."""

PARTLY = {
    "RFC8152/Appendix_C_1_2.json": "the second of its two signatures is ES512",
}

_UNORDERED = "its unprotected header is not in deterministic order"
NOT_STRICT = {
    "countersign/signed-01.json": ("MALFORMED", _UNORDERED),
    "countersign/signed-02.json": ("MALFORMED", _UNORDERED),
    "countersign/signed1-01.json": ("MALFORMED", _UNORDERED),
    "countersign/signed1-02.json": ("MALFORMED", _UNORDERED),
    "RFC8152/Appendix_C_1_4.json": ("MALFORMED", "its protected header is not in deterministic order"),
    "sign1-tests/sign-pass-01.json": ("ALGORITHM_MISMATCH", "its alg stands in the unprotected header only"),
}
"""Good examples that a strict reader refuses, and why; what they sign is verified all the same."""

CURVES = {"P-256": Algorithm.ESP256, "Ed25519": Algorithm.ED25519}


def _cases(*kinds: str) -> dict[str, Any]:
    found = {}
    for path in sorted(VECTORS.glob("*/*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        if any(kind in case["input"] for kind in kinds):
            found[str(path.relative_to(VECTORS))] = case
    return found


SIGNING = _cases("sign", "sign0")
OURS = {name: case for name, case in SIGNING.items() if name not in NOT_OURS}
GOOD = sorted(name for name, case in OURS.items() if not case.get("fail") and name not in NOT_STRICT)


def _bytes(jwk: dict[str, str], member: str) -> bytes:
    if f"{member}_hex" in jwk:
        return bytes.fromhex(jwk[f"{member}_hex"])
    return base64.urlsafe_b64decode(jwk[member] + "=" * (-len(jwk[member]) % 4))


def _key(jwk: dict[str, str]) -> PublicKey | None:
    algorithm = CURVES.get(jwk["crv"])
    if algorithm is None:
        return None
    y = _bytes(jwk, "y") if algorithm is Algorithm.ESP256 else b""
    return PublicKey.from_cose(PublicKey(algorithm, _bytes(jwk, "x"), y).to_cose())


def _payload(case: dict[str, Any]) -> bytes:
    text = case["input"].get("plaintext")
    return bytes.fromhex(case["input"]["plaintext_hex"]) if text is None else str(text).encode()


def _signers(case: dict[str, Any]) -> tuple[int, list[dict[str, Any]], list[bytes]]:
    """Tag, signers as the example describes them, and the bytes that each signs."""
    if "sign" in case["input"]:
        steps = case["intermediates"]["signers"]
        return 98, case["input"]["sign"]["signers"], [bytes.fromhex(s["ToBeSign_hex"]) for s in steps]
    return 18, [case["input"]["sign0"]], [bytes.fromhex(case["intermediates"]["ToBeSign_hex"])]


def _verify(case: dict[str, Any]) -> list[bytes]:
    """Verify whatever of the message is signed with an algorithm of ours; return what was signed."""
    tag, signers, _ = _signers(case)
    data = bytes.fromhex(case["output"]["cbor"])
    # The context says the kind where the example leaves the tag out.
    tagged = data[0] >> 5 == 6
    message = cose.parse(data, tag, tagged=tagged)
    signed = []
    for signature, signer in zip(message.signatures, signers, strict=True):
        key = _key(signer["key"])
        if key is None:
            continue
        aad = bytes.fromhex(signer.get("external", ""))
        payload = _payload(case) if message.payload is None else message.payload
        assert message.payload in {None, payload}
        cose.check(message, signature, key, payload=payload, external_aad=aad, deprecated=True)
        signed.append(message.to_be_signed(signature, payload, aad))
    return signed


@pytest.mark.parametrize("name", GOOD)
def test_a_good_example_verifies_over_exactly_its_bytes(name: str) -> None:
    _, signers, expected = _signers(OURS[name])
    signed = _verify(OURS[name])
    ours = [tbs for tbs, signer in zip(expected, signers, strict=True) if signer["key"]["crv"] in CURVES]
    assert signed == ours
    assert (len(ours) < len(expected)) is (name in PARTLY)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_example_encodes_to_its_own_bytes_again(name: str) -> None:
    data = bytes.fromhex(OURS[name]["output"]["cbor"])
    assert encode(decode(data)) == data


@pytest.mark.parametrize("name", GOOD)
def test_a_good_example_is_refused_without_leave_for_its_deprecated_label(name: str) -> None:
    tag, signers, _ = _signers(OURS[name])
    data = bytes.fromhex(OURS[name]["output"]["cbor"])
    message = cose.parse(data, tag, tagged=data[0] >> 5 == 6)
    key = _key(signers[0]["key"])
    assert key is not None
    with pytest.raises(RefusedError, match="ALGORITHM_MISMATCH"):
        cose.check(message, message.signatures[0], key, payload=_payload(OURS[name]))


@pytest.mark.parametrize("name", sorted(NOT_STRICT))
def test_an_example_refused_for_its_form_is_right_in_what_it_signs(name: str) -> None:
    tag, signers, expected = _signers(OURS[name])
    with pytest.raises(RefusedError, match=NOT_STRICT[name][0]):
        _verify(OURS[name])
    protected, _, payload, last = cbor2.loads(bytes.fromhex(OURS[name]["output"]["cbor"])).value
    parts = [(protected, last)] if tag == cose.TAG_SIGN1 else [(part[0], part[2]) for part in last]
    signatures = tuple(cose.Signature(header, {}, value) for header, value in parts)
    message = cose.Message(tag, protected, {}, payload, signatures)
    for signature, signer, tbs in zip(signatures, signers, expected, strict=True):
        key = _key(signer["key"])
        assert key is not None
        assert message.to_be_signed(signature, payload) == tbs
        assert key.verify(signature.value, tbs)


@pytest.mark.parametrize("name", sorted(n for n, c in OURS.items() if c.get("fail")))
def test_an_example_that_must_fail_is_refused(name: str) -> None:
    with pytest.raises(RefusedError):
        _verify(OURS[name])


@pytest.mark.parametrize("name", sorted(NOT_OURS))
def test_a_key_that_is_not_ours_is_refused_as_unsupported(name: str) -> None:
    _, signers, _ = _signers(SIGNING[name])
    key = signers[0]["key"]
    if key.get("crv") == "Ed448":
        member = {1: 1, -1: 7, -2: _bytes(key, "x")}
    elif key["kty"] == "EC":
        member = {1: 2, -1: {"P-384": 2, "P-521": 3, "P-256": 1}[key["crv"]], -2: b"", -3: b""}
    else:
        member = {1: 5, -1: b""}
    if member.get(-1) == 1:
        # A P-256 key under ES512: the label is not the key's.
        data = bytes.fromhex(SIGNING[name]["output"]["cbor"])
        message = cose.parse(data, _signers(SIGNING[name])[0])
        public = _key(key)
        assert public is not None
        with pytest.raises(RefusedError, match="ALGORITHM_MISMATCH"):
            cose.check(
                message, message.signatures[0], public, payload=_payload(SIGNING[name]), deprecated=True
            )
        return
    with pytest.raises(RefusedError, match="UNSUPPORTED"):
        PublicKey.from_cose(member)


def test_no_example_is_passed_over_in_silence() -> None:
    assert len(SIGNING) == len(OURS) + len(NOT_OURS)
    assert len(SIGNING) + len(_cases(*OTHER_KINDS)) == len(list(VECTORS.glob("*/*.json")))
    assert set(PARTLY) | set(NOT_STRICT) <= set(OURS)
    assert sum(bool(case.get("fail")) for case in OURS.values()) == 12
