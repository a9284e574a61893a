"""Attacks on what is said: bodies that everyone signed and nobody may believe, and bytes that are no CBOR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from keys.cbor import encode
from keys.reasons import Reason as R
from tests.advisories.suit_case import INSTALL, craft, identity
from tests.helpers import DAY, NOW
from tests.keys.threats.attack import DOCUMENTS, Attack, Step, Threat, fields, put
from tests.keys.threats.drafts import Draft

AT = NOW + 60
"""UTC seconds at which everything is presented."""
FLOOR = NOW - 10
"""Version of each document that was accepted before."""
BODIES = (*DOCUMENTS, "report")
VERSIONED = tuple(type_ for type_ in DOCUMENTS if type_ != "root")
LARGE = ("devices", "report", "patch")
"""Types whose limit lets 10,000 bytes in, so that the decoder has to refuse them."""
_SENTINEL = b"the place of the trick"
S, T = Step, Threat


def version(value: Any) -> Callable[[Draft], Draft]:
    """Set the version, or a patch's sequence number."""
    return lambda made: fields(**{"k2" if made.type == "patch" else "k4": value})(made)


def signed_trick(trick: bytes) -> Callable[[Draft], Draft]:
    """Put any bytes in the place of one value of the body, before everyone signs it."""

    def alter(made: Draft) -> Draft:
        found = version(_SENTINEL)(made)
        return replace(found, body=lambda body: body.replace(encode(_SENTINEL), trick))

    return alter


def outer_trick(trick: bytes) -> Callable[[Draft], Draft]:
    """Put any bytes in the place of the payload or of a text, after signing: anybody can."""

    def shape(tagged: Any) -> Any:
        if isinstance(tagged.value, dict):
            return cbor2.CBORTag(tagged.tag, {**tagged.value, 23: _SENTINEL})
        return cbor2.CBORTag(tagged.tag, [*tagged.value[:2], _SENTINEL, *tagged.value[3:]])

    return lambda made: replace(made, shape=shape, raw=lambda data: data.replace(encode(_SENTINEL), trick))


def instead(data: bytes) -> Callable[[Draft], Draft]:
    return put(raw=lambda _: data)


def body(change: Callable[[bytes], bytes]) -> Callable[[Draft], Draft]:
    return put(body=change)


def manifest(envelope: bytes) -> Callable[[Draft], Draft]:
    """Another manifest, signed by everyone all the same."""
    members = dict(cbor2.loads(envelope).value)
    return put(fields=cbor2.loads(members[3]), beside={})


def h(digits: str) -> bytes:
    return bytes.fromhex(digits.replace(" ", ""))


TAGS: Mapping[str, bytes] = {
    "tag 0, a date": h("c0 74") + b"2026-01-01T00:00:00Z",
    "tag 1, an epoch time": h("c1 1a 6b49d200"),
    "tag 2, a bignum": h("c2 49 010000000000000000"),
    "tag 3, a negative bignum": h("c3 41 01"),
    "tag 4, a decimal of 2,147,483,647 digits": h("c4 82 1a 7fffffff 01"),
    "tag 5, a bigfloat": h("c5 82 20 03"),
    "tag 24, an embedded item": h("d818 41 00"),
    "tag 25, a string reference": h("d819 00"),
    "tag 28, a shared value that holds itself": h("d81c 81 d81d 00"),
    "tag 29, a reference to nothing": h("d81d 00"),
    "tag 30, a fraction": h("d81e 82 01 03"),
    "tag 30, a fraction over zero": h("d81e 82 01 00"),
    "tag 32, an address": h("d820 61 61"),
    "tag 35, a regular expression": h("d823 66") + b"(a+)+$",
    "tag 36, a mail message": h("d824 64") + b"a: b",
    "tag 37, a UUID": h("d825 50") + bytes(16),
    "tag 52, an IPv4 address": h("d834 44 c0000201"),
    "tag 54, an IPv6 network": h("d836 82 1840 44 20010db8"),
    "tag 100, days": h("d864 19 4000"),
    "tag 104, a reference system": h("d868 01"),
    "tag 256, a string table": h("d90100 81 61 61"),
    "tag 258, a set": h("d90102 81 01"),
    "tag 260, a network address": h("d90104 44 c0000201"),
    "tag 261, a prefix": h("d90105 a1 44 c0000200 1818"),
    "tag 1004, a day": h("d903ec 6a") + b"2026-01-01",
    "tag 43000, a complex number": h("d9a7f8 82 01 02"),
    "tag 55799, self-described": h("d9d9f7 01"),
    "tag 999, unknown": h("d903e7 01"),
    "tag 2^64-1": h("db ffffffffffffffff 00"),
}
ITEMS: Mapping[str, bytes] = {
    "half float": h("f9 3c00"),
    "infinity": h("f9 7c00"),
    "not a number": h("f9 7e00"),
    "float": h("fb 3ff199999999999a"),
    "undefined": h("f7"),
    "simple value 32": h("f8 20"),
    "reserved simple value": h("f8 18"),
    "integer written longer than it needs": h("18 05"),
    "length written longer than it needs": h("58 01 00"),
    "string of no fixed length": h("5f 41 00 ff"),
    "array of no fixed length": h("9f 00 ff"),
    "map of no fixed length": h("bf 00 00 ff"),
    "break without a beginning": h("ff"),
    "reserved length": h("1c"),
    "map with a key twice": h("a2 01 01 01 02"),
    "map whose keys are in the wrong order": h("a2 02 00 01 00"),
    "map whose key is a map": h("a1 a0 00"),
    "text that is no UTF-8": h("61 ff"),
    "text with half a surrogate": h("63 eda080"),
    "string that claims 2^63 bytes": h("5b 8000000000000000"),
    "string that claims 2^64-1 bytes": h("5b ffffffffffffffff"),
    "text that claims 2^31 bytes": h("7a 80000000"),
    "array that claims 2^63 items": h("9b 8000000000000000"),
    "array that claims 2^32-1 items": h("9a ffffffff"),
    "map that claims 2^63 entries": h("bb 8000000000000000"),
    "map that claims a million entries": h("ba 000f4240 00 00"),
    "array nested 17 deep": h("81") * 17 + h("00"),
    "map nested 17 deep": h("a1 00") * 17 + h("00"),
    "tag nested 17 deep": h("d2") * 17 + h("00"),
}
BIG: Mapping[str, bytes] = {
    "array nested 10,000 deep": h("81") * 9_999 + h("00"),
    "map nested 5,000 deep": h("a1 00") * 4_999 + h("00"),
    "10,000 tags": h("d2") * 9_999 + h("00"),
    "10,000 shared values": h("d81c 81") * 3_333 + h("00"),
    "array of 9,990 integers": h("99 2706") + bytes(9_990),
}
VERSIONS: Mapping[str, Any] = {
    "version 2^53": 2**53,
    "version 2^63": 2**63,
    "version 2^64-1": 2**64 - 1,
    "version 2^64": 2**64,
    "version -1": -1,
    "version -2^63": -(2**63),
    "version 1.5": 1.5,
    "version that is not a number": float("nan"),
    "version without end": float("inf"),
    "version true": True,
    "version as a text": "1800000000",
    "version as bytes": b"\x01",
    "version null": None,
}
_BODIES: Mapping[str, Callable[[Draft], Draft]] = {
    "field that no table has": fields(k99=0),
    "field named true": lambda made: replace(made, fields={**made.fields, True: 0}),
    "field named by a text": lambda made: replace(made, fields={**made.fields, "version": 0}),
    "no version": fields(k4=...),
    "no type": fields(k1=...),
    "no subject": fields(k3=...),
    "subject with a slash": fields(k3=["a/b"]),
    "subject that is no list": fields(k3="thermostat"),
    "author with an escape sequence": fields(k7=["eve\x1b[2J", "engineering"]),
    "author written backwards (U+202E)": fields(k7=["lagel\u202e", "engineering"]),
    "author on two lines (U+2028)": fields(k7=["eve\u2028legal-1", "engineering"]),
    "author with a space at the end": fields(k7=["legal-1 ", "legal"]),
    "fleet of 33 bytes": fields(k2=bytes(33)),
    "65 subjects": fields(k3=[f"p{n}" for n in range(65)]),
}
_BYTES: Mapping[str, Callable[[Draft], Draft]] = {
    "empty body": body(lambda _: b""),
    "body is a list": body(lambda _: h("81 00")),
    "body with a byte after it": body(lambda data: data + b"\0"),
    "body with an item after it": body(lambda data: data + data),
    "body cut by one byte": body(lambda data: data[:-1]),
    "body with its map left open": body(lambda data: b"\xbf" + data[1:] + b"\xff"),
}
_NOTHING: Mapping[str, bytes] = {
    "nothing": b"",
    "one zero": b"\0",
    "a text": b"\x65hello",
    "JSON": b'{"type": "root"}',
    "PEM": b"-----BEGIN CERTIFICATE-----",
    "an empty map": b"\xa0",
}
_MANIFESTS: Mapping[str, tuple[bytes, R]] = {
    "dependency that would override": (craft(common={1: {0: {1: [b"x"]}}}), R.UNSUPPORTED),
    "second component not compared": (
        craft(sections={20: [*INSTALL, 12, 1, 20, {21: "x"}, 21, 2]}, components=([b"\x00"], [b"\x01"])),
        R.MALFORMED,
    ),
    "no component": (craft(components=()), R.MALFORMED),
    "no vendor checked": (craft([*identity()[:2], 2, 15]), R.MALFORMED),
    "no class checked": (craft(identity()[:4]), R.MALFORMED),
    "image not compared": (craft(sections={20: [20, {21: "tocsin:image"}, 21, 2]}), R.MALFORMED),
    "no image named": (craft(sections={7: [3, 15]}), R.UNSUPPORTED),
    "unknown command": (craft(sections={20: [999, 0]}), R.UNSUPPORTED),
    "manifest of version 2": (craft(extra={1: 2}), R.UNSUPPORTED),
    "no sequence number": (craft(extra={2: ...}), R.MALFORMED),
}

ATTACKS: tuple[Attack, ...] = (
    *(Attack(n, T.ROLLBACK, S.BODY, R.MALFORMED, version(value)) for n, value in VERSIONS.items()),
    *(Attack(n, T.FORGERY, S.BODY, R.MALFORMED, alter, BODIES) for n, alter in _BODIES.items()),
    *(Attack(n, T.EXTRA, S.BODY, R.MALFORMED, alter) for n, alter in _BYTES.items()),
    *(
        Attack(f"{n}, signed", T.BOMB, S.BODY, R.MALFORMED, signed_trick(trick))
        for n, trick in (TAGS | ITEMS).items()
    ),
    *(
        Attack(f"{n}, outside", T.BOMB, S.STRUCTURE, R.MALFORMED, outer_trick(trick))
        for n, trick in (TAGS | ITEMS).items()
    ),
    *(
        Attack(f"{n}, signed", T.BOMB, S.BODY, R.MALFORMED, signed_trick(trick), LARGE)
        for n, trick in BIG.items()
    ),
    *(Attack(n, T.BOMB, S.STRUCTURE, R.MALFORMED, instead(trick), LARGE) for n, trick in BIG.items()),
    *(Attack(n, T.EXTRA, S.STRUCTURE, R.MALFORMED, instead(data)) for n, data in _NOTHING.items()),
    Attack("140,000 bytes", T.BOMB, S.SIZE, R.TOO_BIG, instead(bytes(140_000))),
    Attack("140,000 bytes after it", T.BOMB, S.SIZE, R.TOO_BIG, put(raw=lambda d: d + bytes(140_000))),
    Attack("byte after it", T.EXTRA, S.STRUCTURE, R.MALFORMED, put(raw=lambda data: data + b"\0")),
    Attack("twice in a row", T.EXTRA, S.STRUCTURE, R.MALFORMED, put(raw=lambda data: data * 2)),
    Attack("byte before it", T.EXTRA, S.STRUCTURE, R.MALFORMED, put(raw=lambda data: b"\0" + data)),
    Attack("another type inside", T.WRONG_PLACE, S.STATEMENT, R.WRONG_TYPE, fields(k1="publication"), BODIES),
    Attack("another fleet", T.WRONG_PLACE, S.STATEMENT, R.WRONG_FLEET, fields(k2=bytes(32)), BODIES),
    Attack("no fleet", T.WRONG_PLACE, S.STATEMENT, R.WRONG_FLEET, fields(k2=b""), BODIES),
    Attack(
        "another product or device",
        T.WRONG_PLACE,
        S.STATEMENT,
        R.WRONG_SUBJECT,
        fields(k3=["another"]),
        BODIES,
        {"root": R.BAD_ROOT},
    ),
    Attack(
        "report of another product",
        T.WRONG_PLACE,
        S.STATEMENT,
        R.WRONG_SUBJECT,
        fields(k10="lock"),
        ("report",),
    ),
    Attack(
        "another advisory", T.WRONG_PLACE, S.VERSION, R.WRONG_SUBJECT, fields(k10="EX-2026-0002"), ("notice",)
    ),
    Attack("over since this second", T.FREEZE, S.TIME, R.EXPIRED, fields(k5=NOW, k6=AT), DOCUMENTS),
    Attack("older than the last", T.REPLAY, S.VERSION, R.REPLAYED, version(FLOOR - 1), VERSIONED),
    Attack("version 0", T.ROLLBACK, S.VERSION, R.REPLAYED, version(0), DOCUMENTS),
    Attack("another of the last version", T.REPLAY, S.VERSION, R.EQUIVOCATION, version(FLOOR), VERSIONED),
    Attack("root version left out", T.ROLLBACK, S.VERSION, R.ROOT_GAP, version(3), ("root",)),
    Attack("root version 2^53-1", T.ROLLBACK, S.VERSION, R.ROOT_GAP, version(2**53 - 1), ("root",)),
    Attack("another root of this version", T.ROLLBACK, S.VERSION, R.REPLAYED, version(1), ("root",)),
    Attack("root without an end", T.FREEZE, S.POLICY, R.BAD_ROOT, fields(k6=...), ("root",)),
    Attack("root over before it began", T.FREEZE, S.POLICY, R.BAD_ROOT, fields(k6=NOW - DAY), ("root",)),
    *(
        Attack(n, T.WRONG_PLACE, S.BODY, reason, manifest(data), ("patch",))
        for n, (data, reason) in _MANIFESTS.items()
    ),
    Attack("integrated payload", T.BOMB, S.BODY, R.MALFORMED, put(beside={"#fw": b"code"}), ("patch",)),
    Attack(
        "another text",
        T.FORGERY,
        S.BODY,
        R.DIGEST_MISMATCH,
        put(beside={23: encode({"en": {2: "Install this."}})}),
        ("patch",),
        detail="severed text",
    ),
    Attack(
        "another manifest under the same signatures",
        T.FORGERY,
        S.BODY,
        R.DIGEST_MISMATCH,
        put(shape=lambda t: cbor2.CBORTag(107, {**t.value, 3: cbor2.loads(craft()).value[3]})),
        ("patch",),
    ),
)
