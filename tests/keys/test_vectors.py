"""Every case of the COSE working group's examples: verified, refused as it must be, or named as not ours.

The examples lie beside the repository. Where they are not, four of them, written out below, are all that is
run; the others are skipped with the reason.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import cbor2
import pytest

from keys import cose
from keys.algorithms import Algorithm, PublicKey
from keys.cbor import decode, encode
from keys.errors import RefusedError

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "cose"
HERE = pytest.mark.skipif(not VECTORS.is_dir(), reason="the COSE working group's examples are not here")

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

COUNTERSIGNED = {
    "RFC8152/Appendix_C_1_3.json",
    "countersign/signed-01.json",
    "countersign/signed-02.json",
    "countersign/signed-03.json",
    "countersign/signed1-01.json",
    "countersign/signed1-02.json",
}
"""Their signatures are verified; a countersignature stands in an unprotected header and is not looked at."""

COUNTS = {
    "verified": 20,
    "verified in part": 1,
    "refused as it must be": 12,
    "refused for its form": 6,
    "another algorithm": 10,
    "another kind": 45,
}
"""How many of the 94 files end how."""

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
    for path in sorted(VECTORS.rglob("*.json")):
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


@HERE
@pytest.mark.parametrize("name", sorted(NOT_STRICT))
def test_an_example_refused_for_its_form_is_right_in_what_it_signs(name: str) -> None:
    tag, signers, expected = _signers(OURS[name])
    with pytest.raises(RefusedError, match=NOT_STRICT[name][0]):
        _verify(OURS[name])
    protected, _, payload, last = cbor2.loads(bytes.fromhex(OURS[name]["output"]["cbor"])).value
    parts = [(protected, last)] if tag == cose.TAG_SIGN1 else [(part[0], part[2]) for part in last]
    signatures = tuple(cose.Signature(header, value, {}, None, None) for header, value in parts)
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


@HERE
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


@pytest.mark.parametrize("name", GOOD)
def test_a_good_example_verifies_with_its_payload_apart_and_with_no_other(name: str) -> None:
    tag, signers, _ = _signers(OURS[name])
    value = cbor2.loads(bytes.fromhex(OURS[name]["output"]["cbor"]))
    protected, unprotected, payload, last = value if isinstance(value, list) else value.value
    message = cose.parse(encode([protected, unprotected, None, last]), tag, tagged=False)
    key = _key(signers[0]["key"])
    assert key is not None
    aad = bytes.fromhex(signers[0].get("external", ""))
    check = partial(cose.check, message, message.signatures[0], key, deprecated=True)
    check(payload=payload, external_aad=aad)
    for other, context in ((payload + b"!", aad), (payload, aad + b"!"), (b"", aad)):
        with pytest.raises(RefusedError, match="BAD_SIGNATURE"):
            check(payload=other, external_aad=context)


def _verdict(name: str, case: dict[str, Any]) -> str:
    """The one list that a file is on; several or none is an error."""
    lists = {
        "verified": name in GOOD and name not in PARTLY,
        "verified in part": name in PARTLY,
        "refused as it must be": name in OURS and bool(case.get("fail")),
        "refused for its form": name in NOT_STRICT,
        "another algorithm": name in NOT_OURS,
        "another kind": name not in SIGNING and len(OTHER_KINDS.keys() & case["input"].keys()) == 1,
    }
    (verdict,) = (verdict for verdict, on in lists.items() if on)
    return verdict


@HERE
def test_no_example_is_passed_over_in_silence() -> None:
    files = {str(path.relative_to(VECTORS)): path for path in VECTORS.rglob("*.json")}
    verdicts = {name: _verdict(name, json.loads(path.read_text("utf-8"))) for name, path in files.items()}
    counts = Counter(verdicts.values())
    print(dict(counts))
    assert counts == COUNTS
    assert set(PARTLY) | set(NOT_STRICT) <= set(OURS)
    assert set(NOT_OURS) <= set(SIGNING)


@HERE
def test_every_example_with_a_countersignature_is_known() -> None:
    with_one = {name for name, case in SIGNING.items() if "countersign" in json.dumps(case["input"]).lower()}
    assert with_one == COUNTERSIGNED


P256_KEY = PublicKey(
    Algorithm.ESP256,
    bytes.fromhex("bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff"),
    bytes.fromhex("20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e"),
)
ED25519_KEY = PublicKey(
    Algorithm.ED25519,
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
)
KNOWN = {
    "ecdsa-examples/ecdsa-sig-01.json": (
        P256_KEY,
        bytes.fromhex(""),
        (
            "d28445a201260300a10442313154546869732069732074686520636f6e74656e742e58406520bbaf2081d7e0ed0f95f7"
            "6eb0733d667005f7467cec4b87b9381a6ba1ede8e00df29f32a37230f39a842a54821fdd223092819d7728efb9d3a008"
            "0b75380b"
        ),
    ),
    "eddsa-examples/eddsa-sig-01.json": (
        ED25519_KEY,
        bytes.fromhex(""),
        (
            "d28445a201270300a10442313154546869732069732074686520636f6e74656e742e58407142fd2ff96d56db85bee905"
            "a76ba1d0b7321a95c8c4d3607c5781932b7afb8711497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a4"
            "4d6fef0d"
        ),
    ),
    "eddsa-examples/eddsa-01.json": (
        ED25519_KEY,
        bytes.fromhex(""),
        (
            "d8628443a10300a054546869732069732074686520636f6e74656e742e818343a10127a104423131584077f3eacd1185"
            "2c4bf9cb1d72fabe6b26fba1d76092b2b5b7ec83b83557652264e69690dbc1172ddc0bf88411c0d25a507fdb247a20c4"
            "0d5e245fabd3fc9ec106"
        ),
    ),
    "sign1-tests/sign-pass-02.json": (
        P256_KEY,
        bytes.fromhex("11aa22bb33cc44dd55006699"),
        (
            "d28443a10126a10442313154546869732069732074686520636f6e74656e742e584010729cd711cb3813d8d8e944a8da"
            "7111e7b258c9bdca6135f7ae1adbee9509891267837e1e33bd36c150326ae62755c6bd8e540c3e8f92d7d225e8db72b8"
            "820b"
        ),
    ),
}
"""Example -> key, external data, and the whole message; for where the files are not."""


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_an_example_that_is_always_here_verifies(name: str) -> None:
    key, aad, text = KNOWN[name]
    data = bytes.fromhex(text)
    message = cose.parse(data, cose.TAG_SIGN if data[1] == 0x62 else cose.TAG_SIGN1)
    (signature,) = message.signatures
    assert message.payload == b"This is the content."
    check = partial(cose.check, message, signature, key, payload=message.payload)
    check(external_aad=aad, deprecated=True)
    with pytest.raises(RefusedError, match="BAD_SIGNATURE"):
        check(external_aad=aad + b"!", deprecated=True)
    with pytest.raises(RefusedError, match="ALGORITHM_MISMATCH"):
        check(external_aad=aad)


@HERE
@pytest.mark.parametrize("name", sorted(KNOWN))
def test_an_example_that_is_always_here_is_the_file(name: str) -> None:
    key, aad, text = KNOWN[name]
    _, (signer,), _ = _signers(OURS[name])
    assert (key, aad.hex()) == (_key(signer["key"]), signer.get("external", "").lower())
    assert text == OURS[name]["output"]["cbor"].lower()
