"""Attacks on signatures and on the COSE structure around them."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys.algorithms import Algorithm
from keys.cbor import encode
from keys.reasons import Reason as R
from tests.helpers import key
from tests.keys.threats.attack import (
    DOCUMENTS,
    UNSEEN,
    Attack,
    Step,
    Threat,
    header,
    last,
    put,
    spoil,
)
from tests.keys.threats.drafts import SEVERAL, TYPES, Draft, Mark, standard

COSE = (*DOCUMENTS, "report")
"""One COSE structure around the whole; a patch has one for each block."""
KEYED = (*DOCUMENTS, "patch")
"""Keys are looked up by their id; a report's by the device that its topic names."""
P256 = Algorithm.ESP256
L = 2**252 + 27742317777372353535851937790883648493  # order of Ed25519's group (RFC 8032, section 5.1)
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # order of P-256


def label(alg: Any) -> Callable[[Draft], Draft]:
    return header(lambda found, _: {**found, 1: alg})


def relabelled(alg: int, value: Callable[[Mark, bytes], bytes]) -> Callable[[Draft], Draft]:
    """Another algorithm's label, and a signature that would be right under it."""

    def alter(made: Draft) -> Draft:
        mark = made.marks[-1]
        return spoil(lambda tbs, _: value(mark, tbs))(label(alg)(made))

    return alter


def mac(mark: Mark, tbs: bytes) -> bytes:
    return hmac.digest(mark.signer.public.x, tbs, "sha256")


def with_mac(made: Draft) -> Draft:
    mark = made.marks[-1]
    return spoil(lambda tbs, _: mac(mark, tbs) * 2)(made)


def malleated(_: bytes, value: bytes) -> bytes:
    return value[:32] + (int.from_bytes(value[32:], "little") + L).to_bytes(32, "little")


def der(_: bytes, value: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))


def signer(name: str, **keep: Any) -> Callable[[Draft], Draft]:
    """Let the last signature be made by somebody else, the header left as it is."""
    return last(signer=key(name), **keep)


def by(*names: str, count: int | None = None) -> Callable[[Draft], Draft]:
    """Sign with other keys, in every other respect as it should be."""

    def alter(made: Draft) -> Draft:
        kept = made.marks[:count] if count is not None else ()
        first = made.marks[0]
        return replace(
            made, marks=(*kept, *(standard(key(n), context=first.context, aad=first.aad) for n in names))
        )

    return alter


def foreign(made: Draft) -> Draft:
    """The right number of signatures, all by keys that nobody knows."""
    marks = []
    for index, mark in enumerate(made.marks):
        stranger = key(f"stranger-{index}")
        found = {**dict(mark.header), 4: stranger.public.thumbprint}  # type: ignore[arg-type] # a map
        marks.append(replace(mark, signer=stranger, header=found))
    return replace(made, marks=tuple(marks))


def beside(name: str, **changes: Any) -> Callable[[Draft], Draft]:
    """One more signature beside the right ones."""

    def alter(made: Draft) -> Draft:
        return replace(
            made, marks=(*made.marks, standard(key(name), context=made.marks[0].context, **changes))
        )

    return alter


def first_twice(made: Draft) -> Draft:
    """The first signature in place of the last one, too."""
    return replace(made, marks=(*made.marks[:-1], made.marks[0]))


def first_renamed(made: Draft) -> Draft:
    """One key under two key ids: the first key signs again under its own key id cut short."""
    found = dict(made.marks[0].header)  # type: ignore[arg-type] # a map
    again = replace(made.marks[0], header={**found, 4: found[4][:16]})
    return replace(made, marks=(*made.marks[:-1], again))


def many(made: Draft) -> Draft:
    extra = tuple(replace(made.marks[0], signer=key(f"extra-{n}")) for n in range(17 - len(made.marks)))
    return replace(made, marks=made.marks + extra)


def shape(change: Callable[[Any], Any]) -> Callable[[Draft], Draft]:
    return put(shape=change)


def part(index: int, value: Any) -> Callable[[Draft], Draft]:
    """Put something else in one place of the COSE array."""

    def change(tagged: Any) -> Any:
        parts = list(tagged.value)
        parts[index] = value
        return cbor2.CBORTag(tagged.tag, parts)

    return shape(change)


def retyped(value: Any) -> Callable[[Draft], Draft]:
    """Change the typ header before signing; ``...`` takes it away."""

    def alter(made: Draft) -> Draft:
        change = {16: value} if value is not ... else {}
        if made.type == "report":
            return header(lambda found, _: {**{k: v for k, v in found.items() if k != 16}, **change})(made)
        return replace(made, header=change)

    return alter


_FLIP = lambda _, value: bytes([value[0] ^ 1]) + value[1:]  # noqa: E731 - a row of the table below
S, T = Step, Threat

_LABELS: Mapping[str, tuple[Callable[[Draft], Draft], R]] = {
    "Ed25519 key under the ESP256 label": (label(-9), R.ALGORITHM_MISMATCH),
    "Ed25519 key under the ML-DSA-44 label": (label(-48), R.ALGORITHM_MISMATCH),
    "Ed25519 key under the older EdDSA label": (label(-8), R.ALGORITHM_MISMATCH),
    "label none": (label(0), R.ALGORITHM_MISMATCH),
    "label as a text": (label("EdDSA"), R.ALGORITHM_MISMATCH),
    "label true": (label(True), R.ALGORITHM_MISMATCH),
    "no label": (
        header(lambda found, _: {k: v for k, v in found.items() if k != 1}),
        R.ALGORITHM_MISMATCH,
    ),
    "HMAC with the public key as secret": (relabelled(5, mac), R.ALGORITHM_MISMATCH),
    "HMAC of 64 bytes under the key's own label": (with_mac, R.BAD_SIGNATURE),
}
_P256_LABELS: Mapping[str, tuple[Callable[[Draft], Draft], R]] = {
    "P-256 key under the Ed25519 label": (label(-19), R.ALGORITHM_MISMATCH),
    "P-256 key under the older ES256 label": (label(-7), R.ALGORITHM_MISMATCH),
    "P-256 key under the ES384 label": (label(-35), R.ALGORITHM_MISMATCH),
    "DER instead of raw r and s": (spoil(der), R.BAD_SIGNATURE),
    "r and s both zero": (spoil(lambda _, v: bytes(64)), R.BAD_SIGNATURE),
    "r and s both the group's order": (spoil(lambda _, v: N.to_bytes(32, "big") * 2), R.BAD_SIGNATURE),
    "r and s changed over": (spoil(lambda _, v: v[32:] + v[:32]), R.BAD_SIGNATURE),
}
_VALUES: Mapping[str, Callable[[Draft], Draft]] = {
    "one bit of the signature": spoil(_FLIP),
    "empty signature": spoil(lambda _, v: b""),
    "signature cut by one byte": spoil(lambda _, v: v[:-1]),
    "signature with one byte more": spoil(lambda _, v: v + b"\0"),
    "signature of zeros": spoil(lambda _, v: bytes(64)),
    "signature with the group's order added to s": spoil(malleated),
    "signature over another context": lambda made: last(
        context="Signature" if made.marks[-1].context == "Signature1" else "Signature1"
    )(made),
    "signature over external data": last(aad=b"x"),
    "stranger's signature under a known key id": signer("stranger"),
}
_UNSEEN: Mapping[str, Callable[[Draft], Draft]] = {
    "no key id": header(lambda found, _: {1: found[1]}),
    "key id cut short": header(lambda found, _: {**found, 4: found[4][:16]}),
    "key id as a text": header(lambda found, _: {**found, 4: found[4].hex()}),
    "h'a0' as a signature's protected header": last(header=b"\xa0"),
    "empty protected header of a signature": last(header=b""),
}
_STRUCTURES: Mapping[str, Callable[[Draft], Draft]] = {
    "no tag": shape(lambda tagged: tagged.value),
    "the other COSE tag": shape(lambda t: cbor2.CBORTag({98: 18, 18: 98, 107: 98}[t.tag], t.value)),
    "tagged as a MAC": shape(lambda tagged: cbor2.CBORTag(17, tagged.value)),
    "tagged twice": shape(lambda tagged: cbor2.CBORTag(tagged.tag, tagged)),
    "self-described CBOR": shape(lambda tagged: cbor2.CBORTag(55_799, tagged)),
    "an unknown tag around it": shape(lambda tagged: cbor2.CBORTag(999, tagged)),
}
_COSE_STRUCTURES: Mapping[str, Callable[[Draft], Draft]] = {
    "detached payload": put(carried=lambda _: None),
    "payload as a text": put(carried=lambda payload: payload.hex()),
    "payload not wrapped": put(carried=cbor2.loads),
    "payload in an embedded item": put(carried=lambda payload: cbor2.CBORTag(24, payload)),
    "five parts": shape(lambda t: cbor2.CBORTag(t.tag, [*t.value, b""])),
    "three parts": shape(lambda t: cbor2.CBORTag(t.tag, t.value[:3])),
    "words in the unprotected header": put(loose={99: "read me"}),
    "key id in the unprotected header": last(loose={4: b"x"}),
    "protected header not wrapped": part(0, {}),
    "protected header is a list": part(0, encode([1, -19])),
    "protected header twice the same label": part(0, bytes.fromhex("a201320132")),
    "protected header with bytes after it": part(0, b"\xa0\xa0"),
    "signatures are no list": part(3, {0: b""}),
}

ATTACKS: tuple[Attack, ...] = (
    *(Attack(n, T.CONFUSION, S.SIGNATURE, reason, alter) for n, (alter, reason) in _LABELS.items()),
    *(
        Attack(n, T.CONFUSION, S.SIGNATURE, reason, alter, algorithm=P256)
        for n, (alter, reason) in _P256_LABELS.items()
    ),
    *(Attack(n, T.FORGERY, S.SIGNATURE, R.BAD_SIGNATURE, alter) for n, alter in _VALUES.items()),
    *(
        Attack(n, T.FORGERY, S.POLICY, R.THRESHOLD_NOT_MET, alter, KEYED, UNSEEN)
        for n, alter in _UNSEEN.items()
    ),
    *(Attack(n, T.FORGERY, S.STRUCTURE, R.MALFORMED, alter) for n, alter in _STRUCTURES.items()),
    *(Attack(n, T.FORGERY, S.STRUCTURE, R.MALFORMED, alter, COSE) for n, alter in _COSE_STRUCTURES.items()),
    Attack(
        "keys that nobody knows",
        T.FORGERY,
        S.SIGNATURE,
        R.UNKNOWN_KEY,
        foreign,
        but={"report": R.BAD_SIGNATURE},
    ),
    Attack(
        "wrong signature beside the right ones",
        T.FORGERY,
        S.SIGNATURE,
        R.BAD_SIGNATURE,
        beside("legal-2", spoil=_FLIP),
        KEYED,
    ),
    Attack(
        "no signature",
        T.FORGERY,
        S.STRUCTURE,
        R.MALFORMED,
        put(marks=()),
        KEYED,
        {"patch": R.UNKNOWN_KEY},
    ),
    Attack("seventeen signatures", T.BOMB, S.STRUCTURE, R.MALFORMED, many, KEYED),
    Attack("last role missing", T.APPROVAL, S.POLICY, R.THRESHOLD_NOT_MET, by(count=-1), SEVERAL),
    Attack("keys of another role only", T.APPROVAL, S.POLICY, R.THRESHOLD_NOT_MET, by("legal-2"), KEYED),
    Attack(
        "gateway's key in place of the last role",
        T.APPROVAL,
        S.POLICY,
        R.THRESHOLD_NOT_MET,
        by("gateway-1", count=-1),
        SEVERAL,
    ),
    Attack("same key twice", T.APPROVAL, S.POLICY, R.THRESHOLD_NOT_MET, first_twice, SEVERAL),
    Attack("one key under two key ids", T.APPROVAL, S.POLICY, R.THRESHOLD_NOT_MET, first_renamed, SEVERAL),
    Attack(
        "unknown critical header",
        T.FORGERY,
        S.STRUCTURE,
        R.UNSUPPORTED,
        header(lambda found, _: {**found, 2: [99], 99: 1}),
    ),
    Attack(
        "critical header that names nothing",
        T.FORGERY,
        S.STRUCTURE,
        R.MALFORMED,
        header(lambda found, _: {**found, 2: []}),
    ),
    Attack(
        "protected header of 600 bytes",
        T.BOMB,
        S.STRUCTURE,
        R.TOO_BIG,
        header(lambda found, _: {**found, 99: bytes(600)}),
    ),
    Attack("no type in the header", T.WRONG_PLACE, S.TYPE, R.WRONG_TYPE, retyped(...), COSE),
    Attack("type of the header is empty", T.WRONG_PLACE, S.TYPE, R.WRONG_TYPE, retyped(""), COSE),
    Attack("type of the header is a number", T.WRONG_PLACE, S.TYPE, R.WRONG_TYPE, retyped(50), COSE),
    Attack(
        "another type in the header",
        T.WRONG_PLACE,
        S.TYPE,
        R.WRONG_TYPE,
        retyped("tocsin/publication"),
        COSE,
    ),
    Attack(
        "h'a0' as the protected header of the body",
        T.FORGERY,
        S.TYPE,
        R.WRONG_TYPE,
        put(header=b"\xa0"),
        DOCUMENTS,
    ),
    Attack(
        "h'a0' as a report's protected header",
        T.FORGERY,
        S.TYPE,
        R.WRONG_TYPE,
        last(header=b"\xa0"),
        ("report",),
    ),
    Attack(
        "h'a0' in place of the empty header after signing",
        T.FORGERY,
        S.TYPE,
        R.WRONG_TYPE,
        part(0, b"\xa0"),
        COSE,
    ),
    Attack(
        "attached payload",
        T.FORGERY,
        S.SIGNATURE,
        R.MALFORMED,
        put(carried=lambda stated: stated),
        ("patch",),
        detail="attached",
    ),
    Attack(
        "unprotected header of a block",
        T.FORGERY,
        S.SIGNATURE,
        R.MALFORMED,
        last(loose={1: -19}),
        ("patch",),
        detail="unprotected",
    ),
)
assert set(TYPES) == {type_ for attack in ATTACKS for type_ in attack.types}
