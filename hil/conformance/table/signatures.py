"""Signatures, and the COSE structure around them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import cbor2

from hil.conformance.drafts import Alter, Draft, header, last, mark, part, put, spoil
from hil.conformance.fleet import key
from hil.conformance.rows import Row
from hil.conformance.table.common import DOCUMENTS, LONE, SEVERAL, TYPES, refusal
from keys.cbor import encode
from keys.reasons import Reason

R = Reason
L: Final = 2**252 + 27742317777372353535851937790883648493  # order of Ed25519's group (RFC 8032, section 5.1)
CONFUSION, FORGERY, APPROVAL = "algorithm confusion", "forgery", "missing approval"
PLACE, BOMB = "wrong type, product, device or fleet", "oversized input and decoder bombs"


def label(alg: Any) -> Alter:
    """Another algorithm's label."""
    return header(lambda found: {**found, 1: alg})


def without(number: int) -> Alter:
    """The last signature's protected header without an entry."""
    return header(lambda found: {k: v for k, v in found.items() if k != number})


def kid(change: Any) -> Alter:
    """Another key id."""
    return header(lambda found: {**found, 4: change(found[4])})


def hashed(made: Draft) -> Draft:
    """A MAC with the public key as its secret, under the label of HMAC."""
    public = made.marks[-1].signer.public.x
    return last(spoil=lambda tbs, _: hmac.digest(public, tbs, "sha256"))(label(5)(made))


def spoiled_by_mac(made: Draft) -> Draft:
    """A MAC with the public key as its secret, in the place of the signature."""
    public = made.marks[-1].signer.public.x
    return last(spoil=lambda tbs, _: hmac.digest(public, tbs, "sha512"))(made)


def malleated(value: bytes) -> bytes:
    """The same signature with the group's order added to s."""
    return value[:32] + (int.from_bytes(value[32:], "little") + L).to_bytes(32, "little")


def over_another(made: Draft) -> Draft:
    """A signature over the other structure's context."""
    return last(context="Signature" if made.marks[-1].context == "Signature1" else "Signature1")(made)


def by(*names: str, keep: int = 0) -> Alter:
    """The first ``keep`` signatures, and these people's."""

    def alter(made: Draft) -> Draft:
        context = made.marks[0].context
        return replace(made, marks=(*made.marks[:keep], *(mark(key(n), context=context) for n in names)))

    return alter


def others_last(*names: str) -> Alter:
    """All signatures but the last, and these people's."""
    return lambda made: by(*names, keep=len(made.marks) - 1)(made)


def beside(name: str, **changes: Any) -> Alter:
    """One more signature beside the right ones."""

    def alter(made: Draft) -> Draft:
        return replace(made, marks=(*made.marks, mark(key(name), context=made.marks[0].context, **changes)))

    return alter


def first_twice(made: Draft) -> Draft:
    """The first signature in place of the last one, too."""
    return replace(made, marks=(*made.marks[:-1], made.marks[0]))


def first_renamed(made: Draft) -> Draft:
    """One key under two key ids: it signs again under its own key id cut short."""
    found = made.marks[0].header
    short = (
        {**dict(found), 4: made.marks[0].signer.public.thumbprint[:16]} if isinstance(found, Mapping) else {}
    )
    return replace(made, marks=(*made.marks[:-1], replace(made.marks[0], header=short)))


def many(made: Draft) -> Draft:
    """Seventeen signatures."""
    context = made.marks[0].context
    extra = (mark(key(f"extra-{n}"), context=context) for n in range(17 - len(made.marks)))
    return replace(made, marks=(*made.marks, *extra))


def tagged(change: Any) -> Alter:
    """Another tag, or none."""
    return put(shape=change)


def _flip(_: bytes, value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


LABELS: Final[Mapping[str, Alter]] = {
    "Ed25519 key under the ESP256 label": label(-9),
    "Ed25519 key under the ML-DSA-44 label": label(-48),
    "Ed25519 key under the older EdDSA label": label(-8),
    "unknown algorithm number": label(-65_000),
    "label 0": label(0),
    "label as a text": label("EdDSA"),
    "label true": label(True),
    "no label": without(1),
    "HMAC with the public key as secret": hashed,
}
VALUES: Final[Mapping[str, Alter]] = {
    "one bit of the signature": last(spoil=_flip),
    "HMAC of 64 bytes under the key's own label": spoiled_by_mac,
    "empty signature": spoil(lambda _: b""),
    "signature cut by one byte": spoil(lambda value: value[:-1]),
    "signature with one byte more": spoil(lambda value: value + b"\0"),
    "signature of zeros": spoil(lambda _: bytes(64)),
    "signature with the group's order added to s": spoil(malleated),
    "signature over another context": over_another,
    "signature over external data": last(aad=b"x"),
    "stranger's signature under a known key id": last(signer=key("stranger")),
}
UNSEEN: Final[Mapping[str, Alter]] = {
    "no key id": without(4),
    "key id cut short": kid(lambda found: found[:16]),
    "key id as a text": kid(bytes.hex),
    "h'a0' as a signature's protected header": last(header=b"\xa0"),
    "empty protected header of a signature": last(header=b""),
}
"""The last signature is nobody's: there is one too few."""
TAGS: Final[Mapping[str, Alter]] = {
    "no tag": tagged(lambda found: found.value),
    "the other COSE tag": tagged(lambda found: cbor2.CBORTag({98: 18, 107: 98}[found.tag], found.value)),
    "tagged as a MAC": tagged(lambda found: cbor2.CBORTag(17, found.value)),
    "tagged twice": tagged(lambda found: cbor2.CBORTag(found.tag, found)),
    "self-described CBOR": tagged(lambda found: cbor2.CBORTag(55_799, found)),
    "an unknown tag around it": tagged(lambda found: cbor2.CBORTag(999, found)),
}
SHAPES: Final[Mapping[str, Alter]] = {
    "detached payload": put(carried=lambda _: None),
    "payload as a text": put(carried=bytes.hex),
    "payload not wrapped": put(carried=cbor2.loads),
    "payload in an embedded item": put(carried=lambda payload: cbor2.CBORTag(24, payload)),
    "five parts": tagged(lambda found: cbor2.CBORTag(found.tag, [*found.value, b""])),
    "three parts": tagged(lambda found: cbor2.CBORTag(found.tag, found.value[:3])),
    "words in the unprotected header": put(loose={99: "read me"}),
    "key id in the unprotected header": last(loose={4: b"x"}),
    "protected header not wrapped": part(0, {}),
    "protected header is a list": part(0, encode([1, -19])),
    "protected header twice the same label": part(0, bytes.fromhex("a201320132")),
    "protected header with bytes after it": part(0, b"\xa0\xa0"),
    "signatures are no list": part(3, {0: b""}),
    "signatures are an empty list": part(3, []),
}
CRITICAL: Final[Mapping[str, tuple[Alter, R]]] = {
    "unknown critical header": (header(lambda found: {**found, 2: [99], 99: 1}), R.UNSUPPORTED),
    "critical header that names nothing": (header(lambda found: {**found, 2: []}), R.MALFORMED),
    "protected header of 600 bytes": (header(lambda found: {**found, 99: bytes(600)}), R.TOO_BIG),
}
TYPED: Final[Mapping[str, Alter]] = {
    "no type in the header": put(header=b""),
    "type of the header is empty": put(header={16: ""}),
    "type of the header is a number": put(header={16: 50}),
    "another type in the header": put(header={16: "tocsin/publication"}),
    "h'a0' as the protected header": put(header=b"\xa0"),
    "h'a0' in place of the header after signing": part(0, b"\xa0"),
}
APPROVALS: Final[Mapping[str, Alter]] = {
    "gateway's key in place of the last role": others_last("gateway"),
    "same key twice": first_twice,
    "one key under two key ids": first_renamed,
}
MOST: Final = ("root", "notice", "timestamp", "patch")
"""Types to which what concerns every type is shown, where all would tell nothing new."""

ROWS: Final[tuple[Row, ...]] = (
    *(refusal(t, n, a, R.ALGORITHM_MISMATCH, CONFUSION) for n, a in LABELS.items() for t in MOST),
    *(refusal(t, n, a, R.BAD_SIGNATURE, FORGERY) for n, a in VALUES.items() for t in MOST),
    *(
        refusal(t, n, a, R.UNKNOWN_KEY if t in LONE else R.THRESHOLD_NOT_MET, FORGERY)
        for n, a in UNSEEN.items()
        for t in MOST
    ),
    *(refusal(t, n, a, R.MALFORMED, FORGERY) for n, a in TAGS.items() for t in ("notice", "patch")),
    *(refusal(t, n, a, R.MALFORMED, FORGERY) for n, a in SHAPES.items() for t in ("notice", "offer")),
    *(refusal(t, n, a, why, FORGERY) for n, (a, why) in CRITICAL.items() for t in ("notice", "patch")),
    *(refusal(t, n, a, R.WRONG_TYPE, PLACE) for n, a in TYPED.items() for t in ("notice", "catalogue")),
    *(refusal(t, n, a, R.THRESHOLD_NOT_MET, APPROVAL) for n, a in APPROVALS.items() for t in SEVERAL),
    *(
        refusal(t, "one bit of the signature", VALUES["one bit of the signature"], R.BAD_SIGNATURE, FORGERY)
        for t in DOCUMENTS
        if t not in MOST
    ),
    *(
        refusal(t, "keys that nobody knows", by("stranger-1", "stranger-2"), R.UNKNOWN_KEY, FORGERY)
        for t in TYPES
    ),
    *(refusal(t, "keys of another role only", by("lawyer-2"), R.THRESHOLD_NOT_MET, APPROVAL) for t in TYPES),
    *(
        refusal(
            t,
            "wrong signature beside the right ones",
            beside("lawyer-2", spoil=_flip),
            R.BAD_SIGNATURE,
            FORGERY,
        )
        for t in SEVERAL
    ),
    *(refusal(t, "seventeen signatures", many, R.MALFORMED, BOMB) for t in ("notice", "patch")),
    refusal("patch", "no signature", put(marks=()), R.UNKNOWN_KEY, FORGERY),
    refusal("patch", "attached payload of a block", put(carried=lambda stated: stated), R.MALFORMED, FORGERY),
    refusal("patch", "unprotected header of a block", last(loose={1: -19}), R.MALFORMED, FORGERY),
)
